/*
 * call.c - one HTTPS request on a handle of libcurl, and what became of it.
 *
 * A byte cap holds after decoding; no redirects; and what must not be sent twice goes out on a fresh
 * connection, or is asked about before libcurl would repeat it.
 */
#include <openssl/crypto.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include "delivery/client.h"
#include "delivery/smart.h"

enum { HEADER_MAX = 4096, SMALL_ANSWER = 65536 };

/* What the server says that it sends is made room for at once, within the cap. */
static void make_room(const struct delivery_call *call, struct buf *body) {
  curl_off_t length = 0;
  curl_easy_getinfo(call->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  if (length > 0 && (uint64_t)length <= body->max) (void)buf_reserve(body, (size_t)length);
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context) {
  struct delivery_call *call = context;
  struct buf *body = &call->body;
  if (!body->room) make_room(call, body);
  buf_add(body, bytes, size * count);
  return body->error == STATUS_OK ? size * count : 0;
}

/* libcurl keeps each field, and sets no cap on those that stand behind a chunked body. */
static size_t count_field(char *bytes, size_t size, size_t count, void *context) {
  struct delivery_call *call = context;
  (void)bytes;
  if (call->client->probe) delivery_probe_look(call, call->client->probe);
  call->heads += size * count;
  return call->heads <= LIMIT_RESPONSE_HEADS ? size * count : 0;
}

/* The lines live in the arena, which is wiped: one of them may be a token. */
static bool add_header(struct delivery_call *call, const char *header) {
  struct curl_slist *item = header ? ARENA_NEW(call->arena, struct curl_slist) : NULL;
  if (!item) return false;
  item->data = (char *)(uintptr_t)header;
  *call->last_header = item;
  call->last_header = &item->next;
  return true;
}

static bool add_value(struct delivery_call *call, struct str name, struct str value) {
  if (value.len == 0) return true;
  struct str header = arena_concat(call->arena, name, value);
  return header.ptr && memchr(header.ptr, '\n', header.len) == NULL && add_header(call, header.ptr);
}

/* A copy: the token may be renewed while the request is under way. */
static bool add_authorization(struct delivery_call *call) {
  const char *authorization = call->client->authorization;
  return !authorization || add_header(call, arena_str(call->arena, str_of(authorization)).ptr);
}

static bool add_fhir_headers(struct delivery_call *call, struct str url) {
  const struct delivery_request *request = &call->request;
  bool fine = add_header(call, "Accept: application/fhir+json");
  if (request->body.len)
    fine = fine && add_header(call, "Content-Type: application/fhir+json; charset=utf-8") &&
           add_header(call, "Prefer: return=minimal");
  fine = fine && add_value(call, STR("If-Match: "), request->if_match);
  fine = fine && add_value(call, STR("If-None-Exist: "), request->if_none_exist);
  /* it follows from how the address is made; a credential is worth looking twice */
  if (call->client->authorization && delivery_smart_same_origin(url, call->client->destination.base))
    fine = fine && add_authorization(call);
  return fine;
}

static bool add_hook_headers(struct delivery_call *call) {
  return add_header(call, "Content-Type: application/json") && add_authorization(call);
}

/* Of a token endpoint and its discovery: no credential but what stands in the body. */
static bool add_token_headers(struct delivery_call *call) {
  return add_header(call, "Accept: application/json") &&
         (!call->request.body.len || add_header(call, "Content-Type: application/x-www-form-urlencoded"));
}

static bool make_headers(struct delivery_call *call, struct str url) {
  call->headers = NULL;
  call->last_header = &call->headers;
  if (!add_header(call, "Expect:")) return false;
  switch (call->request.purpose) {
  case DELIVERY_FHIR:
    return add_fhir_headers(call, url);
  case DELIVERY_HOOK:
    return add_hook_headers(call);
  default:
    return add_token_headers(call);
  }
}

/* libcurl sends a request again by itself when a connection that was used before dies without an answer, on another one
   that it has or makes: it asks here before either. What has left may have been acted on: it is not for libcurl to
   repeat. */
static bool may_go(const struct delivery_call *call) {
  return strcmp(call->request.method, "GET") == 0 || delivery_sent(call) == 0;
}

static int allow_request(void *context, char *server, char *own, int server_port, int own_port) {
  (void)server, (void)own, (void)server_port, (void)own_port;
  return may_go(context) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

curl_socket_t delivery_call_socket(void *call, curlsocktype purpose, struct curl_sockaddr *address) {
  (void)purpose;
  return may_go(call) ? socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol) : CURL_SOCKET_BAD;
}

static bool set_guard(struct delivery_call *call) {
  CURL *curl = call->curl;
  curl_opensocket_callback open = call->open_socket ? call->open_socket : delivery_call_socket;
  void *opener = call->open_socket ? call->opener : call;
  return curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, allow_request) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_PREREQDATA, call) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, opener) == CURLE_OK;
}

/* As one text, which goes out in one piece with the head of the request. */
static bool set_body(struct delivery_call *call) {
  CURL *curl = call->curl;
  return curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->request.body.len) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->request.body.len ? call->request.body.ptr : "") == CURLE_OK;
}

