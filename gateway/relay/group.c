/* group.c - what changed in one turn of the event loop becomes durable together: one fsync, however many
   records came in and were settled meanwhile. What came in is in the store before; ends and claims are only listed, as promises,
   and made by the thread that makes the group durable. Meanwhile the loop does what needs no store; what does need it waits until
   the group is written, and is the next group while the disk is waited for. Who was promised something hears of it when it is durable, and
   only then. */
#include <event2/event.h>
#include <sys/statvfs.h>
#include "relay/internal.h"

/* --- promises --- */

static void list_init(struct relay_promises *list) {
  *list = (struct relay_promises){.end = &list->first};
}

static void list_add(struct relay_promises *list, struct relay_promise *promise) {
  promise->next = NULL;
  *list->end = promise;
  list->end = &promise->next;
}

/* All of `from` behind nothing: `to` is empty. */
static void list_move(struct relay_promises *to, struct relay_promises *from) {
  list_init(to);
  if (!from->first) return;
  *to = *from;
  list_init(from);
}

static void keep(struct relay_promises *list, enum status status) {
  struct relay_promise *promise = list->first;
  list_init(list);
  while (promise) {
    struct relay_promise *next = promise->next; /* the promise may be gone after it was kept */
    promise->kept(promise->context, status);
    promise = next;
  }
}

/* --- the store --- */

bool relay_store_is_busy(const struct relay *relay) {
  return relay->group.under_way && relay_committer_is_before(relay->group.committer, RELAY_COMMITTER_WRITTEN);
}

struct outbox *relay_store(const struct relay *relay) {
  if (relay->group.under_way) relay_committer_wait(relay->group.committer, RELAY_COMMITTER_WRITTEN);
  return relay->outbox;
}

void relay_when_free(struct relay *relay, struct relay_promise *promise) {
  list_add(&relay->group.waiting, promise);
}

/* --- a group --- */

static bool is_wanted(const struct relay *relay) {
  return relay->group.committer && (relay->group.promised.first || outbox_in_group(relay->outbox));
}

/* Somebody else has filled it, also what is kept free for deliveries: no fault of the disk, and over when there is room. */
static bool is_without_room(const struct relay *relay) {
  struct statvfs disk;
  return statvfs(relay->config->state.ptr, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < (1 << 20);
}

void relay_store_failed(struct relay *relay) {
  relay->fatal = STATUS_IO;
  RELAY_LOG(relay, RELAY_ERROR, "store-failed", RELAY_TEXT("what", STR("the store cannot be written: stopping")),
            RELAY_TEXT("why", is_without_room(relay) ? STR("its disk is full") : STR("its disk failed")));
  event_base_loopbreak(relay->base);
}

/* What came in, and what takes the place of what has ended, is claimed in the same group: one sync, not two. */
static void claim(struct relay *relay) {
  bool due = relay->due || relay->settled || relay->decided;
  relay->due = false;
  if (due) relay_claim(relay);
}

static void begin(struct relay *relay) {
  relay->group.under_way = true;
  relay->group.settled = relay->settled || relay->decided;
  claim(relay);
  relay->settled = false;
  list_move(&relay->group.durable, &relay->group.promised);
  relay->group.to_make = 0;
  relay->group.since = 0;
  relay->group.begun_at = relay_elapsed(relay);
  relay_committer_begin(relay->group.committer, relay->group.durable.first);
}

/* So much is listed that the thread shall not wait until the loop has nothing else to do. */
static bool is_enough(const struct relay *relay) {
  enum { TO_MAKE = 16 };
  return relay->group.to_make >= TO_MAKE && !relay->group.under_way && relay->fatal == STATUS_OK;
}

/* The group is written, and not yet durable: nobody hears of it, but the store is free. */
static void free_store(struct relay *relay) {
  if (!relay_store_is_busy(relay)) keep(&relay->group.waiting, STATUS_OK);
}

static void end(struct relay *relay) {
  enum status status = STATUS_OK;
  if (!relay->group.under_way) return;
  if (!relay_committer_result(relay->group.committer, &status)) {
    free_store(relay);
    return;
  }
  if (status == STATUS_IO) {
    relay->group.under_way = false;
    relay_store_failed(relay);
    return;
  }
  /* before the promises, of which more may come that is not durable: what is told is what was settled until now */
  bool settled = relay->group.settled && status == STATUS_OK;
  relay->group.settled = false;
  for (size_t i = 0; settled && i < RELAY_MLLP_MAX; i++)
    relay_listener_look(relay->listeners[i]);
  keep(&relay->group.durable, status);
  keep(&relay->group.waiting, STATUS_OK);
  relay->group.under_way = false; /* not before: the next would take the store from those that wait for it */
  if (is_enough(relay))
    begin(relay);
  else if (is_wanted(relay) || relay->due || relay->settled || relay->decided)
    relay_group_touch(relay);
}

static void wait_for_end(struct relay *relay) {
  if (relay->group.under_way) relay_committer_wait(relay->group.committer, RELAY_COMMITTER_DURABLE);
  end(relay);
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

/* While one is under way the next waits for its end, which looks again. */
static void on_commit(evutil_socket_t socket, short what, void *context) {
  struct relay *relay = context;
  (void)socket;
  (void)what;
  if (!relay->group.under_way && relay->fatal == STATUS_OK && !goes_on(relay)) begin(relay);
}

static void on_end(void *context) {
  end(context);
}

void relay_group_touch(struct relay *relay) {
  relay->group.touched = true;
  event_active(relay->commit, EV_TIMEOUT, 0);
}

void relay_promise(struct relay *relay, struct relay_promise *promise) {
  list_add(&relay->group.promised, promise);
  relay->group.to_make += promise->make != NULL;
  if (is_enough(relay))
    begin(relay);
  else
    relay_group_touch(relay);
}

enum status relay_group_open(struct relay *relay) {
  list_init(&relay->group.promised);
  list_init(&relay->group.durable);
  list_init(&relay->group.waiting);
  relay->commit = event_new(relay->base, -1, 0, on_commit, relay);
  if (!relay->commit) return STATUS_NOMEM;
  /* after all that is ready in this turn */
  if (event_priority_set(relay->commit, event_base_get_npriorities(relay->base) - 1) != 0) return STATUS_IO;
  return relay_committer_open(relay->base, relay->outbox, on_end, relay, &relay->group.committer);
}

bool relay_group_is_open(const struct relay *relay) {
  return relay->group.under_way || is_wanted(relay);
}

int64_t relay_group_age(const struct relay *relay) {
  bool is_at_work = relay->group.under_way && relay_committer_is_before(relay->group.committer, RELAY_COMMITTER_DURABLE);
  return is_at_work ? relay_elapsed(relay) - relay->group.begun_at : 0;
}

void relay_group_end(struct relay *relay) {
  wait_for_end(relay);
  if (relay->fatal != STATUS_OK || !relay_group_is_open(relay)) return;
  if (!relay->group.under_way) begin(relay);
  wait_for_end(relay);
}

void relay_group_close(struct relay *relay) {
  while (relay_group_is_open(relay) && relay->fatal == STATUS_OK)
    relay_group_end(relay);
  relay_committer_close(relay->group.committer);
  relay->group.committer = NULL;
  relay->group.under_way = false;
  if (relay->commit) event_free(relay->commit);
  relay->commit = NULL;
}
