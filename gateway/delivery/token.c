/* token.c - access tokens: asked for once, shared, renewed early, and what it means when there is none. */
#include "delivery/token.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include "base/secret.h"
#include "delivery/client.h"
#include "delivery/message.h"
#include "delivery/smart.h"

enum { FETCH_ARENA = 1 << 20, SKEW_MAX_MS = 60000, AGAIN_MS = 5000, ERROR_WORD_MAX = 64 };

/* One fetch. */
struct fetch {
  struct delivery_client *client;
  const struct delivery_channel *channel;
  struct arena *arena; /* wiped when it ends */
  struct str where;    /* for people: which request failed */
};

static int64_t now_of(const struct delivery_client *client) {
  return client->host->monotonic_ns(client->host->context) / 1000000;
}

/* --- why there is none --- */

static enum status __attribute__((format(printf, 4, 5)))
fail(struct fetch *fetch, enum delivery_phase phase, enum status status, const char *format, ...) {
  struct delivery_token_failure *failure = &fetch->client->token.failure;
  va_list args;
  bool passing = status == STATUS_UNAVAILABLE;
  *failure =
      (struct delivery_token_failure){.failed = true, .phase = phase, .status = status, .retry_after_ms = -1};
  failure->verdict = passing ? DELIVERY_RETRY : DELIVERY_HOLD;
  size_t used = (size_t)snprintf(failure->reason, sizeof failure->reason, "no access token: %.*s: ",
                                 STR_ARG(str_slice(fetch->where, 0, DELIVERY_REASON_MAX / 4)));
  va_start(args, format);
  (void)vsnprintf(failure->reason + used, sizeof failure->reason - used, format, args);
  va_end(args);
  return STATUS_INVALID;
}

/* What a connection was not made for, or an answer not read to its end. */
static enum status fail_on_the_way(struct fetch *fetch, const struct delivery_answer *answer) {
  bool tls = answer->phase == DELIVERY_TLS, ours = answer->phase == DELIVERY_BEFORE_CONNECT;
  return fail(fetch,
              tls    ? DELIVERY_TLS
              : ours ? DELIVERY_BEFORE_CONNECT
                     : DELIVERY_CONNECT,
              tls || ours ? STATUS_CONFIG : STATUS_UNAVAILABLE, "%.*s", STR_ARG(answer->reason));
}

/* RFC 6749 section 5.2, and what SMART servers mean by it. */
static const struct {
  const char *error, *advice;
  enum status status;
} refusals[] = {
    {"invalid_client",
     "it does not know this client or the key that signed: compare clientId, give it the public set "
     "(ketlink keys jwks), and mind that servers cache it",
     STATUS_DENIED},
    {"unauthorized_client", "this client may not use client_credentials: ask who runs the server",
     STATUS_DENIED},
    {"invalid_scope", "the scope is unknown or not granted to this client: auth.scope", STATUS_DENIED},
    {"invalid_grant", "the assertion was refused: compare clientId and tokenUrl, and the clock",
     STATUS_DENIED},
    {"access_denied", "this client is not permitted: ask who runs the server", STATUS_DENIED},
    {"invalid_request", "it did not understand the request: is it a SMART Backend Services endpoint?",
     STATUS_DENIED},
    {"unsupported_grant_type", "it does not offer client_credentials: SMART Backend Services are off",
     STATUS_DENIED},
    {"temporarily_unavailable", "it is out of service for now", STATUS_UNAVAILABLE},
    {"server_error", "it failed", STATUS_UNAVAILABLE},
};

