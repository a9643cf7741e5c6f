/* family.c - rows of the ledger: all places of a family in one, or, when they are many, in several.
 *
 * What a row is, then its places in the order of their ids: id, the lengths of location, etag and digest, these three. A row of
 * more than OUTBOX_FAMILY_MAX places becomes a fork: they go to sixteen rows by the next half byte of their ids. So what is
 * written for a place does not grow with its family. Such rows are all written anew then, and what a fork that was damaged left
 * does not come back: it could say that what has changed since need not be sent.
 */
#include <openssl/crypto.h>
#include <stdlib.h>
#include "outbox/internal.h"

enum { ID_BYTES = 16, FORKS = 16, DEPTH_MAX = 2 * ID_BYTES, LEAF = 'l', FORK = 'f' };
enum { HEAD_BYTES = ID_BYTES + 6, PACKED_BYTES = DIGEST_BYTES, PACKED = 0x8000 /* with the length of a digest that was hexadecimal */ };

/* A row: the family's own, or one that it forked to: by the first `depth` half bytes of `path`. */
struct node {
  int64_t destination;
  struct str family;
  unsigned depth;
  unsigned char path[ID_BYTES];
};

static unsigned half_of(const unsigned char id[ID_BYTES], unsigned depth) {
  return depth % 2 ? id[depth / 2] & 15 : id[depth / 2] >> 4;
}

static struct node child_of(const struct node *node, unsigned half) {
  struct node child = *node;
  child.path[node->depth / 2] |= (unsigned char)(node->depth % 2 ? half : half << 4);
  child.depth++;
  return child;
}

static void make_mark(const struct outbox *outbox, const struct node *node, unsigned char out[MARK_BYTES]) {
  unsigned char path[ID_BYTES + 1];
  memcpy(path, node->path, ID_BYTES);
  path[ID_BYTES] = (unsigned char)node->depth;
  struct outbox_digest parts[2] = {outbox_digest(node->family)};
  if (node->depth) parts[1] = outbox_digest(str_make((const char *)path, sizeof path));
  outbox_mark(outbox, 'F', parts, node->depth ? 2 : 1, out);
}

/* --- a place as it stands in a row --- */

static void put_length(unsigned char *at, size_t length) {
  at[0] = (unsigned char)(length >> 8);
  at[1] = (unsigned char)length;
}

static size_t length_at(const char *at) {
  return (size_t)((unsigned char)at[0] << 8 | (unsigned char)at[1]);
}

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

struct str outbox_unpack(struct str packed, struct arena *arena) {
  static const char digits[] = "0123456789abcdef";
  char text[2 * PACKED_BYTES];
  if (packed.len != PACKED_BYTES) return (struct str){0};
  for (size_t i = 0; i < PACKED_BYTES; i++) {
    text[2 * i] = digits[(unsigned char)packed.ptr[i] >> 4];
    text[2 * i + 1] = digits[packed.ptr[i] & 15];
  }
  return arena_str(arena, str_make(text, sizeof text));
}

static unsigned char *put_str(unsigned char *at, struct str text) {
  if (text.len) memcpy(at, text.ptr, text.len);
  return at + text.len;
}

static struct str write_entry(const unsigned char id[ID_BYTES], const struct outbox_place *place, struct arena *arena) {
  unsigned char packed[PACKED_BYTES];
  bool packs = pack(place->digest, packed);
  struct str digest = packs ? str_make((const char *)packed, sizeof packed) : place->digest;
  size_t len = HEAD_BYTES + place->location.len + place->etag.len + digest.len;
  unsigned char *bytes = arena_alloc(arena, len);
  if (!bytes) return (struct str){0};
  memcpy(bytes, id, ID_BYTES);
  put_length(bytes + ID_BYTES, place->location.len);
  put_length(bytes + ID_BYTES + 2, place->etag.len);
  put_length(bytes + ID_BYTES + 4, digest.len | (packs ? PACKED : 0));
  (void)put_str(put_str(put_str(bytes + HEAD_BYTES, place->location), place->etag), digest);
  return str_make((const char *)bytes, len);
}

