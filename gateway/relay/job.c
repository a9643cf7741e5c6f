/* job.c - the memory of jobs, and their ends. */
#include <event2/event.h>
#include <stdlib.h>
#include "relay/job.h"

const struct relay_way *relay_job_way(const struct relay_job *job) {
  return &job->ways->ways[job->sender->index];
}

/* --- memory --- */

size_t relay_jobs_left(const struct relay_sender *sender) {
  size_t most = 2 * (size_t)sender->config->in_flight;
  return sender->in_flight < most ? most - sender->in_flight : 0;
}

/* Memory that was used a moment ago is near; what comes anew from the system is not. */
static struct arena *take_arena(struct relay_arenas *arenas, size_t cap) {
  return arenas->count ? arenas->idle[--arenas->count] : arena_new(cap);
}

/* NULL is allowed. Memory of a large record goes back to the system: that of 64 would be kept. */
static void give_arena_back(struct relay_arenas *arenas, struct arena *arena) {
  if (!arena) return;
  arena_reset(arena);
  if (arenas->count < RELAY_IDLE_ARENAS && arena_held(arena) <= RELAY_IDLE_BYTES)
    arenas->idle[arenas->count++] = arena;
  else
    arena_free(arena);
}

void relay_arenas_free(struct relay_arenas *arenas) {
  while (arenas->count)
    arena_free(arenas->idle[--arenas->count]);
}

static void link_job(struct relay_sender *sender, struct relay_job *job) {
  job->next = sender->jobs;
  if (job->next) job->next->before = job;
  sender->jobs = job;
  sender->in_flight++;
}

static void unlink_job(struct relay_sender *sender, struct relay_job *job) {
  if (job->next) job->next->before = job->before;
  if (job->before)
    job->before->next = job->next;
  else
    sender->jobs = job->next;
  sender->in_flight--;
}

void relay_job_close(struct relay_job *job) {
  struct relay_sender *sender = job->sender;
  unlink_job(sender, job);
  sender->ending -= job->ended;
  if (job->timer) event_free(job->timer);
  relay_ways_leave(job->ways);
  give_arena_back(&sender->arenas, job->arena);
  give_arena_back(&sender->places, job->places);
  free(job);
}

/* --- what the ledger is told --- */

/* What the server has now of the resource; false: nothing that is to be remembered. What was looked for and found to be the same is:
   an answer was lost, and the ledger still has what was there before, which a later record may say once more. */
static bool is_new_place(const struct relay_job *job, const struct exchange_job *exchange, size_t index) {
  const struct exchange_item *item = &exchange->items[index];
  if (job->unowned && job->unowned[index]) return true;
  bool has = item->state == EXCHANGE_STORED || (item->state == EXCHANGE_SAME && item->theirs);
  return has && exchange->known[index].location.len && item->kept != EXCHANGE_DISCARDED;
}

/* A server may call its versions anything: one that is too long for the ledger is done without. */
static struct str short_etag(struct str etag) {
  enum { ETAG_MAX = 128 };
  return etag.len <= ETAG_MAX ? etag : (struct str){0};
}

static bool keep_text(struct arena *arena, struct str *text) {
  if (text->len) *text = arena_str(arena, *text);
  return !text->len || text->ptr;
}

enum status relay_job_digest(struct relay_job *job, const struct exchange_job *exchange, size_t index, struct str *out) {
  enum status status = relay_left_out_digest(job, exchange, index, out);
  return status == STATUS_OK ? relay_deceased_digest(job, exchange, index, out) : status;
}

/* In memory of its own, and small: that of the conversation serves the next one, long before the end is durable. */
static enum status keep_place(struct relay_job *job, const struct exchange_job *exchange, size_t index) {
  const struct bundle_entry *entry = &exchange->plan.entries[index];
  struct outbox_placed *placed = &job->placed[job->placed_count];
  struct outbox_place *place = &placed->place;
  *placed = (struct outbox_placed){.key = entry->key, .identifier = entry->full_url};
  *place = (struct outbox_place){.location = exchange->known[index].location, .etag = short_etag(exchange->items[index].answer.version)};
  enum status status = relay_job_digest(job, exchange, index, &place->digest);
  if (status != STATUS_OK) return status;
  struct str *texts[] = {&placed->key, &placed->identifier, &place->location, &place->etag, &place->digest};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    if (!keep_text(job->places, texts[i])) return STATUS_NOMEM;
  job->placed_count++;
  return STATUS_OK;
}

