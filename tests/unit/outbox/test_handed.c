/* test_handed.c - what came a moment ago is claimed from memory: which records are there, what takes them away, what there is room for. */
#include "store.h"

#include <stdio.h>
#include "outbox/internal.h"

static int64_t put(struct store *store, const char *lane, struct str payload) {
  enum outbox_answer answer;
  int64_t id = 0;
  struct outbox_item item = {.destination = STR("ehr"), .lane = str_of(lane), .kind = STR("bundle"), .label = STR("label"), .payload = payload};
  struct outbox_message message = {.source = STR("t"), .control = arena_printf(store->arena, "%lld", (long long)store->now),
                                   .items = &item,     .item_count = 1};
  assert_int_equal(outbox_accept(store->outbox, &message, store->now++, &store->diags, &answer, &id), STATUS_OK);
  return id;
}

static bool is_handed(struct store *store, int64_t id) {
  return outbox_handed_of(store->outbox, id) != NULL;
}

static void decide(struct store *store, int64_t id, enum outbox_order order) {
  assert_int_equal(outbox_decide(store->outbox, id, order, STR("r"), STR("ada"), store->now), STATUS_OK);
}

/* The next is this one, with these texts. */
static void expect_next(struct store *store, int64_t id, struct str payload) {
  struct outbox_claim claim;
  assert_int_equal(outbox_claim(store->outbox, STR("ehr"), store->now, store->arena, &claim), STATUS_OK);
  assert_int_equal(claim.id, id);
  assert_true(str_eq(claim.payload, payload) && claim.payload.ptr[claim.payload.len] == '\0');
  assert_true(str_is(claim.label, "label") && str_is(claim.kind, "bundle") && str_is(claim.destination, "ehr"));
  assert_true(!claim.attempts && !claim.faults && !claim.unknown && !claim.is_revision);
  assert_false(is_handed(store, id));
  store_finish(store, id, OUTBOX_DONE, 0);
}

static void what_came_is_handed_over_once(void **state) {
  struct store *store = *state;
  int64_t id = put(store, "p", STR("one"));
  assert_true(is_handed(store, id));
  expect_next(store, id, STR("one"));
}

/* Of another state, or with the group: it is read from the store. */
static void what_changes_is_not_handed_over(void **state) {
  struct store *store = *state;
  int64_t one = put(store, "p", STR("one")), other = put(store, "q", STR("other"));
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  decide(store, one, OUTBOX_PARK);
  assert_true(!is_handed(store, one) && is_handed(store, other));
  decide(store, one, OUTBOX_RETRY);
  expect_next(store, other, STR("other")); /* due before */
  expect_next(store, one, STR("one"));
  one = put(store, "p", STR("one"));
  decide(store, one, OUTBOX_DROP);
  assert_false(is_handed(store, one));
}

static void a_group_that_is_given_up_hands_nothing_over(void **state) {
  struct store *store = *state;
  struct outbox_claim claim;
  int64_t kept = put(store, "p", STR("kept"));
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  int64_t id = put(store, "q", STR("given up"));
  outbox_abandon(store->outbox);
  assert_false(is_handed(store, id) || is_handed(store, kept));
  expect_next(store, kept, STR("kept"));
  assert_int_equal(outbox_claim(store->outbox, STR("ehr"), store->now, store->arena, &claim), STATUS_NOT_FOUND);
}

/* A claim that is given up with its group, and an end: the record is what it was. */
static void ends_of_a_group_that_is_given_up_are_made_again(void **state) {
  struct store *store = *state;
  const struct outbox_outcome done = {.state = OUTBOX_DONE, .reason = STR("x")};
  struct outbox_claim claim;
  int64_t id = put(store, "p", STR("one"));
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  assert_int_equal(outbox_claim(store->outbox, STR("ehr"), store->now, store->arena, &claim), STATUS_OK);
  outbox_abandon(store->outbox);
  assert_int_equal(outbox_finish(store->outbox, id, &done, store->now), STATUS_CONFLICT); /* it was never claimed */
  assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
  assert_int_equal(outbox_finish(store->outbox, id, &done, store->now), STATUS_OK);
  assert_int_equal(outbox_finish(store->outbox, id, &done, store->now), STATUS_CONFLICT);
  outbox_abandon(store->outbox);
  assert_int_equal(outbox_finish(store->outbox, id, &done, store->now), STATUS_OK);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  assert_int_equal(store_row(store, id).state, OUTBOX_DONE);
}

/* At rest there is nothing of a patient here. */
static void who_has_nothing_to_do_keeps_nothing(void **state) {
  struct store *store = *state;
  int64_t id = put(store, "p", STR("one"));
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  assert_int_equal(outbox_idle(store->outbox), STATUS_OK);
  assert_false(is_handed(store, id));
  assert_int_equal(store->outbox->handed.bytes, 0);
  expect_next(store, id, STR("one"));
}

/* Text that nothing makes shorter. */
static struct str noise_of(struct store *store, size_t size) {
  char *text = arena_alloc(store->arena, size + 1);
  uint32_t number = (uint32_t)size + 1;
  assert_non_null(text);
  for (size_t i = 0; i < size; i++)
    text[i] = (char)((number = number * 1664525 + 1013904223) >> 24);
  return str_make(text, size);
}

/* One of 64 KiB with kind and label and no more, 1 MiB in all. */
static void there_is_so_much_room_and_no_more(void **state) {
  enum { ONE = (64 << 10) - 11, ALL = 16 };
  struct store *store = *state;
  int64_t ids[ALL + 1];
  for (int over = -1; over <= 1; over++) {
    struct str text = noise_of(store, (size_t)(ONE + over));
    int64_t id = put(store, "p", text);
    assert_int_equal(is_handed(store, id), over <= 0);
    expect_next(store, id, text);
  }
  for (int i = 0; i <= ALL; i++) {
    ids[i] = put(store, "p", noise_of(store, ONE));
    assert_int_equal(is_handed(store, ids[i]), i < ALL);
  }
  for (int i = 0; i <= ALL; i++)
    expect_next(store, ids[i], noise_of(store, ONE));
  assert_int_equal(store->outbox->handed.bytes, 0);
}

/* So many behind each other; who waits too long leaves its place, also when the clock was set back. */
static void what_waits_long_leaves_its_place(void **state) {
  struct store *store = *state;
  int64_t first = put(store, "p", STR("first"));
  for (int i = 1; i < HANDED_MAX; i++)
    put(store, "p", STR("x"));
  int64_t next = put(store, "p", STR("next"));
  assert_true(is_handed(store, first) && !is_handed(store, next));
  store->now += 6000;
  next = put(store, "p", STR("later"));
  assert_true(is_handed(store, next) && !is_handed(store, next - HANDED_MAX));
  store->now -= 20000;
  next = put(store, "p", STR("of a clock that was set back"));
  assert_true(is_handed(store, next));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)
int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(what_came_is_handed_over_once),
      CASE(what_changes_is_not_handed_over),
      CASE(a_group_that_is_given_up_hands_nothing_over),
      CASE(ends_of_a_group_that_is_given_up_are_made_again),
      CASE(who_has_nothing_to_do_keeps_nothing),
      CASE(there_is_so_much_room_and_no_more),
      CASE(what_waits_long_leaves_its_place),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
