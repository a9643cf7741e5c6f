/* place.c - values by their place, "OBX[2]-5[1].1": from the index, without a tree. */
#include "hl7v2/internal.h"

static bool take_number(struct str text, size_t *at, uint16_t *out) {
  size_t from = *at;
  uint32_t number = 0;
  for (; *at < text.len && text.ptr[*at] >= '0' && text.ptr[*at] <= '9'; (*at)++) {
    number = number * 10 + (uint32_t)(text.ptr[*at] - '0');
    if (number > UINT16_MAX) return false;
  }
  *out = (uint16_t)number;
  return *at > from && number > 0;
}

static bool take(struct str text, size_t *at, char c) {
  if (*at >= text.len || text.ptr[*at] != c) return false;
  (*at)++;
  return true;
}

/* "[2]", or nothing. */
static bool take_index(struct str text, size_t *at, uint16_t *out) {
  if (!take(text, at, '[')) return true;
  return take_number(text, at, out) && take(text, at, ']');
}

bool hl7v2_place_parse(struct str text, struct hl7v2_place *out) {
  *out = (struct hl7v2_place){.occurrence = 1, .repetition = 1};
  size_t at = 3;
  if (text.len < 5) return false;
  memcpy(out->segment, text.ptr, 3);
  if (!take_index(text, &at, &out->occurrence) || !take(text, &at, '-')) return false;
  if (!take_number(text, &at, &out->field) || !take_index(text, &at, &out->repetition)) return false;
  if (take(text, &at, '.') && !take_number(text, &at, &out->component)) return false;
  if (out->component && take(text, &at, '.') && !take_number(text, &at, &out->subcomponent)) return false;
  return at == text.len;
}

/* --- the place of a position --- */

static struct str line_at(struct str text, size_t at) {
  size_t end = at;
  while (end < text.len && !hl7v2_is_line_end(text.ptr[end]))
    end++;
  return str_slice(text, at, end);
}

/* How often it stands there; behind the last one in *behind. */
static uint16_t count_in(struct str run, char separator, struct str *behind) {
  uint16_t count = 0;
  *behind = run;
  for (size_t i = 0; separator && i < run.len; i++) {
    if (run.ptr[i] != separator || count == UINT16_MAX - 1) continue;
    count++;
    *behind = str_slice(run, i + 1, run.len);
  }
  return count;
}

/* `before`: the line up to the position. */
static void place_in(struct str before, const struct hl7v2_delims *delims, struct hl7v2_place *out) {
  struct str rest;
  out->field = count_in(before, delims->field, &rest);
  if (!out->field) return;
  if (str_is(str_make(out->segment, 3), "MSH") && ++out->field <= 2) return;
  out->repetition = (uint16_t)(1 + count_in(rest, delims->repetition, &rest));
  uint16_t component = count_in(rest, delims->component, &rest), subcomponent = count_in(rest, delims->subcomponent, &rest);
  if (component || subcomponent) out->component = (uint16_t)(component + 1);
  if (subcomponent) out->subcomponent = (uint16_t)(subcomponent + 1);
}

bool hl7v2_place_at(struct str text, const struct hl7v2_delims *delims, struct source_position position,
                    struct hl7v2_place *out) {
  size_t at = 0, to;
  uint16_t occurrence = 1;
  *out = (struct hl7v2_place){.repetition = 1};
  for (uint32_t line = 1; line < position.line && at < text.len; line++)
    at = hl7v2_line_end(text, at);
  struct str line = line_at(text, at);
  /* other words may begin with three capitals as well, and may be a patient's */
  if (!position.line || line.len < 3 || !hl7v2_is_name(line.ptr)) return false;
  if (line.len > 3 && line.ptr[3] != delims->field) return false;
  memcpy(out->segment, line.ptr, 3);
  for (size_t other = 0; other < at; other = hl7v2_line_end(text, other))
    occurrence = (uint16_t)(occurrence + (occurrence < UINT16_MAX && memcmp(text.ptr + other, out->segment, 3) == 0));
  out->occurrence = occurrence;
  to = 0;
  for (uint32_t column = 1; column < position.col && to < line.len; column++)
    utf8_next(line, &to);
  place_in(str_slice(line, 0, to), delims, out);
  return true;
}

