/*
 * cmd_map_test.c - ketlink map test: each fixture through the whole pipeline, compared with what it must
 * become.
 *
 * A fixture is a folder with record.json or message.hl7, and expected.json (the Bundle) or expected.diagnostics
 * (`severity code line:col path`, a line for each warning and error; of a message also for what no rule read). Differences name the element, the record's
 * position that the value came from, and the rule that wrote it.
 */
#include <errno.h>
#include <unistd.h>
#include "cli/fixtures.h"
#include "cli/map_diff.h"

enum { DIFFERENCES_MAX = 40 };

static const struct cli_option options[] = {
    {"update", 'u', NULL,
     "write what comes out as what is expected; look at the difference before you commit"},
    {"junit", 'j', "FILE", "also write a JUnit report"},
};

/* One call. */
struct tester {
  struct cli *cli;
  struct pipeline *pipeline;
  struct cli_fixtures fixtures;
  size_t failed, updated;
};

/* One fixture at work. */
struct trial {
  struct tester *tester;
  struct cli_fixture *fixture;
  struct arena *arena;
  struct diag_list diags;
  struct buf report;
  struct intake_record record;
  struct tree_node *bundle;
  struct cli_map_diff diff;
};

/* --- one fixture -----------------------------------------------------------------------------------------
 */

/* Its text, or that it is not there. */
static bool is_known(enum status status) {
  return status == STATUS_OK || status == STATUS_NOT_FOUND;
}

static enum status complain(const struct trial *trial, const char *name, const char *what, enum status status) {
  if (!is_known(status))
    fprintf(stderr, "ketlink map test: %s/%s cannot be %s: %s\n", trial->fixture->folder, name, what, status_reason(status));
  return status;
}

/* Says why not, unless it is not there. */
static enum status read_file(struct trial *trial, const char *name, struct source *out) {
  const struct host *host = trial->tester->cli->host;
  struct str path = arena_printf(trial->arena, "%s/%s", trial->fixture->folder, name), text;
  if (!path.ptr) return STATUS_NOMEM;
  enum status status = host->read_file(host->context, path.ptr, LIMIT_TEXT_BYTES, trial->arena, &text);
  if (status == STATUS_OK) *out = source_make(str_of(name), text);
  return complain(trial, name, "read", status);
}

static enum status write_file(struct trial *trial, const char *name, struct str content) {
  const struct host *host = trial->tester->cli->host;
  struct source old;
  struct str path = arena_printf(trial->arena, "%s/%s", trial->fixture->folder, name);
  if (!path.ptr) return STATUS_NOMEM;
  enum status status = read_file(trial, name, &old);
  if (status == STATUS_OK && str_eq(old.text, content)) return STATUS_OK;
  if (!is_known(status)) return status;
  trial->tester->updated++;
  return complain(trial, name, "written", host->write_file(host->context, path.ptr, content, false));
}

static enum status remove_file(struct trial *trial, const char *name) {
  struct str path = arena_printf(trial->arena, "%s/%s", trial->fixture->folder, name);
  if (!path.ptr) return STATUS_NOMEM;
  bool removed = unlink(path.ptr) == 0;
  trial->tester->updated += removed;
  return removed || errno == ENOENT ? STATUS_OK : complain(trial, name, "removed", STATUS_DENIED);
}

static void note_write(void *context, const struct mapping_trace *t) {
  struct trial *trial = context;
  if (t->event == MAPPING_WRITE) cli_map_diff_note(&trial->diff, t);
}

/* The record through the pipeline; what is wrong with it stands in the trial's list. */
static enum status export_record(struct trial *trial, const struct source *record) {
  const struct pipeline *pipeline = trial->tester->pipeline;
  struct intake_input input = intake_open(record->name, record->text);
  struct pipeline_run run = {.arena = trial->arena,
                             .diags = &trial->diags,
                             .validate = true,
                             .trace = note_write,
                             .trace_context = trial};
  enum status status = intake_next(&input, pipeline_definitions(pipeline), pipeline_routes(pipeline),
                                   trial->arena, &trial->diags, &trial->record);
  return status == STATUS_OK ? pipeline_export(pipeline, &trial->record, &run, &trial->bundle) : status;
}

/* Warnings and errors. Information is left out, but of messages: which parts of a record have no map yet is no matter of a
   fixture; that each field of a message is read or told is what its fixture shows. */
static struct str diagnostics(struct trial *trial) {
  struct buf text;
  bool is_message = str_ends(str_of(trial->fixture->file), STR(".hl7"));
  buf_init(&text, LIMIT_TEXT_BYTES);
  for (const struct diag *diag = trial->diags.first; diag; diag = diag->next) {
    if (diag->severity == DIAG_INFORMATION && (!is_message || diag->code != DIAG_UNREAD_VALUE)) continue;
    buf_printf(&text, "%s %s", diag_severity_name(diag->severity), diag_code_name(diag->code));
    if (diag->line) buf_printf(&text, " %u:%u", diag->line, diag->col);
    if (diag->path.len) buf_printf(&text, " %.*s", STR_ARG(diag->path));
    buf_add_char(&text, '\n');
  }
  struct str copy = text.len ? buf_take_str(&text, trial->arena) : STR("");
  buf_release(&text);
  return copy;
}

