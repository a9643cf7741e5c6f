/*
 * good.c - codes that were found right before are right again: the few that a clinic's records use are told from a table in memory, instead
 * of from the code systems and value sets of the pack. Only what the definitions have is kept, so that no value of a patient is.
 */
#include "validation/internal.h"
#include "validation/words.h"

enum { LONGEST = 256 }; /* bytes of each text */

struct validation_good {
  const void *about;
  struct str system, code, display;
};

static uint64_t some_bytes(struct str text) {
  if (text.len < WORD) return text.len ? short_word(text) : 0;
  return word_at(text.ptr) * 31 ^ word_at(text.ptr + text.len - WORD);
}

static size_t slot_of(const void *about, struct str system, struct str code) {
  uint64_t hash = (uint64_t)(uintptr_t)about ^ (some_bytes(code) + code.len) * 0x9E3779B97F4A7C15u ^ (some_bytes(system) + system.len);
  return (size_t)(hash * 0x9E3779B97F4A7C15u >> 40) % VALIDATION_GOOD;
}

bool validation_is_good(const struct validation *validation, const void *about, struct str system, struct str code, struct str display) {
  const struct validation_good *good =
      atomic_load_explicit(&validation->good[slot_of(about, system, code)], memory_order_acquire);
  return good && good->about == about && str_eq(good->code, code) && str_eq(good->system, system) && str_eq(good->display, display);
}

static struct validation_good *make(struct arena *arena, const void *about, struct str system, struct str code, struct str display) {
  struct validation_good *good = ARENA_NEW(arena, struct validation_good);
  if (!good) return NULL;
  *good = (struct validation_good){about, arena_str(arena, system), arena_str(arena, code), arena_str(arena, display)};
  return good->system.ptr && good->code.ptr && good->display.ptr ? good : NULL;
}

/* The first that comes stays. */
void validation_keep_good(const struct validation *validation, const void *about, struct str system, struct str code,
                          struct str display) {
  struct validation *shared = (struct validation *)(uintptr_t)validation; /* its table, under its lock */
  _Atomic(const struct validation_good *) *slot = &shared->good[slot_of(about, system, code)];
  if (validation->plainly || atomic_load_explicit(slot, memory_order_relaxed)) return;
  if (system.len > LONGEST || code.len > LONGEST || display.len > LONGEST || pthread_mutex_trylock(&shared->lock) != 0) return;
  if (!atomic_load_explicit(slot, memory_order_relaxed))
    atomic_store_explicit(slot, make(shared->arena, about, system, code, display), memory_order_release);
  pthread_mutex_unlock(&shared->lock);
}
