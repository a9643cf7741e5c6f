/* test_simulate.c - which fault is whose turn, and what an EHR would answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "simulate/internal.h"

enum { MEMORY = 1 << 20 };

static void test_rules(void **state) {
  static const struct {
    const char *text;
    enum simulate_fault fault;
    uint32_t every, percent;
  } good[] = {
      {"late", SIMULATE_LATE, 1, 0},         {"none:2", SIMULATE_NONE, 2, 0},   {"cut:5%", SIMULATE_CUT, 0, 5},
      {"AE:3", SIMULATE_AE, 3, 0},           {"AR:100%", SIMULATE_AR, 0, 100},  {"wrong-id:1", SIMULATE_WRONG_ID, 1, 0},
      {"two:999999", SIMULATE_TWO, 999999, 0}, {"slow:1%", SIMULATE_SLOW, 0, 1}, {"garbage:1000000", SIMULATE_GARBAGE, 1000000, 0},
  };
  static const char *const bad[] = {"", "fine", "later", "ae", "AE:", "AE:0", "AE:-1", "AE:x", "AE:1000001", "AE:0%", "AE:101%", "AE:%", ":3"};
  struct simulate_rule rule;
  (void)state;
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    assert_true(simulate_rule_parse(str_of(good[i].text), &rule));
    assert_int_equal(rule.fault, good[i].fault);
    assert_int_equal(rule.every, good[i].every);
    assert_int_equal(rule.percent, good[i].percent);
  }
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    assert_false(simulate_rule_parse(str_of(bad[i]), &rule));
}

static void test_turns(void **state) {
  struct simulate_faults faults = {.rules = {{SIMULATE_AE, 3, 0}, {SIMULATE_TWO, 2, 0}}, .count = 2};
  static const enum simulate_fault expected[] = {SIMULATE_FINE, SIMULATE_TWO, SIMULATE_AE,
                                                 SIMULATE_TWO,  SIMULATE_FINE, SIMULATE_AE};
  (void)state;
  for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
    assert_int_equal(simulate_fault_next(&faults), expected[i]);
}

/* The same seed gives the same run; what is one in four comes about so often. */
static void test_chance(void **state) {
  struct simulate_faults one = {.rules = {{SIMULATE_NONE, 0, 25}}, .count = 1, .random = 7}, two = one;
  int found = 0;
  (void)state;
  for (int i = 0; i < 10000; i++) {
    enum simulate_fault fault = simulate_fault_next(&one);
    assert_int_equal(fault, simulate_fault_next(&two));
    found += fault == SIMULATE_NONE;
  }
  assert_in_range(found, 2300, 2700);
}

/* MSH-15 and MSH-16 of a message, a fault, and the codes that are answered. */
static void test_codes(void **state) {
  static const struct {
    const char *accept, *application;
    enum simulate_fault fault;
    const char *codes;
  } rows[] = {
      {"", "", SIMULATE_FINE, "AA"},       {"", "", SIMULATE_AE, "AE"},       {"", "", SIMULATE_AR, "AR"},
      {"AL", "", SIMULATE_FINE, "CA"},     {"AL", "NE", SIMULATE_FINE, "CA"}, {"AL", "NE", SIMULATE_AE, "CE"},
      {"AL", "NE", SIMULATE_AR, "CR"},     {"AL", "AL", SIMULATE_FINE, "CA AA"}, {"AL", "AL", SIMULATE_AE, "CA AE"},
      {"NE", "AL", SIMULATE_FINE, "AA"},   {"NE", "NE", SIMULATE_FINE, ""},   {"NE", "ER", SIMULATE_FINE, ""},
      {"NE", "ER", SIMULATE_AR, "AR"},     {"SU", "SU", SIMULATE_FINE, "CA AA"}, {"SU", "SU", SIMULATE_AE, ""},
      {"ER", "NE", SIMULATE_AE, "CE"},     {"ER", "NE", SIMULATE_FINE, ""},
  };
  struct arena *arena = arena_new(MEMORY);
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const char *codes[SIMULATE_ANSWERS_MAX];
    struct diag_list diags;
    struct hl7v2_message message;
    struct source source = source_make(STR("x"), arena_printf(arena, "MSH|^~\\&|A|B|C|D|20260101||ADT^A04|M1|P|2.5|||%s|%s\rEVN|A04\r",
                                                              rows[i].accept, rows[i].application));
    struct str got = STR("");
    diag_list_init(&diags, arena);
    assert_int_equal(hl7v2_scan(&source, NULL, arena, &diags, &message), STATUS_OK);
    size_t count = simulate_codes(&message, rows[i].fault, codes);
    for (size_t n = 0; n < count; n++)
      got = arena_printf(arena, "%.*s%s%s", STR_ARG(got), n ? " " : "", codes[n]);
    assert_string_equal(got.ptr, rows[i].codes);
  }
  arena_free(arena);
}

static void test_answer(void **state) {
  struct arena *arena = arena_new(MEMORY);
  struct diag_list diags;
  struct hl7v2_message message;
  struct source source = source_make(STR("x"), STR("MSH#*~\\&#A#B#C#D#20260101##ADT*A04#M1#T#2.5######8859/1\rEVN#A04\r"));
  struct buf out;
  (void)state;
  buf_init(&out, MEMORY);
  diag_list_init(&diags, arena);
  assert_int_equal(hl7v2_scan(&source, NULL, arena, &diags, &message), STATUS_OK);
  simulate_answer(&message, "AE", STR("M1"), 7, 1767225600000, &out);
  buf_add_char(&out, '\0');
  assert_string_equal(out.ptr, "MSH#*~\\&#C#D#A#B#20260101000000+0000##ACK*A04*ACK#SIM7#T#2.5######8859/1\rMSA#AE#M1\r");
  buf_release(&out);
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rules), cmocka_unit_test(test_turns),  cmocka_unit_test(test_chance),
      cmocka_unit_test(test_codes), cmocka_unit_test(test_answer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
