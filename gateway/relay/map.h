/*
 * map.h - private to relay: a text that was given to the relay -> records -> what each of its destinations gets.
 *
 * Nothing of the store, of the event loop or of the log: any thread may do it. A record is handed over while it lies in
 * `scratch`, where the next one takes its place, so memory does not grow with the number of records: who keeps it copies
 * it. Findings lie elsewhere. Errors: a bad record is counted and said, and the next one is read; what ends it is given
 * back: NOMEM, CONFIG, and whatever `take` gave.
 */
#ifndef KETLINK_RELAY_MAP_H
#define KETLINK_RELAY_MAP_H

#include "relay/internal.h"

struct relay_mapped {
  struct str content; /* the record's own bytes */
  const struct outbox_item *items;
  size_t item_count;
};
/* How far an input of one record a line has been read. */
struct relay_point {
  size_t at;
  uint32_t line; /* 0: its beginning */
};
struct relay_mapping {
  const struct relay_config *config;
  const struct relay_ways *ways;
  const struct relay_input *input;
  struct arena *scratch;
  bool in_loop; /* the watchdog is told that it goes on */
  struct diag_list *diags;
  /* RETRY: taken, and no more now; it is heeded where each line is a record. */
  enum status (*take)(void *context, const struct relay_mapped *mapped);
  void *context;
  struct relay_point from; /* where to begin; afterwards how far it came */
  /* counted */
  size_t bad, parked; /* parked: items, since they do not conform */
};
/* RETRY: `take` wanted no more; there may be more from `from`. */
enum status relay_map(struct relay_mapping *mapping) MUST_USE;

#endif
