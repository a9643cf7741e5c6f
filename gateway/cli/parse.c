/* parse.c - finds the command, reads its options by the tables, and prints help from the same tables. */
#include <stdlib.h>
#include "cli/parse.h"

static const struct cli_option common_options[] = {
    {"help", 'h', NULL, "show this help"},
    {"json", 0, NULL, "machine-readable output"},
    {"quiet", 'q', NULL, "errors only"},
    {"output", 'o', "FILE", "write there instead of stdout"},
    {"definitions", 0, "FILE", "the definition pack"},
    {"mappings", 0, "DIR", "the mappings folder"},
};

const struct cli_command *cli_find_command(int argc, char **argv, int *used) {
  for (size_t i = 0; i < cli_command_count; i++) {
    const struct cli_command *command = cli_commands[i];
    if (argc < 2 || strcmp(argv[1], command->name) != 0) continue;
    if (!command->verb) {
      *used = 2;
      return command;
    }
    if (argc > 2 && strcmp(argv[2], command->verb) == 0) {
      *used = 3;
      return command;
    }
  }
  return NULL;
}

static const struct cli_option *find_in(const struct cli_option *options, size_t count, const char *name,
                                        size_t len) {
  for (size_t i = 0; i < count; i++)
    if (strlen(options[i].name) == len && memcmp(options[i].name, name, len) == 0) return &options[i];
  return NULL;
}

static const struct cli_option *find_long(const struct cli_command *command, const char *name, size_t len) {
  const struct cli_option *found = find_in(command->options, command->option_count, name, len);
  return found ? found : find_in(common_options, sizeof common_options / sizeof common_options[0], name, len);
}

static const struct cli_option *find_letter(const struct cli_command *command, char letter) {
  for (size_t i = 0; i < command->option_count; i++)
    if (command->options[i].letter == letter) return &command->options[i];
  for (size_t i = 0; i < sizeof common_options / sizeof common_options[0]; i++)
    if (common_options[i].letter == letter) return &common_options[i];
  return NULL;
}

static bool store(struct cli *cli, const struct cli_option *option, const char *value) {
  if (cli->value_count == CLI_VALUES_MAX) {
    cli_usage(cli, "too many options (at most %d)", CLI_VALUES_MAX);
    return false;
  }
  cli->values[cli->value_count++] = (struct cli_value){option->name, value};
  return true;
}

/* The value of an option: behind "=", or the next word. */
static bool take_value(struct cli *cli, const struct cli_option *option, const char *inline_value, int argc,
                       char **argv, int *at) {
  if (!option->argument) {
    if (inline_value) {
      cli_usage(cli, "--%s takes no value", option->name);
      return false;
    }
    return store(cli, option, "");
  }
  if (!inline_value && *at + 1 >= argc) {
    cli_usage(cli, "--%s needs a value: %s", option->name, option->argument);
    return false;
  }
  return store(cli, option, inline_value ? inline_value : argv[++*at]);
}

/* Of the command's own options and of those that every command has. */
static struct str nearest_long(const struct cli_command *command, struct str word) {
  struct str_nearest nearest = {.word = word};
  for (size_t i = 0; i < command->option_count; i++)
    str_nearest_offer(&nearest, str_of(command->options[i].name));
  for (size_t i = 0; i < sizeof common_options / sizeof common_options[0]; i++)
    str_nearest_offer(&nearest, str_of(common_options[i].name));
  return nearest.best;
}

static bool parse_long(struct cli *cli, int argc, char **argv, int *at) {
  const char *word = argv[*at] + 2;
  const char *equals = strchr(word, '=');
  size_t len = equals ? (size_t)(equals - word) : strlen(word);
  const struct cli_option *option = find_long(cli->command, word, len);
  if (!option) {
    struct str near = nearest_long(cli->command, str_make(word, len));
    cli_usage(cli, "unknown option --%.*s%s%.*s%s", (int)len, word, near.len ? "; did you mean --" : "", STR_ARG(near),
              near.len ? "?" : "");
    return false;
  }
  return take_value(cli, option, equals ? equals + 1 : NULL, argc, argv, at);
}

/* Letters without a value may stand together, and before one that has a value: -qo FILE, -qj4. */
static bool parse_short(struct cli *cli, int argc, char **argv, int *at) {
  for (const char *letter = argv[*at] + 1; *letter; letter++) {
    const struct cli_option *option = find_letter(cli->command, *letter);
    if (!option) {
      cli_usage(cli, "unknown option -%c", *letter);
      return false;
    }
    if (option->argument) return take_value(cli, option, letter[1] ? letter + 1 : NULL, argc, argv, at);
    if (!store(cli, option, "")) return false;
  }
  return true;
}