static enum status fail_refused(struct fetch *fetch, const struct delivery_answer *answer) {
  json_t *body =
      json_loadb(answer->body.ptr ? answer->body.ptr : "", answer->body.len, JSON_REJECT_DUPLICATES, NULL);
  char word[ERROR_WORD_MAX] = "";
  const char *given = json_string_value(json_object_get(body, "error"));
  if (given) (void)snprintf(word, sizeof word, "%s", given);
  json_decref(body);
  for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
    if (strcmp(word, refusals[i].error) == 0)
      return fail(fetch,
                  refusals[i].status == STATUS_UNAVAILABLE ? DELIVERY_CONNECT : DELIVERY_BEFORE_CONNECT,
                  refusals[i].status, "%s (HTTP status %ld): %s", word, answer->status, refusals[i].advice);
  return fail(fetch, DELIVERY_BEFORE_CONNECT, STATUS_DENIED, "HTTP status %ld without an error code of OAuth",
              answer->status);
}

/* Assertions live for minutes: with a clock that is off they fail now and then, and nobody knows why. */
static bool clocks_agree(struct fetch *fetch, const struct delivery_answer *answer) {
  const struct host *host = fetch->client->host;
  int64_t skew = host->now_ms(host->context) - answer->server_ms, size = skew < 0 ? -skew : skew;
  if (!answer->server_ms || size <= SKEW_MAX_MS) return true;
  (void)fail(fetch, DELIVERY_BEFORE_CONNECT, STATUS_CONFIG,
             "this machine's clock is %lld s %s the server's: set it by NTP", (long long)size / 1000,
             skew < 0 ? "behind" : "ahead of");
  return false;
}

static enum status judge(struct fetch *fetch, const struct delivery_answer *answer) {
  long status = answer->status;
  if (!answer->complete) return fail_on_the_way(fetch, answer);
  if (!clocks_agree(fetch, answer)) return STATUS_INVALID;
  if (status == 200) return STATUS_OK;
  if (status == 408 || status == 425 || status == 429 || status >= 500) {
    enum status failed = fail(fetch, DELIVERY_CONNECT, STATUS_UNAVAILABLE, "HTTP status %ld", status);
    fetch->client->token.failure.retry_after_ms = answer->retry_after_ms;
    return failed;
  }
  if (status >= 300 && status < 400)
    return fail(fetch, DELIVERY_BEFORE_CONNECT, STATUS_CONFIG,
                "HTTP status %ld: redirects are never followed", status);
  if (status == 400 || status == 401 || status == 403) return fail_refused(fetch, answer);
  return fail(fetch, DELIVERY_BEFORE_CONNECT, STATUS_CONFIG, "HTTP status %ld: is this its address?", status);
}

/* The finding of a reader becomes the reason. */
static enum status fail_with(struct fetch *fetch, enum status status, const struct diag_list *diags) {
  if (status == STATUS_NOMEM) return status;
  return fail(fetch, DELIVERY_BEFORE_CONNECT, STATUS_CONFIG, "%.*s",
              STR_ARG(diags->first ? diags->first->message : STR("cannot be used")));
}

/* --- the two requests --- */

static enum status call(struct fetch *fetch, const struct delivery_request *request,
                        struct delivery_answer *answer) {
  *answer = (struct delivery_answer){0};
  enum status status = fetch->channel->send(fetch->channel->context, request, fetch->arena, answer);
  return status == STATUS_OK ? judge(fetch, answer) : status;
}

static enum status discover(struct fetch *fetch, struct str *url) {
  struct delivery_client *client = fetch->client;
  struct delivery_request request = {.purpose = DELIVERY_DISCOVERY, .method = "GET"};
  struct delivery_answer answer;
  struct diag_list diags;
  request.url = arena_concat(fetch->arena, client->destination.base, STR("/.well-known/smart-configuration"));
  fetch->where = STR("smart-configuration");
  diag_list_init(&diags, fetch->arena);
  if (!request.url.ptr) return STATUS_NOMEM;
  enum status status = call(fetch, &request, &answer);
  if (status != STATUS_OK) return status;
  status = delivery_smart_discovery_read(answer.body, client->destination.base, fetch->arena, &diags, url);
  if (status != STATUS_OK) return fail_with(fetch, status, &diags);
  if (url->len >= DELIVERY_URL_MAX || !delivery_smart_same_origin(*url, *url)) /* it has one */
    return fail(fetch, DELIVERY_BEFORE_CONNECT, STATUS_CONFIG, "its token_endpoint is no address");
  return STATUS_OK;
}

