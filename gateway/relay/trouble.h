/*
 * trouble.h - private to relay: whose fault a failure is, the destination's or one record's. Pure: no clock, no store.
 *
 * A destination in trouble is tried with one record at a time, and ever more rarely. So what one record is to blame for must
 * not put it there: a firewall that answers 403 to something in one record's text would stop everybody's. An answer that may be
 * about one record (403, 404, 501, …) is the destination's when the next attempt fails as well; and it is the record's when
 * others have gone through between its attempts, RELAY_SUSPECT_CYCLES times: then it is parked.
 *
 * Threads: the loop's. Errors: none; of more records than RELAY_SUSPECTS_MAX the others are looked at when some of them are parked.
 */
#ifndef KETLINK_RELAY_TROUBLE_H
#define KETLINK_RELAY_TROUBLE_H

#include "relay/internal.h"

enum {
  RELAY_TROUBLE_AFTER = 5, /* passing faults, one after the other */
  RELAY_HELD_AFTER = 2,    /* answers that may be about one record */
  RELAY_SUSPECT_CYCLES = 3,
  RELAY_SUSPECTS_MAX = 128
};

struct relay_suspect {
  int64_t record;
  uint64_t successes; /* of the destination, at its last failure */
  unsigned cycles;    /* in which others went through */
  int64_t failed_at;  /* by relay_elapsed */
};

struct relay_health {
  enum relay_trouble trouble;
  int64_t since;     /* in trouble: since when, by the wall clock */
  struct str reason; /* in trouble: of the last failure; a word of the program */
  int64_t probe_at;  /* in trouble: not before, by relay_elapsed: clocks jump */
  unsigned failures; /* one after the other */
  unsigned probes;   /* in trouble: that failed, of different records */
  int64_t failed;    /* the last record that did */
  uint64_t successes;
  struct relay_suspect suspects[RELAY_SUSPECTS_MAX];
  size_t suspect_count;
};

/* Of a destination. */
const struct relay_health *relay_sender_health(const struct relay_sender *sender);

/* An attempt that has ended. */
struct relay_ended {
  int64_t record;
  unsigned faults;        /* before this one, that counted */
  int64_t retry_after_ms; /* that the server asked for; -1 */
  uint32_t random;
  int64_t now, elapsed; /* by both clocks */
};

/* Takes it into account. The verdict becomes PARKED when the fault is the record's, or when the clinic wants no more attempts; it
   says whether the attempt counts. */
void relay_health_note(struct relay_health *health, const struct relay_destination_config *config,
                       const struct relay_ended *ended, struct relay_verdict *verdict);

#endif
