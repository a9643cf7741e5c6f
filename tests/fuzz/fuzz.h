/*
 * fuzz.h - what the fuzz targets share. Each <target>.c defines fuzz_begin and fuzz_one; fuzz.c makes
 * libFuzzer's two functions of them, which replay.c calls too, on files and on texts made at random, in every
 * build.
 *
 * A target reads any bytes and must give a result or a diagnostic within its caps; what else must hold stands
 * in its FUZZ_REQUIREs. An input of several files is one text with a line `=== name` before each further
 * file.
 *
 * Memory that runs out is part of each target: the arenas that are made while a failure is set let one
 * allocation fail. libFuzzer's function runs every other input a second time so, at a place that hangs on the
 * input; the replay can try each place.
 */
#ifndef KETLINK_TESTS_FUZZ_H
#define KETLINK_TESTS_FUZZ_H

#include <stdint.h>
#include "base/base.h"
#include "definitions/definitions.h"

/* Of the target: once; for each input. */
void fuzz_begin(void);
void fuzz_one(struct str input);

/* Of libFuzzer. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The n-th allocation in the arena that is made as the `arena`-th fails; both count from 1. */
struct fuzz_failure {
  unsigned long arena, allocation;
};
enum fuzz_failed { FUZZ_FAILED, FUZZ_NO_SUCH_ALLOCATION, FUZZ_NO_SUCH_ARENA };
enum fuzz_failed fuzz_one_failing(struct str input, struct fuzz_failure failure);
/* While such a run lasts, a property that needs memory need not hold. */
bool fuzz_memory_fails(void);

/* A property that does not hold is a finding: says so and aborts. */
#define FUZZ_REQUIRE(condition)                                                                              \
  do {                                                                                                       \
    if (!(condition)) fuzz_finding(__FILE__, __LINE__, #condition);                                          \
  } while (0)
_Noreturn void fuzz_finding(const char *file, int line, const char *what);

/* An arena, or the end of the run: the targets' caps are far below the machine's memory. */
struct arena *fuzz_arena(size_t cap);

/* --- definitions: opened once, kept till the end */

/* The real pack; exit status 77 when there is none. */
struct definitions *fuzz_pack(void);
/* The made-up package of tests/unit/definitions/data/small, compiled now; *image (may be NULL) is what was
 * opened. */
struct definitions *fuzz_small_pack(struct str *image);
/* A file of the repository; the end of the run when it cannot be read. */
struct str fuzz_read(struct arena *arena, const char *path);
/* Reads and, where there are definitions, binds; the end of the run when that fails. */
struct tree_node *fuzz_tree(const struct definitions *definitions, const char *path, struct arena *arena);

/* --- inputs of several files */

enum { FUZZ_FILES = 6 };
struct fuzz_files {
  struct fuzz_file {
    char name[32];
    struct str text;
  } items[FUZZ_FILES];
  size_t count;
};
/* The first file gets the name `first`; the last may be cut short: it holds all that is left. */
void fuzz_split(struct str input, const char *first, struct fuzz_files *out);
struct str fuzz_file(const struct fuzz_files *files, const char *name);
/* A machine that has only these files, a clock that stands still, and randomness that counts. */
struct host fuzz_host(struct fuzz_files *files);

#endif
