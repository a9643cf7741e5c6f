/* claim.c - whose turn it is at a destination, and what became of the attempt. */
#include "outbox/internal.h"

/* A due time further away than any back-off may be is of a clock that has jumped: it comes due then. */
static enum status clamp(struct outbox *outbox, int64_t destination, int64_t now) {
  sqlite3_stmt *set = outbox_statement(outbox, STATEMENT_LANE_CLAMP);
  sqlite3_bind_int64(set, 1, destination);
  sqlite3_bind_int64(set, 2, now);
  sqlite3_bind_int64(set, 3, now + LIMIT_OUTBOX_WAIT_MS);
  return outbox_run(outbox, set);
}

/* The head of a lane. */
struct turn {
  int64_t lane, record;
};

static enum status find_due(struct outbox *outbox, int64_t destination, int64_t now, struct turn *turn) {
  sqlite3_stmt *due = outbox_statement(outbox, STATEMENT_LANE_DUE);
  sqlite3_bind_int64(due, 1, destination);
  sqlite3_bind_int64(due, 2, now);
  enum status status = outbox_row_step(outbox, due);
  if (status == STATUS_OK)
    *turn = (struct turn){.record = sqlite3_column_int64(due, 0), .lane = sqlite3_column_int64(due, 1)};
  sqlite3_reset(due);
  return status;
}

/* It blocks its lane, if that is its lane at all, and no correction has passed it. */
static enum status park_unclaimed(struct outbox *outbox, const struct turn *turn, const struct outbox_stored *stored,
                                  struct str reason, int64_t now) {
  struct outbox_change change = {.state = OUTBOX_PARKED,
                                 .blocks = stored->lane == turn->lane && !str_is(reason, OUTBOX_OLDER),
                                 .reason = reason,
                                 .now = now};
  struct outbox_event event = {
      .at = now, .record = turn->record, .what = STR("parked"), .reason = change.reason};
  enum status status = outbox_change(outbox, stored, &change);
  if (status == STATUS_OK) status = outbox_lane_turn(outbox, turn->lane);
  return status == STATUS_OK ? outbox_audit_add(outbox, &event) : status;
}

static struct outbox_sent *sent_at(struct outbox *outbox, int64_t id) {
  return &outbox->sent[(uint64_t)id % SENT_MAX];
}

static enum status take(struct outbox *outbox, const struct outbox_stored *stored, int64_t now) {
  sqlite3_stmt *set = outbox_statement(outbox, STATEMENT_RECORD_SENDS);
  sqlite3_bind_int64(set, 1, stored->row.id);
  sqlite3_bind_int64(set, 2, now);
  enum status status = outbox_run(outbox, set);
  if (status != STATUS_OK) return status;
  *sent_at(outbox, stored->row.id) = (struct outbox_sent){.id = stored->row.id,
                                                         .destination = stored->destination,
                                                         .lane = stored->lane,
                                                         .attempts = stored->row.attempts,
                                                         .has_payload_salt = stored->has_payload_salt};
  outbox_handed_forget(outbox, stored->row.id);
  outbox_count(outbox, stored->destination, stored->row.state, -1);
  outbox_count(outbox, stored->destination, OUTBOX_SENDING, 1);
  return outbox_lane_sends(outbox, stored->lane, stored->row.id);
}

/* A correction may have another lane: of a session that was written down for another patient. What waits of the same record before it
   would undo it. */
static enum status find_passed(struct outbox *outbox, const struct outbox_stored *stored, bool *out) {
  *out = false;
  return stored->is_revision ? outbox_fresh_ask_higher(outbox, STATEMENT_REVISION_PASSED, stored->row.id, out) : STATUS_OK;
}

static enum status set_aside(struct outbox *outbox, const struct turn *turn, const struct outbox_stored *stored, const char *why,
                             int64_t now, struct outbox_claim *out) {
  enum status parked = park_unclaimed(outbox, turn, stored, str_of(why), now);
  out->set_aside++;
  out->set_aside_id = turn->record;
  out->set_aside_why = why;
  return parked == STATUS_OK ? STATUS_INVALID : parked;
}

