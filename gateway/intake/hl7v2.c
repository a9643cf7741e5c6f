/* hl7v2.c - messages of HL7 v2 as records: one message, one record; its structure is its format, "hl7v2/ADT_A01". */
#include "hl7v2/hl7v2.h"
#include "intake/internal.h"

struct reading {
  const struct intake_input *input;
  const struct definitions *definitions;
  const struct intake_routes *routes; /* NULL: it is only looked at */
  struct arena *arena;
  struct diag_list *diags;
  struct intake_record *out;
  struct hl7v2_message *message;
};

/* --- where it goes --- */

static struct str type_part(const struct reading *r, uint16_t number) {
  struct hl7v2_place place = {.segment = "MSH", .field = 9, .component = number};
  return hl7v2_raw(r->message, &place);
}

static struct diag_at at_type(const struct reading *r) {
  struct str field = hl7v2_field(r->message, r->message->segments, 9);
  return (struct diag_at){.source = &r->out->source,
                          .offset = field.ptr ? (size_t)(field.ptr - r->out->source.text.ptr) : 0,
                          .path = STR("MSH-9")};
}

static const struct intake_route *route_of(const struct reading *r, struct str structure) {
  struct str format = arena_concat(r->arena, STR("hl7v2/"), structure);
  return format.ptr ? intake_route_find(r->routes, format) : NULL;
}

/* "ADT^A01 A03, ORU^R01": events that have a way; *knows: one of them is of the message's type. */
static struct str list_events(const struct reading *r, struct str type, bool *knows) {
  const struct hl7v2_event *event;
  struct buf text;
  struct str before = {0};
  buf_init(&text, 1024);
  *knows = false;
  for (size_t i = 0; (event = hl7v2_event_at(i)) != NULL; i++) {
    struct str word = str_of(event->event), kind = str_slice(word, 0, 3), trigger = str_slice(word, 4, word.len);
    if (!trigger.len || !route_of(r, str_of(event->structure))) continue;
    *knows = *knows || str_eq(kind, type);
    if (str_eq(kind, before))
      buf_printf(&text, " %.*s", STR_ARG(trigger));
    else
      buf_printf(&text, "%s%.*s^%.*s", before.len ? ", " : "", STR_ARG(kind), STR_ARG(trigger));
    before = kind;
  }
  struct str list = text.len ? buf_take_str(&text, r->arena) : STR("none");
  buf_release(&text);
  return list;
}

/* A code as the tables 0076 and 0003 have them is told wherever findings go; what stands in its place may be a patient's name. */
static struct str shown(const struct reading *r, struct str part) {
  bool is_code = part.len == 3;
  for (size_t i = 0; is_code && i < part.len; i++)
    is_code = (part.ptr[i] >= 'A' && part.ptr[i] <= 'Z') || (part.ptr[i] >= '0' && part.ptr[i] <= '9');
  return is_code ? part : diag_value(r->arena, part);
}

static enum status refuse_event(const struct reading *r) {
  bool knows;
  struct str type = type_part(r, 1), event = type_part(r, 2), list = list_events(r, type, &knows);
  struct diag_at at = at_type(r);
  diag_error(r->diags, knows ? DIAG_HL7V2_EVENT : DIAG_HL7V2_TYPE, &at, "%.*s%s%.*s is not mapped; mapped are %.*s",
             STR_ARG(shown(r, type)), event.len ? "^" : "", STR_ARG(shown(r, event)), STR_ARG(list));
  return STATUS_INVALID;
}

/* What MSH-9.3 says is not heeded, since the event tells what happened; that it says another thing is worth knowing. */
static void note_structure(const struct reading *r, struct str structure) {
  struct str said = type_part(r, 3), type = type_part(r, 1);
  struct diag_at at = at_type(r);
  if (!said.len || str_eq(said, structure) || str_is(said, "\"\"")) return;
  diag_add(r->diags, str_starts(said, type) ? DIAG_INFORMATION : DIAG_WARNING, DIAG_HL7V2_STRUCTURE, &at,
           "MSH-9.3 is not the structure of this event: the message is read as %.*s", STR_ARG(structure));
}

