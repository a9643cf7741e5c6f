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

/* Of a record in its lane; record 0: none. */
struct place {
  int64_t record, due;
  enum outbox_state state;
};

static enum status read_place(struct outbox *outbox, enum outbox_statement which, int64_t of, struct place *out) {
  sqlite3_stmt *get = outbox_statement(outbox, which);
  sqlite3_bind_int64(get, 1, of);
  enum status status = outbox_row_step(outbox, get);
  if (status == STATUS_OK)
    *out = (struct place){.record = sqlite3_column_int64(get, 0),
                          .state = (enum outbox_state)sqlite3_column_int(get, 1),
                          .due = sqlite3_column_int64(get, 2)};
  sqlite3_reset(get);
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* The oldest open record, if it waits; 0 when there is none or it blocks. */
static enum status first_of_lane(struct outbox *outbox, int64_t lane, int64_t *head, int64_t *due) {
  struct place settled = {0}, fresh = {0};
  int64_t record = 0;
  enum status status = outbox_fresh_first(outbox, lane, &record); /* before the index: it may put some there */
  if (status == STATUS_OK) status = read_place(outbox, STATEMENT_LANE_FIRST, lane, &settled);
  if (status == STATUS_OK && record && (!settled.record || record < settled.record))
    status = read_place(outbox, STATEMENT_FRESH_GET, record, &fresh);
  const struct place *first = fresh.record ? &fresh : &settled;
  if (status != STATUS_OK || first->state == OUTBOX_PARKED) return status;
  *head = first->record;
  *due = first->due;
  return STATUS_OK;
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
