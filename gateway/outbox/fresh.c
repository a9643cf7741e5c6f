/*
 * fresh.c - the newest records in their lanes: what comes and goes soon is never put into the index of lanes.
 *
 * In that index (record_lane) each record would take a page of its own when it comes and again when it is over, wherever its lane
 * stands. So new ones (OUTBOX_OPEN_FRESH) are found by a list in memory of some length; when it is full all of them go into the index
 * (OUTBOX_OPEN_INDEXED), in the order of their lanes, many to a page. Whoever asks for the first of a lane looks at both.
 */
#include <stdlib.h>
#include "outbox/internal.h"

/* So many numbers may lie between the oldest of them and the newest: those are read when a group was given up. */
enum { FRESH_SPAN = 16 * FRESH_MAX };

/* The number of an entry and one, 0: none. */
static uint16_t *chain_of(struct outbox_fresh *fresh, int64_t lane) {
  return &fresh->chains[(uint64_t)lane % FRESH_CHAINS];
}

static void insert(struct outbox_fresh *fresh, int64_t lane, int64_t record) {
  uint16_t *chain = chain_of(fresh, lane), at = fresh->freed;
  if (at)
    fresh->freed = fresh->entries[at - 1].next;
  else
    at = ++fresh->used;
  fresh->entries[at - 1].lane = lane;
  fresh->entries[at - 1].record = record;
  fresh->entries[at - 1].next = *chain;
  *chain = at;
  fresh->count++;
}

static void clear(struct outbox_fresh *fresh) {
  memset(fresh, 0, sizeof *fresh);
  fresh->known = true;
}

void outbox_fresh_forget(struct outbox *outbox) {
  outbox->fresh.known = false;
}

/* --- into the index --- */

static int by_lane(const void *a, const void *b) {
  const struct outbox_fresh_entry *one = a, *other = b;
  int order = (one->lane > other->lane) - (one->lane < other->lane);
  return order ? order : (one->record > other->record) - (one->record < other->record);
}

/* In the order of their lanes. */
static size_t gather(struct outbox_fresh *fresh) {
  size_t count = 0;
  for (size_t chain = 0; chain < FRESH_CHAINS; chain++)
    for (uint16_t at = fresh->chains[chain]; at; at = fresh->entries[at - 1].next)
      fresh->sorted[count++] = fresh->entries[at - 1];
  qsort(fresh->sorted, count, sizeof fresh->sorted[0], by_lane);
  return count;
}

static enum status settle(struct outbox *outbox) {
  struct outbox_fresh *fresh = &outbox->fresh;
  enum status status = STATUS_OK;
  size_t count = gather(fresh);
  for (size_t i = 0; status == STATUS_OK && i < count; i++)
    status = outbox_run_on(outbox, STATEMENT_FRESH_SETTLE, fresh->sorted[i].record);
  if (status == STATUS_OK) clear(fresh);
  return status;
}

/* --- which there are --- */

/* More than there is room for, of another version, or what other hands have put there: the index takes them. */
static enum status settle_all(struct outbox *outbox) {
  enum status status = outbox_run_on(outbox, STATEMENT_FRESH_SETTLE_ALL, outbox->now.fresh_from);
  if (status == STATUS_OK) clear(&outbox->fresh);
  return status;
}

/* A group that was given up has taken some of them along. */
static enum status know(struct outbox *outbox) {
  struct outbox_fresh *fresh = &outbox->fresh;
  enum status status;
  if (fresh->known) return STATUS_OK;
  clear(fresh);
  fresh->known = false;
  sqlite3_stmt *rows = outbox_statement(outbox, STATEMENT_FRESH_ALL);
  sqlite3_bind_int64(rows, 1, outbox->now.fresh_from);
  while ((status = outbox_row_step(outbox, rows)) == STATUS_OK && fresh->count < FRESH_MAX)
    insert(fresh, sqlite3_column_int64(rows, 1), sqlite3_column_int64(rows, 0));
  sqlite3_reset(rows);
  if (status == STATUS_OK) return settle_all(outbox);
  fresh->known = status == STATUS_NOT_FOUND;
  return fresh->known ? STATUS_OK : status;
}

enum status outbox_fresh_load(struct outbox *outbox) {
  outbox->fresh.known = false;
  return know(outbox);
}

