/*
 * order.c - a person's decisions: retry, park, pass, drop; one record, or all that a filter finds.
 *
 * What was decided is told only when it is durable. Reasons and names are words, not sentences: they stand in the
 * store and its trail in the clear, where nothing about a patient may be.
 */
#include <jansson.h>
#include <stdio.h>
#include "console/internal.h"

enum { PAGE = 100 };

/* --- the body --- */

/* What a decision's body may say. */
struct order {
  struct str reason, actor, confirm;
  struct str state, destination, where_reason; /* of "where" */
  int64_t after, through; /* through 0: no bound */
  bool dry_run;
};

static bool is_word(struct str text, size_t most) {
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && (i == 0 || !strchr("-_.@", c) || !c)) return false;
  }
  return text.len <= most;
}

static bool take_text(const json_t *value, struct str *out) {
  if (!json_is_string(value)) return false;
  *out = str_make(json_string_value(value), json_string_length(value));
  return true;
}

static bool take_where(const json_t *where, struct order *out) {
  const char *key;
  json_t *value;
  if (!json_is_object(where)) return false;
  json_object_foreach((json_t *)(uintptr_t)where, key, value) {
    struct str *to = strcmp(key, "state") == 0         ? &out->state
                     : strcmp(key, "destination") == 0 ? &out->destination
                     : strcmp(key, "reason") == 0      ? &out->where_reason
                                                       : NULL;
    if (!to || !take_text(value, to)) return false;
  }
  return true;
}

static bool take_one(const char *key, const json_t *value, struct order *out) {
  if (strcmp(key, "reason") == 0) return take_text(value, &out->reason);
  if (strcmp(key, "actor") == 0) return take_text(value, &out->actor);
  return strcmp(key, "confirm") == 0 && take_text(value, &out->confirm);
}

static bool take_many(const char *key, const json_t *value, struct order *out) {
  if (strcmp(key, "where") == 0) return take_where(value, out);
  if (strcmp(key, "reason") == 0) return take_text(value, &out->reason);
  if (strcmp(key, "actor") == 0) return take_text(value, &out->actor);
  if (strcmp(key, "confirm") == 0) return take_text(value, &out->confirm);
  if (strcmp(key, "dryRun") == 0) {
    out->dry_run = json_is_true(value);
    return json_is_boolean(value);
  }
  int64_t *to = strcmp(key, "after") == 0 ? &out->after : strcmp(key, "through") == 0 ? &out->through : NULL;
  if (to) *to = json_integer_value(value);
  return to && json_is_integer(value) && *to >= 0;
}

static bool take_exported(const char *key, const json_t *value, struct order *out) {
  if (strcmp(key, "actor") == 0) return take_text(value, &out->actor);
  out->through = json_integer_value(value);
  return strcmp(key, "through") == 0 && json_is_integer(value) && out->through > 0;
}

/* What each body may have. */
enum kind { ONE, MANY, EXPORTED };
static const struct {
  bool (*take)(const char *key, const json_t *value, struct order *out);
  const char *members;
} kinds[] = {[ONE] = {take_one, "the body has the texts reason, actor and confirm"},
             [MANY] = {take_many, "the body has where (state, destination, reason), reason, after, through, dryRun, confirm and actor"},
             [EXPORTED] = {take_exported, "the body has through, the number of an event, and actor"}};

/* NULL, or what is wrong. The texts are the object's. */
static const char *read_order(const json_t *object, enum kind kind, struct order *out) {
  const char *key;
  json_t *value;
  if (!json_is_object(object)) return "the body is no JSON object";
  json_object_foreach((json_t *)(uintptr_t)object, key, value) {
    if (!kinds[kind].take(key, value, out)) return kinds[kind].members;
  }
  if (!is_word(out->reason, OUTBOX_REASON_MAX)) return "reason is one word, of at most 64 letters, digits, - _ . and @";
  if (!is_word(out->actor, CONSOLE_WORD_MAX)) return "actor is one word of letters, digits, - _ . and @";
  return NULL;
}

/* jansson takes NUL after a number, and the first of two equal names. */
static json_t *parse_body(struct str body) {
  if (body.len && memchr(body.ptr, 0, body.len)) return NULL;
  return json_loadb(body.ptr ? body.ptr : "", body.len, JSON_REJECT_DUPLICATES, NULL);
}

