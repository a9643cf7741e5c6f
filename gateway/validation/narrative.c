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

static void add_anchor(struct validation_walk *walk, struct str anchor, struct tree_node *node) {
  if (anchor.len && map_put(&walk->anchors, anchor, node) == STATUS_NOMEM) walk->status = STATUS_NOMEM;
}

/* Values of `id` and `name` in the text of a narrative. */
static void add_attributes(struct validation_walk *walk, struct tree_node *div, const char *name) {
  struct str word = str_of(name), text = div->text, found;
  for (size_t at = 0; (at = str_find(text, word, at)) != SIZE_MAX;) {
    bool alone = at > 0 && (text.ptr[at - 1] == ' ' || text.ptr[at - 1] == '\n' || text.ptr[at - 1] == '\t');
    at = take_value(text, at + word.len, &found);
    if (alone) add_anchor(walk, found, div);
  }
}

static void add_anchors_of(struct validation_walk *walk, struct tree_node *node) {
  const struct def_type *type = node_type(node);
  if (str_is(node->name, "id")) add_anchor(walk, node->text, node);
  if (!type || def_type_primitive(type) != DEF_P_XHTML) return;
  add_attributes(walk, node, "id");
  add_attributes(walk, node, "name");
}

/* Once for all links, when the first one asks: a Bundle may have many of both. */
static void index_anchors(struct validation_walk *walk) {
  map_init(&walk->anchors, walk->run->arena);
  for (struct tree_node *node = walk->root; node; node = tree_following(walk->root, node))
    add_anchors_of(walk, node);
}

/* An element with that id, or a place of that id or name in a narrative. */
static bool has_target(struct validation_walk *walk, struct str id) {
  if (!walk->anchors.arena) index_anchors(walk);
  return map_get(&walk->anchors, id) != NULL;
}

static bool has_scheme(struct str link, const char *scheme) {
  struct str word = str_of(scheme);
  if (link.len <= word.len || link.ptr[word.len] != ':') return false;
  for (size_t i = 0; i < word.len; i++)
    if ((link.ptr[i] | 0x20) != word.ptr[i]) return false;
  return true;
}

/* In a Bundle also the narrative of another resource, by the anchor that HL7's tools give it: "Type_id". */
static bool has_resource(struct validation_walk *walk, struct str anchor) {
  size_t mark = str_find_char(anchor, '_', 0);
  if (!walk->is_bundle || mark == SIZE_MAX) return false;
  struct str key = arena_printf(walk->run->arena, "%.*s/%.*s", (int)mark, anchor.ptr,
                                STR_ARG(str_slice(anchor, mark + 1, anchor.len)));
  return key.ptr && validation_find_by_id(walk, key);
}

static bool leads_somewhere(struct validation_walk *walk, struct str anchor) {
  return has_target(walk, anchor) || has_resource(walk, anchor);
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

/* Links stand in the tags of `a` and `area`, which both begin with an a; no attribute holds a `<`. */
void validation_check_narrative(struct validation_walk *walk, struct tree_node *narrative) {
  const struct tree_node *div = tree_find(narrative, "div");
  struct str link;
  if (!div || div->kind != TREE_STRING) return;
  size_t tag = str_find_char(div->text, '<', 0);
  while (tag != SIZE_MAX) {
    size_t next = str_find_char(div->text, '<', tag + 1);
    bool links = tag + 1 < div->text.len && div->text.ptr[tag + 1] == 'a';
    struct str text = links ? str_slice(div->text, tag, next) : (struct str){0};
    for (size_t at = 0; (at = str_find(text, STR("href"), at)) != SIZE_MAX;) {
      bool alone = at > 0 && (text.ptr[at - 1] == ' ' || text.ptr[at - 1] == '\n' || text.ptr[at - 1] == '\t');
      at = take_value(text, at + 4, &link);
      if (alone && link.ptr) check_link(walk, div, link);
    }
    tag = next;
  }
}
