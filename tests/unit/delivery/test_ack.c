/* test_ack.c - what an acknowledgement means, read from ack.tsv: phase, code, mode, another try or none -> verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "delivery/message.h"

static const char *const phases[] = {"before", "connect", "tls", "sending", "answer"};
static const char *const codes[] = {"none", "AA", "AE", "AR", "CA", "CE", "CR"};
static const char *const modes[] = {"original", "commit", "application"};
enum { PHASES = 5, CODES = 7, MODES = 3 };

static bool fits(const char *word, const char *given) {
  return strcmp(given, "any") == 0 || strcmp(word, given) == 0;
}

/* Each combination stands in one row. */
static void test_table(void **state) {
  (void)state;
  char line[256], phase[16], code[16], mode[16], again[16], verdict[16];
  bool seen[PHASES][CODES][MODES][2] = {0};
  FILE *file = fopen(SOURCE_DIR "/tests/unit/delivery/ack.tsv", "r");
  assert_non_null(file);
  while (fgets(line, sizeof line, file)) {
    if (line[0] == '#') continue;
    assert_int_equal(5, sscanf(line, "%15s %15s %15s %15s %15s", phase, code, mode, again, verdict));
    for (int p = 0; p < PHASES; p++)
      for (int c = 0; c < CODES; c++)
        for (int m = 0; m < MODES; m++)
          for (int last = 0; last < 2; last++) {
            if (!fits(phases[p], phase) || !fits(codes[c], code) || !fits(modes[m], mode) || !fits(last ? "last" : "more", again)) continue;
            assert_false(seen[p][c][m][last]);
            seen[p][c][m][last] = true;
            enum delivery_verdict got = delivery_ack_classify((enum delivery_phase)p, (enum delivery_ack)c,
                                                              (enum delivery_ack_mode)m, last != 0);
            assert_string_equal(delivery_verdict_name(got), verdict);
          }
  }
  fclose(file);
  for (size_t i = 0; i < sizeof seen; i++)
    assert_true(((const bool *)seen)[i]);
}

static void test_codes(void **state) {
  (void)state;
  enum delivery_ack ack;
  for (int c = 1; c < CODES; c++) {
    assert_true(delivery_ack_parse(str_of(codes[c]), &ack));
    assert_int_equal(ack, c);
    assert_string_equal(delivery_ack_name(ack), codes[c]);
  }
  assert_false(delivery_ack_parse(STR("none"), &ack));
  assert_false(delivery_ack_parse(STR("aa"), &ack));
  assert_false(delivery_ack_parse(STR(""), &ack));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_codes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
