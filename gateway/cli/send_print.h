/* send_print.h - private to cli: what became of each resource of a record. */
#ifndef KETLINK_CLI_SEND_PRINT_H
#define KETLINK_CLI_SEND_PRINT_H

#include "cli/cli.h"
#include "exchange/exchange.h"

/* One line (or JSON object) per resource: what the server holds now, and what did not go. */
void send_print(struct cli *cli, const struct exchange_job *job);

#endif
