/* utf8.c - strict UTF-8 after RFC 3629, table 3-7 of the Unicode standard. */
#include "base/utf8.h"

size_t utf8_sequence(const char *ptr, size_t left) {
  const unsigned char *s = (const unsigned char *)ptr;
  unsigned char first = s[0];
  if (first < 0x80) return 1;
  size_t len = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (first < 0xC2 || first > 0xF4 || left < len) return 0;
  /* The second byte rules out overlong forms, surrogates and what is above U+10FFFF. */
  unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (s[1] < low || s[1] > high) return 0;
  for (size_t i = 2; i < len; i++) {
    if ((s[i] & 0xC0) != 0x80) return 0;
  }
  return len;
}

/* Number of leading ASCII bytes, found eight at a time. */
static size_t ascii_run(const char *ptr, size_t len) {
  size_t at = 0;
  for (; len - at >= 8; at += 8) {
    uint64_t word;
    memcpy(&word, ptr + at, sizeof word);
    if (word & 0x8080808080808080u) break;
  }
  while (at < len && (unsigned char)ptr[at] < 0x80)
    at++;
  return at;
}

size_t utf8_invalid_at(struct str s) {
  size_t at = 0;
  while (at < s.len) {
    at += ascii_run(s.ptr + at, s.len - at);
    while (at < s.len && (unsigned char)s.ptr[at] >= 0x80) {
      size_t len = utf8_sequence(s.ptr + at, s.len - at);
      if (len == 0) return at;
      at += len;
    }
  }
  return SIZE_MAX;
}

uint32_t utf8_next(struct str s, size_t *at) {
  const unsigned char *p = (const unsigned char *)s.ptr + *at;
  size_t len = utf8_sequence(s.ptr + *at, s.len - *at);
  *at += len ? len : 1;
  switch (len) {
  case 1:
    return p[0];
  case 2:
    return (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
  case 3:
    return (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
  case 4:
    return (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
  default:
    return 0xFFFD;
  }
}

size_t utf8_encode(uint32_t c, char out[4]) {
  if (c < 0x80) {
    out[0] = (char)c;
    return 1;
  }
  if (c < 0x800) {
    out[0] = (char)(0xC0 | c >> 6);
    out[1] = (char)(0x80 | (c & 0x3F));
    return 2;
  }
  if (c < 0x10000) {
    out[0] = (char)(0xE0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 0x3F));
    out[2] = (char)(0x80 | (c & 0x3F));
    return 3;
  }
  out[0] = (char)(0xF0 | c >> 18);
  out[1] = (char)(0x80 | (c >> 12 & 0x3F));
  out[2] = (char)(0x80 | (c >> 6 & 0x3F));
  out[3] = (char)(0x80 | (c & 0x3F));
  return 4;
}

void utf8_add(struct buf *out, uint32_t code_point) {
  char bytes[4];
  buf_add(out, bytes, utf8_encode(code_point, bytes));
}

size_t utf8_count(struct str s) {
  size_t count = 0;
  for (size_t at = 0; at < s.len; count++)
    (void)utf8_next(s, &at);
  return count;
}
