/* plot_place.c - where things go in the picture: ticks, scales, rows, texts. Whole numbers only: the same
 * everywhere. */
#include <assert.h>
#include "report/plot.h"

/* --- time --- */

int32_t report_x(const struct report_frame *frame, int64_t at) {
  if (at <= frame->from) return frame->left;
  if (at >= frame->to) return frame->right;
  return frame->left + (int32_t)((at - frame->from) * (frame->right - frame->left) / (frame->to - frame->from));
}

/* Division that rounds up, also below zero. */
static int64_t steps_up(int64_t value, int64_t step) {
  int64_t steps = value / step;
  return steps * step < value ? steps + 1 : steps;
}

enum { MINUTE_MS = 60000 };

/* Minutes that people count in; from a day on, days times 1, 2, 5, 10 … */
static int64_t step_of(size_t index) {
  static const int16_t minutes[] = {1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 360, 720};
  static const int8_t leads[] = {1, 2, 5};
  enum { COUNT = sizeof minutes / sizeof minutes[0] };
  if (index < COUNT) return minutes[index] * (int64_t)MINUTE_MS;
  int64_t days = leads[(index - COUNT) % 3];
  for (size_t i = 0; i < (index - COUNT) / 3; i++)
    days *= 10;
  return days * 1440 * MINUTE_MS;
}

struct report_ticks report_ticks_choose(const struct report_frame *frame, int32_t width) {
  struct report_ticks ticks = {0};
  int64_t span = frame->to - frame->from, room = frame->right - frame->left;
  int64_t shift = frame->offset * (int64_t)MINUTE_MS;
  for (size_t i = 0;; i++) {
    ticks.step = step_of(i);
    if (ticks.step >= span || ticks.step * room / span >= width) break;
  }
  ticks.first = steps_up(frame->from + shift, ticks.step) * ticks.step - shift;
  if (ticks.first <= frame->to) ticks.count = (size_t)((frame->to - ticks.first) / ticks.step) + 1;
  assert(ticks.count <= REPORT_TICKS_MAX);
  return ticks;
}

/* --- values --- */

struct report_scale report_scale_choose(int32_t low, int32_t high, int32_t most) {
  static const int8_t leads[] = {1, 2, 5};
  struct report_scale scale = {low, high, 10};
  for (int i = 1;; i++) {
    scale.low = low / scale.step * scale.step;
    scale.high = (high + scale.step - 1) / scale.step * scale.step;
    if ((scale.high - scale.low) / scale.step <= most) return scale;
    scale.step = 10 * leads[i % 3];
    for (int j = 0; j < i / 3; j++)
      scale.step *= 10;
  }
}

int32_t report_y(const struct report_scale *scale, int32_t value, int32_t top, int32_t bottom) {
  int64_t span = scale->high - scale->low;
  return span ? bottom - (int32_t)((int64_t)(value - scale->low) * (bottom - top) / span) : bottom;
}

/* --- texts --- */

/* In hundredths of the font's size: DejaVu Sans, the widest of the usual fonts; 0x20 … 0x7E. */
static const uint8_t widths[] = {
    32, 40, 46, 84, 64, 95, 78, 28, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64,  64, 64, 64, 64, 64,
    64, 64, 34, 34, 84, 84, 84, 53, 100, 69, 69, 70, 77, 64, 58, 78, 76, 30, 30, 66, 56, 87, 75, 79,
    61, 79, 70, 64, 61, 74, 69, 99, 69, 61, 69, 39, 34, 39, 84, 50, 50, 62, 64, 55, 64, 62, 36, 64,
    64, 28, 28, 58, 28, 98, 64, 62, 64, 64, 42, 53, 40, 64, 60, 82, 60, 60, 53, 64, 34, 64, 84};

/* Letters beyond ASCII: Latin and its neighbours are as wide as ours; of others nothing is known but that few are
 * wider than a square and a third. */
static int32_t width_of(uint32_t c) {
  if (c >= 0x20 && c < 0x20 + sizeof widths) return widths[c - 0x20];
  if (c == 0x2013 || c == 0x2026 || c == 0x2082) return c == 0x2026 ? 100 : 50;
  return c < 0x530 && c >= 0xA0 ? 90 : 133;
}

int32_t report_text_width(struct str text, int32_t font) {
  int64_t sum = 0;
  size_t at = 0;
  while (at < text.len && sum < INT32_C(10000000))
    sum += width_of(utf8_next(text, &at));
  return (int32_t)((sum * font + 99) / 100);
}

void report_shorten(struct str text, int32_t font, int32_t width, struct buf *out) {
  if (report_text_width(text, font) <= width) {
    buf_add_str(out, text);
    return;
  }
  int64_t room = (int64_t)width * 100 / font - width_of(0x2026);
  size_t at = 0, end = 0;
  while (at < text.len) {
    room -= width_of(utf8_next(text, &at));
    if (room < 0) break;
    end = at;
  }
  buf_add_str(out, str_trim(str_slice(text, 0, end)));
  buf_add_text(out, "\xE2\x80\xA6");
}

/* --- rows and boxes --- */

size_t report_row_take(struct report_rows_used *rows, int32_t from, int32_t to, int32_t gap) {
  size_t row = 0;
  while (row < rows->count && rows->ends[row] + gap > from)
    row++;
  if (row == rows->count) {
    assert(row < REPORT_ITEMS_MAX);
    rows->count++;
  }
  rows->ends[row] = to;
  return row;
}

bool report_box_free(const struct report_boxes *boxes, struct report_box box) {
  if (boxes->count == REPORT_BOXES_MAX) return false;
  for (size_t i = 0; i < boxes->count; i++) {
    const struct report_box *other = &boxes->boxes[i];
    if (box.left < other->right && other->left < box.right && box.top < other->bottom && other->top < box.bottom)
      return false;
  }
  return true;
}

bool report_box_take(struct report_boxes *boxes, struct report_box box) {
  if (!report_box_free(boxes, box)) return false;
  boxes->boxes[boxes->count++] = box;
  return true;
}
