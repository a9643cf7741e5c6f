/* link.c - one connection of a listener: bytes in until frames are whole, answers out, one timer for all deadlines. */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "relay/listener.h"

static void update(struct relay_link *link);

/* --- life --- */

static void drop_for_memory(struct relay_link *link) {
  relay_listener_say(link->listener, "mllp-closed", STR("no memory for a connection"));
  relay_link_drop(link);
}

static void free_event(struct event **event) {
  if (*event) event_free(*event);
  *event = NULL;
}

static void free_link(struct relay_link *link) {
  buf_release(&link->out);
  mllp_reader_reset(&link->reader);
  free(link);
}

static void leave_listener(struct relay_link *link) {
  struct relay_listener *listener = link->listener;
  if (link->before) link->before->next = link->next;
  if (link->next) link->next->before = link->before;
  if (listener->links == link) listener->links = link->next;
  listener->connections--;
  listener->held -= link->held;
  relay_listener_count(listener, COUNT_NOISE, mllp_skipped(&link->reader));
  relay_listener_forget(listener, link->peer);
}

/* What was promised to it is kept by nobody; the promises themselves still end. */
void relay_link_drop(struct relay_link *link) {
  bool fatal = link->listener->relay->fatal != STATUS_OK;
  free_event(&link->readable);
  free_event(&link->writable);
  free_event(&link->timer);
  relay_wire_close(&link->wire);
  relay_message_forget(link, fatal);
  leave_listener(link);
  link->listener = NULL;
  relay_link_let_go(link);
}

void relay_link_let_go(struct relay_link *link) {
  if (!link->listener && !link->promised && !link->mapping) free_link(link);
}

bool relay_link_is_busy(const struct relay_link *link) {
  return link->owed || link->sent < link->out.len;
}

static int64_t now_of(const struct relay_link *link) {
  return relay_elapsed(link->listener->relay);
}

/* --- out --- */

/* False when the connection is gone. */
static bool write_out(struct relay_link *link) {
  while (link->sent < link->out.len) {
    size_t count = 0;
    enum relay_wire_says says =
        relay_wire_write(&link->wire, str_slice(buf_str(&link->out), link->sent, link->out.len), &count);
    link->sent += count;
    link->write_waits = says == WIRE_WANTS_READ;
    if (says == WIRE_DONE) continue;
    return says == WIRE_WANTS_READ || says == WIRE_WANTS_WRITE;
  }
  buf_release(&link->out);
  link->sent = 0;
  return true;
}

/* A close with bytes unread would be a reset, and take answers with it that are still on their way. */
static void linger(struct relay_link *link) {
  if (link->ended || !relay_wire_finish(&link->wire)) {
    relay_link_drop(link);
    return;
  }
  link->lingers = true;
  link->wait_since = now_of(link);
  update(link);
}

void relay_link_go_on(struct relay_link *link) {
  if (link->promised || link->lingers) {
    update(link);
    return;
  }
  if (link->sent == 0) link->wait_since = now_of(link);
  if (link->frame_since && link->out.len) link->frame_since = now_of(link); /* nothing was read meanwhile */
  if (link->out.error != STATUS_OK || !write_out(link))
    relay_link_drop(link);
  else if ((link->closing || link->ended) && !relay_link_is_busy(link))
    linger(link);
  else
    update(link);
}

void relay_link_stop(struct relay_link *link) {
  link->closing = true;
  mllp_reader_reset(&link->reader);
  relay_message_look(link); /* what is waited for is not waited for any longer */
  relay_link_go_on(link);
}

/* --- in --- */

/* In the store it is known at once what is owed; deliveries may take long. */
static bool has_room(const struct relay_link *link) {
  if (link->listener->config->delivered) return !link->owed;
  return link->mapping + link->promised < LISTENER_UNDER_WAY && link->mapping_bytes < LISTENER_UNDER_WAY_BYTES;
}

static bool is_reading(const struct relay_link *link) {
  return !link->closing && !link->ended && link->sent >= link->out.len && has_room(link);
}

static void close_for(struct relay_link *link, const char *event, const char *why) {
  relay_listener_say(link->listener, event, str_of(why));
  link->closing = true;
}

/* All connections together hold no more than is good for the process. */
static void count_held(struct relay_link *link) {
  struct relay_listener *listener = link->listener;
  size_t held = mllp_held(&link->reader), most = (size_t)listener->config->max_bytes * 4;
  listener->held += held - link->held;
  link->held = held;
  if (listener->held > (most > LISTENER_HELD_BYTES ? most : LISTENER_HELD_BYTES))
    close_for(link, "mllp-closed", "all connections together hold too much");
}

