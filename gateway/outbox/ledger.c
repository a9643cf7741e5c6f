/* ledger.c - what servers call what was sent, and a digest of it.
 *
 * The mark of a place begins with the mark of its family: what begins alike in its record's key stands side by side, on few
 * pages, and of a record that is new one question tells that nothing of it is here. A family is told by the key alone, which is
 * told by what the identifier is made of: a place has one row, whichever record wrote it last. To tell families by another rule
 * is another schema: of two rows the older would say that what has changed since need not be sent.
 */
#include <openssl/crypto.h>
#include "outbox/internal.h"

enum { FAMILY_BYTES = 4, PACKED_BYTES = DIGEST_BYTES, AS_TEXT = 't', PACKED = 'p' };

/* Sealed under the ledger's key with a random nonce: some 65 places a record, 2^24 records a data key. */
static struct seal_place ledger_place(int64_t destination, const unsigned char mark[MARK_BYTES]) {
  struct seal_place place = {.use = SEAL_LEDGER, .destination = destination};
  memcpy(&place.record, mark, sizeof place.record);
  memcpy(&place.lane, mark + sizeof place.record, sizeof place.lane);
  return place;
}

/* --- marks --- */

/* "S-000412" of "S-000412/doses/A1", "patient/MRN-1" of "patient/MRN-1/coverage/1": up to and with the first part that has a
   digit; all of a key that has none. */
static struct str family_of(struct str key) {
  bool digit = false;
  for (size_t i = 0; i < key.len; i++) {
    if (key.ptr[i] == '/' && digit) return str_slice(key, 0, i);
    digit |= key.ptr[i] >= '0' && key.ptr[i] <= '9';
  }
  return key;
}

static void mark_text(struct outbox *outbox, char domain, struct str text, unsigned char out[MARK_BYTES]) {
  struct outbox_digest digest = outbox_digest(text);
  outbox_mark(outbox, domain, &digest, 1, out);
}

/* As schema 4 had it, and the end of what it is now. */
static void mark_alone(struct outbox *outbox, struct str identifier, unsigned char out[MARK_BYTES]) {
  mark_text(outbox, 'i', identifier, out);
}

static void mark_of(struct outbox *outbox, struct str identifier, unsigned char out[MARK_BYTES]) {
  unsigned char alone[MARK_BYTES];
  mark_alone(outbox, identifier, alone);
  memcpy(out, outbox->family.mark, FAMILY_BYTES);
  memcpy(out + FAMILY_BYTES, alone, MARK_BYTES - FAMILY_BYTES);
}

/* Whether the ledger has anything of the destination's family. */
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
  struct str text = family_of(key);
  unsigned char mark[MARK_BYTES];
  if (family->known && str_eq(str_make(family->text, family->len), text)) return;
  *family = (struct outbox_family){.known = text.len <= sizeof family->text};
  mark_text(outbox, 'f', text, mark);
  memcpy(family->mark, mark, FAMILY_BYTES);
  family->len = family->known ? text.len : 0;
  if (family->len) memcpy(family->text, text.ptr, text.len);
}

/* --- what is kept in memory: a clinic's organization, staff and devices are asked for with every record --- */

static struct outbox_kept *kept_at(struct outbox *outbox, struct str identifier) {
  return &outbox->kept[str_hash(identifier) % LEDGER_KEPT];
}

static bool is_of(const struct outbox_kept *kept, int64_t destination, struct str identifier) {
  return kept->len && kept->destination == destination && str_eq(str_make(kept->identifier, kept->identifier_len), identifier);
}

static void keep(struct outbox *outbox, int64_t destination, struct str identifier, struct str text) {
  struct outbox_kept *kept = kept_at(outbox, identifier);
  bool fits = text.len <= sizeof kept->text && identifier.len && identifier.len <= sizeof kept->identifier;
  kept->destination = destination;
  kept->identifier_len = fits ? identifier.len : 0;
  kept->len = fits ? text.len : 0;
  if (fits) memcpy(kept->identifier, identifier.ptr, identifier.len);
  if (fits) memcpy(kept->text, text.ptr, text.len);
}

