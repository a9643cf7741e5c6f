/* test_cover.c - coverage: what of a map one source runs, what it leaves out, and where that stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "run_map.h"

#define GOLDEN SOURCE_DIR "/tests/golden/mapping/"
#define COVER GOLDEN "cover/"

struct fixture {
  struct definitions *definitions;
  struct arena *arena;
  struct diag_list diags;
  struct mapping_set *set;
  struct host host;
  struct mapping_coverage *coverage;
  struct mapping_cover_report report;
};

static int setup(void **state) {
  static const char *const files[] = {COVER "map.fml"};
  struct fixture *f = calloc(1, sizeof *f);
  f->arena = arena_new(LIMIT_ARENA_BYTES);
  f->definitions = pack_open();
  f->host = test_host();
  diag_list_init(&f->diags, f->arena);
  *state = f;
  if (!overlay(f->definitions, GOLDEN "model.json", f->arena, &f->diags)) return -1;
  struct mapping_load params = {
      .definitions = f->definitions, .host = &f->host, .files = files, .file_count = 1};
  if (mapping_load(&params, &f->diags, &f->set) != STATUS_OK) return -1;
  f->coverage = mapping_coverage_new(f->set, f->arena);
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  mapping_free(f->set);
  definitions_close(f->definitions);
  arena_free(f->arena);
  free(f);
  return 0;
}

static void cover(struct fixture *f, const char *json) {
  struct source source = source_make(STR("record.json"), str_of(json));
  struct tree_node *target = NULL;
  const struct mapping_map *map = mapping_at(f->set, 0);
  struct tree_node *root = read_source(f->definitions, map, &source, f->arena, &f->diags);
  assert_non_null(root);
  struct mapping_run run = {
      .host = &f->host, .arena = f->arena, .diags = &f->diags, .source = &source, .coverage = f->coverage};
  assert_int_equal(mapping_run(f->set, map, &run, root, &target), STATUS_OK);
  assert_int_equal(mapping_coverage_add(f->coverage, &source, root, target), STATUS_OK);
}

static void report(struct fixture *f) {
  assert_int_equal(mapping_coverage_report(f->coverage, f->arena, &f->report), STATUS_OK);
}

static const struct mapping_cover_miss *missing(const struct fixture *f, enum mapping_cover kind,
                                                const char *name) {
  const struct mapping_cover_miss *m = f->report.parts[kind].first;
  while (m && !str_is(m->name, name))
    m = m->next;
  return m;
}

static size_t count_missing(const struct fixture *f, enum mapping_cover kind) {
  size_t count = 0;
  for (const struct mapping_cover_miss *m = f->report.parts[kind].first; m; m = m->next)
    count++;
  return count;
}

#define ONE "{\"key\": \"k1\", \"word\": [\"red\"],\n \"text\": [\"four\", \"two\"], \"amount\": 1.50}"

static void test_rules(void **state) {
  struct fixture *f = *state;
  cover(f, ONE);
  report(f);
  const struct mapping_cover_part *rules = &f->report.parts[MAPPING_COVER_RULES];
  assert_int_equal(rules->total, 8);
  assert_int_equal(rules->covered, 3); /* coded, long, key */
  assert_int_equal(count_missing(f, MAPPING_COVER_RULES), 5);
  const struct mapping_cover_miss *m = missing(f, MAPPING_COVER_RULES, "longer");
  assert_non_null(m);
  assert_int_equal(m->position.line, 17);
  assert_true(str_is(m->detail, "never true: where (t.length() > 9)"));
  assert_true(str_is(missing(f, MAPPING_COVER_RULES, "count")->detail, "never reached"));
  assert_true(
      str_is(missing(f, MAPPING_COVER_RULES, "when")->detail, "reached, but no source had an item for it"));
}

static void test_branches(void **state) {
  struct fixture *f = *state;
  cover(f, ONE);
  report(f);
  /* the condition of `long` was true and false; the default of `key` was never used; Remark was never called
   */
  assert_null(missing(f, MAPPING_COVER_BRANCHES, "long"));
  assert_true(str_is(missing(f, MAPPING_COVER_BRANCHES, "key")->detail, "its default was never used"));
  assert_true(str_is(missing(f, MAPPING_COVER_BRANCHES, "Remark")->detail, "the group was never called"));
  assert_null(missing(f, MAPPING_COVER_BRANCHES, "Main"));
}

static void test_values_and_model(void **state) {
  struct fixture *f = *state;
  cover(f, ONE);
  report(f);
  const struct mapping_cover_miss *m = missing(f, MAPPING_COVER_VALUES, "Left.amount");
  assert_non_null(m);
  assert_true(str_is(m->file, "record.json"));
  assert_int_equal(m->position.line, 2);
  assert_int_equal(count_missing(f, MAPPING_COVER_VALUES), 1);
  assert_null(missing(f, MAPPING_COVER_MODEL, "Left.amount"));
  assert_non_null(missing(f, MAPPING_COVER_MODEL, "Left.when"));
}

static void test_target_and_rows(void **state) {
  struct fixture *f = *state;
  cover(f, ONE);
  report(f);
  assert_non_null(missing(f, MAPPING_COVER_TARGET, "Observation.status"));
  assert_null(missing(f, MAPPING_COVER_TARGET, "Observation.code"));
  const struct mapping_cover_miss *row = missing(f, MAPPING_COVER_ROWS, "blue");
  assert_non_null(row);
  assert_int_equal(row->position.line, 11);
  assert_int_equal(f->report.parts[MAPPING_COVER_ROWS].covered, 1);
}

/* Counts of several sources add up. */
static void test_sum(void **state) {
  struct fixture *f = *state;
  cover(f, ONE);
  cover(f, "{\"text\": [\"more than nine\"], \"flag\": true, \"count\": 3, \"word\": [\"blue\"],"
           " \"when\": \"2026-01-02\"}");
  report(f);
  const struct mapping_cover_part *rules = &f->report.parts[MAPPING_COVER_RULES];
  assert_int_equal(rules->covered, rules->total);
  assert_null(missing(f, MAPPING_COVER_ROWS, "blue"));
  assert_null(missing(f, MAPPING_COVER_BRANCHES, "key"));
}

int main(void) {
  struct definitions *definitions = pack_open();
  if (!definitions) return PACK_SKIPPED;
  definitions_close(definitions);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_rules, setup, teardown),
      cmocka_unit_test_setup_teardown(test_branches, setup, teardown),
      cmocka_unit_test_setup_teardown(test_values_and_model, setup, teardown),
      cmocka_unit_test_setup_teardown(test_target_and_rows, setup, teardown),
      cmocka_unit_test_setup_teardown(test_sum, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
