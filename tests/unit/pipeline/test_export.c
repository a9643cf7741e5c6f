/* The sentence of the design: good records come out the same each time, in each shape; bad ones stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "passage.h"

static const struct pipeline *pipeline;

static struct str written(const struct tree_node *bundle, struct arena *arena) {
  struct tree_write options = {0};
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  tree_write_json(bundle, &options, &text);
  struct str copy = buf_take_str(&text, arena);
  buf_release(&text);
  return copy;
}

static void test_deterministic(void **state) {
  struct arena *arenas[2];
  struct str texts[2];
  (void)state;
  for (int i = 0; i < 2; i++) {
    struct tree_node *bundle = NULL;
    struct diag_list diags;
    arenas[i] = arena_new(LIMIT_ARENA_BYTES);
    diag_list_init(&diags, arenas[i]);
    assert_int_equal(
        passage_export(pipeline, passage_fixture("iv-trd", arenas[i]), NULL, arenas[i], &diags, &bundle),
        STATUS_OK);
    texts[i] = written(bundle, arenas[i]);
  }
  assert_true(texts[0].len > 10000);
  assert_true(str_eq(texts[0], texts[1]));
  arena_free(arenas[0]);
  arena_free(arenas[1]);
}

/* Each shape gives a Bundle that its definitions accept: export validates what it makes. */
static void test_shapes(void **state) {
  static const struct {
    struct bundle_shape shape;
    const char *type;
    bool has_request, has_id;
  } rows[] = {
      {{.submit = BUNDLE_TRANSACTION}, "transaction", true, false},
      {{.submit = BUNDLE_TRANSACTION, .idempotency = BUNDLE_CONDITIONAL_CREATE}, "transaction", true, false},
      {{.submit = BUNDLE_BATCH}, "batch", true, false},
      {{.submit = BUNDLE_SINGLE, .idempotency = BUNDLE_SEARCH_FIRST}, "batch", true, false},
      {{.submit = BUNDLE_COLLECTION}, "collection", false, true},
      {{.submit = BUNDLE_RESOURCES}, "collection", false, true},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
    struct tree_node *bundle = NULL;
    struct diag_list diags;
    diag_list_init(&diags, arena);
    struct str text = passage_fixture("im-stopped-early", arena);
    assert_int_equal(passage_export(pipeline, text, &rows[i].shape, arena, &diags, &bundle), STATUS_OK);
    const struct tree_node *entry = tree_find(bundle, "entry");
    assert_string_equal(arena_str(arena, tree_text(bundle, "type")).ptr, rows[i].type);
    assert_int_equal(tree_find(entry, "request") != NULL, rows[i].has_request);
    assert_int_equal(tree_find(tree_find(entry, "resource"), "id") != NULL, rows[i].has_id);
    arena_free(arena);
  }
}

static void test_bad_record_stops(void **state) {
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct tree_node *bundle = NULL;
  struct diag_list diags;
  (void)state;
  diag_list_init(&diags, arena);
  struct str text = passage_fixture("bad-out-of-range", arena);
  assert_int_equal(passage_export(pipeline, text, NULL, arena, &diags, &bundle), STATUS_INVALID);
  assert_null(bundle); /* nothing was mapped */
  assert_true(diag_failed(&diags));
  arena_free(arena);
}

static void test_resource_is_refused(void **state) {
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct tree_node *bundle = NULL;
  struct diag_list diags;
  (void)state;
  diag_list_init(&diags, arena);
  assert_int_equal(
      passage_export(pipeline, STR("{\"resourceType\":\"Patient\"}"), NULL, arena, &diags, &bundle),
      STATUS_INVALID);
  assert_int_equal(diags.first->code, DIAG_INPUT_FORMAT);
  arena_free(arena);
}

/* Riverside is in Chicago: -06:00 in winter, -05:00 from 8 March 2026 on. The visit began in winter, by a clock that tells no offset. */
static void test_offset_of_sender(void **state) {
  static const struct {
    const char *sent, *begin;
  } rows[] = {
      {"20260310080000", "2026-01-15T08:00:00-06:00"},      /* by the rules of the zone */
      {"20260310080000-0500", "2026-01-15T08:00:00-06:00"}, /* as the clocks of the zone had it when it was sent */
      {"20260310080000+0200", "2026-01-15T08:00:00+02:00"}, /* which those did not: the sender's own */
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
    struct tree_node *bundle = NULL;
    struct diag_list diags;
    struct bundle_shape shape = {.submit = BUNDLE_COLLECTION};
    diag_list_init(&diags, arena);
    struct str text = arena_printf(arena,
                                   "MSH|^~\\&|CLINICEHR|RIVERSIDE|KETLINK|GATEWAY|%s||ADT^A04^ADT_A01|C-1|P|2.5.1\r"
                                   "PID|1||MRN-1^^^RIVERSIDE^MR||Doe^Jordan||19840229|F\r"
                                   "PV1|1|O|||||||||||||||||V-1^^^RIVERSIDE^VN|||||||||||||||||||||||||20260115080000\r",
                                   rows[i].sent);
    assert_int_equal(passage_export(pipeline, text, &shape, arena, &diags, &bundle), STATUS_OK);
    struct str out = written(bundle, arena), begin = arena_printf(arena, "\"start\":\"%s\"", rows[i].begin);
    if (str_find(out, begin, 0) == SIZE_MAX) fail_msg("%s: %.*s", rows[i].sent, STR_ARG(out));
    arena_free(arena);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_deterministic), cmocka_unit_test(test_shapes),
                                     cmocka_unit_test(test_bad_record_stops),
                                     cmocka_unit_test(test_resource_is_refused),
                                     cmocka_unit_test(test_offset_of_sender)};
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct pipeline *opened = arena ? passage_open(arena) : NULL;
  if (!opened) return 1;
  pipeline = opened;
  int result = cmocka_run_group_tests(tests, NULL, NULL);
  pipeline_close(opened);
  arena_free(arena);
  return result;
}
