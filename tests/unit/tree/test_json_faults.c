/* test_json_faults.c - each allocation fails in turn; each byte of a text is spoiled in turn. */
#include <stdlib.h>
#include "read.h"

static const char TEXT[] =
    "{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"M\\u00fcller "
    "\\uD83D\\uDE00\",\"given\":[\"A\",\"B\"]}],"
    "\"empty\":[],\"birthDate\":null,\"active\":true,\"weight\":72.50,\"text\":{\"div\":\"<div>\\n\\\"é\\\"</"
    "div>\"},"
    "\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1,\"k\":1,\"l\":1,\"m\":1,"
    "\"n\":1,\"o\":1,\"p\":1,"
    "\"q\":1,\"r\":1,\"s\":1,\"t\":1,\"u\":1,\"v\":1,\"w\":1,\"x\":1,\"y\":1,\"z\":[1,2],\"\\u00e9\":[1,2]}";

/* Until a run gets through unharmed. */
static void test_each_allocation(void **state) {
  (void)state;
  struct source source = source_make(STR("a.json"), str_of(TEXT));
  unsigned long n = 1;
  for (;; n++) {
    struct arena *arena = arena_new(1 << 20), *other = arena_new(1 << 20);
    struct diag_list diags;
    struct tree_node *root;
    diag_list_init(&diags, other);
    arena_fail_at(arena, n);
    enum status status = tree_read_json(&source, NULL, arena, &diags, &root);
    assert_true(status == STATUS_OK || status == STATUS_NOMEM);
    assert_int_equal(status == STATUS_OK, root != NULL);
    assert_int_equal(diags.count, 0);
    arena_free(arena);
    arena_free(other);
    if (status == STATUS_OK) break;
    assert_true(n < 1000);
  }
  assert_true(n > 40);
}

/* The report of a fault finds no memory: still refused, and counted. */
static void test_report_without_memory(void **state) {
  (void)state;
  struct source source = source_make(STR("a.json"), STR("{\"a\":1,\"a\":2}"));
  for (unsigned long n = 1; n < 12; n++) {
    struct arena *arena = arena_new(1 << 20), *other = arena_new(1 << 20);
    struct diag_list diags;
    struct tree_node *root;
    diag_list_init(&diags, other);
    arena_fail_at(other, n);
    assert_int_equal(tree_read_json(&source, NULL, arena, &diags, &root), STATUS_INVALID);
    assert_int_equal(diag_errors(&diags), 1);
    assert_int_equal(diags.count + diags.dropped, 1);
    arena_free(arena);
    arena_free(other);
  }
}

/* All caps of the arena from nothing to enough. */
static void test_each_cap(void **state) {
  (void)state;
  struct source source = source_make(STR("a.json"), str_of(TEXT));
  enum status status = STATUS_NOMEM;
  for (size_t cap = 0; cap < 65536 && status; cap += 61) {
    struct arena *arena = arena_new(cap), *other = arena_new(1 << 20);
    struct diag_list diags;
    struct tree_node *root;
    diag_list_init(&diags, other);
    status = tree_read_json(&source, NULL, arena, &diags, &root);
    assert_true(status == STATUS_OK || status == STATUS_NOMEM);
    arena_free(arena);
    arena_free(other);
  }
  assert_int_equal(status, STATUS_OK);
}

static void test_copy_without_memory(void **state) {
  (void)state;
  for (unsigned long n = 1;; n++) {
    struct arena *arena = arena_new(1 << 20);
    struct diag_list diags;
    struct tree_node *root = read_text(str_of(TEXT), NULL, arena, &diags);
    assert_non_null(root);
    arena_fail_at(arena, n);
    struct tree_node *copy = tree_copy(root, arena);
    bool done = copy != NULL;
    if (done) assert_true(tree_equal(root, copy));
    arena_free(arena);
    if (done) break;
    assert_true(n < 1000);
  }
}

/* Each byte replaced by each of some others: read or refused with a place, never worse; what is read can be
 * written. */
static void test_each_byte(void **state) {
  (void)state;
  static const char bytes[] = {0,   '\n', ' ', '"', '\\', ',',    ':',    '[',    ']',   '{',
                               '}', '0',  '-', 'e', 'u',  '\x7F', '\x80', '\xC3', '\xFF'};
  size_t len = sizeof TEXT - 1, refused = 0;
  char *copy = malloc(len);
  assert_non_null(copy);
  for (size_t at = 0; at < len; at++) {
    for (size_t b = 0; b < sizeof bytes; b++) {
      struct arena *arena = arena_new(1 << 20);
      struct diag_list diags;
      memcpy(copy, TEXT, len);
      copy[at] = bytes[b];
      struct tree_node *root = read_text(str_make(copy, len), NULL, arena, &diags);
      if (root) {
        struct str again = write_text(root, &(struct tree_write){.keep_empty = true}, arena);
        struct tree_node *second = read_text(again, NULL, arena, &diags);
        assert_true(second && tree_equal(root, second));
      } else {
        assert_true(diags.count == 1 && diags.first->line > 0 && diags.first->col > 0);
        refused++;
      }
      arena_free(arena);
    }
  }
  assert_true(refused > len);
  free(copy);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_allocation), cmocka_unit_test(test_report_without_memory),
      cmocka_unit_test(test_each_cap),        cmocka_unit_test(test_copy_without_memory),
      cmocka_unit_test(test_each_byte),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
