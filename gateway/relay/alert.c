/* alert.c - on edges the configured program is run: ALERT STATE WHAT [WHY], without a shell, without this process
 * waiting. One that fails, or takes too long, is told in the log. */
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "relay/internal.h"

enum { PROGRAM_SECONDS = 60 };

/* Nothing of this process's environment but where programs are found. */
static char *const environment[] = {(char[]){"PATH=/usr/local/bin:/usr/bin:/bin"}, NULL};

/* What it finds open. Without memory none of this is done, and it is not run: it would find our own. */
static int set_files(posix_spawn_file_actions_t *actions) {
  int failed = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
  if (!failed) failed = posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0);
  return failed ? failed : posix_spawn_file_actions_addclosefrom_np(actions, 3); /* libcurl opens connections without close-on-exec */
}

static int spawn(char *const arguments[], pid_t *pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, usual;
  if (posix_spawn_file_actions_init(&actions) != 0) return -1;
  int failed = set_files(&actions);
  posix_spawnattr_init(&attributes);
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  /* signals that are ignored here would be there too */
  sigemptyset(&usual);
  sigaddset(&usual, SIGPIPE);
  sigaddset(&usual, SIGIO);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  if (!failed) failed = posix_spawn(pid, arguments[0], &actions, &attributes, arguments, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return failed;
}

/* --- a program that was begun --- */

struct relay_program {
  struct relay_program *next;
  struct relay *relay;
  const char *state;
  pid_t pid;
  int ended; /* readable when it has */
  struct event *watch;
  bool late;
};

static void say_failed(const struct relay *relay, const char *state, const char *why, int64_t status) {
  RELAY_LOG(relay, RELAY_ERROR, "alert-failed", RELAY_TEXT("state", str_of(state)), RELAY_TEXT("why", str_of(why)),
            RELAY_NUMBER("status", status));
}

static void free_program(struct relay_program *program) {
  for (struct relay_program **at = &program->relay->programs; *at; at = &(*at)->next) {
    if (*at != program) continue;
    *at = program->next;
    break;
  }
  if (program->watch) event_free(program->watch);
  if (program->ended >= 0) (void)close(program->ended);
  free(program);
}

/* It ended, or it takes too long: then all of its group is ended, and its end comes. */
static void on_program(evutil_socket_t socket, short what, void *context) {
  struct relay_program *program = context;
  int status = 0;
  (void)socket;
  if (what & EV_TIMEOUT) {
    program->late = true;
    (void)kill(-program->pid, SIGKILL);
    (void)event_add(program->watch, NULL);
    return;
  }
  if (waitpid(program->pid, &status, 0) == program->pid && status != 0)
    say_failed(program->relay, program->state, program->late ? "it took too long" : WIFEXITED(status) ? "it failed" : "it was ended",
               WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
  free_program(program);
}

/* False: nobody would hear of its end. */
static bool watch_program(struct relay *relay, const char *state, pid_t pid) {
  static const struct timeval most = {.tv_sec = PROGRAM_SECONDS};
  struct relay_program *program = calloc(1, sizeof *program);
  if (!program) return false;
  *program = (struct relay_program){.next = relay->programs, .relay = relay, .state = state, .pid = pid, .ended = pidfd_open(pid, 0)};
  relay->programs = program;
  if (program->ended >= 0) program->watch = event_new(relay->base, program->ended, EV_READ, on_program, program);
  if (program->watch && event_add(program->watch, &most) == 0) return true;
  free_program(program);
  return false;
}

static size_t count_running(const struct relay *relay) {
  size_t count = 0;
  for (const struct relay_program *program = relay->programs; program; program = program->next)
    count++;
  return count;
}

void relay_programs_close(struct relay *relay) {
  while (relay->programs)
    free_program(relay->programs);
}

/* --- telling --- */

void relay_alert(struct relay *relay, const char *state, struct str what) {
  relay_alert_why(relay, state, what, STR(""));
}

void relay_alert_edge(struct relay *relay, bool *state, bool is, const char *begins, const char *ends, struct str what) {
  if (*state != is) relay_alert(relay, is ? begins : ends, what);
  *state = is;
}

void relay_note_try(struct relay *relay, struct relay_tries *tries, const struct relay_tries_words *words, struct str what,
                    enum status status) {
  enum { IN_A_ROW = 2 };
  if (status == STATUS_OK)
    tries->failures = 0;
  else if (tries->failures < IN_A_ROW && tries->failures++ == 0)
    RELAY_LOG(relay, RELAY_WARNING, words->event, RELAY_TEXT(words->field, what), RELAY_TEXT("status", str_of(status_name(status))));
  relay_alert_edge(relay, &tries->told, tries->failures == IN_A_ROW, words->fails, words->works, what);
}

void relay_alert_full(struct relay *relay, bool *full, const struct relay_accepted *accepted, struct str way) {
  bool is_full = accepted->status == STATUS_LIMIT;
  if (is_full || accepted->records > accepted->again) relay_alert_edge(relay, full, is_full, "store-full", "store-takes", way);
}

static void log_alert(const struct relay *relay, const char *state, struct str what, struct str why) {
  if (why.len)
    RELAY_LOG(relay, RELAY_WARNING, "alert", RELAY_TEXT("state", str_of(state)), RELAY_TEXT("what", what), RELAY_TEXT("why", why));
  else
    RELAY_LOG(relay, RELAY_WARNING, "alert", RELAY_TEXT("state", str_of(state)), RELAY_TEXT("what", what));
}

/* One that hangs has a minute: a destination that comes and goes meanwhile must not fill the machine with them. */
static void run_program(struct relay *relay, char *const arguments[], const char *state) {
  pid_t pid = 0;
  bool room = count_running(relay) < RELAY_PROGRAMS_MAX;
  int failed = room ? spawn(arguments, &pid) : 0;
  if (!room)
    say_failed(relay, state, "too many of them run", RELAY_PROGRAMS_MAX);
  else if (failed)
    say_failed(relay, state, "it cannot be run", failed);
  else if (!watch_program(relay, state, pid))
    (void)waitpid(pid, NULL, WNOHANG); /* what ends later is reaped when the relay ends */
}

void relay_alert_why(struct relay *relay, const char *state, struct str what, struct str why) {
  char word[64], subject[RELAY_NAME_MAX + 1] = "", cause[64];
  log_alert(relay, state, what, why);
  relay_webhook_tell(relay->webhook, state, what, why);
  if (!relay->config->alert.len) return;
  snprintf(word, sizeof word, "%s", state);
  snprintf(subject, sizeof subject, "%.*s", STR_ARG(what));
  snprintf(cause, sizeof cause, "%.*s", STR_ARG(why));
  /* exec takes what it does not change as if it did */
  run_program(relay, (char *[]){(char *)(uintptr_t)relay->config->alert.ptr, word, subject, why.len ? cause : NULL, NULL}, state);
}
