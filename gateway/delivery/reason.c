/* reason.c - how far a request came and why it ended, out of what libcurl and OpenSSL tell. */
#include <openssl/x509.h>
#include "delivery/client.h"

/* OpenSSL's words for what went wrong with TLS, as they stand at the end of libcurl's, and ours. `alert`:
   the server speaks of our certificate, which with TLS 1.3 it does only after our side thinks that all is
   well. It has read nothing then. */
static const struct {
  const char *said, *reason;
  int alert; /* RFC 8446 section 6; 0: another trouble */
} words[] = {
    {"alert certificate required", "the server asks for a client certificate: clientCertFile", 116},
    {"alert certificate expired", "the server refuses our client certificate: expired", 45},
    {"alert certificate revoked", "the server refuses our client certificate: revoked", 44},
    {"alert certificate unknown", "the server refuses our client certificate", 46},
    {"alert unsupported certificate", "the server refuses our client certificate: of the wrong kind", 43},
    {"alert bad certificate", "the server refuses our client certificate", 42},
    {"alert unknown ca", "the server refuses our client certificate: it does not know its authority", 48},
    {"alert access denied", "the server refuses our client certificate: not permitted", 49},
    {"alert decrypt error", "the server refuses our client certificate: a wrong signature", 51},
    {"wrong version number", "the server does not speak TLS on this port", 0},
    {"http request", "the server does not speak TLS on this port", 0},
    {"alert protocol version", "the server offers no TLS 1.2 or newer", 0},
    {"unsupported protocol", "the server offers no TLS 1.2 or newer", 0},
    {"wrong signature type", "the server signs with an algorithm that is too weak", 0},
    {"dh key too small", "the server's key exchange is too weak", 0},
    {"wrong cipher returned", "the server chose a cipher suite that was not offered", 0},
    {"alert handshake failure",
     "the server offers no cipher suite that is allowed (or wants a client certificate)", 0},
    {"alert insufficient security", "the server offers no cipher suite that is allowed", 0},
    {"unexpected eof", "the server closed the connection in the TLS handshake", 0},
    {"SSL_ERROR_SYSCALL", "the server closed the connection in the TLS handshake", 0},
};
enum { WORDS = sizeof words / sizeof words[0] };

/* --- the alert --- */

/* When writing fails because the server has closed, libcurl does not read what it said last; but it does read once when
   it closes, and OpenSSL tells of it here. The number stands in the context itself: a connection that is used again
   outlives the call it was made for. */
static void note_alert(const SSL *ssl, int where, int what) {
  unsigned alert = (unsigned)what & 0xff;
  if (where == SSL_CB_READ_ALERT && alert != SSL_AD_CLOSE_NOTIFY)
    SSL_CTX_set_app_data(SSL_get_SSL_CTX(ssl), (void *)(uintptr_t)alert);
}

void delivery_alert_watch(struct delivery_call *call, SSL_CTX *tls) {
  delivery_alert_forget(call);
  if (SSL_CTX_up_ref(tls) != 1) return;
  call->tls = tls;
  SSL_CTX_set_app_data(tls, NULL);
  SSL_CTX_set_info_callback(tls, note_alert);
}

void delivery_alert_forget(struct delivery_call *call) {
  SSL_CTX_free(call->tls);
  call->tls = NULL;
}

/* 0: none, or on a connection that had served before. */
static int alert_of(const struct delivery_call *call) {
  return call->tls ? (int)(uintptr_t)SSL_CTX_get_app_data(call->tls) : 0;
}

static size_t find_word(const struct delivery_call *call) {
  int alert = alert_of(call);
  for (size_t i = 0; alert && i < WORDS; i++)
    if (words[i].alert == alert) return i;
  for (size_t i = 0; i < WORDS; i++)
    if (str_find(str_of(call->error), str_of(words[i].said), 0) != SIZE_MAX) return i;
  return WORDS;
}

/* Whoever has answered with as much as a byte has read something. */
static bool is_about_us(const struct delivery_call *call) {
  size_t word = find_word(call);
  long heads = 0;
  curl_easy_getinfo(call->curl, CURLINFO_HEADER_SIZE, &heads);
  return word < WORDS && words[word].alert && call->tls && heads == 0 && call->body.len == 0;
}

long delivery_sent(const struct delivery_call *call) {
  long sent = 0;
  curl_off_t body = 0; /* what libcurl could not write with the head at once is counted here only */
  curl_easy_getinfo(call->curl, CURLINFO_REQUEST_SIZE, &sent);
  curl_easy_getinfo(call->curl, CURLINFO_SIZE_UPLOAD_T, &body);
  return sent + (body > 0);
}

