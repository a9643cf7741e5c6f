/* types.c - what a type and its elements say: reads the structs of the pack. */
#include "definitions/internal.h"

/* --- types ----------------------------------------------------------------------------------- */

struct str def_type_name(const struct def_type *type) {
  return rel_text(&type->name);
}

struct str def_type_url(const struct def_type *type) {
  return rel_text(&type->url);
}

struct str def_type_version(const struct def_type *type) {
  return rel_text(&type->version);
}

enum def_kind def_type_kind(const struct def_type *type) {
  return (enum def_kind)type->kind;
}

enum def_primitive def_type_primitive(const struct def_type *type) {
  return (enum def_primitive)type->primitive;
}

bool def_type_abstract(const struct def_type *type) {
  return (type->flags & PACK_ABSTRACT) != 0;
}

const struct def_type *def_type_base(const struct def_type *type) {
  return rel_get(&type->base);
}

bool def_type_is_profile(const struct def_type *type) {
  return (type->flags & PACK_PROFILE) != 0;
}

const struct def_type *def_type_constrained(const struct def_type *type) {
  const struct def_type *constrained = rel_get(&type->constrained);
  return constrained ? constrained : type;
}

bool def_type_is(const struct def_type *type, const struct def_type *ancestor) {
  for (; type; type = def_type_base(type))
    if (type == ancestor) return true;
  return false;
}

bool def_type_is_modifier(const struct def_type *type) {
  return (type->flags & PACK_TYPE_MODIFIER) != 0;
}

size_t def_type_context_count(const struct def_type *type) {
  return type->contexts.count;
}

struct def_context def_type_context(const struct def_type *type, size_t index) {
  if (index >= type->contexts.count) return (struct def_context){0};
  const struct pack_context *at = (const struct pack_context *)rel_items(&type->contexts) + index;
  return (struct def_context){rel_text(&at->type), rel_text(&at->expression)};
}

size_t def_type_context_rule_count(const struct def_type *type) {
  return type->context_rules.count;
}

static struct str text_at(const struct rel_list *list, size_t index) {
  return index < list->count ? rel_text((const struct rel_str *)rel_items(list) + index) : (struct str){0};
}

struct str def_type_context_rule(const struct def_type *type, size_t index) {
  return text_at(&type->context_rules, index);
}

static struct def_constraint constraint_at(const struct rel_list *list, size_t index) {
  if (index >= list->count) return (struct def_constraint){0};
  const int32_t *links = rel_items(list);
  const struct pack_constraint *c = rel_add(&links[index], links[index]);
  return (struct def_constraint){.key = rel_text(&c->key),
                                 .human = rel_text(&c->human),
                                 .expression = rel_text(&c->expression),
                                 .source = rel_text(&c->source),
                                 .is_error = c->is_error != 0,
                                 .group = rel_text(&c->group),
                                 .applies = rel_text(&c->applies),
                                 .reason = rel_text(&c->reason)};
}

size_t def_type_constraint_count(const struct def_type *type) {
  return type->constraints.count;
}

struct def_constraint def_type_constraint(const struct def_type *type, size_t index) {
  return constraint_at(&type->constraints, index);
}

size_t def_type_element_count(const struct def_type *type) {
  return type->elements.count;
}

const struct def_element *def_type_element_at(const struct def_type *type, size_t index) {
  return index < type->elements.count ? (const struct def_element *)rel_items(&type->elements) + index : NULL;
}

const struct def_element *def_type_element(const struct def_type *type, uint32_t symbol) {
  const uint16_t *slots = rel_items(&type->symbols);
  if (!slots || !symbol) return NULL;
  const struct def_element *elements = rel_items(&type->elements);
  size_t size = type->symbols.count;
  for (size_t at = pack_symbol_slot(symbol, size); slots[at]; at = (at + 1) & (size - 1))
    if (elements[slots[at] - 1].symbol == symbol) return &elements[slots[at] - 1];
  return NULL;
}

const struct def_element *def_type_element_named(const struct def_type *type, struct str name) {
  const struct def_element *elements = rel_items(&type->elements);
  for (size_t i = 0; i < type->elements.count; i++)
    if (str_eq(rel_text(&elements[i].name), name)) return &elements[i];
  return NULL;
}

