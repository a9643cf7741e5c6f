/* queue.c - the queue as it stands: many records, or one with its attempts and, for who may see it, its payload. */
#include <stdio.h>
#include "console/internal.h"

enum { LIST_MAX = 16 << 20, PAYLOAD_MAX = 192 << 20 };

/* --- parameters --- */

bool console_number(struct console_reply *reply, const char *name, int64_t min, int64_t max, int64_t *out) {
  struct str text = console_query_get(&reply->query, name);
  if (!text.ptr) return true;
  if (str_to_int64(text, out) && *out >= min && *out <= max) return true;
  console_problem(reply, 400, "%s is a whole number from %lld to %lld", name, (long long)min, (long long)max);
  return false;
}

static bool has_name(const struct str *names, size_t count, struct str name) {
  for (size_t i = 0; i < count; i++)
    if (str_eq(names[i], name)) return true;
  return false;
}

/* Of the configuration, or of the store. */
static bool is_destination(const struct console_reply *reply, struct str name) {
  const struct console_params *params = &reply->console->params;
  struct str *stored = NULL;
  size_t count = 0;
  if (has_name(params->destinations, params->destination_count, name)) return true;
  enum status status = outbox_destinations(console_outbox(reply->console), reply->arena, &stored, &count);
  return status != STATUS_OK || has_name(stored, count, name);
}

/* What was mistyped is not what has no records. */
static void refuse_destination(struct console_reply *reply) {
  const struct console_params *params = &reply->console->params;
  char names[256] = "";
  size_t used = 0;
  for (size_t i = 0; i < params->destination_count; i++) {
    struct str name = params->destinations[i];
    int more = snprintf(names + used, sizeof names - used, "%s%.*s", i ? ", " : "", STR_ARG(name));
    if (more < 0 || (size_t)more >= sizeof names - used) break;
    used += (size_t)more;
  }
  names[used] = 0;
  console_problem(reply, 400, "there is no such destination; there are: %s", names);
}

bool console_filter(struct console_reply *reply, struct str state, struct str destination, struct str reason,
                    struct outbox_filter *out) {
  out->by_state = state.len > 0;
  out->destination = destination;
  out->reason = reason;
  if (out->by_state && !outbox_state_parse(state, &out->state))
    console_problem(reply, 400, "state is queued, sending, unknown, parked, done or dropped");
  else if (destination.len > OUTBOX_NAME_MAX || reason.len > OUTBOX_REASON_MAX)
    console_problem(reply, 400, "destination and reason have at most %d bytes", (int)OUTBOX_NAME_MAX);
  else if (destination.len && !is_destination(reply, destination))
    refuse_destination(reply);
  else
    return true;
  return false;
}

/* --- many --- */

void console_add_row(struct buf *out, const struct outbox_row *row) {
  bool waits = row->state == OUTBOX_QUEUED || row->state == OUTBOX_UNKNOWN;
  buf_add_char(out, '{');
  console_json_int(out, "id", row->id);
  console_json_str(out, "state", str_of(outbox_state_name(row->state)));
  console_json_str(out, "destination", row->destination);
  console_json_str(out, "kind", row->kind);
  console_json_str(out, "label", row->label);
  console_json_str(out, "reason", row->reason);
  console_json_int(out, "attempts", row->attempts);
  console_json_int(out, "bytes", (int64_t)row->bytes);
  console_json_bool(out, "blocks", row->state == OUTBOX_PARKED && row->blocks);
  console_json_time(out, "acceptedAt", row->accepted_at);
  console_json_time(out, "changedAt", row->changed_at);
  console_json_time(out, "nextAt", waits ? row->next_at : 0);
}

/* One row more than asked for says whether there are more. */
static void answer_rows(struct console_reply *reply, const struct outbox_row *rows, size_t count, size_t limit) {
  struct buf body;
  size_t shown = count < limit ? count : limit;
  buf_init(&body, LIST_MAX);
  buf_add_text(&body, "{\"records\":[");
  for (size_t i = 0; i < shown; i++) {
    if (i) buf_add_char(&body, ',');
    console_add_row(&body, &rows[i]);
    buf_add_char(&body, '}');
  }
  buf_add_text(&body, "]");
  console_json_key(&body, "after");
  if (count > limit)
    buf_printf(&body, "%lld}", (long long)rows[shown - 1].id);
  else
    buf_add_text(&body, "null}");
  console_answer_json(reply, &body);
}

