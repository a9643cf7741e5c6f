/* test_fold.c - what is made when an expression is compiled gives what making it while running gives, and paths that are walked without
 * lists give what others give: a union that begins with {} is never folded, and a path with a filter never walked that way, so each
 * row is asked both ways. What one instruction does for several (texts put together, simple patterns) is the same unfused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "fhirpath/fhirpath.h"

static const char document[] = "{\"text\":\"b\",\"number\":1,\"decimal\":1.0,\"digits\":\"1\",\"yes\":true,\"none\":null,"
                               "\"object\":{\"a\":\"b\",\"c\":{\"d\":1}},\"rows\":[{\"a\":\"b\"},{\"a\":null},{\"a\":[\"b\",\"c\"]}],\"one\":[{\"a\":\"B\"}],\"many\":[\"a\",\"b\"],\"accent\":\"caf\\u00e9\",\"blank\":\"\"}";

static const char *const needles[] = {
    "'a'", "'b'", "'A'", "''", "'b '", "'ab'", "'caf\\u00e9'", "'cafe\\u0301'", "1", "2", "1.0", "1.00", "true", "false", "{}",
    "@2026", "@2026-03", "@2026-03-11", "@2026-03-11T09:00:00Z", "@2026-03-11T10:00:00+01:00", "@T09:00", "'2026'", "1 'mg'", "1000 'ug'",
    "text", "number", "decimal", "digits", "yes", "none", "object", "many", "accent", "blank", "missing", "$this", "%resource"};

static const char *const unions[] = {
    "'a' | 'b'", "'b' | 'a' | 'b'", "'b' | 'b'", "'' | 'x'", "'caf\\u00e9' | 'x'", "1 | 2", "1 | 1.0 | 1.00", "1.00 | 1", "'1' | 1",
    "true | false", "@2026 | @2026-03", "@2026-03-11T09:00:00Z | @2026-03-11T10:00:00+01:00", "@2026 | '2026'", "@T09:00 | @T09:00:00",
    "1 'mg' | 1000 'ug' | 1", "1 year | 1 'a'", "'a' | ('b' | 'a')", "'a' | {}",
    "'a' | 'b' | 'c' | 'd' | 'e' | 'f' | 'g' | 'h' | 'i' | 'j' | 'k' | 'l' | 'm' | 'a'"};

struct fixture {
  struct arena *arena;
  struct diag_list diags;
  struct tree_node *root;
  struct source source;
  struct fp_item items[3]; /* of the variables */
  struct fp_list variables[4];
};
static const struct fp_variable variables[] = {
    {.name = STR("none")}, {.name = STR("node")}, {.name = STR("two")}, {.name = STR("text")}};

static int set_up(void **state) {
  struct arena *arena = arena_new(64 << 20);
  struct fixture *f = ARENA_NEW(arena, struct fixture);
  f->arena = arena;
  diag_list_init(&f->diags, arena);
  f->source = source_make(STR("doc"), str_of(document));
  *state = f;
  if (tree_read_json(&f->source, NULL, arena, &f->diags, &f->root) != STATUS_OK) return -1;
  f->items[0] = f->items[1] = (struct fp_item){.kind = FP_NODE, .node = f->root};
  f->items[2] = (struct fp_item){.kind = FP_STRING, .string = STR("b")};
  f->variables[1] = (struct fp_list){f->items, 1, 1};
  f->variables[2] = (struct fp_list){f->items, 2, 2};
  f->variables[3] = (struct fp_list){f->items + 2, 1, 1};
  return 0;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  arena_free(f->arena);
  return 0;
}

static const struct fp_program *compile_as(struct fixture *f, struct str text, const struct fp_limits *limits, bool unfused) {
  struct source *source = ARENA_NEW(f->arena, struct source);
  struct fp_program *program;
  *source = source_make(STR("expression"), text);
  struct fp_compile options = {
      .source = source, .to = text.len, .limits = limits, .variables = variables, .variable_count = 4,
      .unfused = unfused};
  if (fhirpath_compile(&options, f->arena, &f->diags, &program, NULL) != STATUS_OK) fail_msg("%.*s does not compile", STR_ARG(text));
  return program;
}

