/* ledger.c - what servers call what was sent, and a digest of it.
 *
 * A family is told by the key alone, which is told by what the identifier is made of: a place is in one row (family.c), whichever
 * record wrote it last. To tell families by another rule is another schema: of two rows the older would say that what has changed
 * since need not be sent. Until schema 6 each place had a row of its own, whose mark began with that of its family; until schema 4 it
 * stood by the identifier alone. Whose places these are nobody knows but who asks for them: each goes to its family when it is
 * written again.
 */
#include <openssl/crypto.h>
#include <stdlib.h>
#include "outbox/internal.h"

enum { FAMILY_BYTES = 4, AS_TEXT = 't', PACKED = 'p' };
enum { PUT_MAX = OUTBOX_SCRATCH / (4 * LIMIT_OUTBOX_LABEL) /* places at a time */ };

/* "S-000412" of "S-000412/doses/A1", "patient/MRN-1" of "patient/MRN-1/coverage/1": up to and with the first part that has a
   digit; all of a key that has none. */
struct str outbox_family_of(struct str key) {
  bool digit = false;
  for (size_t i = 0; i < key.len; i++) {
    if (key.ptr[i] == '/' && digit) return str_slice(key, 0, i);
    digit |= key.ptr[i] >= '0' && key.ptr[i] <= '9';
  }
  return key;
}

static bool is_valid(const struct outbox_placed *placed) {
  return placed->place.location.len + placed->place.etag.len + placed->place.digest.len <= LIMIT_OUTBOX_LABEL;
}

/* --- what older schemas wrote: marks --- */

static void mark_text(struct outbox *outbox, char domain, struct str text, unsigned char out[MARK_BYTES]) {
  struct outbox_digest digest = outbox_digest(text);
  outbox_mark(outbox, domain, &digest, 1, out);
}

/* As schema 4 had it, and the end of what it was then. */
static void mark_alone(struct outbox *outbox, struct str identifier, unsigned char out[MARK_BYTES]) {
  mark_text(outbox, 'i', identifier, out);
}

static void mark_of(struct outbox *outbox, struct str identifier, unsigned char out[MARK_BYTES]) {
  unsigned char alone[MARK_BYTES];
  mark_alone(outbox, identifier, alone);
  memcpy(out, outbox->family.mark, FAMILY_BYTES);
  memcpy(out + FAMILY_BYTES, alone, MARK_BYTES - FAMILY_BYTES);
}

/* Whether schema 6 has anything of the destination's family. */
static enum status ask_family(struct outbox *outbox, int64_t destination, bool *out) {
  unsigned char last[MARK_BYTES];
  memset(last, 0xff, sizeof last);
  memcpy(last, outbox->family.mark, FAMILY_BYTES);
  sqlite3_stmt *find = outbox_statement(outbox, STATEMENT_LEDGER_FAMILY);
  sqlite3_bind_int64(find, 1, destination);
  outbox_bind_blob(find, 2, outbox->family.mark, FAMILY_BYTES);
  outbox_bind_blob(find, 3, last, sizeof last);
  return outbox_is_there(outbox, find, out);
}

/* The entries of a record follow each other: the family that was asked for last is asked for again. */
static void turn_to_family(struct outbox *outbox, struct str key) {
  struct outbox_family *family = &outbox->family;
  struct str text = outbox_family_of(key);
  unsigned char mark[MARK_BYTES];
  if (family->known && str_eq(str_make(family->text, family->len), text)) return;
  *family = (struct outbox_family){.known = text.len <= sizeof family->text};
  mark_text(outbox, 'f', text, mark);
  memcpy(family->mark, mark, FAMILY_BYTES);
  family->len = family->known ? text.len : 0;
  if (family->len) memcpy(family->text, text.ptr, text.len);
}

/* --- and what of it is kept in memory: a clinic's organization, staff and devices are asked for with every record, and not written
   again while they are what they were --- */

static struct outbox_earlier *earlier_at(struct outbox *outbox, struct str identifier) {
  return &outbox->earlier[str_hash(identifier) % LEDGER_KEPT];
}

static bool is_of(const struct outbox_earlier *kept, int64_t destination, struct str identifier) {
  return kept->len && kept->destination == destination && str_eq(str_make(kept->identifier, kept->identifier_len), identifier);
}

static void keep(struct outbox *outbox, int64_t destination, struct str identifier, struct str text) {
  struct outbox_earlier *kept = earlier_at(outbox, identifier);
  bool fits = text.len <= sizeof kept->text && identifier.len && identifier.len <= sizeof kept->identifier;
  kept->destination = destination;
  kept->identifier_len = fits ? identifier.len : 0;
  kept->len = fits ? text.len : 0;
  if (fits) memcpy(kept->identifier, identifier.ptr, identifier.len);
  if (fits) memcpy(kept->text, text.ptr, text.len);
}

void outbox_ledger_forget(struct outbox *outbox) {
  outbox_families_forget(outbox);
  OPENSSL_cleanse(outbox->earlier, sizeof outbox->earlier);
  OPENSSL_cleanse(&outbox->family, sizeof outbox->family);
}

