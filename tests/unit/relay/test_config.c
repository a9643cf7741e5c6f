/* test_config.c - a configuration is read whole, and all its faults are said at once, by line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "relay/config.h"

#define GOOD                                                                                                 \
  "[relay]\nstate = /var/lib/ketlink\nkey = store.key\n"                                                     \
  "[folder drop]\npath = /srv/drop\nto = hospital, archive\n"                                                \
  "[destination hospital]\nin-flight = 2\nparked = skip\n[destination archive]\n"

static struct arena *arena;
static struct diag_list diags;

static unsigned long fails; /* this allocation of the next reading; 0: none */

static enum status read_text(const char *text, size_t len, struct relay_config *out) {
  char path[] = "/tmp/ketlink-relay-XXXXXX";
  int file = mkstemp(path);
  assert_true(file >= 0 && write(file, text, len) == (ssize_t)len);
  close(file);
  arena_free(arena);
  arena = arena_new(16 << 20);
  diag_list_init(&diags, arena);
  arena_fail_at(arena, fails);
  enum status status = relay_config_read(path, host_system(), arena, &diags, out);
  unlink(path);
  return status;
}

static int teardown(void **state) {
  (void)state;
  arena_free(arena);
  arena = NULL;
  return 0;
}

static void a_good_one_is_read(void **state) {
  struct relay_config config;
  (void)state;
  assert_int_equal(read_text(GOOD, strlen(GOOD), &config), STATUS_OK);
  assert_true(str_is(config.key, "/tmp/store.key")); /* beside the file */
  assert_int_equal(config.destination_count, 2);     /* the one without keys too */
  assert_int_equal(config.destinations[0].in_flight, 2);
  assert_false(config.destinations[0].blocks);
  assert_true(config.destinations[1].blocks);
  assert_int_equal(config.folders[0].to.count, 2);
  assert_true(str_is(config.folders[0].to.names[1], "archive"));
  assert_int_equal(config.max_records, 1000000);
}