enum status outbox_fresh_settle(struct outbox *outbox) {
  enum status status = know(outbox);
  return status == STATUS_OK && outbox->fresh.count ? settle(outbox) : status;
}

enum status outbox_fresh_add(struct outbox *outbox, int64_t lane, int64_t record, bool holds) {
  struct outbox_fresh *fresh = &outbox->fresh;
  enum status status = know(outbox);
  bool full = fresh->count == FRESH_MAX || record - outbox->now.fresh_from > FRESH_SPAN;
  if (status == STATUS_OK && full && fresh->count) status = settle(outbox);
  if (status != STATUS_OK) return status;
  if (!fresh->count) outbox->now.fresh_from = record;
  if (holds) insert(fresh, lane, record);
  return STATUS_OK;
}

/* --- asking --- */

enum status outbox_fresh_is(struct outbox *outbox, int64_t lane, int64_t record, bool *out) {
  struct outbox_fresh *fresh = &outbox->fresh;
  enum status status = know(outbox);
  uint16_t at = status == STATUS_OK ? *chain_of(fresh, lane) : 0;
  while (at && fresh->entries[at - 1].record != record)
    at = fresh->entries[at - 1].next;
  *out = at != 0;
  return status;
}

void outbox_fresh_over(struct outbox *outbox, int64_t lane, int64_t record) {
  struct outbox_fresh *fresh = &outbox->fresh;
  uint16_t *link = chain_of(fresh, lane);
  while (*link && fresh->entries[*link - 1].record != record)
    link = &fresh->entries[*link - 1].next;
  uint16_t at = *link;
  if (!at) return;
  *link = fresh->entries[at - 1].next;
  fresh->entries[at - 1].next = fresh->freed;
  fresh->freed = at;
  fresh->count--;
}

enum status outbox_fresh_first(struct outbox *outbox, int64_t lane, int64_t *out) {
  const struct outbox_fresh *fresh = &outbox->fresh;
  enum status status = know(outbox);
  *out = 0;
  if (status != STATUS_OK) return status;
  for (uint16_t at = *chain_of(&outbox->fresh, lane); at; at = fresh->entries[at - 1].next) {
    const struct outbox_fresh_entry *entry = &fresh->entries[at - 1];
    if (entry->lane == lane && (!*out || entry->record < *out)) *out = entry->record;
  }
  return STATUS_OK;
}

enum status outbox_fresh_oldest(struct outbox *outbox, int64_t *out) {
  const struct outbox_fresh *fresh = &outbox->fresh;
  enum status status = know(outbox);
  *out = 0;
  for (size_t chain = 0; status == STATUS_OK && chain < FRESH_CHAINS; chain++)
    for (uint16_t at = fresh->chains[chain]; at; at = fresh->entries[at - 1].next)
      if (!*out || fresh->entries[at - 1].record < *out) *out = fresh->entries[at - 1].record;
  return status;
}

/* Whether a record's subject has a higher revision, and which is the highest. */
static enum status find_higher(struct outbox *outbox, int64_t id, bool *is, int64_t *highest) {
  struct outbox_found found = {0};
  sqlite3_stmt *of = outbox_statement(outbox, STATEMENT_REVISION_OF);
  sqlite3_bind_int64(of, 1, id);
  enum status status = outbox_row_step(outbox, of);
  struct str subject = status == STATUS_OK ? outbox_column_str(of, 1) : (struct str){0};
  if (status == STATUS_OK && subject.len != MARK_BYTES) status = STATUS_NOT_FOUND;
  if (status == STATUS_OK)
    status = outbox_rows_find(outbox, ROWS_SUBJECTS, sqlite3_column_int64(of, 0), (const unsigned char *)subject.ptr, &found);
  *is = status == STATUS_OK && found.value > sqlite3_column_int64(of, 2);
  *highest = found.value;
  sqlite3_reset(of);
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status outbox_fresh_ask_higher(struct outbox *outbox, enum outbox_statement which, int64_t id, bool *out) {
  int64_t highest = 0;
  enum status status = find_higher(outbox, id, out, &highest);
  if (status == STATUS_OK && *out) status = outbox_fresh_settle(outbox);
  if (status != STATUS_OK || !*out) return status;
  sqlite3_stmt *ask = outbox_statement(outbox, which);
  sqlite3_bind_int64(ask, 1, id);
  sqlite3_bind_int64(ask, 2, highest);
  return outbox_is_there(outbox, ask, out);
}
