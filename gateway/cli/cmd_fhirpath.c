/* cmd_fhirpath.c - ketlink fhirpath: evaluates one expression on one file, prints one item a line. */
#include "cli/cli.h"

enum { OUTPUT_BYTES = 256 << 20, RECORD_ARENA = LIMIT_ARENA_BYTES };

static const struct cli_option options[] = {
    {"type", 't', "TYPE", "the file's type, where it has no resourceType: a FHIR type or a logical model"},
    {"plain", 0, NULL, "navigate by member names, without definitions; only common units are known"},
    {"dump", 0, NULL, "print the compiled program instead of running it"},
};

struct evaluation {
  struct cli *cli;
  const struct definitions *definitions; /* NULL: plain */
  const struct definitions *units;       /* for quantities; NULL: only common ones */
  struct arena *arena;
  struct diag_list *diags;
  struct source file, expression;
  struct tree_node *root;
};

/* The root bound to its definition, or made fit for plain paths. */
static enum status bind(struct evaluation *e) {
  const char *name = cli_value(e->cli, "type");
  const struct def_type *type = NULL;
  if (name && e->definitions) {
    type = definitions_type(e->definitions, str_of(name));
    if (!type) {
      diag_error(e->diags, DIAG_UNKNOWN_RESOURCE, NULL, "there is no type %s", name);
      return STATUS_INVALID;
    }
  }
  if (!type && !tree_find(e->root, "resourceType")) e->definitions = NULL;
  if (e->definitions) return definitions_bind(e->definitions, type, e->root, &e->file, e->arena, e->diags);
  fhirpath_fold_raw(e->root);
  return STATUS_OK;
}

static enum status load(struct evaluation *e) {
  enum status status = tree_read(&e->file, NULL, e->arena, e->diags, &e->root);
  return status == STATUS_OK ? bind(e) : status;
}

/* --- output --- */

static void print_lines(struct evaluation *e, const struct fp_list *items, struct buf *out) {
  (void)e;
  for (size_t i = 0; i < items->count; i++) {
    fhirpath_print(&items->items[i], out);
    buf_add_char(out, '\n');
  }
}

static void print_value(struct evaluation *e, const struct fp_item *item, struct buf *out) {
  struct fp_item value = fhirpath_value(item, e->arena);
  struct buf text;
  if (value.kind == FP_NODE || value.kind == FP_BOOLEAN || value.kind == FP_INTEGER ||
      value.kind == FP_DECIMAL) {
    fhirpath_print(&value, out);
    return;
  }
  buf_init(&text, OUTPUT_BYTES);
  fhirpath_print(&value, &text);
  tree_write_string(buf_str(&text), out);
  buf_release(&text);
}

static void print_json(struct evaluation *e, const struct fp_list *items, struct buf *out) {
  buf_add_char(out, '[');
  for (size_t i = 0; i < items->count; i++) {
    buf_add_text(out, i ? ",\n {\"type\":" : "{\"type\":");
    tree_write_string(fhirpath_type_name(&items->items[i], e->arena), out);
    buf_add_text(out, ",\"value\":");
    print_value(e, &items->items[i], out);
    buf_add_char(out, '}');
  }
  buf_add_text(out, "]\n");
}

/* --- the way of one expression --- */

static void trace(void *context, struct str name, const struct fp_list *items) {
  struct evaluation *e = context;
  struct buf text;
  buf_init(&text, OUTPUT_BYTES);
  for (size_t i = 0; i < items->count; i++) {
    buf_add_char(&text, ' ');
    fhirpath_print(&items->items[i], &text);
  }
  cli_note(e->cli, "trace %.*s:%.*s", STR_ARG(name), STR_ARG(buf_str(&text)));
  buf_release(&text);
}

