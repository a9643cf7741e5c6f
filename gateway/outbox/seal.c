/* seal.c - AES-256-GCM, HKDF and HMAC on OpenSSL: what is in the store, and what it is found by. */
#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include "outbox/internal.h"

/* A MAC that knows its digest: from then on only keys change. */
static EVP_MAC_CTX *open_mac(void) {
  OSSL_PARAM digest[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
                         OSSL_PARAM_construct_end()};
  EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
  EVP_MAC_CTX *context = mac ? EVP_MAC_CTX_new(mac) : NULL;
  EVP_MAC_free(mac);
  if (!context || EVP_MAC_CTX_set_params(context, digest) == 1) return context;
  EVP_MAC_CTX_free(context);
  return NULL;
}

enum status outbox_seal_open(struct outbox *outbox) {
  /* without memory for its own beginnings OpenSSL 3.0 does not refuse what comes next, it crashes */
  if (OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) != 1 || !OSSL_LIB_CTX_get0_global_default())
    return STATUS_NOMEM;
  outbox->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
  outbox->cipher_context = EVP_CIPHER_CTX_new();
  outbox->digest = EVP_MD_fetch(NULL, "SHA256", NULL);
  outbox->digest_context = EVP_MD_CTX_new();
  outbox->mac_context = open_mac();
  outbox->mac_index = open_mac();
  outbox->mac_audit = open_mac();
  bool whole = outbox->cipher && outbox->cipher_context && outbox->digest && outbox->digest_context &&
               outbox->mac_context && outbox->mac_index && outbox->mac_audit;
  return whole ? STATUS_OK : STATUS_NOMEM;
}

void outbox_seal_close(struct outbox *outbox) {
  EVP_CIPHER_CTX_free(outbox->cipher_context);
  EVP_CIPHER_free(outbox->cipher);
  EVP_MD_CTX_free(outbox->digest_context);
  EVP_MD_free(outbox->digest);
  EVP_MAC_CTX_free(outbox->mac_context);
  EVP_MAC_CTX_free(outbox->mac_index);
  EVP_MAC_CTX_free(outbox->mac_audit);
  OPENSSL_cleanse(outbox->data_keys, sizeof outbox->data_keys);
  OPENSSL_cleanse(outbox->root_ledger, sizeof outbox->root_ledger);
}

/* --- HMAC and HKDF --- */

struct outbox_digest outbox_digest(struct outbox *outbox, struct str bytes) {
  struct outbox_digest digest = {0};
  bool done = EVP_DigestInit_ex2(outbox->digest_context, outbox->digest, NULL) == 1 &&
              EVP_DigestUpdate(outbox->digest_context, bytes.ptr ? bytes.ptr : "", bytes.len) == 1 &&
              EVP_DigestFinal_ex(outbox->digest_context, digest.bytes, NULL) == 1;
  if (!done) outbox->failed = true;
  return digest;
}

/* `key` NULL: the one that the context has. */
static void hmac(struct outbox *outbox, EVP_MAC_CTX *context, struct str key, struct str bytes, unsigned char out[32]) {
  size_t len = 0;
  bool done = EVP_MAC_init(context, (const unsigned char *)key.ptr, key.len, NULL) == 1 &&
              EVP_MAC_update(context, (const unsigned char *)(bytes.ptr ? bytes.ptr : ""), bytes.len) == 1 &&
              EVP_MAC_final(context, out, &len, 32) == 1 && len == 32;
  if (!done) outbox->failed = true;
}

void outbox_chain(struct outbox *outbox, struct str bytes, unsigned char out[CHAIN_BYTES]) {
  hmac(outbox, outbox->mac_audit, (struct str){0}, bytes, out);
}

void outbox_expand(struct outbox *outbox, const unsigned char key[OUTBOX_KEY_BYTES], struct str use,
                   unsigned char out[OUTBOX_KEY_BYTES]) {
  char info[64];
  size_t len = use.len < sizeof info - 1 ? use.len : sizeof info - 1;
  memcpy(info, use.ptr, len);
  info[len] = 1;
  hmac(outbox, outbox->mac_context, str_make((const char *)key, OUTBOX_KEY_BYTES), str_make(info, len + 1), out);
}

void outbox_derive(struct outbox *outbox, const unsigned char key[OUTBOX_KEY_BYTES], struct str salt, struct str use,
                   unsigned char out[OUTBOX_KEY_BYTES]) {
  unsigned char pseudo[32] = {0};
  hmac(outbox, outbox->mac_context, salt, str_make((const char *)key, OUTBOX_KEY_BYTES), pseudo);
  outbox_expand(outbox, pseudo, use, out);
  OPENSSL_cleanse(pseudo, sizeof pseudo);
}

