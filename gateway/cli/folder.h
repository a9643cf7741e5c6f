/*
 * folder.h - private to cli: an output folder that appears complete or not at all.
 *
 * Files are made in a new folder beside it, which only its owner can read, and that folder gets the name when
 * all of them are on disk. An empty folder of that name is replaced, and so is one that holds nothing but what
 * this command has made before, as it made it; any other is left alone: a clinic's own files may have such names.
 */
#ifndef KETLINK_CLI_FOLDER_H
#define KETLINK_CLI_FOLDER_H

#include "cli/cli.h"
#include "cli/guard.h"

/* Whether this command has made the file, and nobody has changed it since; it stands at its beginning. */
typedef bool (*cli_folder_ours)(const char *name, FILE *file);

struct cli_folder {
  struct str path;               /* as it will be named */
  char *temporary;               /* until then */
  int fd;                        /* of the temporary folder */
  struct cli_guard guard;        /* until it lands: a program that is ended leaves nothing behind */
  cli_folder_ours ours;          /* whether a file that stands there may be replaced */
};

/* Says on stderr what is wrong. IO, NOMEM. Before other threads are made; `out` stays where it is until it is dropped. */
enum status cli_folder_begin(struct cli *cli, const char *path, cli_folder_ours ours, struct cli_folder *out) MUST_USE;
/* A new file, mode 0600, open for reading and writing; NULL when it cannot be made. */
FILE *cli_folder_file(const struct cli_folder *folder, const char *name) MUST_USE;
/* Gives the folder its name. Its files are closed, and were synced by who wrote them. */
enum status cli_folder_land(struct cli_folder *folder) MUST_USE;
/* Says why a file of it cannot be written, by errno; IO. */
enum status cli_folder_failed(const struct cli_folder *folder) MUST_USE;
/* Removes what was made; nothing after cli_folder_land. */
void cli_folder_drop(struct cli_folder *folder);

#endif
