/* test_group.c - the loop and the thread that commits share a store: what is accepted by the one and ended by the other, while groups
   are given up, a copy is made and people look. Under the thread sanitizer it shows what is touched by both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "relay/internal.h"

enum { RECORDS = 1500, SLOTS = 40, LANES = 60, FAILS_EACH = 29 /* draws of random bytes */, SECONDS = 100 };

struct bed;

/* A claim and its end, again and again. */
struct slot {
  struct bed *bed;
  struct relay_promise promise;
  struct outbox_claim claim;
  struct arena *arena;
  enum status claimed, told, finished;
  int number;
};

struct accepting {
  struct bed *bed;
  struct relay_promise promise;
  int number;
};

static struct bed {
  char folder[64];
  struct host host;
  struct outbox_keys keys;
  struct outbox_params params;
  struct diag_list diags;
  struct arena *arena;
  struct relay relay;
  struct relay_config config;
  struct relay_backup *backup;
  struct event *turn, *late;
  struct slot slots[SLOTS];
  struct accepting accepted[RECORDS];
  int begun[RECORDS], lane_busy[LANES], lane_last[LANES];
  int acknowledged, done, enough, draws, failures;
  int copies; /* from so many done on */
  bool fails, closing;
  int64_t nap_us; /* of each end */
} bed;

/* --- the store --- */

/* Asked by whoever has the store: it has no lock. */
static enum status draw(void *context, void *bytes, size_t count) {
  (void)context;
  if (bed.fails && ++bed.draws % FAILS_EACH == 0) return STATUS_NOMEM;
  return host_system()->random(host_system()->context, bytes, count);
}

static void open_store(void) {
  bed.host = *host_system();
  bed.host.random = draw;
  bed.keys.count = 1;
  bed.keys.ids[0] = 1;
  memset(bed.keys.keys[0], 7, OUTBOX_KEY_BYTES);
  bed.params = (struct outbox_params){.host = &bed.host, .folder = bed.folder, .keys = &bed.keys, .reserve_bytes = 1, .checkpoint_pages = 100};
  diag_list_init(&bed.diags, bed.arena);
  assert_int_equal(outbox_open(&bed.params, &bed.diags, &bed.relay.outbox), STATUS_OK);
}

static int set_up(void **state) {
  (void)state;
  memset(&bed, 0, sizeof bed);
  snprintf(bed.folder, sizeof bed.folder, "/tmp/ketlink-group-XXXXXX");
  if (!mkdtemp(bed.folder)) return -1;
  bed.arena = arena_new(64 << 20);
  bed.config.backup = arena_printf(bed.arena, "%s/copy", bed.folder);
  bed.relay = (struct relay){.host = &bed.host, .config = &bed.config, .arena = bed.arena, .base = event_base_new()};
  bed.relay.log.host = &bed.host;
  open_store();
  if (event_base_priority_init(bed.relay.base, 2) != 0) return -1;
  assert_int_equal(relay_group_open(&bed.relay), STATUS_OK);
  assert_int_equal(relay_backup_open(&bed.relay, &bed.backup), STATUS_OK);
  for (int i = 0; i < LANES; i++)
    bed.lane_last[i] = -1;
  for (int i = 0; i < SLOTS; i++)
    bed.slots[i] = (struct slot){.bed = &bed, .arena = arena_new(1 << 20)};
  return 0;
}

static int tear_down(void **state) {
  char command[128];
  (void)state;
  outbox_close(bed.relay.outbox);
  for (int i = 0; i < SLOTS; i++)
    arena_free(bed.slots[i].arena);
  event_base_free(bed.relay.base);
  arena_free(bed.arena);
  snprintf(command, sizeof command, "rm -rf '%s'", bed.folder);
  return system(command);
}

/* --- ends and claims: by the thread --- */

static void end_is_durable(void *context, enum status status);
static void claim_is_durable(void *context, enum status status);

static void make_claim(void *context, struct outbox *outbox) {
  struct slot *slot = context;
  arena_reset(slot->arena);
  slot->claimed = outbox_claim(outbox, STR("ehr"), relay_now(&bed.relay), slot->arena, &slot->claim);
}

