/* find.c - finds types, value sets, code systems and symbols by name in all layers, the last one first. */
#include "definitions/internal.h"

/* --- names ----------------------------------------------------------------------------------- */

const void *def_name_find(const struct rel_list *names, struct str key) {
  const struct pack_name *slots = rel_items(names);
  if (!slots || !key.len) return NULL;
  uint32_t hash = pack_hash(key), mask = names->count - 1;
  for (uint32_t at = hash & mask; slots[at].key.len; at = (at + 1) & mask)
    if (slots[at].hash == hash && str_eq(rel_text(&slots[at].key), key))
      return rel_add(&slots[at].target, slots[at].target);
  return NULL;
}

struct str def_canonical(struct str url) {
  return str_slice(url, 0, str_find_char(url, '|', 0));
}

static const struct rel_list *names_of(const struct pack_header *header, enum def_names kind) {
  return kind == DEF_TYPES  ? &header->type_names
         : kind == DEF_SETS ? &header->value_sets
                            : &header->code_systems;
}

struct str def_version_of(enum def_names kind, const void *what) {
  return rel_text(kind == DEF_TYPES ? &((const struct def_type *)what)->version
                                    : &((const struct pack_terms *)what)->version);
}

static struct str url_of(enum def_names kind, const void *what) {
  return rel_text(kind == DEF_TYPES ? &((const struct def_type *)what)->url
                                    : &((const struct pack_terms *)what)->url);
}

static const struct pack_header *layer_of(const struct definitions *definitions, const void *what) {
  for (size_t i = 0; i < definitions->layer_count; i++) {
    const struct pack_header *header = definitions->layers[i].header;
    uintptr_t from = (uintptr_t)header, at = (uintptr_t)what;
    if (at >= from && at - from < header->size) return header;
  }
  return NULL;
}

bool def_origin(const struct definitions *definitions, enum def_names kind, const void *what,
                struct def_package *out) {
  const struct pack_header *header = layer_of(definitions, what);
  unsigned number = kind == DEF_TYPES ? ((const struct def_type *)what)->package
                                      : ((const struct pack_terms *)what)->package;
  if (!header || !number || number > header->packages.count) return false;
  *out = def_package_tell((const struct pack_package *)rel_items(&header->packages) + number - 1);
  return true;
}

bool definitions_type_package(const struct definitions *definitions, const struct def_type *type,
                              struct def_package *out) {
  return def_origin(definitions, DEF_TYPES, type, out);
}

/* What stands in a layer as "url|version" or "url#version". */
static const void *find_beside(const struct rel_list *names, struct str url, char mark, struct str version) {
  char key[2048];
  if (url.len + 1 + version.len > sizeof key) return NULL;
  memcpy(key, url.ptr, url.len);
  key[url.len] = mark;
  if (version.len) memcpy(key + url.len + 1, version.ptr, version.len);
  return def_name_find(names, str_make(key, url.len + 1 + version.len));
}

const void *def_find_in(const struct definitions *definitions, enum def_names kind, struct str url,
                        struct str id, struct str version) {
  for (size_t i = definitions->layer_count; i-- > 0;) {
    const struct rel_list *names = names_of(definitions->layers[i].header, kind);
    const void *here = def_name_find(names, url);
    struct def_package package;
    if (here && def_origin(definitions, kind, here, &package) && str_eq(package.id, id) &&
        str_eq(package.version, version))
      return here;
    const void *beside = find_beside(names, url, '#', version);
    if (beside && def_origin(definitions, kind, beside, &package) && str_eq(package.id, id)) return beside;
  }
  return NULL;
}

/* Another version of what was found by URL, when that one is preferred. */
static const void *preferred(const struct definitions *definitions, enum def_names kind, const void *here) {
  struct def_package package;
  if (!definitions->preference_count || !def_origin(definitions, kind, here, &package)) return here;
  for (size_t i = 0; i < definitions->preference_count; i++) {
    const struct def_preference *wish = &definitions->preferences[i];
    if (!str_eq(wish->id, package.id) || str_eq(wish->version, package.version)) continue;
    const void *other = def_find_in(definitions, kind, url_of(kind, here), wish->id, wish->version);
    return other ? other : here;
  }
  return here;
}

static const void *find_any(const struct definitions *definitions, enum def_names kind, struct str name) {
  for (size_t i = definitions->layer_count; i-- > 0;) {
    const void *here = def_name_find(names_of(definitions->layers[i].header, kind), name);
    if (here) return here;
  }
  return NULL;
}

