/* lex.c - FML text to tokens. FHIRPath inside a map has the same tokens, so one lexer finds its end too. */
#include "mapping/internal.h"

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static char char_at(const struct fml_lexer *lexer, size_t at) {
  return at < lexer->source->text.len ? lexer->source->text.ptr[at] : '\0';
}

static size_t line_end(const struct fml_lexer *lexer, size_t at) {
  struct str text = lexer->source->text;
  while (at < text.len && text.ptr[at] != '\n' && text.ptr[at] != '\r')
    at++;
  return at;
}

/* Spaces and comments; stops at `///` while the header is read. False for a comment without an end. */
static bool skip_blank(struct fml_lexer *lexer) {
  struct str text = lexer->source->text;
  while (lexer->at < text.len) {
    char c = text.ptr[lexer->at];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      lexer->at++;
    } else if (c == '/' && char_at(lexer, lexer->at + 1) == '/') {
      if (lexer->header && char_at(lexer, lexer->at + 2) == '/') return true;
      lexer->at = line_end(lexer, lexer->at);
    } else if (c == '/' && char_at(lexer, lexer->at + 1) == '*') {
      size_t end = str_find(text, STR("*/"), lexer->at + 2);
      if (end == SIZE_MAX) return false;
      lexer->at = end + 2;
    } else {
      return true;
    }
  }
  return true;
}

static struct fml_token make(const struct fml_lexer *lexer, enum fml_token_kind kind, size_t from,
                             size_t to) {
  return (struct fml_token){.kind = kind,
                            .at = (uint32_t)from,
                            .end = (uint32_t)to,
                            .text = str_slice(lexer->source->text, from, to)};
}

static struct fml_token bad(struct fml_lexer *lexer, size_t from, const char *fault) {
  lexer->fault = fault;
  lexer->at = from + 1;
  return make(lexer, FML_BAD, from, from + 1);
}

/* 'text', "text" or `name`: the closing quote, a backslash hides the next character. */
static struct fml_token quoted(struct fml_lexer *lexer, char quote, enum fml_token_kind kind) {
  struct str text = lexer->source->text;
  size_t from = lexer->at, at = from + 1;
  while (at < text.len && text.ptr[at] != quote)
    at += text.ptr[at] == '\\' ? 2u : 1u;
  if (at >= text.len) return bad(lexer, from, "a quoted text has no end");
  lexer->at = at + 1;
  struct fml_token token = make(lexer, kind, from, at + 1);
  token.text = str_slice(text, from + 1, at);
  return token;
}

/* """markdown""" of the header. */
static bool triple(const struct fml_lexer *lexer, size_t at) {
  return char_at(lexer, at) == '"' && char_at(lexer, at + 1) == '"' && char_at(lexer, at + 2) == '"';
}

static struct fml_token meta_line(struct fml_lexer *lexer) {
  size_t from = lexer->at, end = line_end(lexer, from);
  size_t open = str_find(str_slice(lexer->source->text, 0, end), STR("\"\"\""), from);
  if (open != SIZE_MAX && triple(lexer, open)) {
    size_t close = str_find(lexer->source->text, STR("\"\"\""), open + 3);
    if (close == SIZE_MAX) return bad(lexer, open, "a \"\"\" text has no end");
    end = close + 3;
  }
  lexer->at = end;
  struct fml_token token = make(lexer, FML_META, from, end);
  token.text = str_slice(token.text, 3, token.text.len);
  return token;
}

static struct fml_token number(struct fml_lexer *lexer) {
  size_t from = lexer->at, at = from;
  while (is_digit(char_at(lexer, at)))
    at++;
  if (char_at(lexer, at) == '.' && is_digit(char_at(lexer, at + 1))) {
    at++;
    while (is_digit(char_at(lexer, at)))
      at++;
  }
  lexer->at = at;
  return make(lexer, FML_NUMBER, from, at);
}

