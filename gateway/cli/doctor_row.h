/* doctor_row.h - private to cli: what `ketlink doctor` looks like, for the program that starts it and the one
 * that does it. */
#ifndef KETLINK_CLI_DOCTOR_ROW_H
#define KETLINK_CLI_DOCTOR_ROW_H

#include "cli/cli.h"
#include "cli/ways_row.h"

static const struct cli_option doctor_options[] = {RELAY_WAYS};

#define CLI_DOCTOR_ROW                                                                                       \
  .name = "doctor", .arguments = "[DESTINATION]",                                                            \
  .summary = "check this machine, a destination and its server; one line a check, with what to do",          \
  .examples =                                                                                                \
      "  ketlink doctor                      definitions, maps, destination files, the relay and its store\n" \
      "  ketlink doctor hospital             and the credential, the way there, what the server takes\n"     \
      "  ketlink doctor hospital --config relay.ini    with the mappings, definitions and files of that relay\n" \
      "  ketlink doctor --json ./ehr.json    an object a line: check, mark, detail, fix\n",                  \
  .options = doctor_options, .option_count = sizeof doctor_options / sizeof doctor_options[0],               \
  .max_arguments = 1, .public_output = true

#endif
