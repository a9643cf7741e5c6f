/* config.c - JSON configuration files: reading, presets, checking against a table of keys. */
#include "base/config.h"

#include <ctype.h>
#include "base/limits.h"

enum { CONFIG_BYTES = 1 << 20, PATH_BYTES = 4096 };

static void report(struct diag_list *diags, const char *path, const char *message) {
  struct source source = source_make(str_of(path), (struct str){0});
  struct diag_at at = {.source = &source};
  diag_error(diags, DIAG_CONFIG_INVALID, &at, "%s", message);
}

/* jansson says of want of memory what it says of wrong text, or nothing, and goes on without some characters of a longer text: what it
   says, and what it has read, is so a second time, or it was that. */
static bool is_so_again(struct str text, const json_t *object, const json_error_t *error) {
  json_error_t second = {0};
  json_t *again = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &second);
  bool wrong = !again && error->text[0] && strcmp(error->text, second.text) == 0 && error->position == second.position;
  bool same = object ? json_equal(object, again) : wrong;
  json_decref(again);
  return same;
}

static enum status read_object(const struct host *host, const char *path, struct diag_list *diags,
                               struct source *source, json_t **out) {
  struct str text;
  *source = source_make(arena_str(diags->arena, str_of(path)), (struct str){0});
  struct diag_at at = {.source = source};
  if (!source->name.ptr) return STATUS_NOMEM;
  enum status status = host->read_file(host->context, path, CONFIG_BYTES, diags->arena, &text);
  if (status == STATUS_NOMEM) return status;
  if (status) {
    diag_error(diags, DIAG_FILE_UNREADABLE, &at, "the file cannot be read: %s",
               host_why_unread(host, path, status, diags->arena));
    return status;
  }
  json_error_t error;
  source->text = text;
  json_t *object = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
  if (!is_so_again(text, object, &error)) {
    json_decref(object);
    return STATUS_NOMEM;
  }
  if (!object) {
    at.offset = error.position > 0 ? (size_t)error.position - 1 : 0;
    diag_error(diags, DIAG_CONFIG_INVALID, &at, "%s", error.text);
    return STATUS_INVALID;
  }
  if (!json_is_object(object)) {
    diag_error(diags, DIAG_CONFIG_INVALID, &at, "the file must hold a JSON object");
    json_decref(object);
    return STATUS_INVALID;
  }
  *out = object;
  return STATUS_OK;
}

/* The preset's file beside `path`. A name, never a way to another folder. */
static bool preset_path(const char *path, const char *name, char out[PATH_BYTES]) {
  const char *slash = strrchr(path, '/');
  size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
  size_t len = strlen(name);
  if (len == 0 || folder + len + sizeof ".json" > PATH_BYTES) return false;
  for (const char *c = name; *c; c++) {
    if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_') return false;
  }
  memcpy(out, path, folder);
  memcpy(out + folder, name, len);
  memcpy(out + folder + len, ".json", sizeof ".json");
  return true;
}

static enum status read_preset(const struct host *host, const char *path, const json_t *preset,
                               struct diag_list *diags, struct source *source, json_t **out) {
  char beside[PATH_BYTES];
  const char *name = json_string_value(preset);
  if (!name || !preset_path(path, name, beside)) {
    report(diags, path, "preset must be the name of a file beside this one, without folder and .json");
    return STATUS_INVALID;
  }
  enum status status = read_object(host, beside, diags, source, out);
  if (status == STATUS_NOT_FOUND) {
    report(diags, path, "preset is none of the files beside this one, without its .json");
    status = STATUS_INVALID;
  }
  if (!status && json_object_get(*out, "preset")) {
    report(diags, beside, "a preset cannot have a preset of its own");
    json_decref(*out);
    *out = NULL;
    status = STATUS_INVALID;
  }
  return status;
}

enum status config_read(const struct host *host, const char *path, struct diag_list *diags,
                        struct config *out) {
  json_t *object = NULL, *base = NULL;
  *out = (struct config){0};
  enum status status = read_object(host, path, diags, &out->source, &object);
  out->file = source_make(out->source.name, (struct str){0});
  if (status) goto done;
  const json_t *preset = json_object_get(object, "preset");
  if (!preset) {
    out->object = json_incref(object);
    goto done;
  }
  status = read_preset(host, path, preset, diags, &out->preset, &base);
  if (status) goto done;
  (void)json_object_del(object, "preset");
  if (json_object_update_recursive(base, object) != 0) {
    status = STATUS_NOMEM;
    goto done;
  }
  out->object = json_incref(base);
done:
  json_decref(base);
  json_decref(object);
  return status;
}

