/* svg.c - the few shapes that the picture is made of, with whole numbers as coordinates. */
#include "report/plot.h"

void report_svg_number(struct buf *out, int32_t tenths) {
  uint32_t size = tenths < 0 ? 0u - (uint32_t)tenths : (uint32_t)tenths;
  buf_printf(out, "%s%u", tenths < 0 ? "-" : "", size / 10);
  if (size % 10) buf_printf(out, ".%u", size % 10);
}

static void add_attribute(struct buf *out, const char *name, int32_t value) {
  buf_printf(out, " %s=\"", name);
  report_svg_number(out, value);
  buf_add_char(out, '"');
}

void report_svg_line(struct buf *out, const char *css, int32_t x1, int32_t y1, int32_t x2, int32_t y2) {
  buf_printf(out, "<line class=\"%s\"", css);
  add_attribute(out, "x1", x1);
  add_attribute(out, "y1", y1);
  add_attribute(out, "x2", x2);
  add_attribute(out, "y2", y2);
  buf_add_text(out, "/>");
}

void report_svg_rect(struct buf *out, const char *css, struct report_box box) {
  buf_printf(out, "<rect class=\"%s\"", css);
  add_attribute(out, "x", box.left);
  add_attribute(out, "y", box.top);
  add_attribute(out, "width", box.right - box.left);
  add_attribute(out, "height", box.bottom - box.top);
  buf_add_text(out, "/>");
}

void report_svg_path(struct buf *out, const char *css, const int32_t (*points)[2], size_t count, bool closed) {
  buf_printf(out, "<path class=\"%s\" d=\"", css);
  for (size_t i = 0; i < count; i++) {
    buf_add_char(out, i ? 'L' : 'M');
    report_svg_number(out, points[i][0]);
    buf_add_char(out, ' ');
    report_svg_number(out, points[i][1]);
  }
  buf_add_text(out, closed ? "Z\"/>" : "\"/>");
}

void report_svg_text(struct buf *out, const char *css, enum report_anchor anchor, int32_t x, int32_t y,
                     struct str text) {
  static const char *const classes[] = {"", " mid", " end"};
  buf_printf(out, "<text class=\"%s%s\"", css, classes[anchor]);
  add_attribute(out, "x", x);
  add_attribute(out, "y", y);
  buf_add_char(out, '>');
  report_escape(out, text);
  buf_add_text(out, "</text>");
}

void report_svg_circle(struct buf *out, const char *css, int32_t x, int32_t y, int32_t radius) {
  buf_printf(out, "<circle class=\"%s\"", css);
  add_attribute(out, "cx", x);
  add_attribute(out, "cy", y);
  add_attribute(out, "r", radius);
  buf_add_text(out, "/>");
}

void report_svg_square(struct buf *out, const char *css, int32_t x, int32_t y, int32_t radius) {
  report_svg_rect(out, css, (struct report_box){x - radius, y - radius, x + radius, y + radius});
}

void report_svg_triangle(struct buf *out, const char *css, int32_t x, int32_t y, int32_t radius) {
  const int32_t points[][2] = {{x, y - radius}, {x + radius, y + radius}, {x - radius, y + radius}};
  report_svg_path(out, css, points, 3, true);
}

void report_svg_diamond(struct buf *out, const char *css, int32_t x, int32_t y, int32_t radius) {
  const int32_t points[][2] = {{x, y - radius}, {x + radius, y}, {x, y + radius}, {x - radius, y}};
  report_svg_path(out, css, points, 4, true);
}

void report_svg_cross(struct buf *out, const char *css, int32_t x, int32_t y, int32_t radius) {
  report_svg_line(out, css, x - radius, y - radius, x + radius, y + radius);
  report_svg_line(out, css, x - radius, y + radius, x + radius, y - radius);
}