static bool check_count(const struct cli *cli) {
  const struct cli_command *command = cli->command;
  if (cli->argument_count < command->min_arguments) {
    cli_usage(cli, "missing %s", command->arguments);
    return false;
  }
  if (cli->argument_count > command->max_arguments) {
    cli_usage(cli, "too many arguments: '%s'", cli->arguments[command->max_arguments]);
    return false;
  }
  return true;
}

enum cli_parsed cli_parse(struct cli *cli, int argc, char **argv) {
  const char **arguments = ARENA_ARRAY(cli->arena, const char *, (size_t)argc + 1);
  bool options = true;
  if (!arguments) return CLI_PARSED_NO_MEMORY;
  cli->arguments = arguments;
  for (int i = 0; i < argc; i++) {
    const char *word = argv[i];
    bool fine = true;
    if (options && strcmp(word, "--") == 0)
      options = false;
    else if (options && word[0] == '-' && word[1] == '-')
      fine = parse_long(cli, argc, argv, &i);
    else if (options && word[0] == '-' && word[1])
      fine = parse_short(cli, argc, argv, &i);
    else
      arguments[cli->argument_count++] = word;
    if (!fine) return CLI_PARSED_ERROR;
  }
  if (cli_flag(cli, "help")) return CLI_PARSED_HELP;
  cli->json = cli_flag(cli, "json");
  cli->quiet = cli_flag(cli, "quiet");
  return check_count(cli) ? CLI_PARSED_RUN : CLI_PARSED_ERROR;
}

static void print_options(const struct cli_option *options, size_t count, FILE *out) {
  for (size_t i = 0; i < count; i++) {
    char left[64];
    snprintf(left, sizeof left, "%c%c%s--%s%s%s", options[i].letter ? '-' : ' ',
             options[i].letter ? options[i].letter : ' ', options[i].letter ? ", " : "  ", options[i].name,
             options[i].argument ? " " : "", options[i].argument ? options[i].argument : "");
    fprintf(out, "  %-30s %s\n", left, options[i].help);
  }
}

void cli_help(const struct cli_command *command, FILE *out) {
  fprintf(out, "%s\n\nExamples:\n%s\n", command->summary, command->examples);
  fprintf(out, "Usage: ketlink %s%s%s [options]%s%s\n\n", command->name, command->verb ? " " : "",
          command->verb ? command->verb : "", command->arguments[0] ? " " : "", command->arguments);
  if (command->option_count) {
    fprintf(out, "Options:\n");
    print_options(command->options, command->option_count, out);
    fputc('\n', out);
  }
  fprintf(out, "Every command:\n");
  print_options(common_options, sizeof common_options / sizeof common_options[0], out);
  fprintf(out,
          "\nExit status: 0 done; 1 findings, or some not delivered; 2 wrong usage; 65 bad data; 69 server\n"
          "unavailable; 74 input/output; 75 try later; 77 permission; 78 configuration.\n");
}

void cli_help_all(FILE *out) {
  fprintf(out, "ketlink %s: HL7/FHIR gateway for ketamine and esketamine clinics\n\nExamples:\n",
          KETLINK_VERSION);
  fprintf(out, "  ketlink export session.json                 a session record as a FHIR Bundle\n"
               "  ketlink send --to hospital session.json     translate, validate and deliver it\n"
               "  ketlink validate bundle.json                check resources and records\n\nCommands:\n");
  for (size_t i = 0; i < cli_command_count; i++) {
    char left[64];
    snprintf(left, sizeof left, "%s%s%s", cli_commands[i]->name, cli_commands[i]->verb ? " " : "",
             cli_commands[i]->verb ? cli_commands[i]->verb : "");
    fprintf(out, "  %-20s %s\n", left, cli_commands[i]->summary);
  }
  fprintf(out, "\nketlink COMMAND -h tells more.  ketlink --version\n");
}

struct str cli_suggest(const char *typed) {
  struct str_nearest nearest = {.word = str_of(typed)};
  for (size_t i = 0; i < cli_command_count; i++)
    str_nearest_offer(&nearest, str_of(cli_commands[i]->name));
  return nearest.best;
}
