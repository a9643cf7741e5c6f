/*
 * datetime-decimal.c - fuzz target: texts of numbers, dates and times, and computing with them.
 *
 * Input: two texts, each a line. What must hold: what was read is written to a text that reads the same;
 * order is antisymmetric; sums, products, quotients and shifts agree with their inverses where they fit.
 */
#include "fuzz.h"

void fuzz_begin(void) {}

/* --- decimals */

static bool parse_back(struct decimal value, struct decimal *out) {
  struct buf text;
  buf_init(&text, 1 << 16);
  decimal_format(value, &text);
  bool read = decimal_parse(buf_str(&text), out);
  buf_release(&text);
  return read;
}

static void check_one(struct decimal a) {
  struct decimal again, sum;
  int64_t whole;
  FUZZ_REQUIRE(a.scale >= 0 && !(a.negative && decimal_is_zero(a)));
  if (parse_back(a, &again)) FUZZ_REQUIRE(again.scale == a.scale && decimal_compare(a, again) == 0);
  FUZZ_REQUIRE(decimal_compare(decimal_normalize(a), a) == 0);
  FUZZ_REQUIRE(decimal_compare(decimal_negate(decimal_negate(a)), a) == 0);
  FUZZ_REQUIRE(decimal_compare(decimal_floor(a), a) <= 0 && decimal_compare(decimal_ceiling(a), a) >= 0);
  for (int32_t scale = 0; scale < 40; scale += 3) {
    struct decimal once = decimal_round(a, scale);
    FUZZ_REQUIRE(decimal_compare(decimal_round(once, scale), once) == 0);
  }
  if (decimal_to_int(a, &whole)) FUZZ_REQUIRE(decimal_compare(decimal_from_int(whole), a) == 0);
  if (decimal_subtract(a, a, &sum)) FUZZ_REQUIRE(decimal_is_zero(sum));
  struct decimal cut = decimal_truncate(a);
  FUZZ_REQUIRE(decimal_compare(cut, a.negative ? decimal_ceiling(a) : decimal_floor(a)) == 0);
}

static void check_two(struct decimal a, struct decimal b) {
  struct decimal x, y, rest;
  int order = decimal_compare(a, b);
  FUZZ_REQUIRE(order == -decimal_compare(b, a));
  if (decimal_add(a, b, &x)) {
    FUZZ_REQUIRE(decimal_add(b, a, &y) && decimal_compare(x, y) == 0);
    if (decimal_subtract(x, b, &y)) FUZZ_REQUIRE(decimal_compare(y, a) == 0);
  }
  if (decimal_subtract(a, b, &x))
    FUZZ_REQUIRE((order == 0) == decimal_is_zero(x) && (order < 0) == x.negative);
  if (decimal_multiply(a, b, &x)) FUZZ_REQUIRE(decimal_multiply(b, a, &y) && decimal_compare(x, y) == 0);
  if (decimal_is_zero(b)) FUZZ_REQUIRE(!decimal_divide(a, b, &x) && !decimal_div_mod(a, b, &x, &y));
  if (decimal_divide(a, b, &x)) FUZZ_REQUIRE(decimal_is_zero(x) || x.negative == (a.negative != b.negative));
  if (decimal_div_mod(a, b, &x, &rest)) {
    FUZZ_REQUIRE(decimal_is_zero(rest) || rest.negative == a.negative);
    if (decimal_multiply(x, b, &y) && decimal_add(y, rest, &y)) FUZZ_REQUIRE(decimal_compare(y, a) == 0);
    if (rest.negative) rest = decimal_negate(rest);
    FUZZ_REQUIRE(decimal_compare(rest, b.negative ? decimal_negate(b) : b) < 0);
  }
}

/* --- dates and times */

static const enum datetime_kind kinds[] = {DATETIME_DATE, DATETIME_DATETIME, DATETIME_INSTANT, DATETIME_TIME};

static void check_date(struct str text, const struct datetime *a, bool literal) {
  struct datetime again;
  struct buf written;
  buf_init(&written, 1024);
  datetime_format(a, &written);
  bool read = literal ? datetime_parse_literal(buf_str(&written), a->kind, &again)
                      : datetime_parse(buf_str(&written), a->kind, &again);
  FUZZ_REQUIRE(read && again.precision == a->precision && again.has_offset == a->has_offset);
  enum datetime_order order = datetime_compare(a, &again);
  FUZZ_REQUIRE(order == DATETIME_EQUAL || order == DATETIME_UNKNOWN);
  FUZZ_REQUIRE(text.len > 0);
  if (a->kind != DATETIME_TIME && a->precision >= DATETIME_DAY)
    FUZZ_REQUIRE(a->day >= 1 && a->day <= datetime_days_in_month(a->year, a->month));
  bool inner = a->year > 1 && a->year < 9999; /* datetime_from_ms stays a day off the ends */
  if (a->kind != DATETIME_TIME && a->precision >= DATETIME_SECOND && a->has_offset && a->second < 60 &&
      inner) {
    struct datetime same = datetime_from_ms(datetime_to_ms(a, 0), a->offset);
    FUZZ_REQUIRE(same.year == a->year && same.day == a->day && same.minute == a->minute);
  }
  buf_release(&written);
}

static void check_shift(const struct datetime *a, struct decimal amount) {
  for (int unit = DATETIME_UNIT_YEAR; unit <= DATETIME_UNIT_MILLISECOND; unit++) {
    struct datetime moved, back;
    if (!datetime_add(a, amount, (enum datetime_unit)unit, &moved)) continue;
    FUZZ_REQUIRE(moved.kind == a->kind && moved.precision >= a->precision);
    if (a->kind != DATETIME_TIME) FUZZ_REQUIRE(moved.year >= 1 && moved.year <= 9999);
    if (unit < DATETIME_UNIT_WEEK || a->precision < DATETIME_FRACTION || a->second == 60) continue;
    if (datetime_add(&moved, decimal_negate(amount), (enum datetime_unit)unit, &back))
      FUZZ_REQUIRE(datetime_to_ms(&back, 0) == datetime_to_ms(a, 0));
  }
}

static size_t read_dates(struct str text, struct datetime out[8]) {
  size_t count = 0;
  for (size_t i = 0; i < 4; i++) {
    if (datetime_parse(text, kinds[i], &out[count])) check_date(text, &out[count++], false);
    if (datetime_parse_literal(text, kinds[i], &out[count])) check_date(text, &out[count++], true);
  }
  return count;
}

static void check_order(const struct datetime *a, const struct datetime *b) {
  enum datetime_order order = datetime_compare(a, b), other = datetime_compare(b, a);
  FUZZ_REQUIRE(order == DATETIME_UNKNOWN ? other == DATETIME_UNKNOWN : (int)order == -(int)other);
}

void fuzz_one(struct str input) {
  size_t line = str_find_char(input, '\n', 0);
  struct str first = str_slice(input, 0, line);
  struct str second = line == SIZE_MAX ? (struct str){0} : str_slice(input, line + 1, input.len);
  struct decimal a, b;
  struct datetime left[8], right[8];
  bool has_a = decimal_parse(first, &a), has_b = decimal_parse(second, &b);
  if (has_a) check_one(a);
  if (has_b) check_one(b);
  if (has_a && has_b) check_two(a, b);
  size_t count = read_dates(first, left), others = read_dates(second, right);
  for (size_t i = 0; i < count; i++) {
    if (has_b) check_shift(&left[i], b);
    for (size_t j = 0; j < others; j++)
      check_order(&left[i], &right[j]);
  }
}
