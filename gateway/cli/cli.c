/* cli.c - what every command shares: values, messages, output, files, the way to the pipeline. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/cli.h"

enum { IGS_MAX = 32 };

const char *cli_value(const struct cli *cli, const char *name) {
  for (size_t i = cli->value_count; i > 0; i--)
    if (strcmp(cli->values[i - 1].name, name) == 0) return cli->values[i - 1].value;
  return NULL;
}

const char *cli_value_at(const struct cli *cli, const char *name, size_t index) {
  for (size_t i = 0; i < cli->value_count; i++)
    if (strcmp(cli->values[i].name, name) == 0 && index-- == 0) return cli->values[i].value;
  return NULL;
}

int cli_usage(const struct cli *cli, const char *format, ...) {
  const struct cli_command *command = cli->command;
  va_list args;
  fprintf(stderr, "ketlink %s%s%s: ", command->name, command->verb ? " " : "",
          command->verb ? command->verb : "");
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fprintf(stderr, "\nTry: ketlink %s%s%s -h\n", command->name, command->verb ? " " : "",
          command->verb ? command->verb : "");
  return CLI_USAGE;
}

void cli_note(const struct cli *cli, const char *format, ...) {
  va_list args;
  if (cli->quiet) return;
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
}

static void keep_error(struct cli *cli, bool failed) {
  if (failed && !cli->out_error) cli->out_error = errno;
}

void cli_print(struct cli *cli, struct str text) {
  if (text.len) keep_error(cli, fwrite(text.ptr, 1, text.len, cli->out) != text.len);
}

void cli_printf(struct cli *cli, const char *format, ...) {
  va_list args;
  va_start(args, format);
  keep_error(cli, vfprintf(cli->out, format, args) < 0);
  va_end(args);
}

/* Errors alone, in the same arena; without memory all stay, which is more than was asked for. */
static struct diag_list errors_of(const struct diag_list *diags) {
  struct diag_list errors = *diags;
  struct diag **end = &errors.first;
  errors.count = 0;
  for (const struct diag *diag = diags->first; diag; diag = diag->next) {
    if (diag->severity < DIAG_ERROR) continue;
    struct diag *copy = ARENA_NEW(diags->arena, struct diag);
    if (!copy) return *diags;
    *copy = *diag;
    *end = copy;
    end = &copy->next;
    errors.count++;
  }
  *end = NULL;
  return errors;
}

void cli_render(const struct cli *cli, const struct diag_list *diags, struct buf *out) {
  if (cli->json) {
    struct diag_list shown = cli->quiet ? errors_of(diags) : *diags;
    if (shown.count) diag_render_json(&shown, out);
    if (shown.count) buf_add_char(out, '\n');
    return;
  }
  for (const struct diag *diag = diags->first; diag; diag = diag->next) {
    if (cli->quiet && diag->severity < DIAG_ERROR) continue;
    diag_render_text(diag, out);
    buf_add_char(out, '\n');
  }
  if (diags->dropped) buf_printf(out, "(%zu more findings not shown)\n", diags->dropped);
}

void cli_report(const struct cli *cli, const struct diag_list *diags) {
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  cli_render(cli, diags, &text);
  if (text.len) fwrite(text.ptr, 1, text.len, stderr);
  buf_release(&text);
}

int cli_fail_on(const struct cli *cli, enum diag_severity *out) {
  const char *name = cli_value(cli, "fail-on");
  *out = DIAG_ERROR;
  if (!name || strcmp(name, "error") == 0) return CLI_DONE;
  *out = strcmp(name, "warning") == 0 ? DIAG_WARNING : (enum diag_severity)(DIAG_FATAL + 1);
  if (*out == DIAG_WARNING || strcmp(name, "none") == 0) return CLI_DONE;
  return cli_usage(cli, "--fail-on takes error, warning or none, not '%s'", name);
}

bool cli_has_unreadable(const struct diag_list *diags) {
  for (const struct diag *diag = diags->first; diag; diag = diag->next)
    if (diag->code == DIAG_FILE_UNREADABLE) return true;
  return false;
}

int cli_exit_of(enum status status) {
  static const int exits[] = {
      [STATUS_OK] = CLI_DONE,
      [STATUS_INVALID] = CLI_DATA,
      [STATUS_UNSUPPORTED] = CLI_USAGE,
      [STATUS_NOT_FOUND] = CLI_IO,
      [STATUS_CONFLICT] = CLI_FINDINGS,
      [STATUS_RETRY] = CLI_TRY_LATER,
      [STATUS_UNAVAILABLE] = CLI_UNAVAILABLE,
      [STATUS_LIMIT] = CLI_DATA,
      [STATUS_DENIED] = CLI_PERMISSION,
      [STATUS_CONFIG] = CLI_CONFIG,
      [STATUS_IO] = CLI_IO,
      [STATUS_NOMEM] = CLI_TRY_LATER,
  };
  return (size_t)status < sizeof exits / sizeof exits[0] ? exits[status] : CLI_IO;
}

