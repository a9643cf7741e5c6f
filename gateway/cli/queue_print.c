/* queue_print.c - records as lines of a table, one record as a page. Labels come from elsewhere: they are cleaned
 * before a terminal sees them. */
#include "cli/queue_print.h"

/* --- values --- */

static struct str text_of(struct cli *cli, const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  struct str clean = diag_clean(cli->arena, str_of(text ? text : ""));
  return clean.len ? clean : STR("-");
}

static long long number_of(const json_t *object, const char *key) {
  return (long long)json_integer_value(json_object_get(object, key));
}

/* "2026-11-26T20:17:03.123Z" to the second. */
static struct str time_of(struct cli *cli, const json_t *object, const char *key) {
  struct str time = text_of(cli, object, key);
  return time.len > 19 ? arena_printf(cli->arena, "%.19sZ", time.ptr) : time;
}

static const char *state_of(struct cli *cli, const json_t *record) {
  struct str state = text_of(cli, record, "state");
  if (json_is_true(json_object_get(record, "blocks"))) return "parked!";
  return state.ptr;
}

/* --- many --- */

void cli_queue_print_list(struct cli *cli, const json_t *answer) {
  const json_t *records = json_object_get(answer, "records"), *after = json_object_get(answer, "after");
  size_t index;
  json_t *record;
  bool blocking = false;
  if (json_array_size(records))
    cli_printf(cli, "%8s  %-8s  %-16s  %5s  %-20s  %-20s  %s\n", "ID", "STATE", "DESTINATION", "TRIED", "ACCEPTED",
               "REASON", "LABEL");
  json_array_foreach(records, index, record) {
    cli_printf(cli, "%8lld  %-8s  %-16s  %5lld  %-20s  %-20s  %s\n", number_of(record, "id"),
               state_of(cli, record), text_of(cli, record, "destination").ptr, number_of(record, "attempts"),
               time_of(cli, record, "acceptedAt").ptr, text_of(cli, record, "reason").ptr,
               text_of(cli, record, "label").ptr);
    blocking = blocking || json_is_true(json_object_get(record, "blocks"));
  }
  cli_note(cli, "%zu records%s", json_array_size(records),
           blocking ? "; what belongs to the same patient waits behind those with !" : "");
  if (json_is_integer(after))
    cli_note(cli, "there are more: --after %lld", (long long)json_integer_value(after));
}

/* --- one --- */

static const char *const members[] = {"state",  "destination", "label",      "reason",    "kind",
                                      "acceptedAt", "changedAt", "nextAt"};

static void print_attempts(struct cli *cli, const json_t *attempts) {
  size_t index;
  json_t *attempt;
  json_array_foreach(attempts, index, attempt) {
    cli_printf(cli, "  %s  %-8s  %-20s  %lld ms", time_of(cli, attempt, "at").ptr,
               text_of(cli, attempt, "state").ptr, text_of(cli, attempt, "reason").ptr,
               number_of(attempt, "tookMs"));
    if (number_of(attempt, "httpStatus")) cli_printf(cli, "  HTTP status %lld", number_of(attempt, "httpStatus"));
    cli_printf(cli, "\n");
  }
}

void cli_queue_print_record(struct cli *cli, const json_t *record) {
  const char *payload = json_string_value(json_object_get(record, "payload"));
  const char *packed = json_string_value(json_object_get(record, "payloadBase64"));
  cli_printf(cli, "record %lld\n", number_of(record, "id"));
  for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
    cli_printf(cli, "%-12s %s\n", members[i], text_of(cli, record, members[i]).ptr);
  cli_printf(cli, "%-12s %lld\n", "bytes", number_of(record, "bytes"));
  if (json_is_true(json_object_get(record, "blocks")))
    cli_printf(cli, "%-12s what belongs to the same patient waits behind it\n", "blocks");
  cli_printf(cli, "%-12s %lld\n", "attempts", number_of(record, "attempts"));
  print_attempts(cli, json_object_get(record, "history"));
  if (payload || packed) cli_printf(cli, "\n%s%s\n", packed ? "base64: " : "", payload ? payload : packed);
}
