/* look.c - whether a store would be opened, seen from outside: by the pages of its file alone, without locks, as SQLite reads a file that
 * nobody changes. Somebody may change it all the same, so what was found counts only if the file was still all the while and the log empty. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "outbox/internal.h"

/* The file as it stands, or nothing where the log has pages that are newer. */
static bool is_still(const struct outbox *outbox, struct stat *file) {
  struct stat log;
  bool has_log = stat(outbox->log_path, &log) == 0 && log.st_size;
  return !has_log && stat(outbox->path, file) == 0;
}

static bool is_the_same(const struct stat *before, const struct stat *after) {
  return before->st_ino == after->st_ino && before->st_size == after->st_size && before->st_mtim.tv_sec == after->st_mtim.tv_sec &&
         before->st_mtim.tv_nsec == after->st_mtim.tv_nsec;
}

/* Opened only: it is the relay's to lock. */
static enum status look_at_lock(const struct outbox *outbox, struct diag_list *diags) {
  struct str path = arena_printf(outbox->arena, "%s/lock", outbox->folder);
  if (!path.ptr) return STATUS_NOMEM;
  int lock = open(path.ptr, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (lock >= 0) close(lock);
  if (lock >= 0 || errno == ENOENT) return STATUS_OK;
  outbox_refuse(diags, path.ptr, "the lock file cannot be opened: %s", strerror(errno));
  return errno == EACCES || errno == ELOOP ? STATUS_CONFIG : STATUS_IO;
}

/* NOT_FOUND: there is none yet. */
static enum status look_at_file(const struct outbox *outbox, struct diag_list *diags) {
  struct stat info;
  int file = open(outbox->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (file < 0 && errno == ENOENT) return STATUS_NOT_FOUND;
  bool fine = file >= 0 && fstat(file, &info) == 0 && S_ISREG(info.st_mode);
  if (!fine) outbox_refuse(diags, outbox->path, "the store cannot be opened: %s", file < 0 ? strerror(errno) : "it is no file");
  if (file >= 0) close(file);
  if (!fine) return STATUS_IO;
  return info.st_size ? STATUS_OK : STATUS_NOT_FOUND;
}

/* "immutable" takes no locks and makes no files. */
static enum status open_still(struct outbox *outbox) {
  struct buf name;
  buf_init(&name, LIMIT_TEXT_BYTES);
  buf_add_text(&name, "file:");
  for (const char *c = outbox->path; *c; c++)
    buf_printf(&name, strchr("%?#", *c) ? "%%%02X" : "%c", (unsigned char)*c);
  buf_add_text(&name, "?immutable=1");
  buf_add_char(&name, '\0');
  int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
  enum status status = name.error;
  if (status == STATUS_OK) status = outbox_status_of(outbox, sqlite3_open_v2(buf_str(&name).ptr, &outbox->db, flags, NULL));
  buf_release(&name);
  return status;
}

static enum status look_at_rows(struct outbox *outbox, const struct outbox_params *params, struct diag_list *diags) {
  bool old = false;
  enum status status = outbox_quick_check(outbox, diags);
  if (status == STATUS_OK) status = outbox_prepare(outbox, STATEMENT_STORE_GET);
  if (status == STATUS_OK) status = outbox_prepare(outbox, STATEMENT_KEY_GET);
  if (status == STATUS_OK) status = outbox_read_store(outbox);
  if (status == STATUS_OK) status = outbox_check_generation(outbox, params, diags);
  if (status != STATUS_OK) return status;
  status = outbox_data_keys_read(outbox, params->keys, &old);
  if (status == STATUS_CONFIG) outbox_keys_refuse(outbox, diags);
  return status;
}

static enum status list_waiting(struct outbox *outbox, struct arena *arena, struct str **out, size_t *count) {
  struct str *names = *out = ARENA_ARRAY(arena, struct str, DESTINATIONS_MAX);
  enum status status = names ? outbox_prepare(outbox, STATEMENT_DESTINATION_WAITED) : STATUS_NOMEM;
  while (status == STATUS_OK && *count < DESTINATIONS_MAX) {
    status = outbox_row_step(outbox, outbox->statements[STATEMENT_DESTINATION_WAITED]);
    if (status != STATUS_OK) break;
    names[*count] = arena_str(arena, outbox_column_str(outbox->statements[STATEMENT_DESTINATION_WAITED], 0));
    if (!names[(*count)++].ptr) status = STATUS_NOMEM;
  }
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* What the rows say is dropped when somebody was at work meanwhile. */
static enum status look(struct outbox *outbox, const struct outbox_params *params, struct diag_list *diags, struct str **waiting, size_t *count) {
  struct stat before, after;
  struct diag_list found;
  int64_t version = 0;
  bool still = is_still(outbox, &before);
  diag_list_init(&found, diags->arena);
  enum status status = look_at_lock(outbox, diags);
  if (status == STATUS_OK) status = look_at_file(outbox, diags);
  if (status == STATUS_OK) status = open_still(outbox);
  if (status == STATUS_OK) status = outbox_schema_check(outbox, params->accept_restored, diags, &version);
  if (status == STATUS_OK && version && still) {
    status = look_at_rows(outbox, params, &found);
    if (status == STATUS_OK) status = list_waiting(outbox, diags->arena, waiting, count);
    still = is_still(outbox, &after) && is_the_same(&before, &after);
    if (still) diag_take(diags, &found, DIAG_FATAL);
    if (!still) *count = 0;
    if (!still && status != STATUS_NOMEM) status = STATUS_OK;
  }
  return status;
}

enum status outbox_look(const struct outbox_params *params, struct diag_list *diags, struct str **waiting, size_t *count) {
  struct outbox *outbox = NULL;
  *waiting = NULL;
  *count = 0;
  size_t told = diag_errors(diags);
  enum status status = outbox_allocate(params, &outbox);
  if (status == STATUS_OK) status = outbox_seal_open(outbox);
  if (status == STATUS_OK) status = look(outbox, params, diags, waiting, count);
  if (status == STATUS_NOT_FOUND) status = STATUS_OK; /* it will be made */
  if (status == STATUS_IO && diag_errors(diags) == told)
    outbox_refuse(diags, outbox->path, "the store cannot be read: %s", outbox->db ? sqlite3_errmsg(outbox->db) : "no memory");
  outbox_close(outbox);
  return status;
}
