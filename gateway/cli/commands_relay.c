/* commands_relay.c - the table of the program `ketlink-relay`: the daemon, and what speaks with it. */
#include "cli/cli.h"

const struct cli_command *const cli_commands[] = {&cli_relay_command, &cli_queue_list, &cli_queue_show,
                                                 &cli_queue_retry,   &cli_queue_park, &cli_queue_pass,
                                                 &cli_queue_drop};
const size_t cli_command_count = sizeof cli_commands / sizeof cli_commands[0];
