/* change.c - rating scales before the first dose and after it began, side by side. The change is the one thing that the
 * page computes. */
#include "report/internal.h"

/* The last ratings of one scale on both sides of the dose. */
struct pair {
  const struct tree_node *before, *after;
};

static bool time_of(const struct tree_node *node, const char *field, int64_t *out) {
  struct datetime at;
  if (!report_instant(tree_text(node, field), &at)) return false;
  *out = datetime_to_ms(&at, 0);
  return true;
}

static bool first_dose(const struct report_page *page, int64_t *out) {
  bool any = false;
  int64_t at;
  for (const struct tree_node *dose = tree_find(page->record, "doses"); dose; dose = tree_next_same(dose)) {
    if (!report_dose_given(dose) || !time_of(dose, "start", &at)) continue;
    if (!any || at < *out) *out = at;
    any = true;
  }
  return any;
}

/* Of one version only: totals of different versions cannot be compared. */
static struct str key_of(const struct report_page *page, const struct tree_node *scale) {
  return arena_printf(page->arena, "%.*s\n%.*s", STR_ARG(tree_text(scale, "scale")),
                      STR_ARG(tree_text(scale, "version")));
}

static bool is_later(const struct tree_node *scale, const struct tree_node *than) {
  int64_t a, b;
  return !than || (time_of(scale, "at", &a) && time_of(than, "at", &b) && a >= b);
}

static void add_rating(struct report_page *page, const struct tree_node *scale) {
  if (!scale) {
    report_absent(page);
    return;
  }
  report_result(page, scale);
  buf_add_text(page->out, " <span class=\"at\">at&#160;");
  report_value(page, scale, "at", REPORT_TIME);
  buf_add_text(page->out, "</span>");
}

static void add_change(struct report_page *page, const struct pair *pair) {
  struct decimal before, after, change;
  struct buf text;
  if (!pair->before || !pair->after) return;
  if (!decimal_parse(tree_text(pair->before, "total"), &before)) return;
  if (!decimal_parse(tree_text(pair->after, "total"), &after)) return;
  if (!decimal_subtract(after, before, &change)) return;
  buf_add_text(page->out, change.negative ? "\xE2\x88\x92" : decimal_is_zero(change) ? "" : "+");
  change.negative = false;
  buf_init(&text, LIMIT_NUMBER_CHARS * 2);
  decimal_format(change, &text);
  report_escape(page->out, buf_str(&text));
  buf_release(&text);
}

static void add_row(struct report_page *page, const struct pair *pair) {
  const struct tree_node *any = pair->before ? pair->before : pair->after;
  buf_add_text(page->out, "<tr><th scope=\"row\">");
  report_value(page, any, "scale", REPORT_WORD);
  if (tree_text(any, "version").len) buf_add_text(page->out, ", ");
  report_value(page, any, "version", REPORT_TEXT);
  buf_add_text(page->out, "</th><td class=\"number\">");
  add_rating(page, pair->before);
  buf_add_text(page->out, "</td><td class=\"number\">");
  add_rating(page, pair->after);
  buf_add_text(page->out, "</td><td class=\"number\">");
  add_change(page, pair);
  buf_add_text(page->out, "</td></tr>\n");
}

static enum status find_pairs(struct report_page *page, const struct report_rows *rows, int64_t dose, struct map *pairs) {
  for (size_t i = 0; i < rows->count; i++) {
    struct str key = key_of(page, rows->nodes[i]);
    int64_t at;
    if (!key.ptr) return STATUS_NOMEM;
    struct pair *pair = map_get(pairs, key);
    if (!pair) {
      pair = ARENA_NEW(page->arena, struct pair);
      if (!pair || map_put(pairs, key, pair) != STATUS_OK) return STATUS_NOMEM;
    }
    bool after = time_of(rows->nodes[i], "at", &at) && at >= dose;
    const struct tree_node **side = after ? &pair->after : &pair->before;
    if (is_later(rows->nodes[i], *side)) *side = rows->nodes[i];
  }
  return STATUS_OK;
}

void report_change(struct report_page *page) {
  struct report_rows rows = report_collect(page, "scales");
  struct map pairs;
  int64_t dose = 0;
  if (!rows.count || !first_dose(page, &dose)) return;
  map_init(&pairs, page->arena);
  enum status status = find_pairs(page, &rows, dose, &pairs);
  if (status != STATUS_OK) {
    page->status = status;
    return;
  }
  report_table_open(page, "change", "Before and after the dose: the last rating on either side", pairs.count);
  buf_add_text(page->out, "<thead><tr><th scope=\"col\">Scale</th><th scope=\"col\" class=\"number\">Before the dose</th>"
                          "<th scope=\"col\" class=\"number\">After it began</th>"
                          "<th scope=\"col\" class=\"number\">Change</th></tr></thead>\n<tbody>\n");
  for (size_t i = 0; i < pairs.count; i++)
    add_row(page, pairs.entries[i].value);
  buf_add_text(page->out, "</tbody>\n");
  report_table_close(page);
}
