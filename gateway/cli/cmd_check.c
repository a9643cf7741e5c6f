/* cmd_check.c - ketlink check: the rules of care of each record, as a checklist. */
#include "cli/checklist.h"
#include "cli/crew.h"
#include "cli/inputs.h"

static const struct cli_option options[] = {
    {"fail-on", 0, "LEVEL", "exit 1 on error (default), warning or none"},
    {"jobs", 'j', "N", "check with N threads (default 1; 0: one a processor); the output is the same"},
};

/* What lasts for all records of one call. */
struct check {
  struct cli *cli;
  struct pipeline *pipeline;
  struct cli_inputs inputs;
  size_t jobs;
  enum diag_severity fail_on;
  /* while slots are printed */
  size_t records, with_errors, with_warnings, unreadable, resources;
  enum status worst;
};

struct slot {
  struct buf text, messages;
  enum status status; /* of the environment: the data's is below */
  bool unreadable, resource, errors, warnings;
};

/* --- one record, by any thread --- */

static enum status of_environment(enum status status) {
  bool data = status == STATUS_NOT_FOUND || status == STATUS_INVALID || status == STATUS_LIMIT;
  return data ? STATUS_OK : status;
}

static struct str name_of(const struct cli_item *item, uint32_t line, struct arena *arena) {
  struct str path = str_of(item->records->path);
  if (item->records->many) path = arena_printf(arena, "%.*s:%u", STR_ARG(path), line);
  return path.ptr ? diag_clean(arena, path) : path;
}

static void write_checklist(const struct check *check, const struct cli_checklist *checklist, struct arena *arena,
                            struct slot *slot) {
  struct diag_list others;
  const struct pipeline_checklist *list = checklist->list;
  check->cli->json ? cli_checklist_json(checklist, &slot->text) : cli_checklist_text(checklist, &slot->text);
  slot->errors = list->by_mark[PIPELINE_FAILS] || list->model_errors;
  slot->warnings = list->by_mark[PIPELINE_WARNS] != 0;
  if (cli_checklist_others(checklist, arena, &others)) cli_render(check->cli, &others, &slot->messages);
}

/* A folder may hold Bundles beside the records. */
static enum status check_record(const struct check *check, struct cli_item *item, struct arena *arena,
                                struct diag_list *diags, struct slot *slot) {
  struct intake_record record = {0};
  struct pipeline_checklist list;
  enum status status = intake_next(&item->input, pipeline_definitions(check->pipeline),
                                   pipeline_routes(check->pipeline), arena, diags, &record);
  slot->resource = check->inputs.folders && record.root && !record.route;
  if (slot->resource) return STATUS_OK;
  if (record.root && (status == STATUS_OK || status == STATUS_INVALID))
    status = pipeline_check(check->pipeline, &record, arena, diags, &list);
  slot->unreadable = !record.root || status != STATUS_OK;
  if (status == STATUS_NOMEM)
    status = cli_no_memory(item->records->path, record.source.first_line, arena, (struct arena_mark){0}, diags);
  if (slot->unreadable) {
    cli_render(check->cli, diags, &slot->messages);
    return of_environment(status);
  }
  struct cli_checklist checklist = {.name = name_of(item, record.source.first_line, arena),
                                    .path = item->records->path,
                                    .line = record.source.first_line,
                                    .list = &list,
                                    .diags = diags};
  write_checklist(check, &checklist, arena, slot);
  return slot->text.error;
}

static void check_item(void *context, struct cli_item *item, struct arena *arena, void *into) {
  const struct check *check = context;
  struct slot *slot = into;
  struct diag_list diags;
  slot->status = item->status;
  slot->unreadable = item->status != STATUS_OK;
  if (!item->records) return;
  diag_list_init(&diags, arena);
  if (item->status == STATUS_OK)
    slot->status = check_record(check, item, arena, &diags, slot);
  else
    cli_render(check->cli, &item->records->diags, &slot->messages);
}

/* --- in order --- */

