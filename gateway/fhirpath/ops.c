/* ops.c - instructions that test, select and combine: existence, three-valued logic, equality, types, calls.
 */
#include "fhirpath/internal.h"

static enum fp_truth truth(bool value) {
  return value ? FP_TRUE : FP_FALSE;
}

/* --- existence and selection */

static enum fp_truth FP_APART list_exists(struct fp_eval *e, const struct fp_ins *ins) {
  struct fp_mark mark = fp_mark(e);
  FP_UNINITIALIZED struct fp_list list;
  FP_UNINITIALIZED struct fp_item slot;
  if (!fp_collect_at(e, ins->input, &slot, &list, 1)) return FP_FAILED;
  fp_release(e, mark);
  return truth(list.count > 0);
}

static inline enum fp_truth exists(struct fp_eval *e, const struct fp_ins *ins) {
  struct fp_found found = fp_find(e, ins->input, 1);
  if (found.count < 2) return truth(found.count > 0);
  return found.count == FP_FIND_FAILED ? FP_FAILED : list_exists(e, ins);
}

enum fp_truth FP_APART fp_test_exists(struct fp_eval *e, const struct fp_ins *ins) {
  return exists(e, ins);
}

/* name.exists() on one node */
enum fp_truth fp_test_has_child(struct fp_eval *e, const struct fp_ins *ins) {
  const struct fp_step *step = ins->input->steps;
  if (e->scope->count != 1 || e->scope->items[0].kind != FP_NODE || e->mark_read)
    return fp_test_exists(e, ins);
  if (fp_step_lacks(step->symbol, e->scope->items[0].node)) return FP_FALSE;
  for (const struct tree_node *node = e->scope->items[0].node->child; node; node = node->next) {
    if (fp_step_matches(step->symbol, step->name, node) && (node->kind != TREE_NULL || node->child))
      return FP_TRUE;
  }
  return FP_FALSE;
}

enum fp_truth fp_test_is_empty(struct fp_eval *e, const struct fp_ins *ins) {
  enum fp_truth any = exists(e, ins);
  return any == FP_FAILED ? FP_FAILED : truth(any == FP_FALSE);
}

enum fp_truth fp_test_all(struct fp_eval *e, const struct fp_ins *ins) {
  struct fp_mark mark = fp_mark(e);
  struct fp_list list;
  if (!fp_collect(e, ins->input, &list)) return FP_FAILED;
  for (size_t i = 0; i < list.count; i++) {
    struct fp_mark inner = fp_mark(e);
    enum fp_truth one = fp_test_item(e, ins->arguments[0], &list.items[i], i);
    if (one == FP_FAILED || !fp_count(e, 1)) return FP_FAILED;
    fp_release(e, inner);
    if (one != FP_TRUE) return FP_FALSE;
  }
  fp_release(e, mark);
  return FP_TRUE;
}

static bool FP_APART first_of_list(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  struct fp_list list;
  if (!fp_collect_some(e, ins->input, &list, 1)) return false;
  return list.count == 0 || fp_push(e, out, list.items[0]);
}

bool fp_exec_first(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  if (ins->input->op == FP_OP_COMBINE) return fp_first_of_parts(e, ins->input, out);
  struct fp_found found = fp_find(e, ins->input, 1);
  if (found.count < 2) return found.count == 0 || fp_push_node(e, out, found.first);
  return found.count != FP_FIND_FAILED && first_of_list(e, ins, out);
}

static bool count_of(struct fp_eval *e, const struct fp_ins *ins, int64_t *count) {
  struct fp_mark mark = fp_mark(e);
  struct fp_list list;
  struct fp_found found = fp_find(e, ins->input, FP_FIND_NOT_PLAIN);
  *count = (int64_t)found.count;
  if (found.count != FP_FIND_NOT_PLAIN) return found.count != FP_FIND_FAILED;
  if (!fp_collect(e, ins->input, &list)) return false;
  fp_release(e, mark);
  *count = (int64_t)list.count;
  return true;
}

bool fp_exec_count(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  int64_t count;
  return count_of(e, ins, &count) && fp_push_integer(e, out, count);
}

/* count() beside a number that stands in the text. */
static inline bool counts(const struct fp_ins *ins) {
  return ins->input->op == FP_OP_COUNT && ins->right->op == FP_OP_CONST && ins->right->literal.kind == FP_INTEGER;
}

