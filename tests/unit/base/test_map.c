/* test_map.c - string to pointer. */
#include "table.h"

static void test_many(void **state) {
  (void)state;
  enum { COUNT = 5000 };
  struct arena *arena = arena_new(64 << 20);
  struct map map;
  static int values[COUNT];
  map_init(&map, arena);
  assert_null(map_get(&map, STR("k0")));
  for (int i = 0; i < COUNT; i++)
    assert_int_equal(map_put(&map, arena_printf(arena, "k%d", i), &values[i]), STATUS_OK);
  assert_int_equal(map.count, COUNT);
  for (int i = 0; i < COUNT; i++) {
    struct str key = arena_printf(arena, "k%d", i);
    assert_ptr_equal(map_get(&map, key), &values[i]);
    assert_true(str_eq(map.entries[i].key, key)); /* insertion order */
    assert_int_equal(map_put(&map, key, arena), STATUS_CONFLICT);
    assert_ptr_equal(map_get(&map, key), &values[i]);
  }
  assert_null(map_get(&map, STR("k5000")));
  assert_null(map_get(&map, STR("")));
  arena_free(arena);
}

static void test_no_memory(void **state) {
  (void)state;
  for (unsigned long n = 1; n <= 2; n++) {
    struct arena *arena = arena_new(1 << 20);
    struct map map;
    map_init(&map, arena);
    arena_fail_at(arena, n);
    assert_int_equal(map_put(&map, STR("a"), arena), STATUS_NOMEM);
    assert_null(map_get(&map, STR("a")));
    assert_int_equal(map_put(&map, STR("a"), arena), STATUS_OK);
    assert_ptr_equal(map_get(&map, STR("a")), arena);
    arena_free(arena);
  }
}

static void test_nearest(void **state) {
  (void)state;
  struct arena *arena = arena_new(1 << 20);
  struct map map;
  map_init(&map, arena);
  assert_int_equal(map_put(&map, STR("birthDate"), arena), STATUS_OK);
  assert_int_equal(map_put(&map, STR("gender"), arena), STATUS_OK);
  assert_int_equal(map_put(&map, STR("id"), arena), STATUS_OK);
  assert_true(str_is(map_nearest(&map, STR("birthdate")), "birthDate"));
  assert_true(str_is(map_nearest(&map, STR("gendre")), "gender"));
  assert_int_equal(map_nearest(&map, STR("telecom")).len, 0);
  assert_int_equal(map_nearest(&map, STR("ix")).len, 0); /* half of it is wrong */
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_many),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_nearest),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
