/* client.h - private to delivery: what a client holds, for the senders (client.c, loop.c, token.c) and the
 * probe (probe.c). */
#ifndef KETLINK_DELIVERY_CLIENT_H
#define KETLINK_DELIVERY_CLIENT_H

#include <curl/curl.h>
#include <openssl/ssl.h>
#include "delivery/internal.h"

enum {
  DELIVERY_REASON_MAX = 320,
  DELIVERY_URL_MAX = 2048,
  /* A connection is judged by its certificate when it is made: it must not outlive that judgement for long. */
  DELIVERY_LIFETIME_S = 60,
  DELIVERY_IDLE_S = 30
};

/* Why there is no token; kept for those who waited for the same fetch. */
struct delivery_token_failure {
  bool failed;
  enum delivery_phase phase;
  enum delivery_verdict verdict;
  enum status status;
  int64_t retry_after_ms;
  char reason[DELIVERY_REASON_MAX];
};

/* What is known of the access token; the token itself stands in the client's authorization. */
struct delivery_token {
  char url[DELIVERY_URL_MAX];     /* discovered; empty: not yet */
  int64_t expires_at, refresh_at; /* by the monotonic clock, in milliseconds; 0: there is none */
  unsigned generation;            /* counts tokens */
  bool fetching;
  struct delivery_token_failure failure; /* of the last fetch */
};

/* Tells one state of a file from another. */
struct delivery_mark {
  uint64_t device, inode;
  int64_t size, written_ns, changed_ns;
};

struct delivery_client {
  CURL *curl;
  struct delivery_transfer *idle; /* on the loop: handles that are set for this client, to be used again */
  size_t idle_count;
  const struct host *host;
  struct delivery_destination destination;
  struct arena *arena;
  struct str host_name; /* of base; of HTTPS */
  CURLU *base;          /* taken apart once for all requests to it; NULL: each is taken apart */
  char *authorization; /* "Authorization: Bearer …", wiped when freed; NULL: none */
  size_t authorization_size;
  struct delivery_mark mark; /* of the file of the token or password, before it was read */
  struct delivery_mark key_mark; /* of clientKeyFile */
  bool stale;                /* one of these files is another now, and cannot be used: no record goes with the old secret, alerts do */
  char stale_reason[DELIVERY_REASON_MAX]; /* why it cannot */
  struct delivery_token token;
  bool proven; /* its last request was answered: connections are kept; a failed one is closed at once, and read out */
  struct delivery_talk *kept; /* MLLP, of who waits: a connection that stands, without a message */
  struct delivery_line *lines; /* MLLP, on the loop: its connections, those that rest among them */
  uint64_t messages;           /* that have begun on them */
  bool asked; /* the server wanted a client certificate, and there is none */
  struct delivery_probe *probe; /* of delivery_probe, while its request runs; else NULL */
  char error[CURL_ERROR_SIZE];
};

/* Sets what is the same for every request to the destination. UNSUPPORTED: not by this libcurl. */
enum status delivery_handle_set(const struct delivery_client *client, CURL *curl, char *error) MUST_USE;
/* The request as it is, waited for, on the client's own handle. */
enum status delivery_send_bare(struct delivery_client *client, const struct delivery_request *request,
                               struct arena *arena, struct delivery_answer *out) MUST_USE;

/* --- credential.c --- */

/* The header of requests for FHIR from now on. */
enum status delivery_authorize(struct delivery_client *client, const char *scheme,
                               struct str secret) MUST_USE;
/* Reads and checks every file that the destination names for trust and identity. */
enum status delivery_credential_load(struct delivery_client *client, struct diag_list *diags) MUST_USE;

/* Reads the file of the bearer token or password again when it is not the one that was read, and asks of clientKeyFile whether others
   can read it: before each request. */
void delivery_credential_refresh(struct delivery_client *client);
/* Refused: the next request reads it again in any case. */
void delivery_credential_doubt(struct delivery_client *client);

/* --- token.c --- */

