/* run_map.h - for tests: loads a map and models, binds a source, runs the map. */
#ifndef KETLINK_TESTS_RUN_MAP_H
#define KETLINK_TESTS_RUN_MAP_H

#include "../golden.h"
#include "../pack.h"
#include "mapping/mapping.h"

/* A fixed clock, and randomness that counts: runs are equal. */
static inline int64_t fixed_now(void *context) {
  (void)context;
  return INT64_C(1767268800000); /* 2026-01-01T12:00:00Z */
}

static inline enum status counting_random(void *context, void *bytes, size_t count) {
  unsigned char *out = bytes;
  (void)context;
  for (size_t i = 0; i < count; i++)
    out[i] = (unsigned char)i;
  return STATUS_OK;
}

static inline struct host test_host(void) {
  struct host host = *host_system();
  host.now_ms = fixed_now;
  host.random = counting_random;
  return host;
}

/* One resource file laid over the definitions; true when it was. */
static inline bool overlay(struct definitions *definitions, const char *path, struct arena *arena,
                           struct diag_list *diags) {
  struct source *source = ARENA_NEW(arena, struct source);
  struct str text, name = arena_str(arena, str_of(path));
  struct tree_node *root = NULL;
  const struct host *host = host_system();
  if (!source || host->read_file(host->context, path, LIMIT_TEXT_BYTES, arena, &text) != STATUS_OK)
    return false;
  *source = source_make(name, text);
  if (tree_read_json(source, NULL, arena, diags, &root) != STATUS_OK) return false;
  return definitions_overlay(definitions, &root, 1, diags) == STATUS_OK;
}

/* Reads and binds a source: by resourceType, else by the map's type. */
static inline struct tree_node *read_source(const struct definitions *definitions,
                                            const struct mapping_map *map, struct source *source,
                                            struct arena *arena, struct diag_list *diags) {
  struct tree_node *root = NULL;
  if (tree_read_json(source, NULL, arena, diags, &root) != STATUS_OK) return NULL;
  struct str name = tree_text(root, "resourceType");
  const struct def_type *type = mapping_source_type(map);
  if (name.len && type && def_type_kind(type) != DEF_LOGICAL) type = NULL;
  struct tree_node *meta = tree_find(root, "resourceType");
  if (meta && type) meta->flags |= TREE_META;
  return definitions_bind(definitions, type, root, source, arena, diags) == STATUS_OK ? root : NULL;
}

struct map_case {
  struct definitions *definitions;
  const char *const *files;
  size_t file_count;
  const struct host *host; /* NULL: test_host() */
  struct source *source;   /* NULL: only loaded */
  struct arena *arena;
  struct diag_list *diags;
  struct tree_node *target;
  struct mapping_set
      *set; /* mapping_free when the target has been looked at: it has views of the maps' literals */
  bool report_unread;
};

/* Loads, runs the first map, and leaves diagnostics and target in the case. */
static inline enum status run_case(struct map_case *c) {
  struct host host = c->host ? *c->host : test_host();
  struct mapping_load load = {
      .definitions = c->definitions, .host = &host, .files = c->files, .file_count = c->file_count};
  enum status status = mapping_load(&load, c->diags, &c->set);
  if (status != STATUS_OK || !c->source) return status;
  const struct mapping_map *map = mapping_at(c->set, 0);
  struct tree_node *root = read_source(c->definitions, map, c->source, c->arena, c->diags);
  struct mapping_run run = {.host = &host, .arena = c->arena, .diags = c->diags, .source = c->source};
  status = root ? mapping_run(c->set, map, &run, root, &c->target) : STATUS_INVALID;
  if (status == STATUS_OK && c->report_unread) mapping_report_unread(root, &run);
  return status;
}

#endif
