/*
 * narrative.c - where the links of a narrative lead: "#id" to something in the resource or its Bundle, and
 * nothing that runs (R4 narrative.html: no "active content"). The XHTML itself is xhtml.c's.
 */
#include "validation/internal.h"

/* The value of the attribute that begins at `at`, and the place behind it. */
static size_t take_value(struct str text, size_t at, struct str *out) {
  while (at < text.len && (text.ptr[at] == ' ' || text.ptr[at] == '='))
    at++;
  *out = (struct str){0};
  if (at >= text.len || (text.ptr[at] != '"' && text.ptr[at] != '\'')) return at;
  size_t end = str_find_char(text, text.ptr[at], at + 1);
  if (end == SIZE_MAX) return text.len;
  *out = str_slice(text, at + 1, end);
  return end + 1;
}

static bool has_attribute(struct str text, const char *name, struct str value) {
  struct str word = str_of(name), found;
  for (size_t at = 0; (at = str_find(text, word, at)) != SIZE_MAX;) {
    bool alone = at > 0 && (text.ptr[at - 1] == ' ' || text.ptr[at - 1] == '\n' || text.ptr[at - 1] == '\t');
    at = take_value(text, at + word.len, &found);
    if (alone && str_eq(found, value)) return true;
  }
  return false;
}

/* An element with that id, or a place of that id or name in a narrative. */
static bool has_target(const struct tree_node *root, struct str id) {
  const struct tree_node *node = root;
  while (node) {
    const struct def_type *type = node_type(node);
    if (str_is(node->name, "id") && str_eq(node->text, id)) return true;
    if (type && def_type_primitive(type) == DEF_P_XHTML &&
        (has_attribute(node->text, "id", id) || has_attribute(node->text, "name", id)))
      return true;
    if (node->child) {
      node = node->child;
      continue;
    }
    while (node != root && !node->next)
      node = node->parent;
    node = node == root ? NULL : node->next;
  }
  return false;
}

static bool has_scheme(struct str link, const char *scheme) {
  struct str word = str_of(scheme);
  if (link.len <= word.len || link.ptr[word.len] != ':') return false;
  for (size_t i = 0; i < word.len; i++)
    if ((link.ptr[i] | 0x20) != word.ptr[i]) return false;
  return true;
}

/* In a Bundle also the narrative of another resource, by the anchor that HL7's tools give it: "Type_id". */
static bool has_resource(const struct validation_walk *walk, struct str anchor) {
  size_t mark = str_find_char(anchor, '_', 0);
  if (!walk->is_bundle || mark == SIZE_MAX) return false;
  struct str key = arena_printf(walk->run->arena, "%.*s/%.*s", (int)mark, anchor.ptr,
                                STR_ARG(str_slice(anchor, mark + 1, anchor.len)));
  return key.ptr && map_get(&walk->ids, key);
}

static bool leads_somewhere(const struct validation_walk *walk, struct str anchor) {
  return has_target(walk->resource, anchor) || (walk->is_bundle && has_target(walk->root, anchor)) ||
         has_resource(walk, anchor);
}

static void check_link(struct validation_walk *walk, const struct tree_node *div, struct str link) {
  const char *why = NULL;
  if (str_trim(link).len == 0)
    why = "a link of the XHTML leads nowhere";
  else if (has_scheme(link, "javascript") || has_scheme(link, "vbscript"))
    why = "a link of the XHTML runs a script";
  else if (has_scheme(link, "urn") || has_scheme(link, "cid"))
    why = "a link of the XHTML must be one that can be followed, no urn: or cid:";
  else if (link.len > 1 && link.ptr[0] == '#' && !leads_somewhere(walk, str_slice(link, 1, link.len)))
    why = "a link of the XHTML leads to an id that is not there";
  if (why) validation_report(walk, DIAG_ERROR, DIAG_VALUE_FORMAT, div, "%s", why);
}

void validation_check_narrative(struct validation_walk *walk, struct tree_node *narrative) {
  const struct tree_node *div = tree_find(narrative, "div");
  struct str link;
  if (!div || div->kind != TREE_STRING) return;
  for (size_t at = 0; (at = str_find(div->text, STR("href"), at)) != SIZE_MAX;) {
    bool alone = at > 0 && (div->text.ptr[at - 1] == ' ' || div->text.ptr[at - 1] == '\n');
    at = take_value(div->text, at + 4, &link);
    if (alone && link.ptr) check_link(walk, div, link);
  }
}
