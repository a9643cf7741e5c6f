/* test_utf8.c - strict UTF-8. */
#include "table.h"

static void test_every_code_point(void **state) {
  (void)state;
  for (uint32_t c = 0; c <= 0x10FFFF; c++) {
    char bytes[4];
    size_t len = utf8_encode(c, bytes), at = 0;
    struct str s = str_make(bytes, len);
    bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    if ((utf8_invalid_at(s) == SIZE_MAX) == surrogate) fail_msg("U+%04X", (unsigned)c);
    if (surrogate) continue;
    if (utf8_next(s, &at) != c || at != len || utf8_sequence(bytes, len) != len)
      fail_msg("U+%04X", (unsigned)c);
    for (size_t cut = 1; cut < len; cut++) {
      if (utf8_sequence(bytes, cut) != 0) fail_msg("U+%04X cut", (unsigned)c);
    }
  }
}

/* A sequence is valid exactly when it is what the encoder makes of what it seems to say. */
static bool canonical(const unsigned char *b, size_t len) {
  char again[4];
  uint32_t c = len == 2 ? (b[0] & 0x1Fu) << 6 : len == 3 ? (b[0] & 0x0Fu) << 12 : (b[0] & 0x07u) << 18;
  for (size_t i = 1; i < len; i++) {
    if ((b[i] & 0xC0) != 0x80) return false;
    c |= (b[i] & 0x3Fu) << (6 * (len - 1 - i));
  }
  if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return false;
  return utf8_encode(c, again) == len && memcmp(again, b, len) == 0;
}

static void test_every_beginning(void **state) {
  (void)state;
  static const unsigned char tails[] = {0x00, 0x22, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF};
  for (unsigned first = 0x80; first < 256; first++) {
    for (unsigned second = 0; second < 256; second++) {
      for (size_t t = 0; t < sizeof tails * sizeof tails; t++) {
        unsigned char b[4] = {(unsigned char)first, (unsigned char)second, tails[t % sizeof tails],
                              tails[t / sizeof tails]};
        size_t len = first < 0xC0 || first > 0xF7 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
        size_t expected = len && canonical(b, len) ? len : 0;
        if (utf8_sequence((const char *)b, 4) != expected)
          fail_msg("%02x %02x %02x %02x", b[0], b[1], b[2], b[3]);
      }
    }
  }
}

/* The place of the first bad byte, at each distance from the eight-byte steps. */
static void test_place(void **state) {
  (void)state;
  char text[40];
  for (size_t len = 1; len < sizeof text; len++) {
    for (size_t at = 0; at < len; at++) {
      memset(text, 'a', sizeof text);
      text[at] = (char)0xFF;
      assert_int_equal(utf8_invalid_at(str_make(text, len)), at);
      assert_true(utf8_invalid_at(str_make(text, at)) == SIZE_MAX);
    }
  }
  assert_int_equal(utf8_invalid_at(STR("é\xC3")), 2);
}

static void test_count(void **state) {
  (void)state;
  size_t at = 0;
  assert_int_equal(utf8_count(STR("aé€😀")), 4);
  assert_int_equal(utf8_count(STR("\xFF\xFF")), 2);
  assert_int_equal(utf8_next(STR("\xE2\x82"), &at), 0xFFFD);
  assert_int_equal(at, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_code_point),
      cmocka_unit_test(test_every_beginning),
      cmocka_unit_test(test_place),
      cmocka_unit_test(test_count),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