static const struct fp_program *compile(struct fixture *f, struct str text, const struct fp_limits *limits) {
  return compile_as(f, text, limits, false);
}

/* Names of what was read; the next expression begins anew. */
static void take_reads(struct tree_node *node, struct buf *out) {
  if (node->flags & TREE_READ) buf_printf(out, " %.*s", STR_ARG(node->name));
  node->flags &= (uint8_t)~TREE_READ;
  for (struct tree_node *child = node->child; child; child = child->next)
    take_reads(child, out);
}

/* The status, the items one a line with their types, and what was read. */
static struct str outcome_of(struct fixture *f, const struct fp_program *program) {
  struct fp_run run = {.arena = f->arena, .diags = &f->diags, .variables = f->variables, .mark_read = true};
  struct fp_item focus;
  struct fp_list items;
  struct buf out;
  buf_init(&out, 1 << 20);
  enum status status = fhirpath_eval(program, &run, fp_one_node(&focus, f->root), &items);
  buf_printf(&out, "%d", (int)status);
  for (size_t i = 0; i < items.count; i++) {
    buf_add_char(&out, '\n');
    buf_add_str(&out, fhirpath_type_name(&items.items[i], f->arena));
    fhirpath_print(&items.items[i], &out);
  }
  take_reads(f->root, &out);
  struct str result = buf_take_str(&out, f->arena);
  buf_release(&out);
  return result;
}

static struct str outcome(struct fixture *f, struct str text) {
  return outcome_of(f, compile(f, text, NULL));
}

static void same(struct fixture *f, struct str folded, struct str made) {
  struct arena_mark mark = arena_mark(f->arena);
  struct str a = outcome(f, folded), b = outcome(f, made);
  if (!str_eq(a, b)) fail_msg("%.*s: %.*s, made while running: %.*s", STR_ARG(folded), STR_ARG(a), STR_ARG(b));
  arena_rewind(f->arena, mark);
  diag_list_init(&f->diags, f->arena);
}

static bool shows(struct fixture *f, struct str text, const char *op) {
  struct buf out;
  buf_init(&out, 1 << 16);
  fhirpath_dump(compile(f, text, NULL), &out);
  buf_add_char(&out, 0);
  bool found = strstr(out.ptr, op) != NULL;
  buf_release(&out);
  return found;
}

static void a_folded_union_is_the_same_list(void **state) {
  struct fixture *f = *state;
  for (size_t i = 0; i < sizeof unions / sizeof *unions; i++)
    same(f, str_of(unions[i]), arena_printf(f->arena, "{} | %s", unions[i]));
}

static void membership_is_the_same(void **state) {
  struct fixture *f = *state;
  for (size_t i = 0; i < sizeof needles / sizeof *needles; i++)
    for (size_t k = 0; k < sizeof unions / sizeof *unions; k++) {
      same(f, arena_printf(f->arena, "%s in (%s)", needles[i], unions[k]),
           arena_printf(f->arena, "%s in ({} | %s)", needles[i], unions[k]));
      same(f, arena_printf(f->arena, "(%s) contains %s", unions[k], needles[i]),
           arena_printf(f->arena, "({} | %s) contains %s", unions[k], needles[i]));
    }
}

struct literals {
  const char *before, *behind; /* around two digits */
};

static struct str literal(struct fixture *f, const struct literals *kind, size_t number) {
  return arena_printf(f->arena, "%s%zu%s", kind->before, 10 + number % 90, kind->behind);
}

static struct str numbered(struct fixture *f, const char *start, size_t count, const struct literals *kind) {
  struct str text = str_of(start);
  for (size_t i = 0; i < count; i++)
    text = arena_printf(f->arena, "%.*s%s%.*s", STR_ARG(text), text.len ? " | " : "", STR_ARG(literal(f, kind, i)));
  return text;
}

