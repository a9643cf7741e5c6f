/*
 * decimal.c - exact decimals on a 128-bit coefficient of at most 38 digits.
 *
 * Each operation works on the coefficients as they stand; only when that overflows are trailing zeros given
 * up and the operation tried once more, so that scale (precision) is kept wherever it fits.
 */
#include "base/decimal.h"

#include <assert.h>

/* No number of a record has more digits after the point; it bounds what decimal_format can write. */
enum { SCALE_MAX = 1024 };

#define E19 ((decimal_coefficient)10000000000000000000u)
static const decimal_coefficient POWERS[DECIMAL_DIGITS + 1] = {
    1u,
    10u,
    100u,
    1000u,
    10000u,
    100000u,
    1000000u,
    10000000u,
    100000000u,
    1000000000u,
    10000000000u,
    100000000000u,
    1000000000000u,
    10000000000000u,
    100000000000000u,
    1000000000000000u,
    10000000000000000u,
    100000000000000000u,
    1000000000000000000u,
    E19,
    E19 * 10u,
    E19 * 100u,
    E19 * 1000u,
    E19 * 10000u,
    E19 * 100000u,
    E19 * 1000000u,
    E19 * 10000000u,
    E19 * 100000000u,
    E19 * 1000000000u,
    E19 * 10000000000u,
    E19 * 100000000000u,
    E19 * 1000000000000u,
    E19 * 10000000000000u,
    E19 * 100000000000000u,
    E19 * 1000000000000000u,
    E19 * 10000000000000000u,
    E19 * 100000000000000000u,
    E19 * 1000000000000000000u,
    E19 *E19,
};
#define COEFFICIENT_END POWERS[DECIMAL_DIGITS] /* 10^38: the first that does not fit */

