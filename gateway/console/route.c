/* route.c - from a head to its handler: this host, this site, a known path and method, somebody who may, a body that
 * is wanted. */
#include <openssl/crypto.h>
#include <stdio.h>
#include "console/internal.h"

#define FILTER "state destination reason"

static const struct console_route routes[] = {
    {"GET", "/healthz", "", true, TAKE_NOTHING, console_get_health},
    {"GET", "/metrics", "", false, TAKE_NOTHING, console_get_metrics},
    {"GET", "/store", "", false, TAKE_NOTHING, console_get_store},
    {"POST", "/records", "", false, TAKE_RECORD, console_post_record},
    {"GET", "/queue", FILTER " after limit", false, TAKE_NOTHING, console_get_queue},
    {"POST", "/queue/retry", "", false, TAKE_ORDER, console_post_many, OUTBOX_RETRY},
    {"POST", "/queue/park", "", false, TAKE_ORDER, console_post_many, OUTBOX_PARK},
    {"POST", "/queue/drop", "", false, TAKE_ORDER, console_post_many, OUTBOX_DROP},
    {"GET", "/queue/#", "payload", false, TAKE_NOTHING, console_get_record},
    {"POST", "/queue/#/retry", "", false, TAKE_ORDER, console_post_order, OUTBOX_RETRY},
    {"POST", "/queue/#/park", "", false, TAKE_ORDER, console_post_order, OUTBOX_PARK},
    {"POST", "/queue/#/pass", "", false, TAKE_ORDER, console_post_order, OUTBOX_PASS},
    {"POST", "/queue/#/drop", "", false, TAKE_ORDER, console_post_order, OUTBOX_DROP},
    {"GET", "/audit", "after limit format", false, TAKE_NOTHING, console_get_audit},
    {"POST", "/audit/exported", "", false, TAKE_ORDER, console_post_exported},
    {"POST", "/audit/check", "", false, TAKE_ORDER, console_post_check},
};
enum { ROUTES = sizeof routes / sizeof routes[0] };

/* --- who asks, from where --- */

/* A browser that was led here by another name sends that name. */
static bool is_this_host(const struct console_reply *reply) {
  static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
  struct str host = reply->head.fields[FIELD_HOST];
  char port[8];
  snprintf(port, sizeof port, ":%u", (unsigned)reply->console->made[1].port);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    size_t len = strlen(names[i]);
    struct str rest = str_slice(host, len, host.len);
    if (!console_same_word(str_slice(host, 0, len), str_of(names[i]))) continue;
    return str_is(rest, port) || (rest.len == 0 && reply->console->made[1].port == 80);
  }
  return false;
}

/* A page may post here only if it came from here; programs send neither field. */
static bool is_this_site(const struct console_head *head) {
  struct str origin = head->fields[FIELD_ORIGIN], site = head->fields[FIELD_FETCH_SITE];
  bool own = !origin.ptr || (str_starts(origin, STR("http://")) &&
                             console_same_word(str_slice(origin, 7, origin.len), head->fields[FIELD_HOST]));
  return own && (!site.ptr || str_is(site, "same-origin") || str_is(site, "none"));
}

/* Digests are compared, in constant time: nothing can be learnt about the token or its length. */
static bool has_token(const struct console_reply *reply) {
  struct str value = reply->head.fields[FIELD_AUTHORIZATION], token = reply->console->params.token;
  char given[65], wanted[65];
  if (!token.len || value.len < 7 || !console_same_word(str_slice(value, 0, 7), STR("Bearer "))) return false;
  sha256_hex(str_slice(value, 7, value.len), given);
  sha256_hex(token, wanted);
  bool same = CRYPTO_memcmp(given, wanted, sizeof given) == 0;
  OPENSSL_cleanse(given, sizeof given);
  OPENSSL_cleanse(wanted, sizeof wanted);
  return same;
}

bool console_knows(const struct console_reply *reply) {
  return console_trusts(reply) || has_token(reply);
}

