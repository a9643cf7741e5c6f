/* test_classify.c - the verdict table, read from classify.tsv: phase, status, body, safe -> verdict. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "delivery/delivery.h"

static const char *const phases[] = {"before", "connect", "tls", "sending", "answer"};
static const char *const bodies[] = {"empty", "fhir", "other", "truncated"};

static int index_of(const char *const *words, size_t count, const char *word) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(words[i], word) == 0) return (int)i;
  fail_msg("unknown word %s", word);
  return 0;
}

static void test_table(void **state) {
  (void)state;
  char line[256], phase[16], body[16], safe[16], verdict[16];
  long from = 0, to = 0;
  size_t cases = 0;
  FILE *file = fopen(SOURCE_DIR "/tests/unit/delivery/classify.tsv", "r");
  assert_non_null(file);
  while (fgets(line, sizeof line, file)) {
    if (line[0] == '#' || line[0] == '\n') continue;
    assert_int_equal(6, sscanf(line, "%15s %ld-%ld %15s %15s %15s", phase, &from, &to, body, safe, verdict));
    for (long status = from; status <= to; status++, cases++) {
      enum delivery_verdict got =
          delivery_classify((enum delivery_phase)index_of(phases, 5, phase), status,
                            (enum delivery_body)index_of(bodies, 4, body), strcmp(safe, "safe") == 0);
      if (strcmp(delivery_verdict_name(got), verdict) != 0)
        fail_msg("%s %ld %s %s: %s, expected %s", phase, status, body, safe, delivery_verdict_name(got),
                 verdict);
    }
  }
  fclose(file);
  assert_true(cases > 500);
}

/* Whatever the server says, only a complete FHIR or empty answer of class 2xx is success. */
static void test_only_2xx_is_done(void **state) {
  (void)state;
  for (int phase = DELIVERY_BEFORE_CONNECT; phase <= DELIVERY_ANSWER; phase++)
    for (long status = 0; status <= 1100; status++)
      for (int body = DELIVERY_BODY_EMPTY; body <= DELIVERY_BODY_TRUNCATED; body++)
        for (int safe = 0; safe <= 1; safe++) {
          bool success =
              phase == DELIVERY_ANSWER && status >= 200 && status < 300 && body <= DELIVERY_BODY_FHIR;
          enum delivery_verdict got =
              delivery_classify((enum delivery_phase)phase, status, (enum delivery_body)body, safe != 0);
          assert_int_equal(success, got == DELIVERY_DONE);
        }
}

/* The server may still be at work when the connection was lost, or when something before it gave up waiting. */
static void test_may_be_at_work(void **state) {
  (void)state;
  static const struct {
    struct delivery_answer answer;
    bool expected;
  } cases[] = {
      {{.phase = DELIVERY_CONNECT}, false},
      {{.phase = DELIVERY_TLS}, false},
      {{.phase = DELIVERY_SENDING}, true},
      {{.phase = DELIVERY_ANSWER, .status = 200, .complete = true}, false},
      {{.phase = DELIVERY_ANSWER, .status = 200}, true},
      {{.phase = DELIVERY_ANSWER, .status = 408, .complete = true}, true},
      {{.phase = DELIVERY_ANSWER, .status = 500, .complete = true}, false},
      {{.phase = DELIVERY_ANSWER, .status = 502, .complete = true}, true},
      {{.phase = DELIVERY_ANSWER, .status = 503, .complete = true}, true},
      {{.phase = DELIVERY_ANSWER, .status = 504, .complete = true}, true},
      {{.phase = DELIVERY_ANSWER, .status = 429, .complete = true}, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_int_equal(delivery_may_be_at_work(&cases[i].answer), cases[i].expected);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_only_2xx_is_done),
                                     cmocka_unit_test(test_may_be_at_work)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
