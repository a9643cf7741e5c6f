/* alert.c - on edges the configured program is run: ALERT STATE WHAT [WHY], without a shell, without this process
 * waiting. */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include "relay/internal.h"

/* Nothing of this process's environment but where programs are found. */
static char *const environment[] = {(char[]){"PATH=/usr/local/bin:/usr/bin:/bin"}, NULL};

static int spawn(char *const arguments[]) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, usual;
  pid_t pid = 0;
  if (posix_spawn_file_actions_init(&actions) != 0) return -1;
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3); /* libcurl opens connections without close-on-exec */
  posix_spawnattr_init(&attributes);
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  /* signals that are ignored here would be there too: it could not tell how its own children ended */
  sigemptyset(&usual);
  sigaddset(&usual, SIGCHLD);
  sigaddset(&usual, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  int failed = posix_spawn(&pid, arguments[0], &actions, &attributes, arguments, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return failed; /* SIGCHLD is ignored: the child is reaped by the kernel */
}

void relay_alert(struct relay *relay, const char *state, struct str what) {
  relay_alert_why(relay, state, what, STR(""));
}

static void log_alert(const struct relay *relay, const char *state, struct str what, struct str why) {
  if (why.len)
    RELAY_LOG(relay, RELAY_WARNING, "alert", RELAY_TEXT("state", str_of(state)), RELAY_TEXT("what", what), RELAY_TEXT("why", why));
  else
    RELAY_LOG(relay, RELAY_WARNING, "alert", RELAY_TEXT("state", str_of(state)), RELAY_TEXT("what", what));
}

void relay_alert_why(struct relay *relay, const char *state, struct str what, struct str why) {
  char word[64], subject[RELAY_NAME_MAX + 1] = "", cause[64];
  log_alert(relay, state, what, why);
  relay_webhook_tell(relay->webhook, state, what, why);
  if (!relay->config->alert.len) return;
  snprintf(word, sizeof word, "%s", state);
  snprintf(subject, sizeof subject, "%.*s", STR_ARG(what));
  snprintf(cause, sizeof cause, "%.*s", STR_ARG(why));
  struct str path = relay->config->alert;
  char *program = malloc(path.len + 1);
  if (!program) return;
  memcpy(program, path.ptr, path.len);
  program[path.len] = 0;
  char *arguments[] = {program, word, subject, why.len ? cause : NULL, NULL};
  if (spawn(arguments) != 0)
    RELAY_LOG(relay, RELAY_ERROR, "alert-failed", RELAY_TEXT("state", str_of(state)));
  free(program);
}
