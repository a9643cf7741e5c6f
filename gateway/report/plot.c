/* plot.c - the picture from top to bottom: axis, lanes, axis, legend; behind them the bands that go through all. */
#include <stdio.h>
#include "report/plot.h"

enum {
  AXIS = 190,  /* height of a line of times */
  DATES = 130, /* of the line of dates under it */
  TITLE = 165, /* of a lane's title */
  ROW = 280,   /* of an event: its text, below it its bar */
  ROW_TEXT = 115,
  BAR_TOP = 155,
  BAR_BOTTOM = 225,
  BAR_MIDDLE = 190,
  LANE_GAP = 50,
  LEGEND_ROW = 170,
  STUB = 160 /* length of what has no known end */
};

/* A picture on its way; what it shows decides what the legend has to say. */
struct canvas {
  struct report_page *page;
  const struct report_plot *plot;
  const struct report_frame *frame;
  struct buf body;
  int32_t y;
  int32_t axis_bottom;       /* of the upper axis: grid lines begin here */
  int32_t bands, bands_end;  /* of the series: doses and pauses are shaded there */
  bool half, absent, oxygen, unknown, goes_on, dense;
  bool looks[REPORT_LOOKS];
};

static const char *const look_css[REPORT_LOOKS] = {"visit", "visit", "dose", "dose", "", "pause", "med", "mild", "moderate", "severe"};

static struct str local(const struct canvas *canvas, int64_t at, bool date) {
  struct datetime time = datetime_from_ms(at, canvas->frame->offset);
  struct str text = date ? arena_printf(canvas->page->arena, "%04d-%02u-%02u", time.year, time.month, time.day)
                         : arena_printf(canvas->page->arena, "%02u:%02u", time.hour, time.minute);
  if (!text.ptr) canvas->page->status = STATUS_NOMEM;
  return text;
}

/* --- axes --- */

enum { DAY_MS = 86400000 };

static struct report_ticks ticks_of(const struct canvas *canvas) {
  const struct report_frame *frame = canvas->frame;
  struct report_ticks ticks = report_ticks_choose(frame, report_text_width(STR("00:00"), frame->font) + 180);
  if (ticks.step >= DAY_MS)
    ticks = report_ticks_choose(frame, report_text_width(STR("0000-00-00"), frame->font) + 220);
  return ticks;
}

/* A tick whose label would stand over the picture's edge has none. */
static void add_times(struct canvas *canvas, const struct report_ticks *ticks, int32_t y) {
  const struct report_frame *frame = canvas->frame;
  for (size_t i = 0; i < ticks->count; i++) {
    int64_t at = ticks->first + (int64_t)i * ticks->step;
    struct str text = local(canvas, at, ticks->step >= DAY_MS);
    int32_t x = report_x(frame, at), half = report_text_width(text, frame->font) / 2;
    if (x >= half && x + half <= frame->width) report_svg_text(&canvas->body, "time", REPORT_MIDDLE, x, y, text);
  }
}

/* Which day it is, where the day changes: at the first tick and at each midnight. */
static bool add_dates(struct canvas *canvas, const struct report_ticks *ticks, int32_t y) {
  const struct report_frame *frame = canvas->frame;
  int32_t width = report_text_width(STR("0000-00-00"), frame->small), end = INT32_MAX;
  struct str last = local(canvas, frame->to, true);
  if (ticks->step >= DAY_MS || str_eq(local(canvas, frame->from, true), last)) return false;
  struct str shown = {0};
  /* from the right: that the day has changed matters more than which it was at first */
  for (size_t i = ticks->count; i-- > 0;) {
    int64_t at = ticks->first + (int64_t)i * ticks->step;
    struct str day = local(canvas, at, true);
    bool first = i == 0 || !str_eq(local(canvas, at - ticks->step, true), day);
    int32_t x = report_x(frame, at) + width / 2 > frame->width ? frame->width - width / 2 : report_x(frame, at);
    if (!first || str_eq(shown, day) || x + width / 2 + 60 > end) continue;
    report_svg_text(&canvas->body, "scale", REPORT_MIDDLE, x, y, day);
    shown = day;
    end = x - width / 2;
  }
  return true;
}

/* --- lanes of events --- */

