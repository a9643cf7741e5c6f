/* test_run.c - what a run leaves beside its target: marks, lineage, trace, caps; sets and lookups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "run_map.h"

#define GOLDEN SOURCE_DIR "/tests/golden/mapping/"

struct fixture {
  struct definitions *definitions;
  struct arena *arena;
  struct diag_list diags;
  struct mapping_set *set;
  struct source source;
  struct tree_node *root, *target;
  struct host host;
};

static int setup(void **state) {
  struct fixture *f = calloc(1, sizeof *f);
  f->arena = arena_new(LIMIT_ARENA_BYTES);
  f->definitions = pack_open();
  f->host = test_host();
  diag_list_init(&f->diags, f->arena);
  *state = f;
  return overlay(f->definitions, GOLDEN "model.json", f->arena, &f->diags) ? 0 : -1;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  mapping_free(f->set);
  definitions_close(f->definitions);
  arena_free(f->arena);
  free(f);
  return 0;
}

static const struct mapping_map *load(struct fixture *f, const char *name) {
  struct str path = arena_printf(f->arena, GOLDEN "%s/map.fml", name);
  const char *files[] = {path.ptr};
  struct mapping_load params = {
      .definitions = f->definitions, .host = &f->host, .files = files, .file_count = 1};
  assert_int_equal(mapping_load(&params, &f->diags, &f->set), STATUS_OK);
  return mapping_at(f->set, 0);
}

static enum status run_with(struct fixture *f, const char *name, const char *json, struct mapping_run *run) {
  const struct mapping_map *map = load(f, name);
  f->source = source_make(STR("source.json"), str_of(json));
  f->root = read_source(f->definitions, map, &f->source, f->arena, &f->diags);
  assert_non_null(f->root);
  run->host = &f->host;
  run->arena = f->arena;
  run->diags = &f->diags;
  run->source = &f->source;
  return mapping_run(f->set, map, run, f->root, &f->target);
}

static bool is_read(const struct fixture *f, const char *name) {
  return (tree_find(f->root, name)->flags & TREE_READ) != 0;
}

static void test_read_marks(void **state) {
  struct fixture *f = *state;
  struct mapping_run run = {0};
  const char *json = "{\"key\":\"k\",\"word\":[\"w\"],\"name\":[{\"family\":\"A\",\"given\":[\"B\"]}]}";
  assert_int_equal(run_with(f, "copy-complex", json, &run), STATUS_OK);
  const struct tree_node *name = tree_find(f->root, "name");
  assert_true(tree_find(name, "family")->flags & TREE_READ); /* a copied part is read whole */
  assert_true(tree_find(name, "given")->flags & TREE_READ);
  assert_false(is_read(f, "key"));
  assert_false(is_read(f, "word"));
}

static void test_read_by_expression(void **state) {
  struct fixture *f = *state;
  struct mapping_run run = {0};
  assert_int_equal(run_with(f, "where", "{\"text\":[\"abcd\"],\"flag\":true,\"key\":\"k\"}", &run),
                   STATUS_OK);
  assert_true(is_read(f, "text"));
  assert_true(is_read(f, "flag"));
  assert_false(is_read(f, "key"));
}

static void test_lineage(void **state) {
  struct fixture *f = *state;
  struct mapping_run run = {0};
  assert_int_equal(run_with(f, "append", "{\"key\":\"k\",\n\"text\":[\"a\",\n\"b\"]}", &run), STATUS_OK);
  const struct tree_node *name = tree_find(f->target, "name");
  const struct tree_node *second = tree_next_same(name);
  struct source_position p = source_locate(&f->source, tree_offset(tree_find(f->target, "id")));
  assert_int_equal(p.line, 1);
  p = source_locate(&f->source, tree_offset(name)); /* made in a rule: of the item the rule is about */
  assert_int_equal(p.line, 2);
  p = source_locate(&f->source, tree_offset(second));
  assert_int_equal(p.line, 3);
}

static void count_events(void *context, const struct mapping_trace *t) {
  size_t *counts = context;
  counts[t->event]++;
  assert_true(t->position.line > 0);
  assert_true(str_is(t->file, "map.fml"));
  if (t->event == MAPPING_SKIPPED) assert_true(t->detail.len > 0);
  if (t->event == MAPPING_WRITE) assert_non_null(t->target);
}

