/* link.c - resolves what maps say of each other and of the definitions: types, imports, groups. */
#include "mapping/internal.h"

struct str fml_hint(struct arena *arena, struct str nearest) {
  return nearest.len ? arena_printf(arena, "; did you mean '%.*s'?", STR_ARG(nearest)) : STR("");
}

void fml_fault(struct fml_compiler *c, enum diag_code code, uint32_t at, const char *format, ...) {
  struct arena *arena = c->set->arena;
  struct str key = arena_printf(arena, "%.*s:%u:%d", STR_ARG(c->map->source.name), at, (int)code);
  enum status status = key.ptr ? map_put(&c->reported, key, c) : STATUS_NOMEM;
  if (status == STATUS_NOMEM) c->nomem = true;
  if (status != STATUS_OK) return;
  va_list args;
  va_start(args, format);
  struct str text = arena_vprintf(arena, format, args);
  va_end(args);
  if (!text.ptr) c->nomem = true;
  struct diag_at where = {.source = &c->map->source, .offset = at};
  diag_error(c->diags, code, &where, "%.*s", STR_ARG(text));
}

const struct def_type *fml_resolve_type(const struct mapping_set *set, const struct mapping_map *map,
                                        struct str name) {
  for (const struct ast_uses *uses = map->uses; uses; uses = uses->next)
    if (str_eq(uses->alias.text, name)) return uses->type;
  const struct def_type *type = definitions_type(set->definitions, name);
  return type ? def_type_constrained(type) : NULL;
}

static void resolve_uses(struct fml_compiler *c, struct mapping_map *map) {
  for (struct ast_uses *uses = map->uses; uses; uses = uses->next) {
    const struct def_type *type = definitions_type(c->set->definitions, uses->url.text);
    if (type) {
      uses->type = def_type_constrained(type);
      continue;
    }
    size_t slash = uses->url.text.len;
    while (slash > 0 && uses->url.text.ptr[slash - 1] != '/')
      slash--;
    struct str name = str_slice(uses->url.text, slash, uses->url.text.len);
    struct str nearest = definitions_nearest_type(c->set->definitions, name);
    fml_fault(c, DIAG_MAP_UNKNOWN_TYPE, uses->url.at, "no structure '%.*s' is known%.*s",
              STR_ARG(uses->url.text), STR_ARG(fml_hint(c->set->arena, nearest)));
  }
}

bool fml_import_matches(struct str mask, struct str url) {
  size_t star = str_find_char(mask, '*', 0);
  if (star == SIZE_MAX) return str_eq(mask, url);
  struct str head = str_slice(mask, 0, star), tail = str_slice(mask, star + 1, mask.len);
  return url.len >= head.len + tail.len && str_starts(url, head) && str_ends(url, tail);
}

static void resolve_imports(struct fml_compiler *c, struct mapping_map *map) {
  struct mapping_set *set = c->set;
  if (!map->imports) return;
  map->import_list = ARENA_ARRAY(set->arena, struct mapping_map *, set->map_count);
  if (!map->import_list) {
    c->nomem = true;
    return;
  }
  for (const struct ast_import *import = map->imports; import; import = import->next) {
    bool found = false;
    for (size_t i = 0; i < set->map_count; i++) {
      if (!fml_import_matches(import->url.text, set->maps[i]->url)) continue;
      found = true;
      bool there = set->maps[i] == map;
      for (size_t k = 0; k < map->import_count; k++)
        there = there || map->import_list[k] == set->maps[i];
      if (!there) map->import_list[map->import_count++] = set->maps[i];
    }
    if (found) continue;
    struct str nearest = map_nearest(&set->by_url, import->url.text);
    fml_fault(c, DIAG_MAP_UNKNOWN_IMPORT, import->url.at, "no map '%.*s' is loaded%.*s",
              STR_ARG(import->url.text), STR_ARG(fml_hint(set->arena, nearest)));
  }
}

static void name_groups(struct fml_compiler *c, struct mapping_map *map) {
  map_init(&map->group_names, c->set->arena);
  for (struct ast_group *group = map->groups; group; group = group->next) {
    enum status status = map_put(&map->group_names, group->name.text, group);
    if (status == STATUS_NOMEM) c->nomem = true;
    if (status == STATUS_CONFLICT)
      fml_fault(c, DIAG_MAP_DUPLICATE, group->name.at, "a group '%.*s' exists already in this map",
                STR_ARG(group->name.text));
  }
}

