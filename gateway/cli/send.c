/* send.c - one Bundle to one server: transactions and batches by parts, or resource by resource, read entry
 * by entry. */
#include <jansson.h>
#include <stdlib.h>
#include "cli/send.h"

static struct bundle_entry *entry_at(const struct send_job *job, size_t index) {
  return &job->plan.entries[index];
}

/* Keys may hold a record number: people see the place in the record, never the patient's number. */
static struct str shown_key(struct str key) {
  size_t slash = str_find_char(key, '/', 0);
  if (slash == SIZE_MAX || str_starts(key, STR("patient/")))
    return str_starts(key, STR("patient/")) ? STR("patient") : key;
  return key;
}

static void report(struct send_job *job, enum diag_code code, const char *what,
                   const struct delivery_answer *answer) {
  struct source source = source_make(job->destination->name, (struct str){0});
  struct diag_at at = {.source = &source};
  struct str outcome = delivery_outcome_text(answer->body, job->arena);
  diag_error(job->diags, code, &at, "%s: %.*s%s%.*s", what, STR_ARG(answer->reason), outcome.len ? ": " : "",
             STR_ARG(outcome));
}

/* The words for a failed request, by what is to be done about it. */
static enum status report_failure(struct send_job *job, const struct delivery_answer *answer) {
  static const struct {
    enum status status;
    enum diag_code code;
    const char *what;
  } words[] = {
      {STATUS_UNAVAILABLE, DIAG_DELIVERY_UNAVAILABLE, "the server cannot be reached, nothing was sent"},
      {STATUS_DENIED, DIAG_DELIVERY_AUTH, "the server refused the credential"},
      {STATUS_INVALID, DIAG_DELIVERY_REFUSED, "the server refused the data"},
      {STATUS_CONFLICT, DIAG_DELIVERY_REFUSED, "the server holds something else"},
  };
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    if (answer->as_status != words[i].status) continue;
    report(job, words[i].code, words[i].what, answer);
    return answer->as_status;
  }
  if (answer->phase == DELIVERY_TLS)
    report(job, DIAG_DELIVERY_TLS, "no trusted connection, nothing was sent", answer);
  else if (answer->as_status == STATUS_CONFIG)
    report(job, DIAG_CONFIG_INVALID, "the destination is not set up right", answer);
  else if (answer->phase == DELIVERY_ANSWER && answer->verdict == DELIVERY_RETRY)
    report(job, DIAG_DELIVERY_UNAVAILABLE, "the server asks to try again later", answer);
  else
    report(job, DIAG_DELIVERY_UNKNOWN, "the answer was lost; sending again is safe", answer);
  return answer->as_status;
}

/* --- transactions and batches --- */

static enum status settle_entry(struct send_job *job, size_t index, const struct delivery_entry *entry) {
  struct source source = source_make(job->destination->name, (struct str){0});
  struct diag_at at = {.source = &source, .path = entry_at(job, index)->type};
  job->delivered[index] = *entry;
  if (entry->verdict == DELIVERY_DONE) {
    job->locations[index] = entry->location;
    return STATUS_OK;
  }
  diag_error(job->diags, DIAG_DELIVERY_REFUSED, &at, "%.*s: HTTP status %ld%s%.*s",
             STR_ARG(shown_key(entry_at(job, index)->key)), entry->status, entry->outcome.len ? ": " : "",
             STR_ARG(entry->outcome));
  return entry->verdict == DELIVERY_PARK ? STATUS_INVALID : STATUS_RETRY;
}

/* Entries answer in the order of the request; a location of another type says that they do not. */
static bool fits(const struct bundle_entry *entry, const struct delivery_entry *answer) {
  struct str location = answer->location;
  return location.len == 0 || (str_starts(location, entry->type) && location.len > entry->type.len &&
                               location.ptr[entry->type.len] == '/');
}

static enum status response_fault(struct send_job *job, const char *why) {
  struct source source = source_make(job->destination->name, (struct str){0});
  struct diag_at at = {.source = &source};
  diag_error(job->diags, DIAG_DELIVERY_RESPONSE, &at, "%s; sending again is safe", why);
  return STATUS_RETRY; /* what happened is not known */
}

static enum status read_part(struct send_job *job, size_t from, size_t to,
                             const struct delivery_answer *answer) {
  struct delivery_entry *entries = ARENA_ARRAY(job->arena, struct delivery_entry, to - from);
  if (!entries) return STATUS_NOMEM;
  enum status worst = delivery_read_response(answer->body, job->destination->base, to - from, job->arena,
                                             entries, job->diags);
  if (worst != STATUS_OK) return STATUS_RETRY; /* what happened is not known */
  for (size_t i = from; i < to; i++)
    if (!fits(entry_at(job, i), &entries[i - from]))
      return response_fault(job, "an entry of the answer names another resource type than was sent");
  for (size_t i = from; i < to; i++) {
    enum status status = settle_entry(job, i, &entries[i - from]);
    if (status != STATUS_OK && worst == STATUS_OK) worst = status;
  }
  return worst;
}

