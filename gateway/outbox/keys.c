/* keys.c - store keys (a file) and the data keys that they wrap (in the store). */
#include <openssl/crypto.h>
#include "base/secret.h"
#include "outbox/internal.h"

enum { KEY_FILE_MAX = 8192, ROOT_KEY = 0 };

void outbox_keys_wipe(struct outbox_keys *keys) {
  OPENSSL_cleanse(keys, sizeof *keys);
}

/* --- the file --- */

static enum status refuse_file(struct diag_list *diags, const char *path, const char *why) {
  outbox_refuse(diags, path, "%s", why);
  return STATUS_CONFIG;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_hex(struct str text, unsigned char *out, size_t count) {
  if (text.len != 2 * count) return false;
  for (size_t i = 0; i < count; i++) {
    int high = hex_digit(text.ptr[2 * i]), low = hex_digit(text.ptr[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = (unsigned char)(high << 4 | low);
  }
  return true;
}

static bool knows(const struct outbox_keys *keys, uint32_t id) {
  for (size_t i = 0; i < keys->count; i++)
    if (keys->ids[i] == id) return true;
  return false;
}

/* "ID KEY" */
static bool read_line(struct str line, struct outbox_keys *out) {
  size_t gap = str_find_char(line, ' ', 0);
  int64_t id = 0;
  if (gap == SIZE_MAX || out->count == OUTBOX_KEYS_MAX) return false;
  if (!str_to_int64(str_slice(line, 0, gap), &id) || id < 1 || id > UINT32_MAX) return false;
  if (knows(out, (uint32_t)id)) return false;
  if (!read_hex(str_trim(str_slice(line, gap, line.len)), out->keys[out->count], OUTBOX_KEY_BYTES))
    return false;
  out->ids[out->count++] = (uint32_t)id;
  return true;
}

static enum status read_lines(struct str text, const char *path, struct diag_list *diags,
                              struct outbox_keys *out) {
  struct source source = source_make(str_of(path), text);
  for (size_t at = 0; at < text.len;) {
    size_t end = str_find_char(text, '\n', at);
    if (end == SIZE_MAX) end = text.len;
    struct str line = str_trim(str_slice(text, at, end));
    struct diag_at place = {.source = &source, .offset = at};
    at = end + 1;
    if (line.len == 0 || line.ptr[0] == '#') continue;
    if (read_line(line, out)) continue;
    diag_error(diags, DIAG_OUTBOX, &place,
               "a line of the store key is \"ID KEY\": a number of its own and 64 hexadecimal digits, at "
               "most %d lines",
               OUTBOX_KEYS_MAX);
    return STATUS_CONFIG;
  }
  return out->count ? STATUS_OK : refuse_file(diags, path, "the file has no store key");
}

enum status outbox_keys_read(const char *path, struct arena *arena, struct diag_list *diags,
                             struct outbox_keys *out) {
  struct str text;
  *out = (struct outbox_keys){0};
  enum status status = base_secret_read(path, "the store key", KEY_FILE_MAX, arena, diags, &text);
  if (status == STATUS_OK) status = read_lines(text, path, diags, out);
  base_secret_wipe(text);
  if (status != STATUS_OK) outbox_keys_wipe(out);
  return status;
}

static void write_key(struct buf *text, uint32_t id, const unsigned char *key) {
  buf_printf(text, "%u ", id);
  for (int i = 0; i < OUTBOX_KEY_BYTES; i++)
    buf_printf(text, "%02x", key[i]);
  buf_add_char(text, '\n');
}

enum status outbox_keys_rotate(const struct outbox_keys *keys, const struct host *host, struct arena *arena,
                               struct str *text) {
  unsigned char fresh[OUTBOX_KEY_BYTES];
  uint32_t id = 0;
  struct buf lines;
  /* none goes to make room: the store is wrapped by the newest that was there when the relay was started last, which
     may be long ago */
  if (keys->count == OUTBOX_KEYS_MAX) return STATUS_LIMIT;
  enum status status = host->random(host->context, fresh, sizeof fresh);
  if (status != STATUS_OK) return status;
  buf_init(&lines, KEY_FILE_MAX);
  for (size_t i = 0; i < keys->count; i++) {
    if (keys->ids[i] > id) id = keys->ids[i];
    write_key(&lines, keys->ids[i], keys->keys[i]);
  }
  write_key(&lines, id + 1, fresh);
  OPENSSL_cleanse(fresh, sizeof fresh);
  *text = buf_take_str(&lines, arena);
  status = lines.error == STATUS_OK && !text->ptr ? STATUS_NOMEM : lines.error;
  buf_release(&lines);
  return status;
}

/* --- data keys --- */

static struct seal_place place_of_key(uint32_t id) {
  return (struct seal_place){.use = SEAL_KEY, .key = id};
}

static enum status wrap(struct outbox *outbox, const struct outbox_keys *keys,
                        const struct outbox_data_key *key) {
  struct seal_place place = place_of_key(key->id);
  struct str sealed;
  size_t last = keys->count - 1;
  enum status status =
      outbox_seal(outbox, keys->keys[last], &place, str_make((const char *)key->bytes, sizeof key->bytes),
                  outbox->scratch, &sealed);
  if (status != STATUS_OK) return status;
  sqlite3_stmt *put = outbox_statement(outbox, STATEMENT_KEY_PUT);
  sqlite3_bind_int64(put, 1, key->id);
  sqlite3_bind_int64(put, 2, keys->ids[last]);
  outbox_bind_blob(put, 3, sealed.ptr, sealed.len);
  return outbox_run(outbox, put);
}

static const unsigned char *store_key(const struct outbox_keys *keys, uint32_t id) {
  for (size_t i = 0; i < keys->count; i++)
    if (keys->ids[i] == id) return keys->keys[i];
  return NULL;
}

/* One row -> the key and whether it was wrapped by an older store key. */
static enum status unwrap(struct outbox *outbox, sqlite3_stmt *row, const struct outbox_keys *keys,
                          bool *old) {
  struct outbox_data_key *key = &outbox->data_keys[outbox->data_key_count];
  uint32_t by = (uint32_t)sqlite3_column_int64(row, 1);
  const unsigned char *with = store_key(keys, by);
  struct str text;
  key->id = (uint32_t)sqlite3_column_int64(row, 0);
  struct seal_place place = place_of_key(key->id);
  if (!with) return STATUS_CONFIG;
  enum status status = outbox_unseal(outbox, with, &place, outbox_column_str(row, 2), outbox->scratch, &text);
  if (status == STATUS_INVALID || (status == STATUS_OK && text.len != sizeof key->bytes))
    return STATUS_CONFIG;
  if (status != STATUS_OK) return status;
  memcpy(key->bytes, text.ptr, sizeof key->bytes);
  outbox->data_key_count++;
  *old |= by != keys->ids[keys->count - 1];
  return STATUS_OK;
}

static enum status make_key(struct outbox *outbox, const struct outbox_keys *keys, uint32_t id) {
  struct outbox_data_key *key = &outbox->data_keys[outbox->data_key_count];
  key->id = id;
  enum status status = outbox->host->random(outbox->host->context, key->bytes, sizeof key->bytes);
  if (status != STATUS_OK) return status;
  outbox->data_key_count++;
  return wrap(outbox, keys, key);
}

static enum status wrap_all(struct outbox *outbox, const struct outbox_keys *keys) {
  enum status status = STATUS_OK;
  for (size_t i = 0; status == STATUS_OK && i < outbox->data_key_count; i++)
    status = wrap(outbox, keys, &outbox->data_keys[i]);
  return status;
}

enum status outbox_data_keys_read(struct outbox *outbox, const struct outbox_keys *keys, bool *old) {
  sqlite3_stmt *rows = outbox_statement(outbox, STATEMENT_KEY_GET);
  enum status status;
  while ((status = outbox_row_step(outbox, rows)) == STATUS_OK && outbox->data_key_count < DATA_KEYS_MAX) {
    status = unwrap(outbox, rows, keys, old);
    if (status != STATUS_OK) break;
  }
  sqlite3_reset(rows);
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* The current data key serves RECORDS_PER_KEY ids; the next start after that makes another. */
static bool is_worn(const struct outbox *outbox) {
  uint32_t id = outbox->data_keys[outbox->data_key_count - 1].id;
  return outbox->now.next_id / RECORDS_PER_KEY >= id && outbox->data_key_count < DATA_KEYS_MAX;
}

void outbox_keys_refuse(const struct outbox *outbox, struct diag_list *diags) {
  outbox_refuse(diags, outbox->path,
                "the store key does not open this store: give the key it was made with, beside the new one");
}

enum status outbox_data_keys_load(struct outbox *outbox, const struct outbox_keys *keys,
                                  struct diag_list *diags) {
  bool old = false;
  enum status status = outbox_data_keys_read(outbox, keys, &old);
  if (status == STATUS_CONFIG) outbox_keys_refuse(outbox, diags);
  if (status != STATUS_OK) return status;
  if (outbox->data_key_count == 0) {
    status = make_key(outbox, keys, ROOT_KEY);
    if (status == STATUS_OK) status = make_key(outbox, keys, 1);
  } else if (outbox->data_key_count == 1) {
    return STATUS_CONFIG;
  }
  if (status == STATUS_OK && old) status = wrap_all(outbox, keys);
  outbox->rotated_to = old ? keys->ids[keys->count - 1] : 0;
  if (status == STATUS_OK && is_worn(outbox))
    status = make_key(outbox, keys, (uint32_t)(outbox->now.next_id / RECORDS_PER_KEY) + 1);
  if (status == STATUS_OK) outbox_seal_roots(outbox, outbox->data_keys[ROOT_KEY].bytes);
  return status;
}

enum status outbox_keys_audit(struct outbox *outbox) {
  char reason[24];
  if (!outbox->rotated_to) return STATUS_OK;
  (void)snprintf(reason, sizeof reason, "store-key-%lu", (unsigned long)outbox->rotated_to);
  struct outbox_event event = {
      .at = outbox->host->now_ms(outbox->host->context), .what = STR("key-rotated"), .reason = str_of(reason)};
  return outbox_audit_add(outbox, &event);
}

enum status outbox_record_key(const struct outbox *outbox, uint32_t data_key,
                              const unsigned char salt[SALT_BYTES], unsigned char out[OUTBOX_KEY_BYTES]) {
  for (size_t i = 1; i < outbox->data_key_count; i++) {
    if (outbox->data_keys[i].id != data_key) continue;
    outbox_derive(outbox->data_keys[i].bytes, str_make((const char *)salt, SALT_BYTES),
                  STR("ketlink outbox record"), out);
    return STATUS_OK;
  }
  return STATUS_INVALID;
}

void outbox_payload_key(const unsigned char record_key[OUTBOX_KEY_BYTES], const unsigned char salt[PAYLOAD_SALT_BYTES], unsigned char out[OUTBOX_KEY_BYTES]) {
  static const char use[] = "ketlink outbox payload";
  char info[sizeof use - 1 + PAYLOAD_SALT_BYTES];
  memcpy(info, use, sizeof use - 1);
  memcpy(info + sizeof use - 1, salt, PAYLOAD_SALT_BYTES);
  outbox_expand(record_key, str_make(info, sizeof info), out);
  OPENSSL_cleanse(info, sizeof info);
}
