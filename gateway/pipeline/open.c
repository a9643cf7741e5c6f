/* open.c - what lasts for all records: definitions, routes, maps, validator. */
#include <stdlib.h>
#include "pipeline/internal.h"

enum { PIPELINE_BYTES = 64 << 20 };

static enum status open_definitions(struct pipeline *pipeline, const struct pipeline_params *params,
                                    struct diag_list *diags) {
  struct str path;
  enum status status = pipeline_find_pack(params->definitions, pipeline->arena, diags, &path);
  if (status == STATUS_OK) status = definitions_open(path.ptr, diags, &pipeline->definitions);
  for (size_t i = 0; i < params->package_count && status == STATUS_OK; i++)
    status = definitions_add_package(pipeline->definitions, params->host, params->packages[i], diags);
  return status;
}

/* --- routes and maps --- */

/* Whose a record is, is found by expressions on it. */
static enum status compile_path(struct pipeline *pipeline, const struct intake_route *route, struct str path,
                                struct diag_list *diags, struct fp_program **out) {
  struct source *source = ARENA_NEW(pipeline->arena, struct source);
  if (!source) return STATUS_NOMEM;
  *source = source_make(STR("routes.json"), path);
  if (!source->text.len) return STATUS_OK;
  struct fp_compile compile = {.definitions = pipeline->definitions,
                               .input = route->type,
                               .resource = route->type,
                               .source = source,
                               .to = source->text.len};
  return fhirpath_compile(&compile, pipeline->arena, diags, out, NULL);
}

static enum status compile_paths(struct pipeline *pipeline, size_t index, struct diag_list *diags) {
  const struct intake_route *route = &pipeline->routes.routes[index];
  struct pipeline_route *way = &pipeline->ways[index];
  enum status status = compile_path(pipeline, route, route->split, diags, &way->split);
  for (int which = 0; status == STATUS_OK && which < INTAKE_IDENTITIES; which++)
    status = compile_path(pipeline, route, route->identities[which], diags, &way->identities[which]);
  return status;
}

static enum status find_map(struct pipeline *pipeline, size_t index, struct diag_list *diags) {
  const struct intake_route *route = &pipeline->routes.routes[index];
  pipeline->ways[index].map = mapping_find(pipeline->maps, route->map);
  if (pipeline->ways[index].map) return STATUS_OK;
  struct str near = mapping_nearest(pipeline->maps, route->map);
  diag_error(diags, DIAG_CONFIG_INVALID, NULL, "routes.json: format %.*s: there is no map %.*s%s%.*s%s",
             STR_ARG(route->format), STR_ARG(route->map), near.len ? "; did you mean " : "", STR_ARG(near),
             near.len ? "?" : "");
  return STATUS_CONFIG;
}

static enum status open_routes(struct pipeline *pipeline, struct diag_list *diags) {
  struct str path = arena_concat(pipeline->arena, pipeline->folder, STR("/routes.json"));
  if (!path.ptr) return STATUS_NOMEM;
  enum status status = intake_routes_read(path.ptr, pipeline->host, pipeline->definitions, pipeline->arena,
                                          diags, &pipeline->routes);
  pipeline->ways = ARENA_ARRAY(pipeline->arena, struct pipeline_route, pipeline->routes.count + 1);
  if (status == STATUS_OK && !pipeline->ways) status = STATUS_NOMEM;
  for (size_t i = 0; status == STATUS_OK && i < pipeline->routes.count; i++)
    status = compile_paths(pipeline, i, diags);
  return status;
}

enum status pipeline_check_sets(const struct pipeline *pipeline, struct arena *arena,
                                struct diag_list *diags) {
  struct intake_sets *sets;
  struct intake_sets_params params = {.folder = pipeline->folder.ptr,
                                      .host = pipeline->host,
                                      .definitions = pipeline->definitions,
                                      .routes = &pipeline->routes};
  return pipeline->folder.len ? intake_sets_read(&params, arena, diags, &sets) : STATUS_OK;
}

unsigned pipeline_maps_of(const struct intake_route *route) {
  return str_starts(route->format, STR("hl7v2/")) ? PIPELINE_MAPS_INCOMING : PIPELINE_MAPS_RECORDS;
}

enum status pipeline_is_loaded(const struct pipeline *pipeline, const struct intake_record *record, unsigned maps,
                               struct diag_list *diags) {
  struct diag_at at = {.source = &record->source};
  if (pipeline->loaded & maps) return STATUS_OK;
  diag_error(diags, DIAG_INPUT_FORMAT, &at, "the maps for what is of format %.*s were not loaded: nothing was to come of that here",
             STR_ARG(record->route->format));
  return STATUS_INVALID;
}

/* Who reads without maps needs the descriptions only when a set comes. */
static enum status open_sets(struct pipeline *pipeline, bool needed, struct diag_list *diags) {
  struct diag_list unsaid;
  struct intake_sets_params params = {.folder = pipeline->folder.ptr,
                                      .host = pipeline->host,
                                      .definitions = pipeline->definitions,
                                      .routes = &pipeline->routes};
  diag_list_init(&unsaid, pipeline->arena);
  enum status status = intake_sets_read(&params, pipeline->arena, needed ? diags : &unsaid, &pipeline->sets);
  pipeline->sets_broken = status != STATUS_OK;
  return needed || status == STATUS_NOMEM ? status : STATUS_OK;
}

