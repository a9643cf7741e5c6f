/* jwt.h - private to delivery: base64url, JWK and signatures on OpenSSL. */
#ifndef KETLINK_DELIVERY_JWT_H
#define KETLINK_DELIVERY_JWT_H

#include <openssl/evp.h>
#include "delivery/smart.h"

/* RFC 4648 section 5, without padding. */
void delivery_jwt_base64url(struct buf *out, const unsigned char *bytes, size_t count);
/* New private key. */
EVP_PKEY *delivery_jwt_make_key(enum delivery_smart_algorithm algorithm);
/* PKCS #8 PEM, as base_crypto_read_key reads it. */
bool delivery_jwt_write_pem(EVP_PKEY *key, struct buf *out);
/* Of a key: what it can sign with; false for any other key. */
bool delivery_jwt_algorithm_of(EVP_PKEY *key, enum delivery_smart_algorithm *out);
/* The required members of its JWK in the order of RFC 7638, `{"crv":…}`, without kid. */
bool delivery_jwt_write_jwk(EVP_PKEY *key, struct buf *out);
/* RFC 7638: base64url of SHA-256 of that. */
bool delivery_jwt_thumbprint(EVP_PKEY *key, struct buf *out);
/* Header and claims (JSON) -> compact JWS. */
bool delivery_jwt_sign(EVP_PKEY *key, enum delivery_smart_algorithm algorithm, struct str header,
                       struct str claims, struct buf *out);

#endif
