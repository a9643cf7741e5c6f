/*
 * records.h - private to cli: one argument of a command line, opened as records. A file is read, or mapped
 * when it is large and has a record a line (shrunk.h); "-" is stdin. A folder is a set of CSV files.
 *
 * The cursor is `input`: intake_next reads the record it stands before, intake_skip passes over it, and a copy
 * of it reads the same record again for as long as the argument is open.
 */
#ifndef KETLINK_CLI_RECORDS_H
#define KETLINK_CLI_RECORDS_H

#include "cli/cli.h"

struct cli_records {
  const char *path; /* as it was named */
  struct intake_input input;
  bool many;              /* several records may come of it: one a line */
  struct diag_list diags; /* why it could not be opened */
  /* private */
  struct arena *arena;
  struct str text;
  struct intake_set *set; /* a folder of tables */
  struct intake_input passed; /* of a set: what lies before takes no memory any more */
  bool mapped;
  size_t forgotten; /* bytes of the mapping that take no memory any more */
};

/* On failure `diags` says why, unless there was no memory even for that. cli_records_close in either case. */
enum status cli_records_open(struct cli *cli, const char *path, struct cli_records *out) MUST_USE;
/* Gives back the memory of what lies behind the cursor. Copies of the cursor that stand there still read. */
void cli_records_forget(struct cli_records *records);
void cli_records_close(struct cli_records *records);
/* How much of it lies behind the cursor: 0 to 1. */
double cli_records_share(const struct cli_records *records);

#endif
