/* deliver.c - the conversation about one record, on a fiber of its own. */
#include <event2/event.h>
#include "delivery/token.h"
#include "relay/job.h"

/* --- waiting --- */

static void on_answer(void *context, const struct delivery_answer *answer) {
  struct relay_job *job = context;
  *job->answer = *answer;
  relay_fiber_resume(job->fiber);
}

static enum status transfer(void *context, const struct delivery_request *request, struct arena *arena,
                            struct delivery_answer *answer) {
  struct relay_job *job = context;
  job->answer = answer;
  enum status status = delivery_loop_send(job->sender->relay->loop, relay_job_way(job)->client, request, arena,
                                          on_answer, job);
  if (status == STATUS_OK) relay_fiber_suspend(job->fiber);
  return status;
}

/* Another job of the destination fetches the token. */
static void join_token(void *context) {
  struct relay_job *job = context;
  job->wants_token = true;
  relay_fiber_suspend(job->fiber);
}

/* Each goes on from the event loop, not from within the fiber that fetched. */
static void token_ended(void *context) {
  const struct relay_job *ended = context;
  for (struct relay_job *job = ended->sender->jobs; job; job = job->next) {
    if (!job->wants_token) continue;
    job->wants_token = false;
    event_active(job->timer, EV_TIMEOUT, 1);
  }
}

/* TLS has vouched for the server; a day is little to what is kept. */
static void compare_clocks(struct relay *relay, const struct delivery_answer *answer) {
  enum { DAY_MS = 86400000 };
  int64_t off = relay_now(relay) - answer->server_ms;
  if (answer->server_ms) relay->clock_agrees = off > -DAY_MS && off < DAY_MS;
}

static enum status send_request(void *context, const struct delivery_request *request, struct arena *arena,
                                struct delivery_answer *answer) {
  struct relay_job *job = context;
  struct delivery_channel channel = {
      .context = job, .send = transfer, .join = join_token, .ended = token_ended};
  enum status status = delivery_send_on(relay_job_way(job)->client, &channel, request, arena, answer);
  if (status == STATUS_OK) {
    job->last = *answer;
    compare_clocks(job->sender->relay, answer);
  }
  return status;
}

/* --- the ledger --- */

static void go_on(void *context, enum status status) {
  struct relay_job *job = context;
  (void)status;
  relay_fiber_resume(job->fiber);
}

/* On the fiber: others go on meanwhile. */
static struct outbox *free_store(struct relay_job *job) {
  struct relay *relay = job->sender->relay;
  if (relay_store_is_busy(relay)) {
    job->promise = (struct relay_promise){.kept = go_on, .context = job};
    relay_when_free(relay, &job->promise);
    relay_fiber_suspend(job->fiber);
  }
  return relay_store(relay);
}

static void stays_there(struct exchange_job *exchange, size_t index, const struct outbox_place *place, enum exchange_state state) {
  exchange->items[index].answer.version = place->etag;
  exchange->items[index].state = state;
  exchange->known[index].location = place->location;
}

/* Unchanged, or only mentioned: it need not go. */
static enum status is_there(struct relay_job *job, struct exchange_job *exchange, size_t index, const struct outbox_place *place, bool *known) {
  struct str digest = {0};
  *known = exchange->plan.entries[index].mentioned;
  if (*known) return STATUS_OK;
  enum status status = relay_job_digest(job, exchange, index, &digest);
  if (status == STATUS_OK) *known = relay_left_out_is_same(job, index, place, digest);
  return status;
}

