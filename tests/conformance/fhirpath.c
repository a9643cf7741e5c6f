/*
 * fhirpath.c - runs the public FHIRPath suites: conformance_fhirpath SUITE FOLDER PACK [-v]
 *
 * SUITE is fhirpath-r4 or fhirpath-js, FOLDER the data's fhirpath folder, PACK a definition pack. Prints the ids that
 * failed, the kinds of cases apart, and a line for the suite; -v also what was expected and found. Exit status 1 when
 * less passed than must (is_good), 77 when there is nothing to run.
 */
#include <stdio.h>
#include <stdlib.h>
#include "fhirpath/fhirpath.h"

enum { MEMORY = 256 << 20, NAME = 512, GROUPS = 64 };
enum kind { CONSENSUS, OTHER, RESOURCE, PLAIN, FACTORY, KINDS };
static const char *const kind_names[] = {"consensus", "other", "resource", "plain", "%factory"};

struct count {
  size_t passed, failed, skipped;
};
struct group {
  struct str name;
  struct count count;
};
struct suite {
  const char *name, *folder;
  bool verbose;
  struct definitions *definitions;
  struct group groups[GROUPS];
  size_t group_count;
  struct count all, kinds[KINDS];
};

/* One case while it runs. */
struct run {
  struct arena *arena;
  struct diag_list diags;
  struct tree_node *test, *input;
  const struct def_type *type; /* of the input, when it is to be checked */
  struct fp_variable variables[8];
  struct fp_list values[8];
  size_t variable_count;
  struct fp_list result;
  bool model;
};

static struct str text_of(const struct tree_node *test, const char *name) {
  const struct tree_node *node = tree_find(test, name);
  return node && node->kind != TREE_NULL ? node->text : (struct str){0};
}

static bool is_true(const struct tree_node *test, const char *name) {
  return str_is(tree_text(test, name), "true");
}

static bool load(const char *path, struct arena *arena, struct diag_list *diags, struct tree_node **out) {
  const struct host *host = host_system();
  struct str text;
  struct source *source = ARENA_NEW(arena, struct source);
  if (!source || host->read_file(host->context, path, LIMIT_TEXT_BYTES, arena, &text) != STATUS_OK)
    return false;
  *source = source_make(str_of(path), text);
  return tree_read_json(source, NULL, arena, diags, out) == STATUS_OK;
}

/* A text that is one primitive becomes the only child of an object. */
static bool load_subject(const char *path, struct run *run) {
  const struct host *host = host_system();
  struct str text, trimmed;
  if (load(path, run->arena, &run->diags, &run->input)) return true;
  if (host->read_file(host->context, path, LIMIT_TEXT_BYTES, run->arena, &text) != STATUS_OK) return false;
  trimmed = str_trim(text);
  if (!trimmed.len || trimmed.ptr[0] == '{' || trimmed.ptr[0] == '[') return false;
  struct source *source = ARENA_NEW(run->arena, struct source);
  struct tree_node *around = NULL;
  if (!source) return false;
  *source = source_make(STR("subject"), arena_printf(run->arena, "{\"subject\":%.*s}", STR_ARG(trimmed)));
  diag_list_init(&run->diags, run->arena);
  if (tree_read_json(source, NULL, run->arena, &run->diags, &around) != STATUS_OK) return false;
  run->input = tree_find(around, "subject");
  return run->input != NULL;
}

static bool load_input(const struct suite *suite, struct run *run, const char *folder) {
  char path[NAME];
  struct str file = text_of(run->test, "input");
  if (!file.len) return true;
  snprintf(path, sizeof path, "%s/%s/%.*s", suite->folder, folder, STR_ARG(file));
  if (!load_subject(path, run)) return false;
  fhirpath_fold_raw(run->input);
  if (!run->model) return true;
  struct source source = source_make(file, (struct str){0});
  return definitions_bind(suite->definitions, NULL, run->input, &source, run->arena, &run->diags) ==
         STATUS_OK;
}

/* STATUS_INVALID: the expression is refused, or fails. */
static enum status evaluate(const struct suite *suite, struct run *run, struct str expression,
                            struct fp_list *out) {
  struct source *source = ARENA_NEW(run->arena, struct source);
  struct fp_program *program;
  struct fp_item item;
  if (!source) return STATUS_NOMEM;
  *source = source_make(STR("expression"), expression);
  struct fp_compile compile = {.definitions = run->model ? suite->definitions : NULL,
                               .input = run->type,
                               .resource = run->type,
                               .variables = run->variables,
                               .variable_count = run->variable_count,
                               .source = source,
                               .to = expression.len};
  enum status status = fhirpath_compile(&compile, run->arena, &run->diags, &program, NULL);
  if (status != STATUS_OK) return status;
  struct fp_run options = {.arena = run->arena, .diags = &run->diags, .variables = run->values};
  return fhirpath_eval(program, &options, fp_one_node(&item, run->input), out);
}

