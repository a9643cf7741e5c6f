/* cmd_report.c - ketlink report: one session as a page for people. */
#include <jansson.h>
#include "cli/records.h"
#include "report/report.h"

static const struct cli_option options[] = {
    {"session", 's', "ID", "the session to show, where the input has several; the highest revision of it"},
    {"sent", 0, "FILE", "what `ketlink send --json` printed: shown as what was sent where"},
    {"include", 'i', "WHAT", "psychotherapy-notes: these too; else they are left out"},
};

/* What lasts for one call. */
struct page {
  struct cli *cli;
  struct pipeline *pipeline;
  struct arena *arena; /* of the record at hand */
  struct cli_records records;
  struct intake_input found; /* stands before the record to show */
  bool any;
  int64_t revision;
  struct report_sent *sent;
  size_t sent_count;
};

/* --- what was sent --- */

static struct str member(const json_t *row, const char *name, struct arena *arena) {
  const json_t *value = json_object_get(row, name);
  if (!json_is_string(value)) return (struct str){0};
  return arena_str(arena, str_make(json_string_value(value), json_string_length(value)));
}

/* A row says by its HTTP status why something was not stored, unless it has the reason in words. */
static struct str reason_of(const json_t *row, bool stored, struct arena *arena) {
  struct str reason = member(row, "reason", arena);
  long long status = json_integer_value(json_object_get(row, "status"));
  if (reason.len || stored) return reason;
  return status ? arena_printf(arena, "HTTP status %lld", status) : STR("not sent");
}

static bool read_row(struct str line, struct arena *arena, struct report_sent *out) {
  json_t *row = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES, NULL);
  bool good = json_is_object(row) && json_is_string(json_object_get(row, "type"));
  if (good) {
    bool stored = json_is_true(json_object_get(row, "stored"));
    *out = (struct report_sent){.destination = member(row, "destination", arena),
                                .type = member(row, "type", arena),
                                .key = member(row, "key", arena),
                                .location = member(row, "location", arena),
                                .version = member(row, "version", arena),
                                .reason = reason_of(row, stored, arena),
                                .action = member(row, "action", arena),
                                .stored = stored,
                                .in_note = json_is_true(json_object_get(row, "inSessionNote"))};
  }
  json_decref(row);
  return good;
}

static enum status bad_row(struct cli *cli, const char *path, struct str text, size_t at) {
  struct source source = source_make(str_of(path), text);
  struct diag_at where = {.source = &source, .offset = at};
  diag_error(&cli->diags, DIAG_INPUT_FORMAT, &where,
             "not a line that `ketlink send --json` prints: an object with type, key, status, stored");
  return STATUS_INVALID;
}

static enum status read_rows(struct page *page, const char *path, struct str text) {
  page->sent = ARENA_ARRAY(page->cli->arena, struct report_sent, LIMIT_BUNDLE_ENTRIES);
  if (!page->sent) return STATUS_NOMEM;
  for (size_t at = 0, end; at < text.len; at = end + 1) {
    end = tree_line_end(text, at);
    struct str line = str_trim(str_slice(text, at, end));
    if (!line.len) continue;
    if (page->sent_count == LIMIT_BUNDLE_ENTRIES) return STATUS_LIMIT;
    if (!read_row(line, page->cli->arena, &page->sent[page->sent_count])) return bad_row(page->cli, path, text, at);
    page->sent_count++;
  }
  return STATUS_OK;
}

static enum status read_sent(struct page *page) {
  const char *path = cli_value(page->cli, "sent");
  struct str text;
  if (!path) return STATUS_OK;
  enum status status = cli_read(page->cli, path, page->cli->arena, &page->cli->diags, &text);
  if (status == STATUS_OK) status = read_rows(page, path, text);
  if (status == STATUS_LIMIT)
    diag_error(&page->cli->diags, DIAG_INPUT_TOO_MANY, NULL, "--sent takes at most %d lines", LIMIT_BUNDLE_ENTRIES);
  cli_report(page->cli, &page->cli->diags);
  return status;
}

/* --- which record --- */

static enum status read_record(struct page *page, struct intake_input *input, struct diag_list *diags,
                               struct intake_record *record) {
  arena_reset(page->arena);
  diag_list_init(diags, page->arena);
  *record = (struct intake_record){0};
  return intake_next(input, pipeline_definitions(page->pipeline), pipeline_routes(page->pipeline), page->arena, diags,
                     record);
}

