/* test_overlay.c - definitions laid over an open pack; models that changed; sources that cannot be used. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "small.h"

static struct tree_node *parse(struct small *small, const char *text) {
  struct tree_node *root = NULL;
  struct source source = source_make(STR("over.json"), str_of(text));
  assert_int_equal(tree_read_json(&source, NULL, small->arena, &small->diags, &root), STATUS_OK);
  return root;
}

static enum status overlay(struct small *small, const char *text) {
  struct tree_node *root = parse(small, text);
  return definitions_overlay(small->definitions, &root, 1, &small->diags);
}

static const char profile[] =
    "{\"resourceType\":\"StructureDefinition\",\"url\":\"" EXAMPLE
    "StructureDefinition/over\",\"name\":\"Over\","
    "\"kind\":\"resource\",\"type\":\"Thing\",\"derivation\":\"constraint\","
    "\"baseDefinition\":\"" EXAMPLE "StructureDefinition/thing-strict\",\"differential\":{\"element\":["
    "{\"path\":\"Thing.part\",\"min\":3},"
    "{\"path\":\"Thing.part\",\"sliceName\":\"New\",\"max\":\"1\"},"
    "{\"path\":\"Thing.part.newName\",\"min\":1},"
    "{\"path\":\"Thing.status\",\"binding\":{\"strength\":\"required\",\"valueSet\":\"" EXAMPLE
    "ValueSet/listed\"}}]}}";

/* The overlay points into the pack below. */
static void test_profile(void **state) {
  struct small *small = *state;
  size_t types = definitions_type_count(small->definitions);
  assert_int_equal(overlay(small, profile), STATUS_OK);
  const struct def_type *over = need_type(small, "Over"), *thing = need_type(small, "Thing");
  struct def_slicing slicing = {0};
  struct def_binding binding = {0};
  assert_int_equal(definitions_type_count(small->definitions), types + 1);
  assert_ptr_equal(def_type_constrained(over), thing);
  assert_ptr_equal(def_type_base(over), need_type(small, "ThingStrict"));
  assert_int_equal(def_element_min(need_element(over, "part")), 3);
  assert_true(def_element_slicing(need_element(over, "part"), &slicing));
  assert_true(slicing.ordered); /* from the profile below */
  assert_text(def_element_fixed(need_element(over, "status"), NULL), "\"on\"");
  assert_true(def_element_binding(need_element(over, "status"), &binding));
  assert_ptr_equal(binding.members,
                   definitions_value_set(small->definitions, STR(EXAMPLE "ValueSet/listed")));
  assert_int_equal(def_element_symbol(need_element(over, "status")),
                   definitions_symbol(small->definitions, STR("status")));
  assert_int_equal(def_type_constraint_count(over), 1);
  assert_ptr_equal(def_element_type(need_element(over, "alias"), 0).type, need_type(small, "string"));
}

/* Two parts deep into a type of the pack below; and a base that is not present: the type it constrains is. */
static void test_deep_profile(void **state) {
  struct small *small = *state;
  size_t before = small->diags.count;
  assert_int_equal(
      overlay(small, "{\"resourceType\":\"StructureDefinition\",\"url\":\"http://o/deep\",\"name\":\"Deep\","
                     "\"kind\":\"resource\",\"type\":\"Thing\",\"derivation\":\"constraint\","
                     "\"baseDefinition\":\"http://o/absent\",\"snapshot\":{\"element\":[{\"path\":\"Thing\"},"
                     "{\"path\":\"Thing.part\",\"max\":\"*\",\"type\":[{\"code\":\"BackboneElement\"}]},"
                     "{\"path\":\"Thing.part.sub\",\"max\":\"1\",\"type\":[{\"code\":\"BackboneElement\"}]},"
                     "{\"path\":\"Thing.part.sub.leaf\",\"min\":1,\"max\":\"1\",\"type\":[{\"code\":"
                     "\"string\"}]},{\"path\":\"Thing.part.sub.leaf.value\",\"max\":\"1\",\"type\":"
                     "[{\"code\":\"string\"}]}]}}"),
      STATUS_OK);
  assert_int_equal(small->diags.count, before + 1); /* the base */
  const struct def_type *deep = need_type(small, "Deep");
  assert_ptr_equal(def_type_constrained(deep), need_type(small, "Thing"));
  const struct def_type *part = def_element_type(need_element(deep, "part"), 0).type;
  const struct def_type *sub = def_element_type(need_element(part, "sub"), 0).type;
  assert_ptr_equal(def_type_constrained(sub), need_type(small, "Thing.part.sub"));
  assert_int_equal(def_element_min(need_element(sub, "leaf")), 1);
}

