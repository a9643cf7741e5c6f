/* test_model.c - random operations beside a model that is a list: order in each lane, and nothing lost or
   doubled, also across ends of the process. A failure prints its seed; KETLINK_SEED=N runs that one. */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>

enum { RECORDS = 400, LANES = 7, STEPS = 3000, SEEDS = 6, FAMILIES = 40, PLACES = 200 /* of a family that forks, at most */ };

struct modelled {
  int lane;
  enum outbox_state state;
  bool blocks, open_end; /* open_end: of an attempt nobody knows what became */
  unsigned attempts;
  int64_t id;
};

struct model {
  struct store *store;
  struct modelled records[RECORDS];
  size_t count;
  int places[FAMILIES]; /* so many it has, each with this in its etag */
  uint64_t random;
};

static unsigned next_random(struct model *model, unsigned below) {
  model->random ^= model->random << 13;
  model->random ^= model->random >> 7;
  model->random ^= model->random << 17;
  return (unsigned)(model->random % below);
}

static struct modelled *by_id(struct model *model, int64_t id) {
  for (size_t i = 0; i < model->count; i++)
    if (model->records[i].id == id) return &model->records[i];
  fail_msg("record %lld was never accepted", (long long)id);
  return NULL;
}

static bool holds(const struct modelled *record) {
  return record->state <= OUTBOX_UNKNOWN || (record->state == OUTBOX_PARKED && record->blocks);
}

/* No older record of the lane may hold it back, and none at all of the lane be on its way: a younger one can
   be, when this one was parked, passed over and retried. */
static bool may_go(const struct model *model, const struct modelled *record) {
  if (record->state != OUTBOX_QUEUED && record->state != OUTBOX_UNKNOWN) return false;
  for (size_t i = 0; i < model->count; i++) {
    const struct modelled *other = &model->records[i];
    if (other->lane != record->lane) continue;
    if (other->state == OUTBOX_SENDING || (other < record && holds(other))) return false;
  }
  return true;
}

static void accept(struct model *model) {
  if (model->count == RECORDS) return;
  struct modelled *record = &model->records[model->count];
  record->lane = (int)next_random(model, LANES);
  struct store *store = model->store;
  const char *lane = arena_printf(store->arena, "lane-%d", record->lane).ptr;
  record->id = store_put(store, "ehr", lane, arena_printf(store->arena, "r%zu", model->count).ptr);
  record->state = OUTBOX_QUEUED;
  model->count++;
}

static void claim(struct model *model) {
  struct outbox_claim claim;
  bool any = false;
  for (size_t i = 0; i < model->count; i++)
    any |= may_go(model, &model->records[i]);
  enum status status = store_claim(model->store, "ehr", &claim);
  assert_int_equal(status, any ? STATUS_OK : STATUS_NOT_FOUND);
  if (!any) return;
  struct modelled *record = by_id(model, claim.id);
  assert_true(may_go(model, record));
  assert_int_equal(claim.unknown, record->state == OUTBOX_UNKNOWN);
  assert_int_equal(claim.attempts, record->attempts);
  struct str text = arena_printf(model->store->arena, "r%zu", (size_t)(record - model->records));
  assert_true(str_eq(claim.payload, text) && str_eq(claim.label, text) && str_is(claim.kind, "bundle") && str_is(claim.destination, "ehr"));
  record->state = OUTBOX_SENDING;
}

static struct modelled *any_in(struct model *model, enum outbox_state state) {
  size_t from = model->count ? next_random(model, (unsigned)model->count) : 0;
  for (size_t i = 0; i < model->count; i++) {
    struct modelled *record = &model->records[(from + i) % model->count];
    if (record->state == state) return record;
  }
  return NULL;
}

static void finish(struct model *model) {
  static const enum outbox_state ends[] = {OUTBOX_DONE, OUTBOX_DONE, OUTBOX_QUEUED, OUTBOX_UNKNOWN,
                                           OUTBOX_PARKED};
  struct modelled *record = any_in(model, OUTBOX_SENDING);
  if (!record) return;
  record->state = ends[next_random(model, sizeof ends / sizeof ends[0])];
  record->blocks = record->state == OUTBOX_PARKED;
  record->open_end |= record->state == OUTBOX_UNKNOWN;
  record->attempts++;
  store_finish(model->store, record->id, record->state, 0);
}

