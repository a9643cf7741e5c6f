/* signals.c - what is asked of the process by a signal, and by whom: the kernel says it, and the trail keeps it. */
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "relay/internal.h"

struct relay_signals {
  int file;
  struct event *readable;
  relay_signal *call;
  void *context;
};

static void on_readable(evutil_socket_t file, short what, void *context) {
  struct relay_signals *signals = context;
  struct signalfd_siginfo info;
  (void)what;
  if (read(file, &info, sizeof info) != (ssize_t)sizeof info) return;
  signals->call(signals->context, (int)info.ssi_signo, info.ssi_uid);
}

enum status relay_signals_open(struct event_base *base, relay_signal *call, void *context,
                               struct relay_signals **out) {
  struct relay_signals *signals = *out = calloc(1, sizeof *signals);
  sigset_t set;
  if (!signals) return STATUS_NOMEM;
  *signals = (struct relay_signals){.file = -1, .call = call, .context = context};
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  /* before there are threads: they inherit it */
  if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) return STATUS_IO;
  signals->file = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (signals->file < 0) return STATUS_IO;
  signals->readable = event_new(base, signals->file, EV_READ | EV_PERSIST, on_readable, signals);
  return signals->readable && event_add(signals->readable, NULL) == 0 ? STATUS_OK : STATUS_NOMEM;
}

void relay_signals_close(struct relay_signals *signals) {
  if (!signals) return;
  if (signals->readable) event_free(signals->readable);
  if (signals->file >= 0) close(signals->file);
  free(signals);
}
