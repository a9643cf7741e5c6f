/* send_message.h - private to cli: a record to a receiver of HL7 v2, message by message. */
#ifndef KETLINK_CLI_SEND_MESSAGE_H
#define KETLINK_CLI_SEND_MESSAGE_H

#include "cli/cli.h"
#include "exchange/exchange.h"

struct send_messages {
  struct cli *cli;
  const struct pipeline *pipeline;
  struct pipeline_message_policy policy;
  struct delivery_client *client;
  const struct delivery_destination *destination;
  size_t delivered; /* messages, of all records */
};
/* All messages of a record in their order, each when the one before was acknowledged. A line (or JSON object) each: what
 * it is, its control id, and what became of it. INVALID: refused; RETRY: not acknowledged; those after it are not sent. */
enum status send_messages(struct send_messages *send, const struct intake_record *record, struct arena *arena,
                          struct diag_list *diags) MUST_USE;

#endif
