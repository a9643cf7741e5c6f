/* test_outbox.c - accepting, lanes, attempts, decisions, ledger, audit, retention. */
#include "store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static void claimed_payload(struct store *store, const char *destination, const char *payload, int64_t *id) {
  struct outbox_claim claim;
  assert_int_equal(store_claim(store, destination, &claim), STATUS_OK);
  assert_true(str_is(claim.payload, payload));
  assert_true(str_is(claim.label, payload));
  *id = claim.id;
}

static void nothing_due(struct store *store, const char *destination) {
  struct outbox_claim claim;
  assert_int_equal(store_claim(store, destination, &claim), STATUS_NOT_FOUND);
}

/* --- lanes --- */

static void oldest_of_lane_goes_first(void **state) {
  struct store *store = *state;
  int64_t id;
  store_put(store, "ehr", "patient-1", "a1");
  store_put(store, "ehr", "patient-1", "a2");
  store_put(store, "ehr", "patient-2", "b1");
  claimed_payload(store, "ehr", "a1", &id);
  int64_t other;
  claimed_payload(store, "ehr", "b1", &other); /* not a2: a1 is on its way */
  nothing_due(store, "ehr");
  store_finish(store, id, OUTBOX_DONE, 0);
  claimed_payload(store, "ehr", "a2", &id);
}

static void a_failed_one_goes_again_before_the_next(void **state) {
  struct store *store = *state;
  int64_t id, due;
  store_put(store, "ehr", "patient-1", "a1");
  store_put(store, "ehr", "patient-1", "a2");
  claimed_payload(store, "ehr", "a1", &id);
  store_finish(store, id, OUTBOX_QUEUED, store->now + 5000);
  nothing_due(store, "ehr");
  assert_int_equal(outbox_next_due(store->outbox, STR("ehr"), &due), STATUS_OK);
  assert_true(due > store->now && due < store->now + 5001);
  store->now += 5000;
  claimed_payload(store, "ehr", "a1", &id);
}

static void assert_waiting(struct store *store, const char *destination, size_t expected) {
  size_t count = 99;
  assert_int_equal(outbox_waiting(store->outbox, str_of(destination), &count), STATUS_OK);
  assert_int_equal(count, expected);
}

static void what_waits_is_counted_with_the_group(void **state) {
  struct store *store = *state;
  struct outbox_claim claim;
  int64_t id;
  assert_waiting(store, "ehr", 0);
  store_put(store, "ehr", "patient-1", "a1");
  store_put(store, "ehr", "patient-1", "a2");
  assert_waiting(store, "ehr", 2);
  assert_waiting(store, "other", 0);
  claimed_payload(store, "ehr", "a1", &id);
  assert_waiting(store, "ehr", 1);
  store_finish(store, id, OUTBOX_UNKNOWN, store->now);
  assert_waiting(store, "ehr", 2);
  assert_int_equal(outbox_claim(store->outbox, STR("ehr"), store->now, store->arena, &claim), STATUS_OK);
  assert_waiting(store, "ehr", 1);
  outbox_abandon(store->outbox);
  assert_waiting(store, "ehr", 2);
}

static void fail_attempt(struct store *store, int64_t id, bool fault) {
  struct outbox_outcome outcome = {.state = OUTBOX_QUEUED, .next_at = store->now, .reason = STR("http-503"), .fault = fault};
  assert_int_equal(outbox_finish(store->outbox, id, &outcome, store->now), STATUS_OK);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
}

/* Also across restarts; until somebody retries it. */
static void faults_are_counted_apart_from_attempts(void **state) {
  static const struct {
    bool fault, reopen, retry;
    unsigned faults; /* of the claim before */
  } steps[] = {{true, false, false, 0},  {false, false, false, 1}, {false, true, false, 1}, {true, false, false, 1},
               {false, false, true, 2}, {true, false, false, 0},  {false, false, false, 1}};
  struct store *store = *state;
  int64_t id = store_put(store, "ehr", "p", "a1");
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    struct outbox_claim claim;
    assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
    assert_int_equal(claim.faults, steps[i].faults);
    assert_int_equal(claim.attempts, i);
    if (steps[i].reopen)
      store_reopen(store); /* interrupted */
    else
      fail_attempt(store, id, steps[i].fault);
    store->now += 1000;
    if (!steps[i].retry) continue;
    assert_int_equal(outbox_decide(store->outbox, id, OUTBOX_RETRY, STR(""), STR("ada"), store->now), STATUS_OK);
    assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  }
}

static void lanes_of_destinations_are_their_own(void **state) {
  struct store *store = *state;
  int64_t id;
  store_put(store, "one", "patient-1", "a1");
  store_put(store, "two", "patient-1", "a2");
  claimed_payload(store, "one", "a1", &id);
  claimed_payload(store, "two", "a2", &id);
}

static void records_without_a_lane_do_not_wait_for_each_other(void **state) {
  struct store *store = *state;
  int64_t id;
  store_put(store, "ehr", "", "x");
  store_put(store, "ehr", "", "y");
  claimed_payload(store, "ehr", "x", &id);
  claimed_payload(store, "ehr", "y", &id);
}

static void a_clock_that_jumped_does_not_hold_back(void **state) {
  struct store *store = *state;
  int64_t id;
  store_put(store, "ehr", "patient-1", "a1");
  claimed_payload(store, "ehr", "a1", &id);
  store_finish(store, id, OUTBOX_QUEUED, store->now + 10LL * 365 * 24 * 3600 * 1000);
  claimed_payload(store, "ehr", "a1", &id);
}

/* --- parked --- */

static void a_parked_one_blocks_its_lane_only(void **state) {
  struct store *store = *state;
  int64_t a1, id;
  store_put(store, "ehr", "patient-1", "a1");
  store_put(store, "ehr", "patient-1", "a2");
  store_put(store, "ehr", "patient-2", "b1");
  claimed_payload(store, "ehr", "a1", &a1);
  store_finish(store, a1, OUTBOX_PARKED, 0);
  claimed_payload(store, "ehr", "b1", &id);
  nothing_due(store, "ehr");
  assert_int_equal(outbox_decide(store->outbox, a1, OUTBOX_PASS, STR("by-hand"), STR("ada"), store->now),
                   STATUS_OK);
  assert_true(str_is(store_row(store, a1).reason, "by-hand"));
  assert_int_equal(outbox_decide(store->outbox, a1, OUTBOX_PARK, STR(""), STR("ada"), store->now), STATUS_CONFLICT);
  claimed_payload(store, "ehr", "a2", &id);
  store_finish(store, id, OUTBOX_DONE, 0);
  assert_int_equal(outbox_decide(store->outbox, a1, OUTBOX_RETRY, STR(""), STR("ada"), store->now),
                   STATUS_OK);
  claimed_payload(store, "ehr", "a1", &id);
}

static void a_decision_without_a_reason_keeps_the_old_one(void **state) {
  struct store *store = *state;
  int64_t id;
  store_put(store, "ehr", "p", "a1");
  claimed_payload(store, "ehr", "a1", &id);
  store_finish(store, id, OUTBOX_PARKED, 0);
  assert_int_equal(outbox_decide(store->outbox, id, OUTBOX_PASS, STR(""), STR("ada"), 1), STATUS_OK);
  assert_true(str_is(store_row(store, id).reason, "http-503"));
}

static void decisions_are_refused_where_they_do_not_fit(void **state) {
  struct store *store = *state;
  int64_t id;
  store_put(store, "ehr", "p", "a1");
  claimed_payload(store, "ehr", "a1", &id);
  for (int order = OUTBOX_RETRY; order <= OUTBOX_DROP; order++) /* sending: in the sender's hands */
    assert_int_equal(outbox_decide(store->outbox, id, (enum outbox_order)order, STR(""), STR("ada"), 1),
                     STATUS_CONFLICT);
  store_finish(store, id, OUTBOX_DONE, 0);
  for (int order = OUTBOX_RETRY; order <= OUTBOX_DROP; order++)
    assert_int_equal(outbox_decide(store->outbox, id, (enum outbox_order)order, STR(""), STR("ada"), 1),
                     STATUS_CONFLICT);
  assert_int_equal(outbox_decide(store->outbox, 999, OUTBOX_RETRY, STR(""), STR("ada"), 1), STATUS_NOT_FOUND);
}

static void dropped_is_gone_but_remembered(void **state) {
  struct store *store = *state;
  struct str payload;
  int64_t next, id = store_put(store, "ehr", "p", "a1");
  store_put(store, "ehr", "p", "a2");
  assert_int_equal(outbox_decide(store->outbox, id, OUTBOX_DROP, STR("wrong-patient"), STR("ada"), 5),
                   STATUS_OK);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  assert_int_equal(store_row(store, id).state, OUTBOX_DROPPED);
  assert_int_equal(outbox_payload(store->outbox, id, store->arena, &payload), STATUS_NOT_FOUND);
  claimed_payload(store, "ehr", "a2", &next);
}