/* Around what a list compares one by one (12), what stands on the stack (64), and with duplicates behind 90. */
static void lists_of_every_length_are_the_same(void **state) {
  static const struct literals kinds[] = {{"'n", "'"}, {"", ""}, {"", ".0"}, {"@20", ""}, {"", " 'mg'"}};
  static const size_t counts[] = {1, 2, 11, 12, 13, 14, 63, 64, 65, 91};
  struct fixture *f = *state;
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
      size_t count = counts[i];
      struct str folded = numbered(f, "", count, &kinds[k]), made = numbered(f, "{}", count, &kinds[k]);
      same(f, folded, made);
      for (size_t n = count - 1; n <= count + 1; n++) {
        struct str needle = literal(f, &kinds[k], n);
        same(f, arena_printf(f->arena, "%.*s in (%.*s)", STR_ARG(needle), STR_ARG(folded)),
             arena_printf(f->arena, "%.*s in (%.*s)", STR_ARG(needle), STR_ARG(made)));
      }
    }
}

static void only_what_is_constant_is_folded(void **state) {
  struct fixture *f = *state;
  assert_true(shows(f, STR("'a' | 'b'"), "CONSTANTS \"a\" \"b\""));
  assert_true(shows(f, STR("'b' | 'b'"), "CONSTANTS \"b\"\n"));
  assert_true(shows(f, STR("text in ('a' | 'b')"), "IN_TEXTS"));
  assert_true(shows(f, STR("('a' | 'b') contains text"), "IN_TEXTS"));
  assert_false(shows(f, STR("text in ('a' | 1)"), "IN_TEXTS"));
  assert_true(shows(f, STR("text in ('a' | 1)"), "CONSTANTS"));
  assert_false(shows(f, STR("text in ('a' | text)"), "CONSTANTS"));
  assert_false(shows(f, STR("text in ({} | 'a')"), "CONSTANTS"));
}

static enum status limited(struct fixture *f, const char *text, size_t items) {
  struct fp_limits limits = fp_limits_default();
  struct fp_item focus;
  struct fp_list out;
  limits.items = items;
  struct fp_run run = {.arena = f->arena, .diags = &f->diags, .limits = &limits, .variables = f->variables};
  return fhirpath_eval(compile(f, str_of(text), NULL), &run, fp_one_node(&focus, f->root), &out);
}

static const char *const paths[] = {"text",     "number",       "none",      "missing",  "many",       "object",        "object.a",
                                    "object.c.d", "rows.a",     "one.a",     "object.x.y", "yes",       "%none.text",    "%node.text",
                                    "%node.rows.a", "%two.text", "%two.none", "%text.text", "%node.many", "%node.one.a.b", "blank"};
static const char *const uses[] = {
    "%s.exists()", "%s.empty()", "%s.exists().not()", "%s.first()", "%s.first().exists()", "%s.count()", "%s = 'b'", "%s != 'b'",
    "%s = 'B'", "%s = 1", "%s = 1.0", "%s = true", "%s ~ 'B'", "%s in ('a' | 'b')", "%s in (1 | 'b')", "%s.trim()", "%s & 'x'",
    "%s > 0", "iif(%s = 'b', 1, 2)", "%s.combine('x')", "%s.matches('b')", "%s and true", "where(%s = 'b').count()", "%s"};

/* The path stands once in each use, alone or with a filter that takes nothing away. */
static struct str using(struct fixture *f, const char *use, const char *path, const char *filter) {
  const char *at = strstr(use, "%s");
  return arena_printf(f->arena, "%.*s%s%s%s", (int)(at - use), use, path, filter, at + 2);
}

static void a_plain_path_gives_what_others_give(void **state) {
  struct fixture *f = *state;
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
    for (size_t k = 0; k < sizeof uses / sizeof *uses; k++)
      same(f, using(f, uses[k], paths[i], ""), using(f, uses[k], paths[i], ".where(true)"));
}

