/* doctor_relay.c - the relay of this machine, when it has one: does it run, what stays in its store, what waits. */
#include <unistd.h>
#include "cli/doctor.h"
#include "cli/json.h"
#include "cli/queue_call.h"
#include "relay/config.h"

static const char default_config[] = "/etc/ketlink/relay.ini";

/* --- what it says, line by line --- */

static struct str size_text(struct arena *arena, int64_t bytes) {
  static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  double value = (double)bytes;
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < sizeof units / sizeof units[0]; unit++)
    value /= 1024;
  struct str text = arena_printf(arena, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
  return text.ptr ? text : STR("?");
}

/* The hint comes with what has grown beyond its bound. */
static struct cli_doctor_line bounded(const char *check, struct str detail, bool grown, const char *fix) {
  return (struct cli_doctor_line){.check = check,
                                  .mark = grown ? DOCTOR_WARNING : DOCTOR_OK,
                                  .detail = detail,
                                  .fix = grown ? str_of(fix) : (struct str){0}};
}

/* It takes nothing more; what is there goes on. */
static struct cli_doctor_line full_line(const json_t *store, bool by_records, struct str size, struct str room, struct arena *arena) {
  struct str detail = by_records ? arena_printf(arena, "full: %lld records are open, and it takes nothing more (max-records)",
                                                (long long)cli_json_number(store, "maxRecords"))
                                 : arena_printf(arena, "full: %.*s, %.*s of the disk are free, and it takes nothing more (reserve-mib)",
                                                STR_ARG(size), STR_ARG(room));
  return bounded("store", detail, true, by_records ? "see why they wait, below; or raise max-records in [store], and restart" : "make room on its disk");
}

static struct cli_doctor_line store_line(const json_t *store, struct arena *arena) {
  int64_t bytes = cli_json_number(store, "bytes"), left = cli_json_number(store, "freeBytes");
  struct str size = size_text(arena, bytes), room = size_text(arena, left);
  const char *full = cli_json_text(store, "full");
  if (*full) return full_line(store, strcmp(full, "records") == 0, size, room, arena);
  return bounded("store", arena_printf(arena, "%.*s, %.*s of the disk are free", STR_ARG(size), STR_ARG(room)), left < bytes,
                 "make room: a copy of it needs as much again");
}

static struct cli_doctor_line trail_line(const json_t *store, struct arena *arena) {
  int64_t events = cli_json_number(store, "events");
  return bounded("trail", arena_printf(arena, "%lld events that were not exported", (long long)events),
                 events > DOCTOR_EVENTS_MAX, "ketlink audit export -o FILE; once it is kept: ketlink audit shorten NUMBER");
}

static struct cli_doctor_line ledger_line(const json_t *store, struct arena *arena) {
  int64_t places = cli_json_number(store, "ledgerPlaces");
  return bounded("ledger",
                 arena_printf(arena, "%lld places at servers, last revisions of %lld sessions", (long long)places,
                              (long long)cli_json_number(store, "revisionSubjects")),
                 places > DOCTOR_PLACES_MAX,
                 "they stay for good, some hundred bytes each: does what comes in have new identifiers each time?");
}

static struct cli_doctor_line finished_line(const json_t *store, const json_t *records, struct arena *arena) {
  int64_t ahead = cli_json_number(store, "clockAheadSeconds");
  if (ahead > DOCTOR_AHEAD_SECONDS_MAX)
    return bounded("finished", arena_printf(arena, "nothing goes by its age: the clock was %lld days ahead when the relay started", (long long)ahead / 86400), true,
                   "is the clock right? If so, the first delivery to a FHIR server shows it; else set it by NTP");
  int64_t done = cli_json_number(records, "done"), dropped = cli_json_number(records, "dropped");
  return bounded("finished",
                 arena_printf(arena, "%lld delivered, %lld dropped are kept, without their payload", (long long)done,
                              (long long)dropped),
                 done + dropped > DOCTOR_FINISHED_MAX, "lower keep-days in [store]");
}

static struct cli_doctor_line open_line(const json_t *store, const json_t *records, struct arena *arena) {
  const json_t *oldest = json_object_get(store, "oldest");
  int64_t id = cli_json_number(oldest, "id");
  int64_t parked = cli_json_number(records, "parked");
  int64_t open = cli_json_number(records, "queued") + cli_json_number(records, "sending") + cli_json_number(records, "unknown") + parked;
  struct str since = cli_json_second(oldest, "acceptedAt", arena);
  struct str detail = id ? arena_printf(arena, "%lld records, %lld of them parked; the oldest is %lld of %.*s", (long long)open,
                                        (long long)parked, (long long)id, STR_ARG(since))
                         : STR("no record waits");
  if (parked > 0) return bounded("open", detail, true, "somebody has to look at what is parked: ketlink queue list --state parked");
  return bounded("open", detail, cli_json_number(oldest, "ageSeconds") > DOCTOR_OPEN_SECONDS_MAX,
                 "ketlink queue show NUMBER says why it waits");
}