/* --- groups by name --------------------------------------------------------------------------------------
 */

static struct str nearest_group(struct fml_compiler *c, const struct mapping_map *map, struct str name) {
  struct map all;
  map_init(&all, c->set->arena);
  for (size_t i = 0; i <= map->import_count; i++) {
    const struct mapping_map *from = i == 0 ? map : map->import_list[i - 1];
    for (struct ast_group *g = from->groups; g; g = g->next)
      if (map_put(&all, g->name.text, g) == STATUS_NOMEM) c->nomem = true;
  }
  return map_nearest(&all, name);
}

/* "; it is in NAME, which is not imported", or the name most like it. */
static struct str hint_of_group(struct fml_compiler *c, const struct mapping_map *map, struct str name) {
  for (size_t i = 0; i < c->set->map_count; i++) {
    const struct mapping_map *other = c->set->maps[i];
    if (other == map || !map_get(&other->group_names, name)) continue;
    struct str text = arena_printf(c->set->arena, "; it is in %.*s, which is not imported", STR_ARG(other->url));
    return text.ptr ? text : (struct str){0};
  }
  return fml_hint(c->set->arena, nearest_group(c, map, name));
}

struct ast_group *fml_find_group(struct fml_compiler *c, const struct mapping_map *map,
                                 struct ast_name name) {
  struct ast_group *found = map_get(&map->group_names, name.text);
  for (size_t i = 0; i < map->import_count && (!found || found->map != map); i++) {
    struct ast_group *group = map_get(&map->import_list[i]->group_names, name.text);
    if (group && found)
      fml_fault(c, DIAG_MAP_DUPLICATE, name.at, "the group '%.*s' is in two imported maps, %.*s and %.*s",
                STR_ARG(name.text), STR_ARG(found->map->url), STR_ARG(group->map->url));
    if (group && !found) found = group;
  }
  if (!found)
    fml_fault(c, DIAG_MAP_UNKNOWN_GROUP, name.at, "no group '%.*s' in this map or its imports%.*s",
              STR_ARG(name.text), STR_ARG(hint_of_group(c, map, name.text)));
  return found;
}

/* --- default groups --------------------------------------------------------------------------------------
 */

static const struct def_type *param_type(const struct fml_compiler *c, const struct ast_group *group,
                                         size_t index) {
  const struct ast_param *param = group->params;
  while (index-- > 0 && param)
    param = param->next;
  return param && param->type.text.len ? fml_resolve_type(c->set, group->map, param->type.text) : NULL;
}

/* 0: no match; 1: by supertypes; 2: exact. */
static int match(const struct fml_compiler *c, const struct ast_group *group, const struct def_type *source,
                 const struct def_type *target) {
  if (group->type_mode == AST_NO_TYPES || (!target && group->type_mode != AST_TYPE_PLUS)) return 0;
  if (group->param_count != 2 || group->params->is_target || !group->params->next->is_target) return 0;
  const struct def_type *from = param_type(c, group, 0), *to = param_type(c, group, 1);
  if (!from || !to) return 0;
  if (from == source && (!target || to == target)) return 2;
  return def_type_is(source, from) && (!target || def_type_is(target, to)) ? 1 : 0;
}

/* The best group of one map; two equally good ones are a fault. */
static struct ast_group *best_of(struct fml_compiler *c, const struct mapping_map *map,
                                 const struct def_type *source, const struct def_type *target, uint32_t at,
                                 struct ast_group *best, int *score) {
  for (struct ast_group *group = map->groups; group; group = group->next) {
    int s = match(c, group, source, target);
    bool closer = s == 1 && *score == 1 && best && param_type(c, group, 0) != param_type(c, best, 0) &&
                  def_type_is(param_type(c, group, 0), param_type(c, best, 0));
    if (s == *score && s > 0 && !closer && group != best &&
        (s == 2 || param_type(c, group, 0) == param_type(c, best, 0)))
      fml_fault(c, DIAG_MAP_DUPLICATE, at, "two default groups fit: %.*s and %.*s", STR_ARG(best->name.text),
                STR_ARG(group->name.text));
    if (s > *score || closer) {
      best = group;
      *score = s;
    }
  }
  return best;
}

