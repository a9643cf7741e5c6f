/*
 * watch.h - private to relay: when somebody is told of numbers that are looked at every few seconds. Pure.
 *
 * An alert is of a beginning or an end. A number that goes up and down by a few while the whole lasts is neither: so what began
 * ends only well below where it was.
 */
#ifndef KETLINK_RELAY_WATCH_H
#define KETLINK_RELAY_WATCH_H

#include "base/base.h"

enum relay_edge { RELAY_NO_EDGE, RELAY_BEGINS, RELAY_ENDS };

/* Begins: more open records than RELAY_MANY_OPEN, and a tenth more than there were at least since the end of the last time, or since the
   start: what was long then is told.
   Ends: fewer than RELAY_MANY_OPEN, or than four fifths of the most. */
enum { RELAY_MANY_OPEN = 1000 };
struct relay_growth {
  size_t low, peak;
  bool growing;
};
enum relay_edge relay_growth_look(struct relay_growth *growth, size_t open);

/* Begins: records are parked, also at the start; and again when they are more, but not within RELAY_PARKED_AGAIN_MS. Ends: none is. */
enum { RELAY_PARKED_AGAIN_MS = 3600000 };
struct relay_aside {
  size_t told;
  int64_t told_at;
};
enum relay_edge relay_aside_look(struct relay_aside *aside, size_t parked, int64_t elapsed);

#endif