static void test_replaced(void **state) {
  struct small *small = *state;
  const struct def_type *before = need_type(small, "ClinicVisit");
  size_t types = definitions_type_count(small->definitions);
  assert_int_equal(
      overlay(
          small,
          "{\"resourceType\":\"StructureDefinition\",\"url\":\"" EXAMPLE
          "StructureDefinition/clinic-visit\",\"name\":\"ClinicVisit\",\"kind\":\"logical\",\"type\":\"x\","
          "\"differential\":{\"element\":[{\"path\":\"ClinicVisit\"},{\"path\":\"ClinicVisit.entirelyNew\","
          "\"min\":1,\"max\":\"1\",\"type\":[{\"code\":\"Quantity\"}]}]}}"),
      STATUS_OK);
  const struct def_type *after = need_type(small, "ClinicVisit");
  assert_ptr_not_equal(after, before);
  assert_int_equal(definitions_type_count(small->definitions), types);
  assert_int_equal(def_type_element_count(after), 1);
  uint32_t symbol = definitions_symbol(small->definitions, STR("entirelyNew"));
  assert_int_not_equal(symbol, 0);
  assert_text(definitions_symbol_name(small->definitions, symbol), "entirelyNew");
  assert_non_null(def_type_element(after, symbol));
  assert_ptr_equal(def_element_type(need_element(after, "entirelyNew"), 0).type,
                   need_type(small, "Quantity"));
  assert_int_equal(def_type_element_count(before), 4); /* what was handed out stays */
}

static void test_terms(void **state) {
  struct small *small = *state;
  assert_int_equal(
      overlay(
          small,
          "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{\"resourceType\":\"ValueSet\",\"url\":\""
          "http://o/vs\",\"compose\":{\"include\":[{\"valueSet\":[\"" EXAMPLE "ValueSet/listed\"]},"
          "{\"system\":\"" EXAMPLE "CodeSystem/tree\"},{\"system\":\"http://o/cs\"}],"
          "\"exclude\":[{\"system\":\"" EXAMPLE "CodeSystem/tree\",\"concept\":[{\"code\":\"cat\"}]}]}}},"
          "{\"resource\":{\"resourceType\":\"CodeSystem\",\"url\":\"http://o/cs\",\"content\":\"complete\","
          "\"concept\":[{\"code\":\"c\",\"display\":\"See\"}]}}]}"),
      STATUS_OK);
  const struct def_value_set *set = definitions_value_set(small->definitions, STR("http://o/vs"));
  struct str display;
  assert_int_equal(def_value_set_has(set, STR("http://o/cs"), STR("c"), &display), DEF_MEMBER);
  assert_text(display, "See");
  assert_int_equal(def_value_set_has(set, (struct str){0}, STR("on"), NULL), DEF_MEMBER);
  assert_int_equal(def_value_set_has(set, (struct str){0}, STR("dog"), NULL), DEF_MEMBER);
  assert_int_equal(def_value_set_has(set, (struct str){0}, STR("cat"), NULL), DEF_NOT_MEMBER);
  assert_true(definitions_verify(small->definitions));
}

