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
static size_t planned, without_tree;

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

static void check_entry(const struct bundle_entry *one, const struct bundle_entry *other) {
  assert_true(str_eq(one->type, other->type) && str_eq(one->key, other->key) && str_eq(one->full_url, other->full_url));
  assert_true(one->index == other->index && one->may == other->may && one->mentioned == other->mentioned && one->look == other->look);
  assert_true(one->died == other->died && one->silent == other->silent);
  assert_true(str_eq(one->text, other->text) && str_eq(one->resource, other->resource));
  assert_int_equal(one->search_count, other->search_count);
  for (size_t i = 0; i < one->search_count; i++) {
    const struct bundle_search *a = &one->searches[i], *b = &other->searches[i];
    assert_true(str_eq(a->system, b->system) && str_eq(a->value, b->value) && a->by_tag == b->by_tag && a->own == b->own);
  }
  assert_int_equal(one->target_count, other->target_count);
  for (size_t i = 0; i < one->target_count; i++)
    assert_true(one->targets[i] == other->targets[i] && one->places[i] == other->places[i]);
}

/* What is planned from the text alone is what is planned from its tree. */
static void check_plan(const struct bundle_plan *one, const struct bundle_plan *other) {
  assert_true(one->entry_count == other->entry_count && one->lookup_count == other->lookup_count && one->part_count == other->part_count);
  for (size_t i = 0; i < one->part_count; i++)
    assert_int_equal(one->part_ends[i], other->part_ends[i]);
  for (size_t i = 0; i < one->entry_count; i++)
    check_entry(&one->entries[i], &other->entries[i]);
}

/* It has no element that FHIR does not have. */
static bool is_fhir(const struct tree_node *root) {
  for (const struct tree_node *node = root; node; node = tree_following(root, node))
    if (!node_type(node) && !tree_is_meta(node)) return false;
  return true;
}

/* A text that was changed is planned as its tree is, where that is one of FHIR. */
static void check_changed(const struct bundle_params *given, size_t at, char c) {
  struct diag_list diags;
  struct bundle_plan text, tree;
  struct tree_node *bundle = NULL;
  struct bundle_params params = *given;
  params.arena = arena_new(4 << 20);
  assert_non_null(params.arena);
  diag_list_init(&diags, params.arena);
  params.diags = &diags;
  char *bytes = arena_alloc(params.arena, given->text.len + 1);
  memcpy(bytes, given->text.ptr, given->text.len);
  bytes[at] = c;
  params.text = str_make(bytes, c ? given->text.len : at);
  enum status status = bundle_plan_make(&params, NULL, &text);
  bool is_tree = bundle_read(&params, &bundle) == STATUS_OK && is_fhir(bundle) && bundle_plan_make(&params, bundle, &tree) == STATUS_OK;
  if (is_tree) assert_int_equal(status, STATUS_OK);
  if (is_tree) check_plan(&text, &tree);
  if (!c) assert_true(status != STATUS_OK);
  arena_free(params.arena);
}

static void check_changes(const struct bundle_params *params) {
  static const char others[] = {'"', '\\', '{', '}', '[', ']', ',', ':', 'x', ' ', '1'};
  enum { LONG = 6000 };
  for (size_t i = 0; i < params->text.len && params->text.len < LONG; i++) {
    check_changed(params, i, '\0');
    check_changed(params, i, others[i % sizeof others]);
  }
}

static void tell_locations(const struct bundle_plan *plan, size_t from, size_t to, struct bundle_known *known, struct arena *arena) {
  for (size_t i = from; i < to; i++)
    known[i].location = arena_printf(arena, "%.*s/server-%zu", STR_ARG(plan->entries[i].type), i + 1);
}

static struct str plan_parts(struct bundle_case *c) {
  struct arena *arena = c->golden->arena;
  struct bundle_params stored = c->params;
  struct bundle_plan plan, again, text;
  struct tree_node *bundle = NULL;
  struct str all = STR("");
  if (c->shape.submit == BUNDLE_COLLECTION) return all;
  read_again(c, &stored, &bundle);
  if (bundle_plan_make(&c->params, c->bundle, &plan) != STATUS_OK) return all;
  assert_int_equal(bundle_plan_make(&stored, bundle, &again), STATUS_OK);
  check_entries(&stored, &again);
  assert_int_equal(bundle_plan_make(&stored, NULL, &text), STATUS_OK);
  check_plan(&text, &again);
  planned++;
  without_tree += !text.entry_count || !text.entries[0].entry;
  check_changes(&stored);
  struct bundle_known *known = ARENA_ARRAY(arena, struct bundle_known, plan.entry_count + 1);
  for (size_t i = 0; i < plan.lookup_count; i++)
    all = arena_concat(arena, all, searches(&plan.entries[i], arena));
  tell_locations(&plan, 0, plan.lookup_count, known, arena);
  for (size_t part = 0; part < plan.part_count; part++) {
    assert_int_equal(bundle_part_make(&c->params, &plan, part, known, &bundle), STATUS_OK);
    all = arena_concat(arena, all, written(bundle, false, arena));
    check_text(&c->params, &plan, part, known, bundle);
    check_text(&stored, &again, part, known, bundle);
    check_text(&stored, &text, part, known, bundle);
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
  assert_true(without_tree > 15 && without_tree + 2 > planned);
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
