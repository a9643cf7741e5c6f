/* wire.c - accepted connections, by recv and send or by OpenSSL. */
#include "relay/wire.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "base/crypto.h"
#include "base/secret.h"
#include "delivery/delivery.h"
#include "relay/config.h"

enum { KEY_BYTES = 64 << 10 };

struct relay_tls {
  SSL_CTX *context;
};

static enum status fail(struct diag_list *diags, struct str file, const char *why) {
  struct source source = source_make(file, (struct str){0});
  struct diag_at at = {.source = &source};
  diag_error(diags, DIAG_CONFIG_INVALID, &at, "%s", why);
  return STATUS_CONFIG;
}

/* --- what we are --- */

static enum status use_key(SSL_CTX *context, struct str path, struct diag_list *diags) {
  struct str text = {0};
  struct arena *arena = arena_new(2 * KEY_BYTES);
  if (!arena) return STATUS_NOMEM;
  enum status status = base_secret_read(path.ptr, "the key of [mllp]", KEY_BYTES, arena, diags, &text);
  EVP_PKEY *key = status == STATUS_OK ? base_crypto_read_key(text) : NULL;
  if (status == STATUS_OK && !key) key = base_crypto_read_key(text);
  if (status == STATUS_OK && !key) status = base_crypto_refuse(diags, path, "the key of [mllp] is no private key in PEM without a password");
  if (status == STATUS_OK && (SSL_CTX_use_PrivateKey(context, key) != 1 || SSL_CTX_check_private_key(context) != 1))
    status = base_crypto_refuse(diags, path, "the key of [mllp] is not that of its certificate, or too weak");
  EVP_PKEY_free(key);
  base_secret_wipe(text);
  arena_free(arena);
  return status;
}

static bool take_certificate(SSL_CTX *context, struct str path) {
  return SSL_CTX_use_certificate_chain_file(context, path.ptr) == 1;
}

static enum status use_certificate(SSL_CTX *context, struct str path, const struct host *host, struct diag_list *diags) {
  if (!take_certificate(context, path) && !take_certificate(context, path))
    return base_crypto_refuse(diags, path, "the certificate of [mllp] is missing, no certificate in PEM, or too weak");
  time_t now = (time_t)(host->now_ms(host->context) / 1000);
  const X509 *certificate = SSL_CTX_get0_certificate(context);
  /* what compares without memory: X509_cmp_time takes want of it for a date that has passed */
  if (ASN1_TIME_cmp_time_t(X509_get0_notAfter(certificate), now) != 1)
    return fail(diags, path, "the certificate of [mllp] has expired");
  if (ASN1_TIME_cmp_time_t(X509_get0_notBefore(certificate), now) != -1)
    return fail(diags, path, "the certificate of [mllp] is not yet valid");
  return STATUS_OK;
}

/* --- whom we believe --- */

static bool take_authority(SSL_CTX *context, struct str path) {
  STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(path.ptr);
  bool taken = names && SSL_CTX_load_verify_file(context, path.ptr) == 1;
  if (taken)
    SSL_CTX_set_client_CA_list(context, names);
  else
    sk_X509_NAME_pop_free(names, X509_NAME_free);
  return taken;
}

static enum status use_authority(SSL_CTX *context, struct str path, struct diag_list *diags) {
  if (!take_authority(context, path) && !take_authority(context, path))
    return base_crypto_refuse(diags, path, "the client-ca of [mllp] is missing, or has no certificate in PEM");
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  return STATUS_OK;
}

/* OpenSSL compares: alternative names of hosts, or the common name where there is none. Want of memory is no name. */
static bool is_wanted(X509 *certificate, const struct relay_names *names) {
  for (size_t i = 0; i < names->count; i++)
    if (X509_check_host(certificate, names->names[i].ptr, names->names[i].len, X509_CHECK_FLAG_NO_WILDCARDS, NULL) == 1) return true;
  return false;
}

static int verify(X509_STORE_CTX *store, void *context) {
  const struct relay_mllp_config *config = context;
  int verified = X509_verify_cert(store);
  if (verified != 1 || is_wanted(X509_STORE_CTX_get0_cert(store), &config->client_names)) return verified;
  X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);
  return 0;
}

static void use_names(SSL_CTX *context, const struct relay_mllp_config *config) {
  if (config->client_names.count) SSL_CTX_set_cert_verify_callback(context, verify, (void *)(uintptr_t)config);
}

/* Of each authority up to the root, as libcurl does towards destinations; one that has ended refuses all. */
static bool take_list(SSL_CTX *context, struct str path) {
  X509_LOOKUP *lookup = X509_STORE_add_lookup(SSL_CTX_get_cert_store(context), X509_LOOKUP_file());
  return lookup && X509_load_crl_file(lookup, path.ptr, X509_FILETYPE_PEM) >= 1;
}

