/* test_log.c - one event is one line, whatever is in its values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "relay/internal.h"

/* What is written to stderr between the two. */
struct caught {
  int ends[2], kept;
};

static void catch (struct caught *caught) {
  caught->kept = dup(STDERR_FILENO);
  assert_int_equal(pipe(caught->ends), 0);
  assert_true(dup2(caught->ends[1], STDERR_FILENO) >= 0);
}

static struct str let_go(struct caught *caught, char *out, size_t room) {
  assert_true(dup2(caught->kept, STDERR_FILENO) >= 0);
  close(caught->ends[1]);
  close(caught->kept);
  ssize_t len = read(caught->ends[0], out, room);
  close(caught->ends[0]);
  return str_make(out, len > 0 ? (size_t)len : 0);
}

/* What its lines begin with. */
#define TIME "2026-03-02T10:00:00.007Z "

static int64_t now_ms = 1772445600007;

static int64_t stopped_clock(void *context) {
  (void)context;
  return now_ms;
}

static const struct host *stopped_host(void) {
  static struct host host;
  host = *host_system();
  host.now_ms = stopped_clock;
  return &host;
}

static struct str logged(bool json, const struct relay_field *fields, size_t count, char *out, size_t room) {
  struct relay_log log = {.host = stopped_host(), .json = json};
  struct caught caught;
  catch (&caught);
  relay_log(&log, RELAY_WARNING, "event", fields, count);
  return let_go(&caught, out, room);
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
      if (!json) assert_true(str_starts(text, STR(TIME "event what=")));
    }
}

static void plain_values_are_plain(void **state) {
  struct relay_field fields[] = {RELAY_TEXT("destination", STR("hospital")), RELAY_NUMBER("record", 17)};
  char room[8192];
  (void)state;
  assert_true(str_is(logged(false, fields, 2, room, sizeof room), TIME "event destination=hospital record=17\n"));
  struct str json = logged(true, fields, 2, room, sizeof room);
  assert_true(str_ends(
      json, STR("\"level\":\"warning\",\"event\":\"event\",\"destination\":\"hospital\",\"record\":17}\n")));
  struct relay_field numbers[] = {RELAY_NUMBER("a", 0), RELAY_NUMBER("b", -1), RELAY_NUMBER("c", INT64_MAX),
                                  RELAY_NUMBER("d", INT64_MIN)};
  assert_true(str_is(logged(false, numbers, 4, room, sizeof room),
                     TIME "event a=0 b=-1 c=9223372036854775807 d=-9223372036854775808\n"));
}

/* One message can have a thousand findings: the log keeps its measure, and says how many there were. */
static void many_findings_are_few_lines(void **state) {
  enum { MANY = 400 };
  static char room[65536];
  struct relay_log log = {.host = stopped_host()};
  struct arena *arena = arena_new(4 << 20);
  struct diag_list diags;
  struct caught caught;
  (void)state;
  diag_list_init(&diags, arena);
  for (int i = 0; i < MANY; i++)
    diag_information(&diags, DIAG_UNREAD_VALUE, NULL, "x");
  diag_warning(&diags, DIAG_UNMAPPED_CODE, NULL, "x");
  catch (&caught);
  relay_log_diags(&log, "event", &diags);
  struct str text = let_go(&caught, room, sizeof room);
  assert_int_equal(lines(text), 2);
  assert_true(str_find(text, STR("code=unread-value count=400\n"), 0) != SIZE_MAX);
  assert_true(str_ends(text, STR("code=unmapped-code\n")));
  assert_true(str_find(text, STR("file="), 0) == SIZE_MAX); /* a name may be a patient's */
  for (int i = 0; i < MANY; i++)
    diag_error(&diags, DIAG_UNMAPPED_CODE, NULL, "x");
  catch (&caught);
  relay_log_diags(&log, "event", &diags);
  text = let_go(&caught, room, sizeof room);
  assert_int_equal(lines(text), 51);
  assert_true(str_ends(text, STR(TIME "event more=352\n")));
  arena_free(arena);
}

