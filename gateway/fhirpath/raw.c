/* raw.c - trees without definitions: `_x` members are laid into x, so that ids and extensions of primitives
 * are found. */
#include "fhirpath/internal.h"

static struct tree_node *find_partner(const struct tree_node *parent, struct str name) {
  return tree_find_str(parent, str_slice(name, 1, name.len));
}

static void insert_after(struct tree_node *node, struct tree_node *added) {
  added->next = node->next;
  added->parent = node->parent;
  node->next = added;
  if (node->parent->last == node) node->parent->last = added;
}

static void move_children(struct tree_node *from, struct tree_node *to) {
  while (from->child) {
    struct tree_node *child = from->child;
    tree_remove(child);
    tree_append(to, child);
  }
}

/* A partner without a value becomes a primitive that has only id or extensions. */
static void stand_alone(struct tree_node *partner, struct tree_node *after) {
  partner->name = str_slice(partner->name, 1, partner->name.len);
  partner->kind = TREE_NULL;
  if (!after) return;
  tree_remove(partner);
  insert_after(after, partner);
}

/* One run of `_x` members, from `partner` on. Returns what follows it. */
static struct tree_node *fold_run(struct tree_node *parent, struct tree_node *partner) {
  struct str name = partner->name;
  struct tree_node *value = find_partner(parent, name), *last = value;
  while (partner && str_eq(partner->name, name)) {
    struct tree_node *next = partner->next;
    if (value && value->kind != TREE_OBJECT) {
      move_children(partner, value);
      tree_remove(partner);
    } else {
      stand_alone(partner, last);
      value = NULL;
      last = partner;
    }
    if (value) last = value;
    if (value) value = tree_next_same(value);
    partner = next;
  }
  return partner;
}

void fhirpath_fold_raw(struct tree_node *root) {
  if (root->flags & TREE_BOUND) return;
  for (struct tree_node *child = root->child; child;) {
    if (child->name.len > 1 && child->name.ptr[0] == '_') {
      child = fold_run(root, child);
    } else {
      child = child->next;
    }
  }
  for (struct tree_node *child = root->child; child; child = child->next)
    fhirpath_fold_raw(child);
}
