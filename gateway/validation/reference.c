/* reference.c - references: their form, whether they resolve, and to what type. */
#include "validation/internal.h"

/* --- fullUrls of a Bundle --- */

void validation_index_bundle(struct validation_walk *walk) {
  struct tree_node *entry = tree_find(walk->root, "entry");
  map_init(&walk->urls, walk->run->arena);
  for (; entry; entry = tree_next_same(entry)) {
    struct tree_node *url = tree_find(entry, "fullUrl"), *resource = tree_find(entry, "resource");
    if (!url || !url->text.len || !resource) continue;
    enum status status = map_put(&walk->urls, url->text, resource);
    if (status == STATUS_NOMEM) walk->status = status;
  }
}

/* --- what a reference says --- */

/* The type before the id in `…/Type/id` or `…/Type/id/_history/v`; NULL when the text has another form. */
static const struct def_type *type_in_text(const struct validation *validation, struct str text) {
  size_t history = str_find(text, STR("/_history/"), 0);
  struct str rest = str_slice(text, 0, history);
  size_t query = str_find_char(rest, '?', 0);
  size_t end = query;
  if (query == SIZE_MAX) {
    for (end = rest.len; end > 0 && rest.ptr[end - 1] != '/'; end--)
      continue;
    if (end == 0) return NULL;
    end--;
  }
  size_t from = end;
  while (from > 0 && rest.ptr[from - 1] != '/')
    from--;
  const struct def_type *type = definitions_type(validation->definitions, str_slice(rest, from, end));
  return type && def_type_kind(type) == DEF_RESOURCE && !def_type_is_profile(type) ? type : NULL;
}

static bool is_absolute(struct str text) {
  size_t colon = str_find_char(text, ':', 0), slash = str_find_char(text, '/', 0);
  return colon != SIZE_MAX && (slash == SIZE_MAX || colon < slash);
}

static struct tree_node *find_contained(const struct validation_walk *walk, struct str id) {
  struct tree_node *node = tree_find(walk->container, "contained");
  for (; node; node = tree_next_same(node))
    if (str_eq(tree_text(node, "id"), id)) return node;
  return NULL;
}

/* `Type/id` in a Bundle: relative to the base of the entry's own fullUrl. */
static struct tree_node *find_relative(struct validation_walk *walk, struct str text) {
  const struct tree_node *entry = walk->container ? walk->container->parent : NULL;
  struct str own = entry ? tree_text(entry, "fullUrl") : (struct str){0};
  size_t end = own.len;
  for (int slashes = 0; end > 0; end--)
    if (own.ptr[end - 1] == '/' && ++slashes == 2) break;
  if (end == 0 || str_starts(own, STR("urn:"))) return NULL;
  struct str url = arena_concat(walk->run->arena, str_slice(own, 0, end), text);
  return url.ptr ? map_get(&walk->urls, url) : NULL;
}

/* --- dom-3 --- */

/* Some reference, uri or canonical below `root` says `#id`. */
static bool has_fragment(const struct tree_node *root, struct str id) {
  const struct tree_node *node = root;
  while (node) {
    struct str text = node->kind == TREE_STRING ? node->text : (struct str){0};
    if (text.len == id.len + 1 && text.ptr[0] == '#' && str_eq(str_slice(text, 1, text.len), id)) return true;
    if (node->child) {
      node = node->child;
      continue;
    }
    while (node != root && !node->next)
      node = node->parent;
    node = node == root ? NULL : node->next;
  }
  return false;
}

void validation_check_contained(struct validation_walk *walk, struct tree_node *container) {
  struct tree_node *node = tree_find(container, "contained");
  for (; node; node = tree_next_same(node)) {
    struct str id = tree_text(node, "id");
    if (has_fragment(container, id) || has_fragment(node, (struct str){0})) continue;
    validation_report(
        walk, DIAG_ERROR, DIAG_CONSTRAINT_FAILED, node,
        "dom-3: a contained resource must be referred to from the resource that contains it, or "
        "refer to it");
  }
}

/* --- the checks --- */

static bool is_target(const struct validation *validation, const struct def_type *type,
                      struct str canonical) {
  const struct def_type *allowed = definitions_type(validation->definitions, canonical);
  return !allowed || def_type_is(type, def_type_constrained(allowed));
}

static void check_target(const struct validation_visit *visit, const struct tree_node *text,
                         const struct def_type *type) {
  const struct def_element *element = visit->element ? visit->element->element : NULL;
  for (size_t t = 0; element && t < def_element_type_count(element); t++) {
    if (def_element_type(element, t).type != visit->plan->type) continue;
    size_t count = def_element_target_count(element, t);
    for (size_t i = 0; i < count; i++)
      if (is_target(visit->walk->validation, type, def_element_target(element, t, i))) return;
    if (count == 0) return;
    validation_report(visit->walk, DIAG_ERROR, DIAG_REFERENCE_TYPE, text, "%.*s may not refer to %.*s",
                      STR_ARG(validation_name_of(visit)), STR_ARG(def_type_name(type)));
    return;
  }
}

static void report_unresolved(const struct validation_visit *visit, const struct tree_node *text,
                              enum diag_severity severity, const char *what) {
  validation_report(visit->walk, severity, DIAG_REFERENCE_UNRESOLVED, text, "%.*s refers to %s",
                    STR_ARG(validation_name_of(visit)), what);
}

/* A Bundle that must hold all that its resources call urn:. */
static bool is_closed(const struct validation_walk *walk) {
  static const char *const words[] = {"transaction", "batch", "document", "message"};
  struct str type = tree_text(walk->root, "type");
  bool closed = walk->validation->internal_references;
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    closed |= str_is(type, words[i]);
  return closed;
}

/* The resource in this text that is meant; *known false: something outside, which cannot be looked at. */
static struct tree_node *resolve(const struct validation_visit *visit, const struct tree_node *text,
                                 bool *known) {
  struct validation_walk *walk = visit->walk;
  struct tree_node *found = NULL;
  *known = true;
  if (text->text.len && text->text.ptr[0] == '#') {
    if (text->text.len == 1) return walk->container;
    found = find_contained(walk, str_slice(text->text, 1, text->text.len));
    if (!found) report_unresolved(visit, text, DIAG_ERROR, "a contained resource that is not there");
    return found;
  }
  if (walk->is_bundle)
    found = is_absolute(text->text) ? map_get(&walk->urls, text->text) : find_relative(walk, text->text);
  bool urn = str_starts(text->text, STR("urn:uuid:")) || str_starts(text->text, STR("urn:oid:"));
  if (!found && urn && walk->is_bundle)
    report_unresolved(visit, text, is_closed(walk) ? DIAG_ERROR : DIAG_WARNING,
                      "a resource that is not in the Bundle");
  *known = found || urn;
  return found;
}

void validation_check_reference(const struct validation_visit *visit) {
  const struct tree_node *text = tree_find(visit->node, "reference");
  const struct validation *validation = visit->walk->validation;
  bool known;
  if (!text || text->kind != TREE_STRING || text->text.len == 0) return;
  const struct tree_node *found = resolve(visit, text, &known);
  const struct def_type *type = found ? node_type(found) : NULL;
  if (!known) {
    type = type_in_text(validation, text->text);
    if (!type && !is_absolute(text->text))
      validation_report(visit->walk, DIAG_ERROR, DIAG_VALUE_FORMAT, text,
                        "a relative reference has the form Type/id, with a resource type of FHIR R4");
  }
  if (type) check_target(visit, text, type);
}