bool fp_exec_indexer(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  struct fp_list list;
  struct fp_item item;
  struct fp_value index;
  int has = fp_single(e, ins->right, &item);
  if (has <= 0) return has == 0;
  fp_load(&item, &index);
  if (index.kind != FP_INTEGER) return fp_fail(e, ins, DIAG_FHIRPATH_EVALUATION, "an index is an Integer");
  if (index.integer < 0) return true;
  size_t at = (size_t)index.integer;
  if (!fp_collect_some(e, ins->input, &list, at + 1)) return false;
  return at >= list.count || fp_push(e, out, list.items[at]);
}

bool fp_exec_select(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  struct fp_list list;
  if (!fp_collect(e, ins->input, &list)) return false;
  for (size_t i = 0; i < list.count; i++) {
    if (!fp_count(e, 1) || !fp_exec_item(e, ins->arguments[0], &list.items[i], i, NULL, out)) return false;
  }
  return true;
}

/* --- three-valued logic */

enum fp_truth fp_test_not(struct fp_eval *e, const struct fp_ins *ins) {
  enum fp_truth value = fp_test_ins(e, ins->input);
  if (value == FP_UNKNOWN || value == FP_FAILED) return value;
  return truth(value == FP_FALSE);
}

enum fp_truth fp_test_and(struct fp_eval *e, const struct fp_ins *ins) {
  enum fp_truth left = fp_test_ins(e, ins->input);
  if (left == FP_FALSE || left == FP_FAILED) return left;
  enum fp_truth right = fp_test_ins(e, ins->right);
  if (right == FP_FALSE || right == FP_FAILED) return right;
  return left == FP_TRUE ? right : FP_UNKNOWN;
}

enum fp_truth fp_test_or(struct fp_eval *e, const struct fp_ins *ins) {
  enum fp_truth left = fp_test_ins(e, ins->input);
  if (left == FP_TRUE || left == FP_FAILED) return left;
  enum fp_truth right = fp_test_ins(e, ins->right);
  if (right == FP_TRUE || right == FP_FAILED) return right;
  return left == FP_FALSE ? right : FP_UNKNOWN;
}

enum fp_truth fp_test_xor(struct fp_eval *e, const struct fp_ins *ins) {
  enum fp_truth left = fp_test_ins(e, ins->input);
  if (left == FP_FAILED) return left;
  enum fp_truth right = fp_test_ins(e, ins->right);
  if (right == FP_FAILED || left == FP_UNKNOWN || right == FP_UNKNOWN)
    return right == FP_FAILED ? right : FP_UNKNOWN;
  return truth(left != right);
}

enum fp_truth fp_test_implies(struct fp_eval *e, const struct fp_ins *ins) {
  enum fp_truth left = fp_test_ins(e, ins->input);
  if (left == FP_FAILED) return left;
  if (left == FP_FALSE) return FP_TRUE;
  enum fp_truth right = fp_test_ins(e, ins->right);
  if (right == FP_TRUE || right == FP_FAILED) return right;
  return left == FP_TRUE ? right : FP_UNKNOWN;
}

/* --- equality, membership */

/* A primitive that has only id or extensions, or a Quantity without a value: nothing to compute with. */
static bool is_valueless(const struct fp_item *item, const struct fp_value *value) {
  if (item->kind != FP_NODE || value->kind != FP_NODE) return false;
  return item->node->kind != TREE_OBJECT || fp_is_quantity_node(item->node);
}

/* What a Quantity is made of has been read with it. */
static void mark_quantity(const struct fp_eval *e, const struct fp_item *item, const struct fp_value *value) {
  if (!e->mark_read || item->kind != FP_NODE || value->kind != FP_QUANTITY) return;
  for (struct tree_node *child = item->node->child; child; child = child->next)
    child->flags |= TREE_READ;
}

/* Both operands as values: 1, 0 when one is empty, -1 when it fails. */
static int operands(struct fp_eval *e, const struct fp_ins *ins, struct fp_value *left,
                    struct fp_value *right) {
  struct fp_item a, b;
  int has_a = fp_single(e, ins->input, &a);
  int has_b = has_a < 0 ? -1 : fp_single(e, ins->right, &b);
  if (has_b < 0) return -1;
  if (has_a == 0 || has_b == 0) return 0;
  fp_load(&a, left);
  fp_load(&b, right);
  mark_quantity(e, &a, left);
  mark_quantity(e, &b, right);
  return is_valueless(&a, left) || is_valueless(&b, right) ? 0 : 1;
}

