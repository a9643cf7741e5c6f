/* metrics.c - the numbers of the store in Prometheus' text format. */
#include "console/internal.h"

enum { METRICS_MAX = 4 << 20 };

/* A label's value: backslash, quotation mark and line end are escaped. */
static void add_label(struct buf *out, struct str value) {
  for (size_t i = 0; i < value.len; i++) {
    char c = value.ptr[i];
    if (c == '\\' || c == '"') buf_add_char(out, '\\');
    if (c == '\n')
      buf_add_text(out, "\\n");
    else
      buf_add_char(out, c);
  }
}

static void add_head(struct buf *out, const char *name, const char *type, const char *help) {
  buf_printf(out, "# HELP ketlink_%s %s\n# TYPE ketlink_%s %s\n", name, help, name, type);
}

static void add_number(struct buf *out, const char *name, const char *type, const char *help, uint64_t value) {
  add_head(out, name, type, help);
  buf_printf(out, "ketlink_%s %llu\n", name, (unsigned long long)value);
}

static enum status add_records(const struct console *console, struct buf *out) {
  add_head(out, "outbox_records", "gauge", "Records in the store by destination and state.");
  for (size_t i = 0; i < console->params.destination_count; i++) {
    struct outbox_stats stats;
    struct str destination = console->params.destinations[i];
    enum status status = outbox_stats(console_outbox(console), destination, &stats);
    if (status != STATUS_OK) return status;
    for (size_t state = 0; state < OUTBOX_STATES; state++) {
      buf_add_text(out, "ketlink_outbox_records{destination=\"");
      add_label(out, destination);
      buf_printf(out, "\",state=\"%s\"} %zu\n", outbox_state_name((enum outbox_state)state),
                 stats.by_state[state]);
    }
  }
  return STATUS_OK;
}

/* Of those whose turn it is in their lane: what waits behind a parked one is counted as parked is. */
static enum status add_oldest(const struct console *console, struct buf *out) {
  const struct console_params *params = &console->params;
  int64_t now = params->host->now_ms(params->host->context);
  add_head(out, "outbox_oldest_seconds", "gauge", "How long the oldest record has waited whose turn it is, by destination; 0: none waits.");
  for (size_t i = 0; i < params->destination_count; i++) {
    int64_t id = 0, accepted_at = 0;
    enum status status = outbox_oldest_of(console_outbox(console), params->destinations[i], &id, &accepted_at);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) return status;
    buf_add_text(out, "ketlink_outbox_oldest_seconds{destination=\"");
    add_label(out, params->destinations[i]);
    buf_printf(out, "\"} %lld\n", id && now > accepted_at ? (long long)(now - accepted_at) / 1000 : 0LL);
  }
  return STATUS_OK;
}

static void add_store(const struct outbox_stats *stats, struct buf *out) {
  add_number(out, "outbox_accepted_total", "counter", "Records accepted since the start.",
             stats->accepted);
  add_number(out, "outbox_duplicates_total", "counter", "Messages that came again since the start.",
             stats->duplicates);
  add_number(out, "outbox_full", "gauge", "1: nothing more is taken, as many records are open as may be, or the disk is nearly full.",
             stats->full != NULL);
  add_number(out, "outbox_records_max", "gauge", "Open records that there may be.", stats->max_records);
  add_number(out, "outbox_log_pages", "gauge", "Pages of the write-ahead log.", stats->log_pages);
  add_number(out, "outbox_free_bytes", "gauge", "Free bytes of the store's file system.", stats->free_bytes);
  add_number(out, "outbox_bytes", "gauge", "Bytes of the store's file and its log.", stats->bytes);
  add_number(out, "outbox_events", "gauge", "Events of the trail that were not exported yet.", stats->events);
  add_number(out, "outbox_ledger_places", "gauge", "Resources whose place at a server is known; counted now and then.",
             stats->ledger);
  add_number(out, "outbox_revision_subjects", "gauge", "Sessions whose last revision is known; counted now and then.",
             stats->subjects);
  add_number(out, "outbox_generation", "gauge", "Generation of the store.", (uint64_t)stats->generation);
}

static void add_console(const struct console *console, struct buf *out) {
  add_number(out, "console_connections", "gauge", "Open connections.", console->connections);
  add_number(out, "console_pushed_out_total", "counter",
             "Connections that gave way to others before they had shown a token.", console->pushed_out);
  add_head(out, "console_answers_total", "counter", "Answers by class of their status.");
  for (size_t i = 2; i < CONSOLE_CLASSES; i++)
    buf_printf(out, "ketlink_console_answers_total{class=\"%zuxx\"} %llu\n", i,
               (unsigned long long)console->answers[i]);
}

void console_get_metrics(struct console_reply *reply) {
  const struct console *console = reply->console;
  const struct console_hooks *hooks = &console->params.hooks;
  struct outbox_stats stats;
  struct buf text;
  enum status status = outbox_stats(console_outbox(console), (struct str){0}, &stats);
  buf_init(&text, METRICS_MAX);
  if (status == STATUS_OK) status = add_records(console, &text);
  if (status == STATUS_OK) status = add_oldest(console, &text);
  if (status != STATUS_OK) {
    buf_release(&text);
    console_answer_status(reply, status);
    return;
  }
  add_store(&stats, &text);
  add_console(console, &text);
  if (hooks->metrics) hooks->metrics(hooks->context, &text);
  console_answer_as(reply, 200, "text/plain; version=0.0.4; charset=utf-8", &text);
}

void console_post_record(struct console_reply *reply) {
  const struct console_hooks *hooks = &reply->console->params.hooks;
  hooks->post(hooks->context, buf_str(&reply->body), reply->head.fields[FIELD_CONTENT_TYPE], reply);
}
