/*
 * resolve.c - structures become types: names are looked up, nested parts get types of their own, profiles
 * take the elements that they do not list from the type below them.
 */
#include "definitions/build.h"

enum { CHAIN_MAX = 64 };

static const struct {
  const char *name;
  enum def_primitive primitive;
} primitives[] = {
    {"boolean", DEF_P_BOOLEAN},
    {"integer", DEF_P_INTEGER},
    {"positiveInt", DEF_P_POSITIVE_INT},
    {"unsignedInt", DEF_P_UNSIGNED_INT},
    {"decimal", DEF_P_DECIMAL},
    {"string", DEF_P_STRING},
    {"markdown", DEF_P_MARKDOWN},
    {"code", DEF_P_CODE},
    {"id", DEF_P_ID},
    {"oid", DEF_P_OID},
    {"uuid", DEF_P_UUID},
    {"uri", DEF_P_URI},
    {"url", DEF_P_URL},
    {"canonical", DEF_P_CANONICAL},
    {"base64Binary", DEF_P_BASE64},
    {"date", DEF_P_DATE},
    {"dateTime", DEF_P_DATETIME},
    {"instant", DEF_P_INSTANT},
    {"time", DEF_P_TIME},
    {"xhtml", DEF_P_XHTML},
};

static enum def_primitive primitive_of(struct str name) {
  for (size_t i = 0; i < sizeof primitives / sizeof primitives[0]; i++)
    if (str_is(name, primitives[i].name)) return primitives[i].primitive;
  return DEF_P_NONE;
}

void def_complain(struct builder *b, const struct b_type *type, const struct b_element *e, const char *what,
                  struct str name) {
  struct source source = source_make(type->file, (struct str){0});
  struct diag_at at = {.source = type->file.len ? &source : NULL, .path = e ? e->path : type->name};
  diag_warning(b->diags, DIAG_DEFINITION_INVALID, &at, "%.*s: %s %.*s", STR_ARG(type->name), what,
               STR_ARG(name));
}

/* --- inheritance ----------------------------------------------------------------------------- */

static bool matches(const struct b_element *child, const struct b_element *below) {
  return str_eq(child->name, below->name) || def_names_choice(below, child->name);
}

static struct b_element *child_for(struct b_element *first, const struct b_element *below) {
  for (struct b_element *at = first; at; at = at->next)
    if (matches(at, below)) return at;
  return NULL;
}

static size_t count_children(const struct b_element *first) {
  size_t count = 0;
  for (; first; first = first->next)
    count++;
  return count;
}

/* The elements of a type that refines `below`: in the order of `below`, each replaced by the child that
   speaks of it; then what only the child list has. */
static void fill(struct builder *b, struct b_type *owner, struct b_type *type, struct b_element *first,
                 struct b_type *below) {
  size_t below_count = below ? below->element_count : 0, count = 0;
  type->elements = def_builder_alloc(b, below_count + count_children(first) + 1, sizeof *type->elements);
  if (!type->elements) return;
  for (size_t i = 0; i < below_count; i++) {
    struct b_element *mine = child_for(first, below->elements[i]);
    if (!mine) {
      type->elements[count++] = below->elements[i];
      continue;
    }
    if (mine->base) continue; /* said twice */
    mine->base = below->elements[i];
    mine->name = mine->base->name;
    mine->flags |= mine->base->flags & PACK_CHOICE;
    type->elements[count++] = mine;
  }
  const struct b_element *foreign = NULL;
  for (struct b_element *at = first; at; at = at->next) {
    if (at->base) continue;
    if (below && below->primitive && str_is(at->name, "value")) continue; /* the text itself */
    if (!foreign) foreign = at;
    type->elements[count++] = at;
  }
  type->element_count = count;
  if (foreign && owner->profile && below_count)
    def_complain(b, owner, foreign, "the base type lacks elements that the profile has, such as",
                 foreign->name);
}

/* As listed; the value of a primitive is the node's own text and no child. */
static void list_children(struct builder *b, struct b_type *type, struct b_element *first) {
  type->elements = def_builder_alloc(b, count_children(first) + 1, sizeof *type->elements);
  if (!type->elements) return;
  for (struct b_element *at = first; at; at = at->next)
    if (type->kind != DEF_PRIMITIVE || !str_is(at->name, "value")) type->elements[type->element_count++] = at;
}

/* A logical model spells out all it has, but for what it takes from another logical model. */
static bool inherits(const struct b_type *owner) {
  bool model = owner->kind == DEF_LOGICAL && !(owner->base && owner->base->kind == DEF_LOGICAL);
  return owner->profile || (owner->differential && !model);
}

