/*
 * crew.h - private to cli: all records of a command line, by several threads, their output in the order of
 * the input.
 *
 * Threads take the next record from one cursor, work in an arena of their own, and lay what they made in a
 * slot; whoever fills the slot whose turn it is prints it and those that follow. Memory does not depend on
 * the number of records: a thread holds one record and a few slots that wait for their turn. What is printed
 * does not depend on the number of threads.
 */
#ifndef KETLINK_CLI_CREW_H
#define KETLINK_CLI_CREW_H

#include "cli/records.h"

enum { CLI_JOBS_MAX = 64 };

/* One record, or one argument that could not be opened. */
struct cli_item {
  size_t number;                     /* from 0, in the order of the input */
  enum status status;                /* of opening the argument; when not OK there is no record */
  const struct cli_records *records; /* NULL: there was no memory to say more */
  struct intake_input input;         /* stands before the record */
};

struct cli_crew {
  struct cli *cli;
  const char *const *paths;
  size_t path_count;
  size_t jobs;          /* threads, 1 to CLI_JOBS_MAX */
  const char *progress; /* its word; NULL: none is shown */
  void *context;
  /* A slot is the command's own struct: it begins with so many struct buf. Before each item they are empty,
   * with a cap of LIMIT_TEXT_BYTES, and the rest is zero. */
  size_t slot_bytes, slot_bufs;
  /* From any thread, several at once: the item to a slot. The arena is empty. */
  void (*work)(void *context, struct cli_item *item, struct arena *arena, void *slot);
  /* One at a time, in the order of the input: prints a slot. Anything but
   * OK ends the run. */
  enum status (*print)(void *context, void *slot);
};

/* OK when all items were printed; else what print said, or NOMEM. */
enum status cli_crew_run(const struct cli_crew *crew) MUST_USE;
/* Of the option --jobs: 1 without it, one a processor with 0. An exit status. */
int cli_crew_jobs(const struct cli *cli, size_t *out);

#endif
