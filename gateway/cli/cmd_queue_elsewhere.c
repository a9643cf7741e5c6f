/* cmd_queue_elsewhere.c - the rows of `ketlink queue` in the program that hands them to its sibling. */
#include "cli/queue_row.h"

const struct cli_command cli_queue_list_elsewhere = {CLI_QUEUE_LIST_ROW, .program = "ketlink-relay"};
const struct cli_command cli_queue_show_elsewhere = {CLI_QUEUE_SHOW_ROW, .program = "ketlink-relay"};
const struct cli_command cli_queue_retry_elsewhere = {CLI_QUEUE_RETRY_ROW, .program = "ketlink-relay"};
const struct cli_command cli_queue_park_elsewhere = {CLI_QUEUE_PARK_ROW, .program = "ketlink-relay"};
const struct cli_command cli_queue_pass_elsewhere = {CLI_QUEUE_PASS_ROW, .program = "ketlink-relay"};
const struct cli_command cli_queue_drop_elsewhere = {CLI_QUEUE_DROP_ROW, .program = "ketlink-relay"};
