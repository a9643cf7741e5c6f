/* plot_data.c - what there is to draw of a record. Nothing is guessed: an end that was not recorded stays
 * unknown. */
#include <stdlib.h>
#include "report/plot.h"

const struct report_kind report_kinds[REPORT_SERIES] = {
    {"Blood pressure", "mmHg", "vitals", "systolic", "diastolic", NULL, 600, 1600, 960, "bp", NULL},
    {"Heart rate", "/min", "vitals", "heartRate", NULL, NULL, 600, 1000, 540, "hr", report_svg_circle},
    {"SpO\xE2\x82\x82", "%", "vitals", "spo2", NULL, "spo2Absent", 900, 1000, 460, "sat", report_svg_square},
    {"Respiratory rate", "/min", "vitals", "respiratoryRate", NULL, NULL, 100, 200, 420, "rr", report_svg_triangle},
    {"MOAA/S", "0 to 5 (awake)", "assessments", "moaas", NULL, NULL, 0, 50, 320, "moaas", report_svg_diamond},
};

static bool read_time(const struct tree_node *node, const char *field, int64_t *out) {
  struct datetime at;
  if (!report_instant(tree_text(node, field), &at)) return false;
  *out = datetime_to_ms(&at, 0);
  return true;
}

/* --- the time that is spanned --- */

/* What makes up the session; other things may lie outside and then stand at the edge. */
static const struct {
  const char *path, *field;
} spanned[] = {
    {"session", "start"},
    {"session", "stop"},
    {"doses", "start"},
    {"doses", "stop"},
    {"vitals", "at"},
    {"assessments", "at"},
    {"supportMedications", "start"},
    {"supportMedications", "stop"},
    {"discharge", "at"},
};

static void read_span(struct report_page *page, struct report_plot *plot) {
  bool any = false;
  for (size_t i = 0; i < sizeof spanned / sizeof spanned[0]; i++) {
    const struct tree_node *node = tree_find(page->record, spanned[i].path);
    for (int64_t at; node; node = tree_next_same(node)) {
      if (!read_time(node, spanned[i].field, &at)) continue;
      if (!any || at < plot->from) plot->from = at;
      if (!any || at > plot->to) plot->to = at;
      any = true;
    }
  }
  /* a margin, so that nothing stands on the edge; a session of one moment has an axis too */
  int64_t margin = (plot->to - plot->from) / 40;
  if (margin < 60000) margin = 60000;
  if (plot->to - plot->from < 600000) margin = 600000;
  plot->from -= margin;
  plot->to += margin;
}

/* --- lanes of events --- */

/* A label is made of parts of the record. */
struct label {
  struct buf text;
  struct report_page *page;
  const struct tree_node *node;
};

static struct label label_begin(struct report_page *page, const struct tree_node *node) {
  struct label label = {.page = page, .node = node};
  buf_init(&label.text, LIMIT_RECORD_BYTES);
  return label;
}

static void label_word(struct label *label, const char *before, struct str word) {
  if (!word.len) return;
  buf_add_text(&label->text, label->text.len ? before : "");
  report_word_plain(&label->text, word);
}

static void label_amount(struct label *label, const char *field, const char *unit) {
  struct str amount = tree_text(label->node, field);
  if (!amount.len) return;
  buf_add_text(&label->text, label->text.len ? " " : "");
  buf_add_str(&label->text, amount);
  buf_add_text(&label->text, unit);
}

static struct str label_end(struct label *label) {
  struct str text = buf_take_str(&label->text, label->page->arena);
  if (!text.ptr) label->page->status = STATUS_NOMEM;
  buf_release(&label->text);
  return text;
}

/* The end by the field, or why there is none. */
static void set_end(struct report_event *event, const struct tree_node *node, const char *field,
                    enum report_end otherwise) {
  event->end = read_time(node, field, &event->to) && event->to >= event->from ? REPORT_SPAN : otherwise;
  if (event->end != REPORT_SPAN) event->to = event->from;
}