void outbox_ledger_forget(struct outbox *outbox) {
  OPENSSL_cleanse(outbox->kept, sizeof outbox->kept);
  OPENSSL_cleanse(&outbox->family, sizeof outbox->family);
}

/* --- the text of a place: how its digest stands, location and etag each with an end of line, the digest --- */

static bool pack(struct str digest, unsigned char out[PACKED_BYTES]) {
  static const char digits[] = "0123456789abcdef";
  if (digest.len != 2 * PACKED_BYTES) return false;
  for (size_t i = 0; i < digest.len; i++) {
    const char *at = memchr(digits, digest.ptr[i], sizeof digits - 1);
    if (!at) return false;
    out[i / 2] = (unsigned char)(out[i / 2] << 4 | (at - digits));
  }
  return true;
}

static struct str unpack(struct str packed, struct arena *arena) {
  static const char digits[] = "0123456789abcdef";
  char text[2 * PACKED_BYTES];
  if (packed.len != PACKED_BYTES) return (struct str){0};
  for (size_t i = 0; i < PACKED_BYTES; i++) {
    text[2 * i] = digits[(unsigned char)packed.ptr[i] >> 4];
    text[2 * i + 1] = digits[packed.ptr[i] & 15];
  }
  return arena_str(arena, str_make(text, sizeof text));
}

static struct str write_text(const struct outbox_place *place, struct arena *arena) {
  unsigned char packed[PACKED_BYTES];
  bool packs = pack(place->digest, packed);
  struct str head = arena_printf(arena, "%c%.*s\n%.*s\n", packs ? PACKED : AS_TEXT, STR_ARG(place->location), STR_ARG(place->etag));
  return head.ptr ? arena_concat(arena, head, packs ? str_make((const char *)packed, sizeof packed) : place->digest) : head;
}

/* The parts are views of the text, but for a digest that was packed. */
static enum status read_text(struct str text, struct arena *arena, struct outbox_place *out) {
  size_t first = str_find_char(text, '\n', 0), second = str_find_char(text, '\n', first + 1);
  if (first == SIZE_MAX || first == 0 || second == SIZE_MAX) return STATUS_INVALID;
  out->location = str_slice(text, 1, first);
  out->etag = str_slice(text, first + 1, second);
  out->digest = str_slice(text, second + 1, text.len);
  if (text.ptr[0] == PACKED) out->digest = unpack(out->digest, arena);
  return out->digest.ptr ? STATUS_OK : STATUS_NOMEM;
}

/* --- the tables --- */

static enum status read_row(struct outbox *outbox, enum outbox_statement which, int64_t where,
                            const unsigned char mark[MARK_BYTES], struct arena *arena, struct str *text) {
  struct seal_place place = ledger_place(where, mark);
  sqlite3_stmt *get = outbox_statement(outbox, which);
  sqlite3_bind_int64(get, 1, where);
  outbox_bind_blob(get, 2, mark, MARK_BYTES);
  enum status status = outbox_row_step(outbox, get);
  if (status == STATUS_OK)
    status = outbox_unseal(outbox, outbox->root_ledger, &place, outbox_column_str(get, 0), arena, text);
  sqlite3_reset(get);
  return status;
}

/* What schema 4 wrote stands by the identifier alone until it is written again. */
static enum status read_old(struct outbox *outbox, int64_t where, struct str identifier, struct arena *arena, struct str *text) {
  unsigned char mark[MARK_BYTES];
  struct str old = {0};
  mark_alone(outbox, identifier, mark);
  enum status status = read_row(outbox, STATEMENT_LEDGER_OLD_GET, where, mark, arena, &old);
  if (status != STATUS_OK) return status;
  *text = arena_concat(arena, str_make((const char[]){AS_TEXT}, 1), old);
  return text->ptr ? STATUS_OK : STATUS_NOMEM;
}

static enum status drop_old(struct outbox *outbox, int64_t where, struct str identifier) {
  unsigned char mark[MARK_BYTES];
  mark_alone(outbox, identifier, mark);
  sqlite3_stmt *drop = outbox_statement(outbox, STATEMENT_LEDGER_OLD_DROP);
  sqlite3_bind_int64(drop, 1, where);
  outbox_bind_blob(drop, 2, mark, MARK_BYTES);
  return outbox_run(outbox, drop);
}