/* What the ledger knows of it, by which it need not go, or must not. Where the server is asked first, that is a death alone. */
static enum status look_up(struct relay_job *job, struct exchange_job *exchange, size_t index, bool *known) {
  const struct bundle_entry *entry = &exchange->plan.entries[index];
  bool silent = relay_deceased_is_silent(entry);
  struct outbox_place place = {0};
  *known = false;
  if (exchange->look_first && !silent) return STATUS_OK;
  enum status status = outbox_ledger_get(relay_store(job->sender->relay), job->sender->config->name, entry->key,
                                         entry->full_url, job->arena, &place);
  if (status != STATUS_OK) return status == STATUS_NOT_FOUND || status == STATUS_INVALID ? STATUS_OK : status;
  if (!exchange->look_first) status = is_there(job, exchange, index, &place, known);
  if (status != STATUS_OK) return status;
  if (*known) {
    stays_there(exchange, index, &place, entry->mentioned ? EXCHANGE_REFERRED : EXCHANGE_SAME);
  } else if (silent && relay_deceased_is_kept(job, &place)) {
    *known = true;
    stays_there(exchange, index, &place, EXCHANGE_REFERRED);
  }
  return STATUS_OK;
}

static enum status planned(void *context, struct exchange_job *exchange) {
  struct relay_job *job = context;
  enum status status = STATUS_OK;
  job->locks = ARENA_ARRAY(job->arena, struct relay_lock, exchange->plan.entry_count + 1);
  job->unowned = ARENA_ARRAY(job->arena, bool, exchange->plan.entry_count + 1);
  if (!job->locks || !job->unowned) return STATUS_NOMEM;
  (void)free_store(job); /* from here to the locks nobody else comes between */
  for (size_t i = exchange->plan.lookup_count; status == STATUS_OK && i < exchange->plan.entry_count; i++) {
    bool known = false;
    status = look_up(job, exchange, i, &known);
    if (status == STATUS_OK && !known) relay_locks_want(job, exchange->plan.entries[i].full_url);
  }
  if (status == STATUS_OK)
    relay_locks_take(job);
  else
    job->lock_count = 0;
  return status;
}

/* --- the payload --- */

