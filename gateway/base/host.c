/* host.c - the real machine: clock, randomness, files. */
#include "base/host.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/buf.h"

static enum status status_of_errno(int error) {
  switch (error) {
  case ENOENT:
  case ENOTDIR:
    return STATUS_NOT_FOUND;
  case EACCES:
  case EPERM:
  case EROFS:
    return STATUS_DENIED;
  case ENOMEM:
    return STATUS_NOMEM;
  case EFBIG:
    return STATUS_LIMIT;
  default:
    return STATUS_IO;
  }
}

static int64_t system_now_ms(void *context) {
  struct timespec now = {0};
  (void)context;
  (void)clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_monotonic_ns(void *context) {
  struct timespec now = {0};
  (void)context;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static enum status system_random(void *context, void *bytes, size_t count) {
  char *at = bytes;
  (void)context;
  while (count) {
    ssize_t got = getrandom(at, count, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return STATUS_IO;
    at += got;
    count -= (size_t)got;
  }
  return STATUS_OK;
}

/* --- reading --- */

static ssize_t read_some(int fd, char *bytes, size_t count) {
  ssize_t got;
  do {
    got = read(fd, bytes, count);
  } while (got < 0 && errno == EINTR);
  return got;
}

/* The bytes go straight to the arena. A regular file may shrink meanwhile, not grow. */
enum status file_read(int fd, size_t max, struct arena *arena, struct str *out) {
  char *bytes = arena_alloc(arena, max + 1);
  size_t len = 0;
  if (!bytes) return STATUS_NOMEM;
  while (len < max) {
    ssize_t got = read_some(fd, bytes + len, max - len);
    if (got < 0) return status_of_errno(errno);
    if (got == 0) break;
    len += (size_t)got;
  }
  bytes[len] = '\0';
  *out = (struct str){bytes, len};
  return STATUS_OK;
}

/* A pipe or terminal: until its end, one byte over `max` at most. */
static enum status read_stream(int fd, size_t max, struct arena *arena, struct str *out) {
  enum { CHUNK = 65536 };
  enum status status = STATUS_OK;
  struct buf buf;
  buf_init(&buf, SIZE_MAX);
  for (;;) {
    if (!buf_reserve(&buf, CHUNK)) {
      status = buf.error;
      break;
    }
    ssize_t got = read_some(fd, buf.ptr + buf.len, CHUNK);
    if (got < 0) status = status_of_errno(errno);
    if (got > 0) buf.len += (size_t)got;
    if (buf.len > max) status = STATUS_LIMIT;
    if (got <= 0 || status) break;
  }
  if (!status) {
    *out = buf_take_str(&buf, arena);
    if (!out->ptr) status = STATUS_NOMEM;
  }
  buf_release(&buf);
  return status;
}

static enum status system_read_file(void *context, const char *path, size_t max, struct arena *arena,
                                    struct str *out) {
  struct stat info;
  (void)context;
  *out = (struct str){0};
  bool input = strcmp(path, "-") == 0;
  int fd = input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return status_of_errno(errno);
  enum status status = STATUS_OK;
  if (fstat(fd, &info) != 0) {
    status = status_of_errno(errno);
  } else if (S_ISREG(info.st_mode) && info.st_size > 0 && !input) {
    status = (size_t)info.st_size > max ? STATUS_LIMIT : file_read(fd, (size_t)info.st_size, arena, out);
  } else {
    status = read_stream(fd, max, arena, out);
  }
  if (!input) (void)close(fd);
  return status;
}

/* --- writing --- */

static enum status write_all(int fd, struct str content) {
  while (content.len) {
    ssize_t put = write(fd, content.ptr, content.len);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return status_of_errno(errno);
    content.ptr += put;
    content.len -= (size_t)put;
  }
  return STATUS_OK;
}

enum status file_write_synced(int fd, struct str content) {
  enum status status = write_all(fd, content);
  return !status && fsync(fd) != 0 ? status_of_errno(errno) : status;
}

/* A device or pipe cannot be replaced by rename: it is written to. */
static enum status write_special(const char *path, struct str content) {
  int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return status_of_errno(errno);
  enum status status = write_all(fd, content);
  if (close(fd) != 0 && !status) status = status_of_errno(errno);
  return status;
}

/* The new content under a name of its own in `folder`, on disk. */
static enum status write_beside(int folder, const char *name, struct str content, bool secret) {
  int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, secret ? 0600 : 0644);
  if (fd < 0) return status_of_errno(errno);
  enum status status = file_write_synced(fd, content);
  if (close(fd) != 0 && !status) status = status_of_errno(errno);
  return status;
}

static enum status replace(int folder, const char *name, struct str content, bool secret) {
  unsigned char noise[8];
  char beside[64];
  enum status status = system_random(NULL, noise, sizeof noise);
  if (status) return status;
  uint64_t number;
  memcpy(&number, noise, sizeof number);
  (void)snprintf(beside, sizeof beside, ".ketlink-%016llx.tmp", (unsigned long long)number);
  status = write_beside(folder, beside, content, secret);
  if (!status && renameat(folder, beside, folder, name) != 0) status = status_of_errno(errno);
  if (status) {
    (void)unlinkat(folder, beside, 0);
  } else if (fsync(folder) != 0) {
    status = status_of_errno(errno);
  }
  return status;
}

static enum status system_write_file(void *context, const char *path, struct str content, bool secret) {
  struct stat info;
  char parent[4096];
  (void)context;
  if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
    return S_ISDIR(info.st_mode) ? STATUS_IO : write_special(path, content);
  }
  const char *slash = strrchr(path, '/');
  const char *name = slash ? slash + 1 : path;
  size_t len = slash ? (size_t)(slash - path) + 1 : 0;
  if (len + 2 > sizeof parent || *name == '\0') return STATUS_NOT_FOUND;
  memcpy(parent, path, len);
  memcpy(parent + len, ".", 2);
  int folder = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return status_of_errno(errno);
  enum status status = replace(folder, name, content, secret);
  (void)close(folder);
  return status;
}

/* --- folders --- */

static int by_bytes(const void *a, const void *b) {
  return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static bool is_regular(int folder, const struct dirent *entry) {
  struct stat info;
  if (entry->d_type == DT_REG) return true;
  if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK) return false;
  return fstatat(folder, entry->d_name, &info, 0) == 0 && S_ISREG(info.st_mode);
}

/* No links: a walk over folders must end. Names that begin with a dot are not for us. */
static bool is_folder(int folder, const struct dirent *entry) {
  struct stat info;
  if (entry->d_name[0] == '.') return false;
  return fstatat(folder, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

/* Appends, doubling; the old array stays in the arena. */
static bool push(struct arena *arena, struct str **names, size_t *count, size_t *room, struct str name) {
  struct str copy = arena_str(arena, name);
  if (!copy.ptr) return false;
  if (*count == *room) {
    size_t more = *room ? *room * 2 : 16;
    struct str *grown = ARENA_ARRAY(arena, struct str, more);
    if (!grown) return false;
    if (*count) memcpy(grown, *names, *count * sizeof *grown);
    *names = grown;
    *room = more;
  }
  (*names)[(*count)++] = copy;
  return true;
}

static enum status list(const char *folder, const struct str *suffix, struct arena *arena, struct str **names,
                        size_t *count) {
  enum status status = STATUS_OK;
  size_t room = 0;
  *names = NULL;
  *count = 0;
  DIR *dir = opendir(folder);
  if (!dir) return status_of_errno(errno);
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(dir);
    if (!entry) {
      if (errno) status = status_of_errno(errno);
      break;
    }
    bool wanted = suffix ? str_ends(str_of(entry->d_name), *suffix) && is_regular(dirfd(dir), entry)
                         : is_folder(dirfd(dir), entry);
    if (!wanted) continue;
    if (!push(arena, names, count, &room, str_of(entry->d_name))) {
      status = STATUS_NOMEM;
      break;
    }
  }
  (void)closedir(dir);
  if (*count > 1) qsort(*names, *count, sizeof **names, by_bytes);
  return status;
}

static void system_sleep_ms(void *context, int64_t milliseconds) {
  struct timespec wait = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};
  (void)context;
  if (milliseconds > 0) nanosleep(&wait, NULL);
}

static enum status system_list_files(void *context, const char *folder, struct str suffix,
                                     struct arena *arena, struct str **names, size_t *count) {
  (void)context;
  return list(folder, &suffix, arena, names, count);
}

static enum status system_list_folders(void *context, const char *folder, struct arena *arena,
                                       struct str **names, size_t *count) {
  (void)context;
  return list(folder, NULL, arena, names, count);
}

const char *host_why_unread(const struct host *host, const char *path, enum status status, struct arena *arena) {
  struct str *names = NULL;
  size_t count = 0;
  bool folder = status == STATUS_IO && host->list_files &&
                host->list_files(host->context, path, STR("/"), arena, &names, &count) == STATUS_OK;
  return folder ? "it is a folder" : status_reason(status);
}

const struct host *host_system(void) {
  static const struct host host = {
      .now_ms = system_now_ms,
      .monotonic_ns = system_monotonic_ns,
      .random = system_random,
      .read_file = system_read_file,
      .write_file = system_write_file,
      .sleep_ms = system_sleep_ms,
      .list_files = system_list_files,
      .list_folders = system_list_folders,
  };
  return &host;
}

enum status file_map(const char *path, struct str *out) {
  struct stat info;
  enum status status = STATUS_OK;
  *out = (struct str){0};
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return status_of_errno(errno);
  if (fstat(fd, &info) != 0) {
    status = status_of_errno(errno);
  } else if (!S_ISREG(info.st_mode)) {
    status = STATUS_IO;
  } else if (info.st_size > 0) {
    void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) {
      status = status_of_errno(errno);
    } else {
      *out = (struct str){bytes, (size_t)info.st_size};
    }
  }
  (void)close(fd);
  return status;
}

size_t file_forget(struct str mapping, size_t from, size_t to) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), end = to / page * page;
  if (end <= from || end > mapping.len) return from;
  (void)madvise((void *)(uintptr_t)(mapping.ptr + from / page * page), end - from / page * page,
                MADV_DONTNEED);
  return end;
}

void file_unmap(struct str mapping) {
  if (mapping.len) (void)munmap((void *)(uintptr_t)mapping.ptr, mapping.len);
}
