/* loop.c - libcurl's multi interface on libevent: libcurl says which sockets it watches, and when it wants to
 * be called. */
#include "delivery/loop.h"

#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>
#include "delivery/client.h"

enum { IDLE_HANDLES = 64 }; /* of a client, see loop.h */

struct delivery_transfer;

/* That libcurl lets go of with each request that ends, and asks for with the next: of a connection that is kept the event stays. */
struct delivery_socket {
  bool ours;           /* it was opened by open_socket, and close_socket is told of its end: the resolver has others */
  struct event *event; /* NULL: none is kept */
  bool added;
};

struct delivery_loop {
  struct event_base *base;
  CURLM *multi;   /* NULL: there was no memory for another one */
  CURLM *leaving; /* the one before, while it is done with */
  struct event *timer;
  struct delivery_transfer *transfers;
  long connections; /* that are kept */
  struct delivery_socket *sockets; /* by their numbers */
  size_t socket_count;
};

/* Under way: of the loop. Else of its client, its handle set for that. */
struct delivery_transfer {
  struct delivery_loop *loop;
  struct delivery_transfer *before, *next;
  CURLM *multi; /* the loop's, or one that it had before */
  bool waits;   /* for libcurl */
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

static void drop_transfer(struct delivery_transfer *transfer) {
  curl_easy_cleanup(transfer->lent ? transfer->lent : transfer->call.curl);
  free(transfer);
}

/* One that the loop has no more is for the connections that it has lent. */
static void drop_if_unused(const struct delivery_loop *loop, CURLM *multi) {
  bool used = multi == loop->multi || multi == loop->leaving;
  for (const struct delivery_transfer *transfer = loop->transfers; transfer && !used; transfer = transfer->next)
    used = transfer->multi == multi;
  if (!used) curl_multi_cleanup(multi);
}

static void end_transfer(struct delivery_transfer *transfer) {
  struct delivery_client *client = transfer->call.client;
  unlink_transfer(transfer);
  if (transfer->lent) curl_easy_setopt(transfer->lent, CURLOPT_ERRORBUFFER, NULL); /* theirs, and gone by now */
  curl_multi_remove_handle(transfer->multi, transfer->lent ? transfer->lent : transfer->call.curl);
  drop_if_unused(transfer->loop, transfer->multi);
  if (!transfer->lent) delivery_call_release(&transfer->call);
  if (transfer->lent || client->idle_count == IDLE_HANDLES) {
    drop_transfer(transfer);
    return;
  }
  transfer->next = client->idle;
  client->idle = transfer;
  client->idle_count++;
}

void delivery_loop_forget(struct delivery_client *client) {
  while (client->idle) {
    struct delivery_transfer *transfer = client->idle;
    client->idle = transfer->next;
    drop_transfer(transfer);
  }
  client->idle_count = 0;
}

static void finish_transfer(struct delivery_transfer *transfer, CURLcode code) {
  struct delivery_answer answer;
  transfer->waits = false;
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

static void finish_all(CURLM *multi) {
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(multi, &left)) != NULL) {
    struct delivery_transfer *transfer = NULL;
    if (message->msg != CURLMSG_DONE) continue;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
    finish_transfer(transfer, message->data.result);
  }
}

/* --- libcurl and libevent --- */

static CURLM *new_multi(struct delivery_loop *loop);

static struct delivery_transfer *find_waiting(const struct delivery_loop *loop, const CURLM *multi) {
  struct delivery_transfer *transfer = loop->transfers;
  while (transfer && !(transfer->waits && transfer->multi == multi))
    transfer = transfer->next;
  return transfer;
}

/* Without memory libcurl leaves a transfer whose socket nobody watches, and sets no timer: it would wait for ever, and which one it
   is it does not say; what it keeps of that socket divides by zero when it meets the same number again. So all that wait for it
   end, and what follows has another handle; connections that were lent live on with the old one. */
static void begin_anew(struct delivery_loop *loop) {
  struct delivery_transfer *transfer;
  CURLM *old = loop->multi;
  curl_multi_setopt(old, CURLMOPT_TIMERFUNCTION, NULL);
  loop->leaving = old;
  loop->multi = new_multi(loop);
  finish_all(old);
  while ((transfer = find_waiting(loop, old)) != NULL)
    finish_transfer(transfer, CURLE_OUT_OF_MEMORY);
  loop->leaving = NULL;
  drop_if_unused(loop, old);
}

static void act(struct delivery_loop *loop, curl_socket_t socket, int what) {
  int running = 0;
  if (!loop->multi) return; /* there is nothing that it could be about */
  if (curl_multi_socket_action(loop->multi, socket, what, &running) == CURLM_OK)
    finish_all(loop->multi);
  else
    begin_anew(loop);
}

