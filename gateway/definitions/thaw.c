/* thaw.c - types of a pack below become builder types again, so that an overlay can refine them. */
#include "definitions/build.h"

static struct str pointer_key(struct builder *b, const void *pointer) {
  return arena_str(b->arena, str_make((const char *)&pointer, sizeof pointer));
}

struct b_type *def_thaw(struct builder *b, const struct def_type *type) {
  if (!type) return NULL;
  struct b_type *known = map_get(&b->thawed, str_make((const char *)&type, sizeof type));
  if (known) return known;
  struct b_type *made = def_builder_alloc(b, 1, sizeof *made);
  struct str key = pointer_key(b, type);
  if (!made || !key.ptr || map_put(&b->thawed, key, made)) {
    b->error = STATUS_NOMEM;
    return NULL;
  }
  *made = (struct b_type){.name = def_type_name(type),
                          .url = def_type_url(type),
                          .version = def_type_version(type),
                          .kind = def_type_kind(type),
                          .primitive = def_type_primitive(type),
                          .abstract = def_type_abstract(type),
                          .profile = def_type_is_profile(type),
                          .frozen = type};
  if (def_type_constrained(type) != type) made->constrained = def_thaw(b, def_type_constrained(type));
  return made;
}

static struct b_constraint *thaw_constraint(struct builder *b, struct def_constraint c) {
  struct b_constraint made = {.key = c.key,
                              .human = c.human,
                              .expression = c.expression,
                              .source = c.source,
                              .is_error = c.is_error,
                              .group = c.group,
                              .applies = c.applies,
                              .reason = c.reason};
  return def_builder_constraint(b, &made);
}

static void thaw_constraints(struct builder *b, struct b_element *e, const struct def_element *from) {
  size_t count = def_element_constraint_count(from);
  e->constraints = count ? def_builder_alloc(b, count, sizeof *e->constraints) : NULL;
  for (size_t i = 0; e->constraints && i < count; i++) {
    struct b_constraint *kept = thaw_constraint(b, def_element_constraint(from, i));
    if (kept) e->constraints[e->constraint_count++] = kept;
  }
}

/* What a definition would call the type: of a part that is spelt out, what it is made of. */
static struct str code_of(const struct def_type *type) {
  while (def_type_kind(type) == DEF_NESTED && def_type_base(type))
    type = def_type_base(type);
  return def_type_name(def_type_constrained(type));
}

static void thaw_types(struct builder *b, struct b_element *e, const struct def_element *from) {
  size_t count = def_element_type_count(from);
  e->types = count ? def_builder_alloc(b, count, sizeof *e->types) : NULL;
  if (!e->types) return;
  e->type_count = count;
  for (size_t i = 0; i < count; i++) {
    struct def_type_ref ref = def_element_type(from, i);
    struct b_type_ref *to = &e->types[i];
    to->type = def_thaw(b, ref.type);
    to->code = to->type ? code_of(ref.type) : (struct str){0};
    to->json_name = ref.json_name;
    to->aggregation = def_element_aggregation(from, i);
    for (size_t k = 0; k < def_element_target_count(from, i); k++)
      (void)def_texts_add(b, &to->targets, def_element_target(from, i, k));
    for (size_t k = 0; k < def_element_profile_count(from, i); k++)
      (void)def_texts_add(b, &to->profiles, def_element_profile(from, i, k));
  }
}

static struct b_element *thaw_element(struct builder *b, const struct def_element *from, unsigned depth);

static void thaw_slicing(struct builder *b, struct b_element *e, const struct def_element *from,
                         unsigned depth) {
  struct def_slicing slicing;
  if (!def_element_slicing(from, &slicing) || depth > LIMIT_DEPTH) return;
  e->slicing = def_builder_alloc(b, 1, sizeof *e->slicing);
  if (!e->slicing) return;
  *e->slicing = (struct b_slicing){.rules = slicing.rules, .ordered = slicing.ordered};
  e->slicing->discriminators =
      def_builder_alloc(b, slicing.discriminators + 1, sizeof(struct b_discriminator));
  for (size_t i = 0; e->slicing->discriminators && i < slicing.discriminators; i++) {
    struct def_discriminator d = def_element_discriminator(from, i);
    e->slicing->discriminators[e->slicing->count++] = (struct b_discriminator){d.type, d.path};
  }
  for (size_t i = 0; i < slicing.slices; i++) {
    struct b_element *slice = thaw_element(b, def_element_slice(from, i), depth + 1);
    if (!slice) return;
    slice->base = slice; /* done */
    if (e->last_slice)
      e->last_slice->next = slice;
    else
      e->slices = slice;
    e->last_slice = slice;
  }
}