static void plain_paths_keep_the_limit_of_items(void **state) {
  struct fixture *f = *state;
  assert_int_equal(limited(f, "rows.a = 'b'", 4), STATUS_OK);
  assert_int_equal(limited(f, "rows.a = 'b'", 3), STATUS_OK);
  assert_int_equal(limited(f, "rows.a = 'b'", 2), STATUS_INVALID);
}

static void a_folded_list_counts_its_items(void **state) {
  struct fixture *f = *state;
  assert_int_equal(limited(f, "'a' | 'b' | 'c'", 4), STATUS_OK);
  assert_int_equal(limited(f, "'a' | 'b' | 'c'", 3), STATUS_OK);
  assert_int_equal(limited(f, "'a' | 'b' | 'c'", 2), STATUS_INVALID);
}

/* --- with and without instructions that stand for several: also the same diagnostics at the same places */

static struct str told(struct fixture *f, struct str text, bool unfused) {
  struct buf out;
  buf_init(&out, 1 << 20);
  diag_list_init(&f->diags, f->arena);
  struct str result = outcome_of(f, compile_as(f, text, NULL, unfused));
  buf_add_str(&out, result);
  for (const struct diag *d = f->diags.first; d; d = d->next)
    buf_printf(&out, "\n%s %u:%u %.*s", diag_code_name(d->code), d->line, d->col, STR_ARG(d->message));
  result = buf_take_str(&out, f->arena);
  buf_release(&out);
  return result;
}

static void same_unfused(struct fixture *f, struct str text) {
  struct arena_mark mark = arena_mark(f->arena);
  struct str fused = told(f, text, false), plain = told(f, text, true);
  if (!str_eq(fused, plain)) fail_msg("%.*s: %.*s, unfused: %.*s", STR_ARG(text), STR_ARG(fused), STR_ARG(plain));
  arena_rewind(f->arena, mark);
  diag_list_init(&f->diags, f->arena);
}

static void fused_paths_give_what_unfused_ones_give(void **state) {
  struct fixture *f = *state;
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
    for (size_t k = 0; k < sizeof uses / sizeof *uses; k++)
      same_unfused(f, using(f, uses[k], paths[i], ""));
}

/* Two operands of every kind, in chains. */
static void joined_texts_are_the_same(void **state) {
  static const char *const forms[] = {"'' & %s & '-' & %s & ''", "'x' & (%s & %s)", "(%s & 'a') & (%s & 'b')", "%s.combine(%s).first()",
                                      "%s.combine('z').combine(%s).combine({}).first()", "%s.combine(%s.combine('y'))",
                                      "%s.combine('y').combine(%s).count()", "%s.combine(%s).first().trim() & '/'",
                                      "iif(%s.exists(), %s, 'none') & '!'", "{}.combine(%s).combine(%s).first() & 'a'",
                                      "%s.combine(%s).join('+')", "%s.combine(%s).where($this = 'b').first()"};
  static const char *const operands[] = {"text", "many", "missing", "none", "number", "object", "%text", "%two.text", "%node.rows.a",
                                         "'lit'", "1", "{}", "@2026-01-01", "true", "''", "accent", "rows.where(a = 'b')", "text.length()"};
  enum { COUNT = sizeof operands / sizeof *operands };
  struct fixture *f = *state;
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
    for (size_t k = 0; k < COUNT * COUNT; k++) {
      struct arena_mark mark = arena_mark(f->arena);
      const char *first = strstr(forms[i], "%s"), *second = strstr(first + 2, "%s");
      same_unfused(f, arena_printf(f->arena, "%.*s%s%.*s%s%s", (int)(first - forms[i]), forms[i], operands[k / COUNT],
                                   (int)(second - first - 2), first + 2, operands[k % COUNT], second + 2));
      arena_rewind(f->arena, mark);
    }
}

