/* test_batch.c - envelopes: which messages come, and what is said. Segments are separated by / in the rows. */
#include "messages.h"

/* Each message as its control word in brackets, each finding by its gravity: e or w. */
static void run(const char *row, struct buf *out) {
  char text[512];
  struct bench b;
  size_t len = strlen(row);
  for (size_t i = 0; i <= len; i++)
    text[i] = row[i] == '/' ? '\r' : row[i];
  bench_open(&b);
  struct hl7v2_batch batch = hl7v2_batch_open(str_make(text, len));
  struct str message;
  uint32_t line;
  enum status status;
  size_t told[4] = {0};
  while ((status = hl7v2_batch_next(&batch, STR("x"), &b.diags, &message, &line)) != STATUS_NOT_FOUND) {
    if (status == STATUS_OK) buf_printf(out, "[%u:%zu]", line, message.len);
    for (; told[DIAG_ERROR] < b.diags.by_severity[DIAG_ERROR]; told[DIAG_ERROR]++)
      buf_add_char(out, 'e');
    for (; told[DIAG_WARNING] < b.diags.by_severity[DIAG_WARNING]; told[DIAG_WARNING]++)
      buf_add_char(out, 'w');
  }
  for (; told[DIAG_WARNING] < b.diags.by_severity[DIAG_WARNING]; told[DIAG_WARNING]++)
    buf_add_char(out, 'w');
  bench_close(&b);
}

static void test_envelopes(void **state) {
  static const struct {
    const char *text, *wanted;
  } rows[] = {
      {"MSH|^/PID|1/", "[1:12]"},
      {"MSH|^/PID|1/MSH|^/", "[1:12][3:6]"},
      {"//MSH|^//PID|/MSH|^", "[3:12][6:5]"},
      {"FHS|^/BHS|^/MSH|^/BTS|1/FTS|1/", "[3:6]"},
      {"FHS|^/BHS|^/MSH|^/MSH|^/BTS|2/BHS|^/MSH|^/BTS|1/FTS|2/", "[3:6][4:6][7:6]"},
      {"BHS|^/MSH|^/BTS/", "[2:6]"},
      {"BHS|^/MSH|^/BTS|2/", "[2:6]e"},
      {"FHS|^/BHS|^/MSH|^/BTS|1/FTS|2/", "[3:6]e"},
      {"FHS|^/MSH|^/MSH|^/FTS|1/", "[2:6][3:6]"},
      {"FHS|^/BHS|^/MSH|^/BTS|1/", "[3:6]w"},
      {"BHS|^/MSH|^", "[2:5]w"},
      {"FHS|^/BHS|^/MSH|^", "[3:5]ww"},
      {"BHS|^/MSH|^/BTS|1/FTS|1/", "[2:6]w"},
      {"MSH|^/BTS|1/", "[1:6]w"},
      {"BHS|^/MSH|^/BHS|^/MSH|^/BTS|1/", "[2:6]e[4:6]"},
      {"MSH|^/BHS|^/MSH|^/BTS|1/", "[1:6][3:6]"}, /* a batch counts its own messages */
      {"BHS|^/MSH|^/BTS|1/MSH|^/BTS|1/", "[2:6][4:6]w"},
      {"BHS|^/PID|1/PV1|/BTS|0/", "e"},
      {"BHS|^/PID|1/MSH|^/BTS|1/", "e[3:6]"},
      {"BHS|^/BTS|0/", ""},
      {"junk/MSH|^/", "e[2:6]"},
      {"MSHX/MSH|^/", "e[2:6]"},
      {"\xEF\xBB\xBFMSH|^/", "[1:9]"},
      {"\xEF\xBB\xBF" "FHS|^/MSH|^/FTS|1/", "[2:6]"},
      {"", ""},
      {"/ /", ""},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct buf out;
    buf_init(&out, 512);
    run(rows[i].text, &out);
    if (!str_is(buf_str(&out), rows[i].wanted))
      fail_msg("%s: %.*s, wanted %s", rows[i].text, STR_ARG(buf_str(&out)), rows[i].wanted);
    buf_release(&out);
  }
}

/* One message is taken as it is; what would be cut at the wrong place is refused, and nothing comes after it. */
static void test_utf16(void **state) {
  static const struct {
    const char *text;
    bool mark, little;
    enum status wanted;
  } rows[] = {
      {"MSH|^~\\&|/PID|1/", true, true, STATUS_OK},       {"MSH|^~\\&|/PID|1/", true, false, STATUS_OK},
      {"MSH|^~\\&|/PID|1/", false, true, STATUS_OK},      {"MSH|^~\\&|/PID|1/", false, false, STATUS_OK},
      {"MSH|^~\\&|/PID|MSH/", false, false, STATUS_OK},   {"MSH|/MSH|/", true, true, STATUS_INVALID},
      {"MSH|/MSH|/", false, false, STATUS_INVALID},       {"BHS|/MSH|/BTS|1/", true, true, STATUS_INVALID},
      {"FHS|/MSH|/FTS|1/", false, false, STATUS_INVALID}, {"FHS|/MSH|/FTS|1/", false, true, STATUS_INVALID},
      {"BHS|/BTS|0/", false, false, STATUS_INVALID},      {"BHS|/BTS|0/", true, true, STATUS_INVALID},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct bench b;
    struct buf text;
    struct str message;
    uint32_t line;
    bench_open(&b);
    buf_init(&text, 512);
    if (rows[i].mark) buf_add_text(&text, rows[i].little ? "\xFF\xFE" : "\xFE\xFF");
    for (const char *at = rows[i].text; *at; at++) {
      char unit[2] = {0};
      unit[!rows[i].little] = *at == '/' ? '\r' : *at;
      buf_add(&text, unit, 2);
    }
    struct hl7v2_batch batch = hl7v2_batch_open(buf_str(&text));
    assert_int_equal(hl7v2_batch_next(&batch, STR("x"), &b.diags, &message, &line), rows[i].wanted);
    assert_int_equal(diag_errors(&b.diags), rows[i].wanted == STATUS_INVALID);
    assert_int_equal(hl7v2_batch_next(&batch, STR("x"), &b.diags, &message, &line), STATUS_NOT_FOUND);
    buf_release(&text);
    bench_close(&b);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_envelopes), cmocka_unit_test(test_utf16)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
