/* folder.c - make beside, then rename: see folder.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/folder.h"

static enum status complain(const char *path, const char *what) {
  fprintf(stderr, "ketlink: %s: %s\n", path, what);
  return STATUS_IO;
}

static enum status complain_errno(const char *path) {
  enum status status = errno == EACCES || errno == EPERM ? STATUS_DENIED : STATUS_IO;
  (void)complain(path, strerror(errno));
  return status;
}

static bool is_dots(const char *name) {
  return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* NULL: no file, or not to be read. */
static FILE *open_there(int folder, const char *name) {
  struct stat info;
  int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  FILE *file = fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? fdopen(fd, "r") : NULL;
  if (fd >= 0 && !file) (void)close(fd);
  return file;
}

static bool is_ours(int folder, const char *name, cli_folder_ours ours) {
  FILE *file = open_there(folder, name);
  bool result = file && ours(name, file);
  if (file) fclose(file);
  return result;
}

/* The first name in a folder that is not ours; empty when there is none. */
static bool holds_others(const char *path, cli_folder_ours ours, char name[NAME_MAX + 1]) {
  DIR *dir = opendir(path);
  const struct dirent *entry;
  name[0] = '\0';
  if (!dir) return true;
  while (!name[0] && (entry = readdir(dir)))
    if (!is_dots(entry->d_name) && !is_ours(dirfd(dir), entry->d_name, ours)) snprintf(name, NAME_MAX + 1, "%s", entry->d_name);
  (void)closedir(dir);
  return name[0] != '\0';
}

/* The name without slashes at its end, links followed when it exists. */
static struct str resolve(struct cli *cli, const char *path) {
  struct str name = str_of(path);
  char *real = realpath(path, NULL);
  while (name.len > 1 && name.ptr[name.len - 1] == '/')
    name.len--;
  struct str kept = arena_str(cli->arena, real ? str_of(real) : name);
  free(real);
  return kept;
}

/* Whoever still writes may add a file meanwhile. */
static void remove_ours(const struct cli_folder *folder) {
  enum { TRIES = 100 };
  for (int i = 0; i < TRIES && folder->temporary; i++) {
    DIR *dir = opendir(folder->temporary);
    const struct dirent *entry;
    while (dir && (entry = readdir(dir)))
      if (!is_dots(entry->d_name)) (void)unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir) (void)closedir(dir);
    if (rmdir(folder->temporary) == 0 || errno != ENOTEMPTY) return;
  }
}

static void remove_at_end(void *context) {
  remove_ours(context);
}

enum status cli_folder_begin(struct cli *cli, const char *path, cli_folder_ours ours, struct cli_folder *out) {
  char other[NAME_MAX + 1];
  struct stat info;
  *out = (struct cli_folder){.fd = -1, .ours = ours, .path = resolve(cli, path)};
  struct str temporary = arena_printf(cli->arena, "%.*s.XXXXXX", STR_ARG(out->path));
  if (!out->path.ptr || !temporary.ptr) return STATUS_NOMEM;
  if (stat(out->path.ptr, &info) == 0) {
    if (!S_ISDIR(info.st_mode)) return complain(path, "a file, not a folder");
    if (holds_others(out->path.ptr, ours, other)) {
      fprintf(stderr, "ketlink: %s: holds files that this command has not made, or that were changed since (%s); name a new or an empty folder\n", path,
              other[0] ? other : "not to be read");
      return STATUS_IO;
    }
  }
  char *name = (char *)(uintptr_t)temporary.ptr;
  if (!mkdtemp(name)) return complain_errno(path);
  out->temporary = name;
  cli_guard_begin(&out->guard, remove_at_end, out);
  out->fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return out->fd < 0 ? complain_errno(path) : STATUS_OK;
}

FILE *cli_folder_file(const struct cli_folder *folder, const char *name) {
  int fd = openat(folder->fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  FILE *file = fd < 0 ? NULL : fdopen(fd, "w+");
  if (fd >= 0 && !file) (void)close(fd);
  return file;
}

/* The name of the folder itself is on disk when the folder around it is. */
static void sync_parent(const struct cli_folder *folder) {
  struct str path = folder->path;
  while (path.len && path.ptr[path.len - 1] != '/')
    path.len--;
  char parent[PATH_MAX];
  if (path.len + 2 > sizeof parent) return;
  snprintf(parent, sizeof parent, "%.*s.", STR_ARG(path));
  int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)fsync(fd);
  (void)close(fd);
}

/* What stood there before now has the temporary name. */
static bool exchange(struct cli_folder *folder) {
  return renameat2(AT_FDCWD, folder->temporary, AT_FDCWD, folder->path.ptr, RENAME_EXCHANGE) == 0;
}

enum status cli_folder_failed(const struct cli_folder *folder) {
  return complain(folder->path.ptr, errno ? strerror(errno) : "cannot be written");
}

static enum status give_name(struct cli_folder *folder) {
  char other[NAME_MAX + 1];
  bool landed = rename(folder->temporary, folder->path.ptr) == 0; /* also over an empty folder */
  if (!landed && (errno == ENOTEMPTY || errno == EEXIST)) {
    if (holds_others(folder->path.ptr, folder->ours, other))
      return complain(folder->path.ptr, "somebody put other files there; nothing was changed");
    landed = exchange(folder);
    if (landed) remove_ours(folder);
  }
  if (!landed) return complain(folder->path.ptr, strerror(errno));
  folder->temporary = NULL;
  return STATUS_OK;
}

enum status cli_folder_land(struct cli_folder *folder) {
  if (fsync(folder->fd) != 0) return complain(folder->path.ptr, strerror(errno));
  cli_guard_lock(&folder->guard);
  enum status status = give_name(folder);
  cli_guard_unlock(&folder->guard);
  if (status == STATUS_OK) sync_parent(folder);
  return status;
}

void cli_folder_drop(struct cli_folder *folder) {
  cli_guard_lock(&folder->guard);
  remove_ours(folder);
  folder->temporary = NULL;
  cli_guard_unlock(&folder->guard);
  cli_guard_end(&folder->guard);
  if (folder->fd >= 0) (void)close(folder->fd);
  *folder = (struct cli_folder){.fd = -1};
}
