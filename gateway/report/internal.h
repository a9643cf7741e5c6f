/* internal.h - private to report: the page being written, and what its files share. */
#ifndef KETLINK_REPORT_INTERNAL_H
#define KETLINK_REPORT_INTERNAL_H

#include "base/map.h"
#include "report/report.h"

/* The page on its way. */
struct report_page {
  const struct report_params *params;
  const struct tree_node *record;
  struct arena *arena;
  struct buf *out;
  enum status status; /* first trouble besides out->error */
  int16_t offset;     /* minutes east of UTC at the begin of the session: the clock on the wall */
  struct str day;     /* of the session's begin, "2026-03-11" */
  struct map ids;     /* id -> item of a list */
};

/* Items of the record's lists. */
struct report_rows {
  const struct tree_node **nodes;
  size_t count;
};

/* --- html.c: text that cannot become markup --- */

void report_escape(struct buf *out, struct str text);
/* In <bdi>: with a direction of its own; very long words may be broken. */
void report_isolate(struct buf *out, struct str text);

/* --- words.c: words of the record as people write them --- */

/* "c-ssrs-screener" -> "C-SSRS screener"; what is not in the form of a word stays as it is. Escaped. */
void report_word(struct buf *out, struct str word);
/* The same, not escaped: for the picture. */
void report_word_plain(struct buf *out, struct str word);

/* --- record.c: finding one's way in the record --- */

/* All nodes of a path from the record ("doses.interruptions"), in order. */
struct report_rows report_collect(struct report_page *page, const char *path);
/* Finds all ids, once. */
enum status report_index(struct report_page *page) MUST_USE;
/* The item of the list with this id, or NULL. */
const struct tree_node *report_item(const struct report_page *page, const char *list, struct str id);
/* Name of a member of staff, of a contact or "patient"; the id where nobody has it. Not escaped. */
void report_person(const struct report_page *page, struct str id, struct buf *out);
/* A dose that was given, at least in part. */
bool report_dose_given(const struct tree_node *dose);
/* Reads an instant; false: it is none. */
bool report_instant(struct str text, struct datetime *out);
/* "10:17", with the day where it is another than the session's, with the offset where it is another. */
void report_clock(const struct report_page *page, struct str text, struct buf *out);
/* "UTC-05:00" */
void report_offset(struct buf *out, int offset);
/* Notes that the page must not show. */
bool report_is_kept_back(const struct report_page *page, const struct tree_node *note);

/* --- table.c: lists of the record as tables --- */

enum report_cell { REPORT_TEXT, REPORT_WORD, REPORT_TIME, REPORT_NUMBER, REPORT_PERSON, REPORT_YES };

enum { REPORT_COLUMNS_MAX = 32 };

struct report_column {
  const char *title;
  const char *field; /* shown by `cell`, unless there is `write` */
  enum report_cell cell;
  bool always; /* shown also when no row has it: then it says "not recorded" */
  const char *unit;
  void (*write)(struct report_page *page, const struct tree_node *row);
  const char *also[3]; /* further fields that `write` shows: the column appears when any row has any of them */
};

struct report_section {
  const char *id, *title;
  const char *path;    /* of the rows */
  const char *caption; /* NULL: none besides the title */
  const char *none;    /* said when there are no rows; NULL: the section is left out */
  const struct report_column *columns;
  size_t column_count;
  bool (*skip)(const struct report_page *page, const struct tree_node *row);
};

void report_value(struct report_page *page, const struct tree_node *row, const char *field, enum report_cell cell);
void report_table(struct report_page *page, const struct report_section *section, const struct report_rows *rows);
/* Heading and table, or the sentence that says there is nothing. */
void report_section(struct report_page *page, const struct report_section *section);
/* Short tables stay on one sheet of paper. */
void report_table_open(struct report_page *page, const char *id, const char *caption, size_t rows);
void report_table_close(struct report_page *page);
/* One object of the record as a list of terms. */
struct report_field {
  const char *title, *field;
  enum report_cell cell;
  bool always;
  void (*write)(struct report_page *page, const struct tree_node *object);
};
void report_fields(struct report_page *page, const struct tree_node *object, const struct report_field *fields,
                   size_t count);
void report_absent(struct report_page *page);

/* --- sections.c, page.c, style.c --- */

/* Total or risk of a rating. */
void report_result(struct report_page *page, const struct tree_node *scale);
/* Scales before and after the dose; nothing where there is no dose. */
void report_change(struct report_page *page);
/* Names of the diagnoses that a field refers to. */
void report_diagnoses(struct report_page *page, const struct tree_node *row, const char *field);
void report_sections(struct report_page *page);
/* What stands out, in one strip. */
void report_glance(struct report_page *page);
/* Heading, both pictures and what they leave out; nothing when there is nothing to draw. */
void report_plot(struct report_page *page);
void report_heading(struct report_page *page, const char *id, const char *title);
extern const char report_style[];

#endif
