/* http.c - what the console asks of the relay: records that are posted, groups, metrics, health. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include "base/secret.h"
#include "base/socket.h"
#include "console/console.h"
#include "relay/mapper.h"
#include "relay/trouble.h"

enum { REQUEST_MS = 30000, TOKEN_BYTES = 4096, RETRY_SECONDS = 30 };

/* A posted body whose records wait to be durable; its answer is ready. */
struct posted {
  struct relay_promise promise;
  struct console_reply *reply;
  int status;
  struct buf answer;
};

/* A posted body whose records are mapped. */
struct mapping {
  struct relay_task task;
  struct relay *relay;
  struct console_reply *reply;
};

/* Who waits for a group without records: a decision about the queue. */
struct waiting {
  struct relay_promise promise;
  void (*done)(void *context, enum status status);
  void *context;
};

/* --- records --- */

static void answer_kept(void *context, enum status status) {
  struct posted *posted = context;
  if (posted->answer.error == STATUS_NOMEM)
    console_problem(posted->reply, 503, "no memory for the answer: send it again later");
  else if (status == STATUS_OK)
    console_answer(posted->reply, posted->status, STR("application/json"), buf_str(&posted->answer), -1);
  else
    console_problem(posted->reply, 503, "the store could not keep it: send it again later");
  buf_release(&posted->answer);
  free(posted);
}

/* What became of the records, and of the bad ones why: it goes to the clinic's own software. */
static void write_answer(struct buf *out, const struct relay_accepted *accepted,
                         const struct diag_list *diags) {
  buf_printf(out, "{\"records\":%zu,\"again\":%zu,\"different\":%zu,\"parked\":%zu,\"bad\":%zu,\"outcome\":",
             accepted->records, accepted->again, accepted->different, accepted->parked, accepted->bad);
  diag_render_outcome(diags, STR("body"), out);
  buf_add_text(out, "}\n");
}

static void answer_later(struct relay *relay, struct console_reply *reply,
                         const struct relay_accepted *accepted, const struct diag_list *diags) {
  struct posted *posted = calloc(1, sizeof *posted);
  if (!posted) {
    console_problem(reply, 503, "no memory: send it again later");
    return;
  }
  *posted = (struct posted){.reply = reply, .status = accepted->status == STATUS_OK ? 202 : 422};
  posted->promise = (struct relay_promise){.kept = answer_kept, .context = posted};
  buf_init(&posted->answer, LIMIT_TEXT_BYTES);
  write_answer(&posted->answer, accepted, diags);
  relay_promise(relay, &posted->promise);
}

/* The name says how a body is read; the console has let no other types pass. */
static struct str name_by_type(struct str type) {
  static const struct {
    const char *type, *name;
  } names[] = {{"application/x-ndjson", "body.ndjson"},
               {"application/ndjson", "body.ndjson"},
               {"x-application/hl7-v2+er7", "body.hl7"},
               {"application/hl7-v2", "body.hl7"}};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    struct str known = str_of(names[i].type);
    if (type.len >= known.len && strncasecmp(type.ptr, known.ptr, known.len) == 0) return str_of(names[i].name);
  }
  return STR("body.json");
}

static void answer(struct relay *relay, struct console_reply *reply, const struct relay_accepted *accepted,
                   const struct diag_list *diags) {
  bool taken = accepted->status == STATUS_OK || accepted->status == STATUS_INVALID;
  relay_alert_full(relay, &relay->full, accepted, STR("http"));
  RELAY_LOG(relay, accepted->bad || !taken ? RELAY_WARNING : RELAY_INFO, "posted",
            RELAY_NUMBER("records", (int64_t)accepted->records),
            RELAY_NUMBER("again", (int64_t)accepted->again), RELAY_NUMBER("bad", (int64_t)accepted->bad));
  if (taken)
    answer_later(relay, reply, accepted, diags);
  else if (accepted->status == STATUS_LIMIT)
    console_problem_later(reply, RETRY_SECONDS, "the store is full: send it again later");
  else
    console_problem(reply, 503, "it could not be taken: send it again later");
}

static void take_now(struct relay *relay, const struct relay_input *input, struct console_reply *reply) {
  struct diag_list diags;
  arena_reset(relay->records);
  diag_list_init(&diags, relay->records);
  struct relay_accepted accepted = relay_accept(relay, input, &diags);
  answer(relay, reply, &accepted, &diags);
}

static void put(struct relay *relay, struct relay_task *task, struct console_reply *reply) {
  struct relay_accepted accepted = relay_accept_mapped(relay, task);
  answer(relay, reply, &accepted, &task->diags);
}

static void mapped(void *context, struct relay_task *task) {
  struct mapping *mapping = context;
  if (task->status == STATUS_UNAVAILABLE)
    console_problem(mapping->reply, 503, "the relay is stopping: send it again later");
  else if (task->status == STATUS_NOMEM)
    take_now(mapping->relay, &task->input, mapping->reply);
  else
    put(mapping->relay, task, mapping->reply);
  relay_task_release(task);
  free(mapping);
}

static void take_later(struct relay *relay, const struct relay_input *input, struct console_reply *reply) {
  struct mapping *mapping = calloc(1, sizeof *mapping);
  if (mapping) {
    *mapping = (struct mapping){.relay = relay, .reply = reply};
    mapping->task = (struct relay_task){.input = *input, .done = mapped, .context = mapping};
    if (relay_mapper_give(relay->mapper, &mapping->task) == STATUS_OK) return;
  }
  free(mapping);
  console_problem(reply, 503, "no memory: send it again later");
}