static void add_title(struct canvas *canvas, const char *title, const char *unit) {
  buf_add_text(&canvas->body, "<text class=\"lane\" x=\"0\" y=\"");
  report_svg_number(&canvas->body, canvas->y + 120);
  buf_printf(&canvas->body, "\">%s", title);
  if (unit) buf_printf(&canvas->body, " <tspan class=\"unit\">%s</tspan>", unit);
  buf_add_text(&canvas->body, "</text>\n");
  canvas->y += TITLE;
}

/* An arrow at the end of what goes on, or lies beyond the axis. */
static void add_arrow(struct canvas *canvas, int32_t x, int32_t y, int32_t direction) {
  const int32_t points[][2] = {{x, y}, {x - 70 * direction, y - 50}, {x - 70 * direction, y + 50}};
  report_svg_path(&canvas->body, "mark", points, 3, true);
  canvas->goes_on = true;
}

static int32_t right_end(const struct canvas *canvas, const struct report_event *event) {
  int32_t from = report_x(canvas->frame, event->from);
  switch (event->end) {
  case REPORT_SPAN: return report_x(canvas->frame, event->to);
  case REPORT_GOES_ON: return canvas->frame->right;
  case REPORT_UNKNOWN: return from + STUB < canvas->frame->right ? from + STUB : canvas->frame->right;
  case REPORT_POINT: break;
  }
  return from;
}

static void add_point(struct canvas *canvas, const struct report_event *event, int32_t x, int32_t y) {
  if (event->look == REPORT_NOT_GIVEN)
    report_svg_cross(&canvas->body, "cross", x, y, 40);
  else
    report_svg_diamond(&canvas->body, "mark", x, y, 48);
}

static void add_bar(struct canvas *canvas, const struct report_event *event, int32_t y) {
  char css[32];
  int32_t from = report_x(canvas->frame, event->from), to = right_end(canvas, event);
  /* what lasts for less than can be seen still is to be seen */
  if (to - from < 20 && event->end == REPORT_SPAN) to = from + 20;
  snprintf(css, sizeof css, "bar %s%s", look_css[event->look], event->end == REPORT_UNKNOWN ? " open" : "");
  report_svg_rect(&canvas->body, css, (struct report_box){from, y + BAR_TOP, to, y + BAR_BOTTOM});
  if (event->end == REPORT_UNKNOWN) canvas->unknown = true;
}

static void add_event(struct canvas *canvas, const struct report_event *event, int32_t y) {
  const struct report_frame *frame = canvas->frame;
  int32_t from = report_x(frame, event->from);
  bool before = event->from < frame->from, after = event->from > frame->to;
  bool ends_after = event->end == REPORT_GOES_ON || (event->end == REPORT_SPAN && event->to > frame->to);
  bool bar = event->end != REPORT_POINT && !after && !(before && event->to <= frame->from && !ends_after);
  if (bar)
    add_bar(canvas, event, y);
  else if (!before && !after)
    add_point(canvas, event, from, y + BAR_MIDDLE);
  if (before) add_arrow(canvas, frame->left, y + BAR_MIDDLE, -1);
  if (after || (bar && ends_after)) add_arrow(canvas, frame->right, y + BAR_MIDDLE, 1);
  if (event->look == REPORT_RATE_CHANGE)
    report_svg_triangle(&canvas->body, "mark", from, y + BAR_BOTTOM + 20, 32);
  canvas->looks[event->look] = true;
}

/* The text of an event stands over the begin of its bar, moved to the left where it would leave the picture; that of the
 * discharge to the left of its line. */
static int32_t text_x(const struct canvas *canvas, const struct report_event *event, int32_t width) {
  const struct report_frame *frame = canvas->frame;
  int32_t x = report_x(frame, event->from);
  if (event->look == REPORT_DISCHARGE && x - 60 - width >= frame->left) return x - 60 - width;
  return x + width > frame->right ? frame->right - width : x;
}

static int32_t add_event_text(struct canvas *canvas, const struct report_event *event, struct report_rows_used *rows) {
  const struct report_frame *frame = canvas->frame;
  int32_t from = report_x(frame, event->from), to = right_end(canvas, event);
  struct buf text;
  buf_init(&text, LIMIT_RECORD_BYTES);
  report_shorten(event->label, frame->font, frame->right - frame->left, &text);
  int32_t width = report_text_width(buf_str(&text), frame->font);
  int32_t x = text_x(canvas, event, width);
  size_t row = report_row_take(rows, x < from ? x : from, x + width > to ? x + width : to, 100);
  int32_t y = canvas->y + (int32_t)row * ROW;
  report_svg_text(&canvas->body, "label", REPORT_START, x, y + ROW_TEXT, buf_str(&text));
  if (text.error != STATUS_OK) canvas->page->status = text.error;
  buf_release(&text);
  return y;
}

