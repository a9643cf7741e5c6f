/* relay.h - what the two programs of the relay's bench share: when each record was posted, accepted and
 * delivered. */
#ifndef KETLINK_TESTS_BENCH_RELAY_H
#define KETLINK_TESTS_BENCH_RELAY_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <stdint.h>

/* By its serial number, in nanoseconds of the monotonic clock; 0: not yet. */
struct stamp {
  int64_t posted, accepted, delivered;
};
struct stamps {
  struct stamp *at;
  long count;
};

static inline int64_t stamp_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline void give_up(const char *what) {
  perror(what);
  exit(1);
}

/* The file has its size already. */
static inline struct stamps stamps_open(const char *path) {
  struct stat info;
  int file = open(path, O_RDWR);
  if (file < 0 || fstat(file, &info) != 0) give_up(path);
  struct stamps stamps = {.count = info.st_size / (long)sizeof(struct stamp)};
  stamps.at = mmap(NULL, (size_t)info.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (stamps.at == MAP_FAILED) give_up(path);
  close(file);
  return stamps;
}

#endif
