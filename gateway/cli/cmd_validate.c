/* cmd_validate.c - ketlink validate: resources, Bundles, NDJSON and clinic records against their definitions.
 */
#include "cli/check.h"

static const struct cli_option options[] = {
    {"profile", 'p', "URL", "also check against this profile (repeatable)"},
    {"ig", 0, "ID#VER|FILE.tgz", "load this package too (repeatable)"},
    {"fail-on", 0, "LEVEL", "exit 1 on error (default), warning or none"},
    {"format", 0, "FORMAT", "text (default), json, junit, github or html"},
    {"jobs", 'j', "N", "check with N threads (default 1; 0: one a processor)"},
};

enum { PROFILES_MAX = 32 };

/* One call, as its options say. */
struct validate {
  struct cli *cli;
  struct pipeline *pipeline;
  const struct cli_report_format *format;
  struct cli_inputs inputs;
  const char *profiles[PROFILES_MAX];
  size_t profile_count;
  size_t jobs;
  enum diag_severity fail_on;
};

/* --- options --- */

static int choose_format(struct validate *validate) {
  const char *name = cli_value(validate->cli, "format");
  if (name && validate->cli->json && strcmp(name, "json") != 0)
    return cli_usage(validate->cli, "--json is --format json, and not %s", name);
  if (!name) name = validate->cli->json ? "json" : "text";
  validate->format = cli_report_format_find(name);
  return validate->format
             ? CLI_DONE
             : cli_usage(validate->cli, "--format takes text, json, junit, github or html, not '%s'", name);
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

/* --- the whole --- */

static const char *plural(size_t count) {
  return count == 1 ? "" : "s";
}

static void print_summary(const struct validate *validate, const struct cli_totals *totals, int64_t took_ns) {
  size_t errors = totals->by_severity[DIAG_ERROR] + totals->by_severity[DIAG_FATAL];
  size_t warnings = totals->by_severity[DIAG_WARNING], notes = totals->by_severity[DIAG_INFORMATION];
  char unreadable[64] = "";
  if (totals->unreadable)
    snprintf(unreadable, sizeof unreadable, " (%zu could not be read)", totals->unreadable);
  cli_note(validate->cli, "%zu input%s%s: %zu error%s, %zu warning%s, %zu note%s; %.3f s", totals->inputs,
           plural(totals->inputs), unreadable, errors, plural(errors), warnings, plural(warnings), notes,
           plural(notes), (double)took_ns / 1e9);
}

/* What could not be read weighs more than what was found in what could. */
static int verdict(const struct validate *validate, const struct cli_totals *totals, enum status worst) {
  if (worst != STATUS_OK) return cli_exit_of(worst);
  if (totals->unreadable) return CLI_DATA;
  for (int level = DIAG_FATAL; level >= (int)validate->fail_on; level--)
    if (totals->by_severity[level]) return CLI_FINDINGS;
  return CLI_DONE;
}

static int check_all(struct validate *validate, enum status worst) {
  const struct host *host = validate->cli->host;
  struct cli_totals totals;
  struct cli_check check = {.cli = validate->cli,
                            .pipeline = validate->pipeline,
                            .format = validate->format,
                            .inputs = &validate->inputs,
                            .profiles = validate->profiles,
                            .profile_count = validate->profile_count,
                            .jobs = validate->jobs};
  int64_t began = host->monotonic_ns(host->context);
  enum status status = cli_check_run(&check, &totals);
  if (totals.inputs != 1 || validate->inputs.folders) /* of one input its report says it all */
    print_summary(validate, &totals, host->monotonic_ns(host->context) - began);
  return verdict(validate, &totals, worst != STATUS_OK ? worst : status);
}

static int run(struct cli *cli) {
  struct validate validate = {.cli = cli};
  struct diag_list diags;
  int result = choose_format(&validate);
  if (result == CLI_DONE) result = cli_fail_on(cli, &validate.fail_on);
  if (result == CLI_DONE) result = cli_crew_jobs(cli, &validate.jobs);
  if (result == CLI_DONE) result = choose_profiles(&validate);
  if (result == CLI_DONE) result = cli_pipeline(cli, 0, &validate.pipeline);
  if (result != CLI_DONE) return result;
  diag_list_init(&diags, cli->arena);
  validate.inputs.pipeline = validate.pipeline;
  enum status status =
      cli_inputs_find(cli->host, cli->arguments, cli->argument_count, cli->arena, &diags, &validate.inputs);
  cli_report(cli, &diags);
  result = check_all(&validate, status);
  pipeline_close(validate.pipeline);
  return result;
}

const struct cli_command cli_validate = {
    .name = "validate",
    .arguments = "FILE|FOLDER…",
    .summary = "check resources, Bundles, NDJSON and clinic records",
    .examples = "  ketlink validate patient.json                 findings with line and column\n"
                "  ketlink validate --profile http://hl7.org/fhir/StructureDefinition/bp bp.json\n"
                "  ketlink validate --ig hl7.fhir.us.core-6.1.0.tgz patient.json\n"
                "  ketlink validate --format junit --fail-on warning *.json -o report.xml\n"
                "  ketlink validate --format html --jobs 0 export/ -o report.html   all files of a folder\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .min_arguments = 1,
    .max_arguments = SIZE_MAX,
    .run = run,
};