static enum status serialise(const struct tree_node *root, struct arena *arena, struct str *out) {
  struct buf text;
  struct tree_write options = {0};
  buf_init(&text, LIMIT_TEXT_BYTES);
  tree_write_json(root, &options, &text);
  *out = text.error == STATUS_OK ? buf_take_str(&text, arena) : (struct str){0};
  buf_release(&text);
  return out->ptr ? STATUS_OK : STATUS_NOMEM;
}

static enum status post_part(struct send_job *job, size_t part) {
  size_t from = part ? job->plan.part_ends[part - 1] : 0, to = job->plan.part_ends[part];
  struct tree_node *bundle = NULL;
  struct delivery_answer answer = {0};
  struct delivery_request request = {.method = "POST", .repeatable = true};
  enum status status = bundle_part_make(job->bundle, &job->plan, part, job->locations, &bundle);
  if (status == STATUS_OK) status = serialise(bundle, job->arena, &request.body);
  if (status == STATUS_OK) status = delivery_send(job->client, &request, job->arena, &answer);
  if (status != STATUS_OK) return status;
  return answer.verdict == DELIVERY_DONE ? read_part(job, from, to, &answer) : report_failure(job, &answer);
}

/* --- one resource at a time --- */

/* Id of the one match of a search; empty when there is none. Several matches are a fault nobody but a person
 * can mend. */
static enum status read_search(struct send_job *job, const struct delivery_answer *answer, struct str *id) {
  json_t *root =
      json_loadb(answer->body.ptr ? answer->body.ptr : "", answer->body.len, JSON_REJECT_DUPLICATES, NULL);
  const json_t *entries = json_object_get(root, "entry");
  const json_t *resource = json_object_get(json_array_get(entries, 0), "resource");
  const char *found = json_string_value(json_object_get(resource, "id"));
  size_t count = json_array_size(entries);
  *id = count == 1 && found ? arena_str(job->arena, str_of(found)) : (struct str){0};
  json_decref(root);
  return count <= 1 && (count == 0 || id->len) ? STATUS_OK : STATUS_CONFLICT;
}

static enum status search_first(struct send_job *job, const struct bundle_entry *entry, struct str *id) {
  struct delivery_answer answer = {0};
  struct delivery_request request = {.method = "GET",
                                     .path = arena_concat(job->arena, STR("/"), entry->request_url)};
  if (!request.path.ptr) return STATUS_NOMEM;
  enum status status = delivery_send(job->client, &request, job->arena, &answer);
  if (status != STATUS_OK) return status;
  if (answer.verdict != DELIVERY_DONE) return report_failure(job, &answer);
  status = read_search(job, &answer, id);
  if (status != STATUS_OK)
    diag_error(job->diags, DIAG_DELIVERY_REFUSED, NULL,
               "%.*s: the server holds several resources of this identity", STR_ARG(shown_key(entry->key)));
  return status;
}

/* An update by id carries the id in its body too. */
static enum status put_id(struct send_job *job, struct tree_node *resource, struct str id) {
  const struct def_type *type = node_type(resource);
  const struct def_element *element = type ? def_type_element_named(type, STR("id")) : NULL;
  struct tree_node *node = tree_find(resource, "id");
  if (!node && element)
    node = definitions_make(job->bundle->definitions, job->arena, resource, element,
                            def_element_type(element, 0).type);
  if (!node) return STATUS_NOMEM;
  node->kind = TREE_STRING;
  node->text = id;
  return STATUS_OK;
}

/* The request of one resource by the destination's way of being idempotent. */
static enum status make_request(struct send_job *job, size_t index, struct tree_node *resource,
                                struct delivery_request *request) {
  const struct bundle_entry *entry = entry_at(job, index);
  size_t query = str_find_char(entry->request_url, '?', 0);
  struct str id = {0};
  enum status status = STATUS_OK;
  *request = (struct delivery_request){.method = "POST", .repeatable = true};
  request->path = arena_concat(job->arena, STR("/"), entry->type);
  switch (job->bundle->shape->idempotency) {
  case BUNDLE_CONDITIONAL_UPDATE:
    request->method = "PUT";
    request->path = arena_concat(job->arena, STR("/"), entry->request_url);
    break;
  case BUNDLE_CONDITIONAL_CREATE:
    request->if_none_exist = str_slice(entry->request_url, query + 1, entry->request_url.len);
    break;
  case BUNDLE_SEARCH_FIRST:
    request->repeatable = false;
    status = search_first(job, entry, &id);
    if (id.len) {
      request->method = "PUT";
      request->path = arena_printf(job->arena, "/%.*s/%.*s", STR_ARG(entry->type), STR_ARG(id));
      status = put_id(job, resource, id);
    }
    break;
  }
  return status == STATUS_OK && !request->path.ptr ? STATUS_NOMEM : status;
}

