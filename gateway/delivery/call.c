/*
 * call.c - one HTTPS request on a handle of libcurl, and what became of it.
 *
 * A byte cap holds after decoding; no redirects; and what must not be sent twice goes out on a fresh
 * connection, or with a body that can be read once only.
 */
#include <openssl/crypto.h>
#include <openssl/x509.h>
#include "delivery/client.h"

enum { HEADER_MAX = 4096 };

static size_t take_body(char *bytes, size_t size, size_t count, void *context) {
  struct buf *body = context;
  buf_add(body, bytes, size * count);
  return body->error == STATUS_OK ? size * count : 0;
}

static bool add_header(struct curl_slist **list, const char *header) {
  struct curl_slist *longer = curl_slist_append(*list, header);
  if (!longer) return false;
  *list = longer;
  return true;
}

static bool add_value(struct curl_slist **list, const char *name, struct str value, struct arena *arena) {
  if (value.len == 0) return true;
  struct str header = arena_printf(arena, "%s: %.*s", name, STR_ARG(value));
  return header.ptr && memchr(header.ptr, '\n', header.len) == NULL && add_header(list, header.ptr);
}

static bool make_headers(struct delivery_call *call) {
  const struct delivery_request *request = &call->request;
  struct curl_slist **list = &call->headers;
  struct arena *arena = call->arena;
  bool fine = add_header(list, "Accept: application/fhir+json") && add_header(list, "Expect:");
  if (request->body.len)
    fine = fine && add_header(list, "Content-Type: application/fhir+json; charset=utf-8") &&
           add_header(list, "Prefer: return=minimal");
  fine = fine && add_value(list, "If-Match", request->if_match, arena);
  fine = fine && add_value(list, "If-None-Exist", request->if_none_exist, arena);
  if (call->client->authorization) fine = fine && add_header(list, call->client->authorization);
  return fine;
}

/* libcurl's list frees without wiping, and one line of it is a token. */
static void free_headers(struct curl_slist *list) {
  for (struct curl_slist *item = list; item; item = item->next)
    OPENSSL_cleanse(item->data, strlen(item->data));
  curl_slist_free_all(list);
}

/* libcurl sends a request again by itself when a connection that was used before dies without an answer. It
   cannot when the body can be read once only: no seeking back. An unsent body may go again, nobody has acted
   on it. */
static size_t give_body(char *bytes, size_t size, size_t count, void *context) {
  struct delivery_call *call = context;
  size_t rest = call->request.body.len - call->given, room = size * count;
  size_t some = rest < room ? rest : room;
  if (some) memcpy(bytes, call->request.body.ptr + call->given, some);
  call->given += some;
  return some;
}

static int seek_body(void *context, curl_off_t offset, int origin) {
  struct delivery_call *call = context;
  return call->given == 0 && offset == 0 && origin == SEEK_SET ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static bool set_body(struct delivery_call *call) {
  CURL *curl = call->curl;
  return curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_POSTFIELDS, NULL) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_body) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_READDATA, call) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, seek_body) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_SEEKDATA, call) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->request.body.len) == CURLE_OK;
}

static bool set_request(struct delivery_call *call, struct str url, bool reuse) {
  CURL *curl = call->curl;
  bool get = strcmp(call->request.method, "GET") == 0;
  bool fine = curl_easy_setopt(curl, CURLOPT_URL, url.ptr) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_HTTPHEADER, call->headers) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_WRITEDATA, &call->body) == CURLE_OK;
  fine = fine && (get ? curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L) == CURLE_OK : set_body(call));
  fine = fine && curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, get ? NULL : call->request.method) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, get || reuse ? 0L : 1L) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, get || reuse ? 0L : 1L) == CURLE_OK;
  return fine;
}

