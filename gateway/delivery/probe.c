/*
 * probe.c - one GET of /metadata with the client that delivers, and what its connection was made of.
 *
 * The same client, but for a token that must be fetched first: what this finds is what a delivery would meet. The TLS session can be looked at only while
 * a request runs: when a field of the answer has come.
 */
#include <openssl/ssl.h>
#include <time.h>
#include "delivery/client.h"

static int64_t expiry_of(const X509 *certificate) {
  struct tm when = {0};
  if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &when) != 1) return 0;
  return (int64_t)timegm(&when) * 1000;
}

static void note_session(const SSL *ssl, struct arena *arena, struct delivery_probe *out) {
  const STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
  out->tls = arena_str(arena, str_of(SSL_get_version(ssl)));
  out->cipher = arena_str(arena, str_of(SSL_get_cipher_name(ssl)));
  out->chain = chain ? sk_X509_num(chain) : 0;
  out->expires_ms = expiry_of(SSL_get0_peer_certificate(ssl));
}

static void look_at_session(CURL *curl, struct arena *arena, struct delivery_probe *out) {
  const struct curl_tlssessioninfo *session = NULL;
  if (curl_easy_getinfo(curl, CURLINFO_TLS_SSL_PTR, &session) == CURLE_OK && session &&
      session->backend == CURLSSLBACKEND_OPENSSL && session->internals && SSL_is_init_finished(session->internals))
    note_session(session->internals, arena, out);
}

void delivery_probe_look(const struct delivery_call *call, struct delivery_probe *out) {
  if (!out->tls.len) look_at_session(call->curl, call->arena, out);
}

static void look_at_connection(CURL *curl, struct arena *arena, struct delivery_probe *out) {
  const char *address = NULL;
  curl_off_t looked_up = 0;
  curl_easy_getinfo(curl, CURLINFO_NAMELOOKUP_TIME_T, &looked_up);
  curl_easy_getinfo(curl, CURLINFO_PRIMARY_IP, &address);
  out->resolved = looked_up > 0;
  if (address && out->answer.phase > DELIVERY_CONNECT) out->address = arena_str(arena, str_of(address));
}

/* The session is to be seen while libcurl is at work, and it says so all the time. */
static int on_progress(void *context, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now) {
  struct delivery_call *call = context;
  (void)total, (void)now, (void)up_total, (void)up_now;
  delivery_probe_look(call, call->probe);
  return 0;
}

void delivery_probe_connect(struct delivery_call *call, struct delivery_probe *out) {
  call->probe = out;
  curl_easy_setopt(call->curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(call->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(call->curl, CURLOPT_XFERINFODATA, call);
  CURLcode code = curl_easy_perform(call->curl);
  out->answer.phase = code == CURLE_OK ? DELIVERY_ANSWER : delivery_phase_of(call, code);
  out->answer.reason = code == CURLE_OK ? STR("connected") : delivery_reason_of(call, code, 0);
  look_at_connection(call->curl, call->arena, out);
}

enum status delivery_probe(struct delivery_client *client, struct arena *arena, struct delivery_probe *out) {
  struct delivery_request request = {.method = "GET", .path = STR("/metadata")};
  *out = (struct delivery_probe){0};
  client->probe = out;
  enum status status = delivery_send_bare(client, &request, arena, &out->answer);
  if (status == STATUS_OK) look_at_connection(client->curl, arena, out);
  client->probe = NULL;
  return status;
}

enum status delivery_probe_token(struct delivery_client *client, const char *type, struct arena *arena,
                                 struct delivery_answer *out) {
  struct delivery_request request = {.method = "GET"};
  request.path = arena_printf(arena, "/%s?identifier=urn:ketlink:doctor%%7Cnone&_summary=count", type);
  return request.path.ptr ? delivery_send(client, &request, arena, out) : STATUS_NOMEM;
}
