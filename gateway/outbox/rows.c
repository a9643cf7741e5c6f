/*
 * rows.c - where rows are that are found by their marks: families of places, lanes, subjects of revisions.
 *
 * In a tree by their marks, which are random, they lie one to a page, and each new one would write a page for it. So the newest are
 * found by an index in memory of some length, read from their rows when the store is opened; when it is full all of them go into the tree
 * (family_at, lane_at, subject_at), in its order, many to a page. The tree is of keys, numbers made of destination and mark, and of
 * the numbers of rows: what it tells may be another's, so the row itself is asked. Rows are numbered as they come, and no number is given
 * twice: those above `settled` are new. A row's number stays, whatever is written there.
 */
#include "outbox/internal.h"

/* Of each table, its statements. */
static const struct table {
  enum outbox_statement at, is, new_all, settle, settled, settled_to;
} tables[ROWS_TABLES] = {
#define TABLE(NAME)                                                                    \
  {STATEMENT_##NAME##_AT,     STATEMENT_##NAME##_IS,      STATEMENT_##NAME##_NEW_ALL,  \
   STATEMENT_##NAME##_SETTLE, STATEMENT_##NAME##_SETTLED, STATEMENT_##NAME##_SETTLED_TO}
    [ROWS_FAMILIES] = TABLE(FAMILY),
    [ROWS_LANES] = TABLE(LANE),
    [ROWS_SUBJECTS] = TABLE(SUBJECT),
#undef TABLE
};

/* --- keys --- */

/* Two destinations that have the same patient have two keys for it; of one, keys are in the order of marks, but for where they begin. */
static uint64_t key_of(int64_t destination, const unsigned char mark[MARK_BYTES]) {
  return outbox_index_key(mark) + (uint64_t)destination * 0x9E3779B97F4A7C15u;
}

/* --- the index of the new ones --- */

void outbox_rows_forget(struct outbox *outbox) {
  for (size_t i = 0; i < ROWS_TABLES; i++)
    outbox->rows[i].known = false;
}

/* One by one: for many in one statement SQLite keeps, in memory, each page as it was. Once more it would do nothing more. */
static enum status settle(struct outbox *outbox, enum outbox_rows which, int64_t last) {
  struct outbox_index *rows = &outbox->rows[which];
  enum status status = STATUS_OK;
  outbox_index_sort(rows);
  for (size_t i = 0; status == STATUS_OK && i < rows->count; i++) {
    outbox_sieve_note(outbox, rows->slots[i].key);
    sqlite3_stmt *put = outbox_statement(outbox, tables[which].settle);
    sqlite3_bind_int64(put, 1, (int64_t)rows->slots[i].key);
    sqlite3_bind_int64(put, 2, rows->slots[i].row);
    status = outbox_run(outbox, put);
  }
  if (status == STATUS_OK) status = outbox_run_on(outbox, tables[which].settled, last);
  if (status == STATUS_OK) outbox_index_clear(rows, last);
  return status;
}

static enum status read_settled(struct outbox *outbox, enum outbox_rows which, int64_t *settled, int64_t *last) {
  sqlite3_stmt *get = outbox_statement(outbox, tables[which].settled_to);
  enum status status = outbox_row_step(outbox, get);
  if (status == STATUS_OK) {
    *settled = sqlite3_column_int64(get, 0);
    *last = sqlite3_column_int64(get, 1);
  }
  sqlite3_reset(get);
  return status;
}

/* A row of id, destination and mark. What has no mark other hands have put there: nobody looks for it. */
static enum status take_new(struct outbox *outbox, enum outbox_rows which, sqlite3_stmt *row) {
  struct outbox_index *rows = &outbox->rows[which];
  int64_t id = sqlite3_column_int64(row, 0);
  struct str mark = outbox_column_str(row, 2);
  enum status status = STATUS_OK;
  if (mark.len != MARK_BYTES) return status;
  uint64_t key = key_of(sqlite3_column_int64(row, 1), (const unsigned char *)mark.ptr);
  if (rows->count == INDEX_MAX) status = settle(outbox, which, id - 1); /* of another version */
  if (status == STATUS_OK) outbox_index_add(rows, key, id);
  return status;
}

static enum status load(struct outbox *outbox, enum outbox_rows which) {
  struct outbox_index *rows = &outbox->rows[which];
  int64_t settled = 0, last = 0;
  enum status status = read_settled(outbox, which, &settled, &last);
  if (status != STATUS_OK) return status;
  outbox_index_clear(rows, settled);
  if (last < settled) last = settled; /* the last ones are no more */
  if (outbox->now.last_rows[which] < last) outbox->now.last_rows[which] = last;
  sqlite3_stmt *new_ones = outbox_statement(outbox, tables[which].new_all);
  sqlite3_bind_int64(new_ones, 1, settled);
  while (status == STATUS_OK && (status = outbox_row_step(outbox, new_ones)) == STATUS_OK)
    status = take_new(outbox, which, new_ones);
  sqlite3_reset(new_ones);
  rows->known = status == STATUS_NOT_FOUND;
  return rows->known ? STATUS_OK : status;
}

/* A group that was given up has taken some of them along. */
static enum status know(struct outbox *outbox, enum outbox_rows which) {
  return outbox->rows[which].known ? STATUS_OK : load(outbox, which);
}

enum status outbox_rows_load(struct outbox *outbox) {
  enum status status = STATUS_OK;
  for (enum outbox_rows which = 0; status == STATUS_OK && which < ROWS_TABLES; which++)
    status = load(outbox, which);
  return status;
}

/* --- asking --- */

struct asking {
  enum outbox_rows which;
  int64_t destination;
  const unsigned char *mark;
  uint64_t key;
};

/* Whether a row is it. NOT_FOUND: it is another. */
static enum status ask(struct outbox *outbox, const struct asking *asking, int64_t row, struct outbox_found *out) {
  sqlite3_stmt *is = outbox_statement(outbox, tables[asking->which].is);
  sqlite3_bind_int64(is, 1, row);
  sqlite3_bind_int64(is, 2, asking->destination);
  outbox_bind_blob(is, 3, asking->mark, MARK_BYTES);
  enum status status = outbox_row_step(outbox, is);
  if (status == STATUS_OK) *out = (struct outbox_found){.id = row, .value = sqlite3_column_int64(is, 0)};
  sqlite3_reset(is);
  return status;
}

static enum status find_new(struct outbox *outbox, const struct asking *asking, struct outbox_found *out) {
  enum status status = STATUS_NOT_FOUND;
  size_t steps = 0;
  int64_t row;
  while (status == STATUS_NOT_FOUND && (row = outbox_index_next(&outbox->rows[asking->which], asking->key, &steps)) != 0)
    status = ask(outbox, asking, row, out);
  return status;
}

static enum status find_settled(struct outbox *outbox, const struct asking *asking, struct outbox_found *out) {
  enum status status;
  if (outbox_sieve_lacks(outbox, (enum outbox_tree)asking->which, asking->key)) return STATUS_NOT_FOUND;
  sqlite3_stmt *find = outbox_statement(outbox, tables[asking->which].at);
  sqlite3_bind_int64(find, 1, (int64_t)asking->key);
  do {
    status = outbox_row_step(outbox, find);
    if (status != STATUS_OK) break;
    status = ask(outbox, asking, sqlite3_column_int64(find, 0), out);
  } while (status == STATUS_NOT_FOUND);
  sqlite3_reset(find);
  return status;
}

enum status outbox_rows_find(struct outbox *outbox, enum outbox_rows which, int64_t destination, const unsigned char mark[MARK_BYTES],
                             struct outbox_found *out) {
  struct asking asking = {.which = which, .destination = destination, .mark = mark, .key = key_of(destination, mark)};
  enum status status = know(outbox, which);
  if (status == STATUS_OK) status = find_new(outbox, &asking, out);
  return status == STATUS_NOT_FOUND ? find_settled(outbox, &asking, out) : status;
}

/* --- changing --- */

enum status outbox_rows_add(struct outbox *outbox, enum outbox_rows which, int64_t destination, const unsigned char mark[MARK_BYTES],
                            int64_t *id) {
  struct outbox_index *rows = &outbox->rows[which];
  enum status status = know(outbox, which);
  if (status == STATUS_OK && rows->count == INDEX_MAX) status = settle(outbox, which, outbox->now.last_rows[which]);
  if (status != STATUS_OK) return status;
  *id = ++outbox->now.last_rows[which];
  outbox_index_add(rows, key_of(destination, mark), *id);
  return STATUS_OK;
}

enum status outbox_rows_drop(struct outbox *outbox, int64_t destination, const unsigned char mark[MARK_BYTES], int64_t id) {
  enum status status = know(outbox, ROWS_FAMILIES);
  if (status == STATUS_OK) status = outbox_run_on(outbox, STATEMENT_FAMILY_DROP, id);
  if (status != STATUS_OK) return status;
  if (id > outbox->rows[ROWS_FAMILIES].settled) {
    outbox->rows[ROWS_FAMILIES].known = false; /* rarely: they are read again */
    return STATUS_OK;
  }
  sqlite3_stmt *drop = outbox_statement(outbox, STATEMENT_FAMILY_AT_DROP);
  sqlite3_bind_int64(drop, 1, (int64_t)key_of(destination, mark));
  sqlite3_bind_int64(drop, 2, id);
  return outbox_run(outbox, drop);
}

/* --- from an older schema --- */

/* What is there already, in the order in which it is put: SQLite would sort it in memory. */
static const struct older {
  const char *rows, *put;
} older[] = {
    {"SELECT id, destination, mark FROM family_at_12 ORDER BY destination, mark", "INSERT INTO family_at(key, id) VALUES (?1, ?2)"},
    {"SELECT id, destination, mark FROM lane INDEXED BY lane_mark WHERE mark IS NOT NULL ORDER BY destination, mark",
     "INSERT INTO lane_at(key, id) VALUES (?1, ?2)"},
    {"SELECT id, destination, mark FROM subject ORDER BY id", "INSERT INTO subject_at(key, id) VALUES (?1, ?2)"},
};

static int put_older(sqlite3_stmt *row, sqlite3_stmt *put) {
  struct str mark = outbox_column_str(row, 2);
  if (mark.len != MARK_BYTES) return SQLITE_OK;
  sqlite3_bind_int64(put, 1, (int64_t)key_of(sqlite3_column_int64(row, 1), (const unsigned char *)mark.ptr));
  sqlite3_bind_int64(put, 2, sqlite3_column_int64(row, 0));
  (void)sqlite3_step(put);
  return sqlite3_reset(put);
}

static enum status fill(struct outbox *outbox, const struct older *from) {
  sqlite3_stmt *rows = NULL, *put = NULL;
  int result = sqlite3_prepare_v2(outbox->db, from->rows, -1, &rows, NULL);
  if (result == SQLITE_OK) result = sqlite3_prepare_v2(outbox->db, from->put, -1, &put, NULL);
  while (result == SQLITE_OK && (result = sqlite3_step(rows)) == SQLITE_ROW)
    result = put_older(rows, put);
  sqlite3_finalize(rows);
  sqlite3_finalize(put);
  return result == SQLITE_DONE ? STATUS_OK : outbox_status_of(outbox, result);
}

enum status outbox_rows_fill(struct outbox *outbox) {
  enum status status = STATUS_OK;
  for (size_t i = 0; status == STATUS_OK && i < sizeof older / sizeof older[0]; i++)
    status = fill(outbox, &older[i]);
  return status;
}
