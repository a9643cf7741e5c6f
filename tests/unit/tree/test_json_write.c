/* test_json_write.c - element trees as JSON: partners of primitives, what is empty, order, caps. */
#include "read.h"

static const struct tree_write DEFAULT = {0};
static const struct tree_write KEEP = {.keep_empty = true};
static const struct tree_write PRETTY = {.pretty = true};

struct fixture {
  struct arena *arena;
  struct tree_node *root;
};

static int setup(void **state) {
  struct fixture *f;
  struct arena *arena = arena_new(16 << 20);
  f = ARENA_NEW(arena, struct fixture);
  f->arena = arena;
  f->root = tree_new(arena, TREE_OBJECT, (struct str){0});
  *state = f;
  return f->root ? 0 : -1;
}

static int teardown(void **state) {
  arena_free(((struct fixture *)*state)->arena);
  return 0;
}

static struct tree_node *add(struct fixture *f, struct tree_node *parent, const char *name,
                             enum tree_kind kind, const char *text, unsigned flags) {
  struct tree_node *node = tree_new(f->arena, kind, str_of(name));
  assert_non_null(node);
  node->text = str_of(text);
  node->flags = (uint8_t)flags;
  tree_append(parent, node);
  return node;
}

static void expect(struct fixture *f, const struct tree_write *options, const char *text) {
  struct str got = write_text(f->root, options, f->arena);
  if (!str_is(got, text)) fail_msg("expected %s, got %.*s", text, STR_ARG(got));
}

static void id(struct fixture *f, struct tree_node *node, const char *text) {
  add(f, node, "id", TREE_STRING, text, 0);
}

static void test_meta_first(void **state) {
  struct fixture *f = *state;
  add(f, f->root, "id", TREE_STRING, "1", 0);
  add(f, f->root, "active", TREE_BOOLEAN, "true", 0);
  add(f, f->root, "resourceType", TREE_STRING, "Patient", TREE_META);
  expect(f, &DEFAULT, "{\"resourceType\":\"Patient\",\"id\":\"1\",\"active\":true}");
}

static void test_single_partner(void **state) {
  struct fixture *f = *state;
  struct tree_node *date = add(f, f->root, "birthDate", TREE_STRING, "1980", TREE_BOUND);
  id(f, date, "a");
  struct tree_node *gender = add(f, f->root, "gender", TREE_NULL, "", TREE_BOUND);
  id(f, gender, "b");
  add(f, f->root, "active", TREE_BOOLEAN, "true", TREE_BOUND);
  expect(f, &DEFAULT,
         "{\"birthDate\":\"1980\",\"_birthDate\":{\"id\":\"a\"},\"_gender\":{\"id\":\"b\"},\"active\":true}");
  expect(f, &KEEP,
         "{\"birthDate\":\"1980\",\"_birthDate\":{\"id\":\"a\"},\"_gender\":{\"id\":\"b\"},\"active\":true}");
}

static void test_array_partner(void **state) {
  struct fixture *f = *state;
  add(f, f->root, "given", TREE_STRING, "A", TREE_IN_ARRAY);
  id(f, add(f, f->root, "given", TREE_STRING, "B", TREE_IN_ARRAY), "b");
  id(f, add(f, f->root, "given", TREE_NULL, "", TREE_IN_ARRAY), "c");
  expect(f, &DEFAULT, "{\"given\":[\"A\",\"B\",null],\"_given\":[null,{\"id\":\"b\"},{\"id\":\"c\"}]}");
  expect(f, &KEEP, "{\"given\":[\"A\",\"B\",null],\"_given\":[null,{\"id\":\"b\"},{\"id\":\"c\"}]}");
}

/* Nothing but extensions: the values need no array of their own. */
static void test_only_partners(void **state) {
  struct fixture *f = *state;
  id(f, add(f, f->root, "given", TREE_NULL, "", TREE_IN_ARRAY | TREE_BOUND), "b");
  expect(f, &DEFAULT, "{\"_given\":[{\"id\":\"b\"}]}");
}

static void test_partner_without_content(void **state) {
  struct fixture *f = *state;
  add(f, add(f, f->root, "given", TREE_STRING, "A", TREE_IN_ARRAY), "extension", TREE_OBJECT, "",
      TREE_IN_ARRAY);
  add(f, add(f, f->root, "birthDate", TREE_STRING, "1980", 0), "extension", TREE_OBJECT, "", TREE_IN_ARRAY);
  expect(f, &DEFAULT, "{\"given\":[\"A\"],\"birthDate\":\"1980\"}");
}

