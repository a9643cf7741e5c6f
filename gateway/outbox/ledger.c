/* ledger.c - what has become of a record's entries, and what servers call what was sent. */
#include <openssl/crypto.h>
#include "outbox/internal.h"

enum { ENTRIES_MAX = 10000 };

/* --- entries of a record --- */

static enum status entry_key(struct outbox *outbox, int64_t id, struct outbox_stored *stored,
                             unsigned char key[OUTBOX_KEY_BYTES]) {
  enum status status = outbox_fetch(outbox, id, outbox->scratch, stored);
  if (status == STATUS_INVALID) status = STATUS_OK;
  return status == STATUS_OK ? outbox_record_key(outbox, stored->data_key, stored->salt, key) : status;
}

static enum status put_entry(struct outbox *outbox, int64_t id, const struct outbox_entry *entry,
                             struct str sealed) {
  sqlite3_stmt *put = outbox_statement(outbox, STATEMENT_ENTRY_PUT);
  sqlite3_bind_int64(put, 1, id);
  sqlite3_bind_int64(put, 2, entry->index);
  sqlite3_bind_int(put, 3, entry->http_status);
  sqlite3_bind_int(put, 4, entry->settled);
  outbox_bind_blob(put, 5, sealed.ptr, sealed.len);
  return outbox_run(outbox, put);
}

enum status outbox_entry_put(struct outbox *outbox, int64_t id, const struct outbox_entry *entry) {
  unsigned char key[OUTBOX_KEY_BYTES] = {0};
  struct outbox_stored stored = {0};
  struct str sealed = {0};
  if (entry->location.len > LIMIT_OUTBOX_LABEL || entry->index >= ENTRIES_MAX) return STATUS_INVALID;
  arena_reset(outbox->scratch);
  enum status status = outbox_begin(outbox);
  if (status == STATUS_OK) status = entry_key(outbox, id, &stored, key);
  struct seal_place place = outbox_place_of(&stored, SEAL_ENTRY);
  place.number = entry->index;
  if (status == STATUS_OK)
    status = outbox_seal(outbox, key, &place, entry->location, outbox->scratch, &sealed);
  OPENSSL_cleanse(key, sizeof key);
  if (status == STATUS_OK) status = put_entry(outbox, id, entry, sealed);
  return outbox_end(outbox, status);
}

static enum status read_entry(struct outbox *outbox, sqlite3_stmt *row,
                              const unsigned char key[OUTBOX_KEY_BYTES], const struct outbox_stored *stored,
                              struct arena *arena, struct outbox_entry *out) {
  struct seal_place place = outbox_place_of(stored, SEAL_ENTRY);
  *out = (struct outbox_entry){.index = (uint32_t)sqlite3_column_int64(row, 0),
                               .http_status = sqlite3_column_int(row, 1),
                               .settled = sqlite3_column_int(row, 2)};
  place.number = out->index;
  return outbox_unseal(outbox, key, &place, outbox_column_str(row, 3), arena, &out->location);
}

static enum status grow(struct arena *arena, struct outbox_entry **entries, size_t count, size_t *room) {
  if (count < *room) return STATUS_OK;
  size_t wider = *room ? *room * 2 : 64;
  struct outbox_entry *grown = ARENA_ARRAY(arena, struct outbox_entry, wider);
  if (!grown) return STATUS_NOMEM;
  if (count) memcpy(grown, *entries, count * sizeof *grown);
  *entries = grown;
  *room = wider;
  return STATUS_OK;
}

