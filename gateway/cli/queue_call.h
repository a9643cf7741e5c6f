/* queue_call.h - private to cli: requests to the relay over its Unix socket (docs/relay-api.md). */
#ifndef KETLINK_CLI_QUEUE_CALL_H
#define KETLINK_CLI_QUEUE_CALL_H

#include <jansson.h>
#include "cli/cli.h"

struct cli_queue {
  struct cli *cli;
  void *curl;         /* CURL */
  const char *socket;
  struct buf answer;  /* bytes of the last one */
  char error[256];
};

/* Finds the socket by --socket or --config. Returns the exit status, having said what is wrong. */
int cli_queue_open(struct cli *cli, struct cli_queue *out);
void cli_queue_close(struct cli_queue *queue);
/* GET, or POST when there is a body; `what` names it in messages. On CLI_DONE *out is the answer, which the caller
   frees. Refusals and trouble are said, and are the exit status. */
int cli_queue_ask(struct cli_queue *queue, const char *what, struct str target, const json_t *body, json_t **out);

#endif
