/* destination.c - the delivery part of mappings/destinations/NAME.json: where, with which credential, how
 * long. */
#include "base/destination.h"
#include "base/socket.h"
#include "delivery/internal.h"

/* In the order of enum delivery_auth. */
static const char *const auth_words[] = {"none", "bearer", "basic", "mtls", "smart", NULL};

/* Create, read, update and search, as SMART App Launch 2 writes it. */
#define DEFAULT_SCOPE "system/*.crus"
enum { TEXT_MAX = 1024, PINS_MAX = 16, PIN_CHARS = 44 };

/* Keys of `auth`, by the type that needs or may have them. */
static const struct {
  struct config_key key;
  unsigned needs, may; /* bits of enum delivery_auth */
} auth_rows[] = {
    {{.name = "type", .type = CONFIG_STRING, .required = true, .words = auth_words}, 0, ~0U},
    {{.name = "tokenFile", .type = CONFIG_STRING}, 1 << DELIVERY_AUTH_BEARER, 1 << DELIVERY_AUTH_BEARER},
    {{.name = "user", .type = CONFIG_STRING}, 1 << DELIVERY_AUTH_BASIC, 1 << DELIVERY_AUTH_BASIC},
    {{.name = "passwordFile", .type = CONFIG_STRING}, 1 << DELIVERY_AUTH_BASIC, 1 << DELIVERY_AUTH_BASIC},
    {{.name = "clientId", .type = CONFIG_STRING}, 1 << DELIVERY_AUTH_SMART, 1 << DELIVERY_AUTH_SMART},
    {{.name = "keysFile", .type = CONFIG_STRING}, 1 << DELIVERY_AUTH_SMART, 1 << DELIVERY_AUTH_SMART},
    {{.name = "scope", .type = CONFIG_STRING}, 0, 1 << DELIVERY_AUTH_SMART},
    {{.name = "tokenUrl", .type = CONFIG_STRING}, 0, 1 << DELIVERY_AUTH_SMART},
};
enum { AUTH_ROWS = sizeof auth_rows / sizeof auth_rows[0] };

static bool is_escaped(struct str url) {
  for (size_t i = 0; i < url.len; i++)
    if ((unsigned char)url.ptr[i] <= ' ' || (unsigned char)url.ptr[i] >= 0x7f) return false;
  return true;
}

/* https only, a host, no credentials, query or fragment. */
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
  else if (!is_escaped(base))
    *why = "base has a character that must be escaped";
  return !*why;
}

/* This machine by its address: a name may lead elsewhere. */
static bool is_loopback(struct str url) {
  static const char *const hosts[] = {"http://127.0.0.1", "http://[::1]"};
  for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
    struct str host = str_of(hosts[i]);
    if (str_starts(url, host) && (url.len == host.len || url.ptr[host.len] == ':' || url.ptr[host.len] == '/'))
      return true;
  }
  return false;
}

const char *delivery_hook_make(struct str url, struct str ca_file, struct str token_file,
                               struct delivery_destination *out) {
  enum { CONNECT_MS = 5000, TOTAL_MS = 15000, ANSWER_MAX = 65536 };
  bool https = str_starts(url, STR("https://"));
  struct str rest = str_slice(url, 8, url.len);
  *out = (struct delivery_destination){.name = STR("the webhook"),
                                       .base = url,
                                       .plain = !https,
                                       .ca_file = ca_file,
                                       .auth = token_file.len ? DELIVERY_AUTH_BEARER : DELIVERY_AUTH_NONE,
                                       .token_file = token_file,
                                       .connect_ms = CONNECT_MS,
                                       .total_ms = TOTAL_MS,
                                       .max_response = ANSWER_MAX};
  if (!https && !is_loopback(url)) return "it begins with https://, or with http://127.0.0.1 or http://[::1]";
  if (https && (rest.len == 0 || strchr("/:?#", rest.ptr[0]))) return "it has no host";
  if (str_find_char(url, '@', 0) != SIZE_MAX) return "it must not hold credentials: a token has a file of its own";
  if (str_find_char(url, '#', 0) != SIZE_MAX) return "it must not have a fragment";
  return is_escaped(url) ? NULL : "it has a character that must be escaped";
}

static bool is_text(struct str text) {
  for (size_t i = 0; i < text.len; i++)
    if ((unsigned char)text.ptr[i] < ' ' || (unsigned char)text.ptr[i] == 0x7f) return false;
  return text.len <= TEXT_MAX;
}

