/* cmd_audit_check.c - ketlink audit check: whether files of exported events are as the relay's store wrote them. */
#include <stdlib.h>
#include "cli/audit_row.h"
#include "cli/json.h"
#include "cli/queue_call.h"

enum { WORD_MAX = 64, PORTION = 32 /* as many as a body of the relay's API has room for */, LINE_MAX_BYTES = 64 << 10 };

struct check {
  struct cli_queue queue;
  json_t *page;      /* of the relay's trail: which store, and where it begins */
  json_t *events;    /* that wait to be asked about */
  json_t *before;    /* chain of the one before them */
  const char *paths[PORTION];
  size_t lines[PORTION];
  const char *path;
  size_t line;
  json_int_t first, last, count;
  json_t *newest; /* the event of the number `last` */
  bool untied;    /* the first is of no beginning that is known here: nothing tells whether it is as it was */
};

static int complain(const struct check *check, const char *path, size_t line, const char *what) {
  fprintf(stderr, "%s:%zu: %s\n", path ? path : check->path, line, what);
  return CLI_FINDINGS;
}

/* --- an AuditEvent as the relay writes it --- */

static const char *identifier_in(const json_t *reference) {
  return cli_json_text(json_object_get(reference, "identifier"), "value");
}

/* The entity of that name; NULL: there is none. */
static const json_t *entity_of(const json_t *event, const char *display) {
  const json_t *entities = json_object_get(event, "entity");
  for (size_t i = 0; i < json_array_size(entities); i++) {
    const json_t *entity = json_array_get(entities, i);
    if (strcmp(cli_json_text(json_object_get(entity, "what"), "display"), display) == 0) return entity;
  }
  return NULL;
}

static json_int_t number_in(const json_t *entity) {
  int64_t number = 0;
  return str_to_int64(str_of(identifier_in(json_object_get(entity, "what"))), &number) ? (json_int_t)number : 0;
}

/* "2026-03-02T10:00:00.000Z" in milliseconds, as the relay writes it; 0: it is none, or written in another way. */
static json_int_t instant_in(const json_t *event) {
  struct str text = str_of(cli_json_text(event, "recorded"));
  struct datetime instant;
  char same[DATETIME_TEXT];
  if (!datetime_parse(text, DATETIME_INSTANT, &instant)) return 0;
  int64_t ms = datetime_to_ms(&instant, 0);
  return str_eq(text, str_make(same, datetime_write_ms(ms, same))) ? (json_int_t)ms : 0;
}

/* As the relay takes it; NULL: it is no event of a relay's trail. */
static json_t *event_of(const json_t *resource) {
  const json_t *place = entity_of(resource, "event of the trail"), *record = entity_of(resource, "record of the relay");
  const json_t *agent = json_array_get(json_object_get(resource, "agent"), 0);
  const char *chain = cli_json_text(json_array_get(json_object_get(place, "detail"), 0), "valueString");
  const char *words[] = {cli_json_text(place, "name"), json_is_true(json_object_get(agent, "requestor")) ? cli_json_text(agent, "name") : "",
                         cli_json_text(resource, "outcomeDesc"), chain};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (strlen(words[i]) > WORD_MAX) return NULL;
  if (!place || number_in(place) <= 0 || !*chain) return NULL;
  return json_pack("{s:I,s:I,s:I,s:s,s:s,s:s,s:s}", "number", number_in(place), "at", instant_in(resource), "record",
                   record ? number_in(record) : (json_int_t)0, "what", words[0], "actor", words[1], "reason", words[2], "chain", chain);
}

/* --- asking the relay --- */

static int ask_portion(struct check *check) {
  size_t count = json_array_size(check->events);
  json_t *answer = NULL, *body = json_pack("{s:O,s:O}", "before", check->before, "events", check->events);
  if (!count || !body) {
    json_decref(body);
    return count ? CLI_TRY_LATER : CLI_DONE;
  }
  int exit = cli_queue_ask(&check->queue, "audit check", STR("/audit/check"), body, &answer);
  size_t sound = (size_t)cli_json_number(answer, "sound");
  if (exit == CLI_DONE && sound < count)
    exit = complain(check, check->paths[sound], check->lines[sound], "this event was changed, or is not where it stood");
  json_decref(check->before);
  check->before = json_incref(json_object_get(json_array_get(check->events, count - 1), "chain"));
  json_array_clear(check->events);
  json_decref(answer);
  json_decref(body);
  return exit;
}

/* --- what the store still has: it reads nothing of its trail that its chain does not bear out --- */

/* Where its trail begins; 0: it is empty. */
static json_int_t store_begins(const struct check *check) {
  return cli_json_number(json_array_get(json_object_get(check->page, "events"), 0), "number");
}

/* *out is NULL when its trail ends before that number. */
static int ask_stored(struct check *check, json_int_t number, json_t **out) {
  json_t *answer = NULL;
  struct str target = arena_printf(check->queue.cli->arena, "/audit?format=fhir&limit=1&after=%lld", (long long)number - 1);
  int exit = target.ptr ? cli_queue_ask(&check->queue, "audit check", target, NULL, &answer) : CLI_TRY_LATER;
  json_t *event = event_of(json_object_get(json_array_get(json_object_get(answer, "entry"), 0), "resource"));
  *out = cli_json_number(event, "number") == number ? json_incref(event) : NULL;
  json_decref(event);
  json_decref(answer);
  return exit;
}

