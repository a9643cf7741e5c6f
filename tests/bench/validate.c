/*
 * validate.c - resources of a folder, warm, text to findings: reading and binding, and all checks.
 *
 *   bench_validate PACK FOLDER [PROFILE]   mean time of a resource: median and least of the rounds
 *
 * Each file FOLDER/NAME.json is a resource; a round passes over all of them, with one arena that is reset for
 * each.
 */
#include <dirent.h>
#include <unistd.h>
#include "bench.h"
#include "validation/validation.h"

enum { FILES_MAX = 4096, WARM_UP = 20, ROUNDS_MIN = 51, MEMORY = 256 << 20 };
enum { RESOURCES_A_BENCH = 60000 };

struct bench {
  struct arena *loaded, *arena; /* what lasts; one resource */
  struct diag_list diags;
  struct definitions *definitions;
  struct validation *validation;
  const struct source *files[FILES_MAX];
  size_t count, bytes, errors;
  const char *profiles[1];
  size_t profile_count;
  struct bench_times read, whole;
};

static void die(const char *what) {
  fprintf(stderr, "bench_validate: %s\n", what);
  exit(1);
}

static int is_json(const struct dirent *entry) {
  size_t length = strlen(entry->d_name);
  return length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0;
}

static void load_files(struct bench *b, const char *folder) {
  struct dirent **names = NULL;
  int count = scandir(folder, &names, is_json, alphasort);
  if (count <= 0 || count > FILES_MAX) die("no files, or too many");
  for (int i = 0; i < count; i++) {
    b->files[b->count] = bench_source(folder, names[i]->d_name, b->loaded);
    b->bytes += b->files[b->count++]->text.len;
    free(names[i]);
  }
  free(names);
}

/* Returns the time that reading and binding took. */
static int64_t check_one(struct bench *b, const struct source *source) {
  struct diag_list diags;
  struct tree_node *root = NULL;
  int64_t from = bench_now();
  arena_reset(b->arena);
  diag_list_init(&diags, b->arena);
  if (tree_read_json(source, NULL, b->arena, &diags, &root) != STATUS_OK ||
      definitions_bind(b->definitions, NULL, root, source, b->arena, &diags) != STATUS_OK)
    die("a resource is not read");
  int64_t to = bench_now();
  struct validation_run run = {.host = host_system(),
                               .arena = b->arena,
                               .diags = &diags,
                               .source = source,
                               .profiles = b->profiles,
                               .profile_count = b->profile_count};
  if (validation_check(b->validation, &run, root) != STATUS_OK) die("a resource is not checked");
  b->errors += diag_errors(&diags);
  return to - from;
}

static void round_of(struct bench *b, bool counts) {
  int64_t read = 0, from = bench_now();
  b->errors = 0;
  for (size_t i = 0; i < b->count; i++)
    read += check_one(b, b->files[i]);
  int64_t to = bench_now();
  if (!counts) return;
  bench_add(&b->whole, from, to, (unsigned)b->count);
  bench_add(&b->read, 0, read, (unsigned)b->count);
}

static void measure(struct bench *b) {
  size_t rounds = RESOURCES_A_BENCH / b->count;
  if (rounds < ROUNDS_MIN) rounds = ROUNDS_MIN;
  b->whole.us = ARENA_ARRAY(b->loaded, double, rounds);
  b->read.us = ARENA_ARRAY(b->loaded, double, rounds);
  if (!b->whole.us || !b->read.us) die("no memory");
  for (size_t i = 0; i < WARM_UP + rounds; i++)
    round_of(b, i >= WARM_UP);
  double whole = bench_median(&b->whole), read = bench_median(&b->read);
  printf("bench validate ours=%.2fus least=%.2fus read=%.2fus resources=%zu mean=%zu bytes errors=%zu\n", whole,
         b->whole.us[0], read, b->count, b->bytes / b->count, b->errors);
}

int main(int argc, char **argv) {
  static struct bench b;
  if (argc < 3) die("usage: bench_validate PACK FOLDER [PROFILE]");
  b.loaded = arena_new(MEMORY);
  b.arena = arena_new(MEMORY);
  if (!b.loaded || !b.arena) die("no memory");
  diag_list_init(&b.diags, b.loaded);
  if (definitions_open(argv[1], &b.diags, &b.definitions) != STATUS_OK) die("no pack");
  struct validation_params params = {.definitions = b.definitions};
  if (validation_new(&params, &b.diags, &b.validation) != STATUS_OK) die("no validator");
  if (argc > 3) b.profiles[b.profile_count++] = argv[3];
  load_files(&b, argv[2]);
  measure(&b);
  validation_free(b.validation);
  definitions_close(b.definitions);
  arena_free(b.arena);
  arena_free(b.loaded);
  return 0;
}
