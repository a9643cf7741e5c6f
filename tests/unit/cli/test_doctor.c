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

/* Each line at its bound, and one above: only there is a hint. */
static void test_store_bounds(void **state) {
  static const struct {
    size_t line;
    const char *inside, *key; /* the object that has it, or NULL */
    json_int_t bound;
  } cases[] = {
      {0, NULL, "bytes", 4096},
      {1, NULL, "events", DOCTOR_EVENTS_MAX},
      {2, NULL, "ledgerPlaces", DOCTOR_PLACES_MAX},
      {3, "records", "done", DOCTOR_FINISHED_MAX},
      {3, NULL, "clockAheadSeconds", DOCTOR_AHEAD_SECONDS_MAX},
      {4, "oldest", "ageSeconds", DOCTOR_OPEN_SECONDS_MAX},
      {4, "records", "parked", 0},
  };
  struct arena *arena = arena_new(1 << 20);
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    for (json_int_t more = -1; more <= 1; more++) {
      struct cli_doctor_line lines[DOCTOR_STORE_LINES];
      json_t *store = json_pack("{s:i,s:{},s:{s:i}}", "freeBytes", 4096, "records", "oldest", "id", 7);
      json_t *holder = cases[i].inside ? json_object_get(store, cases[i].inside) : store;
      assert_int_equal(json_object_set_new(holder, cases[i].key, json_integer(cases[i].bound + more)), 0);
      cli_doctor_store(store, arena, lines);
      for (size_t line = 0; line < DOCTOR_STORE_LINES; line++) {
        bool grown = line == cases[i].line && more == 1;
        assert_int_equal(lines[line].mark, grown ? DOCTOR_WARNING : DOCTOR_OK);
        assert_int_equal(lines[line].fix.len > 0, grown);
        assert_true(lines[line].detail.len > 0);
      }
      json_decref(store);
    }
  }
  arena_free(arena);
}

static void test_store_names_what_is_missing(void **state) {
  struct arena *arena = arena_new(1 << 20);
  struct cli_doctor_line lines[DOCTOR_STORE_LINES];
  json_t *store = json_loads("{\"bytes\":3145728,\"freeBytes\":5368709120,\"missing\":[\"old\",\"older\"],"
                             "\"records\":{\"queued\":3,\"parked\":2},\"oldest\":{\"id\":4,\"acceptedAt\":\"2026-03-02T10:00:00.000Z\"}}",
                             0, NULL);
  (void)state;
  cli_doctor_store(store, arena, lines);
  assert_true(str_is(lines[0].detail, "3.0 MiB, 5.0 GiB of the disk are free"));
  assert_true(str_is(lines[4].detail, "5 records, 2 of them parked; the oldest is 4 of 2026-03-02T10:00:00Z"));
  assert_int_equal(lines[5].mark, DOCTOR_WARNING);
  assert_true(str_is(lines[5].detail, "records wait for old, older"));
  json_decref(store);
  arena_free(arena);
}

static void test_a_full_store_is_told(void **state) {
  static const struct {
    const char *full, *detail;
  } cases[] = {{"", "1.0 KiB, 4.0 KiB of the disk are free"},
               {"records", "full: 9 records are open, and it takes nothing more (max-records)"},
               {"disk", "full: 1.0 KiB, 4.0 KiB of the disk are free, and it takes nothing more (reserve-mib)"}};
  struct arena *arena = arena_new(1 << 20);
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct cli_doctor_line lines[DOCTOR_STORE_LINES];
    json_t *store = json_pack("{s:i,s:i,s:i,s:s}", "bytes", 1024, "freeBytes", 4096, "maxRecords", 9, "full", cases[i].full);
    cli_doctor_store(store, arena, lines);
    assert_int_equal(lines[0].mark, *cases[i].full ? DOCTOR_WARNING : DOCTOR_OK);
    assert_true(str_is(lines[0].detail, cases[i].detail));
    json_decref(store);
  }
  arena_free(arena);
}

static void test_destinations_say_what_is_wrong(void **state) {
  static const struct {
    const char *text;
    enum cli_doctor_mark mark;
    const char *detail;
  } cases[] = {
      {"{\"name\":\"hospital\",\"trouble\":\"\",\"since\":null,\"reason\":\"\",\"open\":0,\"parked\":0,\"oldest\":{\"id\":0}}", DOCTOR_OK,
       "hospital: well; 0 open, 0 of them parked"},
      {"{\"name\":\"hospital\",\"trouble\":\"held\",\"since\":\"2026-03-02T10:00:00.000Z\",\"reason\":\"tls\",\"open\":3,\"parked\":1,"
       "\"oldest\":{\"id\":7,\"acceptedAt\":\"2026-03-01T09:00:00.000Z\"}}",
       DOCTOR_WARNING,
       "hospital: held since 2026-03-02T10:00:00Z (tls); 3 open, 1 of them parked; waits since 2026-03-01T09:00:00Z"},
      {"{}", DOCTOR_OK, "?: well; 0 open, 0 of them parked"},
  };
  struct arena *arena = arena_new(1 << 20);
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    json_t *destination = json_loads(cases[i].text, 0, NULL);
    struct cli_doctor_line line = cli_doctor_sender(destination, arena);
    assert_int_equal(line.mark, cases[i].mark);
    assert_true(str_is(line.detail, cases[i].detail));
    assert_int_equal(line.fix.len > 0, cases[i].mark == DOCTOR_WARNING);
    json_decref(destination);
  }
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden), cmocka_unit_test(test_caps), cmocka_unit_test(test_store_bounds),
                                     cmocka_unit_test(test_store_names_what_is_missing),
                                     cmocka_unit_test(test_a_full_store_is_told),
                                     cmocka_unit_test(test_destinations_say_what_is_wrong)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