static enum status use_list(SSL_CTX *context, struct str path, struct diag_list *diags) {
  if (!take_list(context, path) && !take_list(context, path))
    return base_crypto_refuse(diags, path, "the crl of [mllp] is missing, or no list of revoked certificates in PEM");
  X509_STORE_set_flags(SSL_CTX_get_cert_store(context), X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  return STATUS_OK;
}

/* --- the whole --- */

static bool set_rules(SSL_CTX *context) {
  SSL_CTX_set_security_level(context, DELIVERY_TLS_LEVEL);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  /* thousands of idle connections hold no buffers; what is not written yet may have moved */
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(context, delivery_tls_suites()) == 1 && SSL_CTX_set_num_tickets(context, 0) == 1;
}

static enum status fill(SSL_CTX *context, const struct relay_mllp_config *config, const struct host *host,
                        struct diag_list *diags) {
  enum status worst = use_certificate(context, config->certificate, host, diags);
  enum status key = worst == STATUS_OK ? use_key(context, config->key, diags) : STATUS_OK;
  if (worst == STATUS_OK) worst = key;
  enum status peer = config->client_ca.len ? use_authority(context, config->client_ca, diags) : STATUS_OK;
  if (worst == STATUS_OK) worst = peer;
  use_names(context, config);
  enum status list = config->crl.len ? use_list(context, config->crl, diags) : STATUS_OK;
  return worst == STATUS_OK ? list : worst;
}

enum status relay_tls_open(const struct relay_mllp_config *config, const struct host *host, struct diag_list *diags,
                           struct relay_tls **out) {
  *out = NULL;
  if (!config->certificate.len) return STATUS_OK;
  if (!config->key.len) return STATUS_CONFIG; /* relay_config_read has said why */
  struct relay_tls *tls = calloc(1, sizeof *tls);
  if (tls) tls->context = SSL_CTX_new(TLS_server_method());
  enum status status = tls && tls->context && set_rules(tls->context) ? STATUS_OK : STATUS_NOMEM;
  if (status == STATUS_OK) status = fill(tls->context, config, host, diags);
  if (status == STATUS_OK)
    *out = tls;
  else
    relay_tls_close(tls);
  return status;
}

void relay_tls_close(struct relay_tls *tls) {
  if (!tls) return;
  SSL_CTX_free(tls->context);
  free(tls);
}

/* --- connections --- */

enum status relay_wire_open(struct relay_wire *wire, int fd, const struct relay_tls *tls) {
  *wire = (struct relay_wire){.fd = fd, .shaken = !tls};
  if (!tls) return STATUS_OK;
  wire->ssl = SSL_new(tls->context);
  if (!wire->ssl || SSL_set_fd(wire->ssl, fd) != 1) return STATUS_NOMEM;
  SSL_set_accept_state(wire->ssl);
  return STATUS_OK;
}

/* The end is told to a side that was known, as far as that goes without waiting. */
void relay_wire_close(struct relay_wire *wire) {
  if (wire->ssl && wire->shaken) (void)SSL_shutdown(wire->ssl);
  SSL_free(wire->ssl);
  if (wire->fd >= 0) close(wire->fd);
  ERR_clear_error();
  *wire = (struct relay_wire){.fd = -1};
}

bool relay_wire_finish(struct relay_wire *wire) {
  if (!wire->shaken || (wire->ssl && SSL_shutdown(wire->ssl) < 0)) return false;
  return shutdown(wire->fd, SHUT_WR) == 0;
}

static enum relay_wire_says say(const struct relay_wire *wire, int result) {
  switch (SSL_get_error(wire->ssl, result)) {
  case SSL_ERROR_WANT_READ:
    return WIRE_WANTS_READ;
  case SSL_ERROR_WANT_WRITE:
    return WIRE_WANTS_WRITE;
  case SSL_ERROR_ZERO_RETURN:
    return WIRE_END;
  default:
    return WIRE_FAULT;
  }
}

static enum relay_wire_says say_errno(enum relay_wire_says wants) {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? wants : WIRE_FAULT;
}

enum relay_wire_says relay_wire_shake(struct relay_wire *wire) {
  ERR_clear_error();
  int result = wire->shaken ? 1 : SSL_do_handshake(wire->ssl);
  if (result != 1) return say(wire, result);
  wire->shaken = true;
  return WIRE_DONE;
}

enum relay_wire_says relay_wire_read(struct relay_wire *wire, char *bytes, size_t room, size_t *count) {
  *count = 0;
  if (wire->ssl) {
    ERR_clear_error();
    int result = SSL_read_ex(wire->ssl, bytes, room, count);
    return result == 1 ? WIRE_DONE : say(wire, result);
  }
  ssize_t n = recv(wire->fd, bytes, room, 0);
  if (n < 0) return say_errno(WIRE_WANTS_READ);
  *count = (size_t)n;
  return n ? WIRE_DONE : WIRE_END;
}

enum relay_wire_says relay_wire_write(struct relay_wire *wire, struct str bytes, size_t *count) {
  *count = 0;
  if (wire->ssl) {
    ERR_clear_error();
    int result = SSL_write_ex(wire->ssl, bytes.ptr, bytes.len, count);
    return result == 1 ? WIRE_DONE : say(wire, result);
  }
  ssize_t n = send(wire->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
  if (n < 0) return say_errno(WIRE_WANTS_WRITE);
  *count = (size_t)n;
  return WIRE_DONE;
}

struct str relay_wire_why(const struct relay_wire *wire) {
  long verified = wire->ssl ? SSL_get_verify_result(wire->ssl) : X509_V_OK;
  if (verified == X509_V_ERR_HOSTNAME_MISMATCH) return STR("its certificate is for none of client-names");
  const char *words = verified != X509_V_OK ? X509_verify_cert_error_string(verified)
                                            : ERR_reason_error_string(ERR_peek_last_error());
  return words ? str_of(words) : STR("the connection broke");
}
