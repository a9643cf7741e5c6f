/* test_str.c - views of bytes. */
#include "table.h"

static void test_compare(void **state) {
  (void)state;
  assert_true(str_eq(STR(""), (struct str){0}));
  assert_true(str_eq(STR("a"), STR("a")));
  assert_false(str_eq(STR("a"), STR("ab")));
  assert_int_equal(str_cmp(STR("a"), STR("b")), -1);
  assert_int_equal(str_cmp(STR("b"), STR("a")), 1);
  assert_int_equal(str_cmp(STR("a"), STR("ab")), -1);
  assert_int_equal(str_cmp(STR("\xff"), STR("a")), 1);
  assert_int_equal(str_cmp((struct str){0}, STR("")), 0);
  assert_true(str_starts(STR("http://x"), STR("http://")));
  assert_false(str_starts(STR("http"), STR("http://")));
  assert_true(str_ends(STR("a.json"), STR(".json")));
  assert_false(str_ends(STR("json"), STR(".json")));
  assert_true(str_ends(STR("x"), (struct str){0}));
}

static void test_search(void **state) {
  (void)state;
  struct str s = STR("abcabc");
  assert_int_equal(str_find(s, STR("bc"), 0), 1);
  assert_int_equal(str_find(s, STR("bc"), 2), 4);
  assert_true(str_find(s, STR("bc"), 5) == SIZE_MAX);
  assert_int_equal(str_find(s, STR(""), 6), 6);
  assert_true(str_find(s, STR(""), 7) == SIZE_MAX);
  assert_true(str_find(s, STR("abcabca"), 0) == SIZE_MAX);
  assert_int_equal(str_find_char(s, 'c', 3), 5);
  assert_true(str_find_char(s, 'c', 6) == SIZE_MAX);
  assert_true(str_find_char((struct str){0}, 'c', 0) == SIZE_MAX);
  assert_true(str_is(str_slice(s, 2, 4), "ca"));
  assert_true(str_is(str_slice(s, 4, 99), "bc"));
  assert_true(str_is(str_slice(s, 5, 2), ""));
  assert_true(str_is(str_trim(STR(" \t\r\nx y\n")), "x y"));
  assert_int_equal(str_trim(STR("  ")).len, 0);
}

static void test_int(void **state) {
  (void)state;
  int64_t value = -1;
  assert_true(str_to_int64(STR("0"), &value) && value == 0);
  assert_true(str_to_int64(STR("9223372036854775807"), &value) && value == INT64_MAX);
  assert_false(str_to_int64(STR("9223372036854775808"), &value));
  assert_false(str_to_int64(STR("99999999999999999999999"), &value));
  assert_false(str_to_int64(STR(""), &value));
  assert_false(str_to_int64(STR("-1"), &value));
  assert_false(str_to_int64(STR("1 "), &value));
}

/* The same on every run and machine; under a key another. */
static void test_hash(void **state) {
  (void)state;
  char text[64];
  memset(text, 'q', sizeof text);
  for (size_t len = 1; len < sizeof text; len++) {
    uint64_t hash = str_hash(str_make(text, len));
    assert_true(hash != str_hash(str_make(text, len - 1)));
    text[len - 1] = 'r';
    assert_true(hash != str_hash(str_make(text, len)));
    text[len - 1] = 'q';
  }
  assert_true(str_hash(STR("")) == 0x850f9794d5108b4u);
  assert_true(str_hash(STR("Patient")) == 0x2094332e62025641u);
  assert_true(str_hash(STR("http://hl7.org/fhir/StructureDefinition/Patient")) == 0x873cea5133f2bc8cu);
  assert_true(str_hash_keyed(STR("Patient"), 0) == str_hash(STR("Patient")));
  assert_true(str_hash_keyed(STR("Patient"), 1) != str_hash(STR("Patient")));
}

static void test_distance(void **state) {
  (void)state;
  assert_int_equal(str_distance(STR("kitten"), STR("sitting"), 5), 3);
  assert_int_equal(str_distance(STR("kitten"), STR("sitting"), 3), 3);
  assert_int_equal(str_distance(STR("kitten"), STR("sitting"), 2), 3);
  assert_int_equal(str_distance(STR(""), STR("abc"), 9), 3);
  assert_int_equal(str_distance(STR("abc"), STR("abc"), 0), 0);
  assert_int_equal(str_distance(STR("abc"), STR("abcdefgh"), 2), 3);
  char text[300];
  memset(text, 'x', sizeof text);
  assert_int_equal(str_distance(str_make(text, 300), str_make(text, 299), 3), 4);
  assert_int_equal(str_distance(str_make(text, 300), str_make(text, 300), 3), 0);
}

static void test_nearest(void **state) {
  (void)state;
  static const char *const known[] = {"", "map", "export", "expert", "keys", "validation"};
  static const struct {
    const char *word, *best;
  } rows[] = {
      {"exprot", "export"},     /* two edits */
      {"expeert", "expert"},    /* the nearest, not the first that is near */
      {"expxrt", "export"},     /* the first of those that are equally near */
      {"expert", "expert"},     {"vaaalidat1on", "validation"}, /* three edits */
      {"vaaaalidat1on", ""},    /* four */
      {"kays", "keys"},         {"kyes", ""}, /* half of it is wrong */
      {"foo", ""},              {"", ""},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct str_nearest nearest = {.word = str_of(rows[i].word)};
    for (size_t j = 0; j < sizeof known / sizeof known[0]; j++)
      str_nearest_offer(&nearest, str_of(known[j]));
    if (!str_is(nearest.best, rows[i].best)) fail_msg("%s: %.*s", rows[i].word, STR_ARG(nearest.best));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_compare), cmocka_unit_test(test_search),   cmocka_unit_test(test_int),
      cmocka_unit_test(test_hash),    cmocka_unit_test(test_distance),
      cmocka_unit_test(test_nearest),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