/* --- results against expectations */

static bool same_number(struct str a, struct str b) {
  struct decimal x, y;
  return decimal_parse(a, &x) && decimal_parse(b, &y) && decimal_compare(x, y) == 0;
}

static const char *kind_name(enum fp_kind kind) {
  static const char *const names[] = {
      [FP_BOOLEAN] = "boolean", [FP_INTEGER] = "integer",   [FP_DECIMAL] = "decimal",
      [FP_STRING] = "string",   [FP_DATE] = "date",         [FP_DATETIME] = "dateTime",
      [FP_TIME] = "time",       [FP_QUANTITY] = "Quantity", [FP_TYPE] = "type"};
  return kind == FP_NODE ? "node" : names[kind];
}

static struct str shown(const struct fp_item *item, struct arena *arena, bool r4) {
  struct buf buf;
  struct fp_item value = fhirpath_value(item, arena);
  buf_init(&buf, 1 << 20);
  if (r4 && (value.kind == FP_DATE || value.kind == FP_DATETIME)) buf_add_char(&buf, '@');
  if (r4 && value.kind == FP_TIME) buf_add_text(&buf, "@T");
  fhirpath_print(&value, &buf);
  struct str text = buf_take_str(&buf, arena);
  buf_release(&buf);
  return text;
}

static bool same_type(struct str wanted, enum fp_kind kind) {
  if (!wanted.len || str_is(wanted, kind_name(kind))) return true;
  return kind == FP_STRING && (str_is(wanted, "code") || str_is(wanted, "id") || str_is(wanted, "uri"));
}

static bool same_quantity(struct str a, struct str b) {
  size_t x = str_find_char(a, ' ', 0), y = str_find_char(b, ' ', 0);
  if (x == SIZE_MAX || y == SIZE_MAX || !str_eq(str_slice(a, x, a.len), str_slice(b, y, b.len))) return false;
  return same_number(str_slice(a, 0, x), str_slice(b, 0, y));
}

static bool output_matches(struct run *run, const struct tree_node *wanted, const struct fp_item *item) {
  struct fp_item value = fhirpath_value(item, run->arena);
  struct str text = shown(item, run->arena, true), expected = tree_text(wanted, "value");
  bool boundary = str_find(text_of(run->test, "expression"), STR("Boundary"), 0) != SIZE_MAX;
  if (!same_type(text_of(wanted, "type"), value.kind)) return false;
  if (str_eq(text, expected)) return true;
  if (value.kind == FP_QUANTITY) return same_quantity(text, expected);
  if (value.kind != FP_DECIMAL && value.kind != FP_INTEGER) return false;
  size_t sign = str_starts(expected, STR("-")) && !str_starts(text, STR("-")) ? 1 : 0; /* -0.0 */
  return same_number(text, expected) && (!boundary || text.len + sign == expected.len);
}

static bool outputs_match(struct run *run, bool ordered) {
  bool taken[256] = {false};
  size_t count = 0;
  for (const struct tree_node *wanted = tree_find(run->test, "outputs"); wanted;
       wanted = tree_next_same(wanted)) {
    if (wanted->flags & TREE_EMPTY_ARRAY) break;
    if (count >= run->result.count) return false;
    bool found = false;
    for (size_t i = ordered ? count : 0;
         !found && i < run->result.count && i < 256 && i <= (ordered ? count : 255); i++)
      if (!taken[i] && output_matches(run, wanted, &run->result.items[i])) found = taken[i] = true;
    if (!found) return false;
    count++;
  }
  return count == run->result.count;
}

static bool same_json(const struct tree_node *a, const struct tree_node *b) {
  if (a->kind == TREE_NUMBER && b->kind == TREE_NUMBER) return same_number(a->text, b->text);
  if (a->kind != b->kind || !str_eq(a->text, b->text)) return false;
  size_t left = 0, right = 0;
  for (const struct tree_node *child = b->child; child; child = child->next)
    right += child->name.ptr && child->name.ptr[0] != '_';
  for (const struct tree_node *child = a->child; child; child = child->next) {
    const struct tree_node *other = tree_find_str(b, child->name);
    for (const struct tree_node *before = a->child; other && before != child; before = before->next)
      if (str_eq(before->name, child->name)) other = tree_next_same(other);
    if (child->name.len && child->name.ptr[0] == '_') continue;
    left++;
    if (!other || !same_json(child, other)) return false;
  }
  return left == right;
}

