/* audit.c - the trail: each event is chained to the one before by an HMAC, so none can be changed, taken out
   or put in by somebody who does not have the store key. */
#include <openssl/crypto.h>
#include <stdio.h>
#include "outbox/internal.h"

/* Words of more than these, in a row, were not written by this program. */
enum { WORDS_MAX = 2 * OUTBOX_NAME_MAX + OUTBOX_REASON_MAX, CHAIN_TEXT = CHAIN_BYTES + 6 * 21 + WORDS_MAX };

static bool fits(const struct outbox_event *event) {
  return event->what.len <= OUTBOX_NAME_MAX && event->actor.len <= OUTBOX_NAME_MAX &&
         event->reason.len <= OUTBOX_REASON_MAX;
}

/* In decimal digits, with `behind` behind it: printf takes as long for them as the chain itself. */
static char *put_number(char *at, int64_t number, char behind) {
  char digits[20];
  size_t from = sizeof digits;
  uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
  do
    digits[--from] = (char)('0' + rest % 10);
  while (rest /= 10);
  if (number < 0) *at++ = '-';
  memcpy(at, digits + from, sizeof digits - from);
  at += sizeof digits - from;
  *at++ = behind;
  return at;
}

/* chain = HMAC(chain before, number, time, record, words), each word with its length. */
static void chain_of(const struct outbox *outbox, const unsigned char before[CHAIN_BYTES], const struct outbox_event *event,
                     unsigned char out[CHAIN_BYTES]) {
  const int64_t numbers[] = {event->number, event->at, event->record};
  const struct str words[] = {event->what, event->actor, event->reason};
  char text[CHAIN_TEXT], *at = text + CHAIN_BYTES;
  memcpy(text, before, CHAIN_BYTES);
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
    at = put_number(at, numbers[i], ' ');
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    at = put_number(at, (int64_t)words[i].len, ':');
    if (words[i].len) memcpy(at, words[i].ptr, words[i].len);
    at += words[i].len;
  }
  outbox_chain(outbox, str_make(text, (size_t)(at - text)), out);
}

/* --- the anchor --- */

/* No event's text goes on with a letter after the chain. */
static void seal_anchor(const struct outbox *outbox, int64_t number, int64_t record, const unsigned char chain[CHAIN_BYTES],
                        unsigned char out[CHAIN_BYTES]) {
  char text[CHAIN_BYTES + 64];
  memcpy(text, chain, CHAIN_BYTES);
  int len = snprintf(text + CHAIN_BYTES, sizeof text - CHAIN_BYTES, "anchor %lld %lld", (long long)number, (long long)record);
  outbox_chain(outbox, str_make(text, CHAIN_BYTES + (size_t)len), out);
}

