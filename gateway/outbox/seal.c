/* seal.c - AES-256-GCM, HKDF and HMAC on OpenSSL: what is in the store, and what it is found by. */
#define OPENSSL_SUPPRESS_DEPRECATED /* of SHA-256: see HMAC */
#include <assert.h>
#include <openssl/crypto.h>
#include "outbox/internal.h"

enum status outbox_seal_open(struct outbox *outbox) {
  /* without memory for its own beginnings OpenSSL 3.0 does not refuse what comes next, it crashes */
  if (OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) != 1 || !OSSL_LIB_CTX_get0_global_default())
    return STATUS_NOMEM;
  EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
  outbox->sealing = EVP_CIPHER_CTX_new();
  outbox->opening = EVP_CIPHER_CTX_new();
  bool ready = cipher && outbox->sealing && outbox->opening &&
               EVP_EncryptInit_ex2(outbox->sealing, cipher, NULL, NULL, NULL) == 1 &&
               EVP_DecryptInit_ex2(outbox->opening, cipher, NULL, NULL, NULL) == 1;
  EVP_CIPHER_free(cipher); /* they hold it */
  return ready ? STATUS_OK : STATUS_NOMEM;
}

void outbox_seal_close(struct outbox *outbox) {
  EVP_CIPHER_CTX_free(outbox->sealing);
  EVP_CIPHER_CTX_free(outbox->opening);
  OPENSSL_cleanse(&outbox->mac_index, sizeof outbox->mac_index);
  OPENSSL_cleanse(&outbox->mac_audit, sizeof outbox->mac_audit);
  OPENSSL_cleanse(outbox->data_keys, sizeof outbox->data_keys);
  OPENSSL_cleanse(outbox->root_ledger, sizeof outbox->root_ledger);
  OPENSSL_cleanse(&outbox->drawn, sizeof outbox->drawn);
}

/* --- randomness: drawn many bytes at a time, given out once --- */

enum status outbox_random(struct outbox *outbox, void *bytes, size_t count) {
  struct outbox_drawn *drawn = &outbox->drawn;
  enum status status = STATUS_OK;
  assert(count <= sizeof drawn->bytes);
  if (count > drawn->left) {
    status = outbox->host->random(outbox->host->context, drawn->bytes, sizeof drawn->bytes);
    drawn->left = status == STATUS_OK ? sizeof drawn->bytes : 0;
  }
  if (status != STATUS_OK) return status;
  unsigned char *from = drawn->bytes + sizeof drawn->bytes - drawn->left;
  memcpy(bytes, from, count);
  OPENSSL_cleanse(from, count);
  drawn->left -= count;
  return STATUS_OK;
}

/* --- HMAC (RFC 2104) and HKDF: over SHA-256 itself, since half of an HMAC over a few bytes is its key, and OpenSSL 3 takes as
   long again to make a context of it --- */

struct outbox_digest outbox_digest(struct str bytes) {
  struct outbox_digest digest;
  SHA256_CTX context;
  SHA256_Init(&context);
  if (bytes.len) SHA256_Update(&context, bytes.ptr, bytes.len);
  SHA256_Final(digest.bytes, &context);
  return digest;
}

static void give_key(struct outbox_mac *mac, const void *key, size_t len) {
  unsigned char pad[SHA256_CBLOCK] = {0};
  assert(len <= sizeof pad);
  memcpy(pad, key, len);
  for (size_t i = 0; i < sizeof pad; i++)
    pad[i] ^= 0x36;
  SHA256_Init(&mac->inner);
  SHA256_Update(&mac->inner, pad, sizeof pad);
  for (size_t i = 0; i < sizeof pad; i++)
    pad[i] ^= 0x36 ^ 0x5c;
  SHA256_Init(&mac->outer);
  SHA256_Update(&mac->outer, pad, sizeof pad);
  OPENSSL_cleanse(pad, sizeof pad);
}