/* A key that stays is given once: half of an HMAC over a few bytes is its key. */
static bool give_key(struct outbox *outbox, const unsigned char root[OUTBOX_KEY_BYTES], struct str use,
                     EVP_MAC_CTX *context) {
  unsigned char key[OUTBOX_KEY_BYTES];
  outbox_derive(outbox, root, str_make((const char *)outbox->store_id, STORE_ID_BYTES), use, key);
  bool done = EVP_MAC_init(context, key, sizeof key, NULL) == 1;
  OPENSSL_cleanse(key, sizeof key);
  return done;
}

enum status outbox_seal_roots(struct outbox *outbox, const unsigned char root[OUTBOX_KEY_BYTES]) {
  outbox_derive(outbox, root, str_make((const char *)outbox->store_id, STORE_ID_BYTES), STR("ketlink outbox ledger"),
                outbox->root_ledger);
  bool done = give_key(outbox, root, STR("ketlink outbox index"), outbox->mac_index) &&
              give_key(outbox, root, STR("ketlink outbox audit"), outbox->mac_audit);
  return done && !outbox->failed ? STATUS_OK : STATUS_NOMEM;
}

/* Over the digest of each part, so that no two lists of parts look alike. */
void outbox_mark(struct outbox *outbox, char domain, const struct outbox_digest *parts, size_t count,
                 unsigned char out[MARK_BYTES]) {
  unsigned char text[1 + MARK_PARTS_MAX * DIGEST_BYTES] = {(unsigned char)domain}, mark[32] = {0};
  assert(count <= MARK_PARTS_MAX);
  for (size_t i = 0; i < count; i++)
    memcpy(text + 1 + i * DIGEST_BYTES, parts[i].bytes, DIGEST_BYTES);
  hmac(outbox, outbox->mac_index, (struct str){0}, str_make((const char *)text, 1 + count * DIGEST_BYTES), mark);
  memcpy(out, mark, MARK_BYTES);
}

/* --- AES-256-GCM --- */

enum { PLACE_BYTES = STORE_ID_BYTES + 4 + 3 * 8 + 4 };

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
  EVP_CIPHER_CTX *context = outbox->cipher_context;
  int len = 0, rest = 0;
  if (text.len > INT32_MAX - SEAL_OVERHEAD) return STATUS_LIMIT;
  unsigned char *bytes = arena_alloc(arena, text.len + SEAL_OVERHEAD);
  if (!bytes) return STATUS_NOMEM;
  enum status status = STATUS_OK;
  if (place->nonce)
    memcpy(bytes, place->nonce, NONCE_BYTES);
  else
    status = outbox->host->random(outbox->host->context, bytes, NONCE_BYTES);
  if (status != STATUS_OK) return status;
  unsigned char *body = bytes + NONCE_BYTES;
  write_place(outbox, place, aad);
  bool done = EVP_EncryptInit_ex2(context, outbox->cipher, key, bytes, NULL) == 1 &&
              EVP_EncryptUpdate(context, NULL, &len, aad, sizeof aad) == 1 &&
              (text.len == 0 ||
               EVP_EncryptUpdate(context, body, &len, (const unsigned char *)text.ptr, (int)text.len) == 1) &&
              EVP_EncryptFinal_ex(context, body + text.len, &rest) == 1 &&
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, body + text.len) == 1;
  EVP_CIPHER_CTX_reset(context);
  *out = str_make((const char *)bytes, text.len + SEAL_OVERHEAD);
  return done ? STATUS_OK : STATUS_NOMEM;
}

enum status outbox_unseal(struct outbox *outbox, const unsigned char key[OUTBOX_KEY_BYTES],
                          const struct seal_place *place, struct str sealed, struct arena *arena,
                          struct str *out) {
  unsigned char aad[PLACE_BYTES], tag[TAG_BYTES];
  EVP_CIPHER_CTX *context = outbox->cipher_context;
  int len = 0, rest = 0;
  *out = (struct str){0};
  if (sealed.len < SEAL_OVERHEAD || sealed.len > INT32_MAX) return STATUS_INVALID;
  size_t count = sealed.len - SEAL_OVERHEAD;
  const unsigned char *nonce = (const unsigned char *)sealed.ptr, *body = nonce + NONCE_BYTES;
  unsigned char *text = arena_alloc(arena, count + 1);
  if (!text) return STATUS_NOMEM;
  write_place(outbox, place, aad);
  memcpy(tag, body + count, TAG_BYTES);
  bool good = EVP_DecryptInit_ex2(context, outbox->cipher, key, nonce, NULL) == 1 &&
              EVP_DecryptUpdate(context, NULL, &len, aad, sizeof aad) == 1 &&
              (count == 0 || EVP_DecryptUpdate(context, text, &len, body, (int)count) == 1) &&
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1 &&
              EVP_DecryptFinal_ex(context, text + count, &rest) == 1;
  EVP_CIPHER_CTX_reset(context);
  if (!good) OPENSSL_cleanse(text, count);
  if (!good) return STATUS_INVALID;
  text[count] = '\0';
  *out = str_make((const char *)text, count);
  return STATUS_OK;
}