static void an_unknown_one_stays_unknown_when_retried(void **state) {
  struct store *store = *state;
  struct outbox_claim claim;
  store_put(store, "ehr", "p", "a1");
  assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
  assert_false(claim.unknown);
  store_finish(store, claim.id, OUTBOX_UNKNOWN, store->now + 60000);
  assert_int_equal(outbox_decide(store->outbox, claim.id, OUTBOX_RETRY, STR(""), STR("ada"), store->now),
                   STATUS_OK);
  assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
  assert_true(claim.unknown);
}

static int64_t put_sized(struct store *store, size_t size) {
  enum outbox_answer answer;
  int64_t id = 0;
  struct str text = arena_printf(store->arena, "%0*zu", (int)size, size);
  struct outbox_item item = {.destination = STR("ehr"), .kind = STR("bundle"), .payload = text};
  struct outbox_message message = {.source = STR("t"), .content = text, .items = &item, .item_count = 1};
  assert_int_equal(outbox_accept(store->outbox, &message, ++store->now, &store->diags, &answer, &id), STATUS_OK);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  return id;
}

/* What does not fit in the memory that a record may have is passed over, and nobody waits for it. */
static void one_that_fits_no_memory_is_parked(void **state) {
  enum { CAP = 64 << 10, LEAST = 32 << 10, STEP = 1 << 10 };
  struct store *store = *state;
  struct outbox_claim claim;
  size_t parked = 0, claimed = 0;
  for (size_t size = LEAST; size <= CAP; size += STEP) {
    struct arena *arena = arena_new(CAP);
    int64_t id = put_sized(store, size);
    enum status status = outbox_claim(store->outbox, STR("ehr"), ++store->now, arena, &claim);
    assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
    struct outbox_row row = store_row(store, id);
    if (status == STATUS_OK) assert_int_equal(row.state, OUTBOX_SENDING);
    if (status != STATUS_OK) assert_true(row.state == OUTBOX_PARKED && str_is(row.reason, "too-large"));
    assert_false(status == STATUS_OK && parked); /* the smaller ones */
    claimed += status == STATUS_OK;
    parked += status != STATUS_OK;
    arena_free(arena);
  }
  assert_true(claimed && parked);
}

/* --- payloads are pressed --- */

/* Of `size` bytes; `plain`: such as nothing makes shorter. */
static struct str text_of(struct store *store, size_t size, bool plain) {
  char *text = arena_alloc(store->arena, size + 1);
  uint32_t number = (uint32_t)size + 1;
  assert_non_null(text);
  for (size_t i = 0; i < size; i++) {
    number = number * 1664525 + 1013904223;
    text[i] = plain ? (char)(number >> 24) : "{\"resourceType\":\"Bundle\"}"[i % 25];
  }
  return str_make(text, size);
}

static void expect_item_back(struct store *store, struct outbox_item item, struct str text) {
  struct str control = arena_printf(store->arena, "%lld", (long long)store->now);
  struct outbox_message message = {.source = STR("t"), .control = control, .content = text, .items = &item, .item_count = 1};
  enum outbox_answer answer;
  struct outbox_claim claim;
  struct str payload;
  int64_t id = 0;
  assert_int_equal(outbox_accept(store->outbox, &message, ++store->now, &store->diags, &answer, &id), STATUS_OK);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  assert_int_equal(outbox_payload(store->outbox, id, store->arena, &payload), STATUS_OK);
  assert_true(str_eq(payload, text) && payload.ptr[payload.len] == '\0');
  assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
  assert_true(claim.id == id && str_eq(claim.payload, text));
  assert_int_equal(store_row(store, id).bytes, text.len);
  store_finish(store, id, OUTBOX_PARKED, 0);
}

/* Pressed when it is accepted, or before, once or twice. */
static void expect_back(struct store *store, struct str text) {
  struct outbox_item item = {.destination = STR("ehr"), .kind = STR("bundle"), .payload = text};
  expect_item_back(store, item, text);
  for (int i = 0; i < 2; i++)
    assert_int_equal(outbox_item_press(&item, store->arena), STATUS_OK);
  assert_true(item.payload.len <= text.len && item.bytes == text.len);
  expect_item_back(store, item, text);
}

static void a_payload_comes_back_as_it_was(void **state) {
  static const size_t sizes[] = {0, 1, 127, 128, 129, 4095, 4096, 4097, 65537, 1 << 20};
  struct store *store = *state;
  struct outbox_stats stats;
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
    expect_back(store, text_of(store, sizes[i], true));
  assert_int_equal(outbox_idle(store->outbox), STATUS_OK);
  assert_int_equal(outbox_stats(store->outbox, (struct str){0}, &stats), STATUS_OK);
  uint64_t before = stats.bytes;
  for (size_t i = 1; i < sizeof sizes / sizeof sizes[0]; i++)
    expect_back(store, text_of(store, sizes[i], false));
  assert_int_equal(outbox_idle(store->outbox), STATUS_OK);
  assert_int_equal(outbox_stats(store->outbox, (struct str){0}, &stats), STATUS_OK);
  assert_in_range(stats.bytes - before, 1, 48 << 10); /* of two megabytes */
}

static void a_pressed_payload_is_measured_whole(void **state) {
  struct store *store = *state;
  enum outbox_answer answer;
  struct outbox_item item = {.destination = STR("ehr"), .kind = STR("bundle"), .payload = STR("x"), .bytes = LIMIT_OUTBOX_PAYLOAD};
  struct outbox_message message = {.source = STR("t"), .content = STR("x"), .items = &item, .item_count = 1};
  item.bytes++;
  assert_int_equal(outbox_accept(store->outbox, &message, ++store->now, &store->diags, &answer, NULL), STATUS_INVALID);
  item.bytes--;
  assert_int_equal(outbox_accept(store->outbox, &message, ++store->now, &store->diags, &answer, NULL), STATUS_OK);
}

/* --- revisions --- */

/* The reason with which it stands there: "" when it is queued. */
static const char *revise(struct store *store, const char *destination, const char *subject, int64_t revision) {
  enum outbox_answer answer;
  size_t older = 0;
  int64_t id = 0;
  struct outbox_item item = {.destination = str_of(destination), .lane = STR("p"), .kind = STR("bundle"),
                             .subject = str_of(subject),         .revision = revision};
  item.payload = arena_printf(store->arena, "%s %lld %lld", subject, (long long)revision, (long long)++store->now);
  struct outbox_message message = {
      .source = STR("clinic"), .content = item.payload, .items = &item, .item_count = 1, .older = &older};
  assert_int_equal(outbox_accept(store->outbox, &message, store->now, &store->diags, &answer, &id), STATUS_OK);
  struct outbox_row row = store_row(store, id);
  assert_int_equal(older, str_is(row.reason, OUTBOX_OLDER));
  assert_int_equal(row.state, older ? OUTBOX_PARKED : OUTBOX_QUEUED);
  assert_false(row.blocks);
  return arena_str(store->arena, row.reason).ptr;
}

static void an_older_revision_is_parked(void **state) {
  struct store *store = *state;
  assert_string_equal(revise(store, "ehr", "s1", 2), "");
  assert_string_equal(revise(store, "ehr", "s1", 1), OUTBOX_OLDER);
  assert_string_equal(revise(store, "ehr", "s1", 2), ""); /* the same, with other words: as it came */
  assert_string_equal(revise(store, "ehr", "s2", 0), ""); /* another session */
  assert_string_equal(revise(store, "archive", "s1", 1), ""); /* another destination */
  assert_string_equal(revise(store, "ehr", "", 1), ""); /* of nothing */
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  assert_string_equal(revise(store, "ehr", "s1", 4), "");
  outbox_abandon(store->outbox); /* it was never accepted */
  assert_string_equal(revise(store, "ehr", "s1", 3), "");
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  store_reopen(store);
  assert_string_equal(revise(store, "ehr", "s1", 2), OUTBOX_OLDER);
  int64_t id = 8; /* what was never accepted has left no number */
  assert_int_equal(outbox_decide(store->outbox, id, OUTBOX_RETRY, STR(""), STR("ada"), store->now), STATUS_OK);
  assert_int_equal(store_row(store, id).state, OUTBOX_QUEUED);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
}

static int64_t put_revision(struct store *store, const char *lane, int64_t revision) {
  enum outbox_answer answer;
  int64_t id = 0;
  struct outbox_item item = {.destination = STR("ehr"), .lane = str_of(lane),  .kind = STR("bundle"),
                             .subject = STR("s"),       .revision = revision};
  item.payload = arena_printf(store->arena, "%lld %lld", (long long)revision, (long long)++store->now);
  struct outbox_message message = {.source = STR("clinic"), .content = item.payload, .items = &item, .item_count = 1};
  assert_int_equal(outbox_accept(store->outbox, &message, store->now, &store->diags, &answer, &id), STATUS_OK);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  return id;
}

/* In which state the record is then. */
static enum outbox_state decide(struct store *store, int64_t id, enum outbox_order order) {
  assert_int_equal(outbox_decide(store->outbox, id, order, STR(""), STR("ada"), ++store->now), STATUS_OK);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  return store_row(store, id).state;
}

