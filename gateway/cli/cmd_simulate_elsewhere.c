/* cmd_simulate_elsewhere.c - the rows of `ketlink simulate` in the program that becomes its sibling. */
#include "cli/simulate_row.h"

const struct cli_command cli_simulate_send_elsewhere = {CLI_SIMULATE_SEND_ROW, .program = "ketlink-relay"};
const struct cli_command cli_simulate_listen_elsewhere = {CLI_SIMULATE_LISTEN_ROW, .program = "ketlink-relay"};
