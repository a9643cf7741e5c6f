/* types.c - system kinds, types of the definitions and type specifiers; what an expression may give. */
#include "fhirpath/internal.h"

enum { MAX_TYPES = 64 };

static const char *const kind_names[] = {[FP_NODE] = "",
                                         [FP_BOOLEAN] = "Boolean",
                                         [FP_INTEGER] = "Integer",
                                         [FP_DECIMAL] = "Decimal",
                                         [FP_STRING] = "String",
                                         [FP_DATE] = "Date",
                                         [FP_DATETIME] = "DateTime",
                                         [FP_TIME] = "Time",
                                         [FP_QUANTITY] = "Quantity",
                                         [FP_TYPE] = "TypeInfo"};

const char *fp_kind_name(enum fp_kind kind) {
  return kind_names[kind];
}

bool fp_kind_named(struct str name, enum fp_kind *out) {
  if (str_is(name, "Long")) name = STR("Integer");
  for (size_t i = FP_BOOLEAN; i <= FP_TYPE; i++) {
    if (str_is(name, kind_names[i])) {
      *out = (enum fp_kind)i;
      return true;
    }
  }
  return false;
}

enum fp_kind fp_kind_of_type(const struct def_type *type) {
  static const uint8_t kinds[] = {[DEF_P_NONE] = FP_NODE,
                                  [DEF_P_BOOLEAN] = FP_BOOLEAN,
                                  [DEF_P_INTEGER] = FP_INTEGER,
                                  [DEF_P_POSITIVE_INT] = FP_INTEGER,
                                  [DEF_P_UNSIGNED_INT] = FP_INTEGER,
                                  [DEF_P_DECIMAL] = FP_DECIMAL,
                                  [DEF_P_STRING] = FP_STRING,
                                  [DEF_P_MARKDOWN] = FP_STRING,
                                  [DEF_P_CODE] = FP_STRING,
                                  [DEF_P_ID] = FP_STRING,
                                  [DEF_P_OID] = FP_STRING,
                                  [DEF_P_UUID] = FP_STRING,
                                  [DEF_P_URI] = FP_STRING,
                                  [DEF_P_URL] = FP_STRING,
                                  [DEF_P_CANONICAL] = FP_STRING,
                                  [DEF_P_BASE64] = FP_STRING,
                                  [DEF_P_DATE] = FP_DATE,
                                  [DEF_P_DATETIME] = FP_DATETIME,
                                  [DEF_P_INSTANT] = FP_DATETIME,
                                  [DEF_P_TIME] = FP_TIME,
                                  [DEF_P_XHTML] = FP_STRING};
  enum def_primitive primitive = def_type_primitive(type);
  enum fp_kind kind = (enum fp_kind)kinds[primitive];
  if (kind == FP_NODE && def_type_kind(type) == DEF_SYSTEM) {
    struct str name = def_type_name(type);
    size_t dot = str_find_char(name, '.', 0);
    fp_kind_named(str_slice(name, dot == SIZE_MAX ? 0 : dot + 1, name.len), &kind);
  }
  return kind;
}

/* --- specifiers */

static bool matches_raw(const struct fp_spec *spec, const struct fp_item *item) {
  if (item->node->kind != TREE_OBJECT) return spec->system && fp_kind_of(item) == spec->kind;
  const struct tree_node *type = fp_child(item->node, "resourceType");
  return type && str_eq(type->text, spec->name);
}

bool fp_spec_matches(const struct fp_spec *spec, const struct fp_item *item) {
  if (item->kind != FP_NODE) return spec->system && spec->kind == item->kind;
  const struct def_type *type = node_type(item->node);
  if (!type) return matches_raw(spec, item);
  if (type == spec->type) return true;
  if (def_type_kind(type) == DEF_SYSTEM) return spec->system && fp_kind_of_type(type) == spec->kind;
  return spec->type && def_type_is(type, spec->type);
}

/* For as and ofType: of FHIR's primitives only the very type, so that a code is not taken out as a string. */
static bool selects(const struct fp_spec *spec, const struct fp_item *item) {
  if (!fp_spec_matches(spec, item)) return false;
  const struct def_type *type = item->kind == FP_NODE ? node_type(item->node) : NULL;
  return !type || type == spec->type || def_type_kind(type) != DEF_PRIMITIVE || !spec->type ||
         def_type_kind(spec->type) != DEF_PRIMITIVE;
}

/* as and ofType also take the value out of FHIR's primitives: name.given.as(System.String) ("Using FHIR
 * types", FHIR R4 section 2.9.1.2). */
const struct fp_item *fp_spec_take(const struct fp_spec *spec, const struct fp_item *item,
                                   struct arena *arena, struct fp_item *slot) {
  if (selects(spec, item)) return item;
  if (!spec->system || spec->type || item->kind != FP_NODE || !node_type(item->node)) return NULL;
  if (def_type_kind(node_type(item->node)) != DEF_PRIMITIVE || item->node->kind == TREE_NULL) return NULL;
  *slot = fhirpath_value(item, arena);
  return slot->kind == spec->kind ? slot : NULL;
}

