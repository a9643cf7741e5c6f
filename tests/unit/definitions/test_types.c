/* test_types.c - types, elements, inheritance, slicing and models of the small package. */
#include "small.h"

static void test_names(void **state) {
  const struct small *small = *state;
  const struct def_type *thing = need_type(small, "Thing");
  assert_ptr_equal(need_type(small, EXAMPLE "StructureDefinition/Thing"), thing);
  assert_ptr_equal(need_type(small, EXAMPLE "StructureDefinition/Thing|9.9"), thing);
  assert_text(def_type_name(thing), "Thing");
  assert_text(def_type_version(thing), "1.0.0");
  assert_text(def_type_url(thing), EXAMPLE "StructureDefinition/Thing");
  assert_int_equal(def_type_kind(thing), DEF_RESOURCE);
  assert_false(def_type_abstract(thing));
  assert_true(def_type_abstract(need_type(small, "Resource")));
  assert_text(def_type_name(def_type_base(thing)), "Resource");
  assert_null(def_type_base(need_type(small, "Resource")));
  assert_true(def_type_is(thing, need_type(small, "Resource")));
  assert_false(def_type_is(need_type(small, "Resource"), thing));
  assert_null(definitions_type(small->definitions, STR("Thin")));
  assert_null(definitions_type(small->definitions, STR("")));
  assert_text(definitions_nearest_type(small->definitions, STR("Thinng")), "Thing");
  assert_int_equal(definitions_nearest_type(small->definitions, STR("Xylophone")).len, 0);
  assert_int_equal(def_type_kind(need_type(small, "System.String")), DEF_SYSTEM);
  assert_ptr_equal(need_type(small, "http://hl7.org/fhirpath/System.String"),
                   need_type(small, "System.String"));
}

static void test_primitives(void **state) {
  const struct small *small = *state;
  const struct def_type *string = need_type(small, "string");
  assert_int_equal(def_type_kind(string), DEF_PRIMITIVE);
  assert_int_equal(def_type_primitive(string), DEF_P_STRING);
  assert_int_equal(def_type_primitive(need_type(small, "positiveInt")), DEF_P_POSITIVE_INT);
  assert_int_equal(def_type_primitive(need_type(small, "Quantity")), DEF_P_NONE);
  assert_true(def_type_is(need_type(small, "code"), string));
  assert_int_equal(def_type_element_count(string), 2); /* id and extension; value is the text itself */
  assert_null(def_type_json(string, STR("value"), NULL));
  const struct def_type *chosen = NULL;
  assert_non_null(def_type_json(string, STR("id"), &chosen));
  assert_ptr_equal(chosen, string);
  assert_non_null(def_type_json(need_type(small, "Thing"), STR("id"), &chosen));
  assert_ptr_equal(chosen, need_type(small, "id")); /* the id of a resource is an id */
  assert_non_null(def_type_json(need_type(small, "Extension"), STR("url"), &chosen));
  assert_ptr_equal(chosen, need_type(small, "uri"));
}

static void test_elements(void **state) {
  const struct small *small = *state;
  const struct def_type *thing = need_type(small, "Thing"), *chosen = NULL;
  const struct def_element *status = need_element(thing, "status"), *code = need_element(thing, "code");
  assert_int_equal(def_type_element_count(thing), 9);
  assert_int_equal(def_element_order(status), 4);
  assert_ptr_equal(def_type_element_at(thing, 3), status);
  assert_null(def_type_element_at(thing, 9));
  assert_int_equal(def_element_min(status), 1);
  assert_int_equal(def_element_max(status), 1);
  assert_int_equal(def_element_max(code), DEF_UNBOUNDED);
  assert_false(def_element_is_list(status));
  assert_true(def_element_is_list(code));
  assert_true(def_element_is_modifier(status));
  assert_true(def_element_is_summary(status));
  assert_false(def_element_is_modifier(code));
  assert_text(def_element_short(status), "on | off");
  assert_text(def_element_path(status), "Thing.status");
  assert_int_equal(def_element_max_length(need_element(thing, "alias")), 20);
  assert_int_equal(def_element_max_length(status), 0);
  uint32_t symbol = definitions_symbol(small->definitions, STR("status"));
  assert_int_not_equal(symbol, 0);
  assert_int_equal(def_element_symbol(status), symbol);
  assert_text(definitions_symbol_name(small->definitions, symbol), "status");
  assert_int_equal(definitions_symbol(small->definitions, STR("statu")), 0);
  assert_int_equal(definitions_symbol_name(small->definitions, 0).len, 0);
  assert_ptr_equal(def_type_element(thing, symbol), status);
  assert_null(def_type_element(need_type(small, "Coding"), symbol));
  assert_ptr_equal(def_type_json(thing, STR("status"), &chosen), status);
  assert_null(def_type_json(thing, STR("statut"), &chosen));
  assert_text(def_type_nearest_element(thing, STR("statut")), "status");
}

