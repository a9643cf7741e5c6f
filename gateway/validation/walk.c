/* walk.c - the one walk: each node is met once, and every check that its definition asks for is made there.
 */
#include "validation/internal.h"

/* By the bits of a plan. */
static void (*const checks[VALIDATION_CHECKS])(const struct validation_visit *) = {
    [VALIDATION_LENGTH] = validation_check_length,
    [VALIDATION_RANGE] = validation_check_range,
    [VALIDATION_FIXED] = validation_check_fixed,
    [VALIDATION_BINDING] = validation_check_binding,
    [VALIDATION_CODES] = validation_check_codes,
    [VALIDATION_REFERENCE] = validation_check_reference,
    [VALIDATION_PROFILES] = validation_check_profiles,
    [VALIDATION_EXTENSION] = validation_check_extension,
    [VALIDATION_SPECIAL] = validation_check_special,
    [VALIDATION_RULES] = validation_check_rules,
    [VALIDATION_TYPE_RULES] = validation_check_type_rules,
};

void validation_run_checks(const struct validation_visit *visit, uint32_t bits) {
  for (; bits; bits &= bits - 1)
    checks[__builtin_ctz(bits)](visit);
}

/* --- members of a node --- */

static void report_unknown(struct validation_walk *walk, const struct validation_plan *plan,
                           const struct tree_node *child) {
  struct arena *arena = walk->run->arena;
  struct str name = diag_value(arena, child->name);
  struct str near = walk->is_message ? (struct str){0} : def_type_nearest_element(plan->type, child->name);
  struct str hint =
      near.len ? arena_printf(arena, "; did you mean \"%.*s\"?", STR_ARG(near)) : (struct str){0};
  validation_report_at(walk, walk->is_message ? DIAG_INFORMATION : DIAG_ERROR, DIAG_UNKNOWN_ELEMENT, child->parent, child,
                       "%.*s has no element \"%.*s\"%.*s", STR_ARG(def_type_name(plan->type)), STR_ARG(name),
                       STR_ARG(hint));
}

static inline struct tree_node *skip_meta(struct tree_node *node) {
  while (node && tree_is_meta(node))
    node = node->next;
  return node;
}

static size_t count_of(const struct tree_node *node, const struct validation_element *element) {
  size_t count = 0;
  for (const struct tree_node *child = tree_first(node); child; child = tree_next(child))
    count += child->symbol == element->symbol;
  return count;
}

/* Looked for by walking the children once more, where the first walk has missed one. */
static void check_required(struct validation_walk *walk, const struct tree_node *node,
                           const struct validation_plan *plan, uint32_t seen) {
  if (!plan->counted && (seen & plan->required_once) == plan->required_once) return;
  for (size_t i = 0; i < plan->required_count; i++) {
    size_t count = count_of(node, plan->required[i]);
    if (count < plan->required[i]->min) validation_report_missing(walk, node, plan->required[i], count);
  }
}

static void check_form(struct validation_walk *walk, const struct validation_element *element,
                       const struct tree_node *child) {
  bool in_array = (child->flags & (TREE_IN_ARRAY | TREE_EMPTY_ARRAY)) != 0;
  if (in_array == element->is_list) return;
  struct str name = def_element_path(element->element);
  validation_report(walk, walk->is_message ? DIAG_WARNING : DIAG_ERROR, DIAG_NOT_AN_ARRAY, child,
                    element->is_list ? "%.*s must be an array, in brackets" : "%.*s must not be an array",
                    STR_ARG(name));
}

/* One run of repetitions has ended, or begins again under another name of a choice. */
struct run {
  const struct validation_element *element;
  struct str name;
  size_t count;
  uint32_t seen; /* bits of required elements, of all runs */
};

static void check_repeat(struct validation_walk *walk, struct run *run, const struct tree_node *child,
                         const struct validation_element *element) {
  if (run->element == element) {
    run->count++;
  } else {
    *run = (struct run){.element = element, .name = child->name, .count = 1, .seen = run->seen};
    check_form(walk, element, child);
  }
  if (run->count == (size_t)element->max + 1 && element->max != DEF_UNBOUNDED)
    validation_report_at(walk, DIAG_ERROR, DIAG_TOO_MANY, child->parent, child,
                         "%.*s may be given %u time%s at most", STR_ARG(def_element_path(element->element)),
                         element->max, element->max == 1 ? "" : "s");
}

