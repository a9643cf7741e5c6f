/* credential.c - who we are, and whom we believe: files that are read and judged before a connection is made.
 */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include "base/crypto.h"
#include "base/secret.h"
#include "delivery/client.h"
#include "delivery/jwt.h"
#include "delivery/smart.h"

enum { SECRET_MAX = 16384, PUBLIC_MAX = 1 << 20, LISTS_MAX = 32 << 20, PASSWORD_MAX = 1024 };

static enum status refuse(struct diag_list *diags, struct str file, const char *why) {
  struct source source = source_make(file, (struct str){0});
  struct diag_at at = {.source = &source};
  diag_error(diags, DIAG_CONFIG_INVALID, &at, "%s", why);
  return STATUS_CONFIG;
}

static enum status read_public(const struct host *host, struct str path, size_t max, const char *missing, struct arena *arena,
                               struct diag_list *diags, struct str *out) {
  enum status status = host->read_file(host->context, path.ptr, max, arena, out);
  return status == STATUS_OK || status == STATUS_NOMEM ? status : refuse(diags, path, missing);
}

enum status delivery_authorize(struct delivery_client *client, const char *scheme, struct str secret) {
  size_t size = sizeof "Authorization:  " + strlen(scheme) + secret.len;
  char *header = OPENSSL_zalloc(size);
  if (!header) return STATUS_NOMEM;
  (void)snprintf(header, size, "Authorization: %s %.*s", scheme, STR_ARG(secret));
  if (client->authorization) OPENSSL_clear_free(client->authorization, client->authorization_size);
  client->authorization = header;
  client->authorization_size = size;
  return STATUS_OK;
}

static bool is_printable(struct str text) {
  for (size_t i = 0; i < text.len; i++)
    if (text.ptr[i] < ' ' || text.ptr[i] > '~') return false;
  return text.len > 0;
}

static enum status load_bearer(struct delivery_client *client, struct arena *arena, struct diag_list *diags) {
  struct str path = client->destination.token_file, token;
  enum status status = base_secret_token(path.ptr, "the token file", SECRET_MAX, arena, diags, &token);
  return status == STATUS_OK ? delivery_authorize(client, "Bearer", token) : status;
}

/* RFC 7617; the line end that editors put is not of the password. */
static enum status load_basic(struct delivery_client *client, struct arena *arena, struct diag_list *diags) {
  struct str path = client->destination.password_file, password;
  enum status status = base_secret_read(path.ptr, "the password file", PASSWORD_MAX, arena, diags, &password);
  if (status != STATUS_OK) return status;
  while (password.len && strchr("\r\n", password.ptr[password.len - 1]))
    password.len--;
  if (!is_printable(password))
    return refuse(diags, path, "the password file must hold one line of printable ASCII characters");
  struct str both = arena_printf(arena, "%.*s:%.*s", STR_ARG(client->destination.user), STR_ARG(password));
  struct str coded = both.ptr ? base_base64(both, arena) : (struct str){0};
  return coded.ptr ? delivery_authorize(client, "Basic", coded) : STATUS_NOMEM;
}

/* --- a secret that somebody else renews --- */

static struct str secret_file(const struct delivery_client *client) {
  const struct delivery_destination *destination = &client->destination;
  return destination->auth == DELIVERY_AUTH_BEARER  ? destination->token_file
         : destination->auth == DELIVERY_AUTH_BASIC ? destination->password_file
                                                    : (struct str){0};
}

