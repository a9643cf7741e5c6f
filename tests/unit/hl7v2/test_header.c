/* test_header.c - what a header must say, which structure its event has, what a text is before it is read, and where a position is. */
#include "messages.h"

static const struct {
  const char *head, *processing, *wanted; /* codes of what is said, each with its severity's first letter; "" : nothing */
  bool good;
} headers[] = {
    {"MSH|^~\\&|||||||ADT^A01|1|P|2.5.1", "P", "", true},
    {"MSH|^~\\&|||||||ADT^A01||P|2.5.1", "P", "e hl7v2-required MSH-10;", false},
    {"MSH|^~\\&|||||||ADT^A01| |P|2.5.1", "P", "e hl7v2-required MSH-10;", false},
    {"MSH|^~\\&|||||||ADT^A01|\"\"|P|2.5.1", "P", "e hl7v2-required MSH-10;", false},
    {"MSH|^~\\&|||||||ADT^A01", "P", "e hl7v2-required MSH-10;", false},
    {"MSH|^~\\&||||||||1|P|2.5.1", "P", "e hl7v2-required MSH-9;", false},
    {"MSH|^~\\&|||||||ADT^A01|1|T|2.5.1", "P", "e hl7v2-processing MSH-11;", false},
    {"MSH|^~\\&|||||||ADT^A01|1|D^T|2.5.1", "P", "e hl7v2-processing MSH-11;", false},
    {"MSH|^~\\&|||||||ADT^A01|1|P|2.5.1", "T", "e hl7v2-processing MSH-11;", false},
    {"MSH|^~\\&|||||||ADT^A01|1|T|2.5.1", "P, T", "", true},
    {"MSH|^~\\&|||||||ADT^A01|1|T|2.5.1", "", "w hl7v2-processing MSH-11;", true},
    {"MSH|^~\\&|||||||ADT^A01|1|X|2.5.1", "", "e hl7v2-processing MSH-11;", false},
    {"MSH|^~\\&|||||||ADT^A01|1|, |2.5.1", "P, T", "e hl7v2-processing MSH-11;", false},
    {"MSH|^~\\&|||||||ADT^A01|1||2.5.1", "P", "w hl7v2-required MSH-11;", true},
    {"MSH|^~\\&|||||||ADT^A01|1||2.5.1", "T", "w hl7v2-required MSH-11;e hl7v2-processing MSH-11;", false},
    {"MSH|^~\\&|||||||ADT^A01|1|P", "P", "w hl7v2-required MSH-12;", true},
    {"MSH|^~\\&|||||||ADT^A01|1|P|2.1", "P", "", true},
    {"MSH|^~\\&|||||||ADT^A01|1|P|2.9", "P", "", true},
    {"MSH|^~\\&|||||||ADT^A01|1|P|2.3.1^USA", "P", "", true},
    {"MSH|^~\\&|||||||ADT^A01|1|P|2.0", "P", "e hl7v2-version MSH-12;", false},
    {"MSH|^~\\&|||||||ADT^A01|1|P|9.9", "P", "e hl7v2-version MSH-12;", false},
    {"MSH|^~\\&|||||||ADT^A01|1|P|3.0", "P", "e hl7v2-version MSH-12;", false},
    {"MSH|^~\\&|||||||ADT^A01|1|P|2.5.12", "P", "e hl7v2-version MSH-12;", false},
    {"MSH|^~\\&|||||||ADT^A01|1|P|abc", "P", "e hl7v2-version MSH-12;", false},
    {"MSH|^~\\&|||||||ADT^A01|1|P|2.5||7", "P", "e hl7v2-syntax MSH-14;", false},
    {"MSH|^~\\&|||||||ADT^A01|1|P|2.5||\"\"", "P", "", true},
};

static void test_check(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
    struct bench b;
    struct buf said;
    bench_open(&b);
    buf_init(&said, 1024);
    assert_int_equal(bench_scan(&b, str_of(headers[i].head), NULL), STATUS_OK);
    bool good = hl7v2_check(&b.message, str_of(headers[i].processing), &b.diags) == STATUS_OK;
    for (const struct diag *diag = b.diags.first; diag; diag = diag->next)
      buf_printf(&said, "%c %s %.*s;", diag_severity_name(diag->severity)[0], diag_code_name(diag->code), STR_ARG(diag->path));
    if (good != headers[i].good || !str_is(buf_str(&said), headers[i].wanted))
      fail_msg("%s, %s: %.*s", headers[i].head, headers[i].processing, STR_ARG(buf_str(&said)));
    buf_release(&said);
    bench_close(&b);
  }
}

