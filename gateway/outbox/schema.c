/* schema.c - the tables, step by step: a store made by an older version is brought up in one group. */
#include <stdio.h>
#include "outbox/internal.h"

/* Where rows are (rows.c): of one key there may be two. */
#define TREE "(key INTEGER NOT NULL, id INTEGER NOT NULL, PRIMARY KEY(key, id)) STRICT, WITHOUT ROWID;"

static const char *const steps[OUTBOX_SCHEMA] = {
    /* 1 */
    "CREATE TABLE store(id BLOB NOT NULL, generation INTEGER NOT NULL) STRICT;"
    "CREATE TABLE data_key(id INTEGER PRIMARY KEY, wrapped_by INTEGER NOT NULL, sealed BLOB NOT NULL) STRICT;"
    "CREATE TABLE destination(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"
    /* a record without a lane has one of its own, without a mark: its number, below zero. `sending`: the record on
       its way, or 0 */
    "CREATE TABLE lane(id INTEGER PRIMARY KEY, destination INTEGER NOT NULL REFERENCES destination,"
    " mark BLOB, head INTEGER, due INTEGER NOT NULL, sending INTEGER NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX lane_mark ON lane(destination, mark) WHERE mark IS NOT NULL;"
    "CREATE INDEX lane_due ON lane(destination, due, id) WHERE head IS NOT NULL;"
    "CREATE TABLE record(id INTEGER PRIMARY KEY, destination INTEGER NOT NULL REFERENCES destination,"
    " lane INTEGER NOT NULL REFERENCES lane, state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 5),"
    " open INTEGER NOT NULL, blocks INTEGER NOT NULL, kind TEXT NOT NULL, label BLOB NOT NULL,"
    " reason TEXT NOT NULL, attempts INTEGER NOT NULL, bytes INTEGER NOT NULL, data_key INTEGER NOT NULL,"
    " salt BLOB NOT NULL, due INTEGER NOT NULL, accepted INTEGER NOT NULL, changed INTEGER NOT NULL) STRICT;"
    "CREATE INDEX record_lane ON record(lane, id) WHERE open = 1;"
    "CREATE INDEX record_state ON record(state, id) WHERE state BETWEEN 1 AND 3;"
    "CREATE INDEX record_over ON record(changed) WHERE state >= 4;"
    /* apart from the row whose state changes with each attempt: that row stays small */
    "CREATE TABLE payload(record INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;"
    "CREATE TABLE attempt(record INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL,"
    " took INTEGER NOT NULL, state INTEGER NOT NULL, http INTEGER NOT NULL, reason TEXT NOT NULL,"
    " PRIMARY KEY(record, number)) STRICT, WITHOUT ROWID;"
    /* in the order in which they came: no index by time */
    "CREATE TABLE dedupe(id INTEGER PRIMARY KEY, mark BLOB NOT NULL, digest BLOB NOT NULL,"
    " record INTEGER NOT NULL, at INTEGER NOT NULL) STRICT;"
    "CREATE INDEX dedupe_mark ON dedupe(mark);"
    "CREATE TABLE ledger(destination INTEGER NOT NULL, mark BLOB NOT NULL, sealed BLOB NOT NULL,"
    " at INTEGER NOT NULL, PRIMARY KEY(destination, mark)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE revision(destination INTEGER NOT NULL, mark BLOB NOT NULL, number INTEGER NOT NULL,"
    " PRIMARY KEY(destination, mark)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE audit(number INTEGER PRIMARY KEY, at INTEGER NOT NULL, record INTEGER NOT NULL,"
    " what TEXT NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL, chain BLOB NOT NULL) STRICT;"
    "CREATE TRIGGER record_gone AFTER DELETE ON record BEGIN"
    " DELETE FROM payload WHERE record = old.id;"
    " DELETE FROM attempt WHERE record = old.id; END;",
    /* 2: of which it is a revision; and a lane that was one record's own goes with it: SQLite would look through all records
       for each lane that goes if they referred to it */
    "CREATE TABLE record_2(id INTEGER PRIMARY KEY, destination INTEGER NOT NULL REFERENCES destination,"
    " lane INTEGER NOT NULL, state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 5),"
    " open INTEGER NOT NULL, blocks INTEGER NOT NULL, kind TEXT NOT NULL, label BLOB NOT NULL,"
    " reason TEXT NOT NULL, attempts INTEGER NOT NULL, bytes INTEGER NOT NULL, data_key INTEGER NOT NULL,"
    " salt BLOB NOT NULL, due INTEGER NOT NULL, accepted INTEGER NOT NULL, changed INTEGER NOT NULL,"
    " subject BLOB, revision INTEGER NOT NULL) STRICT;"
    /* before its rows: to make the index of a full table SQLite sorts it, in memory */
    "DROP INDEX record_lane;"
    "CREATE INDEX record_lane ON record_2(lane, id) WHERE open = 1;"
    "INSERT INTO record_2 SELECT *, NULL, 0 FROM record;"
    "DROP TABLE record;"
    "ALTER TABLE record_2 RENAME TO record;"
    "CREATE TRIGGER record_gone AFTER DELETE ON record BEGIN"
    " DELETE FROM payload WHERE record = old.id;"
    " DELETE FROM attempt WHERE record = old.id;"
    " DELETE FROM lane WHERE id = -old.id AND mark IS NULL; END;"
    "DELETE FROM lane WHERE mark IS NULL AND NOT EXISTS (SELECT 1 FROM record WHERE record.id = -lane.id);",
    /* 3: without it nobody reads the payload any more, wherever its bytes still lie; NULL also for what an older version
       accepted */
    "ALTER TABLE record ADD COLUMN payload_salt BLOB;",
    /* 4: what is left of the events that were exported; `record`: the highest number of a record then */
    "CREATE TABLE anchor(number INTEGER PRIMARY KEY, chain BLOB NOT NULL, record INTEGER NOT NULL, seal BLOB NOT NULL) STRICT;",
    /* 5: places stand by family (ledger.c). Of what there is nobody knows the family: it moves when it is written again */
    "ALTER TABLE ledger RENAME TO ledger_old;"
    "CREATE TABLE ledger(destination INTEGER NOT NULL, mark BLOB NOT NULL, sealed BLOB NOT NULL,"
    " at INTEGER NOT NULL, PRIMARY KEY(destination, mark)) STRICT, WITHOUT ROWID;",
    /* 6: of the index of states only what is parked and holds no place; the sweep does without the other; the one attempt of a
       record that was delivered at once is in its row; duplicate keys stand by what they are looked for, those of before until they
       are too old */
    "DROP INDEX IF EXISTS record_state;"
    "DROP INDEX IF EXISTS record_over;"
    "CREATE INDEX record_aside ON record(id) WHERE state = 3 AND open = 0;"
    "ALTER TABLE record ADD COLUMN took INTEGER;"
    "ALTER TABLE record ADD COLUMN http INTEGER;"
    "ALTER TABLE dedupe RENAME TO dedupe_old;"
    "CREATE TABLE dedupe(mark BLOB NOT NULL, record INTEGER NOT NULL, digest BLOB NOT NULL, at INTEGER NOT NULL,"
    " PRIMARY KEY(mark, record, digest)) STRICT, WITHOUT ROWID;",
    /* 7: all places of a family in a row (family.c), one after the other as they come; what is in `ledger` moves when it is written
       again */
    "CREATE TABLE family(id INTEGER PRIMARY KEY, destination INTEGER NOT NULL, mark BLOB NOT NULL, places INTEGER NOT NULL,"
    " at INTEGER NOT NULL, sealed BLOB NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX family_mark ON family(destination, mark);",
    /* 8: payloads may be pressed; an older version would take them for damaged ones */
    "",
    /* 9: of the attempts those that a passing fault ended; what there is begins anew */
    "ALTER TABLE record ADD COLUMN faults INTEGER NOT NULL DEFAULT 0;",
    /* 10: the newest duplicate keys, in the order in which they came (dedupe.c) */
    "CREATE TABLE dedupe_new(id INTEGER PRIMARY KEY, mark BLOB NOT NULL, digest BLOB NOT NULL, record INTEGER NOT NULL, at INTEGER NOT NULL) STRICT;",
    /* 11: they stand with the event that tells of their record; `settled`: the last event whose key is in the tree. And the newest
       records are not in the index of lanes (fresh.c): an older version would not find them */
    "ALTER TABLE audit ADD COLUMN mark BLOB;"
    "ALTER TABLE audit ADD COLUMN digest BLOB;"
    "ALTER TABLE store ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;"
    "UPDATE store SET settled = (SELECT coalesce(max(number), 0) FROM audit);",
    /* 12: the newest families are found without a tree (rows.c); `families`: the last that it has. In the order of the index that goes, which
       needs no sorting */
    "CREATE TABLE family_at(destination INTEGER NOT NULL, mark BLOB NOT NULL, id INTEGER NOT NULL,"
    " PRIMARY KEY(destination, mark)) STRICT, WITHOUT ROWID;"
    "INSERT INTO family_at SELECT destination, mark, id FROM family INDEXED BY family_mark ORDER BY destination, mark;"
    "DROP INDEX family_mark;"
    "ALTER TABLE store ADD COLUMN families INTEGER NOT NULL DEFAULT 0;"
    "UPDATE store SET families = (SELECT coalesce(max(id), 0) FROM family);",
    /* 13: so are lanes and the subjects of revisions, and all of them in trees of numbers, which are small and quick to compare. An own
       lane has a number below zero, and is in none. "OR FAIL": else SQLite would keep pages in memory as they were */
    "ALTER TABLE family_at RENAME TO family_at_12;"
    "CREATE TABLE family_at" TREE "CREATE TABLE lane_at" TREE "CREATE TABLE subject_at" TREE
    "CREATE TABLE subject(id INTEGER PRIMARY KEY, destination INTEGER NOT NULL, mark BLOB NOT NULL, number INTEGER NOT NULL) STRICT;"
    "INSERT OR FAIL INTO subject(destination, mark, number) SELECT destination, mark, number FROM revision ORDER BY destination, mark;"
    "DROP TABLE revision;"
    "ALTER TABLE store ADD COLUMN lanes INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE store ADD COLUMN subjects INTEGER NOT NULL DEFAULT 0;"
    "UPDATE store SET lanes = max(0, (SELECT coalesce(max(id), 0) FROM lane)), subjects = (SELECT coalesce(max(id), 0) FROM subject);",
    /* 14: to which time it was swept: by it a clock that is far ahead at a start is known. Of before there is the last event */
    ("ALTER TABLE store ADD COLUMN clock INTEGER NOT NULL DEFAULT 0;"
     "UPDATE store SET clock = coalesce((SELECT at FROM audit ORDER BY number DESC LIMIT 1), 0);")};

