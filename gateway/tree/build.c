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
  parent->lacks = tree_lacks_but(parent->lacks, child);
  child->next = before ? before->next : parent->child;
  if (before) {
    before->next = child;
  } else {
    parent->child = child;
  }
  if (!child->next) parent->last = child;
}

void tree_insert_among(struct tree_node *parent, struct tree_node *child) {
  struct tree_node *before = NULL;
  for (struct tree_node *node = parent->child; node; node = node->next) {
    if (node->order <= child->order) before = node;
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

/* --- into the order of the definitions --- */

/* Two ordered lists into one; of equals the first list's come first. */
static struct tree_node *merge(struct tree_node *a, struct tree_node *b) {
  struct tree_node head = {0}, *last = &head;
  while (a && b) {
    struct tree_node **from = b->order < a->order ? &b : &a;
    last->next = *from;
    last = *from;
    *from = last->next;
  }
  last->next = a ? a : b;
  return head.next;
}

/* Bins of 1, 2, 4 … nodes; an earlier bin holds later nodes. */
static struct tree_node *sort(struct tree_node *list) {
  struct tree_node *bins[32] = {0}, *sorted = NULL;
  while (list) {
    struct tree_node *run = list;
    size_t bin = 0;
    list = list->next;
    run->next = NULL;
    for (; bins[bin]; bin++) {
      run = merge(bins[bin], run);
      bins[bin] = NULL;
    }
    bins[bin] = run;
  }
  for (size_t bin = 0; bin < sizeof bins / sizeof *bins; bin++)
    sorted = merge(bins[bin], sorted);
  return sorted;
}

static bool in_order(const struct tree_node *node) {
  for (; node && node->next; node = node->next)
    if (node->next->order < node->order) return false;
  return true;
}

void tree_sort(struct tree_node *root) {
  for (struct tree_node *node = root; node; node = tree_following(root, node)) {
    if (in_order(node->child)) continue;
    node->child = sort(node->child);
    for (node->last = node->child; node->last->next;)
      node->last = node->last->next;
  }
}
