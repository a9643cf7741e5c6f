/* cmd_relay.c - ketlink relay: the daemon, in the foreground. */
#include "cli/relay_row.h"
#include "relay/relay.h"

static int run(struct cli *cli) {
  const char *config = cli_value(cli, "config");
  struct relay_params params = {.host = cli->host,
                                .config = config ? config : "/etc/ketlink/relay.ini",
                                .check = cli_flag(cli, "check"),
                                .accept_restored = cli_flag(cli, "accept-restored")};
  enum status status = relay_run(&params, &cli->diags);
  cli_report(cli, &cli->diags);
  if (params.accept_restored && !params.check && status == STATUS_OK)
    cli_note(cli, "%s: the store is taken as it is; start the relay", params.config);
  if (params.check && status == STATUS_OK) cli_note(cli, "%s: no faults", params.config);
  return cli_exit_of(status);
}

const struct cli_command cli_relay_command = {CLI_RELAY_ROW, .run = run};
