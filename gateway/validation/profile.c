/*
 * profile.c - what a profile asks for beyond its type, on a tree that the walk checks against the type:
 * narrower cardinality and types, fixed and pattern values, bindings, ranges, lengths, slices, profiles of
 * types and its own rules. What the type asks for as well is not said twice.
 */
#include "validation/internal.h"

/* --- one child --- */

/* Of a resource in Parameters, a Bundle or contained: the one whose type it is. */
static bool fits(const struct def_type *profile, const struct tree_node *node) {
  return node_type(node) && def_type_is(node_type(node), def_type_constrained(profile));
}

/* An extension is checked against the definition that its url names, wherever it stands. */
static bool is_named_by_url(const struct validation_walk *walk, const struct tree_node *node,
                            const struct def_type *profile) {
  return def_type_constrained(node_type(node)) == walk->validation->known.extension &&
         str_eq(validation_text(node, walk->validation->known.url), def_type_url(profile));
}

static void check_one_of(const struct validation_visit *visit, const struct validation_option *option) {
  struct validation_walk *walk = visit->walk;
  for (size_t i = 0; i < option->profile_count; i++)
    if (validation_conforms(walk, visit->node, option->profiles[i])) return;
  if (option->profile_unknown) return;
  validation_report(walk, DIAG_ERROR, DIAG_PROFILE_MISMATCH, visit->node,
                    "%.*s conforms to none of the %zu profiles that it may have, such as %.*s",
                    STR_ARG(validation_name_of(visit)), option->profile_count,
                    STR_ARG(def_type_url(option->profiles[0])));
}

void validation_check_profiles(const struct validation_visit *visit) {
  const struct validation_option *option =
      visit->element ? validation_option_of(visit->element, node_type(visit->node)) : NULL;
  if (!option || option->profile_count == 0) return;
  const struct def_type *only = option->profiles[0];
  if (option->profile_count > 1 || option->profile_unknown)
    check_one_of(visit, option);
  else if (!is_named_by_url(visit->walk, visit->node, only))
    validation_apply(visit->walk, visit->node, only);
}

/* On the element itself; where it is a choice of several, or the value of an extension, on what it stands in,
   as in HL7's validator. */
static void report_type(const struct validation_visit *visit) {
  struct arena *arena = visit->walk->run->arena;
  const struct tree_node *whole = visit->node->parent, *at = visit->node;
  bool value = whole && node_type(whole) == visit->walk->validation->known.extension;
  if (whole && (value || visit->element->option_count > 1)) at = whole;
  struct str allowed = {0};
  for (size_t i = 0; i < visit->element->option_count; i++)
    allowed = arena_concat(arena, arena_concat(arena, allowed, i ? STR(", ") : STR("")),
                           def_type_name(visit->element->options[i].type));
  validation_report_at(visit->walk, DIAG_ERROR, DIAG_WRONG_TYPE, at, visit->node,
                       "%.*s may not be of type %.*s here, but %.*s", STR_ARG(validation_name_of(visit)),
                       STR_ARG(def_type_name(node_type(visit->node))), STR_ARG(allowed));
}

void validation_check_item(struct validation_walk *walk, struct tree_node *child,
                           const struct validation_element *element, size_t depth) {
  const struct def_type *type = node_type(child);
  if (!type || (child->kind == TREE_NULL && !child->child)) return;
  const struct validation_plan *plan = validation_plan_of(walk->validation, type);
  const struct validation_option *option = validation_option_of(element, type);
  struct validation_visit visit = {walk, child, element, plan, false};
  if (!plan) {
    walk->status = STATUS_NOMEM;
    return;
  }
  if (!option && element->types) {
    report_type(&visit);
    return;
  }
  struct tree_node *resource = walk->resource, *container = walk->container;
  uint32_t bits = element->checks;
  if (child->kind == TREE_NULL)
    bits &= ~(1u << VALIDATION_FIXED | 1u << VALIDATION_BINDING | 1u << VALIDATION_RANGE);
  validation_run_checks(&visit, bits);
  const struct validation_plan *inner =
      option && option->inner ? validation_plan_of(walk->validation, option->inner) : NULL;
  if (inner && !validation_done(walk)) {
    visit = (struct validation_visit){walk, child, NULL, inner, false};
    validation_run_checks(&visit, inner->checks);
  }
  validation_enter(walk, child, plan); /* the element's own rules are those of the resource around it */
  if (inner && !validation_done(walk)) validation_walk_profile(walk, child, inner, depth + 1);
  walk->resource = resource;
  walk->container = container;
}