static enum status run_program(struct evaluation *e, const struct fp_program *program, struct buf *out) {
  struct fp_run run = {
      .host = e->cli->host, .arena = e->arena, .diags = e->diags, .trace = trace, .trace_context = e};
  struct fp_item focus;
  struct fp_list items;
  if (cli_flag(e->cli, "dump")) {
    fhirpath_dump(program, out);
    return STATUS_OK;
  }
  enum status status = fhirpath_eval(program, &run, fp_one_node(&focus, e->root), &items);
  if (status != STATUS_OK) return status;
  (e->cli->json ? print_json : print_lines)(e, &items, out);
  return out->error;
}

static enum status evaluate_root(struct evaluation *e, struct buf *out) {
  struct fp_program *program;
  const struct def_type *type = e->definitions ? node_type(e->root) : NULL;
  struct fp_compile compile = {.definitions = e->definitions,
                               .units = e->units,
                               .input = type,
                               .resource = type,
                               .source = &e->expression,
                               .to = e->expression.text.len};
  enum status status = fhirpath_compile(&compile, e->arena, e->diags, &program, NULL);
  return status == STATUS_OK ? run_program(e, program, out) : status;
}

/* One message after the other. */
static enum status evaluate_messages(struct evaluation *e, struct buf *out) {
  struct intake_input input = intake_open(e->file.name, e->file.text);
  struct intake_record record;
  enum status status = STATUS_OK;
  while (status == STATUS_OK) {
    status = intake_next(&input, e->definitions, NULL, e->arena, e->diags, &record);
    e->root = record.root;
    e->file = record.source;
    if (status == STATUS_OK) status = evaluate_root(e, out);
  }
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status evaluate(struct evaluation *e, struct buf *out) {
  const char *path = e->cli->arguments[1];
  struct str text;
  enum status status = cli_read(e->cli, path, e->arena, e->diags, &text);
  if (status != STATUS_OK) return status;
  e->file = source_make(str_of(path), text);
  e->expression = source_make(STR("expression"), str_of(e->cli->arguments[0]));
  if (e->definitions && hl7v2_is(text)) return evaluate_messages(e, out);
  status = load(e);
  return status == STATUS_OK ? evaluate_root(e, out) : status;
}

static int run(struct cli *cli) {
  struct pipeline *pipeline = NULL;
  if (cli->json && cli_flag(cli, "dump")) return cli_usage(cli, "a program has no JSON form: --dump and --json do not go together");
  int failed = cli_flag(cli, "plain") ? 0 : cli_pipeline(cli, 0, &pipeline);
  if (failed) return failed;
  struct evaluation e = {.cli = cli, .arena = arena_new(RECORD_ARENA), .diags = &cli->diags};
  struct buf out;
  buf_init(&out, OUTPUT_BYTES);
  if (pipeline) e.units = e.definitions = pipeline_definitions(pipeline);
  enum status status = e.arena ? evaluate(&e, &out) : STATUS_NOMEM;
  if (e.arena && status == STATUS_NOMEM)
    status = cli_no_memory(cli->arguments[1], 0, e.arena, (struct arena_mark){0}, &cli->diags);
  if (status == STATUS_OK) cli_print(cli, buf_str(&out));
  cli_report(cli, &cli->diags);
  buf_release(&out);
  arena_free(e.arena);
  pipeline_close(pipeline);
  return status == STATUS_OK ? CLI_DONE : cli_exit_of(status);
}

const struct cli_command cli_fhirpath = {
    .name = "fhirpath",
    .arguments = "EXPR FILE",
    .summary = "evaluate a FHIRPath expression, one item a line",
    .examples = "  ketlink fhirpath \"Patient.name.where(use='official').given\" patient.json\n"
                "  ketlink fhirpath --type session-record \"doses.count()\" record.json\n"
                "  ketlink fhirpath --json \"Observation.value\" -\n"
                "  ketlink fhirpath \"PID.PID_3.CX_1\" adt.hl7      each message of the file, one after the other\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .min_arguments = 2,
    .max_arguments = 2,
    .run = run,
};
