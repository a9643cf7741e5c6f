/* socket.c - addresses, and sockets bound to them. */
#include "base/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static enum status fail(struct diag_list *diags, enum status status, const char *what, const char *why) {
  struct source source = source_make(str_of(what), (struct str){0});
  struct diag_at at = {.source = &source};
  diag_error(diags, DIAG_CONFIG_INVALID, &at, "%s", why);
  return status;
}

/* --- addresses --- */

bool base_address_make(const char *host, uint16_t port, struct base_address *out) {
  struct sockaddr_in *four = (struct sockaddr_in *)&out->storage;
  struct sockaddr_in6 *six = (struct sockaddr_in6 *)&out->storage;
  const char *numeric = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
  *out = (struct base_address){.size = sizeof *four};
  if (inet_pton(AF_INET, numeric, &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    return true;
  }
  out->size = sizeof *six;
  if (inet_pton(AF_INET6, numeric, &six->sin6_addr) != 1) return false;
  six->sin6_family = AF_INET6;
  six->sin6_port = htons(port);
  return true;
}

bool base_address_split(struct str text, struct str *host, uint16_t *port) {
  int64_t number = 0;
  size_t colon = text.len;
  while (colon > 0 && text.ptr[colon - 1] != ':')
    colon--;
  if (!colon || !str_to_int64(str_slice(text, colon, text.len), &number) || number < 0 || number > UINT16_MAX) return false;
  *host = str_slice(text, 0, colon - 1);
  *port = (uint16_t)number;
  bool brackets = host->len > 1 && host->ptr[0] == '[' && host->ptr[host->len - 1] == ']';
  if (brackets) *host = str_slice(*host, 1, host->len - 1);
  return brackets == (str_find_char(*host, ':', 0) != SIZE_MAX);
}

bool base_address_parse(struct str text, struct base_address *out) {
  char numeric[INET6_ADDRSTRLEN + 1];
  struct str host;
  uint16_t port;
  if (!base_address_split(text, &host, &port) || host.len >= sizeof numeric) return false;
  snprintf(numeric, sizeof numeric, "%.*s", STR_ARG(host));
  return base_address_make(numeric, port, out);
}

bool base_address_is_loopback(const struct base_address *address) {
  if (address->storage.ss_family == AF_INET6)
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&address->storage)->sin6_addr);
  return ntohl(((const struct sockaddr_in *)&address->storage)->sin_addr.s_addr) >> 24 == 127;
}

uint16_t base_address_port(const struct base_address *address) {
  return ntohs(address->storage.ss_family == AF_INET6
                   ? ((const struct sockaddr_in6 *)&address->storage)->sin6_port
                   : ((const struct sockaddr_in *)&address->storage)->sin_port);
}

/* --- a path --- */

static bool make_path(const char *path, struct sockaddr_un *out) {
  *out = (struct sockaddr_un){.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof out->sun_path) return false;
  memcpy(out->sun_path, path, strlen(path) + 1);
  return true;
}

/* A socket that nobody listens on was left by a process that is gone. One start at a time: the store's lock sees to
   it. */
static enum status clear_stale(const char *path, const struct sockaddr_un *address, struct diag_list *diags) {
  struct stat info;
  if (lstat(path, &info) != 0)
    return errno == ENOENT ? STATUS_OK : fail(diags, STATUS_CONFIG, path, strerror(errno));
  if (!S_ISSOCK(info.st_mode)) return fail(diags, STATUS_CONFIG, path, "is there, and is no socket");
  int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return STATUS_NOMEM;
  bool stale = connect(probe, (const struct sockaddr *)address, sizeof *address) != 0 && errno == ECONNREFUSED;
  close(probe);
  if (!stale) return fail(diags, STATUS_CONFLICT, path, "another process listens on it");
  return unlink(path) == 0 ? STATUS_OK : fail(diags, STATUS_CONFIG, path, strerror(errno));
}

/* The mask makes it 0600 from its first moment; chmod afterwards would leave one in which others connect. */
static enum status bind_path(const char *path, const struct sockaddr_un *address, struct diag_list *diags,
                             struct base_listening *out) {
  struct stat info;
  mode_t before = umask(0177);
  int bound = bind(out->fd, (const struct sockaddr *)address, sizeof *address);
  int error = errno;
  umask(before);
  if (bound != 0 || lstat(path, &info) != 0)
    return fail(diags, STATUS_CONFIG, path, strerror(bound != 0 ? error : errno));
  out->device = info.st_dev;
  out->inode = info.st_ino;
  return STATUS_OK;
}

static enum status drop(struct base_listening *out, enum status status) {
  if (status != STATUS_OK && out->fd >= 0) {
    close(out->fd);
    out->fd = -1;
  }
  return status;
}

enum status base_listen_path(const char *path, struct diag_list *diags, struct base_listening *out) {
  struct sockaddr_un address;
  *out = (struct base_listening){.fd = -1};
  if (!make_path(path, &address)) return fail(diags, STATUS_CONFIG, path, "a socket's path has at most 107 bytes");
  enum status status = clear_stale(path, &address, diags);
  if (status != STATUS_OK) return status;
  out->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  return out->fd < 0 ? STATUS_NOMEM : drop(out, bind_path(path, &address, diags, out));
}

bool base_listen_is_there(const char *path, const struct base_listening *listening) {
  struct stat info;
  return listening->inode && lstat(path, &info) == 0 && info.st_dev == listening->device &&
         info.st_ino == listening->inode;
}

void base_listen_remove(const char *path, const struct base_listening *listening) {
  if (base_listen_is_there(path, listening)) unlink(path);
}

/* --- a port --- */

static enum status bind_address(const char *name, const struct base_address *address, struct diag_list *diags,
                                struct base_listening *out) {
  struct base_address bound = *address;
  int yes = 1;
  if (setsockopt(out->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
      bind(out->fd, (const struct sockaddr *)&address->storage, address->size) != 0 ||
      getsockname(out->fd, (struct sockaddr *)&bound.storage, &bound.size) != 0)
    return fail(diags, errno == EADDRINUSE ? STATUS_CONFLICT : STATUS_CONFIG, name, strerror(errno));
  out->port = base_address_port(&bound);
  return STATUS_OK;
}

enum status base_listen_address(const char *name, const struct base_address *address, struct diag_list *diags,
                                struct base_listening *out) {
  *out = (struct base_listening){.fd = -1};
  out->fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (out->fd < 0) return fail(diags, STATUS_CONFIG, name, strerror(errno));
  return drop(out, bind_address(name, address, diags, out));
}
