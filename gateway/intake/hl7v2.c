/* hl7v2.c - messages of HL7 v2 as records: one message, one record; its structure is its format, "hl7v2/ADT_A01". */
#include "hl7v2/hl7v2.h"
#include "intake/internal.h"

/* The tree of a text that is one message. */
enum status intake_hl7v2_read(const struct source *source, const struct definitions *definitions, struct arena *arena,
                              struct diag_list *diags, struct tree_node **root, struct str *format) {
  struct hl7v2_message *message = ARENA_NEW(arena, struct hl7v2_message);
  struct hl7v2_limits limits = {.bytes = LIMIT_HL7V2_LARGEST}; /* who took it in has had its own */
  *root = NULL;
  if (!message) return STATUS_NOMEM;
  enum status status = hl7v2_scan(source, &limits, arena, diags, message);
  if (status != STATUS_OK) return status;
  *format = arena_concat(arena, STR("hl7v2/"), hl7v2_structure(message, definitions));
  if (!format->ptr) return STATUS_NOMEM;
  status = hl7v2_tree(message, definitions, arena, diags, root);
  if (status != STATUS_NOT_FOUND) return status;
  diag_error(diags, DIAG_DEFINITION_INVALID, &(struct diag_at){.source = source},
             "the definitions have no models of HL7 v2: build the pack with mappings/models/hl7v2.json");
  return STATUS_INVALID;
}

/* Where the next thing begins to which intake_next has something to say. */
bool intake_hl7v2_skip(struct intake_input *input) {
  struct arena *arena = arena_new(1 << 16);
  struct diag_list quiet;
  struct str message;
  uint32_t line;
  if (!arena) return false;
  diag_list_init(&quiet, arena);
  enum status status = hl7v2_batch_next(&input->batch, input->name, &quiet, &message, &line);
  input->at = input->batch.at;
  arena_free(arena);
  return status != STATUS_NOT_FOUND;
}

enum status intake_hl7v2_next(struct intake_input *input, const struct definitions *definitions, struct arena *arena,
                              struct diag_list *diags, struct intake_record *out, struct str *format) {
  struct str message = {0};
  uint32_t line = 0;
  out->source = source_make(input->name, (struct str){0});
  enum status status = hl7v2_batch_next(&input->batch, input->name, diags, &message, &line);
  input->at = input->batch.at;
  if (status != STATUS_OK) return status;
  struct source *bytes = ARENA_NEW(arena, struct source);
  if (!bytes) return STATUS_NOMEM;
  *bytes = (struct source){.name = input->name, .text = message, .first_line = line};
  out->source = *bytes;
  struct hl7v2_text text = {.text = message};
  if (!input->decoded) status = hl7v2_decode(bytes, input->charset.len ? input->charset : STR("UNICODE UTF-8"), arena, diags, &text);
  if (status != STATUS_OK) return status;
  out->source.text = text.text;
  return intake_hl7v2_read(&out->source, definitions, arena, diags, &out->root, format);
}
