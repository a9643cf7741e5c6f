/* Dependency order: what is referred to first, ties and circles in the order given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "bundle/internal.h"

/* "0>1 0>2 1>0" with `count` entries -> "2 (0 1)": circles in parentheses. */
static const struct {
  size_t count;
  const char *edges, *want;
} rows[] = {
    {0, "", ""},
    {1, "", "0"},
    {1, "0>0", "0"},
    {3, "", "0 1 2"},
    {3, "0>1", "1 0 2"},
    {3, "0>2 1>2", "2 0 1"},
    {4, "0>1 1>2 2>3", "3 2 1 0"},
    {4, "3>0 3>1 3>2", "0 1 2 3"},
    {2, "0>1 1>0", "(0 1)"},
    {4, "0>3 1>2 2>1 3>1", "(1 2) 3 0"},
    {5, "0>1 0>1 0>1 4>0", "1 0 2 3 4"},
    {6, "0>1 1>2 2>0 3>4 4>3 5>0 0>3", "(3 4) (0 1 2) 5"},
};

static void parse(const char *edges, size_t from, struct bundle_graph *graph) {
  for (const char *at = edges; *at; at++) {
    unsigned a, b;
    int used = 0;
    if (sscanf(at, "%u>%u%n", &a, &b, &used) != 2) continue;
    if (a == from) assert_int_equal(bundle_graph_add(graph, b, 0), STATUS_OK);
    at += used - 1;
  }
}

static void print(const struct bundle_order *order, struct buf *out) {
  size_t from = 0;
  for (size_t g = 0; g < order->group_count; g++) {
    bool circle = order->group_ends[g] - from > 1;
    buf_add_text(out, g ? circle ? " (" : " " : circle ? "(" : "");
    for (size_t i = from; i < order->group_ends[g]; i++)
      buf_printf(out, "%s%u", i > from ? " " : "", order->sequence[i]);
    if (circle) buf_add_text(out, ")");
    from = order->group_ends[g];
  }
  buf_add_char(out, 0);
}

static void test_rows(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct arena *arena = arena_new(1 << 16);
    struct bundle_graph graph;
    struct bundle_order order;
    struct buf text;
    buf_init(&text, 1024);
    assert_int_equal(bundle_graph_init(&graph, rows[i].count, arena), STATUS_OK);
    for (size_t n = 0; n < rows[i].count; n++) {
      bundle_graph_begin(&graph, n);
      parse(rows[i].edges, n, &graph);
    }
    bundle_graph_begin(&graph, rows[i].count);
    assert_int_equal(bundle_order_make(&graph, arena, &order), STATUS_OK);
    print(&order, &text);
    assert_string_equal(text.ptr, rows[i].want);
    buf_release(&text);
    arena_free(arena);
  }
}

/* A chain as long as the cap: no recursion to overflow, every entry once. */
static void test_long_chain(void **state) {
  struct arena *arena = arena_new(16 << 20);
  struct bundle_graph graph;
  struct bundle_order order;
  size_t count = LIMIT_BUNDLE_ENTRIES;
  (void)state;
  assert_int_equal(bundle_graph_init(&graph, count, arena), STATUS_OK);
  for (size_t i = 0; i < count; i++) {
    bundle_graph_begin(&graph, i);
    if (i + 1 < count) assert_int_equal(bundle_graph_add(&graph, i + 1, 0), STATUS_OK);
  }
  bundle_graph_begin(&graph, count);
  assert_int_equal(bundle_order_make(&graph, arena, &order), STATUS_OK);
  assert_int_equal(order.group_count, count);
  for (size_t i = 0; i < count; i++)
    assert_int_equal(order.sequence[i], count - 1 - i);
  arena_free(arena);
}

static void test_no_memory(void **state) {
  struct bundle_graph graph;
  struct bundle_order order;
  (void)state;
  for (unsigned long n = 1; n <= 8; n++) {
    struct arena *arena = arena_new(1 << 16);
    assert_int_equal(bundle_graph_init(&graph, 3, arena), STATUS_OK);
    for (size_t i = 0; i <= 3; i++)
      bundle_graph_begin(&graph, i);
    arena_fail_at(arena, n);
    assert_int_equal(bundle_order_make(&graph, arena, &order), STATUS_NOMEM);
    arena_free(arena);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_long_chain),
                                     cmocka_unit_test(test_no_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
