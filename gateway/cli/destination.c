/* destination.c - from the name of a destination to its file, its policy and a pipeline that can keep to it.
 */
#include "cli/cli.h"

/* Names of the destinations of the folder, for a message, and the one nearest to what was written. */
static struct str list_names(struct cli *cli, const char *folder, struct str written, struct str *near) {
  const struct host *host = cli->host;
  struct str *names = NULL, list = {0};
  struct str_nearest nearest = {.word = written};
  size_t count = 0;
  if (host->list_files(host->context, folder, STR(".json"), cli->arena, &names, &count) != STATUS_OK)
    return list;
  for (size_t i = 0; i < count; i++) {
    struct str name = str_slice(names[i], 0, names[i].len - strlen(".json"));
    str_nearest_offer(&nearest, name);
    list = arena_concat(cli->arena, arena_concat(cli->arena, list, i ? STR(", ") : STR("")), name);
  }
  *near = nearest.best;
  return list;
}

static enum status refuse_name(struct cli *cli, const char *folder, const char *written,
                               struct diag_list *diags) {
  struct source source = source_make(str_of(folder), (struct str){0});
  struct diag_at at = {.source = &source};
  struct str near = {0}, shown = diag_quote(cli->arena, str_of(written));
  struct str list = list_names(cli, folder, str_of(written), &near);
  if (near.len)
    diag_error(diags, DIAG_CONFIG_INVALID, &at, "there is no destination %.*s; did you mean %.*s?",
               STR_ARG(shown), STR_ARG(near));
  else
    diag_error(diags, DIAG_CONFIG_INVALID, &at, "there is no destination %.*s; there are: %.*s",
               STR_ARG(shown), STR_ARG(list.len ? list : STR("none")));
  return STATUS_CONFIG;
}

static bool is_name_of(struct cli *cli, const char *folder, struct str file) {
  struct str *names = NULL;
  size_t count = 0;
  if (cli->host->list_files(cli->host->context, folder, file, cli->arena, &names, &count) != STATUS_OK)
    return false;
  for (size_t i = 0; i < count; i++)
    if (str_eq(names[i], file)) return true;
  return false;
}

enum status cli_find_destination(struct cli *cli, const char *name, struct str *path,
                                 struct diag_list *diags) {
  return cli_find_destination_in(cli, cli_value(cli, "mappings"), name, path, diags);
}

enum status cli_find_destination_in(struct cli *cli, const char *mappings, const char *name, struct str *path,
                                    struct diag_list *diags) {
  struct str folder;
  *path = str_of(name);
  if (strchr(name, '/') || str_ends(*path, STR(".json"))) return STATUS_OK;
  enum status status = pipeline_find_mappings(mappings, cli->arena, diags, &folder);
  if (status != STATUS_OK) return status;
  folder = arena_concat(cli->arena, folder, STR("/destinations"));
  struct str file = arena_concat(cli->arena, *path, STR(".json"));
  if (!folder.ptr || !file.ptr) return STATUS_NOMEM;
  if (!is_name_of(cli, folder.ptr, file)) return refuse_name(cli, folder.ptr, name, diags);
  *path = arena_printf(cli->arena, "%.*s/%.*s", STR_ARG(folder), STR_ARG(file));
  return path->ptr ? STATUS_OK : STATUS_NOMEM;
}

enum status cli_protocol_of(struct cli *cli, const char *path, enum destination_protocol *out) {
  struct config file;
  enum status status = destination_read(cli->host, path, DESTINATION_ALL, &cli->diags, &file);
  if (status != STATUS_OK) return status;
  *out = destination_protocol_of(&file);
  config_close(&file);
  return STATUS_OK;
}

static int refuse_destination(struct cli *cli, enum status status) {
  cli_report(cli, &cli->diags);
  return status == STATUS_NOMEM ? cli_exit_of(status) : CLI_CONFIG;
}

int cli_pipeline_for(struct cli *cli, const char *destination, bool validate, struct pipeline **out,
                     struct str *path, struct pipeline_policy *policy) {
  enum destination_protocol protocol = DESTINATION_FHIR;
  enum status status = cli_find_destination(cli, destination, path, &cli->diags);
  if (status == STATUS_OK)
    status = pipeline_policy_read(path->ptr, cli->host, cli->arena, &cli->diags, policy);
  if (status == STATUS_OK) status = cli_protocol_of(cli, path->ptr, &protocol);
  if (status != STATUS_OK) return refuse_destination(cli, status);
  struct pipeline_params params = {.host = cli->host,
                                   .packages = policy->packages,
                                   .package_count = validate ? policy->package_count : 0,
                                   .definitions = cli_value(cli, "definitions"),
                                   .mappings = cli_value(cli, "mappings"),
                                   .maps = protocol == DESTINATION_MLLP ? PIPELINE_MAPS_OUTGOING : cli_maps_of_inputs(cli)};
  int result = cli_pipeline_open(cli, &params, out);
  if (result != CLI_DONE || !validate) return result;
  status = pipeline_policy_check(*out, policy, &cli->diags);
  return status == STATUS_OK ? CLI_DONE : refuse_destination(cli, status);
}
