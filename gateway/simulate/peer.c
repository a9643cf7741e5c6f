/* peer.c - one connection: messages in, answers out, as right or as wrong as they are to be. */
#include "simulate/peer.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include "mllp/mllp.h"

enum { MEMORY = 16 << 20, READ_BYTES = 16 << 10, HANDSHAKE_MS = 10000, WRITE_MS = 30000, PAUSE_MS = 100 };

struct talk {
  struct simulate_room *room;
  struct relay_wire wire;
  struct mllp_reader reader;
  struct arena *arena; /* of a message */
  bool over;
};

void simulate_room_stop(struct simulate_room *room) {
  uint64_t one = 1;
  (void)!write(room->stop, &one, sizeof one);
}

/* --- bytes --- */

/* Until the wire can go on: false when it takes too long (ms -1: never), or when nothing more is to be read. */
static bool wait_wire(struct talk *talk, enum relay_wire_says says, int ms, bool leaves) {
  if (says != WIRE_WANTS_READ && says != WIRE_WANTS_WRITE) return false;
  struct pollfd sides[] = {{.fd = talk->wire.fd, .events = says == WIRE_WANTS_READ ? POLLIN : POLLOUT},
                           {.fd = leaves ? talk->room->stop : -1, .events = POLLIN}};
  return poll(sides, 2, ms) > 0 && !sides[1].revents;
}

static bool shake(struct talk *talk) {
  enum relay_wire_says says;
  while ((says = relay_wire_shake(&talk->wire)) != WIRE_DONE)
    if (!wait_wire(talk, says, HANDSHAKE_MS, true)) return false;
  return true;
}

static void say(struct talk *talk, struct str bytes) {
  while (bytes.len && !talk->over) {
    size_t count = 0;
    enum relay_wire_says says = relay_wire_write(&talk->wire, bytes, &count);
    bytes = str_slice(bytes, count, bytes.len);
    if (says != WIRE_DONE) talk->over = !wait_wire(talk, says, WRITE_MS, false);
  }
}

/* Sleeps in short pieces: a person who ends the program is not kept waiting. */
static void rest(struct talk *talk, int64_t ms) {
  const struct host *host = talk->room->listening->host;
  for (; ms > 0 && !atomic_load(&talk->room->at_once); ms -= PAUSE_MS)
    host->sleep_ms(host->context, ms < PAUSE_MS ? ms : PAUSE_MS);
}

/* --- answers --- */

static void say_slowly(struct talk *talk, struct str bytes) {
  for (size_t i = 0; i < bytes.len && !talk->over && !atomic_load(&talk->room->at_once); i++) {
    say(talk, str_slice(bytes, i, i + 1));
    rest(talk, talk->room->listening->slow_ms);
  }
}

static void say_answer(struct talk *talk, enum simulate_fault fault, struct str answer) {
  struct buf frame;
  buf_init(&frame, MEMORY);
  if (fault == SIMULATE_GARBAGE) {
    buf_add_text(&frame, "no frame\r\n");
    answer = STR("no message");
  }
  mllp_write(answer, &frame);
  struct str bytes = buf_str(&frame);
  if (fault == SIMULATE_CUT) bytes = str_slice(bytes, 0, bytes.len / 2);
  if (fault == SIMULATE_SLOW)
    say_slowly(talk, bytes);
  else
    say(talk, bytes);
  if (fault == SIMULATE_TWO) say(talk, bytes);
  if (fault == SIMULATE_CUT) talk->over = true;
  buf_release(&frame);
}

/* Returns the code of the last answer. */
static const char *answer(struct talk *talk, const struct hl7v2_message *message, enum simulate_fault fault, uint64_t number) {
  const struct host *host = talk->room->listening->host;
  const char *codes[SIMULATE_ANSWERS_MAX];
  size_t count = fault == SIMULATE_NONE ? 0 : simulate_codes(message, fault, codes);
  struct str control = simulate_header(message, 10);
  if (fault == SIMULATE_WRONG_ID) control = arena_printf(talk->arena, "X%.*s", STR_ARG(control));
  if (fault == SIMULATE_LATE) rest(talk, talk->room->listening->late_ms);
  for (size_t i = 0; i < count && !talk->over; i++) {
    struct buf text;
    buf_init(&text, MEMORY);
    simulate_answer(message, codes[i], control, 2 * number + i, host->now_ms(host->context), &text);
    say_answer(talk, fault, buf_str(&text));
    buf_release(&text);
  }
  return count ? codes[count - 1] : "";
}