static struct str dose_label(struct report_page *page, const struct tree_node *dose, enum report_look look) {
  const struct tree_node *product = report_item(page, "products", tree_text(dose, "product"));
  struct label label = label_begin(page, dose);
  label_word(&label, "", product ? tree_text(product, "product") : STR("dose"));
  if (look == REPORT_NOT_GIVEN) {
    label_word(&label, ", ", STR("not given"));
    label_word(&label, ": ", tree_text(dose, "reason"));
    return label_end(&label);
  }
  if (tree_text(dose, "givenMg").len) buf_add_char(&label.text, ',');
  label_amount(&label, "givenMg", " mg");
  label_word(&label, " ", tree_text(dose, "route"));
  if (tree_text(dose, "device").len) label_word(&label, ", device ", tree_text(dose, "device"));
  if (str_is(tree_text(dose, "status"), "stopped")) label_word(&label, ", ", STR("stopped"));
  return label_end(&label);
}

/* Whether an earlier dose belongs to the same procedure: then the rate was changed. */
static bool goes_on(const struct tree_node *dose) {
  struct str procedure = tree_text(dose, "procedure");
  const struct tree_node *other = tree_find(dose->parent, "doses");
  struct str start = tree_text(dose, "start");
  for (int i = 0; procedure.len && other && i < REPORT_ITEMS_MAX; i++, other = tree_next_same(other))
    if (other != dose && report_dose_given(other) && str_eq(tree_text(other, "procedure"), procedure) &&
        str_cmp(tree_text(other, "start"), start) < 0)
      return true;
  return false;
}

static bool read_dose(struct report_page *page, const struct tree_node *dose, struct report_event *event) {
  if (str_is(tree_text(dose, "status"), "entered-in-error")) return false;
  event->look = !report_dose_given(dose) ? REPORT_NOT_GIVEN : goes_on(dose) ? REPORT_RATE_CHANGE : REPORT_DOSE;
  set_end(event, dose, "stop", str_is(tree_text(dose, "status"), "in-progress") ? REPORT_GOES_ON : REPORT_POINT);
  if (event->look == REPORT_NOT_GIVEN) event->end = REPORT_POINT;
  event->label = dose_label(page, dose, event->look);
  return true;
}

static bool read_pause(struct report_page *page, const struct tree_node *pause, struct report_event *event) {
  struct label label = label_begin(page, pause);
  event->look = REPORT_PAUSE;
  set_end(event, pause, "stop", str_is(tree_text(pause->parent, "status"), "on-hold") ? REPORT_GOES_ON : REPORT_UNKNOWN);
  label_word(&label, "", STR("pause"));
  label_word(&label, ": ", tree_text(pause, "reason"));
  event->label = label_end(&label);
  return !str_is(tree_text(pause->parent, "status"), "entered-in-error");
}

static bool read_medicine(struct report_page *page, const struct tree_node *medicine, struct report_event *event) {
  struct label label = label_begin(page, medicine);
  event->look = REPORT_MEDICINE;
  set_end(event, medicine, "stop", tree_find(medicine, "flowLPerMin") ? REPORT_UNKNOWN : REPORT_POINT);
  buf_add_str(&label.text, tree_text(medicine, "name"));
  label_amount(&label, "givenMg", " mg");
  label_amount(&label, "flowLPerMin", " L/min");
  label_word(&label, " ", tree_text(medicine, "route"));
  label_word(&label, ", ", tree_text(medicine, "purpose"));
  event->label = label_end(&label);
  return true;
}

static bool read_event(struct report_page *page, const struct tree_node *node, struct report_event *event) {
  struct str severity = tree_text(node, "severity"), outcome = tree_text(node, "outcome");
  struct label label = label_begin(page, node);
  bool going_on = str_is(outcome, "ongoing") || str_is(outcome, "recovering");
  event->look = str_is(severity, "severe")     ? REPORT_SEVERE
                : str_is(severity, "moderate") ? REPORT_MODERATE
                                               : REPORT_MILD;
  set_end(event, node, "end", going_on ? REPORT_GOES_ON : REPORT_UNKNOWN);
  label_word(&label, "", tree_text(node, "event"));
  label_word(&label, ", ", severity);
  if (!str_is(tree_text(node, "seriousness"), "non-serious"))
    label_word(&label, ", ", tree_text(node, "seriousness"));
  if (going_on) label_word(&label, ", ", outcome);
  event->label = label_end(&label);
  return true;
}

