/*
 * suppose.c - what an expression must give when only this is known of its focus: that it has children of some names, or has none. The
 * program is run on what is known: each instruction tells what its outcome may be, from what those of its operands may be.
 *
 * What cannot be told may be anything, failing included; limits are left aside.
 */
#include "fhirpath/internal.h"

enum { ONLY_FALSE = 1 << FP_FALSE, ONLY_TRUE = 1 << FP_TRUE, ONLY_UNKNOWN = 1 << FP_UNKNOWN, ONLY_FAILED = 1 << FP_FAILED };
enum { OUTCOMES = 4, ANY_OUTCOME = ONLY_FALSE | ONLY_TRUE | ONLY_UNKNOWN | ONLY_FAILED };

/* What an instruction may give. */
struct guess {
  unsigned truths; /* as a condition: bits of enum fp_truth */
  size_t least, most; /* items */
  bool fails;         /* it may */
  bool whole;         /* one Integer */
  int64_t low, high;
};

struct supposing {
  const struct fp_supposed *supposed;
  uint32_t *names; /* of children that paths begin with, when they are asked for */
  size_t count, room;
  struct fp_child_text *texts; /* that children are compared with, when they are asked for */
  size_t text_count, text_room;
  bool of_resource;
};

static struct guess guess(struct supposing *s, const struct fp_ins *ins);
static struct guess guess_equality(struct supposing *s, const struct fp_ins *ins);

static const struct guess anything = {.truths = ANY_OUTCOME, .most = SIZE_MAX, .fails = true};
static const struct guess nothing = {.truths = ONLY_UNKNOWN};

static struct guess condition(unsigned truths) {
  unsigned known = truths & ~(unsigned)ONLY_FAILED;
  return (struct guess){.truths = truths,
                        .least = known & ONLY_UNKNOWN || !known ? 0 : 1,
                        .most = known == ONLY_UNKNOWN ? 0 : 1,
                        .fails = (truths & ONLY_FAILED) != 0};
}

static unsigned failing(bool fails) {
  return fails ? ONLY_FAILED : 0;
}

/* --- paths */

static bool is_focus(const struct fp_ins *ins) {
  return ins->op == FP_OP_THIS || ins->op == FP_OP_CONTEXT;
}

static void take_name(struct supposing *s, uint32_t symbol) {
  for (size_t i = 0; i < s->count; i++)
    if (s->names[i] == symbol) return;
  if (s->count < s->room) s->names[s->count++] = symbol;
}

static bool has_name(const uint32_t *names, size_t count, uint32_t symbol) {
  for (size_t i = 0; i < count; i++)
    if (names[i] == symbol) return true;
  return false;
}

/* Children of the focus or of %resource. */
static struct guess guess_child(struct supposing *s, const struct fp_step *step, bool of_resource, bool last) {
  struct guess many = {.truths = ANY_OUTCOME, .most = SIZE_MAX};
  const struct fp_supposed *known = s->supposed;
  if (!step->symbol || of_resource != s->of_resource) return many;
  if (s->names) take_name(s, step->symbol);
  if (!known) return many;
  if (has_name(known->absent, known->absent_count, step->symbol)) return nothing;
  if (last && has_name(known->present, known->present_count, step->symbol)) many.least = 1;
  return many;
}

/* Filters behind a name are asked of nodes of which nothing is known. */
static bool may_fail(struct supposing *s, const struct fp_step *steps, size_t count) {
  struct supposing inner = {.of_resource = s->of_resource};
  for (size_t i = 0; i < count; i++)
    if (steps[i].kind == FP_STEP_FILTER && guess(&inner, steps[i].test).fails) return true;
  return false;
}

