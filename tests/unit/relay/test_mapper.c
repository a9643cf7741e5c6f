/* test_mapper.c - texts are mapped on a thread: in their order, as the loop itself would do it, and none is forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>
#include <stdlib.h>
#include "../golden.h"
#include "../pack.h"
#include "relay/mapper.h"

enum { TASKS = 12, LINES = 5 };

static struct bed {
  struct relay relay;
  struct relay_config config;
  struct relay_ways ways;
  struct relay_names to;
  struct str name;
  struct arena *arena;
  struct str line; /* a record on one line */
} bed;

struct told {
  struct relay_task task;
  size_t number;
};
static size_t done, ended, left; /* tasks: in all, mapped, given up */

static int set_up(void **state) {
  struct golden fixture = {.folder = SOURCE_DIR "/fixtures/clinic/minimal"};
  struct pipeline_params params = {.host = host_system(), .mappings = SOURCE_DIR "/mappings", .maps = PIPELINE_MAPS_ALL};
  struct diag_list diags;
  (void)state;
  if (!getenv("KETLINK_DEFINITIONS")) params.definitions = SOURCE_DIR "/build/definitions.pack";
  fixture.arena = bed.arena = arena_new(64 << 20);
  diag_list_init(&diags, bed.arena);
  assert_int_equal(pipeline_open(&params, &diags, &bed.ways.pipeline), STATUS_OK);
  bed.name = bed.config.destinations[0].name = STR("hospital");
  bed.config.destination_count = bed.ways.count = bed.ways.users = 1;
  bed.ways.ways[0] = (struct relay_way){.config = &bed.config.destinations[0], .shape = bundle_shape_collection()};
  bed.to = (struct relay_names){&bed.name, 1};
  bed.relay = (struct relay){.host = host_system(), .config = &bed.config, .ways = &bed.ways, .base = event_base_new()};
  assert_int_equal(event_base_priority_init(bed.relay.base, 2), 0);
  bed.line = golden_read(&fixture, "record.json");
  for (char *at = (char *)(uintptr_t)bed.line.ptr; *at; at++)
    if (*at == '\n') *at = ' ';
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  pipeline_close(bed.ways.pipeline);
  event_base_free(bed.relay.base);
  arena_free(bed.arena);
  return 0;
}

static struct str lines(size_t count, const char *last) {
  struct str text = STR("");
  for (size_t i = 0; i < count; i++)
    text = arena_concat(bed.arena, arena_concat(bed.arena, text, bed.line), STR("\n"));
  return arena_concat(bed.arena, text, str_of(last));
}

static struct relay_input input_of(struct str text) {
  return (struct relay_input){.source = STR("http"), .name = STR("body.ndjson"), .text = text, .to = &bed.to};
}

static void note(void *context, struct relay_task *task) {
  struct told *told = context;
  assert_ptr_equal(&told->task, task);
  assert_int_equal(told->number, done++);
  if (task->status == STATUS_UNAVAILABLE)
    left++;
  else
    ended++;
}

static void give(struct told *told, size_t number, struct str text) {
  *told = (struct told){.number = number};
  told->task = (struct relay_task){.input = input_of(text), .done = note, .context = told};
  assert_int_equal(relay_mapper_give(bed.relay.mapper, &told->task), STATUS_OK);
}

static void open_mapper(void) {
  done = ended = left = 0;
  assert_int_equal(relay_mapper_open(&bed.relay, &bed.relay.mapper), STATUS_OK);
}

static void turn_until_done(void) {
  while (relay_mapper_is_busy(bed.relay.mapper))
    assert_int_equal(event_base_loop(bed.relay.base, EVLOOP_ONCE), 0);
}