/* The name that was given, and how the kernel or the token vouches for it. */
static struct str actor_of(const struct console_reply *reply, struct str name) {
  const char *space = name.len ? " " : "";
  if (reply->local)
    return arena_printf(reply->arena, "%.*s%suid=%u", STR_ARG(name), space, (unsigned)reply->user);
  return arena_printf(reply->arena, "%.*s%stoken", STR_ARG(name), space);
}

/* --- when it is durable --- */

static void answer_one(struct console_reply *reply) {
  struct outbox_row row;
  struct buf body;
  enum status status = outbox_get(console_outbox(reply->console), reply->decided.id, reply->arena, &row);
  if (status != STATUS_OK) {
    console_answer_status(reply, status);
    return;
  }
  buf_init(&body, 64 << 10);
  console_add_row(&body, &row);
  buf_add_char(&body, '}');
  console_answer_json(reply, &body);
}

static void answer_many(struct console_reply *reply, bool dry_run) {
  const struct console_decided *decided = &reply->decided;
  struct buf body;
  buf_init(&body, 4096);
  buf_add_char(&body, '{');
  console_json_bool(&body, "dryRun", dry_run);
  console_json_int(&body, "matched", (int64_t)decided->matched);
  console_json_int(&body, "changed", (int64_t)decided->changed);
  console_json_int(&body, "missing", (int64_t)decided->missing);
  console_json_int(&body, "overtaken", (int64_t)decided->overtaken);
  console_json_int(&body, "last", decided->last);
  console_json_key(&body, "after");
  if (decided->after)
    buf_printf(&body, "%lld}", (long long)decided->after);
  else
    buf_add_text(&body, "null}");
  console_answer_json(reply, &body);
}

static void answer_exported(struct console_reply *reply) {
  struct outbox_stats stats;
  struct buf body;
  enum status status = outbox_stats(console_outbox(reply->console), (struct str){0}, &stats);
  if (status != STATUS_OK) {
    console_answer_status(reply, status);
    return;
  }
  buf_init(&body, 4096);
  buf_add_char(&body, '{');
  console_json_int(&body, "through", reply->decided.through);
  console_json_int(&body, "events", (int64_t)stats.events);
  buf_add_char(&body, '}');
  console_answer_json(reply, &body);
}

/* What each decision is for, and what else there is. */
static const char *const remedies[] = {
    [OUTBOX_RETRY] = "retry is for what is parked or waits",
    [OUTBOX_PARK] = "park is for what waits; what is on its way is done, or waits again, in a moment",
    [OUTBOX_PASS] = "pass is for what is parked and holds its patient's lane back",
    [OUTBOX_DROP] = "drop is for what waits or is parked; what is on its way is done, or waits again, in a moment"};

static void answer_refused(struct console_reply *reply) {
  struct outbox_row row;
  if (reply->decided.status == STATUS_CONFLICT && reply->decided.id &&
      outbox_get(console_outbox(reply->console), reply->decided.id, reply->arena, &row) == STATUS_OK)
    console_problem(reply, 409, "the record is %s: %s", outbox_state_name(row.state), remedies[reply->route->order]);
  else
    console_answer_status(reply, reply->decided.status);
}

static void refuse_exported(struct console_reply *reply) {
  if (reply->decided.status == STATUS_NOT_FOUND)
    console_problem(reply, 404, "there is no such event");
  else if (reply->decided.status == STATUS_CONFLICT)
    console_problem(reply, 409, "as much of the trail was exported before");
  else
    console_answer_status(reply, reply->decided.status);
}

static void on_durable(void *context, enum status status) {
  struct console_reply *reply = context;
  struct console *console = reply->console;
  if (console && status == STATUS_LIMIT) {
    console_answer_status(reply, status);
    return;
  }
  if (!console || status != STATUS_OK) {
    console_problem(reply, 503, "the decision could not be written; look at the record before deciding again");
    return;
  }
  const struct console_hooks *hooks = &console->params.hooks;
  if (reply->decided.status != STATUS_OK) {
    (reply->decided.through ? refuse_exported : answer_refused)(reply);
    return;
  }
  if (reply->decided.through)
    answer_exported(reply);
  else if (reply->decided.id)
    answer_one(reply);
  else
    answer_many(reply, false);
  hooks->kick(hooks->context);
}

