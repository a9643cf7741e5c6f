/*
 * oru.c - an ORU^R01 to a FHIR Bundle by our maps, warm, text to text: reading, the tree, the map, writing.
 *
 *   bench_oru PACK FOLDER MAPPINGS [ROUNDS]   times of the parts and of the whole, and of a long report
 *   bench_oru PACK FOLDER MAPPINGS --print    the Bundle, for other engines to be compared with
 *   bench_oru PACK FOLDER MAPPINGS ROUNDS --only   so many messages and nothing else, for callgrind and perf stat: two counts, subtracted
 *
 * FOLDER has message.hl7; the long report is the same with its last result 500 times, numbered: alike, with a time for each, and with a
 * code for each. What each costs tells whether time grows with the square of their number. Maps are loaded once; each round uses one arena, which is reset before it. Exit status 77: there is no
 * pack.
 */
#include <unistd.h>
#include "bench.h"
#include "hl7v2/hl7v2.h"
#include "mapping/mapping.h"

enum { ROUNDS = 10001, WARM_UP = 10 /* a part of them */, MEMORY = 256 << 20, SKIPPED = 77, LONG = 500, LONG_PARTS = 50 /* of the rounds */ };
enum { SCAN, TREE, RUN, WRITE, WHOLE, PARTS };
enum kind { ALIKE, OWN_TIMES, OWN_CODES, KINDS };

struct bench {
  struct arena *loaded, *arena; /* what lasts; one round */
  struct diag_list diags;
  struct definitions *definitions;
  struct mapping_set *maps;
  const struct mapping_map *map;
  const struct source *message;
  struct buf out;
  struct tree_write writing;
  struct bench_times times[PARTS];
};

static void die(const struct bench *b, const char *what) {
  const struct diag *d = b->diags.first;
  fprintf(stderr, "bench_oru: %s", what);
  if (d) fprintf(stderr, ": %.*s:%u: %.*s", STR_ARG(d->file), d->line, STR_ARG(d->message));
  fprintf(stderr, "\n");
  exit(1);
}

static void load(struct bench *b, const char *pack, const char *folder, const char *mappings) {
  struct mapping_load load = {.host = host_system(), .folder = mappings};
  if (definitions_open(pack, &b->diags, &b->definitions) != STATUS_OK) die(b, "no definitions");
  load.definitions = b->definitions;
  if (mapping_load(&load, &b->diags, &b->maps) != STATUS_OK) die(b, "no maps");
  b->map = mapping_find(b->maps, STR("hl7v2-ORU_R01"));
  if (!b->map) die(b, "no map of ORU_R01");
  b->message = bench_source(folder, "message.hl7", b->loaded);
}

/* Text to text; the times stand in `at`. */
static void pass(struct bench *b, int64_t at[PARTS]) {
  struct hl7v2_message message;
  struct tree_node *source, *target;
  at[SCAN] = bench_now();
  arena_reset(b->arena);
  diag_list_init(&b->diags, b->arena);
  if (hl7v2_scan(b->message, NULL, b->arena, &b->diags, &message) != STATUS_OK) die(b, "the message is not read");
  at[TREE] = bench_now();
  if (hl7v2_tree(&message, b->definitions, b->arena, &b->diags, &source) != STATUS_OK) die(b, "no tree");
  at[RUN] = bench_now();
  struct mapping_run run = {.host = host_system(), .arena = b->arena, .diags = &b->diags, .source = b->message};
  if (mapping_run(b->maps, b->map, &run, source, &target) != STATUS_OK) die(b, "the map failed");
  at[WRITE] = bench_now();
  buf_reset(&b->out);
  tree_write_json(target, &b->writing, &b->out);
  if (b->out.error != STATUS_OK) die(b, "the Bundle is not written");
  at[WHOLE] = bench_now();
}

