/* arenas.c - memory that was used a moment ago is near; what comes anew from the system is not, and costs as much again as to fill it. */
#include "relay/internal.h"

struct arena *relay_arenas_take(struct relay_arenas *arenas, size_t cap) {
  return arenas->count && arenas->cap == cap ? arenas->idle[--arenas->count] : arena_new(cap);
}

/* Memory of a large record goes back to the system: that of many would be kept. */
void relay_arenas_give(struct relay_arenas *arenas, struct arena *arena) {
  if (!arena) return;
  arena_reset(arena);
  if (!arenas->count) arenas->cap = arena->cap;
  if (arenas->count < arenas->most && arenas->cap == arena->cap && arena_held(arena) <= arenas->most_bytes)
    arenas->idle[arenas->count++] = arena;
  else
    arena_free(arena);
}

void relay_arenas_free(struct relay_arenas *arenas) {
  while (arenas->count)
    arena_free(arenas->idle[--arenas->count]);
}
