/* listener.c - what is listened on, who may connect, and what is counted. */
#include "relay/listener.h"

#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

enum { BACKLOG = 1024, REST_MS = 200, ALIVE_SECONDS = 60, ALIVE_STEP_SECONDS = 10, ALIVE_STEPS = 6 };

void relay_listener_count(struct relay_listener *listener, enum relay_count what, uint64_t more) {
  listener->counts[what] += more;
}

/* Whoever connects a thousand times a second must not fill the log. */
void relay_listener_say(struct relay_listener *listener, const char *event, struct str why) {
  int64_t now = relay_elapsed(listener->relay);
  if (now < listener->quiet_until) return;
  listener->quiet_until = now + LISTENER_QUIET_MS;
  RELAY_LOG(listener->relay, RELAY_WARNING, event, RELAY_TEXT("listener", listener->config->name),
            RELAY_TEXT("why", why));
}

/* --- who is there --- */

/* RFC 4291: of an address the last 64 bits are the host's own to choose. One of IPv4 that is written as one of IPv6 is none of those. */
static void mask_host(struct in6_addr *address) {
  enum { NETWORK_BYTES = 8 };
  if (!IN6_IS_ADDR_V4MAPPED(address)) memset(&address->s6_addr[NETWORK_BYTES], 0, sizeof *address - NETWORK_BYTES);
}

void relay_listener_place(const struct sockaddr *address, struct sockaddr_storage *out) {
  *out = (struct sockaddr_storage){.ss_family = address->sa_family};
  if (address->sa_family == AF_INET)
    ((struct sockaddr_in *)out)->sin_addr = ((const struct sockaddr_in *)(const void *)address)->sin_addr;
  if (address->sa_family != AF_INET6) return;
  struct sockaddr_in6 *place = (struct sockaddr_in6 *)out;
  place->sin6_addr = ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
  mask_host(&place->sin6_addr);
}

static struct relay_peer **find_peer(struct relay_listener *listener, const struct sockaddr_storage *address) {
  struct str bytes = str_make((const char *)address, sizeof *address);
  struct relay_peer **at = &listener->peers[str_hash(bytes) % LISTENER_PEERS];
  while (*at && memcmp(&(*at)->address, address, sizeof *address) != 0)
    at = &(*at)->next;
  return at;
}

static struct relay_peer *meet(struct relay_listener *listener, const struct sockaddr *address) {
  struct sockaddr_storage known;
  relay_listener_place(address, &known);
  struct relay_peer **at = find_peer(listener, &known);
  if (!*at) *at = calloc(1, sizeof **at);
  if (!*at) return NULL;
  (*at)->address = known;
  (*at)->connections++;
  return *at;
}

void relay_listener_forget(struct relay_listener *listener, struct relay_peer *peer) {
  if (--peer->connections) return;
  struct relay_peer **at = find_peer(listener, &peer->address);
  *at = peer->next;
  free(peer);
}

/* --- accepting --- */

static void turn_away(struct relay_listener *listener, int fd, const char *why) {
  close(fd);
  relay_listener_count(listener, COUNT_TURNED_AWAY, 1);
  relay_listener_say(listener, "mllp-turned-away", str_of(why));
}

/* A peer whose machine went away is noticed within minutes, however long it may be idle. */
static void keep_alive(int fd) {
  static const struct {
    int level, option, value;
  } options[] = {{SOL_SOCKET, SO_KEEPALIVE, 1},
                 {IPPROTO_TCP, TCP_KEEPIDLE, ALIVE_SECONDS},
                 {IPPROTO_TCP, TCP_KEEPINTVL, ALIVE_STEP_SECONDS},
                 {IPPROTO_TCP, TCP_KEEPCNT, ALIVE_STEPS},
                 {IPPROTO_TCP, TCP_NODELAY, 1}};
  for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
    (void)setsockopt(fd, options[i].level, options[i].option, &options[i].value, sizeof options[i].value);
}

static void on_accept(struct evconnlistener *event, evutil_socket_t fd, struct sockaddr *address, int size,
                      void *context) {
  struct relay_listener *listener = context;
  (void)event;
  (void)size;
  if (listener->connections >= (size_t)listener->config->max_connections) {
    turn_away(listener, fd, "all places are taken");
    return;
  }
  struct relay_peer *peer = meet(listener, address);
  if (!peer || peer->connections > (size_t)listener->config->max_per_address) {
    if (peer) relay_listener_forget(listener, peer);
    turn_away(listener, fd, peer ? "all places of its address are taken" : "no memory");
    return;
  }
  if (!listener->config->is_path) keep_alive(fd);
  relay_listener_count(listener, COUNT_ACCEPTED, 1);
  relay_link_begin(listener, fd, peer);
}

