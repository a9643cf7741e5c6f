/* test_dedupe.c - duplicate keys: the newest stand in the order in which they came, the others in a tree by their marks. Whichever
   it is, before and after they move, a message is known again. */
#include "store.h"

#include <stdio.h>

enum { YOUNG = 4096 /* INDEX_MAX of the store */ };

static enum outbox_answer ask(struct store *store, int number, const char *content) {
  char control[32];
  enum outbox_answer answer;
  snprintf(control, sizeof control, "MSG%d", number);
  struct outbox_message message = {.source = STR("clinic"), .control = str_of(control), .content = str_of(content)};
  assert_int_equal(outbox_accept(store->outbox, &message, store->now, &store->diags, &answer, NULL), STATUS_OK);
  return answer;
}

static void commit(struct store *store) {
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
}

static void take(struct store *store, int from, int to) {
  for (int i = from; i < to; i++)
    assert_int_equal(ask(store, i, "x"), OUTBOX_ACCEPTED);
}

static void expect_known(struct store *store, int from, int to) {
  for (int i = from; i < to; i++)
    assert_int_equal(ask(store, i, "x"), OUTBOX_AGAIN);
}

/* Fails when the tables have other numbers of rows; the store is open again. */
static void expect_rows(struct store *store, int tree, int young) {
  char sql[256];
  commit(store);
  store_close(store);
  snprintf(sql, sizeof sql,
           "CREATE TEMP TABLE two(n INTEGER CHECK (n = %d), m INTEGER CHECK (m = %d)); INSERT INTO two SELECT (SELECT count(*) FROM "
           "dedupe), (SELECT count(*) FROM dedupe_new)",
           tree, young);
  store_sql(store, sql);
  store_reopen(store);
}

static void keys_move_when_there_are_too_many(void **state) {
  struct store *store = *state;
  take(store, 0, YOUNG - 1);
  expect_rows(store, 0, YOUNG - 1);
  take(store, YOUNG - 1, YOUNG);
  expect_rows(store, 0, YOUNG);
  expect_known(store, 0, YOUNG);
  take(store, YOUNG, YOUNG + 1);
  expect_known(store, 0, YOUNG + 1);
  expect_rows(store, YOUNG, 1);
  expect_known(store, 0, YOUNG + 1);
  take(store, YOUNG + 1, 2 * YOUNG + 1);
  expect_rows(store, 2 * YOUNG, 1);
  expect_known(store, 0, 2 * YOUNG + 1);
}

/* Other content under the same control id, told apart whether it came before or after the move. */
static void another_content_is_known_on_both_sides_of_a_move(void **state) {
  struct store *store = *state;
  assert_int_equal(ask(store, 0, "x"), OUTBOX_ACCEPTED);
  assert_int_equal(ask(store, 0, "y"), OUTBOX_DIFFERENT);
  for (int round = 0; round < 2; round++) {
    assert_int_equal(ask(store, 0, "x"), OUTBOX_AGAIN);
    assert_int_equal(ask(store, 0, "y"), OUTBOX_DIFFERENT_AGAIN);
    assert_int_equal(ask(store, 0, round ? "b" : "a"), OUTBOX_DIFFERENT);
    take(store, 1 + round * YOUNG, 1 + (round + 1) * YOUNG);
  }
  assert_int_equal(ask(store, 0, "x"), OUTBOX_AGAIN);
  assert_int_equal(ask(store, 0, "b"), OUTBOX_DIFFERENT_AGAIN);
}

/* The group had moved them: they are where they were. */
static void a_group_that_is_given_up_moves_nothing(void **state) {
  struct store *store = *state;
  take(store, 0, YOUNG);
  commit(store);
  take(store, YOUNG, YOUNG + 10);
  outbox_abandon(store->outbox);
  expect_known(store, 0, YOUNG);
  expect_rows(store, 0, YOUNG);
  take(store, YOUNG, YOUNG + 10);
  expect_rows(store, YOUNG, 10);
}

static void keys_of_a_quiet_store_go_too(void **state) {
  struct store *store = *state;
  struct outbox_retention retention = {0};
  struct outbox_swept swept;
  int64_t came = store->now;
  take(store, 0, 3);
  assert_int_equal(outbox_sweep(store->outbox, &retention, came + LIMIT_OUTBOX_DEDUPE_MS, 10, &swept), STATUS_OK);
  assert_int_equal(swept.keys, 0);
  expect_known(store, 0, 3);
  assert_int_equal(outbox_sweep(store->outbox, &retention, came + LIMIT_OUTBOX_DEDUPE_MS + 1, 10, &swept), STATUS_OK);
  assert_int_equal(swept.keys, 3);
  expect_rows(store, 0, 0);
  take(store, 0, 3);
}

