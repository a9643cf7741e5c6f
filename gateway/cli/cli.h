/*
 * cli.h - the command line: one table of commands, options as data, help made from both.
 *
 * A command is a row: its options, examples and a function that gets the parsed line. Data goes to stdout or
 * -o, messages to stderr. Secrets never stand in options. Every command takes -h, --json, -q, -o,
 * --definitions and --mappings.
 */
#ifndef KETLINK_CLI_CLI_H
#define KETLINK_CLI_CLI_H

#include <stdio.h>
#include "base/base.h"
#include "base/destination.h"
#include "pipeline/pipeline.h"

/* Exit statuses (sysexits where they fit). */
enum cli_exit {
  CLI_DONE = 0,
  CLI_FINDINGS = 1,     /* findings, or some not delivered */
  CLI_USAGE = 2,        /* wrong usage */
  CLI_DATA = 65,        /* bad data */
  CLI_UNAVAILABLE = 69, /* server unavailable */
  CLI_IO = 74,          /* input or output failed */
  CLI_TRY_LATER = 75,   /* passing fault */
  CLI_PERMISSION = 77,  /* not permitted */
  CLI_CONFIG = 78       /* configuration */
};

struct cli_option {
  const char *name;     /* "profile" for --profile */
  char letter;          /* 0: none */
  const char *argument; /* "URL"; NULL for a flag */
  const char *help;
};

struct cli;

struct cli_command {
  const char *name;      /* "map check" are two words: name "map", verb "check" */
  const char *verb;      /* NULL for commands of one word */
  const char *arguments; /* "INPUT…" */
  const char *summary;   /* one line */
  const char *examples;  /* lines; shown first by -h */
  const struct cli_option *options;
  size_t option_count;
  size_t min_arguments, max_arguments;
  bool public_output;  /* -o makes a file that others may read: it holds no patients' data */
  bool (*into_folder)(const struct cli *cli); /* -o names a folder that the command makes; NULL: never */
  bool one_output;     /* -o makes its file only when all went well: there are no parts of it */
  const char *program; /* NULL, or the sibling program that carries the command out (then run is NULL) */
  int (*run)(struct cli *cli);
};
/* Of a row of commands. */
#define CLI_OPTIONS(list) .options = list, .option_count = sizeof list / sizeof list[0]

enum { CLI_VALUES_MAX = 256 };

struct cli_value {
  const char *name, *value;
};

/* One command line, parsed. */
struct cli {
  const struct cli_command *command;
  const struct host *host;
  struct arena *arena;    /* of the command; records have their own */
  struct diag_list diags; /* of the command */
  const char *const *arguments;
  size_t argument_count;
  struct cli_value values[CLI_VALUES_MAX];
  size_t value_count;
  bool json, quiet;
  const struct pipeline *pipeline; /* that cli_pipeline has opened; NULL: none */
  FILE *out;      /* stdout, or the temporary file of -o */
  char *out_path; /* -o, or NULL */
  char *out_temporary;
  bool out_unnamed; /* the file has no name yet, not even a temporary one */
  int out_error; /* errno of the first write that failed, 0: none */
};

/* Value of an option given last, or NULL; "" for a flag that was given. */
const char *cli_value(const struct cli *cli, const char *name);
static inline bool cli_flag(const struct cli *cli, const char *name) {
  return cli_value(cli, name) != NULL;
}
/* The index-th value of a repeatable option, or NULL. */
const char *cli_value_at(const struct cli *cli, const char *name, size_t index);

