/* response.c - a server's answer: its shape, a transaction response entry by entry, an outcome in a few
 * words. */
#include <ctype.h>
#include <jansson.h>
#include "delivery/internal.h"

enum { ISSUES_SHOWN = 5 };

static json_t *parse(struct str body) {
  /* jansson takes a NUL after a number: refuse NUL ourselves. Server answers carry no numbers that we pass
   * on. */
  if (body.len == 0 || memchr(body.ptr, 0, body.len)) return NULL;
  return json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL);
}

static bool is_json_type(struct str type) {
  size_t end = str_find_char(type, ';', 0);
  struct str media = str_trim(str_slice(type, 0, end == SIZE_MAX ? type.len : end));
  return str_is(media, "application/fhir+json") || str_is(media, "application/json") ||
         str_is(media, "application/json+fhir");
}

enum delivery_body delivery_body_shape(struct str content_type, struct str body) {
  if (str_trim(body).len == 0) return DELIVERY_BODY_EMPTY;
  if (!is_json_type(content_type)) return DELIVERY_BODY_OTHER;
  json_t *root = parse(body);
  if (!root) return DELIVERY_BODY_TRUNCATED;
  bool fhir = json_is_string(json_object_get(root, "resourceType"));
  json_decref(root);
  return fhir ? DELIVERY_BODY_FHIR : DELIVERY_BODY_OTHER;
}

static struct str json_str(const json_t *value) {
  return json_is_string(value) ? (struct str){json_string_value(value), json_string_length(value)}
                               : (struct str){0};
}

/* Codes only: diagnostics may repeat a patient's data. */
static void add_issues(const json_t *outcome, struct buf *out) {
  const json_t *issues = json_object_get(outcome, "issue");
  size_t count = json_array_size(issues);
  for (size_t i = 0; i < count && i < ISSUES_SHOWN; i++) {
    const json_t *issue = json_array_get(issues, i);
    const json_t *expression = json_array_get(json_object_get(issue, "expression"), 0);
    buf_printf(out, "%s%.*s %.*s", i ? "; " : "", STR_ARG(json_str(json_object_get(issue, "severity"))),
               STR_ARG(json_str(json_object_get(issue, "code"))));
    if (json_is_string(expression) && json_str(expression).len <= 200)
      buf_printf(out, " at %.*s", STR_ARG(json_str(expression)));
  }
  if (count > ISSUES_SHOWN) buf_printf(out, "; and %zu more", count - ISSUES_SHOWN);
}

/* Server text on a terminal: nothing but printable ASCII. */
static struct str printable(const struct buf *text, struct arena *arena) {
  struct str copy = buf_take_str(text, arena);
  char *bytes = (char *)(uintptr_t)copy.ptr;
  for (size_t i = 0; bytes && i < copy.len; i++)
    if ((unsigned char)bytes[i] < ' ' || (unsigned char)bytes[i] > '~') bytes[i] = '?';
  return copy;
}

static struct str outcome_text(const json_t *outcome, struct arena *arena) {
  struct buf text;
  struct str result = {0};
  if (!str_is(json_str(json_object_get(outcome, "resourceType")), "OperationOutcome")) return result;
  buf_init(&text, 4096);
  add_issues(outcome, &text);
  if (text.error == STATUS_OK && text.len) result = printable(&text, arena);
  buf_release(&text);
  return result;
}

struct str delivery_outcome_text(struct str body, struct arena *arena) {
  json_t *root = parse(body);
  struct str text = root ? outcome_text(root, arena) : (struct str){0};
  json_decref(root);
  return text;
}

/* "201" and "201 Created" alike: the first three digits. */
static long entry_status(struct str text) {
  if (text.len < 3) return 0;
  for (size_t i = 0; i < 3; i++)
    if (!isdigit((unsigned char)text.ptr[i])) return 0;
  return (text.ptr[0] - '0') * 100L + (text.ptr[1] - '0') * 10L + (text.ptr[2] - '0');
}

bool delivery_is_id(struct str s) {
  if (s.len == 0 || s.len > 64) return false;
  for (size_t i = 0; i < s.len; i++)
    if (!isalnum((unsigned char)s.ptr[i]) && s.ptr[i] != '-' && s.ptr[i] != '.') return false;
  return true;
}