const struct def_element *def_type_json(const struct def_type *type, struct str json_name,
                                        const struct def_type **chosen) {
  const struct pack_json_slot *slot = def_json_slot(type, json_name);
  if (!slot) return NULL;
  if (chosen) *chosen = rel_get(&slot->type);
  return def_slot_element(type, slot);
}

struct str def_type_nearest_element(const struct def_type *type, struct str name) {
  struct str_nearest nearest = {.word = name};
  const struct pack_json_slot *slots = rel_items(&type->json);
  for (size_t i = 0; i < type->json.count; i++)
    str_nearest_offer(&nearest, rel_text(&slots[i].name)); /* a free slot has the empty name, which is near to none */
  return nearest.best;
}

/* --- elements -------------------------------------------------------------------------------- */

static const struct pack_detail *detail(const struct def_element *element) {
  return rel_add(&element->detail, element->detail);
}

static const struct pack_type_ref *ref_at(const struct def_element *element, size_t index) {
  return index < element->types.count ? (const struct pack_type_ref *)rel_items(&element->types) + index
                                      : NULL;
}

struct canonical {
  struct str url;
  const struct def_type *type;
};

static struct canonical canonical_at(const struct rel_list *list, size_t index) {
  if (index >= list->count) return (struct canonical){0};
  const struct pack_canonical *at = (const struct pack_canonical *)rel_items(list) + index;
  return (struct canonical){rel_text(&at->url), rel_get(&at->type)};
}

/* The version that the package of the element meant, unless something else has taken the URL since. */
static const struct def_type *meant(const struct definitions *definitions, struct canonical canonical) {
  const struct def_type *now = canonical.url.len ? definitions_type(definitions, canonical.url) : NULL;
  struct def_package then_package, now_package;
  if (!canonical.type || !now || now == canonical.type) return now;
  bool versions = def_origin(definitions, DEF_TYPES, canonical.type, &then_package) &&
                  def_origin(definitions, DEF_TYPES, now, &now_package) &&
                  str_eq(then_package.id, now_package.id) &&
                  !str_eq(then_package.version, now_package.version);
  return versions ? canonical.type : now;
}

struct str def_element_name(const struct def_element *element) {
  return rel_text(&element->name);
}

struct str def_element_path(const struct def_element *element) {
  return rel_text(&detail(element)->path);
}

uint32_t def_element_symbol(const struct def_element *element) {
  return element->symbol;
}

uint16_t def_element_order(const struct def_element *element) {
  return element->order;
}

uint32_t def_element_min(const struct def_element *element) {
  return element->min;
}

uint32_t def_element_max(const struct def_element *element) {
  return element->max;
}

static bool has_flag(const struct def_element *element, uint16_t flag) {
  return (element->flags & flag) != 0;
}

bool def_element_is_list(const struct def_element *element) {
  return has_flag(element, PACK_LIST);
}

bool def_element_is_choice(const struct def_element *element) {
  return has_flag(element, PACK_CHOICE);
}

bool def_element_must_support(const struct def_element *element) {
  return has_flag(element, PACK_MUST_SUPPORT);
}

bool def_element_is_modifier(const struct def_element *element) {
  return has_flag(element, PACK_MODIFIER);
}

bool def_element_is_summary(const struct def_element *element) {
  return has_flag(element, PACK_SUMMARY);
}

struct str def_element_short(const struct def_element *element) {
  return rel_text(&detail(element)->text);
}

size_t def_element_type_count(const struct def_element *element) {
  return element->types.count;
}

struct def_type_ref def_element_type(const struct def_element *element, size_t index) {
  const struct pack_type_ref *ref = ref_at(element, index);
  if (!ref) return (struct def_type_ref){0};
  return (struct def_type_ref){rel_get(&ref->type), rel_text(&ref->json_name)};
}

size_t def_element_target_count(const struct def_element *element, size_t type_index) {
  const struct pack_type_ref *ref = ref_at(element, type_index);
  return ref ? ref->targets.count : 0;
}

