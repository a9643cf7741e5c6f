/*
 * zone.h - local times of a place -> their offset from UTC, by the IANA rules at that date.
 *
 * Rules come from the system's time zone files (RFC 8536, /usr/share/zoneinfo; Debian: tzdata). A local time
 * that a clock never showed (the hour that is skipped in spring) or showed twice (in autumn) has no one
 * answer, and none is guessed. Immutable once read: shared by threads.
 */
#ifndef KETLINK_BASE_ZONE_H
#define KETLINK_BASE_ZONE_H

#include "base/datetime.h"
#include "base/host.h"

struct datetime_zone;

enum datetime_local {
  DATETIME_LOCAL_ONE,   /* the offset is known */
  DATETIME_LOCAL_NEVER, /* skipped: no clock showed it */
  DATETIME_LOCAL_TWICE  /* repeated: it could be either */
};

/* `name` is the IANA name: America/Chicago. NOT_FOUND: no such zone, or no zone files; INVALID: a broken
   file; IO, NOMEM. */
enum status datetime_zone_read(const struct host *host, struct str name, struct arena *arena,
                               const struct datetime_zone **out) MUST_USE;
/* The content of a zone file (tests, fuzzing); it must live as long as the zone. */
enum status datetime_zone_of(struct str content, struct arena *arena,
                             const struct datetime_zone **out) MUST_USE;
/* `local` is to the minute or finer; sets its offset and has_offset when the answer is ONE. */
enum datetime_local datetime_zone_resolve(const struct datetime_zone *zone, struct datetime *local);

#endif
