/* cmd_definitions_add.c - ketlink definitions add: more packages for the pack that every command uses. */
#include "cli/cli.h"

enum { PACK_BYTES = 1 << 30 };

/* -o is a whole pack then too. */
static int copy_pack(struct cli *cli, const char *path) {
  struct str file = {0};
  enum status status = cli_value(cli, "output") ? file_map(path, &file) : STATUS_OK;
  cli_print(cli, file);
  file_unmap(file);
  if (status == STATUS_OK) cli_note(cli, "%s has all of it already", path);
  return cli_exit_of(status);
}

/* The new file takes the place of the old in one step: who reads the old one keeps it. */
static int write_pack(struct cli *cli, const char *path, struct str file) {
  if (!file.len) return copy_pack(cli, path);
  if (cli_value(cli, "output")) {
    path = cli_value(cli, "output");
    cli_print(cli, file);
  } else {
    enum status status = cli->host->write_file(cli->host->context, path, file, false);
    if (status != STATUS_OK) {
      fprintf(stderr, "ketlink: %s cannot be written (%s): name another file with -o\n", path,
              status_reason(status));
      return cli_exit_of(status);
    }
  }
  cli_note(cli, "%s: %.1f MB", path, (double)file.len / 1e6);
  return CLI_DONE;
}

static int add(struct cli *cli, const char *path, struct definitions *definitions) {
  struct buf file;
  buf_init(&file, PACK_BYTES);
  enum status status =
      definitions_extend(definitions, cli->host, cli->arguments, cli->argument_count, &cli->diags, &file);
  cli_report(cli, &cli->diags);
  int result = cli_exit_of(status);
  if (status == STATUS_OK)
    result = write_pack(cli, path, buf_str(&file));
  else
    fprintf(stderr, "ketlink: nothing was added: %s\n", status_reason(status));
  buf_release(&file);
  return result;
}

static int run(struct cli *cli) {
  struct str path;
  struct definitions *definitions = NULL;
  int lock = -1;
  enum status status = pipeline_find_pack(cli_value(cli, "definitions"), cli->arena, &cli->diags, &path);
  if (status == STATUS_OK) lock = cli_lock_folder_of(path.ptr);
  if (status == STATUS_OK) status = definitions_open(path.ptr, &cli->diags, &definitions);
  if (status != STATUS_OK) {
    cli_report(cli, &cli->diags);
    cli_unlock(lock);
    return CLI_CONFIG;
  }
  int result = add(cli, path.ptr, definitions);
  definitions_close(definitions);
  cli_unlock(lock);
  return result;
}

const struct cli_command cli_definitions_add = {
    .name = "definitions",
    .verb = "add",
    .arguments = "FILE.tgz|FOLDER|ID#VERSION…",
    .summary = "add packages and what they depend on to the pack",
    .examples =
        "  ketlink definitions add hl7.fhir.us.core-6.1.0.tgz\n"
        "  ketlink definitions add hl7.fhir.us.core#6.1.0        from ~/.fhir/packages, or this folder\n"
        "  ketlink definitions add -o us.pack hl7.fhir.us.core@3.1.1 hl7.fhir.us.core@6.1.0\n",
    .min_arguments = 1,
    .max_arguments = 64,
    .public_output = true,
    .one_output = true,
    .run = run,
};
