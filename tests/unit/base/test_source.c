/* test_source.c - byte offset to line and column. */
#include "table.h"

/* The plain definition, byte by byte. */
static struct source_position locate_slowly(struct str text, size_t offset) {
  struct source_position p = {1, 1};
  for (size_t i = 0; i < offset && i < text.len; i++) {
    char c = text.ptr[i];
    bool ends = c == '\n' || (c == '\r' && !(i + 1 < text.len && text.ptr[i + 1] == '\n'));
    if (ends) {
      p = (struct source_position){p.line + 1, 1};
    } else {
      p.col += ((unsigned char)c & 0xC0) != 0x80;
    }
  }
  return p;
}

static void check(struct str text) {
  struct source source = source_make(STR("x"), text);
  struct source_cursor cursor = {0};
  for (size_t offset = 0; offset <= text.len + 2; offset++) {
    struct source_position expected = locate_slowly(text, offset);
    struct source_position got = source_locate(&source, offset);
    assert_int_equal(got.line, expected.line);
    assert_int_equal(got.col, expected.col);
    got = source_locate_next(&source, offset, &cursor);
    assert_int_equal(got.line, expected.line);
    assert_int_equal(got.col, expected.col);
  }
  struct source_position back = source_locate_next(&source, 0, &cursor);
  assert_int_equal(back.line, 1);
  assert_int_equal(back.col, 1);
}

static void test_line_ends(void **state) {
  (void)state;
  check(STR(""));
  check(STR("abc"));
  check(STR("a\nb\n"));
  check(STR("a\r\nb\r\n\r\nc"));
  check(STR("a\rb\r\rc"));
  check(STR("\n\r\n\r"));
  check(STR("é€😀\né\r\n😀x"));
}

/* All texts of six characters of this alphabet. */
static void test_all_short(void **state) {
  (void)state;
  static const char alphabet[] = {'a', '\n', '\r', (char)0xC3};
  for (unsigned n = 0; n < 4096; n++) {
    char text[6];
    for (size_t i = 0; i < 6; i++)
      text[i] = alphabet[n >> (2 * i) & 3];
    check(str_make(text, sizeof text));
  }
}

static void test_first_line(void **state) {
  (void)state;
  struct source source = source_make(STR("x.ndjson"), STR("abc"));
  source.first_line = 17;
  assert_int_equal(source_locate(&source, 2).line, 17);
  assert_int_equal(source_locate(&source, 2).col, 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_line_ends),
      cmocka_unit_test(test_all_short),
      cmocka_unit_test(test_first_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
