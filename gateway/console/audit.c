/*
 * audit.c - the trail, as it is, and as FHIR R4 AuditEvents.
 *
 * Codes are HL7's own (iso-21089-lifecycle, audit-event-action, audit-event-outcome) and only where they mean just
 * that: accepting a record is "receive", delivering it "transmit". The other events have their word as display.
 */
#include <stdio.h>
#include "console/internal.h"

enum { AUDIT_MAX = 16 << 20 };

/* --- FHIR --- */

static const struct {
  const char *what, *code, *display, *action;
  const char *outcome; /* NULL: success */
} codes[] = {
    {"accepted", "receive", "Receive/Retain Record Lifecycle Event", "C", NULL},
    {"delivered", "transmit", "Transmit Record Lifecycle Event", "E", NULL},
    {"left-out", NULL, NULL, "E", "4"},
    {"waiting", NULL, NULL, "E", "4"},
    {"unknown", NULL, NULL, "E", "4"},
    {"retry", NULL, NULL, "U", NULL},
    {"parked", NULL, NULL, "U", NULL},
    {"passed", NULL, NULL, "U", NULL},
    {"dropped", NULL, NULL, "D", NULL},
    {"started", NULL, NULL, "E", NULL},
    {"stopped", NULL, NULL, "E", NULL},
    {"key-rotated", NULL, NULL, "U", NULL},
    {"trail-exported", NULL, NULL, "D", NULL},
    {"reloaded", NULL, NULL, "E", NULL},
    {"reload-refused", NULL, NULL, "E", "4"},
    {"backed-up", NULL, NULL, "E", NULL},
    {"backup-failed", NULL, NULL, "E", "8"},
    {"store-damaged", NULL, NULL, "E", "8"},
};
enum { CODES = sizeof codes / sizeof codes[0] };

static size_t find_code(struct str what) {
  size_t i = 0;
  while (i < CODES && !str_is(what, codes[i].what))
    i++;
  return i;
}

static void add_type(struct buf *out, const struct outbox_event *event, size_t code) {
  bool known = code < CODES && codes[code].code;
  console_json_key(out, "type");
  buf_add_char(out, '{');
  if (known) {
    console_json_str(out, "system", STR("http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"));
    console_json_str(out, "code", str_of(codes[code].code));
  }
  console_json_str(out, "display", known ? str_of(codes[code].display) : event->what);
  buf_add_char(out, '}');
}

static void add_who(struct buf *out, const struct outbox_event *event) {
  console_json_key(out, "agent");
  buf_add_text(out, "[{");
  console_json_str(out, "name", event->actor.len ? event->actor : STR("ketlink"));
  console_json_bool(out, "requestor", event->actor.len > 0);
  buf_add_text(out, "}]");
}

/* Which store it stands in. */
static void add_source(struct buf *out, const char *store) {
  console_json_key(out, "source");
  buf_printf(out, "{\"observer\":{\"identifier\":{\"value\":\"%s\"},\"display\":\"ketlink\"}}", store);
}

/* The record, and the event's own place in the trail: with all of them it can be seen that none is missing or another. */
static void add_entities(struct buf *out, const struct outbox_event *event) {
  console_json_key(out, "entity");
  buf_add_char(out, '[');
  if (event->record)
    buf_printf(out, "{\"what\":{\"identifier\":{\"value\":\"%lld\"},\"display\":\"record of the relay\"}},", (long long)event->record);
  buf_printf(out, "{\"what\":{\"identifier\":{\"value\":\"%lld\"},\"display\":\"event of the trail\"}", (long long)event->number);
  console_json_str(out, "name", event->what);
  console_json_key(out, "detail");
  buf_printf(out, "[{\"type\":\"chain\",\"valueString\":\"%.*s\"}]}]", STR_ARG(event->chain));
}

/* The same event has the same id whenever it is asked for, and that of another store another. */
static void name_event(const char *store, const struct outbox_event *event, char out[UUID_TEXT]) {
  static const unsigned char events[16] = {0x7b, 0x1c, 0x5e, 0x52, 0x0f, 0x9d, 0x4c, 0x3a,
                                           0x9a, 0x6e, 0x2d, 0x41, 0x88, 0x70, 0xc3, 0x15};
  struct buf name;
  buf_init(&name, 1024);
  buf_printf(&name, "%s %lld %lld %lld %.*s %.*s %.*s", store, (long long)event->number, (long long)event->at,
             (long long)event->record, STR_ARG(event->what), STR_ARG(event->actor), STR_ARG(event->reason));
  uuid_v5(events, buf_str(&name), out);
  buf_release(&name);
}

/* What a person sets aside is no failure. */
static struct str outcome_of(const struct outbox_event *event, size_t code) {
  if (str_is(event->what, "parked") && !event->actor.len) return STR("8");
  return code < CODES && codes[code].outcome ? str_of(codes[code].outcome) : STR("0");
}

