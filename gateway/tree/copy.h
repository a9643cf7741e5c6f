/*
 * copy.h - copying a string to JSON text while looking for what must be escaped, sixteen bytes at a time.
 * Ends are done by vectors that overlap, never by reading beyond the string.
 */
#ifndef KETLINK_TREE_COPY_H
#define KETLINK_TREE_COPY_H

#include "tree/internal.h"

static inline bool needs_escape(char c) {
  return (unsigned char)c < 0x20 || c == '"' || c == '\\';
}

#if defined(__SSE2__)

/* One bit for each byte that must be escaped. */
static inline unsigned escapes(__m128i bytes) {
  const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x1F);
  __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes);
  __m128i marks = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash));
  return (unsigned)_mm_movemask_epi8(_mm_or_si128(low, marks));
}

static inline __m128i load16(const char *from) {
  return _mm_loadu_si128((const __m128i *)(const void *)from);
}

static inline void store16(char *to, __m128i bytes) {
  _mm_storeu_si128((__m128i *)(void *)to, bytes);
}

/* Fewer than sixteen bytes: two parts that overlap stand in one vector. True when none needs an escape. */
static inline bool copy_short(const char *from, size_t len, char *to) {
  if (len >= 8) {
    uint64_t head, tail;
    memcpy(&head, from, 8);
    memcpy(&tail, from + len - 8, 8);
    memcpy(to, &head, 8);
    memcpy(to + len - 8, &tail, 8);
    return escapes(_mm_set_epi64x((long long)tail, (long long)head)) == 0;
  }
  if (len >= 4) {
    uint32_t head, tail;
    memcpy(&head, from, 4);
    memcpy(&tail, from + len - 4, 4);
    memcpy(to, &head, 4);
    memcpy(to + len - 4, &tail, 4);
    return escapes(_mm_set1_epi64x((long long)((uint64_t)tail << 32 | head))) == 0;
  }
  if (len == 0) return true;
  char first = from[0], middle = from[len / 2], end = from[len - 1];
  to[0] = first;
  to[len / 2] = middle;
  to[len - 1] = end;
  return !needs_escape(first) && !needs_escape(middle) && !needs_escape(end);
}

/* Sixteen bytes and more. */
static __attribute__((noinline)) size_t copy_long(const char *from, size_t len, char *to) {
  size_t last = len - 16;
  for (size_t at = 0; at < last; at += 16) {
    __m128i bytes = load16(from + at);
    store16(to + at, bytes);
    unsigned mask = escapes(bytes);
    if (mask) return at + (size_t)__builtin_ctz(mask);
  }
  __m128i bytes = load16(from + last);
  store16(to + last, bytes);
  unsigned mask = escapes(bytes);
  return mask ? last + (size_t)__builtin_ctz(mask) : len;
}

/* Copies until a byte that must be escaped; returns how many were good. Bytes behind them may be overwritten,
 * to len. Most names and values are short: they are copied where they are written. */
static inline size_t copy_plain(const char *from, size_t len, char *to) {
  if (len >= 16) return copy_long(from, len, to);
  if (copy_short(from, len, to)) return len;
  size_t good = 0;
  while (!needs_escape(from[good]))
    good++;
  return good;
}

#else

static inline size_t copy_plain(const char *from, size_t len, char *to) {
  size_t good = 0;
  for (; good < len && !needs_escape(from[good]); good++)
    to[good] = from[good];
  return good;
}

#endif
#endif
