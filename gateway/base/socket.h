/*
 * socket.h - addresses that are listened on: a path, for programs of this host, or a numeric address and port.
 *
 * Names are not resolved: what is listened on must not depend on a name server. Descriptors are non-blocking and closed
 * on exec; they are the caller's. Errors: CONFIG (the address cannot be had), CONFLICT (another process has it), both
 * with a finding; NOMEM. Any thread, but base_listen_path sets the process's umask for a moment.
 */
#ifndef KETLINK_BASE_SOCKET_H
#define KETLINK_BASE_SOCKET_H

#include <sys/socket.h>
#include "base/diag.h"

struct base_address {
  struct sockaddr_storage storage;
  socklen_t size;
};
/* `host` is numeric, or "localhost" for 127.0.0.1. */
bool base_address_make(const char *host, uint16_t port, struct base_address *out) MUST_USE;
/* "ehr.example:2575", "127.0.0.1:2575", "[::1]:2575": the host, without its brackets, and the port. False: there is no port, one above
   65535, or an IPv6 address without brackets. */
bool base_address_split(struct str text, struct str *host, uint16_t *port) MUST_USE;
/* The same of a numeric address. */
bool base_address_parse(struct str text, struct base_address *out) MUST_USE;
/* Reached by this host alone. */
bool base_address_is_loopback(const struct base_address *address);
uint16_t base_address_port(const struct base_address *address);

struct base_listening {
  int fd;
  uint16_t port;                    /* that was given, when 0 was asked for */
  unsigned long long device, inode; /* of the file that was made; 0: none */
};
/* A Unix socket of mode 0600 from its first moment; one that nobody listens on any more is replaced. */
enum status base_listen_path(const char *path, struct diag_list *diags, struct base_listening *out) MUST_USE;
/* `name` is for findings. */
enum status base_listen_address(const char *name, const struct base_address *address, struct diag_list *diags,
                                struct base_listening *out) MUST_USE;
/* Whether that file is still there, under its path. */
bool base_listen_is_there(const char *path, const struct base_listening *listening);
/* Removes the file, if it is still the one that was made. */
void base_listen_remove(const char *path, const struct base_listening *listening);

#endif
