/* response.c - a server's answer: its shape, a transaction response entry by entry, an outcome in a few
 * words. */
#include <ctype.h>
#include "delivery/internal.h"

enum { ISSUES_SHOWN = 5 };

struct tree_node *delivery_body_read(struct str body, struct arena *arena) {
  struct arena_mark mark = arena_mark(arena);
  struct diag_list ignored;
  struct source source = source_make(STR("answer"), body);
  struct tree_node *root = NULL;
  diag_list_init(&ignored, arena);
  if (tree_read_json(&source, NULL, arena, &ignored, &root) == STATUS_OK) return root;
  arena_rewind(arena, mark);
  return NULL;
}

static bool is_json_type(struct str type) {
  size_t end = str_find_char(type, ';', 0);
  struct str media = str_trim(str_slice(type, 0, end == SIZE_MAX ? type.len : end));
  return str_is(media, "application/fhir+json") || str_is(media, "application/json") ||
         str_is(media, "application/json+fhir");
}

/* --- members of what was read: an array where none belongs is as good as nothing --- */

static const struct tree_node *member(const struct tree_node *object, const char *name) {
  const struct tree_node *found = object ? tree_find(object, name) : NULL;
  return found && !(found->flags & TREE_IN_ARRAY) ? found : NULL;
}

static struct str text_of(const struct tree_node *object, const char *name) {
  const struct tree_node *found = member(object, name);
  return found && found->kind == TREE_STRING ? found->text : (struct str){0};
}

static const struct tree_node *first_item(const struct tree_node *object, const char *name) {
  const struct tree_node *found = object ? tree_find(object, name) : NULL;
  return found && found->flags & TREE_IN_ARRAY ? found : NULL;
}

static size_t count_items(const struct tree_node *item) {
  size_t count = 0;
  for (; item; item = tree_next_same(item))
    count++;
  return count;
}

enum delivery_body delivery_body_shape(struct str content_type, struct str body, struct arena *arena,
                                       struct tree_node **root) {
  *root = NULL;
  if (str_trim(body).len == 0) return DELIVERY_BODY_EMPTY;
  if (!is_json_type(content_type)) return DELIVERY_BODY_OTHER;
  *root = delivery_body_read(body, arena);
  if (!*root) return DELIVERY_BODY_TRUNCATED;
  const struct tree_node *type = member(*root, "resourceType");
  return type && type->kind == TREE_STRING ? DELIVERY_BODY_FHIR : DELIVERY_BODY_OTHER;
}

/* Codes only: diagnostics may repeat a patient's data. */
static void add_issues(const struct tree_node *outcome, struct buf *out) {
  const struct tree_node *issue = first_item(outcome, "issue");
  size_t count = count_items(issue);
  for (size_t i = 0; i < count && i < ISSUES_SHOWN; i++, issue = tree_next_same(issue)) {
    const struct tree_node *expression = first_item(issue, "expression");
    buf_printf(out, "%s%.*s %.*s", i ? "; " : "", STR_ARG(text_of(issue, "severity")), STR_ARG(text_of(issue, "code")));
    if (expression && expression->kind == TREE_STRING && expression->text.len <= 200)
      buf_printf(out, " at %.*s", STR_ARG(expression->text));
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

static struct str outcome_text(const struct tree_node *outcome, struct arena *arena) {
  struct buf text;
  struct str result = {0};
  if (!str_is(text_of(outcome, "resourceType"), "OperationOutcome")) return result;
  buf_init(&text, 4096);
  add_issues(outcome, &text);
  if (text.error == STATUS_OK && text.len) result = printable(&text, arena);
  buf_release(&text);
  return result;
}

struct str delivery_outcome_text(struct str body, struct arena *arena) {
  const struct tree_node *root = delivery_body_read(body, arena);
  return root ? outcome_text(root, arena) : (struct str){0};
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
  if (delivery_is_id(id) && delivery_is_id(before)) entry->location = arena_join(arena, before, '/', id);
}

/* W/"3" -> 3 */
static struct str etag_version(struct str etag) {
  size_t open = str_find_char(etag, '"', 0);
  size_t close = open == SIZE_MAX ? SIZE_MAX : str_find_char(etag, '"', open + 1);
  return close == SIZE_MAX ? (struct str){0} : str_slice(etag, open + 1, close);
}

static void read_entry(const struct tree_node *item, struct str base, struct arena *arena,
                       struct delivery_entry *entry) {
  const struct tree_node *response = member(item, "response");
  const struct tree_node *outcome = member(response, "outcome");
  *entry = (struct delivery_entry){.status = entry_status(text_of(response, "status"))};
  split_location(text_of(response, "location"), base, arena, entry);
  if (!entry->version.len) {
    struct str version = etag_version(text_of(response, "etag"));
    if (delivery_is_id(version)) entry->version = arena_str(arena, version);
  }
  if (outcome) entry->outcome = outcome_text(outcome, arena);
  entry->verdict = delivery_classify(DELIVERY_ANSWER, entry->status, DELIVERY_BODY_FHIR, true);
}

static const char *fault_of(const struct tree_node *root, size_t expected) {
  struct str type = text_of(root, "type");
  if (!root) return "the answer is not JSON";
  if (!str_is(text_of(root, "resourceType"), "Bundle")) return "the answer is not a Bundle";
  if (!str_is(type, "transaction-response") && !str_is(type, "batch-response"))
    return "the answer is not a transaction-response or batch-response";
  if (count_items(first_item(root, "entry")) != expected)
    return "the answer does not have one entry for each that was sent";
  return NULL;
}

const char *delivery_read_response(const struct tree_node *root, struct str base, size_t expected,
                                   struct arena *arena, struct delivery_entry *entries) {
  const char *fault = fault_of(root, expected);
  const struct tree_node *item = fault ? NULL : first_item(root, "entry");
  for (size_t i = 0; !fault && i < expected; i++, item = tree_next_same(item)) {
    read_entry(item, base, arena, &entries[i]);
    if (entries[i].status == 0) fault = "an entry of the answer has no status";
  }
  return fault;
}

/* Type/id of the resource that the server sent back, although it was asked not to. */
static struct str body_location(const struct tree_node *root, struct arena *arena) {
  struct str type = text_of(root, "resourceType"), id = text_of(root, "id");
  return delivery_is_id(type) && delivery_is_id(id) ? arena_join(arena, type, '/', id) : (struct str){0};
}

void delivery_read_single(const struct delivery_answer *answer, struct str base, struct str path,
                          struct arena *arena, struct delivery_entry *out) {
  *out = (struct delivery_entry){.status = answer->status, .verdict = answer->verdict};
  split_location(answer->location, base, arena, out);
  if (!out->location.len) out->location = body_location(answer->root, arena);
  if (!out->location.len) split_location(path, base, arena, out);
  if (!out->version.len) {
    struct str version = etag_version(answer->etag);
    if (delivery_is_id(version)) out->version = arena_str(arena, version);
  }
}
