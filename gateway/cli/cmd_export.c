/* cmd_export.c - ketlink export: clinic records in, Bundles out; nothing leaves this host. */
#include <sys/stat.h>
#include "cli/cli.h"

static const struct cli_option options[] = {
    {"as", 'a', "SHAPE", "transaction, batch, collection (default) or ndjson"},
    {"for", 'f', "DESTINATION",
     "as a destination wants it: shape, profiles; a name in mappings/destinations, or a file"},
    {"include", 'i', "WHAT", "psychotherapy-notes: these too; else they stay at the clinic"},
    {"no-validate", 0, NULL, "do not check the Bundles (records are always checked)"},
};

/* What lasts for all records of one call. */
struct export {
  struct cli *cli;
  struct pipeline *pipeline;
  struct bundle_shape shape;
  struct pipeline_policy policy;
  struct arena *arena; /* of the record on its way */
  struct buf text;     /* its output */
  bool one_line;       /* a Bundle a line: there are several */
  size_t records, bad, parked;
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

/* --- one record --- */

static void write_resources(struct export *export, const struct tree_node *bundle) {
  struct tree_write compact = {0};
  for (const struct tree_node *entry = tree_find(bundle, "entry"); entry; entry = tree_next_same(entry)) {
    tree_write_json(tree_find(entry, "resource"), &compact, &export->text);
    buf_add_char(&export->text, '\n');
  }
}

static enum status write_bundle(struct export *export, const struct tree_node *bundle) {
  struct tree_write writing = {.pretty = !export->one_line};
  buf_reset(&export->text);
  if (export->shape.submit == BUNDLE_RESOURCES) {
    write_resources(export, bundle);
  } else {
    tree_write_json(bundle, &writing, &export->text);
    buf_add_char(&export->text, '\n');
  }
  if (export->text.error == STATUS_OK) cli_print(export->cli, buf_str(&export->text));
  return export->text.error;
}

static enum status export_record(struct export *export, const struct intake_record *record,
                                 struct diag_list *diags) {
  struct tree_node *bundle = NULL;
  bool parked = false;
  struct pipeline_run run = {.arena = export->arena,
                             .diags = diags,
                             .shape = &export->shape,
                             .policy = &export->policy,
                             .parked = &parked,
                             .validate = !cli_flag(export->cli, "no-validate")};
  enum status status = pipeline_export(export->pipeline, record, &run, &bundle);
  if (!parked) return status == STATUS_OK ? write_bundle(export, bundle) : status;
  export->parked++;
  cli_note(export->cli, "%.*s:%u: parked, as the destination wants it: nothing was written",
           STR_ARG(record->source.name), record->source.first_line);
  return STATUS_OK;
}

/* The next record of an input; NOT_FOUND at its end. A bad record is counted and passed over. */
static enum status next_record(struct export *export, struct intake_input *input) {
  struct diag_list diags;
  struct intake_record record;
  arena_reset(export->arena);
  diag_list_init(&diags, export->arena);
  enum status status = intake_next(input, pipeline_definitions(export->pipeline),
                                   pipeline_routes(export->pipeline), export->arena, &diags, &record);
  if (status == STATUS_OK) status = export_record(export, &record, &diags);
  cli_report(export->cli, &diags);
  if (status == STATUS_NOT_FOUND) return status;
  export->records++;
  if (status != STATUS_INVALID && status != STATUS_LIMIT) return status;
  export->bad++;
  return STATUS_OK;
}

/* --- inputs --- */

/* NDJSON may be larger than what one document may be: such a file is mapped, not read. */
static bool is_large_file(const char *path) {
  struct stat info;
  return strcmp(path, "-") != 0 && stat(path, &info) == 0 && S_ISREG(info.st_mode) &&
         info.st_size > LIMIT_TEXT_BYTES;
}

static enum status export_text(struct export *export, const char *path, struct str text) {
  struct intake_input input = intake_open(str_of(path), text);
  enum status status = STATUS_OK;
  export->one_line = export->cli->argument_count > 1 || input.lines;
  while (status == STATUS_OK) {
    if (input.lines) cli_progress(export->cli, path, input.at, text.len + 1);
    status = next_record(export, &input);
  }
  if (input.lines) cli_progress(export->cli, path, text.len + 1, text.len + 1);
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status export_input(struct export *export, const char *path) {
  struct str text = {0};
  bool mapped = is_large_file(path);
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct diag_list diags;
  if (!arena) return STATUS_NOMEM;
  diag_list_init(&diags, arena);
  enum status status = mapped ? file_map(path, &text) : cli_read(export->cli, path, arena, &diags, &text);
  cli_report(export->cli, &diags);
  if (status == STATUS_OK) status = export_text(export, path, text);
  if (mapped && text.ptr) file_unmap(text);
  arena_free(arena);
  return status;
}

static int run(struct cli *cli) {
  struct export export = {.cli = cli};
  enum status worst = STATUS_OK;
  int result = check_shape(cli, &export.shape);
  if (result != CLI_DONE) return result;
  export.arena = arena_new(LIMIT_ARENA_BYTES);
  if (!export.arena) return CLI_TRY_LATER;
  buf_init(&export.text, LIMIT_TEXT_BYTES);
  result = open_way(&export);
  for (size_t i = 0; result == CLI_DONE && i < cli->argument_count; i++) {
    enum status status = export_input(&export, cli->arguments[i]);
    if (worst == STATUS_OK) worst = status;
  }
  if (result == CLI_DONE && worst != STATUS_OK) result = cli_exit_of(worst);
  if (result == CLI_DONE && export.bad) result = CLI_DATA;
  if (result == CLI_DONE && export.parked) result = CLI_FINDINGS;
  if (export.bad && export.records > 1)
    cli_note(cli, "%zu of %zu records are bad and were left out", export.bad, export.records);
  buf_release(&export.text);
  arena_free(export.arena);
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