/* What the loop would have made of the record. */
static enum status compare(void *context, const struct relay_mapped *mapped) {
  const struct relay_mapped *other = context;
  assert_true(str_eq(mapped->content, other->content));
  assert_int_equal(mapped->item_count, other->item_count);
  for (size_t i = 0; i < mapped->item_count; i++) {
    assert_true(str_eq(mapped->items[i].payload, other->items[i].payload) && mapped->items[i].bytes == other->items[i].bytes);
    assert_true(mapped->items[i].bytes > mapped->items[i].payload.len); /* it is pressed already */
    assert_true(str_eq(mapped->items[i].lane, other->items[i].lane));
    assert_true(str_eq(mapped->items[i].label, other->items[i].label));
    assert_true(str_eq(mapped->items[i].destination, other->items[i].destination));
    assert_true(str_eq(mapped->items[i].kind, other->items[i].kind));
  }
  return STATUS_OK;
}

static void check_records(const struct relay_task *task) {
  struct arena *scratch = arena_new(16 << 20);
  struct diag_list diags;
  size_t count = 0;
  diag_list_init(&diags, bed.arena);
  for (struct relay_kept *kept = task->records; kept; kept = kept->next, count++) {
    struct relay_input input = input_of(kept->mapped.content);
    struct relay_mapping mapping = {.config = &bed.config,
                                    .ways = &bed.ways,
                                    .input = &input,
                                    .scratch = scratch,
                                    .diags = &diags,
                                    .take = compare,
                                    .context = &kept->mapped};
    assert_int_equal(kept->mapped.item_count, 1);
    assert_int_equal(relay_map(&mapping), STATUS_OK);
  }
  assert_int_equal(count, LINES);
  arena_free(scratch);
}

static void texts_come_back_in_their_order_as_the_loop_maps_them(void **state) {
  struct told told[TASKS];
  (void)state;
  open_mapper();
  for (size_t i = 0; i < TASKS; i++)
    give(&told[i], i, lines(LINES, ""));
  turn_until_done();
  assert_int_equal(ended, TASKS);
  for (size_t i = 0; i < TASKS; i++) {
    assert_int_equal(told[i].task.status, STATUS_OK);
    check_records(&told[i].task);
    relay_task_release(&told[i].task);
  }
  assert_int_equal(bed.ways.users, 1);
  relay_mapper_close(bed.relay.mapper);
}

static void bad_records_are_counted_and_said(void **state) {
  struct told told;
  (void)state;
  open_mapper();
  give(&told, 0, lines(LINES, "{\"format\": 1}\nno record\n"));
  turn_until_done();
  assert_int_equal(told.task.bad, 2);
  assert_true(told.task.diags.by_severity[DIAG_ERROR] + told.task.diags.by_severity[DIAG_FATAL] >= 2);
  assert_int_equal(told.task.diags.last->line, LINES + 2);
  check_records(&told.task);
  relay_task_release(&told.task);
  relay_mapper_close(bed.relay.mapper);
}

static void large_texts_go_there_and_what_comes_behind_them(void **state) {
  struct told told;
  (void)state;
  open_mapper();
  assert_false(relay_mapper_wants(bed.relay.mapper, MAPPER_SMALL_BYTES - 1));
  assert_false(relay_mapper_wants(bed.relay.mapper, MAPPER_SMALL_BYTES));
  assert_true(relay_mapper_wants(bed.relay.mapper, MAPPER_SMALL_BYTES + 1));
  give(&told, 0, lines(1, ""));
  assert_true(relay_mapper_wants(bed.relay.mapper, 1));
  turn_until_done();
  assert_false(relay_mapper_wants(bed.relay.mapper, 1));
  relay_task_release(&told.task);
  relay_mapper_close(bed.relay.mapper);
}

static void what_has_no_room_is_left_to_the_loop(void **state) {
  struct told told = {0};
  (void)state;
  open_mapper();
  told.task = (struct relay_task){.input = input_of(lines(LINES, "")), .room = 8 << 10, .done = note, .context = &told};
  assert_int_equal(relay_mapper_give(bed.relay.mapper, &told.task), STATUS_OK);
  turn_until_done();
  assert_int_equal(told.task.status, STATUS_NOMEM);
  assert_int_equal(told.task.bad, 0);
  relay_task_release(&told.task);
  relay_mapper_close(bed.relay.mapper);
}

