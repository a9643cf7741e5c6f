/* conceptmap.c - ConceptMaps: reading (R4 JSON), hash lookup of a code, unmapped rules. */
#include "mapping/internal.h"

enum { OTHER_MAP_DEPTH = 8 };

struct concept_map *fml_concept_new(struct arena *arena, struct str url) {
  struct concept_map *map = ARENA_NEW(arena, struct concept_map);
  if (!map) return NULL;
  map->url = url;
  map_init(&map->rows, arena);
  return map;
}

struct concept_group *fml_concept_group(struct concept_map *map, struct arena *arena, struct str source,
                                        struct str target) {
  for (struct concept_group *g = map->groups; g; g = g->next) {
    if (!str_eq(g->source, source)) continue;
    if (g->target.len == 0) g->target = target;
    if (target.len == 0 || str_eq(g->target, target)) return g;
  }
  struct concept_group *group = ARENA_NEW(arena, struct concept_group);
  if (!group) return NULL;
  group->source = source;
  group->target = target;
  if (map->last_group)
    map->last_group->next = group;
  else
    map->groups = group;
  map->last_group = group;
  return group;
}

static struct concept_row *row_of(struct concept_map *map, struct arena *arena,
                                  const struct concept_group *group, struct str code, uint32_t at) {
  struct concept_row *first = map_get(&map->rows, code), *last = NULL;
  for (struct concept_row *row = first; row; last = row, row = row->next)
    if (str_eq(row->source_system, group->source)) return row;
  struct concept_row *row = ARENA_NEW(arena, struct concept_row);
  if (!row) return NULL;
  row->source_system = group->source;
  row->source = map->source;
  row->at = at;
  if (last)
    last->next = row;
  else if (map_put(&map->rows, code, row) != STATUS_OK)
    return NULL;
  return row;
}

bool fml_concept_add(struct concept_map *map, struct arena *arena, const struct concept_group *group,
                     struct str code, uint32_t at, struct concept_target *target) {
  struct concept_row *row = row_of(map, arena, group, code, at);
  if (!row) return false;
  struct concept_target **end = &row->targets;
  while (*end)
    end = &(*end)->next;
  *end = target;
  return true;
}

/* --- reading ---------------------------------------------------------------------------------------------
 */

struct reader {
  struct arena *arena;
  const struct source *source;
  struct diag_list *diags;
  struct concept_map *map;
  bool nomem;
};

static void fault(const struct reader *r, const struct tree_node *node, const char *what) {
  struct diag_at at = {.source = r->source, .offset = tree_offset(node)};
  diag_error(r->diags, DIAG_CONCEPTMAP_INVALID, &at, "%s", what);
}

static struct str keep(struct reader *r, struct str text) {
  struct str copy = text.len ? arena_str(r->arena, text) : STR("");
  if (!copy.ptr) r->nomem = true;
  return copy;
}

/* A member with a slip in its name would be passed over, and its code lost. Names of R4 and of R5. */
static void check_members(const struct reader *r, const struct tree_node *node, const char *const *names) {
  for (const struct tree_node *member = node->child; member; member = member->next) {
    struct str name = member->name, near = {0};
    bool known = str_starts(name, STR("_")) || str_is(name, "id") || str_is(name, "extension");
    for (size_t i = 0; names[i] && !known; i++)
      known = str_is(name, names[i]);
    for (size_t i = 0; names[i] && !known; i++)
      if (str_distance(name, str_of(names[i]), 3) < 3) near = str_of(names[i]);
    struct diag_at at = {.source = r->source, .offset = tree_offset(member)};
    if (!known)
      diag_error(r->diags, DIAG_CONCEPTMAP_INVALID, &at, "no member '%.*s' is known here%.*s",
                 STR_ARG(diag_quote(r->arena, name)), STR_ARG(fml_hint(r->arena, near)));
  }
}

