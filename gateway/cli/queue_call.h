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
/* The same of a GET whose answer is no JSON document: on CLI_DONE it is in queue->answer. */
int cli_queue_get(struct cli_queue *queue, const char *what, struct str target);

/* A number as it was typed, of a "record" or an "event"; false: said. */
bool cli_queue_number(struct cli *cli, const char *word, const char *what);
/* A parameter of the query; not when its value is NULL. */
void cli_queue_add_parameter(struct buf *target, const char *name, const char *value);
/* Who decides, as the system knows him; the relay adds the user that the kernel names. */
void cli_queue_add_actor(json_t *body);
/* Whether what comes from stdin is just that number. */
bool cli_queue_confirmed(const char *number);

#endif
