/* peer.h - private to simulate: one connection, in a thread of its own. */
#ifndef KETLINK_SIMULATE_PEER_H
#define KETLINK_SIMULATE_PEER_H

#include <pthread.h>
#include <stdatomic.h>
#include "relay/wire.h"
#include "simulate/internal.h"

/* What all connections share. */
struct simulate_room {
  struct simulate_listening *listening;
  struct relay_tls *tls; /* NULL: in clear */
  pthread_mutex_t lock;  /* of faults, callbacks and the folder */
  int stop;              /* an eventfd, readable when no more messages are read */
  atomic_bool at_once;   /* and what is owed is left, too */
};

enum simulate_place { SIMULATE_FREE, SIMULATE_TAKEN, SIMULATE_OVER };
struct simulate_peer {
  struct simulate_room *room;
  int fd;
  pthread_t thread;
  atomic_int place;
};
/* Takes the descriptor over. */
enum status simulate_peer_begin(struct simulate_peer *peer, struct simulate_room *room, int fd) MUST_USE;
/* Waits for its end. */
void simulate_peer_join(struct simulate_peer *peer);
void simulate_room_stop(struct simulate_room *room);

#endif
