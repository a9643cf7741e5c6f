/* shrunk.c - the handler of SIGBUS: see shrunk.h. It keeps nothing, for which file it was stands in /proc/self/maps. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "cli/cli.h"
#include "cli/guard.h"
#include "cli/shrunk.h"

/* Only what may be called in a handler: no stdio, no memory. */

struct maps {
  int fd;
  char bytes[1024];
  size_t at, count;
};

static int next_char(struct maps *maps) {
  if (maps->at == maps->count) {
    ssize_t got = read(maps->fd, maps->bytes, sizeof maps->bytes);
    maps->at = 0;
    maps->count = got > 0 ? (size_t)got : 0;
  }
  return maps->count ? (unsigned char)maps->bytes[maps->at++] : -1;
}

static uintptr_t take_hex(struct maps *maps) {
  uintptr_t value = 0;
  for (int c; (c = next_char(maps)) >= 0;) {
    if (c >= '0' && c <= '9')
      value = value * 16 + (uintptr_t)(c - '0');
    else if (c >= 'a' && c <= 'f')
      value = value * 16 + (uintptr_t)(c - 'a') + 10;
    else
      break; /* the sign after it is taken too */
  }
  return value;
}

/* The path of a line begins with the first slash. What could steer a terminal is a question mark. */
static size_t take_path(struct maps *maps, char *path, size_t room) {
  size_t len = 0;
  for (int c; (c = next_char(maps)) >= 0 && c != '\n';)
    if ((len || c == '/') && len < room) path[len++] = c < 0x20 || c >= 0x7F ? '?' : (char)c;
  return len;
}

/* The file that an address is mapped from; 0: none. */
static size_t file_at(uintptr_t address, char *path, size_t room) {
  struct maps maps = {.fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC)};
  size_t len = 0;
  for (bool found = false; !found && maps.fd >= 0;) {
    uintptr_t from = take_hex(&maps), to = take_hex(&maps);
    if (!to) break;
    len = take_path(&maps, path, room);
    found = address >= from && address < to;
    if (!found) len = 0;
  }
  if (maps.fd >= 0) (void)close(maps.fd);
  return len;
}

static void say(const char *text, size_t len) {
  while (len) {
    ssize_t done = write(STDERR_FILENO, text, len);
    if (done <= 0) return;
    text += done;
    len -= (size_t)done;
  }
}

/* A guard waits for its signal, cleans and ends the program. Without one the signal may be blocked too, by whoever calls handlers for
   us: nothing is waited for without end. */
static void end(void) {
  enum { CLEANING_MS = 5000 };
  sigset_t blocked;
  (void)pthread_sigmask(SIG_BLOCK, NULL, &blocked);
  if (sigismember(&blocked, CLI_GUARD_GIVES_UP) != 1) _exit(CLI_IO);
  (void)kill(getpid(), CLI_GUARD_GIVES_UP);
  (void)poll(NULL, 0, CLEANING_MS);
  _exit(CLI_IO);
}

static void on_bus_error(int number, siginfo_t *info, void *context) {
  static const char begin[] = "ketlink: ",
                    end_text[] = ": it became shorter, or its disk failed, while it was read: nothing more of it is read; "
                                 "give it again when nobody writes into it\n";
  char path[4096];
  size_t len = info->si_code == BUS_ADRERR ? file_at((uintptr_t)info->si_addr, path, sizeof path) : 0;
  (void)context;
  if (!len) { /* somebody sent it, or our own fault */
    (void)signal(number, SIG_DFL);
    (void)raise(number);
    return;
  }
  say(begin, sizeof begin - 1);
  say(path, len);
  say(end_text, sizeof end_text - 1);
  end();
}

void cli_shrunk_watch(void) {
  struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
  sigemptyset(&action.sa_mask);
  (void)sigaction(SIGBUS, &action, NULL);
}
