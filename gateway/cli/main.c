/* main.c - the program: hardens the process, finds the command, runs it, and lands its output whole or not at
 * all. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/parse.h"

/* Patients' data must not end in a core file. RLIMIT_CORE is ignored where core_pattern is a pipe, so both.
 */
static void forbid_core_dumps(void) {
#ifndef __SANITIZE_ADDRESS__ /* the leak checker has to attach to the process */
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

static int cannot_open(const char *path) {
  fprintf(stderr, "ketlink: %s: %s\n", path, strerror(errno));
  return CLI_IO;
}

/* A device, a pipe or a socket is written to: a rename would put a file in its place. */
static int open_as_is(struct cli *cli, const char *path) {
  int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
  cli->out = fd < 0 ? NULL : fdopen(fd, "w");
  return cli->out ? CLI_DONE : cannot_open(path);
}

/* NULL: no memory. */
static char *join(struct cli *cli, const char *path, const char *end) {
  size_t length = strlen(path), more = strlen(end) + 1;
  char *joined = arena_alloc(cli->arena, length + more);
  if (!joined) return NULL;
  memcpy(joined, path, length);
  memcpy(joined + length, end, more);
  return joined;
}

static int open_beside(struct cli *cli, const char *path) {
  char *name = join(cli, path, ".XXXXXX");
  cli->out_path = join(cli, path, "");
  if (!name || !cli->out_path) return CLI_TRY_LATER;
  int fd = mkstemp(name); /* mode 0600: the output is patients' data, as a rule */
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

static int open_output(struct cli *cli) {
  const char *path = cli_value(cli, "output");
  struct stat found;
  cli->out = stdout;
  if (!path || strcmp(path, "-") == 0) return CLI_DONE;
  if (cli->command->into_folder && cli->command->into_folder(cli)) return CLI_DONE;
  bool there = stat(path, &found) == 0;
  return there && !S_ISREG(found.st_mode) ? open_as_is(cli, path) : open_file(cli, path, there);
}

/* The file of -o appears only when everything was written. */
static int close_output(struct cli *cli, int result) {
  bool failed = cli->out && (fflush(cli->out) != 0 || ferror(cli->out));
  if (cli->out_temporary) {
    if (cli->out && !failed) failed = fsync(fileno(cli->out)) != 0;
    if (cli->out) fclose(cli->out);
    bool wanted = cli->command->one_output ? result == CLI_DONE : result != CLI_USAGE && result != CLI_CONFIG;
    if (!failed && wanted)
      failed = rename(cli->out_temporary, cli->out_path) != 0;
    else
      unlink(cli->out_temporary);
  }
  if (failed) {
    fprintf(stderr, "ketlink: writing the output failed: %s\n", strerror(errno));
    return CLI_IO;
  }
  return result;
}

/* Becomes the sibling program: same words, same output, same exit status. */
static int become(const struct cli *cli, char **argv) {
  char path[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  while (length > 0 && path[length - 1] != '/')
    length--;
  size_t room = sizeof path - (size_t)(length > 0 ? length : 0);
  if (length <= 0 || strlen(cli->command->program) >= room) {
    fprintf(stderr, "ketlink: where this program stands is not known\n");
    return CLI_IO;
  }
  memcpy(path + length, cli->command->program, strlen(cli->command->program) + 1);
  execv(path, argv);
  fprintf(stderr, "ketlink: %s: %s; it belongs beside this program\n", path, strerror(errno));
  return CLI_IO;
}

static int run_command(struct cli *cli, int used, int argc, char **argv) {
  int result = CLI_USAGE;
  switch (cli_parse(cli, argc - used, argv + used)) {
  case CLI_PARSED_HELP:
    cli_help(cli->command, stdout);
    return fflush(stdout) == 0 ? CLI_DONE : CLI_IO;
  case CLI_PARSED_ERROR:
    return CLI_USAGE;
  case CLI_PARSED_NO_MEMORY:
    fprintf(stderr, "ketlink: not enough memory\n");
    return CLI_TRY_LATER;
  case CLI_PARSED_RUN:
    break;
  }
  if (cli->command->program) return become(cli, argv);
  result = open_output(cli);
  if (result == CLI_DONE) result = cli->command->run(cli);
  return close_output(cli, result);
}

/* A group of verbs ("map", "definitions") without one of its verbs. */
static bool print_group(const char *name, FILE *out) {
  bool any = false;
  for (size_t i = 0; i < cli_command_count; i++) {
    if (strcmp(cli_commands[i]->name, name) != 0) continue;
    fprintf(out, "  ketlink %s %-8s %s\n", name, cli_commands[i]->verb ? cli_commands[i]->verb : "",
            cli_commands[i]->summary);
    any = true;
  }
  return any;
}

static int no_command(int argc, char **argv) {
  if (argc < 2) {
    cli_help_all(stderr);
    return CLI_USAGE;
  }
  if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
    cli_help_all(stdout);
    return CLI_DONE;
  }
  if (strcmp(argv[1], "--version") == 0) {
    printf("ketlink %s\n", KETLINK_VERSION);
    return CLI_DONE;
  }
  bool help = argc > 2 && (strcmp(argv[2], "-h") == 0 || strcmp(argv[2], "--help") == 0);
  if (print_group(argv[1], help ? stdout : stderr)) {
    if (argc > 2 && !help) fprintf(stderr, "ketlink: there is no command '%s %s'\n", argv[1], argv[2]);
    return help ? CLI_DONE : CLI_USAGE;
  }
  const char *near = cli_suggest(argv[1]);
  fprintf(stderr, "ketlink: unknown command '%s'%s%s%s\nTry: ketlink -h\n", argv[1],
          near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
  return CLI_USAGE;
}

int main(int argc, char **argv) {
  int used = 0;
  struct cli cli = {.host = host_system(), .command = cli_find_command(argc, argv, &used)};
  forbid_core_dumps();
  if (!cli.command) return no_command(argc, argv);
  cli.arena = arena_new(LIMIT_ARENA_BYTES);
  if (!cli.arena) {
    fprintf(stderr, "ketlink: not enough memory\n");
    return CLI_TRY_LATER;
  }
  diag_list_init(&cli.diags, cli.arena);
  int result = run_command(&cli, used, argc, argv);
  arena_free(cli.arena);
  return result;
}