static void after_feeding(struct relay_link *link, bool ended_one) {
  uint64_t skipped = mllp_skipped(&link->reader);
  bool within = mllp_within(&link->reader);
  if (ended_one) {
    link->idle_since = now_of(link);
    link->noise = skipped;
  }
  if (within && (ended_one || !link->frame_since)) link->frame_since = now_of(link);
  if (!within) link->frame_since = 0;
  if (skipped - link->noise > LISTENER_NOISE_BYTES)
    close_for(link, "mllp-closed", "bytes that are no frames");
  count_held(link);
}

static void feed(struct relay_link *link, struct str bytes) {
  enum mllp_event event = MLLP_FRAME;
  bool ended_one = false;
  for (size_t at = 0, used = 0; !link->closing && event != MLLP_MORE; at += used) {
    struct str frame;
    if (mllp_feed(&link->reader, str_slice(bytes, at, bytes.len), &used, &event, &frame) != STATUS_OK) {
      close_for(link, "mllp-closed", "no memory for a message");
      event = MLLP_MORE;
    }
    ended_one = ended_one || event != MLLP_MORE;
    if (event != MLLP_MORE) relay_message_take(link, event, frame);
  }
  after_feeding(link, ended_one);
}

/* A last frame may lack its CR. */
static void take_end(struct relay_link *link) {
  struct str frame;
  enum mllp_event event = mllp_end(&link->reader, &frame);
  link->ended = true;
  link->frame_since = 0;
  if (event != MLLP_MORE) relay_message_take(link, event, frame);
}

/* DONE: it was known who is there before. */
static enum relay_wire_says shake(struct relay_link *link) {
  if (link->wire.shaken) return WIRE_DONE;
  enum relay_wire_says says = relay_wire_shake(&link->wire);
  if (says == WIRE_DONE) link->idle_since = now_of(link);
  if (says != WIRE_FAULT) return says;
  relay_listener_count(link->listener, COUNT_TURNED_AWAY, 1);
  relay_listener_say(link->listener, "mllp-tls", relay_wire_why(&link->wire));
  return says;
}

static enum relay_wire_says read_once(struct relay_link *link) {
  char bytes[LISTENER_READ_BYTES];
  size_t count = 0;
  enum relay_wire_says says = relay_wire_read(&link->wire, bytes, sizeof bytes, &count);
  if (says == WIRE_DONE) feed(link, str_make(bytes, count));
  explicit_bzero(bytes, count);
  return says;
}

/* Whoever only sends must not have the loop for himself: with it go commits, deliveries and all timers. */
static bool must_rest(const struct relay_link *link) {
  struct relay_listener *listener = link->listener;
  if (!listener->reading_since) {
    listener->reading_since = now_of(link);
    event_active(listener->turn, EV_TIMEOUT, 0);
  }
  return now_of(link) - listener->reading_since > LISTENER_TURN_MS;
}

void relay_link_wake(struct relay_link *link) {
  link->rests = false;
  if (link->wire.ssl && is_reading(link)) event_active(link->readable, EV_READ, 0);
  update(link);
}

static void read_some(struct relay_link *link) {
  link->rests = must_rest(link);
  if (link->rests) {
    update(link);
    return;
  }
  enum relay_wire_says says = shake(link);
  for (int i = 0; says == WIRE_DONE && i < LISTENER_READS && is_reading(link); i++)
    says = read_once(link);
  if (says == WIRE_FAULT) {
    relay_link_drop(link);
    return;
  }
  if (says == WIRE_END) take_end(link);
  link->read_waits = says == WIRE_WANTS_WRITE;
  /* what OpenSSL has already read makes no descriptor readable */
  if (says == WIRE_DONE && link->wire.ssl && is_reading(link)) event_active(link->readable, EV_READ, 0);
  relay_link_go_on(link);
}

static void throw_away(struct relay_link *link) {
  char bytes[LISTENER_READ_BYTES];
  ssize_t count = recv(link->wire.fd, bytes, sizeof bytes, 0);
  if (count > 0) explicit_bzero(bytes, (size_t)count);
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) relay_link_drop(link);
}

static void on_readable(evutil_socket_t fd, short what, void *context) {
  struct relay_link *link = context;
  (void)fd;
  (void)what;
  if (link->lingers)
    throw_away(link);
  else if (is_reading(link))
    read_some(link);
  else
    relay_link_go_on(link); /* TLS wanted to read in order to write */
}

static void on_writable(evutil_socket_t fd, short what, void *context) {
  struct relay_link *link = context;
  (void)fd;
  (void)what;
  if (is_reading(link))
    read_some(link); /* TLS wanted to write in order to read */
  else
    relay_link_go_on(link);
}

