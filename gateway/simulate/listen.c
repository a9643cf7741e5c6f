/* listen.c - where it listens, who may connect, and when it ends. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/socket.h"
#include "relay/config.h"
#include "simulate/peer.h"

enum { PEERS_MAX = 64 };

struct listener {
  struct simulate_room room;
  struct base_listening made;
  int signals; /* SIGINT and SIGTERM, as a descriptor */
  sigset_t before;
  struct simulate_peer peers[PEERS_MAX];
};

static enum status complain(struct diag_list *diags, struct str what, const char *why) {
  struct source source = source_make(what, (struct str){0});
  diag_error(diags, DIAG_CONFIG_INVALID, &(struct diag_at){.source = &source}, "%s", why);
  return STATUS_CONFIG;
}

/* As the relay: what comes from elsewhere comes by TLS, and shows a certificate. */
static enum status check_address(const struct simulate_listening *listening, struct diag_list *diags,
                                 struct base_address *address) {
  bool tls = listening->certificate.len && listening->key.len, known = tls && listening->client_ca.len;
  if (!base_address_parse(listening->address, address))
    return complain(diags, listening->address, "what is listened on is an address and a port: 127.0.0.1:2575, [::1]:2575");
  if ((listening->certificate.len || listening->client_ca.len || listening->crl.len || listening->key.len) && !tls)
    return complain(diags, listening->address, "TLS needs a certificate and its key");
  if (!base_address_is_loopback(address) && !known)
    return complain(diags, listening->address,
                    "from other hosts nothing is taken in clear or from anybody: a certificate, its key and an authority of clients "
                    "are needed");
  return STATUS_OK;
}

static enum status open_folder(const struct simulate_listening *listening, struct diag_list *diags) {
  struct stat info;
  if (!listening->keep.len) return STATUS_OK;
  if (mkdir(listening->keep.ptr, 0700) == 0) return STATUS_OK;
  if (errno != EEXIST || stat(listening->keep.ptr, &info) != 0 || !S_ISDIR(info.st_mode) || info.st_mode & 077) {
    complain(diags, listening->keep, "the folder of messages is to be new, or one that only its owner can read");
    return STATUS_IO;
  }
  return STATUS_OK;
}

static enum status open_tls(struct listener *listener, struct diag_list *diags) {
  const struct simulate_listening *listening = listener->room.listening;
  struct relay_mllp_config config = {.certificate = listening->certificate,
                                     .key = listening->key,
                                     .client_ca = listening->client_ca,
                                     .crl = listening->crl};
  return relay_tls_open(&config, listening->host, diags, &listener->room.tls);
}

static enum status open_signals(struct listener *listener) {
  sigset_t ends, blocked;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  blocked = ends;
  sigaddset(&blocked, SIGPIPE); /* OpenSSL writes to who has gone; the threads inherit it */
  pthread_sigmask(SIG_BLOCK, &blocked, &listener->before);
  listener->signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
  listener->room.stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return listener->signals >= 0 && listener->room.stop >= 0 ? STATUS_OK : STATUS_NOMEM;
}

/* One that is free, or of a connection that is over; the caller waits for its turn when all are taken. */
static struct simulate_peer *find_place(struct listener *listener) {
  for (size_t i = 0; i < PEERS_MAX; i++) {
    struct simulate_peer *peer = &listener->peers[i];
    if (atomic_load(&peer->place) == SIMULATE_OVER) simulate_peer_join(peer);
    if (atomic_load(&peer->place) == SIMULATE_FREE) return peer;
  }
  return NULL;
}

static void accept_one(struct listener *listener) {
  int fd = accept4(listener->made.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  struct simulate_peer *peer = fd >= 0 ? find_place(listener) : NULL;
  if (fd >= 0 && !peer) close(fd); /* too many at a time */
  if (peer) (void)!simulate_peer_begin(peer, &listener->room, fd);
}

static void serve(struct listener *listener) {
  struct signalfd_siginfo signal;
  struct pollfd sides[] = {{.fd = listener->made.fd, .events = POLLIN},
                           {.fd = listener->signals, .events = POLLIN},
                           {.fd = listener->room.stop, .events = POLLIN}};
  while (!sides[1].revents && !sides[2].revents) {
    if (poll(sides, 3, -1) < 0 && errno != EINTR) break;
    if (sides[0].revents) accept_one(listener);
  }
  if (sides[1].revents) atomic_store(&listener->room.at_once, true);
  while (read(listener->signals, &signal, sizeof signal) > 0) {} /* else it would end the program later */
  simulate_room_stop(&listener->room);
  for (size_t i = 0; i < PEERS_MAX; i++)
    if (atomic_load(&listener->peers[i].place) != SIMULATE_FREE) simulate_peer_join(&listener->peers[i]);
}

static void close_all(struct listener *listener) {
  int all[] = {listener->made.fd, listener->signals, listener->room.stop};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    if (all[i] >= 0) close(all[i]);
  relay_tls_close(listener->room.tls);
  pthread_mutex_destroy(&listener->room.lock);
  pthread_sigmask(SIG_SETMASK, &listener->before, NULL);
  free(listener);
}

enum status simulate_listen(struct simulate_listening *listening, struct diag_list *diags) {
  struct base_address address;
  enum status status = check_address(listening, diags, &address);
  if (status == STATUS_OK) status = open_folder(listening, diags);
  if (status != STATUS_OK) return status;
  struct listener *listener = calloc(1, sizeof *listener);
  if (!listener) return STATUS_NOMEM;
  listener->room.listening = listening;
  listener->made.fd = -1;
  pthread_mutex_init(&listener->room.lock, NULL);
  status = open_signals(listener);
  if (status == STATUS_OK) status = open_tls(listener, diags);
  if (status == STATUS_OK) status = base_listen_address(listening->address.ptr, &address, diags, &listener->made);
  if (status == STATUS_OK && listen(listener->made.fd, PEERS_MAX) != 0) status = STATUS_IO;
  if (status == STATUS_OK) {
    listening->ready(listening->context, listener->made.port);
    serve(listener);
  }
  close_all(listener);
  return status;
}
