/* audit_row.h - private to cli: what the commands of `ketlink audit` look like, for the program that starts them and
 * the one that carries them out. */
#ifndef KETLINK_CLI_AUDIT_ROW_H
#define KETLINK_CLI_AUDIT_ROW_H

#include "cli/cli.h"
#include "cli/ways_row.h"

static const struct cli_option audit_list_options[] = {
    {"people", 'p', NULL, "only what somebody did or decided"},
    {"after", 0, "NUMBER", "only what came after this event"},
    {"limit", 'n', "N", "at most so many events are looked at, 1 to 1000 (default: 100)"},
    RELAY_WAYS,
};
static const struct cli_option audit_export_options[] = {
    {"after", 0, "NUMBER", "only what came after this event: the last one that was exported before"},
    RELAY_WAYS,
};
static const struct cli_option audit_shorten_options[] = {
    {"confirm", 0, "NUMBER", "the event's number, for scripts; else it is asked for"},
    RELAY_WAYS,
};

#define CLI_AUDIT_LIST_ROW                                                                                   \
  .name = "audit", .verb = "list", .arguments = "", .summary = "the relay's trail: what happened, who decided it", \
  .examples = "  ketlink audit list --people                     starts, stops, reloads, decisions\n"        \
              "  ketlink audit list --after 1200 --limit 1000    what came later\n"                          \
              "  ketlink audit list --json                       as JSON\n",                                 \
  CLI_OPTIONS(audit_list_options)

#define CLI_AUDIT_EXPORT_ROW                                                                                 \
  .name = "audit", .verb = "export", .arguments = "",                                                        \
  .summary = "all of the relay's trail as FHIR AuditEvents, one a line",                                     \
  .examples = "  ketlink audit export -o trail.ndjson               says which event is the last\n"          \
              "  ketlink audit export -o later.ndjson --after 1200\n"                                        \
              "\nThe chain is checked on the way. The file is made only when all of it was written.\n",      \
  CLI_OPTIONS(audit_export_options), .one_output = true

static const struct cli_option audit_check_options[] = {RELAY_WAYS};

#define CLI_AUDIT_CHECK_ROW                                                                                  \
  .name = "audit", .verb = "check", .arguments = "FILE…",                                                    \
  .summary = "whether exported events are as the store wrote them, and none is missing",                     \
  .examples = "  ketlink audit check trail.ndjson\n"                                                         \
              "  ketlink audit check 2026-*.ndjson     files in their order, one trail\n"                    \
              "\nThe relay is asked: it has the key of the chain, and must have the last event too, or be shortened to there.\n", \
  CLI_OPTIONS(audit_check_options), .min_arguments = 1, .max_arguments = SIZE_MAX

#define CLI_AUDIT_SHORTEN_ROW                                                                                \
  .name = "audit", .verb = "shorten", .arguments = "NUMBER",                                                 \
  .summary = "take out of the store what was exported of the trail",                                         \
  .examples = "  ketlink audit shorten 1200                     events up to 1200 go; asks for the number again\n" \
              "  ketlink audit shorten 1200 --confirm=1200      in scripts\n",                               \
  CLI_OPTIONS(audit_shorten_options), .min_arguments = 1, .max_arguments = 1

#endif
