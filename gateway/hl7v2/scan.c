/* scan.c - a message in one pass: where its segments and fields are. Sixteen bytes at a time, no branch for a byte that is text. */
#include "hl7v2/internal.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* --- delimiters --- */

struct hl7v2_delims hl7v2_delims_usual(void) {
  return (struct hl7v2_delims){'|', '^', '~', '\\', '&', 0};
}

bool hl7v2_may_separate(char c) {
  bool word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  return c > ' ' && c < 0x7F && !word;
}

const char *hl7v2_delims_read(struct str text, size_t at, struct hl7v2_delims *out) {
  char *const into[] = {&out->component, &out->repetition, &out->escape, &out->subcomponent, &out->truncation};
  *out = (struct hl7v2_delims){0};
  if (text.len < at + 5) return "the delimiters are missing";
  char field = text.ptr[at + 3];
  if (!hl7v2_may_separate(field)) return "the field separator cannot be a letter, digit, blank or control character";
  out->field = field;
  size_t from = at + 4, count = 0;
  for (; from + count < text.len; count++) {
    char c = text.ptr[from + count];
    if (c == field || hl7v2_is_line_end(c)) break;
    if (count == sizeof into / sizeof into[0]) return "more than five delimiters";
    if (!hl7v2_may_separate(c)) return "a delimiter cannot be a letter, digit, blank or control character";
    if (memchr(text.ptr + from, c, count)) return "two delimiters are the same character";
    *into[count] = c;
  }
  return count ? NULL : "the delimiters are missing";
}

/* --- the pass --- */

struct pass {
  const struct source *source;
  struct str text;
  struct diag_list *diags;
  struct hl7v2_message *out;
  uint32_t field; /* next of out->fields */
  enum status status;
};

static enum status refuse(const struct source *source, struct diag_list *diags, enum diag_code code, size_t offset,
                          const char *what) {
  struct diag_at at = {.source = source, .offset = offset};
  diag_error(diags, code, &at, "%s", what);
  return STATUS_INVALID;
}

enum { BLOCK = 16 };

/* A bit for each byte of a block that separates fields or ends a line; that ends a line. */
struct marks {
  unsigned all, ends;
};

#if defined(__SSE2__)

struct marker {
  __m128i field;
};

static inline struct marker marker_of(char field) {
  return (struct marker){_mm_set1_epi8(field)};
}

static inline struct marks marks_in(const char block[BLOCK], const struct marker *marker) {
  __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)block);
  __m128i ends = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\r')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')));
  __m128i all = _mm_or_si128(ends, _mm_cmpeq_epi8(bytes, marker->field));
  return (struct marks){(unsigned)_mm_movemask_epi8(all), (unsigned)_mm_movemask_epi8(ends)};
}

#else

struct marker {
  char field;
};

static inline struct marker marker_of(char field) {
  return (struct marker){field};
}

static inline struct marks marks_in(const char block[BLOCK], const struct marker *marker) {
  struct marks marks = {0, 0};
  for (unsigned i = 0; i < BLOCK; i++) {
    marks.all |= (unsigned)(block[i] == marker->field) << i;
    marks.ends |= (unsigned)hl7v2_is_line_end(block[i]) << i;
  }
  marks.all |= marks.ends;
  return marks;
}

#endif

/* The same at `at`, where the text may end within the block. */
static inline struct marks marks_of(struct str text, size_t at, const struct marker *marker) {
  if (text.len - at >= BLOCK) return marks_in(text.ptr + at, marker);
  char block[BLOCK] = {0};
  memcpy(block, text.ptr + at, text.len - at);
  return marks_in(block, marker);
}

bool hl7v2_is_name(const char *name) {
  bool good = name[0] >= 'A' && name[0] <= 'Z';
  for (int i = 1; i < 3; i++)
    good = good && ((name[i] >= 'A' && name[i] <= 'Z') || (name[i] >= '0' && name[i] <= '9'));
  return good;
}

static bool is_blank(struct str text, size_t from, size_t to) {
  for (size_t i = from; i < to; i++)
    if (text.ptr[i] != ' ' && text.ptr[i] != '\t') return false;
  return true;
}

