/* digest.c - UUIDs, SHA-1, SHA-256 and base64, on OpenSSL. */
#define OPENSSL_SUPPRESS_DEPRECATED /* see uuid_v5 */
#include "base/host.h"
#include "base/limits.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

static const char HEX[] = "0123456789abcdef";

static void format_uuid(const unsigned char bytes[16], char out[UUID_TEXT]) {
  char *at = out;
  for (int i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *at++ = '-';
    *at++ = HEX[bytes[i] >> 4];
    *at++ = HEX[bytes[i] & 15];
  }
  *at = '\0';
}

static void stamp(unsigned char bytes[16], unsigned version) {
  bytes[6] = (unsigned char)((bytes[6] & 0x0F) | version << 4);
  bytes[8] = (unsigned char)((bytes[8] & 0x3F) | 0x80);
}

/* The one-shot functions of OpenSSL 3 look the algorithm up at each call, which costs four times the hash
   itself; a record needs some seventy identifiers, and a digest of each of its resources. */
void uuid_v5(const unsigned char namespace_id[16], struct str name, char out[UUID_TEXT]) {
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA_CTX context;
  SHA1_Init(&context);
  SHA1_Update(&context, namespace_id, 16);
  if (name.len) SHA1_Update(&context, name.ptr, name.len);
  SHA1_Final(digest, &context);
  stamp(digest, 5);
  format_uuid(digest, out);
}

enum status uuid_v4(const struct host *host, char out[UUID_TEXT]) {
  unsigned char bytes[16];
  enum status status = host->random(host->context, bytes, sizeof bytes);
  if (status) return status;
  stamp(bytes, 4);
  format_uuid(bytes, out);
  return STATUS_OK;
}

static int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool uuid_parse(struct str text, unsigned char out[16]) {
  size_t at = 0;
  if (text.len != UUID_TEXT - 1) return false;
  for (int i = 0; i < 16; i++) {
    if ((i == 4 || i == 6 || i == 8 || i == 10) && text.ptr[at++] != '-') return false;
    int high = hex_value(text.ptr[at]), low = hex_value(text.ptr[at + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = (unsigned char)(high << 4 | low);
    at += 2;
  }
  return true;
}

void sha256_hex(struct str bytes, char out[65]) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256_CTX context;
  SHA256_Init(&context);
  if (bytes.len) SHA256_Update(&context, bytes.ptr, bytes.len);
  SHA256_Final(digest, &context);
  for (size_t i = 0; i < sizeof digest; i++) {
    out[2 * i] = HEX[digest[i] >> 4];
    out[2 * i + 1] = HEX[digest[i] & 15];
  }
  out[64] = '\0';
}

void base_sha1_base64(struct str bytes, char out[SHA1_BASE64]) {
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1((const unsigned char *)(bytes.ptr ? bytes.ptr : ""), bytes.len, digest);
  EVP_EncodeBlock((unsigned char *)out, digest, sizeof digest);
}

struct str base_base64(struct str bytes, struct arena *arena) {
  size_t size = (bytes.len + 2) / 3 * 4;
  char *out = bytes.len <= LIMIT_TEXT_BYTES ? ARENA_ARRAY(arena, char, size + 1) : NULL;
  if (!out) return (struct str){0};
  EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)(bytes.ptr ? bytes.ptr : ""), (int)bytes.len);
  return str_make(out, size);
}
