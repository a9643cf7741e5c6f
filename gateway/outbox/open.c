/* open.c - the store is opened: lock, settings read back, schema, keys, what an earlier process left. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "outbox/internal.h"

static const char *const sql[STATEMENT_COUNT] = {
#define TEXT(number) #number
#define TEXT_OF(number) TEXT(number)
#define OPEN(which) "open = " TEXT_OF(OUTBOX_OPEN_##which)
#define S(name, text) text,
#include "outbox/statements.def"
#undef S
#undef OPEN
#undef TEXT_OF
#undef TEXT
};

/* --- settings, each read back: SQLite ignores what it does not know --- */

static const struct setting {
  const char *set;  /* whose first row must be `want` */
  const char *want; /* NULL: whatever */
} settings[] = {
    {"PRAGMA locking_mode = EXCLUSIVE",
     "exclusive"}, /* before the first access: no shared memory, no second process */
    {"PRAGMA journal_mode = WAL", "wal"},
    {"PRAGMA synchronous = " OUTBOX_SYNCHRONOUS, NULL},
    {"PRAGMA synchronous", OUTBOX_SYNCHRONOUS},
    {"PRAGMA wal_autocheckpoint = 0", "0"},
    {"PRAGMA foreign_keys = ON", NULL},
    {"PRAGMA foreign_keys", "1"},
    {"PRAGMA trusted_schema = OFF", NULL},
    {"PRAGMA trusted_schema", "0"},
    {"PRAGMA cell_size_check = ON", NULL},
    {"PRAGMA mmap_size = 0", NULL},
    {"PRAGMA temp_store = MEMORY", NULL},
    /* zeros over what is deleted, but not in pages that are not needed any more, which are not written for it: half of what a
       delivery wrote. There lie payloads, whose salts are gone (outbox_payload_drop) */
    {"PRAGMA secure_delete = FAST", "2"},
    {"PRAGMA cache_size = -3072", NULL},
};

static enum status apply(struct outbox *outbox, const struct setting *setting) {
  sqlite3_stmt *statement = NULL;
  int result = sqlite3_prepare_v2(outbox->db, setting->set, -1, &statement, NULL);
  if (result == SQLITE_OK) result = sqlite3_step(statement);
  bool as_wanted =
      !setting->want || (result == SQLITE_ROW && str_is(outbox_column_str(statement, 0), setting->want));
  sqlite3_finalize(statement);
  if (result == SQLITE_BUSY) return STATUS_CONFLICT;
  if (result != SQLITE_ROW && result != SQLITE_DONE) return outbox_status_of(outbox, result);
  return as_wanted ? STATUS_OK : STATUS_IO;
}

