/* guard.c - a thread that waits for the end: see guard.h. */
#include <unistd.h>
#include "cli/cli.h"
#include "cli/guard.h"

/* Ends as the signal would have ended it, so that the shell knows. */
static void end_by(int number) {
  sigset_t only;
  if (number == CLI_GUARD_GIVES_UP) _exit(CLI_IO);
  sigemptyset(&only);
  sigaddset(&only, number);
  (void)signal(number, SIG_DFL);
  (void)pthread_sigmask(SIG_UNBLOCK, &only, NULL);
  (void)raise(number);
}

static void *wait_for_end(void *argument) {
  struct cli_guard *guard = argument;
  int number = 0;
  if (sigwait(&guard->ends, &number) != 0) return NULL;
  (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  (void)pthread_mutex_lock(&guard->lock);
  guard->clean(guard->context);
  end_by(number);
  return NULL;
}

/* nohup, and a shell that starts something in the background, have the signal ignored: waited for, it would come all the same. */
static void add_unless_ignored(sigset_t *set, int number) {
  struct sigaction now;
  if (sigaction(number, NULL, &now) != 0 || now.sa_handler != SIG_IGN) sigaddset(set, number);
}

void cli_guard_begin(struct cli_guard *guard, void (*clean)(void *context), void *context) {
  guard->clean = clean;
  guard->context = context;
  sigemptyset(&guard->ends);
  add_unless_ignored(&guard->ends, SIGINT);
  add_unless_ignored(&guard->ends, SIGTERM);
  add_unless_ignored(&guard->ends, SIGHUP);
  sigaddset(&guard->ends, CLI_GUARD_GIVES_UP);
  (void)pthread_mutex_init(&guard->lock, NULL);
  (void)pthread_sigmask(SIG_BLOCK, &guard->ends, &guard->before);
  guard->runs = pthread_create(&guard->thread, NULL, wait_for_end, guard) == 0;
  if (guard->runs)
    guard->pipe_before = signal(SIGPIPE, SIG_IGN);
  else
    (void)pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
}

void cli_guard_lock(struct cli_guard *guard) {
  if (guard->runs) (void)pthread_mutex_lock(&guard->lock);
}

void cli_guard_unlock(struct cli_guard *guard) {
  if (guard->runs) (void)pthread_mutex_unlock(&guard->lock);
}

void cli_guard_end(struct cli_guard *guard) {
  if (!guard->runs) return;
  (void)pthread_cancel(guard->thread);
  (void)pthread_join(guard->thread, NULL);
  (void)signal(SIGPIPE, guard->pipe_before);
  (void)pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
  guard->runs = false;
}
