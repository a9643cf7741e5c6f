/*
 * test_xml.c - XML and definitions: resources from JSON to XML and back, order, kinds, and a logical model
 * with attributes, text and namespaces. The resources need the real pack and are skipped without it.
 */
#include <stdio.h>
#include "small.h"

#define MODEL SOURCE_DIR "/tests/golden/xml/model.xml"

enum { SKIPPED = 77, FILES_MAX = 64 };

struct trip {
  struct arena *arena;
  struct diag_list diags;
  const struct definitions *definitions;
};

static struct str read_file(struct arena *arena, const char *path) {
  struct str text = {0};
  assert_int_equal(host_system()->read_file(NULL, path, LIMIT_TEXT_BYTES, arena, &text), STATUS_OK);
  return text;
}

static struct tree_node *bound(struct trip *trip, struct str text, const struct def_type *type) {
  struct source *source = ARENA_NEW(trip->arena, struct source);
  struct tree_node *root = NULL;
  assert_non_null(source);
  *source = source_make(STR("trip"), text);
  enum status status = tree_read(source, NULL, trip->arena, &trip->diags, &root);
  if (status == STATUS_OK)
    status = definitions_bind(trip->definitions, type, root, source, trip->arena, &trip->diags);
  if (status != STATUS_OK) print_diags(&trip->diags);
  assert_int_equal(status, STATUS_OK);
  assert_non_null(root);
  return root;
}

static struct str json(struct trip *trip, const struct tree_node *root) {
  struct buf out;
  buf_init(&out, LIMIT_TEXT_BYTES);
  tree_write_json(root, &(struct tree_write){.pretty = true}, &out);
  struct str text = buf_take_str(&out, trip->arena);
  assert_non_null(text.ptr);
  buf_release(&out);
  return text;
}

static struct str xml(struct trip *trip, struct tree_node *root, bool pretty) {
  struct buf out;
  buf_init(&out, LIMIT_TEXT_BYTES);
  definitions_write_xml(root, pretty, &out);
  assert_int_equal(out.error, STATUS_OK);
  struct str text = buf_take_str(&out, trip->arena);
  buf_release(&out);
  return text;
}

static void same(struct str a, struct str b, const char *name) {
  if (str_eq(a, b)) return;
  size_t at = 0;
  while (at < a.len && at < b.len && a.ptr[at] == b.ptr[at])
    at++;
  print_error("%s: differ from byte %zu: %.*s\n<>\n%.*s\n", name, at, STR_ARG(str_slice(a, at, at + 200)),
              STR_ARG(str_slice(b, at, at + 200)));
  fail();
}

/* JSON -> XML -> JSON, pretty and not; and the XML written again is the same. */
static void check_trip(const struct definitions *definitions, const char *path) {
  struct trip trip = {.arena = arena_new(LIMIT_ARENA_BYTES), .definitions = definitions};
  diag_list_init(&trip.diags, trip.arena);
  struct tree_node *root = bound(&trip, read_file(trip.arena, path), NULL);
  struct str lines = xml(&trip, root, true), plain = xml(&trip, root, false);
  struct str before = json(&trip, root); /* in order by now */
  struct tree_node *again = bound(&trip, lines, NULL);
  same(before, json(&trip, again), path);
  same(before, json(&trip, bound(&trip, plain, NULL)), path);
  same(lines, xml(&trip, again, true), path);
  arena_free(trip.arena);
}

static size_t check_folder(const struct definitions *definitions, const char *folder) {
  struct arena *arena = arena_new(1 << 20);
  struct str *names = NULL;
  size_t count = 0;
  assert_int_equal(host_system()->list_files(NULL, folder, STR(".json"), arena, &names, &count), STATUS_OK);
  for (size_t i = 0; i < count; i++) {
    struct str path = arena_printf(arena, "%s/%.*s", folder, STR_ARG(names[i]));
    check_trip(definitions, path.ptr);
  }
  arena_free(arena);
  return count;
}

static struct definitions *open_real(struct arena *arena) {
  const char *path = getenv("KETLINK_DEFINITIONS");
  struct definitions *definitions = NULL;
  struct diag_list quiet;
  diag_list_init(&quiet, arena);
  if (definitions_open(path ? path : SOURCE_DIR "/build/definitions.pack", &quiet, &definitions)) return NULL;
  return definitions;
}

static void test_round_trip(void **state) {
  const struct definitions *definitions = *state;
  if (!definitions) skip();
  assert_true(check_folder(definitions, SOURCE_DIR "/mappings/terminology") > 10);
  assert_true(check_folder(definitions, SOURCE_DIR "/mappings/models") > 10);
  check_trip(definitions, SOURCE_DIR "/tests/golden/xml/patient.json");
  check_trip(definitions, SOURCE_DIR "/tests/golden/validation/good-bundle/input.json");
  check_trip(definitions, SOURCE_DIR "/tests/golden/validation/good-patient/input.json");
}