static bool read_discharge(struct report_page *page, const struct tree_node *discharge, struct report_event *event) {
  struct label label = label_begin(page, discharge);
  event->look = REPORT_DISCHARGE;
  event->to = event->from;
  label_word(&label, "", STR("discharge"));
  label_word(&label, ": ", tree_text(discharge, "disposition"));
  if (str_is(tree_text(discharge, "ready"), "false")) label_word(&label, ", ", STR("not ready"));
  event->label = label_end(&label);
  return true;
}

static bool read_screen(struct report_page *page, const struct tree_node *screen, struct report_event *event) {
  struct label label = label_begin(page, screen);
  event->look = REPORT_VISIT;
  event->to = event->from;
  label_word(&label, "", STR("check before the dose"));
  label_word(&label, ": ", tree_text(screen, "decision"));
  event->label = label_end(&label);
  return true;
}

static bool read_therapy(struct report_page *page, const struct tree_node *therapy, struct report_event *event) {
  struct label label = label_begin(page, therapy);
  event->look = REPORT_VISIT;
  set_end(event, therapy, "stop", REPORT_UNKNOWN);
  label_word(&label, "", STR("psychotherapy"));
  label_word(&label, ": ", tree_text(therapy, "kind"));
  event->label = label_end(&label);
  return true;
}

static const struct {
  int lane;
  const char *path, *time;
  bool (*read)(struct report_page *page, const struct tree_node *node, struct report_event *event);
} sources[] = {
    {REPORT_LANE_VISIT, "screen", "at", read_screen},
    {REPORT_LANE_VISIT, "psychotherapy", "start", read_therapy},
    {REPORT_LANE_VISIT, "discharge", "at", read_discharge},
    {REPORT_LANE_DOSES, "doses", "start", read_dose},
    {REPORT_LANE_DOSES, "doses.interruptions", "start", read_pause},
    {REPORT_LANE_MEDICINES, "supportMedications", "start", read_medicine},
    {REPORT_LANE_EVENTS, "adverseEvents", "onset", read_event},
};
static const char *const lane_titles[REPORT_LANES] = {"Visit", "Treatment", "Medicines beside it", "Adverse events"};

/* Insertion keeps what began at the same time in the order of the record; lanes are short. */
static void add_event(struct report_lane *lane, struct report_event event) {
  size_t at = lane->count;
  if (at == REPORT_ITEMS_MAX) {
    lane->left_out++;
    return;
  }
  for (; at && lane->events[at - 1].from > event.from; at--)
    lane->events[at] = lane->events[at - 1];
  lane->events[at] = event;
  lane->count++;
}

/* What lies outside the axis is drawn at its edge, and says its time. */
static void label_outside(struct report_page *page, const struct report_plot *plot, const struct tree_node *node,
                          const char *time, struct report_event *event) {
  if (event->from >= plot->from && event->from <= plot->to) return;
  struct label label = label_begin(page, node);
  buf_add_str(&label.text, event->label);
  buf_add_text(&label.text, " (");
  report_clock(page, tree_text(node, time), &label.text);
  buf_add_char(&label.text, ')');
  event->label = label_end(&label);
}

static void read_lanes(struct report_page *page, struct report_plot *plot) {
  for (int i = 0; i < REPORT_LANES; i++) {
    plot->lanes[i].title = lane_titles[i];
    plot->lanes[i].events = ARENA_ARRAY(page->arena, struct report_event, REPORT_ITEMS_MAX);
    if (!plot->lanes[i].events) page->status = STATUS_NOMEM;
  }
  for (size_t i = 0; page->status == STATUS_OK && i < sizeof sources / sizeof sources[0]; i++) {
    struct report_rows rows = report_collect(page, sources[i].path);
    for (size_t j = 0; j < rows.count; j++) {
      struct report_event event = {0};
      if (!read_time(rows.nodes[j], sources[i].time, &event.from)) continue;
      if (!sources[i].read(page, rows.nodes[j], &event)) continue;
      label_outside(page, plot, rows.nodes[j], sources[i].time, &event);
      add_event(&plot->lanes[sources[i].lane], event);
    }
  }
}

