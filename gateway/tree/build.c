/* build.c - making and changing trees. */
#include "tree/internal.h"

struct tree_node *tree_new(struct arena *arena, enum tree_kind kind, struct str name) {
  struct tree_node *node = ARENA_NEW(arena, struct tree_node);
  if (!node) return NULL;
  node->kind = (uint8_t)kind;
  node->name = name;
  return node;
}

/* After `before`, or first when that is NULL. */
static void insert_after(struct tree_node *parent, struct tree_node *before, struct tree_node *child) {
  child->parent = parent;
  child->next = before ? before->next : parent->child;
  if (before) {
    before->next = child;
  } else {
    parent->child = child;
  }
  if (!child->next) parent->last = child;
}

void tree_append(struct tree_node *parent, struct tree_node *child) {
  insert_after(parent, parent->last, child);
}

void tree_insert_ordered(struct tree_node *parent, struct tree_node *child) {
  struct tree_node *before = parent->last;
  if (before && before->order > child->order) {
    before = NULL;
    for (struct tree_node *node = parent->child; node; node = node->next) {
      if (node->order <= child->order) before = node;
    }
  }
  insert_after(parent, before, child);
}

void tree_remove(struct tree_node *child) {
  struct tree_node *parent = child->parent, *before = NULL;
  if (!parent) return;
  for (struct tree_node *node = parent->child; node != child; node = node->next)
    before = node;
  if (before) {
    before->next = child->next;
  } else {
    parent->child = child->next;
  }
  if (parent->last == child) parent->last = before;
  child->next = NULL;
  child->parent = NULL;
}

static struct tree_node *copy_one(const struct tree_node *node, struct arena *arena) {
  struct tree_node *copy = arena_alloc(arena, sizeof *copy);
  if (!copy) return NULL;
  *copy = *node;
  copy->next = copy->child = copy->last = copy->parent = NULL;
  return copy;
}

/* Without recursion: `to` follows `from` down and up by the parents. */
struct tree_node *tree_copy(const struct tree_node *node, struct arena *arena) {
  struct tree_node *root = copy_one(node, arena);
  struct tree_node *to = root;
  const struct tree_node *from = node;
  while (to && from) {
    const struct tree_node *next = from->child;
    struct tree_node *parent = to;
    while (!next && from != node) {
      next = from->next;
      parent = parent->parent;
      if (!next) from = from->parent;
    }
    if (!next) return root;
    to = copy_one(next, arena);
    if (to) tree_append(parent, to);
    from = next;
  }
  return NULL;
}
