/* cmd_validate.c - ketlink validate: resources, Bundles, NDJSON and clinic records against their definitions.
 */
#include "cli/cli.h"

static const struct cli_option options[] = {
    {"profile", 'p', "URL", "also check against this profile (repeatable)"},
    {"ig", 0, "ID#VER|FILE.tgz", "load this package too (repeatable)"},
    {"fail-on", 0, "LEVEL", "exit 1 on error (default), warning or none"},
    {"format", 0, "FORMAT", "text (default), json, junit or github"},
};

enum { PROFILES_MAX = 32 };

/* What is known of one file when all its records have been checked. */
struct report {
  struct cli *cli;
  const char *path;
  const struct diag_list *diags;
};

struct format {
  const char *name;
  void (*begin)(struct cli *cli);
  void (*file)(const struct report *report);
  void (*end)(struct cli *cli);
};

/* What lasts for all files of one call. */
struct validate {
  struct cli *cli;
  struct pipeline *pipeline;
  const struct format *format;
  const char *profiles[PROFILES_MAX];
  size_t profile_count;
  enum diag_severity fail_on;
  bool fails;
  enum status worst;
};

/* --- text, as HL7's validator --- */

static void text_file(const struct report *report) {
  const struct diag_list *diags = report->diags;
  struct buf line;
  buf_init(&line, LIMIT_TEXT_BYTES);
  if (report->cli->argument_count > 1) cli_printf(report->cli, "-- %s\n", report->path);
  cli_printf(report->cli, "%s: %zu errors, %zu warnings, %zu notes\n",
             diag_failed(diags) ? "*FAILURE*" : "Success", diag_errors(diags),
             diags->by_severity[DIAG_WARNING], diags->by_severity[DIAG_INFORMATION]);
  for (const struct diag *diag = diags->first; diag; diag = diag->next) {
    buf_reset(&line);
    diag_render_validator(diag, &line);
    buf_add_char(&line, '\n');
    cli_print(report->cli, buf_str(&line));
  }
  if (diags->dropped) cli_printf(report->cli, "  (%zu more are not shown)\n", diags->dropped);
  buf_release(&line);
}

/* --- JSON: an OperationOutcome a file --- */

static void json_file(const struct report *report) {
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  diag_render_outcome(report->diags, &text);
  buf_add_char(&text, '\n');
  cli_print(report->cli, buf_str(&text));
  buf_release(&text);
}

/* --- JUnit --- */

static void print_xml(struct cli *cli, struct str text) {
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (c == '&' || c == '<' || c == '"')
      cli_print(cli, c == '&' ? STR("&amp;") : c == '<' ? STR("&lt;") : STR("&quot;"));
    else if ((unsigned char)c >= ' ' || c == '\n' || c == '\t')
      cli_print(cli, str_make(&c, 1));
  }
}

static void junit_begin(struct cli *cli) {
  cli_printf(
      cli,
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"ketlink validate\" tests=\"%zu\">\n",
      cli->argument_count);
}

static void junit_file(const struct report *report) {
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  cli_printf(report->cli, "  <testcase name=\"");
  print_xml(report->cli, str_of(report->path));
  cli_printf(report->cli, "\">");
  for (const struct diag *diag = report->diags->first; diag; diag = diag->next) {
    diag_render_validator(diag, &text);
    buf_add_char(&text, '\n');
  }
  if (text.len) {
    cli_printf(report->cli, diag_failed(report->diags) ? "<failure message=\"%zu errors\">" : "<system-out>",
               diag_errors(report->diags));
    print_xml(report->cli, buf_str(&text));
    cli_printf(report->cli, diag_failed(report->diags) ? "</failure>" : "</system-out>");
  }
  cli_printf(report->cli, "</testcase>\n");
  buf_release(&text);
}

static void junit_end(struct cli *cli) {
  cli_printf(cli, "</testsuite>\n");
}

/* --- annotations of GitHub workflows --- */

/* Percent-encodes what ends a command or, in properties, separates them. */
static void print_github(struct cli *cli, struct str text, bool property) {
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (c == '%' || c == '\r' || c == '\n' || (property && (c == ':' || c == ',')))
      cli_printf(cli, "%%%02X", (unsigned)c);
    else
      cli_print(cli, str_make(&c, 1));
  }
}

static void github_file(const struct report *report) {
  static const char *const levels[] = {"notice", "warning", "error", "error"};
  for (const struct diag *diag = report->diags->first; diag; diag = diag->next) {
    cli_printf(report->cli, "::%s file=", levels[diag->severity]);
    print_github(report->cli, str_of(report->path), true);
    if (diag->line) cli_printf(report->cli, ",line=%u,col=%u", diag->line, diag->col);
    cli_printf(report->cli, ",title=%s::", diag_code_name(diag->code));
    print_github(report->cli, diag->message, false);
    cli_printf(report->cli, "\n");
  }
}

static const struct format formats[] = {
    {"text", NULL, text_file, NULL},
    {"json", NULL, json_file, NULL},
    {"junit", junit_begin, junit_file, junit_end},
    {"github", NULL, github_file, NULL},
};

/* --- checking --- */

