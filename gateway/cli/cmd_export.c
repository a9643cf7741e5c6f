/* cmd_export.c - ketlink export: clinic records in, Bundles out; nothing leaves this host. */
#include <unistd.h>
#include "cli/crew.h"

static const struct cli_option options[] = {
    {"as", 'a', "SHAPE", "transaction, batch, collection (default) or ndjson"},
    {"for", 'f', "DESTINATION",
     "as a destination wants it: shape, profiles; a name in mappings/destinations, or a file"},
    {"include", 'i', "WHAT", "psychotherapy-notes: these too; else they stay at the clinic"},
    {"no-validate", 0, NULL, "do not check the Bundles (records are always checked)"},
    {"jobs", 'j', "N", "work with N threads (default 1; 0: one a processor); the output is the same"},
};

/* What lasts for all records of one call. */
struct export {
  struct cli *cli;
  struct pipeline *pipeline;
  struct bundle_shape shape;
  struct pipeline_policy policy;
  size_t jobs;
  /* while slots are printed */
  size_t records, bad, parked;
  enum status worst;
};

/* --- the shape --- */

static int check_shape(const struct cli *cli, struct bundle_shape *shape) {
  const char *word = cli_value(cli, "as");
  const char *include = cli_value(cli, "include");
  if (include && strcmp(include, "psychotherapy-notes") != 0)
    return cli_usage(cli, "--include takes psychotherapy-notes, not '%s'", include);
  *shape = bundle_shape_collection();
  shape->psychotherapy_notes = include != NULL;
  if (!word || bundle_submit_parse(str_of(word), &shape->submit)) return CLI_DONE;
  if (strcmp(word, "hl7v2") == 0) return cli_usage(cli, "--as hl7v2 is not yet to be had");
  return cli_usage(cli, "--as takes transaction, batch, collection or ndjson, not '%s'", word);
}

/* Of --for: its shape, unless --as says otherwise, and what it asks of Bundles. */
static int open_destination(struct export *export, const char *name) {
  struct cli *cli = export->cli;
  enum bundle_submit submit = export->shape.submit;
  struct str path;
  int result =
      cli_pipeline_for(cli, name, !cli_flag(cli, "no-validate"), &export->pipeline, &path, &export->policy);
  if (result != CLI_DONE) return result;
  enum status status = bundle_shape_read(path.ptr, cli->host, cli->arena, &cli->diags, &export->shape);
  cli_report(cli, &cli->diags);
  if (cli_flag(cli, "as")) export->shape.submit = submit;
  if (cli_flag(cli, "include")) export->shape.psychotherapy_notes = true;
  return status == STATUS_OK ? CLI_DONE : CLI_CONFIG;
}

static int open_way(struct export *export) {
  const char *destination = cli_value(export->cli, "for");
  return destination ? open_destination(export, destination)
                     : cli_pipeline(export->cli, true, &export->pipeline);
}

/* --- one record, by any thread --- */

struct slot {
  struct buf text, messages;
  enum status status; /* of the environment: the data's is in the counts */
  bool record, bad, parked;
};

static void write_resources(const struct tree_node *bundle, struct buf *out) {
  struct tree_write compact = {0};
  for (const struct tree_node *entry = tree_find(bundle, "entry"); entry; entry = tree_next_same(entry)) {
    tree_write_json(tree_find(entry, "resource"), &compact, out);
    buf_add_char(out, '\n');
  }
}

/* A Bundle a line where there are several. */
static void write_bundle(const struct export *export, const struct cli_item *item,
                         const struct tree_node *bundle, struct buf *out) {
  struct tree_write writing = {.pretty = export->cli->argument_count == 1 && !item->records->many};
  if (export->shape.submit == BUNDLE_RESOURCES) {
    write_resources(bundle, out);
  } else {
    tree_write_json(bundle, &writing, out);
    buf_add_char(out, '\n');
  }
}

static enum status export_record(const struct export *export, struct cli_item *item, struct arena *arena,
                                 struct diag_list *diags, struct slot *slot) {
  const struct pipeline *pipeline = export->pipeline;
  struct intake_record record;
  struct tree_node *bundle = NULL;
  struct pipeline_run run = {.arena = arena,
                             .diags = diags,
                             .shape = &export->shape,
                             .policy = &export->policy,
                             .parked = &slot->parked,
                             .validate = !cli_flag(export->cli, "no-validate")};
  enum status status = intake_next(&item->input, pipeline_definitions(pipeline), pipeline_routes(pipeline),
                                   arena, diags, &record);
  if (status == STATUS_OK) status = pipeline_export(pipeline, &record, &run, &bundle);
  if (slot->parked) {
    if (!export->cli->quiet)
      buf_printf(&slot->messages, "%.*s:%u: parked, as the destination wants it: nothing was written\n",
                 STR_ARG(record.source.name), record.source.first_line);
    return STATUS_OK;
  }
  if (status == STATUS_OK) write_bundle(export, item, bundle, &slot->text);
  return status == STATUS_OK ? slot->text.error : status;
}

