/* reference.c - references: their form, whether they resolve, to what type, and what profiles ask of the
 * target. */
#include "validation/internal.h"

/* --- fullUrls of a Bundle --- */

/* `Type/id`; two of them in one Bundle are of no use. */
static void index_id(struct validation_walk *walk, struct tree_node *resource) {
  struct str id = validation_text(resource, walk->validation->known.id);
  if (!id.len || !node_type(resource)) return;
  struct str key = arena_join(walk->run->arena, def_type_name(node_type(resource)), '/', id);
  enum status status = key.ptr ? map_put(&walk->ids, key, resource) : STATUS_NOMEM;
  if (status == STATUS_NOMEM) walk->status = status;
}

/* It can be told without looking at the entry again whether its fullUrl and version are those of another. */
static bool is_plain_entry(const struct validation_known *known, const struct tree_node *url, const struct tree_node *resource) {
  const struct tree_node *meta = validation_child(resource, known->meta);
  bool repeated = url->next && url->next->symbol == url->symbol;
  return url->kind == TREE_STRING && !repeated && (!meta || (tree_lacks(meta, known->version) && !tree_next_same(meta)));
}

static void index_urls(struct validation_walk *walk, const struct tree_node *bundle) {
  const struct validation_known *known = &walk->validation->known;
  walk->distinct = true;
  for (struct tree_node *entry = bundle->child; entry; entry = entry->next) {
    if (entry->symbol != known->entry || entry->kind != TREE_OBJECT) continue;
    struct tree_node *url = validation_child(entry, known->full_url);
    struct tree_node *resource = validation_child(entry, known->resource);
    if (url && (!resource || !is_plain_entry(known, url, resource))) walk->distinct = false;
    if (!resource || !url || !url->text.len) continue;
    enum status status = map_put(&walk->urls, url->text, resource);
    if (status == STATUS_NOMEM) walk->status = status;
    if (status != STATUS_OK) walk->distinct = false;
  }
}

static void index_ids(struct validation_walk *walk, const struct tree_node *bundle) {
  const struct validation_known *known = &walk->validation->known;
  for (const struct tree_node *entry = bundle->child; entry; entry = entry->next) {
    if (entry->symbol != known->entry || entry->kind != TREE_OBJECT) continue;
    struct tree_node *resource = validation_child(entry, known->resource);
    if (resource) index_id(walk, resource);
  }
}

/* Resources that are parameters beside each other. */
static void index_parameters(struct validation_walk *walk, const struct tree_node *at) {
  for (struct tree_node *child = at->child; child; child = child->next)
    if (child->symbol && child->symbol == walk->validation->known.resource)
      index_id(walk, child);
    else if (str_is(child->name, "parameter") || str_is(child->name, "part"))
      index_parameters(walk, child);
}

void validation_index_bundle(struct validation_walk *walk) {
  map_init(&walk->urls, walk->run->arena);
  map_init(&walk->ids, walk->run->arena);
  map_init(&walk->contained, walk->run->arena);
  if (walk->is_bundle) index_urls(walk, walk->root);
}

/* Few Bundles have references by type and id. */
struct tree_node *validation_find_by_id(struct validation_walk *walk, struct str text) {
  if (!walk->has_ids && walk->is_parameters) index_parameters(walk, walk->root);
  if (!walk->has_ids && walk->is_bundle) index_ids(walk, walk->root);
  walk->kept += !walk->has_ids;
  walk->has_ids = true;
  return map_get(&walk->ids, text);
}

/* --- what a reference says --- */

static struct str before_fragment(struct str text) {
  return str_slice(text, 0, str_find_char(text, '#', 0));
}

/* The type before the id in `…/Type/id` or `…/Type/id/_history/v`, or before the `?` of a search; NULL when
   the text has another form. */
