/* check.h - private to cli: all inputs through the validator, by several threads, reported in their order. */
#ifndef KETLINK_CLI_CHECK_H
#define KETLINK_CLI_CHECK_H

#include "cli/inputs.h"
#include "cli/report.h"

enum { CLI_JOBS_MAX = 64 };

struct cli_check {
  struct cli *cli;
  const struct pipeline *pipeline;
  const struct cli_report_format *format;
  const struct cli_inputs *inputs;
  const char *const *profiles;
  size_t profile_count;
  size_t jobs; /* threads, 1 to CLI_JOBS_MAX */
};

/* Prints the report. Each thread holds one record and its findings; what is done before its turn waits, a few
 * records a thread. The output does not depend on `jobs`. Statuses are of the environment: what is bad stands
 * in the totals. */
enum status cli_check_run(const struct cli_check *check, struct cli_totals *totals) MUST_USE;

#endif