/* Objects that hold nothing, at any depth, and nulls are left out, and the commas fit. */
static void test_empty(void **state) {
  struct fixture *f = *state;
  struct tree_node *outer = add(f, f->root, "a", TREE_OBJECT, "", 0);
  add(f, outer, "b", TREE_OBJECT, "", 0);
  add(f, outer, "c", TREE_OBJECT, "", TREE_IN_ARRAY);
  add(f, outer, "c", TREE_OBJECT, "", TREE_IN_ARRAY);
  expect(f, &DEFAULT, "{}");
  expect(f, &KEEP, "{\"a\":{\"b\":{},\"c\":[{},{}]}}");
  add(f, f->root, "d", TREE_OBJECT, "", TREE_IN_ARRAY);
  id(f, add(f, f->root, "d", TREE_OBJECT, "", TREE_IN_ARRAY), "x");
  add(f, f->root, "d", TREE_OBJECT, "", TREE_IN_ARRAY);
  id(f, add(f, f->root, "d", TREE_OBJECT, "", TREE_IN_ARRAY), "y");
  add(f, f->root, "e", TREE_NULL, "", 0);
  add(f, f->root, "f", TREE_NULL, "", TREE_IN_ARRAY);
  add(f, f->root, "g", TREE_NULL, "", TREE_EMPTY_ARRAY);
  expect(f, &DEFAULT, "{\"d\":[{\"id\":\"x\"},{\"id\":\"y\"}]}");
  expect(f, &KEEP,
         "{\"a\":{\"b\":{},\"c\":[{},{}]},\"d\":[{},{\"id\":\"x\"},{},{\"id\":\"y\"}],\"e\":null,\"f\":[null]"
         ",\"g\":[]}");
  expect(f, &PRETTY,
         "{\n  \"d\": [\n    {\n      \"id\": \"x\"\n    },\n    {\n      \"id\": \"y\"\n    }\n  ]\n}\n");
}

/* A text as read: null holds the place of a partner member. */
static void test_raw_nulls(void **state) {
  struct fixture *f = *state;
  struct diag_list diags;
  f->root = read_text(STR("{\"given\":[\"A\",null],\"_given\":[null,{\"id\":\"b\"}],\"x\":null,\"y\":[null],"
                          "\"z\":[],\"w\":{}}"),
                      NULL, f->arena, &diags);
  expect(f, &DEFAULT, "{\"given\":[\"A\",null],\"_given\":[null,{\"id\":\"b\"}]}");
}

static void test_not_an_object(void **state) {
  struct fixture *f = *state;
  struct diag_list diags;
  f->root = tree_new(f->arena, TREE_STRING, STR("a"));
  f->root->text = STR("x\"y");
  expect(f, &DEFAULT, "\"x\\\"y\"");
  f->root = read_text(STR("[1.50,{\"a\":[]}]"), NULL, f->arena, &diags);
  expect(f, &KEEP, "[1.50,{\"a\":[]}]");
  expect(f, &DEFAULT, "[1.50]");
  expect(f, &PRETTY, "[\n  1.50\n]\n");
}

static void test_pretty(void **state) {
  struct fixture *f = *state;
  struct diag_list diags;
  f->root = read_text(STR("{\"a\":{\"b\":1},\"c\":[],\"d\":{},\"e\":[\"x\",2]}"), NULL, f->arena, &diags);
  struct tree_write pretty = {.pretty = true, .keep_empty = true};
  expect(f, &pretty,
         "{\n  \"a\": {\n    \"b\": 1\n  },\n  \"c\": [],\n  \"d\": {},\n  \"e\": [\n    \"x\",\n    2\n  "
         "]\n}\n");
}

/* Caps N-1, N, N+1: exactly what fits is written. */
static void test_cap(void **state) {
  struct fixture *f = *state;
  struct diag_list diags;
  f->root = read_text(STR("{\"name\":[{\"family\":\"Long enough for a vector or "
                          "two\",\"given\":[\"A\\n\",\"B\"]}],\"x\":1.50}"),
                      NULL, f->arena, &diags);
  struct str whole = write_text(f->root, &DEFAULT, f->arena);
  for (size_t max = 0; max <= whole.len + 80; max++) {
    struct buf out;
    buf_init(&out, max);
    tree_write_json(f->root, &DEFAULT, &out);
    assert_int_equal(out.error, max < whole.len ? STATUS_LIMIT : STATUS_OK);
    assert_true(out.len <= max);
    if (!out.error) assert_true(str_eq(buf_str(&out), whole));
    buf_release(&out);
  }
}

/* The room, which is more than the cap, ends before and in an array's name. */
static void test_cap_in_name(void **state) {
  struct fixture *f = *state;
  char filling[600];
  memset(filling, 'f', sizeof filling);
  struct tree_node *first = add(f, f->root, "filling", TREE_STRING, "", 0);
  add(f, f->root, "given", TREE_STRING, "a", TREE_IN_ARRAY);
  add(f, f->root, "given", TREE_STRING, "b", TREE_IN_ARRAY);
  for (size_t len = 0; len <= sizeof filling; len++) {
    struct buf out;
    first->text = str_make(filling, len);
    buf_init(&out, 200);
    tree_write_json(f->root, &DEFAULT, &out);
    assert_int_equal(out.error, len + strlen("{'filling':'','given':['a','b']}") > 200 ? STATUS_LIMIT : STATUS_OK);
    buf_release(&out);
  }
}

