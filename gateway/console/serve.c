/*
 * serve.c - connections: bytes in until the request is whole, bytes out until the answer is taken.
 *
 * No bufferevent: its buffers are not wiped when they are freed, and these bytes are patients' data.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "console/internal.h"

enum {
  READ_BYTES = 16 << 10,
  READS_AT_ONCE = 8, /* then others have their turn */
  LINGER_MS = 2000,
  ARENA_MAX = 192 << 20
};

/* --- life --- */

static void link_reply(struct console *console, struct console_reply *reply) {
  reply->console = console;
  reply->next = console->replies;
  if (console->replies) console->replies->before = reply;
  console->replies = reply;
  console->connections++;
  console->strangers += reply->stranger;
}

static void release_body(struct console_reply *reply) {
  if (reply->console) reply->console->bodies -= reply->body.max;
  buf_release(&reply->body);
  reply->body.max = 0;
}

static void unlink_reply(struct console_reply *reply) {
  struct console *console = reply->console;
  if (!console) return;
  if (reply->before) reply->before->next = reply->next;
  if (reply->next) reply->next->before = reply->before;
  if (console->replies == reply) console->replies = reply->next;
  console->connections--;
  console->strangers -= reply->stranger;
  reply->stranger = false;
  console->bodies -= reply->body.max;
  reply->body.max = 0; /* the body itself is still the handler's */
  reply->console = NULL;
}

static void free_event(struct event **event) {
  if (*event) event_free(*event);
  *event = NULL;
}

static void close_connection(struct console_reply *reply) {
  free_event(&reply->readable);
  free_event(&reply->writable);
  free_event(&reply->deadline);
  if (reply->fd >= 0) close(reply->fd);
  reply->fd = -1;
  unlink_reply(reply);
}

static void free_reply(struct console_reply *reply) {
  close_connection(reply);
  buf_release(&reply->in);
  buf_release(&reply->body);
  buf_release(&reply->out);
  arena_free(reply->arena);
  free(reply);
}

static void set_deadline(struct console_reply *reply, int64_t ms) {
  struct timeval when = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
  event_add(reply->deadline, &when);
}

static void on_deadline(evutil_socket_t fd, short what, void *context) {
  struct console_reply *reply = context;
  (void)fd;
  (void)what;
  if ((reply->state == CONSOLE_HEAD && reply->in.len) || reply->state == CONSOLE_BODY)
    console_problem(reply, 408, "the request did not arrive in time");
  else
    free_reply(reply);
}

/* --- out --- */

