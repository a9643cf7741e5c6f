/* plan.c - plans: what the definitions say about a type, laid out flat, made once and shared. */
#include <stdlib.h>
#include "validation/internal.h"

/* Wraps the JSON text of fixed[x] or pattern[x], which may be a bare value, in an object and reads it. */
const struct tree_node *validation_read_fixed(struct validation *validation, struct str text) {
  struct diag_list diags;
  struct tree_node *root = NULL;
  struct source *source = ARENA_NEW(validation->arena, struct source);
  struct str wrapped = arena_printf(validation->arena, "{\"v\":%.*s}", STR_ARG(text));
  if (!source || !wrapped.ptr) return NULL;
  *source = source_make(STR("definition"), wrapped);
  diag_list_init(&diags, validation->arena);
  if (tree_read_json(source, NULL, validation->arena, &diags, &root) != STATUS_OK) return NULL;
  return root->child;
}

/* --- options --- */

static bool plan_targets(struct validation *validation, const struct def_element *element, size_t index,
                         struct validation_option *out) {
  size_t count = def_element_target_count(element, index);
  if (count == 0) return true;
  out->targets = ARENA_ARRAY(validation->arena, struct validation_target, count);
  for (size_t i = 0; i < count && out->targets; i++) {
    struct validation_target *target = &out->targets[out->target_count++];
    target->url = def_element_target(element, index, i);
    const struct def_type *type = definitions_element_target(validation->definitions, element, index, i);
    target->type = type ? def_type_constrained(type) : NULL;
    target->profile = type && def_type_is_profile(type) ? type : NULL;
  }
  return out->targets != NULL;
}

static bool plan_profiles(struct validation *validation, const struct def_element *element, size_t index,
                          struct validation_option *out) {
  size_t count = def_element_profile_count(element, index);
  if (count == 0) return true;
  out->profiles = ARENA_ARRAY(validation->arena, const struct def_type *, count);
  for (size_t i = 0; i < count && out->profiles; i++) {
    const struct def_type *profile = definitions_element_profile(validation->definitions, element, index, i);
    if (profile)
      out->profiles[out->profile_count++] = profile; /* or a type: Resource that is a Patient */
    else
      out->profile_unknown = true;
  }
  return out->profiles != NULL;
}

static bool plan_option(struct validation *validation, const struct def_element *element, size_t index,
                        struct validation_option *out) {
  const struct def_type *type = def_element_type(element, index).type;
  out->type = def_type_constrained(type);
  if (type != out->type && validation_plan_says(validation, type)) out->inner = type;
  out->aggregation = def_element_aggregation(element, index);
  return plan_targets(validation, element, index, out) && plan_profiles(validation, element, index, out);
}

static bool plan_options(struct validation *validation, struct validation_element *out) {
  size_t count = def_element_type_count(out->element);
  if (count == 0) return true;
  out->options = ARENA_ARRAY(validation->arena, struct validation_option, count);
  for (size_t i = 0; i < count && out->options; i++)
    if (!plan_option(validation, out->element, i, &out->options[out->option_count++])) return false;
  return out->options != NULL;
}

const struct validation_option *validation_option_of(const struct validation_element *element,
                                                     const struct def_type *type) {
  for (size_t i = 0; i < element->option_count; i++)
    if (element->options[i].type == type) return &element->options[i];
  for (size_t i = 0; i < element->option_count; i++)
    if (def_type_is(type, element->options[i].type)) return &element->options[i];
  return NULL;
}

/* --- elements --- */

static void plan_values(struct validation *validation, struct validation_element *out) {
  const struct def_element *element = out->element;
  struct str fixed = def_element_fixed(element, &out->is_pattern);
  out->symbol = def_element_symbol(element);
  out->min = def_element_min(element);
  out->max = def_element_max(element);
  out->is_list = def_element_is_list(element);
  out->is_choice = def_element_is_choice(element);
  out->max_length = def_element_max_length(element);
  out->min_value = def_element_min_value(element);
  out->max_value = def_element_max_value(element);
  out->bound = def_element_binding(element, &out->binding) && out->binding.strength != DEF_EXAMPLE;
  out->bound_max = def_element_max_binding(element, &out->max_binding);
  if (str_starts(out->min_value, STR("{")))
    out->min_quantity = validation_read_fixed(validation, out->min_value);
  if (str_starts(out->max_value, STR("{")))
    out->max_quantity = validation_read_fixed(validation, out->max_value);
  if (fixed.len) out->fixed = validation_read_fixed(validation, fixed);
}

