/* ack.c - acknowledgements: which, and what they say. HL7 v2.8.2, chapters 2.9.2, 2.9.3; tables 0008, 0155, 0357. */
#include <stdio.h>
#include "hl7v2/internal.h"

static const char *const names[] = {"", "AA", "AE", "AR", "CA", "CE", "CR"};

const char *hl7v2_ack_name(enum hl7v2_ack ack) {
  return names[ack];
}

/* --- which --- */

struct answer {
  enum hl7v2_ack application, accept;
  unsigned condition;
};

static const struct answer answers[HL7V2_FATES] = {
    [HL7V2_ACCEPTED] = {HL7V2_AA, HL7V2_CA, 0},       [HL7V2_BAD] = {HL7V2_AR, HL7V2_CR, 207},
    [HL7V2_UNSUPPORTED] = {HL7V2_AR, HL7V2_CR, 200},  [HL7V2_PASSING] = {HL7V2_AE, HL7V2_CE, 207},
    [HL7V2_CONFLICT] = {HL7V2_AE, HL7V2_CE, 205},
};

/* Table 0155. What is no word of it says nothing. */
enum wish { UNSAID, NEVER, ON_ERROR, ON_SUCCESS, ALWAYS };

static enum wish wish_of(const struct hl7v2_message *message, uint32_t number) {
  static const char *const words[] = {[NEVER] = "NE", [ON_ERROR] = "ER", [ON_SUCCESS] = "SU", [ALWAYS] = "AL"};
  struct str field = str_trim(hl7v2_field(message, message->segments, number));
  for (size_t i = NEVER; i <= ALWAYS; i++)
    if (str_is(field, words[i])) return (enum wish)i;
  return UNSAID;
}

static bool is_wanted(enum wish wish, bool success) {
  return wish == ALWAYS || wish == (success ? ON_SUCCESS : ON_ERROR);
}

bool hl7v2_is_answer(const struct hl7v2_message *message) {
  struct str kind = hl7v2_part(hl7v2_field(message, message->segments, 9), message->delims.component, 1);
  return str_is(kind, "ACK") || hl7v2_find(message, "MSA", 0) < message->segment_count;
}

struct hl7v2_ack_pair hl7v2_ack_for(const struct hl7v2_message *message, enum hl7v2_fate fate) {
  struct hl7v2_ack_pair pair = {HL7V2_NO_ACK, HL7V2_NO_ACK};
  if (hl7v2_is_answer(message)) return pair;
  enum wish accept = wish_of(message, 15), application = wish_of(message, 16);
  bool original = accept == UNSAID && application == UNSAID, success = fate == HL7V2_ACCEPTED;
  if (original || is_wanted(application, success)) pair.application = answers[fate].application;
  if (is_wanted(accept, success)) pair.accept = answers[fate].accept;
  return pair;
}

/* --- why --- */

