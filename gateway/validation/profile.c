/*
 * profile.c - what a profile asks for beyond its type, on a tree that the walk has checked against the type:
 * narrower cardinality, fixed and pattern values, required bindings, ranges, lengths and its own rules. What
 * the type asks for as well is not said twice.
 */
#include "validation/internal.h"

enum {
  ELEMENT_CHECKS = 1u << VALIDATION_LENGTH | 1u << VALIDATION_RANGE | 1u << VALIDATION_FIXED |
                   1u << VALIDATION_BINDING | 1u << VALIDATION_RULES
};

static void walk_profile(struct validation_walk *walk, struct tree_node *node,
                         const struct validation_plan *profile, size_t depth);

static const struct validation_element *same_element(const struct validation_plan *plan,
                                                     const struct validation_element *element) {
  for (size_t i = 0; plan && i < plan->count; i++)
    if (plan->elements[i].symbol == element->symbol) return &plan->elements[i];
  return NULL;
}

static size_t count_of(const struct tree_node *node, uint32_t symbol) {
  size_t count = 0;
  for (const struct tree_node *child = tree_first(node); child; child = tree_next(child))
    count += child->symbol == symbol;
  return count;
}

static void check_count(struct validation_walk *walk, const struct tree_node *node,
                        const struct validation_element *element, const struct validation_element *base) {
  size_t count = count_of(node, element->symbol);
  struct str name = def_element_path(element->element);
  if (count < element->min && (!base || count >= base->min))
    validation_report_missing(walk, node, element, count);
  if (count > element->max && (!base || count <= base->max))
    validation_report(walk, DIAG_ERROR, DIAG_TOO_MANY, node, "%.*s may be given %u times at most, found %zu",
                      STR_ARG(name), element->max, count);
}

/* What the type checks already: its own binding and ranges. */
static uint32_t new_checks(const struct validation_element *element, const struct validation_element *base) {
  uint32_t checks = element->checks & ELEMENT_CHECKS;
  if (!base) return checks;
  if (base->checks & 1u << VALIDATION_BINDING && str_eq(base->binding.value_set, element->binding.value_set))
    checks &= ~(1u << VALIDATION_BINDING);
  if (base->max_length == element->max_length) checks &= ~(1u << VALIDATION_LENGTH);
  return checks;
}

/* The nested part or profile that the profile has for a child of this type; NULL: the type itself. */
static const struct def_type *narrower(const struct validation_element *element,
                                       const struct def_type *type) {
  for (size_t i = 0; i < def_element_type_count(element->element); i++) {
    const struct def_type *allowed = def_element_type(element->element, i).type;
    bool nested = def_type_kind(allowed) == DEF_NESTED && def_type_kind(type) == DEF_NESTED;
    if (allowed != type && (nested || def_type_constrained(allowed) == type)) return allowed;
  }
  return NULL;
}

static void check_child(struct validation_walk *walk, struct tree_node *child,
                        const struct validation_element *element, const struct validation_element *base,
                        size_t depth) {
  if (!node_type(child) || (child->kind == TREE_NULL && !child->child)) return;
  const struct validation_plan *plan = validation_plan_of(walk->validation, node_type(child));
  const struct def_type *type = narrower(element, node_type(child));
  const struct validation_plan *inner = type ? validation_plan_of(walk->validation, type) : NULL;
  if (!plan || (type && !inner)) {
    walk->status = STATUS_NOMEM;
    return;
  }
  struct validation_visit visit = {walk, child, element, plan, false};
  if (child->kind != TREE_NULL) validation_run_checks(&visit, new_checks(element, base));
  if (inner) walk_profile(walk, child, inner, depth + 1);
}

static void walk_profile(struct validation_walk *walk, struct tree_node *node,
                         const struct validation_plan *profile, size_t depth) {
  const struct validation_plan *base = validation_plan_of(walk->validation, node_type(node));
  if (depth > LIMIT_DEPTH) walk->status = STATUS_LIMIT;
  for (size_t i = 0; i < profile->count && walk->status == STATUS_OK; i++) {
    const struct validation_element *element = &profile->elements[i];
    const struct validation_element *same = same_element(base, element);
    if (def_element_slice_name(element->element).len) continue;
    check_count(walk, node, element, same);
    for (struct tree_node *child = tree_first(node); child; child = tree_next(child))
      if (child->symbol == element->symbol) check_child(walk, child, element, same, depth);
  }
  struct validation_visit visit = {walk, node, NULL, profile, false};
  if (walk->status == STATUS_OK) validation_run_checks(&visit, profile->checks & 1u << VALIDATION_TYPE_RULES);
}

enum status validation_check_profile(struct validation_walk *walk, const char *url) {
  const struct def_type *profile = definitions_type(walk->validation->definitions, str_of(url));
  const struct validation_plan *plan = profile ? validation_plan_of(walk->validation, profile) : NULL;
  if (!profile) {
    validation_report(walk, DIAG_ERROR, DIAG_PROFILE_UNKNOWN, walk->root,
                      "the definitions have no profile %s", url);
    return STATUS_NOT_FOUND;
  }
  if (!plan) return STATUS_NOMEM;
  if (def_type_constrained(profile) != node_type(walk->root)) {
    validation_report(
        walk, DIAG_ERROR, DIAG_WRONG_TYPE, walk->root, "the profile %s is one of %.*s, not of %.*s", url,
        STR_ARG(def_type_name(def_type_constrained(profile))), STR_ARG(def_type_name(node_type(walk->root))));
    return STATUS_OK;
  }
  walk->profile = profile;
  walk->resource = walk->container = walk->root;
  if (profile != node_type(walk->root)) walk_profile(walk, walk->root, plan, 0);
  walk->profile = NULL;
  return walk->status;
}
