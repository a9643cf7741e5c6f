/* terms.c - asks value sets and code systems: each has one block of codes, in the order of their hashes. */
#include "definitions/internal.h"

uint32_t def_code_hash(struct str code, bool fold) {
  char folded[64];
  if (!fold || code.len > sizeof folded) return pack_hash(code);
  for (size_t i = 0; i < code.len; i++)
    folded[i] = def_fold(code.ptr[i]);
  return pack_hash(str_make(folded, code.len));
}

static bool same_code(struct str a, struct str b, bool fold) {
  if (!fold || a.len > 64) return str_eq(a, b);
  if (a.len != b.len) return false;
  for (size_t i = 0; i < a.len; i++)
    if (def_fold(a.ptr[i]) != def_fold(b.ptr[i])) return false;
  return true;
}

static struct str code_text(const char *block, const struct pack_code *code) {
  return str_make(block + code->text, code->code_len);
}

static struct str display_text(const char *block, const struct pack_code *code) {
  return str_make(block + code->text + code->code_len, code->display_len);
}

/* Binary search among `count` codes from `first` on. */
static const struct pack_code *find_code(const char *block, uint32_t first, uint32_t count, struct str code,
                                         bool fold) {
  const struct pack_code *codes = (const void *)block;
  uint32_t hash = def_code_hash(code, fold), low = first, high = first + count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (codes[middle].hash < hash)
      low = middle + 1;
    else
      high = middle;
  }
  for (; low < first + count && codes[low].hash == hash; low++)
    if (same_code(code_text(block, &codes[low]), code, fold)) return &codes[low];
  return NULL;
}

/* --- code systems ---------------------------------------------------------------------------- */

const struct def_code_system *definitions_code_system(const struct definitions *definitions, struct str url) {
  return def_find(definitions, DEF_SYSTEMS, url);
}

struct str def_code_system_url(const struct def_code_system *system) {
  return rel_text(&system->terms.url);
}

struct str def_code_system_name(const struct def_code_system *system) {
  return rel_text(&system->terms.name);
}

struct str def_code_system_version(const struct def_code_system *system) {
  return rel_text(&system->terms.version);
}

bool def_code_system_complete(const struct def_code_system *system) {
  return system->terms.complete && def_pack_terms_good(&system->terms);
}

bool def_code_system_folds_case(const struct def_code_system *system) {
  return system->terms.folds_case != 0;
}

size_t def_code_system_size(const struct def_code_system *system) {
  return system->terms.size;
}

bool def_code_system_has(const struct def_code_system *system, struct str code, struct str *display) {
  const char *block = rel_items(&system->terms.block);
  if (!block || !def_pack_terms_good(&system->terms)) return false;
  const struct pack_code *found =
      find_code(block, 0, system->terms.size, code, system->terms.folds_case != 0);
  if (found && display) *display = display_text(block, found);
  return found != NULL;
}

bool def_code_system_at(const struct def_code_system *system, size_t index, struct str *code,
                        struct str *display) {
  const char *block = rel_items(&system->terms.block);
  if (!block || index >= system->terms.size || !def_pack_terms_good(&system->terms)) return false;
  const struct pack_code *at = (const struct pack_code *)(const void *)block + index;
  if (code) *code = code_text(block, at);
  if (display) *display = display_text(block, at);
  return true;
}

/* --- value sets ------------------------------------------------------------------------------ */

const struct def_value_set *definitions_value_set(const struct definitions *definitions, struct str url) {
  return def_find(definitions, DEF_SETS, url);
}

struct str def_value_set_url(const struct def_value_set *set) {
  return rel_text(&set->terms.url);
}

struct str def_value_set_name(const struct def_value_set *set) {
  return rel_text(&set->terms.name);
}

struct str def_value_set_version(const struct def_value_set *set) {
  return rel_text(&set->terms.version);
}

bool def_value_set_complete(const struct def_value_set *set) {
  return set->terms.complete && def_pack_terms_good(&set->terms);
}