static bool is_equality(enum fp_op op) {
  return op == FP_OP_EQ || op == FP_OP_NE || op == FP_OP_EQ_TEXT || op == FP_OP_EQ_VARIABLE;
}

/* As fp_lists_equal has it; texts, as nearly all are, at once. */
static FP_APART enum fp_truth others_equal(struct fp_eval *e, const struct fp_item *a, const struct fp_item *b) {
  struct fp_mark mark = fp_mark(e);
  enum fp_truth value = fp_equal(e, a, b);
  fp_release(e, mark);
  return value;
}

static inline enum fp_truth singles_equal(struct fp_eval *e, const struct fp_item *a, const struct fp_item *b) {
  FP_UNINITIALIZED struct str left, right;
  if (!fp_count(e, 1)) return FP_FAILED;
  if (fp_string_of(a, &left) && fp_string_of(b, &right)) return truth(str_eq(left, right));
  return others_equal(e, a, b);
}

static enum fp_truth FP_APART lists_compared(struct fp_eval *e, const struct fp_ins *ins) {
  struct fp_mark mark = fp_mark(e);
  FP_UNINITIALIZED struct fp_list left, right;
  FP_UNINITIALIZED struct fp_item a, b;
  if (!fp_collect_at(e, ins->input, &a, &left, SIZE_MAX) || !fp_collect_at(e, ins->right, &b, &right, SIZE_MAX))
    return FP_FAILED;
  bool singles = is_equality(ins->op) && left.count == 1 && right.count == 1;
  enum fp_truth value = singles               ? singles_equal(e, left.items, right.items)
                        : is_equality(ins->op) ? fp_lists_equal(e, &left, &right)
                                               : fp_lists_equivalent(e, &left, &right);
  fp_release(e, mark);
  return value;
}

/* What has to be worked out against one item. */
static enum fp_truth FP_APART list_equals(struct fp_eval *e, const struct fp_ins *ins, const struct fp_item *item) {
  struct fp_mark mark = fp_mark(e);
  FP_UNINITIALIZED struct fp_list list;
  FP_UNINITIALIZED struct fp_item slot;
  if (!fp_collect_at(e, ins->input, &slot, &list, SIZE_MAX)) return FP_FAILED;
  enum fp_truth value = list.count == 1 ? singles_equal(e, list.items, item) : list.count ? FP_FALSE : FP_UNKNOWN;
  fp_release(e, mark);
  return value;
}

static enum fp_truth FP_APART node_equals(struct fp_eval *e, struct tree_node *node, const struct fp_item *other) {
  struct fp_item item = {.kind = FP_NODE, .node = node};
  return fp_equal(e, &item, other);
}

/* A path against one item, without lists: as fp_lists_equal has it. */
static inline enum fp_truth equals_item(struct fp_eval *e, const struct fp_ins *ins, const struct fp_item *item) {
  const struct fp_item *known = fp_known_item(e, ins->input);
  FP_UNINITIALIZED struct str text;
  int64_t count;
  if (known) return singles_equal(e, known, item);
  if (counts(ins)) return count_of(e, ins->input, &count) && fp_count(e, 1) ? truth(count == item->integer) : FP_FAILED;
  struct fp_found found = fp_find(e, ins->input, FP_FIND_NOT_PLAIN);
  if (!fp_was_found(found)) return found.count == FP_FIND_FAILED ? FP_FAILED : list_equals(e, ins, item);
  if (found.count != 1) return found.count ? FP_FALSE : FP_UNKNOWN;
  if (!fp_count(e, 1)) return FP_FAILED;
  if (fp_is_text_node(found.first) && fp_string_of(item, &text)) return truth(str_eq(found.first->text, text));
  return node_equals(e, found.first, item);
}

enum fp_truth fp_test_equality(struct fp_eval *e, const struct fp_ins *ins) {
  bool negate = ins->op == FP_OP_NE || ins->op == FP_OP_NEQUIV;
  const struct fp_item *item = is_equality(ins->op) ? fp_known_item(e, ins->right) : NULL;
  enum fp_truth value = item ? equals_item(e, ins, item) : lists_compared(e, ins);
  if (!negate || value == FP_UNKNOWN || value == FP_FAILED) return value;
  return truth(value == FP_FALSE);
}