/* One that other hands have made is none: then the events before it are missing. */
static enum status load_anchor(struct outbox *outbox) {
  unsigned char seal[CHAIN_BYTES];
  sqlite3_stmt *get = outbox_statement(outbox, STATEMENT_ANCHOR_GET);
  enum status status = outbox_row_step(outbox, get);
  if (status == STATUS_OK) {
    struct str chain = outbox_column_str(get, 1), stored = outbox_column_str(get, 3);
    int64_t number = sqlite3_column_int64(get, 0), record = sqlite3_column_int64(get, 2);
    bool whole = chain.len == CHAIN_BYTES && stored.len == CHAIN_BYTES;
    if (whole) seal_anchor(outbox, number, record, (const unsigned char *)chain.ptr, seal);
    if (whole && memcmp(seal, stored.ptr, CHAIN_BYTES) == 0) {
      outbox->now.anchor_number = number;
      memcpy(outbox->now.anchor_chain, chain.ptr, CHAIN_BYTES);
    }
  }
  sqlite3_reset(get);
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status put_anchor(struct outbox *outbox, int64_t number, const unsigned char chain[CHAIN_BYTES]) {
  unsigned char seal[CHAIN_BYTES];
  int64_t record = outbox->now.next_id - 1; /* numbers of records are not given twice, also when nothing tells of them any more */
  seal_anchor(outbox, number, record, chain, seal);
  sqlite3_stmt *put = outbox_statement(outbox, STATEMENT_ANCHOR_PUT);
  sqlite3_bind_int64(put, 1, number);
  outbox_bind_blob(put, 2, chain, CHAIN_BYTES);
  sqlite3_bind_int64(put, 3, record);
  outbox_bind_blob(put, 4, seal, CHAIN_BYTES);
  enum status status = outbox_run(outbox, put);
  sqlite3_stmt *drop = outbox_statement(outbox, STATEMENT_ANCHOR_DROP);
  sqlite3_bind_int64(drop, 1, number);
  if (status == STATUS_OK) status = outbox_run(outbox, drop);
  if (status != STATUS_OK) return status;
  outbox->now.anchor_number = number;
  memcpy(outbox->now.anchor_chain, chain, CHAIN_BYTES);
  return status;
}

static enum status find_chain(struct outbox *outbox, int64_t number, unsigned char out[CHAIN_BYTES]) {
  sqlite3_stmt *at = outbox_statement(outbox, STATEMENT_AUDIT_AT);
  sqlite3_bind_int64(at, 1, number);
  enum status status = outbox_row_step(outbox, at);
  struct str chain = status == STATUS_OK ? outbox_column_str(at, 0) : (struct str){0};
  if (chain.len == CHAIN_BYTES) memcpy(out, chain.ptr, CHAIN_BYTES);
  sqlite3_reset(at);
  return status;
}

enum status outbox_audit_exported(struct outbox *outbox, int64_t number, struct str actor, int64_t now) {
  unsigned char chain[CHAIN_BYTES] = {0};
  char reason[OUTBOX_REASON_MAX];
  (void)snprintf(reason, sizeof reason, "through-%lld", (long long)number);
  struct outbox_event event = {.at = now, .what = STR("trail-exported"), .actor = actor, .reason = str_of(reason)};
  if (!fits(&event)) return STATUS_INVALID;
  enum status status = outbox_begin(outbox);
  if (status == STATUS_OK && number <= outbox->now.anchor_number) return STATUS_CONFLICT;
  if (status == STATUS_OK) status = find_chain(outbox, number, chain);
  if (status == STATUS_OK) status = put_anchor(outbox, number, chain);
  if (status == STATUS_OK) status = outbox_audit_add(outbox, &event);
  return outbox_end(outbox, status);
}

/* --- the end of the trail --- */

enum status outbox_audit_load(struct outbox *outbox) {
  sqlite3_stmt *last = outbox_statement(outbox, STATEMENT_AUDIT_LAST);
  enum status status = outbox_row_step(outbox, last);
  if (status == STATUS_OK) {
    struct str chain = outbox_column_str(last, 1);
    outbox->now.audit_number = sqlite3_column_int64(last, 0);
    if (chain.len == CHAIN_BYTES) memcpy(outbox->now.audit_chain, chain.ptr, CHAIN_BYTES);
  }
  sqlite3_reset(last);
  return status == STATUS_NOT_FOUND || status == STATUS_OK ? load_anchor(outbox) : status;
}

static enum status add_event(struct outbox *outbox, const struct outbox_event *given, const struct outbox_dedupe *key) {
  unsigned char chain[CHAIN_BYTES];
  struct outbox_event event = *given;
  event.number = outbox->now.audit_number + 1;
  if (!fits(&event)) return STATUS_INVALID;
  chain_of(outbox, outbox->now.audit_chain, &event, chain);
  sqlite3_stmt *add = outbox_statement(outbox, STATEMENT_AUDIT_ADD);
  sqlite3_bind_int64(add, 1, event.number);
  sqlite3_bind_int64(add, 2, event.at);
  sqlite3_bind_int64(add, 3, event.record);
  outbox_bind_str(add, 4, event.what);
  outbox_bind_str(add, 5, event.actor);
  outbox_bind_str(add, 6, event.reason);
  outbox_bind_blob(add, 7, chain, CHAIN_BYTES);
  if (key) outbox_bind_blob(add, 8, key->mark, MARK_BYTES);
  if (key) outbox_bind_blob(add, 9, key->digest, MARK_BYTES);
  enum status status = outbox_run(outbox, add);
  if (status != STATUS_OK) return status;
  outbox->now.audit_number = event.number;
  memcpy(outbox->now.audit_chain, chain, CHAIN_BYTES);
  return STATUS_OK;
}

enum status outbox_audit_add(struct outbox *outbox, const struct outbox_event *event) {
  return add_event(outbox, event, NULL);
}

enum status outbox_audit_add_key(struct outbox *outbox, const struct outbox_event *event, const struct outbox_dedupe *key) {
  enum status status = outbox_dedupe_room(outbox);
  if (status == STATUS_OK) status = add_event(outbox, event, key);
  if (status == STATUS_OK) outbox_dedupe_note(outbox, key, outbox->now.audit_number, event->at);
  return status;
}

enum status outbox_audit(struct outbox *outbox, struct str what, struct str actor, struct str reason,
                         int64_t now) {
  struct outbox_event event = {.at = now, .what = what, .actor = actor, .reason = reason};
  if (!fits(&event)) return STATUS_INVALID;
  enum status status = outbox_begin(outbox);
  if (status == STATUS_OK) status = outbox_audit_add(outbox, &event);
  return outbox_end(outbox, status);
}

/* --- reading --- */

struct reading {
  struct outbox *outbox;
  struct arena *arena;
  struct diag_list *diags;
  unsigned char chain[CHAIN_BYTES]; /* of the event before */
  int64_t number;
};

/* Before the anchor there is nothing to be read. */
static enum status start(struct reading *reading, int64_t after) {
  const struct outbox_memory *now = &reading->outbox->now;
  reading->number = after > now->anchor_number ? after : now->anchor_number;
  if (reading->number == 0) return STATUS_OK;
  if (reading->number > now->anchor_number) return find_chain(reading->outbox, after, reading->chain);
  memcpy(reading->chain, now->anchor_chain, CHAIN_BYTES);
  return STATUS_OK;
}

static enum status broken(struct reading *reading, int64_t number) {
  outbox_refuse(reading->diags, reading->outbox->path,
                "the audit trail is broken at event %lld: it was changed by other hands", (long long)number);
  return STATUS_INVALID;
}

static void write_hex(const unsigned char *bytes, size_t count, char *out) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < count; i++) {
    *out++ = digits[bytes[i] >> 4];
    *out++ = digits[bytes[i] & 15];
  }
  *out = '\0';
}

