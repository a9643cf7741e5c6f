/*
 * sender.c - one destination: what is due is claimed, several at a time and never two of a lane, and
 * delivered, each on a fiber of its own (deliver.c).
 *
 * Two records may share resources: a clinic's organization, its staff. What the ledger knows to be there
 * unchanged is not sent again; what is sent is locked by its identity meanwhile (locks.c). When the destination is at fault, or
 * answers nobody, one record at a time is tried, and ever more rarely: the others wait in the store.
 */
#include <event2/event.h>
#include <stdlib.h>
#include "relay/job.h"

/* --- claiming --- */

/* The claim is durable: bytes may leave. */
static void begin_job(struct relay_job *job) {
  struct relay *relay = job->sender->relay;
  if (relay->closing)
    relay_job_give_back(job);
  else if (relay_fiber_start(relay->fibers, relay_deliver, job) != STATUS_OK)
    relay_job_settle(job, (struct relay_verdict){.state = OUTBOX_QUEUED, .trouble = RELAY_BUSY, .reason = STR("no-memory")});
}

/* What was parked at its turn has no attempt that tells of it. */
static void note_set_aside(struct relay_sender *sender, const struct outbox_claim *claim) {
  if (!claim->set_aside) return;
  sender->parked += claim->set_aside;
  RELAY_LOG(sender->relay, RELAY_ERROR, outbox_state_name(OUTBOX_PARKED), RELAY_TEXT("destination", sender->config->name),
            RELAY_NUMBER("record", claim->set_aside_id), RELAY_TEXT("reason", str_of(claim->set_aside_why)),
            RELAY_NUMBER("more", (int64_t)claim->set_aside - 1));
}

static void wake_in(struct relay_sender *sender, int64_t ms) {
  enum { LEAST_MS = 1, MOST_MS = 60000 /* clocks jump */ };
  (void)relay_wait_ms(sender->timer, ms < LEAST_MS ? LEAST_MS : ms > MOST_MS ? MOST_MS : ms);
}

static void note_looked(struct relay_sender *sender, enum status status) {
  static const struct relay_tries_words words = {"not-claimed", "destination", "claims-fail", "claims-work"};
  relay_note_try(sender->relay, &sender->claims, &words, sender->config->name, status);
}

/* By the thread that commits: until nothing more is due. */
static void make_claims(void *context, struct outbox *outbox) {
  struct relay_sender *sender = context;
  enum status status = STATUS_OK;
  for (struct relay_job *job = sender->listed; job && status == STATUS_OK; job = job->next_listed)
    status = job->claimed = outbox_claim(outbox, sender->config->name, relay_now(sender->relay), job->arena, &job->claim);
  sender->due = INT64_MAX;
  if (status == STATUS_NOT_FOUND) status = outbox_next_due(outbox, sender->config->name, &sender->due);
  if (status != STATUS_OK) sender->due = relay_now(sender->relay) + RELAY_STORE_RETRY_MS;
  sender->looked = status;
}

/* Of a group that was given up the records are as they were, and due. */
static void claims_kept(void *context, enum status status) {
  struct relay_sender *sender = context;
  struct relay_job *job = sender->listed;
  sender->listed = NULL;
  note_looked(sender, status == STATUS_OK ? sender->looked : status);
  if (status != STATUS_OK)
    wake_in(sender, RELAY_STORE_RETRY_MS);
  else if (sender->due != INT64_MAX)
    wake_in(sender, sender->due - relay_now(sender->relay));
  while (job) {
    struct relay_job *next = job->next_listed;
    if (status == STATUS_OK) note_set_aside(sender, &job->claim);
    if (status == STATUS_OK && job->claimed == STATUS_OK)
      begin_job(job);
    else
      relay_job_close(job);
    job = next;
  }
}

static size_t room(const struct relay_sender *sender) {
  size_t most = sender->health.trouble == RELAY_FINE ? (size_t)sender->config->in_flight : 1;
  size_t busy = sender->in_flight - sender->ending;
  return busy < most ? most - busy : 0;
}

/* Milliseconds until something may go to this destination. */
static int64_t too_early(const struct relay_sender *sender) {
  int64_t now = relay_elapsed(sender->relay), settling = sender->settled_at - now;
  int64_t probing = sender->health.trouble == RELAY_FINE ? 0 : sender->health.probe_at - now;
  return settling > probing ? settling : probing;
}

/* As many as may be claimed now, at most. */
static size_t most_claims(const struct relay_sender *sender) {
  size_t waiting = 0, left = relay_jobs_left(sender), most = room(sender);
  if (most > left) most = left;
  if (outbox_waiting(relay_store(sender->relay), sender->config->name, &waiting) != STATUS_OK) return most ? 1 : 0;
  waiting += sender->ending; /* they may end as waiting once more */
  return most < waiting ? most : waiting;
}

