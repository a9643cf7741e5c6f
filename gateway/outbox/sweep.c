/* sweep.c - upkeep: the log, old rows, numbers. */
#include <sys/stat.h>
#include "outbox/internal.h"

/* --- the write-ahead log --- */

/* SQLite would checkpoint inside COMMIT and swallow its failures; here they are seen, and end the process. Without room the log keeps
   what could not be moved. */
enum status outbox_checkpoint(struct outbox *outbox, bool empty) {
  if (!empty && outbox->log_pages < outbox->checkpoint_pages) return STATUS_OK;
  int pages = 0, moved = 0;
  int mode = empty ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  int result = sqlite3_wal_checkpoint_v2(outbox->db, NULL, mode, &pages, &moved);
  if ((result & 0xff) == SQLITE_FULL) return STATUS_LIMIT;
  if (result != SQLITE_OK) {
    outbox->failed = true;
    return STATUS_IO;
  }
  outbox->log_pages = 0;
  outbox->log_empty = empty;
  return STATUS_OK;
}

enum status outbox_idle(struct outbox *outbox) {
  if (outbox->failed) return STATUS_IO;
  if (outbox->in_group) return STATUS_CONFLICT;
  outbox_handed_forget_all(outbox);
  return outbox->log_empty ? STATUS_OK : outbox_checkpoint(outbox, true);
}

/* --- old rows --- */

/* What goes now is to be read by nobody: pages that are not needed any more are written too, with zeros. Set only when
   something goes. */
static enum status delete_whole(struct outbox *outbox, bool whole) {
  const char *set = whole ? "PRAGMA secure_delete = ON" : "PRAGMA secure_delete = FAST";
  if (outbox->swept.wipes == whole) return STATUS_OK;
  enum status status = outbox_status_of(outbox, sqlite3_exec(outbox->db, set, NULL, NULL, NULL));
  if (status == STATUS_OK) outbox->swept.wipes = whole;
  return status;
}

static enum status delete_row(struct outbox *outbox, enum outbox_statement which, int64_t id) {
  sqlite3_stmt *drop = outbox_statement(outbox, which);
  sqlite3_bind_int64(drop, 1, id);
  enum status status = delete_whole(outbox, true);
  return status == STATUS_OK ? outbox_run(outbox, drop) : status;
}

/* A record as the sweep sees it. */
struct over {
  int64_t id, destination, accepted, changed;
  enum outbox_state state;
};

static enum status next_record(struct outbox *outbox, struct over *out) {
  sqlite3_stmt *next = outbox_statement(outbox, STATEMENT_RECORD_NEXT);
  sqlite3_bind_int64(next, 1, outbox->swept.record);
  enum status status = outbox_row_step(outbox, next);
  if (status == STATUS_OK)
    *out = (struct over){.id = sqlite3_column_int64(next, 0),
                         .destination = sqlite3_column_int64(next, 1),
                         .state = (enum outbox_state)sqlite3_column_int(next, 2),
                         .accepted = sqlite3_column_int64(next, 3),
                         .changed = sqlite3_column_int64(next, 4)};
  sqlite3_reset(next);
  return status;
}

/* Is all that comes after it younger still? What has a time to come is of a clock that was ahead, and tells nothing. */
static bool is_young(int64_t at, int64_t before, int64_t now) {
  return at >= before && at <= now;
}

/* Records stand in the order in which they were accepted, so the first that is young ends it. What is not over, or not long
   ago, is passed over, and looked at again when the sweep begins anew: at once when it had begun somewhere within. */
