/*
 * linked.c - every resource of a document must be reached from its Composition, or refer to one that is (R4
 * documents.html#content: "all resources referenced in the composition … SHALL be included", and bundles hold
 * nothing else). Linear in the number of references.
 */
#include "validation/internal.h"

struct link {
  struct link *next;
  size_t to;
};

struct linking {
  struct validation_walk *walk;
  const struct tree_node **entries;
  struct link **leads, **led; /* from an entry to others, and back */
  bool *seen;
  size_t *queue;
  size_t count, queued;
  struct map index; /* pointer of a resource -> index + 1 */
};

static bool make_lists(struct linking *linking, size_t count) {
  struct arena *arena = linking->walk->run->arena;
  linking->entries = ARENA_ARRAY(arena, const struct tree_node *, count);
  linking->leads = ARENA_ARRAY(arena, struct link *, count);
  linking->led = ARENA_ARRAY(arena, struct link *, count);
  linking->seen = ARENA_ARRAY(arena, bool, count);
  linking->queue = ARENA_ARRAY(arena, size_t, count);
  map_init(&linking->index, arena);
  return linking->entries && linking->leads && linking->led && linking->seen && linking->queue;
}

static bool add_entry(struct linking *linking, const struct tree_node *entry,
                      const struct tree_node *resource) {
  struct arena *arena = linking->walk->run->arena;
  struct str key = arena_str(arena, str_make((const char *)&resource, sizeof resource));
  linking->entries[linking->count++] = entry;
  return key.ptr && map_put(&linking->index, key, (void *)(uintptr_t)linking->count) == STATUS_OK;
}

static bool add_link(struct linking *linking, struct link **list, size_t to) {
  struct link *link = ARENA_NEW(linking->walk->run->arena, struct link);
  if (!link) return false;
  *link = (struct link){*list, to};
  *list = link;
  return true;
}

/* A reference, or a url or uri that leads to a resource. */
static struct str text_of(const struct linking *linking, const struct tree_node *node) {
  const struct def_type *type = node_type(node);
  if (!type) return (struct str){0};
  if (def_type_constrained(type) == linking->walk->validation->known.reference)
    return tree_text(node, "reference");
  enum def_primitive primitive = def_type_primitive(type);
  bool uri = primitive == DEF_P_URI || primitive == DEF_P_URL;
  return uri && !str_is(node->name, "system") && !str_is(node->name, "fullUrl") ? node->text
                                                                                : (struct str){0};
}

static bool take_node(struct linking *linking, size_t from, struct tree_node *node) {
  struct str text = text_of(linking, node);
  if (!text.len || text.ptr[0] == '#') return true;
  const struct tree_node *found = validation_find_linked(linking->walk, node, text);
  uintptr_t to =
      found ? (uintptr_t)map_get(&linking->index, str_make((const char *)&found, sizeof found)) : 0;
  if (!to || to - 1 == from) return true;
  return add_link(linking, &linking->leads[from], to - 1) && add_link(linking, &linking->led[to - 1], from);
}

static bool is_bundle(const struct linking *linking, const struct tree_node *node) {
  return node_type(node) == linking->walk->validation->known.bundle;
}

static bool take_entry(struct linking *linking, size_t from) {
  struct tree_node *root = (struct tree_node *)(uintptr_t)linking->entries[from], *node = root;
  while (node) {
    if (!take_node(linking, from, node)) return false;
    if (node->child && !is_bundle(linking, node)) {
      node = node->child;
      continue;
    }
    while (node != root && !node->next)
      node = node->parent;
    node = node == root ? NULL : node->next;
  }
  return true;
}

static void visit(struct linking *linking, size_t index) {
  if (linking->seen[index]) return;
  linking->seen[index] = true;
  linking->queue[linking->queued++] = index;
}

/* What is reached, and what refers to it. */
static void follow(struct linking *linking) {
  for (size_t at = 0; at < linking->queued; at++) {
    size_t index = linking->queue[at];
    for (const struct link *link = linking->leads[index]; link; link = link->next)
      visit(linking, link->to);
    for (const struct link *link = linking->led[index]; link; link = link->next)
      visit(linking, link->to);
  }
}

static void report(struct linking *linking, bool document) {
  for (size_t i = 0; i < linking->count; i++)
    if (!linking->seen[i])
      validation_report(linking->walk, document ? DIAG_ERROR : DIAG_WARNING, DIAG_BUNDLE_ENTRY,
                        linking->entries[i], "the resource is not reached from the first one of the Bundle");
}

void validation_check_linked(struct validation_walk *walk, struct tree_node *bundle, bool document) {
  struct linking linking = {.walk = walk};
  size_t count = 0;
  if (bundle != walk->root) return;
  for (struct tree_node *entry = tree_find(bundle, "entry"); entry; entry = tree_next_same(entry))
    count += tree_find(entry, "resource") != NULL;
  if (count == 0) return;
  bool good = make_lists(&linking, count);
  for (struct tree_node *entry = tree_find(bundle, "entry"); entry && good; entry = tree_next_same(entry)) {
    const struct tree_node *resource = tree_find(entry, "resource");
    if (resource) good = add_entry(&linking, entry, resource);
  }
  for (size_t i = 0; i < linking.count && good; i++)
    good = take_entry(&linking, i);
  if (!good) {
    walk->status = STATUS_NOMEM;
    return;
  }
  visit(&linking, 0);
  follow(&linking);
  report(&linking, document);
}
