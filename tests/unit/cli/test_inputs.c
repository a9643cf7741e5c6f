/* test_inputs.c - folders as inputs: sorted, links and hidden files left out, depth and number capped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/inputs.h"

static char folder[64];
static const char *const folders[] = {"b", "b/c", "b/c/d"};
static const char *const files[] = {"z.json",       "a.xml",    "b/m.ndjson",
                                    "b/c/d/n.json", "b/no.txt", "b/.hidden.json"};

static char *in_folder(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static int make(void **state) {
  (void)state;
  snprintf(folder, sizeof folder, "/tmp/ketlink-inputs-XXXXXX");
  if (!mkdtemp(folder)) return -1;
  for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
    if (mkdir(in_folder(folders[i]), 0700) != 0) return -1;
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
    if (host_system()->write_file(NULL, in_folder(files[i]), STR("{}"), false) != STATUS_OK) return -1;
  return symlink("z.json", in_folder("link.json")) || symlink("..", in_folder("b/up"));
}

static int unmake(void **state) {
  (void)state;
  (void)unlink(in_folder("link.json"));
  (void)unlink(in_folder("b/up"));
  for (size_t i = sizeof files / sizeof files[0]; i > 0; i--)
    (void)unlink(in_folder(files[i - 1]));
  for (size_t i = sizeof folders / sizeof folders[0]; i > 0; i--)
    (void)rmdir(in_folder(folders[i - 1]));
  return rmdir(folder);
}

static enum status find(struct arena *arena, const char *path, struct cli_inputs *out,
                        struct diag_list *diags) {
  diag_list_init(diags, arena);
  return cli_inputs_find(host_system(), &path, 1, arena, diags, out);
}

static void test_order(void **state) {
  static const char *const wanted[] = {"a.xml", "b/c/d/n.json", "b/m.ndjson", "z.json"};
  struct arena *arena = arena_new(1 << 20);
  struct cli_inputs inputs = {0};
  struct diag_list diags;
  (void)state;
  assert_int_equal(find(arena, folder, &inputs, &diags), STATUS_OK);
  assert_int_equal(inputs.count, 4);
  assert_true(inputs.folders);
  for (size_t i = 0; i < 4; i++)
    assert_string_equal(inputs.paths[i], in_folder(wanted[i]));
  inputs = (struct cli_inputs){0};
  assert_int_equal(find(arena, in_folder("none.json"), &inputs, &diags),
                   STATUS_OK); /* reading it says what is wrong */
  assert_int_equal(inputs.count, 1);
  assert_false(inputs.folders);
  arena_free(arena);
}

static void test_caps(void **state) {
  static const struct {
    size_t depth, files;
    enum status status;
    enum diag_code code;
  } rows[] = {
      {4, 4, STATUS_OK, 0},
      {3, 4, STATUS_OK, 0},
      {2, 4, STATUS_LIMIT, DIAG_INPUT_TOO_DEEP},
      {3, 5, STATUS_OK, 0},
      {3, 3, STATUS_LIMIT, DIAG_INPUT_TOO_MANY},
  };
  (void)state;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct arena *arena = arena_new(1 << 20);
    struct cli_inputs inputs = {.max_depth = rows[i].depth, .max_files = rows[i].files};
    struct diag_list diags;
    assert_int_equal(find(arena, folder, &inputs, &diags), rows[i].status);
    if (rows[i].status == STATUS_OK)
      assert_int_equal(inputs.count, 4);
    else
      assert_int_equal(diags.first->code, rows[i].code);
    arena_free(arena);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_caps)};
  return cmocka_run_group_tests(tests, make, unmake);
}
