/*
 * arena.c - blocks of zeroed memory, newest first; each allocation takes the next bytes of the newest block.
 *
 * Invariant: all bytes of a block behind `at` are zero. Fresh blocks come from calloc, and rewinding wipes
 * what it takes back, which patients' data asks for anyway; a plain arena wipes what it keeps, not what it
 * frees. Under the address sanitizer unused memory and a gap after each allocation are poisoned, so that an
 * overrun in an arena is seen like one on the heap.
 */
#include "base/arena.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
enum { ARENA_GAP = 16 };
#else
#define ASAN_POISON_MEMORY_REGION(ptr, size) ((void)(ptr), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(ptr, size) ((void)(ptr), (void)(size))
enum { ARENA_GAP = 0 };
#endif

enum { ALIGN = 16, BLOCK_FIRST = 16 << 10, BLOCK_MAX = 1 << 20 };

struct arena_block {
  struct arena_block *previous;
  size_t size; /* of the bytes that follow */
  size_t used; /* set when a newer block is begun */
  size_t unused;
};
_Static_assert(sizeof(struct arena_block) % ALIGN == 0, "bytes after the header are aligned");

static char *block_bytes(struct arena_block *block) {
  return (char *)(block + 1);
}

struct arena *arena_new(size_t cap) {
  struct arena *arena = calloc(1, sizeof *arena);
  if (arena) arena->cap = cap;
  return arena;
}

struct arena *arena_new_plain(size_t cap) {
  struct arena *arena = arena_new(cap);
  if (arena) arena->plain = true;
  return arena;
}

/* The sanitizer and the test hook want to see every allocation. */
static bool always_slow(const struct arena *arena) {
  return ARENA_GAP != 0 || arena->fail_at != 0;
}

static void use_block(struct arena *arena, struct arena_block *block, size_t used) {
  arena->block = block;
  arena->at = block ? block_bytes(block) + used : NULL;
  arena->end = !block || always_slow(arena) ? arena->at : block_bytes(block) + block->size;
}

/* Wipes the bytes of `block` from `from` to `to`. */
static void wipe(struct arena_block *block, size_t from, size_t to) {
  ASAN_UNPOISON_MEMORY_REGION(block_bytes(block) + from, to - from);
  if (to > from) explicit_bzero(block_bytes(block) + from, to - from);
}

static void block_free(struct arena *arena, struct arena_block *block, size_t used) {
  arena->held -= sizeof *block + block->size;
  if (!arena->plain) wipe(block, 0, used);
  ASAN_UNPOISON_MEMORY_REGION(block_bytes(block), block->size);
  free(block);
}

static size_t used_now(const struct arena *arena) {
  return arena->block ? (size_t)(arena->at - block_bytes(arena->block)) : 0;
}

void arena_free(struct arena *arena) {
  if (!arena) return;
  arena_rewind(arena, (struct arena_mark){0});
  free(arena);
}

/* Frees all blocks but the largest that is worth keeping, which a long run then works in. */
void arena_reset(struct arena *arena) {
  struct arena_block *kept = NULL;
  size_t used = used_now(arena);
  for (struct arena_block *block = arena->block, *previous; block; block = previous) {
    previous = block->previous;
    size_t in_block = block == arena->block ? used : block->used;
    if (block->size > BLOCK_MAX || (kept && block->size <= kept->size)) {
      block_free(arena, block, in_block);
      continue;
    }
    if (kept) block_free(arena, kept, 0);
    wipe(block, 0, in_block);
    ASAN_POISON_MEMORY_REGION(block_bytes(block), block->size);
    kept = block;
  }
  if (kept) kept->previous = NULL;
  arena->capped = false;
  use_block(arena, kept, 0);
}

/* A block with room for `need` bytes: twice the last one, less when the cap asks for it. */
static struct arena_block *block_new(struct arena *arena, size_t need) {
  size_t size = arena->block ? arena->block->size * 2 : BLOCK_FIRST;
  if (size > BLOCK_MAX) size = BLOCK_MAX;
  if (size < need) size = need;
  size_t left = arena->cap > arena->held ? arena->cap - arena->held : 0;
  left = left < sizeof(struct arena_block) ? 0 : (left - sizeof(struct arena_block)) & ~(size_t)(ALIGN - 1);
  if (size > left) size = left;
  if (size < need) {
    arena->capped = true;
    return NULL;
  }
  struct arena_block *block = calloc(1, sizeof *block + size);
  if (!block) return NULL;
  block->size = size;
  arena->held += sizeof *block + size;
  ASAN_POISON_MEMORY_REGION(block_bytes(block), size);
  return block;
}

static bool hook_fails(struct arena *arena) {
  if (arena->fail_at == 0 || --arena->fail_at != 0) return false;
  if (arena->block) use_block(arena, arena->block, used_now(arena));
  return true;
}

