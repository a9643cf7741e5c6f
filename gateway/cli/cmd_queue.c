/* cmd_queue.c - ketlink queue: what the relay holds, and what a person decides about it. */
#include "cli/json.h"
#include "cli/queue_call.h"
#include "cli/queue_many.h"
#include "cli/queue_print.h"
#include "cli/queue_row.h"

static int show_json(struct cli *cli, const struct cli_queue *queue) {
  cli_print(cli, buf_str(&queue->answer));
  return CLI_DONE;
}

/* --- looking --- */

/* Beside a list of what waits: which destinations take nothing, and why. */
static void note_troubles(struct cli_queue *queue) {
  json_t *store = NULL, *destination;
  size_t index;
  (void)cli_queue_ask(queue, "queue list", STR("/store"), NULL, &store);
  json_array_foreach(json_object_get(store, "destinations"), index, destination) {
    if (!*cli_json_text(destination, "trouble")) continue;
    struct str name = cli_json_shown(queue->cli, destination, "name"), trouble = cli_json_shown(queue->cli, destination, "trouble");
    struct str reason = cli_json_shown(queue->cli, destination, "reason"), since = cli_json_second(destination, "since", queue->cli->arena);
    cli_note(queue->cli, "%.*s is %.*s since %.*s: %.*s", STR_ARG(name), STR_ARG(trouble), STR_ARG(since), STR_ARG(reason));
  }
  json_decref(store);
}

static int run_list(struct cli *cli) {
  static const char *const parameters[] = {"state", "destination", "reason", "after", "limit"};
  struct cli_queue queue;
  struct buf target;
  json_t *answer = NULL;
  buf_init(&target, 16 << 10);
  buf_add_text(&target, "/queue");
  for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++)
    cli_queue_add_parameter(&target, parameters[i], cli_value(cli, parameters[i]));
  int exit = cli_queue_open(cli, &queue);
  if (exit == CLI_DONE) exit = cli_queue_ask(&queue, "queue list", buf_str(&target), NULL, &answer);
  if (exit == CLI_DONE && cli->json)
    show_json(cli, &queue);
  else if (exit == CLI_DONE) {
    cli_queue_print_list(cli, answer);
    note_troubles(&queue);
  }
  json_decref(answer);
  cli_queue_close(&queue);
  buf_release(&target);
  return exit;
}

static int run_show(struct cli *cli) {
  struct cli_queue queue;
  json_t *answer = NULL;
  const char *id = cli->arguments[0];
  if (!cli_queue_number(cli, id, "record")) return CLI_USAGE;
  struct str target =
      arena_printf(cli->arena, "/queue/%s%s", id, cli_flag(cli, "payload") ? "?payload=true" : "");
  int exit = cli_queue_open(cli, &queue);
  if (exit == CLI_DONE) exit = cli_queue_ask(&queue, id, target, NULL, &answer);
  if (exit == CLI_DONE && cli->json)
    show_json(cli, &queue);
  else if (exit == CLI_DONE)
    cli_queue_print_record(cli, answer);
  json_decref(answer);
  cli_queue_close(&queue);
  return exit;
}

/* --- deciding --- */

static int order_one(struct cli_queue *queue, const char *verb, const char *id, const char *confirm) {
  struct cli *cli = queue->cli;
  const char *reason = cli_value(cli, "reason");
  json_t *body = json_object(), *answer = NULL;
  struct str target = arena_printf(cli->arena, "/queue/%s/%s", id, verb);
  if (reason) json_object_set_new(body, "reason", json_string(reason));
  if (confirm) json_object_set_new(body, "confirm", json_string(confirm));
  cli_queue_add_actor(body);
  int exit = cli_queue_ask(queue, id, target, body, &answer);
  if (exit == CLI_DONE && cli->json)
    show_json(cli, queue);
  else if (exit == CLI_DONE)
    cli_note(cli, "%s: %s", id, cli_json_shown(cli, answer, "state").ptr);
  json_decref(answer);
  json_decref(body);
  return exit;
}

