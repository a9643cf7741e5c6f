/* accept.c - a message becomes records: known before? room for it? sealed, put at the end of its lanes. */
#include <openssl/crypto.h>
#include "outbox/internal.h"

/* --- refusing, before anything is changed --- */

static enum status refuse(struct outbox *outbox, struct diag_list *diags, enum status status,
                          const char *why) {
  outbox_refuse(diags, outbox->path, "%s", why);
  return status;
}

static size_t bytes_of(const struct outbox_item *item) {
  return item->bytes ? item->bytes : item->payload.len;
}

static bool is_fit(const struct outbox_item *item) {
  return item->destination.len && item->destination.len <= OUTBOX_NAME_MAX && item->kind.len &&
         item->kind.len <= OUTBOX_NAME_MAX && item->parked.len <= OUTBOX_REASON_MAX &&
         item->label.len <= LIMIT_OUTBOX_LABEL && item->lane.len <= LIMIT_OUTBOX_LABEL &&
         item->subject.len <= LIMIT_OUTBOX_LABEL && bytes_of(item) <= LIMIT_OUTBOX_PAYLOAD;
}

/* The file system is asked once a group: what the group takes is known. */
static uint64_t free_bytes(struct outbox *outbox, const struct outbox_message *message) {
  uint64_t taken = 0;
  if (!outbox->free_known) outbox->free_bytes = outbox_place_free(outbox->folder);
  outbox->free_known = true;
  for (size_t i = 0; i < message->item_count; i++)
    taken += 2 * bytes_of(&message->items[i]); /* in the log, and in the store */
  outbox->free_bytes -= taken < outbox->free_bytes ? taken : outbox->free_bytes;
  return outbox->free_bytes;
}

static enum status check(struct outbox *outbox, const struct outbox_message *message,
                         struct diag_list *diags) {
  for (size_t i = 0; i < message->item_count; i++)
    if (!is_fit(&message->items[i]))
      return refuse(outbox, diags, STATUS_INVALID,
                    "a record is too large for the store, or a name of it too long");
  if (outbox_count_open(outbox) + message->item_count > outbox->max_records)
    return refuse(outbox, diags, STATUS_LIMIT,
                  "the store holds as many open records as it may: nothing was taken");
  if (free_bytes(outbox, message) < outbox->reserve_bytes)
    return refuse(outbox, diags, STATUS_LIMIT, "the disk is nearly full: nothing was taken");
  return STATUS_OK;
}

/* --- one item --- */

struct accepting {
  struct outbox *outbox;
  struct outbox_item pressed;
  const struct outbox_item *item; /* that one */
  int64_t id, destination, lane, now;
  const struct outbox_dedupe *key; /* of its message, with the first item */
  bool headless; /* its lane was there, and none of it may be claimed */
  struct str parked; /* why, from the start; else empty */
  bool blocks, older;
  unsigned char subject[MARK_BYTES]; /* when it has one */
  const struct outbox_data_key *data_key;
  struct {
    unsigned char salt[SALT_BYTES], payload_salt[PAYLOAD_SALT_BYTES], label_nonce[NONCE_BYTES], payload_nonce[NONCE_BYTES];
  } drawn; /* at random */
};

static enum status add_subject(struct accepting *a) {
  int64_t id = 0;
  enum status status = outbox_rows_add(a->outbox, ROWS_SUBJECTS, a->destination, a->subject, &id);
  if (status != STATUS_OK) return status;
  sqlite3_stmt *add = outbox_statement(a->outbox, STATEMENT_SUBJECT_ADD);
  sqlite3_bind_int64(add, 1, id);
  sqlite3_bind_int64(add, 2, a->destination);
  outbox_bind_blob(add, 3, a->subject, MARK_BYTES);
  sqlite3_bind_int64(add, 4, a->item->revision);
  return outbox_run(a->outbox, add);
}

static enum status raise_subject(struct accepting *a, int64_t id) {
  sqlite3_stmt *raise = outbox_statement(a->outbox, STATEMENT_SUBJECT_RAISE);
  sqlite3_bind_int64(raise, 1, id);
  sqlite3_bind_int64(raise, 2, a->item->revision);
  a->outbox->last_correction = a->id;
  return outbox_run(a->outbox, raise);
}

/* What is parked for another reason as well says this one: it must not go with the others. */
static enum status judge_revision(struct accepting *a) {
  struct outbox_found found = {0};
  a->parked = a->item->parked;
  a->blocks = a->item->blocks;
  if (!a->item->subject.len) return STATUS_OK;
  struct outbox_digest digest = outbox_digest(a->item->subject);
  outbox_mark(a->outbox, 'r', &digest, 1, a->subject);
  enum status status = outbox_rows_find(a->outbox, ROWS_SUBJECTS, a->destination, a->subject, &found);
  if (status == STATUS_NOT_FOUND) return add_subject(a);
  if (status != STATUS_OK || found.value == a->item->revision) return status;
  if (found.value < a->item->revision) return raise_subject(a, found.id);
  a->parked = STR(OUTBOX_OLDER);
  a->older = true;
  a->blocks = false;
  return STATUS_OK;
}

