/* table.c - lists of the record as tables, objects as lists of terms; what is shown is said by tables of columns. */
#include <assert.h>
#include "report/internal.h"

void report_absent(struct report_page *page) {
  buf_add_text(page->out, "<span class=\"absent\">not recorded</span>");
}

/* --- one value --- */

static void add_time(struct report_page *page, struct str text) {
  struct buf clock;
  buf_init(&clock, LIMIT_RECORD_BYTES);
  report_clock(page, text, &clock);
  buf_add_text(page->out, "<time datetime=\"");
  report_escape(page->out, text);
  buf_add_text(page->out, "\">");
  report_escape(page->out, buf_str(&clock));
  buf_add_text(page->out, "</time>");
  if (clock.error != STATUS_OK) page->status = clock.error;
  buf_release(&clock);
}

static void add_person(struct report_page *page, struct str id) {
  struct buf name;
  buf_init(&name, LIMIT_RECORD_BYTES);
  report_person(page, id, &name);
  report_isolate(page->out, buf_str(&name));
  if (name.error != STATUS_OK) page->status = name.error;
  buf_release(&name);
}

static void add_yes(struct buf *out, struct str text) {
  if (str_is(text, "true"))
    buf_add_text(out, "\xE2\x9C\x93 yes");
  else if (str_is(text, "false"))
    buf_add_text(out, "<span class=\"alert\">\xE2\x9C\x97 no</span>");
  else
    report_word(out, text);
}

static void add_value(struct report_page *page, struct str text, enum report_cell cell) {
  switch (cell) {
  case REPORT_TEXT: report_isolate(page->out, text); break;
  case REPORT_WORD: report_word(page->out, text); break;
  case REPORT_TIME: add_time(page, text); break;
  case REPORT_NUMBER: report_escape(page->out, text); break;
  case REPORT_PERSON: add_person(page, text); break;
  case REPORT_YES: add_yes(page->out, text); break;
  }
}

void report_value(struct report_page *page, const struct tree_node *row, const char *field,
                  enum report_cell cell) {
  const char *between = "";
  for (const struct tree_node *node = tree_find(row, field); node; node = tree_next_same(node)) {
    if (!node->text.len) continue;
    buf_add_text(page->out, between);
    add_value(page, node->text, cell);
    between = ", ";
  }
}

/* --- tables --- */

static bool has(const struct tree_node *row, const char *field) {
  return field && tree_find(row, field) != NULL;
}

static bool has_any(const struct tree_node *row, const struct report_column *column) {
  bool any = has(row, column->field);
  for (size_t i = 0; !any && i < sizeof column->also / sizeof column->also[0]; i++)
    any = has(row, column->also[i]);
  return any;
}

/* Bit i: column i is shown. */
static uint32_t shown_columns(const struct report_section *section, const struct report_rows *rows) {
  uint32_t shown = 0;
  assert(section->column_count <= REPORT_COLUMNS_MAX);
  for (size_t i = 0; i < section->column_count; i++) {
    bool any = section->columns[i].always;
    for (size_t j = 0; !any && j < rows->count; j++)
      any = has_any(rows->nodes[j], &section->columns[i]);
    if (any) shown |= UINT32_C(1) << i;
  }
  return shown;
}

static const char *class_of(const struct report_column *column) {
  if (column->cell == REPORT_NUMBER) return " class=\"number\"";
  return column->cell == REPORT_TIME ? " class=\"time\"" : " class=\"text\"";
}

static void add_head(struct report_page *page, const struct report_column *column) {
  buf_printf(page->out, "<th scope=\"col\"%s>%s", class_of(column), column->title);
  if (column->unit) buf_printf(page->out, " <span class=\"unit\">%s</span>", column->unit);
  buf_add_text(page->out, "</th>");
}

static void add_cell(struct report_page *page, const struct report_column *column, const struct tree_node *row,
                     bool first) {
  const char *tag = first ? "th" : "td";
  buf_printf(page->out, "<%s%s%s>", tag, first ? " scope=\"row\"" : "", class_of(column));
  if (!has_any(row, column)) {
    if (column->always) report_absent(page);
  } else if (column->write) {
    column->write(page, row);
  } else {
    report_value(page, row, column->field, column->cell);
  }
  buf_printf(page->out, "</%s>", tag);
}

enum { SHORT_ROWS = 12 };

/* Around each table stands a box that scrolls where the page is narrow; keys reach it. */
void report_table_open(struct report_page *page, const char *id, const char *caption, size_t rows) {
  buf_printf(page->out,
             "<div class=\"scroll%s\" role=\"region\" tabindex=\"0\" aria-labelledby=\"%s-caption\"><table>\n"
             "<caption id=\"%s-caption\">%s</caption>\n",
             rows <= SHORT_ROWS ? " short" : "", id, id, caption);
}

void report_table_close(struct report_page *page) {
  buf_add_text(page->out, "</table></div>\n");
}

static void add_row(struct report_page *page, const struct report_section *section, uint32_t shown,
                    const struct tree_node *row) {
  bool first = true;
  buf_add_text(page->out, "<tr>");
  for (size_t i = 0; i < section->column_count; i++) {
    if (!(shown >> i & 1)) continue;
    add_cell(page, &section->columns[i], row, first);
    first = false;
  }
  buf_add_text(page->out, "</tr>\n");
}

void report_table(struct report_page *page, const struct report_section *section,
                  const struct report_rows *rows) {
  uint32_t shown = shown_columns(section, rows);
  report_table_open(page, section->id, section->caption, rows->count);
  buf_add_text(page->out, "<thead><tr>");
  for (size_t i = 0; i < section->column_count; i++)
    if (shown >> i & 1) add_head(page, &section->columns[i]);
  buf_add_text(page->out, "</tr></thead>\n<tbody>\n");
  for (size_t i = 0; i < rows->count; i++)
    add_row(page, section, shown, rows->nodes[i]);
  buf_add_text(page->out, "</tbody>\n");
  report_table_close(page);
}

static void drop_skipped(struct report_page *page, const struct report_section *section,
                         struct report_rows *rows) {
  size_t kept = 0;
  for (size_t i = 0; i < rows->count; i++)
    if (!section->skip(page, rows->nodes[i])) rows->nodes[kept++] = rows->nodes[i];
  rows->count = kept;
}

void report_section(struct report_page *page, const struct report_section *section) {
  struct report_rows rows = report_collect(page, section->path);
  if (section->skip) drop_skipped(page, section, &rows);
  if (!rows.count && !section->none) return;
  if (section->title) report_heading(page, section->id, section->title);
  if (rows.count)
    report_table(page, section, &rows);
  else
    buf_printf(page->out, "<p class=\"none\">%s</p>\n", section->none);
}

/* --- lists of terms --- */

void report_fields(struct report_page *page, const struct tree_node *object, const struct report_field *fields,
                   size_t count) {
  buf_add_text(page->out, "<dl class=\"fields\">\n");
  for (size_t i = 0; i < count; i++) {
    const struct report_field *field = &fields[i];
    bool there = has(object, field->field);
    if (!there && !field->always) continue;
    buf_printf(page->out, "<div><dt>%s</dt><dd>", field->title);
    if (!there)
      report_absent(page);
    else if (field->write)
      field->write(page, object);
    else
      report_value(page, object, field->field, field->cell);
    buf_add_text(page->out, "</dd></div>\n");
  }
  buf_add_text(page->out, "</dl>\n");
}