/* Of its own files the names are told. */
static void faults_have_their_file(void **state) {
  static char room[4096];
  struct relay_log log = {.host = stopped_host()};
  struct arena *arena = arena_new(1 << 20);
  struct source source = source_make(STR("maps/a.fml"), STR("x\ny"));
  struct diag_at at = {.source = &source, .offset = 2};
  struct diag_list diags;
  struct caught caught;
  (void)state;
  diag_list_init(&diags, arena);
  diag_error(&diags, DIAG_CONFIG_INVALID, &at, "x");
  catch (&caught);
  relay_log_faults(&log, "event", &diags);
  assert_true(str_is(let_go(&caught, room, sizeof room), TIME "event code=config-invalid file=maps/a.fml line=2 column=1\n"));
  arena_free(arena);
}

/* A reader that hangs is waited for once; what he missed is told when he reads again. */
static void a_reader_that_hangs_is_left(void **state) {
  static char room[1 << 17];
  size_t lost = 0;
  struct relay_log log = {.host = stopped_host(), .lost = &lost};
  struct caught caught;
  (void)state;
  catch (&caught);
  assert_int_equal(fcntl(caught.ends[1], F_SETFL, O_NONBLOCK), 0);
  while (write(caught.ends[1], room, 4096) > 0)
    continue;
  assert_int_equal(fcntl(caught.ends[1], F_SETFL, 0), 0);
  int64_t begun = host_system()->monotonic_ns(NULL);
  for (int i = 0; i < 100; i++)
    relay_log(&log, RELAY_INFO, "event", NULL, 0);
  int64_t took_ms = (host_system()->monotonic_ns(NULL) - begun) / 1000000;
  assert_int_equal(lost, 100);
  assert_true(took_ms >= RELAY_LOG_WAIT_MS && took_ms < 10 * RELAY_LOG_WAIT_MS);
  assert_true(read(caught.ends[0], room, sizeof room) > 0);
  relay_log(&log, RELAY_INFO, "again", NULL, 0);
  assert_int_equal(lost, 0);
  struct str text = let_go(&caught, room, sizeof room);
  assert_true(str_ends(text, STR(TIME "log-lost lines=100\n" TIME "again\n")));
}

/* The log stands on a full disk from now on. */
static void fill_up(void) {
  int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  assert_true(dup2(full, STDERR_FILENO) >= 0);
  close(full);
}

/* On a full disk each line is lost, and counted once. */
static void lost_lines_are_counted_once(void **state) {
  size_t lost = 0;
  struct relay_log log = {.host = stopped_host(), .lost = &lost};
  char room[256];
  struct caught caught;
  (void)state;
  catch (&caught);
  fill_up();
  for (int i = 0; i < 3; i++)
    relay_log(&log, RELAY_INFO, "event", NULL, 0);
  assert_int_equal(lost, 3);
  assert_true(dup2(caught.ends[1], STDERR_FILENO) >= 0);
  relay_log(&log, RELAY_INFO, "again", NULL, 0);
  assert_true(str_is(let_go(&caught, room, sizeof room), TIME "log-lost lines=3\n" TIME "again\n"));
}

/* What tells of no trouble goes with others; what does, at once and behind what came before it. */
static void lines_are_gathered_until_one_tells_of_trouble(void **state) {
  static char room[1 << 14];
  static struct relay_log_lines gathered;
  enum { MANY = 200 };
  size_t lost = 0;
  struct relay_log log = {.host = stopped_host(), .lost = &lost, .gathered = &gathered};
  struct caught caught;
  (void)state;
  catch (&caught);
  relay_log(&log, RELAY_INFO, "first", NULL, 0);
  relay_log(&log, RELAY_INFO, "second", NULL, 0);
  assert_int_equal(gathered.count, 2);
  relay_log(&log, RELAY_WARNING, "third", NULL, 0);
  assert_int_equal(gathered.count, 0);
  assert_true(str_is(let_go(&caught, room, sizeof room), TIME "first\n" TIME "second\n" TIME "third\n"));
  catch (&caught);
  for (int i = 0; i < MANY; i++)
    relay_log(&log, RELAY_INFO, "event", NULL, 0);
  assert_in_range(gathered.count, 1, MANY - 1); /* there was no room for all */
  relay_log_flush(&log);
  relay_log_flush(&log);
  assert_int_equal(lines(let_go(&caught, room, sizeof room)), MANY);
  assert_int_equal(lost, 0);
}

