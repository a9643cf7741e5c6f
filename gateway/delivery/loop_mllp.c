/* loop_mllp.c - the conversation of mllp.c on the event loop: the loop makes the connection, and this file waits for its
 * socket. */
#include <event2/event.h>
#include <stdlib.h>
#include "delivery/loop.h"
#include "delivery/talk.h"

struct sending {
  struct delivery_loop *loop;
  struct delivery_transfer *transfer; /* the loop's: its connection */
  struct delivery_talk talk;
  char error[CURL_ERROR_SIZE];
  struct event *event;
  curl_socket_t socket;
  delivery_done *done;
  void *context;
};

static void forget(void *context) {
  struct sending *sending = context;
  if (sending->event) event_free(sending->event);
  delivery_talk_release(&sending->talk);
  free(sending);
}

static void finish(struct sending *sending, CURLcode connected) {
  struct delivery_answer answer;
  delivery_done *done = sending->done;
  void *context = sending->context;
  delivery_talk_end(&sending->talk, connected, &answer);
  struct delivery_transfer *transfer = sending->transfer;
  forget(sending);
  delivery_loop_disconnect(transfer);
  done(context, &answer);
}

static void on_socket(evutil_socket_t socket, short what, void *context);

/* Watches for what it wants next; without an event (no memory) it is given up, and its outcome is unknown. */
static void go_on(struct sending *sending, enum delivery_talk_wants wants) {
  int64_t left = delivery_talk_left(&sending->talk);
  struct timeval when = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
  if (wants != TALK_ENDED && left) {
    if (sending->event) event_free(sending->event);
    sending->event = event_new(delivery_loop_base(sending->loop), sending->socket,
                               (short)((wants == TALK_WRITE ? EV_WRITE : EV_READ) | EV_TIMEOUT), on_socket, sending);
    if (sending->event && event_add(sending->event, &when) == 0) return;
  }
  if (wants != TALK_ENDED) delivery_talk_give_up(&sending->talk);
  finish(sending, CURLE_OK);
}

static void on_socket(evutil_socket_t socket, short what, void *context) {
  struct sending *sending = context;
  (void)socket;
  (void)what;
  go_on(sending, delivery_talk_step(&sending->talk));
}

static void on_connected(void *context, CURLcode code) {
  struct sending *sending = context;
  if (code != CURLE_OK) {
    finish(sending, code);
    return;
  }
  delivery_talk_start(&sending->talk);
  if (curl_easy_getinfo(sending->talk.call.curl, CURLINFO_ACTIVESOCKET, &sending->socket) != CURLE_OK) {
    finish(sending, CURLE_COULDNT_CONNECT);
    return;
  }
  go_on(sending, delivery_talk_step(&sending->talk));
}

enum status delivery_loop_message(struct delivery_loop *loop, struct delivery_client *client,
                                  const struct delivery_message *message, struct arena *arena, delivery_done *done,
                                  void *context) {
  struct sending *sending = calloc(1, sizeof *sending);
  if (!sending) return STATUS_NOMEM;
  *sending = (struct sending){.loop = loop, .done = done, .context = context, .socket = CURL_SOCKET_BAD};
  sending->talk.message = *message;
  sending->talk.call = (struct delivery_call){.client = client, .error = sending->error, .arena = arena};
  enum status status = delivery_loop_connect(loop, &sending->talk.call, on_connected, forget, sending, &sending->transfer);
  if (status != STATUS_OK) {
    free(sending);
    return status;
  }
  status = delivery_talk_begin(&sending->talk);
  if (status == STATUS_OK) status = delivery_loop_start(loop, sending->transfer);
  if (status == STATUS_OK) return STATUS_OK;
  struct delivery_transfer *transfer = sending->transfer;
  forget(sending);
  delivery_loop_disconnect(transfer);
  return status;
}
