/* terms_in.c - CodeSystem, ValueSet and SearchParameter trees -> builder. */
#include "definitions/build.h"

/* Room for one more item; lists grow by powers of two. */
static void *grown(struct builder *b, void *items, size_t count, size_t size) {
  if (count & (count - 1)) return items;
  void *more = def_builder_alloc(b, count ? count * 2 : 1, size);
  if (more && count) memcpy(more, items, count * size);
  return more;
}

/* --- code systems ---------------------------------------------------------------------------- */

enum { FACT_MAX = 255 };

static struct str value_of(const struct tree_node *property) {
  for (const struct tree_node *at = tree_first(property); at; at = tree_next(at)) {
    if (!str_starts(at->name, STR("value"))) continue;
    return at->kind == TREE_OBJECT ? tree_text(at, "code") : at->text;
  }
  return (struct str){0};
}

static void add_fact(struct builder *b, struct b_concept *concept, struct str name, struct str value) {
  struct b_fact *fact = def_builder_alloc(b, 1, sizeof *fact);
  if (!fact) return;
  *fact =
      (struct b_fact){.next = concept->facts, .name = def_builder_str(b, name), .cut = value.len > FACT_MAX};
  if (!fact->cut) fact->value = def_builder_str(b, value);
  concept->facts = fact;
}

static void add_properties(struct builder *b, const struct b_system *system, struct b_concept *concept,
                           const struct tree_node *node) {
  for (const struct tree_node *at = tree_find(node, "property"); at; at = tree_next_same(at)) {
    struct str code = tree_text(at, "code"), value = value_of(at);
    if (str_is(code, "parent") || str_is(code, "subsumedBy") ||
        (system->parents.len && str_eq(code, system->parents)))
      (void)def_texts_add(b, &concept->parents, def_builder_str(b, value));
    else if (str_is(code, "child") || (system->childs.len && str_eq(code, system->childs)))
      (void)def_texts_add(b, &concept->children, def_builder_str(b, value));
    else
      add_fact(b, concept, code, value);
  }
}

/* The properties that the system says its concepts have. */
static void declare(struct builder *b, struct b_system *system, const struct tree_node *node) {
  for (const struct tree_node *at = tree_find(node, "property"); at; at = tree_next_same(at)) {
    struct str code = def_builder_str(b, tree_text(at, "code")), uri = tree_text(at, "uri");
    if (str_ends(uri, STR("concept-properties#parent"))) system->parents = code;
    if (str_ends(uri, STR("concept-properties#child"))) system->childs = code;
    (void)def_texts_add(b, &system->properties, code);
  }
}

/* Nested concepts: the depth is that of the tree, which the reader caps. */
static void add_concepts(struct builder *b, struct b_system *system, const struct tree_node *node,
                         uint32_t parent) {
  for (const struct tree_node *at = tree_find(node, "concept"); at; at = tree_next_same(at)) {
    struct str code = tree_text(at, "code");
    if (!code.len) continue;
    struct b_concept *concepts = grown(b, system->concepts, system->count, sizeof *concepts);
    if (!concepts) return;
    system->concepts = concepts;
    struct b_concept *concept = &concepts[system->count++];
    uint32_t self = (uint32_t)system->count;
    *concept = (struct b_concept){.parent = parent};
    concept->self.code = def_builder_str(b, code);
    concept->self.display = def_builder_str(b, tree_text(at, "display"));
    add_properties(b, system, concept, at);
    enum status status = map_put(&system->index, concept->self.code, (void *)(uintptr_t)self);
    if (status && status != STATUS_CONFLICT) b->error = status;
    add_concepts(b, system, at, self);
  }
}

void def_extract_system(struct builder *b, const struct tree_node *node) {
  struct str url = tree_text(node, "url");
  if (!url.len || str_is(tree_text(node, "content"), "supplement")) return; /* adds no codes */
  struct b_system *system = def_builder_alloc(b, 1, sizeof *system);
  if (!system) return;
  system->url = def_builder_str(b, url);
  system->version = def_builder_str(b, tree_text(node, "version"));
  system->name = def_builder_str(b, tree_text(node, "name"));
  system->complete = str_is(tree_text(node, "content"), "complete");
  system->folds_case = str_is(tree_text(node, "caseSensitive"), "false");
  system->package = b->last_package;
  map_init(&system->index, b->arena);
  declare(b, system, node);
  add_concepts(b, system, node, 0);
  if (b->last_system)
    b->last_system->next = system;
  else
    b->first_system = system;
  b->last_system = system;
  if (b->last_package) b->last_package->code_systems++;
}

/* --- value sets ------------------------------------------------------------------------------ */

static void add_code(struct builder *b, struct b_include *include, const struct tree_node *node) {
  struct b_code *codes = grown(b, include->codes, include->code_count, sizeof *codes);
  struct str code = tree_text(node, "code");
  if (!codes || !code.len) return;
  include->codes = codes;
  codes[include->code_count++] =
      (struct b_code){def_builder_str(b, code), def_builder_str(b, tree_text(node, "display"))};
}

