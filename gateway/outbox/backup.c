/*
 * backup.c - a copy of the store that has been checked, made in pieces while the store is used.
 *
 * What is changed meanwhile SQLite writes into the copy too, since the same connection changes it; a group that is given up
 * may make it begin anew. The copy alone is then marked, synced and checked on a thread: that takes as long as the disk
 * needs, and nothing of the store is touched by it.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "outbox/internal.h"

enum { PAGES_A_LOOK = 64, INSTRUCTIONS_A_LOOK = 100000 };

struct outbox_backup {
  struct outbox *outbox;
  char *path;
  sqlite3 *copy;          /* while it is made */
  sqlite3_backup *pieces; /* NULL: all of them are there */
  bool has_thread, good;
  pthread_t thread;
  atomic_bool over, given_up;
  enum status status; /* the thread's, when it is over */
};

/* --- the thread --- */

static int is_given_up(void *context) {
  struct outbox_backup *backup = context;
  return atomic_load(&backup->given_up);
}

/* In its header: what is put in the store's place again is known to be a copy, whatever stands beside it. */
static enum status mark_copy(sqlite3 *copy) {
  char mark[48];
  (void)snprintf(mark, sizeof mark, "PRAGMA application_id = %d", OUTBOX_COPY);
  return sqlite3_exec(copy, mark, NULL, NULL, NULL) == SQLITE_OK ? STATUS_OK : STATUS_IO;
}

/* Of a page that was not read for want of memory it is said where a damaged one would be told. */
static bool is_about_memory(struct str said) {
  static const char *const endings[] = {"error code=7", "error code 7"}; /* SQLITE_NOMEM */
  for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
    size_t len = strlen(endings[i]);
    if (said.len >= len && str_is(str_slice(said, said.len - len, said.len), endings[i])) return true;
  }
  return false;
}

/* Only what is said to be damaged is. */
static enum status check_copy(sqlite3 *copy) {
  sqlite3_stmt *check = NULL;
  int result = sqlite3_prepare_v2(copy, "PRAGMA integrity_check(1)", -1, &check, NULL);
  if (result == SQLITE_OK) result = sqlite3_step(check);
  struct str said = result == SQLITE_ROW ? outbox_column_str(check, 0) : (struct str){0};
  bool damaged = result == SQLITE_CORRUPT || result == SQLITE_NOTADB || (said.len && !is_about_memory(said));
  enum status status = str_is(said, "ok") ? STATUS_OK : damaged ? STATUS_INVALID : STATUS_IO;
  sqlite3_finalize(check);
  return status;
}

static enum status sync_copy(const char *path) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  bool done = file >= 0 && fsync(file) == 0;
  if (file >= 0) close(file);
  return done ? STATUS_OK : STATUS_IO;
}

static void *finish_copy(void *context) {
  struct outbox_backup *backup = context;
  sqlite3 *copy = NULL;
  enum status status = STATUS_OK;
  if (sqlite3_open_v2(backup->path, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
    status = STATUS_IO;
  if (status == STATUS_OK) sqlite3_progress_handler(copy, INSTRUCTIONS_A_LOOK, is_given_up, backup);
  if (status == STATUS_OK) status = mark_copy(copy);
  if (status == STATUS_OK) status = check_copy(copy);
  sqlite3_close(copy);
  if (status == STATUS_OK) status = sync_copy(backup->path);
  backup->status = status;
  atomic_store(&backup->over, true);
  return NULL;
}

/* --- pieces --- */

/* Made by us, so that it is ours alone and nothing is written over. */
static enum status claim_path(const char *path, struct diag_list *diags) {
  int file = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) {
    outbox_refuse(diags, path,
                  "the copy cannot be made: the file exists already, or its folder cannot be written");
    return STATUS_CONFLICT;
  }
  close(file);
  return STATUS_OK;
}

/* Nothing of it counts before it is whole and synced: it needs no journal, and no sync at its end here. */
static enum status open_copy(struct outbox_backup *backup) {
  static const char settings[] = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF";
  if (sqlite3_open_v2(backup->path, &backup->copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
      sqlite3_exec(backup->copy, settings, NULL, NULL, NULL) != SQLITE_OK)
    return STATUS_IO;
  backup->pieces = sqlite3_backup_init(backup->copy, "main", backup->outbox->db, "main");
  return backup->pieces ? STATUS_OK : STATUS_IO;
}

enum status outbox_backup_begin(struct outbox *outbox, const char *path, struct diag_list *diags,
                                struct outbox_backup **out) {
  *out = NULL;
  if (outbox->failed) return STATUS_IO;
  enum status status = claim_path(path, diags);
  if (status != STATUS_OK) return status;
  struct outbox_backup *backup = calloc(1, sizeof *backup);
  if (backup) *backup = (struct outbox_backup){.outbox = outbox, .path = strdup(path)};
  status = backup && backup->path ? open_copy(backup) : STATUS_NOMEM;
  if (status == STATUS_OK) {
    *out = backup;
    return status;
  }
  unlink(path);
  outbox_backup_end(backup);
  return status;
}

static int64_t elapsed_ms(const struct outbox *outbox) {
  return outbox->host->monotonic_ns(outbox->host->context) / 1000000;
}

/* A group is open: the next time. */
static bool has_to_wait(int step) {
  return step == SQLITE_BUSY || step == SQLITE_LOCKED;
}

/* OK: all of them are there. RETRY: not yet. */
static enum status take_pieces(struct outbox_backup *backup, int64_t ms) {
  int64_t until = elapsed_ms(backup->outbox) + ms;
  int step;
  do {
    step = sqlite3_backup_step(backup->pieces, PAGES_A_LOOK);
  } while (step == SQLITE_OK && elapsed_ms(backup->outbox) < until);
  if (step == SQLITE_OK || has_to_wait(step)) return STATUS_RETRY;
  int end = sqlite3_backup_finish(backup->pieces);
  backup->pieces = NULL;
  sqlite3_close(backup->copy);
  backup->copy = NULL;
  return step == SQLITE_DONE && end == SQLITE_OK ? STATUS_OK : STATUS_IO;
}

/* Without a thread now there may be one later. */
static enum status wait_for_thread(struct outbox_backup *backup) {
  if (!backup->has_thread) {
    backup->has_thread = pthread_create(&backup->thread, NULL, finish_copy, backup) == 0;
    return backup->has_thread ? STATUS_RETRY : STATUS_NOMEM;
  }
  if (!atomic_load(&backup->over)) return STATUS_RETRY;
  backup->good = backup->status == STATUS_OK;
  return backup->status;
}

enum status outbox_backup_step(struct outbox_backup *backup, int64_t ms, struct diag_list *diags) {
  if (backup->outbox->failed) return STATUS_IO;
  if (backup->pieces && backup->outbox->in_group) return STATUS_RETRY;
  enum status status = backup->pieces ? take_pieces(backup, ms) : STATUS_OK;
  if (status == STATUS_OK) status = wait_for_thread(backup);
  if (status == STATUS_INVALID) outbox_refuse(diags, backup->path, "the copy of the store does not pass its check");
  return status;
}

void outbox_backup_end(struct outbox_backup *backup) {
  if (!backup) return;
  atomic_store(&backup->given_up, true);
  if (backup->has_thread) pthread_join(backup->thread, NULL);
  if (backup->pieces) sqlite3_backup_finish(backup->pieces);
  sqlite3_close(backup->copy);
  if (!backup->good && backup->path) unlink(backup->path);
  free(backup->path);
  free(backup);
}