void config_close(struct config *config) {
  json_decref(config->object);
  config->object = NULL;
}

/* --- places ---
   jansson keeps no positions. Its own check went before, so these steps may trust the text to be JSON. */

static size_t skip_space(struct str text, size_t at) {
  while (at < text.len && isspace((unsigned char)text.ptr[at]))
    at++;
  return at;
}

static size_t skip_string(struct str text, size_t at) {
  for (at++; at < text.len && text.ptr[at] != '"'; at++)
    if (text.ptr[at] == '\\') at++;
  return at + 1;
}

static size_t skip_value(struct str text, size_t at) {
  size_t depth = 0;
  for (; at < text.len; at++) {
    char c = text.ptr[at];
    if (c == '"') {
      at = skip_string(text, at) - 1;
    } else if (c == '{' || c == '[') {
      depth++;
    } else if (depth == 0 && (c == ',' || c == '}' || c == ']')) {
      return at;
    } else if (c == '}' || c == ']') {
      depth--;
    }
  }
  return text.len;
}

/* Of the object that begins at `at`: where a member's name stands, and its value. SIZE_MAX: there is none. */
static size_t find_member(struct str text, size_t at, const char *name, size_t *value) {
  at = skip_space(text, at);
  if (at >= text.len || text.ptr[at] != '{') return SIZE_MAX;
  for (at = skip_space(text, at + 1); at < text.len && text.ptr[at] == '"';) {
    size_t begin = at, end = skip_string(text, at);
    *value = skip_space(text, skip_space(text, end) + 1); /* past the colon */
    if (str_is(str_slice(text, begin + 1, end - 1), name)) return begin;
    at = skip_value(text, *value);
    if (at < text.len && text.ptr[at] == ',') at++;
    at = skip_space(text, at);
  }
  return SIZE_MAX;
}

static size_t find_place(struct str text, const char *where, const char *key) {
  size_t value = 0;
  if (where && *where && find_member(text, 0, where, &value) == SIZE_MAX) return SIZE_MAX;
  return find_member(text, value, key, &value);
}

struct diag_at config_at(const struct config *config, const char *where, const char *key) {
  const struct source *const sources[] = {&config->source, &config->preset};
  for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
    size_t offset = find_place(sources[i]->text, where, key);
    if (offset != SIZE_MAX) return (struct diag_at){.source = sources[i], .offset = offset};
  }
  return (struct diag_at){.source = &config->file};
}

/* --- checking --- */

static bool is_string_list(const json_t *value) {
  size_t index;
  const json_t *item;
  if (!json_is_array(value)) return false;
  json_array_foreach(value, index, item) {
    if (!json_is_string(item)) return false;
  }
  return true;
}

static bool is_lists(const json_t *value) {
  const char *name;
  json_t *list;
  if (!json_is_object(value)) return false;
  json_object_foreach((json_t *)(uintptr_t)value, name, list) {
    if (!is_string_list(list)) return false;
  }
  return true;
}

static bool has_type(const json_t *value, enum config_type type) {
  switch (type) {
  case CONFIG_STRING:
    return json_is_string(value);
  case CONFIG_INTEGER:
    return json_is_integer(value);
  case CONFIG_BOOLEAN:
    return json_is_boolean(value);
  case CONFIG_STRINGS:
    return is_string_list(value);
  case CONFIG_OBJECT:
    return json_is_object(value);
  case CONFIG_LISTS:
    return is_lists(value);
  case CONFIG_LISTS_OR_STRINGS:
    return is_lists(value) || is_string_list(value);
  }
  return false;
}

static const char *type_name(enum config_type type) {
  static const char *const names[] = {
      [CONFIG_STRING] = "a string",
      [CONFIG_INTEGER] = "a whole number",
      [CONFIG_BOOLEAN] = "true or false",
      [CONFIG_STRINGS] = "a list of strings",
      [CONFIG_OBJECT] = "an object",
      [CONFIG_LISTS] = "an object of lists of strings",
      [CONFIG_LISTS_OR_STRINGS] = "an object of lists of strings, or a list of strings"};
  return names[type];
}

struct check {
  const struct config *config;
  const char *where;
  const struct config_key *keys;
  size_t count;
  struct diag_list *diags;
};

