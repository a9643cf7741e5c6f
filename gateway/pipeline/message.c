/*
 * message.c - a record -> messages of HL7 v2, by the rows of mappings/hl7v2/out.json.
 *
 * A row has a map from the record to one message, which is made `when` that is true. With `each` it is run once for every item of that list, with the others
 * set aside; with `withhold` an item of which that is true stays at the clinic unless it is asked for. The program adds what is
 * of the destination (sender, receiver, version), the numbers of segments, and the control id, which is a digest of the message:
 * the same content has the same id whenever it is made, other content another.
 */
#include "base/destination.h"
#include "hl7v2/hl7v2.h"
#include "pipeline/internal.h"

enum { CONTROL_CHARS = 20, HEAD_FIELDS = 18 };

static const struct config_key row_keys[] = {
    {.name = "message", .type = CONFIG_STRING, .required = true, .words = destination_message_words},
    {.name = "map", .type = CONFIG_STRING, .required = true},
    {.name = "when", .type = CONFIG_STRING},
    {.name = "each", .type = CONFIG_STRING},
    {.name = "withhold", .type = CONFIG_STRING},
};

/* --- the rows --- */

struct reading {
  struct pipeline *pipeline;
  struct config file;
  struct diag_list *diags;
};

static enum status refuse(struct reading *reading, const char *what, struct str name) {
  struct diag_at at = {.source = &reading->file.file};
  diag_error(reading->diags, DIAG_CONFIG_INVALID, &at, "%s%.*s", what, STR_ARG(name));
  return STATUS_CONFIG;
}

static enum status compile(struct reading *reading, const struct def_type *type, struct str text,
                           struct fp_program **out) {
  struct pipeline *pipeline = reading->pipeline;
  struct source *source = ARENA_NEW(pipeline->arena, struct source);
  struct str kept = arena_str(pipeline->arena, text);
  if (!source || !kept.ptr) return STATUS_NOMEM;
  if (!text.len) return STATUS_OK;
  *source = source_make(STR("hl7v2/out.json"), kept);
  struct fp_compile given = {
      .definitions = pipeline->definitions, .input = type, .resource = type, .source = source, .to = kept.len};
  return fhirpath_compile(&given, pipeline->arena, reading->diags, out, NULL);
}

static enum status read_row(struct reading *reading, const json_t *object) {
  struct pipeline *pipeline = reading->pipeline;
  struct pipeline_outgoing *row = &pipeline->outgoing[pipeline->outgoing_count];
  if (!config_check(&reading->file, object, "a row", row_keys, sizeof row_keys / sizeof row_keys[0], reading->diags))
    return STATUS_CONFIG;
  row->kind = (unsigned)destination_word(destination_message_words, config_string(object, "message"));
  row->map = mapping_find(pipeline->maps, config_string(object, "map"));
  row->each = arena_str(pipeline->arena, config_string(object, "each"));
  if (!row->each.ptr) return STATUS_NOMEM;
  if (!row->map) return refuse(reading, "there is no map ", config_string(object, "map"));
  const struct def_type *type = mapping_source_type(row->map);
  enum status status = compile(reading, type, config_string(object, "when"), &row->when);
  if (status == STATUS_OK) status = compile(reading, type, config_string(object, "withhold"), &row->withhold);
  if (status == STATUS_OK) pipeline->outgoing_count++;
  return status;
}

static enum status read_rows(struct reading *reading) {
  const json_t *object, *rows = json_object_get(reading->file.object, "out");
  struct pipeline *pipeline = reading->pipeline;
  enum status worst = STATUS_OK;
  size_t index;
  if (!json_is_array(rows) || json_object_size(reading->file.object) != 1 || json_array_size(rows) > PIPELINE_ROWS_MAX)
    return refuse(reading, "the file holds one member, ", STR("\"out\", a list of at most 64 rows"));
  pipeline->outgoing = ARENA_ARRAY(pipeline->arena, struct pipeline_outgoing, json_array_size(rows) + 1);
  if (!pipeline->outgoing) return STATUS_NOMEM;
  memset(pipeline->outgoing, 0, sizeof *pipeline->outgoing * (json_array_size(rows) + 1));
  json_array_foreach(rows, index, object) {
    enum status status = read_row(reading, object);
    if (worst == STATUS_OK) worst = status;
  }
  return worst;
}

/* A folder without the file makes no messages: NOT_FOUND. */
static enum status read_file(const struct pipeline *pipeline, struct diag_list *diags, struct config *out) {
  struct str path = arena_concat(pipeline->arena, pipeline->folder, STR("/hl7v2/out.json"));
  struct str *names = NULL, folder = arena_concat(pipeline->arena, pipeline->folder, STR("/hl7v2"));
  size_t count = 0;
  if (!path.ptr || !folder.ptr) return STATUS_NOMEM;
  const struct host *host = pipeline->host;
  if (host->list_files(host->context, folder.ptr, STR("out.json"), pipeline->arena, &names, &count) != STATUS_OK || !count)
    return STATUS_NOT_FOUND;
  enum status status = config_read(host, path.ptr, diags, out);
  return status == STATUS_NOT_FOUND ? STATUS_IO : status;
}

