/* test_open.c - which stores open, with which keys; what is found in the files of one. */
#include "store.h"

#include <fcntl.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void put_file(const char *path, const char *text, mode_t mode) {
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
  assert_int_equal(chmod(path, mode), 0);
}

/* --- who may open it --- */

static void a_second_one_is_refused(void **state) {
  struct store *store = *state;
  struct outbox *second = NULL;
  assert_int_equal(outbox_open(&store->params, &store->diags, &second), STATUS_RETRY);
  assert_null(second);
  assert_true(store_said(store, "another relay has this store open"));
}

static void its_files_are_its_owners_alone(void **state) {
  static const char *const files[] = {"outbox.db", "outbox.db-wal", "lock"};
  struct store *store = *state;
  mode_t before = umask(0);
  store_close(store);
  assert_int_equal(unlink(store_path(store, "outbox.db")), 0);
  store_reopen(store);
  store_put(store, "ehr", "p", "a1");
  for (size_t i = 0; i < 3; i++) {
    struct stat info;
    assert_int_equal(stat(store_path(store, files[i]), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
  }
  umask(before);
}

static void an_open_folder_is_refused(void **state) {
  struct store *store = *state;
  store_close(store);
  assert_int_equal(chmod(store->folder, 0750), 0);
  assert_int_equal(store_try(store), STATUS_CONFIG);
  assert_true(store_said(store, "chmod 700"));
  assert_int_equal(chmod(store->folder, 0700), 0);
  store_reopen(store);
}

static void other_databases_are_refused(void **state) {
  struct store *store = *state;
  struct str before, after;
  store_close(store);
  store_sql(store, "PRAGMA user_version = 99");
  assert_int_equal(file_map(store_path(store, "outbox.db"), &before), STATUS_OK);
  struct str copy = arena_str(store->arena, before);
  file_unmap(before);
  assert_int_equal(store_try(store), STATUS_CONFIG);
  assert_true(store_said(store, "a newer version of ketlink"));
  assert_int_equal(file_map(store_path(store, "outbox.db"), &after), STATUS_OK);
  assert_true(str_eq(copy, after)); /* the newer one finds it as it was */
  file_unmap(after);
  store_sql(store, "PRAGMA user_version = 3; PRAGMA application_id = 5");
  assert_int_equal(store_try(store), STATUS_CONFIG);
  assert_true(store_said(store, "no outbox of ketlink"));
}

/* --- from outside --- */

static enum status look_for(struct store *store, struct str **waiting, size_t *count) {
  diag_list_init(&store->diags, store->arena);
  return outbox_look(&store->params, &store->diags, waiting, count);
}

static enum status look(struct store *store) {
  struct str *waiting = NULL;
  size_t count = 0;
  return look_for(store, &waiting, &count);
}

static void what_waits_is_seen_from_outside(void **state) {
  struct store *store = *state;
  struct outbox_claim claim;
  struct str *waiting = NULL;
  size_t count = 0;
  store_put(store, "over", "p", "a1");
  assert_int_equal(store_claim(store, "over", &claim), STATUS_OK);
  store_finish(store, claim.id, OUTBOX_DONE, 0);
  store_put(store, "parked", "p", "a2");
  assert_int_equal(store_claim(store, "parked", &claim), STATUS_OK);
  store_finish(store, claim.id, OUTBOX_PARKED, 0);
  store_put(store, "ehr", "p", "a3");
  assert_int_equal(look_for(store, &waiting, &count), STATUS_OK);
  assert_int_equal(count, 0); /* it is at work */
  assert_int_equal(outbox_idle(store->outbox), STATUS_OK);
  assert_int_equal(look_for(store, &waiting, &count), STATUS_OK);
  assert_int_equal(count, 2);
  assert_true(str_is(waiting[0], "parked") && str_is(waiting[1], "ehr"));
}

static void expect_seen(struct store *store, enum status status, const char *part) {
  assert_int_equal(look(store), status);
  assert_true(store_said(store, part));
  assert_int_equal(access(store_path(store, "outbox.db-wal"), F_OK), -1); /* nothing is made */
}

static void what_keeps_it_from_opening_is_seen_from_outside(void **state) {
  struct store *store = *state;
  store->params.marker = store_path(store, "marker");
  store_reopen(store);
  store_put(store, "ehr", "p", "a1");
  store->keys.keys[0][31] ^= 1;
  assert_int_equal(look(store), STATUS_OK); /* the keys may stand in the log: nothing is known */
  store->keys.keys[0][31] ^= 1;
  store_close(store);
  assert_int_equal(look(store), STATUS_OK);
  store->keys.keys[0][31] ^= 1;
  expect_seen(store, STATUS_CONFIG, "does not open this store");
  store->keys.keys[0][31] ^= 1;
  put_file(store->params.marker, "99\n", 0600);
  expect_seen(store, STATUS_CONFLICT, "older copy");
  put_file(store->params.marker, "1\n", 0600);
  store_sql(store, "PRAGMA application_id = 0x4B4C4F43");
  expect_seen(store, STATUS_CONFLICT, "copy made as a backup");
  store_sql(store, "PRAGMA application_id = 5");
  expect_seen(store, STATUS_CONFIG, "no outbox of ketlink");
  store_sql(store, "PRAGMA application_id = 0x4B4C4F42; PRAGMA user_version = 99");
  expect_seen(store, STATUS_CONFIG, "a newer version of ketlink");
  store_sql(store, "PRAGMA user_version = 12");
  assert_int_equal(truncate(store_path(store, "outbox.db"), 5000), 0);
  expect_seen(store, STATUS_IO, "malformed");
  assert_int_equal(unlink(store_path(store, "outbox.db")), 0);
  assert_int_equal(look(store), STATUS_OK); /* it will be made */
  assert_int_equal(access(store_path(store, "outbox.db"), F_OK), -1);
}

/* While it is open, idle or at work, by the same key: never a fault. */
static void a_store_at_work_is_no_fault(void **state) {
  struct store *store = *state;
  store->params.checkpoint_pages = 4;
  store_reopen(store);
  for (int i = 0; i < 40; i++) {
    store_put(store, "ehr", "p", arena_printf(store->arena, "a%d", i).ptr);
    assert_int_equal(look(store), STATUS_OK);
    if (i % 3 == 0) assert_int_equal(outbox_idle(store->outbox), STATUS_OK);
    assert_int_equal(look(store), STATUS_OK);
  }
  store_reopen(store);
}

/* --- from an older version --- */

/* The bytes that the statement selects. */
static struct str select_bytes(struct store *store, const char *sql) {
  sqlite3 *db = NULL;
  sqlite3_stmt *select = NULL;
  assert_null(store->outbox);
  assert_int_equal(sqlite3_open(store_path(store, "outbox.db"), &db), SQLITE_OK);
  assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &select, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_step(select), SQLITE_ROW);
  const char *bytes = sqlite3_column_blob(select, 0);
  struct str copy = arena_str(store->arena, str_make(bytes, (size_t)sqlite3_column_bytes(select, 0)));
  sqlite3_finalize(select);
  sqlite3_close(db);
  return copy;
}

static bool store_has(struct store *store, struct str bytes) {
  struct str content;
  assert_int_equal(file_map(store_path(store, "outbox.db"), &content), STATUS_OK);
  bool found = str_find(content, bytes, 0) != SIZE_MAX;
  file_unmap(content);
  return found;
}

static void put_old_store(struct store *store, const char *path) {
  struct str sql;
  store_close(store);
  assert_int_equal(unlink(store_path(store, "outbox.db")), 0);
  assert_int_equal(file_map(path, &sql), STATUS_OK);
  store_sql(store, arena_str(store->arena, sql).ptr);
  file_unmap(sql);
  store->now = 1900000000000;
}

/* That the first one was delivered, revisions and messages that came before, as far as the version knew of them. */
static void expect_old_rows(struct store *store, size_t schema) {
  struct outbox_attempt *attempts;
  struct outbox_item item = {.destination = STR("ehr"), .lane = STR("p1"), .kind = STR("bundle"), .label = STR("a"),
                             .payload = STR("the first of a store"), .subject = STR("S-4"), .revision = 6};
  struct outbox_message message = {.source = STR("clinic"), .control = STR("a"), .content = item.payload, .items = &item, .item_count = 1};
  enum outbox_answer answer;
  size_t count = 0;
  int64_t id = 0;
  assert_int_equal(outbox_attempts(store->outbox, 1, store->arena, &attempts, &count), STATUS_OK);
  assert_true(count == 1 && attempts[0].state == OUTBOX_DONE && attempts[0].http_status == 200);
  assert_true(str_is(attempts[0].reason, "http-200"));
  if (schema < 3) return;
  assert_int_equal(attempts[0].took_ms, 12);
  assert_int_equal(outbox_accept(store->outbox, &message, 1, &store->diags, &answer, &id), STATUS_OK);
  assert_true(answer == OUTBOX_AGAIN && id == 1);
  message.control = STR("new");
  assert_int_equal(outbox_accept(store->outbox, &message, 1, &store->diags, &answer, &id), STATUS_OK);
  assert_int_equal(store_row(store, id).state, OUTBOX_PARKED); /* of S-4 there is a seventh */
  assert_int_equal(id, 5);
  outbox_abandon(store->outbox);
}

/* Its records are all there, and what they hold is not any more when they are over; lanes of records that have gone are
   not. */
static void a_store_of_an_older_version_is_brought_up(void **state) {
  static const char *const paths[] = {SOURCE_DIR "/tests/unit/outbox/data/schema-1.sql",
                                      SOURCE_DIR "/tests/unit/outbox/data/schema-2.sql",
                                      SOURCE_DIR "/tests/unit/outbox/data/schema-3.sql",
                                      SOURCE_DIR "/tests/unit/outbox/data/schema-4.sql",
                                      SOURCE_DIR "/tests/unit/outbox/data/schema-6.sql"};
  struct store *store = *state;
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    struct outbox_claim claim;
    struct outbox_event *events;
    size_t count = 0;
    put_old_store(store, paths[i]);
    /* what makes it unreadable when it is over: since schema 3 the salt goes, before its bytes went */
    struct str sealed = select_bytes(store, i >= 2 ? "SELECT payload_salt FROM record WHERE id = 4"
                                                   : "SELECT substr(sealed, -1000, 1000) FROM payload WHERE record = 4");
    assert_true(store_has(store, sealed));
    store_reopen(store);
    assert_int_equal(store_count(store, OUTBOX_QUEUED), 3);
    assert_int_equal(store_count(store, OUTBOX_DONE), 1);
    assert_int_equal(outbox_audit_read(store->outbox, 0, 99, store->arena, &store->diags, &events, &count), STATUS_OK);
    expect_old_rows(store, i + 1);
    for (int n = 0; n < 3; n++) {
      assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
      assert_int_equal(claim.payload.len, claim.id == 4 ? 5000 : 20);
      store_finish(store, claim.id, OUTBOX_DONE, 0);
    }
    store_close(store);
    assert_false(store_has(store, sealed));
    /* fails when there are others */
    store_sql(store, "CREATE TEMP TABLE one(n INTEGER CHECK (n = 3)); INSERT INTO one SELECT count(*) FROM lane");
  }
  store_reopen(store);
}