struct str outbox_entry_write(struct str identifier, const struct outbox_place *place, struct arena *arena) {
  struct outbox_digest id = outbox_digest(identifier);
  return write_entry(id.bytes, place, arena);
}

struct str outbox_entry_again(struct str entry, const struct outbox_place *place, struct arena *arena) {
  return write_entry((const unsigned char *)entry.ptr, place, arena);
}

int outbox_entry_order_of(struct str entry, const struct outbox_digest *identifier) {
  return memcmp(entry.ptr, identifier->bytes, ID_BYTES);
}

/* Lengths as they stand in its head. */
struct lengths {
  size_t location, etag, digest;
  bool packed;
};

static struct lengths lengths_of(const char *head) {
  size_t digest = length_at(head + ID_BYTES + 4);
  return (struct lengths){length_at(head + ID_BYTES), length_at(head + ID_BYTES + 2), digest & ~(size_t)PACKED, digest & PACKED};
}

enum status outbox_entry_read(struct str entry, struct arena *arena, struct outbox_place *out) {
  struct str all = arena_str(arena, str_slice(entry, HEAD_BYTES, entry.len));
  struct lengths lengths = lengths_of(entry.ptr);
  if (!all.ptr) return STATUS_NOMEM;
  out->location = str_slice(all, 0, lengths.location);
  out->etag = str_slice(all, lengths.location, lengths.location + lengths.etag);
  out->digest = str_slice(all, lengths.location + lengths.etag, all.len);
  if (lengths.packed) out->digest = outbox_unpack(out->digest, arena);
  return out->digest.ptr ? STATUS_OK : STATUS_NOMEM;
}

int outbox_entry_order(struct str a, struct str b) {
  return memcmp(a.ptr, b.ptr, ID_BYTES);
}

/* The next of the row; false: there is none. */
static bool next_entry(struct str *rest, struct str *out) {
  if (rest->len < HEAD_BYTES) return false;
  struct lengths lengths = lengths_of(rest->ptr);
  size_t len = HEAD_BYTES + lengths.location + lengths.etag + lengths.digest;
  if (len > rest->len) return false;
  *out = str_slice(*rest, 0, len);
  *rest = str_slice(*rest, len, rest->len);
  return true;
}

/* --- what is kept in memory: an organization, its staff and devices are asked for with every record, and the places of a record
   one after the other, and once more when they are put --- */

static struct outbox_kept *kept_at(struct outbox *outbox, const struct node *node) {
  uint64_t hash = str_hash(node->family) + (uint64_t)node->destination;
  if (node->depth) hash += str_hash(str_make((const char *)node->path, ID_BYTES));
  return &outbox->kept[hash % LEDGER_KEPT];
}

static bool is_of(const struct outbox_kept *kept, const struct node *node) {
  return kept->destination == node->destination && kept->depth == node->depth &&
         str_eq(str_make(kept->family, kept->family_len), node->family) && memcmp(kept->path, node->path, ID_BYTES) == 0;
}

static void forget(struct outbox *outbox, struct outbox_kept *kept) {
  outbox->kept_bytes -= kept->len;
  OPENSSL_clear_free(kept->text, kept->len);
  OPENSSL_cleanse(kept, sizeof *kept);
}

void outbox_families_forget(struct outbox *outbox) {
  for (size_t i = 0; i < LEDGER_KEPT; i++)
    if (outbox->kept[i].destination) forget(outbox, &outbox->kept[i]);
}

/* That there is no such row is kept too: its text is empty, and its number 0. Without memory nothing is kept. */
static void keep(struct outbox *outbox, const struct node *node, const unsigned char mark[MARK_BYTES], int64_t id, struct str text) {
  struct outbox_kept *kept = kept_at(outbox, node);
  if (kept->destination) forget(outbox, kept);
  if (node->family.len > sizeof kept->family) return;
  if (text.len + outbox->kept_bytes > LEDGER_KEPT_BYTES) outbox_families_forget(outbox);
  char *copy = text.len ? OPENSSL_malloc(text.len) : NULL;
  if (text.len && !copy) return;
  if (text.len) memcpy(copy, text.ptr, text.len);
  if (node->family.len) memcpy(kept->family, node->family.ptr, node->family.len);
  memcpy(kept->path, node->path, ID_BYTES);
  memcpy(kept->mark, mark, MARK_BYTES);
  kept->family_len = node->family.len;
  kept->depth = node->depth;
  kept->text = copy;
  kept->len = text.len;
  kept->destination = node->destination;
  kept->id = id;
  outbox->kept_bytes += text.len;
}

