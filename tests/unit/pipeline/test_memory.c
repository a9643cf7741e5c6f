/* Each allocation of a record's arena fails in turn: the record is refused for want of memory, and nothing
 * breaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "passage.h"

enum { DENSE = 400, STRIDE = 37, ALLOCATIONS_MAX = 1000000 };

static const struct pipeline *pipeline;

static enum status export_failing_at(struct str text, struct arena *arena, unsigned long n) {
  struct bundle_shape shape = {.submit = BUNDLE_TRANSACTION};
  struct tree_node *bundle = NULL;
  struct diag_list diags;
  arena_reset(arena);
  diag_list_init(&diags, arena);
  arena_fail_at(arena, n);
  enum status status = passage_export(pipeline, text, &shape, arena, &diags, &bundle);
  arena_fail_at(arena, 0);
  return status;
}

/* All early ones, then every 37th, until the whole passes without meeting the failure. */
static void test_each_allocation(void **state) {
  struct arena *texts = arena_new(LIMIT_ARENA_BYTES), *arena = arena_new(LIMIT_ARENA_BYTES);
  struct str text = passage_fixture("minimal", texts);
  unsigned long refused = 0, passed = 0, n = 1;
  (void)state;
  assert_int_equal(export_failing_at(text, arena, 0), STATUS_OK);
  for (; n < ALLOCATIONS_MAX && passed < 200; n += n < DENSE ? 1 : STRIDE) {
    enum status status = export_failing_at(text, arena, n);
    assert_true(status == STATUS_OK || status == STATUS_NOMEM || status == STATUS_INVALID);
    refused += status != STATUS_OK;
    passed = status == STATUS_OK ? passed + 1 : 0;
  }
  assert_true(refused > 100);
  assert_int_equal(export_failing_at(text, arena, 0), STATUS_OK); /* and all is well again */
  arena_free(texts);
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation)};
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct pipeline *opened = arena ? passage_open(arena) : NULL;
  if (!opened) return 1;
  pipeline = opened;
  int result = cmocka_run_group_tests(tests, NULL, NULL);
  pipeline_close(opened);
  arena_free(arena);
  return result;
}
