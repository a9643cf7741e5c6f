/*
 * bind.c - lays the definitions over a tree, in place, and makes new bound nodes.
 *
 * One pass in document order without recursion: a node's children are bound when the walk comes to the node,
 * so that its own type is known by then. The `_x` members of primitives are folded into x on the way.
 */
#include <assert.h>
#include "definitions/internal.h"

#define RESOURCE_TYPE "resourceType"

struct bind {
  const struct definitions *definitions;
  const struct source *source;
  struct arena *arena;
  struct diag_list *diags;
  const struct tree_node *root;
  bool failed;
};

static void complain(struct bind *bind, enum diag_code code, const struct tree_node *node, const char *what,
                     struct str name) {
  struct str near = code == DIAG_UNKNOWN_RESOURCE && name.len
                        ? definitions_nearest_type(bind->definitions, name)
                        : (struct str){0};
  struct diag_at at = {
      .source = bind->source, .offset = tree_offset(node), .path = definitions_path(node, bind->arena)};
  struct str quoted = name.len ? diag_value(bind->arena, name) : (struct str){0};
  bind->failed = true;
  diag_error(bind->diags, code, &at, "%s%s%.*s%s%.*s%s", what, quoted.len ? " " : "", STR_ARG(quoted),
             near.len ? "; did you mean " : "", STR_ARG(near), near.len ? "?" : "");
}

/* --- resources ------------------------------------------------------------------------------- */

static struct tree_node *resource_type(const struct tree_node *node) {
  for (struct tree_node *at = node->child; at; at = at->next)
    if (at->name.len == sizeof RESOURCE_TYPE - 1 && memcmp(at->name.ptr, RESOURCE_TYPE, at->name.len) == 0)
      return at;
  return NULL;
}

/* The type that `resourceType` names; what the place allows otherwise. */
static const struct def_type *resolve(struct bind *bind, const struct tree_node *node,
                                      const struct def_type *allowed) {
  const struct tree_node *named = resource_type(node);
  if (!named) {
    complain(bind, DIAG_UNKNOWN_RESOURCE, node, "resourceType is missing", (struct str){0});
    return allowed;
  }
  const struct def_type *type = definitions_type(bind->definitions, named->text);
  if (!type || type->kind != DEF_RESOURCE || (type->flags & (PACK_PROFILE | PACK_ABSTRACT)) ||
      !str_eq(def_type_name(type), named->text)) {
    complain(bind, DIAG_UNKNOWN_RESOURCE, named, "unknown resource type", named->text);
    return allowed;
  }
  return type;
}

/* --- `_x` of primitives ---------------------------------------------------------------------- */

static void move_children(struct tree_node *from, struct tree_node *to) {
  while (from->child) {
    struct tree_node *child = from->child;
    from->child = child->next;
    child->next = NULL;
    tree_append(to, child);
  }
  from->last = NULL;
}

/* `_x` without x: the node itself becomes the primitive that has only an id or extensions. */
static void become_value(struct tree_node *shadow, const struct def_element *element,
                         const struct def_type *type) {
  shadow->name = str_slice(shadow->name, 1, shadow->name.len);
  shadow->kind = TREE_NULL;
  shadow->element = element;
  shadow->type = type;
  shadow->symbol = element->symbol;
  shadow->order = element->order;
  shadow->flags |= TREE_BOUND;
}

static struct tree_node *find_value(const struct tree_node *parent, struct str name) {
  for (struct tree_node *at = parent->child; at; at = at->next)
    if (at->element && str_eq(at->name, name)) return at;
  return NULL;
}

static struct tree_node *unlink_after(struct tree_node *parent, struct tree_node *before,
                                      struct tree_node *node) {
  struct tree_node *next = node->next;
  if (before)
    before->next = next;
  else
    parent->child = next;
  if (parent->last == node) parent->last = before;
  node->next = NULL;
  return next;
}

static struct tree_node *same_name_after(const struct tree_node *node) {
  return node->next && str_eq(node->next->name, node->name) ? node->next : NULL;
}

/* `_x` has the shape of `x`, and says something; only in an array may it be null. */
static void check_shadow(struct bind *bind, const struct tree_node *shadow, const struct tree_node *value) {
  bool listed = (shadow->flags & TREE_IN_ARRAY) != 0;
  bool nothing = shadow->kind == TREE_NULL ? !listed : shadow->kind == TREE_OBJECT && !shadow->child;
  if (nothing || shadow->flags & TREE_EMPTY_ARRAY)
    complain(bind, DIAG_EMPTY_VALUE, shadow, "an empty partner of a primitive:", shadow->name);
  else if (value && listed != ((value->flags & TREE_IN_ARRAY) != 0))
    complain(bind, DIAG_NOT_AN_ARRAY, shadow, "must be an array where the values are one, and only there:",
             shadow->name);
}

/* Folds one run of `_x` siblings that begins at `shadow`; returns what follows it. `*before` is the sibling
   before it. Values and shadows of arrays pair by position. */