/* --- rows --- */

static enum status read_row(struct outbox *outbox, const struct node *node, const unsigned char mark[MARK_BYTES], int64_t id,
                            struct str *text) {
  struct seal_place place = outbox_place_of_mark(SEAL_FAMILY, node->destination, mark);
  sqlite3_stmt *get = outbox_statement(outbox, STATEMENT_FAMILY_GET);
  sqlite3_bind_int64(get, 1, id);
  enum status status = outbox_row_step(outbox, get);
  if (status == STATUS_NOT_FOUND) status = STATUS_INVALID; /* other hands */
  if (status == STATUS_OK)
    status = outbox_unseal(outbox, outbox->root_ledger, &place, outbox_column_str(get, 0), outbox->scratch, text);
  sqlite3_reset(get);
  return status == STATUS_OK && !text->len ? STATUS_INVALID : status;
}

/* NOT_FOUND: there is none, and *id is 0. */
static enum status ask_row(struct outbox *outbox, const struct node *node, unsigned char mark[MARK_BYTES], int64_t *id) {
  struct outbox_found found = {0};
  make_mark(outbox, node, mark);
  enum status status = outbox_rows_find(outbox, ROWS_FAMILIES, node->destination, mark, &found);
  *id = status == STATUS_OK ? found.id : 0;
  return status;
}

/* A view, until the next call. NOT_FOUND: there is no such row; INVALID: it does not open. */
static enum status load(struct outbox *outbox, const struct node *node, struct str *text) {
  const struct outbox_kept *kept = kept_at(outbox, node);
  *text = (struct str){0};
  if (is_of(kept, node)) {
    *text = str_make(kept->text, kept->len);
    return text->len ? STATUS_OK : STATUS_NOT_FOUND;
  }
  unsigned char mark[MARK_BYTES];
  int64_t id = 0;
  enum status status = ask_row(outbox, node, mark, &id);
  if (status == STATUS_OK) status = read_row(outbox, node, mark, id, text);
  if (status == STATUS_OK || status == STATUS_NOT_FOUND) keep(outbox, node, mark, id, *text);
  return status;
}

/* Its mark, and the number of its row. NOT_FOUND: it has none. */
static enum status find_row(struct outbox *outbox, const struct node *node, unsigned char mark[MARK_BYTES], int64_t *id) {
  const struct outbox_kept *kept = kept_at(outbox, node);
  if (!is_of(kept, node)) return ask_row(outbox, node, mark, id);
  memcpy(mark, kept->mark, MARK_BYTES);
  *id = kept->id;
  return *id ? STATUS_OK : STATUS_NOT_FOUND;
}

static enum status put_row(struct outbox *outbox, const struct node *node, struct str text, size_t places, int64_t now) {
  unsigned char mark[MARK_BYTES];
  struct str sealed = {0};
  int64_t id = 0;
  enum status status = find_row(outbox, node, mark, &id);
  if (status == STATUS_NOT_FOUND) status = outbox_rows_add(outbox, ROWS_FAMILIES, node->destination, mark, &id);
  if (status != STATUS_OK) return status;
  struct seal_place place = outbox_place_of_mark(SEAL_FAMILY, node->destination, mark);
  status = outbox_seal(outbox, outbox->root_ledger, &place, text, outbox->scratch, &sealed);
  if (status != STATUS_OK) return status;
  sqlite3_stmt *put = outbox_statement(outbox, STATEMENT_FAMILY_PUT);
  sqlite3_bind_int64(put, 1, id);
  sqlite3_bind_int64(put, 2, node->destination);
  outbox_bind_blob(put, 3, mark, MARK_BYTES);
  sqlite3_bind_int64(put, 4, (int64_t)places);
  sqlite3_bind_int64(put, 5, now);
  outbox_bind_blob(put, 6, sealed.ptr, sealed.len);
  status = outbox_run(outbox, put);
  if (status == STATUS_OK) keep(outbox, node, mark, id, text);
  return status;
}