/* All that were gathered are lost with the one call. */
static void gathered_lines_that_are_lost_are_counted(void **state) {
  static struct relay_log_lines gathered;
  size_t lost = 0;
  struct relay_log log = {.host = stopped_host(), .lost = &lost, .gathered = &gathered};
  char room[256];
  struct caught caught;
  (void)state;
  catch (&caught);
  fill_up();
  for (int i = 0; i < 3; i++)
    relay_log(&log, RELAY_INFO, "event", NULL, 0);
  assert_int_equal(lost, 0);
  relay_log_flush(&log);
  assert_int_equal(lost, 3);
  assert_true(dup2(caught.ends[1], STDERR_FILENO) >= 0);
  relay_log(&log, RELAY_INFO, "again", NULL, 0);
  relay_log_flush(&log);
  assert_true(str_is(let_go(&caught, room, sizeof room), TIME "log-lost lines=3\n" TIME "again\n"));
}

/* A time that no calendar of four digits has is left out. */
static void times_are_of_the_clock(void **state) {
  static const struct {
    int64_t now;
    const char *line;
  } cases[] = {{0, "1970-01-01T00:00:00.000Z event\n"},
               {951782399999, "2000-02-28T23:59:59.999Z event\n"},
               {951782400000, "2000-02-29T00:00:00.000Z event\n"},
               {253402300799999, "9999-12-31T23:59:59.999Z event\n"},
               {253402300800000, "event\n"},
               {-1, "event\n"},
               {INT64_MAX, "event\n"}};
  char room[256];
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    int64_t before = now_ms;
    now_ms = cases[i].now;
    assert_true(str_is(logged(false, NULL, 0, room, sizeof room), cases[i].line));
    now_ms = before;
  }
}

/* Only where stderr is the stream that the environment tells of. */
static void the_journal_has_the_time(void **state) {
  struct relay_log log = {.host = stopped_host()};
  struct caught caught;
  struct stat info;
  char stream[64], room[256];
  (void)state;
  for (int case_of = 0; case_of < 4; case_of++) {
    catch (&caught);
    assert_int_equal(fstat(STDERR_FILENO, &info), 0);
    unsigned long long device = info.st_dev + (case_of == 1), inode = info.st_ino + (case_of == 2);
    snprintf(stream, sizeof stream, "%llu:%llu", device, inode);
    if (case_of < 3)
      setenv("JOURNAL_STREAM", stream, 1);
    else
      unsetenv("JOURNAL_STREAM");
    log.journal = relay_log_is_journal();
    relay_log(&log, RELAY_WARNING, "event", NULL, 0);
    assert_true(str_is(let_go(&caught, room, sizeof room), case_of == 0 ? "<4>event\n" : TIME "event\n"));
  }
}

int main(void) {
  unsetenv("JOURNAL_STREAM");
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hostile_values_stay_in_their_line),
      cmocka_unit_test(plain_values_are_plain),
      cmocka_unit_test(times_are_of_the_clock),
      cmocka_unit_test(the_journal_has_the_time),
      cmocka_unit_test(many_findings_are_few_lines), cmocka_unit_test(faults_have_their_file),
      cmocka_unit_test(a_reader_that_hangs_is_left),
      cmocka_unit_test(lost_lines_are_counted_once),
      cmocka_unit_test(lines_are_gathered_until_one_tells_of_trouble),
      cmocka_unit_test(gathered_lines_that_are_lost_are_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
