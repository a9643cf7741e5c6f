/* committer.c - a group is made durable on a thread of its own, while the loop reads, maps and sends. */
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "relay/internal.h"

enum work { REST, WORK, SYNC, DONE };

struct relay_committer {
  struct outbox *outbox;
  void (*ended)(void *context);
  void *context;
  pthread_t thread;
  bool has_thread, has_lock;
  int bell; /* eventfd: the store is free; it is done */
  struct event *readable;
  pthread_mutex_t lock;
  pthread_cond_t turn; /* of either side: `work` is another */
  /* under the lock */
  enum work work;
  const struct relay_promise *promised;
  enum status status;
  bool closing;
};

/* --- the thread --- */

static void make(const struct relay_committer *committer) {
  for (const struct relay_promise *promise = committer->promised; promise; promise = promise->next)
    if (promise->make) promise->make(promise->context, committer->outbox);
}

static void tell(struct relay_committer *committer, enum work work, enum status status) {
  pthread_mutex_lock(&committer->lock);
  committer->status = status;
  committer->work = work;
  pthread_cond_broadcast(&committer->turn);
  (void)eventfd_write(committer->bell, 1); /* fails only when it has been rung 2^64 times */
  pthread_mutex_unlock(&committer->lock);
}

/* The disk is waited for when others have the store already. */
static void commit(struct relay_committer *committer) {
  make(committer);
  enum status status = outbox_write(committer->outbox);
  if (status == STATUS_OK) {
    tell(committer, SYNC, status);
    status = outbox_sync(committer->outbox);
  }
  tell(committer, DONE, status);
}

static void *run(void *context) {
  struct relay_committer *committer = context;
  pthread_mutex_lock(&committer->lock);
  for (;;) {
    while (committer->work != WORK && !committer->closing)
      pthread_cond_wait(&committer->turn, &committer->lock);
    if (committer->work != WORK) break;
    pthread_mutex_unlock(&committer->lock); /* which nobody needs meanwhile but to see that there is work */
    commit(committer);
    pthread_mutex_lock(&committer->lock);
  }
  pthread_mutex_unlock(&committer->lock);
  return NULL;
}

/* --- the loop --- */

void relay_committer_begin(struct relay_committer *committer, const struct relay_promise *promised) {
  pthread_mutex_lock(&committer->lock);
  committer->promised = promised;
  committer->work = WORK;
  pthread_cond_broadcast(&committer->turn);
  pthread_mutex_unlock(&committer->lock);
  if (!committer->has_thread) commit(committer);
}

/* Under the lock. */
static bool is_before(const struct relay_committer *committer, enum relay_committer_step step) {
  return committer->work == WORK || (step == RELAY_COMMITTER_DURABLE && committer->work == SYNC);
}

bool relay_committer_is_before(struct relay_committer *committer, enum relay_committer_step step) {
  pthread_mutex_lock(&committer->lock);
  bool is = is_before(committer, step);
  pthread_mutex_unlock(&committer->lock);
  return is;
}

void relay_committer_wait(struct relay_committer *committer, enum relay_committer_step step) {
  pthread_mutex_lock(&committer->lock);
  while (is_before(committer, step))
    pthread_cond_wait(&committer->turn, &committer->lock);
  pthread_mutex_unlock(&committer->lock);
}

bool relay_committer_result(struct relay_committer *committer, enum status *out) {
  pthread_mutex_lock(&committer->lock);
  bool done = committer->work == DONE;
  if (done) committer->work = REST;
  *out = committer->status;
  pthread_mutex_unlock(&committer->lock);
  return done;
}

static void on_done(evutil_socket_t bell, short what, void *context) {
  struct relay_committer *committer = context;
  eventfd_t rung;
  (void)what;
  (void)eventfd_read(bell, &rung);
  committer->ended(committer->context);
}

static enum status open_committer(struct relay_committer *committer, struct event_base *base) {
  committer->has_lock =
      pthread_mutex_init(&committer->lock, NULL) == 0 && pthread_cond_init(&committer->turn, NULL) == 0;
  committer->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (!committer->has_lock) return STATUS_NOMEM;
  if (committer->bell < 0) return STATUS_IO;
  committer->readable = event_new(base, committer->bell, EV_READ | EV_PERSIST, on_done, committer);
  if (!committer->readable || event_priority_set(committer->readable, 0) != 0 || event_add(committer->readable, NULL) != 0)
    return STATUS_NOMEM;
  committer->has_thread = pthread_create(&committer->thread, NULL, run, committer) == 0;
  return STATUS_OK;
}

enum status relay_committer_open(struct event_base *base, struct outbox *outbox, void (*ended)(void *context), void *context,
                                 struct relay_committer **out) {
  struct relay_committer *committer = *out = calloc(1, sizeof *committer);
  if (!committer) return STATUS_NOMEM;
  *committer = (struct relay_committer){.outbox = outbox, .ended = ended, .context = context, .bell = -1};
  return open_committer(committer, base);
}

static void stop_thread(struct relay_committer *committer) {
  if (!committer->has_thread) return;
  pthread_mutex_lock(&committer->lock);
  committer->closing = true;
  pthread_cond_broadcast(&committer->turn);
  pthread_mutex_unlock(&committer->lock);
  pthread_join(committer->thread, NULL);
}

void relay_committer_close(struct relay_committer *committer) {
  if (!committer) return;
  stop_thread(committer);
  if (committer->readable) event_free(committer->readable);
  if (committer->bell >= 0) close(committer->bell);
  if (committer->has_lock) {
    pthread_cond_destroy(&committer->turn);
    pthread_mutex_destroy(&committer->lock);
  }
  free(committer);
}
