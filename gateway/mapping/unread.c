/*
 * unread.c - what no rule read: no field of a record is lost in silence.
 *
 * A leaf of a part that the maps do not know at all is information: the part has no map yet. A leaf beside
 * others that were read is a warning: a rule is missing, or the clinic writes something new.
 */
#include "mapping/internal.h"

struct walk {
  const struct mapping_run *run;
  struct str root;
  struct map paths; /* plain path -> struct fml_unread */
  bool part_read;
  bool nomem;
};

static bool is_leaf(const struct tree_node *node) {
  return node->kind != TREE_OBJECT && node->kind != TREE_NULL && !tree_is_meta(node);
}

bool fml_any_read(const struct tree_node *node) {
  if (is_leaf(node) && (node->flags & TREE_READ)) return true;
  for (const struct tree_node *child = node->child; child; child = child->next)
    if (fml_any_read(child)) return true;
  return false;
}

size_t fml_count_leaves(const struct tree_node *node) {
  size_t count = is_leaf(node);
  for (const struct tree_node *child = node->child; child; child = child->next)
    count += fml_count_leaves(child);
  return count;
}

static void note(struct walk *walk, const struct tree_node *node, size_t values) {
  struct str path = tree_path_plain(node, walk->root, walk->run->arena);
  struct fml_unread *unread = path.ptr ? map_get(&walk->paths, path) : NULL;
  if (path.ptr && !unread) {
    unread = ARENA_NEW(walk->run->arena, struct fml_unread);
    if (unread) *unread = (struct fml_unread){.path = path, .first = node, .part_read = walk->part_read};
    if (!unread || map_put(&walk->paths, path, unread) != STATUS_OK) unread = NULL;
  }
  if (unread)
    unread->count += values;
  else
    walk->nomem = true;
}

/* A part without a map is told once, not value by value. */
static void visit(struct walk *walk, const struct tree_node *node) {
  if (tree_is_meta(node) || walk->nomem) return;
  if (!walk->part_read) {
    note(walk, node, fml_count_leaves(node));
    return;
  }
  if (is_leaf(node) && !(node->flags & TREE_READ)) note(walk, node, 1);
  for (const struct tree_node *child = node->child; child; child = child->next)
    visit(walk, child);
}

static void tell(const struct walk *walk, const struct fml_unread *unread) {
  struct diag_at at = {.path = tree_path(unread->first, walk->root, walk->run->arena)};
  if (unread->first->offset) {
    at.source = walk->run->source;
    at.offset = tree_offset(unread->first);
  }
  enum diag_severity severity = unread->part_read ? DIAG_WARNING : DIAG_INFORMATION;
  const char *why = unread->part_read ? "no rule of the map reads this value" : "no map reads this part yet";
  if (unread->count > 1)
    diag_add(walk->run->diags, severity, DIAG_UNREAD_VALUE, &at, "%s (%zu values)", why, unread->count);
  else
    diag_add(walk->run->diags, severity, DIAG_UNREAD_VALUE, &at, "%s", why);
}

/* Parts are the members of the root; repetitions of one count together. */
static bool part_read(const struct tree_node *part) {
  for (; part; part = tree_next_same(part))
    if (fml_any_read(part)) return true;
  return false;
}

void mapping_report_unread(const struct tree_node *source, const struct mapping_run *run) {
  struct walk walk = {.run = run};
  if (fml_is_message(source)) {
    fml_report_message(source, run);
    return;
  }
  const struct def_type *type = node_type(source);
  walk.root = type ? def_type_name(type) : STR("");
  map_init(&walk.paths, run->arena);
  struct str last = STR("");
  for (const struct tree_node *part = source->child; part; part = part->next) {
    if (!str_eq(part->name, last)) walk.part_read = part_read(part);
    last = part->name;
    visit(&walk, part);
  }
  for (size_t i = 0; i < walk.paths.count; i++)
    tell(&walk, walk.paths.entries[i].value);
}
