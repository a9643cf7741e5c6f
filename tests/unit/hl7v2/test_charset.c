/* test_charset.c - bytes to text by MSH-18 and back; declared and actual. */
#include "messages.h"

/* A message with MSH-18 and one text in PID-5. */
static struct str message_of(struct bench *b, struct str declared, struct str text) {
  struct buf out;
  buf_init(&out, 1 << 16);
  buf_printf(&out, "MSH|^~\\&|||||||ADT^A01|||||||||%.*s\rPID|||||", STR_ARG(declared));
  buf_add_str(&out, text);
  buf_add_char(&out, '\r');
  struct str message = buf_take_str(&out, b->arena);
  assert_non_null(message.ptr);
  buf_release(&out);
  return message;
}

static enum status decode(struct bench *b, struct str bytes, struct str fallback, struct hl7v2_text *out) {
  b->source = source_make(STR("x.hl7"), bytes);
  return hl7v2_decode(&b->source, fallback, b->arena, &b->diags, out);
}

static void test_declared(void **state) {
  static const struct {
    const char *declared, *bytes, *text; /* text NULL: refused; `why` */
    const char *why, *fallback;
  } rows[] = {
      {"", "plain", "plain"},
      {"ASCII", "plain", "plain"},
      {"ISO IR6", "plain", "plain"},
      {"ASCII", "\xC3\xBC", NULL, "the text is not in the charset that it declares: ASCII"},
      {"", "\xC3\xBC", NULL, "MSH-18 is empty"},
      {"", "\xC3\xBC", "\xC3\xBC", NULL, "UNICODE UTF-8"},
      {"", "\xFC", NULL, "the text is not in the charset that it declares: UNICODE UTF-8", "UNICODE UTF-8"},
      {"", "\xFC", "\xC3\xBC", NULL, "8859/1"},
      {"", "\xFC", NULL, "MSH-18 is empty", "no such"},
      {"UNICODE UTF-8", "\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80"},
      {"UTF-8", "\xC3\xBC", "\xC3\xBC"},
      {"UNICODE UTF-8", "\xFC", NULL, "the text is not"},
      {"UNICODE UTF-8", "\xC0\xAF", NULL, "the text is not"},
      {"UNICODE UTF-8", "\xED\xA0\x80", NULL, "the text is not"},
      {"UNICODE UTF-8", "\xC3", NULL, "the text is not"},
      {"8859/1", "\xFC\xE9", "\xC3\xBC\xC3\xA9"},
      {"8859/15", "\xA4", "\xE2\x82\xAC"},
      {"8859/5", "\xD0", "\xD0\xB0"},
      {"8859/7", "\xE1", "\xCE\xB1"},
      {"8859/1", "\xC3\xBC", NULL, "the text is UTF-8 and declares: 8859/1"},
      {"8859/1", "\x80 5", NULL, "the text is in a charset of Windows"},
      {"8859/3", "\xA5 ", NULL, "the text is not"},
      {"UNICODE", "plain", NULL, "the text is not"},
      {"UNICODE UTF-16", "plain", NULL, "the text is not"},
      {"WINDOWS-1252", "\xFC", NULL, "MSH-18 names a charset that is not known: WINDOWS-1252"},
      {"8859/1~8859/2", "x", NULL, "MSH-18 names a charset"},
      {"ASCII~ISO IR87", "\x1B$B;3\x1B(B^\x1B$BED0|\x1B(B", "\xE5\xB1\xB1^\xE7\x94\xB0\xE6\xB7\xAB"},
      {"~ISO IR87", "\x1B$B;3\x1B(B", "\xE5\xB1\xB1"},
      {"ISO IR87", "\x1B$B;3\x1B(Bx", "\xE5\xB1\xB1x"},
      {"ASCII~ISO IR87~ISO IR159", "\x1B$(D0!\x1B(B", "\xE4\xB8\x82"},
      {"ASCII~ISO IR87~ISO IR159", "\x1B$(D0!\x1B(B~\x1B$(D0!\x1B(B", "\xE4\xB8\x82~\xE4\xB8\x82"}, /* a tilde is ASCII's */
      {"ISO IR87", "\x1B$B/!\x1B(B", NULL, "the text is not"},
      {"GB 18030-2000", "\xD6\xD0\xCE\xC4", "\xE4\xB8\xAD\xE6\x96\x87"},
      {"KS X 1001", "\xB1\xE8", "\xEA\xB9\x80"},
      {"BIG-5", "\xA4\xA4", "\xE4\xB8\xAD"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct bench b;
    struct hl7v2_text text;
    struct str back;
    bench_open(&b);
    struct str bytes = message_of(&b, str_of(rows[i].declared), str_of(rows[i].bytes));
    enum status status = decode(&b, bytes, str_of(rows[i].fallback), &text);
    if (status == STATUS_OK && !rows[i].text) fail_msg("row %zu is taken", i);
    if (status == STATUS_OK) {
      assert_str(text.text, message_of(&b, str_of(rows[i].declared), str_of(rows[i].text)));
      assert_int_equal(hl7v2_encode(&text, b.arena, &back), STATUS_OK);
      assert_str(back, bytes);
    } else {
      assert_int_equal(status, STATUS_INVALID);
      assert_int_equal(b.diags.count, 1);
      if (!rows[i].why || !str_starts(b.diags.first->message, str_of(rows[i].why)))
        fail_msg("row %zu: %.*s", i, STR_ARG(b.diags.first->message));
    }
    bench_close(&b);
  }
}

/* The place of the byte that is wrong. */
static void test_position(void **state) {
  struct bench b;
  struct hl7v2_text text;
  (void)state;
  bench_open(&b);
  assert_int_equal(decode(&b, message_of(&b, STR("ASCII"), STR("ab\xFC")), (struct str){0}, &text), STATUS_INVALID);
  assert_int_equal(b.diags.first->line, 2);
  assert_int_equal(b.diags.first->col, 11);
  bench_close(&b);
}

static void test_marks(void **state) {
  struct bench b;
  struct hl7v2_text text;
  struct str back;
  (void)state;
  bench_open(&b);
  struct str plain = message_of(&b, STR("UNICODE UTF-8"), STR("\xC3\xBC"));
  struct str marked = arena_concat(b.arena, STR("\xEF\xBB\xBF"), plain);
  assert_int_equal(decode(&b, marked, (struct str){0}, &text), STATUS_OK);
  assert_true(text.bom);
  assert_str(text.text, plain);
  assert_int_equal(hl7v2_encode(&text, b.arena, &back), STATUS_OK);
  assert_str(back, marked);
  marked = arena_concat(b.arena, STR("\xEF\xBB\xBF"), message_of(&b, STR(""), STR("\xC3\xBC")));
  assert_int_equal(decode(&b, marked, (struct str){0}, &text), STATUS_OK);
  assert_str(text.charset, STR("UNICODE UTF-8"));
  marked = arena_concat(b.arena, STR("\xEF\xBB\xBF"), message_of(&b, STR("8859/1"), STR("\xC3\xBC")));
  assert_int_equal(decode(&b, marked, (struct str){0}, &text), STATUS_INVALID);
  bench_close(&b);
}

/* Wide text as bytes: every character of ASCII text in `width` bytes. */
static struct str widen(struct bench *b, struct str text, size_t width, bool little, bool mark) {
  size_t from = mark ? width : 0, len = from + text.len * width;
  char *bytes = arena_alloc(b->arena, len);
  assert_non_null(bytes);
  if (mark) {
    bytes[little ? 0 : width - 1] = (char)(little ? 0xFF : 0xFF);
    bytes[little ? 1 : width - 2] = (char)0xFE;
  }
  for (size_t i = 0; i < text.len; i++)
    bytes[from + i * width + (little ? 0 : width - 1)] = text.ptr[i];
  return str_make(bytes, len);
}

static void test_wide(void **state) {
  (void)state;
  for (size_t width = 2; width <= 4; width += 2)
    for (int form = 0; form < 4; form++) {
      struct bench b;
      struct hl7v2_text text;
      struct str back;
      bench_open(&b);
      struct str plain = message_of(&b, width == 2 ? STR("UNICODE UTF-16") : STR("UNICODE UTF-32"), STR("abc"));
      struct str bytes = widen(&b, plain, width, form & 1, form & 2);
      assert_true(width == 4 || hl7v2_is(bytes));
      assert_int_equal(decode(&b, bytes, (struct str){0}, &text), STATUS_OK);
      assert_str(text.text, plain);
      assert_int_equal(hl7v2_encode(&text, b.arena, &back), STATUS_OK);
      assert_str(back, bytes);
      bytes = widen(&b, message_of(&b, STR("ASCII"), STR("abc")), width, form & 1, form & 2);
      assert_int_equal(decode(&b, bytes, (struct str){0}, &text), STATUS_INVALID);
      bytes = str_slice(widen(&b, plain, width, form & 1, form & 2), 0, bytes.len - 1);
      assert_int_equal(decode(&b, bytes, (struct str){0}, &text), STATUS_INVALID);
      bench_close(&b);
    }
}

/* All bytes in each charset of single bytes: a character and back the same byte, or refused; never another. */
static void test_all_bytes(void **state) {
  static const char *const names[] = {"8859/1", "8859/2", "8859/3", "8859/4", "8859/5", "8859/6",
                                      "8859/7", "8859/8", "8859/9", "8859/15", "ASCII", "UNICODE UTF-8"};
  static const unsigned taken[] = {96, 96, 89, 96, 96, 51, 93, 60, 96, 96, 0, 0}; /* above 0x7F, as Python counts them */
  (void)state;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    unsigned count = 0;
    for (unsigned byte = 1; byte < 256; byte++) {
      struct bench b;
      struct hl7v2_text text;
      struct str back;
      char c[2] = {(char)byte, 'x'};
      if (byte == '\r' || byte == '\n') continue;
      bench_open(&b);
      struct str bytes = message_of(&b, str_of(names[i]), str_make(c, 2));
      if (decode(&b, bytes, (struct str){0}, &text) == STATUS_OK) {
        assert_int_equal(hl7v2_encode(&text, b.arena, &back), STATUS_OK);
        assert_str(back, bytes);
        count += byte >= 0x80;
      } else {
        assert_true(byte >= 0x80);
      }
      bench_close(&b);
    }
    if (count != taken[i]) fail_msg("%s has %u characters above 127", names[i], count);
  }
}

static void test_encode_refuses(void **state) {
  struct bench b;
  struct str back;
  (void)state;
  bench_open(&b);
  assert_int_equal(hl7v2_encode(&(struct hl7v2_text){.text = STR("\xE2\x82\xAC"), .charset = STR("8859/1")}, b.arena, &back), STATUS_INVALID);
  assert_int_equal(hl7v2_encode(&(struct hl7v2_text){.text = STR("\xC3\xBC"), .charset = STR("ASCII")}, b.arena, &back), STATUS_INVALID);
  assert_int_equal(hl7v2_encode(&(struct hl7v2_text){.text = STR("x"), .charset = STR("none")}, b.arena, &back), STATUS_NOT_FOUND);
  bench_close(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_declared),  cmocka_unit_test(test_position),       cmocka_unit_test(test_marks), cmocka_unit_test(test_wide),
      cmocka_unit_test(test_all_bytes), cmocka_unit_test(test_encode_refuses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
