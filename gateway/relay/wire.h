/*
 * wire.h - for relay and simulate: bytes of a connection that was accepted, in clear or by TLS, never waiting.
 *
 * Why not libevent's bufferevent_openssl: its buffers are not wiped when they are freed, and these bytes are patients'
 * data (console/serve.c has the same reason). TLS is as towards destinations: 1.2 at least, the suites of RFC 9325,
 * no resumption (a session that is resumed is not verified), no renegotiation; a client certificate from the authority
 * that is named, not in its list of revoked ones where there is one, and for one of the names that are wanted where some are.
 */
#ifndef KETLINK_RELAY_WIRE_H
#define KETLINK_RELAY_WIRE_H

#include "base/base.h"

struct relay_mllp_config;
struct relay_tls;

/* Certificate, key, authority and list as the configuration names them; all faults in `diags`. *out is NULL when it
   names none. The configuration lives longer than all connections. */
enum status relay_tls_open(const struct relay_mllp_config *config, const struct host *host, struct diag_list *diags,
                           struct relay_tls **out) MUST_USE;
/* NULL is allowed; connections that were begun with it go on. */
void relay_tls_close(struct relay_tls *tls);

enum relay_wire_says {
  WIRE_DONE,
  WIRE_WANTS_READ, /* again when the descriptor is readable */
  WIRE_WANTS_WRITE,
  WIRE_END, /* the other side sends no more */
  WIRE_FAULT
};
struct relay_wire {
  int fd;
  struct ssl_st *ssl; /* NULL: in clear */
  bool shaken;
};
/* Takes the descriptor over. */
enum status relay_wire_open(struct relay_wire *wire, int fd, const struct relay_tls *tls) MUST_USE;
void relay_wire_close(struct relay_wire *wire);
/* Nothing more is written; what still comes in is to be read until the other side ends too. False: it is to be closed. */
bool relay_wire_finish(struct relay_wire *wire);
/* DONE: the other side is known, if it must be. */
enum relay_wire_says relay_wire_shake(struct relay_wire *wire);
enum relay_wire_says relay_wire_read(struct relay_wire *wire, char *bytes, size_t room, size_t *count);
enum relay_wire_says relay_wire_write(struct relay_wire *wire, struct str bytes, size_t *count);
/* Why TLS failed: words of the program or of OpenSSL, nothing of a peer. */
struct str relay_wire_why(const struct relay_wire *wire);

#endif
