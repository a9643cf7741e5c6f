/* ledger.c - what servers call what was sent, and a digest of it. */
#include <openssl/crypto.h>
#include "outbox/internal.h"

/* Sealed under the ledger's key with a random nonce: some 65 places a record, 2^24 records a data key. */
static struct seal_place ledger_place(int64_t destination, const unsigned char mark[MARK_BYTES]) {
  struct seal_place place = {.use = SEAL_LEDGER, .destination = destination};
  memcpy(&place.record, mark, sizeof place.record);
  memcpy(&place.lane, mark + sizeof place.record, sizeof place.lane);
  return place;
}

static void mark_of(struct outbox *outbox, struct str identifier, unsigned char out[MARK_BYTES]) {
  struct outbox_digest digest = outbox_digest(outbox, identifier);
  outbox_mark(outbox, 'i', &digest, 1, out);
}

/* --- what is kept in memory --- */

static struct outbox_kept *kept_at(struct outbox *outbox, const unsigned char mark[MARK_BYTES]) {
  _Static_assert(LEDGER_KEPT == 256, "one for each value of a byte");
  return &outbox->kept[mark[0]];
}

static bool is_of(const struct outbox_kept *kept, int64_t destination, const unsigned char mark[MARK_BYTES]) {
  return kept->len && kept->destination == destination && memcmp(kept->mark, mark, MARK_BYTES) == 0;
}

static void keep(struct outbox *outbox, int64_t destination, const unsigned char mark[MARK_BYTES], struct str text) {
  struct outbox_kept *kept = kept_at(outbox, mark);
  kept->destination = destination;
  memcpy(kept->mark, mark, MARK_BYTES);
  kept->len = text.len <= sizeof kept->text ? text.len : 0;
  if (kept->len) memcpy(kept->text, text.ptr, text.len);
}

void outbox_ledger_forget(struct outbox *outbox) {
  OPENSSL_cleanse(outbox->kept, sizeof outbox->kept);
}

/* --- the table --- */

enum status outbox_ledger_put(struct outbox *outbox, struct str destination, struct str identifier,
                              const struct outbox_place *what, int64_t now) {
  unsigned char mark[MARK_BYTES];
  int64_t where = 0;
  struct str sealed = {0};
  if (what->location.len + what->etag.len + what->digest.len > LIMIT_OUTBOX_LABEL || destination.len > OUTBOX_NAME_MAX)
    return STATUS_INVALID;
  if (str_find_char(what->location, '\n', 0) != SIZE_MAX || str_find_char(what->etag, '\n', 0) != SIZE_MAX)
    return STATUS_INVALID;
  arena_reset(outbox->scratch);
  struct str text = arena_printf(outbox->scratch, "%.*s\n%.*s\n%.*s", STR_ARG(what->location),
                                 STR_ARG(what->etag), STR_ARG(what->digest));
  enum status status = text.ptr ? outbox_begin(outbox) : STATUS_NOMEM;
  if (status == STATUS_OK) status = outbox_destination_id(outbox, destination, true, &where);
  mark_of(outbox, identifier, mark);
  struct seal_place place = ledger_place(where, mark);
  if (status == STATUS_OK)
    status = outbox_seal(outbox, outbox->root_ledger, &place, text, outbox->scratch, &sealed);
  if (status != STATUS_OK) return outbox_end(outbox, status);
  sqlite3_stmt *put = outbox_statement(outbox, STATEMENT_LEDGER_PUT);
  sqlite3_bind_int64(put, 1, where);
  outbox_bind_blob(put, 2, mark, MARK_BYTES);
  outbox_bind_blob(put, 3, sealed.ptr, sealed.len);
  sqlite3_bind_int64(put, 4, now);
  /* what is new is seldom asked for: it does not push out what is */
  if (is_of(kept_at(outbox, mark), where, mark)) keep(outbox, where, mark, text);
  return outbox_end(outbox, outbox_run(outbox, put));
}

static enum status read_place(struct outbox *outbox, int64_t where, const unsigned char mark[MARK_BYTES],
                              struct arena *arena, struct str *text) {
  struct seal_place place = ledger_place(where, mark);
  sqlite3_stmt *get = outbox_statement(outbox, STATEMENT_LEDGER_GET);
  sqlite3_bind_int64(get, 1, where);
  outbox_bind_blob(get, 2, mark, MARK_BYTES);
  enum status status = outbox_row_step(outbox, get);
  if (status == STATUS_OK)
    status = outbox_unseal(outbox, outbox->root_ledger, &place, outbox_column_str(get, 0), arena, text);
  sqlite3_reset(get);
  if (status == STATUS_OK) keep(outbox, where, mark, *text);
  return status;
}

enum status outbox_ledger_get(struct outbox *outbox, struct str destination, struct str identifier,
                              struct arena *arena, struct outbox_place *out) {
  unsigned char mark[MARK_BYTES];
  int64_t where = 0;
  struct str text = {0};
  enum status status = outbox->failed ? STATUS_IO : outbox_destination_id(outbox, destination, false, &where);
  if (status != STATUS_OK) return status;
  mark_of(outbox, identifier, mark);
  const struct outbox_kept *kept = kept_at(outbox, mark);
  if (is_of(kept, where, mark))
    text = arena_str(arena, str_make(kept->text, kept->len));
  else
    status = read_place(outbox, where, mark, arena, &text);
  if (status == STATUS_OK && !text.ptr) status = STATUS_NOMEM;
  if (status != STATUS_OK) return status;
  size_t first = str_find_char(text, '\n', 0), second = str_find_char(text, '\n', first + 1);
  out->location = str_slice(text, 0, first);
  out->etag = str_slice(text, first + 1, second);
  out->digest = str_slice(text, second + 1, text.len);
  return STATUS_OK;
}