/* What a type needs, what is of another type, and texts that could break a header. */
static void check_auth(const struct config *file, const json_t *auth, enum delivery_auth type,
                       struct diag_list *diags) {
  for (size_t i = 0; i < AUTH_ROWS; i++) {
    const char *name = auth_rows[i].key.name;
    struct diag_at at = config_at(file, "auth", json_object_get(auth, name) ? name : "type");
    struct str value = config_string(auth, name);
    if (auth_rows[i].needs & 1U << type && value.len == 0)
      diag_error(diags, DIAG_CONFIG_INVALID, &at, "auth: type %s needs %s", auth_words[type], name);
    if (value.len && !(auth_rows[i].may & 1U << type))
      diag_error(diags, DIAG_CONFIG_INVALID, &at, "auth: type %s has no %s", auth_words[type], name);
    if (!is_text(value))
      diag_error(diags, DIAG_CONFIG_INVALID, &at, "auth: %s is too long, or has control characters", name);
  }
}

static void check_user(const struct config *file, struct str user, struct diag_list *diags) {
  struct diag_at at = config_at(file, "auth", "user");
  if (str_find_char(user, ':', 0) != SIZE_MAX)
    diag_error(diags, DIAG_CONFIG_INVALID, &at,
               "auth: user must not have a colon: what follows it would be the password");
}

static void check_token_url(const struct config *file, struct str url, struct diag_list *diags) {
  struct diag_at at = config_at(file, "auth", "tokenUrl");
  const char *why = NULL;
  if (url.len && !check_base(url, &why))
    diag_error(diags, DIAG_CONFIG_INVALID, &at, "auth: tokenUrl: what is said of base holds for it: %s", why);
}

static void read_auth(const struct config *file, struct arena *arena, struct diag_list *diags,
                      struct delivery_destination *out) {
  const json_t *auth = json_object_get(file->object, "auth");
  struct config_key keys[AUTH_ROWS];
  const char *path = file->source.name.ptr;
  for (size_t i = 0; i < AUTH_ROWS; i++)
    keys[i] = auth_rows[i].key;
  if (!auth || !config_check(file, auth, "auth", keys, AUTH_ROWS, diags)) return;
  out->auth = (enum delivery_auth)destination_word(auth_words, config_string(auth, "type"));
  out->token_file = config_beside(path, config_string(auth, "tokenFile"), arena);
  out->user = arena_str(arena, config_string(auth, "user"));
  out->password_file = config_beside(path, config_string(auth, "passwordFile"), arena);
  out->client_id = arena_str(arena, config_string(auth, "clientId"));
  out->keys_file = config_beside(path, config_string(auth, "keysFile"), arena);
  struct str scope = config_string(auth, "scope");
  out->scope = arena_str(arena, scope.len ? scope : STR(DEFAULT_SCOPE));
  out->token_url = arena_str(arena, config_string(auth, "tokenUrl"));
  check_auth(file, auth, out->auth, diags);
  check_user(file, out->user, diags);
  check_token_url(file, out->token_url, diags);
}

static bool is_pin(struct str pin) {
  if (!str_starts(pin, STR("sha256//")) || pin.len != 8 + PIN_CHARS || pin.ptr[pin.len - 1] != '=')
    return false;
  for (size_t i = 8; i + 1 < pin.len; i++) {
    char c = pin.ptr[i];
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/'))
      return false;
  }
  return true;
}

/* As libcurl wants them: one text with semicolons. */
static struct str read_pins(const struct config *file, struct arena *arena, struct diag_list *diags) {
  const json_t *list = json_object_get(file->object, "pinnedKeys");
  struct diag_at at = config_at(file, "", "pinnedKeys");
  struct str pins = {0};
  size_t count = json_array_size(list);
  if (list && (count == 0 || count > PINS_MAX))
    diag_error(diags, DIAG_CONFIG_INVALID, &at, "pinnedKeys: one key or more, at most %d", PINS_MAX);
  for (size_t i = 0; i < count && count <= PINS_MAX; i++) {
    struct str pin = str_of(json_string_value(json_array_get(list, i)));
    if (!is_pin(pin))
      diag_error(diags, DIAG_CONFIG_INVALID, &at,
                 "pinnedKeys: sha256// and the SHA-256 of a public key in base64, 44 characters");
    pins = arena_printf(arena, "%.*s%s%.*s", STR_ARG(pins), pins.len ? ";" : "", STR_ARG(pin));
  }
  return pins;
}

