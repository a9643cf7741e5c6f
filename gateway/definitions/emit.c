/* emit.c - resolved types, elements, names and symbols -> image. */
#include "definitions/build.h"

#define PUT(b, place, type, field, value)                                                                    \
  (((type *)def_image_at(&(b)->image, (place), sizeof(type)))->field = (value))
#define TEXT(b, place, type, field, part, value)                                                             \
  def_image_text(&(b)->image, IMAGE_FIELD((place), type, field), (part), (value))
#define LIST(b, place, type, field, items, count)                                                            \
  def_image_list(&(b)->image, IMAGE_FIELD((place), type, field), (items), (count))

static size_t power_above(size_t count) {
  size_t size = 2;
  while (size < count)
    size *= 2;
  return size;
}

static struct image_place item(struct image_place array, size_t index, size_t size) {
  return def_image_plus(array, index * size);
}

/* --- names and symbols ----------------------------------------------------------------------- */

void def_emit_names(struct builder *b, size_t header_field, const struct emit_name *names, size_t count) {
  if (!count) return;
  size_t size = power_above(count * 2);
  struct image_place table = def_image_alloc(&b->image, PART_HOT, size, sizeof(struct pack_name));
  for (size_t i = 0; i < count && !b->image.error; i++) {
    uint32_t hash = pack_hash(names[i].key);
    size_t at = hash & (size - 1);
    for (;;) {
      struct pack_name *slot = def_image_at(&b->image, item(table, at, sizeof *slot), sizeof *slot);
      if (!slot->key.len) break;
      at = (at + 1) & (size - 1);
    }
    struct image_place slot = item(table, at, sizeof(struct pack_name));
    PUT(b, slot, struct pack_name, hash, hash);
    TEXT(b, slot, struct pack_name, key, PART_HOT, names[i].key);
    def_image_link(&b->image, IMAGE_FIELD(slot, struct pack_name, target), names[i].target);
  }
  def_image_list(&b->image, def_image_header(header_field), table, size);
}

static uint32_t symbol_of(struct builder *b, struct str name) {
  uint32_t below = b->below ? definitions_symbol(b->below, name) : 0;
  if (below) return below;
  uintptr_t known = (uintptr_t)map_get(&b->symbols, name);
  if (!known) {
    known = b->symbols.count + 1;
    if (map_put(&b->symbols, name, (void *)known)) b->error = STATUS_NOMEM;
  }
  return b->image.header.first_symbol + (uint32_t)known - 1;
}

static void emit_symbols(struct builder *b) {
  size_t count = b->symbols.count, size = power_above(count * 2);
  if (!count) return;
  struct image_place names = def_image_alloc(&b->image, PART_HOT, count, sizeof(struct rel_str));
  struct image_place slots = def_image_alloc(&b->image, PART_HOT, size, sizeof(uint32_t));
  for (size_t i = 0; i < count && !b->image.error; i++) {
    struct str name = b->symbols.entries[i].key;
    def_image_text(&b->image, item(names, i, sizeof(struct rel_str)), PART_HOT, name);
    uint32_t *table = def_image_at(&b->image, slots, size * sizeof *table);
    size_t at = pack_hash(name) & (size - 1);
    while (table && table[at])
      at = (at + 1) & (size - 1);
    if (table) table[at] = (uint32_t)i + 1;
  }
  def_image_list(&b->image, def_image_header(offsetof(struct pack_header, symbols)), names, count);
  def_image_list(&b->image, def_image_header(offsetof(struct pack_header, symbol_slots)), slots, size);
}

/* --- lists of texts and constraints ---------------------------------------------------------- */

struct image_place def_emit_texts(struct builder *b, enum pack_part part, const struct b_texts *texts) {
  struct image_place list = def_image_alloc(&b->image, part, texts->count, sizeof(struct rel_str));
  for (size_t i = 0; i < texts->count; i++)
    def_image_text(&b->image, item(list, i, sizeof(struct rel_str)), part, texts->items[i]);
  return list;
}