static void add_audit_event(struct buf *out, const char *store, const struct outbox_event *event) {
  size_t code = find_code(event->what);
  char id[UUID_TEXT];
  name_event(store, event, id);
  buf_add_char(out, '{');
  console_json_str(out, "resourceType", STR("AuditEvent"));
  console_json_str(out, "id", str_of(id));
  add_type(out, event, code);
  if (code < CODES) console_json_str(out, "action", str_of(codes[code].action));
  console_json_time(out, "recorded", event->at);
  console_json_str(out, "outcome", outcome_of(event, code));
  if (event->reason.len) console_json_str(out, "outcomeDesc", event->reason);
  add_who(out, event);
  add_source(out, store);
  add_entities(out, event);
  buf_add_char(out, '}');
}

/* --- ways to write the trail --- */

struct page {
  char store[OUTBOX_ID_TEXT];
  const struct outbox_event *events;
  size_t count;
  int64_t after; /* 0: these were the last */
};

static void add_after(struct buf *out, const struct page *page) {
  console_json_key(out, "after");
  if (page->after)
    buf_printf(out, "%lld", (long long)page->after);
  else
    buf_add_text(out, "null");
}

static void add_json(struct buf *out, const struct page *page) {
  buf_add_text(out, "{\"events\":[");
  for (size_t i = 0; i < page->count; i++) {
    const struct outbox_event *event = &page->events[i];
    buf_add_text(out, i ? ",{" : "{");
    console_json_int(out, "number", event->number);
    console_json_time(out, "at", event->at);
    console_json_str(out, "what", event->what);
    console_json_int(out, "record", event->record);
    console_json_str(out, "actor", event->actor);
    console_json_str(out, "reason", event->reason);
    console_json_str(out, "chain", event->chain);
    buf_add_char(out, '}');
  }
  buf_add_char(out, ']');
  console_json_str(out, "store", str_of(page->store));
  add_after(out, page);
  buf_add_text(out, "}\n");
}

static void add_bundle(struct buf *out, const struct page *page) {
  buf_add_text(out, "{\"resourceType\":\"Bundle\",\"type\":\"collection\"");
  for (size_t i = 0; i < page->count; i++) {
    char id[UUID_TEXT];
    name_event(page->store, &page->events[i], id);
    buf_printf(out, "%s{\"fullUrl\":\"urn:uuid:%s\",\"resource\":", i ? "," : ",\"entry\":[", id);
    add_audit_event(out, page->store, &page->events[i]);
    buf_add_char(out, '}');
  }
  buf_add_text(out, page->count ? "]}\n" : "}\n");
}

static void add_lines(struct buf *out, const struct page *page) {
  for (size_t i = 0; i < page->count; i++) {
    add_audit_event(out, page->store, &page->events[i]);
    buf_add_char(out, '\n');
  }
}

static const struct {
  const char *name, *type;
  void (*add)(struct buf *out, const struct page *page);
} formats[] = {{"json", "application/json", add_json},
               {"fhir", "application/fhir+json", add_bundle},
               {"ndjson", "application/fhir+ndjson", add_lines}};
enum { FORMATS = sizeof formats / sizeof formats[0] };

static void answer_page(struct console_reply *reply, size_t format, const struct page *page) {
  struct buf body;
  buf_init(&body, AUDIT_MAX);
  formats[format].add(&body, page);
  console_answer_as(reply, 200, formats[format].type, &body);
}

/* --- the request --- */

static enum status read_page(struct console_reply *reply, int64_t after, size_t limit, struct page *out) {
  struct diag_list diags;
  struct outbox_event *events = NULL;
  diag_list_init(&diags, reply->arena);
  enum status status = outbox_audit_read(console_outbox(reply->console), after, limit + 1, reply->arena, &diags,
                                         &events, &out->count);
  out->events = events;
  outbox_id(console_outbox(reply->console), out->store);
  if (status != STATUS_OK || out->count <= limit) return status;
  out->count = limit;
  out->after = events[limit - 1].number;
  return STATUS_OK;
}

void console_get_audit(struct console_reply *reply) {
  struct str format = console_query_get(&reply->query, "format");
  struct page page = {0};
  int64_t after = 0, limit = 100;
  size_t chosen = 0;
  while (format.ptr && chosen < FORMATS && !str_is(format, formats[chosen].name))
    chosen++;
  if (chosen == FORMATS) {
    console_problem(reply, 400, "format is json, fhir or ndjson");
    return;
  }
  if (!console_number(reply, "after", 0, INT64_MAX, &after) ||
      !console_number(reply, "limit", 1, CONSOLE_LIST_MAX, &limit))
    return;
  enum status status = read_page(reply, after, (size_t)limit, &page);
  if (status == STATUS_OK)
    answer_page(reply, chosen, &page);
  else if (status == STATUS_NOT_FOUND)
    console_problem(reply, 404, "there is no such event");
  else if (status == STATUS_INVALID)
    console_problem(reply, 500, "the trail was changed by other hands after event %lld",
                    (long long)(page.count ? page.events[page.count - 1].number : after));
  else
    console_answer_status(reply, status);
}
