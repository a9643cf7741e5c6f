/* Where things go in the picture: ticks, scales, rows, boxes, texts; and what is not drawn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "report/plot.h"

enum { MINUTE = 60000 };

/* --- ticks --- */

static const struct {
  int64_t from, minutes; /* from: minutes since 1970 UTC */
  int16_t offset;
  int32_t width;         /* of a label */
  int64_t first, step;   /* minutes */
  size_t count;
} tick_rows[] = {
    {0, 20, 0, 500, 0, 2, 11},
    {1, 20, 0, 500, 2, 2, 10},
    {0, 180, 0, 500, 0, 15, 13},
    {7, 180, 0, 500, 15, 15, 12},
    {0, 180, 0, 660, 0, 15, 13},
    {0, 180, 0, 670, 0, 20, 10},
    {0, 180, 0, 880, 0, 20, 10},
    {0, 180, 0, 890, 0, 30, 7},
    {0, 500, 0, 500, 0, 60, 9},
    {0, 1440, 0, 500, 0, 120, 13},
    {0, 60, 330, 500, 0, 5, 13},       /* 05:30 local time: full fives are full fives */
    {0, 300, 330, 500, 10, 20, 15},    /* 05:40 local */
    {0, 7200, -300, 900, 300, 1440, 5}, /* midnight local */
    {0, 14400, 0, 900, 0, 2880, 6},
    {0, 525600, 0, 900, 0, 72000, 8},
    {-100, 60, 0, 500, -100, 5, 13},
    {-101, 60, 0, 500, -100, 5, 12},
};

static void test_ticks(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof tick_rows / sizeof tick_rows[0]; i++) {
    struct report_frame frame = {.left = 0, .right = 8000, .from = tick_rows[i].from * MINUTE,
                                 .to = (tick_rows[i].from + tick_rows[i].minutes) * MINUTE, .offset = tick_rows[i].offset};
    struct report_ticks ticks = report_ticks_choose(&frame, tick_rows[i].width);
    if (ticks.first != tick_rows[i].first * MINUTE || ticks.step != tick_rows[i].step * MINUTE ||
        ticks.count != tick_rows[i].count)
      fail_msg("row %zu: first %lld, step %lld, %zu ticks", i, (long long)ticks.first / MINUTE,
               (long long)ticks.step / MINUTE, ticks.count);
  }
}

/* Whatever the span: labels have their room, and there are not too many. */
static void test_ticks_any(void **state) {
  (void)state;
  for (int64_t span = 1200000; span < INT64_C(300000000000000); span = span * 3 / 2 + 7) {
    struct report_frame frame = {.left = 290, .right = 3570, .from = 123456789, .to = 123456789 + span, .offset = -210};
    struct report_ticks ticks = report_ticks_choose(&frame, 560);
    assert_true(ticks.count <= REPORT_TICKS_MAX);
    if (ticks.count > 1)
      assert_true(report_x(&frame, ticks.first + ticks.step) - report_x(&frame, ticks.first) >= 559);
  }
}

/* --- scales --- */

static const struct {
  int32_t low, high, most;
  struct report_scale scale;
} scale_rows[] = {
    {900, 1000, 3, {900, 1000, 50}},  {600, 1600, 8, {600, 1600, 200}}, {600, 2040, 8, {600, 2200, 200}},
    {0, 50, 2, {0, 50, 50}},          {600, 1120, 4, {600, 1200, 200}}, {0, REPORT_VALUE_MAX, 3, {0, 6000, 2000}},
    {985, 986, 3, {980, 990, 10}},    {1000, 1000, 3, {1000, 1000, 10}},
};

static void test_scales(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof scale_rows / sizeof scale_rows[0]; i++) {
    struct report_scale scale = report_scale_choose(scale_rows[i].low, scale_rows[i].high, scale_rows[i].most);
    if (scale.low != scale_rows[i].scale.low || scale.high != scale_rows[i].scale.high ||
        scale.step != scale_rows[i].scale.step)
      fail_msg("row %zu: %d to %d by %d", i, scale.low, scale.high, scale.step);
    assert_int_equal(report_y(&scale, scale.high, 100, 500), scale.high == scale.low ? 500 : 100);
    assert_int_equal(report_y(&scale, scale.low, 100, 500), 500);
  }
}

/* --- rows, boxes --- */

static void test_rows(void **state) {
  (void)state;
  static const struct {
    int32_t from, to;
    size_t row;
  } spans[] = {{0, 100, 0}, {50, 80, 1}, {90, 200, 1}, {109, 300, 2}, {110, 120, 0}, {1000, 1001, 0}};
  struct report_rows_used rows = {0};
  for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++)
    assert_int_equal(report_row_take(&rows, spans[i].from, spans[i].to, 10), spans[i].row);
  assert_int_equal(rows.count, 3);
}

static void test_boxes(void **state) {
  (void)state;
  struct report_boxes boxes = {0};
  assert_true(report_box_take(&boxes, (struct report_box){0, 0, 10, 10}));
  assert_false(report_box_take(&boxes, (struct report_box){9, 9, 20, 20}));
  assert_false(report_box_take(&boxes, (struct report_box){-5, -5, 30, 30}));
  assert_true(report_box_take(&boxes, (struct report_box){10, 0, 20, 10})); /* they may touch */
  assert_true(report_box_take(&boxes, (struct report_box){0, 10, 10, 20}));
  for (int32_t i = 3; i < REPORT_BOXES_MAX; i++)
    assert_true(report_box_take(&boxes, (struct report_box){100 * i, 0, 100 * i + 50, 10}));
  assert_false(report_box_take(&boxes, (struct report_box){-500, -500, -400, -400}));
}

