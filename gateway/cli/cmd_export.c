/* cmd_export.c - ketlink export: clinic records in, Bundles out; nothing leaves this host. */
#include <sys/stat.h>
#include <unistd.h>
#include "cli/bulk.h"
#include "cli/crew.h"
#include "cli/newest.h"

static const struct cli_option options[] = {
    {"as", 'a', "SHAPE",
     "transaction, batch, collection (default) or ndjson; of several records a Bundle a line. hl7v2: messages, one after the "
     "other"},
    {"for", 'f', "DESTINATION",
     "as a destination wants it: shape, profiles; a name in mappings/destinations, or a file"},
    {"include", 'i', "WHAT",
     "psychotherapy-notes: these too; else they stay at the clinic. session-note: the page of the session as a document "
     "(repeatable)"},
    {"no-validate", 0, NULL, "do not check the Bundles (records are always checked)"},
    {"jobs", 'j', "N", "work with N threads (default 1; 0: one a processor); the output is the same"},
};

/* What lasts for all records of one call. */
struct export {
  struct cli *cli;
  struct pipeline *pipeline;
  struct bundle_shape shape;
  struct pipeline_policy policy;
  bool hl7v2; /* messages in place of a Bundle */
  struct pipeline_message_policy messages;
  size_t jobs;
  struct cli_bulk *bulk; /* NULL: one output for all */
  /* while slots are printed */
  struct cli_newest newest; /* of a folder, which has each resource once */
  size_t records, bad, parked, older;
  enum status worst;
};

/* --- the shape --- */

static void add_included(const struct cli *cli, struct bundle_shape *shape) {
  const char *include;
  for (size_t i = 0; (include = cli_value_at(cli, "include", i)); i++) {
    shape->psychotherapy_notes |= strcmp(include, "psychotherapy-notes") == 0;
    if (strcmp(include, "session-note") == 0) shape->session_note = BUNDLE_NOTE_ALWAYS;
  }
}

static bool wants_messages(const struct cli *cli) {
  const char *word = cli_value(cli, "as");
  return word && strcmp(word, "hl7v2") == 0;
}

static int check_shape(const struct cli *cli, struct bundle_shape *shape) {
  const char *word = cli_value(cli, "as");
  const char *include;
  for (size_t i = 0; (include = cli_value_at(cli, "include", i)); i++)
    if (strcmp(include, "psychotherapy-notes") != 0 && strcmp(include, "session-note") != 0)
      return cli_usage(cli, "--include takes psychotherapy-notes or session-note, not '%s'", include);
  *shape = bundle_shape_collection();
  shape->psychotherapy_notes = false;
  add_included(cli, shape);
  if (!word || wants_messages(cli) || bundle_submit_parse(str_of(word), &shape->submit)) return CLI_DONE;
  return cli_usage(cli, "--as takes transaction, batch, collection, ndjson or hl7v2, not '%s'", word);
}

/* Of --for, when it is a receiver of HL7 v2. */
static int open_receiver(struct export *export, const char *path, enum destination_protocol protocol) {
  struct cli *cli = export->cli;
  if (protocol != DESTINATION_MLLP) return cli_usage(cli, "%s takes FHIR, not HL7 v2", cli_value(cli, "for"));
  if (cli_flag(cli, "as") && !wants_messages(cli)) return cli_usage(cli, "%s takes HL7 v2", cli_value(cli, "for"));
  enum status status = pipeline_message_policy_read(path, cli->host, cli->arena, &cli->diags, &export->messages);
  cli_report(cli, &cli->diags);
  export->hl7v2 = true;
  export->messages.psychotherapy_notes |= export->shape.psychotherapy_notes;
  return status == STATUS_OK ? CLI_DONE : CLI_CONFIG;
}

/* Of --for: its shape, unless --as says otherwise, and what it asks of Bundles. */
static int open_destination(struct export *export, const char *name) {
  struct cli *cli = export->cli;
  enum bundle_submit submit = export->shape.submit;
  struct str path;
  int result =
      cli_pipeline_for(cli, name, !cli_flag(cli, "no-validate"), &export->pipeline, &path, &export->policy);
  if (result != CLI_DONE) return result;
  enum destination_protocol protocol = DESTINATION_FHIR;
  enum status status = cli_protocol_of(cli, path.ptr, &protocol);
  if (status == STATUS_OK && (protocol == DESTINATION_MLLP || wants_messages(cli)))
    return open_receiver(export, path.ptr, protocol);
  if (status == STATUS_OK)
    status = bundle_shape_read(path.ptr, cli->host, cli->arena, &cli->diags, &export->shape);
  if (status == STATUS_OK)
    status = bundle_shape_check(path.ptr, cli->host, pipeline_definitions(export->pipeline), &cli->diags);
  cli_report(cli, &cli->diags);
  if (cli_flag(cli, "as")) export->shape.submit = submit;
  add_included(cli, &export->shape);
  return status == STATUS_OK ? CLI_DONE : CLI_CONFIG;
}

