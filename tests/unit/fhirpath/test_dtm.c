/* Dates and times of HL7 version 2: what each becomes, and where its offset comes from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "fhirpath/fhirpath.h"

enum { EAST_2 = 120, NO_OFFSET = INT16_MAX };

static const struct {
  const char *text;
  int16_t offset; /* of the message */
  bool chicago;   /* the clinic's zone is known */
  const char *result; /* NULL: none */
  const char *warning;
} rows[] = {
    {"2026", NO_OFFSET, false, "2026", NULL},
    {"202603", NO_OFFSET, false, "2026-03", NULL},
    {"20260311", NO_OFFSET, false, "2026-03-11", NULL},
    {"20260311-0500", NO_OFFSET, false, "2026-03-11", NULL},
    {"2026031109", NO_OFFSET, true, "2026-03-11T09:00:00-05:00", NULL},
    {"202603110902", NO_OFFSET, true, "2026-03-11T09:02:00-05:00", NULL},
    {"20260311090230", NO_OFFSET, true, "2026-03-11T09:02:30-05:00", NULL},
    {"20260111090230", NO_OFFSET, true, "2026-01-11T09:02:30-06:00", NULL},
    {"20260311090230.1234", NO_OFFSET, true, "2026-03-11T09:02:30.1234-05:00", NULL},
    {" 20260311090230+0000 ", NO_OFFSET, true, "2026-03-11T09:02:30Z", NULL},
    {"20260311090230+1400", NO_OFFSET, false, "2026-03-11T09:02:30+14:00", NULL},
    {"20260311090230-0330", EAST_2, true, "2026-03-11T09:02:30-03:30", NULL},
    {"20260311090230", EAST_2, true, "2026-03-11T09:02:30+02:00", NULL},
    {"20260311090230", EAST_2, false, "2026-03-11T09:02:30+02:00", NULL},
    {"20240229", NO_OFFSET, false, "2024-02-29", NULL},
    {"", NO_OFFSET, false, NULL, NULL},
    {"20260311090230", NO_OFFSET, false, "2026-03-11", "time-zone-unknown"},
    {"20260308023000", NO_OFFSET, true, "2026-03-08", "time-zone-unknown"},
    {"20261101013000", NO_OFFSET, true, "2026-11-01", "time-zone-unknown"},
    {"20260229", NO_OFFSET, true, NULL, "value-format"},
    {"00000000", NO_OFFSET, true, NULL, "value-format"},
    {"20260311240000", NO_OFFSET, true, NULL, "value-format"},
    {"20260311096000", NO_OFFSET, true, NULL, "value-format"},
    {"20260311090260", NO_OFFSET, true, NULL, "value-format"},
    {"20260311090230.", NO_OFFSET, true, NULL, "value-format"},
    {"202603110902.5", NO_OFFSET, true, NULL, "value-format"},
    {"20260311090230+1401", NO_OFFSET, true, NULL, "value-format"},
    {"20260311090230+02", NO_OFFSET, true, NULL, "value-format"},
    {"20260311090230Z", NO_OFFSET, true, NULL, "value-format"},
    {"2026031", NO_OFFSET, true, NULL, "value-format"},
    {"202", NO_OFFSET, true, NULL, "value-format"},
    {"2026-03-11", NO_OFFSET, true, NULL, "value-format"},
    {"yesterday", NO_OFFSET, true, NULL, "value-format"},
};

/* One after the other in the same run: what was made of a time once is given again, and what there was to say of it is said again. */
static void check_row(size_t i, const struct fp_program *program, const struct fp_run *run, struct str *result) {
  struct fp_list out = {0};
  assert_int_equal(fhirpath_eval(program, run, (struct fp_list){0}, &out), STATUS_OK);
  assert_int_equal(out.count, rows[i].result != NULL);
  if (out.count) assert_true(fhirpath_text(&out.items[0], run->arena, result));
  if (rows[i].result && !str_is(*result, rows[i].result)) fail_msg("%s: %.*s", rows[i].text, STR_ARG(*result));
}

