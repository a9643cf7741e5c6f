/*
 * sender.c - one destination: what is due is claimed, several at a time and never two of a lane, and
 * delivered, each on a fiber of its own.
 *
 * Two records may share resources: a clinic's organization, its staff. What the ledger knows to be there
 * unchanged is not sent again; what is sent is locked by its identity meanwhile, also for other destinations of the
 * same server, since conditional requests of real servers race (reliability, finding 2). When the destination is at fault, or answers nobody, one
 * record at a time is tried, and ever more rarely: the others wait in the store.
 */
#include <event2/event.h>
#include <stdlib.h>
#include "delivery/token.h"
#include "exchange/exchange.h"
#include "relay/trouble.h"

enum { STORE_RETRY_MS = 1000, IDLE_ARENAS = 32 };

struct lock {
  uint64_t hash;            /* of the name: most that differ differ in it */
  char name[UUID_TEXT + 9]; /* full URL: urn:uuid:… */
};

struct job {
  struct job *next; /* of the sender's */
  struct relay_sender *sender;
  struct relay_ways *ways;
  struct arena *arena;
  struct diag_list diags;
  struct outbox_claim claim;
  struct str clinic, text; /* in its payload */
  struct relay_promise promise;
  struct relay_fiber *fiber;
  struct event *timer;
  struct delivery_answer last;    /* of the last request */
  struct delivery_answer *answer; /* where the one that is waited for goes */
  struct lock *locks;
  size_t lock_count;
  bool wants_locks;              /* suspended until they are free */
  bool wants_token;              /* suspended until a fetch ends */
  /* its claim */
  struct job *next_listed;
  enum status claimed;
  /* its end */
  struct outbox_outcome outcome;
  struct arena *places; /* what the ledger is told with it; NULL: nothing */
  struct outbox_placed *placed;
  size_t placed_count;
  enum status told, finished;
  bool ended;
  int64_t began; /* by relay_elapsed */
};

struct relay_sender {
  struct relay *relay;
  size_t index;
  const struct relay_destination_config *config;
  struct event *timer;
  struct job *jobs;
  struct arena *idle[IDLE_ARENAS]; /* of jobs that have ended, wiped */
  size_t idle_count;
  size_t in_flight, ending; /* ending: of them, those that have ended, but not yet durably */
  struct relay_promise claiming;
  struct job *listed; /* of the claims that are made in the next group, or in the one under way */
  int64_t due;        /* when the next one is, where no more could be claimed */
  struct relay_health health;
  int64_t settled_at; /* the server may be at work until then on what an earlier process sent */
  bool stopped;
  uint64_t delivered, failed, parked, sent_ms;
};

static const struct relay_way *way_of(const struct job *job) {
  return &job->ways->ways[job->sender->index];
}

/* --- waiting --- */

static void on_answer(void *context, const struct delivery_answer *answer) {
  struct job *job = context;
  *job->answer = *answer;
  relay_fiber_resume(job->fiber);
}

static enum status transfer(void *context, const struct delivery_request *request, struct arena *arena,
                            struct delivery_answer *answer) {
  struct job *job = context;
  job->answer = answer;
  enum status status = delivery_loop_send(job->sender->relay->loop, way_of(job)->client, request, arena,
                                          on_answer, job);
  if (status == STATUS_OK) relay_fiber_suspend(job->fiber);
  return status;
}

/* Another job of the destination fetches the token. */
static void join_token(void *context) {
  struct job *job = context;
  job->wants_token = true;
  relay_fiber_suspend(job->fiber);
}

/* Each goes on from the event loop, not from within the fiber that fetched. */
static void token_ended(void *context) {
  const struct job *ended = context;
  for (struct job *job = ended->sender->jobs; job; job = job->next) {
    if (!job->wants_token) continue;
    job->wants_token = false;
    event_active(job->timer, EV_TIMEOUT, 1);
  }
}

static enum status send_request(void *context, const struct delivery_request *request, struct arena *arena,
                                struct delivery_answer *answer) {
  struct job *job = context;
  struct delivery_channel channel = {
      .context = job, .send = transfer, .join = join_token, .ended = token_ended};
  enum status status = delivery_send_on(way_of(job)->client, &channel, request, arena, answer);
  if (status == STATUS_OK) job->last = *answer;
  return status;
}

static void settle_again(struct job *job);

static void on_timer(evutil_socket_t socket, short what, void *context) {
  struct job *job = context;
  (void)socket;
  (void)what;
  if (job->ended)
    settle_again(job);
  else
    relay_fiber_resume(job->fiber);
}

