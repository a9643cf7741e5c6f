/* lane.c - destinations and lanes: whose turn it is. */
#include "outbox/internal.h"

static enum status add_destination(struct outbox *outbox, struct str name, int64_t *out) {
  sqlite3_stmt *add = outbox_statement(outbox, STATEMENT_DESTINATION_ADD);
  outbox_bind_str(add, 1, name);
  enum status status = outbox_row_step(outbox, add);
  if (status == STATUS_OK) *out = sqlite3_column_int64(add, 0);
  if (status == STATUS_OK) status = outbox_run(outbox, add);
  return status;
}

enum status outbox_destination_id(struct outbox *outbox, struct str name, bool add, int64_t *out) {
  sqlite3_stmt *find = outbox_statement(outbox, STATEMENT_DESTINATION_FIND);
  outbox_bind_str(find, 1, name);
  enum status status = outbox_row_step(outbox, find);
  if (status == STATUS_OK) *out = sqlite3_column_int64(find, 0);
  sqlite3_reset(find);
  if (status != STATUS_NOT_FOUND || !add) return status;
  return add_destination(outbox, name, out);
}

enum status outbox_lane_head(struct outbox *outbox, int64_t lane, int64_t head, int64_t due) {
  sqlite3_stmt *set = outbox_statement(outbox, STATEMENT_LANE_HEAD);
  sqlite3_bind_int64(set, 1, lane);
  if (head) sqlite3_bind_int64(set, 2, head);
  sqlite3_bind_int64(set, 3, due);
  return outbox_run(outbox, set);
}

/* The oldest open record, if it waits; 0 when there is none or it blocks. */
static enum status first_of_lane(struct outbox *outbox, int64_t lane, int64_t *head, int64_t *due) {
  sqlite3_stmt *first = outbox_statement(outbox, STATEMENT_LANE_FIRST);
  sqlite3_bind_int64(first, 1, lane);
  enum status status = outbox_row_step(outbox, first);
  if (status == STATUS_OK && sqlite3_column_int(first, 1) != OUTBOX_PARKED) {
    *head = sqlite3_column_int64(first, 0);
    *due = sqlite3_column_int64(first, 2);
  }
  sqlite3_reset(first);
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* NOT_FOUND: none is on its way. A younger one can be, when the oldest was parked, passed over and retried.
 */
static enum status is_sending(struct outbox *outbox, int64_t lane) {
  sqlite3_stmt *sending = outbox_statement(outbox, STATEMENT_LANE_SENDING);
  sqlite3_bind_int64(sending, 1, lane);
  enum status status = outbox_row_step(outbox, sending);
  sqlite3_reset(sending);
  return status;
}

enum status outbox_lane_turn(struct outbox *outbox, int64_t lane) {
  int64_t head = 0, due = 0;
  enum status status = is_sending(outbox, lane);
  if (status == STATUS_NOT_FOUND) status = first_of_lane(outbox, lane, &head, &due);
  return status == STATUS_OK ? outbox_lane_head(outbox, lane, head, due) : status;
}
