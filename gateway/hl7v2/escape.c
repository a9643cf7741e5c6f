/* escape.c - escape sequences to text and back. */
#include <iconv.h>
#include "hl7v2/internal.h"

enum { HL7V2_SWITCH_BYTES = 4096 }; /* of a text in another charset */

/* Text that is being made. */
struct writing {
  char *text, *to, *end;
  char sequence[4]; /* of ISO 2022, of the charset that was switched to */
  size_t switched;  /* its length; 0: the text is as it stands */
  struct str charset; /* MSH-18; empty: not known */
  bool kept;        /* something stands as it was written */
};

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

/* Nothing too, and a sign before it. */
static bool is_number(struct str text) {
  size_t at = text.len && (text.ptr[0] == '+' || text.ptr[0] == '-');
  while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
    at++;
  return at == text.len;
}

/* Bytes of \X..\ that are text; 0: they are not. What is no UTF-8 is read by the charset that the message declares. */
static size_t take_hex(struct str digits, struct writing *w) {
  size_t count = digits.len / 2;
  char *bytes = w->end - count; /* behind all that is made: there is room for three times the run */
  if (!count || digits.len % 2) return 0;
  for (size_t i = 0; i < count; i++) {
    int high = digit_of(digits.ptr[2 * i]), low = digit_of(digits.ptr[2 * i + 1]);
    if (high < 0 || low < 0 || (high == 0 && low == 0)) return 0;
    bytes[i] = (char)(high * 16 + low);
  }
  if (utf8_invalid_at(str_make(bytes, count)) != SIZE_MAX) return hl7v2_from_single(w->charset, str_make(bytes, count), w->to, (size_t)(bytes - w->to));
  memmove(w->to, bytes, count);
  return count;
}

/* Layout, which text has not: what begins a line is a line end, unless there is one already; what moves within it a blank. */
static bool take_layout(struct str inner, struct writing *w) {
  static const struct {
    const char *name;
    char stands_for; /* 0: nothing */
  } commands[] = {{".br", '\n'}, {".sp", '\n'}, {".ce", '\n'}, {".in", '\n'}, {".ti", '\n'}, {".sk", ' '}, {".fi", 0}, {".nf", 0}};
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
    struct str rest = str_slice(inner, 3, inner.len);
    if (!str_starts(inner, str_of(commands[i].name)) || !is_number(rest)) continue;
    bool again = i && commands[i].stands_for == '\n' && w->to > w->text && w->to[-1] == '\n';
    if (commands[i].stands_for && !again) *w->to++ = commands[i].stands_for;
    return true;
  }
  return false;
}

/* What stands between two escape characters -> text; false: kept as written. */
static bool take_sequence(struct str inner, const struct letter letters[LETTERS], struct writing *w) {
  if (inner.len == 1) {
    for (size_t i = 0; i < LETTERS; i++)
      if (inner.ptr[0] == letters[i].letter && letters[i].stands_for) {
        *w->to++ = letters[i].stands_for;
        return true;
      }
    return inner.ptr[0] == 'H' || inner.ptr[0] == 'N'; /* highlighting */
  }
  if (!inner.len || inner.ptr[0] != 'X') return take_layout(inner, w);
  size_t made = take_hex(str_slice(inner, 1, inner.len), w);
  w->to += made;
  return made;
}

/* --- charsets within a text --- */

/* \C..\ and \M..\ -> the escape sequence of ISO 2022 that they write; 0: they are none. */
static size_t designation(struct str inner, char out[4]) {
  size_t count = inner.len / 2;
  if (inner.len < 5 || inner.len > 7 || inner.len % 2 == 0 || (inner.ptr[0] != 'C' && inner.ptr[0] != 'M')) return 0;
  out[0] = 0x1B;
  for (size_t i = 0; i < count; i++) {
    int high = digit_of(inner.ptr[1 + 2 * i]), low = digit_of(inner.ptr[2 + 2 * i]);
    if (high < 0 || low < 0) return 0;
    out[1 + i] = (char)(high * 16 + low);
  }
  return 1 + count;
}

static bool is_known(struct str sequence) {
  static const char *const known[] = {"\x1B(B", "\x1B(J", "\x1B$@", "\x1B$B", "\x1B$(D", "\x1B$A", "\x1B$(C"}; /* of ISO-2022-JP-2 */
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (str_is(sequence, known[i])) return true;
  return str_is(sequence, "\x1B$(B");
}

/* A run without escapes, of the charset that a sequence switches to; false: it is not. */
static bool convert_run(struct str sequence, struct str run, struct writing *w) {
  char from[HL7V2_SWITCH_BYTES + 8];
  if (run.len > HL7V2_SWITCH_BYTES || !is_known(sequence)) return false;
  if (str_is(sequence, "\x1B$(B")) sequence = STR("\x1B$B");
  memcpy(from, sequence.ptr, sequence.len);
  if (run.len) memcpy(from + sequence.len, run.ptr, run.len);
  iconv_t how = iconv_open("UTF-8", "ISO-2022-JP-2");
  if (how == (iconv_t)-1) return false;
  char *in = from, *to = w->to;
  size_t left = sequence.len + run.len, room = (size_t)(w->end - w->to);
  bool fine = iconv(how, &in, &left, &to, &room) == 0 && !left;
  (void)iconv_close(how);
  if (fine) w->to = to;
  return fine;
}

