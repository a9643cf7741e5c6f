/* test_program.c - compiling and running: positions, prefix mode, variables, limits, dump, and random token
 * soup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "fhirpath/fhirpath.h"

struct fixture {
  struct arena *arena;
  struct diag_list diags;
  struct source source;
  struct tree_node *root;
};

static int set_up(void **state) {
  static const char json[] = "{\"a\":1,\"m\":{\"b\":[1,2,3]},\"s\":\"one\",\"aaaa\":\"x\"}";
  struct arena *arena = arena_new(64 << 20);
  struct fixture *f = ARENA_NEW(arena, struct fixture);
  struct source *source = ARENA_NEW(arena, struct source);
  f->arena = arena;
  diag_list_init(&f->diags, arena);
  *source = source_make(STR("doc"), str_of(json));
  *state = f;
  return tree_read_json(source, NULL, arena, &f->diags, &f->root) == STATUS_OK ? 0 : -1;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  arena_free(f->arena);
  return 0;
}

static enum status compile(struct fixture *f, const char *text, struct fp_compile options,
                           struct fp_program **program, size_t *used) {
  f->source = source_make(STR("map"), str_of(text));
  options.source = &f->source;
  if (!options.to) options.to = f->source.text.len;
  return fhirpath_compile(&options, f->arena, &f->diags, program, used);
}

static struct fp_list run(struct fixture *f, const struct fp_program *program,
                          const struct fp_list *variables) {
  struct fp_run options = {.arena = f->arena, .diags = &f->diags, .variables = variables};
  struct fp_item focus;
  struct fp_list items;
  assert_int_equal(fhirpath_eval(program, &options, fp_one_node(&focus, f->root), &items), STATUS_OK);
  return items;
}

static void errors_have_positions(void **state) {
  struct fixture *f = *state;
  struct fp_program *program;
  assert_int_equal(compile(f, "a +\n  b.frist()", (struct fp_compile){0}, &program, NULL), STATUS_INVALID);
  assert_int_equal(f->diags.first->code, DIAG_FHIRPATH_UNKNOWN_FUNCTION);
  assert_int_equal(f->diags.first->line, 2);
  assert_int_equal(f->diags.first->col, 5);
  assert_non_null(strstr(f->diags.first->message.ptr, "first"));
}

static void failures_have_positions(void **state) {
  struct fixture *f = *state;
  struct fp_program *program;
  struct fp_run options = {.arena = f->arena, .diags = &f->diags};
  struct fp_item focus;
  struct fp_list items;
  assert_int_equal(compile(f, "m.b.single()", (struct fp_compile){0}, &program, NULL), STATUS_OK);
  assert_int_equal(fhirpath_eval(program, &options, fp_one_node(&focus, f->root), &items), STATUS_INVALID);
  assert_int_equal(f->diags.first->code, DIAG_FHIRPATH_EVALUATION);
  assert_int_equal(f->diags.first->col, 5);
}

struct prefix {
  const char *text, *used;
};

static void prefix_stops_at_what_cannot_go_on(void **state) {
  static const struct prefix cases[] = {{"a.where(b = 1) -> tgt.x = y", "a.where(b = 1)"},
                                        {"a > 1 then { x }", "a > 1"},
                                        {"a = 'x' \"rule\";", "a = 'x'"},
                                        {"a ; b", "a"},
                                        {"a, b", "a"},
                                        {"a) check", "a"},
                                        {"a.exists() log 'x'", "a.exists()"},
                                        {"1 + 2 // end\n }", "1 + 2"},
                                        {"a.b \x01", "a.b"},
                                        {"5 \"rule\"", "5"},
                                        {"a -> b", "a"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct fixture *f = *state;
    struct fp_program *program;
    size_t used = 0;
    struct fp_compile options = {.prefix = true};
    enum status status = compile(f, cases[i].text, options, &program, &used);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(used, strlen(cases[i].used));
  }
}

static void an_expression_may_stand_inside_a_text(void **state) {
  struct fixture *f = *state;
  struct fp_program *program;
  struct fp_compile options = {.from = 5, .to = 11};
  size_t used;
  assert_int_equal(compile(f, "map { a + 1} rest", options, &program, &used), STATUS_OK);
  assert_int_equal(used, 11);
}

static void variables_are_bound_by_index(void **state) {
  struct fixture *f = *state;
  struct fp_program *program;
  struct fp_variable variables[] = {{.name = STR("src")}, {.name = STR("two words")}};
  struct fp_item node = {.kind = FP_NODE, .node = tree_find(f->root, "m")},
                 two = {.kind = FP_INTEGER, .integer = 2};
  struct fp_list values[] = {{&node, 1, 1}, {&two, 1, 1}};
  struct fp_compile options = {.variables = variables, .variable_count = 2};
  assert_int_equal(compile(f, "%src.b.where($this > %`two words`)", options, &program, NULL), STATUS_OK);
  struct fp_list items = run(f, program, values);
  assert_int_equal(items.count, 1);
  assert_string_equal(items.items[0].node->text.ptr ? "3" : "", "3");
  options.bare_variables = true;
  assert_int_equal(compile(f, "src.b.count()", options, &program, NULL), STATUS_OK);
  items = run(f, program, values);
  assert_int_equal(items.items[0].integer, 3);
}

static void double_quotes_are_strings_when_asked(void **state) {
  struct fixture *f = *state;
  struct fp_program *program;
  struct fp_compile options = {.double_quotes = true};
  assert_int_equal(compile(f, "s = \"one\"", options, &program, NULL), STATUS_OK);
  assert_true(run(f, program, NULL).items[0].boolean);
  options.double_quotes = false;
  assert_int_equal(compile(f, "s = \"one\"", options, &program, NULL), STATUS_INVALID);
}

/* --- limits, at and one beyond */