/* Parked for another reason, passed by, and then retried: it is told, and goes when it is said once more. */
static void a_retry_does_not_undo_a_correction(void **state) {
  struct store *store = *state;
  struct outbox_claim claim;
  int64_t first = put_revision(store, "p", 1);
  assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
  store_finish(store, first, OUTBOX_PARKED, 0);
  int64_t second = put_revision(store, "p", 2);
  assert_int_equal(decide(store, first, OUTBOX_RETRY), OUTBOX_QUEUED); /* the correction waits behind it */
  assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
  assert_int_equal(claim.id, first);
  store_finish(store, first, OUTBOX_PARKED, 0);
  assert_int_equal(decide(store, first, OUTBOX_PASS), OUTBOX_PARKED);
  assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
  assert_int_equal(claim.id, second);
  store_finish(store, second, OUTBOX_DONE, 0);
  assert_int_equal(decide(store, first, OUTBOX_RETRY), OUTBOX_PARKED);
  struct outbox_row row = store_row(store, first);
  assert_true(str_is(row.reason, OUTBOX_OLDER) && !row.blocks);
  assert_int_equal(store_claim(store, "ehr", &claim), STATUS_NOT_FOUND);
  store_reopen(store);
  assert_int_equal(decide(store, first, OUTBOX_RETRY), OUTBOX_QUEUED);
}

/* The session was of another patient: its correction stands in another lane, where nothing holds it back. */
static void a_correction_may_pass_in_another_lane(void **state) {
  struct store *store = *state;
  struct outbox_claim claim;
  int64_t first = put_revision(store, "p", 1);
  assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
  store_finish(store, first, OUTBOX_PARKED, 0);
  int64_t second = put_revision(store, "q", 2);
  assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
  assert_int_equal(claim.id, second);
  assert_int_equal(decide(store, first, OUTBOX_RETRY), OUTBOX_PARKED);
  assert_true(str_is(store_row(store, first).reason, OUTBOX_OLDER));
}

/* The first one still waits, at once or for its next attempt: it would undo the correction. Who insists gets it sent. */
static void a_correction_in_another_lane_is_not_undone(void **state) {
  struct store *store = *state;
  struct outbox_claim claim;
  for (int tried = 0; tried < 2; tried++) {
    char lane[] = {(char)('p' + tried), 0};
    int64_t first = put_revision(store, lane, 10 * tried + 1);
    if (tried) {
      assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
      store_finish(store, first, OUTBOX_QUEUED, ++store->now);
    }
    int64_t second = put_revision(store, "other", 10 * tried + 2), behind = store_put(store, "ehr", lane, tried ? "b1" : "b0");
    ++store->now;
    assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
    assert_true(claim.id == second || claim.id == behind);
    assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
    assert_true(claim.id == second || claim.id == behind);
    assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
    struct outbox_row row = store_row(store, first);
    assert_true(row.state == OUTBOX_PARKED && str_is(row.reason, OUTBOX_OLDER) && !row.blocks);
    store_finish(store, second, OUTBOX_DONE, 0);
    store_finish(store, behind, OUTBOX_DONE, 0);
    assert_int_equal(decide(store, first, OUTBOX_RETRY), OUTBOX_QUEUED);
    assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
    assert_int_equal(claim.id, first);
    assert_true(claim.is_revision); /* and all of its session yet */
    store_finish(store, first, OUTBOX_DONE, 0);
  }
}

/* What may have arrived before it was parked is looked for before it goes again. */
static void a_parked_one_of_unknown_end_is_looked_for(void **state) {
  static const struct {
    enum outbox_state ended;
    const char *reason;
    bool restart, unknown;
  } cases[] = {{OUTBOX_UNKNOWN, "no-answer", false, true},
               {OUTBOX_QUEUED, "http-503", false, false},
               {OUTBOX_PARKED, "http-422", false, false},
               {OUTBOX_PARKED, "gave-up", false, true},
               {OUTBOX_QUEUED, "http-503", true, true}};
  struct store *store = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char payload[8];
    struct outbox_claim claim;
    snprintf(payload, sizeof payload, "%zu", i);
    int64_t id = store_put(store, "ehr", "", payload);
    assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
    struct outbox_outcome outcome = {.state = cases[i].ended, .reason = str_of(cases[i].reason)};
    assert_int_equal(outbox_finish(store->outbox, id, &outcome, ++store->now), STATUS_OK);
    if (cases[i].restart) {
      assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
      store_reopen(store);
    }
    if (store_row(store, id).state != OUTBOX_PARKED) decide(store, id, OUTBOX_PARK);
    assert_int_equal(decide(store, id, OUTBOX_RETRY), cases[i].unknown ? OUTBOX_UNKNOWN : OUTBOX_QUEUED);
    decide(store, id, OUTBOX_DROP);
  }
}

/* --- accepting --- */

static enum outbox_answer accept(struct store *store, const char *control, const char *content, int64_t *id) {
  enum outbox_answer answer;
  struct outbox_item item = {.destination = STR("ehr"), .kind = STR("bundle"), .payload = str_of(content)};
  struct outbox_message message = {.source = STR("lab"),
                                   .control = str_of(control),
                                   .content = str_of(content),
                                   .items = &item,
                                   .item_count = 1};
  assert_int_equal(outbox_accept(store->outbox, &message, 1, &store->diags, &answer, id), STATUS_OK);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  return answer;
}

/* Of what makes no record as well: by chance the later of two would be taken for the first. */
static void messages_without_records_are_known_in_their_order(void **state) {
  struct store *store = *state;
  enum { PAIRS = 32 };
  for (int i = 0; i < PAIRS * 3; i++) {
    static const enum outbox_answer answers[] = {OUTBOX_ACCEPTED, OUTBOX_DIFFERENT, OUTBOX_AGAIN};
    enum outbox_answer answer;
    char control[16];
    snprintf(control, sizeof control, "EMPTY%d", i / 3);
    struct outbox_message message = {
        .source = STR("lab"), .control = str_of(control), .content = i % 3 == 1 ? STR("y") : STR("x")};
    assert_int_equal(outbox_accept(store->outbox, &message, 1, &store->diags, &answer, NULL), STATUS_OK);
    assert_int_equal(answer, answers[i % 3]);
  }
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
}

static void the_same_message_is_taken_once(void **state) {
  struct store *store = *state;
  int64_t first, id;
  assert_int_equal(accept(store, "MSG1", "x", &first), OUTBOX_ACCEPTED);
  assert_int_equal(accept(store, "MSG1", "x", &id), OUTBOX_AGAIN);
  assert_int_equal(id, first);
  assert_int_equal(accept(store, "MSG1", "y", &id), OUTBOX_DIFFERENT); /* both are kept */
  assert_int_equal(accept(store, "MSG1", "y", &id), OUTBOX_DIFFERENT_AGAIN);
  assert_int_equal(accept(store, "MSG1", "x", &id), OUTBOX_AGAIN);
  assert_int_equal(accept(store, "", "x", &id), OUTBOX_ACCEPTED); /* nameless: by content */
  assert_int_equal(accept(store, "", "x", &id), OUTBOX_AGAIN);
  store_reopen(store);
  assert_int_equal(accept(store, "MSG1", "x", &id), OUTBOX_AGAIN);
  assert_int_equal(store_count(store, OUTBOX_QUEUED), 3);
}

static enum status accept_items(struct store *store, const struct outbox_item *items, size_t count,
                                const char *content) {
  enum outbox_answer answer;
  struct outbox_message message = {
      .source = STR("t"), .content = str_of(content), .items = items, .item_count = count};
  return outbox_accept(store->outbox, &message, 1, &store->diags, &answer, NULL);
}

static void a_message_is_taken_whole_or_not(void **state) {
  struct store *store = *state;
  char long_name[OUTBOX_NAME_MAX + 2];
  memset(long_name, 'n', sizeof long_name);
  struct outbox_item items[] = {{.destination = STR("ehr"), .kind = STR("bundle"), .payload = STR("x")},
                                {.destination = {long_name, OUTBOX_NAME_MAX + 1}, .kind = STR("bundle")}};
  assert_int_equal(accept_items(store, items, 2, "1"), STATUS_INVALID);
  items[1].destination.len = OUTBOX_NAME_MAX;
  assert_int_equal(accept_items(store, items, 2, "1"), STATUS_OK);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  assert_int_equal(store_count(store, OUTBOX_QUEUED), 2);
}

/* NULL: it takes. */
static void expect_full(struct store *store, const char *why) {
  struct outbox_stats stats;
  assert_int_equal(outbox_stats(store->outbox, (struct str){0}, &stats), STATUS_OK);
  assert_true(why ? stats.full && strcmp(stats.full, why) == 0 : !stats.full);
}

