/* A set in a folder: how many rows a record may have, what a copy of the cursor reads, where a node comes from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "../pack.h"
#include "intake/intake.h"

static const struct definitions *definitions;
static struct intake_route route = {.format = {"session-record/1", 16}};
static struct intake_routes routes = {&route, 1};
static char folder[64];

static const char description[] =
    "{\"format\":\"session-record/1\",\"files\":{"
    "\"sessions.csv\":{\"element\":\"session\",\"key\":[\"s\"],\"columns\":{\"s\":\"id\"}},"
    "\"vitals.csv\":{\"element\":\"vitals\",\"key\":[\"s\",\"id\"],\"of\":{\"sessions.csv\":[\"s\"]},"
    "\"columns\":{\"s\":null,\"id\":\"id\",\"hr\":{\"element\":\"heartRate\",\"optional\":true}}}}}";

static enum status one_name(void *context, const char *path, struct str suffix, struct arena *arena, struct str **names, size_t *count) {
  if (!str_is(suffix, ".json")) return host_system()->list_files(context, path, suffix, arena, names, count);
  *names = ARENA_ARRAY(arena, struct str, 1);
  (*names)[0] = STR("d.json");
  *count = 1;
  return STATUS_OK;
}

static enum status read_description(void *context, const char *path, size_t max, struct arena *arena, struct str *out) {
  (void)context, (void)path, (void)max;
  *out = arena_str(arena, str_of(description));
  return STATUS_OK;
}

static void write_file(const char *name, const char *text) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
}

static struct intake_set *open_set(struct arena *arena) {
  static struct host host;
  struct diag_list diags;
  struct intake_sets *sets;
  struct intake_set *set = NULL;
  host = *host_system();
  host.list_files = one_name;
  host.read_file = read_description;
  struct intake_sets_params params = {.folder = "m", .host = &host, .definitions = definitions, .routes = &routes};
  diag_list_init(&diags, arena);
  assert_int_equal(intake_sets_read(&params, arena, &diags, &sets), STATUS_OK);
  assert_int_equal(intake_set_open(sets, &host, definitions, folder, &diags, &set), STATUS_OK);
  return set;
}

static size_t count_named(const struct tree_node *root, const char *name) {
  size_t count = 0;
  for (const struct tree_node *node = tree_find(root, name); node; node = tree_next_same(node))
    count++;
  return count;
}

/* At the cap of rows the record is read, one more is refused. */
static void test_rows_cap(void **state) {
  (void)state;
  for (size_t rows = LIMIT_SET_ROWS - 1; rows <= LIMIT_SET_ROWS + 1; rows++) {
    struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
    struct buf text;
    struct diag_list diags;
    struct intake_record record;
    buf_init(&text, 1 << 24);
    buf_add_text(&text, "s,id\n");
    for (size_t i = 0; i < rows; i++)
      buf_printf(&text, "S,V%zu\n", i);
    buf_add_char(&text, 0);
    write_file("sessions.csv", "s\nS\n");
    write_file("vitals.csv", text.ptr);
    struct intake_set *set = open_set(arena);
    struct intake_input input = intake_set_input(set);
    diag_list_init(&diags, arena);
    enum status status = intake_next(&input, definitions, &routes, arena, &diags, &record);
    assert_int_equal(status, rows > LIMIT_SET_ROWS ? STATUS_INVALID : STATUS_OK);
    if (status == STATUS_OK)
      assert_int_equal(count_named(record.root, "vitals"), rows);
    else
      assert_int_equal(diags.first->code, DIAG_INPUT_TOO_LARGE);
    assert_int_equal(intake_next(&input, definitions, &routes, arena, &diags, &record), STATUS_NOT_FOUND);
    intake_set_close(set);
    buf_release(&text);
    arena_free(arena);
  }
}

/* Who passes over records with one cursor reads them with copies of it, in any order. */
static void test_copies(void **state) {
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  (void)state;
  for (int both = 0; both < 4; both++) {
    bool sorted = both & 1, parts = both & 2; /* either file in order, or not */
    struct intake_input before[3];
    write_file("sessions.csv", sorted ? "s\nA\nB\nC\n" : "s\nB\nC\nA\n");
    write_file("vitals.csv", parts ? "s,id,hr\nA,1,60\nA,2,61\nC,1,62\n" : "s,id,hr\nC,1,62\nA,1,60\nA,2,61\n");
    struct intake_set *set = open_set(arena);
    struct intake_input input = intake_set_input(set);
    for (size_t i = 0; i < 3; i++) {
      before[i] = input;
      assert_true(intake_skip(&input));
    }
    assert_false(intake_skip(&input));
    assert_int_equal(input.at, intake_set_bytes(set) - strlen("s\ns,id,hr\n") - (sorted && parts ? 0 : strlen("C,1,62\nA,1,60\nA,2,61\n")));
    for (size_t i = 3; i-- > 0;) {
      struct diag_list diags;
      struct intake_record record;
      diag_list_init(&diags, arena);
      assert_int_equal(intake_next(&before[i], definitions, &routes, arena, &diags, &record), STATUS_OK);
      char want = (char)(sorted ? 'A' + (int)i : "BCA"[i]);
      const struct tree_node *vital = tree_find(record.root, "vitals");
      assert_int_equal(tree_text(tree_find(record.root, "session"), "id").ptr[0], want);
      assert_int_equal(count_named(record.root, "vitals"), want == 'A' ? 2 : want == 'C' ? 1 : 0);
      if (!vital) continue;
      const struct tree_node *rate = tree_find(vital, "heartRate");
      struct source_place place = record.source.map->find(record.source.map, tree_offset(rate));
      assert_true(str_ends(place.file, STR("/vitals.csv")));
      assert_true(str_is(place.column, "hr"));
      assert_int_equal(place.position.line, want == 'A' ? (parts ? 2 : 3) : (parts ? 4 : 2));
      assert_int_equal(place.position.col, 5);
    }
    intake_set_close(set);
  }
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows_cap), cmocka_unit_test(test_copies)};
  struct definitions *opened = pack_open();
  if (!opened) return PACK_SKIPPED;
  definitions = opened;
  route.type = definitions_type(opened, STR("http://ketlink.dev/fhir/StructureDefinition/session-record"));
  snprintf(folder, sizeof folder, "/tmp/ketlink-test-XXXXXX");
  if (!route.type || !mkdtemp(folder)) return 1;
  int result = cmocka_run_group_tests(tests, NULL, NULL);
  char path[128];
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, i ? "vitals.csv" : "sessions.csv");
    (void)unlink(path);
  }
  (void)rmdir(folder);
  definitions_close(opened);
  return result;
}