/* Its first record may go at once. One without a mark is the record's own, and numbered as it is, below zero. */
static enum status add_lane(struct accepting *a, const unsigned char mark[MARK_BYTES]) {
  bool goes = !a->parked.len;
  enum status status = STATUS_OK;
  a->lane = -a->id;
  if (mark) status = outbox_rows_add(a->outbox, ROWS_LANES, a->destination, mark, &a->lane);
  if (status != STATUS_OK) return status;
  sqlite3_stmt *add = outbox_statement(a->outbox, STATEMENT_LANE_ADD);
  sqlite3_bind_int64(add, 1, a->lane);
  sqlite3_bind_int64(add, 2, a->destination);
  if (mark) outbox_bind_blob(add, 3, mark, MARK_BYTES);
  if (goes) sqlite3_bind_int64(add, 4, a->id);
  sqlite3_bind_int64(add, 5, goes ? a->now : 0);
  return outbox_run(a->outbox, add);
}

static enum status find_lane(struct accepting *a) {
  unsigned char mark[MARK_BYTES];
  struct outbox_found found = {0};
  if (!a->item->lane.len) return add_lane(a, NULL);
  struct outbox_digest digest = outbox_digest(a->item->lane);
  outbox_mark(a->outbox, 'l', &digest, 1, mark);
  enum status status = outbox_rows_find(a->outbox, ROWS_LANES, a->destination, mark, &found);
  a->lane = found.id;
  a->headless = found.value;
  return status == STATUS_NOT_FOUND ? add_lane(a, mark) : status;
}

static enum status seal(struct accepting *a, enum seal_use use, const unsigned char key[OUTBOX_KEY_BYTES], struct str text,
                        struct str *out) {
  const unsigned char *nonce = use == SEAL_LABEL ? a->drawn.label_nonce : a->drawn.payload_nonce;
  struct seal_place place = {.use = use,
                             .destination = a->destination,
                             .record = a->id,
                             .lane = a->lane,
                             .key = a->data_key->id,
                             .nonce = nonce};
  return outbox_seal(a->outbox, key, &place, text, a->outbox->scratch, out);
}

/* Of the record, which seals its label, and of its payload. */
static enum status make_keys(struct accepting *a, unsigned char record[OUTBOX_KEY_BYTES],
                             unsigned char payload[OUTBOX_KEY_BYTES]) {
  a->data_key = &a->outbox->data_keys[a->outbox->data_key_count - 1];
  enum status status = outbox_random(a->outbox, &a->drawn, sizeof a->drawn);
  if (status == STATUS_OK) status = outbox_record_key(a->outbox, a->data_key->id, a->drawn.salt, record);
  if (status == STATUS_OK) outbox_payload_key(record, a->drawn.payload_salt, payload);
  return status;
}

static enum status add_record(struct accepting *a, struct str label) {
  const struct outbox_item *item = a->item;
  bool parked = a->parked.len != 0, holds = !parked || a->blocks;
  enum outbox_state state = parked ? OUTBOX_PARKED : OUTBOX_QUEUED;
  sqlite3_stmt *add = outbox_statement(a->outbox, STATEMENT_RECORD_ADD);
  sqlite3_bind_int64(add, 1, a->id);
  sqlite3_bind_int64(add, 2, a->destination);
  sqlite3_bind_int64(add, 3, a->lane);
  sqlite3_bind_int(add, 4, (int)state);
  sqlite3_bind_int(add, 5, holds ? OUTBOX_OPEN_FRESH : OUTBOX_OPEN_NOT);
  sqlite3_bind_int(add, 6, parked && a->blocks);
  outbox_bind_str(add, 7, item->kind);
  outbox_bind_blob(add, 8, label.ptr, label.len);
  outbox_bind_str(add, 9, a->parked);
  sqlite3_bind_int64(add, 10, (int64_t)bytes_of(item));
  sqlite3_bind_int64(add, 11, a->data_key->id);
  outbox_bind_blob(add, 12, a->drawn.salt, SALT_BYTES);
  sqlite3_bind_int64(add, 13, a->now);
  if (item->subject.len) outbox_bind_blob(add, 14, a->subject, MARK_BYTES);
  sqlite3_bind_int64(add, 15, item->revision);
  outbox_bind_blob(add, 16, a->drawn.payload_salt, PAYLOAD_SALT_BYTES);
  enum status status = outbox_fresh_add(a->outbox, a->lane, a->id, holds);
  if (status != STATUS_OK) return status;
  outbox_count(a->outbox, a->destination, state, 1);
  return outbox_run(a->outbox, add);
}

static enum status add_payload(struct accepting *a, struct str sealed) {
  sqlite3_stmt *add = outbox_statement(a->outbox, STATEMENT_PAYLOAD_ADD);
  sqlite3_bind_int64(add, 1, a->id);
  outbox_bind_blob(add, 2, sealed.ptr, sealed.len);
  return outbox_run(a->outbox, add);
}

