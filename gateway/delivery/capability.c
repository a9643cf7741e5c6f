/* capability.c - a CapabilityStatement reduced to what a sender has to know of a server. */
#include <jansson.h>
#include "delivery/internal.h"

enum { TEXT_MAX_BYTES = 80 };

/* Server text on a terminal: clipped, nothing but printable ASCII. */
static struct str text_of(const json_t *value, struct arena *arena) {
  const char *text = json_string_value(value);
  size_t length = json_string_length(value);
  if (!text) return (struct str){0};
  struct str copy = arena_str(arena, str_make(text, length < TEXT_MAX_BYTES ? length : TEXT_MAX_BYTES));
  char *bytes = (char *)(uintptr_t)copy.ptr;
  for (size_t i = 0; bytes && i < copy.len; i++)
    if ((unsigned char)bytes[i] < ' ' || (unsigned char)bytes[i] > '~') bytes[i] = '?';
  return copy;
}

static bool says(const json_t *value, const char *word) {
  const char *text = json_string_value(value);
  return text && strcmp(text, word) == 0;
}

static bool takes_json(const json_t *formats) {
  static const char *const words[] = {"json", "application/json", "application/fhir+json"};
  size_t index;
  const json_t *format;
  json_array_foreach(formats, index, format) {
    const char *text = json_string_value(format);
    size_t length = text ? strcspn(text, "; ") : 0;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
      if (length == strlen(words[i]) && memcmp(text, words[i], length) == 0) return true;
  }
  return false;
}

static unsigned read_interactions(const json_t *resource) {
  static const struct {
    const char *word;
    unsigned bit;
  } words[] = {{"create", DELIVERY_CAN_CREATE},
               {"update", DELIVERY_CAN_UPDATE},
               {"read", DELIVERY_CAN_READ},
               {"search-type", DELIVERY_CAN_SEARCH},
               {"delete", DELIVERY_CAN_DELETE}};
  unsigned can = 0;
  size_t index;
  const json_t *interaction;
  json_array_foreach(json_object_get(resource, "interaction"), index, interaction) {
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
      if (says(json_object_get(interaction, "code"), words[i].word)) can |= words[i].bit;
  }
  if (json_is_true(json_object_get(resource, "conditionalCreate"))) can |= DELIVERY_CAN_CREATE_IF;
  if (json_is_true(json_object_get(resource, "conditionalUpdate"))) can |= DELIVERY_CAN_UPDATE_IF;
  return can;
}

static enum status read_parameters(const json_t *list, struct arena *arena, struct delivery_type *out) {
  size_t count = json_array_size(list);
  if (count > LIMIT_CAPABILITY_PARAMETERS) return STATUS_LIMIT;
  struct str *names = ARENA_ARRAY(arena, struct str, count + 1);
  if (!names) return STATUS_NOMEM;
  for (size_t i = 0; i < count; i++)
    names[i] = text_of(json_object_get(json_array_get(list, i), "name"), arena);
  out->parameters = names;
  out->parameter_count = count;
  return STATUS_OK;
}

static enum status read_types(const json_t *list, struct arena *arena, struct delivery_capability *out) {
  size_t count = json_array_size(list);
  if (count > LIMIT_CAPABILITY_TYPES) return STATUS_LIMIT;
  struct delivery_type *types = ARENA_ARRAY(arena, struct delivery_type, count + 1);
  enum status status = types ? STATUS_OK : STATUS_NOMEM;
  for (size_t i = 0; i < count && status == STATUS_OK; i++) {
    const json_t *resource = json_array_get(list, i);
    types[i].name = text_of(json_object_get(resource, "type"), arena);
    types[i].can = read_interactions(resource);
    status = read_parameters(json_object_get(resource, "searchParam"), arena, &types[i]);
  }
  out->types = types;
  out->type_count = count;
  return status;
}

static const json_t *find_server(const json_t *root) {
  size_t index;
  const json_t *rest;
  json_array_foreach(json_object_get(root, "rest"), index, rest) {
    if (says(json_object_get(rest, "mode"), "server")) return rest;
  }
  return NULL;
}

static enum status read_server(const json_t *root, const json_t *rest, struct arena *arena,
                               struct delivery_capability *out) {
  const json_t *software = json_object_get(root, "software"), *interaction;
  size_t index;
  out->fhir_version = text_of(json_object_get(root, "fhirVersion"), arena);
  out->software = text_of(json_object_get(software, "name"), arena);
  out->software_version = text_of(json_object_get(software, "version"), arena);
  out->json = takes_json(json_object_get(root, "format"));
  json_array_foreach(json_object_get(rest, "interaction"), index, interaction) {
    out->transaction |= says(json_object_get(interaction, "code"), "transaction");
    out->batch |= says(json_object_get(interaction, "code"), "batch");
  }
  return read_types(json_object_get(rest, "resource"), arena, out);
}

enum status delivery_capability_read(struct str body, struct arena *arena, struct delivery_capability *out,
                                     const char **why) {
  enum status status = STATUS_INVALID;
  json_t *root = body.len ? json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
  const json_t *rest = find_server(root);
  *out = (struct delivery_capability){0};
  *why = NULL;
  if (!root)
    *why = "it is not JSON";
  else if (!says(json_object_get(root, "resourceType"), "CapabilityStatement"))
    *why = "it is not a CapabilityStatement";
  else if (!rest)
    *why = "it describes no REST server";
  else
    status = read_server(root, rest, arena, out);
  if (status == STATUS_LIMIT) *why = "it has more types or search parameters than are read";
  json_decref(root);
  return status;
}

const struct delivery_type *delivery_capability_type(const struct delivery_capability *capability,
                                                     struct str name) {
  for (size_t i = 0; i < capability->type_count; i++)
    if (str_eq(capability->types[i].name, name)) return &capability->types[i];
  return NULL;
}

bool delivery_type_searched_by(const struct delivery_type *type, const char *parameter) {
  for (size_t i = 0; i < type->parameter_count; i++)
    if (str_is(type->parameters[i], parameter)) return true;
  return false;
}
