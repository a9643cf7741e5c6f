/* The rules of care and the clinic's policy: read, refused with its place, and kept to, record by record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "passage.h"

/* A machine on which policy.json says what the test wants; NULL: there is none. */
static struct str policy_text;

static enum status read_file(void *context, const char *path, size_t max, struct arena *arena,
                             struct str *out) {
  if (!str_ends(str_of(path), STR("/policy.json")))
    return host_system()->read_file(context, path, max, arena, out);
  if (policy_text.len > max) return STATUS_LIMIT;
  *out = arena_str(arena, policy_text);
  return out->ptr ? STATUS_OK : STATUS_NOMEM;
}

static enum status list_files(void *context, const char *folder, struct str suffix, struct arena *arena,
                              struct str **names, size_t *count) {
  if (!str_is(suffix, "policy.json"))
    return host_system()->list_files(context, folder, suffix, arena, names, count);
  static struct str name = {"policy.json", 11};
  *names = &name;
  *count = policy_text.ptr ? 1 : 0;
  return STATUS_OK;
}

static enum status open_with(struct str text, bool mending, struct arena *arena, struct diag_list *diags,
                             struct pipeline **out) {
  static struct host host;
  host = *host_system();
  host.read_file = read_file;
  host.list_files = list_files;
  policy_text = text;
  diag_list_init(diags, arena);
  const char *pack = getenv("KETLINK_DEFINITIONS");
  struct pipeline_params params = {.host = &host,
                                   .definitions = pack ? pack : SOURCE_DIR "/build/definitions.pack",
                                   .mappings = SOURCE_DIR "/mappings",
                                   .checklist = true,
                                   .mending = mending};
  return pipeline_open(&params, diags, out);
}

static const struct pipeline_rule *rule_named(const struct pipeline *pipeline, const char *key) {
  const struct pipeline_rules *rules = pipeline_rules_of(pipeline, &pipeline_routes(pipeline)->routes[0]);
  for (size_t i = 0; i < rules->count; i++)
    if (str_is(rules->items[i].constraint.key, key)) return &rules->items[i];
  return NULL;
}

static void test_levels(void **state) {
  static const struct {
    const char *text, *key;
    enum validation_level level;
  } rows[] = {
      {NULL, "bp-before", VALIDATION_WARNING},
      {"{\"rules\":{}}", "was-sum", VALIDATION_ERROR},
      {"{\"rules\":{\"was-sum\":\"warning\"}}", "was-sum", VALIDATION_WARNING},
      {"{\"rules\":{\"was-sum\":\"off\",\"bp-before\":\"error\"}}", "was-sum", VALIDATION_OFF},
      {"{\"rules\":{\"was-sum\":\"off\",\"bp-before\":\"error\"}}", "bp-before", VALIDATION_ERROR},
      {"{\"description\":\"ours\",\"rules\":{\"bp-before\":\"warning\"}}", "bp-before", VALIDATION_WARNING},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct arena *arena = arena_new(16 << 20);
    struct pipeline *pipeline = NULL;
    struct diag_list diags;
    assert_int_equal(open_with(str_of(rows[i].text), false, arena, &diags, &pipeline), STATUS_OK);
    assert_int_equal(rule_named(pipeline, rows[i].key)->level, rows[i].level);
    pipeline_close(pipeline);
    arena_free(arena);
  }
}

static void test_faults(void **state) {
  static const struct {
    const char *text, *says;
    uint32_t line, col;
  } rows[] = {
      {"{}", "rules is missing", 0, 0},
      {"{\"rules\":[]}", "rules must be an object", 1, 2},
      {"{\"rules\":{},\n \"rule\":{}}", "rule is not a known key; did you mean rules?", 2, 2},
      {"{\"rules\":{\n  \"bp-befor\":\"error\"}}", "rules.bp-befor is not a known key; did you mean bp-before?", 2, 3},
      {"{\"rules\":{\"nothing-like-it\":\"off\"}}", "rules.nothing-like-it is not a known key", 1, 11},
      {"{\"rules\":{\"was-sum\":\"fatal\"}}", "rules.was-sum must be one of: off, warning, error", 1, 11},
      {"{\"rules\":{\"was-sum\":\"Error\"}}",
       "rules.was-sum must be one of: off, warning, error; did you mean error?", 1, 11},
      {"{\"rules\":{\"was-sum\":false}}", "rules.was-sum must be a string", 1, 11},
      {"{\"rules\":{\"rec-ids\":\"off\"}}",
       "rules.rec-ids is no rule of care: maps rely on it, so that it is always as the model says", 1, 11},
      {"{\"rules\":{\"was-sum\":\"off\",\"was-sum\":\"error\"}}", "duplicate object key near '\"was-sum\"'", 1, 35},
      {"{\"rules\":{\"was-sum\":\"off\"}", NULL, 1, 0},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct arena *arena = arena_new(16 << 20);
    struct pipeline *pipeline = NULL;
    struct diag_list diags;
    assert_int_equal(open_with(str_of(rows[i].text), false, arena, &diags, &pipeline), STATUS_CONFIG);
    assert_null(pipeline);
    if (rows[i].says) assert_string_equal(diags.first->message.ptr, rows[i].says);
    assert_int_equal(diags.first->line, rows[i].line);
    if (rows[i].col) assert_int_equal(diags.first->col, rows[i].col);
    arena_free(arena);
  }
}