/* Each says one more thing than a good file: at that line. */
static void faults_are_told_by_line(void **state) {
  static const struct {
    const char *more;
    unsigned line; /* after the 11 of GOOD; 0: the whole */
    const char *said;
  } cases[] = {
      {"[destinaton x]\n", 1, "did you mean destination?"},
      {"[destination x]\nin_flight = 3\n", 2, "did you mean in-flight?"},
      {"[destination x]\nmemory-mib = 0\n", 2, "from 1 to 1024"},
      {"[destination x]\nmemory-mib = 1025\n", 2, "from 1 to 1024"},
      {"[destination x]\nin-flight = 0\n", 2, "from 1 to 64"},
      {"[destination x]\nin-flight = 65\n", 2, "from 1 to 64"},
      {"[destination x]\nin-flight = -1\n", 2, "from 1 to 64"},
      {"[destination x]\nin-flight = many\n", 2, "from 1 to 64"},
      {"[destination x]\nparked = maybe\n", 2, "skip or block"},
      {"[destination x]\nattempts = 1\nattempts = 1\n", 3, "stands twice"},
      {"[destination x]\nfile =\n", 2, "has no value"},
      {"[destination x y]\n", 1, "the name has letters"},
      {"[destination ../x]\n", 1, "the name has letters"},
      {"[destination]\n", 1, "the name has letters"},
      {"[relay x]\n", 1, "has no name"},
      {"[destination x]\nretry-seconds = 60\nretry-max-seconds = 30\n", 1, "retry-max-seconds is less"},
      {"[folder x]\npath = /x\nto = nobody\n", 1, "no [destination nobody]"},
      {"[folder x]\nto = hospital\n", 1, "path is missing"},
      {"[folder x]\npath = /x\n", 1, "names no destination"},
      {"[folder x]\npath = /x\nto = hospital,\n", 3, "with commas between"},
      {"[http]\nlisten = 0.0.0.0:80\ntoken-file = t\n[post]\nto = hospital\n", 1,
       "nothing is taken in clear"},
      {"[http]\nlisten = 127.0.0.1:99999\ntoken-file = t\n[post]\nto = hospital\n", 1,
       "nothing is taken in clear"},
      {"[http]\nlisten = 127.0.0.1:80\n[post]\nto = hospital\n", 1, "needs a token-file"},
      {"[http]\nsocket = /run/x\n", 1, "[post] to is missing"},
      {"[http]\nsocket = /run/x\nlisten = [::1]:1\ntoken-file = t\n[post]\nto = hospital\n", 1, "not both"},
      {"[http]\nsocket = /run/x\n[post]\nto = nobody\n", 3, "[post]: there is no [destination nobody]"},
      {"[store]\nkeep-days = 36501\n", 2, "from 0 to 36500"},
      {"[store]\ndedupe-days = 29\n", 2, "from 30 to"},
      {"[relay]\nkey = credential:store\n", 2, "CREDENTIALS_DIRECTORY"},
      {"what is this\n", 0, "is no section and no key"},
      {"[store]\nwhat is this\nkeep-days = 9\n", 2, "is no section and no key"},
      {"[store]\nin-flight = 2\n", 2, "[store] has no key in-flight; it belongs into [destination]"},
      {"[mllp]\n", 1, "the name has letters"},
      {"[mllp x]\nto = hospital\n", 1, "listen is an address and a port"},
      {"[mllp x]\nlisten = ehr.example:2575\nto = hospital\n", 1, "listen is an address and a port"},
      {"[mllp x]\nlisten = 127.0.0.1:2575\n", 1, "names no destination"},
      {"[mllp x]\nlisten = 127.0.0.1:2575\nto = nobody\n", 1, "no [destination nobody]"},
      {"[mllp x]\nlisten = 0.0.0.0:2575\nto = hospital\n", 1, "nothing is taken in clear or from anybody"},
      {"[mllp x]\nlisten = [::]:2575\nto = hospital\ncertificate = c\nkey = k\n", 1,
       "nothing is taken in clear or from anybody"},
      {"[mllp x]\nlisten = 127.0.0.1:2575\nto = hospital\nkey = k\n", 1, "belong together"},
      {"[mllp x]\nlisten = 127.0.0.1:2575\nto = hospital\nclient-ca = a\n", 1, "client-ca needs"},
      {"[mllp x]\nlisten = 127.0.0.1:2575\nto = hospital\ncertificate = c\nkey = k\ncrl = l\n", 1,
       "crl needs client-ca"},
      {"[mllp x]\nlisten = 127.0.0.1:2575\nto = hospital\ncertificate = c\nkey = k\nclient-names = a\n", 1,
       "client-names needs client-ca"},
      {"[mllp x]\nclient-names = a,, b\n", 2, "whole names as certificates have them"},
      {"[mllp x]\nclient-names = a\nclient-names = *.example\n", 3, "whole names as certificates have them"},
      {"[mllp x]\nclient-names = .example\n", 2, "whole names as certificates have them"},
      {"[mllp x]\nclient-names = a\tb\n", 2, "whole names as certificates have them"},
      {"[mllp x]\nlisten = /run/x\nto = hospital\ncertificate = c\nkey = k\n", 1, "has no TLS"},
      {"[mllp x]\nlisten = ./x\nto = hospital\n[mllp y]\nlisten = ./x\nto = hospital\n", 4,
       "[mllp x] listens there already"},
      {"[mllp x]\nacknowledge = fast\n", 2, "stored or delivered: nothing is acknowledged before it is on the disk"},
      {"[mllp x]\nlisten = ./x\nto = hospital\nprocessing = X\n", 0, "processing is one of P (production)"},
      {"[mllp x]\nlisten = ./x\nto = hospital\nprocessing = P, T, D, P\n", 0, "processing is one of P (production)"},
      {"[mllp x]\nmax-bytes = 1023\n", 2, "from 1024 to 67108864"},
      {"[mllp x]\nmax-bytes = 67108865\n", 2, "from 1024 to 67108864"},
      {"[mllp x]\nframe-seconds = 0\n", 2, "from 1 to 3600"},
      {"[mllp x]\nmax-conections = 1\n", 2, "did you mean max-connections"},
      {"[relay]\nalert-webhook = http://ops.example/\n", 0, "begins with https://"},
      {"[relay]\nalert-token-file = t\n", 0, "of an alert-webhook"},
  };
  (void)state;
  unsetenv("CREDENTIALS_DIRECTORY");
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct relay_config config;
    char text[1024];
    bool found = false;
    snprintf(text, sizeof text, "%s%s", GOOD, cases[i].more);
    assert_int_equal(read_text(text, strlen(text), &config), STATUS_CONFIG);
    for (const struct diag *diag = diags.first; diag; diag = diag->next)
      found |= str_find(diag->message, str_of(cases[i].said), 0) != SIZE_MAX &&
               (!cases[i].line || diag->line == 11 + cases[i].line - 1);
    if (!found)
      fail_msg("%s: not said: %s (but %.*s at %u)", cases[i].more, cases[i].said,
               STR_ARG(diags.first->message), diags.first->line);
  }
}