struct delivery_channel;
struct delivery_token_view;
enum status delivery_token_have(struct delivery_client *client, const struct delivery_channel *channel,
                                struct arena *arena, struct delivery_answer *out,
                                struct delivery_token_view *view) MUST_USE;

/* --- call.c: one request on a handle --- */

struct delivery_call {
  CURL *curl;
  struct delivery_client *client;
  char *error; /* CURL_ERROR_SIZE */
  struct delivery_request request;
  struct arena *arena; /* of the answer */
  curl_opensocket_callback open_socket; /* which asks delivery_call_socket, and its context; NULL: that alone */
  void *opener;
  /* private */
  struct curl_slist *headers, **last_header;
  struct buf body; /* of the answer */
  size_t heads;    /* bytes of its heads and of the fields behind its body */
  struct str host; /* whom the certificate must name */
  struct delivery_probe *probe; /* of delivery_probe_connect */
  SSL_CTX *tls;    /* of the connection that was made for it: tells the alert that the server sent; NULL: none was */
};

/* Of an address; empty when it is none. */
struct str delivery_host_of(struct str url, struct arena *arena);
/* Sets the handle. `reuse`: the connection may be one that was used before, and be kept; else what writes has
   a fresh one. Release it whatever the status is. */
enum status delivery_call_begin(struct delivery_call *call, bool reuse) MUST_USE;
enum status delivery_call_end(struct delivery_call *call, CURLcode code,
                              struct delivery_answer *out) MUST_USE;
void delivery_call_release(struct delivery_call *call);
/* For CURLOPT_OPENSOCKETFUNCTION: a new connection, unless what has left may have been acted on. */
curl_socket_t delivery_call_socket(void *call, curlsocktype purpose, struct curl_sockaddr *address);
/* Sets the handle for a connection and nothing else, with TLS unless the destination is plain. */
enum status delivery_call_connect(struct delivery_call *call) MUST_USE;

/* --- probe.c: what the connection of the call is made of --- */
void delivery_probe_look(const struct delivery_call *call, struct delivery_probe *out);

/* --- loop.c: a connection for others to speak on --- */

struct delivery_loop;
struct delivery_transfer;
struct event_base;
typedef void delivery_connected(void *context, CURLcode code);
/* Gives the call a handle, set for its client. `forget` is called when the loop is freed before delivery_loop_disconnect. */
enum status delivery_loop_connect(struct delivery_loop *loop, struct delivery_call *call, delivery_connected *connected,
                                  void (*forget)(void *context), void *context, struct delivery_transfer **out) MUST_USE;
/* `connected` is called from the event loop, once; the handle is used for curl_easy_send and _recv from then on. */
enum status delivery_loop_start(struct delivery_transfer *transfer) MUST_USE;
/* Closes the connection. */
void delivery_loop_disconnect(struct delivery_transfer *transfer);
/* The client is freed: so are its handles. */
void delivery_loop_forget(struct delivery_client *client);
struct event_base *delivery_loop_base(const struct delivery_loop *loop);

/* --- kept connections of MLLP: closed when the client is freed --- */

void delivery_message_hang_up(struct delivery_client *client); /* mllp_wait.c */
void delivery_lines_hang_up(struct delivery_client *client);   /* loop_mllp.c */

/* --- probe.c --- */

/* A connection that is made and closed: what it is made of. */
void delivery_probe_connect(struct delivery_call *call, struct delivery_probe *out);

/* --- reason.c: what libcurl and OpenSSL say, for the table of verdicts and for people --- */

/* Bytes that have left, of all tries of the call. */
long delivery_sent(const struct delivery_call *call);
enum delivery_phase delivery_phase_of(const struct delivery_call *call, CURLcode code);
/* Kept beyond the connection, which libcurl closes before it says that it failed. */
void delivery_alert_watch(struct delivery_call *call, SSL_CTX *tls);
void delivery_alert_forget(struct delivery_call *call);
struct str delivery_reason_of(const struct delivery_call *call, CURLcode code, long status);

#endif
