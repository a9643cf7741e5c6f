/* test_escape.c - escape sequences, there and back. */
#include "messages.h"

static const struct hl7v2_delims usual = {'|', '^', '~', '\\', '&', '#'}, no_truncation = {'|', '^', '~', '\\', '&', 0},
                                 no_escape = {'|', '^', '~', 0, 0, 0};

static void test_unescape(void **state) {
  static const struct {
    const char *run, *text;
  } rows[] = {
      {"plain", "plain"},
      {"\\F\\\\S\\\\T\\\\R\\\\E\\\\P\\", "|^&~\\#"},
      {"a\\.br\\b", "a\nb"},
      {"\\X41C3A9\\", "A\xC3\xA9"},
      {"\\X0D0A\\", "\r\n"},
      {"\\XC3\\", "\\XC3\\"},
      {"\\X00\\", "\\X00\\"},
      {"\\X4\\", "\\X4\\"},
      {"\\X\\", "\\X\\"},
      {"\\XZZ\\", "\\XZZ\\"},
      {"\\H\\loud\\N\\", "loud"},
      {"a\\.sp3\\b\\.sp\\c", "a\nb\nc"},
      {"a\\.br\\\\.in+4\\b\\.br\\\\.br\\c", "a\nb\n\nc"},
      {"a\\.ti2\\b\\.ce\\c\\.sk3\\d\\.fi\\e\\.nf\\f", "a\nb\nc def"},
      {"\\.brx\\\\.\\\\.spin\\", "\\.brx\\\\.\\\\.spin\\"},
      {"\\H\\\\N\\", "\\H\\\\N\\"}, /* nothing is no text */
      {"a\\C2842\\b", "ab"},
      {"\\M2442\\;3ED\\C2842\\ B", "\xE5\xB1\xB1\xE7\x94\xB0 B"}, /* 山田 */
      {"\\M242842\\;3\\C284A\\", "\xE5\xB1\xB1"},
      {"\\M2442\\;3\\.br\\ED\\F\\;3\\C2842\\ED", "\xE5\xB1\xB1\n\xE7\x94\xB0|\xE5\xB1\xB1" "ED"}, /* up to the next switch */
      {"\\M2442\\;3\\.br\\plain", "\xE5\xB1\xB1\nplain"}, /* what is not of it stands as it was written */
      {"\\M2442\\;3E\\F\\", "\\M2442\\;3E|"}, /* half a character */
      {"\\M2442\\\xC3\xA9", "\\M2442\\\xC3\xA9"},
      {"\\C2D41\\", "\\C2D41\\"},
      {"\\C28\\\\M2842A1\\\\CZZZZ\\", "\\C28\\\\M2842A1\\\\CZZZZ\\"},
      {"\\Z99\\", "\\Z99\\"},
      {"C:\\", "C:\\"},
      {"\\\\", "\\\\"},
      {"\\E\\H\\E\\", "\\H\\"},
      {"\\f\\", "\\f\\"},
  };
  struct bench b;
  (void)state;
  bench_open(&b);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    assert_str(hl7v2_unescape(str_of(rows[i].run), &usual, b.arena), str_of(rows[i].text));
  assert_str(hl7v2_unescape(STR("\\P\\"), &no_truncation, b.arena), STR("\\P\\"));
  assert_str(hl7v2_unescape(STR("a\\F\\"), &no_escape, b.arena), STR("a\\F\\"));
  bench_close(&b);
}

static void test_escape(void **state) {
  struct buf out;
  (void)state;
  buf_init(&out, 100);
  assert_true(hl7v2_escape(STR("a|^&~\\#\r\n\xC3\xA9"), &usual, &out));
  assert_str(buf_str(&out), STR("a\\F\\\\S\\\\T\\\\R\\\\E\\\\P\\\\X0D\\\\.br\\\xC3\xA9"));
  buf_reset(&out);
  assert_true(hl7v2_escape(STR("a#"), &no_truncation, &out));
  assert_str(buf_str(&out), STR("a#"));
  buf_reset(&out);
  assert_true(hl7v2_escape(STR("a&\\#"), &no_escape, &out));
  assert_false(hl7v2_escape(STR("a|"), &no_escape, &out));
  /* a text is no deletion */
  buf_reset(&out);
  assert_true(hl7v2_escape(STR("\"\""), &usual, &out));
  assert_str(buf_str(&out), STR("\\X2222\\"));
  assert_false(hl7v2_escape(STR("\"\""), &no_escape, &out));
  buf_reset(&out);
  assert_true(hl7v2_escape(STR("\"\"\""), &usual, &out));
  assert_str(buf_str(&out), STR("\"\"\""));
  buf_release(&out);
}

/* Every text comes back, whatever is in it. */
static void test_there_and_back(void **state) {
  static const char signs[] = "|^~\\&#AFX.br41\r\n\"";
  uint32_t seed = 7;
  struct bench b;
  struct buf out;
  (void)state;
  bench_open(&b);
  buf_init(&out, 4096);
  for (int round = 0; round < 20000; round++) {
    char text[24];
    size_t len = 0;
    seed = seed * 1664525 + 1013904223;
    for (size_t count = seed >> 28; len < count; len++) {
      seed = seed * 1664525 + 1013904223;
      text[len] = signs[(seed >> 16) % (sizeof signs - 1)];
    }
    buf_reset(&out);
    struct arena_mark mark = arena_mark(b.arena);
    assert_true(hl7v2_escape(str_make(text, len), &usual, &out));
    assert_str(hl7v2_unescape(buf_str(&out), &usual, b.arena), str_make(text, len));
    arena_rewind(b.arena, mark);
  }
  buf_release(&out);
  bench_close(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_unescape), cmocka_unit_test(test_escape), cmocka_unit_test(test_there_and_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