/* INVALID: it does not open, or must not go; it is parked, look for the next. */
static enum status claim_record(struct outbox *outbox, const struct turn *turn, int64_t now,
                                struct arena *arena, struct outbox_claim *out) {
  struct outbox_stored stored = {0};
  int64_t id = turn->record;
  enum status status = outbox_fetch_all(outbox, id, arena, &stored, &out->payload);
  if (status == STATUS_NOT_FOUND) return STATUS_IO; /* a head without a record */
  if (status == STATUS_OK && (!out->payload.ptr || stored.lane != turn->lane))
    status = STATUS_INVALID; /* payload gone, row moved */
  /* asked for again it would not fit either, and nothing else of the destination could be claimed */
  bool too_large = status == STATUS_NOMEM && stored.row.id && arena_is_capped(arena);
  if (status == STATUS_INVALID || too_large)
    return set_aside(outbox, turn, &stored, too_large ? "too-large" : "damaged", now, out);
  bool passed = false;
  if (status == STATUS_OK) status = find_passed(outbox, &stored, &passed);
  if (status == STATUS_OK && passed) return set_aside(outbox, turn, &stored, OUTBOX_OLDER, now, out);
  if (status != STATUS_OK) return status;
  out->id = id;
  out->destination = stored.row.destination;
  out->kind = stored.row.kind;
  out->label = stored.row.label;
  out->attempts = stored.row.attempts;
  out->faults = stored.row.faults;
  out->unknown = stored.row.state == OUTBOX_UNKNOWN;
  out->is_revision = stored.is_revision;
  out->accepted_at = stored.row.accepted_at;
  return take(outbox, &stored, now);
}