/* Message with a hint to -h on stderr; returns CLI_USAGE. */
int cli_usage(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Message on stderr unless -q. */
void cli_note(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Bytes to the output. */
void cli_print(struct cli *cli, struct str text);
void cli_printf(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Findings to stderr, one line each (JSON array with --json); with -q only errors. */
void cli_report(const struct cli *cli, const struct diag_list *diags);
/* The same to a text, for who prints it when its turn comes. */
void cli_render(const struct cli *cli, const struct diag_list *diags, struct buf *out);
/* Of the option --fail-on: the least severity that is a finding for the exit status; above DIAG_FATAL: none. */
int cli_fail_on(const struct cli *cli, enum diag_severity *out);
/* Whether an argument names a folder; "-", which is stdin, does not. */
bool cli_is_folder(const char *path);
/* Whether a file could not be read: that is no finding in one. */
bool cli_has_unreadable(const struct diag_list *diags);
/* What the shell is told for a status. */
int cli_exit_of(enum status status);
/* PIPELINE_MAPS_… that the records of the arguments need, told by their first bytes as intake_open does; of what cannot be looked
 * into twice (stdin, a pipe) all that come into question. */
unsigned cli_maps_of_inputs(const struct cli *cli);
/* Opens the pipeline by --definitions and --mappings, with PIPELINE_MAPS_… or 0; on failure reports why and returns the exit status,
 * else 0. */
int cli_pipeline(struct cli *cli, unsigned maps, struct pipeline **out);
int cli_pipeline_open(struct cli *cli, const struct pipeline_params *params, struct pipeline **out);
/* The same with maps, for a destination: "hospital" is mappings/destinations/hospital.json, a name with a
 * slash or .json is a file. Loads the packages that its policy names, unless nothing is to be validated;
 * *path is its file. */
int cli_pipeline_for(struct cli *cli, const char *destination, bool validate, struct pipeline **out,
                     struct str *path, struct pipeline_policy *policy);
/* The file of a destination by that rule; CONFIG with a finding that says what there is. */
/* `mappings`: the folder, NULL: the usual one. */
enum status cli_find_destination_in(struct cli *cli, const char *mappings, const char *name, struct str *path,
                                    struct diag_list *diags) MUST_USE;
enum status cli_find_destination(struct cli *cli, const char *name, struct str *path,
                                 struct diag_list *diags) MUST_USE;
/* How what goes to a destination travels, by its file. CONFIG with a finding. */
enum status cli_protocol_of(struct cli *cli, const char *path, enum destination_protocol *out) MUST_USE;
/* Whole input file, "-" is stdin. On failure a diagnostic in `diags`. */
enum status cli_read(struct cli *cli, const char *path, struct arena *arena, struct diag_list *diags,
                     struct str *out) MUST_USE;
/* The work on a record ended with NOMEM: what `arena` got since `mark` is given back, and `diags` say so in place of all else, for they
   may be in it. INVALID when the record takes more than the arena may have: sending it again would end the same. Line 0: not known. */
enum status cli_no_memory(const char *path, uint32_t line, struct arena *arena, struct arena_mark mark,
                          struct diag_list *diags) MUST_USE;
/* Waits until nobody else of us reads a file of this folder to write it anew: of two that do so at once one would be lost. -1: the
   file system has no locks, or there is no such folder. */
int cli_lock_folder_of(const char *path);
void cli_unlock(int lock);
/* Progress on a terminal: overwrites its line, silent elsewhere and with -q. done == total ends it. */
void cli_progress(const struct cli *cli, const char *what, size_t done, size_t total);

/* The table of commands of the program: commands.c, commands_send.c. */
extern const struct cli_command *const cli_commands[];
extern const size_t cli_command_count;
/* In this program nothing but want of memory ends with CLI_TRY_LATER: it is told for all commands in one place. */
extern const bool cli_later_is_memory;

/* One row a file: cmd_NAME.c */
extern const struct cli_command cli_doctor_command, cli_doctor_elsewhere;
extern const struct cli_command cli_export, cli_report_session, cli_send, cli_send_elsewhere, cli_relay_command, cli_relay_elsewhere, cli_validate, cli_check,
    cli_fhirpath;
extern const struct cli_command cli_simulate_send, cli_simulate_listen, cli_simulate_send_elsewhere, cli_simulate_listen_elsewhere;
extern const struct cli_command cli_terms;
extern const struct cli_command cli_queue_list, cli_queue_show, cli_queue_retry, cli_queue_park, cli_queue_pass,
    cli_queue_drop;
extern const struct cli_command cli_queue_list_elsewhere, cli_queue_show_elsewhere, cli_queue_retry_elsewhere,
    cli_queue_park_elsewhere, cli_queue_pass_elsewhere, cli_queue_drop_elsewhere;
extern const struct cli_command cli_audit_list, cli_audit_export, cli_audit_shorten, cli_audit_list_elsewhere,
    cli_audit_export_elsewhere, cli_audit_shorten_elsewhere, cli_audit_check, cli_audit_check_elsewhere;
extern const struct cli_command cli_keys_create, cli_keys_list, cli_keys_jwks, cli_keys_rotate, cli_keys_prune,
    cli_keys_store;
extern const struct cli_command cli_keys_create_elsewhere, cli_keys_list_elsewhere, cli_keys_jwks_elsewhere,
    cli_keys_rotate_elsewhere, cli_keys_prune_elsewhere, cli_keys_store_elsewhere;
extern const struct cli_command cli_map_check, cli_map_run, cli_map_test, cli_map_cover, cli_map_dump,
    cli_map_convert;
extern const struct cli_command cli_definitions_build, cli_definitions_add, cli_definitions_list,
    cli_definitions_show;

#endif
