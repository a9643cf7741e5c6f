/*
 * json_string.c - the strings of a JSON text that are not plain ASCII: escapes and UTF-8, checked and
 * decoded.
 *
 * A string without escapes is a view of the source. One with escapes is decoded into the arena while it is
 * checked: it gets room for what is left of the text, at most FIRST_ROOM to begin with, and gives back what
 * it did not need.
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
    return tree_read_fault(reader, at, DIAG_JSON_SYNTAX, "\\u must be followed by four hexadecimal digits");
  if (unit == 0)
    return tree_read_fault(reader, at, DIAG_JSON_ENCODING, "the character U+0000 is not allowed");
  if (is_low(unit))
    return tree_read_fault(reader, at, DIAG_JSON_ENCODING,
                           "the second half of a surrogate pair stands alone");
  if (!is_high(unit)) return at + 6;
  const char *next = at + 6;
  bool pair =
      reader->end - next >= 6 && next[0] == '\\' && next[1] == 'u' && is_low(hex_four(next + 2, reader->end));
  if (!pair)
    return tree_read_fault(reader, at, DIAG_JSON_ENCODING, "the first half of a surrogate pair stands alone");
  return next + 6;
}

/* The character that the letter after a backslash stands for, 0 when there is none. */
static const char ESCAPED[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                  ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};

static const char *check_escape(struct reader *reader, const char *at) {
  if (reader->end - at < 2) return tree_read_unexpected(reader, reader->end, "the rest of an escape");
  if (at[1] == 'u') return check_unicode(reader, at);
  if (ESCAPED[(unsigned char)at[1]]) return at + 2;
  return tree_read_fault(reader, at, DIAG_JSON_SYNTAX,
                         "unknown escape: after a backslash stands one of \" \\ / b f n r t u");
}

static const char *check_utf8(struct reader *reader, const char *at) {
  while (at < reader->end && (unsigned char)*at >= 0x80) {
    size_t len = utf8_sequence(at, (size_t)(reader->end - at));
    if (len == 0) return tree_read_fault(reader, at, DIAG_JSON_ENCODING, "the text is not valid UTF-8 here");
    at += len;
  }
  return at;
}

static const char *check_control(struct reader *reader, const char *at) {
  if (*at == '\0')
    return tree_read_fault(reader, at, DIAG_JSON_ENCODING, "the character U+0000 is not allowed");
  return tree_read_unexpected(reader, at, "an escape (a string has no raw control characters)");
}

/* One byte or sequence that is not plain: returns the place after it, NULL after a report. */
static const char *check_special(struct reader *reader, const char *at) {
  if ((unsigned char)*at >= 0x80) return check_utf8(reader, at);
  return check_control(reader, at);
}

/* Goes to the closing quote or the first backslash, checking. */
static const char *to_quote_or_escape(struct reader *reader, const char *at) {
  for (;;) {
    at = string_run(at, reader->end);
    if (at == reader->end) return tree_read_unexpected(reader, at, "the closing quote of a string");
    if (*at == '"' || *at == '\\') return at;
    at = check_special(reader, at);
    if (!at) return NULL;
  }
}

/* --- decoding --- */

/* Where a string is decoded to; it is given a larger place when the first is too small. */
struct decoded {
  char *begin, *at, *end;
};

/* Room for `need` more bytes; the old place stays behind in the arena. */
static bool make_room(struct reader *reader, struct decoded *out, size_t need) {
  size_t done = (size_t)(out->at - out->begin);
  size_t room = (size_t)(out->end - out->begin);
  if (room - done >= need) return true;
  size_t larger = room * 2 > done + need ? room * 2 : done + need;
  char *bytes = arena_alloc(reader->arena, larger);
  if (!bytes) return false;
  memcpy(bytes, out->begin, done);
  arena_shrink(reader->arena, out->begin, room, 0);
  *out = (struct decoded){bytes, bytes + done, bytes + larger};
  return true;
}

/* Decodes \uXXXX or a pair of them at `at`; already checked. */
static void decode_unicode(const char *at, const char *end, struct decoded *out) {
  uint32_t unit = (uint32_t)hex_four(at + 2, end);
  if (is_high((int32_t)unit)) {
    uint32_t low = (uint32_t)hex_four(at + 8, end);
    unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
  }
  out->at += utf8_encode(unit, out->at);
}

/* The escapes of one letter, and the run of plain text behind each, as far as `out` has room. */
static const char *decode_run(struct reader *reader, const char *at, struct decoded *out) {
  const char *end = reader->end;
  while (end - at >= 18 && out->end - out->at >= 17 && *at == '\\' && ESCAPED[(unsigned char)at[1]]) {
    *out->at++ = ESCAPED[(unsigned char)at[1]];
    at += 2;
    unsigned plain;
    do {
      plain = copy_run(at, out->at);
      at += plain;
      out->at += plain;
    } while (plain == 16 && end - at >= 18 && out->end - out->at >= 17);
  }
  return at;
}

/* From the first backslash to the closing quote. */
static const char *decode(struct reader *reader, const char *at, struct decoded *out) {
  for (;;) {
    at = decode_run(reader, at, out);
    const char *from = at;
    at = to_quote_or_escape(reader, at);
    if (!at) return NULL;
    size_t run = (size_t)(at - from);
    if (!make_room(reader, out, run + 4)) return tree_read_no_memory(reader);
    memcpy(out->at, from, run);
    out->at += run;
    if (*at == '"') break;
    from = at;
    at = check_escape(reader, at);
    if (!at) return NULL;
    if (from[1] == 'u') {
      decode_unicode(from, reader->end, out);
    } else {
      *out->at++ = ESCAPED[(unsigned char)from[1]];
    }
  }
  return at;
}

enum { FIRST_ROOM = 1024 };

const char *tree_read_string_rest(struct reader *reader, const char *from, const char *at,
                                  struct str *value) {
  at = to_quote_or_escape(reader, at);
  if (!at) return NULL;
  if (*at == '"') {
    *value = (struct str){from, (size_t)(at - from)};
    return at + 1;
  }
  size_t left = (size_t)(reader->end - from), run = (size_t)(at - from);
  size_t room = run + (left - run < FIRST_ROOM ? left - run : FIRST_ROOM);
  char *bytes = arena_alloc(reader->arena, room);
  if (!bytes) return tree_read_no_memory(reader);
  memcpy(bytes, from, run);
  struct decoded out = {bytes, bytes + run, bytes + room};
  at = decode(reader, at, &out);
  if (!at) return NULL;
  *value = (struct str){out.begin, (size_t)(out.at - out.begin)};
  arena_shrink(reader->arena, out.begin, (size_t)(out.end - out.begin), value->len);
  return at + 1;
}