/* What routes and rows name; NULL: all maps of the folder. */
static enum status find_roots(const struct pipeline *pipeline, unsigned maps, struct mapping_load *load) {
  size_t count = 0;
  if (maps == PIPELINE_MAPS_ALL) return STATUS_OK;
  struct str *roots = ARENA_ARRAY(pipeline->arena, struct str, pipeline->routes.count + PIPELINE_ROWS_MAX);
  if (!roots) return STATUS_NOMEM;
  for (size_t i = 0; i < pipeline->routes.count; i++)
    if (maps & pipeline_maps_of(&pipeline->routes.routes[i])) roots[count++] = pipeline->routes.routes[i].map;
  enum status status = maps & PIPELINE_MAPS_OUTGOING ? pipeline_messages_roots(pipeline, roots, &count) : STATUS_OK;
  load->roots = roots;
  load->root_count = count;
  return status;
}

static enum status load_maps(struct pipeline *pipeline, unsigned maps, struct diag_list *diags) {
  struct mapping_load load = {
      .definitions = pipeline->definitions, .host = pipeline->host, .folder = pipeline->folder.ptr};
  enum status status = find_roots(pipeline, maps, &load);
  if (status == STATUS_OK) status = mapping_load(&load, diags, &pipeline->maps);
  for (size_t i = 0; status == STATUS_OK && i < pipeline->routes.count; i++)
    if (maps & pipeline_maps_of(&pipeline->routes.routes[i])) status = find_map(pipeline, i, diags);
  pipeline->loaded = maps;
  return status == STATUS_OK && maps & PIPELINE_MAPS_OUTGOING ? pipeline_messages_open(pipeline, diags) : status;
}

static void forget_maps(struct pipeline *pipeline) {
  for (size_t i = 0; i < pipeline->routes.count; i++)
    pipeline->ways[i].map = NULL;
  pipeline->outgoing_count = 0;
  mapping_free(pipeline->maps);
  pipeline->maps = NULL;
}

static enum status open_maps(struct pipeline *pipeline, const struct pipeline_params *params, struct diag_list *diags) {
  enum status status = STATUS_OK;
  if (params->check_maps && params->maps != PIPELINE_MAPS_ALL) {
    status = load_maps(pipeline, PIPELINE_MAPS_ALL, diags);
    forget_maps(pipeline);
  }
  return status == STATUS_OK ? load_maps(pipeline, params->maps, diags) : status;
}

/* Without maps (validate, fhirpath) the folder is only wanted for its models and routes, if it is there. */
static enum status open_mappings(struct pipeline *pipeline, const struct pipeline_params *params,
                                 struct diag_list *diags) {
  bool needed = params->maps || params->mappings;
  enum status status =
      pipeline_find_mappings(params->mappings, pipeline->arena, needed ? diags : NULL, &pipeline->folder);
  if (status == STATUS_NOT_FOUND && !needed) return STATUS_OK;
  if (status == STATUS_OK)
    status = definitions_refresh_models(pipeline->definitions, pipeline->host, pipeline->folder.ptr, diags);
  if (status == STATUS_OK) status = open_routes(pipeline, diags);
  if (status == STATUS_OK) status = pipeline_rules_open(pipeline, params, diags);
  if (status == STATUS_OK) status = open_sets(pipeline, params->maps != 0, diags);
  return status == STATUS_OK && params->maps ? open_maps(pipeline, params, diags) : status;
}

/* --- the whole --- */

static enum status open_all(struct pipeline *pipeline, const struct pipeline_params *params,
                            struct diag_list *diags) {
  enum status status = open_definitions(pipeline, params, diags);
  if (status == STATUS_OK) status = open_mappings(pipeline, params, diags);
  if (status != STATUS_OK) return status;
  struct validation_params validation = {.definitions = pipeline->definitions,
                                         .constraints = VALIDATION_CONSTRAINTS_ALL,
                                         .settings = pipeline->settings,
                                         .setting_count = pipeline->setting_count,
                                         .internal_references = params->maps != 0};
  return validation_new(&validation, diags, &pipeline->validation);
}

enum status pipeline_open(const struct pipeline_params *params, struct diag_list *diags,
                          struct pipeline **out) {
  struct pipeline *pipeline = calloc(1, sizeof *pipeline);
  enum status status = STATUS_NOMEM;
  *out = NULL;
  if (pipeline) {
    pipeline->host = params->host;
    pipeline->arena = arena_new(PIPELINE_BYTES);
  }
  if (pipeline && pipeline->arena) status = open_all(pipeline, params, diags);
  if (status == STATUS_OK)
    *out = pipeline;
  else
    pipeline_close(pipeline);
  return status;
}

void pipeline_close(struct pipeline *pipeline) {
  if (!pipeline) return;
  validation_free(pipeline->validation);
  mapping_free(pipeline->maps);
  if (pipeline->definitions) definitions_close(pipeline->definitions);
  arena_free(pipeline->arena);
  free(pipeline);
}

const struct definitions *pipeline_definitions(const struct pipeline *pipeline) {
  return pipeline->definitions;
}

const struct mapping_set *pipeline_maps(const struct pipeline *pipeline) {
  return pipeline->maps;
}

const struct intake_routes *pipeline_routes(const struct pipeline *pipeline) {
  return &pipeline->routes;
}

const struct validation *pipeline_validation(const struct pipeline *pipeline) {
  return pipeline->validation;
}

bool pipeline_is_set(const struct pipeline *pipeline, const char *folder) {
  return intake_set_is(pipeline->sets, folder);
}

enum status pipeline_set_open(const struct pipeline *pipeline, const char *folder, struct diag_list *diags,
                              struct intake_set **out) {
  if (pipeline->sets_broken) {
    diag_error(diags, DIAG_CONFIG_INVALID, NULL,
               "a description in mappings/csv is faulty: see ketlink map check");
    return STATUS_CONFIG;
  }
  return intake_set_open(pipeline->sets, pipeline->host, pipeline->definitions, folder, diags, out);
}

struct str pipeline_mappings_folder(const struct pipeline *pipeline) {
  return pipeline->folder;
}
