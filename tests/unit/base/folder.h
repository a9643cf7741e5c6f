/* folder.h - a temporary folder for tests that need files. */
#ifndef KETLINK_TESTS_FOLDER_H
#define KETLINK_TESTS_FOLDER_H

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>
#include "table.h"

static char folder[128];

static inline const char *in_folder(const char *name) {
  static char paths[8][512];
  static unsigned next;
  char *path = paths[next++ % 8];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static inline int folder_make(void **state) {
  (void)state;
  snprintf(folder, sizeof folder, "/tmp/ketlink-unit-XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}

static inline int folder_remove(void **state) {
  (void)state;
  DIR *dir = opendir(folder);
  const struct dirent *entry;
  while (dir && (entry = readdir(dir))) {
    if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2) (void)remove(in_folder(entry->d_name));
  }
  if (dir) closedir(dir);
  return rmdir(folder);
}

static inline void put_file(const char *name, const char *text) {
  assert_int_equal(host_system()->write_file(NULL, in_folder(name), str_of(text), false), STATUS_OK);
}

#endif