/* Transactions go to the base itself. Its text too: without one libcurl makes it of the parts, and says that there is no address when
   it has no memory for that. */
static bool set_url(struct delivery_call *call, struct str url) {
  CURLU *base = str_eq(url, call->client->destination.base) ? call->client->base : NULL;
  return curl_easy_setopt(call->curl, CURLOPT_URL, url.ptr) == CURLE_OK && curl_easy_setopt(call->curl, CURLOPT_CURLU, base) == CURLE_OK;
}

static bool set_request(struct delivery_call *call, struct str url, bool reuse) {
  CURL *curl = call->curl;
  bool get = strcmp(call->request.method, "GET") == 0;
  bool fine = set_url(call, url);
  fine = fine && curl_easy_setopt(curl, CURLOPT_HTTPHEADER, call->headers) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_WRITEDATA, call) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, count_field) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_HEADERDATA, call) == CURLE_OK;
  fine = fine && (get ? curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L) == CURLE_OK : set_body(call));
  fine = fine && set_guard(call);
  fine = fine && curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, get ? NULL : call->request.method) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, get || reuse ? 0L : 1L) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, get || reuse ? 0L : 1L) == CURLE_OK;
  return fine;
}

static struct str header_value(CURL *curl, const char *name, struct arena *arena) {
  struct curl_header *header = NULL;
  if (curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK ||
      strlen(header->value) > HEADER_MAX)
    return (struct str){0};
  return arena_str(arena, str_of(header->value));
}

static int64_t retry_after(CURL *curl) {
  curl_off_t seconds = 0;
  curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &seconds);
  if (seconds <= 0) return -1;
  return (seconds > 3600 ? 3600 : (int64_t)seconds) * 1000;
}

static int64_t server_time(CURL *curl, struct arena *arena) {
  struct str date = header_value(curl, "date", arena);
  time_t when = date.len ? curl_getdate(date.ptr, NULL) : -1;
  return when > 0 ? (int64_t)when * 1000 : 0;
}

/* A gateway that refuses who has no certificate does so in its own words, often as a 400: nothing is wrong
   with the data then. */
static void explain_question(const struct delivery_call *call, enum delivery_body shape,
                             struct delivery_answer *out) {
  if (out->phase != DELIVERY_SENDING && out->status != 400 && out->status != 403) return;
  if (out->status == 400 && shape == DELIVERY_BODY_OTHER) {
    out->verdict = DELIVERY_HOLD;
    out->as_status = STATUS_CONFIG;
  }
  struct str reason = arena_printf(
      call->arena, "%.*s; the server asks for a client certificate, and there is none: clientCertFile",
      STR_ARG(out->reason));
  if (reason.ptr) out->reason = reason;
}

/* Somebody renews the file, or should: what is in it now is sent the next time. */
static void explain_refusal(const struct delivery_call *call, struct delivery_answer *out) {
  if (out->status != 401 || call->request.purpose == DELIVERY_TOKEN) return;
  delivery_credential_doubt(call->client);
  if (!call->client->stale) return;
  struct str reason = arena_printf(
      call->arena, "%.*s; the file of the token or password has changed and cannot be used, the old one was sent",
      STR_ARG(out->reason));
  if (reason.ptr) out->reason = reason;
}

static void fill_answer(struct delivery_call *call, CURLcode code, struct delivery_answer *out) {
  struct arena *arena = call->arena;
  bool safe = strcmp(call->request.method, "POST") != 0 || call->request.repeatable;
  out->phase = delivery_phase_of(call, code);
  out->complete = call->client->proven = code == CURLE_OK;
  curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &out->status);
  out->retry_after_ms = -1;
  if (out->complete) {
    out->content_type = header_value(call->curl, "content-type", arena);
    out->location = header_value(call->curl, "location", arena);
    if (!out->location.len) out->location = header_value(call->curl, "content-location", arena);
    out->etag = header_value(call->curl, "etag", arena);
    out->retry_after_ms = retry_after(call->curl);
    out->server_ms = server_time(call->curl, arena);
    out->body = call->body.len ? buf_take_str(&call->body, arena) : (struct str){0};
  }
  out->too_large = call->body.error == STATUS_LIMIT || call->heads > LIMIT_RESPONSE_HEADS;
  out->reason = delivery_reason_of(call, code, out->status);
  enum delivery_body shape =
      out->complete ? delivery_body_shape(out->content_type, out->body, arena, &out->root) : DELIVERY_BODY_TRUNCATED;
  out->verdict = delivery_classify(out->phase, out->complete ? out->status : 0, shape, safe);
  out->as_status = delivery_status_of(out->phase, out->status, out->verdict);
  explain_refusal(call, out);
  if (call->client->asked && shape != DELIVERY_BODY_FHIR) explain_question(call, shape, out);
}

/* --- whom the certificate must name --- */

