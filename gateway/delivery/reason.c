/* reason.c - how far a request came and why it ended, out of what libcurl and OpenSSL tell. */
#include <openssl/x509.h>
#include "delivery/client.h"

/* OpenSSL's words for what went wrong with TLS, as they stand at the end of libcurl's, and ours. `identity`:
   the server speaks of our certificate, which with TLS 1.3 it does only after our side thinks that all is
   well. It has read nothing then. */
static const struct {
  const char *said, *reason;
  bool identity;
} words[] = {
    {"alert certificate required", "the server asks for a client certificate: clientCertFile", true},
    {"alert certificate expired", "the server refuses our client certificate: expired", true},
    {"alert certificate revoked", "the server refuses our client certificate: revoked", true},
    {"alert certificate unknown", "the server refuses our client certificate", true},
    {"alert unsupported certificate", "the server refuses our client certificate: of the wrong kind", true},
    {"alert bad certificate", "the server refuses our client certificate", true},
    {"alert unknown ca", "the server refuses our client certificate: it does not know its authority", true},
    {"alert access denied", "the server refuses our client certificate: not permitted", true},
    {"alert decrypt error", "the server refuses our client certificate: a wrong signature", true},
    {"wrong version number", "the server does not speak TLS on this port", false},
    {"http request", "the server does not speak TLS on this port", false},
    {"alert protocol version", "the server offers no TLS 1.2 or newer", false},
    {"unsupported protocol", "the server offers no TLS 1.2 or newer", false},
    {"wrong signature type", "the server signs with an algorithm that is too weak", false},
    {"dh key too small", "the server's key exchange is too weak", false},
    {"wrong cipher returned", "the server chose a cipher suite that was not offered", false},
    {"alert handshake failure",
     "the server offers no cipher suite that is allowed (or wants a client certificate)", false},
    {"alert insufficient security", "the server offers no cipher suite that is allowed", false},
    {"unexpected eof", "the server closed the connection in the TLS handshake", false},
    {"SSL_ERROR_SYSCALL", "the server closed the connection in the TLS handshake", false},
};
enum { WORDS = sizeof words / sizeof words[0] };

static size_t find_word(const struct delivery_call *call) {
  for (size_t i = 0; i < WORDS; i++)
    if (str_find(str_of(call->error), str_of(words[i].said), 0) != SIZE_MAX) return i;
  return WORDS;
}

static bool is_about_us(const struct delivery_call *call) {
  size_t word = find_word(call);
  return word < WORDS && words[word].identity;
}

enum delivery_phase delivery_phase_of(const struct delivery_call *call, CURLcode code) {
  curl_off_t tls_done = 0, connected = 0;
  long sent = 0;
  curl_easy_getinfo(call->curl, CURLINFO_APPCONNECT_TIME_T, &tls_done);
  curl_easy_getinfo(call->curl, CURLINFO_CONNECT_TIME_T, &connected);
  curl_easy_getinfo(call->curl, CURLINFO_REQUEST_SIZE, &sent);
  switch (code) {
  case CURLE_OK:
    return DELIVERY_ANSWER;
  case CURLE_UNSUPPORTED_PROTOCOL:
  case CURLE_URL_MALFORMAT:
  case CURLE_OUT_OF_MEMORY:
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
    if (sent > 0) return DELIVERY_SENDING;
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
static const char *own_reason(CURLcode code) {
  switch (code) {
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
  const char *tls = code == CURLE_PEER_FAILED_VERIFICATION ? certificate_reason(call) : NULL;
  const char *own = own_reason(code);
  size_t word = find_word(call);
  if (call->body.error == STATUS_LIMIT)
    return arena_printf(arena, "the answer is larger than %zu bytes", call->body.max);
  if (code == CURLE_OK) return arena_printf(arena, "HTTP status %ld", status);
  if (tls) return arena_printf(arena, "server certificate refused: %s", tls);
  if (own) return arena_printf(arena, "%s", own);
  if (word < WORDS && delivery_phase_of(call, code) == DELIVERY_TLS)
    return arena_printf(arena, "%s", words[word].reason);
  return arena_printf(arena, "%s", call->error[0] ? call->error : curl_easy_strerror(code));
}
