/* notify.c - systemd's sd_notify protocol: a datagram to the socket that it names. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "relay/internal.h"

void relay_notify(const char *state) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const char *path = getenv("NOTIFY_SOCKET");
  size_t len = path ? strlen(path) : 0;
  if (!len || len >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@')) return;
  memcpy(address.sun_path, path, len);
  if (path[0] == '@') address.sun_path[0] = 0; /* in the abstract namespace */
  int out = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (out < 0) return;
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
  /* a service manager that does not listen stops nobody */
  ssize_t sent =
      sendto(out, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address, size);
  (void)sent;
  close(out);
}

void relay_show_life(void) {
  relay_notify("WATCHDOG=1");
}

int64_t relay_watchdog_ms(void) {
  const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
  int64_t value = 0, whose = 0;
  if (!us || !str_to_int64(str_of(us), &value)) return 0;
  if (pid && (!str_to_int64(str_of(pid), &whose) || whose != getpid())) return 0;
  return value / 2000; /* twice as often as is asked for */
}