struct str def_element_target(const struct def_element *element, size_t type_index, size_t index) {
  const struct pack_type_ref *ref = ref_at(element, type_index);
  return ref ? canonical_at(&ref->targets, index).url : (struct str){0};
}

size_t def_element_profile_count(const struct def_element *element, size_t type_index) {
  const struct pack_type_ref *ref = ref_at(element, type_index);
  return ref ? ref->profiles.count : 0;
}

struct str def_element_profile(const struct def_element *element, size_t type_index, size_t index) {
  const struct pack_type_ref *ref = ref_at(element, type_index);
  return ref ? canonical_at(&ref->profiles, index).url : (struct str){0};
}

const struct def_type *definitions_element_target(const struct definitions *definitions,
                                                  const struct def_element *element, size_t type_index,
                                                  size_t index) {
  const struct pack_type_ref *ref = ref_at(element, type_index);
  return ref ? meant(definitions, canonical_at(&ref->targets, index)) : NULL;
}

const struct def_type *definitions_element_profile(const struct definitions *definitions,
                                                   const struct def_element *element, size_t type_index,
                                                   size_t index) {
  const struct pack_type_ref *ref = ref_at(element, type_index);
  return ref ? meant(definitions, canonical_at(&ref->profiles, index)) : NULL;
}

bool def_element_binding(const struct def_element *element, struct def_binding *out) {
  if (!has_flag(element, PACK_BOUND)) return false;
  const struct pack_detail *d = detail(element);
  if (out)
    *out =
        (struct def_binding){(enum def_strength)d->strength, rel_text(&d->value_set), rel_get(&d->members)};
  return true;
}

unsigned def_element_aggregation(const struct def_element *element, size_t type_index) {
  const struct pack_type_ref *ref = ref_at(element, type_index);
  return ref ? ref->aggregation : 0;
}

bool def_element_max_binding(const struct def_element *element, struct def_binding *out) {
  const struct pack_detail *d = detail(element);
  if (!d->max_set.len) return false;
  *out = (struct def_binding){DEF_REQUIRED, rel_text(&d->max_set), rel_get(&d->max_members)};
  return true;
}

struct str def_element_fixed(const struct def_element *element, bool *is_pattern) {
  if (is_pattern) *is_pattern = has_flag(element, PACK_PATTERN);
  return rel_text(&detail(element)->fixed);
}

struct str def_element_min_value(const struct def_element *element) {
  return rel_text(&detail(element)->min_value);
}

struct str def_element_max_value(const struct def_element *element) {
  return rel_text(&detail(element)->max_value);
}

uint32_t def_element_max_length(const struct def_element *element) {
  return detail(element)->max_length;
}

size_t def_element_constraint_count(const struct def_element *element) {
  return detail(element)->constraints.count;
}

struct def_constraint def_element_constraint(const struct def_element *element, size_t index) {
  return constraint_at(&detail(element)->constraints, index);
}

/* --- slicing --------------------------------------------------------------------------------- */

bool def_element_slicing(const struct def_element *element, struct def_slicing *out) {
  const struct pack_detail *d = detail(element);
  if (!has_flag(element, PACK_SLICED) && !d->slices.count) return false;
  if (out)
    *out = (struct def_slicing){(enum def_slicing_rules)d->rules, d->ordered != 0, d->discriminators.count,
                                d->slices.count};
  return true;
}

struct def_discriminator def_element_discriminator(const struct def_element *element, size_t index) {
  const struct rel_list *list = &detail(element)->discriminators;
  if (index >= list->count) return (struct def_discriminator){0};
  const struct pack_discriminator *d = (const struct pack_discriminator *)rel_items(list) + index;
  return (struct def_discriminator){rel_text(&d->type), rel_text(&d->path)};
}

const struct def_element *def_element_slice(const struct def_element *element, size_t index) {
  const struct rel_list *list = &detail(element)->slices;
  return index < list->count ? (const struct def_element *)rel_items(list) + index : NULL;
}

struct str def_element_slice_name(const struct def_element *element) {
  return rel_text(&detail(element)->slice_name);
}