/* Also after a refusal: it has opened a group, or has failed that of others, and somebody has to end it. */
static void wait_for_disk(struct console_reply *reply) {
  const struct console_hooks *hooks = &reply->console->params.hooks;
  hooks->when_durable(hooks->context, on_durable, reply);
}

/* --- one --- */

static const char *refusal(const struct console_reply *reply, const struct order *order) {
  enum outbox_order which = reply->route->order;
  char id[24];
  snprintf(id, sizeof id, "%lld", (long long)reply->id);
  if ((which == OUTBOX_PARK || which == OUTBOX_DROP) && !order->reason.len) return "a reason is needed";
  if (which == OUTBOX_DROP && !str_is(order->confirm, id))
    return "confirm is the record's number, as a text: what is dropped is not delivered";
  return NULL;
}

static enum status decide(struct console_reply *reply, int64_t id, const struct order *order) {
  const struct console_params *params = &reply->console->params;
  struct str actor = actor_of(reply, order->actor);
  if (!actor.ptr) return STATUS_NOMEM;
  return outbox_decide(console_outbox(reply->console), id, reply->route->order, order->reason, actor,
                       params->host->now_ms(params->host->context));
}

/* Queued, it would wait for ever, and nobody would look at it any more. */
static bool is_missing(const struct console_reply *reply, struct str destination) {
  const struct console_params *params = &reply->console->params;
  for (size_t i = params->destination_count - params->missing_count; i < params->destination_count; i++)
    if (str_eq(params->destinations[i], destination)) return true;
  return false;
}

/* True: it cannot go, and that has been answered. */
static bool refuse_missing(struct console_reply *reply) {
  struct outbox_row row;
  if (reply->route->order != OUTBOX_RETRY ||
      outbox_get(console_outbox(reply->console), reply->id, reply->arena, &row) != STATUS_OK ||
      !is_missing(reply, row.destination))
    return false;
  console_problem(reply, 409, "the configuration has no [destination %.*s]: give it back under that name, or drop the record",
                  STR_ARG(row.destination));
  return true;
}

void console_post_order(struct console_reply *reply) {
  struct order order = {0};
  json_t *body = parse_body(buf_str(&reply->body));
  const char *fault = read_order(body, ONE, &order);
  if (!fault) fault = refusal(reply, &order);
  if (fault) {
    console_problem(reply, 400, "%s", fault);
  } else if (!refuse_missing(reply)) {
    reply->decided.id = reply->id;
    reply->decided.status = decide(reply, reply->id, &order);
    wait_for_disk(reply);
  }
  json_decref(body);
}

/* --- many --- */

/* Delivered, it would undo a correction: only who names the reason can mean it. */
static bool is_passed_over(const struct console_reply *reply, const struct order *order, const struct outbox_row *row) {
  return reply->route->order == OUTBOX_RETRY && !order->where_reason.len && row->state == OUTBOX_PARKED && str_is(row->reason, OUTBOX_OLDER);
}

static bool is_beyond(const struct order *order, int64_t id) {
  return order->through && id > order->through;
}

/* One that a correction has passed is parked again: it is none of those that are queued. */
static void count_decided(struct console_reply *reply, int64_t id) {
  struct outbox_row row;
  bool overtaken = reply->route->order == OUTBOX_RETRY &&
                   outbox_get(console_outbox(reply->console), id, reply->arena, &row) == STATUS_OK && row.state == OUTBOX_PARKED;
  reply->decided.overtaken += overtaken;
  reply->decided.changed += !overtaken;
}

static enum status decide_rows(struct console_reply *reply, const struct order *order,
                               const struct outbox_row *rows, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (is_beyond(order, rows[i].id) || is_passed_over(reply, order, &rows[i])) continue;
    reply->decided.matched++;
    reply->decided.last = rows[i].id;
    bool missing = reply->route->order == OUTBOX_RETRY && is_missing(reply, rows[i].destination);
    reply->decided.missing += missing;
    if (order->dry_run || missing) continue;
    enum status status = decide(reply, rows[i].id, order);
    if (status == STATUS_OK) count_decided(reply, rows[i].id);
    if (status != STATUS_OK && status != STATUS_CONFLICT) return status;
  }
  return STATUS_OK;
}

