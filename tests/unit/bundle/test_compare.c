/* test_compare.c - what was sent against what a server holds, and the page in the session note. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../pack.h"
#include "bundle/bundle.h"

static const struct definitions *definitions;
static struct arena *arena;

#define OBS "\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":{\"text\":\"pulse\"}"

static struct tree_node *read_tree(const char *text) {
  struct source *source = ARENA_ARRAY(arena, struct source, 1);
  struct diag_list diags;
  struct tree_node *root = NULL;
  diag_list_init(&diags, arena);
  *source = source_make(STR("t"), str_of(text));
  assert_int_equal(tree_read_json(source, NULL, arena, &diags, &root), STATUS_OK);
  assert_int_equal(definitions_bind(definitions, NULL, root, source, arena, &diags), STATUS_OK);
  return root;
}

static void test_compare(void **state) {
  (void)state;
  static const struct {
    const char *ours, *theirs, *lacks, *besides; /* names that differ, without and with what only the server has */
  } rows[] = {
      {"{" OBS "}", "{" OBS ",\"id\":\"1\",\"meta\":{\"versionId\":\"2\"},\"text\":{\"status\":\"empty\"}}", "", ""},
      {"{" OBS ",\"valueQuantity\":{\"value\":0.50}}", "{" OBS ",\"valueQuantity\":{\"value\":0.5}}", "", ""},
      {"{" OBS ",\"valueQuantity\":{\"value\":0.50}}", "{" OBS ",\"valueQuantity\":{\"value\":0.51}}", "valueQuantity",
       "valueQuantity"},
      {"{" OBS ",\"effectiveDateTime\":\"2026-03-11T10:00:00-05:00\"}",
       "{" OBS ",\"effectiveDateTime\":\"2026-03-11T15:00:00Z\"}", "", ""},
      {"{" OBS ",\"effectiveDateTime\":\"2026-03-11T10:00:00-05:00\"}",
       "{" OBS ",\"effectiveDateTime\":\"2026-03-11T10:00:00Z\"}", "effectiveDateTime", "effectiveDateTime"},
      {"{" OBS ",\"effectiveDateTime\":\"2026-03-11\"}", "{" OBS ",\"effectiveDateTime\":\"2026-03-11T10:00:00Z\"}",
       "effectiveDateTime", "effectiveDateTime"},
      {"{" OBS ",\"subject\":{\"reference\":\"Patient/1\"}}",
       "{" OBS ",\"subject\":{\"reference\":\"https://ehr/fhir/Patient/1/_history/3\",\"display\":\"x\"}}", "", ""},
      {"{" OBS ",\"subject\":{\"reference\":\"Patient/1\"}}", "{" OBS ",\"subject\":{\"reference\":\"Patient/2\"}}",
       "subject", "subject"},
      {"{" OBS ",\"note\":[{\"text\":\"a\"}]}", "{" OBS "}", "note", "note"},
      {"{" OBS "}", "{" OBS ",\"note\":[{\"text\":\"a\"}]}", "", "note"},
      {"{" OBS ",\"note\":[{\"text\":\"a\"}]}", "{" OBS ",\"note\":[{\"text\":\"b\"},{\"text\":\"a\"}]}", "", "note"},
      {"{" OBS ",\"meta\":{\"security\":[{\"code\":\"R\"}]}}", "{" OBS ",\"meta\":{\"tag\":[{\"code\":\"R\"}]}}",
       "meta.security", "meta.security"},
      {"{" OBS ",\"_effectiveDateTime\":{\"extension\":[{\"url\":\"http://x\",\"valueCode\":\"a\"}]}}", "{" OBS "}",
       "effectiveDateTime", "effectiveDateTime"},
      {"{" OBS ",\"valueBoolean\":true}", "{" OBS ",\"valueBoolean\":false}", "valueBoolean", "valueBoolean"},
      {"{" OBS ",\"valueString\":\"5\"}", "{" OBS ",\"valueString\":\"5.0\"}", "valueString", "valueString"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    for (int extra = 0; extra < 2; extra++) {
      struct str names[4] = {STR("")};
      const char *want = extra ? rows[i].besides : rows[i].lacks;
      size_t count = bundle_compare(read_tree(rows[i].ours), read_tree(rows[i].theirs), extra, names, 4);
      if (count != (*want ? 1 : 0) || (count && !str_is(names[0], want)))
        fail_msg("row %zu: %zu names, %.*s; wanted %s", i, count, STR_ARG(names[0]), want);
    }
}

static void test_cap(void **state) {
  (void)state;
  struct str names[2];
  const char *ours = "{" OBS ",\"note\":[{\"text\":\"a\"}],\"issued\":\"2026-03-11T10:00:00Z\",\"valueString\":\"x\"}";
  for (size_t max = 0; max <= 2; max++)
    assert_int_equal(bundle_compare(read_tree(ours), read_tree("{" OBS "}"), false, names, max), max);
}

static void test_note(void **state) {
  (void)state;
  struct diag_list diags;
  diag_list_init(&diags, arena);
  struct bundle_params params = {.definitions = definitions, .arena = arena, .diags = &diags};
  struct tree_node *note = read_tree("{\"resourceType\":\"DocumentReference\",\"meta\":{\"tag\":[{\"system\":"
                                     "\"http://ketlink.dev/fhir/CodeSystem/local\",\"code\":\"session-note\"}]},"
                                     "\"content\":[{\"attachment\":{\"contentType\":\"text/html\"}}]}");
  assert_true(bundle_is_session_note(note));
  assert_int_equal(bundle_note_fill(&params, note, STR("abc")), STATUS_OK);
  const struct tree_node *file = tree_find(tree_find(note, "content"), "attachment");
  assert_true(str_is(tree_text(file, "data"), "YWJj"));
  assert_true(str_is(tree_text(file, "size"), "3"));
  assert_int_equal(tree_find(file, "size")->kind, TREE_NUMBER);
  assert_true(str_is(tree_text(file, "hash"), "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=")); /* of RFC 3174's "abc" */
  note = read_tree("{\"resourceType\":\"DocumentReference\",\"meta\":{\"tag\":[{\"code\":\"session-note\"}]}}");
  assert_false(bundle_is_session_note(note));
  assert_int_equal(bundle_note_fill(&params, note, STR("abc")), STATUS_INVALID);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_compare), cmocka_unit_test(test_cap),
                                     cmocka_unit_test(test_note)};
  struct definitions *opened = pack_open();
  if (!opened) return PACK_SKIPPED;
  definitions = opened;
  arena = arena_new(16 << 20);
  int result = cmocka_run_group_tests(tests, NULL, NULL);
  arena_free(arena);
  definitions_close(opened);
  return result;
}
