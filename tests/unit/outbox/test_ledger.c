/* test_ledger.c - rows of the ledger: families that grow, forks, what is put together, what is damaged; and rows that are found by marks. */
#include "store.h"

#include <stdio.h>

enum { ONE_ROW = OUTBOX_FAMILY_MAX, FORKED = 17 /* and the sixteen that it forked to: of so many places none stays empty */ };

/* Of the resources of one session; `version` is in its etag. */
static struct outbox_placed placed_of(struct store *store, int number, int version) {
  return (struct outbox_placed){
      .key = arena_printf(store->arena, "S-1/vitals/V%d", number),
      .identifier = arena_printf(store->arena, "urn:uuid:%d", number),
      .place = {.location = arena_printf(store->arena, "Observation/%d", number),
                .etag = arena_printf(store->arena, "%d", version),
                .digest = STR("00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef")}};
}

static void put_range(struct store *store, int from, int to, int version) {
  struct outbox_placed *placed = ARENA_ARRAY(store->arena, struct outbox_placed, (size_t)(to - from) + 1);
  for (int i = from; i < to; i++)
    placed[i - from] = placed_of(store, i, version);
  assert_int_equal(outbox_ledger_put(store->outbox, STR("ehr"), placed, (size_t)(to - from), 1), STATUS_OK);
}

static enum status get(struct store *store, int number, struct outbox_place *out) {
  struct outbox_placed placed = placed_of(store, number, 0);
  return outbox_ledger_get(store->outbox, STR("ehr"), placed.key, placed.identifier, store->arena, out);
}

static void expect_range(struct store *store, int from, int to, int version) {
  struct outbox_place got;
  for (int i = from; i < to; i++) {
    struct outbox_placed placed = placed_of(store, i, version);
    assert_int_equal(get(store, i, &got), STATUS_OK);
    assert_true(str_eq(got.location, placed.place.location) && str_eq(got.etag, placed.place.etag));
    assert_true(str_eq(got.digest, placed.place.digest));
  }
  assert_int_equal(get(store, to, &got), STATUS_NOT_FOUND);
}

static void commit_and_reopen(struct store *store) {
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  store_reopen(store);
}

/* Fails when there are not so many; the store is open again. */
static void expect_rows(struct store *store, int rows, int places) {
  char sql[256];
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  store_close(store);
  snprintf(sql, sizeof sql,
           "CREATE TEMP TABLE two(n INTEGER CHECK (n = %d), m INTEGER CHECK (m = %d)); INSERT INTO two SELECT count(*), "
           "sum(places) FROM family",
           rows, places);
  store_sql(store, sql);
  store_reopen(store);
}

static void places_of_a_family_stand_in_one_row_until_they_are_too_many(void **state) {
  static const int counts[] = {1, ONE_ROW - 1, ONE_ROW, ONE_ROW + 1};
  for (size_t i = 0; i < 2 * sizeof counts / sizeof counts[0]; i++) {
    void *fresh = NULL;
    assert_int_equal(store_setup(&fresh), 0);
    struct store *store = fresh;
    int count = counts[i / 2];
    if (i % 2) /* one after the other, or all together */
      for (int n = 0; n < count; n++)
        put_range(store, n, n + 1, 1);
    else
      put_range(store, 0, count, 1);
    expect_range(store, 0, count, 1);
    expect_rows(store, count <= ONE_ROW ? 1 : FORKED, count);
    expect_range(store, 0, count, 1);
    put_range(store, 0, count, 2); /* in their place */
    expect_rows(store, count <= ONE_ROW ? 1 : FORKED, count);
    expect_range(store, 0, count, 2);
    assert_int_equal(store_teardown(&fresh), 0);
  }
  (void)state;
}