struct str delivery_host_of(struct str url, struct arena *arena) {
  CURLU *parts = curl_url();
  char *text = NULL;
  struct str host = {0};
  if (parts && curl_url_set(parts, CURLUPART_URL, url.ptr, 0) == CURLUE_OK &&
      curl_url_get(parts, CURLUPART_HOST, &text, 0) == CURLUE_OK)
    host = str_of(text);
  if (host.len > 2 && host.ptr[0] == '[') host = str_slice(host, 1, host.len - 1);
  host = arena_str(arena, host);
  curl_free(text);
  curl_url_cleanup(parts);
  return host;
}

/* Servers ask in the handshake; some then break off without a word, some answer 400. Only while the handshake
   of this call runs: a later question (renegotiation, TLS 1.3 afterwards) is not answered. */
static int note_question(SSL *ssl, void *userdata) {
  const struct delivery_call *call = userdata;
  (void)ssl;
  call->client->asked = true;
  return 1;
}

static void watch_question(SSL_CTX *context, struct delivery_call *call) {
  if (call->client->destination.cert_file.len) return;
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_post_handshake_auth(context, 0);
  SSL_CTX_set_cert_cb(context, note_question, call);
}

/* libcurl falls back to the common name where a certificate has no alternative names, which RFC 9525 forbids;
   OpenSSL is told not to. The level refuses small keys and SHA-1 whatever this machine's openssl.cnf allows.
 */
static CURLcode set_verification(CURL *curl, void *context, void *userdata) {
  struct delivery_call *call = userdata;
  X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context);
  (void)curl;
  watch_question(context, call);
  delivery_alert_watch(call, context);
  SSL_CTX_set_security_level(context, DELIVERY_TLS_LEVEL);
  X509_VERIFY_PARAM_set_auth_level(param, DELIVERY_TLS_LEVEL);
  X509_VERIFY_PARAM_set_hostflags(param,
                                  X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (!call->host.len) return CURLE_SSL_CONNECT_ERROR;
  if (X509_VERIFY_PARAM_set1_ip_asc(param, call->host.ptr) == 1) return CURLE_OK;
  return X509_VERIFY_PARAM_set1_host(param, call->host.ptr, call->host.len) == 1 ? CURLE_OK
                                                                                 : CURLE_SSL_CONNECT_ERROR;
}

/* Requests below base are most of them: its host is found out once. */
static bool set_host(struct delivery_call *call, struct str url) {
  call->host = call->request.url.len || !call->client->host_name.len ? delivery_host_of(url, call->arena)
                                                                     : call->client->host_name;
  return call->host.ptr && curl_easy_setopt(call->curl, CURLOPT_SSL_CTX_DATA, call) == CURLE_OK &&
         curl_easy_setopt(call->curl, CURLOPT_SSL_CTX_FUNCTION, set_verification) == CURLE_OK;
}

enum status delivery_call_begin(struct delivery_call *call, bool reuse) {
  struct str base = call->client->destination.base, url = call->request.url;
  bool fhir = call->request.purpose == DELIVERY_FHIR;
  call->heads = 0;
  buf_init(&call->body, fhir ? call->client->destination.max_response : SMALL_ANSWER);
  if (call->request.purpose == DELIVERY_HOOK) url = base;
  if (fhir) url = arena_concat(call->arena, base, call->request.path);
  if (call->request.purpose == DELIVERY_HOOK) delivery_credential_refresh(call->client); /* of FHIR: delivery_send_on */
  if (!url.ptr || !make_headers(call, url) || !set_request(call, url, reuse && call->client->proven) || !set_host(call, url))
    return STATUS_NOMEM;
  call->error[0] = 0;
  return STATUS_OK;
}

/* The same verification as that of a request; what is spoken is no HTTP, so ALPN does not offer it. */
enum status delivery_call_connect(struct delivery_call *call) {
  const struct delivery_destination *destination = &call->client->destination;
  struct str url =
      arena_printf(call->arena, "%s://%.*s", destination->plain ? "http" : "https", STR_ARG(destination->base));
  buf_init(&call->body, 0);
  call->error[0] = 0;
  bool fine = url.ptr && curl_easy_setopt(call->curl, CURLOPT_URL, url.ptr) == CURLE_OK &&
              curl_easy_setopt(call->curl, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK &&
              curl_easy_setopt(call->curl, CURLOPT_SSL_ENABLE_ALPN, 0L) == CURLE_OK && set_host(call, url);
  return fine ? STATUS_OK : STATUS_NOMEM;
}

enum status delivery_call_end(struct delivery_call *call, CURLcode code, struct delivery_answer *out) {
  *out = (struct delivery_answer){0};
  fill_answer(call, code, out);
  return out->body.ptr || call->body.len == 0 || !out->complete ? STATUS_OK : STATUS_NOMEM;
}

void delivery_call_release(struct delivery_call *call) {
  curl_easy_setopt(call->curl, CURLOPT_CURLU, NULL);
  curl_easy_setopt(call->curl, CURLOPT_HTTPHEADER, NULL);
  curl_easy_setopt(call->curl, CURLOPT_SSL_CTX_DATA, NULL);
  curl_easy_setopt(call->curl, CURLOPT_SSL_CTX_FUNCTION, NULL);
  curl_easy_setopt(call->curl, CURLOPT_POSTFIELDS, NULL);
  call->headers = NULL;
  delivery_alert_forget(call);
  buf_release(&call->body);
}