/* What takes more than SQL. */
enum { FILLED = 13 };
static const char over[] = "DROP TABLE family_at_12; DROP INDEX lane_mark;";

#undef TREE

static enum status read_pragma(struct outbox *outbox, const char *sql, int64_t *out) {
  sqlite3_stmt *statement = NULL;
  int result = sqlite3_prepare_v2(outbox->db, sql, -1, &statement, NULL);
  if (result == SQLITE_OK && (result = sqlite3_step(statement)) == SQLITE_ROW) {
    *out = sqlite3_column_int64(statement, 0);
    result = SQLITE_OK;
  }
  sqlite3_finalize(statement);
  return outbox_status_of(outbox, result);
}

static enum status execute(struct outbox *outbox, const char *sql) {
  return outbox_status_of(outbox, sqlite3_exec(outbox->db, sql, NULL, NULL, NULL));
}

static enum status climb_to(struct outbox *outbox, int64_t version) {
  enum status status = execute(outbox, steps[version - 1]);
  if (version != FILLED) return status;
  if (status == STATUS_OK) status = outbox_rows_fill(outbox);
  return status == STATUS_OK ? execute(outbox, over) : status;
}

/* What fails is rolled back when the store is closed, at once: until then SQLite can say what it was. */
static enum status climb(struct outbox *outbox, int64_t version) {
  char mark[96];
  enum status status = execute(outbox, "BEGIN EXCLUSIVE");
  for (int64_t at = version; status == STATUS_OK && at < OUTBOX_SCHEMA; at++)
    status = climb_to(outbox, at + 1);
  if (status == STATUS_OK && version == 0)
    status = execute(outbox, "INSERT INTO store(id, generation) VALUES (randomblob(16), 0)");
  snprintf(mark, sizeof mark, "PRAGMA application_id = %d; PRAGMA user_version = %d",
           outbox->is_copy ? OUTBOX_COPY : OUTBOX_APPLICATION, OUTBOX_SCHEMA);
  if (status == STATUS_OK) status = execute(outbox, mark);
  return status == STATUS_OK ? execute(outbox, "COMMIT") : status;
}

