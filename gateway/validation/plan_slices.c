/*
 * plan_slices.c - plans of slicing: the path of each discriminator becomes steps, and what a slice asks for
 * at its end is read out of the profile once: R4 profiling.html#discriminator.
 */
#include "validation/internal.h"

enum { STEPS_MAX = 16, PLACES_MAX = 32 };

/* Where a path has come to in the definitions: an element, or a type that a reference leads to. */
struct place {
  const struct def_element *element; /* NULL: the type alone */
  const struct def_type *type;       /* NULL: any of the element's */
  const struct tree_node *value;     /* what it must be, as a part of what is fixed above */
  bool is_pattern;
};
struct places {
  struct place items[PLACES_MAX];
  size_t count;
};

static void add_place(struct places *places, const struct def_element *element, const struct def_type *type) {
  if (places->count < PLACES_MAX && (element || type))
    places->items[places->count++] = (struct place){.element = element, .type = type};
}

static void add_value(struct places *places, const struct tree_node *value, bool is_pattern) {
  if (places->count < PLACES_MAX && value)
    places->items[places->count++] = (struct place){.value = value, .is_pattern = is_pattern};
}

/* --- paths --- */

static bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static struct str take_word(struct str path, size_t *at) {
  size_t from = *at;
  while (*at < path.len && is_word(path.ptr[*at]))
    ++*at;
  return str_slice(path, from, *at);
}

/* `(…)` without the quotes inside. */
static bool take_argument(struct str path, size_t *at, struct str *out) {
  if (*at >= path.len || path.ptr[*at] != '(') return false;
  size_t end = str_find_char(path, ')', *at);
  if (end == SIZE_MAX) return false;
  struct str inside = str_trim(str_slice(path, *at + 1, end));
  char quote = inside.len > 1 ? inside.ptr[0] : 0;
  if (quote == '\'' || quote == '"') inside = str_slice(inside, 1, inside.len - 1);
  *out = inside;
  *at = end + 1;
  return true;
}

static bool make_call(const struct validation *validation, struct str word, struct str argument,
                      struct validation_step *step) {
  if (str_is(word, "resolve")) {
    step->kind = VALIDATION_STEP_RESOLVE;
    return argument.len == 0;
  }
  if (str_is(word, "extension")) {
    *step = (struct validation_step){
        .kind = VALIDATION_STEP_EXTENSION, .symbol = validation->known.extension_symbol, .url = argument};
    return argument.len != 0;
  }
  if (!str_is(word, "ofType") && !str_is(word, "as")) return false;
  step->kind = VALIDATION_STEP_TYPE;
  if (str_starts(argument, STR("FHIR."))) argument = str_slice(argument, 5, argument.len);
  step->type = definitions_type(validation->definitions, argument);
  return step->type != NULL;
}

/* Steps of a path; -1: it is not one that a discriminator may have. */
static int read_path(const struct validation *validation, struct str path, struct validation_step *steps) {
  int count = 0;
  size_t at = 0;
  while (at < path.len) {
    struct str argument = {0};
    if (str_starts(str_slice(path, at, path.len), STR("$this"))) {
      at += 5;
    } else {
      struct str word = take_word(path, &at);
      if (word.len == 0 || count == STEPS_MAX) return -1;
      struct validation_step *step = &steps[count++];
      *step = (struct validation_step){.kind = VALIDATION_STEP_CHILD};
      if (take_argument(path, &at, &argument)) {
        if (!make_call(validation, word, argument, step)) return -1;
      } else {
        step->symbol = definitions_symbol(validation->definitions, word);
        if (!step->symbol) return -1;
      }
    }
    if (at < path.len && path.ptr[at++] != '.') return -1;
  }
  return count;
}

/* --- where a path leads to in the profile --- */

static bool has_symbol(const struct def_type *type, uint32_t symbol, struct places *out) {
  const struct def_element *child = type ? def_type_element(type, symbol) : NULL;
  if (child) add_place(out, child, NULL);
  return child != NULL;
}