static void make_end(void *context, struct outbox *outbox) {
  struct slot *slot = context;
  struct outbox_outcome outcome = {.state = OUTBOX_DONE, .reason = STR("http-200"), .http_status = 200};
  struct str name = arena_printf(slot->arena, "P-%d", slot->number);
  if (bed.nap_us) usleep((useconds_t)bed.nap_us);
  struct outbox_placed placed = {.key = name, .identifier = name, .place.location = name};
  slot->told = outbox_ledger_put(outbox, STR("ehr"), &placed, 1, relay_now(&bed.relay));
  slot->finished = outbox_finish(outbox, slot->claim.id, &outcome, relay_now(&bed.relay));
}

static void promise_claim(struct slot *slot) {
  slot->promise = (struct relay_promise){.make = make_claim, .kept = claim_is_durable, .context = slot};
  relay_promise(&bed.relay, &slot->promise);
}

static void promise_end(struct slot *slot) {
  slot->promise = (struct relay_promise){.make = make_end, .kept = end_is_durable, .context = slot};
  relay_promise(&bed.relay, &slot->promise);
}

/* Never two of a lane, and in their order. */
static void claim_is_durable(void *context, enum status status) {
  struct slot *slot = context;
  bed.failures += status != STATUS_OK;
  slot->number = -1;
  if (status != STATUS_OK || slot->claimed != STATUS_OK) return;
  slot->number = atoi(slot->claim.label.ptr);
  int lane = slot->number % LANES;
  assert_false(bed.lane_busy[lane]++);
  assert_true(slot->number > bed.lane_last[lane]);
  promise_end(slot);
}

static void end_is_durable(void *context, enum status status) {
  struct slot *slot = context;
  bed.failures += status != STATUS_OK;
  if (status != STATUS_OK) {
    if (!bed.closing) promise_end(slot);
    return;
  }
  assert_int_equal(slot->told, STATUS_OK);
  assert_int_equal(slot->finished, STATUS_OK);
  bed.lane_busy[slot->number % LANES] = 0;
  bed.lane_last[slot->number % LANES] = slot->number;
  slot->number = -1;
  if (++bed.done == bed.enough) event_base_loopbreak(bed.relay.base);
}

/* --- what the loop does --- */

static void is_acknowledged(void *context, enum status status) {
  struct accepting *accepting = context;
  bed.failures += status != STATUS_OK;
  bed.begun[accepting->number] = status == STATUS_OK ? 2 : 0;
  bed.acknowledged += status == STATUS_OK;
}

/* In the order of the lane: what was not kept comes again before what is younger. */
static bool may_be_accepted(int number) {
  for (int older = number % LANES; older < number; older += LANES)
    if (bed.begun[older] != 2) return false;
  return !bed.begun[number];
}

static void accept_one(int number) {
  struct accepting *accepting = &bed.accepted[number];
  char label[16], lane[16];
  enum outbox_answer answer;
  snprintf(label, sizeof label, "%d", number);
  snprintf(lane, sizeof lane, "lane-%d", number % LANES);
  struct outbox_item item = {.destination = STR("ehr"), .lane = str_of(lane), .kind = STR("bundle"), .label = str_of(label), .payload = str_of(label)};
  struct outbox_message message = {.source = STR("test"), .content = str_of(label), .items = &item, .item_count = 1};
  bed.begun[number] = 1;
  /* whatever it says: when it was given up the promise is told so */
  enum status status = outbox_accept(relay_store(&bed.relay), &message, relay_now(&bed.relay), &bed.diags, &answer, NULL);
  assert_true(status == STATUS_OK || status == STATUS_NOMEM);
  *accepting = (struct accepting){.bed = &bed, .number = number, .promise = {.kept = is_acknowledged, .context = accepting}};
  relay_promise(&bed.relay, &accepting->promise);
}

static void accept_some(void) {
  enum { AT_ONCE = 5 };
  int count = 0;
  for (int number = 0; number < RECORDS && count < AT_ONCE; number++)
    if (may_be_accepted(number)) {
      accept_one(number);
      count++;
    }
}

static void look(void) {
  struct arena_mark mark = arena_mark(bed.arena);
  struct outbox_stats stats;
  struct outbox_place place;
  assert_int_equal(outbox_stats(relay_store(&bed.relay), (struct str){0}, &stats), STATUS_OK);
  assert_true(outbox_open_records(&stats) + stats.by_state[OUTBOX_DONE] <= RECORDS);
  enum status status = outbox_ledger_get(relay_store(&bed.relay), STR("ehr"), STR("P-1"), STR("P-1"), bed.arena, &place);
  assert_true(status == STATUS_OK || status == STATUS_NOT_FOUND);
  arena_rewind(bed.arena, mark);
}

