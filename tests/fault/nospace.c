/*
 * nospace.c - for LD_PRELOAD: the disk is full as long as a file is there.
 *
 *   NOSPACE_FILE=FILE   while it exists, what SQLite writes with fails with ENOSPC
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int is_full(void) {
  const char *path = getenv("NOSPACE_FILE");
  return path && access(path, F_OK) == 0;
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
  ssize_t (*next)(int, const void *, size_t, off64_t) = NULL;
  *(void **)&next = dlsym(RTLD_NEXT, "pwrite64");
  if (!is_full()) return next(file, bytes, count, at);
  errno = ENOSPC;
  return -1;
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) {
  return pwrite64(file, bytes, count, at);
}
