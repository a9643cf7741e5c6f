/* check.h - private to cli: all inputs through the validator, by several threads, reported in their order. */
#ifndef KETLINK_CLI_CHECK_H
#define KETLINK_CLI_CHECK_H

#include "cli/crew.h"
#include "cli/inputs.h"
#include "cli/report.h"

struct cli_check {
  struct cli *cli;
  const struct pipeline *pipeline;
  const struct cli_report_format *format;
  const struct cli_inputs *inputs;
  const char *const *profiles;
  size_t profile_count;
  size_t jobs; /* threads, 1 to CLI_JOBS_MAX */
};

/* Prints the report, which does not depend on `jobs`. Statuses are of the environment: what is bad stands
 * in the totals. */
enum status cli_check_run(const struct cli_check *check, struct cli_totals *totals) MUST_USE;

#endif
