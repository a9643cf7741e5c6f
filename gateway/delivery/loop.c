/* loop.c - libcurl's multi interface on libevent: libcurl says which sockets it watches, and when it wants to
 * be called. */
#include "delivery/loop.h"

#include <event2/event.h>
#include <stdlib.h>
#include "delivery/client.h"

enum { IDLE_HANDLES = 64 };

struct delivery_transfer;

struct delivery_loop {
  struct event_base *base;
  CURLM *multi;
  struct event *timer;
  struct delivery_transfer *transfers;
  CURL *idle[IDLE_HANDLES]; /* handles without settings, to be used again */
  size_t idle_count;
};

struct delivery_transfer {
  struct delivery_loop *loop;
  struct delivery_transfer *before, *next;
  struct delivery_call call;
  char error[CURL_ERROR_SIZE];
  delivery_done *done;
  void *context;
  /* of a connection for others: the call is theirs */
  CURL *lent;
  delivery_connected *connected;
  void (*forget)(void *context);
};

/* --- transfers --- */

static void link_transfer(struct delivery_loop *loop, struct delivery_transfer *transfer) {
  transfer->next = loop->transfers;
  if (loop->transfers) loop->transfers->before = transfer;
  loop->transfers = transfer;
}

static void unlink_transfer(struct delivery_transfer *transfer) {
  if (transfer->before) transfer->before->next = transfer->next;
  if (transfer->next) transfer->next->before = transfer->before;
  if (transfer->loop->transfers == transfer) transfer->loop->transfers = transfer->next;
}

static void give_back(struct delivery_loop *loop, CURL *curl) {
  if (loop->idle_count == IDLE_HANDLES) {
    curl_easy_cleanup(curl);
    return;
  }
  curl_easy_reset(curl);
  loop->idle[loop->idle_count++] = curl;
}

static void end_transfer(struct delivery_transfer *transfer) {
  struct delivery_loop *loop = transfer->loop;
  CURL *curl = transfer->lent ? transfer->lent : transfer->call.curl;
  unlink_transfer(transfer);
  curl_multi_remove_handle(loop->multi, curl);
  if (!transfer->lent) delivery_call_release(&transfer->call);
  give_back(loop, curl);
  free(transfer);
}

static void finish_transfer(CURL *curl, CURLcode code) {
  struct delivery_transfer *transfer = NULL;
  struct delivery_answer answer;
  curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **)&transfer);
  if (transfer->lent) {
    transfer->connected(transfer->context, code);
    return;
  }
  delivery_done *done = transfer->done;
  void *context = transfer->context;
  /* no memory for the answer: it was not read, which says nothing about what the server did */
  if (delivery_call_end(&transfer->call, code, &answer) != STATUS_OK)
    answer = (struct delivery_answer){.phase = DELIVERY_SENDING,
                                      .retry_after_ms = -1,
                                      .reason = STR("no memory for the answer"),
                                      .verdict = DELIVERY_SETTLE,
                                      .as_status = STATUS_RETRY};
  end_transfer(transfer);
  done(context, &answer);
}

static void finish_all(struct delivery_loop *loop) {
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(loop->multi, &left)) != NULL)
    if (message->msg == CURLMSG_DONE) finish_transfer(message->easy_handle, message->data.result);
}

/* --- libcurl and libevent --- */

static void act(struct delivery_loop *loop, curl_socket_t socket, int what) {
  int running = 0;
  curl_multi_socket_action(loop->multi, socket, what, &running);
  finish_all(loop);
}

static void on_socket(evutil_socket_t socket, short what, void *context) {
  int flags = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
  act(context, socket, flags);
}

static void on_timer(evutil_socket_t socket, short what, void *context) {
  (void)socket;
  (void)what;
  act(context, CURL_SOCKET_TIMEOUT, 0);
}

static int watch(CURL *curl, curl_socket_t socket, int what, void *context, void *watched) {
  struct delivery_loop *loop = context;
  struct event *event = watched;
  (void)curl;
  if (event) event_free(event);
  event = NULL;
  if (what != CURL_POLL_REMOVE) {
    short flags =
        (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST);
    event = event_new(loop->base, socket, flags, on_socket, loop);
    if (!event || event_add(event, NULL) != 0) return -1;
  }
  curl_multi_assign(loop->multi, socket, event);
  return 0;
}

