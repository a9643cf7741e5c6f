/* report.h - private to cli: what `ketlink validate` found, in the formats it knows. */
#ifndef KETLINK_CLI_REPORT_H
#define KETLINK_CLI_REPORT_H

#include "cli/cli.h"

/* One input: a file, or a line of one with a record a line. */
struct cli_report {
  struct str name;  /* as people are told: path, or path:line; cleaned */
  const char *path; /* as it was named */
  size_t number;    /* from 1, in the order of the inputs */
  bool only;        /* the one input of this call: its name need not be said */
  bool line;        /* one of many records */
  bool unreadable;  /* it could not be read at all */
  const struct diag_list *diags;
};

struct cli_totals {
  size_t inputs;
  size_t failed;     /* with errors */
  size_t unreadable; /* of these */
  size_t by_severity[4];
};

/* Pure, from any thread: an input to text. A spooled format begins with the totals, so that what inputs gave
 * is kept until all are done: head, index of all inputs, middle, bodies of all inputs, tail. */
struct cli_report_format {
  const char *name;
  bool spooled;
  void (*input)(const struct cli_report *report, struct buf *body, struct buf *index);
  void (*head)(const struct cli_totals *totals,
               struct buf *out); /* of spooled formats; these three may be NULL */
  const char *middle, *tail;
};
extern const struct cli_report_format cli_report_html;

/* NULL: there is none of this name. */
const struct cli_report_format *cli_report_format_find(const char *name);
/* The text with what markup means escaped; what XML cannot say is left out. */
void cli_report_escape(struct buf *out, struct str text);

#endif