/* What stands before the first name: filters that the focus itself must pass. */
static struct guess guess_path(struct supposing *s, const struct fp_ins *ins) {
  struct guess from = {.truths = ANY_OUTCOME, .least = 1, .most = 1};
  bool resource = ins->input->op == FP_OP_RESOURCE;
  size_t at = 0;
  if (!is_focus(ins->input) && !resource) {
    from = guess(s, ins->input);
    return from.most == 0 ? from : anything;
  }
  for (; at < ins->step_count && ins->steps[at].kind == FP_STEP_FILTER && !resource; at++) {
    struct guess test = guess(s, ins->steps[at].test);
    from.fails |= test.fails;
    if (!(test.truths & ONLY_TRUE)) from.most = 0;
    if (test.truths != ONLY_TRUE) from.least = 0;
    if (from.most == 0) return (struct guess){.truths = ONLY_UNKNOWN | failing(from.fails), .fails = from.fails};
  }
  if (at == ins->step_count) return from;
  if (ins->steps[at].kind != FP_STEP_CHILD) return anything;
  struct guess found = guess_child(s, &ins->steps[at], resource, at + 1 == ins->step_count);
  if (from.least == 0) found.least = 0;
  found.fails = from.fails || (found.most && may_fail(s, ins->steps + at, ins->step_count - at));
  if (found.fails) found.truths |= ONLY_FAILED;
  return found;
}

static struct guess guess_const(struct supposing *s, const struct fp_ins *ins) {
  struct guess one = {.truths = ONLY_TRUE, .least = 1, .most = 1};
  (void)s;
  if (ins->literal.kind == FP_NODE) return anything;
  if (ins->literal.kind == FP_BOOLEAN) one.truths = ins->literal.boolean ? ONLY_TRUE : ONLY_FALSE;
  one.whole = ins->literal.kind == FP_INTEGER;
  if (one.whole) one.low = one.high = ins->literal.integer;
  return one;
}

/* What is worked out once is what it would be each time. */
static struct guess guess_once(struct supposing *s, const struct fp_ins *ins) {
  return guess(s, ins->input);
}

static struct guess guess_constants(struct supposing *s, const struct fp_ins *ins) {
  (void)s;
  return (struct guess){.truths = ANY_OUTCOME, .most = ins->constants->list.count};
}

static struct guess guess_empty(struct supposing *s, const struct fp_ins *ins) {
  (void)s, (void)ins;
  return nothing;
}

/* --- existence */

static unsigned existing(const struct guess *input) {
  unsigned truths = failing(input->fails);
  if (input->most) truths |= ONLY_TRUE;
  if (!input->least) truths |= ONLY_FALSE;
  return truths;
}

static struct guess guess_exists(struct supposing *s, const struct fp_ins *ins) {
  struct guess input = guess(s, ins->input);
  return condition(existing(&input));
}

static unsigned negated(unsigned truths) {
  unsigned kept = truths & (ONLY_UNKNOWN | ONLY_FAILED);
  if (truths & ONLY_TRUE) kept |= ONLY_FALSE;
  if (truths & ONLY_FALSE) kept |= ONLY_TRUE;
  return kept;
}

static struct guess guess_is_empty(struct supposing *s, const struct fp_ins *ins) {
  return condition(negated(guess_exists(s, ins).truths));
}

static struct guess guess_not(struct supposing *s, const struct fp_ins *ins) {
  return condition(negated(guess(s, ins->input).truths));
}

static struct guess guess_count(struct supposing *s, const struct fp_ins *ins) {
  struct guess input = guess(s, ins->input);
  int64_t most = input.most > INT32_MAX ? INT32_MAX : (int64_t)input.most;
  return (struct guess){.truths = ONLY_TRUE | failing(input.fails),
                        .least = 1,
                        .most = 1,
                        .fails = input.fails,
                        .whole = true,
                        .low = (int64_t)input.least,
                        .high = most};
}

/* Nothing comes of nothing; of all else, anything. */
static struct guess guess_through(struct supposing *s, const struct fp_ins *ins) {
  struct guess input = guess(s, ins->input);
  return input.most == 0 ? input : anything;
}

static struct guess guess_all(struct supposing *s, const struct fp_ins *ins) {
  struct guess input = guess(s, ins->input);
  return input.most == 0 ? condition(ONLY_TRUE | failing(input.fails)) : anything;
}

