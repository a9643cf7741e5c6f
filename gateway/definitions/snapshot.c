/*
 * snapshot.c - a profile that states only what differs becomes a whole tree of elements.
 *
 * As HL7's tools do it: the elements of the base in their order, each changed by what the differential says
 * of it. Where the differential goes deeper than the base, the element gets the children of its type, of the
 * profile of that type, or of the part it refers to. A new slice starts as the sliced element was before this
 * profile spoke of it. The snapshots published with FHIR R4 and US Core are the yardstick (test_snapshot.c).
 */
#include "definitions/build.h"

enum { SNAPSHOT_MAX = 40000 /* elements of one profile; the largest of US Core has under 1000 */ };

struct making {
  struct builder *b;
  struct b_type *owner;
  size_t count;
  unsigned depth; /* of the chain of types that wait for each other */
};

/* --- copies of what is below ----------------------------------------------------------------- */

/* The unnamed type of a part that is spelt out, or NULL. */
static struct b_type *own_part(const struct b_element *e) {
  if (e->nested) return e->nested;
  struct b_type *type = e->type_count == 1 && !e->content_reference.len ? e->types[0].type : NULL;
  return type && type->kind == DEF_NESTED && str_eq(type->name, e->path) ? type : NULL;
}

static bool has_room(struct making *m) {
  if (m->count++ < SNAPSHOT_MAX) return !m->b->error;
  if (m->count == SNAPSHOT_MAX + 1) {
    struct source source = source_make(m->owner->file, (struct str){0});
    struct diag_at at = {.source = &source, .path = m->owner->name};
    diag_error(m->b->diags, DIAG_INPUT_TOO_MANY, &at, "%.*s: its snapshot would have more than %d elements",
               STR_ARG(m->owner->name), SNAPSHOT_MAX);
  }
  return false;
}

static void copy_types(struct making *m, struct b_element *e, const struct b_element *from) {
  size_t count = from->content_reference.len ? 0 : from->type_count;
  e->types = count ? def_builder_alloc(m->b, count, sizeof *e->types) : NULL;
  e->type_count = e->types ? count : 0;
  if (e->type_count) memcpy(e->types, from->types, count * sizeof *e->types);
  if (e->type_count && own_part(from)) e->types[0].type = NULL; /* it gets one of its own */
}

static void set_path(struct making *m, struct b_element *e) {
  const char *choice = e->flags & PACK_CHOICE ? "[x]" : "", *colon = e->slice_name.len ? ":" : "";
  const struct b_element *above = e->parent;
  e->path = arena_printf(m->b->arena, "%.*s.%.*s%s", STR_ARG(above->path), STR_ARG(e->name), choice);
  e->id = arena_printf(m->b->arena, "%.*s.%.*s%s%s%.*s", STR_ARG(above->id), STR_ARG(e->name), choice, colon,
                       STR_ARG(e->slice_name));
  if (!e->path.ptr || !e->id.ptr) m->b->error = STATUS_NOMEM;
}

static struct b_element *copy_element(struct making *m, const struct b_element *from,
                                      struct b_element *parent) {
  struct b_element *e = has_room(m) ? def_builder_alloc(m->b, 1, sizeof *e) : NULL;
  if (!e) return NULL;
  *e = *from;
  if (!from->based) e->base_max = from->max;
  e->based = true;
  e->parent = parent;
  e->child = e->last = e->next = e->slices = e->last_slice = e->base = NULL;
  e->nested = NULL;
  e->frozen = NULL;
  e->resolved = e->walked = false;
  copy_types(m, e, from);
  set_path(m, e);
  return e;
}

static struct b_element *copy_tree(struct making *m, const struct b_element *from, struct b_element *parent);

static void copy_child(struct making *m, struct b_element *to, const struct b_element *from) {
  struct b_element *child = copy_tree(m, from, to);
  if (child) def_append_child(to, child);
}