/* What does not depend on the item: also where it fails, is empty, or is never asked for. */
static void what_is_worked_out_once_is_the_same(void **state) {
  static const char *const forms[] = {"rows.where(a = %s)", "rows.where(%s = a)", "rows.where(a != %s)", "many.where($this = %s)", "rows.where(a ~ %s)",
                                      "node.rows.where(a = %s)", "many.where($this in %s)", "many.where(%s contains $this)", "many.all($this < %s)",
                                      "many.exists($this = %s)", "missing.where(a = %s).exists()", "many.select(iif($this = 'b', %s, 'no'))",
                                      "many.select($this & %s)", "many.where(startsWith(%s))", "many.where($this.combine(%s).count() = 2)",
                                      "rows.where(a = 'b' and a = %s)", "object.where(c.d = %s or a = %s)", "rows.where(object.empty() and a = %s).a",
                                      "many.where(%s = %s).where($this = %s)", "many.select(%s.count() & 'x')", "many.where(%node.many.where($this = %s).exists())",
                                      "many.aggregate(iif($total = %s, 1, 2), 0)", "object.repeat(c.where(d != %s))"};
  static const char *const operands[] = {"%text", "'b'", "(%text & '')", "(%none & %text)", "%node.text", "%two.text", "%none", "%none.text", "%node.rows.a",
                                         "%node.many", "%node.many.first()", "%none.combine(%text).first()", "%text.combine(%node.many)", "%node.number",
                                         "(%node.number & 'x')", "(%node.many & 'x')", "%node.object", "%node.blank", "%node.text.ofType(string)",
                                         "('x' & %node.text & %text)", "text", "$this", "%resource.text", "%node.decimal.combine(1)"};
  struct fixture *f = *state;
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
    for (size_t k = 0; k < sizeof operands / sizeof *operands; k++) {
      struct arena_mark mark = arena_mark(f->arena);
      struct str text = STR("");
      const char *rest = forms[i];
      for (const char *at; (at = strstr(rest, "%s")) != NULL; rest = at + 2)
        text = arena_printf(f->arena, "%.*s%.*s%s", STR_ARG(text), (int)(at - rest), rest, operands[k]);
      same_unfused(f, arena_printf(f->arena, "%.*s%s", STR_ARG(text), rest));
      arena_rewind(f->arena, mark);
    }
}

static void only_what_is_fixed_is_worked_out_once(void **state) {
  struct fixture *f = *state;
  assert_true(shows(f, STR("rows.where(a = 'x' & %text)"), "EQ_VARIABLE"));
  assert_true(shows(f, STR("rows.where(a = 'x' & %text)"), "ONCE"));
  assert_true(shows(f, STR("rows.where(a = %node.text)"), "ONCE"));
  assert_true(shows(f, STR("rows.where(a.startsWith('x' & %text))"), "ONCE"));
  assert_false(shows(f, STR("rows.where(a = 'x' & text)"), "ONCE"));
  assert_false(shows(f, STR("rows.where(a = %node.many.where($this = 'a'))"), "ONCE"));
  assert_false(shows(f, STR("rows.where(a = now().toString())"), "ONCE"));
  assert_false(shows(f, STR("text = 'x' & %text"), "ONCE"));
}

/* Around the texts that are put together at once. */
static void long_chains_are_the_same(void **state) {
  struct fixture *f = *state;
  struct str chain = STR("text");
  for (size_t i = 2; i <= 40; i++) {
    chain = arena_printf(f->arena, "%.*s & '%zu'", STR_ARG(chain), i);
    struct str copy = arena_printf(f->arena, "%.*s", STR_ARG(chain)); /* behind what is given back */
    same_unfused(f, copy);
  }
}