static void all_faults_come_at_once(void **state) {
  struct relay_config config;
  static const char text[] = "x = 1\n[nothing]\n[destination a]\nin-flight = 0\n";
  (void)state;
  assert_int_equal(read_text(text, sizeof text - 1, &config), STATUS_CONFIG);
  assert_int_equal(diag_errors(&diags), 6); /* before, section, range, state, key, nothing comes in */
}

/* What is wrong is said, and nothing that only follows from it. */
static void a_list_that_stands_twice_is_one_fault(void **state) {
  struct relay_config config;
  static const char text[] = GOOD "[folder x]\npath = /x\nto = hospital\nto = archive, hospital\n";
  (void)state;
  assert_int_equal(read_text(text, sizeof text - 1, &config), STATUS_CONFIG);
  assert_int_equal(diag_errors(&diags), 1);
  assert_int_equal(diags.first->line, 14);
  assert_true(str_find(diags.first->message, STR("to stands twice"), 0) != SIZE_MAX);
}

static void a_key_without_credentials_is_one_fault(void **state) {
  struct relay_config config;
  static const char text[] = GOOD "[mllp x]\nlisten = 127.0.0.1:2575\nto = hospital\ncertificate = c\nkey = credential:ehr.key\n";
  (void)state;
  unsetenv("CREDENTIALS_DIRECTORY");
  assert_int_equal(read_text(text, sizeof text - 1, &config), STATUS_CONFIG);
  assert_int_equal(diag_errors(&diags), 1);
  assert_true(str_find(diags.first->message, STR("CREDENTIALS_DIRECTORY, which is not set"), 0) != SIZE_MAX);
}

/* Who asks where the relay is has not its credentials. */
static void who_only_looks_needs_no_credentials(void **state) {
  struct relay_config config;
  char path[] = "/tmp/ketlink-relay-XXXXXX";
  static const char text[] = "[relay]\nstate = s\nkey = credential:store\n[http]\nsocket = /run/x\n[post]\nto = a\n[destination a]\n";
  int file = mkstemp(path);
  (void)state;
  unsetenv("CREDENTIALS_DIRECTORY");
  assert_true(file >= 0 && write(file, text, sizeof text - 1) == (ssize_t)sizeof text - 1);
  close(file);
  arena_free(arena);
  arena = arena_new(16 << 20);
  diag_list_init(&diags, arena);
  assert_int_equal(relay_config_read(path, host_system(), arena, &diags, &config), STATUS_CONFIG);
  assert_int_equal(relay_config_look(path, host_system(), arena, &diags, &config), STATUS_OK);
  assert_true(str_is(config.key, "credential:store") && str_is(config.socket, "/run/x"));
  unlink(path);
}

