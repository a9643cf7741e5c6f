/* newest.h - of all records of a call the highest revision of each: an older one that stands behind it would undo a correction. */
#ifndef KETLINK_CLI_NEWEST_H
#define KETLINK_CLI_NEWEST_H

#include "base/map.h"
#include "pipeline/pipeline.h"

struct cli_newest {
  struct arena *arena; /* NULL: not open */
  struct map revisions; /* by clinic and id */
};

/* NOMEM: it is not open. */
enum status cli_newest_open(struct cli_newest *newest) MUST_USE;
void cli_newest_close(struct cli_newest *newest);

/* What a record is a revision of; empty: of nothing. In the arena. */
struct str cli_newest_subject(const struct pipeline *pipeline, const struct intake_record *record, struct arena *arena,
                              int64_t *revision);
/* Whether a higher one came before; if not, it is remembered. */
enum status cli_newest_ask(struct cli_newest *newest, struct str subject, int64_t revision, bool *older) MUST_USE;

#endif
