/* ways_row.h - private to cli: the options by which a command finds the relay that runs (queue_call.h). */
#ifndef KETLINK_CLI_WAYS_ROW_H
#define KETLINK_CLI_WAYS_ROW_H

/* clang-format off */
#define RELAY_WAYS                                                                                           \
  {"config", 'c', "FILE", "the relay's configuration, which names its socket (default: /etc/ketlink/relay.ini)"}, \
  {"socket", 0, "PATH", "the relay's socket, instead of --config"}
/* clang-format on */

#endif
