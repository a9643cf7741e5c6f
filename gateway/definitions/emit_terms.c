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

/* Codes, then texts; the directory's entry gets the block, its size and its state. */
static void emit_block(struct builder *b, struct image_place entry, const struct block *block,
                       struct image_place state) {
  size_t bytes = block->count * sizeof(struct pack_code), text = bytes;
  for (size_t i = 0; i < block->count; i++)
    bytes += block->rows[i].code.code.len + display_length(&block->rows[i].code);
  struct image_place at = def_image_alloc(&b->image, PART_CODES, block->count ? 1 : 0, bytes);
  struct pack_terms *terms = def_image_at(&b->image, entry, sizeof *terms);
  terms->size = (uint32_t)block->count;
  def_image_link(&b->image, IMAGE_FIELD(entry, struct pack_terms, state), state);
  if (!block->count || b->image.error) return;
  def_image_list(&b->image, IMAGE_FIELD(entry, struct pack_terms, block), at, bytes);
  char *memory = def_image_at(&b->image, at, bytes);
  struct pack_code *codes = (void *)memory;
  if (!memory) return;
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
  emit_block(b, system->place, &block, state);
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
  emit_block(b, set->place, &block, state);
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