static struct image_place emit_constraint(struct builder *b, struct b_constraint *c) {
  if (c->place.at) return c->place;
  struct image_place at = def_image_alloc(&b->image, PART_WARM, 1, sizeof(struct pack_constraint));
  TEXT(b, at, struct pack_constraint, key, PART_WARM, c->key);
  TEXT(b, at, struct pack_constraint, human, PART_WARM, c->human);
  TEXT(b, at, struct pack_constraint, expression, PART_WARM, c->expression);
  TEXT(b, at, struct pack_constraint, source, PART_WARM, c->source);
  TEXT(b, at, struct pack_constraint, group, PART_WARM, c->group);
  TEXT(b, at, struct pack_constraint, applies, PART_WARM, c->applies);
  TEXT(b, at, struct pack_constraint, reason, PART_WARM, c->reason);
  PUT(b, at, struct pack_constraint, is_error, c->is_error);
  return c->place = at;
}

/* Most elements share their list of constraints with many others: each list stands once. */
static struct image_place emit_constraints(struct builder *b, struct b_constraint **list, size_t count) {
  if (!count) return (struct image_place){0};
  struct str key = arena_str(b->arena, str_make((const char *)list, count * sizeof *list));
  if (!key.ptr) {
    b->error = STATUS_NOMEM;
    return (struct image_place){0};
  }
  uintptr_t known = (uintptr_t)map_get(&b->constraint_lists, key);
  if (known) return (struct image_place){PART_WARM, (uint32_t)known};
  struct image_place at = def_image_alloc(&b->image, PART_WARM, count, sizeof(int32_t));
  for (size_t i = 0; i < count; i++)
    def_image_link(&b->image, item(at, i, sizeof(int32_t)), emit_constraint(b, list[i]));
  if (map_put(&b->constraint_lists, key, (void *)(uintptr_t)at.at)) b->error = STATUS_NOMEM;
  return at;
}

/* --- elements -------------------------------------------------------------------------------- */

static struct image_place emit_elements(struct builder *b, enum pack_part part, struct b_element *const *list,
                                        size_t count, unsigned depth);

static void point_to_type(struct builder *b, struct image_place field, const struct b_type *type) {
  if (!type) return;
  if (type->frozen)
    def_image_ptr_out(&b->image, field, type->frozen);
  else
    def_image_ptr(&b->image, field, type->place);
}

/* "value" and "Quantity" -> "valueQuantity". */
static struct str json_name(struct builder *b, const struct b_element *e, const struct b_type_ref *ref) {
  if (ref->json_name.len) return ref->json_name;
  if (!(e->flags & PACK_CHOICE)) return e->name;
  struct str code = ref->code;
  for (size_t at = 0; at < ref->code.len; at++)
    if (ref->code.ptr[at] == '/') code = str_slice(ref->code, at + 1, ref->code.len);
  struct str name = arena_concat(b->arena, e->name, code);
  if (!name.ptr) {
    b->error = STATUS_NOMEM;
    return e->name;
  }
  char *first = (char *)(uintptr_t)name.ptr + e->name.len;
  if (code.len && *first >= 'a' && *first <= 'z') *first = (char)(*first - 'a' + 'A');
  return name;
}

/* Canonicals, and what they mean to the package in hand. */
static struct image_place emit_canonicals(struct builder *b, const struct b_texts *texts) {
  struct image_place list =
      def_image_alloc(&b->image, PART_WARM, texts->count, sizeof(struct pack_canonical));
  for (size_t i = 0; i < texts->count; i++) {
    struct image_place at = item(list, i, sizeof(struct pack_canonical));
    TEXT(b, at, struct pack_canonical, url, PART_WARM, texts->items[i]);
    const void *frozen;
    const struct b_type *type = def_look_up(b, DEF_TYPES, texts->items[i], &frozen);
    if (type) def_image_ptr(&b->image, IMAGE_FIELD(at, struct pack_canonical, type), type->place);
    if (frozen) def_image_ptr_out(&b->image, IMAGE_FIELD(at, struct pack_canonical, type), frozen);
  }
  return list;
}

