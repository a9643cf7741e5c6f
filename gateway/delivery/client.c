/*
 * client.c - a destination's credential, and how libcurl is set for it.
 *
 * Settings that are not libcurl's defaults are there because its defaults are too lenient for patients' data:
 * TLS 1.2 at least, forward-secret AEAD suites, https only, no redirects, no proxy taken from the
 * environment.
 */
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "delivery/client.h"

enum { TOKEN_MAX = 16384 };
/* A connection is judged by its certificate when it is made: it must not outlive that judgement for long. */
#define LIFETIME_SECONDS 60L
#define IDLE_SECONDS 30L

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

static bool set_tls(const struct delivery_client *client, CURL *curl) {
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

static bool set_limits(const struct delivery_client *client, CURL *curl) {
  bool fine = curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
  fine = fine &&
         curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)client->destination.connect_ms) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)client->destination.total_ms) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_MAXLIFETIME_CONN, LIFETIME_SECONDS) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_MAXAGE_CONN, IDLE_SECONDS) == CURLE_OK;
  fine = fine && curl_easy_setopt(curl, CURLOPT_USERAGENT, "ketlink/" KETLINK_VERSION) == CURLE_OK;
  return fine;
}

bool delivery_handle_set(const struct delivery_client *client, CURL *curl, char *error) {
  return set_tls(client, curl) && set_limits(client, curl) &&
         curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error) == CURLE_OK;
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
  if (status == STATUS_OK && !delivery_handle_set(client, client->curl, client->error))
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

enum status delivery_send(struct delivery_client *client, const struct delivery_request *request,
                          struct arena *arena, struct delivery_answer *out) {
  struct delivery_call call = {
      .curl = client->curl, .client = client, .error = client->error, .request = *request, .arena = arena};
  *out = (struct delivery_answer){0};
  enum status status = delivery_call_begin(&call, false);
  if (status == STATUS_OK) status = delivery_call_end(&call, curl_easy_perform(client->curl), out);
  delivery_call_release(&call);
  return status;
}