static enum status drop_row(struct outbox *outbox, const struct node *node) {
  unsigned char mark[MARK_BYTES];
  int64_t id = 0;
  enum status status = find_row(outbox, node, mark, &id);
  if (status == STATUS_OK) status = outbox_rows_drop(outbox, node->destination, mark, id);
  if (status == STATUS_NOT_FOUND) status = STATUS_OK;
  if (status == STATUS_OK) keep(outbox, node, mark, 0, (struct str){0});
  return status;
}

/* --- asking --- */

static enum status find_in(struct str text, const unsigned char id[ID_BYTES], struct str *out) {
  struct str rest = str_slice(text, 1, text.len);
  while (next_entry(&rest, out))
    if (memcmp(out->ptr, id, ID_BYTES) == 0) return STATUS_OK;
  return STATUS_NOT_FOUND;
}

enum status outbox_family_find(struct outbox *outbox, int64_t destination, struct str family, struct str identifier, struct str *out) {
  struct node node = {.destination = destination, .family = family};
  struct str text;
  arena_reset(outbox->scratch);
  enum status status = load(outbox, &node, &text);
  if (status != STATUS_OK) return status;
  struct outbox_digest id = outbox_digest(identifier);
  while (status == STATUS_OK && text.ptr[0] == FORK && node.depth < DEPTH_MAX) {
    node = child_of(&node, half_of(id.bytes, node.depth));
    status = load(outbox, &node, &text);
  }
  return status == STATUS_OK ? find_in(text, id.bytes, out) : status;
}

/* --- putting --- */

/* What is written: entries in their order, each id once. */
struct list {
  const struct str *entries;
  size_t count;
};

/* Those of the list's beginning that go to the child `half`; the list begins after them. */
static struct list take_half(struct list *list, unsigned depth, unsigned half) {
  struct list taken = {.entries = list->entries};
  while (taken.count < list->count && half_of((const unsigned char *)taken.entries[taken.count].ptr, depth) == half)
    taken.count++;
  list->entries += taken.count;
  list->count -= taken.count;
  return taken;
}

static enum status put_leaf(struct outbox *outbox, const struct node *node, struct list list, int64_t now) {
  struct arena_mark mark = arena_mark(outbox->scratch);
  size_t len = 1;
  for (size_t i = 0; i < list.count; i++)
    len += list.entries[i].len;
  unsigned char *bytes = arena_alloc(outbox->scratch, len), *at = bytes;
  if (!bytes) return STATUS_NOMEM;
  *at++ = LEAF;
  for (size_t i = 0; i < list.count; i++)
    at = put_str(at, list.entries[i]);
  enum status status = put_row(outbox, node, str_make((const char *)bytes, len), list.count, now);
  arena_rewind(outbox->scratch, mark); /* of a large family not all rows at once */
  return status;
}

static enum status put_all(struct outbox *outbox, const struct node *node, struct list list, int64_t now) {
  enum status status = STATUS_OK;
  if (list.count <= OUTBOX_FAMILY_MAX || node->depth == DEPTH_MAX) return put_leaf(outbox, node, list, now);
  for (unsigned half = 0; status == STATUS_OK && half < FORKS; half++) {
    struct node child = child_of(node, half);
    struct list part = take_half(&list, node->depth, half);
    status = part.count ? put_all(outbox, &child, part, now) : drop_row(outbox, &child);
  }
  return status == STATUS_OK ? put_row(outbox, node, str_make((const char[]){FORK}, 1), 0, now) : status;
}

static size_t count_entries(struct str text) {
  struct str rest = str_slice(text, 1, text.len), entry;
  size_t count = 0;
  while (next_entry(&rest, &entry))
    count++;
  return count;
}

