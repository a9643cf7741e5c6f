/*
 * queue_driver.c - a stand-in for the relay: a store with a few records in every state, and the console before it.
 *
 *   queue_driver FOLDER SOCKET [TOKEN]     with a token also a port, which is printed; "ready" when it listens
 *
 * Its clock stands still, so that what is shown in docs/relay-api.md is the same every time. It ends on SIGTERM.
 */
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/console.h"

enum { NOON = 1772445600 }; /* 2026-03-02T10:00:00Z */

struct driver {
  struct host host;
  struct arena *arena;
  struct diag_list diags;
  struct outbox_keys keys;
  struct outbox *outbox;
  struct event_base *base;
  struct console *console;
};

static int64_t stopped_clock(void *context) {
  (void)context;
  return (int64_t)NOON * 1000;
}

static int64_t now(const struct driver *driver) {
  return driver->host.now_ms(driver->host.context);
}

static void must(const struct driver *driver, enum status status, const char *what) {
  if (status == STATUS_OK) return;
  for (const struct diag *diag = driver->diags.first; diag; diag = diag->next)
    fprintf(stderr, "%.*s\n", STR_ARG(diag->message));
  fprintf(stderr, "%s: %s\n", what, status_name(status));
  exit(1);
}

/* --- a store with something in it --- */

static void add(struct driver *driver, const char *destination, const char *lane, const char *label) {
  enum outbox_answer answer;
  struct outbox_item item = {.destination = str_of(destination),
                             .lane = str_of(lane),
                             .kind = STR("record"),
                             .label = str_of(label),
                             .payload = arena_printf(driver->arena, "{\"id\":\"%s\"}", label)};
  struct outbox_message message = {.source = item.destination, /* the same record goes to both */
                                   .content = item.payload,
                                   .items = &item,
                                   .item_count = 1};
  must(driver, outbox_accept(driver->outbox, &message, now(driver), &driver->diags, &answer, NULL), "accept");
}

static void attempt(struct driver *driver, const char *destination, enum outbox_state state, const char *reason,
                    int http_status) {
  struct outbox_claim claim;
  struct outbox_outcome outcome = {.state = state,
                                   .next_at = now(driver) + 60000,
                                   .reason = str_of(reason),
                                   .http_status = http_status,
                                   .took_ms = 180,
                                   .blocks = true};
  must(driver, outbox_claim(driver->outbox, str_of(destination), now(driver), driver->arena, &claim), "claim");
  must(driver, outbox_commit(driver->outbox), "commit");
  must(driver, outbox_finish(driver->outbox, claim.id, &outcome, now(driver)), "finish");
}

static void fill(struct driver *driver) {
  add(driver, "hospital", "patient-1", "S-2026-0301");
  attempt(driver, "hospital", OUTBOX_DONE, "stored", 200);
  add(driver, "hospital", "patient-2", "S-2026-0302");
  attempt(driver, "hospital", OUTBOX_PARKED, "http-422", 422);
  add(driver, "hospital", "patient-2", "S-2026-0303");
  add(driver, "archive", "patient-2", "S-2026-0302");
  attempt(driver, "archive", OUTBOX_UNKNOWN, "answer-lost", 0);
  add(driver, "hospital", "patient-3", "S-2026-0304");
  must(driver, outbox_commit(driver->outbox), "commit");
}

/* --- the console before it --- */

static void post(void *context, struct str body, struct str type, struct console_reply *reply) {
  struct driver *driver = context;
  (void)body;
  (void)type;
  add(driver, "hospital", "posted", "S-posted");
  must(driver, outbox_commit(driver->outbox), "commit");
  console_answer(reply, 202, STR("application/json"), STR("{}\n"), -1);
}

static void when_durable(void *context, void (*done)(void *, enum status), void *done_context) {
  struct driver *driver = context;
  done(done_context, outbox_commit(driver->outbox));
}

static void kick(void *context) {
  (void)context;
}

/* The archive is. */
static void trouble(void *context, size_t destination, struct console_trouble *out) {
  struct driver *driver = context;
  *out = (struct console_trouble){0};
  if (destination == 1) *out = (struct console_trouble){.word = "unavailable", .since = now(driver), .reason = STR("no-answer")};
}

static void on_stop(evutil_socket_t number, short what, void *context) {
  struct driver *driver = context;
  (void)number;
  (void)what;
  event_base_loopbreak(driver->base);
}

static void open_all(struct driver *driver, const char *folder, const char *socket, const char *token) {
  static const struct str destinations[] = {{"hospital", 8}, {"archive", 7}};
  struct outbox_params store = {
      .host = &driver->host, .folder = folder, .keys = &driver->keys, .reserve_bytes = 1};
  must(driver, outbox_open(&store, &driver->diags, &driver->outbox), "store");
  fill(driver);
  struct console_params params = {.host = &driver->host,
                                  .base = driver->base,
                                  .outbox = driver->outbox,
                                  .socket = socket,
                                  .listen_host = token ? "127.0.0.1" : NULL,
                                  .token = token ? str_of(token) : (struct str){0},
                                  .max_body = 8 << 20,
                                  .max_connections = 64,
                                  .request_ms = 10000,
                                  .destinations = destinations,
                                  .destination_count = 2,
                                  .hooks = {driver, post, when_durable, kick, .trouble = trouble}};
  must(driver, console_open(&params, &driver->diags, &driver->console), "console");
}

int main(int argc, char **argv) {
  struct driver driver = {.host = *host_system(), .arena = arena_new(64 << 20), .base = event_base_new()};
  if (argc < 3 || !driver.arena || !driver.base) return 2;
  driver.host.now_ms = stopped_clock;
  diag_list_init(&driver.diags, driver.arena);
  driver.keys.count = 1;
  driver.keys.ids[0] = 1;
  memset(driver.keys.keys[0], 7, OUTBOX_KEY_BYTES);
  open_all(&driver, argv[1], argv[2], argc > 3 ? argv[3] : NULL);
  struct event *stop = evsignal_new(driver.base, SIGTERM, on_stop, &driver);
  event_add(stop, NULL);
  printf("ready %u\n", (unsigned)console_port(driver.console));
  fflush(stdout);
  event_base_dispatch(driver.base);
  console_close(driver.console);
  event_free(stop);
  outbox_close(driver.outbox);
  event_base_free(driver.base);
  arena_free(driver.arena);
  return 0;
}
