/* Rows out of a text, where cells are, what values they give, and the caps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "../pack.h"
#include "intake/csv.h"

static const struct definitions *definitions;

/* --- rows: cells in brackets, "!n" for a fault, a line's number before each row */

static void trace(struct str text, struct buf *out) {
  struct csv_reader *reader = test_malloc(sizeof *reader);
  size_t at = 0;
  uint32_t line = 1;
  intake_csv_reader_open(reader, text, ',');
  for (int guard = 0; guard < 100 && intake_csv_row(reader, at, line); guard++) {
    buf_printf(out, "%u", reader->line);
    if (reader->fault) buf_printf(out, "!%d", (int)reader->fault);
    for (size_t i = 0; !reader->fault && i < reader->count; i++)
      buf_printf(out, "[%.*s]", STR_ARG(intake_csv_cell(reader, i)));
    assert_true(reader->end > at);
    at = reader->end;
    line = reader->next_line;
  }
  buf_add_char(out, 0);
  intake_csv_reader_close(reader);
  test_free(reader);
}

static const struct {
  const char *text, *want;
} rows[] = {
    {"", ""},
    {"\n \r\n\n", ""},
    {"a,b\nc,d", "1[a][b]2[c][d]"},
    {"a,b\r\nc,d\r\n", "1[a][b]2[c][d]"},
    {"a,,\n", "1[a][][]"},
    {" a , b\n", "1[a][b]"},
    {"\"a,b\",\"c\"\"d\"\n", "1[a,b][c\"d]"},
    {"\"a\nb\",c\n\nd\n", "1[a\nb][c]4[d]"},
    {"\"a\r\nb\",c\nd\n", "1[a\r\nb][c]3[d]"},
    {"\"\",x\n", "1[][x]"},
    {"a\"b,c\nd\n", "1!1" "2[d]"},
    {"\"a\"b,c\nd\n", "1!1" "2[d]"},
    {"a\rb\nd\n", "1!2" "2[d]"},
    {"a\r\"b\nd\n", "1!2" "2[d]"},
    {"a\nb,\"c\nd\n", "1[a]2!5"},
};

static void test_rows(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct buf got;
    buf_init(&got, 1 << 16);
    trace(str_of(rows[i].text), &got);
    assert_string_equal(got.ptr, rows[i].want);
    buf_release(&got);
  }
}

/* The quick way to a key gives what the whole row gives, and ends where it ends. */
static void test_keys(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct csv_reader *whole = test_malloc(sizeof *whole), *quick = test_malloc(sizeof *quick);
    struct str text = str_of(rows[i].text), key;
    size_t at = 0;
    uint32_t line = 1;
    intake_csv_reader_open(whole, text, ',');
    intake_csv_reader_open(quick, text, ',');
    while (intake_csv_row(whole, at, line)) {
      assert_true(intake_csv_key(quick, at, line, 1, &key));
      if (!whole->fault) assert_true(str_eq(key, intake_csv_cell(whole, 1)));
      assert_int_equal(quick->end, whole->end);
      assert_int_equal(quick->next_line, whole->next_line);
      at = whole->end;
      line = whole->next_line;
    }
    assert_false(intake_csv_key(quick, at, line, 1, &key));
    intake_csv_reader_close(whole);
    intake_csv_reader_close(quick);
    test_free(whole);
    test_free(quick);
  }
}

static void test_row_cap(void **state) {
  (void)state;
  for (size_t extra = 0; extra <= 2; extra++) {
    size_t size = (size_t)LIMIT_SET_ROW_BYTES - 1 + extra; /* with its line end */
    char *text = test_malloc(size);
    struct csv_reader *reader = test_malloc(sizeof *reader);
    memset(text, 'a', size);
    text[size - 1] = '\n';
    intake_csv_reader_open(reader, str_make(text, size), ',');
    assert_true(intake_csv_row(reader, 0, 1));
    assert_int_equal(reader->fault, extra == 2 ? CSV_FAULT_LONG : CSV_GOOD);
    intake_csv_reader_close(reader);
    test_free(reader);
    test_free(text);
  }
}

