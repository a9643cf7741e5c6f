/* test_smart.c - key sets, assertions that verify, token answers that are to be believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "delivery/smart.h"

struct test {
  struct arena *arena;
  struct diag_list diags;
  char path[64];
};

static int setup(void **state) {
  struct test *test = calloc(1, sizeof *test);
  test->arena = arena_new(16 << 20);
  diag_list_init(&test->diags, test->arena);
  snprintf(test->path, sizeof test->path, "/tmp/ketlink-smart-XXXXXX");
  close(mkstemp(test->path));
  *state = test;
  return 0;
}

static int teardown(void **state) {
  struct test *test = *state;
  unlink(test->path);
  arena_free(test->arena);
  free(test);
  return 0;
}

static void put(struct test *test, struct str text, mode_t mode) {
  FILE *file = fopen(test->path, "w");
  assert_non_null(file);
  assert_int_equal(fwrite(text.ptr, 1, text.len, file), text.len);
  fclose(file);
  assert_int_equal(chmod(test->path, mode), 0);
}

static struct delivery_smart_keys *add(struct test *test, struct delivery_smart_keys *keys,
                                       enum delivery_smart_algorithm algorithm, int64_t now, int64_t from) {
  struct str text;
  struct delivery_smart_keys *more = NULL;
  assert_int_equal(delivery_smart_keys_add(keys, algorithm, now, from, test->arena, &text), STATUS_OK);
  put(test, text, 0600);
  delivery_smart_keys_close(keys);
  assert_int_equal(delivery_smart_keys_read(test->path, &test->diags, &more), STATUS_OK);
  return more;
}

/* --- the assertion, checked with another hand --- */

static size_t decode(struct str text, unsigned char *out) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  size_t len = 0, bits = 0;
  uint32_t value = 0;
  for (size_t i = 0; i < text.len; i++) {
    const char *at = strchr(digits, text.ptr[i]);
    assert_non_null(at);
    value = value << 6 | (uint32_t)(at - digits);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out[len++] = (unsigned char)(value >> bits);
  }
  return len;
}

/* The private key is in the file; its public half verifies. */
static EVP_PKEY *key_of_file(struct test *test) {
  json_t *file = json_load_file(test->path, 0, NULL);
  const char *pem =
      json_string_value(json_object_get(json_array_get(json_object_get(file, "keys"), 0), "pem"));
  BIO *bio = BIO_new_mem_buf(pem, -1);
  EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
  BIO_free(bio);
  json_decref(file);
  return key;
}

static size_t der_of(const unsigned char *flat, unsigned char *out) {
  ECDSA_SIG *signature = ECDSA_SIG_new();
  ECDSA_SIG_set0(signature, BN_bin2bn(flat, 48, NULL), BN_bin2bn(flat + 48, 48, NULL));
  unsigned char *at = out;
  int len = i2d_ECDSA_SIG(signature, &at);
  ECDSA_SIG_free(signature);
  return (size_t)len;
}

static bool verifies(EVP_PKEY *key, struct str jwt) {
  unsigned char signature[1024], der[256];
  size_t dot = str_find_char(jwt, '.', str_find_char(jwt, '.', 0) + 1);
  size_t len = decode(str_slice(jwt, dot + 1, jwt.len), signature);
  bool ec = EVP_PKEY_is_a(key, "EC");
  if (ec) assert_int_equal(len, 96);
  size_t der_len = ec ? der_of(signature, der) : len;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  EVP_DigestVerifyInit(context, NULL, EVP_sha384(), NULL, key);
  int good = EVP_DigestVerify(context, ec ? der : signature, der_len, (const unsigned char *)jwt.ptr, dot);
  EVP_MD_CTX_free(context);
  return good == 1;
}

static json_t *part(struct str jwt, int which) {
  unsigned char text[4096];
  size_t from = 0, to = str_find_char(jwt, '.', 0);
  if (which == 1) {
    from = to + 1;
    to = str_find_char(jwt, '.', from);
  }
  return json_loadb((const char *)text, decode(str_slice(jwt, from, to), text), 0, NULL);
}

static const char *text_at(const json_t *object, const char *name) {
  return json_string_value(json_object_get(object, name));
}