static void test_structure(void **state) {
  static const char *const rows[][2] = {
      {"ADT^A08^ADT_A01", "ADT_A01"}, {"ADT^A08", "ADT_A01"},          {"ADT^A08^ADT_A08", "ADT_A01"}, {"ADT^A04^ORU_R01", "ADT_A01"},
      {"ADT^A11^ADT_A01", "ADT_A09"}, {"ADT^A23^ADT_A01", "GENERIC"}, {"ADT^A41^ADT_A39", "GENERIC"}, {"ADT^A42^ADT_A39", "GENERIC"},
      {"ADT^A12^ADT_A09", "GENERIC"}, {"ADT^A27", "ADT_A21"},         {"ADT^A38^ADT_A38", "ADT_A38"}, {"MDM^T11^MDM_T01", "MDM_T01"},
      {"MDM^T01^MDM_T01", "GENERIC"},
      {"ADT^A40^ADT_A39", "ADT_A39"}, {"SIU^S18^SIU_S12", "GENERIC"}, {"SIU^S23^SIU_S12", "GENERIC"}, {"SIU^S24", "GENERIC"},
      {"SIU^S17", "SIU_S12"},         {"SIU^S26", "SIU_S12"},         {"ACK^A01^ACK", "ACK"},          {"ORU^^ORU_R01", "GENERIC"},
      {"", "GENERIC"},                {"ADT^A01A01A01A01A01A01", "GENERIC"}};
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct bench b;
    bench_open(&b);
    assert_int_equal(bench_scan(&b, arena_printf(b.arena, "MSH|^~\\&|||||||%s|1", rows[i][0]), NULL), STATUS_OK);
    assert_str(hl7v2_structure(&b.message), str_of(rows[i][1]));
    bench_close(&b);
  }
  for (size_t i = 0; hl7v2_event_at(i + 1); i++)
    assert_true(strcmp(hl7v2_event_at(i)->event, hl7v2_event_at(i + 1)->event) < 0);
}

/* In each width, with a mark and without. */
static void test_look(void **state) {
  static const struct {
    const char *text;
    struct hl7v2_look wanted;
  } rows[] = {
      {"MSH|^~\\&|A\rPID|1\r", {1, 0, 0}},          {"MSH|^~\\&|A\rMSH|^~\\&|A\r", {2, 0, 0}},
      {"FHS|^\rBHS|^\rMSH|^~\\&\rBTS|1\rFTS|1\r", {1, 4, 0}}, {"MSH|^~\\&|A\nMSA|AA\n", {1, 0, 1}},
      {"MSH|^~\\&|A\rNTE|1||MSH|MSA|\r", {1, 0, 0}}, {"MSHX\rMSAX|\r", {0, 0, 0}}, {"", {0, 0, 0}}, {"MSH", {1, 0, 0}},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    for (size_t width = 1; width <= 4; width *= 2) {
      char wide[512] = {0};
      size_t len = strlen(rows[i].text);
      for (size_t c = 0; c < len; c++)
        wide[c * width] = rows[i].text[c];
      if (len == 3 && width == 1) continue; /* too little to tell by */
      struct hl7v2_look look = hl7v2_look(str_make(wide, len * width));
      assert_memory_equal(&look, &rows[i].wanted, sizeof look);
    }
}

static void test_place_at(void **state) {
  static const char text[] = "MSH|^~\\&|A|B\r\nPID|1||M1^^^C&D&E~M2^x\nOBX|1\rOBX|2|NM|\xC3\xA9^a|7\rpid|\r";
  static const struct {
    struct source_position at;
    const char *wanted;
  } rows[] = {
      {{1, 1}, "MSH"},        {{1, 5}, "MSH-2"},       {{1, 12}, "MSH-4"},     {{2, 1}, "PID"},           {{2, 5}, "PID-1"},
      {{2, 8}, "PID-3"},      {{2, 11}, "PID-3.2"},    {{2, 16}, "PID-3.4.2"}, {{2, 19}, "PID-3[2]"},     {{2, 22}, "PID-3[2].2"},
      {{3, 5}, "OBX-1"},      {{4, 5}, "OBX[2]-1"},    {{4, 12}, "OBX[2]-3.2"}, {{4, 14}, "OBX[2]-4"},     {{4, 99}, "OBX[2]-4"},
      {{5, 1}, NULL},         {{6, 1}, NULL},          {{0, 0}, NULL},
  };
  struct hl7v2_delims delims = {'|', '^', '~', '\\', '&', 0};
  struct buf out;
  (void)state;
  buf_init(&out, 64);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct hl7v2_place place;
    buf_reset(&out);
    bool found = hl7v2_place_at(str_of(text), &delims, rows[i].at, &place);
    if (found) hl7v2_place_write(&place, &out);
    assert_str(found ? buf_str(&out) : STR("none"), str_of(rows[i].wanted ? rows[i].wanted : "none"));
  }
  buf_release(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_check), cmocka_unit_test(test_structure), cmocka_unit_test(test_look),
                                     cmocka_unit_test(test_place_at)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
