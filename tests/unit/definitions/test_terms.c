/* test_terms.c - value sets expand against the code systems at hand; what is not known is not denied. */
#include "small.h"

#define SET EXAMPLE "ValueSet/"
#define SYSTEM EXAMPLE "CodeSystem/"

static enum def_membership has(const struct small *small, const char *set, const char *system,
                               const char *code) {
  struct str url = arena_printf(small->arena, SET "%s", set);
  const struct def_value_set *found = definitions_value_set(small->definitions, url);
  if (!found) print_message("no value set %s\n", set);
  assert_non_null(found);
  return def_value_set_has(found, str_of(system), str_of(code), NULL);
}

/* One row: a set, a system, a code, the answer. */
static void test_membership(void **state) {
  static const struct {
    const char *set, *system, *code;
    enum def_membership answer;
  } rows[] = {
      {"status", SYSTEM "status", "on", DEF_MEMBER},
      {"status", "", "on", DEF_MEMBER},
      {"status", SYSTEM "status", "ON", DEF_NOT_MEMBER},
      {"status", SYSTEM "tree", "on", DEF_NOT_MEMBER},
      {"status", "", "", DEF_NOT_MEMBER},
      {"listed", SYSTEM "status", "on", DEF_MEMBER},
      {"listed", SYSTEM "status", "off", DEF_NOT_MEMBER},
      {"listed", "http://example.org/unseen", "u1", DEF_MEMBER},
      {"listed", "http://example.org/unseen", "u2", DEF_NOT_MEMBER},
      {"animals", SYSTEM "tree", "animal", DEF_MEMBER},
      {"animals", SYSTEM "tree", "poodle", DEF_MEMBER},
      {"animals", SYSTEM "tree", "mule", DEF_MEMBER}, /* by its property */
      {"animals", SYSTEM "tree", "tree", DEF_NOT_MEMBER},
      {"below-animal", SYSTEM "tree", "animal", DEF_NOT_MEMBER},
      {"below-animal", SYSTEM "tree", "dog", DEF_MEMBER},
      {"not-animals", SYSTEM "tree", "plant", DEF_MEMBER},
      {"not-animals", SYSTEM "tree", "cat", DEF_NOT_MEMBER},
      {"no-cats", SYSTEM "tree", "dog", DEF_MEMBER},
      {"no-cats", SYSTEM "tree", "cat", DEF_NOT_MEMBER},
      {"whole-but", SYSTEM "tree", "plant", DEF_MEMBER},
      {"whole-but", SYSTEM "tree", "mule", DEF_NOT_MEMBER},
      {"both", SYSTEM "tree", "dog", DEF_MEMBER},
      {"both", SYSTEM "tree", "animal", DEF_NOT_MEMBER},
      {"unseen", "http://example.org/unseen", "1", DEF_MEMBER_UNKNOWN},
      {"unseen", SYSTEM "status", "on", DEF_NOT_MEMBER},
      {"unseen-filter", "http://example.org/unseen", "1", DEF_MEMBER_UNKNOWN},
      {"unseen-filter", SYSTEM "status", "on", DEF_MEMBER},
      {"unseen-filter", SYSTEM "status", "none", DEF_NOT_MEMBER},
      {"imports-absent", SYSTEM "status", "on", DEF_MEMBER},
      {"imports-absent", SYSTEM "tree", "dog", DEF_MEMBER_UNKNOWN},
      {"fragment", SYSTEM "part-of-it", "x", DEF_MEMBER},
      {"fragment", SYSTEM "part-of-it", "y", DEF_MEMBER_UNKNOWN},
      {"loose", SYSTEM "loose", "aB", DEF_MEMBER}, /* not case-sensitive */
      {"loose", SYSTEM "loose", "ac", DEF_NOT_MEMBER},
      {"circle-a", SYSTEM "status", "on", DEF_MEMBER},
      {"circle-b", SYSTEM "status", "off", DEF_MEMBER},
      {"expanded", "http://example.org/unseen", "e2", DEF_MEMBER},
      {"expanded", "http://example.org/unseen", "e3", DEF_NOT_MEMBER},
      {"visit-kind", "", "next", DEF_MEMBER},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    enum def_membership answer = has(*state, rows[i].set, rows[i].system, rows[i].code);
    if (answer != rows[i].answer) print_message("%s: %s|%s\n", rows[i].set, rows[i].system, rows[i].code);
    assert_int_equal(answer, rows[i].answer);
  }
}

