/* index.c - where the newest of something are that a tree takes together, by keys made of their marks, in memory (dedupe.c, rows.c). */
#include <stdlib.h>
#include "outbox/internal.h"

uint64_t outbox_index_key(const unsigned char mark[MARK_BYTES]) {
  uint64_t key = 0;
  for (size_t i = 0; i < sizeof key; i++)
    key = key << 8 | mark[i];
  return key;
}

void outbox_index_add(struct outbox_index *index, uint64_t key, int64_t row) {
  size_t at = key % INDEX_SLOTS;
  while (index->slots[at].row)
    at = (at + 1) % INDEX_SLOTS;
  index->slots[at].key = key;
  index->slots[at].row = row;
  index->count++;
}

int64_t outbox_index_next(const struct outbox_index *index, uint64_t key, size_t *steps) {
  size_t at = (key + *steps) % INDEX_SLOTS;
  while (index->slots[at].row && index->slots[at].key != key) {
    at = (at + 1) % INDEX_SLOTS;
    ++*steps;
  }
  ++*steps;
  return index->slots[at].row;
}

void outbox_index_clear(struct outbox_index *index, int64_t settled) {
  memset(index, 0, sizeof *index);
  index->settled = settled;
  index->known = true;
}

static int by_key(const void *a, const void *b) {
  const struct outbox_slot *one = a, *other = b;
  int64_t left = (int64_t)one->key, right = (int64_t)other->key;
  return left != right ? (left > right) - (left < right) : (one->row > other->row) - (one->row < other->row);
}

void outbox_index_sort(struct outbox_index *index) {
  size_t used = 0;
  for (size_t i = 0; i < INDEX_SLOTS; i++)
    if (index->slots[i].row) index->slots[used++] = index->slots[i];
  index->known = false;
  qsort(index->slots, used, sizeof index->slots[0], by_key);
}
