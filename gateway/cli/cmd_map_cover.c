/*
 * cmd_map_cover.c - ketlink map cover: what the fixtures leave untested in the maps.
 *
 * Each record runs through its route's map alone; what was run, read and written is counted by the mapping
 * stage. Records that must be refused (no expected.json) are left out unless they are named.
 */
#include "cli/fixtures.h"

static const struct cli_option options[] = {
    {"fail-under", 'f', "PERCENT", "exit with 1 when fewer of the rules were run"},
    {"summary", 's', NULL, "only the counts"},
};

static const struct {
  const char *key, *title, *missing;
} parts[MAPPING_COVER_KINDS] = {
    [MAPPING_COVER_RULES] = {"rules", "rules run", "rules never run"},
    [MAPPING_COVER_BRANCHES] = {"branches", "branches taken", "branches never taken, in rules that ran"},
    [MAPPING_COVER_VALUES] = {"sourceValues", "source values read", "source values that no rule reads"},
    [MAPPING_COVER_MODEL] = {"modelElements", "model elements seen", "model elements that no fixture has"},
    [MAPPING_COVER_TARGET] = {"targetElements", "target elements written",
                              "target elements that ought to be written and never are"},
    [MAPPING_COVER_ROWS] = {"conceptMapRows", "ConceptMap rows used", "ConceptMap rows never used"},
};

/* One call. */
struct coverer {
  struct cli *cli;
  struct pipeline *pipeline;
  struct cli_fixtures fixtures;
  struct mapping_coverage *coverage;
  struct mapping_cover_report report;
  size_t ran, refused; /* fixtures */
};

/* --- running ---------------------------------------------------------------------------------------------
 */

static enum status run_record(struct coverer *c, struct arena *arena, struct diag_list *diags,
                              const struct intake_record *record) {
  const struct mapping_set *set = pipeline_maps(c->pipeline);
  const struct mapping_map *map = record->route ? mapping_find(set, record->route->map) : NULL;
  struct tree_node *target = NULL;
  if (!map) return STATUS_INVALID;
  struct mapping_run run = {.host = c->cli->host,
                            .arena = arena,
                            .diags = diags,
                            .source = &record->source,
                            .coverage = c->coverage};
  enum status status = mapping_run(set, map, &run, record->root, &target);
  if (status != STATUS_OK && status != STATUS_INVALID) return status;
  enum status added = mapping_coverage_add(c->coverage, &record->source, record->root, target);
  return added == STATUS_OK ? status : added;
}

static enum status run_fixture(struct coverer *c, const struct cli_fixture *fixture) {
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct intake_record record;
  struct source text;
  struct diag_list diags;
  if (!arena) return STATUS_NOMEM;
  diag_list_init(&diags, arena);
  enum status status = cli_fixture_read(c->cli, fixture, fixture->file, arena, &text);
  if (status != STATUS_OK) {
    fprintf(stderr, "ketlink map cover: %s/%s: %s\n", fixture->folder, fixture->file, status_reason(status));
    goto done;
  }
  struct intake_input input = intake_open(text.name, text.text);
  status = intake_next(&input, pipeline_definitions(c->pipeline), pipeline_routes(c->pipeline), arena, &diags,
                       &record);
  if (status == STATUS_OK) status = run_record(c, arena, &diags, &record);
  c->ran += status == STATUS_OK;
  c->refused += status == STATUS_INVALID;
  if (status == STATUS_INVALID) {
    cli_note(c->cli, "%s: no Bundle comes out of this record", fixture->folder);
    status = STATUS_OK;
  }
done:
  arena_free(arena);
  return status;
}

/* One that a person names may be new, without what it must become; one that is to be refused covers nothing, and is no finding. */
static bool is_wanted(struct coverer *c, const char *folder) {
  struct cli *cli = c->cli;
  if (cli_fixture_has(cli, folder, "expected.json")) return true;
  if (!cli->argument_count) return false;
  if (!cli_fixture_has(cli, folder, "expected.diagnostics")) return true;
  cli_note(cli, "%s: left out, it is to be refused", folder);
  return false;
}

static enum status run_all(struct coverer *c) {
  struct cli *cli = c->cli;
  size_t done = 0;
  enum status status = cli_fixtures_find(cli, pipeline_mappings_folder(c->pipeline), &c->fixtures);
  for (const struct cli_fixture *f = c->fixtures.first; f && status == STATUS_OK; f = f->next) {
    if (is_wanted(c, f->folder)) status = run_fixture(c, f);
    cli_progress(cli, "fixtures", ++done, c->fixtures.count);
  }
  return status;
}

/* --- telling ---------------------------------------------------------------------------------------------
 */

/* In tenths, rounded down: 100 only when nothing is missing. */
static unsigned tenths(const struct mapping_cover_part *part) {
  return part->total ? (unsigned)(part->covered * 1000 / part->total) : 1000;
}