static struct image_place emit_types(struct builder *b, enum pack_part part, struct b_element *e) {
  struct image_place list = def_image_alloc(&b->image, part, e->type_count, sizeof(struct pack_type_ref));
  for (size_t i = 0; i < e->type_count && !b->error; i++) {
    struct b_type_ref *ref = &e->types[i];
    struct image_place at = item(list, i, sizeof(struct pack_type_ref));
    point_to_type(b, IMAGE_FIELD(at, struct pack_type_ref, type), ref->type);
    ref->json_name = json_name(b, e, ref);
    TEXT(b, at, struct pack_type_ref, json_name, PART_HOT, ref->json_name);
    LIST(b, at, struct pack_type_ref, targets, emit_canonicals(b, &ref->targets), ref->targets.count);
    LIST(b, at, struct pack_type_ref, profiles, emit_canonicals(b, &ref->profiles), ref->profiles.count);
    PUT(b, at, struct pack_type_ref, aggregation, ref->aggregation);
  }
  return list;
}

static void emit_slicing(struct builder *b, struct image_place at, const struct b_element *e,
                         unsigned depth) {
  size_t count = 0;
  for (struct b_element *slice = e->slices; slice; slice = slice->next)
    count++;
  struct b_element **slices = def_builder_alloc(b, count + 1, sizeof *slices);
  if (!slices) return;
  count = 0;
  for (struct b_element *slice = e->slices; slice; slice = slice->next)
    slices[count++] = slice;
  if (count && depth < LIMIT_DEPTH)
    LIST(b, at, struct pack_detail, slices, emit_elements(b, PART_WARM, slices, count, depth + 1), count);
  if (!e->slicing) return;
  PUT(b, at, struct pack_detail, rules, (uint8_t)e->slicing->rules);
  PUT(b, at, struct pack_detail, ordered, e->slicing->ordered);
  size_t paths = e->slicing->count;
  struct image_place list = def_image_alloc(&b->image, PART_WARM, paths, sizeof(struct pack_discriminator));
  for (size_t i = 0; i < paths; i++) {
    struct image_place one = item(list, i, sizeof(struct pack_discriminator));
    TEXT(b, one, struct pack_discriminator, type, PART_WARM, e->slicing->discriminators[i].type);
    TEXT(b, one, struct pack_discriminator, path, PART_WARM, e->slicing->discriminators[i].path);
  }
  LIST(b, at, struct pack_detail, discriminators, list, paths);
}

static void point_to_set(struct builder *b, struct image_place field, struct str url) {
  const struct b_set *set = url.len ? def_builder_set(b, url) : NULL;
  if (!set) return;
  if (set->frozen)
    def_image_ptr_out(&b->image, field, set->frozen);
  else
    def_image_ptr(&b->image, field, set->place);
}

static void emit_binding(struct builder *b, struct image_place at, const struct b_element *e) {
  if (!(e->flags & PACK_BOUND)) return;
  PUT(b, at, struct pack_detail, strength, (uint8_t)e->strength);
  TEXT(b, at, struct pack_detail, value_set, PART_WARM, e->value_set);
  TEXT(b, at, struct pack_detail, max_set, PART_WARM, e->max_set);
  point_to_set(b, IMAGE_FIELD(at, struct pack_detail, members), e->value_set);
  point_to_set(b, IMAGE_FIELD(at, struct pack_detail, max_members), e->max_set);
}

static struct image_place emit_detail(struct builder *b, struct b_element *e, unsigned depth) {
  struct image_place at = def_image_alloc(&b->image, PART_WARM, 1, sizeof(struct pack_detail));
  TEXT(b, at, struct pack_detail, path, PART_WARM, e->path);
  TEXT(b, at, struct pack_detail, text, PART_DOCS, e->text);
  TEXT(b, at, struct pack_detail, slice_name, PART_WARM, e->slice_name);
  TEXT(b, at, struct pack_detail, fixed, PART_WARM, e->fixed);
  TEXT(b, at, struct pack_detail, min_value, PART_WARM, e->min_value);
  TEXT(b, at, struct pack_detail, max_value, PART_WARM, e->max_value);
  PUT(b, at, struct pack_detail, max_length, e->max_length);
  LIST(b, at, struct pack_detail, constraints, emit_constraints(b, e->constraints, e->constraint_count),
       e->constraint_count);
  emit_binding(b, at, e);
  emit_slicing(b, at, e, depth);
  return at;
}

