/* What a destination asks of Bundles: read, checked, and kept to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "passage.h"

#define BP "http://hl7.org/fhir/StructureDefinition/bp"
#define WEIGHT "http://hl7.org/fhir/StructureDefinition/bodyweight"

static const struct pipeline *pipeline;
static char file[] = "/tmp/ketlink-policy-XXXXXX";

static enum status read_text(struct str text, struct arena *arena, struct diag_list *diags,
                             struct pipeline_policy *out) {
  diag_list_init(diags, arena);
  assert_int_equal(host_system()->write_file(NULL, file, text, false), STATUS_OK);
  return pipeline_policy_read(file, host_system(), arena, diags, out);
}

static void test_read(void **state) {
  struct arena *arena = arena_new(1 << 20);
  struct pipeline_policy policy;
  struct diag_list diags;
  (void)state;
  assert_int_equal(read_text(STR("{\"base\":\"x\",\"submit\":\"batch\"}"), arena, &diags, &policy),
                   STATUS_OK);
  assert_int_equal(policy.verdict, PIPELINE_REFUSE);
  assert_int_equal(policy.profile_count + policy.package_count, 0);
  assert_int_equal(
      read_text(STR("{\"validation\":\"park\",\"profiles\":[\"" BP "\"],\"packages\":[\"a#1\",\"b@2\","
                    "\"c.tgz\",\"./d\",\"/e.tgz\"]}"),
                arena, &diags, &policy),
      STATUS_OK);
  assert_int_equal(policy.verdict, PIPELINE_PARK);
  assert_string_equal(policy.profiles[0], BP);
  static const char *const packages[] = {"a#1", "b@2", "/tmp/c.tgz", "/tmp/./d", "/e.tgz"};
  assert_int_equal(policy.package_count, 5);
  for (size_t i = 0; i < 5; i++)
    assert_string_equal(policy.packages[i], packages[i]);
  arena_free(arena);
}

static void test_faults(void **state) {
  static const struct {
    const char *text, *says;
  } rows[] = {
      {"{\"validation\":\"parc\"}",
       "validation must be one of: refuse, park, warn; did you mean park?"},
      {"{\"validation\":\"nothing\"}", "validation must be one of: refuse, park, warn"},
      {"{\"validation\":true}", "validation must be a string"},
      {"{\"profile\":[]}", "profile is not a known key; did you mean profiles?"},
      {"{\"profiles\":\"" BP "\"}", "profiles must be a list of strings"},
      {"{\"packages\":[1]}", "packages must be a list of strings"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct arena *arena = arena_new(1 << 20);
    struct pipeline_policy policy;
    struct diag_list diags;
    assert_int_equal(read_text(str_of(rows[i].text), arena, &diags, &policy), STATUS_CONFIG);
    assert_string_equal(diags.first->message.ptr, rows[i].says);
    arena_free(arena);
  }
}

static enum status read_many(const char *key, size_t count) {
  struct arena *arena = arena_new(1 << 20);
  struct pipeline_policy policy;
  struct diag_list diags;
  struct buf text;
  buf_init(&text, 1 << 16);
  buf_printf(&text, "{\"%s\":[", key);
  for (size_t i = 0; i < count; i++)
    buf_printf(&text, "%s\"x#%zu\"", i ? "," : "", i);
  buf_add_text(&text, "]}");
  enum status status = read_text(buf_str(&text), arena, &diags, &policy);
  buf_release(&text);
  arena_free(arena);
  return status;
}

static void test_caps(void **state) {
  static const struct {
    const char *key;
    size_t max;
  } rows[] = {{"profiles", LIMIT_DESTINATION_PROFILES}, {"packages", LIMIT_DESTINATION_PACKAGES}};
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(read_many(rows[i].key, rows[i].max - 1), STATUS_OK);
    assert_int_equal(read_many(rows[i].key, rows[i].max), STATUS_OK);
    assert_int_equal(read_many(rows[i].key, rows[i].max + 1), STATUS_CONFIG);
  }
}

static void test_profiles_known(void **state) {
  static const char *const good[] = {BP, WEIGHT};
  static const char *const bad[] = {"http://none", "http://hl7.org/fhir/StructureDefinition/Patient"};
  struct arena *arena = arena_new(1 << 20);
  struct diag_list diags;
  (void)state;
  diag_list_init(&diags, arena);
  struct pipeline_policy policy = {.path = "d.json", .profiles = good, .profile_count = 2};
  assert_int_equal(pipeline_policy_check(pipeline, &policy, &diags), STATUS_OK);
  policy.profiles = bad;
  assert_int_equal(pipeline_policy_check(pipeline, &policy, &diags), STATUS_CONFIG);
  assert_int_equal(diag_errors(&diags), 2);
  assert_true(str_is(diags.first->message,
                     "profiles: the definitions do not have http://none; name its package in "
                     "packages"));
  assert_true(str_is(diags.last->message,
                     "profiles: http://hl7.org/fhir/StructureDefinition/Patient is not a profile of "
                     "a resource"));
  arena_free(arena);
}

/* --- kept to: the Observations of the fixture are no blood pressures --- */

