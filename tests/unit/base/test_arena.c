/* test_arena.c - the region allocator: alignment, zeroing, cap, rewind, failure. */
#include "table.h"

static bool all_zero(const unsigned char *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (bytes[i]) return false;
  }
  return true;
}

static void test_aligned_and_zero(void **state) {
  (void)state;
  struct arena *arena = arena_new(64 << 20);
  for (size_t round = 0; round < 3; round++) {
    for (size_t size = 0; size < 3000; size++) {
      unsigned char *bytes = arena_zalloc(arena, size);
      assert_non_null(bytes);
      assert_int_equal((uintptr_t)bytes % 16, 0);
      assert_true(all_zero(bytes, size));
      memset(bytes, 0xAA, size);
    }
    arena_reset(arena);
    assert_int_equal(arena_used(arena), 0);
    assert_true(arena_held(arena) <= (1 << 20) + 64);
  }
  arena_free(arena);
}

static void test_large_block(void **state) {
  (void)state;
  struct arena *arena = arena_new(64 << 20);
  char *large = arena_alloc(arena, 10 << 20);
  assert_non_null(large);
  memset(large, 1, 10 << 20);
  assert_non_null(arena_alloc(arena, 10));
  arena_reset(arena);
  assert_true(arena_held(arena) < 10 << 20);
  arena_free(arena);
  arena_free(NULL);
}

static void test_cap(void **state) {
  (void)state;
  for (size_t cap = 0; cap < 5000; cap += 7) {
    struct arena *arena = arena_new(cap);
    size_t got = 0;
    while (got < 10000 && arena_alloc(arena, 16))
      got += 16;
    assert_true(got <= cap && arena_held(arena) <= cap);
    if (cap >= 200) assert_true(got > 0);
    assert_null(arena_alloc(arena, cap));
    assert_true(arena_is_capped(arena));
    arena_reset(arena);
    assert_false(arena_is_capped(arena));
    arena_free(arena);
  }
  struct arena *arena = arena_new(1000);
  assert_null(arena_alloc(arena, SIZE_MAX));
  assert_null(arena_alloc(arena, SIZE_MAX - 15));
  assert_null(arena_calloc(arena, SIZE_MAX / 2, 3));
  assert_non_null(arena_alloc(arena, 100)); /* still usable */
  arena_free(arena);
}

/* What is given out after going back is zero, also where freed blocks are not wiped. */
static void check_rewind(struct arena *arena) {
  struct arena_mark empty = arena_mark(arena);
  struct str kept = arena_str(arena, STR("kept"));
  struct arena_mark mark = arena_mark(arena);
  size_t used = arena_used(arena);
  for (size_t round = 0; round < 20; round++) {
    for (size_t i = 0; i < 200; i++) {
      unsigned char *bytes = arena_zalloc(arena, 1000);
      assert_non_null(bytes);
      assert_true(all_zero(bytes, 1000));
      memset(bytes, 0xBB, 1000);
    }
    arena_rewind(arena, mark);
    assert_int_equal(arena_used(arena), used);
    assert_true(str_is(kept, "kept"));
  }
  arena_rewind(arena, empty);
  assert_int_equal(arena_used(arena), 0);
  assert_int_equal(arena_held(arena), 0);
  arena_free(arena);
}

static void test_rewind(void **state) {
  (void)state;
  check_rewind(arena_new(16 << 20));
  check_rewind(arena_new_plain(16 << 20));
}

static void test_shrink(void **state) {
  (void)state;
  struct arena *arena = arena_new(1 << 20);
  for (size_t kept = 0; kept <= 100; kept++) {
    struct arena_mark mark = arena_mark(arena);
    size_t before = arena_used(arena);
    unsigned char *first = arena_alloc(arena, 100);
    assert_non_null(first);
    memset(first, 0xCC, 100);
    arena_shrink(arena, first, 100, kept);
    unsigned char *second = arena_zalloc(arena, 50);
    assert_non_null(second);
    assert_true(second >= first + kept && all_zero(second, 50));
    for (size_t i = 0; i < kept; i++)
      assert_int_equal(first[i], 0xCC);
    arena_shrink(arena, first, kept, 0); /* no longer the newest: nothing happens */
    assert_true(arena_used(arena) >= before + kept + 50);
    arena_rewind(arena, mark);
  }
  arena_free(arena);
}

static void test_fail_at(void **state) {
  (void)state;
  struct arena *arena = arena_new(1 << 20);
  arena_fail_at(arena, 3);
  assert_non_null(arena_alloc(arena, 8));
  assert_non_null(arena_alloc(arena, 8));
  assert_null(arena_alloc(arena, 8));
  assert_non_null(arena_alloc(arena, 8));
  arena_fail_at(arena, 1);
  arena_fail_at(arena, 0);
  assert_non_null(arena_alloc(arena, 8));
  arena_free(arena);
}

static void test_text(void **state) {
  (void)state;
  struct arena *arena = arena_new(1 << 20);
  struct str text = arena_printf(arena, "%s %d %.*s", "a", 42, STR_ARG(STR("view")));
  assert_true(str_is(text, "a 42 view"));
  assert_int_equal(text.ptr[text.len], '\0');
  text = arena_concat(arena, text, STR("!"));
  assert_true(str_is(text, "a 42 view!"));
  assert_true(str_is(arena_join(arena, STR("Patient"), '/', STR("1")), "Patient/1"));
  assert_true(str_is(arena_join(arena, (struct str){0}, '?', (struct str){0}), "?"));
  for (int width = 254; width <= 257; width++) { /* formatted on the stack up to 255 */
    text = arena_printf(arena, "%*d|", width - 1, 7);
    assert_int_equal(text.len, width);
    assert_true(text.ptr[width - 2] == '7' && text.ptr[width - 1] == '|' && text.ptr[width] == '\0');
  }
  text = arena_str(arena, (struct str){0});
  assert_non_null(text.ptr);
  assert_int_equal(text.len, 0);
  arena_fail_at(arena, 1);
  assert_null(arena_printf(arena, "%d", 1).ptr);
  arena_fail_at(arena, 1);
  assert_null(arena_concat(arena, text, text).ptr);
  arena_fail_at(arena, 1);
  assert_null(arena_join(arena, text, '/', text).ptr);
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_aligned_and_zero),
      cmocka_unit_test(test_large_block),
      cmocka_unit_test(test_cap),
      cmocka_unit_test(test_rewind),
      cmocka_unit_test(test_fail_at),
      cmocka_unit_test(test_shrink),
      cmocka_unit_test(test_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
