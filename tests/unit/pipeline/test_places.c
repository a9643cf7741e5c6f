/* Where the pack and the mappings are looked for: what is named wins, and what is missing is told with all
 * places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "pipeline/internal.h"

static void test_given(void **state) {
  struct arena *arena = arena_new(1 << 20);
  struct diag_list diags;
  struct str path;
  (void)state;
  diag_list_init(&diags, arena);
  assert_int_equal(pipeline_find_mappings(SOURCE_DIR "/mappings", arena, &diags, &path), STATUS_OK);
  assert_string_equal(path.ptr, SOURCE_DIR "/mappings");
  assert_int_equal(pipeline_find_pack("no/such.pack", arena, &diags, &path), STATUS_NOT_FOUND);
  assert_true(str_find(diags.first->message, STR("no/such.pack"), 0) != SIZE_MAX);
  arena_free(arena);
}

/* Who sets the variable means that place and no other. */
static void test_variable(void **state) {
  struct arena *arena = arena_new(1 << 20);
  struct diag_list diags;
  struct str path;
  (void)state;
  diag_list_init(&diags, arena);
  setenv("KETLINK_MAPPINGS", SOURCE_DIR "/fixtures", 1);
  assert_int_equal(pipeline_find_mappings(NULL, arena, &diags, &path), STATUS_OK);
  assert_string_equal(path.ptr, SOURCE_DIR "/fixtures");
  setenv("KETLINK_MAPPINGS", "/no/such/folder", 1);
  assert_int_equal(pipeline_find_mappings(NULL, arena, &diags, &path), STATUS_NOT_FOUND);
  assert_true(str_find(diags.first->message, STR("/no/such/folder"), 0) != SIZE_MAX);
  assert_true(str_find(diags.first->message, STR("/etc/ketlink"), 0) == SIZE_MAX);
  unsetenv("KETLINK_MAPPINGS");
  arena_free(arena);
}

static void test_all_places_are_named(void **state) {
  struct arena *arena = arena_new(1 << 20);
  struct diag_list diags;
  struct str path;
  (void)state;
  diag_list_init(&diags, arena);
  unsetenv("KETLINK_DEFINITIONS");
  setenv("XDG_CACHE_HOME", "/no/such/cache", 1);
  setenv("HOME", "/no/such/home", 1);
  if (pipeline_find_pack(NULL, arena, &diags, &path) == STATUS_OK)
    skip(); /* one is installed beside the tests */
  assert_true(str_find(diags.first->message, STR("/no/such/cache/ketlink/definitions.pack"), 0) != SIZE_MAX);
  assert_true(str_find(diags.first->message, STR("/no/such/home/.cache/ketlink/definitions.pack"), 0) !=
              SIZE_MAX);
  assert_true(str_find(diags.first->message, STR("definitions build"), 0) != SIZE_MAX);
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_given), cmocka_unit_test(test_variable),
                                     cmocka_unit_test(test_all_places_are_named)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
