/* queue_many.c - ketlink queue retry, park and drop with --where. */
#include "cli/queue_many.h"
#include "cli/json.h"
#include "cli/queue_call.h"

/* One "state=parked" into `where`; false: it is none, or stands there already. */
static bool read_part(struct cli *cli, struct str part, json_t *where) {
  size_t equals = str_find_char(part, '=', 0);
  struct str key = arena_str(cli->arena, str_slice(part, 0, equals == SIZE_MAX ? 0 : equals));
  struct str value = equals == SIZE_MAX ? (struct str){0} : str_slice(part, equals + 1, part.len);
  bool known = str_is(key, "state") || str_is(key, "destination") || str_is(key, "reason");
  if (!known || !value.len || json_object_get(where, key.ptr)) return false;
  return json_object_set_new(where, key.ptr, json_stringn(value.ptr, value.len)) == 0;
}

/* "state=parked,destination=ehr" as the object that the relay takes; NULL: said. Nothing at all is a variable of a script that was not
   set, and does not mean all. */
static json_t *read_where(struct cli *cli, const char *text) {
  json_t *where = json_object();
  struct str rest = str_of(text);
  do {
    size_t comma = str_find_char(rest, ',', 0), end = comma == SIZE_MAX ? rest.len : comma;
    struct str part = str_trim(str_slice(rest, 0, end));
    if (!read_part(cli, part, where)) {
      cli_usage(cli, "--where: '%.*s' is not one of state=, destination= and reason=, each once, separated by commas",
                STR_ARG(diag_clean(cli->arena, part)));
      json_decref(where);
      return NULL;
    }
    rest = end < rest.len ? str_slice(rest, end + 1, rest.len) : (struct str){0};
  } while (rest.len);
  return where;
}

/* --- portions: the relay takes a thousand at a time --- */

static const struct order {
  const char *verb, *target, *done;
  bool confirms;
} orders[] = {{"retry", "/queue/retry", "tried again", false}, {"park", "/queue/park", "parked", false}, {"drop", "/queue/drop", "dropped", true}};

static const struct order *order_of(const char *verb) {
  size_t at = 0;
  while (strcmp(orders[at].verb, verb) != 0)
    at++;
  return &orders[at];
}

struct many {
  json_int_t matched, changed, missing, overtaken;
  json_int_t last, after; /* that matched; where the next portion begins, 0: there is none */
};

static int ask_portion(struct cli_queue *queue, const struct order *order, json_t *body, bool dry, struct many *out) {
  json_t *answer = NULL;
  json_object_set_new(body, "dryRun", json_boolean(dry));
  int exit = cli_queue_ask(queue, arena_printf(queue->cli->arena, "queue %s", order->verb).ptr, str_of(order->target), body, &answer);
  *out = (struct many){.matched = cli_json_number(answer, "matched"),
                       .changed = cli_json_number(answer, "changed"),
                       .missing = cli_json_number(answer, "missing"),
                       .overtaken = cli_json_number(answer, "overtaken"),
                       .last = cli_json_number(answer, "last"),
                       .after = cli_json_number(answer, "after")};
  json_decref(answer);
  return exit;
}

static void add(struct many *sum, const struct many *portion) {
  sum->matched += portion->matched;
  sum->changed += portion->changed;
  sum->missing += portion->missing;
  sum->overtaken += portion->overtaken;
  if (portion->last) sum->last = portion->last;
}

/* What is dropped is at most what was confirmed: the relay drops none of a portion of which more match. */
static void confirm_portion(struct cli *cli, json_t *body, json_int_t left) {
  struct str count = arena_printf(cli->arena, "%lld", (long long)left);
  json_object_set_new(body, "confirm", json_string(count.ptr ? count.ptr : "0"));
}

static int ask_all(struct cli_queue *queue, const struct order *order, json_t *body, bool dry, json_int_t confirmed, struct many *sum) {
  struct many portion = {0};
  int exit = CLI_DONE;
  json_object_set_new(body, "after", json_integer(0));
  do {
    if (order->confirms && !dry) confirm_portion(queue->cli, body, confirmed - sum->matched);
    exit = ask_portion(queue, order, body, dry, &portion);
    if (exit != CLI_DONE) break;
    add(sum, &portion);
    json_object_set_new(body, "after", json_integer(portion.after));
  } while (portion.after);
  return exit;
}

/* --- confirming --- */

