/* maps.c - finds and loads the map that a command line names. */
#include <sys/stat.h>
#include "cli/maps.h"

static bool is_file(struct str name) {
  return str_ends(name, STR(".fml")) || str_ends(name, STR(".map")) || str_ends(name, STR(".json"));
}

/* A path means its own file, not one of the folder that is called the same: only a bare name may be found there. */
static bool is_meant(const char *name, const struct mapping_map *map) {
  struct stat named, found;
  if (!is_file(str_of(name))) return true;
  if (stat(name, &named) != 0) return !strchr(name, '/');
  return stat(mapping_path(map).ptr, &found) == 0 && named.st_dev == found.st_dev && named.st_ino == found.st_ino;
}

static enum status load(struct cli *cli, const char *name, struct cli_map *out) {
  struct str folder = pipeline_mappings_folder(out->pipeline);
  struct mapping_load load = {.definitions = pipeline_definitions(out->pipeline),
                              .host = cli->host,
                              .folder = folder.len ? folder.ptr : NULL};
  enum status status = mapping_load(&load, &cli->diags, &out->set);
  if (status != STATUS_OK) return status;
  out->map = mapping_find(out->set, str_of(name));
  if (out->map && !is_meant(name, out->map)) out->map = NULL;
  if (out->map || !is_file(str_of(name))) return out->map ? STATUS_OK : STATUS_NOT_FOUND;
  mapping_free(out->set);
  out->set = NULL;
  load.files = &name;
  load.file_count = 1;
  status = mapping_load(&load, &cli->diags, &out->set);
  if (status == STATUS_OK) out->map = mapping_at(out->set, mapping_count(out->set) - 1);
  return status;
}

int cli_map_open(struct cli *cli, const char *name, struct cli_map *out) {
  int result = cli_pipeline(cli, 0, &out->pipeline);
  if (result != CLI_DONE) return result;
  enum status status = load(cli, name, out);
  if (status == STATUS_NOT_FOUND) {
    struct str near = mapping_nearest(out->set, str_of(name)), folder = pipeline_mappings_folder(out->pipeline);
    if (!folder.len) folder = STR("the mappings folder");
    return cli_usage(cli, "no map '%s' in %.*s%s%.*s%s", name, STR_ARG(folder),
                     near.len ? "; did you mean '" : "", STR_ARG(near), near.len ? "'?" : "");
  }
  if (status != STATUS_INVALID) return cli_exit_of(status);
  cli_report(cli, &cli->diags);
  return cli_has_unreadable(&cli->diags) ? CLI_IO : CLI_CONFIG;
}

void cli_map_close(struct cli_map *map) {
  mapping_free(map->set);
  pipeline_close(map->pipeline);
}