static void add_filter(struct builder *b, struct b_include *include, const struct tree_node *node) {
  struct b_filter *filters = grown(b, include->filters, include->filter_count, sizeof *filters);
  if (!filters) return;
  include->filters = filters;
  filters[include->filter_count++] = (struct b_filter){def_builder_str(b, tree_text(node, "property")),
                                                       def_builder_str(b, tree_text(node, "op")),
                                                       def_builder_str(b, tree_text(node, "value"))};
}

static struct b_include *read_include(struct builder *b, const struct tree_node *node) {
  struct b_include *include = def_builder_alloc(b, 1, sizeof *include);
  if (!include) return NULL;
  include->system = def_builder_str(b, tree_text(node, "system"));
  include->version = def_builder_str(b, tree_text(node, "version"));
  for (const struct tree_node *at = tree_first(node); at; at = tree_next(at)) {
    if (str_is(at->name, "concept")) {
      include->lists_codes = true;
      add_code(b, include, at);
    } else if (str_is(at->name, "filter")) {
      add_filter(b, include, at);
    } else if (str_is(at->name, "valueSet")) {
      (void)def_texts_add(b, &include->sets, def_builder_str(b, at->text));
    }
  }
  return include;
}

static struct b_include *read_includes(struct builder *b, const struct tree_node *compose, const char *name) {
  struct b_include *first = NULL, **end = &first;
  for (const struct tree_node *at = compose ? tree_find(compose, name) : NULL; at; at = tree_next_same(at)) {
    *end = read_include(b, at);
    if (!*end) break;
    end = &(*end)->next;
  }
  return first;
}

/* Codes of a published expansion: one include for each run of codes of the same system. */
static void read_contains(struct builder *b, struct b_include ***end, const struct tree_node *node) {
  struct b_include *run = NULL;
  for (const struct tree_node *at = tree_find(node, "contains"); at; at = tree_next_same(at)) {
    struct str system = tree_text(at, "system");
    if (!run || !str_eq(run->system, system)) {
      run = def_builder_alloc(b, 1, sizeof *run);
      if (!run) return;
      run->system = def_builder_str(b, system);
      run->lists_codes = true;
      **end = run;
      *end = &run->next;
    }
    add_code(b, run, at);
    if (tree_find(at, "contains")) {
      read_contains(b, end, at);
      run = NULL;
    }
  }
}

/* Not a page of it, and not what a server gave up on. */
static bool is_whole(const struct tree_node *expansion) {
  size_t count = 0;
  int64_t total;
  for (const struct tree_node *at = tree_find(expansion, "extension"); at; at = tree_next_same(at)) {
    struct str url = tree_text(at, "url");
    if (str_ends(url, STR("/valueset-toocostly")) || str_ends(url, STR("/valueset-unclosed"))) return false;
  }
  for (const struct tree_node *at = tree_find(expansion, "contains"); at; at = tree_next_same(at))
    count++;
  struct str offset = tree_text(expansion, "offset"), said = tree_text(expansion, "total");
  if (offset.len && !str_is(offset, "0")) return false;
  return count && (!said.len || (str_to_int64(said, &total) && total >= 0 && (size_t)total <= count));
}

void def_extract_set(struct builder *b, const struct tree_node *node) {
  struct str url = tree_text(node, "url");
  struct b_set *set = url.len ? def_builder_alloc(b, 1, sizeof *set) : NULL;
  if (!set) return;
  const struct tree_node *compose = tree_find(node, "compose"), *expansion = tree_find(node, "expansion");
  struct b_include **end = &set->expansion;
  set->url = def_builder_str(b, url);
  set->version = def_builder_str(b, tree_text(node, "version"));
  set->name = def_builder_str(b, tree_text(node, "name"));
  set->includes = read_includes(b, compose, "include");
  set->excludes = read_includes(b, compose, "exclude");
  if (expansion) read_contains(b, &end, expansion);
  set->expansion_is_whole = expansion && is_whole(expansion);
  set->package = b->last_package;
  if (b->last_set)
    b->last_set->next = set;
  else
    b->first_set = set;
  b->last_set = set;
  if (b->last_package) b->last_package->value_sets++;
}

/* --- search parameters ----------------------------------------------------------------------- */

void def_extract_search(struct builder *b, const struct tree_node *node) {
  struct str code = tree_text(node, "code");
  for (const struct tree_node *at = tree_find(node, "base"); at; at = tree_next_same(at)) {
    struct str key = arena_printf(b->arena, "%.*s %.*s", STR_ARG(at->text), STR_ARG(code));
    enum status status = key.ptr ? map_put(&b->searches, key, b) : STATUS_NOMEM;
    if (status && status != STATUS_CONFLICT) b->error = status;
  }
}
