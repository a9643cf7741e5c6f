/* main.c - the program: hardens the process, finds the command, runs it, and lands its output (output.h). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include "cli/output.h"
#include "cli/parse.h"
#include "cli/shrunk.h"

/* Patients' data must not end in a core file. RLIMIT_CORE is ignored where core_pattern is a pipe, so both.
 */
static void forbid_core_dumps(void) {
#ifndef __SANITIZE_ADDRESS__ /* the leak checker has to attach to the process */
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

/* Whoever starts a program with stdin, stdout or stderr closed gives their number to the first file or connection that it opens:
   findings would be written into the file of -o, or the store. What was closed stays of no use. */
static bool hold_standard_files(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) return false;
  return true;
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

/* Help and the version go straight to stdout; what a command prints ends in cli_output_close. */
static int end_of_print(void) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return CLI_DONE;
  fprintf(stderr, "ketlink: writing the output failed: %s\n", strerror(errno));
  return CLI_IO;
}

static int run_command(struct cli *cli, int used, int argc, char **argv) {
  int result = CLI_USAGE;
  switch (cli_parse(cli, argc - used, argv + used)) {
  case CLI_PARSED_HELP:
    cli_help(cli->command, stdout);
    return end_of_print();
  case CLI_PARSED_ERROR:
    return CLI_USAGE;
  case CLI_PARSED_NO_MEMORY:
    fprintf(stderr, "ketlink: not enough memory\n");
    return CLI_TRY_LATER;
  case CLI_PARSED_RUN:
    break;
  }
  if (cli->command->program) return become(cli, argv);
  result = cli_output_open(cli);
  if (result == CLI_DONE) result = cli->command->run(cli);
  if (result == CLI_TRY_LATER && cli_later_is_memory) fputs("ketlink: not enough memory: what was written is not all\n", stderr);
  return cli_output_close(cli, result);
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

static bool is_help(const char *word) {
  return strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0;
}

static int no_command(int argc, char **argv);

/* Of what stands behind "help": a command, a group of verbs, or nothing. */
static int help_of(int argc, char **argv) {
  int used = 0;
  const struct cli_command *command = cli_find_command(argc, argv, &used);
  if (command)
    cli_help(command, stdout);
  else if (argc < 2)
    cli_help_all(stdout);
  else if (!print_group(argv[1], stdout))
    return no_command(argc, argv);
  return end_of_print();
}

static int no_command(int argc, char **argv) {
  if (argc < 2) {
    cli_help_all(stderr);
    return CLI_USAGE;
  }
  if (is_help(argv[1]) || strcmp(argv[1], "help") == 0) return help_of(argc - 1, argv + 1);
  if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
    printf("ketlink %s\n", KETLINK_VERSION);
    return end_of_print();
  }
  bool help = argc > 2 && is_help(argv[2]);
  if (print_group(argv[1], help ? stdout : stderr)) {
    if (argc > 2 && !help) fprintf(stderr, "ketlink: there is no command '%s %s'\n", argv[1], argv[2]);
    return help ? end_of_print() : CLI_USAGE;
  }
  bool option = argv[1][0] == '-';
  struct str near = option ? (struct str){0} : cli_suggest(argv[1]);
  fprintf(stderr, "ketlink: unknown %s '%s'%s%.*s%s\nTry: ketlink -h\n", option ? "option" : "command", argv[1],
          near.len ? "; did you mean '" : "", STR_ARG(near), near.len ? "'?" : "");
  return CLI_USAGE;
}

int main(int argc, char **argv) {
  int used = 0;
  struct cli cli = {.host = host_system(), .command = cli_find_command(argc, argv, &used)};
  forbid_core_dumps();
  (void)unsetenv("SSLKEYLOGFILE"); /* libcurl writes the keys of all connections there: who has them reads what was sent */
  if (!hold_standard_files()) return CLI_IO;
  cli_shrunk_watch();
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