/* How many there are is typed, or was given; what comes later is left out. */
static int ask_count(struct cli_queue *queue, const struct order *order, json_t *body, json_int_t *confirmed) {
  struct cli *cli = queue->cli;
  const char *given = cli_value(cli, "confirm");
  struct many counted = {0};
  int exit = ask_all(queue, order, body, true, 0, &counted);
  if (exit != CLI_DONE) return exit;
  struct str count = arena_printf(cli->arena, "%lld", (long long)counted.matched);
  if (!count.ptr) return CLI_TRY_LATER;
  *confirmed = counted.matched;
  json_object_set_new(body, "through", json_integer(counted.last));
  if (!counted.matched || (given && strcmp(given, count.ptr) == 0)) return CLI_DONE;
  fprintf(stderr, "%s records match, and will never be delivered.\n", count.ptr);
  if (!given) fprintf(stderr, "Type how many they are to drop them: ");
  if (!given && cli_queue_confirmed(count.ptr)) return CLI_DONE;
  fprintf(stderr, "ketlink: not dropped\n");
  return CLI_FINDINGS;
}

/* --- the whole --- */

static int say_many(struct cli *cli, const struct order *order, const struct many *many, bool dry, bool complete) {
  if (cli->json)
    cli_printf(cli, "{\"dryRun\":%s,\"matched\":%lld,\"changed\":%lld,\"missing\":%lld,\"overtaken\":%lld,\"complete\":%s}\n",
               dry ? "true" : "false", (long long)many->matched, (long long)many->changed, (long long)many->missing, (long long)many->overtaken,
               complete ? "true" : "false");
  else if (complete)
    cli_note(cli, "%lld records match; %lld are %s%s", (long long)many->matched, (long long)many->changed, order->done,
             dry ? " (--dry-run)" : "");
  if (many->overtaken)
    fprintf(stderr,
            "ketlink: %lld of them were passed by a correction, and are parked as older-revision: docs/operating.md says what they are\n",
            (long long)many->overtaken);
  if (!many->missing) return many->overtaken ? CLI_FINDINGS : CLI_DONE;
  fprintf(stderr,
          "ketlink: %lld of them cannot go: the configuration has no [destination] for them any more; give it back under\n"
          "the name that ketlink queue list shows, or drop them\n", (long long)many->missing);
  return CLI_FINDINGS;
}

/* What was decided before stays. Of the portion that was asked for last a refusal says that it is as it was; no answer, or that of a
   relay that could not write, says nothing. */
static int say_incomplete(struct cli *cli, const struct order *order, const struct many *many, int exit) {
  bool refused = exit != CLI_TRY_LATER && exit != CLI_IO;
  if (refused && !many->matched) return exit; /* there is nothing but the refusal */
  if (many->changed) fprintf(stderr, "ketlink: before that %lld records were %s, and stay so\n", (long long)many->changed, order->done);
  fprintf(stderr, "ketlink: %s\n",
          refused ? "the others that match are as they were: look at them with --dry-run, and decide on them again"
                  : "what became of the next, up to a thousand, is not known: look with --dry-run at what still matches");
  (void)say_many(cli, order, many, false, false);
  return exit;
}

int cli_queue_many(struct cli *cli, const char *verb) {
  const struct order *order = order_of(verb);
  struct cli_queue queue;
  struct many many = {0};
  json_int_t confirmed = 0;
  bool dry = cli_flag(cli, "dry-run");
  json_t *where = read_where(cli, cli_value(cli, "where"));
  if (!where) return CLI_USAGE;
  json_t *body = json_pack("{s:o}", "where", where);
  int exit = cli_queue_open(cli, &queue);
  if (body && cli_value(cli, "reason")) json_object_set_new(body, "reason", json_string(cli_value(cli, "reason")));
  if (body) cli_queue_add_actor(body);
  if (exit == CLI_DONE && !body) exit = CLI_TRY_LATER;
  if (exit == CLI_DONE && order->confirms && !dry) exit = ask_count(&queue, order, body, &confirmed);
  bool asked = exit == CLI_DONE;
  if (asked) exit = ask_all(&queue, order, body, dry, confirmed, &many);
  if (exit == CLI_DONE)
    exit = say_many(cli, order, &many, dry, true);
  else if (asked && !dry)
    exit = say_incomplete(cli, order, &many, exit);
  json_decref(body);
  cli_queue_close(&queue);
  return exit;
}
