/* webhook.c - alerts as JSON documents, posted to one address, in their order. Whoever is told may be told twice (an
   answer can be lost), never of a patient; delivery does not wait for it. */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "relay/internal.h"

enum { ANSWER_ARENA = 1 << 20, BODY_MAX = 4096, HOST_MAX = 256, FIRST_WAIT_MS = 1000, MOST_WAIT_MS = 60000 };

struct alert {
  struct alert *next;
  const char *state;
  struct buf body;
};

struct relay_webhook {
  struct relay *relay;
  struct delivery_client *client;
  struct arena *arena; /* of an answer */
  struct event *timer; /* until the next try; NULL until there is something to tell */
  struct alert *first, **end; /* the first is the one that is under way */
  size_t count;
  unsigned tries; /* of the first */
  bool sending;
  bool stale_told;
};

int64_t relay_webhook_wait(unsigned tries) {
  int64_t wait = FIRST_WAIT_MS;
  if (tries >= RELAY_WEBHOOK_TRIES) return -1;
  for (unsigned i = 1; i < tries && wait < MOST_WAIT_MS; i++)
    wait *= 2;
  return wait < MOST_WAIT_MS ? wait : MOST_WAIT_MS;
}

/* --- the document --- */

static void add_member(struct buf *out, const char *name, struct str value) {
  buf_printf(out, "%s\"%s\":", out->len ? "," : "{", name);
  buf_add_json(out, value);
}

static void write_body(const struct relay *relay, const char *state, struct str what, struct str why, struct buf *out) {
  char host[HOST_MAX] = "", since[DATETIME_TEXT];
  struct datetime now = datetime_from_ms(relay_now(relay), 0);
  now.precision = DATETIME_SECOND;
  if (gethostname(host, sizeof host - 1) != 0) host[0] = 0;
  add_member(out, "state", str_of(state));
  add_member(out, "what", what);
  if (why.len) add_member(out, "why", why);
  add_member(out, "since", str_make(since, datetime_write(&now, since)));
  add_member(out, "host", str_of(host));
  buf_add_char(out, '}');
}

/* --- the queue --- */

static void free_alert(struct alert *alert) {
  buf_release(&alert->body);
  free(alert);
}

static void say_lost(const struct relay_webhook *webhook, const char *state, struct str why) {
  RELAY_LOG(webhook->relay, RELAY_ERROR, "alert-not-posted", RELAY_TEXT("state", str_of(state)), RELAY_TEXT("why", why));
}

static void lose(struct relay_webhook *webhook, struct alert **at, struct str why) {
  struct alert *alert = *at;
  say_lost(webhook, alert->state, why);
  *at = alert->next;
  if (!*at) webhook->end = at;
  webhook->count--;
  free_alert(alert);
}

static void end_first(struct relay_webhook *webhook) {
  struct alert *alert = webhook->first;
  webhook->first = alert->next;
  if (!webhook->first) webhook->end = &webhook->first;
  webhook->count--;
  webhook->tries = 0;
  free_alert(alert);
}

/* NULL: no memory. */
static struct alert *new_alert(const struct relay_webhook *webhook, const char *state, struct str what, struct str why) {
  struct alert *alert = calloc(1, sizeof *alert);
  if (!alert) return NULL;
  alert->state = state;
  buf_init(&alert->body, BODY_MAX);
  write_body(webhook->relay, state, what, why, &alert->body);
  if (alert->body.error == STATUS_OK) return alert;
  free_alert(alert);
  return NULL;
}

/* --- posting --- */

static void send_first(struct relay_webhook *webhook);

static void try_again(struct relay_webhook *webhook, struct str why) {
  int64_t wait = relay_webhook_wait(webhook->tries);
  if (wait >= 0 && relay_wait_ms(webhook->timer, wait)) return;
  lose(webhook, &webhook->first, why);
  webhook->tries = 0;
  send_first(webhook);
}

