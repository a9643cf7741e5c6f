/* test_bind.c - definitions laid over trees, `_x` folded, new nodes made in order. */
#include "small.h"

struct bound {
  struct arena *arena;
  struct source source;
  struct diag_list diags;
  struct tree_node *root;
  enum status status;
};

static struct bound bind(const struct small *small, const char *type, const char *text) {
  struct bound bound = {.arena = arena_new(16 << 20), .source = source_make(STR("in.json"), str_of(text))};
  diag_list_init(&bound.diags, bound.arena);
  assert_int_equal(tree_read_json(&bound.source, NULL, bound.arena, &bound.diags, &bound.root), STATUS_OK);
  bound.status = definitions_bind(small->definitions, type ? need_type(small, type) : NULL, bound.root,
                                  &bound.source, bound.arena, &bound.diags);
  return bound;
}

static void assert_written(const struct bound *bound, const char *expected) {
  struct buf out;
  buf_init(&out, 1 << 20);
  tree_write_json(bound->root, &(struct tree_write){0}, &out);
  assert_text(buf_str(&out), expected);
  buf_release(&out);
}

static void test_elements(void **state) {
  const struct small *small = *state;
  static const char text[] =
      "{\"resourceType\":\"Thing\",\"id\":\"1\",\"alias\":[\"a\",\"b\"],\"valueQuantity\":"
      "{\"value\":1.50},\"part\":[{\"part\":[{\"name\":\"x\"}]}],\"odd\":true}";
  struct bound bound = bind(small, NULL, text);
  assert_int_equal(bound.status, STATUS_OK);
  assert_ptr_equal(node_type(bound.root), need_type(small, "Thing"));
  const struct tree_node *meta = tree_find(bound.root, "resourceType"),
                         *value = tree_find(bound.root, "valueQuantity");
  assert_true(tree_is_meta(meta));
  assert_null(node_element(meta));
  assert_ptr_equal(node_element(value), need_element(need_type(small, "Thing"), "value"));
  assert_ptr_equal(node_type(value), need_type(small, "Quantity"));
  assert_int_equal(value->symbol, definitions_symbol(small->definitions, STR("value")));
  assert_int_equal(value->order, def_element_order(node_element(value)));
  const struct tree_node *alias = tree_find(bound.root, "alias");
  assert_ptr_equal(node_type(tree_next_same(alias)), need_type(small, "string"));
  const struct tree_node *part = tree_find(bound.root, "part"), *inner = tree_find(part, "part");
  assert_ptr_equal(node_type(inner), need_type(small, "Thing.part"));
  assert_ptr_equal(node_type(tree_find(inner, "name")), need_type(small, "string"));
  const struct tree_node *odd = tree_find(bound.root, "odd"); /* left for the validator */
  assert_null(node_element(odd));
  assert_int_equal(odd->symbol, 0);
  assert_true(odd->flags & TREE_BOUND);
  assert_text(definitions_path(tree_find(inner, "name"), bound.arena), "Thing.part[0].part[0].name");
  assert_text(definitions_path(value, bound.arena), "Thing.valueQuantity");
  assert_written(&bound, text);
  arena_free(bound.arena);
}

static void test_inner_resources(void **state) {
  const struct small *small = *state;
  struct bound bound = bind(
      small, NULL,
      "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{\"resourceType\":\"Thing\",\"status\":\"on\","
      "\"contained\":[{\"resourceType\":\"Bundle\",\"id\":\"b\"},{\"resourceType\":\"Thing\",\"id\":\"t\"}]}}"
      "]}");
  assert_int_equal(bound.status, STATUS_OK);
  const struct tree_node *thing = tree_find(tree_find(bound.root, "entry"), "resource");
  const struct tree_node *first = tree_find(thing, "contained");
  assert_ptr_equal(node_type(thing), need_type(small, "Thing"));
  assert_ptr_equal(node_type(first), need_type(small, "Bundle"));
  assert_ptr_equal(node_type(first->next), need_type(small, "Thing"));
  assert_non_null(node_element(tree_find(first->next, "id")));
  arena_free(bound.arena);
}