enum status outbox_entries(struct outbox *outbox, int64_t id, struct arena *arena, struct outbox_entry **out,
                           size_t *count) {
  unsigned char key[OUTBOX_KEY_BYTES] = {0};
  struct outbox_stored stored = {0};
  size_t room = 0;
  *out = NULL;
  *count = 0;
  arena_reset(outbox->scratch);
  enum status status = outbox->failed ? STATUS_IO : entry_key(outbox, id, &stored, key);
  if (status != STATUS_OK) return status;
  sqlite3_stmt *get = outbox_statement(outbox, STATEMENT_ENTRY_GET);
  sqlite3_bind_int64(get, 1, id);
  while (status == STATUS_OK && *count < ENTRIES_MAX &&
         (status = outbox_row_step(outbox, get)) == STATUS_OK) {
    status = grow(arena, out, *count, &room);
    if (status == STATUS_OK) status = read_entry(outbox, get, key, &stored, arena, &(*out)[*count]);
    if (status == STATUS_OK) (*count)++;
  }
  sqlite3_reset(get);
  OPENSSL_cleanse(key, sizeof key);
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* --- the ledger --- */

/* Sealed under the ledger's key with a random nonce: some 65 places a record, 2^24 records a data key. */
static struct seal_place ledger_place(int64_t destination, const unsigned char mark[MARK_BYTES]) {
  struct seal_place place = {.use = SEAL_LEDGER, .destination = destination};
  memcpy(&place.record, mark, sizeof place.record);
  memcpy(&place.lane, mark + sizeof place.record, sizeof place.lane);
  return place;
}

enum status outbox_ledger_put(struct outbox *outbox, struct str destination, struct str identifier,
                              const struct outbox_place *what, int64_t now) {
  unsigned char mark[MARK_BYTES];
  int64_t where = 0;
  struct str sealed = {0};
  if (what->location.len + what->etag.len > LIMIT_OUTBOX_LABEL || destination.len > OUTBOX_NAME_MAX)
    return STATUS_INVALID;
  if (str_find_char(what->location, '\n', 0) != SIZE_MAX) return STATUS_INVALID;
  arena_reset(outbox->scratch);
  struct str text = arena_printf(outbox->scratch, "%.*s\n%.*s", STR_ARG(what->location), STR_ARG(what->etag));
  enum status status = text.ptr ? outbox_begin(outbox) : STATUS_NOMEM;
  if (status == STATUS_OK) status = outbox_destination_id(outbox, destination, true, &where);
  outbox_mark(outbox, 'i', &identifier, 1, mark);
  struct seal_place place = ledger_place(where, mark);
  if (status == STATUS_OK)
    status = outbox_seal(outbox, outbox->root_ledger, &place, text, outbox->scratch, &sealed);
  if (status != STATUS_OK) return outbox_end(outbox, status);
  sqlite3_stmt *put = outbox_statement(outbox, STATEMENT_LEDGER_PUT);
  sqlite3_bind_int64(put, 1, where);
  outbox_bind_blob(put, 2, mark, MARK_BYTES);
  outbox_bind_blob(put, 3, sealed.ptr, sealed.len);
  sqlite3_bind_int64(put, 4, now);
  return outbox_end(outbox, outbox_run(outbox, put));
}

enum status outbox_ledger_get(struct outbox *outbox, struct str destination, struct str identifier,
                              struct arena *arena, struct outbox_place *out) {
  unsigned char mark[MARK_BYTES];
  int64_t where = 0;
  struct str text = {0};
  enum status status = outbox->failed ? STATUS_IO : outbox_destination_id(outbox, destination, false, &where);
  if (status != STATUS_OK) return status;
  outbox_mark(outbox, 'i', &identifier, 1, mark);
  struct seal_place place = ledger_place(where, mark);
  sqlite3_stmt *get = outbox_statement(outbox, STATEMENT_LEDGER_GET);
  sqlite3_bind_int64(get, 1, where);
  outbox_bind_blob(get, 2, mark, MARK_BYTES);
  status = outbox_row_step(outbox, get);
  if (status == STATUS_OK)
    status = outbox_unseal(outbox, outbox->root_ledger, &place, outbox_column_str(get, 0), arena, &text);
  sqlite3_reset(get);
  if (status != STATUS_OK) return status;
  size_t end = str_find_char(text, '\n', 0);
  out->location = str_slice(text, 0, end);
  out->etag = str_slice(text, end + 1, text.len);
  return STATUS_OK;
}
