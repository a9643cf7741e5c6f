/*
 * group.c - where a segment stands in the structure of its message.
 *
 * The groups that are open are a stack. A segment goes, in the innermost group where that is possible, behind
 * what was placed last: as an element of the group, or as the beginning of a group in it. Real messages leave
 * the order now and then; then a segment goes where the open groups have an element of its name, and if need be
 * into a group that has been closed. That changes nothing for what comes after it.
 */
#include "hl7v2/internal.h"

/* --- what the structure says --- */

static bool is_group(const struct def_element *element, const struct def_type **type) {
  *type = def_element_type(element, 0).type;
  return *type && def_type_kind(*type) == DEF_NESTED;
}

/* `id` and `extension` of Element. */
static bool is_inherited(const struct def_element *element) {
  return def_element_name(element).ptr[0] >= 'a';
}

/* Whether a group may begin with the segment: its first one, or one before which there are groups or notes only. */
static bool begins_with(const struct def_type *group, uint32_t symbol, size_t depth) {
  const struct def_type *inner;
  for (size_t i = 0; i < def_type_element_count(group) && depth < HL7V2_DEPTH_MAX; i++) {
    const struct def_element *element = def_type_element_at(group, i);
    if (is_group(element, &inner)) {
      if (begins_with(inner, symbol, depth + 1)) return true;
      continue;
    }
    if (def_element_symbol(element) == symbol) return true;
    if (!is_inherited(element) && !str_is(def_element_name(element), "NTE")) return false;
  }
  return false;
}

static bool has_inside(const struct def_type *group, uint32_t symbol, size_t depth) {
  const struct def_type *inner;
  if (def_type_element(group, symbol)) return true;
  for (size_t i = 0; i < def_type_element_count(group) && depth < HL7V2_DEPTH_MAX; i++)
    if (is_group(def_type_element_at(group, i), &inner) && has_inside(inner, symbol, depth + 1)) return true;
  return false;
}

/* --- nodes --- */

static struct tree_node *last_named(const struct tree_node *parent, struct str name) {
  struct tree_node *found = NULL;
  for (struct tree_node *at = parent->child; at; at = at->next)
    if (str_eq(at->name, name)) found = at;
  return found;
}

static void insert_behind(struct tree_node *like, struct tree_node *node) {
  if (!like->next) {
    tree_append(like->parent, node);
    return;
  }
  node->parent = like->parent;
  node->next = like->next;
  like->next = node;
}

/* In the order of the definitions; strangers among the siblings must not part it from its like. */
static void insert(struct tree_node *parent, struct tree_node *node) {
  bool strangers = parent->last && !parent->last->element && parent->last->order == node->order;
  struct tree_node *like = strangers ? last_named(parent, node->name) : NULL;
  if (like)
    insert_behind(like, node);
  else
    tree_insert_ordered(parent, node);
}

static struct tree_node *add_node(struct hl7v2_grouping *g, struct tree_node *parent, const struct def_element *element,
                                  size_t offset) {
  struct tree_node *node = ARENA_NEW(g->arena, struct tree_node);
  if (!node) return NULL;
  definitions_fill(element, node);
  node->kind = TREE_OBJECT;
  node->offset = (uint32_t)offset + 1;
  insert(parent, node);
  return node;
}

/* The model of a segment; not that of a message whose name has three letters, as ACK has. */
static const struct def_type *model_of(const struct definitions *definitions, struct str name) {
  char model[6] = {'V', '2', '_', name.ptr[0], name.ptr[1], name.ptr[2]}, field[5] = {name.ptr[0], name.ptr[1], name.ptr[2], '_', '1'};
  const struct def_type *type = definitions_type(definitions, str_make(model, sizeof model));
  return type && def_type_element_named(type, str_make(field, sizeof field)) ? type : NULL;
}

/* A segment without an element: behind its like, else where it stands. */
static struct tree_node *add_stranger(struct hl7v2_grouping *g, struct str name, size_t offset) {
  struct hl7v2_frame *top = &g->frames[g->depth - 1];
  struct tree_node *parent = top->node;
  struct tree_node *node = tree_new(g->arena, TREE_OBJECT, name), *like = last_named(parent, name);
  if (!node) return NULL;
  node->lacks = TREE_LACKS_ALL;
  node->type = model_of(g->definitions, name);
  node->symbol = definitions_symbol(g->definitions, name);
  node->order = (uint16_t)top->order;
  node->offset = (uint32_t)offset + 1;
  node->flags = TREE_BOUND | TREE_IN_ARRAY;
  if (like)
    insert_behind(like, node);
  else
    tree_insert_ordered(parent, node);
  return node;
}

static bool open_group(struct hl7v2_grouping *g, const struct def_element *element, size_t offset) {
  struct hl7v2_frame *top = &g->frames[g->depth - 1];
  struct tree_node *node = g->depth < HL7V2_DEPTH_MAX ? add_node(g, top->node, element, offset) : NULL;
  if (!node) return false;
  g->frames[g->depth++] = (struct hl7v2_frame){node, node_type(node), 0};
  return true;
}

