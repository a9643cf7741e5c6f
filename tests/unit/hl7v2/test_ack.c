/* test_ack.c - acknowledgements: every fate with every MSH-15 and MSH-16, what is written, what is read. */
#include "messages.h"

static void scan_of(struct bench *b, const char *head, const char *rest) {
  struct str text = arena_printf(b->arena, "%s\r%s", head, rest);
  assert_int_equal(bench_scan(b, text, NULL), STATUS_OK);
}

static const char *const fate_names[] = {"accepted", "bad", "unsupported", "passing", "conflict"};

/* Wanted on success, wanted on trouble. */
static const struct {
  const char *word;
  bool success, trouble;
} conditions[] = {{"", false, false}, {"AL", true, true}, {"NE", false, false}, {"ER", false, true}, {"SU", true, false}, {"zz", false, false}, {"\"\"", false, false}};

static bool is_said(const char *word) {
  return strlen(word) == 2 && word[0] >= 'A' && word[0] <= 'Z';
}

static void test_all(void **state) {
  static const char application[][3] = {"AA", "AR", "AR", "AE", "AE"}, accept[][3] = {"CA", "CR", "CR", "CE", "CE"};
  size_t count = sizeof conditions / sizeof conditions[0];
  (void)state;
  for (size_t i = 0; i < count * count * HL7V2_FATES; i++) {
    struct bench b;
    size_t fate = i % HL7V2_FATES, a = i / HL7V2_FATES % count, c = i / HL7V2_FATES / count;
    bool original = !is_said(conditions[a].word) && !is_said(conditions[c].word), success = fate == HL7V2_ACCEPTED;
    bool first = success ? conditions[a].success : conditions[a].trouble, second = success ? conditions[c].success : conditions[c].trouble;
    bench_open(&b);
    char head[128];
    snprintf(head, sizeof head, "MSH|^~\\&|||||||ADT^A01|1|P|2.5|||%s|%s", conditions[a].word, conditions[c].word);
    scan_of(&b, head, "");
    struct hl7v2_ack_pair pair = hl7v2_ack_for(&b.message, (enum hl7v2_fate)fate);
    const char *wanted_accept = first ? accept[fate] : "", *wanted_application = original || second ? application[fate] : "";
    if (strcmp(hl7v2_ack_name(pair.accept), wanted_accept) != 0 || strcmp(hl7v2_ack_name(pair.application), wanted_application) != 0)
      fail_msg("%s, MSH-15 %s, MSH-16 %s: %s %s", fate_names[fate], conditions[a].word, conditions[c].word,
               hl7v2_ack_name(pair.accept), hl7v2_ack_name(pair.application));
    bench_close(&b);
  }
}

/* A transient fault never makes a sender give up; an acknowledgement is never answered. */
static void test_never(void **state) {
  static const char *const answers[][2] = {{"MSH|^~\\&|||||||ACK|1|P|2.5|||AL|AL", "MSA|AA|7\r"}, {"MSH|^~\\&|||||||ACK^A01^ACK|1|P|2.5|||AL|AL", ""},
                                           {"MSH|^~\\&|||||||RRA^O18|1|P|2.5|||AL|AL", "MSA|AA|7\r"}, {"MSH|^~\\&|||||||ACK", ""}};
  struct bench b;
  (void)state;
  bench_open(&b);
  for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
    for (int fate = 0; fate < HL7V2_FATES; fate++) {
      scan_of(&b, answers[i][0], answers[i][1]);
      struct hl7v2_ack_pair pair = hl7v2_ack_for(&b.message, (enum hl7v2_fate)fate);
      assert_int_equal(pair.accept, HL7V2_NO_ACK);
      assert_int_equal(pair.application, HL7V2_NO_ACK);
    }
  bench_close(&b);
}

