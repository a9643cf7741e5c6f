/* cli_map_diff.h - element-level difference of two trees, with the record's position and the rule of each
 * value.
 */
#ifndef KETLINK_CLI_MAP_DIFF_H
#define KETLINK_CLI_MAP_DIFF_H

#include "cli/cli.h"

struct cli_map_diff {
  struct arena *arena;
  struct buf *out;
  const struct source *record; /* the record's text */
  size_t max;                  /* lines written at most */
  size_t count;                /* differences found */
  /* who wrote a target node; open addressing, by address */
  struct cli_map_diff_write *writes;
  size_t write_count, write_room;
};

void cli_map_diff_init(struct cli_map_diff *diff, struct arena *arena);
/* Remembers the rule of a write. */
void cli_map_diff_note(struct cli_map_diff *diff, const struct mapping_trace *trace);
/* Both bound, so that `_x` stands in x; one line a difference. Their number. */
size_t cli_map_diff(struct cli_map_diff *diff, const struct tree_node *want, const struct tree_node *got);

#endif