static void add_lane(struct canvas *canvas, const struct report_lane *lane) {
  struct report_rows_used rows = {0};
  if (!lane->count) return;
  add_title(canvas, lane->title, NULL);
  for (size_t i = 0; i < lane->count; i++) {
    int32_t y = add_event_text(canvas, &lane->events[i], &rows);
    add_event(canvas, &lane->events[i], y);
    buf_add_char(&canvas->body, '\n');
  }
  canvas->y += (int32_t)rows.count * ROW + LANE_GAP / 2;
}

/* --- series --- */

/* One series and where it is drawn. */
struct strip {
  struct canvas *canvas;
  const struct report_series *series;
  struct report_scale scale;
  int32_t top, bottom;
  bool dense; /* too many readings for marks of their own */
  struct report_boxes taken;
};

static int32_t text_height(const struct strip *strip) {
  return strip->canvas->frame->small * 6 / 5;
}

static struct report_scale scale_of(const struct report_series *series) {
  int32_t low = series->kind->low, high = series->kind->high;
  for (size_t i = 0; i < series->count; i++)
    for (int j = 0; j < 2; j++) {
      const struct report_reading *reading = &series->readings[i];
      if (!reading->has[j]) continue;
      if (reading->value[j] < low) low = reading->value[j];
      if (reading->value[j] > high) high = reading->value[j];
    }
  return report_scale_choose(low, high, series->kind->height / 115);
}

static void add_scale(struct strip *strip) {
  const struct report_frame *frame = strip->canvas->frame;
  struct buf *out = &strip->canvas->body;
  for (int32_t value = strip->scale.low; value <= strip->scale.high; value += strip->scale.step) {
    int32_t y = report_y(&strip->scale, value, strip->top, strip->bottom);
    char text[16];
    snprintf(text, sizeof text, "%d", (int)(value / 10));
    report_svg_line(out, "grid", frame->left, y, frame->right, y);
    report_svg_text(out, "scale", REPORT_END, frame->left - 40, y + frame->small * 7 / 20, str_of(text));
  }
  buf_add_char(out, '\n');
}

static int32_t reading_x(const struct strip *strip, size_t index) {
  return report_x(strip->canvas->frame, strip->series->readings[index].at);
}

static int32_t reading_y(const struct strip *strip, const struct report_reading *reading, int half) {
  return report_y(&strip->scale, reading->value[half], strip->top, strip->bottom);
}

static void add_tip(struct strip *strip, const struct report_reading *reading) {
  struct canvas *canvas = strip->canvas;
  if (canvas->frame->narrow || strip->dense) return;
  buf_add_text(&canvas->body, "<title>");
  report_escape(&canvas->body, local(canvas, reading->at, false));
  buf_add_text(&canvas->body, " ");
  report_escape(&canvas->body, reading->text[0]);
  if (strip->series->kind->second) {
    buf_add_char(&canvas->body, '/');
    report_escape(&canvas->body, reading->text[1]);
  }
  buf_printf(&canvas->body, " %s</title>", strip->series->kind->unit);
}

/* Blood pressure: a bar between its halves; where one is missing, a broken line leads to nowhere. */
static void add_pressure(struct strip *strip, const struct report_reading *reading, int32_t x) {
  struct buf *out = &strip->canvas->body;
  int32_t cap = strip->dense ? 0 : 42;
  int32_t upper = reading->has[0] ? reading_y(strip, reading, 0) : reading_y(strip, reading, 1) - STUB;
  int32_t lower = reading->has[1] ? reading_y(strip, reading, 1) : reading_y(strip, reading, 0) + STUB;
  bool whole = reading->has[0] && reading->has[1];
  report_svg_line(out, whole ? strip->dense ? "bp thin" : "bp" : "bp half", x, upper, x, lower);
  if (reading->has[0] && cap) report_svg_line(out, "bp cap", x - cap, upper, x + cap, upper);
  if (reading->has[1] && cap) report_svg_line(out, "bp cap", x - cap, lower, x + cap, lower);
  if (!whole) strip->canvas->half = true;
  if (strip->dense) return;
  struct report_box box = {x - 45, upper, x + 45, lower};
  if (report_box_free(&strip->taken, box)) (void)report_box_take(&strip->taken, box);
}