/* What goes in, what comes out, how many errors. */
static void test_underscores(void **state) {
  static const struct {
    const char *text, *written;
    size_t errors;
  } rows[] = {
      {"{\"resourceType\":\"Thing\",\"status\":\"on\",\"_status\":{\"id\":\"s\"}}",
       "{\"resourceType\":\"Thing\",\"status\":\"on\",\"_status\":{\"id\":\"s\"}}", 0},
      {"{\"resourceType\":\"Thing\",\"_status\":{\"id\":\"s\"},\"status\":\"on\"}",
       "{\"resourceType\":\"Thing\",\"status\":\"on\",\"_status\":{\"id\":\"s\"}}", 0},
      {"{\"resourceType\":\"Thing\",\"_status\":{\"id\":\"s\"}}",
       "{\"resourceType\":\"Thing\",\"_status\":{\"id\":\"s\"}}", 0},
      {"{\"resourceType\":\"Thing\",\"alias\":[\"a\",null],\"_alias\":[null,{\"id\":\"2\"}]}",
       "{\"resourceType\":\"Thing\",\"alias\":[\"a\",null],\"_alias\":[null,{\"id\":\"2\"}]}", 0},
      {"{\"resourceType\":\"Thing\",\"_alias\":[null,{\"id\":\"2\"}]}", NULL, 0},
      {"{\"resourceType\":\"Thing\",\"alias\":[\"a\"],\"_alias\":[{\"id\":\"1\"},{\"id\":\"2\"}]}", NULL, 1},
      {"{\"resourceType\":\"Thing\",\"valueString\":\"x\",\"_valueString\":{\"id\":\"v\"}}",
       "{\"resourceType\":\"Thing\",\"valueString\":\"x\",\"_valueString\":{\"id\":\"v\"}}", 0},
      {"{\"resourceType\":\"Thing\",\"_code\":[{\"id\":\"s\"}]}", NULL, 1},
      {"{\"resourceType\":\"Thing\",\"code\":[{\"text\":\"t\"}],\"_code\":[{\"id\":\"s\"}]}", NULL, 1},
      {"{\"resourceType\":\"Thing\",\"_unknown\":{\"id\":\"s\"}}", NULL, 0},
      {"{\"resourceType\":\"Thing\",\"_\":{\"id\":\"s\"},\"__status\":1}", NULL, 0},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct bound bound = bind(*state, NULL, rows[i].text);
    if (bound.diags.count != rows[i].errors) print_message("%s\n", rows[i].text), print_diags(&bound.diags);
    assert_int_equal(bound.diags.count, rows[i].errors);
    assert_int_equal(bound.status, rows[i].errors ? STATUS_INVALID : STATUS_OK);
    if (rows[i].written) assert_written(&bound, rows[i].written);
    for (const struct tree_node *at = bound.root->child; at; at = at->next)
      assert_ptr_equal(at->parent, bound.root);
    arena_free(bound.arena);
  }
}

static void test_folded_extension(void **state) {
  const struct small *small = *state;
  struct bound bound =
      bind(small, NULL,
           "{\"resourceType\":\"Thing\",\"_status\":{\"extension\":[{\"url\":\"u\",\"valueDecimal\":"
           "1.0,\"_valueDecimal\":{\"id\":\"d\"}}]}}");
  const struct tree_node *status = tree_find(bound.root, "status"),
                         *extension = tree_find(status, "extension");
  assert_int_equal(status->kind, TREE_NULL);
  assert_ptr_equal(node_type(status), need_type(small, "code"));
  assert_ptr_equal(node_type(extension), need_type(small, "Extension"));
  assert_ptr_equal(node_type(tree_find(extension, "valueDecimal")), need_type(small, "decimal"));
  assert_null(tree_find(extension, "_valueDecimal"));
  assert_ptr_equal(node_type(tree_find(tree_find(extension, "valueDecimal"), "id")),
                   need_type(small, "string"));
  arena_free(bound.arena);
}

