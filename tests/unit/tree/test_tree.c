/* test_tree.c - walking, paths, building. */
#include "read.h"

static const char TEXT[] = "{\"resourceType\":\"Patient\",\"id\":\"1\",\"name\":[{\"given\":[\"A\",\"B\"],"
                           "\"family\":\"F\"},{\"given\":[\"C\"]}],"
                           "\"valueQuantity\":{\"value\":1.50}}";

struct fixture {
  struct arena *arena;
  struct tree_node *root;
};

static int setup(void **state) {
  struct diag_list diags;
  struct arena *arena = arena_new(1 << 20);
  struct fixture *f = ARENA_NEW(arena, struct fixture);
  f->arena = arena;
  f->root = read_text(str_of(TEXT), NULL, arena, &diags);
  *state = f;
  return f->root ? 0 : -1;
}

static int teardown(void **state) {
  arena_free(((struct fixture *)*state)->arena);
  return 0;
}

static void test_walk(void **state) {
  struct fixture *f = *state;
  f->root->child->flags |= TREE_META;
  assert_true(str_is(tree_first(f->root)->name, "id"));
  assert_true(str_is(tree_text(f->root, "id"), "1"));
  assert_int_equal(tree_text(f->root, "absent").len, 0);
  assert_null(tree_find(f->root, "nam"));
  struct tree_node *name = tree_find(f->root, "name");
  assert_true(str_is(tree_text(name, "family"), "F"));
  struct tree_node *second = tree_next_same(name);
  assert_non_null(second);
  assert_null(tree_next_same(second));
  assert_true(str_is(tree_text(second, "given"), "C"));
  assert_true(str_is(tree_next(second)->name, "valueQuantity"));
  assert_null(tree_next(tree_next(second)));
  assert_null(tree_first(tree_find(f->root, "id")));
  assert_int_equal(tree_offset(tree_find(f->root, "id")), 31);
}

static void check_path(struct fixture *f, const struct tree_node *node, const char *path, const char *plain) {
  assert_string_equal(tree_path(node, STR("Patient"), f->arena).ptr, path);
  assert_string_equal(tree_path_plain(node, STR("Patient"), f->arena).ptr, plain);
}

static void test_paths(void **state) {
  struct fixture *f = *state;
  struct tree_node *name = tree_find(f->root, "name");
  check_path(f, f->root, "Patient", "Patient");
  check_path(f, tree_find(f->root, "id"), "Patient.id", "Patient.id");
  check_path(f, tree_find(name, "given"), "Patient.name[0].given[0]", "Patient.name.given");
  check_path(f, tree_find(name, "given")->next, "Patient.name[0].given[1]", "Patient.name.given");
  check_path(f, tree_find(name->next, "given"), "Patient.name[1].given[0]", "Patient.name.given");
  check_path(f, tree_find(tree_find(f->root, "valueQuantity"), "value"), "Patient.valueQuantity.value",
             "Patient.valueQuantity.value");
  assert_string_equal(tree_path(name, (struct str){0}, f->arena).ptr, "name[0]");
  arena_fail_at(f->arena, 1);
  assert_null(tree_path(name, STR("Patient"), f->arena).ptr);
}

static void test_path_of_items(void **state) {
  struct fixture *f = *state;
  struct diag_list diags;
  struct tree_node *root = read_text(STR("[{\"a\":1},{\"a\":2}]"), NULL, f->arena, &diags);
  assert_string_equal(tree_path(root->last->child, STR("Bundle"), f->arena).ptr, "Bundle[1].a");
  assert_string_equal(tree_path(root->last->child, (struct str){0}, f->arena).ptr, "[1].a");
}

/* Names of the children in order, with a space behind each. */
static struct str names(struct fixture *f, const struct tree_node *node) {
  struct str all = STR("");
  const struct tree_node *last = NULL;
  for (const struct tree_node *child = node->child; child; last = child, child = child->next) {
    assert_ptr_equal(child->parent, node);
    all = arena_printf(f->arena, "%.*s%.*s ", STR_ARG(all), STR_ARG(child->name));
  }
  assert_ptr_equal(node->last, last);
  return all;
}

