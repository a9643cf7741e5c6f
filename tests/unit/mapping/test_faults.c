/*
 * test_faults.c - every allocation of loading and running fails once; maps with random damage. A fault is a
 * status or a diagnostic, never a crash, a hang, or a wrong target.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "mapping/internal.h"
#include "run_map.h"

#define GOLDEN SOURCE_DIR "/tests/golden/mapping/"
enum { MUTATIONS = 60, FAULTS_MAX = 20000 };

static struct definitions *definitions;

static struct arena *new_arena(void) {
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  assert_non_null(arena);
  return arena;
}

static struct str read_golden(const char *name, const char *file, struct arena *arena) {
  const struct host *host = host_system();
  struct str text = {0}, path = arena_printf(arena, GOLDEN "%s/%s", name, file);
  if (host->read_file(host->context, path.ptr, LIMIT_TEXT_BYTES, arena, &text) != STATUS_OK)
    return (struct str){0};
  return text;
}

static const char *const cases[] = {
    "groups-types", "translate-inline", "coded",      "evaluate", "metadata", "let",
    "quantity",     "copy-complex",     "fault-many", "log",      "resource"};

static const char *map_file(const char *name, struct arena *arena) {
  bool json = str_is(str_of(name), "resource");
  return arena_printf(arena, GOLDEN "%s/map.%s", name, json ? "json" : "fml").ptr;
}

/* Loads `name` with the n-th allocation failing; true when it was reached. */
static bool load_failing(const char *name, unsigned long n, enum status usual) {
  struct arena *arena = new_arena(), *list = new_arena();
  struct host host = test_host();
  struct diag_list diags;
  struct mapping_set *set = NULL;
  const char *files[] = {map_file(name, list)};
  struct mapping_load load = {.definitions = definitions, .host = &host, .files = files, .file_count = 1};
  diag_list_init(&diags, list);
  arena_fail_at(arena, n);
  enum status status = fml_load(arena, &load, &diags, &set);
  bool reached = status != usual;
  if (reached) assert_int_equal(status, STATUS_NOMEM);
  arena_free(arena);
  arena_free(list);
  return reached;
}

static void test_load_without_memory(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    enum status usual = str_starts(str_of(cases[i]), STR("fault")) ? STATUS_INVALID : STATUS_OK;
    unsigned long n = 1, quiet = 0;
    /* a hint in a message may be lost without harm: some failures change nothing */
    for (; n < FAULTS_MAX && quiet < 200; n++)
      quiet = load_failing(cases[i], n, usual) ? 0 : quiet + 1;
    assert_true(n < FAULTS_MAX);
  }
}

/* The run in an arena whose n-th allocation fails: NOMEM, or the same target as ever. */
static bool run_failing(const struct mapping_set *set, struct str text, unsigned long n, struct str want) {
  struct arena *arena = new_arena();
  struct host host = test_host();
  struct diag_list diags;
  struct source source = source_make(STR("source.json"), text);
  struct tree_node *target = NULL;
  struct buf out;
  diag_list_init(&diags, arena);
  const struct mapping_map *map = mapping_at(set, 0);
  struct tree_node *root = read_source(definitions, map, &source, arena, &diags);
  struct mapping_run run = {.host = &host, .arena = arena, .diags = &diags, .source = &source};
  arena_fail_at(arena, n);
  enum status status = mapping_run(set, map, &run, root, &target);
  arena_fail_at(arena, 0);
  if (status == STATUS_OK) {
    buf_init(&out, LIMIT_TEXT_BYTES);
    tree_write_json(target, &(struct tree_write){.pretty = true}, &out);
    buf_add_char(&out, '\n');
    assert_true(str_eq(buf_str(&out), want));
    buf_release(&out);
  } else {
    assert_true(status == STATUS_NOMEM || status == STATUS_INVALID);
  }
  arena_free(arena);
  return status != STATUS_OK;
}