/* Structures that cannot be used give findings, never a crash. */
static void test_bad_structures(void **state) {
  static const char *const texts[] = {
      "{\"resourceType\":\"StructureDefinition\"}",
      "{\"resourceType\":\"StructureDefinition\",\"url\":\"u\",\"kind\":\"resource\"}",
      "{\"resourceType\":\"StructureDefinition\",\"url\":\"u\",\"kind\":\"resource\",\"snapshot\":{}}",
      "{\"resourceType\":\"StructureDefinition\",\"url\":\"u\",\"kind\":\"logical\",\"name\":\"Un\","
      "\"snapshot\":"
      "{\"element\":[{\"path\":\"Un\"},{\"path\":\"Un.a\",\"type\":[{\"code\":\"nothing\"}]}]}}",
      "{\"resourceType\":\"StructureDefinition\",\"url\":\"u\",\"kind\":\"logical\",\"name\":\"Un\","
      "\"snapshot\":"
      "{\"element\":[{\"path\":\"Un\"},{\"path\":\"Un.a\",\"contentReference\":\"#Un.b\"}]}}",
      "{\"resourceType\":\"StructureDefinition\",\"url\":\"u\",\"kind\":\"resource\",\"name\":\"Un\","
      "\"derivation\":"
      "\"constraint\",\"baseDefinition\":\"nowhere\",\"differential\":{\"element\":[{\"path\":\"Un.a\"}]}}",
      "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{\"resourceType\":\"StructureDefinition\","
      "\"url\":\"c1\","
      "\"kind\":\"resource\",\"name\":\"C1\",\"derivation\":\"constraint\",\"baseDefinition\":\"c2\","
      "\"differential\":"
      "{\"element\":[{\"path\":\"C\"}]}}},{\"resource\":{\"resourceType\":\"StructureDefinition\",\"url\":"
      "\"c2\","
      "\"kind\":\"resource\",\"name\":\"C2\",\"derivation\":\"constraint\",\"baseDefinition\":\"c1\","
      "\"differential\":"
      "{\"element\":[{\"path\":\"C\"}]}}}]}",
  };
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    struct small *small = *state;
    struct diag_list diags;
    struct tree_node *root = parse(small, texts[i]);
    diag_list_init(&diags, small->arena);
    enum status status = definitions_overlay(small->definitions, &root, 1, &diags);
    if (!diags.count) print_message("%s\n", texts[i]);
    assert_true(diags.count > 0);
    assert_int_equal(status, diag_failed(&diags) ? STATUS_INVALID : STATUS_OK);
  }
}

/* Paths as deep, slices as many and lists as long as a hostile package makes them. */
static void test_caps(void **state) {
  struct small *small = *state;
  static const char head[] = "{\"resourceType\":\"StructureDefinition\",\"url\":\"u\",\"kind\":\"logical\","
                             "\"name\":\"Un\",\"differential\":{\"element\":[{\"path\":\"Un\"}";
  for (int kind = 0; kind < 3; kind++) {
    struct buf text;
    buf_init(&text, 1 << 24);
    buf_add_text(&text, head);
    if (kind == 0) {
      buf_add_text(&text, ",{\"path\":\"Un");
      for (int i = 0; i < 100000; i++)
        buf_add_text(&text, ".a");
      buf_add_text(&text, "\"}");
    } else if (kind == 1) {
      for (int i = 0; i < 9000; i++)
        buf_printf(&text, ",{\"path\":\"Un.a%d\",\"type\":[{\"code\":\"string\"}]}", i);
    } else {
      buf_add_text(&text, ",{\"path\":\"Un.a\"},{\"path\":\"Un.a\",\"sliceName\":\"s");
      for (int i = 0; i < 100000; i++)
        buf_add_text(&text, "/s");
      buf_add_text(&text, "\"}");
    }
    buf_add(&text, "]}}", 4);
    struct diag_list diags;
    struct tree_node *root = parse(small, text.ptr);
    diag_list_init(&diags, small->arena);
    assert_int_equal(definitions_overlay(small->definitions, &root, 1, &diags), STATUS_INVALID);
    assert_int_equal(diags.first->code, DIAG_INPUT_TOO_MANY);
    buf_release(&text);
  }
}