/* A record that was parked because it did not conform: the maps may have been mended. */
static enum status map_again(struct relay_job *job, struct tree_node **out) {
  const struct pipeline *pipeline = job->ways->pipeline;
  const struct relay_way *way = relay_job_way(job);
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

static bool is_to_map(const struct relay_job *job) {
  return str_is(job->claim.kind, "record");
}

/* *out NULL: a Bundle, as its text. */
static enum status open_payload(struct relay_job *job, struct tree_node **out) {
  if (!relay_payload_read(job->claim.payload, &job->clinic, &job->text)) return STATUS_INVALID;
  return is_to_map(job) ? map_again(job, out) : STATUS_OK;
}

/* --- Bundles --- */

static const struct relay_verdict does_not_conform = {.state = OUTBOX_PARKED, .reason = {"does-not-conform", 16}, .unasked = true};

/* Asked when it came to nothing, and nothing went: a text that goes as it stands is not read as a tree before. */
static bool is_unreadable(const struct relay_job *job, const struct bundle_params *params) {
  struct tree_node *bundle = NULL;
  struct diag_list told; /* already */
  struct bundle_params reading = *params;
  reading.diags = &told;
  diag_list_init(&told, params->arena);
  return params->text.len && !job->last.status && bundle_read(&reading, &bundle) == STATUS_INVALID;
}

static struct relay_verdict converse(struct relay_job *job, struct tree_node *bundle) {
  const struct relay_way *way = relay_job_way(job);
  struct exchange_channel channel = {
      .context = job, .send = send_request, .wait = relay_job_wait, .planned = planned};
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
  if (!is_to_map(job)) params.text = job->text;
  enum status status = relay_left_out_begin(job);
  if (status == STATUS_OK) status = exchange_run(&exchange, bundle);
  /* with its locks: nobody else writes meanwhile what that request may yet write */
  if (exchange.settling && way->destination.settle_ms) relay_job_wait(job, way->destination.settle_ms);
  struct relay_verdict verdict = relay_judge(&exchange, status, &job->last, job->claim.unknown);
  if (status == STATUS_INVALID && is_unreadable(job, &params)) verdict = does_not_conform;
  if (relay_job_remember(job, &exchange) != STATUS_OK)
    RELAY_LOG(job->sender->relay, RELAY_WARNING, "not-remembered", RELAY_NUMBER("record", job->claim.id));
  /* what was left out would never be told: it is looked for once more, and nothing is sent that is there */
  if (verdict.state == OUTBOX_DONE && relay_left_out_list(job, &exchange) != STATUS_OK)
    return (struct relay_verdict){.state = OUTBOX_UNKNOWN, .trouble = RELAY_BUSY, .reason = STR("no-memory")};
  return verdict;
}

/* --- HL7 v2 --- */

static enum status send_message(void *context, const struct delivery_message *message, struct arena *arena,
                                struct delivery_answer *answer) {
  struct relay_job *job = context;
  job->answer = answer;
  enum status status = delivery_message_may_go(relay_job_way(job)->client, arena, answer);
  bool goes = status == STATUS_OK && !answer->reason.len;
  if (goes) status = delivery_loop_message(job->sender->relay->loop, relay_job_way(job)->client, message, arena, on_answer, job);
  if (goes && status == STATUS_OK) relay_fiber_suspend(job->fiber);
  if (status == STATUS_OK) job->last = *answer;
  return status;
}

/* How often the receiver has said that it could not: across restarts too, and since a person retried it. What had been parked was retried; each
   of the others counts as a fault, of which a retry leaves none. */
static enum status count_errors(struct relay_job *job, unsigned *out) {
  struct outbox_attempt *attempts = NULL;
  size_t count = 0;
  unsigned errors = 0;
  enum status status =
      outbox_attempts(free_store(job), job->claim.id, job->arena, &attempts, &count);
  for (size_t i = 0; status == STATUS_OK && i < count; i++) {
    errors += str_is(attempts[i].reason, "ack-AE") || str_is(attempts[i].reason, "ack-CE");
    if (attempts[i].state == OUTBOX_PARKED) errors = 0;
  }
  *out = errors < job->claim.faults ? errors : job->claim.faults;
  return status;
}

/* In its lane: nothing else of this patient goes while the receiver may be at work on this. */
static void let_end(struct relay_job *job, const struct delivery_answer *answer) {
  int64_t ms = relay_job_way(job)->destination.settle_ms;
  if (ms && delivery_may_be_at_work(answer)) relay_job_wait(job, ms);
}

/* The destination file is of another kind than when the record came: no record is at fault, all of them wait. */
static enum status another_protocol(struct relay_job *job) {
  job->last.reason = STR("the destination's protocol is not that for which the record was made");
  return STATUS_CONFIG;
}

static enum status say_message(struct relay_job *job, struct relay_verdict *out) {
  struct exchange_message_channel channel = {.context = job, .send = send_message};
  struct exchange_message message = {0};
  struct delivery_answer answer = {0};
  struct relay *relay = job->sender->relay;
  if (relay_job_way(job)->destination.protocol != DELIVERY_MLLP) return another_protocol(job);
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

static enum status say_bundle(struct relay_job *job, struct relay_verdict *out) {
  struct tree_node *bundle = NULL;
  if (relay_job_way(job)->destination.protocol == DELIVERY_MLLP) return another_protocol(job);
  enum status status = open_payload(job, &bundle);
  if (status == STATUS_OK) *out = converse(job, bundle);
  return status;
}

void relay_deliver(struct relay_fiber *fiber, void *context) {
  struct relay_job *job = context;
  struct relay_sender *sender = job->sender;
  enum outbox_state again = job->claim.unknown ? OUTBOX_UNKNOWN : OUTBOX_QUEUED;
  struct relay_verdict verdict;
  job->fiber = fiber;
  enum status status = str_is(job->claim.kind, "hl7v2") ? say_message(job, &verdict) : say_bundle(job, &verdict);
  if (status == STATUS_OK)
    relay_job_settle(job, verdict);
  else if (status == STATUS_NOMEM)
    relay_job_settle(job, relay_judge_memory(job->arena, job->claim.unknown));
  else if (status == STATUS_CONFIG)
    relay_job_settle(job, (struct relay_verdict){.state = again, .trouble = RELAY_HELD, .reason = STR("configuration"), .own = true});
  else
    relay_job_settle(job, does_not_conform);
  relay_locks_wake(sender);
}
