/* One document, or one record a line? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "intake/internal.h"

static const struct {
  const char *name, *text;
  bool lines;
} rows[] = {
    {"a.json", "{}", false},
    {"a.json", "{}\n", false},
    {"a.json", "{\n  \"a\": 1\n}\n", false},
    {"a.json", "  \n {}\n \n", false},
    {"a.json", "", false},
    {"a.json", "\n\n", false},
    {"a.ndjson", "{}", true},
    {"a.jsonl", "", true},
    {"-", "{}\n{}", true},
    {"-", "{}\r\n{}\r\n", true},
    {"-", "\n{}\n\n{}\n", true},
    {"-", "{\"a\":\"}\\\"\"}\n{}", true},
    {"-", "{\"a\":\"x\n{}", true},                                 /* the first line is cut off in a string */
    {"-", "{\"format\":\"x\",\"a\":[1\n{\"format\":\"x\"}", true}, /* cut off in a list */
    {"-", "{\"a\": [\n{}\n]}", false},
    {"-", "{\"a\":\n{}\n}", false},
    {"-", "{\n\"a\": 1}\n{}", false}, /* documents over several lines: refused by the reader */
    {"-", "{} {}", false},            /* two on one line: the same */
    {"-", "{} x\n{}", false},
    {"-", "[1,\n2]\n", false},
    {"-", "[]\n[]\n", true},
    {"-", "x\n{}", false},
    {"-", "\"a\"\n\"b\"", false},
    {"-", "{\"a\":\"\\", false},
};

static void test_rows(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    if (intake_is_lines(str_of(rows[i].name), str_of(rows[i].text)) != rows[i].lines)
      fail_msg("row %zu: %s", i, rows[i].text);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