void console_get_queue(struct console_reply *reply) {
  struct outbox_filter filter = {0};
  struct outbox_row *rows = NULL;
  int64_t limit = 100;
  size_t count = 0;
  if (!console_number(reply, "after", 0, INT64_MAX, &filter.after) ||
      !console_number(reply, "limit", 1, CONSOLE_LIST_MAX, &limit) ||
      !console_filter(reply, console_query_get(&reply->query, "state"),
                      console_query_get(&reply->query, "destination"),
                      console_query_get(&reply->query, "reason"), &filter))
    return;
  filter.limit = (size_t)limit + 1;
  enum status status = outbox_list(console_outbox(reply->console), &filter, reply->arena, &rows, &count);
  if (status == STATUS_OK)
    answer_rows(reply, rows, count, (size_t)limit);
  else
    console_answer_status(reply, status);
}

/* --- one --- */

struct shown {
  struct outbox_row row;
  struct outbox_attempt *attempts;
  size_t attempt_count;
  struct str *left_out; /* where they are, of a record that left some out */
  size_t left_out_count;
  struct str payload;
  bool with_payload;
};

static enum status look(struct console_reply *reply, struct shown *shown) {
  struct outbox *outbox = console_outbox(reply->console);
  struct arena *arena = reply->arena;
  enum status status = outbox_get(outbox, reply->id, arena, &shown->row);
  if (status == STATUS_OK)
    status = outbox_attempts(outbox, reply->id, arena, &shown->attempts, &shown->attempt_count);
  if (status == STATUS_OK && str_is(shown->row.reason, OUTBOX_LEFT_OUT))
    status = outbox_left_out(outbox, shown->row.destination, shown->row.label, reply->id, arena, &shown->left_out, &shown->left_out_count);
  if (status != STATUS_OK || !shown->with_payload) return status;
  status = outbox_payload(outbox, reply->id, arena, &shown->payload);
  return status == STATUS_NOT_FOUND ? STATUS_OK : status; /* delivered ones have none any more */
}

static void add_attempts(struct buf *out, const struct shown *shown) {
  console_json_key(out, "history");
  buf_add_char(out, '[');
  for (size_t i = 0; i < shown->attempt_count; i++) {
    const struct outbox_attempt *attempt = &shown->attempts[i];
    buf_add_text(out, i ? ",{" : "{");
    console_json_time(out, "at", attempt->at);
    console_json_int(out, "tookMs", attempt->took_ms);
    console_json_str(out, "state", str_of(outbox_state_name(attempt->state)));
    console_json_int(out, "httpStatus", attempt->http_status);
    console_json_str(out, "reason", attempt->reason);
    buf_add_char(out, '}');
  }
  buf_add_char(out, ']');
}

static void add_left_out(struct buf *out, const struct shown *shown) {
  if (!str_is(shown->row.reason, OUTBOX_LEFT_OUT)) return;
  console_json_key(out, "leftOut");
  buf_add_char(out, '[');
  for (size_t i = 0; i < shown->left_out_count; i++) {
    if (i) buf_add_char(out, ',');
    buf_add_json(out, shown->left_out[i]);
  }
  buf_add_char(out, ']');
}

static void add_payload(struct buf *out, const struct shown *shown, struct arena *arena) {
  if (!shown->payload.ptr) {
    console_json_key(out, "payload");
    buf_add_text(out, "null");
  } else if (utf8_invalid_at(shown->payload) == SIZE_MAX) {
    console_json_str(out, "payload", shown->payload);
  } else {
    struct str text = base_base64(shown->payload, arena);
    if (!text.ptr) out->error = STATUS_NOMEM;
    console_json_str(out, "payloadBase64", text);
  }
}

void console_get_record(struct console_reply *reply) {
  struct shown shown = {0};
  struct str payload = console_query_get(&reply->query, "payload");
  shown.with_payload = str_is(payload, "true");
  if (payload.ptr && !shown.with_payload && !str_is(payload, "false")) {
    console_problem(reply, 400, "payload is true or false");
    return;
  }
  if (shown.with_payload && !console_trusts(reply)) {
    console_problem(reply, 403, "payloads are shown to the user of the relay and to root, on its socket");
    return;
  }
  enum status status = look(reply, &shown);
  if (status != STATUS_OK) {
    console_answer_status(reply, status);
    return;
  }
  struct buf body;
  buf_init(&body, PAYLOAD_MAX);
  console_add_row(&body, &shown.row);
  add_attempts(&body, &shown);
  add_left_out(&body, &shown);
  if (shown.with_payload) add_payload(&body, &shown, reply->arena);
  buf_add_char(&body, '}');
  console_answer_json(reply, &body);
}
