/* lex.c - FHIRPath text to tokens: the lexical grammar of FHIRPath 2.0.0, one token a call. */
#include "fhirpath/internal.h"

static bool is_digit(int c) {
  return c >= '0' && c <= '9';
}

static bool is_letter(int c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int peek(const struct fp_lexer *lexer, size_t ahead) {
  size_t at = lexer->at + ahead;
  return at < lexer->text.len ? (unsigned char)lexer->text.ptr[at] : -1;
}

static struct fp_token make(const struct fp_lexer *lexer, enum fp_token_kind kind, size_t offset) {
  return (struct fp_token){
      .kind = kind, .offset = offset, .end = lexer->at, .text = str_slice(lexer->text, offset, lexer->at)};
}

static struct fp_token fault(const struct fp_lexer *lexer, size_t offset, const char *problem) {
  return (struct fp_token){.kind = FP_T_ERROR, .offset = offset, .end = lexer->at, .problem = problem};
}

/* --- white space and comments */

static bool skip_comment(struct fp_lexer *lexer) {
  if (peek(lexer, 1) == '/') {
    while (lexer->at < lexer->text.len && peek(lexer, 0) != '\n' && peek(lexer, 0) != '\r')
      lexer->at++;
    return true;
  }
  size_t end = str_find(lexer->text, STR("*/"), lexer->at + 2);
  if (end == SIZE_MAX) return false;
  lexer->at = end + 2;
  return true;
}

/* False: a comment without an end. */
static bool skip_space(struct fp_lexer *lexer) {
  for (;;) {
    int c = peek(lexer, 0);
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      lexer->at++;
    } else if (c == '/' && (peek(lexer, 1) == '/' || peek(lexer, 1) == '*')) {
      if (!skip_comment(lexer)) return false;
    } else {
      return true;
    }
  }
}

/* --- quoted text */

