/* escape.c - escape sequences to text and back. */
#include "hl7v2/internal.h"

struct letter {
  char letter, stands_for;
};
enum { LETTERS = 6 };

static void letters_of(const struct hl7v2_delims *delims, struct letter out[LETTERS]) {
  const struct letter letters[LETTERS] = {{'F', delims->field},        {'S', delims->component},  {'T', delims->subcomponent},
                                          {'R', delims->repetition}, {'E', delims->escape}, {'P', delims->truncation}};
  memcpy(out, letters, sizeof letters);
}

static int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bytes of \X..\ that are text; 0: they are not. `to` may not be in `digits`. */
static size_t take_hex(struct str digits, char *to) {
  size_t count = digits.len / 2;
  if (!count || digits.len % 2) return 0;
  for (size_t i = 0; i < count; i++) {
    int high = digit_of(digits.ptr[2 * i]), low = digit_of(digits.ptr[2 * i + 1]);
    if (high < 0 || low < 0 || (high == 0 && low == 0)) return 0;
    to[i] = (char)(high * 16 + low);
  }
  return utf8_invalid_at(str_make(to, count)) == SIZE_MAX ? count : 0;
}

/* What stands between two escape characters -> text at `to`; 0: kept as written. */
static size_t take_sequence(struct str inner, const struct letter letters[LETTERS], char *to) {
  if (inner.len == 1) {
    for (size_t i = 0; i < LETTERS; i++)
      if (inner.ptr[0] == letters[i].letter && letters[i].stands_for) {
        *to = letters[i].stands_for;
        return 1;
      }
    return 0;
  }
  if (str_is(inner, ".br")) {
    *to = '\n';
    return 1;
  }
  return inner.len && inner.ptr[0] == 'X' ? take_hex(str_slice(inner, 1, inner.len), to) : 0;
}

/* `at`: the first escape character. */
static struct str unescape(struct str run, const char *at, const struct hl7v2_delims *delims, struct arena *arena) {
  struct letter letters[LETTERS];
  letters_of(delims, letters);
  const char *from = run.ptr, *end = run.ptr + run.len;
  char *text = arena_alloc(arena, run.len), *to = text;
  if (!text) return (struct str){0};
  while (at) {
    const char *close = memchr(at + 1, delims->escape, (size_t)(end - at - 1));
    size_t before = (size_t)(at - from);
    memcpy(to, from, before);
    to += before;
    from = at;
    if (!close) break;
    size_t made = take_sequence(str_make(at + 1, (size_t)(close - at - 1)), letters, to), kept = (size_t)(close + 1 - at);
    if (!made) memcpy(to, at, kept);
    to += made ? made : kept;
    from = close + 1;
    at = from < end ? memchr(from, delims->escape, (size_t)(end - from)) : NULL;
  }
  memcpy(to, from, (size_t)(end - from));
  to += end - from;
  return str_make(text, (size_t)(to - text));
}

struct str hl7v2_unescape(struct str run, const struct hl7v2_delims *delims, struct arena *arena) {
  const char *at = delims->escape ? hl7v2_find_byte(run.ptr, run.ptr + run.len, delims->escape) : NULL;
  return at ? unescape(run, at, delims, arena) : run;
}

static const char *sequence_for(char c, const struct letter letters[LETTERS], char *letter) {
  *letter = 0;
  for (size_t i = 0; i < LETTERS; i++)
    if (letters[i].stands_for && c == letters[i].stands_for) *letter = letters[i].letter;
  if (*letter) return letter;
  return c == '\r' ? "X0D" : c == '\n' ? ".br" : NULL;
}

bool hl7v2_escape(struct str text, const struct hl7v2_delims *delims, struct buf *out) {
  struct letter letters[LETTERS];
  size_t from = 0;
  letters_of(delims, letters);
  for (size_t i = 0; i < text.len; i++) {
    char letter[2] = {0};
    const char *sequence = sequence_for(text.ptr[i], letters, letter);
    if (!sequence) continue;
    if (!delims->escape) return false;
    buf_add(out, text.ptr + from, i - from);
    buf_add_char(out, delims->escape);
    buf_add_text(out, sequence);
    buf_add_char(out, delims->escape);
    from = i + 1;
  }
  buf_add(out, text.ptr + from, text.len - from);
  return true;
}