static void check_equivalence(const struct reader *r, const struct tree_node *node, struct str word) {
  static const char *const words[] = {"equivalent",     "equal",
                                      "wider",          "narrower",
                                      "subsumes",       "specializes",
                                      "relatedto",      "inexact",
                                      "unmatched",      "disjoint",
                                      "related-to",     "source-is-narrower-than-target",
                                      "not-related-to", "source-is-broader-than-target"};
  struct str near = {0};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (str_is(word, words[i])) return;
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (str_distance(word, str_of(words[i]), 3) < 3) near = str_of(words[i]);
  struct diag_at at = {.source = r->source, .offset = tree_offset(node)};
  if (word.len)
    diag_error(r->diags, DIAG_CONCEPTMAP_INVALID, &at, "'%.*s' is no equivalence%.*s",
               STR_ARG(diag_quote(r->arena, word)), STR_ARG(fml_hint(r->arena, near)));
}

/* What `ketlink terms --draft` writes for a word, before somebody has decided: no code is meant only when the
 * comment is gone. Until then the word is unknown, as it was. */
static bool is_unfinished(struct reader *r, const struct tree_node *target) {
  bool unmatched = str_is(tree_text(target, "equivalence"), "unmatched");
  if (!unmatched || !str_starts(tree_text(target, "comment"), STR(MAPPING_FILL_IN))) return false;
  if (tree_text(target, "code").len)
    fault(r, target,
          "this target has a code now: write equivalent, wider or narrower in place of unmatched, and remove the "
          "comment");
  r->map->unfinished++;
  return true;
}

static void read_target(struct reader *r, const struct concept_group *group, struct str code,
                        const struct tree_node *node) {
  struct str equivalence = tree_text(node, "equivalence");
  if (equivalence.len == 0) equivalence = tree_text(node, "relationship");
  static const char *const members[] = {"code",      "display",   "equivalence", "relationship", "comment",
                                        "dependsOn", "product", "property",    "valueSet",     NULL};
  check_members(r, node, members);
  check_equivalence(r, node, equivalence);
  bool none = str_is(equivalence, "unmatched") || str_is(equivalence, "disjoint");
  struct concept_target *target = ARENA_NEW(r->arena, struct concept_target);
  if (!target) {
    r->nomem = true;
    return;
  }
  target->system = group->target;
  target->code = keep(r, tree_text(node, "code"));
  target->display = keep(r, tree_text(node, "display"));
  target->equivalence = keep(r, equivalence);
  if (target->code.len == 0 && !none)
    fault(r, node, "this target has no code; 'unmatched' says that none is meant");
  uint32_t at = (uint32_t)tree_offset(node->parent);
  if (!r->nomem && !fml_concept_add(r->map, r->arena, group, code, at, target)) r->nomem = true;
}

static void read_element(struct reader *r, const struct concept_group *group, const struct tree_node *node) {
  static const char *const members[] = {"code", "display", "target", "noMap", "property", "valueSet", NULL};
  check_members(r, node, members);
  struct str code = keep(r, tree_text(node, "code"));
  if (code.len == 0) {
    fault(r, node, "this element has no code");
    return;
  }
  for (const struct concept_row *row = map_get(&r->map->rows, code); row; row = row->next)
    if (str_eq(row->source_system, group->source)) {
      struct diag_at at = {.source = r->source, .offset = tree_offset(node)};
      diag_error(r->diags, DIAG_CONCEPTMAP_INVALID, &at, "the code '%.*s' has two elements in this group",
                 STR_ARG(code));
      return;
    }
  const struct tree_node *target = tree_find(node, "target");
  if (target && is_unfinished(r, target)) return;
  if (!target && !row_of(r->map, r->arena, group, code, (uint32_t)tree_offset(node))) r->nomem = true;
  for (; target; target = tree_next_same(target))
    read_target(r, group, code, target);
}

