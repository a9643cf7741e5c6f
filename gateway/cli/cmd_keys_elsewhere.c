/* cmd_keys_elsewhere.c - the rows of `ketlink keys` in the program that hands them to its sibling. */
#include "cli/keys_row.h"

const struct cli_command cli_keys_create_elsewhere = {CLI_KEYS_CREATE_ROW, .program = "ketlink-relay"};
const struct cli_command cli_keys_list_elsewhere = {CLI_KEYS_LIST_ROW, .program = "ketlink-relay"};
const struct cli_command cli_keys_jwks_elsewhere = {CLI_KEYS_JWKS_ROW, .program = "ketlink-relay"};
const struct cli_command cli_keys_rotate_elsewhere = {CLI_KEYS_ROTATE_ROW, .program = "ketlink-relay"};
const struct cli_command cli_keys_prune_elsewhere = {CLI_KEYS_PRUNE_ROW, .program = "ketlink-relay"};
const struct cli_command cli_keys_store_elsewhere = {CLI_KEYS_STORE_ROW, .program = "ketlink-relay"};
