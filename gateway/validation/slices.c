/*
 * slices.c - which slice an item is of, by the discriminators; how often each slice may occur, in which
 * order, and whether items of no slice may stand there (R4 profiling.html#slicing).
 */
#include "validation/internal.h"

/* --- discriminators --- */

struct question {
  struct validation_walk *walk;
  const struct validation_criterion *criterion;
};

static bool is_one_of(const struct def_type *type, const struct validation_criterion *criterion) {
  for (size_t i = 0; type && i < criterion->type_count; i++)
    if (def_type_is(type, criterion->types[i])) return true;
  return false;
}

static bool conforms_to_one(struct validation_walk *walk, struct tree_node *node,
                            const struct validation_criterion *criterion) {
  for (size_t i = 0; i < criterion->type_count; i++)
    if (validation_conforms(walk, node, criterion->types[i])) return true;
  return false;
}

static bool holds(const struct question *question, struct tree_node *node) {
  const struct validation_criterion *criterion = question->criterion;
  switch (criterion->wants) {
  case VALIDATION_WANTS_VALUE:
    return criterion->value && validation_same_value(node, criterion->value, criterion->is_pattern);
  case VALIDATION_WANTS_MEMBER:
    return validation_membership(question->walk, node, &criterion->binding) != DEF_NOT_MEMBER;
  case VALIDATION_WANTS_TYPE:
    return is_one_of(node_type(node), criterion);
  case VALIDATION_WANTS_PROFILE:
    return conforms_to_one(question->walk, node, criterion);
  case VALIDATION_WANTS_SOME:
    return true;
  case VALIDATION_WANTS_NOTHING:
  case VALIDATION_WANTS_NONE:
    break;
  }
  return false;
}

/* Some node that the steps lead to holds what is asked for. */
static bool some(const struct question *question, struct tree_node *node, const struct validation_step *steps,
                 size_t count) {
  if (count == 0) return holds(question, node);
  if (steps->kind == VALIDATION_STEP_TYPE)
    return node_type(node) && def_type_is(node_type(node), steps->type) &&
           some(question, node, steps + 1, count - 1);
  if (steps->kind == VALIDATION_STEP_RESOLVE) {
    const struct tree_node *text =
        node->kind == TREE_OBJECT ? validation_child(node, question->walk->validation->known.reference_symbol)
                                  : node;
    struct tree_node *found = text ? validation_resolve(question->walk, node, text->text) : NULL;
    return found && node_type(found) && some(question, found, steps + 1, count - 1);
  }
  for (struct tree_node *child = node->child; child; child = child->next)
    if (child->symbol == steps->symbol &&
        (steps->kind == VALIDATION_STEP_CHILD ||
         str_eq(validation_text(child, question->walk->validation->known.url), steps->url)) &&
        some(question, child, steps + 1, count - 1))
      return true;
  return false;
}

static bool meets(struct validation_walk *walk, struct tree_node *node,
                  const struct validation_discriminator *discriminator) {
  for (size_t i = 0; i < discriminator->count; i++) {
    struct question question = {walk, &discriminator->criteria[i]};
    struct validation_criterion any = {.wants = VALIDATION_WANTS_SOME};
    bool none = question.criterion->wants == VALIDATION_WANTS_NONE;
    if (none) question.criterion = &any;
    if (some(&question, node, discriminator->steps, discriminator->step_count) != none) return true;
  }
  return false;
}

/* By some discriminator it can be told what is of the slice. */
static bool can_tell(const struct validation_slice *slice) {
  for (size_t i = 0; i < slice->count; i++)
    if (slice->discriminators[i].count) return true;
  return false;
}

/* How many of the slice's discriminators the item meets. */
static size_t count_met(struct validation_walk *walk, struct tree_node *node,
                        const struct validation_slice *slice) {
  size_t met = 0;
  for (size_t i = 0; i < slice->count; i++)
    met += meets(walk, node, &slice->discriminators[i]);
  return met;
}

static bool is_of(struct validation_walk *walk, struct tree_node *node,
                  const struct validation_slice *slice) {
  size_t told = 0;
  for (size_t i = 0; i < slice->count; i++) {
    const struct validation_discriminator *discriminator = &slice->discriminators[i];
    if (discriminator->count && !meets(walk, node, discriminator)) return false;
    told += discriminator->count != 0;
  }
  return told != 0;
}