/* Its turn may be now. */
static void hand_over(const struct accepting *a) {
  const struct outbox_item *item = a->item;
  struct outbox_handed handed = {.id = a->id,
                                 .destination = a->destination,
                                 .lane = a->lane,
                                 .accepted_at = a->now,
                                 .revision = item->revision,
                                 .is_revision = item->subject.len != 0,
                                 .bytes = bytes_of(item)};
  memcpy(handed.subject, a->subject, MARK_BYTES);
  if (!a->parked.len) outbox_hand_over(a->outbox, &handed, item->kind, item->label, item->payload);
}

static enum status add_sealed(struct accepting *a) {
  unsigned char record[OUTBOX_KEY_BYTES] = {0}, key[OUTBOX_KEY_BYTES] = {0};
  struct str label, payload;
  enum status status = make_keys(a, record, key);
  enum seal_use use = a->item->payload.len < bytes_of(a->item) ? SEAL_PRESSED : SEAL_PAYLOAD;
  if (status == STATUS_OK) status = seal(a, SEAL_LABEL, record, a->item->label, &label);
  if (status == STATUS_OK) status = seal(a, use, key, a->item->payload, &payload);
  OPENSSL_cleanse(record, sizeof record);
  OPENSSL_cleanse(key, sizeof key);
  if (status == STATUS_OK) status = add_record(a, label);
  if (status == STATUS_OK) status = add_payload(a, payload);
  if (status == STATUS_OK) hand_over(a);
  return status;
}

static enum status add_item(struct accepting *a) {
  enum status status = outbox_item_press(&a->pressed, a->outbox->scratch);
  if (status == STATUS_OK) status = outbox_destination_id(a->outbox, a->item->destination, true, &a->destination);
  if (status == STATUS_OK) status = judge_revision(a);
  if (status == STATUS_OK) status = find_lane(a);
  if (status == STATUS_OK) status = add_sealed(a);
  /* a lane without a head may have one that is being sent, or is blocked: only its oldest open record says */
  if (status == STATUS_OK && a->headless) status = outbox_lane_turn(a->outbox, a->lane);
  if (status != STATUS_OK) return status;
  struct outbox_event event = {
      .at = a->now, .record = a->id, .what = STR("accepted"), .reason = a->parked};
  return a->key ? outbox_audit_add_key(a->outbox, &event, a->key) : outbox_audit_add(a->outbox, &event);
}

/* --- the whole --- */

static enum status add_items(struct outbox *outbox, const struct outbox_message *message, const struct outbox_dedupe *key, int64_t now,
                             int64_t *ids) {
  enum status status = STATUS_OK;
  for (size_t i = 0; status == STATUS_OK && i < message->item_count; i++) {
    struct accepting a = {
        .outbox = outbox, .pressed = message->items[i], .item = &a.pressed, .id = outbox->now.next_id++, .key = i ? NULL : key, .now = now};
    struct arena_mark mark = arena_mark(outbox->scratch);
    status = add_item(&a);
    arena_rewind(outbox->scratch, mark);
    if (message->older && a.older) ++*message->older;
    if (ids) ids[i] = a.id;
  }
  return status;
}

static void answer_again(struct outbox *outbox, const struct outbox_message *message, int64_t first,
                         int64_t *ids) {
  outbox->now.duplicates++;
  for (size_t i = 0; ids && i < message->item_count; i++)
    ids[i] = i ? 0 : first;
}

enum status outbox_accept(struct outbox *outbox, const struct outbox_message *message, int64_t now,
                          struct diag_list *diags, enum outbox_answer *answer, int64_t *ids) {
  int64_t first = outbox->now.next_id;
  *answer = OUTBOX_ACCEPTED;
  arena_reset(outbox->scratch);
  enum status status = outbox_begin(outbox);
  if (status != STATUS_OK) return status;
  struct outbox_dedupe dedupe = outbox_dedupe_of(outbox, message);
  status = outbox_dedupe_find(outbox, &dedupe, answer, &first);
  if (status == STATUS_OK && (*answer == OUTBOX_AGAIN || *answer == OUTBOX_DIFFERENT_AGAIN)) {
    answer_again(outbox, message, first, ids);
    return STATUS_OK;
  }
  if (status != STATUS_OK && status != STATUS_NOT_FOUND) return outbox_end(outbox, status);
  status = check(outbox, message, diags);
  if (status != STATUS_OK) return status; /* nothing was changed: the group stays */
  /* keys of one name are told apart by the number of what came with them, in the order in which they came */
  if (!message->item_count) outbox->now.next_id++;
  status = add_items(outbox, message, &dedupe, now, ids);
  if (status == STATUS_OK && !message->item_count) status = outbox_dedupe_add(outbox, &dedupe, first, now);
  if (status == STATUS_OK) outbox->now.accepted += message->item_count;
  return outbox_end(outbox, status);
}