static void post(void *context, struct str body, struct str content_type, struct console_reply *reply) {
  struct relay *relay = context;
  struct relay_input input = {.source = STR("http"),
                              .name = name_by_type(content_type),
                              .text = body,
                              .to = &relay->config->post_to};
  if (relay->stopping)
    console_problem(reply, 503, "the relay is stopping: send it again later");
  else if (relay_mapper_wants(relay->mapper, body.len))
    take_later(relay, &input, reply);
  else
    take_now(relay, &input, reply);
}

/* --- the rest --- */

static void kept(void *context, enum status status) {
  struct waiting *waiting = context;
  waiting->done(waiting->context, status);
  free(waiting);
}

static void when_durable(void *context, void (*done)(void *done_context, enum status status),
                         void *done_context) {
  struct relay *relay = context;
  struct waiting *waiting = calloc(1, sizeof *waiting);
  if (!waiting) {
    done(done_context, STATUS_NOMEM);
    return;
  }
  *waiting =
      (struct waiting){.promise = {.kept = kept, .context = waiting}, .done = done, .context = done_context};
  relay->settled = true; /* what a person decided: nobody hears of it before that is durable */
  relay_promise(relay, &waiting->promise);
}

/* A decision is durable: the senders look at the end of a group, and there may be no other. */
static void kick(void *context) {
  struct relay *relay = context;
  relay->decided = true;
  relay_group_touch(relay);
}

static void metrics(void *context, struct buf *out) {
  relay_metrics(context, out);
}

static void trouble(void *context, size_t destination, struct console_trouble *out) {
  static const char *const words[] = {[RELAY_FINE] = NULL, [RELAY_BUSY] = "unavailable", [RELAY_HELD] = "held"};
  const struct relay *relay = context;
  const struct relay_health *health = relay_sender_health(relay->senders[destination]);
  *out = (struct console_trouble){.word = words[health->trouble]};
  if (!out->word) return;
  out->since = health->since;
  out->reason = health->reason;
}

static void take(void *context) {
  (void)relay_store(context);
}

static bool healthy(void *context, struct buf *words) {
  const struct relay *relay = context;
  buf_add_text(words, relay->stopping ? "stopping" : "running");
  return !relay->stopping && relay->fatal == STATUS_OK;
}

/* --- opening --- */

static enum status read_token(struct relay *relay, struct diag_list *diags, struct str *out) {
  struct str path = relay->config->token_file;
  *out = (struct str){0};
  if (!path.len) return STATUS_OK;
  enum status status = base_secret_token(path.ptr, "the token-file of [http]", TOKEN_BYTES, relay->arena, diags, out);
  if (status != STATUS_OK) return status;
  if (out->len >= 16) return STATUS_OK;
  struct source source = source_make(path, (struct str){0});
  struct diag_at at = {.source = &source};
  diag_error(diags, DIAG_CONFIG_INVALID, &at,
             "the token-file of [http] has a token of less than 16 characters");
  return STATUS_CONFIG;
}

enum status relay_http_check(struct relay *relay, struct diag_list *diags) {
  struct str token;
  enum status status = read_token(relay, diags, &token);
  base_secret_wipe(token);
  return status;
}

/* As the configuration has checked. */
static void split_listen(struct relay *relay, struct console_params *params) {
  struct str host;
  if (base_address_split(relay->config->listen, &host, &params->port)) params->listen_host = arena_str(relay->arena, host).ptr;
}

/* Those of the configuration, and what is in the store for others. */
static enum status list_destinations(struct relay *relay, struct console_params *params) {
  const struct relay_config *config = relay->config;
  struct str *left = NULL;
  size_t count = 0;
  enum status status = relay_left(relay, relay->arena, &left, &count);
  if (status != STATUS_OK) return status;
  struct str *names = ARENA_ARRAY(relay->arena, struct str, config->destination_count + count + 1);
  if (!names) return STATUS_NOMEM;
  for (size_t i = 0; i < config->destination_count; i++)
    names[params->destination_count++] = config->destinations[i].name;
  for (size_t i = 0; i < count; i++)
    names[params->destination_count++] = left[i];
  params->missing_count = count;
  params->destinations = names;
  return STATUS_OK;
}

enum status relay_http_open(struct relay *relay, struct diag_list *diags) {
  const struct relay_config *config = relay->config;
  struct console_params params = {.host = relay->host,
                                  .base = relay->base,
                                  .outbox = relay->outbox,
                                  .socket = config->socket.len ? config->socket.ptr : NULL,
                                  .max_body = (size_t)config->max_body_mib << 20,
                                  .max_connections = (size_t)config->max_connections,
                                  .request_ms = REQUEST_MS,
                                  .hooks = {relay, post, when_durable, kick, metrics, healthy, take, trouble}};
  if (!config->socket.len && !config->listen.len) return STATUS_OK;
  split_listen(relay, &params);
  enum status status = list_destinations(relay, &params);
  if (status == STATUS_OK) status = read_token(relay, diags, &params.token);
  return status == STATUS_OK ? console_open(&params, diags, &relay->console) : status;
}