enum status outbox_schema_own(struct outbox *outbox) {
  char mark[48];
  snprintf(mark, sizeof mark, "PRAGMA application_id = %d", OUTBOX_APPLICATION);
  return execute(outbox, mark);
}

enum status outbox_schema_check(struct outbox *outbox, bool accept_restored, struct diag_list *diags, int64_t *out) {
  int64_t version = 0, application = 0, tables = 0;
  enum status status = read_pragma(outbox, "PRAGMA user_version", &version);
  if (status == STATUS_OK) status = read_pragma(outbox, "PRAGMA application_id", &application);
  if (status == STATUS_OK) status = read_pragma(outbox, "SELECT count(*) FROM sqlite_schema", &tables);
  if (status != STATUS_OK) return status;
  if (application == OUTBOX_COPY && !accept_restored) {
    outbox_refuse(diags, outbox->path,
                  "the store is a copy made as a backup: what it holds as queued may be delivered already. Compare with the "
                  "destination, then take it once: ketlink relay --accept-restored");
    return STATUS_CONFLICT;
  }
  if (application != OUTBOX_APPLICATION && application != OUTBOX_COPY && (application || version || tables)) {
    outbox_refuse(diags, outbox->path, "this is no outbox of ketlink");
    return STATUS_CONFIG;
  }
  if (version > OUTBOX_SCHEMA) {
    outbox_refuse(diags, outbox->path,
                  "the store was written by a newer version of ketlink (schema %lld, this one knows %d)",
                  (long long)version, OUTBOX_SCHEMA);
    return STATUS_CONFIG;
  }
  outbox->is_copy = application == OUTBOX_COPY;
  *out = version;
  return STATUS_OK;
}

enum status outbox_schema_up(struct outbox *outbox, bool accept_restored, struct diag_list *diags) {
  int64_t version = 0;
  enum status status = outbox_schema_check(outbox, accept_restored, diags, &version);
  return status == STATUS_OK && version < OUTBOX_SCHEMA ? climb(outbox, version) : status;
}
