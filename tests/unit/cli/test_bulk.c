/* test_bulk.c - resources to files: each once, its last version; whole or absent; caps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/bulk.h"

static char around[64], folder[80];
static struct cli cli = {.quiet = true};

static int make(void **state) {
  (void)state;
  cli.host = host_system();
  cli.arena = arena_new(1 << 20);
  snprintf(around, sizeof around, "/tmp/ketlink-bulk-XXXXXX");
  if (!cli.arena || !mkdtemp(around)) return -1;
  snprintf(folder, sizeof folder, "%s/out", around);
  return 0;
}

static int unmake(void **state) {
  (void)state;
  arena_free(cli.arena);
  return rmdir(around);
}

static size_t names_in(const char *path) {
  DIR *dir = opendir(path);
  size_t count = 0;
  assert_non_null(dir);
  for (const struct dirent *entry; (entry = readdir(dir));)
    count += entry->d_name[0] != '.';
  closedir(dir);
  return count;
}

static const char *in_folder(const char *name) {
  static char path[128];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static void expect_file(const char *name, const char *wanted) {
  struct arena *arena = arena_new(64 << 20);
  struct stat info;
  struct str text;
  assert_int_equal(cli.host->read_file(NULL, in_folder(name), 32 << 20, arena, &text), STATUS_OK);
  assert_true(str_is(text, wanted));
  assert_int_equal(stat(in_folder(name), &info), 0);
  assert_int_equal(info.st_mode & 0777, 0600);
  arena_free(arena);
}

static struct cli_bulk *begin(size_t max) {
  struct cli_bulk *bulk;
  assert_int_equal(cli_bulk_open(&cli, folder, max, &bulk), STATUS_OK);
  return bulk;
}

static enum status add(struct cli_bulk *bulk, const char *type, unsigned number, const char *text) {
  unsigned char id[16] = {0};
  char line[64];
  memcpy(id, &number, sizeof number);
  snprintf(line, sizeof line, "%u %s\n", number, text);
  return cli_bulk_add(bulk, str_of(type), id, str_of(line));
}

static void clear(void) {
  static const char *const names[] = {"Patient.ndjson", "Device.ndjson", "notes.txt"};
  for (size_t i = 0; i < 3; i++)
    (void)unlink(in_folder(names[i]));
  (void)rmdir(folder);
}

static void test_last_version(void **state) {
  struct cli_bulk_totals totals;
  struct cli_bulk *bulk = begin(0);
  (void)state;
  assert_int_equal(add(bulk, "Patient", 1, "a"), STATUS_OK);
  assert_int_equal(add(bulk, "Patient", 2, "b"), STATUS_OK);
  assert_int_equal(add(bulk, "Device", 1, "c"), STATUS_OK);
  assert_int_equal(add(bulk, "Patient", 1, "a"), STATUS_OK);  /* as it was */
  assert_int_equal(add(bulk, "Patient", 1, "ab"), STATUS_OK); /* other versions, the first its beginning */
  assert_int_equal(add(bulk, "Patient", 3, "d"), STATUS_OK);
  assert_int_equal(add(bulk, "Patient", 1, "e"), STATUS_OK);
  assert_int_equal(access(folder, F_OK), -1); /* nothing has the name before all is there */
  assert_int_equal(cli_bulk_land(bulk, &totals), STATUS_OK);
  cli_bulk_free(bulk);
  expect_file("Patient.ndjson", "2 b\n3 d\n1 e\n");
  expect_file("Device.ndjson", "1 c\n");
  assert_int_equal(totals.files, 2);
  assert_int_equal(totals.resources, 4);
  assert_int_equal(totals.repeated, 1);
  assert_int_equal(totals.replaced, 2);
  assert_int_equal(names_in(folder), 2);
  assert_int_equal(names_in(around), 1);
  clear();
}

/* More than one chunk and one table, every second resource replaced. */
static void test_many(void **state) {
  struct cli_bulk_totals totals;
  struct cli_bulk *bulk = begin(0);
  struct buf wanted;
  (void)state;
  buf_init(&wanted, LIMIT_TEXT_BYTES);
  for (unsigned round = 0; round < 2; round++)
    for (unsigned i = 0; i < 20000; i++)
      if (i % 2 || round) assert_int_equal(add(bulk, "Patient", i, round ? "new" : "old"), STATUS_OK);
  for (unsigned i = 0; i < 20000; i++)
    buf_printf(&wanted, "%u new\n", i);
  buf_add(&wanted, "", 1);
  assert_int_equal(cli_bulk_land(bulk, &totals), STATUS_OK);
  assert_int_equal(totals.resources, 20000);
  assert_int_equal(totals.replaced, 10000);
  cli_bulk_free(bulk);
  expect_file("Patient.ndjson", wanted.ptr);
  buf_release(&wanted);
  clear();
}

