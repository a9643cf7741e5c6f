/* test_lex.c - tokens of maps, decoded strings, and how far an expression goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "mapping/internal.h"

/* One letter a token: n name, d delimited, s string, q quoted, 0 number, @ date, m metadata, ! bad, else
 * itself. */
static void kinds_of(const char *text, char *out, size_t room) {
  static const char letters[] = {
      [FML_NAME] = 'n',   [FML_DELIMITED] = 'd', [FML_STRING] = 's', [FML_QUOTED] = 'q',
      [FML_NUMBER] = '0', [FML_DATE] = '@',      [FML_META] = 'm',   [FML_BAD] = '!'};
  struct source source = source_make(STR("map"), str_of(text));
  struct fml_lexer lexer = {.source = &source, .header = true};
  size_t len = 0;
  for (;;) {
    struct fml_token token = fml_next(&lexer);
    if (token.kind == FML_END) break;
    for (size_t i = 0; token.kind == FML_SYMBOL && i < token.text.len && len + 1 < room; i++)
      out[len++] = token.text.ptr[i];
    if (token.kind != FML_SYMBOL && len + 1 < room) out[len++] = letters[token.kind];
    if (len + 2 < room) out[len++] = ' ';
  }
  out[len ? len - 1 : 0] = '\0';
}

static void test_tokens(void **state) {
  static const struct {
    const char *text, *kinds;
  } rows[] = {
      {"", ""},
      {"map \"u\" = 'n'", "n q = s"},
      {"src.a as `x y` -> tgt.b;", "n . n n d -> n . n ;"},
      {"1..* 0..1 1.5 12", "0 .. * 0 .. 0 0 0"},
      {"a - b -> c", "n - n -> n"},
      {"<<types>> <<type+>>", "<< n >> << n + >>"},
      {"a<=b>=c!=d==e!~f", "n <= n >= n != n == n !~ n"},
      {"@2026-01-31T10:00:00.5+01:00 @T10:00 @2026", "@ @ @"},
      {"@2026->x", "@ -> n"},
      {"/// url = 'x'\n/// y\nuses // rest\n/// comment\nx", "m m n n"},
      {"/* a\nb */ x /**/ y", "n n"},
      {"'it\\'s' \"a\\\"b\" `c\\`d`", "s q d"},
      {"'open", "! n"},
      {"x /* open", "n !"},
      {"a \x01 \xc3\xa4 b", "n ! ! ! n"},
      {"\xef\xbb\xbfmap", "n"},
      {"///", "m"},
      {"/// d = \"\"\"\nmore ///\n\"\"\"\ngroup", "m n"},
  };
  char out[256];
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    kinds_of(rows[i].text, out, sizeof out);
    assert_string_equal(out, rows[i].kinds);
  }
}

static void test_unescape(void **state) {
  static const struct {
    const char *raw, *text;
  } rows[] = {{"plain", "plain"},
              {"a\\tb\\n", "a\tb\n"},
              {"\\'\\\"\\`\\\\\\/", "'\"`\\/"},
              {"\\u00e9", "\xc3\xa9"},
              {"\\u12", "u12"},
              {"\\ud800", "ud800"},
              {"end\\", "end\\"},
              {"\\x", "x"}};
  struct arena *arena = arena_new(1 << 16);
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct str text = fml_unescape(arena, str_of(rows[i].raw));
    assert_true(str_is(text, rows[i].text));
  }
  arena_free(arena);
}

/* The text of a where clause, as the parser cuts it out of a rule. */
static void test_extent(void **state) {
  static const struct {
    const char *rule, *expression;
  } rows[] = {
      {"s where a.b = 1 -> t.x", "a.b = 1"},
      {"s where (a) -> t.x", "(a)"},
      {"s where a - b > 2 -> t.x", "a - b > 2"},
      {"s where a.matches('\\\\d+').not() check b -> t.x", "a.matches('\\\\d+').not()"},
      {"s where a log 'x' -> t.x", "a"},
      {"s where a is Quantity and b in c then g(s)", "a is Quantity and b in c"},
      {"s where a > 5 'mg' \"name\"", "a > 5 'mg'"},
      {"s where a > 5 days \"name\"", "a > 5 days"},
      {"s where a > 5 \"name\"", "a > 5"},
      {"s where a = \"b\" \"name\"", "a = \"b\""},
      {"s where {} = a -> t.x", "{} = a"},
      {"s where a.where($this in ('x' | 'y')), s.b -> t.x", "a.where($this in ('x' | 'y'))"},
      {"s where iif(a, b, c).exists() then { s -> t.x; }", "iif(a, b, c).exists()"},
      {"s where a[0].then.log -> t.x", "a[0].then.log"},
      {"s where %v.x = @2026-01-01 -> t.x", "%v.x = @2026-01-01"},
      {"s where -1 < a -> t.x", "-1 < a"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct arena *arena = arena_new(1 << 20);
    struct mapping_set set = {.arena = arena};
    struct diag_list diags;
    diag_list_init(&diags, arena);
    struct mapping_map map = {0};
    struct str text = arena_printf(arena, "group g(source s, target t) { %s; }", rows[i].rule);
    map.source = source_make(STR("map"), text);
    assert_int_equal(fml_parse(&set, &map, &diags), STATUS_OK);
    assert_int_equal(diags.count, 0);
    struct ast_range where = map.groups->rules->sources->where;
    struct str cut = str_slice(text, where.from, where.to);
    assert_true(str_is(cut, rows[i].expression));
    arena_free(arena);
  }
}

static void test_bad_extent(void **state) {
  static const char *const rules[] = {"s where -> t.x", "s where (a -> t.x", "s where a.b( -> t.x",
                                      "s where "};
  (void)state;
  for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
    struct arena *arena = arena_new(1 << 20);
    struct mapping_set set = {.arena = arena};
    struct diag_list diags;
    diag_list_init(&diags, arena);
    struct mapping_map map = {0};
    map.source =
        source_make(STR("map"), arena_printf(arena, "group g(source s, target t) { %s; }", rules[i]));
    assert_int_equal(fml_parse(&set, &map, &diags), STATUS_OK);
    assert_int_equal(diag_errors(&diags), 1);
    assert_int_equal(diags.first->code, DIAG_MAP_SYNTAX);
    arena_free(arena);
  }
}

static void test_nesting(void **state) {
  struct arena *arena = arena_new(1 << 22);
  struct mapping_set set = {.arena = arena};
  struct diag_list diags;
  struct buf text;
  (void)state;
  for (size_t depth = 62; depth <= 65; depth++) {
    struct mapping_map map = {0};
    diag_list_init(&diags, arena);
    buf_init(&text, 1 << 20);
    buf_add_text(&text, "group g(source s, target t) {");
    for (size_t i = 0; i < depth; i++)
      buf_add_text(&text, "s then {");
    for (size_t i = 0; i < depth; i++)
      buf_add_text(&text, "};");
    buf_add_text(&text, "}");
    map.source = source_make(STR("map"), buf_str(&text));
    assert_int_equal(fml_parse(&set, &map, &diags), STATUS_OK);
    assert_int_equal(diag_errors(&diags) != 0, depth > 63);
    buf_release(&text);
  }
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_tokens), cmocka_unit_test(test_unescape),
                                     cmocka_unit_test(test_extent), cmocka_unit_test(test_bad_extent),
                                     cmocka_unit_test(test_nesting)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
