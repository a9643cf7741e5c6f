/*
 * cover.c - coverage: numbers what is counted, and gathers after each run what was read and written.
 *
 * Rules, conditions, targets, groups and ConceptMap rows have marks (indices into one array of counters),
 * given once when a set is loaded; a run adds to them. What was read of a source stands in its nodes.
 */
#include "mapping/internal.h"

enum { COVER_DEPTH = 64 };

/* --- numbering -------------------------------------------------------------------------------------------
 */

static uint32_t take(struct mapping_set *set, uint32_t count) {
  uint32_t mark = set->mark_count;
  set->mark_count += count;
  return mark;
}

static void number_rules(struct mapping_set *set, struct ast_rule *rule) {
  for (; rule; rule = rule->next) {
    rule->mark = take(set, FML_RULE_MARKS);
    for (struct ast_source *s = rule->sources; s; s = s->next)
      s->mark = take(set, FML_SOURCE_MARKS);
    for (struct ast_target *t = rule->targets; t; t = t->next)
      t->mark = take(set, 1);
    number_rules(set, rule->rules); /* no deeper than the parser lets rules nest */
  }
}

static void number_concept_map(struct mapping_set *set, struct concept_map *map) {
  for (size_t i = 0; i < map->rows.count; i++)
    for (struct concept_row *row = map->rows.entries[i].value; row; row = row->next)
      row->mark = take(set, 1);
  for (struct concept_group *group = map->groups; group; group = group->next)
    group->mark = take(set, 1);
}

void fml_number(struct mapping_set *set) {
  for (size_t i = 0; i < set->map_count; i++) {
    for (struct ast_group *group = set->maps[i]->groups; group; group = group->next) {
      group->mark = take(set, 1);
      number_rules(set, group->rules);
    }
    for (struct concept_map *map = set->maps[i]->concept_maps; map; map = map->next_inline)
      number_concept_map(set, map);
  }
  for (size_t i = 0; i < set->concept_maps.count; i++)
    number_concept_map(set, set->concept_maps.entries[i].value);
}

struct mapping_coverage *mapping_coverage_new(const struct mapping_set *set, struct arena *arena) {
  struct mapping_coverage *coverage = ARENA_NEW(arena, struct mapping_coverage);
  if (!coverage) return NULL;
  coverage->set = set;
  coverage->arena = arena;
  coverage->hits = ARENA_ARRAY(arena, uint32_t, set->mark_count + 1);
  map_init(&coverage->values, arena);
  map_init(&coverage->models, arena);
  map_init(&coverage->types, arena);
  map_init(&coverage->profiles, arena);
  return coverage->hits ? coverage : NULL;
}

/* --- sources ---------------------------------------------------------------------------------------------
 */

/* One source at work. */
struct reading {
  struct mapping_coverage *coverage;
  const struct source *text;
  struct str root, file;
};

static struct fml_value_seen *value_at(struct reading *r, const struct tree_node *node) {
  struct arena *arena = r->coverage->arena;
  struct arena_mark mark = arena_mark(arena);
  struct str path = tree_path_plain(node, r->root, arena);
  struct fml_value_seen *seen = path.ptr ? map_get(&r->coverage->values, path) : NULL;
  if (seen) {
    arena_rewind(arena, mark);
    return seen;
  }
  if (path.ptr) seen = ARENA_NEW(arena, struct fml_value_seen);
  if (!seen || map_put(&r->coverage->values, path, seen) != STATUS_OK) return NULL;
  seen->file = r->file;
  seen->position = source_locate(r->text, tree_offset(node));
  return seen;
}

static enum status read_values(struct reading *r, const struct tree_node *node) {
  bool leaf = node->kind != TREE_OBJECT && node->kind != TREE_NULL && !tree_is_meta(node);
  if (leaf) {
    struct fml_value_seen *seen = value_at(r, node);
    if (!seen) return STATUS_NOMEM;
    seen->count++;
    seen->read += (node->flags & TREE_READ) != 0;
  }
  enum status status = STATUS_OK;
  for (const struct tree_node *child = node->child; child && status == STATUS_OK; child = child->next)
    status = read_values(r, child);
  return status;
}

static enum status add_source(struct mapping_coverage *coverage, const struct source *text,
                              const struct tree_node *source) {
  const struct def_type *type = node_type(source);
  struct reading r = {.coverage = coverage, .text = text, .root = type ? def_type_name(type) : STR("")};
  r.file = text->name.len ? arena_str(coverage->arena, text->name) : STR("");
  if (!r.file.ptr) return STATUS_NOMEM;
  if (type && map_put(&coverage->models, r.root, (void *)(uintptr_t)type) == STATUS_NOMEM)
    return STATUS_NOMEM;
  return read_values(&r, source);
}