static enum status check_record(struct validate *validate, struct intake_input *input, struct arena *arena,
                                struct diag_list *diags) {
  struct intake_record record = {0};
  enum status status = intake_next(input, pipeline_definitions(validate->pipeline),
                                   pipeline_routes(validate->pipeline), arena, diags, &record);
  struct validation_run run = {.advice = true,
                               .vital_signs = true,
                               .host = validate->cli->host,
                               .arena = arena,
                               .diags = diags,
                               .source = &record.source,
                               .profiles = validate->profiles,
                               .profile_count = validate->profile_count,
                               .best_practice = true};
  if (!record.root || (status != STATUS_OK && status != STATUS_INVALID)) return status;
  status = validation_check(pipeline_validation(validate->pipeline), &run, record.root);
  return status == STATUS_NOT_FOUND ? STATUS_INVALID : status; /* an unknown profile, not the end */
}

static enum status check_text(struct validate *validate, const char *path, struct str text,
                              struct diag_list *diags) {
  struct intake_input input = intake_open(str_of(path), text);
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  enum status status = arena ? STATUS_OK : STATUS_NOMEM;
  while (status == STATUS_OK) {
    arena_reset(arena);
    status = check_record(validate, &input, arena, diags);
    if (status == STATUS_INVALID) status = STATUS_OK; /* the list says what */
    if (input.lines) cli_progress(validate->cli, path, input.at, text.len + 1);
  }
  if (input.lines) cli_progress(validate->cli, path, text.len + 1, text.len + 1);
  arena_free(arena);
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static void check_file(struct validate *validate, const char *path) {
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct diag_list diags;
  struct str text = {0};
  struct report report = {validate->cli, path, &diags};
  enum status status = STATUS_NOMEM;
  if (!arena) goto done;
  diag_list_init(&diags, arena);
  status = cli_read(validate->cli, path, arena, &diags, &text);
  if (status != STATUS_OK) {
    cli_report(validate->cli, &diags);
    goto done;
  }
  status = check_text(validate, path, text, &diags);
  validate->format->file(&report);
  for (int level = DIAG_FATAL; level >= (int)validate->fail_on; level--)
    validate->fails |= diags.by_severity[level] != 0;
done:
  if (status != STATUS_OK && validate->worst == STATUS_OK) validate->worst = status;
  arena_free(arena);
}

/* --- options --- */

static int choose_format(struct validate *validate) {
  const char *name = cli_value(validate->cli, "format");
  if (!name) name = validate->cli->json ? "json" : "text";
  for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
    if (strcmp(formats[i].name, name) == 0) validate->format = &formats[i];
  return validate->format
             ? CLI_DONE
             : cli_usage(validate->cli, "--format takes text, json, junit or github, not '%s'", name);
}

static int choose_level(struct validate *validate) {
  const char *name = cli_value(validate->cli, "fail-on");
  validate->fail_on = DIAG_ERROR;
  if (!name || strcmp(name, "error") == 0) return CLI_DONE;
  validate->fail_on = strcmp(name, "warning") == 0 ? DIAG_WARNING : (enum diag_severity)(DIAG_FATAL + 1);
  if (validate->fail_on == DIAG_WARNING || strcmp(name, "none") == 0) return CLI_DONE;
  return cli_usage(validate->cli, "--fail-on takes error, warning or none, not '%s'", name);
}

static int choose_profiles(struct validate *validate) {
  const char *url;
  while ((url = cli_value_at(validate->cli, "profile", validate->profile_count))) {
    if (validate->profile_count == PROFILES_MAX)
      return cli_usage(validate->cli, "--profile may be given %d times", PROFILES_MAX);
    validate->profiles[validate->profile_count++] = url;
  }
  return CLI_DONE;
}

static int run(struct cli *cli) {
  struct validate validate = {.cli = cli};
  int result = choose_format(&validate);
  if (result == CLI_DONE) result = choose_level(&validate);
  if (result == CLI_DONE) result = choose_profiles(&validate);
  if (result == CLI_DONE) result = cli_pipeline(cli, false, &validate.pipeline);
  if (result != CLI_DONE) return result;
  if (validate.format->begin) validate.format->begin(cli);
  for (size_t i = 0; i < cli->argument_count; i++)
    check_file(&validate, cli->arguments[i]);
  if (validate.format->end) validate.format->end(cli);
  pipeline_close(validate.pipeline);
  if (validate.worst != STATUS_OK) return cli_exit_of(validate.worst);
  return validate.fails ? CLI_FINDINGS : CLI_DONE;
}

const struct cli_command cli_validate = {
    .name = "validate",
    .arguments = "FILE…",
    .summary = "check resources, Bundles, NDJSON and clinic records",
    .examples = "  ketlink validate patient.json                 findings with line and column\n"
                "  ketlink validate --profile http://hl7.org/fhir/StructureDefinition/bp bp.json\n"
                "  ketlink validate --ig hl7.fhir.us.core-6.1.0.tgz patient.json\n"
                "  ketlink validate --format junit --fail-on warning *.json -o report.xml\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .min_arguments = 1,
    .max_arguments = SIZE_MAX,
    .run = run,
};
