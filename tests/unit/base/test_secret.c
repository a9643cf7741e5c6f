/* test_secret.c - what a file of a secret may be, and that a new one takes nobody's place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/base.h"
#include "base/secret.h"

enum { MOST = 8 };

struct test {
  struct arena *arena;
  struct diag_list diags;
  char folder[64], path[96], link[96];
};

static int setup(void **state) {
  struct test *test = calloc(1, sizeof *test);
  test->arena = arena_new(1 << 20);
  diag_list_init(&test->diags, test->arena);
  snprintf(test->folder, sizeof test->folder, "/tmp/ketlink-secret-XXXXXX");
  if (!mkdtemp(test->folder)) return -1;
  snprintf(test->path, sizeof test->path, "%s/file", test->folder);
  snprintf(test->link, sizeof test->link, "%s/link", test->folder);
  *state = test;
  return 0;
}

static int teardown(void **state) {
  struct test *test = *state;
  unlink(test->path);
  unlink(test->link);
  rmdir(test->folder);
  arena_free(test->arena);
  free(test);
  return 0;
}

static void put(const struct test *test, const char *text, mode_t mode) {
  FILE *file = fopen(test->path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
  assert_int_equal(chmod(test->path, mode), 0);
}

static bool said(struct test *test, const char *words) {
  const struct diag *last = test->diags.last;
  return last && str_find(last->message, str_of(words), 0) != SIZE_MAX &&
         str_find(last->message, STR("secret"), 0) == SIZE_MAX;
}

static void test_read(void **state) {
  static const struct {
    const char *text;
    mode_t mode;
    const char *said; /* NULL: it is read */
  } rows[] = {
      {"secret1", 0600, NULL},     {"secret12", 0600, NULL},        {"secret123", 0600, "longer than 8"},
      {"secret", 0400, NULL},      {"", 0600, "is empty"},          {"secret", 0640, "read by others: chmod 600"},
      {"secret", 0604, "chmod 600"}, {"secret", 0620, "chmod 600"},
  };
  struct test *test = *state;
  struct str out;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    put(test, rows[i].text, rows[i].mode);
    enum status status = base_secret_read(test->path, "the token file", MOST, test->arena, &test->diags, &out);
    assert_int_equal(status, rows[i].said ? STATUS_CONFIG : STATUS_OK);
    if (rows[i].said)
      assert_true(said(test, rows[i].said));
    else
      assert_true(str_is(out, rows[i].text));
  }
}

static void test_no_file(void **state) {
  struct test *test = *state;
  struct str out;
  assert_int_equal(base_secret_read(test->path, "the token file", MOST, test->arena, &test->diags, &out), STATUS_CONFIG);
  assert_true(said(test, "the token file is missing"));
  assert_int_equal(base_secret_read(test->folder, "it", MOST, test->arena, &test->diags, &out), STATUS_CONFIG);
  assert_true(said(test, "not a regular file"));
  put(test, "fine", 0600);
  assert_int_equal(symlink(test->path, test->link), 0);
  assert_int_equal(base_secret_read(test->link, "it", MOST, test->arena, &test->diags, &out), STATUS_CONFIG);
  assert_true(said(test, "is a link"));
  assert_int_equal(unlink(test->link), 0);
  assert_int_equal(mkfifo(test->link, 0600), 0); /* must not be waited for */
  assert_int_equal(base_secret_read(test->link, "it", MOST, test->arena, &test->diags, &out), STATUS_CONFIG);
  assert_true(said(test, "not a regular file"));
}

static void test_create(void **state) {
  struct test *test = *state;
  struct stat info;
  struct str out;
  assert_int_equal(base_secret_create(test->path, "the key set", STR("one"), &test->diags), STATUS_OK);
  assert_int_equal(stat(test->path, &info), 0);
  assert_int_equal(info.st_mode & 07777, 0600);
  assert_int_equal(base_secret_create(test->path, "the key set", STR("two"), &test->diags), STATUS_CONFIG);
  assert_true(said(test, "there already"));
  assert_int_equal(base_secret_read(test->path, "it", MOST, test->arena, &test->diags, &out), STATUS_OK);
  assert_true(str_is(out, "one"));
  base_secret_wipe(out);
  assert_true(out.ptr[0] == 0 && out.ptr[2] == 0);
  assert_int_equal(symlink("/nonexistent/file", test->link), 0);
  assert_int_equal(base_secret_create(test->link, "the key set", STR("x"), &test->diags), STATUS_CONFIG);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_read, setup, teardown),
                                     cmocka_unit_test_setup_teardown(test_no_file, setup, teardown),
                                     cmocka_unit_test_setup_teardown(test_create, setup, teardown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