static void wait_for(void *context, int64_t ms) {
  struct job *job = context;
  struct timeval when = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
  if (event_add(job->timer, &when) == 0) relay_fiber_suspend(job->fiber);
}

/* --- locks --- */

/* Any order, the same for all. */
static int in_order(const void *a, const void *b) {
  const struct lock *one = a, *other = b;
  if (one->hash != other->hash) return one->hash < other->hash ? -1 : 1;
  return strcmp(one->name, other->name);
}

/* Both are in order: Bundles may have thousands of entries. */
static bool have_one_in_common(const struct job *one, const struct job *other) {
  for (size_t i = 0, k = 0; i < one->lock_count && k < other->lock_count;) {
    int order = in_order(&one->locks[i], &other->locks[k]);
    if (order == 0) return true;
    i += order < 0;
    k += order > 0;
  }
  return false;
}

/* Two destinations of one server write the same resources there. */
static bool share_server(const struct relay_sender *one, const struct relay_sender *other) {
  const struct relay_way *ways = one->relay->ways->ways;
  return one == other || str_eq(ways[one->index].destination.base, ways[other->index].destination.base);
}

static bool are_free_of(const struct job *asking, const struct relay_sender *sender) {
  for (const struct job *job = sender->jobs; job; job = job->next)
    if (job != asking && !job->wants_locks && have_one_in_common(asking, job)) return false;
  return true;
}

static bool are_free(const struct job *asking) {
  const struct relay *relay = asking->sender->relay;
  bool are = true;
  for (size_t i = 0; are && i < relay->config->destination_count; i++)
    if (relay->senders[i] && share_server(asking->sender, relay->senders[i])) are = are_free_of(asking, relay->senders[i]);
  return are;
}

/* One that ends may free several; each is asked again, since the first takes what it needs. */
static void wake_waiting_of(struct relay_sender *sender) {
  for (struct job *job = sender->jobs; job;) {
    struct job *next = job->next;
    if (job->wants_locks && are_free(job)) {
      job->wants_locks = false;
      relay_fiber_resume(job->fiber);
      next = sender->jobs; /* the list may be another now */
    }
    job = next;
  }
}

static void wake_waiting(const struct relay_sender *ended) {
  const struct relay *relay = ended->relay;
  for (size_t i = 0; i < relay->config->destination_count; i++)
    if (relay->senders[i] && share_server(ended, relay->senders[i])) wake_waiting_of(relay->senders[i]);
}

/* --- the ledger --- */

static void go_on(void *context, enum status status) {
  struct job *job = context;
  (void)status;
  relay_fiber_resume(job->fiber);
}

/* On the fiber: others go on meanwhile. */
static struct outbox *free_store(struct job *job) {
  struct relay *relay = job->sender->relay;
  if (relay_store_is_busy(relay)) {
    job->promise = (struct relay_promise){.kept = go_on, .context = job};
    relay_when_free(relay, &job->promise);
    relay_fiber_suspend(job->fiber);
  }
  return relay_store(relay);
}

/* Known there, unchanged or only mentioned: it need not go. */
static enum status look_up(struct job *job, struct exchange_job *exchange, size_t index, bool *known) {
  const struct bundle_entry *entry = &exchange->plan.entries[index];
  struct outbox_place place = {0};
  struct str digest = {0};
  *known = false;
  enum status status = outbox_ledger_get(relay_store(job->sender->relay), job->sender->config->name, entry->key,
                                         entry->full_url, job->arena, &place);
  if (status != STATUS_OK) return status == STATUS_NOT_FOUND || status == STATUS_INVALID ? STATUS_OK : status;
  if (!entry->mentioned) status = exchange_digest(exchange, index, &digest);
  if (status != STATUS_OK || (!entry->mentioned && !str_eq(place.digest, digest))) return status;
  *known = true;
  exchange->items[index].state = entry->mentioned ? EXCHANGE_REFERRED : EXCHANGE_SAME;
  exchange->known[index].location = place.location;
  return STATUS_OK;
}

static void want_lock(struct job *job, struct str full_url) {
  struct lock *lock = &job->locks[job->lock_count++]; /* zeros */
  size_t len = full_url.len < sizeof lock->name ? full_url.len : sizeof lock->name - 1;
  memcpy(lock->name, full_url.ptr, len);
  lock->hash = str_hash(str_make(lock->name, len));
}