static int open_way(struct export *export) {
  const char *destination = cli_value(export->cli, "for");
  export->hl7v2 = wants_messages(export->cli);
  export->messages = pipeline_message_policy_usual();
  export->messages.psychotherapy_notes = export->shape.psychotherapy_notes;
  return destination ? open_destination(export, destination)
                     : cli_pipeline(export->cli, export->hl7v2 ? PIPELINE_MAPS_OUTGOING : cli_maps_of_inputs(export->cli), &export->pipeline);
}

/* --- one record, by any thread --- */

/* A resource in the text of a slot, for an output that takes them one by one. */
struct line {
  char type[CLI_BULK_TYPE_MAX + 1];
  unsigned char id[16];
  size_t length;
};

struct slot {
  struct buf text, messages;
  struct buf lines; /* of struct line */
  struct buf subject, place; /* what the record is a revision of, and where it stands */
  int64_t revision;
  enum status status; /* of the environment: the data's is in the counts */
  bool record, bad, parked;
};

/* All ids that this program makes are UUIDs; any other has the UUID of its text. */
static void add_line(const struct tree_node *resource, size_t length, struct buf *lines) {
  static const unsigned char nothing[16] = {0};
  struct str type = tree_text(resource, "resourceType"), id = tree_text(resource, "id");
  struct line line = {.length = length};
  char text[UUID_TEXT];
  snprintf(line.type, sizeof line.type, "%.*s", STR_ARG(type));
  if (!uuid_parse(id, line.id)) {
    uuid_v5(nothing, id, text);
    (void)uuid_parse(str_of(text), line.id);
  }
  buf_add(lines, (const char *)&line, sizeof line);
}

static void write_resources(const struct tree_node *bundle, struct slot *slot) {
  struct tree_write compact = {0};
  for (const struct tree_node *entry = tree_find(bundle, "entry"); entry; entry = tree_next_same(entry)) {
    const struct tree_node *resource = tree_find(entry, "resource");
    size_t from = slot->text.len;
    tree_write_json(resource, &compact, &slot->text);
    buf_add_char(&slot->text, '\n');
    add_line(resource, slot->text.len - from, &slot->lines);
  }
}

/* A Bundle a line where there are several. */
static void write_bundle(const struct export *export, const struct cli_item *item, struct tree_node *bundle,
                         struct slot *slot) {
  struct tree_write writing = {.pretty = export->cli->argument_count == 1 && !item->records->many};
  bundle_take_marks(bundle);
  if (export->shape.submit == BUNDLE_RESOURCES) {
    write_resources(bundle, slot);
  } else {
    tree_write_json(bundle, &writing, &slot->text);
    buf_add_char(&slot->text, '\n');
  }
}

/* As they go over the wire: in the destination's charset, segments end with CR. */
static enum status export_messages(const struct export *export, const struct intake_record *record,
                                   const struct pipeline_run *run, struct slot *slot) {
  struct pipeline_message *messages = NULL;
  size_t count = 0;
  enum status status = pipeline_messages(export->pipeline, record, run, &export->messages, &messages, &count);
  for (size_t i = 0; status == STATUS_OK && i < count; i++)
    buf_add_str(&slot->text, messages[i].bytes);
  return status;
}

static void name_revision(const struct export *export, const struct intake_record *record, struct arena *arena, struct slot *slot) {
  buf_add_str(&slot->subject, cli_newest_subject(export->pipeline, record, arena, &slot->revision));
  buf_printf(&slot->place, "%.*s:%u", STR_ARG(record->source.name), record->source.first_line);
}