/* In pages, each read whole before its records change. */
static enum status decide_many(struct console_reply *reply, const struct order *order,
                               struct outbox_filter *filter) {
  enum status status = STATUS_OK;
  size_t count = PAGE;
  filter->after = order->after;
  filter->limit = PAGE;
  while (status == STATUS_OK && count == PAGE && reply->decided.matched < CONSOLE_LIST_MAX && !is_beyond(order, filter->after + 1)) {
    struct outbox_row *rows = NULL;
    status = outbox_list(console_outbox(reply->console), filter, reply->arena, &rows, &count);
    if (status == STATUS_OK) status = decide_rows(reply, order, rows, count);
    if (status == STATUS_OK && count) filter->after = rows[count - 1].id;
  }
  reply->decided.after = count == PAGE && !is_beyond(order, filter->after + 1) ? filter->after : 0;
  return status;
}

static const char *refusal_of_many(const struct console_reply *reply, const struct order *order) {
  enum outbox_order which = reply->route->order;
  if (str_is(order->state, outbox_state_name(OUTBOX_DONE)) || str_is(order->state, outbox_state_name(OUTBOX_DROPPED)))
    return "what is done or dropped is over: nothing can be decided about it any more";
  if (order->dry_run || which == OUTBOX_RETRY) return NULL;
  if (!order->reason.len) return "a reason is needed";
  if (which == OUTBOX_DROP && !order->confirm.len) return "confirm is how many match, as a text: what is dropped is not delivered";
  return NULL;
}

/* Before any of them is dropped. True: more match than whoever confirmed has seen, and that has been answered. */
static bool refuse_more(struct console_reply *reply, const struct order *order, struct outbox_filter filter) {
  struct order count = *order;
  int64_t confirmed = -1;
  count.dry_run = true;
  if (order->dry_run || reply->route->order != OUTBOX_DROP) return false;
  enum status status = decide_many(reply, &count, &filter);
  size_t matched = reply->decided.matched;
  reply->decided = (struct console_decided){0};
  if (status != STATUS_OK)
    console_answer_status(reply, status);
  else if (!str_to_int64(order->confirm, &confirmed) || confirmed < 0 || matched > (uint64_t)confirmed)
    console_problem(reply, 409, "%zu match, more than confirm says: none of them was dropped", matched);
  else
    return false;
  return true;
}

/* What is dropped was looked at, as a rule; what is parked waited. */
void console_post_many(struct console_reply *reply) {
  struct order order = {.state = reply->route->order == OUTBOX_PARK ? STR("queued") : STR("parked")};
  struct outbox_filter filter = {0};
  json_t *body = parse_body(buf_str(&reply->body));
  const char *fault = read_order(body, MANY, &order);
  if (!fault) fault = refusal_of_many(reply, &order);
  if (fault)
    console_problem(reply, 400, "%s", fault);
  else if (console_filter(reply, order.state, order.destination, order.where_reason, &filter) && !refuse_more(reply, &order, filter)) {
    reply->decided.status = decide_many(reply, &order, &filter);
    if (order.dry_run && reply->decided.status == STATUS_OK)
      answer_many(reply, true);
    else
      wait_for_disk(reply);
  }
  json_decref(body);
}

/* --- the trail --- */

void console_post_exported(struct console_reply *reply) {
  const struct console_params *params = &reply->console->params;
  struct order order = {0};
  json_t *body = parse_body(buf_str(&reply->body));
  const char *fault = read_order(body, EXPORTED, &order);
  if (!fault && !order.through) fault = kinds[EXPORTED].members;
  struct str actor = fault ? (struct str){0} : actor_of(reply, order.actor);
  reply->decided.through = order.through;
  reply->decided.status = STATUS_NOMEM;
  if (actor.ptr)
    reply->decided.status =
        outbox_audit_exported(console_outbox(reply->console), order.through, actor, params->host->now_ms(params->host->context));
  json_decref(body);
  if (fault)
    console_problem(reply, 400, "%s", fault);
  else
    wait_for_disk(reply);
}
