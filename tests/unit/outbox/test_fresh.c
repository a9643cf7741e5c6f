/* test_fresh.c - the newest records are found in their lanes without an index: what is in it, and what is not yet, goes in one order. */
#include "store.h"

#include <stdio.h>

enum { FRESH = 1024 /* FRESH_MAX of the store */ };

static void put_parked(struct store *store, const char *lane, struct str parked) {
  enum outbox_answer answer;
  struct outbox_item item = {.destination = STR("ehr"), .lane = str_of(lane), .kind = STR("bundle"), .payload = STR("x"), .parked = parked};
  char control[32];
  snprintf(control, sizeof control, "%lld", (long long)store->now++);
  struct outbox_message message = {.source = STR("clinic"), .control = str_of(control), .items = &item, .item_count = 1};
  assert_int_equal(outbox_accept(store->outbox, &message, store->now, &store->diags, &answer, NULL), STATUS_OK);
}

static void put(struct store *store, const char *lane) {
  put_parked(store, lane, (struct str){0});
}

static void commit(struct store *store) {
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
}

/* Fails when the closed store has other numbers of records in the index of lanes, and not yet. */
static void expect_places(struct store *store, int settled, int fresh) {
  char sql[256];
  commit(store);
  store_close(store);
  snprintf(sql, sizeof sql,
           "CREATE TEMP TABLE two(n INTEGER CHECK (n = %d), m INTEGER CHECK (m = %d)); INSERT INTO two SELECT (SELECT count(*) FROM "
           "record WHERE open = 1), (SELECT count(*) FROM record WHERE open = 2)",
           settled, fresh);
  store_sql(store, sql);
  store_reopen(store);
}

/* The lane's next is the record `id`, which is delivered. */
static void deliver(struct store *store, int64_t id) {
  struct outbox_claim claim;
  assert_int_equal(outbox_claim(store->outbox, STR("ehr"), store->now, store->arena, &claim), STATUS_OK);
  assert_int_equal(claim.id, id);
  struct outbox_outcome done = {.state = OUTBOX_DONE, .reason = STR("http-200")};
  assert_int_equal(outbox_finish(store->outbox, id, &done, store->now), STATUS_OK);
  arena_reset(store->arena);
}

static void records_of_a_lane_go_in_order_whether_settled_or_not(void **state) {
  struct store *store = *state;
  for (int i = 0; i < FRESH; i++)
    put(store, "p");
  expect_places(store, 0, FRESH);
  deliver(store, 1);
  put(store, "p");
  expect_places(store, 0, FRESH);
  put(store, "p");
  expect_places(store, FRESH, 1);
  for (int64_t id = 2; id <= FRESH + 2; id++)
    deliver(store, id);
  expect_places(store, 0, 0);
  put(store, "p");
  deliver(store, FRESH + 3);
}

/* What comes and goes never stands in the index. */
static void what_is_delivered_soon_is_never_settled(void **state) {
  struct store *store = *state;
  for (int i = 1; i <= 3 * FRESH; i++) {
    put(store, i % 2 ? "p" : "");
    deliver(store, i);
  }
  put(store, "q");
  expect_places(store, 0, 1);
}

/* One that stays is not left so far behind that all since would have to be looked at. */
static void one_that_stays_is_settled(void **state) {
  struct store *store = *state;
  put(store, "p");
  commit(store);
  assert_int_equal(outbox_decide(store->outbox, 1, OUTBOX_PARK, STR(""), STR("ada"), store->now), STATUS_OK);
  for (int i = 2; i <= 16 * FRESH + 1; i++) {
    put(store, "");
    deliver(store, i);
    if (i % 64 == 0) commit(store);
  }
  expect_places(store, 0, 1);
  put(store, "p");
  expect_places(store, 1, 1);
}

/* Nor behind such as hold no place. */
static void one_that_stays_is_settled_when_others_are_parked(void **state) {
  struct store *store = *state;
  put(store, "p");
  for (int i = 2; i <= 16 * FRESH + 1; i++)
    put_parked(store, "", STR("for-a-reason"));
  expect_places(store, 0, 1);
  put_parked(store, "", STR("for-a-reason"));
  expect_places(store, 1, 0);
  deliver(store, 1);
}

/* Who was parked and passed comes back into the index: between an older one and a younger one that are not there. */
static void one_that_comes_back_has_its_place_again(void **state) {
  static const enum outbox_order orders[] = {OUTBOX_PARK, OUTBOX_PASS, OUTBOX_RETRY};
  struct store *store = *state;
  for (int i = 0; i < 3; i++)
    put(store, "p");
  for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++)
    assert_int_equal(outbox_decide(store->outbox, 2, orders[i], STR(""), STR("ada"), store->now), STATUS_OK);
  expect_places(store, 1, 2);
  for (int64_t id = 1; id <= 3; id++)
    deliver(store, id);
}

static void a_group_that_is_given_up_leaves_them_as_they_were(void **state) {
  struct store *store = *state;
  int64_t id, at;
  for (int i = 0; i < FRESH; i++)
    put(store, i % 2 ? "p" : "q");
  commit(store);
  for (int i = 0; i < 10; i++)
    put(store, "p");
  deliver(store, 1);
  outbox_abandon(store->outbox);
  assert_int_equal(outbox_oldest(store->outbox, &id, &at), STATUS_OK);
  assert_int_equal(id, 1);
  for (int i = 1; i <= FRESH / 2; i++)
    deliver(store, i);
  outbox_abandon(store->outbox);
  expect_places(store, 0, FRESH);
  for (int i = 1; i <= FRESH; i++)
    deliver(store, i);
  expect_places(store, 0, 0);
}

static void the_oldest_is_found_wherever_it_stands(void **state) {
  struct store *store = *state;
  int64_t id, at;
  put(store, "a");
  put(store, "b");
  deliver(store, 1);
  assert_int_equal(outbox_oldest(store->outbox, &id, &at), STATUS_OK);
  assert_int_equal(id, 2);
  for (int i = 0; i < FRESH; i++)
    put(store, "c");
  assert_int_equal(outbox_oldest(store->outbox, &id, &at), STATUS_OK);
  assert_int_equal(id, 2);
  deliver(store, 2);
  assert_int_equal(outbox_oldest(store->outbox, &id, &at), STATUS_OK);
  assert_int_equal(id, 3);
}

/* Of a version that keeps more of them, or of other hands. */
static void more_than_there_is_room_for_are_settled(void **state) {
  struct store *store = *state;
  for (int i = 0; i < FRESH + 10; i++)
    put(store, "p");
  commit(store);
  store_close(store);
  store_sql(store, "UPDATE record SET open = 2");
  store_reopen(store);
  expect_places(store, FRESH + 10, 0);
  deliver(store, 1);
  deliver(store, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(records_of_a_lane_go_in_order_whether_settled_or_not, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(what_is_delivered_soon_is_never_settled, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(one_that_stays_is_settled, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(one_that_stays_is_settled_when_others_are_parked, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(one_that_comes_back_has_its_place_again, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(a_group_that_is_given_up_leaves_them_as_they_were, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(the_oldest_is_found_wherever_it_stands, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(more_than_there_is_room_for_are_settled, store_setup, store_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
