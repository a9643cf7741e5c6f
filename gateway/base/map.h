/*
 * map.h - hash table from a byte string to a pointer, in an arena; insertion order is kept. Keys are views
 * and must outlive the map. For tables that are built once and then read by many threads. Keys may be hostile: which of them share
 * a slot differs from run to run, and nothing that can be seen depends on it.
 */
#ifndef KETLINK_BASE_MAP_H
#define KETLINK_BASE_MAP_H

#include "base/arena.h"
#include "base/str.h"

struct map_entry {
  struct str key;
  void *value;
};

struct map {
  struct arena *arena;
  uint64_t key;              /* of the hashes */
  uint64_t seen;             /* a bit for each key's length and ends: most of what is not there is told by it */
  struct map_entry *entries; /* in insertion order */
  size_t count, room;
  uint32_t *slots; /* index + 1, 0 = free */
  size_t slot_count;
};

void map_init(struct map *map, struct arena *arena);
/* STATUS_CONFLICT when the key is there already (nothing changes), NOMEM. */
enum status map_put(struct map *map, struct str key, void *value) MUST_USE;
void *map_get(const struct map *map, struct str key);
/* The key with the least edit distance, at most 3 and less than half its length; empty view if none: "did you
 * mean". */
struct str map_nearest(const struct map *map, struct str key);

#endif
