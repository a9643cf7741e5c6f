/* intake.c - one record after the other: cut it out of the input, read it, find its route, bind it. */
#include "intake/csv.h"

struct intake_input intake_open(struct str name, struct str text) {
  bool hl7v2 = hl7v2_is(text) || str_ends(name, STR(".hl7"));
  return (struct intake_input){.name = name,
                               .text = text,
                               .line = 1,
                               .lines = !hl7v2 && intake_is_lines(name, text),
                               .hl7v2 = hl7v2,
                               .batch = hl7v2_batch_open(text)};
}

/* --- cutting --- */

/* Moves over one line and its line end. */
static struct str take_line(struct intake_input *input) {
  size_t from = input->at, end = tree_line_end(input->text, from);
  struct str text = input->text;
  input->at = end;
  if (input->at < text.len && text.ptr[input->at] == '\r') input->at++;
  if (input->at < text.len && text.ptr[input->at] == '\n') input->at++;
  input->line++;
  return str_slice(text, from, end);
}

/* The text of the next record; false at the end. Blank lines between records are passed over. */
static bool take_text(struct intake_input *input, struct source *out) {
  *out = (struct source){.name = input->name};
  if (!input->lines) {
    if (input->line != 1) return false;
    *out = source_make(input->name, input->text);
    input->line++; /* not `at`: an empty text is one broken document */
    return true;
  }
  while (input->at < input->text.len) {
    out->first_line = input->line;
    out->text = take_line(input);
    if (str_trim(out->text).len) return true;
  }
  return false;
}

bool intake_skip(struct intake_input *input) {
  struct source source;
  if (input->starved) return input->starved++ == 1;
  if (!input->set && !input->hl7v2) return take_text(input, &source);
  enum status status = input->set ? intake_csv_skip(input) : intake_hl7v2_skip(input);
  input->starved = status == STATUS_NOMEM;
  return status != STATUS_NOT_FOUND;
}

/* --- routing --- */

/* All formats, for a message. */
static struct str list_formats(const struct intake_routes *routes, struct arena *arena) {
  struct buf text;
  buf_init(&text, 1024);
  for (size_t i = 0; routes && i < routes->count; i++) {
    if (i) buf_add_text(&text, ", ");
    buf_add_str(&text, routes->routes[i].format);
  }
  struct str list = text.len && text.error == STATUS_OK ? buf_take_str(&text, arena) : STR("none");
  buf_release(&text);
  return list;
}

/* `format`: empty if it has none. */
static enum status refuse_format(const struct intake_record *record, size_t offset, struct str format,
                                 const struct intake_routes *routes, struct arena *arena,
                                 struct diag_list *diags) {
  struct diag_at at = {.source = &record->source, .offset = offset};
  struct str known = list_formats(routes, arena);
  if (!format.ptr) {
    diag_error(diags, DIAG_INPUT_FORMAT, &at,
               "neither a FHIR resource (no resourceType) nor a clinic record (no format); formats: %.*s",
               STR_ARG(known));
    return STATUS_INVALID;
  }
  struct str near = intake_route_nearest(routes, format);
  struct str word = diag_value(arena, format);
  if (near.len)
    diag_error(diags, DIAG_INPUT_FORMAT, &at, "no route for format \"%.*s\"; did you mean %.*s?",
               STR_ARG(word), STR_ARG(near));
  else
    diag_error(diags, DIAG_INPUT_FORMAT, &at, "no route for format \"%.*s\"; formats: %.*s", STR_ARG(word),
               STR_ARG(known));
  return STATUS_INVALID;
}

static enum status find_route(struct intake_record *record, const struct intake_routes *routes,
                              struct arena *arena, struct diag_list *diags) {
  const struct tree_node *format = tree_find(record->root, "format");
  struct diag_at at = {.source = &record->source};
  if (str_trim(record->source.text).ptr[0] == '[') {
    diag_error(diags, DIAG_INPUT_FORMAT, &at,
               "an array is no record: give one record a file, or one a line (.ndjson)");
    return STATUS_INVALID;
  }
  if (tree_find(record->root, "resourceType")) return STATUS_OK;
  record->route = format && format->kind == TREE_STRING ? intake_route_find(routes, format->text) : NULL;
  if (!record->route)
    return refuse_format(record, tree_offset(format ? format : record->root), format ? format->text : (struct str){0},
                         routes, arena, diags);
  if (record->source.text.len <= LIMIT_RECORD_BYTES) return STATUS_OK;
  diag_error(diags, DIAG_INPUT_TOO_LARGE, &at, "the record has %zu bytes; a clinic record may have %d",
             record->source.text.len, LIMIT_RECORD_BYTES);
  return STATUS_INVALID;
}

/* --- the whole --- */

enum status intake_next(struct intake_input *input, const struct definitions *definitions,
                        const struct intake_routes *routes, struct arena *arena, struct diag_list *diags,
                        struct intake_record *out) {
  if (input->starved) return input->starved == 1 ? STATUS_NOMEM : STATUS_NOT_FOUND;
  if (input->set) return intake_csv_next(input, arena, diags, out);
  *out = (struct intake_record){0};
  if (input->hl7v2) return intake_hl7v2_next(input, definitions, routes, arena, diags, out);
  if (!take_text(input, &out->source)) return STATUS_NOT_FOUND;
  struct tree_limits limits = tree_limits_default();
  if (input->lines) limits.bytes = LIMIT_RECORD_BYTES;
  enum status status = tree_read(&out->source, &limits, arena, diags, &out->root);
  if (status == STATUS_OK) status = find_route(out, routes, arena, diags);
  if (status != STATUS_OK) {
    out->root = NULL;
    return status;
  }
  const struct def_type *type = out->route ? out->route->type : NULL;
  return definitions_bind(definitions, type, out->root, &out->source, arena, diags);
}
