/*
 * tests/golden/bundle-presets: session.json is the Bundle of a map (clinic "riverside"); PRESET/expected.plan is what
 * becomes of it for the destination of that name in mappings/destinations: what is looked up, each part's
 * requests, what is left out and why; expected.diagnostics the findings.
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

static struct tree_node *read_session(struct golden *golden, struct source *source, struct diag_list *diags) {
  struct tree_node *bundle = NULL;
  *source = source_make(STR("session.json"), golden_read(golden, "../session.json"));
  assert_int_equal(tree_read_json(source, NULL, golden->arena, diags, &bundle), STATUS_OK);
  assert_int_equal(definitions_bind(definitions, NULL, bundle, source, golden->arena, diags), STATUS_OK);
  return bundle;
}

static void add_lookup(const struct bundle_entry *entry, struct arena *arena, struct buf *out) {
  buf_printf(out, "look up %.*s %.*s\n", STR_ARG(entry->type), STR_ARG(entry->key));
  for (size_t i = 0; i < entry->search_count; i++) {
    struct str url = bundle_search_url(entry, &entry->searches[i], arena);
    buf_printf(out, "  %.*s%s\n", STR_ARG(url), entry->searches[i].own ? " (own)" : "");
  }
}

static void add_entry(const struct bundle_entry *entry, const struct tree_node *request, struct buf *out) {
  struct str condition = tree_text(request, "ifNoneExist");
  buf_printf(out, "  %.*s: %.*s %.*s%s%.*s%s\n", STR_ARG(entry->key), STR_ARG(tree_text(request, "method")),
             STR_ARG(tree_text(request, "url")), condition.len ? " if none: " : "", STR_ARG(condition), entry->look ? " (looked for first)" : "");
}

static void add_part(const struct bundle_params *params, const struct bundle_plan *plan, size_t part,
                     struct bundle_known *known, struct buf *out) {
  struct tree_node *bundle = NULL;
  size_t from = bundle_part_begin(plan, part);
  assert_int_equal(bundle_part_make(params, plan, part, known, &bundle), STATUS_OK);
  buf_printf(out, "part %zu\n", part + 1);
  const struct tree_node *entry = tree_find(bundle, "entry");
  for (size_t i = from; i < plan->part_ends[part]; i++, entry = tree_next_same(entry)) {
    add_entry(&plan->entries[i], tree_find(entry, "request"), out);
    known[i].location = arena_printf(params->arena, "%.*s/%zu", STR_ARG(plan->entries[i].type), i + 1);
  }
}

static void add_plan(const struct bundle_params *params, struct tree_node *bundle, struct buf *out) {
  struct bundle_plan plan;
  assert_int_equal(bundle_plan_make(params, bundle, &plan), STATUS_OK);
  struct bundle_known *known = ARENA_ARRAY(params->arena, struct bundle_known, plan.entry_count + 1);
  for (size_t i = 0; i < plan.lookup_count; i++) {
    add_lookup(&plan.entries[i], params->arena, out);
    known[i].absent = true;
  }
  for (size_t part = 0; part < plan.part_count; part++)
    add_part(params, &plan, part, known, out);
}

static void add_left_out(const struct bundle_report *report, struct buf *out) {
  for (size_t i = 0; i < report->left_out_count; i++) {
    const struct bundle_left_out *left = &report->left_out[i];
    buf_printf(out, "left out %.*s %.*s: %.*s\n", STR_ARG(left->type), STR_ARG(left->key), STR_ARG(left->reason));
  }
  buf_printf(out, "session note: %s\n", report->session_note ? "yes" : "no");
}

static void run_preset(struct golden *golden) {
  struct bundle_shape shape;
  struct source source;
  struct diag_list diags;
  struct bundle_report report = {0};
  struct buf text;
  struct str path =
      arena_printf(golden->arena, "%s/mappings/destinations/%s.json", SOURCE_DIR, golden->name);
  diag_list_init(&diags, golden->arena);
  buf_init(&text, LIMIT_TEXT_BYTES);
  struct tree_node *bundle = read_session(golden, &source, &diags);
  assert_int_equal(bundle_shape_read(path.ptr, host_system(), golden->arena, &diags, &shape), STATUS_OK);
  assert_int_equal(bundle_shape_check(path.ptr, host_system(), definitions, &diags), STATUS_OK);
  struct bundle_params params = {definitions, &shape, STR("riverside"), golden->arena, &diags, NULL, &report};
  assert_int_equal(bundle_finish(&params, bundle), STATUS_OK);
  add_plan(&params, bundle, &text);
  add_left_out(&report, &text);
  golden_compare(golden, "expected.plan", buf_str(&text));
  golden_compare(golden, "expected.diagnostics", golden_diagnostics(&diags, golden->arena));
  buf_release(&text);
}

static void test_presets(void **state) {
  (void)state;
  assert_int_equal(golden_run(SOURCE_DIR "/tests/golden/bundle-presets", run_preset), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_presets)};
  struct definitions *opened = pack_open();
  if (!opened) return PACK_SKIPPED;
  definitions = opened;
  int result = cmocka_run_group_tests(tests, NULL, NULL);
  definitions_close(opened);
  return result;
}
