/* jwt.c - base64url, JWK and signatures on OpenSSL. RFC 7515, 7517, 7518 (ES384, RS384), 7638. */
#include "delivery/jwt.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

enum {
  EC_BYTES = 48,
  RSA_BITS = 3072,
  RSA_BITS_MIN = 2048,
  RSA_BITS_MAX = 8192,
  SIGNATURE_MAX = RSA_BITS_MAX / 8
};

void delivery_jwt_base64url(struct buf *out, const unsigned char *bytes, size_t count) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (size_t i = 0; i < count; i += 3) {
    uint32_t three = (uint32_t)bytes[i] << 16;
    if (i + 1 < count) three |= (uint32_t)bytes[i + 1] << 8;
    if (i + 2 < count) three |= bytes[i + 2];
    buf_add_char(out, digits[three >> 18]);
    buf_add_char(out, digits[three >> 12 & 63]);
    if (i + 1 < count) buf_add_char(out, digits[three >> 6 & 63]);
    if (i + 2 < count) buf_add_char(out, digits[three & 63]);
  }
}

/* --- keys --- */

EVP_PKEY *delivery_jwt_make_key(enum delivery_smart_algorithm algorithm) {
  return algorithm == SMART_ES384 ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384")
                                  : EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)RSA_BITS);
}

bool delivery_jwt_write_pem(EVP_PKEY *key, struct buf *out) {
  BIO *bio = BIO_new(BIO_s_secmem());
  char *text = NULL;
  bool done = bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1;
  long len = done ? BIO_get_mem_data(bio, &text) : 0;
  if (done) buf_add(out, text, (size_t)len);
  BIO_free(bio);
  return done && out->error == STATUS_OK;
}

bool delivery_jwt_algorithm_of(EVP_PKEY *key, enum delivery_smart_algorithm *out) {
  char curve[32] = "";
  if (EVP_PKEY_is_a(key, "RSA")) {
    *out = SMART_RS384;
    return EVP_PKEY_get_bits(key) >= RSA_BITS_MIN && EVP_PKEY_get_bits(key) <= RSA_BITS_MAX;
  }
  *out = SMART_ES384;
  return EVP_PKEY_is_a(key, "EC") &&
         EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof curve, NULL) == 1 &&
         strcmp(curve, "secp384r1") == 0;
}

/* --- JWK --- */

/* A number as big-endian bytes, at least `width` of them. */
static bool write_number(EVP_PKEY *key, const char *name, int width, struct buf *out) {
  unsigned char bytes[SIGNATURE_MAX];
  BIGNUM *number = NULL;
  if (EVP_PKEY_get_bn_param(key, name, &number) != 1) return false;
  int len = BN_num_bytes(number) > width ? BN_num_bytes(number) : width;
  bool done = len <= (int)sizeof bytes && BN_bn2binpad(number, bytes, len) == len;
  if (done) delivery_jwt_base64url(out, bytes, (size_t)len);
  BN_free(number);
  return done;
}

bool delivery_jwt_write_jwk(EVP_PKEY *key, struct buf *out) {
  enum delivery_smart_algorithm algorithm;
  if (!delivery_jwt_algorithm_of(key, &algorithm)) return false;
  bool ec = algorithm == SMART_ES384;
  buf_add_text(out, ec ? "{\"crv\":\"P-384\",\"kty\":\"EC\",\"x\":\"" : "{\"e\":\"");
  bool done =
      write_number(key, ec ? OSSL_PKEY_PARAM_EC_PUB_X : OSSL_PKEY_PARAM_RSA_E, ec ? EC_BYTES : 0, out);
  buf_add_text(out, ec ? "\",\"y\":\"" : "\",\"kty\":\"RSA\",\"n\":\"");
  done = done &&
         write_number(key, ec ? OSSL_PKEY_PARAM_EC_PUB_Y : OSSL_PKEY_PARAM_RSA_N, ec ? EC_BYTES : 0, out);
  buf_add_text(out, "\"}");
  return done && out->error == STATUS_OK;
}

bool delivery_jwt_thumbprint(EVP_PKEY *key, struct buf *out) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  struct buf jwk;
  buf_init(&jwk, 8192);
  bool done = delivery_jwt_write_jwk(key, &jwk);
  if (done) SHA256((const unsigned char *)jwk.ptr, jwk.len, digest);
  if (done) delivery_jwt_base64url(out, digest, sizeof digest);
  buf_release(&jwk);
  return done && out->error == STATUS_OK;
}

/* --- signing --- */

/* OpenSSL's DER -> the two numbers side by side that RFC 7518 section 3.4 asks for. */
static bool flatten(const unsigned char *der, size_t len, struct buf *out) {
  unsigned char flat[2 * EC_BYTES];
  const unsigned char *at = der;
  ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)len);
  bool done = signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature), flat, EC_BYTES) == EC_BYTES &&
              BN_bn2binpad(ECDSA_SIG_get0_s(signature), flat + EC_BYTES, EC_BYTES) == EC_BYTES;
  if (done) delivery_jwt_base64url(out, flat, sizeof flat);
  ECDSA_SIG_free(signature);
  return done;
}

bool delivery_jwt_sign(EVP_PKEY *key, enum delivery_smart_algorithm algorithm, struct str header,
                       struct str claims, struct buf *out) {
  unsigned char signature[SIGNATURE_MAX];
  size_t len = sizeof signature;
  delivery_jwt_base64url(out, (const unsigned char *)header.ptr, header.len);
  buf_add_char(out, '.');
  delivery_jwt_base64url(out, (const unsigned char *)claims.ptr, claims.len);
  if (out->error != STATUS_OK) return false;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  bool done = context && EVP_DigestSignInit(context, NULL, EVP_sha384(), NULL, key) == 1 &&
              EVP_DigestSign(context, signature, &len, (const unsigned char *)out->ptr, out->len) == 1;
  EVP_MD_CTX_free(context);
  if (!done) return false;
  buf_add_char(out, '.');
  if (algorithm == SMART_ES384) return flatten(signature, len, out) && out->error == STATUS_OK;
  delivery_jwt_base64url(out, signature, len);
  return out->error == STATUS_OK;
}
