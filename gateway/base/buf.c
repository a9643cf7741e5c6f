/* buf.c - growable bytes with a cap; the first failure sticks. */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

void buf_init(struct buf *buf, size_t max) {
  *buf = (struct buf){.max = max};
}

/* One byte less than there is: printf ends its text with a NUL. */
void buf_init_over(struct buf *buf, char *at, size_t room) {
  *buf = (struct buf){.ptr = at, .room = room, .max = room - 1};
}

void buf_release(struct buf *buf) {
  if (buf->ptr) {
    explicit_bzero(buf->ptr, buf->room);
    free(buf->ptr);
  }
  *buf = (struct buf){.max = buf->max};
}

void buf_reset(struct buf *buf) {
  buf->len = 0;
  buf->error = STATUS_OK;
}

/* Not realloc: it would leave the old bytes unwiped. One byte more than the cap, so that text can be
 * terminated. */
static bool grow(struct buf *buf, size_t need) {
  size_t room = buf->room ? buf->room : 256;
  while (room < need)
    room = room > SIZE_MAX / 2 ? need : room * 2;
  char *bytes = malloc(room);
  if (!bytes) {
    buf->error = STATUS_NOMEM;
    return false;
  }
  if (buf->len) memcpy(bytes, buf->ptr, buf->len);
  if (buf->ptr) {
    explicit_bzero(buf->ptr, buf->len);
    free(buf->ptr);
  }
  buf->ptr = bytes;
  buf->room = room;
  return true;
}

bool buf_reserve(struct buf *buf, size_t more) {
  if (buf->error) return false;
  if (more > buf->max || buf->len > buf->max - more) {
    buf->error = STATUS_LIMIT;
    return false;
  }
  return buf->len + more <= buf->room || grow(buf, buf->len + more);
}

void buf_add(struct buf *buf, const char *ptr, size_t len) {
  if (len == 0 || !buf_reserve(buf, len)) return;
  memcpy(buf->ptr + buf->len, ptr, len);
  buf->len += len;
}

void buf_add_str(struct buf *buf, struct str s) {
  buf_add(buf, s.ptr, s.len);
}

void buf_add_text(struct buf *buf, const char *text) {
  buf_add(buf, text, strlen(text));
}

void buf_add_char(struct buf *buf, char c) {
  if (!buf_reserve(buf, 1)) return;
  buf->ptr[buf->len++] = c;
}

void buf_printf(struct buf *buf, const char *format, ...) {
  char small[256];
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int len = vsnprintf(small, sizeof small, format, args);
  if (len >= 0 && (size_t)len < sizeof small) {
    buf_add(buf, small, (size_t)len);
  } else if (len >= 0) {
    size_t room = (size_t)len + 1; /* vsnprintf writes a NUL, which then is given up again */
    size_t max = buf->max;
    if (max < SIZE_MAX) buf->max++;
    if (buf_reserve(buf, room)) {
      (void)vsnprintf(buf->ptr + buf->len, room, format, again);
      buf->len += (size_t)len;
    }
    buf->max = max;
  }
  va_end(again);
  va_end(args);
}

/* --- JSON strings --- */

/* 0: as it is; 'u': \u00xx; else the letter after the backslash. */
static char escape_of(unsigned char c) {
  switch (c) {
  case '"':
    return '"';
  case '\\':
    return '\\';
  case '\b':
    return 'b';
  case '\f':
    return 'f';
  case '\n':
    return 'n';
  case '\r':
    return 'r';
  case '\t':
    return 't';
  default:
    return c < 0x20 ? 'u' : 0;
  }
}

static void add_escape(struct buf *buf, unsigned char c) {
  static const char hex[] = "0123456789abcdef";
  char letter = escape_of(c);
  char bytes[6] = {'\\', letter, '0', '0', hex[c >> 4], hex[c & 15]};
  buf_add(buf, bytes, letter == 'u' ? 6 : 2);
}

/* Number of leading bytes that need no escape. */
static size_t plain_run(const char *ptr, size_t len) {
  size_t at = 0;
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x1F);
  for (; len - at >= 16; at += 16) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(ptr + at));
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes);
    __m128i hit = _mm_or_si128(low, _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash)));
    unsigned mask = (unsigned)_mm_movemask_epi8(hit);
    if (mask) return at + (size_t)__builtin_ctz(mask);
  }
#endif
  while (at < len && !escape_of((unsigned char)ptr[at]))
    at++;
  return at;
}

void buf_add_json(struct buf *buf, struct str s) {
  buf_add_char(buf, '"');
  size_t at = 0;
  while (at < s.len && !buf->error) {
    size_t run = plain_run(s.ptr + at, s.len - at);
    buf_add(buf, s.ptr + at, run);
    at += run;
    if (at < s.len) add_escape(buf, (unsigned char)s.ptr[at++]);
  }
  buf_add_char(buf, '"');
}

struct str buf_take_str(const struct buf *buf, struct arena *arena) {
  if (buf->error) return (struct str){0};
  return arena_str(arena, buf_str(buf));
}
