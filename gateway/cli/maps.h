/* maps.h - the map that a command line names: a file, or the URL or name of a map of the folder. */
#ifndef KETLINK_CLI_MAPS_H
#define KETLINK_CLI_MAPS_H

#include "cli/cli.h"

struct cli_map {
  struct pipeline *pipeline;
  struct mapping_set *set;
  const struct mapping_map *map;
};
/* Loads the folder's maps, and the file beside them when it is none of theirs. 0, or the exit status with
   everything told. */
int cli_map_open(struct cli *cli, const char *name, struct cli_map *out);
void cli_map_close(struct cli_map *map);

#endif
