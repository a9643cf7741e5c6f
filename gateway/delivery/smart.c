/* smart.c - key sets, assertions, token answers. */
#include "delivery/smart.h"

#include <jansson.h>
#include <stdlib.h>
#include <strings.h>
#include "base/crypto.h"
#include "base/secret.h"
#include "delivery/jwt.h"

enum { FILE_MAX = 65536, ASSERTION_MS = 240000, KID_MAX = 64 };

struct key {
  EVP_PKEY *pkey;
  enum delivery_smart_algorithm algorithm;
  char kid[KID_MAX];
  int64_t made, signs_from;
};

struct delivery_smart_keys {
  struct key keys[SMART_KEYS_MAX];
  size_t count;
};

static const char *const algorithms[] = {[SMART_ES384] = "ES384", [SMART_RS384] = "RS384"};

const char *delivery_smart_algorithm_name(enum delivery_smart_algorithm algorithm) {
  return algorithms[algorithm];
}

bool delivery_smart_algorithm_parse(struct str word, enum delivery_smart_algorithm *out) {
  *out = str_is(word, "RS384") ? SMART_RS384 : SMART_ES384;
  return str_is(word, algorithms[*out]);
}

static enum status refuse(struct diag_list *diags, struct str where, enum diag_code code, const char *why) {
  struct source source = source_make(where, (struct str){0});
  struct diag_at at = {.source = &source};
  diag_error(diags, code, &at, "%s", why);
  return STATUS_CONFIG;
}

/* --- the file --- */

static bool take_key(struct delivery_smart_keys *keys, const json_t *row) {
  const char *pem = json_string_value(json_object_get(row, "pem"));
  const json_t *made = json_object_get(row, "made"), *from = json_object_get(row, "signsFrom");
  struct key *key = &keys->keys[keys->count];
  struct buf kid;
  if (!pem || !json_is_integer(made) || !json_is_integer(from)) return false;
  key->pkey = base_crypto_read_key(str_of(pem));
  if (!key->pkey || !delivery_jwt_algorithm_of(key->pkey, &key->algorithm)) {
    EVP_PKEY_free(key->pkey);
    key->pkey = NULL;
    return false;
  }
  keys->count++; /* from here on it is freed with the set */
  key->made = json_integer_value(made);
  key->signs_from = json_integer_value(from);
  buf_init(&kid, KID_MAX - 1);
  bool done = delivery_jwt_thumbprint(key->pkey, &kid);
  if (done) memcpy(key->kid, kid.ptr, kid.len);
  buf_release(&kid);
  return done;
}

static enum status take_keys(struct delivery_smart_keys *keys, const json_t *file, const char *path,
                             struct diag_list *diags) {
  const json_t *rows = json_object_get(file, "keys");
  size_t count = json_array_size(rows);
  if (count == 0 || count > SMART_KEYS_MAX)
    return refuse(diags, str_of(path), DIAG_CONFIG_INVALID,
                  "a key set has one key or more, at most eight: ketlink keys create");
  for (size_t i = 0; i < count; i++)
    if (!take_key(keys, json_array_get(rows, i)))
      return refuse(
          diags, str_of(path), DIAG_CONFIG_INVALID,
          "the key set has something else than P-384 or RSA keys (2048 to 8192 bits) with their times");
  return STATUS_OK;
}

/* jansson's own memory is freed unwiped: the process keeps no core and no swap, see SECURITY.md. */
enum status delivery_smart_keys_read(const char *path, struct diag_list *diags,
                                     struct delivery_smart_keys **out) {
  struct arena *arena = arena_new(4 * FILE_MAX);
  struct str text = {0};
  *out = NULL;
  struct delivery_smart_keys *keys = calloc(1, sizeof *keys);
  enum status status = keys && arena ? STATUS_OK : STATUS_NOMEM;
  if (status == STATUS_OK) status = base_secret_read(path, "the key set", FILE_MAX, arena, diags, &text);
  if (status == STATUS_OK) {
    json_t *file = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
    status = take_keys(keys, file, path, diags);
    json_decref(file);
  }
  base_secret_wipe(text);
  arena_free(arena);
  if (status == STATUS_OK)
    *out = keys;
  else
    delivery_smart_keys_close(keys);
  return status;
}

void delivery_smart_keys_close(struct delivery_smart_keys *keys) {
  for (size_t i = 0; keys && i < keys->count; i++)
    EVP_PKEY_free(keys->keys[i].pkey);
  free(keys);
}

/* --- writing --- */

