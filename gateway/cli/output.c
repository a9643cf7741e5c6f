/* output.c - -o: beside, then renamed: see output.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/output.h"

static int cannot_open(const char *path) {
  int result = errno == EACCES || errno == EPERM ? CLI_PERMISSION : CLI_IO;
  fprintf(stderr, "ketlink: %s: %s\n", path, strerror(errno));
  return result;
}

/* NULL: no memory. */
static char *join(struct cli *cli, const char *path, size_t length, const char *end) {
  size_t more = strlen(end) + 1;
  char *joined = arena_alloc(cli->arena, length + more);
  if (!joined) return NULL;
  memcpy(joined, path, length);
  memcpy(joined + length, end, more);
  return joined;
}

/* --- what must not be written over --- */

static bool is_same(const char *input, const struct stat *output) {
  struct stat info;
  int failed = strcmp(input, "-") == 0 ? fstat(STDIN_FILENO, &info) : stat(input, &info);
  return failed == 0 && info.st_dev == output->st_dev && info.st_ino == output->st_ino;
}

/* A table of a set of CSV files that is an input as a folder. */
static bool is_table(const char *input, const char *path) {
  const char *slash = strrchr(path, '/');
  size_t length = slash ? (size_t)(slash - path) + 1 : 0;
  char folder[PATH_MAX];
  struct stat info;
  if (!str_ends(str_of(path), STR(".csv")) || length + 2 > sizeof folder) return false;
  snprintf(folder, sizeof folder, "%.*s.", (int)length, path);
  return stat(folder, &info) == 0 && is_same(input, &info);
}

/* A record, or a set of keys: the only one there is, as a rule. The pack is made anew by commands of its own. */
static bool is_input(const struct cli *cli, const char *path, const struct stat *output) {
  static const char *const options[] = {"sent", "config", "definitions"};
  size_t count = sizeof options / sizeof options[0] - (strcmp(cli->command->name, "definitions") == 0);
  bool same = false;
  for (size_t i = 0; i < cli->argument_count && !same; i++)
    same = is_same(cli->arguments[i], output) || is_table(cli->arguments[i], path);
  for (size_t i = 0; i < count && !same; i++)
    same = cli_value(cli, options[i]) && is_same(cli_value(cli, options[i]), output);
  return same;
}

/* A pipe of another user in a folder of all, such as /tmp: he would read patients' data. Not all kernels are told to refuse it. */
static bool is_trap(struct cli *cli, const char *path, const struct stat *output) {
  const char *slash = strrchr(path, '/');
  const char *folder = slash ? join(cli, path, (size_t)(slash - path) + 1, "") : ".";
  struct stat info;
  if (!S_ISFIFO(output->st_mode) || output->st_uid == geteuid() || !folder || stat(folder, &info) != 0) return false;
  return (info.st_mode & S_ISVTX) && (info.st_mode & S_IWOTH) && info.st_uid != output->st_uid;
}

/* --- opening --- */

/* A device, a pipe or a socket is written to: a rename would put a file in its place. */
static int open_as_is(struct cli *cli, const char *path) {
  int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
  cli->out = fd < 0 ? NULL : fdopen(fd, "w");
  return cli->out ? CLI_DONE : cannot_open(path);
}

/* In the same folder; of a name that is as long as names may be the beginning. */
static char *name_beside(struct cli *cli, const char *path) {
  enum { KEPT = 200 };
  const char *slash = strrchr(path, '/');
  size_t folder = slash ? (size_t)(slash - path) + 1 : 0, length = strlen(path);
  return join(cli, path, length - folder > KEPT ? folder + KEPT : length, ".XXXXXX");
}

/* A file that has no name yet: however the program ends, nothing is left behind. Mode 0600: the output is patients' data, as a
   rule. Some file systems have only files with names. */
