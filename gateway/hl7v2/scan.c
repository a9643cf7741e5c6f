/* scan.c - a message in one pass: where its segments and fields are. Eight bytes at a time, no branch for a byte that is text. */
#include "hl7v2/internal.h"

/* --- delimiters --- */

struct hl7v2_delims hl7v2_delims_usual(void) {
  return (struct hl7v2_delims){'|', '^', '~', '\\', '&', 0};
}

static bool may_separate(char c) {
  bool word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  return c > ' ' && c < 0x7F && !word;
}

const char *hl7v2_delims_read(struct str text, size_t at, struct hl7v2_delims *out) {
  char *const into[] = {&out->component, &out->repetition, &out->escape, &out->subcomponent, &out->truncation};
  *out = (struct hl7v2_delims){0};
  if (text.len < at + 5) return "the delimiters are missing";
  char field = text.ptr[at + 3];
  if (!may_separate(field)) return "the field separator cannot be a letter, digit, blank or control character";
  out->field = field;
  size_t from = at + 4, count = 0;
  for (; from + count < text.len; count++) {
    char c = text.ptr[from + count];
    if (c == field || hl7v2_is_line_end(c)) break;
    if (count == sizeof into / sizeof into[0]) return "more than five delimiters";
    if (!may_separate(c)) return "a delimiter cannot be a letter, digit, blank or control character";
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

#define EACH(byte) (UINT64_C(0x0101010101010101) * (uint8_t)(byte))

/* The high bit of each byte that is zero; exact. */
static inline uint64_t zero_bytes(uint64_t word) {
  uint64_t low = UINT64_C(0x7F7F7F7F7F7F7F7F);
  return ~(((word & low) + low) | word | low);
}

/* Bits of the bytes at `at` that separate fields or end lines. */
static inline uint64_t marks_of(struct str text, size_t at, uint64_t field) {
  uint64_t word;
  if (text.len - at >= 8) {
    memcpy(&word, text.ptr + at, 8);
  } else {
    word = 0;
    memcpy(&word, text.ptr + at, text.len - at);
  }
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  return zero_bytes(word ^ field) | zero_bytes(word ^ EACH('\r')) | zero_bytes(word ^ EACH('\n'));
}

static bool is_name(const char *name) {
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
  if (to - from < 3 || !is_name(name) || (to - from > 3 && name[3] != pass->out->delims.field))
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

/* MSH-1 starts where its separator stands, and MSH-2 behind it. */
static inline void take_mark(struct pass *pass, size_t at, size_t line) {
  if (at == line + 3 && pass->out->segment_count == 0) pass->out->fields[pass->field++] = (uint32_t)at;
  pass->out->fields[pass->field++] = (uint32_t)at + 1;
}

/* `line`: where the first one begins. */
static enum status run_pass(struct pass *pass, size_t line) {
  struct str text = pass->text;
  uint64_t field = EACH(pass->out->delims.field);
  uint32_t first = 0;
  for (size_t base = line; base < text.len && pass->status == STATUS_OK; base += 8) {
    for (uint64_t marks = marks_of(text, base, field); marks; marks &= marks - 1) {
      size_t at = base + ((size_t)__builtin_ctzll(marks) >> 3);
      if (!hl7v2_is_line_end(text.ptr[at])) {
        take_mark(pass, at, line);
        continue;
      }
      end_line(pass, line, at, first);
      if (pass->status != STATUS_OK) return pass->status;
      line = at + 1;
      first = pass->field;
    }
  }
  end_line(pass, line, text.len, first);
  return pass->status;
}

/* --- room and caps --- */

struct amount {
  size_t fields, lines;
};

static struct amount count_marks(struct str text, char separator) {
  struct amount amount = {0, 1};
  uint64_t field = EACH(separator);
  for (size_t base = 0; base < text.len; base += 8) {
    uint64_t marks = marks_of(text, base, field);
    amount.fields += (size_t)__builtin_popcountll(marks);
  }
  for (const char *at = text.ptr, *end = text.ptr + text.len; (at = memchr(at, '\r', (size_t)(end - at))); at++)
    amount.lines++;
  for (const char *at = text.ptr, *end = text.ptr + text.len; (at = memchr(at, '\n', (size_t)(end - at))); at++)
    amount.lines++;
  return amount;
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
  out->fields = ARENA_ARRAY(arena, uint32_t, amount.fields + amount.lines + 2);
  if (!out->segments || !out->fields) return STATUS_NOMEM;
  status = run_pass(&pass, at);
  return status == STATUS_OK ? check_counts(source, limits, out, diags) : status;
}

/* --- reading the index --- */

uint32_t hl7v2_find(const struct hl7v2_message *message, const char name[3], uint32_t from) {
  while (from < message->segment_count && memcmp(message->segments[from].name, name, 3) != 0)
    from++;
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

bool hl7v2_is(struct str bytes) {
  static const char mark[] = "\xEF\xBB\xBF";
  char head[8] = {0};
  size_t at = str_starts(bytes, str_of(mark)) ? 3 : 0, step = 1;
  if (str_starts(bytes, STR("\xFF\xFE")) || str_starts(bytes, STR("\xFE\xFF"))) at = 2;
  if (bytes.len > at + 1 && (!bytes.ptr[at] || !bytes.ptr[at + 1])) {
    at += bytes.ptr[at] ? 0 : 1;
    step = 2;
  }
  while (at < bytes.len && (hl7v2_is_line_end(bytes.ptr[at]) || bytes.ptr[at] == ' ' || bytes.ptr[at] == '\t'))
    at += step;
  for (size_t i = 0; i < 4 && at + i * step < bytes.len; i++)
    head[i] = bytes.ptr[at + i * step];
  return hl7v2_is_header(str_make(head, 3)) && may_separate(head[3]);
}