/* Of functions that are called with nothing, those that rules ask. */
static struct guess guess_call(struct supposing *s, const struct fp_ins *ins) {
  struct guess input = guess(s, ins->input);
  if (input.most) return anything;
  if (ins->function->empty == FP_EMPTY_EMPTY) return input;
  if (ins->function->run == fp_fn_has_value) return condition(ONLY_FALSE | failing(input.fails));
  if (ins->function->run == fp_fn_is_distinct) return condition(ONLY_TRUE | failing(input.fails));
  return anything;
}

/* --- operators */

static enum fp_truth and_of(enum fp_truth left, enum fp_truth right) {
  if (left == FP_FALSE || left == FP_FAILED) return left;
  if (right == FP_FALSE || right == FP_FAILED) return right;
  return left == FP_TRUE ? right : FP_UNKNOWN;
}

static enum fp_truth or_of(enum fp_truth left, enum fp_truth right) {
  if (left == FP_TRUE || left == FP_FAILED) return left;
  if (right == FP_TRUE || right == FP_FAILED) return right;
  return left == FP_FALSE ? right : FP_UNKNOWN;
}

static enum fp_truth implies_of(enum fp_truth left, enum fp_truth right) {
  if (left == FP_FAILED) return left;
  if (left == FP_FALSE) return FP_TRUE;
  if (right == FP_TRUE || right == FP_FAILED) return right;
  return left == FP_TRUE ? right : FP_UNKNOWN;
}

static struct guess guess_logic(struct supposing *s, const struct fp_ins *ins) {
  enum fp_truth (*of)(enum fp_truth, enum fp_truth) = ins->op == FP_OP_AND ? and_of : ins->op == FP_OP_OR ? or_of : implies_of;
  struct guess left = guess(s, ins->input), right = guess(s, ins->right);
  unsigned truths = 0;
  for (int l = 0; l < OUTCOMES; l++)
    for (int r = 0; r < OUTCOMES; r++)
      if (left.truths >> l & 1 && right.truths >> r & 1) truths |= 1u << of((enum fp_truth)l, (enum fp_truth)r);
  return condition(truths);
}

/* Operands that must be one item each: nothing when one of them is nothing. */
static struct guess guess_nothing_of(const struct guess *left, const struct guess *right) {
  bool fails = left->fails || right->fails || left->most > 1 || right->most > 1;
  if (left->most && right->most) return anything;
  return (struct guess){.truths = ONLY_UNKNOWN | failing(fails), .fails = fails};
}

/* A child against a text. */
static struct guess guess_eq_text(struct supposing *s, const struct fp_ins *ins) {
  const struct fp_step *step = ins->input->steps;
  const struct fp_supposed *known = s->supposed;
  if (!s->of_resource && s->texts && s->text_count < s->text_room)
    s->texts[s->text_count++] = (struct fp_child_text){step->symbol, ins->right->literal.string};
  bool differs = known && known->other.symbol && known->other.symbol == step->symbol && str_eq(known->other.text, ins->right->literal.string);
  return differs ? condition(ONLY_FALSE) : guess_equality(s, ins);
}

static struct guess guess_equality(struct supposing *s, const struct fp_ins *ins) {
  struct guess left = guess(s, ins->input), right = guess(s, ins->right);
  unsigned truths = left.most && right.most ? ONLY_TRUE | ONLY_FALSE | ONLY_UNKNOWN : ONLY_UNKNOWN;
  return condition(truths | failing(left.fails || right.fails));
}

static bool may_be(enum fp_op op, const struct guess *left, const struct guess *right) {
  return op == FP_OP_LT   ? left->low < right->high
         : op == FP_OP_LE ? left->low <= right->high
         : op == FP_OP_GT ? left->high > right->low
                          : left->high >= right->low;
}

static bool must_be(enum fp_op op, const struct guess *left, const struct guess *right) {
  return op == FP_OP_LT   ? left->high < right->low
         : op == FP_OP_LE ? left->high <= right->low
         : op == FP_OP_GT ? left->low > right->high
                          : left->low >= right->high;
}