static void test_trace(void **state) {
  struct fixture *f = *state;
  size_t counts[5] = {0};
  struct mapping_run run = {.trace = count_events, .trace_context = counts};
  const char *json = "{\"key\":\"p\",\"item\":[{\"text\":[\"a\"]},{\"text\":[]}]}";
  assert_int_equal(run_with(f, "groups", json, &run), STATUS_OK);
  assert_int_equal(counts[MAPPING_GROUP], 3);   /* Main, and Name for each item */
  assert_int_equal(counts[MAPPING_RULE], 5);    /* item twice, text once, prefix twice */
  assert_int_equal(counts[MAPPING_SKIPPED], 1); /* no text in the second */
  assert_int_equal(counts[MAPPING_WRITE], 5);
}

/* Every reason why a rule does not fire, in words. */
static void note_reason(void *context, const struct mapping_trace *t) {
  struct buf *text = context;
  if (t->event == MAPPING_SKIPPED || t->event == MAPPING_EMPTY)
    buf_printf(text, "%.*s: %.*s\n", STR_ARG(t->name), STR_ARG(t->detail));
}

static void check_reasons(struct fixture *f, const char *name, const char *json, const char *want) {
  struct buf text;
  struct mapping_run run = {.trace = note_reason, .trace_context = &text};
  buf_init(&text, 1 << 16);
  (void)run_with(f, name, json, &run);
  buf_add_char(&text, '\0');
  assert_string_equal(text.ptr, want);
  buf_release(&text);
  mapping_free(f->set);
  f->set = NULL;
}

static void test_trace_reasons(void **state) {
  struct fixture *f = *state;
  check_reasons(f, "where", "{\"text\":[\"ab\",\"cd\"],\"key\":\"k\"}",
                "length: its condition is false for every item: t.length() > 3\n"
                "focus: there is no item\n"
                "round brackets: its condition is false: (flag.exists())\n");
  check_reasons(f, "source-not-first", "{\"text\":[\"ab\"]}", "some: the list mode leaves no item\n");
  check_reasons(f, "check", "{\"text\":[\"abcdef\"]}", "short: its check fails: t.length() < 4\n");
  check_reasons(f, "target-unset", "{\"key\":\"k\"}",
                "nothing to write to: maritalStatus is not written: evaluate gives nothing\n"
                "nothing to write to: text is not written: the variable 'status' has no value\n");
  check_reasons(f, "translate-unmapped", "{\"word\":[\"mauve\"]}",
                "coding: coding is not written: translate gives nothing\n");
}

static void test_log_trace(void **state) {
  struct fixture *f = *state;
  size_t counts[5] = {0};
  struct mapping_run run = {.trace = count_events, .trace_context = counts};
  assert_int_equal(run_with(f, "log", "{\"text\":[\"a\",\"b\"]}", &run), STATUS_OK);
  assert_int_equal(counts[MAPPING_LOG], 2);
}

/* The cap on steps: the run needs five. */
static void test_step_cap(void **state) {
  struct fixture *f = *state;
  for (size_t max = 4; max <= 6; max++) {
    struct mapping_run run = {.max_steps = max};
    diag_list_init(&f->diags, f->arena);
    mapping_free(f->set);
    f->set = NULL;
    enum status status = run_with(f, "groups", "{\"item\":[{\"text\":[\"a\"]},{\"text\":[\"b\"]}]}", &run);
    assert_int_equal(status, max < 6 ? STATUS_INVALID : STATUS_OK);
    assert_int_equal(diag_errors(&f->diags), max < 6);
  }
}

static void test_depth_cap(void **state) {
  struct fixture *f = *state;
  for (size_t max = 2; max <= 4; max++) {
    struct mapping_run run = {.max_depth = max};
    diag_list_init(&f->diags, f->arena);
    mapping_free(f->set);
    f->set = NULL;
    enum status status = run_with(f, "groups", "{\"item\":[{\"text\":[\"a\"]}]}", &run);
    assert_int_equal(status, max < 3 ? STATUS_INVALID : STATUS_OK);
  }
}