/* --- and its text: how its digest stands, location and etag each with an end of line, the digest --- */

/* The parts are views of the text, but for a digest that was packed. */
static enum status read_text(struct str text, struct arena *arena, struct outbox_place *out) {
  size_t first = str_find_char(text, '\n', 0), second = str_find_char(text, '\n', first + 1);
  if (first == SIZE_MAX || first == 0 || second == SIZE_MAX) return STATUS_INVALID;
  out->location = str_slice(text, 1, first);
  out->etag = str_slice(text, first + 1, second);
  out->digest = str_slice(text, second + 1, text.len);
  if (text.ptr[0] == PACKED) out->digest = outbox_unpack(out->digest, arena);
  return out->digest.ptr ? STATUS_OK : STATUS_NOMEM;
}

/* --- and its tables --- */

static enum status read_row(struct outbox *outbox, enum outbox_statement which, int64_t where,
                            const unsigned char mark[MARK_BYTES], struct arena *arena, struct str *text) {
  struct seal_place place = outbox_place_of_mark(SEAL_LEDGER, where, mark);
  sqlite3_stmt *get = outbox_statement(outbox, which);
  sqlite3_bind_int64(get, 1, where);
  outbox_bind_blob(get, 2, mark, MARK_BYTES);
  enum status status = outbox_row_step(outbox, get);
  if (status == STATUS_OK)
    status = outbox_unseal(outbox, outbox->root_ledger, &place, outbox_column_str(get, 0), arena, text);
  sqlite3_reset(get);
  return status;
}

/* What schema 6 wrote. */
static enum status read_alone(struct outbox *outbox, int64_t where, struct str key, struct str identifier, struct arena *arena,
                              struct str *text) {
  unsigned char mark[MARK_BYTES];
  bool any = false;
  turn_to_family(outbox, key);
  if (outbox->family.empty_at == where) return STATUS_NOT_FOUND;
  enum status status = ask_family(outbox, where, &any);
  if (status == STATUS_OK && !any) outbox->family.empty_at = where;
  if (status != STATUS_OK || !any) return status == STATUS_OK ? STATUS_NOT_FOUND : status;
  mark_of(outbox, identifier, mark);
  return read_row(outbox, STATEMENT_LEDGER_GET, where, mark, arena, text);
}

/* What schema 4 wrote. */
static enum status read_old(struct outbox *outbox, int64_t where, struct str identifier, struct arena *arena, struct str *text) {
  unsigned char mark[MARK_BYTES];
  struct str old = {0};
  mark_alone(outbox, identifier, mark);
  enum status status = read_row(outbox, STATEMENT_LEDGER_OLD_GET, where, mark, arena, &old);
  if (status != STATUS_OK) return status;
  *text = arena_concat(arena, str_make((const char[]){AS_TEXT}, 1), old);
  return text->ptr ? STATUS_OK : STATUS_NOMEM;
}

static enum status read_earlier(struct outbox *outbox, int64_t where, struct str key, struct str identifier, struct arena *arena,
                                struct str *text) {
  enum status status = STATUS_NOT_FOUND;
  const struct outbox_earlier *kept = earlier_at(outbox, identifier);
  if (is_of(kept, where, identifier)) {
    *text = arena_str(arena, str_make(kept->text, kept->len));
    return text->ptr ? STATUS_OK : STATUS_NOMEM;
  }
  if (outbox->alone_places) status = read_alone(outbox, where, key, identifier, arena, text);
  if (status == STATUS_NOT_FOUND && outbox->old_places) status = read_old(outbox, where, identifier, arena, text);
  if (status == STATUS_OK) keep(outbox, where, identifier, *text);
  return status;
}

static enum status drop_row(struct outbox *outbox, enum outbox_statement which, int64_t where, const unsigned char mark[MARK_BYTES]) {
  sqlite3_stmt *drop = outbox_statement(outbox, which);
  sqlite3_bind_int64(drop, 1, where);
  outbox_bind_blob(drop, 2, mark, MARK_BYTES);
  return outbox_run(outbox, drop);
}

static enum status drop_earlier(struct outbox *outbox, int64_t where, const struct outbox_placed *placed) {
  unsigned char mark[MARK_BYTES];
  enum status status = STATUS_OK;
  struct outbox_earlier *kept = earlier_at(outbox, placed->identifier);
  if (is_of(kept, where, placed->identifier)) OPENSSL_cleanse(kept, sizeof *kept);
  turn_to_family(outbox, placed->key);
  mark_of(outbox, placed->identifier, mark);
  if (outbox->alone_places) status = drop_row(outbox, STATEMENT_LEDGER_DROP, where, mark);
  mark_alone(outbox, placed->identifier, mark);
  if (status == STATUS_OK && outbox->old_places) status = drop_row(outbox, STATEMENT_LEDGER_OLD_DROP, where, mark);
  return status;
}

static enum status drop_earlier_ones(struct outbox *outbox, int64_t where, const struct outbox_placed *placed, size_t count) {
  enum status status = STATUS_OK;
  for (size_t i = 0; status == STATUS_OK && i < count; i++)
    if (is_valid(&placed[i])) status = drop_earlier(outbox, where, &placed[i]);
  return status;
}

