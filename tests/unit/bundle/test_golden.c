/*
 * tests/golden/bundle/CASE: input.json is the Bundle of a map (clinic "riverside"), shape.json a destination;
 * expected.json the finished Bundle, expected.parts the Bundles to send (one a line, with made-up server ids
 * for what earlier parts stored), expected.diagnostics the findings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../golden.h"
#include "../pack.h"
#include "bundle/bundle.h"

static const struct definitions *definitions;
static size_t references; /* that were found in texts */

struct bundle_case {
  struct golden *golden;
  struct bundle_params params;
  struct bundle_shape shape;
  struct source source;
  struct diag_list diags;
  struct tree_node *bundle;
};

static void read_case(struct bundle_case *c) {
  struct arena *arena = c->golden->arena;
  struct str path = golden_path(c->golden, "shape.json");
  c->source = source_make(STR("input.json"), golden_read(c->golden, "input.json"));
  diag_list_init(&c->diags, arena);
  assert_int_equal(tree_read_json(&c->source, NULL, arena, &c->diags, &c->bundle), STATUS_OK);
  assert_int_equal(definitions_bind(definitions, NULL, c->bundle, &c->source, arena, &c->diags), STATUS_OK);
  assert_int_equal(bundle_shape_read(path.ptr, host_system(), arena, &c->diags, &c->shape), STATUS_OK);
  c->params = (struct bundle_params){.definitions = definitions,
                                     .shape = &c->shape,
                                     .clinic_id = STR("riverside"),
                                     .arena = arena,
                                     .diags = &c->diags};
}

static struct str written(const struct tree_node *root, bool pretty, struct arena *arena) {
  struct tree_write options = {.pretty = pretty};
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  tree_write_json(root, &options, &text);
  buf_add_char(&text, '\n');
  struct str copy = buf_take_str(&text, arena);
  buf_release(&text);
  return copy;
}

/* What is only looked up: "GET" and the searches in their order. */
static struct str searches(const struct bundle_entry *entry, struct arena *arena) {
  struct str line = STR("GET");
  for (size_t i = 0; i < entry->search_count; i++)
    line = arena_join(arena, line, ' ', bundle_search_url(entry, &entry->searches[i], arena));
  return arena_concat(arena, line, STR("\n"));
}

/* The Bundle as it comes back from a store: read from its own text. */
static void read_again(struct bundle_case *c, struct bundle_params *params, struct tree_node **bundle) {
  struct arena *arena = c->golden->arena;
  struct source *source = ARENA_NEW(arena, struct source);
  assert_int_equal(tree_write_text(c->bundle, arena, &params->text), STATUS_OK);
  *source = source_make(STR("store"), params->text);
  assert_int_equal(tree_read_json(source, NULL, arena, &c->diags, bundle), STATUS_OK);
  assert_int_equal(definitions_bind(definitions, NULL, *bundle, source, arena, &c->diags), STATUS_OK);
}

/* Whether it is made from a tree or copied from a text, the text of a part is that of its Bundle. */
static void check_text(const struct bundle_params *params, const struct bundle_plan *plan, size_t part, const struct bundle_known *known,
                       const struct tree_node *bundle) {
  struct str text, want;
  assert_int_equal(bundle_part_write(params, plan, part, known, &text), STATUS_OK);
  assert_int_equal(tree_write_text(bundle, params->arena, &want), STATUS_OK);
  assert_string_equal(text.ptr, want.ptr);
}

/* Each entry, and its resource, as it would be written. */
static void check_entries(const struct bundle_params *params, const struct bundle_plan *plan) {
  struct str want;
  for (size_t i = 0; i < plan->entry_count; i++) {
    const struct bundle_entry *entry = &plan->entries[i];
    assert_int_equal(tree_write_text(entry->entry, params->arena, &want), STATUS_OK);
    assert_true(str_eq(entry->text, want));
    assert_int_equal(tree_write_text(tree_find(entry->entry, "resource"), params->arena, &want), STATUS_OK);
    assert_true(str_eq(entry->resource, want));
    for (size_t t = 0; t < entry->target_count; t++) {
      struct str url = plan->entries[entry->targets[t]].full_url, at = str_slice(entry->text, entry->places[t], entry->text.len);
      assert_true(at.len > url.len && at.ptr[0] == '"' && str_starts(str_slice(at, 1, at.len), url));
      references++;
    }
  }
}

static void tell_locations(const struct bundle_plan *plan, size_t from, size_t to, struct bundle_known *known, struct arena *arena) {
  for (size_t i = from; i < to; i++)
    known[i].location = arena_printf(arena, "%.*s/server-%zu", STR_ARG(plan->entries[i].type), i + 1);
}

static struct str plan_parts(struct bundle_case *c) {
  struct arena *arena = c->golden->arena;
  struct bundle_params stored = c->params;
  struct bundle_plan plan, again;
  struct tree_node *bundle = NULL;
  struct str all = STR("");
  if (c->shape.submit == BUNDLE_COLLECTION) return all;
  read_again(c, &stored, &bundle);
  if (bundle_plan_make(&c->params, c->bundle, &plan) != STATUS_OK) return all;
  assert_int_equal(bundle_plan_make(&stored, bundle, &again), STATUS_OK);
  check_entries(&stored, &again);
  struct bundle_known *known = ARENA_ARRAY(arena, struct bundle_known, plan.entry_count + 1);
  for (size_t i = 0; i < plan.lookup_count; i++)
    all = arena_concat(arena, all, searches(&plan.entries[i], arena));
  tell_locations(&plan, 0, plan.lookup_count, known, arena);
  for (size_t part = 0; part < plan.part_count; part++) {
    assert_int_equal(bundle_part_make(&c->params, &plan, part, known, &bundle), STATUS_OK);
    all = arena_concat(arena, all, written(bundle, false, arena));
    check_text(&c->params, &plan, part, known, bundle);
    check_text(&stored, &again, part, known, bundle);
    tell_locations(&plan, bundle_part_begin(&plan, part), plan.part_ends[part], known, arena);
  }
  return all;
}

static void run_case(struct golden *golden) {
  struct bundle_case c = {.golden = golden};
  struct str whole = STR(""), parts = STR("");
  read_case(&c);
  if (bundle_finish(&c.params, c.bundle) == STATUS_OK) {
    whole = written(c.bundle, true, golden->arena);
    parts = plan_parts(&c);
  }
  golden_compare(golden, "expected.json", whole);
  golden_compare(golden, "expected.parts", parts);
  golden_compare(golden, "expected.diagnostics", golden_diagnostics(&c.diags, golden->arena));
}

static void test_cases(void **state) {
  (void)state;
  assert_int_equal(golden_run(SOURCE_DIR "/tests/golden/bundle", run_case), 0);
  assert_true(references > 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
  struct definitions *opened = pack_open();
  if (!opened) return PACK_SKIPPED;
  definitions = opened;
  int result = cmocka_run_group_tests(tests, NULL, NULL);
  definitions_close(opened);
  return result;
}