/* A part of what is fixed, or the url of an extension whose definition is not present: that is its canonical.
 */
static void step_value(struct validation *validation, const struct place *from, uint32_t symbol,
                       struct places *out) {
  struct str name = definitions_symbol_name(validation->definitions, symbol);
  bool pattern = from->is_pattern;
  const struct tree_node *value = from->value;
  struct str fixed = from->element ? def_element_fixed(from->element, &pattern) : (struct str){0};
  if (fixed.len) value = validation_read_fixed(validation, fixed);
  if (value) add_value(out, tree_find_str(value, name), pattern);
  if (!from->element || !str_is(name, "url") || def_element_profile_count(from->element, 0) != 1) return;
  struct str url = def_element_profile(from->element, 0, 0);
  if (definitions_type(validation->definitions, url)) return;
  struct tree_node *literal = tree_new(validation->arena, TREE_STRING, name);
  if (!literal) return;
  literal->text = url;
  add_value(out, literal, false);
}

/* The children of that name: as the profile spells them out, else as the profile of the type has them. */
static void step_child(struct validation *validation, const struct place *from, uint32_t symbol,
                       struct places *out) {
  const struct def_element *element = from->element;
  step_value(validation, from, symbol, out);
  if (!element || from->type) has_symbol(from->type, symbol, out);
  for (size_t i = 0; element && i < def_element_type_count(element); i++) {
    const struct def_type *type = def_element_type(element, i).type;
    bool spelt = def_type_constrained(type) != type;
    if (from->type && def_type_constrained(type) != from->type) continue;
    if (spelt) has_symbol(type, symbol, out);
    for (size_t k = 0; k < def_element_profile_count(element, i); k++)
      has_symbol(definitions_element_profile(validation->definitions, element, i, k), symbol, out);
    if (!spelt && !from->type) has_symbol(type, symbol, out);
  }
}

static void step_resolve(const struct validation *validation, const struct place *from, struct places *out) {
  const struct def_element *element = from->element;
  for (size_t i = 0; element && i < def_element_type_count(element); i++)
    for (size_t k = 0; k < def_element_target_count(element, i); k++)
      add_place(out, NULL, definitions_element_target(validation->definitions, element, i, k));
}

/* The slices of `extension` by their profile's URL, or the extension's definition. */
static void step_extension(struct validation *validation, const struct place *from,
                           const struct validation_step *step, struct places *out) {
  struct places all = {.count = 0};
  struct def_slicing slicing;
  step_child(validation, from, step->symbol, &all);
  for (size_t i = 0; i < all.count; i++) {
    if (!def_element_slicing(all.items[i].element, &slicing)) continue;
    for (size_t k = 0; k < slicing.slices; k++) {
      const struct def_element *slice = def_element_slice(all.items[i].element, k);
      if (def_element_type_count(slice) && def_element_profile_count(slice, 0) &&
          str_eq(def_element_profile(slice, 0, 0), step->url))
        add_place(out, slice, NULL);
    }
  }
  if (out->count == 0) add_place(out, NULL, definitions_type(validation->definitions, step->url));
}

static void take_step(struct validation *validation, const struct place *from,
                      const struct validation_step *step, struct places *out) {
  switch (step->kind) {
  case VALIDATION_STEP_CHILD:
    step_child(validation, from, step->symbol, out);
    return;
  case VALIDATION_STEP_EXTENSION:
    step_extension(validation, from, step, out);
    return;
  case VALIDATION_STEP_RESOLVE:
    step_resolve(validation, from, out);
    return;
  case VALIDATION_STEP_TYPE:
    add_place(out, from->element, step->type);
    return;
  }
}

/* Slices of an element on the way say more than the element. */
static void add_slices(struct places *places) {
  struct def_slicing slicing;
  for (size_t i = 0; i < places->count; i++) {
    const struct def_element *element = places->items[i].element;
    if (!element || !def_element_slicing(element, &slicing)) continue;
    for (size_t k = 0; k < slicing.slices; k++)
      add_place(places, def_element_slice(element, k), places->items[i].type);
  }
}

