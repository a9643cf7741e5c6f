/*
 * token.h - a destination's access token: had when it is needed, renewed before it ends, by one fetch at a
 * time.
 *
 * Purpose. With SMART Backend Services a request needs a token that lives for minutes. delivery_send_on sends
 * a request with what is known; where that is nothing, or at 80 % of its life, it asks first: the token
 * endpoint (of the file, or discovered below base), with an assertion that the key set signs. Whoever needs
 * the token meanwhile waits for that one fetch, and has its result. A 401 is answered with one new token and
 * one repetition: it says that nothing was done. Key sets are read for each fetch, so a rotation needs no
 * restart. A fetch that fails makes an answer of its own (`no_token`): nothing was sent. Written once, as if
 * requests blocked; the *channel* carries them, for a command by waiting, for the relay on a fiber.
 *
 * Rules. Token requests go over the same TLS as all others and carry no bearer; the assertion goes to the
 * token endpoint alone, the token to base's origin alone. Our clock and the token endpoint's must agree
 * within a minute. A token is printable and has a life, else there is none; what a server says in words is
 * never repeated, but for the error codes of RFC 6749. Errors: NOMEM; all else is an answer. Threads: one.
 */
#ifndef KETLINK_DELIVERY_TOKEN_H
#define KETLINK_DELIVERY_TOKEN_H

#include "delivery/delivery.h"

/* How a request travels. */
struct delivery_channel {
  void *context;
  /* The request and its answer, nothing added. */
  enum status (*send)(void *context, const struct delivery_request *request, struct arena *arena,
                      struct delivery_answer *out);
  /* Waits until somebody calls `ended`; NULL where requests do not overlap. */
  void (*join)(void *context);
  /* A fetch has ended: those who wait go on, after this function has returned. Or NULL. */
  void (*ended)(void *context);
};

/* One request of the client with its credential, see delivery_send. */
enum status delivery_send_on(struct delivery_client *client, const struct delivery_channel *channel,
                             const struct delivery_request *request, struct arena *arena,
                             struct delivery_answer *out) MUST_USE;

/* For doctor: has a token, waiting for it. The answer is filled when there is none (`no_token`). */
struct delivery_token_view {
  struct str url;  /* of the token endpoint */
  int64_t left_ms; /* of its life */
};
enum status delivery_token_try(struct delivery_client *client, struct arena *arena,
                               struct delivery_answer *out, struct delivery_token_view *view) MUST_USE;

#endif
