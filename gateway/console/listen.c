/* listen.c - the sockets that are listened on; the console's birth and end. */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "console/internal.h"

enum { BACKLOG = 128, REST_MS = 200 };

static enum status fail(struct diag_list *diags, enum status status, const char *what, const char *why) {
  struct source source = source_make(str_of(what), (struct str){0});
  struct diag_at at = {.source = &source};
  diag_error(diags, DIAG_CONFIG_INVALID, &at, "%s", why);
  return status;
}

/* --- the Unix socket --- */

static bool make_address(const char *path, struct sockaddr_un *out) {
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
static enum status bind_unix(struct console *console, int fd, const struct sockaddr_un *address,
                             struct diag_list *diags) {
  const char *path = console->params.socket;
  struct stat info;
  mode_t before = umask(0177);
  int bound = bind(fd, (const struct sockaddr *)address, sizeof *address);
  int error = errno;
  umask(before);
  if (bound != 0 || lstat(path, &info) != 0)
    return fail(diags, STATUS_CONFIG, path, strerror(bound != 0 ? error : errno));
  console->socket_device = info.st_dev;
  console->socket_inode = info.st_ino;
  return STATUS_OK;
}

static enum status open_unix(struct console *console, struct diag_list *diags, int *fd) {
  const char *path = console->params.socket;
  struct sockaddr_un address;
  if (!make_address(path, &address)) return fail(diags, STATUS_CONFIG, path, "a socket's path has at most 107 bytes");
  enum status status = clear_stale(path, &address, diags);
  if (status != STATUS_OK) return status;
  *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  return *fd < 0 ? STATUS_NOMEM : bind_unix(console, *fd, &address, diags);
}

/* Only the file that was made here. */
static void remove_socket(const struct console *console) {
  struct stat info;
  if (console->socket_inode && lstat(console->params.socket, &info) == 0 &&
      info.st_dev == console->socket_device && info.st_ino == console->socket_inode)
    unlink(console->params.socket);
}

/* --- the port --- */

struct address {
  struct sockaddr_storage storage;
  socklen_t size;
};

static bool parse_address(const char *host, uint16_t port, struct address *out) {
  struct sockaddr_in *four = (struct sockaddr_in *)&out->storage;
  struct sockaddr_in6 *six = (struct sockaddr_in6 *)&out->storage;
  const char *numeric = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
  *out = (struct address){.size = sizeof *four};
  if (inet_pton(AF_INET, numeric, &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    return ntohl(four->sin_addr.s_addr) >> 24 == 127;
  }
  out->size = sizeof *six;
  if (inet_pton(AF_INET6, numeric, &six->sin6_addr) != 1) return false;
  six->sin6_family = AF_INET6;
  six->sin6_port = htons(port);
  return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

static uint16_t port_of(const struct address *address) {
  return ntohs(address->storage.ss_family == AF_INET6
                   ? ((const struct sockaddr_in6 *)&address->storage)->sin6_port
                   : ((const struct sockaddr_in *)&address->storage)->sin_port);
}

static enum status open_port(struct console *console, struct diag_list *diags, int *fd) {
  const struct console_params *params = &console->params;
  struct address address;
  int yes = 1;
  if (!parse_address(params->listen_host, params->port, &address))
    return fail(diags, STATUS_CONFIG, params->listen_host,
                "only an address of this machine itself is listened on: 127.0.0.1 or ::1");
  if (!params->token.len) return fail(diags, STATUS_CONFIG, params->listen_host, "a port needs a token");
  *fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (*fd < 0) return fail(diags, STATUS_CONFIG, params->listen_host, strerror(errno));
  if (setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
      bind(*fd, (const struct sockaddr *)&address.storage, address.size) != 0 ||
      getsockname(*fd, (struct sockaddr *)&address.storage, &address.size) != 0)
    return fail(diags, errno == EADDRINUSE ? STATUS_CONFLICT : STATUS_CONFIG, params->listen_host, strerror(errno));
  console->port = port_of(&address);
  return STATUS_OK;
}

/* --- listening --- */

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int size,
                      void *context) {
  struct console *console = context;
  (void)address;
  (void)size;
  console_serve(console, fd, listener == console->listeners[0]);
}

static void set_listening(struct console *console, bool on) {
  for (size_t i = 0; i < CONSOLE_LISTENERS; i++) {
    if (!console->listeners[i]) continue;
    if (on)
      evconnlistener_enable(console->listeners[i]);
    else
      evconnlistener_disable(console->listeners[i]);
  }
}

/* No descriptors are left: the listener would be readable for ever, so nobody is accepted for a moment. */
static void on_accept_error(struct evconnlistener *listener, void *context) {
  struct console *console = context;
  struct timeval moment = {.tv_usec = REST_MS * 1000};
  (void)listener;
  set_listening(console, false);
  event_add(console->rest, &moment);
}

static void on_rested(evutil_socket_t fd, short what, void *context) {
  (void)fd;
  (void)what;
  set_listening(context, true);
}

static enum status begin_listening(struct console *console, int fd, struct evconnlistener **out) {
  unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC;
  *out = evconnlistener_new(console->params.base, on_accept, console, flags, BACKLOG, fd);
  if (!*out) return STATUS_NOMEM;
  evconnlistener_set_error_cb(*out, on_accept_error);
  return STATUS_OK;
}

static enum status open_one(struct console *console, bool local, struct diag_list *diags) {
  int fd = -1;
  enum status status = (local ? open_unix : open_port)(console, diags, &fd);
  if (status == STATUS_OK) status = begin_listening(console, fd, &console->listeners[local ? 0 : 1]);
  if (status != STATUS_OK && fd >= 0) close(fd);
  return status;
}

enum status console_open(const struct console_params *params, struct diag_list *diags, struct console **out) {
  struct console *console = *out = calloc(1, sizeof *console);
  if (!console) return STATUS_NOMEM;
  console->params = *params;
  console->rest = event_new(params->base, -1, 0, on_rested, console);
  enum status status = console->rest ? STATUS_OK : STATUS_NOMEM;
  if (status == STATUS_OK && params->socket) status = open_one(console, true, diags);
  if (status == STATUS_OK && params->listen_host) status = open_one(console, false, diags);
  if (status == STATUS_OK) return STATUS_OK;
  console_close(console);
  *out = NULL;
  return status;
}

uint16_t console_port(const struct console *console) {
  return console->port;
}

void console_close(struct console *console) {
  if (!console) return;
  for (size_t i = 0; i < CONSOLE_LISTENERS; i++)
    if (console->listeners[i]) evconnlistener_free(console->listeners[i]);
  while (console->replies)
    console_stop(console->replies);
  remove_socket(console);
  if (console->rest) event_free(console->rest);
  free(console);
}