static void expect_old_place(struct store *store, const char *key, const char *identifier, const char *location) {
  static const char digits[] = "0123456789abcdef";
  struct outbox_place got;
  char digest[65] = {0};
  assert_int_equal(outbox_ledger_get(store->outbox, STR("ehr"), str_of(key), str_of(identifier), store->arena, &got), STATUS_OK);
  assert_true(str_is(got.location, location) && str_is(got.etag, "1"));
  for (int i = 0; i < 64; i++)
    digest[i] = digits[(i + identifier[9] - '0') % 16];
  assert_true(str_is(got.digest, digest));
}

static size_t count_places(struct store *store, size_t budget) {
  struct outbox_retention retention = {0};
  struct outbox_swept swept;
  struct outbox_stats stats;
  for (int i = 0; i < 3; i++)
    assert_int_equal(outbox_sweep(store->outbox, &retention, 0, budget, &swept), STATUS_OK);
  assert_int_equal(outbox_stats(store->outbox, (struct str){0}, &stats), STATUS_OK);
  return stats.ledger;
}

/* Places stood by the identifier alone, and each in a row of its own. They are there, whatever key they were asked for by before, and
   there is one of each when they are written again. */
static void places_of_an_older_version_are_found(void **state) {
  static const char *const paths[] = {SOURCE_DIR "/tests/unit/outbox/data/schema-3.sql",
                                      SOURCE_DIR "/tests/unit/outbox/data/schema-4.sql",
                                      SOURCE_DIR "/tests/unit/outbox/data/schema-6.sql"};
  struct store *store = *state;
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    struct outbox_place place = {.location = STR("Patient/moved"), .etag = STR("2")}, got;
    struct outbox_retention retention = {.done_ms = INT64_C(400) * 365 * 86400000};
    struct outbox_swept swept;
    put_old_store(store, paths[i]);
    store_reopen(store);
    assert_int_equal(count_places(store, 2), 3);
    expect_old_place(store, "S-1/a", "urn:uuid:1", "Patient/1");
    expect_old_place(store, "S-1/a", "urn:uuid:1", "Patient/1");
    assert_int_equal(store_place(store, STR("ehr"), STR("S-1/b"), STR("urn:uuid:2"), &place), STATUS_OK);
    expect_old_place(store, "S-1/a", "urn:uuid:1", "Patient/1");
    outbox_abandon(store->outbox);
    expect_old_place(store, "S-1/b", "urn:uuid:2", "Patient/2");
    assert_int_equal(store_place(store, STR("ehr"), STR("S-1/b"), STR("urn:uuid:2"), &place), STATUS_OK);
    assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
    store_reopen(store);
    assert_int_equal(outbox_ledger_get(store->outbox, STR("ehr"), STR("S-1/b"), STR("urn:uuid:2"), store->arena, &got), STATUS_OK);
    assert_true(str_is(got.location, "Patient/moved") && str_is(got.etag, "2") && got.digest.len == 0);
    assert_int_equal(outbox_ledger_get(store->outbox, STR("ehr"), STR("S-1/d"), STR("urn:uuid:4"), store->arena, &got), STATUS_NOT_FOUND);
    expect_old_place(store, "S-1/c", "urn:uuid:3", "Patient/3");
    assert_int_equal(count_places(store, 2), 3);
    assert_int_equal(outbox_sweep(store->outbox, &retention, store->now + 366 * INT64_C(86400000), 3, &swept), STATUS_OK);
    assert_int_equal(swept.keys, 3);
    assert_int_equal(outbox_sweep(store->outbox, &retention, store->now + 366 * INT64_C(86400000), 3, &swept), STATUS_OK);
    assert_int_equal(swept.keys, 1);
    assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
    store_close(store);
    store_sql(store, "CREATE TEMP TABLE two(n INTEGER CHECK (n = 2)); INSERT INTO two SELECT (SELECT count(*) FROM ledger_old) + (SELECT count(*) FROM ledger)");
  }
  store_reopen(store);
}

