/* fn_math.c - mathematics on exact decimals (FHIRPath 2.0.0 section 5.7). Roots and logarithms have 17
 * digits. */
#include <math.h>
#include <stdio.h>
#include "fhirpath/internal.h"

enum { SCALE_MAX = 28 };

/* The input as number or quantity; *has false: it has no value. */
static bool number(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                   struct fp_value *out, bool *has) {
  const struct fp_item *item = &in->items[0];
  fp_load(item, out);
  *has = out->kind == FP_INTEGER || out->kind == FP_DECIMAL || out->kind == FP_QUANTITY;
  if (*has || (out->kind == FP_NODE && (item->node->kind != TREE_OBJECT || fp_is_quantity_node(item->node))))
    return true;
  return fp_fail(e, call, DIAG_FHIRPATH_EVALUATION, "%s() takes a number", call->function->name);
}

static bool push_value(struct fp_eval *e, const struct fp_value *value, struct fp_list *out) {
  struct fp_item item;
  return fp_value_item(e, value, &item) && fp_push(e, out, item);
}

/* --- to whole numbers */

static struct decimal absolute(struct decimal value) {
  value.negative = false;
  return value;
}

/* Integer result for Integers and (where `whole`) Decimals; Quantities keep their unit. */
static bool map_number(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                       struct fp_list *out, struct decimal (*map)(struct decimal), bool whole) {
  struct fp_value value;
  struct decimal result;
  bool has;
  if (!number(e, call, in, &value, &has) || !has) return e->status == STATUS_OK;
  if (value.kind == FP_QUANTITY) {
    value.quantity.value = map(value.quantity.value);
    value.quantity.text = (struct str){0};
    return push_value(e, &value, out);
  }
  bool integer = whole || value.kind == FP_INTEGER;
  if (!fp_value_decimal(&value, &result)) return true;
  value.kind = FP_DECIMAL;
  value.decimal = map(result);
  int64_t small;
  if (!integer || !decimal_to_int(value.decimal, &small)) return push_value(e, &value, out);
  return fp_push_integer(e, out, small);
}

bool fp_fn_abs(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct fp_list *out) {
  return map_number(e, call, in, out, absolute, false);
}

bool fp_fn_ceiling(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                   struct fp_list *out) {
  return map_number(e, call, in, out, decimal_ceiling, true);
}

bool fp_fn_floor(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                 struct fp_list *out) {
  return map_number(e, call, in, out, decimal_floor, true);
}

bool fp_fn_truncate(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                    struct fp_list *out) {
  return map_number(e, call, in, out, decimal_truncate, true);
}

bool fp_fn_round(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                 struct fp_list *out) {
  struct fp_value value;
  struct decimal exact;
  int64_t digits = 0;
  bool has;
  if (!number(e, call, in, &value, &has) || !has) return e->status == STATUS_OK;
  if (fp_argument_integer(e, call, 0, &digits) < 0) return false;
  if (digits < 0) return fp_fail(e, call, DIAG_FHIRPATH_EVALUATION, "round() takes a precision of 0 or more");
  if (digits > SCALE_MAX) digits = SCALE_MAX;
  if (value.kind == FP_QUANTITY) {
    value.quantity.value = decimal_round(value.quantity.value, (int32_t)digits);
    value.quantity.text = (struct str){0};
    return push_value(e, &value, out);
  }
  if (value.kind == FP_INTEGER) return fp_push_integer(e, out, value.integer);
  exact = decimal_round(value.decimal, (int32_t)digits);
  return fp_push_decimal(e, out, exact);
}

/* --- roots and logarithms */

static long double to_real(struct decimal value) {
  long double result = (long double)value.coefficient;
  result *= powl(10.0L, (long double)-value.scale);
  return value.negative ? -result : result;
}

