/* arith.c - order and arithmetic of values (FHIRPath 2.0.0 sections 6.2 and 6.6): numbers, quantities, dates,
 * texts. */
#include "fhirpath/internal.h"

static bool is_number(enum fp_kind kind) {
  return kind == FP_INTEGER || kind == FP_DECIMAL;
}

static bool is_measure(enum fp_kind kind) {
  return is_number(kind) || kind == FP_QUANTITY;
}

static struct fp_quantity as_quantity(const struct fp_value *value) {
  struct fp_quantity quantity = {.unit = STR("1")};
  if (value->kind == FP_QUANTITY) return value->quantity;
  if (!fp_value_decimal(value, &quantity.value)) quantity.value = (struct decimal){0};
  return quantity;
}

/* --- order */

static int compare_quantities(const struct fp_eval *e, const struct fp_value *a, const struct fp_value *b) {
  struct fp_quantity x = as_quantity(a), y = as_quantity(b);
  struct decimal left, right;
  int finer;
  if (!fp_quantity_align(e->program->units, &x, &y, false, &left, &right, &finer)) return FP_ORDER_UNKNOWN;
  return decimal_compare(left, right);
}

static int compare_dates(const struct fp_value *a, const struct fp_value *b) {
  struct datetime left, right;
  if (!fp_value_datetime(a, &left) || !fp_value_datetime(b, &right)) return FP_ORDER_UNKNOWN;
  return (int)datetime_compare(&left, &right);
}

static int sign(int order) {
  return (order > 0) - (order < 0);
}

int fp_compare(struct fp_eval *e, const struct fp_ins *ins, const struct fp_value *a,
               const struct fp_value *b) {
  if (a->kind == FP_INTEGER && b->kind == FP_INTEGER)
    return (a->integer > b->integer) - (a->integer < b->integer);
  if (is_number(a->kind) && is_number(b->kind)) {
    struct decimal left, right;
    if (fp_value_decimal(a, &left) && fp_value_decimal(b, &right)) return decimal_compare(left, right);
  }
  if (is_measure(a->kind) && is_measure(b->kind)) return compare_quantities(e, a, b);
  if (a->kind == FP_STRING && b->kind == FP_STRING) return sign(str_cmp(a->string, b->string));
  bool dates = fp_is_date_kind(a->kind) && fp_is_date_kind(b->kind);
  if (dates && (a->kind == FP_TIME) == (b->kind == FP_TIME)) return compare_dates(a, b);
  fp_fail(e, ins, DIAG_FHIRPATH_EVALUATION, "a %s and a %s have no order",
          a->kind ? fp_kind_name(a->kind) : "complex value",
          b->kind ? fp_kind_name(b->kind) : "complex value");
  return FP_ORDER_FAILED;
}

/* --- numbers */

/* Integers of 32 bits stay so; larger operands are taken for Longs. */
static bool fits(int64_t a, int64_t b, int64_t result) {
  bool small = a >= INT32_MIN && a <= INT32_MAX && b >= INT32_MIN && b <= INT32_MAX;
  return !small || (result >= INT32_MIN && result <= INT32_MAX);
}

static bool integers(enum fp_op op, int64_t a, int64_t b, int64_t *out) {
  switch (op) {
  case FP_OP_ADD:
    return !__builtin_add_overflow(a, b, out) && fits(a, b, *out);
  case FP_OP_SUB:
    return !__builtin_sub_overflow(a, b, out) && fits(a, b, *out);
  case FP_OP_MUL:
    return !__builtin_mul_overflow(a, b, out) && fits(a, b, *out);
  case FP_OP_INTDIV:
    if (b == 0 || (a == INT64_MIN && b == -1)) return false;
    *out = a / b;
    return true;
  default:
    if (b == 0 || b == -1) {
      *out = 0;
      return b == -1;
    }
    *out = a % b;
    return true;
  }
}

static bool decimals(enum fp_op op, struct decimal a, struct decimal b, struct fp_value *out) {
  struct decimal quotient, remainder;
  out->kind = FP_DECIMAL;
  switch (op) {
  case FP_OP_ADD:
    return decimal_add(a, b, &out->decimal);
  case FP_OP_SUB:
    return decimal_subtract(a, b, &out->decimal);
  case FP_OP_MUL:
    return decimal_multiply(a, b, &out->decimal);
  case FP_OP_DIV:
    return decimal_divide(a, b, &out->decimal);
  default:
    if (decimal_is_zero(b) || !decimal_div_mod(a, b, &quotient, &remainder)) return false;
    out->decimal = op == FP_OP_MOD ? remainder : quotient;
    if (op == FP_OP_INTDIV && decimal_to_int(quotient, &out->integer)) out->kind = FP_INTEGER;
    return true;
  }
}

static bool numbers(enum fp_op op, const struct fp_value *a, const struct fp_value *b, struct fp_value *out) {
  struct decimal left, right;
  if (a->kind == FP_INTEGER && b->kind == FP_INTEGER && op != FP_OP_DIV) {
    int64_t result;
    out->kind = FP_INTEGER;
    if (!integers(op, a->integer, b->integer, &result)) return false;
    out->integer = result;
    return true;
  }
  return fp_value_decimal(a, &left) && fp_value_decimal(b, &right) && decimals(op, left, right, out);
}

/* --- quantities */

