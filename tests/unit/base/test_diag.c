/* test_diag.c - diagnostics: collecting, capping, rendering. */
#include "table.h"

static const char *const SEVERITIES[] = {"information", "warning", "error", "fatal"};

static void expect(struct buf *out, const char *text) {
  if (!str_is(buf_str(out), text)) fail_msg("expected:\n%s\ngot:\n%.*s", text, STR_ARG(buf_str(out)));
  buf_reset(out);
}

static void test_render(void **state) {
  (void)state;
  struct arena *arena = arena_new(1 << 20);
  struct diag_list list;
  struct buf out;
  struct source source = source_make(STR("rec.json"), STR("{\n \"é\": 1}"));
  struct diag_at at = {&source, 8, STR("Patient.name[0]"), STR("name.exists()")};
  buf_init(&out, 1 << 16);
  diag_list_init(&list, arena);
  diag_render_json(&list, &out);
  expect(&out, "[]");
  diag_error(&list, DIAG_WRONG_TYPE, &at, "give a %s", "string");
  diag_render_text(list.first, &out);
  expect(&out, "rec.json:2:6: error wrong-type: give a string [Patient.name[0]]");
  diag_render_validator(list.first, &out);
  expect(&out, "  Error @ Patient.name[0] (line 2, col 6): give a string");
  diag_render_json(&list, &out);
  expect(
      &out,
      "[{\"severity\":\"error\",\"code\":\"wrong-type\",\"message\":\"give a string\",\"file\":\"rec.json\","
      "\"line\":2,\"column\":6,\"path\":\"Patient.name[0]\",\"expression\":\"name.exists()\","
      "\"help\":\"Write the value in the type that the definition asks for.\"}]");
  diag_render_outcome(&list, (struct str){0}, &out);
  expect(
      &out,
      "{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"extension\":[{\"url\":\"http://hl7.org/fhir/"
      "StructureDefinition/operationoutcome-issue-line\",\"valueInteger\":2},{\"url\":\"http://hl7.org/fhir/"
      "StructureDefinition/operationoutcome-issue-col\",\"valueInteger\":6}],\"severity\":\"error\",\"code\":"
      "\"structure\",\"details\":{\"coding\":[{\"system\":\"http://ketlink.dev/fhir/CodeSystem/"
      "diagnostic\",\"code\":"
      "\"wrong-type\"}],\"text\":\"give a string\"},\"diagnostics\":\"Write the value in the type that the "
      "definition "
      "asks for.\",\"expression\":[\"Patient.name[0]\"]}]}");
  buf_release(&out);
  arena_free(arena);
}

static void test_unknown_place(void **state) {
  (void)state;
  struct arena *arena = arena_new(1 << 20);
  struct diag_list list;
  struct buf out;
  struct source source = source_make(STR("a.json"), (struct str){0});
  struct diag_at at = {.source = &source};
  buf_init(&out, 1 << 16);
  diag_list_init(&list, arena);
  diag_render_outcome(&list, (struct str){0}, &out);
  expect(&out, "{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"severity\":\"information\",\"code\":"
               "\"informational\",\"details\":{\"text\":\"All OK\"}}]}");
  diag_warning(&list, DIAG_UNMAPPED_CODE, NULL, "no row");
  diag_render_text(list.first, &out);
  expect(&out, "warning unmapped-code: no row");
  diag_render_validator(list.first, &out);
  expect(&out, "  Warning @ (document): no row");
  diag_information(&list, DIAG_MAP_LOG, &at, "said");
  diag_render_text(list.last, &out);
  expect(&out, "a.json: information map-log: said");
  assert_false(diag_failed(&list));
  assert_int_equal(list.count, 2);
  buf_release(&out);
  arena_free(arena);
}