/* Membership by what the set takes from one system. */
static enum def_membership member_of(const struct def_value_set *set, const struct pack_set_system *part,
                                     struct str code, struct str *display) {
  const char *block = rel_items(&set->terms.block);
  const struct pack_code *found =
      block ? find_code(block, part->first, part->count, code, part->folds_case != 0) : NULL;
  if (found) {
    if (display) *display = display_text(block, found);
    return DEF_MEMBER;
  }
  if (part->whole) {
    const struct def_code_system *system = rel_get(&part->system);
    if (!system) return DEF_MEMBER_UNKNOWN;
    if (def_code_system_has(system, code, display)) return DEF_MEMBER;
    if (!def_code_system_complete(system)) return DEF_MEMBER_UNKNOWN;
  }
  return part->unknown ? DEF_MEMBER_UNKNOWN : DEF_NOT_MEMBER;
}

enum def_membership def_value_set_has(const struct def_value_set *set, struct str system, struct str code,
                                      struct str *display) {
  const struct pack_set_system *parts = rel_items(&set->systems);
  enum def_membership answer = DEF_NOT_MEMBER;
  if (display) *display = (struct str){0};
  if (!def_pack_terms_good(&set->terms)) return DEF_MEMBER_UNKNOWN;
  for (uint32_t i = 0; i < set->systems.count; i++) {
    struct str url = rel_text(&parts[i].url);
    if (system.len && url.len && !str_eq(url, system)) continue;
    enum def_membership one = member_of(set, &parts[i], code, display);
    if (one == DEF_MEMBER) return one;
    if (one == DEF_MEMBER_UNKNOWN) answer = one;
  }
  return answer;
}

size_t def_value_set_size(const struct def_value_set *set) {
  const struct pack_set_system *parts = rel_items(&set->systems);
  size_t size = set->terms.size;
  for (uint32_t i = 0; i < set->systems.count; i++) {
    const struct def_code_system *system = rel_get(&parts[i].system);
    if (parts[i].whole && system) size += system->terms.size;
  }
  return size;
}

size_t def_value_set_system_count(const struct def_value_set *set) {
  return set->systems.count;
}

struct def_set_system def_value_set_system(const struct def_value_set *set, size_t index) {
  if (index >= set->systems.count) return (struct def_set_system){0};
  const struct pack_set_system *part = (const struct pack_set_system *)rel_items(&set->systems) + index;
  return (struct def_set_system){rel_text(&part->url), rel_get(&part->system), part->count, part->whole != 0,
                                 part->unknown != 0};
}

bool def_value_set_code(const struct def_value_set *set, size_t system, size_t index, struct str *code,
                        struct str *display) {
  const char *block = rel_items(&set->terms.block);
  if (system >= set->systems.count || !block || !def_pack_terms_good(&set->terms)) return false;
  const struct pack_set_system *part = (const struct pack_set_system *)rel_items(&set->systems) + system;
  if (index >= part->count) return false;
  const struct pack_code *at = (const struct pack_code *)(const void *)block + part->first + index;
  if (code) *code = code_text(block, at);
  if (display) *display = display_text(block, at);
  return true;
}

static void consider(struct str_nearest *nearest, const struct pack_terms *terms) {
  const char *block = rel_items(&terms->block);
  if (!block || !def_pack_terms_good(terms)) return;
  const struct pack_code *codes = (const void *)block;
  for (uint32_t i = 0; i < terms->size; i++)
    str_nearest_offer(nearest, code_text(block, &codes[i]));
}

struct str def_value_set_nearest(const struct def_value_set *set, struct str code) {
  struct str_nearest nearest = {.word = code};
  const struct pack_set_system *parts = rel_items(&set->systems);
  consider(&nearest, &set->terms);
  for (uint32_t i = 0; i < set->systems.count; i++) {
    const struct def_code_system *system = rel_get(&parts[i].system);
    if (parts[i].whole && system) consider(&nearest, &system->terms);
  }
  return nearest.best;
}
