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

/* Quantities of the same system and unit, or of UCUM units that can be converted. */
static bool compare_quantities(const struct validation_visit *visit, const struct tree_node *limit,
                               int *order) {
  const struct tree_node *node = visit->node;
  struct str system = tree_text(node, "system"), code = tree_text(node, "code");
  struct str number = tree_text(node, "value"), other = tree_text(limit, "value");
  if (!system.len || !code.len || !number.len || !str_eq(system, tree_text(limit, "system"))) return false;
  if (str_eq(code, tree_text(limit, "code"))) return compare_numbers(number, other, order);
  return str_is(system, "http://unitsofmeasure.org") &&
         fhirpath_ucum_compare(visit->walk->validation->definitions, number, code, other,
                               tree_text(limit, "code"), order);
}

static bool order_of(const struct validation_visit *visit, struct str limit, const struct tree_node *quantity,
                     int *order) {
  if (quantity) return compare_quantities(visit, quantity, order);
  return limit.len && compare(visit->plan->primitive, visit->node->text, limit, order);
}

static void report_range(const struct validation_visit *visit, const char *what, struct str limit,
                         const struct tree_node *quantity) {
  struct str shown = quantity ? tree_text(quantity, "value") : limit;
  validation_report(visit->walk, DIAG_ERROR, DIAG_VALUE_OUT_OF_RANGE, visit->node, "%.*s must be at %s %.*s",
                    STR_ARG(validation_name_of(visit)), what, STR_ARG(shown));
}

void validation_check_range(const struct validation_visit *visit) {
  const struct validation_element *element = visit->element;
  int order = 0;
  if (order_of(visit, element->min_value, element->min_quantity, &order) && order < 0)
    report_range(visit, "least", element->min_value, element->min_quantity);
  if (order_of(visit, element->max_value, element->max_quantity, &order) && order > 0)
    report_range(visit, "most", element->max_value, element->max_quantity);
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

/* A profile read from XML has all values as strings. */
static bool same_text(const struct tree_node *node, const struct tree_node *rule) {
  int order;
  if ((node->kind == TREE_OBJECT) != (rule->kind == TREE_OBJECT)) return false;
  if (node->kind == TREE_NUMBER) return compare_numbers(node->text, rule->text, &order) && order == 0;
  return str_eq(node->text, rule->text);
}

/* Fixed: equal. Pattern: at least what the rule has. */
static bool is_same(const struct tree_node *node, const struct tree_node *rule, bool pattern,
                    unsigned depth) {
  if (depth > FIXED_DEPTH || !same_text(node, rule)) return false;
  for (const struct tree_node *wanted = rule->child; wanted; wanted = wanted->next)
    if (!has_same(node, wanted, pattern, depth + 1)) return false;
  return pattern || count_children(node) == count_children(rule);
}

bool validation_same_value(const struct tree_node *node, const struct tree_node *rule, bool pattern) {
  return is_same(node, rule, pattern, 0);
}

static void report_value(const struct validation_visit *visit, const struct tree_node *node,
                         const struct tree_node *rule) {
  struct str name = validation_name_of(visit);
  if (rule->kind == TREE_OBJECT)
    validation_report(visit->walk, DIAG_ERROR, DIAG_FIXED_VALUE, node, "%.*s must %s what its definition %s",
                      STR_ARG(name), visit->element->is_pattern ? "hold" : "be exactly",
                      visit->element->is_pattern ? "asks for" : "fixes");
  else
    validation_report(visit->walk, DIAG_ERROR, DIAG_FIXED_VALUE, node, "%.*s%s%.*s must be \"%.*s\"",
                      STR_ARG(name), node == visit->node ? "" : ": ",
                      STR_ARG(node == visit->node ? STR("") : rule->name), STR_ARG(rule->text));
}

static void report_part_missing(const struct validation_visit *visit, const struct tree_node *node,
                                const struct tree_node *rule) {
  validation_report(visit->walk, DIAG_ERROR, DIAG_FIXED_VALUE, node,
                    "%.*s must have %.*s, as its definition %s", STR_ARG(validation_name_of(visit)),
                    STR_ARG(rule->name), visit->element->is_pattern ? "asks" : "fixes");
}

/* Parts of a concept or of what repeats belong together: the finding is on the whole. */
static bool is_whole(const struct tree_node *rule) {
  if (rule->kind != TREE_OBJECT) return true;
  for (const struct tree_node *part = rule->child; part; part = part->next)
    if (part->flags & TREE_IN_ARRAY || part->kind == TREE_OBJECT) return true;
  return false;
}

/* Parts that what is fixed does not have. */
static bool report_extra(const struct validation_visit *visit) {
  bool found = false;
  for (const struct tree_node *part = tree_first(visit->node); part; part = tree_next(part)) {
    if (visit->element->is_pattern || tree_find_str(visit->element->fixed, part->name)) continue;
    validation_report(visit->walk, DIAG_ERROR, DIAG_FIXED_VALUE, part,
                      "%.*s may not have %.*s: its value is fixed without it",
                      STR_ARG(validation_name_of(visit)), STR_ARG(part->name));
    found = true;
  }
  return found;
}

void validation_check_fixed(const struct validation_visit *visit) {
  const struct validation_element *element = visit->element;
  if (is_same(visit->node, element->fixed, element->is_pattern, 0)) return;
  if (is_whole(element->fixed)) {
    report_value(visit, visit->node, element->fixed);
    return;
  }
  bool said = report_extra(visit);
  for (const struct tree_node *part = element->fixed->child; part; part = part->next) {
    const struct tree_node *has = tree_find_str(visit->node, part->name);
    if (!has)
      report_part_missing(visit, visit->node, part);
    else if (!is_same(has, part, element->is_pattern, 1))
      report_value(visit, has, part);
    said |= !has || !is_same(has, part, element->is_pattern, 1);
  }
  if (!said) report_value(visit, visit->node, element->fixed);
}