static void test_equal_runs(void **state) {
  struct fixture *f = *state;
  struct mapping_run run = {0};
  struct str texts[2];
  for (size_t i = 0; i < 2; i++) {
    struct buf out;
    buf_init(&out, 1 << 20);
    mapping_free(f->set);
    f->set = NULL;
    assert_int_equal(run_with(f, "uuid", "{\"key\":\"a\"}", &run), STATUS_OK);
    tree_write_json(f->target, &(struct tree_write){0}, &out);
    texts[i] = buf_take_str(&out, f->arena);
    buf_release(&out);
  }
  assert_true(str_eq(texts[0], texts[1]));
}

static void test_find(void **state) {
  struct fixture *f = *state;
  const struct mapping_map *map = load(f, "append");
  assert_int_equal(mapping_count(f->set), 1);
  assert_ptr_equal(mapping_find(f->set, STR("http://ketlink.dev/test/append")), map);
  assert_ptr_equal(mapping_find(f->set, STR("append")), map);
  assert_ptr_equal(mapping_find(f->set, STR("any/where/map.fml")), map);
  assert_null(mapping_find(f->set, STR("appendix")));
  assert_true(str_is(def_type_name(mapping_source_type(map)), "Left"));
  assert_true(str_is(def_type_name(mapping_target_type(map)), "Patient"));
}

static void test_translate(void **state) {
  struct fixture *f = *state;
  const char *files[] = {GOLDEN "translate-conceptmap/conceptmap.json"};
  struct mapping_load params = {
      .definitions = f->definitions, .host = &f->host, .files = files, .file_count = 1};
  struct mapping_concept found;
  struct str url = STR("http://ketlink.dev/test/cm");
  assert_int_equal(mapping_load(&params, &f->diags, &f->set), STATUS_OK);
  assert_int_equal(mapping_concept_map_count(f->set), 1);
  assert_true(mapping_translate(f->set, url, STR(""), STR("x"), &found));
  assert_true(str_is(found.code, "bx") && str_is(found.display, "B x") && str_is(found.system, "http://b"));
  assert_true(mapping_translate(f->set, url, STR("http://a2"), STR("x"), &found));
  assert_true(str_is(found.code, "a2x"));
  assert_false(mapping_translate(f->set, url, STR("http://a3"), STR("x"), &found));
  assert_false(mapping_translate(f->set, url, STR(""), STR("y"), &found));
  assert_false(mapping_translate(f->set, STR("http://other"), STR(""), STR("x"), &found));
}

/* A supplement adds what is new and passes over what is to be filled in; what is there stays as it is. */
static void test_supplement(void **state) {
  struct fixture *f = *state;
  const char *files[] = {SOURCE_DIR "/tests/unit/mapping/data/supplement.json",
                         GOLDEN "translate-conceptmap/conceptmap.json"};
  struct mapping_load params = {
      .definitions = f->definitions, .host = &f->host, .files = files, .file_count = 2};
  struct mapping_concept found;
  struct str url = STR("http://ketlink.dev/test/cm"), source, target;
  assert_int_equal(mapping_load(&params, &f->diags, &f->set), STATUS_OK);
  assert_int_equal(mapping_unfinished(f->set), 1);
  assert_true(mapping_translate(f->set, url, STR("http://a"), STR("newword"), &found));
  assert_true(str_is(found.code, "bn") && str_is(found.system, "http://b"));
  assert_true(mapping_translate(f->set, url, STR("http://a3"), STR("x"), &found)); /* same word, another system */
  assert_true(str_is(found.code, "b3"));
  assert_true(mapping_translate(f->set, url, STR("http://a"), STR("x"), &found));
  assert_true(str_is(found.code, "bx"));
  assert_false(mapping_translate(f->set, url, STR("http://a"), STR("later"), &found));
  assert_true(str_is(mapping_nearest_word(f->set, url, STR("newwort")), "newword"));
  assert_false(mapping_nearest_word(f->set, url, STR("late")).len); /* to be filled in: not known */
  assert_true(mapping_concept_group(f->set, url, 0, &source, &target));
  assert_true(str_is(source, "http://a") && str_is(target, "http://b"));
  assert_false(mapping_concept_group(f->set, url, 99, &source, &target));
}

struct unknown_seen {
  size_t count, coded, nodes;
};

static void note_unknown(void *context, const struct mapping_unknown *unknown) {
  struct unknown_seen *seen = context;
  assert_true(str_is(unknown->concept_map, "http://ketlink.dev/test/cm"));
  seen->count++;
  seen->coded += str_is(unknown->system, "http://a9") && str_is(unknown->word, "q");
  seen->nodes += unknown->node && str_eq(unknown->node->text, unknown->word);
}