/* Whatever is wrong with the file is told when the rows are read. */
enum status pipeline_messages_roots(const struct pipeline *pipeline, struct str *roots, size_t *count) {
  struct diag_list unsaid;
  struct config file;
  const json_t *row;
  size_t index;
  diag_list_init(&unsaid, pipeline->arena);
  enum status status = read_file(pipeline, &unsaid, &file);
  if (status != STATUS_OK) return status == STATUS_NOMEM ? status : STATUS_OK;
  json_array_foreach(json_object_get(file.object, "out"), index, row) {
    if (index == PIPELINE_ROWS_MAX) break;
    roots[*count] = arena_str(pipeline->arena, config_string(row, "map"));
    if (!roots[(*count)++].ptr) status = STATUS_NOMEM;
  }
  config_close(&file);
  return status;
}

enum status pipeline_messages_open(struct pipeline *pipeline, struct diag_list *diags) {
  struct reading reading = {.pipeline = pipeline, .diags = diags};
  enum status status = read_file(pipeline, diags, &reading.file);
  if (status != STATUS_OK) return status == STATUS_NOT_FOUND ? STATUS_OK : status;
  status = read_rows(&reading);
  config_close(&reading.file);
  return status;
}

enum status pipeline_check_messages(const struct pipeline *pipeline, struct mapping_set *maps, struct arena *arena,
                                    struct diag_list *diags) {
  struct pipeline trial = *pipeline;
  trial.arena = arena;
  trial.maps = maps;
  return pipeline->folder.len ? pipeline_messages_open(&trial, diags) : STATUS_OK;
}

/* --- one record --- */

struct making {
  const struct pipeline *pipeline;
  const struct intake_record *record;
  const struct pipeline_run *run;
  const struct pipeline_message_policy *policy;
  struct tree_node **children; /* of the record, all of them */
  size_t child_count;
  struct pipeline_message *messages;
  size_t count, room, withheld;
  size_t errors; /* that were there before */
};

static enum status holds(const struct making *making, const struct fp_program *program, bool *out) {
  struct fp_run run = {.host = making->pipeline->host,
                       .arena = making->run->arena,
                       .diags = making->run->diags,
                       .resource = making->record->root};
  return fhirpath_truth(program, &run, making->record->root, out);
}

/* The record with one item of the list alone; NULL: with all that it has. */
static void show(const struct making *making, struct str each, const struct tree_node *only) {
  struct tree_node *root = making->record->root;
  root->child = root->last = NULL;
  for (size_t i = 0; i < making->child_count; i++) {
    struct tree_node *child = making->children[i];
    if (only && child != only && str_eq(child->name, each)) continue;
    child->next = NULL;
    tree_append(root, child);
  }
}

static enum status keep_children(struct making *making) {
  struct tree_node *root = making->record->root;
  for (const struct tree_node *child = root->child; child; child = child->next)
    making->child_count++;
  making->children = ARENA_ARRAY(making->run->arena, struct tree_node *, making->child_count + 1);
  if (!making->children) return STATUS_NOMEM;
  making->child_count = 0;
  for (struct tree_node *child = root->child; child; child = child->next)
    making->children[making->child_count++] = child;
  return STATUS_OK;
}

/* --- from a tree to a message --- */

/* Segments that repeat are numbered: each kind from 1, and anew in the next group. */
static const struct {
  const char *segment, *anew;
} numbered[] = {{"OBR", ""}, {"OBX", "OBR"}, {"NTE", "OBR OBX ORC"}, {"NK1", ""}, {"AL1", ""}, {"DG1", ""}, {"IN1", ""}};
enum { NUMBERED = sizeof numbered / sizeof numbered[0] };

static bool put_number(struct tree_node *segment, unsigned number, struct arena *arena) {
  struct str name = arena_printf(arena, "%.*s_1", STR_ARG(segment->name));
  struct str text = arena_printf(arena, "%u", number);
  struct tree_node *node = tree_new(arena, TREE_STRING, name);
  if (!name.ptr || !text.ptr || !node) return false;
  node->text = text;
  node->parent = segment;
  node->next = segment->child;
  segment->child = node;
  segment->lacks = 0;
  if (!segment->last) segment->last = node;
  return true;
}