static void add_mark(struct strip *strip, const struct report_reading *reading, int32_t x) {
  const struct report_kind *kind = strip->series->kind;
  int32_t y = reading->has[0] ? reading_y(strip, reading, 0) : strip->bottom;
  if (!reading->has[0]) strip->canvas->absent = true;
  if (!reading->has[0])
    report_svg_cross(&strip->canvas->body, "cross", x, y, 30);
  else if (!strip->dense)
    kind->mark(&strip->canvas->body, kind->css, x, y, 32);
  if (!strip->dense) (void)report_box_take(&strip->taken, (struct report_box){x - 32, y - 32, x + 32, y + 32});
}

static void add_line(struct strip *strip) {
  struct buf *out = &strip->canvas->body;
  bool open = false;
  for (size_t i = 0; i < strip->series->count; i++) {
    const struct report_reading *reading = &strip->series->readings[i];
    if (!reading->has[0]) continue;
    buf_add_text(out, open ? "L" : "<path class=\"line ");
    if (!open) buf_printf(out, "%s\" d=\"M", strip->series->kind->css);
    report_svg_number(out, reading_x(strip, i));
    buf_add_char(out, ' ');
    report_svg_number(out, reading_y(strip, reading, 0));
    open = true;
  }
  if (open) buf_add_text(out, "\"/>\n");
}

/* The x of a bar: two readings of one moment stand side by side. */
static int32_t beside(const struct strip *strip, size_t index, int32_t last) {
  int32_t x = reading_x(strip, index);
  if (strip->dense || !index || x - last >= 90 || x - last < -270) return x;
  return last + 90 < strip->canvas->frame->right ? last + 90 : x;
}

/* --- numbers beside the marks --- */

static bool label_at(struct strip *strip, int32_t x, int32_t top, struct str text) {
  const struct report_frame *frame = strip->canvas->frame;
  int32_t half = report_text_width(text, frame->small) / 2 + 10;
  if (x - half < frame->left) x = frame->left + half;
  if (x + half > frame->width) x = frame->width - half;
  struct report_box box = {x - half, top, x + half, top + text_height(strip)};
  if (!report_box_take(&strip->taken, box)) return false;
  report_svg_text(&strip->canvas->body, "value", REPORT_MIDDLE, x, top + strip->canvas->frame->small * 19 / 20, text);
  return true;
}

static struct str label_text(struct strip *strip, const struct report_reading *reading, int half) {
  struct str text = reading->text[half];
  if (strip->series->kind != &report_kinds[REPORT_SATURATION] || !reading->oxygen) return text;
  text = arena_printf(strip->canvas->page->arena, "%.*s O\xE2\x82\x82", STR_ARG(text));
  if (!text.ptr) strip->canvas->page->status = STATUS_NOMEM;
  strip->canvas->oxygen = true;
  return text;
}

static void add_label(struct strip *strip, const struct report_reading *reading, int32_t x) {
  int32_t away = strip->series->kind->second ? 12 : 45;
  for (int half = 0; half < 2; half++) {
    if (!reading->has[half]) continue;
    struct str text = label_text(strip, reading, half);
    int32_t y = reading_y(strip, reading, half);
    int32_t above = y - away - text_height(strip), below = y + away;
    /* of blood pressure the upper number stands above, the lower below; others stand where there is room */
    bool done = label_at(strip, x, half ? below : above, text);
    if (!done && !strip->series->kind->second) (void)label_at(strip, x, below, text);
  }
}

/* Highest, lowest, first and last come first; then all others, where there is still room. */
static void add_labels(struct strip *strip, const int32_t *xs) {
  const struct report_series *series = strip->series;
  size_t chosen[4] = {SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX};
  for (size_t i = 0; i < series->count; i++) {
    const struct report_reading *reading = &series->readings[i];
    if (!reading->has[0]) continue;
    if (chosen[0] == SIZE_MAX || reading->value[0] > series->readings[chosen[0]].value[0]) chosen[0] = i;
    if (chosen[1] == SIZE_MAX || reading->value[0] < series->readings[chosen[1]].value[0]) chosen[1] = i;
    if (chosen[2] == SIZE_MAX) chosen[2] = i;
    chosen[3] = i;
  }
  for (int i = 0; i < 4; i++) {
    bool again = false;
    for (int j = 0; j < i; j++)
      again |= chosen[j] == chosen[i];
    if (chosen[i] != SIZE_MAX && !again) add_label(strip, &series->readings[chosen[i]], xs[chosen[i]]);
  }
  for (size_t i = 0; i < series->count && !strip->dense; i++)
    if (i != chosen[0] && i != chosen[1] && i != chosen[2] && i != chosen[3]) add_label(strip, &series->readings[i], xs[i]);
}