static void export_item(void *context, struct cli_item *item, struct arena *arena, void *into) {
  const struct export *export = context;
  struct slot *slot = into;
  struct diag_list diags;
  slot->status = item->status;
  if (!item->records) return;
  slot->record = item->status == STATUS_OK;
  diag_list_init(&diags, arena);
  if (slot->record) slot->status = export_record(export, item, arena, &diags, slot);
  slot->bad = slot->record && (slot->status == STATUS_INVALID || slot->status == STATUS_LIMIT);
  if (slot->bad) slot->status = STATUS_OK;
  cli_render(export->cli, slot->record ? &diags : &item->records->diags, &slot->messages);
}

/* --- in order --- */

static void prepare_slot(void *context, void *at) {
  struct slot *slot = at;
  (void)context;
  buf_init(&slot->text, LIMIT_TEXT_BYTES);
  buf_init(&slot->messages, LIMIT_TEXT_BYTES);
}

static void release_slot(void *context, void *at) {
  struct slot *slot = at;
  (void)context;
  buf_release(&slot->text);
  buf_release(&slot->messages);
}

static void empty_slot(struct slot *slot) {
  buf_reset(&slot->text);
  buf_reset(&slot->messages);
  *slot = (struct slot){.text = slot->text, .messages = slot->messages};
}

/* A bad record is counted and passed over, and so is an input that cannot be read. */
static enum status print_slot(void *context, void *from) {
  struct export *export = context;
  struct slot *slot = from;
  if (slot->status == STATUS_OK && !slot->bad) cli_print(export->cli, buf_str(&slot->text));
  if (slot->messages.len) {
    cli_progress(export->cli, "", 1, 1);
    fwrite(slot->messages.ptr, 1, slot->messages.len, stderr);
  }
  export->records += slot->record;
  export->bad += slot->bad;
  export->parked += slot->parked;
  if (export->worst == STATUS_OK) export->worst = slot->status;
  empty_slot(slot);
  return STATUS_OK;
}

/* --- the whole --- */

static enum status export_all(struct export *export) {
  struct cli *cli = export->cli;
  struct cli_crew crew = {.cli = cli,
                          .paths = cli->arguments,
                          .path_count = cli->argument_count,
                          .jobs = export->jobs,
                          .progress = isatty(fileno(cli->out)) ? NULL : "exporting",
                          .context = export,
                          .slot_bytes = sizeof(struct slot),
                          .prepare = prepare_slot,
                          .release = release_slot,
                          .work = export_item,
                          .print = print_slot};
  enum status status = cli_crew_run(&crew);
  return export->worst != STATUS_OK ? export->worst : status;
}

static int verdict(const struct export *export, enum status worst) {
  if (worst != STATUS_OK) return cli_exit_of(worst);
  if (export->bad) return CLI_DATA;
  return export->parked ? CLI_FINDINGS : CLI_DONE;
}

static int run(struct cli *cli) {
  struct export export = {.cli = cli};
  int result = check_shape(cli, &export.shape);
  if (result == CLI_DONE) result = cli_crew_jobs(cli, &export.jobs);
  if (result == CLI_DONE) result = open_way(&export);
  if (result == CLI_DONE) {
    result = verdict(&export, export_all(&export));
    if (export.bad && export.records > 1)
      cli_note(cli, "%zu of %zu records are bad and were left out", export.bad, export.records);
  }
  pipeline_close(export.pipeline);
  return result;
}

const struct cli_command cli_export = {
    .name = "export",
    .arguments = "INPUT…",
    .summary = "translate clinic records into FHIR Bundles",
    .examples = "  ketlink export session.json                     one Bundle, for reading\n"
                "  ketlink export --as transaction session.json    as it would be sent\n"
                "  ketlink export --for medplum session.json       in the shape of a destination, checked as "
                "it wants\n"
                "  ketlink export --as ndjson day.ndjson -o day-fhir.ndjson\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .min_arguments = 1,
    .max_arguments = SIZE_MAX,
    .run = run,
};
