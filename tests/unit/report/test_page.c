/* The page as a whole: hostile text, notes that are kept back, what was sent, no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "report/internal.h"

#define HEAD \
  "{\"clinic\":{\"id\":\"c\",\"name\":\"C\"},\"patient\":{\"mrn\":\"M\",\"family\":\"F\",\"birthDate\":\"1984-02-29\"}," \
  "\"session\":{\"id\":\"S\",\"type\":\"ketamine-infusion\",\"status\":\"finished\"," \
  "\"start\":\"2026-03-11T09:30:00-05:00\",\"stop\":\"2026-03-11T12:25:00-05:00\"}"

struct made {
  struct arena *arena;
  struct buf page;
  enum status status;
};

static struct made make(const char *text, struct report_params params, unsigned long fail_at) {
  struct made made = {.arena = arena_new(LIMIT_ARENA_BYTES)};
  struct source source = source_make(STR("test"), str_of(text));
  struct diag_list diags;
  struct tree_node *root = NULL;
  assert_non_null(made.arena);
  diag_list_init(&diags, made.arena);
  assert_int_equal(tree_read_json(&source, NULL, made.arena, &diags, &root), STATUS_OK);
  buf_init(&made.page, LIMIT_TEXT_BYTES);
  params.record = root;
  params.arena = made.arena;
  arena_fail_at(made.arena, fail_at);
  made.status = report_session_html(&params, &made.page);
  arena_fail_at(made.arena, 0);
  buf_add_char(&made.page, '\0');
  return made;
}

static void unmake(struct made *made) {
  buf_release(&made->page);
  arena_free(made->arena);
}

static void expect_texts(const char *text, struct report_params params, const char *const *there,
                         const char *const *absent) {
  struct made made = make(text, params, 0);
  assert_int_equal(made.status, STATUS_OK);
  for (; there && *there; there++)
    if (!strstr(made.page.ptr, *there)) fail_msg("not on the page: %s", *there);
  for (; absent && *absent; absent++)
    if (strstr(made.page.ptr, *absent)) fail_msg("on the page: %s", *absent);
  unmake(&made);
}

static void test_hostile(void **state) {
  (void)state;
  static const char *const there[] = {"&lt;script&gt;alert(1)&lt;/script&gt;", "&quot; onload=&quot;x", "\xE2\x90\x9B",
                                      "\xEF\xBF\xBD", "&amp;nbsp;", "&#39;", NULL};
  static const char *const absent[] = {"<script", "\x1B", "\xE2\x80\xAE", "]]><b>", NULL};
  expect_texts(HEAD ",\"experience\":[{\"id\":\"x\",\"at\":\"2026-03-11T09:30:00-05:00\",\"text\":"
                    "\"<script>alert(1)</script>\\\" onload=\\\"x \\u001b \\u202e &nbsp; ' ]]><b>\"}]}",
               (struct report_params){0}, there, absent);
}

#define NOTES \
  HEAD ",\"notes\":[{\"id\":\"n1\",\"type\":\"progress\",\"text\":\"open words\"}," \
       "{\"id\":\"n2\",\"type\":\"progress\",\"text\":\"secret words\",\"url\":\"https://secret.example\"," \
       "\"sensitivity\":\"psychotherapy-note\"}]}"

static void test_notes(void **state) {
  (void)state;
  static const char *const open[] = {"open words", "1 psychotherapy note is kept back", NULL};
  static const char *const secret[] = {"secret", NULL};
  static const char *const all[] = {"open words", "secret words", "https://secret.example", NULL};
  static const char *const kept[] = {"kept back", NULL};
  expect_texts(NOTES, (struct report_params){0}, open, secret);
  expect_texts(NOTES, (struct report_params){.psychotherapy_notes = true}, all, kept);
}

static void test_sent(void **state) {
  (void)state;
  static const struct report_sent sent[] = {
      {.destination = {"north", 5}, .type = {"Observation", 11}, .location = {"Observation/77", 14}, .stored = true},
      {.type = {"Encounter", 9}, .reason = {"HTTP status 422", 15}},
  };
  static const char *const there[] = {"What was sent where", "Observation/77", "not stored</strong>: ", "HTTP status 422",
                                      "north", NULL};
  static const char *const absent[] = {"sent where", "Observation/77", NULL};
  struct report_params params = {.sent = sent, .sent_count = 2};
  expect_texts(HEAD "}", params, there, NULL);
  params.document = true;
  expect_texts(HEAD "}", params, NULL, absent);
}

#define DRAWN \
  HEAD ",\"vitals\":[{\"id\":\"v\",\"at\":\"2026-03-11T10:00:00-05:00\",\"systolic\":120,\"heartRate\":70,\"spo2\":97," \
       "\"oxygenLPerMin\":2}],\"doses\":[{\"id\":\"d\",\"start\":\"2026-03-11T10:00:00-05:00\",\"givenMg\":37.50," \
       "\"status\":\"completed\"}],\"scales\":[{\"id\":\"s\",\"scale\":\"phq-9\",\"at\":\"2026-03-11T09:40:00-05:00\"," \
       "\"total\":16},{\"id\":\"t\",\"scale\":\"phq-9\",\"at\":\"2026-03-11T12:00:00-05:00\",\"total\":11.5}]}"

/* What is missing is said, what is computed is right, what was written stays so. */
static void test_shown(void **state) {
  (void)state;
  static const char *const there[] = {
      "120/<span class=\"absent\">not recorded</span>", "37.50 mg",         "\xE2\x88\x92" "4.5</td>",
      "Not recorded: Respiratory rate",                 "97 O\xE2\x82\x82", "No adverse event was recorded.",
      "<h1>Ketamine infusion</h1>",                     NULL};
  static const char *const absent[] = {"entered in error", "discharge\"", "moderate event", NULL};
  expect_texts(DRAWN, (struct report_params){0}, there, absent);
}

/* Whatever allocation fails, the status says so. */
static void test_memory(void **state) {
  (void)state;
  for (unsigned long n = 1; n < 1000; n++) {
    struct made made = make(DRAWN, (struct report_params){0}, n);
    enum status status = made.status;
    unmake(&made);
    if (status == STATUS_OK) {
      assert_true(n > 30);
      return;
    }
    assert_int_equal(status, STATUS_NOMEM);
  }
  fail();
}

static void test_limit(void **state) {
  (void)state;
  struct made whole = make(NOTES, (struct report_params){0}, 0);
  size_t length = whole.page.len - 1;
  for (int more = -1; more <= 1; more++) {
    struct buf page;
    struct source source = source_make(STR("test"), str_of(NOTES));
    struct diag_list diags;
    struct report_params params = {.arena = whole.arena};
    struct tree_node *root = NULL;
    diag_list_init(&diags, whole.arena);
    assert_int_equal(tree_read_json(&source, NULL, whole.arena, &diags, &root), STATUS_OK);
    params.record = root;
    buf_init(&page, more < 0 ? length - 1 : length + (size_t)more);
    assert_int_equal(report_session_html(&params, &page), more < 0 ? STATUS_LIMIT : STATUS_OK);
    buf_release(&page);
  }
  unmake(&whole);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_hostile), cmocka_unit_test(test_notes),
                                     cmocka_unit_test(test_sent), cmocka_unit_test(test_shown),
                                     cmocka_unit_test(test_memory),
                                     cmocka_unit_test(test_limit)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