static int make_file(struct cli *cli, char *name) {
  char *slash = strrchr(name, '/');
  char after = slash ? slash[1] : '\0';
  if (slash) slash[1] = '\0';
  int fd = open(slash ? name : ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (slash) slash[1] = after;
  cli->out_unnamed = fd >= 0;
  return fd >= 0 ? fd : mkstemp(name);
}

static int open_beside(struct cli *cli, const char *path) {
  char *name = name_beside(cli, path);
  cli->out_path = join(cli, path, strlen(path), "");
  if (!name || !cli->out_path) return CLI_TRY_LATER;
  int fd = make_file(cli, name);
  if (fd < 0) return cannot_open(path);
  cli->out_temporary = name;
  cli->out = cli->command->public_output && fchmod(fd, 0644) != 0 ? NULL : fdopen(fd, "w");
  if (cli->out) return CLI_DONE;
  (void)close(fd);
  return cannot_open(path);
}

/* Where a link leads to is replaced, not the link. */
static int open_file(struct cli *cli, const char *path, bool there) {
  char *real = there ? realpath(path, NULL) : NULL;
  int result = open_beside(cli, real ? real : path);
  free(real);
  return result;
}

int cli_output_open(struct cli *cli) {
  const char *path = cli_value(cli, "output");
  struct stat found, link;
  cli->out = stdout;
  if (!path || strcmp(path, "-") == 0) return CLI_DONE;
  if (cli->command->into_folder && cli->command->into_folder(cli)) return CLI_DONE;
  if (!*path) return cli_usage(cli, "-o names no file");
  bool there = stat(path, &found) == 0;
  if (!there && errno != ENOENT) return cannot_open(path); /* what can have no file is said before the work is done */
  if (!there && lstat(path, &link) == 0) {
    errno = ENOENT;
    return cannot_open(path); /* a link to nowhere */
  }
  if (there && is_trap(cli, path, &found)) {
    errno = EACCES;
    return cannot_open(path);
  }
  if (there && !S_ISREG(found.st_mode)) return open_as_is(cli, path);
  if (there && is_input(cli, path, &found)) return cli_usage(cli, "-o %s is an input too, and would be written over", path);
  return open_file(cli, path, there);
}

/* --- landing --- */

/* Nothing came out of what failed: a file that is there was made when all went well, and stays. */
static bool is_wanted(const struct cli *cli, int result) {
  if (result == CLI_DONE) return true;
  return !cli->command->one_output && result != CLI_USAGE && result != CLI_CONFIG && ftello(cli->out) > 0;
}

/* A name of its own first: a link does not take the place of a file. */
static bool give_name(struct cli *cli) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
  enum { RANDOM = 6, TRIES = 100 };
  unsigned char noise[RANDOM];
  char from[64], *end = cli->out_temporary + strlen(cli->out_temporary) - RANDOM;
  if (!cli->out_unnamed) return true;
  snprintf(from, sizeof from, "/proc/self/fd/%d", fileno(cli->out));
  for (int i = 0; i < TRIES; i++) {
    if (cli->host->random(cli->host->context, noise, sizeof noise) != STATUS_OK) return false;
    for (size_t j = 0; j < RANDOM; j++)
      end[j] = letters[noise[j] % 32];
    cli->out_unnamed = linkat(AT_FDCWD, from, AT_FDCWD, cli->out_temporary, AT_SYMLINK_FOLLOW) != 0;
    if (!cli->out_unnamed || errno != EEXIST) return !cli->out_unnamed;
  }
  return false;
}

static bool land(struct cli *cli) {
  return fsync(fileno(cli->out)) == 0 && give_name(cli) && rename(cli->out_temporary, cli->out_path) == 0;
}

int cli_output_close(struct cli *cli, int result) {
  errno = 0;
  bool failed = cli->out && (fflush(cli->out) != 0 || ferror(cli->out));
  int why = errno;
  if (cli->out_temporary) {
    bool wanted = !failed && cli->out && is_wanted(cli, result);
    failed |= wanted && !land(cli);
    why = errno;
    if (cli->out) fclose(cli->out);
    if ((failed || !wanted) && !cli->out_unnamed) (void)unlink(cli->out_temporary);
  }
  if (!failed) return result;
  if (cli->out_error) why = cli->out_error;
  fprintf(stderr, "ketlink: writing the output failed: %s\n", why ? strerror(why) : "not all of it was taken");
  return CLI_IO;
}