/* Forks of forks; what is given up with its group is as it was before. */
static void a_family_grows_without_end(void **state) {
  enum { FIRST = 100, MANY = 20 * ONE_ROW };
  struct store *store = *state;
  put_range(store, 0, FIRST, 1);
  commit_and_reopen(store);
  put_range(store, FIRST, MANY, 2);
  expect_range(store, FIRST, MANY, 2);
  outbox_abandon(store->outbox);
  expect_range(store, 0, FIRST, 1);
  expect_rows(store, 1, FIRST);
  put_range(store, FIRST, MANY, 2);
  for (int i = MANY; i < MANY + 50; i++)
    put_range(store, i, i + 1, 2);
  put_range(store, 0, FIRST, 2);
  expect_range(store, 0, MANY + 50, 2);
  commit_and_reopen(store);
  expect_range(store, 0, MANY + 50, 2);
}

/* Families, one identifier twice, another without a digest: the order does not matter, but of two the later one holds. */
static void what_is_put_together_is_there(void **state) {
  static const char *const keys[] = {"S-2/doses", "patient/M1", "S-2", "clinic/riverside", "patient/M1/coverage/1", "S-2/doses"};
  static const char *const identifiers[] = {"a", "b", "c", "d", "e", "a"};
  enum { COUNT = sizeof keys / sizeof keys[0] };
  struct store *store = *state;
  struct outbox_placed placed[COUNT];
  struct outbox_place got;
  for (int i = 0; i < COUNT; i++)
    placed[i] = (struct outbox_placed){.key = str_of(keys[i]), .identifier = str_of(identifiers[i])},
    placed[i].place.location = arena_printf(store->arena, "Basic/%d", i);
  assert_int_equal(outbox_ledger_put(store->outbox, STR("ehr"), placed, 0, 1), STATUS_OK);
  assert_int_equal(outbox_ledger_put(store->outbox, STR("ehr"), placed, COUNT, 1), STATUS_OK);
  for (int again = 0; again < 2; again++) {
    for (int i = 1; i < COUNT; i++) {
      assert_int_equal(outbox_ledger_get(store->outbox, STR("ehr"), placed[i].key, placed[i].identifier, store->arena, &got), STATUS_OK);
      assert_true(str_eq(got.location, placed[i].place.location) && !got.etag.len && !got.digest.len);
    }
    commit_and_reopen(store);
  }
  expect_rows(store, 3, COUNT - 1);
}

/* A place of so many bytes and no more; the others of the call are put. */
static void a_place_has_a_most(void **state) {
  struct store *store = *state;
  char location[LIMIT_OUTBOX_LABEL + 2];
  struct outbox_place got;
  memset(location, 'x', sizeof location);
  for (int over = -1; over <= 1; over++) {
    struct outbox_placed placed[] = {placed_of(store, 1, 1), placed_of(store, 2, 1), placed_of(store, 3 + over, over)};
    placed[1].place = (struct outbox_place){.location = str_make(location, (size_t)(LIMIT_OUTBOX_LABEL - 3 + over)),
                                            .etag = STR("17"),
                                            .digest = STR("d")};
    assert_int_equal(outbox_ledger_put(store->outbox, STR("ehr"), placed, 3, 1), over > 0 ? STATUS_INVALID : STATUS_OK);
    commit_and_reopen(store);
    if (over < 0) continue; /* the third took its place */
    assert_int_equal(get(store, 2, &got), STATUS_OK);
    assert_int_equal(got.location.len, LIMIT_OUTBOX_LABEL - 3);
    assert_true(str_is(got.etag, "17") && str_is(got.digest, "d"));
    assert_int_equal(get(store, 3 + over, &got), STATUS_OK);
  }
}

/* More than is kept in memory. */
static void large_rows_of_many_families_are_told_apart(void **state) {
  enum { FAMILIES = 50, PLACES = 100, BYTES = 1000 };
  struct store *store = *state;
  char location[BYTES];
  memset(location, 'y', sizeof location);
  for (int round = 0; round < 2; round++)
    for (int i = 0; i < FAMILIES; i++) {
      struct outbox_placed placed[PLACES];
      for (int n = 0; n < PLACES; n++) {
        placed[n] = placed_of(store, n, i + round);
        placed[n].key = arena_printf(store->arena, "S-%d/x", i);
        placed[n].place.location = str_make(location, sizeof location - (size_t)i);
        placed[n].place.digest = STR("");
      }
      assert_int_equal(outbox_ledger_put(store->outbox, STR("ehr"), placed, PLACES, 1), STATUS_OK);
    }
  for (int i = 0; i < FAMILIES; i++) {
    struct outbox_place got;
    struct str key = arena_printf(store->arena, "S-%d/x", i);
    assert_int_equal(outbox_ledger_get(store->outbox, STR("ehr"), key, STR("urn:uuid:7"), store->arena, &got), STATUS_OK);
    assert_int_equal(got.location.len, BYTES - i);
    assert_true(str_eq(got.etag, arena_printf(store->arena, "%d", i + 1)));
  }
}