static int digit_count(decimal_coefficient c) {
  int low = 0, high = DECIMAL_DIGITS;
  while (low < high) {
    int middle = (low + high) / 2;
    if (c >= POWERS[middle]) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low; /* 0 for zero */
}

/* c * 10^power, false when it has more than 38 digits. */
static bool scale_up(decimal_coefficient c, int32_t power, decimal_coefficient *out) {
  if (c == 0) {
    *out = 0;
    return true;
  }
  if (power < 0 || digit_count(c) + power > DECIMAL_DIGITS) return false;
  *out = c * POWERS[power];
  return true;
}

static struct decimal signed_zero(struct decimal d) {
  if (d.coefficient == 0) d.negative = false;
  return d;
}

/* --- reading and writing --- */

struct scan {
  const char *at, *end;
};

static bool is_digit(const struct scan *scan) {
  return scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9';
}

/* Adds digits to the coefficient; false when there are none or too many. */
static bool scan_digits(struct scan *scan, struct decimal *d, int32_t *count) {
  *count = 0;
  for (; is_digit(scan); scan->at++) {
    if (d->coefficient >= POWERS[DECIMAL_DIGITS - 1] || *count >= SCALE_MAX) return false;
    d->coefficient = d->coefficient * 10 + (unsigned)(*scan->at - '0');
    ++*count;
  }
  return *count > 0;
}

static bool scan_exponent(struct scan *scan, int32_t *out) {
  bool negative = false;
  int32_t value = 0;
  scan->at++;
  if (scan->at < scan->end && (*scan->at == '-' || *scan->at == '+')) negative = *scan->at++ == '-';
  if (!is_digit(scan)) return false;
  for (; is_digit(scan); scan->at++) {
    if (value < 100000) value = value * 10 + (*scan->at - '0');
  }
  *out = negative ? -value : value;
  return true;
}

/* Applies an exponent so that the scale is not negative. */
static bool apply_exponent(struct decimal *d, int32_t exponent) {
  int32_t scale = d->scale - exponent;
  if (scale > SCALE_MAX) return false;
  if (scale < 0) {
    if (!scale_up(d->coefficient, -scale, &d->coefficient)) return false;
    scale = 0;
  }
  d->scale = scale;
  return true;
}

bool decimal_parse(struct str text, struct decimal *out) {
  if (text.len == 0) return false;
  struct scan scan = {text.ptr, text.ptr + text.len};
  struct decimal d = {0};
  int32_t count = 0, exponent = 0;
  if (scan.at < scan.end && (*scan.at == '-' || *scan.at == '+')) d.negative = *scan.at++ == '-';
  if (!scan_digits(&scan, &d, &count)) return false;
  if (scan.at < scan.end && *scan.at == '.') {
    scan.at++;
    if (!scan_digits(&scan, &d, &d.scale)) return false;
  }
  if (scan.at < scan.end && (*scan.at == 'e' || *scan.at == 'E')) {
    if (!scan_exponent(&scan, &exponent)) return false;
  }
  if (scan.at != scan.end || !apply_exponent(&d, exponent)) return false;
  *out = signed_zero(d);
  return true;
}

void decimal_format(struct decimal d, struct buf *out) {
  char digits[DECIMAL_DIGITS + 1];
  int count = 0;
  for (decimal_coefficient c = d.coefficient; c; c /= 10)
    digits[count++] = (char)('0' + (int)(c % 10));
  if (d.negative && d.coefficient) buf_add_char(out, '-');
  int32_t places = d.scale < 0 ? 0 : d.scale;
  int32_t width = count > places ? count : places + 1; /* at least one digit before the point */
  for (int32_t i = width - 1; i >= 0; i--) {
    buf_add_char(out, i < count ? digits[i] : '0');
    if (i == places && places) buf_add_char(out, '.');
  }
  for (int32_t i = d.scale; i < 0 && d.coefficient; i++)
    buf_add_char(out, '0');
}

struct decimal decimal_from_int(int64_t value) {
  uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  return (struct decimal){magnitude, 0, value < 0};
}

bool decimal_to_int(struct decimal d, int64_t *out) {
  d = decimal_normalize(d);
  if (d.scale != 0) return false;
  decimal_coefficient max = (decimal_coefficient)INT64_MAX + (d.negative ? 1 : 0);
  if (d.coefficient > max) return false;
  uint64_t magnitude = (uint64_t)d.coefficient;
  *out = d.negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
  return true;
}

/* --- rounding --- */

struct decimal decimal_normalize(struct decimal d) {
  if (d.coefficient == 0) return (struct decimal){0};
  while (d.scale > 0 && d.coefficient % 10 == 0) {
    d.coefficient /= 10;
    d.scale--;
  }
  return d;
}

/* Cuts to `scale` digits after the point; *rest says whether what was cut is nonzero, *half whether at least
 * half. */
static struct decimal cut(struct decimal d, int32_t scale, bool *rest, bool *half) {
  *rest = *half = false;
  if (scale < 0) scale = 0;
  if (d.scale <= scale) return d;
  int32_t places = d.scale - scale;
  decimal_coefficient kept = 0, lost = d.coefficient;
  if (places <= DECIMAL_DIGITS) {
    kept = d.coefficient / POWERS[places];
    lost = d.coefficient % POWERS[places];
    *half = lost >= POWERS[places] / 2;
  }
  *rest = lost != 0;
  return (struct decimal){kept, scale, d.negative};
}

/* A cut number has at most 37 digits, so one more unit always fits. */
static struct decimal away(struct decimal d, bool more) {
  if (more) d.coefficient++;
  return signed_zero(d);
}

struct decimal decimal_round(struct decimal d, int32_t scale) {
  bool rest, half;
  struct decimal kept = cut(d, scale, &rest, &half);
  return away(kept, half);
}

struct decimal decimal_truncate(struct decimal d) {
  bool rest, half;
  return signed_zero(cut(d, 0, &rest, &half));
}

struct decimal decimal_floor(struct decimal d) {
  bool rest, half;
  struct decimal kept = cut(d, 0, &rest, &half);
  return away(kept, rest && d.negative);
}

struct decimal decimal_ceiling(struct decimal d) {
  bool rest, half;
  struct decimal kept = cut(d, 0, &rest, &half);
  return away(kept, rest && !d.negative);
}

struct decimal decimal_negate(struct decimal d) {
  d.negative = !d.negative;
  return signed_zero(d);
}

/* --- comparing and computing --- */

/* Compares absolute values, whatever the scales: first by the place of the leading digit, then by digits. */
static int compare_magnitude(struct decimal a, struct decimal b) {
  if (a.coefficient == 0 || b.coefficient == 0) return (a.coefficient != 0) - (b.coefficient != 0);
  int a_digits = digit_count(a.coefficient), b_digits = digit_count(b.coefficient);
  int a_lead = a_digits - a.scale, b_lead = b_digits - b.scale;
  if (a_lead != b_lead) return a_lead < b_lead ? -1 : 1;
  if (a_digits < b_digits) a.coefficient *= POWERS[b_digits - a_digits];
  if (b_digits < a_digits) b.coefficient *= POWERS[a_digits - b_digits];
  return (a.coefficient > b.coefficient) - (a.coefficient < b.coefficient);
}

int decimal_compare(struct decimal a, struct decimal b) {
  a = signed_zero(a);
  b = signed_zero(b);
  if (a.negative != b.negative) return a.negative ? -1 : 1;
  int order = compare_magnitude(a, b);
  return a.negative ? -order : order;
}

/* Brings both to the greater scale. */
static bool align(struct decimal *a, struct decimal *b) {
  if (a->scale < b->scale) {
    if (!scale_up(a->coefficient, b->scale - a->scale, &a->coefficient)) return false;
    a->scale = b->scale;
  } else if (b->scale < a->scale) {
    if (!scale_up(b->coefficient, a->scale - b->scale, &b->coefficient)) return false;
    b->scale = a->scale;
  }
  return true;
}

static bool add_exactly(struct decimal a, struct decimal b, struct decimal *out) {
  if (!align(&a, &b)) return false;
  if (a.negative == b.negative) {
    a.coefficient += b.coefficient; /* below 2 * 10^38, which fits 128 bits */
    if (a.coefficient >= COEFFICIENT_END) return false;
  } else if (a.coefficient >= b.coefficient) {
    a.coefficient -= b.coefficient;
  } else {
    b.coefficient -= a.coefficient;
    a = b;
  }
  *out = signed_zero(a);
  return true;
}

bool decimal_add(struct decimal a, struct decimal b, struct decimal *out) {
  return add_exactly(a, b, out) || add_exactly(decimal_normalize(a), decimal_normalize(b), out);
}

bool decimal_subtract(struct decimal a, struct decimal b, struct decimal *out) {
  return decimal_add(a, decimal_negate(b), out);
}

static bool multiply_exactly(struct decimal a, struct decimal b, struct decimal *out) {
  decimal_coefficient product;
  if (__builtin_mul_overflow(a.coefficient, b.coefficient, &product)) return false;
  if (product >= COEFFICIENT_END || a.scale + b.scale > SCALE_MAX) return false;
  *out = signed_zero((struct decimal){product, a.scale + b.scale, a.negative != b.negative});
  return true;
}

bool decimal_multiply(struct decimal a, struct decimal b, struct decimal *out) {
  return multiply_exactly(a, b, out) || multiply_exactly(decimal_normalize(a), decimal_normalize(b), out);
}

/* Doubles *rest modulo `divisor`, carrying into *digit. Both are below 10^38, so nothing overflows. */
static void double_rest(decimal_coefficient *rest, decimal_coefficient add, decimal_coefficient divisor,
                        unsigned *digit) {
  *rest += add;
  if (*rest >= divisor) {
    *rest -= divisor;
    ++*digit;
  }
}

/* The next decimal digit of rest / divisor: ten times the rest in steps that fit 128 bits. */
static unsigned next_digit(decimal_coefficient *rest, decimal_coefficient divisor) {
  decimal_coefficient once = *rest;
  unsigned digit = 0;
  double_rest(rest, *rest, divisor, &digit); /* 2 */
  digit *= 2;
  double_rest(rest, *rest, divisor, &digit); /* 4 */
  double_rest(rest, once, divisor, &digit);  /* 5 */
  digit *= 2;
  double_rest(rest, *rest, divisor, &digit); /* 10 */
  return digit;
}

/* As many digits after the point as fit, at most DECIMAL_DIVISION_SCALE. */
bool decimal_divide(struct decimal a, struct decimal b, struct decimal *out) {
  if (b.coefficient == 0) return false;
  struct decimal q = {a.coefficient / b.coefficient, a.scale - b.scale, a.negative != b.negative};
  decimal_coefficient rest = a.coefficient % b.coefficient;
  while (q.scale < DECIMAL_DIVISION_SCALE && (rest || q.scale < 0)) {
    if (q.coefficient >= POWERS[DECIMAL_DIGITS - 1]) break;
    q.coefficient = q.coefficient * 10 + next_digit(&rest, b.coefficient);
    q.scale++;
  }
  if (q.scale < 0) return false;
  if (q.scale > DECIMAL_DIVISION_SCALE) {
    q = decimal_round(q, DECIMAL_DIVISION_SCALE); /* what `rest` adds is below one unit of the digits cut */
  } else if (rest >= b.coefficient - rest) {
    q.coefficient++;
  }
  q = decimal_normalize(q);
  if (q.coefficient >= COEFFICIENT_END) return false;
  *out = signed_zero(q);
  return true;
}

bool decimal_div_mod(struct decimal a, struct decimal b, struct decimal *quotient,
                     struct decimal *remainder) {
  if (b.coefficient == 0) return false;
  struct decimal n = a, d = b;
  if (!align(&n, &d)) {
    n = decimal_normalize(a);
    d = decimal_normalize(b);
    if (!align(&n, &d)) return false;
  }
  *quotient = signed_zero((struct decimal){n.coefficient / d.coefficient, 0, a.negative != b.negative});
  *remainder = signed_zero((struct decimal){n.coefficient % d.coefficient, n.scale, a.negative});
  return true;
}
