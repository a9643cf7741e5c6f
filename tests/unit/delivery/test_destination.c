/* test_destination.c - a destination that could leak is refused before a connection is made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "delivery/client.h"

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
    }
    drop("secret");
    delivery_credential_refresh(client); /* gone: the last one serves */
    assert_true(client->stale && client->authorization);
    delivery_client_free(client);
    drop("d.json");
  }
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_base), cmocka_unit_test(test_token_file), cmocka_unit_test(test_renewed_secrets),
                                     cmocka_unit_test(test_password_file)};
  return cmocka_run_group_tests(tests, setup, teardown);
}
