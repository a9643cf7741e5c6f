/* plan_profile.c - plans of profiles: only what is narrower than in the type that is constrained. */
#include "validation/internal.h"

/* Targets: fewer, or profiles of them. */
static bool same_targets(const struct def_element *a, size_t ai, const struct def_element *b, size_t bi) {
  size_t count = def_element_target_count(a, ai);
  if (count != def_element_target_count(b, bi)) return false;
  for (size_t i = 0; i < count; i++)
    if (!str_eq(def_element_target(a, ai, i), def_element_target(b, bi, i))) return false;
  return true;
}

static bool same_profiles(const struct def_element *a, size_t ai, const struct def_element *b, size_t bi) {
  size_t count = def_element_profile_count(a, ai);
  if (count != def_element_profile_count(b, bi)) return false;
  for (size_t i = 0; i < count; i++)
    if (!str_eq(def_element_profile(a, ai, i), def_element_profile(b, bi, i))) return false;
  return true;
}

/* The type of that index among those of the base; SIZE_MAX: not there. */
static size_t base_index(const struct def_element *base, const struct def_type *type) {
  for (size_t i = 0; i < def_element_type_count(base); i++)
    if (def_type_constrained(def_element_type(base, i).type) == type) return i;
  return SIZE_MAX;
}

/* What the profile has in common with its base is not planned again. */
static void drop_known_options(const struct def_element *base, struct validation_element *out) {
  for (size_t i = 0; i < out->option_count; i++) {
    struct validation_option *option = &out->options[i];
    size_t index = base_index(base, option->type);
    if (index == SIZE_MAX) continue;
    if (same_profiles(out->element, i, base, index)) option->profile_count = 0;
    bool same = same_targets(out->element, i, base, index) &&
                option->aggregation == def_element_aggregation(base, index);
    if (same) option->target_count = option->aggregation = 0;
  }
}

static bool same_value(const struct def_element *a, const struct def_element *b) {
  bool pattern_a, pattern_b;
  return str_eq(def_element_fixed(a, &pattern_a), def_element_fixed(b, &pattern_b)) && pattern_a == pattern_b;
}

static bool same_binding(const struct def_element *base, const struct validation_element *out) {
  struct def_binding binding, max = {0};
  if (!def_element_binding(base, &binding)) return !out->bound && !out->bound_max;
  bool has_max = def_element_max_binding(base, &max);
  if (out->bound_max && !(has_max && str_eq(max.value_set, out->max_binding.value_set))) return false;
  return !out->bound ||
         (binding.strength <= out->binding.strength && str_eq(binding.value_set, out->binding.value_set));
}

static void drop_known_values(const struct def_element *base, struct validation_element *out) {
  if (out->fixed && same_value(out->element, base)) out->fixed = NULL;
  if (out->max_length == def_element_max_length(base)) out->max_length = 0;
  if (str_eq(out->min_value, def_element_min_value(base)))
    out->min_value = (struct str){0}, out->min_quantity = NULL;
  if (str_eq(out->max_value, def_element_max_value(base)))
    out->max_value = (struct str){0}, out->max_quantity = NULL;
  if (same_binding(base, out)) out->bound = out->bound_max = false;
}

static uint32_t bit(bool condition, enum validation_check_bit check) {
  return (uint32_t)condition << check;
}

static void plan_new_checks(struct validation_element *out) {
  bool targets = false, profiles = false;
  for (size_t i = 0; i < out->option_count; i++) {
    targets |= out->options[i].target_count || out->options[i].aggregation;
    profiles |= out->options[i].profile_count != 0;
  }
  out->checks = bit(out->max_length != 0, VALIDATION_LENGTH) |
                bit(out->min_value.len || out->max_value.len, VALIDATION_RANGE) |
                bit(out->fixed != NULL, VALIDATION_FIXED) |
                bit(out->bound || out->bound_max, VALIDATION_BINDING) | bit(targets, VALIDATION_REFERENCE) |
                bit(profiles, VALIDATION_PROFILES) | bit(out->rules.count != 0, VALIDATION_RULES);
}

static bool says_of_items(const struct validation_element *out) {
  bool inner = false;
  for (size_t i = 0; i < out->option_count; i++)
    inner |= out->options[i].inner != NULL;
  return inner || out->checks || out->types;
}

static bool says(const struct validation_element *out) {
  return out->items || out->counts || out->slicing;
}

/* The binding of a profile replaces the type's, which the walk has checked: a weaker one says nothing. */
bool validation_plan_narrow(struct validation *validation, const struct def_type *type,
                            const struct def_element *element, const struct def_element *base,
                            struct validation_element *out) {
  if (!validation_plan_element(validation, type, element, base, out)) return false;
  if (base) {
    drop_known_values(base, out);
    drop_known_options(base, out);
    out->counts = out->min > def_element_min(base) || out->max < def_element_max(base);
    out->types = out->option_count < def_element_type_count(base);
  }
  plan_new_checks(out);
  out->items = says_of_items(out);
  return validation_plan_slicing(validation, type, element, base, out);
}

static void make_rule(struct validation_rule *rule, struct str key, struct str expression) {
  rule->constraint = (struct def_constraint){.key = key, .expression = expression, .is_error = true};
}

static bool plan_contexts(struct validation *validation, struct validation_plan *plan) {
  size_t count = def_type_context_count(plan->type), rules = def_type_context_rule_count(plan->type);
  plan->contexts = ARENA_ARRAY(validation->arena, struct validation_context, count + 1);
  plan->context_rules.items = ARENA_ARRAY(validation->arena, struct validation_rule, rules + 1);
  if (!plan->contexts || !plan->context_rules.items) return false;
  for (size_t i = 0; i < count; i++) {
    struct validation_context *context = &plan->contexts[plan->context_count++];
    context->said = def_type_context(plan->type, i);
    if (str_is(context->said.type, "fhirpath"))
      make_rule(&context->rule, STR("context"), context->said.expression);
  }
  for (size_t i = 0; i < rules; i++)
    make_rule(&plan->context_rules.items[plan->context_rules.count++], STR("contextInvariant"),
              def_type_context_rule(plan->type, i));
  return true;
}

bool validation_plan_profile(struct validation *validation, struct validation_plan *plan) {
  const struct def_type *type = plan->type, *base = def_type_constrained(type);
  size_t count = def_type_element_count(type);
  plan->orders = def_type_element_count(base) + 1;
  plan->by_order = ARENA_ARRAY(validation->arena, uint16_t, plan->orders);
  plan->elements = ARENA_ARRAY(validation->arena, struct validation_element, count + 1);
  for (size_t i = 0; i < count && plan->elements && plan->by_order; i++) {
    const struct def_element *element = def_type_element_at(type, i);
    const struct def_element *same = def_type_element(base, def_element_symbol(element));
    struct validation_element *out = &plan->elements[plan->count];
    if (!same) continue; /* the type does not have it: no item can be met */
    if (!validation_plan_narrow(validation, type, element, same, out)) return false;
    if (says(out) && def_element_order(same) < plan->orders)
      plan->by_order[def_element_order(same)] = (uint16_t)++plan->count;
    else
      *out = (struct validation_element){0};
  }
  if (!plan->elements || !plan->by_order || !validation_plan_type_rules(validation, type, base, &plan->rules))
    return false;
  plan->checks = bit(plan->rules.count != 0, VALIDATION_TYPE_RULES);
  return base != validation->known.extension || plan_contexts(validation, plan);
}