/* --- series of readings --- */

/* Tenths; false when it cannot be drawn. */
static bool read_tenths(struct str text, int32_t *out) {
  struct decimal value, scaled;
  int64_t whole;
  if (!text.len || !decimal_parse(text, &value)) return false;
  value = decimal_round(value, 1);
  if (!decimal_multiply(value, decimal_from_int(10), &scaled)) return false;
  if (!decimal_to_int(decimal_normalize(scaled), &whole) || whole < 0 || whole > REPORT_VALUE_MAX) return false;
  *out = (int32_t)whole;
  return true;
}

static bool has_oxygen(const struct tree_node *node) {
  struct decimal flow;
  struct str text = tree_text(node, "oxygenLPerMin");
  if (tree_text(node, "oxygenPercent").len) return true;
  return text.len && decimal_parse(text, &flow) && !decimal_is_zero(flow);
}

static bool read_reading(const struct report_kind *kind, const struct tree_node *node, struct report_series *series,
                         struct report_reading *out) {
  const char *const fields[] = {kind->field, kind->second};
  bool beyond = false;
  *out = (struct report_reading){.oxygen = has_oxygen(node)};
  if (!read_time(node, "at", &out->at)) return false;
  for (int i = 0; i < 2 && fields[i]; i++) {
    out->text[i] = tree_text(node, fields[i]);
    out->has[i] = read_tenths(out->text[i], &out->value[i]);
    beyond |= out->text[i].len && !out->has[i];
  }
  series->left_out += beyond;
  if (beyond) return false;
  if (out->has[0] || out->has[1]) return true;
  if (kind->absent && tree_text(node, kind->absent).len) {
    series->absent++;
    return true;
  }
  return false;
}

static int by_time(const void *a, const void *b) {
  const struct report_reading *x = a, *y = b;
  if (x->at != y->at) return x->at < y->at ? -1 : 1;
  return x->order < y->order ? -1 : x->order > y->order;
}

static void read_series(struct report_page *page, const struct report_kind *kind, struct report_series *series) {
  struct report_rows rows = report_collect(page, kind->list);
  struct report_reading reading;
  series->kind = kind;
  if (!rows.count) return;
  series->readings = ARENA_ARRAY(page->arena, struct report_reading,
                                 rows.count < REPORT_READINGS_MAX ? rows.count : REPORT_READINGS_MAX);
  if (!series->readings) {
    page->status = STATUS_NOMEM;
    return;
  }
  for (size_t i = 0; i < rows.count; i++) {
    if (!read_reading(kind, rows.nodes[i], series, &reading)) continue;
    reading.order = i;
    if (series->count < REPORT_READINGS_MAX)
      series->readings[series->count++] = reading;
    else
      series->left_out++;
  }
  qsort(series->readings, series->count, sizeof series->readings[0], by_time);
}

bool report_plot_read(struct report_page *page, struct report_plot *out) {
  const struct tree_node *discharge = tree_find(page->record, "discharge");
  size_t things = 0;
  *out = (struct report_plot){0};
  read_span(page, out);
  read_lanes(page, out);
  for (int i = 0; i < REPORT_SERIES; i++)
    read_series(page, &report_kinds[i], &out->series[i]);
  if (discharge) out->has_discharge = read_time(discharge, "at", &out->discharge);
  for (int i = 0; i < REPORT_SERIES; i++)
    things += out->series[i].count;
  for (int i = REPORT_LANE_DOSES; i < REPORT_LANES; i++)
    things += out->lanes[i].count;
  return page->status == STATUS_OK && things != 0;
}
