/* test_choice.c - rules that cannot hold for a text are passed by: what comes of it, and what coverage counts, is what asking each says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "mapping/internal.h"
#include "run_map.h"

#define GOLDEN SOURCE_DIR "/tests/golden/mapping/"

struct fixture {
  struct definitions *definitions;
  struct arena *arena;
  struct diag_list diags;
  struct host host;
  struct mapping_set *sets[2]; /* prepared, and asked one by one */
};

static int setup(void **state) {
  static const char *const files[] = {GOLDEN "choice/map.fml"};
  struct fixture *f = calloc(1, sizeof *f);
  f->arena = arena_new(LIMIT_ARENA_BYTES);
  f->definitions = pack_open();
  f->host = test_host();
  diag_list_init(&f->diags, f->arena);
  *state = f;
  if (!overlay(f->definitions, GOLDEN "model.json", f->arena, &f->diags)) return -1;
  for (int i = 0; i < 2; i++) {
    struct mapping_load load = {.definitions = f->definitions, .host = &f->host, .files = files, .file_count = 1, .unfused = i};
    if (mapping_load(&load, &f->diags, &f->sets[i]) != STATUS_OK) return -1;
  }
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  mapping_free(f->sets[0]);
  mapping_free(f->sets[1]);
  definitions_close(f->definitions);
  arena_free(f->arena);
  free(f);
  return 0;
}

/* Target, findings and coverage as one text. */
static struct str outcome(struct fixture *f, int way, struct str json) {
  struct arena *arena = f->arena;
  struct diag_list diags;
  struct buf out;
  struct tree_node *target = NULL;
  struct source *source = ARENA_NEW(arena, struct source);
  struct mapping_coverage *coverage = mapping_coverage_new(f->sets[way], arena);
  const struct mapping_map *map = mapping_at(f->sets[way], 0);
  diag_list_init(&diags, arena);
  buf_init(&out, LIMIT_TEXT_BYTES);
  *source = source_make(STR("source.json"), json);
  struct tree_node *root = read_source(f->definitions, map, source, arena, &diags);
  assert_non_null(root);
  struct mapping_run run = {.host = &f->host, .arena = arena, .diags = &diags, .source = source, .coverage = coverage};
  buf_printf(&out, "%d\n", (int)mapping_run(f->sets[way], map, &run, root, &target));
  if (target) tree_write_json(target, &(struct tree_write){.pretty = true}, &out);
  mapping_report_unread(root, &run);
  for (const struct diag *d = diags.first; d; d = d->next)
    buf_printf(&out, "%s %.*s\n", diag_code_name(d->code), STR_ARG(d->message));
  for (uint32_t i = 0; i < f->sets[way]->mark_count; i++)
    buf_printf(&out, " %u", coverage->hits[i]);
  struct str copy = buf_take_str(&out, arena);
  buf_release(&out);
  return copy;
}

static void test_same_as_asking_each(void **state) {
  static const char *const texts[] = {"a", "b", "c", "d", "ab", " ", "1", "A", "\\u00e4"};
  enum { COUNT = sizeof texts / sizeof *texts };
  struct fixture *f = *state;
  for (size_t i = 0; i < COUNT * COUNT; i++) {
    struct arena_mark mark = arena_mark(f->arena);
    const char *one = texts[i / COUNT], *other = texts[i % COUNT];
    struct str json = arena_printf(f->arena, "{\"key\":\"%s\",\"word\":[\"%s\",\"%s\"],\"count\":1,\"when\":\"2026\",\"anyString\":\"%s\",\"item\":[{\"key\":\"%s\"}]}",
                                   one, other, one, other, other);
    struct str prepared = outcome(f, 0, json), asked = outcome(f, 1, json);
    if (!str_eq(prepared, asked)) fail_msg("%.*s\n%.*s\n%.*s", STR_ARG(json), STR_ARG(prepared), STR_ARG(asked));
    arena_rewind(f->arena, mark);
  }
}

static const struct prog_choice *choice_of(const struct prog_rules *rules) {
  for (size_t i = 0; i < rules->count; i++) {
    const struct prog_rules *inner = &rules->rules[i].rules;
    if (inner->beside && inner->beside->choice) return inner->beside->choice;
  }
  return NULL;
}

/* Which rules ask, and which of them may hold for a text. */
static void test_what_is_prepared(void **state) {
  enum { A = 1 << 0, AB = 1 << 1, NEITHER = 1 << 2, NOT_C = 1 << 3, A_KEY = 1 << 4, B = 1 << 6, BY_NAME = 1 << 7, OF_ANOTHER = 1 << 8,
         NEITHER_C_NOR_A = 1 << 9, EMPTY = 1 << 12, NOT_A = 1 << 13 };
  struct fixture *f = *state;
  const struct prog_choice *choice = NULL;
  for (const struct prog_group *g = f->sets[0]->instances; g && !choice; g = g->next)
    choice = choice_of(&g->rules);
  assert_non_null(choice);
  assert_int_equal(choice->asks, A | AB | NEITHER | NOT_C | A_KEY | B | BY_NAME | OF_ANOTHER | NEITHER_C_NOR_A | EMPTY | NOT_A);
  assert_int_equal(choice->other, NEITHER | NOT_C | NEITHER_C_NOR_A | NOT_A);
  assert_int_equal(*(uint64_t *)map_get(&choice->texts, STR("a")), A | AB | NOT_C | A_KEY | NEITHER_C_NOR_A);
  assert_int_equal(*(uint64_t *)map_get(&choice->texts, STR("b")), AB | NOT_C | B | BY_NAME | NEITHER_C_NOR_A | NOT_A);
  assert_int_equal(*(uint64_t *)map_get(&choice->texts, STR("c")), NEITHER | B | OF_ANOTHER | NOT_A);
  for (const struct prog_group *g = f->sets[1]->instances; g; g = g->next)
    assert_null(choice_of(&g->rules));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_same_as_asking_each, setup, teardown),
                                     cmocka_unit_test_setup_teardown(test_what_is_prepared, setup, teardown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
