/* test_json_read.c - what is read and what is refused: tests/golden/json. */
#include <stdlib.h>
#include <time.h>
#include "read.h"

static const struct tree_write AS_READ = {.keep_empty = true};
static const struct tree_write PRETTY = {.keep_empty = true, .pretty = true};

/* Links, positions and adjacency of a tree as read. */
static void check_links(const struct table_row *row, const struct tree_node *node, struct str text) {
  const struct tree_node *last = NULL;
  for (const struct tree_node *child = node->child; child; last = child, child = child->next) {
    if (child->parent != node) ROW_FAIL(row, "wrong parent");
    if (child->offset == 0 || tree_offset(child) >= text.len) ROW_FAIL(row, "wrong offset");
    char first = text.ptr[tree_offset(child)];
    char expected = child->kind == TREE_STRING        ? '"'
                    : child->kind == TREE_OBJECT      ? '{'
                    : child->flags & TREE_EMPTY_ARRAY ? '['
                                                      : 0;
    if (expected && first != expected) ROW_FAIL(row, "offset not at the value");
    if (child->kind == TREE_NUMBER && (text.ptr + tree_offset(child) != child->text.ptr))
      ROW_FAIL(row, "number copied");
    if (last && str_eq(last->name, child->name) != (last->name.ptr == child->name.ptr))
      ROW_FAIL(row, "not adjacent");
    check_links(row, child, text);
  }
  if (node->last != last) ROW_FAIL(row, "wrong last");
}

static void check_accepted(const struct table_row *row) {
  struct diag_list diags;
  struct str text = row->column[0], expected = row->column[1].len ? row->column[1] : text;
  struct tree_node *root = read_text(text, NULL, row->arena, &diags);
  if (!root) ROW_FAIL(row, "refused: %s", diags.first ? diags.first->message.ptr : "?");
  check_links(row, root, text);
  struct str again = write_text(root, &AS_READ, row->arena);
  if (!str_eq(again, expected)) ROW_FAIL(row, "written as %.*s", STR_ARG(again));
  struct str pretty = write_text(root, &PRETTY, row->arena);
  struct tree_node *second = read_text(again, NULL, row->arena, &diags);
  struct tree_node *third = read_text(pretty, NULL, row->arena, &diags);
  if (!second || !third || !tree_equal(root, second) || !tree_equal(root, third))
    ROW_FAIL(row, "differs when read again");
  if (!str_eq(write_text(second, &AS_READ, row->arena), again)) ROW_FAIL(row, "not idempotent");
  if (!str_eq(write_text(third, &PRETTY, row->arena), pretty)) ROW_FAIL(row, "pretty text not idempotent");
}

static void check_refused(const struct table_row *row) {
  struct diag_list diags;
  /* In memory of exactly that size, so that reading beyond it is seen. */
  char *copy = malloc(row->column[0].len ? row->column[0].len : 1);
  assert_non_null(copy);
  memcpy(copy, row->column[0].ptr, row->column[0].len);
  struct tree_node *root = read_text(str_make(copy, row->column[0].len), NULL, row->arena, &diags);
  free(copy);
  if (root) ROW_FAIL(row, "accepted");
  if (diags.count != 1 || !diags.first) ROW_FAIL(row, "%zu diagnostics", diags.count);
  struct str place = arena_printf(row->arena, "%u:%u", diags.first->line, diags.first->col);
  if (!str_is(row->column[1], diag_code_name(diags.first->code)))
    ROW_FAIL(row, "code %s", diag_code_name(diags.first->code));
  if (!str_eq(row->column[2], place)) ROW_FAIL(row, "at %.*s", STR_ARG(place));
  if (str_find(diags.first->message, row->column[3], 0) == SIZE_MAX)
    ROW_FAIL(row, "says: %s", diags.first->message.ptr);
}

static void test_accepted(void **state) {
  (void)state;
  assert_true(table_run("json/accept.tsv", check_accepted) >= 80);
}

static void test_refused(void **state) {
  (void)state;
  assert_true(table_run("json/refuse.tsv", check_refused) >= 120);
}