/* Lines that cannot be read are passed over: which session they tell of is not known. */
static enum status find_session(struct page *page, struct str wanted) {
  struct intake_input input = page->records.input;
  enum status status = STATUS_OK;
  for (;;) {
    struct intake_input before = input;
    struct diag_list diags;
    struct intake_record record;
    int64_t revision = 0;
    status = read_record(page, &input, &diags, &record);
    if (status != STATUS_OK && status != STATUS_INVALID && status != STATUS_LIMIT) break;
    const struct tree_node *session = record.root ? tree_find(record.root, "session") : NULL;
    if (!session || !str_eq(tree_text(session, "id"), wanted)) continue;
    if (!str_to_int64(tree_text(session, "revision"), &revision)) revision = 0;
    if (page->any && revision < page->revision) continue;
    page->any = true;
    page->revision = revision;
    page->found = before;
  }
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static int choose_record(struct page *page) {
  const char *session = cli_value(page->cli, "session");
  struct intake_input input = page->records.input;
  if (session) {
    enum status status = find_session(page, str_of(session));
    if (status != STATUS_OK) return cli_exit_of(status);
    if (!page->any) cli_note(page->cli, "%s: no record of this session can be read", page->records.path);
    return page->any ? CLI_DONE : CLI_DATA;
  }
  page->found = input;
  if (!intake_skip(&input)) return CLI_DONE; /* reading it says that there is none */
  if (intake_skip(&input))
    return cli_usage(page->cli, "%s has several records: choose one with --session ID", page->records.path);
  return CLI_DONE;
}

/* --- the page --- */

static enum status refuse_resource(const struct intake_record *record, struct diag_list *diags) {
  struct diag_at at = {.source = &record->source, .offset = tree_offset(record->root)};
  diag_error(diags, DIAG_INPUT_FORMAT, &at, "this is a FHIR resource; a clinic record is wanted");
  return STATUS_INVALID;
}

static enum status check_record(struct page *page, const struct intake_record *record, struct diag_list *diags) {
  struct validation_run run = {.any_extensions = true,
                               .host = page->cli->host,
                               .arena = page->arena,
                               .diags = diags,
                               .source = &record->source};
  if (!record->route) return refuse_resource(record, diags);
  enum status status = validation_check(pipeline_validation(page->pipeline), &run, record->root);
  return status == STATUS_OK && diag_failed(diags) ? STATUS_INVALID : status;
}

static enum status write_page(struct page *page, const struct intake_record *record) {
  struct report_params params = {.record = record->root,
                                 .arena = page->arena,
                                 .sent = page->sent,
                                 .sent_count = page->sent_count,
                                 .psychotherapy_notes = cli_flag(page->cli, "include")};
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  enum status status = report_session_html(&params, &text);
  if (status == STATUS_OK) cli_print(page->cli, buf_str(&text));
  buf_release(&text);
  return status;
}

static enum status show_record(struct page *page) {
  struct diag_list diags;
  struct intake_record record;
  enum status status = read_record(page, &page->found, &diags, &record);
  if (status == STATUS_OK) status = check_record(page, &record, &diags);
  if (status == STATUS_OK) status = write_page(page, &record);
  if (status == STATUS_NOMEM)
    status = cli_no_memory(page->records.path, record.source.first_line, page->arena, (struct arena_mark){0}, &diags);
  cli_report(page->cli, &diags);
  return status;
}

static int show(struct page *page) {
  enum status status = cli_records_open(page->cli, page->cli->arguments[0], &page->records);
  cli_report(page->cli, &page->records.diags);
  int result = status == STATUS_OK ? choose_record(page) : cli_exit_of(status);
  if (result == CLI_DONE) result = cli_exit_of(show_record(page));
  cli_records_close(&page->records);
  return result;
}

static int check_options(const struct cli *cli) {
  const char *include = cli_value(cli, "include");
  if (include && strcmp(include, "psychotherapy-notes") != 0)
    return cli_usage(cli, "--include takes psychotherapy-notes, not '%s'", include);
  if (cli->json) return cli_usage(cli, "a page has no JSON form: `ketlink export` gives the data of the session");
  return CLI_DONE;
}

static int run(struct cli *cli) {
  struct page page = {.cli = cli};
  int result = check_options(cli);
  if (result != CLI_DONE) return result;
  page.arena = arena_new(LIMIT_ARENA_BYTES);
  if (!page.arena) return CLI_TRY_LATER;
  result = cli_exit_of(read_sent(&page));
  if (result == CLI_DONE) result = cli_pipeline(cli, 0, &page.pipeline);
  if (result == CLI_DONE) result = show(&page);
  pipeline_close(page.pipeline);
  arena_free(page.arena);
  return result;
}

const struct cli_command cli_report_session = {
    .name = "report",
    .arguments = "RECORD",
    .summary = "show a session as a page: timeline, tables, what was sent where",
    .examples = "  ketlink report session.json -o session.html          open it in any browser, or print it\n"
                "  ketlink report --session S-000412 day.ndjson -o session.html\n"
                "  ketlink send --to hospital --json session.json > sent.ndjson\n"
                "  ketlink report --sent sent.ndjson session.json -o session.html\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .min_arguments = 1,
    .max_arguments = 1,
    .one_output = true,
    .run = run,
};