static struct str bundle_text(struct trial *trial) {
  struct tree_write writing = {.pretty = true};
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  tree_write_json(trial->bundle, &writing, &text);
  buf_add_char(&text, '\n');
  struct str copy = buf_take_str(&text, trial->arena);
  buf_release(&text);
  return copy;
}

/* --- comparing -------------------------------------------------------------------------------------------
 */

static struct str next_line(struct str text, size_t *at) {
  size_t end = str_find_char(text, '\n', *at);
  struct str line = str_slice(text, *at, end);
  *at = end == SIZE_MAX ? text.len : end + 1;
  return line;
}

static bool has_line(struct str text, struct str wanted) {
  for (size_t at = 0; at < text.len;)
    if (str_eq(next_line(text, &at), wanted)) return true;
  return false;
}

static void compare_diagnostics(struct trial *trial, struct str want, struct str got) {
  if (str_eq(want, got)) return;
  trial->fixture->failed = true;
  size_t before = trial->report.len;
  for (size_t at = 0; at < want.len;) {
    struct str line = next_line(want, &at);
    if (!has_line(got, line)) buf_printf(&trial->report, "  - %.*s\n", STR_ARG(line));
  }
  for (size_t at = 0; at < got.len;) {
    struct str line = next_line(got, &at);
    if (!has_line(want, line)) buf_printf(&trial->report, "  + %.*s\n", STR_ARG(line));
  }
  if (trial->report.len == before)
    buf_add_text(&trial->report, "  ~ the findings come in another order or number\n");
}

static void compare_bundle(struct trial *trial, const struct source *want) {
  struct tree_node *expected = NULL;
  const struct definitions *definitions = pipeline_definitions(trial->tester->pipeline);
  if (tree_read_json(want, NULL, trial->arena, &trial->diags, &expected) != STATUS_OK ||
      definitions_bind(definitions, NULL, expected, want, trial->arena, &trial->diags) != STATUS_OK) {
    buf_add_text(&trial->report, "  expected.json cannot be read\n");
    trial->fixture->failed = true;
    return;
  }
  trial->diff.arena = trial->arena;
  trial->diff.out = &trial->report;
  trial->diff.record = &trial->record.source;
  trial->diff.max = DIFFERENCES_MAX;
  if (cli_map_diff(&trial->diff, expected, trial->bundle)) trial->fixture->failed = true;
}

static void compare(struct trial *trial, enum status status) {
  struct source want = {0}, findings = {0};
  enum status of_want = read_file(trial, "expected.json", &want);
  enum status of_findings = read_file(trial, "expected.diagnostics", &findings);
  bool has_want = of_want == STATUS_OK, has_findings = of_findings == STATUS_OK;
  if (!is_known(of_want) || !is_known(of_findings)) {
    buf_add_text(&trial->report, "  what is expected cannot be read\n");
    trial->fixture->failed = true;
    return;
  }
  compare_diagnostics(trial, findings.text, diagnostics(trial));
  if (status == STATUS_OK && has_want) {
    compare_bundle(trial, &want);
    return;
  }
  if (status != STATUS_OK && !has_want && has_findings) return;
  trial->fixture->failed = true;
  if (status == STATUS_OK)
    buf_printf(&trial->report, "  + a Bundle comes out, there is no expected.json (--update writes it)\n");
  else
    buf_printf(&trial->report,
               has_want ? "  - no Bundle comes out\n" : "  + findings, and nothing is expected\n");
}

static enum status update(struct trial *trial, enum status exported) {
  struct str findings = diagnostics(trial);
  enum status status = STATUS_OK;
  if (exported == STATUS_OK)
    status = write_file(trial, "expected.json", bundle_text(trial));
  else
    status = remove_file(trial, "expected.json");
  if (status != STATUS_OK) return status;
  return findings.len ? write_file(trial, "expected.diagnostics", findings)
                      : remove_file(trial, "expected.diagnostics");
}

static enum status run_fixture(struct tester *t, struct cli_fixture *fixture) {
  struct trial trial = {.tester = t, .fixture = fixture, .arena = arena_new(LIMIT_ARENA_BYTES)};
  struct source record;
  if (!trial.arena) return STATUS_NOMEM;
  buf_init(&trial.report, LIMIT_TEXT_BYTES);
  diag_list_init(&trial.diags, trial.arena);
  cli_map_diff_init(&trial.diff, trial.arena);
  enum status status = read_file(&trial, fixture->file, &record);
  if (status != STATUS_OK) goto done;
  enum status exported = export_record(&trial, &record);
  if (cli_flag(t->cli, "update"))
    status = update(&trial, exported);
  else
    compare(&trial, exported);
  fixture->report = trial.report.len ? buf_take_str(&trial.report, t->cli->arena) : STR("");
done:
  buf_release(&trial.report);
  arena_free(trial.arena);
  return status;
}

