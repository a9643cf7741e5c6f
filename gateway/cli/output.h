/*
 * output.h - private to cli: where the output of a command goes. stdout; what is no file (a pipe, /dev/null) is written to as
 * it is; a file appears when all of it is on disk, in one step, and where nothing came out of a command that failed the one that
 * was there stays.
 */
#ifndef KETLINK_CLI_OUTPUT_H
#define KETLINK_CLI_OUTPUT_H

#include "cli/cli.h"

/* Of -o. Says on stderr what is wrong; the exit status, CLI_DONE: cli->out is open, but where the command makes a folder. */
int cli_output_open(struct cli *cli);
/* Lands it by what the command came to; the exit status. */
int cli_output_close(struct cli *cli, int result);

#endif