/* --- in order --- */

/* The element behind what was placed last in the frame that begins with the segment, or is it. */
static const struct def_element *next_element(const struct hl7v2_frame *frame, uint32_t symbol) {
  const struct def_element *direct = def_type_element(frame->type, symbol), *element;
  const struct def_type *inner;
  uint32_t from = frame->order;
  if (direct && (def_element_order(direct) > from || (def_element_order(direct) == from && def_element_is_list(direct))))
    return direct;
  size_t count = def_type_element_count(frame->type);
  for (size_t i = from ? from - 1 : 0; i < count; i++) { /* the order of an element is its index + 1 */
    element = def_type_element_at(frame->type, i);
    uint32_t order = def_element_order(element);
    if (order < from || (order == from && !def_element_is_list(element)) || !is_group(element, &inner)) continue;
    if (begins_with(inner, symbol, 0)) return element;
  }
  return NULL;
}

/* Into the group at the top, and the groups that begin in it. */
static struct tree_node *enter(struct hl7v2_grouping *g, const struct def_element *element, uint32_t symbol,
                               size_t offset) {
  const struct def_type *inner;
  while (element && is_group(element, &inner)) {
    g->frames[g->depth - 1].order = def_element_order(element);
    if (!open_group(g, element, offset)) return NULL;
    element = next_element(&g->frames[g->depth - 1], symbol);
  }
  if (!element) return NULL;
  struct hl7v2_frame *top = &g->frames[g->depth - 1];
  top->order = def_element_order(element);
  return add_node(g, top->node, element, offset);
}

/* --- out of order --- */

static struct tree_node *group_node(struct hl7v2_grouping *g, struct tree_node *parent,
                                    const struct def_element *element, size_t offset) {
  struct tree_node *found = last_named(parent, def_element_name(element));
  return found ? found : add_node(g, parent, element, offset);
}

/* Down to where the segment belongs, by groups that may have been closed. */
static struct tree_node *reach(struct hl7v2_grouping *g, struct tree_node *parent, const struct def_type *type,
                               uint32_t symbol, size_t offset) {
  const struct def_element *direct = def_type_element(type, symbol), *element;
  const struct def_type *inner;
  if (direct) return add_node(g, parent, direct, offset);
  for (size_t i = 0; i < def_type_element_count(type); i++) {
    element = def_type_element_at(type, i);
    if (!is_group(element, &inner) || !has_inside(inner, symbol, 0)) continue;
    struct tree_node *group = group_node(g, parent, element, offset);
    return group ? reach(g, group, inner, symbol, offset) : NULL;
  }
  return NULL;
}

static void tell(struct hl7v2_grouping *g, struct str name, size_t offset) {
  struct diag_at at = {.source = g->source, .offset = offset};
  diag_information(g->diags, DIAG_HL7V2_MISPLACED, &at, "segment %.*s does not stand where the message structure has it",
                   STR_ARG(name));
}

/* A group that repeats and begins with the segment, wherever in the frame. */
static const struct def_element *group_again(const struct hl7v2_frame *frame, uint32_t symbol) {
  const struct def_type *inner;
  for (size_t i = 0; i < def_type_element_count(frame->type); i++) {
    const struct def_element *element = def_type_element_at(frame->type, i);
    if (def_element_is_list(element) && is_group(element, &inner) && begins_with(inner, symbol, 0)) return element;
  }
  return NULL;
}

static struct tree_node *misplaced(struct hl7v2_grouping *g, struct str name, uint32_t symbol, size_t offset) {
  struct hl7v2_frame *frames = g->frames;
  tell(g, name, offset);
  for (size_t i = g->depth; i-- > 0;) {
    const struct def_element *element = def_type_element(frames[i].type, symbol);
    if (element) return add_node(g, frames[i].node, element, offset);
  }
  for (size_t depth = g->depth; depth > 0; depth--) { /* a resource before its like: from there it goes on */
    const struct def_element *element = group_again(&frames[depth - 1], symbol);
    if (!element) continue;
    g->depth = depth;
    return enter(g, element, symbol, offset);
  }
  for (size_t i = g->depth; i-- > 0;)
    if (has_inside(frames[i].type, symbol, 0)) return reach(g, frames[i].node, frames[i].type, symbol, offset);
  return add_stranger(g, name, offset);
}

struct tree_node *hl7v2_place_segment(struct hl7v2_grouping *g, struct str name, size_t offset) {
  uint32_t symbol = name.ptr[0] == 'Z' ? 0 : definitions_symbol(g->definitions, name);
  if (!symbol) return add_stranger(g, name, offset);
  for (size_t depth = g->depth; depth > 0; depth--) {
    const struct def_element *element = next_element(&g->frames[depth - 1], symbol);
    if (!element) continue;
    g->depth = depth;
    return enter(g, element, symbol, offset);
  }
  return misplaced(g, name, symbol, offset);
}