/* What stood in the stores of schemas 7 to 12, each with records in every state; record 12 was on its way. */
static const struct older_row {
  enum outbox_state state;
  bool blocks, goes; /* goes: when all is due, before anybody decides */
  const char *reason, *payload;
  unsigned attempts, faults; /* faults: since schema 9 */
} older_rows[] = {
    {OUTBOX_DONE, false, false, "http-200", NULL, 1},
    {OUTBOX_QUEUED, false, true, "http-503", "it waits for another try", 1, 1},
    {OUTBOX_QUEUED, false, true, "", "it waits behind it", 0},
    {OUTBOX_PARKED, true, false, "http-400", "it holds its lane back", 1},
    {OUTBOX_QUEUED, false, false, "", "it is held back", 0},
    {OUTBOX_PARKED, false, false, "http-422", "it lets its lane pass", 1, 1},
    {OUTBOX_UNKNOWN, false, true, "timeout", "no answer came", 1},
    {OUTBOX_DROPPED, false, false, "wrong-patient", NULL, 0},
    {OUTBOX_QUEUED, false, true, "http-503", "the second of its subject", 1},
    {OUTBOX_PARKED, false, false, "older-revision", "the first of its subject", 0},
    {OUTBOX_QUEUED, false, true, "http-503", NULL /* 3000 bytes */, 1},
    {OUTBOX_UNKNOWN, false, true, "interrupted", "it was on its way", 1},
};
enum { OLDER_ROWS = sizeof older_rows / sizeof older_rows[0], OLDER_LONG = 11, OLDER_EVENTS = 22, OLDER_EXPORTED = 5, OLDER_PLACES = 132 };

static void expect_older_rows(struct store *store, size_t schema) {
  for (int i = 0; i < OLDER_ROWS; i++) {
    struct outbox_row row = store_row(store, i + 1);
    const struct older_row *want = &older_rows[i];
    struct str payload;
    assert_int_equal(row.state, want->state);
    assert_int_equal(row.blocks, want->blocks);
    assert_int_equal(row.attempts, want->attempts);
    assert_int_equal(row.faults, schema < 9 ? 0 : want->faults);
    assert_true(str_is(row.reason, want->reason) && row.label.len == 1);
    enum status status = outbox_payload(store->outbox, i + 1, store->arena, &payload);
    assert_int_equal(status, want->state >= OUTBOX_DONE ? STATUS_NOT_FOUND : STATUS_OK);
    if (want->payload) assert_true(str_is(payload, want->payload));
    if (i + 1 == OLDER_LONG) assert_true(payload.len == 3000 && payload.ptr[2999] == 'x');
  }
}

/* The trail goes on from where it was: what was there before, the end of the one that was on its way, "opened". */
static void expect_older_trail(struct store *store) {
  struct outbox_event *events;
  size_t count;
  assert_int_equal(outbox_audit_read(store->outbox, 0, 99, store->arena, &store->diags, &events, &count), STATUS_OK);
  assert_int_equal(count, OLDER_EVENTS - OLDER_EXPORTED + 2);
  assert_int_equal(events[0].number, OLDER_EXPORTED + 1);
  assert_true(str_is(events[count - 2].what, "unknown") && events[count - 2].record == OLDER_ROWS);
  assert_true(str_is(events[count - 1].what, "opened"));
}