static bool json_matches(struct run *run, const struct tree_node *wanted, const struct fp_item *item) {
  struct datetime a, b;
  struct str text = shown(item, run->arena, false);
  if (item->kind == FP_NODE && item->node->kind == TREE_OBJECT && wanted->kind == TREE_OBJECT)
    return same_json(wanted, item->node);
  if (str_eq(text, wanted->text) || same_number(text, wanted->text)) return true;
  if (same_quantity(text, wanted->text)) return true;
  if (!datetime_parse_literal(text, DATETIME_DATETIME, &a) ||
      !datetime_parse_literal(wanted->text, DATETIME_DATETIME, &b))
    return false;
  return a.has_offset && b.has_offset && datetime_to_ms(&a, 0) == datetime_to_ms(&b, 0);
}

static bool json_results_match(struct run *run) {
  size_t at = 0;
  const struct tree_node *wanted = tree_find(run->test, "result");
  if (wanted && (wanted->flags & TREE_EMPTY_ARRAY)) wanted = NULL;
  for (; at < run->result.count; at++) {
    const struct fp_item *item = &run->result.items[at];
    if (item->kind == FP_NODE && item->node->kind == TREE_NULL) continue;
    if (!wanted || !json_matches(run, wanted, item)) return false;
    wanted = tree_next_same(wanted);
  }
  return wanted == NULL;
}

/* --- one case */

static void add_variable(struct run *run, struct str name, const struct tree_node *first) {
  struct fp_list *list = &run->values[run->variable_count];
  run->variables[run->variable_count++] = (struct fp_variable){.name = name};
  *list = (struct fp_list){0};
  size_t count = 0;
  for (const struct tree_node *node = first; node; node = tree_next_same(node))
    count++;
  list->items = ARENA_ARRAY(run->arena, struct fp_item, count + 1);
  for (const struct tree_node *node = first; node && list->items; node = tree_next_same(node)) {
    if (node->kind == TREE_NULL) continue;
    list->items[list->count] = (struct fp_item){.kind = FP_NODE};
    memcpy(&list->items[list->count++].node, &node, sizeof node);
  }
  list->room = count;
}

static bool set_variables(const struct suite *suite, struct run *run) {
  const struct tree_node *variables = tree_find(run->test, "variables"), *previous = NULL;
  for (const struct tree_node *node = variables ? variables->child : NULL; node && run->variable_count < 7;
       node = node->next) {
    if (!previous || !str_eq(previous->name, node->name)) add_variable(run, node->name, node);
    previous = node;
  }
  struct str context = text_of(run->test, "context");
  struct fp_list list;
  if (!context.len) return true;
  if (evaluate(suite, run, context, &list) != STATUS_OK) return false;
  if (list.count > 1) list.count = 1;
  run->variables[run->variable_count] = (struct fp_variable){.name = STR("context")};
  run->values[run->variable_count++] = list;
  return true;
}

static bool r4_case(struct suite *suite, struct run *run) {
  run->model = true;
  if (!load_input(suite, run, "inputs")) return false;
  if (run->input) run->type = node_type(run->input);
  enum status status = evaluate(suite, run, text_of(run->test, "expression"), &run->result);
  if (text_of(run->test, "invalid").len) return status == STATUS_INVALID;
  if (status != STATUS_OK) return false;
  struct fp_item truth = {.kind = FP_BOOLEAN, .boolean = run->result.count > 0};
  if (is_true(run->test, "predicate")) run->result = (struct fp_list){&truth, 1, 1};
  return outputs_match(run, is_true(run->test, "ordered"));
}

static bool js_case(struct suite *suite, struct run *run) {
  run->model = str_is(text_of(run->test, "model"), "r4") && !str_is(text_of(run->test, "inputKind"), "plain");
  if (!load_input(suite, run, "inputs-js") || !set_variables(suite, run)) return false;
  enum status status = evaluate(suite, run, text_of(run->test, "expression"), &run->result);
  if (is_true(run->test, "error")) return status == STATUS_INVALID;
  return status == STATUS_OK && json_results_match(run);
}

static void explain(const struct run *run) {
  printf("    %.*s\n", STR_ARG(text_of(run->test, "expression")));
  for (size_t i = 0; i < run->result.count && i < 8; i++) {
    struct str text = shown(&run->result.items[i], run->arena, true);
    printf("    found %s %.*s\n", kind_name(fhirpath_value(&run->result.items[i], run->arena).kind),
           STR_ARG(text));
  }
  if (run->result.count == 0) printf("    found nothing\n");
  for (const struct diag *diag = run->diags.first; diag; diag = diag->next)
    printf("    %.*s\n", STR_ARG(diag->message));
  static const char *const names[] = {"outputs", "result", "invalid", "error"};
  for (size_t i = 0; i < 4; i++) {
    for (const struct tree_node *node = tree_find(run->test, names[i]); node; node = tree_next_same(node)) {
      struct buf buf;
      buf_init(&buf, 1 << 20);
      tree_write_json(node, &(struct tree_write){.keep_empty = true}, &buf);
      printf("    %s %.*s\n", names[i], STR_ARG(buf_str(&buf)));
      buf_release(&buf);
    }
  }
}

