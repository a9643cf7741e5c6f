/*
 * Mutants: each node of a good resource is broken in each way it can be; the validator must find each at that
 * node or below it. The parents (tests/golden/validation/good-*) give no error.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../golden.h"
#include "../pack.h"
#include "validation/validation.h"

static const struct definitions *definitions;
static struct validation *validation;
static size_t made, missed;

/* A way to break a node; false: it does not apply. */
typedef bool mutator(struct tree_node *node, struct arena *arena);

static bool rename_it(struct tree_node *node, struct arena *arena) {
  node->name = arena_concat(arena, node->name, STR("X"));
  return true;
}

static bool change_kind(struct tree_node *node, struct arena *arena) {
  (void)arena;
  if (node->kind == TREE_NULL) return false;
  node->child = node->last = NULL;
  node->text = node->kind == TREE_STRING ? STR("true") : STR("1");
  node->kind = node->kind == TREE_STRING ? TREE_BOOLEAN : TREE_STRING;
  return true;
}

static bool empty_it(struct tree_node *node, struct arena *arena) {
  (void)arena;
  if (node->kind != TREE_OBJECT && node->kind != TREE_STRING) return false;
  node->child = node->last = NULL;
  node->text = (struct str){0};
  return true;
}

/* A list of one becomes a single value, a single value a list. */
static bool toggle_array(struct tree_node *node, struct arena *arena) {
  (void)arena;
  const struct tree_node *next = node->next;
  for (const struct tree_node *other = node->parent->child; other != node; other = other->next)
    if (str_eq(other->name, node->name)) return false;
  if (next && str_eq(next->name, node->name)) return false;
  node->flags ^= TREE_IN_ARRAY;
  return true;
}

/* A null is right where the partner has extensions. */
static bool make_null(struct tree_node *node, struct arena *arena) {
  struct str partner = arena_concat(arena, STR("_"), node->name);
  if (tree_find_str(node->parent, partner)) return false;
  node->kind = TREE_NULL;
  node->child = node->last = NULL;
  node->text = (struct str){0};
  return true;
}

static bool add_spaces(struct tree_node *node, struct arena *arena) {
  (void)arena;
  if (node->kind != TREE_STRING) return false;
  node->text = STR(" \x01 ");
  return true;
}

static const struct {
  const char *name;
  mutator *apply;
} mutators[] = {{"rename", rename_it},   {"kind", change_kind}, {"empty", empty_it},
                {"array", toggle_array}, {"null", make_null},   {"control", add_spaces}};

/* --- running --- */

static struct tree_node *read_raw(struct str text, struct arena *arena, struct source *source) {
  struct diag_list diags;
  struct tree_node *root = NULL;
  *source = source_make(STR("input.json"), text);
  diag_list_init(&diags, arena);
  return tree_read_json(source, NULL, arena, &diags, &root) == STATUS_OK ? root : NULL;
}

/* False: not JSON that can be read (a name twice in one object), so nothing for the validator. */
static bool check(struct str text, struct arena *arena, struct diag_list *diags) {
  struct source *source = ARENA_NEW(arena, struct source);
  struct tree_node *root = read_raw(text, arena, source);
  diag_list_init(diags, arena);
  if (!root) return false;
  (void)!definitions_bind(definitions, NULL, root, source, arena, diags);
  struct validation_run run = {.host = host_system(), .arena = arena, .diags = diags, .source = source};
  assert_int_equal(validation_check(validation, &run, root), STATUS_OK);
  return true;
}

static struct tree_node *nth(struct tree_node *root, size_t n) {
  struct tree_node *node = root;
  while (node && n--) {
    if (node->child) {
      node = node->child;
      continue;
    }
    while (node != root && !node->next)
      node = node->parent;
    node = node == root ? NULL : node->next;
  }
  return node;
}

/* The partners of primitives (_x) are bound into x: the binding has tests of its own. */
static bool is_value_node(const struct tree_node *node) {
  if (node->name.len && node->name.ptr[0] == '_') return false;
  return node->parent && !str_is(node->name, "resourceType") && node->kind != TREE_NULL;
}

static void try_mutant(struct golden *golden, struct str text, size_t n, size_t m) {
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct source source;
  struct diag_list diags;
  struct tree_write options = {.keep_empty = true};
  struct buf out;
  struct tree_node *root = read_raw(text, arena, &source), *node = nth(root, n);
  struct str path = tree_path(node, STR(""), arena);
  buf_init(&out, LIMIT_TEXT_BYTES);
  if (is_value_node(node) && mutators[m].apply(node, arena)) {
    tree_write_json(root, &options, &out);
    bool readable = check(buf_str(&out), arena, &diags);
    made += readable;
    if (readable && !diag_failed(&diags)) {
      missed++;
      printf("%s: %s of %.*s was not found\n", golden->name, mutators[m].name, STR_ARG(path));
    }
  }
  buf_release(&out);
  arena_free(arena);
}

static void run_case(struct golden *golden) {
  struct str text = golden_read(golden, "input.json");
  struct diag_list diags;
  struct source source;
  size_t nodes = 0;
  if (strncmp(golden->name, "good-", 5) != 0) return;
  assert_true(check(text, golden->arena, &diags));
  golden->failures += diag_failed(&diags);
  struct tree_node *root = read_raw(text, golden->arena, &source);
  while (nth(root, nodes))
    nodes++;
  for (size_t n = 1; n < nodes; n++)
    for (size_t m = 0; m < sizeof mutators / sizeof mutators[0]; m++)
      try_mutant(golden, text, n, m);
}

static void test_mutants(void **state) {
  (void)state;
  assert_int_equal(golden_run(SOURCE_DIR "/tests/golden/validation", run_case), 0);
  printf("%zu mutants, %zu missed\n", made, missed);
  assert_true(made > 1000);
  assert_int_equal(missed, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_mutants)};
  struct definitions *opened = pack_open();
  struct validation_params params = {.definitions = opened, .internal_references = true};
  struct diag_list diags = {0};
  if (!opened) return PACK_SKIPPED;
  definitions = opened;
  if (validation_new(&params, &diags, &validation) != STATUS_OK) return 1;
  int result = cmocka_run_group_tests(tests, NULL, NULL);
  validation_free(validation);
  definitions_close(opened);
  return result;
}
