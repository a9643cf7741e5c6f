/* message.c - one message of HL7 v2 to its receiver: what an acknowledgement says of it, and trying again where that says so. */
#include "exchange/exchange.h"
#include "hl7v2/hl7v2.h"

bool exchange_read_acknowledgement(struct str frame, struct arena *arena, struct delivery_acknowledgement *out) {
  static const struct hl7v2_place code = {.segment = "MSA", .field = 1}, control = {.segment = "MSA", .field = 2};
  struct source *source = ARENA_NEW(arena, struct source);
  struct hl7v2_message message = {0};
  struct diag_list diags; /* what is wrong with it is the receiver's: an answer that cannot be read is none */
  if (!source) return false;
  diag_list_init(&diags, arena);
  *source = source_make(STR("acknowledgement"), frame);
  if (hl7v2_scan(source, NULL, arena, &diags, &message) != STATUS_OK) return false;
  out->control = hl7v2_value(&message, &control, arena);
  return out->control.ptr && delivery_ack_parse(hl7v2_value(&message, &code, arena), &out->code);
}

static bool could_not(const struct delivery_answer *answer) {
  return answer->verdict == DELIVERY_RETRY && (answer->ack == DELIVERY_ACK_AE || answer->ack == DELIVERY_ACK_CE);
}

enum status exchange_message(const struct exchange_message_channel *channel, const struct exchange_message *message,
                             struct arena *arena, struct delivery_answer *out) {
  struct delivery_message sent = {.bytes = message->bytes,
                                  .control = message->control,
                                  .errors = message->errors,
                                  .read = exchange_read_acknowledgement};
  int64_t wait = message->wait_ms;
  enum status status = channel->send(channel->context, &sent, arena, out);
  while (status == STATUS_OK && channel->wait && could_not(out)) {
    channel->wait(channel->context, wait < EXCHANGE_LONGEST_MS ? wait : EXCHANGE_LONGEST_MS);
    wait *= 2;
    sent.errors++;
    status = channel->send(channel->context, &sent, arena, out);
  }
  return status;
}
