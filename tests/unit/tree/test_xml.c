/* test_xml.c - what XML is read and what is refused (tests/golden/xml), limits, writing. */
#include <stdlib.h>
#include "read.h"

static struct tree_node *read_xml(struct str text, const struct tree_limits *limits, struct arena *arena,
                                  struct diag_list *diags) {
  struct tree_node *root = NULL;
  struct source *source = ARENA_NEW(arena, struct source);
  assert_non_null(source);
  *source = source_make(STR("test.xml"), text);
  diag_list_init(diags, arena);
  enum status status = tree_read_xml(source, limits, arena, diags, &root);
  assert_int_equal(status == STATUS_OK, root != NULL);
  assert_true(status == STATUS_OK || status == STATUS_NOMEM || diag_failed(diags));
  return root;
}

static void dump(const struct tree_node *node, struct buf *out) {
  if (node->flags & TREE_ATTRIBUTE) buf_add_char(out, '@');
  buf_add_str(out, node->name);
  if (node->kind == TREE_STRING) buf_printf(out, "=\"%.*s\"", STR_ARG(node->text));
  for (const struct tree_node *child = node->child; child; child = child->next) {
    buf_add_char(out, child == node->child ? '{' : ' ');
    assert_ptr_equal(child->parent, node);
    assert_true(child->offset > 0);
    dump(child, out);
  }
  if (node->child) buf_add_char(out, '}');
}

static struct str findings(struct arena *arena, const struct diag_list *diags) {
  struct str all = {.ptr = ""};
  for (const struct diag *d = diags->first; d; d = d->next)
    all = arena_printf(arena, "%.*s%s%s@%u:%u", STR_ARG(all), all.len ? " " : "", diag_code_name(d->code),
                       d->line, d->col);
  return all;
}

static void check_accepted(const struct table_row *row) {
  struct diag_list diags;
  struct buf out;
  struct tree_node *root = read_xml(row->column[0], NULL, row->arena, &diags);
  if (!root) ROW_FAIL(row, "refused: %s", diags.first ? diags.first->message.ptr : "?");
  assert_true(tree_is_xml(row->column[0]));
  assert_true(root->flags & TREE_XML);
  buf_init(&out, 1 << 16);
  dump(root, &out);
  if (!str_eq(buf_str(&out), row->column[1])) ROW_FAIL(row, "read as %.*s", STR_ARG(buf_str(&out)));
  buf_release(&out);
  struct str told = findings(row->arena, &diags);
  if (!str_eq(told, row->column[2])) ROW_FAIL(row, "findings: %.*s", STR_ARG(told));
}

static void check_refused(const struct table_row *row) {
  struct diag_list diags;
  char *copy = malloc(row->column[0].len ? row->column[0].len : 1); /* of that very size */
  assert_non_null(copy);
  memcpy(copy, row->column[0].ptr, row->column[0].len);
  struct tree_node *root = read_xml(str_make(copy, row->column[0].len), NULL, row->arena, &diags);
  free(copy);
  if (root) ROW_FAIL(row, "accepted");
  if (diags.count != 1) ROW_FAIL(row, "%zu diagnostics", diags.count);
  struct str want = arena_printf(row->arena, "%.*s@%.*s", STR_ARG(row->column[1]), STR_ARG(row->column[2]));
  struct str told = findings(row->arena, &diags);
  if (!str_eq(told, want)) ROW_FAIL(row, "told %.*s", STR_ARG(told));
  if (str_find(diags.first->message, row->column[3], 0) == SIZE_MAX)
    ROW_FAIL(row, "said %.*s", STR_ARG(diags.first->message));
}

static void test_accepted(void **state) {
  (void)state;
  assert_true(table_run("xml/accept.tsv", check_accepted) > 30);
}

static void test_refused(void **state) {
  (void)state;
  assert_true(table_run("xml/refuse.tsv", check_refused) > 30);
}

/* --- limits --- */

enum { FINE = DIAG_CODE_COUNT };

