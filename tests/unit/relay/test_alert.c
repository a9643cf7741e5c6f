/* test_alert.c - a program that is told of an alert and does not end: it has a minute, by a clock that the test sets on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "relay/internal.h"

/* libevent's clock too: so far it is ahead. */
static time_t ahead_seconds;

int clock_gettime(clockid_t clock, struct timespec *out) {
  int failed = (int)syscall(SYS_clock_gettime, clock, out);
  if (!failed) out->tv_sec += ahead_seconds;
  return failed;
}

struct bench {
  char folder[64], program[80], told[80];
  struct relay_config config;
  struct relay relay;
  FILE *log;
  int kept; /* stderr */
};

/* It has a child, and says its number; neither heeds a SIGTERM. */
static const char lasting[] = "#!/bin/sh\ntrap '' TERM\nsleep 1000 &\necho $! > \"$0.new\"\nmv \"$0.new\" \"$0.told\"\nwait\nsleep 1000\n";

static void open_bench(struct bench *bench, const char *script) {
  *bench = (struct bench){.folder = "/tmp/ketlink-alert-XXXXXX"};
  assert_non_null(mkdtemp(bench->folder));
  snprintf(bench->program, sizeof bench->program, "%s/alert", bench->folder);
  snprintf(bench->told, sizeof bench->told, "%s/alert.told", bench->folder);
  FILE *file = fopen(bench->program, "w");
  assert_true(file && fputs(script, file) >= 0);
  fclose(file);
  assert_int_equal(chmod(bench->program, 0700), 0);
  bench->config = (struct relay_config){.alert = str_of(bench->program)};
  bench->relay = (struct relay){.host = host_system(), .config = &bench->config, .log = {.host = host_system()}};
  bench->relay.base = event_base_new();
  bench->log = tmpfile();
  bench->kept = dup(STDERR_FILENO);
  assert_true(bench->log && dup2(fileno(bench->log), STDERR_FILENO) >= 0);
}

/* What was logged. */
static void close_bench(struct bench *bench, char *out, size_t room) {
  assert_true(dup2(bench->kept, STDERR_FILENO) >= 0);
  close(bench->kept);
  rewind(bench->log);
  out[fread(out, 1, room - 1, bench->log)] = 0;
  fclose(bench->log);
  relay_programs_close(&bench->relay);
  event_base_free(bench->relay.base);
  (void)unlink(bench->told);
  (void)unlink(bench->program);
  (void)rmdir(bench->folder);
}

static void turn(struct bench *bench) {
  static const struct timespec moment = {.tv_nsec = 5000000};
  assert_true(event_base_loop(bench->relay.base, EVLOOP_NONBLOCK) >= 0);
  nanosleep(&moment, NULL);
}

static bool has_ended(struct bench *bench) {
  for (int turns = 0; turns < 1000 && bench->relay.programs; turns++)
    turn(bench);
  return !bench->relay.programs;
}

static pid_t child_of(struct bench *bench) {
  int number = 0;
  for (int turns = 0; turns < 2000 && access(bench->told, F_OK) != 0; turns++)
    turn(bench);
  FILE *file = fopen(bench->told, "r");
  assert_true(file && fscanf(file, "%d", &number) == 1);
  fclose(file);
  return (pid_t)number;
}

/* Whether it runs: who is to reap it may take his time. */
static bool lives(pid_t pid) {
  char path[32], state = 'X';
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  FILE *file = fopen(path, "r");
  if (!file) return false;
  if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1) state = 'X';
  fclose(file);
  return state != 'Z' && state != 'X';
}

static bool is_gone(struct bench *bench, pid_t pid) {
  for (int turns = 0; turns < 1000 && lives(pid); turns++)
    turn(bench);
  return !lives(pid);
}

static void one_that_lasts_is_ended_with_its_children(void **state) {
  struct bench bench;
  char said[4096];
  (void)state;
  open_bench(&bench, lasting);
  relay_alert(&bench.relay, "folder-gone", STR("drop"));
  pid_t child = child_of(&bench);
  ahead_seconds = 50;
  for (int turns = 0; turns < 20; turns++)
    turn(&bench);
  bool let_be = bench.relay.programs && lives(child);
  ahead_seconds = 61;
  bool ended = has_ended(&bench), gone = is_gone(&bench, child);
  (void)kill(child, SIGKILL); /* of a relay that does not */
  close_bench(&bench, said, sizeof said); /* and stderr is what it was */
  assert_true(let_be);
  assert_true(ended);
  assert_true(gone);
  assert_non_null(strstr(said, "alert state=folder-gone what=drop\n"));
  assert_non_null(strstr(said, "alert-failed state=folder-gone why=\"it took too long\" status=9\n"));
}

