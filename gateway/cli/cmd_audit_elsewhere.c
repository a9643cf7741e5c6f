/* cmd_audit_elsewhere.c - the rows of `ketlink audit` in the program that hands them to its sibling. */
#include "cli/audit_row.h"

const struct cli_command cli_audit_list_elsewhere = {CLI_AUDIT_LIST_ROW, .program = "ketlink-relay"};
const struct cli_command cli_audit_export_elsewhere = {CLI_AUDIT_EXPORT_ROW, .program = "ketlink-relay"};
const struct cli_command cli_audit_check_elsewhere = {CLI_AUDIT_CHECK_ROW, .program = "ketlink-relay"};
const struct cli_command cli_audit_shorten_elsewhere = {CLI_AUDIT_SHORTEN_ROW, .program = "ketlink-relay"};
