/*
 * smart.h - SMART Backend Services (HL7 SMART App Launch 2.x, "Client Authentication: Asymmetric"): the
 * client's keys, the signed assertion, and what token endpoints answer.
 *
 * Purpose. A *key set* is a file of this host's private keys for one registration, readable by its owner
 * only. The public part (a JWK Set) is what the EHR fetches or is given. A key that is new is published at
 * once and signs only from `signs_from` on, so that servers that cache the set know it by then; an old one
 * stays published until it is dropped. Nothing here connects to anything. Ownership: a key set is closed by
 * its owner; texts live in the arena, and those that hold secrets are named so: wipe them. Threads: a key set
 * may be read by several. Units: times in milliseconds since 1970. Errors: CONFIG with diagnostics for what
 * stands in files and servers' answers; never a secret in a message.
 */
#ifndef KETLINK_DELIVERY_SMART_H
#define KETLINK_DELIVERY_SMART_H

#include "base/base.h"

enum { SMART_KEYS_MAX = 8, SMART_TOKEN_MAX = 16384 };

enum delivery_smart_algorithm { SMART_ES384, SMART_RS384 };
bool delivery_smart_algorithm_parse(struct str word, enum delivery_smart_algorithm *out);
const char *delivery_smart_algorithm_name(enum delivery_smart_algorithm algorithm);

struct delivery_smart_keys;

/* Reads the file: regular, this user's or root's, closed to others. */
enum status delivery_smart_keys_read(const char *path, struct diag_list *diags,
                                     struct delivery_smart_keys **out) MUST_USE;
/* NULL is allowed. */
void delivery_smart_keys_close(struct delivery_smart_keys *keys);
/* The text (a secret) of a key set with one key more; `keys` NULL: the first. At SMART_KEYS_MAX the oldest is
 * dropped. */
enum status delivery_smart_keys_add(const struct delivery_smart_keys *keys,
                                    enum delivery_smart_algorithm algorithm, int64_t now, int64_t signs_from,
                                    struct arena *arena, struct str *text) MUST_USE;
/* The text (a secret) without keys that stopped signing before `before`: those older than the one that signs
 * now. */
enum status delivery_smart_keys_prune(const struct delivery_smart_keys *keys, int64_t now, int64_t before,
                                      struct arena *arena, struct str *text, size_t *dropped) MUST_USE;
/* The public JWK Set, as it is to be hosted or registered. */
enum status delivery_smart_keys_public(const struct delivery_smart_keys *keys, struct arena *arena,
                                       struct str *text) MUST_USE;

struct delivery_smart_key_info {
  struct str kid; /* RFC 7638 thumbprint */
  enum delivery_smart_algorithm algorithm;
  int64_t made, signs_from;
  bool signs; /* it is the one that signs now */
};
size_t delivery_smart_keys_list(const struct delivery_smart_keys *keys, int64_t now,
                                struct delivery_smart_key_info out[SMART_KEYS_MAX]);

/* The signed assertion (a secret): iss and sub the client, aud the token endpoint, a new jti, exp in 4
   minutes: at 5, the most that is allowed, a clock that is a second off makes servers refuse it. */
enum status delivery_smart_assertion(const struct delivery_smart_keys *keys, struct str client_id,
                                     struct str token_url, const struct host *host, struct arena *arena,
                                     struct str *jwt) MUST_USE;
/* The form (a secret) that is posted to the token endpoint. */
enum status delivery_smart_token_request(struct str assertion, struct str scope, struct arena *arena,
                                         struct str *form) MUST_USE;

struct delivery_smart_token {
  struct str access_token; /* a secret */
  int64_t expires_at;      /* by the clock given; life clamped to 30 … 3600 s */
  int64_t refresh_at;      /* at 80 % of it */
};
/* Of the token endpoint's answer: JSON with a bearer token of printable characters; expires_in a positive
 * number. */
enum status delivery_smart_token_read(struct str body, int64_t now, struct arena *arena,
                                      struct diag_list *diags, struct delivery_smart_token *out) MUST_USE;
/* The token endpoint in BASE/.well-known/smart-configuration: https, and client_credentials with
   private_key_jwt offered where the document lists them. */
enum status delivery_smart_discovery_read(struct str body, struct str base, struct arena *arena,
                                          struct diag_list *diags, struct str *token_url) MUST_USE;
/* Scheme, host and port alike: a token goes nowhere else than where it is meant for. */
bool delivery_smart_same_origin(struct str a, struct str b);

#endif
