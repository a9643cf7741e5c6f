/* store.c - what stays in the store and how much of it there is, and what has waited longest: for who has to see that
 * nothing grows unnoticed. */
#include "console/internal.h"

static void add_records(const struct outbox_stats *stats, struct buf *out) {
  console_json_key(out, "records");
  buf_add_char(out, '{');
  for (size_t state = 0; state < OUTBOX_STATES; state++)
    console_json_int(out, outbox_state_name((enum outbox_state)state), (int64_t)stats->by_state[state]);
  buf_add_char(out, '}');
}

/* Of one destination, or of all when empty. */
static enum status add_oldest(const struct console *console, struct str destination, struct buf *out) {
  int64_t id = 0, accepted_at = 0;
  struct outbox *outbox = console_outbox(console);
  enum status status = destination.len ? outbox_oldest_of(outbox, destination, &id, &accepted_at)
                                       : outbox_oldest(outbox, &id, &accepted_at);
  if (status != STATUS_OK && status != STATUS_NOT_FOUND) return status;
  int64_t age = console->params.host->now_ms(console->params.host->context) - accepted_at;
  console_json_key(out, "oldest");
  buf_add_char(out, '{');
  console_json_int(out, "id", id);
  console_json_time(out, "acceptedAt", accepted_at);
  console_json_int(out, "ageSeconds", id && age > 0 ? age / 1000 : 0);
  buf_add_char(out, '}');
  return STATUS_OK;
}

/* Destinations that the configuration has not any more, as far as something waits for them. */
static enum status add_missing(const struct console *console, struct buf *out) {
  const struct console_params *params = &console->params;
  bool any = false;
  console_json_key(out, "missing");
  buf_add_char(out, '[');
  for (size_t i = params->destination_count - params->missing_count; i < params->destination_count; i++) {
    struct outbox_stats stats;
    enum status status = outbox_stats(console_outbox(console), params->destinations[i], &stats);
    if (status != STATUS_OK) return status;
    if (!outbox_open_records(&stats)) continue;
    if (any) buf_add_char(out, ',');
    buf_add_json(out, params->destinations[i]);
    any = true;
  }
  buf_add_char(out, ']');
  return STATUS_OK;
}

struct console_trouble console_trouble_of(const struct console *console, size_t index) {
  const struct console_hooks *hooks = &console->params.hooks;
  struct console_trouble trouble = {0};
  if (hooks->trouble) hooks->trouble(hooks->context, index, &trouble);
  return trouble;
}

void console_add_trouble(struct buf *out, const struct console_trouble *trouble) {
  console_json_str(out, "trouble", str_of(trouble->word ? trouble->word : ""));
  console_json_time(out, "since", trouble->since);
  console_json_str(out, "reason", trouble->reason.ptr ? trouble->reason : STR(""));
}

/* Those of the configuration: what is wrong with each, and what waits for it. */
static enum status add_destinations(const struct console *console, struct buf *out) {
  const struct console_params *params = &console->params;
  enum status status = STATUS_OK;
  console_json_key(out, "destinations");
  buf_add_char(out, '[');
  for (size_t i = 0; status == STATUS_OK && i < params->destination_count - params->missing_count; i++) {
    struct outbox_stats stats;
    status = outbox_stats(console_outbox(console), params->destinations[i], &stats);
    if (status != STATUS_OK) break;
    buf_add_text(out, i ? ",{" : "{");
    console_json_str(out, "name", params->destinations[i]);
    struct console_trouble trouble = console_trouble_of(console, i);
    console_add_trouble(out, &trouble);
    console_json_int(out, "open", (int64_t)outbox_open_records(&stats));
    console_json_int(out, "parked", (int64_t)stats.by_state[OUTBOX_PARKED]);
    status = add_oldest(console, params->destinations[i], out);
    buf_add_char(out, '}');
  }
  buf_add_char(out, ']');
  return status;
}

static void add_sizes(const struct outbox_stats *stats, struct buf *out) {
  console_json_str(out, "full", str_of(stats->full ? stats->full : ""));
  console_json_int(out, "maxRecords", (int64_t)stats->max_records);
  console_json_int(out, "bytes", (int64_t)stats->bytes);
  console_json_int(out, "freeBytes", (int64_t)stats->free_bytes);
  console_json_int(out, "events", (int64_t)stats->events);
  console_json_int(out, "ledgerPlaces", (int64_t)stats->ledger);
  console_json_int(out, "revisionSubjects", (int64_t)stats->subjects);
}

/* How far the wall clock is ahead of the time by which old rows go: as a rule less than an hour. */
static void add_clock(const struct console *console, struct buf *out) {
  int64_t noted = outbox_clock(console_outbox(console)), ahead = console->params.host->now_ms(console->params.host->context) - noted;
  console_json_int(out, "clockAheadSeconds", noted && ahead > 0 ? ahead / 1000 : 0);
}

void console_get_store(struct console_reply *reply) {
  const struct console *console = reply->console;
  struct outbox_stats stats;
  struct buf body;
  buf_init(&body, 64 << 10);
  buf_add_char(&body, '{');
  enum status status = outbox_stats(console_outbox(console), (struct str){0}, &stats);
  if (status == STATUS_OK) {
    add_sizes(&stats, &body);
    add_clock(console, &body);
    add_records(&stats, &body);
    status = add_oldest(console, (struct str){0}, &body);
  }
  if (status == STATUS_OK) status = add_destinations(console, &body);
  if (status == STATUS_OK) status = add_missing(console, &body);
  buf_add_char(&body, '}');
  if (status == STATUS_OK)
    console_answer_json(reply, &body);
  else
    console_answer_status(reply, status);
  if (status != STATUS_OK) buf_release(&body);
}
