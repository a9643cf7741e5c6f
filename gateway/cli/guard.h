/*
 * guard.h - private to cli: what is removed when somebody ends the program (SIGINT, SIGTERM, SIGHUP) between its making and its
 * landing: patients' data does not lie about under a name that nobody looks for.
 *
 * A thread waits for the signals, which are blocked meanwhile in all others: begin it before other threads are made. It is for one
 * owner, and not for commands that wait for signals themselves.
 */
#ifndef KETLINK_CLI_GUARD_H
#define KETLINK_CLI_GUARD_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

/* What the program sends itself when it cannot go on: cleaned, then CLI_IO. Blocked in all threads while a guard stands. */
#define CLI_GUARD_GIVES_UP SIGUSR1

struct cli_guard {
  bool runs;
  pthread_t thread;
  pthread_mutex_t lock; /* while what is guarded changes its name, and for good once it is removed */
  sigset_t ends, before;
  void (*pipe_before)(int number); /* of SIGPIPE, which is for the thread that writes: who reads no more is told nothing more */
  void (*clean)(void *context); /* called with the lock */
  void *context;
};

/* Without memory for a thread nothing is guarded. `guard` stays where it is until the end. */
void cli_guard_begin(struct cli_guard *guard, void (*clean)(void *context), void *context);
void cli_guard_lock(struct cli_guard *guard);
void cli_guard_unlock(struct cli_guard *guard);
/* What is not begun may be ended. A signal that came too late does now what it does. */
void cli_guard_end(struct cli_guard *guard);

#endif
