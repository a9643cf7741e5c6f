/* cmd_map_convert.c - ketlink map convert: map text to a StructureMap resource, and back. */
#include "cli/cli.h"

static const struct cli_option options[] = {
    {"fhir", 'f', "VERSION", "shape of the StructureMap that is written: 4.0 (default) or 5.0"},
};

static enum status convert(struct cli *cli, const char *path, bool r5) {
  struct str text;
  enum status status = cli_read(cli, path, cli->arena, &cli->diags, &text);
  if (status != STATUS_OK) return status;
  struct source source = source_make(str_of(path), text);
  struct buf out;
  buf_init(&out, LIMIT_TEXT_BYTES);
  status = mapping_convert(&source, r5, cli->arena, &cli->diags, &out);
  if (status == STATUS_OK) cli_print(cli, buf_str(&out));
  buf_release(&out);
  return status;
}

static int run(struct cli *cli) {
  const char *version = cli_value(cli, "fhir");
  bool r5 = version && str_starts(str_of(version), STR("5.0"));
  if (version && !r5 && !str_starts(str_of(version), STR("4.0")))
    return cli_usage(cli, "'%s' is no version that is written: 4.0 or 5.0", version);
  enum status status = convert(cli, cli->arguments[0], r5);
  cli_report(cli, &cli->diags);
  return cli_exit_of(status);
}

const struct cli_command cli_map_convert = {
    .name = "map",
    .verb = "convert",
    .arguments = "FILE",
    .summary = "write map text as a StructureMap resource, or the resource as map text",
    .examples = "  ketlink map convert mappings/clinic/vitals.fml -o vitals.json\n"
                "  ketlink map convert vitals.json              back to text\n"
                "  ketlink map convert --fhir 5.0 vitals.fml    in the shape of FHIR R5\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .min_arguments = 1,
    .max_arguments = 1,
    .public_output = true,
    .one_output = true,
    .run = run,
};
