/*
 * client.c - one HTTPS request with libcurl.
 *
 * Settings that are not libcurl's defaults are there because its defaults are too lenient for patients' data:
 * TLS 1.2 at least, forward-secret AEAD suites, https only, no redirects, no proxy taken from the
 * environment, a byte cap that holds after decoding, and a fresh connection for what must not be sent twice
 * (libcurl repeats a request by itself when a reused connection dies without an answer).
 */
#include <openssl/crypto.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "delivery/client.h"

enum { TOKEN_MAX = 16384, HEADER_MAX = 4096 };

/* Suites of RFC 9325 section 4.2 for TLS 1.2; TLS 1.3 has good ones only. */
static const char suites[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                             "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                             "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

static enum status fail_config(struct diag_list *diags, struct str file, const char *message) {
  struct source source = source_make(file, (struct str){0});
  struct diag_at at = {.source = &source};
  diag_error(diags, DIAG_CONFIG_INVALID, &at, "%s", message);
  return STATUS_CONFIG;
}

/* A credential that others can read is no credential. */
static enum status check_secret_file(struct str path, struct diag_list *diags) {
  struct stat info;
  if (stat(path.ptr, &info) != 0)
    return fail_config(diags, path, "the token file is missing or not permitted");
  if (!S_ISREG(info.st_mode)) return fail_config(diags, path, "the token file is not a regular file");
  if (info.st_mode & (S_IRWXG | S_IRWXO))
    return fail_config(diags, path, "the token file can be read by others: chmod 600");
  return STATUS_OK;
}

static bool token_is_clean(struct str token) {
  for (size_t i = 0; i < token.len; i++)
    if ((unsigned char)token.ptr[i] <= ' ' || (unsigned char)token.ptr[i] > '~') return false;
  return token.len > 0;
}

static enum status load_token(struct delivery_client *client, const struct host *host,
                              struct diag_list *diags) {
  static const char prefix[] = "Authorization: Bearer ";
  struct str path = client->destination.token_file;
  struct str token = {0};
  if (path.len == 0) return STATUS_OK;
  enum status status = check_secret_file(path, diags);
  if (status == STATUS_OK)
    status = host->read_file(host->context, path.ptr, TOKEN_MAX, client->arena, &token);
  if (status != STATUS_OK)
    return status == STATUS_CONFIG ? status : fail_config(diags, path, "the token file cannot be read");
  token = str_trim(token);
  if (!token_is_clean(token))
    return fail_config(diags, path, "the token file must hold one line without spaces");
  client->authorization_size = sizeof prefix + token.len;
  client->authorization = OPENSSL_zalloc(client->authorization_size);
  if (!client->authorization) return STATUS_NOMEM;
  memcpy(client->authorization, prefix, sizeof prefix - 1);
  memcpy(client->authorization + sizeof prefix - 1, token.ptr, token.len);
  return STATUS_OK;
}

static enum status copy_destination(struct delivery_client *client, const struct delivery_destination *from) {
  struct delivery_destination *to = &client->destination;
  *to = *from;
  to->name = arena_str(client->arena, from->name);
  to->base = arena_str(client->arena, from->base);
  to->ca_file = arena_str(client->arena, from->ca_file);
  to->token_file = arena_str(client->arena, from->token_file);
  return to->name.ptr && to->base.ptr && to->ca_file.ptr && to->token_file.ptr ? STATUS_OK : STATUS_NOMEM;
}

static bool set_tls(struct delivery_client *client) {
  CURL *curl = client->curl;
  bool fine = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_SSL_CIPHER_LIST, suites) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
  if (client->destination.ca_file.len) {
    /* only this authority: without it the system's folder of authorities would be trusted as well */
    fine = fine && curl_easy_setopt(curl, CURLOPT_CAINFO, client->destination.ca_file.ptr) == CURLE_OK;
    fine = fine && curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK;
  }
  return fine;
}

static bool set_limits(struct delivery_client *client) {
  CURL *curl = client->curl;
  bool fine = curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
  fine = fine &&
         curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)client->destination.connect_ms) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)client->destination.total_ms) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->error) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_USERAGENT, "ketlink/" KETLINK_VERSION) == CURLE_OK;
  return fine;
}

enum status delivery_client_new(const struct delivery_destination *destination, const struct host *host,
                                struct diag_list *diags, struct delivery_client **out) {
  struct delivery_client *client = calloc(1, sizeof *client);
  enum status status = STATUS_NOMEM;
  *out = NULL;
  if (!client) return STATUS_NOMEM;
  client->arena = arena_new(1 << 20);
  client->curl = curl_easy_init();
  if (!client->arena || !client->curl) goto done;
  status = copy_destination(client, destination);
  if (status == STATUS_OK) status = load_token(client, host, diags);
  if (status == STATUS_OK && (!set_tls(client) || !set_limits(client)))
    status = fail_config(diags, destination->name,
                         "this libcurl does not support the TLS settings that are needed");
done:
  if (status != STATUS_OK) {
    delivery_client_free(client);
    return status;
  }
  *out = client;
  return STATUS_OK;
}

void delivery_client_free(struct delivery_client *client) {
  if (!client) return;
  if (client->curl) curl_easy_cleanup(client->curl);
  if (client->authorization) OPENSSL_clear_free(client->authorization, client->authorization_size);
  arena_free(client->arena);
  free(client);
}

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

