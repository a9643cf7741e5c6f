/* test_zone.c - local times and their offsets, against Python's zoneinfo on the same files; broken files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/base.h"

static const struct {
  const char *zone, *local; /* without offset */
  enum datetime_local want;
  int offset; /* minutes */
} rows[] = {
    {"America/Chicago", "2026-03-07T09:30:00", DATETIME_LOCAL_ONE, -360},
    {"America/Chicago", "2026-03-08T01:59:59", DATETIME_LOCAL_ONE, -360},
    {"America/Chicago", "2026-03-08T02:00:00", DATETIME_LOCAL_NEVER, 0},
    {"America/Chicago", "2026-03-08T02:59:59", DATETIME_LOCAL_NEVER, 0},
    {"America/Chicago", "2026-03-08T03:00:00", DATETIME_LOCAL_ONE, -300},
    {"America/Chicago", "2026-11-01T00:59:59", DATETIME_LOCAL_ONE, -300},
    {"America/Chicago", "2026-11-01T01:00:00", DATETIME_LOCAL_TWICE, 0},
    {"America/Chicago", "2026-11-01T01:59:59", DATETIME_LOCAL_TWICE, 0},
    {"America/Chicago", "2026-11-01T02:00:00", DATETIME_LOCAL_ONE, -360},
    {"America/Chicago", "1999-07-01T12:00:00", DATETIME_LOCAL_ONE, -300},
    {"America/Chicago", "2079-07-01T12:00:00", DATETIME_LOCAL_ONE, -300}, /* by the rule at the file's end */
    {"America/Chicago", "2079-03-12T02:30:00", DATETIME_LOCAL_NEVER, 0},
    {"America/Chicago", "2079-12-24T12:00:00", DATETIME_LOCAL_ONE, -360},
    {"America/Phoenix", "2026-07-01T12:00:00", DATETIME_LOCAL_ONE, -420}, /* no summer time */
    {"Asia/Kolkata", "2026-07-01T12:00:00", DATETIME_LOCAL_ONE, 330},
    {"Australia/Lord_Howe", "2026-10-04T02:15:00", DATETIME_LOCAL_NEVER, 0}, /* half an hour */
    {"Australia/Sydney", "2079-01-01T12:00:00", DATETIME_LOCAL_ONE, 660},    /* summer across the year's end */
    {"Europe/Dublin", "2080-07-01T12:00:00", DATETIME_LOCAL_ONE, 60},        /* winter time is the saving one */
    {"Pacific/Apia", "2011-12-30T12:00:00", DATETIME_LOCAL_NEVER, 0},        /* a day that was skipped */
    {"America/New_York", "1883-01-01T12:00:00", DATETIME_LOCAL_NEVER, 0},    /* local mean time: no whole minutes */
    {"UTC", "2026-07-01T12:00:00", DATETIME_LOCAL_ONE, 0},
};

static void test_rows(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct arena *arena = arena_new(1 << 20);
    const struct datetime_zone *zone;
    struct datetime local;
    assert_int_equal(datetime_zone_read(host_system(), str_of(rows[i].zone), arena, &zone), STATUS_OK);
    assert_true(datetime_parse_literal(str_of(rows[i].local), DATETIME_DATETIME, &local));
    enum datetime_local got = datetime_zone_resolve(zone, &local);
    if (got != rows[i].want || (got == DATETIME_LOCAL_ONE && local.offset != rows[i].offset))
      fail_msg("%s %s: %d, %d", rows[i].zone, rows[i].local, (int)got, local.offset);
    assert_int_equal(local.has_offset, got == DATETIME_LOCAL_ONE);
    arena_free(arena);
  }
}

static void test_names(void **state) {
  static const char *const names[] = {"America/Chicgo", "", "../../etc/passwd", "/etc/passwd", "America/../UTC", "America//Chicago", "America/", "a\nb"};
  (void)state;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    struct arena *arena = arena_new(1 << 20);
    const struct datetime_zone *zone;
    if (datetime_zone_read(host_system(), str_of(names[i]), arena, &zone) == STATUS_OK) fail_msg("%s", names[i]);
    assert_null(zone);
    arena_free(arena);
  }
}

/* A file cut short anywhere is refused; one with any byte changed gives an answer or a refusal. */
static void test_broken(void **state) {
  struct arena *arena = arena_new(16 << 20);
  struct str content;
  const struct datetime_zone *zone;
  (void)state;
  assert_int_equal(host_system()->read_file(NULL, "/usr/share/zoneinfo/America/Chicago", 1 << 20, arena, &content), STATUS_OK);
  for (size_t len = 0; len < content.len; len++)
    assert_int_equal(datetime_zone_of(str_slice(content, 0, len), arena, &zone), STATUS_INVALID);
  for (size_t i = 0; i < content.len; i++) {
    struct str copy = arena_str(arena, content);
    struct datetime local = {.kind = DATETIME_DATETIME, .precision = DATETIME_SECOND, .year = 2030, .month = 7, .day = 1};
    if (!copy.ptr) break; /* enough of them */
    ((char *)(uintptr_t)copy.ptr)[i] ^= 0x55;
    if (datetime_zone_of(copy, arena, &zone) == STATUS_OK) (void)datetime_zone_resolve(zone, &local);
  }
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_names), cmocka_unit_test(test_broken)};
  if (access("/usr/share/zoneinfo/America/Chicago", R_OK) != 0) {
    printf("skipped: no time zone files (package tzdata)\n");
    return 77;
  }
  return cmocka_run_group_tests(tests, NULL, NULL);
}
