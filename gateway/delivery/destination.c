/* destination.c - the delivery part of mappings/destinations/NAME.json: where, with which credential, how
 * long. */
#include "base/config.h"
#include "delivery/internal.h"

static const struct config_key auth_keys[] = {
    {.name = "type",
     .type = CONFIG_STRING,
     .required = true,
     .words = (const char *const[]){"none", "bearer", NULL}},
    {.name = "tokenFile", .type = CONFIG_STRING},
};
static const struct config_key delivery_keys[] = {
    {.name = "base", .type = CONFIG_STRING, .required = true},
    {.name = "caFile", .type = CONFIG_STRING},
    {.name = "auth", .type = CONFIG_OBJECT},
    {.name = "connectTimeoutMs", .type = CONFIG_INTEGER, .min = 100, .max = 120000},
    {.name = "totalTimeoutMs", .type = CONFIG_INTEGER, .min = 1000, .max = 600000},
    {.name = "maxResponseBytes", .type = CONFIG_INTEGER, .min = 1024, .max = LIMIT_TEXT_BYTES},
    /* the parts of bundle and pipeline in the same file */
    {.name = "preset", .type = CONFIG_STRING},
    {.name = "description", .type = CONFIG_STRING},
    {.name = "submit", .type = CONFIG_STRING},
    {.name = "idempotency", .type = CONFIG_STRING},
    {.name = "maxEntries", .type = CONFIG_INTEGER},
    {.name = "resources", .type = CONFIG_STRINGS},
    {.name = "psychotherapyNotes", .type = CONFIG_BOOLEAN},
    {.name = "validation", .type = CONFIG_STRING},
    {.name = "profiles", .type = CONFIG_STRINGS},
    {.name = "packages", .type = CONFIG_STRINGS},
};

static struct diag_at at_file(struct source *source, const char *path) {
  *source = source_make(str_of(path), (struct str){0});
  return (struct diag_at){.source = source};
}

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

static void read_auth(const json_t *object, const char *path, struct arena *arena, struct diag_list *diags,
                      struct delivery_destination *out) {
  struct source source;
  struct diag_at at = at_file(&source, path);
  const json_t *auth = json_object_get(object, "auth");
  if (!auth || !config_check(auth, path, "auth", auth_keys, sizeof auth_keys / sizeof auth_keys[0], diags))
    return;
  struct str type = config_string(auth, "type");
  struct str token = config_string(auth, "tokenFile");
  if (str_is(type, "bearer") && token.len == 0)
    diag_error(diags, DIAG_CONFIG_INVALID, &at, "auth: type bearer needs tokenFile");
  if (str_is(type, "bearer")) out->token_file = config_beside(path, token, arena);
}

static void fill(const json_t *object, const char *path, struct arena *arena, struct diag_list *diags,
                 struct delivery_destination *out) {
  struct source source;
  struct diag_at at = at_file(&source, path);
  struct str base = config_string(object, "base");
  const char *why = NULL;
  if (!check_base(base, &why)) diag_error(diags, DIAG_CONFIG_INVALID, &at, "%s", why);
  while (base.len && base.ptr[base.len - 1] == '/')
    base.len--;
  out->base = arena_str(arena, base);
  out->ca_file = config_beside(path, config_string(object, "caFile"), arena);
  out->connect_ms = config_integer(object, "connectTimeoutMs", 10000);
  out->total_ms = config_integer(object, "totalTimeoutMs", 60000);
  out->max_response = (size_t)config_integer(object, "maxResponseBytes", LIMIT_RESPONSE_BYTES);
  read_auth(object, path, arena, diags, out);
}

enum status delivery_destination_read(const char *path, const struct host *host, struct arena *arena,
                                      struct diag_list *diags, struct delivery_destination *out) {
  json_t *object = NULL;
  size_t before = diag_errors(diags);
  *out = (struct delivery_destination){0};
  enum status status = config_read(host, path, diags, &object);
  if (status != STATUS_OK) return status;
  if (config_check(object, path, "destination", delivery_keys, sizeof delivery_keys / sizeof delivery_keys[0],
                   diags))
    fill(object, path, arena, diags, out);
  out->name = arena_str(arena, str_of(path));
  json_decref(object);
  return diag_errors(diags) > before ? STATUS_CONFIG : STATUS_OK;
}
