/*
 * client.c - a destination's credential, and how libcurl is set for it.
 *
 * Settings that are not libcurl's defaults are there because its defaults are too lenient for patients' data:
 * TLS 1.2 at least, forward-secret AEAD suites, https only, no redirects, no proxy taken from the
 * environment. HTTP/1.1 alone: what is known of a request whose answer is lost, and that it goes out once, rests on one request
 * at a time having its connection for itself; HTTP/2 shares one among all, and ends it in ways of its own (GOAWAY, REFUSED_STREAM)
 * after which libcurl sends again by itself.
 */
#include <openssl/crypto.h>
#include <stdlib.h>
#include "delivery/client.h"
#include "delivery/token.h"

enum { TLS_RECORD_BYTES = 16 << 10 };

/* TLS 1.3 has good ones only. */
const char *delivery_tls_suites(void) {
  return "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
         "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
         "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
}

static enum status fail_config(struct diag_list *diags, struct str file, const char *message) {
  struct source source = source_make(file, (struct str){0});
  struct diag_at at = {.source = &source};
  diag_error(diags, DIAG_CONFIG_INVALID, &at, "%s", message);
  return STATUS_CONFIG;
}

static enum status copy_destination(struct delivery_client *client, const struct delivery_destination *from) {
  struct delivery_destination *to = &client->destination;
  *to = *from;
  struct str *const texts[] = {&to->name,  &to->base,      &to->ca_file,       &to->crl_file,
                               &to->pins,  &to->cert_file, &to->key_file,      &to->token_file,
                               &to->user,  &to->client_id, &to->password_file, &to->keys_file,
                               &to->scope, &to->token_url};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    *texts[i] = arena_str(client->arena, *texts[i]);
    if (!texts[i]->ptr) return STATUS_NOMEM;
  }
  return STATUS_OK;
}

static CURLcode set_file(CURL *curl, CURLoption option, struct str path) {
  return path.len ? curl_easy_setopt(curl, option, path.ptr) : CURLE_OK;
}

/* Whom we believe, besides the authority, and who we are. */
static CURLcode set_identity(const struct delivery_client *client, CURL *curl) {
  const struct delivery_destination *destination = &client->destination;
  CURLcode code = set_file(curl, CURLOPT_CRLFILE, destination->crl_file);
  if (!code) code = set_file(curl, CURLOPT_PINNEDPUBLICKEY, destination->pins);
  if (!code) code = set_file(curl, CURLOPT_SSLCERT, destination->cert_file);
  if (!code) code = set_file(curl, CURLOPT_SSLKEY, destination->key_file);
  return code;
}

static CURLcode set_tls(const struct delivery_client *client, CURL *curl) {
  const char *protocol = client->destination.plain ? "http" : "https";
  CURLcode code = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, protocol);
  if (!code) code = curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  if (!code) code = curl_easy_setopt(curl, CURLOPT_SSL_CIPHER_LIST, delivery_tls_suites());
  if (!code) code = curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  if (!code) code = curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  /* a session that is resumed is not verified, and a file that was renewed not read */
  if (!code) code = curl_easy_setopt(curl, CURLOPT_SSL_SESSIONID_CACHE, 0L);
  if (!code) code = curl_easy_setopt(curl, CURLOPT_CA_CACHE_TIMEOUT, (long)DELIVERY_LIFETIME_S);
  if (client->destination.ca_file.len) {
    /* only this authority: without it the system's folder of authorities would be trusted as well */
    if (!code) code = curl_easy_setopt(curl, CURLOPT_CAINFO, client->destination.ca_file.ptr);
    if (!code) code = curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
  }
  return code;
}

