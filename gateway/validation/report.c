/* report.c - findings: where a node stands in the text and in the tree. */
#include "validation/internal.h"

size_t validation_offset_of(const struct tree_node *node) {
  while (node && node->offset == 0)
    node = node->parent;
  return node ? tree_offset(node) : 0;
}

/* After these the values below a node are not what rules expect them to be. */
static bool is_malformed(enum diag_code code) {
  return code == DIAG_WRONG_TYPE || code == DIAG_VALUE_FORMAT || code == DIAG_NOT_AN_ARRAY ||
         code == DIAG_CHOICE_CONFLICT || code == DIAG_EMPTY_VALUE || code == DIAG_TOO_MANY;
}

/* A list where none may be is one thing, whatever it holds. */
static struct str without_index(struct str path) {
  while (path.len && path.ptr[path.len - 1] != '[')
    path.len--;
  return str_slice(path, 0, path.len ? path.len - 1 : 0);
}

/* A path costs a walk over siblings: none for what the list counts only. */
static struct str path_of(const struct validation_walk *walk, const struct tree_node *node, enum diag_severity severity) {
  if (!diag_has_room(walk->run->diags, severity)) return (struct str){0};
  return definitions_path(node, walk->run->arena);
}

static struct diag_at place_of(const struct validation_walk *walk, const struct tree_node *node, enum diag_severity severity) {
  return (struct diag_at){.source = walk->run->source,
                          .offset = validation_offset_of(node),
                          .path = path_of(walk, node, severity),
                          .profile = walk->profile ? def_type_url(walk->profile) : (struct str){0}};
}

/* Only whether there is an error is asked; or it is advice that nobody asked for. */
static bool is_quiet(struct validation_walk *walk, enum diag_severity severity) {
  if (walk->quiet && severity >= DIAG_ERROR) walk->quiet_errors++;
  return walk->quiet != 0;
}

static void report(struct validation_walk *walk, enum diag_severity severity, enum diag_code code,
                   struct diag_at *at, const char *format, va_list args)
    __attribute__((format(printf, 5, 0)));

static void report(struct validation_walk *walk, enum diag_severity severity, enum diag_code code,
                   struct diag_at *at, const char *format, va_list args) {
  struct str message = arena_vprintf(walk->run->arena, format, args);
  if (code == DIAG_NOT_AN_ARRAY && at->path.len && at->path.ptr[at->path.len - 1] == ']')
    at->path = without_index(at->path);
  diag_add(walk->run->diags, severity, code, at, "%.*s", STR_ARG(message));
  walk->malformed += is_malformed(code);
  walk->kept++;
}

void validation_report(struct validation_walk *walk, enum diag_severity severity, enum diag_code code,
                       const struct tree_node *node, const char *format, ...) {
  if (is_quiet(walk, severity)) return;
  va_list args;
  va_start(args, format);
  struct diag_at at = place_of(walk, node, severity);
  report(walk, severity, code, &at, format, args);
  va_end(args);
}

void validation_advise(struct validation_walk *walk, enum diag_severity severity, enum diag_code code,
                       const struct tree_node *node, const char *format, ...) {
  if (walk->quiet || !walk->run->advice) return;
  va_list args;
  va_start(args, format);
  struct diag_at at = place_of(walk, node, severity);
  report(walk, severity, code, &at, format, args);
  va_end(args);
}

/* What nobody has defined has a name of the record's own. */
static struct str unknown_path(struct validation_walk *walk, const struct tree_node *node, struct str path,
                               enum diag_severity severity) {
  struct str above = path_of(walk, node->parent, severity);
  if (!above.len || path.len <= above.len) return path;
  struct str name = diag_value(walk->run->arena, str_slice(path, above.len + 1, path.len));
  return arena_printf(walk->run->arena, "%.*s.%.*s", STR_ARG(above), STR_ARG(name));
}

void validation_report_at(struct validation_walk *walk, enum diag_severity severity, enum diag_code code,
                          const struct tree_node *node, const struct tree_node *place, const char *format,
                          ...) {
  if (is_quiet(walk, severity)) return;
  va_list args;
  va_start(args, format);
  struct diag_at at = place_of(walk, walk->is_record ? place : node, severity);
  at.offset = validation_offset_of(place);
  if (walk->is_record && code == DIAG_UNKNOWN_ELEMENT) at.path = unknown_path(walk, place, at.path, severity);
  report(walk, severity, code, &at, format, args);
  va_end(args);
}

void validation_report_rule(struct validation_walk *walk, const struct tree_node *node,
                            const struct def_constraint *constraint) {
  enum diag_severity severity = constraint->is_error ? DIAG_ERROR : DIAG_WARNING;
  if (is_quiet(walk, severity)) return;
  struct diag_at at = place_of(walk, node, severity);
  at.expression = constraint->expression;
  at.rule = constraint->key;
  diag_add(walk->run->diags, severity, DIAG_CONSTRAINT_FAILED, &at, "%.*s: %.*s", STR_ARG(constraint->key),
           STR_ARG(constraint->human));
  walk->kept++;
}

/* The finding stands at the element that lacks it, as in HL7's validator; in a record at what is not there.
 */
void validation_report_missing(struct validation_walk *walk, const struct tree_node *node,
                               const struct validation_element *element, size_t count) {
  struct str name = def_element_path(element->element);
  if (is_quiet(walk, DIAG_ERROR)) return;
  struct diag_at at = place_of(walk, node, DIAG_ERROR);
  if (walk->is_record)
    at.path = arena_printf(walk->run->arena, "%.*s.%.*s", STR_ARG(at.path),
                           STR_ARG(def_element_name(element->element)));
  if (count == 0)
    diag_error(walk->run->diags, DIAG_REQUIRED_MISSING, &at, "%.*s is missing", STR_ARG(name));
  else
    diag_error(walk->run->diags, DIAG_REQUIRED_MISSING, &at, "%.*s is needed %u times, found %zu",
               STR_ARG(name), element->min, count);
  walk->kept++;
}

/* --- order --- */

static bool is_before(const struct diag *a, const struct diag *b) {
  return a->line != b->line ? a->line < b->line : a->col < b->col;
}

/* Takes the lesser of two heads; the first on a tie, so that the sort is stable. */
static struct diag *take(struct diag **a, struct diag **b) {
  struct diag **from = !*a ? b : !*b ? a : is_before(*b, *a) ? b : a;
  struct diag *taken = *from;
  *from = taken->next;
  return taken;
}

/* The first `count` of a list cut off; the rest is given back. */
static struct diag *cut(struct diag *head, size_t count) {
  while (head && --count)
    head = head->next;
  struct diag *rest = head ? head->next : NULL;
  if (head) head->next = NULL;
  return rest;
}

/* Merge sort from the bottom up; true when one run was left. */
static bool merge_runs(struct diag **head, size_t width, struct diag **last) {
  struct diag *rest = *head, **tail = head;
  size_t merges = 0;
  while (rest) {
    struct diag *a = rest, *b = cut(a, width);
    rest = cut(b, width);
    merges++;
    while (a || b) {
      *tail = *last = take(&a, &b);
      tail = &(*tail)->next;
    }
  }
  *tail = NULL;
  return merges <= 1;
}

void validation_sort(struct diag_list *list, struct diag *last) {
  struct diag **head = last ? &last->next : &list->first;
  if (!*head) return;
  for (size_t width = 1; !merge_runs(head, width, &list->last); width *= 2)
    continue;
}

bool validation_note_once(struct validation_walk *walk, struct str key) {
  walk->kept++;
  return map_put(&walk->noted, key, walk) == STATUS_OK;
}
