/* value.c - what a definition fixes, bounds or shortens. */
#include "validation/internal.h"

void validation_check_length(const struct validation_visit *visit) {
  if (utf8_count(visit->node->text) > visit->element->max_length)
    validation_report(visit->walk, DIAG_ERROR, DIAG_VALUE_TOO_LONG, visit->node,
                      "%.*s may have %u characters at most", STR_ARG(validation_name_of(visit)),
                      visit->element->max_length);
}

/* --- ranges --- */

static bool compare_numbers(struct str a, struct str b, int *order) {
  struct decimal left, right;
  if (!decimal_parse(a, &left) || !decimal_parse(b, &right)) return false;
  *order = decimal_compare(left, right);
  return true;
}

static bool compare_times(struct str a, struct str b, enum datetime_kind kind, int *order) {
  struct datetime left, right;
  if (!datetime_parse(a, kind, &left) || !datetime_parse(b, kind, &right)) return false;
  enum datetime_order result = datetime_compare(&left, &right);
  *order = (int)result;
  return result != DATETIME_UNKNOWN;
}

/* False when the two cannot be put in order. */
static bool compare(enum def_primitive primitive, struct str a, struct str b, int *order) {
  switch (primitive) {
  case DEF_P_INTEGER:
  case DEF_P_POSITIVE_INT:
  case DEF_P_UNSIGNED_INT:
  case DEF_P_DECIMAL:
    return compare_numbers(a, b, order);
  case DEF_P_DATE:
    return compare_times(a, b, DATETIME_DATE, order);
  case DEF_P_DATETIME:
    return compare_times(a, b, DATETIME_DATETIME, order);
  case DEF_P_INSTANT:
    return compare_times(a, b, DATETIME_INSTANT, order);
  case DEF_P_TIME:
    return compare_times(a, b, DATETIME_TIME, order);
  default:
    return false;
  }
}

void validation_check_range(const struct validation_visit *visit) {
  const struct validation_element *element = visit->element;
  struct str value = visit->node->text;
  int order = 0;
  if (element->min_value.len && compare(visit->plan->primitive, value, element->min_value, &order) &&
      order < 0)
    validation_report(visit->walk, DIAG_ERROR, DIAG_VALUE_OUT_OF_RANGE, visit->node,
                      "%.*s must be at least %.*s", STR_ARG(validation_name_of(visit)),
                      STR_ARG(element->min_value));
  if (element->max_value.len && compare(visit->plan->primitive, value, element->max_value, &order) &&
      order > 0)
    validation_report(visit->walk, DIAG_ERROR, DIAG_VALUE_OUT_OF_RANGE, visit->node,
                      "%.*s must be at most %.*s", STR_ARG(validation_name_of(visit)),
                      STR_ARG(element->max_value));
}

/* --- fixed and pattern --- */

enum { FIXED_DEPTH = 32 };

static bool is_same(const struct tree_node *node, const struct tree_node *rule, bool pattern, unsigned depth);

/* Some child of node by that name holds the rule's child. */
static bool has_same(const struct tree_node *node, const struct tree_node *wanted, bool pattern,
                     unsigned depth) {
  for (const struct tree_node *child = tree_find_str(node, wanted->name); child;
       child = tree_next_same(child))
    if (is_same(child, wanted, pattern, depth)) return true;
  return false;
}

static size_t count_children(const struct tree_node *node) {
  size_t count = 0;
  for (const struct tree_node *child = node->child; child; child = child->next)
    count++;
  return count;
}

/* Fixed: equal. Pattern: at least what the rule has. */
static bool is_same(const struct tree_node *node, const struct tree_node *rule, bool pattern,
                    unsigned depth) {
  if (node->kind != rule->kind || depth > FIXED_DEPTH) return false;
  if (rule->kind == TREE_NUMBER) {
    int order;
    if (!compare_numbers(node->text, rule->text, &order) || order != 0) return false;
  } else if (!str_eq(node->text, rule->text)) {
    return false;
  }
  for (const struct tree_node *wanted = rule->child; wanted; wanted = wanted->next)
    if (!has_same(node, wanted, pattern, depth + 1)) return false;
  return pattern || count_children(node) == count_children(rule);
}

void validation_check_fixed(const struct validation_visit *visit) {
  const struct validation_element *element = visit->element;
  if (is_same(visit->node, element->fixed, element->is_pattern, 0)) return;
  struct str name = validation_name_of(visit);
  if (element->fixed->kind == TREE_OBJECT)
    validation_report(visit->walk, DIAG_ERROR, DIAG_FIXED_VALUE, visit->node,
                      "%.*s must %s what its definition %s", STR_ARG(name),
                      element->is_pattern ? "hold" : "be exactly",
                      element->is_pattern ? "asks for" : "fixes");
  else
    validation_report(visit->walk, DIAG_ERROR, DIAG_FIXED_VALUE, visit->node, "%.*s must be \"%.*s\"",
                      STR_ARG(name), STR_ARG(element->fixed->text));
}