static enum status export_record(const struct export *export, struct cli_item *item, struct arena *arena,
                                 struct diag_list *diags, struct slot *slot) {
  const struct pipeline *pipeline = export->pipeline;
  struct intake_record record = {0};
  struct tree_node *bundle = NULL;
  struct pipeline_run run = {.arena = arena,
                             .diags = diags,
                             .shape = &export->shape,
                             .policy = &export->policy,
                             .parked = &slot->parked,
                             .validate = !cli_flag(export->cli, "no-validate")};
  enum status status = intake_next(&item->input, pipeline_definitions(pipeline), pipeline_routes(pipeline),
                                   arena, diags, &record);
  if (status == STATUS_OK && export->bulk) name_revision(export, &record, arena, slot);
  if (status == STATUS_OK)
    status = export->hl7v2 ? export_messages(export, &record, &run, slot)
                           : pipeline_export(pipeline, &record, &run, &bundle);
  if (status == STATUS_NOMEM)
    return cli_no_memory(item->records->path, record.source.first_line, arena, (struct arena_mark){0}, diags);
  if (slot->parked) {
    if (!export->cli->quiet)
      buf_printf(&slot->messages, "%.*s:%u: parked, as the destination wants it: nothing was written\n",
                 STR_ARG(record.source.name), record.source.first_line);
    return STATUS_OK;
  }
  if (status == STATUS_OK && !export->hl7v2) write_bundle(export, item, bundle, slot);
  if (status == STATUS_OK) status = slot->text.error;
  return status == STATUS_OK ? slot->lines.error : status;
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
  if (slot->status == STATUS_OK) slot->status = slot->messages.error; /* findings that nobody reads are no findings */
}

/* --- in order --- */

static enum status print_lines(struct export *export, const struct slot *slot) {
  const struct line *lines = (const struct line *)(const void *)slot->lines.ptr;
  size_t count = slot->lines.len / sizeof *lines, at = 0;
  enum status status = STATUS_OK;
  for (size_t i = 0; status == STATUS_OK && i < count; i++) {
    struct str line = str_slice(buf_str(&slot->text), at, at + lines[i].length);
    status = cli_bulk_add(export->bulk, str_of(lines[i].type), lines[i].id, line);
    at += lines[i].length;
  }
  return status;
}

/* A full disk or too many resources end all: the output would not be whole. */
static enum status print_text(struct export *export, const struct slot *slot) {
  if (export->bulk) return print_lines(export, slot);
  cli_print(export->cli, buf_str(&slot->text));
  return ferror(export->cli->out) ? STATUS_IO : STATUS_OK;
}

/* Its resources would take the place of those of the correction, which came before. */
static void tell_older(struct export *export, struct slot *slot) {
  export->older++;
  buf_printf(&slot->messages, "%.*s: warning older-revision: a higher revision of this record came before: it is left out\n",
             STR_ARG(buf_str(&slot->place)));
}

static enum status print_good(struct export *export, struct slot *slot) {
  bool older = false;
  enum status status = cli_newest_ask(&export->newest, buf_str(&slot->subject), slot->revision, &older);
  if (older) tell_older(export, slot);
  return status == STATUS_OK && !older ? print_text(export, slot) : status;
}

/* A bad record is counted and passed over, and so is an input that cannot be read. */
static enum status print_slot(void *context, void *from) {
  struct export *export = context;
  struct slot *slot = from;
  enum status status = slot->status == STATUS_OK && !slot->bad ? print_good(export, slot) : STATUS_OK;
  if (slot->messages.len) {
    cli_progress(export->cli, "", 1, 1);
    fwrite(slot->messages.ptr, 1, slot->messages.len, stderr);
  }
  export->records += slot->record;
  export->bad += slot->bad;
  export->parked += slot->parked;
  if (export->worst == STATUS_OK) export->worst = slot->status;
  return status;
}

/* --- the whole --- */

static enum status export_all(struct export *export) {
  struct cli *cli = export->cli;
  bool scrolls = !export->bulk && isatty(fileno(cli->out));
  struct cli_crew crew = {.cli = cli,
                          .paths = cli->arguments,
                          .path_count = cli->argument_count,
                          .jobs = export->jobs,
                          .progress = scrolls ? NULL : "exporting",
                          .context = export,
                          .slot_bytes = sizeof(struct slot),
                          .slot_bufs = 5,
                          .work = export_item,
                          .print = print_slot};
  return cli_crew_run(&crew);
}

static int verdict(const struct export *export) {
  if (export->worst != STATUS_OK) return cli_exit_of(export->worst);
  if (export->bad) return CLI_DATA;
  return export->parked ? CLI_FINDINGS : CLI_DONE;
}

