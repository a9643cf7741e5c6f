/* crypto.c - the algorithms of TLS and of certificates, made before they are needed. */
#include "base/crypto.h"

#include <errno.h>
#include <openssl/conf.h>
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

enum { SOME_BYTES = 4096 };

/* One of a kind makes all of the kind; each is asked for, since each may have failed. */
#define KIND(function, type, fetch, release)        \
  static bool function(OSSL_LIB_CTX *of, const char *name) { \
    type *made = fetch(of, name, NULL);             \
    release(made);                                  \
    return made;                                    \
  }
KIND(has_digest, EVP_MD, EVP_MD_fetch, EVP_MD_free)
KIND(has_cipher, EVP_CIPHER, EVP_CIPHER_fetch, EVP_CIPHER_free)
KIND(has_mac, EVP_MAC, EVP_MAC_fetch, EVP_MAC_free)
KIND(has_derivation, EVP_KDF, EVP_KDF_fetch, EVP_KDF_free)
KIND(has_random, EVP_RAND, EVP_RAND_fetch, EVP_RAND_free)
KIND(has_key, EVP_KEYMGMT, EVP_KEYMGMT_fetch, EVP_KEYMGMT_free)
KIND(has_exchange, EVP_KEYEXCH, EVP_KEYEXCH_fetch, EVP_KEYEXCH_free)
KIND(has_signature, EVP_SIGNATURE, EVP_SIGNATURE_fetch, EVP_SIGNATURE_free)
KIND(has_decoder, OSSL_DECODER, OSSL_DECODER_fetch, OSSL_DECODER_free)
KIND(has_encoder, OSSL_ENCODER, OSSL_ENCODER_fetch, OSSL_ENCODER_free)

static const struct {
  bool (*has)(OSSL_LIB_CTX *of, const char *name); /* NULL: of the process */
  const char *name;
} rows[] = {
    {has_digest, "SHA1"},        {has_digest, "SHA2-256"},    {has_digest, "SHA2-384"},     {has_digest, "SHA2-512"},
    {has_cipher, "AES-128-GCM"}, {has_cipher, "AES-256-GCM"}, {has_cipher, "ChaCha20-Poly1305"}, {has_mac, "HMAC"},
    {has_derivation, "HKDF"},    {has_derivation, "TLS13-KDF"}, {has_derivation, "TLS1-PRF"}, {has_random, "CTR-DRBG"},
    {has_key, "RSA"},            {has_key, "RSA-PSS"},        {has_key, "EC"},              {has_key, "X25519"},
    {has_key, "ED25519"},        {has_exchange, "ECDH"},      {has_exchange, "X25519"},     {has_signature, "RSA"},
    {has_signature, "ECDSA"},    {has_signature, "ED25519"},  {has_decoder, "RSA"},         {has_decoder, "EC"},
    {has_decoder, "X25519"},     {has_decoder, "ED25519"},    {has_encoder, "RSA"},         {has_encoder, "EC"},
};

static bool is_memory(unsigned long error) {
  return ERR_SYSTEM_ERROR(error) ? ERR_GET_REASON(error) == ENOMEM : ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
}

enum status base_crypto_fault(enum status otherwise) {
  unsigned long error = ERR_get_error();
  bool memory = !error;
  for (; error; error = ERR_get_error())
    memory |= is_memory(error);
  void *some = malloc(SOME_BYTES);
  memory |= !some;
  free(some);
  return memory ? STATUS_NOMEM : otherwise;
}

/* As the process has it, from the same file of settings. */
static OSSL_LIB_CTX *another_library(void) {
  OSSL_LIB_CTX *another = OSSL_LIB_CTX_new();
  char *path = CONF_get1_default_config_file();
  if (another && path) (void)OSSL_LIB_CTX_load_config(another, path); /* there may be none */
  OPENSSL_free(path);
  return another;
}

/* Not for want of memory: where others can be made it cannot. */
static bool is_unknown(size_t row) {
  OSSL_LIB_CTX *another = another_library();
  bool unknown = another && has_digest(another, "SHA2-256") && !rows[row].has(another, rows[row].name);
  OSSL_LIB_CTX_free(another);
  return unknown;
}

enum status base_crypto_begin(void) {
  /* without the second it is fetched from nowhere, and crashes */
  if (OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) != 1 || !OSSL_LIB_CTX_get0_global_default()) return STATUS_NOMEM;
  ERR_clear_error();
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    bool here = rows[i].has(NULL, rows[i].name);
    /* another of the kind, if not this one */
    if (ERR_peek_error() && base_crypto_fault(STATUS_OK) != STATUS_OK) return STATUS_NOMEM;
    if (!here && !is_unknown(i)) return STATUS_NOMEM;
  }
  ERR_clear_error();
  return STATUS_OK;
}

enum status base_crypto_refuse(struct diag_list *diags, struct str file, const char *why) {
  struct source source = source_make(file, (struct str){0});
  enum status status = base_crypto_fault(STATUS_CONFIG);
  if (status == STATUS_CONFIG) diag_error(diags, DIAG_CONFIG_INVALID, &(struct diag_at){.source = &source}, "%s", why);
  return status;
}

static int no_password(char *buffer, int size, int write, void *context) {
  (void)buffer, (void)size, (void)write, (void)context;
  return 0;
}

EVP_PKEY *base_crypto_read_key(struct str pem) {
  BIO *bio = pem.len <= INT32_MAX ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : NULL;
  EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
  BIO_free(bio);
  return key;
}
