/*
 * fml.c - fuzz target: a map's text to a compiled set, and the set run on a source.
 *
 * Input: the map; then, each after a line `=== name`, map.json (a StructureMap), other.fml,
 * conceptmap.json, source.json. What must hold: all texts are loaded or refused with a diagnostic; a run ends
 * within its caps with a target or a diagnostic; the target is JSON.
 */
#include <stdio.h>
#include "fuzz.h"
#include "mapping/mapping.h"

enum { RUN_BYTES = 32 << 20, STEPS = 2000, DEPTH = 40 };

static struct arena *kept; /* what is read once */
static struct definitions *definitions;
static struct str usual_source;

void fuzz_begin(void) {
  kept = fuzz_arena(16 << 20);
  struct tree_node *model = fuzz_tree(NULL, SOURCE_DIR "/tests/golden/mapping/model.json", kept);
  struct diag_list diags;
  diag_list_init(&diags, kept);
  definitions = fuzz_pack();
  FUZZ_REQUIRE(definitions_overlay(definitions, &model, 1, &diags) == STATUS_OK);
  usual_source = fuzz_read(kept, SOURCE_DIR "/tests/fuzz/usual-source.json");
}

static struct tree_node *read_source(const struct mapping_map *map, struct source *source,
                                     const struct mapping_run *run) {
  struct tree_node *root = NULL;
  if (tree_read_json(source, NULL, run->arena, run->diags, &root) != STATUS_OK) return NULL;
  const struct def_type *type = mapping_source_type(map);
  if (tree_text(root, "resourceType").len && type && def_type_kind(type) != DEF_LOGICAL) type = NULL;
  return definitions_bind(definitions, type, root, source, run->arena, run->diags) == STATUS_OK ? root : NULL;
}

static void ignore_trace(void *context, const struct mapping_trace *trace) {
  FUZZ_REQUIRE(trace->depth <= 1000);
  (void)context;
}

static void check_target(const struct tree_node *target, struct arena *arena) {
  struct diag_list diags;
  struct buf text;
  struct tree_node *again = NULL;
  diag_list_init(&diags, arena);
  buf_init(&text, RUN_BYTES);
  tree_write_json(target, &(struct tree_write){.pretty = true}, &text);
  struct source source = source_make(STR("target"), buf_str(&text));
  if (!text.error && tree_read_json(&source, NULL, arena, &diags, &again) == STATUS_INVALID) {
    fprintf(stderr, "%.*s\n%.*s\n", STR_ARG(diags.first->message), STR_ARG(source.text));
    fuzz_finding(__FILE__, __LINE__, "the target is JSON");
  }
  buf_release(&text);
}

static void run_map(const struct mapping_set *set, struct str text, const struct host *host) {
  const struct mapping_map *map = mapping_at(set, 0);
  struct source source = source_make(STR("source.json"), text);
  struct arena *arena = fuzz_arena(RUN_BYTES);
  struct diag_list diags;
  struct tree_node *target = NULL;
  struct mapping_run run = {.host = host,
                            .arena = arena,
                            .diags = &diags,
                            .source = &source,
                            .trace = ignore_trace,
                            .max_steps = STEPS,
                            .max_depth = DEPTH};
  diag_list_init(&diags, arena);
  struct tree_node *root = read_source(map, &source, &run);
  if (root) {
    enum status status = mapping_run(set, map, &run, root, &target);
    FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_NOMEM);
    FUZZ_REQUIRE(status != STATUS_INVALID || diag_errors(&diags) + diags.dropped > 0);
    if (status == STATUS_OK && target) check_target(target, arena);
    mapping_report_unread(root, &run);
  }
  arena_free(arena);
}

void fuzz_one(struct str input) {
  struct fuzz_files files;
  fuzz_split(input, "map.fml", &files);
  struct host host = fuzz_host(&files);
  static const char *const names[] = {"map.fml", "map.json", "other.fml", "conceptmap.json"};
  const char *given[4];
  struct mapping_load load = {.definitions = definitions, .host = &host, .files = given};
  for (size_t i = 0; i < 4; i++)
    if (fuzz_file(&files, names[i]).len) given[load.file_count++] = names[i];
  if (load.file_count == 0) given[load.file_count++] = names[0];
  struct arena *arena = fuzz_arena(8 << 20);
  struct diag_list diags;
  struct mapping_set *set = NULL;
  diag_list_init(&diags, arena);
  enum status status = mapping_load(&load, &diags, &set);
  FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_NOMEM);
  FUZZ_REQUIRE((status == STATUS_OK) == (set != NULL));
  FUZZ_REQUIRE(status == STATUS_NOMEM || (status == STATUS_INVALID) == (diag_errors(&diags) > 0));
  struct str source = fuzz_file(&files, "source.json");
  if (set) run_map(set, source.len ? source : usual_source, &host);
  mapping_free(set);
  arena_free(arena);
}
