/* test_types.c - which primitive fits which, and what is a text of which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "mapping/internal.h"

static void test_fit(void **state) {
  static const struct {
    enum def_primitive from, to;
    enum fml_fit fit;
  } rows[] = {
      {DEF_P_STRING, DEF_P_STRING, FML_FIT},         {DEF_P_CODE, DEF_P_STRING, FML_FIT},
      {DEF_P_STRING, DEF_P_CODE, FML_FIT_CHECKED},   {DEF_P_STRING, DEF_P_INTEGER, FML_FIT_CHECKED},
      {DEF_P_INTEGER, DEF_P_DECIMAL, FML_FIT},       {DEF_P_DECIMAL, DEF_P_INTEGER, FML_FIT_CHECKED},
      {DEF_P_POSITIVE_INT, DEF_P_INTEGER, FML_FIT},  {DEF_P_INTEGER, DEF_P_POSITIVE_INT, FML_FIT_CHECKED},
      {DEF_P_DATE, DEF_P_DATETIME, FML_FIT},         {DEF_P_INSTANT, DEF_P_DATETIME, FML_FIT},
      {DEF_P_DATETIME, DEF_P_DATE, FML_FIT_CHECKED}, {DEF_P_DATETIME, DEF_P_INSTANT, FML_FIT_CHECKED},
      {DEF_P_BOOLEAN, DEF_P_DATE, FML_NO_FIT},       {DEF_P_INTEGER, DEF_P_BOOLEAN, FML_NO_FIT},
      {DEF_P_TIME, DEF_P_DATETIME, FML_NO_FIT},      {DEF_P_DECIMAL, DEF_P_DATE, FML_NO_FIT},
      {DEF_P_BOOLEAN, DEF_P_STRING, FML_FIT},        {DEF_P_NONE, DEF_P_STRING, FML_NO_FIT},
      {DEF_P_STRING, DEF_P_NONE, FML_NO_FIT},        {DEF_P_CANONICAL, DEF_P_URI, FML_FIT},
      {DEF_P_URI, DEF_P_CANONICAL, FML_FIT_CHECKED},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    assert_int_equal(fml_primitive_fit(rows[i].from, rows[i].to), rows[i].fit);
}

static void test_lexical(void **state) {
  static const struct {
    enum def_primitive type;
    const char *good, *bad;
  } rows[] = {
      {DEF_P_BOOLEAN, "true", "TRUE"},
      {DEF_P_INTEGER, "-7", "7.0"},
      {DEF_P_INTEGER, "2147483647", "2147483648"},
      {DEF_P_INTEGER, "0", "1e2"},
      {DEF_P_POSITIVE_INT, "1", "0"},
      {DEF_P_UNSIGNED_INT, "0", "-1"},
      {DEF_P_DECIMAL, "0.50", "1,5"},
      {DEF_P_DATE, "2026-02-28", "2026-02-30"},
      {DEF_P_DATE, "2026", "2026-1"},
      {DEF_P_DATETIME, "2026-01-01T10:00:00Z", "2026-01-01T10:00:00"},
      {DEF_P_INSTANT, "2026-01-01T10:00:00.5+01:00", "2026-01-01"},
      {DEF_P_TIME, "23:59:59", "24:00:00"},
      {DEF_P_URI, "urn:x", "a b"},
      {DEF_P_CODE, "a b", "a  b"},
      {DEF_P_CODE, "a", " a"},
      {DEF_P_STRING, " x ", ""},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    assert_true(fml_lexical(rows[i].type, str_of(rows[i].good)));
    assert_false(fml_lexical(rows[i].type, str_of(rows[i].bad)));
  }
}

static void test_units(void **state) {
  static const char *const good[] = {"year",  "years",  "months",  "weeks",       "day",
                                     "hours", "minute", "seconds", "milliseconds"};
  static const char *const bad[] = {"", "s", "yearss", "min", "h"};
  (void)state;
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
    assert_true(fml_unit(str_of(good[i]), NULL));
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    assert_false(fml_unit(str_of(bad[i]), NULL));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_fit), cmocka_unit_test(test_lexical),
                                     cmocka_unit_test(test_units)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
