/* send_row.h - private to cli: what `ketlink send` looks like, for the program that starts it and the one
 * that does it. */
#ifndef KETLINK_CLI_SEND_ROW_H
#define KETLINK_CLI_SEND_ROW_H

#include "cli/cli.h"

static const struct cli_option send_options[] = {
    {"to", 't', "DESTINATION", "name in mappings/destinations, or a file (required)"},
    {"no-validate", 0, NULL, "do not check the Bundle, whatever the destination asks for"},
};

#define CLI_SEND_ROW                                                                                         \
  .name = "send", .arguments = "INPUT…",                                                                     \
  .summary = "translate, validate and deliver records now; print what the server stored",                    \
  .examples = "  ketlink send --to hospital session.json      deliver one session\n"                         \
              "  ketlink send --to ./test-server.json *.json   to a destination of your own\n"               \
              "  ketlink send --to hospital --json - < day.ndjson\n"                                          \
              "\nOne line a resource: created, stored, unchanged, referred to; or why not: refused, not confirmed,\n"   \
              "waits for what was not stored, exists and cannot be corrected by interface, left out (and in the\n"   \
              "session note). Sending again is safe: what is stored is matched, only the rest goes out.\n",                                        \
  .options = send_options, .option_count = sizeof send_options / sizeof send_options[0], .min_arguments = 1, \
  .max_arguments = SIZE_MAX

#endif
