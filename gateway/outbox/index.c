/* index.c - where the newest of something are that a tree takes together, by their marks, in memory (dedupe.c, rows.c). */
#include "outbox/internal.h"

static uint64_t begin_of(const unsigned char mark[MARK_BYTES]) {
  uint64_t begin = 0;
  memcpy(&begin, mark, sizeof begin);
  return begin;
}

void outbox_index_add(struct outbox_index *index, const unsigned char mark[MARK_BYTES], int64_t row) {
  uint64_t begin = begin_of(mark);
  size_t at = begin % INDEX_SLOTS;
  while (index->slots[at].row)
    at = (at + 1) % INDEX_SLOTS;
  index->slots[at].begin = begin;
  index->slots[at].row = row;
  index->count++;
}

int64_t outbox_index_next(const struct outbox_index *index, const unsigned char mark[MARK_BYTES], size_t *steps) {
  uint64_t begin = begin_of(mark);
  size_t at = (begin + *steps) % INDEX_SLOTS;
  while (index->slots[at].row && index->slots[at].begin != begin) {
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
