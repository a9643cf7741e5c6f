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

/* Places of a family that a delivery leaves out, as they are to be written. */
struct leaving {
  struct outbox *outbox;
  const struct outbox_whole *whole;
  const struct outbox_digest *present; /* in order */
  struct str mark;
  size_t at; /* in `present`: all before it are of lower ids than what is looked at */
  struct str *entries;
  size_t count;
};

/* Entries are asked for in their order. */
static bool is_present(struct leaving *leaving, struct str entry) {
  int order = -1;
  while (leaving->at < leaving->whole->count && (order = outbox_entry_order_of(entry, &leaving->present[leaving->at])) > 0)
    leaving->at++;
  return leaving->at < leaving->whole->count && order == 0;
}

static enum status leave(struct leaving *leaving, struct str entry) {
  struct outbox_place place = {0};
  if (is_present(leaving, entry)) return STATUS_OK;
  enum status status = outbox_entry_read(entry, leaving->outbox->scratch, &place);
  if (status != STATUS_OK || !str_ends(place.digest, leaving->whole->owner) || str_starts(place.digest, STR(OUTBOX_LEFT_OUT)))
    return status;
  place.digest = leaving->mark;
  struct str *written = &leaving->entries[leaving->count];
  *written = outbox_entry_again(entry, &place, leaving->outbox->scratch);
  leaving->count += written->ptr != NULL;
  return written->ptr ? STATUS_OK : STATUS_NOMEM;
}

static struct str mark_of(int64_t record, struct arena *arena) {
  return arena_printf(arena, OUTBOX_LEFT_OUT " %lld", (long long)record);
}

static enum status find(struct leaving *leaving, int64_t where) {
  struct arena *scratch = leaving->outbox->scratch;
  struct str *entries = NULL;
  size_t count = 0;
  enum status status = outbox_family_all(leaving->outbox, where, outbox_family_of(leaving->whole->key), &entries, &count);
  if (status != STATUS_OK || !count) return status;
  leaving->present = list_present(leaving->outbox, leaving->whole);
  leaving->mark = mark_of(leaving->whole->record, scratch);
  leaving->entries = ARENA_ARRAY(scratch, struct str, count);
  if (!leaving->present || !leaving->mark.ptr || !leaving->entries) return STATUS_NOMEM;
  for (size_t i = 0; status == STATUS_OK && i < count; i++)
    status = leave(leaving, entries[i]);
  return status;
}

static enum status note(struct leaving *leaving, int64_t where, int64_t now) {
  char reason[OUTBOX_REASON_MAX];
  (void)snprintf(reason, sizeof reason, "resources-%zu", leaving->count);
  struct outbox_event event = {.at = now, .record = leaving->whole->record, .what = STR(OUTBOX_LEFT_OUT), .reason = str_of(reason)};
  enum status status =
      outbox_family_put(leaving->outbox, where, outbox_family_of(leaving->whole->key), leaving->entries, leaving->count, now);
  return status == STATUS_OK ? outbox_audit_add(leaving->outbox, &event) : status;
}

enum status outbox_leave_out(struct outbox *outbox, struct str destination, const struct outbox_whole *whole, int64_t now,
                             size_t *count) {
  struct leaving leaving = {.outbox = outbox, .whole = whole};
  int64_t where = 0;
  *count = 0;
  if (whole->owner.len != OUTBOX_OWNER) return STATUS_INVALID;
  arena_reset(outbox->scratch);
  enum status status = outbox_begin(outbox);
  if (status == STATUS_OK) status = outbox_destination_id(outbox, destination, false, &where);
  if (status == STATUS_OK) status = find(&leaving, where);
  if (status == STATUS_OK && leaving.count) status = note(&leaving, where, now);
  if (status == STATUS_OK) *count = leaving.count;
  return outbox_end(outbox, status == STATUS_NOT_FOUND ? STATUS_OK : status);
}

/* --- asking --- */

enum status outbox_left_out(struct outbox *outbox, struct str destination, struct str label, int64_t record, struct arena *arena,
                            struct str **locations, size_t *count) {
  struct str *entries = NULL;
  size_t all = 0;
  int64_t where = 0;
  *count = 0;
  arena_reset(outbox->scratch);
  enum status status = outbox->failed ? STATUS_IO : outbox_destination_id(outbox, destination, false, &where);
  if (status == STATUS_OK) status = outbox_family_all(outbox, where, outbox_family_of(label), &entries, &all);
  if (status != STATUS_OK) return status == STATUS_NOT_FOUND ? STATUS_OK : status;
  struct str mark = mark_of(record, arena);
  *locations = ARENA_ARRAY(arena, struct str, all + 1);
  if (!mark.ptr || !*locations) return STATUS_NOMEM;
  for (size_t i = 0; i < all; i++) {
    struct outbox_place place = {0};
    status = outbox_entry_read(entries[i], arena, &place);
    if (status != STATUS_OK) return status;
    if (str_eq(place.digest, mark)) (*locations)[(*count)++] = place.location;
  }
  return STATUS_OK;
}
