/* list.c - records as they stand in the store: one, many, their payload and attempts. */
#include <openssl/crypto.h>
#include "outbox/internal.h"

static const char *const names[OUTBOX_STATES] = {"queued", "sending", "unknown", "parked", "done", "dropped"};

const char *outbox_state_name(enum outbox_state state) {
  return state < OUTBOX_STATES ? names[state] : "?";
}

bool outbox_state_parse(struct str word, enum outbox_state *out) {
  for (size_t i = 0; i < OUTBOX_STATES; i++) {
    if (!str_is(word, names[i])) continue;
    *out = (enum outbox_state)i;
    return true;
  }
  return false;
}

/* --- one row --- */

static struct seal_place place_of(const struct outbox_stored *stored, enum seal_use use) {
  return (struct seal_place){.use = use,
                             .destination = stored->destination,
                             .record = stored->row.id,
                             .lane = stored->lane,
                             .key = stored->data_key};
}

static enum status copy_texts(sqlite3_stmt *row, struct arena *arena, struct outbox_row *out) {
  out->kind = arena_str(arena, outbox_column_str(row, 6));
  out->reason = arena_str(arena, outbox_column_str(row, 8));
  out->destination = arena_str(arena, outbox_column_str(row, 16));
  return out->kind.ptr && out->reason.ptr && out->destination.ptr ? STATUS_OK : STATUS_NOMEM;
}

/* The record's own key stays in `key`, also when the label does not open: wipe it. */
static enum status read_row(struct outbox *outbox, sqlite3_stmt *row, struct arena *arena,
                            struct outbox_stored *out, unsigned char key[OUTBOX_KEY_BYTES]) {
  struct str salt = outbox_column_str(row, 12);
  *out = (struct outbox_stored){.destination = sqlite3_column_int64(row, 1),
                                .lane = sqlite3_column_int64(row, 2),
                                .is_revision = sqlite3_column_int(row, 19),
                                .data_key = (uint32_t)sqlite3_column_int64(row, 11)};
  out->row = (struct outbox_row){.id = sqlite3_column_int64(row, 0),
                                 .state = (enum outbox_state)sqlite3_column_int(row, 3),
                                 .blocks = sqlite3_column_int(row, 5),
                                 .attempts = (unsigned)sqlite3_column_int64(row, 9),
                                 .faults = (unsigned)sqlite3_column_int64(row, 18),
                                 .bytes = (size_t)sqlite3_column_int64(row, 10),
                                 .next_at = sqlite3_column_int64(row, 13),
                                 .accepted_at = sqlite3_column_int64(row, 14),
                                 .changed_at = sqlite3_column_int64(row, 15)};
  if (salt.len == SALT_BYTES) memcpy(out->salt, salt.ptr, SALT_BYTES);
  salt = outbox_column_str(row, 17);
  out->has_payload_salt = salt.len == PAYLOAD_SALT_BYTES;
  if (out->has_payload_salt) memcpy(out->payload_salt, salt.ptr, PAYLOAD_SALT_BYTES);
  enum status status = copy_texts(row, arena, &out->row);
  if (status != STATUS_OK) return status;
  status = outbox_record_key(outbox, out->data_key, out->salt, key);
  if (status != STATUS_OK) return status;
  struct seal_place place = place_of(out, SEAL_LABEL);
  return outbox_unseal(outbox, key, &place, outbox_column_str(row, 7), arena, &out->row.label);
}

/* What is shorter than the payload was pressed: its seal says so too. */
static enum status open_payload(struct outbox *outbox, const struct outbox_stored *stored, const unsigned char key[OUTBOX_KEY_BYTES],
                                struct str sealed, struct arena *arena, struct str *out) {
  bool is_pressed = sealed.len >= SEAL_OVERHEAD && sealed.len - SEAL_OVERHEAD < stored->row.bytes;
  struct seal_place place = place_of(stored, is_pressed ? SEAL_PRESSED : SEAL_PAYLOAD);
  struct str pressed = {0};
  if (!is_pressed) return outbox_unseal(outbox, key, &place, sealed, arena, out);
  arena_reset(outbox->scratch);
  enum status status = outbox_unseal(outbox, key, &place, sealed, outbox->scratch, &pressed);
  return status == STATUS_OK ? outbox_unpress(pressed, stored->row.bytes, arena, out) : status;
}