static enum status planned(void *context, struct exchange_job *exchange) {
  struct job *job = context;
  enum status status = STATUS_OK;
  job->locks = ARENA_ARRAY(job->arena, struct lock, exchange->plan.entry_count + 1);
  if (!job->locks) return STATUS_NOMEM;
  if (!exchange->look_first) (void)free_store(job); /* from here to the locks nobody else comes between */
  for (size_t i = exchange->plan.lookup_count; status == STATUS_OK && i < exchange->plan.entry_count; i++) {
    bool known = false;
    if (!exchange->look_first) status = look_up(job, exchange, i, &known);
    if (status == STATUS_OK && !known) want_lock(job, exchange->plan.entries[i].full_url);
  }
  if (job->lock_count > 1) qsort(job->locks, job->lock_count, sizeof *job->locks, in_order);
  if (status != STATUS_OK || are_free(job)) return status;
  job->wants_locks = true;
  relay_fiber_suspend(job->fiber);
  return STATUS_OK;
}

/* What the server has now of the resource; false: nothing that is to be remembered. What was looked for and found to be the same is:
   an answer was lost, and the ledger still has what was there before, which a later record may say once more. */
static bool is_new_place(const struct exchange_job *exchange, size_t index) {
  const struct exchange_item *item = &exchange->items[index];
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

/* In memory of its own, and small: that of the conversation serves the next one, long before the end is durable. */
static enum status keep_place(struct job *job, const struct exchange_job *exchange, size_t index) {
  const struct bundle_entry *entry = &exchange->plan.entries[index];
  struct outbox_placed *placed = &job->placed[job->placed_count];
  struct outbox_place *place = &placed->place;
  *placed = (struct outbox_placed){.key = entry->key, .identifier = entry->full_url};
  *place = (struct outbox_place){.location = exchange->known[index].location, .etag = short_etag(exchange->items[index].answer.version)};
  enum status status = exchange_digest(exchange, index, &place->digest);
  if (status != STATUS_OK) return status;
  struct str *texts[] = {&placed->key, &placed->identifier, &place->location, &place->etag, &place->digest};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    if (!keep_text(job->places, texts[i])) return STATUS_NOMEM;
  job->placed_count++;
  return STATUS_OK;
}

/* Told with its end, however often that has to be told. */
static enum status remember(struct job *job, const struct exchange_job *exchange) {
  enum status status = STATUS_OK;
  size_t count = 0;
  for (size_t i = 0; exchange->items && i < exchange->plan.entry_count; i++)
    count += is_new_place(exchange, i);
  if (!count) return STATUS_OK;
  job->places = arena_new(LIMIT_ARENA_BYTES);
  job->placed = job->places ? ARENA_ARRAY(job->places, struct outbox_placed, count) : NULL;
  if (!job->placed) return STATUS_NOMEM;
  for (size_t i = 0; status == STATUS_OK && i < exchange->plan.entry_count; i++)
    if (is_new_place(exchange, i)) status = keep_place(job, exchange, i);
  return status;
}

/* --- the payload --- */

static enum status read_bundle(struct job *job, struct tree_node **out) {
  struct source *source = ARENA_NEW(job->arena, struct source);
  const struct definitions *definitions = pipeline_definitions(job->ways->pipeline);
  if (!source) return STATUS_NOMEM;
  *source = source_make(STR("store"), job->text);
  enum status status = tree_read_json(source, NULL, job->arena, &job->diags, out);
  return status == STATUS_OK ? definitions_bind(definitions, NULL, *out, source, job->arena, &job->diags)
                             : status;
}

/* A record that was parked because it did not conform: the maps may have been mended. */
static enum status map_again(struct job *job, struct tree_node **out) {
  const struct pipeline *pipeline = job->ways->pipeline;
  const struct relay_way *way = way_of(job);
  struct intake_input input = intake_open(STR("store.json"), job->text);
  input.decoded = true;
  struct intake_record *record = ARENA_NEW(job->arena, struct intake_record);
  struct pipeline_run run = {.arena = job->arena,
                             .diags = &job->diags,
                             .shape = &way->shape,
                             .policy = &way->policy,
                             .validate = true};
  if (!record) return STATUS_NOMEM;
  enum status status = intake_next(&input, pipeline_definitions(pipeline), pipeline_routes(pipeline),
                                   job->arena, &job->diags, record);
  return status == STATUS_OK ? pipeline_export(pipeline, record, &run, out) : status;
}

static enum status open_payload(struct job *job, struct tree_node **out) {
  if (!relay_payload_read(job->claim.payload, &job->clinic, &job->text)) return STATUS_INVALID;
  return str_is(job->claim.kind, "record") ? map_again(job, out) : read_bundle(job, out);
}

/* --- trouble --- */

static const char *const troubles[] = {"destination-cleared", "destination-unavailable", "destination-held"};

static uint32_t random_of(const struct relay *relay) {
  uint32_t random = 0;
  (void)relay->host->random(relay->host->context, &random, sizeof random); /* without it: no jitter */
  return random;
}

/* The verdict may become another: trouble.h. */
static void note_trouble(const struct job *job, struct relay_verdict *verdict, uint32_t random) {
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

/* --- one record --- */

/* Memory that was used a moment ago is near; what comes anew from the system is not. */
static struct arena *take_arena(struct relay_sender *sender) {
  return sender->idle_count ? sender->idle[--sender->idle_count]
                            : arena_new((size_t)sender->config->memory_mib << 20);
}

static void give_arena_back(struct relay_sender *sender, struct arena *arena) {
  if (sender->idle_count == IDLE_ARENAS) {
    arena_free(arena);
    return;
  }
  arena_reset(arena);
  sender->idle[sender->idle_count++] = arena;
}

static void end_job(struct job *job) {
  struct relay_sender *sender = job->sender;
  for (struct job **at = &sender->jobs; *at; at = &(*at)->next) {
    if (*at != job) continue;
    *at = job->next;
    break;
  }
  sender->in_flight--;
  sender->ending -= job->ended;
  if (job->timer) event_free(job->timer);
  relay_ways_leave(job->ways);
  if (job->arena) give_arena_back(sender, job->arena);
  arena_free(job->places);
  free(job);
}

static void log_end(const struct job *job, const struct relay_verdict *verdict) {
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

static void wait_ms(struct event *timer, int64_t ms) {
  struct timeval when = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
  (void)event_add(timer, &when);
}

/* What has ended makes room at once, in the group of its end; but the store may be slow to take ends, and jobs hold memory. */
static size_t jobs_left(const struct relay_sender *sender) {
  size_t most = 2 * (size_t)sender->config->in_flight;
  return sender->in_flight < most ? most - sender->in_flight : 0;
}

/* The end is durable. A full disk, or no memory: the store still has it as `sending`, and its lane waits; it is told again, with
   what the ledger is told, since nobody else ever would. */
static void settled(void *context, enum status status) {
  struct job *job = context;
  struct relay_sender *sender = job->sender;
  if (status != STATUS_OK && sender->relay->fatal == STATUS_OK) {
    RELAY_LOG(sender->relay, RELAY_ERROR, "not-settled", RELAY_NUMBER("record", job->claim.id));
    wait_ms(job->timer, STORE_RETRY_MS);
    return;
  }
  if (job->told != STATUS_OK)
    RELAY_LOG(sender->relay, RELAY_WARNING, "not-remembered", RELAY_NUMBER("record", job->claim.id));
  if (job->finished != STATUS_OK)
    RELAY_LOG(sender->relay, RELAY_ERROR, "not-settled", RELAY_NUMBER("record", job->claim.id),
              RELAY_TEXT("status", str_of(status_name(job->finished))));
  bool crowded = !jobs_left(sender);
  end_job(job);
  if (crowded) relay_kick(sender->relay); /* with the group of what ends next */
}

/* By the thread that commits. */
static void make_end(void *context, struct outbox *outbox) {
  struct job *job = context;
  int64_t now = relay_now(job->sender->relay);
  job->told = STATUS_OK;
  if (job->placed_count)
    job->told = outbox_ledger_put(outbox, job->sender->config->name, job->placed, job->placed_count, now);
  job->finished = outbox_finish(outbox, job->claim.id, &job->outcome, now);
}

static void settle_again(struct job *job) {
  struct relay *relay = job->sender->relay;
  relay->settled = true;
  job->promise = (struct relay_promise){.make = make_end, .kept = settled, .context = job};
  relay_promise(relay, &job->promise);
}

/* The outcome has only words of the program, the places have memory of their own: both may wait long for their commit. */
static void end_now(struct job *job) {
  job->lock_count = 0;
  job->ended = true;
  job->sender->ending++;
  give_arena_back(job->sender, job->arena);
  job->arena = NULL;
  settle_again(job);
}

static void settle(struct job *job, struct relay_verdict verdict) {
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

static struct relay_verdict converse(struct job *job, struct tree_node *bundle) {
  const struct relay_way *way = way_of(job);
  struct exchange_channel channel = {
      .context = job, .send = send_request, .wait = wait_for, .planned = planned};
  struct bundle_params params = {.definitions = pipeline_definitions(job->ways->pipeline),
                                 .shape = &way->shape,
                                 .arena = job->arena,
                                 .diags = &job->diags};
  struct exchange_job exchange = {.channel = &channel,
                                  .bundle = &params,
                                  .destination = &way->destination,
                                  .diags = &job->diags,
                                  .arena = job->arena,
                                  .look_first = job->claim.unknown};
  params.clinic_id = job->clinic;
  enum status status = exchange_run(&exchange, bundle);
  /* with its locks: nobody else writes meanwhile what that request may yet write */
  if (exchange.settling && way->destination.settle_ms) wait_for(job, way->destination.settle_ms);
  struct relay_verdict verdict = relay_judge(&exchange, status, &job->last, job->claim.unknown);
  if (remember(job, &exchange) != STATUS_OK)
    RELAY_LOG(job->sender->relay, RELAY_WARNING, "not-remembered", RELAY_NUMBER("record", job->claim.id));
  return verdict;
}

/* --- HL7 v2 --- */

static enum status send_message(void *context, const struct delivery_message *message, struct arena *arena,
                                struct delivery_answer *answer) {
  struct job *job = context;
  job->answer = answer;
  enum status status = delivery_loop_message(job->sender->relay->loop, way_of(job)->client, message, arena, on_answer, job);
  if (status == STATUS_OK) relay_fiber_suspend(job->fiber);
  if (status == STATUS_OK) job->last = *answer;
  return status;
}

/* How often the receiver has said that it could not: across restarts too. */
static enum status count_errors(struct job *job, unsigned *out) {
  struct outbox_attempt *attempts = NULL;
  size_t count = 0;
  enum status status =
      outbox_attempts(free_store(job), job->claim.id, job->arena, &attempts, &count);
  *out = 0;
  for (size_t i = 0; status == STATUS_OK && i < count; i++)
    *out += str_is(attempts[i].reason, "ack-AE") || str_is(attempts[i].reason, "ack-CE");
  return status;
}

/* In its lane: nothing else of this patient goes while the receiver may be at work on this. */
static void let_end(struct job *job, const struct delivery_answer *answer) {
  int64_t ms = way_of(job)->destination.settle_ms;
  if (ms && delivery_may_be_at_work(answer)) wait_for(job, ms);
}

/* The destination file is of another kind than when the record came: no record is at fault, all of them wait. */
static enum status another_protocol(struct job *job) {
  job->last.reason = STR("the destination's protocol is not that for which the record was made");
  return STATUS_CONFIG;
}

static enum status say_message(struct job *job, struct relay_verdict *out) {
  struct exchange_message_channel channel = {.context = job, .send = send_message};
  struct exchange_message message = {0};
  struct delivery_answer answer = {0};
  struct relay *relay = job->sender->relay;
  if (way_of(job)->destination.protocol != DELIVERY_MLLP) return another_protocol(job);
  if (!relay_payload_read(job->claim.payload, &message.control, &message.bytes)) return STATUS_INVALID;
  enum status status = count_errors(job, &message.errors);
  if (status == STATUS_OK) status = exchange_message(&channel, &message, job->arena, &answer);
  if (status != STATUS_OK) return status;
  if (answer.skipped)
    RELAY_LOG(relay, RELAY_WARNING, "foreign-acknowledgement", RELAY_TEXT("destination", job->sender->config->name),
              RELAY_NUMBER("record", job->claim.id), RELAY_NUMBER("count", answer.skipped));
  let_end(job, &answer);
  *out = relay_judge_message(&answer, job->claim.unknown);
  return STATUS_OK;
}

static enum status say_bundle(struct job *job, struct relay_verdict *out) {
  struct tree_node *bundle = NULL;
  if (way_of(job)->destination.protocol == DELIVERY_MLLP) return another_protocol(job);
  enum status status = open_payload(job, &bundle);
  if (status == STATUS_OK) *out = converse(job, bundle);
  return status;
}

static void deliver(struct relay_fiber *fiber, void *context) {
  struct job *job = context;
  struct relay_sender *sender = job->sender;
  enum outbox_state again = job->claim.unknown ? OUTBOX_UNKNOWN : OUTBOX_QUEUED;
  struct relay_verdict verdict;
  job->fiber = fiber;
  enum status status = str_is(job->claim.kind, "hl7v2") ? say_message(job, &verdict) : say_bundle(job, &verdict);
  if (status == STATUS_OK)
    settle(job, verdict);
  else if (status == STATUS_NOMEM)
    settle(job, relay_judge_memory(job->arena, job->claim.unknown));
  else if (status == STATUS_CONFIG)
    settle(job, (struct relay_verdict){.state = again, .trouble = RELAY_HELD, .reason = STR("configuration"), .own = true});
  else
    settle(job, (struct relay_verdict){.state = OUTBOX_PARKED, .reason = STR("does-not-conform"), .unasked = true});
  wake_waiting(sender);
}

/* Claimed when the process was about to end: nothing has left. */
static void give_back(struct job *job) {
  job->outcome = (struct outbox_outcome){.state = job->claim.unknown ? OUTBOX_UNKNOWN : OUTBOX_QUEUED,
                                         .next_at = relay_now(job->sender->relay),
                                         .reason = STR("stopping")};
  end_now(job);
}

/* The claim is durable: bytes may leave. */
static void begin_job(struct job *job) {
  struct relay *relay = job->sender->relay;
  if (relay->closing)
    give_back(job);
  else if (relay_fiber_start(relay->fibers, deliver, job) != STATUS_OK)
    settle(job, (struct relay_verdict){.state = OUTBOX_QUEUED, .trouble = RELAY_BUSY, .reason = STR("no-memory")});
}

/* --- claiming --- */

static struct job *new_job(struct relay_sender *sender) {
  struct job *job = calloc(1, sizeof *job);
  if (!job) return NULL;
  job->sender = sender;
  job->ways = sender->relay->ways;
  job->ways->users++;
  job->began = relay_elapsed(sender->relay);
  job->last.retry_after_ms = -1;
  job->claimed = STATUS_NOT_FOUND;
  job->next = sender->jobs;
  sender->jobs = job;
  sender->in_flight++;
  job->arena = take_arena(sender);
  job->timer = event_new(sender->relay->base, -1, 0, on_timer, job);
  if (job->arena && job->timer) {
    diag_list_init(&job->diags, job->arena);
    return job;
  }
  end_job(job);
  return NULL;
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
  wait_ms(sender->timer, ms < LEAST_MS ? LEAST_MS : ms > MOST_MS ? MOST_MS : ms);
}

/* By the thread that commits: until nothing more is due. */
static void make_claims(void *context, struct outbox *outbox) {
  struct relay_sender *sender = context;
  enum status status = STATUS_OK;
  for (struct job *job = sender->listed; job && status == STATUS_OK; job = job->next_listed)
    status = job->claimed = outbox_claim(outbox, sender->config->name, relay_now(sender->relay), job->arena, &job->claim);
  sender->due = INT64_MAX;
  if (status == STATUS_NOT_FOUND) status = outbox_next_due(outbox, sender->config->name, &sender->due);
  if (status != STATUS_OK) sender->due = relay_now(sender->relay) + STORE_RETRY_MS;
}

/* Of a group that was given up the records are as they were, and due. */
static void claims_kept(void *context, enum status status) {
  struct relay_sender *sender = context;
  struct job *job = sender->listed;
  sender->listed = NULL;
  if (status != STATUS_OK)
    wake_in(sender, STORE_RETRY_MS);
  else if (sender->due != INT64_MAX)
    wake_in(sender, sender->due - relay_now(sender->relay));
  while (job) {
    struct job *next = job->next_listed;
    if (status == STATUS_OK) note_set_aside(sender, &job->claim);
    if (status == STATUS_OK && job->claimed == STATUS_OK)
      begin_job(job);
    else
      end_job(job);
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
  size_t waiting = 0, left = jobs_left(sender), most = room(sender);
  if (most > left) most = left;
  if (outbox_waiting(relay_store(sender->relay), sender->config->name, &waiting) != STATUS_OK) return most ? 1 : 0;
  waiting += sender->ending; /* they may end as waiting once more */
  return most < waiting ? most : waiting;
}

static void list_claims(struct relay_sender *sender, size_t count) {
  struct job **end = &sender->listed;
  while (count-- && (*end = new_job(sender)) != NULL)
    end = &(*end)->next_listed;
  if (!sender->listed) {
    wake_in(sender, STORE_RETRY_MS);
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
  while (sender->idle_count)
    arena_free(sender->idle[--sender->idle_count]);
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