/* Every prefix of a good text, in memory of its exact size, is refused without reading beyond it. */
static void test_prefixes(void **state) {
  (void)state;
  static const char text[] = "{\"a\\u00e9é\":[-1.50e+3,true,null,\"\\uD83D\\uDE00 \\\"long enough for a "
                             "vector\\\" €\"],\"b\":{\"c\":false}}";
  for (size_t len = 0; len < sizeof text - 1; len++) {
    struct arena *arena = arena_new(1 << 20);
    struct diag_list diags;
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    assert_null(read_text(str_make(copy, len), NULL, arena, &diags));
    assert_true(diags.first->line == 1 && diags.first->col >= 1);
    free(copy);
    arena_free(arena);
  }
}

/* --- caps, each at N-1, N and N+1 --- */

/* Reads under limits; the code of the first diagnostic, or -1 when accepted. */
static int read_under(struct str text, struct tree_limits limits) {
  struct arena *arena = arena_new(256 << 20);
  struct diag_list diags;
  struct tree_node *root = read_text(text, &limits, arena, &diags);
  int code = root ? -1 : (int)diags.first->code;
  arena_free(arena);
  return code;
}

static struct str repeat(struct buf *buf, const char *open, const char *unit, const char *close,
                         size_t count) {
  buf_reset(buf);
  buf_add_text(buf, open);
  for (size_t i = 0; i < count; i++)
    buf_add_text(buf, unit);
  buf_add_text(buf, close);
  assert_int_equal(buf->error, STATUS_OK);
  return buf_str(buf);
}

static void test_bytes(void **state) {
  (void)state;
  struct tree_limits limits = tree_limits_default();
  for (limits.bytes = 1; limits.bytes <= 3; limits.bytes++) {
    assert_int_equal(read_under(STR("{}"), limits), limits.bytes < 2 ? DIAG_INPUT_TOO_LARGE : -1);
  }
}

static void test_depth(void **state) {
  (void)state;
  struct tree_limits limits = tree_limits_default();
  struct buf text;
  buf_init(&text, 1 << 24);
  for (size_t depth = 1; depth < 300; depth++) {
    buf_reset(&text);
    for (size_t i = 0; i < depth; i++)
      buf_add_text(&text, i % 2 ? "\"a\":[" : "{");
    if (depth % 2) buf_add_text(&text, "\"a\":1");
    for (size_t i = depth; i-- > 0;)
      buf_add_text(&text, i % 2 ? "]" : "}");
    for (limits.depth = depth - 1; limits.depth <= depth + 1; limits.depth++) {
      size_t allowed = limits.depth < 256 ? limits.depth : 256;
      /* `{"a":[` without a value inside is no text, so depth 2 stands for an empty array. */
      assert_int_equal(read_under(buf_str(&text), limits), depth > allowed ? DIAG_INPUT_TOO_DEEP : -1);
    }
  }
  struct str deep = repeat(&text, "", "{\"a\":", "", 1000000);
  assert_int_equal(read_under(deep, tree_limits_default()), DIAG_INPUT_TOO_DEEP);
  deep = repeat(&text, "", "[", "", 1000000);
  assert_int_equal(read_under(deep, tree_limits_default()), DIAG_JSON_NESTED_ARRAY);
  buf_release(&text);
}

static void test_children(void **state) {
  (void)state;
  struct tree_limits limits = tree_limits_default();
  struct buf text;
  buf_init(&text, 1 << 24);
  limits.children = 40;
  for (size_t count = 39; count <= 41; count++) {
    int expected = count > 40 ? DIAG_INPUT_TOO_MANY : -1;
    assert_int_equal(read_under(repeat(&text, "[0", ",1", "]", count - 1), limits), expected);
    buf_reset(&text);
    for (size_t i = 0; i < count; i++)
      buf_printf(&text, "%c\"n%zu\":0", i ? ',' : '{', i);
    buf_add_char(&text, '}');
    assert_int_equal(read_under(buf_str(&text), limits), expected);
  }
  buf_release(&text);
}