static enum status number_segments(struct tree_node *root, struct arena *arena) {
  unsigned counts[NUMBERED] = {0};
  for (struct tree_node *node = root; node; node = tree_following(root, node)) {
    for (size_t i = 0; i < NUMBERED; i++) {
      if (node->name.len == 3 && str_find(str_of(numbered[i].anew), node->name, 0) != SIZE_MAX) counts[i] = 0;
      if (str_is(node->name, numbered[i].segment) && !put_number(node, ++counts[i], arena)) return STATUS_NOMEM;
    }
  }
  return STATUS_OK;
}

/* MSH with what is of the destination; time and type are the map's. */
static void write_head(const struct making *making, const struct hl7v2_message *of, struct str control, struct buf *out) {
  const struct pipeline_message_policy *policy = making->policy;
  const struct str head[HEAD_FIELDS - 2] = {policy->sending_application,
                                            policy->sending_facility,
                                            policy->receiving_application,
                                            policy->receiving_facility,
                                            hl7v2_field(of, of->segments, 7),
                                            STR(""),
                                            hl7v2_field(of, of->segments, 9),
                                            control,
                                            policy->processing,
                                            policy->version,
                                            STR(""),
                                            STR(""),
                                            policy->accept_ack,
                                            policy->application_ack,
                                            STR(""),
                                            str_is(policy->charset, "ASCII") ? STR("") : policy->charset};
  size_t last = HEAD_FIELDS - 2;
  while (last && !head[last - 1].len)
    last--;
  buf_add_text(out, "MSH|^~\\&");
  for (size_t i = 0; i < last; i++) {
    buf_add_char(out, '|');
    buf_add_str(out, head[i]);
  }
}

static void write_whole(const struct making *making, const struct hl7v2_message *of, struct str text, struct str control,
                        struct buf *out) {
  buf_reset(out);
  write_head(making, of, control, out);
  buf_add_str(out, str_slice(text, of->segments[0].end, text.len));
}

static enum status write_message(const struct making *making, struct tree_node *root, struct buf *text, struct buf *whole,
                                 struct pipeline_message *out) {
  struct arena *arena = making->run->arena;
  char digest[65];
  hl7v2_write(root, NULL, text);
  if (text->error != STATUS_OK) return text->error;
  struct source source = source_make(STR("message.hl7"), buf_str(text));
  struct hl7v2_message head;
  enum status status = hl7v2_scan_head(&source, arena, &head);
  if (status != STATUS_OK) return status;
  write_whole(making, &head, buf_str(text), STR(""), whole);
  if (whole->error != STATUS_OK) return whole->error; /* the digest of a part, or of nothing, other messages have too */
  sha256_hex(buf_str(whole), digest);
  for (size_t i = 0; i < CONTROL_CHARS; i++)
    if (digest[i] >= 'a') digest[i] = (char)(digest[i] - 'a' + 'A');
  out->control = arena_str(arena, str_make(digest, CONTROL_CHARS));
  if (!out->control.ptr) return STATUS_NOMEM;
  write_whole(making, &head, buf_str(text), out->control, whole);
  if (whole->error != STATUS_OK) return whole->error;
  out->text = buf_take_str(whole, arena);
  return out->text.ptr ? STATUS_OK : STATUS_NOMEM;
}

static enum status encode(const struct making *making, struct pipeline_message *message) {
  struct hl7v2_text text = {.text = message->text, .charset = making->policy->charset};
  enum status status = hl7v2_encode(&text, making->run->arena, &message->bytes);
  if (status != STATUS_INVALID) return status;
  struct diag_at at = {.source = &making->record->source};
  diag_error(making->run->diags, DIAG_HL7V2_CHARSET, &at, "the record has letters that %.*s, the charset of the destination, has not",
             STR_ARG(making->policy->charset));
  return status;
}

static enum status too_long(const struct making *making, struct str kind) {
  struct diag_at at = {.source = &making->record->source};
  diag_error(making->run->diags, DIAG_INPUT_TOO_LARGE, &at, "%.*s would have more than %d bytes", STR_ARG(kind), LIMIT_RECORD_BYTES);
  return STATUS_INVALID;
}

static enum status run_map(struct making *making, const struct pipeline_outgoing *row) {
  struct mapping_run run = {.host = making->pipeline->host,
                            .arena = making->run->arena,
                            .diags = making->run->diags,
                            .source = &making->record->source,
                            .unknown = making->run->unknown,
                            .unknown_context = making->run->unknown_context};
  struct pipeline_message *message = &making->messages[making->count];
  struct tree_node *root = NULL;
  struct buf text, whole;
  if (making->count == making->room) return STATUS_LIMIT;
  enum status status = mapping_run(making->pipeline->maps, row->map, &run, making->record->root, &root);
  if (status == STATUS_OK) status = number_segments(root, making->run->arena);
  if (status != STATUS_OK) return status;
  *message = (struct pipeline_message){.kind = str_of(destination_message_words[row->kind]), .tree = root};
  buf_init(&text, LIMIT_RECORD_BYTES);
  buf_init(&whole, LIMIT_RECORD_BYTES);
  status = write_message(making, root, &text, &whole, message);
  buf_release(&text);
  buf_release(&whole);
  if (status == STATUS_LIMIT) status = too_long(making, message->kind);
  if (status == STATUS_OK) status = encode(making, message);
  making->count += status == STATUS_OK;
  return status;
}

