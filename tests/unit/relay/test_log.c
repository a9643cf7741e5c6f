/* test_log.c - one event is one line, whatever is in its values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>
#include "relay/internal.h"

/* What relay_log writes to stderr. */
static struct str logged(bool json, const struct relay_field *fields, size_t count, char *out, size_t room) {
  struct relay_log log = {.host = host_system(), .json = json};
  int ends[2], kept = dup(STDERR_FILENO);
  assert_int_equal(pipe(ends), 0);
  assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
  relay_log(&log, RELAY_WARNING, "event", fields, count);
  assert_true(dup2(kept, STDERR_FILENO) >= 0);
  close(ends[1]);
  close(kept);
  ssize_t len = read(ends[0], out, room);
  close(ends[0]);
  return str_make(out, len > 0 ? (size_t)len : 0);
}

static size_t lines(struct str text) {
  size_t count = 0;
  for (size_t i = 0; i < text.len; i++)
    count += text.ptr[i] == '\n';
  return count;
}

static void hostile_values_stay_in_their_line(void **state) {
  static const char *const hostile[] = {"a\nerror x=1", "\r\n",         "\x1b[2J", "a b", "%s%n",
                                        "\"",           "\xe2\x80\xa8", "a=b",     ""};
  char room[8192];
  (void)state;
  for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++)
    for (int json = 0; json < 2; json++) {
      struct relay_field field = RELAY_TEXT("what", str_of(hostile[i]));
      struct str text = logged(json, &field, 1, room, sizeof room);
      assert_int_equal(lines(text), 1);
      assert_true(text.ptr[text.len - 1] == '\n');
      assert_null(memchr(text.ptr, '\x1b', text.len));
      if (!json) assert_true(str_starts(text, STR("event what=")));
    }
}

static void plain_values_are_plain(void **state) {
  struct relay_field fields[] = {RELAY_TEXT("destination", STR("hospital")), RELAY_NUMBER("record", 17)};
  char room[8192];
  (void)state;
  assert_true(str_is(logged(false, fields, 2, room, sizeof room), "event destination=hospital record=17\n"));
  struct str json = logged(true, fields, 2, room, sizeof room);
  assert_true(str_ends(
      json, STR("\"level\":\"warning\",\"event\":\"event\",\"destination\":\"hospital\",\"record\":17}\n")));
}

int main(void) {
  unsetenv("JOURNAL_STREAM");
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hostile_values_stay_in_their_line),
      cmocka_unit_test(plain_values_are_plain),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