static void expect_older_places(struct store *store) {
  struct outbox_place got;
  assert_int_equal(count_places(store, 99), OLDER_PLACES);
  assert_int_equal(outbox_ledger_get(store->outbox, STR("ehr"), STR("S-1/b"), STR("urn:uuid:2"), store->arena, &got), STATUS_OK);
  assert_true(str_is(got.location, "Patient/2") && str_is(got.etag, "3"));
  for (int i = 0; i < OLDER_PLACES - 2; i++) {
    struct str key = arena_printf(store->arena, "S-2/doses/A%d", i), identifier = arena_printf(store->arena, "urn:dose:%d", i);
    assert_int_equal(outbox_ledger_get(store->outbox, STR("ehr"), key, identifier, store->arena, &got), STATUS_OK);
    assert_true(str_eq(got.location, arena_printf(store->arena, "Dose/%d", i)));
    assert_true(str_eq(got.etag, arena_printf(store->arena, "%d", i)));
  }
}

/* Messages that came before, also of what was dropped, and a revision that has been passed. */
static void expect_older_knowledge(struct store *store) {
  struct outbox_item item = {.destination = STR("ehr"), .kind = STR("bundle"), .subject = STR("S-9"), .revision = 6, .payload = STR("x")};
  struct outbox_message message = {.source = STR("clinic"), .items = &item, .item_count = 1};
  enum outbox_answer answer;
  int64_t id = 0;
  for (int i = 0; i < OLDER_ROWS; i++) {
    message.control = store_row(store, i + 1).label;
    message.content = i == 0 ? STR("the first of a store") : i == 7 ? STR("nobody wants it") : str_of(older_rows[i].payload ? older_rows[i].payload : "");
    if (i + 1 == OLDER_LONG) continue;
    assert_int_equal(outbox_accept(store->outbox, &message, store->now, &store->diags, &answer, &id), STATUS_OK);
    assert_int_equal(answer, OUTBOX_AGAIN);
    assert_int_equal(id, i + 1);
  }
  message.control = STR("new");
  assert_int_equal(outbox_accept(store->outbox, &message, store->now, &store->diags, &answer, &id), STATUS_OK);
  assert_true(answer == OUTBOX_ACCEPTED && id == OLDER_ROWS + 1);
  assert_true(str_is(store_row(store, id).reason, OUTBOX_OLDER));
  outbox_abandon(store->outbox);
}

/* What may go does, what is held back goes when somebody has decided. */
static void deliver_older(struct store *store) {
  struct outbox_claim claim;
  bool gone[OLDER_ROWS + 1] = {false};
  while (store_claim(store, "ehr", &claim) == STATUS_OK) {
    assert_in_range(claim.id, 1, OLDER_ROWS);
    assert_int_equal(claim.unknown, older_rows[claim.id - 1].state == OUTBOX_UNKNOWN);
    assert_true(claim.id != 3 || gone[2]);
    gone[claim.id] = true;
    store_finish(store, claim.id, OUTBOX_DONE, 0);
  }
  for (int i = 0; i < OLDER_ROWS; i++)
    assert_int_equal(gone[i + 1], older_rows[i].goes);
  for (int id = 4; id <= 5; id++) {
    if (id == 4) assert_int_equal(outbox_decide(store->outbox, 4, OUTBOX_RETRY, STR(""), STR("ada"), store->now), STATUS_OK);
    assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
    assert_int_equal(claim.id, id);
    store_finish(store, id, OUTBOX_DONE, 0);
  }
  assert_int_equal(store_claim(store, "ehr", &claim), STATUS_NOT_FOUND);
}

static void all_of_a_store_of_the_last_versions_is_brought_up(void **state) {
  static const char *const paths[] = {SOURCE_DIR "/tests/unit/outbox/data/schema-7.sql", SOURCE_DIR "/tests/unit/outbox/data/schema-8.sql",
                                      SOURCE_DIR "/tests/unit/outbox/data/schema-9.sql", SOURCE_DIR "/tests/unit/outbox/data/schema-10.sql",
                                      SOURCE_DIR "/tests/unit/outbox/data/schema-11.sql", SOURCE_DIR "/tests/unit/outbox/data/schema-12.sql",
                                      SOURCE_DIR "/tests/unit/outbox/data/schema-13.sql"};
  struct store *store = *state;
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    put_old_store(store, paths[i]);
    store_reopen(store);
    expect_older_rows(store, i + 7);
    expect_older_trail(store);
    expect_older_places(store);
    expect_older_knowledge(store);
    deliver_older(store);
  }
}

/* What was in the way is said, and nothing is changed: the older version goes on with it. */
static void a_store_that_cannot_be_brought_up_stays_as_it_was(void **state) {
  struct store *store = *state;
  put_old_store(store, SOURCE_DIR "/tests/unit/outbox/data/schema-8.sql");
  store_sql(store, "CREATE TABLE dedupe_new(of TEXT)");
  assert_int_equal(store_try(store), STATUS_IO);
  assert_true(store_said(store, "dedupe_new already exists"));
  /* fails when a step has been taken */
  store_sql(store, "CREATE TEMP TABLE eight(n INTEGER CHECK (n = 8)); INSERT INTO eight SELECT user_version FROM pragma_user_version;"
                   "CREATE TEMP TABLE none(n INTEGER CHECK (n = 0)); INSERT INTO none SELECT count(*) FROM pragma_table_info('record') WHERE name = 'faults'");
  store_sql(store, "DROP TABLE dedupe_new");
  store_reopen(store);
  expect_older_rows(store, 8);
}

/* Of so many SQLite would sort an index in 7.3 MiB, and more for more, in place of 5.8: its log alone takes some bytes a row. */
static void a_large_store_of_an_older_version_is_brought_up_in_little_memory(void **state) {
  enum { MOST = 13 << 19 };
  struct store *store = *state;
  put_old_store(store, SOURCE_DIR "/tests/unit/outbox/data/schema-1.sql");
  store_sql(store, "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) INSERT INTO record SELECT i, "
                   "destination, i * 7919 % 100000, state, open, blocks, kind, label, reason, attempts, bytes, data_key, salt, due, "
                   "accepted, changed FROM n, record r WHERE r.id = 2");
  (void)sqlite3_memory_highwater(1);
  store_reopen(store);
  assert_in_range(sqlite3_memory_highwater(0), 1 << 20, MOST);
  assert_int_equal(store_count(store, OUTBOX_QUEUED), 3 + 100000 - 9);
}