unsigned hl7v2_condition(enum diag_code code) {
  static const struct {
    enum diag_code code;
    unsigned condition;
  } rows[] = {
      {DIAG_HL7V2_SYNTAX, 100},     {DIAG_HL7V2_MISPLACED, 100},    {DIAG_HL7V2_ENVELOPE, 100},      {DIAG_HL7V2_REQUIRED, 101},
      {DIAG_REQUIRED_MISSING, 101}, {DIAG_HL7V2_DELIMITERS, 102},   {DIAG_HL7V2_CHARSET, 102},       {DIAG_WRONG_TYPE, 102},
      {DIAG_VALUE_FORMAT, 102},     {DIAG_VALUE_OUT_OF_RANGE, 102}, {DIAG_VALUE_TOO_LONG, 102},      {DIAG_UNIT_UNKNOWN, 103},
      {DIAG_UNMAPPED_CODE, 103},    {DIAG_CODE_UNKNOWN, 103},       {DIAG_CODE_NOT_IN_VALUE_SET, 103}, {DIAG_HL7V2_TYPE, 200},
      {DIAG_INPUT_FORMAT, 200},     {DIAG_HL7V2_EVENT, 201},        {DIAG_HL7V2_PROCESSING, 202},    {DIAG_HL7V2_VERSION, 203},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    if (rows[i].code == code) return rows[i].condition;
  return 207;
}

static const char *condition_name(unsigned condition) {
  static const struct {
    unsigned condition;
    const char *name;
  } rows[] = {{100, "Segment sequence error"},   {101, "Required field missing"},    {102, "Data type error"},
              {103, "Table value not found"},    {200, "Unsupported message type"},  {201, "Unsupported event code"},
              {202, "Unsupported processing id"}, {203, "Unsupported version id"},   {205, "Duplicate key identifier"}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    if (rows[i].condition == condition) return rows[i].name;
  return "Application error";
}

/* --- writing --- */

enum status hl7v2_scan_head(const struct source *source, struct arena *arena, struct hl7v2_message *out) {
  struct source *line = ARENA_NEW(arena, struct source);
  struct diag_list quiet;
  struct str text = source->text;
  size_t from = str_starts(text, STR("\xEF\xBB\xBF")) ? 3 : 0, to;
  if (!line) return STATUS_NOMEM;
  while (from < text.len && hl7v2_is_line_end(text.ptr[from]))
    from++;
  for (to = from; to < text.len && to - from <= HL7V2_HEAD_BYTES && !hl7v2_is_line_end(text.ptr[to]);)
    to++;
  if (to - from > HL7V2_HEAD_BYTES) return STATUS_INVALID;
  *line = source_make(source->name, str_slice(text, from, to));
  diag_list_init(&quiet, arena);
  return hl7v2_scan(line, NULL, arena, &quiet, out);
}

struct ack_writing {
  const struct hl7v2_message *of;
  struct hl7v2_delims delims;
  struct buf *out;
};

static struct str head_field(const struct ack_writing *w, uint32_t number) {
  return w->of ? hl7v2_field(w->of, w->of->segments, number) : (struct str){0};
}

static void put(const struct ack_writing *w, struct str run) {
  buf_add_char(w->out, w->delims.field);
  buf_add_str(w->out, run);
}

/* Without an escape character the text stays away: what it would say wrongly is worse. */
static void put_text(const struct ack_writing *w, struct str text) {
  size_t before = w->out->len;
  buf_add_char(w->out, w->delims.field);
  if (!hl7v2_escape(text, &w->delims, w->out)) w->out->len = before + 1;
}

static void put_parts(const struct ack_writing *w, const struct str *parts, size_t count) {
  buf_add_char(w->out, w->delims.field);
  for (size_t i = 0; i < count; i++) {
    if (i && w->delims.component) buf_add_char(w->out, w->delims.component);
    if (i && !w->delims.component) return;
    buf_add_str(w->out, parts[i]);
  }
}

static void write_delims(const struct ack_writing *w) {
  struct str usual = STR("^~\\&"), set = head_field(w, 2);
  buf_add_text(w->out, "MSH");
  put(w, w->of ? set : usual);
}

static void write_head(const struct ack_writing *w, const struct hl7v2_ack_text *text) {
  static const uint32_t changed_over[] = {5, 6, 3, 4};
  struct str trigger = hl7v2_part(head_field(w, 9), w->delims.component, 2);
  struct str version = head_field(w, 12), kind[] = {STR("ACK"), trigger, STR("ACK")};
  write_delims(w);
  for (size_t i = 0; i < 4; i++)
    put(w, head_field(w, changed_over[i]));
  put(w, text->time);
  put(w, (struct str){0});
  put_parts(w, kind, trigger.len ? 3 : 1);
  put_text(w, text->control);
  put(w, head_field(w, 11).len ? head_field(w, 11) : STR("P"));
  put(w, version.len ? version : STR("2.5.1"));
  if (head_field(w, 18).len) {
    for (int i = 13; i < 18; i++)
      put(w, (struct str){0});
    put(w, head_field(w, 18));
  }
  buf_add_char(w->out, '\r');
}

/* ERR has its present form from 2.5 on. */
static bool has_new_err(struct str version) {
  return !version.len || str_cmp(version, STR("2.5")) >= 0;
}

/* ERL: segment, its number, field, repetition, component, subcomponent. */
static void write_place(const struct ack_writing *w, const struct hl7v2_place *place) {
  unsigned parts[] = {place->occurrence, place->field, place->repetition, place->component, place->subcomponent};
  buf_add_char(w->out, w->delims.field);
  if (!place->segment[0] || !w->delims.component) return;
  buf_add_text(w->out, place->segment);
  size_t count = !place->field ? 1 : place->component ? 5 : place->repetition > 1 ? 3 : 2;
  for (size_t i = 0; i < count && parts[i]; i++)
    buf_printf(w->out, "%c%u", w->delims.component, parts[i]);
}

static void write_err(const struct ack_writing *w, const struct hl7v2_ack_text *text, unsigned condition) {
  char number[8];
  snprintf(number, sizeof number, "%u", condition);
  struct str parts[] = {str_of(number), str_of(condition_name(condition)), STR("HL70357")};
  buf_add_text(w->out, "ERR");
  put(w, (struct str){0});
  write_place(w, &text->place);
  put_parts(w, parts, 3);
  put(w, STR("E"));
  if (text->text.len) {
    for (int i = 5; i < 8; i++)
      put(w, (struct str){0});
    put_text(w, text->text);
  }
  buf_add_char(w->out, '\r');
}

void hl7v2_ack_write(const struct hl7v2_message *of, enum hl7v2_ack ack, const struct hl7v2_ack_text *text,
                     struct buf *out) {
  struct ack_writing w = {of, of ? of->delims : hl7v2_delims_usual(), out};
  unsigned condition = text->condition ? text->condition : answers[text->fate].condition;
  write_head(&w, text);
  buf_add_text(out, "MSA");
  put(&w, str_of(names[ack]));
  put(&w, head_field(&w, 10));
  if (text->text.len) put_text(&w, text->text);
  buf_add_char(out, '\r');
  if (text->fate != HL7V2_ACCEPTED && has_new_err(head_field(&w, 12))) write_err(&w, text, condition);
}