/* The message with its last segment, an OBX, as often as LONG says, numbered from 1, as well as six digits of its time, or its code. */
static const struct source *long_report(struct bench *b, const struct source *message, enum kind kind) {
  struct source *source = ARENA_NEW(b->loaded, struct source);
  struct str text = str_trim(message->text), name = STR("long report");
  size_t last = text.len;
  while (last && text.ptr[last - 1] != '\r')
    last--;
  size_t number = last + strlen("OBX|"), behind = str_find_char(text, '|', number);
  size_t from = str_find_char(text, '|', behind + 1) + 1, to = str_find_char(text, '^', from);
  if (kind == OWN_TIMES) from = str_find(text, STR("101500"), last), to = from + strlen("101500");
  struct buf buf;
  buf_init(&buf, LIMIT_TEXT_BYTES);
  buf_add_str(&buf, str_slice(text, 0, last));
  for (int i = 1; i <= LONG; i++) {
    buf_printf(&buf, "OBX|%d%.*s", i, STR_ARG(str_slice(text, behind, from)));
    if (kind == ALIKE)
      buf_add_str(&buf, str_slice(text, from, to));
    else
      buf_printf(&buf, "%d", 100000 + i / 60 * 100 + i % 60); /* a time as well */
    buf_printf(&buf, "%.*s\r", STR_ARG(str_slice(text, to, text.len)));
  }
  text = buf_take_str(&buf, b->loaded);
  buf_release(&buf);
  if (!source || !text.ptr) die(b, "no memory");
  *source = source_make(name, text);
  return source;
}

static void measure_long(struct bench *b, const struct source *message, enum kind kind, unsigned rounds) {
  static const char *const names[KINDS] = {"alike", "with a time each", "with a code each"};
  int64_t at[PARTS];
  struct bench_times times = {.us = ARENA_ARRAY(b->loaded, double, rounds)};
  if (!times.us) die(b, "no memory");
  b->message = long_report(b, message, kind);
  for (unsigned i = 0; i < rounds; i++) {
    pass(b, at);
    bench_add(&times, at[SCAN], at[WHOLE], LONG);
  }
  double median = bench_median(&times);
  printf("bench hl7v2-bundle-long each=%.2fus least=%.2fus of %d results %s\n", median, times.us[0], LONG, names[kind]);
}

static void measure(struct bench *b, unsigned rounds) {
  int64_t at[PARTS];
  double median[PARTS];
  for (int i = 0; i < PARTS; i++)
    b->times[i].us = ARENA_ARRAY(b->loaded, double, rounds);
  if (!b->times[WHOLE].us) die(b, "no memory");
  for (unsigned i = 0; i < rounds / WARM_UP; i++)
    pass(b, at);
  for (unsigned i = 0; i < rounds; i++) {
    pass(b, at);
    for (int part = SCAN; part < WHOLE; part++)
      bench_add(&b->times[part], at[part], at[part + 1], 1);
    bench_add(&b->times[WHOLE], at[SCAN], at[WHOLE], 1);
  }
  for (int i = 0; i < PARTS; i++)
    median[i] = bench_median(&b->times[i]);
  printf("bench hl7v2-bundle ours=%.2fus least=%.2fus scan=%.2fus tree=%.2fus run=%.2fus write=%.2fus in=%zu out=%zu bytes\n",
         median[WHOLE], b->times[WHOLE].us[0], median[SCAN], median[TREE], median[RUN], median[WRITE], b->message->text.len,
         b->out.len);
}

static void measure_all(struct bench *b, unsigned rounds) {
  const struct source *message = b->message;
  measure(b, rounds);
  for (enum kind kind = ALIKE; kind < KINDS; kind++)
    measure_long(b, message, kind, rounds / LONG_PARTS + 1);
}

static void print(struct bench *b) {
  int64_t at[PARTS];
  pass(b, at);
  printf("%.*s\n", (int)b->out.len, b->out.ptr);
}

/* Nothing but so many messages: what one costs is the difference of two counts (callgrind, perf stat). */
static void run_only(struct bench *b, unsigned rounds) {
  int64_t at[PARTS];
  for (unsigned i = 0; i < rounds; i++)
    pass(b, at);
}

int main(int argc, char **argv) {
  struct bench b = {.loaded = arena_new(MEMORY), .arena = arena_new(MEMORY)};
  if (argc < 4 || !b.loaded || !b.arena) return fprintf(stderr, "usage: bench_oru PACK FOLDER MAPPINGS [ROUNDS [--only] | --print]\n"), 2;
  if (access(argv[1], R_OK) != 0) return printf("skipped: no definition pack at %s\n", argv[1]), SKIPPED;
  diag_list_init(&b.diags, b.loaded);
  buf_init(&b.out, LIMIT_TEXT_BYTES);
  load(&b, argv[1], argv[2], argv[3]);
  unsigned rounds = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : ROUNDS;
  if (argc > 4 && strcmp(argv[4], "--print") == 0)
    print(&b);
  else if (argc > 5 && strcmp(argv[5], "--only") == 0)
    run_only(&b, rounds);
  else
    measure_all(&b, rounds ? rounds : 1);
  buf_release(&b.out);
  mapping_free(b.maps);
  definitions_close(b.definitions);
  arena_free(b.arena);
  arena_free(b.loaded);
  return 0;
}
