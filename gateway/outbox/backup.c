/* backup.c - a copy of the store that has been checked. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "outbox/internal.h"

enum { PAGES_A_SIGN = 4096, INSTRUCTIONS_A_SIGN = 1000000 };

struct signs {
  void (*show)(void); /* or NULL */
};

static int show_sign(void *context) {
  const struct signs *signs = context;
  if (signs->show) signs->show();
  return 0;
}

static enum status check_copy(sqlite3 *copy, const char *path, struct diag_list *diags) {
  sqlite3_stmt *check = NULL;
  enum status status = STATUS_INVALID;
  if (sqlite3_prepare_v2(copy, "PRAGMA integrity_check(1)", -1, &check, NULL) == SQLITE_OK &&
      sqlite3_step(check) == SQLITE_ROW && str_is(outbox_column_str(check, 0), "ok"))
    status = STATUS_OK;
  sqlite3_finalize(check);
  if (status != STATUS_OK) outbox_refuse(diags, path, "the copy of the store does not pass its check");
  return status;
}

static enum status copy_into(struct outbox *outbox, sqlite3 *copy, struct signs *signs) {
  sqlite3_backup *backup = sqlite3_backup_init(copy, "main", outbox->db, "main");
  if (!backup) return STATUS_IO;
  int step;
  do {
    step = sqlite3_backup_step(backup, PAGES_A_SIGN);
    (void)show_sign(signs);
  } while (step == SQLITE_OK);
  int end = sqlite3_backup_finish(backup);
  return step == SQLITE_DONE && end == SQLITE_OK ? STATUS_OK : STATUS_IO;
}

/* In its header: what is put in the store's place again is known to be a copy, whatever stands beside it. */
static enum status mark_copy(sqlite3 *copy) {
  char mark[48];
  (void)snprintf(mark, sizeof mark, "PRAGMA application_id = %d", OUTBOX_COPY);
  return sqlite3_exec(copy, mark, NULL, NULL, NULL) == SQLITE_OK ? STATUS_OK : STATUS_IO;
}

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

enum status outbox_backup(struct outbox *outbox, const char *path, void (*alive)(void), struct diag_list *diags) {
  struct signs signs = {alive};
  sqlite3 *copy = NULL;
  if (outbox->failed) return STATUS_IO;
  if (outbox->in_group) return STATUS_CONFLICT;
  enum status status = claim_path(path, diags);
  if (status != STATUS_OK) return status;
  if (sqlite3_open_v2(path, &copy, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) status = STATUS_IO;
  if (status == STATUS_OK) sqlite3_progress_handler(copy, INSTRUCTIONS_A_SIGN, show_sign, &signs);
  if (status == STATUS_OK) status = copy_into(outbox, copy, &signs);
  if (status == STATUS_OK) status = mark_copy(copy);
  if (status == STATUS_OK) status = check_copy(copy, path, diags);
  sqlite3_close(copy);
  if (status != STATUS_OK) unlink(path);
  return status;
}