static struct fml_token date(struct fml_lexer *lexer) {
  size_t from = lexer->at, at = from + 1;
  for (;; at++) {
    char c = char_at(lexer, at);
    bool minus = c == '-' && is_digit(char_at(lexer, at + 1));
    bool dot = c == '.' && is_digit(char_at(lexer, at + 1));
    if (!is_digit(c) && c != 'T' && c != ':' && c != '+' && c != 'Z' && !minus && !dot) break;
  }
  lexer->at = at;
  return make(lexer, FML_DATE, from, at);
}

static struct fml_token symbol(struct fml_lexer *lexer) {
  static const unsigned pairs[] = {FML_ARROW,          FML_DOTS,           FML_OPEN_TYPES,
                                   FML_CLOSE_TYPES,    FML_PAIR('=', '='), FML_PAIR('!', '='),
                                   FML_PAIR('<', '='), FML_PAIR('>', '='), FML_PAIR('!', '~')};
  size_t from = lexer->at;
  unsigned char a = (unsigned char)char_at(lexer, from), b = (unsigned char)char_at(lexer, from + 1);
  if (a < ' ' || a >= 0x7f) return bad(lexer, from, "this character has no place in a map");
  size_t len = 1;
  unsigned value = a;
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
    if (pairs[i] != FML_PAIR(a, b)) continue;
    len = 2;
    value = pairs[i];
  }
  lexer->at = from + len;
  struct fml_token token = make(lexer, FML_SYMBOL, from, from + len);
  token.symbol = value;
  return token;
}

struct fml_token fml_next(struct fml_lexer *lexer) {
  size_t start = lexer->at;
  if (!skip_blank(lexer)) {
    struct fml_token token = bad(lexer, lexer->at, "a /* comment has no end");
    lexer->at = lexer->source->text.len;
    return token;
  }
  if (lexer->at == 0 && start == 0 && str_starts(lexer->source->text, STR("\xef\xbb\xbf"))) {
    lexer->at = 3;
    return fml_next(lexer);
  }
  if (lexer->at >= lexer->source->text.len) return make(lexer, FML_END, lexer->at, lexer->at);
  char c = char_at(lexer, lexer->at);
  if (c == '/' && char_at(lexer, lexer->at + 1) == '/') return meta_line(lexer);
  lexer->header = false;
  if (is_letter(c)) {
    size_t from = lexer->at;
    while (is_letter(char_at(lexer, lexer->at)) || is_digit(char_at(lexer, lexer->at)))
      lexer->at++;
    return make(lexer, FML_NAME, from, lexer->at);
  }
  if (is_digit(c)) return number(lexer);
  if (c == '\'') return quoted(lexer, c, FML_STRING);
  if (c == '"') return quoted(lexer, c, FML_QUOTED);
  if (c == '`') return quoted(lexer, c, FML_DELIMITED);
  if (c == '@') return date(lexer);
  return symbol(lexer);
}

static int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* \uXXXX at `at` (the u): code point, or -1. */
static int32_t unicode_escape(struct str raw, size_t at) {
  if (at + 4 >= raw.len) return -1;
  int32_t value = 0;
  for (size_t i = 1; i <= 4; i++) {
    int digit = hex_digit(raw.ptr[at + i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value >= 0xd800 && value <= 0xdfff ? -1 : value;
}

struct str fml_unescape(struct arena *arena, struct str raw) {
  static const char from[] = "tnrf", to[] = "\t\n\r\f";
  if (str_find_char(raw, '\\', 0) == SIZE_MAX) return raw;
  char *out = arena_alloc(arena, raw.len);
  if (!out) return (struct str){0};
  size_t len = 0;
  for (size_t i = 0; i < raw.len; i++) {
    if (raw.ptr[i] != '\\' || i + 1 == raw.len) {
      out[len++] = raw.ptr[i];
      continue;
    }
    char c = raw.ptr[++i];
    const char *plain = strchr(from, c);
    int32_t code = c == 'u' ? unicode_escape(raw, i) : -1;
    if (code > 0) {
      len += utf8_encode((uint32_t)code, out + len);
      i += 4;
    } else {
      out[len++] = plain && *plain ? to[plain - from] : c;
    }
  }
  return str_make(out, len);
}
