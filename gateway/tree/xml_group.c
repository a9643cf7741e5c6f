/* xml_group.c - brings siblings of one name together: XML may have them apart, the tree may not. */
#include "tree/internal.h"

#include <stdlib.h>

struct entry {
  struct tree_node *node;
  size_t index; /* among the siblings */
  size_t first; /* index of the first of this name */
};

/* By name (length, then bytes), then place. */
static int by_name(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  struct str m = x->node->name, n = y->node->name;
  if (m.len != n.len) return m.len < n.len ? -1 : 1;
  int order = m.len ? memcmp(m.ptr, n.ptr, m.len) : 0;
  return order ? order : (x->index > y->index) - (x->index < y->index);
}

static int by_first(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  if (x->first != y->first) return x->first < y->first ? -1 : 1;
  return (x->index > y->index) - (x->index < y->index);
}

bool tree_xml_group(struct tree_node *parent, struct arena *arena) {
  struct arena_mark mark = arena_mark(arena);
  size_t count = 0;
  for (const struct tree_node *node = parent->child; node; node = node->next)
    count++;
  struct entry *entries = ARENA_ARRAY(arena, struct entry, count);
  if (!entries) return false;
  count = 0;
  for (struct tree_node *node = parent->child; node; node = node->next, count++)
    entries[count] = (struct entry){node, count, count};
  qsort(entries, count, sizeof *entries, by_name);
  for (size_t i = 1; i < count; i++)
    if (str_eq(entries[i].node->name, entries[i - 1].node->name)) entries[i].first = entries[i - 1].first;
  qsort(entries, count, sizeof *entries, by_first);
  parent->child = parent->last = NULL;
  for (size_t i = 0; i < count; i++) {
    struct tree_node *node = entries[i].node;
    if (parent->last)
      parent->last->next = node;
    else
      parent->child = node;
    parent->last = node;
    node->next = NULL;
  }
  arena_rewind(arena, mark);
  return true;
}