/* What a line is that is no segment here; NULL: it is one. */
static const char *fault_of_line(const struct pass *pass, size_t from, size_t to) {
  static const char *const envelopes[] = {"FHS", "BHS", "BTS", "FTS"};
  const char *name = pass->text.ptr + from;
  bool first = pass->out->segment_count == 0;
  if (to - from < 3 || !hl7v2_is_name(name) || (to - from > 3 && name[3] != pass->out->delims.field))
    return "the line does not begin with the name of a segment";
  if (first != (memcmp(name, "MSH", 3) == 0)) return first ? "a message begins with MSH" : "a second MSH in one message";
  for (size_t i = 0; i < sizeof envelopes / sizeof envelopes[0]; i++)
    if (memcmp(name, envelopes[i], 3) == 0) return "an envelope stands inside a message";
  if (memcmp(name, "DSC", 3) == 0 && to - from > 4) return "the message is continued in another (DSC): fragments are not put together";
  if (memcmp(name, "ADD", 3) == 0) return "the message continues another (ADD): fragments are not put together";
  return NULL;
}

/* The line from `from` to `to` is over; its fields have been taken down since `first`. */
static inline void end_line(struct pass *pass, size_t from, size_t to, uint32_t first) {
  struct hl7v2_message *out = pass->out;
  if (is_blank(pass->text, from, to)) {
    pass->field = first;
    return;
  }
  const char *fault = fault_of_line(pass, from, to);
  if (fault) {
    pass->status = refuse(pass->source, pass->diags, DIAG_HL7V2_SYNTAX, from, fault);
    return;
  }
  out->fields[pass->field++] = (uint32_t)to + 1;
  struct hl7v2_segment *segment = &out->segments[out->segment_count++];
  memcpy(segment->name, pass->text.ptr + from, 3);
  segment->at = (uint32_t)from;
  segment->end = (uint32_t)to;
  segment->first_field = first;
  segment->field_count = pass->field - first - 1;
}

/* The fields that the separators of a block begin. */
static inline void take_fields(struct pass *pass, size_t base, unsigned marks) {
  uint32_t *next = pass->out->fields + pass->field;
  for (; marks; marks &= marks - 1)
    *next++ = (uint32_t)(base + (size_t)__builtin_ctz(marks)) + 1;
  pass->field = (uint32_t)(next - pass->out->fields);
}

struct line {
  size_t at;
  uint32_t first; /* its first field */
};

static inline void take_block(struct pass *pass, size_t base, struct marks marks, struct line *line) {
  while (marks.ends && pass->status == STATUS_OK) {
    unsigned end = (unsigned)__builtin_ctz(marks.ends), before = (1u << end) - 1;
    take_fields(pass, base, marks.all & before);
    end_line(pass, line->at, base + end, line->first);
    *line = (struct line){base + end + 1, pass->field};
    marks.all &= ~(before | 1u << end);
    marks.ends &= marks.ends - 1;
  }
  take_fields(pass, base, marks.all);
}

static enum status run_pass(struct pass *pass, size_t from) {
  struct str text = pass->text;
  struct marker marker = marker_of(pass->out->delims.field);
  struct line line = {from, 0};
  pass->out->fields[pass->field++] = (uint32_t)from + 3; /* MSH-1 */
  for (size_t base = from; base < text.len && pass->status == STATUS_OK; base += BLOCK)
    take_block(pass, base, marks_of(text, base, &marker), &line);
  if (pass->status == STATUS_OK) end_line(pass, line.at, text.len, line.first);
  return pass->status;
}

/* --- room and caps --- */

struct amount {
  size_t fields, lines;
};

/* Counts bytes; compilers make sums of vectors of it. */
static size_t count_bytes(struct str text, char wanted) {
  size_t count = 0;
  for (size_t at = 0; at < text.len; at += 255) {
    size_t end = text.len - at < 255 ? text.len : at + 255;
    uint8_t some = 0;
    for (size_t i = at; i < end; i++)
      some = (uint8_t)(some + (text.ptr[i] == wanted));
    count += some;
  }
  return count;
}

static struct amount count_marks(struct str text, char separator) {
  return (struct amount){count_bytes(text, separator), 1 + count_bytes(text, '\r') + count_bytes(text, '\n')};
}

static size_t cap_of(size_t given, size_t usual) {
  return given ? given : usual;
}

static enum status too_much(const struct source *source, struct diag_list *diags, const char *what, size_t cap) {
  struct diag_at at = {.source = source};
  diag_error(diags, DIAG_INPUT_TOO_LARGE, &at, "a message may have %zu %s", cap, what);
  return STATUS_INVALID;
}