static struct guess guess_order(struct supposing *s, const struct fp_ins *ins) {
  struct guess left = guess(s, ins->input), right = guess(s, ins->right);
  if (!left.whole || !right.whole) return guess_nothing_of(&left, &right);
  unsigned truths = failing(left.fails || right.fails);
  if (may_be(ins->op, &left, &right)) truths |= ONLY_TRUE;
  if (!must_be(ins->op, &left, &right)) truths |= ONLY_FALSE;
  return condition(truths);
}

static struct guess guess_sum(struct supposing *s, const struct fp_ins *ins) {
  struct guess left = guess(s, ins->input), right = guess(s, ins->right);
  enum { SMALL = INT32_MAX };
  bool small = left.whole && right.whole && left.low > -SMALL && left.high <= SMALL && right.low > -SMALL && right.high <= SMALL;
  if (!small) return guess_nothing_of(&left, &right);
  left.fails |= right.fails;
  left.truths |= right.truths;
  left.low += right.low;
  left.high += right.high;
  return left;
}

static struct guess guess_union(struct supposing *s, const struct fp_ins *ins) {
  struct guess left = guess(s, ins->input), right = guess(s, ins->right);
  bool fails = left.fails || right.fails, some = left.most || right.most;
  return (struct guess){.truths = (some ? ANY_OUTCOME : ONLY_UNKNOWN) | failing(fails), .most = some ? SIZE_MAX : 0, .fails = fails};
}

static struct guess guess_in(struct supposing *s, const struct fp_ins *ins) {
  struct guess needle = guess(s, ins->input), list = guess(s, ins->right);
  if (needle.most) return anything;
  return condition(ONLY_UNKNOWN | failing(needle.fails || list.fails));
}

static struct guess guess(struct supposing *s, const struct fp_ins *ins) {
  static struct guess (*const rows[FP_OPS])(struct supposing *, const struct fp_ins *) = {
      [FP_OP_CONST] = guess_const,       [FP_OP_EMPTY] = guess_empty,      [FP_OP_PATH] = guess_path,
      [FP_OP_FIRST] = guess_through,     [FP_OP_COUNT] = guess_count,      [FP_OP_SELECT] = guess_through,
      [FP_OP_CALL] = guess_call,         [FP_OP_MATCHES] = guess_through,  [FP_OP_EXISTS] = guess_exists,
      [FP_OP_HAS_CHILD] = guess_exists,  [FP_OP_IS_EMPTY] = guess_is_empty, [FP_OP_ALL] = guess_all,
      [FP_OP_NOT] = guess_not,           [FP_OP_AND] = guess_logic,        [FP_OP_OR] = guess_logic,
      [FP_OP_IMPLIES] = guess_logic,     [FP_OP_EQ] = guess_equality,      [FP_OP_NE] = guess_equality,
      [FP_OP_EQ_TEXT] = guess_eq_text,   [FP_OP_LT] = guess_order,         [FP_OP_LE] = guess_order,
      [FP_OP_GT] = guess_order,          [FP_OP_GE] = guess_order,         [FP_OP_IN] = guess_in,
      [FP_OP_IN_TEXTS] = guess_in,       [FP_OP_IS] = guess_through,       [FP_OP_AS] = guess_through,
      [FP_OP_ADD] = guess_sum,           [FP_OP_CONSTANTS] = guess_constants, [FP_OP_UNION] = guess_union,
      [FP_OP_ONCE] = guess_once,
  };
  return rows[ins->op] ? rows[ins->op](s, ins) : anything;
}

/* --- entry */

bool fhirpath_must_hold(const struct fp_program *program, const struct fp_supposed *supposed) {
  struct supposing s = {.supposed = supposed, .of_resource = supposed->of_resource};
  return guess(&s, program->root).truths == ONLY_TRUE;
}

size_t fhirpath_first_names(const struct fp_program *program, bool of_resource, uint32_t *names, size_t room) {
  struct supposing s = {.names = names, .room = room, .of_resource = of_resource};
  (void)guess(&s, program->root);
  return s.count;
}

size_t fhirpath_first_texts(const struct fp_program *program, struct fp_child_text *texts, size_t room) {
  struct supposing s = {.texts = texts, .text_room = room};
  (void)guess(&s, program->root);
  return s.text_count;
}
