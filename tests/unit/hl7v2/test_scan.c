/* test_scan.c - the index: segments, fields, line ends, delimiters, what is refused, caps; values by place. */
#include "messages.h"

static void test_index(void **state) {
  static const char text[] = "MSH|^~\\&|A|B||\rPID|1||x^y&z~w|\r\nZPI\n\nPV1|\n";
  struct bench b;
  (void)state;
  bench_open(&b);
  assert_int_equal(bench_scan(&b, str_of(text), NULL), STATUS_OK);
  assert_int_equal(b.message.segment_count, 4);
  const struct hl7v2_segment *s = b.message.segments;
  assert_string_equal(s[0].name, "MSH");
  assert_int_equal(s[0].field_count, 6);
  assert_str(hl7v2_field(&b.message, &s[0], 1), STR("|"));
  assert_str(hl7v2_field(&b.message, &s[0], 2), STR("^~\\&"));
  assert_str(hl7v2_field(&b.message, &s[0], 3), STR("A"));
  assert_str(hl7v2_field(&b.message, &s[0], 6), STR(""));
  assert_int_equal(s[1].field_count, 4);
  assert_str(hl7v2_field(&b.message, &s[1], 3), STR("x^y&z~w"));
  assert_int_equal(s[2].field_count, 0);
  assert_int_equal(s[3].field_count, 1);
  assert_int_equal(hl7v2_find(&b.message, "PV1", 0), 3);
  assert_int_equal(hl7v2_find(&b.message, "OBX", 0), 4);
  bench_close(&b);
}

static void test_places(void **state) {
  static const struct {
    const char *place, *value;
  } rows[] = {
      {"MSH-1", "|"},         {"MSH-2", "^~\\&"},      {"MSH-9.2", "R01"},     {"PID-3", "1^^^A&1.2&ISO"}, {"PID-3.1", "1"},
      {"PID-3.4.2", "1.2"},   {"PID-3[2].1", "2"},     {"PID-3[3].1", ""},     {"PID-5.1.1", "Q|R"},       {"PID-5.1.2", ""},
      {"PID-5.2", "a\\b"},    {"OBX[2]-5", "7"},       {"OBX[2]-5.1.1", "7"},  {"OBX[3]-5", ""},           {"PID-90", ""},
      {"PID-7", "\"\""},      {"OBX-5[2]", "6"},       {"ZZZ-1", ""},          {"PID-8.1", ""},
  };
  static const char text[] = "MSH|^~\\&|||||||ORU^R01\rPID|||1^^^A&1.2&ISO~2||Q\\F\\R^a\\E\\b||\"\"|\rOBX|1|NM|||5~6\rOBX|2|NM|||7";
  struct bench b;
  struct hl7v2_place place;
  (void)state;
  bench_open(&b);
  assert_int_equal(bench_scan(&b, str_of(text), NULL), STATUS_OK);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    assert_true(hl7v2_place_parse(str_of(rows[i].place), &place));
    assert_str(hl7v2_value(&b.message, &place, b.arena), str_of(rows[i].value));
  }
  static const char *const bad[] = {"", "PID", "PID-", "PID-0", "PID-3.", "PID-3[0]", "PID-3.1.1.1", "PID-3.1.", "PID-3.1.x", "PID-99999", "PID3", "PID-3 ", "PID-3[1"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    assert_false(hl7v2_place_parse(str_of(bad[i]), &place));
  bench_close(&b);
}

/* The first words of what is said. */
static void test_refused(void **state) {
  static const struct {
    const char *text, *why;
  } rows[] = {
      {"", "a message begins with MSH"},
      {"PID|1\r", "a message begins with MSH"},
      {"MSH", "the delimiters are missing"},
      {"MSH|\r", "the delimiters are missing"},
      {"MSH||\r", "the delimiters are missing"},
      {"MSHA^~\\&|\r", "the field separator cannot be"},
      {"MSH|^~\\\\&|\r", "two delimiters are the same"},
      {"MSH|^&&^|\r", "two delimiters are the same"},
      {"MSH|^|\rPID^x\r", "the line does not begin with the name"},
      {"MSH|^a|\r", "a delimiter cannot be"},
      {"MSH|^~\\&#!|\r", "more than five delimiters"},
      {"MSH|^~\\&|\rpid|1\r", "the line does not begin with the name"},
      {"MSH|^~\\&|\rfree text\r", "the line does not begin with the name"},
      {"MSH|^~\\&|\rMSH|^~\\&|\r", "a second MSH"},
      {"MSH|^~\\&|\rBTS|1\r", "an envelope stands inside"},
      {"MSH|^~\\&|\rDSC|9\r", "the message is continued"},
      {"MSH|^~\\&|\rADD|rest\r", "the message continues another"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct bench b;
    bench_open(&b);
    assert_int_equal(bench_scan(&b, str_of(rows[i].text), NULL), STATUS_INVALID);
    assert_int_equal(b.diags.count, 1);
    if (!str_starts(b.diags.first->message, str_of(rows[i].why)))
      fail_msg("%s: %.*s", rows[i].text, STR_ARG(b.diags.first->message));
    bench_close(&b);
  }
}

static void test_accepted(void **state) {
  static const char *const rows[] = {"MSH|^~\\&", "MSH|^~\\&\r", "\r\n\nMSH|^~\\&|\r", "MSH$%~\\&$x\r", "MSH|^~\\&#|\r", "MSH|^~&|\r", "MSH|^|\r",
                                     "MSH|^~\\&|\r  \rPID|\r", "MSH|^~\\&|\rDSC|\r", "MSH|^~\\&|\rDSC\r"};
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct bench b;
    bench_open(&b);
    assert_int_equal(bench_scan(&b, str_of(rows[i]), NULL), STATUS_OK);
    bench_close(&b);
  }
}

