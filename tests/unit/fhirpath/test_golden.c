/*
 * test_golden.c - runs the cases of tests/golden/fhirpath: three lines each (expression; input file, `raw
 * file` without definitions, or -; items or !code of the error), blank lines between, comments before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "fhirpath/fhirpath.h"
#include "../pack.h"

#define FOLDER SOURCE_DIR "/tests/golden/fhirpath/"

struct bench {
  struct definitions *definitions;
  size_t cases, failed;
};

static int64_t fixed_now(void *context) {
  (void)context;
  return 1772705472345; /* 2026-03-05T10:11:12.345Z */
}

static struct str next_line(struct str *text) {
  size_t end = str_find_char(*text, '\n', 0);
  struct str line = str_slice(*text, 0, end);
  *text = str_slice(*text, end == SIZE_MAX ? text->len : end + 1, text->len);
  return line;
}

static struct str read_file(const char *folder, struct str name, struct arena *arena) {
  struct str text = {0}, path = arena_printf(arena, "%s%.*s", folder, STR_ARG(name));
  assert_int_equal(host_system()->read_file(NULL, path.ptr, LIMIT_TEXT_BYTES, arena, &text), STATUS_OK);
  return text;
}

/* As FHIRPath writes it: 'text', @2026, @T08:30, 1.5 'mg'. */
static void show(const struct fp_item *item, struct arena *arena, struct buf *out) {
  struct fp_item value = fhirpath_value(item, arena);
  bool text = value.kind == FP_STRING, date = value.kind == FP_DATE || value.kind == FP_DATETIME;
  size_t start;
  if (out->len) buf_add_text(out, ", ");
  start = out->len;
  buf_add_text(out, text ? "'" : date ? "@" : value.kind == FP_TIME ? "@T" : "");
  fhirpath_print(&value, out);
  if (text) buf_add_char(out, '\'');
  if (value.kind == FP_DATETIME &&
      str_find_char(str_slice(buf_str(out), start, out->len), 'T', 0) == SIZE_MAX)
    buf_add_char(out, 'T');
}

static void load_input(struct bench *b, struct str input, struct arena *arena, struct diag_list *diags,
                       struct tree_node **root) {
  bool raw = str_starts(input, STR("raw "));
  struct source *source = ARENA_NEW(arena, struct source);
  *source = source_make(input, read_file(FOLDER, raw ? str_slice(input, 4, input.len) : input, arena));
  assert_int_equal(tree_read_json(source, NULL, arena, diags, root), STATUS_OK);
  if (raw)
    fhirpath_fold_raw(*root);
  else
    assert_int_equal(definitions_bind(b->definitions, NULL, *root, source, arena, diags), STATUS_OK);
}

static void evaluate(struct bench *b, struct str expression, struct str input, struct arena *arena,
                     bool unfused, struct buf *out) {
  struct host host = *host_system();
  struct diag_list diags;
  struct tree_node *root = NULL;
  struct fp_program *program;
  struct fp_item focus;
  struct fp_list items = {0};
  struct source source = source_make(STR("expression"), expression);
  diag_list_init(&diags, arena);
  host.now_ms = fixed_now;
  if (!str_is(input, "-")) load_input(b, input, arena, &diags, &root);
  const struct def_type *type = root ? node_type(root) : NULL;
  struct fp_compile compile = {.definitions = root && !type ? NULL : b->definitions,
                               .input = type,
                               .resource = type,
                               .source = &source,
                               .to = expression.len,
                               .unfused = unfused};
  struct fp_run run = {.host = &host, .arena = arena, .diags = &diags};
  enum status status = fhirpath_compile(&compile, arena, &diags, &program, NULL);
  if (status == STATUS_OK) status = fhirpath_eval(program, &run, fp_one_node(&focus, root), &items);
  for (size_t i = 0; status == STATUS_OK && i < items.count; i++)
    show(&items.items[i], arena, out);
  if (status == STATUS_OK && items.count == 0) buf_add_text(out, "{}");
  if (status != STATUS_OK)
    buf_printf(out, "!%s", diags.first ? diag_code_name(diags.first->code) : status_name(status));
}

static void run_case(struct bench *b, struct str file, struct str expression, struct str input,
                     struct str want, bool unfused) {
  struct arena *arena = arena_new(64 << 20);
  struct buf got;
  buf_init(&got, 1 << 20);
  evaluate(b, expression, input, arena, unfused, &got);
  b->cases++;
  if (!str_eq(buf_str(&got), want)) {
    b->failed++;
    printf("%.*s: %.*s (%.*s)\n  want %.*s\n  got  %.*s\n", STR_ARG(file), STR_ARG(expression),
           STR_ARG(input), STR_ARG(want), STR_ARG(buf_str(&got)));
  }
  buf_release(&got);
  arena_free(arena);
}

static void run_file(struct bench *b, struct str name, struct arena *arena) {
  struct str text = read_file(FOLDER, name, arena);
  while (text.len) {
    struct str expression = next_line(&text);
    if (expression.len == 0 || str_starts(expression, STR("# "))) continue;
    struct str input = next_line(&text), want = next_line(&text);
    run_case(b, name, expression, input, want, false);
    run_case(b, name, expression, input, want, true);
  }
}

static void cases_hold(void **state) {
  struct bench *b = *state;
  struct arena *arena = arena_new(16 << 20);
  struct str *names;
  size_t count;
  assert_int_equal(host_system()->list_files(NULL, FOLDER, STR(".test"), arena, &names, &count), STATUS_OK);
  for (size_t i = 0; i < count; i++)
    run_file(b, names[i], arena);
  printf("%zu cases, %zu failed\n", b->cases, b->failed);
  arena_free(arena);
  assert_true(b->cases >= 250);
  assert_int_equal(b->failed, 0);
}

int main(void) {
  struct bench bench = {.definitions = pack_open()};
  if (!bench.definitions) return PACK_SKIPPED;
  const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(cases_hold, &bench)};
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  definitions_close(bench.definitions);
  return failed;
}