/* The trees of where families, lanes and subjects are, are made of what was there, in its order: 4.9 MiB, sorted 7. */
static void many_rows_of_an_older_version_are_brought_up_in_little_memory(void **state) {
  enum { MOST = 11 << 19 };
  struct store *store = *state;
  put_old_store(store, SOURCE_DIR "/tests/unit/outbox/data/schema-11.sql");
  store_sql(store, "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 100099) INSERT INTO family SELECT i, 1, "
                   "randomblob(16), 1, 1, X'00' FROM n");
  store_sql(store, "INSERT INTO lane SELECT id, 1, mark, NULL, 0, 0 FROM family WHERE id >= 100; "
                   "INSERT INTO revision SELECT 1, mark, id FROM family WHERE id >= 100");
  (void)sqlite3_memory_highwater(1);
  store_reopen(store);
  assert_in_range(sqlite3_memory_highwater(0), 1 << 20, MOST);
  struct outbox_place got;
  assert_int_equal(outbox_ledger_get(store->outbox, STR("ehr"), STR("S-1/b"), STR("urn:uuid:2"), store->arena, &got), STATUS_OK);
  store_close(store);
  store_sql(store, "CREATE TEMP TABLE many(n INTEGER CHECK (n = 100018)); INSERT INTO many SELECT count(*) FROM family_at NATURAL JOIN family;"
                   "CREATE TEMP TABLE lanes(n INTEGER CHECK (n = 100007)); INSERT INTO lanes SELECT count(*) FROM lane_at NATURAL JOIN lane WHERE mark IS NOT NULL;"
                   "CREATE TEMP TABLE subjects(n INTEGER CHECK (n = 100002)); INSERT INTO subjects SELECT count(*) FROM subject_at NATURAL JOIN subject");
  store_reopen(store);
}

/* Its bytes may lie in a page that is not needed any more; the salt of its key is nowhere. */
static void a_payload_that_is_over_is_read_by_nobody(void **state) {
  static const char *const salt_of[] = {"SELECT payload_salt FROM record WHERE id = 1",
                                        "SELECT payload_salt FROM record WHERE id = 2"};
  struct store *store = *state;
  int64_t ids[] = {store_put(store, "ehr", "p", "delivered"), store_put(store, "ehr", "q", "dropped")};
  struct outbox_claim claim;
  struct str salts[2];
  store_close(store);
  for (size_t i = 0; i < 2; i++) {
    salts[i] = select_bytes(store, salt_of[i]);
    assert_int_equal(salts[i].len, 16);
    assert_true(store_has(store, salts[i]));
  }
  assert_false(str_eq(salts[0], salts[1]));
  store_reopen(store);
  assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
  assert_int_equal(claim.id, ids[0]);
  store_finish(store, ids[0], OUTBOX_DONE, 0);
  assert_int_equal(outbox_decide(store->outbox, ids[1], OUTBOX_DROP, STR("test"), STR("somebody"), store->now), STATUS_OK);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  store_close(store);
  for (size_t i = 0; i < 2; i++) {
    assert_false(store_has(store, salts[i]));
    assert_int_equal(select_bytes(store, salt_of[i]).len, 0);
  }
  store_reopen(store);
}

static void an_older_copy_is_refused_until_accepted(void **state) {
  struct store *store = *state;
  char command[256];
  store->params.marker = store_path(store, "marker");
  store_reopen(store);
  store_put(store, "ehr", "p", "a1");
  store_close(store);
  snprintf(command, sizeof command, "cp %s/outbox.db %s/copy", store->folder, store->folder);
  assert_int_equal(system(command), 0);
  store_reopen(store);
  store_reopen(store);
  store_close(store);
  snprintf(command, sizeof command, "cp %s/copy %s/outbox.db; rm -f %s/outbox.db-wal", store->folder,
           store->folder, store->folder);
  assert_int_equal(system(command), 0);
  assert_int_equal(store_try(store), STATUS_CONFLICT);
  assert_true(store_said(store, "older copy"));
  store->params.accept_restored = true;
  store_reopen(store);
  assert_int_equal(store_count(store, OUTBOX_QUEUED), 1);
}

/* --- keys --- */

static void a_wrong_key_is_refused(void **state) {
  struct store *store = *state;
  store_put(store, "ehr", "p", "a1");
  store_close(store);
  store->keys.keys[0][31] ^= 1;
  assert_int_equal(store_try(store), STATUS_CONFIG);
  assert_true(store_said(store, "does not open this store"));
  store->keys.keys[0][31] ^= 1;
  store->keys.ids[0] = 2;
  assert_int_equal(store_try(store), STATUS_CONFIG);
}

static void a_rotated_key_takes_over(void **state) {
  struct store *store = *state;
  struct str payload, text;
  struct outbox_keys keys;
  struct outbox_event *events;
  size_t count;
  int64_t id = store_put(store, "ehr", "p", "a1");
  const char *path = store_path(store, "store.key");
  assert_int_equal(outbox_keys_rotate(&store->keys, host_system(), store->arena, &text), STATUS_OK);
  put_file(path, text.ptr, 0600);
  assert_int_equal(outbox_keys_read(path, store->arena, &store->diags, &keys), STATUS_OK);
  assert_int_equal(keys.count, 2);
  store->keys = keys;
  store_reopen(store);
  assert_int_equal(outbox_audit_read(store->outbox, 2, 1, store->arena, &store->diags, &events, &count), STATUS_OK);
  assert_true(str_is(events[0].what, "key-rotated") && str_is(events[0].reason, "store-key-2"));
  store->keys.count = 1; /* the new one alone */
  memcpy(store->keys.keys[0], keys.keys[1], OUTBOX_KEY_BYTES);
  store->keys.ids[0] = keys.ids[1];
  store_reopen(store);
  assert_int_equal(outbox_payload(store->outbox, id, store->arena, &payload), STATUS_OK);
  assert_true(str_is(payload, "a1"));
  store->keys.ids[0] = 1; /* the old one no more */
  memset(store->keys.keys[0], 7, OUTBOX_KEY_BYTES);
  assert_int_equal(store_try(store), STATUS_CONFIG);
}

