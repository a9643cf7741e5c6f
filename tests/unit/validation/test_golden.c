/*
 * tests/golden/validation/CASE: input.json (a resource, a Bundle or a clinic record), expected.diagnostics. A
 * file `profiles` names profiles to check against, one a line; a file `supporting.json` is a Bundle of
 * profiles and value sets that the case brings; a file `advice` asks for advice too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../golden.h"
#include "../pack.h"
#include "intake/intake.h"
#include "validation/validation.h"

static const struct definitions *definitions;
static struct validation *validation;
static struct intake_routes routes;

static size_t read_profiles(const struct golden *golden, const char **profiles, size_t room) {
  struct str text = golden_read(golden, "profiles");
  size_t count = 0;
  for (size_t at = 0; at < text.len && count < room;) {
    size_t end = str_find_char(text, '\n', at);
    profiles[count++] = arena_str(golden->arena, str_slice(text, at, end)).ptr;
    at = end == SIZE_MAX ? text.len : end + 1;
  }
  return count;
}

/* What a case stands on: the pack, or the pack with what the case brings laid over it. */
struct ground {
  struct definitions *own;
  const struct definitions *definitions;
  struct validation *validation;
};

static void lay_over(struct golden *golden, struct str text, struct ground *ground) {
  enum { ROOTS_MAX = 32 };
  struct tree_node *roots[ROOTS_MAX], *bundle = NULL;
  struct source source = source_make(STR("supporting.json"), text);
  struct validation_params params = {.internal_references = true};
  struct diag_list diags;
  size_t count = 0;
  diag_list_init(&diags, golden->arena);
  assert_int_equal(tree_read_json(&source, NULL, golden->arena, &diags, &bundle), STATUS_OK);
  for (struct tree_node *entry = tree_find(bundle, "entry"); entry; entry = tree_next_same(entry))
    if (count < ROOTS_MAX) roots[count++] = tree_find(entry, "resource");
  ground->own = pack_open();
  assert_int_equal(definitions_overlay(ground->own, roots, count, &diags), STATUS_OK);
  ground->definitions = params.definitions = ground->own;
  assert_int_equal(validation_new(&params, &diags, &ground->validation), STATUS_OK);
}

static void run_on(struct golden *golden, const struct ground *ground) {
  const char *profiles[8];
  struct diag_list diags;
  struct intake_record record = {0};
  struct intake_input input = intake_open(STR("input.json"), golden_read(golden, "input.json"));
  bool advice = golden_read(golden, "advice").ptr != NULL;
  diag_list_init(&diags, golden->arena);
  (void)!intake_next(&input, ground->definitions, &routes, golden->arena, &diags, &record);
  struct validation_run run = {.host = host_system(),
                               .arena = golden->arena,
                               .diags = &diags,
                               .source = &record.source,
                               .profiles = profiles,
                               .advice = advice,
                               .vital_signs = true};
  run.profile_count = read_profiles(golden, profiles, 8);
  if (record.root) (void)!validation_check(ground->validation, &run, record.root);
  if (diags.count == 0) diag_information(&diags, DIAG_MAP_LOG, NULL, "nothing"); /* a good case says so */
  golden_compare(golden, "expected.diagnostics", golden_diagnostics(&diags, golden->arena));
}

static void run_case(struct golden *golden) {
  struct ground ground = {.definitions = definitions, .validation = validation};
  struct str supporting = golden_read(golden, "supporting.json");
  if (supporting.ptr) lay_over(golden, supporting, &ground);
  run_on(golden, &ground);
  if (!ground.own) return;
  validation_free(ground.validation);
  definitions_close(ground.own);
}

static void test_cases(void **state) {
  (void)state;
  assert_int_equal(golden_run(SOURCE_DIR "/tests/golden/validation", run_case), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
  struct definitions *opened = pack_open();
  struct arena *arena = arena_new(1 << 20);
  struct diag_list diags;
  if (!opened || !arena) return PACK_SKIPPED;
  diag_list_init(&diags, arena);
  definitions = opened;
  struct validation_params params = {.definitions = opened, .internal_references = true};
  if (intake_routes_read(SOURCE_DIR "/mappings/routes.json", host_system(), opened, arena, &diags, &routes) ||
      validation_new(&params, &diags, &validation))
    return 1;
  int result = cmocka_run_group_tests(tests, NULL, NULL);
  validation_free(validation);
  definitions_close(opened);
  arena_free(arena);
  return result;
}
