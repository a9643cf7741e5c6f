/* tree.c - walking. */
#include "tree/internal.h"

static struct tree_node *skip_meta(struct tree_node *node) {
  while (node && tree_is_meta(node))
    node = node->next;
  return node;
}

struct tree_node *tree_first(const struct tree_node *node) {
  return skip_meta(node->child);
}

struct tree_node *tree_next(const struct tree_node *node) {
  return skip_meta(node->next);
}

struct tree_node *tree_find_str(const struct tree_node *node, struct str name) {
  struct tree_node *child = node->child;
  while (child && !str_eq(child->name, name))
    child = child->next;
  return child;
}

struct tree_node *tree_find(const struct tree_node *node, const char *name) {
  return tree_find_str(node, str_of(name));
}

struct tree_node *tree_next_same(const struct tree_node *node) {
  return node->next && str_eq(node->next->name, node->name) ? node->next : NULL;
}

struct str tree_text(const struct tree_node *node, const char *name) {
  const struct tree_node *child = tree_find(node, name);
  return child ? child->text : (struct str){0};
}

static bool same_shape(const struct tree_node *a, const struct tree_node *b) {
  return a->kind == b->kind && str_eq(a->text, b->text) && !a->child == !b->child;
}

/* Without recursion: both trees are walked in step. */
bool tree_equal(const struct tree_node *a, const struct tree_node *b) {
  const struct tree_node *x = a, *y = b;
  if (!same_shape(a, b)) return false;
  for (;;) {
    const struct tree_node *next_x = tree_following(a, x), *next_y = tree_following(b, y);
    if (!next_x || !next_y) return !next_x && !next_y;
    bool same_level = !next_x->next == !next_y->next;
    if (!same_level || !str_eq(next_x->name, next_y->name) || !same_shape(next_x, next_y)) return false;
    x = next_x;
    y = next_y;
  }
}
