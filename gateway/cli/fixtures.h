/* fixtures.h - the fixtures a command line names: folders with a record.json or a message.hl7. */
#ifndef KETLINK_CLI_FIXTURES_H
#define KETLINK_CLI_FIXTURES_H

#include "cli/cli.h"

struct cli_fixture {
  struct cli_fixture *next;
  const char *folder;
  const char *file; /* of the record in it */
  bool failed;
  struct str report; /* differences, for JUnit */
};
struct cli_fixtures {
  struct cli_fixture *first, **end;
  size_t count;
};
/* The folders of the arguments and below; without arguments ./fixtures, else the folder beside the mappings.
 */
enum status cli_fixtures_find(struct cli *cli, struct str mappings, struct cli_fixtures *out) MUST_USE;
/* The fixture's file of that name as a source; its name is the path. */
enum status cli_fixture_read(const struct cli *cli, const struct cli_fixture *fixture, const char *name,
                             struct arena *arena, struct source *out) MUST_USE;
bool cli_fixture_has(const struct cli *cli, const char *folder, const char *name);

#endif