static void test_nul(void **state) {
  struct bench b;
  (void)state;
  bench_open(&b);
  assert_int_equal(bench_scan(&b, str_make("MSH|^~\\&|a\0b\r", 13), NULL), STATUS_INVALID);
  bench_close(&b);
}

static enum status capped(const char *text, struct hl7v2_limits limits) {
  struct bench b;
  bench_open(&b);
  enum status status = bench_scan(&b, str_of(text), &limits);
  assert_int_equal(b.diags.count, status == STATUS_OK ? 0 : 1);
  if (status != STATUS_OK) assert_int_equal(b.diags.first->code, DIAG_INPUT_TOO_LARGE);
  bench_close(&b);
  return status;
}

/* 2 + 3 + 1 fields, 3 segments. */
static void test_caps(void **state) {
  static const char text[] = "MSH|^~\\&\rPID|1|2|3\rPV1|\r";
  size_t bytes = sizeof text - 1;
  (void)state;
  assert_int_equal(capped(text, (struct hl7v2_limits){.bytes = bytes - 1}), STATUS_INVALID);
  assert_int_equal(capped(text, (struct hl7v2_limits){.bytes = bytes}), STATUS_OK);
  assert_int_equal(capped(text, (struct hl7v2_limits){.bytes = bytes + 1}), STATUS_OK);
  assert_int_equal(capped(text, (struct hl7v2_limits){.segments = 2}), STATUS_INVALID);
  assert_int_equal(capped(text, (struct hl7v2_limits){.segments = 3}), STATUS_OK);
  assert_int_equal(capped(text, (struct hl7v2_limits){.segments = 4}), STATUS_OK);
  assert_int_equal(capped(text, (struct hl7v2_limits){.fields = 5}), STATUS_INVALID);
  assert_int_equal(capped(text, (struct hl7v2_limits){.fields = 6}), STATUS_OK);
  assert_int_equal(capped(text, (struct hl7v2_limits){.fields = 7}), STATUS_OK);
}

/* The usual cap and the highest, to the byte. */
static void test_large(void **state) {
  static const size_t caps[] = {LIMIT_HL7V2_BYTES, LIMIT_HL7V2_LARGEST};
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    struct bench b;
    struct hl7v2_limits limits = {.bytes = i ? SIZE_MAX : 0};
    char *text = malloc(caps[i] + 1);
    assert_non_null(text);
    memset(text, 'x', caps[i] + 1);
    memcpy(text, "MSH|^~\\&|", 9);
    bench_open(&b);
    assert_int_equal(bench_scan(&b, str_make(text, caps[i] - 1), &limits), STATUS_OK);
    assert_int_equal(bench_scan(&b, str_make(text, caps[i]), &limits), STATUS_OK);
    assert_int_equal(bench_scan(&b, str_make(text, caps[i] + 1), &limits), STATUS_INVALID);
    bench_close(&b);
    free(text);
  }
}

static void test_is(void **state) {
  static const char *const yes[] = {"MSH|^", "FHS|^~\\&|", "BHS$%", "\xEF\xBB\xBFMSH|^", "\r\nMSH|^", " MSH|"};
  static const char *const no[] = {"", "MSH", "{}", "MSHA|", "PID|1", "<MSH>", "\xEF\xBB\xBF{}"};
  (void)state;
  for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
    assert_true(hl7v2_is(str_of(yes[i])));
  for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
    assert_false(hl7v2_is(str_of(no[i])));
  assert_true(hl7v2_is(str_make("\xFF\xFEM\0S\0H\0|\0", 10)));
  assert_true(hl7v2_is(str_make("\xFE\xFF\0M\0S\0H\0|", 10)));
  assert_true(hl7v2_is(str_make("M\0S\0H\0|\0", 8)));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_index), cmocka_unit_test(test_places), cmocka_unit_test(test_refused),
      cmocka_unit_test(test_accepted), cmocka_unit_test(test_nul), cmocka_unit_test(test_caps),
      cmocka_unit_test(test_large), cmocka_unit_test(test_is),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
