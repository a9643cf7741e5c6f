/*
 * listener.h - private to relay: HL7 v2 messages by MLLP, from whoever connects.
 *
 *   listener.c  what is listened on, who may connect, metrics
 *   link.c      one connection: bytes in and out, deadlines
 *   message.c   a frame -> a record -> the store -> its acknowledgement
 *
 * Nothing is acknowledged before it is durable. Messages are mapped on a thread of their own (mapper.h), in the order in which
 * they came, and stored and acknowledged here meanwhile. A connection that has LISTENER_UNDER_WAY of them under way, or
 * LISTENER_UNDER_WAY_BYTES being mapped, or whose answers are not taken, or wait for deliveries, is not read from: so a peer that
 * only sends has no more than that and one reading's messages under way. Answers go in the order of the messages. What comes in goes
 * before all else, for LISTENER_TURN_MS: then nothing is read until everything else had its turn.
 */
#ifndef KETLINK_RELAY_LISTENER_H
#define KETLINK_RELAY_LISTENER_H

#include "base/socket.h"
#include "hl7v2/hl7v2.h"
#include "mllp/mllp.h"
#include "relay/internal.h"
#include "relay/wire.h"

struct evconnlistener;

enum {
  LISTENER_PEERS = 1024,       /* buckets of addresses */
  LISTENER_READ_BYTES = 16 << 10,
  LISTENER_READS = 8,          /* then other connections have their turn */
  LISTENER_TURN_MS = 50,       /* then all else has */
  LISTENER_NOISE_BYTES = 64 << 10, /* between two frames; then the connection is closed */
  LISTENER_SHAKE_MS = 10000,
  LISTENER_LINGER_MS = 2000,
  LISTENER_HELD_BYTES = 64 << 20, /* of frames that have begun, over all connections; or four of the largest */
  LISTENER_UNDER_WAY = 32,
  LISTENER_UNDER_WAY_BYTES = 64 << 10,
  LISTENER_MAPPING_BYTES = 32 << 20, /* of messages that are being mapped, over all connections; more, and the loop maps them */
  LISTENER_QUIET_MS = 1000,    /* between two lines about connections that were refused */
  LISTENER_ALERT_MS = 60000    /* between two alerts about one thing that goes on */
};

/* What is counted, for the metrics. */
enum relay_count {
  COUNT_ACCEPTED,    /* connections */
  COUNT_TURNED_AWAY, /* connections: too many, or TLS failed */
  COUNT_TIMEOUTS,    /* connections */
  COUNT_MESSAGES,
  COUNT_AGAIN,
  COUNT_CONFLICTS,
  COUNT_GIVEN_UP, /* frames: cut off, unended, too large, without MSH */
  COUNT_NOISE,    /* bytes between frames */
  RELAY_COUNTS
};

/* Who has connections: an address, or a network of IPv6, of which one host has all the addresses that it wants. */
struct relay_peer {
  struct relay_peer *next;
  struct sockaddr_storage address;
  size_t connections;
};

struct relay_listener {
  struct relay *relay;
  const struct relay_mllp_config *config;
  struct relay_tls *tls;
  struct base_listening made;
  struct evconnlistener *listener;
  struct event *rest; /* after the system had no descriptors left */
  struct event *turn; /* of all else; pending when something was read since it had it */
  int64_t reading_since;
  struct relay_peer *peers[LISTENER_PEERS];
  struct relay_link *links;
  size_t connections, held, waiting; /* waiting: answers, for deliveries */
  size_t mapping;                    /* bytes */
  bool full;                         /* the store was, at the last message */
  int64_t quiet_until, no_alert_until;
  uint64_t counts[RELAY_COUNTS], answers[HL7V2_CR + 1];
};

/* One connection. */
struct relay_link {
  struct relay_listener *listener; /* NULL: it is gone, and lives only until its promises are kept */
  struct relay_link *before, *next;
  struct relay_peer *peer;
  struct relay_wire wire;
  struct event *readable, *writable, *timer;
  struct mllp_reader reader;
  struct buf out;
  size_t sent; /* of `out` */
  struct relay_answer *owed, **owed_end;
  size_t mapping, mapping_bytes; /* messages that are being mapped */
  size_t promised; /* answers that wait for the disk */
  bool ended;      /* the other side sends no more */
  bool closing;    /* nothing more is read; it is closed when all that is owed is written */
  bool rests;      /* nothing is read until all else had its turn */
  bool read_waits, write_waits; /* TLS has to write in order to read, to read in order to write */
  bool lingers;    /* all is written; what still comes in is thrown away, so that answers are not lost to a reset */
  size_t held;
  uint64_t noise;  /* bytes between frames, up to the last frame */
  int64_t idle_since, frame_since, wait_since;
};

/* --- listener.c --- */

void relay_listener_count(struct relay_listener *listener, enum relay_count what, uint64_t more);
/* A line about a connection, unless one has just been written. */
void relay_listener_say(struct relay_listener *listener, const char *event, struct str why);
/* What is counted as one peer: the address without its port; of IPv6 the first 64 bits; a Unix socket is one for all. */
void relay_listener_place(const struct sockaddr *address, struct sockaddr_storage *out);
/* The place of a peer is free again. */
void relay_listener_forget(struct relay_listener *listener, struct relay_peer *peer);

/* --- link.c --- */

/* Takes the descriptor over, whatever comes of it. */
void relay_link_begin(struct relay_listener *listener, int fd, struct relay_peer *peer);
/* After something was answered: writes, closes, or goes on reading. The link may be gone afterwards. */
void relay_link_go_on(struct relay_link *link);
/* Nothing more is read from it. */
void relay_link_stop(struct relay_link *link);
/* All else had its turn. */
void relay_link_wake(struct relay_link *link);
void relay_link_drop(struct relay_link *link);
/* Of a link that is gone: freed, when no promise is left, and nothing of it is being mapped. */
void relay_link_let_go(struct relay_link *link);
/* Answers or bytes are still to go out. */
bool relay_link_is_busy(const struct relay_link *link);

/* --- message.c --- */

/* A frame, or what there is of one that was given up. */
void relay_message_take(struct relay_link *link, enum mllp_event event, struct str bytes);
/* Looks whether what is waited for has been delivered, or has been waited for long enough. */
void relay_message_look(struct relay_link *link);
/* What is owed is not owed any more. Answers that are being mapped or wait for the disk are freed when that has ended; the latter
   at once if `all`. */
void relay_message_forget(struct relay_link *link, bool all);
/* Until when deliveries are waited for; INT64_MAX: there are none. */
int64_t relay_message_until(const struct relay_link *link);

#endif
