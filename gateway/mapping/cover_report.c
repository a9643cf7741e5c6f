/* cover_report.c - coverage told: of each kind how much there is, how much was covered, and what was not. */
#include "mapping/internal.h"

enum { MODEL_DEPTH = 16 };

struct telling {
  const struct mapping_coverage *coverage;
  struct arena *arena;
  struct mapping_cover_report *out;
  const struct mapping_map *map; /* at hand */
  bool nomem;
};

static struct mapping_cover_miss *miss(struct telling *t, enum mapping_cover kind, struct str name,
                                       struct str detail) {
  struct mapping_cover_part *part = &t->out->parts[kind];
  struct mapping_cover_miss *m = ARENA_NEW(t->arena, struct mapping_cover_miss);
  if (!m || !detail.ptr) {
    t->nomem = true;
    return NULL;
  }
  m->name = name;
  m->detail = detail;
  *part->end = m;
  part->end = &m->next;
  return m;
}

static void count(struct telling *t, enum mapping_cover kind, bool covered) {
  t->out->parts[kind].total++;
  t->out->parts[kind].covered += covered;
}

static void miss_at(struct telling *t, enum mapping_cover kind, const struct source *source, uint32_t at,
                    struct str name, struct str detail) {
  struct mapping_cover_miss *m = miss(t, kind, name, detail);
  if (!m) return;
  m->file = source->name;
  m->position = source_locate(source, at);
}

/* --- rules and branches ----------------------------------------------------------------------------------
 */

/* A branch of a rule that ran; those of a rule that never ran go without saying. */
static void branch(struct telling *t, const struct ast_rule *rule, bool covered, uint32_t at,
                   struct str detail) {
  count(t, MAPPING_COVER_BRANCHES, covered);
  if (covered || t->coverage->hits[rule->mark + FML_FIRED] == 0) return;
  miss_at(t, MAPPING_COVER_BRANCHES, &t->map->source, at, rule->name.text, detail);
}

static struct str text_of(const struct telling *t, struct ast_range range) {
  return str_slice(t->map->source.text, range.from, range.to);
}

static void tell_source(struct telling *t, const struct ast_rule *rule, const struct ast_source *source) {
  const uint32_t *hits = t->coverage->hits + source->mark;
  if (source->where.from != source->where.to) {
    struct str text = text_of(t, source->where);
    branch(t, rule, hits[FML_WHERE_TRUE] != 0, source->where.from, STR("its condition was never true"));
    branch(t, rule, hits[FML_WHERE_FALSE] != 0, source->where.from,
           arena_printf(t->arena, "never false: where %.*s", STR_ARG(text)));
  }
  if (source->fallback.from == source->fallback.to) return;
  branch(t, rule, hits[FML_DEFAULT_USED] != 0, source->fallback.from, STR("its default was never used"));
  branch(t, rule, hits[FML_DEFAULT_UNUSED] != 0, source->fallback.from,
         STR("its default was always used: no source has the element"));
}

static struct str target_text(const struct telling *t, const struct ast_target *target) {
  const struct ast_step *step = target->path;
  while (step && step->next)
    step = step->next;
  if (!step) return arena_printf(t->arena, "%.*s gave nothing", STR_ARG(target->transform.text));
  return arena_printf(t->arena, "%.*s.%.*s was never written", STR_ARG(target->context.text),
                      STR_ARG(step->name.text));
}

static struct str why_never(const struct telling *t, const struct ast_rule *rule) {
  if (t->coverage->hits[rule->mark + FML_REACHED] == 0) return STR("never reached");
  for (const struct ast_source *s = rule->sources; s; s = s->next)
    if (s->where.from != s->where.to && t->coverage->hits[s->mark + FML_WHERE_FALSE] &&
        !t->coverage->hits[s->mark + FML_WHERE_TRUE])
      return arena_printf(t->arena, "never true: where %.*s", STR_ARG(text_of(t, s->where)));
  return STR("reached, but no source had an item for it");
}