/* One child of $this against a text: the commonest condition of all. */
static inline enum fp_truth child_is(struct fp_eval *e, const struct fp_ins *ins, struct str text) {
  bool one = e->scope->count == 1 && e->scope->items[0].kind == FP_NODE;
  enum fp_truth is = one ? fp_child_is(e, ins->input->steps, e->scope->items[0].node, text) : FP_FAILED;
  return is == FP_FAILED ? fp_test_equality(e, ins) : is;
}

enum fp_truth fp_test_eq_text(struct fp_eval *e, const struct fp_ins *ins) {
  return child_is(e, ins, ins->right->literal.string);
}

/* The same against what is known, as in entry.resource.where(id = %key). */
enum fp_truth fp_test_eq_variable(struct fp_eval *e, const struct fp_ins *ins) {
  const struct fp_item *item = fp_known_item(e, ins->right);
  FP_UNINITIALIZED struct str text;
  return item && fp_string_of(item, &text) ? child_is(e, ins, text) : fp_test_equality(e, ins);
}

enum fp_truth fp_test_membership(struct fp_eval *e, const struct fp_ins *ins) {
  const struct fp_ins *needle_ins = ins->op == FP_OP_IN ? ins->input : ins->right;
  struct fp_list list;
  struct fp_item needle;
  bool found;
  int has = fp_single(e, needle_ins, &needle);
  if (has < 0) return FP_FAILED;
  if (!fp_collect(e, ins->op == FP_OP_IN ? ins->right : ins->input, &list)) return FP_FAILED;
  if (has == 0) return FP_UNKNOWN;
  return fp_contains_item(e, &list, &needle, &found) ? truth(found) : FP_FAILED;
}

/* What is no text equals none of them. */
static enum fp_truth FP_APART other_in_texts(struct fp_eval *e, const struct fp_ins *ins) {
  struct fp_mark mark = fp_mark(e);
  struct fp_item needle;
  struct str text;
  int has = fp_single(e, ins->input, &needle);
  if (has < 0 || !fp_count(e, 1)) return FP_FAILED;
  fp_release(e, mark);
  if (has == 0) return FP_UNKNOWN;
  return truth(fp_string_of(&needle, &text) && map_get(&ins->right->constants->texts, text));
}

/* A path to one node at most is looked at without a list. */
enum fp_truth fp_test_in_texts(struct fp_eval *e, const struct fp_ins *ins) {
  const struct fp_item *known = fp_known_item(e, ins->input);
  FP_UNINITIALIZED struct str text;
  if (known && fp_string_of(known, &text)) return fp_count(e, 1) ? truth(map_get(&ins->right->constants->texts, text)) : FP_FAILED;
  struct fp_found found = {.count = FP_FIND_NOT_PLAIN};
  if (!known) found = fp_find(e, ins->input, 2);
  if (found.count > 1) return found.count == FP_FIND_FAILED ? FP_FAILED : other_in_texts(e, ins);
  if (!fp_count(e, 1)) return FP_FAILED;
  if (found.count == 0) return FP_UNKNOWN;
  return truth(fp_is_text_node(found.first) && map_get(&ins->right->constants->texts, found.first->text));
}

static int FP_APART values_ordered(struct fp_eval *e, const struct fp_ins *ins) {
  struct fp_mark mark = fp_mark(e);
  FP_UNINITIALIZED struct fp_value left, right;
  int has = operands(e, ins, &left, &right);
  if (has <= 0) return has == 0 ? FP_ORDER_UNKNOWN : FP_ORDER_FAILED;
  int order = fp_compare(e, ins, &left, &right);
  fp_release(e, mark);
  return order;
}

static inline int count_ordered(struct fp_eval *e, const struct fp_ins *ins) {
  int64_t count, than = ins->right->literal.integer;
  if (!count_of(e, ins->input, &count)) return FP_ORDER_FAILED;
  return count < than ? -1 : count > than;
}

enum fp_truth fp_test_order(struct fp_eval *e, const struct fp_ins *ins) {
  int order = counts(ins) ? count_ordered(e, ins) : values_ordered(e, ins);
  if (order == FP_ORDER_FAILED) return FP_FAILED;
  if (order == FP_ORDER_UNKNOWN) return FP_UNKNOWN;
  if (ins->op == FP_OP_LT) return truth(order < 0);
  if (ins->op == FP_OP_LE) return truth(order <= 0);
  return truth(ins->op == FP_OP_GT ? order > 0 : order >= 0);
}

bool fp_exec_union(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  struct fp_list both = {0};
  return ins->input->exec(e, ins->input, &both) && ins->right->exec(e, ins->right, &both) &&
         fp_distinct(e, &both, out);
}

