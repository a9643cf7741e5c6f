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

/* --- keys that are chosen to share a hash --- */

static uint64_t fold(uint64_t a, uint64_t b) {
  __extension__ typedef unsigned __int128 wide;
  wide product = (wide)a * b;
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Two words, the second of which takes out of str_hash's state what the first left there. */
static struct str colliding(struct arena *arena, uint64_t first) {
  uint64_t words[2] = {first, fold(0x9e3779b97f4a7c15u ^ sizeof words ^ first, 0xd6e8feb86659fd93u)};
  return arena_str(arena, str_make((const char *)words, sizeof words));
}

static size_t longest_run(const struct map *map) {
  size_t longest = 0, run = 0;
  for (size_t i = 0; i < map->slot_count; i++) {
    run = map->slots[i] ? run + 1 : 0;
    if (run > longest) longest = run;
  }
  return longest;
}

static void test_hostile_keys(void **state) {
  (void)state;
  enum { COUNT = 4000 };
  struct arena *arena = arena_new(64 << 20);
  struct map map;
  map_init(&map, arena);
  for (uint64_t i = 0; i < COUNT; i++) {
    struct str key = colliding(arena, i);
    assert_true(str_hash(key) == str_hash(colliding(arena, COUNT)));
    assert_int_equal(map_put(&map, key, arena), STATUS_OK);
  }
  assert_in_range(longest_run(&map), 1, COUNT / 10);
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
      cmocka_unit_test(test_hostile_keys),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_nearest),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
