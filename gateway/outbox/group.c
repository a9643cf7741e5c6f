/* group.c - statements, what their results mean, and groups: changes that become durable together. */
#include "outbox/internal.h"

/* --- statements --- */

sqlite3_stmt *outbox_statement(struct outbox *outbox, enum outbox_statement which) {
  sqlite3_stmt *statement = outbox->statements[which];
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  return statement;
}

void outbox_bind_str(sqlite3_stmt *statement, int at, struct str text) {
  sqlite3_bind_text64(statement, at, text.ptr ? text.ptr : "", text.len, SQLITE_STATIC, SQLITE_UTF8);
}

void outbox_bind_blob(sqlite3_stmt *statement, int at, const void *bytes, size_t count) {
  sqlite3_bind_blob64(statement, at, bytes ? bytes : "", count, SQLITE_STATIC);
}

struct str outbox_column_str(sqlite3_stmt *statement, int at) {
  const void *bytes = sqlite3_column_blob(statement, at);
  return str_make(bytes, (size_t)sqlite3_column_bytes(statement, at));
}

/* A full disk or no memory ends the group; anything else that is not a row or the end says that the file, the
   disk or this program is not as it must be. */
enum status outbox_status_of(struct outbox *outbox, int result) {
  switch (result & 0xff) {
  case SQLITE_OK:
  case SQLITE_ROW:
    return STATUS_OK;
  case SQLITE_DONE:
    return STATUS_NOT_FOUND;
  case SQLITE_NOMEM:
    return STATUS_NOMEM;
  case SQLITE_FULL:
    return STATUS_LIMIT;
  case SQLITE_TOOBIG:
    return STATUS_INVALID;
  default:
    if (result == SQLITE_IOERR_NOMEM) return STATUS_NOMEM;
    outbox->failed = true;
    return STATUS_IO;
  }
}

enum status outbox_row_step(struct outbox *outbox, sqlite3_stmt *statement) {
  return outbox_status_of(outbox, sqlite3_step(statement));
}