static void test_written(void **state) {
  static const struct {
    const char *head;
    enum hl7v2_ack ack;
    enum hl7v2_fate fate;
    const char *text, *wanted;
    unsigned condition;
    struct hl7v2_place place;
  } rows[] = {
      {"MSH|^~\\&|A|B|C|D|2024||ADT^A01|7|P|2.5.1", HL7V2_AR, HL7V2_BAD, "MSH-10 is missing",
       "MSH|^~\\&|C|D|A|B|20240131||ACK^A01^ACK|k1|P|2.5.1\rMSA|AR|7|MSH-10 is missing\rERR||MSH^1^10|101^Required field missing^HL70357|E||||MSH-10 is missing\r", 101, {"MSH", 1, 10, 0, 0, 0}},
      {"MSH|^~\\&|A|B|C|D|2024||ADT^A12|7|P|2.5.1", HL7V2_AR, HL7V2_UNSUPPORTED, "",
       "MSH|^~\\&|C|D|A|B|20240131||ACK^A12^ACK|k1|P|2.5.1\rMSA|AR|7\rERR||OBX^2^5^1^3^2|201^Unsupported event code^HL70357|E\r", 201, {"OBX", 2, 5, 1, 3, 2}},
      {"MSH|^~\\&|A^1|B|C|D|2024||ADT^A01^ADT_A01|x\\T\\7|T|2.5.1|||AL|NE||8859/1", HL7V2_CA, HL7V2_ACCEPTED, "",
       "MSH|^~\\&|C|D|A^1|B|20240131||ACK^A01^ACK|k1|T|2.5.1||||||8859/1\rMSA|CA|x\\T\\7\r"},
      {"MSH|^~\\&|A|B|C|D|2024||ADT^A01|7|P|2.3", HL7V2_AR, HL7V2_BAD, "no | PID",
       "MSH|^~\\&|C|D|A|B|20240131||ACK^A01^ACK|k1|P|2.3\rMSA|AR|7|no \\F\\ PID\r"},
      {"MSH|^~\\&|A|B|C|D|2024||ADT^A01|7|P|2.8.2", HL7V2_AE, HL7V2_CONFLICT, "other content",
       "MSH|^~\\&|C|D|A|B|20240131||ACK^A01^ACK|k1|P|2.8.2\rMSA|AE|7|other content\rERR|||205^Duplicate key identifier^HL70357|E||||other content\r"},
      {"MSH$%~\\&$A$B$C$D$$$ORU%R01$7$P$2.5", HL7V2_AA, HL7V2_ACCEPTED, "",
       "MSH$%~\\&$C$D$A$B$20240131$$ACK%R01%ACK$k1$P$2.5\rMSA$AA$7\r"},
      {"MSH|^~\\&", HL7V2_AE, HL7V2_PASSING, "", "MSH|^~\\&|||||20240131||ACK|k1|P|2.5.1\rMSA|AE|\rERR|||207^Application error^HL70357|E\r"},
      {NULL, HL7V2_AR, HL7V2_BAD, "no message", "MSH|^~\\&|||||20240131||ACK|k1|P|2.5.1\rMSA|AR||no message\rERR|||207^Application error^HL70357|E||||no message\r"},
      {"MSH|^|A", HL7V2_AR, HL7V2_BAD, "a|b", "MSH|^|||A||20240131||ACK|k1|P|2.5.1\rMSA|AR||\rERR|||207^Application error^HL70357|E||||\r"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct bench b;
    struct buf out;
    bench_open(&b);
    buf_init(&out, 4096);
    if (rows[i].head) scan_of(&b, rows[i].head, "");
    struct hl7v2_ack_text text = {.control = STR("k1"), .time = STR("20240131"), .fate = rows[i].fate, .text = str_of(rows[i].text),
                                  .condition = rows[i].condition, .place = rows[i].place};
    hl7v2_ack_write(rows[i].head ? &b.message : NULL, rows[i].ack, &text, &out);
    assert_str(buf_str(&out), str_of(rows[i].wanted));
    assert_int_equal(bench_scan(&b, buf_str(&out), NULL), STATUS_OK);
    buf_release(&out);
    bench_close(&b);
  }
}

/* An answer to what cannot be read otherwise. */
static void test_head(void **state) {
  struct bench b;
  (void)state;
  bench_open(&b);
  b.source = source_make(STR("x"), STR("\nMSH|^~\\&|A|||||||7\rgarbage\r"));
  assert_int_equal(hl7v2_scan_head(&b.source, b.arena, &b.message), STATUS_OK);
  assert_int_equal(b.message.segment_count, 1);
  assert_str(hl7v2_field(&b.message, b.message.segments, 10), STR("7"));
  b.source = source_make(STR("x"), STR("\xEF\xBB\xBF\rMSH|^~\\&|A\r"));
  assert_int_equal(hl7v2_scan_head(&b.source, b.arena, &b.message), STATUS_OK);
  assert_str(b.message.source->text, STR("MSH|^~\\&|A"));
  b.source = source_make(STR("x"), STR("PID|\r"));
  assert_int_equal(hl7v2_scan_head(&b.source, b.arena, &b.message), STATUS_INVALID);
  for (int more = -1; more <= 1; more++) {
    char *text = arena_alloc(b.arena, HL7V2_HEAD_BYTES + 2);
    memset(text, 'x', HL7V2_HEAD_BYTES + 2);
    memcpy(text, "MSH|^~\\&|", 9);
    text[HL7V2_HEAD_BYTES + more] = '\r';
    b.source = source_make(STR("x"), str_make(text, HL7V2_HEAD_BYTES + 2));
    assert_int_equal(hl7v2_scan_head(&b.source, b.arena, &b.message), more > 0 ? STATUS_INVALID : STATUS_OK);
  }
  bench_close(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_all),  cmocka_unit_test(test_never), cmocka_unit_test(test_written),
      cmocka_unit_test(test_head),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
