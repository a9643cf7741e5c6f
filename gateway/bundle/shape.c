/* shape.c - the bundle's part of mappings/destinations/NAME.json: how a destination wants what it gets. */
#include "base/config.h"
#include "bundle/internal.h"

static const char *const submit_words[] = {"transaction", "batch", "single", "collection", NULL};
static const char *const idempotency_words[] = {"conditional-update", "conditional-create", "search-first",
                                                NULL};

static const struct config_key shape_keys[] = {
    {.name = "submit", .type = CONFIG_STRING, .required = true, .words = submit_words},
    {.name = "idempotency", .type = CONFIG_STRING, .required = true, .words = idempotency_words},
    {.name = "maxEntries", .type = CONFIG_INTEGER, .min = 0, .max = LIMIT_BUNDLE_ENTRIES},
    {.name = "resources", .type = CONFIG_STRINGS},
    {.name = "psychotherapyNotes", .type = CONFIG_BOOLEAN},
    /* the parts of delivery and pipeline in the same file */
    {.name = "preset", .type = CONFIG_STRING},
    {.name = "description", .type = CONFIG_STRING},
    {.name = "base", .type = CONFIG_STRING},
    {.name = "caFile", .type = CONFIG_STRING},
    {.name = "auth", .type = CONFIG_OBJECT},
    {.name = "connectTimeoutMs", .type = CONFIG_INTEGER},
    {.name = "totalTimeoutMs", .type = CONFIG_INTEGER},
    {.name = "maxResponseBytes", .type = CONFIG_INTEGER},
    {.name = "validation", .type = CONFIG_STRING},
    {.name = "profiles", .type = CONFIG_STRINGS},
    {.name = "packages", .type = CONFIG_STRINGS},
};

/* Index of a word; config_check has seen to it that it is one of them. */
static int word_index(const char *const *words, struct str word) {
  for (int i = 0; words[i]; i++)
    if (str_is(word, words[i])) return i;
  return 0;
}

static enum status read_allowed(const json_t *list, struct arena *arena, struct bundle_shape *out) {
  size_t count = json_array_size(list);
  struct str *allowed = ARENA_ARRAY(arena, struct str, count + 1);
  if (!allowed) return STATUS_NOMEM;
  for (size_t i = 0; i < count; i++) {
    allowed[i] = arena_str(arena, str_of(json_string_value(json_array_get(list, i))));
    if (!allowed[i].ptr) return STATUS_NOMEM;
  }
  out->allowed = allowed;
  out->allowed_count = count;
  return STATUS_OK;
}

enum status bundle_shape_read(const char *path, const struct host *host, struct arena *arena,
                              struct diag_list *diags, struct bundle_shape *out) {
  json_t *object = NULL;
  *out = (struct bundle_shape){0};
  enum status status = config_read(host, path, diags, &object);
  if (status != STATUS_OK) return status;
  if (config_check(object, path, "destination", shape_keys, sizeof shape_keys / sizeof shape_keys[0],
                   diags)) {
    out->submit = (enum bundle_submit)word_index(submit_words, config_string(object, "submit"));
    out->idempotency =
        (enum bundle_idempotency)word_index(idempotency_words, config_string(object, "idempotency"));
    out->max_entries = (size_t)config_integer(object, "maxEntries", 0);
    out->psychotherapy_notes = json_is_true(json_object_get(object, "psychotherapyNotes"));
    if (json_object_get(object, "resources"))
      status = read_allowed(json_object_get(object, "resources"), arena, out);
  } else {
    status = STATUS_CONFIG;
  }
  json_decref(object);
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
