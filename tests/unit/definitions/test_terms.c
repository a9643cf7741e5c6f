/* test_terms.c - value sets expand against the code systems at hand; what is not known is not denied. */
#include <stdio.h>
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

/* --- filters, against a system that is read with the sets, and against one that stands in a layer below ---
 */

static const char properties[] =
    "{\"resourceType\":\"CodeSystem\",\"url\":\"http://f/cs\",\"version\":\"2\",\"content\":\"%s\","
    "\"property\":[{\"code\":\"colour\",\"type\":\"string\"},{\"code\":\"above\",\"uri\":"
    "\"http://hl7.org/fhir/"
    "concept-properties#parent\",\"type\":\"code\"},{\"code\":\"unused\",\"type\":\"string\"}],"
    "\"concept\":[{\"code\":\"a\",\"display\":\"Alpha\",\"property\":[{\"code\":\"colour\",\"valueString\":"
    "\"red\"},"
    "{\"code\":\"child\",\"valueCode\":\"d\"}]},"
    "{\"code\":\"b\",\"display\":\"Beta\",\"property\":[{\"code\":\"colour\",\"valueString\":\"blue\"},"
    "{\"code\":\"above\",\"valueCode\":\"a\"},{\"code\":\"old\",\"valueBoolean\":true}]},"
    "{\"code\":\"c1\",\"display\":\"Gamma\",\"property\":[{\"code\":\"above\",\"valueCode\":\"b\"},"
    "{\"code\":\"above\",\"valueCode\":\"c1\"}]},"
    "{\"code\":\"d\",\"property\":[{\"code\":\"colour\",\"valueCoding\":{\"code\":\"red\"}}]}]}";

static enum status lay(struct small *small, const char *text) {
  struct tree_node *root = NULL;
  struct source source = source_make(STR("over.json"), str_of(text));
  assert_int_equal(tree_read_json(&source, NULL, small->arena, &small->diags, &root), STATUS_OK);
  return definitions_overlay(small->definitions, &root, 1, &small->diags);
}

/* A filter, the members among a b c1 d, and whether that is all there is to say. */
static const struct {
  const char *property, *op, *value, *members;
  bool complete;
} filters[] = {
    {"concept", "is-a", "a", "abcd", true},    {"concept", "descendent-of", "a", "bcd", true},
    {"concept", "is-not-a", "b", "ad", true},  {"concept", "generalizes", "c1", "abc", true},
    {"concept", "is-a", "zz", "", false},      {"code", "regex", "[a-b]", "ab", true},
    {"code", "regex", "a|c.", "ac", true},     {"code", "regex", "(", "", false},
    {"code", "regex", "(x+x+)+y", "", true},   {"code", "=", "b", "b", true},
    {"code", "in", "a, d", "ad", true},        {"code", "not-in", "a,d", "bc", true},
    {"display", "=", "Beta", "b", true},       {"display", "regex", ".*a", "abc", true},
    {"display", "exists", "false", "d", true}, {"parent", "=", "a", "bd", true},
    {"child", "=", "c1", "bc", true},          {"colour", "=", "red", "ad", true},
    {"colour", "in", "red,blue", "abd", true}, {"colour", "not-in", "red", "bc", true},
    {"colour", "exists", "true", "abd", true}, {"colour", "exists", "false", "c", true},
    {"colour", "regex", "b.*", "b", true},     {"unused", "exists", "false", "abcd", true},
    {"unheard", "=", "x", "", false},          {"unheard", "exists", "false", "", false},
    {"colour", "child-of", "x", "", false},    {"old", "=", "false", "", false},
};

static void check_filters(struct small *small, bool complete) {
  static const char *const codes[] = {"a", "b", "c1", "d"};
  for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
    bool frozen_only = strcmp(filters[i].property, "unused") == 0;
    struct str text = arena_printf(small->arena,
                                   "{\"resourceType\":\"ValueSet\",\"url\":\"http://f/"
                                   "vs%zu\",\"compose\":{\"include\":[{\"system\":\"http://f/cs\","
                                   "\"filter\":[{\"property\":\"%s\",\"op\":\"%s\",\"value\":\"%s\"}]}]}}",
                                   i, filters[i].property, filters[i].op, filters[i].value);
    assert_int_equal(lay(small, text.ptr), STATUS_OK);
    struct str url = arena_printf(small->arena, "http://f/vs%zu", i);
    const struct def_value_set *set = definitions_value_set(small->definitions, url);
    if (frozen_only) continue; /* what is declared and not used is forgotten: unknown, not wrong */
    if (def_value_set_complete(set) != (filters[i].complete && complete)) print_message("row %zu\n", i);
    assert_int_equal(def_value_set_complete(set), filters[i].complete && complete);
    for (size_t k = 0; k < 4; k++) {
      bool member = strchr(filters[i].members, codes[k][0]) != NULL;
      enum def_membership otherwise = filters[i].complete && complete ? DEF_NOT_MEMBER : DEF_MEMBER_UNKNOWN;
      enum def_membership got = def_value_set_has(set, STR("http://f/cs"), str_of(codes[k]), NULL);
      if (got != (member ? DEF_MEMBER : otherwise)) print_message("row %zu code %s\n", i, codes[k]);
      assert_int_equal(got, member ? DEF_MEMBER : otherwise);
    }
  }
}