static void check_claims(struct str jwt, const char *algorithm, struct str jti_before) {
  json_t *header = part(jwt, 0), *claims = part(jwt, 1);
  int64_t now = host_system()->now_ms(NULL) / 1000, exp = json_integer_value(json_object_get(claims, "exp"));
  assert_string_equal(text_at(header, "alg"), algorithm);
  assert_int_equal(strlen(text_at(header, "kid")), 43);
  assert_string_equal(text_at(claims, "iss"), "client \"1\"");
  assert_string_equal(text_at(claims, "sub"), "client \"1\"");
  assert_string_equal(text_at(claims, "aud"), "https://ehr.example/token");
  assert_true(exp > now + 200 && exp < now + 300); /* at most 5 minutes ahead */
  assert_false(str_is(jti_before, text_at(claims, "jti")));
  json_decref(header);
  json_decref(claims);
}

static void assertions_verify(void **state) {
  static const char *const names[] = {"ES384", "RS384"};
  struct test *test = *state;
  for (int algorithm = SMART_ES384; algorithm <= SMART_RS384; algorithm++) {
    struct str jwt, again;
    struct delivery_smart_keys *keys = add(test, NULL, (enum delivery_smart_algorithm)algorithm, 1, 1);
    EVP_PKEY *key = key_of_file(test);
    assert_int_equal(delivery_smart_assertion(keys, STR("client \"1\""), STR("https://ehr.example/token"),
                                              host_system(), test->arena, &jwt),
                     STATUS_OK);
    assert_int_equal(delivery_smart_assertion(keys, STR("client \"1\""), STR("https://ehr.example/token"),
                                              host_system(), test->arena, &again),
                     STATUS_OK);
    assert_true(verifies(key, jwt));
    json_t *claims = part(jwt, 1);
    check_claims(again, names[algorithm], str_of(text_at(claims, "jti")));
    json_decref(claims);
    EVP_PKEY_free(key);
    delivery_smart_keys_close(keys);
  }
}

/* --- sets --- */

static void the_public_set_has_nothing_private(void **state) {
  static const char *const secrets[] = {"\"d\"", "PRIVATE", "pem", "\"p\"", "\"q\""};
  struct test *test = *state;
  struct str text;
  struct delivery_smart_keys *keys = add(test, add(test, NULL, SMART_ES384, 1, 1), SMART_RS384, 2, 2);
  assert_int_equal(delivery_smart_keys_public(keys, test->arena, &text), STATUS_OK);
  for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
    assert_int_equal(str_find(text, str_of(secrets[i]), 0), SIZE_MAX);
  json_t *set = json_loadb(text.ptr, text.len, 0, NULL);
  const json_t *rows = json_object_get(set, "keys");
  assert_int_equal(json_array_size(rows), 2);
  assert_string_equal(text_at(json_array_get(rows, 0), "crv"), "P-384");
  assert_int_equal(strlen(text_at(json_array_get(rows, 0), "x")), 64); /* 48 bytes, leading zeros kept */
  assert_string_equal(text_at(json_array_get(rows, 1), "e"), "AQAB");
  json_decref(set);
  delivery_smart_keys_close(keys);
}

static void the_newest_that_may_signs(void **state) {
  struct test *test = *state;
  struct delivery_smart_key_info info[SMART_KEYS_MAX];
  struct delivery_smart_keys *keys = add(test, add(test, NULL, SMART_ES384, 100, 100), SMART_ES384, 200, 500);
  assert_int_equal(delivery_smart_keys_list(keys, 499, info), 2);
  assert_true(info[0].signs && !info[1].signs); /* published, does not sign yet */
  delivery_smart_keys_list(keys, 500, info);
  assert_true(!info[0].signs && info[1].signs);
  struct str text;
  size_t dropped;
  assert_int_equal(delivery_smart_keys_prune(keys, 600, 500, test->arena, &text, &dropped), STATUS_OK);
  assert_int_equal(dropped, 0); /* the other has not signed for long enough */
  assert_int_equal(delivery_smart_keys_prune(keys, 600, 501, test->arena, &text, &dropped), STATUS_OK);
  assert_int_equal(dropped, 1);
  assert_int_equal(delivery_smart_keys_prune(keys, 499, 501, test->arena, &text, &dropped), STATUS_OK);
  assert_int_equal(dropped, 0); /* the new one does not sign yet: nothing is over */
  delivery_smart_keys_close(keys);
}