static struct group *group_of(struct suite *suite, struct str id) {
  struct str name = str_slice(id, 0, str_find_char(id, '/', 0));
  for (size_t i = 0; i < suite->group_count; i++)
    if (str_eq(suite->groups[i].name, name)) return &suite->groups[i];
  if (suite->group_count == GROUPS) return &suite->groups[0];
  suite->groups[suite->group_count] = (struct group){.name = name};
  return &suite->groups[suite->group_count++];
}

static enum kind kind_of(const struct tree_node *test, bool r4) {
  if (r4) return is_true(test, "consensus") ? CONSENSUS : OTHER;
  if (str_find(text_of(test, "expression"), STR("%factory"), 0) != SIZE_MAX) return FACTORY;
  return str_is(text_of(test, "inputKind"), "resource") ? RESOURCE : PLAIN;
}

static void add(struct count *count, bool skipped, bool passed) {
  count->skipped += skipped;
  count->passed += passed;
  count->failed += !skipped && !passed;
}

/* %factory makes FHIR values by functions of one engine; no specification has it. */
static void run_case(struct suite *suite, struct tree_node *test, bool r4) {
  struct run run = {.test = test, .arena = arena_new(MEMORY)};
  struct str id = text_of(test, "id");
  if (!run.arena) exit(2);
  diag_list_init(&run.diags, run.arena);
  enum kind kind = kind_of(test, r4);
  bool skipped = kind == FACTORY, passed = !skipped && (r4 ? r4_case(suite, &run) : js_case(suite, &run));
  add(&suite->all, skipped, passed);
  add(&suite->kinds[kind], skipped, passed);
  add(&group_of(suite, id)->count, skipped, passed);
  if (!passed && !skipped) {
    printf("  %s %.*s\n", kind == CONSENSUS ? "FAILED" : "failed", STR_ARG(id));
    if (suite->verbose) explain(&run);
  }
  arena_free(run.arena);
}

static void show_count(const char *before, struct str name, const struct count *count) {
  printf("%s%.*s: %zu passed, %zu failed, %zu skipped\n", before, STR_ARG(name), count->passed, count->failed,
         count->skipped);
}

static void show_counts(const struct suite *suite) {
  for (size_t i = 0; suite->verbose && i < suite->group_count; i++)
    show_count("  ", suite->groups[i].name, &suite->groups[i].count);
  for (size_t i = 0; i < KINDS; i++) {
    const struct count *count = &suite->kinds[i];
    if (count->passed + count->failed + count->skipped) show_count("  ", str_of(kind_names[i]), count);
  }
  show_count("", str_of(suite->name), &suite->all);
}

/* All consensus cases, of the others at least nine in ten; of fhirpath.js at least 97 in a hundred. */
static bool is_good(const struct suite *suite, bool r4) {
  const struct count *other = &suite->kinds[OTHER], *all = &suite->all;
  if (r4) return suite->kinds[CONSENSUS].failed == 0 && other->passed >= other->failed * 9;
  return all->passed * 3 >= all->failed * 97;
}

int main(int argc, char **argv) {
  enum { SKIPPED = 77 };
  struct arena *arena = arena_new(MEMORY);
  struct diag_list diags;
  char path[NAME];
  struct tree_node *index;
  if (argc < 4 || !arena) return 2;
  bool r4 = strcmp(argv[1], "fhirpath-r4") == 0;
  struct suite suite = {.name = argv[1], .folder = argv[2], .verbose = argc > 4};
  diag_list_init(&diags, arena);
  snprintf(path, sizeof path, "%s/%s", argv[2], r4 ? "r4-open.json" : "fhirpath-js-open.json");
  bool pack = definitions_open(argv[3], &diags, &suite.definitions) == STATUS_OK;
  if (!pack || !load(path, arena, &diags, &index)) {
    printf("%s: skipped, %s\n", argv[1], pack ? "the data is not there" : "there is no definition pack");
    definitions_close(suite.definitions);
    arena_free(arena);
    return SKIPPED;
  }
  for (struct tree_node *test = index->child; test; test = test->next)
    run_case(&suite, test, r4);
  show_counts(&suite);
  definitions_close(suite.definitions);
  arena_free(arena);
  return is_good(&suite, r4) ? 0 : 1;
}
