/* pack.h - for tests: the definition pack, or a skip when it has not been built. */
#ifndef KETLINK_TESTS_PACK_H
#define KETLINK_TESTS_PACK_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "definitions/definitions.h"

enum { PACK_SKIPPED = 77 };

/* $KETLINK_DEFINITIONS, else build/definitions.pack. NULL when there is none; one that cannot be opened is a
 * fault. */
static inline struct definitions *pack_open(void) {
  const char *path = getenv("KETLINK_DEFINITIONS");
  struct definitions *definitions = NULL;
  struct diag_list diags;
  struct arena *arena = arena_new(1 << 20);
  if (!path) path = SOURCE_DIR "/build/definitions.pack";
  if (!arena || access(path, R_OK) != 0) {
    printf("skipped: no definition pack at %s (scripts/setup makes one)\n", path);
    arena_free(arena);
    return NULL;
  }
  diag_list_init(&diags, arena);
  if (definitions_open(path, &diags, &definitions) != STATUS_OK) {
    printf("%s: %.*s\n", path, diags.first ? (int)diags.first->message.len : 0,
           diags.first ? diags.first->message.ptr : "");
    exit(1);
  }
  arena_free(arena);
  return definitions;
}

#endif
