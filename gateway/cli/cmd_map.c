/* cmd_map.c - ketlink map check and map run: are the maps right, and what does one of them do? */
#include <limits.h>
#include <stdlib.h>
#include "cli/maps.h"

/* --- map check -------------------------------------------------------------------------------------------
 */

/* A route that leads to no map, or to one of another model, is found here and not by the first record. */
static void check_routes(struct cli *cli, const struct pipeline *pipeline, const struct mapping_set *set) {
  const struct intake_routes *routes = pipeline_routes(pipeline);
  for (size_t i = 0; i < routes->count; i++) {
    const struct intake_route *route = &routes->routes[i];
    const struct mapping_map *map = mapping_find(set, route->map);
    struct str near = map ? (struct str){0} : mapping_nearest(set, route->map);
    const struct def_type *type = map ? mapping_source_type(map) : NULL;
    if (!map)
      diag_error(&cli->diags, DIAG_CONFIG_INVALID, NULL,
                 "routes.json: format %.*s: there is no map %.*s%s%.*s%s", STR_ARG(route->format),
                 STR_ARG(route->map), near.len ? "; did you mean " : "", STR_ARG(near), near.len ? "?" : "");
    else if (type && type != route->type)
      diag_error(&cli->diags, DIAG_CONFIG_INVALID, NULL,
                 "routes.json: format %.*s: the map %.*s reads %.*s, the model is %.*s",
                 STR_ARG(route->format), STR_ARG(mapping_name(map)), STR_ARG(def_type_name(type)),
                 STR_ARG(def_type_name(route->type)));
  }
}

/* `set`: NULL when not all could be loaded. */
static void print_json(struct cli *cli, struct str folder, const struct mapping_set *set) {
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  buf_add_text(&text, "{\"mappings\":");
  if (folder.len)
    buf_add_json(&text, folder);
  else
    buf_add_text(&text, "null");
  if (set)
    buf_printf(&text, ",\"maps\":%zu,\"conceptMaps\":%zu,\"toFillIn\":%zu", mapping_count(set), mapping_concept_map_count(set),
               mapping_unfinished(set));
  buf_printf(&text, ",\"faults\":%zu}\n", diag_errors(&cli->diags));
  cli_print(cli, buf_str(&text));
  buf_release(&text);
}

/* Which folder it was: one in the current folder goes before those of the machine. */
static void print_check(struct cli *cli, struct str folder, const struct mapping_set *set, enum status status) {
  struct str shown = diag_clean(cli->arena, folder);
  size_t faults = diag_errors(&cli->diags);
  if (cli->json) {
    print_json(cli, folder, set);
    return;
  }
  if (status == STATUS_OK && !cli->quiet)
    cli_printf(cli, "%.*s%s%zu maps, %zu ConceptMaps: no faults\n", STR_ARG(shown), folder.len ? ": " : "",
               mapping_count(set), mapping_concept_map_count(set));
  if (status == STATUS_OK && mapping_unfinished(set))
    cli_note(cli, "%zu rows of ConceptMaps are still to be filled in (FILL IN); their words travel as text",
             mapping_unfinished(set));
  if (status == STATUS_INVALID) cli_note(cli, "%zu fault%s", faults, faults == 1 ? "" : "s");
}

/* Whether a file is one of the folder's own, which are checked with it: once more it would be a second map of the same URL. Destinations
   are not checked here. */
static bool is_of_folder(const char *file, const char *folder) {
  char whole[PATH_MAX], root[PATH_MAX];
  if (!folder || !realpath(file, whole) || !realpath(folder, root)) return false;
  struct str path = str_of(whole), below = str_of(root);
  if (!str_starts(path, below) || path.ptr[below.len] != '/') return false;
  bool checked = str_ends(path, STR(".fml")) || str_ends(path, STR(".json"));
  return checked && !str_starts(str_slice(path, below.len + 1, path.len), STR("destinations/"));
}

/* The files to be checked beside the folder; false: there is nothing to check, or no file, as is told. */
static bool take_files(struct cli *cli, struct mapping_load *load, int *result) {
  const char **files = ARENA_ARRAY(cli->arena, const char *, cli->argument_count + 1);
  *result = files ? CLI_DONE : CLI_TRY_LATER;
  load->files = files;
  for (size_t i = 0; files && i < cli->argument_count; i++) {
    const char *path = cli->arguments[i];
    if (cli_is_folder(path)) *result = cli_usage(cli, "%s is a folder: name files in it, or give a folder of mappings by --mappings DIR", path);
    if (*result != CLI_DONE) return false;
    if (!is_of_folder(path, load->folder)) files[load->file_count++] = path;
  }
  if (!load->folder && load->file_count == 0) {
    fprintf(stderr, "ketlink map check: no mappings folder; give one with --mappings DIR, or name files\n");
    *result = CLI_CONFIG;
  }
  return *result == CLI_DONE;
}

