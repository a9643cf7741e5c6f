/*
 * doctor.h - private to cli: what `ketlink doctor` looks at, one line a check.
 *
 * A check is a row of a table (doctor_local.c, doctor_server.c, doctor_match.c) and a function that fills one
 * line; the relay of this machine is asked once (doctor_relay.c). Lines that fail say what to do about it. Only a failed line makes the exit status; a warning does
 * not.
 */
#ifndef KETLINK_CLI_DOCTOR_H
#define KETLINK_CLI_DOCTOR_H

#include "base/destination.h"
#include "bundle/bundle.h"
#include "cli/cli.h"
#include "delivery/delivery.h"

enum cli_doctor_mark { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_FAILED, DOCTOR_SKIPPED };

struct cli_doctor_line {
  const char *check;
  enum cli_doctor_mark mark;
  struct str detail;
  struct str fix;     /* empty when there is nothing to do */
  enum status status; /* of a failed line: what the shell is told */
};

/* --- a destination file against a CapabilityStatement (doctor_match.c) ---------------------------------- */

struct cli_doctor_match {
  const json_t *destination; /* the keys of the file, laid over its preset's */
  const struct delivery_capability *capability;
  const struct str *types; /* resource types that the clinic's maps create */
  size_t type_count;
  struct arena *arena;
};
enum { DOCTOR_MATCH_LINES = 10 };
/* Pure; fills all the lines. */
void cli_doctor_match(const struct cli_doctor_match *match, struct cli_doctor_line lines[DOCTOR_MATCH_LINES]);

/* --- what the relay says of its store (doctor_relay.c) --------------------------------------------------- */

enum {
  DOCTOR_STORE_LINES = 6, /* and one for each destination */
  /* Above these a line is a warning. */
  DOCTOR_EVENTS_MAX = 1000000,
  DOCTOR_PLACES_MAX = 50000000,
  DOCTOR_FINISHED_MAX = 1000000,
  DOCTOR_OPEN_SECONDS_MAX = 3 * 24 * 3600, /* a weekend */
  DOCTOR_AHEAD_SECONDS_MAX = 7 * 24 * 3600 /* what the relay does not believe at its start */
};
/* Pure; fills all the lines of the answer of GET /store. */
void cli_doctor_store(const json_t *store, struct arena *arena, struct cli_doctor_line lines[DOCTOR_STORE_LINES]);
/* Pure; the line of one of its destinations. */
struct cli_doctor_line cli_doctor_sender(const json_t *destination, struct arena *arena);

/* --- the whole -------------------------------------------------------------------------------------------
 */

struct relay_config;

struct cli_doctor {
  struct cli *cli;
  const char *name;   /* of the destination; NULL: this side only */
  const struct relay_config *relay;   /* of this machine; NULL: there is none that can be read */
  const char *mappings, *definitions; /* as asked for, or as the relay has them; NULL: the usual ones */
  struct str path;    /* of its file */
  struct config file; /* its keys; object NULL until read */
  struct delivery_destination destination;
  struct pipeline_policy policy;
  struct pipeline *pipeline;
  struct delivery_client *client;
  struct delivery_probe probe;
  struct delivery_capability capability;
  const char *capability_fault; /* why there is none, or NULL */
  bool described;               /* capability was read */
  bool no_credential;           /* it is there, but cannot be used */
  enum status worst;            /* of the first failed line */
  size_t warnings, failures, skipped;
};

enum cli_doctor_when { DOCTOR_ALWAYS, DOCTOR_WITH_DESTINATION, DOCTOR_WITHOUT };
/* False: what comes after this row cannot be checked. */
struct cli_doctor_check {
  const char *name;
  enum cli_doctor_when when;
  bool (*run)(struct cli_doctor *doctor, struct cli_doctor_line *line);
};
extern const struct cli_doctor_check cli_doctor_local[], cli_doctor_server[], cli_doctor_receiver[];
extern const size_t cli_doctor_local_count, cli_doctor_server_count, cli_doctor_receiver_count;

/* The relay's configuration, where there is one, and from it what was not asked for otherwise. Its faults are the relay's line. */
void cli_doctor_read_relay(struct cli_doctor *doctor);
/* Whether there is a relay and it runs; what it says of its store, which the caller frees, or NULL. */
json_t *cli_doctor_ask_relay(struct cli_doctor *doctor, struct cli_doctor_line *line);

/* Sets the line; the functions return what a check returns: whether to go on. */
bool cli_doctor_ok(struct cli_doctor *doctor, struct cli_doctor_line *line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool cli_doctor_warn(struct cli_doctor *doctor, struct cli_doctor_line *line, const char *fix,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));
bool cli_doctor_fail(struct cli_doctor *doctor, struct cli_doctor_line *line, enum status status,
                     const char *fix, const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Fails with the first of these findings; all of them go to stderr. */
bool cli_doctor_fail_with(struct cli_doctor *doctor, struct cli_doctor_line *line, enum status status,
                          const char *fix, const struct diag_list *diags);

#endif