/* Short names stand for the URL of what has them. */
static const void *find_version(const struct definitions *definitions, enum def_names kind, struct str name,
                                struct str version) {
  const void *any = find_any(definitions, kind, name);
  struct str url = any ? url_of(kind, any) : name;
  for (size_t i = definitions->layer_count; i-- > 0;) {
    const struct rel_list *names = names_of(definitions->layers[i].header, kind);
    const void *here = def_name_find(names, url);
    if (here && str_eq(def_version_of(kind, here), version)) return here;
    const void *beside = find_beside(names, url, '|', version);
    if (beside) return beside;
  }
  return any ? preferred(definitions, kind, any) : NULL;
}

const void *def_find(const struct definitions *definitions, enum def_names kind, struct str url) {
  struct str name = def_canonical(url);
  if (name.len < url.len) return find_version(definitions, kind, name, str_slice(url, name.len + 1, url.len));
  const void *any = find_any(definitions, kind, name);
  return any && definitions->preference_count ? preferred(definitions, kind, any) : any;
}

const struct def_type *definitions_type(const struct definitions *definitions, struct str name_or_url) {
  return def_find(definitions, DEF_TYPES, name_or_url);
}

size_t definitions_type_count(const struct definitions *definitions) {
  return definitions->type_count;
}

const struct def_type *definitions_type_at(const struct definitions *definitions, size_t index) {
  return index < definitions->type_count ? definitions->types[index] : NULL;
}

static struct str last_part(struct str url) {
  size_t at = url.len;
  while (at > 0 && url.ptr[at - 1] != '/')
    at--;
  return str_slice(url, at, url.len);
}

/* A model is named by its URL, whose end need not be its name: "session-record" of SessionRecord. */
struct str definitions_nearest_type(const struct definitions *definitions, struct str name) {
  struct str_nearest nearest = {.word = name};
  for (size_t i = 0; i < definitions->type_count; i++) {
    str_nearest_offer(&nearest, def_type_name(definitions->types[i]));
    str_nearest_offer(&nearest, last_part(def_type_url(definitions->types[i])));
  }
  return nearest.best;
}

uint32_t def_symbol_limit(const struct definitions *definitions) {
  const struct pack_header *top = definitions->layers[definitions->layer_count - 1].header;
  return top->first_symbol + top->symbols.count;
}

uint32_t definitions_symbol(const struct definitions *definitions, struct str name) {
  uint32_t hash = pack_hash(name);
  for (size_t i = 0; i < definitions->layer_count; i++) {
    const struct pack_header *header = definitions->layers[i].header;
    const uint32_t *slots = rel_items(&header->symbol_slots);
    const struct rel_str *names = rel_items(&header->symbols);
    if (!slots) continue;
    uint32_t mask = header->symbol_slots.count - 1;
    for (uint32_t at = hash & mask; slots[at]; at = (at + 1) & mask)
      if (str_eq(rel_text(&names[slots[at] - 1]), name)) return header->first_symbol + slots[at] - 1;
  }
  return 0;
}

struct str definitions_symbol_name(const struct definitions *definitions, uint32_t symbol) {
  for (size_t i = 0; i < definitions->layer_count; i++) {
    const struct pack_header *header = definitions->layers[i].header;
    if (symbol < header->first_symbol || symbol - header->first_symbol >= header->symbols.count) continue;
    return rel_text((const struct rel_str *)rel_items(&header->symbols) + (symbol - header->first_symbol));
  }
  return (struct str){0};
}

static bool layer_has_search(const struct pack_header *header, uint64_t hash) {
  const uint64_t *slots = rel_items(&header->searches);
  if (!slots) return false;
  size_t mask = header->searches.count - 1;
  for (size_t at = hash >> 8 & mask; slots[at]; at = (at + 1) & mask)
    if (slots[at] == hash) return true;
  return false;
}

bool definitions_has_search(const struct definitions *definitions, struct str type, struct str code) {
  const struct def_type *at = definitions_type(definitions, type);
  for (; at; at = def_type_base(at)) {
    uint64_t hash = pack_search_hash(def_type_name(at), code);
    for (size_t i = 0; i < definitions->layer_count; i++)
      if (layer_has_search(definitions->layers[i].header, hash)) return true;
  }
  return false;
}