static void fault(const struct check *check, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fault(const struct check *check, const char *key, const char *format, ...) {
  bool nested = check->where && *check->where;
  struct diag_at at = config_at(check->config, check->where, key);
  va_list args;
  va_start(args, format);
  struct str text = arena_vprintf(check->diags->arena, format, args);
  va_end(args);
  diag_error(check->diags, DIAG_CONFIG_INVALID, &at, "%s%s%s %.*s", nested ? check->where : "",
             nested ? "." : "", key, STR_ARG(text));
}

static bool is_listed(const char *const *words, const char *word) {
  for (; *words; words++) {
    if (strcmp(*words, word) == 0) return true;
  }
  return false;
}

static void refuse_word(const struct check *check, const struct config_key *key, const char *word) {
  struct str_nearest near = {.word = str_of(word)};
  struct buf words;
  buf_init(&words, 1024);
  for (const char *const *known = key->words; *known; known++) {
    buf_printf(&words, "%s%s", known == key->words ? "" : ", ", *known);
    str_nearest_offer(&near, str_of(*known));
  }
  fault(check, key->name, "must be%s one of: %.*s%s%.*s%s", key->type == CONFIG_STRING ? "" : " words, each",
        STR_ARG(buf_str(&words)), near.best.len ? "; did you mean " : "", STR_ARG(near.best), near.best.len ? "?" : "");
  buf_release(&words);
}

/* A word, or all words of a list. */
static void check_words(const struct check *check, const struct config_key *key, const json_t *value) {
  size_t index;
  const json_t *item;
  if (json_is_string(value) && !is_listed(key->words, json_string_value(value)))
    refuse_word(check, key, json_string_value(value));
  json_array_foreach(value, index, item) {
    check_words(check, key, item);
  }
}

/* The words of lists are those of their members; a list in their place holds names. */
static void check_lists(const struct check *check, const struct config_key *key, const json_t *value) {
  const char *name;
  json_t *list;
  json_object_foreach((json_t *)(uintptr_t)value, name, list) {
    check_words(check, key, list);
  }
}

static void check_value(const struct check *check, const struct config_key *key, const json_t *value) {
  if (!has_type(value, key->type)) {
    fault(check, key->name, "must be %s", type_name(key->type));
    return;
  }
  bool lists = key->type == CONFIG_LISTS || key->type == CONFIG_LISTS_OR_STRINGS;
  if (key->words && lists) check_lists(check, key, value);
  if (key->words && !lists) check_words(check, key, value);
  int64_t number = json_integer_value(value);
  if (key->type == CONFIG_INTEGER && (key->min || key->max) && (number < key->min || number > key->max)) {
    fault(check, key->name, "must be from %lld to %lld", (long long)key->min, (long long)key->max);
  }
}

static const struct config_key *find_key(const struct check *check, const char *name) {
  for (size_t i = 0; i < check->count; i++) {
    if (strcmp(check->keys[i].name, name) == 0) return &check->keys[i];
  }
  return NULL;
}

static struct str nearest_key(const struct check *check, const char *name) {
  struct str_nearest nearest = {.word = str_of(name)};
  for (size_t i = 0; i < check->count; i++)
    str_nearest_offer(&nearest, str_of(check->keys[i].name));
  return nearest.best;
}

bool config_check(const struct config *config, const json_t *object, const char *where,
                  const struct config_key *keys, size_t count, struct diag_list *diags) {
  const struct check check = {config, where, keys, count, diags};
  size_t before = diag_errors(diags);
  const char *name;
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)object, name, value) {
    const struct config_key *key = find_key(&check, name);
    struct str near = key ? (struct str){0} : nearest_key(&check, name);
    if (key) {
      check_value(&check, key, value);
    } else if (near.len) {
      fault(&check, name, "is not a known key; did you mean %.*s?", STR_ARG(near));
    } else {
      fault(&check, name, "is not a known key");
    }
  }
  for (size_t i = 0; i < count; i++) {
    if (keys[i].required && !json_object_get(object, keys[i].name)) fault(&check, keys[i].name, "is missing");
  }
  return diag_errors(diags) == before;
}

struct str config_string(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  return json_is_string(value) ? str_make(json_string_value(value), json_string_length(value))
                               : (struct str){0};
}

int64_t config_integer(const json_t *object, const char *key, int64_t fallback) {
  const json_t *value = json_object_get(object, key);
  return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool config_boolean(const json_t *object, const char *key, bool fallback) {
  const json_t *value = json_object_get(object, key);
  return json_is_boolean(value) ? json_is_true(value) : fallback;
}

struct str config_beside(const char *path, struct str file, struct arena *arena) {
  const char *slash = strrchr(path, '/');
  if (file.len == 0) return file;
  if (file.ptr[0] == '/' || !slash) return arena_str(arena, file);
  return arena_printf(arena, "%.*s/%.*s", (int)(slash - path), path, STR_ARG(file));
}