/* One message, of an item or of the whole record. */
static enum status run_item(struct making *making, const struct pipeline_outgoing *row, const struct tree_node *item) {
  bool wanted = true, withheld = false;
  enum status asked = row->when ? holds(making, row->when, &wanted) : STATUS_OK;
  if (asked != STATUS_OK || !wanted) return asked;
  if (row->withhold && !making->policy->psychotherapy_notes) {
    enum status status = holds(making, row->withhold, &withheld);
    if (status != STATUS_OK) return status;
  }
  if (!withheld) return run_map(making, row);
  struct diag_at at = {.source = &making->record->source, .offset = tree_offset(item)};
  diag_information(making->run->diags, DIAG_BUNDLE_WITHHELD, &at, "a psychotherapy note is not sent: %s",
                   destination_message_words[row->kind]);
  return STATUS_OK;
}

static enum status run_row(struct making *making, const struct pipeline_outgoing *row) {
  enum status status = STATUS_OK;
  if (!row->each.len) return run_item(making, row, making->record->root);
  for (size_t i = 0; status == STATUS_OK && i < making->child_count; i++) {
    if (!str_eq(making->children[i]->name, row->each)) continue;
    show(making, row->each, making->children[i]);
    status = run_item(making, row, making->children[i]);
    show(making, row->each, NULL);
  }
  return status;
}

/* Of what no message carries, what somebody must be told in another way. */
static bool is_grave(struct str path) {
  return str_find(path, STR(".adverseEvents"), 0) != SIZE_MAX;
}

/* What no message carries is worth knowing; docs/hl7v2.md says why. */
static void tell_unread(const struct making *making) {
  struct diag_list found;
  struct mapping_run run = {.host = making->pipeline->host,
                            .arena = making->run->arena,
                            .diags = &found,
                            .source = &making->record->source};
  diag_list_init(&found, making->run->diags->arena);
  mapping_report_unread(making->record->root, &run);
  for (struct diag *diag = found.first; diag; diag = diag->next) {
    found.by_severity[diag->severity]--;
    diag->severity = is_grave(diag->path) ? DIAG_WARNING : DIAG_INFORMATION;
    found.by_severity[diag->severity]++;
  }
  diag_take(making->run->diags, &found, DIAG_WARNING);
}

static enum status make_all(struct making *making) {
  const struct def_type *type = making->record->route->type;
  enum status status = keep_children(making);
  size_t fitting = 0;
  making->room = making->child_count + making->pipeline->outgoing_count;
  making->messages = ARENA_ARRAY(making->run->arena, struct pipeline_message, making->room + 1);
  if (!making->messages) return STATUS_NOMEM;
  for (size_t i = 0; status == STATUS_OK && i < making->pipeline->outgoing_count; i++) {
    const struct pipeline_outgoing *row = &making->pipeline->outgoing[i];
    if (mapping_source_type(row->map) != type) continue;
    fitting++;
    if (making->policy->kinds & 1U << row->kind) status = run_row(making, row);
  }
  if (status != STATUS_OK || fitting) return status;
  struct diag_at at = {.source = &making->record->source};
  diag_error(making->run->diags, DIAG_INPUT_FORMAT, &at, "no row of mappings/hl7v2/out.json has a map for records of format %.*s",
             STR_ARG(making->record->route->format));
  return STATUS_INVALID;
}

enum status pipeline_messages(const struct pipeline *pipeline, const struct intake_record *record,
                              const struct pipeline_run *run, const struct pipeline_message_policy *policy,
                              struct pipeline_message **out, size_t *count) {
  struct making making = {
      .pipeline = pipeline, .record = record, .run = run, .policy = policy, .errors = diag_errors(run->diags)};
  *count = 0;
  if (!record->route) return pipeline_refuse_resource(record, run->diags);
  enum status status = pipeline_is_loaded(pipeline, record, PIPELINE_MAPS_OUTGOING, run->diags);
  if (status == STATUS_OK) status = pipeline_check_record(pipeline, record, run);
  if (status == STATUS_OK) status = make_all(&making);
  if (status == STATUS_OK && diag_errors(run->diags) > making.errors) status = STATUS_INVALID;
  if (status != STATUS_OK) return status;
  if (!run->quiet) tell_unread(&making);
  *out = making.messages;
  *count = making.count;
  return STATUS_OK;
}