/* A tree deeper than any text may be ends in an error, not in a crash. */
static void test_too_deep(void **state) {
  struct fixture *f = *state;
  struct tree_node *node = f->root;
  struct buf out;
  for (int i = 0; i < 20000; i++)
    node = add(f, node, "a", TREE_OBJECT, "", 0);
  buf_init(&out, 1 << 20);
  tree_write_json(f->root, &DEFAULT, &out);
  assert_int_equal(out.error, STATUS_LIMIT);
  buf_release(&out);
  struct tree_node *copy = tree_copy(f->root, f->arena);
  assert_true(tree_equal(f->root, copy));
}

/* --- random texts: what is read is written back, numbers to the byte --- */

struct random {
  uint64_t state;
};

static unsigned next(struct random *random, unsigned below) {
  random->state = random->state * 6364136223846793005u + 1442695040888963407u;
  return (unsigned)(random->state >> 33) % below;
}

static void digits(struct random *random, struct buf *out, bool leading) {
  unsigned count = 1 + next(random, 30);
  for (unsigned i = 0; i < count; i++)
    buf_add_char(out, (char)('0' + (i == 0 && leading ? 1 + next(random, 9) : next(random, 10))));
}

static void number(struct random *random, struct buf *out) {
  if (next(random, 3) == 0) buf_add_char(out, '-');
  if (next(random, 4) == 0) {
    buf_add_char(out, '0');
  } else {
    digits(random, out, true);
  }
  if (next(random, 2)) {
    buf_add_char(out, '.');
    digits(random, out, false);
  }
  if (next(random, 4) == 0)
    buf_printf(out, "%c%s%u", "eE"[next(random, 2)],
               next(random, 2)   ? "+"
               : next(random, 2) ? "-"
                                 : "",
               next(random, 400));
}

static void string(struct random *random, struct buf *out) {
  static const char *const parts[] = {
      "a", "Zz", "é", "€", "😀", "\\n", "\\\"", "\\\\", "\\u0001", " ", "0123456789abcdef"};
  unsigned count = next(random, 12);
  buf_add_char(out, '"');
  for (unsigned i = 0; i < count; i++)
    buf_add_text(out, parts[next(random, sizeof parts / sizeof *parts)]);
  buf_add_char(out, '"');
}

static void value(struct random *random, struct buf *out, unsigned depth, bool array_allowed) {
  unsigned kind = next(random, depth ? 9 : 6);
  unsigned count = next(random, 5);
  switch (kind) {
  case 0:
    buf_add_text(out, "null");
    return;
  case 1:
    buf_add_text(out, next(random, 2) ? "true" : "false");
    return;
  case 2:
    string(random, out);
    return;
  case 6:
    if (array_allowed) {
      buf_add_char(out, '[');
      for (unsigned i = 0; i < count; i++) {
        if (i) buf_add_char(out, ',');
        value(random, out, depth - 1, false);
      }
      buf_add_char(out, ']');
      return;
    } /* fall through */
  case 7:
  case 8:
    buf_add_char(out, '{');
    for (unsigned i = 0; i < count; i++) {
      buf_printf(out, "%s\"%c%u\":", i ? "," : "", 'a' + (int)i, next(random, 100));
      value(random, out, depth - 1, true);
    }
    buf_add_char(out, '}');
    return;
  default:
    number(random, out);
    return;
  }
}

static void test_random(void **state) {
  (void)state;
  struct random random = {42};
  struct buf text;
  buf_init(&text, 1 << 20);
  for (int round = 0; round < 5000; round++) {
    struct arena *arena = arena_new(16 << 20);
    struct diag_list diags;
    buf_reset(&text);
    buf_add_text(&text, "{\"x\":");
    value(&random, &text, 5, true);
    buf_add_char(&text, '}');
    struct tree_node *root = read_text(buf_str(&text), NULL, arena, &diags);
    if (!root) fail_msg("%.*s: %s", STR_ARG(buf_str(&text)), diags.first->message.ptr);
    struct str again = write_text(root, &KEEP, arena);
    if (!str_eq(again, buf_str(&text))) fail_msg("%.*s\n%.*s", STR_ARG(buf_str(&text)), STR_ARG(again));
    struct str dense = write_text(root, &DEFAULT, arena);
    struct tree_node *second = read_text(dense, NULL, arena, &diags);
    assert_non_null(second);
    assert_true(str_eq(write_text(second, &DEFAULT, arena), dense));
    arena_free(arena);
  }
  buf_release(&text);
}

static void test_string(void **state) {
  (void)state;
  struct buf out;
  buf_init(&out, 100);
  tree_write_string(STR("a\"\n"), &out);
  assert_true(str_is(buf_str(&out), "\"a\\\"\\n\""));
  buf_release(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_meta_first),
      TEST(test_single_partner),
      TEST(test_array_partner),
      TEST(test_only_partners),
      TEST(test_partner_without_content),
      TEST(test_empty),
      TEST(test_raw_nulls),
      TEST(test_not_an_object),
      TEST(test_pretty),
      TEST(test_cap),
      TEST(test_cap_in_name),
      TEST(test_too_deep),
      TEST(test_random),
      TEST(test_string),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
