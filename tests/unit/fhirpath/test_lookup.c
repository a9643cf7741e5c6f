/*
 * test_lookup.c - long lists are looked up by tables that are kept between evaluations: what comes of each expression, and what has been
 * read after it, is what going through the list says. One tree is asked with tables, another like it without, one expression after the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "fhirpath/fhirpath.h"

enum { WITH, WITHOUT, WAYS };
enum { TEXT, NODE, NONE, TWO, NUMBER, OTHER, FLAG, VARIABLES };

static const struct fp_variable variables[VARIABLES] = {{.name = STR("text")}, {.name = STR("node")},   {.name = STR("none")},
                                                        {.name = STR("two")},  {.name = STR("number")}, {.name = STR("other")},
                                                        {.name = STR("flag")}};

enum { EXPRESSIONS_MAX = 64 };

struct fixture {
  struct arena *arena;
  const struct fp_program *programs[EXPRESSIONS_MAX][WAYS];
  struct diag_list diags;
  struct source source;
  struct tree_node *roots[WAYS];
  struct fp_lookups lookups;
};

static int tear_down(void **state) {
  struct fixture *f = *state;
  arena_free(f->arena);
  return 0;
}

/* Rows of all kinds: `odd` is one among them, at its place. */
static struct str document(struct fixture *f, size_t count, const char *odd, size_t place) {
  struct buf out;
  buf_init(&out, 1 << 20);
  buf_add_text(&out, "{\"rows\":[");
  for (size_t i = 0; i < count; i++) {
    if (i) buf_add_char(&out, ',');
    if (odd && i == place)
      buf_add_text(&out, odd);
    else if (i % 5 == 3)
      buf_printf(&out, "{\"v\":\"none %zu\"}", i);
    else
      buf_printf(&out, "{\"k\":\"k%zu\",\"sub\":[{\"k\":\"s%zu\",\"v\":\"%zu\"},{\"k\":\"t\"}],\"v\":[\"v%zu\",\"w\"]}", i % 7, i % 3, i, i);
  }
  buf_add_text(&out, "],\"few\":[{\"k\":\"k1\"},{\"k\":\"k2\"}]}");
  struct str text = buf_take_str(&out, f->arena);
  buf_release(&out);
  return text;
}

static void read_trees(struct fixture *f, struct str text) {
  f->source = source_make(STR("doc"), text);
  for (int way = 0; way < WAYS; way++)
    assert_int_equal(tree_read_json(&f->source, NULL, f->arena, &f->diags, &f->roots[way]), STATUS_OK);
  f->lookups = (struct fp_lookups){.root = f->roots[WITH]};
}

static void add_reads(const struct tree_node *node, struct buf *out) {
  buf_add_char(out, node->flags & TREE_READ ? '1' : '0');
  for (const struct tree_node *child = node->child; child; child = child->next)
    add_reads(child, out);
}

static const struct fp_program *compile(struct fixture *f, const char *text, bool unfused) {
  struct source *source = ARENA_NEW(f->arena, struct source);
  struct fp_program *program = NULL;
  *source = source_make(STR("expression"), str_of(text));
  struct fp_compile options = {.source = source, .to = source->text.len, .variables = variables, .variable_count = VARIABLES, .unfused = unfused};
  assert_int_equal(fhirpath_compile(&options, f->arena, &f->diags, &program, NULL), STATUS_OK);
  return program;
}

/* The status, what comes out, and all that has been read so far. */
static struct str outcome(struct fixture *f, int way, const struct fp_program *program, const char *text) {
  struct fp_item node = {.kind = FP_NODE, .node = f->roots[way]}, one = {.kind = FP_STRING, .string = str_of(text)},
                 two[] = {one, one}, number = {.kind = FP_INTEGER, .integer = 1}, other = {.kind = FP_NODE, .node = tree_find(f->roots[way], "few")},
                 flag = {.kind = FP_BOOLEAN, .boolean = text[0] == 'k'};
  struct fp_list values[VARIABLES] = {[TEXT] = {&one, 1, 1},      [NODE] = {&node, 1, 1},  [TWO] = {two, 2, 2},
                                      [NUMBER] = {&number, 1, 1}, [OTHER] = {&other, 1, 1}, [FLAG] = {&flag, 1, 1}};
  struct fp_run run = {.arena = f->arena, .diags = &f->diags, .variables = values, .mark_read = true, .lookups = way == WITH ? &f->lookups : NULL};
  struct fp_item focus;
  struct fp_list items;
  struct buf out;
  buf_init(&out, 1 << 20);
  buf_printf(&out, "%d", (int)fhirpath_eval(program, &run, fp_one_node(&focus, f->roots[way]), &items));
  for (size_t i = 0; i < items.count; i++) {
    buf_add_char(&out, '\n');
    fhirpath_print(&items.items[i], &out);
  }
  buf_add_char(&out, '\n');
  add_reads(f->roots[way], &out);
  struct str result = buf_take_str(&out, f->arena);
  buf_release(&out);
  return result;
}

