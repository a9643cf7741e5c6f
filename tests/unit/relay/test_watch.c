/* test_watch.c - when somebody is told of numbers: pure, by what is seen at one look after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "relay/watch.h"

/* Numbers that are seen, 0 ends them; beneath each: b begins, e ends, . nothing. */
static const struct {
  size_t seen[16];
  const char *edges;
} growths[] = {
    {{1, 10000, 7999, 7999, 8798, 8799}, ".be..b"}, /* a tenth more than the least */
    {{1, 1000, 1001}, "..b"},                   /* N-1, N, N+1 of many */
    {{5000, 5000, 5500, 5501}, "b..."},         /* it was long when the relay was started */
    {{1, 1005, 1005, 1005, 1006, 1010, 1005}, ".b....."}, /* a posted record now and then while nothing goes */
    {{1, 1005, 1001, 1000, 999, 1001, 999, 1001, 1099}, ".b..e...b"},
    {{1, 10000, 20000, 16001, 16000, 15999}, ".b...e"}, /* four fifths of the most */
    {{1, 10000, 7999, 6000, 6500, 6601, 6700}, ".be..b."}, /* a tenth more than at least since */
    {{1, 500, 20, 900}, "...."},
};

static void growth_is_told_once(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof growths / sizeof growths[0]; i++) {
    struct relay_growth growth = {0};
    for (size_t at = 0; growths[i].seen[at]; at++) {
      enum relay_edge edge = relay_growth_look(&growth, growths[i].seen[at]);
      print_message("case %zu: %zu\n", i, growths[i].seen[at]);
      assert_int_equal(edge == RELAY_BEGINS ? 'b' : edge == RELAY_ENDS ? 'e' : '.', growths[i].edges[at]);
    }
  }
}

/* The whole of a weekend: one alert, and one when it is over. */
static void a_weekend_is_two_alerts(void **state) {
  enum { LOOKS = 60 * 3600 / 5 };
  struct relay_growth growth = {0};
  size_t begins = 0, ends = 0;
  (void)state;
  for (size_t look = 0; look < LOOKS; look++)
    begins += relay_growth_look(&growth, look / 2) == RELAY_BEGINS;
  for (size_t open = LOOKS / 2; open > 0; open -= open < 50 ? open : 50)
    ends += relay_growth_look(&growth, open) == RELAY_ENDS;
  assert_int_equal(begins, 1);
  assert_int_equal(ends, 1);
}

static void what_is_parked_is_told(void **state) {
  static const struct {
    size_t parked;
    int64_t at;
    enum relay_edge edge;
  } looks[] = {{0, 0, RELAY_NO_EDGE},
               {2, 5, RELAY_BEGINS},
               {2, 10, RELAY_NO_EDGE},
               {3, 15, RELAY_NO_EDGE},
               {3, 5 + RELAY_PARKED_AGAIN_MS - 1, RELAY_NO_EDGE},
               {3, 5 + RELAY_PARKED_AGAIN_MS, RELAY_BEGINS},
               {1, 6 + RELAY_PARKED_AGAIN_MS, RELAY_NO_EDGE},
               {2, 7 + RELAY_PARKED_AGAIN_MS, RELAY_NO_EDGE},
               {2, 5 + 2 * (int64_t)RELAY_PARKED_AGAIN_MS, RELAY_BEGINS},
               {0, 6 + 2 * (int64_t)RELAY_PARKED_AGAIN_MS, RELAY_ENDS},
               {0, 7 + 2 * (int64_t)RELAY_PARKED_AGAIN_MS, RELAY_NO_EDGE},
               {1, 8 + 2 * (int64_t)RELAY_PARKED_AGAIN_MS, RELAY_BEGINS}};
  struct relay_aside aside = {0};
  (void)state;
  for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++)
    assert_int_equal(relay_aside_look(&aside, looks[i].parked, looks[i].at), looks[i].edge);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(growth_is_told_once),
      cmocka_unit_test(a_weekend_is_two_alerts),
      cmocka_unit_test(what_is_parked_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
