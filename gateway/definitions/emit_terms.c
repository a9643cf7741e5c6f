/* emit_terms.c - expanded value sets and code systems -> image: a directory, and a block of codes for each.
 */
#include <stdlib.h>
#include "definitions/build.h"

#define TEXT(b, place, type, field, value)                                                                   \
  def_image_text(&(b)->image, IMAGE_FIELD((place), type, field), PART_WARM, (value))

struct code_row {
  uint32_t hash;
  struct b_code code;
};

struct block {
  struct code_row *rows;
  size_t count;
};

static int by_hash(const void *left, const void *right) {
  const struct code_row *a = left, *b = right;
  if (a->hash != b->hash) return a->hash < b->hash ? -1 : 1;
  return str_cmp(a->code.code, b->code.code);
}

static void add_row(struct block *block, const struct b_code *code, bool fold) {
  if (!code->code.len || code->code.len > UINT16_MAX) return;
  block->rows[block->count++] = (struct code_row){def_code_hash(code->code, fold), *code};
}

static void sort_rows(struct block *block, size_t from) {
  if (block->count > from) qsort(block->rows + from, block->count - from, sizeof *block->rows, by_hash);
}

static size_t display_length(const struct b_code *code) {
  return code->display.len <= UINT16_MAX ? code->display.len : 0;
}

/* --- properties of concepts ------------------------------------------------------------------ */

/* What stands in a block behind the codes: the facts, and texts that several of them share. */
struct facts {
  struct pack_fact *items;
  size_t count, room;
  struct buf texts;
  struct map known; /* text -> offset in `texts`, + 1 */
};

static uint32_t place_text(struct builder *b, struct facts *facts, struct str text) {
  uintptr_t known = (uintptr_t)map_get(&facts->known, text);
  if (known) return (uint32_t)known - 1;
  uint32_t at = (uint32_t)facts->texts.len;
  buf_add_str(&facts->texts, text);
  if (map_put(&facts->known, text, (void *)(uintptr_t)(at + 1))) b->error = STATUS_NOMEM;
  return at;
}

static void add_fact(struct builder *b, struct facts *facts, uint32_t code, struct str name, struct str value,
                     bool cut) {
  if (facts->count == facts->room) {
    size_t room = facts->room ? facts->room * 2 : 64;
    struct pack_fact *items = def_builder_alloc(b, room, sizeof *items);
    if (!items) return;
    if (facts->count) memcpy(items, facts->items, facts->count * sizeof *items);
    facts->items = items;
    facts->room = room;
  }
  if (name.len >= UINT16_MAX || value.len >= UINT16_MAX) return;
  facts->items[facts->count++] =
      (struct pack_fact){code, place_text(b, facts, name), place_text(b, facts, value), (uint16_t)name.len,
                         cut ? (uint16_t)PACK_FACT_CUT : (uint16_t)value.len};
}

static void collect_facts(struct builder *b, const struct b_system *system, const struct block *block,
                          struct facts *facts) {
  buf_init(&facts->texts, 1 << 28);
  map_init(&facts->known, b->arena);
  for (uint32_t i = 0; i < block->count && !b->error; i++) {
    uintptr_t at = (uintptr_t)map_get(&system->index, block->rows[i].code.code);
    if (!at) continue;
    const struct b_concept *concept = &system->concepts[at - 1];
    if (concept->parent)
      add_fact(b, facts, i, STR("parent"), system->concepts[concept->parent - 1].self.code, false);
    for (size_t k = 0; k < concept->parents.count; k++)
      add_fact(b, facts, i, STR("parent"), concept->parents.items[k], false);
    for (size_t k = 0; k < concept->children.count; k++)
      add_fact(b, facts, i, STR("child"), concept->children.items[k], false);
    for (const struct b_fact *fact = concept->facts; fact; fact = fact->next)
      add_fact(b, facts, i, fact->name, fact->value, fact->cut);
  }
  if (facts->texts.error) b->error = facts->texts.error;
}

static void write_facts(char *memory, size_t at, const struct facts *facts) {
  struct pack_fact *to = (void *)(memory + at);
  size_t texts = at + facts->count * sizeof *to;
  for (size_t i = 0; i < facts->count; i++) {
    to[i] = facts->items[i];
    to[i].name += (uint32_t)texts;
    to[i].value += (uint32_t)texts;
  }
  if (facts->texts.len) memcpy(memory + texts, facts->texts.ptr, facts->texts.len);
}

/* --- blocks ---------------------------------------------------------------------------------- */

static size_t text_bytes(const struct block *block) {
  size_t bytes = 0;
  for (size_t i = 0; i < block->count; i++)
    bytes += block->rows[i].code.code.len + display_length(&block->rows[i].code);
  return bytes;
}

static void write_codes(char *memory, const struct block *block) {
  struct pack_code *codes = (void *)memory;
  size_t text = block->count * sizeof *codes;
  for (size_t i = 0; i < block->count; i++) {
    const struct b_code *code = &block->rows[i].code;
    size_t shown = display_length(code);
    codes[i] =
        (struct pack_code){block->rows[i].hash, (uint32_t)text, (uint16_t)code->code.len, (uint16_t)shown};
    memcpy(memory + text, code->code.ptr, code->code.len);
    text += code->code.len;
    if (shown) memcpy(memory + text, code->display.ptr, shown);
    text += shown;
  }
}

/* Codes, their texts, facts; the directory's entry gets the block, its size and its state. Returns where the
   facts begin. */
