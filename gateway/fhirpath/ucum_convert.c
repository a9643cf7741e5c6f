/*
 * ucum_convert.c - values from one unit into another.
 *
 * Exact as long as 38 digits hold the result. What does not end (1 foot of the US survey in metres) is
 * rounded to 28 significant digits, half away from zero. Degrees Celsius, Fahrenheit and Réaumur are linear;
 * logarithmic and other special units go only into themselves.
 */
#include "fhirpath/internal.h"

enum { SCALE_MAX = 900, SIGNIFICANT = 28, SPARE = 6 };

/* value * 10^exponent */
static bool shift(struct decimal value, int32_t exponent, struct decimal *out) {
  if (value.scale >= exponent) {
    value.scale -= exponent;
    *out = value;
    return value.scale <= SCALE_MAX;
  }
  struct decimal ten = {.coefficient = 1};
  if (exponent - value.scale >= DECIMAL_DIGITS) return decimal_is_zero(value);
  for (int32_t i = value.scale; i < exponent; i++)
    ten.coefficient *= 10;
  value.scale = 0;
  return decimal_multiply(value, ten, out);
}

static int32_t digit_count(decimal_coefficient value) {
  int32_t count = 0;
  for (; value; value /= 10)
    count++;
  return count;
}

/* The division keeps 28 digits after the point: it is made with a quotient above a million, which gives more
 * digits than are kept. A very long divisor has no room for that. */
static bool divide(struct decimal value, decimal_coefficient divisor, struct decimal *out) {
  struct decimal by = {.coefficient = divisor}, large, quotient;
  *out = value;
  if (decimal_is_zero(value)) return true;
  int32_t lead = digit_count(value.coefficient) - value.scale - digit_count(divisor) - 1 - SPARE;
  if (!shift(value, -lead, &large)) {
    lead += SPARE;
    if (!shift(value, -lead, &large)) return false;
  }
  if (!decimal_divide(large, by, &quotient)) return false;
  int32_t whole = quotient.scale ? digit_count(quotient.coefficient) - quotient.scale : 0;
  return shift(decimal_round(quotient, SIGNIFICANT - whole), lead, out);
}

/* value * from / to */
static bool rescale(struct decimal value, const struct def_ratio *from, const struct def_ratio *to,
                    struct decimal *out) {
  struct def_ratio ratio = *from;
  if (!def_ratio_divide(&ratio, to)) return false;
  if (ratio.den != 1) def_ratio_reduce(&ratio);
  if (ratio.num != 1 && !decimal_multiply(value, (struct decimal){.coefficient = ratio.num}, &value))
    return false;
  if (ratio.den != 1 && !divide(value, ratio.den, &value)) return false;
  return shift(value, ratio.exponent, out);
}

/* --- temperatures ---------------------------------------------------------------------------- */

/* Kelvin = (value + zero) * degree */
static const struct scale {
  struct decimal zero;
  struct def_ratio degree;
} scales[] = {
    [FP_SPECIAL_CEL] = {{27315, 2, false}, {1, 1, 0}},
    [FP_SPECIAL_DEGF] = {{45967, 2, false}, {5, 9, 0}},
    [FP_SPECIAL_DEGRE] = {{21852, 2, false}, {5, 4, 0}},
};
static const struct def_ratio kelvin = {1, 1, 0};

static bool to_kelvin(struct decimal value, const struct fp_unit *unit, struct decimal *out) {
  if (!unit->special) return rescale(value, &unit->ratio, &kelvin, out);
  const struct scale *scale = &scales[unit->special];
  return rescale(value, &unit->ratio, &kelvin, &value) && decimal_add(value, scale->zero, &value) &&
         rescale(value, &scale->degree, &kelvin, out);
}

static bool from_kelvin(struct decimal value, const struct fp_unit *unit, struct decimal *out) {
  if (!unit->special) return rescale(value, &kelvin, &unit->ratio, out);
  const struct scale *scale = &scales[unit->special];
  return rescale(value, &kelvin, &scale->degree, &value) && decimal_subtract(value, scale->zero, &value) &&
         rescale(value, &kelvin, &unit->ratio, out);
}

bool fp_unit_convert(struct decimal value, const struct fp_unit *from, const struct fp_unit *to,
                     struct decimal *out) {
  if (!fp_units_fit(from, to)) return false;
  if (from->special == to->special) return rescale(value, &from->ratio, &to->ratio, out);
  if (from->special == FP_SPECIAL_OTHER || to->special == FP_SPECIAL_OTHER) return false;
  return to_kelvin(value, from, &value) && from_kelvin(value, to, out);
}

bool fhirpath_ucum_compare(const struct definitions *definitions, struct str a, struct str a_unit,
                           struct str b, struct str b_unit, int *order) {
  struct decimal left, right;
  struct fp_unit from, to;
  if (!decimal_parse(a, &left) || !decimal_parse(b, &right)) return false;
  if (!fp_unit_parse(definitions, a_unit, &from) || !fp_unit_parse(definitions, b_unit, &to)) return false;
  if (!fp_unit_convert(left, &from, &to, &left)) return false;
  *order = decimal_compare(left, right);
  return true;
}