/* The thread rests whenever what lies ready has all the room that there is, and goes on. */
static void rooms_of_all_sizes_come_back_in_order(void **state) {
  static const size_t rooms[] = {MAPPER_SMALL_ROOM, MAPPER_READY_BYTES - 1, MAPPER_READY_BYTES, MAPPER_READY_BYTES + 1, 0};
  enum { MANY = 100 };
  struct told told[MANY];
  (void)state;
  open_mapper();
  assert_true(relay_mapper_has_thread(bed.relay.mapper));
  for (size_t i = 0; i < MANY; i++) {
    told[i] = (struct told){.number = i};
    told[i].task = (struct relay_task){
        .input = input_of(lines(1, "")), .room = rooms[i % 5], .done = note, .context = &told[i]};
    assert_int_equal(relay_mapper_give(bed.relay.mapper, &told[i].task), STATUS_OK);
  }
  turn_until_done();
  assert_int_equal(ended, MANY);
  for (size_t i = 0; i < MANY; i++) {
    assert_int_equal(told[i].task.status, STATUS_OK);
    relay_task_release(&told[i].task);
  }
  relay_mapper_close(bed.relay.mapper);
  assert_false(relay_mapper_has_thread(NULL) || relay_mapper_is_busy(NULL));
}

/* Nobody turns the loop. */
static void an_end_forgets_none(void **state) {
  struct told told[TASKS];
  (void)state;
  open_mapper();
  for (size_t i = 0; i < TASKS; i++)
    give(&told[i], i, lines(LINES, ""));
  relay_mapper_close(bed.relay.mapper);
  assert_int_equal(left, TASKS);
  assert_int_equal(bed.ways.users, 1);
  for (size_t i = 0; i < TASKS; i++)
    relay_task_release(&told[i].task);
  relay_mapper_close(NULL);
}

/* One record a piece, and more: none is left out or twice, findings stand at their line in the whole. */
static void a_text_comes_in_pieces(void **state) {
  enum { RECORDS = 20 };
  static const size_t pieces[] = {1, 15000, 40000, SIZE_MAX};
  size_t before = SIZE_MAX;
  (void)state;
  open_mapper();
  for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
    struct told told = {.number = done};
    struct diag_list findings;
    size_t records = 0, rounds = 0, bad = 0;
    diag_list_init(&findings, bed.arena);
    told.task.from = (struct relay_point){0};
    do {
      told.task = (struct relay_task){.input = input_of(lines(RECORDS, "{\n")), .piece = pieces[p], .from = told.task.from,
                                      .findings = &findings, .done = note, .context = &told};
      told.number = done;
      assert_int_equal(relay_mapper_give(bed.relay.mapper, &told.task), STATUS_OK);
      turn_until_done();
      assert_int_equal(told.task.status, STATUS_OK);
      for (struct relay_kept *kept = told.task.records; kept; kept = kept->next)
        records++;
      bad += told.task.bad;
      relay_task_release(&told.task);
      rounds++;
    } while (told.task.more);
    assert_int_equal(records, RECORDS);
    assert_int_equal(bad, 1);
    assert_int_equal(findings.last->line, RECORDS + 1);
    assert_true(rounds < before);
    if (p == 0) assert_int_equal(rounds, RECORDS + 1);
    before = rounds;
  }
  assert_int_equal(before, 1);
  relay_mapper_close(bed.relay.mapper);
}

int main(void) {
  struct definitions *definitions = pack_open();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_text_comes_in_pieces),
      cmocka_unit_test(texts_come_back_in_their_order_as_the_loop_maps_them),
      cmocka_unit_test(bad_records_are_counted_and_said),
      cmocka_unit_test(large_texts_go_there_and_what_comes_behind_them),
      cmocka_unit_test(what_has_no_room_is_left_to_the_loop),
      cmocka_unit_test(rooms_of_all_sizes_come_back_in_order),
      cmocka_unit_test(an_end_forgets_none),
  };
  if (!definitions) return PACK_SKIPPED;
  definitions_close(definitions);
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