/* --- reports ---------------------------------------------------------------------------------------------
 */

static void add_xml(struct buf *out, struct str text) {
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (c == '&')
      buf_add_text(out, "&amp;");
    else if (c == '<')
      buf_add_text(out, "&lt;");
    else if (c == '"')
      buf_add_text(out, "&quot;");
    else if ((unsigned char)c >= ' ' || c == '\n' || c == '\t')
      buf_add_char(out, c);
  }
}

static enum status write_junit(struct tester *t, const char *path) {
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  buf_printf(&text,
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"ketlink map test\" tests=\"%zu\" "
             "failures=\"%zu\">\n",
             t->fixtures.count, t->failed);
  for (const struct cli_fixture *f = t->fixtures.first; f; f = f->next) {
    buf_add_text(&text, "  <testcase name=\"");
    add_xml(&text, str_of(f->folder));
    buf_add_text(&text, f->failed ? "\"><failure message=\"differs\">" : "\"/>\n");
    if (!f->failed) continue;
    add_xml(&text, f->report);
    buf_add_text(&text, "</failure></testcase>\n");
  }
  buf_add_text(&text, "</testsuite>\n");
  enum status status = text.error;
  if (status == STATUS_OK)
    status = t->cli->host->write_file(t->cli->host->context, path, buf_str(&text), false);
  buf_release(&text);
  if (status != STATUS_OK) fprintf(stderr, "ketlink map test: %s: %s\n", path, status_reason(status));
  return status;
}

static void print_json(struct tester *t) {
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  buf_add_text(&text, "[");
  for (const struct cli_fixture *f = t->fixtures.first; f; f = f->next) {
    buf_add_text(&text, f == t->fixtures.first ? "\n  {\"fixture\": " : ",\n  {\"fixture\": ");
    tree_write_string(str_of(f->folder), &text);
    buf_printf(&text, ", \"passed\": %s, \"report\": ", f->failed ? "false" : "true");
    tree_write_string(f->report, &text);
    buf_add_char(&text, '}');
  }
  buf_add_text(&text, "\n]\n");
  if (text.error == STATUS_OK) cli_print(t->cli, buf_str(&text));
  buf_release(&text);
}

static void summarize(struct tester *t) {
  const char *many = t->fixtures.count == 1 ? "" : "s";
  if (t->cli->json) {
    print_json(t);
    return;
  }
  for (const struct cli_fixture *f = t->fixtures.first; f; f = f->next)
    if (f->failed) cli_printf(t->cli, "%s\n%.*s", f->folder, STR_ARG(f->report));
  if (cli_flag(t->cli, "update"))
    cli_printf(t->cli, "%zu fixture%s: %zu file%s written\n", t->fixtures.count, many, t->updated,
               t->updated == 1 ? "" : "s");
  else
    cli_printf(t->cli, "%zu fixture%s: %zu passed, %zu failed\n", t->fixtures.count, many,
               t->fixtures.count - t->failed, t->failed);
}

static int run(struct cli *cli) {
  struct tester t = {.cli = cli};
  int result = cli_pipeline(cli, PIPELINE_MAPS_ALL, &t.pipeline);
  if (result != CLI_DONE) return result;
  enum status status = cli_fixtures_find(cli, pipeline_mappings_folder(t.pipeline), &t.fixtures);
  size_t done = 0;
  for (struct cli_fixture *f = t.fixtures.first; f && status == STATUS_OK; f = f->next) {
    status = run_fixture(&t, f);
    t.failed += f->failed;
    cli_progress(cli, "fixtures", ++done, t.fixtures.count);
  }
  const char *junit = cli_value(cli, "junit");
  if (status == STATUS_OK) summarize(&t);
  if (status == STATUS_OK && junit) status = write_junit(&t, junit);
  pipeline_close(t.pipeline);
  if (status != STATUS_OK) return cli_exit_of(status);
  return t.failed ? CLI_FINDINGS : CLI_DONE;
}

const struct cli_command cli_map_test = {
    .name = "map",
    .verb = "test",
    .arguments = "[FIXTURE…]",
    .summary = "run the fixtures and show every element that differs",
    .examples = "  ketlink map test                               all of fixtures/\n"
                "  ketlink map test fixtures/clinic/iv-trd        one of them\n"
                "  ketlink map test --update                      take what comes out as expected\n"
                "  ketlink map test --junit report.xml\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .max_arguments = SIZE_MAX,
    .run = run,
};