/* --- messages --- */

/* Readable by its owner alone, and never over another. */
static void keep(const struct simulate_listening *listening, uint64_t number, struct str frame) {
  char path[4096];
  if (!listening->keep.len) return;
  const struct host *host = listening->host;
  snprintf(path, sizeof path, "%.*s/%lld-%06llu.hl7", STR_ARG(listening->keep), (long long)host->now_ms(host->context),
           (unsigned long long)number);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0 || file_write_synced(fd, frame) != STATUS_OK) fprintf(stderr, "ketlink: %s: not written\n", path);
  if (fd >= 0) close(fd);
}

static void tell(struct talk *talk, struct simulate_message *message) {
  struct simulate_room *room = talk->room;
  pthread_mutex_lock(&room->lock);
  room->listening->got(room->listening->context, message);
  if (room->listening->count && message->number >= room->listening->count) simulate_room_stop(room);
  pthread_mutex_unlock(&room->lock);
}

/* False: all that was wanted has come. */
static bool number_it(struct talk *talk, struct str frame, struct simulate_message *out) {
  struct simulate_listening *listening = talk->room->listening;
  pthread_mutex_lock(&talk->room->lock);
  bool wanted = !listening->count || listening->faults.messages < listening->count;
  if (wanted) {
    out->fault = simulate_fault_next(&listening->faults);
    out->number = listening->faults.messages;
    keep(listening, out->number, frame);
  }
  pthread_mutex_unlock(&talk->room->lock);
  return wanted;
}

static void take(struct talk *talk, struct str frame) {
  struct simulate_message told = {.code = ""};
  struct source source = source_make(STR("message"), frame);
  struct hl7v2_message message;
  struct diag_list diags;
  if (!number_it(talk, frame, &told)) {
    talk->over = true;
    return;
  }
  arena_reset(talk->arena);
  diag_list_init(&diags, talk->arena);
  if (hl7v2_scan(&source, NULL, talk->arena, &diags, &message) == STATUS_OK) {
    told.control = simulate_header(&message, 10);
    told.kind = simulate_kind(&message, talk->arena);
    told.code = answer(talk, &message, told.fault, told.number);
  }
  tell(talk, &told);
}

static void feed(struct talk *talk, struct str bytes) {
  while (bytes.len && !talk->over) {
    enum mllp_event event;
    struct str frame;
    size_t used = 0;
    if (mllp_feed(&talk->reader, bytes, &used, &event, &frame) != STATUS_OK) talk->over = true;
    bytes = str_slice(bytes, used, bytes.len);
    if (!talk->over && event == MLLP_FRAME) take(talk, frame);
  }
}

static void *run(void *context) {
  struct simulate_peer *peer = context;
  char bytes[READ_BYTES];
  struct talk talk = {.room = peer->room, .arena = arena_new(MEMORY)};
  mllp_reader_init(&talk.reader, MLLP_USUAL_BYTES);
  talk.over = relay_wire_open(&talk.wire, peer->fd, peer->room->tls) != STATUS_OK || !talk.arena || !shake(&talk);
  while (!talk.over) {
    size_t count = 0;
    enum relay_wire_says says = relay_wire_read(&talk.wire, bytes, sizeof bytes, &count);
    if (says == WIRE_DONE && count)
      feed(&talk, str_make(bytes, count));
    else
      talk.over = !wait_wire(&talk, says, -1, true);
  }
  relay_wire_close(&talk.wire);
  mllp_reader_reset(&talk.reader);
  arena_free(talk.arena);
  atomic_store(&peer->place, SIMULATE_OVER);
  return NULL;
}

enum status simulate_peer_begin(struct simulate_peer *peer, struct simulate_room *room, int fd) {
  peer->room = room;
  peer->fd = fd;
  atomic_store(&peer->place, SIMULATE_TAKEN);
  if (pthread_create(&peer->thread, NULL, run, peer) == 0) return STATUS_OK;
  atomic_store(&peer->place, SIMULATE_FREE);
  close(fd);
  return STATUS_NOMEM;
}

void simulate_peer_join(struct simulate_peer *peer) {
  pthread_join(peer->thread, NULL);
  atomic_store(&peer->place, SIMULATE_FREE);
}
