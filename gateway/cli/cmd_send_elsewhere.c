/* cmd_send_elsewhere.c - the row of `ketlink send` in the program that hands it to its sibling. */
#include "cli/send_row.h"

const struct cli_command cli_send_elsewhere = {CLI_SEND_ROW, .program = "ketlink-send"};
