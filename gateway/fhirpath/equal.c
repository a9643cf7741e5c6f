/* equal.c - equality and equivalence of items and collections (FHIRPath 2.0.0 section 6.1), distinct,
 * membership. */
#include "fhirpath/internal.h"

static enum fp_truth truth(bool value) {
  return value ? FP_TRUE : FP_FALSE;
}

typedef enum fp_truth compare_items(struct fp_eval *, const struct fp_item *, const struct fp_item *);

/* --- trees */

static const struct tree_node *next_item(const struct tree_node *node) {
  while (node && node->kind == TREE_NULL && !node->child)
    node = node->next;
  return node;
}

static bool same_name(const struct tree_node *a, const struct tree_node *b) {
  return str_eq(a->name, b->name);
}

static enum fp_truth trees(struct fp_eval *e, const struct tree_node *a, const struct tree_node *b,
                           compare_items *compare);

/* Children of one name, in order: from `a` on, and those of that name in `b`. */
static enum fp_truth groups(struct fp_eval *e, const struct tree_node *a, const struct tree_node *b,
                            compare_items *compare) {
  const struct tree_node *left = a, *right = b->child;
  while (right && !same_name(right, a))
    right = right->next;
  for (;;) {
    if (left && !same_name(left, a)) left = NULL;
    if (right && !same_name(right, a)) right = NULL;
    if (!left || !right) return truth(!left && !right);
    enum fp_truth value = trees(e, left, right, compare);
    if (value != FP_TRUE) return value;
    left = left->next;
    right = right->next;
  }
}

static enum fp_truth children(struct fp_eval *e, const struct tree_node *a, const struct tree_node *b,
                              compare_items *compare);

static size_t count_children(const struct tree_node *node) {
  size_t count = 0;
  for (const struct tree_node *child = next_item(node->child); child; child = next_item(child->next))
    count++;
  return count;
}

static enum fp_truth children(struct fp_eval *e, const struct tree_node *a, const struct tree_node *b,
                              compare_items *compare) {
  size_t count = count_children(a);
  if (!fp_count(e, count + 1)) return FP_FAILED;
  if (count != count_children(b)) return FP_FALSE;
  const struct tree_node *previous = NULL;
  for (const struct tree_node *child = next_item(a->child); child; child = next_item(child->next)) {
    if (previous && same_name(previous, child)) continue;
    enum fp_truth value = fp_count(e, count) ? groups(e, child, b, compare) : FP_FAILED;
    if (value != FP_TRUE) return value;
    previous = child;
  }
  return FP_TRUE;
}

/* Within a complex value a primitive is its value and its extensions. */
static enum fp_truth trees(struct fp_eval *e, const struct tree_node *a, const struct tree_node *b,
                           compare_items *compare) {
  struct fp_item left = {.kind = FP_NODE}, right = {.kind = FP_NODE};
  memcpy(&left.node, &a, sizeof a);
  memcpy(&right.node, &b, sizeof b);
  enum fp_truth value = compare(e, &left, &right);
  bool primitive = a->kind != TREE_OBJECT && b->kind != TREE_OBJECT;
  return value == FP_TRUE && primitive && (a->child || b->child) ? children(e, a, b, compare) : value;
}

/* --- values */

static bool is_number(enum fp_kind kind) {
  return kind == FP_INTEGER || kind == FP_DECIMAL;
}

static enum fp_truth dates_equal(const struct fp_value *a, const struct fp_value *b) {
  struct datetime left, right;
  if ((a->kind == FP_TIME) != (b->kind == FP_TIME)) return FP_FALSE;
  if (!fp_value_datetime(a, &left) || !fp_value_datetime(b, &right))
    return truth(str_eq(a->string, b->string));
  enum datetime_order order = datetime_compare(&left, &right);
  return order == DATETIME_UNKNOWN ? FP_UNKNOWN : truth(order == DATETIME_EQUAL);
}

static struct fp_quantity as_quantity(const struct fp_value *value) {
  struct fp_quantity quantity = {.unit = STR("1")};
  if (value->kind == FP_QUANTITY) return value->quantity;
  if (!fp_value_decimal(value, &quantity.value)) quantity.value = (struct decimal){0};
  return quantity;
}