static void emit_xml(struct builder *b, struct image_place field, struct str name, struct str space) {
  if (!name.len && !space.len) return;
  struct image_place at = def_image_alloc(&b->image, PART_WARM, 1, sizeof(struct pack_xml));
  TEXT(b, at, struct pack_xml, name, PART_WARM, name);
  TEXT(b, at, struct pack_xml, space, PART_WARM, space);
  def_image_link(&b->image, field, at);
}

static bool is_list(const struct b_element *e) {
  return e->base_max > 1;
}

static struct image_place emit_elements(struct builder *b, enum pack_part part, struct b_element *const *list,
                                        size_t count, unsigned depth) {
  struct image_place array = def_image_alloc(&b->image, part, count, sizeof(struct def_element));
  for (size_t i = 0; i < count && !b->error && !b->image.error; i++) {
    struct b_element *e = list[i];
    struct image_place at = item(array, i, sizeof(struct def_element));
    struct def_element *pod = def_image_at(&b->image, at, sizeof *pod);
    pod->symbol = symbol_of(b, e->name);
    pod->min = e->min;
    pod->max = e->max;
    pod->order = (uint16_t)(i + 1);
    pod->flags = (uint16_t)(e->flags | (is_list(e) ? PACK_LIST : 0));
    TEXT(b, at, struct def_element, name, PART_HOT, e->name);
    LIST(b, at, struct def_element, types, emit_types(b, part, e), e->type_count);
    def_image_link(&b->image, IMAGE_FIELD(at, struct def_element, detail), emit_detail(b, e, depth));
    emit_xml(b, IMAGE_FIELD(at, struct def_element, xml), e->xml_name, e->xml_space);
  }
  return array;
}

/* --- types ----------------------------------------------------------------------------------- */

static bool resolves(const struct b_type *type) {
  return type->abstract && type->kind == DEF_RESOURCE;
}

static void put_json(struct builder *b, struct image_place table, size_t size, const struct b_element *e,
                     size_t index, const struct b_type_ref *ref) {
  uint32_t hash = pack_hash(ref->json_name);
  size_t at = hash & (size - 1);
  for (;;) {
    struct pack_json_slot *slot = def_image_at(&b->image, item(table, at, sizeof *slot), sizeof *slot);
    if (!slot->name.len || b->image.error) break;
    at = (at + 1) & (size - 1);
  }
  struct image_place place = item(table, at, sizeof(struct pack_json_slot));
  TEXT(b, place, struct pack_json_slot, name, PART_HOT, ref->json_name);
  point_to_type(b, IMAGE_FIELD(place, struct pack_json_slot, type), ref->type);
  struct pack_json_slot *slot = def_image_at(&b->image, place, sizeof *slot);
  slot->hash = hash;
  slot->symbol = symbol_of(b, e->name);
  slot->element = (uint16_t)index;
  slot->order = (uint16_t)(index + 1);
  slot->resolves = resolves(ref->type);
}

static void emit_json(struct builder *b, enum pack_part part, const struct b_type *type) {
  size_t names = 0;
  for (size_t i = 0; i < type->element_count; i++) {
    size_t types = type->elements[i]->type_count;
    names += type->elements[i]->flags & PACK_CHOICE ? types : types > 0;
  }
  if (!names) return;
  size_t size = power_above(names + names / 2 + 1);
  struct image_place table = def_image_alloc(&b->image, part, size, sizeof(struct pack_json_slot));
  for (size_t i = 0; i < type->element_count; i++) {
    const struct b_element *e = type->elements[i];
    size_t types = e->flags & PACK_CHOICE ? e->type_count : e->type_count > 0;
    for (size_t k = 0; k < types; k++)
      put_json(b, table, size, e, i, &e->types[k]);
  }
  LIST(b, type->place, struct def_type, json, table, size);
}

