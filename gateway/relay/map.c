/* map.c - a text that was given to the relay -> records -> Bundles and messages, as each destination wants them. */
#include "hl7v2/hl7v2.h"
#include "relay/map.h"

struct taking {
  struct relay_mapping *mapping;
  struct arena *arena; /* of the record */
  struct str clinic;
  struct outbox_item named; /* what all its items have in common */
  struct outbox_item *items;
  size_t item_count, room;
  bool is_part; /* of a record that is several */
};

/* "LENGTH:CLINICTEXT" */
struct str relay_payload_write(struct str clinic, struct str text, struct arena *arena) {
  struct str head = arena_printf(arena, "%zu:%.*s", clinic.len, STR_ARG(clinic));
  return head.ptr ? arena_concat(arena, head, text) : head;
}

bool relay_payload_read(struct str payload, struct str *clinic, struct str *text) {
  size_t colon = str_find_char(payload, ':', 0);
  int64_t len = 0;
  if (colon == SIZE_MAX || !str_to_int64(str_slice(payload, 0, colon), &len)) return false;
  if ((uint64_t)len > payload.len - colon - 1) return false;
  *clinic = str_slice(payload, colon + 1, colon + 1 + (size_t)len);
  *text = str_slice(payload, colon + 1 + (size_t)len, payload.len);
  return true;
}

/* Lane and label are the clinic's own: they are hashed and sealed in the store. */
static void name_items(struct taking *taking, const struct intake_record *record) {
  const struct pipeline *pipeline = taking->mapping->ways->pipeline;
  struct outbox_item *item = &taking->named;
  struct str clinic = pipeline_identity(pipeline, record, INTAKE_CLINIC, taking->arena);
  *item = (struct outbox_item){0};
  taking->clinic = clinic;
  struct str patient = pipeline_identity(pipeline, record, INTAKE_PATIENT, taking->arena);
  if (patient.len) item->lane = arena_printf(taking->arena, "%.*s\n%.*s", STR_ARG(clinic), STR_ARG(patient));
  item->label = pipeline_identity(pipeline, record, INTAKE_RECORD, taking->arena);
  struct str revision = pipeline_identity(pipeline, record, INTAKE_REVISION, taking->arena);
  if (item->label.len && str_to_int64(revision, &item->revision))
    item->subject = arena_printf(taking->arena, "%.*s\n%.*s", STR_ARG(clinic), STR_ARG(item->label));
  if (item->label.len > LIMIT_OUTBOX_LABEL) item->label.len = LIMIT_OUTBOX_LABEL;
}

static struct outbox_item *next_item(struct taking *taking, const struct relay_way *way, struct str kind) {
  enum { SOME_ITEMS = 2 };
  if (taking->item_count == taking->room) {
    size_t room = taking->room ? taking->room * 2 : SOME_ITEMS;
    struct outbox_item *items = ARENA_ARRAY(taking->arena, struct outbox_item, room);
    if (!items) return NULL;
    if (taking->item_count) memcpy(items, taking->items, taking->item_count * sizeof *items);
    taking->items = items;
    taking->room = room;
  }
  struct outbox_item *item = &taking->items[taking->item_count++];
  *item = taking->named;
  item->destination = way->config->name;
  item->kind = kind;
  return item;
}

/* What is to be mapped again: the record as it was read, or a message with the part alone. */
static struct str text_of(const struct taking *taking, const struct intake_record *record) {
  struct buf text;
  if (!taking->is_part) return record->source.text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  hl7v2_write(record->root, NULL, &text);
  struct str copy = buf_take_str(&text, taking->arena);
  buf_release(&text);
  return copy;
}

static enum status park_item(struct taking *taking, const struct intake_record *record, const struct relay_way *way,
                             struct outbox_item *item) {
  struct str text = text_of(taking, record);
  if (!text.ptr) return STATUS_NOMEM;
  item->kind = STR("record");
  item->payload = relay_payload_write(taking->clinic, text, taking->arena);
  item->parked = STR("does-not-conform");
  item->blocks = way->config->blocks;
  taking->mapping->parked++;
  return item->payload.ptr ? STATUS_OK : STATUS_NOMEM;
}

/* One record for one destination: a Bundle, or, where its policy parks what does not conform, the record
   itself, to be mapped again when the map is mended. */
static enum status make_item(struct taking *taking, const struct intake_record *record,
                             const struct relay_way *way) {
  struct outbox_item *item = next_item(taking, way, STR("bundle"));
  struct tree_node *bundle = NULL;
  bool parked = false;
  struct pipeline_run run = {.arena = taking->arena,
                             .diags = taking->mapping->diags,
                             .shape = &way->shape,
                             .policy = &way->policy,
                             .parked = &parked,
                             .validate = true};
  if (!item) return STATUS_NOMEM;
  enum status status = pipeline_export(taking->mapping->ways->pipeline, record, &run, &bundle);
  if (parked) return park_item(taking, record, way, item);
  struct str text = {0};
  if (status == STATUS_OK) status = tree_write_text(bundle, taking->arena, &text);
  if (status == STATUS_OK) item->payload = relay_payload_write(taking->clinic, text, taking->arena);
  return status == STATUS_OK && !item->payload.ptr ? STATUS_NOMEM : status;
}