static int check(struct cli *cli) {
  struct pipeline *pipeline = NULL;
  struct mapping_set *set = NULL;
  struct pipeline_params params = {.host = cli->host,
                                   .definitions = cli_value(cli, "definitions"),
                                   .mappings = cli_value(cli, "mappings"),
                                   .mending = true};
  int result = cli_pipeline_open(cli, &params, &pipeline);
  if (result != CLI_DONE) return result;
  struct str folder = pipeline_mappings_folder(pipeline);
  struct mapping_load load = {.definitions = pipeline_definitions(pipeline),
                              .host = cli->host,
                              .folder = folder.len ? folder.ptr : NULL};
  if (!take_files(cli, &load, &result)) {
    pipeline_close(pipeline);
    return result;
  }
  enum status status = STATUS_OK;
  if (load.folder)
    status = mapping_check_models(load.definitions, cli->host, load.folder, cli->arena, &cli->diags);
  if (status == STATUS_OK) status = mapping_load(&load, &cli->diags, &set);
  if (status == STATUS_OK && load.folder) check_routes(cli, pipeline, set);
  if (status == STATUS_OK) status = pipeline_check_messages(pipeline, set, cli->arena, &cli->diags);
  if (status == STATUS_OK || status == STATUS_CONFIG) {
    enum status sets = pipeline_check_sets(pipeline, cli->arena, &cli->diags);
    if (sets != STATUS_OK) status = sets;
  }
  if (status == STATUS_CONFIG) status = STATUS_INVALID;
  bool unread = cli_has_unreadable(&cli->diags);
  if (status == STATUS_OK && diag_failed(&cli->diags)) status = STATUS_INVALID;
  cli_report(cli, &cli->diags);
  print_check(cli, folder, set, status);
  mapping_free(set);
  pipeline_close(pipeline);
  if (unread) return CLI_IO;
  return status == STATUS_INVALID ? CLI_FINDINGS : cli_exit_of(status);
}

const struct cli_command cli_map_check = {
    .name = "map",
    .verb = "check",
    .arguments = "[FILE…]",
    .summary = "check models, maps, ConceptMaps, routes and descriptions of CSV sets; every fault in one run",
    .examples = "  ketlink map check                      all of the mappings folder: its files need no naming\n"
                "  ketlink map check --mappings DIR       of another folder\n"
                "  ketlink map check new.fml              and this map beside them\n"
                "  ketlink map check --json               {\"mappings\": folder, \"maps\": n, \"conceptMaps\": n, \"toFillIn\": n, \"faults\": n}\n",
    .max_arguments = SIZE_MAX,
    .run = check,
};

/* --- map run ---------------------------------------------------------------------------------------------
 */

static const struct cli_option run_options[] = {
    {"trace", 't', NULL, "show each rule: what it read, what it wrote, why it did not fire"},
    {"values", 'v', NULL, "with --trace: show values too; they may be a patient's data"},
    {"model", 'm', "URL", "type of the source (default: the map's)"},
};

/* What one call of map run holds. */
struct runner {
  struct cli *cli;
  struct cli_map map;
  struct source source;
  struct tree_node *root, *target;
};

/* The value of a leaf, when --values asks for it. */
static void trace_value(const struct runner *runner, const struct tree_node *node) {
  if (!cli_flag(runner->cli, "values") || node->kind == TREE_OBJECT || node->text.len == 0) return;
  fprintf(stderr, " = %.*s", STR_ARG(diag_quote(runner->cli->arena, node->text)));
}

/* `reads Observation.status (3:14)`: a place in the source has its position, one in the target has none. */
static void trace_node(const struct runner *runner, const char *word, const struct tree_node *node,
                       bool in_source) {
  struct str path = definitions_path(node, runner->cli->arena);
  fprintf(stderr, " %s %.*s", word, STR_ARG(path));
  trace_value(runner, node);
  if (!in_source || !node->offset) return;
  struct source_position p = source_locate(&runner->source, tree_offset(node));
  fprintf(stderr, " (%u:%u)", p.line, p.col);
}

