/* test_destination.c - a destination that could leak is refused before a connection is made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>
#include "delivery/client.h"
#include "delivery/message.h"
#include "delivery/token.h"

static struct arena *arena;
static struct diag_list diags;
static char folder[] = "/tmp/ketlink-destination-XXXXXX";

static int setup(void **state) {
  (void)state;
  return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state) {
  (void)state;
  return rmdir(folder);
}

static void put(const char *name, const char *text, mode_t mode) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
  assert_int_equal(0, chmod(path, mode));
}

static void drop(const char *name) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  unlink(path);
}

static enum status open_destination(const char *json, struct delivery_destination *out) {
  char path[256];
  struct delivery_client *client = NULL;
  put("d.json", json, 0644);
  snprintf(path, sizeof path, "%s/d.json", folder);
  enum status status = delivery_destination_read(path, host_system(), arena, &diags, out);
  if (status == STATUS_OK) status = delivery_client_new(out, host_system(), &diags, &client);
  delivery_client_free(client);
  drop("d.json");
  return status;
}

#define AUTH(members) "{\"base\":\"https://e.example\",\"auth\":{" members "}}"

static void test_base(void **state) {
  (void)state;
  struct delivery_destination d;
  static const char *const bad[] = {"{\"base\":\"http://ehr.example/fhir\"}",
                                    "{\"base\":\"https://\"}",
                                    "{\"base\":\"https://user:secret@ehr.example\"}",
                                    "{\"base\":\"https://ehr.example/fhir?x=1\"}",
                                    "{\"base\":\"https://ehr.example/a b\"}",
                                    "{\"base\":\"ftp://ehr.example\"}",
                                    "{\"bas\":\"https://ehr.example\"}",
                                    "{\"base\":\"https://ehr.example\",\"tokn\":\"x\"}",
                                    "{\"base\":\"https://e.example\",\"auth\":{\"type\":\"bearer\"}}",
                                    "{\"base\":\"https://e.example\",\"auth\":{\"type\":\"basic\",\"user\":\"u\"}}",
                                    AUTH("\"type\":\"basic\",\"user\":\"a:b\",\"passwordFile\":\"token\""),
                                    AUTH("\"type\":\"mtls\""),
                                    AUTH("\"type\":\"smart\",\"clientId\":\"c\""),
                                    AUTH("\"type\":\"none\",\"tokenFile\":\"token\""),
                                    AUTH("\"type\":\"smart\",\"clientId\":\"c\",\"keysFile\":\"k\",\"tokenUrl\":\"http://e\""),
                                    AUTH("\"type\":\"smart\",\"clientId\":\"c\\r\\n\",\"keysFile\":\"k\""),
                                    "{\"base\":\"https://e.example\",\"clientCertFile\":\"c\"}",
                                    "{\"base\":\"https://e.example\",\"crlFile\":\"none\"}",
                                    "{\"base\":\"https://e.example\",\"crlFile\":\"d.json\"}",
                                    "{\"base\":\"https://e.example\",\"pinnedKeys\":[]}",
                                    "{\"base\":\"https://e.example\",\"pinnedKeys\":[\"sha256//AAAA\"]}",
                                    "{\"base\":\"https://e.example\",\"pinnedKeys\":[\"/etc/passwd\"]}",
                                    "{\"base\":5}",
                                    "{",
                                    "[]"};
  arena = arena_new(1 << 20);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    diag_list_init(&diags, arena);
    assert_int_not_equal(STATUS_OK, open_destination(bad[i], &d));
    assert_true(diag_failed(&diags));
  }
  assert_int_equal(STATUS_OK, open_destination("{\"base\":\"https://ehr.example:8443/fhir/R4/\"}", &d));
  assert_true(str_is(d.base, "https://ehr.example:8443/fhir/R4"));
  assert_int_equal(
      STATUS_OK,
      open_destination("{\"base\":\"https://e.example\",\"validation\":\"park\",\"profiles\":[\"http://p\"],"
                       "\"packages\":[\"p#1\"],\"submit\":\"batch\"}",
                       &d)); /* the parts of other stages */
  arena_free(arena);
}

