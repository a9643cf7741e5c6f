/* commands_relay.c - the table of the program `ketlink-relay`: the daemon, what speaks with it, and its keys. */
#include "cli/cli.h"

const struct cli_command *const cli_commands[] = {
    &cli_relay_command, &cli_queue_list,    &cli_queue_show,      &cli_queue_retry, &cli_queue_park,
    &cli_queue_pass,    &cli_queue_drop,    &cli_audit_list,      &cli_audit_export, &cli_audit_shorten,
    &cli_audit_check,
    &cli_keys_create,   &cli_keys_list,     &cli_keys_jwks,       &cli_keys_rotate, &cli_keys_prune,
    &cli_keys_store,    &cli_simulate_send, &cli_simulate_listen,
};
const size_t cli_command_count = sizeof cli_commands / sizeof cli_commands[0];
const bool cli_later_is_memory = false;
