/* send.h - private to cli: delivering one record's Bundle, part by part. */
#ifndef KETLINK_CLI_SEND_H
#define KETLINK_CLI_SEND_H

#include "bundle/bundle.h"
#include "cli/cli.h"
#include "delivery/delivery.h"

/* One record on its way. */
struct send_job {
  struct cli *cli;
  const struct bundle_params *bundle;
  struct delivery_client *client;
  const struct delivery_destination *destination;
  struct diag_list *diags; /* of the record */
  struct arena *arena;     /* of the record */
  struct bundle_plan plan;
  struct str *locations;            /* "Type/id" by entry of the plan, empty until known */
  struct delivery_entry *delivered; /* by entry of the plan; status 0: not sent */
};

/* Sends all parts in order; stops at the first that fails. The first trouble decides the status. */
enum status send_bundle(struct send_job *job, struct tree_node *bundle);
/* One line (or JSON object) per resource: what the server holds now. */
void send_print(const struct send_job *job);
/* How many entries the server has confirmed. */
size_t send_stored(const struct send_job *job);

#endif