static void copy_elements(struct making *m, struct b_element *to, const struct b_type *type) {
  for (size_t i = 0; i < type->element_count; i++)
    copy_child(m, to, type->elements[i]);
}

/* The part's type has what the list of children may leave out. */
static void copy_children(struct making *m, struct b_element *to, const struct b_element *from) {
  struct b_type *part = own_part(from);
  if (part) def_resolve_type(m->b, part, m->depth + 1);
  if (part) copy_elements(m, to, part);
  for (const struct b_element *at = part ? NULL : from->child; at; at = at->next)
    copy_child(m, to, at);
}

static struct b_element *copy_tree(struct making *m, const struct b_element *from, struct b_element *parent) {
  struct b_element *e = copy_element(m, from, parent);
  if (!e) return NULL;
  copy_children(m, e, from);
  for (const struct b_element *at = from->slices; at; at = at->next) {
    struct b_element *slice = copy_tree(m, at, parent);
    if (slice) def_append_slice(e, slice);
  }
  return e;
}

/* The element as a slice of it begins. */
static struct b_element *copy_plain(struct making *m, const struct b_element *from, struct str slice_name) {
  struct b_element *e = copy_element(m, from, from->parent);
  if (!e) return NULL;
  e->slice_name = slice_name;
  set_path(m, e);
  copy_children(m, e, from);
  e->slicing = NULL;
  e->flags &= (uint16_t)~PACK_SLICED;
  return e;
}

/* --- deeper than the base -------------------------------------------------------------------- */

/* What `ref` stands for: the profile if it names one, else the type. NULL when it is not present, or waits
 * for us. */
static struct b_type *meant(struct making *m, const struct b_type_ref *ref) {
  struct b_type *type = NULL;
  if (ref->profiles.count == 1) type = def_builder_type(m->b, ref->profiles.items[0]);
  if (type) def_resolve_type(m->b, type, m->depth + 1);
  if (type && type->progress != B_DONE && type->differential) {
    def_complain(m->b, m->owner, NULL, "a circle of profiles through", type->url);
    type = NULL;
  }
  if (type) return type;
  type = def_builder_type(m->b, ref->code);
  if (type) def_resolve_type(m->b, type, m->depth + 1);
  return type;
}

static void take_referred(struct making *m, struct b_element *e) {
  const struct b_type *base = m->owner->base;
  const struct b_element *target = base->root ? def_referred(base->root->child, e->content_reference) : NULL;
  if (!target) return;
  e->content_reference = (struct str){0};
  copy_types(m, e, target);
  copy_children(m, e, target);
}

/* Children for an element of which the differential says something deeper. */
static void expand(struct making *m, struct b_element *e) {
  static const struct b_type_ref any = {.code = {"Element", 7}};
  if (e->child) return;
  e->walked = true;
  if (e->content_reference.len) {
    take_referred(m, e);
    return;
  }
  const struct b_type_ref *ref = e->type_count == 1 ? &e->types[0] : &any;
  struct b_type *type = ref->type && ref->type->kind == DEF_NESTED ? ref->type : meant(m, ref);
  if (!type) return;
  def_resolve_type(m->b, type, m->depth + 1);
  copy_elements(m, e, type);
  if (ref->type && ref->type->kind == DEF_NESTED) e->types[0].type = NULL;
}

/* --- what the differential says -------------------------------------------------------------- */

static bool has_constraint(struct b_constraint *const *list, size_t count, struct str key) {
  for (size_t i = 0; i < count; i++)
    if (str_eq(list[i]->key, key)) return true;
  return false;
}

/* Appends those whose key is new; without a source they come from this profile. */
static void add_constraints(struct making *m, struct b_element *e, struct b_constraint *const *list,
                            size_t count) {
  struct b_constraint **all =
      count ? def_builder_alloc(m->b, e->constraint_count + count, sizeof *all) : NULL;
  if (!all) return;
  if (e->constraint_count) memcpy(all, e->constraints, e->constraint_count * sizeof *all);
  for (size_t i = 0; i < count; i++) {
    struct b_constraint made = *list[i];
    if (has_constraint(all, e->constraint_count, made.key)) continue;
    if (!made.source.len) made.source = m->owner->url;
    struct b_constraint *kept = def_builder_constraint(m->b, &made);
    if (kept) all[e->constraint_count++] = kept;
  }
  e->constraints = all;
}

