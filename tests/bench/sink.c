/*
 * sink.c - a server that takes every transaction at once: HTTP/1.1 over TLS on libevent.
 *
 *   bench_sink CERTIFICATE KEY PORT-FILE STAMPS PORT
 *
 * The answer has an entry for each that was sent, with a location of its type, as the relay asks for; nothing
 * is kept but when the session's number "S-B000000001" arrived. PORT 0: any; the one it has goes to
 * PORT-FILE.
 */
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include "relay.h"

enum { BODY_MAX = 1 << 20, ANSWER_MAX = 64 << 10 };

struct sink {
  struct event_base *base;
  SSL_CTX *tls;
  struct stamps stamps;
  long number; /* of resources */
  char text[ANSWER_MAX + 1024]; /* of the answer that is written; on the stack it would be wiped for each */
};

static const char *find(const char *from, const char *end, const char *word) {
  return from ? memmem(from, (size_t)(end - from), word, strlen(word)) : NULL;
}

static void note(struct sink *sink, const char *body, const char *end) {
  const char *serial = find(body, end, "\"S-B");
  long number = serial ? strtol(serial + 4, NULL, 10) : -1;
  if (number >= 0 && number < sink->stamps.count && !sink->stamps.at[number].delivered)
    sink->stamps.at[number].delivered = stamp_now();
}

/* The type of each entry stands at the beginning of its request's url. */
static size_t write_answer(struct sink *sink, const char *body, const char *end, char *out) {
  size_t len =
      (size_t)sprintf(out, "{\"resourceType\":\"Bundle\",\"type\":\"transaction-response\",\"entry\":[");
  const char *at = body;
  for (int i = 0; (at = find(at, end, "\"request\":{")) != NULL && len + 512 < ANSWER_MAX; i++) {
    const char *url = find(at, end, "\"url\":\"");
    if (!url) break;
    url += 7;
    at = url;
    len += (size_t)sprintf(
        out + len,
        "%s{\"response\":{\"status\":\"201\",\"etag\":\"W/\\\"1\\\"\",\"location\":\"%.*s/%ld/_history/1\"}}",
        i ? "," : "", (int)strcspn(url, "?/\""), url, ++sink->number);
  }
  return len + (size_t)sprintf(out + len, "]}");
}

static void answer(struct sink *sink, struct bufferevent *connection, const char *body, const char *end) {
  note(sink, body, end);
  size_t len = write_answer(sink, body, end, sink->text);
  struct evbuffer *out = bufferevent_get_output(connection);
  evbuffer_add_printf(
      out, "HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nContent-Length: %zu\r\n\r\n", len);
  evbuffer_add(out, sink->text, len);
}

/* False: the request is not whole yet. */
static bool take(struct sink *sink, struct bufferevent *connection) {
  struct evbuffer *in = bufferevent_get_input(connection);
  size_t have = evbuffer_get_length(in);
  struct evbuffer_ptr gap = evbuffer_search(in, "\r\n\r\n", 4, NULL);
  if (gap.pos < 0) return false;
  size_t head = (size_t)gap.pos + 4;
  const char *bytes = (const char *)evbuffer_pullup(in, (ssize_t)head);
  const char *length = find(bytes, bytes + head, "Content-Length: ");
  size_t body = length ? strtoul(length + 16, NULL, 10) : 0;
  if (body > BODY_MAX) give_up("body");
  if (have < head + body) return false;
  bytes = (const char *)evbuffer_pullup(in, (ssize_t)(head + body));
  answer(sink, connection, bytes + head, bytes + head + body);
  evbuffer_drain(in, head + body);
  return true;
}

static void on_read(struct bufferevent *connection, void *context) {
  while (take(context, connection)) {
  }
}

static void on_event(struct bufferevent *connection, short what, void *context) {
  (void)context;
  if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) bufferevent_free(connection);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int size,
                      void *context) {
  struct sink *sink = context;
  (void)listener, (void)address, (void)size;
  struct bufferevent *connection = bufferevent_openssl_socket_new(
      sink->base, fd, SSL_new(sink->tls), BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
  if (!connection) give_up("connection");
  bufferevent_setcb(connection, on_read, NULL, on_event, sink);
  bufferevent_enable(connection, EV_READ | EV_WRITE);
}

static void tell_port(struct evconnlistener *listener, const char *path) {
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  FILE *file = fopen(path, "w");
  if (!file || getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&address, &size) != 0)
    give_up(path);
  fprintf(file, "%d\n", ntohs(address.sin_port));
  fclose(file);
}

int main(int count, char **arguments) {
  if (count != 6) return 2;
  struct sink sink = {.base = event_base_new(), .tls = SSL_CTX_new(TLS_server_method())};
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (count == 6) address.sin_port = htons((uint16_t)atoi(arguments[5]));
  signal(SIGPIPE, SIG_IGN);
  sink.stamps = stamps_open(arguments[4]);
  if (SSL_CTX_use_certificate_chain_file(sink.tls, arguments[1]) != 1 ||
      SSL_CTX_use_PrivateKey_file(sink.tls, arguments[2], SSL_FILETYPE_PEM) != 1)
    give_up("certificate");
  struct evconnlistener *listener =
      evconnlistener_new_bind(sink.base, on_accept, &sink, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 256,
                              (struct sockaddr *)&address, sizeof address);
  if (!listener) give_up("listen");
  tell_port(listener, arguments[3]);
  return event_base_dispatch(sink.base);
}