static void test_unknown_resources(void **state) {
  static const char *const texts[] = {
      "{\"resourceType\":\"Thimg\"}",
      "{\"id\":\"1\"}",
      "{\"resourceType\":\"Resource\"}",
      "{\"resourceType\":\"ThingStrict\"}",
      "{\"resourceType\":\"Quantity\"}",
      "{\"resourceType\":\"http://example.org/fhir/StructureDefinition/Thing\"}",
      "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{\"id\":\"x\"}}]}",
  };
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    struct bound bound = bind(*state, NULL, texts[i]);
    assert_int_equal(bound.status, STATUS_INVALID);
    assert_int_equal(bound.diags.count, 1);
    assert_int_equal(bound.diags.first->code, DIAG_UNKNOWN_RESOURCE);
    arena_free(bound.arena);
  }
  struct bound bound = bind(*state, NULL, texts[0]);
  assert_true(str_find(bound.diags.first->message, STR("did you mean Thing?"), 0) != SIZE_MAX);
  assert_int_equal(bound.diags.first->line, 1);
  arena_free(bound.arena);
}

static void test_given_types(void **state) {
  const struct small *small = *state;
  struct bound bound =
      bind(small, "ClinicVisit", "{\"number\":\"7\",\"dose\":[{\"amount\":0.50}],\"resourceType\":1}");
  const struct tree_node *amount = tree_find(tree_find(bound.root, "dose"), "amount");
  assert_int_equal(bound.status, STATUS_OK);
  assert_ptr_equal(node_type(amount), need_type(small, "decimal"));
  assert_text(definitions_path(amount, bound.arena), "ClinicVisit.dose[0].amount");
  assert_false(tree_is_meta(tree_find(bound.root, "resourceType"))); /* a model has no such thing */
  arena_free(bound.arena);
  bound = bind(small, "Quantity", "{\"value\":1}");
  assert_int_equal(bound.status, STATUS_OK);
  arena_free(bound.arena);
  bound = bind(small, "Thing", "{\"resourceType\":\"Bundle\"}");
  assert_int_equal(bound.status, STATUS_INVALID);
  assert_int_equal(bound.diags.first->code, DIAG_WRONG_TYPE);
  arena_free(bound.arena);
  bound = bind(small, "Resource", "{\"resourceType\":\"Thing\",\"status\":\"on\"}");
  assert_ptr_equal(node_type(bound.root), need_type(small, "Thing"));
  arena_free(bound.arena);
  bound = bind(small, "ThingStrict", "{\"resourceType\":\"Thing\",\"status\":\"on\"}");
  assert_int_equal(bound.status, STATUS_OK);
  arena_free(bound.arena);
}

/* A tree as deep as the reader lets through. */
static void test_depth(void **state) {
  struct buf text;
  buf_init(&text, 1 << 20);
  buf_add_text(&text, "{\"resourceType\":\"Thing\",\"part\":");
  for (int i = 0; i < 30; i++)
    buf_add_text(&text, "[{\"part\":");
  buf_add_text(&text, "[]");
  for (int i = 0; i < 30; i++)
    buf_add_text(&text, "}]");
  buf_add_text(&text, "}");
  buf_add_char(&text, '\0');
  struct bound bound = bind(*state, NULL, text.ptr);
  assert_int_equal(bound.status, STATUS_OK);
  size_t depth = 0;
  for (const struct tree_node *at = bound.root; at; at = tree_find(at, "part"), depth++)
    assert_non_null(node_type(at));
  assert_int_equal(depth, 32);
  arena_free(bound.arena);
  buf_release(&text);
}