static void a_full_store_refuses_and_keeps_the_group(void **state) {
  struct store *store = *state;
  struct outbox_item item = {.destination = STR("ehr"), .kind = STR("bundle"), .payload = STR("x")};
  store->params.max_records = 3;
  store_reopen(store);
  assert_int_equal(accept_items(store, &item, 1, "1"), STATUS_OK);
  assert_int_equal(accept_items(store, &item, 1, "2"), STATUS_OK);
  expect_full(store, NULL);
  assert_int_equal(accept_items(store, &item, 1, "3"), STATUS_OK);
  expect_full(store, "records");
  assert_int_equal(accept_items(store, &item, 1, "4"), STATUS_LIMIT);
  assert_true(store_said(store, "nothing was taken"));
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  assert_int_equal(store_count(store, OUTBOX_QUEUED), 3);
  store->params.reserve_bytes = UINT64_MAX;
  store->params.max_records = 0;
  store_reopen(store);
  expect_full(store, "disk");
  assert_int_equal(accept_items(store, &item, 1, "5"), STATUS_LIMIT);
  assert_true(store_said(store, "the disk is nearly full"));
}

static void a_group_given_up_leaves_nothing(void **state) {
  struct store *store = *state;
  struct outbox_item item = {.destination = STR("ehr"), .kind = STR("bundle"), .payload = STR("x")};
  assert_int_equal(accept_items(store, &item, 1, "1"), STATUS_OK);
  assert_true(outbox_in_group(store->outbox));
  outbox_abandon(store->outbox);
  assert_false(outbox_in_group(store->outbox));
  assert_int_equal(store_count(store, OUTBOX_QUEUED), 0);
  assert_int_equal(accept_items(store, &item, 1, "1"), STATUS_OK);
  store_reopen(store); /* not committed */
  assert_int_equal(store_count(store, OUTBOX_QUEUED), 0);
  assert_int_equal(accept_items(store, &item, 1, "1"), STATUS_OK);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  assert_int_equal(store_count(store, OUTBOX_QUEUED), 1);
}

/* --- ledger, entries, listing --- */

/* Some are alone in their family, some are not. */
static struct str key_of(const char *identifier) {
  return identifier[strlen(identifier) - 1] % 2 ? STR("S-1/doses") : str_of(identifier);
}

static enum status put_place(struct store *store, const char *identifier, const struct outbox_place *place) {
  return store_place(store, STR("ehr"), key_of(identifier), str_of(identifier), place);
}

static void expect_place(struct store *store, const char *identifier, const char *location) {
  struct outbox_place got;
  assert_int_equal(outbox_ledger_get(store->outbox, STR("ehr"), key_of(identifier), str_of(identifier), store->arena, &got),
                   location ? STATUS_OK : STATUS_NOT_FOUND);
  if (location) assert_true(str_is(got.location, location));
}

/* More than are kept in memory; what is asked for again comes from there. A group that is given up has changed nothing. */
static void the_ledger_tells_what_the_store_holds(void **state) {
  struct store *store = *state;
  enum { PLACES = 600 };
  char name[32], location[512];
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < PLACES; i++) {
      snprintf(name, sizeof name, "id-%d", i);
      snprintf(location, sizeof location, "Patient/%0*d", i % 300, i + round);
      struct outbox_place place = {.location = str_of(location), .digest = STR("d")};
      assert_int_equal(put_place(store, name, &place), STATUS_OK);
    }
    for (int i = 0; i < 2 * PLACES; i++) {
      snprintf(name, sizeof name, "id-%d", i % PLACES);
      snprintf(location, sizeof location, "Patient/%0*d", i % PLACES % 300, i % PLACES + round);
      expect_place(store, name, location);
      expect_place(store, name, location);
    }
  }
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  struct outbox_place other = {.location = STR("Patient/other"), .digest = STR("d")};
  assert_int_equal(put_place(store, "id-7", &other), STATUS_OK);
  assert_int_equal(put_place(store, "id-new", &other), STATUS_OK);
  expect_place(store, "id-7", "Patient/other");
  expect_place(store, "id-new", "Patient/other");
  outbox_abandon(store->outbox);
  expect_place(store, "id-7", "Patient/0000009");
  expect_place(store, "id-new", NULL);
}

/* What nothing makes shorter. */
static struct str noise(struct store *store, size_t size) {
  char *bytes = arena_alloc(store->arena, size);
  uint32_t state = 1;
  for (size_t i = 0; i < size; i++)
    bytes[i] = (char)((state = state * 1664525 + 1013904223) >> 24);
  return str_make(bytes, size);
}

/* SQLite rolls back for want of memory in what only reads, and tells only who has asked. */
static void a_group_lost_to_a_question_leaves_nothing(void **state) {
  struct store *store = *state;
  struct outbox_item large = {.destination = STR("ehr"), .kind = STR("bundle"), .payload = noise(store, 300000)};
  struct outbox_item small = {.destination = STR("ehr"), .kind = STR("bundle"), .payload = STR("x")};
  assert_int_equal(accept_items(store, &large, 1, "large"), STATUS_OK);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  for (int adds = 0; adds <= 1; adds++) { /* to the group that is lost */
    struct str payload;
    struct outbox_event *events;
    size_t count = 0;
    assert_int_equal(accept_items(store, &small, 1, "lost"), STATUS_OK);
    sqlite3_hard_heap_limit64(1);
    enum status status = outbox_payload(store->outbox, 1, store->arena, &payload);
    sqlite3_hard_heap_limit64(0);
    assert_int_equal(status, STATUS_NOMEM);
    if (adds) assert_int_equal(accept_items(store, &small, 1, "behind it"), STATUS_NOMEM);
    assert_int_equal(outbox_commit(store->outbox), STATUS_NOMEM);
    assert_int_equal(store_count(store, OUTBOX_QUEUED), 1 + adds);
    store_put(store, "ehr", "r", adds ? "c2" : "c1"); /* it goes on */
    assert_int_equal(outbox_audit_read(store->outbox, 0, 99, store->arena, &store->diags, &events, &count), STATUS_OK);
  }
  store_reopen(store);
  assert_int_equal(store_count(store, OUTBOX_QUEUED), 3);
}

static void the_ledger_remembers_places(void **state) {
  static const char hex[] = "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef";
  static const char *const digests[] = {"abc", "", hex, hex + 1, "00112233445566778899AABBCCDDEEFF0123456789abcdef0123456789abcdef",
                                        "32 bytes that are not of a digest"};
  struct store *store = *state;
  struct outbox_place place = {.location = STR("Patient/17"), .etag = STR("2")}, got;
  assert_int_equal(outbox_ledger_get(store->outbox, STR("ehr"), STR("k"), STR("id-1"), store->arena, &got), STATUS_NOT_FOUND);
  for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++) {
    assert_int_equal(store_place(store, STR("ehr"), STR("k"), STR("id-1"), &place), STATUS_OK);
    place.etag = STR("3");
    place.digest = str_of(digests[i]);
    assert_int_equal(store_place(store, STR("ehr"), STR("k"), STR("id-1"), &place), STATUS_OK);
    assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
    store_reopen(store);
    assert_int_equal(outbox_ledger_get(store->outbox, STR("ehr"), STR("k"), STR("id-1"), store->arena, &got), STATUS_OK);
    assert_true(str_is(got.location, "Patient/17") && str_is(got.etag, "3") && str_is(got.digest, digests[i]));
    assert_int_equal(outbox_ledger_get(store->outbox, STR("ehr"), STR("k"), STR("id-2"), store->arena, &got), STATUS_NOT_FOUND);
  }
}

/* What was said of none of a family holds until something of it is put, at that destination, and again when it was given up. */
static void a_family_of_places_is_asked_for_once(void **state) {
  static const struct {
    const char *put, *ask;
    bool alike; /* else the second is asked for elsewhere, and not there */
  } cases[] = {{"S-1/doses/A1", "S-1", true},
               {"S-1/doses/A1", "S-10", false},
               {"S-1", "S-1/vitals/V1/hr", true},
               {"patient/MRN-1", "patient/MRN-2", false},
               {"patient/X/7/coverage", "patient/X/7", true},
               {"clinic/riverside", "clinic/lakeside", false},
               {"/", "", false},
               {"", "", true}};
  struct outbox_place place = {.location = STR("Patient/17")}, got;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    void *fresh = NULL;
    assert_int_equal(store_setup(&fresh), 0);
    struct store *store = fresh;
    store_put(store, "ehr", "p", "a1");
    store_put(store, "other", "p", "a1");
    struct str put = str_of(cases[i].put), ask = str_of(cases[i].ask);
    for (int again = 0; again < 2; again++) {
      assert_int_equal(outbox_ledger_get(store->outbox, STR("ehr"), put, STR("id"), store->arena, &got), STATUS_NOT_FOUND);
      assert_int_equal(store_place(store, STR("other"), put, STR("id"), &place), STATUS_OK);
      assert_int_equal(outbox_ledger_get(store->outbox, STR("ehr"), put, STR("id"), store->arena, &got), STATUS_NOT_FOUND);
      assert_int_equal(store_place(store, STR("ehr"), put, STR("id"), &place), STATUS_OK);
      if (!again) outbox_abandon(store->outbox);
    }
    assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
    store_reopen(store);
    assert_int_equal(outbox_ledger_get(store->outbox, STR("ehr"), ask, STR("id"), store->arena, &got),
                     cases[i].alike ? STATUS_OK : STATUS_NOT_FOUND);
    assert_int_equal(outbox_ledger_get(store->outbox, STR("ehr"), ask, STR("ie"), store->arena, &got), STATUS_NOT_FOUND);
    assert_int_equal(outbox_ledger_get(store->outbox, STR("ehr"), put, STR("id"), store->arena, &got), STATUS_OK);
    assert_int_equal(store_teardown(&fresh), 0);
  }
  (void)state;
}