bool validation_is_of_slice(struct validation_walk *walk, struct tree_node *item,
                            const struct validation_slicing *slicing) {
  for (size_t i = 0; i < slicing->count; i++)
    if (is_of(walk, item, &slicing->slices[i])) return true;
  return false;
}

/* --- findings --- */

/* The slice that lacks the fewest, and the first discriminator that fails. */
static const struct validation_discriminator *nearest(struct validation_walk *walk, struct tree_node *node,
                                                      const struct validation_slicing *slicing,
                                                      const struct validation_slice **out) {
  size_t best = 0;
  *out = NULL;
  for (size_t i = 0; i < slicing->count; i++) {
    size_t met = count_met(walk, node, &slicing->slices[i]);
    if (*out && met <= best) continue;
    *out = &slicing->slices[i];
    best = met;
  }
  for (size_t i = 0; *out && i < (*out)->count; i++)
    if (!meets(walk, node, &(*out)->discriminators[i])) return &(*out)->discriminators[i];
  return NULL;
}

static void report_closed(struct validation_walk *walk, struct tree_node *node,
                          const struct validation_element *element) {
  const struct validation_slice *slice = NULL;
  if (walk->quiet) {
    walk->quiet_errors++;
    return;
  }
  const struct validation_discriminator *failed = nearest(walk, node, element->slicing, &slice);
  struct str name = def_element_path(element->element);
  if (failed)
    validation_report(walk, DIAG_ERROR, DIAG_SLICE_UNKNOWN, node,
                      "%.*s is of none of the slices that it may be of; nearest is %.*s, whose discriminator "
                      "%.*s %.*s it does not meet",
                      STR_ARG(name), STR_ARG(slice->name), STR_ARG(failed->said.type),
                      STR_ARG(failed->said.path));
  else
    validation_report(walk, DIAG_ERROR, DIAG_SLICE_UNKNOWN, node,
                      "%.*s is of none of the slices that it may be of", STR_ARG(name));
}

static void report_count(struct validation_walk *walk, const struct tree_node *node,
                         const struct validation_element *element, const struct validation_slice *slice,
                         size_t count) {
  struct str name = def_element_path(element->element);
  const struct validation_discriminator *by = slice->count ? &slice->discriminators[0] : NULL;
  if (count < slice->element.min)
    validation_report(walk, DIAG_ERROR, DIAG_REQUIRED_MISSING, node,
                      "the slice %.*s of %.*s is needed %u time%s, found %zu (told by %.*s %.*s)",
                      STR_ARG(slice->name), STR_ARG(name), slice->element.min,
                      slice->element.min == 1 ? "" : "s", count, STR_ARG(by ? by->said.type : STR("")),
                      STR_ARG(by ? by->said.path : STR("")));
  else
    validation_report(walk, DIAG_ERROR, DIAG_TOO_MANY, node,
                      "the slice %.*s of %.*s may be given %u time%s at most, found %zu",
                      STR_ARG(slice->name), STR_ARG(name), slice->element.max,
                      slice->element.max == 1 ? "" : "s", count);
}

/* --- the items of one element --- */

struct sorting {
  struct validation_walk *walk;
  const struct validation_element *element;
  size_t *counts; /* of each slice */
  size_t latest;  /* slice of the item before + 1 */
  bool outside;   /* an item of no slice came before */
  size_t depth;
  const struct validation_slice *within; /* only the items of this slice, which is sliced again; NULL: all */
};

/* The slice of an item; its index, or the count of slices for none. */
static size_t sort_out(struct sorting *sorting, struct tree_node *item) {
  const struct validation_slicing *slicing = sorting->element->slicing;
  size_t found = slicing->count;
  for (size_t i = 0; i < slicing->count; i++) {
    const struct validation_slice *slice = &slicing->slices[i];
    if (slice == slicing->otherwise || !is_of(sorting->walk, item, slice)) continue;
    if (found == slicing->count) {
      found = i;
      continue;
    }
    validation_report(sorting->walk, DIAG_ERROR, DIAG_SLICE_AMBIGUOUS, item,
                      "%.*s is of two slices, %.*s and %.*s",
                      STR_ARG(def_element_path(sorting->element->element)),
                      STR_ARG(slicing->slices[found].name), STR_ARG(slice->name));
    break;
  }
  if (found == slicing->count && slicing->otherwise) found = (size_t)(slicing->otherwise - slicing->slices);
  return found;
}