/* What maps ask for, what is nearly of that kind, and what is not. */
static const char *const patterns[] = {
    "^HL7[0-9]{4}$", "^-?(0|[1-9][0-9]*)([.][0-9]+)?$", "^(https?|urn):[^ ]+$", "^[0-2](\\.(0|[1-9][0-9]*))+$",
    "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$", "^[1-9][0-9]{0,8}$", "^[A-Za-z]{2}(-[A-Z]{2})?$", "^93(2[4-6][0-9]|37[34])-[0-9]$",
    "[^A-Za-z0-9._-]+", "^[+]", "^(-?)0+([0-9])", "abc", "a.c", "^a*$", "a+$", "^", "$", "^$", "", "b{2,3}", "b{2,}c", "(ab|a)c", "(ab|a)(c|bc)$",
    "^(a|b|)c?$", "[a-]", "[-a]b", "[.*+]", "\\d{2}-\\d", "[\\d.]+$", "\\.", "a|b", "^a|b$", "(^a)", "a$b", "a{0,2}b", "a{3}", "a{,2}", "a??b",
    "a++a", "(a*)*b", "(a+)+b", "\\w+", "\\s", "[[:alpha:]]", "[]a]", "[^]a]", "(?i)A", "(a)\\1", "^.{3}$", "\\bab", "[a\\-c]", "x*",
    "(a?){20}b", "[^a]$", "^[^\\n]$", "caf.$", "[^a-z]", "^(a{2}|b{3}){2}$", "~|`", "[ -~]+$", "a{33}", "((((((((a))))))))", "(((((((((a)))))))))",
    "^(iv|im|intravenous)(-|$)", "(-|$)", "a(b|$)", "^a(bc|$)", "a(|$)", "a(b|c|$)", "a\\(b|$)", "a[(b|$)]", "(a(b|$))", "^a$(b|$)", "^a(b$|$)",
    "a(?:b|$)", "^a*(b|$)", "^(a|b)(c+|$)", "x(.|$)", "^a(b|$)c", "^(a?){20}(b|$)",
    ".*(pain|crps|fibromyalgia|hypertens|aneurysm|avm|malformation|hemorrhage|haemorrhage|glaucoma|thyroid|porphyria|infarction|stroke|heart).*",
    "(audit|dast|nrs|pain|bpi|moca|mmse).*", "^(none|none-observed|absent|unknown|not-(applicable|assessed|done|observed|present|recorded|seen))$",
    "^(aneurysmal-vascular-disease|intracerebral-hemorrhage|hypersensitivity-.*)$", ".*", ".*.*", "^.*", ".*$", "^.*a.*$", "a.*", ".*a", ".*?a", ".*+a",
    "a\\.*", ".*|a", "a|.*", "^a.*", "a$.*", "(a|$).*", ".*^a", "[.*].*", "(.*a)", "(.*a.*)b", "a.*?", ".*(a|b)(a|b).*"};
static const char *const texts[] = {
    "chronic-pain", "pain", "heamorrhage", "haemorrhage", "thyroiditis", "strok", "moca-12", "not-seen", "not-see", "none", "none-observed", "nonea",
    "hypersensitivity-x", "hypersensitivity-", "hypersensitivity", "pain\\n", "\\npain\\u00e9", "a\\nb", "a.", "a..", "a\\\\",
    "", "a", "b", "ab", "abc", "abbc", "aabc", "HL70203", "HL7020", "HL702033", "0", "-0", "-12", "012", "1.50", "1.", "12\\n", "12\\n\\n", "a\\n", "\\n",
    "http://x.org/a", "https://x y", "urn:oid:1", "2.16.840.1", "3.1", "0123ABCD-0123-4567-89ab-0123456789ab", "123456789", "1234567890", "en", "en-US",
    "9325-1", "93245-1", "9373-4", "a b/c", "+5", "-007", "aaa", "aaaa", "aab", "bbbc", "acb", "ac", "abcc", "-", "a-", "*", "12-3", "1.2", ".",
    "A", "aa", "a\\u00e9", "caf\\u00e9", "\\u00e9", "x", "a\\tb", "aabb", "aabbb", "bbbbbb", "~", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "[", "]", "a]", "ab ab",
    "iv", "iv-", "iv-b", "iv\\n", "iv-\\n", "iv\\n\\n", "iv-\\u00e9", "ivx", "im-iv", "abx", "a(b", "a(", "xx"};

