/*
 * json.h - private to cli: members of a JSON answer, and JSON for programs.
 *
 * A member that is not there, or is of another kind, reads as 0 or empty: who asks for it by name decides what that means.
 */
#ifndef KETLINK_CLI_JSON_H
#define KETLINK_CLI_JSON_H

#include <jansson.h>
#include "cli/cli.h"

long long cli_json_number(const json_t *object, const char *key);
/* "" when there is none. Not cleaned: not for a terminal. */
const char *cli_json_text(const json_t *object, const char *key);
/* The same for a terminal: cleaned, "-" when there is none. In the command's arena; ends in NUL. */
struct str cli_json_shown(struct cli *cli, const json_t *object, const char *key);
/* "2026-11-26T20:17:03.123Z" to the second, cleaned; "-" when there is none. */
struct str cli_json_second(const json_t *object, const char *key, struct arena *arena);

/* A line, or over several lines to be read. Takes `value`, which may be NULL: nothing. */
void cli_json_print_line(struct cli *cli, json_t *value);
void cli_json_print(struct cli *cli, json_t *value);

#endif
