/* path.c - the path of a node from its root, for messages. */
#include "tree/internal.h"

/* Which of the siblings of its name it is. */
static size_t index_of(const struct tree_node *node) {
  size_t index = 0;
  if (!node->parent) return 0;
  for (const struct tree_node *sibling = node->parent->child; sibling != node; sibling = sibling->next) {
    if (str_eq(sibling->name, node->name)) index++;
  }
  return index;
}

static void add_step(struct buf *out, const struct tree_node *node, bool indices) {
  if (node->name.len) {
    if (out->len) buf_add_char(out, '.');
    buf_add_str(out, node->name);
  }
  if (indices && (node->flags & TREE_IN_ARRAY)) buf_printf(out, "[%zu]", index_of(node));
}

static struct str path(const struct tree_node *node, struct str root, struct arena *arena, bool indices) {
  const struct tree_node *steps[TREE_DEPTH_MAX];
  size_t count = 0;
  struct buf out;
  for (; node->parent && count < TREE_DEPTH_MAX; node = node->parent)
    steps[count++] = node;
  buf_init(&out, (size_t)1 << 20);
  buf_add_str(&out, root);
  while (count)
    add_step(&out, steps[--count], indices);
  struct str text = buf_take_str(&out, arena);
  buf_release(&out);
  return text;
}

struct str tree_path(const struct tree_node *node, struct str root, struct arena *arena) {
  return path(node, root, arena, true);
}

struct str tree_path_plain(const struct tree_node *node, struct str root, struct arena *arena) {
  return path(node, root, arena, false);
}