/* All faults at once; and map check goes on in spite of them. */
static void test_mending(void **state) {
  struct arena *arena = arena_new(16 << 20);
  struct pipeline *pipeline = NULL;
  struct diag_list diags;
  struct str text = STR("{\"rules\":{\"bp-befor\":\"error\",\"was-sum\":\"of\",\"rec-ids\":\"off\"}}");
  (void)state;
  assert_int_equal(open_with(text, false, arena, &diags, &pipeline), STATUS_CONFIG);
  assert_int_equal(diag_errors(&diags), 3);
  assert_int_equal(open_with(text, true, arena, &diags, &pipeline), STATUS_OK);
  assert_int_equal(diag_errors(&diags), 3);
  pipeline_close(pipeline);
  arena_free(arena);
}

/* A policy of 1 MiB is read, one of a byte more is not. */
static void test_size(void **state) {
  enum { MOST = 1 << 20 };
  (void)state;
  for (int more = -1; more <= 1; more++) {
    struct arena *arena = arena_new(16 << 20);
    struct pipeline *pipeline = NULL;
    struct diag_list diags;
    struct buf text;
    buf_init(&text, MOST + 1);
    buf_add_text(&text, "{\"rules\":{}}");
    while (text.len < (size_t)(MOST + more))
      buf_add_char(&text, ' ');
    assert_int_equal(open_with(buf_str(&text), false, arena, &diags, &pipeline),
                     more > 0 ? STATUS_CONFIG : STATUS_OK);
    pipeline_close(pipeline);
    buf_release(&text);
    arena_free(arena);
  }
}

/* --- a record, rule by rule --- */

static enum pipeline_mark mark_of(const struct pipeline_checklist *list, const char *key) {
  for (size_t i = 0; i < list->rules->count; i++)
    if (str_is(list->rules->items[i].constraint.key, key)) return list->marks[i];
  fail_msg("no rule %s", key);
  return PIPELINE_MARKS;
}

static void check_fixture(struct str policy, const char *fixture, struct arena *arena,
                          struct pipeline_checklist *list, struct pipeline **pipeline) {
  struct diag_list diags;
  struct intake_record *record = ARENA_NEW(arena, struct intake_record);
  assert_int_equal(open_with(policy, false, arena, &diags, pipeline), STATUS_OK);
  struct intake_input input = intake_open(STR("record.json"), passage_fixture(fixture, arena));
  enum status status = intake_next(&input, pipeline_definitions(*pipeline), pipeline_routes(*pipeline), arena,
                                   &diags, record);
  assert_true(status == STATUS_OK || status == STATUS_INVALID);
  assert_int_equal(pipeline_check(*pipeline, record, arena, &diags, list), STATUS_OK);
}

static void test_marks(void **state) {
  static const struct {
    const char *policy, *fixture, *key;
    enum pipeline_mark mark;
  } rows[] = {
      {NULL, "bad-dose-mismatch", "was-sum", PIPELINE_FAILS},
      {"{\"rules\":{\"was-sum\":\"warning\"}}", "bad-dose-mismatch", "was-sum", PIPELINE_WARNS},
      {"{\"rules\":{\"was-sum\":\"off\"}}", "bad-dose-mismatch", "was-sum", PIPELINE_RULE_OFF},
      {"{\"rules\":{\"bp-leaving\":\"error\"}}", "bad-dose-mismatch", "bp-leaving", PIPELINE_FAILS},
      {NULL, "bad-dose-mismatch", "bp-before", PIPELINE_HOLDS},
      {NULL, "minimal", "was-sum", PIPELINE_NOT_APPLICABLE},
      {NULL, "bad-word", "bp-before", PIPELINE_NOT_KNOWN},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
    struct pipeline *pipeline = NULL;
    struct pipeline_checklist list;
    check_fixture(str_of(rows[i].policy), rows[i].fixture, arena, &list, &pipeline);
    assert_int_equal(mark_of(&list, rows[i].key), rows[i].mark);
    size_t sum = 0;
    for (size_t k = 0; k < PIPELINE_MARKS; k++)
      sum += list.by_mark[k];
    assert_int_equal(sum, list.rules->count);
    pipeline_close(pipeline);
    arena_free(arena);
  }
}

static void test_groups(void **state) {
  (void)state;
  assert_true(str_is(pipeline_group_title(STR("before")), "Before the dose"));
  assert_true(str_is(pipeline_group_title(STR("billing")), "billing"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_levels), cmocka_unit_test(test_faults), cmocka_unit_test(test_mending),
      cmocka_unit_test(test_size),   cmocka_unit_test(test_marks),  cmocka_unit_test(test_groups),
  };
  const char *pack = getenv("KETLINK_DEFINITIONS");
  if (access(pack ? pack : SOURCE_DIR "/build/definitions.pack", R_OK) != 0) {
    printf("skipped: no definition pack (scripts/setup makes one)\n");
    return PASSAGE_SKIPPED;
  }
  return cmocka_run_group_tests(tests, NULL, NULL);
}
