/* cmd_doctor.c - ketlink doctor: is everything there to send, and does the destination fit its server? */
#include "cli/doctor.h"
#include "cli/doctor_row.h"

/* --- lines --- */

static const struct {
  const char *shown, *word;
} marks[] = {{"ok", "ok"}, {"warn", "warning"}, {"FAIL", "failed"}, {"skip", "skipped"}};

static void __attribute__((format(printf, 3, 0)))
set_detail(struct cli_doctor *doctor, struct cli_doctor_line *line, const char *format,
                       va_list args) {
  line->detail = arena_vprintf(doctor->cli->arena, format, args);
}

bool cli_doctor_ok(struct cli_doctor *doctor, struct cli_doctor_line *line, const char *format, ...) {
  va_list args;
  va_start(args, format);
  set_detail(doctor, line, format, args);
  va_end(args);
  line->mark = DOCTOR_OK;
  return true;
}

bool cli_doctor_warn(struct cli_doctor *doctor, struct cli_doctor_line *line, const char *fix,
                     const char *format, ...) {
  va_list args;
  va_start(args, format);
  set_detail(doctor, line, format, args);
  va_end(args);
  line->mark = DOCTOR_WARNING;
  line->fix = str_of(fix);
  return true;
}

bool cli_doctor_fail(struct cli_doctor *doctor, struct cli_doctor_line *line, enum status status,
                     const char *fix, const char *format, ...) {
  va_list args;
  va_start(args, format);
  set_detail(doctor, line, format, args);
  va_end(args);
  line->mark = DOCTOR_FAILED;
  line->fix = str_of(fix);
  line->status = status;
  return false;
}

bool cli_doctor_fail_with(struct cli_doctor *doctor, struct cli_doctor_line *line, enum status status,
                          const char *fix, const struct diag_list *diags) {
  const struct diag *first = diags->first;
  size_t more = diags->count > 1 ? diags->count - 1 : 0;
  while (first && first->severity < DIAG_ERROR)
    first = first->next;
  if (more) cli_report(doctor->cli, diags);
  if (!first) return cli_doctor_fail(doctor, line, status, fix, "%s", status_name(status));
  struct str place = first->line ? arena_printf(doctor->cli->arena, ":%u:%u", first->line, first->col) : (struct str){0};
  return cli_doctor_fail(doctor, line, status, fix, "%.*s%.*s%s%.*s%s", STR_ARG(first->file), STR_ARG(place),
                         first->file.len ? ": " : "", STR_ARG(first->message), more ? " (and more)" : "");
}

static void print_line(struct cli_doctor *doctor, const struct cli_doctor_line *line) {
  struct buf text;
  struct str detail = diag_clean(doctor->cli->arena, line->detail.ptr ? line->detail : STR(""));
  buf_init(&text, LIMIT_TEXT_BYTES);
  if (doctor->cli->json) {
    buf_printf(&text, "{\"check\":\"%s\",\"mark\":\"%s\",\"detail\":", line->check, marks[line->mark].word);
    buf_add_json(&text, detail);
    buf_add_text(&text, ",\"fix\":");
    buf_add_json(&text, line->fix.ptr ? line->fix : STR(""));
    buf_add_text(&text, "}\n");
  } else {
    buf_printf(&text, "%-4s  %-13s  %.*s", marks[line->mark].shown, line->check, STR_ARG(detail));
    if (line->fix.len) buf_printf(&text, " -> %.*s", STR_ARG(line->fix));
    buf_add_char(&text, '\n');
  }
  cli_print(doctor->cli, buf_str(&text));
  buf_release(&text);
}

static void count_line(struct cli_doctor *doctor, const struct cli_doctor_line *line) {
  doctor->warnings += line->mark == DOCTOR_WARNING;
  doctor->failures += line->mark == DOCTOR_FAILED;
  doctor->skipped += line->mark == DOCTOR_SKIPPED;
  if (line->mark == DOCTOR_FAILED && doctor->worst == STATUS_OK) doctor->worst = line->status;
  print_line(doctor, line);
}

/* --- the tables, in turn --- */

static bool run_table(struct cli_doctor *doctor, const struct cli_doctor_check *checks, size_t count,
                      bool going) {
  for (size_t i = 0; i < count; i++) {
    struct cli_doctor_line line = {.check = checks[i].name, .mark = DOCTOR_SKIPPED};
    if (checks[i].when == (doctor->name ? DOCTOR_WITHOUT : DOCTOR_WITH_DESTINATION)) continue;
    if (going)
      going = checks[i].run(doctor, &line);
    else
      line.detail = STR("what failed above comes first");
    count_line(doctor, &line);
  }
  return going;
}

/* Whatever the token is worth, a statement that was read is compared. */
static enum status run_match(struct cli_doctor *doctor) {
  struct cli_doctor_line lines[DOCTOR_MATCH_LINES];
  struct cli_doctor_match match = {
      .destination = doctor->file.object, .capability = &doctor->capability, .arena = doctor->cli->arena};
  struct str *types = NULL;
  enum status status =
      mapping_created_types(pipeline_maps(doctor->pipeline), match.arena, &types, &match.type_count);
  match.types = types;
  if (status != STATUS_OK) return status;
  cli_doctor_match(&match, lines);
  for (size_t i = 0; i < DOCTOR_MATCH_LINES; i++)
    count_line(doctor, &lines[i]);
  return STATUS_OK;
}

/* Whatever is wrong with the maps: what it holds is worth knowing all the more. */
static void run_relay(struct cli_doctor *doctor) {
  struct cli_doctor_line line = {0}, lines[DOCTOR_STORE_LINES];
  json_t *store = cli_doctor_ask_relay(doctor, &line);
  count_line(doctor, &line);
  if (store) cli_doctor_store(store, doctor->cli->arena, lines);
  for (size_t i = 0; store && i < DOCTOR_STORE_LINES; i++)
    count_line(doctor, &lines[i]);
  size_t index;
  json_t *destination;
  json_array_foreach(json_object_get(store, "destinations"), index, destination) {
    struct cli_doctor_line sender = cli_doctor_sender(destination, doctor->cli->arena);
    count_line(doctor, &sender);
  }
  json_decref(store);
}

static int run(struct cli *cli) {
  struct cli_doctor doctor = {.cli = cli, .name = cli->argument_count ? cli->arguments[0] : NULL};
  if (doctor.name && cli_value(cli, "socket")) return cli_usage(cli, "--socket is of the relay: it goes without a destination");
  cli_doctor_read_relay(&doctor);
  bool going = run_table(&doctor, cli_doctor_local, cli_doctor_local_count, true);
  if (doctor.destination.protocol == DELIVERY_MLLP)
    (void)run_table(&doctor, cli_doctor_receiver, cli_doctor_receiver_count, going);
  else
    (void)run_table(&doctor, cli_doctor_server, cli_doctor_server_count, going);
  if (!doctor.name) run_relay(&doctor);
  enum status status = doctor.described ? run_match(&doctor) : STATUS_OK;
  if (status == STATUS_OK) status = doctor.worst;
  cli_note(cli, "%zu failed, %zu warnings, %zu skipped", doctor.failures, doctor.warnings, doctor.skipped);
  delivery_client_free(doctor.client);
  pipeline_close(doctor.pipeline);
  config_close(&doctor.file);
  return cli_exit_of(status);
}

const struct cli_command cli_doctor_command = {CLI_DOCTOR_ROW, .run = run};
