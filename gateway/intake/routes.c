/* routes.c - mappings/routes.json: which format goes to which model and map.
 *
 *   { "clinics": [ { "id": "riverside", "timeZone": "America/Chicago" } ],
 *     "routes": [ { "format": "session-record/1", "model": URL, "map": URL, "clinicId": "clinic.id",
 *       "patientId": "patient.mrn", "recordId": "session.id",
 *       "revision": "session.revision", "split": "PATIENT.MRG.MRG_1" } ] }
 */
#include "base/config.h"
#include "intake/internal.h"

static const struct config_key route_keys[] = {
    {.name = "format", .type = CONFIG_STRING, .required = true},
    {.name = "description", .type = CONFIG_STRING},
    {.name = "model", .type = CONFIG_STRING, .required = true},
    {.name = "map", .type = CONFIG_STRING, .required = true},
    {.name = "clinicId", .type = CONFIG_STRING, .required = true},
    {.name = "patientId", .type = CONFIG_STRING},
    {.name = "recordId", .type = CONFIG_STRING},
    {.name = "revision", .type = CONFIG_STRING},
    {.name = "sentAt", .type = CONFIG_STRING},
    {.name = "split", .type = CONFIG_STRING},
};
static const char *const identity_keys[INTAKE_IDENTITIES] = {"clinicId", "patientId", "recordId", "revision", "sentAt"};
static const struct config_key clinic_keys[] = {
    {.name = "id", .type = CONFIG_STRING, .required = true},
    {.name = "timeZone", .type = CONFIG_STRING, .required = true},
};

struct reading {
  const char *path;
  const struct config *config;
  const struct host *host;
  const struct definitions *definitions;
  struct arena *arena;
  struct diag_list *diags;
};

static enum status complain(const struct reading *reading, const char *what, struct str name) {
  struct source source = source_make(str_of(reading->path), (struct str){0});
  struct diag_at at = {.source = &source};
  diag_error(reading->diags, DIAG_CONFIG_INVALID, &at, "%s%.*s", what, STR_ARG(name));
  return STATUS_CONFIG;
}

static enum status no_model(const struct reading *reading, const struct intake_route *route) {
  size_t at = route->model.len;
  while (at > 0 && route->model.ptr[at - 1] != '/')
    at--;
  struct str near = definitions_nearest_type(reading->definitions, str_slice(route->model, at, SIZE_MAX));
  struct str message = arena_printf(reading->arena, "format %.*s: there is no model %.*s%s%.*s%s",
                                    STR_ARG(route->format), STR_ARG(route->model),
                                    near.len ? "; did you mean " : "", STR_ARG(near), near.len ? "?" : "");
  return message.ptr ? complain(reading, "", message) : STATUS_NOMEM;
}

static enum status read_route(const struct reading *reading, const json_t *object,
                              struct intake_routes *out) {
  struct intake_route *route = &out->routes[out->count];
  if (!config_check(reading->config, object, "a route", route_keys, sizeof route_keys / sizeof route_keys[0],
                    reading->diags))
    return STATUS_CONFIG;
  route->format = arena_str(reading->arena, config_string(object, "format"));
  route->model = arena_str(reading->arena, config_string(object, "model"));
  route->map = arena_str(reading->arena, config_string(object, "map"));
  route->split = arena_str(reading->arena, config_string(object, "split"));
  if (!route->format.ptr || !route->model.ptr || !route->map.ptr || !route->split.ptr) return STATUS_NOMEM;
  for (size_t i = 0; i < INTAKE_IDENTITIES; i++) {
    route->identities[i] = arena_str(reading->arena, config_string(object, identity_keys[i]));
    if (!route->identities[i].ptr) return STATUS_NOMEM;
  }
  route->type = definitions_type(reading->definitions, route->model);
  if (!route->type) return no_model(reading, route);
  if (intake_route_find(out, route->format))
    return complain(reading, "two routes of the same format: ", route->format);
  out->count++;
  return STATUS_OK;
}

static enum status read_clinic(const struct reading *reading, const json_t *object, struct intake_routes *out) {
  struct intake_clinic *clinic = &out->clinics[out->clinic_count];
  if (!config_check(reading->config, object, "a clinic", clinic_keys, sizeof clinic_keys / sizeof clinic_keys[0],
                    reading->diags))
    return STATUS_CONFIG;
  clinic->id = arena_str(reading->arena, config_string(object, "id"));
  if (!clinic->id.ptr) return STATUS_NOMEM;
  if (intake_clinic_find(out, clinic->id)) return complain(reading, "a clinic stands twice: ", clinic->id);
  struct str zone = config_string(object, "timeZone");
  enum status status = datetime_zone_read(reading->host, zone, reading->arena, &clinic->zone);
  if (status == STATUS_NOT_FOUND || status == STATUS_INVALID)
    return complain(reading, "no such time zone on this machine (IANA names, such as America/Chicago; Debian: package tzdata): ",
                    zone);
  if (status == STATUS_OK) out->clinic_count++;
  return status;
}

static enum status read_clinics(const struct reading *reading, const json_t *clinics, struct intake_routes *out) {
  enum status worst = STATUS_OK;
  size_t index;
  const json_t *object;
  out->clinics = ARENA_ARRAY(reading->arena, struct intake_clinic, json_array_size(clinics) + 1);
  if (!out->clinics) return STATUS_NOMEM;
  json_array_foreach(clinics, index, object) {
    enum status status = read_clinic(reading, object, out);
    if (status != STATUS_OK) worst = status;
  }
  return worst;
}

static enum status read_all(const struct reading *reading, const json_t *file, struct intake_routes *out) {
  size_t index;
  const json_t *object, *routes = json_object_get(file, "routes"), *clinics = json_object_get(file, "clinics");
  if (!json_is_array(routes) || (clinics && !json_is_array(clinics)) || json_object_size(file) != (clinics ? 2 : 1))
    return complain(reading, "the file holds ", STR("\"routes\", a list, and may hold \"clinics\", a list"));
  enum status worst = read_clinics(reading, clinics, out);
  out->routes = ARENA_ARRAY(reading->arena, struct intake_route, json_array_size(routes) + 1);
  if (!out->routes) return STATUS_NOMEM;
  json_array_foreach(routes, index, object) {
    enum status status = read_route(reading, object, out);
    if (status != STATUS_OK) worst = status;
  }
  return worst;
}

enum status intake_routes_read(const char *path, const struct host *host,
                               const struct definitions *definitions, struct arena *arena,
                               struct diag_list *diags, struct intake_routes *out) {
  struct config file;
  struct reading reading = {path, &file, host, definitions, arena, diags};
  *out = (struct intake_routes){0};
  enum status status = config_read(host, path, diags, &file);
  if (status == STATUS_OK) status = read_all(&reading, file.object, out);
  config_close(&file);
  return status;
}

const struct intake_clinic *intake_clinic_find(const struct intake_routes *routes, struct str id) {
  for (size_t i = 0; routes && i < routes->clinic_count; i++)
    if (str_eq(routes->clinics[i].id, id)) return &routes->clinics[i];
  return NULL;
}

const struct intake_route *intake_route_find(const struct intake_routes *routes, struct str format) {
  for (size_t i = 0; routes && i < routes->count; i++)
    if (str_eq(routes->routes[i].format, format)) return &routes->routes[i];
  return NULL;
}

struct str intake_route_nearest(const struct intake_routes *routes, struct str format) {
  struct str_nearest nearest = {.word = format};
  for (size_t i = 0; routes && i < routes->count; i++)
    str_nearest_offer(&nearest, routes->routes[i].format);
  return nearest.best;
}
