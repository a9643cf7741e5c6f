/* locks.c - what is on its way to a destination is on its way once: conditional requests of real servers race (reliability, finding 2). */
#include <stdlib.h>
#include "relay/job.h"

/* Any order, the same for all. */
static int in_order(const void *a, const void *b) {
  const struct relay_lock *one = a, *other = b;
  if (one->hash != other->hash) return one->hash < other->hash ? -1 : 1;
  return strcmp(one->name, other->name);
}

/* Both are in order: Bundles may have thousands of entries. */
static bool have_one_in_common(const struct relay_job *one, const struct relay_job *other) {
  for (size_t i = 0, k = 0; i < one->lock_count && k < other->lock_count;) {
    int order = in_order(&one->locks[i], &other->locks[k]);
    if (order == 0) return true;
    i += order < 0;
    k += order > 0;
  }
  return false;
}

/* Two destinations of one server write the same resources there. Each job's own: a reload may have led its destination elsewhere since. */
static bool share_server(const struct relay_job *one, const struct relay_job *other) {
  return one->sender == other->sender || str_eq(relay_job_way(one)->destination.base, relay_job_way(other)->destination.base);
}

static bool are_free_of(const struct relay_job *asking, const struct relay_sender *sender) {
  for (const struct relay_job *job = sender->jobs; job; job = job->next)
    if (job != asking && job->lock_count && !job->wants_locks && share_server(asking, job) && have_one_in_common(asking, job)) return false;
  return true;
}

static bool are_free(const struct relay_job *asking) {
  const struct relay *relay = asking->sender->relay;
  bool are = true;
  for (size_t i = 0; are && i < relay->config->destination_count; i++)
    if (relay->senders[i]) are = are_free_of(asking, relay->senders[i]);
  return are;
}

void relay_locks_want(struct relay_job *job, struct str full_url) {
  struct relay_lock *lock = &job->locks[job->lock_count++]; /* zeros */
  size_t len = full_url.len < sizeof lock->name ? full_url.len : sizeof lock->name - 1;
  memcpy(lock->name, full_url.ptr, len);
  lock->hash = str_hash(str_make(lock->name, len));
}

void relay_locks_take(struct relay_job *job) {
  if (job->lock_count > 1) qsort(job->locks, job->lock_count, sizeof *job->locks, in_order);
  if (are_free(job)) return;
  job->wants_locks = true;
  job->sender->want_locks++;
  relay_fiber_suspend(job->fiber);
}

/* One that ends may free several; each is asked again, since the first takes what it needs. */
static void wake_waiting_of(struct relay_sender *sender) {
  for (struct relay_job *job = sender->jobs; job && sender->want_locks;) {
    struct relay_job *next = job->next;
    if (job->wants_locks && are_free(job)) {
      job->wants_locks = false;
      sender->want_locks--;
      relay_fiber_resume(job->fiber);
      next = sender->jobs; /* the list may be another now */
    }
    job = next;
  }
}

void relay_locks_wake(const struct relay_sender *ended) {
  const struct relay *relay = ended->relay;
  for (size_t i = 0; i < relay->config->destination_count; i++)
    if (relay->senders[i]) wake_waiting_of(relay->senders[i]);
}