static void read_unmapped(struct reader *r, struct concept_group *group, const struct tree_node *node) {
  static const struct {
    const char *word;
    enum concept_unmapped mode;
  } modes[] = {{"provided", CONCEPT_PROVIDED},
               {"use-source-code", CONCEPT_PROVIDED},
               {"fixed", CONCEPT_FIXED},
               {"other-map", CONCEPT_OTHER}};
  static const char *const members[] = {"mode", "code", "display", "url", "valueSet", "relationship", "otherMap", NULL};
  check_members(r, node, members);
  struct str mode = tree_text(node, "mode");
  for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
    if (str_is(mode, modes[i].word)) group->unmapped = modes[i].mode;
  group->code = keep(r, tree_text(node, "code"));
  group->display = keep(r, tree_text(node, "display"));
  group->other = keep(r, tree_text(node, "url"));
  group->at = (uint32_t)tree_offset(node);
  if (group->unmapped == CONCEPT_NONE) fault(r, node, "mode is one of provided, fixed and other-map");
  if (group->unmapped == CONCEPT_FIXED && group->code.len == 0) fault(r, node, "mode fixed needs a code");
  if (group->unmapped == CONCEPT_OTHER && group->other.len == 0) fault(r, node, "mode other-map needs a url");
}

static void read_group(struct reader *r, const struct tree_node *node) {
  static const char *const members[] = {"source", "sourceVersion", "target", "targetVersion", "element", "unmapped", NULL};
  check_members(r, node, members);
  struct str source = keep(r, tree_text(node, "source")), target = keep(r, tree_text(node, "target"));
  struct concept_group *group = r->nomem ? NULL : fml_concept_group(r->map, r->arena, source, target);
  if (!group) {
    r->nomem = true;
    return;
  }
  for (const struct tree_node *e = tree_find(node, "element"); e && !r->nomem; e = tree_next_same(e))
    read_element(r, group, e);
  const struct tree_node *unmapped = tree_find(node, "unmapped");
  if (unmapped) read_unmapped(r, group, unmapped);
}

static enum status read_map(struct reader *r, const struct tree_node *root, struct str url) {
  static const char *const members[] = {
      "resourceType", "meta", "implicitRules", "language", "text", "contained", "modifierExtension", "url", "identifier", "version",
      "versionAlgorithmString", "versionAlgorithmCoding", "name", "title", "status", "experimental", "date", "publisher", "contact",
      "description", "useContext", "jurisdiction", "purpose", "copyright", "copyrightLabel", "approvalDate", "lastReviewDate",
      "effectivePeriod", "topic", "author", "editor", "reviewer", "endorser", "relatedArtifact", "property", "additionalAttribute",
      "sourceUri", "sourceCanonical", "sourceScopeUri", "sourceScopeCanonical", "targetUri", "targetCanonical", "targetScopeUri",
      "targetScopeCanonical", "group", NULL};
  check_members(r, root, members);
  r->map = fml_concept_new(r->arena, url);
  if (!r->map) return STATUS_NOMEM;
  r->map->source = r->source;
  r->map->supplements = keep(r, fml_concept_supplements(root));
  for (const struct tree_node *g = tree_find(root, "group"); g && !r->nomem; g = tree_next_same(g))
    read_group(r, g);
  return r->nomem ? STATUS_NOMEM : STATUS_OK;
}

enum status fml_concept_read(struct mapping_set *set, const struct source *source, struct tree_node *root,
                             struct diag_list *diags) {
  struct reader r = {.arena = set->arena, .source = source, .diags = diags};
  struct str url = keep(&r, tree_text(root, "url"));
  if (r.nomem) return STATUS_NOMEM;
  if (url.len == 0) {
    fault(&r, root, "the ConceptMap has no url");
    return STATUS_OK;
  }
  enum status status = read_map(&r, root, url);
  if (status == STATUS_OK) status = map_put(&set->concept_maps, url, r.map);
  if (status != STATUS_CONFLICT) return status;
  const struct concept_map *other = map_get(&set->concept_maps, url);
  struct diag_at at = {.source = source, .offset = tree_offset(root)};
  diag_error(diags, DIAG_CONCEPTMAP_INVALID, &at, "another ConceptMap has the same url: %.*s", STR_ARG(other->source->name));
  return STATUS_OK;
}

