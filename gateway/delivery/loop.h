/*
 * loop.h - many requests at a time, on the caller's event loop (libevent): what delivery_send does, without
 * waiting.
 *
 * Purpose. A loop carries requests of several clients. Connections are kept and used again (each at most 60 s
 * old, as the certificate was judged when it was made); what has left, libcurl may not repeat by itself. A client keeps
 * the handles that were set for it (64 at most). Ownership: client, body and arena belong to the caller and must outlive
 * the transfer; the answer lives in the arena. Threads: the one that runs the event loop. `done` is called
 * from the event loop, once per transfer, never from delivery_loop_send; in it a new transfer may be started.
 * Errors: NOMEM; whatever the network does is an answer.
 */
#ifndef KETLINK_DELIVERY_LOOP_H
#define KETLINK_DELIVERY_LOOP_H

#include "delivery/message.h"

struct event_base;
struct delivery_loop;

typedef void delivery_done(void *context, const struct delivery_answer *answer);

/* `connections`: kept at most, over all destinations. */
enum status delivery_loop_new(struct event_base *base, size_t connections,
                              struct delivery_loop **out) MUST_USE;
/* Breaks off what is under way without calling `done`. NULL is allowed. */
void delivery_loop_free(struct delivery_loop *loop);

enum status delivery_loop_send(struct delivery_loop *loop, struct delivery_client *client,
                               const struct delivery_request *request, struct arena *arena,
                               delivery_done *done, void *context) MUST_USE;
/* The same of a message of HL7 v2, to a client of protocol MLLP. */
enum status delivery_loop_message(struct delivery_loop *loop, struct delivery_client *client,
                                  const struct delivery_message *message, struct arena *arena,
                                  delivery_done *done, void *context) MUST_USE;

#endif