static void test_token_file(void **state) {
  (void)state;
  static const char json[] =
      "{\"base\":\"https://e.example\",\"auth\":{\"type\":\"bearer\",\"tokenFile\":\"token\"}}";
  struct delivery_destination d;
  arena = arena_new(1 << 20);
  diag_list_init(&diags, arena);
  assert_int_equal(STATUS_CONFIG, open_destination(json, &d)); /* missing */
  put("token", "abc.def\n", 0644);
  assert_int_equal(STATUS_CONFIG, open_destination(json, &d)); /* readable by others */
  put("token", "abc\r\nX-Injected: 1\n", 0600);
  assert_int_equal(STATUS_CONFIG, open_destination(json, &d)); /* header injection */
  put("token", "", 0600);
  assert_int_equal(STATUS_CONFIG, open_destination(json, &d));
  put("token", "abc.def\n", 0600);
  assert_int_equal(STATUS_OK, open_destination(json, &d));
  drop("token");
  arena_free(arena);
}

static void test_password_file(void **state) {
  (void)state;
  static const char json[] = AUTH("\"type\":\"basic\",\"user\":\"us\",\"passwordFile\":\"password\"");
  struct delivery_destination d;
  arena = arena_new(1 << 20);
  diag_list_init(&diags, arena);
  put("password", "of two words\n", 0600);
  assert_int_equal(STATUS_OK, open_destination(json, &d));
  put("password", "of two\r\nlines", 0600);
  assert_int_equal(STATUS_CONFIG, open_destination(json, &d));
  put("password", "\n", 0600);
  assert_int_equal(STATUS_CONFIG, open_destination(json, &d));
  put("password", "open", 0640);
  assert_int_equal(STATUS_CONFIG, open_destination(json, &d));
  drop("password");
  assert_int_equal(STATUS_CONFIG, open_destination(json, &d));
  arena_free(arena);
}

static enum status count_sent(void *context, const struct delivery_request *request, struct arena *memory, struct delivery_answer *out) {
  (void)request;
  (void)memory;
  *out = (struct delivery_answer){.status = 200, .complete = true};
  ++*(int *)context;
  return STATUS_OK;
}

/* Whether a request goes; else the destination is held, and why is said. */
static bool goes(struct delivery_client *client) {
  int sent = 0;
  struct delivery_channel channel = {.context = &sent, .send = count_sent};
  struct delivery_request request = {.method = "GET", .path = STR("/Patient")};
  struct delivery_answer answer;
  assert_int_equal(STATUS_OK, delivery_send_on(client, &channel, &request, arena, &answer));
  if (sent) return true;
  assert_true(answer.verdict == DELIVERY_HOLD && answer.as_status == STATUS_CONFIG && answer.phase == DELIVERY_BEFORE_CONNECT);
  assert_true(str_find(answer.reason, STR("secret: the "), 0) != SIZE_MAX || str_find(answer.reason, STR("k.pem: clientKeyFile "), 0) != SIZE_MAX);
  return false;
}

static void test_renewed_secrets(void **state) {
  static const char *const bearer = AUTH("\"type\":\"bearer\",\"tokenFile\":\"secret\"");
  static const char *const basic = AUTH("\"type\":\"basic\",\"user\":\"us\",\"passwordFile\":\"secret\"");
  static const struct {
    const char *text; /* NULL: as it is */
    mode_t mode;
    bool stale;
  } steps[] = {{"abc.defg\n", 0600, false}, {"two\nlines", 0600, true}, {"", 0600, true},       {"abcdefgh\n", 0644, true},
               {NULL, 0600, false},         {"hgfedcba\n", 0600, false}, {"abcdefgh", 0600, false}};
  (void)state;
  arena = arena_new(1 << 20);
  diag_list_init(&diags, arena);
  for (int i = 0; i < 2; i++) {
    struct delivery_destination d;
    struct delivery_client *client = NULL;
    char path[256];
    put("secret", "abc.def\n", 0600);
    put("d.json", i ? basic : bearer, 0644);
    snprintf(path, sizeof path, "%s/d.json", folder);
    assert_int_equal(STATUS_OK, delivery_destination_read(path, host_system(), arena, &diags, &d));
    assert_int_equal(STATUS_OK, delivery_client_new(&d, host_system(), &diags, &client));
    for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
      struct str before = arena_str(arena, str_of(client->authorization));
      delivery_credential_refresh(client); /* nothing has changed */
      assert_string_equal(client->authorization, before.ptr);
      snprintf(path, sizeof path, "%s/secret", folder);
      if (steps[s].text)
        put("secret", steps[s].text, steps[s].mode);
      else
        assert_int_equal(0, chmod(path, steps[s].mode));
      delivery_credential_doubt(client); /* the clock of a file system is coarse */
      delivery_credential_refresh(client);
      assert_int_equal(client->stale, steps[s].stale);
      assert_int_equal(strcmp(client->authorization, before.ptr) == 0, steps[s].stale);
      assert_int_equal(goes(client), !steps[s].stale);
    }
    drop("secret");
    assert_false(goes(client)); /* whoever took it away does not want it to be used */
    assert_false(goes(client));
    put("secret", "abcdefgh", 0600);
    assert_true(goes(client));
    drop("secret");
    delivery_client_free(client);
    drop("d.json");
  }
  arena_free(arena);
}