/* --- what a slice asks for there --- */

static bool list_types(struct validation *validation, const struct place *place,
                       struct validation_criterion *out) {
  size_t count = place->element ? def_element_type_count(place->element) : 1;
  out->types = ARENA_ARRAY(validation->arena, const struct def_type *, count + 1);
  for (size_t i = 0; out->types && i < count; i++) {
    const struct def_type *type = place->element ? def_element_type(place->element, i).type : place->type;
    out->types[out->type_count++] = def_type_constrained(type);
  }
  out->wants = VALIDATION_WANTS_TYPE;
  return out->types != NULL;
}

static bool list_profiles(struct validation *validation, const struct place *place,
                          struct validation_criterion *out) {
  enum { PROFILES_MAX = 32 };
  const struct def_element *element = place->element;
  out->types = ARENA_ARRAY(validation->arena, const struct def_type *, PROFILES_MAX);
  if (!out->types) return false;
  if (!element) out->types[out->type_count++] = place->type;
  for (size_t i = 0; element && i < def_element_type_count(element); i++)
    for (size_t k = 0; k < def_element_profile_count(element, i); k++) {
      const struct def_type *profile = definitions_element_profile(validation->definitions, element, i, k);
      if (profile && out->type_count < PROFILES_MAX) out->types[out->type_count++] = profile;
    }
  out->wants = out->type_count ? VALIDATION_WANTS_PROFILE : VALIDATION_WANTS_NOTHING;
  return true;
}

static bool says_value(struct validation *validation, const struct def_element *element,
                       struct validation_criterion *out) {
  struct str fixed = element ? def_element_fixed(element, &out->is_pattern) : (struct str){0};
  if (!fixed.len) return false;
  out->value = validation_read_fixed(validation, fixed);
  out->wants = VALIDATION_WANTS_VALUE;
  return true;
}

static bool says_member(const struct def_element *element, struct validation_criterion *out) {
  if (!element || !def_element_binding(element, &out->binding)) return false;
  if (out->binding.strength != DEF_REQUIRED || !out->binding.members) return false;
  out->wants = VALIDATION_WANTS_MEMBER;
  return true;
}

static bool says_presence(const struct def_element *element, struct validation_criterion *out) {
  if (!element) return false;
  if (def_element_max(element) == 0)
    out->wants = VALIDATION_WANTS_NONE;
  else if (def_element_min(element) > 0)
    out->wants = VALIDATION_WANTS_SOME;
  return out->wants != VALIDATION_WANTS_NOTHING;
}

/* By the discriminator's type; false when there is no memory. What may not be there decides before all else.
 */
static bool read_criterion(struct validation *validation, struct str type, const struct place *place,
                           struct validation_criterion *out) {
  if (place->element && def_element_max(place->element) == 0) {
    out->wants = VALIDATION_WANTS_NONE;
    return true;
  }
  if (place->value) {
    out->wants = VALIDATION_WANTS_VALUE;
    out->value = place->value;
    out->is_pattern = place->is_pattern;
    return true;
  }
  if (str_is(type, "type")) return list_types(validation, place, out);
  if (str_is(type, "profile")) return list_profiles(validation, place, out);
  if (str_is(type, "exists")) {
    says_presence(place->element, out);
    return true;
  }
  if (!says_value(validation, place->element, out)) says_member(place->element, out);
  return true;
}

static bool read_criteria(struct validation *validation, struct str type, struct places *places,
                          struct validation_discriminator *out) {
  out->criteria = ARENA_ARRAY(validation->arena, struct validation_criterion, PLACES_MAX);
  if (!out->criteria) return false;
  size_t plain = places->count;
  bool by_value = str_is(type, "value") || str_is(type, "pattern");
  if (by_value) add_slices(places);
  for (size_t i = 0; i < places->count && out->count + 1 < PLACES_MAX; i++) {
    struct validation_criterion *criterion = &out->criteria[out->count];
    *criterion = (struct validation_criterion){0};
    if (i == plain && out->count) break; /* the element itself has said it */
    if (!read_criterion(validation, type, &places->items[i], criterion)) return false;
    out->count += criterion->wants != VALIDATION_WANTS_NOTHING;
  }
  out->criteria[out->count].wants = VALIDATION_WANTS_NOTHING;
  return true;
}