static void decide(struct model *model) {
  static const struct {
    enum outbox_order order;
    enum outbox_state from, to;
  } orders[] = {{OUTBOX_RETRY, OUTBOX_PARKED, OUTBOX_QUEUED},
                {OUTBOX_PARK, OUTBOX_QUEUED, OUTBOX_PARKED},
                {OUTBOX_PASS, OUTBOX_PARKED, OUTBOX_PARKED},
                {OUTBOX_DROP, OUTBOX_UNKNOWN, OUTBOX_DROPPED}};
  unsigned which = next_random(model, 4);
  struct store *store = model->store;
  struct modelled *record = any_in(model, orders[which].from);
  if (!record || (orders[which].order == OUTBOX_PASS && !record->blocks)) return;
  record->state = orders[which].order == OUTBOX_RETRY && record->open_end ? OUTBOX_UNKNOWN : orders[which].to;
  record->blocks = orders[which].order == OUTBOX_PARK;
  assert_int_equal(
      outbox_decide(store->outbox, record->id, orders[which].order, STR("r"), STR("ada"), store->now),
      STATUS_OK);
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
}

static enum outbox_answer put(struct model *model, struct str content, struct str lane, int64_t *id) {
  enum outbox_answer answer = OUTBOX_ACCEPTED;
  struct store *store = model->store;
  struct outbox_item item = {.destination = STR("ehr"), .lane = lane, .kind = STR("bundle"), .label = STR("x"), .payload = STR("x")};
  struct outbox_message message = {.source = STR("test"), .content = content, .items = &item, .item_count = 1};
  assert_int_equal(outbox_accept(store->outbox, &message, store->now, &store->diags, &answer, id), STATUS_OK);
  return answer;
}

/* Its places: of the first ones so many that they are in several rows. */
static void put_places(struct model *model, unsigned family, int count) {
  struct store *store = model->store;
  struct outbox_placed *placed = ARENA_ARRAY(store->arena, struct outbox_placed, PLACES);
  for (int i = 0; i < count; i++) {
    placed[i] = (struct outbox_placed){.key = arena_printf(store->arena, "S-%u/x", family),
                                       .identifier = arena_printf(store->arena, "urn:%u:%d", family, i)};
    placed[i].place = (struct outbox_place){.location = placed[i].identifier, .etag = arena_printf(store->arena, "%d", count)};
  }
  assert_int_equal(outbox_ledger_put(store->outbox, STR("ehr"), placed, (size_t)count, store->now), STATUS_OK);
}

static void place(struct model *model) {
  unsigned family = next_random(model, FAMILIES), most = family < 2 ? PLACES : 3;
  if (model->places[family] == (int)most) return;
  model->places[family] += family < 2 ? PLACES / 5 : 1;
  put_places(model, family, model->places[family]);
  if (next_random(model, 2)) assert_int_equal(outbox_commit(model->store->outbox), STATUS_OK);
}

static void find_places(struct model *model) {
  struct store *store = model->store;
  unsigned family = next_random(model, FAMILIES);
  struct str key = arena_printf(store->arena, "S-%u/y", family);
  struct outbox_place got;
  for (int i = 0; i <= model->places[family]; i++) {
    struct str identifier = arena_printf(store->arena, "urn:%u:%d", family, i);
    enum status status = outbox_ledger_get(store->outbox, STR("ehr"), key, identifier, store->arena, &got);
    assert_int_equal(status, i < model->places[family] ? STATUS_OK : STATUS_NOT_FOUND);
    if (status == STATUS_OK)
      assert_true(str_eq(got.location, identifier) && str_eq(got.etag, arena_printf(store->arena, "%d", model->places[family])));
  }
}