static enum status read_payload(struct outbox *outbox, const struct outbox_stored *stored,
                                const unsigned char record_key[OUTBOX_KEY_BYTES], struct arena *arena, struct str *out) {
  unsigned char key[OUTBOX_KEY_BYTES];
  sqlite3_stmt *get = outbox_statement(outbox, STATEMENT_PAYLOAD_GET);
  sqlite3_bind_int64(get, 1, stored->row.id);
  memcpy(key, record_key, sizeof key);
  if (stored->has_payload_salt) outbox_payload_key(record_key, stored->payload_salt, key);
  enum status status = outbox->failed ? STATUS_IO : outbox_row_step(outbox, get);
  if (status == STATUS_OK) status = open_payload(outbox, stored, key, outbox_column_str(get, 0), arena, out);
  sqlite3_reset(get);
  OPENSSL_cleanse(key, sizeof key);
  return status;
}

static enum status fetch(struct outbox *outbox, int64_t id, struct arena *arena, struct outbox_stored *out,
                         struct str *payload) {
  unsigned char key[OUTBOX_KEY_BYTES] = {0};
  sqlite3_stmt *get = outbox_statement(outbox, STATEMENT_RECORD_GET);
  sqlite3_bind_int64(get, 1, id);
  enum status status = outbox->failed ? STATUS_IO : outbox_row_step(outbox, get);
  if (status == STATUS_OK) status = read_row(outbox, get, arena, out, key);
  sqlite3_reset(get);
  if (status == STATUS_OK && payload) {
    status = read_payload(outbox, out, key, arena, payload);
    if (status == STATUS_NOT_FOUND) status = STATUS_OK;
  }
  OPENSSL_cleanse(key, sizeof key);
  return status;
}

enum status outbox_fetch(struct outbox *outbox, int64_t id, struct arena *arena, struct outbox_stored *out) {
  return fetch(outbox, id, arena, out, NULL);
}

enum status outbox_fetch_all(struct outbox *outbox, int64_t id, struct arena *arena, struct outbox_stored *out,
                             struct str *payload) {
  *payload = (struct str){0};
  return fetch(outbox, id, arena, out, payload);
}

enum status outbox_fetch_bare(struct outbox *outbox, int64_t id, struct outbox_stored *out) {
  sqlite3_stmt *get = outbox_statement(outbox, STATEMENT_RECORD_BARE);
  sqlite3_bind_int64(get, 1, id);
  enum status status = outbox->failed ? STATUS_IO : outbox_row_step(outbox, get);
  if (status == STATUS_OK) {
    *out = (struct outbox_stored){.destination = sqlite3_column_int64(get, 0), .lane = sqlite3_column_int64(get, 1)};
    out->row = (struct outbox_row){.id = id,
                                   .state = (enum outbox_state)sqlite3_column_int(get, 2),
                                   .attempts = (unsigned)sqlite3_column_int64(get, 3)};
    out->has_payload_salt = sqlite3_column_int(get, 4);
  }
  sqlite3_reset(get);
  return status;
}

/* A record with a damaged label is shown without it. */
static enum status without_label(enum status status) {
  return status == STATUS_INVALID ? STATUS_OK : status;
}

enum status outbox_get(struct outbox *outbox, int64_t id, struct arena *arena, struct outbox_row *out) {
  struct outbox_stored stored;
  enum status status = without_label(outbox_fetch(outbox, id, arena, &stored));
  if (status == STATUS_OK) *out = stored.row;
  return status;
}

/* --- many --- */

