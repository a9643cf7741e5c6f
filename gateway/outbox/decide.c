/* decide.c - what a person decides about a record. */
#include "outbox/internal.h"

/* From which states an order may be given, and what it makes of the record. */
static const struct order {
  const char *event;
  unsigned from; /* bits of states */
  enum outbox_state to;
  bool blocks, only_blocking;
} orders[] = {
    [OUTBOX_RETRY] = {"retry", 1u << OUTBOX_QUEUED | 1u << OUTBOX_UNKNOWN | 1u << OUTBOX_PARKED,
                      OUTBOX_QUEUED, false, false},
    [OUTBOX_PARK] = {"parked", 1u << OUTBOX_QUEUED | 1u << OUTBOX_UNKNOWN, OUTBOX_PARKED, true, false},
    [OUTBOX_PASS] = {"passed", 1u << OUTBOX_PARKED, OUTBOX_PARKED, false, true},
    [OUTBOX_DROP] = {"dropped", 1u << OUTBOX_QUEUED | 1u << OUTBOX_UNKNOWN | 1u << OUTBOX_PARKED,
                     OUTBOX_DROPPED, false, false},
};

/* What a retry makes of one that a correction has passed meanwhile. */
static const struct order overtaken = {"parked", 1u << OUTBOX_PARKED, OUTBOX_PARKED, false, false};

static bool may(const struct order *order, const struct outbox_row *row) {
  if (!(order->from & 1u << row->state)) return false;
  return !order->only_blocking || row->blocks;
}

/* What may have reached the server is unknown when it is tried again, also after it was parked: the next attempt looks
   first. */
static enum status state_after(struct outbox *outbox, const struct order *order, const struct outbox_row *row,
                               enum outbox_state *out) {
  bool unknown = row->state == OUTBOX_UNKNOWN;
  enum status status = STATUS_OK;
  *out = order->to;
  if (order->to != OUTBOX_QUEUED) return status;
  if (row->state == OUTBOX_PARKED) status = outbox_ask(outbox, STATEMENT_ATTEMPT_OPEN, row->id, &unknown);
  if (unknown) *out = OUTBOX_UNKNOWN;
  return status;
}

/* A retry would undo a correction: it is parked for that reason, and who has read it may say so once more. */
static enum status mind_corrections(struct outbox *outbox, const struct outbox_row *row, const struct order **order,
                                    struct str *reason) {
  bool older = false;
  if ((*order)->to != OUTBOX_QUEUED || str_is(row->reason, OUTBOX_OLDER)) return STATUS_OK;
  enum status status = outbox_fresh_ask_higher(outbox, STATEMENT_REVISION_OVERTAKEN, row->id, &older);
  if (status != STATUS_OK || !older) return status;
  *order = &overtaken;
  *reason = STR(OUTBOX_OLDER);
  return status;
}

/* Where it lay its bytes stay until something else lies there. Without its salt they tell nothing; without a salt of its
   own there must be none. */
enum status outbox_payload_drop(struct outbox *outbox, const struct outbox_stored *stored) {
  enum status status = STATUS_OK;
  if (!stored->has_payload_salt) status = outbox_run_on(outbox, STATEMENT_PAYLOAD_WIPE, stored->row.id);
  return status == STATUS_OK ? outbox_run_on(outbox, STATEMENT_PAYLOAD_DROP, stored->row.id) : status;
}

enum status outbox_decide(struct outbox *outbox, int64_t id, enum outbox_order which, struct str reason,
                          struct str actor, int64_t now) {
  const struct order *order = &orders[which];
  struct outbox_stored stored = {0};
  if (reason.len > OUTBOX_REASON_MAX || actor.len > OUTBOX_NAME_MAX) return STATUS_INVALID;
  arena_reset(outbox->scratch);
  enum status status = outbox_begin(outbox);
  if (status == STATUS_OK) status = outbox_fetch(outbox, id, outbox->scratch, &stored);
  if (status == STATUS_INVALID) status = STATUS_OK; /* a damaged one may be dropped */
  if (status != STATUS_OK) return outbox_end(outbox, status);
  if (!may(order, &stored.row)) return STATUS_CONFLICT;
  enum outbox_state state = order->to;
  status = mind_corrections(outbox, &stored.row, &order, &reason);
  if (status == STATUS_OK) status = state_after(outbox, order, &stored.row, &state);
  if (status != STATUS_OK) return outbox_end(outbox, status);
  struct outbox_change change = {.state = state,
                                 .blocks = order->blocks,
                                 .reason = reason.len ? reason : stored.row.reason, /* why it was parked stays known */
                                 .faults = which == OUTBOX_RETRY ? -1 : 0, /* it has as many again */
                                 .due = now,
                                 .now = now};
  struct outbox_event event = {
      .at = now, .record = id, .what = str_of(order->event), .actor = actor, .reason = reason};
  status = outbox_change(outbox, &stored, &change);
  if (status == STATUS_OK && which == OUTBOX_DROP) status = outbox_payload_drop(outbox, &stored);
  if (status == STATUS_OK && which == OUTBOX_RETRY && str_is(stored.row.reason, OUTBOX_OLDER))
    status = outbox_run_on(outbox, STATEMENT_REVISION_INSISTED, id);
  if (status == STATUS_OK) status = outbox_lane_turn(outbox, stored.lane);
  if (status == STATUS_OK) status = outbox_audit_add(outbox, &event);
  return outbox_end(outbox, status);
}
