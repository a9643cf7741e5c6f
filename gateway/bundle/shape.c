/* shape.c - the bundle's part of mappings/destinations/NAME.json: how a destination wants what it gets. */
#include "base/destination.h"
#include "bundle/internal.h"

unsigned bundle_shape_may(const struct bundle_shape *shape, struct str type) {
  if (!shape->types) return BUNDLE_CREATE | BUNDLE_UPDATE;
  for (size_t i = 0; i < shape->type_count; i++)
    if (str_eq(shape->types[i].type, type)) return shape->types[i].may;
  return 0;
}

static unsigned may_of(const json_t *words) {
  unsigned may = 0;
  size_t index;
  const json_t *word;
  json_array_foreach(words, index, word) {
    may |= 1U << destination_word(destination_interaction_words, str_of(json_string_value(word)));
  }
  return may;
}

/* A list of types means that they are created and updated. */
static enum status read_types(const json_t *value, struct arena *arena, struct bundle_shape *out) {
  size_t count = json_is_array(value) ? json_array_size(value) : json_object_size(value), index;
  struct bundle_type *types = ARENA_ARRAY(arena, struct bundle_type, count + 1);
  const json_t *item;
  const char *name;
  json_t *words;
  if (!value) return STATUS_OK;
  if (!types) return STATUS_NOMEM;
  json_array_foreach(value, index, item) {
    types[out->type_count++] = (struct bundle_type){arena_str(arena, str_of(json_string_value(item))),
                                                    BUNDLE_CREATE | BUNDLE_UPDATE};
  }
  json_object_foreach((json_t *)(uintptr_t)value, name, words) {
    types[out->type_count++] = (struct bundle_type){arena_str(arena, str_of(name)), may_of(words)};
  }
  for (size_t i = 0; i < out->type_count; i++)
    if (!types[i].type.ptr) return STATUS_NOMEM;
  out->types = types;
  return STATUS_OK;
}

static enum status read_systems(const json_t *list, struct arena *arena, struct bundle_lookup *out) {
  size_t index;
  const json_t *item;
  struct str *systems = ARENA_ARRAY(arena, struct str, json_array_size(list) + 1);
  if (!systems) return STATUS_NOMEM;
  json_array_foreach(list, index, item) {
    systems[out->system_count] = arena_str(arena, str_of(json_string_value(item)));
    if (!systems[out->system_count++].ptr) return STATUS_NOMEM;
  }
  out->systems = systems;
  return STATUS_OK;
}

static enum status read_lookups(const json_t *value, struct arena *arena, struct bundle_shape *out) {
  struct bundle_lookup *lookups = ARENA_ARRAY(arena, struct bundle_lookup, json_object_size(value) + 1);
  enum status status = lookups ? STATUS_OK : STATUS_NOMEM;
  const char *name;
  json_t *list;
  json_object_foreach((json_t *)(uintptr_t)value, name, list) {
    if (status != STATUS_OK) break;
    struct bundle_lookup *lookup = &lookups[out->lookup_count++];
    *lookup = (struct bundle_lookup){.type = arena_str(arena, str_of(name))};
    status = lookup->type.ptr ? read_systems(list, arena, lookup) : STATUS_NOMEM;
  }
  out->lookups = lookups;
  return status;
}

static void read_rules(const json_t *list, struct bundle_shape *out) {
  size_t index;
  const json_t *word;
  json_array_foreach(list, index, word) {
    out->require[destination_word(destination_require_words, str_of(json_string_value(word)))] = true;
  }
}

static enum status fill(const json_t *object, struct arena *arena, struct bundle_shape *out) {
  out->submit =
      (enum bundle_submit)destination_word(destination_submit_words, config_string(object, "submit"));
  out->idempotency = (enum bundle_idempotency)destination_word(destination_idempotency_words,
                                                               config_string(object, "idempotency"));
  out->look_first =
      config_boolean(object, "lookFirst", false) || out->idempotency == BUNDLE_SEARCH_FIRST;
  out->max_entries = (size_t)config_integer(object, "maxEntries", 0);
  out->max_conditional = (size_t)config_integer(object, "maxConditionalEntries", 0);
  out->resolved_references = !config_boolean(object, "logicalReferences", true);
  out->psychotherapy_notes = config_boolean(object, "psychotherapyNotes", false);
  out->session_note =
      (enum bundle_note)destination_word(destination_note_words, config_string(object, "sessionNote"));
  read_rules(json_object_get(object, "require"), out);
  enum status status = read_types(json_object_get(object, "resources"), arena, out);
  return status == STATUS_OK ? read_lookups(json_object_get(object, "lookup"), arena, out) : status;
}

enum status bundle_shape_read(const char *path, const struct host *host, struct arena *arena,
                              struct diag_list *diags, struct bundle_shape *out) {
  struct config file;
  *out = (struct bundle_shape){0};
  enum status status = destination_read(host, path, DESTINATION_BUNDLE, diags, &file);
  if (status != STATUS_OK) return status;
  status = fill(file.object, arena, out);
  config_close(&file);
  return status;
}

static void check_type(const struct config *file, const struct definitions *definitions, const char *where,
                       const char *name, struct diag_list *diags) {
  const struct def_type *type = definitions_type(definitions, str_of(name));
  struct diag_at at = config_at(file, where, name);
  if (type && def_type_kind(type) == DEF_RESOURCE) return;
  if (!at.source->text.ptr) at = config_at(file, "", where); /* an item of a list */
  struct str near = definitions_nearest_type(definitions, str_of(name)), shown = diag_quote(diags->arena, str_of(name));
  diag_error(diags, DIAG_CONFIG_INVALID, &at, "%s: there is no resource %.*s%s%.*s%s", where, STR_ARG(shown),
             near.len ? "; did you mean " : "", STR_ARG(near), near.len ? "?" : "");
}

enum status bundle_shape_check(const char *path, const struct host *host, const struct definitions *definitions,
                               struct diag_list *diags) {
  static const char *const members[] = {"resources", "lookup"};
  struct config file;
  size_t before = diag_errors(diags), index;
  const char *name;
  json_t *value;
  const json_t *item;
  enum status status = destination_read(host, path, DESTINATION_BUNDLE, diags, &file);
  if (status != STATUS_OK) return status;
  for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
    json_t *member = json_object_get(file.object, members[i]);
    json_object_foreach(member, name, value) check_type(&file, definitions, members[i], name, diags);
    json_array_foreach(member, index, item)
      check_type(&file, definitions, members[i], json_string_value(item), diags);
  }
  config_close(&file);
  return diag_errors(diags) > before ? STATUS_CONFIG : STATUS_OK;
}

bool bundle_submit_parse(struct str word, enum bundle_submit *out) {
  static const char *const words[] = {"transaction", "batch", "single", "collection", "ndjson"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    if (!str_is(word, words[i])) continue;
    *out = (enum bundle_submit)i;
    return true;
  }
  return false;
}

struct bundle_shape bundle_shape_collection(void) {
  return (struct bundle_shape){.submit = BUNDLE_COLLECTION, .psychotherapy_notes = true};
}
