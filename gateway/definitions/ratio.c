/* ratio.c - exact ratios of units: num / den * 10^exponent, reduced only when that is needed to fit. */
#include "definitions/definitions.h"

enum { EXPONENT_MAX = 600 };

static decimal_coefficient greatest_common(decimal_coefficient a, decimal_coefficient b) {
  while (b) {
    decimal_coefficient rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

static void cancel(decimal_coefficient *a, decimal_coefficient *b) {
  if (*a == 1 || *b == 1) return;
  decimal_coefficient common = greatest_common(*a, *b);
  *a /= common;
  *b /= common;
}

static int32_t strip_tens(decimal_coefficient *value) {
  int32_t count = 0;
  for (; *value && *value % 10 == 0; count++)
    *value /= 10;
  return count;
}

/* 1/8 is 125 * 10^-3: what ends as a decimal has no denominator. */
static void clear_factor(struct def_ratio *ratio, unsigned factor, unsigned other) {
  const decimal_coefficient room = (decimal_coefficient)10000000000u * 10000000000u * 10000000000u;
  while (ratio->den % factor == 0 && ratio->num < room) {
    ratio->den /= factor;
    ratio->num *= other;
    ratio->exponent--;
  }
}

void def_ratio_reduce(struct def_ratio *ratio) {
  cancel(&ratio->num, &ratio->den);
  clear_factor(ratio, 2, 5);
  clear_factor(ratio, 5, 2);
  ratio->exponent += strip_tens(&ratio->num);
}

bool def_ratio_of(struct decimal value, struct def_ratio *out) {
  if (value.negative || decimal_is_zero(value)) return false;
  *out = (struct def_ratio){value.coefficient, 1, -value.scale};
  def_ratio_reduce(out);
  return true;
}

static bool times(decimal_coefficient a, decimal_coefficient b, decimal_coefficient *out) {
  const decimal_coefficient end = (decimal_coefficient)10000000000000000000u * 10000000000000000000u;
  return !__builtin_mul_overflow(a, b, out) && *out < end;
}

/* A product of `ratio` and num / den * 10^exponent. */
static bool combine(struct def_ratio *ratio, decimal_coefficient num, decimal_coefficient den,
                    int32_t exponent) {
  struct def_ratio made = {.exponent = ratio->exponent + exponent};
  if (made.exponent > EXPONENT_MAX || made.exponent < -EXPONENT_MAX) return false;
  if (!times(ratio->num, num, &made.num) || !times(ratio->den, den, &made.den)) {
    struct def_ratio a = *ratio, b = {num, den, exponent};
    def_ratio_reduce(&a);
    def_ratio_reduce(&b);
    cancel(&a.num, &b.den);
    cancel(&b.num, &a.den);
    made.exponent = a.exponent + b.exponent;
    if (!times(a.num, b.num, &made.num) || !times(a.den, b.den, &made.den)) return false;
  }
  *ratio = made;
  return true;
}

bool def_ratio_multiply(struct def_ratio *ratio, const struct def_ratio *by) {
  return combine(ratio, by->num, by->den, by->exponent);
}

bool def_ratio_divide(struct def_ratio *ratio, const struct def_ratio *by) {
  return combine(ratio, by->den, by->num, -by->exponent);
}