static void patterns_match_as_pcre_says(void **state) {
  struct fixture *f = *state;
  for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
      struct arena_mark mark = arena_mark(f->arena);
      same_unfused(f, arena_printf(f->arena, "'%s'.matches('%s')", texts[k], patterns[i]));
      same_unfused(f, arena_printf(f->arena, "'%s'.replaceMatches('%s', '<$0>')", texts[k], patterns[i]));
      same_unfused(f, arena_printf(f->arena, "'%s'.matchesFull('%s')", texts[k], patterns[i]));
      arena_rewind(f->arena, mark);
    }
}

/* Texts are short for an automaton up to 128 bytes; longer ones are PCRE2's. */
static void texts_of_every_length_match_alike(void **state) {
  struct fixture *f = *state;
  struct str text = STR("");
  for (size_t len = 1; len <= 140; len++) {
    text = arena_printf(f->arena, "%.*s%s", STR_ARG(text), len % 7 ? "a" : "b");
    struct str copy = arena_printf(f->arena, "'%.*s'.matches('^[ab]+$') and '%.*s'.matches('bab?')", STR_ARG(text), STR_ARG(text));
    same_unfused(f, copy);
  }
}

/* An automaton has 255 letters at most, and 254 states of them; what is larger is PCRE2's. */
static void lists_of_words_of_every_length_match_alike(void **state) {
  struct fixture *f = *state;
  for (size_t words = 40; words <= 68; words++) {
    struct str list = STR("");
    for (size_t i = 0; i < words; i++)
      list = arena_printf(f->arena, "%.*s%s%c%c%c%c", STR_ARG(list), i ? "|" : "", (int)('a' + i % 26), (int)('a' + i / 26), (int)('a' + i % 3), 'z');
    for (size_t i = 0; i < 3; i++) {
      static const char *const words_in[] = {"a xabbz", "lbaz", "-daaz"};
      same_unfused(f, arena_printf(f->arena, "'%s'.matches('%s(%.*s)%s')", words_in[i], i == 1 ? "^" : ".*", STR_ARG(list), i == 1 ? "$" : ".*"));
      same_unfused(f, arena_printf(f->arena, "'%s'.matches('%.*s(%.*s)x?')", words_in[i], (int)(words % 5), "abcd", STR_ARG(list)));
    }
  }
}

static void fused_instructions_stand_where_they_can(void **state) {
  struct fixture *f = *state;
  assert_true(shows(f, STR("text & 'a' & 'b'"), "CONCAT_ALL"));
  assert_true(shows(f, STR("text.combine('a').combine('b')"), "COMBINE"));
  assert_true(shows(f, STR("text.matches('a')"), "MATCHES"));
  assert_false(shows(f, STR("text.matches(text)"), "MATCHES"));
}

int main(void) {
#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
  const struct CMUnitTest tests[] = {WITH(a_folded_union_is_the_same_list), WITH(membership_is_the_same),
                                     WITH(lists_of_every_length_are_the_same), WITH(only_what_is_constant_is_folded),
                                     WITH(a_folded_list_counts_its_items), WITH(a_plain_path_gives_what_others_give),
                                     WITH(plain_paths_keep_the_limit_of_items), WITH(fused_paths_give_what_unfused_ones_give),
                                     WITH(joined_texts_are_the_same), WITH(what_is_worked_out_once_is_the_same), WITH(only_what_is_fixed_is_worked_out_once), WITH(long_chains_are_the_same), WITH(patterns_match_as_pcre_says),
                                     WITH(texts_of_every_length_match_alike), WITH(lists_of_words_of_every_length_match_alike), WITH(fused_instructions_stand_where_they_can)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
