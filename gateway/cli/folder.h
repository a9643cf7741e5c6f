/*
 * folder.h - private to cli: an output folder that appears complete or not at all.
 *
 * Files are made in a new folder beside it, which only its owner can read, and that folder gets the name when
 * all of them are on disk. An empty folder of that name is replaced, and so is one that holds nothing but what
 * this command may have made before; any other is left alone.
 */
#ifndef KETLINK_CLI_FOLDER_H
#define KETLINK_CLI_FOLDER_H

#include "cli/cli.h"

struct cli_folder {
  struct str path;               /* as it will be named */
  char *temporary;               /* until then */
  int fd;                        /* of the temporary folder */
  bool (*ours)(const char *name); /* whether a file that stands there may be replaced */
};

/* Says on stderr what is wrong. IO, NOMEM. */
enum status cli_folder_begin(struct cli *cli, const char *path, bool (*ours)(const char *name),
                             struct cli_folder *out) MUST_USE;
/* A new file, mode 0600, open for reading and writing; NULL when it cannot be made. */
FILE *cli_folder_file(const struct cli_folder *folder, const char *name) MUST_USE;
/* Gives the folder its name. Its files are closed, and were synced by who wrote them. */
enum status cli_folder_land(struct cli_folder *folder) MUST_USE;
/* Removes what was made; nothing after cli_folder_land. */
void cli_folder_drop(struct cli_folder *folder);

#endif