/* No descriptors are left: the listener would be readable for ever, so nobody is accepted for a moment. */
static void on_accept_error(struct evconnlistener *event, void *context) {
  struct relay_listener *listener = context;
  if (relay_wait_ms(listener->rest, REST_MS)) evconnlistener_disable(event);
  relay_listener_say(listener, "mllp-rests", STR("no connection can be accepted"));
}

/* As late as all else that comes in this turn of the loop. */
static void on_turn(evutil_socket_t fd, short what, void *context) {
  struct relay_listener *listener = context;
  (void)fd;
  (void)what;
  listener->reading_since = 0;
  for (struct relay_link *link = listener->links, *next = NULL; link; link = next) {
    next = link->next;
    if (link->rests) relay_link_wake(link);
  }
}

static void on_rested(evutil_socket_t fd, short what, void *context) {
  struct relay_listener *listener = context;
  (void)fd;
  (void)what;
  if (listener->relay->stopping || evconnlistener_enable(listener->listener) == 0) return;
  (void)relay_wait_ms(listener->rest, REST_MS);
  relay_listener_say(listener, "mllp-rests", STR("connections cannot be waited for"));
}

/* --- opening --- */

/* Nothing is enough to ask with. */
static enum status check_charset(const struct relay *relay, struct str charset, struct diag_list *diags) {
  struct hl7v2_text nothing = {.text = STR(""), .charset = charset};
  struct source source = source_make(charset, (struct str){0});
  struct str bytes;
  if (!charset.len || hl7v2_encode(&nothing, relay->arena, &bytes) == STATUS_OK) return STATUS_OK;
  diag_error(diags, DIAG_CONFIG_INVALID, &(struct diag_at){.source = &source},
             "the charset of [mllp] is not one of HL7 table 0211 that is read here");
  return STATUS_CONFIG;
}

enum status relay_listener_new(struct relay *relay, const struct relay_mllp_config *config, struct diag_list *diags,
                               struct relay_listener **out) {
  struct relay_listener *listener = *out = calloc(1, sizeof *listener);
  if (!listener) return STATUS_NOMEM;
  *listener = (struct relay_listener){.relay = relay, .config = config, .made = {.fd = -1}};
  enum status charset = check_charset(relay, config->charset, diags);
  enum status status = relay_tls_open(config, relay->host, diags, &listener->tls);
  return charset == STATUS_OK ? status : charset;
}

static enum status bind_to(struct relay_listener *listener, struct diag_list *diags) {
  const struct relay_mllp_config *config = listener->config;
  struct base_address address;
  if (config->is_path) return base_listen_path(config->listen.ptr, diags, &listener->made);
  if (!base_address_parse(config->listen, &address)) return STATUS_CONFIG; /* relay_config_read has said why */
  return base_listen_address(config->listen.ptr, &address, diags, &listener->made);
}

static enum status listen_on(struct relay_listener *listener, struct diag_list *diags) {
  enum status status = bind_to(listener, diags);
  if (status != STATUS_OK) return status;
  listener->listener = evconnlistener_new(listener->relay->base, on_accept, listener,
                                          LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG, listener->made.fd);
  if (!listener->listener) {
    close(listener->made.fd);
    return STATUS_NOMEM;
  }
  evconnlistener_set_error_cb(listener->listener, on_accept_error);
  return STATUS_OK;
}

enum status relay_listener_renew(struct relay_listener *listener, struct diag_list *diags) {
  if (!listener || !listener->config->is_path || base_listen_is_there(listener->config->listen.ptr, &listener->made))
    return STATUS_OK;
  struct evconnlistener *old = listener->listener;
  struct base_listening before = listener->made;
  enum status status = listen_on(listener, diags);
  if (status == STATUS_OK) {
    evconnlistener_free(old);
    return STATUS_OK;
  }
  base_listen_remove(listener->config->listen.ptr, &listener->made);
  listener->listener = old;
  listener->made = before;
  return status;
}

enum status relay_listener_begin(struct relay_listener *listener, struct diag_list *diags) {
  enum status status = listen_on(listener, diags);
  if (status != STATUS_OK) return status;
  listener->rest = event_new(listener->relay->base, -1, 0, on_rested, listener);
  listener->turn = event_new(listener->relay->base, -1, 0, on_turn, listener);
  if (!listener->rest || !listener->turn) return STATUS_NOMEM;
  RELAY_LOG(listener->relay, RELAY_INFO, "mllp-listens", RELAY_TEXT("listener", listener->config->name),
            RELAY_NUMBER("port", listener->made.port));
  return STATUS_OK;
}