enum status outbox_ledger_load(struct outbox *outbox) {
  enum status status = outbox_is_there(outbox, outbox_statement(outbox, STATEMENT_LEDGER_OLD_ANY), &outbox->old_places);
  return status == STATUS_OK ? outbox_is_there(outbox, outbox_statement(outbox, STATEMENT_LEDGER_ANY), &outbox->alone_places) : status;
}

/* --- putting --- */

/* A place to be put. */
struct entry {
  struct str family, bytes;
  size_t at; /* in what was given */
};

/* By family, then as they stand in its row; of two of an identifier the later one first. */
static int by_family(const void *a, const void *b) {
  const struct entry *one = a, *other = b;
  int order = str_cmp(one->family, other->family);
  if (!order) order = outbox_entry_order(one->bytes, other->bytes);
  return order ? order : (one->at < other->at) - (one->at > other->at);
}

/* *used: less than `count` when some are not valid. */
static enum status write_entries(struct outbox *outbox, const struct outbox_placed *placed, size_t count, struct entry **out,
                                 size_t *used) {
  struct entry *entries = *out = ARENA_ARRAY(outbox->scratch, struct entry, count + 1);
  for (size_t i = 0; entries && i < count; i++) {
    if (!is_valid(&placed[i])) continue;
    struct entry *entry = &entries[(*used)++];
    *entry = (struct entry){.family = outbox_family_of(placed[i].key), .at = i};
    entry->bytes = outbox_entry_write(placed[i].identifier, &placed[i].place, outbox->scratch);
    if (!entry->bytes.ptr) return STATUS_NOMEM;
  }
  if (!entries) return STATUS_NOMEM;
  if (*used > 1) qsort(entries, *used, sizeof *entries, by_family);
  return STATUS_OK;
}

/* Those of the first one's family. */
static enum status put_family(struct outbox *outbox, int64_t where, const struct entry *entries, size_t count, int64_t now) {
  struct str *texts = ARENA_ARRAY(outbox->scratch, struct str, count);
  size_t used = 0;
  if (!texts) return STATUS_NOMEM;
  for (size_t i = 0; i < count; i++)
    if (i == 0 || outbox_entry_order(entries[i].bytes, texts[used - 1]) != 0) texts[used++] = entries[i].bytes;
  return outbox_family_put(outbox, where, entries[0].family, texts, used, now);
}

static enum status put_families(struct outbox *outbox, int64_t where, const struct entry *entries, size_t count, int64_t now) {
  enum status status = STATUS_OK;
  for (size_t from = 0, to = 0; status == STATUS_OK && from < count; from = to) {
    while (to < count && str_eq(entries[to].family, entries[from].family))
      to++;
    status = put_family(outbox, where, entries + from, to - from, now);
  }
  return status;
}

/* --- the whole --- */

/* *used: those that are valid. */
static enum status put_some(struct outbox *outbox, int64_t where, const struct outbox_placed *placed, size_t count, int64_t now,
                            size_t *used) {
  struct entry *entries = NULL;
  *used = 0;
  arena_reset(outbox->scratch);
  enum status status = write_entries(outbox, placed, count, &entries, used);
  if (status == STATUS_OK) status = put_families(outbox, where, entries, *used, now);
  if (status == STATUS_OK && (outbox->alone_places || outbox->old_places))
    status = drop_earlier_ones(outbox, where, placed, count);
  return status;
}

enum status outbox_ledger_put(struct outbox *outbox, struct str destination, const struct outbox_placed *placed, size_t count,
                              int64_t now) {
  int64_t where = 0;
  size_t put = 0, used = 0;
  if (destination.len > OUTBOX_NAME_MAX) return STATUS_INVALID;
  enum status status = outbox_begin(outbox);
  if (status == STATUS_OK) status = outbox_destination_id(outbox, destination, true, &where);
  /* of very many some at a time: all of them would be more than a call has memory for */
  for (size_t from = 0; status == STATUS_OK && from < count; from += PUT_MAX) {
    size_t some = count - from < PUT_MAX ? count - from : PUT_MAX;
    status = put_some(outbox, where, placed + from, some, now, &used);
    put += used;
  }
  if (status == STATUS_OK && put < count) status = STATUS_INVALID;
  return outbox_end(outbox, status);
}

enum status outbox_ledger_get(struct outbox *outbox, struct str destination, struct str key, struct str identifier,
                              struct arena *arena, struct outbox_place *out) {
  int64_t where = 0;
  struct str text = {0};
  enum status status = outbox->failed ? STATUS_IO : outbox_destination_id(outbox, destination, false, &where);
  if (status == STATUS_OK) status = outbox_family_find(outbox, where, outbox_family_of(key), identifier, &text);
  if (status == STATUS_OK) return outbox_entry_read(text, arena, out);
  if (status != STATUS_NOT_FOUND || !where || !(outbox->alone_places || outbox->old_places)) return status;
  status = read_earlier(outbox, where, key, identifier, arena, &text);
  return status == STATUS_OK ? read_text(text, arena, out) : status;
}
