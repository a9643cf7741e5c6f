/* lane.c - destinations and lanes: whose turn it is. */
#include "outbox/internal.h"

/* --- destinations: few, and asked for all the time, so they are kept --- */

static enum status add_destination(struct outbox *outbox, struct str name, int64_t *out) {
  sqlite3_stmt *add = outbox_statement(outbox, STATEMENT_DESTINATION_ADD);
  outbox_bind_str(add, 1, name);
  enum status status = outbox_row_step(outbox, add);
  if (status == STATUS_OK) *out = sqlite3_column_int64(add, 0);
  if (status == STATUS_OK) status = outbox_run(outbox, add);
  return status;
}

static bool recall(const struct outbox *outbox, struct str name, int64_t *out) {
  for (size_t i = 0; i < outbox->now.known; i++) {
    const struct outbox_known *known = &outbox->known[i];
    if (!str_eq(str_make(known->name, known->len), name)) continue;
    *out = known->id;
    return true;
  }
  return false;
}

static void keep(struct outbox *outbox, struct str name, int64_t id) {
  if (outbox->now.known == DESTINATIONS_MAX || name.len > OUTBOX_NAME_MAX) return;
  struct outbox_known *known = &outbox->known[outbox->now.known++];
  *known = (struct outbox_known){.id = id, .len = name.len};
  memcpy(known->name, name.ptr, name.len);
}

/* LIMIT: there are too many. */
enum status outbox_destination_id(struct outbox *outbox, struct str name, bool add, int64_t *out) {
  if (name.len && recall(outbox, name, out)) return STATUS_OK;
  sqlite3_stmt *find = outbox_statement(outbox, STATEMENT_DESTINATION_FIND);
  outbox_bind_str(find, 1, name);
  enum status status = outbox_row_step(outbox, find);
  if (status == STATUS_OK) *out = sqlite3_column_int64(find, 0);
  sqlite3_reset(find);
  if (status == STATUS_NOT_FOUND && add) status = add_destination(outbox, name, out);
  if (status == STATUS_OK && *out > DESTINATIONS_MAX) return STATUS_LIMIT;
  if (status == STATUS_OK) keep(outbox, name, *out);
  return status;
}

enum status outbox_destinations(struct outbox *outbox, struct arena *arena, struct str **names, size_t *count) {
  enum status status = outbox->failed ? STATUS_IO : STATUS_OK;
  *count = 0;
  *names = ARENA_ARRAY(arena, struct str, DESTINATIONS_MAX);
  if (!*names) return STATUS_NOMEM;
  sqlite3_stmt *list = outbox_statement(outbox, STATEMENT_DESTINATION_LIST);
  sqlite3_bind_int64(list, 1, DESTINATIONS_MAX);
  while (status == STATUS_OK && (status = outbox_row_step(outbox, list)) == STATUS_OK) {
    struct str name = arena_str(arena, outbox_column_str(list, 0));
    if (name.ptr)
      (*names)[(*count)++] = name;
    else
      status = STATUS_NOMEM;
  }
  sqlite3_reset(list);
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* --- lanes --- */

static enum status set_head(struct outbox *outbox, int64_t lane, int64_t head, int64_t due) {
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

/* A younger one can be on its way, when the oldest was parked, passed over and retried. */
static enum status is_sending(struct outbox *outbox, int64_t lane, bool *sending) {
  sqlite3_stmt *find = outbox_statement(outbox, STATEMENT_LANE_GET);
  sqlite3_bind_int64(find, 1, lane);
  enum status status = outbox_row_step(outbox, find);
  *sending = status == STATUS_OK && sqlite3_column_int64(find, 0) != 0;
  sqlite3_reset(find);
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status outbox_lane_over(struct outbox *outbox, int64_t lane) {
  int64_t head = 0, due = 0;
  enum status status = first_of_lane(outbox, lane, &head, &due);
  return status == STATUS_OK ? set_head(outbox, lane, head, due) : status;
}

enum status outbox_lane_turn(struct outbox *outbox, int64_t lane) {
  bool sending = false;
  enum status status = is_sending(outbox, lane, &sending);
  return status == STATUS_OK && !sending ? outbox_lane_over(outbox, lane) : status;
}

enum status outbox_lane_sends(struct outbox *outbox, int64_t lane, int64_t record) {
  sqlite3_stmt *set = outbox_statement(outbox, STATEMENT_LANE_SENDS);
  sqlite3_bind_int64(set, 1, lane);
  sqlite3_bind_int64(set, 2, record);
  return outbox_run(outbox, set);
}
