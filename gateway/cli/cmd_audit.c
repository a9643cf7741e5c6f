/* cmd_audit.c - ketlink audit: the relay's trail on the screen, out to a file, and out of the store once it is kept. */
#include <stdlib.h>
#include <sys/stat.h>
#include "cli/audit_row.h"
#include "cli/json.h"
#include "cli/queue_call.h"

enum { PAGE = 1000 }; /* as many as the relay gives at a time */

/* --- list --- */

static void print_event(struct cli *cli, const json_t *event) {
  struct str at = cli_json_second(event, "at", cli->arena), what = cli_json_shown(cli, event, "what"), actor = cli_json_shown(cli, event, "actor");
  struct str reason = cli_json_shown(cli, event, "reason");
  long long record = cli_json_number(event, "record");
  cli_printf(cli, "%8lld  %-20.*s  %-16.*s  ", cli_json_number(event, "number"), STR_ARG(at), STR_ARG(what));
  cli_printf(cli, record ? "%8lld" : "%8.0lld", record);
  cli_printf(cli, "  %-20.*s  %.*s\n", STR_ARG(actor), STR_ARG(reason));
}

static void print_events(struct cli *cli, json_t *answer) {
  const json_t *events = json_object_get(answer, "events"), *after = json_object_get(answer, "after");
  size_t index, shown = 0;
  json_t *event;
  json_array_foreach(events, index, event) {
    if (cli_flag(cli, "people") && !*cli_json_text(event, "actor")) continue;
    if (!shown++)
      cli_printf(cli, "%8s  %-20s  %-16s  %8s  %-20s  %s\n", "NUMBER", "AT", "EVENT", "RECORD", "WHO", "REASON");
    print_event(cli, event);
  }
  cli_note(cli, "%zu events", shown);
  if (json_is_integer(after)) cli_note(cli, "there are more: --after %lld", (long long)json_integer_value(after));
}

/* Those of a person, in what --json shows. */
static void print_json(struct cli *cli, json_t *answer) {
  json_t *events = json_object_get(answer, "events");
  for (size_t i = json_array_size(events); cli_flag(cli, "people") && i > 0; i--)
    if (!*cli_json_text(json_array_get(events, i - 1), "actor")) json_array_remove(events, i - 1);
  cli_json_print_line(cli, json_incref(answer));
}

static int run_list(struct cli *cli) {
  struct cli_queue queue;
  struct buf target;
  json_t *answer = NULL;
  buf_init(&target, 4096);
  buf_add_text(&target, "/audit");
  cli_queue_add_parameter(&target, "after", cli_value(cli, "after"));
  cli_queue_add_parameter(&target, "limit", cli_value(cli, "limit"));
  int exit = cli_queue_open(cli, &queue);
  if (exit == CLI_DONE) exit = cli_queue_ask(&queue, "audit list", buf_str(&target), NULL, &answer);
  if (exit == CLI_DONE) (cli->json ? print_json : print_events)(cli, answer);
  json_decref(answer);
  cli_queue_close(&queue);
  buf_release(&target);
  return exit;
}

/* --- export --- */

struct walk {
  struct cli_queue queue;
  json_int_t after, first, events; /* 0: none yet */
};

/* A file that begins with another event holds what the store may not have any more. */
static bool holds_others(const struct cli *cli, struct str page) {
  const char *path = cli_value(cli, "output");
  struct stat info;
  FILE *file = path && stat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_size ? fopen(path, "r") : NULL;
  size_t at = 0, end = str_find_char(page, '\n', 0), length = end == SIZE_MAX ? page.len : end + 1;
  int c = 0;
  while (file && at < length && (c = fgetc(file)) == (unsigned char)page.ptr[at])
    at++;
  bool others = file && (!length || at < length);
  if (file) fclose(file);
  return others;
}

static int check_file(struct cli *cli, struct str page) {
  if (!holds_others(cli, page)) return CLI_DONE;
  return cli_usage(cli, "%s begins with other events, which may stand nowhere else any more: name another file", cli_value(cli, "output"));
}

