/*
 * talk.h - private to delivery: what is said on a connection that stands, step by step, for who waits by poll
 * (mllp_wait.c) and who waits on an event loop (loop_mllp.c).
 *
 * A connection carries one message at a time. It is kept for the next one only when all that came on it is the
 * acknowledgement of the one before; whoever keeps it asks delivery_talk_is_alive before it is used again.
 */
#ifndef KETLINK_DELIVERY_TALK_H
#define KETLINK_DELIVERY_TALK_H

#include "delivery/client.h"
#include "delivery/message.h"
#include "mllp/mllp.h"

enum delivery_talk_wants { TALK_READ, TALK_WRITE, TALK_ENDED };

struct delivery_talk {
  struct delivery_call call; /* its connection */
  struct delivery_message message;
  int64_t deadline; /* by the monotonic clock, in milliseconds */
  int64_t made_at, rests_since; /* the connection; by the same clock */
  bool reused;      /* it has carried a message before */
  /* private */
  struct buf frame; /* that goes out */
  size_t sent, received;
  struct mllp_reader reader;
  enum delivery_ack ack; /* of this message */
  unsigned skipped;      /* frames that answer something else */
  bool pressed;          /* sending has begun, if only within TLS */
  bool stray;            /* something came behind the acknowledgement */
  CURLcode code;         /* that ended it */
  const char *why;       /* it ended, in words; NULL: by `code` or `ack` */
  bool ended;
};

/* The handle is set for a connection alone, unless it is one that was kept; client, curl, error and arena of the call are
 * given. CONFIG: the message cannot be framed. Release it whatever the status is. */
enum status delivery_talk_begin(struct delivery_talk *talk) MUST_USE;
/* The connection stands: time runs from now. */
void delivery_talk_start(struct delivery_talk *talk);
/* Sends and reads what can be, without waiting. */
enum delivery_talk_wants delivery_talk_step(struct delivery_talk *talk);
/* Milliseconds until it is given up; at least 0. */
int64_t delivery_talk_left(const struct delivery_talk *talk);
void delivery_talk_give_up(struct delivery_talk *talk);
/* `connected`: what became of the connection. */
void delivery_talk_end(struct delivery_talk *talk, CURLcode connected, struct delivery_answer *out);
void delivery_talk_release(struct delivery_talk *talk);

/* It has ended: the message's part is given back. False: there is a doubt about the connection, or it is old. */
bool delivery_talk_rest(struct delivery_talk *talk) MUST_USE;
/* Of one that rests: milliseconds that it still may. */
int64_t delivery_talk_rest_left(const struct delivery_talk *talk);
/* Nothing has come meanwhile, the other side has not closed, and it is not too old. */
bool delivery_talk_is_alive(struct delivery_talk *talk) MUST_USE;
/* Of one that rests: another message for it; delivery_talk_begin follows. */
void delivery_talk_again(struct delivery_talk *talk, const struct delivery_message *message, struct arena *arena);
/* The kept connection was dead before a byte was given to it: the message may go on another at once. */
bool delivery_talk_is_unsent(const struct delivery_talk *talk);

#endif