static void emit_symbol_index(struct builder *b, enum pack_part part, const struct b_type *type) {
  if (!type->element_count) return;
  size_t size = power_above(type->element_count * 2);
  struct image_place table = def_image_alloc(&b->image, part, size, sizeof(uint16_t));
  for (size_t i = 0; i < type->element_count && !b->image.error; i++) {
    uint16_t *slots = def_image_at(&b->image, table, size * sizeof *slots);
    size_t at = pack_symbol_slot(symbol_of(b, type->elements[i]->name), size);
    while (slots && slots[at])
      at = (at + 1) & (size - 1);
    if (slots) slots[at] = (uint16_t)(i + 1);
  }
  LIST(b, type->place, struct def_type, symbols, table, size);
}

static void emit_contexts(struct builder *b, const struct b_type *type) {
  size_t count = type->context_types.count;
  struct image_place list = def_image_alloc(&b->image, PART_WARM, count, sizeof(struct pack_context));
  for (size_t i = 0; i < count && i < type->context_paths.count; i++) {
    struct image_place one = item(list, i, sizeof(struct pack_context));
    TEXT(b, one, struct pack_context, type, PART_WARM, type->context_types.items[i]);
    TEXT(b, one, struct pack_context, expression, PART_WARM, type->context_paths.items[i]);
  }
  LIST(b, type->place, struct def_type, contexts, list, count);
  LIST(b, type->place, struct def_type, context_rules, def_emit_texts(b, PART_WARM, &type->context_rules),
       type->context_rules.count);
}

static void emit_type(struct builder *b, struct b_type *type) {
  enum pack_part part = type->profile ? PART_WARM : PART_HOT;
  struct image_place at = type->place;
  struct def_type *pod = def_image_at(&b->image, at, sizeof *pod);
  pod->kind = (uint8_t)type->kind;
  pod->primitive = (uint8_t)type->primitive;
  pod->flags = (uint8_t)((type->abstract ? PACK_ABSTRACT : 0) | (type->profile ? PACK_PROFILE : 0));
  pod->package = type->package ? type->package->number : 0;
  b->from = type->package;
  if (resolves(type)) pod->flags |= PACK_RESOLVES;
  if (type->root && (type->root->flags & PACK_MODIFIER)) pod->flags |= PACK_TYPE_MODIFIER;
  TEXT(b, at, struct def_type, name, PART_HOT, type->name);
  TEXT(b, at, struct def_type, url, PART_HOT, type->url);
  TEXT(b, at, struct def_type, version, PART_HOT, type->version);
  point_to_type(b, IMAGE_FIELD(at, struct def_type, base), type->base);
  point_to_type(b, IMAGE_FIELD(at, struct def_type, constrained), type->constrained);
  LIST(b, at, struct def_type, constraints, emit_constraints(b, type->constraints, type->constraint_count),
       type->constraint_count);
  LIST(b, at, struct def_type, elements, emit_elements(b, part, type->elements, type->element_count, 0),
       type->element_count);
  emit_xml(b, IMAGE_FIELD(at, struct def_type, xml), type->xml_name, type->xml_space);
  emit_contexts(b, type);
  emit_json(b, part, type);
  emit_symbol_index(b, part, type);
}

/* A type that a later one of the same URL replaced stands in no table and is left out. */
static bool left_out(const struct b_type *type) {
  return type->frozen || type->replaced;
}

static void emit_type_list(struct builder *b) {
  size_t count = 0;
  for (struct b_type *type = b->types; type; type = type->next)
    count += type->named && !left_out(type);
  struct image_place list = def_image_alloc(&b->image, PART_HOT, count, sizeof(int32_t));
  size_t at = 0;
  for (struct b_type *type = b->types; type; type = type->next)
    if (type->named && !left_out(type))
      def_image_link(&b->image, item(list, at++, sizeof(int32_t)), type->place);
  def_image_list(&b->image, def_image_header(offsetof(struct pack_header, types)), list, count);
}

static struct image_place place_of(enum def_names kind, const void *what) {
  if (kind == DEF_TYPES) return ((const struct b_type *)what)->place;
  if (kind == DEF_SETS) return ((const struct b_set *)what)->place;
  return ((const struct b_system *)what)->place;
}

