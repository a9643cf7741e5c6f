/*
 * lapse.c - for LD_PRELOAD: a statement of SQLite has no memory, once, or for a while.
 *
 *   LAPSE_FILE=FILE   when it exists the next statement whose SQL begins with what is in it fails, and it is removed
 *   LAPSE_LASTS=1     it is not: each of them fails, until somebody removes it
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int lapses(sqlite3_stmt *statement) {
  const char *(*sql)(sqlite3_stmt *) = NULL;
  const char *path = getenv("LAPSE_FILE");
  char begins[64] = "";
  FILE *file = path ? fopen(path, "r") : NULL;
  if (!file) return 0;
  size_t len = fread(begins, 1, sizeof begins - 1, file);
  fclose(file);
  *(void **)&sql = dlsym(RTLD_NEXT, "sqlite3_sql");
  const char *own = sql(statement); /* NULL: one of sqlite3_exec */
  return len && own && strncmp(own, begins, len) == 0 && (getenv("LAPSE_LASTS") || unlink(path) == 0);
}

int sqlite3_step(sqlite3_stmt *statement) {
  int (*next)(sqlite3_stmt *) = NULL;
  *(void **)&next = dlsym(RTLD_NEXT, "sqlite3_step");
  return lapses(statement) ? SQLITE_NOMEM : next(statement);
}