struct arena *relay_job_places(struct relay_job *job) {
  if (!job->places) job->places = take_arena(&job->sender->places, LIMIT_ARENA_BYTES);
  return job->places;
}

enum status relay_job_remember(struct relay_job *job, const struct exchange_job *exchange) {
  enum status status = STATUS_OK;
  size_t count = 0;
  for (size_t i = 0; exchange->items && i < exchange->plan.entry_count; i++)
    count += is_new_place(job, exchange, i);
  if (!count) return STATUS_OK;
  struct arena *places = relay_job_places(job);
  job->placed = places ? ARENA_ARRAY(places, struct outbox_placed, count) : NULL;
  if (!job->placed) return STATUS_NOMEM;
  for (size_t i = 0; status == STATUS_OK && i < exchange->plan.entry_count; i++)
    if (is_new_place(job, exchange, i)) status = keep_place(job, exchange, i);
  return status;
}

/* --- trouble --- */

static const char *const troubles[] = {"destination-cleared", "destination-unavailable", "destination-held"};

static uint32_t random_of(const struct relay *relay) {
  uint32_t random = 0;
  (void)relay->host->random(relay->host->context, &random, sizeof random); /* without it: no jitter */
  return random;
}

/* The verdict may become another: trouble.h. */
static void note_trouble(const struct relay_job *job, struct relay_verdict *verdict, uint32_t random) {
  struct relay_sender *sender = job->sender;
  struct relay *relay = sender->relay;
  enum relay_trouble before = sender->health.trouble;
  struct relay_ended ended = {.record = job->claim.id,
                              .faults = job->claim.faults,
                              .retry_after_ms = job->last.retry_after_ms,
                              .random = random,
                              .now = relay_now(relay),
                              .elapsed = relay_elapsed(relay)};
  relay_health_note(&sender->health, sender->config, &ended, verdict);
  if (sender->health.trouble != before)
    relay_alert_why(relay, troubles[sender->health.trouble], sender->config->name,
                    sender->health.trouble == RELAY_FINE ? STR("") : sender->health.reason);
}

/* --- the end --- */

static void log_end(const struct relay_job *job, const struct relay_verdict *verdict) {
  struct relay *relay = job->sender->relay;
  enum relay_level level = verdict->state == OUTBOX_DONE     ? RELAY_INFO
                           : verdict->state == OUTBOX_PARKED ? RELAY_ERROR
                                                             : RELAY_WARNING;
  RELAY_LOG(
      relay, level, outbox_state_name(verdict->state), RELAY_TEXT("destination", job->sender->config->name),
      RELAY_NUMBER("record", job->claim.id), RELAY_TEXT("reason", verdict->reason),
      RELAY_NUMBER("attempt", job->claim.attempts + 1), RELAY_NUMBER("ms", relay_elapsed(relay) - job->began),
      /* in words: of the connection, the certificate, the token; nothing of an answer's body */
      RELAY_TEXT("why", verdict->trouble != RELAY_FINE && job->last.reason.ptr ? job->last.reason : STR("")));
}

static void count_end(struct relay_sender *sender, const struct relay_verdict *verdict, int64_t ms) {
  sender->delivered += verdict->state == OUTBOX_DONE;
  sender->parked += verdict->state == OUTBOX_PARKED;
  sender->failed += verdict->state == OUTBOX_QUEUED || verdict->state == OUTBOX_UNKNOWN;
  sender->sent_ms += (uint64_t)(ms > 0 ? ms : 0);
}

/* The end is durable. A full disk, or no memory: the store still has it as `sending`, and its lane waits; it is told again, with
   what the ledger is told, since nobody else ever would. */
static void settled(void *context, enum status status) {
  struct relay_job *job = context;
  struct relay_sender *sender = job->sender;
  if (status != STATUS_OK && sender->relay->fatal == STATUS_OK) {
    RELAY_LOG(sender->relay, RELAY_ERROR, "not-settled", RELAY_NUMBER("record", job->claim.id));
    if (++job->given_up > 1) relay_alert_edge(sender->relay, &sender->unsettled, true, "ends-fail", "ends-work", sender->config->name);
    (void)relay_wait_ms(job->timer, RELAY_STORE_RETRY_MS);
    return;
  }
  if (status == STATUS_OK) relay_alert_edge(sender->relay, &sender->unsettled, false, "ends-fail", "ends-work", sender->config->name);
  if (job->told != STATUS_OK)
    RELAY_LOG(sender->relay, RELAY_WARNING, "not-remembered", RELAY_NUMBER("record", job->claim.id));
  if (job->finished != STATUS_OK)
    RELAY_LOG(sender->relay, RELAY_ERROR, "not-settled", RELAY_NUMBER("record", job->claim.id),
              RELAY_TEXT("status", str_of(status_name(job->finished))));
  if (status == STATUS_OK) relay_left_out_tell(job);
  bool crowded = !relay_jobs_left(sender);
  relay_job_close(job);
  if (crowded) relay_kick(sender->relay); /* with the group of what ends next */
}