static void test_cap(void **state) {
  (void)state;
  for (unsigned count = 2; count <= 4; count++) {
    struct cli_bulk *bulk = begin(3);
    enum status status = STATUS_OK;
    for (unsigned i = 0; status == STATUS_OK && i < count; i++)
      status = add(bulk, "Patient", i / 2, i % 2 ? "new" : "old");
    assert_int_equal(status, count > 3 ? STATUS_LIMIT : STATUS_OK);
    assert_int_equal(add(bulk, "Patient", 0, "new"), STATUS_OK); /* nothing new */
    cli_bulk_free(bulk);
    assert_int_equal(names_in(around), 0); /* what did not land is gone */
  }
}

/* An earlier export is replaced as a whole; what may be somebody's work is not touched. */
static void test_folder_in_use(void **state) {
#define OLD "{\"resourceType\":\"Device\",\"id\":\"old\"}\n"
#define NEW "{\"resourceType\":\"Patient\",\"id\":\"new\"}\n"
  static const unsigned char id[16] = {0};
  struct cli_bulk_totals totals;
  struct cli_bulk *bulk = begin(0);
  (void)state;
  assert_int_equal(cli_bulk_add(bulk, STR("Device"), id, str_of(OLD)), STATUS_OK);
  assert_int_equal(cli_bulk_land(bulk, &totals), STATUS_OK);
  cli_bulk_free(bulk);
  bulk = begin(0);
  assert_int_equal(cli_bulk_add(bulk, STR("Patient"), id, str_of(NEW)), STATUS_OK);
  expect_file("Device.ndjson", OLD);
  assert_int_equal(cli_bulk_land(bulk, &totals), STATUS_OK);
  cli_bulk_free(bulk);
  expect_file("Patient.ndjson", NEW);
  assert_int_equal(names_in(folder), 1);
  assert_int_equal(names_in(around), 1);
  bulk = begin(0);
  assert_int_equal(add(bulk, "Patient", 1, "newer"), STATUS_OK);
  assert_int_equal(cli.host->write_file(NULL, in_folder("notes.txt"), STR("mine"), true), STATUS_OK);
  assert_int_equal(cli_bulk_land(bulk, &totals), STATUS_IO); /* put there meanwhile */
  cli_bulk_free(bulk);
  assert_int_equal(cli_bulk_open(&cli, folder, 0, &bulk), STATUS_IO);
  cli_bulk_free(bulk);
  expect_file("Patient.ndjson", NEW);
  expect_file("notes.txt", "mine");
  assert_int_equal(names_in(around), 1);
  clear();
}

/* A clinic's own files, whatever their names. */
static void test_not_ours(void **state) {
  static const char *const texts[] = {"", "{", "{\"session\":{}}\n", "{\"resourceType\":\"Device\"}\n"};
  struct cli_bulk *bulk;
  (void)state;
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(cli.host->write_file(NULL, in_folder("Patient.ndjson"), str_of(texts[i]), true), STATUS_OK);
    assert_int_equal(cli_bulk_open(&cli, folder, 0, &bulk), STATUS_IO);
    cli_bulk_free(bulk);
    expect_file("Patient.ndjson", texts[i]);
    clear();
  }
  assert_int_equal(names_in(around), 0);
}

static void test_strange(void **state) {
  struct cli_bulk_totals totals;
  struct cli_bulk *bulk = begin(0);
  (void)state;
  assert_int_equal(add(bulk, "../Patient", 1, "a"), STATUS_IO);
  assert_int_equal(add(bulk, "", 1, "a"), STATUS_IO);
  assert_int_equal(cli_bulk_land(bulk, &totals), STATUS_OK);
  assert_int_equal(totals.resources, 0);
  cli_bulk_free(bulk);
  assert_int_equal(names_in(around), 0); /* no resource, no folder */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_last_version),  cmocka_unit_test(test_many),    cmocka_unit_test(test_cap),
      cmocka_unit_test(test_folder_in_use), cmocka_unit_test(test_not_ours), cmocka_unit_test(test_strange),
  };
  return cmocka_run_group_tests(tests, make, unmake);
}