static void a_set_has_a_cap(void **state) {
  struct test *test = *state;
  struct delivery_smart_keys *keys = NULL;
  struct delivery_smart_key_info info[SMART_KEYS_MAX];
  for (int i = 0; i < SMART_KEYS_MAX + 1; i++)
    keys = add(test, keys, SMART_ES384, i, i);
  assert_int_equal(delivery_smart_keys_list(keys, 100, info), SMART_KEYS_MAX);
  assert_int_equal(info[0].made, 1);
  delivery_smart_keys_close(keys);
}

static void bad_files_are_refused(void **state) {
  static const char *const bad[] = {"",
                                    "{}",
                                    "{\"keys\":[]}",
                                    "{\"keys\":[{}]}",
                                    "{\"keys\":[{\"pem\":\"x\",\"made\":1,\"signsFrom\":1}]}",
                                    "[1]",
                                    "{\"keys\":[{\"pem\":1,\"made\":1,\"signsFrom\":1}]}"};
  struct test *test = *state;
  struct delivery_smart_keys *keys = NULL;
  struct str good;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    put(test, str_of(bad[i]), 0600);
    assert_int_equal(delivery_smart_keys_read(test->path, &test->diags, &keys), STATUS_CONFIG);
    assert_null(keys);
  }
  assert_int_equal(delivery_smart_keys_add(NULL, SMART_ES384, 1, 1, test->arena, &good), STATUS_OK);
  put(test, good, 0640);
  assert_int_equal(delivery_smart_keys_read(test->path, &test->diags, &keys), STATUS_CONFIG);
  assert_true(str_find(test->diags.last->message, STR("chmod 600"), 0) != SIZE_MAX);
  put(test, good, 0400);
  assert_int_equal(delivery_smart_keys_read(test->path, &test->diags, &keys), STATUS_OK);
  delivery_smart_keys_close(keys);
}

static void other_kinds_of_key_are_refused(void **state) {
  static const char *const commands[] = {"ecparam -name prime256v1 -genkey -noout",
                                         "genpkey -algorithm ed25519", "genrsa 1024"};
  struct test *test = *state;
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
    char command[512];
    struct delivery_smart_keys *keys = NULL;
    snprintf(command, sizeof command,
             "printf '{\"keys\":[{\"pem\":\"' > %s; openssl %s 2>/dev/null | sed 's/$/\\\\n/' | tr -d '\\n' "
             ">> %s; "
             "printf '\",\"made\":1,\"signsFrom\":1}]}' >> %s; chmod 600 %s",
             test->path, commands[i], test->path, test->path, test->path);
    assert_int_equal(system(command), 0);
    assert_int_equal(delivery_smart_keys_read(test->path, &test->diags, &keys), STATUS_CONFIG);
  }
}

/* --- answers --- */

static void token_answers_are_checked(void **state) {
  static const struct {
    const char *body;
    int64_t life; /* -1: refused */
  } cases[] = {
      {"{\"access_token\":\"t\",\"token_type\":\"bearer\",\"expires_in\":300}", 300000},
      {"{\"access_token\":\"t\",\"token_type\":\"Bearer\"}", 300000},
      {"{\"access_token\":\"t\",\"token_type\":\"bearer\",\"expires_in\":1}", 30000},
      {"{\"access_token\":\"t\",\"token_type\":\"bearer\",\"expires_in\":1e300}", 3600000},
      {"{\"access_token\":\"t\",\"token_type\":\"bearer\",\"expires_in\":0}", -1},
      {"{\"access_token\":\"t\",\"token_type\":\"bearer\",\"expires_in\":-5}", -1},
      {"{\"access_token\":\"t\",\"token_type\":\"bearer\",\"expires_in\":\"300\"}", -1},
      {"{\"access_token\":\"t\",\"token_type\":\"mac\",\"expires_in\":300}", -1},
      {"{\"access_token\":\"t\"}", -1},
      {"{\"access_token\":\"\",\"token_type\":\"bearer\"}", -1},
      {"{\"access_token\":\"a\\r\\nX: y\",\"token_type\":\"bearer\"}", -1},
      {"{\"access_token\":\"a b\",\"token_type\":\"bearer\"}", -1},
      {"{\"access_token\":5,\"token_type\":\"bearer\"}", -1},
      {"{\"access_token\":\"t\",\"access_token\":\"u\",\"token_type\":\"bearer\"}", -1},
      {"[]", -1},
      {"<html>", -1},
      {"", -1},
  };
  struct test *test = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct delivery_smart_token token;
    enum status status =
        delivery_smart_token_read(str_of(cases[i].body), 1000, test->arena, &test->diags, &token);
    assert_int_equal(status, cases[i].life < 0 ? STATUS_CONFIG : STATUS_OK);
    if (cases[i].life < 0) continue;
    assert_int_equal(token.expires_at, 1000 + cases[i].life);
    assert_int_equal(token.refresh_at, 1000 + cases[i].life * 8 / 10);
  }
}