static void hmac(const struct outbox_mac *mac, const void *bytes, size_t len, unsigned char out[DIGEST_BYTES]) {
  SHA256_CTX context = mac->inner;
  SHA256_Update(&context, bytes, len);
  SHA256_Final(out, &context);
  context = mac->outer;
  SHA256_Update(&context, out, DIGEST_BYTES);
  SHA256_Final(out, &context);
}

void outbox_chain(const struct outbox *outbox, struct str bytes, unsigned char out[CHAIN_BYTES]) {
  hmac(&outbox->mac_audit, bytes.ptr, bytes.len, out);
}

void outbox_expand(const unsigned char key[OUTBOX_KEY_BYTES], struct str use, unsigned char out[OUTBOX_KEY_BYTES]) {
  struct outbox_mac mac;
  char info[64];
  size_t len = use.len < sizeof info - 1 ? use.len : sizeof info - 1;
  memcpy(info, use.ptr, len);
  info[len] = 1;
  give_key(&mac, key, OUTBOX_KEY_BYTES);
  hmac(&mac, info, len + 1, out);
  OPENSSL_cleanse(&mac, sizeof mac);
}

void outbox_derive(const unsigned char key[OUTBOX_KEY_BYTES], struct str salt, struct str use, unsigned char out[OUTBOX_KEY_BYTES]) {
  struct outbox_mac mac;
  unsigned char pseudo[DIGEST_BYTES];
  give_key(&mac, salt.ptr, salt.len);
  hmac(&mac, key, OUTBOX_KEY_BYTES, pseudo);
  outbox_expand(pseudo, use, out);
  OPENSSL_cleanse(pseudo, sizeof pseudo);
  OPENSSL_cleanse(&mac, sizeof mac);
}

static void give_root(const struct outbox *outbox, const unsigned char root[OUTBOX_KEY_BYTES], struct str use, struct outbox_mac *mac) {
  unsigned char key[OUTBOX_KEY_BYTES];
  outbox_derive(root, str_make((const char *)outbox->store_id, STORE_ID_BYTES), use, key);
  give_key(mac, key, sizeof key);
  OPENSSL_cleanse(key, sizeof key);
}

void outbox_seal_roots(struct outbox *outbox, const unsigned char root[OUTBOX_KEY_BYTES]) {
  outbox_derive(root, str_make((const char *)outbox->store_id, STORE_ID_BYTES), STR("ketlink outbox ledger"), outbox->root_ledger);
  give_root(outbox, root, STR("ketlink outbox index"), &outbox->mac_index);
  give_root(outbox, root, STR("ketlink outbox audit"), &outbox->mac_audit);
}

/* Over the digest of each part, so that no two lists of parts look alike. */
void outbox_mark(const struct outbox *outbox, char domain, const struct outbox_digest *parts, size_t count,
                 unsigned char out[MARK_BYTES]) {
  unsigned char text[1 + MARK_PARTS_MAX * DIGEST_BYTES] = {(unsigned char)domain}, mark[DIGEST_BYTES];
  assert(count <= MARK_PARTS_MAX);
  for (size_t i = 0; i < count; i++)
    memcpy(text + 1 + i * DIGEST_BYTES, parts[i].bytes, DIGEST_BYTES);
  hmac(&outbox->mac_index, text, 1 + count * DIGEST_BYTES, mark);
  memcpy(out, mark, MARK_BYTES);
}

/* --- AES-256-GCM --- */

enum { PLACE_BYTES = STORE_ID_BYTES + 4 + 3 * 8 + 4 };

struct seal_place outbox_place_of_mark(enum seal_use use, int64_t destination, const unsigned char mark[MARK_BYTES]) {
  struct seal_place place = {.use = use, .destination = destination};
  memcpy(&place.record, mark, sizeof place.record);
  memcpy(&place.lane, mark + sizeof place.record, sizeof place.lane);
  return place;
}

