/*
 * golden.h - for tests: folders of cases, each with what goes in and what must come out. UPDATE_GOLDEN=1
 * writes what comes out.
 */
#ifndef KETLINK_TESTS_GOLDEN_H
#define KETLINK_TESTS_GOLDEN_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/base.h"

struct golden {
  const char *folder; /* of the case */
  const char *name;
  struct arena *arena;
  size_t failures;
};

static inline struct str golden_path(const struct golden *golden, const char *file) {
  return arena_printf(golden->arena, "%s/%s", golden->folder, file);
}

/* Content of a file of the case; ptr NULL when it is not there. */
static inline struct str golden_read(const struct golden *golden, const char *file) {
  struct str text = {0}, path = golden_path(golden, file);
  if (host_system()->read_file(host_system()->context, path.ptr, LIMIT_TEXT_BYTES, golden->arena, &text) !=
      STATUS_OK)
    return (struct str){0};
  return text;
}

/* The first line that differs is shown. */
static inline void golden_compare(struct golden *golden, const char *file, struct str got) {
  struct str want = golden_read(golden, file), path = golden_path(golden, file);
  size_t line = 1, at = 0;
  if (getenv("UPDATE_GOLDEN")) {
    if (got.len || want.ptr) (void)host_system()->write_file(host_system()->context, path.ptr, got, false);
    return;
  }
  if (str_eq(want, got)) return;
  golden->failures++;
  while (at < want.len && at < got.len && want.ptr[at] == got.ptr[at])
    line += want.ptr[at++] == '\n';
  while (at > 0 && got.ptr[at - 1] != '\n')
    at--;
  struct str want_line = str_slice(want, at, str_find_char(want, '\n', at));
  struct str got_line = str_slice(got, at, str_find_char(got, '\n', at));
  printf("%.*s:%zu:\n  want %.*s\n  got  %.*s\n", STR_ARG(path), line, STR_ARG(want_line), STR_ARG(got_line));
}

/* `severity code line:col path`, a line each. */
static inline struct str golden_diagnostics(const struct diag_list *diags, struct arena *arena) {
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  for (const struct diag *diag = diags->first; diag; diag = diag->next) {
    buf_printf(&text, "%s %s", diag_severity_name(diag->severity), diag_code_name(diag->code));
    if (diag->line) buf_printf(&text, " %u:%u", diag->line, diag->col);
    if (diag->path.len) buf_printf(&text, " %.*s", STR_ARG(diag->path));
    buf_add_char(&text, '\n');
  }
  struct str copy = text.len ? buf_take_str(&text, arena) : STR("");
  buf_release(&text);
  return copy;
}

static inline int golden_by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

/* Runs each case of a folder in an arena of its own; the number that failed, or SIZE_MAX when there is none.
 */
static inline size_t golden_run(const char *folder, void (*run)(struct golden *golden)) {
  struct dirent **names = NULL;
  int count = scandir(folder, &names, NULL, golden_by_name);
  size_t failed = 0, cases = 0;
  for (int i = 0; i < count; i++) {
    char path[4096];
    struct golden golden = {.folder = path, .name = names[i]->d_name, .arena = arena_new(LIMIT_ARENA_BYTES)};
    snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
    if (golden.arena && names[i]->d_name[0] != '.' && names[i]->d_type == DT_DIR) {
      run(&golden);
      failed += golden.failures != 0;
      cases++;
      if (golden.failures) printf("FAILED %s\n", golden.name);
    }
    arena_free(golden.arena);
    free(names[i]);
  }
  free(names);
  printf("%zu cases, %zu failed\n", cases, failed);
  return cases ? failed : SIZE_MAX;
}

#endif