static CURLcode set_limits(const struct delivery_client *client, CURL *curl) {
  CURLcode code = curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  if (!code) code = curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  if (!code) code = curl_easy_setopt(curl, CURLOPT_PROXY, "");
  if (!code) code = curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  if (!code) code = curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)client->destination.connect_ms);
  if (!code) code = curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)client->destination.total_ms);
  if (!code) code = curl_easy_setopt(curl, CURLOPT_MAXLIFETIME_CONN, (long)DELIVERY_LIFETIME_S);
  if (!code) code = curl_easy_setopt(curl, CURLOPT_MAXAGE_CONN, (long)DELIVERY_IDLE_S);
  if (!code) code = curl_easy_setopt(curl, CURLOPT_USERAGENT, "ketlink/" KETLINK_VERSION);
  /* of each request under way; what TLS takes at once is no more */
  if (!code) code = curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, (long)TLS_RECORD_BYTES);
  return code;
}

enum status delivery_handle_set(const struct delivery_client *client, CURL *curl, char *error) {
  CURLcode code = set_tls(client, curl);
  if (!code) code = set_identity(client, curl);
  if (!code) code = set_limits(client, curl);
  if (!code) code = curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
  return !code ? STATUS_OK : code == CURLE_OUT_OF_MEMORY ? STATUS_NOMEM : STATUS_UNSUPPORTED;
}

/* NULL: libcurl will say what is wrong with it. */
static CURLU *take_apart(struct str url) {
  CURLU *parts = curl_url();
  if (parts && curl_url_set(parts, CURLUPART_URL, url.ptr, 0) == CURLUE_OK) return parts;
  curl_url_cleanup(parts);
  return NULL;
}

enum status delivery_client_new(const struct delivery_destination *destination, const struct host *host,
                                struct diag_list *diags, struct delivery_client **out) {
  struct delivery_client *client = calloc(1, sizeof *client);
  enum status status = STATUS_NOMEM;
  *out = NULL;
  if (!client) return STATUS_NOMEM;
  client->host = host;
  client->arena = arena_new(1 << 20);
  client->curl = curl_easy_init();
  if (!client->arena || !client->curl) goto done;
  status = copy_destination(client, destination);
  if (status == STATUS_OK && destination->protocol == DELIVERY_HTTPS)
    client->host_name = delivery_host_of(client->destination.base, client->arena);
  if (status == STATUS_OK && destination->protocol == DELIVERY_HTTPS) client->base = take_apart(client->destination.base);
  if (status == STATUS_OK) status = delivery_credential_load(client, diags);
  if (status == STATUS_OK) status = delivery_handle_set(client, client->curl, client->error);
  if (status == STATUS_UNSUPPORTED)
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
  delivery_message_hang_up(client);
  delivery_lines_hang_up(client);
  delivery_loop_forget(client);
  if (client->curl) curl_easy_cleanup(client->curl);
  curl_url_cleanup(client->base);
  if (client->authorization) OPENSSL_clear_free(client->authorization, client->authorization_size);
  arena_free(client->arena);
  free(client);
}

enum status delivery_send_bare(struct delivery_client *client, const struct delivery_request *request,
                               struct arena *arena, struct delivery_answer *out) {
  struct delivery_call call = {
      .curl = client->curl, .client = client, .error = client->error, .request = *request, .arena = arena};
  *out = (struct delivery_answer){0};
  enum status status = delivery_call_begin(&call, false);
  if (status == STATUS_OK) status = delivery_call_end(&call, curl_easy_perform(client->curl), out);
  delivery_call_release(&call);
  return status;
}

static enum status send_and_wait(void *context, const struct delivery_request *request, struct arena *arena,
                                 struct delivery_answer *out) {
  return delivery_send_bare(context, request, arena, out);
}

enum status delivery_send(struct delivery_client *client, const struct delivery_request *request,
                          struct arena *arena, struct delivery_answer *out) {
  struct delivery_channel channel = {.context = client, .send = send_and_wait};
  return delivery_send_on(client, &channel, request, arena, out);
}

enum status delivery_token_try(struct delivery_client *client, struct arena *arena,
                               struct delivery_answer *out, struct delivery_token_view *view) {
  struct delivery_channel channel = {.context = client, .send = send_and_wait};
  return delivery_token_have(client, &channel, arena, out, view);
}