static bool plan_discriminator(struct validation *validation, struct def_discriminator said,
                               const struct def_element *slice, struct validation_discriminator *out) {
  struct validation_step steps[STEPS_MAX];
  struct places places = {.count = 0}, next;
  int count = read_path(validation, said.path, steps);
  out->said = said;
  if (count < 0) return true; /* nothing can be told by it */
  add_place(&places, slice, NULL);
  for (int i = 0; i < count; i++) {
    next.count = 0;
    if (i) add_slices(&places);
    for (size_t k = 0; k < places.count; k++)
      take_step(validation, &places.items[k], &steps[i], &next);
    places = next;
  }
  out->steps = ARENA_ARRAY(validation->arena, struct validation_step, (size_t)count + 1);
  if (!out->steps) return false;
  memcpy(out->steps, steps, (size_t)count * sizeof *steps);
  out->step_count = (size_t)count;
  return read_criteria(validation, said.type, &places, out);
}

/* --- slices --- */

/* Discriminators of the sliced element; `by` is who has them: a re-sliced slice may leave them to the first.
 */
struct slicing_plan {
  struct validation *validation;
  const struct def_type *type;
  const struct def_element *by, *base;
  size_t count; /* 0: a choice, by its type */
};

static bool plan_slice(const struct slicing_plan *plan, const struct def_element *element,
                       struct validation_slice *out) {
  struct validation *validation = plan->validation;
  static const struct def_discriminator by_type = {{"type", 4}, {"$this", 5}};
  size_t count = plan->count ? plan->count : 1;
  out->name = def_element_slice_name(element);
  out->discriminators = ARENA_ARRAY(validation->arena, struct validation_discriminator, count);
  if (!out->discriminators) return false;
  if (!validation_plan_narrow(validation, plan->type, element, plan->base, &out->element)) return false;
  for (size_t i = 0; i < count; i++) {
    struct def_discriminator said = plan->count ? def_element_discriminator(plan->by, i) : by_type;
    if (!plan_discriminator(validation, said, element, &out->discriminators[i])) return false;
  }
  out->count = count;
  return true;
}

/* Of a slice of a slice the discriminators may stand at the first. */
static bool find_discriminators(struct slicing_plan *plan, const struct def_element *element,
                                const struct def_type *type) {
  struct def_slicing slicing;
  plan->by = element;
  plan->count = def_element_slicing(element, &slicing) ? slicing.discriminators : 0;
  const struct def_element *first = def_type_element(type, def_element_symbol(element));
  if (plan->count == 0 && first && first != element && def_element_slicing(first, &slicing)) {
    plan->by = first;
    plan->count = slicing.discriminators;
  }
  return plan->count != 0 || def_element_is_choice(element);
}

bool validation_plan_slicing(struct validation *validation, const struct def_type *type,
                             const struct def_element *element, const struct def_element *base,
                             struct validation_element *out) {
  struct def_slicing said;
  struct slicing_plan plan = {.validation = validation, .type = type, .base = base};
  if (!def_element_slicing(element, &said) || said.slices == 0) return true;
  if (!find_discriminators(&plan, element, type)) return true;
  struct validation_slicing *made = ARENA_NEW(validation->arena, struct validation_slicing);
  if (!made) return false;
  made->rules = said.rules;
  made->ordered = said.ordered;
  made->slices = ARENA_ARRAY(validation->arena, struct validation_slice, said.slices);
  for (size_t i = 0; i < said.slices && made->slices; i++)
    if (!plan_slice(&plan, def_element_slice(element, i), &made->slices[made->count++])) return false;
  for (size_t i = 0; i < made->count; i++)
    if (str_is(made->slices[i].name, "@default")) made->otherwise = &made->slices[i];
  out->slicing = made;
  return made->slices != NULL;
}
