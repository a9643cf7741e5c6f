/*
 * conceptmap.c - fuzz target: ConceptMap JSON to tables, and looking up in them.
 *
 * Input: conceptmap.json; after a line `=== other.json` a second one. What must hold: loaded or refused with
 * a diagnostic; each code that the text lists can be asked for, also through a map that translates.
 */
#include "fuzz.h"
#include "mapping/mapping.h"

enum { MEMORY = 16 << 20, STEPS = 2000, DEPTH = 20 };

static struct arena *kept; /* what is read once */
static struct definitions *definitions;
static struct str map_text, source_text;

void fuzz_begin(void) {
  kept = fuzz_arena(16 << 20);
  struct tree_node *model = fuzz_tree(NULL, SOURCE_DIR "/tests/golden/mapping/model.json", kept);
  struct diag_list diags;
  diag_list_init(&diags, kept);
  definitions = fuzz_pack();
  FUZZ_REQUIRE(definitions_overlay(definitions, &model, 1, &diags) == STATUS_OK);
  map_text = fuzz_read(kept, SOURCE_DIR "/tests/golden/mapping/translate-conceptmap/map.fml");
  source_text = fuzz_read(kept, SOURCE_DIR "/tests/golden/mapping/translate-conceptmap/source.json");
}

/* Asks for every text of the document as a code, by its own URL. */
static void ask(const struct mapping_set *set, struct str url, const struct tree_node *node) {
  struct mapping_concept found;
  if (node->text.len && mapping_translate(set, url, (struct str){0}, node->text, &found))
    FUZZ_REQUIRE(found.code.len > 0);
  (void)mapping_translate(set, url, STR("http://a"), node->text, &found);
  for (const struct tree_node *child = node->child; child; child = child->next)
    ask(set, url, child);
}

static void run_map(const struct mapping_set *set, const struct host *host, struct arena *arena) {
  struct source source = source_make(STR("source.json"), source_text);
  struct diag_list diags;
  struct tree_node *root = NULL, *target = NULL;
  const struct mapping_map *map = mapping_at(set, 0);
  struct mapping_run run = {.host = host,
                            .arena = arena,
                            .diags = &diags,
                            .source = &source,
                            .max_steps = STEPS,
                            .max_depth = DEPTH};
  diag_list_init(&diags, arena);
  if (tree_read_json(&source, NULL, arena, &diags, &root) == STATUS_OK &&
      definitions_bind(definitions, mapping_source_type(map), root, &source, arena, &diags) == STATUS_OK) {
    enum status status = mapping_run(set, map, &run, root, &target);
    FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_NOMEM);
  }
}

void fuzz_one(struct str input) {
  struct fuzz_files files;
  fuzz_split(input, "conceptmap.json", &files);
  const char *names[] = {"conceptmap.json", "other.json", "map.fml"};
  const char *given[3] = {"conceptmap.json"};
  struct mapping_load load = {.definitions = definitions, .files = given, .file_count = 1};
  if (fuzz_file(&files, names[1]).len) given[load.file_count++] = names[1];
  if (files.count == FUZZ_FILES) files.count--;
  files.items[files.count++] = (struct fuzz_file){.name = "map.fml", .text = map_text};
  given[load.file_count++] = names[2];
  struct host host = fuzz_host(&files);
  load.host = &host;
  struct arena *arena = fuzz_arena(MEMORY);
  struct diag_list diags;
  struct mapping_set *set = NULL;
  struct tree_node *root = NULL;
  struct source source = source_make(STR("conceptmap.json"), fuzz_file(&files, "conceptmap.json"));
  diag_list_init(&diags, arena);
  enum status status = mapping_load(&load, &diags, &set);
  FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_NOMEM);
  FUZZ_REQUIRE(status == STATUS_NOMEM || (status == STATUS_INVALID) == (diag_errors(&diags) > 0));
  if (set && tree_read_json(&source, NULL, arena, &diags, &root) == STATUS_OK)
    ask(set, tree_text(root, "url"), root);
  if (set) run_map(set, &host, arena);
  mapping_free(set);
  arena_free(arena);
}