static enum delivery_phase phase_of(CURL *curl, CURLcode code) {
  curl_off_t tls_done = 0, connected = 0;
  long sent = 0;
  curl_easy_getinfo(curl, CURLINFO_APPCONNECT_TIME_T, &tls_done);
  curl_easy_getinfo(curl, CURLINFO_CONNECT_TIME_T, &connected);
  curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &sent);
  switch (code) {
  case CURLE_OK:
    return DELIVERY_ANSWER;
  case CURLE_UNSUPPORTED_PROTOCOL:
  case CURLE_URL_MALFORMAT:
  case CURLE_OUT_OF_MEMORY:
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_CIPHER:
  case CURLE_SSL_ENGINE_NOTFOUND:
    return DELIVERY_BEFORE_CONNECT;
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_CONNECT_ERROR:
  case CURLE_SSL_ISSUER_ERROR:
  case CURLE_SSL_INVALIDCERTSTATUS:
    return DELIVERY_TLS;
  default:
    if (sent > 0) return DELIVERY_SENDING;
    return connected > 0 && tls_done == 0 ? DELIVERY_TLS : DELIVERY_CONNECT;
  }
}

/* libcurl compares the host name itself, and stops before it asks OpenSSL for the chain's result, which then
   still stands at "unspecified". Its words are the only sign. */
static const char *tls_reason(const struct delivery_call *call) {
  long verify = X509_V_OK;
  struct str words = str_of(call->error);
  curl_easy_getinfo(call->curl, CURLINFO_SSL_VERIFYRESULT, &verify);
  if (str_find(words, STR("subject name"), 0) != SIZE_MAX ||
      str_find(words, STR("target host name"), 0) != SIZE_MAX)
    return "the certificate is for another host name";
  return verify != X509_V_OK && verify != X509_V_ERR_UNSPECIFIED ? X509_verify_cert_error_string(verify)
                                                                 : NULL;
}

static struct str reason_of(const struct delivery_call *call, CURLcode code, long status) {
  struct arena *arena = call->arena;
  const char *tls = code == CURLE_PEER_FAILED_VERIFICATION ? tls_reason(call) : NULL;
  if (call->body.error == STATUS_LIMIT)
    return arena_printf(arena, "the answer is larger than %zu bytes", call->client->destination.max_response);
  if (code == CURLE_OK) return arena_printf(arena, "HTTP status %ld", status);
  if (tls) return arena_printf(arena, "server certificate refused: %s", tls);
  return arena_printf(arena, "%s", call->error[0] ? call->error : curl_easy_strerror(code));
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

static void fill_answer(struct delivery_call *call, CURLcode code, struct delivery_answer *out) {
  struct arena *arena = call->arena;
  bool safe = strcmp(call->request.method, "POST") != 0 || call->request.repeatable;
  out->phase = phase_of(call->curl, code);
  out->complete = code == CURLE_OK;
  curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &out->status);
  out->retry_after_ms = -1;
  if (out->complete) {
    out->content_type = header_value(call->curl, "content-type", arena);
    out->location = header_value(call->curl, "location", arena);
    if (!out->location.len) out->location = header_value(call->curl, "content-location", arena);
    out->etag = header_value(call->curl, "etag", arena);
    out->retry_after_ms = retry_after(call->curl);
    out->body = call->body.len ? buf_take_str(&call->body, arena) : (struct str){0};
  }
  out->reason = reason_of(call, code, out->status);
  enum delivery_body shape =
      out->complete ? delivery_body_shape(out->content_type, out->body) : DELIVERY_BODY_TRUNCATED;
  out->verdict = delivery_classify(out->phase, out->complete ? out->status : 0, shape, safe);
  out->as_status = delivery_status_of(out->phase, out->status, out->verdict);
}

enum status delivery_call_begin(struct delivery_call *call, bool reuse) {
  struct str base = call->client->destination.base;
  buf_init(&call->body, call->client->destination.max_response);
  struct str url = arena_printf(call->arena, "%.*s%.*s", STR_ARG(base), STR_ARG(call->request.path));
  if (!url.ptr || !make_headers(call) || !set_request(call, url, reuse)) return STATUS_NOMEM;
  call->error[0] = 0;
  return STATUS_OK;
}

enum status delivery_call_end(struct delivery_call *call, CURLcode code, struct delivery_answer *out) {
  *out = (struct delivery_answer){0};
  fill_answer(call, code, out);
  return out->body.ptr || call->body.len == 0 || !out->complete ? STATUS_OK : STATUS_NOMEM;
}

void delivery_call_release(struct delivery_call *call) {
  curl_easy_setopt(call->curl, CURLOPT_HTTPHEADER, NULL);
  free_headers(call->headers);
  call->headers = NULL;
  buf_release(&call->body);
}
