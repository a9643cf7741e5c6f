/* destination.c - the delivery part of mappings/destinations/NAME.json: where, with which credential, how
 * long. */
#include "base/destination.h"
#include "delivery/internal.h"

static const struct config_key auth_keys[] = {
    {.name = "type",
     .type = CONFIG_STRING,
     .required = true,
     .words = (const char *const[]){"none", "bearer", NULL}},
    {.name = "tokenFile", .type = CONFIG_STRING},
};

/* https only, a host, no credentials, query or fragment; a slash at the end is dropped. */
static bool check_base(struct str base, const char **why) {
  struct str rest = str_slice(base, 8, base.len);
  *why = NULL;
  if (!str_starts(base, STR("https://")))
    *why = "base must begin with https://: nothing leaves this host in clear";
  else if (rest.len == 0 || rest.ptr[0] == '/' || rest.ptr[0] == ':')
    *why = "base has no host";
  else if (str_find_char(rest, '@', 0) != SIZE_MAX)
    *why = "base must not hold credentials";
  else if (str_find_char(rest, '?', 0) != SIZE_MAX || str_find_char(rest, '#', 0) != SIZE_MAX)
    *why = "base must not have a query or fragment";
  for (size_t i = 0; !*why && i < base.len; i++)
    if ((unsigned char)base.ptr[i] <= ' ' || (unsigned char)base.ptr[i] >= 0x7f)
      *why = "base has a character that must be escaped";
  return !*why;
}

static void read_auth(const struct config *file, struct arena *arena, struct diag_list *diags,
                      struct delivery_destination *out) {
  const json_t *auth = json_object_get(file->object, "auth");
  if (!auth || !config_check(file, auth, "auth", auth_keys, sizeof auth_keys / sizeof auth_keys[0], diags))
    return;
  struct str type = config_string(auth, "type");
  struct str token = config_string(auth, "tokenFile");
  struct diag_at at = config_at(file, "auth", "type");
  if (str_is(type, "bearer") && token.len == 0)
    diag_error(diags, DIAG_CONFIG_INVALID, &at, "auth: type bearer needs tokenFile");
  if (str_is(type, "bearer")) out->token_file = config_beside(file->source.name.ptr, token, arena);
}

static void fill(const struct config *file, struct arena *arena, struct diag_list *diags,
                 struct delivery_destination *out) {
  const json_t *object = file->object;
  struct str base = config_string(object, "base");
  struct diag_at at = config_at(file, "", "base");
  const char *why = NULL;
  if (!check_base(base, &why)) diag_error(diags, DIAG_CONFIG_INVALID, &at, "%s", why);
  while (base.len && base.ptr[base.len - 1] == '/')
    base.len--;
  out->base = arena_str(arena, base);
  out->ca_file = config_beside(file->source.name.ptr, config_string(object, "caFile"), arena);
  out->connect_ms = config_integer(object, "connectTimeoutMs", 10000);
  out->total_ms = config_integer(object, "totalTimeoutMs", 60000);
  out->max_response = (size_t)config_integer(object, "maxResponseBytes", LIMIT_RESPONSE_BYTES);
  out->retries = (unsigned)config_integer(object, "retries", 2);
  out->retry_wait_ms = config_integer(object, "retryWaitMs", 500);
  out->read_back = config_boolean(object, "readBack", false);
  read_auth(file, arena, diags, out);
}

enum status delivery_destination_read(const char *path, const struct host *host, struct arena *arena,
                                      struct diag_list *diags, struct delivery_destination *out) {
  struct config file;
  size_t before = diag_errors(diags);
  *out = (struct delivery_destination){0};
  enum status status = destination_read(host, path, DESTINATION_DELIVERY, diags, &file);
  if (status != STATUS_OK) return status;
  fill(&file, arena, diags, out);
  out->name = arena_str(arena, str_of(path));
  config_close(&file);
  return diag_errors(diags) > before ? STATUS_CONFIG : STATUS_OK;
}
