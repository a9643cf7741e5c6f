/* look.c - what a text is before it is decoded: how wide its characters are, and what its lines begin with. */
#include "hl7v2/internal.h"

struct hl7v2_width hl7v2_width_of(struct str bytes) {
  static const struct {
    struct str mark;
    int width;
    bool little;
  } marks[] = {{{"\xFF\xFE\0\0", 4}, 4, true}, {{"\0\0\xFE\xFF", 4}, 4, false}, {{"\xFF\xFE", 2}, 2, true},
               {{"\xFE\xFF", 2}, 2, false},    {{"\xEF\xBB\xBF", 3}, 1, false}};
  for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
    if (str_starts(bytes, marks[i].mark)) return (struct hl7v2_width){marks[i].width, marks[i].mark.len, marks[i].little};
  if (bytes.len < 4 || (bytes.ptr[0] && bytes.ptr[1])) return (struct hl7v2_width){.width = 1};
  return (struct hl7v2_width){!bytes.ptr[1] && !bytes.ptr[2] ? 4 : 2, 0, bytes.ptr[0] != 0};
}

/* A text by its characters, as far as they are ASCII. */
struct units {
  struct str bytes; /* behind the mark */
  struct hl7v2_width as;
  size_t count;
};

static struct units units_of(struct str bytes) {
  struct hl7v2_width as = hl7v2_width_of(bytes);
  return (struct units){str_slice(bytes, as.mark, bytes.len), as, (bytes.len - as.mark) / (size_t)as.width};
}

/* DEL: none of ASCII, or the end. */
static char unit_at(const struct units *units, size_t number) {
  size_t width = (size_t)units->as.width, at = number * width, low = units->as.little ? 0 : width - 1;
  if (number >= units->count) return 0x7F;
  for (size_t i = 0; i < width; i++)
    if (i != low && units->bytes.ptr[at + i]) return 0x7F;
  return units->bytes.ptr[at + low];
}

static bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static void count_line(const struct units *units, size_t at, struct hl7v2_look *out) {
  char name[3] = {unit_at(units, at), unit_at(units, at + 1), unit_at(units, at + 2)};
  struct str word = str_make(name, sizeof name);
  if (is_word(unit_at(units, at + 3))) return;
  out->messages += str_is(word, "MSH");
  out->acknowledgements += str_is(word, "MSA");
  out->envelopes += str_is(word, "FHS") || str_is(word, "BHS") || str_is(word, "BTS") || str_is(word, "FTS");
}

struct hl7v2_look hl7v2_look(struct str bytes) {
  struct units units = units_of(bytes);
  struct hl7v2_look look = {0};
  bool begins = true;
  for (size_t at = 0; at < units.count; at++) {
    char c = units.as.width == 1 ? units.bytes.ptr[at] : unit_at(&units, at);
    if (begins && c >= 'B' && c <= 'M') count_line(&units, at, &look);
    begins = hl7v2_is_line_end(c);
  }
  return look;
}

bool hl7v2_is(struct str bytes) {
  struct units units = units_of(bytes);
  size_t at = 0;
  while (at < units.count && (hl7v2_is_line_end(unit_at(&units, at)) || unit_at(&units, at) == ' ' || unit_at(&units, at) == '\t'))
    at++;
  char head[4] = {unit_at(&units, at), unit_at(&units, at + 1), unit_at(&units, at + 2), unit_at(&units, at + 3)};
  return hl7v2_is_header(str_make(head, 3)) && hl7v2_may_separate(head[3]);
}