static void claim_all(void) {
  for (int i = 0; i < SLOTS; i++)
    if (bed.slots[i].number < 0) {
      bed.slots[i].number = 0;
      promise_claim(&bed.slots[i]);
    }
}

static void on_turn(evutil_socket_t socket, short what, void *context) {
  (void)socket;
  (void)what;
  (void)context;
  accept_some();
  look();
  claim_all();
  if (bed.done >= bed.copies) relay_backup_look(bed.backup);
}

static void on_late(evutil_socket_t socket, short what, void *context) {
  (void)socket;
  (void)what;
  (void)context;
  fail_msg("after %d s: %d of %d acknowledged, %d done", SECONDS, bed.acknowledged, RECORDS, bed.done);
}

static void run_until(int done) {
  struct timeval often = {.tv_usec = 1000}, most = {.tv_sec = SECONDS};
  for (int i = 0; i < SLOTS; i++)
    bed.slots[i].number = -1;
  bed.enough = done;
  bed.turn = event_new(bed.relay.base, -1, EV_PERSIST, on_turn, NULL);
  bed.late = event_new(bed.relay.base, -1, 0, on_late, NULL);
  assert_true(event_add(bed.turn, &often) == 0 && event_add(bed.late, &most) == 0);
  event_base_dispatch(bed.relay.base);
  event_free(bed.turn);
  event_free(bed.late);
}

/* As the relay ends: what was promised is kept meanwhile, and more is promised. */
static void close_bed(void) {
  bed.closing = bed.relay.closing = true;
  relay_group_end(&bed.relay);
  relay_backup_close(bed.backup); /* what it gives up is the store's: the thread must have ended with it */
  assert_false(relay_store_is_busy(&bed.relay));
  relay_group_close(&bed.relay);
  assert_int_equal(bed.relay.fatal, STATUS_OK);
}

/* --- */

static size_t count_places(void) {
  size_t places = 0;
  for (int number = 0; number < RECORDS; number++) {
    struct arena_mark mark = arena_mark(bed.arena);
    struct str name = arena_printf(bed.arena, "P-%d", number);
    struct outbox_place place;
    places += outbox_ledger_get(bed.relay.outbox, STR("ehr"), name, name, bed.arena, &place) == STATUS_OK;
    arena_rewind(bed.arena, mark);
  }
  return places;
}

/* Places are there exactly for what was delivered, nothing that was acknowledged is gone, and the trail is whole. */
static void expect_all_there(bool counted) {
  struct outbox_stats stats;
  struct outbox_event *events;
  size_t count;
  assert_int_equal(outbox_stats(bed.relay.outbox, (struct str){0}, &stats), STATUS_OK);
  size_t all = outbox_open_records(&stats) + stats.by_state[OUTBOX_DONE];
  assert_int_equal(all, bed.acknowledged);
  if (counted) assert_int_equal(stats.accepted, bed.acknowledged);
  assert_int_equal(stats.by_state[OUTBOX_DONE], bed.done);
  assert_int_equal(count_places(), bed.done);
  assert_int_equal(outbox_audit_read(bed.relay.outbox, 0, 3 * RECORDS, bed.arena, &bed.diags, &events, &count), STATUS_OK);
}

static void reopen(void) {
  bed.fails = false;
  outbox_close(bed.relay.outbox);
  open_store();
}

static void everything_is_ended_by_the_thread(void **state) {
  (void)state;
  bed.fails = true;
  run_until(RECORDS);
  assert_int_equal(bed.acknowledged, RECORDS);
  assert_true(bed.failures > 0);
  close_bed();
  expect_all_there(true);
  reopen();
  expect_all_there(false);
}

/* So many are claimed at the end that their ends are a group of their own, at once, while a copy is under way. */
static void what_was_promised_is_kept_at_the_end(void **state) {
  (void)state;
  bed.copies = RECORDS;
  run_until(RECORDS / 3);
  for (int i = 0; i < SLOTS / 2; i++)
    accept_some();
  relay_group_end(&bed.relay);
  (void)relay_store(&bed.relay);
  bed.nap_us = 1000; /* read by the thread */
  claim_all();
  relay_backup_look(bed.backup);
  close_bed();
  assert_true(bed.done > RECORDS / 3);
  expect_all_there(true);
  reopen();
  expect_all_there(false);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(everything_is_ended_by_the_thread, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_was_promised_is_kept_at_the_end, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