static bool may(struct console_reply *reply) {
  if (reply->route->open) return true;
  if (console_knows(reply)) {
    console_welcome(reply);
    return true;
  }
  if (reply->console->params.token.len)
    console_problem(reply, 401, "a token is needed, in Authorization: Bearer");
  else
    console_problem(reply, 403, "the socket is for the user of the relay and for root");
  return false;
}

/* --- path and method --- */

static bool match(struct str path, const char *pattern, int64_t *id) {
  size_t at = 0;
  for (; *pattern; pattern++) {
    if (*pattern != '#') {
      if (at >= path.len || path.ptr[at++] != *pattern) return false;
      continue;
    }
    size_t from = at;
    while (at < path.len && path.ptr[at] >= '0' && path.ptr[at] <= '9')
      at++;
    if (!str_to_int64(str_slice(path, from, at), id)) return false;
  }
  return at == path.len;
}

/* What a path takes; no path takes both. */
static bool find_route(struct console_reply *reply) {
  for (size_t i = 0; i < ROUTES; i++) {
    if (!match(reply->head.path, routes[i].path, &reply->id)) continue;
    reply->allow = routes[i].method;
    if (!str_is(reply->head.method, routes[i].method)) continue;
    reply->route = &routes[i];
    return true;
  }
  if (reply->allow)
    console_problem(reply, 405, "this path takes %s", reply->allow);
  else
    console_problem(reply, 404, "there is no such path");
  return false;
}

/* --- the body --- */

static bool takes_type(const struct console_reply *reply) {
  static const char *const records[] = {"application/json", "application/x-ndjson", "application/ndjson",
                                        "x-application/hl7-v2+er7", "application/hl7-v2"};
  struct str type = reply->head.fields[FIELD_CONTENT_TYPE];
  size_t count = reply->route->takes == TAKE_RECORD ? sizeof records / sizeof records[0] : 1;
  for (size_t i = 0; i < count; i++)
    if (console_type_is(type, records[i])) return true;
  return false;
}

static bool has_room(const struct console *console, size_t length) {
  size_t largest = console->params.max_body > CONSOLE_ORDER_MAX ? console->params.max_body : CONSOLE_ORDER_MAX;
  return console->bodies + length <= largest * CONSOLE_BODIES;
}

static bool takes_body(struct console_reply *reply) {
  const struct console *console = reply->console;
  int64_t length = reply->head.length;
  size_t most = reply->route->takes == TAKE_RECORD ? console->params.max_body : CONSOLE_ORDER_MAX;
  if (reply->route->takes == TAKE_NOTHING) {
    if (length > 0) console_problem(reply, 400, "this path takes no body");
    return length <= 0;
  }
  if (length < 0)
    console_problem(reply, 411, "a body is sent with its Content-Length");
  else if ((uint64_t)length > most)
    console_problem(reply, 413, "a body has at most %zu bytes here", most);
  else if (!takes_type(reply))
    console_problem(reply, 415, "the body's type is not one that this path takes");
  else if (!has_room(console, (size_t)length))
    console_problem(reply, 503, "other bodies are under way");
  else
    return true;
  return false;
}

static bool has_query(struct console_reply *reply) {
  const char *fault = NULL;
  int status =
      console_query_parse(reply->head.query, reply->route->query, reply->arena, &reply->query, &fault);
  if (status) console_problem(reply, status, "%s", fault);
  return status == 0;
}

void console_route(struct console_reply *reply) {
  if (!reply->local && !is_this_host(reply))
    console_problem(reply, 421, "this is the relay of this machine, by the name localhost and its port");
  else if (!is_this_site(&reply->head))
    console_problem(reply, 403, "pages of other sites are not answered");
  else if (find_route(reply) && may(reply) && has_query(reply) && takes_body(reply))
    console_go_on(reply);
}

struct outbox *console_outbox(const struct console *console) {
  const struct console_hooks *hooks = &console->params.hooks;
  if (hooks->take) hooks->take(hooks->context);
  return console->params.outbox;
}
