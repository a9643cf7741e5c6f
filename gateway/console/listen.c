/* listen.c - the sockets that are listened on; the console's birth and end. */
#include <event2/event.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <unistd.h>
#include "console/internal.h"

enum { BACKLOG = 128, REST_MS = 200 };

static enum status fail(struct diag_list *diags, enum status status, const char *what, const char *why) {
  struct source source = source_make(str_of(what), (struct str){0});
  struct diag_at at = {.source = &source};
  diag_error(diags, DIAG_CONFIG_INVALID, &at, "%s", why);
  return status;
}

/* --- the port --- */

static enum status open_port(struct console *console, struct diag_list *diags, struct base_listening *out) {
  const struct console_params *params = &console->params;
  struct base_address address;
  if (!base_address_make(params->listen_host, params->port, &address) || !base_address_is_loopback(&address))
    return fail(diags, STATUS_CONFIG, params->listen_host,
                "only an address of this machine itself is listened on: 127.0.0.1 or ::1");
  if (!params->token.len) return fail(diags, STATUS_CONFIG, params->listen_host, "a port needs a token");
  return base_listen_address(params->listen_host, &address, diags, out);
}

/* --- listening --- */

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int size,
                      void *context) {
  struct console *console = context;
  (void)address;
  (void)size;
  console_serve(console, fd, listener == console->listeners[0]);
}

/* False: one cannot be watched now, for want of memory. */
static bool set_listening(struct console *console, bool on) {
  bool fine = true;
  for (size_t i = 0; i < CONSOLE_LISTENERS; i++)
    if (console->listeners[i])
      fine = (on ? evconnlistener_enable : evconnlistener_disable)(console->listeners[i]) == 0 && fine;
  return fine;
}

static bool rest(struct console *console) {
  struct timeval moment = {.tv_usec = REST_MS * 1000};
  return event_add(console->rest, &moment) == 0;
}

/* No descriptors are left: the listener would be readable for ever, so nobody is accepted for a moment. */
static void on_accept_error(struct evconnlistener *listener, void *context) {
  struct console *console = context;
  (void)listener;
  if (rest(console)) (void)set_listening(console, false);
}

static void on_rested(evutil_socket_t fd, short what, void *context) {
  (void)fd;
  (void)what;
  if (!set_listening(context, true)) (void)rest(context);
}

static enum status begin_listening(struct console *console, int fd, struct evconnlistener **out) {
  unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC;
  *out = evconnlistener_new(console->params.base, on_accept, console, flags, BACKLOG, fd);
  if (!*out) return STATUS_NOMEM;
  evconnlistener_set_error_cb(*out, on_accept_error);
  return STATUS_OK;
}

static enum status open_one(struct console *console, bool local, struct diag_list *diags) {
  struct base_listening *made = &console->made[local ? 0 : 1];
  enum status status =
      local ? base_listen_path(console->params.socket, diags, made) : open_port(console, diags, made);
  if (status != STATUS_OK) return status;
  status = begin_listening(console, made->fd, &console->listeners[local ? 0 : 1]);
  if (status != STATUS_OK) close(made->fd);
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

/* The new one first: as long as there is none the old one keeps whom it has. */
enum status console_look(struct console *console, struct diag_list *diags) {
  if (!console || !console->params.socket || base_listen_is_there(console->params.socket, &console->made[0]))
    return STATUS_OK;
  struct evconnlistener *old = console->listeners[0];
  struct base_listening before = console->made[0];
  enum status status = open_one(console, true, diags);
  if (status == STATUS_OK) {
    evconnlistener_free(old);
    return STATUS_OK;
  }
  base_listen_remove(console->params.socket, &console->made[0]);
  console->listeners[0] = old;
  console->made[0] = before;
  return status;
}

uint16_t console_port(const struct console *console) {
  return console->made[1].port;
}

void console_close(struct console *console) {
  if (!console) return;
  for (size_t i = 0; i < CONSOLE_LISTENERS; i++)
    if (console->listeners[i]) evconnlistener_free(console->listeners[i]);
  while (console->replies)
    console_stop(console->replies);
  if (console->params.socket) base_listen_remove(console->params.socket, &console->made[0]);
  if (console->rest) event_free(console->rest);
  free(console);
}
