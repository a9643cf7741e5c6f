/*
 * json_string.c - the strings of a JSON text that are not plain ASCII: escapes and UTF-8, checked and
 * decoded.
 *
 * Two passes. The first checks all up to the closing quote; when it meets no escape the value is a view of
 * the source. Otherwise the second decodes into the arena: the value is never longer than its source.
 */
#include "tree/internal.h"

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* The four digits at `at`, or -1. */
static int32_t hex_four(const char *at, const char *end) {
  int32_t value = 0;
  if (end - at < 4) return -1;
  for (int i = 0; i < 4; i++) {
    int digit = hex_digit(at[i]);
    if (digit < 0) return -1;
    value = value << 4 | digit;
  }
  return value;
}

static bool is_high(int32_t unit) {
  return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low(int32_t unit) {
  return unit >= 0xDC00 && unit <= 0xDFFF;
}

/* `at` is at the backslash of \uXXXX; checks the pair when it is the first half of one. */
static const char *check_unicode(struct reader *reader, const char *at) {
  int32_t unit = hex_four(at + 2, reader->end);
  if (unit < 0)
    return read_fault(reader, at, DIAG_JSON_SYNTAX, "\\u must be followed by four hexadecimal digits");
  if (unit == 0) return read_fault(reader, at, DIAG_JSON_ENCODING, "the character U+0000 is not allowed");
  if (is_low(unit))
    return read_fault(reader, at, DIAG_JSON_ENCODING, "the second half of a surrogate pair stands alone");
  if (!is_high(unit)) return at + 6;
  const char *next = at + 6;
  bool pair =
      reader->end - next >= 6 && next[0] == '\\' && next[1] == 'u' && is_low(hex_four(next + 2, reader->end));
  if (!pair)
    return read_fault(reader, at, DIAG_JSON_ENCODING, "the first half of a surrogate pair stands alone");
  return next + 6;
}

/* The character an escape letter stands for, 0 when there is none. */
static char escaped(char letter) {
  switch (letter) {
  case '"':
  case '\\':
  case '/':
    return letter;
  case 'b':
    return '\b';
  case 'f':
    return '\f';
  case 'n':
    return '\n';
  case 'r':
    return '\r';
  case 't':
    return '\t';
  default:
    return 0;
  }
}

static const char *check_escape(struct reader *reader, const char *at) {
  if (reader->end - at < 2) return read_unexpected(reader, reader->end, "the rest of an escape");
  if (at[1] == 'u') return check_unicode(reader, at);
  if (escaped(at[1])) return at + 2;
  return read_fault(reader, at, DIAG_JSON_SYNTAX,
                    "unknown escape: after a backslash stands one of \" \\ / b f n r t u");
}

static const char *check_utf8(struct reader *reader, const char *at) {
  while (at < reader->end && (unsigned char)*at >= 0x80) {
    size_t len = utf8_sequence(at, (size_t)(reader->end - at));
    if (len == 0) return read_fault(reader, at, DIAG_JSON_ENCODING, "the text is not valid UTF-8 here");
    at += len;
  }
  return at;
}

static const char *check_control(struct reader *reader, const char *at) {
  if (*at == '\0') return read_fault(reader, at, DIAG_JSON_ENCODING, "the character U+0000 is not allowed");
  return read_unexpected(reader, at, "an escape (a string has no raw control characters)");
}

/* Checks up to the closing quote, which it returns the place of. */
static const char *check_rest(struct reader *reader, const char *at, bool *escapes) {
  for (;;) {
    at = string_run(at, reader->end);
    if (at == reader->end) return read_unexpected(reader, at, "the closing quote of a string");
    if (*at == '"') return at;
    if (*at == '\\') {
      *escapes = true;
      at = check_escape(reader, at);
    } else if ((unsigned char)*at >= 0x80) {
      at = check_utf8(reader, at);
    } else {
      at = check_control(reader, at);
    }
    if (!at) return NULL;
  }
}

/* Decodes \uXXXX or a pair of them at `at`; already checked. */
static const char *decode_unicode(const char *at, const char *end, char **out) {
  uint32_t unit = (uint32_t)hex_four(at + 2, end);
  at += 6;
  if (is_high((int32_t)unit)) {
    uint32_t low = (uint32_t)hex_four(at + 2, end);
    unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    at += 6;
  }
  *out += utf8_encode(unit, *out);
  return at;
}

/* Copies [from, end) with escapes decoded; returns the end of what was written. */
static char *decode(const char *from, const char *end, char *out) {
  while (from < end) {
    const char *slash = memchr(from, '\\', (size_t)(end - from));
    size_t run = (size_t)((slash ? slash : end) - from);
    memcpy(out, from, run);
    out += run;
    if (!slash) break;
    if (slash[1] == 'u') {
      from = decode_unicode(slash, end, &out);
    } else {
      *out++ = escaped(slash[1]);
      from = slash + 2;
    }
  }
  return out;
}

const char *read_string_rest(struct reader *reader, const char *from, const char *at, struct str *out) {
  bool escapes = false;
  const char *close = check_rest(reader, at, &escapes);
  if (!close) return NULL;
  *out = (struct str){from, (size_t)(close - from)};
  if (escapes) {
    char *value = arena_alloc(reader->arena, out->len);
    if (!value) return read_no_memory(reader);
    *out = (struct str){value, (size_t)(decode(from, close, value) - value)};
  }
  return close + 1;
}
