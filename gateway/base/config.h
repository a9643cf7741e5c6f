/*
 * config.h - JSON configuration files (routes, destinations) read by jansson: duplicates refused, `preset`
 * followed.
 *
 * Files that carry no clinical numbers only. Unknown keys, wrong types and missing keys become diagnostics
 * with the key and the place where it stands, in the file or in its preset, all at once. The object belongs
 * to the caller (config_close).
 */
#ifndef KETLINK_BASE_CONFIG_H
#define KETLINK_BASE_CONFIG_H

#include <jansson.h>
#include "base/diag.h"
#include "base/host.h"

enum config_type {
  CONFIG_STRING,
  CONFIG_INTEGER,
  CONFIG_BOOLEAN,
  CONFIG_STRINGS,
  CONFIG_OBJECT,
  CONFIG_LISTS,           /* an object whose members are lists of strings */
  CONFIG_LISTS_OR_STRINGS /* the same, or one list of strings that stand for its members' names */
};

struct config_key {
  const char *name;
  enum config_type type;
  bool required;
  const char *const *words; /* allowed words of strings, NULL-terminated; NULL = any */
  int64_t min, max;         /* of an integer; both 0 = any */
};

/* A file that was read. The texts live as long as the arena of the diagnostics. */
struct config {
  json_t *object;               /* the file's keys laid over its preset's */
  struct source source, preset; /* preset: its name is empty when there is none */
  struct source file;           /* the file as a whole: no text, so no line */
};

/* Reads `path`; when it has "preset": NAME, reads NAME.json in the same folder first and lays the file's keys
   over it (objects merged key by key; one level of preset only). */
enum status config_read(const struct host *host, const char *path, struct diag_list *diags,
                        struct config *out) MUST_USE;
void config_close(struct config *config);
/* Checks an object of the file against a table of keys; true when no error was added. `where` names the object
 * in messages: a member of the file's object, "" for that itself, or words for people. */
bool config_check(const struct config *config, const json_t *object, const char *where,
                  const struct config_key *keys, size_t count, struct diag_list *diags);
/* The place of a key for a diagnostic, "where.key" for a member of a member: in the file, else in its preset,
 * else no more than the file. */
struct diag_at config_at(const struct config *config, const char *where, const char *key);
/* Empty view / fallback when the key is absent. */
struct str config_string(const json_t *object, const char *key);
int64_t config_integer(const json_t *object, const char *key, int64_t fallback);
bool config_boolean(const json_t *object, const char *key, bool fallback);
/* A file name in a configuration file is relative to the folder of that file. On failure ptr is NULL. */
struct str config_beside(const char *path, struct str file, struct arena *arena);

#endif