/* Whom we trust, and how the server may know us by TLS. */
static void read_tls(const struct config *file, struct arena *arena, struct diag_list *diags,
                     struct delivery_destination *out) {
  const json_t *object = file->object;
  const char *path = file->source.name.ptr;
  out->ca_file = config_beside(path, config_string(object, "caFile"), arena);
  out->crl_file = config_beside(path, config_string(object, "crlFile"), arena);
  out->pins = read_pins(file, arena, diags);
  out->cert_file = config_beside(path, config_string(object, "clientCertFile"), arena);
  out->key_file = config_beside(path, config_string(object, "clientKeyFile"), arena);
  struct diag_at at = config_at(file, "", out->cert_file.len ? "clientCertFile" : "clientKeyFile");
  if (!out->cert_file.len != !out->key_file.len)
    diag_error(diags, DIAG_CONFIG_INVALID, &at, "clientCertFile and clientKeyFile belong together");
  at = config_at(file, "auth", "type");
  if (out->auth == DELIVERY_AUTH_MTLS && !out->cert_file.len)
    diag_error(diags, DIAG_CONFIG_INVALID, &at, "auth: type mtls needs clientCertFile and clientKeyFile");
}

static const char *fault_of_address(struct str address) {
  struct str host;
  uint16_t port;
  if (!base_address_split(address, &host, &port) || !host.len || !port)
    return "address is host:port, with a port from 1 to 65535 and an IPv6 address in brackets";
  for (size_t i = 0; i < host.len; i++)
    if ((unsigned char)host.ptr[i] <= ' ' || (unsigned char)host.ptr[i] >= 0x7f || strchr("/@?#\\[]", host.ptr[i]))
      return "address is a host name or an address, a colon and a port";
  return NULL;
}

static bool is_this_machine(struct str address) {
  return str_starts(address, STR("127.0.0.1:")) || str_starts(address, STR("[::1]:"));
}

static void fill_mllp(const struct config *file, struct arena *arena, struct diag_list *diags,
                      struct delivery_destination *out) {
  enum { ANSWER_BYTES = 1 << 20 };
  const json_t *object = file->object;
  struct str address = config_string(object, "address");
  const char *why = fault_of_address(address);
  struct diag_at at = config_at(file, "", "address");
  out->protocol = DELIVERY_MLLP;
  out->base = arena_str(arena, address);
  out->plain = !config_boolean(object, "tls", true);
  out->ack_ms = config_integer(object, "ackTimeoutMs", 30000);
  out->ack_attempts = (unsigned)config_integer(object, "attempts", 3);
  out->acknowledge = (enum delivery_ack_mode)destination_word(destination_acknowledge_words,
                                                              config_string(object, "acknowledge"));
  out->connect_ms = config_integer(object, "connectTimeoutMs", 10000);
  out->total_ms = out->connect_ms;
  out->max_response = (size_t)config_integer(object, "maxResponseBytes", ANSWER_BYTES);
  out->retry_wait_ms = config_integer(object, "retryWaitMs", 500);
  out->settle_ms = config_integer(object, "settleMs", 5000);
  if (why) diag_error(diags, DIAG_CONFIG_INVALID, &at, "%s", why);
  at = config_at(file, "", "tls");
  if (!why && out->plain && !is_this_machine(address))
    diag_error(diags, DIAG_CONFIG_INVALID, &at,
               "tls is false only for 127.0.0.1 and [::1]: nothing leaves this host in clear");
  read_tls(file, arena, diags, out);
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
  out->connect_ms = config_integer(object, "connectTimeoutMs", 10000);
  out->total_ms = config_integer(object, "totalTimeoutMs", 60000);
  out->max_response = (size_t)config_integer(object, "maxResponseBytes", LIMIT_RESPONSE_BYTES);
  out->retries = (unsigned)config_integer(object, "retries", 2);
  out->retry_wait_ms = config_integer(object, "retryWaitMs", 500);
  out->settle_ms = config_integer(object, "settleMs", 5000);
  out->read_back = config_boolean(object, "readBack", false);
  read_auth(file, arena, diags, out);
  read_tls(file, arena, diags, out);
}

enum status delivery_destination_read(const char *path, const struct host *host, struct arena *arena,
                                      struct diag_list *diags, struct delivery_destination *out) {
  struct config file;
  size_t before = diag_errors(diags);
  *out = (struct delivery_destination){0};
  enum status status = destination_read(host, path, DESTINATION_DELIVERY, diags, &file);
  if (status != STATUS_OK) return status;
  if (destination_protocol_of(&file) == DESTINATION_MLLP)
    fill_mllp(&file, arena, diags, out);
  else
    fill(&file, arena, diags, out);
  out->name = arena_str(arena, str_of(path));
  config_close(&file);
  return diag_errors(diags) > before ? STATUS_CONFIG : STATUS_OK;
}