static struct tree_node *fold_run(struct bind *bind, struct tree_node *parent, struct tree_node **before,
                                  struct tree_node *shadow) {
  const struct def_type *type = NULL;
  struct str name = str_slice(shadow->name, 1, shadow->name.len), whole = shadow->name;
  const struct def_element *element = def_type_json(parent->type, name, &type);
  struct tree_node *value = element ? find_value(parent, name) : NULL;
  bool fits = element && type->primitive != DEF_P_NONE;
  bool alone = value == NULL;
  if (!fits && element)
    complain(bind, DIAG_WRONG_TYPE, shadow, "only primitives have an underscore partner:", whole);
  while (shadow && str_eq(shadow->name, whole)) {
    bool usable = fits && (shadow->kind == TREE_OBJECT || shadow->kind == TREE_NULL);
    if (usable) check_shadow(bind, shadow, value);
    if (usable && value && value->kind != TREE_OBJECT) {
      move_children(shadow, value);
      value = same_name_after(value);
      shadow = unlink_after(parent, *before, shadow);
      continue;
    }
    if (fits && !alone && !value)
      complain(bind, DIAG_WRONG_TYPE, shadow, "there are more of these than of the values:", whole);
    struct tree_node *next = shadow->next;
    if (usable && !value) become_value(shadow, element, type);
    *before = shadow;
    shadow = next;
    if (value) value = same_name_after(value);
  }
  return shadow;
}

static void fold(struct bind *bind, struct tree_node *parent) {
  struct tree_node *before = NULL, *at = parent->child;
  while (at) {
    if (!at->element && at->name.len > 1 && at->name.ptr[0] == '_') {
      at = fold_run(bind, parent, &before, at);
      continue;
    }
    before = at;
    at = at->next;
  }
}

/* --- the walk -------------------------------------------------------------------------------- */

static inline bool same_view(struct str a, struct str b) {
  return a.ptr == b.ptr && a.len == b.len;
}

/* One text; a list of them, or anything else, is an element that nobody knows. */
static bool is_type_name(const struct tree_node *node) {
  return node->kind == TREE_STRING && !(node->flags & TREE_IN_ARRAY) && str_is(node->name, RESOURCE_TYPE);
}

/* What has no slot: the type's name, a partner of a primitive, or nothing that is known. */
static void bind_other(const struct def_type *type, struct tree_node *node, bool *shadows) {
  node->element = NULL; /* it may have been bound to another type before */
  node->type = NULL;
  node->symbol = 0;
  if (type->kind == DEF_RESOURCE && is_type_name(node)) {
    node->flags |= TREE_META;
    node->order = 0;
  } else if (node->name.len > 1 && node->name.ptr[0] == '_') {
    *shadows = true;
  }
}

static inline void bind_one(struct bind *bind, const struct def_type *type, struct tree_node *node,
                            bool *shadows) {
  const struct pack_json_slot *slot = def_json_slot(type, node->name);
  if (!slot) {
    bind_other(type, node, shadows);
    return;
  }
  node->element = def_slot_element(type, slot);
  node->type = rel_get(&slot->type);
  node->symbol = slot->symbol;
  node->order = slot->order;
  if (slot->resolves && node->kind == TREE_OBJECT) node->type = resolve(bind, node, node->type);
}

static void bind_children(struct bind *bind, struct tree_node *parent) {
  const struct def_type *type = parent->type;
  const struct tree_node *before = NULL;
  bool shadows = false;
  uint32_t lacks = TREE_LACKS_ALL;
  for (struct tree_node *node = parent->child; node; before = node, node = node->next) {
    node->flags |= TREE_BOUND;
    if (before && before->element && same_view(before->name, node->name) &&
        !(((const struct def_type *)before->type)->kind == DEF_RESOURCE)) {
      node->element = before->element; /* the next item of an array */
      node->type = before->type;
      node->symbol = before->symbol;
      node->order = before->order;
      continue;
    }
    bind_one(bind, type, node, &shadows);
    lacks = tree_lacks_but(lacks, node);
  }
  parent->lacks = shadows ? 0 : lacks;
  if (shadows) fold(bind, parent);
}

enum status definitions_bind(const struct definitions *definitions, const struct def_type *type,
                             struct tree_node *root, const struct source *source, struct arena *arena,
                             struct diag_list *diags) {
  struct bind bind = {definitions, source, arena, diags, root, false};
  root->flags |= TREE_BOUND;
  root->type = type;
  if (!type || (type->flags & PACK_RESOLVES)) {
    root->type = resolve(&bind, root, type ? type : definitions->resource);
  } else if (type->kind == DEF_RESOURCE) {
    const struct tree_node *named = resource_type(root);
    if (named && !str_eq(named->text, def_type_name(def_type_constrained(type))))
      complain(&bind, DIAG_WRONG_TYPE, named, "another resource type is expected here than", named->text);
  }
  if (!root->type) return STATUS_INVALID;
  for (struct tree_node *node = root; node; node = tree_following(root, node))
    if (node->child && node->type) bind_children(&bind, node);
  if (root->flags & TREE_XML) def_settle_xml(root, source, arena, diags, &bind.failed);
  return bind.failed ? STATUS_INVALID : STATUS_OK;
}