/* It says so, and what is put is there again; nothing of before comes back with it: it may have changed since. */
static void a_damaged_row_is_written_over(void **state) {
  static const struct {
    const char *sql;
    int places;
  } cases[] = {{"UPDATE family SET sealed = zeroblob(length(sealed)) WHERE id = 1", 3},
               {"UPDATE family SET sealed = X''", 3},
               {"UPDATE family SET sealed = (SELECT sealed FROM family WHERE id = 2) WHERE id = 1", 3},
               {"UPDATE family SET sealed = zeroblob(length(sealed)) WHERE places = 0", ONE_ROW + 1}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    void *fresh = NULL;
    assert_int_equal(store_setup(&fresh), 0);
    struct store *store = fresh;
    struct outbox_place got, other = {.location = STR("Patient/1")};
    put_range(store, 0, cases[i].places, 1);
    assert_int_equal(store_place(store, STR("ehr"), STR("S-2"), STR("x"), &other), STATUS_OK);
    assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
    store_close(store);
    store_sql(store, cases[i].sql);
    store_reopen(store);
    assert_int_equal(get(store, 1, &got), STATUS_INVALID);
    put_range(store, 1, 2, 2);
    assert_int_equal(get(store, 0, &got), STATUS_NOT_FOUND);
    put_range(store, 1000, 1000 + ONE_ROW, 2); /* a fork again */
    for (int n = 0; n < cases[i].places; n++)
      assert_int_equal(get(store, n, &got), n == 1 ? STATUS_OK : STATUS_NOT_FOUND);
    assert_int_equal(get(store, 1, &got), STATUS_OK);
    assert_true(str_is(got.etag, "2"));
    assert_int_equal(store_teardown(&fresh), 0);
  }
  (void)state;
}

/* --- what is left out --- */

#define OWNER "0a1b2c3d"
#define OTHER "ffffffff"
static const char digest_of_one[] = "00112233445566778899aabbccddeeff0123456789abcdef01234567" OWNER;
static const char digest_of_other[] = "00112233445566778899aabbccddeeff0123456789abcdef01234567" OTHER;

static void put_owned(struct store *store, int from, int to, const char *digest) {
  for (int i = from; i < to; i++) {
    struct outbox_placed placed = placed_of(store, i, 1);
    placed.place.digest = str_of(digest);
    assert_int_equal(outbox_ledger_put(store->outbox, STR("ehr"), &placed, 1, 1), STATUS_OK);
  }
}

/* A delivery that has [from, to); how many it leaves out. */
static size_t leave_out(struct store *store, int from, int to, int64_t record) {
  struct str *identifiers = ARENA_ARRAY(store->arena, struct str, (size_t)(to - from) + 1);
  for (int i = from; i < to; i++)
    identifiers[i - from] = placed_of(store, i, 1).identifier;
  struct outbox_whole whole = {
      .key = STR("S-1"), .owner = STR(OWNER), .identifiers = identifiers, .count = (size_t)(to - from), .record = record};
  size_t count = 99;
  assert_int_equal(outbox_leave_out(store->outbox, STR("ehr"), &whole, 1, &count), STATUS_OK);
  return count;
}

static size_t count_left_out(struct store *store, int64_t record) {
  struct str *locations = NULL;
  size_t count = 99;
  assert_int_equal(outbox_left_out(store->outbox, STR("ehr"), STR("S-1"), record, store->arena, &locations, &count), STATUS_OK);
  return count;
}

