/*
 * config.h - JSON configuration files (routes, destinations) read by jansson: duplicates refused, `preset`
 * followed.
 *
 * Files that carry no clinical numbers only. Unknown keys, wrong types and missing keys become diagnostics
 * with the file's name and the key, all at once. The object belongs to the caller (json_decref).
 */
#ifndef KETLINK_BASE_CONFIG_H
#define KETLINK_BASE_CONFIG_H

#include <jansson.h>
#include "base/diag.h"
#include "base/host.h"

enum config_type { CONFIG_STRING, CONFIG_INTEGER, CONFIG_BOOLEAN, CONFIG_STRINGS, CONFIG_OBJECT };

struct config_key {
  const char *name;
  enum config_type type;
  bool required;
  const char *const *words; /* allowed words of a string, NULL-terminated; NULL = any */
  int64_t min, max;         /* of an integer; both 0 = any */
};

/* Reads `path`; when it has "preset": NAME, reads NAME.json in the same folder first and lays the file's keys
   over it (objects merged key by key; one level of preset only). */
enum status config_read(const struct host *host, const char *path, struct diag_list *diags,
                        json_t **out) MUST_USE;
/* Checks an object against a table of keys; true when no error was added. `where` names the object in
 * messages. */
bool config_check(const json_t *object, const char *path, const char *where, const struct config_key *keys,
                  size_t count, struct diag_list *diags);
/* Empty view / fallback when the key is absent. */
struct str config_string(const json_t *object, const char *key);
int64_t config_integer(const json_t *object, const char *key, int64_t fallback);
bool config_boolean(const json_t *object, const char *key, bool fallback);
/* A file name in a configuration file is relative to the folder of that file. On failure ptr is NULL. */
struct str config_beside(const char *path, struct str file, struct arena *arena);

#endif