static void count(struct check *check, const struct slot *slot) {
  check->records += !slot->resource;
  check->resources += slot->resource;
  check->unreadable += slot->unreadable;
  check->with_errors += slot->errors;
  check->with_warnings += slot->warnings;
  if (check->worst == STATUS_OK) check->worst = slot->status;
}

static enum status print_slot(void *context, void *from) {
  struct check *check = context;
  struct slot *slot = from;
  if (slot->text.len && check->records && !check->cli->json) cli_print(check->cli, STR("\n"));
  cli_print(check->cli, buf_str(&slot->text));
  if (slot->messages.len) {
    cli_progress(check->cli, "", 1, 1);
    fwrite(slot->messages.ptr, 1, slot->messages.len, stderr);
  }
  count(check, slot);
  return ferror(check->cli->out) ? STATUS_IO : STATUS_OK;
}

/* --- the whole --- */

static void print_summary(const struct check *check) {
  const struct cli *cli = check->cli;
  if (check->resources)
    cli_note(cli, "passed over, because no record: %zu FHIR resource%s", check->resources, check->resources == 1 ? "" : "s");
  if (check->records == 1 && !check->inputs.folders) return; /* its checklist says it all */
  cli_note(cli, "%zu record%s: %zu with errors, %zu with warnings, %zu could not be read", check->records,
           check->records == 1 ? "" : "s", check->with_errors, check->with_warnings, check->unreadable);
}

/* As validate: what could not be read weighs more than what was found in what could. */
static int verdict(const struct check *check, enum status status) {
  if (status != STATUS_OK) return cli_exit_of(status);
  if (check->worst != STATUS_OK) return cli_exit_of(check->worst);
  if (check->unreadable) return CLI_DATA;
  if (check->with_errors && check->fail_on <= DIAG_ERROR) return CLI_FINDINGS;
  return check->with_warnings && check->fail_on <= DIAG_WARNING ? CLI_FINDINGS : CLI_DONE;
}

static int check_all(struct check *check) {
  struct cli *cli = check->cli;
  struct diag_list diags;
  diag_list_init(&diags, cli->arena);
  check->inputs.pipeline = cli->pipeline;
  enum status found =
      cli_inputs_find(cli->host, cli->arguments, cli->argument_count, cli->arena, &diags, &check->inputs);
  cli_report(cli, &diags);
  struct cli_crew crew = {.cli = cli,
                          .paths = check->inputs.paths,
                          .path_count = check->inputs.count,
                          .jobs = check->jobs,
                          .context = check,
                          .slot_bytes = sizeof(struct slot),
                          .slot_bufs = 2,
                          .work = check_item,
                          .print = print_slot};
  enum status status = cli_crew_run(&crew);
  print_summary(check);
  return verdict(check, found != STATUS_OK ? found : status);
}

static int run(struct cli *cli) {
  struct check check = {.cli = cli};
  struct pipeline_params params = {.host = cli->host,
                                   .definitions = cli_value(cli, "definitions"),
                                   .mappings = cli_value(cli, "mappings"),
                                   .checklist = true};
  int result = cli_fail_on(cli, &check.fail_on);
  if (result == CLI_DONE) result = cli_crew_jobs(cli, &check.jobs);
  if (result == CLI_DONE) result = cli_pipeline_open(cli, &params, &check.pipeline);
  if (result == CLI_DONE) result = check_all(&check);
  pipeline_close(check.pipeline);
  return result;
}

const struct cli_command cli_check = {
    .name = "check",
    .arguments = "RECORD|FOLDER…",
    .summary = "go through the rules of care of clinic records, as a checklist",
    .examples =
        "  ketlink check session.json                 ✓ holds  ! warning  ✗ error  – not applicable  ○ off  ? not known\n"
        "  ketlink check --json day.ndjson            an object a record, with the places in the record\n"
        "  ketlink check --fail-on warning today/     exit 1 if anything has to be looked at\n"
        "  Which rule is an error, a warning or off: mappings/policy.json\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .min_arguments = 1,
    .max_arguments = SIZE_MAX,
    .run = run,
};