static void test_column_cap(void **state) {
  (void)state;
  for (size_t count = LIMIT_SET_COLUMNS - 1; count <= LIMIT_SET_COLUMNS + 1; count++) {
    char text[LIMIT_SET_COLUMNS + 2];
    struct csv_reader *reader = test_malloc(sizeof *reader);
    memset(text, ',', sizeof text);
    text[count - 1] = '\n';
    intake_csv_reader_open(reader, str_make(text, count), ',');
    assert_true(intake_csv_row(reader, 0, 1));
    assert_int_equal(reader->count, count);
    assert_int_equal(reader->fault, count > LIMIT_SET_COLUMNS ? CSV_FAULT_COLUMNS : CSV_GOOD);
    intake_csv_reader_close(reader);
    test_free(reader);
  }
}

static void test_cell_places(void **state) {
  (void)state;
  assert_int_equal(intake_csv_cell_at(STR("a,b,c\n"), ',', 0), 0);
  assert_int_equal(intake_csv_cell_at(STR("a,b,c\n"), ',', 2), 4);
  assert_int_equal(intake_csv_cell_at(STR("\"a,b\",c\n"), ',', 1), 6);
  assert_int_equal(intake_csv_cell_at(STR("a,b\r\n"), ',', 7), 3);
}

/* --- values */

static const struct {
  enum csv_type type;
  const char *format, *cell, *want; /* want NULL: refused */
} values[] = {
    {CSV_TEXT, "", "a b", "a b"},
    {CSV_TEXT, "", "1.98765E+09", NULL},
    {CSV_TEXT, "", "1E5", "1E5"}, /* a code, not a number that was spoilt */
    {CSV_INTEGER, "", "72", "72"},
    {CSV_INTEGER, "", "-7", "-7"},
    {CSV_INTEGER, "", "072", NULL},
    {CSV_INTEGER, "", "7.0", NULL},
    {CSV_DECIMAL, "", "37.50", "37.50"},
    {CSV_DECIMAL, "", "37.", NULL},
    {CSV_DECIMAL, "", ".5", NULL},
    {CSV_DECIMAL, "", "1,5", NULL},
    {CSV_DECIMAL, "", "1e2", NULL},
    {CSV_DECIMAL, "", "'1", NULL},
    {CSV_BOOLEAN, "", "true", "true"},
    {CSV_BOOLEAN, "", "TRUE", NULL},
    {CSV_DATE, "", "2026-03-11", "2026-03-11"},
    {CSV_DATE, "", "2026-03", "2026-03"},
    {CSV_DATE, "", "3/11/2026", NULL},
    {CSV_DATE, "MM/DD/YYYY", "03/11/2026", "2026-03-11"},
    {CSV_DATE, "MM/DD/YYYY", "3/11/2026", NULL},
    {CSV_DATE, "M/D/YYYY", "3/1/2026", "2026-03-01"},
    {CSV_DATE, "M/D/YYYY", "13/1/2026", NULL},
    {CSV_DATE, "D.M.YYYY", "29.2.2023", NULL},
    {CSV_DATE, "D.M.YYYY", "29.2.2024", "2024-02-29"},
    {CSV_TIME, "", "2026-03-11T09:30:00-05:00", "2026-03-11T09:30:00-05:00"},
    {CSV_TIME, "", "2026-03-11T09:30", NULL},
    {CSV_TIME, "YYYY-MM-DD HH:mm:ssZ", "2026-03-11 09:30:05+0530", "2026-03-11T09:30:05+05:30"},
    {CSV_TIME, "YYYY-MM-DD HH:mmZ", "2026-03-11 24:00Z", NULL},
    {CSV_TIME, "M/D/YYYY h:mm aZ", "3/1/2026 12:05 AMZ", "2026-03-01T00:05:00Z"},
    {CSV_TIME, "M/D/YYYY h:mm aZ", "3/1/2026 12:05 pm-06:00", "2026-03-01T12:05:00-06:00"},
    {CSV_TIME, "M/D/YYYY h:mm aZ", "3/1/2026 0:05 AMZ", NULL},
    {CSV_TIME, "M/D/YYYY H:mm", "3/1/2026 9:05", NULL}, /* no zone is known */
};

