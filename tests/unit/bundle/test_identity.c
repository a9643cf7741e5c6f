/* Ids are UUIDv5 of the clinic's namespace: known vectors, made with another implementation (Python's uuid).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "bundle/internal.h"

static const struct {
  const char *clinic, *name, *uuid;
} rows[] = {
    {"riverside", "Patient/patient/MRN-77120", "9c270c9a-c8d3-53da-98e9-b33688611a31"},
    {"riverside", "MedicationAdministration/S-000412/doses/A1", "1f16eee9-fd70-5d05-973f-c71a070982ea"},
    {"riverside", "Observation/S-000412/vitals/V1/bp", "6f6b81ea-11b1-586b-adc7-3dfac60a938f"},
    {"x", "Patient/patient/MRN-77120", "3a192f71-f978-557c-b0e1-0a6ffcd5c80f"},
};

static void test_vectors(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct arena *arena = arena_new(1 << 16);
    struct bundle_namespace space;
    char uuid[UUID_TEXT];
    assert_int_equal(bundle_namespace_make(str_of(rows[i].clinic), arena, &space), STATUS_OK);
    bundle_uuid(&space, str_of(rows[i].name), uuid);
    assert_string_equal(uuid, rows[i].uuid);
    arena_free(arena);
  }
}

static void test_system(void **state) {
  struct arena *arena = arena_new(1 << 16);
  struct bundle_namespace space;
  (void)state;
  assert_int_equal(bundle_namespace_make(STR("riverside"), arena, &space), STATUS_OK);
  assert_string_equal(space.system.ptr, "http://ketlink.dev/fhir/clinic/riverside/record");
  arena_free(arena);
}

/* A patient's key holds the record number; what the others hold is marked as the record's, and hidden where values are. */
static void test_shown_key(void **state) {
  (void)state;
  struct arena *arena = arena_new(4096);
  struct diag_list diags;
  struct str key = bundle_shown_key(arena, STR("S-1/doses/A1"));
  assert_true(str_is(bundle_shown_key(arena, STR("patient/MRN-1")), "patient"));
  assert_true(str_is(bundle_shown_key(arena, STR("patient/MRN-1/contacts/R1")), "patient"));
  diag_list_init(&diags, arena);
  diag_warning(&diags, DIAG_BUNDLE_ADJUSTED, NULL, "dose (%.*s): odd", STR_ARG(key));
  assert_true(str_is(diags.first->message, "dose (S-1/doses/A1): odd"));
  diag_hide_values(&diags);
  assert_true(str_is(diags.first->message, "dose (…): odd"));
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors), cmocka_unit_test(test_system),
                                     cmocka_unit_test(test_shown_key)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