static void records_are_listed_by_state_and_page(void **state) {
  struct store *store = *state;
  struct outbox_row *rows;
  size_t count;
  int64_t id;
  for (int i = 0; i < 5; i++)
    store_put(store, "ehr", "", arena_printf(store->arena, "r%d", i).ptr);
  claimed_payload(store, "ehr", "r0", &id);
  store_finish(store, id, OUTBOX_PARKED, 0);
  struct outbox_filter parked = {.by_state = true, .state = OUTBOX_PARKED, .reason = STR("http-503")};
  assert_int_equal(outbox_list(store->outbox, &parked, store->arena, &rows, &count), STATUS_OK);
  assert_int_equal(count, 1);
  assert_true(str_is(rows[0].label, "r0") && rows[0].attempts == 1 && rows[0].blocks);
  struct outbox_filter page = {.after = rows[0].id, .limit = 3, .destination = STR("ehr")};
  assert_int_equal(outbox_list(store->outbox, &page, store->arena, &rows, &count), STATUS_OK);
  assert_int_equal(count, 3);
  assert_true(str_is(rows[0].label, "r1") && str_is(rows[2].label, "r3"));
  struct outbox_attempt *attempts;
  assert_int_equal(outbox_attempts(store->outbox, id, store->arena, &attempts, &count), STATUS_OK);
  assert_int_equal(count, 1);
  assert_int_equal(attempts[0].http_status, 503);
}

/* Of what was accepted in a group that is given up somebody hears that it was not. */
static void a_group_that_is_given_up_counts_nothing(void **state) {
  struct store *store = *state;
  struct outbox_item item = {.destination = STR("ehr"), .lane = STR("p"), .kind = STR("bundle"), .payload = STR("x")};
  struct outbox_message message = {.source = STR("t"), .items = &item, .item_count = 1};
  struct outbox_stats stats;
  enum outbox_answer answer;
  store_put(store, "ehr", "p", "a1");
  for (int again = 0; again < 2; again++)
    for (int i = 0; i < 3; i++) {
      message.content = arena_printf(store->arena, "m%d", i / 2);
      assert_int_equal(outbox_accept(store->outbox, &message, ++store->now, &store->diags, &answer, NULL), STATUS_OK);
      if (i < 2) continue;
      assert_int_equal(outbox_stats(store->outbox, (struct str){0}, &stats), STATUS_OK);
      assert_true(stats.accepted == 3 && stats.duplicates == 1);
      if (!again) outbox_abandon(store->outbox);
      assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
      assert_int_equal(outbox_stats(store->outbox, (struct str){0}, &stats), STATUS_OK);
      assert_int_equal(stats.accepted, again ? 3 : 1);
      assert_int_equal(stats.duplicates, again);
      assert_int_equal(stats.by_state[OUTBOX_QUEUED], stats.accepted);
    }
}

/* --- audit, retention --- */

static void every_change_stands_in_the_trail(void **state) {
  static const char *const expected[] = {"opened", "accepted", "waiting", "parked", "retry", "delivered"};
  struct store *store = *state;
  struct outbox_event *events;
  size_t count;
  int64_t id;
  store_put(store, "ehr", "p", "a1");
  claimed_payload(store, "ehr", "a1", &id);
  store_finish(store, id, OUTBOX_QUEUED, 0);
  claimed_payload(store, "ehr", "a1", &id);
  store_finish(store, id, OUTBOX_PARKED, 0);
  assert_int_equal(outbox_decide(store->outbox, id, OUTBOX_RETRY, STR("map-mended"), STR("ada"), store->now),
                   STATUS_OK);
  claimed_payload(store, "ehr", "a1", &id);
  store_finish(store, id, OUTBOX_DONE, 0);
  assert_int_equal(outbox_audit_read(store->outbox, 0, 100, store->arena, &store->diags, &events, &count),
                   STATUS_OK);
  assert_int_equal(count, 6);
  for (size_t i = 0; i < count; i++)
    assert_true(str_is(events[i].what, expected[i]));
  assert_true(str_is(events[4].actor, "ada") && str_is(events[4].reason, "map-mended"));
  assert_int_equal(outbox_audit_read(store->outbox, 4, 1, store->arena, &store->diags, &events, &count),
                   STATUS_OK);
  assert_true(count == 1 && str_is(events[0].what, "retry"));
}

static void a_changed_trail_is_found(void **state) {
  static const char *const changes[] = {
      "UPDATE audit SET actor = 'eve' WHERE number = 3", "UPDATE audit SET at = at + 1 WHERE number = 2",
      "DELETE FROM audit WHERE number = 3", "UPDATE audit SET chain = zeroblob(32) WHERE number = 3",
      "UPDATE audit SET what = 'a', actor = 'ccepted' WHERE number = 2"};
  struct store *store = *state;
  struct outbox_event *events;
  size_t count;
  for (int i = 0; i < 3; i++)
    store_put(store, "ehr", "", arena_printf(store->arena, "r%d", i).ptr);
  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
    store_close(store);
    store_sql(store, "CREATE TABLE kept AS SELECT * FROM audit");
    store_sql(store, changes[i]);
    store_reopen(store);
    assert_int_equal(outbox_audit_read(store->outbox, 0, 100, store->arena, &store->diags, &events, &count),
                     STATUS_INVALID);
    assert_true(store_said(store, "the audit trail is broken at event"));
    store_close(store);
    store_sql(store, "DELETE FROM audit; INSERT INTO audit SELECT * FROM kept; DROP TABLE kept");
    store_reopen(store);
  }
  assert_int_equal(outbox_audit_read(store->outbox, 0, 100, store->arena, &store->diags, &events, &count),
                   STATUS_OK);
}

static int64_t first_event(struct store *store, int64_t after, size_t *count) {
  struct outbox_event *events = NULL;
  assert_int_equal(outbox_audit_read(store->outbox, after, 100, store->arena, &store->diags, &events, count), STATUS_OK);
  return *count ? events[0].number : 0;
}

static void sweep_events(struct store *store, size_t budget, size_t gone) {
  struct outbox_retention retention = {.done_ms = 1000};
  struct outbox_swept swept;
  assert_int_equal(outbox_sweep(store->outbox, &retention, store->now, budget, &swept), STATUS_OK);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  assert_int_equal(swept.events, gone);
}

static int64_t oldest_of(struct store *store, enum status wanted) {
  int64_t id = -1, accepted_at = -1;
  assert_int_equal(outbox_oldest(store->outbox, &id, &accepted_at), wanted);
  if (wanted == STATUS_OK) assert_int_equal(accepted_at, store_row(store, id).accepted_at);
  return id;
}

/* Of those of a destination whose turn it is. */
static int64_t oldest_for(struct store *store, const char *destination, enum status wanted) {
  int64_t id = -1, accepted_at = -1;
  assert_int_equal(outbox_oldest_of(store->outbox, str_of(destination), &id, &accepted_at), wanted);
  assert_int_equal(accepted_at, wanted == STATUS_OK ? store_row(store, id).accepted_at : 0);
  return id;
}

/* Of whatever state it is, and whether or not it holds its lane. */
static void the_oldest_open_one_is_known(void **state) {
  struct store *store = *state;
  struct outbox_claim claim;
  assert_int_equal(oldest_of(store, STATUS_NOT_FOUND), 0);
  assert_int_equal(oldest_for(store, "ehr", STATUS_NOT_FOUND), 0);
  for (int i = 0; i < 4; i++)
    store_put(store, "ehr", i % 2 ? "a" : "b", arena_printf(store->arena, "r%d", i).ptr);
  assert_int_equal(oldest_of(store, STATUS_OK), 1);
  assert_int_equal(oldest_for(store, "ehr", STATUS_OK), 1);
  assert_int_equal(oldest_for(store, "archive", STATUS_NOT_FOUND), 0);
  assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
  assert_int_equal(oldest_of(store, STATUS_OK), 1);
  store_finish(store, 1, OUTBOX_DONE, 0);
  assert_int_equal(oldest_of(store, STATUS_OK), 2);
  assert_int_equal(outbox_decide(store->outbox, 2, OUTBOX_PARK, STR("r"), STR("t"), 5), STATUS_OK);
  assert_int_equal(outbox_decide(store->outbox, 2, OUTBOX_PASS, STR("r"), STR("t"), 5), STATUS_OK);
  assert_int_equal(oldest_of(store, STATUS_OK), 2);
  assert_int_equal(oldest_for(store, "ehr", STATUS_OK), 3); /* 2 lets its lane pass */
  store_put(store, "archive", "a", "r4");
  assert_int_equal(oldest_for(store, "archive", STATUS_OK), 5);
  assert_int_equal(outbox_decide(store->outbox, 5, OUTBOX_DROP, STR("r"), STR("t"), 5), STATUS_OK);
  for (int64_t id = 2; id <= 4; id++)
    assert_int_equal(outbox_decide(store->outbox, id, OUTBOX_DROP, STR("r"), STR("t"), 5), STATUS_OK);
  assert_int_equal(oldest_of(store, STATUS_NOT_FOUND), 0);
}