struct str definitions_path(const struct tree_node *node, struct arena *arena) {
  const struct tree_node *root = node;
  while (root->parent)
    root = root->parent;
  struct str name = root->name;
  if (root->type) name = def_type_name(def_type_constrained(root->type));
  return tree_path(node, name, arena);
}

/* --- new nodes ------------------------------------------------------------------------------- */

static enum tree_kind kind_of(const struct def_type *type) {
  switch ((enum def_primitive)type->primitive) {
  case DEF_P_NONE:
    return type->kind == DEF_PRIMITIVE ? TREE_STRING : TREE_OBJECT;
  case DEF_P_BOOLEAN:
    return TREE_BOOLEAN;
  case DEF_P_INTEGER:
  case DEF_P_POSITIVE_INT:
  case DEF_P_UNSIGNED_INT:
  case DEF_P_DECIMAL:
    return TREE_NUMBER;
  default:
    return TREE_STRING;
  }
}

static bool brings_name(const struct def_type *type) {
  return type->kind == DEF_RESOURCE && !(type->flags & PACK_ABSTRACT);
}

static bool add_resource_type(struct arena *arena, struct tree_node *node, const struct def_type *type) {
  if (!brings_name(type)) return true;
  struct tree_node *meta = tree_new(arena, TREE_STRING, STR(RESOURCE_TYPE));
  if (!meta) return false;
  meta->flags = TREE_META | TREE_BOUND;
  meta->text = def_type_name(type);
  tree_append(node, meta);
  return true;
}

/* The choice that `type` stands for: itself, else one that it derives from. */
static const struct pack_type_ref *choose(const struct def_element *element, const struct def_type *type) {
  const struct pack_type_ref *refs = rel_items(&element->types);
  for (uint32_t i = 0; i < element->types.count; i++)
    if (rel_get(&refs[i].type) == type) return &refs[i];
  for (uint32_t i = 0; i < element->types.count; i++)
    if (def_type_is(type, rel_get(&refs[i].type))) return &refs[i];
  for (uint32_t i = 0; i < element->types.count; i++)
    if (def_type_constrained(rel_get(&refs[i].type)) == def_type_constrained(type)) return &refs[i];
  return NULL;
}

bool definitions_stamp(const struct def_element *element, const struct def_type *type,
                       struct tree_node *stamp) {
  const struct pack_type_ref *ref = choose(element, type);
  const struct def_type *plain = def_type_constrained(type);
  if (!ref || brings_name(plain)) return false;
  *stamp = (struct tree_node){.name = rel_text(&ref->json_name),
                              .element = element,
                              .type = plain,
                              .symbol = element->symbol,
                              .order = element->order,
                              .lacks = TREE_LACKS_ALL,
                              .kind = (uint8_t)kind_of(plain),
                              .flags = (uint8_t)(TREE_BOUND | (element->flags & PACK_LIST ? TREE_IN_ARRAY : 0))};
  return true;
}

void definitions_fill(const struct def_element *element, struct tree_node *node) {
  const struct pack_type_ref *refs = rel_items(&element->types);
  node->name = rel_text(&element->name);
  node->element = element;
  node->type = refs ? rel_get(&refs->type) : NULL;
  node->symbol = element->symbol;
  node->order = element->order;
  node->lacks = TREE_LACKS_ALL;
  node->flags = (uint8_t)(TREE_BOUND | (element->flags & PACK_LIST ? TREE_IN_ARRAY : 0));
}

struct tree_node *definitions_make(const struct definitions *definitions, struct arena *arena,
                                   struct tree_node *parent, const struct def_element *element,
                                   const struct def_type *type) {
  (void)definitions;
  const struct pack_type_ref *ref = choose(element, type);
  assert(ref && "the type is one that the element allows");
  const struct def_type *plain = def_type_constrained(type);
  struct tree_node *node =
      tree_new(arena, kind_of(plain), ref ? rel_text(&ref->json_name) : rel_text(&element->name));
  if (node) node->lacks = TREE_LACKS_ALL;
  if (!node || !add_resource_type(arena, node, plain)) return NULL;
  node->element = element;
  node->type = plain;
  node->symbol = element->symbol;
  node->order = element->order;
  node->flags = (uint8_t)(TREE_BOUND | (element->flags & PACK_LIST ? TREE_IN_ARRAY : 0));
  tree_insert_ordered(parent, node);
  return node;
}

struct tree_node *definitions_make_root(const struct definitions *definitions, struct arena *arena,
                                        const struct def_type *type) {
  (void)definitions;
  const struct def_type *plain = def_type_constrained(type);
  struct tree_node *node = tree_new(arena, kind_of(plain), (struct str){0});
  if (node) node->lacks = TREE_LACKS_ALL;
  if (!node || !add_resource_type(arena, node, plain)) return NULL;
  node->type = plain;
  node->flags = TREE_BOUND;
  return node;
}