static void add_readings(struct strip *strip) {
  const struct report_series *series = strip->series;
  struct buf *out = &strip->canvas->body;
  int32_t *xs = ARENA_ARRAY(strip->canvas->page->arena, int32_t, series->count);
  if (!xs) {
    strip->canvas->page->status = STATUS_NOMEM;
    return;
  }
  if (!series->kind->second) add_line(strip);
  for (size_t i = 0; i < series->count; i++) {
    const struct report_reading *reading = &series->readings[i];
    xs[i] = series->kind->second ? beside(strip, i, i ? xs[i - 1] : 0) : reading_x(strip, i);
    buf_add_text(out, "<g>");
    add_tip(strip, reading);
    if (series->kind->second)
      add_pressure(strip, reading, xs[i]);
    else
      add_mark(strip, reading, xs[i]);
    buf_add_text(out, "</g>\n");
  }
  add_labels(strip, xs);
  buf_add_char(out, '\n');
}

static void add_series(struct canvas *canvas, const struct report_series *series) {
  const struct report_frame *frame = canvas->frame;
  if (!series->count) return;
  add_title(canvas, series->kind->title, series->kind->unit);
  struct strip strip = {.canvas = canvas, .series = series, .scale = scale_of(series)};
  int32_t margin = text_height(&strip) + (series->kind->second ? 20 : 50);
  strip.dense = (int64_t)series->count * 90 > frame->right - frame->left;
  strip.top = canvas->y + margin;
  strip.bottom = strip.top + series->kind->height;
  add_scale(&strip);
  add_readings(&strip);
  canvas->dense |= strip.dense;
  canvas->y = strip.bottom + (series->kind->second ? margin : 60) + LANE_GAP;
}

/* --- behind the lanes --- */

static void add_band(struct canvas *canvas, struct buf *out, const struct report_event *event) {
  int32_t from = report_x(canvas->frame, event->from), to = right_end(canvas, event);
  bool pause = event->look == REPORT_PAUSE;
  if (canvas->bands_end <= canvas->bands || event->look == REPORT_NOT_GIVEN) return;
  if (event->from > canvas->frame->to || (event->end == REPORT_UNKNOWN && !pause)) return;
  if (to > from && event->end != REPORT_UNKNOWN)
    report_svg_rect(out, pause ? "band pause" : "band dose",
                    (struct report_box){from, canvas->bands, to, canvas->bands_end});
  if (!pause) report_svg_line(out, "begin", from, canvas->bands, from, canvas->bands_end);
}

static void add_behind(struct canvas *canvas, const struct report_ticks *ticks, struct buf *out) {
  const struct report_lane *doses = &canvas->plot->lanes[REPORT_LANE_DOSES];
  for (int pause = 0; pause < 2; pause++)
    for (size_t i = 0; i < doses->count; i++)
      if ((doses->events[i].look == REPORT_PAUSE) == (pause != 0)) add_band(canvas, out, &doses->events[i]);
  for (size_t i = 0; i < ticks->count; i++) {
    int32_t x = report_x(canvas->frame, ticks->first + (int64_t)i * ticks->step);
    report_svg_line(out, "grid", x, canvas->axis_bottom, x, canvas->y);
  }
  if (canvas->plot->has_discharge) {
    int32_t x = report_x(canvas->frame, canvas->plot->discharge);
    report_svg_line(out, "discharge", x, canvas->axis_bottom, x, canvas->y);
  }
  buf_add_char(out, '\n');
}

/* --- legend --- */

struct legend {
  struct canvas *canvas;
  int32_t x;
};

enum { SYMBOL = 220 };