static void check_order(struct sorting *sorting, const struct tree_node *item, size_t index) {
  const struct validation_slicing *slicing = sorting->element->slicing;
  struct str name = def_element_path(sorting->element->element);
  if (slicing->ordered && index + 1 < sorting->latest)
    validation_report(sorting->walk, DIAG_ERROR, DIAG_SLICE_ORDER, item,
                      "%.*s: the slice %.*s must stand before the slice %.*s", STR_ARG(name),
                      STR_ARG(slicing->slices[index].name),
                      STR_ARG(slicing->slices[sorting->latest - 1].name));
  if (slicing->rules == DEF_SLICING_OPEN_AT_END && sorting->outside)
    validation_report(sorting->walk, DIAG_ERROR, DIAG_SLICE_ORDER, item,
                      "%.*s: the slice %.*s must stand before what is of no slice", STR_ARG(name),
                      STR_ARG(slicing->slices[index].name));
  if (index + 1 > sorting->latest) sorting->latest = index + 1;
}

static void check_item(struct sorting *sorting, struct tree_node *item) {
  const struct validation_slicing *slicing = sorting->element->slicing;
  if (sorting->within && !is_of(sorting->walk, item, sorting->within)) return;
  size_t index = sort_out(sorting, item);
  if (index == slicing->count) {
    sorting->outside = true;
    if (slicing->rules == DEF_SLICING_CLOSED) report_closed(sorting->walk, item, sorting->element);
    return;
  }
  check_order(sorting, item, index);
  sorting->counts[index]++;
  validation_check_item(sorting->walk, item, &slicing->slices[index].element, sorting->depth);
}

static void check_counts(const struct sorting *sorting, const struct tree_node *node) {
  const struct validation_slicing *slicing = sorting->element->slicing;
  for (size_t i = 0; i < slicing->count; i++) {
    const struct validation_slice *slice = &slicing->slices[i];
    if (slice != slicing->otherwise && !can_tell(slice)) {
      validation_advise(sorting->walk, DIAG_WARNING, DIAG_DEFINITION_INVALID, node,
                        "%.*s: the profile does not say by what the slice %.*s is told from others",
                        STR_ARG(def_element_path(sorting->element->element)), STR_ARG(slice->name));
      continue;
    }
    if (sorting->counts[i] < slice->element.min || sorting->counts[i] > slice->element.max)
      report_count(sorting->walk, node, sorting->element, slice, sorting->counts[i]);
  }
}

static bool make_counts(struct sorting *sorting) {
  sorting->counts = ARENA_ARRAY(sorting->walk->run->arena, size_t, sorting->element->slicing->count);
  if (!sorting->counts) sorting->walk->status = STATUS_NOMEM;
  return sorting->counts != NULL;
}

static void check_all(struct sorting *sorting, struct tree_node *node) {
  struct validation_walk *walk = sorting->walk;
  const struct validation_slicing *slicing = sorting->element->slicing;
  if (!make_counts(sorting)) return;
  for (struct tree_node *child = tree_first(node); child && !validation_done(walk); child = tree_next(child))
    if (child->symbol == sorting->element->symbol && node_type(child)) check_item(sorting, child);
  if (!validation_done(walk)) check_counts(sorting, node);
  for (size_t i = 0; i < slicing->count && !validation_done(walk) && sorting->depth < LIMIT_DEPTH; i++) {
    const struct validation_slice *slice = &slicing->slices[i];
    struct sorting again = {
        .walk = walk, .element = &slice->element, .depth = sorting->depth + 1, .within = slice};
    if (slice->element.slicing && sorting->counts[i]) check_all(&again, node);
  }
}

void validation_check_slices(struct validation_walk *walk, struct tree_node *node,
                             const struct validation_element *element, size_t depth) {
  struct sorting sorting = {.walk = walk, .element = element, .depth = depth};
  check_all(&sorting, node);
}