static bool push_real(struct fp_eval *e, long double real, struct fp_list *out) {
  char text[64], plain[96];
  struct decimal value;
  if (!isfinite(real)) return true;
  int len = snprintf(text, sizeof text, "%.16Le", real);
  if (len <= 0 || !decimal_parse(str_make(text, (size_t)len), &value)) {
    len = snprintf(plain, sizeof plain, "%.28Lf", real);
    if (len <= 0 || (size_t)len >= sizeof plain || !decimal_parse(str_make(plain, (size_t)len), &value))
      return true;
  }
  if (value.scale > SCALE_MAX) value = decimal_round(value, SCALE_MAX);
  value = decimal_normalize(value);
  if (value.scale == 0 && decimal_multiply(value, (struct decimal){.coefficient = 10, .scale = 1}, &value))
    value.scale = 1;
  return fp_push_decimal(e, out, value);
}

static bool real_input(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                       long double *out, bool *has) {
  struct fp_value value;
  struct decimal exact;
  if (!number(e, call, in, &value, has) || !*has) return e->status == STATUS_OK;
  if (!fp_value_decimal(&value, &exact))
    return fp_fail(e, call, DIAG_FHIRPATH_EVALUATION, "%s() takes a number", call->function->name);
  *out = to_real(exact);
  return true;
}

bool fp_fn_exp(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct fp_list *out) {
  long double real = 0;
  bool has;
  if (!real_input(e, call, in, &real, &has)) return false;
  return !has || push_real(e, expl(real), out);
}

bool fp_fn_ln(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct fp_list *out) {
  long double real = 0;
  bool has;
  if (!real_input(e, call, in, &real, &has)) return false;
  return !has || real <= 0 || push_real(e, logl(real), out);
}

bool fp_fn_sqrt(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct fp_list *out) {
  long double real = 0;
  bool has;
  if (!real_input(e, call, in, &real, &has)) return false;
  return !has || real < 0 || push_real(e, sqrtl(real), out);
}

/* A number as argument: 1, 0 empty, -1 failed. */
static int real_argument(struct fp_eval *e, const struct fp_ins *call, struct decimal *out) {
  struct fp_value value;
  int has = fp_argument(e, call, 0, &value);
  if (has <= 0) return has;
  if (fp_value_decimal(&value, out)) return 1;
  fp_fail(e, call, DIAG_FHIRPATH_EVALUATION, "the argument of %s() is a number", call->function->name);
  return -1;
}

bool fp_fn_log(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct fp_list *out) {
  struct decimal base;
  long double real = 0;
  bool has;
  if (!real_input(e, call, in, &real, &has)) return false;
  int given = real_argument(e, call, &base);
  if (given <= 0 || !has) return given >= 0;
  long double b = to_real(base);
  if (real <= 0 || b <= 0 || b == 1.0L) return true;
  long double result = b == 2.0L ? log2l(real) : b == 10.0L ? log10l(real) : logl(real) / logl(b);
  return push_real(e, result, out);
}

/* Whole exponents are exact as long as the digits do. */
static bool exact_power(struct decimal base, int64_t exponent, struct decimal *out) {
  *out = decimal_from_int(1);
  if (exponent < 0 || exponent > 128) return false;
  for (int64_t i = 0; i < exponent; i++) {
    if (!decimal_multiply(*out, base, out)) return false;
  }
  return true;
}

bool fp_fn_power(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                 struct fp_list *out) {
  struct fp_value value;
  struct decimal base, exponent, result;
  int64_t whole, integer;
  bool has;
  if (!number(e, call, in, &value, &has)) return false;
  int given = real_argument(e, call, &exponent);
  if (given <= 0 || !has) return given >= 0;
  if (!fp_value_decimal(&value, &base))
    return fp_fail(e, call, DIAG_FHIRPATH_EVALUATION, "power() takes a number");
  if (decimal_to_int(exponent, &whole) && exact_power(base, whole, &result)) {
    if (value.kind == FP_INTEGER && decimal_to_int(result, &integer)) return fp_push_integer(e, out, integer);
    return fp_push_decimal(e, out, result);
  }
  long double real = powl(to_real(base), to_real(exponent));
  return push_real(e, real, out);
}
