/* secret.c - files that hold a secret, read and made. */
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/host.h"

static enum status __attribute__((format(printf, 3, 4)))
refuse(struct diag_list *diags, const char *path, const char *format, ...) {
  char message[512];
  struct source source = source_make(str_of(path), (struct str){0});
  struct diag_at at = {.source = &source};
  va_list args;
  va_start(args, format);
  (void)vsnprintf(message, sizeof message, format, args);
  va_end(args);
  diag_error(diags, DIAG_CONFIG_INVALID, &at, "%s", message);
  return STATUS_CONFIG;
}

static enum status check(int file, const char *path, const char *what, size_t max, struct diag_list *diags) {
  struct stat info;
  if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode))
    return refuse(diags, path, "%s is not a regular file", what);
  if (info.st_mode & (S_IRWXG | S_IRWXO))
    return refuse(diags, path, "%s can be read by others: chmod 600", what);
  if (info.st_uid != geteuid() && info.st_uid != 0)
    return refuse(diags, path, "%s belongs to another user", what);
  if ((uint64_t)info.st_size > max) return refuse(diags, path, "%s is longer than %zu bytes", what, max);
  return STATUS_OK;
}

enum status base_secret_read(const char *path, const char *what, size_t max, struct arena *arena,
                             struct diag_list *diags, struct str *out) {
  *out = (struct str){0};
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0 && errno == ELOOP) return refuse(diags, path, "%s is a link: name the file itself", what);
  if (file < 0) return refuse(diags, path, "%s is missing or cannot be read: %s", what, strerror(errno));
  enum status status = check(file, path, what, max, diags);
  if (status == STATUS_OK) status = file_read(file, max, arena, out); /* one that grows is cut where it may end */
  (void)close(file);
  if (status == STATUS_OK && out->len == 0) return refuse(diags, path, "%s is empty", what);
  if (status == STATUS_OK || status == STATUS_CONFIG || status == STATUS_NOMEM) return status;
  return refuse(diags, path, "%s is missing or cannot be read", what);
}

enum status base_secret_token(const char *path, const char *what, size_t max, struct arena *arena,
                              struct diag_list *diags, struct str *out) {
  enum status status = base_secret_read(path, what, max, arena, diags, out);
  if (status != STATUS_OK) return status;
  *out = str_trim(*out);
  for (size_t i = 0; i < out->len; i++)
    if (out->ptr[i] <= ' ' || out->ptr[i] > '~') return refuse(diags, path, "%s must hold one line without spaces", what);
  return out->len ? STATUS_OK : refuse(diags, path, "%s is empty", what);
}

static enum status cannot_make(struct diag_list *diags, const char *path, const char *what, int error) {
  (void)refuse(diags, path, "%s cannot be made here: %s", what, strerror(error));
  if (error == EACCES || error == EPERM || error == EROFS) return STATUS_DENIED;
  return error == ENOMEM ? STATUS_NOMEM : STATUS_IO;
}

enum status base_secret_create(const char *path, const char *what, struct str content,
                               struct diag_list *diags) {
  int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (file < 0 && errno == EEXIST)
    return refuse(diags, path, "%s is there already, and is not overwritten", what);
  if (file < 0) return cannot_make(diags, path, what, errno);
  bool done = file_write_synced(file, content) == STATUS_OK;
  done = close(file) == 0 && done;
  if (done) return STATUS_OK;
  (void)unlink(path);
  (void)refuse(diags, path, "%s could not be written", what);
  return STATUS_IO;
}

void base_secret_wipe(struct str secret) {
  if (secret.len) OPENSSL_cleanse((void *)(uintptr_t)secret.ptr, secret.len);
}