static void test_rows(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct arena *arena = arena_new(1 << 20);
    struct diag_list diags;
    const struct datetime_zone *zone = NULL;
    diag_list_init(&diags, arena);
    if (rows[i].chicago)
      assert_int_equal(datetime_zone_read(host_system(), STR("America/Chicago"), arena, &zone), STATUS_OK);
    struct fp_place place = {.has_offset = rows[i].offset != NO_OFFSET, .offset = rows[i].offset, .zone = zone};
    struct str text = arena_printf(arena, "'%s'.fromDtm()", rows[i].text), result = {0};
    struct source source = source_make(STR("test"), text);
    struct fp_compile compile = {.source = &source, .to = text.len};
    struct fp_program *program;
    struct fp_known_time known = {0};
    assert_int_equal(fhirpath_compile(&compile, arena, &diags, &program, NULL), STATUS_OK);
    struct fp_run run = {.host = host_system(), .arena = arena, .diags = &diags, .place = &place, .known_time = &known};
    check_row(i, program, &run, &result);
    const char *first = result.ptr;
    check_row(i, program, &run, &result);
    if (!rows[i].warning) assert_ptr_equal(result.ptr, first);
    assert_int_equal(diags.count, rows[i].warning ? 2 : 0);
    if (rows[i].warning) assert_string_equal(diag_code_name(diags.first->code), rows[i].warning);
    if (rows[i].warning) assert_int_equal(diags.first->severity, DIAG_WARNING);
    arena_free(arena);
  }
}

/* The message was sent in winter, by clocks of the zone: what it tells of summer is of summer's clocks; where they have no one answer
   the message's offset is taken. */
static void test_zone_of_message(void **state) {
  (void)state;
  static const struct {
    const char *text, *result;
  } told[] = {{"20261020100000", "2026-10-20T10:00:00-05:00"},
              {"20261105100000", "2026-11-05T10:00:00-06:00"},
              {"20261101013000", "2026-11-01T01:30:00-06:00"},
              {"20261020100000-0700", "2026-10-20T10:00:00-07:00"}};
  struct arena *arena = arena_new(1 << 20);
  struct diag_list diags;
  struct fp_place place = {.has_offset = true, .offset = -360, .in_zone = true};
  diag_list_init(&diags, arena);
  assert_int_equal(datetime_zone_read(host_system(), STR("America/Chicago"), arena, &place.zone), STATUS_OK);
  for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
    struct str text = arena_printf(arena, "'%s'.fromDtm()", told[i].text), result = {0};
    struct source source = source_make(STR("test"), text);
    struct fp_compile compile = {.source = &source, .to = text.len};
    struct fp_program *program;
    struct fp_list out = {0};
    struct fp_run run = {.host = host_system(), .arena = arena, .diags = &diags, .place = &place};
    assert_int_equal(fhirpath_compile(&compile, arena, &diags, &program, NULL), STATUS_OK);
    assert_int_equal(fhirpath_eval(program, &run, (struct fp_list){0}, &out), STATUS_OK);
    assert_true(out.count == 1 && fhirpath_text(&out.items[0], arena, &result));
    if (!str_is(result, told[i].result)) fail_msg("%s: %.*s", told[i].text, STR_ARG(result));
  }
  assert_int_equal(diags.count, 0);
  arena_free(arena);
}

/* Without a place at all: as if nothing was known. */
static void test_no_place(void **state) {
  (void)state;
  struct datetime time;
  assert_true(fhirpath_dtm(STR("20260311090230-0500"), &time));
  assert_int_equal(time.offset, -300);
  assert_int_equal(time.precision, DATETIME_SECOND);
  assert_false(fhirpath_dtm(STR(""), &time));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_zone_of_message),
                                     cmocka_unit_test(test_no_place)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
