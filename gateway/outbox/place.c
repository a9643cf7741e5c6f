/* place.c - the file system below the store: a local disk, one process, room that stays free. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "outbox/internal.h"

void outbox_refuse(struct diag_list *diags, const char *path, const char *format, ...) {
  char message[512];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  struct source source = source_make(str_of(path), (struct str){0});
  struct diag_at at = {.source = &source};
  diag_error(diags, DIAG_OUTBOX, &at, "%s", message);
}

/* File systems over a network, where neither locks nor the write-ahead log can be relied upon. */
static const struct {
  uint32_t magic;
  const char *name;
} networks[] = {{NFS_SUPER_MAGIC, "NFS"},   {0xFF534D42, "CIFS"},       {0xFE534D42, "SMB"},
                {SMB_SUPER_MAGIC, "SMB"},   {V9FS_MAGIC, "9P"},         {AFS_SUPER_MAGIC, "AFS"},
                {AFS_FS_MAGIC, "AFS"},      {CODA_SUPER_MAGIC, "Coda"}, {NCP_SUPER_MAGIC, "NCP"},
                {CEPH_SUPER_MAGIC, "Ceph"}, {FUSE_SUPER_MAGIC, "FUSE"}, {0x0BD00BD0, "Lustre"},
                {0x47504653, "GPFS"},       {0x19830326, "BeeGFS"},     {0xAAD7AAEA, "PanFS"},
                {0x786F4256, "vboxsf"},     {0xBACBACBC, "hgfs"}};

static const char *network_of(const char *folder) {
  struct statfs info;
  if (statfs(folder, &info) != 0) return "or none that can be asked";
  for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++)
    if ((uint32_t)info.f_type == networks[i].magic) return networks[i].name;
  return NULL;
}

enum status outbox_place_check(const char *folder, struct diag_list *diags) {
  struct stat info;
  if (lstat(folder, &info) == 0 && S_ISLNK(info.st_mode)) {
    outbox_refuse(diags, folder, "the store's folder is a link: name the folder itself");
    return STATUS_CONFIG;
  }
  if (stat(folder, &info) != 0 || !S_ISDIR(info.st_mode)) {
    outbox_refuse(diags, folder, "there is no such folder: make it, owned by the relay's user, mode 0700");
    return STATUS_CONFIG;
  }
  if (info.st_mode & (S_IRWXG | S_IRWXO)) {
    outbox_refuse(diags, folder, "others may enter the store's folder (mode %03o): chmod 700",
                  info.st_mode & 0777);
    return STATUS_CONFIG;
  }
  if (info.st_uid != geteuid()) {
    outbox_refuse(diags, folder, "the store's folder belongs to another user (uid %u)", info.st_uid);
    return STATUS_CONFIG;
  }
  const char *network = network_of(folder);
  if (!network) return STATUS_OK;
  outbox_refuse(
      diags, folder,
      "the store lies on a network file system (%s), which loses locks and writes: use a local disk",
      network);
  return STATUS_CONFIG;
}

enum status outbox_place_lock(const char *folder, struct arena *arena, struct diag_list *diags, int *out) {
  struct str path = arena_printf(arena, "%s/lock", folder);
  if (!path.ptr) return STATUS_NOMEM;
  int lock = open(path.ptr, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock < 0) {
    outbox_refuse(diags, path.ptr, "the lock file cannot be opened: %s", strerror(errno));
    return errno == EACCES || errno == ELOOP ? STATUS_CONFIG : STATUS_IO;
  }
  if (flock(lock, LOCK_EX | LOCK_NB) == 0) {
    *out = lock;
    return STATUS_OK;
  }
  close(lock);
  outbox_refuse(diags, path.ptr, "another relay has this store open: one process, one store");
  return STATUS_RETRY; /* when that one has ended */
}

/* SQLite would write what the log of another store has over the pages of the copy. */
static enum status check_copy(int file, const char *path, struct arena *arena, struct diag_list *diags) {
  enum { APPLICATION_AT = 68 }; /* of SQLite's header */
  unsigned char bytes[4];
  struct stat info;
  struct str log = arena_printf(arena, "%s-wal", path);
  if (!log.ptr) return STATUS_NOMEM;
  if (pread(file, bytes, sizeof bytes, APPLICATION_AT) != (ssize_t)sizeof bytes) return STATUS_OK; /* it is new */
  uint32_t mark = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
  if (mark != OUTBOX_COPY || stat(log.ptr, &info) != 0 || info.st_size == 0) return STATUS_OK;
  outbox_refuse(diags, log.ptr,
                "this log is of the store that was here before the copy was put in its place, and would spoil it: move it away, and "
                "keep it with that store");
  return STATUS_CONFLICT;
}

enum status outbox_place_file(const char *path, struct arena *arena, struct diag_list *diags) {
  int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) {
    outbox_refuse(diags, path, "the store cannot be opened: %s", strerror(errno));
    return STATUS_IO;
  }
  enum status status = check_copy(file, path, arena, diags);
  close(file);
  return status;
}

enum status outbox_place_sync(const char *folder) {
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool done = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  return done ? STATUS_OK : STATUS_IO;
}

uint64_t outbox_place_free(const char *folder) {
  struct statvfs info;
  if (statvfs(folder, &info) != 0) return 0;
  return (uint64_t)info.f_bavail * info.f_frsize;
}
