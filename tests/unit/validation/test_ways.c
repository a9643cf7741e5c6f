/*
 * test_ways.c - the findings are the same whichever way they are come by: with rules that are known to hold passed over, and with every
 * rule evaluated word for word. Each golden case, each record of the fixtures and each Bundle that it becomes, as they are and with nodes
 * taken away, doubled, emptied and changed. With arguments: the .json files of these folders too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include "../pack.h"
#include "validation/validation.h"

enum way { USUAL, PLAINLY, WAYS };
enum { LEAST_CHANGES = 4, MOST_CHANGES = 60, BYTES_CHANGED = 250000 };

static const struct definitions *definitions;
static const struct def_type *record;
static struct validation *validators[WAYS];
static char **folders;
static size_t compared, found;

/* --- what is changed --- */

static void take_away(struct tree_node *node, struct arena *arena) {
  (void)arena;
  tree_remove(node);
}

static void make_null(struct tree_node *node, struct arena *arena) {
  (void)arena;
  node->kind = TREE_NULL;
  node->child = node->last = NULL;
  node->text = (struct str){0};
}

static void change_text(struct tree_node *node, struct arena *arena) {
  (void)arena;
  if (node->kind == TREE_STRING) node->text = STR("other/_history/1");
  if (node->kind == TREE_NUMBER) node->text = STR("7");
}

static void double_it(struct tree_node *node, struct arena *arena) {
  struct tree_node *copy = tree_copy(node, arena);
  if (!copy || !node->name.len) return;
  copy->parent = node->parent;
  copy->next = node->next;
  if (node->parent->last == node) node->parent->last = copy;
  node->next = copy;
  node->flags |= TREE_IN_ARRAY;
  copy->flags |= TREE_IN_ARRAY;
}

static void (*const changes[])(struct tree_node *node, struct arena *arena) = {take_away, make_null, change_text, double_it};
enum { CHANGES = sizeof changes / sizeof changes[0] };

static struct tree_node *read_text(struct str text, struct arena *arena, struct source *source) {
  struct diag_list diags;
  struct tree_node *root = NULL;
  *source = source_make(STR("input.json"), text);
  diag_list_init(&diags, arena);
  return tree_read_json(source, NULL, arena, &diags, &root) == STATUS_OK ? root : NULL;
}

static struct tree_node *nth(struct tree_node *root, size_t n) {
  struct tree_node *node = root;
  while (node && n--)
    node = tree_following(root, node);
  return node;
}

/* --- both ways --- */

static void add_finding(const struct diag *d, struct buf *out) {
  buf_printf(out, "%s %s %u:%u [%.*s] (%.*s) <%.*s> %.*s: %.*s\n", diag_severity_name(d->severity), diag_code_name(d->code), d->line,
             d->col, STR_ARG(d->path), STR_ARG(d->expression), STR_ARG(d->profile), STR_ARG(d->rule), STR_ARG(d->message));
}

static struct str findings(enum way way, struct str text, struct arena *arena) {
  struct source *source = ARENA_NEW(arena, struct source);
  struct tree_node *root = read_text(text, arena, source);
  struct diag_list diags;
  struct buf out;
  diag_list_init(&diags, arena);
  buf_init(&out, LIMIT_TEXT_BYTES);
  if (!root) return STR("not read");
  bool is_record = root->kind == TREE_OBJECT && tree_find(root, "format");
  (void)!definitions_bind(definitions, is_record ? record : NULL, root, source, arena, &diags);
  struct validation_run run = {.host = host_system(),
                               .arena = arena,
                               .diags = &diags,
                               .source = source,
                               .advice = true,
                               .vital_signs = true,
                               .best_practice = true};
  enum status status = validation_check(validators[way], &run, root);
  buf_printf(&out, "%s\n", status_name(status));
  for (const struct diag *d = diags.first; d; d = d->next, found++)
    add_finding(d, &out);
  assert_int_equal(out.error, STATUS_OK);
  struct str said = buf_take_str(&out, arena);
  buf_release(&out);
  return said;
}

