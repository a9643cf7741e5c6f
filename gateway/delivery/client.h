/* client.h - private to delivery: what a client holds, for the senders (client.c, loop.c) and the probe
 * (probe.c). */
#ifndef KETLINK_DELIVERY_CLIENT_H
#define KETLINK_DELIVERY_CLIENT_H

#include <curl/curl.h>
#include "delivery/internal.h"

struct delivery_client {
  CURL *curl;
  struct delivery_destination destination;
  struct arena *arena;
  char *authorization; /* "Authorization: Bearer …", wiped when freed; NULL: none */
  size_t authorization_size;
  char error[CURL_ERROR_SIZE];
};

/* Sets what is the same for every request to the destination. */
bool delivery_handle_set(const struct delivery_client *client, CURL *curl, char *error);

/* --- call.c: one request on a handle --- */

struct delivery_call {
  CURL *curl;
  struct delivery_client *client;
  char *error; /* CURL_ERROR_SIZE */
  struct delivery_request request;
  struct arena *arena; /* of the answer */
  /* private */
  struct curl_slist *headers;
  struct buf body; /* of the answer */
  size_t given;    /* bytes of the request's body that libcurl has taken */
};
/* Sets the handle. `reuse`: the connection may be one that was used before, and be kept; else what writes has
   a fresh one. Release it whatever the status is. */
enum status delivery_call_begin(struct delivery_call *call, bool reuse) MUST_USE;
enum status delivery_call_end(struct delivery_call *call, CURLcode code,
                              struct delivery_answer *out) MUST_USE;
void delivery_call_release(struct delivery_call *call);

#endif