static struct delivery_socket *socket_of(const struct delivery_loop *loop, evutil_socket_t socket) {
  return (size_t)socket < loop->socket_count ? &loop->sockets[socket] : NULL;
}

static struct delivery_socket *kept_socket(const struct delivery_loop *loop, evutil_socket_t socket) {
  struct delivery_socket *known = socket_of(loop, socket);
  return known && known->event ? known : NULL;
}

static void on_socket(evutil_socket_t socket, short what, void *context) {
  struct delivery_loop *loop = context;
  struct delivery_socket *kept = kept_socket(loop, socket);
  int flags = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
  if (!kept) {
    act(loop, socket, flags);
    return;
  }
  /* nobody waits for it: the server ends it, which libcurl finds when it would use it */
  (void)event_del(kept->event);
  kept->added = false;
}

static void on_timer(evutil_socket_t socket, short what, void *context) {
  (void)socket;
  (void)what;
  act(context, CURL_SOCKET_TIMEOUT, 0);
}

static bool make_room(struct delivery_loop *loop, curl_socket_t socket) {
  size_t count = (size_t)socket + 1;
  if (count <= loop->socket_count) return true;
  struct delivery_socket *sockets = realloc(loop->sockets, 2 * count * sizeof *sockets);
  if (!sockets) return false;
  memset(sockets + loop->socket_count, 0, (2 * count - loop->socket_count) * sizeof *sockets);
  loop->sockets = sockets;
  loop->socket_count = 2 * count;
  return true;
}

static void let_go(struct delivery_loop *loop, curl_socket_t socket, struct event *event) {
  struct delivery_socket *kept = socket_of(loop, socket);
  if (kept && kept->ours && event_get_events(event) == (EV_READ | EV_PERSIST))
    *kept = (struct delivery_socket){.ours = true, .event = event, .added = true};
  else
    event_free(event);
}

/* The kept event, no longer kept; *added: it is watched as libcurl wants it. */
static struct event *take_kept(struct delivery_loop *loop, curl_socket_t socket, short flags, bool *added) {
  struct delivery_socket *kept = kept_socket(loop, socket);
  if (!kept) return NULL;
  struct event *event = kept->event;
  *added = kept->added && flags == (EV_READ | EV_PERSIST);
  kept->event = NULL;
  return event;
}

static bool change(struct delivery_loop *loop, struct event *event, curl_socket_t socket, short flags) {
  bool changed = event_del(event) == 0 && event_assign(event, loop->base, socket, flags, on_socket, loop) == 0;
  return changed && event_add(event, NULL) == 0;
}

/* Only a new socket needs memory: libcurl goes on handing over the event that it was given, whatever became of this call. */
static int watch(CURL *curl, curl_socket_t socket, int what, void *context, void *watched) {
  struct delivery_loop *loop = context;
  struct event *event = watched;
  short flags = (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST);
  bool added = false;
  (void)curl;
  if (what == CURL_POLL_REMOVE) {
    if (event) let_go(loop, socket, event);
    return 0;
  }
  if (event) return change(loop, event, socket, flags) ? 0 : -1;
  event = take_kept(loop, socket, flags, &added);
  if (event) {
    added = added || change(loop, event, socket, flags);
  } else {
    event = event_new(loop->base, socket, flags, on_socket, loop);
    added = event && event_add(event, NULL) == 0;
  }
  if (added) return curl_multi_assign(loop->multi, socket, event) == CURLM_OK ? 0 : -1;
  if (event) event_free(event); /* of one that failed libcurl says nothing any more */
  return -1;
}

static void forget_socket(struct delivery_loop *loop, curl_socket_t socket) {
  struct delivery_socket *kept = socket_of(loop, socket);
  if (!kept) return;
  if (kept->event) event_free(kept->event);
  *kept = (struct delivery_socket){0};
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
  struct delivery_transfer *transfer = context;
  struct delivery_loop *loop = transfer->loop;
  curl_socket_t socket = delivery_call_socket(&transfer->call, purpose, address);
  if (socket == CURL_SOCKET_BAD || !make_room(loop, socket)) return socket;
  forget_socket(loop, socket);
  loop->sockets[socket].ours = true;
  return socket;
}

static int close_socket(void *context, curl_socket_t socket) {
  forget_socket(context, socket);
  return close(socket);
}

static bool set_close(const struct delivery_transfer *transfer) {
  CURL *curl = transfer->call.curl;
  return curl_easy_setopt(curl, CURLOPT_CLOSESOCKETFUNCTION, close_socket) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_CLOSESOCKETDATA, transfer->loop) == CURLE_OK;
}

/* A timer that cannot be set fires: too soon is no harm, and libcurl would never get over a call that failed. */
static int set_timer(CURLM *multi, long ms, void *context) {
  struct delivery_loop *loop = context;
  struct timeval when = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
  (void)multi;
  if (ms < 0)
    (void)event_del(loop->timer);
  else if (event_add(loop->timer, &when) != 0)
    event_active(loop->timer, EV_TIMEOUT, 1);
  return 0;
}