static void test_choice(void **state) {
  const struct small *small = *state;
  const struct def_type *thing = need_type(small, "Thing"), *chosen = NULL;
  const struct def_element *value = need_element(thing, "value");
  assert_true(def_element_is_choice(value));
  assert_int_equal(def_element_type_count(value), 3);
  assert_text(def_element_type(value, 0).json_name, "valueQuantity");
  assert_text(def_element_type(value, 1).json_name, "valueString");
  assert_ptr_equal(def_type_json(thing, STR("valueBoolean"), &chosen), value);
  assert_ptr_equal(chosen, need_type(small, "boolean"));
  assert_null(def_type_json(thing, STR("value"), &chosen));
  assert_null(def_type_json(thing, STR("valueCode"), &chosen));
  assert_null(def_element_type(value, 3).type);
}

static void test_targets_and_bindings(void **state) {
  const struct small *small = *state;
  const struct def_type *thing = need_type(small, "Thing");
  const struct def_element *subject = need_element(thing, "subject");
  struct def_binding binding = {0};
  assert_int_equal(def_element_target_count(subject, 0), 2);
  assert_text(def_element_target(subject, 0, 1), EXAMPLE "StructureDefinition/Bundle");
  assert_int_equal(def_element_target(subject, 0, 2).len, 0);
  assert_int_equal(def_element_profile_count(subject, 0), 0);
  assert_true(def_element_binding(need_element(thing, "status"), &binding));
  assert_int_equal(binding.strength, DEF_REQUIRED);
  assert_text(binding.value_set, EXAMPLE "ValueSet/status|1.0.0");
  assert_ptr_equal(binding.members,
                   definitions_value_set(small->definitions, STR(EXAMPLE "ValueSet/status")));
  assert_true(def_element_binding(need_element(thing, "code"), &binding));
  assert_int_equal(binding.strength, DEF_EXAMPLE);
  assert_null(binding.members);
  assert_false(def_element_binding(subject, &binding));
}

static void test_nested(void **state) {
  const struct small *small = *state;
  const struct def_type *part = need_type(small, "Thing.part"), *chosen = NULL;
  const struct def_element *element = need_element(need_type(small, "Thing"), "part");
  assert_int_equal(def_type_kind(part), DEF_NESTED);
  assert_ptr_equal(def_element_type(element, 0).type, part);
  assert_text(def_type_name(def_type_base(part)), "BackboneElement");
  assert_int_equal(def_type_url(part).len, 0);
  assert_non_null(def_type_json(part, STR("part"), &chosen));
  assert_ptr_equal(chosen, part); /* a content reference */
  assert_int_equal(def_type_constraint_count(part), 1);
  assert_text(def_element_constraint(element, 0).key, "ele-1");
}

static void test_constraints(void **state) {
  const struct def_type *thing = need_type(*state, "Thing");
  struct def_constraint constraint = def_type_constraint(thing, 0);
  assert_int_equal(def_type_constraint_count(thing), 1);
  assert_text(constraint.key, "th-1");
  assert_text(constraint.expression, "part.exists() or value.exists()");
  assert_text(constraint.human, "A part or a value");
  assert_text(constraint.source, EXAMPLE "StructureDefinition/Thing");
  assert_true(constraint.is_error);
  assert_int_equal(def_type_constraint(thing, 1).key.len, 0);
}

