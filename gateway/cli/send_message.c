/* send_message.c - a record to a receiver of HL7 v2, message by message. */
#include "cli/send_message.h"

static enum status send_one(void *context, const struct delivery_message *message, struct arena *arena,
                            struct delivery_answer *answer) {
  const struct send_messages *send = context;
  return delivery_message_send(send->client, message, arena, answer);
}

static void wait_between(void *context, int64_t ms) {
  const struct host *host = ((const struct send_messages *)context)->cli->host;
  if (host->sleep_ms) host->sleep_ms(host->context, ms);
}

/* In words; an answer's own text is never repeated. */
static const char *state_of(const struct delivery_answer *answer) {
  if (!answer) return "not-sent";
  if (answer->verdict == DELIVERY_DONE) return "delivered";
  if (answer->verdict == DELIVERY_PARK) return "refused";
  return answer->verdict == DELIVERY_SETTLE ? "not-confirmed" : "not-sent";
}

static void print_message(struct cli *cli, const struct pipeline_message *message, const struct delivery_answer *answer) {
  struct str reason = answer ? answer->reason : STR("an earlier message was not delivered");
  const char *ack = answer ? delivery_ack_name(answer->ack) : "none";
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  if (cli->json) {
    buf_printf(&text, "{\"message\":\"%.*s\",\"control\":\"%.*s\",\"action\":\"%s\",\"acknowledgement\":\"%s\",\"reason\":",
               STR_ARG(message->kind), STR_ARG(message->control), state_of(answer), ack);
    buf_add_json(&text, reason);
    buf_add_text(&text, "}\n");
  } else {
    buf_printf(&text, "%-8.*s %.*s  %-13s %.*s\n", STR_ARG(message->kind), STR_ARG(message->control), state_of(answer),
               STR_ARG(reason));
  }
  cli_print(cli, buf_str(&text));
  buf_release(&text);
}

static enum status deliver(struct send_messages *send, const struct pipeline_message *message, struct arena *arena) {
  struct exchange_message_channel channel = {.context = send, .send = send_one, .wait = wait_between};
  struct exchange_message given = {
      .bytes = message->bytes, .control = message->control, .wait_ms = send->destination->retry_wait_ms};
  struct delivery_answer answer = {0};
  enum status status = exchange_message(&channel, &given, arena, &answer);
  if (status != STATUS_OK) return status;
  print_message(send->cli, message, &answer);
  if (answer.skipped)
    cli_note(send->cli, "%u acknowledgements of other messages were passed over", answer.skipped);
  send->delivered += answer.verdict == DELIVERY_DONE;
  return answer.as_status;
}

enum status send_messages(struct send_messages *send, const struct intake_record *record, struct arena *arena,
                          struct diag_list *diags) {
  struct pipeline_run run = {.arena = arena, .diags = diags};
  struct pipeline_message *messages = NULL;
  size_t count = 0;
  enum status status = pipeline_messages(send->pipeline, record, &run, &send->policy, &messages, &count);
  if (status != STATUS_OK) return status;
  for (size_t i = 0; i < count; i++) {
    if (status == STATUS_OK)
      status = deliver(send, &messages[i], arena);
    else
      print_message(send->cli, &messages[i], NULL);
  }
  return status;
}
