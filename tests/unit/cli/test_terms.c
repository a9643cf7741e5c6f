/* test_terms.c - the table of unknown words: counted together, sorted, capped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "cli/terms.h"

static void add(struct cli_terms *terms, const char *map, const char *element, const char *word, uint32_t line) {
  struct cli_term seen = {.concept_map = str_of(map),
                          .system = STR(""),
                          .element = str_of(element),
                          .word = str_of(word),
                          .file = STR("a\nb"),
                          .line = line};
  assert_int_equal(cli_terms_add(terms, &seen), STATUS_OK);
}

static void test_order(void **state) {
  struct arena *arena = arena_new(1 << 20);
  struct cli_terms terms;
  (void)state;
  cli_terms_begin(&terms, arena);
  add(&terms, "m2", "R.a", "x", 5);
  add(&terms, "m1", "R.a", "z", 6);
  add(&terms, "m1", "R.b", "y", 7);
  add(&terms, "m1", "R.a", "y", 8);
  add(&terms, "m1", "R.a", "z", 9);
  add(&terms, "m1", "R.ay", "", 10); /* no part runs into the next */
  const struct cli_term **sorted = cli_terms_sorted(&terms);
  static const char *const words[] = {"z", "y", "", "y", "x"};
  assert_int_equal(terms.index.count, 5);
  for (size_t i = 0; i < 5; i++)
    assert_true(str_is(sorted[i]->word, words[i]));
  assert_int_equal(sorted[0]->count, 2);
  assert_int_equal(sorted[0]->line, 6); /* the first */
  assert_int_equal(str_find_char(sorted[0]->file, '\n', 0), SIZE_MAX);
  arena_free(arena);
}

static void test_cap(void **state) {
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct cli_terms terms;
  char word[16];
  (void)state;
  cli_terms_begin(&terms, arena);
  for (int i = 0; i < CLI_TERMS_MAX + 1; i++) {
    assert_int_equal(terms.dropped, 0);
    snprintf(word, sizeof word, "%d", i);
    add(&terms, "m", "R.a", word, 1);
  }
  assert_int_equal(terms.index.count, CLI_TERMS_MAX);
  assert_int_equal(terms.dropped, 1);
  add(&terms, "m", "R.a", "7", 1); /* what is known is still counted */
  assert_int_equal(terms.dropped, 1);
  assert_int_equal(cli_terms_sorted(&terms)[0]->count, 2);
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_cap)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
