/* test_destination.c - the keys of a destination file: one table, the same as people read, checked with places. */
#include "base/destination.h"
#include "folder.h"

static const char *const readers[] = {"all", "bundle", "delivery", "pipeline", "hl7v2"};

static struct str page(struct arena *arena) {
  struct str text = {0};
  assert_int_equal(host_system()->read_file(NULL, SOURCE_DIR "/mappings/destinations/README.md", 1 << 20, arena, &text),
                   STATUS_OK);
  return text;
}

/* The row of a key: "| `a`, `key` | value | reader |". */
static struct str row_of(struct str text, const char *key, struct arena *arena) {
  struct str mark = arena_printf(arena, "`%s`", key);
  for (size_t at = 0, end; at < text.len; at = end + 1) {
    end = str_find_char(text, '\n', at);
    struct str line = str_slice(text, at, end);
    size_t found = str_find(line, mark, 0), bar = str_find_char(line, '|', 1);
    if (str_starts(line, STR("| `")) && found != SIZE_MAX && found < bar) return line;
  }
  return (struct str){0};
}

static void test_page(void **state) {
  (void)state;
  struct arena *arena = arena_new(1 << 20);
  struct str text = page(arena);
  for (size_t i = 0; i < destination_key_count; i++) {
    const struct config_key *key = &destination_keys[i].key;
    const char *reader = strcmp(key->name, "description") == 0 ? "nobody" : readers[destination_keys[i].reader];
    struct str row = row_of(str_slice(text, str_find(text, STR("## Keys"), 0), text.len), key->name, arena);
    if (!row.len) fail_msg("%s has no row in mappings/destinations/README.md", key->name);
    if (str_find(row, arena_printf(arena, "| %s |", reader), 0) == SIZE_MAX)
      fail_msg("%s is read by %s: %.*s", key->name, reader, STR_ARG(row));
  }
  for (size_t i = 0; destination_require_words[i]; i++)
    if (!row_of(text, destination_require_words[i], arena).len)
      fail_msg("%s has no row in mappings/destinations/README.md", destination_require_words[i]);
  arena_free(arena);
}

/* The presets are what the table says, each with all its readers. */
static void test_presets(void **state) {
  (void)state;
  struct arena *arena = arena_new(1 << 20);
  struct str *names = NULL;
  size_t count = 0;
  struct diag_list list;
  diag_list_init(&list, arena);
  const char *places = SOURCE_DIR "/mappings/destinations";
  assert_int_equal(host_system()->list_files(NULL, places, STR(".json"), arena, &names, &count), STATUS_OK);
  assert_true(count >= 7);
  for (size_t i = 0; i < 4 * count; i++) {
    struct config config;
    struct str path = arena_printf(arena, "%s/%.*s", places, STR_ARG(names[i / 4]));
    enum status status =
        destination_read(host_system(), path.ptr, (enum destination_reader)(i % 4 + 1), &list, &config);
    if (status) fail_msg("%s: %.*s", path.ptr, STR_ARG(list.first->message));
    config_close(&config);
  }
  arena_free(arena);
}

static void test_faults(void **state) {
  (void)state;
  static const struct {
    const char *text, *message;
    uint32_t line, col;
  } faults[] = {
      {"{\"preset\":\"p\",\n \"submitt\": \"batch\"}", "submitt is not a known key; did you mean submit?", 2, 2},
      {"{\"preset\":\"p\",\"resources\":{\"Patient\":[\"craete\"]}}",
       "resources must be words, each one of: create, update, read; did you mean create?", 1, 15},
      {"{\"preset\":\"p\",\"resources\":{\"Patient\":\"read\"}}",
       "resources must be an object of lists of strings, or a list of strings", 1, 15},
      {"{\"preset\":\"p\",\"require\":[\"one-categori\"]}", NULL, 1, 15},
      {"{\"preset\":\"p\",\"lookup\":[]}", "lookup must be an object of lists of strings", 1, 15},
      {"{\"preset\":\"p\",\"retries\":6}", "retries must be from 0 to 5", 1, 15},
      {"{\"preset\":\"q\"}", "submit must be one of: transaction, batch, single, collection", 1, 2},
      {"{\"description\":\"\"}", "submit is missing", 0, 0},
  };
  put_file("p.json", "{\"submit\":\"batch\",\"idempotency\":\"search-first\"}");
  put_file("q.json", "{\"submit\":\"always\",\"idempotency\":\"search-first\"}");
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    struct arena *arena = arena_new(1 << 20);
    struct diag_list list;
    struct config config;
    diag_list_init(&list, arena);
    put_file("a.json", faults[i].text);
    assert_int_equal(destination_read(host_system(), in_folder("a.json"), DESTINATION_BUNDLE, &list, &config),
                     STATUS_CONFIG);
    assert_non_null(list.first);
    if (faults[i].message && !str_starts(list.first->message, str_of(faults[i].message)))
      fail_msg("%.*s", STR_ARG(list.first->message));
    assert_int_equal(list.first->line, faults[i].line);
    assert_int_equal(list.first->col, faults[i].col);
    assert_null(config.object);
    arena_free(arena);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_page),
      cmocka_unit_test(test_presets),
      cmocka_unit_test_setup_teardown(test_faults, folder_make, folder_remove),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
