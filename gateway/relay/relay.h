/*
 * relay.h - the daemon: takes records in, keeps them, delivers them, for years.
 *
 * A record's way: a file of a drop folder, or a posted body -> text -> records -> (pipeline) a Bundle for
 * each destination -> outbox -> durable, and only then answered (moved to done/, 202) -> claimed in the order
 * of its lane -> (exchange) requests to the server -> settled -> done, or tried again, or parked.
 *
 * Threads: everything happens on one event loop, except that large texts are mapped beside it (mapper.h), and a copy of the
 * store is checked there (backup.c).
 * Errors: CONFIG what is configured cannot be; RETRY the store is open elsewhere, or a socket or port taken; CONFLICT it is an older copy; IO the disk
 * failed: the process has stopped without answering what it could not keep. No patients' data leaves this process
 * but sealed into the store and over TLS to destinations.
 */
#ifndef KETLINK_RELAY_RELAY_H
#define KETLINK_RELAY_RELAY_H

#include "base/base.h"

struct relay_params {
  const struct host *host;
  const char *config;
  bool check;           /* only: configuration, maps, destinations, keys, and the store as it is seen from outside; nothing is written */
  bool accept_restored; /* only: an older copy of the store is taken for the present one; then it ends */
};
/* Runs until SIGTERM or SIGINT (OK), or until it must stop. With `check` every fault is in `diags`. */
enum status relay_run(const struct relay_params *params, struct diag_list *diags) MUST_USE;

#endif