static void emit_names(struct builder *b, enum def_names kind, size_t header_field) {
  const struct map *map = &b->names[kind];
  struct emit_name *names = def_builder_alloc(b, map->count + 1, sizeof *names);
  size_t count = 0;
  for (size_t i = 0; names && i < map->count; i++) {
    const struct b_name *name = map->entries[i].value;
    struct image_place place = place_of(kind, name->what);
    if (place.at) names[count++] = (struct emit_name){map->entries[i].key, place};
  }
  def_emit_names(b, header_field, names, count);
}

/* --- the rest -------------------------------------------------------------------------------- */

static void emit_searches(struct builder *b) {
  size_t count = b->searches.count, size = power_above(count * 2);
  if (!count) return;
  struct image_place table = def_image_alloc(&b->image, PART_HOT, size, sizeof(uint64_t));
  for (size_t i = 0; i < count && !b->image.error; i++) {
    struct str key = b->searches.entries[i].key;
    size_t space = str_find_char(key, ' ', 0);
    uint64_t hash = pack_search_hash(str_slice(key, 0, space), str_slice(key, space + 1, key.len));
    uint64_t *slots = def_image_at(&b->image, table, size * sizeof *slots);
    size_t at = hash >> 8 & (size - 1);
    while (slots && slots[at])
      at = (at + 1) & (size - 1);
    if (slots) slots[at] = hash;
  }
  def_image_list(&b->image, def_image_header(offsetof(struct pack_header, searches)), table, size);
}

static void emit_needs(struct builder *b, struct image_place package_place, const struct b_package *package) {
  size_t count = package->needs.count;
  struct image_place list = def_image_alloc(&b->image, PART_WARM, count, sizeof(struct pack_need));
  for (size_t i = 0; i < count && i < package->needs_versions.count; i++) {
    struct image_place at = item(list, i, sizeof(struct pack_need));
    TEXT(b, at, struct pack_need, id, PART_WARM, package->needs.items[i]);
    TEXT(b, at, struct pack_need, version, PART_WARM, package->needs_versions.items[i]);
  }
  LIST(b, package_place, struct pack_package, needs, list, count);
}

static void emit_packages(struct builder *b) {
  size_t count = 0;
  for (struct b_package *package = b->packages; package; package = package->next)
    count++;
  struct image_place list = def_image_alloc(&b->image, PART_WARM, count, sizeof(struct pack_package));
  size_t i = 0;
  for (struct b_package *package = b->packages; package; package = package->next) {
    struct image_place at = item(list, i++, sizeof(struct pack_package));
    TEXT(b, at, struct pack_package, id, PART_WARM, package->id);
    TEXT(b, at, struct pack_package, version, PART_WARM, package->version);
    PUT(b, at, struct pack_package, structures, (uint32_t)package->structures);
    PUT(b, at, struct pack_package, value_sets, (uint32_t)package->value_sets);
    PUT(b, at, struct pack_package, code_systems, (uint32_t)package->code_systems);
    PUT(b, at, struct pack_package, units, (uint32_t)package->units);
    emit_needs(b, at, package);
  }
  def_image_list(&b->image, def_image_header(offsetof(struct pack_header, packages)), list, count);
}

void def_emit(struct builder *b) {
  b->image.header.first_symbol = b->below ? def_symbol_limit(b->below) : 1;
  b->image.header.models = b->models;
  def_emit_terms(b);
  for (struct b_type *type = b->types; type; type = type->next)
    if (!left_out(type)) type->place = def_image_alloc(&b->image, PART_HOT, 1, sizeof(struct def_type));
  for (int profiles = 0; profiles < 2; profiles++)
    for (struct b_type *type = b->types; type && !b->error; type = type->next)
      if (type->place.at && type->profile == (profiles == 1)) emit_type(b, type);
  emit_symbols(b);
  emit_type_list(b);
  emit_names(b, DEF_TYPES, offsetof(struct pack_header, type_names));
  emit_names(b, DEF_SETS, offsetof(struct pack_header, value_sets));
  emit_names(b, DEF_SYSTEMS, offsetof(struct pack_header, code_systems));
  emit_searches(b);
  def_emit_units(b);
  emit_packages(b);
  if (!b->error) b->error = b->image.error;
}
