/* test_buf.c - growable bytes with a cap. */
#include <stdlib.h>
#include "table.h"

static void test_grow(void **state) {
  (void)state;
  struct buf buf;
  buf_init(&buf, 1 << 20);
  for (int i = 0; i < 10000; i++)
    buf_printf(&buf, "%04d,", i);
  assert_int_equal(buf.error, STATUS_OK);
  assert_int_equal(buf.len, 50000);
  assert_memory_equal(buf.ptr + 49990, "9998,9999,", 10);
  buf_reset(&buf);
  assert_int_equal(buf.len, 0);
  buf_release(&buf);
  assert_null(buf.ptr);
}

/* At N-1 and N all is well, at N+1 the error stays until reset. */
static void test_cap(void **state) {
  (void)state;
  for (size_t max = 0; max < 600; max += 3) {
    struct buf buf;
    buf_init(&buf, max);
    for (size_t i = 0; i < max; i++)
      buf_add_char(&buf, 'x');
    assert_int_equal(buf.error, STATUS_OK);
    buf_add_char(&buf, 'x');
    assert_int_equal(buf.error, STATUS_LIMIT);
    assert_int_equal(buf.len, max);
    buf_add(&buf, NULL, 0);
    buf_reset(&buf);
    assert_int_equal(buf.error, STATUS_OK);
    buf_printf(&buf, "%*s", (int)max, "");
    assert_int_equal(buf.error, STATUS_OK);
    buf_reset(&buf);
    buf_printf(&buf, "%*s", (int)max + 1, "x");
    assert_int_equal(buf.error, STATUS_LIMIT);
    buf_release(&buf);
  }
}

/* Nothing grows, and printf's NUL does not come behind the end. */
static void test_over(void **state) {
  (void)state;
  for (size_t room = 1; room < 600; room += 7) {
    char *at = malloc(room); /* the sanitizers see its end */
    struct buf buf;
    buf_init_over(&buf, at, room);
    for (size_t i = 0; i + 1 < room; i++)
      buf_add_char(&buf, 'x');
    assert_int_equal(buf.error, STATUS_OK);
    buf_add_char(&buf, 'x');
    assert_int_equal(buf.error, STATUS_LIMIT);
    buf_reset(&buf);
    buf_printf(&buf, "%*s", (int)room - 1, "");
    assert_int_equal(buf.error, STATUS_OK);
    assert_int_equal(buf.len, room - 1);
    buf_reset(&buf);
    buf_printf(&buf, "%*s", (int)room, "x");
    assert_int_equal(buf.error, STATUS_LIMIT);
    assert_ptr_equal(buf.ptr, at);
    free(at);
  }
}

static void test_overflow(void **state) {
  (void)state;
  struct buf buf;
  buf_init(&buf, SIZE_MAX);
  buf_add_char(&buf, 'x');
  assert_false(buf_reserve(&buf, SIZE_MAX));
  assert_int_equal(buf.error, STATUS_LIMIT);
  buf_release(&buf);
}

static void test_take(void **state) {
  (void)state;
  struct arena *arena = arena_new(4096);
  struct buf buf;
  buf_init(&buf, 4);
  assert_int_equal(buf_take_str(&buf, arena).len, 0);
  assert_non_null(buf_take_str(&buf, arena).ptr);
  buf_add_text(&buf, "abcd");
  assert_true(str_is(buf_take_str(&buf, arena), "abcd"));
  arena_fail_at(arena, 1);
  assert_null(buf_take_str(&buf, arena).ptr);
  buf_add_text(&buf, "e");
  assert_null(buf_take_str(&buf, arena).ptr);
  buf_release(&buf);
  arena_free(arena);
}

/* The slow and plain way to the same text. */
static void escape_slowly(struct str s, struct buf *out) {
  buf_add_char(out, '"');
  for (size_t i = 0; i < s.len; i++) {
    unsigned char c = (unsigned char)s.ptr[i];
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *hit = c ? strchr(from, c) : NULL;
    if (hit) {
      buf_printf(out, "\\%c", to[hit - from]);
    } else if (c < 0x20) {
      buf_printf(out, "\\u%04x", c);
    } else {
      buf_add_char(out, (char)c);
    }
  }
  buf_add_char(out, '"');
}

/* Each special byte at each place of strings around the vector width. */
static void test_json(void **state) {
  (void)state;
  struct buf fast, slow;
  char text[70];
  buf_init(&fast, 4096);
  buf_init(&slow, 4096);
  for (size_t len = 0; len <= sizeof text; len++) {
    for (size_t at = 0; at < len; at++) {
      for (int c = 0; c < 256; c += c < 0x22 ? 1 : c == '[' ? 1 : c < 0x7e ? 3 : 1) {
        memset(text, 'a', sizeof text);
        text[at] = (char)c;
        buf_reset(&fast);
        buf_reset(&slow);
        buf_add_json(&fast, str_make(text, len));
        escape_slowly(str_make(text, len), &slow);
        assert_int_equal(fast.len, slow.len);
        assert_memory_equal(fast.ptr, slow.ptr, slow.len);
      }
    }
  }
  buf_release(&fast);
  buf_release(&slow);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_grow), cmocka_unit_test(test_cap),  cmocka_unit_test(test_overflow),
      cmocka_unit_test(test_take), cmocka_unit_test(test_json), cmocka_unit_test(test_over),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