static void list_claims(struct relay_sender *sender, size_t count) {
  struct relay_job **end = &sender->listed;
  while (count-- && (*end = relay_job_open(sender)) != NULL)
    end = &(*end)->next_listed;
  if (!sender->listed) {
    note_looked(sender, STATUS_NOMEM);
    wake_in(sender, RELAY_STORE_RETRY_MS);
    return;
  }
  sender->claiming = (struct relay_promise){.make = make_claims, .kept = claims_kept, .context = sender};
  relay_promise(sender->relay, &sender->claiming);
}

void relay_sender_claim(struct relay_sender *sender) {
  if (sender->stopped || sender->relay->closing || sender->relay->fatal != STATUS_OK) return;
  int64_t early = too_early(sender);
  if (early > 0) {
    wake_in(sender, early);
    return;
  }
  /* without room the commit of the next that ends looks again */
  size_t count = most_claims(sender);
  if (count) list_claims(sender, count);
}

void relay_sender_probe(struct relay_sender *sender) {
  sender->health.probe_at = 0;
  relay_sender_claim(sender);
}

static void on_due(evutil_socket_t socket, short what, void *context) {
  const struct relay_sender *sender = context;
  (void)socket;
  (void)what;
  relay_kick(sender->relay);
}

/* --- the whole --- */

/* An earlier process died, or lost an answer: its request may still be under way within the server, with
   identities that any record of this destination may share. */
static enum status let_settle(struct relay_sender *sender) {
  struct outbox_stats stats = {0};
  enum status status = outbox_stats(relay_store(sender->relay), sender->config->name, &stats);
  if (status == STATUS_OK && stats.by_state[OUTBOX_UNKNOWN])
    sender->settled_at =
        relay_elapsed(sender->relay) + sender->relay->ways->ways[sender->index].destination.settle_ms;
  return status;
}

enum status relay_sender_open(struct relay *relay, size_t index, struct relay_sender **out) {
  struct relay_sender *sender = *out = calloc(1, sizeof *sender);
  if (!sender) return STATUS_NOMEM;
  *sender =
      (struct relay_sender){.relay = relay, .index = index, .config = &relay->config->destinations[index]};
  sender->timer = event_new(relay->base, -1, 0, on_due, sender);
  if (!sender->timer) return STATUS_NOMEM;
  return let_settle(sender);
}

void relay_sender_stop(struct relay_sender *sender) {
  sender->stopped = true;
}

size_t relay_sender_busy(const struct relay_sender *sender) {
  return sender->in_flight;
}

void relay_sender_close(struct relay_sender *sender) {
  if (!sender) return;
  if (sender->timer) event_free(sender->timer);
  relay_arenas_free(&sender->arenas);
  relay_arenas_free(&sender->places);
  free(sender);
}

const struct relay_health *relay_sender_health(const struct relay_sender *sender) {
  return &sender->health;
}

/* --- metrics --- */

static uint64_t delivered_of(const struct relay_sender *sender) {
  return sender->delivered;
}

static uint64_t failed_of(const struct relay_sender *sender) {
  return sender->failed;
}

static uint64_t parked_of(const struct relay_sender *sender) {
  return sender->parked;
}

static uint64_t left_out_of(const struct relay_sender *sender) {
  return sender->left_out;
}

static uint64_t sent_ms_of(const struct relay_sender *sender) {
  return sender->sent_ms;
}

static uint64_t in_flight_of(const struct relay_sender *sender) {
  return sender->in_flight;
}

static uint64_t trouble_of(const struct relay_sender *sender) {
  return (uint64_t)sender->health.trouble;
}

static const struct {
  const char *name, *type, *help;
  uint64_t (*of)(const struct relay_sender *sender);
} numbers[] = {
    {"delivered_total", "counter", "Records that were delivered since the start.", delivered_of},
    {"delivery_failures_total", "counter", "Attempts that failed and are made again, since the start.", failed_of},
    {"parked_total", "counter", "Records that were parked since the start.", parked_of},
    {"left_out_total", "counter", "Resources at servers that a later revision of their record no longer has, since the start.", left_out_of},
    {"delivery_milliseconds_total", "counter", "Time that attempts took, since the start.", sent_ms_of},
    {"in_flight", "gauge", "Records that are on their way.", in_flight_of},
    {"destination_trouble", "gauge", "0: none, 1: it is not available, 2: it is held.", trouble_of},
};

void relay_senders_metrics(const struct relay *relay, struct buf *out) {
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
    relay_metric_head(out, numbers[i].name, numbers[i].type, numbers[i].help);
    for (size_t k = 0; k < relay->config->destination_count; k++)
      if (relay->senders[k])
        buf_printf(out, "ketlink_%s{destination=\"%.*s\"} %llu\n", numbers[i].name, STR_ARG(relay->config->destinations[k].name),
                   (unsigned long long)numbers[i].of(relay->senders[k]));
  }
}