static int read_code(const char *text, const struct tree_limits *limits) {
  struct arena *arena = arena_new(1 << 20);
  struct diag_list diags;
  struct tree_node *root = read_xml(str_of(text), limits, arena, &diags);
  int code = root ? (int)FINE : (int)diags.first->code;
  arena_free(arena);
  return code;
}

/* One less than what there is, as much, one more. */
static void test_limits(void **state) {
  static const char deep[] = "<a><b><c/></b></a>", wide[] = "<a x=\"1\"><b/><c/></a>";
  static const char markup[] = "<Basic xmlns=\"http://hl7.org/fhir\"><text>"
                               "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p/></div></text></Basic>";
  (void)state;
  for (size_t i = 0; i < 3; i++) {
    struct tree_limits depth = tree_limits_default(), bytes = depth, children = depth, inside = depth;
    depth.depth = 2 + i;
    inside.depth = 3 + i;
    bytes.bytes = sizeof deep - 2 + i;
    children.children = 2 + i;
    assert_int_equal(read_code(deep, &depth), i ? FINE : DIAG_INPUT_TOO_DEEP);
    assert_int_equal(read_code(markup, &inside), i ? FINE : DIAG_INPUT_TOO_DEEP);
    assert_int_equal(read_code(deep, &bytes), i ? FINE : DIAG_INPUT_TOO_LARGE);
    assert_int_equal(read_code(wide, &children), i ? FINE : DIAG_INPUT_TOO_MANY);
  }
}

/* Very many siblings whose names all stand apart, and very deep nesting, take no time to speak of. */
static void test_hostile(void **state) {
  struct arena *arena = arena_new(256 << 20);
  struct diag_list diags;
  struct buf text;
  (void)state;
  buf_init(&text, 64 << 20);
  buf_add_text(&text, "<a>");
  for (unsigned i = 0; i < 90000; i++)
    buf_printf(&text, "<b%u/>&amp;", i % 30000);
  buf_add_text(&text, "</a>");
  struct tree_node *root = read_xml(buf_str(&text), NULL, arena, &diags);
  assert_non_null(root);
  assert_int_equal(root->text.len, 90000);
  const struct tree_node *node = root->child;
  for (unsigned i = 0; i < 30000; i++)
    for (unsigned k = 0; k < 3; k++, node = node->next)
      assert_true(str_eq(node->name, arena_printf(arena, "b%u", i)));
  assert_null(node);
  arena_reset(arena);
  buf_reset(&text);
  for (unsigned i = 0; i < 1000000; i++)
    buf_add_text(&text, "<a>");
  assert_null(read_xml(buf_str(&text), NULL, arena, &diags));
  assert_int_equal(diags.first->code, DIAG_INPUT_TOO_DEEP);
  buf_release(&text);
  arena_free(arena);
}

/* Each allocation fails in turn. */
static void test_each_allocation(void **state) {
  struct source source = source_make(
      STR("a.xml"), STR("<Basic xmlns=\"http://hl7.org/fhir\"><id value=\"x\"/><code id=\"c\"/><x/><code/>"
                        "<contained><List><id value=\"l\"/></List></contained></Basic>"));
  unsigned long n = 1;
  (void)state;
  for (;; n++) {
    struct arena *arena = arena_new(1 << 20), *other = arena_new(1 << 20);
    struct diag_list diags;
    struct tree_node *root;
    diag_list_init(&diags, other);
    arena_fail_at(arena, n);
    enum status status = tree_read_xml(&source, NULL, arena, &diags, &root);
    assert_true(status == STATUS_OK || status == STATUS_NOMEM);
    assert_int_equal(status == STATUS_OK, root != NULL);
    assert_int_equal(diags.count, 0);
    arena_free(arena);
    arena_free(other);
    if (status == STATUS_OK) break;
    assert_true(n < 1000);
  }
  assert_true(n > 10);
}

/* --- writing --- */