/* Each word that no row speaks of is told with its node, beside the warning. */
static void test_unknown(void **state) {
  struct fixture *f = *state;
  const char *files[] = {GOLDEN "translate-conceptmap/conceptmap.json", GOLDEN "translate-conceptmap/map.fml"};
  struct mapping_load params = {
      .definitions = f->definitions, .host = &f->host, .files = files, .file_count = 2};
  struct unknown_seen seen = {0};
  assert_int_equal(mapping_load(&params, &f->diags, &f->set), STATUS_OK);
  f->source = source_make(STR("source.json"),
                          STR("{\"word\":[\"x\",\"nope\"],\"coding\":[{\"system\":\"http://a9\",\"code\":\"q\"}]}"));
  f->root = read_source(f->definitions, mapping_at(f->set, 0), &f->source, f->arena, &f->diags);
  assert_non_null(f->root);
  struct mapping_run run = {.host = &f->host,
                            .arena = f->arena,
                            .diags = &f->diags,
                            .source = &f->source,
                            .unknown = note_unknown,
                            .unknown_context = &seen};
  assert_int_equal(mapping_run(f->set, mapping_at(f->set, 0), &run, f->root, &f->target), STATUS_OK);
  assert_int_equal(seen.count, 1); /* of the words one has a row, for the other a group says what it becomes */
  assert_int_equal(seen.coded, 1);
  assert_int_equal(seen.nodes, 1);
}

static void test_missing_file(void **state) {
  struct fixture *f = *state;
  const char *files[] = {GOLDEN "append/none.fml", GOLDEN "append/none.json"};
  struct mapping_load params = {
      .definitions = f->definitions, .host = &f->host, .files = files, .file_count = 2};
  assert_int_equal(mapping_load(&params, &f->diags, &f->set), STATUS_INVALID);
  assert_int_equal(diag_errors(&f->diags), 2);
  assert_int_equal(f->diags.first->code, DIAG_FILE_UNREADABLE);
  assert_null(f->set);
}

/* The mappings of this repository: every map compiles, in folders within folders. */
static void test_folder(void **state) {
  struct fixture *f = *state;
  struct mapping_load params = {
      .definitions = f->definitions, .host = host_system(), .folder = SOURCE_DIR "/mappings"};
  assert_int_equal(
      definitions_refresh_models(f->definitions, host_system(), SOURCE_DIR "/mappings", &f->diags),
      STATUS_OK);
  assert_int_equal(mapping_load(&params, &f->diags, &f->set), STATUS_OK);
  assert_true(mapping_count(f->set) > 10);
  assert_non_null(mapping_find(f->set, STR("session.fml")));
}

/* What the maps of the clinic create: resources only, once each, sorted; a check that is not vacuous. */
static void test_created(void **state) {
  struct fixture *f = *state;
  struct str *names = NULL;
  size_t count = 0, wanted = 0;
  test_folder(state);
  assert_int_equal(mapping_created_types(f->set, f->arena, &names, &count), STATUS_OK);
  for (size_t i = 0; i < count; i++) {
    assert_true(i == 0 || str_cmp(names[i - 1], names[i]) < 0);
    wanted += str_is(names[i], "Patient") || str_is(names[i], "MedicationAdministration") ||
              str_is(names[i], "Observation") || str_is(names[i], "AdverseEvent");
    assert_false(str_is(names[i], "Quantity") || str_is(names[i], "Bundle"));
  }
  assert_int_equal(wanted, 4);
}

int main(void) {
  struct definitions *definitions = pack_open();
  if (!definitions) return PACK_SKIPPED;
  definitions_close(definitions);
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
  const struct CMUnitTest tests[] = {
      CASE(test_read_marks), CASE(test_read_by_expression), CASE(test_lineage),
      CASE(test_trace),      CASE(test_log_trace),          CASE(test_trace_reasons),
      CASE(test_step_cap),   CASE(test_depth_cap),          CASE(test_equal_runs),
      CASE(test_find),       CASE(test_translate),          CASE(test_missing_file),
      CASE(test_folder),     CASE(test_created),            CASE(test_supplement),
      CASE(test_unknown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