static const char *const expressions[] = {
    "%node.rows.where(sub.exists() and (v = 'x').not()).where((k & '') = %text)[2].empty()", "%node.rows.where(('' & v) in ('none 3' | 'none 8') or k.exists()).where(k = %text).where(v = 'w').count()",
    "%node.rows.where(iif(k = 'k1', sub.exists(), true)).where(k = %text).v.first()", "%node.rows.where(sub.k = 't').where(k = %text)", "%node.rows.where(('' & sub.v) = '').where(k = %text)[1]",
    "%node.rows.where(sub.k.exists()).sub.where(k = %text).v", "%node.rows.where($this.k.exists()).where(%none.exists()).where(k = %text)",
    "%node.rows.where(iif(k.exists(), k, '' & %node.few.k.first()) = %text).v", "%node.rows.where(iif(k.exists(), '' & k, %other.k & '') = %text)[4].v",
    "%node.rows.where((k & %other.k) = (%text & 'k1'))", "%node.rows.where((k & %text) = (%text & %text)).v", "%node.rows.where(k = 'k1' or k = %other.k).where((v & '') = %text)",
    "%node.rows.where(k = %text or k = 'k2').where(sub.k.exists()).where(k = %text).v", "%node.rows.where((k & %none & %number) = %text)",
    "%node.rows.where(iif(%flag, '' & k, 'none') = %text).v", "%node.rows.where((iif(%flag, '', 's') & sub.v.first() & k) = %text)[2].v",
    "%node.rows.where((k & '') = %text)[3].empty()", "%node.rows.where(('' & v) = %text).k", "%node.rows.where((sub.v & '') = %text)[1]",
    "%node.rows.where((k & '|' & missing) = (%text & '|')).v.first()", "%node.rows.where((k & %text) = %text).v",
    "%node.rows.where(k = %text)[3].empty()", "%node.rows.where(k = %text)[1].empty()", "%node.rows.where(k = %text).first().v", "%node.rows.where(k = %text).exists()", "%node.rows.where(k = %text).v",
    "%node.rows.where(k = %text).where(v = 'v4').sub.k", "%node.rows.where(k = 'k' & %none).count()", "%node.rows.where(k = %text & '').v.first()",
    "%node.rows.where(k = %none)", "%node.rows.where(k = %two)", "%node.rows.where(k = %number)", "%node.rows.where(k = %node.few.k.first()).v",
    "%node.rows.where(k = %node.few.k)", "%node.rows.where(k = %node.few.k & 'x')", "%node.rows.sub.where(k = %text).v", "%node.rows.sub.where(k = %text)[3].v",
    "%node.rows.sub.where(k = 't').count()", "%node.rows.where(sub.k = %text)", "%node.few.where(k = %text)", "%other.where(k = %text)", "%two.rows.where(k = %text)",
    "%node.rows.where(k = %text).where($index = 1).v", "%node.rows.where($index > 2).where(k = %text).v", "%node.rows.where(k != %text).count()",
    "%node.rows.v.where($this = %text)", "%node.rows.where(%node.rows.where(k = %text).exists()).count()", "rows.where(k = %text).v"};
enum { EXPRESSIONS = sizeof expressions / sizeof *expressions };
_Static_assert((int)EXPRESSIONS <= (int)EXPRESSIONS_MAX, "more expressions than there is room for");
/* The fourth of the first ones stand each a little farther behind. */
static const char *const texts[] = {"k0", "k1", "k6", "k1", "none", "", "s2", "t", "v4", "k1"};

static void compile_all(struct fixture *f) {
  for (size_t i = 0; i < EXPRESSIONS; i++)
    for (int way = 0; way < WAYS; way++)
      f->programs[i][way] = compile(f, expressions[i], way == WITHOUT);
}

static int set_up(void **state) {
  struct arena *arena = arena_new(64 << 20);
  struct fixture *f = ARENA_NEW(arena, struct fixture);
  f->arena = arena;
  diag_list_init(&f->diags, arena);
  compile_all(f);
  *state = f;
  return 0;
}