static const struct def_type *type_in_text(const struct validation *validation, struct str text) {
  size_t history = str_find(text, STR("/_history/"), 0);
  struct str rest = before_fragment(str_slice(text, 0, history));
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

static bool is_search(struct str text) {
  return str_find_char(text, '?', 0) != SIZE_MAX;
}

/* --- where it leads to --- */

/* The container, then the id. */
static struct str contained_key(struct validation_walk *walk, struct str id) {
  const struct tree_node *container = walk->container;
  struct str of = str_make((const char *)&container, sizeof container);
  return arena_concat(walk->run->arena, of, id);
}

/* Once for all references, when the first one asks: a resource may have many of both. */
static void index_contained(struct validation_walk *walk) {
  struct str key = contained_key(walk, (struct str){0});
  enum status status = key.ptr ? map_put(&walk->contained, key, walk->container) : STATUS_NOMEM;
  struct tree_node *node = status == STATUS_OK ? walk->container->child : NULL;
  walk->kept++;
  for (; node && status != STATUS_NOMEM; node = node->next) {
    if (node->symbol != walk->validation->known.contained) continue;
    struct str id = tree_text(node, "id");
    if (!id.len) continue;
    key = contained_key(walk, id);
    status = key.ptr ? map_put(&walk->contained, key, node) : STATUS_NOMEM;
  }
  if (status == STATUS_NOMEM) walk->status = status;
}

static struct tree_node *get_contained(struct validation_walk *walk, struct str id) {
  struct arena_mark mark = arena_mark(walk->run->arena);
  struct str key = contained_key(walk, id);
  struct tree_node *found = key.ptr ? map_get(&walk->contained, key) : NULL;
  arena_rewind(walk->run->arena, mark);
  return found;
}

static struct tree_node *find_contained(struct validation_walk *walk, struct str id) {
  if (!walk->container || !id.len) return NULL;
  if (!get_contained(walk, (struct str){0})) index_contained(walk);
  return get_contained(walk, id);
}

/* The base of a URL `base/Type/id`, or of `urn:uuid:id`; false: it has another form. */
static bool base_of(struct str url, struct str *base, bool *urn) {
  size_t end = url.len;
  *urn = str_starts(url, STR("urn:"));
  for (int parts = 0; end > 0; end--)
    if (url.ptr[end - 1] == (*urn ? ':' : '/') && ++parts == (*urn ? 1 : 2)) break;
  *base = str_slice(url, 0, end);
  return end > 0;
}

static struct str after_type(struct str text) {
  size_t slash = str_find_char(text, '/', 0);
  return slash == SIZE_MAX ? text : str_slice(text, slash + 1, text.len);
}

/* `Type/id` in a Bundle (R4 bundle.html#references): relative to the base of the entry's own fullUrl. Without
   a fullUrl (transactions) the resource of that type and id. */
static struct tree_node *find_relative(struct validation_walk *walk, struct str text) {
  const struct tree_node *entry = walk->container ? walk->container->parent : NULL;
  struct str own = entry ? validation_text(entry, walk->validation->known.full_url) : (struct str){0}, base;
  size_t history = str_find(text, STR("/_history/"), 0);
  bool urn;
  text = before_fragment(str_slice(text, 0, history));
  if (!own.len || !base_of(own, &base, &urn)) return validation_find_by_id(walk, text);
  struct arena_mark mark = arena_mark(walk->run->arena);
  struct str url = arena_concat(walk->run->arena, base, urn ? after_type(text) : text);
  struct tree_node *found = url.ptr ? map_get(&walk->urls, url) : NULL;
  arena_rewind(walk->run->arena, mark);
  return found;
}

static struct tree_node *find_in_bundle(struct validation_walk *walk, struct str text) {
  if (!validation_is_absolute(text)) return find_relative(walk, text);
  struct tree_node *found = map_get(&walk->urls, text);
  return found ? found : map_get(&walk->urls, before_fragment(text));
}

static struct tree_node *find_inside(struct validation_walk *walk, struct str text) {
  if (text.len && text.ptr[0] == '#')
    return text.len == 1 ? walk->container : find_contained(walk, str_slice(text, 1, text.len));
  if (walk->is_bundle) return find_in_bundle(walk, text);
  return walk->is_parameters && !validation_is_absolute(text) ? validation_find_by_id(walk, text) : NULL;
}

/* A circle leads back to what is being checked. */
static bool is_root(const struct validation_walk *walk, struct str text) {
  struct str type = node_type(walk->root) ? def_type_name(node_type(walk->root)) : (struct str){0};
  struct str id = tree_text(walk->root, "id");
  return id.len && text.len == type.len + id.len + 1 && str_starts(text, type) && str_ends(text, id) &&
         text.ptr[type.len] == '/';
}

/* Outside the text: asked for once. */
struct tree_node *validation_fetch(void *context, struct tree_node *from, struct str text) {
  struct validation_walk *walk = context;
  if (!walk->run->resolve) return NULL;
  if (is_root(walk, text)) return walk->root;
  struct tree_node *found = map_get(&walk->fetched, text);
  if (found) return found == walk->root ? NULL : found;
  found = walk->run->resolve(walk->run->resolve_context, from, text);
  walk->kept++;
  if (map_put(&walk->fetched, text, found ? found : walk->root) == STATUS_NOMEM) walk->status = STATUS_NOMEM;
  return found;
}

struct tree_node *validation_find_inside(struct validation_walk *walk, struct tree_node *from,
                                         struct str reference) {
  struct tree_node *resource = walk->resource, *container = walk->container;
  validation_locate(walk, from);
  struct tree_node *found = find_inside(walk, reference);
  walk->resource = resource;
  walk->container = container;
  return found;
}

static bool ends_in_own_id(struct str url, const struct tree_node *resource) {
  struct str type = node_type(resource) ? def_type_name(node_type(resource)) : (struct str){0};
  struct str id = tree_text(resource, "id");
  size_t tail = type.len + id.len + 1;
  if (!type.len || !id.len || url.len <= tail || !str_starts(url, STR("http")) || !str_ends(url, id))
    return false;
  struct str before = str_slice(url, url.len - tail, url.len - id.len - 1);
  return url.ptr[url.len - id.len - 1] == '/' && str_eq(before, type);
}

struct tree_node *validation_find_linked(struct validation_walk *walk, struct tree_node *from,
                                         struct str reference) {
  if (validation_is_absolute(reference)) return validation_find_inside(walk, from, reference);
  struct tree_node *resource = walk->resource, *container = walk->container, *found = NULL;
  validation_locate(walk, from);
  const struct tree_node *entry = walk->container ? walk->container->parent : NULL;
  if (entry && ends_in_own_id(tree_text(entry, "fullUrl"), walk->container))
    found = find_relative(walk, reference);
  walk->resource = resource;
  walk->container = container;
  return found;
}

struct tree_node *validation_resolve(struct validation_walk *walk, struct tree_node *from,
                                     struct str reference) {
  struct tree_node *found = validation_find_inside(walk, from, reference);
  if (!found && reference.len && reference.ptr[0] != '#') found = validation_fetch(walk, from, reference);
  return found;
}

/* --- dom-3 --- */

/* A reference, uri or canonical `#id`. */
static bool is_fragment(const struct tree_node *node) {
  return node->kind == TREE_STRING && node->text.len && node->text.ptr[0] == '#';
}

/* What is referred to from the container and all that it contains. */
static void index_fragments(struct validation_walk *walk, struct tree_node *container,
                            struct map *fragments) {
  map_init(fragments, walk->run->arena);
  for (struct tree_node *node = container; node; node = tree_following(container, node))
    if (is_fragment(node) &&
        map_put(fragments, str_slice(node->text, 1, node->text.len), node) == STATUS_NOMEM)
      walk->status = STATUS_NOMEM;
}

static bool refers_to_container(struct tree_node *contained) {
  for (struct tree_node *node = contained; node; node = tree_following(contained, node))
    if (is_fragment(node) && node->text.len == 1) return true;
  return false;
}

void validation_check_contained(struct validation_walk *walk, struct tree_node *container) {
  struct tree_node *node = container->child;
  struct map fragments = {0};
  static const struct def_constraint rule = {
      .key = {"dom-3", 5},
      .human = {"a contained resource must be referred to from the resource that contains it, or refer to it",
                91},
      .is_error = true};
  for (; node; node = node->next) {
    if (node->symbol != walk->validation->known.contained || !node->symbol) continue;
    if (!fragments.arena) index_fragments(walk, container, &fragments);
    if (map_get(&fragments, tree_text(node, "id")) || refers_to_container(node)) continue;
    validation_report_rule(walk, container, &rule);
  }
}

/* --- the checks --- */

enum place { INSIDE_RESOURCE, INSIDE_BUNDLE, OUTSIDE };

struct lead {
  const struct validation_visit *visit;
  const struct tree_node *text;
  struct tree_node *found;
  const struct def_type *type; /* of what was found, or as the text says */
  enum place place;
  bool known; /* a urn: of nothing that is here leads nowhere */
};

static const struct validation_option *option_of(const struct validation_visit *visit) {
  return visit->element ? validation_option_of(visit->element, node_type(visit->node)) : NULL;
}

static void report_unresolved(const struct validation_visit *visit, enum diag_severity severity,
                              const char *what) {
  validation_report(visit->walk, severity, DIAG_REFERENCE_UNRESOLVED, visit->node, "%.*s refers to %s",
                    STR_ARG(validation_name_of(visit)), what);
}

/* A Bundle that must hold all that its resources call urn:, for a server is to replace it. */
static bool is_closed(const struct validation_walk *walk) {
  struct str type = tree_text(walk->root, "type");
  return walk->validation->internal_references || str_is(type, "transaction") || str_is(type, "batch");
}

static void find(struct lead *lead) {
  const struct validation_visit *visit = lead->visit;
  struct validation_walk *walk = visit->walk;
  struct str text = lead->text->text;
  bool fragment = text.ptr[0] == '#';
  lead->found = find_inside(walk, text);
  lead->place = fragment ? INSIDE_RESOURCE : lead->found ? INSIDE_BUNDLE : OUTSIDE;
  if (lead->found) {
    lead->known = true;
    lead->type = node_type(lead->found);
    return;
  }
  bool urn = str_starts(text, STR("urn:uuid:")) || str_starts(text, STR("urn:oid:"));
  lead->known = fragment || (urn && walk->is_bundle);
  if (walk->run->follow != VALIDATION_FOLLOW_NOT && !fragment && !is_search(text))
    lead->found = validation_fetch(walk, visit->node, text);
  lead->type = lead->found   ? node_type(lead->found)
               : lead->known ? NULL
                             : type_in_text(walk->validation, text);
}

static size_t count_slashes(struct str text) {
  size_t count = 0;
  for (size_t i = 0; i < text.len; i++)
    count += text.ptr[i] == '/';
  return count;
}

/* `Practitioner/1` found by the id of a urn: may be something else. */
static void check_found_type(const struct lead *lead) {
  struct str text = lead->text->text;
  if (!lead->found || lead->place != INSIDE_BUNDLE || validation_is_absolute(text)) return;
  const struct def_type *said = type_in_text(lead->visit->walk->validation, text);
  if (said && said != node_type(lead->found))
    validation_report(lead->visit->walk, DIAG_ERROR, DIAG_REFERENCE_TYPE, lead->visit->node,
                      "%.*s says %.*s, but leads to %.*s", STR_ARG(validation_name_of(lead->visit)),
                      STR_ARG(def_type_name(said)), STR_ARG(def_type_name(node_type(lead->found))));
}

static void check_found(const struct lead *lead) {
  const struct validation_visit *visit = lead->visit;
  struct validation_walk *walk = visit->walk;
  struct str text = lead->text->text;
  if (lead->found) return;
  if (lead->place == INSIDE_RESOURCE)
    report_unresolved(visit, DIAG_ERROR, "a contained resource that is not there");
  else if (lead->known)
    report_unresolved(visit, is_closed(walk) ? DIAG_ERROR : DIAG_WARNING,
                      "a resource that is not in the Bundle");
  else if (walk->is_bundle && !validation_is_absolute(text) && !is_search(text) && count_slashes(text) != 1 &&
           count_slashes(text) != 3)
    validation_report(walk, DIAG_ERROR, DIAG_VALUE_FORMAT, visit->node,
                      "in a Bundle a relative reference has the form Type/id or Type/id/_history/version");
  else if (walk->run->follow != VALIDATION_FOLLOW_NOT && !is_search(text) &&
           str_find(text, STR("example.org"), 0) == SIZE_MAX)
    report_unresolved(visit, DIAG_ERROR, "a resource that cannot be found");
  else if (!lead->type && !validation_is_absolute(text))
    validation_report(walk, DIAG_WARNING, DIAG_VALUE_FORMAT, visit->node,
                      "a relative reference has the form Type/id, with a resource type of FHIR R4");
}

static void report_target(const struct lead *lead) {
  validation_report(lead->visit->walk, DIAG_ERROR, DIAG_REFERENCE_TYPE, lead->visit->node,
                    "%.*s may not refer to %.*s", STR_ARG(validation_name_of(lead->visit)),
                    STR_ARG(def_type_name(lead->type)));
}

/* What is found in the text is checked against profiles; what is outside only when the run says so. */
static bool looks_inside(const struct lead *lead) {
  return lead->found && (lead->place != OUTSIDE || lead->visit->walk->run->follow == VALIDATION_FOLLOW_VALID);
}

/* What lies in the text would be checked against it. */
static void report_unknown_target(const struct lead *lead, struct str url) {
  if (!looks_inside(lead)) return;
  validation_report(lead->visit->walk, DIAG_ERROR, DIAG_PROFILE_UNKNOWN, lead->visit->node,
                    "the definitions do not have the profile %.*s that the target of %.*s must have",
                    STR_ARG(url), STR_ARG(validation_name_of(lead->visit)));
}

static void check_targets(const struct lead *lead, const struct validation_option *option) {
  struct validation_walk *walk = lead->visit->walk;
  const struct validation_target *wanted = NULL;
  bool allowed = option->target_count == 0;
  for (size_t i = 0; i < option->target_count; i++) {
    const struct validation_target *target = &option->targets[i];
    if (!target->type) {
      report_unknown_target(lead, target->url);
      return;
    }
    if (!def_type_is(lead->type, target->type)) continue;
    allowed = true;
    if (!target->profile || !looks_inside(lead)) return;
    wanted = target;
    if (validation_conforms(walk, lead->found, target->profile)) return;
  }
  if (!allowed)
    report_target(lead);
  else if (wanted)
    validation_report(
        walk, DIAG_ERROR, DIAG_PROFILE_MISMATCH, lead->visit->node,
        "%.*s refers to a resource that conforms to none of the profiles that are allowed, such as "
        "%.*s",
        STR_ARG(validation_name_of(lead->visit)), STR_ARG(wanted->url));
}

static void check_aggregation(const struct lead *lead, const struct validation_option *option) {
  static const unsigned modes[] = {[INSIDE_RESOURCE] = DEF_CONTAINED,
                                   [INSIDE_BUNDLE] = DEF_BUNDLED | DEF_REFERENCED,
                                   [OUTSIDE] = DEF_REFERENCED};
  static const char *const names[] = {
      [INSIDE_RESOURCE] = "contained", [INSIDE_BUNDLE] = "bundled", [OUTSIDE] = "referenced"};
  if (option->aggregation == 0 || option->aggregation & modes[lead->place]) return;
  validation_report(lead->visit->walk, DIAG_ERROR, DIAG_REFERENCE_AGGREGATION, lead->visit->node,
                    "%.*s refers to a resource that is %s, which its definition does not allow",
                    STR_ARG(validation_name_of(lead->visit)), names[lead->place]);
}

/* Reference.type says the same as the reference. */
static void check_said_type(const struct lead *lead) {
  struct str said = validation_text(lead->visit->node, lead->visit->walk->validation->known.type);
  if (!said.len || !lead->type) return;
  const struct def_type *type = definitions_type(lead->visit->walk->validation->definitions, said);
  if (type == lead->type) return;
  validation_report(lead->visit->walk, DIAG_ERROR, DIAG_REFERENCE_TYPE, lead->visit->node,
                    "Reference.type is not %.*s, to which the reference leads",
                    STR_ARG(def_type_name(lead->type)));
}

/* --- canonicals --- */

/* The conformance resources at hand that have this URL, of three kinds; one URL may be of several. */
static size_t canonical_kinds(const struct definitions *definitions, struct str url, const char *kinds[3]) {
  const struct def_type *type = definitions_type(definitions, url);
  size_t count = 0;
  if (type && def_type_url(type).len) kinds[count++] = "StructureDefinition";
  if (definitions_value_set(definitions, url)) kinds[count++] = "ValueSet";
  if (definitions_code_system(definitions, url)) kinds[count++] = "CodeSystem";
  return count;
}

/* R4 references.html#canonical: "targets" of a canonical are types as those of a Reference; what is not at hand
   cannot be told. */
static void check_canonical(const struct validation_visit *visit) {
  const struct validation_option *option = option_of(visit);
  const struct definitions *definitions = visit->walk->validation->definitions;
  const char *kinds[3];
  struct str url = before_fragment(visit->node->text);
  if (!option || option->target_count == 0 || !validation_is_absolute(url)) return;
  size_t count = canonical_kinds(definitions, url, kinds);
  for (size_t i = 0; i < count; i++) {
    const struct def_type *kind = definitions_type(definitions, str_of(kinds[i]));
    for (size_t k = 0; k < option->target_count; k++)
      if (!option->targets[k].type || !kind || def_type_is(kind, option->targets[k].type)) return;
  }
  if (count)
    validation_report(visit->walk, DIAG_ERROR, DIAG_REFERENCE_TYPE, visit->node, "%.*s may not lead to a %s",
                      STR_ARG(validation_name_of(visit)), kinds[0]);
}

void validation_check_reference(const struct validation_visit *visit) {
  if (visit->plan->primitive == DEF_P_CANONICAL) {
    check_canonical(visit);
    return;
  }
  const struct validation_option *option = option_of(visit);
  struct lead lead = {.visit = visit, .text = visit->node};
  lead.text = validation_child(visit->node, visit->walk->validation->known.reference_symbol);
  if (!lead.text || lead.text->kind != TREE_STRING || lead.text->text.len == 0) return;
  find(&lead);
  if (!visit->walk->profile) {
    check_found(&lead);
    check_found_type(&lead);
    check_said_type(&lead);
  }
  if (!option) return;
  if (lead.type) check_targets(&lead, option);
  check_aggregation(&lead, option);
}
