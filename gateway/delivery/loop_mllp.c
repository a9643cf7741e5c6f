/*
 * loop_mllp.c - the conversation of mllp.c on the event loop: the loop makes the connection, and this file waits for its
 * socket.
 *
 * A line is a connection, with the message that is under way on it or resting until the next one. Several messages of a
 * destination at once need several lines. A receiver that serves one connection at a time is not starved: a line that has
 * its answer gives way to one that has waited for its first answer since before.
 */
#include <event2/event.h>
#include <stdlib.h>
#include "delivery/loop.h"
#include "delivery/talk.h"

enum {
  RESTING_MAX = 8,
  YIELD_MS = 250 /* that a line rests while another waits for its first answer */
};

struct delivery_line {
  struct delivery_line *before, *next; /* of the client */
  struct delivery_loop *loop;
  struct delivery_transfer *transfer; /* the loop's: its connection */
  struct delivery_talk talk;
  char error[CURL_ERROR_SIZE];
  struct event *event;
  curl_socket_t socket;
  uint64_t turn; /* which message of the client it carries */
  bool resting;
  delivery_done *done;
  void *context;
};

/* --- lines of a client --- */

static void link_line(struct delivery_client *client, struct delivery_line *line) {
  line->next = client->lines;
  if (client->lines) client->lines->before = line;
  client->lines = line;
}

static void forget(void *context) {
  struct delivery_line *line = context;
  if (line->before) line->before->next = line->next;
  if (line->next) line->next->before = line->before;
  if (line->talk.call.client->lines == line) line->talk.call.client->lines = line->next;
  if (line->event) event_free(line->event);
  delivery_talk_release(&line->talk);
  free(line);
}

static void hang_up(struct delivery_line *line) {
  struct delivery_transfer *transfer = line->transfer;
  forget(line);
  delivery_loop_disconnect(transfer);
}

void delivery_lines_hang_up(struct delivery_client *client) {
  while (client->lines)
    hang_up(client->lines);
}

/* Waiting for the first answer that ever came on it. */
static bool is_new(const struct delivery_line *line) {
  return !line->resting && !line->talk.reused;
}

static bool may_rest(const struct delivery_line *line, bool *others_wait) {
  size_t resting = 0;
  *others_wait = false;
  for (const struct delivery_line *other = line->talk.call.client->lines; other; other = other->next) {
    if (other != line && is_new(other) && other->turn < line->turn) return false;
    *others_wait |= other != line && is_new(other);
    resting += other->resting;
  }
  return resting < RESTING_MAX;
}

static struct delivery_line *take_resting(struct delivery_client *client, const struct delivery_loop *loop) {
  for (struct delivery_line *line = client->lines, *next; line; line = next) {
    next = line->next;
    if (!line->resting || line->loop != loop) continue;
    if (delivery_talk_is_alive(&line->talk)) return line;
    hang_up(line);
  }
  return NULL;
}

/* --- its socket --- */

static void on_socket(evutil_socket_t socket, short what, void *context);

static bool watch(struct delivery_line *line, short what, int64_t ms) {
  struct timeval when = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
  if (line->event) event_free(line->event);
  line->event =
      event_new(delivery_loop_base(line->loop), line->socket, (short)(what | EV_TIMEOUT), on_socket, line);
  return line->event && event_add(line->event, &when) == 0;
}

static bool rest(struct delivery_line *line) {
  bool others_wait = false, fine = may_rest(line, &others_wait);
  if (!delivery_talk_rest(&line->talk) || !fine) return false;
  int64_t left = delivery_talk_rest_left(&line->talk);
  line->resting = watch(line, EV_READ, others_wait && left > YIELD_MS ? YIELD_MS : left);
  return line->resting;
}

static void send_anew(struct delivery_line *dead);

/* The line rests, or is gone, before `done` is called: that may want to send on it, or free its client. */
static void finish(struct delivery_line *line, CURLcode connected) {
  struct delivery_answer answer;
  delivery_done *done = line->done;
  void *context = line->context;
  if (connected == CURLE_OK && delivery_talk_is_unsent(&line->talk)) {
    send_anew(line);
    return;
  }
  delivery_talk_end(&line->talk, connected, &answer);
  if (connected != CURLE_OK || !rest(line)) hang_up(line);
  done(context, &answer);
}

