/*
 * rows.c - where the row of a family is, by its mark.
 *
 * In a tree by their marks, which are random, families lie one to a page, and each new one would write a page for it. So the newest are
 * found by an index in memory of some length, read from their rows when the store is opened; when it is full all of them go into the tree
 * (family_at), in the order of their marks, many to a page. Rows are numbered as they come, and no number is given twice: those above
 * `settled` are new. A row's number stays, whatever is written there.
 */
#include "outbox/internal.h"

/* --- the index of the new ones --- */

void outbox_rows_forget(struct outbox *outbox) {
  outbox->rows.known = false;
}

/* Once more it would do nothing more. */
static enum status settle(struct outbox *outbox) {
  int64_t last = outbox->now.last_family;
  enum status status = outbox_run_on(outbox, STATEMENT_FAMILY_NEW_MOVE, outbox->rows.settled);
  if (status == STATUS_OK) status = outbox_run_on(outbox, STATEMENT_FAMILY_SETTLED, last);
  if (status == STATUS_OK) outbox_index_clear(&outbox->rows, last);
  return status;
}

static enum status read_settled(struct outbox *outbox, int64_t *settled, int64_t *last) {
  sqlite3_stmt *get = outbox_statement(outbox, STATEMENT_FAMILY_SETTLED_TO);
  enum status status = outbox_row_step(outbox, get);
  if (status == STATUS_OK) {
    *settled = sqlite3_column_int64(get, 0);
    *last = sqlite3_column_int64(get, 1);
  }
  sqlite3_reset(get);
  return status;
}

/* More than there is room for, of another version, or what other hands have put there: the tree takes it. */
static enum status load(struct outbox *outbox) {
  struct outbox_index *rows = &outbox->rows;
  int64_t settled = 0, last = 0;
  enum status status = read_settled(outbox, &settled, &last);
  if (status != STATUS_OK) return status;
  outbox_index_clear(rows, settled);
  rows->known = false;
  if (last < settled) last = settled; /* the last ones are no more */
  if (outbox->now.last_family < last) outbox->now.last_family = last;
  sqlite3_stmt *new_ones = outbox_statement(outbox, STATEMENT_FAMILY_NEW_ALL);
  sqlite3_bind_int64(new_ones, 1, settled);
  while ((status = outbox_row_step(outbox, new_ones)) == STATUS_OK) {
    struct str mark = outbox_column_str(new_ones, 1);
    if (rows->count == INDEX_MAX || mark.len != MARK_BYTES) break;
    outbox_index_add(rows, (const unsigned char *)mark.ptr, sqlite3_column_int64(new_ones, 0));
  }
  sqlite3_reset(new_ones);
  if (status == STATUS_OK) return settle(outbox);
  rows->known = status == STATUS_NOT_FOUND;
  return rows->known ? STATUS_OK : status;
}

/* A group that was given up has taken some of them along. */
static enum status know(struct outbox *outbox) {
  return outbox->rows.known ? STATUS_OK : load(outbox);
}

enum status outbox_rows_load(struct outbox *outbox) {
  return load(outbox);
}

/* --- asking --- */

static sqlite3_stmt *statement_for(struct outbox *outbox, enum outbox_statement which, int64_t destination,
                                   const unsigned char mark[MARK_BYTES]) {
  sqlite3_stmt *statement = outbox_statement(outbox, which);
  sqlite3_bind_int64(statement, 1, destination);
  outbox_bind_blob(statement, 2, mark, MARK_BYTES);
  return statement;
}

/* NOT_FOUND: of the new ones none is it. */
static enum status find_new(struct outbox *outbox, int64_t destination, const unsigned char mark[MARK_BYTES], int64_t *id) {
  enum status status = STATUS_NOT_FOUND;
  size_t steps = 0;
  int64_t row;
  while (status == STATUS_NOT_FOUND && (row = outbox_index_next(&outbox->rows, mark, &steps)) != 0) {
    bool is = false;
    sqlite3_stmt *ask = statement_for(outbox, STATEMENT_FAMILY_IS, destination, mark);
    sqlite3_bind_int64(ask, 3, row);
    status = outbox_is_there(outbox, ask, &is);
    *id = row;
    if (status == STATUS_OK && !is) status = STATUS_NOT_FOUND;
  }
  return status;
}

enum status outbox_rows_find(struct outbox *outbox, int64_t destination, const unsigned char mark[MARK_BYTES], int64_t *id) {
  enum status status = know(outbox);
  if (status == STATUS_OK) status = find_new(outbox, destination, mark, id);
  if (status != STATUS_NOT_FOUND) return status;
  sqlite3_stmt *find = statement_for(outbox, STATEMENT_FAMILY_AT, destination, mark);
  status = outbox_row_step(outbox, find);
  if (status == STATUS_OK) *id = sqlite3_column_int64(find, 0);
  sqlite3_reset(find);
  return status;
}

/* --- changing --- */

enum status outbox_rows_add(struct outbox *outbox, const unsigned char mark[MARK_BYTES], int64_t *id) {
  enum status status = know(outbox);
  if (status == STATUS_OK && outbox->rows.count == INDEX_MAX) status = settle(outbox);
  if (status != STATUS_OK) return status;
  *id = ++outbox->now.last_family;
  outbox_index_add(&outbox->rows, mark, *id);
  return STATUS_OK;
}

enum status outbox_rows_drop(struct outbox *outbox, int64_t destination, const unsigned char mark[MARK_BYTES], int64_t id) {
  enum status status = know(outbox);
  if (status == STATUS_OK) status = outbox_run_on(outbox, STATEMENT_FAMILY_DROP, id);
  if (status != STATUS_OK) return status;
  if (id <= outbox->rows.settled) return outbox_run(outbox, statement_for(outbox, STATEMENT_FAMILY_AT_DROP, destination, mark));
  outbox_rows_forget(outbox); /* rarely: they are read again */
  return STATUS_OK;
}