static void key_files_are_checked(void **state) {
#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
  static const struct {
    const char *text;
    mode_t mode;
    const char *said; /* NULL: read */
  } cases[] = {
      {"# made in March\n1 " KEY "\n", 0600, NULL},
      {"1 " KEY "\n2 " KEY, 0400, NULL},
      {"1 " KEY "\n", 0640, "chmod 600"},
      {"1 " KEY "\n", 0604, "chmod 600"},
      {"", 0600, "is empty"},
      {"# nothing\n", 0600, "has no store key"},
      {"0 " KEY "\n", 0600, "64 hexadecimal digits"},
      {"1 " KEY "00\n", 0600, "64 hexadecimal digits"},
      {"1 00\n", 0600, "64 hexadecimal digits"},
      {"1 " KEY "\n1 " KEY "\n", 0600, "64 hexadecimal digits"},
      {KEY "\n", 0600, "64 hexadecimal digits"},
  };
  struct store *store = *state;
  const char *path = store_path(store, "some.key");
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct outbox_keys keys;
    diag_list_init(&store->diags, store->arena);
    put_file(path, cases[i].text, cases[i].mode);
    enum status status = outbox_keys_read(path, store->arena, &store->diags, &keys);
    assert_int_equal(status, cases[i].said ? STATUS_CONFIG : STATUS_OK);
    if (cases[i].said) assert_true(store_said(store, cases[i].said));
  }
  assert_int_equal(unlink(path), 0);
  struct outbox_keys keys;
  assert_int_equal(outbox_keys_read(path, store->arena, &store->diags, &keys), STATUS_CONFIG);
  assert_int_equal(symlink("/dev/null", path), 0);
  assert_int_equal(outbox_keys_read(path, store->arena, &store->diags, &keys), STATUS_CONFIG);
}

static void key_files_have_a_cap(void **state) {
  struct store *store = *state;
  struct outbox_keys keys = {0};
  struct str text = {0};
  const char *path = store_path(store, "some.key");
  for (size_t i = 0; i < OUTBOX_KEYS_MAX; i++) {
    assert_int_equal(outbox_keys_rotate(&keys, host_system(), store->arena, &text), STATUS_OK);
    put_file(path, text.ptr, 0600);
    assert_int_equal(outbox_keys_read(path, store->arena, &store->diags, &keys), STATUS_OK);
  }
  assert_int_equal(keys.count, OUTBOX_KEYS_MAX);
  assert_int_equal(keys.ids[0], 1);
  struct str none = {0}; /* one more than may be: the store may still be wrapped by the oldest */
  assert_int_equal(outbox_keys_rotate(&keys, host_system(), store->arena, &none), STATUS_LIMIT);
  assert_null(none.ptr);
  put_file(path, arena_printf(store->arena, "100 " KEY "\n%.*s", STR_ARG(text)).ptr, 0600);
  assert_int_equal(outbox_keys_read(path, store->arena, &store->diags, &keys), STATUS_CONFIG);
}

/* --- what is in the files --- */

static bool file_has(const char *path, const char *text) {
  struct str content;
  if (file_map(path, &content) != STATUS_OK) return false;
  bool found = content.len && str_find(content, str_of(text), 0) != SIZE_MAX;
  file_unmap(content);
  return found;
}

static void nothing_of_a_patient_is_in_the_files(void **state) {
  static const char *const files[] = {"outbox.db", "outbox.db-wal"};
  struct store *store = *state;
  struct outbox_place place = {.location = STR("Patient/CANARY-place")};
  struct outbox_claim claim;
  store_put(store, "plain-destination", "CANARY-lane", "CANARY-payload");
  assert_int_equal(store_place(store, STR("ehr"), STR("CANARY-key-1"), STR("CANARY-identifier"), &place),
                   STATUS_OK);
  assert_int_equal(store_claim(store, "plain-destination", &claim), STATUS_OK);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  assert_true(file_has(store_path(store, files[1]), "plain-destination")); /* the scan finds what is there */
  for (size_t i = 0; i < 2; i++)
    assert_false(file_has(store_path(store, files[i]), "CANARY"));
  assert_int_equal(outbox_idle(store->outbox), STATUS_OK);
  assert_true(file_has(store_path(store, files[0]), "plain-destination"));
  assert_false(file_has(store_path(store, files[0]), "CANARY"));
}

static void damaged_and_swapped_records_are_parked(void **state) {
  static const char *const changes[] = {
      "UPDATE payload SET sealed = CAST(iif(substr(sealed, 1, 1) = X'00', X'01', X'00') || substr(sealed, 2) AS BLOB) WHERE record = 1",
      "UPDATE payload SET sealed = (SELECT sealed FROM payload WHERE record = 3) WHERE record = 1",
      "UPDATE payload SET sealed = X'' WHERE record = 1",
      "DELETE FROM payload WHERE record = 1",
      "UPDATE record SET label = zeroblob(40) WHERE id = 1",
      "UPDATE record SET salt = zeroblob(32) WHERE id = 1",
      "UPDATE record SET data_key = 9 WHERE id = 1",
      "UPDATE record SET lane = 2, id = 1 WHERE id = 1"};
  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
    void *fresh = NULL;
    struct outbox_claim claim;
    assert_int_equal(store_setup(&fresh), 0);
    struct store *store = fresh;
    store_put(store, "ehr", "p1", "a1");
    store_put(store, "ehr", "p2", "b1");
    store_put(store, "ehr", "p1", "a2");
    store_close(store);
    store_sql(store, changes[i]);
    store_reopen(store);
    assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
    assert_true(str_is(claim.payload, "b1")); /* the others flow */
    assert_true(claim.set_aside == 1 && claim.set_aside_id == 1 && strcmp(claim.set_aside_why, "damaged") == 0);
    struct outbox_row row = store_row(store, 1);
    assert_int_equal(row.state, OUTBOX_PARKED);
    assert_true(str_is(row.reason, "damaged"));
    assert_int_equal(store_teardown(&fresh), 0);
  }
  (void)state;
}