/* The form that is posted, made of the key set as it is now. */
static enum status make_form(struct fetch *fetch, struct str url, struct str *form) {
  const struct delivery_destination *destination = &fetch->client->destination;
  struct delivery_smart_keys *keys = NULL;
  struct diag_list diags;
  struct str assertion;
  fetch->where = destination->keys_file;
  diag_list_init(&diags, fetch->arena);
  enum status status = delivery_smart_keys_read(destination->keys_file.ptr, &diags, &keys);
  if (status != STATUS_OK) return fail_with(fetch, status, &diags);
  status = delivery_smart_assertion(keys, destination->client_id, url, fetch->client->host, fetch->arena,
                                    &assertion);
  delivery_smart_keys_close(keys);
  if (status == STATUS_OK)
    status = delivery_smart_token_request(assertion, destination->scope, fetch->arena, form);
  return status == STATUS_OK || status == STATUS_NOMEM
             ? status
             : fail(fetch, DELIVERY_BEFORE_CONNECT, STATUS_CONFIG, "no assertion could be signed");
}

static enum status take(struct fetch *fetch, struct str body) {
  struct delivery_client *client = fetch->client;
  struct delivery_smart_token token;
  struct diag_list diags;
  diag_list_init(&diags, fetch->arena);
  enum status status = delivery_smart_token_read(body, now_of(client), fetch->arena, &diags, &token);
  if (status != STATUS_OK) return fail_with(fetch, status, &diags);
  status = delivery_authorize(client, "Bearer", token.access_token);
  if (status != STATUS_OK) return status;
  client->token.expires_at = token.expires_at;
  client->token.refresh_at = token.refresh_at;
  client->token.generation++;
  return STATUS_OK;
}

static enum status ask(struct fetch *fetch) {
  struct delivery_client *client = fetch->client;
  struct delivery_request request = {.purpose = DELIVERY_TOKEN, .method = "POST"};
  struct delivery_answer answer;
  enum status status = STATUS_OK;
  request.url = client->destination.token_url.len ? client->destination.token_url : str_of(client->token.url);
  if (!request.url.len) status = discover(fetch, &request.url);
  if (status == STATUS_OK) status = make_form(fetch, request.url, &request.body);
  if (status != STATUS_OK) return status;
  fetch->where = STR("token endpoint");
  status = call(fetch, &request, &answer);
  if (status == STATUS_OK) status = take(fetch, answer.body);
  if (status == STATUS_OK && !client->destination.token_url.len)
    (void)snprintf(client->token.url, sizeof client->token.url, "%.*s", STR_ARG(request.url));
  return status;
}

/* --- one fetch for all --- */

static enum status run_fetch(struct delivery_client *client, const struct delivery_channel *channel) {
  struct delivery_token *token = &client->token;
  struct fetch fetch = {.client = client, .channel = channel, .arena = arena_new(FETCH_ARENA)};
  if (!fetch.arena) return STATUS_NOMEM;
  token->fetching = true;
  token->failure.failed = false;
  enum status status = ask(&fetch);
  if (status != STATUS_OK && !token->failure.failed)
    (void)fail(&fetch, DELIVERY_CONNECT, STATUS_UNAVAILABLE, "not enough memory");
  if (token->failure.failed) token->url[0] = 0; /* it may have moved */
  arena_free(fetch.arena);
  token->fetching = false;
  if (channel->ended) channel->ended(channel->context);
  return STATUS_OK;
}

static bool is_alive(const struct delivery_client *client) {
  return client->token.expires_at > now_of(client);
}

/* The old one serves until it ends, and is tried to be renewed now and then. */
static void go_on_with_old(struct delivery_client *client) {
  client->token.refresh_at = now_of(client) + AGAIN_MS;
}

