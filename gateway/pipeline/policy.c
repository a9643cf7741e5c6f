/* policy.c - the pipeline's part of mappings/destinations/NAME.json: what a destination asks of Bundles, and
 * what is done with one that does not have it. */
#include "base/destination.h"
#include "pipeline/internal.h"

static void fault(struct diag_list *diags, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fault(struct diag_list *diags, const char *path, const char *format, ...) {
  struct source source = source_make(str_of(path), (struct str){0});
  struct diag_at at = {.source = &source};
  va_list args;
  va_start(args, format);
  struct str text = arena_vprintf(diags->arena, format, args);
  va_end(args);
  diag_error(diags, DIAG_CONFIG_INVALID, &at, "%.*s", STR_ARG(text));
}

/* A file is named with a folder or with its ending; anything else is ID#VERSION. */
static bool is_file(struct str spec) {
  return str_ends(spec, STR(".tgz")) || str_find_char(spec, '/', 0) != SIZE_MAX;
}

static struct str item_of(const json_t *list, size_t index, const char *beside, struct arena *arena) {
  const json_t *item = json_array_get(list, index);
  struct str text = str_make(json_string_value(item), json_string_length(item));
  return beside && is_file(text) ? config_beside(beside, text, arena) : arena_str(arena, text);
}

/* A list of texts; `beside`: the file that file names among them are relative to. */
static const char *const *read_list(const json_t *object, const char *key, const char *beside,
                                    struct arena *arena, size_t *count) {
  const json_t *list = json_object_get(object, key);
  *count = json_array_size(list);
  const char **items = ARENA_ARRAY(arena, const char *, *count + 1);
  for (size_t i = 0; items && i < *count; i++) {
    items[i] = item_of(list, i, beside, arena).ptr;
    if (!items[i]) return NULL;
  }
  return items;
}

static void check_count(struct diag_list *diags, const char *path, const char *key, size_t count,
                        size_t max) {
  if (count > max) fault(diags, path, "%s has %zu items; it may have %zu", key, count, max);
}

static enum status fill(const json_t *object, const char *path, struct arena *arena,
                        struct pipeline_policy *out) {
  out->verdict = (enum pipeline_verdict)destination_word(destination_validation_words,
                                                          config_string(object, "validation"));
  out->path = arena_str(arena, str_of(path)).ptr;
  out->profiles = read_list(object, "profiles", NULL, arena, &out->profile_count);
  out->packages = read_list(object, "packages", path, arena, &out->package_count);
  return out->path && out->profiles && out->packages ? STATUS_OK : STATUS_NOMEM;
}

enum status pipeline_policy_read(const char *path, const struct host *host, struct arena *arena,
                                 struct diag_list *diags, struct pipeline_policy *out) {
  struct config file;
  size_t before = diag_errors(diags);
  *out = (struct pipeline_policy){0};
  enum status status = destination_read(host, path, DESTINATION_PIPELINE, diags, &file);
  if (status != STATUS_OK) return status;
  status = fill(file.object, path, arena, out);
  check_count(diags, path, "profiles", out->profile_count, LIMIT_DESTINATION_PROFILES);
  check_count(diags, path, "packages", out->package_count, LIMIT_DESTINATION_PACKAGES);
  config_close(&file);
  if (status != STATUS_OK) return status;
  return diag_errors(diags) > before ? STATUS_CONFIG : STATUS_OK;
}

enum status pipeline_policy_check(const struct pipeline *pipeline, const struct pipeline_policy *policy,
                                  struct diag_list *diags) {
  size_t before = diag_errors(diags);
  for (size_t i = 0; i < policy->profile_count; i++) {
    const struct def_type *type = definitions_type(pipeline->definitions, str_of(policy->profiles[i]));
    struct str shown = diag_quote(diags->arena, str_of(policy->profiles[i]));
    if (!type)
      fault(diags, policy->path, "profiles: the definitions do not have %.*s; name its package in packages",
            STR_ARG(shown));
    else if (!def_type_is_profile(type) || def_type_kind(def_type_constrained(type)) != DEF_RESOURCE)
      fault(diags, policy->path, "profiles: %.*s is not a profile of a resource", STR_ARG(shown));
  }
  return diag_errors(diags) > before ? STATUS_CONFIG : STATUS_OK;
}
