/* test_socket.c - what may be listened on, and what is found there. */
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/socket.h"
#include "table.h"

static struct arena *arena;
static struct diag_list diags;
static char folder[64], path[96];

static int setup(void **state) {
  (void)state;
  arena = arena_new(1 << 20);
  diag_list_init(&diags, arena);
  snprintf(folder, sizeof folder, "/tmp/ketlink-socket-XXXXXX");
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/listen", folder);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  unlink(path);
  rmdir(folder);
  arena_free(arena);
  return 0;
}

static void addresses(void **state) {
  static const struct {
    const char *text;
    bool fine, loopback;
    unsigned port;
  } cases[] = {
      {"127.0.0.1:2575", true, true, 2575}, {"127.9.9.9:1", true, true, 1},
      {"[::1]:65535", true, true, 65535},   {"0.0.0.0:0", true, false, 0},
      {"10.1.2.3:80", true, false, 80},     {"[::]:2575", true, false, 2575},
      {"[fe80::1]:1", true, false, 1},      {"localhost:2575", true, true, 2575},
      {"::1:2575", false, false, 0},        {"[127.0.0.1]:1", false, false, 0},
      {"127.0.0.1", false, false, 0},       {"127.0.0.1:", false, false, 0},
      {"127.0.0.1:65536", false, false, 0}, {"127.0.0.1:-1", false, false, 0},
      {"ehr.example:2575", false, false, 0}, {":2575", false, false, 0},
      {"", false, false, 0},                {"[::1:1", false, false, 0},
      {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:1", false, false, 0},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct base_address address;
    bool fine = base_address_parse(str_of(cases[i].text), &address);
    if (fine != cases[i].fine) fail_msg("%s", cases[i].text);
    if (!fine) continue;
    assert_int_equal(base_address_is_loopback(&address), cases[i].loopback);
    assert_int_equal(base_address_port(&address), cases[i].port);
  }
}

static void parts(void **state) {
  static const struct {
    const char *text, *host; /* NULL: refused */
    unsigned port;
  } cases[] = {
      {"ehr.example:2575", "ehr.example", 2575}, {"[::1]:1", "::1", 1},  {"127.0.0.1:0", "127.0.0.1", 0}, {"a:65535", "a", 65535},
      {":2575", "", 2575},                       {"a:65536", NULL, 0},   {"a:-1", NULL, 0},               {"::1:2575", NULL, 0},
      {"[::1]", NULL, 0},                        {"[a]:1", NULL, 0},     {"ehr.example", NULL, 0},        {"a:1x", NULL, 0},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct str host;
    uint16_t port;
    bool fine = base_address_split(str_of(cases[i].text), &host, &port);
    if (fine != (cases[i].host != NULL)) fail_msg("%s", cases[i].text);
    if (!fine) continue;
    if (!str_is(host, cases[i].host)) fail_msg("%s: %.*s", cases[i].text, STR_ARG(host));
    assert_int_equal(port, cases[i].port);
  }
}

static void a_path(void **state) {
  struct base_listening first, second;
  struct stat info;
  (void)state;
  assert_int_equal(base_listen_path(path, &diags, &first), STATUS_OK);
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_mode & 0777, 0600);
  assert_int_equal(listen(first.fd, 1), 0);
  assert_int_equal(base_listen_path(path, &diags, &second), STATUS_CONFLICT); /* somebody is there */
  close(first.fd);
  assert_int_equal(base_listen_path(path, &diags, &second), STATUS_OK); /* nobody is: it was left behind */
  base_listen_remove(path, &first); /* another file by now, unless the number was given again */
  close(second.fd);
  base_listen_remove(path, &second);
  assert_int_not_equal(stat(path, &info), 0);
}

static void what_is_no_socket_stays(void **state) {
  struct base_listening listening;
  struct stat info;
  (void)state;
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fclose(file);
  assert_int_equal(base_listen_path(path, &diags, &listening), STATUS_CONFIG);
  assert_int_equal(stat(path, &info), 0);
  char longer[200];
  snprintf(longer, sizeof longer, "%s/%0*d", folder, 110, 1);
  assert_int_equal(base_listen_path(longer, &diags, &listening), STATUS_CONFIG);
}

static void a_port(void **state) {
  struct base_address address;
  struct base_listening first, second;
  (void)state;
  assert_true(base_address_make("127.0.0.1", 0, &address));
  assert_int_equal(base_listen_address("here", &address, &diags, &first), STATUS_OK);
  assert_int_not_equal(first.port, 0);
  assert_int_equal(listen(first.fd, 1), 0);
  assert_true(base_address_make("127.0.0.1", first.port, &address));
  assert_int_equal(base_listen_address("here", &address, &diags, &second), STATUS_CONFLICT);
  assert_int_equal(second.fd, -1);
  close(first.fd);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(addresses),
      cmocka_unit_test(parts),
      cmocka_unit_test_setup_teardown(a_path, setup, teardown),
      cmocka_unit_test_setup_teardown(what_is_no_socket_stays, setup, teardown),
      cmocka_unit_test_setup_teardown(a_port, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
