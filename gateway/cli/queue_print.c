/* queue_print.c - records as lines of a table, one record as a page. Labels come from elsewhere: they are cleaned
 * before a terminal sees them. */
#include "cli/queue_print.h"
#include "cli/json.h"

/* --- values --- */

static const char *state_of(struct cli *cli, const json_t *record) {
  struct str state = cli_json_shown(cli, record, "state");
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
    cli_printf(cli, "%8lld  %-8s  %-16s  %5lld  %-20s  %-20s  %s\n", cli_json_number(record, "id"),
               state_of(cli, record), cli_json_shown(cli, record, "destination").ptr, cli_json_number(record, "attempts"),
               cli_json_second(record, "acceptedAt", cli->arena).ptr, cli_json_shown(cli, record, "reason").ptr,
               cli_json_shown(cli, record, "label").ptr);
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
    cli_printf(cli, "  %s  %-8s  %-20s  %lld ms", cli_json_second(attempt, "at", cli->arena).ptr,
               cli_json_shown(cli, attempt, "state").ptr, cli_json_shown(cli, attempt, "reason").ptr,
               cli_json_number(attempt, "tookMs"));
    if (cli_json_number(attempt, "httpStatus")) cli_printf(cli, "  HTTP status %lld", cli_json_number(attempt, "httpStatus"));
    cli_printf(cli, "\n");
  }
}

/* At the server they stay as they were delivered: somebody there has to know. */
static void print_left_out(struct cli *cli, const json_t *places) {
  size_t index;
  json_t *place;
  if (!json_is_array(places)) return;
  cli_printf(cli, "%-12s %zu resource%s that an earlier revision made, and this one no longer has\n", "left out", json_array_size(places),
             json_array_size(places) == 1 ? "" : "s");
  json_array_foreach(places, index, place) cli_printf(cli, "  %s\n", json_string_value(place));
}

void cli_queue_print_record(struct cli *cli, const json_t *record) {
  const char *payload = json_string_value(json_object_get(record, "payload"));
  const char *packed = json_string_value(json_object_get(record, "payloadBase64"));
  cli_printf(cli, "record %lld\n", cli_json_number(record, "id"));
  for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
    cli_printf(cli, "%-12s %s\n", members[i], cli_json_shown(cli, record, members[i]).ptr);
  cli_printf(cli, "%-12s %lld\n", "bytes", cli_json_number(record, "bytes"));
  if (json_is_true(json_object_get(record, "blocks")))
    cli_printf(cli, "%-12s what belongs to the same patient waits behind it\n", "blocks");
  cli_printf(cli, "%-12s %lld\n", "attempts", cli_json_number(record, "attempts"));
  print_attempts(cli, json_object_get(record, "history"));
  print_left_out(cli, json_object_get(record, "leftOut"));
  if (payload || packed) cli_printf(cli, "\n%s%s\n", packed ? "base64: " : "", payload ? payload : packed);
}