/* How long a payload is stands in the clear: another length than it was sealed with opens nothing, and takes no more memory than a payload may. */
static void a_payload_of_another_length_is_damaged(void **state) {
  static const char *const changes[] = {"UPDATE record SET bytes = bytes - 1", "UPDATE record SET bytes = bytes + 1",
                                        "UPDATE record SET bytes = 0", "UPDATE record SET bytes = -1",
                                        "UPDATE record SET bytes = (SELECT length(sealed) - 28 FROM payload)",
                                        "UPDATE record SET bytes = 67108864", "UPDATE record SET bytes = 67108865",
                                        "UPDATE record SET bytes = 9223372036854775807"};
  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
    void *fresh = NULL;
    struct outbox_claim claim;
    assert_int_equal(store_setup(&fresh), 0);
    struct store *store = fresh;
    enum outbox_answer answer;
    struct str text = arena_printf(store->arena, "%0*d", 4096, 7);
    struct outbox_item item = {.destination = STR("ehr"), .kind = STR("bundle"), .payload = text};
    struct outbox_message message = {.source = STR("t"), .content = text, .items = &item, .item_count = 1};
    assert_int_equal(outbox_accept(store->outbox, &message, ++store->now, &store->diags, &answer, NULL), STATUS_OK);
    assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
    store_close(store);
    store_sql(store, changes[i]);
    store_reopen(store);
    assert_int_equal(store_claim(store, "ehr", &claim), STATUS_NOT_FOUND);
    assert_int_equal(claim.set_aside, 1);
    assert_int_equal(store_row(store, 1).state, OUTBOX_PARKED);
    assert_int_equal(store_teardown(&fresh), 0);
  }
  (void)state;
}

static void what_was_on_its_way_is_unknown(void **state) {
  struct store *store = *state;
  struct outbox_claim claim;
  store_put(store, "ehr", "p", "a1");
  store_put(store, "ehr", "p", "a2");
  assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
  store_reopen(store);
  assert_int_equal(store_row(store, claim.id).state, OUTBOX_UNKNOWN);
  store->now = host_system()->now_ms(NULL) + 1;
  assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
  assert_true(claim.unknown && str_is(claim.payload, "a1"));
}

/* As the relay does it, all of it at once. */
static enum status copy_store(struct store *store, const char *path) {
  struct outbox_backup *backup = NULL;
  enum status status = outbox_backup_begin(store->outbox, path, &store->diags, &backup);
  if (status != STATUS_OK) return status;
  while ((status = outbox_backup_step(backup, 1, &store->diags)) == STATUS_RETRY)
    sched_yield();
  outbox_backup_end(backup);
  return status;
}

/* Of bytes that nothing makes shorter. */
static void put_large(struct store *store, int count) {
  enum { LARGE = 1 << 20 };
  uint32_t number = 1;
  char *large = malloc(LARGE);
  assert_non_null(large);
  for (size_t i = 0; i < LARGE; i++)
    large[i] = (char)((number = number * 1664525 + 1013904223) >> 24);
  for (int i = 0; i < count; i++) {
    struct outbox_item item = {
        .destination = STR("ehr"), .kind = STR("bundle"), .payload = str_make(large, LARGE)};
    struct outbox_message message = {.source = STR("test"),
                                     .content = arena_printf(store->arena, "%d", i),
                                     .items = &item,
                                     .item_count = 1};
    enum outbox_answer answer;
    assert_int_equal(outbox_accept(store->outbox, &message, ++store->now, &store->diags, &answer, NULL), STATUS_OK);
    assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  }
  free(large);
}

static void put_in_place(struct store *store, const char *copy) {
  store_close(store);
  assert_int_equal(rename(copy, store_path(store, "outbox.db")), 0);
  store->params.accept_restored = true;
  store_reopen(store);
}

/* Pages that were copied long ago, and pages that were not, are changed while it is made; a group is given up. */
static void a_copy_has_what_was_changed_while_it_was_made(void **state) {
  enum { MANY = 8, BEFORE = 30 };
  struct store *store = *state;
  struct outbox_backup *backup = NULL;
  struct outbox_claim claim;
  const char *path = store_path(store, "copy");
  enum status status = STATUS_RETRY;
  int steps = 0, done = 0;
  for (int i = 0; i < BEFORE; i++)
    store_put(store, "ehr", "", arena_printf(store->arena, "before %d", i).ptr);
  put_large(store, MANY);
  assert_int_equal(outbox_backup_begin(store->outbox, path, &store->diags, &backup), STATUS_OK);
  for (; status == STATUS_RETRY; steps++) {
    if (steps < BEFORE) {
      assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
      store_finish(store, claim.id, OUTBOX_DONE, 0);
      done++;
      store_put(store, "ehr", "", arena_printf(store->arena, "meanwhile %d", steps).ptr);
    }
    if (steps == 3) {
      assert_int_equal(outbox_audit(store->outbox, STR("x"), STR(""), STR(""), 1), STATUS_OK);
      assert_int_equal(outbox_backup_step(backup, 0, &store->diags), STATUS_RETRY); /* while the group is open */
      outbox_abandon(store->outbox);
    }
    status = outbox_backup_step(backup, 0, &store->diags);
    if (steps >= BEFORE) sched_yield();
  }
  outbox_backup_end(backup);
  assert_int_equal(status, STATUS_OK);
  assert_true(steps > BEFORE);
  put_in_place(store, path);
  assert_int_equal(store_count(store, OUTBOX_DONE), done);
  assert_int_equal(store_count(store, OUTBOX_QUEUED), MANY + BEFORE);
  while (store_claim(store, "ehr", &claim) == STATUS_OK)
    assert_true(claim.payload.len);
  assert_int_equal(store_count(store, OUTBOX_PARKED), 0); /* none is damaged */
}

