/*
 * fhirpath.c - five common expressions, warm, on made-up resources of R4.
 *
 *   bench_fhirpath PACK
 *
 * Each expression is compiled once and evaluated in batches; results live in an arena that is rewound after
 * each evaluation. The figure is the median of the batches, per evaluation.
 */
#include <stdio.h>
#include <stdlib.h>
#include "fhirpath/fhirpath.h"

enum { BATCH = 200, ROUNDS = 4001, MEMORY = 64 << 20 };

static const char patient[] =
    "{\"resourceType\":\"Patient\",\"id\":\"p1\",\"identifier\":[{\"system\":\"urn:mrn\",\"value\":\"1\"}],"
    "\"active\":true,"
    "\"name\":[{\"use\":\"usual\",\"given\":[\"Jim\"]},{\"use\":\"official\",\"family\":\"Chalmers\","
    "\"given\":[\"Peter\","
    "\"James\"]},{\"use\":\"maiden\",\"family\":\"Windsor\",\"given\":[\"Peter\"]}],\"telecom\":[{\"system\":"
    "\"phone\","
    "\"value\":\"1\"}],\"gender\":\"male\",\"birthDate\":\"1974-12-25\",\"contact\":[{\"relationship\":[{"
    "\"text\":\"N\"}],"
    "\"name\":{\"family\":\"du Marché\"}},{\"telecom\":[{\"value\":\"2\"}]},{\"organization\":{\"reference\":"
    "\"Organization/1\"}}]}";
static const char observation[] =
    "{\"resourceType\":\"Observation\",\"id\":\"o1\",\"status\":\"final\",\"category\":[{\"coding\":[{"
    "\"code\":\"vital-signs\"}]}],"
    "\"code\":{\"coding\":[{\"system\":\"http://snomed.info/sct\",\"code\":\"27113001\"},{\"system\":\"http:/"
    "/loinc.org\","
    "\"code\":\"29463-7\"}],\"text\":\"Weight\"},\"subject\":{\"reference\":\"Patient/"
    "p1\"},\"valueQuantity\":{\"value\":185,"
    "\"unit\":\"lbs\",\"system\":\"http://unitsofmeasure.org\",\"code\":\"[lb_av]\"}}";

static const struct {
  const char *expression;
  int document; /* 0 patient, 1 observation, 2 bundle */
} cases[] = {
    {"Patient.name.where(use='official').given.first()", 0},
    {"contact.all(name.exists() or telecom.exists() or address.exists() or organization.exists())", 0},
    {"Observation.code.coding.where(system='http://loinc.org').code", 1},
    {"Observation.value.ofType(Quantity).value > 5.0", 1},
    {"Bundle.entry.resource.ofType(Observation).where(status='final').count()", 2},
};

struct bench {
  struct arena *arena, *scratch;
  struct diag_list diags;
  struct definitions *definitions;
  struct tree_node *roots[3];
};

static void die(const char *what) {
  fprintf(stderr, "bench_fhirpath: %s\n", what);
  exit(1);
}

static struct tree_node *read_bound(struct bench *b, struct str text) {
  struct source *source = ARENA_NEW(b->arena, struct source);
  struct tree_node *root;
  if (!source) die("no memory");
  *source = source_make(STR("made up"), text);
  if (tree_read_json(source, NULL, b->arena, &b->diags, &root) != STATUS_OK ||
      definitions_bind(b->definitions, NULL, root, source, b->arena, &b->diags) != STATUS_OK)
    die("the document is not read");
  return root;
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static size_t evaluate(struct bench *b, const struct fp_program *program, struct tree_node *root) {
  struct fp_run run = {.host = host_system(), .arena = b->scratch, .diags = &b->diags};
  struct fp_item focus;
  struct fp_list items;
  struct arena_mark mark = arena_mark(b->scratch);
  if (fhirpath_eval(program, &run, fp_one_node(&focus, root), &items) != STATUS_OK) die("evaluation failed");
  arena_rewind(b->scratch, mark);
  return items.count;
}

static void measure(struct bench *b, const char *expression, struct tree_node *root) {
  struct source source = source_make(STR("expression"), str_of(expression));
  struct fp_compile compile = {.definitions = b->definitions,
                               .input = node_type(root),
                               .resource = node_type(root),
                               .source = &source,
                               .to = source.text.len};
  struct fp_program *program;
  double rounds[ROUNDS];
  size_t found = 0;
  if (fhirpath_compile(&compile, b->arena, &b->diags, &program, NULL) != STATUS_OK) die(expression);
  for (int r = 0; r < ROUNDS; r++) {
    int64_t start = host_system()->monotonic_ns(NULL);
    for (int i = 0; i < BATCH; i++)
      found += evaluate(b, program, root);
    rounds[r] = (double)(host_system()->monotonic_ns(NULL) - start) / BATCH / 1000;
  }
  qsort(rounds, ROUNDS, sizeof *rounds, by_size);
  printf("bench fhirpath ours=%.3fus items=%zu %s\n", rounds[ROUNDS / 2], found / ROUNDS / BATCH, expression);
}

int main(int argc, char **argv) {
  struct bench b = {.arena = arena_new(MEMORY), .scratch = arena_new(MEMORY)};
  if (argc < 2 || !b.arena || !b.scratch || !arena_alloc(b.scratch, 1)) die("usage: bench_fhirpath PACK");
  diag_list_init(&b.diags, b.arena);
  if (definitions_open(argv[1], &b.diags, &b.definitions) != STATUS_OK) die("no definitions");
  struct str bundle =
      arena_printf(b.arena,
                   "{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":[{\"resource\":%s},"
                   "{\"resource\":%s},{\"resource\":%s}]}",
                   patient, observation, observation);
  b.roots[0] = read_bound(&b, str_of(patient));
  b.roots[1] = read_bound(&b, str_of(observation));
  b.roots[2] = read_bound(&b, bundle);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    measure(&b, cases[i].expression, b.roots[cases[i].document]);
  definitions_close(b.definitions);
  arena_free(b.scratch);
  arena_free(b.arena);
  return 0;
}
