/* gather.c - writes of SQLite that follow each other, as one. It writes each page of the log by two calls and each page
   of a checkpoint by one, and a call costs more than its bytes. Only the order of syncs matters to what survives: what
   was gathered is written before a sync, and before anybody looks. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include "outbox/internal.h"

enum { GATHER_BYTES = 124 << 10 }; /* SQLite writes less than 128 KiB in one call */

/* What lies below stands behind it in memory. */
struct file {
  sqlite3_file base;
  struct outbox *outbox; /* whose log it is; NULL: of the store itself */
  sqlite3_int64 from;
  size_t used;
  unsigned char *bytes;
};
_Static_assert(sizeof(struct file) % sizeof(sqlite3_int64) == 0, "what stands behind it is aligned as SQLite aligns files");

static struct file *file_of(sqlite3_file *file) {
  return (struct file *)(void *)file;
}

static sqlite3_file *below(sqlite3_file *file) {
  return (sqlite3_file *)(void *)(file_of(file) + 1);
}

/* To who has a quota, the disk is full when it is used up: SQLite takes only the former for it. */
static int write_below(sqlite3_file *base, const void *bytes, int count, sqlite3_int64 at) {
  sqlite3_file *real = below(base);
  int why = 0, result = real->pMethods->xWrite(real, bytes, count, at);
  if (result == SQLITE_IOERR_WRITE) (void)real->pMethods->xFileControl(real, SQLITE_FCNTL_LAST_ERRNO, &why);
  return why == EDQUOT ? SQLITE_FULL : result;
}

/* What cannot be written is not tried again: whoever asked is told, and gives up. */
static int flush(sqlite3_file *base) {
  struct file *file = file_of(base);
  size_t used = file->used;
  file->used = 0;
  return used ? write_below(base, file->bytes, (int)used, file->from) : SQLITE_OK;
}

static int write_bytes(sqlite3_file *base, const void *bytes, int count, sqlite3_int64 at) {
  struct file *file = file_of(base);
  bool follows = file->used && at == file->from + (sqlite3_int64)file->used;
  int result = SQLITE_OK;
  if (!follows || file->used + (size_t)count > GATHER_BYTES) result = flush(base);
  if (result != SQLITE_OK) return result;
  if (count > GATHER_BYTES) return write_below(base, bytes, count, at);
  if (!file->used) file->from = at;
  memcpy(file->bytes + file->used, bytes, (size_t)count);
  file->used += (size_t)count;
  return SQLITE_OK;
}

static int read_bytes(sqlite3_file *base, void *bytes, int count, sqlite3_int64 at) {
  const struct file *file = file_of(base);
  bool apart = at + count <= file->from || at >= file->from + (sqlite3_int64)file->used;
  int result = !file->used || apart ? SQLITE_OK : flush(base);
  return result == SQLITE_OK ? below(base)->pMethods->xRead(below(base), bytes, count, at) : result;
}

static int truncate_to(sqlite3_file *base, sqlite3_int64 size) {
  int result = flush(base);
  return result == SQLITE_OK ? below(base)->pMethods->xTruncate(below(base), size) : result;
}

/* Of a group that is written the log is synced later, by outbox_sync, while the store serves others. Not its head, when it begins anew:
   with the old one, frames of the old log would count again where new ones are not there yet. */
static int sync_all(sqlite3_file *base, int flags) {
  struct outbox *outbox = file_of(base)->outbox;
  bool is_head = file_of(base)->used && file_of(base)->from == 0;
  int result = flush(base);
  if (result != SQLITE_OK) return result;
  if (!outbox || !outbox->puts_off || is_head) return below(base)->pMethods->xSync(below(base), flags);
  outbox->owes_sync = true;
  return SQLITE_OK;
}

static int size_of(sqlite3_file *base, sqlite3_int64 *size) {
  int result = flush(base);
  return result == SQLITE_OK ? below(base)->pMethods->xFileSize(below(base), size) : result;
}

static int close_file(sqlite3_file *base) {
  if (file_of(base)->outbox) file_of(base)->outbox->log = NULL;
  int written = flush(base), closed = below(base)->pMethods->xClose(below(base));
  free(file_of(base)->bytes);
  return written == SQLITE_OK ? closed : written;
}

static int lock(sqlite3_file *base, int level) {
  return below(base)->pMethods->xLock(below(base), level);
}

static int unlock(sqlite3_file *base, int level) {
  return below(base)->pMethods->xUnlock(below(base), level);
}

static int check_lock(sqlite3_file *base, int *reserved) {
  return below(base)->pMethods->xCheckReservedLock(below(base), reserved);
}

static int control(sqlite3_file *base, int what, void *argument) {
  return below(base)->pMethods->xFileControl(below(base), what, argument);
}

static int sector_size(sqlite3_file *base) {
  return below(base)->pMethods->xSectorSize(below(base));
}

static int characteristics(sqlite3_file *base) {
  return below(base)->pMethods->xDeviceCharacteristics(below(base));
}

/* Version 1: no shared memory, which a store that is locked for one process does not need, and no mapping. */
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = close_file,
    .xRead = read_bytes,
    .xWrite = write_bytes,
    .xTruncate = truncate_to,
    .xSync = sync_all,
    .xFileSize = size_of,
    .xLock = lock,
    .xUnlock = unlock,
    .xCheckReservedLock = check_lock,
    .xFileControl = control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
};

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out) {
  struct outbox *outbox = vfs->pAppData;
  sqlite3_vfs *real = outbox->vfs_below;
  struct file *file = file_of(base);
  *file = (struct file){.bytes = malloc(GATHER_BYTES), .outbox = flags & SQLITE_OPEN_WAL ? outbox : NULL};
  if (!file->bytes) return SQLITE_NOMEM;
  int result = real->xOpen(real, name, below(base), flags, out);
  if (result == SQLITE_OK) file->base.pMethods = &methods;
  if (result == SQLITE_OK && file->outbox) outbox->log = base;
  if (result != SQLITE_OK) free(file->bytes);
  return result;
}

/* Nothing of it that another thread changes: neither what is gathered nor what SQLite knows. */
bool outbox_sync_log(const struct outbox *outbox) {
  return outbox->log && below(outbox->log)->pMethods->xSync(below(outbox->log), SQLITE_SYNC_NORMAL) == SQLITE_OK;
}

/* SQLite's own but for opening files; named by its own address: two stores may be open in one process. */
enum status outbox_gather_open(struct outbox *outbox) {
  sqlite3_vfs *real = sqlite3_vfs_find(NULL);
  if (!real) return STATUS_NOMEM;
  outbox->vfs = *real;
  outbox->vfs.szOsFile = (int)sizeof(struct file) + real->szOsFile;
  outbox->vfs.pNext = NULL;
  outbox->vfs.zName = arena_printf(outbox->arena, "ketlink-%p", (void *)outbox).ptr;
  outbox->vfs.pAppData = outbox;
  outbox->vfs_below = real;
  outbox->vfs.xOpen = open_file;
  if (!outbox->vfs.zName || sqlite3_vfs_register(&outbox->vfs, 0) != SQLITE_OK) return STATUS_NOMEM;
  outbox->gathers = true;
  return STATUS_OK;
}

void outbox_gather_close(struct outbox *outbox) {
  if (outbox->gathers) (void)sqlite3_vfs_unregister(&outbox->vfs);
  outbox->gathers = false;
}