enum status relay_listener_read(const struct relay_listener *listener, struct diag_list *diags, struct relay_tls **fresh) {
  return relay_tls_open(listener->config, listener->relay->host, diags, fresh);
}

void relay_listener_use(struct relay_listener *listener, struct relay_tls *fresh) {
  relay_tls_close(listener->tls);
  listener->tls = fresh;
}

/* --- ending --- */

void relay_listener_stop(struct relay_listener *listener) {
  struct relay_link *next = NULL;
  if (!listener || !listener->listener) return;
  evconnlistener_disable(listener->listener);
  for (struct relay_link *link = listener->links; link; link = next) {
    next = link->next;
    relay_link_stop(link);
  }
}

bool relay_listener_is_busy(const struct relay_listener *listener) {
  for (const struct relay_link *link = listener ? listener->links : NULL; link; link = link->next)
    if (relay_link_is_busy(link)) return true;
  return false;
}

void relay_listener_look(struct relay_listener *listener) {
  struct relay_link *next = NULL;
  if (!listener || !listener->waiting) return;
  for (struct relay_link *link = listener->links; link; link = next) {
    next = link->next;
    if (!link->owed) continue;
    relay_message_look(link);
    relay_link_go_on(link);
  }
}

void relay_listener_close(struct relay_listener *listener) {
  if (!listener) return;
  while (listener->links)
    relay_link_drop(listener->links);
  if (listener->listener) evconnlistener_free(listener->listener);
  if (listener->rest) event_free(listener->rest);
  if (listener->turn) event_free(listener->turn);
  if (listener->config->is_path) base_listen_remove(listener->config->listen.ptr, &listener->made);
  relay_tls_close(listener->tls);
  free(listener);
}

/* --- metrics --- */

static const struct {
  const char *name, *help;
} counts[RELAY_COUNTS] = {
    [COUNT_ACCEPTED] = {"mllp_connections_total", "Connections since the start."},
    [COUNT_TURNED_AWAY] = {"mllp_turned_away_total", "Connections that were turned away since the start: too many, or TLS failed."},
    [COUNT_TIMEOUTS] = {"mllp_timeouts_total", "Connections that were closed since the start: a message or an answer took too long."},
    [COUNT_MESSAGES] = {"mllp_messages_total", "Messages since the start."},
    [COUNT_AGAIN] = {"mllp_again_total", "Messages since the start that were known, and answered as before."},
    [COUNT_CONFLICTS] = {"mllp_conflicts_total", "Messages since the start whose control id was known with other content."},
    [COUNT_GIVEN_UP] = {"mllp_given_up_total", "Frames since the start that were no message: cut off, unended, too large, without MSH."},
    [COUNT_NOISE] = {"mllp_noise_bytes_total", "Bytes between frames since the start."},
};

static void add_open(const struct relay *relay, struct buf *out) {
  relay_metric_head(out, "mllp_connections", "gauge", "Open connections.");
  for (size_t i = 0; i < relay->config->mllp_count; i++)
    buf_printf(out, "ketlink_mllp_connections{listener=\"%.*s\"} %zu\n", STR_ARG(relay->config->mllps[i].name), relay->listeners[i]->connections);
}

static void add_answers(const struct relay *relay, struct buf *out) {
  relay_metric_head(out, "mllp_answers_total", "counter", "Acknowledgements by their code since the start.");
  for (size_t i = 0; i < relay->config->mllp_count; i++)
    for (size_t code = HL7V2_AA; code <= HL7V2_CR; code++)
      buf_printf(out, "ketlink_mllp_answers_total{listener=\"%.*s\",code=\"%s\"} %llu\n", STR_ARG(relay->config->mllps[i].name),
                 hl7v2_ack_name((enum hl7v2_ack)code), (unsigned long long)relay->listeners[i]->answers[code]);
}

void relay_listeners_metrics(const struct relay *relay, struct buf *out) {
  if (!relay->config->mllp_count) return;
  add_open(relay, out);
  for (size_t count = 0; count < RELAY_COUNTS; count++) {
    relay_metric_head(out, counts[count].name, "counter", counts[count].help);
    for (size_t i = 0; i < relay->config->mllp_count; i++)
      buf_printf(out, "ketlink_%s{listener=\"%.*s\"} %llu\n", counts[count].name, STR_ARG(relay->config->mllps[i].name),
                 (unsigned long long)relay->listeners[i]->counts[count]);
  }
  add_answers(relay, out);
}