/* The profile and the rule, as HL7's validator says them. */
static void test_rule(void **state) {
  (void)state;
  struct arena *arena = arena_new(1 << 20);
  struct diag_list list;
  struct buf out;
  struct diag_at at = {.path = STR("Period"), .profile = STR("http://p"), .rule = STR("per-1")};
  buf_init(&out, 1 << 16);
  diag_list_init(&list, arena);
  diag_error(&list, DIAG_CONSTRAINT_FAILED, &at, "per-1: start before end");
  diag_render_text(list.first, &out);
  expect(&out, "error constraint-failed: per-1: start before end [Period] (defined in http://p)");
  diag_render_validator(list.first, &out);
  expect(&out, "  Error @ Period: per-1: start before end (defined in http://p)");
  diag_render_outcome(&list, STR("a\"b.json"), &out);
  expect(&out,
         "{\"resourceType\":\"OperationOutcome\",\"extension\":[{\"url\":\"http://hl7.org/fhir/"
         "StructureDefinition/"
         "operationoutcome-file\",\"valueString\":\"a\\\"b.json\"}],\"issue\":[{\"extension\":[{\"url\":"
         "\"http://"
         "hl7.org/fhir/StructureDefinition/operationoutcome-message-id\",\"valueCode\":\"http://p#per-1\"}],"
         "\"severity\":\"error\",\"code\":\"invariant\",\"details\":{\"coding\":[{\"system\":\"http://"
         "ketlink.dev/fhir/"
         "CodeSystem/diagnostic\",\"code\":\"constraint-failed\"}],\"text\":\"per-1: start before end\"},"
         "\"diagnostics\":\"Correct the values that the rule speaks of.\",\"expression\":[\"Period\"]}]}");
  diag_render_json(&list, &out);
  expect(&out, "[{\"severity\":\"error\",\"code\":\"constraint-failed\",\"message\":\"per-1: start before end\",\"path\":\"Period\","
               "\"profile\":\"http://p\",\"rule\":\"per-1\",\"help\":\"Correct the values that the rule speaks of.\"}]");
  list.first->rule = (struct str){0};
  diag_render_outcome(&list, (struct str){0}, &out);
  assert_true(str_find(buf_str(&out), STR("\"http://p#constraint-failed\""), 0) != SIZE_MAX);
  buf_release(&out);
  arena_free(arena);
}

/* Values can be taken out again, whatever they are. */
static void test_values(void **state) {
  (void)state;
  struct arena *arena = arena_new(1 << 20);
  struct diag_list list;
  struct str name = diag_value(arena, STR("a\x02z\"")), nothing = diag_value(arena, STR(""));
  struct diag_at at = {.path = arena_printf(arena, "Patient.%.*s", STR_ARG(name))};
  diag_list_init(&list, arena);
  assert_int_equal(nothing.len, 0);
  diag_error(&list, DIAG_UNKNOWN_ELEMENT, &at, "no \"%.*s\" here, \"%.*s\"%.*s", STR_ARG(name), STR_ARG(name), STR_ARG(nothing));
  diag_error(&list, DIAG_UNKNOWN_ELEMENT, NULL, "nothing");
  assert_string_equal(list.first->message.ptr, "no \"a\\u0002z\\\"\" here, \"a\\u0002z\\\"\"");
  assert_string_equal(list.first->path.ptr, "Patient.a\\u0002z\\\"");
  diag_hide_values(&list);
  assert_string_equal(list.first->message.ptr, "no \"…\" here, \"…\"");
  assert_string_equal(list.first->path.ptr, "Patient.…");
  assert_string_equal(list.last->message.ptr, "nothing");
  arena_free(arena);
}

/* What breaks lines, reorders text or is no UTF-8 never reaches a message as it is. */
static void test_hostile(void **state) {
  (void)state;
  struct arena *arena = arena_new(1 << 20);
  struct diag_list list;
  struct source source = source_make(STR("a\nb\xff.json"), STR("x"));
  struct diag_at at = {.source = &source, .path = STR("a\r[0]")};
  char longer[200];
  memset(longer, 'y', sizeof longer);
  diag_list_init(&list, arena);
  struct str quoted = diag_quote(arena, STR("a\"b\\\n\t\x01\xE2\x80\xAE\xFFz"));
  assert_string_equal(quoted.ptr, "a\\\"b\\\\\\n\\t\\u0001\\u202e\\xffz");
  quoted = diag_quote(arena, str_make(longer, sizeof longer));
  assert_int_equal(quoted.len, DIAG_QUOTE_MAX + 3);
  for (size_t len = DIAG_QUOTE_MAX - 1; len <= DIAG_QUOTE_MAX; len++)
    assert_int_equal(diag_quote(arena, str_make(longer, len)).len, len);
  assert_int_equal(diag_quote(arena, str_make(longer, DIAG_QUOTE_MAX + 1)).len, DIAG_QUOTE_MAX + 3);
  diag_error(&list, DIAG_JSON_SYNTAX, &at, "one\ntwo \"%s\"", "\xE2\x80\xA8");
  assert_string_equal(list.first->message.ptr, "one\\ntwo \"\\u2028\"");
  assert_string_equal(list.first->file.ptr, "a\\nb\\xff.json");
  assert_string_equal(list.first->path.ptr, "a\\r[0]");
  assert_int_equal(utf8_invalid_at(list.first->file), SIZE_MAX);
  assert_string_equal(diag_clean(arena, STR("\xC3\xA4\x7F\xC2\x9B" "31m")).ptr, "\xC3\xA4\\u007f\\u009b31m");
  arena_free(arena);
}

