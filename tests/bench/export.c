/*
 * export.c - what an export costs: a cold process for one session, and many generated records in one warm
 * process.
 *
 *   bench_export KETLINK RECORD [RECORDS]
 *
 * Cold: fork and exec of the program, wall time and peak memory as the kernel counts them, median of the
 * rounds. Warm: RECORDS copies of the record with other session and patient numbers pass text -> Bundle text
 * with validation on, on one thread.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "pipeline/pipeline.h"

enum { COLD_ROUNDS = 31 };

extern char **environ;

struct cold {
  double ms[COLD_ROUNDS];
  long kib;
};

static double now_ms(void) {
  return (double)host_system()->monotonic_ns(NULL) / 1e6;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static int run_cold(char *program, char *record, struct cold *cold, int round) {
  char *argv[] = {program, (char[]){"export"}, (char[]){"-q"}, record, NULL};
  posix_spawn_file_actions_t actions;
  struct rusage usage;
  pid_t pid = 0;
  int status = 0;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  double start = now_ms();
  int failed = posix_spawn(&pid, program, &actions, NULL, argv, environ);
  if (!failed) failed = wait4(pid, &status, 0, &usage) < 0 || status != 0;
  cold->ms[round] = now_ms() - start;
  if (!failed && usage.ru_maxrss > cold->kib) cold->kib = usage.ru_maxrss;
  posix_spawn_file_actions_destroy(&actions);
  return failed;
}

static int bench_cold(char *program, char *record) {
  struct cold cold = {0};
  for (int i = 0; i < COLD_ROUNDS; i++)
    if (run_cold(program, record, &cold, i)) return fprintf(stderr, "bench_export: the program failed\n"), 1;
  qsort(cold.ms, COLD_ROUNDS, sizeof cold.ms[0], by_value);
  printf("bench export-cold ours=%.1fms least=%.1fms peak=%.1fMiB\n", cold.ms[COLD_ROUNDS / 2], cold.ms[0],
         (double)cold.kib / 1024);
  return 0;
}

/* Digits of the session's and the patient's number are overwritten: same length, other identity. */
static void renumber(char *text, const char *before, unsigned number) {
  char *at = strstr(text, before);
  char digits[16];
  if (!at) return;
  at += strlen(before);
  size_t length = strspn(at, "0123456789");
  snprintf(digits, sizeof digits, "%010u", number);
  for (size_t i = 0; i < length && i < 10; i++)
    at[length - 1 - i] = digits[9 - i];
}

struct warm {
  struct pipeline *pipeline;
  struct arena *arena;
  struct buf out;
  size_t resources, bytes;
};

static size_t count_entries(const struct tree_node *bundle) {
  size_t count = 0;
  for (const struct tree_node *node = tree_find(bundle, "entry"); node; node = tree_next_same(node))
    count++;
  return count;
}

static int pass_one(struct warm *warm, struct str text) {
  struct diag_list diags;
  struct intake_record record = {0};
  struct tree_node *bundle = NULL;
  struct tree_write options = {0};
  arena_reset(warm->arena);
  diag_list_init(&diags, warm->arena);
  struct intake_input input = intake_open(STR("generated"), text);
  struct pipeline_run run = {.arena = warm->arena, .diags = &diags, .validate = true};
  enum status status = intake_next(&input, pipeline_definitions(warm->pipeline),
                                   pipeline_routes(warm->pipeline), warm->arena, &diags, &record);
  if (status == STATUS_OK) status = pipeline_export(warm->pipeline, &record, &run, &bundle);
  if (status != STATUS_OK) return 1;
  buf_reset(&warm->out);
  tree_write_json(bundle, &options, &warm->out);
  warm->resources += count_entries(bundle);
  warm->bytes += warm->out.len;
  return warm->out.error != STATUS_OK;
}

static int bench_warm(struct warm *warm, const char *path, unsigned records) {
  struct arena *arena = arena_new(LIMIT_RECORD_BYTES);
  struct str text = {0};
  if (!arena || host_system()->read_file(NULL, path, LIMIT_RECORD_BYTES / 2, arena, &text) != STATUS_OK)
    return 1;
  char *copy = arena_alloc(arena, text.len + 1);
  if (!copy) return 1;
  double start = now_ms();
  for (unsigned i = 0; i < records; i++) {
    memcpy(copy, text.ptr, text.len + 1);
    renumber(copy, "\"id\": \"S-", i);
    renumber(copy, "\"mrn\": \"MRN-", i);
    if (pass_one(warm, str_make(copy, text.len)))
      return fprintf(stderr, "bench_export: record %u failed\n", i), 1;
  }
  double seconds = (now_ms() - start) / 1000;
  printf("bench export-warm ours=%.0f resources/s records=%u each=%.2fms resources=%zu out=%.1fMB\n",
         (double)warm->resources / seconds, records, seconds * 1000 / records, warm->resources,
         (double)warm->bytes / 1e6);
  arena_free(arena);
  return 0;
}

int main(int argc, char **argv) {
  struct warm warm = {0};
  struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
  struct diag_list diags;
  struct pipeline_params params = {.host = host_system(), .maps = PIPELINE_MAPS_ALL};
  if (argc < 3 || !arena) return fprintf(stderr, "usage: bench_export KETLINK RECORD [RECORDS]\n"), 2;
  diag_list_init(&diags, arena);
  if (bench_cold(argv[1], argv[2])) return 1;
  if (pipeline_open(&params, &diags, &warm.pipeline) != STATUS_OK)
    return fprintf(stderr, "bench_export: the pipeline does not open\n"), 1;
  warm.arena = arena_new(LIMIT_ARENA_BYTES);
  buf_init(&warm.out, LIMIT_TEXT_BYTES);
  int failed =
      !warm.arena || bench_warm(&warm, argv[2], argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 10000);
  buf_release(&warm.out);
  arena_free(warm.arena);
  pipeline_close(warm.pipeline);
  arena_free(arena);
  return failed;
}