static unsigned char *put(unsigned char *at, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++)
    *at++ = (unsigned char)(value >> (8 * i));
  return at;
}

static void write_place(const struct outbox *outbox, const struct seal_place *place,
                        unsigned char out[PLACE_BYTES]) {
  unsigned char *at = out + STORE_ID_BYTES;
  memcpy(out, outbox->store_id, STORE_ID_BYTES);
  at = put(at, place->use, 4);
  at = put(at, (uint64_t)place->destination, 8);
  at = put(at, (uint64_t)place->record, 8);
  at = put(at, (uint64_t)place->lane, 8);
  put(at, place->key, 4);
}

enum status outbox_seal(struct outbox *outbox, const unsigned char key[OUTBOX_KEY_BYTES],
                        const struct seal_place *place, struct str text, struct arena *arena,
                        struct str *out) {
  unsigned char aad[PLACE_BYTES];
  EVP_CIPHER_CTX *context = outbox->sealing;
  int len = 0, rest = 0;
  if (text.len > INT32_MAX - SEAL_OVERHEAD) return STATUS_LIMIT;
  unsigned char *bytes = arena_alloc(arena, text.len + SEAL_OVERHEAD);
  if (!bytes) return STATUS_NOMEM;
  enum status status = STATUS_OK;
  if (place->nonce)
    memcpy(bytes, place->nonce, NONCE_BYTES);
  else
    status = outbox_random(outbox, bytes, NONCE_BYTES);
  if (status != STATUS_OK) return status;
  unsigned char *body = bytes + NONCE_BYTES;
  write_place(outbox, place, aad);
  bool done = EVP_EncryptInit_ex2(context, NULL, key, bytes, NULL) == 1 &&
              EVP_EncryptUpdate(context, NULL, &len, aad, sizeof aad) == 1 &&
              (text.len == 0 ||
               EVP_EncryptUpdate(context, body, &len, (const unsigned char *)text.ptr, (int)text.len) == 1) &&
              EVP_EncryptFinal_ex(context, body + text.len, &rest) == 1 &&
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, body + text.len) == 1;
  *out = str_make((const char *)bytes, text.len + SEAL_OVERHEAD);
  return done ? STATUS_OK : STATUS_NOMEM;
}

enum status outbox_unseal(struct outbox *outbox, const unsigned char key[OUTBOX_KEY_BYTES],
                          const struct seal_place *place, struct str sealed, struct arena *arena,
                          struct str *out) {
  unsigned char aad[PLACE_BYTES], tag[TAG_BYTES];
  EVP_CIPHER_CTX *context = outbox->opening;
  int len = 0, rest = 0;
  *out = (struct str){0};
  if (sealed.len < SEAL_OVERHEAD || sealed.len > INT32_MAX) return STATUS_INVALID;
  size_t count = sealed.len - SEAL_OVERHEAD;
  const unsigned char *nonce = (const unsigned char *)sealed.ptr, *body = nonce + NONCE_BYTES;
  unsigned char *text = arena_alloc(arena, count + 1);
  if (!text) return STATUS_NOMEM;
  write_place(outbox, place, aad);
  memcpy(tag, body + count, TAG_BYTES);
  /* until the tag is compared only memory can be missing: what is not damaged must not be taken for it */
  bool ready = EVP_DecryptInit_ex2(context, NULL, key, nonce, NULL) == 1 &&
               EVP_DecryptUpdate(context, NULL, &len, aad, sizeof aad) == 1 &&
               (count == 0 || EVP_DecryptUpdate(context, text, &len, body, (int)count) == 1) &&
               EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1;
  bool good = ready && EVP_DecryptFinal_ex(context, text + count, &rest) == 1;
  if (!good) OPENSSL_cleanse(text, count);
  if (!good) return ready ? STATUS_INVALID : STATUS_NOMEM;
  text[count] = '\0';
  *out = str_make((const char *)text, count);
  return STATUS_OK;
}
