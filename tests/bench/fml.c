/*
 * fml.c - a map on a record, warm, text to text: reading and binding, running, writing.
 *
 *   bench_fml PACK FOLDER [ROUNDS]   times of the three parts and of the whole
 *   bench_fml PACK FOLDER --check    is what it makes FOLDER/expected.json? 77: no pack
 *   bench_fml PACK FOLDER --print    what it makes, for other engines to be compared with
 *
 * FOLDER has map.fml, model.json (the type of the record) and record.json. Map and model are loaded once; each
 * round uses one arena, which is reset before it.
 */
#include <unistd.h>
#include "bench.h"
#include "mapping/mapping.h"

enum { ROUNDS = 20001, WARM_UP = 2000, MEMORY = 64 << 20, SKIPPED = 77 };
enum { READ, RUN, WRITE, WHOLE, PARTS };

struct bench {
  struct arena *loaded, *arena; /* what lasts; one round */
  struct diag_list diags;
  struct definitions *definitions;
  struct mapping_set *maps;
  const struct mapping_map *map;
  const struct source *record;
  struct buf out;
  struct tree_write writing;
  struct bench_times times[PARTS];
};

static void die(const struct bench *b, const char *what) {
  const struct diag *d = b->diags.first;
  fprintf(stderr, "bench_fml: %s", what);
  if (d) fprintf(stderr, ": %.*s:%u: %.*s", STR_ARG(d->file), d->line, STR_ARG(d->message));
  fprintf(stderr, "\n");
  exit(1);
}

static void load(struct bench *b, const char *folder) {
  struct source *model = bench_source(folder, "model.json", b->loaded);
  struct tree_node *root = NULL;
  if (tree_read_json(model, NULL, b->loaded, &b->diags, &root) != STATUS_OK ||
      definitions_overlay(b->definitions, &root, 1, &b->diags) != STATUS_OK)
    die(b, "no model");
  const char *files[] = {arena_printf(b->loaded, "%s/map.fml", folder).ptr};
  struct mapping_load load = {
      .definitions = b->definitions, .host = host_system(), .files = files, .file_count = 1};
  if (mapping_load(&load, &b->diags, &b->maps) != STATUS_OK) die(b, "no map");
  b->map = mapping_at(b->maps, 0);
  b->record = bench_source(folder, "record.json", b->loaded);
}

/* Text to text; the times stand in `at`. */
static void pass(struct bench *b, int64_t at[PARTS]) {
  struct tree_node *source, *target;
  at[READ] = bench_now();
  arena_reset(b->arena);
  diag_list_init(&b->diags, b->arena);
  if (tree_read_json(b->record, NULL, b->arena, &b->diags, &source) != STATUS_OK ||
      definitions_bind(b->definitions, mapping_source_type(b->map), source, b->record, b->arena, &b->diags) !=
          STATUS_OK)
    die(b, "the record is not read");
  at[RUN] = bench_now();
  struct mapping_run run = {
      .host = host_system(), .arena = b->arena, .diags = &b->diags, .source = b->record};
  if (mapping_run(b->maps, b->map, &run, source, &target) != STATUS_OK) die(b, "the map failed");
  at[WRITE] = bench_now();
  buf_reset(&b->out);
  tree_write_json(target, &b->writing, &b->out);
  if (b->out.error != STATUS_OK) die(b, "the Bundle is not written");
  at[WHOLE] = bench_now();
}

static void measure(struct bench *b, unsigned rounds) {
  int64_t at[PARTS];
  double median[PARTS];
  for (int i = 0; i < PARTS; i++)
    b->times[i].us = ARENA_ARRAY(b->loaded, double, rounds);
  if (!b->times[WHOLE].us) die(b, "no memory");
  for (unsigned i = 0; i < WARM_UP; i++)
    pass(b, at);
  for (unsigned i = 0; i < rounds; i++) {
    pass(b, at);
    for (int part = READ; part < WHOLE; part++)
      bench_add(&b->times[part], at[part], at[part + 1], 1);
    bench_add(&b->times[WHOLE], at[READ], at[WHOLE], 1);
  }
  for (int i = 0; i < PARTS; i++)
    median[i] = bench_median(&b->times[i]);
  printf("bench fml ours=%.2fus least=%.2fus read=%.2fus run=%.2fus write=%.2fus in=%zu out=%zu bytes\n",
         median[WHOLE], b->times[WHOLE].us[0], median[READ], median[RUN], median[WRITE], b->record->text.len,
         b->out.len);
}

static int check(struct bench *b, const char *folder) {
  int64_t at[PARTS];
  struct source *expected = bench_source(folder, "expected.json", b->loaded);
  b->writing.pretty = true;
  for (int round = 0; round < 2; round++) { /* the second in an arena that was used */
    pass(b, at);
    buf_add_char(&b->out, '\n');
    if (str_eq(buf_str(&b->out), expected->text)) continue;
    printf("%.*s", STR_ARG(buf_str(&b->out)));
    fprintf(stderr, "bench_fml: this is not %.*s\n", STR_ARG(expected->name));
    return 1;
  }
  return 0;
}

static int work(struct bench *b, const char *folder, const char *what) {
  int64_t at[PARTS];
  if (what && strcmp(what, "--check") == 0) return check(b, folder);
  if (what && strcmp(what, "--print") == 0) {
    pass(b, at);
    return printf("%.*s\n", STR_ARG(buf_str(&b->out))) < 0;
  }
  unsigned rounds = what ? (unsigned)strtoul(what, NULL, 10) : ROUNDS;
  measure(b, rounds ? rounds : 1);
  return 0;
}

int main(int argc, char **argv) {
  struct bench b = {.loaded = arena_new(MEMORY), .arena = arena_new(MEMORY)};
  if (argc < 3 || !b.loaded || !b.arena)
    return fprintf(stderr, "usage: bench_fml PACK FOLDER [ROUNDS|--check|--print]\n"), 2;
  if (access(argv[1], R_OK) != 0) return printf("skipped: no definition pack at %s\n", argv[1]), SKIPPED;
  diag_list_init(&b.diags, b.loaded);
  buf_init(&b.out, LIMIT_TEXT_BYTES);
  if (definitions_open(argv[1], &b.diags, &b.definitions) != STATUS_OK) die(&b, "no definitions");
  load(&b, argv[2]);
  int result = work(&b, argv[2], argc > 3 ? argv[3] : NULL);
  buf_release(&b.out);
  mapping_free(b.maps);
  definitions_close(b.definitions);
  arena_free(b.arena);
  arena_free(b.loaded);
  return result;
}
