/* A tree deeper than the walk goes gives no verdict in silence: LIMIT, and a finding that says so. The readers refuse such
   a text by the same cap; here their cap is raised. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../pack.h"
#include "validation/validation.h"

static const struct definitions *definitions;

/* Items within items: the root and the items are `levels` + 1 nodes deep, their linkId one more. */
static struct str nested(struct arena *arena, int levels) {
  struct buf text;
  buf_init(&text, 1 << 20);
  buf_add_text(&text, "{\"resourceType\":\"QuestionnaireResponse\",\"status\":\"completed\"");
  for (int i = 0; i < levels; i++)
    buf_add_text(&text, ",\"item\":[{\"linkId\":\"a\"");
  for (int i = 0; i < levels; i++)
    buf_add_text(&text, "}]");
  buf_add_char(&text, '}');
  struct str taken = buf_take_str(&text, arena);
  buf_release(&text);
  return taken;
}

static enum status check(const struct validation *validation, int levels, bool *told) {
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct source source = source_make(STR("deep.json"), nested(arena, levels));
  struct tree_limits limits = tree_limits_default();
  struct tree_node *root = NULL;
  struct diag_list diags;
  limits.depth = 256;
  diag_list_init(&diags, arena);
  assert_int_equal(tree_read_json(&source, &limits, arena, &diags, &root), STATUS_OK);
  assert_int_equal(definitions_bind(definitions, NULL, root, &source, arena, &diags), STATUS_OK);
  struct validation_run run = {.host = host_system(), .arena = arena, .diags = &diags, .source = &source};
  enum status status = validation_check(validation, &run, root);
  *told = false;
  for (const struct diag *diag = diags.first; diag; diag = diag->next)
    *told |= diag->code == DIAG_INPUT_TOO_DEEP && diag->severity == DIAG_ERROR;
  arena_free(arena);
  return status;
}

static void test_depth(void **state) {
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct validation_params params = {.definitions = definitions};
  struct validation *validation = NULL;
  struct diag_list diags;
  bool told;
  (void)state;
  diag_list_init(&diags, arena);
  assert_int_equal(validation_new(&params, &diags, &validation), STATUS_OK);
  assert_int_equal(check(validation, LIMIT_DEPTH - 2, &told), STATUS_OK);
  assert_false(told);
  assert_int_equal(check(validation, LIMIT_DEPTH - 1, &told), STATUS_OK);
  assert_false(told);
  assert_int_equal(check(validation, LIMIT_DEPTH, &told), STATUS_LIMIT);
  assert_true(told);
  validation_free(validation);
  arena_free(arena);
}

int main(void) {
  struct definitions *opened = pack_open();
  if (!opened) return PACK_SKIPPED;
  definitions = opened;
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_depth)};
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  definitions_close(opened);
  return failed;
}
