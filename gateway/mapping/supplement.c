/*
 * supplement.c - ConceptMaps that add rows to another one: words of a clinic beside those that came with the
 * maps, in a file of their own. They add and never change: a word that has a row already must have the same.
 */
#include "mapping/internal.h"

struct str fml_concept_supplements(const struct tree_node *root) {
  for (const struct tree_node *e = tree_find(root, "extension"); e; e = tree_next_same(e))
    if (str_is(tree_text(e, "url"), MAPPING_SUPPLEMENTS_URL)) return tree_text(e, "valueCanonical");
  return STR("");
}

/* One supplement at its base. */
struct adding {
  struct mapping_set *set;
  struct concept_map *base, *supplement;
  struct diag_list *diags;
};

static bool same_targets(const struct concept_target *a, const struct concept_target *b) {
  for (; a && b; a = a->next, b = b->next)
    if (!str_eq(a->system, b->system) || !str_eq(a->code, b->code) || !str_eq(a->equivalence, b->equivalence))
      return false;
  return !a && !b;
}

static void conflict(const struct adding *adding, struct str code, const struct concept_row *row,
                     const struct concept_row *there) {
  struct diag_at at = {.source = row->source, .offset = row->at};
  uint32_t line = source_locate(there->source, there->at).line;
  diag_error(adding->diags, DIAG_CONCEPTMAP_INVALID, &at,
             "the word '%.*s' has another row at %.*s:%u; a supplement adds words and changes none",
             STR_ARG(diag_quote(adding->set->arena, code)), STR_ARG(there->source->name), line);
}

/* NOMEM, or OK with a diagnostic. */
static enum status add_row(const struct adding *adding, struct str code, struct concept_row *row) {
  struct concept_row *first = map_get(&adding->base->rows, code), *last = NULL;
  for (struct concept_row *there = first; there; last = there, there = there->next) {
    if (!str_eq(there->source_system, row->source_system)) continue;
    if (!same_targets(there->targets, row->targets)) conflict(adding, code, row, there);
    return STATUS_OK;
  }
  row->next = NULL;
  if (!last) return map_put(&adding->base->rows, code, row);
  last->next = row;
  return STATUS_OK;
}

static enum status add_rows(const struct adding *adding) {
  struct map *rows = &adding->supplement->rows;
  enum status status = STATUS_OK;
  for (size_t i = 0; status == STATUS_OK && i < rows->count; i++)
    for (struct concept_row *row = rows->entries[i].value, *next; status == STATUS_OK && row; row = next) {
      next = row->next;
      status = add_row(adding, rows->entries[i].key, row);
    }
  map_init(rows, adding->set->arena); /* they stand at the base now */
  return status;
}

static struct concept_map *find_base(const struct mapping_set *set, const struct concept_map *supplement,
                                     struct diag_list *diags) {
  struct concept_map *base = map_get(&set->concept_maps, supplement->supplements);
  struct diag_at at = {.source = supplement->source};
  if (base && !base->supplements.len) return base;
  if (base)
    diag_error(diags, DIAG_CONCEPTMAP_INVALID, &at, "it adds to %.*s, which adds to another itself: name %.*s",
               STR_ARG(base->url), STR_ARG(base->supplements));
  else
    diag_error(diags, DIAG_MAP_UNKNOWN_CONCEPTMAP, &at,
               "it adds to the ConceptMap '%.*s', which is not loaded%.*s",
               STR_ARG(diag_quote(set->arena, supplement->supplements)),
               STR_ARG(fml_hint(set->arena, map_nearest(&set->concept_maps, supplement->supplements))));
  return NULL;
}

static void check_groups(const struct concept_map *supplement, struct diag_list *diags) {
  for (const struct concept_group *group = supplement->groups; group; group = group->next) {
    struct diag_at at = {.source = supplement->source, .offset = group->at};
    if (group->unmapped != CONCEPT_NONE)
      diag_error(diags, DIAG_CONCEPTMAP_INVALID, &at,
                 "what becomes of other words is said by the ConceptMap that this one adds to");
  }
}

enum status fml_concept_supplement(struct mapping_set *set, struct diag_list *diags) {
  enum status status = STATUS_OK;
  for (size_t i = 0; status == STATUS_OK && i < set->concept_maps.count; i++) {
    struct adding adding = {.set = set, .supplement = set->concept_maps.entries[i].value, .diags = diags};
    if (!adding.supplement->supplements.len) continue;
    check_groups(adding.supplement, diags);
    adding.base = find_base(set, adding.supplement, diags);
    if (adding.base) status = add_rows(&adding);
  }
  return status;
}

/* --- for who lists what is missing -----------------------------------------------------------------------
 */

size_t mapping_unfinished(const struct mapping_set *set) {
  size_t count = 0;
  for (size_t i = 0; i < set->concept_maps.count; i++)
    count += ((const struct concept_map *)set->concept_maps.entries[i].value)->unfinished;
  return count;
}

bool mapping_concept_group(const struct mapping_set *set, struct str concept_map, size_t index,
                           struct str *source, struct str *target) {
  const struct concept_map *map = map_get(&set->concept_maps, concept_map);
  const struct concept_group *group = map ? map->groups : NULL;
  while (group && index--)
    group = group->next;
  if (!group) return false;
  *source = group->source;
  *target = group->target;
  return true;
}

bool mapping_has_concept_map(const struct mapping_set *set, struct str concept_map) {
  return map_get(&set->concept_maps, concept_map) != NULL;
}

struct str mapping_nearest_word(const struct mapping_set *set, struct str concept_map, struct str word) {
  const struct concept_map *map = map_get(&set->concept_maps, concept_map);
  return map ? map_nearest(&map->rows, word) : (struct str){0};
}