/* --- targets ---------------------------------------------------------------------------------------------
 */

/* What is known of one type, asked for by itself or by a profile. */
static struct fml_type_seen *type_at(struct mapping_coverage *coverage, const struct def_type *type,
                                     struct str profile) {
  struct arena *arena = coverage->arena;
  struct arena_mark mark = arena_mark(arena);
  struct str name = def_type_name(type);
  struct str key = profile.len ? arena_printf(arena, "%.*s %.*s", STR_ARG(profile), STR_ARG(name)) : name;
  struct fml_type_seen *seen = key.ptr ? map_get(&coverage->types, key) : NULL;
  if (seen) {
    arena_rewind(arena, mark);
    return seen;
  }
  if (key.ptr) seen = ARENA_NEW(arena, struct fml_type_seen);
  if (!seen) return NULL;
  *seen = (struct fml_type_seen){type, profile, ARENA_ARRAY(arena, bool, def_type_element_count(type) + 1)};
  return seen->written && map_put(&coverage->types, key, seen) == STATUS_OK ? seen : NULL;
}

static enum status add_node(struct mapping_coverage *coverage, const struct tree_node *node,
                            const struct def_type *type, struct str profile, unsigned depth);

static enum status add_children(struct mapping_coverage *coverage, const struct tree_node *node,
                                const struct def_type *type, struct str profile, unsigned depth) {
  enum status status = STATUS_OK;
  for (const struct tree_node *child = tree_first(node); child && status == STATUS_OK;
       child = tree_next(child)) {
    const struct def_type *next = node_type(child);
    if (profile.len) { /* a profile speaks of its own nested parts; data types and resources stand alone */
      const struct def_element *element = def_type_element(type, child->symbol);
      next = element && def_element_type_count(element) == 1 ? def_element_type(element, 0).type : NULL;
      if (next && def_type_kind(next) != DEF_NESTED) next = NULL;
    }
    if (next && child->kind == TREE_OBJECT) status = add_node(coverage, child, next, profile, depth + 1);
  }
  return status;
}

/* meta.profile: what it asks for counts too, when it is known. */
static enum status add_profiles(struct mapping_coverage *coverage, const struct tree_node *node,
                                unsigned depth) {
  const struct tree_node *meta = tree_find(node, "meta");
  const struct tree_node *named = meta ? tree_find(meta, "profile") : NULL;
  enum status status = STATUS_OK;
  for (; named && status == STATUS_OK; named = tree_next_same(named)) {
    const struct def_type *type = definitions_type(coverage->set->definitions, named->text);
    if (type && def_type_is_profile(type)) {
      status = add_node(coverage, node, type, def_type_name(type), depth);
      continue;
    }
    if (map_get(&coverage->profiles, named->text)) continue;
    struct str url = arena_str(coverage->arena, named->text);
    status = url.ptr ? map_put(&coverage->profiles, url, coverage) : STATUS_NOMEM;
  }
  return status;
}

static enum status add_node(struct mapping_coverage *coverage, const struct tree_node *node,
                            const struct def_type *type, struct str profile, unsigned depth) {
  if (depth > COVER_DEPTH) return STATUS_OK;
  struct fml_type_seen *seen = type_at(coverage, type, profile);
  if (!seen) return STATUS_NOMEM;
  for (size_t i = 0; i < def_type_element_count(type); i++) {
    uint32_t symbol = def_element_symbol(def_type_element_at(type, i));
    for (const struct tree_node *child = node->child; child && !seen->written[i]; child = child->next)
      seen->written[i] = child->symbol == symbol && !tree_is_meta(child);
  }
  enum status status = add_children(coverage, node, type, profile, depth);
  bool named = !profile.len && def_type_kind(type) == DEF_RESOURCE;
  return status == STATUS_OK && named ? add_profiles(coverage, node, depth) : status;
}

enum status mapping_coverage_add(struct mapping_coverage *coverage, const struct source *text,
                                 const struct tree_node *source, const struct tree_node *target) {
  enum status status = add_source(coverage, text, source);
  if (status != STATUS_OK || !target || !node_type(target)) return status;
  return add_node(coverage, target, node_type(target), STR(""), 0);
}