static size_t count_events(struct store *store) {
  struct outbox_event *events = NULL;
  size_t count = 0, found = 0;
  assert_int_equal(outbox_audit_read(store->outbox, 0, 1000, store->arena, &store->diags, &events, &count), STATUS_OK);
  for (size_t i = 0; i < count; i++)
    found += str_is(events[i].what, OUTBOX_LEFT_OUT);
  return found;
}

/* In one row, and in a family that forked. */
static void what_a_delivery_does_not_have_is_left_out_once(void **state) {
  static const int sizes[] = {5, ONE_ROW, 3 * ONE_ROW};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    void *fresh = NULL;
    assert_int_equal(store_setup(&fresh), 0);
    struct store *store = fresh;
    struct outbox_place got;
    int all = sizes[i];
    assert_int_equal(leave_out(store, 0, 3, 7), 0); /* the first of it */
    put_owned(store, 0, all, digest_of_one);
    assert_int_equal(leave_out(store, 0, all, 8), 0);
    assert_int_equal(leave_out(store, 2, all + 3, 9), 2);
    assert_int_equal(leave_out(store, 2, all + 3, 10), 0);
    commit_and_reopen(store);
    assert_int_equal(leave_out(store, 2, all + 3, 11), 0);
    assert_int_equal(count_left_out(store, 9), 2);
    assert_int_equal(count_left_out(store, 10), 0);
    assert_int_equal(count_events(store), 1);
    assert_int_equal(get(store, 1, &got), STATUS_OK); /* where it is is known yet, and what it is no more */
    assert_true(str_is(got.location, "Observation/1") && str_is(got.etag, "1") && str_is(got.digest, "left-out 9"));
    assert_int_equal(get(store, 2, &got), STATUS_OK);
    assert_true(str_is(got.digest, digest_of_one));
    put_owned(store, 1, 2, digest_of_one); /* it comes back, and goes once more */
    assert_int_equal(count_left_out(store, 9), 1);
    assert_int_equal(leave_out(store, 2, all, 12), 1);
    assert_int_equal(leave_out(store, 0, 0, 13), (size_t)all - 2); /* nothing is left of it */
    assert_int_equal(store_teardown(&fresh), 0);
  }
  (void)state;
}

/* More than a call has memory for, all of it put at once: this store has 1 MiB. */
static void a_family_larger_than_memory_is_left_out_too(void **state) {
  enum { MANY = 15000 };
  struct store *store = *state;
  struct outbox_placed *placed = ARENA_ARRAY(store->arena, struct outbox_placed, MANY);
  struct outbox_place got;
  for (int i = 0; i < MANY; i++) {
    placed[i] = placed_of(store, i, 1);
    placed[i].place.digest = str_of(digest_of_one);
  }
  assert_int_equal(outbox_ledger_put(store->outbox, STR("ehr"), placed, MANY, 1), STATUS_OK);
  assert_int_equal(leave_out(store, 10, 20, 7), MANY - 10);
  assert_int_equal(leave_out(store, 10, 20, 8), 0);
  commit_and_reopen(store);
  assert_int_equal(count_left_out(store, 7), MANY - 10);
  for (int i = 0; i < 30; i++) {
    assert_int_equal(get(store, i, &got), STATUS_OK);
    assert_true(str_is(got.digest, i >= 10 && i < 20 ? digest_of_one : "left-out 7"));
  }
}

/* Of a record that is called alike, and of an older version's. */
static void what_is_not_its_own_is_not_left_out(void **state) {
  struct store *store = *state;
  struct outbox_place patient = {.location = STR("Patient/1"), .digest = str_of(digest_of_one)};
  put_owned(store, 0, 2, digest_of_one);
  put_owned(store, 2, 4, digest_of_other);
  put_range(store, 4, 6, 1);
  assert_int_equal(store_place(store, STR("ehr"), STR("patient/1"), STR("x"), &patient), STATUS_OK);
  assert_int_equal(store_place(store, STR("other"), STR("S-1/doses/A1"), STR("y"), &patient), STATUS_OK);
  assert_int_equal(leave_out(store, 0, 1, 7), 1);
  assert_int_equal(leave_out(store, 0, 0, 8), 1);
  expect_range(store, 4, 6, 1);
}

