/* One validator, many threads: plans and rules are made once, findings are the same for all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include "../golden.h"
#include "../pack.h"
#include "validation/validation.h"

enum { THREADS = 8, ROUNDS = 20 };

static const struct definitions *definitions;

struct worker {
  pthread_t thread;
  const struct validation *validation;
  struct str text;
  size_t counts[ROUNDS];
};

static void *work(void *context) {
  struct worker *worker = context;
  for (int i = 0; i < ROUNDS; i++) {
    struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
    struct diag_list diags;
    struct tree_node *root = NULL;
    struct source source = source_make(STR("input.json"), worker->text);
    diag_list_init(&diags, arena);
    if (tree_read_json(&source, NULL, arena, &diags, &root) == STATUS_OK)
      (void)!definitions_bind(definitions, NULL, root, &source, arena, &diags);
    struct validation_run run = {.host = host_system(), .arena = arena, .diags = &diags, .source = &source};
    worker->counts[i] =
        validation_check(worker->validation, &run, root) == STATUS_OK ? diags.count : SIZE_MAX;
    arena_free(arena);
  }
  return NULL;
}

static void test_threads(void **state) {
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct golden golden = {.folder = SOURCE_DIR "/tests/golden/validation/invariants", .arena = arena};
  struct validation_params params = {.definitions = definitions};
  struct validation *validation = NULL;
  struct diag_list diags;
  struct worker workers[THREADS];
  (void)state;
  diag_list_init(&diags, arena);
  assert_int_equal(validation_new(&params, &diags, &validation), STATUS_OK);
  for (int i = 0; i < THREADS; i++) {
    workers[i] = (struct worker){.validation = validation, .text = golden_read(&golden, "input.json")};
    assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
  }
  for (int i = 0; i < THREADS; i++)
    pthread_join(workers[i].thread, NULL);
  for (int i = 0; i < THREADS; i++)
    for (int r = 0; r < ROUNDS; r++)
      assert_int_equal(workers[i].counts[r], 5);
  validation_free(validation);
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads)};
  struct definitions *opened = pack_open();
  if (!opened) return PACK_SKIPPED;
  definitions = opened;
  int result = cmocka_run_group_tests(tests, NULL, NULL);
  definitions_close(opened);
  return result;
}