static void test_filters(void **state) {
  struct small *small = *state;
  char text[4096];
  snprintf(text, sizeof text, properties, "complete");
  assert_int_equal(lay(small, text), STATUS_OK);
  check_filters(small, true);
}

static void test_fragment(void **state) {
  struct small *small = *state;
  char text[4096];
  snprintf(text, sizeof text, properties, "fragment");
  assert_int_equal(lay(small, text), STATUS_OK);
  check_filters(small, false);
}

/* Read together: the system, a set by a property that is declared only, one by another version, exclusions.
 */
static void test_composed(void **state) {
  struct small *small = *state;
  char system[4096];
  snprintf(system, sizeof system, properties, "complete");
  struct str text = arena_printf(
      small->arena,
      "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":%s},"
      "{\"resource\":{\"resourceType\":\"CodeSystem\",\"url\":\"http://f/"
      "cs-more\",\"content\":\"supplement\","
      "\"supplements\":\"http://f/cs\",\"concept\":[{\"code\":\"z\"}]}},"
      "{\"resource\":{\"resourceType\":\"ValueSet\",\"url\":\"http://f/"
      "unused\",\"compose\":{\"include\":[{\"system\":"
      "\"http://f/cs\",\"filter\":[{\"property\":\"unused\",\"op\":\"exists\",\"value\":\"false\"}]}]}}},"
      "{\"resource\":{\"resourceType\":\"ValueSet\",\"url\":\"http://f/"
      "version\",\"compose\":{\"include\":[{\"system\":"
      "\"http://f/cs\",\"version\":\"1\"}]}}},"
      "{\"resource\":{\"resourceType\":\"ValueSet\",\"url\":\"http://f/"
      "less\",\"compose\":{\"include\":[{\"system\":"
      "\"http://f/cs\"}],\"exclude\":[{\"valueSet\":[\"http://f/nowhere\"]}]}}},"
      "{\"resource\":{\"resourceType\":\"ValueSet\",\"url\":\"http://f/"
      "given\",\"compose\":{\"include\":[{\"system\":"
      "\"http://f/unseen\",\"filter\":[{\"property\":\"concept\",\"op\":\"is-a\",\"value\":\"1\"}]}]},"
      "\"expansion\":{\"contains\":[{\"system\":\"http://f/unseen\",\"code\":\"e\"}]}}},"
      "{\"resource\":{\"resourceType\":\"ValueSet\",\"url\":\"http://f/"
      "page\",\"compose\":{\"include\":[{\"system\":"
      "\"http://f/unseen\",\"filter\":[{\"property\":\"concept\",\"op\":\"is-a\",\"value\":\"1\"}]}]},"
      "\"expansion\":{\"total\":7,\"contains\":[{\"system\":\"http://f/unseen\",\"code\":\"e\"}]}}},"
      "{\"resource\":{\"resourceType\":\"ValueSet\",\"url\":\"http://f/"
      "both\",\"compose\":{\"include\":[{\"system\":"
      "\"http://f/cs\",\"concept\":[{\"code\":\"a\"}]}]},"
      "\"expansion\":{\"contains\":[{\"system\":\"http://f/cs\",\"code\":\"b\"}]}}}]}",
      system);
  static const struct {
    const char *set, *system, *code;
    enum def_membership answer;
  } rows[] = {
      {"unused", "cs", "a", DEF_MEMBER},
      {"version", "cs", "a", DEF_MEMBER},
      {"version", "cs", "z", DEF_MEMBER_UNKNOWN}, /* another version may have it */
      {"less", "cs", "a", DEF_MEMBER_UNKNOWN},    /* it may be excluded */
      {"less", "other", "a", DEF_NOT_MEMBER},
      {"given", "unseen", "e", DEF_MEMBER}, /* the expansion, since it cannot be composed */
      {"given", "unseen", "f", DEF_NOT_MEMBER},
      {"page", "unseen", "e", DEF_MEMBER}, /* one page of it */
      {"page", "unseen", "f", DEF_MEMBER_UNKNOWN},
      {"both", "cs", "a", DEF_MEMBER},
      {"both", "cs", "b", DEF_NOT_MEMBER}, /* composed: the expansion is not looked at */
  };
  assert_int_equal(lay(small, text.ptr), STATUS_OK);
  assert_null(definitions_code_system(small->definitions, STR("http://f/cs-more")));
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct str url = arena_printf(small->arena, "http://f/%s", rows[i].set);
    struct str of = arena_printf(small->arena, "http://f/%s", rows[i].system);
    const struct def_value_set *set = definitions_value_set(small->definitions, url);
    enum def_membership got = def_value_set_has(set, of, str_of(rows[i].code), NULL);
    if (got != rows[i].answer) print_message("%s %s\n", rows[i].set, rows[i].code);
    assert_int_equal(got, rows[i].answer);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_membership),
      cmocka_unit_test(test_displays),
      cmocka_unit_test(test_sets),
      cmocka_unit_test(test_systems),
      cmocka_unit_test_setup_teardown(test_filters, small_open, small_close),
      cmocka_unit_test_setup_teardown(test_fragment, small_open, small_close),
      cmocka_unit_test_setup_teardown(test_composed, small_open, small_close),
  };
  return cmocka_run_group_tests(tests, small_open, small_close);
}
