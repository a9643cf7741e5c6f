/*
 * nospace.c - for LD_PRELOAD: the disk is full as long as a file is there.
 *
 *   NOSPACE_FILE=FILE   while it exists, what SQLite writes with fails with ENOSPC, or with EDQUOT when it
 *                       has something in it
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int why_full(void) {
  struct stat info;
  const char *path = getenv("NOSPACE_FILE");
  if (!path || stat(path, &info) != 0) return 0;
  return info.st_size ? EDQUOT : ENOSPC;
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
  ssize_t (*next)(int, const void *, size_t, off64_t) = NULL;
  *(void **)&next = dlsym(RTLD_NEXT, "pwrite64");
  int why = why_full();
  if (!why) return next(file, bytes, count, at);
  errno = why;
  return -1;
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) {
  return pwrite64(file, bytes, count, at);
}
