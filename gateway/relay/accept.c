/* accept.c - a text that was given to the relay -> records -> Bundles -> the store. */
#include "relay/internal.h"

struct taking {
  struct relay *relay;
  const struct relay_input *input;
  struct arena *arena; /* the record's alone: an input may have as many as it likes */
  struct diag_list *diags;
  struct relay_accepted *result;
  /* of the record that is taken */
  struct str clinic;
  struct outbox_item named; /* what all its items have in common */
  struct outbox_item *items;
  size_t item_count, room;
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
  const struct pipeline *pipeline = taking->relay->ways->pipeline;
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
  if (taking->item_count == taking->room) {
    size_t room = taking->room ? taking->room * 2 : RELAY_DESTINATIONS_MAX;
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

/* One record for one destination: a Bundle, or, where its policy parks what does not conform, the record
   itself, to be mapped again when the map is mended. */
static enum status make_item(struct taking *taking, const struct intake_record *record,
                             const struct relay_way *way) {
  struct outbox_item *item = next_item(taking, way, STR("bundle"));
  struct tree_node *bundle = NULL;
  bool parked = false;
  struct pipeline_run run = {.arena = taking->arena,
                             .diags = taking->diags,
                             .shape = &way->shape,
                             .policy = &way->policy,
                             .parked = &parked,
                             .validate = true};
  if (!item) return STATUS_NOMEM;
  enum status status = pipeline_export(taking->relay->ways->pipeline, record, &run, &bundle);
  if (parked) {
    item->kind = STR("record");
    item->payload = relay_payload_write(taking->clinic, record->source.text, taking->arena);
    item->parked = STR("does-not-conform");
    item->blocks = way->config->blocks;
    taking->result->parked++;
    return item->payload.ptr ? STATUS_OK : STATUS_NOMEM;
  }
  struct str text = {0};
  if (status == STATUS_OK) status = tree_write_text(bundle, taking->arena, &text);
  if (status == STATUS_OK) item->payload = relay_payload_write(taking->clinic, text, taking->arena);
  return status == STATUS_OK && !item->payload.ptr ? STATUS_NOMEM : status;
}

/* A destination of HL7 v2 takes a record as several messages, each on its own and in their order. */
static enum status make_messages(struct taking *taking, const struct intake_record *record, const struct relay_way *way) {
  const struct pipeline *pipeline = taking->relay->ways->pipeline;
  struct pipeline_run run = {.arena = taking->arena, .diags = taking->diags, .quiet = true};
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

static enum status make_items(struct taking *taking, const struct intake_record *record) {
  const struct relay_names *to = taking->input->to;
  enum status status = STATUS_OK;
  taking->item_count = 0;
  name_items(taking, record);
  for (size_t i = 0; status == STATUS_OK && i < to->count; i++) {
    const struct relay_config *config = taking->relay->config;
    const struct relay_destination_config *named = relay_config_destination(config, to->names[i]);
    if (!named) return STATUS_CONFIG; /* relay_config_read has checked the names */
    const struct relay_way *way = &taking->relay->ways->ways[named - config->destinations];
    status = way->destination.protocol == DELIVERY_MLLP ? make_messages(taking, record, way)
                                                        : make_item(taking, record, way);
  }
  return status;
}

static enum status put_record(struct taking *taking, const struct intake_record *record) {
  enum outbox_answer answer = OUTBOX_ACCEPTED;
  size_t older = 0;
  /* a destination of HL7 v2 has as many items as there are messages */
  int64_t *ids = ARENA_ARRAY(taking->arena, int64_t, taking->item_count + 1);
  struct outbox_message message = {.source = taking->input->source,
                                   .control = taking->input->control,
                                   .content = record->source.text,
                                   .items = taking->items,
                                   .item_count = taking->item_count,
                                   .older = &older};
  if (!ids) return STATUS_NOMEM;
  ids[0] = 0;
  enum status status =
      outbox_accept(taking->relay->outbox, &message, relay_now(taking->relay), taking->diags, &answer, ids);
  relay_group_touch(taking->relay);
  if (status != STATUS_OK) return status;
  taking->relay->accepted = true;
  taking->result->records++;
  taking->result->first = ids[0];
  taking->result->items = taking->item_count;
  taking->result->again += answer == OUTBOX_AGAIN || answer == OUTBOX_DIFFERENT_AGAIN;
  taking->result->different += answer == OUTBOX_DIFFERENT || answer == OUTBOX_DIFFERENT_AGAIN;
  taking->result->parked += older;
  if (older)
    RELAY_LOG(taking->relay, RELAY_WARNING, OUTBOX_OLDER, RELAY_NUMBER("parked", (int64_t)older));
  return STATUS_OK;
}

/* What no machine would take is the record's fault: asked for again it would come to nothing, for ever. */
static enum status too_large(struct taking *taking, const struct intake_record *record) {
  if (!arena_is_capped(taking->arena)) return STATUS_NOMEM;
  diag_error(taking->diags, DIAG_INPUT_TOO_LARGE, &(struct diag_at){.source = &record->source},
             "the record needs more memory than one may have");
  return STATUS_INVALID;
}

/* A long input is work and no hang: systemd would end the process, and the next one would begin with it again. */
static void show_life(size_t taken) {
  enum { RECORDS_A_SIGN = 64 };
  if (taken % RECORDS_A_SIGN == 0) relay_notify("WATCHDOG=1");
}

static void begin_record(struct taking *taking) {
  arena_reset(taking->arena);
  taking->items = NULL;
  taking->item_count = taking->room = 0;
  taking->diags->cursor = (struct source_cursor){0}; /* another text may stand where the last one was */
}

/* NOT_FOUND at the end. Bad records are counted. */
static enum status take_next(struct taking *taking, struct intake_input *input) {
  const struct pipeline *pipeline = taking->relay->ways->pipeline;
  struct intake_record record = {0};
  begin_record(taking);
  enum status status = intake_next(input, pipeline_definitions(pipeline), pipeline_routes(pipeline),
                                   taking->arena, taking->diags, &record);
  if (status == STATUS_OK && !record.route) status = STATUS_INVALID;
  if (status == STATUS_OK) status = make_items(taking, &record);
  if (status == STATUS_NOMEM) status = too_large(taking, &record);
  if (status == STATUS_OK) return put_record(taking, &record);
  if (status != STATUS_INVALID && status != STATUS_LIMIT) return status;
  taking->result->bad++;
  return STATUS_OK;
}

struct relay_accepted relay_accept(struct relay *relay, const struct relay_input *input, struct diag_list *diags) {
  struct relay_accepted result = {0};
  struct taking taking = {
      .relay = relay, .input = input, .arena = relay->record, .diags = diags, .result = &result};
  struct intake_input records = intake_open(input->name, input->text);
  records.charset = input->charset;
  enum status status = STATUS_OK;
  for (size_t taken = 1; status == STATUS_OK; taken++) {
    status = take_next(&taking, &records);
    show_life(taken);
  }
  if (status == STATUS_NOT_FOUND) status = result.bad || !result.records ? STATUS_INVALID : STATUS_OK;
  arena_reset(taking.arena);
  result.status = status;
  return result;
}