static enum status run_fixture(const struct pipeline_policy *policy, struct arena *arena,
                               struct diag_list *diags, bool *parked) {
  struct str text = passage_fixture("iv-trd", arena);
  struct intake_input input = intake_open(STR("record.json"), text);
  struct intake_record record;
  struct tree_node *bundle = NULL;
  struct pipeline_run run = {
      .arena = arena, .diags = diags, .validate = true, .policy = policy, .parked = parked};
  *parked = false;
  diag_list_init(diags, arena);
  enum status status =
      intake_next(&input, pipeline_definitions(pipeline), pipeline_routes(pipeline), arena, diags, &record);
  return status == STATUS_OK ? pipeline_export(pipeline, &record, &run, &bundle) : status;
}

static void test_verdicts(void **state) {
  static const char *const profiles[] = {BP};
  static const struct {
    enum pipeline_verdict verdict;
    enum status status;
    bool parked;
  } rows[] = {{PIPELINE_REFUSE, STATUS_INVALID, false},
              {PIPELINE_PARK, STATUS_INVALID, true},
              {PIPELINE_WARN, STATUS_OK, false}};
  (void)state;
  for (size_t i = 0; i < 3; i++) {
    struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
    struct pipeline_policy policy = {.verdict = rows[i].verdict, .profiles = profiles, .profile_count = 1};
    struct diag_list diags;
    bool parked;
    assert_int_equal(run_fixture(&policy, arena, &diags, &parked), rows[i].status);
    assert_int_equal(parked, rows[i].parked);
    assert_int_equal(diag_failed(&diags), rows[i].verdict != PIPELINE_WARN);
    size_t of_profile = 0;
    for (const struct diag *diag = diags.first; diag; diag = diag->next)
      of_profile += str_is(diag->profile, BP) && diag->path.len && diag->line;
    assert_true(of_profile > 5); /* each with its place in the record */
    arena_free(arena);
  }
}

/* Of several profiles for a type one is enough; when none is met, the findings are those of the nearest. */
static void test_one_of(void **state) {
  static const char *const profiles[] = {BP, WEIGHT, "http://hl7.org/fhir/StructureDefinition/vitalsigns"};
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct pipeline_policy policy = {.profiles = profiles, .profile_count = 3};
  struct diag_list diags;
  bool parked;
  size_t mismatches = 0, weights = 0;
  (void)state;
  assert_int_equal(run_fixture(&policy, arena, &diags, &parked), STATUS_INVALID);
  for (const struct diag *diag = diags.first; diag; diag = diag->next) {
    mismatches += diag->code == DIAG_PROFILE_MISMATCH;
    weights += diag->severity >= DIAG_ERROR && str_is(diag->profile, WEIGHT);
  }
  assert_true(mismatches > 0); /* scales are no vital signs */
  assert_int_equal(weights, 0);
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_read),           cmocka_unit_test(test_faults),   cmocka_unit_test(test_caps),
      cmocka_unit_test(test_profiles_known), cmocka_unit_test(test_verdicts), cmocka_unit_test(test_one_of),
  };
  struct arena *arena = arena_new(1 << 20);
  struct pipeline *opened = passage_open(arena);
  int descriptor = mkstemp(file);
  if (!opened || descriptor < 0) return 1;
  close(descriptor);
  pipeline = opened;
  int result = cmocka_run_group_tests(tests, NULL, NULL);
  unlink(file);
  pipeline_close(opened);
  arena_free(arena);
  return result;
}