/* A group that comes to nothing: the store, and what it keeps in memory, is as it was. */
static void give_up(struct model *model) {
  struct store *store = model->store;
  assert_int_equal(outbox_commit(store->outbox), STATUS_OK);
  const struct outbox_outcome done = {.state = OUTBOX_DONE, .reason = STR("x")};
  struct outbox_claim claim;
  int64_t id = 0;
  for (unsigned i = next_random(model, 5); i > 0; i--)
    (void)put(model, arena_printf(store->arena, "given up %u", i), arena_printf(store->arena, "lane-%u", next_random(model, LANES)), &id);
  if (outbox_claim(store->outbox, STR("ehr"), store->now, store->arena, &claim) == STATUS_OK && next_random(model, 2))
    assert_int_equal(outbox_finish(store->outbox, claim.id, &done, store->now), STATUS_OK);
  for (unsigned i = next_random(model, 12); i > 0; i--) {
    unsigned family = next_random(model, FAMILIES);
    put_places(model, family, family < 2 ? PLACES : 3);
  }
  outbox_abandon(store->outbox);
}

/* What came once is known, in whichever place its key stands by now. */
static void again(struct model *model) {
  unsigned at = model->count ? next_random(model, (unsigned)model->count) : 0;
  int64_t id = 0;
  if (!model->count) return;
  assert_int_equal(put(model, arena_printf(model->store->arena, "ehr r%u", at), STR("elsewhere"), &id), OUTBOX_AGAIN);
  assert_int_equal(id, model->records[at].id);
  assert_int_equal(outbox_commit(model->store->outbox), STATUS_OK);
}

static void restart(struct model *model) {
  assert_int_equal(outbox_commit(model->store->outbox), STATUS_OK);
  store_reopen(model->store);
  for (size_t i = 0; i < model->count; i++) {
    if (model->records[i].state != OUTBOX_SENDING) continue;
    model->records[i].state = OUTBOX_UNKNOWN;
    model->records[i].open_end = true;
    model->records[i].attempts++;
  }
  int64_t now = host_system()->now_ms(NULL); /* by which the store makes what was interrupted due */
  if (model->store->now < now) model->store->now = now;
}

static void compare(struct model *model) {
  size_t counts[OUTBOX_STATES] = {0};
  for (size_t i = 0; i < model->count; i++)
    counts[model->records[i].state]++;
  for (size_t i = 0; i < OUTBOX_STATES; i++)
    assert_int_equal(store_count(model->store, (enum outbox_state)i), counts[i]);
}

static void run_seed(void **state, uint64_t seed) {
  static void (*const moves[])(struct model *) = {accept, accept, claim,   claim, claim, finish,     finish,
                                                  finish, decide, give_up, again, place, find_places};
  struct model *model = calloc(1, sizeof *model);
  assert_non_null(model);
  model->store = *state;
  model->random = seed * 0x9E3779B97F4A7C15u + 1;
  for (int i = 0; i < STEPS; i++) {
    if (i % 500 == 499)
      restart(model);
    else
      moves[next_random(model, sizeof moves / sizeof moves[0])](model);
    if (i % 50 == 0) compare(model);
    if (i % 70 == 0) assert_int_equal(outbox_commit(model->store->outbox), STATUS_OK);
    if (i % 70 == 0) assert_int_equal(outbox_idle(model->store->outbox), STATUS_OK);
  }
  compare(model);
  assert_int_equal(outbox_commit(model->store->outbox), STATUS_OK);
  free(model);
}

static void the_store_does_what_the_model_does(void **state) {
  const char *given = getenv("KETLINK_SEED");
  uint64_t from = given ? strtoull(given, NULL, 10) : 1, to = given ? from : SEEDS;
  for (uint64_t seed = from; seed <= to; seed++) {
    void *fresh = NULL;
    print_message("seed %llu\n", (unsigned long long)seed);
    assert_int_equal(store_setup(&fresh), 0);
    run_seed(&fresh, seed);
    assert_int_equal(store_teardown(&fresh), 0);
  }
  (void)state;
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(the_store_does_what_the_model_does)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