static bool same_discriminator(const struct b_slicing *slicing, const struct b_discriminator *d) {
  for (size_t i = 0; i < slicing->count; i++)
    if (str_eq(slicing->discriminators[i].type, d->type) && str_eq(slicing->discriminators[i].path, d->path))
      return true;
  return false;
}

/* Discriminators of both; order and rules as said last. */
static void add_slicing(struct making *m, struct b_element *e, const struct b_slicing *said) {
  const struct b_slicing *before = e->slicing;
  struct b_slicing *made = def_builder_alloc(m->b, 1, sizeof *made);
  size_t room = (before ? before->count : 0) + said->count;
  struct b_discriminator *all = def_builder_alloc(m->b, room + 1, sizeof *all);
  if (!made || !all) return;
  *made = (struct b_slicing){said->rules, said->ordered, all, 0};
  for (size_t i = 0; before && i < before->count; i++)
    all[made->count++] = before->discriminators[i];
  for (size_t i = 0; i < said->count; i++)
    if (!same_discriminator(made, &said->discriminators[i])) all[made->count++] = said->discriminators[i];
  e->slicing = made;
  e->flags |= PACK_SLICED;
}

static void apply_types(struct b_element *e, const struct b_element *d) {
  if (d->content_reference.len) {
    e->content_reference = d->content_reference;
    e->type_count = 0;
  }
  if (!d->own_types) return;
  e->content_reference = (struct str){0};
  e->types = d->types;
  e->type_count = d->type_count;
}

static void apply_values(struct b_element *e, const struct b_element *d) {
  if ((d->flags & PACK_BOUND) && !str_is(e->name, "extension")) {
    e->flags |= PACK_BOUND;
    e->strength = d->strength;
    if (d->value_set.len) e->value_set = d->value_set;
    if (d->max_set.len) e->max_set = d->max_set;
  }
  if (d->fixed.len) {
    e->fixed = d->fixed;
    e->flags = (uint16_t)((e->flags & ~PACK_PATTERN) | (d->flags & PACK_PATTERN));
  }
  if (d->min_value.len) e->min_value = d->min_value;
  if (d->max_value.len) e->max_value = d->max_value;
  if (d->max_length) e->max_length = d->max_length;
  if (d->xml_name.len) e->xml_name = d->xml_name;
  if (d->xml_space.len) e->xml_space = d->xml_space;
}

static void apply(struct making *m, struct b_element *e, const struct b_element *d) {
  const uint16_t flags =
      PACK_MUST_SUPPORT | PACK_MODIFIER | PACK_SUMMARY | PACK_XML_ATTRIBUTE | PACK_XML_TEXT | PACK_XML_TYPE;
  if (d->has & B_MIN) e->min = d->min;
  if (d->has & B_MAX) e->max = d->max;
  if (d->has & B_SHORT) e->text = d->text;
  e->flags |= d->flags & flags;
  e->offset = d->offset;
  apply_types(e, d);
  apply_values(e, d);
  if (d->slicing) add_slicing(m, e, d->slicing);
  add_constraints(m, e, d->constraints, d->constraint_count);
}

/* An element whose type is a profile takes over what that profile says of its root. */
static void take_profile(struct making *m, struct b_element *e, const struct b_element *d) {
  if (!d->own_types || d->type_count != 1 || d->types[0].profiles.count != 1) return;
  if (str_is(d->types[0].code, "Reference") || str_is(d->types[0].code, "canonical")) return;
  const struct b_type *type = meant(m, &d->types[0]);
  if (!type || !type->profile) return;
  add_constraints(m, e, type->constraints, type->constraint_count);
  if (type->root && type->root->text.len) e->text = type->root->text;
  if (type->root) e->flags |= type->root->flags & (PACK_MODIFIER | PACK_SUMMARY);
  if (type->frozen && def_type_is_modifier(type->frozen)) e->flags |= PACK_MODIFIER;
}

