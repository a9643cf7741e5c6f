/* watch.c - when somebody is told of numbers. */
#include "relay/watch.h"

static bool has_grown(const struct relay_growth *growth, size_t open) {
  return open > RELAY_MANY_OPEN && open * 10 > growth->low * 11;
}

static bool has_shrunk(const struct relay_growth *growth, size_t open) {
  return open < RELAY_MANY_OPEN || open * 10 < growth->peak * 8;
}

enum relay_edge relay_growth_look(struct relay_growth *growth, size_t open) {
  if (open < growth->low) growth->low = open;
  if (open > growth->peak) growth->peak = open;
  if (growth->growing ? !has_shrunk(growth, open) : !has_grown(growth, open)) return RELAY_NO_EDGE;
  growth->growing = !growth->growing;
  growth->low = growth->peak = open;
  return growth->growing ? RELAY_BEGINS : RELAY_ENDS;
}

enum relay_edge relay_aside_look(struct relay_aside *aside, size_t parked, int64_t elapsed) {
  bool more = parked > aside->told && (!aside->told || elapsed - aside->told_at >= RELAY_PARKED_AGAIN_MS);
  bool none = !parked && aside->told;
  if (more) aside->told_at = elapsed;
  if (more || parked < aside->told) aside->told = parked;
  return more ? RELAY_BEGINS : none ? RELAY_ENDS : RELAY_NO_EDGE;
}
