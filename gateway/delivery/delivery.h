/*
 * delivery.h - HTTPS to an EHR: TLS policy, credentials, one request at a time, and what an answer means.
 *
 * TLS 1.2 or newer with the suites of RFC 9325, certificate and host name always verified, private CA by
 * file; https only, by HTTP/1.1 whatever a server offers; redirects are never followed; no compression asked for; answers capped after decoding; a
 * POST goes out on a fresh connection (libcurl resends on a dead reused one by itself). The host name must
 * stand among the certificate's alternative names; a common name is none. Credentials are read from files
 * (base/secret.h), live in wiped memory, and go only to the exact origin of the destination. Nothing of a
 * body is ever logged.
 */
#ifndef KETLINK_DELIVERY_DELIVERY_H
#define KETLINK_DELIVERY_DELIVERY_H

#include "base/base.h"
#include "tree/tree.h"

/* Which phase a failure happened in: before the request could leave nothing was sent. */
enum delivery_phase {
  DELIVERY_BEFORE_CONNECT,
  DELIVERY_CONNECT,
  DELIVERY_TLS,
  DELIVERY_SENDING,
  DELIVERY_ANSWER
};

/* What to do next (reliability rules; a pure table). */
enum delivery_verdict {
  DELIVERY_DONE,    /* 2xx and understood */
  DELIVERY_RETRY,   /* passing fault: try again later */
  DELIVERY_SETTLE,  /* outcome unknown: read back before sending again */
  DELIVERY_COMPARE, /* 409, 412: read what is there and compare */
  DELIVERY_PARK,    /* refused for good: the data is at fault */
  DELIVERY_HOLD /* the destination is at fault (credential, configuration, certificate): hold everything for
                   it */
};

/* Who we are to the server, besides a client certificate. */
enum delivery_auth {
  DELIVERY_AUTH_NONE,
  DELIVERY_AUTH_BEARER, /* a token that somebody else renews, in a file */
  DELIVERY_AUTH_BASIC,  /* user and password */
  DELIVERY_AUTH_MTLS,   /* nothing but the client certificate */
  DELIVERY_AUTH_SMART   /* SMART Backend Services: a signed assertion becomes a token, see token.h */
};

enum delivery_protocol { DELIVERY_HTTPS, DELIVERY_MLLP /* message.h */ };

/* Of HL7 v2: what a receiver says of a message (table 0008), and which of that ends its delivery. */
enum delivery_ack {
  DELIVERY_ACK_NONE,
  DELIVERY_ACK_AA,
  DELIVERY_ACK_AE,
  DELIVERY_ACK_AR,
  DELIVERY_ACK_CA,
  DELIVERY_ACK_CE,
  DELIVERY_ACK_CR
};
enum delivery_ack_mode {
  DELIVERY_ACK_ORIGINAL,   /* one answer */
  DELIVERY_ACK_COMMIT,     /* enhanced mode: the answer that it is stored */
  DELIVERY_ACK_APPLICATION /* enhanced mode: that, and on the same connection what the application says */
};

struct delivery_destination {
  enum delivery_protocol protocol;
  struct str name;
  struct str base;       /* https://host[:port]/path, no slash at the end; of MLLP host:port */
  struct str ca_file;    /* empty: the system's */
  struct str crl_file;   /* revocation lists of every authority of a chain; empty: not asked */
  struct str pins;       /* "sha256//…;sha256//…" of public keys; empty: none */
  struct str cert_file, key_file; /* of the client; empty: none */
  enum delivery_auth auth;
  struct str token_file;          /* bearer */
  struct str user, password_file; /* basic */
  struct str client_id, keys_file, scope, token_url; /* smart; token_url empty: discovered */
  int64_t connect_ms, total_ms;
  size_t max_response;
  bool plain; /* in clear, to this machine only: a hook, see delivery_hook_make; MLLP without TLS */
  int64_t ack_ms;        /* MLLP: from the first byte to the acknowledgement */
  unsigned ack_attempts; /* MLLP: after so many AE or CE it is parked */
  enum delivery_ack_mode acknowledge;
  unsigned retries;      /* of what failed for a passing cause, within one command */
  int64_t retry_wait_ms; /* before the first of them; doubled each time */
  int64_t settle_ms;     /* after a lost answer: so long the server may still be at work on the request */
  bool read_back;        /* look afterwards what was kept */
};
/* Reads the delivery part of a destination file; relative file names are relative to it. STATUS_CONFIG with
 * diagnostics. */