static bool write_key(struct buf *text, EVP_PKEY *pkey, int64_t made, int64_t signs_from) {
  struct buf pem;
  buf_init(&pem, FILE_MAX);
  bool done = delivery_jwt_write_pem(pkey, &pem);
  buf_add_text(text, "  { \"pem\": ");
  if (done) buf_add_json(text, buf_str(&pem));
  buf_printf(text, ",\n    \"made\": %lld, \"signsFrom\": %lld }", (long long)made, (long long)signs_from);
  buf_release(&pem);
  return done;
}

static enum status finish(struct buf *text, bool done, struct arena *arena, struct str *out) {
  buf_add_text(text, "\n] }\n");
  *out = buf_take_str(text, arena);
  enum status status = text->error;
  if (status == STATUS_OK && (!done || !out->ptr)) status = STATUS_NOMEM;
  buf_release(text);
  return status;
}

enum status delivery_smart_keys_add(const struct delivery_smart_keys *keys,
                                    enum delivery_smart_algorithm algorithm, int64_t now, int64_t signs_from,
                                    struct arena *arena, struct str *text) {
  struct buf file;
  EVP_PKEY *fresh = delivery_jwt_make_key(algorithm);
  if (!fresh) return STATUS_NOMEM;
  bool done = true;
  buf_init(&file, FILE_MAX);
  buf_add_text(&file, "{ \"keys\": [\n");
  for (size_t i = keys && keys->count == SMART_KEYS_MAX ? 1 : 0; keys && i < keys->count; i++) {
    done = done && write_key(&file, keys->keys[i].pkey, keys->keys[i].made, keys->keys[i].signs_from);
    buf_add_text(&file, ",\n");
  }
  done = done && write_key(&file, fresh, now, signs_from);
  EVP_PKEY_free(fresh);
  return finish(&file, done, arena, text);
}

/* The one that signs: the newest of those that may; the first when none may yet. */
static size_t signing(const struct delivery_smart_keys *keys, int64_t now) {
  size_t best = 0;
  for (size_t i = 1; i < keys->count; i++)
    if (keys->keys[i].signs_from <= now &&
        (keys->keys[best].signs_from > now || keys->keys[i].signs_from >= keys->keys[best].signs_from))
      best = i;
  return best;
}

/* When a key stopped signing: when the next one of those that may sign began. */
static bool is_over(const struct delivery_smart_keys *keys, size_t at, int64_t now, int64_t before) {
  size_t current = signing(keys, now);
  return at != current && keys->keys[at].signs_from <= keys->keys[current].signs_from &&
         keys->keys[current].signs_from < before;
}

enum status delivery_smart_keys_prune(const struct delivery_smart_keys *keys, int64_t now, int64_t before,
                                      struct arena *arena, struct str *text, size_t *dropped) {
  struct buf file;
  bool done = true, first = true;
  *dropped = 0;
  buf_init(&file, FILE_MAX);
  buf_add_text(&file, "{ \"keys\": [\n");
  for (size_t i = 0; i < keys->count; i++) {
    if (is_over(keys, i, now, before)) {
      ++*dropped;
      continue;
    }
    if (!first) buf_add_text(&file, ",\n");
    first = false;
    done = done && write_key(&file, keys->keys[i].pkey, keys->keys[i].made, keys->keys[i].signs_from);
  }
  return finish(&file, done, arena, text);
}

enum status delivery_smart_keys_public(const struct delivery_smart_keys *keys, struct arena *arena,
                                       struct str *text) {
  struct buf file, jwk;
  bool done = true;
  buf_init(&file, FILE_MAX);
  buf_init(&jwk, FILE_MAX);
  buf_add_text(&file, "{ \"keys\": [\n");
  for (size_t i = 0; i < keys->count; i++) {
    const struct key *key = &keys->keys[i];
    buf_reset(&jwk);
    done = done && delivery_jwt_write_jwk(key->pkey, &jwk);
    if (i) buf_add_text(&file, ",\n");
    if (done) buf_add(&file, jwk.ptr, jwk.len - 1); /* without its closing brace */
    buf_printf(&file, ",\"kid\":\"%s\",\"alg\":\"%s\",\"use\":\"sig\",\"key_ops\":[\"verify\"]}", key->kid,
               algorithms[key->algorithm]);
  }
  buf_release(&jwk);
  return finish(&file, done, arena, text);
}