static void test_layers(void **state) {
  struct small *small = *state;
  enum status status = STATUS_OK;
  for (int i = 0; i < 70 && !status; i++)
    status =
        overlay(small, "{\"resourceType\":\"CodeSystem\",\"url\":\"http://o/cs\",\"content\":\"complete\"}");
  assert_int_equal(status, STATUS_LIMIT);
  need_type(small, "Thing");
}

/* --- models of a mappings folder --- */

static void test_refresh(void **state) {
  struct small *small = *state;
  char folder[] = "/tmp/ketlink-models-XXXXXX", path[64];
  const struct host *host = host_system();
  const struct def_type *before = need_type(small, "ClinicVisit");
  struct str text;
  assert_int_equal(definitions_refresh_models(small->definitions, host, DATA "/mappings", &small->diags),
                   STATUS_OK);
  assert_ptr_equal(need_type(small, "ClinicVisit"), before); /* unchanged: nothing was read again */
  assert_non_null(mkdtemp(folder));
  assert_int_equal(definitions_refresh_models(small->definitions, host, folder, &small->diags), STATUS_OK);
  snprintf(path, sizeof path, "%s/models", folder);
  assert_int_equal(mkdir(path, 0700), 0);
  snprintf(path, sizeof path, "%s/models/visit.json", folder);
  assert_int_equal(
      host->read_file(host->context, DATA "/mappings/models/visit.json", 1 << 20, small->arena, &text),
      STATUS_OK);
  struct str changed = arena_str(small->arena, text);
  ((char *)(uintptr_t)changed.ptr)[str_find(changed, STR("400"), 0)] = '5';
  assert_int_equal(host->write_file(host->context, path, changed, false), STATUS_OK);
  assert_int_equal(definitions_refresh_models(small->definitions, host, folder, &small->diags), STATUS_OK);
  const struct def_type *after = need_type(small, "ClinicVisit");
  assert_ptr_not_equal(after, before);
  assert_text(def_element_max_value(need_element(after, "weight")), "500");
  assert_int_equal(definitions_refresh_models(small->definitions, host, folder, &small->diags), STATUS_OK);
  assert_ptr_equal(need_type(small, "ClinicVisit"), after);
  assert_int_equal(host->write_file(host->context, path, STR("{\"a\":"), false), STATUS_OK);
  assert_int_equal(definitions_refresh_models(small->definitions, host, folder, &small->diags),
                   STATUS_INVALID);
  assert_text(small->diags.last->file, path);
  unlink(path);
  snprintf(path, sizeof path, "%s/models", folder);
  rmdir(path);
  rmdir(folder);
}

static void test_packages(void **state) {
  struct small *small = *state;
  struct diag_list diags;
  diag_list_init(&diags, small->arena);
  const struct host *host = host_system();
  assert_int_equal(definitions_add_package(small->definitions, host, "/nowhere/at-all", &diags),
                   STATUS_NOT_FOUND);
  assert_int_equal(diags.count, 1);
  assert_int_equal(definitions_add_package(small->definitions, host, "/nowhere/a.tgz", &diags),
                   STATUS_NOT_FOUND);
  assert_int_equal(definitions_add_package(small->definitions, host, DATA "/small", &diags), STATUS_OK);
  assert_text(def_type_name(need_type(small, "Thing")), "Thing");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_profile, small_open, small_close),
      cmocka_unit_test_setup_teardown(test_deep_profile, small_open, small_close),
      cmocka_unit_test_setup_teardown(test_replaced, small_open, small_close),
      cmocka_unit_test_setup_teardown(test_terms, small_open, small_close),
      cmocka_unit_test_setup_teardown(test_bad_structures, small_open, small_close),
      cmocka_unit_test_setup_teardown(test_caps, small_open, small_close),
      cmocka_unit_test_setup_teardown(test_layers, small_open, small_close),
      cmocka_unit_test_setup_teardown(test_refresh, small_open, small_close),
      cmocka_unit_test_setup_teardown(test_packages, small_open, small_close),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