/* --- deadlines --- */

/* Of what the connection does now. */
static int64_t due(const struct relay_link *link) {
  const struct relay_mllp_config *config = link->listener->config;
  if (link->lingers) return link->wait_since + LISTENER_LINGER_MS;
  if (!link->wire.shaken) return link->idle_since + LISTENER_SHAKE_MS;
  if (link->sent < link->out.len) return link->wait_since + config->frame_seconds * 1000;
  if (link->owed) return relay_message_until(link);
  if (link->frame_since) return link->frame_since + config->frame_seconds * 1000;
  return link->idle_since + config->idle_seconds * 1000;
}

/* A frame that lacks nothing but its CR is taken. */
static void give_up_frame(struct relay_link *link) {
  struct str frame;
  enum mllp_event event = mllp_end(&link->reader, &frame);
  link->frame_since = 0;
  link->idle_since = now_of(link);
  if (event != MLLP_FRAME) {
    relay_listener_count(link->listener, COUNT_TIMEOUTS, 1);
    close_for(link, "mllp-timeout", "a message did not arrive whole in time");
  }
  if (event == MLLP_FRAME) relay_message_take(link, event, frame);
  count_held(link);
  relay_link_go_on(link);
}

static void on_timer(evutil_socket_t fd, short what, void *context) {
  struct relay_link *link = context;
  bool writing = link->sent < link->out.len;
  (void)fd;
  (void)what;
  if (due(link) > now_of(link)) {
    update(link);
  } else if (link->owed && !writing && !link->lingers) {
    relay_message_look(link);
    relay_link_go_on(link);
  } else if (link->frame_since && is_reading(link)) {
    give_up_frame(link);
  } else {
    if (!link->lingers) relay_listener_count(link->listener, COUNT_TIMEOUTS, 1);
    if (!link->lingers) relay_listener_say(link->listener, "mllp-timeout", writing ? STR("answers are not taken") : STR("idle"));
    relay_link_drop(link);
  }
}

/* Of two directions each may wait for the other one; whoever waits for none is not told of it, or the loop would turn for nothing. */
static bool watch(struct event *event, bool wanted) {
  return wanted ? event_add(event, NULL) == 0 : event_del(event) == 0;
}

/* Events and the timer after what the connection does now. What nobody would wake is closed: its sender comes again. */
static void update(struct relay_link *link) {
  bool reads = is_reading(link) && !link->rests, writes = link->sent < link->out.len;
  int64_t when = due(link), left = when == INT64_MAX ? 0 : when - now_of(link);
  struct timeval wait = {.tv_sec = left > 0 ? left / 1000 : 0, .tv_usec = left > 0 ? left % 1000 * 1000 : 1};
  bool fine = watch(link->readable, link->lingers || (reads && !link->read_waits) || (writes && link->write_waits));
  fine = watch(link->writable, (writes && !link->write_waits) || (reads && link->read_waits)) && fine;
  if (when == INT64_MAX)
    event_del(link->timer);
  else
    fine = event_add(link->timer, &wait) == 0 && fine;
  if (!fine) drop_for_memory(link);
}

/* --- the beginning --- */

static bool add_events(struct relay_link *link) {
  struct event_base *base = link->listener->relay->base;
  link->readable = event_new(base, link->wire.fd, EV_READ | EV_PERSIST, on_readable, link);
  link->writable = event_new(base, link->wire.fd, EV_WRITE, on_writable, link);
  link->timer = event_new(base, -1, 0, on_timer, link);
  return link->readable && link->writable && link->timer && event_priority_set(link->readable, 0) == 0 &&
         event_priority_set(link->writable, 0) == 0;
}

void relay_link_begin(struct relay_listener *listener, int fd, struct relay_peer *peer) {
  struct relay_link *link = calloc(1, sizeof *link);
  if (!link) {
    close(fd);
    relay_listener_say(listener, "mllp-closed", STR("no memory for a connection"));
    relay_listener_forget(listener, peer);
    return;
  }
  link->listener = listener;
  link->peer = peer;
  link->owed_end = &link->owed;
  link->next = listener->links;
  if (listener->links) listener->links->before = link;
  listener->links = link;
  listener->connections++;
  mllp_reader_init(&link->reader, (size_t)listener->config->max_bytes);
  buf_init(&link->out, LIMIT_TEXT_BYTES);
  link->idle_since = now_of(link);
  if (relay_wire_open(&link->wire, fd, listener->tls) != STATUS_OK || !add_events(link))
    drop_for_memory(link);
  else
    update(link);
}
