/* inputs.c - files and folders as they were named -> the files to read. */
#include <stdlib.h>
#include <sys/stat.h>
#include "cli/inputs.h"

struct search {
  const struct host *host;
  struct arena *arena;
  struct diag_list *diags;
  struct cli_inputs *out;
  size_t room, from_folders;
};

static enum status push(struct search *search, const char *path) {
  struct cli_inputs *out = search->out;
  if (out->count == search->room) {
    size_t room = search->room ? search->room * 2 : 64;
    const char **grown = ARENA_ARRAY(search->arena, const char *, room);
    if (!grown) return STATUS_NOMEM;
    if (out->count) memcpy(grown, out->paths, out->count * sizeof *grown);
    out->paths = grown;
    search->room = room;
  }
  out->paths[out->count++] = path;
  return STATUS_OK;
}

static enum status refuse(struct search *search, struct str folder, enum diag_code code, enum status status,
                          const char *why) {
  struct source source = source_make(folder, (struct str){0});
  struct diag_at at = {.source = &source};
  diag_error(search->diags, code, &at, "%s", why);
  return status;
}

/* --- one folder --- */

static struct str join(struct search *search, struct str folder, struct str name) {
  bool slash = folder.len && folder.ptr[folder.len - 1] == '/';
  return arena_printf(search->arena, "%.*s%s%.*s", STR_ARG(folder), slash ? "" : "/", STR_ARG(name));
}

static bool is_link(const char *path) {
  struct stat info;
  return lstat(path, &info) != 0 || !S_ISREG(info.st_mode);
}

static enum status add_file(struct search *search, struct str folder, struct str name) {
  if (name.ptr[0] == '.') return STATUS_OK;
  struct str path = join(search, folder, name);
  if (!path.ptr) return STATUS_NOMEM;
  if (is_link(path.ptr)) return STATUS_OK;
  if (search->from_folders++ < search->out->max_files) return push(search, path.ptr);
  return refuse(search, folder, DIAG_INPUT_TOO_MANY, STATUS_LIMIT,
                "more files than may be searched for in folders");
}

static enum status add_files(struct search *search, struct str folder, struct str suffix) {
  struct str *names = NULL;
  size_t count = 0;
  enum status status =
      search->host->list_files(search->host->context, folder.ptr, suffix, search->arena, &names, &count);
  if (status != STATUS_OK)
    return refuse(search, folder, DIAG_FILE_UNREADABLE, status, "the folder cannot be read");
  for (size_t i = 0; status == STATUS_OK && i < count; i++)
    status = add_file(search, folder, names[i]);
  return status;
}

static enum status walk(struct search *search, struct str folder, size_t depth) {
  static const char *const suffixes[] = {".json", ".ndjson", ".xml", ".hl7"};
  struct str *names = NULL;
  size_t count = 0;
  enum status status = STATUS_OK;
  if (depth > search->out->max_depth)
    return refuse(search, folder, DIAG_INPUT_TOO_DEEP, STATUS_LIMIT, "folders are nested too deeply");
  if (search->out->pipeline && pipeline_is_set(search->out->pipeline, folder.ptr)) return push(search, folder.ptr);
  for (size_t i = 0; status == STATUS_OK && i < sizeof suffixes / sizeof suffixes[0]; i++)
    status = add_files(search, folder, str_of(suffixes[i]));
  if (status != STATUS_OK || !search->host->list_folders) return status;
  status = search->host->list_folders(search->host->context, folder.ptr, search->arena, &names, &count);
  for (size_t i = 0; status == STATUS_OK && i < count; i++) {
    struct str below = join(search, folder, names[i]);
    status = below.ptr ? walk(search, below, depth + 1) : STATUS_NOMEM;
  }
  return status;
}

static int by_bytes(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum status add_folder(struct search *search, const char *path) {
  size_t from = search->out->count;
  enum status status = walk(search, str_of(path), 0);
  search->out->folders = true;
  if (search->out->count == from + 1 && search->out->paths[from] == path) search->out->folders = false;
  size_t found = search->out->count - from;
  if (found > 1) qsort(search->out->paths + from, found, sizeof *search->out->paths, by_bytes);
  if (status != STATUS_OK || found) return status;
  return refuse(search, str_of(path), DIAG_FILE_UNREADABLE, STATUS_NOT_FOUND,
                "the folder has no .json, .ndjson, .xml or .hl7 file, and no set of CSV files");
}

enum status cli_inputs_find(const struct host *host, const char *const *arguments, size_t count,
                            struct arena *arena, struct diag_list *diags, struct cli_inputs *out) {
  struct search search = {.host = host, .arena = arena, .diags = diags, .out = out};
  enum status worst = STATUS_OK;
  if (!out->max_depth) out->max_depth = LIMIT_FOLDER_DEPTH;
  if (!out->max_files) out->max_files = LIMIT_FOLDER_FILES;
  for (size_t i = 0; i < count; i++) {
    enum status status =
        cli_is_folder(arguments[i]) ? add_folder(&search, arguments[i]) : push(&search, arguments[i]);
    if (worst == STATUS_OK) worst = status;
  }
  return worst;
}
