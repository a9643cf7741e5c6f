/*
 * commands.c - the table of commands of the program `ketlink`, in the order of the pipeline. A new command is
 * one row here and one file beside it.
 */
#include "cli/cli.h"

const struct cli_command *const cli_commands[] = {
    &cli_export,
    &cli_report_session,
    &cli_send_elsewhere,
    &cli_relay_elsewhere,
    &cli_queue_list_elsewhere,
    &cli_queue_show_elsewhere,
    &cli_queue_retry_elsewhere,
    &cli_queue_park_elsewhere,
    &cli_queue_pass_elsewhere,
    &cli_queue_drop_elsewhere,
    &cli_audit_list_elsewhere,
    &cli_audit_export_elsewhere,
    &cli_audit_shorten_elsewhere,
    &cli_audit_check_elsewhere,
    &cli_keys_create_elsewhere,
    &cli_keys_list_elsewhere,
    &cli_keys_jwks_elsewhere,
    &cli_keys_rotate_elsewhere,
    &cli_keys_prune_elsewhere,
    &cli_keys_store_elsewhere,
    &cli_simulate_send_elsewhere,
    &cli_simulate_listen_elsewhere,
    &cli_check,
    &cli_validate,
    &cli_terms,
    &cli_map_check,
    &cli_map_run,
    &cli_map_test,
    &cli_map_cover,
    &cli_map_dump,
    &cli_map_convert,
    &cli_fhirpath,
    &cli_definitions_build,
    &cli_definitions_add,
    &cli_definitions_list,
    &cli_definitions_show,
    &cli_doctor_elsewhere,
};
const size_t cli_command_count = sizeof cli_commands / sizeof cli_commands[0];
const bool cli_later_is_memory = true;
