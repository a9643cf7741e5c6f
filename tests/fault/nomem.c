/*
 * nomem.c - for LD_PRELOAD: the Nth allocation of the process fails, whoever asks: the program, SQLite, OpenSSL, libcurl,
 * jansson, libevent.
 *
 *   NOMEM_AT=N      the Nth fails; NOMEM_FOR=COUNT further ones after it as well
 *   NOMEM_SWITCH=FILE or all of them, while the first byte of FILE is 1; NOMEM_SIZE=BYTES of them only those of so many bytes
 *   NOMEM_THREADS=1 then no memory, but threads, as at a limit of the system
 *   NOMEM_TELL=FILE how many there were, written when the process ends
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void (*next_free)(void *);
static atomic_long count;
static long from = -1, more;
static const volatile char *none; /* mapped */
static size_t only;               /* 0: of any size */
static int threads;               /* they fail, and memory does not */
static int (*next_thread)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

/* dlsym allocates before it is known from whom, and libraries take some when they are loaded. */
static char early[1 << 18];
static size_t early_used;

static void *take_early(size_t size) {
  size = (size + 15) & ~(size_t)15;
  if (size > sizeof early - early_used) abort();
  early_used += size;
  return early + early_used - size;
}

static int is_early(const void *at) {
  return (const char *)at >= early && (const char *)at < early + sizeof early;
}

static void map_switch(const char *path) {
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *at = mmap(NULL, 1, PROT_READ, MAP_SHARED, file, 0);
  if (at == MAP_FAILED) abort();
  none = at;
  close(file);
}

__attribute__((constructor)) static void find(void) {
  const char *at = getenv("NOMEM_AT"), *length = getenv("NOMEM_FOR");
  *(void **)&next_calloc = dlsym(RTLD_NEXT, "calloc");
  *(void **)&next_realloc = dlsym(RTLD_NEXT, "realloc");
  *(void **)&next_free = dlsym(RTLD_NEXT, "free");
  *(void **)&next_malloc = dlsym(RTLD_NEXT, "malloc");
  more = length ? atol(length) : 0;
  from = at ? atol(at) : -1;
  map_switch(getenv("NOMEM_SWITCH"));
  *(void **)&next_thread = dlsym(RTLD_NEXT, "pthread_create");
  threads = getenv("NOMEM_THREADS") != NULL;
  only = getenv("NOMEM_SIZE") ? (size_t)atol(getenv("NOMEM_SIZE")) : 0;
}

__attribute__((destructor)) static void tell(void) {
  const char *path = getenv("NOMEM_TELL");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (!file) return;
  fprintf(file, "%ld\n", (long)count);
  fclose(file);
}

static int fails(size_t size) {
  long number = ++count;
  int off = none && *none && !threads && (!only || size == only);
  if (!off && (from < 0 || number < from || number > from + more)) return 0;
  errno = ENOMEM;
  return 1;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context) {
  return threads && none && *none ? EAGAIN : next_thread(thread, attributes, run, context);
}

void *malloc(size_t size) {
  if (!next_malloc) return take_early(size);
  return fails(size) ? NULL : next_malloc(size);
}

void *calloc(size_t items, size_t size) {
  if (!next_malloc) return take_early(items * size);
  return fails(items * size) ? NULL : next_calloc(items, size);
}

void *realloc(void *old, size_t size) {
  if (is_early(old)) {
    void *grown = malloc(size);
    if (grown) memcpy(grown, old, size < 4096 ? size : 4096);
    return grown;
  }
  return fails(size) ? NULL : next_realloc(old, size);
}

void free(void *old) {
  if (old && !is_early(old)) next_free(old);
}