static enum status put_single(struct send_job *job, size_t index, struct tree_node *bundle) {
  const struct tree_node *entry = tree_find(bundle, "entry");
  struct tree_node *resource = entry ? tree_find(entry, "resource") : NULL;
  struct delivery_request request;
  struct delivery_answer answer = {0};
  if (!resource) return STATUS_INVALID;
  enum status status = make_request(job, index, resource, &request);
  if (status == STATUS_OK) status = serialise(resource, job->arena, &request.body);
  if (status == STATUS_OK) status = delivery_send(job->client, &request, job->arena, &answer);
  if (status != STATUS_OK) return status;
  if (answer.verdict != DELIVERY_DONE) return report_failure(job, &answer);
  struct delivery_entry done;
  delivery_read_single(&answer, job->destination->base, str_slice(request.path, 1, request.path.len),
                       job->arena, &done);
  return settle_entry(job, index, &done);
}

static enum status send_single(struct send_job *job, size_t part) {
  struct tree_node *bundle = NULL;
  enum status status = bundle_part_make(job->bundle, &job->plan, part, job->locations, &bundle);
  return status == STATUS_OK ? put_single(job, job->plan.part_ends[part] - 1, bundle) : status;
}

/* --- the whole --- */

enum status send_bundle(struct send_job *job, struct tree_node *bundle) {
  enum status status = bundle_plan_make(job->bundle, bundle, &job->plan);
  if (status != STATUS_OK) return status;
  job->locations = ARENA_ARRAY(job->arena, struct str, job->plan.entry_count + 1);
  job->delivered = ARENA_ARRAY(job->arena, struct delivery_entry, job->plan.entry_count + 1);
  if (!job->locations || !job->delivered) return STATUS_NOMEM;
  bool single = job->bundle->shape->submit == BUNDLE_SINGLE;
  for (size_t part = 0; status == STATUS_OK && part < job->plan.part_count; part++) {
    cli_progress(job->cli, "sending", part, job->plan.part_count);
    status = single ? send_single(job, part) : post_part(job, part);
  }
  cli_progress(job->cli, "sending", job->plan.part_count, job->plan.part_count);
  return status;
}

size_t send_stored(const struct send_job *job) {
  size_t stored = 0;
  for (size_t i = 0; job->delivered && i < job->plan.entry_count; i++)
    stored += job->delivered[i].status != 0 && job->delivered[i].verdict == DELIVERY_DONE;
  return stored;
}

static void print_row(const struct send_job *job, size_t index) {
  const struct bundle_entry *entry = entry_at(job, index);
  const struct delivery_entry *done = &job->delivered[index];
  const char *action = done->status == 201 ? "created" : "stored";
  if (done->status == 0)
    cli_printf(job->cli, "%-26.*s %-34.*s not sent\n", STR_ARG(entry->type), STR_ARG(shown_key(entry->key)));
  else if (done->verdict == DELIVERY_DONE)
    cli_printf(job->cli, "%-26.*s %-34.*s %-8s %.*s%s%.*s\n", STR_ARG(entry->type),
               STR_ARG(shown_key(entry->key)), action, STR_ARG(done->location),
               done->version.len ? " version " : "", STR_ARG(done->version));
  else
    cli_printf(job->cli, "%-26.*s %-34.*s refused (HTTP status %ld)\n", STR_ARG(entry->type),
               STR_ARG(shown_key(entry->key)), done->status);
}

static void print_object(const struct send_job *job, size_t index) {
  const struct bundle_entry *entry = entry_at(job, index);
  const struct delivery_entry *done = &job->delivered[index];
  struct str key = shown_key(entry->key);
  json_t *row = json_pack("{s:s#, s:s#, s:i, s:b, s:s#, s:s#}", "type", entry->type.ptr, (int)entry->type.len,
                          "key", key.ptr, (int)key.len, "status", (int)done->status, "stored",
                          done->status != 0 && done->verdict == DELIVERY_DONE, "location",
                          done->location.ptr ? done->location.ptr : "", (int)done->location.len, "version",
                          done->version.ptr ? done->version.ptr : "", (int)done->version.len);
  char *text = row ? json_dumps(row, JSON_COMPACT) : NULL;
  if (text) cli_printf(job->cli, "%s\n", text);
  free(text);
  json_decref(row);
}

void send_print(const struct send_job *job) {
  for (size_t i = 0; job->delivered && i < job->plan.entry_count; i++)
    job->cli->json ? print_object(job, i) : print_row(job, i);
}