/* --- what an expression may give */

struct fp_static fp_static_unknown(void) {
  return (struct fp_static){.known = false};
}

static struct fp_static make_set(struct arena *arena, const struct fp_type_ref *types, size_t count) {
  struct fp_type_ref *copy = ARENA_ARRAY(arena, struct fp_type_ref, count + 1);
  if (!copy) return fp_static_unknown();
  if (count) memcpy(copy, types, count * sizeof *types);
  return (struct fp_static){.known = true, .count = count, .types = copy};
}

struct fp_static fp_static_kind(struct arena *arena, enum fp_kind kind) {
  struct fp_type_ref ref = {.kind = kind};
  return fp_static_one(make_set(arena, &ref, 1));
}

struct fp_static fp_static_type(struct arena *arena, const struct def_type *type) {
  struct fp_type_ref ref = {.kind = FP_NODE, .type = type};
  return type ? fp_static_one(make_set(arena, &ref, 1)) : fp_static_unknown();
}

struct fp_static fp_static_spec(struct arena *arena, const struct fp_spec *spec) {
  struct fp_type_ref refs[2];
  size_t count = 0;
  if (spec->type) refs[count++] = (struct fp_type_ref){.kind = FP_NODE, .type = spec->type};
  if (spec->system) refs[count++] = (struct fp_type_ref){.kind = spec->kind};
  return count ? make_set(arena, refs, count) : fp_static_unknown();
}

struct fp_static fp_static_one(struct fp_static type) {
  type.single = true;
  return type;
}

static bool add_type(struct fp_type_ref *types, size_t *count, struct fp_type_ref ref) {
  for (size_t i = 0; i < *count; i++) {
    if (types[i].kind == ref.kind && types[i].type == ref.type) return true;
  }
  if (*count == MAX_TYPES) return false;
  types[(*count)++] = ref;
  return true;
}

struct fp_static fp_static_both(struct arena *arena, const struct fp_static *a, const struct fp_static *b) {
  struct fp_type_ref types[MAX_TYPES];
  size_t count = 0;
  if (!a->known || !b->known) return fp_static_unknown();
  for (size_t i = 0; i < a->count + b->count; i++) {
    if (!add_type(types, &count, i < a->count ? a->types[i] : b->types[i - a->count]))
      return fp_static_unknown();
  }
  return make_set(arena, types, count);
}

struct children {
  struct fp_type_ref types[MAX_TYPES];
  size_t count;
  bool found, list, open; /* open: may be something that is not known */
};

static void add_element(struct children *c, const struct def_element *element) {
  c->found = true;
  c->list |= def_element_is_list(element);
  size_t count = def_element_type_count(element);
  c->open |= count == 0;
  for (size_t i = 0; i < count; i++) {
    struct fp_type_ref ref = {.kind = FP_NODE, .type = def_element_type(element, i).type};
    if (!ref.type || !add_type(c->types, &c->count, ref)) c->open = true;
  }
}

static void add_child_of(struct children *c, const struct fp_type_ref *ref, struct str name) {
  if (ref->kind == FP_QUANTITY && (str_is(name, "value") || str_is(name, "unit"))) {
    c->found = true;
    add_type(c->types, &c->count,
             (struct fp_type_ref){.kind = str_is(name, "value") ? FP_DECIMAL : FP_STRING});
  } else if (ref->kind == FP_TYPE) {
    c->found = c->open = true;
  } else if (ref->kind == FP_NODE) {
    const struct def_element *element = def_type_element_named(ref->type, name);
    if (element) {
      add_element(c, element);
    } else if (def_type_abstract(ref->type) || str_is(name, "resourceType")) {
      c->found = c->open = true;
    }
  }
}

bool fp_static_child(struct arena *arena, const struct fp_static *of, struct str name,
                     struct fp_static *out) {
  struct children c = {.found = !of->known || of->count == 0, .open = !of->known};
  for (size_t i = 0; i < of->count; i++)
    add_child_of(&c, &of->types[i], name);
  *out = c.open ? fp_static_unknown() : make_set(arena, c.types, c.count);
  out->single = of->single && !c.list && out->known;
  return c.found;
}

enum fp_kind fp_static_value_kind(const struct fp_static *type) {
  enum fp_kind kind = FP_NODE;
  for (size_t i = 0; type->known && i < type->count; i++) {
    const struct fp_type_ref *ref = &type->types[i];
    enum fp_kind value = ref->kind == FP_NODE ? fp_kind_of_type(ref->type) : ref->kind;
    if (value == FP_NODE || (i > 0 && value != kind)) return FP_NODE;
    kind = value;
  }
  return kind;
}
