/* cmd_relay_elsewhere.c - the row of `ketlink relay` in the program that becomes its sibling. */
#include "cli/relay_row.h"

const struct cli_command cli_relay_elsewhere = {CLI_RELAY_ROW, .program = "ketlink-relay"};
