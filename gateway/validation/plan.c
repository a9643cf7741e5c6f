/* plan.c - plans: what the definitions say about a type, laid out flat, made once and shared. */
#include <stdlib.h>
#include "validation/internal.h"

/* Wraps the JSON text of fixed[x] or pattern[x], which may be a bare value, in an object and reads it. */
static const struct tree_node *read_fixed(struct validation *validation, struct str text) {
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

/* --- rules --- */

/* Rules that the walk checks by itself, at a fraction of the cost, or that hold where a child is absent:
   ele-1 by refusing empty values, ref-1 and dom-3 in reference.c, txt-1 and txt-2 in xhtml.c. */
static const struct known_rule {
  struct str key;
  const char *needs; /* NULL: never evaluated */
} known_rules[] = {
    {{"ele-1", 5}, NULL},        {{"ref-1", 5}, NULL},        {{"txt-1", 5}, NULL},
    {{"txt-2", 5}, NULL},        {{"dom-3", 5}, NULL},        {{"dom-2", 5}, "contained"},
    {{"dom-4", 5}, "contained"}, {{"dom-5", 5}, "contained"},
};

static bool is_wanted(const struct validation *validation, const struct def_constraint *constraint,
                      bool logical, uint32_t *needs) {
  *needs = 0;
  if (!logical && validation->constraints != VALIDATION_CONSTRAINTS_ALL) return false;
  if (constraint->expression.len == 0) return false;
  for (size_t i = 0; i < sizeof known_rules / sizeof known_rules[0]; i++) {
    if (!str_eq(constraint->key, known_rules[i].key)) continue;
    if (!known_rules[i].needs) return false;
    *needs = definitions_symbol(validation->definitions, str_of(known_rules[i].needs));
  }
  return true;
}

static bool has_rule(const struct validation_rules *rules, const struct def_constraint *constraint) {
  for (size_t i = 0; i < rules->count; i++)
    if (str_eq(rules->items[i].constraint.key, constraint->key) &&
        str_eq(rules->items[i].constraint.expression, constraint->expression))
      return true;
  return false;
}

/* Where static types come from. */
struct rule_scope {
  const struct def_type *input, *resource;
  bool logical;
};

static void add_rule(struct validation *validation, struct validation_rules *rules,
                     const struct def_constraint *constraint, const struct rule_scope *scope) {
  uint32_t needs;
  if (!is_wanted(validation, constraint, scope->logical, &needs) || has_rule(rules, constraint)) return;
  struct validation_rule *rule = &rules->items[rules->count++];
  rule->constraint = *constraint;
  rule->needs = needs;
  rule->input = scope->input;
  rule->resource = scope->resource;
  rule->logical = scope->logical;
  rule->best_practice = str_is(constraint->key, "dom-6");
}

static bool type_has_rule(const struct def_type *type, const struct def_constraint *constraint) {
  for (size_t i = 0; type && i < def_type_constraint_count(type); i++)
    if (str_eq(def_type_constraint(type, i).key, constraint->key)) return true;
  return false;
}

/* The outermost type that a nested part stands in: "Patient" for "Patient.contact.name". */
static const struct def_type *outer_type(const struct validation *validation, const struct def_type *type) {
  struct str name = def_type_name(type);
  if (def_type_kind(type) != DEF_NESTED) return type;
  return definitions_type(validation->definitions, str_slice(name, 0, str_find_char(name, '.', 0)));
}

static bool is_logical(const struct def_type *type) {
  return type && def_type_kind(type) == DEF_LOGICAL;
}

static struct rule_scope scope_of(const struct validation *validation, const struct def_type *type,
                                  const struct def_type *input) {
  const struct def_type *outer = outer_type(validation, type);
  bool whole = outer && (def_type_kind(outer) == DEF_RESOURCE || is_logical(outer));
  return (struct rule_scope){input, whole ? outer : NULL, is_logical(outer)};
}

/* Room for the wanted ones only: nearly every element of a snapshot repeats ele-1. */
static bool make_room(struct validation *validation, struct validation_rules *rules, size_t wanted) {
  if (wanted == 0) return true;
  rules->items = ARENA_ARRAY(validation->arena, struct validation_rule, wanted);
  return rules->items != NULL;
}

static bool is_wanted_at(const struct validation *validation, const struct def_constraint *constraint,
                         const struct def_type *only, bool logical) {
  uint32_t needs;
  return is_wanted(validation, constraint, logical, &needs) && !type_has_rule(only, constraint);
}

static bool plan_element_rules(struct validation *validation, const struct rule_scope *whole,
                               struct validation_element *out) {
  size_t count = def_element_constraint_count(out->element), wanted = 0;
  if (count == 0) return true;
  const struct def_type *only =
      def_element_type_count(out->element) == 1 ? def_element_type(out->element, 0).type : NULL;
  struct rule_scope scope = {only, whole->resource, whole->logical};
  for (size_t i = 0; i < count; i++) {
    struct def_constraint constraint = def_element_constraint(out->element, i);
    wanted += is_wanted_at(validation, &constraint, only, scope.logical);
  }
  if (!make_room(validation, &out->rules, wanted)) return false;
  for (size_t i = 0; i < count && wanted; i++) {
    struct def_constraint constraint = def_element_constraint(out->element, i);
    if (!type_has_rule(only, &constraint)) add_rule(validation, &out->rules, &constraint, &scope);
  }
  if (out->rules.count) out->checks |= 1u << VALIDATION_RULES;
  return true;
}

static bool plan_type_rules(struct validation *validation, struct validation_plan *plan) {
  size_t count = def_type_constraint_count(plan->type), wanted = 0;
  struct rule_scope scope = scope_of(validation, plan->type, plan->type);
  for (size_t i = 0; i < count; i++) {
    struct def_constraint constraint = def_type_constraint(plan->type, i);
    wanted += is_wanted_at(validation, &constraint, NULL, scope.logical);
  }
  if (!make_room(validation, &plan->rules, wanted)) return false;
  for (size_t i = 0; i < count && wanted; i++) {
    struct def_constraint constraint = def_type_constraint(plan->type, i);
    add_rule(validation, &plan->rules, &constraint, &scope);
  }
  if (plan->rules.count) plan->checks |= 1u << VALIDATION_TYPE_RULES;
  return true;
}

/* --- elements --- */

static bool plan_element(struct validation *validation, const struct rule_scope *scope,
                         const struct def_element *element, struct validation_element *out) {
  struct str fixed = def_element_fixed(element, &out->is_pattern);
  out->element = element;
  out->symbol = def_element_symbol(element);
  out->min = def_element_min(element);
  out->max = def_element_max(element);
  out->is_list = def_element_is_list(element);
  out->is_choice = def_element_is_choice(element);
  out->max_length = def_element_max_length(element);
  out->min_value = def_element_min_value(element);
  out->max_value = def_element_max_value(element);
  if (fixed.len) out->fixed = read_fixed(validation, fixed);
  bool bound = def_element_binding(element, &out->binding) && out->binding.strength == DEF_REQUIRED;
  out->checks |= (uint32_t)(out->max_length != 0) << VALIDATION_LENGTH;
  out->checks |= (uint32_t)(out->min_value.len || out->max_value.len) << VALIDATION_RANGE;
  out->checks |= (uint32_t)(out->fixed != NULL) << VALIDATION_FIXED;
  out->checks |= (uint32_t)bound << VALIDATION_BINDING;
  return plan_element_rules(validation, scope, out);
}

static bool plan_elements(struct validation *validation, struct validation_plan *plan) {
  size_t count = def_type_element_count(plan->type);
  plan->elements = ARENA_ARRAY(validation->arena, struct validation_element, count + 1);
  plan->required = ARENA_ARRAY(validation->arena, const struct validation_element *, count + 1);
  struct rule_scope scope = scope_of(validation, plan->type, NULL);
  if (!plan->elements || !plan->required) return false;
  for (size_t i = 0; i < count; i++) {
    const struct def_element *element = def_type_element_at(plan->type, i);
    struct validation_element *out = &plan->elements[i];
    if (!plan_element(validation, &scope, element, out)) return false;
    if (out->min) plan->required[plan->required_count++] = out;
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

const struct validation_element *validation_element_of(const struct validation_plan *plan,
                                                       const struct tree_node *child) {
  size_t index = child->order < plan->orders ? plan->by_order[child->order] : 0;
  if (index && plan->elements[index - 1].symbol == child->symbol) return &plan->elements[index - 1];
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

static struct validation_plan *make_plan(struct validation *validation, const struct def_type *type) {
  struct validation_plan *plan = ARENA_NEW(validation->arena, struct validation_plan);
  if (!plan) return NULL;
  plan->type = type;
  plan->kind = def_type_kind(type);
  plan->primitive = primitive_of(type);
  plan->is_profile = def_type_is_profile(type);
  plan->is_resource = plan->kind == DEF_RESOURCE;
  plan->checks |= (uint32_t)(def_type_constrained(type) == validation->reference) << VALIDATION_REFERENCE;
  return plan_elements(validation, plan) && plan_type_rules(validation, plan) ? plan : NULL;
}

static size_t slot_of(const struct def_type *type) {
  uint64_t bits = (uint64_t)(uintptr_t)type * 0x9E3779B97F4A7C15u;
  return (size_t)(bits >> 32) & (VALIDATION_SLOTS - 1);
}

/* Under the lock: another thread may have been first. */
static const struct validation_plan *add_plan(struct validation *validation, const struct def_type *type) {
  size_t at = slot_of(type);
  const struct validation_plan *plan;
  while ((plan = atomic_load_explicit(&validation->slots[at], memory_order_relaxed))) {
    if (plan->type == type) return plan;
    at = (at + 1) & (VALIDATION_SLOTS - 1);
  }
  if (validation->plan_count >= VALIDATION_SLOTS / 4 * 3) return NULL;
  plan = make_plan(validation, type);
  if (!plan) return NULL;
  validation->plan_count++;
  atomic_store_explicit(&validation->slots[at], plan, memory_order_release);
  return plan;
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