static void tell_rules(struct telling *t, const struct ast_rule *rule) {
  for (; rule && !t->nomem; rule = rule->next) {
    bool fired = t->coverage->hits[rule->mark + FML_FIRED] != 0;
    count(t, MAPPING_COVER_RULES, fired);
    if (!fired)
      miss_at(t, MAPPING_COVER_RULES, &t->map->source, rule->at, rule->name.text, why_never(t, rule));
    for (const struct ast_source *s = rule->sources; s; s = s->next)
      tell_source(t, rule, s);
    for (const struct ast_target *target = rule->targets; target; target = target->next)
      branch(t, rule, t->coverage->hits[target->mark] != 0, target->at, target_text(t, target));
    tell_rules(t, rule->rules);
  }
}

static void tell_map(struct telling *t, const struct mapping_map *map) {
  t->map = map;
  for (const struct ast_group *group = map->groups; group && !t->nomem; group = group->next) {
    bool called = t->coverage->hits[group->mark] != 0;
    count(t, MAPPING_COVER_BRANCHES, called);
    if (!called)
      miss_at(t, MAPPING_COVER_BRANCHES, &map->source, group->name.at, group->name.text,
              STR("the group was never called"));
    tell_rules(t, group->rules);
  }
}

/* --- concept maps ----------------------------------------------------------------------------------------
 */

static void tell_concept_map(struct telling *t, const struct concept_map *map) {
  struct str name = map->id.len ? map->id : map->url;
  for (size_t i = 0; i < map->rows.count; i++)
    for (const struct concept_row *row = map->rows.entries[i].value; row; row = row->next) {
      bool used = t->coverage->hits[row->mark] != 0;
      count(t, MAPPING_COVER_ROWS, used);
      if (!used)
        miss_at(t, MAPPING_COVER_ROWS, row->source, row->at, map->rows.entries[i].key,
                arena_printf(t->arena, "never used in %.*s", STR_ARG(name)));
    }
  for (const struct concept_group *group = map->groups; group; group = group->next) {
    if (group->unmapped == CONCEPT_NONE) continue;
    bool used = t->coverage->hits[group->mark] != 0;
    count(t, MAPPING_COVER_ROWS, used || group->unmapped == CONCEPT_OTHER);
    if (!used && group->unmapped != CONCEPT_OTHER)
      miss_at(t, MAPPING_COVER_ROWS, map->source, group->at, STR("unmapped"),
              arena_printf(t->arena, "its rule for unmapped codes was never used in %.*s", STR_ARG(name)));
  }
}

/* --- sources and models ----------------------------------------------------------------------------------
 */

static void tell_values(struct telling *t) {
  const struct map *values = &t->coverage->values;
  for (size_t i = 0; i < values->count && !t->nomem; i++) {
    const struct fml_value_seen *seen = values->entries[i].value;
    count(t, MAPPING_COVER_VALUES, seen->read != 0);
    if (seen->read) continue;
    struct mapping_cover_miss *m = miss(
        t, MAPPING_COVER_VALUES, values->entries[i].key,
        arena_printf(t->arena, "no rule reads it (%zu value%s)", seen->count, seen->count == 1 ? "" : "s"));
    if (!m) return;
    m->file = seen->file;
    m->position = seen->position;
  }
}

/* `id` and `extension` that a part has only because every element of FHIR has them. */
static bool is_inherited(const struct def_type *type, const struct def_element *element) {
  struct str path = def_element_path(element);
  return !str_starts(path, def_type_name(type));
}

