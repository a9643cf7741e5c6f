/*
 * dedupe.c - what came before is known again: by the mark of its source and control id, and the digest of its content.
 *
 * In a tree by their marks, which are random, keys lie one to a page, and each record would write that page twice. So new ones
 * stand with the event of the trail that tells of their record, or, where none does, in a table of their own (dedupe_new), found by
 * an index in memory; when it is full all of them go into the tree (dedupe), in the order of their marks, many to a page. Of one mark
 * the tree has what came first. What the trail has of them stays there until it was exported.
 */
#include "outbox/internal.h"

struct outbox_dedupe outbox_dedupe_of(struct outbox *outbox, const struct outbox_message *message) {
  struct outbox_dedupe dedupe;
  struct outbox_digest content = outbox_digest(message->content);
  struct outbox_digest parts[] = {outbox_digest(message->source), content};
  if (message->control.len) parts[1] = outbox_digest(message->control);
  outbox_mark(outbox, 'd', &content, 1, dedupe.digest);
  outbox_mark(outbox, message->control.len ? 'c' : 'n', parts, 2, dedupe.mark);
  return dedupe;
}

/* --- the index of the new ones --- */

static void add_young(struct outbox_young *young, const unsigned char mark[MARK_BYTES], int64_t row, int64_t came) {
  young->oldest = young->index.count && young->oldest < came ? young->oldest : came;
  outbox_index_add(&young->index, outbox_index_key(mark), row);
}

void outbox_dedupe_forget(struct outbox *outbox) {
  outbox->young.index.known = false;
}

static enum status run(struct outbox *outbox, enum outbox_statement which) {
  return outbox_run(outbox, outbox_statement(outbox, which));
}

static void note(struct outbox *outbox) {
  const struct outbox_index *index = &outbox->young.index;
  for (size_t i = 0; i < INDEX_SLOTS; i++)
    if (index->slots[i].row) outbox_sieve_note(outbox, index->slots[i].key);
}

static enum status settle(struct outbox *outbox) {
  int64_t last = outbox->now.audit_number;
  note(outbox);
  enum status status = outbox_run_on(outbox, STATEMENT_DEDUPE_NEW_MOVE, outbox->young.index.settled);
  if (status == STATUS_OK) status = run(outbox, STATEMENT_DEDUPE_NEW_CLEAR);
  if (status == STATUS_OK) status = outbox_run_on(outbox, STATEMENT_DEDUPE_SETTLED, last);
  if (status == STATUS_OK) outbox_index_clear(&outbox->young.index, last);
  return status;
}

static enum status read_settled(struct outbox *outbox, int64_t *out) {
  sqlite3_stmt *get = outbox_statement(outbox, STATEMENT_DEDUPE_SETTLED_TO);
  enum status status = outbox_row_step(outbox, get);
  if (status == STATUS_OK) *out = sqlite3_column_int64(get, 0);
  sqlite3_reset(get);
  return status;
}

/* More than there is room for, of another version, or what other hands have put there: the tree takes it. */
static enum status load_young(struct outbox *outbox) {
  struct outbox_young *young = &outbox->young;
  int64_t settled = 0;
  enum status status = read_settled(outbox, &settled);
  if (status != STATUS_OK) return status;
  outbox_index_clear(&young->index, settled);
  young->index.known = false;
  sqlite3_stmt *rows = outbox_statement(outbox, STATEMENT_DEDUPE_NEW_ALL);
  sqlite3_bind_int64(rows, 1, settled);
  while ((status = outbox_row_step(outbox, rows)) == STATUS_OK) {
    struct str mark = outbox_column_str(rows, 1);
    if (young->index.count == INDEX_MAX || mark.len != MARK_BYTES) break;
    add_young(young, (const unsigned char *)mark.ptr, sqlite3_column_int64(rows, 0), sqlite3_column_int64(rows, 2));
  }
  sqlite3_reset(rows);
  if (status == STATUS_OK) {
    outbox_sieve_forget(outbox, TREE_DEDUPE); /* not all of them are in the index */
    return settle(outbox);
  }
  young->index.known = status == STATUS_NOT_FOUND;
  return young->index.known ? STATUS_OK : status;
}

/* A group that was given up has taken some of them along. */
static enum status know_young(struct outbox *outbox) {
  return outbox->young.index.known ? STATUS_OK : load_young(outbox);
}

enum status outbox_dedupe_load(struct outbox *outbox) {
  enum status status = outbox_is_there(outbox, outbox_statement(outbox, STATEMENT_DEDUPE_OLD_ANY), &outbox->old_keys);
  return status == STATUS_OK ? load_young(outbox) : status;
}

/* --- looking for one --- */

struct looking {
  const struct outbox_dedupe *dedupe;
  enum outbox_answer *answer;
  int64_t *id;
  bool seen; /* the mark was */
};

