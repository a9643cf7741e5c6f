/* moved.c - away with a file whose records are durable: to done/ or rejected/, with diagnostics beside; nothing is written over. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "relay/folder.h"

enum {
  NUMBERS = 100, /* of files of one name: 1 to 99, and then the time in milliseconds, or the next that is free */
  NUMBERS_TRIED = 10000
};

/* --- names --- */

static void number_name(const char *name, int64_t number, char out[FOLDER_NAME_BYTES + 24]) {
  if (number)
    (void)snprintf(out, FOLDER_NAME_BYTES + 24, "%s.%lld", name, (long long)number);
  else
    (void)snprintf(out, FOLDER_NAME_BYTES + 24, "%s", name);
}

/* There are programs that give all their files the same name, for years. */
static int64_t number_of(const struct relay_folder *folder, int tried) {
  return tried < NUMBERS ? tried : relay_now(folder->relay) + tried - NUMBERS;
}

/* Network file systems do not know RENAME_NOREPLACE; nobody but this process puts files there. */
static int rename_new(int from, const char *name, int to, const char *other) {
  if (syscall(SYS_renameat2, from, name, to, other, 1 /* RENAME_NOREPLACE */) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (faccessat(to, other, F_OK, AT_SYMLINK_NOFOLLOW) == 0) return EEXIST;
  if (errno != ENOENT) return errno;
  return renameat(from, name, to, other) == 0 ? 0 : errno;
}

/* --- moving away --- */

/* Nothing is written over: a name that is taken gets a number. */
static bool move_to(const struct relay_dropped *dropped, int target, char other[FOLDER_NAME_BYTES + 24]) {
  const struct relay_folder *folder = dropped->folder;
  int64_t number = dropped->number;
  for (int tried = dropped->tried; tried < NUMBERS_TRIED; number = number_of(folder, ++tried)) {
    number_name(dropped->name, number, other);
    int fault = rename_new(folder->folder, dropped->name, target, other);
    if (fault != EEXIST) return fault == 0;
  }
  return false;
}

/* Nobody has put another file there, or has written into this one. */
static bool is_still_there(const struct relay_dropped *dropped, int folder, const char *name) {
  struct stat info;
  return fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && relay_dropped_is_as_read(dropped, &info);
}

/* What was moved is not what was read. Where its name is taken already it gets one that is taken in its turn too. */
static bool give_back(const struct relay_dropped *dropped, int target, const char *other) {
  const struct relay_folder *folder = dropped->folder;
  char name[FOLDER_NAME_BYTES + 24];
  int fault = rename_new(target, other, folder->folder, dropped->name);
  for (int tried = 1; fault == EEXIST && tried < NUMBERS; tried++) {
    (void)snprintf(name, sizeof name, "%d.%s", tried, dropped->name);
    fault = rename_new(target, other, folder->folder, name);
  }
  return fault == 0;
}

/* `file`: it, or -1; with a lease where there are leases, so that whoever opens it for writing meanwhile waits, and is known. */
static bool move_away(const struct relay_dropped *dropped, int file) {
  int target = dropped->rejected ? dropped->folder->rejected : dropped->folder->done;
  char other[FOLDER_NAME_BYTES + 24];
  bool leased = file >= 0 && fcntl(file, F_SETLEASE, F_RDLCK) == 0;
  if (!move_to(dropped, target, other)) return false;
  bool same = is_still_there(dropped, target, other) && (!leased || fcntl(file, F_GETLEASE) == F_RDLCK);
  return same || give_back(dropped, target, other);
}

static void say_not_moved(const struct relay_dropped *dropped) {
  RELAY_LOG(dropped->folder->relay, RELAY_ERROR, "file-not-moved", RELAY_TEXT("folder", dropped->folder->config->name),
            RELAY_TEXT("file", str_of(dropped->tag)));
}

void relay_dropped_put_away(struct relay_dropped *dropped) {
  struct relay_folder *folder = dropped->folder;
  int file = relay_dropped_open(folder->folder, dropped->name);
  bool written = file >= 0 && relay_dropped_is_written(file);
  if (is_still_there(dropped, folder->folder, dropped->name) && !written) { /* else it is taken in its turn */
    bool moved = move_away(dropped, file);
    if (!moved) say_not_moved(dropped);
    if (moved) relay_folder_forget_name(folder, dropped->name);
    relay_folder_set_stuck(folder, !moved);
  }
  if (file >= 0) close(file);
}

/* --- diagnostics beside --- */

/* What a process wrote that ended before it moved the file is not written twice. */
static bool holds_already(const struct relay_folder *folder, const char *path, struct str text) {
  struct str found = {0};
  int file = relay_dropped_open(folder->rejected, path);
  bool same = file >= 0 && file_read(file, text.len + 1, folder->relay->records, &found) == STATUS_OK &&
              str_eq(found, text);
  if (file >= 0) close(file);
  return same;
}

/* The first number whose name and diagnostics are both free. EEXIST: this one is not. */
static int write_numbered(const struct relay_folder *folder, const struct relay_dropped *dropped, struct str text) {
  char name[FOLDER_NAME_BYTES + 24], path[FOLDER_NAME_BYTES + 48];
  number_name(dropped->name, dropped->number, name);
  (void)snprintf(path, sizeof path, "%s.diagnostics.json", name);
  if (faccessat(folder->rejected, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) return EEXIST;
  int file = openat(folder->rejected, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return errno == EEXIST && holds_already(folder, path, text) ? 0 : errno;
  bool done = file_write_synced(file, text) == STATUS_OK;
  close(file);
  if (!done) (void)unlinkat(folder->rejected, path, 0); /* it is tried again, and again */
  return done ? 0 : EIO;
}

bool relay_dropped_explain(const struct relay_folder *folder, struct relay_dropped *dropped, struct diag_list *diags) {
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  diag_hide_values(diags);
  diag_render_json(diags, &text);
  buf_add_char(&text, '\n');
  int fault = text.error == STATUS_OK ? EEXIST : EIO;
  for (int tried = 0; fault == EEXIST && tried < NUMBERS_TRIED; tried++) {
    dropped->tried = tried;
    dropped->number = number_of(folder, tried);
    fault = write_numbered(folder, dropped, buf_str(&text));
  }
  buf_release(&text);
  return fault == 0;
}