static void test_profile(void **state) {
  const struct small *small = *state;
  const struct def_type *profile = need_type(small, "ThingStrict"), *thing = need_type(small, "Thing");
  bool pattern = true;
  assert_true(def_type_is_profile(profile));
  assert_false(def_type_is_profile(thing));
  assert_ptr_equal(def_type_constrained(profile), thing);
  assert_ptr_equal(def_type_constrained(thing), thing);
  assert_ptr_equal(need_type(small, "thing-strict"), profile);
  assert_int_equal(def_type_element_count(profile), 9); /* what it does not list it has from the base */
  assert_true(def_element_is_list(need_element(profile, "code")));
  assert_int_equal(def_element_max(need_element(profile, "code")), 1);
  assert_int_equal(def_element_max(need_element(profile, "contained")), 0);
  assert_true(def_element_must_support(need_element(profile, "code")));
  assert_text(def_element_fixed(need_element(profile, "status"), &pattern), "\"on\"");
  assert_false(pattern);
  assert_text(def_element_fixed(need_element(profile, "code"), &pattern),
              "{\"coding\":[{\"system\":\"http://example.org/s\",\"code\":\"a\"}]}");
  assert_true(pattern);
}

static void test_slices(void **state) {
  const struct small *small = *state;
  const struct def_type *profile = need_type(small, "ThingStrict");
  const struct def_element *part = need_element(profile, "part"), *value = need_element(profile, "value");
  struct def_slicing slicing = {0};
  assert_true(def_element_slicing(part, &slicing));
  assert_int_equal(slicing.rules, DEF_SLICING_OPEN_AT_END);
  assert_true(slicing.ordered);
  assert_int_equal(slicing.discriminators, 2);
  assert_int_equal(slicing.slices, 1);
  assert_text(def_element_discriminator(part, 1).type, "exists");
  assert_text(def_element_discriminator(part, 1).path, "count");
  const struct def_element *first = def_element_slice(part, 0), *again = NULL;
  assert_text(def_element_slice_name(first), "First");
  assert_int_equal(def_element_slice_name(part).len, 0);
  const struct def_type *nested = def_element_type(first, 0).type;
  assert_ptr_equal(def_type_constrained(nested), need_type(small, "Thing.part"));
  assert_true(def_type_is(nested, need_type(small, "BackboneElement")));
  assert_text(def_element_fixed(need_element(nested, "name"), NULL), "\"first\"");
  assert_int_equal(def_type_element_count(nested), 8);
  assert_true(def_element_slicing(first, &slicing)); /* sliced again */
  again = def_element_slice(first, 0);
  assert_text(def_element_slice_name(again), "First/Again");
  assert_true(def_element_slicing(value, &slicing));
  assert_int_equal(slicing.rules, DEF_SLICING_CLOSED);
  const struct def_type *quantity = def_element_type(def_element_slice(value, 0), 0).type;
  const struct def_element *number = need_element(quantity, "value");
  assert_ptr_equal(def_type_constrained(quantity), need_type(small, "Quantity"));
  assert_text(def_element_min_value(number), "0.50"); /* as written */
  assert_text(def_element_max_value(number), "9");
  assert_null(def_element_slice(value, 1));
}