struct cli_doctor_line cli_doctor_sender(const json_t *destination, struct arena *arena) {
  const char *name = cli_json_text(destination, "name"), *trouble = cli_json_text(destination, "trouble"), *reason = cli_json_text(destination, "reason");
  const json_t *oldest = json_object_get(destination, "oldest");
  struct str since = cli_json_second(destination, "since", arena), waits = cli_json_second(oldest, "acceptedAt", arena);
  bool bad = *trouble, any = cli_json_number(oldest, "id") != 0;
  struct str how = bad ? arena_printf(arena, "%s since %.*s (%s)", trouble, STR_ARG(since), *reason ? reason : "?") : STR("well");
  struct str detail =
      arena_printf(arena, "%s: %.*s; %lld open, %lld of them parked%s%.*s", *name ? name : "?", STR_ARG(how),
                   (long long)cli_json_number(destination, "open"), (long long)cli_json_number(destination, "parked"),
                   any ? "; waits since " : "", any ? (int)waits.len : 0, any ? waits.ptr : "");
  return bounded("to", detail, bad, "see this reason in docs/operating.md; ketlink doctor NAME asks the server itself");
}

static struct cli_doctor_line missing_line(const json_t *store, struct arena *arena) {
  const json_t *missing = json_object_get(store, "missing");
  struct str names = {0};
  size_t index;
  json_t *name;
  json_array_foreach(missing, index, name) {
    names = arena_printf(arena, "%.*s%s%s", STR_ARG(names), index ? ", " : "", json_string_value(name));
  }
  return bounded("missing", names.len ? arena_printf(arena, "records wait for %.*s", STR_ARG(names)) : STR("no destination"),
                 names.len > 0, "the configuration has no [destination] of that name: give it back, or drop them");
}

void cli_doctor_store(const json_t *store, struct arena *arena, struct cli_doctor_line lines[DOCTOR_STORE_LINES]) {
  const json_t *records = json_object_get(store, "records");
  lines[0] = store_line(store, arena);
  lines[1] = trail_line(store, arena);
  lines[2] = ledger_line(store, arena);
  lines[3] = finished_line(store, records, arena);
  lines[4] = open_line(store, records, arena);
  lines[5] = missing_line(store, arena);
}

/* --- asking it --- */

static bool is_here(const struct cli *cli) {
  return cli_value(cli, "config") || cli_value(cli, "socket") || access(default_config, F_OK) == 0;
}

void cli_doctor_read_relay(struct cli_doctor *doctor) {
  struct cli *cli = doctor->cli;
  const char *path = cli_value(cli, "config");
  struct relay_config *relay = ARENA_NEW(cli->arena, struct relay_config);
  struct diag_list ignored;
  diag_list_init(&ignored, cli->arena);
  doctor->mappings = cli_value(cli, "mappings");
  doctor->definitions = cli_value(cli, "definitions");
  if (!relay || (!path && access(default_config, R_OK) != 0)) return;
  if (relay_config_look(path ? path : default_config, cli->host, cli->arena, &ignored, relay) != STATUS_OK) return;
  doctor->relay = relay;
  if (!doctor->mappings && relay->mappings.len) doctor->mappings = relay->mappings.ptr;
  if (!doctor->definitions && relay->definitions.len) doctor->definitions = relay->definitions.ptr;
}

/* What went wrong was said on stderr; the line says what it means for this check. */
static bool no_answer(struct cli_doctor *doctor, struct cli_doctor_line *line, int exit) {
  if (exit == CLI_CONFIG)
    return cli_doctor_fail(doctor, line, STATUS_CONFIG, "ketlink relay --check", "its configuration cannot be used");
  if (exit == CLI_UNAVAILABLE)
    return cli_doctor_warn(doctor, line, "systemctl start ketlink", "it does not run") && false;
  if (exit == CLI_PERMISSION)
    return cli_doctor_warn(doctor, line, "ask as the relay's user or as root", "it answers others nothing") && false;
  if (exit == CLI_TRY_LATER)
    return cli_doctor_fail(doctor, line, STATUS_UNAVAILABLE, "try again; ss -xp says who has its connections open", "it runs, and cannot answer now");
  return cli_doctor_fail(doctor, line, STATUS_UNAVAILABLE, "journalctl -u ketlink -n 20", "it gives no answer");
}

json_t *cli_doctor_ask_relay(struct cli_doctor *doctor, struct cli_doctor_line *line) {
  struct cli_queue queue;
  json_t *store = NULL;
  line->check = "relay";
  if (!is_here(doctor->cli)) {
    cli_doctor_ok(doctor, line, "none on this machine: no %s", default_config);
    return NULL;
  }
  int exit = cli_queue_open(doctor->cli, &queue);
  if (exit == CLI_DONE) exit = cli_queue_ask(&queue, "doctor", STR("/store"), NULL, &store);
  if (exit == CLI_DONE)
    cli_doctor_ok(doctor, line, "it runs, at %s", queue.socket);
  else
    (void)no_answer(doctor, line, exit);
  cli_queue_close(&queue);
  return store;
}