static void long_lines_are_refused(void **state) {
  (void)state;
  for (int len = 197; len <= 199; len++) {
    struct relay_config config;
    char text[1024], path[256];
    snprintf(path, sizeof path, "/%0*d", len - 9, 1); /* "marker = " before it */
    int size = snprintf(text, sizeof text, "[relay]\nmarker = %s\n%s", path, &GOOD[sizeof "[relay]"]);
    assert_int_equal(read_text(text, (size_t)size, &config), len + 1 <= 198 ? STATUS_OK : STATUS_CONFIG);
  }
}

static void there_is_a_cap_on_destinations(void **state) {
  (void)state;
  for (int count = RELAY_DESTINATIONS_MAX - 1; count <= RELAY_DESTINATIONS_MAX + 1; count++) {
    struct relay_config config;
    char text[8192];
    int len = snprintf(text, sizeof text, GOOD);
    for (int i = 2; i < count; i++)
      len += snprintf(text + len, sizeof text - (size_t)len, "[destination d%d]\n", i);
    assert_int_equal(read_text(text, (size_t)len, &config),
                     count <= RELAY_DESTINATIONS_MAX ? STATUS_OK : STATUS_CONFIG);
  }
}

static void listeners_are_read(void **state) {
  static const char text[] = GOOD "[mllp ehr]\nlisten = 0.0.0.0:2575\ncertificate = c.pem\nkey = k.pem\nclient-ca = /ca\n"
                                  "to = hospital, archive\nacknowledge = delivered\nmax-bytes = 67108864\nprocessing = P, T\n"
                                  "client-names = lab.example, Ward 7\nclient-names = ehr.example\n"
                                  "[mllp here]\nlisten = ./mllp.sock\nto = archive\n";
  struct relay_config config;
  (void)state;
  assert_int_equal(read_text(text, sizeof text - 1, &config), STATUS_OK);
  assert_int_equal(config.mllp_count, 2);
  assert_true(str_is(config.mllps[0].key, "/tmp/k.pem"));
  assert_true(config.mllps[0].delivered && !config.mllps[0].is_path);
  assert_int_equal(config.mllps[0].max_bytes, 64 << 20);
  assert_true(str_is(config.mllps[0].processing, "P, T") && str_is(config.mllps[1].processing, "P"));
  assert_int_equal(config.mllps[0].to.count, 2);
  assert_int_equal(config.mllps[0].client_names.count, 3);
  assert_true(str_is(config.mllps[0].client_names.names[1], "Ward 7") && str_is(config.mllps[0].client_names.names[2], "ehr.example"));
  assert_int_equal(config.mllps[1].client_names.count, 0);
  assert_true(config.mllps[1].is_path && str_is(config.mllps[1].listen, "/tmp/./mllp.sock"));
  assert_int_equal(config.mllps[1].max_bytes, 1 << 20);
  assert_int_equal(config.mllps[1].frame_seconds, 30);
}

static void there_is_a_cap_on_listeners(void **state) {
  (void)state;
  for (int count = RELAY_MLLP_MAX - 1; count <= RELAY_MLLP_MAX + 1; count++) {
    struct relay_config config;
    char text[4096];
    int len = snprintf(text, sizeof text, GOOD);
    for (int i = 0; i < count; i++)
      len += snprintf(text + len, sizeof text - (size_t)len, "[mllp m%d]\nlisten = 127.0.0.1:0\nto = archive\n", i);
    assert_int_equal(read_text(text, (size_t)len, &config), count <= RELAY_MLLP_MAX ? STATUS_OK : STATUS_CONFIG);
  }
}

