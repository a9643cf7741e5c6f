/* compare.c - what was sent against what a server holds: by value, not by spelling. */
#include "bundle/internal.h"

enum { DEPTH_MAX = 64 };

static bool same_number(struct str a, struct str b) {
  struct decimal x, y;
  return decimal_parse(a, &x) && decimal_parse(b, &y) && decimal_compare(x, y) == 0;
}

static bool same_time(struct str a, struct str b) {
  struct datetime x, y;
  return datetime_parse(a, DATETIME_DATETIME, &x) && datetime_parse(b, DATETIME_DATETIME, &y) &&
         datetime_compare(&x, &y) == DATETIME_EQUAL;
}

/* "https://ehr/fhir/Patient/1/_history/2" -> "Patient/1" */
static struct str local_reference(struct str text) {
  size_t history = str_find(text, STR("/_history/"), 0);
  if (history != SIZE_MAX) text.len = history;
  if (!str_starts(text, STR("https://")) && !str_starts(text, STR("http://"))) return text;
  size_t at = text.len;
  for (unsigned slashes = 0; at > 0; at--)
    if (text.ptr[at - 1] == '/' && ++slashes == 2) break;
  return str_slice(text, at, text.len);
}

static bool same_text(const struct tree_node *a, const struct tree_node *b) {
  if (str_eq(a->text, b->text)) return true;
  if (a->kind == TREE_NUMBER || b->kind == TREE_NUMBER) return same_number(a->text, b->text);
  if (a->kind != TREE_STRING || b->kind != TREE_STRING) return false;
  if (str_is(a->name, "reference")) return str_eq(local_reference(a->text), local_reference(b->text));
  return same_time(a->text, b->text);
}

/* The server's to say: ids, versions, narrative; display texts, and what type a reference has. */
static bool is_servers(const struct tree_node *node, unsigned depth) {
  static const char *const everywhere[] = {"id", "display"};
  static const char *const top[] = {"meta", "text", "implicitRules"};
  for (size_t i = 0; i < sizeof everywhere / sizeof everywhere[0]; i++)
    if (str_is(node->name, everywhere[i])) return true;
  for (size_t i = 0; depth == 0 && i < sizeof top / sizeof top[0]; i++)
    if (str_is(node->name, top[i])) return true;
  return tree_is_meta(node) || (depth == 0 && str_is(node->name, "resourceType"));
}

static bool is_held(const struct tree_node *ours, const struct tree_node *theirs, unsigned depth);

/* Some repetition of theirs is what ours is. */
static bool is_among(const struct tree_node *ours, const struct tree_node *theirs, unsigned depth) {
  for (const struct tree_node *other = tree_find_str(theirs, ours->name); other; other = tree_next_same(other))
    if (is_held(ours, other, depth)) return true;
  return false;
}

static bool is_reference_type(const struct tree_node *node) {
  return str_is(node->name, "type") && node->parent && tree_find(node->parent, "reference");
}

static bool is_held(const struct tree_node *ours, const struct tree_node *theirs, unsigned depth) {
  if (depth > DEPTH_MAX) return false;
  if (ours->kind != TREE_OBJECT && !same_text(ours, theirs)) return false;
  for (const struct tree_node *child = ours->child; child; child = child->next)
    if (!is_servers(child, depth) && !is_reference_type(child) && !is_among(child, theirs, depth + 1)) return false;
  return true;
}

static size_t add(struct str *names, size_t count, size_t max, struct str name) {
  for (size_t i = 0; i < count; i++)
    if (str_eq(names[i], name)) return count;
  if (count < max) names[count++] = name;
  return count;
}

static size_t repetitions(const struct tree_node *parent, struct str name) {
  size_t count = 0;
  for (const struct tree_node *node = tree_find_str(parent, name); node; node = tree_next_same(node))
    count++;
  return count;
}

/* Of meta only the labels are ours: how confidential it is. */
static bool has_labels(const struct tree_node *ours, const struct tree_node *theirs) {
  const struct tree_node *mine = tree_find(ours, "meta"), *other = tree_find(theirs, "meta");
  const struct tree_node *label = mine ? tree_find(mine, "security") : NULL;
  for (; label; label = tree_next_same(label))
    if (!other || !is_among(label, other, 1)) return false;
  return true;
}

size_t bundle_compare(const struct tree_node *ours, const struct tree_node *theirs, bool extra, struct str *names,
                      size_t max) {
  size_t count = 0;
  for (const struct tree_node *child = ours->child; child; child = child->next)
    if (!is_servers(child, 0) && child->name.len && !is_among(child, theirs, 1))
      count = add(names, count, max, child->name);
  if (!has_labels(ours, theirs)) count = add(names, count, max, STR("meta.security"));
  for (const struct tree_node *child = extra ? theirs->child : NULL; child; child = child->next) {
    if (is_servers(child, 0) || !child->name.len) continue;
    if (repetitions(theirs, child->name) > repetitions(ours, child->name))
      count = add(names, count, max, child->name);
  }
  return count;
}