/* Of a list that is too long the rest is not looked at: rules that compare each item with each would take hours. */
static bool is_beyond(const struct run *run, const struct validation_element *element) {
  return element->is_list && element->max != DEF_UNBOUNDED && run->element == element && run->count > element->max;
}

/* valueString beside valueQuantity: the second name of a choice. */
static bool is_second_choice(const struct tree_node *child, const struct validation_element *element) {
  if (!element->is_choice) return false;
  for (const struct tree_node *other = tree_first(child->parent); other && other != child;
       other = tree_next(other))
    if (other->symbol == child->symbol && !str_eq(other->name, child->name)) return true;
  return false;
}

/* `_x` of an x that is no primitive: binding has complained. */
static bool is_partner(const struct validation_plan *plan, const struct tree_node *child) {
  const struct def_type *type = NULL;
  if (child->name.len < 2 || child->name.ptr[0] != '_') return false;
  return def_type_json(plan->type, str_slice(child->name, 1, child->name.len), &type) &&
         def_type_kind(type) != DEF_PRIMITIVE;
}

/* The element remembers: a look into the table of all plans is a miss of the cache. */
static const struct validation_plan *plan_of(const struct validation *validation,
                                             const struct validation_element *element,
                                             const struct def_type *type) {
  struct validation_element *memory = (struct validation_element *)(uintptr_t)element;
  const struct validation_plan *plan = atomic_load_explicit(&memory->usual, memory_order_acquire);
  if (plan && plan->type == type) return plan;
  const struct validation_plan *found = validation_plan_of(validation, type);
  if (!plan) atomic_store_explicit(&memory->usual, found, memory_order_release);
  return found;
}

/* A value without extensions of which only its form is to be told. */
static inline bool is_plain(const struct validation_walk *walk, const struct validation_element *element,
                            const struct validation_plan *type, const struct tree_node *child, size_t depth) {
  if (child->child || type->checks | element->checks || walk->status != STATUS_OK || depth >= LIMIT_DEPTH) return false;
  return validation_is_plain_value(type->primitive, child);
}

static void walk_child(struct validation_walk *walk, const struct validation_plan *plan, struct run *run,
                       struct tree_node *child, size_t depth) {
  const struct validation_element *element = child->element ? validation_element_of(plan, child) : NULL;
  if (!element) {
    if (!is_partner(plan, child)) report_unknown(walk, plan, child);
    return;
  }
  run->seen |= element->required;
  if (element->is_choice && !(run->element == element && str_eq(run->name, child->name)) && is_second_choice(child, element))
    validation_report(walk, DIAG_ERROR, DIAG_CHOICE_CONFLICT, child, "%.*s is given with two types",
                      STR_ARG(def_element_path(element->element)));
  else
    check_repeat(walk, run, child, element);
  if (is_beyond(run, element)) return;
  if (child->flags & TREE_EMPTY_ARRAY) {
    validation_report(walk, DIAG_ERROR, DIAG_EMPTY_VALUE, child, "an empty array");
    return;
  }
  const struct validation_plan *type =
      node_type(child) ? plan_of(walk->validation, element, node_type(child)) : NULL;
  if (type && is_plain(walk, element, type, child, depth))
    return;
  if (type)
    validation_walk_node(walk, child, element, type, depth + 1);
  else if (node_type(child))
    walk->status = STATUS_NOMEM;
  else
    validation_report(walk, DIAG_ERROR, DIAG_WRONG_TYPE, child, "%.*s has no type that the definitions know",
                      STR_ARG(def_element_path(element->element)));
}

/* Which required elements there are. */
static uint32_t walk_children(struct validation_walk *walk, struct tree_node *node,
                              const struct validation_plan *plan, size_t depth) {
  struct run run = {0};
  for (struct tree_node *child = skip_meta(node->child); child && walk->status == STATUS_OK; child = skip_meta(child->next))
    walk_child(walk, plan, &run, child, depth);
  return run.seen;
}