/* False when the connection is gone. */
static bool write_some(struct console_reply *reply) {
  while (reply->sent < reply->out.len) {
    ssize_t n = send(reply->fd, reply->out.ptr + reply->sent, reply->out.len - reply->sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    reply->sent += (size_t)n;
  }
  return true;
}

static void linger(struct console_reply *reply) {
  if (!reply->cut || shutdown(reply->fd, SHUT_WR) != 0) {
    free_reply(reply);
    return;
  }
  reply->state = CONSOLE_LINGER;
  event_del(reply->writable);
  event_add(reply->readable, NULL);
  set_deadline(reply, LINGER_MS);
}

static void on_writable(evutil_socket_t fd, short what, void *context) {
  struct console_reply *reply = context;
  (void)fd;
  (void)what;
  if (!write_some(reply))
    free_reply(reply);
  else if (reply->sent == reply->out.len)
    linger(reply);
}

/* The reply is not freed here: a handler that answers still holds it. */
static void begin_writing(struct console_reply *reply) {
  reply->cut = reply->state == CONSOLE_HEAD || reply->state == CONSOLE_BODY || reply->cut;
  reply->state = CONSOLE_WRITE;
  release_body(reply);
  event_del(reply->readable);
  set_deadline(reply, reply->console->params.request_ms);
  if (!write_some(reply) || reply->sent == reply->out.len)
    event_active(reply->writable, EV_WRITE, 1);
  else
    event_add(reply->writable, NULL);
}

void console_answer(struct console_reply *reply, int status, struct str content_type, struct str body,
                    int64_t retry_after_seconds) {
  if (!reply->console) { /* the console was closed, 503 was said */
    free_reply(reply);
    return;
  }
  buf_init(&reply->out, body.len + 4096);
  console_write_answer(reply, status, content_type, body, retry_after_seconds, &reply->out);
  if (reply->out.error != STATUS_OK) buf_reset(&reply->out); /* no memory for it: closed without an answer */
  reply->console->answers[status / 100 % CONSOLE_CLASSES]++;
  begin_writing(reply);
}

/* As far as it goes without waiting. */
void console_stop(struct console_reply *reply) {
  static const char stopping[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n"
                                 "Cache-Control: no-store\r\nConnection: close\r\n\r\n";
  if (reply->state == CONSOLE_OWED) {
    ssize_t sent = send(reply->fd, stopping, sizeof stopping - 1, MSG_NOSIGNAL);
    (void)sent;
    close_connection(reply);
    return;
  }
  if (reply->state == CONSOLE_WRITE) (void)write_some(reply);
  free_reply(reply);
}

/* --- in --- */

static void hand_over(struct console_reply *reply) {
  reply->state = CONSOLE_OWED;
  event_del(reply->readable);
  event_del(reply->deadline);
  reply->route->run(reply);
}

/* Of what has come, what belongs to the body. */
static void take_rest(struct console_reply *reply, struct str rest) {
  size_t some = reply->body.max - reply->body.len;
  if (some > rest.len) some = rest.len;
  reply->cut = reply->cut || some < rest.len;
  buf_add(&reply->body, rest.ptr, some);
  if (reply->body.error != STATUS_OK)
    console_problem(reply, 503, "there is no memory for the body");
  else if (reply->body.len == reply->body.max)
    hand_over(reply);
}

static void ask_for_body(struct console_reply *reply) {
  static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
  ssize_t sent = send(reply->fd, go_on, sizeof go_on - 1, MSG_NOSIGNAL);
  (void)sent; /* the first bytes of a connection always have room; and it may be left out */
}

void console_go_on(struct console_reply *reply) {
  struct console *console = reply->console;
  size_t length = reply->head.length > 0 ? (size_t)reply->head.length : 0;
  struct str rest = str_slice(buf_str(&reply->in), reply->seen, reply->in.len);
  buf_init(&reply->body, length);
  console->bodies += length;
  reply->state = CONSOLE_BODY;
  if (reply->head.expects && length > rest.len) ask_for_body(reply);
  take_rest(reply, rest);
}

static void read_head(struct console_reply *reply) {
  const char *fault = NULL;
  size_t end = 0;
  int status = console_head_end(buf_str(&reply->in), &reply->seen, &end, &fault);
  if (status) {
    console_problem(reply, status, "%s", fault);
    return;
  }
  if (!end) return;
  reply->seen = end;
  reply->arena = arena_new(ARENA_MAX);
  struct str text = reply->arena ? arena_str(reply->arena, str_make(reply->in.ptr, end)) : (struct str){0};
  status = text.ptr ? console_head_parse(text, &reply->head) : 503;
  if (status)
    console_problem(reply, status, "%s", text.ptr ? reply->head.fault : "there is no memory");
  else
    console_route(reply);
}

static void take(struct console_reply *reply, struct str bytes) {
  if (reply->state == CONSOLE_BODY) {
    take_rest(reply, bytes);
    return;
  }
  if (reply->state != CONSOLE_HEAD) return; /* lingering */
  buf_add_str(&reply->in, bytes);
  if (reply->in.error != STATUS_OK)
    console_problem(reply, 503, "there is no memory");
  else
    read_head(reply);
}

static bool wants_bytes(const struct console_reply *reply) {
  return reply->state == CONSOLE_HEAD || reply->state == CONSOLE_BODY || reply->state == CONSOLE_LINGER;
}

static void on_readable(evutil_socket_t fd, short what, void *context) {
  struct console_reply *reply = context;
  char bytes[READ_BYTES];
  ssize_t n = 0;
  (void)what;
  for (int i = 0; i < READS_AT_ONCE; i++) {
    n = recv(fd, bytes, sizeof bytes, 0);
    if (n <= 0) break;
    take(reply, str_make(bytes, (size_t)n));
    explicit_bzero(bytes, (size_t)n);
    /* an answer that is owed may have been given: then the reply writes, and is not freed before the loop turns */
    if (!wants_bytes(reply)) return;
  }
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) free_reply(reply);
}

/* --- accepting --- */

bool console_trusts(const struct console_reply *reply) {
  return reply->local && (reply->user == 0 || reply->user == geteuid());
}

/* Whoever comes when all places are taken is told so, as far as that goes without waiting. */
static void turn_away(struct console *console, int fd) {
  static const char full[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
                             "Cache-Control: no-store\r\nConnection: close\r\n\r\n";
  char bytes[READ_BYTES];
  ssize_t n = send(fd, full, sizeof full - 1, MSG_NOSIGNAL);
  if (n > 0) n = recv(fd, bytes, sizeof bytes, 0); /* unread bytes would make the close a reset */
  if (n > 0) explicit_bzero(bytes, (size_t)n);
  console->answers[5]++;
  close(fd);
}

static bool know_peer(struct console_reply *reply) {
  struct ucred peer = {0};
  socklen_t size = sizeof peer;
  if (reply->local && getsockopt(reply->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  reply->user = peer.uid;
  reply->stranger = !console_trusts(reply);
  return true;
}

void console_welcome(struct console_reply *reply) {
  reply->console->strangers -= reply->stranger;
  reply->stranger = false;
  set_deadline(reply, reply->console->params.request_ms);
}

/* The first are the youngest. */
static struct console_reply *oldest_stranger(const struct console *console) {
  struct console_reply *oldest = NULL;
  for (struct console_reply *reply = console->replies; reply; reply = reply->next)
    if (reply->stranger && reply->state != CONSOLE_OWED) oldest = reply;
  return oldest;
}

static bool make_room(struct console *console, bool for_stranger) {
  size_t most = console->params.max_connections;
  bool full = console->connections >= most || (for_stranger && console->strangers >= (most + 1) / 2);
  struct console_reply *stranger = full ? oldest_stranger(console) : NULL;
  if (!stranger) return !full;
  console->pushed_out++;
  free_reply(stranger);
  return true;
}

/* NULL: it was turned away. */
static struct console_reply *new_reply(struct console *console, int fd, bool local) {
  struct console_reply *reply = calloc(1, sizeof *reply);
  if (reply) *reply = (struct console_reply){.fd = fd, .local = local};
  if (!reply || !know_peer(reply))
    close(fd);
  else if (!make_room(console, reply->stranger))
    turn_away(console, fd);
  else {
    buf_init(&reply->in, CONSOLE_HEAD_MAX + READ_BYTES);
    link_reply(console, reply);
    return reply;
  }
  free(reply);
  return NULL;
}

void console_serve(struct console *console, int fd, bool local) {
  struct console_reply *reply = new_reply(console, fd, local);
  struct event_base *base = console->params.base;
  int64_t ms = console->params.request_ms;
  if (!reply) return;
  reply->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, reply);
  reply->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, reply);
  reply->deadline = event_new(base, -1, 0, on_deadline, reply);
  if (!reply->readable || !reply->writable || !reply->deadline ||
      event_priority_set(reply->readable, 0) != 0 || event_add(reply->readable, NULL) != 0) {
    free_reply(reply);
    return;
  }
  set_deadline(reply, reply->stranger && ms > CONSOLE_STRANGER_MS ? CONSOLE_STRANGER_MS : ms);
}