static void there_is_a_cap_on_clients(void **state) {
  (void)state;
  for (int count = RELAY_CLIENTS_MAX - 1; count <= RELAY_CLIENTS_MAX + 1; count++) {
    struct relay_config config;
    char text[16384];
    int len = snprintf(text, sizeof text, GOOD "[mllp m]\nlisten = 127.0.0.1:0\nto = archive\ncertificate = c\nkey = k\nclient-ca = a\n");
    for (int i = 0; i < count; i++)
      len += snprintf(text + len, sizeof text - (size_t)len, "client-names = c%d\n", i);
    assert_int_equal(read_text(text, (size_t)len, &config), count <= RELAY_CLIENTS_MAX ? STATUS_OK : STATUS_CONFIG);
  }
}

/* A list of revoked certificates that there was no memory for is not one that nobody named. */
static void nothing_is_passed_over_without_memory(void **state) {
  enum { MANY = 64 };
  static const char text[] = GOOD "[store]\nbackup = b\n[mllp ehr]\nlisten = 0.0.0.0:2575\ncertificate = c.pem\nkey = k.pem\nclient-ca = ca\n"
                                  "to = hospital, archive\ncrl = l.pem\nclient-names = lab.example, Ward 7\ncharset = 8859/1\n";
  int short_of = 0;
  (void)state;
  for (fails = 1; fails <= MANY; fails++) {
    struct relay_config config;
    enum status status = read_text(text, sizeof text - 1, &config);
    const struct relay_mllp_config *mllp = &config.mllps[0];
    short_of += status == STATUS_NOMEM;
    if (status == STATUS_NOMEM) continue;
    if (status != STATUS_OK) fail_msg("allocation %lu: %s", fails, status_name(status));
    assert_true(config.backup.len && mllp->crl.len && mllp->client_ca.len && mllp->charset.len);
    assert_true(mllp->client_names.count == 2 && mllp->client_names.names[1].len && mllp->to.names[1].len);
  }
  fails = 0;
  assert_in_range(short_of, 20, MANY - 4); /* and the last of them came too late to be one */
}

static void credentials_are_found(void **state) {
  struct relay_config config;
  static const struct {
    const char *name;
    bool fine;
  } names[] = {{"mark", true}, {"ehr.key", true}, {"a.b-c_1.", true}, {"", false}, {".", false}, {"..", false}, {".key", false}, {"a/b", false}, {"a b", false}};
  (void)state;
  setenv("CREDENTIALS_DIRECTORY", "/run/credentials/ketlink", 1);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char text[512], path[128];
    int length = snprintf(text, sizeof text, GOOD "[relay]\nmarker = credential:%s\n", names[i].name);
    snprintf(path, sizeof path, "/run/credentials/ketlink/%s", names[i].name);
    assert_int_equal(read_text(text, (size_t)length, &config), names[i].fine ? STATUS_OK : STATUS_CONFIG);
    assert_true(!names[i].fine || str_is(config.marker, path));
    if (!names[i].fine) assert_true(str_starts(diags.first->message, STR("a credential's name has letters")));
  }
}

static void a_missing_file_is_said(void **state) {
  struct relay_config config;
  (void)state;
  arena = arena_new(1 << 20);
  diag_list_init(&diags, arena);
  assert_int_equal(relay_config_read("/nonexistent/relay.ini", host_system(), arena, &diags, &config),
                   STATUS_CONFIG);
  assert_int_equal(diag_errors(&diags), 1);
}

int main(void) {
#define CASE(name) cmocka_unit_test_teardown(name, teardown)
  const struct CMUnitTest tests[] = {
      CASE(a_good_one_is_read),     CASE(faults_are_told_by_line),        CASE(all_faults_come_at_once),
      CASE(a_list_that_stands_twice_is_one_fault), CASE(a_key_without_credentials_is_one_fault), CASE(who_only_looks_needs_no_credentials),
      CASE(long_lines_are_refused), CASE(there_is_a_cap_on_destinations), CASE(credentials_are_found),
      CASE(a_missing_file_is_said), CASE(listeners_are_read),             CASE(there_is_a_cap_on_listeners),
      CASE(there_is_a_cap_on_clients), CASE(nothing_is_passed_over_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