/* --- a node --- */

/* Of HL7 v2: `PV1||` and `PID|||^^` say that there is nothing, as they may. */
static bool is_left_empty(const struct validation_visit *visit) {
  const struct tree_node *first = visit->node->child;
  return visit->walk->is_message && first && tree_is_meta(first) && first->kind == TREE_NULL;
}

static bool check_object(const struct validation_visit *visit) {
  const struct tree_node *node = visit->node;
  if (node->kind != TREE_OBJECT) {
    bool empty = node->kind == TREE_NULL;
    validation_report(visit->walk, DIAG_ERROR, empty ? DIAG_EMPTY_VALUE : DIAG_WRONG_TYPE, node,
                      empty ? "null in place of %.*s" : "%.*s must be an object",
                      STR_ARG(validation_name_of(visit)));
    return false;
  }
  if (skip_meta(node->child) || (visit->plan->is_resource && node->child) || is_left_empty(visit)) return true;
  validation_report(visit->walk, DIAG_ERROR, DIAG_EMPTY_VALUE, node, "an empty object");
  return false;
}

static bool check_primitive(const struct validation_visit *visit) {
  const struct tree_node *node = visit->node;
  if (node->kind != TREE_NULL || node->child) return validation_check_format(visit);
  validation_report(visit->walk, DIAG_ERROR, DIAG_EMPTY_VALUE, node, "null in place of a value");
  return false;
}

static bool is_contained(const struct validation_walk *walk, const struct tree_node *node) {
  return node->symbol && node->symbol == walk->validation->known.contained;
}

/* Contained resources refer to what their container contains. */
void validation_enter(struct validation_walk *walk, struct tree_node *node,
                      const struct validation_plan *plan) {
  if (!plan->is_resource) return;
  walk->resource = node;
  if (!is_contained(walk, node)) walk->container = node;
}

void validation_locate(struct validation_walk *walk, struct tree_node *node) {
  walk->resource = walk->container = NULL;
  for (; node && !walk->container; node = node->parent) {
    if (!node_type(node) || def_type_kind(node_type(node)) != DEF_RESOURCE) continue;
    if (!walk->resource) walk->resource = node;
    if (!is_contained(walk, node)) walk->container = node;
  }
  if (!walk->container) walk->container = walk->resource ? walk->resource : walk->root;
  if (!walk->resource) walk->resource = walk->root;
}

void validation_check_special(const struct validation_visit *visit) {
  visit->plan->special(visit->walk, visit->node);
}

/* What is asked of resources alone, when their children have been walked. */
static void check_resource(const struct validation_visit *visit, bool good) {
  struct validation_walk *walk = visit->walk;
  const struct validation_known *known = &walk->validation->known;
  struct tree_node *node = visit->node;
  if (node == walk->container && !tree_lacks(node, known->contained)) validation_check_contained(walk, node);
  if (good && !tree_lacks(node, known->meta)) validation_check_claims(walk, node);
}

void validation_walk_node(struct validation_walk *walk, struct tree_node *node,
                          const struct validation_element *element, const struct validation_plan *plan,
                          size_t depth) {
  struct validation_visit visit = {walk, node, element, plan, false};
  size_t malformed = walk->malformed;
  struct tree_node *resource = walk->resource, *container = walk->container;
  uint32_t bits = plan->checks | (element ? element->checks : 0), seen = 0;
  if (depth > LIMIT_DEPTH) {
    walk->status = STATUS_LIMIT;
    return;
  }
  bool primitive = plan->primitive != DEF_P_NONE;
  bool good = primitive ? check_primitive(&visit) : check_object(&visit);
  if (plan->is_resource && def_type_abstract(plan->type)) return; /* of unknown type: binding has said so */
  validation_enter(walk, node, plan);
  if (good || (primitive && node->kind != TREE_OBJECT)) seen = walk_children(walk, node, plan, depth);
  if (good && !primitive) check_required(walk, node, plan, seen);
  visit.malformed = walk->malformed != malformed;
  if (plan->is_resource) check_resource(&visit, good);
  if (good && bits) validation_run_checks(&visit, bits);
  walk->resource = resource;
  walk->container = container;
}