/* --as ndjson -o FOLDER: anything that is not there as a file, and does not look like the name of one. */
static bool goes_to_folder(const struct cli *cli) {
  const char *path = cli_value(cli, "output"), *as = cli_value(cli, "as");
  struct stat info;
  if (!path || !as || strcmp(as, "ndjson") != 0 || strcmp(path, "-") == 0) return false;
  if (stat(path, &info) == 0) return S_ISDIR(info.st_mode);
  return !str_ends(str_of(path), STR(".ndjson")) && !str_ends(str_of(path), STR(".jsonl")) &&
         !str_ends(str_of(path), STR(".json"));
}

/* What the folder holds: a line, or an object on stdout. */
static void print_totals(const struct export *export, const struct cli_bulk_totals *totals) {
  struct cli *cli = export->cli;
  struct buf files;
  if (!totals->resources) {
    cli_note(cli, "no resource: %s was not made", cli_value(cli, "output"));
    return;
  }
  cli_note(cli, "%zu resources in %zu files: %s (%zu came again as they were, %zu in a later version)",
           totals->resources, totals->files, cli_value(cli, "output"), totals->repeated, totals->replaced);
  if (!cli->json) return;
  buf_init(&files, LIMIT_TEXT_BYTES);
  cli_bulk_list(export->bulk, &files);
  cli_printf(cli, "{\"output\":%.*s,\"repeated\":%zu,\"replaced\":%zu}\n", STR_ARG(buf_str(&files)),
             totals->repeated, totals->replaced);
  buf_release(&files);
}

static enum status land_bulk(struct export *export) {
  struct cli_bulk_totals totals;
  enum status status = export->bulk ? cli_bulk_land(export->bulk, &totals) : STATUS_OK;
  if (export->bulk && status == STATUS_OK) print_totals(export, &totals);
  return status;
}

/* What ends a run: nothing that the data did. */
static int give_up(const struct export *export, enum status status) {
  if (status == STATUS_LIMIT)
    fprintf(stderr, "ketlink: more than %d resources; export the records in parts\n", LIMIT_EXPORT_LINES);
  else if (export->bulk)
    fprintf(stderr, "ketlink: %s was not made: %s\n", cli_value(export->cli, "output"), status_reason(status));
  return cli_exit_of(status);
}

static int export_to_end(struct export *export) {
  enum status status = export_all(export);
  if (status == STATUS_OK) status = land_bulk(export);
  if (export->bad && export->records > 1)
    cli_note(export->cli, "%zu of %zu records are bad and were left out", export->bad, export->records);
  if (export->older) cli_note(export->cli, "%zu of %zu records are older revisions and were left out", export->older, export->records);
  return status == STATUS_OK ? verdict(export) : give_up(export, status);
}

static int run(struct cli *cli) {
  struct export export = {.cli = cli};
  int result = check_shape(cli, &export.shape);
  if (result == CLI_DONE) result = cli_crew_jobs(cli, &export.jobs);
  if (result == CLI_DONE && goes_to_folder(cli))
    result = cli_exit_of(cli_bulk_open(cli, cli_value(cli, "output"), 0, &export.bulk));
  if (result == CLI_DONE && export.bulk) result = cli_exit_of(cli_newest_open(&export.newest));
  if (result == CLI_DONE) result = open_way(&export);
  if (result == CLI_DONE) result = export_to_end(&export);
  cli_bulk_free(export.bulk);
  cli_newest_close(&export.newest);
  pipeline_close(export.pipeline);
  return result;
}

const struct cli_command cli_export = {
    .name = "export",
    .arguments = "INPUT…",
    .summary = "translate clinic records into FHIR Bundles, or messages of HL7 v2",
    .examples = "  ketlink export session.json                     one Bundle, for reading\n"
                "  ketlink export --as transaction session.json    as it would be sent\n"
                "  ketlink export --for medplum session.json       in the shape of a destination, checked as "
                "it wants\n"
                "  ketlink export --as ndjson day.ndjson -o day-fhir.ndjson\n"
                "  ketlink export --as hl7v2 session.json          messages of HL7 v2: ADT, SIU, RAS, ORU, MDM (docs/hl7v2.md)\n"
                "  ketlink export --as transaction sets/march/     a folder of CSV files: docs/csv.md\n"
                "  ketlink export --as ndjson --jobs 0 *.json -o bulk    a folder: Patient.ndjson, Encounter.ndjson, "
                "…\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .min_arguments = 1,
    .max_arguments = SIZE_MAX,
    .into_folder = goes_to_folder,
    .run = run,
};