/* --- nested parts ---------------------------------------------------------------------------- */

static void nest_all(struct builder *b, struct b_type *owner, struct b_type *type, unsigned depth);

static bool is_backbone(struct str code) {
  return !code.len || str_is(code, "BackboneElement") || str_is(code, "Element");
}

/* What the children of an element refine: the nested part of the type below, else the element's type. */
static struct b_type *refined(struct builder *b, const struct b_element *e, unsigned depth) {
  struct str code = e->type_count ? e->types[0].code : (struct str){0};
  struct b_type *type = NULL;
  if (is_backbone(code) && e->base && e->base->type_count == 1) type = e->base->types[0].type;
  if (!type) type = def_builder_type(b, code.len ? code : STR("Element"));
  if (type) def_resolve_type(b, type, depth + 1);
  return type;
}

static void nest(struct builder *b, struct b_type *owner, struct b_element *e, unsigned depth) {
  struct b_type *made = def_builder_alloc(b, 1, sizeof *made);
  if (!made || depth > CHAIN_MAX) return;
  struct b_type *below = refined(b, e, depth);
  *made = (struct b_type){
      .name = e->path, .kind = DEF_NESTED, .base = below, .progress = B_DONE, .file = owner->file};
  made->package = owner->package;
  made->constraints = e->constraints;
  made->constraint_count = e->constraint_count;
  made->next = owner->next;
  owner->next = made;
  if (b->last_type == owner) b->last_type = made;
  if (inherits(owner)) {
    made->profile = owner->profile;
    made->constrained = below && below->constrained ? below->constrained : below;
    fill(b, owner, made, e->child, below);
  } else {
    list_children(b, made, e->child);
    def_builder_name(b, made->name, made, 2);
  }
  e->nested = made;
  nest_all(b, owner, made, depth + 1);
}

static void nest_slices(struct builder *b, struct b_type *owner, struct b_element *sliced, unsigned depth) {
  for (struct b_element *slice = sliced->slices; slice; slice = slice->next) {
    if (slice->base) continue; /* inherited, or done */
    slice->base = sliced->base ? sliced->base : sliced;
    if (slice->child) nest(b, owner, slice, depth);
    if (depth < CHAIN_MAX) nest_slices(b, owner, slice, depth + 1);
  }
}

static void nest_all(struct builder *b, struct b_type *owner, struct b_type *type, unsigned depth) {
  for (size_t i = 0; i < type->element_count; i++) {
    struct b_element *e = type->elements[i];
    if (e->frozen) continue;
    if (e->child && !e->nested) nest(b, owner, e, depth);
    nest_slices(b, owner, e, depth);
  }
}

/* --- types of elements ----------------------------------------------------------------------- */

static struct b_element *find_element(struct b_element *at, struct str id, bool by_id) {
  for (; at; at = at->next) {
    if (str_eq(by_id ? at->id : at->path, id)) return at;
    struct b_element *found = find_element(at->child, id, by_id);
    if (!found) found = find_element(at->slices, id, by_id);
    if (found) return found;
  }
  return NULL;
}

/* "#Observation.referenceRange", with or without a URL before it: by id, else by path. */
struct b_element *def_referred(struct b_element *first, struct str reference) {
  size_t hash = str_find_char(reference, '#', 0);
  struct str id = str_slice(reference, hash == SIZE_MAX ? 0 : hash + 1, reference.len);
  struct b_element *found = find_element(first, id, true);
  return found ? found : find_element(first, id, false);
}

static bool resolve_reference(struct builder *b, struct b_type *owner, struct b_element *e) {
  struct b_element *target = owner->root ? def_referred(owner->root->child, e->content_reference) : NULL;
  struct b_type *type = target ? target->nested : NULL;
  if (!type && e->base && e->base->type_count) type = e->base->types[0].type;
  if (!type) return false;
  e->types = def_builder_alloc(b, 1, sizeof *e->types);
  if (!e->types) return true;
  *e->types = (struct b_type_ref){.code = STR("Element"), .type = type};
  e->type_count = 1;
  return true;
}

static struct str fhir_name(struct builder *b, const struct b_element *e, struct str code) {
  static const char *const pairs[][2] = {
      {"String", "string"}, {"Boolean", "boolean"},   {"Integer", "integer"}, {"Decimal", "decimal"},
      {"Date", "date"},     {"DateTime", "dateTime"}, {"Time", "time"},
  };
  const struct str prefix = STR("http://hl7.org/fhirpath/System.");
  (void)b;
  if (e->resource_id) return STR("id");
  if (!str_starts(code, prefix)) return code;
  struct str name = str_slice(code, prefix.len, code.len);
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
    if (str_is(name, pairs[i][0])) return str_of(pairs[i][1]);
  return code;
}