/* With what the row has: of two of an id the list's. */
static enum status join(struct outbox *outbox, struct str text, struct list *list) {
  if (!text.len) return STATUS_OK;
  /* what is kept may go while rows are put */
  struct str copy = arena_str(outbox->scratch, text), rest = str_slice(copy, 1, copy.len), old;
  struct str *all = ARENA_ARRAY(outbox->scratch, struct str, list->count + count_entries(text));
  if (!copy.ptr || !all) return STATUS_NOMEM;
  size_t count = 0, at = 0;
  while (next_entry(&rest, &old)) {
    while (at < list->count && outbox_entry_order(list->entries[at], old) < 0)
      all[count++] = list->entries[at++];
    if (at == list->count || outbox_entry_order(list->entries[at], old) != 0) all[count++] = old;
  }
  while (at < list->count)
    all[count++] = list->entries[at++];
  *list = (struct list){.entries = all, .count = count};
  return STATUS_OK;
}

static enum status put_joined(struct outbox *outbox, const struct node *node, struct str text, struct list list, int64_t now) {
  struct arena_mark mark = arena_mark(outbox->scratch);
  enum status status = join(outbox, text, &list);
  if (status == STATUS_OK) status = put_all(outbox, node, list, now);
  arena_rewind(outbox->scratch, mark);
  return status;
}

static enum status put_below(struct outbox *outbox, const struct node *node, struct list list, int64_t now) {
  struct str text;
  enum status status = load(outbox, node, &text);
  if (status == STATUS_NOT_FOUND || status == STATUS_INVALID) status = STATUS_OK; /* a damaged one is written over */
  if (status != STATUS_OK) return status;
  if (!text.len || text.ptr[0] != FORK) return put_joined(outbox, node, text, list, now);
  for (unsigned half = 0; status == STATUS_OK && half < FORKS; half++) {
    struct node child = child_of(node, half);
    struct list part = take_half(&list, node->depth, half);
    if (part.count) status = put_below(outbox, &child, part, now);
  }
  return status;
}

enum status outbox_family_put(struct outbox *outbox, int64_t destination, struct str family, const struct str *entries, size_t count,
                              int64_t now) {
  struct node node = {.destination = destination, .family = family};
  return put_below(outbox, &node, (struct list){.entries = entries, .count = count}, now);
}

/* --- all of it, row by row: a family may be larger than memory --- */

/* Entries of a row, as they are when those that change have changed. */
static enum status look_at_all(struct outbox_walker *walker, struct str rest, struct str *entries, size_t *count, bool *changed) {
  struct str entry;
  enum status status = STATUS_OK;
  while (status == STATUS_OK && next_entry(&rest, &entry)) {
    struct str *kept = &entries[(*count)++];
    *kept = entry;
    status = walker->look(walker, entry, kept);
    *changed |= kept->ptr != entry.ptr;
  }
  return status;
}

static enum status walk_row(struct outbox_walker *walker, const struct node *node, struct str text) {
  struct outbox *outbox = walker->outbox;
  struct arena_mark mark = arena_mark(outbox->scratch);
  struct str copy = arena_str(outbox->scratch, text); /* what is kept may go while rows are put */
  struct str *entries = ARENA_ARRAY(outbox->scratch, struct str, count_entries(text) + 1);
  size_t count = 0;
  bool changed = false;
  if (!copy.ptr || !entries) return STATUS_NOMEM;
  enum status status = look_at_all(walker, str_slice(copy, 1, copy.len), entries, &count, &changed);
  if (status == STATUS_OK && changed)
    status = put_leaf(outbox, node, (struct list){.entries = entries, .count = count}, walker->now);
  arena_rewind(outbox->scratch, mark);
  return status;
}

/* A row of a fork that is not there, or does not open, has none. */
static enum status walk_below(struct outbox_walker *walker, const struct node *node) {
  struct str text;
  enum status status = load(walker->outbox, node, &text);
  if (status == STATUS_NOT_FOUND || status == STATUS_INVALID) return STATUS_OK;
  if (status != STATUS_OK) return status;
  if (text.ptr[0] != FORK || node->depth == DEPTH_MAX) return walk_row(walker, node, text);
  for (unsigned half = 0; status == STATUS_OK && half < FORKS; half++) {
    struct node child = child_of(node, half);
    status = walk_below(walker, &child);
  }
  return status;
}

enum status outbox_family_walk(struct outbox_walker *walker, int64_t destination, struct str family) {
  struct node node = {.destination = destination, .family = family};
  return walk_below(walker, &node);
}