struct ast_group *fml_default_group(struct fml_compiler *c, const struct mapping_map *map,
                                    const struct def_type *source, const struct def_type *target,
                                    uint32_t at) {
  int score = 0;
  struct ast_group *best = best_of(c, map, source, target, at, NULL, &score);
  if (score == 2) return best;
  for (size_t i = 0; i < map->import_count; i++)
    best = best_of(c, map->import_list[i], source, target, at, best, &score);
  return best;
}

/* --- the whole set ---------------------------------------------------------------------------------------
 */

enum { EXTENDS_DEPTH = 32 };

static struct ast_group *parent_of(const struct ast_group *group) {
  struct ast_group *parent = map_get(&group->map->group_names, group->parent.text);
  for (size_t i = 0; i < group->map->import_count && !parent; i++)
    parent = map_get(&group->map->import_list[i]->group_names, group->parent.text);
  return parent;
}

/* A cycle of `extends` is broken, so that compiling ends. */
static void check_extends(struct fml_compiler *c, struct ast_group *group) {
  struct ast_group *up = group;
  for (int i = 0; i < EXTENDS_DEPTH; i++) {
    up = up->parent.text.len ? parent_of(up) : NULL;
    if (!up) return;
  }
  fml_fault(c, DIAG_MAP_CYCLE, group->parent.at,
            "the group '%.*s' extends itself in the end, or nests over %d", STR_ARG(group->name.text),
            EXTENDS_DEPTH);
  group->parent.text = STR("");
}

static void check_params(struct fml_compiler *c, const struct ast_group *group) {
  for (const struct ast_param *param = group->params; param; param = param->next) {
    if (!param->type.text.len || fml_resolve_type(c->set, group->map, param->type.text)) continue;
    bool aliased = false; /* an alias whose structure is unknown has been reported there */
    for (const struct ast_uses *uses = c->map->uses; uses; uses = uses->next)
      aliased = aliased || str_eq(uses->alias.text, param->type.text);
    if (aliased) continue;
    struct str nearest = definitions_nearest_type(c->set->definitions, param->type.text);
    fml_fault(c, DIAG_MAP_UNKNOWN_TYPE, param->type.at, "no type '%.*s' is known%.*s",
              STR_ARG(param->type.text), STR_ARG(fml_hint(c->set->arena, nearest)));
  }
}

static void start_group(struct fml_compiler *c, struct mapping_map *map) {
  struct fml_type types[8] = {{0}};
  struct ast_group *group = map->groups;
  if (!group || group->param_count > sizeof types / sizeof types[0]) return;
  map->entry = fml_instance(c, group, types);
}

/* Groups that nothing reaches are compiled too, with what is declared: their faults count as well. */
static void compile_rest(struct fml_compiler *c) {
  for (size_t i = 0; i < c->set->map_count; i++)
    for (struct ast_group *group = c->set->maps[i]->groups; group; group = group->next) {
      if (group->instantiated) continue;
      struct fml_type *types = ARENA_ARRAY(c->set->arena, struct fml_type, group->param_count);
      c->map = c->set->maps[i];
      if (!types || !fml_instance(c, group, types)) c->nomem = true;
      fml_compile_pending(c);
    }
}

enum status fml_link(struct mapping_set *set, struct arena *scratch, struct diag_list *diags) {
  struct fml_compiler c = {.set = set, .scratch = scratch, .diags = diags};
  map_init(&c.reported, set->arena);
  for (size_t i = 0; i < set->map_count; i++) {
    c.map = set->maps[i];
    set->maps[i]->first_constant = set->constant_count;
    set->constant_count += set->maps[i]->constant_count;
    resolve_uses(&c, set->maps[i]);
    resolve_imports(&c, set->maps[i]);
    name_groups(&c, set->maps[i]);
  }
  for (size_t i = 0; i < set->map_count && !c.nomem; i++) {
    c.map = set->maps[i];
    for (struct ast_group *group = set->maps[i]->groups; group; group = group->next) {
      check_extends(&c, group);
      check_params(&c, group);
    }
  }
  /* All constants first: a group may call one of a map that comes later. */
  for (size_t i = 0; i < set->map_count && !c.nomem; i++)
    fml_compile_constants(&c, set->maps[i]);
  for (size_t i = 0; i < set->map_count && !c.nomem; i++) {
    c.map = set->maps[i];
    start_group(&c, set->maps[i]);
    fml_compile_pending(&c);
  }
  if (!c.nomem) compile_rest(&c);
  if (c.nomem) return STATUS_NOMEM;
  return STATUS_OK;
}