static void resolve_code(struct builder *b, struct b_type *owner, struct b_element *e,
                         struct b_type_ref *ref) {
  if (ref->type) return;
  ref->code = fhir_name(b, e, ref->code);
  if (is_backbone(ref->code) && e->base && e->base->type_count == 1)
    ref->type = e->base->types[0].type; /* the part is not spelt out again */
  if (!ref->type) ref->type = def_builder_type(b, ref->code);
  if (!ref->type) def_complain(b, owner, e, "unknown type", ref->code);
}

static void resolve_element(struct builder *b, struct b_type *owner, struct b_element *e) {
  if (e->frozen || e->resolved) return;
  e->resolved = true;
  if (!e->based) e->base_max = e->max;
  if (e->content_reference.len && !e->nested && !e->type_count && !resolve_reference(b, owner, e))
    def_complain(b, owner, e, "nothing stands at", e->content_reference);
  if (e->nested && e->type_count <= 1) {
    struct b_type_ref *own = def_builder_alloc(b, 1, sizeof *own);
    if (!own) return;
    if (e->type_count) *own = e->types[0];
    own->type = e->nested;
    e->types = own;
    e->type_count = 1;
  }
  size_t kept = 0;
  for (size_t i = 0; i < e->type_count; i++) {
    resolve_code(b, owner, e, &e->types[i]);
    if (e->types[i].type) e->types[kept++] = e->types[i];
  }
  e->type_count = kept;
}

static void resolve_tree(struct builder *b, struct b_type *owner, struct b_element *at) {
  for (; at; at = at->next) {
    resolve_element(b, owner, at);
    resolve_tree(b, owner, at->slices);
    resolve_tree(b, owner, at->child);
  }
}

/* --- one structure --------------------------------------------------------------------------- */

/* A profile whose base is of no use still constrains its type. */
static struct b_type *constrained_type(struct builder *b, struct b_type *type, unsigned depth) {
  struct b_type *base = type->profile ? def_builder_type(b, type->fhir_type) : NULL;
  if (!base || base->profile || base == type) return NULL;
  def_resolve_type(b, base, depth + 1);
  return base->progress == B_DONE ? base : NULL;
}

static void take_base(struct builder *b, struct b_type *type, unsigned depth) {
  if (!type->base_url.len) return;
  struct b_type *base = def_builder_type(b, type->base_url);
  if (base == type) base = NULL;
  if (!base && !str_ends(type->base_url, STR("/StructureDefinition/Base")))
    def_complain(b, type, NULL, "unknown base", type->base_url);
  if (base) def_resolve_type(b, base, depth + 1);
  if (base && base->progress != B_DONE) {
    def_complain(b, type, NULL, "a circle of bases through", type->base_url);
    base = NULL;
  }
  type->base = base ? base : constrained_type(b, type, depth);
}

static void resolve_structure(struct builder *b, struct b_type *type, unsigned depth) {
  take_base(b, type, depth);
  if (type->profile && type->base)
    type->constrained = type->base->constrained ? type->base->constrained : type->base;
  type->primitive = type->kind != DEF_PRIMITIVE ? DEF_P_NONE
                    : type->constrained         ? type->constrained->primitive
                                                : primitive_of(type->name);
  if (type->kind == DEF_PRIMITIVE && !type->primitive && type->base) type->primitive = type->base->primitive;
  if (type->root && type->differential && type->base && inherits(type)) def_snapshot(b, type, depth);
  if (type->root) {
    type->constraints = type->root->constraints;
    type->constraint_count = type->root->constraint_count;
    if (inherits(type) && type->base)
      fill(b, type, type, type->root->child, type->base);
    else
      list_children(b, type, type->root->child);
    nest_all(b, type, type, depth);
    resolve_tree(b, type, type->root->child);
  }
}

void def_resolve_type(struct builder *b, struct b_type *type, unsigned depth) {
  if (type->progress != B_RAW || depth > CHAIN_MAX || b->error) return;
  if (type->frozen) {
    type->progress = B_DONE;
    def_thaw_elements(b, type);
    return;
  }
  const struct b_package *outer = b->from;
  type->progress = B_RUNNING;
  b->from = type->package;
  resolve_structure(b, type, depth);
  b->from = outer;
  type->progress = B_DONE;
}

void def_resolve(struct builder *b) {
  for (struct b_type *type = b->types; type && !b->error; type = type->next)
    if (!type->replaced) def_resolve_type(b, type, 0);
}
