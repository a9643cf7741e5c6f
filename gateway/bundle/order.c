/* order.c - dependency order: Tarjan's strongly connected components without recursion, linear in entries and
 * references. */
#include <stdlib.h>
#include "bundle/internal.h"

enum status bundle_graph_init(struct bundle_graph *graph, size_t count, struct arena *arena) {
  *graph = (struct bundle_graph){.arena = arena, .count = count};
  graph->first = ARENA_ARRAY(arena, size_t, count + 1);
  return graph->first ? STATUS_OK : STATUS_NOMEM;
}

static bool grow(struct bundle_graph *graph) {
  size_t room = graph->room ? graph->room * 2 : 64;
  uint32_t *targets = ARENA_ARRAY(graph->arena, uint32_t, room), *places = ARENA_ARRAY(graph->arena, uint32_t, room);
  if (!targets || !places) return false;
  if (graph->edges) {
    memcpy(targets, graph->targets, graph->edges * sizeof *targets);
    memcpy(places, graph->places, graph->edges * sizeof *places);
  }
  graph->targets = targets;
  graph->places = places;
  graph->room = room;
  return true;
}

enum status bundle_graph_add(struct bundle_graph *graph, size_t target, size_t place) {
  if (graph->edges == graph->room && !grow(graph)) return STATUS_NOMEM;
  graph->targets[graph->edges] = (uint32_t)target;
  graph->places[graph->edges++] = (uint32_t)place;
  return STATUS_OK;
}

struct walk {
  const struct bundle_graph *graph;
  struct bundle_order *out;
  uint32_t *index; /* order of discovery + 1; 0 = not seen */
  uint32_t *low;
  bool *open;      /* on the component stack */
  uint32_t *stack; /* component stack */
  uint32_t *path;  /* the way from the root of this search */
  size_t *next;    /* per entry: next edge to look at */
  size_t stacked, depth, emitted;
  uint32_t counter;
};

static enum status walk_init(struct walk *walk, const struct bundle_graph *graph, struct arena *arena,
                             struct bundle_order *out) {
  size_t room = graph->count + 1;
  *walk = (struct walk){.graph = graph, .out = out};
  walk->index = ARENA_ARRAY(arena, uint32_t, room);
  walk->low = ARENA_ARRAY(arena, uint32_t, room);
  walk->open = ARENA_ARRAY(arena, bool, room);
  walk->stack = ARENA_ARRAY(arena, uint32_t, room);
  walk->path = ARENA_ARRAY(arena, uint32_t, room);
  walk->next = ARENA_ARRAY(arena, size_t, room);
  out->sequence = ARENA_ARRAY(arena, uint32_t, room);
  out->group_ends = ARENA_ARRAY(arena, size_t, room);
  bool all = walk->index && walk->low && walk->open && walk->stack && walk->path && walk->next;
  return all && out->sequence && out->group_ends ? STATUS_OK : STATUS_NOMEM;
}

static void enter(struct walk *walk, uint32_t entry) {
  walk->index[entry] = walk->low[entry] = ++walk->counter;
  walk->next[entry] = walk->graph->first[entry];
  walk->stack[walk->stacked++] = entry;
  walk->open[entry] = true;
  walk->path[walk->depth++] = entry;
}

static int by_number(const void *a, const void *b) {
  uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
  return left < right ? -1 : left > right;
}

/* The component that `entry` roots is complete: everything it refers to has been emitted. */
static void emit(struct walk *walk, uint32_t entry) {
  size_t from = walk->emitted;
  uint32_t member;
  do {
    member = walk->stack[--walk->stacked];
    walk->open[member] = false;
    walk->out->sequence[walk->emitted++] = member;
  } while (member != entry);
  qsort(walk->out->sequence + from, walk->emitted - from, sizeof(uint32_t), by_number);
  walk->out->group_ends[walk->out->group_count++] = walk->emitted;
}

static void leave(struct walk *walk, uint32_t entry) {
  walk->depth--;
  if (walk->low[entry] == walk->index[entry]) emit(walk, entry);
  if (walk->depth == 0) return;
  uint32_t parent = walk->path[walk->depth - 1];
  if (walk->low[entry] < walk->low[parent]) walk->low[parent] = walk->low[entry];
}

static void search(struct walk *walk, uint32_t root) {
  const struct bundle_graph *graph = walk->graph;
  enter(walk, root);
  while (walk->depth) {
    uint32_t entry = walk->path[walk->depth - 1];
    if (walk->next[entry] == graph->first[entry + 1]) {
      leave(walk, entry);
      continue;
    }
    uint32_t target = graph->targets[walk->next[entry]++];
    if (!walk->index[target])
      enter(walk, target);
    else if (walk->open[target] && walk->index[target] < walk->low[entry])
      walk->low[entry] = walk->index[target];
  }
}

enum status bundle_order_make(const struct bundle_graph *graph, struct arena *arena,
                              struct bundle_order *out) {
  struct walk walk;
  *out = (struct bundle_order){0};
  enum status status = walk_init(&walk, graph, arena, out);
  if (status != STATUS_OK) return status;
  for (uint32_t i = 0; i < graph->count; i++)
    if (!walk.index[i]) search(&walk, i);
  return STATUS_OK;
}