static enum status nested(struct fixture *f, size_t depth, size_t limit) {
  char text[1024] = {0};
  struct fp_limits limits = fp_limits_default();
  struct fp_program *program;
  limits.depth = limit;
  memset(text, '(', depth);
  text[depth] = '1';
  memset(text + depth + 1, ')', depth);
  return compile(f, text, (struct fp_compile){.limits = &limits}, &program, NULL);
}

static void depth_is_bounded(void **state) {
  struct fixture *f = *state;
  assert_int_equal(nested(f, 18, 20), STATUS_OK);
  assert_int_equal(nested(f, 19, 20), STATUS_OK);
  assert_int_equal(nested(f, 20, 20), STATUS_INVALID);
  assert_int_equal(f->diags.last->code, DIAG_FHIRPATH_LIMIT);
}

static void long_chains_are_bounded(void **state) {
  struct fixture *f = *state;
  struct fp_program *program;
  struct buf text;
  buf_init(&text, 1 << 20);
  buf_add_text(&text, "1");
  for (int i = 0; i < 5000; i++)
    buf_add_text(&text, "+1");
  buf_add_char(&text, 0);
  assert_int_equal(compile(f, text.ptr, (struct fp_compile){0}, &program, NULL), STATUS_INVALID);
  assert_int_equal(f->diags.last->code, DIAG_FHIRPATH_LIMIT);
  buf_release(&text);
}

static enum status limited(struct fixture *f, const char *text, size_t steps, size_t items) {
  struct fp_limits limits = fp_limits_default();
  struct fp_program *program;
  struct fp_item focus;
  struct fp_list out;
  limits.steps = steps;
  limits.items = items;
  struct fp_run options = {.arena = f->arena, .diags = &f->diags, .limits = &limits};
  assert_int_equal(compile(f, text, (struct fp_compile){0}, &program, NULL), STATUS_OK);
  return fhirpath_eval(program, &options, fp_one_node(&focus, f->root), &out);
}

static void steps_and_items_are_bounded(void **state) {
  struct fixture *f = *state;
  assert_int_equal(limited(f, "m.b", 1000, 3), STATUS_OK);
  assert_int_equal(limited(f, "m.b", 1000, 2), STATUS_INVALID);
  assert_int_equal(f->diags.last->code, DIAG_FHIRPATH_LIMIT);
  assert_int_equal(limited(f, "repeat($this.m.b | 'x' & s).count()", 5, 1000), STATUS_INVALID);
  assert_int_equal(f->diags.last->code, DIAG_FHIRPATH_LIMIT);
  assert_int_equal(limited(f, "(1).repeat($this + 1)", 100000, 1000), STATUS_INVALID);
}