/* Refusals of one record do not keep the others; trouble with the relay does. */
static int order_all(struct cli *cli, const char *verb) {
  struct cli_queue queue;
  for (size_t i = 0; i < cli->argument_count; i++)
    if (!cli_queue_number(cli, cli->arguments[i], "record")) return CLI_USAGE;
  int exit = cli_queue_open(cli, &queue), worst = exit;
  for (size_t i = 0; i < cli->argument_count && (exit == CLI_DONE || exit == CLI_FINDINGS); i++) {
    exit = order_one(&queue, verb, cli->arguments[i], NULL);
    if (exit != CLI_DONE) worst = exit;
  }
  cli_queue_close(&queue);
  return worst;
}

static int run_pass(struct cli *cli) {
  return order_all(cli, "pass");
}

/* --- dropping --- */

/* Shows which record it is, and asks for its number. */
static int ask_number(struct cli_queue *queue, const char *id) {
  json_t *answer = NULL;
  int exit = cli_queue_ask(queue, id, arena_printf(queue->cli->arena, "/queue/%s", id), NULL, &answer);
  if (exit != CLI_DONE) return exit;
  fprintf(stderr, "Record %s (%s, for %s) will never be delivered.\nType its number to drop it: ", id,
          cli_json_shown(queue->cli, answer, "state").ptr, cli_json_shown(queue->cli, answer, "destination").ptr);
  json_decref(answer);
  if (cli_queue_confirmed(id)) return CLI_DONE;
  fprintf(stderr, "ketlink: not dropped\n");
  return CLI_FINDINGS;
}

static int drop_one(struct cli *cli) {
  struct cli_queue queue;
  const char *id = cli->arguments[0], *confirm = cli_value(cli, "confirm");
  if (!cli_queue_number(cli, id, "record")) return CLI_USAGE;
  if (cli_flag(cli, "dry-run")) return cli_usage(cli, "--dry-run goes with --where");
  if (confirm && strcmp(confirm, id) != 0) return cli_usage(cli, "--confirm is not the number of the record");
  int exit = cli_queue_open(cli, &queue);
  if (exit == CLI_DONE && !confirm) exit = ask_number(&queue, id);
  if (exit == CLI_DONE) exit = order_one(&queue, "drop", id, id);
  cli_queue_close(&queue);
  return exit;
}

/* --- one, some, or all that are found --- */

/* Numbers, or --where. */
static int order_some(struct cli *cli, const char *verb) {
  bool many = cli_flag(cli, "where");
  if (many == (cli->argument_count > 0)) return cli_usage(cli, "give the numbers of records, or --where");
  if (!many && cli_flag(cli, "dry-run")) return cli_usage(cli, "--dry-run goes with --where");
  return many ? cli_queue_many(cli, verb) : order_all(cli, verb);
}

static int run_retry(struct cli *cli) {
  return order_some(cli, "retry");
}

static int run_park(struct cli *cli) {
  if (!cli_value(cli, "reason") && !cli_flag(cli, "dry-run")) return cli_usage(cli, "--reason WORD is missing");
  return order_some(cli, "park");
}

static int run_drop(struct cli *cli) {
  bool many = cli_flag(cli, "where");
  if (!cli_value(cli, "reason") && !(many && cli_flag(cli, "dry-run"))) return cli_usage(cli, "--reason WORD is missing");
  return !many && cli->argument_count == 1 ? drop_one(cli) : order_some(cli, "drop");
}

const struct cli_command cli_queue_list = {CLI_QUEUE_LIST_ROW, .run = run_list};
const struct cli_command cli_queue_show = {CLI_QUEUE_SHOW_ROW, .run = run_show};
const struct cli_command cli_queue_retry = {CLI_QUEUE_RETRY_ROW, .run = run_retry};
const struct cli_command cli_queue_park = {CLI_QUEUE_PARK_ROW, .run = run_park};
const struct cli_command cli_queue_pass = {CLI_QUEUE_PASS_ROW, .run = run_pass};
const struct cli_command cli_queue_drop = {CLI_QUEUE_DROP_ROW, .run = run_drop};
