/* bench.h - what benches share: times of rounds, their median and least; files read into an arena. */
#ifndef KETLINK_TESTS_BENCH_H
#define KETLINK_TESTS_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include "definitions/definitions.h"

struct bench_times {
  double *us;
  size_t count;
};

static inline int64_t bench_now(void) {
  return host_system()->monotonic_ns(NULL);
}

static inline void bench_add(struct bench_times *times, int64_t from, int64_t to, unsigned works) {
  times->us[times->count++] = (double)(to - from) / 1000 / works;
}

static inline int bench_order(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Sorts; afterwards us[0] is the least. */
static inline double bench_median(struct bench_times *times) {
  qsort(times->us, times->count, sizeof *times->us, bench_order);
  return times->us[times->count / 2];
}

/* Reads FOLDER/NAME; ends the program when it is not there. */
static inline struct source *bench_source(const char *folder, const char *name, struct arena *arena) {
  struct source *source = ARENA_NEW(arena, struct source);
  struct str path = arena_printf(arena, "%s/%s", folder, name), text = {0};
  if (!source || !path.ptr ||
      host_system()->read_file(NULL, path.ptr, LIMIT_TEXT_BYTES, arena, &text) != STATUS_OK) {
    fprintf(stderr, "bench: %s/%s is not read\n", folder, name);
    exit(1);
  }
  *source = source_make(path, text);
  return source;
}

#endif
