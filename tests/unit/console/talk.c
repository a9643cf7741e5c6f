/* talk.c - a console with a real store and a real event loop in a test. */
#include "talk.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void post(void *context, struct str body, struct str type, struct console_reply *reply) {
  struct talk *talk = context;
  size_t len = body.len < sizeof talk->body ? body.len : sizeof talk->body;
  talk->body_len = body.len;
  if (len) memcpy(talk->body, body.ptr, len);
  snprintf(talk->type, sizeof talk->type, "%.*s", STR_ARG(type));
  talk->posts++;
  if (talk->hold_post)
    talk->posted = reply;
  else
    console_answer(reply, 200, STR("application/json"), STR("{\"accepted\":true}\n"), -1);
}

static void when_durable(void *context, void (*done)(void *, enum status), void *done_context) {
  struct talk *talk = context;
  talk->done = done;
  talk->done_context = done_context;
  if (talk->hold_durable) return;
  done(done_context, talk->durable == STATUS_OK ? outbox_commit(talk->store->outbox) : talk->durable);
}

static void kick(void *context) {
  ((struct talk *)context)->kicks++;
}

static void metrics(void *context, struct buf *out) {
  (void)context;
  buf_add_text(out, "ketlink_relay_up 1\n");
}

static bool healthy(void *context, struct buf *words) {
  const struct talk *talk = context;
  if (talk->sick) buf_add_text(words, "the disk is full");
  return !talk->sick;
}

int talk_setup(void **state) {
  static const struct str destinations[] = {{"ehr", 3}, {"a\"b\\c\nd", 7}};
  struct talk *talk = calloc(1, sizeof *talk);
  void *store = NULL;
  if (!talk || store_setup(&store) != 0) return -1;
  talk->store = store;
  talk->base = event_base_new();
  snprintf(talk->socket, sizeof talk->socket, "%s/sock", talk->store->folder);
  talk->params = (struct console_params){
      .host = host_system(),
      .base = talk->base,
      .outbox = talk->store->outbox,
      .socket = talk->socket,
      .listen_host = "127.0.0.1",
      .token = STR(TOKEN),
      .max_body = 2000,
      .max_connections = 16,
      .request_ms = 3000,
      .destinations = destinations,
      .destination_count = 2,
      .hooks = {talk, post, when_durable, kick, metrics, healthy},
  };
  *state = talk;
  talk_reopen(talk);
  return 0;
}

int talk_teardown(void **state) {
  struct talk *talk = *state;
  void *store = talk->store;
  console_close(talk->console);
  event_base_free(talk->base);
  free(talk);
  return store_teardown(&store);
}

void talk_reopen(struct talk *talk) {
  console_close(talk->console);
  talk->console = NULL;
  assert_int_equal(console_open(&talk->params, &talk->store->diags, &talk->console), STATUS_OK);
}

int talk_connect(struct talk *talk, bool local) {
  struct sockaddr_un path = {.sun_family = AF_UNIX};
  struct sockaddr_in port = {.sin_family = AF_INET,
                             .sin_port = htons(console_port(talk->console)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  snprintf(path.sun_path, sizeof path.sun_path, "%s", talk->socket);
  int failed = local ? connect(fd, (struct sockaddr *)&path, sizeof path)
                     : connect(fd, (struct sockaddr *)&port, sizeof port);
  assert_int_equal(failed, 0);
  return fd;
}

static int64_t now_ms(void) {
  return host_system()->monotonic_ns(NULL) / 1000000;
}

static void turn_once(struct talk *talk) {
  struct timespec moment = {.tv_nsec = 1000000};
  if (event_base_loop(talk->base, EVLOOP_NONBLOCK) < 0) fail_msg("the loop does not turn");
  nanosleep(&moment, NULL);
}

/* Also where this process has to wait for the processor: to accept, to read and to answer are turns of their own. */
void talk_turn(struct talk *talk, int ms) {
  enum { TURNS = 10 };
  int turns = 0;
  for (int64_t end = now_ms() + ms; now_ms() < end || (turns < ms && turns < TURNS); turns++)
    turn_once(talk);
}

void talk_send(struct talk *talk, int fd, const char *bytes, size_t len) {
  for (size_t sent = 0; sent < len;) {
    ssize_t n = send(fd, bytes + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN) return; /* it was refused before all was sent */
    if (n < 0)
      turn_once(talk);
    else
      sent += (size_t)n;
  }
}

bool talk_has_bytes(int fd) {
  struct pollfd one = {.fd = fd, .events = POLLIN};
  return poll(&one, 1, 0) > 0;
}

int talk_read(struct talk *talk, int fd, int ms) {
  ssize_t n = -1;
  talk->answer_len = 0;
  for (int64_t end = now_ms() + ms; n != 0 && now_ms() < end;) {
    turn_once(talk);
    n = recv(fd, talk->answer + talk->answer_len, sizeof talk->answer - 1 - talk->answer_len, MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN) break;
    if (n > 0) talk->answer_len += (size_t)n;
  }
  close(fd);
  talk->answer[talk->answer_len] = 0;
  turn_once(talk);
  return talk->answer_len > 12 && strncmp(talk->answer, "HTTP/1.1 ", 9) == 0 ? atoi(talk->answer + 9) : 0;
}

int talk_raw(struct talk *talk, bool local, const char *bytes, size_t len) {
  int fd = talk_connect(talk, local);
  talk_send(talk, fd, bytes, len);
  return talk_read(talk, fd, 5000);
}

int talk_ask(struct talk *talk, const char *method, const char *target, const char *body) {
  char length[128] = "";
  if (body)
    snprintf(length, sizeof length, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
  struct str text = arena_printf(talk->store->arena, "%s %s HTTP/1.1\r\nHost: relay\r\n%s\r\n%s", method, target,
                                 length, body ? body : "");
  return talk_raw(talk, true, text.ptr, text.len);
}

const char *talk_body(const struct talk *talk) {
  const char *end = strstr(talk->answer, "\r\n\r\n");
  return end ? end + 4 : "";
}

bool talk_said(const struct talk *talk, const char *part) {
  return strstr(talk->answer, part) != NULL;
}
