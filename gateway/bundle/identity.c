/* identity.c - who a resource is: namespace, UUIDv5 ids, the record identifier or tag. */
#include "bundle/internal.h"

/* RFC 9562 appendix: names that are URLs. */
static const unsigned char url_namespace[16] = {0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1,
                                                0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8};

#define CLINIC "http://ketlink.dev/fhir/clinic/"

struct str bundle_record_system(struct str clinic_id, struct arena *arena) {
  return arena_printf(arena, CLINIC "%.*s/record", STR_ARG(clinic_id));
}

enum status bundle_namespace_make(struct str clinic_id, struct arena *arena, struct bundle_namespace *out) {
  char text[UUID_TEXT];
  struct str clinic = arena_concat(arena, STR(CLINIC), clinic_id);
  if (!clinic.ptr) return STATUS_NOMEM;
  uuid_v5(url_namespace, clinic, text);
  if (!uuid_parse(str_of(text), out->id)) return STATUS_INVALID;
  out->system = bundle_record_system(clinic_id, arena);
  return out->system.ptr ? STATUS_OK : STATUS_NOMEM;
}

void bundle_uuid(const struct bundle_namespace *space, struct str type_and_key, char out[UUID_TEXT]) {
  uuid_v5(space->id, type_and_key, out);
}

bool bundle_matches_identifier(const struct definitions *definitions, struct str type) {
  return definitions_has_search(definitions, type, STR("identifier"));
}

/* --- small builders --- */

static struct tree_node *make(const struct bundle_params *params, struct tree_node *parent,
                              const struct def_element *element) {
  const struct def_type *type = def_element_type(element, 0).type;
  return definitions_make(params->definitions, params->arena, parent, element, type);
}

struct tree_node *bundle_child(const struct bundle_params *params, struct tree_node *parent,
                               const char *name) {
  const struct def_element *element = def_type_element_named(node_type(parent), str_of(name));
  struct tree_node *found = tree_find(parent, name);
  if (found || !element) return found;
  return make(params, parent, element);
}

struct tree_node *bundle_add_child(const struct bundle_params *params, struct tree_node *parent,
                                   const char *name) {
  const struct def_element *element = def_type_element_named(node_type(parent), str_of(name));
  return element ? make(params, parent, element) : NULL;
}

enum status bundle_set(const struct bundle_params *params, struct tree_node *parent, const char *name,
                       struct str value) {
  struct tree_node *node = bundle_child(params, parent, name);
  if (!node) return STATUS_NOMEM;
  node->kind = TREE_STRING;
  node->text = value;
  return STATUS_OK;
}

/* --- record identifier --- */

static enum status add_identifier(const struct bundle_params *params, struct tree_node *resource,
                                  struct str system, struct str key) {
  struct tree_node *identifier = bundle_add_child(params, resource, "identifier");
  if (!identifier) return STATUS_NOMEM;
  enum status status = bundle_set(params, identifier, "system", system);
  return status == STATUS_OK ? bundle_set(params, identifier, "value", key) : status;
}

static enum status add_tag(const struct bundle_params *params, struct tree_node *resource, struct str system,
                           struct str key) {
  struct tree_node *meta = bundle_child(params, resource, "meta");
  struct tree_node *tag = meta ? bundle_add_child(params, meta, "tag") : NULL;
  if (!tag) return STATUS_NOMEM;
  enum status status = bundle_set(params, tag, "system", system);
  return status == STATUS_OK ? bundle_set(params, tag, "code", key) : status;
}

/* A single identifier that the map has taken already leaves no room for ours. */
static bool has_room(const struct tree_node *resource) {
  const struct def_element *element = def_type_element_named(node_type(resource), STR("identifier"));
  return element && (def_element_is_list(element) || !tree_find(resource, "identifier"));
}

enum status bundle_add_identity(const struct bundle_params *params, struct tree_node *resource,
                                struct str system, struct str key) {
  struct str type = def_type_name(node_type(resource));
  if (bundle_matches_identifier(params->definitions, type) && has_room(resource))
    return add_identifier(params, resource, system, key);
  return add_tag(params, resource, system, key);
}

static struct str find_in(const struct tree_node *first, struct str system, const char *value) {
  for (const struct tree_node *node = first; node; node = tree_next_same(node))
    if (str_eq(tree_text(node, "system"), system)) return tree_text(node, value);
  return (struct str){0};
}

struct str bundle_identity_of(const struct tree_node *resource, struct str system, bool *by_identifier) {
  const struct tree_node *meta = tree_find(resource, "meta");
  struct str key = find_in(tree_find(resource, "identifier"), system, "value");
  *by_identifier = key.len != 0;
  if (key.len == 0 && meta) key = find_in(tree_find(meta, "tag"), system, "code");
  return key;
}

enum status bundle_make_logical(const struct bundle_params *params, struct tree_node *reference,
                                struct str type, struct str system, struct str key) {
  struct tree_node *text = tree_find(reference, "reference");
  if (text) tree_remove(text);
  enum status status = bundle_set(params, reference, "type", type);
  struct tree_node *identifier = status == STATUS_OK ? bundle_child(params, reference, "identifier") : NULL;
  if (!identifier) return STATUS_NOMEM;
  status = bundle_set(params, identifier, "system", system);
  return status == STATUS_OK ? bundle_set(params, identifier, "value", key) : status;
}

struct str bundle_shown_key(struct arena *arena, struct str key) {
  return str_starts(key, STR("patient/")) ? STR("patient") : diag_value(arena, key);
}