static enum status check_bytes(const struct source *source, const struct hl7v2_limits *limits,
                               struct diag_list *diags) {
  struct str text = source->text;
  size_t cap = cap_of(limits ? limits->bytes : 0, LIMIT_HL7V2_BYTES);
  if (cap > LIMIT_HL7V2_LARGEST) cap = LIMIT_HL7V2_LARGEST;
  if (text.len > cap) return too_much(source, diags, "bytes", cap);
  const char *nul = text.len ? memchr(text.ptr, 0, text.len) : NULL;
  if (nul) return refuse(source, diags, DIAG_HL7V2_SYNTAX, (size_t)(nul - text.ptr), "a NUL character");
  return STATUS_OK;
}

static enum status check_counts(const struct source *source, const struct hl7v2_limits *limits,
                                const struct hl7v2_message *message, struct diag_list *diags) {
  size_t segments = cap_of(limits ? limits->segments : 0, LIMIT_HL7V2_SEGMENTS), fields = 0;
  size_t most = cap_of(limits ? limits->fields : 0, LIMIT_HL7V2_FIELDS);
  if (message->segment_count > segments) return too_much(source, diags, "segments", segments);
  for (uint32_t i = 0; i < message->segment_count; i++)
    fields += message->segments[i].field_count;
  return fields > most ? too_much(source, diags, "fields", most) : STATUS_OK;
}

static size_t first_line(struct str text) {
  size_t at = 0;
  while (at < text.len && (hl7v2_is_line_end(text.ptr[at]) || text.ptr[at] == ' ' || text.ptr[at] == '\t'))
    at++;
  return at;
}

enum status hl7v2_scan(const struct source *source, const struct hl7v2_limits *limits, struct arena *arena,
                       struct diag_list *diags, struct hl7v2_message *out) {
  struct pass pass = {.source = source, .text = source->text, .diags = diags, .out = out};
  *out = (struct hl7v2_message){.source = source};
  enum status status = check_bytes(source, limits, diags);
  if (status != STATUS_OK) return status;
  size_t at = first_line(pass.text);
  if (pass.text.len - at < 3 || memcmp(pass.text.ptr + at, "MSH", 3) != 0)
    return refuse(source, diags, DIAG_HL7V2_SYNTAX, at, "a message begins with MSH");
  const char *fault = hl7v2_delims_read(pass.text, at, &out->delims);
  if (fault) return refuse(source, diags, DIAG_HL7V2_DELIMITERS, at + 3, fault);
  struct amount amount = count_marks(pass.text, out->delims.field);
  out->segments = ARENA_ARRAY(arena, struct hl7v2_segment, amount.lines);
  out->fields = ARENA_ARRAY(arena, uint32_t, amount.fields + 2 * amount.lines + 2);
  if (!out->segments || !out->fields) return STATUS_NOMEM;
  status = run_pass(&pass, at);
  return status == STATUS_OK ? check_counts(source, limits, out, diags) : status;
}

/* --- reading the index --- */

/* The four bytes of a segment's name as one number: they are compared often, and a NUL is the last. */
static inline uint32_t key_of(const char name[3]) {
  uint32_t a = (uint8_t)name[0], b = (uint8_t)name[1], c = (uint8_t)name[2];
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  return a << 24 | b << 16 | c << 8;
#else
  return a | b << 8 | c << 16;
#endif
}

uint32_t hl7v2_find(const struct hl7v2_message *message, const char name[3], uint32_t from) {
  uint32_t wanted = key_of(name), key;
  for (; from < message->segment_count; from++) {
    memcpy(&key, message->segments[from].name, sizeof key);
    if (key == wanted) break;
  }
  return from;
}

struct str hl7v2_field(const struct hl7v2_message *message, const struct hl7v2_segment *segment, uint32_t number) {
  if (number == 0 || number > segment->field_count) return (struct str){0};
  const uint32_t *starts = message->fields + segment->first_field + (number - 1);
  uint32_t end = number == 1 && segment == message->segments ? starts[1] : starts[1] - 1;
  return str_make(message->source->text.ptr + starts[0], end - starts[0]);
}

size_t hl7v2_line_end(struct str text, size_t at) {
  while (at < text.len && !hl7v2_is_line_end(text.ptr[at]))
    at++;
  if (at + 1 < text.len && text.ptr[at] == '\r' && text.ptr[at + 1] == '\n') return at + 2;
  return at < text.len ? at + 1 : at;
}