/* By the thread that commits. */
static void make_end(void *context, struct outbox *outbox) {
  struct relay_job *job = context;
  int64_t now = relay_now(job->sender->relay);
  job->told = relay_left_out_make(job, outbox, now);
  if (job->told == STATUS_OK && job->placed_count)
    job->told = outbox_ledger_put(outbox, job->sender->config->name, job->placed, job->placed_count, now);
  job->finished = outbox_finish(outbox, job->claim.id, &job->outcome, now);
}

static void settle_again(struct relay_job *job) {
  struct relay *relay = job->sender->relay;
  relay->settled = true;
  job->promise = (struct relay_promise){.make = make_end, .kept = settled, .context = job};
  relay_promise(relay, &job->promise);
}

/* The outcome has only words of the program, the places have memory of their own: both may wait long for their commit. */
static void end_now(struct relay_job *job) {
  job->lock_count = 0;
  job->ended = true;
  job->sender->ending++;
  give_arena_back(&job->sender->arenas, job->arena);
  job->arena = NULL;
  settle_again(job);
}

void relay_job_settle(struct relay_job *job, struct relay_verdict verdict) {
  struct relay_sender *sender = job->sender;
  struct relay *relay = sender->relay;
  int64_t now = relay_now(relay);
  uint32_t random = verdict.state == OUTBOX_DONE ? 0 : random_of(relay); /* what is over waits for nothing */
  note_trouble(job, &verdict, random);
  /* what a hold cost is no reason to wait longer when it is over */
  unsigned before = verdict.fault ? job->claim.faults : job->claim.attempts;
  int64_t wait = relay_back_off(sender->config, before, job->last.retry_after_ms, random);
  job->outcome = (struct outbox_outcome){.state = verdict.state,
                                         .next_at = now + wait,
                                         .reason = verdict.reason,
                                         .http_status = verdict.http_status,
                                         .took_ms = relay_elapsed(relay) - job->began,
                                         .fault = verdict.fault,
                                         .blocks = sender->config->blocks};
  count_end(sender, &verdict, job->outcome.took_ms);
  log_end(job, &verdict);
  relay_log_diags(&relay->log, "delivery-finding", &job->diags);
  end_now(job);
}

void relay_job_give_back(struct relay_job *job) {
  job->outcome = (struct outbox_outcome){.state = job->claim.unknown ? OUTBOX_UNKNOWN : OUTBOX_QUEUED,
                                         .next_at = relay_now(job->sender->relay),
                                         .reason = STR("stopping")};
  end_now(job);
}

/* --- the beginning --- */

static void on_timer(evutil_socket_t socket, short what, void *context) {
  struct relay_job *job = context;
  (void)socket;
  (void)what;
  if (job->ended)
    settle_again(job);
  else
    relay_fiber_resume(job->fiber);
}

void relay_job_wait(void *context, int64_t ms) {
  struct relay_job *job = context;
  if (relay_wait_ms(job->timer, ms)) relay_fiber_suspend(job->fiber);
}

struct relay_job *relay_job_open(struct relay_sender *sender) {
  struct relay_job *job = calloc(1, sizeof *job);
  if (!job) return NULL;
  job->sender = sender;
  job->ways = sender->relay->ways;
  job->ways->users++;
  job->began = relay_elapsed(sender->relay);
  job->last.retry_after_ms = -1;
  job->claimed = STATUS_NOT_FOUND;
  link_job(sender, job);
  job->arena = take_arena(&sender->arenas, (size_t)sender->config->memory_mib << 20);
  job->timer = event_new(sender->relay->base, -1, 0, on_timer, job);
  if (job->arena && job->timer) {
    diag_list_init(&job->diags, job->arena);
    return job;
  }
  relay_job_close(job);
  return NULL;
}