/* --- the children of a node --- */

static void check_count(struct validation_walk *walk, const struct tree_node *node,
                        const struct validation_element *element, size_t count) {
  if (count < element->min) validation_report_missing(walk, node, element, count);
  if (count > element->max)
    validation_report(walk, DIAG_ERROR, DIAG_TOO_MANY, node, "%.*s may be given %u time%s at most, found %zu",
                      STR_ARG(def_element_path(element->element)), element->max, element->max == 1 ? "" : "s",
                      count);
}

/* The place in the plan of a child: 0 for one about which the profile says nothing. */
static inline size_t place_of(const struct validation_plan *plan, const struct tree_node *child) {
  return child->order < plan->orders && !tree_is_meta(child) ? plan->by_order[child->order] : 0;
}

static void check_elements(struct validation_walk *walk, struct tree_node *node,
                           const struct validation_plan *plan, const uint32_t *counts, size_t depth) {
  for (size_t i = 0; i < plan->count && !validation_done(walk); i++) {
    const struct validation_element *element = &plan->elements[i];
    if (element->counts) check_count(walk, node, element, counts[i]);
    if (element->slicing) validation_check_slices(walk, node, element, depth);
  }
}

enum { COUNTS = 64 };

void validation_walk_profile(struct validation_walk *walk, struct tree_node *node,
                             const struct validation_plan *plan, size_t depth) {
  uint32_t here[COUNTS], *counts = here;
  if (depth > LIMIT_DEPTH) walk->status = STATUS_LIMIT;
  if (plan->count > COUNTS) counts = ARENA_ARRAY(walk->run->arena, uint32_t, plan->count);
  if (!counts) {
    walk->status = STATUS_NOMEM;
    return;
  }
  memset(counts, 0, plan->count * sizeof *counts);
  for (struct tree_node *child = node->child; child && !validation_done(walk); child = child->next) {
    size_t place = place_of(plan, child);
    if (!place) continue;
    counts[place - 1]++;
    const struct validation_element *element = &plan->elements[place - 1];
    if (element->items) validation_check_item(walk, child, element, depth);
  }
  check_elements(walk, node, plan, counts, depth);
}

/* --- a node and a profile --- */

static void report_not_of_type(struct validation_walk *walk, const struct tree_node *node,
                               const struct def_type *profile) {
  struct str type = node_type(node) ? def_type_name(node_type(node)) : STR("something unknown");
  validation_report(walk, DIAG_ERROR, DIAG_WRONG_TYPE, node, "the profile %.*s is one of %.*s, not of %.*s",
                    STR_ARG(def_type_url(profile)), STR_ARG(def_type_name(def_type_constrained(profile))),
                    STR_ARG(type));
}

static void check_all(struct validation_walk *walk, struct tree_node *node,
                      const struct validation_plan *plan) {
  struct validation_visit visit = {walk, node, NULL, plan, false};
  validation_walk_profile(walk, node, plan, 0);
  if (!validation_done(walk)) validation_run_checks(&visit, plan->checks);
}

static void check_node(struct validation_walk *walk, struct tree_node *node, const struct def_type *profile) {
  const struct def_type *before = walk->profile;
  struct tree_node *resource = walk->resource, *container = walk->container;
  const struct validation_plan *plan = validation_plan_of(walk->validation, profile);
  if (!plan) {
    walk->status = STATUS_NOMEM;
    return;
  }
  walk->profile = profile;
  walk->nesting++;
  validation_locate(walk, node);
  if (!fits(profile, node))
    report_not_of_type(walk, node, profile);
  else if (plan->is_profile)
    check_all(walk, node, plan);
  walk->nesting--;
  walk->profile = before;
  walk->resource = resource;
  walk->container = container;
}

/* A note in a table about a node and a profile; NULL: there is none yet, and one has been made. */
static int *recall(struct validation_walk *walk, struct map *map, const struct tree_node *node,
                   const struct def_type *profile, int at_first) {
  const void *pair[2] = {node, profile};
  struct str key = str_make((const char *)pair, sizeof pair);
  int *known = map_get(map, key);
  if (known) return known;
  key = arena_str(walk->run->arena, key);
  int *made = ARENA_NEW(walk->run->arena, int);
  walk->kept++;
  if (!made || !key.ptr || map_put(map, key, made) != STATUS_OK) {
    walk->status = STATUS_NOMEM;
    return NULL;
  }
  *made = at_first;
  return NULL;
}