/* Their numbers first, then just these as AuditEvents, which have none. */
static int export_page(struct walk *walk, bool *more) {
  struct cli *cli = walk->queue.cli;
  json_t *answer = NULL;
  json_int_t after = walk->after;
  bool begins = !walk->first;
  int exit = cli_queue_ask(&walk->queue, "audit export",
                           arena_printf(cli->arena, "/audit?after=%lld&limit=%d", (long long)after, PAGE), NULL, &answer);
  const json_t *events = json_object_get(answer, "events");
  size_t count = json_array_size(events);
  *more = json_is_integer(json_object_get(answer, "after"));
  if (count && !walk->first) walk->first = cli_json_number(json_array_get(events, 0), "number");
  if (count) walk->after = cli_json_number(json_array_get(events, count - 1), "number");
  walk->events += (json_int_t)count;
  json_decref(answer);
  if (exit == CLI_DONE && !count && begins) return check_file(cli, STR(""));
  if (exit != CLI_DONE || !count) return exit;
  exit = cli_queue_get(&walk->queue, "audit export",
                       arena_printf(cli->arena, "/audit?format=ndjson&after=%lld&limit=%zu", (long long)after, count));
  if (exit == CLI_DONE && begins) exit = check_file(cli, buf_str(&walk->queue.answer));
  if (exit == CLI_DONE) cli_print(cli, buf_str(&walk->queue.answer));
  return exit;
}

/* Somebody who shortened the trail meanwhile has made of two answers to one question different ones. */
static int check_first(struct walk *walk, json_int_t after) {
  struct cli *cli = walk->queue.cli;
  json_t *answer = NULL;
  int exit = cli_queue_ask(&walk->queue, "audit export",
                           arena_printf(cli->arena, "/audit?after=%lld&limit=1", (long long)after), NULL, &answer);
  bool same = cli_json_number(json_array_get(json_object_get(answer, "events"), 0), "number") == walk->first;
  json_decref(answer);
  if (exit != CLI_DONE || same || !walk->first) return exit;
  fprintf(stderr, "ketlink: the trail was shortened meanwhile: export it again\n");
  return CLI_TRY_LATER;
}

static int run_export(struct cli *cli) {
  struct walk walk = {0};
  const char *word = cli_value(cli, "after");
  int64_t after = 0;
  bool more = true;
  if (word && (!str_to_int64(str_of(word), &after) || after < 0)) return cli_usage(cli, "--after takes the number of an event");
  walk.after = after;
  int exit = cli_queue_open(cli, &walk.queue);
  while (exit == CLI_DONE && more)
    exit = export_page(&walk, &more);
  if (exit == CLI_DONE) exit = check_first(&walk, after);
  if (exit == CLI_DONE && walk.events)
    cli_note(cli, "%lld events, %lld to %lld; once they are kept: ketlink audit shorten %lld", (long long)walk.events,
             (long long)walk.first, (long long)walk.after, (long long)walk.after);
  else if (exit == CLI_DONE)
    cli_note(cli, "no events");
  cli_queue_close(&walk.queue);
  return exit;
}

/* --- shorten --- */

static int ask_number(const char *number) {
  fprintf(stderr,
          "The events up to %s go out of the store for good: is what ketlink audit export wrote kept elsewhere?\n"
          "Type its number to take them out: ", number);
  if (cli_queue_confirmed(number)) return CLI_DONE;
  fprintf(stderr, "ketlink: nothing was taken out\n");
  return CLI_FINDINGS;
}

static int shorten(struct cli_queue *queue, const char *number) {
  struct cli *cli = queue->cli;
  int64_t through = 0;
  json_t *answer = NULL, *body = str_to_int64(str_of(number), &through) ? json_pack("{s:I}", "through", (json_int_t)through) : NULL;
  if (!body) return CLI_TRY_LATER;
  cli_queue_add_actor(body);
  int exit = cli_queue_ask(queue, number, STR("/audit/exported"), body, &answer);
  if (exit == CLI_DONE && cli->json)
    cli_print(cli, buf_str(&queue->answer));
  else if (exit == CLI_DONE)
    cli_note(cli, "taken out through %s; %lld events are left", number, (long long)cli_json_number(answer, "events"));
  json_decref(answer);
  json_decref(body);
  return exit;
}

static int run_shorten(struct cli *cli) {
  struct cli_queue queue;
  const char *number = cli->arguments[0], *confirm = cli_value(cli, "confirm");
  if (!cli_queue_number(cli, number, "event")) return CLI_USAGE;
  if (confirm && strcmp(confirm, number) != 0) return cli_usage(cli, "--confirm is not the number of the event");
  int exit = cli_queue_open(cli, &queue);
  if (exit == CLI_DONE && !confirm) exit = ask_number(number);
  if (exit == CLI_DONE) exit = shorten(&queue, number);
  cli_queue_close(&queue);
  return exit;
}

const struct cli_command cli_audit_list = {CLI_AUDIT_LIST_ROW, .run = run_list};
const struct cli_command cli_audit_export = {CLI_AUDIT_EXPORT_ROW, .run = run_export};
const struct cli_command cli_audit_shorten = {CLI_AUDIT_SHORTEN_ROW, .run = run_shorten};
