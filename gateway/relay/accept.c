/* accept.c - records that were mapped -> the store. */
#include "relay/mapper.h"

struct accepting {
  struct relay *relay;
  const struct relay_input *input;
  struct diag_list *diags;
  struct relay_accepted *result;
};

static enum status put_record(void *context, const struct relay_mapped *record) {
  struct accepting *accepting = context;
  enum outbox_answer answer = OUTBOX_ACCEPTED;
  size_t older = 0;
  /* a destination of HL7 v2 has as many items as there are messages */
  int64_t *ids = ARENA_ARRAY(accepting->relay->record, int64_t, record->item_count + 1);
  struct outbox_message message = {.source = accepting->input->source,
                                   .control = accepting->input->control,
                                   .content = record->content,
                                   .items = record->items,
                                   .item_count = record->item_count,
                                   .older = &older};
  if (!ids) return STATUS_NOMEM;
  ids[0] = 0;
  enum status status =
      outbox_accept(relay_store(accepting->relay), &message, relay_now(accepting->relay), accepting->diags, &answer, ids);
  relay_group_touch(accepting->relay);
  if (status != STATUS_OK) return status;
  accepting->relay->due = true;
  accepting->result->records++;
  accepting->result->first = ids[0];
  accepting->result->items = record->item_count;
  accepting->result->again += answer == OUTBOX_AGAIN || answer == OUTBOX_DIFFERENT_AGAIN;
  accepting->result->different += answer == OUTBOX_DIFFERENT || answer == OUTBOX_DIFFERENT_AGAIN;
  accepting->result->parked += older;
  if (older)
    RELAY_LOG(accepting->relay, RELAY_WARNING, OUTBOX_OLDER, RELAY_NUMBER("parked", (int64_t)older));
  return STATUS_OK;
}

static void conclude(struct relay_accepted *result, enum status status, size_t bad, size_t parked) {
  result->bad = bad;
  result->parked += parked;
  result->status = status == STATUS_OK && (bad || !result->records) ? STATUS_INVALID : status;
}

struct relay_accepted relay_accept(struct relay *relay, const struct relay_input *input, struct diag_list *diags) {
  struct relay_accepted result = {0};
  struct accepting accepting = {.relay = relay, .input = input, .diags = diags, .result = &result};
  struct relay_mapping mapping = {.config = relay->config,
                                  .ways = relay->ways,
                                  .input = input,
                                  .scratch = relay->record,
                                  .diags = diags,
                                  .in_loop = true,
                                  .take = put_record,
                                  .context = &accepting};
  enum status status = relay_map(&mapping);
  conclude(&result, status, mapping.bad, mapping.parked);
  return result;
}

struct relay_accepted relay_accept_mapped(struct relay *relay, struct relay_task *task) {
  struct relay_accepted result = {0};
  struct accepting accepting = {.relay = relay, .input = &task->input, .diags = task->findings, .result = &result};
  enum status status = STATUS_OK;
  for (const struct relay_kept *kept = task->records; kept && status == STATUS_OK; kept = kept->next) {
    arena_reset(relay->record);
    status = put_record(&accepting, &kept->mapped);
  }
  conclude(&result, status == STATUS_OK ? task->status : status, task->bad, task->parked);
  return result;
}