/* --- types */

enum fp_truth fp_test_is(struct fp_eval *e, const struct fp_ins *ins) {
  struct fp_item item;
  int has = fp_single(e, ins->input, &item);
  if (has <= 0) return has == 0 ? FP_UNKNOWN : FP_FAILED;
  return truth(fp_spec_matches(ins->spec, &item));
}

bool fp_exec_as(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  struct fp_item item, slot;
  int has = fp_single(e, ins->input, &item);
  if (has <= 0) return has == 0;
  const struct fp_item *taken = fp_spec_take(ins->spec, &item, e->arena, &slot);
  return !taken || fp_push(e, out, *taken);
}

/* --- arithmetic */

bool fp_exec_arithmetic(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  struct fp_item item;
  struct fp_value left, right, result;
  bool has = false;
  int both = operands(e, ins, &left, &right);
  if (both <= 0) return both == 0;
  if (!fp_arithmetic(e, ins, ins->op, &left, &right, &result, &has)) return false;
  return !has || (fp_value_item(e, &result, &item) && fp_push(e, out, item));
}

bool fp_exec_sign(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  struct fp_item item;
  struct fp_value value;
  int has = fp_single(e, ins->input, &item);
  if (has <= 0) return has == 0;
  fp_load(&item, &value);
  bool negate = ins->op == FP_OP_NEGATE;
  if (value.kind == FP_INTEGER) {
    if (negate) value.integer = -value.integer;
  } else if (value.kind == FP_DECIMAL) {
    if (negate) value.decimal = decimal_negate(value.decimal);
  } else if (value.kind == FP_QUANTITY) {
    if (negate) value.quantity.value = decimal_negate(value.quantity.value);
    value.quantity.text = (struct str){0};
  } else {
    return fp_fail(e, ins, DIAG_FHIRPATH_EVALUATION, "a sign stands before a number");
  }
  return fp_value_item(e, &value, &item) && fp_push(e, out, item);
}

bool fp_exec_concat(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  struct str a, b;
  if (!fp_concat_part(e, ins, ins->input, &a) || !fp_concat_part(e, ins, ins->right, &b)) return false;
  struct str both = arena_concat(e->arena, a, b);
  return both.ptr ? fp_push_string(e, out, both) : fp_nomem(e);
}

/* --- calls */

bool fp_refuse_several(struct fp_eval *e, const struct fp_ins *call, size_t count) {
  return fp_fail(e, call, DIAG_FHIRPATH_EVALUATION, "%s() takes a single item, there are %zu", call->function->name, count);
}

bool fp_exec_call(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  const struct fp_function *function = ins->function;
  FP_UNINITIALIZED struct fp_list in;
  FP_UNINITIALIZED struct fp_item slot;
  if (!fp_collect_at(e, ins->input, &slot, &in, SIZE_MAX)) return false;
  if (in.count == 0 && function->empty == FP_EMPTY_EMPTY) return true;
  if (in.count > 1 && function->take == FP_TAKE_ONE)
    return fp_refuse_several(e, ins, in.count);
  return function->run(e, ins, &in, out);
}

static inline bool choose(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  const struct fp_ins *chosen;
  return fp_choose(e, ins, &chosen) && (!chosen || chosen->exec(e, chosen, out));
}

static bool FP_APART choose_of(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  struct fp_list in;
  if (!fp_collect(e, ins->input, &in)) return false;
  if (in.count > 1)
    return fp_fail(e, ins, DIAG_FHIRPATH_EVALUATION, "iif() takes a single item, there are %zu", in.count);
  struct fp_scope scope = {
      .items = in.items, .count = in.count, .index = e->scope->index, .total = e->scope->total};
  const struct fp_scope *outer = e->scope;
  e->scope = &scope;
  bool done = choose(e, ins, out);
  e->scope = outer;
  return done;
}

/* As a condition it is what is chosen as a condition. */
enum fp_truth fp_test_iif(struct fp_eval *e, const struct fp_ins *ins) {
  const struct fp_ins *chosen;
  if (ins->input->op != FP_OP_THIS) return fp_test_list(e, ins);
  if (!fp_choose(e, ins, &chosen)) return FP_FAILED;
  return chosen ? chosen->test(e, chosen) : FP_UNKNOWN;
}

/* One that begins an expression has $this of the expression. */
bool fp_exec_iif(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  return ins->input->op == FP_OP_THIS ? choose(e, ins, out) : choose_of(e, ins, out);
}