/* --- texts --- */

static void test_texts(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int32_t width;
    const char *shown;
  } rows[] = {
      {"nausea, mild", 2000, "nausea, mild"},
      {"nausea, mild", 500, "nause\xE2\x80\xA6"},
      {"nausea mild", 610, "nausea\xE2\x80\xA6"}, /* no blank before the dots */
      {"\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E", 460, "\xE6\x97\xA5\xE6\x9C\xAC\xE2\x80\xA6"},
      {"W", 0, "\xE2\x80\xA6"},
      {"", 0, ""},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct buf out;
    buf_init(&out, 1000);
    report_shorten(str_of(rows[i].text), 120, rows[i].width, &out);
    if (!str_is(buf_str(&out), rows[i].shown)) fail_msg("row %zu: %.*s", i, STR_ARG(buf_str(&out)));
    if (rows[i].width >= 120) assert_true(report_text_width(buf_str(&out), 120) <= rows[i].width);
    buf_release(&out);
  }
}

/* --- caps: what is drawn of a record --- */

static struct report_plot read_record(struct report_page *page, const char *text) {
  struct source source = source_make(STR("test"), str_of(text));
  struct diag_list diags;
  struct tree_node *root = NULL;
  struct report_plot plot;
  diag_list_init(&diags, page->arena);
  assert_int_equal(tree_read_json(&source, NULL, page->arena, &diags, &root), STATUS_OK);
  page->record = root;
  assert_int_equal(report_index(page), STATUS_OK);
  (void)report_plot_read(page, &plot);
  assert_int_equal(page->status, STATUS_OK);
  return plot;
}

/* `count` items in the list, each with the members. */
static void make_list(struct buf *out, const char *list, int count, const char *members) {
  buf_printf(out, "{\"session\":{\"start\":\"2026-03-11T09:00:00-05:00\"},\"%s\":[", list);
  for (int i = 0; i < count; i++)
    buf_printf(out, "%s{\"id\":\"X%d\",%s}", i ? "," : "", i, members);
  buf_add_text(out, "]}");
  buf_add_char(out, '\0');
}

static void test_caps(void **state) {
  (void)state;
  for (int more = -1; more <= 1; more++) {
    struct report_page page = {.arena = arena_new(LIMIT_ARENA_BYTES)};
    struct buf text;
    buf_init(&text, LIMIT_TEXT_BYTES);
    make_list(&text, "vitals", REPORT_READINGS_MAX + more, "\"at\":\"2026-03-11T09:00:00-05:00\",\"heartRate\":70");
    struct report_plot plot = read_record(&page, text.ptr);
    assert_int_equal(plot.series[REPORT_HEART].count, REPORT_READINGS_MAX + (more < 0 ? more : 0));
    assert_int_equal(plot.series[REPORT_HEART].left_out, more > 0 ? more : 0);
    buf_reset(&text);
    make_list(&text, "supportMedications", REPORT_ITEMS_MAX + more, "\"start\":\"2026-03-11T09:00:00-05:00\",\"name\":\"m\"");
    plot = read_record(&page, text.ptr);
    assert_int_equal(plot.lanes[REPORT_LANE_MEDICINES].count, REPORT_ITEMS_MAX + (more < 0 ? more : 0));
    assert_int_equal(plot.lanes[REPORT_LANE_MEDICINES].left_out, more > 0 ? more : 0);
    buf_reset(&text);
    char members[100];
    snprintf(members, sizeof members, "\"at\":\"2026-03-11T09:00:00-05:00\",\"systolic\":%d.%d,\"diastolic\":80",
             (REPORT_VALUE_MAX + more) / 10, (REPORT_VALUE_MAX + more) % 10);
    make_list(&text, "vitals", 1, members);
    plot = read_record(&page, text.ptr);
    assert_int_equal(plot.series[REPORT_PRESSURE].count, more > 0 ? 0 : 1);
    assert_int_equal(plot.series[REPORT_PRESSURE].left_out, more > 0 ? 1 : 0);
    buf_release(&text);
    arena_free(page.arena);
  }
}

/* A record may list its readings in any order; those of one minute stay as it has them. */
static void test_times(void **state) {
  (void)state;
  static const char *const readings[] = {"10:00:00-05:00\",\"heartRate\":73", "09:30:00-05:00\",\"heartRate\":71",
                                         "15:00:00Z\",\"heartRate\":74", "08:45:00-06:00\",\"heartRate\":72"};
  struct report_page page = {.arena = arena_new(LIMIT_ARENA_BYTES)};
  struct buf text;
  buf_init(&text, 1000);
  for (size_t i = 0; i < sizeof readings / sizeof readings[0]; i++)
    buf_printf(&text, "%s{\"at\":\"2026-03-11T%s}", i ? "," : "{\"vitals\":[", readings[i]);
  buf_add(&text, "]}", sizeof "]}");
  struct report_series series = read_record(&page, text.ptr).series[REPORT_HEART];
  assert_int_equal(series.count, sizeof readings / sizeof readings[0]);
  for (size_t i = 0; i < series.count; i++)
    assert_int_equal(series.readings[i].value[0], 710 + 10 * i);
  buf_release(&text);
  arena_free(page.arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_ticks),  cmocka_unit_test(test_ticks_any),
                                     cmocka_unit_test(test_scales), cmocka_unit_test(test_rows),
                                     cmocka_unit_test(test_boxes),  cmocka_unit_test(test_texts),
                                     cmocka_unit_test(test_caps),   cmocka_unit_test(test_times)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