static void print_text(struct coverer *c) {
  struct cli *cli = c->cli;
  cli_printf(cli, "%zu fixture%s\n", c->ran, c->ran == 1 ? "" : "s");
  for (size_t i = 0; i < MAPPING_COVER_KINDS; i++) {
    const struct mapping_cover_part *part = &c->report.parts[i];
    cli_printf(cli, "  %-24s %5zu of %5zu  %3u.%u %%\n", parts[i].title, part->covered, part->total,
               tenths(part) / 10, tenths(part) % 10);
  }
  if (cli_flag(cli, "summary")) return;
  for (size_t i = 0; i < MAPPING_COVER_KINDS; i++) {
    if (c->report.parts[i].first) cli_printf(cli, "\n%s\n", parts[i].missing);
    for (const struct mapping_cover_miss *m = c->report.parts[i].first; m; m = m->next) {
      cli_printf(cli, "  ");
      if (m->file.len) cli_printf(cli, "%.*s:%u:%u: ", STR_ARG(m->file), m->position.line, m->position.col);
      cli_printf(cli, "%.*s: %.*s\n", STR_ARG(m->name), STR_ARG(m->detail));
    }
  }
  if (c->report.unknown_profile_count)
    cli_printf(cli, "\nprofiles that are not among the definitions: what they ask for is not counted\n  "
                    "(ketlink definitions build takes their package)\n");
  for (size_t i = 0; i < c->report.unknown_profile_count; i++)
    cli_printf(cli, "  %.*s\n", STR_ARG(c->report.unknown_profiles[i]));
}

static void add_miss(struct buf *out, const struct mapping_cover_miss *m) {
  buf_add_text(out, "\n      {\"name\": ");
  buf_add_json(out, m->name);
  buf_add_text(out, ", \"detail\": ");
  buf_add_json(out, m->detail);
  if (m->file.len) {
    buf_add_text(out, ", \"file\": ");
    buf_add_json(out, m->file);
    buf_printf(out, ", \"line\": %u, \"column\": %u", m->position.line, m->position.col);
  }
  buf_add_char(out, '}');
}

static void add_part(struct buf *out, const struct coverer *c, size_t kind) {
  const struct mapping_cover_part *part = &c->report.parts[kind];
  buf_printf(out, ",\n  \"%s\": {\n    \"total\": %zu, \"covered\": %zu, \"percent\": %u.%u", parts[kind].key,
             part->total, part->covered, tenths(part) / 10, tenths(part) % 10);
  buf_add_text(out, ",\n    \"missing\": [");
  for (const struct mapping_cover_miss *m = part->first; m && !cli_flag(c->cli, "summary"); m = m->next) {
    add_miss(out, m);
    if (m->next) buf_add_char(out, ',');
  }
  buf_add_text(out, "]\n  }");
}

static enum status print_json(struct coverer *c) {
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  buf_printf(&text, "{\n  \"fixtures\": %zu", c->ran);
  for (size_t i = 0; i < MAPPING_COVER_KINDS; i++)
    add_part(&text, c, i);
  buf_add_text(&text, ",\n  \"unknownProfiles\": [");
  for (size_t i = 0; i < c->report.unknown_profile_count; i++) {
    if (i) buf_add_text(&text, ", ");
    buf_add_json(&text, c->report.unknown_profiles[i]);
  }
  buf_add_text(&text, "]\n}\n");
  enum status status = text.error;
  if (status == STATUS_OK) cli_print(c->cli, buf_str(&text));
  buf_release(&text);
  return status;
}

/* "95" or "97.5" in tenths; false for anything else. */
static bool read_percent(const char *word, unsigned *out) {
  struct str text = str_of(word);
  size_t dot = str_find_char(text, '.', 0);
  struct str tail = dot == SIZE_MAX ? STR("0") : str_slice(text, dot + 1, text.len);
  int64_t whole = 0, tenth = 0;
  if (!str_to_int64(str_slice(text, 0, dot), &whole) || tail.len != 1 || !str_to_int64(tail, &tenth))
    return false;
  *out = whole <= 100 ? (unsigned)(whole * 10 + tenth) : 1001;
  return *out <= 1000;
}

static int run(struct cli *cli) {
  struct coverer c = {.cli = cli};
  unsigned least = 0;
  const char *under = cli_value(cli, "fail-under");
  if (under && !read_percent(under, &least))
    return cli_usage(cli, "'%s' is no percentage: a number from 0 to 100, one decimal at most", under);
  int result = cli_pipeline(cli, PIPELINE_MAPS_ALL, &c.pipeline);
  if (result != CLI_DONE) return result;
  c.coverage = mapping_coverage_new(pipeline_maps(c.pipeline), cli->arena);
  enum status status = c.coverage ? run_all(&c) : STATUS_NOMEM;
  if (status == STATUS_OK) status = mapping_coverage_report(c.coverage, cli->arena, &c.report);
  if (status == STATUS_OK && cli->json) status = print_json(&c);
  if (status == STATUS_OK && !cli->json) print_text(&c);
  pipeline_close(c.pipeline);
  if (status != STATUS_OK) return cli_exit_of(status);
  return c.refused || tenths(&c.report.parts[MAPPING_COVER_RULES]) < least ? CLI_FINDINGS : CLI_DONE;
}

const struct cli_command cli_map_cover = {
    .name = "map",
    .verb = "cover",
    .arguments = "[FIXTURE…]",
    .summary = "show what the fixtures leave untested in the maps",
    .examples =
        "  ketlink map cover                        all good fixtures: rules, branches, values, rows\n"
        "  ketlink map cover --summary --fail-under 95\n"
        "  ketlink map cover --json fixtures/clinic/iv-trd\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .max_arguments = SIZE_MAX,
    .public_output = true,
    .run = run,
};