static bool quantities(struct fp_eval *e, enum fp_op op, const struct fp_value *a, const struct fp_value *b,
                       struct fp_value *out) {
  struct fp_quantity x = as_quantity(a), y = as_quantity(b);
  struct decimal left, right;
  struct fp_unit unit;
  int finer;
  out->kind = FP_QUANTITY;
  if (op == FP_OP_MUL || op == FP_OP_DIV)
    return fp_quantity_multiply(e, &x, &y, op == FP_OP_DIV, &out->quantity);
  if (op != FP_OP_ADD && op != FP_OP_SUB) return false;
  if (!x.calendar && fp_unit_parse(e->program->units, x.unit, &unit) && unit.special) return false;
  if (!fp_quantity_align(e->program->units, &x, &y, false, &left, &right, &finer)) return false;
  out->quantity = finer ? y : x;
  out->quantity.text = (struct str){0};
  return op == FP_OP_ADD ? decimal_add(left, right, &out->quantity.value)
                         : decimal_subtract(left, right, &out->quantity.value);
}

/* --- dates */

static enum datetime_unit unit_of_precision(enum datetime_precision precision) {
  static const enum datetime_unit units[] = {[DATETIME_YEAR] = DATETIME_UNIT_YEAR,
                                             [DATETIME_MONTH] = DATETIME_UNIT_MONTH,
                                             [DATETIME_DAY] = DATETIME_UNIT_DAY,
                                             [DATETIME_HOUR] = DATETIME_UNIT_HOUR,
                                             [DATETIME_MINUTE] = DATETIME_UNIT_MINUTE,
                                             [DATETIME_SECOND] = DATETIME_UNIT_MILLISECOND,
                                             [DATETIME_FRACTION] = DATETIME_UNIT_MILLISECOND};
  return units[precision];
}

/* What is finer than the date counts in whole units of its precision; decimals count for seconds only. */
static bool fit_amount(const struct datetime *date, struct fp_quantity *amount, enum datetime_unit *unit) {
  enum datetime_unit least = unit_of_precision(date->precision);
  if (*unit > least) {
    static const char *const words[] = {"year", "month",  "week",   "day",
                                        "hour", "minute", "second", "millisecond"};
    struct fp_quantity calendar = {.value = amount->value, .unit = str_of(words[*unit]), .calendar = true};
    if (!fp_quantity_convert(NULL, &calendar, str_of(words[least]), true, &amount->value)) return false;
    *unit = least;
  }
  if (*unit < DATETIME_UNIT_SECOND) amount->value = decimal_truncate(amount->value);
  return true;
}

static bool add_duration(struct fp_eval *e, const struct fp_ins *ins, const struct fp_value *date,
                         const struct fp_quantity *quantity, bool negate, struct fp_value *out, bool *has) {
  struct datetime start, end;
  struct fp_quantity amount = *quantity;
  enum datetime_unit unit = DATETIME_UNIT_DAY;
  bool definite = true;
  if (!fp_value_datetime(date, &start)) return true;
  if (!fp_datetime_unit(quantity, &unit, &definite) || (definite && unit <= DATETIME_UNIT_MONTH))
    return fp_fail(e, ins, DIAG_FHIRPATH_EVALUATION,
                   "only a duration (years, months, days, 's' …) is added to a date");
  if (start.kind == DATETIME_TIME && unit < DATETIME_UNIT_HOUR)
    return fp_fail(e, ins, DIAG_FHIRPATH_EVALUATION, "only hours and less are added to a time");
  if (!fit_amount(&start, &amount, &unit)) return true;
  if (negate) amount.value = decimal_negate(amount.value);
  if (!datetime_add(&start, amount.value, unit, &end)) return true;
  out->kind = date->kind;
  *has = true;
  return fp_datetime_text(e, &end, &out->string);
}

static bool texts(struct fp_eval *e, const struct fp_value *a, const struct fp_value *b,
                  struct fp_value *out) {
  out->kind = FP_STRING;
  out->string = arena_concat(e->arena, a->string, b->string);
  return out->string.ptr || fp_nomem(e);
}

bool fp_arithmetic(struct fp_eval *e, const struct fp_ins *ins, enum fp_op op, const struct fp_value *a,
                   const struct fp_value *b, struct fp_value *out, bool *has) {
  bool plus = op == FP_OP_ADD, minus = op == FP_OP_SUB;
  *has = false;
  if (is_number(a->kind) && is_number(b->kind)) {
    *has = numbers(op, a, b, out);
    return true;
  }
  if (is_measure(a->kind) && is_measure(b->kind)) {
    *has = quantities(e, op, a, b, out);
    return e->status == STATUS_OK;
  }
  if (plus && a->kind == FP_STRING && b->kind == FP_STRING) {
    *has = true;
    return texts(e, a, b, out);
  }
  if ((plus || minus) && fp_is_date_kind(a->kind) && b->kind == FP_QUANTITY)
    return add_duration(e, ins, a, &b->quantity, minus, out, has);
  if (plus && a->kind == FP_QUANTITY && fp_is_date_kind(b->kind))
    return add_duration(e, ins, b, &a->quantity, false, out, has);
  return fp_fail(e, ins, DIAG_FHIRPATH_EVALUATION, "a %s and a %s do not fit this operator",
                 a->kind ? fp_kind_name(a->kind) : "complex value",
                 b->kind ? fp_kind_name(b->kind) : "complex value");
}