static uint32_t bit(bool condition, enum validation_check_bit check) {
  return (uint32_t)condition << check;
}

static void plan_checks(struct validation_element *out) {
  bool profiles = false;
  for (size_t i = 0; i < out->option_count; i++)
    profiles |= out->options[i].profile_count != 0;
  out->checks |= bit(out->max_length != 0, VALIDATION_LENGTH);
  out->checks |= bit(out->min_value.len || out->max_value.len, VALIDATION_RANGE);
  out->checks |= bit(out->fixed != NULL, VALIDATION_FIXED);
  out->checks |= bit(out->bound || out->bound_max, VALIDATION_BINDING);
  out->checks |= bit(profiles, VALIDATION_PROFILES);
  out->checks |= bit(out->rules.count != 0, VALIDATION_RULES);
}

bool validation_plan_element(struct validation *validation, const struct def_type *type,
                             const struct def_element *element, const struct def_element *base,
                             struct validation_element *out) {
  out->element = element;
  plan_values(validation, out);
  if (!plan_options(validation, out)) return false;
  if (!validation_plan_element_rules(validation, type, base, out)) return false;
  plan_checks(out);
  return true;
}

static void require(struct validation_plan *plan, struct validation_element *out) {
  enum { BITS = 32 };
  if (out->min == 1 && plan->required_count < BITS)
    plan->required_once |= out->required = (uint32_t)1 << plan->required_count;
  else
    plan->counted = true;
  plan->required[plan->required_count++] = out;
}

static bool plan_elements(struct validation *validation, struct validation_plan *plan) {
  size_t count = def_type_element_count(plan->type);
  plan->elements = ARENA_ARRAY(validation->arena, struct validation_element, count + 1);
  plan->required = ARENA_ARRAY(validation->arena, const struct validation_element *, count + 1);
  if (!plan->elements || !plan->required) return false;
  for (size_t i = 0; i < count; i++) {
    const struct def_element *element = def_type_element_at(plan->type, i);
    struct validation_element *out = &plan->elements[i];
    if (!validation_plan_element(validation, plan->type, element, NULL, out)) return false;
    if (out->min) require(plan, out);
    size_t order = def_element_order(element);
    if (order >= plan->orders) plan->orders = order + 1;
  }
  plan->count = count;
  plan->by_order = ARENA_ARRAY(validation->arena, uint16_t, plan->orders + 1);
  if (!plan->by_order) return false;
  for (size_t i = 0; i < count && i < UINT16_MAX; i++)
    plan->by_order[def_element_order(plan->elements[i].element)] = (uint16_t)(i + 1);
  return true;
}

const struct validation_element *validation_element_anywhere(const struct validation_plan *plan,
                                                             const struct tree_node *child) {
  for (size_t i = 0; i < plan->count; i++)
    if (plan->elements[i].symbol == child->symbol) return &plan->elements[i];
  return NULL;
}

/* --- types --- */

/* R4 snapshots give some elements (Extension.url, Element.id) a type of FHIRPath's System. */
static enum def_primitive primitive_of(const struct def_type *type) {
  static const struct {
    const char *name;
    enum def_primitive primitive;
  } systems[] = {{"System.String", DEF_P_STRING},     {"System.Boolean", DEF_P_BOOLEAN},
                 {"System.Integer", DEF_P_INTEGER},   {"System.Decimal", DEF_P_DECIMAL},
                 {"System.DateTime", DEF_P_DATETIME}, {"System.Date", DEF_P_DATE},
                 {"System.Time", DEF_P_TIME}};
  if (def_type_kind(type) == DEF_PRIMITIVE) return def_type_primitive(type);
  for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++)
    if (str_is(def_type_name(type), systems[i].name)) return systems[i].primitive;
  return DEF_P_NONE;
}

