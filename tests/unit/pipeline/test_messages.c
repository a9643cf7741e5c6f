/* A record as messages of HL7 v2: how large one may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "passage.h"

/* No text of a record is that long: several are, each full of what takes three bytes in a message. */
enum { TEXTS = 3, DELIMITERS = 920000 };

static const struct pipeline *pipeline;

/* The fixture with allergies whose reactions are delimiters, and one more of so many letters. */
static struct str record_of(size_t letters, struct arena *arena) {
  struct str text = passage_fixture("iv-trd", arena), list = STR("\"allergies\": [");
  size_t at = str_find(text, list, 0) + list.len;
  struct buf out;
  buf_init(&out, LIMIT_TEXT_BYTES);
  buf_add_str(&out, str_slice(text, 0, at));
  for (size_t i = 0; i <= TEXTS; i++) {
    buf_printf(&out, "{ \"id\": \"X%zu\", \"substance\": \"x\", \"status\": \"active\", \"reaction\": \"", i);
    for (size_t c = 0; c < (i < TEXTS ? (size_t)DELIMITERS : letters); c++)
      buf_add_char(&out, i < TEXTS ? '|' : 'x');
    buf_add_text(&out, "\" }, ");
  }
  buf_add_str(&out, str_slice(text, at, text.len));
  struct str copy = buf_take_str(&out, arena);
  buf_release(&out);
  return copy;
}

/* Its longest message; 0 unless OK. */
static size_t longest(struct str text, struct arena *arena, struct diag_list *diags, enum status *status) {
  struct pipeline_message_policy policy = pipeline_message_policy_usual();
  struct pipeline_run run = {.arena = arena, .diags = diags, .quiet = true};
  struct intake_input input = intake_open(STR("record.json"), text);
  struct intake_record record = {0};
  struct pipeline_message *messages = NULL;
  size_t count = 0, most = 0;
  assert_int_equal(intake_next(&input, pipeline_definitions(pipeline), pipeline_routes(pipeline), arena, diags, &record), STATUS_OK);
  *status = pipeline_messages(pipeline, &record, &run, &policy, &messages, &count);
  for (size_t i = 0; i < count; i++)
    if (messages[i].bytes.len > most) most = messages[i].bytes.len;
  return most;
}

static void a_message_has_a_cap(void **state) {
  struct arena *arena = arena_new((size_t)1 << 30);
  struct diag_list diags;
  enum status status;
  (void)state;
  diag_list_init(&diags, arena);
  size_t without = longest(record_of(1, arena), arena, &diags, &status);
  assert_int_equal(status, STATUS_OK);
  for (size_t size = LIMIT_RECORD_BYTES - 1; size <= LIMIT_RECORD_BYTES + 1; size++) {
    bool fits = size <= LIMIT_RECORD_BYTES;
    size_t errors = diag_errors(&diags);
    size_t got = longest(record_of(size - without + 1, arena), arena, &diags, &status);
    assert_int_equal(status, fits ? STATUS_OK : STATUS_INVALID);
    assert_int_equal(got, fits ? size : 0);
    assert_int_equal(diag_errors(&diags) - errors, !fits);
  }
  assert_int_equal(diags.last->code, DIAG_INPUT_TOO_LARGE);
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_message_has_a_cap)};
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct pipeline *opened = passage_open(arena);
  if (!opened) return 1;
  pipeline = opened;
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  pipeline_close(opened);
  arena_free(arena);
  return failed;
}
