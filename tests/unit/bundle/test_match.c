/* The search that matches a resource, for friendly and hostile keys: match.tsv. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "bundle/internal.h"

static void test_table(void **state) {
  struct arena *arena = arena_new(1 << 20);
  struct str text = {0};
  size_t rows = 0;
  (void)state;
  assert_int_equal(host_system()->read_file(host_system()->context, SOURCE_DIR "/tests/unit/bundle/match.tsv",
                                            1 << 16, arena, &text),
                   STATUS_OK);
  for (size_t at = 0; at < text.len;) {
    size_t end = str_find_char(text, '\n', at);
    struct str line = str_slice(text, at, end);
    at = end == SIZE_MAX ? text.len : end + 1;
    if (line.len == 0 || line.ptr[0] == '#') continue;
    size_t tab = str_find_char(line, '\t', 0);
    struct str key = str_slice(line, 0, tab), want = str_slice(line, tab + 1, line.len);
    struct str got = bundle_match_query(bundle_match_system(true, STR("urn:x"), arena), key, arena);
    struct str whole = arena_concat(arena, STR("identifier=urn%3Ax%7C"), want);
    assert_string_equal(got.ptr, whole.ptr);
    rows++;
  }
  assert_true(rows > 10);
  arena_free(arena);
}

static void test_tag(void **state) {
  struct arena *arena = arena_new(1 << 16);
  (void)state;
  struct str got =
      bundle_match_query(bundle_match_system(false, STR("http://ketlink.dev/fhir/clinic/x/record"), arena), STR("S/1"), arena);
  assert_string_equal(got.ptr, "_tag=http%3A%2F%2Fketlink.dev%2Ffhir%2Fclinic%2Fx%2Frecord%7CS%2F1");
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_tag)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