static void tell_model(struct telling *t, const struct def_type *type, struct str path, unsigned depth) {
  for (size_t i = 0; i < def_type_element_count(type) && !t->nomem && depth < MODEL_DEPTH; i++) {
    const struct def_element *element = def_type_element_at(type, i);
    if (is_inherited(type, element)) continue;
    for (size_t k = 0; k < def_element_type_count(element); k++) {
      struct def_type_ref ref = def_element_type(element, k);
      struct str place = arena_printf(t->arena, "%.*s.%.*s", STR_ARG(path), STR_ARG(ref.json_name));
      if (!place.ptr) t->nomem = true;
      if (!place.ptr || !ref.type) continue;
      if (def_type_kind(ref.type) == DEF_NESTED) {
        tell_model(t, ref.type, place, depth + 1);
        continue;
      }
      if (!fml_is_primitive(ref.type)) continue; /* parts of data types are no elements of the model */
      bool seen = map_get(&t->coverage->values, place) != NULL;
      count(t, MAPPING_COVER_MODEL, seen);
      if (!seen) miss(t, MAPPING_COVER_MODEL, place, STR("no source has it"));
    }
  }
}

/* --- targets ---------------------------------------------------------------------------------------------
 */

static bool asks(const struct def_type *type) {
  for (size_t i = 0; i < def_type_element_count(type); i++)
    if (def_element_must_support(def_type_element_at(type, i))) return true;
  return false;
}

static void tell_type(struct telling *t, const struct fml_type_seen *seen) {
  bool supports = asks(seen->type);
  for (size_t i = 0; i < def_type_element_count(seen->type) && !t->nomem; i++) {
    const struct def_element *element = def_type_element_at(seen->type, i);
    if (def_element_slice_name(element).len) continue;
    if (supports ? !def_element_must_support(element) : def_element_min(element) == 0) continue;
    count(t, MAPPING_COVER_TARGET, seen->written[i]);
    if (seen->written[i]) continue;
    struct str why = supports ? STR("must-support") : STR("required");
    miss(t, MAPPING_COVER_TARGET, def_element_path(element),
         seen->label.len
             ? arena_printf(t->arena, "%.*s of %.*s, never written", STR_ARG(why), STR_ARG(seen->label))
             : arena_printf(t->arena, "%.*s, never written", STR_ARG(why)));
  }
}

/* --- all of it -------------------------------------------------------------------------------------------
 */

static void tell_profiles(struct telling *t) {
  const struct map *profiles = &t->coverage->profiles;
  t->out->unknown_profiles = ARENA_ARRAY(t->arena, struct str, profiles->count + 1);
  if (!t->out->unknown_profiles) {
    t->nomem = true;
    return;
  }
  for (size_t i = 0; i < profiles->count; i++)
    t->out->unknown_profiles[t->out->unknown_profile_count++] = profiles->entries[i].key;
}

enum status mapping_coverage_report(const struct mapping_coverage *coverage, struct arena *arena,
                                    struct mapping_cover_report *out) {
  const struct mapping_set *set = coverage->set;
  struct telling t = {.coverage = coverage, .arena = arena, .out = out};
  *out = (struct mapping_cover_report){0};
  for (size_t i = 0; i < MAPPING_COVER_KINDS; i++)
    out->parts[i].end = &out->parts[i].first;
  for (size_t i = 0; i < set->map_count; i++) {
    tell_map(&t, set->maps[i]);
    for (const struct concept_map *m = set->maps[i]->concept_maps; m; m = m->next_inline)
      tell_concept_map(&t, m);
  }
  for (size_t i = 0; i < set->concept_maps.count; i++)
    tell_concept_map(&t, set->concept_maps.entries[i].value);
  tell_values(&t);
  for (size_t i = 0; i < coverage->models.count; i++) {
    const struct def_type *type = coverage->models.entries[i].value;
    if (def_type_kind(type) == DEF_LOGICAL) tell_model(&t, type, def_type_name(type), 0);
  }
  for (size_t i = 0; i < coverage->types.count; i++)
    tell_type(&t, coverage->types.entries[i].value);
  tell_profiles(&t);
  return t.nomem ? STATUS_NOMEM : STATUS_OK;
}