enum delivery_phase delivery_phase_of(const struct delivery_call *call, CURLcode code) {
  curl_off_t tls_done = 0, connected = 0;
  curl_easy_getinfo(call->curl, CURLINFO_APPCONNECT_TIME_T, &tls_done);
  curl_easy_getinfo(call->curl, CURLINFO_CONNECT_TIME_T, &connected);
  switch (code) {
  case CURLE_OK:
    return DELIVERY_ANSWER;
  case CURLE_UNSUPPORTED_PROTOCOL: /* also said of an answer that is no HTTP */
    if (delivery_sent(call) > 0) return DELIVERY_SENDING;
    return DELIVERY_BEFORE_CONNECT;
  case CURLE_OUT_OF_MEMORY: /* it passes, and nobody is at fault; also said of an answer with a line that is too long */
    return delivery_sent(call) > 0 ? DELIVERY_SENDING : DELIVERY_CONNECT;
  case CURLE_URL_MALFORMAT:
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_CRL_BADFILE:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_CIPHER:
  case CURLE_SSL_ENGINE_NOTFOUND:
    return DELIVERY_BEFORE_CONNECT;
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CONNECT_ERROR:
  case CURLE_SSL_ISSUER_ERROR:
  case CURLE_SSL_INVALIDCERTSTATUS:
  case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    return DELIVERY_TLS;
  default:
    if (code != CURLE_OPERATION_TIMEDOUT && is_about_us(call)) return DELIVERY_TLS;
    if (delivery_sent(call) > 0) return DELIVERY_SENDING;
    return connected > 0 && tls_done == 0 ? DELIVERY_TLS : DELIVERY_CONNECT;
  }
}

/* libcurl compares the host name once more itself, and stops before it asks OpenSSL for the chain's result,
   which then still stands at "unspecified". Its words are the only sign. */
static bool is_other_host(struct str said, long verify) {
  return verify == X509_V_ERR_HOSTNAME_MISMATCH || verify == X509_V_ERR_IP_ADDRESS_MISMATCH ||
         str_find(said, STR("subject name"), 0) != SIZE_MAX ||
         str_find(said, STR("target host name"), 0) != SIZE_MAX;
}

static const char *certificate_reason(const struct delivery_call *call) {
  long verify = X509_V_OK;
  curl_easy_getinfo(call->curl, CURLINFO_SSL_VERIFYRESULT, &verify);
  if (is_other_host(str_of(call->error), verify)) return "the certificate is for another host name";
  if (verify == X509_V_ERR_CRL_HAS_EXPIRED) return "the revocation list has expired: renew crlFile";
  if (verify == X509_V_ERR_UNABLE_TO_GET_CRL)
    return "crlFile has no revocation list of an authority in the chain";
  return verify != X509_V_OK && verify != X509_V_ERR_UNSPECIFIED ? X509_verify_cert_error_string(verify)
                                                                 : NULL;
}

/* What libcurl says of files and pins is about ours, and names them. */
static const char *own_reason(const struct delivery_call *call, CURLcode code) {
  /* libcurl was not let to send it again, or to connect for that */
  bool again = code == CURLE_ABORTED_BY_CALLBACK || code == CURLE_COULDNT_CONNECT;
  if (again && delivery_sent(call) > 0) return "the server closed the connection without an answer";
  switch (code) {
  case CURLE_UNSUPPORTED_PROTOCOL:
    return delivery_sent(call) > 0 ? "the answer is not of HTTP" : NULL;
  case CURLE_OUT_OF_MEMORY:
    return delivery_sent(call) > 0 ? "no memory for the answer, or a line of its head is too long" : NULL;
  case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    return "server certificate refused: its key is none of pinnedKeys";
  case CURLE_SSL_CACERT_BADFILE:
    return "caFile is missing or holds no certificate in PEM";
  case CURLE_SSL_CRL_BADFILE:
    return "crlFile is missing or holds no revocation list in PEM: without it no certificate is trusted";
  case CURLE_SSL_CERTPROBLEM:
    return "clientCertFile or clientKeyFile cannot be used";
  default:
    return NULL;
  }
}

struct str delivery_reason_of(const struct delivery_call *call, CURLcode code, long status) {
  struct arena *arena = call->arena;
  if (call->body.error == STATUS_LIMIT)
    return arena_printf(arena, "the answer is larger than %zu bytes", call->body.max);
  if (call->heads > LIMIT_RESPONSE_HEADS)
    return arena_printf(arena, "the head of the answer, or what stands behind its body, is larger than %d bytes", LIMIT_RESPONSE_HEADS);
  if (code == CURLE_OK) return arena_printf(arena, "HTTP status %ld", status);
  const char *tls = code == CURLE_PEER_FAILED_VERIFICATION ? certificate_reason(call) : NULL;
  const char *own = own_reason(call, code);
  size_t word = find_word(call);
  if (tls) return arena_printf(arena, "server certificate refused: %s", tls);
  if (own) return arena_printf(arena, "%s", own);
  if (word < WORDS && delivery_phase_of(call, code) == DELIVERY_TLS)
    return arena_printf(arena, "%s", words[word].reason);
  return arena_printf(arena, "%s", call->error[0] ? call->error : curl_easy_strerror(code));
}
