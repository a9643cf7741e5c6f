/* store.c - a store in a folder of its own for a test. */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <sqlite3.h>
#include <sys/stat.h>

int store_setup(void **state) {
  struct store *store = calloc(1, sizeof *store);
  if (!store) return -1;
  snprintf(store->folder, sizeof store->folder, "/tmp/ketlink-outbox-XXXXXX");
  if (!mkdtemp(store->folder)) return -1;
  if (sqlite3_initialize() != SQLITE_OK) return -1; /* before a store is opened: some tests ask how much memory is in use */
  store->arena = arena_new(64 << 20);
  diag_list_init(&store->diags, store->arena);
  store->keys.count = 1;
  store->keys.ids[0] = 1;
  memset(store->keys.keys[0], 7, OUTBOX_KEY_BYTES);
  store->now = 1000000;
  store->params = (struct outbox_params){
      .host = host_system(), .folder = store->folder, .keys = &store->keys, .reserve_bytes = 1};
  *state = store;
  if (store_try(store) == STATUS_OK) return 0;
  for (const struct diag *diag = store->diags.first; diag; diag = diag->next)
    print_error("%.*s\n", STR_ARG(diag->message));
  return -1;
}

int store_teardown(void **state) {
  struct store *store = *state;
  char command[128];
  store_close(store);
  arena_free(store->arena);
  snprintf(command, sizeof command, "rm -rf '%s'", store->folder);
  free(store);
  return system(command);
}

void store_close(struct store *store) {
  outbox_close(store->outbox);
  store->outbox = NULL;
}

enum status store_try(struct store *store) {
  diag_list_init(&store->diags, store->arena);
  store_close(store);
  struct str *waiting = NULL;
  size_t count = 0;
  enum status seen = outbox_look(&store->params, &store->diags, &waiting, &count);
  diag_list_init(&store->diags, store->arena);
  enum status status = outbox_open(&store->params, &store->diags, &store->outbox);
  assert_true(seen == STATUS_OK || seen == status); /* what is seen from outside is so */
  return status;
}

void store_reopen(struct store *store) {
  assert_int_equal(store_try(store), STATUS_OK);
}

bool store_said(const struct store *store, const char *part) {
  for (const struct diag *diag = store->diags.first; diag; diag = diag->next)
    if (str_find(diag->message, str_of(part), 0) != SIZE_MAX) return true;
  return false;
}

const char *store_path(struct store *store, const char *name) {
  return arena_printf(store->arena, "%s/%s", store->folder, name).ptr;
}

void store_sql(struct store *store, const char *sql) {
  sqlite3 *db = NULL;
  char *message = NULL;
  assert_null(store->outbox);
  assert_int_equal(sqlite3_open(store_path(store, "outbox.db"), &db), SQLITE_OK);
  if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s: %s", sql, message);
  sqlite3_close(db);
}

int64_t store_put(struct store *store, const char *destination, const char *lane, const char *payload) {
  enum outbox_answer answer;
  int64_t id = 0;
  struct outbox_item item = {.destination = str_of(destination),
                             .lane = str_of(lane),
                             .kind = STR("bundle"),
                             .label = str_of(payload),
                             .payload = str_of(payload)};
  struct outbox_message message = {.source = STR("test"),
                                   .content = arena_printf(store->arena, "%s %s", destination, payload),
                                   .items = &item,
                                   .item_count = 1};
  assert_int_equal(outbox_accept(store->outbox, &message, ++store->now, &store->diags, &answer, &id),
                   STATUS_OK);
  assert_int_equal(answer, OUTBOX_ACCEPTED);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  return id;
}

enum status store_claim(struct store *store, const char *destination, struct outbox_claim *out) {
  enum status status = outbox_claim(store->outbox, str_of(destination), ++store->now, store->arena, out);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  return status;
}

void store_finish(struct store *store, int64_t id, enum outbox_state state, int64_t next_at) {
  struct outbox_outcome outcome = {.state = state,
                                   .next_at = next_at,
                                   .reason = STR("http-503"),
                                   .http_status = 503,
                                   .took_ms = 5,
                                   .blocks = true};
  assert_int_equal(outbox_finish(store->outbox, id, &outcome, ++store->now), STATUS_OK);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
}

enum status store_place(struct store *store, struct str destination, struct str key, struct str identifier,
                        const struct outbox_place *place) {
  struct outbox_placed placed = {.key = key, .identifier = identifier, .place = *place};
  return outbox_ledger_put(store->outbox, destination, &placed, 1, 1);
}

struct outbox_row store_row(struct store *store, int64_t id) {
  struct outbox_row row = {0};
  assert_int_equal(outbox_get(store->outbox, id, store->arena, &row), STATUS_OK);
  return row;
}

size_t store_count(struct store *store, enum outbox_state state) {
  struct outbox_stats stats;
  assert_int_equal(outbox_stats(store->outbox, (struct str){0}, &stats), STATUS_OK);
  return stats.by_state[state];
}
