/*
 * hl7v2.c - a message of 0.9 kB parsed and 35 values read, warm; and text to Bundle text by our maps.
 *
 *   bench_hl7v2 PACK FOLDER [ROUNDS]   times
 *   bench_hl7v2 PACK FOLDER --check    is each value the one that FOLDER/places.tsv says?
 *   bench_hl7v2 PACK FOLDER --print    the values as a JSON array, for other engines to be compared with
 *
 * FOLDER has message.hl7 and places.tsv. Places are parsed once; each piece of work begins with an empty arena.
 */
#include "bench.h"
#include "hl7v2/hl7v2.h"

enum { ROUNDS = 2001, WORKS = 100, PLACES_MAX = 64, MEMORY = 16 << 20 };

struct bench {
  struct arena *loaded, *arena; /* what lasts; one piece of work */
  struct diag_list diags;
  const struct source *message;
  struct hl7v2_place places[PLACES_MAX];
  struct str expected[PLACES_MAX], values[PLACES_MAX];
  size_t count;
};

static int die(const char *what) {
  fprintf(stderr, "bench_hl7v2: %s\n", what);
  exit(1);
}

static void read_place(struct bench *b, struct str line) {
  size_t tab = str_find_char(line, '\t', 0);
  if (!line.len || line.ptr[0] == '#') return;
  if (tab == SIZE_MAX || b->count == PLACES_MAX || !hl7v2_place_parse(str_slice(line, 0, tab), &b->places[b->count]))
    die("a line of places.tsv is no place and value");
  b->expected[b->count++] = str_slice(line, tab + 1, line.len);
}

static void load(struct bench *b, const char *folder) {
  struct str text = bench_source(folder, "places.tsv", b->loaded)->text;
  b->message = bench_source(folder, "message.hl7", b->loaded);
  for (size_t at = 0, end; at < text.len; at = end + 1) {
    end = str_find_char(text, '\n', at);
    if (end == SIZE_MAX) end = text.len;
    read_place(b, str_slice(text, at, end));
  }
}

static void work(struct bench *b) {
  struct hl7v2_message message;
  arena_reset(b->arena);
  diag_list_init(&b->diags, b->arena);
  if (hl7v2_scan(b->message, NULL, b->arena, &b->diags, &message) != STATUS_OK) die("message.hl7 is not read");
  for (size_t i = 0; i < b->count; i++)
    b->values[i] = hl7v2_value(&message, &b->places[i], b->arena);
}

static int measure(struct bench *b, unsigned rounds) {
  struct bench_times times = {.us = ARENA_ARRAY(b->loaded, double, rounds)};
  if (!times.us) die("no memory");
  for (unsigned i = 0; i < rounds; i++) {
    int64_t from = bench_now();
    for (int n = 0; n < WORKS; n++)
      work(b);
    bench_add(&times, from, bench_now(), WORKS);
  }
  double median = bench_median(&times);
  return printf("bench hl7v2-values ours=%.3fus least=%.3fus values=%zu in=%zu bytes\n", median, times.us[0], b->count,
                b->message->text.len) < 0;
}

static int check(struct bench *b) {
  for (int round = 0; round < 2; round++) { /* the second in an arena that was used */
    work(b);
    for (size_t i = 0; i < b->count; i++) {
      if (str_eq(b->values[i], b->expected[i])) continue;
      fprintf(stderr, "bench_hl7v2: value %zu is '%.*s' instead of '%.*s'\n", i + 1, STR_ARG(b->values[i]),
              STR_ARG(b->expected[i]));
      return 1;
    }
  }
  return b->count ? 0 : die("no places");
}

static int print(struct bench *b) {
  struct buf out;
  buf_init(&out, LIMIT_TEXT_BYTES);
  work(b);
  for (size_t i = 0; i < b->count; i++) {
    buf_add_char(&out, i ? ',' : '[');
    buf_add_json(&out, b->values[i]);
  }
  int failed = printf("%.*s]\n", STR_ARG(buf_str(&out))) < 0;
  buf_release(&out);
  return failed;
}

int main(int argc, char **argv) {
  struct bench b = {.loaded = arena_new(MEMORY), .arena = arena_new(MEMORY)};
  if (argc < 3 || !b.loaded || !b.arena)
    return fprintf(stderr, "usage: bench_hl7v2 PACK FOLDER [ROUNDS|--check|--print]\n"), 2;
  load(&b, argv[2]);
  const char *what = argc > 3 ? argv[3] : "";
  unsigned rounds = (unsigned)strtoul(what, NULL, 10);
  int result = strcmp(what, "--check") == 0   ? check(&b)
               : strcmp(what, "--print") == 0 ? print(&b)
                                              : measure(&b, rounds ? rounds : ROUNDS);
  arena_free(b.arena);
  arena_free(b.loaded);
  return result;
}