/* In time, however it ends: what it is told for. */
static void one_that_ends_is_heard(void **state) {
  static const struct {
    const char *script, *said; /* NULL: nothing */
  } cases[] = {{"#!/bin/sh\nexit 0\n", NULL},
               {"#!/bin/sh\nexit 3\n", "alert-failed state=folder-gone why=\"it failed\" status=3\n"},
               {"#!/bin/sh\nkill -9 $$\n", "alert-failed state=folder-gone why=\"it was ended\" status=9\n"},
               {"", "alert-failed state=folder-gone why=\"it cannot be run\" status=8\n"}}; /* ENOEXEC */
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct bench bench;
    char said[4096];
    open_bench(&bench, cases[i].script);
    relay_alert(&bench.relay, "folder-gone", STR("drop"));
    bool ended = has_ended(&bench);
    close_bench(&bench, said, sizeof said);
    assert_true(ended);
    assert_int_equal(strstr(said, "alert-failed") != NULL, cases[i].said != NULL);
    if (cases[i].said) assert_non_null(strstr(said, cases[i].said));
  }
}

/* Each would run for a minute, and its destination come and go meanwhile. */
static void there_is_a_cap_on_those_that_run(void **state) {
  (void)state;
  for (int count = RELAY_PROGRAMS_MAX - 1; count <= RELAY_PROGRAMS_MAX + 1; count++) {
    struct bench bench;
    static char said[1 << 16];
    open_bench(&bench, "#!/bin/sh\nexec sleep 1000\n");
    for (int i = 0; i < count; i++)
      relay_alert(&bench.relay, "folder-gone", STR("drop"));
    ahead_seconds += 61;
    bool ended = has_ended(&bench);
    relay_alert(&bench.relay, "folder-back", STR("drop"));
    bool runs = bench.relay.programs != NULL;
    ahead_seconds += 61;
    ended = has_ended(&bench) && ended;
    close_bench(&bench, said, sizeof said);
    assert_true(ended && runs);
    assert_int_equal(strstr(said, "alert-failed state=folder-gone why=\"too many of them run\"") != NULL, count > RELAY_PROGRAMS_MAX);
    assert_null(strstr(said, "alert-failed state=folder-back why=\"too many"));
  }
}

/* Of tries: o one that came to something, x one that did not. */
static void what_fails_twice_is_told(void **state) {
  static const struct relay_tries_words words = {"not-taken", "folder", "folder-fails", "folder-works"};
  static const struct {
    const char *tries, *said; /* in their order, by the first letter: the line, and the two alerts */
  } cases[] = {{"ooo", ""}, {"xo", "n"}, {"xoxo", "nn"}, {"xx", "nf"}, {"xxxxx", "nf"}, {"xxxo", "nfw"}, {"xxoxoxxo", "nfwnnfw"}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct bench bench;
    struct relay_tries tries = {0};
    char said[4096], letters[16] = "";
    size_t count = 0;
    open_bench(&bench, "#!/bin/sh\n");
    bench.config.alert = (struct str){0};
    for (const char *at = cases[i].tries; *at; at++)
      relay_note_try(&bench.relay, &tries, &words, STR("drop"), *at == 'o' ? STATUS_OK : STATUS_NOMEM);
    close_bench(&bench, said, sizeof said);
    for (const char *line = strtok(said, "\n"); line && count + 1 < sizeof letters; line = strtok(NULL, "\n"))
      letters[count++] = strstr(line, "not-taken folder=drop status=no-memory")         ? 'n'
                         : strstr(line, "alert state=folder-fails what=drop") ? 'f'
                         : strstr(line, "alert state=folder-works what=drop") ? 'w'
                                                                              : '?';
    assert_string_equal(letters, cases[i].said);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_that_lasts_is_ended_with_its_children),
      cmocka_unit_test(one_that_ends_is_heard),
      cmocka_unit_test(there_is_a_cap_on_those_that_run),
      cmocka_unit_test(what_fails_twice_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