int cli_pipeline_open(struct cli *cli, const struct pipeline_params *params, struct pipeline **out) {
  enum status status = pipeline_open(params, &cli->diags, out);
  cli->pipeline = *out;
  if (status == STATUS_OK && !params->package_count) return CLI_DONE;
  cli_report(cli, &cli->diags); /* of packages also what is merely amiss */
  bool said = diag_failed(&cli->diags);
  diag_list_init(&cli->diags, cli->arena);
  if (status == STATUS_OK) return CLI_DONE;
  if (!said) fprintf(stderr, "ketlink: cannot start: %s\n", status_name(status));
  return status == STATUS_NOMEM || status == STATUS_IO ? cli_exit_of(status) : CLI_CONFIG;
}

int cli_pipeline(struct cli *cli, unsigned maps, struct pipeline **out) {
  const char *packages[IGS_MAX];
  size_t count = 0;
  while (count < IGS_MAX && cli_value_at(cli, "ig", count)) {
    packages[count] = cli_value_at(cli, "ig", count);
    count++;
  }
  struct pipeline_params params = {.host = cli->host,
                                   .packages = packages,
                                   .package_count = count,
                                   .definitions = cli_value(cli, "definitions"),
                                   .mappings = cli_value(cli, "mappings"),
                                   .maps = maps};
  return cli_pipeline_open(cli, &params, out);
}

bool cli_is_folder(const char *path) {
  struct stat info;
  return strcmp(path, "-") != 0 && stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

enum status cli_read(struct cli *cli, const char *path, struct arena *arena, struct diag_list *diags,
                     struct str *out) {
  enum status status = cli->host->read_file(cli->host->context, path, LIMIT_TEXT_BYTES, arena, out);
  struct source source = source_make(str_of(path), (struct str){0});
  struct diag_at at = {.source = &source};
  static const char *const reasons[] = {[STATUS_NOT_FOUND] = "no such file",
                                        [STATUS_DENIED] = "not permitted",
                                        [STATUS_LIMIT] = "larger than 64 MiB",
                                        [STATUS_IO] = "cannot be read",
                                        [STATUS_NOMEM] = "not enough memory"};
  if (!*path)
    diag_error(diags, DIAG_FILE_UNREADABLE, NULL, "an argument is empty: it names no file");
  else if (status == STATUS_IO && cli_is_folder(path))
    diag_error(diags, DIAG_FILE_UNREADABLE, &at, "a folder, not a file");
  else if (status != STATUS_OK)
    diag_error(diags, status == STATUS_LIMIT ? DIAG_INPUT_TOO_LARGE : DIAG_FILE_UNREADABLE, &at, "%s",
               (size_t)status < sizeof reasons / sizeof reasons[0] && reasons[status] ? reasons[status]
                                                                                      : status_name(status));
  return status;
}

enum status cli_no_memory(const char *path, uint32_t line, struct arena *arena, struct arena_mark mark,
                          struct diag_list *diags) {
  struct source source = source_make(str_of(path), line ? STR("") : (struct str){0});
  struct diag_at at = {.source = &source};
  bool capped = arena_is_capped(arena);
  source.first_line = line;
  arena_rewind(arena, mark);
  diag_list_init(diags, diags->arena);
  if (capped)
    diag_error(diags, DIAG_INPUT_TOO_LARGE, &at, "the work on it takes more than %d MiB of memory, which is all that one record may have",
               LIMIT_ARENA_BYTES >> 20);
  else
    diag_error(diags, DIAG_FILE_UNREADABLE, &at, "not enough memory");
  return capped ? STATUS_INVALID : STATUS_NOMEM;
}

int cli_lock_folder_of(const char *path) {
  char folder[PATH_MAX];
  const char *slash = strrchr(path, '/');
  int length = slash ? (int)(slash - path) + 1 : 0;
  if (snprintf(folder, sizeof folder, "%.*s.", length, path) >= (int)sizeof folder) return -1;
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), locked;
  if (fd < 0) return -1;
  do
    locked = flock(fd, LOCK_EX);
  while (locked != 0 && errno == EINTR);
  return fd; /* closed in any case by who asked */
}

void cli_unlock(int lock) {
  if (lock >= 0) (void)close(lock);
}

void cli_progress(const struct cli *cli, const char *what, size_t done, size_t total) {
  enum { WIDTH = 24 };
  static const char bar[] = "########################........................";
  if (cli->quiet || !isatty(STDERR_FILENO) || total == 0) return;
  double share = done < total ? (double)done / (double)total : 1;
  if (done < total)
    fprintf(stderr, "\r%s [%.*s] %3.0f %%\033[K", what, WIDTH, bar + WIDTH - (size_t)(share * WIDTH),
            share * 100);
  else
    fprintf(stderr, "\r\033[K");
  fflush(stderr);
}
