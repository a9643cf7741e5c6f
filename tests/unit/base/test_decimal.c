/* test_decimal.c - exact decimals: tests/golden/base/decimal.tsv. */
#include "table.h"

static struct decimal number(const struct table_row *row, struct str text) {
  struct decimal d = {0};
  if (!decimal_parse(text, &d)) ROW_FAIL(row, "operand \"%.*s\" refused", STR_ARG(text));
  return d;
}

static void add_two(struct buf *out, struct decimal quotient, struct decimal rest) {
  decimal_format(quotient, out);
  buf_add_char(out, ' ');
  decimal_format(rest, out);
}

static int64_t to_int(struct str text) {
  struct decimal d;
  int64_t value = 0;
  return decimal_parse(text, &d) && decimal_to_int(d, &value) ? value : 0;
}

/* Writes the result; false when the operation refuses. */
static bool compute(const struct table_row *row, struct buf *out) {
  struct str operation = row->column[0];
  struct decimal a, b = {0}, r = {0}, rest;
  int64_t whole;
  if (str_is(operation, "parse")) {
    if (!decimal_parse(row->column[1], &r)) return false;
    decimal_format(r, out);
    return true;
  }
  a = number(row, row->column[1]);
  if (row->column[2].len) b = number(row, row->column[2]);
  if (str_is(operation, "compare")) {
    assert_int_equal(decimal_compare(a, b), -decimal_compare(b, a));
    buf_printf(out, "%d", decimal_compare(a, b));
    return true;
  }
  if (str_is(operation, "to_int")) {
    if (!decimal_to_int(a, &whole)) return false;
    buf_printf(out, "%lld", (long long)whole);
    return true;
  }
  if (str_is(operation, "divmod")) {
    if (!decimal_div_mod(a, b, &r, &rest)) return false;
    add_two(out, r, rest);
    return true;
  }
  bool done = true;
  if (str_is(operation, "add")) {
    done = decimal_add(a, b, &r);
  } else if (str_is(operation, "subtract")) {
    done = decimal_subtract(a, b, &r);
  } else if (str_is(operation, "multiply")) {
    done = decimal_multiply(a, b, &r);
  } else if (str_is(operation, "divide")) {
    done = decimal_divide(a, b, &r);
  } else if (str_is(operation, "round")) {
    r = decimal_round(a, (int32_t)to_int(row->column[2]));
  } else if (str_is(operation, "floor")) {
    r = decimal_floor(a);
  } else if (str_is(operation, "ceiling")) {
    r = decimal_ceiling(a);
  } else if (str_is(operation, "truncate")) {
    r = decimal_truncate(a);
  } else if (str_is(operation, "normalize")) {
    r = decimal_normalize(a);
  } else {
    ROW_FAIL(row, "unknown operation");
  }
  if (done) decimal_format(r, out);
  return done;
}

static void check(const struct table_row *row) {
  struct buf out;
  buf_init(&out, 4096);
  if (!compute(row, &out)) buf_add_text(&out, "refused");
  if (!str_eq(buf_str(&out), row->column[3])) {
    ROW_FAIL(row, "expected %.*s, got %.*s", STR_ARG(row->column[3]), STR_ARG(buf_str(&out)));
  }
  buf_release(&out);
}

static void test_table(void **state) {
  (void)state;
  assert_true(table_run("base/decimal.tsv", check) > 400);
}

static void test_int_limits(void **state) {
  (void)state;
  const int64_t values[] = {0, 1, -1, INT64_MAX, INT64_MIN, INT64_MIN + 1};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    int64_t back = 1;
    assert_true(decimal_to_int(decimal_from_int(values[i]), &back));
    assert_int_equal(back, values[i]);
  }
  assert_false(decimal_negate(decimal_from_int(0)).negative);
}

/* Digits N-1, N, N+1 of the coefficient, and N-1, N, N+1 places. */
static void test_limits(void **state) {
  (void)state;
  char text[1100];
  for (size_t digits = DECIMAL_DIGITS - 1; digits <= DECIMAL_DIGITS + 1; digits++) {
    struct decimal d;
    memset(text, '9', digits);
    assert_int_equal(decimal_parse(str_make(text, digits), &d), digits <= DECIMAL_DIGITS);
  }
  for (int places = 1023; places <= 1025; places++) {
    struct decimal d;
    snprintf(text, sizeof text, "1e-%d", places);
    assert_int_equal(decimal_parse(str_of(text), &d), places <= 1024);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table),
      cmocka_unit_test(test_int_limits),
      cmocka_unit_test(test_limits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
