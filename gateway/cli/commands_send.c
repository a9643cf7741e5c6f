/*
 * commands_send.c - the table of the program `ketlink-send`, which `ketlink send` becomes.
 *
 * libcurl brings three dozen shared libraries. Loading them costs more than a whole export, so the program
 * that makes connections is a program of its own, and the one that reads records cannot make any.
 */
#include "cli/cli.h"

const struct cli_command *const cli_commands[] = {&cli_send, &cli_doctor_command};
const size_t cli_command_count = sizeof cli_commands / sizeof cli_commands[0];
const bool cli_later_is_memory = false;
