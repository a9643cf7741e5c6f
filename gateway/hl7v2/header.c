/* header.c - what the header of a message must say before anybody maps it. HL7 v2.8.2, chapter 2.14.9; tables 0103, 0104. */
#include "hl7v2/internal.h"

enum { TYPE = 9, CONTROL = 10, PROCESSING = 11, VERSION = 12, CONTINUATION = 14 };

struct checking {
  const struct hl7v2_message *message;
  struct str processing;
  struct diag_list *diags;
};

/* The first component, without blanks around it; HL7's null is as good as nothing. */
static struct str word_of(const struct checking *c, uint32_t number) {
  const struct hl7v2_message *message = c->message;
  struct str field = hl7v2_field(message, message->segments, number);
  struct str word = str_trim(hl7v2_part(field, message->delims.component, 1));
  return hl7v2_is_empty(word) ? (struct str){0} : word;
}

static struct diag_at at_field(const struct checking *c, uint32_t number, const char *path) {
  const struct hl7v2_segment *header = c->message->segments;
  struct str field = hl7v2_field(c->message, header, number);
  size_t offset = field.ptr ? (size_t)(field.ptr - c->message->source->text.ptr) : header->end;
  return (struct diag_at){.source = c->message->source, .offset = offset, .path = str_of(path)};
}

/* MSH-10 is the half of its identity that a message brings along: keys are made of it, and repetitions known by it. */
static enum status check_required(const struct checking *c) {
  static const struct {
    uint32_t number;
    const char *path, *what;
  } required[] = {{TYPE, "MSH-9", "MSH-9, what the message is, is missing"},
                  {CONTROL, "MSH-10", "MSH-10, the control id, is missing"}};
  for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
    struct diag_at at = at_field(c, required[i].number, required[i].path);
    if (word_of(c, required[i].number).len) continue;
    diag_error(c->diags, DIAG_HL7V2_REQUIRED, &at, "%s", required[i].what);
    return STATUS_INVALID;
  }
  return STATUS_OK;
}

/* "2.1" to "2.9", and what a comma or point release adds: "2.3.1". */
static bool is_version(struct str word) {
  bool good = word.len >= 3 && word.ptr[0] == '2' && word.ptr[1] == '.' && word.ptr[2] >= '1' && word.ptr[2] <= '9';
  if (word.len == 3) return good;
  return good && word.len == 5 && word.ptr[3] == '.' && word.ptr[4] >= '0' && word.ptr[4] <= '9';
}

static enum status check_version(const struct checking *c) {
  struct str word = word_of(c, VERSION);
  struct diag_at at = at_field(c, VERSION, "MSH-12");
  if (!word.len) diag_warning(c->diags, DIAG_HL7V2_REQUIRED, &at, "MSH-12 is empty: the message is read as version 2.5.1");
  if (!word.len || is_version(word)) return STATUS_OK;
  diag_error(c->diags, DIAG_HL7V2_VERSION, &at, "MSH-12: this version is not read here; those from 2.1 to 2.9 are");
  return STATUS_INVALID;
}

static enum status check_processing(const struct checking *c) {
  struct str word = word_of(c, PROCESSING);
  struct diag_at at = at_field(c, PROCESSING, "MSH-11");
  bool known = str_is(word, "P") || str_is(word, "T") || str_is(word, "D");
  if (!word.len) {
    diag_warning(c->diags, DIAG_HL7V2_REQUIRED, &at, "MSH-11 is empty: the message is taken as one for production (P)");
    word = STR("P");
  } else if (!known) {
    diag_error(c->diags, DIAG_HL7V2_PROCESSING, &at, "MSH-11 is none of P, T and D");
    return STATUS_INVALID;
  }
  if (str_find_char(c->processing, word.ptr[0], 0) != SIZE_MAX || (!c->processing.len && str_is(word, "P"))) return STATUS_OK;
  const char *what = str_is(word, "T") ? "training (T)" : str_is(word, "D") ? "debugging (D)" : "production (P)";
  diag_add(c->diags, c->processing.len ? DIAG_ERROR : DIAG_WARNING, DIAG_HL7V2_PROCESSING, &at, "MSH-11: the message is for %s%s", what,
           c->processing.len ? ", which is not taken here" : "");
  return c->processing.len ? STATUS_INVALID : STATUS_OK;
}

/* A later fragment: what it lacks came before, so taken alone it would say less than was meant. */
static enum status check_whole(const struct checking *c) {
  struct diag_at at = at_field(c, CONTINUATION, "MSH-14");
  if (!word_of(c, CONTINUATION).len) return STATUS_OK;
  diag_error(c->diags, DIAG_HL7V2_SYNTAX, &at, "the message continues another (MSH-14): fragments are not put together");
  return STATUS_INVALID;
}

enum status hl7v2_check(const struct hl7v2_message *message, struct str processing, struct diag_list *diags) {
  static enum status (*const checks[])(const struct checking *) = {check_required, check_version, check_processing, check_whole};
  struct checking checking = {message, processing, diags};
  enum status status = STATUS_OK;
  for (size_t i = 0; i < sizeof checks / sizeof checks[0] && status == STATUS_OK; i++)
    status = checks[i](&checking);
  return status;
}