static void test_run_without_memory(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct arena *arena = new_arena();
    struct host host = test_host();
    struct diag_list diags;
    struct mapping_set *set = NULL;
    diag_list_init(&diags, arena);
    const char *files[] = {map_file(cases[i], arena)};
    struct mapping_load load = {.definitions = definitions, .host = &host, .files = files, .file_count = 1};
    struct str text = read_golden(cases[i], "source.json", arena);
    struct str want = read_golden(cases[i], "expected.json", arena);
    if (mapping_load(&load, &diags, &set) == STATUS_OK) {
      unsigned long n = 1, quiet = 0;
      for (; n < FAULTS_MAX && quiet < 100; n++)
        quiet = run_failing(set, text, n, want) ? 0 : quiet + 1;
      assert_true(n < FAULTS_MAX);
    }
    mapping_free(set);
    arena_free(arena);
  }
}

/* --- damage ----------------------------------------------------------------------------------------------
 */

static uint32_t next_random(uint32_t *state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

static const char *const pieces[] = {"{",    "}",      "(",    ")",       ";",
                                     "->",   "then",   "\"",   "'",       "`",
                                     "src",  ".",      ",",    " as x",   " where ",
                                     "/*",   "//",     "///",  "<<",      "=",
                                     "\\",   "\0",     "\xff", "share s", "create('Patient')",
                                     "0..*", "group ", "uses "};

/* Removes, doubles or inserts a piece somewhere. */
static struct str damage(struct str text, uint32_t *random, struct arena *arena) {
  char *out = arena_alloc(arena, text.len * 2 + 64);
  size_t from = next_random(random) % (text.len + 1);
  size_t len = next_random(random) % 24;
  if (from + len > text.len) len = text.len - from;
  const char *piece = pieces[next_random(random) % (sizeof pieces / sizeof pieces[0])];
  size_t piece_len = strlen(piece) ? strlen(piece) : 1, at = from;
  memcpy(out, text.ptr, from);
  switch (next_random(random) % 3) {
  case 0:
    break; /* removed */
  case 1:
    memcpy(out + at, text.ptr + from, len);
    memcpy(out + at + len, text.ptr + from, len);
    at += 2 * len;
    break;
  default:
    memcpy(out + at, piece, piece_len);
    at += piece_len;
  }
  memcpy(out + at, text.ptr + from + len, text.len - from - len);
  return str_make(out, at + text.len - from - len);
}

static struct str damaged_text;

static enum status read_damaged(void *context, const char *path, size_t max, struct arena *arena,
                                struct str *out) {
  (void)context;
  (void)path;
  (void)max;
  *out = arena_str(arena, damaged_text);
  return out->ptr ? STATUS_OK : STATUS_NOMEM;
}

static void load_and_run(const char *name, struct str source_text) {
  struct arena *arena = new_arena();
  struct host host = test_host();
  struct diag_list diags;
  struct source source = source_make(STR("source.json"), source_text);
  const char *files[] = {name};
  host.read_file = read_damaged;
  diag_list_init(&diags, arena);
  struct mapping_load load = {.definitions = definitions, .host = &host, .files = files, .file_count = 1};
  struct mapping_set *set = NULL;
  struct tree_node *target;
  enum status status = mapping_load(&load, &diags, &set);
  assert_true(status == STATUS_OK || status == STATUS_INVALID);
  assert_int_equal(status == STATUS_OK, diag_errors(&diags) == 0);
  if (status == STATUS_OK && source_text.len) {
    const struct mapping_map *map = mapping_at(set, 0);
    struct tree_node *root = read_source(definitions, map, &source, arena, &diags);
    struct mapping_run run = {
        .host = &host, .arena = arena, .diags = &diags, .source = &source, .max_steps = 10000};
    if (root) {
      status = mapping_run(set, map, &run, root, &target);
      assert_true(status == STATUS_OK || status == STATUS_INVALID);
    }
  }
  mapping_free(set);
  arena_free(arena);
}

/* A diagnostic or a text that can be converted back. */
static struct str try_convert(const char *name) {
  static char copy[1 << 16];
  struct arena *arena = new_arena();
  struct diag_list diags;
  struct source source = source_make(str_of(name), damaged_text);
  struct buf out;
  buf_init(&out, sizeof copy);
  diag_list_init(&diags, arena);
  enum status status = mapping_convert(&source, false, arena, &diags, &out);
  if (status != STATUS_LIMIT) assert_int_equal(status == STATUS_OK, diag_errors(&diags) == 0);
  struct str text = {0};
  if (status == STATUS_OK) text = str_make(memcpy(copy, out.ptr, out.len), out.len);
  buf_release(&out);
  arena_free(arena);
  return text;
}

/* One line of pretty JSON removed, doubled, or its value replaced by a piece. */
static struct str damage_lines(struct str text, uint32_t *random, struct arena *arena) {
  char *out = arena_alloc(arena, text.len * 2 + 64);
  size_t from = next_random(random) % text.len;
  while (from > 0 && text.ptr[from - 1] != '\n')
    from--;
  size_t end = str_find_char(text, '\n', from);
  end = end == SIZE_MAX ? text.len : end + 1;
  const char *piece = pieces[next_random(random) % (sizeof pieces / sizeof pieces[0])];
  size_t at = from, colon = str_find(str_slice(text, 0, end), STR(": \""), from);
  memcpy(out, text.ptr, from);
  switch (next_random(random) % 3) {
  case 0:
    break;
  case 1:
    memcpy(out + at, text.ptr + from, end - from);
    memcpy(out + at + end - from, text.ptr + from, end - from);
    at += 2 * (end - from);
    break;
  default:
    if (colon == SIZE_MAX) break;
    memcpy(out + at, text.ptr + from, colon + 3 - from);
    at += colon + 3 - from;
    memcpy(out + at, piece, strlen(piece));
    at += strlen(piece);
    memcpy(out + at, "\\n(\",\n", 6);
    at += 6;
  }
  memcpy(out + at, text.ptr + end, text.len - end);
  return str_make(out, at + text.len - end);
}

static void damage_resource(struct golden *golden) {
  uint32_t random = (uint32_t)str_hash(str_of(golden->name));
  struct arena *arena = new_arena();
  struct str source = golden_read(golden, "source.json");
  damaged_text = golden_read(golden, "map.fml");
  struct str json = damaged_text.ptr ? try_convert("map.fml") : (struct str){0};
  if (json.len) json = arena_str(arena, json);
  for (size_t i = 0; i < MUTATIONS && json.len; i++) {
    struct arena_mark mark = arena_mark(arena);
    damaged_text = damage_lines(json, &random, arena);
    load_and_run("map.json", source);
    struct str text = try_convert("map.json");
    if (text.len) {
      damaged_text = arena_str(arena, text);
      assert_true(damaged_text.ptr != NULL);
      load_and_run("map.fml", source);
    }
    arena_rewind(arena, mark);
  }
  arena_free(arena);
}

static void test_damaged_resources(void **state) {
  (void)state;
  assert_int_equal(golden_run(SOURCE_DIR "/tests/golden/mapping", damage_resource), 0);
}

static void damage_case(struct golden *golden) {
  uint32_t random = (uint32_t)str_hash(str_of(golden->name));
  struct str text = golden_read(golden, "map.fml"), source = golden_read(golden, "source.json");
  for (size_t i = 0; i < MUTATIONS && text.ptr; i++) {
    struct arena *arena = new_arena();
    damaged_text = damage(text, &random, arena);
    if (next_random(&random) % 2) damaged_text = damage(damaged_text, &random, arena);
    load_and_run("map.fml", source);
    (void)try_convert("map.fml");
    arena_free(arena);
  }
}

static void test_damaged_maps(void **state) {
  (void)state;
  assert_int_equal(golden_run(SOURCE_DIR "/tests/golden/mapping", damage_case), 0);
}

int main(void) {
  struct diag_list diags;
  definitions = pack_open();
  if (!definitions) return PACK_SKIPPED;
  struct arena *arena = new_arena();
  diag_list_init(&diags, arena);
  if (!overlay(definitions, GOLDEN "model.json", arena, &diags)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_load_without_memory), cmocka_unit_test(test_run_without_memory),
      cmocka_unit_test(test_damaged_maps), cmocka_unit_test(test_damaged_resources)};
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  definitions_close(definitions);
  arena_free(arena);
  return failed;
}
