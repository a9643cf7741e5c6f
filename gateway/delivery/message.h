/*
 * message.h - one HL7 v2 message over MLLP, and what its acknowledgement means.
 *
 * Purpose. A message goes out in one frame, alone on its connection, and is answered by a frame that names its control
 * id (MSA-2). The connection is kept for the next message, 30 s idle and 60 s in all, unless anything but the acknowledgement
 * came; it is the client's, and closed with it. A message that finds it dead before a byte was given to it goes on a fresh one.
 * Whoever answers something else (late, or for somebody else) is passed over and counted, never taken. TLS is
 * that of HTTPS: the same versions, suites, verification, authority, pins, revocation lists and client certificate; without
 * TLS only to this machine. What a frame says is read by the caller's function: this stage knows frames, not HL7.
 *
 * Answers. As delivery_answer, with `ack`: phase ANSWER means that an acknowledgement of this message was read whole. An
 * answer that did not come, broke off or is none leaves the outcome unknown (DELIVERY_SETTLE): the same bytes go again.
 * Nothing of an answer but its code is kept. Ownership: the message's texts must live until it has ended; the answer lives
 * in the arena. Threads: one. Errors: NOMEM; all else is an answer.
 *
 * Source. HL7 v2.5.1 chapter 2: original mode (2.9.2), enhanced mode (2.9.3), table 0008.
 */
#ifndef KETLINK_DELIVERY_MESSAGE_H
#define KETLINK_DELIVERY_MESSAGE_H

#include "delivery/delivery.h"

struct delivery_acknowledgement {
  enum delivery_ack code;
  struct str control; /* MSA-2 */
};

struct delivery_message {
  struct str bytes;   /* as they go, without the frame */
  struct str control; /* MSH-10 */
  unsigned errors;    /* AE or CE that it has had before */
  /* Of a frame; false: it is no acknowledgement. */
  bool (*read)(struct str frame, struct arena *arena, struct delivery_acknowledgement *out);
};

/* Before each on the loop: whether the key of the client's certificate is one's own still. Its reason is empty when it is; else `out` is
   what became of the message, which is not sent. */
enum status delivery_message_may_go(struct delivery_client *client, struct arena *arena, struct delivery_answer *out) MUST_USE;
/* Sends and waits. */
enum status delivery_message_send(struct delivery_client *client, const struct delivery_message *message,
                                  struct arena *arena, struct delivery_answer *out) MUST_USE;
/* Makes a connection (with TLS where the destination has it), and closes it. `out` is filled as that of a GET. */
enum status delivery_message_probe(struct delivery_client *client, struct arena *arena,
                                   struct delivery_probe *out) MUST_USE;

/* Pure: a table. `last`: no further attempt is made after AE or CE. */
enum delivery_verdict delivery_ack_classify(enum delivery_phase phase, enum delivery_ack ack,
                                            enum delivery_ack_mode mode, bool last);
/* "AA"; "none". */
const char *delivery_ack_name(enum delivery_ack ack);
bool delivery_ack_parse(struct str code, enum delivery_ack *out);

#endif
