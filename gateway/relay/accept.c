/* accept.c - records that were mapped -> the store. */
#include "relay/mapper.h"

struct accepting {
  const struct relay *relay;
  struct outbox *outbox; /* NULL: the relay's, when it is free */
  int64_t *ids;          /* room for those of a record's items; NULL: in the relay's memory for a record */
  const struct relay_input *input;
  struct diag_list *diags;
  struct relay_accepted *result;
};

static enum status put_record(void *context, const struct relay_mapped *record) {
  struct accepting *accepting = context;
  enum outbox_answer answer = OUTBOX_ACCEPTED;
  size_t older = 0;
  /* a destination of HL7 v2 has as many items as there are messages */
  int64_t *ids = accepting->ids ? accepting->ids : ARENA_ARRAY(accepting->relay->record, int64_t, record->item_count + 1);
  struct outbox_message message = {.source = accepting->input->source,
                                   .control = accepting->input->control,
                                   .content = record->content,
                                   .items = record->items,
                                   .item_count = record->item_count,
                                   .older = &older};
  if (!ids) return STATUS_NOMEM;
  ids[0] = 0;
  struct outbox *outbox = accepting->outbox ? accepting->outbox : relay_store(accepting->relay);
  enum status status = outbox_accept(outbox, &message, relay_now(accepting->relay), accepting->diags, &answer, ids);
  accepting->result->asked = true;
  if (status != STATUS_OK) return status;
  accepting->result->records++;
  accepting->result->first = ids[0];
  accepting->result->items = record->item_count;
  accepting->result->again += answer == OUTBOX_AGAIN || answer == OUTBOX_DIFFERENT_AGAIN;
  accepting->result->different += answer == OUTBOX_DIFFERENT || answer == OUTBOX_DIFFERENT_AGAIN;
  accepting->result->parked += older;
  accepting->result->older += older;
  return STATUS_OK;
}

static void conclude(struct relay_accepted *result, enum status status, size_t bad, size_t parked) {
  result->bad = bad;
  result->parked += parked;
  result->status = status == STATUS_OK && (bad || !result->records) ? STATUS_INVALID : status;
}

void relay_accepted_tell(const struct relay *relay, const struct relay_accepted *accepted) {
  if (accepted->older) RELAY_LOG(relay, RELAY_WARNING, OUTBOX_OLDER, RELAY_NUMBER("parked", (int64_t)accepted->older));
}

/* By the loop: it joins the group of this turn. */
static void join(struct relay *relay, const struct relay_accepted *accepted) {
  if (accepted->asked) relay_group_touch(relay);
  if (accepted->records) relay->due = true;
  relay_accepted_tell(relay, accepted);
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
  join(relay, &result);
  return result;
}

struct relay_accepted relay_accept_listed(const struct relay *relay, struct outbox *outbox, struct relay_task *task) {
  struct relay_accepted result = {0};
  struct accepting accepting = {.relay = relay, .outbox = outbox, .input = &task->input, .diags = task->findings, .result = &result};
  enum status status = STATUS_OK;
  for (const struct relay_kept *kept = task->records; kept && status == STATUS_OK; kept = kept->next) {
    accepting.ids = kept->ids;
    status = put_record(&accepting, &kept->mapped);
  }
  conclude(&result, status == STATUS_OK ? task->status : status, task->bad, task->parked);
  return result;
}

struct relay_accepted relay_accept_mapped(struct relay *relay, struct relay_task *task) {
  struct relay_accepted accepted = relay_accept_listed(relay, NULL, task);
  join(relay, &accepted);
  return accepted;
}
