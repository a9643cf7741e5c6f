/* map.c - open addressing over an array of entries in insertion order. */
#include "base/map.h"

/* Where the arena lies is another place in each run, by the kernel's random layout, and told to nobody. Without a key a Bundle of
   100,000 chosen fullUrls took minutes. */
void map_init(struct map *map, struct arena *arena) {
  *map = (struct map){.arena = arena, .key = (uintptr_t)arena};
}

static inline uint64_t bit_of(struct str key) {
  unsigned ends = key.len ? (unsigned char)key.ptr[0] * 5u + (unsigned char)key.ptr[key.len - 1] : 0;
  return (uint64_t)1 << ((ends + key.len * 11) & 63);
}

/* The slot where key stands or would stand. */
static size_t slot_of(const struct map *map, struct str key) {
  size_t mask = map->slot_count - 1;
  size_t at = (size_t)str_hash_keyed(key, map->key) & mask;
  while (map->slots[at] && !str_eq(map->entries[map->slots[at] - 1].key, key))
    at = (at + 1) & mask;
  return at;
}

static enum status grow(struct map *map) {
  size_t room = map->room ? map->room * 2 : 8;
  if (room > UINT32_MAX / 2) return STATUS_LIMIT;
  struct map_entry *entries = ARENA_ARRAY(map->arena, struct map_entry, room);
  uint32_t *slots = ARENA_ARRAY(map->arena, uint32_t, room * 2);
  if (!entries || !slots) return STATUS_NOMEM;
  if (map->count) memcpy(entries, map->entries, map->count * sizeof *entries);
  map->entries = entries;
  map->slots = slots;
  map->room = room;
  map->slot_count = room * 2;
  for (size_t i = 0; i < map->count; i++)
    slots[slot_of(map, entries[i].key)] = (uint32_t)(i + 1);
  return STATUS_OK;
}

enum status map_put(struct map *map, struct str key, void *value) {
  if (map->slot_count && map->slots[slot_of(map, key)]) return STATUS_CONFLICT;
  if (map->count == map->room) {
    enum status status = grow(map);
    if (status) return status;
  }
  map->seen |= bit_of(key);
  map->entries[map->count] = (struct map_entry){key, value};
  map->slots[slot_of(map, key)] = (uint32_t)++map->count;
  return STATUS_OK;
}

void *map_get(const struct map *map, struct str key) {
  if (!(map->seen & bit_of(key))) return NULL;
  uint32_t index = map->slots[slot_of(map, key)];
  return index ? map->entries[index - 1].value : NULL;
}

struct str map_nearest(const struct map *map, struct str key) {
  struct str_nearest nearest = {.word = key};
  for (size_t i = 0; i < map->count; i++)
    str_nearest_offer(&nearest, map->entries[i].key);
  return nearest.best;
}