/* The first one of all is tied to none. Of a later beginning what ties it stands in the file before, but the store may have the event. */
static int begin(struct check *check, const json_t *event, json_int_t number) {
  json_t *stored = NULL;
  int exit = CLI_DONE;
  check->first = number;
  check->before = number == 1 ? json_string("") : json_incref(json_object_get(event, "chain"));
  if (number == 1) return exit;
  check->untied = !store_begins(check) || number < store_begins(check);
  if (!check->untied) exit = ask_stored(check, number, &stored);
  if (exit == CLI_DONE && !check->untied && stored && !json_equal(stored, event))
    exit = complain(check, NULL, check->line, "this event was changed, or is not where it stood");
  json_decref(stored);
  return exit;
}

/* A trail of which the end was taken away goes on as if nothing had been: only who has kept the end can tell. */
static int compare_end(struct check *check) {
  json_t *stored = NULL;
  if (!check->last || check->last < store_begins(check)) return CLI_DONE; /* it was shortened since */
  int exit = ask_stored(check, check->last, &stored);
  if (exit == CLI_FINDINGS || (exit == CLI_DONE && !stored)) /* nor the one before it */
    exit = complain(check, NULL, check->line, "the store's trail ends before this event: its end was taken away, or it is an older copy of the store");
  else if (exit == CLI_DONE && !json_equal(stored, check->newest))
    exit = complain(check, NULL, check->line, "the store has another event in this place: its end was taken away, or it is an older copy of the store");
  json_decref(stored);
  return exit;
}

static int add_event(struct check *check, json_t *event) {
  json_int_t number = cli_json_number(event, "number");
  if (check->last && number != check->last + 1) return complain(check, NULL, check->line, "events before this one are missing, or stand in another place");
  check->last = number;
  check->count++;
  json_decref(check->newest);
  check->newest = json_incref(event);
  if (!check->first) {
    int exit = begin(check, event, number);
    if (number > 1 || exit != CLI_DONE) return exit;
  }
  size_t at = json_array_size(check->events);
  check->paths[at] = check->path;
  check->lines[at] = check->line;
  if (json_array_append(check->events, event) != 0) return CLI_TRY_LATER;
  return at + 1 == PORTION ? ask_portion(check) : CLI_DONE;
}

static int take_line(struct check *check, const char *text, size_t len) {
  json_t *resource = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL), *event = event_of(resource);
  const char *store = identifier_in(json_object_get(json_object_get(resource, "source"), "observer"));
  int exit = CLI_DONE;
  if (!event)
    exit = complain(check, NULL, check->line, "this is no AuditEvent of ketlink audit export");
  else if (strcmp(store, cli_json_text(check->page, "store")) != 0)
    exit = complain(check, NULL, check->line, "this event is of another relay's store");
  else
    exit = add_event(check, event);
  json_decref(event);
  json_decref(resource);
  return exit;
}

/* --- the whole --- */

static int read_file(struct check *check) {
  FILE *file = fopen(check->path, "re");
  char *text = NULL;
  size_t room = 0;
  int exit = CLI_DONE;
  if (!file) {
    fprintf(stderr, "ketlink: %s: it cannot be read\n", check->path);
    return CLI_IO;
  }
  for (ssize_t len; exit == CLI_DONE && (len = getline(&text, &room, file)) > 0;) {
    check->line++;
    exit = len > LINE_MAX_BYTES ? complain(check, NULL, check->line, "this line is too long") : take_line(check, text, (size_t)len);
  }
  free(text);
  fclose(file);
  return exit;
}

/* Of the first that is tied to nothing here nobody knows. */
static void say(struct cli *cli, const struct check *check, bool sound) {
  json_int_t begins = store_begins(check), first = check->first + check->untied;
  if (cli->json)
    cli_printf(cli, "{\"sound\":%s,\"events\":%lld,\"first\":%lld,\"last\":%lld,\"storeBegins\":%lld}\n", sound ? "true" : "false",
               (long long)check->count - check->untied, (long long)first, (long long)check->last, (long long)begins);
  if (cli->json || !sound) return;
  cli_note(cli, "%lld events, %lld to %lld, are as the store wrote them", (long long)check->count - check->untied, (long long)first, (long long)check->last);
  if (check->untied) cli_note(cli, "what ties %lld stands in another file: alone nothing tells whether it was changed", (long long)check->first);
  if (check->first > 1) cli_note(cli, "what came before %lld stands in another file: give both", (long long)check->first);
  if (begins > check->last + 1) cli_note(cli, "what came after %lld, up to %lld, stands in another file: give both", (long long)check->last, (long long)begins - 1);
}

static int run_check(struct cli *cli) {
  struct check check = {.events = json_array()};
  int exit = cli_queue_open(cli, &check.queue);
  if (exit == CLI_DONE) exit = cli_queue_ask(&check.queue, "audit check", STR("/audit?limit=1"), NULL, &check.page);
  for (size_t i = 0; exit == CLI_DONE && i < cli->argument_count; i++) {
    check.path = cli->arguments[i];
    check.line = 0;
    exit = read_file(&check);
  }
  if (exit == CLI_DONE) exit = ask_portion(&check);
  if (exit == CLI_DONE) exit = compare_end(&check);
  if (exit == CLI_DONE || exit == CLI_FINDINGS) say(cli, &check, exit == CLI_DONE);
  json_decref(check.page);
  json_decref(check.events);
  json_decref(check.before);
  json_decref(check.newest);
  cli_queue_close(&check.queue);
  return exit;
}

const struct cli_command cli_audit_check = {CLI_AUDIT_CHECK_ROW, .run = run_check};