static void compare(const char *name, struct str text) {
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  assert_non_null(arena);
  struct str usual = findings(USUAL, text, arena), plainly = findings(PLAINLY, text, arena);
  if (!str_eq(usual, plainly))
    fail_msg("%s:\n%.*s\nand with every rule evaluated:\n%.*s\nof %.*s", name, STR_ARG(usual), STR_ARG(plainly), STR_ARG(text));
  compared++;
  arena_free(arena);
}

static void compare_changed(const char *name, struct str text, size_t n, size_t change) {
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct tree_write options = {.keep_empty = true};
  struct source source;
  struct buf out;
  assert_non_null(arena);
  struct tree_node *root = read_text(text, arena, &source), *node = nth(root, n);
  buf_init(&out, LIMIT_TEXT_BYTES);
  if (node && node->parent) {
    changes[change](node, arena);
    tree_write_json(root, &options, &out);
    compare(name, buf_str(&out));
  }
  buf_release(&out);
  arena_free(arena);
}

static size_t count_nodes(struct str text) {
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct source source;
  size_t count = 0;
  assert_non_null(arena);
  struct tree_node *root = read_text(text, arena, &source);
  for (const struct tree_node *node = root; node; node = tree_following(root, node))
    count++;
  arena_free(arena);
  return count;
}

/* As it is, then changed at places spread over it: fewer in long texts. */
static void try_text(const char *name, struct str text) {
  size_t nodes = count_nodes(text), wanted = BYTES_CHANGED / (text.len + 1);
  if (wanted < LEAST_CHANGES) wanted = LEAST_CHANGES;
  if (wanted > MOST_CHANGES) wanted = MOST_CHANGES;
  compare(name, text);
  for (size_t i = 0; i < wanted && nodes > 1; i++)
    compare_changed(name, text, 1 + i * (nodes - 1) / wanted, i % CHANGES);
}

static void try_file(const char *path) {
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct str text;
  assert_non_null(arena);
  if (host_system()->read_file(host_system()->context, path, LIMIT_RECORD_BYTES, arena, &text) == STATUS_OK) try_text(path, text);
  arena_free(arena);
}

/* FOLDER/NAME/file; without a file FOLDER/NAME.json. */
static void try_folder(const char *folder, const char *file) {
  DIR *dir = opendir(folder);
  assert_non_null(dir);
  for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    struct arena *arena = arena_new(1 << 16);
    struct str name = str_of(entry->d_name);
    if (entry->d_name[0] != '.' && (file || str_ends(name, STR(".json"))))
      try_file(arena_printf(arena, file ? "%s/%s/%s" : "%s/%s", folder, entry->d_name, file).ptr);
    arena_free(arena);
  }
  closedir(dir);
}

static void findings_are_the_same(void **state) {
  (void)state;
  try_folder(SOURCE_DIR "/tests/golden/validation", "input.json");
  try_folder(SOURCE_DIR "/fixtures/clinic", "record.json");
  try_folder(SOURCE_DIR "/fixtures/clinic", "expected.json");
  for (char **folder = folders; *folder; folder++)
    try_folder(*folder, NULL);
  printf("%zu texts, %zu findings\n", compared, found);
  assert_true(compared > 1000 && found > 1000);
}

int main(int argc, char **argv) {
  (void)argc;
  const struct CMUnitTest tests[] = {cmocka_unit_test(findings_are_the_same)};
  struct definitions *opened = pack_open();
  struct diag_list diags = {0};
  if (!opened) return PACK_SKIPPED;
  folders = argv + 1;
  for (char **folder = argv + 1; *folder; folder++)
    if (access(*folder, R_OK) != 0) return PACK_SKIPPED;
  definitions = opened;
  record = definitions_type(opened, STR("http://ketlink.dev/fhir/StructureDefinition/session-record"));
  for (int way = 0; way < WAYS; way++) {
    struct validation_params params = {.definitions = opened, .plainly = way == PLAINLY};
    if (validation_new(&params, &diags, &validators[way]) != STATUS_OK) return 1;
  }
  if (!record) return 1;
  int result = cmocka_run_group_tests(tests, NULL, NULL);
  for (int way = 0; way < WAYS; way++)
    validation_free(validators[way]);
  definitions_close(opened);
  return result;
}