/* `count` expressions, from one on. */
static void same(struct fixture *f, size_t from, size_t count) {
  for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
    for (size_t i = 0; i < count; i++) {
      size_t at = (i + from) % EXPRESSIONS;
      struct str with = outcome(f, WITH, f->programs[at][WITH], texts[k]), without = outcome(f, WITHOUT, f->programs[at][WITHOUT], texts[k]);
      if (!str_eq(with, without)) fail_msg("%s of '%s':\n%.*s\n%.*s", expressions[at], texts[k], STR_ARG(with), STR_ARG(without));
    }
}

/* Around the length that has a table, begun with each expression, and each alone: what reads the least comes first. */
static void tables_say_what_the_list_says(void **state) {
  static const size_t counts[] = {0, 1, 15, 16, 17, 18, 40, 400};
  struct fixture *f = *state;
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
    for (size_t from = 0; from < EXPRESSIONS; from++) {
      struct arena_mark mark = arena_mark(f->arena);
      if (counts[i] > 40 && from > 3) continue;
      read_trees(f, document(f, counts[i], NULL, 0));
      same(f, from, EXPRESSIONS);
      read_trees(f, document(f, counts[i], NULL, 0));
      same(f, from, 1);
      diag_list_init(&f->diags, f->arena);
      arena_rewind(f->arena, mark);
    }
}

/* Each begun with some of them: of all odd items each expression once at least. */
static void odd_items_are_the_same(void **state) {
  enum { STEP = 17 };
  static const char *const odd[] = {"{\"k\":[\"k1\",\"k2\"]}", "{\"k\":1}", "{\"k\":\"\",\"v\":\"\"}", "{\"k\":{\"a\":\"k1\"}}", "{\"k\":null}", "null", "{\"k\":[null,\"k1\"]}", "{\"k\":true,\"sub\":null}", "\"k1\""};
  static const size_t places[] = {0, 5, 39};
  struct fixture *f = *state;
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
    for (size_t k = 0; k < sizeof places / sizeof *places; k++)
      for (size_t from = (3 * i + k) % STEP; from < EXPRESSIONS; from += STEP) {
        struct arena_mark mark = arena_mark(f->arena);
        read_trees(f, document(f, 40, odd[i], places[k]));
        same(f, from, EXPRESSIONS);
        diag_list_init(&f->diags, f->arena);
        arena_rewind(f->arena, mark);
      }
}

/* The table is made when the list is asked for the second time, which reads all of it: also what only its last row asks for. */
static void what_making_a_table_works_out_is_read_when_it_counts(void **state) {
  static const char text[] = "%node.rows.where(iif(v = 'v39', %other.k & '', k) = %text)[2]";
  struct fixture *f = *state;
  struct str document_text = document(f, 39, NULL, 0);
  struct str last = STR(",{\"k\":\"k0\",\"v\":\"v39\"}]");
  size_t end = str_find(document_text, STR("],\"few\""), 0);
  read_trees(f, arena_printf(f->arena, "%.*s%.*s%.*s", (int)end, document_text.ptr, STR_ARG(last), STR_ARG(str_slice(document_text, end + 1, document_text.len))));
  const struct fp_program *with = compile(f, text, false), *without = compile(f, text, true);
  for (int i = 0; i < 2; i++) {
    const char *wanted = i ? "none" : "k1";
    struct str looked_up = outcome(f, WITH, with, wanted), gone_through = outcome(f, WITHOUT, without, wanted);
    if (!str_eq(looked_up, gone_through)) fail_msg("'%s':\n%.*s\n%.*s", wanted, STR_ARG(looked_up), STR_ARG(gone_through));
    assert_non_null(f->lookups.first);
  }
}

/* A list that is part of no tree that stays as it is has none; a short one neither. */
static void only_long_lists_of_the_tree_have_tables(void **state) {
  struct fixture *f = *state;
  const struct fp_program *program;
  read_trees(f, document(f, 16, NULL, 0));
  program = compile(f, "%node.rows.where(k = %text)", false);
  (void)outcome(f, WITH, program, "k1");
  assert_null(f->lookups.first);
  read_trees(f, document(f, 17, NULL, 0));
  f->lookups.root = f->roots[WITHOUT];
  (void)outcome(f, WITH, program, "k1");
  assert_null(f->lookups.first);
  f->lookups.root = f->roots[WITH];
  (void)outcome(f, WITH, program, "k1");
  assert_non_null(f->lookups.first);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {WITH_FIXTURE(tables_say_what_the_list_says), WITH_FIXTURE(odd_items_are_the_same),
                                     WITH_FIXTURE(what_making_a_table_works_out_is_read_when_it_counts),
                                     WITH_FIXTURE(only_long_lists_of_the_tree_have_tables)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
