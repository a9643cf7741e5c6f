/*
 * xml.c - what XML needs definitions for. Reading: which elements are lists, which values are numbers.
 * Writing: which elements of a logical model are attributes or text, and their namespaces.
 */
#include "definitions/internal.h"

/* --- reading --------------------------------------------------------------------------------- */

struct settle {
  const struct source *source;
  struct arena *arena;
  struct diag_list *diags;
  bool in_order; /* the elements of resources have one */
  bool failed;
};

static bool digits(struct str text, size_t *at) {
  size_t from = *at;
  while (*at < text.len && text.ptr[*at] >= '0' && text.ptr[*at] <= '9')
    ++*at;
  return *at > from;
}

/* Only what JSON can write as a number becomes one; the rest stays a text of the wrong kind. */
static bool is_number(struct str text) {
  size_t at = text.len && text.ptr[0] == '-';
  bool zero = at < text.len && text.ptr[at] == '0';
  size_t from = at;
  if (text.len > LIMIT_NUMBER_CHARS || !digits(text, &at) || (zero && at > from + 1)) return false;
  if (at < text.len && text.ptr[at] == '.') {
    at++;
    if (!digits(text, &at)) return false;
  }
  if (at < text.len && (text.ptr[at] | 0x20) == 'e') {
    at++;
    if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-')) at++;
    if (!digits(text, &at)) return false;
  }
  return at == text.len;
}

static enum tree_kind kind_of(const struct def_type *type, struct str text) {
  switch ((enum def_primitive)type->primitive) {
  case DEF_P_BOOLEAN:
    return str_is(text, "true") || str_is(text, "false") ? TREE_BOOLEAN : TREE_STRING;
  case DEF_P_INTEGER:
  case DEF_P_POSITIVE_INT:
  case DEF_P_UNSIGNED_INT:
  case DEF_P_DECIMAL:
    return is_number(text) ? TREE_NUMBER : TREE_STRING;
  default:
    return TREE_STRING;
  }
}

static void settle_kind(struct tree_node *node) {
  const struct def_type *type = node->type;
  if (node->kind == TREE_STRING && type->primitive)
    node->kind = (uint8_t)kind_of(type, node->text);
  else if (node->kind == TREE_OBJECT && type->primitive && node->child)
    node->kind = TREE_NULL; /* only an id or extensions */
}

/* Members without a definition repeat as the text has them. */
static bool repeats(const struct tree_node *before, const struct tree_node *node) {
  return (node->next && str_eq(node->next->name, node->name)) || (before && str_eq(before->name, node->name));
}

static void check_order(struct settle *settle, const struct tree_node *before, const struct tree_node *node) {
  if (!before || !before->element || tree_is_meta(before) || (before->flags & TREE_ATTRIBUTE)) return;
  if (node->order >= before->order && node->offset >= before->offset) return;
  const struct tree_node *late = node->order < before->order ? node : before;
  struct diag_at at = {
      .source = settle->source, .offset = tree_offset(late), .path = definitions_path(late, settle->arena)};
  settle->failed = true;
  diag_error(settle->diags, DIAG_XML_ORDER, &at, "the element is out of order");
}

/* The text of an element whose type has an element for it. */
static void move_text(struct settle *settle, struct tree_node *node) {
  const struct def_type *type = node->type;
  const struct def_element *elements = rel_items(&type->elements);
  if (node->kind != TREE_STRING || type->primitive) return;
  for (size_t i = 0; i < type->elements.count; i++) {
    const struct pack_type_ref *ref = rel_items(&elements[i].types);
    if (!(elements[i].flags & PACK_XML_TEXT) || !ref) continue;
    struct tree_node *child = definitions_make(NULL, settle->arena, node, &elements[i], rel_get(&ref->type));
    if (!child) return;
    child->text = node->text;
    child->offset = node->offset;
    child->kind = (uint8_t)kind_of(child->type, child->text);
    node->kind = TREE_OBJECT;
    node->text = (struct str){0};
    return;
  }
}

static void settle_children(struct settle *settle, struct tree_node *parent) {
  const struct tree_node *before = NULL;
  for (struct tree_node *node = parent->child; node; before = node, node = node->next) {
    if (!node->element || !node->type) {
      if (!tree_is_meta(node) && repeats(before, node)) node->flags |= TREE_IN_ARRAY;
      continue;
    }
    if (((const struct def_element *)node->element)->flags & PACK_LIST) node->flags |= TREE_IN_ARRAY;
    settle_kind(node);
    move_text(settle, node);
    if (settle->in_order) check_order(settle, before, node);
  }
}

void def_settle_xml(struct tree_node *root, const struct source *source, struct arena *arena,
                    struct diag_list *diags, bool *failed) {
  struct settle settle = {.source = source, .arena = arena, .diags = diags};
  settle.in_order = root->type && ((const struct def_type *)root->type)->kind == DEF_RESOURCE;
  root->flags &= (uint8_t)~TREE_XML;
  for (struct tree_node *node = root; node; node = tree_following(root, node))
    settle_children(&settle, node);
  if (settle.in_order) tree_sort(root); /* attributes stand where JSON has them */
  *failed |= settle.failed;
}

/* --- writing --------------------------------------------------------------------------------- */

struct str def_type_xml_namespace(const struct def_type *type) {
  struct str space = {0};
  for (unsigned depth = 0; type && !space.len && depth < LIMIT_DEPTH; type = def_type_base(type), depth++)
    space = def_xml_space(&type->xml);
  return space;
}

static void describe(const struct tree_node *node, struct tree_xml_form *form) {
  const struct def_element *element = node->element;
  if (!element) return;
  form->name = def_xml_name(&element->xml);
  form->space = def_xml_space(&element->xml);
  if (element->flags & PACK_XML_ATTRIBUTE) form->as = TREE_XML_ATTRIBUTE;
  if (element->flags & PACK_XML_TEXT) form->as = TREE_XML_TEXT;
  if (!(element->flags & PACK_XML_TYPE)) return;
  if (!form->name.len) form->name = rel_text(&element->name);
  if (node->type) form->type = rel_text(&((const struct def_type *)node->type)->name);
}

/* "ClinicalDocument" of "CDAR2.ClinicalDocument": the type's own name, else the last part of its URL. */
static struct str root_name(const struct def_type *type) {
  struct str name = def_xml_name(&type->xml), url = rel_text(&type->url);
  size_t from = url.len;
  if (name.len) return name;
  while (from > 0 && url.ptr[from - 1] != '/')
    from--;
  return str_slice(url, from, url.len);
}

void definitions_write_xml(struct tree_node *root, bool pretty, struct buf *out) {
  struct tree_write_xml options = {.pretty = pretty};
  const struct def_type *type = root->type;
  if (type && type->kind != DEF_RESOURCE) {
    options.name = root_name(type);
    options.space = def_type_xml_namespace(type);
    options.describe = describe;
  }
  tree_sort(root);
  tree_write_xml(root, &options, out);
}
