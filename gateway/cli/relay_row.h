/* relay_row.h - private to cli: what `ketlink relay` looks like, for the program that starts it and the one
 * that is it. */
#ifndef KETLINK_CLI_RELAY_ROW_H
#define KETLINK_CLI_RELAY_ROW_H

#include "cli/cli.h"

static const struct cli_option relay_options[] = {
    {"config", 'c', "FILE", "the configuration (default: /etc/ketlink/relay.ini)"},
    {"check", 0, NULL, "only check configuration, keys, maps, destinations and store, and say all that is wrong; a relay may run"},
    {"accept-restored", 0, NULL,
     "only take an older copy of the store for the present one, once, after it was compared with the destinations"},
};

#define CLI_RELAY_ROW                                                                                        \
  .name = "relay", .arguments = "", .summary = "the daemon: takes records in, keeps them, delivers them",    \
  .examples =                                                                                                \
      "  ketlink relay --check                         is the configuration right? all faults at once\n"     \
      "  ketlink relay                                 run in the foreground; systemd starts it so\n"        \
      "  kill -HUP PID                                 read maps and destinations again\n"                   \
      "\nThe log goes to stderr, a line an event, without patients' data.\n",                                \
  .options = relay_options, .option_count = sizeof relay_options / sizeof relay_options[0],                  \
  .min_arguments = 0, .max_arguments = 0

#endif