static struct str last_segment(struct str *path) {
  size_t at = path->len;
  while (at > 0 && path->ptr[at - 1] != '/')
    at--;
  struct str segment = str_slice(*path, at, path->len);
  path->len = at ? at - 1 : 0;
  return segment;
}

/* [base/]Type/id[/_history/version], relative or absolute. */
static void split_location(struct str location, struct str base, struct arena *arena,
                           struct delivery_entry *entry) {
  if (str_starts(location, base)) location = str_slice(location, base.len, location.len);
  struct str id = last_segment(&location);
  struct str before = last_segment(&location);
  if (str_is(before, "_history")) {
    entry->version = arena_str(arena, id);
    id = last_segment(&location);
    before = last_segment(&location);
  }
  if (delivery_is_id(id) && delivery_is_id(before))
    entry->location = arena_printf(arena, "%.*s/%.*s", STR_ARG(before), STR_ARG(id));
}

/* W/"3" -> 3 */
static struct str etag_version(struct str etag) {
  size_t open = str_find_char(etag, '"', 0);
  size_t close = open == SIZE_MAX ? SIZE_MAX : str_find_char(etag, '"', open + 1);
  return close == SIZE_MAX ? (struct str){0} : str_slice(etag, open + 1, close);
}

static void read_entry(const json_t *item, struct str base, struct arena *arena,
                       struct delivery_entry *entry) {
  const json_t *response = json_object_get(item, "response");
  const json_t *outcome = json_object_get(response, "outcome");
  *entry = (struct delivery_entry){.status = entry_status(json_str(json_object_get(response, "status")))};
  split_location(json_str(json_object_get(response, "location")), base, arena, entry);
  if (!entry->version.len) {
    struct str version = etag_version(json_str(json_object_get(response, "etag")));
    if (delivery_is_id(version)) entry->version = arena_str(arena, version);
  }
  if (outcome) entry->outcome = outcome_text(outcome, arena);
  entry->verdict = delivery_classify(DELIVERY_ANSWER, entry->status, DELIVERY_BODY_FHIR, true);
}

static const char *fault_of(const json_t *root, size_t expected) {
  struct str type = json_str(json_object_get(root, "type"));
  if (!root) return "the answer is not JSON";
  if (!str_is(json_str(json_object_get(root, "resourceType")), "Bundle")) return "the answer is not a Bundle";
  if (!str_is(type, "transaction-response") && !str_is(type, "batch-response"))
    return "the answer is not a transaction-response or batch-response";
  if (json_array_size(json_object_get(root, "entry")) != expected)
    return "the answer does not have one entry for each that was sent";
  return NULL;
}

const char *delivery_read_response(struct str body, struct str base, size_t expected, struct arena *arena,
                                   struct delivery_entry *entries) {
  json_t *root = parse(body);
  const json_t *items = json_object_get(root, "entry");
  const char *fault = fault_of(root, expected);
  for (size_t i = 0; !fault && i < expected; i++) {
    read_entry(json_array_get(items, i), base, arena, &entries[i]);
    if (entries[i].status == 0) fault = "an entry of the answer has no status";
  }
  json_decref(root);
  return fault;
}

/* Type/id of the resource that the server sent back, although it was asked not to. */
static struct str body_location(struct str body, struct arena *arena) {
  json_t *root = parse(body);
  struct str type = json_str(json_object_get(root, "resourceType"));
  struct str id = json_str(json_object_get(root, "id"));
  struct str location = {0};
  if (delivery_is_id(type) && delivery_is_id(id)) location = arena_printf(arena, "%.*s/%.*s", STR_ARG(type), STR_ARG(id));
  json_decref(root);
  return location;
}

void delivery_read_single(const struct delivery_answer *answer, struct str base, struct str path,
                          struct arena *arena, struct delivery_entry *out) {
  *out = (struct delivery_entry){.status = answer->status, .verdict = answer->verdict};
  split_location(answer->location, base, arena, out);
  if (!out->location.len) out->location = body_location(answer->body, arena);
  if (!out->location.len) split_location(path, base, arena, out);
  if (!out->version.len) {
    struct str version = etag_version(answer->etag);
    if (delivery_is_id(version)) out->version = arena_str(arena, version);
  }
}