static void trace_line(void *context, const struct mapping_trace *t) {
  static const char *const words[] = {"group", "rule", "rule", "write", "log", "nothing"};
  struct runner *runner = context;
  struct arena_mark mark = arena_mark(runner->cli->arena);
  bool of_rule = t->event != MAPPING_WRITE && t->event != MAPPING_EMPTY;
  unsigned depth = t->event == MAPPING_GROUP ? t->depth - 1 : t->depth; /* its rules stand below a group */
  fprintf(stderr, "%*s%s", (int)(depth > 60 ? 60 : depth) * 2, "", words[t->event]);
  if (of_rule) fprintf(stderr, " %.*s", STR_ARG(t->name));
  if (t->event == MAPPING_RULE && t->source) trace_node(runner, "reads", t->source, true);
  if (t->event == MAPPING_SKIPPED && t->source) trace_node(runner, "does not fire for", t->source, true);
  if (t->event == MAPPING_SKIPPED) fprintf(stderr, ": %.*s", STR_ARG(t->detail));
  if (t->event == MAPPING_WRITE && t->target) trace_node(runner, "to", t->target, false);
  if (t->event == MAPPING_WRITE && t->detail.len) fprintf(stderr, " by %.*s", STR_ARG(t->detail));
  if (t->event == MAPPING_EMPTY || t->event == MAPPING_LOG) fprintf(stderr, ": %.*s", STR_ARG(t->detail));
  fprintf(stderr, "  [%.*s:%u:%u]\n", STR_ARG(t->file), t->position.line, t->position.col);
  arena_rewind(runner->cli->arena, mark);
}

static const struct def_type *source_type(const struct runner *runner) {
  const char *model = cli_value(runner->cli, "model");
  const struct definitions *definitions = pipeline_definitions(runner->map.pipeline);
  return model ? definitions_type(definitions, str_of(model)) : mapping_source_type(runner->map.map);
}

static enum status read_source(struct runner *runner, const char *path) {
  struct cli *cli = runner->cli;
  const struct definitions *definitions = pipeline_definitions(runner->map.pipeline);
  struct str text;
  enum status status = cli_read(cli, path, cli->arena, &cli->diags, &text);
  if (status != STATUS_OK) return status;
  runner->source = source_make(str_of(path), text);
  status = tree_read(&runner->source, NULL, cli->arena, &cli->diags, &runner->root);
  if (status != STATUS_OK) return status;
  const struct def_type *type = source_type(runner);
  if (!type && cli_flag(cli, "model")) {
    diag_error(&cli->diags, DIAG_MAP_UNKNOWN_TYPE, NULL, "no model %s is known", cli_value(cli, "model"));
    return STATUS_INVALID;
  }
  if (type && def_type_kind(type) == DEF_RESOURCE) type = NULL; /* resourceType says which */
  struct tree_node *named = type ? tree_find(runner->root, "resourceType") : NULL;
  if (named && str_eq(named->text, def_type_name(type)))
    named->flags |= TREE_META; /* a model may say it too */
  return definitions_bind(definitions, type, runner->root, &runner->source, cli->arena, &cli->diags);
}

static enum status run_map(struct runner *runner) {
  struct cli *cli = runner->cli;
  struct mapping_run run = {.host = cli->host,
                            .arena = cli->arena,
                            .diags = &cli->diags,
                            .source = &runner->source,
                            .trace = cli_flag(cli, "trace") ? trace_line : NULL,
                            .trace_context = runner};
  enum status status = mapping_run(runner->map.set, runner->map.map, &run, runner->root, &runner->target);
  if (status == STATUS_OK) mapping_report_unread(runner->root, &run);
  return status;
}

static int print_target(struct runner *runner) {
  struct tree_write writing = {.pretty = true};
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  if (node_type(runner->target) && def_type_xml_namespace(node_type(runner->target)).len) {
    definitions_write_xml(runner->target, true, &text); /* a model that has a namespace is XML's */
  } else {
    tree_write_json(runner->target, &writing, &text);
    buf_add_char(&text, '\n');
  }
  enum status status = text.error;
  if (status == STATUS_OK) cli_print(runner->cli, buf_str(&text));
  buf_release(&text);
  return cli_exit_of(status);
}

static int run(struct cli *cli) {
  struct runner runner = {.cli = cli};
  int result = cli_map_open(cli, cli->arguments[0], &runner.map);
  if (result == CLI_DONE) {
    struct arena_mark mark = arena_mark(cli->arena);
    enum status status = read_source(&runner, cli->arguments[1]);
    if (status == STATUS_OK) status = run_map(&runner);
    if (status == STATUS_NOMEM) status = cli_no_memory(cli->arguments[1], 0, cli->arena, mark, &cli->diags);
    cli_report(cli, &cli->diags);
    result = status == STATUS_OK ? print_target(&runner) : cli_exit_of(status);
  }
  cli_map_close(&runner.map);
  return result;
}

const struct cli_command cli_map_run = {
    .name = "map",
    .verb = "run",
    .arguments = "MAP FILE",
    .summary = "run one map on one source and print what it makes",
    .examples = "  ketlink map run session fixtures/clinic/iv-trd/record.json\n"
                "  ketlink map run mappings/clinic/session.fml record.json --trace\n"
                "  ketlink map run my.fml patient.json    a source that is a FHIR resource\n",
    .options = run_options,
    .option_count = sizeof run_options / sizeof run_options[0],
    .min_arguments = 2,
    .max_arguments = 2,
    .run = run,
};