/* --- slices ---------------------------------------------------------------------------------- */

static void merge(struct making *m, struct b_element *e, const struct b_element *d, unsigned depth);

static struct b_element *find_slice(const struct b_element *e, struct str name) {
  for (struct b_element *at = e->slices; at; at = at->next)
    if (str_eq(at->slice_name, name)) return at;
  return NULL;
}

static struct str last_segment(struct str path) {
  size_t from = 0;
  for (size_t i = 0; i < path.len; i++)
    if (path.ptr[i] == '.') from = i + 1;
  return str_slice(path, from, path.len);
}

/* "valueQuantity" is said of type Quantity alone. */
static void choose_type(struct making *m, struct b_element *slice, struct str name) {
  if (!def_names_choice(slice, name)) return;
  struct str code = str_slice(name, slice->name.len, name.len);
  for (size_t i = 0; i < slice->type_count; i++) {
    struct str known = slice->types[i].code;
    if (known.len != code.len || def_fold(known.ptr[0]) != def_fold(code.ptr[0]) ||
        !str_eq(str_slice(known, 1, known.len), str_slice(code, 1, code.len)))
      continue;
    struct b_type_ref *only = def_builder_alloc(m->b, 1, sizeof *only);
    if (!only) return;
    *only = slice->types[i];
    slice->types = only;
    slice->type_count = 1;
    return;
  }
}

/* Slices of extensions and choices need not say how they are told apart. */
static void slice_as_usual(struct making *m, struct b_element *e) {
  struct b_discriminator by = {STR("value"), STR("url")};
  if (e->slicing) return;
  if (e->flags & PACK_CHOICE)
    by = (struct b_discriminator){STR("type"), STR("$this")};
  else if (!str_is(e->name, "extension") && !str_is(e->name, "modifierExtension"))
    return;
  add_slicing(m, e, &(struct b_slicing){DEF_SLICING_OPEN, false, &by, 1});
}

static struct b_element *new_slice(struct making *m, struct b_element *e, const struct b_element *plain,
                                   struct str name) {
  struct b_element *slice = plain ? copy_plain(m, plain, name) : NULL;
  if (!slice) return NULL;
  slice->min = 0;
  def_append_slice(e, slice);
  return slice;
}

static void merge_slice(struct making *m, struct b_element *e, const struct b_element *plain,
                        const struct b_element *d, unsigned depth) {
  struct str name = d->slice_name.len ? d->slice_name : d->name;
  struct b_element *slice = find_slice(e, name);
  for (size_t at = 0; !slice && (at = str_find_char(name, '/', at)) != SIZE_MAX; at++) {
    struct b_element *owner = find_slice(e, str_slice(name, 0, at));
    if (!owner) continue;
    merge_slice(m, owner, copy_plain(m, owner, owner->slice_name), d, depth + 1);
    return;
  }
  if (!slice) slice = new_slice(m, e, plain, name);
  if (!slice) return;
  struct str path = last_segment(d->path);
  choose_type(m, slice, str_ends(path, STR("[x]")) ? name : path);
  merge(m, slice, d, depth + 1);
}

/* --- the whole ------------------------------------------------------------------------------- */

static struct b_element *child_for(const struct b_element *e, const struct b_element *d) {
  for (struct b_element *at = e->child; at; at = at->next)
    if (str_eq(at->name, d->name) || def_names_choice(at, d->name)) return at;
  return NULL;
}

/* In a slice, and not deeper than the base goes. */
static bool in_slice(const struct b_element *e) {
  for (; e && !e->walked; e = e->parent)
    if (e->slice_name.len) return true;
  return false;
}