/* Kinds and arrays as JSON has them; what is no number or boolean stays text. */
static void test_kinds(void **state) {
  static const struct {
    const char *xml, *json;
  } rows[] = {
      {"<active value='true'/>", "\"active\":true"},
      {"<active value='True'/>", "\"active\":\"True\""},
      {"<multipleBirthInteger value='2'/>", "\"multipleBirthInteger\":2"},
      {"<multipleBirthInteger value='02'/>", "\"multipleBirthInteger\":\"02\""},
      {"<multipleBirthInteger value='+2'/>", "\"multipleBirthInteger\":\"+2\""},
      {"<extension url='u'><valueDecimal value='-1.50E+2'/></extension>",
       "\"extension\":[{\"url\":\"u\",\"valueDecimal\":-1.50E+2}]"},
      {"<extension url='u'><valueDecimal value='1.'/></extension>",
       "\"extension\":[{\"url\":\"u\",\"valueDecimal\":\"1.\"}]"},
      {"<birthDate id='b'/>", "\"_birthDate\":{\"id\":\"b\"}"},
      {"<name><given value='A'/><given id='g'/></name>",
       "\"name\":[{\"given\":[\"A\",null],\"_given\":[null,{\"id\":\"g\"}]}]"},
      {"<contained><Basic><id value='x'/></Basic></contained>",
       "\"contained\":[{\"resourceType\":\"Basic\",\"id\":\"x\"}]"},
  };
  const struct definitions *definitions = *state;
  if (!definitions) skip();
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct trip trip = {.arena = arena_new(1 << 20), .definitions = definitions};
    struct buf out;
    diag_list_init(&trip.diags, trip.arena);
    buf_init(&out, 1 << 16);
    struct str text =
        arena_printf(trip.arena, "<Patient xmlns='http://hl7.org/fhir'>%s</Patient>", rows[i].xml);
    tree_write_json(bound(&trip, text, NULL), &(struct tree_write){0}, &out);
    struct str want = arena_printf(trip.arena, "{\"resourceType\":\"Patient\",%s}", rows[i].json);
    same(want, buf_str(&out), rows[i].xml);
    buf_release(&out);
    arena_free(trip.arena);
  }
}

/* Text and the code of the finding, or none. */
static void test_order(void **state) {
  static const struct {
    const char *xml;
    bool fine;
  } rows[] = {
      {"<name><family value='F'/><given value='A'/><given value='B'/></name>", true},
      {"<name><given value='A'/><family value='F'/></name>", false},
      {"<name><family value='F'/><given value='A'/><prefix value='P'/><given value='B'/></name>", false},
      {"<gender value='male'/><active value='true'/>", false},
      {"<name id='n'><extension url='u'/><use value='usual'/></name>", true},
  };
  const struct definitions *definitions = *state;
  if (!definitions) skip();
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct arena *arena = arena_new(1 << 20);
    struct diag_list diags;
    struct tree_node *root = NULL;
    diag_list_init(&diags, arena);
    struct str text = arena_printf(arena, "<Patient xmlns='http://hl7.org/fhir'>%s</Patient>", rows[i].xml);
    struct source source = source_make(STR("order"), text);
    assert_int_equal(tree_read_xml(&source, NULL, arena, &diags, &root), STATUS_OK);
    enum status status = definitions_bind(definitions, NULL, root, &source, arena, &diags);
    assert_int_equal(status, rows[i].fine ? STATUS_OK : STATUS_INVALID);
    assert_int_equal(diags.count, rows[i].fine ? 0 : 1);
    if (diags.first) assert_int_equal(diags.first->code, DIAG_XML_ORDER);
    arena_free(arena);
  }
}

/* A model with attributes, text, xsi:type, a foreign namespace and another name in XML. */
static void test_model(void **state) {
  const char *want = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                     "<Letter xmlns=\"urn:example:letter\" kind=\"short\" xmlns:extra=\"urn:example:extra\" "
                     "extra:mood=\"calm\">\n"
                     "  <title language=\"en\">Dear &lt;you&gt;</title>\n"
                     "  <sent value=\"2024-01-01\"/>\n"
                     "</Letter>\n";
  struct definitions *definitions = *state;
  if (!definitions) skip();
  struct trip trip = {.arena = arena_new(1 << 24), .definitions = definitions};
  struct source source = source_make(STR(MODEL), read_file(trip.arena, MODEL));
  struct tree_node *models = NULL;
  diag_list_init(&trip.diags, trip.arena);
  assert_int_equal(tree_read(&source, NULL, trip.arena, &trip.diags, &models), STATUS_OK);
  struct tree_node *resources[4] = {0};
  size_t count = 0;
  for (struct tree_node *e = tree_find(models, "entry"); e && count < 4; e = tree_next_same(e))
    resources[count++] = tree_find(e, "resource");
  assert_int_equal(definitions_overlay(definitions, resources, count, &trip.diags), STATUS_OK);
  const struct def_type *letter = definitions_type(definitions, STR("Letter"));
  assert_non_null(letter);
  assert_true(str_is(def_type_xml_namespace(letter), "urn:example:letter"));
  struct str record =
      STR("{\"sent\":\"2024-01-01\",\"title\":{\"content\":\"Dear <you>\",\"language\":\"en\"},"
          "\"sort\":\"short\",\"extraMood\":\"calm\"}");
  struct tree_node *root = bound(&trip, record, letter);
  same(str_of(want), xml(&trip, root, true), "letter");
  /* and back: what has no namespace of its own */
  struct tree_node *back = bound(&trip, xml(&trip, root, true), letter);
  assert_true(str_is(tree_text(tree_find(back, "title"), "content"), "Dear <you>"));
  assert_true(str_is(tree_text(tree_find(back, "title"), "language"), "en"));
  arena_free(trip.arena);
}

static int open_state(void **state) {
  struct arena *arena = arena_new(1 << 20);
  *state = open_real(arena);
  arena_free(arena);
  return 0;
}

static int close_state(void **state) {
  if (*state) definitions_close(*state);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_kinds),
      cmocka_unit_test(test_order),
      cmocka_unit_test(test_model),
  };
  return cmocka_run_group_tests(tests, open_state, close_state);
}