/* A profile with a differential only, on a profile: its snapshot is made here. */
static void test_differential(void **state) {
  const struct small *small = *state;
  const struct def_type *profile = need_type(small, "ThingDiff");
  const struct def_element *alias = need_element(profile, "alias"), *code = need_element(profile, "code");
  struct def_slicing slicing = {0};
  assert_ptr_equal(def_type_base(profile), need_type(small, "ThingStrict"));
  assert_ptr_equal(def_type_constrained(profile), need_type(small, "Thing"));
  assert_int_equal(def_element_min(alias), 1);
  assert_int_equal(def_element_max(alias), DEF_UNBOUNDED);
  assert_true(def_element_is_list(alias));
  assert_int_equal(def_element_max_length(alias), 20);
  assert_text(def_element_short(alias), "at least one");
  assert_int_equal(def_element_max(code), 1); /* from the profile below */
  assert_int_equal(def_type_constraint_count(profile), 1);
  const struct def_element *value = def_element_slice(need_element(profile, "value"), 0);
  assert_text(def_element_slice_name(value), "valueQuantity"); /* the slice of the profile below */
  assert_int_equal(def_element_min(value), 1);
  assert_int_equal(def_element_constraint_count(value), 1);
  assert_false(def_element_constraint(value, 0).is_error);
  assert_text(def_element_constraint(value, 0).source, EXAMPLE "StructureDefinition/thing-diff");
  const struct def_type *part = def_element_type(need_element(profile, "part"), 0).type;
  const struct def_type *kind = def_element_type(need_element(part, "kind"), 0).type;
  const struct def_element *coding = need_element(kind, "coding");
  assert_true(def_element_slicing(coding, &slicing));
  assert_int_equal(slicing.slices, 1);
  const struct def_element *local = def_element_slice(coding, 0);
  assert_int_equal(def_element_max(local), 1);
  assert_text(def_element_fixed(need_element(def_element_type(local, 0).type, "system"), NULL),
              "\"http://example.org/s\"");
}

static void test_model(void **state) {
  const struct small *small = *state;
  const struct def_type *visit = need_type(small, "ClinicVisit"),
                        *dose = need_type(small, "ClinicVisit.dose");
  assert_ptr_equal(need_type(small, "clinic-visit"), visit);
  assert_ptr_equal(need_type(small, EXAMPLE "StructureDefinition/clinic-visit"), visit);
  assert_int_equal(def_type_kind(visit), DEF_LOGICAL);
  assert_int_equal(def_type_element_count(visit), 4);
  assert_int_equal(def_type_element_count(dose), 2);
  assert_true(def_element_is_list(need_element(visit, "dose")));
  assert_false(def_element_is_list(need_element(visit, "weight")));
  assert_text(def_element_min_value(need_element(visit, "weight")), "1");
  assert_ptr_equal(def_element_type(need_element(dose, "again"), 0).type, dose);
  assert_text(def_type_constraint(visit, 0).key, "v-1");
}

static void test_search(void **state) {
  const struct definitions *definitions = ((const struct small *)*state)->definitions;
  assert_true(definitions_has_search(definitions, STR("Thing"), STR("alias")));
  assert_true(definitions_has_search(definitions, STR("Thing"), STR("_id"))); /* of Resource */
  assert_false(definitions_has_search(definitions, STR("Thing"), STR("identifier")));
  assert_false(definitions_has_search(definitions, STR("Nothing"), STR("_id")));
}

static void test_list(void **state) {
  const struct small *small = *state;
  size_t found = 0;
  for (size_t i = 0; i < definitions_type_count(small->definitions); i++) {
    const struct def_type *type = definitions_type_at(small->definitions, i);
    assert_int_not_equal(def_type_kind(type), DEF_NESTED);
    found += str_is(def_type_name(type), "Thing");
  }
  assert_int_equal(found, 1);
  assert_int_equal(definitions_package_count(small->definitions), 2);
  struct def_package package = definitions_package(small->definitions, 0);
  assert_text(package.id, "example.small");
  assert_text(package.version, "1.0.0");
  assert_int_equal(package.structures, 22);
  assert_int_equal(package.code_systems, 4);
  assert_text(definitions_package(small->definitions, 1).id, "models");
  assert_int_equal(definitions_package(small->definitions, 2).id.len, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_primitives),
      cmocka_unit_test(test_elements),
      cmocka_unit_test(test_choice),
      cmocka_unit_test(test_targets_and_bindings),
      cmocka_unit_test(test_nested),
      cmocka_unit_test(test_constraints),
      cmocka_unit_test(test_profile),
      cmocka_unit_test(test_slices),
      cmocka_unit_test(test_differential),
      cmocka_unit_test(test_model),
      cmocka_unit_test(test_search),
      cmocka_unit_test(test_list),
  };
  return cmocka_run_group_tests(tests, small_open, small_close);
}
