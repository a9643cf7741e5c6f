/*
 * plot.h - private to report: the timeline as a picture, in three steps.
 *
 *   plot_data.c   record -> what there is to draw: items in lanes, readings in series (times in ms, values in tenths)
 *   plot_place.c  where things go: ticks, scales, rows, widths of text; pure, on whole numbers
 *   plot.c        the lanes from top to bottom, as SVG by the few shapes of svg.c
 *
 * A *lane* is a row of the picture: either items one below the other (doses, medicines, events), or one series
 * over its own scale. Coordinates are tenths of a unit, from the top left corner. There are two pictures, a wide and
 * a narrow one; the page shows one of them.
 */
#ifndef KETLINK_REPORT_PLOT_H
#define KETLINK_REPORT_PLOT_H

#include "report/internal.h"

enum {
  REPORT_READINGS_MAX = 2000, /* drawn of one series */
  REPORT_ITEMS_MAX = 60,      /* drawn of one lane */
  REPORT_VALUE_MAX = 5000,    /* tenths: what is greater is not drawn */
  REPORT_BOXES_MAX = 600,     /* texts over one series */
  REPORT_TICKS_MAX = 64
};

/* --- plot_data.c --- */

enum report_look {
  REPORT_VISIT,
  REPORT_DISCHARGE,
  REPORT_DOSE,
  REPORT_RATE_CHANGE, /* a dose that goes on with the procedure of another */
  REPORT_NOT_GIVEN,
  REPORT_PAUSE,
  REPORT_MEDICINE,
  REPORT_MILD,
  REPORT_MODERATE,
  REPORT_SEVERE,
  REPORT_LOOKS
};

enum report_end {
  REPORT_POINT,   /* happened at one time */
  REPORT_SPAN,    /* from, to */
  REPORT_GOES_ON, /* has not ended */
  REPORT_UNKNOWN  /* its end was not recorded */
};

struct report_event {
  int64_t from, to; /* ms since 1970 UTC */
  enum report_look look;
  enum report_end end;
  struct str label;
};

struct report_lane {
  const char *title;
  struct report_event *events; /* in order of time */
  size_t count, left_out;
};
enum { REPORT_LANE_VISIT, REPORT_LANE_DOSES, REPORT_LANE_MEDICINES, REPORT_LANE_EVENTS, REPORT_LANES };

/* One reading; blood pressure has two halves, the others only the first. */
struct report_reading {
  int64_t at;
  size_t order;     /* in the record */
  int32_t value[2]; /* tenths */
  bool has[2];
  bool oxygen; /* while oxygen was given */
  struct str text[2];
};

struct report_series {
  const struct report_kind *kind;
  struct report_reading *readings; /* in order of time */
  size_t count, left_out;
  size_t absent; /* readings without a value that say why */
};
enum {
  REPORT_PRESSURE,
  REPORT_HEART,
  REPORT_SATURATION,
  REPORT_RESPIRATION,
  REPORT_SEDATION,
  REPORT_SERIES
};

/* What is drawn over a scale of its own. */
struct report_kind {
  const char *title, *unit;
  const char *list, *field, *second; /* second: of blood pressure */
  const char *absent;                /* says why there is no value; may be NULL */
  int32_t low, high;                 /* tenths: the scale spans at least this */
  int32_t height;                    /* of the lane */
  const char *css;
  void (*mark)(struct buf *out, const char *css, int32_t x, int32_t y, int32_t radius);
};
extern const struct report_kind report_kinds[REPORT_SERIES];

struct report_plot {
  int64_t from, to; /* what the axis spans */
  int64_t discharge;
  bool has_discharge;
  struct report_lane lanes[REPORT_LANES];
  struct report_series series[REPORT_SERIES];
};

/* False when there is nothing to draw but the visit itself. */
bool report_plot_read(struct report_page *page, struct report_plot *out);

/* --- plot_place.c --- */

/* The picture's measures, and the time it spans. */
struct report_frame {
  const char *name;    /* "wide", "narrow": class and prefix of ids */
  bool narrow;
  int32_t width;       /* of the picture */
  int32_t left, right; /* of the lanes */
  int32_t font, small; /* sizes of texts */
  int64_t from, to;
  int16_t offset;
};

/* Clamped to the lanes. */
int32_t report_x(const struct report_frame *frame, int64_t at);

struct report_ticks {
  int64_t first, step; /* ms; first is at or after the frame's begin, on a full local step */
  size_t count;
};
/* The finest steps of which the labels, `width` wide, do not touch. */
struct report_ticks report_ticks_choose(const struct report_frame *frame, int32_t width);

struct report_scale {
  int32_t low, high, step; /* tenths */
};
/* Full steps around low … high, at most `most` of them. */
struct report_scale report_scale_choose(int32_t low, int32_t high, int32_t most);
/* From `top` (high) to `bottom` (low). */
int32_t report_y(const struct report_scale *scale, int32_t value, int32_t top, int32_t bottom);

/* Width of a text, rather too much than too little: as if in a wide font. */
int32_t report_text_width(struct str text, int32_t font);
/* The text, or as much of it as fits with "…" at its end; added to `out`, not escaped. */
void report_shorten(struct str text, int32_t font, int32_t width, struct buf *out);

/* Rows in which spans do not touch. */
struct report_rows_used {
  int32_t ends[REPORT_ITEMS_MAX];
  size_t count;
};
/* Row for a span; spans come in order of their left ends. */
size_t report_row_take(struct report_rows_used *rows, int32_t from, int32_t to, int32_t gap);

struct report_box {
  int32_t left, top, right, bottom;
};
struct report_boxes {
  struct report_box boxes[REPORT_BOXES_MAX];
  size_t count;
};
/* Takes the place if nothing is there yet. */
bool report_box_take(struct report_boxes *boxes, struct report_box box);
bool report_box_free(const struct report_boxes *boxes, struct report_box box);

/* --- svg.c --- */

void report_svg_number(struct buf *out, int32_t tenths);
void report_svg_line(struct buf *out, const char *css, int32_t x1, int32_t y1, int32_t x2, int32_t y2);
void report_svg_rect(struct buf *out, const char *css, struct report_box box);
void report_svg_path(struct buf *out, const char *css, const int32_t (*points)[2], size_t count, bool closed);
enum report_anchor { REPORT_START, REPORT_MIDDLE, REPORT_END };
void report_svg_text(struct buf *out, const char *css, enum report_anchor anchor, int32_t x, int32_t y,
                     struct str text);
void report_svg_circle(struct buf *out, const char *css, int32_t x, int32_t y, int32_t radius);
void report_svg_diamond(struct buf *out, const char *css, int32_t x, int32_t y, int32_t radius);
void report_svg_square(struct buf *out, const char *css, int32_t x, int32_t y, int32_t radius);
void report_svg_triangle(struct buf *out, const char *css, int32_t x, int32_t y, int32_t radius);
void report_svg_cross(struct buf *out, const char *css, int32_t x, int32_t y, int32_t radius);

/* --- plot.c, summary.c --- */

/* The picture in a few words; escaped. */
void report_describe(struct report_page *page);

#endif