/* The place of the next entry's symbol: its left edge is returned, its middle line is canvas->y. */
static int32_t legend_next(struct legend *legend, const char *text) {
  struct canvas *canvas = legend->canvas;
  int32_t width = SYMBOL + 50 + report_text_width(str_of(text), canvas->frame->small);
  if (legend->x && legend->x + width > canvas->frame->width) {
    legend->x = 0;
    canvas->y += LEGEND_ROW;
  }
  int32_t x = legend->x;
  report_svg_text(&canvas->body, "scale", REPORT_START, x + SYMBOL + 50, canvas->y + canvas->frame->small * 7 / 20,
                  str_of(text));
  legend->x += width + 160;
  return x;
}

static void legend_bar(struct legend *legend, const char *css, const char *text) {
  int32_t x = legend_next(legend, text);
  int32_t y = legend->canvas->y;
  report_svg_rect(&legend->canvas->body, css, (struct report_box){x, y - 35, x + SYMBOL, y + 35});
}

static void legend_mark(struct legend *legend, void (*mark)(struct buf *, const char *, int32_t, int32_t, int32_t),
                        const char *css, const char *text) {
  int32_t x = legend_next(legend, text);
  mark(&legend->canvas->body, css, x + SYMBOL / 2, legend->canvas->y, 40);
}

static void legend_line(struct legend *legend, const char *css, const char *text) {
  int32_t x = legend_next(legend, text);
  int32_t y = legend->canvas->y;
  report_svg_line(&legend->canvas->body, css, x + SYMBOL / 2, y - 60, x + SYMBOL / 2, y + 60);
}

static void legend_arrow(struct legend *legend) {
  int32_t x = legend_next(legend, "goes on beyond the axis");
  add_arrow(legend->canvas, x + SYMBOL / 2 + 35, legend->canvas->y, 1);
}

static void add_legend(struct canvas *canvas) {
  struct legend legend = {canvas, 0};
  const bool *looks = canvas->looks;
  bool pressure = canvas->plot->series[REPORT_PRESSURE].count != 0;
  canvas->y += 100;
  if (looks[REPORT_DOSE] || looks[REPORT_RATE_CHANGE]) legend_bar(&legend, "bar dose", "dose, from begin to end");
  if (looks[REPORT_PAUSE]) legend_bar(&legend, "bar pause", "pause");
  if (looks[REPORT_RATE_CHANGE]) legend_mark(&legend, report_svg_triangle, "mark", "rate changed");
  if (looks[REPORT_NOT_GIVEN]) legend_mark(&legend, report_svg_cross, "cross", "dose not given");
  if (looks[REPORT_MEDICINE]) legend_bar(&legend, "bar med", "medicine, oxygen");
  legend_mark(&legend, report_svg_diamond, "mark", "at one time");
  if (pressure) legend_line(&legend, "bp", "systolic to diastolic");
  if (canvas->half) legend_line(&legend, "bp half", "other half not recorded");
  if (canvas->absent) legend_mark(&legend, report_svg_cross, "cross", "not measured");
  if (looks[REPORT_MILD]) legend_bar(&legend, "bar mild", "mild event");
  if (looks[REPORT_MODERATE]) legend_bar(&legend, "bar moderate", "moderate event");
  if (looks[REPORT_SEVERE]) legend_bar(&legend, "bar severe", "severe event");
  if (canvas->unknown) legend_bar(&legend, "bar visit open", "end not recorded");
  if (canvas->goes_on) legend_arrow(&legend);
  if (canvas->plot->has_discharge) legend_line(&legend, "discharge", "discharge");
  canvas->y += LEGEND_ROW / 2;
}

/* --- the whole --- */

static void add_patterns(const struct report_frame *frame, struct buf *out) {
  buf_printf(out,
             "<defs><pattern id=\"%s-pause\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" "
             "patternTransform=\"rotate(45)\"><rect class=\"under\" width=\"5\" height=\"5\"/><line class=\"hatch\" "
             "x1=\"0\" y1=\"0\" x2=\"0\" y2=\"5\"/></pattern><pattern id=\"%s-moderate\" width=\"4\" height=\"4\" "
             "patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(-45)\"><rect class=\"under\" width=\"4\" "
             "height=\"4\"/><line class=\"ae-hatch\" x1=\"0\" y1=\"0\" x2=\"0\" y2=\"4\"/></pattern></defs>\n",
             frame->name, frame->name);
}