size_t delivery_smart_keys_list(const struct delivery_smart_keys *keys, int64_t now,
                                struct delivery_smart_key_info out[SMART_KEYS_MAX]) {
  size_t current = signing(keys, now);
  for (size_t i = 0; i < keys->count; i++)
    out[i] = (struct delivery_smart_key_info){.kid = str_of(keys->keys[i].kid),
                                              .algorithm = keys->keys[i].algorithm,
                                              .made = keys->keys[i].made,
                                              .signs_from = keys->keys[i].signs_from,
                                              .signs = i == current};
  return keys->count;
}

/* --- the assertion --- */

static void write_claims(struct buf *claims, struct str client_id, struct str token_url, const char *jti,
                         int64_t now) {
  buf_add_text(claims, "{\"iss\":");
  buf_add_json(claims, client_id);
  buf_add_text(claims, ",\"sub\":");
  buf_add_json(claims, client_id);
  buf_add_text(claims, ",\"aud\":");
  buf_add_json(claims, token_url);
  buf_printf(claims, ",\"iat\":%lld,\"exp\":%lld,\"jti\":\"%s\"}", (long long)(now / 1000),
             (long long)((now + ASSERTION_MS) / 1000), jti);
}

enum status delivery_smart_assertion(const struct delivery_smart_keys *keys, struct str client_id,
                                     struct str token_url, const struct host *host, struct arena *arena,
                                     struct str *jwt) {
  char jti[UUID_TEXT];
  struct buf header, claims, out;
  int64_t now = host->now_ms(host->context);
  const struct key *key = &keys->keys[signing(keys, now)];
  enum status status = uuid_v4(host, jti);
  if (status != STATUS_OK) return status;
  buf_init(&header, 1024);
  buf_init(&claims, 8192);
  buf_init(&out, FILE_MAX);
  buf_printf(&header, "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"JWT\"}", algorithms[key->algorithm],
             key->kid);
  write_claims(&claims, client_id, token_url, jti, now);
  bool done = header.error == STATUS_OK && claims.error == STATUS_OK &&
              delivery_jwt_sign(key->pkey, key->algorithm, buf_str(&header), buf_str(&claims), &out);
  *jwt = done ? buf_take_str(&out, arena) : (struct str){0};
  buf_release(&header);
  buf_release(&claims);
  buf_release(&out);
  if (!done) return STATUS_LIMIT;
  return jwt->ptr ? STATUS_OK : STATUS_NOMEM;
}

static void add_form_value(struct buf *out, struct str value) {
  for (size_t i = 0; i < value.len; i++) {
    unsigned char c = (unsigned char)value.ptr[i];
    bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c);
    if (plain && c)
      buf_add_char(out, (char)c);
    else
      buf_printf(out, "%%%02X", c);
  }
}

enum status delivery_smart_token_request(struct str assertion, struct str scope, struct arena *arena,
                                         struct str *form) {
  struct buf text;
  buf_init(&text, FILE_MAX);
  buf_add_text(&text, "grant_type=client_credentials&client_assertion_type="
                      "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=");
  add_form_value(&text, assertion);
  buf_add_text(&text, "&scope=");
  add_form_value(&text, scope);
  *form = buf_take_str(&text, arena);
  enum status status = text.error;
  buf_release(&text);
  return status == STATUS_OK && !form->ptr ? STATUS_NOMEM : status;
}

/* --- answers --- */

static enum status bad_answer(struct diag_list *diags, const char *why) {
  return refuse(diags, STR("token endpoint"), DIAG_DELIVERY_AUTH, why);
}

static bool is_clean(struct str token) {
  for (size_t i = 0; i < token.len; i++)
    if ((unsigned char)token.ptr[i] <= ' ' || (unsigned char)token.ptr[i] > '~') return false;
  return token.len > 0 && token.len <= SMART_TOKEN_MAX;
}

/* A life beyond an hour is cut to one; one that is no positive number is no life. */
static bool read_life(const json_t *answer, int64_t *seconds) {
  const json_t *value = json_object_get(answer, "expires_in");
  *seconds = 300; /* what SMART recommends, where it is not given */
  if (!value) return true;
  if (!json_is_number(value) || json_number_value(value) < 1) return false;
  double given = json_number_value(value);
  *seconds = given > 3600 ? 3600 : given < 30 ? 30 : (int64_t)given;
  return true;
}