static void test_values(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
    struct arena *arena = arena_new(1 << 20);
    struct csv_column column = {.decimal = '.', .format = str_of(values[i].format)};
    struct csv_cell cell = {&column, values[i].type, str_of(values[i].cell), NULL};
    struct csv_value value;
    assert_int_equal(intake_csv_value(&cell, arena, &value), STATUS_OK);
    if ((value.why == NULL) != (values[i].want != NULL)) fail_msg("%s: %s", values[i].cell, value.why ? value.why : "taken");
    if (values[i].want && !str_is(value.text, values[i].want)) fail_msg("%s: %.*s", values[i].cell, STR_ARG(value.text));
    arena_free(arena);
  }
}

static const struct {
  const char *from, *to;
  int decimals;
  const char *cell, *want; /* want NULL: no conversion */
} units[] = {
    {"[lb_av]", "kg", 2, "165.3", "74.98"},
    {"[lb_av]", "kg", 9, "165.3", "74.978818761"},
    {"[lb_av]", "kg", 8, "1", "0.45359237"},
    {"[lb_av]", "kg", 3, "0", "0.000"},
    {"g", "kg", 1, "50", "0.1"}, /* half away from zero */
    {"[degF]", "Cel", 1, "98.6", "37.0"},
    {"[degF]", "Cel", 4, "98.1", "36.7222"},
    {"[degF]", "Cel", 1, "-40", "-40.0"},
    {"Cel", "[degF]", 1, "37.0", "98.6"},
    {"[in_i]", "cm", 1, "67", "170.2"},
    {"[ft_i]", "cm", 2, "5.5", "167.64"},
    {"ug", "mg", 2, "37490", "37.49"},
    {"h", "min", 0, "1.5", "90"},
    {"kg", "Cel", 1, "1", NULL},
    {"K", "Cel", 1, "300", NULL},
    {"pounds", "kg", 1, "1", NULL},
    {"[iU]", "mg", 1, "1", NULL},
};

static void test_units(void **state) {
  (void)state;
  if (definitions_unit_count(definitions) == 0) skip();
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
    struct arena *arena = arena_new(1 << 20);
    struct csv_column column = {.decimal = '.', .unit = {.from = str_of(units[i].from), .to = str_of(units[i].to), .decimals = units[i].decimals}};
    struct csv_cell cell = {&column, CSV_DECIMAL, str_of(units[i].cell), NULL};
    struct csv_value value;
    bool fits = intake_csv_unit(definitions, &column.unit);
    if (fits != (units[i].want != NULL)) fail_msg("%s to %s", units[i].from, units[i].to);
    if (fits) {
      assert_int_equal(intake_csv_value(&cell, arena, &value), STATUS_OK);
      if (value.why || !str_is(value.text, units[i].want)) fail_msg("%s %s: %.*s", units[i].cell, units[i].from, STR_ARG(value.text));
      assert_true(str_is(value.original, units[i].cell));
    }
    arena_free(arena);
  }
}

static void test_charsets(void **state) {
  struct arena *arena = arena_new(1 << 20);
  const char(*bytes)[4];
  (void)state;
  assert_int_equal(intake_csv_charset(STR("ISO-8859-1"), arena, &bytes), STATUS_OK);
  assert_string_equal(bytes[0xE9], "\xc3\xa9");
  assert_int_equal(intake_csv_charset(STR("windows-1252"), arena, &bytes), STATUS_OK);
  assert_memory_equal(bytes[0x80], "\xe2\x82\xac", 3);
  assert_int_equal(bytes[0x81][0], 0); /* no character */
  assert_int_equal(intake_csv_charset(STR("UTF-16"), arena, &bytes), STATUS_NOT_FOUND);
  assert_int_equal(intake_csv_charset(STR("SHIFT_JIS"), arena, &bytes), STATUS_NOT_FOUND);
  assert_int_equal(intake_csv_charset(STR("no-such"), arena, &bytes), STATUS_NOT_FOUND);
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows),        cmocka_unit_test(test_keys),  cmocka_unit_test(test_row_cap),
                                     cmocka_unit_test(test_column_cap),  cmocka_unit_test(test_cell_places), cmocka_unit_test(test_values),
                                     cmocka_unit_test(test_units),       cmocka_unit_test(test_charsets)};
  struct definitions *opened = pack_open();
  if (!opened) return PACK_SKIPPED;
  definitions = opened;
  int result = cmocka_run_group_tests(tests, NULL, NULL);
  definitions_close(opened);
  return result;
}