static struct tree_node *make(const struct small *small, struct arena *arena, struct tree_node *parent,
                              const char *element, const char *type) {
  struct tree_node *made = definitions_make(small->definitions, arena, parent,
                                            need_element(node_type(parent), element), need_type(small, type));
  assert_non_null(made);
  return made;
}

static void test_make(void **state) {
  const struct small *small = *state;
  struct bound bound = {.arena = arena_new(1 << 20)};
  bound.root = definitions_make_root(small->definitions, bound.arena, need_type(small, "Thing"));
  struct tree_node *part = make(small, bound.arena, bound.root, "part", "Thing.part");
  make(small, bound.arena, part, "count", "positiveInt")->text = STR("2");
  make(small, bound.arena, part, "name", "string")->text = STR("n");
  make(small, bound.arena, make(small, bound.arena, bound.root, "value", "Quantity"), "value", "decimal")
      ->text = STR("0.50");
  make(small, bound.arena, bound.root, "alias", "string")->text = STR("a");
  make(small, bound.arena, bound.root, "status", "code")->text = STR("on");
  make(small, bound.arena, bound.root, "alias", "string")->text = STR("b");
  struct tree_node *inner = make(small, bound.arena, bound.root, "contained", "Bundle");
  make(small, bound.arena, inner, "id", "id")->text = STR("i");
  assert_written(&bound,
                 "{\"resourceType\":\"Thing\",\"contained\":[{\"resourceType\":\"Bundle\",\"id\":\"i\"}],"
                 "\"status\":\"on\",\"alias\":[\"a\",\"b\"],\"valueQuantity\":{\"value\":0.50},"
                 "\"part\":[{\"name\":\"n\",\"count\":2}]}");
  assert_ptr_equal(node_type(inner), need_type(small, "Bundle"));
  assert_true(tree_is_meta(inner->child));
  arena_free(bound.arena);
}

static void test_make_root(void **state) {
  const struct small *small = *state;
  struct arena *arena = arena_new(1 << 20);
  struct tree_node *profile =
      definitions_make_root(small->definitions, arena, need_type(small, "ThingStrict"));
  struct tree_node *quantity = definitions_make_root(small->definitions, arena, need_type(small, "Quantity"));
  struct tree_node *number = definitions_make_root(small->definitions, arena, need_type(small, "decimal"));
  assert_ptr_equal(node_type(profile), need_type(small, "Thing"));
  assert_text(tree_text(profile, "resourceType"), "Thing");
  assert_null(quantity->child);
  assert_int_equal(quantity->kind, TREE_OBJECT);
  assert_int_equal(number->kind, TREE_NUMBER);
  arena_free(arena);
}

static void test_full_arena(void **state) {
  const struct small *small = *state;
  for (unsigned long n = 1; n < 8; n++) {
    struct arena *arena = arena_new(1 << 20);
    struct tree_node *root = definitions_make_root(small->definitions, arena, need_type(small, "Bundle"));
    const struct def_element *entry = need_element(node_type(root), "entry");
    struct tree_node *made =
        definitions_make(small->definitions, arena, root, entry, need_type(small, "Bundle.entry"));
    arena_fail_at(arena, n);
    struct tree_node *inner =
        definitions_make(small->definitions, arena, made, need_element(node_type(made), "resource"),
                         need_type(small, "Thing"));
    assert_int_equal(inner == NULL, n <= 2);
    arena_free(arena);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_elements),
      cmocka_unit_test(test_inner_resources),
      cmocka_unit_test(test_underscores),
      cmocka_unit_test(test_folded_extension),
      cmocka_unit_test(test_unknown_resources),
      cmocka_unit_test(test_given_types),
      cmocka_unit_test(test_depth),
      cmocka_unit_test(test_make),
      cmocka_unit_test(test_make_root),
      cmocka_unit_test(test_full_arena),
  };
  return cmocka_run_group_tests(tests, small_open, small_close);
}