/* Renewed when it is time, unless somebody is at it. */
static enum status have(struct delivery_client *client, const struct delivery_channel *channel) {
  struct delivery_token *token = &client->token;
  bool joined = false;
  while (token->fetching && !is_alive(client) && channel->join) {
    channel->join(channel->context);
    joined = true;
  }
  if (token->fetching || (is_alive(client) && now_of(client) < token->refresh_at)) return STATUS_OK;
  if (joined && token->failure.failed) return STATUS_OK;
  enum status status = run_fetch(client, channel);
  if (status == STATUS_OK && token->failure.failed && is_alive(client)) go_on_with_old(client);
  return status;
}

static enum status tell_failure(const struct delivery_client *client, struct arena *arena,
                                struct delivery_answer *out) {
  const struct delivery_token_failure *failure = &client->token.failure;
  *out = (struct delivery_answer){.phase = failure->phase,
                                  .retry_after_ms = failure->retry_after_ms,
                                  .verdict = failure->verdict,
                                  .as_status = failure->status,
                                  .no_token = true};
  out->reason = arena_str(arena, str_of(failure->reason));
  return out->reason.ptr ? STATUS_OK : STATUS_NOMEM;
}

/* The file of the secret is not there any more, or others may read it: what was in it is not used further. */
static enum status tell_stale(const struct delivery_client *client, struct arena *arena, struct delivery_answer *out) {
  *out = (struct delivery_answer){.phase = DELIVERY_BEFORE_CONNECT,
                                  .retry_after_ms = -1,
                                  .verdict = DELIVERY_HOLD,
                                  .as_status = STATUS_CONFIG};
  out->reason = arena_str(arena, str_of(client->stale_reason));
  return out->reason.ptr ? STATUS_OK : STATUS_NOMEM;
}

enum status delivery_message_may_go(struct delivery_client *client, struct arena *arena, struct delivery_answer *out) {
  *out = (struct delivery_answer){0};
  delivery_credential_refresh(client);
  return client->stale ? tell_stale(client, arena, out) : STATUS_OK;
}

/* Refused though its life was not over. */
static void forget(struct delivery_client *client) {
  if (client->authorization) OPENSSL_clear_free(client->authorization, client->authorization_size);
  client->authorization = NULL;
  client->token.expires_at = client->token.refresh_at = 0;
}

enum status delivery_send_on(struct delivery_client *client, const struct delivery_channel *channel,
                             const struct delivery_request *request, struct arena *arena,
                             struct delivery_answer *out) {
  if (request->purpose != DELIVERY_FHIR) return channel->send(channel->context, request, arena, out);
  delivery_credential_refresh(client);
  if (client->stale) return tell_stale(client, arena, out);
  if (client->destination.auth != DELIVERY_AUTH_SMART) return channel->send(channel->context, request, arena, out);
  for (bool again = false;; again = true) {
    enum status status = have(client, channel);
    if (status != STATUS_OK) return status;
    if (!is_alive(client)) return tell_failure(client, arena, out);
    unsigned generation = client->token.generation;
    status = channel->send(channel->context, request, arena, out);
    if (status != STATUS_OK || out->status != 401 || again) return status;
    if (generation == client->token.generation) forget(client); /* else it has been renewed meanwhile */
  }
}

enum status delivery_token_have(struct delivery_client *client, const struct delivery_channel *channel,
                                struct arena *arena, struct delivery_answer *out,
                                struct delivery_token_view *view) {
  const struct delivery_token *token = &client->token;
  *view = (struct delivery_token_view){0};
  enum status status = have(client, channel);
  if (status != STATUS_OK) return status;
  if (!is_alive(client)) return tell_failure(client, arena, out);
  view->url = client->destination.token_url.len ? client->destination.token_url : str_of(token->url);
  view->left_ms = token->expires_at - now_of(client);
  return STATUS_OK;
}
