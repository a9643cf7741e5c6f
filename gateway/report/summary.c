/* summary.c - what stands out in a record: chosen from it, never computed. */
#include "report/plot.h"

/* The row of a list with the highest (or lowest) number in a field; NULL when there is none. */
static const struct tree_node *extreme(const struct report_page *page, const char *list, const char *field,
                                       bool highest) {
  const struct tree_node *found = NULL;
  struct decimal best = {0}, value;
  for (const struct tree_node *row = tree_find(page->record, list); row; row = tree_next_same(row)) {
    struct str text = tree_text(row, field);
    if (!text.len || !decimal_parse(text, &value)) continue;
    int order = found ? decimal_compare(value, best) : 0;
    if (found && (highest ? order <= 0 : order >= 0)) continue;
    found = row;
    best = value;
  }
  return found;
}

static size_t count_of(const struct report_page *page, const char *list) {
  size_t count = 0;
  for (const struct tree_node *row = tree_find(page->record, list); row; row = tree_next_same(row))
    count += !(row->flags & TREE_EMPTY_ARRAY);
  return count;
}

static void add_at(struct report_page *page, const struct tree_node *row) {
  buf_add_text(page->out, " <span class=\"at\">at&#160;");
  report_value(page, row, "at", REPORT_TIME);
  buf_add_text(page->out, "</span>");
}

/* --- at a glance --- */

static bool is_amount(const struct tree_node *dose) {
  return report_dose_given(dose) && tree_text(dose, "givenMg").len;
}

/* Amounts as they were given, not their sum; the same amount again and again is said once. */
static bool glance_doses(struct report_page *page) {
  const struct tree_node *dose = tree_find(page->record, "doses");
  const char *between = "";
  while (dose) {
    const struct tree_node *first = dose;
    size_t count = 0;
    for (; dose && is_amount(first) && is_amount(dose); dose = tree_next_same(dose), count++)
      if (!str_eq(tree_text(dose, "givenMg"), tree_text(first, "givenMg")) ||
          !str_eq(tree_text(dose, "route"), tree_text(first, "route")))
        break;
    if (!count) {
      dose = tree_next_same(dose);
      continue;
    }
    buf_add_text(page->out, between);
    if (count > 1) buf_printf(page->out, "%zu \xC3\x97 ", count);
    report_value(page, first, "givenMg", REPORT_NUMBER);
    buf_add_text(page->out, " mg ");
    report_value(page, first, "route", REPORT_WORD);
    between = ", ";
  }
  return *between != 0;
}

static bool glance_pressure(struct report_page *page) {
  const struct tree_node *row = extreme(page, "vitals", "systolic", true);
  if (!row) return false;
  report_value(page, row, "systolic", REPORT_NUMBER);
  buf_add_char(page->out, '/');
  if (tree_text(row, "diastolic").len)
    report_value(page, row, "diastolic", REPORT_NUMBER);
  else
    buf_add_text(page->out, "\xE2\x80\x93");
  buf_add_text(page->out, " mmHg");
  add_at(page, row);
  return true;
}

static bool glance_number(struct report_page *page, const char *list, const char *field, bool highest,
                          const char *unit) {
  const struct tree_node *row = extreme(page, list, field, highest);
  if (!row) return false;
  report_value(page, row, field, REPORT_NUMBER);
  buf_add_text(page->out, unit);
  add_at(page, row);
  return true;
}

static bool glance_saturation(struct report_page *page) {
  return glance_number(page, "vitals", "spo2", false, " %");
}

static bool glance_heart(struct report_page *page) {
  return glance_number(page, "vitals", "heartRate", true, " /min");
}

static bool glance_sedation(struct report_page *page) {
  return glance_number(page, "assessments", "moaas", false, "");
}

static bool glance_events(struct report_page *page) {
  static const char *const severities[] = {"severe", "moderate", "mild"};
  size_t all = count_of(page, "adverseEvents");
  const char *between = ": ";
  if (!all) return false;
  buf_printf(page->out, "%zu", all);
  for (int i = 0; i < 3; i++) {
    size_t count = 0;
    for (const struct tree_node *row = tree_find(page->record, "adverseEvents"); row; row = tree_next_same(row))
      count += str_is(tree_text(row, "severity"), severities[i]);
    if (!count) continue;
    buf_printf(page->out, "%s%zu %s", between, count, severities[i]);
    between = ", ";
  }
  return true;
}

static bool glance_discharge(struct report_page *page) {
  const struct tree_node *discharge = tree_find(page->record, "discharge");
  if (!discharge || !tree_text(discharge, "at").len) return false;
  report_value(page, discharge, "at", REPORT_TIME);
  if (tree_text(discharge, "disposition").len) buf_add_text(page->out, ", ");
  report_value(page, discharge, "disposition", REPORT_WORD);
  if (tree_text(discharge, "escort").len) {
    buf_add_text(page->out, ", with ");
    report_value(page, discharge, "escort", REPORT_PERSON);
  }
  return true;
}

static const struct {
  const char *title;
  bool (*write)(struct report_page *page);
  const char *none;
} glances[] = {
    {"Given", glance_doses, "no dose"},
    {"Highest blood pressure", glance_pressure, "not recorded"},
    {"Highest heart rate", glance_heart, "not recorded"},
    {"Lowest SpO₂", glance_saturation, "not recorded"},
    {"Lowest MOAA/S", glance_sedation, "not recorded"},
    {"Adverse events", glance_events, "none recorded"},
    {"Discharge", glance_discharge, "not recorded"}, /* last: left out where nobody is discharged */
};

/* Visits without a dose and without readings have nothing to stand out. */
void report_glance(struct report_page *page) {
  if (!count_of(page, "doses") && !count_of(page, "vitals")) return;
  bool alone = str_is(tree_text(tree_find(page->record, "session"), "class"), "unsupervised");
  size_t count = sizeof glances / sizeof glances[0] - alone;
  buf_add_text(page->out, "<section aria-label=\"At a glance\">\n<dl class=\"glance\">\n");
  for (size_t i = 0; i < count; i++) {
    buf_printf(page->out, "<div><dt>%s</dt><dd>", glances[i].title);
    if (!glances[i].write(page)) buf_printf(page->out, "<span class=\"absent\">%s</span>", glances[i].none);
    buf_add_text(page->out, "</dd></div>\n");
  }
  buf_add_text(page->out, "</dl>\n</section>\n");
}

/* --- in words, for who does not see the picture --- */

static void describe_number(struct report_page *page, const char *name, const char *list, const char *field,
                            bool highest, const char *unit) {
  const struct tree_node *row = extreme(page, list, field, highest);
  if (!row) return;
  buf_printf(page->out, " %s ", name);
  report_escape(page->out, tree_text(row, field));
  buf_printf(page->out, "%s.", unit);
}

void report_describe(struct report_page *page) {
  buf_printf(page->out, "Doses: %zu. Sets of vital signs: %zu. Adverse events: %zu.", count_of(page, "doses"),
             count_of(page, "vitals"), count_of(page, "adverseEvents"));
  describe_number(page, "Highest systolic pressure", "vitals", "systolic", true, " mmHg");
  describe_number(page, "Highest heart rate", "vitals", "heartRate", true, " per minute");
  describe_number(page, "Lowest oxygen saturation", "vitals", "spo2", false, " percent");
  buf_add_text(page->out, " The tables below have every value.");
}