/* JSON, and the XML it gives; NULL: refused. */
static void test_written(void **state) {
#define BASIC(inside) "<Basic xmlns=\"http://hl7.org/fhir\">" inside "</Basic>\n"
  static const struct {
    const char *json, *xml;
  } rows[] = {
      {"{\"resourceType\":\"Basic\"}", "<Basic xmlns=\"http://hl7.org/fhir\"/>\n"},
      {"{\"resourceType\":\"Basic\",\"id\":\"a<&>\\\"'\\n\\t\\r\"}",
       BASIC("<id value=\"a&lt;&amp;&gt;&quot;'&#10;&#9;&#13;\"/>")},
      {"{\"resourceType\":\"Basic\",\"code\":{\"id\":\"c\",\"text\":\"t\"},\"x\":{},\"y\":[]}",
       BASIC("<code id=\"c\"><text value=\"t\"/></code>")},
      {"{\"resourceType\":\"Basic\",\"extension\":[{\"url\":\"u\",\"valueDecimal\":1.50}]}",
       BASIC("<extension url=\"u\"><valueDecimal value=\"1.50\"/></extension>")},
      {"{\"resourceType\":\"Basic\",\"contained\":[{\"resourceType\":\"List\",\"id\":\"l\"}]}",
       BASIC("<contained><List><id value=\"l\"/></List></contained>")},
      {"{\"resourceType\":\"Basic\",\"text\":{\"div\":\"<div><p>&#233;</p></div>\"}}",
       BASIC("<text><div><p>&#233;</p></div></text>")},
      {"{\"resourceType\":\"Basic\",\"text\":{\"div\":\"<div><p></div>\"}}", NULL},
      {"{\"resourceType\":\"Basic\",\"text\":{\"div\":\"<div/></text><text>\"}}", NULL},
      {"{\"resourceType\":\"Basic\",\"id\":\"\\u0001\"}", NULL},
      {"{\"resourceType\":\"Basic\",\"id\":\"\\uFFFE\"}", NULL},
      {"{\"resourceType\":\"Basic\",\"a/><b\":\"x\"}", NULL},
      {"{\"resourceType\":\"Basic\",\"1\":\"x\"}", NULL},
      {"{\"resourceType\":\"B c\"}", NULL},
      {"{\"a\":1}", NULL},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct arena *arena = arena_new(1 << 20);
    struct diag_list diags;
    struct buf out;
    struct tree_node *root = read_text(str_of(rows[i].json), NULL, arena, &diags);
    assert_non_null(root);
    buf_init(&out, 1 << 16);
    tree_write_xml(root, &(struct tree_write_xml){0}, &out);
    assert_int_equal(out.error, rows[i].xml ? STATUS_OK : STATUS_INVALID);
    struct str head = STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    if (rows[i].xml)
      assert_string_equal(arena_str(arena, str_slice(buf_str(&out), head.len, out.len)).ptr, rows[i].xml);
    buf_release(&out);
    arena_free(arena);
  }
}

/* By the order of each child; equals stay as they stand. */
static void test_sort(void **state) {
  struct arena *arena = arena_new(1 << 20);
  struct tree_node *root = tree_new(arena, TREE_OBJECT, STR("r"));
  (void)state;
  assert_non_null(root);
  for (uint32_t i = 0; i < 1000; i++) {
    struct tree_node *node = tree_new(arena, TREE_STRING, STR("n"));
    assert_non_null(node);
    node->order = (uint16_t)(i * 7919 % 13);
    node->offset = i + 1;
    tree_append(root, node);
  }
  tree_sort(root);
  size_t count = 1;
  for (const struct tree_node *node = root->child; node->next; node = node->next, count++) {
    assert_true(node->order <= node->next->order);
    if (node->order == node->next->order) assert_true(node->offset < node->next->offset);
    assert_ptr_equal(node->next->parent, root);
    if (!node->next->next) assert_ptr_equal(root->last, node->next);
  }
  assert_int_equal(count, 1000);
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_accepted), cmocka_unit_test(test_refused),         cmocka_unit_test(test_limits),
      cmocka_unit_test(test_hostile),  cmocka_unit_test(test_each_allocation), cmocka_unit_test(test_written),
      cmocka_unit_test(test_sort),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