/* Nothing that is mapped goes without a patient. */
static enum status check_patient(const struct reading *r) {
  struct diag_at at = {.source = &r->out->source, .offset = r->message->segments[0].at, .path = STR("PID")};
  if (hl7v2_find(r->message, "PID", 0) < r->message->segment_count) return STATUS_OK;
  diag_error(r->diags, DIAG_HL7V2_REQUIRED, &at, "PID is missing: nobody knows whose message this is");
  return STATUS_INVALID;
}

static enum status find_way(const struct reading *r) {
  struct str structure = hl7v2_structure(r->message);
  enum status status = hl7v2_check(r->message, r->input->processing, r->diags);
  if (status != STATUS_OK) return status;
  r->out->route = route_of(r, structure);
  if (!r->out->route) return refuse_event(r);
  note_structure(r, structure);
  return check_patient(r);
}

/* --- reading --- */

static enum status read_message(struct reading *r) {
  struct hl7v2_limits limits = {.bytes = LIMIT_HL7V2_LARGEST}; /* who took it in has had its own */
  r->message = ARENA_NEW(r->arena, struct hl7v2_message);
  if (!r->message) return STATUS_NOMEM;
  enum status status = hl7v2_scan(&r->out->source, &limits, r->arena, r->diags, r->message);
  if (status == STATUS_OK && r->routes) status = find_way(r);
  if (status != STATUS_OK) return status;
  status = hl7v2_tree(r->message, r->definitions, r->arena, r->diags, &r->out->root);
  if (status != STATUS_NOT_FOUND) return status;
  diag_error(r->diags, DIAG_DEFINITION_INVALID, &(struct diag_at){.source = &r->out->source},
             "the definitions have no models of HL7 v2: build the pack with mappings/models/hl7v2.json");
  return STATUS_INVALID;
}

/* A file that should have messages and is empty is one broken message; `line` tells that it has been looked at. */
static enum status next_bytes(struct intake_input *input, struct diag_list *diags, struct str *message, uint32_t *line) {
  struct source source = source_make(input->name, input->text);
  bool nothing = input->line == 1 && !str_trim(input->text).len;
  input->line = 2;
  if (nothing) {
    diag_error(diags, DIAG_HL7V2_SYNTAX, &(struct diag_at){.source = &source}, "a message begins with MSH; there is nothing here");
    return STATUS_INVALID;
  }
  enum status status = hl7v2_batch_next(&input->batch, input->name, diags, message, line);
  input->at = input->batch.at;
  return status;
}

/* Where the next thing begins to which intake_next has something to say. */
enum status intake_hl7v2_skip(struct intake_input *input) {
  struct arena *arena = arena_new(1 << 16);
  struct diag_list quiet;
  struct str message;
  uint32_t line;
  if (!arena) return STATUS_NOMEM;
  diag_list_init(&quiet, arena);
  enum status status = next_bytes(input, &quiet, &message, &line);
  arena_free(arena);
  return status;
}

enum status intake_hl7v2_next(struct intake_input *input, const struct definitions *definitions, const struct intake_routes *routes,
                              struct arena *arena, struct diag_list *diags, struct intake_record *out) {
  struct reading reading = {input, definitions, routes, arena, diags, out, NULL};
  struct str message = {0};
  uint32_t line = 0;
  out->source = source_make(input->name, (struct str){0});
  enum status status = next_bytes(input, diags, &message, &line);
  if (status != STATUS_OK) return status;
  struct source *bytes = ARENA_NEW(arena, struct source);
  if (!bytes) return STATUS_NOMEM;
  *bytes = (struct source){.name = input->name, .text = message, .first_line = line};
  out->source = *bytes;
  struct hl7v2_text text = {.text = message};
  if (!input->decoded) status = hl7v2_decode(bytes, input->charset.len ? input->charset : STR("UNICODE UTF-8"), arena, diags, &text);
  if (status != STATUS_OK) return status;
  out->source.text = text.text;
  return read_message(&reading);
}