static enum status delete_old_records(struct outbox *outbox, int64_t before, int64_t now, size_t budget, size_t *deleted) {
  bool anew = outbox->swept.record == 0;
  enum status status = STATUS_OK;
  for (size_t i = 0; i < budget && status == STATUS_OK; i++) {
    struct over over = {0};
    status = next_record(outbox, &over);
    if (status == STATUS_OK && is_young(over.accepted, before, now)) status = STATUS_NOT_FOUND;
    outbox->swept.record = status == STATUS_OK ? over.id : 0;
    if (status == STATUS_NOT_FOUND && !anew) {
      status = STATUS_OK;
      anew = true;
      continue;
    }
    if (status != STATUS_OK || over.state < OUTBOX_DONE || over.changed >= before) continue;
    status = delete_row(outbox, STATEMENT_RECORD_DROP, over.id);
    if (status == STATUS_OK) outbox_count(outbox, over.destination, over.state, -1);
    *deleted += status == STATUS_OK;
  }
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* The key of schema 5 after the one where the sweep has come to. */
static enum status next_old_key(struct outbox *outbox, int64_t *id, int64_t *at) {
  sqlite3_stmt *next = outbox_statement(outbox, STATEMENT_DEDUPE_OLD_NEXT);
  sqlite3_bind_int64(next, 1, outbox->swept.old_key);
  enum status status = outbox_row_step(outbox, next);
  if (status == STATUS_OK) {
    *id = sqlite3_column_int64(next, 0);
    *at = sqlite3_column_int64(next, 1);
  }
  sqlite3_reset(next);
  return status;
}

/* These stand in the order in which they came. */
static enum status delete_oldest_keys(struct outbox *outbox, int64_t before, int64_t now, size_t budget, size_t *deleted) {
  enum status status = STATUS_OK;
  for (size_t i = 0; i < budget && status == STATUS_OK; i++) {
    int64_t id = 0, at = 0;
    status = next_old_key(outbox, &id, &at);
    if (status == STATUS_OK && is_young(at, before, now)) status = STATUS_NOT_FOUND;
    outbox->swept.old_key = status == STATUS_OK ? id : 0;
    if (status != STATUS_OK || at >= before) continue;
    status = delete_row(outbox, STATEMENT_DEDUPE_OLD_DROP, id);
    *deleted += status == STATUS_OK;
  }
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status run_on_key(struct outbox *outbox, enum outbox_statement which, int64_t *at) {
  sqlite3_stmt *run = outbox_statement(outbox, which);
  outbox_bind_blob(run, 1, outbox->swept.key.mark, MARK_BYTES);
  sqlite3_bind_int64(run, 2, outbox->swept.key.record);
  outbox_bind_blob(run, 3, outbox->swept.key.digest, MARK_BYTES);
  if (!at) return outbox_run(outbox, run);
  enum status status = outbox_row_step(outbox, run);
  struct str mark = outbox_column_str(run, 0), digest = outbox_column_str(run, 2);
  if (status == STATUS_OK && mark.len == MARK_BYTES && digest.len == MARK_BYTES) {
    memcpy(outbox->swept.key.mark, mark.ptr, MARK_BYTES);
    memcpy(outbox->swept.key.digest, digest.ptr, MARK_BYTES);
    outbox->swept.key.record = sqlite3_column_int64(run, 1);
    *at = sqlite3_column_int64(run, 3);
  } else if (status == STATUS_OK) {
    status = STATUS_NOT_FOUND; /* other hands: what follows waits */
  }
  sqlite3_reset(run);
  return status;
}

/* These stand by their mark: each is looked at, some at a time. */
static enum status delete_old_keys(struct outbox *outbox, int64_t before, size_t budget, size_t *deleted) {
  enum status status = STATUS_OK;
  for (size_t i = 0; i < budget && status == STATUS_OK; i++) {
    int64_t at = before;
    status = run_on_key(outbox, STATEMENT_DEDUPE_NEXT, &at);
    if (status == STATUS_NOT_FOUND) memset(&outbox->swept.key, 0, sizeof outbox->swept.key);
    if (status != STATUS_OK || at >= before) continue;
    status = delete_whole(outbox, true);
    if (status == STATUS_OK) status = run_on_key(outbox, STATEMENT_DEDUPE_DROP, NULL);
    *deleted += status == STATUS_OK;
  }
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status find_exported(struct outbox *outbox) {
  sqlite3_stmt *first = outbox_statement(outbox, STATEMENT_AUDIT_FIRST);
  enum status status = outbox_row_step(outbox, first);
  if (status == STATUS_OK && sqlite3_column_int64(first, 0) > outbox->now.anchor_number) status = STATUS_NOT_FOUND;
  sqlite3_reset(first);
  return status;
}

static enum status delete_exported(struct outbox *outbox, size_t budget, size_t *deleted) {
  enum status status = outbox->now.anchor_number ? find_exported(outbox) : STATUS_NOT_FOUND;
  if (status != STATUS_OK) return status == STATUS_NOT_FOUND ? STATUS_OK : status;
  sqlite3_stmt *drop = outbox_statement(outbox, STATEMENT_AUDIT_DROP);
  sqlite3_bind_int64(drop, 1, outbox->now.anchor_number);
  sqlite3_bind_int64(drop, 2, (int64_t)budget);
  status = delete_whole(outbox, true);
  if (status == STATUS_OK) status = outbox_run(outbox, drop);
  if (status == STATUS_OK) *deleted = (size_t)sqlite3_changes(outbox->db);
  return status;
}

/* --- what stays is counted: some rows at a time, since all of them would take too long --- */

static enum status count_rest(struct outbox *outbox, struct outbox_walk *walk, enum outbox_statement which) {
  sqlite3_stmt *rest = outbox_statement(outbox, which);
  sqlite3_bind_int64(rest, 1, walk->destination);
  outbox_bind_blob(rest, 2, walk->mark, MARK_BYTES);
  enum status status = outbox_row_step(outbox, rest);
  if (status == STATUS_OK) *walk = (struct outbox_walk){.counted = walk->seen + (size_t)sqlite3_column_int64(rest, 0)};
  sqlite3_reset(rest);
  return status;
}

static enum status count_some(struct outbox *outbox, struct outbox_walk *walk, enum outbox_statement step,
                              enum outbox_statement rest, size_t rows) {
  sqlite3_stmt *find = outbox_statement(outbox, step);
  sqlite3_bind_int64(find, 1, walk->destination);
  outbox_bind_blob(find, 2, walk->mark, MARK_BYTES);
  sqlite3_bind_int64(find, 3, (int64_t)rows - 1);
  enum status status = outbox_row_step(outbox, find);
  struct str mark = status == STATUS_OK ? outbox_column_str(find, 1) : (struct str){0};
  if (mark.len == MARK_BYTES) {
    walk->destination = sqlite3_column_int64(find, 0);
    memcpy(walk->mark, mark.ptr, MARK_BYTES);
    walk->seen += rows;
  }
  sqlite3_reset(find);
  return status == STATUS_NOT_FOUND ? count_rest(outbox, walk, rest) : status;
}

static enum status count_families(struct outbox *outbox, size_t rows) {
  sqlite3_stmt *count = outbox_statement(outbox, STATEMENT_FAMILY_COUNT);
  sqlite3_bind_int64(count, 1, outbox->families.row);
  sqlite3_bind_int64(count, 2, (int64_t)rows);
  enum status status = outbox_row_step(outbox, count);
  if (status == STATUS_OK) {
    outbox->families.seen += (size_t)sqlite3_column_int64(count, 1);
    outbox->families.row = sqlite3_column_int64(count, 2);
    if ((size_t)sqlite3_column_int64(count, 0) < rows) { /* these were all */
      outbox->families.counted = outbox->families.seen;
      outbox->families.seen = 0;
      outbox->families.row = 0;
    }
  }
  sqlite3_reset(count);
  return status;
}

static enum status count_what_stays(struct outbox *outbox, size_t rows) {
  enum status status = count_families(outbox, rows);
  if (status == STATUS_OK && outbox->alone_places)
    status = count_some(outbox, &outbox->ledger, STATEMENT_LEDGER_STEP, STATEMENT_LEDGER_REST, rows);
  if (status == STATUS_OK && outbox->old_places)
    status = count_some(outbox, &outbox->old_ledger, STATEMENT_LEDGER_OLD_STEP, STATEMENT_LEDGER_OLD_REST, rows);
  return status;
}

/* Seldom: a store that has nothing to do is not written to each time. */
static enum status note_clock(struct outbox *outbox, int64_t now) {
  enum { HOUR_MS = 3600000 };
  int64_t since = now - outbox->now.clock;
  if (since < HOUR_MS && since > -HOUR_MS) return STATUS_OK;
  enum status status = outbox_run_on(outbox, STATEMENT_STORE_CLOCK_SET, now);
  if (status == STATUS_OK) outbox->now.clock = now;
  return status;
}

int64_t outbox_clock(const struct outbox *outbox) {
  return outbox->now.clock;
}

/* Keys for each row that it may look at: they are small, and soon read. */
enum { LEARNT_AT_ONCE = 8 };

enum status outbox_sweep(struct outbox *outbox, const struct outbox_retention *retention, int64_t now,
                         size_t budget, struct outbox_swept *out) {
  int64_t dedupe_ms =
      retention->dedupe_ms > LIMIT_OUTBOX_DEDUPE_MS ? retention->dedupe_ms : LIMIT_OUTBOX_DEDUPE_MS;
  *out = (struct outbox_swept){0};
  enum status status = outbox_begin(outbox);
  if (status == STATUS_OK)
    status = delete_old_records(outbox, now - retention->done_ms, now, budget, &out->records);
  if (status == STATUS_OK && outbox->old_keys)
    status = delete_oldest_keys(outbox, now - dedupe_ms, now, budget, &out->keys);
  if (status == STATUS_OK) status = outbox_dedupe_settle_old(outbox, now - dedupe_ms);
  if (status == STATUS_OK) status = delete_old_keys(outbox, now - dedupe_ms, budget, &out->keys);
  if (status == STATUS_OK) status = delete_exported(outbox, budget, &out->events);
  enum status back = delete_whole(outbox, false);
  if (status == STATUS_OK) status = back;
  if (status == STATUS_OK && budget) status = count_what_stays(outbox, budget);
  if (status == STATUS_OK) status = note_clock(outbox, now);
  if (status == STATUS_OK) status = outbox_sieve_learn(outbox, LEARNT_AT_ONCE * budget);
  return outbox_end(outbox, status);
}

/* --- numbers --- */

/* Row by row: to group them SQLite would sort them, in memory. */
enum status outbox_tally_load(struct outbox *outbox, int64_t *sending) {
  sqlite3_stmt *rows = outbox_statement(outbox, STATEMENT_RECORD_STATES);
  enum status status;
  outbox->now.tally = (struct outbox_tally){0};
  outbox->now.fresh_from = 0;
  *sending = 0;
  while ((status = outbox_row_step(outbox, rows)) == STATUS_OK) {
    enum outbox_state state = (enum outbox_state)sqlite3_column_int(rows, 1);
    outbox_count(outbox, sqlite3_column_int64(rows, 0), state, 1);
    if (state == OUTBOX_SENDING && !*sending) *sending = sqlite3_column_int64(rows, 2);
    if (sqlite3_column_int(rows, 3) == OUTBOX_OPEN_FRESH && !outbox->now.fresh_from) outbox->now.fresh_from = sqlite3_column_int64(rows, 2);
  }
  sqlite3_reset(rows);
  if (!outbox->now.fresh_from) outbox->now.fresh_from = outbox->now.next_id;
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static uint64_t bytes_of(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
}

size_t outbox_count_open(const struct outbox *outbox) {
  const struct outbox_tally *tally = &outbox->now.tally;
  size_t open = 0;
  for (size_t i = 0; i < tally->used; i++)
    for (int state = OUTBOX_QUEUED; state <= OUTBOX_PARKED; state++)
      open += tally->counts[i][state];
  return open;
}

size_t outbox_open_records(const struct outbox_stats *stats) {
  size_t open = 0;
  for (int state = OUTBOX_QUEUED; state <= OUTBOX_PARKED; state++)
    open += stats->by_state[state];
  return open;
}

/* By the rules of outbox_accept, for the smallest record. */
static const char *why_full(const struct outbox *outbox, uint64_t free_bytes) {
  if (outbox_count_open(outbox) >= outbox->max_records) return "records";
  return free_bytes < outbox->reserve_bytes ? "disk" : NULL;
}

/* Of one destination, or of all: 0. */
static void count_states(const struct outbox *outbox, int64_t where, size_t by_state[OUTBOX_STATES]) {
  const struct outbox_tally *tally = &outbox->now.tally;
  for (size_t i = 0; i < tally->used; i++)
    for (size_t state = 0; state < OUTBOX_STATES; state++)
      if (!where || tally->destinations[i] == where) by_state[state] += tally->counts[i][state];
}

enum status outbox_stats(struct outbox *outbox, struct str destination, struct outbox_stats *out) {
  int64_t where = 0;
  *out = (struct outbox_stats){.accepted = outbox->now.accepted,
                               .duplicates = outbox->now.duplicates,
                               .log_pages = outbox->log_pages,
                               .free_bytes = outbox_place_free(outbox->folder),
                               .generation = outbox->generation,
                               .events = (uint64_t)(outbox->now.audit_number - outbox->now.anchor_number),
                               .ledger = outbox->families.counted + outbox->ledger.counted + outbox->old_ledger.counted,
                               .subjects = (size_t)outbox->now.last_rows[ROWS_SUBJECTS], /* none ever goes */
                               .bytes = bytes_of(outbox->path) + bytes_of(outbox->log_path),
                               .max_records = outbox->max_records};
  out->full = why_full(outbox, out->free_bytes);
  enum status status = STATUS_OK;
  if (destination.len) status = outbox_destination_id(outbox, destination, false, &where);
  if (status == STATUS_NOT_FOUND) return STATUS_OK; /* nothing was ever put there */
  if (status != STATUS_OK) return status;
  count_states(outbox, where, out->by_state);
  return STATUS_OK;
}

enum status outbox_waiting(struct outbox *outbox, struct str destination, size_t *out) {
  size_t by_state[OUTBOX_STATES] = {0};
  int64_t where = 0;
  *out = 0;
  enum status status = outbox->failed ? STATUS_IO : outbox_destination_id(outbox, destination, false, &where);
  if (status != STATUS_OK) return status == STATUS_NOT_FOUND ? STATUS_OK : status;
  count_states(outbox, where, by_state);
  *out = by_state[OUTBOX_QUEUED] + by_state[OUTBOX_UNKNOWN];
  return STATUS_OK;
}

/* The row of a statement that is bound. */
static enum status read_oldest(struct outbox *outbox, sqlite3_stmt *oldest, int64_t *id, int64_t *accepted_at) {
  enum status status = outbox->failed ? STATUS_IO : outbox_row_step(outbox, oldest);
  *id = status == STATUS_OK ? sqlite3_column_int64(oldest, 0) : 0;
  *accepted_at = status == STATUS_OK ? sqlite3_column_int64(oldest, 1) : 0;
  sqlite3_reset(oldest);
  return status;
}

enum status outbox_oldest(struct outbox *outbox, int64_t *id, int64_t *accepted_at) {
  int64_t fresh = 0;
  enum status status = outbox_fresh_oldest(outbox, &fresh);
  sqlite3_stmt *oldest = outbox_statement(outbox, STATEMENT_RECORD_OLDEST);
  if (fresh) sqlite3_bind_int64(oldest, 1, fresh);
  return status == STATUS_OK ? read_oldest(outbox, oldest, id, accepted_at) : status;
}

enum status outbox_oldest_of(struct outbox *outbox, struct str destination, int64_t *id, int64_t *accepted_at) {
  int64_t where = 0;
  *id = *accepted_at = 0;
  enum status status = outbox_destination_id(outbox, destination, false, &where);
  if (status != STATUS_OK) return status;
  sqlite3_stmt *oldest = outbox_statement(outbox, STATEMENT_RECORD_OLDEST_OF);
  sqlite3_bind_int64(oldest, 1, where);
  return read_oldest(outbox, oldest, id, accepted_at);
}