static void test_cap(void **state) {
  (void)state;
  struct arena *arena = arena_new(8 << 20);
  struct diag_list list;
  struct buf out;
  buf_init(&out, 8 << 20);
  diag_list_init(&list, arena);
  for (int i = 0; i < DIAG_LIST_MAX + 1; i++) {
    assert_int_equal(list.dropped, 0);
    diag_warning(&list, DIAG_UNMAPPED_CODE, NULL, "no row %d", i);
  }
  assert_int_equal(list.count, DIAG_LIST_MAX);
  assert_int_equal(list.dropped, 1);
  assert_false(diag_failed(&list));
  for (int i = 0; i < DIAG_LIST_MAX + 1; i++) {
    assert_int_equal(list.dropped, 1);
    diag_error(&list, DIAG_WRONG_TYPE, NULL, "why it is refused %d", i);
  }
  assert_int_equal(list.count, 2 * DIAG_LIST_MAX);
  assert_int_equal(list.dropped, 2);
  assert_int_equal(diag_errors(&list), DIAG_LIST_MAX + 1);
  diag_render_outcome(&list, (struct str){0}, &out);
  assert_true(str_find(buf_str(&out), STR("\"incomplete\""), 0) != SIZE_MAX);
  buf_release(&out);
  arena_free(arena);
}

static void test_take(void **state) {
  (void)state;
  struct arena *arena = arena_new(8 << 20);
  struct diag_list list, other;
  diag_list_init(&list, arena);
  diag_list_init(&other, arena);
  diag_information(&list, DIAG_MAP_LOG, NULL, "first");
  diag_error(&other, DIAG_WRONG_TYPE, NULL, "second");
  diag_warning(&other, DIAG_UNMAPPED_CODE, NULL, "third");
  diag_take(&list, &other, DIAG_WARNING);
  assert_int_equal(list.count, 3);
  assert_int_equal(other.count, 0);
  assert_false(diag_failed(&list));
  assert_int_equal(list.by_severity[DIAG_WARNING], 2);
  assert_int_equal(list.first->next->severity, DIAG_WARNING);
  assert_true(str_is(list.last->message, "third"));
  for (int i = 0; i < DIAG_LIST_MAX - 2; i++)
    diag_warning(&other, DIAG_UNMAPPED_CODE, NULL, "one too many with those before");
  diag_error(&other, DIAG_WRONG_TYPE, NULL, "has a room of its own");
  diag_take(&list, &other, DIAG_FATAL);
  assert_int_equal(list.count, DIAG_LIST_MAX + 1);
  assert_int_equal(list.dropped, 1);
  assert_int_equal(diag_errors(&list), 1);
  assert_true(str_is(list.last->message, "has a room of its own"));
  arena_free(arena);
}

static void test_no_memory(void **state) {
  (void)state;
  struct source source = source_make(STR("a.json"), STR("x"));
  struct diag_at at = {.source = &source, .path = STR("p"), .expression = STR("e")};
  for (unsigned long n = 1;; n++) {
    struct arena *arena = arena_new(1 << 20);
    struct diag_list list;
    diag_list_init(&list, arena);
    arena_fail_at(arena, n);
    diag_error(&list, DIAG_WRONG_TYPE, &at, "give a %s", "string");
    assert_int_equal(diag_errors(&list), 1);
    assert_int_equal(list.count + list.dropped, 1);
    bool done = list.count == 1;
    arena_free(arena);
    if (done) break;
    assert_true(n < 20);
  }
}

/* Every code has its words, and they are unlike. */
static void test_codes(void **state) {
  (void)state;
  for (int code = 0; code < DIAG_CODE_COUNT; code++) {
    assert_true(strlen(diag_code_name((enum diag_code)code)) > 3);
    assert_true(strlen(diag_code_issue((enum diag_code)code)) > 3);
    assert_true(strlen(diag_code_help((enum diag_code)code)) > 10);
    for (int other = 0; other < code; other++)
      assert_string_not_equal(diag_code_name((enum diag_code)code), diag_code_name((enum diag_code)other));
  }
  for (int severity = 0; severity < 4; severity++)
    assert_string_equal(diag_severity_name((enum diag_severity)severity), SEVERITIES[severity]);
  for (int status = 0; status <= STATUS_NOMEM; status++) {
    assert_string_not_equal(status_name((enum status)status), "unknown");
    for (int other = 0; other < status; other++)
      assert_string_not_equal(status_name((enum status)status), status_name((enum status)other));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_render),    cmocka_unit_test(test_unknown_place), cmocka_unit_test(test_values), cmocka_unit_test(test_hostile),
      cmocka_unit_test(test_rule),      cmocka_unit_test(test_take),          cmocka_unit_test(test_cap),
      cmocka_unit_test(test_no_memory), cmocka_unit_test(test_codes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
