/* routes.c - mappings/routes.json: which format goes to which model and map.
 *
 *   { "routes": { "session-record/1": { "model": URL, "map": URL, "clinicId": "clinic.id" } } }
 */
#include "base/config.h"
#include "intake/internal.h"

static const struct config_key file_keys[] = {
    {.name = "description", .type = CONFIG_STRING},
    {.name = "routes", .type = CONFIG_OBJECT, .required = true},
};
static const struct config_key route_keys[] = {
    {.name = "description", .type = CONFIG_STRING},
    {.name = "model", .type = CONFIG_STRING, .required = true},
    {.name = "map", .type = CONFIG_STRING, .required = true},
    {.name = "clinicId", .type = CONFIG_STRING, .required = true},
};

struct reading {
  const char *path;
  const struct definitions *definitions;
  struct arena *arena;
  struct diag_list *diags;
};

static enum status read_route(const struct reading *reading, const char *format, const json_t *object,
                              struct intake_route *out) {
  struct source source = source_make(str_of(reading->path), (struct str){0});
  struct diag_at at = {.source = &source};
  if (!config_check(object, reading->path, format, route_keys, sizeof route_keys / sizeof route_keys[0],
                    reading->diags))
    return STATUS_CONFIG;
  out->format = arena_str(reading->arena, str_of(format));
  out->model = arena_str(reading->arena, config_string(object, "model"));
  out->map = arena_str(reading->arena, config_string(object, "map"));
  out->clinic_id = arena_str(reading->arena, config_string(object, "clinicId"));
  if (!out->format.ptr || !out->model.ptr || !out->map.ptr || !out->clinic_id.ptr) return STATUS_NOMEM;
  out->type = definitions_type(reading->definitions, out->model);
  if (out->type) return STATUS_OK;
  diag_error(reading->diags, DIAG_CONFIG_INVALID, &at,
             "%s: the definitions have no model %.*s; build them again, or correct the URL", format,
             STR_ARG(out->model));
  return STATUS_CONFIG;
}

static enum status read_all(const struct reading *reading, const json_t *file, struct intake_routes *out) {
  enum status worst = STATUS_OK;
  const char *format;
  json_t *object;
  const json_t *routes = json_object_get(file, "routes");
  out->routes = ARENA_ARRAY(reading->arena, struct intake_route, json_object_size(routes) + 1);
  if (!out->routes) return STATUS_NOMEM;
  json_object_foreach((json_t *)(uintptr_t)routes, format, object) {
    enum status status = read_route(reading, format, object, &out->routes[out->count]);
    if (status == STATUS_OK) out->count++;
    if (status != STATUS_OK) worst = status;
  }
  return worst;
}

enum status intake_routes_read(const char *path, const struct host *host,
                               const struct definitions *definitions, struct arena *arena,
                               struct diag_list *diags, struct intake_routes *out) {
  struct reading reading = {path, definitions, arena, diags};
  json_t *file = NULL;
  *out = (struct intake_routes){0};
  enum status status = config_read(host, path, diags, &file);
  if (status != STATUS_OK) return status;
  if (config_check(file, path, "routes", file_keys, sizeof file_keys / sizeof file_keys[0], diags))
    status = read_all(&reading, file, out);
  else
    status = STATUS_CONFIG;
  json_decref(file);
  return status;
}

const struct intake_route *intake_route_find(const struct intake_routes *routes, struct str format) {
  for (size_t i = 0; routes && i < routes->count; i++)
    if (str_eq(routes->routes[i].format, format)) return &routes->routes[i];
  return NULL;
}

struct str intake_route_nearest(const struct intake_routes *routes, struct str format) {
  struct str best = {0};
  unsigned least = 4;
  for (size_t i = 0; routes && i < routes->count; i++) {
    unsigned distance = str_distance(format, routes->routes[i].format, least - 1);
    if (distance >= least) continue;
    least = distance;
    best = routes->routes[i].format;
  }
  return best;
}
