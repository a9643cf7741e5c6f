/* The lexical rules of the primitive types: primitive.tsv. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "validation/validation.h"

static const struct {
  const char *name;
  enum def_primitive primitive;
} names[] = {
    {"boolean", DEF_P_BOOLEAN},
    {"integer", DEF_P_INTEGER},
    {"positiveInt", DEF_P_POSITIVE_INT},
    {"unsignedInt", DEF_P_UNSIGNED_INT},
    {"decimal", DEF_P_DECIMAL},
    {"string", DEF_P_STRING},
    {"markdown", DEF_P_MARKDOWN},
    {"code", DEF_P_CODE},
    {"id", DEF_P_ID},
    {"oid", DEF_P_OID},
    {"uuid", DEF_P_UUID},
    {"uri", DEF_P_URI},
    {"url", DEF_P_URL},
    {"canonical", DEF_P_CANONICAL},
    {"base64Binary", DEF_P_BASE64},
    {"date", DEF_P_DATE},
    {"dateTime", DEF_P_DATETIME},
    {"instant", DEF_P_INSTANT},
    {"time", DEF_P_TIME},
    {"xhtml", DEF_P_XHTML},
};

static enum def_primitive primitive_named(struct str name) {
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (str_is(name, names[i].name)) return names[i].primitive;
  fail_msg("no primitive %.*s", STR_ARG(name));
  return DEF_P_NONE;
}

static struct str field(struct str line, size_t index) {
  size_t from = 0;
  while (index--)
    from = str_find_char(line, '\t', from) + 1;
  return str_slice(line, from, str_find_char(line, '\t', from));
}

/* The row's JSON value, read by our reader so that escapes and number texts are as in life. */
static void check_row(struct str line) {
  struct arena *arena = arena_new(1 << 16);
  struct diag_list diags;
  struct tree_node *root = NULL;
  const char *why = NULL;
  struct str value = field(line, 2);
  struct str json = arena_printf(arena, "{\"v\":%.*s}", STR_ARG(value));
  struct source source = source_make(STR("row"), json);
  diag_list_init(&diags, arena);
  assert_int_equal(tree_read_json(&source, NULL, arena, &diags, &root), STATUS_OK);
  const struct tree_node *node = root->child;
  bool good = validation_primitive(primitive_named(field(line, 0)), node->text, node->kind, &why);
  if (good != str_is(field(line, 1), "good")) fail_msg("%.*s is %s", STR_ARG(line), good ? "accepted" : why);
  assert_true(good == (why == NULL));
  arena_free(arena);
}

static void test_table(void **state) {
  struct arena *arena = arena_new(1 << 20);
  struct str text = {0};
  size_t rows = 0;
  (void)state;
  assert_int_equal(host_system()->read_file(host_system()->context,
                                            SOURCE_DIR "/tests/unit/validation/primitive.tsv", 1 << 18, arena,
                                            &text),
                   STATUS_OK);
  for (size_t at = 0, end; at < text.len; at = end + 1) {
    end = str_find_char(text, '\n', at);
    struct str line = str_slice(text, at, end);
    if (line.len == 0 || line.ptr[0] == '#') continue;
    check_row(line);
    rows++;
  }
  assert_true(rows > 100);
  arena_free(arena);
}

/* Strings end at one mebibyte. */
static void test_longest_string(void **state) {
  enum { LONGEST = 1 << 20 };
  char *text = test_malloc(LONGEST + 1);
  (void)state;
  memset(text, 'a', LONGEST + 1);
  assert_true(validation_primitive(DEF_P_STRING, str_make(text, LONGEST), TREE_STRING, NULL));
  assert_false(validation_primitive(DEF_P_STRING, str_make(text, LONGEST + 1), TREE_STRING, NULL));
  test_free(text);
}

static bool takes(enum def_primitive primitive, const char *text, size_t len) {
  return validation_primitive(primitive, str_make(text, len), TREE_STRING, NULL);
}

/* Bytes are looked at in words: one that may not be there is found at each place of texts of all lengths, and every other byte is let
   through. Text ends where the memory does. */
static void test_each_byte(void **state) {
  enum { LONGEST = 40 };
  (void)state;
  for (size_t len = 1; len <= LONGEST; len++)
    for (size_t at = 0; at < len; at++) {
      char *text = test_malloc(len);
      for (int c = 0; c < 256; c++) {
        memset(text, 'a', len);
        text[at] = (char)c;
        bool space = c == ' ' || (c >= '\t' && c <= '\r'), control = c < ' ' && c != '\t' && c != '\n' && c != '\r';
        bool letter = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
        assert_true(takes(DEF_P_STRING, text, len) == !control);
        assert_true(takes(DEF_P_CODE, text, len) == (!control && !(space && (at == 0 || at + 1 == len))));
        assert_true(takes(DEF_P_URI, text, len) == (c > ' '));
        assert_true(takes(DEF_P_ID, text, len) == letter);
      }
      test_free(text);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_longest_string),
                                     cmocka_unit_test(test_each_byte)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
