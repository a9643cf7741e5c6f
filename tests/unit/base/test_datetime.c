/* test_datetime.c - dates and times: tests/golden/base/datetime.tsv. */
#include "table.h"

static enum datetime_kind kind_of(const struct table_row *row) {
  static const char *const names[] = {"date", "dateTime", "instant", "time"};
  for (int kind = 0; kind < 4; kind++) {
    if (str_is(row->column[1], names[kind])) return (enum datetime_kind)kind;
  }
  ROW_FAIL(row, "unknown kind");
  return DATETIME_DATE;
}

static struct datetime literal(const struct table_row *row, struct str text) {
  struct datetime d = {0};
  if (!datetime_parse_literal(text, kind_of(row), &d))
    ROW_FAIL(row, "operand \"%.*s\" refused", STR_ARG(text));
  return d;
}

static const char *order_name(enum datetime_order order) {
  return order == DATETIME_LESS      ? "less"
         : order == DATETIME_EQUAL   ? "equal"
         : order == DATETIME_GREATER ? "greater"
                                     : "unknown";
}

static void compare(const struct table_row *row, struct buf *out) {
  struct datetime a = literal(row, row->column[2]), b = literal(row, row->column[3]);
  enum datetime_order order = datetime_compare(&a, &b), back = datetime_compare(&b, &a);
  enum datetime_order mirrored = order == DATETIME_UNKNOWN ? order : (enum datetime_order) - order;
  if (back != mirrored) ROW_FAIL(row, "not symmetric");
  buf_add_text(out, order_name(order));
}

static bool add(const struct table_row *row, struct buf *out) {
  static const char *const units[] = {"year", "month",  "week",   "day",
                                      "hour", "minute", "second", "millisecond"};
  struct datetime a = literal(row, row->column[2]), sum;
  struct decimal amount;
  struct str text = row->column[3];
  size_t space = str_find_char(text, ' ', 0);
  if (!decimal_parse(str_slice(text, 0, space), &amount)) ROW_FAIL(row, "bad amount");
  for (int unit = 0; unit < 8; unit++) {
    if (!str_is(str_slice(text, space + 1, SIZE_MAX), units[unit])) continue;
    if (!datetime_add(&a, amount, (enum datetime_unit)unit, &sum)) return false;
    datetime_format(&sum, out);
    return true;
  }
  ROW_FAIL(row, "unknown unit");
  return false;
}

static bool compute(const struct table_row *row, struct buf *out) {
  struct datetime d;
  struct str operation = row->column[0];
  if (str_is(operation, "compare")) {
    compare(row, out);
    return true;
  }
  if (str_is(operation, "add")) return add(row, out);
  if (str_is(operation, "ms")) {
    d = literal(row, row->column[2]);
    struct decimal offset;
    int64_t minutes = 0;
    if (!decimal_parse(row->column[3], &offset) || !decimal_to_int(offset, &minutes))
      ROW_FAIL(row, "bad offset");
    buf_printf(out, "%lld", (long long)datetime_to_ms(&d, (int16_t)minutes));
    return true;
  }
  bool strict = str_is(operation, "parse");
  bool done = strict ? datetime_parse(row->column[2], kind_of(row), &d)
                     : datetime_parse_literal(row->column[2], kind_of(row), &d);
  if (done) datetime_format(&d, out);
  return done;
}

/* The fifth column is the result. */
static void check(const struct table_row *row) {
  struct buf out;
  buf_init(&out, 4096);
  if (!compute(row, &out)) buf_add_text(&out, "refused");
  if (!str_eq(buf_str(&out), row->column[4])) {
    ROW_FAIL(row, "expected %.*s, got %.*s", STR_ARG(row->column[4]), STR_ARG(buf_str(&out)));
  }
  buf_release(&out);
}

static void test_table(void **state) {
  (void)state;
  assert_true(table_run("base/datetime.tsv", check) > 150);
}

/* Every day of the years 1 to 9999, there and back. */
static void test_every_day(void **state) {
  (void)state;
  const int64_t day = 86400000;
  struct datetime d = {.kind = DATETIME_DATE, .precision = DATETIME_DAY, .year = 1, .month = 1, .day = 1};
  int64_t ms = datetime_to_ms(&d, 0);
  for (; d.year <= 9999; ms += day) {
    struct datetime back = datetime_from_ms(ms, 0);
    assert_int_equal(datetime_to_ms(&d, 0), ms);
    assert_true(back.year == d.year && back.month == d.month && back.day == d.day);
    if (++d.day > datetime_days_in_month(d.year, d.month)) {
      d.day = 1;
      if (++d.month > 12) {
        d.month = 1;
        d.year++;
      }
    }
  }
}

static void test_from_ms(void **state) {
  (void)state;
  struct buf out;
  struct datetime d = datetime_from_ms(1772899872005, -360);
  buf_init(&out, 100);
  datetime_format(&d, &out);
  assert_true(str_is(buf_str(&out), "2026-03-07T10:11:12.005-06:00"));
  buf_release(&out);
}

/* What is in no year of 1 … 9999, by the clock of the offset, is the nearest that is; as an instant it is not written. */
static void test_from_ms_ends(void **state) {
  static const int64_t first = -62135596800000, last = 253402300799999, hour = 3600000;
  static const struct {
    int64_t ms;
    int16_t offset;
    const char *text, *instant;
  } rows[] = {
      {first, 0, "0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000Z"},
      {first - 1, 0, "0001-01-01T00:00:00.000Z", ""},
      {INT64_MIN, 0, "0001-01-01T00:00:00.000Z", ""},
      {first, -60, "0001-01-01T00:00:00.000-01:00", "0001-01-01T00:00:00.000Z"},
      {first + hour, -60, "0001-01-01T00:00:00.000-01:00", "0001-01-01T01:00:00.000Z"},
      {last, 0, "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"},
      {last + 1, 0, "9999-12-31T23:59:59.999Z", ""},
      {INT64_MAX, 0, "9999-12-31T23:59:59.999Z", ""},
      {last, 840, "9999-12-31T23:59:59.999+14:00", "9999-12-31T23:59:59.999Z"},
      {last - 14 * hour, 840, "9999-12-31T23:59:59.999+14:00", "9999-12-31T09:59:59.999Z"},
      {-1, 0, "1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char text[DATETIME_TEXT], instant[DATETIME_TEXT];
    struct datetime d = datetime_from_ms(rows[i].ms, rows[i].offset);
    assert_true(str_is(str_make(text, datetime_write(&d, text)), rows[i].text));
    assert_true(str_is(str_make(instant, datetime_write_ms(rows[i].ms, instant)), rows[i].instant));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table),
      cmocka_unit_test(test_every_day),
      cmocka_unit_test(test_from_ms),
      cmocka_unit_test(test_from_ms_ends),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