static bool make_headers(const struct delivery_client *client, const struct delivery_request *request,
                         struct arena *arena, struct curl_slist **list) {
  bool fine = add_header(list, "Accept: application/fhir+json") && add_header(list, "Expect:");
  if (request->body.len)
    fine = fine && add_header(list, "Content-Type: application/fhir+json; charset=utf-8") &&
           add_header(list, "Prefer: return=minimal");
  fine = fine && add_value(list, "If-Match", request->if_match, arena);
  fine = fine && add_value(list, "If-None-Exist", request->if_none_exist, arena);
  if (client->authorization) fine = fine && add_header(list, client->authorization);
  return fine;
}

/* libcurl's list frees without wiping, and one line of it is a token. */
static void free_headers(struct curl_slist *list) {
  for (struct curl_slist *item = list; item; item = item->next)
    OPENSSL_cleanse(item->data, strlen(item->data));
  curl_slist_free_all(list);
}

static bool set_request(struct delivery_client *client, const struct delivery_request *request,
                        struct str url, struct curl_slist *headers, struct buf *body) {
  CURL *curl = client->curl;
  bool get = strcmp(request->method, "GET") == 0;
  bool fine = curl_easy_setopt(curl, CURLOPT_URL, url.ptr) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_WRITEDATA, body) == CURLE_OK;
  if (get)
    fine = fine && curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L) == CURLE_OK;
  else {
    fine = fine && curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK;
    fine = fine &&
           curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.len ? request->body.ptr : "") == CURLE_OK;
    fine = fine &&
           curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len) == CURLE_OK;
  }
  fine = fine && curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, get ? NULL : request->method) == CURLE_OK;
  /* what writes goes out on a fresh connection that is not used again */
  fine = fine && curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, get ? 0L : 1L) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, get ? 0L : 1L) == CURLE_OK;
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
static const char *tls_reason(const struct delivery_client *client) {
  long verify = X509_V_OK;
  struct str words = str_of(client->error);
  curl_easy_getinfo(client->curl, CURLINFO_SSL_VERIFYRESULT, &verify);
  if (str_find(words, STR("subject name"), 0) != SIZE_MAX ||
      str_find(words, STR("target host name"), 0) != SIZE_MAX)
    return "the certificate is for another host name";
  return verify != X509_V_OK && verify != X509_V_ERR_UNSPECIFIED ? X509_verify_cert_error_string(verify)
                                                                 : NULL;
}

static struct str reason_of(struct delivery_client *client, CURLcode code, const struct buf *body,
                            long status, struct arena *arena) {
  const char *tls = code == CURLE_PEER_FAILED_VERIFICATION ? tls_reason(client) : NULL;
  if (body->error == STATUS_LIMIT)
    return arena_printf(arena, "the answer is larger than %zu bytes", client->destination.max_response);
  if (code == CURLE_OK) return arena_printf(arena, "HTTP status %ld", status);
  if (tls) return arena_printf(arena, "server certificate refused: %s", tls);
  return arena_printf(arena, "%s", client->error[0] ? client->error : curl_easy_strerror(code));
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

static void fill_answer(struct delivery_client *client, const struct delivery_request *request, CURLcode code,
                        const struct buf *body, struct arena *arena, struct delivery_answer *out) {
  bool safe = strcmp(request->method, "POST") != 0 || request->repeatable;
  out->phase = phase_of(client->curl, code);
  out->complete = code == CURLE_OK;
  curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &out->status);
  out->retry_after_ms = -1;
  if (out->complete) {
    out->content_type = header_value(client->curl, "content-type", arena);
    out->location = header_value(client->curl, "location", arena);
    if (!out->location.len) out->location = header_value(client->curl, "content-location", arena);
    out->etag = header_value(client->curl, "etag", arena);
    out->retry_after_ms = retry_after(client->curl);
    out->body = body->len ? buf_take_str(body, arena) : (struct str){0};
  }
  out->reason = reason_of(client, code, body, out->status, arena);
  enum delivery_body shape =
      out->complete ? delivery_body_shape(out->content_type, out->body) : DELIVERY_BODY_TRUNCATED;
  out->verdict = delivery_classify(out->phase, out->complete ? out->status : 0, shape, safe);
  out->as_status = delivery_status_of(out->phase, out->status, out->verdict);
}

enum status delivery_send(struct delivery_client *client, const struct delivery_request *request,
                          struct arena *arena, struct delivery_answer *out) {
  struct curl_slist *headers = NULL;
  struct buf body;
  enum status status = STATUS_NOMEM;
  *out = (struct delivery_answer){0};
  buf_init(&body, client->destination.max_response);
  struct str url = arena_printf(arena, "%.*s%.*s", STR_ARG(client->destination.base), STR_ARG(request->path));
  if (!url.ptr || !make_headers(client, request, arena, &headers) ||
      !set_request(client, request, url, headers, &body))
    goto done;
  client->error[0] = 0;
  CURLcode code = curl_easy_perform(client->curl);
  fill_answer(client, request, code, &body, arena, out);
  status = out->body.ptr || body.len == 0 || !out->complete ? STATUS_OK : STATUS_NOMEM;
done:
  curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, NULL);
  free_headers(headers);
  buf_release(&body);
  return status;
}
