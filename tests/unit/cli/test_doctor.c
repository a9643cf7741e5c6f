/* test_doctor.c - a destination file against a CapabilityStatement: tests/golden/doctor, and the caps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../golden.h"
#include "cli/doctor.h"

/* What the maps of the clinic would make. */
static const struct str types[] = {
    STR("AdverseEvent"), STR("DocumentReference"), STR("Encounter"),    STR("MedicationAdministration"),
    STR("Observation"),  STR("Patient"),           STR("Practitioner"), STR("Procedure"),
};

static struct str lines_of(const struct cli_doctor_match *match) {
  static const char *const marks[] = {"ok", "warn", "FAIL", "skip"};
  struct cli_doctor_line lines[DOCTOR_MATCH_LINES];
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  cli_doctor_match(match, lines);
  for (size_t i = 0; i < DOCTOR_MATCH_LINES; i++) {
    buf_printf(&text, "%s %s: %.*s", marks[lines[i].mark], lines[i].check, STR_ARG(lines[i].detail));
    if (lines[i].fix.len) buf_printf(&text, " -> %.*s", STR_ARG(lines[i].fix));
    buf_add_char(&text, '\n');
    assert_int_equal(lines[i].status, lines[i].mark == DOCTOR_FAILED ? STATUS_CONFIG : STATUS_OK);
  }
  struct str copy = buf_take_str(&text, match->arena);
  buf_release(&text);
  return copy;
}

static void run_case(struct golden *golden) {
  struct delivery_capability capability;
  const char *why = NULL;
  struct str text = golden_read(golden, "destination.json"), got;
  json_t *destination = json_loadb(text.ptr, text.len, 0, NULL);
  enum status status =
      delivery_capability_read(golden_read(golden, "capability.json"), golden->arena, &capability, &why);
  struct cli_doctor_match match = {.destination = destination,
                                   .capability = &capability,
                                   .types = types,
                                   .type_count = sizeof types / sizeof types[0],
                                   .arena = golden->arena};
  assert_non_null(destination);
  if (status == STATUS_OK)
    got = lines_of(&match);
  else
    got = arena_printf(golden->arena, "%s: %s\n", status_name(status), why);
  golden_compare(golden, "expected.txt", got);
  json_decref(destination);
}

static void test_golden(void **state) {
  (void)state;
  assert_int_equal(golden_run(SOURCE_DIR "/tests/golden/doctor", run_case), 0);
}

/* A statement with so many types, or so many parameters of one type. */
static enum status read_many(struct arena *arena, size_t type_count, size_t parameter_count) {
  struct delivery_capability capability;
  const char *why = NULL;
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  buf_add_text(&text,
               "{\"resourceType\":\"CapabilityStatement\",\"rest\":[{\"mode\":\"server\",\"resource\":[");
  for (size_t i = 0; i < type_count; i++)
    buf_printf(&text, "%s{\"type\":\"T%zu\"", i ? "}," : "", i);
  buf_add_text(&text, ",\"searchParam\":[");
  for (size_t i = 0; i < parameter_count; i++)
    buf_printf(&text, "%s{\"name\":\"p%zu\"}", i ? "," : "", i);
  buf_add_text(&text, "]}]}]}");
  enum status status = delivery_capability_read(buf_str(&text), arena, &capability, &why);
  buf_release(&text);
  if (status == STATUS_OK) assert_int_equal(capability.type_count, type_count);
  if (status == STATUS_LIMIT) assert_non_null(why);
  return status;
}

static void test_caps(void **state) {
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  (void)state;
  assert_int_equal(read_many(arena, LIMIT_CAPABILITY_TYPES - 1, 1), STATUS_OK);
  assert_int_equal(read_many(arena, LIMIT_CAPABILITY_TYPES, 1), STATUS_OK);
  assert_int_equal(read_many(arena, LIMIT_CAPABILITY_TYPES + 1, 1), STATUS_LIMIT);
  assert_int_equal(read_many(arena, 1, LIMIT_CAPABILITY_PARAMETERS - 1), STATUS_OK);
  assert_int_equal(read_many(arena, 1, LIMIT_CAPABILITY_PARAMETERS), STATUS_OK);
  assert_int_equal(read_many(arena, 1, LIMIT_CAPABILITY_PARAMETERS + 1), STATUS_LIMIT);
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden), cmocka_unit_test(test_caps)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