static enum status read_place(struct outbox *outbox, int64_t where, struct str key, struct str identifier,
                              struct arena *arena, struct str *text) {
  struct outbox_family *family = &outbox->family;
  unsigned char mark[MARK_BYTES];
  bool any = true;
  turn_to_family(outbox, key);
  enum status status = STATUS_NOT_FOUND;
  if (family->empty_at != where) {
    status = ask_family(outbox, where, &any);
    if (status == STATUS_OK && !any) family->empty_at = where;
    if (status == STATUS_OK && any) mark_of(outbox, identifier, mark);
    if (status == STATUS_OK) status = any ? read_row(outbox, STATEMENT_LEDGER_GET, where, mark, arena, text) : STATUS_NOT_FOUND;
  }
  if (status == STATUS_NOT_FOUND && outbox->old_places) status = read_old(outbox, where, identifier, arena, text);
  if (status == STATUS_OK) keep(outbox, where, identifier, *text);
  return status;
}

static enum status put_row(struct outbox *outbox, int64_t where, struct str identifier, struct str text, int64_t now) {
  unsigned char mark[MARK_BYTES];
  struct str sealed = {0};
  mark_of(outbox, identifier, mark);
  struct seal_place place = ledger_place(where, mark);
  enum status status = outbox_seal(outbox, outbox->root_ledger, &place, text, outbox->scratch, &sealed);
  if (status != STATUS_OK) return status;
  sqlite3_stmt *put = outbox_statement(outbox, STATEMENT_LEDGER_PUT);
  sqlite3_bind_int64(put, 1, where);
  outbox_bind_blob(put, 2, mark, MARK_BYTES);
  outbox_bind_blob(put, 3, sealed.ptr, sealed.len);
  sqlite3_bind_int64(put, 4, now);
  outbox->family.empty_at = 0;
  return outbox_run(outbox, put);
}

enum status outbox_ledger_load(struct outbox *outbox) {
  return outbox_is_there(outbox, outbox_statement(outbox, STATEMENT_LEDGER_OLD_ANY), &outbox->old_places);
}

/* --- the whole --- */

enum status outbox_ledger_put(struct outbox *outbox, struct str destination, struct str key, struct str identifier,
                              const struct outbox_place *what, int64_t now) {
  int64_t where = 0;
  if (what->location.len + what->etag.len + what->digest.len > LIMIT_OUTBOX_LABEL || destination.len > OUTBOX_NAME_MAX)
    return STATUS_INVALID;
  if (str_find_char(what->location, '\n', 0) != SIZE_MAX || str_find_char(what->etag, '\n', 0) != SIZE_MAX)
    return STATUS_INVALID;
  arena_reset(outbox->scratch);
  struct str text = write_text(what, outbox->scratch);
  enum status status = text.ptr ? outbox_begin(outbox) : STATUS_NOMEM;
  if (status == STATUS_OK) status = outbox_destination_id(outbox, destination, true, &where);
  if (status == STATUS_OK) turn_to_family(outbox, key);
  if (status == STATUS_OK) status = put_row(outbox, where, identifier, text, now);
  if (status == STATUS_OK && outbox->old_places) status = drop_old(outbox, where, identifier);
  /* what is new is seldom asked for: it does not push out what is */
  if (status == STATUS_OK && is_of(kept_at(outbox, identifier), where, identifier)) keep(outbox, where, identifier, text);
  return outbox_end(outbox, status);
}

enum status outbox_ledger_get(struct outbox *outbox, struct str destination, struct str key, struct str identifier,
                              struct arena *arena, struct outbox_place *out) {
  int64_t where = 0;
  struct str text = {0};
  enum status status = outbox->failed ? STATUS_IO : outbox_destination_id(outbox, destination, false, &where);
  if (status != STATUS_OK) return status;
  const struct outbox_kept *kept = kept_at(outbox, identifier);
  if (is_of(kept, where, identifier))
    text = arena_str(arena, str_make(kept->text, kept->len));
  else
    status = read_place(outbox, where, key, identifier, arena, &text);
  if (status == STATUS_OK && !text.ptr) status = STATUS_NOMEM;
  return status == STATUS_OK ? read_text(text, arena, out) : status;
}
