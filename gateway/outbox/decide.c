/* decide.c - what a person decides about a record, and another payload for a parked one. */
#include <openssl/crypto.h>
#include "outbox/internal.h"

/* From which states an order may be given, and what it makes of the record. */
static const struct order {
  const char *event;
  unsigned from; /* bits of states */
  enum outbox_state to;
  bool blocks, only_blocking;
} orders[] = {
    [OUTBOX_RETRY] = {"retry", 1u << OUTBOX_QUEUED | 1u << OUTBOX_UNKNOWN | 1u << OUTBOX_PARKED,
                      OUTBOX_QUEUED, false, false},
    [OUTBOX_PARK] = {"parked", 1u << OUTBOX_QUEUED | 1u << OUTBOX_UNKNOWN, OUTBOX_PARKED, true, false},
    [OUTBOX_PASS] = {"passed", 1u << OUTBOX_PARKED, OUTBOX_PARKED, false, true},
    [OUTBOX_DROP] = {"dropped", 1u << OUTBOX_QUEUED | 1u << OUTBOX_UNKNOWN | 1u << OUTBOX_PARKED,
                     OUTBOX_DROPPED, false, false},
};

static bool may(const struct order *order, const struct outbox_row *row) {
  if (!(order->from & 1u << row->state)) return false;
  return !order->only_blocking || row->blocks;
}

/* What may have reached the server stays unknown when it is tried again: the next attempt looks first. */
static enum outbox_state state_after(const struct order *order, const struct outbox_row *row) {
  return order->to == OUTBOX_QUEUED && row->state == OUTBOX_UNKNOWN ? OUTBOX_UNKNOWN : order->to;
}

enum status outbox_payload_drop(struct outbox *outbox, int64_t id) {
  sqlite3_stmt *drop = outbox_statement(outbox, STATEMENT_PAYLOAD_DROP);
  sqlite3_bind_int64(drop, 1, id);
  return outbox_run(outbox, drop);
}

enum status outbox_decide(struct outbox *outbox, int64_t id, enum outbox_order which, struct str reason,
                          struct str actor, int64_t now) {
  const struct order *order = &orders[which];
  struct outbox_stored stored = {0};
  if (reason.len > OUTBOX_REASON_MAX || actor.len > OUTBOX_NAME_MAX) return STATUS_INVALID;
  arena_reset(outbox->scratch);
  enum status status = outbox_begin(outbox);
  if (status == STATUS_OK) status = outbox_fetch(outbox, id, outbox->scratch, &stored);
  if (status == STATUS_INVALID) status = STATUS_OK; /* a damaged one may be dropped */
  if (status != STATUS_OK) return outbox_end(outbox, status);
  if (!may(order, &stored.row)) return STATUS_CONFLICT;
  struct outbox_change change = {.state = state_after(order, &stored.row),
                                 .blocks = order->blocks,
                                 .reason = reason.len ? reason : stored.row.reason, /* why it was parked stays known */
                                 .due = now,
                                 .now = now};
  struct outbox_event event = {
      .at = now, .record = id, .what = str_of(order->event), .actor = actor, .reason = reason};
  status = outbox_change(outbox, &stored, &change);
  if (status == STATUS_OK && which == OUTBOX_DROP) status = outbox_payload_drop(outbox, id);
  if (status == STATUS_OK) status = outbox_lane_turn(outbox, stored.lane);
  if (status == STATUS_OK) status = outbox_audit_add(outbox, &event);
  return outbox_end(outbox, status);
}

/* --- another payload --- */

struct replacing {
  struct outbox *outbox;
  struct outbox_stored *stored;
  struct str kind, payload, label, sealed;
  int64_t now;
};

/* Under a new salt: a key seals one payload only. */
static enum status seal_again(struct replacing *r) {
  unsigned char key[OUTBOX_KEY_BYTES];
  struct outbox *outbox = r->outbox;
  r->stored->data_key = outbox->data_keys[outbox->data_key_count - 1].id;
  enum status status = outbox->host->random(outbox->host->context, r->stored->salt, SALT_BYTES);
  if (status == STATUS_OK) status = outbox_record_key(outbox, r->stored->data_key, r->stored->salt, key);
  struct seal_place label = outbox_place_of(r->stored, SEAL_LABEL),
                    payload = outbox_place_of(r->stored, SEAL_PAYLOAD);
  if (status == STATUS_OK)
    status = outbox_seal(outbox, key, &label, r->stored->row.label, outbox->scratch, &r->label);
  if (status == STATUS_OK)
    status = outbox_seal(outbox, key, &payload, r->payload, outbox->scratch, &r->sealed);
  OPENSSL_cleanse(key, sizeof key);
  return status;
}

static enum status put_record(struct replacing *r) {
  sqlite3_stmt *put = outbox_statement(r->outbox, STATEMENT_RECORD_REPLACE);
  sqlite3_bind_int64(put, 1, r->stored->row.id);
  outbox_bind_str(put, 2, r->kind);
  sqlite3_bind_int64(put, 3, (int64_t)r->payload.len);
  sqlite3_bind_int64(put, 4, r->stored->data_key);
  outbox_bind_blob(put, 5, r->stored->salt, SALT_BYTES);
  outbox_bind_blob(put, 6, r->label.ptr, r->label.len);
  sqlite3_bind_int64(put, 7, r->now);
  return outbox_run(r->outbox, put);
}

static enum status put_payload(struct replacing *r) {
  enum status status = outbox_payload_drop(r->outbox, r->stored->row.id);
  if (status != STATUS_OK) return status;
  sqlite3_stmt *add = outbox_statement(r->outbox, STATEMENT_PAYLOAD_ADD);
  sqlite3_bind_int64(add, 1, r->stored->row.id);
  outbox_bind_blob(add, 2, r->sealed.ptr, r->sealed.len);
  return outbox_run(r->outbox, add);
}

enum status outbox_replace(struct outbox *outbox, int64_t id, struct str kind, struct str payload,
                           int64_t now) {
  struct outbox_stored stored = {0};
  struct replacing r = {.outbox = outbox, .stored = &stored, .kind = kind, .payload = payload, .now = now};
  if (!kind.len || kind.len > OUTBOX_NAME_MAX || payload.len > LIMIT_OUTBOX_PAYLOAD) return STATUS_INVALID;
  arena_reset(outbox->scratch);
  enum status status = outbox_begin(outbox);
  if (status == STATUS_OK) status = outbox_fetch(outbox, id, outbox->scratch, &stored);
  if (status == STATUS_OK && stored.row.state != OUTBOX_PARKED) return STATUS_CONFLICT;
  struct outbox_event event = {.at = now, .record = id, .what = STR("replaced")};
  if (status == STATUS_OK) status = seal_again(&r);
  if (status == STATUS_OK) status = put_record(&r);
  if (status == STATUS_OK) status = put_payload(&r);
  if (status == STATUS_OK) status = outbox_audit_add(outbox, &event);
  return outbox_end(outbox, status);
}
