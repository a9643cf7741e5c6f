/* shape.c - the bundle's part of mappings/destinations/NAME.json: how a destination wants what it gets. */
#include "base/destination.h"
#include "bundle/internal.h"

/* What may be created: a list of types, or the types of an object with that word. */
static enum status read_allowed(const json_t *value, struct arena *arena, struct bundle_shape *out) {
  size_t count = json_is_array(value) ? json_array_size(value) : json_object_size(value);
  struct str *allowed = ARENA_ARRAY(arena, struct str, count + 1);
  size_t index;
  const json_t *item;
  const char *name;
  json_t *words;
  if (!value) return STATUS_OK;
  if (!allowed) return STATUS_NOMEM;
  json_array_foreach(value, index, item) {
    allowed[out->allowed_count++] = arena_str(arena, str_of(json_string_value(item)));
  }
  json_object_foreach((json_t *)(uintptr_t)value, name, words) {
    bool create = false;
    json_array_foreach(words, index, item) create |= strcmp(json_string_value(item), "create") == 0;
    if (create) allowed[out->allowed_count++] = arena_str(arena, str_of(name));
  }
  for (size_t i = 0; i < out->allowed_count; i++)
    if (!allowed[i].ptr) return STATUS_NOMEM;
  out->allowed = allowed;
  return STATUS_OK;
}

enum status bundle_shape_read(const char *path, const struct host *host, struct arena *arena,
                              struct diag_list *diags, struct bundle_shape *out) {
  struct config file;
  *out = (struct bundle_shape){0};
  enum status status = destination_read(host, path, DESTINATION_BUNDLE, diags, &file);
  if (status != STATUS_OK) return status;
  const json_t *object = file.object;
  out->submit = (enum bundle_submit)destination_word(destination_submit_words, config_string(object, "submit"));
  out->idempotency = (enum bundle_idempotency)destination_word(destination_idempotency_words,
                                                               config_string(object, "idempotency"));
  out->max_entries = (size_t)config_integer(object, "maxEntries", 0);
  out->psychotherapy_notes = config_boolean(object, "psychotherapyNotes", false);
  status = read_allowed(json_object_get(object, "resources"), arena, out);
  config_close(&file);
  return status;
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
