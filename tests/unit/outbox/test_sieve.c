/* test_sieve.c - what is said to be new is: of what came before nothing is, whether its tree was learnt from its rows after a start, some at
   a time, or noted while they were put there. */
#include "store.h"

#include <stdio.h>
#include "outbox/internal.h"

enum { SOME = 40 * OUTBOX_YOUNG_MAX /* most are in their trees, and more than is learnt at the start */ };

static void put(struct store *store, int number, int64_t revision, enum outbox_answer expected) {
  char name[32], control[48];
  enum outbox_answer answer;
  snprintf(name, sizeof name, "S-%d", number);
  snprintf(control, sizeof control, "%s/%lld", name, (long long)revision);
  struct outbox_item item = {.destination = STR("ehr"),
                             .lane = str_of(name),
                             .kind = STR("bundle"),
                             .payload = STR("x"),
                             .subject = str_of(name),
                             .revision = revision};
  struct outbox_message message = {.source = STR("clinic"), .control = str_of(control), .items = &item, .item_count = 1};
  assert_int_equal(outbox_accept(store->outbox, &message, store->now, &store->diags, &answer, NULL), STATUS_OK);
  assert_int_equal(answer, expected);
}

static void remember(struct store *store, int number) {
  char key[32];
  snprintf(key, sizeof key, "S-%d", number);
  struct outbox_place place = {.location = str_of(key)};
  assert_int_equal(store_place(store, STR("ehr"), str_of(key), str_of(key), &place), STATUS_OK);
}

static void expect_place(struct store *store, int number) {
  char key[32];
  struct outbox_place place;
  snprintf(key, sizeof key, "S-%d", number);
  assert_int_equal(outbox_ledger_get(store->outbox, STR("ehr"), str_of(key), str_of(key), store->arena, &place), STATUS_OK);
  assert_true(str_is(place.location, key));
}

static void put_all(struct store *store) {
  for (int i = 0; i < SOME; i++) {
    put(store, i, 2, OUTBOX_ACCEPTED);
    remember(store, i);
  }
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
}

/* Message, place, and, by one of an older revision, subject; nothing stays of it. */
static void expect_all(struct store *store) {
  for (int i = 0; i < SOME; i++) {
    put(store, i, 2, OUTBOX_AGAIN);
    expect_place(store, i);
    put(store, i, 1, OUTBOX_ACCEPTED);
  }
  assert_int_equal(store_count(store, OUTBOX_PARKED), SOME);
  outbox_abandon(store->outbox);
}

static size_t count_whole(const struct store *store) {
  size_t count = 0;
  for (size_t i = 0; i < TREES; i++)
    count += store->outbox->sieve.learning[i].whole;
  return count;
}

static void sweep(struct store *store) {
  struct outbox_retention retention = {.done_ms = INT64_C(1) << 40};
  struct outbox_swept swept;
  assert_int_equal(outbox_sweep(store->outbox, &retention, store->now, 1, &swept), STATUS_OK);
}

static void what_came_is_known_while_it_is_noted_and_learnt(void **state) {
  struct store *store = *state;
  assert_int_equal(count_whole(store), TREES);
  put_all(store);
  expect_all(store);
  store_reopen(store);
  assert_true(count_whole(store) < TREES);
  expect_all(store);
  for (int i = 0; i < SOME && count_whole(store) < TREES; i++)
    sweep(store);
  assert_int_equal(count_whole(store), TREES);
  expect_all(store);
}

/* What moves while its tree is learnt, before and behind where that has come. */
static void what_moves_meanwhile_is_known(void **state) {
  struct store *store = *state;
  put_all(store);
  store_reopen(store);
  for (int i = SOME; count_whole(store) < TREES; i++) {
    put(store, i, 2, OUTBOX_ACCEPTED);
    remember(store, i);
    sweep(store);
    for (int j = SOME; j <= i; j += 7)
      put(store, j, 2, OUTBOX_AGAIN);
  }
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  expect_all(store);
}

/* A sweep takes keys away and learns the rest; its group is given up, and they are there again. */
static void what_comes_back_is_known(void **state) {
  struct store *store = *state;
  struct outbox_retention retention = {.done_ms = INT64_C(1) << 40, .dedupe_ms = 1};
  struct outbox_swept swept;
  put_all(store);
  store_reopen(store);
  store->now += INT64_C(400) * 86400000;
  for (int i = 0; i < 20; i++)
    assert_int_equal(outbox_sweep(store->outbox, &retention, store->now, SOME, &swept), STATUS_OK);
  assert_int_equal(count_whole(store), TREES);
  outbox_abandon(store->outbox);
  expect_all(store);
}

static void tell(struct store *store, int number, enum outbox_answer expected) {
  char control[32];
  enum outbox_answer answer;
  snprintf(control, sizeof control, "%d", number);
  struct outbox_message message = {.source = STR("clinic"), .control = str_of(control)};
  assert_int_equal(outbox_accept(store->outbox, &message, store->now, &store->diags, &answer, NULL), STATUS_OK);
  assert_int_equal(answer, expected);
}

/* Of a version that keeps more of the newest, or of other hands: they go into the tree unseen. */
static void what_there_was_no_room_for_is_known(void **state) {
  struct store *store = *state;
  for (int i = 0; i < OUTBOX_YOUNG_MAX; i++)
    tell(store, i, OUTBOX_ACCEPTED);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  store_close(store);
  store_sql(store, "INSERT INTO dedupe_new(mark, digest, record, at) SELECT randomblob(16), randomblob(16), -number, 0 FROM (SELECT id AS "
                   "number FROM dedupe_new)");
  store_reopen(store);
  for (int i = 0; i < OUTBOX_YOUNG_MAX; i++)
    tell(store, i, OUTBOX_AGAIN);
}

/* Most of what never came: else it would be of no use. */
static void what_is_new_is_said_to_be(void **state) {
  struct store *store = *state;
  uint64_t key = 1;
  size_t lacking = 0;
  put_all(store);
  for (int i = 0; i < 1000; i++, key = key * 6364136223846793005u + 1442695040888963407u)
    lacking += outbox_sieve_lacks(store->outbox, TREE_DEDUPE, key);
  assert_true(lacking > 990);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(what_came_is_known_while_it_is_noted_and_learnt, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(what_moves_meanwhile_is_known, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(what_comes_back_is_known, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(what_there_was_no_room_for_is_known, store_setup, store_teardown),
      cmocka_unit_test_setup_teardown(what_is_new_is_said_to_be, store_setup, store_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