static int64_t nanoseconds(struct timespec time) {
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static struct delivery_mark mark_of(struct str path) {
  struct stat info;
  if (lstat(path.ptr, &info) != 0) return (struct delivery_mark){0};
  return (struct delivery_mark){.device = info.st_dev,
                                .inode = info.st_ino,
                                .size = info.st_size,
                                .written_ns = nanoseconds(info.st_mtim),
                                .changed_ns = nanoseconds(info.st_ctim)};
}

static bool is_same(const struct delivery_mark *a, const struct delivery_mark *b) {
  return a->device == b->device && a->inode == b->inode && a->size == b->size &&
         a->written_ns == b->written_ns && a->changed_ns == b->changed_ns;
}

/* Looked at before it is read: one that changes meanwhile is read once more. */
static enum status load_secret(struct delivery_client *client, struct arena *arena, struct diag_list *diags) {
  struct str path = secret_file(client);
  if (!path.len) return STATUS_OK;
  struct delivery_mark mark = mark_of(path);
  enum status status = client->destination.auth == DELIVERY_AUTH_BEARER ? load_bearer(client, arena, diags)
                                                                        : load_basic(client, arena, diags);
  if (status != STATUS_NOMEM) client->mark = mark;
  return status;
}

/* libcurl reads it for each connection; here only whether it is one's own still. */
static enum status look_at_key(struct delivery_client *client, struct arena *arena, struct diag_list *diags) {
  struct str path = client->destination.key_file, key = {0};
  if (!path.len) return STATUS_OK;
  struct delivery_mark mark = mark_of(path);
  enum status status = base_secret_read(path.ptr, "clientKeyFile", SECRET_MAX, arena, diags, &key);
  if (status != STATUS_NOMEM) client->key_mark = mark;
  return status;
}

void delivery_credential_refresh(struct delivery_client *client) {
  struct str path = secret_file(client), key = client->destination.key_file;
  struct delivery_mark mark = path.len ? mark_of(path) : client->mark, key_mark = key.len ? mark_of(key) : client->key_mark;
  struct diag_list diags;
  if (is_same(&mark, &client->mark) && is_same(&key_mark, &client->key_mark)) return;
  struct arena *arena = arena_new(8 * SECRET_MAX); /* wiped when it is freed */
  if (!arena) return;
  diag_list_init(&diags, arena);
  enum status status = load_secret(client, arena, &diags);
  if (status == STATUS_OK) {
    path = key;
    status = look_at_key(client, arena, &diags);
  }
  struct str why = diags.first ? diags.first->message : STR("it cannot be used");
  if (status == STATUS_NOMEM)
    client->mark = (struct delivery_mark){0}; /* it is read the next time */
  else
    client->stale = status != STATUS_OK;
  (void)snprintf(client->stale_reason, sizeof client->stale_reason, "%.*s: %.*s", STR_ARG(path), STR_ARG(why));
  arena_free(arena);
}

struct str delivery_client_stale(const struct delivery_client *client) {
  return client->stale ? str_of(client->stale_reason) : (struct str){0};
}

void delivery_credential_doubt(struct delivery_client *client) {
  client->mark = (struct delivery_mark){0};
}

/* It is read again for each token; here only that it can be. */
static enum status check_smart(const struct delivery_client *client, struct diag_list *diags) {
  struct delivery_smart_keys *keys = NULL;
  enum status status = delivery_smart_keys_read(client->destination.keys_file.ptr, diags, &keys);
  delivery_smart_keys_close(keys);
  return status;
}

/* --- the client certificate --- */

/* Asked first, as only these leave an OpenSSL error to report. */
static const char *fault_of_content(X509 *certificate, EVP_PKEY *key) {
  if (!certificate) return "clientCertFile holds no certificate in PEM";
  if (!key) return "clientKeyFile holds no private key in PEM, or one with a password";
  if (X509_check_private_key(certificate, key) != 1)
    return "clientKeyFile is not the key of the certificate in clientCertFile";
  return NULL;
}

/* A date that cannot be read is none that holds. Compared without memory: X509_cmp_time would need some. */
static const char *fault_of_dates(const X509 *certificate, time_t now) {
  if (ASN1_TIME_cmp_time_t(X509_get0_notAfter(certificate), now) != 1)
    return "the client certificate has expired: get a new one";
  if (ASN1_TIME_cmp_time_t(X509_get0_notBefore(certificate), now) != -1)
    return "the client certificate is not yet valid: check the clock";
  return NULL;
}

static X509 *read_certificate(struct str pem) {
  BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
  X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
  BIO_free(bio);
  return certificate;
}

static const char *fault_of_pair(struct str public, struct str secret, time_t now, bool *content) {
  X509 *certificate = read_certificate(public);
  EVP_PKEY *key = base_crypto_read_key(secret);
  const char *fault = fault_of_content(certificate, key);
  *content = fault;
  if (!fault) fault = fault_of_dates(certificate, now);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return fault;
}

static enum status check_pair(const struct delivery_client *client, struct arena *arena,
                              struct diag_list *diags) {
  const struct delivery_destination *destination = &client->destination;
  struct str public = {0}, secret;
  const struct host *host = client->host;
  if (!destination->cert_file.len) return STATUS_OK;
  enum status status =
      base_secret_read(destination->key_file.ptr, "clientKeyFile", SECRET_MAX, arena, diags, &secret);
  if (status != STATUS_OK) return status;
  status = read_public(host, destination->cert_file, PUBLIC_MAX, "clientCertFile cannot be read", arena, diags, &public);
  if (status != STATUS_OK) return status;
  bool content = false;
  time_t now = (time_t)(host->now_ms(host->context) / 1000);
  const char *fault = fault_of_pair(public, secret, now, &content);
  if (content) fault = fault_of_pair(public, secret, now, &content);
  base_secret_wipe(secret);
  if (content) return base_crypto_refuse(diags, destination->cert_file, fault);
  return fault ? refuse(diags, destination->cert_file, fault) : STATUS_OK;
}

/* --- whom we believe --- */

static size_t count_lists(struct str pem) {
  BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
  size_t count = 0;
  X509_CRL *list;
  while (bio && (list = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
    X509_CRL_free(list);
    count++;
  }
  BIO_free(bio);
  return count;
}

/* That it is there and can be read; whether it is fresh, and of the right authority, each handshake asks. */
static enum status check_lists(const struct delivery_client *client, struct arena *arena,
                               struct diag_list *diags) {
  struct str path = client->destination.crl_file, text = {0};
  const struct host *host = client->host;
  if (!path.len) return STATUS_OK;
  enum status status = read_public(host, path, LISTS_MAX, "crlFile is missing or cannot be read: without it no certificate is trusted",
                                   arena, diags, &text);
  if (status != STATUS_OK) return status;
  return count_lists(text) || count_lists(text) ? STATUS_OK : base_crypto_refuse(diags, path, "crlFile holds no revocation list in PEM");
}

static enum status check_authority(const struct delivery_client *client, struct arena *arena,
                                   struct diag_list *diags) {
  struct str path = client->destination.ca_file, text = {0};
  const struct host *host = client->host;
  if (!path.len) return STATUS_OK;
  enum status status = read_public(host, path, PUBLIC_MAX, "caFile is missing or cannot be read: without it no certificate is trusted",
                                   arena, diags, &text);
  if (status != STATUS_OK) return status;
  X509 *certificate = read_certificate(text);
  if (!certificate) certificate = read_certificate(text);
  X509_free(certificate);
  return certificate ? STATUS_OK : base_crypto_refuse(diags, path, "caFile holds no certificate in PEM");
}

enum status delivery_credential_load(struct delivery_client *client, struct diag_list *diags) {
  struct arena *arena = arena_new((size_t)LISTS_MAX + 4 * PUBLIC_MAX); /* wiped when it is freed */
  if (!arena) return STATUS_NOMEM;
  enum status status = check_authority(client, arena, diags);
  if (status == STATUS_OK) status = check_lists(client, arena, diags);
  if (status == STATUS_OK && client->destination.key_file.len) client->key_mark = mark_of(client->destination.key_file);
  if (status == STATUS_OK) status = check_pair(client, arena, diags);
  if (status == STATUS_OK) status = load_secret(client, arena, diags);
  if (status == STATUS_OK && client->destination.auth == DELIVERY_AUTH_SMART)
    status = check_smart(client, diags);
  arena_free(arena);
  ERR_clear_error(); /* of files that were none, or it would be told as the reason of something else */
  return status;
}