static void test_number_length(void **state) {
  (void)state;
  struct tree_limits limits = tree_limits_default();
  struct buf text;
  buf_init(&text, 1 << 24);
  limits.number_chars = 10;
  for (size_t count = 9; count <= 11; count++) {
    assert_int_equal(read_under(repeat(&text, "[", "1", "]", count), limits),
                     count > 10 ? DIAG_JSON_NUMBER : -1);
    assert_int_equal(read_under(repeat(&text, "[-0.", "1", "]", count - 3), limits),
                     count > 10 ? DIAG_JSON_NUMBER : -1);
  }
  assert_int_equal(read_under(repeat(&text, "[", "1", "]", 10000000), tree_limits_default()),
                   DIAG_JSON_NUMBER);
  buf_release(&text);
}

/* Of the processor: other tests have it too. */
static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Members beyond the few that are compared one by one; a duplicate at each end and in the middle. */
static void test_many_members(void **state) {
  (void)state;
  struct buf text;
  buf_init(&text, 1 << 26);
  for (size_t count = 30; count <= 70; count++) {
    for (size_t twin = 0; twin <= count; twin++) {
      struct arena *arena = arena_new(1 << 24);
      struct diag_list diags;
      buf_reset(&text);
      size_t place = 0;
      for (size_t i = 0; i < count; i++) {
        buf_add_text(&text, i ? "," : "{");
        place = text.len;
        buf_printf(&text, "\"n%zu\":[%zu,2]", twin < count - 1 && i == count - 1 ? twin : i, i);
      }
      buf_add_char(&text, '}');
      bool good = twin >= count - 1;
      assert_int_equal(read_text(buf_str(&text), NULL, arena, &diags) != NULL, good);
      if (!good) {
        assert_int_equal(diags.first->code, DIAG_JSON_DUPLICATE_KEY);
        assert_int_equal(diags.first->col, place + 1);
      }
      arena_free(arena);
    }
  }
  buf_release(&text);
}

/* 10^5 members, and 10^5 members of names made to collide, take no more than linear time (n log n
 * comparisons). */
static void test_hostile_members(void **state) {
  (void)state;
  struct buf text;
  buf_init(&text, 1 << 26);
  for (int kind = 0; kind < 3; kind++) {
    struct arena *arena = arena_new(256 << 20);
    struct diag_list diags;
    buf_reset(&text);
    for (size_t i = 0; i < LIMIT_CHILDREN; i++) {
      /* 0: counted up; 1: counted down; 2: same length, same first, middle and last byte */
      size_t n = kind == 1 ? LIMIT_CHILDREN - i : i;
      buf_printf(&text, kind == 2 ? "%c\"a%03zuXaX%03zua\":0" : "%c\"%zu%.0zu\":0", i ? ',' : '{',
                 kind == 2 ? n / 1000 : n, n % 1000);
    }
    buf_add_char(&text, '}');
    double begin = seconds();
    assert_non_null(read_text(buf_str(&text), NULL, arena, &diags));
    assert_true(seconds() - begin < 2.0);
    arena_free(arena);
  }
  buf_release(&text);
}

static void test_line_end(void **state) {
  (void)state;
  struct str text = STR("ab\r\n\ncd");
  assert_int_equal(tree_line_end(text, 0), 2);
  assert_int_equal(tree_line_end(text, 4), 4);
  assert_int_equal(tree_line_end(text, 5), 7);
  assert_int_equal(tree_line_end(text, 7), 7);
  assert_int_equal(tree_line_end((struct str){0}, 0), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_accepted),        cmocka_unit_test(test_refused),
      cmocka_unit_test(test_prefixes),        cmocka_unit_test(test_bytes),
      cmocka_unit_test(test_depth),           cmocka_unit_test(test_children),
      cmocka_unit_test(test_number_length),   cmocka_unit_test(test_many_members),
      cmocka_unit_test(test_hostile_members), cmocka_unit_test(test_line_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