/* Whether its subject has a higher revision: none has when no correction has come since. */
static enum status find_above(struct outbox *outbox, const struct outbox_handed *handed, bool *out) {
  struct outbox_found found = {0};
  *out = false;
  if (!handed->is_revision || outbox->last_correction <= handed->id) return STATUS_OK;
  enum status status = outbox_rows_find(outbox, ROWS_SUBJECTS, handed->destination, handed->subject, &found);
  *out = status == STATUS_OK && found.value > handed->revision;
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* One that came a moment ago. NOT_FOUND: it is to be read: it is not here, has a correction, or finds no memory. */
static enum status claim_handed(struct outbox *outbox, const struct turn *turn, int64_t now, struct str destination, struct arena *arena,
                                struct outbox_claim *out) {
  const struct outbox_handed *handed = outbox_handed_of(outbox, turn->record);
  struct outbox_claim claim = *out;
  bool above = false;
  if (!handed || handed->lane != turn->lane) return STATUS_NOT_FOUND;
  enum status status = find_above(outbox, handed, &above);
  if (status != STATUS_OK) return status;
  struct arena_mark mark = arena_mark(arena);
  claim.id = turn->record;
  claim.is_revision = handed->is_revision;
  claim.accepted_at = handed->accepted_at;
  claim.destination = arena_str(arena, destination);
  if (above || !claim.destination.ptr || outbox_handed_read(handed, arena, &claim) != STATUS_OK) {
    arena_rewind(arena, mark);
    return STATUS_NOT_FOUND;
  }
  struct outbox_stored stored = {.row = {.id = handed->id}, .destination = handed->destination, .lane = handed->lane, .has_payload_salt = true};
  *out = claim;
  return take(outbox, &stored, now);
}

enum { CLAMP_MS = 1000 };

/* While something is due only now and then: the rule is about hours. */
static enum status clamp_if_late(struct outbox *outbox, int64_t destination, int64_t now) {
  for (size_t i = 0; i < outbox->now.known; i++) {
    struct outbox_known *known = &outbox->known[i];
    if (known->id != destination) continue;
    if (now >= known->clamped_at && now - known->clamped_at < CLAMP_MS) return STATUS_OK;
    known->clamped_at = now;
  }
  return clamp(outbox, destination, now);
}

static enum status find_turn(struct outbox *outbox, int64_t destination, int64_t now, struct turn *turn) {
  enum status status = clamp_if_late(outbox, destination, now);
  if (status == STATUS_OK) status = find_due(outbox, destination, now, turn);
  if (status != STATUS_NOT_FOUND) return status;
  status = clamp(outbox, destination, now);
  return status == STATUS_OK ? find_due(outbox, destination, now, turn) : status;
}

enum status outbox_claim(struct outbox *outbox, struct str destination, int64_t now, struct arena *arena,
                         struct outbox_claim *out) {
  struct turn turn = {0};
  int64_t where = 0;
  *out = (struct outbox_claim){0};
  enum status status = outbox_begin(outbox);
  if (status != STATUS_OK) return status;
  status = outbox_destination_id(outbox, destination, false, &where);
  while (status == STATUS_OK) {
    status = find_turn(outbox, where, now, &turn);
    if (status != STATUS_OK) break;
    status = claim_handed(outbox, &turn, now, destination, arena, out);
    if (status == STATUS_NOT_FOUND) status = claim_record(outbox, &turn, now, arena, out);
    if (status != STATUS_INVALID) break;
    status = STATUS_OK;
  }
  return outbox_end(outbox, status);
}

enum status outbox_clock_back(struct outbox *outbox, int64_t now, int64_t by) {
  enum status status = outbox_begin(outbox);
  if (status != STATUS_OK) return status;
  sqlite3_stmt *shift = outbox_statement(outbox, STATEMENT_LANE_SHIFT);
  sqlite3_bind_int64(shift, 1, now);
  sqlite3_bind_int64(shift, 2, by);
  return outbox_end(outbox, outbox_run(outbox, shift));
}

enum status outbox_next_due(struct outbox *outbox, struct str destination, int64_t *out) {
  int64_t where = 0;
  *out = INT64_MAX;
  enum status status = outbox->failed ? STATUS_IO : outbox_destination_id(outbox, destination, false, &where);
  if (status != STATUS_OK) return status == STATUS_NOT_FOUND ? STATUS_OK : status;
  sqlite3_stmt *next = outbox_statement(outbox, STATEMENT_LANE_NEXT);
  sqlite3_bind_int64(next, 1, where);
  status = outbox_row_step(outbox, next);
  if (status == STATUS_OK && sqlite3_column_type(next, 0) != SQLITE_NULL)
    *out = sqlite3_column_int64(next, 0);
  sqlite3_reset(next);
  return status;
}

/* --- ending an attempt --- */

static const char *const endings[OUTBOX_STATES] = {[OUTBOX_QUEUED] = "waiting",
                                                   [OUTBOX_UNKNOWN] = "unknown",
                                                   [OUTBOX_PARKED] = "parked",
                                                   [OUTBOX_DONE] = "delivered"};

static enum status note_attempt(struct outbox *outbox, const struct outbox_stored *stored,
                                const struct outbox_outcome *outcome, int64_t now) {
  sqlite3_stmt *add = outbox_statement(outbox, STATEMENT_ATTEMPT_ADD);
  sqlite3_bind_int64(add, 1, stored->row.id);
  sqlite3_bind_int64(add, 2, (int64_t)stored->row.attempts + 1);
  sqlite3_bind_int64(add, 3, now);
  sqlite3_bind_int64(add, 4, outcome->took_ms);
  sqlite3_bind_int(add, 5, (int)outcome->state);
  sqlite3_bind_int(add, 6, outcome->http_status);
  outbox_bind_str(add, 7, outcome->reason);
  return outbox_run(outbox, add);
}

/* What was sent was sent, whatever its label looks like now. */
static enum status fetch_sent(struct outbox *outbox, int64_t id, struct outbox_stored *out) {
  const struct outbox_sent *sent = sent_at(outbox, id);
  if (sent->id != id) return outbox_fetch_bare(outbox, id, out);
  *out = (struct outbox_stored){.row = {.id = id, .state = OUTBOX_SENDING, .attempts = sent->attempts},
                                .destination = sent->destination,
                                .lane = sent->lane,
                                .has_payload_salt = sent->has_payload_salt};
  return STATUS_OK;
}

enum status outbox_finish(struct outbox *outbox, int64_t id, const struct outbox_outcome *outcome,
                          int64_t now) {
  struct outbox_stored stored = {0};
  if (outcome->state == OUTBOX_SENDING || outcome->state == OUTBOX_DROPPED ||
      outcome->state >= OUTBOX_STATES || outcome->reason.len > OUTBOX_REASON_MAX)
    return STATUS_INVALID;
  enum status status = outbox_begin(outbox);
  if (status == STATUS_OK) status = fetch_sent(outbox, id, &stored);
  if (status != STATUS_OK) return outbox_end(outbox, status);
  if (stored.row.state != OUTBOX_SENDING) return STATUS_CONFLICT;
  sent_at(outbox, id)->id = 0;
  struct outbox_change change = {.state = outcome->state,
                                 .blocks = outcome->blocks,
                                 .reason = outcome->reason,
                                 .attempts = 1,
                                 .faults = outcome->fault,
                                 .due = outcome->next_at,
                                 .now = now,
                                 .at_once = outcome->state == OUTBOX_DONE && stored.row.attempts == 0,
                                 .took_ms = outcome->took_ms,
                                 .http_status = outcome->http_status};
  struct outbox_event event = {
      .at = now, .record = id, .what = str_of(endings[outcome->state]), .reason = outcome->reason};
  status = outbox_change(outbox, &stored, &change);
  if (status == STATUS_OK && !change.at_once) status = note_attempt(outbox, &stored, outcome, now);
  if (status == STATUS_OK && outcome->state == OUTBOX_DONE) status = outbox_payload_drop(outbox, &stored);
  if (status == STATUS_OK) status = outbox_lane_over(outbox, stored.lane);
  if (status == STATUS_OK) status = outbox_audit_add(outbox, &event);
  return outbox_end(outbox, status);
}