static int hex_digit(int c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* \uXXXX at raw[at] (at the backslash); false when it is not four hexadecimal digits. */
static bool read_unicode(struct str raw, size_t at, uint32_t *out) {
  if (at + 6 > raw.len || raw.ptr[at] != '\\' || raw.ptr[at + 1] != 'u') return false;
  uint32_t value = 0;
  for (size_t i = at + 2; i < at + 6; i++) {
    int digit = hex_digit((unsigned char)raw.ptr[i]);
    if (digit < 0) return false;
    value = value * 16 + (uint32_t)digit;
  }
  *out = value;
  return true;
}

static bool is_surrogate(uint32_t code, uint32_t first) {
  return code >= first && code < first + 0x400;
}

/* Writes one escape; returns the bytes of `raw` it took, 0 for a lone surrogate. */
static size_t decode_escape(struct str raw, size_t at, char *out, size_t *len) {
  static const char names[] = "fnrt", values[] = "\f\n\r\t";
  uint32_t code, low;
  if (read_unicode(raw, at, &code)) {
    size_t used = 6;
    if (is_surrogate(code, 0xD800)) {
      if (!read_unicode(raw, at + 6, &low) || !is_surrogate(low, 0xDC00)) return 0;
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      used = 12;
    } else if (is_surrogate(code, 0xDC00) || code == 0) {
      return 0;
    }
    *len += utf8_encode(code, out + *len);
    return used;
  }
  const char *name = strchr(names, raw.ptr[at + 1]);
  out[(*len)++] = name && *name ? values[name - names] : raw.ptr[at + 1];
  return 2;
}

static bool decode(struct fp_lexer *lexer, struct str raw, struct str *out) {
  if (str_find_char(raw, '\\', 0) == SIZE_MAX) {
    *out = raw;
    return true;
  }
  char *text = arena_alloc(lexer->arena, raw.len + 1);
  size_t len = 0;
  for (size_t at = 0; text && at < raw.len;) {
    if (raw.ptr[at] != '\\') {
      text[len++] = raw.ptr[at++];
      continue;
    }
    size_t used = decode_escape(raw, at, text, &len);
    if (used == 0) return false;
    at += used;
  }
  *out = str_make(text, len);
  return text != NULL;
}

bool fp_is_text(struct str text) {
  return str_find_char(text, '\0', 0) == SIZE_MAX && utf8_invalid_at(text) == SIZE_MAX;
}

static struct fp_token quoted(struct fp_lexer *lexer, size_t offset, enum fp_token_kind kind) {
  int quote = peek(lexer, 0);
  size_t from = ++lexer->at;
  while (lexer->at < lexer->text.len && peek(lexer, 0) != quote)
    lexer->at += peek(lexer, 0) == '\\' ? 2 : 1;
  if (lexer->at >= lexer->text.len) {
    lexer->at = lexer->text.len;
    return fault(lexer, offset, "the quote has no end");
  }
  struct str text, raw = str_slice(lexer->text, from, lexer->at);
  if (!fp_is_text(raw)) return fault(lexer, offset, "the text is not UTF-8 without U+0000");
  if (!decode(lexer, raw, &text)) return fault(lexer, offset, "an escape names no character");
  lexer->at++;
  return (struct fp_token){.kind = kind, .offset = offset, .end = lexer->at, .text = text};
}

/* --- numbers, dates, names */

static void digits(struct fp_lexer *lexer) {
  while (is_digit(peek(lexer, 0)))
    lexer->at++;
}

static struct fp_token number(struct fp_lexer *lexer) {
  size_t offset = lexer->at;
  digits(lexer);
  if (peek(lexer, 0) == '.' && is_digit(peek(lexer, 1))) {
    lexer->at++;
    digits(lexer);
  } else if (peek(lexer, 0) == 'L' && !is_letter(peek(lexer, 1)) && !is_digit(peek(lexer, 1))) {
    struct fp_token token = make(lexer, FP_T_NUMBER, offset);
    token.end = ++lexer->at;
    return token;
  }
  return make(lexer, FP_T_NUMBER, offset);
}

/* Takes `lead` and exactly `count` digits when they stand here. */
static bool part(struct fp_lexer *lexer, int lead, size_t count) {
  size_t skip = lead ? 1 : 0;
  if (lead && peek(lexer, 0) != lead) return false;
  for (size_t i = 0; i < count; i++) {
    if (!is_digit(peek(lexer, skip + i))) return false;
  }
  lexer->at += skip + count;
  return true;
}

static void clock_time(struct fp_lexer *lexer) {
  if (!part(lexer, 0, 2) || !part(lexer, ':', 2) || !part(lexer, ':', 2)) return;
  if (peek(lexer, 0) == '.' && is_digit(peek(lexer, 1))) {
    lexer->at++;
    digits(lexer);
  }
}

static void zone(struct fp_lexer *lexer) {
  size_t start = lexer->at;
  if (peek(lexer, 0) == 'Z') {
    lexer->at++;
  } else if ((part(lexer, '+', 2) || part(lexer, '-', 2)) && !part(lexer, ':', 2)) {
    lexer->at = start;
  }
}

static struct fp_token date(struct fp_lexer *lexer) {
  size_t offset = lexer->at++;
  enum fp_token_kind kind = FP_T_DATE;
  if (peek(lexer, 0) == 'T') {
    lexer->at++;
    clock_time(lexer);
    kind = FP_T_TIME;
  } else if (!part(lexer, 0, 4)) {
    return fault(lexer, offset, "@ begins a date (@2026-01-31) or a time (@T08:30)");
  } else {
    if (part(lexer, '-', 2)) part(lexer, '-', 2);
    if (peek(lexer, 0) == 'T') {
      lexer->at++;
      kind = FP_T_DATETIME;
      if (is_digit(peek(lexer, 0))) {
        clock_time(lexer);
        zone(lexer);
      }
    }
  }
  struct fp_token token = make(lexer, kind, offset);
  token.text = str_slice(token.text, kind == FP_T_TIME ? 2 : 1, token.text.len);
  return token;
}

static struct fp_token name(struct fp_lexer *lexer, enum fp_token_kind kind, size_t offset) {
  size_t from = lexer->at;
  while (is_letter(peek(lexer, 0)) || is_digit(peek(lexer, 0)))
    lexer->at++;
  struct fp_token token = make(lexer, kind, offset);
  token.text = str_slice(lexer->text, from, lexer->at);
  return token;
}

static struct fp_token dollar(struct fp_lexer *lexer) {
  size_t offset = lexer->at++;
  struct fp_token token = name(lexer, FP_T_DOLLAR, offset);
  if (str_is(token.text, "this") || str_is(token.text, "index") || str_is(token.text, "total")) return token;
  return fault(lexer, offset, "$ begins $this, $index or $total");
}

static struct fp_token external(struct fp_lexer *lexer) {
  size_t offset = lexer->at++;
  int c = peek(lexer, 0);
  if (c == '`' || c == '\'' || c == '"') return quoted(lexer, offset, FP_T_EXTERNAL);
  if (is_letter(c)) return name(lexer, FP_T_EXTERNAL, offset);
  return fault(lexer, offset, "% begins the name of a variable");
}

static struct fp_token symbol(struct fp_lexer *lexer) {
  static const char *const two[] = {"->", "<=", ">=", "!=", "!~"};
  size_t offset = lexer->at;
  for (size_t i = 0; i < sizeof two / sizeof *two; i++) {
    if (peek(lexer, 0) == two[i][0] && peek(lexer, 1) == two[i][1]) {
      lexer->at += 2;
      return make(lexer, FP_T_SYMBOL, offset);
    }
  }
  lexer->at++;
  if (lexer->text.ptr[offset] && strchr(".[](){},+-*/&|<>=~", lexer->text.ptr[offset]))
    return make(lexer, FP_T_SYMBOL, offset);
  return fault(lexer, offset, "this character has no meaning here");
}

struct fp_token fp_lex(struct fp_lexer *lexer) {
  size_t start = lexer->at;
  if (!skip_space(lexer)) {
    lexer->at = lexer->text.len;
    return fault(lexer, start, "the comment has no end");
  }
  int c = peek(lexer, 0);
  size_t offset = lexer->at;
  if (c < 0) return make(lexer, FP_T_END, offset);
  if (is_digit(c)) return number(lexer);
  if (is_letter(c)) return name(lexer, FP_T_NAME, offset);
  if (c == '\'' || (c == '"' && lexer->double_quotes)) return quoted(lexer, offset, FP_T_STRING);
  if (c == '`') return quoted(lexer, offset, FP_T_QUOTED_NAME);
  if (c == '@') return date(lexer);
  if (c == '$') return dollar(lexer);
  if (c == '%') return external(lexer);
  return symbol(lexer);
}
