/* checklist.h - private to cli: the checklist of a record as people read it, and as JSON. */
#ifndef KETLINK_CLI_CHECKLIST_H
#define KETLINK_CLI_CHECKLIST_H

#include "cli/cli.h"
#include "pipeline/pipeline.h"

struct cli_checklist {
  struct str name; /* as people are told: path, or path:line */
  const char *path;
  uint32_t line; /* of the record in its file */
  const struct pipeline_checklist *list;
  const struct diag_list *diags; /* with the findings of the rules */
};
/* A table, group by group: mark, key, words, and where it does not hold. */
void cli_checklist_text(const struct cli_checklist *checklist, struct buf *out);
/* One object in one line. */
void cli_checklist_json(const struct cli_checklist *checklist, struct buf *out);
/* What of the findings is not about a rule of care; false: no memory. */
bool cli_checklist_others(const struct cli_checklist *checklist, struct arena *arena, struct diag_list *out);

#endif