static struct b_element *thaw_element(struct builder *b, const struct def_element *from, unsigned depth) {
  struct b_element *e = def_builder_alloc(b, 1, sizeof *e);
  if (!e) return NULL;
  bool pattern;
  struct def_binding binding = {0}, max = {0};
  bool bound = def_element_binding(from, &binding);
  (void)def_element_max_binding(from, &max);
  *e = (struct b_element){.frozen = from,
                          .path = def_element_path(from),
                          .name = def_element_name(from),
                          .slice_name = def_element_slice_name(from),
                          .text = def_element_short(from),
                          .min = def_element_min(from),
                          .max = def_element_max(from),
                          .base_max = def_element_is_list(from) ? DEF_UNBOUNDED : 1,
                          .max_length = def_element_max_length(from),
                          .flags = (uint16_t)(from->flags & ~PACK_LIST),
                          .based = true,
                          .own_types = true,
                          .resolved = true,
                          .strength = bound ? binding.strength : DEF_EXAMPLE,
                          .value_set = binding.value_set,
                          .max_set = max.value_set,
                          .fixed = def_element_fixed(from, &pattern),
                          .min_value = def_element_min_value(from),
                          .max_value = def_element_max_value(from),
                          .xml_name = def_xml_name(&from->xml),
                          .xml_space = def_xml_space(&from->xml)};
  thaw_types(b, e, from);
  thaw_constraints(b, e, from);
  thaw_slicing(b, e, from, depth);
  return e;
}

void def_thaw_elements(struct builder *b, struct b_type *type) {
  size_t count = def_type_element_count(type->frozen);
  type->elements = def_builder_alloc(b, count + 1, sizeof *type->elements);
  type->base = def_thaw(b, def_type_base(type->frozen));
  size_t rules = def_type_constraint_count(type->frozen);
  type->constraints = rules ? def_builder_alloc(b, rules, sizeof *type->constraints) : NULL;
  for (size_t i = 0; type->constraints && i < rules; i++) {
    struct b_constraint *kept = thaw_constraint(b, def_type_constraint(type->frozen, i));
    if (kept) type->constraints[type->constraint_count++] = kept;
  }
  for (size_t i = 0; type->elements && i < count; i++) {
    struct b_element *e = thaw_element(b, def_type_element_at(type->frozen, i), 0);
    if (!e) return;
    type->elements[type->element_count++] = e;
  }
}

/* --- concepts -------------------------------------------------------------------------------- */

static void thaw_fact(struct builder *b, struct b_system *system, const char *block,
                      const struct pack_fact *from) {
  struct b_concept *concept = &system->concepts[from->code];
  bool cut = from->value_len == PACK_FACT_CUT;
  struct str name = str_make(block + from->name, from->name_len);
  struct str value = str_make(block + from->value, cut ? 0 : from->value_len);
  if (str_is(name, "parent")) {
    (void)def_texts_add(b, &concept->parents, value);
  } else if (str_is(name, "child")) {
    (void)def_texts_add(b, &concept->children, value);
  } else {
    struct b_fact *fact = def_builder_alloc(b, 1, sizeof *fact);
    if (!fact) return;
    *fact = (struct b_fact){concept->facts, name, value, cut};
    concept->facts = fact;
    for (size_t i = 0; i < system->properties.count; i++)
      if (str_eq(system->properties.items[i], name)) return;
    (void)def_texts_add(b, &system->properties, name);
  }
}

void def_thaw_concepts(struct builder *b, struct b_system *system) {
  const struct def_code_system *from = system->frozen;
  const char *block = rel_items(&from->terms.block);
  size_t count = def_code_system_size(from);
  if (system->thawed || !count || !block || !def_pack_terms_good(&from->terms)) return;
  system->thawed = true;
  map_init(&system->index, b->arena);
  system->concepts = def_builder_alloc(b, count, sizeof *system->concepts);
  for (size_t i = 0; system->concepts && i < count; i++) {
    struct b_code *self = &system->concepts[i].self;
    (void)def_code_system_at(from, i, &self->code, &self->display);
    enum status status = map_put(&system->index, self->code, (void *)(uintptr_t)(i + 1));
    if (status && status != STATUS_CONFLICT) b->error = status;
  }
  if (b->error) return;
  system->count = count;
  const struct pack_fact *facts = (const void *)(block + from->facts);
  for (uint32_t i = 0; i < from->fact_count; i++)
    if (facts[i].code < count) thaw_fact(b, system, block, &facts[i]);
}
