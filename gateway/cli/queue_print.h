/* queue_print.h - private to cli: the relay's answers, for people. */
#ifndef KETLINK_CLI_QUEUE_PRINT_H
#define KETLINK_CLI_QUEUE_PRINT_H

#include <jansson.h>
#include "cli/cli.h"

/* A line a record, under a heading; a note when there are more. */
void cli_queue_print_list(struct cli *cli, const json_t *answer);
/* A record, its attempts, and its payload when the answer has one. */
void cli_queue_print_record(struct cli *cli, const json_t *record);

#endif
