/* batch.c - messages one after the other, in envelopes or not. HL7 v2.8.2, chapter 2.10.3. */
#include "hl7v2/internal.h"

enum kind { MESSAGE, FILE_HEAD, BATCH_HEAD, BATCH_TRAIL, FILE_TRAIL, OTHER, BLANK };

struct reading {
  struct hl7v2_batch *batch;
  struct str name;
  struct diag_list *diags;
};

struct hl7v2_batch hl7v2_batch_open(struct str text) {
  return (struct hl7v2_batch){.text = text, .line = 1};
}

static bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Behind a byte order mark that stands there. */
static size_t behind_mark(struct str text, size_t at) {
  return at == 0 && str_starts(text, STR("\xEF\xBB\xBF")) ? 3 : at;
}

static enum kind kind_at(struct str text, size_t at) {
  static const char names[][4] = {"MSH", "FHS", "BHS", "BTS", "FTS"};
  size_t from = at;
  while (from < text.len && (text.ptr[from] == ' ' || text.ptr[from] == '\t'))
    from++;
  if (from == text.len || hl7v2_is_line_end(text.ptr[from])) return BLANK;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (text.len - at < 3 || memcmp(text.ptr + at, names[i], 3) != 0) continue;
    if (text.len - at == 3 || !is_word(text.ptr[at + 3])) return (enum kind)i;
  }
  return OTHER;
}

static void tell(const struct reading *r, enum diag_severity severity, const char *what) {
  struct source source = source_make(r->name, r->batch->text);
  struct diag_at at = {.source = &source, .offset = r->batch->at};
  diag_add(r->diags, severity, DIAG_HL7V2_ENVELOPE, &at, "%s", what);
}

static void move(struct hl7v2_batch *batch, size_t to) {
  batch->line += batch->at < to;
  batch->at = to;
}

/* --- envelopes --- */

/* The number in the first field of a trailer; false: there is none. */
static bool count_of(struct str text, size_t at, int64_t *count) {
  size_t from = at + 4, to = from;
  while (to < text.len && is_word(text.ptr[to]))
    to++;
  return from < to && str_to_int64(str_slice(text, from, to), count);
}

static enum status check_count(const struct reading *r, uint32_t counted, const char *what) {
  int64_t said;
  if (!count_of(r->batch->text, r->batch->at, &said) || said == counted) return STATUS_OK;
  struct source source = source_make(r->name, r->batch->text);
  struct diag_at at = {.source = &source, .offset = r->batch->at};
  diag_error(r->diags, DIAG_HL7V2_ENVELOPE, &at, "the envelope counts %lld %s, and %u came", (long long)said, what, counted);
  return STATUS_INVALID;
}

static enum status open_envelope(const struct reading *r, enum kind kind) {
  struct hl7v2_batch *batch = r->batch;
  bool inside = kind == FILE_HEAD ? batch->in_file || batch->in_batch : batch->in_batch;
  if (kind == FILE_HEAD) {
    batch->in_file = true;
    batch->batches = 0;
  }
  batch->in_batch = kind == BATCH_HEAD;
  batch->messages = 0;
  batch->any = false;
  if (!inside) return STATUS_OK;
  tell(r, DIAG_ERROR, "an envelope begins before the one before it has ended");
  return STATUS_INVALID;
}

static enum status end_batch(const struct reading *r) {
  struct hl7v2_batch *batch = r->batch;
  if (!batch->in_batch) tell(r, DIAG_WARNING, "BTS without BHS");
  enum status status = check_count(r, batch->messages, "messages");
  batch->in_batch = batch->any = false;
  batch->messages = 0;
  batch->batches++;
  return status;
}

/* Messages of a file without BHS are one batch. */
static enum status end_file(const struct reading *r) {
  struct hl7v2_batch *batch = r->batch;
  if (!batch->in_file) tell(r, DIAG_WARNING, "FTS without FHS");
  if (batch->in_batch) tell(r, DIAG_WARNING, "BHS without BTS: the batch may not be whole");
  uint32_t batches = batch->batches + (batch->in_batch || batch->any);
  enum status status = check_count(r, batches, "batches");
  *batch = (struct hl7v2_batch){.text = batch->text, .at = batch->at, .line = batch->line};
  return status;
}

/* Nothing comes any more. */
static void end_text(const struct reading *r) {
  struct hl7v2_batch *batch = r->batch;
  if (batch->in_batch) tell(r, DIAG_WARNING, "BHS without BTS: the batch may not be whole");
  if (batch->in_file) tell(r, DIAG_WARNING, "FHS without FTS: the file may not be whole");
  batch->in_batch = batch->in_file = false;
}

/* --- messages --- */

static void take_message(struct hl7v2_batch *batch, struct str *message, uint32_t *line) {
  size_t from = batch->at, line_at = behind_mark(batch->text, from);
  *line = batch->line;
  do {
    move(batch, hl7v2_line_end(batch->text, line_at));
    line_at = batch->at;
  } while (line_at < batch->text.len && kind_at(batch->text, line_at) >= OTHER);
  *message = str_slice(batch->text, from, batch->at);
  batch->messages++;
  batch->any = true;
}

static enum status refuse_lines(const struct reading *r) {
  struct hl7v2_batch *batch = r->batch;
  tell(r, DIAG_ERROR, "a segment stands outside of a message");
  do
    move(batch, hl7v2_line_end(batch->text, batch->at));
  while (batch->at < batch->text.len && kind_at(batch->text, batch->at) >= OTHER);
  return STATUS_INVALID;
}

/* What stands in it is known when it is decoded, and what says how stands in its MSH: so there is one, and nothing around it. */
static enum status take_wide(const struct reading *r, struct str *message, uint32_t *line) {
  struct hl7v2_batch *batch = r->batch;
  struct hl7v2_look look = hl7v2_look(batch->text);
  bool several = look.envelopes || look.messages > 1;
  *message = batch->text;
  *line = 1;
  if (several) tell(r, DIAG_ERROR, "a text in UTF-16 may have one message and no envelope: send several one by one, or in UTF-8");
  batch->at = batch->text.len;
  return several ? STATUS_INVALID : STATUS_OK;
}

static enum status take_envelope(const struct reading *r, enum kind kind) {
  enum status status = kind == BATCH_TRAIL ? end_batch(r) : kind == FILE_TRAIL ? end_file(r) : open_envelope(r, kind);
  move(r->batch, hl7v2_line_end(r->batch->text, r->batch->at));
  return status;
}

enum status hl7v2_batch_next(struct hl7v2_batch *batch, struct str name, struct diag_list *diags, struct str *message,
                             uint32_t *line) {
  struct reading r = {batch, name, diags};
  enum status status = STATUS_OK;
  if (batch->at == 0 && hl7v2_width_of(batch->text).width > 1) return take_wide(&r, message, line);
  while (status == STATUS_OK && batch->at < batch->text.len) {
    enum kind kind = kind_at(batch->text, behind_mark(batch->text, batch->at));
    if (kind == MESSAGE) {
      take_message(batch, message, line);
      if (batch->at == batch->text.len) end_text(&r); /* with the last message: nobody may ask again */
      return STATUS_OK;
    }
    batch->at = behind_mark(batch->text, batch->at);
    if (kind == BLANK)
      move(batch, hl7v2_line_end(batch->text, batch->at));
    else
      status = kind == OTHER ? refuse_lines(&r) : take_envelope(&r, kind);
  }
  if (status != STATUS_OK) return status;
  end_text(&r);
  return STATUS_NOT_FOUND;
}