/* A destination of HL7 v2 takes a record as several messages, each on its own and in their order. */
static enum status make_messages(struct taking *taking, const struct intake_record *record, const struct relay_way *way) {
  const struct pipeline *pipeline = taking->mapping->ways->pipeline;
  struct pipeline_run run = {.arena = taking->arena, .diags = taking->mapping->diags, .quiet = true};
  struct pipeline_message *messages = NULL;
  size_t count = 0;
  enum status status = pipeline_messages(pipeline, record, &run, &way->messages, &messages, &count);
  for (size_t i = 0; status == STATUS_OK && i < count; i++) {
    struct outbox_item *item = next_item(taking, way, STR("hl7v2"));
    if (!item) return STATUS_NOMEM;
    item->payload = relay_payload_write(messages[i].control, messages[i].bytes, taking->arena);
    if (!item->payload.ptr) return STATUS_NOMEM;
  }
  return status;
}

static enum status make_part(struct taking *taking, const struct intake_record *record) {
  const struct relay_names *to = taking->mapping->input->to;
  enum status status = STATUS_OK;
  name_items(taking, record);
  for (size_t i = 0; status == STATUS_OK && i < to->count; i++) {
    const struct relay_config *config = taking->mapping->config;
    const struct relay_destination_config *named = relay_config_destination(config, to->names[i]);
    if (!named) return STATUS_CONFIG; /* relay_config_read has checked the names */
    const struct relay_way *way = &taking->mapping->ways->ways[named - config->destinations];
    status = way->destination.protocol == DELIVERY_MLLP ? make_messages(taking, record, way)
                                                        : make_item(taking, record, way);
  }
  return status;
}

/* What is several records in one waits in the lane of each. */
static enum status make_items(struct taking *taking, const struct intake_record *record) {
  const struct pipeline *pipeline = taking->mapping->ways->pipeline;
  struct pipeline_parts parts;
  taking->item_count = 0;
  enum status status = pipeline_parts(pipeline, record, taking->arena, taking->mapping->diags, &parts);
  if (status == STATUS_OK && !parts.count) return make_part(taking, record);
  for (size_t i = 0; status == STATUS_OK && i < parts.count; i++) {
    pipeline_show_part(&parts, i);
    taking->is_part = true;
    status = make_part(taking, record);
  }
  return status;
}

/* What no machine would take is the record's fault: asked for again it would come to nothing, for ever. */
static enum status too_large(struct relay_mapping *mapping, const struct intake_record *record) {
  if (!arena_is_capped(mapping->scratch)) return STATUS_NOMEM;
  diag_error(mapping->diags, DIAG_INPUT_TOO_LARGE, &(struct diag_at){.source = &record->source},
             "the record needs more memory than one may have");
  return STATUS_INVALID;
}

/* A long input is work and no hang: systemd would end the process, and the next one would begin with it again. */
static void show_life(size_t taken) {
  enum { RECORDS_A_SIGN = 64 };
  if (taken % RECORDS_A_SIGN == 0) relay_show_life();
}

/* As the store keeps them: what takes them has less to do, and less to keep. */
static enum status press_items(const struct taking *taking) {
  enum status status = STATUS_OK;
  for (size_t i = 0; status == STATUS_OK && i < taking->item_count; i++)
    status = outbox_item_press(&taking->items[i], taking->arena);
  return status;
}

/* `status` of reading it. */
static enum status take_record(struct relay_mapping *mapping, const struct intake_record *record, enum status status) {
  struct taking taking = {.mapping = mapping, .arena = mapping->scratch};
  if (status == STATUS_OK) status = record->route ? make_items(&taking, record) : STATUS_INVALID;
  if (status == STATUS_OK) status = press_items(&taking);
  if (status == STATUS_NOMEM) status = too_large(mapping, record);
  struct relay_mapped mapped = {
      .content = record->source.text, .items = taking.items, .item_count = taking.item_count};
  if (status == STATUS_OK) return mapping->take(mapping->context, &mapped);
  if (status != STATUS_INVALID && status != STATUS_LIMIT) return status;
  mapping->bad++;
  return STATUS_OK;
}

/* NOT_FOUND at the end. */
static enum status take_next(struct relay_mapping *mapping, struct intake_input *input) {
  const struct pipeline *pipeline = mapping->ways->pipeline;
  struct intake_record record = {0};
  arena_reset(mapping->scratch);
  mapping->diags->cursor = (struct source_cursor){0}; /* another text may lie where the last one lay */
  enum status status = intake_next(input, pipeline_definitions(pipeline), pipeline_routes(pipeline),
                                   mapping->scratch, mapping->diags, &record);
  return take_record(mapping, &record, status);
}

enum status relay_map(struct relay_mapping *mapping) {
  struct intake_input records = intake_open(mapping->input->name, mapping->input->text);
  records.charset = mapping->input->charset;
  records.processing = mapping->input->processing.len ? mapping->input->processing : STR("P");
  enum status status = STATUS_OK;
  if (records.lines && mapping->from.line) {
    records.at = mapping->from.at;
    records.line = mapping->from.line;
  }
  for (size_t taken = 1; status == STATUS_OK; taken++) {
    status = take_next(mapping, &records);
    if (status == STATUS_RETRY && !records.lines) status = STATUS_OK;
    if (mapping->in_loop) show_life(taken);
  }
  arena_reset(mapping->scratch);
  mapping->from = (struct relay_point){records.at, records.line};
  return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}