static int set_timer(CURLM *multi, long ms, void *context) {
  struct delivery_loop *loop = context;
  struct timeval when = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
  (void)multi;
  return ms < 0 ? event_del(loop->timer) : event_add(loop->timer, &when);
}

/* --- the whole --- */

enum status delivery_loop_new(struct event_base *base, size_t connections, struct delivery_loop **out) {
  struct delivery_loop *loop = *out = calloc(1, sizeof *loop);
  if (!loop) return STATUS_NOMEM;
  loop->base = base;
  loop->multi = curl_multi_init();
  loop->timer = event_new(base, -1, 0, on_timer, loop);
  bool set = loop->multi && loop->timer &&
             curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, watch) == CURLM_OK &&
             curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop) == CURLM_OK &&
             curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, set_timer) == CURLM_OK &&
             curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop) == CURLM_OK &&
             /* one transfer a connection: a broken one is the trouble of one record */
             curl_multi_setopt(loop->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) == CURLM_OK &&
             curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, (long)connections) == CURLM_OK;
  if (set) return STATUS_OK;
  delivery_loop_free(loop);
  *out = NULL;
  return STATUS_NOMEM;
}

void delivery_loop_free(struct delivery_loop *loop) {
  if (!loop) return;
  while (loop->transfers) {
    if (loop->transfers->lent) loop->transfers->forget(loop->transfers->context);
    end_transfer(loop->transfers);
  }
  if (loop->multi) curl_multi_cleanup(loop->multi);
  for (size_t i = 0; i < loop->idle_count; i++)
    curl_easy_cleanup(loop->idle[i]);
  if (loop->timer) event_free(loop->timer);
  free(loop);
}

static CURL *take_handle(struct delivery_loop *loop) {
  return loop->idle_count ? loop->idle[--loop->idle_count] : curl_easy_init();
}

static bool start(struct delivery_transfer *transfer) {
  CURL *curl = transfer->call.curl;
  return delivery_handle_set(transfer->call.client, curl, transfer->error) &&
         delivery_call_begin(&transfer->call, true) == STATUS_OK &&
         curl_easy_setopt(curl, CURLOPT_PRIVATE, transfer) == CURLE_OK &&
         curl_multi_add_handle(transfer->loop->multi, curl) == CURLM_OK;
}

enum status delivery_loop_send(struct delivery_loop *loop, struct delivery_client *client,
                               const struct delivery_request *request, struct arena *arena,
                               delivery_done *done, void *context) {
  struct delivery_transfer *transfer = calloc(1, sizeof *transfer);
  if (!transfer) return STATUS_NOMEM;
  *transfer = (struct delivery_transfer){.loop = loop, .done = done, .context = context};
  transfer->call = (struct delivery_call){.curl = take_handle(loop),
                                          .client = client,
                                          .error = transfer->error,
                                          .request = *request,
                                          .arena = arena};
  if (transfer->call.curl) link_transfer(loop, transfer);
  if (transfer->call.curl && start(transfer)) return STATUS_OK;
  if (transfer->call.curl)
    end_transfer(transfer);
  else
    free(transfer);
  return STATUS_NOMEM;
}

/* --- connections for others --- */

struct event_base *delivery_loop_base(const struct delivery_loop *loop) {
  return loop->base;
}

enum status delivery_loop_connect(struct delivery_loop *loop, struct delivery_call *call, delivery_connected *connected,
                                  void (*forget)(void *context), void *context, struct delivery_transfer **out) {
  struct delivery_transfer *transfer = *out = calloc(1, sizeof *transfer);
  if (!transfer) return STATUS_NOMEM;
  *transfer = (struct delivery_transfer){
      .loop = loop, .context = context, .connected = connected, .forget = forget, .lent = take_handle(loop)};
  call->curl = transfer->lent;
  if (!transfer->lent || !delivery_handle_set(call->client, transfer->lent, call->error)) {
    curl_easy_cleanup(transfer->lent);
    free(transfer);
    return STATUS_NOMEM;
  }
  link_transfer(loop, transfer);
  return STATUS_OK;
}

enum status delivery_loop_start(struct delivery_loop *loop, struct delivery_transfer *transfer) {
  return curl_easy_setopt(transfer->lent, CURLOPT_PRIVATE, transfer) == CURLE_OK &&
                 curl_multi_add_handle(loop->multi, transfer->lent) == CURLM_OK
             ? STATUS_OK
             : STATUS_NOMEM;
}

void delivery_loop_disconnect(struct delivery_transfer *transfer) {
  end_transfer(transfer);
}