static bool alone(const struct b_element *choice, const struct b_element *d) {
  size_t count = 0;
  for (const struct b_element *at = d->parent ? d->parent->child : d; at; at = at->next)
    count += def_names_choice(choice, at->name);
  return count == 1 && !d->slices;
}

/* "valueQuantity" of value[x]: a slice by type. Alone and required it leaves no other type, and in a slice it
   is value[x] itself. */
static void merge_short(struct making *m, struct b_element *choice, const struct b_element *d,
                        unsigned depth) {
  struct b_element *plain = copy_plain(m, choice, choice->slice_name);
  bool only = !choice->slicing && alone(choice, d);
  if (only && in_slice(choice->parent)) {
    choose_type(m, choice, d->name);
    merge(m, choice, d, depth + 1);
    return;
  }
  if (only && (d->has & B_MIN) && d->min) {
    choose_type(m, choice, d->name);
    choice->min = d->min;
    struct b_discriminator by = {STR("type"), STR("$this")};
    add_slicing(m, choice, &(struct b_slicing){DEF_SLICING_CLOSED, false, &by, 1});
  }
  if (!d->slices) merge_slice(m, choice, plain, d, depth);
  for (const struct b_element *at = d->slices; at; at = at->next)
    merge_slice(m, choice, plain, at, depth);
  slice_as_usual(m, choice);
}

static void merge_child(struct making *m, struct b_element *e, const struct b_element *d, unsigned depth) {
  struct b_element *child = child_for(e, d);
  if (!child)
    copy_child(m, e, d); /* new here; what a profile may not add is reported later */
  else if (str_eq(child->name, d->name))
    merge(m, child, d, depth + 1);
  else
    merge_short(m, child, d, depth);
}

static bool is_sliced(const struct b_element *e) {
  return e->slicing || (e->flags & PACK_CHOICE) || str_is(e->name, "extension") ||
         str_is(e->name, "modifierExtension");
}

static void merge_slices(struct making *m, struct b_element *e, const struct b_element *plain,
                         const struct b_element *d, unsigned depth) {
  bool name_only = !is_sliced(e) && !e->slice_name.len &&
                   !d->slices->next; /* a name for the element, as HL7's tools have it */
  if (name_only) {
    e->slice_name = d->slices->slice_name;
    merge(m, e, d->slices, depth + 1);
    return;
  }
  for (const struct b_element *at = d->slices; at && !m->b->error; at = at->next)
    merge_slice(m, e, plain, at, depth);
  slice_as_usual(m, e);
}

static void merge(struct making *m, struct b_element *e, const struct b_element *d, unsigned depth) {
  struct b_element *plain = d->slices ? copy_plain(m, e, e->slice_name) : NULL;
  if (depth > LIMIT_DEPTH || m->b->error) return;
  take_profile(m, e, d);
  apply(m, e, d);
  if (d->child) expand(m, e);
  for (const struct b_element *at = d->child; at && !m->b->error; at = at->next)
    merge_child(m, e, at, depth);
  if (d->slices) merge_slices(m, e, plain, d, depth);
}

static struct b_element *base_root(struct making *m, const struct b_element *d) {
  const struct b_type *base = m->owner->base;
  struct b_element *root = def_builder_alloc(m->b, 1, sizeof *root);
  if (!root) return NULL;
  if (base->root) *root = (struct b_element){.text = base->root->text, .flags = base->root->flags};
  root->id = root->path = root->name = d->path;
  root->max = root->base_max = DEF_UNBOUNDED;
  root->constraints = base->constraints;
  root->constraint_count = base->constraint_count;
  copy_elements(m, root, base);
  return root;
}

void def_snapshot(struct builder *b, struct b_type *type, unsigned depth) {
  struct making m = {.b = b, .owner = type, .depth = depth};
  struct b_element *root = base_root(&m, type->root);
  if (!root) return;
  merge(&m, root, type->root, 0);
  type->root = root;
  type->differential = false;
}