/* Of a version that keeps more of them, or of other hands. */
static void more_than_there_is_room_for_are_known_too(void **state) {
  struct store *store = *state;
  take(store, 0, 1);
  commit(store);
  store_close(store);
  store_sql(store, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO dedupe_new(mark, "
                   "digest, record, at) SELECT randomblob(16), randomblob(16), 1000000 + i, 0 FROM n; INSERT INTO dedupe_new(mark, "
                   "digest, record, at) VALUES (x'00', x'00', 2, 0)");
  store_reopen(store);
  expect_known(store, 0, 1);
  take(store, 1, 3);
  expect_rows(store, 20002, 2);
  expect_known(store, 0, 3);
}

/* --- those of records: with their event --- */

static enum outbox_answer ask_record(struct store *store, int number, int64_t *id) {
  char control[32];
  enum outbox_answer answer;
  snprintf(control, sizeof control, "R%d", number);
  struct outbox_item items[2] = {{.destination = STR("ehr"), .lane = str_of(control), .kind = STR("bundle"), .payload = STR("p")}};
  items[1] = items[0];
  struct outbox_message message = {
      .source = STR("clinic"), .control = str_of(control), .content = STR("x"), .items = items, .item_count = 2};
  int64_t ids[2] = {0};
  assert_int_equal(outbox_accept(store->outbox, &message, store->now, &store->diags, &answer, ids), STATUS_OK);
  *id = ids[0];
  return answer;
}

static void take_records(struct store *store, int from, int to) {
  int64_t id;
  for (int i = from; i < to; i++)
    assert_int_equal(ask_record(store, i, &id), OUTBOX_ACCEPTED);
}

/* The first record of each, as it was numbered then. */
static void expect_records_known(struct store *store, int from, int to) {
  for (int i = from; i < to; i++) {
    int64_t id = 0;
    assert_int_equal(ask_record(store, i, &id), OUTBOX_AGAIN);
    assert_int_equal(id, 2 * i + 1);
  }
}

/* One that no record came of, between them: all move together, and none is in two places. */
static void keys_of_records_move_from_the_trail(void **state) {
  struct store *store = *state;
  take_records(store, 0, YOUNG - 1);
  take(store, 0, 1);
  expect_rows(store, 0, 1);
  expect_records_known(store, 0, YOUNG - 1);
  expect_known(store, 0, 1);
  take(store, 1, 2);
  expect_rows(store, YOUNG, 1);
  expect_records_known(store, 0, YOUNG - 1);
  expect_known(store, 0, 2);
}

/* What is exported goes from the trail; what it knew of messages is in the tree by then. */
static void keys_outlive_the_trail_they_stood_with(void **state) {
  struct store *store = *state;
  struct outbox_retention retention = {.done_ms = INT64_C(1) << 40};
  struct outbox_swept swept;
  struct outbox_event *events;
  size_t count;
  take_records(store, 0, 3);
  assert_int_equal(outbox_audit_exported(store->outbox, 6, STR("ada"), store->now), STATUS_OK);
  assert_int_equal(outbox_sweep(store->outbox, &retention, store->now, 100, &swept), STATUS_OK);
  assert_int_equal(swept.events, 6);
  expect_records_known(store, 0, 3);
  expect_rows(store, 3, 0);
  expect_records_known(store, 0, 3);
  assert_int_equal(outbox_audit_read(store->outbox, 0, 99, store->arena, &store->diags, &events, &count), STATUS_OK);
}

/* The trail grows by other things than messages: where the keys begin in it is not left far behind. */
static void keys_do_not_stay_far_back_in_the_trail(void **state) {
  struct store *store = *state;
  struct outbox_retention retention = {0};
  struct outbox_swept swept;
  take_records(store, 0, 1);
  for (int i = 0; i < 4 * YOUNG; i++)
    assert_int_equal(outbox_audit(store->outbox, STR("reload"), STR("ada"), STR(""), store->now), STATUS_OK);
  assert_int_equal(outbox_sweep(store->outbox, &retention, store->now, 1, &swept), STATUS_OK);
  expect_rows(store, 1, 0);
  expect_records_known(store, 0, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(keys_move_when_there_are_too_many, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(another_content_is_known_on_both_sides_of_a_move, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(a_group_that_is_given_up_moves_nothing, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(keys_of_a_quiet_store_go_too, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(keys_of_records_move_from_the_trail, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(keys_outlive_the_trail_they_stood_with, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(keys_do_not_stay_far_back_in_the_trail, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(more_than_there_is_room_for_are_known_too, store_setup, store_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
