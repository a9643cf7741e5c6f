/* test_config.c - configuration files. */
#include "base/config.h"
#include "folder.h"

static const char *const MODES[] = {"batch", "transaction", NULL};
static const struct config_key KEYS[] = {
    {"url", CONFIG_STRING, true},
    {"mode", CONFIG_STRING, false, MODES},
    {"size", CONFIG_INTEGER, false, NULL, 1, 10},
    {"checked", CONFIG_BOOLEAN, false},
    {"types", CONFIG_STRINGS, false},
    {"token", CONFIG_OBJECT, false},
};

/* Reads and checks; the diagnostics as lines without the folder. */
static enum status run(const char *name, json_t **object, struct buf *lines) {
  struct config config;
  struct arena *arena = arena_new(1 << 20);
  struct diag_list list;
  diag_list_init(&list, arena);
  enum status status = config_read(host_system(), in_folder(name), &list, &config);
  *object = config.object;
  if (!status && !config_check(&config, *object, "", KEYS, sizeof KEYS / sizeof *KEYS, &list))
    status = STATUS_INVALID;
  buf_init(lines, 1 << 16);
  for (const struct diag *diag = list.first; diag; diag = diag->next) {
    struct str file = diag->file;
    assert_true(str_starts(file, str_of(folder)));
    struct diag copy = *diag;
    copy.file = str_slice(file, strlen(folder) + 1, file.len);
    diag_render_text(&copy, lines);
    buf_add_char(lines, '\n');
  }
  arena_free(arena);
  return status;
}

static void expect(const char *name, const char *lines) {
  json_t *object = NULL;
  struct buf got;
  enum status status = run(name, &object, &got);
  assert_int_equal(status, *lines ? STATUS_INVALID : STATUS_OK);
  if (!str_is(buf_str(&got), lines)) fail_msg("expected:\n%sgot:\n%.*s", lines, STR_ARG(buf_str(&got)));
  buf_release(&got);
  json_decref(object);
}

static void test_good(void **state) {
  (void)state;
  json_t *object = NULL;
  struct buf lines;
  put_file(
      "a.json",
      "{\"url\": \"https://x\", \"mode\": \"batch\", \"size\": 10, \"checked\": true, \"types\": [\"A\"]}");
  assert_int_equal(run("a.json", &object, &lines), STATUS_OK);
  assert_int_equal(lines.len, 0);
  assert_true(str_is(config_string(object, "url"), "https://x"));
  assert_int_equal(config_string(object, "none").len, 0);
  assert_int_equal(config_integer(object, "size", 3), 10);
  assert_int_equal(config_integer(object, "none", 3), 3);
  assert_true(config_boolean(object, "checked", false));
  assert_true(config_boolean(object, "none", true));
  buf_release(&lines);
  json_decref(object);
}

static void test_bad(void **state) {
  (void)state;
  put_file(
      "a.json",
      "{\"uri\": 1, \"mode\": \"x\", \"size\": 11, \"checked\": \"yes\", \"types\": [1], \"token\": []}");
  expect("a.json", "a.json:1:2: error config-invalid: uri is not a known key; did you mean url?\n"
                   "a.json:1:12: error config-invalid: mode must be one of: batch, transaction\n"
                   "a.json:1:25: error config-invalid: size must be from 1 to 10\n"
                   "a.json:1:37: error config-invalid: checked must be true or false\n"
                   "a.json:1:55: error config-invalid: types must be a list of strings\n"
                   "a.json:1:69: error config-invalid: token must be an object\n"
                   "a.json: error config-invalid: url is missing\n");
  put_file("a.json", "{\"url\": \"x\",\n \"mode\": \"bacth\"}");
  expect("a.json",
         "a.json:2:2: error config-invalid: mode must be one of: batch, transaction; did you mean batch?\n");
  put_file("a.json", "[]");
  expect("a.json", "a.json:1:1: error config-invalid: the file must hold a JSON object\n");
  put_file("a.json", "{\"url\": \"a\",\n \"url\": \"b\"}");
  expect("a.json", "a.json:2:6: error config-invalid: duplicate object key near '\"url\"'\n");
}

static void test_unreadable(void **state) {
  (void)state;
  json_t *object = NULL;
  struct buf lines;
  assert_int_equal(run("absent.json", &object, &lines), STATUS_NOT_FOUND);
  assert_null(object);
  assert_true(
      str_is(buf_str(&lines), "absent.json: error file-unreadable: the file cannot be read: no such file or folder\n"));
  buf_release(&lines);
}

static void test_preset(void **state) {
  (void)state;
  json_t *object = NULL;
  struct buf lines;
  put_file("base.json", "{\"url\": \"https://base\", \"size\": 5, \"token\": {\"a\": 1, \"b\": 2}}");
  put_file("a.json", "{\"preset\": \"base\", \"url\": \"https://mine\", \"token\": {\"b\": 3}}");
  assert_int_equal(run("a.json", &object, &lines), STATUS_OK);
  assert_true(str_is(config_string(object, "url"), "https://mine"));
  assert_int_equal(config_integer(object, "size", 0), 5);
  assert_int_equal(config_integer(json_object_get(object, "token"), "a", 0), 1);
  assert_int_equal(config_integer(json_object_get(object, "token"), "b", 0), 3);
  buf_release(&lines);
  json_decref(object);
  put_file("b.json", "{\"preset\": \"a\", \"url\": \"x\"}");
  expect("b.json", "a.json: error config-invalid: a preset cannot have a preset of its own\n");
  put_file("b.json", "{\"preset\": \"bsae\"}"); /* who asked for it is told too */
  expect("b.json", "bsae.json: error file-unreadable: the file cannot be read: no such file or folder\n"
                   "b.json: error config-invalid: preset is none of the files beside this one, without its .json\n");
  put_file("b.json", "{\"preset\": \"../base\", \"url\": \"x\"}");
  expect("b.json", "b.json: error config-invalid: preset must be the name of a file beside this one, without "
                   "folder and .json\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_good),
      cmocka_unit_test(test_bad),
      cmocka_unit_test(test_unreadable),
      cmocka_unit_test(test_preset),
  };
  return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