/* --- too deep --- */

enum { NESTING = 64 }; /* more than records need; each costs a kilobyte or two of the stack */

/* Until it is checked it holds. */
static void put_off(struct validation_walk *walk, struct tree_node *node, const struct def_type *profile) {
  struct validation_pending *pending = ARENA_NEW(walk->run->arena, struct validation_pending);
  walk->kept++;
  if (!pending) {
    walk->status = STATUS_NOMEM;
    return;
  }
  *pending = (struct validation_pending){NULL, node, profile};
  if (walk->pending)
    walk->last_pending->next = pending;
  else
    walk->pending = pending;
  walk->last_pending = pending;
}

/* Findings stand where they belong, for who asked has had its answer. */
void validation_check_pending(struct validation_walk *walk) {
  for (; walk->pending && !validation_done(walk); walk->pending = walk->pending->next)
    if (!recall(walk, &walk->applied, walk->pending->node, walk->pending->profile, 1))
      check_node(walk, walk->pending->node, walk->pending->profile);
}

/* What is asked again while it is being found out (a circle) holds until something else says no. */
bool validation_conforms(struct validation_walk *walk, struct tree_node *node,
                         const struct def_type *profile) {
  int *known = recall(walk, &walk->judged, node, profile, 1);
  if (known) return *known;
  if (walk->nesting >= NESTING) {
    put_off(walk, node, profile);
    return true;
  }
  size_t errors = walk->quiet_errors;
  walk->quiet_errors = 0;
  walk->quiet++;
  if (walk->status == STATUS_OK) check_node(walk, node, profile);
  walk->quiet--;
  bool good = walk->quiet_errors == 0;
  walk->quiet_errors = errors;
  known = recall(walk, &walk->judged, node, profile, good);
  if (known) *known = good;
  return good;
}

void validation_apply(struct validation_walk *walk, struct tree_node *node, const struct def_type *profile) {
  if (walk->quiet) {
    walk->quiet_errors += !validation_conforms(walk, node, profile);
    return;
  }
  if (walk->nesting >= NESTING) {
    put_off(walk, node, profile);
    return;
  }
  if (recall(walk, &walk->applied, node, profile, 1)) return;
  recall(walk, &walk->judged, node, profile,
         1); /* who comes back to it in a circle need not judge it again */
  check_node(walk, node, profile);
}

/* --- who names profiles --- */

static void note_unknown(struct validation_walk *walk, const struct tree_node *claim) {
  if (walk->quiet || !walk->run->advice || !validation_note_once(walk, claim->text)) return;
  struct str shown = diag_value(walk->run->arena, claim->text);
  validation_advise(walk, DIAG_WARNING, DIAG_PROFILE_UNKNOWN, claim,
                    "the definitions do not have the profile %.*s; it was not checked", STR_ARG(shown));
}

static void check_claim(struct validation_walk *walk, struct tree_node *resource,
                        const struct tree_node *claim) {
  const struct def_type *profile = definitions_type(walk->validation->definitions, claim->text);
  if (!profile)
    note_unknown(walk, claim);
  else if (profile != node_type(resource))
    validation_apply(walk, resource, profile);
}

void validation_check_claims(struct validation_walk *walk, struct tree_node *resource) {
  const struct validation_known *known = &walk->validation->known;
  for (struct tree_node *meta = resource->child; meta; meta = meta->next) {
    if (meta->symbol != known->meta || known->meta == 0) continue;
    for (struct tree_node *claim = meta->child; claim; claim = claim->next)
      if (claim->symbol == known->profile && claim->kind == TREE_STRING) check_claim(walk, resource, claim);
    return;
  }
}

enum status validation_check_profile(struct validation_walk *walk, const char *url) {
  const struct def_type *profile = definitions_type(walk->validation->definitions, str_of(url));
  if (!profile) {
    validation_report(walk, DIAG_ERROR, DIAG_PROFILE_UNKNOWN, walk->root,
                      "the definitions have no profile %s", url);
    return STATUS_NOT_FOUND;
  }
  validation_apply(walk, walk->root, profile);
  return walk->status;
}
