/* cmd_map_dump.c - ketlink map dump: the compiled program of a map, as text. */
#include "cli/maps.h"

static int print(struct cli *cli, const struct cli_map *map) {
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  mapping_dump(map->set, map->map, &text);
  enum status status = text.error;
  if (status == STATUS_OK) cli_print(cli, buf_str(&text));
  buf_release(&text);
  return cli_exit_of(status);
}

static int run(struct cli *cli) {
  struct cli_map map = {0};
  if (cli->json) return cli_usage(cli, "a program has no JSON form: `ketlink map convert FILE` gives the map as a StructureMap resource");
  int result = cli_map_open(cli, cli->arguments[0], &map);
  if (result == CLI_DONE) result = print(cli, &map);
  cli_map_close(&map);
  return result;
}

const struct cli_command cli_map_dump = {
    .name = "map",
    .verb = "dump",
    .arguments = "MAP",
    .summary = "print the compiled program of a map",
    .examples = "  ketlink map dump vitals                  by name or URL\n"
                "  ketlink map dump mappings/clinic/vitals.fml\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .public_output = true,
    .run = run,
};