static enum status configure(struct outbox *outbox, struct diag_list *diags) {
  enum status status = STATUS_OK;
  sqlite3_db_config(outbox->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config(outbox->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
  sqlite3_limit(outbox->db, SQLITE_LIMIT_LENGTH, LIMIT_OUTBOX_PAYLOAD + SEAL_OVERHEAD + 4096);
  sqlite3_limit(outbox->db, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_extended_result_codes(outbox->db, 1);
  for (size_t i = 0; status == STATUS_OK && i < sizeof settings / sizeof settings[0]; i++)
    status = apply(outbox, &settings[i]);
  if (status == STATUS_CONFLICT) outbox_refuse(diags, outbox->path, "another program has the store open");
  if (status == STATUS_IO)
    outbox_refuse(diags, outbox->path, "the store cannot be opened as it must be: %s",
                  sqlite3_errmsg(outbox->db));
  return status;
}

static int note_log(void *context, sqlite3 *db, const char *name, int pages) {
  struct outbox *outbox = context;
  (void)db;
  (void)name;
  outbox->log_pages = (size_t)pages;
  outbox->log_empty = false;
  return SQLITE_OK;
}

static enum status open_database(struct outbox *outbox, struct diag_list *diags) {
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX;
  /* a record takes and gives back some two hundred pieces of memory: each time SQLite would count it under a lock of the process. Refused
     where it is at work already, as in a test that wants the count */
  (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  enum status status = outbox_gather_open(outbox);
  if (status != STATUS_OK) return status;
  if (sqlite3_open_v2(outbox->path, &outbox->db, flags, outbox->vfs.zName) != SQLITE_OK) {
    outbox_refuse(diags, outbox->path, "the store cannot be opened: %s", sqlite3_errmsg(outbox->db));
    return STATUS_IO;
  }
  status = configure(outbox, diags);
  /* after the settings: "wal_autocheckpoint = 0" takes every hook away */
  if (status == STATUS_OK) sqlite3_wal_hook(outbox->db, note_log, outbox);
  return status;
}

enum status outbox_prepare(struct outbox *outbox, enum outbox_statement which) {
  return outbox_status_of(
      outbox, sqlite3_prepare_v3(outbox->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, &outbox->statements[which], NULL));
}

static enum status prepare(struct outbox *outbox) {
  enum status status = STATUS_OK;
  for (size_t i = 0; status == STATUS_OK && i < STATEMENT_COUNT; i++)
    status = outbox_prepare(outbox, (enum outbox_statement)i);
  return status;
}

/* A broken small store is found at once; a large one by its records' tags, and by the check of its copies:
   the start must not take minutes. */
enum { CHECK_AT_START_BYTES = 32 << 20 };

enum status outbox_quick_check(struct outbox *outbox, struct diag_list *diags) {
  sqlite3_stmt *check = NULL;
  enum status status = STATUS_OK;
  int64_t pages = 0;
  if (sqlite3_prepare_v2(outbox->db, "PRAGMA page_count", -1, &check, NULL) == SQLITE_OK &&
      sqlite3_step(check) == SQLITE_ROW)
    pages = sqlite3_column_int64(check, 0);
  sqlite3_finalize(check);
  if (pages * 4096 > CHECK_AT_START_BYTES) return STATUS_OK;
  if (sqlite3_prepare_v2(outbox->db, "PRAGMA quick_check(1)", -1, &check, NULL) != SQLITE_OK ||
      sqlite3_step(check) != SQLITE_ROW || !str_is(outbox_column_str(check, 0), "ok"))
    status = STATUS_IO;
  sqlite3_finalize(check);
  if (status != STATUS_OK)
    outbox_refuse(diags, outbox->path, "the store is damaged: keep a copy of it, and start from a backup");
  return status;
}

/* --- generation --- */

/* 0 when there is no marker yet. */
static enum status read_marker(struct outbox *outbox, const char *path, int64_t *out) {
  struct str text;
  *out = 0;
  enum status status = outbox->host->read_file(outbox->host->context, path, 64, outbox->arena, &text);
  if (status == STATUS_NOT_FOUND) return STATUS_OK;
  if (status == STATUS_OK && !str_to_int64(str_trim(text), out)) status = STATUS_CONFIG;
  return status;
}

static enum status next_generation(struct outbox *outbox) {
  sqlite3_stmt *opened = outbox_statement(outbox, STATEMENT_STORE_OPENED);
  enum status status = outbox_row_step(outbox, opened);
  if (status == STATUS_OK) outbox->generation = sqlite3_column_int64(opened, 0);
  return status == STATUS_OK ? outbox_run(outbox, opened) : status;
}

enum status outbox_check_generation(struct outbox *outbox, const struct outbox_params *params, struct diag_list *diags) {
  int64_t marked = 0;
  if (!params->marker) return STATUS_OK;
  enum status status = read_marker(outbox, params->marker, &marked);
  if (status != STATUS_OK) outbox_refuse(diags, params->marker, "the marker of the store cannot be read");
  if (status != STATUS_OK || marked <= outbox->generation || params->accept_restored) return status;
  outbox_refuse(
      diags, outbox->path,
      "the store is an older copy (opened %lld times, the marker says %lld): what it holds as queued may be "
      "delivered already. Compare with the destination, then take it once: ketlink relay --accept-restored",
      (long long)outbox->generation, (long long)marked);
  return STATUS_CONFLICT;
}

static enum status write_marker(struct outbox *outbox, const char *path, struct diag_list *diags) {
  if (!path) return STATUS_OK;
  struct str text = arena_printf(outbox->arena, "%lld\n", (long long)outbox->generation);
  enum status status = text.ptr ? outbox->host->write_file(outbox->host->context, path, text, true) : STATUS_NOMEM;
  if (status != STATUS_OK)
    outbox_refuse(diags, path, "the marker of the store cannot be written: is its folder there, can the relay's user write in it?");
  return status == STATUS_NOT_FOUND ? STATUS_CONFIG : status;
}

/* --- what an earlier process left --- */

enum status outbox_read_store(struct outbox *outbox) {
  sqlite3_stmt *get = outbox_statement(outbox, STATEMENT_STORE_GET);
  enum status status = outbox_row_step(outbox, get);
  if (status == STATUS_OK) {
    struct str id = outbox_column_str(get, 0);
    if (id.len == STORE_ID_BYTES) memcpy(outbox->store_id, id.ptr, STORE_ID_BYTES);
    outbox->generation = sqlite3_column_int64(get, 1);
  }
  sqlite3_reset(get);
  return status == STATUS_OK ? status : STATUS_IO;
}

static enum status read_clock(struct outbox *outbox) {
  sqlite3_stmt *get = outbox_statement(outbox, STATEMENT_STORE_CLOCK);
  enum status status = outbox_row_step(outbox, get);
  if (status == STATUS_OK) outbox->now.clock = sqlite3_column_int64(get, 0);
  sqlite3_reset(get);
  return status;
}

static enum status read_last(struct outbox *outbox) {
  sqlite3_stmt *last = outbox_statement(outbox, STATEMENT_RECORD_LAST);
  enum status status = outbox_row_step(outbox, last);
  if (status == STATUS_OK) outbox->now.next_id = sqlite3_column_int64(last, 0) + 1;
  sqlite3_reset(last);
  return status;
}

/* Bytes of it may have left before that process ended. */
static enum status interrupted(struct outbox *outbox, int64_t id, int64_t now) {
  struct outbox_stored stored = {0};
  struct outbox_change change = {
      .state = OUTBOX_UNKNOWN, .reason = STR("interrupted"), .attempts = 1, .due = now, .now = now};
  struct outbox_event event = {.at = now, .record = id, .what = STR("unknown"), .reason = change.reason};
  arena_reset(outbox->scratch);
  enum status status = outbox_fetch(outbox, id, outbox->scratch, &stored);
  if (status == STATUS_INVALID) status = STATUS_OK;
  if (status == STATUS_OK) status = outbox_change(outbox, &stored, &change);
  if (status == STATUS_OK) status = outbox_lane_over(outbox, stored.lane);
  return status == STATUS_OK ? outbox_audit_add(outbox, &event) : status;
}

/* The next from `id` on: there is no index over states. */
static enum status find_interrupted(struct outbox *outbox, int64_t *id) {
  sqlite3_stmt *find = outbox_statement(outbox, STATEMENT_RECORD_INTERRUPTED);
  sqlite3_bind_int64(find, 1, *id);
  enum status status = outbox_row_step(outbox, find);
  if (status == STATUS_OK) *id = sqlite3_column_int64(find, 0);
  sqlite3_reset(find);
  return status;
}

static size_t count_sending(const struct outbox *outbox) {
  size_t count = 0;
  for (size_t i = 0; i < outbox->now.tally.used; i++)
    count += outbox->now.tally.counts[i][OUTBOX_SENDING];
  return count;
}

static enum status recover(struct outbox *outbox, int64_t first) {
  int64_t now = outbox->host->now_ms(outbox->host->context);
  enum status status = STATUS_OK;
  for (int64_t id = first; status == STATUS_OK && count_sending(outbox); id++) {
    status = find_interrupted(outbox, &id);
    if (status == STATUS_OK) status = interrupted(outbox, id, now);
  }
  struct outbox_event event = {.at = now, .what = STR("opened")};
  return status == STATUS_OK ? outbox_audit_add(outbox, &event) : status;
}

/* Small trees are learnt at once. */
enum { LEARNT_AT_START = 8 * OUTBOX_YOUNG_MAX };

static enum status load(struct outbox *outbox, const struct outbox_params *params, struct diag_list *diags) {
  int64_t sending = 0;
  enum status status = outbox_read_store(outbox);
  if (status == STATUS_OK) status = read_last(outbox);
  if (status == STATUS_OK) status = read_clock(outbox);
  if (status == STATUS_OK) status = outbox_check_generation(outbox, params, diags);
  if (status == STATUS_OK) status = outbox_begin(outbox);
  if (status == STATUS_OK) status = outbox_data_keys_load(outbox, params->keys, diags);
  if (status == STATUS_OK) status = outbox_audit_load(outbox);
  if (status == STATUS_OK) status = outbox_keys_audit(outbox);
  if (status == STATUS_OK) status = outbox_ledger_load(outbox);
  if (status == STATUS_OK) status = outbox_rows_load(outbox);
  if (status == STATUS_OK) status = outbox_dedupe_load(outbox);
  if (status == STATUS_OK) status = outbox_sieve_learn(outbox, LEARNT_AT_START);
  if (status == STATUS_OK) status = outbox_tally_load(outbox, &sending);
  if (status == STATUS_OK) status = outbox_fresh_load(outbox);
  if (status == STATUS_OK) status = recover(outbox, sending);
  if (status == STATUS_OK) status = next_generation(outbox);
  if (status == STATUS_OK && outbox->is_copy) status = outbox_schema_own(outbox);
  if (status == STATUS_OK) status = outbox_commit(outbox);
  /* at once: until then the header says that it is a copy, and one beside a log is refused */
  if (status == STATUS_OK && outbox->is_copy) status = outbox_checkpoint(outbox, true);
  if (status == STATUS_OK) status = outbox_place_sync(outbox->folder);
  return status == STATUS_OK ? write_marker(outbox, params->marker, diags) : status;
}

/* --- the whole --- */

enum status outbox_allocate(const struct outbox_params *params, struct outbox **out) {
  struct outbox *outbox = *out = calloc(1, sizeof *outbox);
  if (!outbox) return STATUS_NOMEM;
  outbox->lock = -1;
  outbox->host = params->host;
  outbox->max_records = params->max_records ? params->max_records : LIMIT_OUTBOX_RECORDS;
  outbox->reserve_bytes = params->reserve_bytes ? params->reserve_bytes : LIMIT_OUTBOX_RESERVE;
  outbox->checkpoint_pages = params->checkpoint_pages ? params->checkpoint_pages : OUTBOX_CHECKPOINT_PAGES;
  outbox->arena = arena_new(1 << 20);
  outbox->scratch = arena_new(OUTBOX_SCRATCH);
  if (!outbox->arena || !outbox->scratch) return STATUS_NOMEM;
  outbox->folder = arena_str(outbox->arena, str_of(params->folder)).ptr;
  outbox->path = arena_printf(outbox->arena, "%s/outbox.db", params->folder).ptr;
  outbox->log_path = arena_printf(outbox->arena, "%s/outbox.db-wal", params->folder).ptr;
  return outbox->folder && outbox->path && outbox->log_path ? STATUS_OK : STATUS_NOMEM;
}

enum status outbox_open(const struct outbox_params *params, struct diag_list *diags, struct outbox **out) {
  struct outbox *outbox = NULL;
  *out = NULL;
  enum status status = outbox_allocate(params, &outbox);
  if (status == STATUS_OK) status = outbox_place_check(outbox->folder, diags);
  if (status == STATUS_OK) status = outbox_place_lock(outbox->folder, outbox->arena, diags, &outbox->lock);
  if (status == STATUS_OK) status = outbox_seal_open(outbox);
  if (status == STATUS_OK) status = outbox_place_file(outbox->path, outbox->arena, diags);
  if (status == STATUS_OK) status = open_database(outbox, diags);
  if (status == STATUS_OK) status = outbox_schema_up(outbox, params->accept_restored, diags);
  if (status == STATUS_OK) status = outbox_quick_check(outbox, diags);
  if (status == STATUS_OK) status = prepare(outbox);
  if (status == STATUS_OK) status = load(outbox, params, diags);
  if (status == STATUS_OK) {
    *out = outbox;
    return status;
  }
  if (status == STATUS_LIMIT) status = STATUS_IO; /* a full disk: no record is at fault */
  if (status == STATUS_IO && !diag_failed(diags))
    outbox_refuse(diags, outbox->path, "the store cannot be read or written: %s",
                  outbox->db ? sqlite3_errmsg(outbox->db) : "no memory");
  outbox_close(outbox);
  return status;
}

void outbox_close(struct outbox *outbox) {
  if (!outbox) return;
  if (outbox->db && !outbox->failed) outbox_abandon(outbox);
  for (size_t i = 0; i < STATEMENT_COUNT; i++)
    sqlite3_finalize(outbox->statements[i]);
  /* a disk that failed: what it has of the log is looked at at the next start, and not moved into the store unseen */
  if (outbox->db && outbox->failed) (void)sqlite3_db_config(outbox->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  sqlite3_close(outbox->db);
  outbox_gather_close(outbox);
  outbox_ledger_forget(outbox);
  outbox_handed_forget_all(outbox);
  outbox_seal_close(outbox);
  arena_free(outbox->arena);
  arena_free(outbox->scratch);
  if (outbox->lock >= 0) close(outbox->lock);
  free(outbox);
}
