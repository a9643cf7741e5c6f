/* parse.h - private to cli: command lines in, struct cli out; help made from the tables. */
#ifndef KETLINK_CLI_PARSE_H
#define KETLINK_CLI_PARSE_H

#include "cli/cli.h"

enum cli_parsed { CLI_PARSED_RUN, CLI_PARSED_HELP, CLI_PARSED_ERROR, CLI_PARSED_NO_MEMORY };

/* Finds the command of argv[1…]; *used is the number of words it took. NULL when there is none. */
const struct cli_command *cli_find_command(int argc, char **argv, int *used);
/* Options may stand anywhere; "--" ends them. Arguments are collected in the arena. */
enum cli_parsed cli_parse(struct cli *cli, int argc, char **argv);
void cli_help(const struct cli_command *command, FILE *out);
void cli_help_all(FILE *out);
/* The command that is nearest to what was typed; empty view if none is near. */
struct str cli_suggest(const char *typed);

#endif