static void reads_are_marked(void **state) {
  struct fixture *f = *state;
  struct fp_program *program;
  struct fp_item focus;
  struct fp_list items;
  struct fp_run options = {.arena = f->arena, .diags = &f->diags, .mark_read = true};
  assert_int_equal(compile(f, "iif(s = 'one', a, m)", (struct fp_compile){0}, &program, NULL), STATUS_OK);
  assert_int_equal(fhirpath_eval(program, &options, fp_one_node(&focus, f->root), &items), STATUS_OK);
  assert_true(tree_find(f->root, "a")->flags & TREE_READ);
  assert_true(tree_find(f->root, "s")->flags & TREE_READ);
  assert_false(tree_find(f->root, "m")->flags & TREE_READ);
}

static void programs_can_be_shown(void **state) {
  struct fixture *f = *state;
  struct fp_program *program;
  struct buf text;
  buf_init(&text, 1 << 16);
  assert_int_equal(compile(f, "m.b.where($this > 1).first()", (struct fp_compile){0}, &program, NULL),
                   STATUS_OK);
  fhirpath_dump(program, &text);
  buf_add_char(&text, 0);
  assert_non_null(strstr(text.ptr, "FIRST"));
  assert_non_null(strstr(text.ptr, ".filter"));
  buf_release(&text);
}

/* --- an arena that fails at each allocation in turn */

static void every_allocation_may_fail(void **state) {
  static const char text[] =
      "m.b.where($this > 1).select('x' & 'y').join(',').replaceMatches('(x)', '$1z') | (2.5 * 3).toString()";
  (void)state;
  for (unsigned long n = 1; n < 400; n++) {
    void *inner;
    assert_int_equal(set_up(&inner), 0);
    struct fixture *f = inner;
    struct fp_program *program;
    struct fp_item focus;
    struct fp_list items;
    struct fp_run options = {.arena = f->arena, .diags = &f->diags};
    arena_fail_at(f->arena, n);
    enum status status = compile(f, text, (struct fp_compile){0}, &program, NULL);
    if (status == STATUS_OK) status = fhirpath_eval(program, &options, fp_one_node(&focus, f->root), &items);
    arena_fail_at(f->arena, 0);
    assert_true(status == STATUS_OK || status == STATUS_NOMEM || status == STATUS_INVALID);
    tear_down(&inner);
  }
}

/* --- random token soup: a program or a diagnostic */

static uint64_t next_random(uint64_t *seed) {
  *seed = *seed * 6364136223846793005u + 1442695040888963407u;
  return *seed >> 33;
}

static void soup(uint64_t *seed, struct buf *out) {
  static const char *const tokens[] = {
      "a",       "m",        "b",        ".",         ".",          ".",
      "(",       ")",        "[",        "]",         "{}",         "1",
      "0",       "2.5",      "'x'",      "'",         "@2026",      "@T10",
      "$this",   "$index",   "$total",   "%resource", "%x",         "where(",
      "select(", "first()",  "exists()", "and",       "or",         "implies",
      "=",       "~",        "!=",       "<",         "+",          "-",
      "*",       "/",        "div",      "mod",       "&",          "|",
      "in",      "contains", "is",       "as",        "Integer",    "Patient",
      "days",    "'mg'",     ",",        "iif(",      "repeat(",    "ofType(",
      "\\",      "/*",       "*/",       "//",        "\n",         "`a`",
      "`",       "true",     "matches(", "'(a+)+$'",  "aggregate(", "descendants()",
      "\xff",    "\xc3\xa9"};
  size_t count = 1 + next_random(seed) % 24;
  for (size_t i = 0; i < count; i++) {
    buf_add_text(out, tokens[next_random(seed) % (sizeof tokens / sizeof *tokens)]);
    if (next_random(seed) % 3 == 0) buf_add_char(out, ' ');
  }
  buf_add_char(out, 0);
}

