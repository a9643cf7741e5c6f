/*
 * decimal.h - exact decimal numbers: value = (-1)^negative * coefficient * 10^-scale.
 *
 * The text of a decimal stays with its tree node; this is for comparing and computing. Up to DECIMAL_DIGITS
 * significant digits are held exactly; what does not fit is refused (false), never rounded in silence. scale
 * keeps trailing zeros (1.50 has scale 2): precision is meaning in FHIR. Division keeps
 * DECIMAL_DIVISION_SCALE digits, half away from zero.
 */
#ifndef KETLINK_BASE_DECIMAL_H
#define KETLINK_BASE_DECIMAL_H

#include "base/buf.h"
#include "base/str.h"

__extension__ typedef unsigned __int128 decimal_coefficient;

enum { DECIMAL_DIGITS = 38, DECIMAL_DIVISION_SCALE = 28 };

struct decimal {
  decimal_coefficient coefficient;
  int32_t scale; /* digits after the point; never negative after decimal_parse */
  bool negative; /* false for zero */
};

/* JSON or FHIR number: optional sign, digits, optional fraction, optional exponent. The whole view must be
 * used. */
bool decimal_parse(struct str text, struct decimal *out) MUST_USE;
struct decimal decimal_from_int(int64_t value);
/* True when the value is whole and fits. */
bool decimal_to_int(struct decimal d, int64_t *out) MUST_USE;
/* -1, 0, 1 by value: 1.0 equals 1.00. */
int decimal_compare(struct decimal a, struct decimal b);
bool decimal_add(struct decimal a, struct decimal b, struct decimal *out) MUST_USE;
bool decimal_subtract(struct decimal a, struct decimal b, struct decimal *out) MUST_USE;
bool decimal_multiply(struct decimal a, struct decimal b, struct decimal *out) MUST_USE;
/* False for division by zero or overflow. Trailing zeros of the quotient are removed. */
bool decimal_divide(struct decimal a, struct decimal b, struct decimal *out) MUST_USE;
/* Quotient cut toward zero, and remainder with the sign of a. */
bool decimal_div_mod(struct decimal a, struct decimal b, struct decimal *quotient,
                     struct decimal *remainder) MUST_USE;
struct decimal decimal_negate(struct decimal d);
/* Half away from zero at `scale` digits after the point. */
struct decimal decimal_round(struct decimal d, int32_t scale);
struct decimal decimal_truncate(struct decimal d);
struct decimal decimal_floor(struct decimal d);
struct decimal decimal_ceiling(struct decimal d);
/* Without trailing zeros after the point. */
struct decimal decimal_normalize(struct decimal d);
static inline bool decimal_is_zero(struct decimal d) {
  return d.coefficient == 0;
}
/* Plain notation, no exponent, trailing zeros kept. */
void decimal_format(struct decimal d, struct buf *out);

#endif