/* What will not be otherwise at the next try: a redirect, which is never followed, and most refusals. */
static bool is_final(const struct delivery_answer *answer) {
  return answer->status >= 300 && answer->status < 500 && answer->status != 408 && answer->status != 425 &&
         answer->status != 429;
}

/* An alert that does not come is worse than a token of nothing but alerts that others may have read: it goes with the old one, and this is said. */
static void tell_stale(struct relay_webhook *webhook) {
  struct str why = delivery_client_stale(webhook->client);
  if (why.len && !webhook->stale_told) RELAY_LOG(webhook->relay, RELAY_WARNING, "alert-token", RELAY_TEXT("why", why));
  webhook->stale_told = why.len;
}

static void on_answer(void *context, const struct delivery_answer *answer) {
  struct relay_webhook *webhook = context;
  webhook->sending = false;
  tell_stale(webhook);
  if (answer->status >= 200 && answer->status < 300) {
    end_first(webhook);
    send_first(webhook);
    return;
  }
  if (is_final(answer)) webhook->tries = RELAY_WEBHOOK_TRIES;
  try_again(webhook, answer->reason);
}

static void send_first(struct relay_webhook *webhook) {
  struct delivery_request request = {.purpose = DELIVERY_HOOK, .method = "POST"};
  if (!webhook->first || webhook->sending) return;
  request.body = buf_str(&webhook->first->body);
  webhook->tries++;
  arena_reset(webhook->arena);
  webhook->sending = delivery_loop_send(webhook->relay->loop, webhook->client, &request, webhook->arena,
                                        on_answer, webhook) == STATUS_OK;
  if (!webhook->sending) try_again(webhook, STR("no memory"));
}

static void on_timer(evutil_socket_t socket, short what, void *context) {
  (void)socket;
  (void)what;
  send_first(context);
}

static bool is_waiting(const struct relay_webhook *webhook) {
  return webhook->sending || event_pending(webhook->timer, EV_TIMEOUT, NULL);
}

void relay_webhook_tell(struct relay_webhook *webhook, const char *state, struct str what, struct str why) {
  if (!webhook) return;
  if (!webhook->timer) webhook->timer = event_new(webhook->relay->base, -1, 0, on_timer, webhook);
  struct alert *alert = webhook->timer ? new_alert(webhook, state, what, why) : NULL;
  if (!alert) {
    say_lost(webhook, state, STR("no memory"));
    return;
  }
  /* the newest tell how it is now; the one that is under way stays */
  if (webhook->count == RELAY_WEBHOOK_WAITING)
    lose(webhook, &webhook->first->next, STR("too many wait to be posted"));
  *webhook->end = alert;
  webhook->end = &alert->next;
  webhook->count++;
  if (!is_waiting(webhook)) send_first(webhook);
}

/* --- the whole --- */

enum status relay_webhook_open(struct relay *relay, struct diag_list *diags, struct relay_webhook **out) {
  const struct relay_config *config = relay->config;
  struct delivery_destination destination;
  *out = NULL;
  if (!config->webhook.len) return STATUS_OK;
  if (delivery_hook_make(config->webhook, config->webhook_ca, config->webhook_token, &destination))
    return STATUS_CONFIG; /* relay_config_read has said why */
  struct relay_webhook *webhook = *out = calloc(1, sizeof *webhook);
  if (!webhook) return STATUS_NOMEM;
  webhook->relay = relay;
  webhook->end = &webhook->first;
  webhook->arena = arena_new(ANSWER_ARENA);
  return webhook->arena ? delivery_client_new(&destination, relay->host, diags, &webhook->client) : STATUS_NOMEM;
}

void relay_webhook_close(struct relay_webhook *webhook) {
  if (!webhook) return;
  while (webhook->first)
    lose(webhook, &webhook->first, STR("the relay stops"));
  if (webhook->timer) event_free(webhook->timer);
  delivery_client_free(webhook->client);
  arena_free(webhook->arena);
  free(webhook);
}
