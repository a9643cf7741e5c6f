/* passage.h - for tests: an open pipeline, and one fixture through it. */
#ifndef KETLINK_TESTS_PASSAGE_H
#define KETLINK_TESTS_PASSAGE_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "pipeline/pipeline.h"

enum { PASSAGE_SKIPPED = 77 };

static inline struct pipeline *passage_open(struct arena *arena) {
  const char *pack = getenv("KETLINK_DEFINITIONS");
  struct pipeline *pipeline = NULL;
  struct diag_list diags;
  if (!pack) pack = SOURCE_DIR "/build/definitions.pack";
  if (access(pack, R_OK) != 0) {
    printf("skipped: no definition pack at %s (scripts/setup makes one)\n", pack);
    exit(PASSAGE_SKIPPED);
  }
  diag_list_init(&diags, arena);
  struct pipeline_params params = {
      .host = host_system(), .maps = PIPELINE_MAPS_ALL, .mappings = SOURCE_DIR "/mappings", .definitions = pack};
  enum status status = pipeline_open(&params, &diags, &pipeline);
  if (status == STATUS_OK) return pipeline;
  printf("pipeline_open: %s: %.*s\n", status_name(status), diags.first ? (int)diags.first->message.len : 0,
         diags.first ? diags.first->message.ptr : "");
  return NULL;
}

static inline struct str passage_fixture(const char *name, struct arena *arena) {
  struct str text = {0}, path = arena_printf(arena, SOURCE_DIR "/fixtures/clinic/%s/record.json", name);
  if (host_system()->read_file(host_system()->context, path.ptr, LIMIT_RECORD_BYTES, arena, &text) !=
      STATUS_OK)
    return (struct str){0};
  return text;
}

/* The file of each folder in `folder` that has one. False: there is no such folder. */
static inline bool passage_each(const char *folder, const char *file, void (*try)(const char *name, struct str text)) {
  DIR *dir = opendir(folder);
  if (!dir) return false;
  for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
    struct str text, path = arena_printf(arena, "%s/%s/%s", folder, entry->d_name, file);
    if (entry->d_name[0] != '.' &&
        host_system()->read_file(host_system()->context, path.ptr, LIMIT_RECORD_BYTES, arena, &text) == STATUS_OK)
      try(entry->d_name, text);
    arena_free(arena);
  }
  closedir(dir);
  return true;
}

/* Text to finished Bundle. */
static inline enum status passage_export(const struct pipeline *pipeline, struct str text,
                                         const struct bundle_shape *shape, struct arena *arena,
                                         struct diag_list *diags, struct tree_node **bundle) {
  struct intake_input input = intake_open(STR("record.json"), text);
  struct intake_record *record = ARENA_NEW(arena, struct intake_record);
  struct pipeline_run run = {.arena = arena, .diags = diags, .shape = shape, .validate = true};
  if (!record) return STATUS_NOMEM;
  enum status status =
      intake_next(&input, pipeline_definitions(pipeline), pipeline_routes(pipeline), arena, diags, record);
  return status == STATUS_OK ? pipeline_export(pipeline, record, &run, bundle) : status;
}

#endif
