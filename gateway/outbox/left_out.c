/* left_out.c - places of a whole that its last delivery does not have any more: noted once in the ledger, and told in the trail.
 *
 * A place that was left out has as its digest "left-out RECORD": no resource has it, so what comes back is sent again. Of which
 * whole a place is, its digest's end says; one that an older version wrote says nothing, and is never left out before it was delivered
 * again.
 */
#include <stdio.h>
#include <stdlib.h>
#include "outbox/internal.h"

static int by_id(const void *a, const void *b) {
  return memcmp(a, b, sizeof(struct outbox_digest));
}

/* What the whole has now. NULL: no memory. */
static struct outbox_digest *list_present(struct outbox *outbox, const struct outbox_whole *whole) {
  struct outbox_digest *ids = ARENA_ARRAY(outbox->scratch, struct outbox_digest, whole->count + 1);
  for (size_t i = 0; ids && i < whole->count; i++)
    ids[i] = outbox_digest(whole->identifiers[i]);
  if (ids && whole->count > 1) qsort(ids, whole->count, sizeof *ids, by_id);
  return ids;
}

/* --- leaving out --- */

/* Places of a family that a delivery leaves out: each is written as one when its row is looked at. */
struct leaving {
  struct outbox_walker walker; /* first */
  const struct outbox_whole *whole;
  const struct outbox_digest *present; /* in order */
  struct str mark;
  size_t at; /* in `present`: all before it are of lower ids than what is looked at */
  size_t count;
};

/* Entries are asked for in their order. */
static bool is_present(struct leaving *leaving, struct str entry) {
  int order = -1;
  while (leaving->at < leaving->whole->count && (order = outbox_entry_order_of(entry, &leaving->present[leaving->at])) > 0)
    leaving->at++;
  return leaving->at < leaving->whole->count && order == 0;
}

static enum status leave(struct outbox_walker *walker, struct str entry, struct str *written) {
  struct leaving *leaving = (struct leaving *)(void *)walker;
  struct arena *scratch = walker->outbox->scratch;
  struct outbox_place place = {0};
  if (is_present(leaving, entry)) return STATUS_OK;
  enum status status = outbox_entry_read(entry, scratch, &place);
  if (status != STATUS_OK || !str_ends(place.digest, leaving->whole->owner) || str_starts(place.digest, STR(OUTBOX_LEFT_OUT)))
    return status;
  place.digest = leaving->mark;
  *written = outbox_entry_again(entry, &place, scratch);
  leaving->count++;
  return written->ptr ? STATUS_OK : STATUS_NOMEM;
}

static struct str mark_of(int64_t record, struct arena *arena) {
  return arena_printf(arena, OUTBOX_LEFT_OUT " %lld", (long long)record);
}

static enum status leave_all(struct leaving *leaving, int64_t where) {
  leaving->present = list_present(leaving->walker.outbox, leaving->whole);
  leaving->mark = mark_of(leaving->whole->record, leaving->walker.outbox->scratch);
  if (!leaving->present || !leaving->mark.ptr) return STATUS_NOMEM;
  return outbox_family_walk(&leaving->walker, where, outbox_family_of(leaving->whole->key));
}

static enum status tell(const struct leaving *leaving) {
  char reason[OUTBOX_REASON_MAX];
  (void)snprintf(reason, sizeof reason, "resources-%zu", leaving->count);
  struct outbox_event event = {
      .at = leaving->walker.now, .record = leaving->whole->record, .what = STR(OUTBOX_LEFT_OUT), .reason = str_of(reason)};
  return outbox_audit_add(leaving->walker.outbox, &event);
}

enum status outbox_leave_out(struct outbox *outbox, struct str destination, const struct outbox_whole *whole, int64_t now,
                             size_t *count) {
  struct leaving leaving = {.walker = {.outbox = outbox, .look = leave, .now = now}, .whole = whole};
  int64_t where = 0;
  *count = 0;
  if (whole->owner.len != OUTBOX_OWNER) return STATUS_INVALID;
  arena_reset(outbox->scratch);
  enum status status = outbox_begin(outbox);
  if (status == STATUS_OK) status = outbox_destination_id(outbox, destination, false, &where);
  if (status == STATUS_OK) status = leave_all(&leaving, where);
  if (status == STATUS_OK && leaving.count) status = tell(&leaving);
  if (status == STATUS_OK) *count = leaving.count;
  return outbox_end(outbox, status == STATUS_NOT_FOUND ? STATUS_OK : status);
}

/* --- asking --- */

/* Places that were left out by a record, in the arena of who asks. */
struct asking {
  struct outbox_walker walker; /* first */
  struct arena *arena;
  struct str mark, *locations;
  size_t count, room;
};

static bool make_room(struct asking *asking) {
  enum { LEAST = 16 };
  if (asking->count < asking->room) return true;
  size_t room = asking->room ? 2 * asking->room : LEAST;
  struct str *locations = ARENA_ARRAY(asking->arena, struct str, room);
  if (!locations) return false;
  if (asking->count) memcpy(locations, asking->locations, asking->count * sizeof *locations);
  asking->locations = locations;
  asking->room = room;
  return true;
}

static enum status ask(struct outbox_walker *walker, struct str entry, struct str *written) {
  struct asking *asking = (struct asking *)(void *)walker;
  struct outbox_place place = {0};
  (void)written;
  enum status status = outbox_entry_read(entry, walker->outbox->scratch, &place);
  if (status != STATUS_OK || !str_eq(place.digest, asking->mark)) return status;
  if (!make_room(asking)) return STATUS_NOMEM;
  struct str *location = &asking->locations[asking->count++];
  *location = arena_str(asking->arena, place.location);
  return location->ptr ? STATUS_OK : STATUS_NOMEM;
}

enum status outbox_left_out(struct outbox *outbox, struct str destination, struct str label, int64_t record, struct arena *arena,
                            struct str **locations, size_t *count) {
  struct asking asking = {.walker = {.outbox = outbox, .look = ask}, .arena = arena};
  int64_t where = 0;
  *count = 0;
  *locations = NULL;
  arena_reset(outbox->scratch);
  enum status status = outbox->failed ? STATUS_IO : outbox_destination_id(outbox, destination, false, &where);
  asking.mark = mark_of(record, outbox->scratch);
  if (status == STATUS_OK && !asking.mark.ptr) status = STATUS_NOMEM;
  if (status == STATUS_OK) status = outbox_family_walk(&asking.walker, where, outbox_family_of(label));
  if (status != STATUS_OK) return status == STATUS_NOT_FOUND ? STATUS_OK : status;
  *locations = asking.locations;
  *count = asking.count;
  return STATUS_OK;
}