enum status outbox_list(struct outbox *outbox, const struct outbox_filter *filter, struct arena *arena,
                        struct outbox_row **out, size_t *count) {
  size_t limit = filter->limit ? filter->limit : 100;
  enum status status = outbox->failed ? STATUS_IO : STATUS_OK;
  *count = 0;
  *out = ARENA_ARRAY(arena, struct outbox_row, limit);
  if (!*out) return STATUS_NOMEM;
  sqlite3_stmt *list =
      outbox_statement(outbox, filter->by_state ? STATEMENT_RECORD_LIST_STATE : STATEMENT_RECORD_LIST);
  sqlite3_bind_int64(list, 1, filter->after);
  outbox_bind_str(list, 2, filter->destination);
  outbox_bind_str(list, 3, filter->reason);
  sqlite3_bind_int64(list, 4, (int64_t)limit);
  if (filter->by_state) sqlite3_bind_int(list, 5, (int)filter->state);
  while (status == STATUS_OK && *count < limit && (status = outbox_row_step(outbox, list)) == STATUS_OK) {
    struct outbox_stored stored;
    unsigned char key[OUTBOX_KEY_BYTES] = {0};
    status = without_label(read_row(outbox, list, arena, &stored, key));
    OPENSSL_cleanse(key, sizeof key);
    if (status == STATUS_OK) (*out)[(*count)++] = stored.row;
  }
  sqlite3_reset(list);
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* --- its payload and attempts --- */

enum status outbox_payload_of(struct outbox *outbox, const struct outbox_stored *stored, struct arena *arena,
                              struct str *out) {
  unsigned char key[OUTBOX_KEY_BYTES];
  *out = (struct str){0};
  enum status status = outbox_record_key(outbox, stored->data_key, stored->salt, key);
  if (status == STATUS_OK) status = read_payload(outbox, stored, key, arena, out);
  OPENSSL_cleanse(key, sizeof key);
  return status;
}

enum status outbox_payload(struct outbox *outbox, int64_t id, struct arena *arena, struct str *out) {
  struct outbox_stored stored;
  *out = (struct str){0};
  enum status status = without_label(outbox_fetch(outbox, id, arena, &stored));
  return status == STATUS_OK ? outbox_payload_of(outbox, &stored, arena, out) : status;
}

enum { ATTEMPTS_SHOWN = 1000 };

enum status outbox_attempts(struct outbox *outbox, int64_t id, struct arena *arena,
                            struct outbox_attempt **out, size_t *count) {
  enum status status = outbox->failed ? STATUS_IO : STATUS_OK;
  *count = 0;
  *out = ARENA_ARRAY(arena, struct outbox_attempt, ATTEMPTS_SHOWN);
  if (!*out) return STATUS_NOMEM;
  sqlite3_stmt *get = outbox_statement(outbox, STATEMENT_ATTEMPT_GET);
  sqlite3_bind_int64(get, 1, id);
  while (status == STATUS_OK && *count < ATTEMPTS_SHOWN &&
         (status = outbox_row_step(outbox, get)) == STATUS_OK) {
    struct outbox_attempt *attempt = &(*out)[(*count)++];
    *attempt = (struct outbox_attempt){.at = sqlite3_column_int64(get, 1),
                                       .took_ms = sqlite3_column_int64(get, 2),
                                       .state = (enum outbox_state)sqlite3_column_int(get, 3),
                                       .http_status = sqlite3_column_int(get, 4),
                                       .reason = arena_str(arena, outbox_column_str(get, 5))};
    if (!attempt->reason.ptr) status = STATUS_NOMEM;
  }
  sqlite3_reset(get);
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* --- changing --- */

static bool holds_place(enum outbox_state state, bool blocks) {
  return state <= OUTBOX_UNKNOWN || (state == OUTBOX_PARKED && blocks);
}

enum status outbox_change(struct outbox *outbox, const struct outbox_stored *stored,
                          const struct outbox_change *change) {
  bool blocks = change->state == OUTBOX_PARKED && change->blocks, holds = holds_place(change->state, blocks), fresh = false;
  enum status status = outbox_fresh_is(outbox, stored->lane, stored->row.id, &fresh);
  if (status != STATUS_OK) return status;
  sqlite3_stmt *set = outbox_statement(outbox, STATEMENT_RECORD_STATE);
  sqlite3_bind_int64(set, 1, stored->row.id);
  sqlite3_bind_int(set, 2, (int)change->state);
  sqlite3_bind_int(set, 3, !holds ? OUTBOX_OPEN_NOT : fresh ? OUTBOX_OPEN_FRESH : OUTBOX_OPEN_INDEXED);
  sqlite3_bind_int(set, 4, blocks);
  outbox_bind_str(set, 5, change->reason);
  sqlite3_bind_int(set, 6, change->attempts);
  sqlite3_bind_int64(set, 7, change->due);
  sqlite3_bind_int64(set, 8, change->now);
  if (change->at_once) sqlite3_bind_int64(set, 9, change->took_ms);
  if (change->at_once) sqlite3_bind_int(set, 10, change->http_status);
  sqlite3_bind_int(set, 11, change->faults);
  outbox_handed_forget(outbox, stored->row.id);
  status = outbox_run(outbox, set);
  if (status != STATUS_OK) return status;
  if (fresh && !holds) outbox_fresh_over(outbox, stored->lane, stored->row.id);
  outbox_count(outbox, stored->destination, stored->row.state, -1);
  outbox_count(outbox, stored->destination, change->state, 1);
  return STATUS_OK;
}