static size_t emit_block(struct builder *b, struct image_place entry, const struct block *block,
                         const struct facts *facts, struct image_place state) {
  size_t begin = (block->count * sizeof(struct pack_code) + text_bytes(block) + 7) / 8 * 8;
  size_t bytes = begin + facts->count * sizeof(struct pack_fact) + facts->texts.len;
  struct image_place at = def_image_alloc(&b->image, PART_CODES, block->count ? 1 : 0, bytes);
  struct pack_terms *terms = def_image_at(&b->image, entry, sizeof *terms);
  terms->size = (uint32_t)block->count;
  def_image_link(&b->image, IMAGE_FIELD(entry, struct pack_terms, state), state);
  if (!block->count || b->image.error) return begin;
  def_image_list(&b->image, IMAGE_FIELD(entry, struct pack_terms, block), at, bytes);
  char *memory = def_image_at(&b->image, at, bytes);
  if (!memory) return begin;
  write_codes(memory, block);
  write_facts(memory, begin, facts);
  return begin;
}

static void emit_common(struct builder *b, struct image_place entry, struct str url, struct str version,
                        struct str name, const struct b_package *package) {
  TEXT(b, entry, struct pack_terms, url, url);
  TEXT(b, entry, struct pack_terms, version, version);
  TEXT(b, entry, struct pack_terms, name, name);
  struct pack_terms *terms = def_image_at(&b->image, entry, sizeof *terms);
  terms->package = package ? package->number : 0;
}

static void emit_system(struct builder *b, struct b_system *system, struct image_place state) {
  struct block block = {.rows = calloc(system->count + 1, sizeof *block.rows)};
  if (!block.rows) {
    b->error = STATUS_NOMEM;
    return;
  }
  for (size_t i = 0; i < system->count; i++)
    add_row(&block, &system->concepts[i].self, system->folds_case);
  sort_rows(&block, 0);
  emit_common(b, system->place, system->url, system->version, system->name, system->package);
  struct pack_terms *terms = def_image_at(&b->image, system->place, sizeof *terms);
  terms->complete = system->complete;
  terms->folds_case = system->folds_case;
  struct facts facts = {0};
  collect_facts(b, system, &block, &facts);
  size_t begin = emit_block(b, system->place, &block, &facts, state);
  struct def_code_system *made = def_image_at(&b->image, system->place, sizeof *made);
  made->facts = (uint32_t)begin;
  made->fact_count = (uint32_t)facts.count;
  buf_release(&facts.texts);
  free(block.rows);
}

/* --- value sets ------------------------------------------------------------------------------ */

static bool is_complete(const struct b_set *set) {
  for (const struct b_members *at = set->members; at; at = at->next)
    if (at->unknown || (at->whole && !(at->system && at->system->complete))) return false;
  return set->members != NULL;
}

static void emit_part(struct builder *b, struct image_place at, const struct b_members *members, size_t first,
                      size_t count) {
  struct pack_set_system *part = def_image_at(&b->image, at, sizeof *part);
  part->first = (uint32_t)first;
  part->count = (uint32_t)count;
  part->whole = members->whole;
  part->unknown = members->unknown;
  part->folds_case = members->system && members->system->folds_case;
  TEXT(b, at, struct pack_set_system, url, members->url);
  if (!members->system) return;
  struct image_place field = IMAGE_FIELD(at, struct pack_set_system, system);
  if (members->system->frozen)
    def_image_ptr_out(&b->image, field, members->system->frozen);
  else
    def_image_ptr(&b->image, field, members->system->place);
}

static void emit_set(struct builder *b, struct b_set *set, struct image_place state) {
  size_t parts = 0, codes = 0, i = 0;
  for (const struct b_members *at = set->members; at; at = at->next, parts++)
    codes += at->count;
  struct block block = {.rows = calloc(codes + 1, sizeof *block.rows)};
  if (!block.rows) {
    b->error = STATUS_NOMEM;
    return;
  }
  struct image_place list = def_image_alloc(&b->image, PART_WARM, parts, sizeof(struct pack_set_system));
  for (const struct b_members *at = set->members; at; at = at->next) {
    size_t first = block.count;
    for (size_t k = 0; k < at->count; k++)
      add_row(&block, &at->codes[k], at->system && at->system->folds_case);
    sort_rows(&block, first);
    emit_part(b, def_image_plus(list, i++ * sizeof(struct pack_set_system)), at, first, block.count - first);
  }
  def_image_list(&b->image, IMAGE_FIELD(set->place, struct def_value_set, systems), list, parts);
  emit_common(b, set->place, set->url, set->version, set->name, set->package);
  ((struct pack_terms *)def_image_at(&b->image, set->place, sizeof(struct pack_terms)))->complete =
      is_complete(set);
  (void)emit_block(b, set->place, &block, &(struct facts){0}, state);
  free(block.rows);
}

void def_emit_terms(struct builder *b) {
  size_t systems = 0, sets = 0, at = 0;
  for (struct b_system *system = b->first_system; system; system = system->next) {
    if (system->replaced) continue;
    system->place = def_image_alloc(&b->image, PART_WARM, 1, sizeof(struct def_code_system));
    systems++;
  }
  for (struct b_set *set = b->first_set; set; set = set->next) {
    if (set->replaced) continue;
    set->place = def_image_alloc(&b->image, PART_WARM, 1, sizeof(struct def_value_set));
    sets++;
  }
  struct image_place states = def_image_alloc(&b->image, PART_STATE, systems + sets, 1);
  for (struct b_system *system = b->first_system; system && !b->error; system = system->next)
    if (!system->replaced) emit_system(b, system, def_image_plus(states, at++));
  for (struct b_set *set = b->first_set; set && !b->error; set = set->next)
    if (!set->replaced) emit_set(b, set, def_image_plus(states, at++));
}