static void test_displays(void **state) {
  const struct small *small = *state;
  struct str display;
  const struct def_value_set *set = definitions_value_set(small->definitions, STR(SET "listed"));
  assert_int_equal(def_value_set_has(set, (struct str){0}, STR("on"), &display), DEF_MEMBER);
  assert_text(display, "On"); /* from the code system */
  assert_int_equal(def_value_set_has(set, (struct str){0}, STR("u1"), &display), DEF_MEMBER);
  assert_text(display, "One");
  assert_int_equal(def_value_set_has(set, (struct str){0}, STR("off"), &display), DEF_NOT_MEMBER);
  assert_int_equal(display.len, 0);
}

static void test_sets(void **state) {
  const struct small *small = *state;
  const struct def_value_set *whole = definitions_value_set(small->definitions, STR(SET "status|7"));
  const struct def_value_set *listed = definitions_value_set(small->definitions, STR(SET "listed"));
  const struct def_value_set *unseen = definitions_value_set(small->definitions, STR(SET "unseen"));
  struct str code;
  assert_text(def_value_set_url(whole), SET "status");
  assert_text(def_value_set_version(whole), "1.0.0");
  assert_int_equal(def_value_set_size(whole), 2);
  assert_int_equal(def_value_set_size(listed), 2);
  assert_true(def_value_set_complete(whole));
  assert_true(def_value_set_complete(listed));
  assert_false(def_value_set_complete(unseen));
  assert_text(def_value_set_nearest(whole, STR("onn")), "on");
  assert_int_equal(def_value_set_nearest(whole, STR("elephant")).len, 0);
  assert_int_equal(def_value_set_system_count(whole), 1);
  struct def_set_system part = def_value_set_system(whole, 0);
  assert_true(part.whole);
  assert_int_equal(part.codes, 0);
  assert_ptr_equal(part.system, definitions_code_system(small->definitions, STR(SYSTEM "status")));
  assert_false(def_value_set_code(whole, 0, 0, &code, NULL));
  assert_false(def_value_set_code(whole, 1, 0, &code, NULL));
  assert_null(definitions_value_set(small->definitions, STR(SET "nowhere")));
}

static void test_systems(void **state) {
  const struct small *small = *state;
  struct str display = {0}, code;
  const struct def_code_system *tree = definitions_code_system(small->definitions, STR(SYSTEM "tree"));
  const struct def_code_system *loose = definitions_code_system(small->definitions, STR(SYSTEM "loose"));
  size_t seen = 0;
  assert_true(def_code_system_complete(tree));
  assert_false(
      def_code_system_complete(definitions_code_system(small->definitions, STR(SYSTEM "part-of-it"))));
  assert_true(def_code_system_has(tree, STR("cat"), &display));
  assert_text(display, "A cat");
  assert_false(def_code_system_has(tree, STR("fish"), &display));
  assert_true(def_code_system_folds_case(loose));
  assert_true(def_code_system_has(loose, STR("AB"), &display));
  assert_text(display, "Upper A");
  assert_int_equal(def_code_system_size(tree), 7);
  while (def_code_system_at(tree, seen, &code, &display))
    seen++;
  assert_int_equal(seen, 7);
  assert_null(definitions_code_system(small->definitions, STR("http://snomed.info/sct")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_membership),
      cmocka_unit_test(test_displays),
      cmocka_unit_test(test_sets),
      cmocka_unit_test(test_systems),
  };
  return cmocka_run_group_tests(tests, small_open, small_close);
}