/* --- the client certificate --- */

static void set_date(const ASN1_TIME *date, const char *text) {
  union {
    const ASN1_TIME *given;
    ASN1_STRING *text;
  } as = {date};
  as.text->type = V_ASN1_GENERALIZEDTIME;
  assert_int_equal(1, ASN1_STRING_set(as.text, text, -1));
}

static void put_certificate(EVP_PKEY *key, const char *from, const char *until) {
  char path[256];
  X509 *certificate = X509_new();
  set_date(X509_get0_notBefore(certificate), from);
  set_date(X509_get0_notAfter(certificate), until);
  assert_int_equal(1, X509_set_pubkey(certificate, key));
  assert_int_not_equal(0, X509_sign(certificate, key, EVP_sha256()));
  snprintf(path, sizeof path, "%s/c.pem", folder);
  FILE *file = fopen(path, "w");
  assert_int_equal(1, PEM_write_X509(file, certificate));
  fclose(file);
  X509_free(certificate);
}

/* Others can read its key, while it is in use; it is renewed; it is gone. */
static void expect_own_key(const char *path) {
  static const mode_t modes[] = {0640, 0600, 0604, 0600, 0};
  struct delivery_destination d;
  struct delivery_client *client = NULL;
  char file[256];
  put("d.json", "{\"base\":\"https://e.example\",\"auth\":{\"type\":\"mtls\"},\"clientCertFile\":\"c.pem\",\"clientKeyFile\":\"k.pem\"}", 0600);
  snprintf(file, sizeof file, "%s/d.json", folder);
  assert_int_equal(STATUS_OK, delivery_destination_read(file, host_system(), arena, &diags, &d));
  assert_int_equal(STATUS_OK, delivery_client_new(&d, host_system(), &diags, &client));
  assert_true(goes(client));
  for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
    struct delivery_answer answer;
    usleep(20000); /* the clock of a file system is coarse */
    assert_int_equal(0, modes[i] ? chmod(path, modes[i]) : unlink(path));
    assert_int_equal(STATUS_OK, delivery_message_may_go(client, arena, &answer));
    assert_int_equal(answer.reason.len == 0, modes[i] == 0600);
    assert_int_equal(goes(client), modes[i] == 0600);
  }
  delivery_client_free(client);
  drop("d.json");
}

/* One that does not hold now, or of which that cannot be told, is refused here: the server would do it without a word. */
static void test_client_certificate(void **state) {
  static const struct {
    const char *from, *until;
    enum status status;
  } rows[] = {{"20200101000000Z", "20990101000000Z", STATUS_OK},     {"20200101000000Z", "20210101000000Z", STATUS_CONFIG},
              {"20980101000000Z", "20990101000000Z", STATUS_CONFIG}, {"20200101000000Z", "20210101000000.5Z", STATUS_CONFIG},
              {"20200101000000Z", "never", STATUS_CONFIG},           {"20980101000000.5Z", "20990101000000Z", STATUS_CONFIG}};
  struct delivery_destination d;
  char path[256];
  (void)state;
  EVP_PKEY *key = EVP_EC_gen("P-256");
  snprintf(path, sizeof path, "%s/k.pem", folder);
  put("k.pem", "", 0600);
  FILE *file = fopen(path, "w");
  assert_int_equal(1, PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL));
  fclose(file);
  arena = arena_new(1 << 20);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    diag_list_init(&diags, arena);
    put_certificate(key, rows[i].from, rows[i].until);
    assert_int_equal(rows[i].status, open_destination("{\"base\":\"https://e.example\",\"auth\":{\"type\":\"mtls\"},"
                                                      "\"clientCertFile\":\"c.pem\",\"clientKeyFile\":\"k.pem\"}", &d));
  }
  put_certificate(key, rows[0].from, rows[0].until);
  expect_own_key(path);
  drop("c.pem");
  drop("k.pem");
  EVP_PKEY_free(key);
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_base), cmocka_unit_test(test_token_file), cmocka_unit_test(test_renewed_secrets),
                                     cmocka_unit_test(test_password_file), cmocka_unit_test(test_client_certificate)};
  return cmocka_run_group_tests(tests, setup, teardown);
}