/* What was exported goes, some at a time; the rest is sound by its anchor, and nobody can move that. */
/* Of what was read, with one word of it changed, or one event taken out: up to there it is as it was. */
static void events_that_were_kept_are_checked(void **state) {
  struct store *store = *state;
  struct outbox_event *events = NULL, kept[8];
  size_t count = 0, sound = 0;
  store_put(store, "ehr", "p", "a1");
  assert_int_equal(outbox_decide(store->outbox, 1, OUTBOX_PARK, STR("look"), STR("ada"), 5), STATUS_OK);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  store_put(store, "ehr", "p", "a2");
  assert_int_equal(outbox_audit_read(store->outbox, 0, 8, store->arena, &store->diags, &events, &count), STATUS_OK);
  assert_int_equal(count, 4);
  for (int change = 0; change < 9; change++) {
    memcpy(kept, events, count * sizeof kept[0]);
    size_t wanted = change ? 2 : 4, has = count;
    if (change == 1) kept[2].number++;
    if (change == 2) kept[2].at++;
    if (change == 3) kept[2].record++;
    if (change == 4) kept[2].what = STR("dropped");
    if (change == 5) kept[2].actor = STR("bob");
    if (change == 6) kept[2].reason = STR("");
    if (change == 7) kept[2].chain = kept[1].chain;
    if (change == 8) kept[2] = kept[--has];
    assert_int_equal(outbox_audit_check(store->outbox, STR(""), kept, has, &sound), STATUS_OK);
    assert_int_equal(sound, wanted);
  }
  assert_int_equal(outbox_audit_check(store->outbox, events[1].chain, events + 2, 2, &sound), STATUS_OK);
  assert_int_equal(sound, 2);
  assert_int_equal(outbox_audit_check(store->outbox, events[0].chain, events + 2, 2, &sound), STATUS_OK);
  assert_int_equal(sound, 0);
  assert_int_equal(outbox_audit_check(store->outbox, STR("none"), events, 1, &sound), STATUS_INVALID);
}

/* Every kind of event that there is, at least once. */
static void make_each_kind(struct store *store) {
  static const char *const of_the_relay[] = {"started", "reloaded", "reload-refused", "backed-up", "backup-failed", "store-damaged", "stopped"};
  static const enum outbox_state ends[] = {OUTBOX_QUEUED, OUTBOX_UNKNOWN, OUTBOX_PARKED};
  static const enum outbox_order orders[] = {OUTBOX_PASS, OUTBOX_RETRY, OUTBOX_PARK, OUTBOX_DROP};
  int64_t id = store_put(store, "ehr", "p", "a1");
  struct outbox_claim claim;
  for (size_t i = 0; i < sizeof of_the_relay / sizeof of_the_relay[0]; i++)
    assert_int_equal(outbox_audit(store->outbox, str_of(of_the_relay[i]), STR("uid=1"), STR("r"), ++store->now), STATUS_OK);
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
    assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
    store_finish(store, id, ends[i], 0);
  }
  for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++)
    assert_int_equal(outbox_decide(store->outbox, id, orders[i], STR("look"), STR("ada"), ++store->now), STATUS_OK);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  store->keys.count = 2;
  store->keys.ids[1] = 2;
  memset(store->keys.keys[1], 8, OUTBOX_KEY_BYTES);
  store_reopen(store);
  id = store_put(store, "ehr", "p", "a2");
  assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
  store_finish(store, id, OUTBOX_DONE, 0);
  assert_int_equal(outbox_audit_exported(store->outbox, 1, STR("ada"), ++store->now), STATUS_OK);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  store_put(store, "ehr", "p", "a3");
}

static size_t read_trail(struct store *store, struct outbox_event **events) {
  size_t count = 0;
  assert_int_equal(outbox_audit_read(store->outbox, 0, 99, store->arena, &store->diags, events, &count), STATUS_OK);
  return count;
}

static void expect_each_kind(const struct outbox_event *events, size_t count) {
  static const char *const kinds[] = {"accepted", "started", "reloaded", "reload-refused", "backed-up", "backup-failed", "store-damaged",
                                      "stopped", "waiting", "unknown", "parked", "passed", "retry", "dropped", "key-rotated", "opened",
                                      "delivered", "trail-exported"};
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    size_t at = 0;
    while (at < count && !str_is(events[at].what, kinds[i]))
      at++;
    assert_true(at < count);
  }
}

enum { KEPT_CHANGES = 9 };

/* What somebody has made of a file of events, at one of them. False: that cannot be made of this one. */
static bool change_kept(struct outbox_event *kept, size_t *count, size_t at, int change) {
  struct outbox_event *event = &kept[at], copy = *event;
  if (change == 0) event->number++;
  if (change == 1) event->at--;
  if (change == 2) event->record++;
  if (change == 3) event->what = STR("looked");
  if (change == 4) event->actor = STR("eve");
  if (change == 5) event->reason = STR("changed");
  if (change < 6) return true;
  if (at + 1 == *count) return false; /* the last: what is not there any more is missed by who knows how many there were */
  if (change == 6) memmove(event, event + 1, (--*count - at) * sizeof *event);
  if (change == 7) *event = event[1], event[1] = copy;
  if (change == 8) event[1] = copy;
  return true;
}

static void expect_kept_is_checked(struct store *store, const struct outbox_event *events, size_t count) {
  struct outbox_event kept[99];
  size_t sound = 0;
  for (size_t at = 1; at < count; at++) /* the first is tied to one that has gone */
    for (int change = 0; change < KEPT_CHANGES; change++) {
      size_t has = count;
      memcpy(kept, events, count * sizeof kept[0]);
      if (!change_kept(kept, &has, at, change)) continue;
      assert_int_equal(outbox_audit_check(store->outbox, events[0].chain, kept + 1, has - 1, &sound), STATUS_OK);
      assert_int_equal(sound + 1, change == 8 ? at + 1 : at);
    }
}

/* Wherever it is shortened the rest is sound, and tied to what was kept. */
static void expect_shortened_is_tied(struct store *store, const struct outbox_event *events, size_t count) {
  for (size_t at = 0; at + 1 < count; at++) {
    struct outbox_event *rest;
    size_t sound = 0;
    assert_int_equal(outbox_audit_exported(store->outbox, events[at].number, STR("ada"), store->now), STATUS_OK);
    size_t left = read_trail(store, &rest);
    assert_true(left == count - at && rest[0].number == events[at + 1].number); /* one more: it was shortened */
    assert_int_equal(outbox_audit_check(store->outbox, events[at].chain, rest, left, &sound), STATUS_OK);
    assert_int_equal(sound, left);
    outbox_abandon(store->outbox);
  }
}

static void expect_broken_at(struct store *store, const char *sql, int64_t number) {
  struct outbox_event *events;
  size_t count = 0;
  store_close(store);
  store_sql(store, "CREATE TABLE kept AS SELECT * FROM audit");
  store_sql(store, sql);
  store_reopen(store);
  assert_int_equal(outbox_audit_read(store->outbox, 0, 99, store->arena, &store->diags, &events, &count), STATUS_INVALID);
  assert_true(store_said(store, arena_printf(store->arena, "the audit trail is broken at event %lld:", (long long)number).ptr));
  store_close(store);
  store_sql(store, "DELETE FROM audit; INSERT INTO audit SELECT * FROM kept; DROP TABLE kept");
  store_reopen(store);
}

/* In the store: edited, taken out, in another order. */
static void expect_stored_is_checked(struct store *store, const struct outbox_event *events, size_t count) {
  static const char *const changes[] = {
      "UPDATE audit SET reason = 'changed' WHERE number = (SELECT n FROM one)",
      "UPDATE audit SET what = 'looked' WHERE number = (SELECT n FROM one)",
      "UPDATE audit SET record = record + 1 WHERE number = (SELECT n FROM one)",
      "UPDATE audit SET actor = 'eve' WHERE number = (SELECT n FROM one)",
      "DELETE FROM audit WHERE number = (SELECT n FROM one)",
      "UPDATE audit SET number = -number WHERE number - (SELECT n FROM one) IN (0, 1); UPDATE audit SET number = (SELECT 2 * n + 1 FROM one) + number WHERE number < 0"};
  for (size_t at = 0; at + 1 < count; at++)
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
      long long number = (long long)events[at].number;
      expect_broken_at(store, arena_printf(store->arena, "CREATE TEMP TABLE one AS SELECT %lld AS n; %s", number, changes[i]).ptr, number);
    }
}

