/* inputs.h - private to cli: files and folders as they were named -> the files to read. */
#ifndef KETLINK_CLI_INPUTS_H
#define KETLINK_CLI_INPUTS_H

#include "cli/cli.h"

struct cli_inputs {
  const char **paths; /* in the order of the arguments; those of a folder sorted by bytes */
  size_t count;
  bool folders;     /* one of the arguments is a folder */
  size_t max_depth; /* of folders in a folder; 0: LIMIT_FOLDER_DEPTH */
  const struct pipeline *pipeline; /* whose sets of CSV files are inputs as they stand; NULL: none are */
  size_t max_files; /* from folders; 0: LIMIT_FOLDER_FILES */
};

/* A folder that is a set of CSV files is one input. Any other stands for every .json, .ndjson and .xml file in it and in its folders. Links and hidden ones are
 * left out, so that the walk ends and stays inside. Anything else stays as it is. A folder without such a
 * file, one that cannot be read or that has more than the caps allow is an error; the others are found all
 * the same, and the first trouble is the status. */
enum status cli_inputs_find(const struct host *host, const char *const *arguments, size_t count,
                            struct arena *arena, struct diag_list *diags, struct cli_inputs *out) MUST_USE;

#endif