enum status fml_concept_read_inline(struct mapping_set *set, struct mapping_map *map, struct tree_node *root,
                                    struct diag_list *diags) {
  struct reader r = {.arena = set->arena, .source = &map->source, .diags = diags};
  struct str id = keep(&r, tree_text(root, "id")), url = keep(&r, tree_text(root, "url"));
  if (r.nomem) return STATUS_NOMEM;
  if (id.len == 0) {
    fault(&r, root, "a contained ConceptMap has an id");
    return STATUS_OK;
  }
  enum status status = read_map(&r, root, url);
  if (status != STATUS_OK) return status;
  r.map->id = id;
  r.map->next_inline = map->concept_maps;
  map->concept_maps = r.map;
  return STATUS_OK;
}

void fml_concept_check(const struct mapping_set *set, struct diag_list *diags) {
  for (size_t i = 0; i < set->concept_maps.count; i++) {
    const struct concept_map *map = set->concept_maps.entries[i].value;
    for (const struct concept_group *g = map->groups; g; g = g->next) {
      if (g->unmapped != CONCEPT_OTHER || map_get(&set->concept_maps, g->other)) continue;
      struct diag_at at = {.source = map->source, .offset = g->at};
      diag_error(diags, DIAG_MAP_UNKNOWN_CONCEPTMAP, &at, "no ConceptMap '%.*s' is loaded",
                 STR_ARG(g->other));
    }
  }
}

/* --- lookup ----------------------------------------------------------------------------------------------
 */

bool fml_concept_usable(const struct concept_target *target) {
  return target->code.len != 0 && !str_is(target->equivalence, "unmatched") &&
         !str_is(target->equivalence, "disjoint") && !str_is(target->equivalence, "not-related-to");
}

static const struct concept_target *find(const struct mapping_set *set, const struct concept_map *map,
                                         struct concept_lookup *lookup, unsigned depth);

static const struct concept_target *find_unmapped(const struct mapping_set *set,
                                                  const struct concept_map *map,
                                                  struct concept_lookup *lookup, unsigned depth) {
  for (const struct concept_group *g = map->groups; g; g = g->next) {
    bool here = lookup->system.len == 0 || str_eq(g->source, lookup->system);
    if (!here || g->unmapped == CONCEPT_NONE) continue;
    if (g->unmapped == CONCEPT_OTHER) {
      const struct concept_map *other = map_get(&set->concept_maps, g->other);
      if (other && depth < OTHER_MAP_DEPTH) return find(set, other, lookup, depth + 1);
      continue;
    }
    bool provided = g->unmapped == CONCEPT_PROVIDED;
    lookup->known = true;
    lookup->mark = g->mark;
    lookup->answer =
        (struct concept_target){.system = provided && g->target.len == 0 ? lookup->system : g->target,
                                .code = provided ? lookup->code : g->code,
                                .display = provided ? STR("") : g->display,
                                .equivalence = STR("inexact")};
    return &lookup->answer;
  }
  return NULL;
}

static const struct concept_target *find(const struct mapping_set *set, const struct concept_map *map,
                                         struct concept_lookup *lookup, unsigned depth) {
  for (const struct concept_row *row = map_get(&map->rows, lookup->code); row; row = row->next) {
    if (lookup->system.len && !str_eq(row->source_system, lookup->system)) continue;
    lookup->known = true;
    lookup->mark = row->mark;
    for (const struct concept_target *target = row->targets; target; target = target->next)
      if (fml_concept_usable(target)) return target;
  }
  return lookup->known ? NULL : find_unmapped(set, map, lookup, depth);
}

const struct concept_target *fml_concept_find(const struct mapping_set *set, const struct concept_map *map,
                                              struct concept_lookup *lookup) {
  lookup->known = false;
  return find(set, map, lookup, 0);
}

bool mapping_translate(const struct mapping_set *set, struct str concept_map, struct str system,
                       struct str code, struct mapping_concept *out) {
  const struct concept_map *map = map_get(&set->concept_maps, concept_map);
  for (const struct concept_row *row = map ? map_get(&map->rows, code) : NULL; row; row = row->next) {
    if (system.len && !str_eq(row->source_system, system)) continue;
    for (const struct concept_target *target = row->targets; target; target = target->next) {
      if (!fml_concept_usable(target)) continue;
      *out = (struct mapping_concept){target->system, target->code, target->display, target->equivalence};
      return true;
    }
  }
  return false;
}