static void each_kind_of_event_is_tied_to_the_next(void **state) {
  struct store *store = *state;
  struct outbox_event *events;
  make_each_kind(store);
  size_t count = read_trail(store, &events);
  expect_each_kind(events, count);
  expect_kept_is_checked(store, events, count);
  expect_shortened_is_tied(store, events, count);
  expect_stored_is_checked(store, events, count);
}

static void an_exported_trail_goes_and_the_rest_is_sound(void **state) {
  static const char *const changes[] = {"DELETE FROM anchor", "UPDATE anchor SET number = 2", "UPDATE anchor SET record = 1",
                                        "UPDATE anchor SET chain = zeroblob(32)", "DELETE FROM audit WHERE number = 4",
                                        "UPDATE anchor SET seal = zeroblob(32)", "UPDATE audit SET at = 7 WHERE number = 4"};
  struct store *store = *state;
  struct outbox_event *events;
  struct outbox_stats stats;
  size_t count;
  for (int i = 0; i < 4; i++)
    store_put(store, "ehr", "", arena_printf(store->arena, "r%d", i).ptr);
  sweep_events(store, 10, 0); /* 5 events */
  assert_int_equal(outbox_audit_exported(store->outbox, 6, STR("ada"), store->now), STATUS_NOT_FOUND);
  assert_int_equal(outbox_audit_exported(store->outbox, 3, STR("ada"), store->now), STATUS_OK);
  outbox_abandon(store->outbox);
  assert_int_equal(first_event(store, 0, &count), 1);
  assert_int_equal(outbox_audit_exported(store->outbox, 3, STR("ada"), store->now), STATUS_OK);
  assert_int_equal(outbox_audit_exported(store->outbox, 3, STR("ada"), store->now), STATUS_CONFLICT);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  assert_int_equal(first_event(store, 0, &count), 4);
  assert_int_equal(count, 3);
  sweep_events(store, 2, 2);
  assert_int_equal(first_event(store, 1, &count), 4);
  store_reopen(store);
  sweep_events(store, 2, 1);
  sweep_events(store, 2, 0);
  assert_int_equal(first_event(store, 0, &count), 4);
  assert_int_equal(first_event(store, 4, &count), 5);
  assert_int_equal(outbox_audit_read(store->outbox, 0, 100, store->arena, &store->diags, &events, &count), STATUS_OK);
  assert_true(str_is(events[2].what, "trail-exported") && str_is(events[2].reason, "through-3") && str_is(events[2].actor, "ada"));
  assert_int_equal(outbox_stats(store->outbox, (struct str){0}, &stats), STATUS_OK);
  assert_int_equal(stats.events, 4); /* one more: it was opened again */
  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
    store_close(store);
    store_sql(store, "CREATE TABLE a AS SELECT * FROM audit; CREATE TABLE b AS SELECT * FROM anchor");
    store_sql(store, changes[i]);
    store_reopen(store);
    assert_int_equal(outbox_audit_read(store->outbox, 0, 100, store->arena, &store->diags, &events, &count), STATUS_INVALID);
    store_close(store);
    store_sql(store, "DELETE FROM audit; INSERT INTO audit SELECT * FROM a; DROP TABLE a;"
                     "DELETE FROM anchor; INSERT INTO anchor SELECT * FROM b; DROP TABLE b");
    store_reopen(store);
  }
  assert_int_equal(first_event(store, 0, &count), 4);
}

/* Also when nothing tells any more of those that were given. */
static void numbers_of_records_are_not_given_twice(void **state) {
  struct store *store = *state;
  struct outbox_retention retention = {0};
  struct outbox_swept swept;
  struct outbox_claim claim;
  size_t count;
  int64_t id = store_put(store, "ehr", "", "r");
  assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
  store_finish(store, id, OUTBOX_DONE, 0);
  assert_int_equal(first_event(store, 0, &count), 1);
  assert_int_equal(outbox_audit_exported(store->outbox, (int64_t)count, STR("ada"), store->now), STATUS_OK);
  assert_int_equal(outbox_sweep(store->outbox, &retention, store->now + 10, 100, &swept), STATUS_OK);
  assert_true(swept.records == 1 && swept.events == count);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  store_reopen(store);
  assert_int_equal(store_put(store, "ehr", "", "s"), id + 1);
}

/* One row a step, some, as many as there are, and one more. */
static void what_stays_is_counted(void **state) {
  enum { PLACES = 12 };
  static const size_t budgets[] = {1, 5, PLACES - 1, PLACES, PLACES + 1};
  struct store *store = *state;
  struct outbox_retention retention = {0};
  struct outbox_swept swept;
  struct outbox_stats stats;
  for (int i = 0; i < PLACES; i++) {
    struct outbox_place place = {.location = STR("Patient/1")};
    struct str name = arena_printf(store->arena, "%d", i);
    assert_int_equal(store_place(store, i % 2 ? STR("ehr") : STR("archive"), name, name, &place), STATUS_OK);
  }
  put_revision(store, "p", 1);
  for (size_t b = 0; b < sizeof budgets / sizeof budgets[0]; b++) {
    store_reopen(store);
    for (size_t steps = 0; steps <= PLACES / budgets[b]; steps++)
      assert_int_equal(outbox_sweep(store->outbox, &retention, 0, budgets[b], &swept), STATUS_OK);
    assert_int_equal(outbox_stats(store->outbox, (struct str){0}, &stats), STATUS_OK);
    assert_int_equal(stats.ledger, PLACES);
    assert_true(stats.bytes > 0);
    assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  }
  assert_int_equal(stats.subjects, 1);
}

static void old_rows_go_when_their_time_is_over(void **state) {
  struct store *store = *state;
  struct outbox_retention retention = {.done_ms = 1000};
  struct outbox_swept swept;
  int64_t id, again;
  assert_int_equal(accept(store, "MSG1", "x", &again), OUTBOX_ACCEPTED);
  struct outbox_claim claim;
  assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
  store_finish(store, claim.id, OUTBOX_DONE, 0);
  int64_t done = store->now;
  assert_int_equal(outbox_sweep(store->outbox, &retention, done + 1000, 10, &swept), STATUS_OK);
  assert_int_equal(swept.records, 0);
  assert_int_equal(outbox_sweep(store->outbox, &retention, done + 1001, 10, &swept), STATUS_OK);
  assert_int_equal(swept.records, 1);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  assert_int_equal(store_count(store, OUTBOX_DONE), 0);
  assert_int_equal(accept(store, "MSG1", "x", &id),
                   OUTBOX_AGAIN); /* known for 30 days, whatever was asked for */
  assert_int_equal(outbox_sweep(store->outbox, &retention, 1 + LIMIT_OUTBOX_DEDUPE_MS, 10, &swept),
                   STATUS_OK);
  assert_int_equal(swept.keys, 0);
  assert_int_equal(outbox_sweep(store->outbox, &retention, 2 + LIMIT_OUTBOX_DEDUPE_MS, 10, &swept),
                   STATUS_OK);
  assert_int_equal(swept.keys, 1);
  assert_int_equal(accept(store, "MSG1", "x", &id), OUTBOX_ACCEPTED);
  assert_true(id > claim.id); /* a number is never used twice */
}

/* To an hour, forth and back, and only when it is durable. */
static void the_time_of_the_last_sweep_is_known(void **state) {
  static const struct {
    int64_t now, noted;
  } cases[] = {{5000000, 5000000}, {8599999, 5000000}, {8600000, 8600000}, {5000001, 8600000}, {5000000, 5000000}, {INT64_C(2145916800000), INT64_C(2145916800000)}};
  struct store *store = *state;
  struct outbox_retention retention = {.done_ms = 1000};
  struct outbox_swept swept;
  assert_int_equal(outbox_clock(store->outbox), 0);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    int64_t before = outbox_clock(store->outbox);
    assert_int_equal(outbox_sweep(store->outbox, &retention, cases[i].now, 10, &swept), STATUS_OK);
    outbox_abandon(store->outbox);
    assert_int_equal(outbox_clock(store->outbox), before);
    assert_int_equal(outbox_sweep(store->outbox, &retention, cases[i].now, 10, &swept), STATUS_OK);
    assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
    store_reopen(store);
    assert_int_equal(outbox_clock(store->outbox), cases[i].noted);
  }
}

/* --- the write-ahead log --- */

static off_t log_size(struct store *store) {
  struct stat info;
  assert_int_equal(stat(store_path(store, "outbox.db-wal"), &info), 0);
  return info.st_size;
}

static void put_numbered(struct store *store, int number) {
  char payload[16];
  snprintf(payload, sizeof payload, "%d", number);
  store_put(store, "ehr", "patient-1", payload);
}