/* A group that is given up leaves nothing behind: it is found again. */
static void what_was_left_out_in_a_group_that_was_given_up_is_found_again(void **state) {
  struct store *store = *state;
  put_owned(store, 0, 3, digest_of_one);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  assert_int_equal(leave_out(store, 0, 2, 7), 1);
  outbox_abandon(store->outbox);
  assert_int_equal(count_left_out(store, 7), 0);
  assert_int_equal(leave_out(store, 0, 2, 7), 1);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  assert_int_equal(count_events(store), 1);
}

/* --- rows that are found by their marks: families, lanes, subjects --- */

enum { OWNERS = 20 /* of each: most are in the trees */ };

/* A session of each of them; those of the first revision come in time, later ones of it are older. */
static int64_t put_session(struct store *store, int owner, int64_t revision) {
  struct str name = arena_printf(store->arena, "owner-%d", owner);
  enum outbox_answer answer;
  int64_t id = 0;
  struct outbox_item item = {.destination = STR("ehr"), .lane = name, .kind = STR("bundle"), .payload = name, .subject = name, .revision = revision};
  struct outbox_message message = {.source = STR("t"), .control = arena_printf(store->arena, "%lld", (long long)store->now), .items = &item, .item_count = 1};
  assert_int_equal(outbox_accept(store->outbox, &message, store->now++, &store->diags, &answer, &id), STATUS_OK);
  return id;
}

/* All of a tree under all its keys: that the row itself is asked tells them apart. */
static void rows_of_one_key_are_told_apart(void **state) {
  struct store *store = *state;
  struct outbox_claim claim;
  for (int i = 0; i < OWNERS; i++) {
    struct str name = arena_printf(store->arena, "S-%d", i);
    struct outbox_place place = {.location = name};
    assert_int_equal(put_session(store, i, 2), i + 1);
    assert_int_equal(store_place(store, STR("ehr"), name, name, &place), STATUS_OK);
  }
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  store_close(store);
  store_sql(store, "INSERT OR IGNORE INTO family_at SELECT a.key, b.id FROM family_at a, family_at b;"
                   "INSERT OR IGNORE INTO lane_at SELECT a.key, b.id FROM lane_at a, lane_at b;"
                   "INSERT OR IGNORE INTO subject_at SELECT a.key, b.id FROM subject_at a, subject_at b;"
                   "CREATE TEMP TABLE many(n INTEGER CHECK (n >= 256)); INSERT INTO many SELECT count(*) FROM family_at;"
                   "INSERT INTO many SELECT count(*) FROM lane_at; INSERT INTO many SELECT count(*) FROM subject_at");
  store_reopen(store);
  for (int i = 0; i < OWNERS; i++) {
    struct str name = arena_printf(store->arena, "S-%d", i);
    struct outbox_place got;
    assert_int_equal(outbox_ledger_get(store->outbox, STR("ehr"), name, name, store->arena, &got), STATUS_OK);
    assert_true(str_eq(got.location, name));
    assert_true(str_is(store_row(store, put_session(store, i, 1)).reason, OUTBOX_OLDER));
    assert_int_equal(store_row(store, put_session(store, i, 3)).state, OUTBOX_QUEUED);
  }
  /* the third revision waits behind the second, in its lane */
  for (int i = 0; i < OWNERS; i++) {
    assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
    assert_int_equal(claim.id, i + 1);
  }
  assert_int_equal(store_claim(store, "ehr", &claim), STATUS_NOT_FOUND);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)
int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(places_of_a_family_stand_in_one_row_until_they_are_too_many),
      CASE(a_family_grows_without_end),
      CASE(what_is_put_together_is_there),
      CASE(a_place_has_a_most),
      CASE(large_rows_of_many_families_are_told_apart),
      cmocka_unit_test(a_damaged_row_is_written_over),
      cmocka_unit_test(what_a_delivery_does_not_have_is_left_out_once),
      CASE(a_family_larger_than_memory_is_left_out_too),
      CASE(what_is_not_its_own_is_not_left_out),
      CASE(what_was_left_out_in_a_group_that_was_given_up_is_found_again),
      CASE(rows_of_one_key_are_told_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
