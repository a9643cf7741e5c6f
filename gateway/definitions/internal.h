/* internal.h - private: the open handle and what its files share. */
#ifndef KETLINK_DEFINITIONS_INTERNAL_H
#define KETLINK_DEFINITIONS_INTERNAL_H

#include "definitions/pack.h"

enum { LAYERS_MAX = 64 };

/* One image: the mapped pack, or an overlay in memory. Later layers win. */
struct def_layer {
  const struct pack_header *header;
  void *owned;       /* memory of an overlay or of a copied image */
  struct str mapped; /* the mapped file */
};

struct definitions {
  struct def_layer layers[LAYERS_MAX];
  size_t layer_count;
  const struct def_type **types; /* named ones of all layers, replaced ones left out */
  size_t type_count;
  const struct def_type *resource; /* Resource */
};

/* Takes `memory` (malloc) as a new layer. */
enum status def_layer_add(struct definitions *definitions, void *memory, size_t size) MUST_USE;
/* Looks a text up in a table of names; NULL. */
const void *def_name_find(const struct rel_list *names, struct str key);
/* A canonical without |version. */
struct str def_canonical(struct str url);
/* Codes of a system that is not case-sensitive are kept and found by their lower-case ASCII form. */
static inline char def_fold(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}
uint32_t def_code_hash(struct str code, bool fold);
uint32_t def_symbol_limit(const struct definitions *definitions);

#endif