/* What stands between two escapes. */
static void take_text(struct str run, struct writing *w) {
  if (!run.len) return;
  if (w->switched && convert_run(str_make(w->sequence, w->switched), run, w)) return;
  if (w->switched) w->kept = true;
  memcpy(w->to, run.ptr, run.len);
  w->to += run.len;
}

/* A switch: it holds for what follows it, up to the next one or the end of the text, whatever other escapes stand between: HL7 2.5.1, 2.7.2 has
   one to go back to ASCII (\C2842\), table 0356 that switches happen within delimiters. False: it is none, or what follows is not of that charset. */
static bool take_switch(struct str inner, struct str behind, char escape, struct writing *w) {
  char sequence[4];
  size_t len = designation(inner, sequence);
  const char *next = behind.len ? memchr(behind.ptr, escape, behind.len) : NULL;
  char *before = w->to;
  if (!len || !convert_run(str_make(sequence, len), str_slice(behind, 0, next ? (size_t)(next - behind.ptr) : behind.len), w)) return false;
  w->to = before;
  memcpy(w->sequence, sequence, len);
  w->switched = str_is(str_make(sequence, len), "\x1B(B") ? 0 : len;
  return true;
}

/* --- the whole --- */

/* `at`: an escape character. The bytes that were taken. */
static size_t take_one(const char *at, const char *end, const struct letter letters[LETTERS], char escape, struct writing *w) {
  const char *close = at + 1 < end ? memchr(at + 1, escape, (size_t)(end - at - 1)) : NULL;
  size_t taken = close ? (size_t)(close + 1 - at) : (size_t)(end - at);
  struct str inner = str_make(at + 1, close ? taken - 2 : 0);
  if (close && take_sequence(inner, letters, w)) return taken;
  if (close && take_switch(inner, str_make(close + 1, (size_t)(end - close - 1)), escape, w)) return taken;
  w->kept = true;
  memcpy(w->to, at, taken);
  w->to += taken;
  return taken;
}

/* `at`: the first escape character. */
static struct str unescape(struct str run, const char *at, const struct hl7v2_delims *delims, struct str charset, struct arena *arena, bool *kept) {
  struct letter letters[LETTERS];
  letters_of(delims, letters);
  const char *from = run.ptr, *end = run.ptr + run.len;
  size_t room = run.len * 3; /* of a charset that was switched to a byte may be three */
  struct writing w = {.text = arena_alloc(arena, room), .charset = charset};
  if (!w.text) return (struct str){0};
  w.to = w.text;
  w.end = w.text + room;
  while (at) {
    take_text(str_make(from, (size_t)(at - from)), &w);
    from = at + take_one(at, end, letters, delims->escape, &w);
    at = from < end ? memchr(from, delims->escape, (size_t)(end - from)) : NULL;
  }
  take_text(str_make(from, (size_t)(end - from)), &w);
  size_t used = (size_t)(w.to - w.text);
  arena_shrink(arena, w.text, room, used);
  *kept = w.kept || !used; /* nothing is no text, and what was written would be lost */
  return used ? str_make(w.text, used) : run;
}

static const char *first_escape(struct str run, const struct hl7v2_delims *delims) {
  return delims->escape ? hl7v2_find_byte(run.ptr, run.ptr + run.len, delims->escape) : NULL;
}

struct str hl7v2_unescape_of(const struct hl7v2_message *message, struct str run, struct arena *arena, bool *kept) {
  const char *at = first_escape(run, &message->delims);
  *kept = false;
  if (!at) return run;
  struct str charset = hl7v2_part(hl7v2_field(message, message->segments, 18), message->delims.repetition, 1);
  return unescape(run, at, &message->delims, str_trim(charset), arena, kept);
}

struct str hl7v2_unescape(struct str run, const struct hl7v2_delims *delims, struct arena *arena) {
  bool kept;
  const char *at = first_escape(run, delims);
  return at ? unescape(run, at, delims, (struct str){0}, arena, &kept) : run;
}

static const char *sequence_for(char c, const struct letter letters[LETTERS], char *letter) {
  *letter = 0;
  for (size_t i = 0; i < LETTERS; i++)
    if (letters[i].stands_for && c == letters[i].stands_for) *letter = letters[i].letter;
  if (*letter) return letter;
  return c == '\r' ? "X0D" : c == '\n' ? ".br" : NULL;
}

/* Two quotation marks and no more: as they stand they would delete what the receiver has. */
static bool escape_quotes(const struct hl7v2_delims *delims, struct buf *out) {
  if (!delims->escape) return false;
  buf_add_char(out, delims->escape);
  buf_add_text(out, "X2222");
  buf_add_char(out, delims->escape);
  return true;
}

bool hl7v2_escape(struct str text, const struct hl7v2_delims *delims, struct buf *out) {
  struct letter letters[LETTERS];
  size_t from = 0;
  if (str_is(text, "\"\"")) return escape_quotes(delims, out);
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