enum status delivery_destination_read(const char *path, const struct host *host, struct arena *arena,
                                      struct diag_list *diags, struct delivery_destination *out) MUST_USE;

/* A hook takes small JSON documents: an https address, or http in clear to 127.0.0.1 or [::1]. Its files are as
   those of a destination; views stay the caller's. NULL, or what is wrong with the address, which is never repeated:
   it may hold a secret. */
const char *delivery_hook_make(struct str url, struct str ca_file, struct str token_file,
                               struct delivery_destination *out) MUST_USE;

struct delivery_client;
/* Reads the credentials: what is wrong with a file is CONFIG now, not when a record waits. */
enum status delivery_client_new(const struct delivery_destination *destination, const struct host *host,
                                struct diag_list *diags, struct delivery_client **out) MUST_USE;
void delivery_client_free(struct delivery_client *client);
/* Why its secret cannot be used any more, as it was at the last request; empty: it can. Records do not go then, alerts do. */
struct str delivery_client_stale(const struct delivery_client *client);

/* What a request is for. Only those for FHIR, which go below base, and for a hook, which go to base itself, carry a
   credential; the others go to `url`. */
enum delivery_purpose { DELIVERY_FHIR, DELIVERY_DISCOVERY, DELIVERY_TOKEN, DELIVERY_HOOK };

struct delivery_request {
  enum delivery_purpose purpose;
  struct str url;           /* whole; of requests for a token */
  const char *method;       /* GET, POST, PUT */
  struct str path;          /* appended to base, begins with "/" or is empty; already escaped */
  struct str body;          /* application/fhir+json; of a hook application/json; empty for GET */
  struct str if_match;      /* ETag or empty */
  struct str if_none_exist; /* search of a conditional create, or empty */
  bool repeatable;          /* a POST that may be sent twice without harm (conditional updates throughout) */
};
struct delivery_answer {
  enum delivery_phase phase; /* how far it came */
  bool complete;             /* a whole HTTP answer was read */
  long status;               /* HTTP status, 0 if none */
  struct str body, content_type, location, etag;
  struct tree_node *root; /* the body as it was read; NULL: it does not say that it is JSON, or is none */
  int64_t retry_after_ms; /* -1: not given; clamped to 1 s … 1 h */
  int64_t server_ms;      /* Date header; 0: none */
  enum delivery_ack ack;  /* MLLP */
  unsigned skipped;       /* MLLP: answers to other messages */
  bool too_large;         /* HTTP: it was cut off at maxResponseBytes, or its head was too long: whether it was a yes nobody knows */
  bool no_token;          /* the access token could not be had: the request was not sent */
  struct str reason;      /* for people: "certificate has expired", "connection refused"; no patient data */
  enum delivery_verdict verdict; /* of delivery_classify */
  enum status as_status;         /* for exit codes: OK, RETRY, UNAVAILABLE, DENIED, INVALID, CONFIG */
};
/* One request, waited for, with its credential. Always fills the answer; STATUS_OK means that the call was
   made, whatever came back. */
enum status delivery_send(struct delivery_client *client, const struct delivery_request *request,
                          struct arena *arena, struct delivery_answer *out) MUST_USE;

/* Pure: phase, HTTP status, shape of the body and idempotence of the request -> verdict. One table, see
 * classify.c. */
enum delivery_body { DELIVERY_BODY_EMPTY, DELIVERY_BODY_FHIR, DELIVERY_BODY_OTHER, DELIVERY_BODY_TRUNCATED };
enum delivery_verdict delivery_classify(enum delivery_phase phase, long status, enum delivery_body body,
                                        bool safe_to_repeat);
/* Nobody knows whether the server has ended: the connection was lost, or something before it gave up waiting.
   What is sent again at once would race with the first (reliability: settle time). Pure. */
