/*
 * buf.h - growable bytes with a mandatory cap.
 *
 * Adding never fails visibly: the first failure (cap or memory) is kept in `error`, later additions do
 * nothing, and the caller looks once at the end. The bytes belong to the buffer until buf_release;
 * buf_take_str copies them to an arena.
 */
#ifndef KETLINK_BASE_BUF_H
#define KETLINK_BASE_BUF_H

#include <stdarg.h>
#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

struct buf {
  char *ptr;
  size_t len;
  size_t room;       /* allocated */
  size_t max;        /* cap on len */
  enum status error; /* STATUS_OK, STATUS_LIMIT or STATUS_NOMEM */
};

void buf_init(struct buf *buf, size_t max);
/* Over `room` bytes of the caller's, at least 1: the cap is one less. It needs no memory, and is not released. */
void buf_init_over(struct buf *buf, char *at, size_t room);
/* Wipes and frees. */
void buf_release(struct buf *buf);
/* Length back to 0, memory kept, error cleared. */
void buf_reset(struct buf *buf);
/* Room for `more` bytes at ptr + len without another check; false on cap or memory. */
bool buf_reserve(struct buf *buf, size_t more);
void buf_add(struct buf *buf, const char *ptr, size_t len);
void buf_add_str(struct buf *buf, struct str s);
void buf_add_text(struct buf *buf, const char *text);
void buf_add_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One JSON string literal, quotes included: what RFC 8259 asks to be escaped is escaped, all else stays UTF-8. */
void buf_add_json(struct buf *buf, struct str s);
static inline struct str buf_str(const struct buf *buf) {
  return (struct str){buf->ptr, buf->len};
}
/* A copy in the arena; ptr NULL when the buffer has an error or the arena is full. */
struct str buf_take_str(const struct buf *buf, struct arena *arena) MUST_USE;

#endif