void outbox_id(const struct outbox *outbox, char out[OUTBOX_ID_TEXT]) {
  write_hex(outbox->store_id, STORE_ID_BYTES, out);
}

static enum status read_event(struct reading *reading, sqlite3_stmt *row, struct outbox_event *out) {
  unsigned char chain[CHAIN_BYTES];
  struct str stored = outbox_column_str(row, 6);
  *out = (struct outbox_event){.number = sqlite3_column_int64(row, 0),
                               .at = sqlite3_column_int64(row, 1),
                               .record = sqlite3_column_int64(row, 2),
                               .what = arena_str(reading->arena, outbox_column_str(row, 3)),
                               .actor = arena_str(reading->arena, outbox_column_str(row, 4)),
                               .reason = arena_str(reading->arena, outbox_column_str(row, 5))};
  if (!out->what.ptr || !out->actor.ptr || !out->reason.ptr) return STATUS_NOMEM;
  if (!fits(out)) return broken(reading, reading->number + 1);
  chain_of(reading->outbox, reading->chain, out, chain);
  if (out->number != ++reading->number || stored.len != CHAIN_BYTES ||
      memcmp(chain, stored.ptr, CHAIN_BYTES) != 0)
    return broken(reading, reading->number);
  memcpy(reading->chain, chain, CHAIN_BYTES);
  char *text = arena_alloc(reading->arena, 2 * CHAIN_BYTES + 1);
  if (!text) return STATUS_NOMEM;
  write_hex(chain, CHAIN_BYTES, text);
  out->chain = str_make(text, 2 * CHAIN_BYTES);
  return STATUS_OK;
}

enum status outbox_audit_read(struct outbox *outbox, int64_t after, size_t limit, struct arena *arena,
                              struct diag_list *diags, struct outbox_event **out, size_t *count) {
  struct reading reading = {.outbox = outbox, .arena = arena, .diags = diags};
  *count = 0;
  *out = ARENA_ARRAY(arena, struct outbox_event, limit ? limit : 1);
  if (!*out) return STATUS_NOMEM;
  enum status status = outbox->failed ? STATUS_IO : start(&reading, after);
  if (status != STATUS_OK) return status;
  sqlite3_stmt *rows = outbox_statement(outbox, STATEMENT_AUDIT_READ);
  sqlite3_bind_int64(rows, 1, reading.number);
  sqlite3_bind_int64(rows, 2, (int64_t)limit);
  while (status == STATUS_OK && *count < limit && (status = outbox_row_step(outbox, rows)) == STATUS_OK) {
    status = read_event(&reading, rows, &(*out)[*count]);
    if (status == STATUS_OK) (*count)++;
  }
  sqlite3_reset(rows);
  /* the end of the trail is what this process wrote last, or read when it opened the store */
  if (status == STATUS_NOT_FOUND && reading.number != outbox->now.audit_number)
    return broken(&reading, reading.number + 1);
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* --- what was read before --- */

static bool read_chain(struct str text, unsigned char out[CHAIN_BYTES]) {
  static const char digits[] = "0123456789abcdef";
  if (text.len != 2 * CHAIN_BYTES) return false;
  for (size_t i = 0; i < text.len; i++) {
    const char *digit = text.ptr[i] ? strchr(digits, text.ptr[i]) : NULL;
    if (!digit) return false;
    out[i / 2] = (unsigned char)(out[i / 2] << 4 | (unsigned char)(digit - digits));
  }
  return true;
}

enum status outbox_audit_check(const struct outbox *outbox, struct str before, const struct outbox_event *events, size_t count,
                               size_t *sound) {
  unsigned char chain[CHAIN_BYTES] = {0}, own[CHAIN_BYTES];
  *sound = 0;
  if (before.len && !read_chain(before, chain)) return STATUS_INVALID;
  for (; *sound < count && fits(&events[*sound]); ++*sound) {
    chain_of(outbox, chain, &events[*sound], own);
    if (!read_chain(events[*sound].chain, chain) || CRYPTO_memcmp(own, chain, CHAIN_BYTES) != 0) break;
  }
  return STATUS_OK;
}