static void a_copy_that_is_given_up_leaves_nothing(void **state) {
  struct store *store = *state;
  const char *path = store_path(store, "copy");
  put_large(store, 3);
  for (int steps = 0; steps < 12; steps++) {
    struct outbox_backup *backup = NULL;
    enum status status = STATUS_RETRY;
    assert_int_equal(outbox_backup_begin(store->outbox, path, &store->diags, &backup), STATUS_OK);
    for (int i = 0; i < steps && status == STATUS_RETRY; i++)
      status = outbox_backup_step(backup, 0, &store->diags);
    outbox_backup_end(backup);
    assert_int_equal(access(path, F_OK) == 0, status == STATUS_OK);
    (void)unlink(path);
  }
}

/* Whatever there is no memory for: it is made, or it is not, and nobody is told to put yesterday's in its place. */
static void a_copy_without_memory_is_not_damaged(void **state) {
  enum { STEP = 1 << 10, MOST = 4 << 20 };
  struct store *store = *state;
  const char *path = store_path(store, "copy");
  enum status status = STATUS_IO;
  for (int i = 0; i < 100; i++)
    store_put(store, "ehr", "", arena_printf(store->arena, "record %d", i).ptr);
  for (int64_t more = 0; status != STATUS_OK && more < MOST; more += STEP) {
    (void)sqlite3_hard_heap_limit64(sqlite3_memory_used() + more + 1);
    status = copy_store(store, path);
    (void)sqlite3_hard_heap_limit64(0);
    (void)sqlite3_soft_heap_limit64(0);
    assert_int_not_equal(status, STATUS_INVALID);
    (void)unlink(path);
  }
  assert_int_equal(status, STATUS_OK);
}

static void a_copy_is_whole_and_writes_over_nothing(void **state) {
  struct store *store = *state;
  const char *path = store_path(store, "copy");
  store_put(store, "ehr", "p", "a1");
  assert_int_equal(copy_store(store, path), STATUS_OK);
  assert_int_equal(copy_store(store, path), STATUS_CONFLICT);
  store_close(store);
  assert_int_equal(rename(path, store_path(store, "outbox.db")), 0);
  /* nobody compared it with the destination yet, and there is no marker */
  store->params.marker = NULL;
  assert_int_equal(outbox_open(&store->params, &store->diags, &store->outbox), STATUS_CONFLICT);
  store->params.accept_restored = true;
  store_reopen(store);
  assert_int_equal(store_count(store, OUTBOX_QUEUED), 1);
  store->params.accept_restored = false; /* it is the store from now on */
  store_reopen(store);
  assert_int_equal(store_count(store, OUTBOX_QUEUED), 1);
}

/* As a crash leaves it: SQLite would write its pages over those of the copy, and the store would look like a later one. */
static void a_copy_beside_the_log_of_another_is_refused(void **state) {
  struct store *store = *state;
  const char *path = store_path(store, "copy"), *log = store_path(store, "outbox.db-wal");
  store_put(store, "ehr", "p", "a1");
  assert_int_equal(copy_store(store, path), STATUS_OK);
  store_close(store);
  assert_int_equal(rename(path, store_path(store, "outbox.db")), 0);
  put_file(log, "frames of the store that was here", 0600);
  store->params.accept_restored = true;
  assert_int_equal(outbox_open(&store->params, &store->diags, &store->outbox), STATUS_CONFLICT);
  assert_int_equal(unlink(log), 0);
  store_reopen(store);
  assert_int_equal(store_count(store, OUTBOX_QUEUED), 1);
}

/* Neither that of this version nor one of an older version, which is brought up. */
static void a_copy_that_a_wrong_key_does_not_open_is_a_copy_still(void **state) {
  struct store *store = *state;
  const char *path = store_path(store, "copy");
  for (int old = 0; old <= 1; old++) {
    if (old) {
      put_old_store(store, SOURCE_DIR "/tests/unit/outbox/data/schema-6.sql");
      store_sql(store, "PRAGMA application_id = 0x4B4C4F43");
    } else {
      assert_int_equal(copy_store(store, path), STATUS_OK);
      store_close(store);
      assert_int_equal(rename(path, store_path(store, "outbox.db")), 0);
    }
    store->params.accept_restored = true;
    store->keys.keys[0][31] ^= 1;
    assert_int_equal(store_try(store), STATUS_CONFIG);
    store->keys.keys[0][31] ^= 1;
    store->params.accept_restored = false;
    assert_int_equal(store_try(store), STATUS_CONFLICT);
    store->params.accept_restored = true;
    store_reopen(store);
    store->params.accept_restored = false;
    store_reopen(store);
  }
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)
  const struct CMUnitTest tests[] = {
      CASE(a_second_one_is_refused),
      CASE(what_keeps_it_from_opening_is_seen_from_outside),
      CASE(what_waits_is_seen_from_outside),
      CASE(a_store_at_work_is_no_fault),
      CASE(its_files_are_its_owners_alone),
      CASE(an_open_folder_is_refused),
      CASE(other_databases_are_refused),
      CASE(a_store_of_an_older_version_is_brought_up),
      CASE(places_of_an_older_version_are_found),
      CASE(all_of_a_store_of_the_last_versions_is_brought_up),
      CASE(a_store_that_cannot_be_brought_up_stays_as_it_was),
      CASE(a_large_store_of_an_older_version_is_brought_up_in_little_memory),
      CASE(many_rows_of_an_older_version_are_brought_up_in_little_memory),
      CASE(a_payload_that_is_over_is_read_by_nobody),
      CASE(an_older_copy_is_refused_until_accepted),
      CASE(a_wrong_key_is_refused),
      CASE(a_rotated_key_takes_over),
      CASE(key_files_are_checked),
      CASE(key_files_have_a_cap),
      CASE(nothing_of_a_patient_is_in_the_files),
      CASE(damaged_and_swapped_records_are_parked),
      CASE(a_payload_of_another_length_is_damaged),
      CASE(what_was_on_its_way_is_unknown),
      CASE(a_copy_is_whole_and_writes_over_nothing),
      CASE(a_copy_has_what_was_changed_while_it_was_made),
      CASE(a_copy_that_is_given_up_leaves_nothing),
      CASE(a_copy_without_memory_is_not_damaged),
      CASE(a_copy_beside_the_log_of_another_is_refused),
      CASE(a_copy_that_a_wrong_key_does_not_open_is_a_copy_still),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