/* A calendar year or month has no fixed length in UCUM: such quantities are neither equal nor unequal. */
static bool is_calendar_clash(const struct fp_quantity *a, const struct fp_quantity *b) {
  enum datetime_unit unit;
  bool definite;
  if (a->calendar == b->calendar) return false;
  const struct fp_quantity *calendar = a->calendar ? a : b, *other = a->calendar ? b : a;
  return fp_datetime_unit(calendar, &unit, &definite) && unit <= DATETIME_UNIT_MONTH &&
         fp_datetime_unit(other, &unit, &definite);
}

static enum fp_truth quantities_equal(struct fp_eval *e, const struct fp_value *a, const struct fp_value *b) {
  struct decimal left, right;
  struct fp_quantity x = as_quantity(a), y = as_quantity(b);
  int finer;
  if (fp_quantity_align(e->program->units, &x, &y, false, &left, &right, &finer))
    return truth(decimal_compare(left, right) == 0);
  return is_calendar_clash(&x, &y) ? FP_UNKNOWN : FP_FALSE;
}

static enum fp_truth values_equal(struct fp_eval *e, const struct fp_value *a, const struct fp_value *b) {
  if (is_number(a->kind) && is_number(b->kind)) {
    struct decimal left, right;
    if (a->kind == FP_INTEGER && b->kind == FP_INTEGER) return truth(a->integer == b->integer);
    return truth(fp_value_decimal(a, &left) && fp_value_decimal(b, &right) &&
                 decimal_compare(left, right) == 0);
  }
  if (a->kind == FP_QUANTITY || b->kind == FP_QUANTITY) {
    bool fit =
        (a->kind == FP_QUANTITY || is_number(a->kind)) && (b->kind == FP_QUANTITY || is_number(b->kind));
    return fit ? quantities_equal(e, a, b) : FP_FALSE;
  }
  if (fp_is_date_kind(a->kind) && fp_is_date_kind(b->kind)) return dates_equal(a, b);
  if (a->kind != b->kind) return FP_FALSE;
  if (a->kind == FP_BOOLEAN) return truth(a->boolean == b->boolean);
  if (a->kind == FP_TYPE)
    return truth(str_eq(a->type.name, b->type.name) && str_eq(a->type.space, b->type.space));
  return truth(str_eq(a->string, b->string));
}

enum fp_truth fp_equal(struct fp_eval *e, const struct fp_item *a, const struct fp_item *b) {
  FP_UNINITIALIZED struct fp_value left, right;
  if (a->kind == FP_NODE && b->kind == FP_NODE && a->node == b->node) return FP_TRUE;
  if (a->kind == FP_NODE && b->kind == FP_STRING && a->node->kind == TREE_STRING && fp_kind_of(a) == FP_STRING)
    return truth(str_eq(a->node->text, b->string));
  fp_load(a, &left);
  fp_load(b, &right);
  if (left.kind != FP_NODE && right.kind != FP_NODE) return values_equal(e, &left, &right);
  if (left.kind != FP_NODE || right.kind != FP_NODE || a->kind != FP_NODE || b->kind != FP_NODE)
    return FP_FALSE;
  if (!str_eq(a->node->text, b->node->text)) return FP_FALSE;
  return children(e, a->node, b->node, fp_equal);
}

/* --- equivalence */

static int32_t digits_of(struct decimal value) {
  struct decimal plain = decimal_normalize(value);
  return plain.scale < 0 ? 0 : plain.scale;
}

static bool decimals_equivalent(struct decimal a, struct decimal b) {
  int32_t left = digits_of(a), right = digits_of(b), scale = left < right ? left : right;
  return decimal_compare(decimal_round(a, scale), decimal_round(b, scale)) == 0;
}

static bool dates_equivalent(const struct fp_value *a, const struct fp_value *b) {
  struct datetime left, right;
  if ((a->kind == FP_TIME) != (b->kind == FP_TIME)) return false;
  if (!fp_value_datetime(a, &left) || !fp_value_datetime(b, &right)) return str_eq(a->string, b->string);
  return datetime_compare(&left, &right) == DATETIME_EQUAL;
}

