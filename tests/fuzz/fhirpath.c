/*
 * fhirpath.c - fuzz target: FHIRPath text to program, program on a few documents.
 *
 * The text is compiled without types, against the R4 definitions, and as an expression at the begin of a
 * map's text, where `src` is a variable. What must hold: a refusal has a diagnostic; a program ends within
 * its step, item and memory caps, and says the same twice.
 */
#include "fhirpath/fhirpath.h"
#include "fuzz.h"

enum { COMPILE_BYTES = 8 << 20, RUN_BYTES = 32 << 20 };

struct document {
  const char *type, *path;
  struct tree_node *root;
};
static struct document documents[] = {
    {"", SOURCE_DIR "/tests/golden/fhirpath/plain.json", NULL},
    {"Patient", SOURCE_DIR "/tests/golden/fhirpath/patient.json", NULL},
    {"Observation", SOURCE_DIR "/tests/golden/fhirpath/observation.json", NULL},
    {"Questionnaire", SOURCE_DIR "/tests/golden/fhirpath/questionnaire.json", NULL},
    {"Bundle", SOURCE_DIR "/tests/golden/fhirpath/bundle.json", NULL}};
enum { DOCUMENTS = sizeof documents / sizeof documents[0] };

static struct arena *kept; /* what is read once */
static const struct definitions *definitions;
static const struct fp_limits limits = {.text_bytes = 4096, .depth = 60, .steps = 20000, .items = 2000};

void fuzz_begin(void) {
  kept = fuzz_arena(64 << 20);
  definitions = fuzz_pack();
  for (size_t i = 0; i < DOCUMENTS; i++)
    documents[i].root = fuzz_tree(i ? definitions : NULL, documents[i].path, kept);
  fhirpath_fold_raw(documents[0].root);
}

/* The document whose type the text begins with; Patient when there is none. */
static const struct document *document_of(struct str text) {
  for (size_t i = DOCUMENTS - 1; i > 1; i--)
    if (str_starts(text, str_of(documents[i].type))) return &documents[i];
  return &documents[1];
}

static void print_all(const struct fp_program *program, const struct fp_list *items, struct arena *arena) {
  struct buf text;
  struct str shown;
  buf_init(&text, 1 << 22);
  fhirpath_dump(program, &text);
  for (size_t i = 0; i < items->count && i < 20; i++) {
    fhirpath_print(&items->items[i], &text);
    if (fhirpath_text(&items->items[i], arena, &shown))
      FUZZ_REQUIRE(utf8_invalid_at(shown) == SIZE_MAX && str_find_char(shown, '\0', 0) == SIZE_MAX);
    (void)fhirpath_type_name(&items->items[i], arena);
  }
  buf_release(&text);
}

static void ignore_trace(void *context, struct str name, const struct fp_list *items) {
  (void)context, (void)name, (void)items;
}

static enum status evaluate(const struct fp_program *program, struct tree_node *root, size_t *count) {
  struct fuzz_files none = {0};
  struct host host = fuzz_host(&none);
  struct arena *arena = fuzz_arena(RUN_BYTES);
  struct diag_list diags;
  struct fp_item item, node = {.kind = FP_NODE, .node = root};
  struct fp_list values[] = {{&node, 1, 1}}, items = {0};
  struct fp_run run = {.host = &host,
                       .arena = arena,
                       .diags = &diags,
                       .limits = &limits,
                       .variables = values,
                       .trace = ignore_trace};
  diag_list_init(&diags, arena);
  enum status status = fhirpath_eval(program, &run, fp_one_node(&item, root), &items);
  FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_NOMEM);
  FUZZ_REQUIRE(status != STATUS_INVALID || diag_errors(&diags) + diags.dropped > 0);
  FUZZ_REQUIRE(status != STATUS_OK || items.count <= limits.items);
  if (status == STATUS_OK) print_all(program, &items, arena);
  *count = items.count;
  arena_free(arena);
  return status;
}

static void one(struct str text, struct fp_compile options, const struct document *document) {
  struct fp_variable variables[] = {{.name = STR("src"), .type = options.input}};
  struct arena *arena = fuzz_arena(COMPILE_BYTES);
  struct source source = source_make(STR("input"), text);
  struct diag_list diags;
  struct fp_program *program = NULL;
  size_t used = 0, first = 0, second = 0;
  diag_list_init(&diags, arena);
  options.variables = variables;
  options.variable_count = 1;
  options.limits = &limits;
  options.source = &source;
  options.to = text.len;
  enum status status = fhirpath_compile(&options, arena, &diags, &program, &used);
  FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_NOMEM);
  FUZZ_REQUIRE(status != STATUS_INVALID || diag_errors(&diags) > 0);
  if (status == STATUS_OK) {
    FUZZ_REQUIRE(used <= text.len && (options.prefix || str_trim(str_slice(text, used, text.len)).len == 0 ||
                                      str_find_char(text, '/', used) != SIZE_MAX));
    (void)fhirpath_result_type(program);
    status = evaluate(program, document->root, &first);
    bool same = evaluate(program, document->root, &second) == status && first == second;
    FUZZ_REQUIRE(same || fuzz_memory_fails());
  }
  arena_free(arena);
}

void fuzz_one(struct str input) {
  const struct document *document = document_of(input);
  const struct def_type *type = node_type(document->root);
  one(input, (struct fp_compile){0}, &documents[0]);
  one(input, (struct fp_compile){.definitions = definitions, .input = type, .resource = type}, document);
  one(input,
      (struct fp_compile){.definitions = definitions,
                          .input = type,
                          .prefix = true,
                          .bare_variables = true,
                          .double_quotes = true},
      document);
}