enum status outbox_is_there(struct outbox *outbox, sqlite3_stmt *statement, bool *out) {
  enum status status = outbox_row_step(outbox, statement);
  sqlite3_reset(statement);
  *out = status == STATUS_OK;
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status outbox_ask(struct outbox *outbox, enum outbox_statement which, int64_t id, bool *out) {
  sqlite3_stmt *find = outbox_statement(outbox, which);
  sqlite3_bind_int64(find, 1, id);
  return outbox_is_there(outbox, find, out);
}

enum status outbox_run(struct outbox *outbox, sqlite3_stmt *statement) {
  enum status status;
  do {
    status = outbox_row_step(outbox, statement);
  } while (status == STATUS_OK);
  sqlite3_reset(statement);
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status outbox_run_on(struct outbox *outbox, enum outbox_statement which, int64_t number) {
  sqlite3_stmt *statement = outbox_statement(outbox, which);
  sqlite3_bind_int64(statement, 1, number);
  return outbox_run(outbox, statement);
}

static enum status run(struct outbox *outbox, enum outbox_statement which) {
  return outbox_run(outbox, outbox_statement(outbox, which));
}

/* --- groups --- */

/* Want of memory in any statement, in one that only reads too, makes SQLite roll the whole group back, and who asked may not mind.
   What came before is gone: what comes behind it must not be kept. */
static bool is_lost(const struct outbox *outbox) {
  return outbox->in_group && sqlite3_get_autocommit(outbox->db);
}

enum status outbox_begin(struct outbox *outbox) {
  if (outbox->failed) return STATUS_IO;
  if (is_lost(outbox)) return outbox_end(outbox, STATUS_NOMEM);
  if (outbox->group_error != STATUS_OK) return outbox->group_error;
  if (outbox->in_group) return STATUS_OK;
  enum status status = run(outbox, STATEMENT_BEGIN);
  outbox->in_group = status == STATUS_OK;
  outbox->free_known = false;
  return status;
}

/* Not the rest of the tables: most stores have one destination. */
static void copy_memory(struct outbox_memory *to, const struct outbox_memory *from) {
  struct outbox_tally *tally = &to->tally;
  tally->used = from->tally.used;
  memcpy(tally->destinations, from->tally.destinations, tally->used * sizeof tally->destinations[0]);
  memcpy(tally->counts, from->tally.counts, tally->used * sizeof tally->counts[0]);
  to->accepted = from->accepted;
  to->duplicates = from->duplicates;
  to->known = from->known;
  to->next_id = from->next_id;
  to->audit_number = from->audit_number;
  memcpy(to->audit_chain, from->audit_chain, CHAIN_BYTES);
  to->anchor_number = from->anchor_number;
  memcpy(to->anchor_chain, from->anchor_chain, CHAIN_BYTES);
  to->fresh_from = from->fresh_from;
  memcpy(to->last_rows, from->last_rows, sizeof to->last_rows);
  to->clock = from->clock;
}

static void give_up(struct outbox *outbox) {
  /* SQLite may have rolled back by itself; then there is nothing to roll back */
  if (outbox->in_group && !sqlite3_get_autocommit(outbox->db) && run(outbox, STATEMENT_ROLLBACK) != STATUS_OK)
    outbox->failed = true;
  outbox->in_group = false;
  copy_memory(&outbox->now, &outbox->committed);
  outbox_ledger_forget(outbox);
  outbox_dedupe_forget(outbox);
  outbox_fresh_forget(outbox);
  outbox_rows_forget(outbox);
  outbox_sieve_forget_all(outbox);
  outbox_handed_forget_all(outbox);
  memset(outbox->sent, 0, sizeof outbox->sent);
}

void outbox_abandon(struct outbox *outbox) {
  give_up(outbox);
  outbox->group_error = STATUS_OK;
}

/* NOT_FOUND, CONFLICT and INVALID are the answer to one call: what the group holds stays. */
enum status outbox_end(struct outbox *outbox, enum status status) {
  if (status != STATUS_NOMEM && status != STATUS_LIMIT && status != STATUS_IO) return status;
  give_up(outbox);
  outbox->group_error = status;
  return status;
}

bool outbox_in_group(const struct outbox *outbox) {
  return outbox->in_group;
}

/* A failed COMMIT may still have reached the disk: nothing is known any more. Except without room: SQLITE_FULL comes of a write alone, before
   anything of the group was synced, and SQLite has taken the group back. Should its pages be whole in the log all the same, the next group
   lies over them; after a crash before that it counts, as one whose answer was lost. */
static enum status not_committed(struct outbox *outbox, int result) {
  if ((result & 0xff) != SQLITE_FULL || !sqlite3_get_autocommit(outbox->db)) {
    outbox->failed = true;
    return STATUS_IO;
  }
  outbox_abandon(outbox);
  return STATUS_LIMIT;
}

static enum status commit(struct outbox *outbox, bool put_off) {
  if (outbox->failed) return STATUS_IO;
  if (is_lost(outbox)) (void)outbox_end(outbox, STATUS_NOMEM);
  enum status status = outbox->group_error;
  outbox->group_error = STATUS_OK;
  if (status != STATUS_OK || !outbox->in_group) return status;
  outbox->puts_off = put_off;
  int result = sqlite3_step(outbox_statement(outbox, STATEMENT_COMMIT));
  outbox->puts_off = false;
  if (result != SQLITE_DONE) return not_committed(outbox, result);
  outbox->in_group = false;
  copy_memory(&outbox->committed, &outbox->now);
  status = outbox_checkpoint(outbox, false);
  return status == STATUS_LIMIT ? STATUS_OK : status; /* the group is durable where it is; the next tries again */
}

enum status outbox_commit(struct outbox *outbox) {
  return commit(outbox, false);
}

enum status outbox_write(struct outbox *outbox) {
  outbox->owes_sync = false;
  return commit(outbox, true);
}

enum status outbox_sync(struct outbox *outbox) {
  if (!outbox->owes_sync || outbox_sync_log(outbox)) return STATUS_OK;
  outbox->failed = true;
  return STATUS_IO;
}

/* --- counting --- */

void outbox_count(struct outbox *outbox, int64_t destination, enum outbox_state state, int by) {
  struct outbox_tally *tally = &outbox->now.tally;
  size_t at = 0;
  while (at < tally->used && tally->destinations[at] != destination)
    at++;
  if (at == DESTINATIONS_MAX) return; /* outbox_destination_id has refused it */
  if (at == tally->used) {
    tally->destinations[tally->used++] = destination;
    memset(tally->counts[at], 0, sizeof tally->counts[at]); /* of a group that was given up */
  }
  tally->counts[at][state] += (size_t)by;
}
