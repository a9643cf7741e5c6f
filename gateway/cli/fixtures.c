/* fixtures.c - finds the fixtures that map test and map cover run. */
#include "cli/fixtures.h"
#include <unistd.h>

enum { FIXTURE_DEPTH = 8 };
static const char *const record_files[] = {"record.json", "message.hl7"};
enum { RECORD_FILES = sizeof record_files / sizeof record_files[0] };

bool cli_fixture_has(const struct cli *cli, const char *folder, const char *name) {
  struct str path = arena_printf(cli->arena, "%s/%s", folder, name);
  return path.ptr && access(path.ptr, F_OK) == 0; /* one that cannot be read is none that is left out */
}

static enum status add(struct cli *cli, const char *folder, const char *file, struct cli_fixtures *out) {
  struct cli_fixture *fixture = ARENA_NEW(cli->arena, struct cli_fixture);
  struct str name = arena_str(cli->arena, str_of(folder));
  if (!fixture || !name.ptr) return STATUS_NOMEM;
  fixture->folder = name.ptr;
  fixture->file = file;
  *out->end = fixture;
  out->end = &fixture->next;
  out->count++;
  return STATUS_OK;
}

static enum status find(struct cli *cli, const char *folder, unsigned depth, struct cli_fixtures *out) {
  struct str *names = NULL;
  size_t count = 0;
  for (size_t i = 0; i < RECORD_FILES; i++)
    if (cli_fixture_has(cli, folder, record_files[i])) return add(cli, folder, record_files[i], out);
  if (depth >= FIXTURE_DEPTH) return STATUS_OK;
  enum status status = cli->host->list_folders(cli->host->context, folder, cli->arena, &names, &count);
  for (size_t i = 0; i < count && status == STATUS_OK; i++) {
    struct str path = arena_printf(cli->arena, "%s/%.*s", folder, STR_ARG(names[i]));
    status = path.ptr ? find(cli, path.ptr, depth + 1, out) : STATUS_NOMEM;
  }
  return status;
}

/* A fixture's record names its folder. */
static const char *folder_of(const struct cli *cli, const char *path) {
  struct str name = str_of(path);
  for (size_t i = 0; i < RECORD_FILES; i++) {
    struct str tail = str_of(record_files[i]);
    if (name.len <= tail.len || !str_ends(name, tail) || name.ptr[name.len - tail.len - 1] != '/') continue;
    struct str folder = arena_str(cli->arena, str_slice(name, 0, name.len - tail.len - 1));
    return folder.ptr ? folder.ptr : path;
  }
  return path;
}

static void tell_none(const struct cli *cli, const char *path) {
  if (access(path, F_OK) != 0)
    fprintf(stderr, "ketlink map %s: %s: no such file or folder\n", cli->command->verb, path);
  else
    fprintf(stderr, "ketlink map %s: no fixture in %s: a fixture is a folder with a record.json or a message.hl7\n", cli->command->verb, path);
}

enum status cli_fixtures_find(struct cli *cli, struct str mappings, struct cli_fixtures *out) {
  enum status status = STATUS_OK;
  out->end = &out->first;
  for (size_t i = 0; i < cli->argument_count && status == STATUS_OK; i++) {
    size_t before = out->count;
    status = find(cli, folder_of(cli, cli->arguments[i]), 0, out);
    if (status == STATUS_OK && out->count == before) status = STATUS_NOT_FOUND;
    if (status != STATUS_OK) tell_none(cli, cli->arguments[i]);
  }
  if (cli->argument_count) return status;
  struct str beside = arena_printf(cli->arena, "%.*s/../fixtures", STR_ARG(mappings));
  if (!beside.ptr) return STATUS_NOMEM;
  return find(cli, access("fixtures", R_OK) == 0 ? "fixtures" : beside.ptr, 0, out);
}

enum status cli_fixture_read(const struct cli *cli, const struct cli_fixture *fixture, const char *name,
                             struct arena *arena, struct source *out) {
  struct str path = arena_printf(arena, "%s/%s", fixture->folder, name), text;
  if (!path.ptr) return STATUS_NOMEM;
  enum status status = cli->host->read_file(cli->host->context, path.ptr, LIMIT_TEXT_BYTES, arena, &text);
  if (status == STATUS_OK) *out = source_make(path, text);
  return status;
}
