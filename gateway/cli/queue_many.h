/* queue_many.h - private to cli: decisions about all records of the relay that a filter finds. */
#ifndef KETLINK_CLI_QUEUE_MANY_H
#define KETLINK_CLI_QUEUE_MANY_H

#include "cli/cli.h"

/* What --where finds is retried, parked or dropped ("retry", "park", "drop"), with --dry-run only counted; before anything is dropped its
   number is asked for. Returns the exit status, having said what came of it. */
int cli_queue_many(struct cli *cli, const char *verb);

#endif