/* What the walk checks of every node of the type. */
static void plan_type_checks(const struct validation *validation, struct validation_plan *plan) {
  const struct validation_known *known = &validation->known;
  const struct def_type *type = def_type_constrained(plan->type);
  plan->checks |= bit(type == known->reference || plan->primitive == DEF_P_CANONICAL, VALIDATION_REFERENCE);
  plan->checks |= bit(type == known->extension, VALIDATION_EXTENSION);
  plan->checks |= bit(type == known->coding || def_type_is(type, known->quantity), VALIDATION_CODES);
  plan->special = validation_special_of(validation, type);
  plan->checks |= bit(plan->special != NULL, VALIDATION_SPECIAL);
}

static bool plan_type(struct validation *validation, struct validation_plan *plan) {
  plan_type_checks(validation, plan);
  if (!plan_elements(validation, plan)) return false;
  if (!validation_plan_type_rules(validation, plan->type, NULL, &plan->rules)) return false;
  plan->checks |= bit(plan->rules.count != 0, VALIDATION_TYPE_RULES);
  return true;
}

/* --- making one --- */

struct validation_making {
  const struct validation_making *next;
  const struct def_type *type;
};

static struct validation_plan *make_plan(struct validation *validation, const struct def_type *type) {
  struct validation_plan *plan = ARENA_NEW(validation->arena, struct validation_plan);
  struct validation_making making = {validation->making, type};
  if (!plan) return NULL;
  plan->type = type;
  plan->kind = def_type_kind(type);
  plan->primitive = primitive_of(type);
  plan->is_profile = def_type_constrained(type) != type;
  plan->is_resource = plan->kind == DEF_RESOURCE;
  validation->making = &making;
  bool made = plan->is_profile ? validation_plan_profile(validation, plan) : plan_type(validation, plan);
  validation->making = making.next;
  return made ? plan : NULL;
}

static size_t slot_of(const struct def_type *type) {
  uint64_t bits = (uint64_t)(uintptr_t)type * 0x9E3779B97F4A7C15u;
  return (size_t)(bits >> 32) & (VALIDATION_SLOTS - 1);
}

/* The slot of the type, or the free one where it belongs. */
static size_t find_slot(const struct validation *validation, const struct def_type *type) {
  size_t at = slot_of(type);
  const struct validation_plan *plan;
  while ((plan = atomic_load_explicit(&validation->slots[at], memory_order_relaxed)) && plan->type != type)
    at = (at + 1) & (VALIDATION_SLOTS - 1);
  return at;
}

/* Under the lock: another thread may have been first. Making a plan may make others. */
static const struct validation_plan *add_plan(struct validation *validation, const struct def_type *type) {
  size_t at = find_slot(validation, type);
  const struct validation_plan *plan = atomic_load_explicit(&validation->slots[at], memory_order_relaxed);
  if (plan) return plan;
  if (validation->plan_count >= VALIDATION_SLOTS / 4 * 3) return NULL;
  plan = make_plan(validation, type);
  if (!plan) return NULL;
  validation->plan_count++;
  at = find_slot(validation, type);
  atomic_store_explicit(&validation->slots[at], plan, memory_order_release);
  return plan;
}

bool validation_plan_says(struct validation *validation, const struct def_type *type) {
  for (const struct validation_making *making = validation->making; making; making = making->next)
    if (making->type == type) return true;
  const struct validation_plan *plan = add_plan(validation, type);
  return !plan || plan->count || plan->rules.count;
}

const struct validation_plan *validation_plan_of(const struct validation *validation,
                                                 const struct def_type *type) {
  size_t at = slot_of(type);
  const struct validation_plan *plan;
  while ((plan = atomic_load_explicit(&validation->slots[at], memory_order_acquire))) {
    if (plan->type == type) return plan;
    at = (at + 1) & (VALIDATION_SLOTS - 1);
  }
  struct validation *shared = (struct validation *)(uintptr_t)validation; /* its cache, under its lock */
  pthread_mutex_lock(&shared->lock);
  plan = add_plan(shared, type);
  pthread_mutex_unlock(&shared->lock);
  return plan;
}
