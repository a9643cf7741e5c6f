/* json.c - members of JSON answers, and JSON out: see json.h. */
#include <stdlib.h>
#include "cli/json.h"

long long cli_json_number(const json_t *object, const char *key) {
  return (long long)json_integer_value(json_object_get(object, key));
}

const char *cli_json_text(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : "";
}

struct str cli_json_shown(struct cli *cli, const json_t *object, const char *key) {
  struct str clean = diag_clean(cli->arena, str_of(cli_json_text(object, key)));
  return clean.len ? clean : STR("-");
}

struct str cli_json_second(const json_t *object, const char *key, struct arena *arena) {
  const char *time = cli_json_text(object, key);
  struct str second = *time ? arena_printf(arena, "%.19sZ", time) : STR("-");
  second = diag_clean(arena, second);
  return second.ptr ? second : STR("-");
}

static void print(struct cli *cli, json_t *value, size_t flags) {
  char *text = value ? json_dumps(value, flags) : NULL;
  if (text) cli_printf(cli, "%s\n", text);
  free(text);
  json_decref(value);
}

void cli_json_print_line(struct cli *cli, json_t *value) {
  print(cli, value, JSON_COMPACT);
}

void cli_json_print(struct cli *cli, json_t *value) {
  print(cli, value, JSON_INDENT(2));
}