static bool eat(struct fixture *f, const char *text, bool prefix) {
  struct fp_limits limits = {.text_bytes = 4096, .depth = 50, .steps = 20000, .items = 2000};
  struct fp_program *program;
  struct fp_item focus;
  struct fp_list items;
  struct fp_run options = {.arena = f->arena, .diags = &f->diags, .limits = &limits};
  size_t errors = diag_errors(&f->diags), used = 0;
  enum status status =
      compile(f, text, (struct fp_compile){.limits = &limits, .prefix = prefix}, &program, &used);
  assert_true(status == STATUS_OK || status == STATUS_INVALID);
  assert_true(status == STATUS_OK || diag_errors(&f->diags) + f->diags.dropped > errors);
  if (status != STATUS_OK) return false;
  assert_true(used <= strlen(text));
  status = fhirpath_eval(program, &options, fp_one_node(&focus, f->root), &items);
  assert_true(status == STATUS_OK || status == STATUS_INVALID);
  return true;
}

static void token_soup_never_crashes(void **state) {
  uint64_t seed = 20260305;
  size_t programs = 0;
  (void)state;
  for (int round = 0; round < 20000; round++) {
    void *inner;
    struct buf text;
    assert_int_equal(set_up(&inner), 0);
    buf_init(&text, 1 << 16);
    soup(&seed, &text);
    programs += eat(inner, text.ptr, round % 4 == 0);
    buf_release(&text);
    tear_down(&inner);
  }
  assert_true(programs > 100);
}

/* A list of 1,000 items, worked out within each item of another and by 10,000 evaluations: its memory is that of one. */
static void memory_of_long_lists_is_used_again(void **state) {
  enum { ITEMS = 1000, TIMES = 10000 };
  struct fixture *f = *state;
  struct fp_list list = {ARENA_ARRAY(f->arena, struct fp_item, ITEMS), ITEMS, ITEMS};
  const struct fp_variable variable = {.name = STR("x")};
  struct fp_compile options = {.variables = &variable, .variable_count = 1};
  struct fp_program *once, *each;
  struct fp_kept *kept = NULL;
  struct fp_run run = {.arena = f->arena, .diags = &f->diags, .variables = &list, .kept = &kept};
  struct fp_item result;
  size_t count = 0;
  for (int i = 0; i < ITEMS; i++)
    list.items[i] = (struct fp_item){.kind = FP_INTEGER, .integer = i};
  assert_int_equal(compile(f, "%x.where($this >= 0).count()", options, &once, NULL), STATUS_OK);
  assert_int_equal(compile(f, "%x.where(%x.select($this + 1).count() = 1000).count()", options, &each, NULL), STATUS_OK);
  size_t before = arena_used(f->arena);
  for (int i = 0; i < TIMES; i++) {
    assert_int_equal(fhirpath_one(once, &run, (struct fp_list){0}, &result, &count), STATUS_OK);
    assert_int_equal(result.integer, ITEMS);
  }
  run.kept = NULL;
  assert_int_equal(fhirpath_one(each, &run, (struct fp_list){0}, &result, &count), STATUS_OK);
  assert_int_equal(result.integer, ITEMS);
  assert_true(arena_used(f->arena) - before < 512 << 10);
}

int main(void) {
#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
  const struct CMUnitTest tests[] = {WITH(errors_have_positions),
                                     WITH(failures_have_positions),
                                     WITH(prefix_stops_at_what_cannot_go_on),
                                     WITH(an_expression_may_stand_inside_a_text),
                                     WITH(variables_are_bound_by_index),
                                     WITH(double_quotes_are_strings_when_asked),
                                     WITH(depth_is_bounded),
                                     WITH(long_chains_are_bounded),
                                     WITH(steps_and_items_are_bounded),
                                     WITH(memory_of_long_lists_is_used_again),
                                     WITH(reads_are_marked),
                                     WITH(programs_can_be_shown),
                                     cmocka_unit_test(every_allocation_may_fail),
                                     cmocka_unit_test(token_soup_never_crashes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