bool delivery_may_be_at_work(const struct delivery_answer *answer);
const char *delivery_verdict_name(enum delivery_verdict verdict);

/* A transaction or batch response, entry by entry. */
struct delivery_entry {
  long status;         /* first three digits of response.status */
  struct str location; /* "Type/id" without base and history; empty if none was given */
  struct str version;  /* from the location's history or the ETag */
  struct str outcome;  /* short text of an OperationOutcome's issue codes, no diagnostics; empty if none */
  enum delivery_verdict verdict;
};
/* Of the answer's root: exactly `expected` entries in the order of the request, resourceType Bundle, type
 * transaction-response or batch-response. NULL, or what is wrong with it: the outcome is then unknown. */
const char *delivery_read_response(const struct tree_node *root, struct str base, size_t expected,
                                   struct arena *arena, struct delivery_entry *entries) MUST_USE;
/* Characters of a FHIR id only: it becomes part of later requests. */
bool delivery_is_id(struct str text);
/* The same for a request of one resource: its place by Location or Content-Location, else by the resource
   that came back, else by the path it was sent to (relative to base, without the leading slash); empty when
   none of them tells. */
void delivery_read_single(const struct delivery_answer *answer, struct str base, struct str path,
                          struct arena *arena, struct delivery_entry *out);
/* Issue severities and codes of an OperationOutcome, for people, without diagnostics texts. */
struct str delivery_outcome_text(struct str body, struct arena *arena);

/* --- what a server says of itself ----------------------------------------------------------------------- */

/* What a CapabilityStatement says that a server does with one type; bits. */
enum delivery_can {
  DELIVERY_CAN_CREATE = 1,
  DELIVERY_CAN_UPDATE = 2,
  DELIVERY_CAN_READ = 4,
  DELIVERY_CAN_SEARCH = 8,
  DELIVERY_CAN_CREATE_IF = 16, /* conditionalCreate */
  DELIVERY_CAN_UPDATE_IF = 32, /* conditionalUpdate */
  DELIVERY_CAN_DELETE = 64
};
struct delivery_type {
  struct str name;
  unsigned can;
  const struct str *parameters; /* names of search parameters */
  size_t parameter_count;
};
struct delivery_capability {
  struct str fhir_version, software, software_version; /* printable, clipped; empty when not given */
  bool json;                                           /* among its formats */
  bool transaction, batch;
  const struct delivery_type *types;
  size_t type_count;
};
/* Pure. INVALID when it is no CapabilityStatement with a REST server, LIMIT when it has more types or
   parameters than the caps; *why says so. */
enum status delivery_capability_read(struct str body, struct arena *arena, struct delivery_capability *out,
                                     const char **why) MUST_USE;
/* NULL when it does not name the type. */
const struct delivery_type *delivery_capability_type(const struct delivery_capability *capability,
                                                     struct str name);
bool delivery_type_searched_by(const struct delivery_type *type, const char *parameter);

/* GET base/metadata, and how it came about. Nothing is written to the server. */
struct delivery_probe {
  struct delivery_answer answer;
  bool resolved;             /* the host name has an address */
  struct str address;        /* of the other side, empty without a connection */
  struct str tls, cipher;    /* "TLSv1.3", "TLS_AES_256_GCM_SHA384"; empty without a handshake */
  int chain;                 /* certificates that were verified, from the server's to the authority's; 0: none */
  int64_t expires_ms;        /* the server's own certificate; 0: not known */
};
enum status delivery_probe(struct delivery_client *client, struct arena *arena,
                           struct delivery_probe *out) MUST_USE;
/* A search that nothing can match, for the answer's status: 401 and 403 say what the credential is worth. */
enum status delivery_probe_token(struct delivery_client *client, const char *type, struct arena *arena,
                                 struct delivery_answer *out) MUST_USE;

/* Of OpenSSL: no keys below 112 bits of strength, no SHA-1, whatever this machine's openssl.cnf allows; of whoever speaks TLS here. */
enum { DELIVERY_TLS_LEVEL = 2 };
/* The suites of RFC 9325 section 4.2 for TLS 1.2, as OpenSSL names them: of whoever speaks TLS here. */
const char *delivery_tls_suites(void);

#endif
