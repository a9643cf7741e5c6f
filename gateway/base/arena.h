/*
 * arena.h - region allocator: everything made while a record passes lives in its arena and is freed whole.
 *
 * Growth is bounded by a cap given at birth; an allocation beyond it returns NULL, as does a failing malloc,
 * and the arena stays usable and consistent. Memory is aligned for any type. One thread at a time. Memory is
 * wiped before it goes back to the system: it may hold patients' data.
 */
#ifndef KETLINK_BASE_ARENA_H
#define KETLINK_BASE_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/status.h"
#include "base/str.h"

enum { ARENA_LINE = 64 /* bytes */ };

/* The members are private to arena.h and arena.c; they stand here so that the common case can be inlined. */
struct arena {
  char *at;  /* next free byte of the newest block */
  char *end; /* end of the newest block; equal to `at` when every allocation must take the slow path */
  struct arena_block *block;
  size_t cap, held;
  bool capped; /* something was refused because of the cap */
  bool plain;  /* nothing of a patient, and no secret: blocks go back as they are */
  unsigned long fail_at;
};

/* A point to come back to; see arena_rewind. */
struct arena_mark {
  void *block;
  size_t used;
  size_t total;
};

/* `cap` is in bytes, blocks included. NULL when there is no memory. */
struct arena *arena_new(size_t cap) MUST_USE;
/* For what is of no patient and no secret, such as compiled maps: it is given back without being wiped, which for a short command costs
   as much as some of its work. */
struct arena *arena_new_plain(size_t cap) MUST_USE;
/* NULL is allowed. */
void arena_free(struct arena *arena);
/* Forget everything but keep one block, wiped: for the next record. */
void arena_reset(struct arena *arena);

void *arena_alloc_slow(struct arena *arena, size_t size) MUST_USE;
/* Zeroed: unused memory of an arena is always zero, so this costs nothing. */
static inline void *MUST_USE arena_zalloc(struct arena *arena, size_t size) {
  if (size - 1 >= (size_t)(arena->end - arena->at)) return arena_alloc_slow(arena, size);
  void *bytes = arena->at;
  arena->at += (size + 15) & ~(size_t)15;
  return bytes;
}
/* Gives back the end of the newest allocation, whose size is `size` and becomes `kept`; any other stays as it is. */
void arena_shrink(struct arena *arena, void *bytes, size_t size, size_t kept);
/* The caller must set the bytes itself. */
static inline void *MUST_USE arena_alloc(struct arena *arena, size_t size) {
  return arena_zalloc(arena, size);
}
/* Zeroed, and from a line of the processor's cache on where that can be: for what is read over and over. */
static inline void *MUST_USE arena_line(struct arena *arena, size_t size) {
  size_t past = (size_t)((uintptr_t)arena->at % ARENA_LINE);
  if (past && arena->at != arena->end && !arena_zalloc(arena, ARENA_LINE - past)) return NULL;
  return arena_zalloc(arena, size);
}
/* count * size, overflow checked; zeroed. */
void *arena_calloc(struct arena *arena, size_t count, size_t size) MUST_USE;
#define ARENA_NEW(arena, type) ((type *)arena_zalloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_calloc((arena), (count), sizeof(type)))

/* Copies; the result is also NUL terminated. On failure ptr is NULL. */
struct str arena_str(struct arena *arena, struct str s) MUST_USE;
struct str arena_concat(struct arena *arena, struct str a, struct str b) MUST_USE;
/* a, the byte between them, b: "Type/id" without the cost of a format. */
struct str arena_join(struct arena *arena, struct str a, char between, struct str b) MUST_USE;
struct str arena_printf(struct arena *arena, const char *format, ...) MUST_USE
    __attribute__((format(printf, 2, 3)));
struct str arena_vprintf(struct arena *arena, const char *format, va_list args) MUST_USE
    __attribute__((format(printf, 2, 0)));

/* Scratch use: mark, allocate, rewind. What was allocated after the mark is gone. */
struct arena_mark arena_mark(const struct arena *arena);
void arena_rewind(struct arena *arena, struct arena_mark mark);

/* Bytes handed out since birth or reset and not rewound, alignment included. */
size_t arena_used(const struct arena *arena);
/* Bytes held from the system, at most the cap. */
size_t arena_held(const struct arena *arena);
/* Since birth or reset the cap has refused something: with more memory in the machine it would be refused again. */
bool arena_is_capped(const struct arena *arena);
/* Test hook: let the n-th allocation from now on fail (1 = the next), once; 0 turns it off. */
void arena_fail_at(struct arena *arena, unsigned long n);

#endif