/* Watches for what it wants next; without an event (no memory) it is given up, and its outcome is unknown. */
static void go_on(struct delivery_line *line, enum delivery_talk_wants wants) {
  int64_t left = delivery_talk_left(&line->talk);
  if (wants != TALK_ENDED && left && watch(line, wants == TALK_WRITE ? EV_WRITE : EV_READ, left)) return;
  if (wants != TALK_ENDED) delivery_talk_give_up(&line->talk);
  finish(line, CURLE_OK);
}

/* Of TLS alone something may come that is no byte. */
static void look_after(struct delivery_line *line, short what) {
  int64_t left = delivery_talk_rest_left(&line->talk);
  bool fine = !(what & EV_TIMEOUT) && delivery_talk_is_alive(&line->talk) && watch(line, EV_READ, left);
  if (!fine) hang_up(line);
}

static void on_socket(evutil_socket_t socket, short what, void *context) {
  struct delivery_line *line = context;
  (void)socket;
  if (line->resting)
    look_after(line, what);
  else
    go_on(line, delivery_talk_step(&line->talk));
}

static void on_connected(void *context, CURLcode code) {
  struct delivery_line *line = context;
  if (code != CURLE_OK) {
    finish(line, code);
    return;
  }
  delivery_talk_start(&line->talk);
  if (curl_easy_getinfo(line->talk.call.curl, CURLINFO_ACTIVESOCKET, &line->socket) != CURLE_OK) {
    finish(line, CURLE_COULDNT_CONNECT);
    return;
  }
  go_on(line, delivery_talk_step(&line->talk));
}

/* --- a message --- */

static enum status start(struct delivery_line *line) {
  enum status status = delivery_talk_begin(&line->talk);
  return status == STATUS_OK ? delivery_loop_start(line->transfer) : status;
}

static enum status send_fresh(struct delivery_loop *loop, struct delivery_client *client, const struct delivery_message *message,
                              struct arena *arena, delivery_done *done, void *context) {
  struct delivery_line *line = calloc(1, sizeof *line);
  if (!line) return STATUS_NOMEM;
  *line = (struct delivery_line){
      .loop = loop, .turn = ++client->messages, .done = done, .context = context, .socket = CURL_SOCKET_BAD};
  line->talk.message = *message;
  line->talk.call = (struct delivery_call){.client = client, .error = line->error, .arena = arena};
  enum status status = delivery_loop_connect(loop, &line->talk.call, on_connected, forget, line, &line->transfer);
  if (status != STATUS_OK) {
    free(line);
    return status;
  }
  link_line(client, line);
  status = start(line);
  if (status != STATUS_OK) hang_up(line);
  return status;
}

/* The message of a line that was dead before a byte was given to it. */
static void send_anew(struct delivery_line *dead) {
  struct delivery_line was = *dead;
  const struct delivery_call *call = &was.talk.call;
  hang_up(dead);
  if (send_fresh(was.loop, call->client, &was.talk.message, call->arena, was.done, was.context) == STATUS_OK) return;
  struct delivery_answer answer = {.phase = DELIVERY_CONNECT,
                                   .retry_after_ms = -1,
                                   .reason = STR("no memory for a connection"),
                                   .verdict = DELIVERY_RETRY,
                                   .as_status = STATUS_UNAVAILABLE};
  was.done(was.context, &answer);
}

/* It is sent from the event loop: the end of it is never told from within delivery_loop_message. */
static enum status send_kept(struct delivery_line *line, const struct delivery_message *message, struct arena *arena,
                             delivery_done *done, void *context) {
  line->resting = false;
  line->turn = ++line->talk.call.client->messages;
  line->done = done;
  line->context = context;
  delivery_talk_again(&line->talk, message, arena);
  enum status status = delivery_talk_begin(&line->talk);
  delivery_talk_start(&line->talk);
  if (status == STATUS_OK && !watch(line, EV_WRITE, delivery_talk_left(&line->talk))) status = STATUS_NOMEM;
  if (status != STATUS_OK) hang_up(line);
  return status;
}

enum status delivery_loop_message(struct delivery_loop *loop, struct delivery_client *client,
                                  const struct delivery_message *message, struct arena *arena, delivery_done *done,
                                  void *context) {
  struct delivery_line *line = take_resting(client, loop);
  return line ? send_kept(line, message, arena, done, context) : send_fresh(loop, client, message, arena, done, context);
}
