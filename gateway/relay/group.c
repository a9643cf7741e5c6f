/* group.c - what changed in one turn of the event loop becomes durable together: one fsync, however many
   records came in and were settled meanwhile. While each turn brings more, up to GROUP_MS, it is one group: what
   is ready already shares the fsync and the pages that are written. Who was promised something hears of it
   afterwards, and only then. */
#include <event2/event.h>
#include "relay/internal.h"

static void keep(struct relay *relay, enum status status) {
  struct relay_promise *promise = relay->promised;
  relay->promised = NULL;
  relay->promised_end = &relay->promised;
  while (promise) {
    struct relay_promise *next = promise->next; /* the promise may be gone after it was kept */
    promise->kept(promise->context, status);
    promise = next;
  }
}

/* What came in, and what takes the place of what has ended, is claimed in the same group: one sync, not two. */
static void claim(struct relay *relay) {
  bool due = relay->accepted || relay->settled || relay->decided;
  relay->accepted = false;
  if (due) relay_kick(relay);
}

/* A disk that failed is not asked again: the process ends, and nobody is told that his record is kept. */
static void commit(struct relay *relay) {
  bool settled = relay->settled || relay->decided;
  claim(relay);
  enum status status = outbox_commit(relay->outbox);
  if (status == STATUS_IO) {
    relay->fatal = status;
    RELAY_LOG(relay, RELAY_ERROR, "store-failed",
              RELAY_TEXT("what", STR("the store cannot be written: stopping")));
    event_base_loopbreak(relay->base);
    return;
  }
  relay->settled = false;
  keep(relay, status);
  for (size_t i = 0; settled && status == STATUS_OK && i < RELAY_MLLP_MAX; i++)
    relay_listener_look(relay->listeners[i]);
}

/* The group has grown in this turn, and is young: one more, without waiting for anything that is not ready. */
static bool goes_on(struct relay *relay) {
  enum { GROUP_MS = 2 };
  static const struct timeval at_once = {0};
  bool grew = relay->group.touched;
  int64_t now = relay->host->monotonic_ns(relay->host->context);
  relay->group.touched = false;
  if (!relay->group.since) relay->group.since = now;
  if (grew && now - relay->group.since < GROUP_MS * INT64_C(1000000) && event_add(relay->commit, &at_once) == 0)
    return true;
  relay->group.since = 0;
  return false;
}

static void on_commit(evutil_socket_t socket, short what, void *context) {
  (void)socket;
  (void)what;
  if (!goes_on(context)) commit(context);
}

void relay_group_touch(struct relay *relay) {
  relay->group.touched = true;
  event_active(relay->commit, EV_TIMEOUT, 0);
}

void relay_promise(struct relay *relay, struct relay_promise *promise) {
  promise->next = NULL;
  *relay->promised_end = promise;
  relay->promised_end = &promise->next;
  relay_group_touch(relay);
}

enum status relay_group_open(struct relay *relay) {
  relay->promised_end = &relay->promised;
  relay->commit = event_new(relay->base, -1, 0, on_commit, relay);
  if (!relay->commit) return STATUS_NOMEM;
  /* after all that is ready in this turn */
  return event_priority_set(relay->commit, event_base_get_npriorities(relay->base) - 1) == 0 ? STATUS_OK
                                                                                             : STATUS_IO;
}

void relay_group_end(struct relay *relay) {
  if (relay->promised || outbox_in_group(relay->outbox)) commit(relay);
}

void relay_group_close(struct relay *relay) {
  while ((relay->promised || outbox_in_group(relay->outbox)) && relay->fatal == STATUS_OK)
    commit(relay);
  if (relay->commit) event_free(relay->commit);
  relay->commit = NULL;
}