/* A row of digest and record. True: it is the same message. */
static bool is_same(struct looking *looking, sqlite3_stmt *row) {
  bool same = str_eq(outbox_column_str(row, 0), str_make((const char *)looking->dedupe->digest, MARK_BYTES));
  *looking->answer = !same ? OUTBOX_DIFFERENT : looking->seen ? OUTBOX_DIFFERENT_AGAIN : OUTBOX_AGAIN;
  looking->seen = true;
  if (same) *looking->id = sqlite3_column_int64(row, 1);
  return same;
}

/* NOT_FOUND: not there. */
static enum status look_in(struct outbox *outbox, enum outbox_statement which, struct looking *looking) {
  sqlite3_stmt *find = outbox_statement(outbox, which);
  enum status status;
  outbox_bind_blob(find, 1, looking->dedupe->mark, MARK_BYTES);
  do {
    status = outbox_row_step(outbox, find);
  } while (status == STATUS_OK && !is_same(looking, find));
  sqlite3_reset(find);
  return status;
}

static enum status look_at(struct outbox *outbox, int64_t row, struct looking *looking) {
  sqlite3_stmt *get = outbox_statement(outbox, row < 0 ? STATEMENT_DEDUPE_NEW_GET : STATEMENT_DEDUPE_TRAIL_GET);
  sqlite3_bind_int64(get, 1, row < 0 ? -row : row);
  enum status status = outbox_row_step(outbox, get);
  if (status == STATUS_OK) {
    bool ours = str_eq(outbox_column_str(get, 2), str_make((const char *)looking->dedupe->mark, MARK_BYTES));
    if (!ours || !is_same(looking, get)) status = STATUS_NOT_FOUND;
  }
  sqlite3_reset(get);
  return status;
}

/* Of one mark they lie behind each other in the order in which they came: none is ever taken out alone. */
static enum status look_in_young(struct outbox *outbox, struct looking *looking) {
  const struct outbox_index *index = &outbox->young.index;
  enum status status = know_young(outbox);
  uint64_t key = outbox_index_key(looking->dedupe->mark);
  size_t steps = 0;
  int64_t row;
  if (status != STATUS_OK) return status;
  status = STATUS_NOT_FOUND;
  while (status == STATUS_NOT_FOUND && (row = outbox_index_next(index, key, &steps)) != 0)
    status = look_at(outbox, row, looking);
  return status;
}

enum status outbox_dedupe_find(struct outbox *outbox, const struct outbox_dedupe *dedupe, enum outbox_answer *answer,
                               int64_t *id) {
  struct looking looking = {.dedupe = dedupe, .answer = answer, .id = id};
  enum status status = STATUS_NOT_FOUND;
  if (outbox->old_keys) status = look_in(outbox, STATEMENT_DEDUPE_OLD_FIND, &looking);
  bool lacks = outbox_sieve_lacks(outbox, TREE_DEDUPE, outbox_index_key(dedupe->mark));
  if (status == STATUS_NOT_FOUND && !lacks) status = look_in(outbox, STATEMENT_DEDUPE_FIND, &looking);
  if (status == STATUS_NOT_FOUND) status = look_in_young(outbox, &looking);
  return status == STATUS_NOT_FOUND && looking.seen ? STATUS_OK : status;
}

/* --- keeping one --- */

/* So many events may lie behind the last whose key is in the tree: they are read when the store is opened. */
enum { YOUNG_SPAN = 4 * INDEX_MAX };

enum status outbox_dedupe_room(struct outbox *outbox) {
  enum status status = know_young(outbox);
  return status == STATUS_OK && outbox->young.index.count == INDEX_MAX ? settle(outbox) : status;
}

void outbox_dedupe_note(struct outbox *outbox, const struct outbox_dedupe *dedupe, int64_t number, int64_t now) {
  add_young(&outbox->young, dedupe->mark, number, now);
}

enum status outbox_dedupe_settle_old(struct outbox *outbox, int64_t before) {
  const struct outbox_young *young = &outbox->young;
  enum status status = know_young(outbox);
  bool old = young->index.count && young->oldest < before, goes = outbox->now.anchor_number > young->index.settled;
  bool far = outbox->now.audit_number - young->index.settled > YOUNG_SPAN;
  return status == STATUS_OK && (old || goes || far) ? settle(outbox) : status;
}

enum status outbox_dedupe_add(struct outbox *outbox, const struct outbox_dedupe *dedupe, int64_t first, int64_t now) {
  enum status status = outbox_dedupe_room(outbox);
  if (status != STATUS_OK) return status;
  sqlite3_stmt *add = outbox_statement(outbox, STATEMENT_DEDUPE_NEW_ADD);
  outbox_bind_blob(add, 1, dedupe->mark, MARK_BYTES);
  outbox_bind_blob(add, 2, dedupe->digest, MARK_BYTES);
  sqlite3_bind_int64(add, 3, first);
  sqlite3_bind_int64(add, 4, now);
  status = outbox_run(outbox, add);
  if (status == STATUS_OK) add_young(&outbox->young, dedupe->mark, -sqlite3_last_insert_rowid(outbox->db), now);
  return status;
}