static void write_index(uint16_t number, struct buf *out) {
  if (number > 1) buf_printf(out, "[%u]", number);
}

void hl7v2_place_write(const struct hl7v2_place *place, struct buf *out) {
  buf_add_text(out, place->segment);
  write_index(place->occurrence, out);
  if (!place->field) return;
  buf_printf(out, "-%u", place->field);
  write_index(place->repetition, out);
  if (place->component) buf_printf(out, ".%u", place->component);
  if (place->component && place->subcomponent) buf_printf(out, ".%u", place->subcomponent);
}

/* --- values --- */

struct str hl7v2_part(struct str run, char separator, size_t number) {
  const char *from = run.ptr, *end = from ? from + run.len : NULL;
  if (!separator) return number == 1 ? run : (struct str){0};
  while (from) {
    const char *to = hl7v2_find_byte(from, end, separator);
    if (--number == 0) return str_make(from, (size_t)((to ? to : end) - from));
    from = to ? to + 1 : NULL;
  }
  return (struct str){0};
}

static const struct hl7v2_segment *find_segment(const struct hl7v2_message *message, const struct hl7v2_place *place) {
  uint32_t at = 0, left = place->occurrence ? place->occurrence : 1;
  while ((at = hl7v2_find(message, place->segment, at)) < message->segment_count)
    if (--left == 0) return &message->segments[at];
    else at++;
  return NULL;
}

/* Where part `number` of [from, end) begins; what ends it otherwise is one of `stops`. NULL: there are fewer. */
static inline const char *skip_parts(const char *from, const char *end, char separator, const char stops[2], unsigned number) {
  for (; number > 1; number--) {
    while (from < end && *from != separator && *from != stops[0] && *from != stops[1])
      from++;
    if (from == end || !separator || *from != separator) return NULL;
    from++;
  }
  return from;
}

/* In one walk: each byte of the field is looked at once. */
static struct str find_run(struct str run, const struct hl7v2_delims *delims, const struct hl7v2_place *place) {
  const char *at = run.ptr, *end = run.ptr + run.len;
  char none[2] = {0, 0}, repetition[2] = {delims->repetition, 0}, component[2] = {delims->repetition, delims->component};
  char last = place->subcomponent ? delims->subcomponent : 0, middle = place->component ? delims->component : 0;
  at = skip_parts(at, end, delims->repetition, none, place->repetition);
  if (at) at = skip_parts(at, end, delims->component, repetition, place->component);
  if (at) at = skip_parts(at, end, delims->subcomponent, component, place->subcomponent);
  if (!at) return (struct str){0};
  const char *to = at;
  while (to < end && *to != delims->repetition && *to != middle && *to != last) /* no text holds a NUL */
    to++;
  return str_make(at, (size_t)(to - at));
}

struct str hl7v2_raw(const struct hl7v2_message *message, const struct hl7v2_place *place) {
  const struct hl7v2_segment *segment = find_segment(message, place);
  struct str run = segment ? hl7v2_field(message, segment, place->field) : (struct str){0};
  if (!run.len || (segment == message->segments && place->field <= 2)) return run;
  return find_run(run, &message->delims, place);
}

struct str hl7v2_value(const struct hl7v2_message *message, const struct hl7v2_place *place, struct arena *arena) {
  struct str run = hl7v2_raw(message, place);
  bool header = place->field <= 2 && memcmp(place->segment, "MSH", 3) == 0;
  if (!run.len) return str_make("", 0);
  bool kept;
  return header ? run : hl7v2_unescape_of(message, run, arena, &kept);
}