static uint32_t fold(uint32_t c) {
  if (c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v' || c == 0xA0) return ' ';
  return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static bool texts_equivalent(struct fp_eval *e, struct str a, struct str b) {
  size_t i = 0, j = 0;
  while (i < a.len && j < b.len) {
    uint32_t left = utf8_next(a, &i), right = utf8_next(b, &j);
    if (left < 0x80 && right < 0x80) {
      if (fold(left) != fold(right)) return false;
    } else if (fold(left) != fold(right)) {
      struct str x, y;
      if (!fp_change_case(e, e->program->root, a, false, &x) ||
          !fp_change_case(e, e->program->root, b, false, &y))
        return false;
      return str_eq(x, y);
    }
  }
  return i == a.len && j == b.len;
}

/* The least step that the digits of a quantity tell apart, in the unit of the other one. */
static bool step_in(struct fp_eval *e, const struct fp_quantity *quantity, const struct fp_quantity *other,
                    struct decimal *out) {
  struct fp_quantity step = *quantity;
  step.value = (struct decimal){.coefficient = 1, .scale = digits_of(quantity->value)};
  return fp_quantity_convert(e->program->units, &step, other->unit, other->calendar, out);
}

/* Rounded to the precision of the less precise one, which is known once both are in one unit. */
static bool quantities_equivalent(struct fp_eval *e, const struct fp_value *a, const struct fp_value *b) {
  struct fp_quantity x = as_quantity(a), y = as_quantity(b);
  struct decimal left, right, step;
  struct fp_unit unit;
  int finer;
  bool linear = !x.calendar && !y.calendar && fp_unit_parse(e->program->units, x.unit, &unit) &&
                !unit.special && fp_unit_parse(e->program->units, y.unit, &unit) && !unit.special;
  if (linear && step_in(e, &x, &y, &step)) {
    struct decimal own = {.coefficient = 1, .scale = digits_of(y.value)};
    bool x_coarser = decimal_compare(step, own) > 0;
    const struct fp_quantity *coarse = x_coarser ? &x : &y, *fine = x_coarser ? &y : &x;
    int32_t scale = digits_of(coarse->value);
    return fp_quantity_convert(e->program->units, fine, coarse->unit, false, &left) &&
           decimal_compare(decimal_round(left, scale), coarse->value) == 0;
  }
  if (!fp_quantity_align(e->program->units, &x, &y, true, &left, &right, &finer)) return false;
  return decimals_equivalent(left, right);
}

static bool values_equivalent(struct fp_eval *e, const struct fp_value *a, const struct fp_value *b) {
  struct decimal left, right;
  if (is_number(a->kind) && is_number(b->kind))
    return fp_value_decimal(a, &left) && fp_value_decimal(b, &right) && decimals_equivalent(left, right);
  if (a->kind == FP_QUANTITY || b->kind == FP_QUANTITY) {
    bool fit =
        (a->kind == FP_QUANTITY || is_number(a->kind)) && (b->kind == FP_QUANTITY || is_number(b->kind));
    return fit && quantities_equivalent(e, a, b);
  }
  if (fp_is_date_kind(a->kind) && fp_is_date_kind(b->kind)) return dates_equivalent(a, b);
  if (a->kind == FP_STRING && b->kind == FP_STRING) return texts_equivalent(e, a->string, b->string);
  return values_equal(e, a, b) == FP_TRUE;
}

static enum fp_truth children_equivalent(struct fp_eval *e, const struct tree_node *a,
                                         const struct tree_node *b);

enum fp_truth fp_equivalent(struct fp_eval *e, const struct fp_item *a, const struct fp_item *b) {
  struct fp_value left, right;
  if (a->kind == FP_NODE && b->kind == FP_NODE && a->node == b->node) return FP_TRUE;
  fp_load(a, &left);
  fp_load(b, &right);
  if (left.kind != FP_NODE && right.kind != FP_NODE) {
    bool same = values_equivalent(e, &left, &right);
    return e->status == STATUS_OK ? truth(same) : FP_FAILED;
  }
  if (left.kind != FP_NODE || right.kind != FP_NODE || a->kind != FP_NODE || b->kind != FP_NODE)
    return FP_FALSE;
  return children_equivalent(e, a->node, b->node);
}

/* Each item of one side has a partner on the other, in any order. */
static enum fp_truth any_order(struct fp_eval *e, const struct fp_item *a, const struct fp_item *b,
                               size_t count) {
  if (count == 0) return FP_TRUE;
  bool *taken = ARENA_ARRAY(e->arena, bool, count);
  if (!taken) {
    fp_nomem(e);
    return FP_FAILED;
  }
  for (size_t i = 0; i < count; i++) {
    bool found = false;
    for (size_t j = 0; j < count && !found; j++) {
      if (taken[j]) continue;
      enum fp_truth value = fp_count(e, 1) ? fp_equivalent(e, &a[i], &b[j]) : FP_FAILED;
      if (value == FP_FAILED) return value;
      found = taken[j] = value == FP_TRUE;
    }
    if (!found) return FP_FALSE;
  }
  return FP_TRUE;
}

static bool collect_group(struct fp_eval *e, const struct tree_node *first, struct fp_list *out) {
  for (const struct tree_node *node = first; node && same_name(node, first); node = node->next) {
    struct fp_item item = {.kind = FP_NODE};
    memcpy(&item.node, &node, sizeof node);
    if (!fp_push(e, out, item)) return false;
  }
  return true;
}

static enum fp_truth children_equivalent(struct fp_eval *e, const struct tree_node *a,
                                         const struct tree_node *b) {
  size_t count = count_children(a);
  if (!fp_count(e, count + 1)) return FP_FAILED;
  if (count != count_children(b)) return FP_FALSE;
  const struct tree_node *previous = NULL;
  for (const struct tree_node *child = next_item(a->child); child; child = next_item(child->next)) {
    if (previous && same_name(previous, child)) continue;
    struct fp_list left = {0}, right = {0};
    const struct tree_node *other = b->child;
    while (other && !same_name(other, child))
      other = other->next;
    if (!fp_count(e, count) || !collect_group(e, child, &left)) return FP_FAILED;
    if (other && !collect_group(e, other, &right)) return FP_FAILED;
    enum fp_truth value =
        left.count == right.count ? any_order(e, left.items, right.items, left.count) : FP_FALSE;
    if (value != FP_TRUE) return value;
    previous = child;
  }
  return FP_TRUE;
}

/* --- collections */

enum fp_truth fp_lists_equal(struct fp_eval *e, const struct fp_list *a, const struct fp_list *b) {
  enum fp_truth result = FP_TRUE;
  if (a->count == 0 || b->count == 0) return FP_UNKNOWN;
  if (a->count != b->count) return FP_FALSE;
  for (size_t i = 0; i < a->count; i++) {
    enum fp_truth value = fp_count(e, 1) ? fp_equal(e, &a->items[i], &b->items[i]) : FP_FAILED;
    if (value == FP_FALSE || value == FP_FAILED) return value;
    if (value == FP_UNKNOWN) result = FP_UNKNOWN;
  }
  return result;
}

enum fp_truth fp_lists_equivalent(struct fp_eval *e, const struct fp_list *a, const struct fp_list *b) {
  if (a->count != b->count) return FP_FALSE;
  return any_order(e, a->items, b->items, a->count);
}

bool fp_contains_item(struct fp_eval *e, const struct fp_list *list, const struct fp_item *item,
                      bool *found) {
  struct str text = {0}, other = {0};
  bool is_text = fp_string_of(item, &text);
  *found = false;
  for (size_t i = 0; i < list->count && !*found; i++) {
    if (!fp_count(e, 1)) return false;
    bool texts = is_text && fp_string_of(&list->items[i], &other);
    enum fp_truth value = texts ? truth(str_eq(other, text)) : fp_equal(e, &list->items[i], item);
    if (value == FP_FAILED) return false;
    *found = value == FP_TRUE;
  }
  return true;
}