static void insert(struct fixture *f, struct tree_node *parent, const char *name, uint16_t order) {
  struct tree_node *node = tree_new(f->arena, TREE_OBJECT, str_of(name));
  assert_non_null(node);
  node->order = order;
  tree_insert_ordered(parent, node);
}

static void test_insert_ordered(void **state) {
  struct fixture *f = *state;
  struct tree_node *root = tree_new(f->arena, TREE_OBJECT, STR(""));
  insert(f, root, "c1", 3);
  insert(f, root, "a1", 1);
  insert(f, root, "b1", 2);
  insert(f, root, "c2", 3);
  insert(f, root, "a2", 1);
  insert(f, root, "d1", 4);
  insert(f, root, "b2", 2);
  insert(f, root, "z0", 0);
  assert_string_equal(names(f, root).ptr, "z0 a1 a2 b1 b2 c1 c2 d1 ");
}

static void test_remove(void **state) {
  struct fixture *f = *state;
  struct tree_node *root = tree_new(f->arena, TREE_OBJECT, STR(""));
  for (uint16_t i = 0; i < 4; i++)
    insert(f, root, (const char *[]){"a", "b", "c", "d"}[i], i);
  struct tree_node *b = tree_find(root, "b");
  tree_remove(b);
  assert_string_equal(names(f, root).ptr, "a c d ");
  assert_true(!b->parent && !b->next);
  tree_remove(b); /* already out */
  tree_remove(root->last);
  assert_string_equal(names(f, root).ptr, "a c ");
  tree_append(root, b);
  tree_remove(root->child);
  assert_string_equal(names(f, root).ptr, "c b ");
  tree_remove(root->child);
  tree_remove(root->child);
  assert_string_equal(names(f, root).ptr, "");
  assert_null(root->last);
}

static void test_copy_and_equal(void **state) {
  struct fixture *f = *state;
  struct tree_node *copy = tree_copy(f->root, f->arena);
  assert_true(tree_equal(f->root, copy));
  assert_true(str_eq(names(f, f->root), names(f, copy)));
  struct tree_node *name = tree_find(copy, "name");
  assert_ptr_not_equal(name, tree_find(f->root, "name"));
  struct tree_node *part = tree_copy(name, f->arena); /* without what follows it */
  assert_true(!part->next && !part->parent);
  assert_true(tree_equal(part, name));
  name->next->child->text = STR("D");
  assert_false(tree_equal(f->root, copy));
  name->next->child->text = STR("C");
  assert_true(tree_equal(f->root, copy));
  name->next->child->kind = TREE_NUMBER;
  assert_false(tree_equal(f->root, copy));
  tree_remove(copy->last);
  assert_false(tree_equal(f->root, copy));
  tree_remove(f->root->last);
  tree_remove(name->next);
  assert_false(tree_equal(f->root, copy));
}

/* The same names in the same order of walking, but on other levels. */
static void test_unequal_levels(void **state) {
  struct fixture *f = *state;
  struct diag_list diags;
  struct tree_node *a = read_text(STR("{\"a\":{\"b\":{}},\"c\":{}}"), NULL, f->arena, &diags);
  struct tree_node *b = read_text(STR("{\"a\":{\"b\":{},\"c\":{}}}"), NULL, f->arena, &diags);
  struct tree_node *c = read_text(STR("{\"a\":{\"b\":{\"c\":{}}}}"), NULL, f->arena, &diags);
  assert_false(tree_equal(a, b));
  assert_false(tree_equal(b, c));
  assert_false(tree_equal(a, c));
  assert_true(tree_equal(a, a));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_walk),   TEST(test_paths),          TEST(test_path_of_items),  TEST(test_insert_ordered),
      TEST(test_remove), TEST(test_copy_and_equal), TEST(test_unequal_levels),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
