/*
 * fhirpath.c - five common expressions, warm, on made-up resources of R4.
 *
 *   bench_fhirpath PACK FOLDER [--check]
 *
 * FOLDER/expressions.json names the expressions, the document of each and the items that come out, as texts. Each
 * expression is compiled once, checked against its items (--check: no more; 77: no pack) and evaluated in batches;
 * results live in an arena that is rewound after each evaluation. The figures are per evaluation.
 */
#include <unistd.h>
#include "bench.h"
#include "fhirpath/fhirpath.h"

enum { BATCH = 200, ROUNDS = 4001, WARM_UP = 100, MEMORY = 64 << 20, SKIPPED = 77 };

struct bench {
  struct arena *arena, *scratch;
  struct diag_list diags;
  struct definitions *definitions;
  const char *folder;
  bool check_only;
};

static void die(const char *what) {
  fprintf(stderr, "bench_fhirpath: %s\n", what);
  exit(1);
}

static struct tree_node *read_bound(struct bench *b, struct str name) {
  struct source *source = bench_source(b->folder, name.ptr, b->arena);
  struct tree_node *root;
  if (tree_read_json(source, NULL, b->arena, &b->diags, &root) != STATUS_OK ||
      definitions_bind(b->definitions, NULL, root, source, b->arena, &b->diags) != STATUS_OK)
    die("the document is not read");
  return root;
}

static struct fp_program *compile(struct bench *b, struct str expression, struct tree_node *root) {
  struct source source = source_make(STR("expression"), expression);
  struct fp_compile compile = {.definitions = b->definitions,
                               .input = node_type(root),
                               .resource = node_type(root),
                               .source = &source,
                               .to = source.text.len};
  struct fp_program *program;
  if (fhirpath_compile(&compile, b->arena, &b->diags, &program, NULL) != STATUS_OK) die(expression.ptr);
  return program;
}

static struct fp_list evaluate(struct bench *b, const struct fp_program *program, struct tree_node *root,
                               struct fp_item *focus) {
  struct fp_run run = {.host = host_system(), .arena = b->scratch, .diags = &b->diags};
  struct fp_list items;
  if (fhirpath_eval(program, &run, fp_one_node(focus, root), &items) != STATUS_OK) die("evaluation failed");
  return items;
}

static void check(struct bench *b, const struct fp_program *program, struct tree_node *root,
                  const struct tree_node *row) {
  struct fp_item focus;
  struct fp_list found = evaluate(b, program, root, &focus);
  const struct tree_node *expected = tree_find(row, "items");
  struct str text;
  for (size_t i = 0; i < found.count; i++, expected = tree_next_same(expected))
    if (!expected || !fhirpath_text(&found.items[i], b->arena, &text) || !str_eq(text, expected->text))
      die("another item than expressions.json has");
  if (expected) die("fewer items than expressions.json has");
}

static void batch(struct bench *b, const struct fp_program *program, struct tree_node *root) {
  struct fp_item focus;
  for (int i = 0; i < BATCH; i++) {
    struct arena_mark mark = arena_mark(b->scratch);
    evaluate(b, program, root, &focus);
    arena_rewind(b->scratch, mark);
  }
}

static void measure(struct bench *b, const struct fp_program *program, struct tree_node *root,
                    struct str expression) {
  double rounds[ROUNDS];
  struct bench_times times = {.us = rounds};
  for (int r = 0; r < WARM_UP; r++)
    batch(b, program, root);
  for (int r = 0; r < ROUNDS; r++) {
    int64_t start = bench_now();
    batch(b, program, root);
    bench_add(&times, start, bench_now(), BATCH);
  }
  double median = bench_median(&times);
  printf("bench fhirpath ours=%.3fus least=%.3fus %.*s\n", median, rounds[0], STR_ARG(expression));
}

static void work(struct bench *b) {
  struct source *list = bench_source(b->folder, "expressions.json", b->arena);
  struct tree_node *rows;
  if (tree_read_json(list, NULL, b->arena, &b->diags, &rows) != STATUS_OK) die("expressions.json is not read");
  for (struct tree_node *row = rows->child; row; row = row->next) {
    struct str expression = arena_str(b->arena, tree_text(row, "expression"));
    struct tree_node *root = read_bound(b, arena_str(b->arena, tree_text(row, "document")));
    struct fp_program *program = compile(b, expression, root);
    check(b, program, root, row);
    if (!b->check_only) measure(b, program, root, expression);
  }
}

int main(int argc, char **argv) {
  struct bench b = {.arena = arena_new(MEMORY), .scratch = arena_new(MEMORY)};
  if (argc < 3 || !b.arena || !b.scratch || !arena_alloc(b.scratch, 1))
    die("usage: bench_fhirpath PACK FOLDER [--check]");
  if (access(argv[1], R_OK) != 0) return printf("skipped: no definition pack at %s\n", argv[1]), SKIPPED;
  b.folder = argv[2];
  b.check_only = argc > 3 && strcmp(argv[3], "--check") == 0;
  diag_list_init(&b.diags, b.arena);
  if (definitions_open(argv[1], &b.diags, &b.definitions) != STATUS_OK) die("no definitions");
  work(&b);
  definitions_close(b.definitions);
  arena_free(b.scratch);
  arena_free(b.arena);
  return 0;
}