/* --- the whole --- */

static CURLM *new_multi(struct delivery_loop *loop) {
  CURLM *multi = curl_multi_init();
  bool set = multi && curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch) == CURLM_OK &&
             curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, loop) == CURLM_OK &&
             curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer) == CURLM_OK &&
             curl_multi_setopt(multi, CURLMOPT_TIMERDATA, loop) == CURLM_OK &&
             /* one transfer a connection: a broken one is the trouble of one record */
             curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) == CURLM_OK &&
             curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, loop->connections) == CURLM_OK;
  if (set) return multi;
  if (multi) curl_multi_cleanup(multi);
  return NULL;
}

static bool has_multi(struct delivery_loop *loop) {
  if (!loop->multi) loop->multi = new_multi(loop);
  return loop->multi;
}

enum status delivery_loop_new(struct event_base *base, size_t connections, struct delivery_loop **out) {
  struct delivery_loop *loop = *out = calloc(1, sizeof *loop);
  if (!loop) return STATUS_NOMEM;
  loop->base = base;
  loop->connections = (long)connections;
  loop->timer = event_new(base, -1, 0, on_timer, loop);
  if (loop->timer && has_multi(loop)) return STATUS_OK;
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
  if (loop->timer) event_free(loop->timer);
  free(loop->sockets);
  free(loop);
}

static struct delivery_transfer *make_transfer(struct delivery_client *client) {
  struct delivery_transfer *transfer = calloc(1, sizeof *transfer);
  CURL *curl = transfer ? curl_easy_init() : NULL;
  if (curl && delivery_handle_set(client, curl, transfer->error) == STATUS_OK &&
      curl_easy_setopt(curl, CURLOPT_PRIVATE, transfer) == CURLE_OK) {
    transfer->call = (struct delivery_call){
        .curl = curl, .client = client, .error = transfer->error, .open_socket = open_socket, .opener = transfer};
    return transfer;
  }
  curl_easy_cleanup(curl);
  free(transfer);
  return NULL;
}

static struct delivery_transfer *take_transfer(struct delivery_client *client) {
  struct delivery_transfer *transfer = client->idle;
  if (!transfer) return make_transfer(client);
  client->idle = transfer->next;
  client->idle_count--;
  return transfer;
}

enum status delivery_loop_send(struct delivery_loop *loop, struct delivery_client *client,
                               const struct delivery_request *request, struct arena *arena,
                               delivery_done *done, void *context) {
  struct delivery_transfer *transfer = has_multi(loop) ? take_transfer(client) : NULL;
  if (!transfer) return STATUS_NOMEM;
  transfer->loop = loop;
  transfer->done = done;
  transfer->context = context;
  transfer->call.request = *request;
  transfer->call.arena = arena;
  transfer->before = NULL;
  transfer->waits = true;
  transfer->multi = loop->multi;
  link_transfer(loop, transfer);
  if (delivery_call_begin(&transfer->call, true) == STATUS_OK && set_close(transfer) &&
      curl_multi_add_handle(transfer->multi, transfer->call.curl) == CURLM_OK)
    return STATUS_OK;
  end_transfer(transfer);
  return STATUS_NOMEM;
}

/* --- connections for others --- */

struct event_base *delivery_loop_base(const struct delivery_loop *loop) {
  return loop->base;
}

enum status delivery_loop_connect(struct delivery_loop *loop, struct delivery_call *call, delivery_connected *connected,
                                  void (*forget)(void *context), void *context, struct delivery_transfer **out) {
  struct delivery_transfer *transfer = *out = has_multi(loop) ? calloc(1, sizeof *transfer) : NULL;
  if (!transfer) return STATUS_NOMEM;
  *transfer = (struct delivery_transfer){
      .loop = loop, .multi = loop->multi, .context = context, .connected = connected, .forget = forget, .lent = curl_easy_init()};
  call->curl = transfer->lent;
  if (!transfer->lent || delivery_handle_set(call->client, transfer->lent, call->error) != STATUS_OK) {
    drop_transfer(transfer);
    return STATUS_NOMEM;
  }
  link_transfer(loop, transfer);
  return STATUS_OK;
}

enum status delivery_loop_start(struct delivery_transfer *transfer) {
  transfer->waits = true;
  return curl_easy_setopt(transfer->lent, CURLOPT_PRIVATE, transfer) == CURLE_OK &&
                 curl_multi_add_handle(transfer->multi, transfer->lent) == CURLM_OK
             ? STATUS_OK
             : STATUS_NOMEM;
}

void delivery_loop_disconnect(struct delivery_transfer *transfer) {
  end_transfer(transfer);
}