static size_t taken_by(size_t size) {
  return ((size + ALIGN - 1) & ~(size_t)(ALIGN - 1)) + ARENA_GAP;
}

void *arena_alloc_slow(struct arena *arena, size_t size) {
  if (hook_fails(arena)) return NULL;
  if (size == 0) size = 1;
  if (size > SIZE_MAX / 2) return NULL;
  size_t need = taken_by(size);
  size_t used = used_now(arena);
  if (!arena->block || need > arena->block->size - used) {
    struct arena_block *block = block_new(arena, need);
    if (!block) return NULL;
    block->previous = arena->block;
    if (arena->block) arena->block->used = used;
    use_block(arena, block, 0);
  }
  char *bytes = arena->at;
  arena->at += need;
  if (always_slow(arena)) arena->end = arena->at;
  ASAN_UNPOISON_MEMORY_REGION(bytes, size);
  return bytes;
}

void arena_shrink(struct arena *arena, void *bytes, size_t size, size_t kept) {
  char *at = bytes;
  if (kept >= size || at + taken_by(size) != arena->at) return;
  memset(at + kept, 0, size - kept);
  arena->at = kept ? at + taken_by(kept) : at;
  if (always_slow(arena)) arena->end = arena->at;
  ASAN_POISON_MEMORY_REGION(at + kept, size - kept);
}

void *arena_calloc(struct arena *arena, size_t count, size_t size) {
  size_t total;
  if (__builtin_mul_overflow(count, size, &total)) return NULL;
  return arena_zalloc(arena, total);
}

struct str arena_concat(struct arena *arena, struct str a, struct str b) {
  size_t len;
  if (__builtin_add_overflow(a.len, b.len, &len) || len == SIZE_MAX) return (struct str){0};
  char *bytes = arena_alloc(arena, len + 1);
  if (!bytes) return (struct str){0};
  if (a.len) memcpy(bytes, a.ptr, a.len);
  if (b.len) memcpy(bytes + a.len, b.ptr, b.len);
  bytes[len] = '\0';
  return (struct str){bytes, len};
}

struct str arena_str(struct arena *arena, struct str s) {
  return arena_concat(arena, s, (struct str){0});
}

struct str arena_join(struct arena *arena, struct str a, char between, struct str b) {
  size_t len;
  if (__builtin_add_overflow(a.len, b.len, &len) || len >= SIZE_MAX - 1) return (struct str){0};
  char *bytes = arena_alloc(arena, len + 2);
  if (!bytes) return (struct str){0};
  if (a.len) memcpy(bytes, a.ptr, a.len);
  bytes[a.len] = between;
  if (b.len) memcpy(bytes + a.len + 1, b.ptr, b.len);
  bytes[len + 1] = '\0';
  return (struct str){bytes, len + 1};
}

/* What is short is formatted once. */
struct str arena_vprintf(struct arena *arena, const char *format, va_list args) {
  char small[256];
  va_list again;
  va_copy(again, args);
  int len = vsnprintf(small, sizeof small, format, args);
  char *bytes = len < 0 ? NULL : arena_alloc(arena, (size_t)len + 1);
  if (bytes && (size_t)len < sizeof small)
    memcpy(bytes, small, (size_t)len + 1);
  else if (bytes)
    (void)vsnprintf(bytes, (size_t)len + 1, format, again);
  va_end(again);
  return bytes ? (struct str){bytes, (size_t)len} : (struct str){0};
}

struct str arena_printf(struct arena *arena, const char *format, ...) {
  va_list args;
  va_start(args, format);
  struct str text = arena_vprintf(arena, format, args);
  va_end(args);
  return text;
}

struct arena_mark arena_mark(const struct arena *arena) {
  return (struct arena_mark){arena->block, used_now(arena), arena->held};
}

void arena_rewind(struct arena *arena, struct arena_mark mark) {
  size_t used = used_now(arena);
  while (arena->block && arena->block != mark.block) {
    struct arena_block *previous = arena->block->previous;
    block_free(arena, arena->block, used);
    arena->block = previous;
    used = previous ? previous->used : 0;
  }
  assert(arena->block == mark.block && mark.used <= used && "the mark is of this arena and not yet rewound");
  if (arena->block) {
    wipe(arena->block, mark.used, used);
    ASAN_POISON_MEMORY_REGION(block_bytes(arena->block) + mark.used, arena->block->size - mark.used);
  }
  use_block(arena, arena->block, mark.used);
}

size_t arena_used(const struct arena *arena) {
  size_t used = used_now(arena);
  if (!arena->block) return 0;
  for (const struct arena_block *block = arena->block->previous; block; block = block->previous)
    used += block->used;
  return used;
}

size_t arena_held(const struct arena *arena) {
  return arena->held;
}

bool arena_is_capped(const struct arena *arena) {
  return arena->capped;
}

void arena_fail_at(struct arena *arena, unsigned long n) {
  arena->fail_at = n;
  use_block(arena, arena->block, used_now(arena));
}