static void long_tokens_have_a_cap(void **state) {
  struct test *test = *state;
  for (size_t len = SMART_TOKEN_MAX - 1; len <= SMART_TOKEN_MAX + 1; len++) {
    struct delivery_smart_token token;
    char *filler = malloc(len + 1);
    memset(filler, 'x', len);
    filler[len] = 0;
    struct str body =
        arena_printf(test->arena, "{\"access_token\":\"%s\",\"token_type\":\"bearer\"}", filler);
    free(filler);
    enum status status = delivery_smart_token_read(body, 1, test->arena, &test->diags, &token);
    assert_int_equal(status, len <= SMART_TOKEN_MAX ? STATUS_OK : STATUS_CONFIG);
  }
}

static void discovery_is_checked(void **state) {
  static const struct {
    const char *body;
    bool good;
  } cases[] = {
      {"{\"token_endpoint\":\"https://ehr.example/token\"}", true},
      {"{\"token_endpoint\":\"https://ehr.example/token\",\"grant_types_supported\":[\"client_credentials\"],"
       "\"token_endpoint_auth_methods_supported\":[\"private_key_jwt\"]}",
       true},
      {"{\"token_endpoint\":\"http://ehr.example/token\"}", false},
      {"{\"token_endpoint\":\"https://ehr.example/"
       "token\",\"grant_types_supported\":[\"authorization_code\"]}",
       false},
      {"{\"token_endpoint\":\"https://ehr.example/"
       "token\",\"token_endpoint_auth_methods_supported\":[\"client_secret_basic\"]}",
       false},
      {"{}", false},
      {"nonsense", false},
  };
  struct test *test = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct str url;
    enum status status = delivery_smart_discovery_read(str_of(cases[i].body), STR("https://ehr.example/fhir"),
                                                       test->arena, &test->diags, &url);
    assert_int_equal(status, cases[i].good ? STATUS_OK : STATUS_CONFIG);
  }
}

/* CVE-2026-34360: a prefix is not an origin. */
static void origins_are_compared_whole(void **state) {
  static const struct {
    const char *a, *b;
    bool same;
  } cases[] = {
      {"https://ehr.example/fhir", "https://ehr.example/other", true},
      {"https://ehr.example/fhir", "https://EHR.example:443", true},
      {"https://ehr.example/fhir", "https://ehr.example.evil.test/fhir", false},
      {"https://ehr.example", "https://ehr.exampl", false},
      {"https://ehr.example:8443/fhir", "https://ehr.example/fhir", false},
      {"https://ehr.example/fhir", "http://ehr.example/fhir", false},
      {"https://ehr.example@evil.test/", "https://ehr.example/", false},
      {"https://[::1]/a", "https://[::1]:443/b", true},
      {"https://[::1]/a", "https://[::2]/b", false},
      {"https://ehr.example?x", "https://ehr.example#y", true},
      {"https://", "https://", false},
      {"", "", false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_int_equal(delivery_smart_same_origin(str_of(cases[i].a), str_of(cases[i].b)), cases[i].same);
  (void)state;
}

static void the_form_is_escaped(void **state) {
  struct test *test = *state;
  struct str form;
  assert_int_equal(
      delivery_smart_token_request(STR("a.b-c_d"), STR("system/*.cud x&y=%"), test->arena, &form), STATUS_OK);
  assert_true(str_ends(form, STR("&client_assertion=a.b-c_d&scope=system%2F%2A.cud%20x%26y%3D%25")));
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      CASE(assertions_verify),         CASE(the_public_set_has_nothing_private),
      CASE(the_newest_that_may_signs), CASE(a_set_has_a_cap),
      CASE(bad_files_are_refused),     CASE(other_kinds_of_key_are_refused),
      CASE(token_answers_are_checked), CASE(long_tokens_have_a_cap),
      CASE(discovery_is_checked),      CASE(origins_are_compared_whole),
      CASE(the_form_is_escaped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