static enum status read_token(const json_t *answer, int64_t now, struct arena *arena, struct diag_list *diags,
                              struct delivery_smart_token *out) {
  struct str token = str_of(json_string_value(json_object_get(answer, "access_token")));
  struct str type = str_of(json_string_value(json_object_get(answer, "token_type")));
  int64_t life = 0;
  if (!is_clean(token)) return bad_answer(diags, "its answer has no access_token of printable characters");
  if (type.len != 6 || strncasecmp(type.ptr, "bearer", 6) != 0)
    return bad_answer(diags, "its answer has another token_type than bearer");
  if (!read_life(answer, &life)) return bad_answer(diags, "expires_in of its answer is no positive number");
  out->access_token = arena_str(arena, token);
  out->expires_at = now + life * 1000;
  out->refresh_at = now + life * 800;
  return out->access_token.ptr ? STATUS_OK : STATUS_NOMEM;
}

enum status delivery_smart_token_read(struct str body, int64_t now, struct arena *arena,
                                      struct diag_list *diags, struct delivery_smart_token *out) {
  *out = (struct delivery_smart_token){0};
  json_t *answer = body.len <= FILE_MAX
                       ? json_loadb(body.ptr ? body.ptr : "", body.len, JSON_REJECT_DUPLICATES, NULL)
                       : NULL;
  enum status status = json_is_object(answer) ? read_token(answer, now, arena, diags, out)
                                              : bad_answer(diags, "its answer is not a JSON object");
  json_decref(answer);
  return status;
}

/* Where the document lists what it supports, ours must be there. */
static bool offers(const json_t *document, const char *list, const char *word) {
  const json_t *words = json_object_get(document, list);
  if (!json_is_array(words)) return true;
  for (size_t i = 0; i < json_array_size(words); i++) {
    const char *given = json_string_value(json_array_get(words, i));
    if (given && strcmp(given, word) == 0) return true;
  }
  return false;
}

static enum status read_discovery(const json_t *document, struct str base, struct arena *arena,
                                  struct diag_list *diags, struct str *token_url) {
  struct str url = str_of(json_string_value(json_object_get(document, "token_endpoint")));
  struct str where = arena_concat(arena, base, STR("/.well-known/smart-configuration"));
  if (!where.ptr) return STATUS_NOMEM;
  if (!str_starts(url, STR("https://")) || !is_clean(url))
    return refuse(diags, where, DIAG_DELIVERY_AUTH, "it names no https token_endpoint");
  if (!offers(document, "grant_types_supported", "client_credentials"))
    return refuse(diags, where, DIAG_DELIVERY_AUTH,
                  "the server does not offer client_credentials: SMART Backend Services are off");
  if (!offers(document, "token_endpoint_auth_methods_supported", "private_key_jwt"))
    return refuse(diags, where, DIAG_DELIVERY_AUTH, "the server does not take private_key_jwt");
  *token_url = arena_str(arena, url);
  return token_url->ptr ? STATUS_OK : STATUS_NOMEM;
}

enum status delivery_smart_discovery_read(struct str body, struct str base, struct arena *arena,
                                          struct diag_list *diags, struct str *token_url) {
  json_t *document = body.len <= FILE_MAX
                         ? json_loadb(body.ptr ? body.ptr : "", body.len, JSON_REJECT_DUPLICATES, NULL)
                         : NULL;
  enum status status = json_is_object(document) ? read_discovery(document, base, arena, diags, token_url)
                                                : refuse(diags, base, DIAG_DELIVERY_AUTH,
                                                         "smart-configuration is not a JSON object");
  json_decref(document);
  return status;
}

/* --- origins --- */

/* "https://HOST:PORT" with the port written out, host in lower case; empty for anything else. */
static size_t origin(struct str url, char out[300]) {
  struct str rest = str_slice(url, 8, url.len);
  if (!str_starts(url, STR("https://"))) return 0;
  size_t end = 0;
  while (end < rest.len && !strchr("/?#", rest.ptr[end]))
    end++;
  struct str authority = str_slice(rest, 0, end);
  if (authority.len == 0 || authority.len > 256 || memchr(authority.ptr, '@', authority.len)) return 0;
  bool port = authority.ptr[authority.len - 1] != ']' && memchr(authority.ptr, ':', authority.len) &&
              (authority.ptr[0] != '[' || str_find(authority, STR("]:"), 0) != SIZE_MAX);
  for (size_t i = 0; i < authority.len; i++) {
    char c = authority.ptr[i];
    out[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
  }
  if (port) return authority.len;
  memcpy(out + authority.len, ":443", 4);
  return authority.len + 4;
}

bool delivery_smart_same_origin(struct str a, struct str b) {
  char left[300], right[300];
  size_t left_len = origin(a, left), right_len = origin(b, right);
  return left_len && left_len == right_len && memcmp(left, right, left_len) == 0;
}
