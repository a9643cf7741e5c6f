/*
 * hl7v2-map.c - fuzz target: HL7 v2 messages by the maps of mappings/ to Bundles.
 *
 * What must hold: each message becomes a Bundle that R4 allows, or has an error; the Bundle is written and read again, and
 * written once more it is the same text. What is refused names a place or a rule.
 */
#include <stdlib.h>
#include "fuzz.h"
#include "pipeline/pipeline.h"

enum { MEMORY = 64 << 20, MESSAGES = 50 };

static struct pipeline *pipeline;

void fuzz_begin(void) {
  struct arena *arena = fuzz_arena(1 << 20);
  struct diag_list diags;
  definitions_close(fuzz_pack()); /* the end of the run where there is none */
  diag_list_init(&diags, arena);
  struct pipeline_params params = {.host = host_system(), .mappings = SOURCE_DIR "/mappings", .maps = PIPELINE_MAPS_ALL};
  params.definitions = getenv("KETLINK_DEFINITIONS") ? getenv("KETLINK_DEFINITIONS") : SOURCE_DIR "/build/definitions.pack";
  if (pipeline_open(&params, &diags, &pipeline) != STATUS_OK) fuzz_finding(__FILE__, __LINE__, "the maps are opened");
  arena_free(arena);
}

static void check_bundle(const struct tree_node *bundle, struct arena *arena, struct diag_list *diags) {
  struct str text, again;
  struct tree_node *back = NULL;
  enum status status = tree_write_text(bundle, arena, &text);
  FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_NOMEM);
  if (status != STATUS_OK) return;
  struct source source = source_make(STR("bundle.json"), text);
  status = tree_read_json(&source, NULL, arena, diags, &back);
  FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_NOMEM);
  if (status == STATUS_OK && tree_write_text(back, arena, &again) == STATUS_OK) FUZZ_REQUIRE(str_eq(text, again));
}

static void map_record(const struct intake_record *record, struct arena *arena, struct diag_list *diags) {
  struct pipeline_run run = {.arena = arena, .diags = diags, .validate = true};
  struct tree_node *bundle = NULL;
  enum status status = pipeline_export(pipeline, record, &run, &bundle);
  FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_NOMEM || status == STATUS_LIMIT);
  FUZZ_REQUIRE(status != STATUS_INVALID || diag_errors(diags) > 0 || fuzz_memory_fails());
  if (status == STATUS_OK) check_bundle(bundle, arena, diags);
}

void fuzz_one(struct str input) {
  struct intake_input records = intake_open(STR("x.hl7"), input);
  enum status status = STATUS_OK;
  for (size_t count = 0; count < MESSAGES && (status == STATUS_OK || status == STATUS_INVALID); count++) {
    struct arena *arena = fuzz_arena(MEMORY);
    struct intake_record record = {0};
    struct diag_list diags;
    diag_list_init(&diags, arena);
    status = intake_next(&records, pipeline_definitions(pipeline), pipeline_routes(pipeline), arena, &diags, &record);
    FUZZ_REQUIRE(status != STATUS_INVALID || diag_errors(&diags) > 0 || fuzz_memory_fails());
    if (status == STATUS_OK && record.route) map_record(&record, arena, &diags);
    arena_free(arena);
  }
}