/* Some at a time, until each has been looked at once from wherever the sweep was. */
static struct outbox_swept sweep_all(struct store *store, int64_t now, size_t budget, size_t rows) {
  struct outbox_retention retention = {.done_ms = 1000};
  struct outbox_swept swept, sum = {0};
  for (size_t i = 0; i < 2 * (rows / budget + 2); i++) {
    assert_int_equal(outbox_sweep(store->outbox, &retention, now, budget, &swept), STATUS_OK);
    assert_true(swept.keys <= budget && swept.records <= budget);
    sum.keys += swept.keys;
    sum.records += swept.records;
  }
  return sum;
}

/* Those that are over go, also behind what waits, what is over since a moment, and what a clock that was ahead has brought. */
static void records_that_are_over_are_found_wherever_they_stand(void **state) {
  enum { RECORDS = 12 };
  static const size_t budgets[] = {1, 5, RECORDS - 1, RECORDS, RECORDS + 1};
  const int64_t start = 1000000, far = 20 * INT64_C(86400000);
  for (size_t b = 0; b < sizeof budgets / sizeof budgets[0]; b++) {
    void *fresh = NULL;
    struct outbox_claim claim;
    assert_int_equal(store_setup(&fresh), 0);
    struct store *store = fresh;
    for (int i = 0; i < RECORDS; i++) {
      store->now = i == 3 ? start + far : start;
      store_put(store, "ehr", "", arena_printf(store->arena, "%d", i).ptr);
    }
    store->now = start + far;
    for (int i = 0; i < RECORDS; i++) {
      assert_int_equal(store_claim(store, "ehr", &claim), STATUS_OK);
      if (claim.id % 3 == 0) store_finish(store, claim.id, OUTBOX_QUEUED, INT64_MAX / 2);
      store->now = claim.id % 3 == 1 ? start : start + 500;
      if (claim.id % 3) store_finish(store, claim.id, OUTBOX_DONE, 0);
      store->now = start + far;
    }
    assert_int_equal(sweep_all(store, start + 1000, budgets[b], RECORDS).records, 0);
    assert_int_equal(sweep_all(store, start + 1004, budgets[b], RECORDS).records, RECORDS / 3);
    assert_int_equal(sweep_all(store, start + 1510, budgets[b], RECORDS).records, RECORDS / 3);
    assert_int_equal(store_count(store, OUTBOX_DONE), 0);
    assert_int_equal(store_count(store, OUTBOX_QUEUED), RECORDS / 3);
    assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
    assert_int_equal(store_teardown(&fresh), 0);
  }
  (void)state;
}

static void keys_of_a_clock_that_was_ahead_hold_no_others_back(void **state) {
  enum { AHEAD = 3 };
  const int64_t far = INT64_C(20) * 365 * 86400000;
  struct store *store = *state;
  int64_t now = store->now;
  for (int i = 0; i < AHEAD; i++) {
    store->now = now + far;
    store_put(store, "ehr", "", arena_printf(store->arena, "ahead-%d", i).ptr);
  }
  store->now = now;
  store_put(store, "ehr", "", "a1");
  int64_t later = store->now + LIMIT_OUTBOX_DEDUPE_MS;
  assert_int_equal(sweep_all(store, later, 2, AHEAD + 1).keys, 0); /* as old as it may be, or ahead */
  assert_int_equal(sweep_all(store, later + 1, 2, AHEAD + 1).keys, 1);
  assert_int_equal(sweep_all(store, later + 1, 10, AHEAD + 1).keys, 0);
  assert_int_equal(sweep_all(store, later + far, 10, AHEAD + 1).keys, 0);
  assert_int_equal(sweep_all(store, later + 1 + far, 1, AHEAD + 1).keys, AHEAD);
}

static void so_many_destinations_and_no_more(void **state) {
  enum { MOST = 256 };
  struct store *store = *state;
  struct outbox_stats stats;
  enum outbox_answer answer;
  for (int i = 0; i < MOST; i++)
    store_put(store, arena_printf(store->arena, "ehr-%d", i).ptr, "p", "x");
  struct outbox_item item = {.destination = STR("one-more"), .kind = STR("bundle"), .payload = STR("x")};
  struct outbox_message message = {
      .source = STR("test"), .content = STR("one more"), .items = &item, .item_count = 1};
  assert_int_equal(outbox_accept(store->outbox, &message, store->now, &store->diags, &answer, NULL), STATUS_LIMIT);
  assert_int_equal(outbox_commit(store->outbox), STATUS_LIMIT);
  store_reopen(store);
  for (int i = 0; i < MOST; i += MOST - 1) {
    assert_int_equal(outbox_stats(store->outbox, arena_printf(store->arena, "ehr-%d", i), &stats), STATUS_OK);
    assert_int_equal(stats.by_state[OUTBOX_QUEUED], 1);
  }
  store_put(store, "ehr-0", "p", "y");
  struct str *names = NULL;
  size_t count = 0;
  assert_int_equal(outbox_destinations(store->outbox, store->arena, &names, &count), STATUS_OK);
  assert_int_equal(count, MOST);
  assert_true(str_is(names[0], "ehr-0") && str_is(names[MOST - 1], "ehr-255"));
}

static void the_log_stays_short(void **state) {
  enum { PAGES = 40, PAGE_BYTES = 4096 + 24, MANY = 100 };
  struct store *store = *state;
  struct outbox_stats stats;
  store->params.checkpoint_pages = PAGES;
  store_reopen(store);
  for (int i = 0; i < MANY; i++)
    put_numbered(store, i);
  assert_in_range(log_size(store), 1, 2 * PAGES * PAGE_BYTES);
  put_numbered(store, MANY);
  assert_int_equal(outbox_stats(store->outbox, (struct str){0}, &stats), STATUS_OK);
  assert_in_range(stats.log_pages, 0, PAGES);
  uint64_t with_log = stats.bytes;
  assert_in_range(with_log, log_size(store) + PAGE_BYTES, UINT32_MAX);
  assert_int_equal(outbox_idle(store->outbox), STATUS_OK);
  assert_int_equal(log_size(store), 0);
  assert_int_equal(outbox_stats(store->outbox, (struct str){0}, &stats), STATUS_OK);
  assert_in_range(stats.bytes, PAGE_BYTES, with_log - 1); /* what the log has of a page several times is there once */
  for (int i = MANY + 1; stats.log_pages || !log_size(store); i++) { /* all is in the store, and its old pages in the log */
    put_numbered(store, i);
    assert_int_equal(outbox_stats(store->outbox, (struct str){0}, &stats), STATUS_OK);
  }
  assert_int_equal(outbox_idle(store->outbox), STATUS_OK);
  assert_int_equal(log_size(store), 0);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)
  const struct CMUnitTest tests[] = {
      CASE(oldest_of_lane_goes_first),
      CASE(a_failed_one_goes_again_before_the_next),
      CASE(what_waits_is_counted_with_the_group),
      CASE(faults_are_counted_apart_from_attempts),
      CASE(lanes_of_destinations_are_their_own),
      CASE(records_without_a_lane_do_not_wait_for_each_other),
      CASE(a_clock_that_jumped_does_not_hold_back),
      CASE(a_parked_one_blocks_its_lane_only),
      CASE(a_decision_without_a_reason_keeps_the_old_one),
      CASE(decisions_are_refused_where_they_do_not_fit),
      CASE(dropped_is_gone_but_remembered),
      CASE(an_unknown_one_stays_unknown_when_retried),
      CASE(one_that_fits_no_memory_is_parked),
      CASE(a_payload_comes_back_as_it_was),
      CASE(a_pressed_payload_is_measured_whole),
      CASE(an_older_revision_is_parked),
      CASE(a_retry_does_not_undo_a_correction),
      CASE(a_correction_may_pass_in_another_lane),
      CASE(a_correction_in_another_lane_is_not_undone),
      CASE(a_parked_one_of_unknown_end_is_looked_for),
      CASE(the_same_message_is_taken_once),
      CASE(messages_without_records_are_known_in_their_order),
      CASE(a_message_is_taken_whole_or_not),
      CASE(a_full_store_refuses_and_keeps_the_group),
      CASE(a_group_given_up_leaves_nothing),
      CASE(a_group_lost_to_a_question_leaves_nothing),
      CASE(the_ledger_remembers_places),
      CASE(the_ledger_tells_what_the_store_holds),
      CASE(a_family_of_places_is_asked_for_once),
      CASE(records_are_listed_by_state_and_page),
      CASE(every_change_stands_in_the_trail),
      CASE(a_changed_trail_is_found),
      CASE(events_that_were_kept_are_checked),
      CASE(a_group_that_is_given_up_counts_nothing),
      CASE(each_kind_of_event_is_tied_to_the_next),
      CASE(an_exported_trail_goes_and_the_rest_is_sound),
      CASE(numbers_of_records_are_not_given_twice),
      CASE(what_stays_is_counted),
      CASE(the_oldest_open_one_is_known),
      CASE(old_rows_go_when_their_time_is_over),
      CASE(the_time_of_the_last_sweep_is_known),
      CASE(records_that_are_over_are_found_wherever_they_stand),
      CASE(keys_of_a_clock_that_was_ahead_hold_no_others_back),
      CASE(so_many_destinations_and_no_more),
      CASE(the_log_stays_short),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
