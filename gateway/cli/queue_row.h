/* queue_row.h - private to cli: what the commands of `ketlink queue` look like, for the program that starts them and
 * the one that carries them out. */
#ifndef KETLINK_CLI_QUEUE_ROW_H
#define KETLINK_CLI_QUEUE_ROW_H

#include "cli/cli.h"
#include "cli/ways_row.h"

#define QUEUE_REASON {"reason", 'r', "WORD", "why, as one word: it stands in the trail in the clear"}

static const struct cli_option queue_list_options[] = {
    {"state", 's', "STATE", "only these: queued, sending, unknown, parked, done or dropped"},
    {"destination", 'd', "NAME", "only for this destination"},
    {"reason", 'r', "WORD", "only with this reason"},
    {"after", 0, "ID", "only what was accepted after this record"},
    {"limit", 'n', "N", "at most so many, 1 to 1000 (default: 100)"},
    RELAY_WAYS,
};
static const struct cli_option queue_show_options[] = {
    {"payload", 'p', NULL, "and what is sent: patients' data"},
    RELAY_WAYS,
};
static const struct cli_option queue_retry_options[] = {
    {"where", 'w', "WHICH", "all with state=, destination= and reason=, separated by commas (default: state=parked)"},
    {"dry-run", 0, NULL, "with --where: only say how many there are"},
    QUEUE_REASON,
    RELAY_WAYS,
};
static const struct cli_option queue_park_options[] = {
    {"where", 'w', "WHICH", "all with state=, destination= and reason=, separated by commas (default: state=queued)"},
    {"dry-run", 0, NULL, "with --where: only say how many there are"},
    QUEUE_REASON,
    RELAY_WAYS,
};
static const struct cli_option queue_order_options[] = {QUEUE_REASON, RELAY_WAYS};
static const struct cli_option queue_drop_options[] = {
    {"where", 'w', "WHICH", "all with state=, destination= and reason=, separated by commas (default: state=parked)"},
    {"dry-run", 0, NULL, "with --where: only say how many there are"},
    QUEUE_REASON,
    {"confirm", 0, "N", "the record's number, with --where how many match, for scripts; else it is asked for"},
    RELAY_WAYS,
};

#define CLI_QUEUE_LIST_ROW                                                                                   \
  .name = "queue", .verb = "list", .arguments = "", .summary = "what the relay holds, and in which state",   \
  .examples = "  ketlink queue list                              the first hundred records\n"                \
              "  ketlink queue list --state parked               what waits for a person\n"                  \
              "  ketlink queue list --json --destination ehr     as JSON\n",                                 \
  CLI_OPTIONS(queue_list_options)

#define CLI_QUEUE_SHOW_ROW                                                                                   \
  .name = "queue", .verb = "show", .arguments = "ID", .summary = "one record of the relay with its attempts", \
  .examples = "  ketlink queue show 17                  state, reason, attempts\n"                           \
              "  ketlink queue show 17 --payload        and what is sent\n",                                 \
  CLI_OPTIONS(queue_show_options), .min_arguments = 1, .max_arguments = 1

#define CLI_QUEUE_RETRY_ROW                                                                                  \
  .name = "queue", .verb = "retry", .arguments = "[ID…]", .summary = "send records again, now",              \
  .examples = "  ketlink queue retry 17 18\n"                                                                \
              "  ketlink queue retry --where destination=ehr,reason=http-422 --dry-run\n"                    \
              "  ketlink queue retry --where destination=ehr,reason=http-422\n",                             \
  CLI_OPTIONS(queue_retry_options), .max_arguments = SIZE_MAX

#define CLI_QUEUE_PARK_ROW                                                                                   \
  .name = "queue", .verb = "park", .arguments = "[ID…]", .summary = "set records aside; their patients' lanes wait", \
  .examples = "  ketlink queue park 17 --reason wrong-patient\n"                                             \
              "  ketlink queue park --where destination=ehr --dry-run\n"                                     \
              "  ketlink queue park --where destination=ehr --reason wrong-clinic\n",                        \
  CLI_OPTIONS(queue_park_options), .max_arguments = SIZE_MAX

#define CLI_QUEUE_PASS_ROW                                                                                   \
  .name = "queue", .verb = "pass", .arguments = "ID…",                                                       \
  .summary = "let the lanes of parked records go on without them",                                           \
  .examples = "  ketlink queue pass 17\n", CLI_OPTIONS(queue_order_options), .min_arguments = 1,           \
  .max_arguments = SIZE_MAX

#define CLI_QUEUE_DROP_ROW                                                                                   \
  .name = "queue", .verb = "drop", .arguments = "[ID]", .summary = "give records up: they are never delivered", \
  .examples = "  ketlink queue drop 17 --reason test-record                  asks for the number again\n"    \
              "  ketlink queue drop 17 --reason test-record --confirm=17     in scripts\n"                   \
              "  ketlink queue drop --where destination=old --dry-run        how many of them are parked\n"  \
              "  ketlink queue drop --where destination=old --reason gone    asks for how many they are\n",  \
  CLI_OPTIONS(queue_drop_options), .max_arguments = 1

#endif