static void draw(struct canvas *canvas, struct report_ticks *ticks) {
  const struct report_plot *plot = canvas->plot;
  *ticks = ticks_of(canvas);
  add_times(canvas, ticks, canvas->y + 120);
  canvas->y += AXIS;
  if (add_dates(canvas, ticks, canvas->y + 70)) canvas->y += DATES;
  canvas->axis_bottom = canvas->y - 20;
  canvas->y += 40;
  add_lane(canvas, &plot->lanes[REPORT_LANE_VISIT]);
  add_lane(canvas, &plot->lanes[REPORT_LANE_DOSES]);
  add_lane(canvas, &plot->lanes[REPORT_LANE_MEDICINES]);
  canvas->bands = canvas->y;
  for (int i = 0; i < REPORT_SERIES; i++)
    add_series(canvas, &plot->series[i]);
  canvas->bands_end = canvas->y - LANE_GAP;
  add_lane(canvas, &plot->lanes[REPORT_LANE_EVENTS]);
}

static void add_frame(struct canvas *canvas, const struct report_ticks *ticks) {
  const struct report_frame *frame = canvas->frame;
  struct buf *out = canvas->page->out;
  struct buf behind;
  buf_init(&behind, LIMIT_TEXT_BYTES);
  add_behind(canvas, ticks, &behind);
  add_times(canvas, ticks, canvas->y + 140);
  canvas->y += AXIS;
  add_legend(canvas);
  buf_printf(out, "<svg class=\"plot %s\" role=\"img\" aria-labelledby=\"%s-title %s-desc\" viewBox=\"0 0 ", frame->name,
             frame->name, frame->name);
  report_svg_number(out, frame->width);
  buf_add_char(out, ' ');
  report_svg_number(out, canvas->y);
  buf_printf(out, "\">\n<title id=\"%s-title\">Timeline of the session</title>\n<desc id=\"%s-desc\">", frame->name,
             frame->name);
  report_describe(canvas->page);
  buf_add_text(out, "</desc>\n");
  add_patterns(frame, out);
  buf_add_str(out, buf_str(&behind));
  buf_add_str(out, buf_str(&canvas->body));
  buf_add_text(out, "\n</svg>\n");
  if (behind.error != STATUS_OK) canvas->page->status = behind.error;
  buf_release(&behind);
}

static void add_picture(struct report_page *page, const struct report_plot *plot, const struct report_frame *frame) {
  struct canvas canvas = {.page = page, .plot = plot, .frame = frame};
  struct report_ticks ticks;
  buf_init(&canvas.body, LIMIT_TEXT_BYTES);
  draw(&canvas, &ticks);
  add_frame(&canvas, &ticks);
  if (canvas.body.error != STATUS_OK) page->status = canvas.body.error;
  buf_release(&canvas.body);
}

/* What is not in the picture is said beside it. */
static void add_left_out(struct report_page *page, const struct report_plot *plot) {
  size_t events = 0, readings = 0;
  const char *between = "Not recorded: ";
  for (int i = 0; i < REPORT_LANES; i++)
    events += plot->lanes[i].left_out;
  for (int i = 0; i < REPORT_SERIES; i++)
    readings += plot->series[i].left_out;
  buf_add_text(page->out, "<p class=\"none\">");
  for (int i = 0; i < REPORT_SEDATION; i++)
    if (!plot->series[i].count) {
      buf_printf(page->out, "%s%s", between, plot->series[i].kind->title);
      between = ", ";
    }
  if (*between == ',') buf_add_text(page->out, ". ");
  if (readings || events)
    buf_printf(page->out, "Not drawn, but in the tables: %zu values and %zu events. ", readings, events);
  buf_add_text(page->out, "The tables below have every value.</p>\n");
}

void report_plot(struct report_page *page) {
  struct report_plot plot;
  if (!report_plot_read(page, &plot)) return;
  struct report_frame frame = {"wide", false, 8600, 340, 8560, 120, 110, plot.from, plot.to, page->offset};
  report_heading(page, "timeline", "Timeline");
  buf_add_text(page->out, "<figure>\n");
  add_picture(page, &plot, &frame);
  frame.name = "narrow";
  frame.narrow = true;
  frame.width = 3600;
  frame.left = 290;
  frame.right = 3570;
  frame.font = 112;
  frame.small = 104;
  add_picture(page, &plot, &frame);
  buf_add_text(page->out, "<figcaption>");
  add_left_out(page, &plot);
  buf_add_text(page->out, "</figcaption>\n</figure>\n");
}
