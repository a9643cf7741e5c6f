/* internal.h - private: the open handle and what its files share. */
#ifndef KETLINK_DEFINITIONS_INTERNAL_H
#define KETLINK_DEFINITIONS_INTERNAL_H

#include "definitions/pack.h"

enum { LAYERS_MAX = LIMIT_PACK_IMAGES + 16 /* what is laid over a pack */ };

/* One image: the mapped pack, or an overlay in memory. Later layers win. */
struct def_layer {
  const struct pack_header *header;
  void *owned;       /* memory of an overlay or of a copied image */
  struct str mapped; /* the mapped file */
};

/* A version of a package that is meant where no version is named, although a later one is there. */
struct def_preference {
  struct str id, version;
};

enum { PREFERENCES_MAX = 32 };

struct definitions {
  struct def_layer layers[LAYERS_MAX];
  size_t layer_count;
  const struct def_type **types; /* named ones of all layers, replaced ones left out */
  size_t type_count;
  const struct def_type *resource; /* Resource */
  struct def_preference preferences[PREFERENCES_MAX];
  size_t preference_count;
  struct arena *arena; /* texts of the preferences; made when needed */
};

/* What is found by URL. */
enum def_names { DEF_TYPES, DEF_SETS, DEF_SYSTEMS, DEF_NAMES };
/* By URL, with or without |version; of several versions the latest, or the preferred one. A version that is not
   there gives another. */
const void *def_find(const struct definitions *definitions, enum def_names kind, struct str url);
/* The one that came with that version of a package; NULL. */
const void *def_find_in(const struct definitions *definitions, enum def_names kind, struct str url, struct str id,
                        struct str version);
struct str def_version_of(enum def_names kind, const void *what);
/* The package that it came with; false: none. */
bool def_origin(const struct definitions *definitions, enum def_names kind, const void *what,
                struct def_package *out);
int def_version_compare(struct str a, struct str b);
/* Which layer brought it. */
size_t def_package_layer(const struct definitions *definitions, size_t index);
struct def_package def_package_tell(const struct pack_package *package);

/* Takes `memory` (malloc) as a new layer. */
enum status def_layer_add(struct definitions *definitions, void *memory, size_t size) MUST_USE;
/* Looks a text up in a table of names; NULL. */
const void *def_name_find(const struct rel_list *names, struct str key);
/* A canonical without |version. */
struct str def_canonical(struct str url);
/* Equal lengths are given. Names are short: words beat a call of memcmp. */
static inline bool def_same_bytes(const char *a, const char *b, size_t len) {
  uint64_t x, y, differ = 0;
  if (len >= 8) {
    for (size_t at = 0; at + 8 < len; at += 8) {
      memcpy(&x, a + at, 8);
      memcpy(&y, b + at, 8);
      differ |= x ^ y;
    }
    memcpy(&x, a + len - 8, 8);
    memcpy(&y, b + len - 8, 8);
    return (differ | (x ^ y)) == 0;
  }
  if (len >= 4) {
    uint32_t v, w, v2, w2;
    memcpy(&v, a, 4);
    memcpy(&w, b, 4);
    memcpy(&v2, a + len - 4, 4);
    memcpy(&w2, b + len - 4, 4);
    return ((v ^ w) | (v2 ^ w2)) == 0;
  }
  return len == 0 || (a[0] == b[0] && a[len / 2] == b[len / 2] && a[len - 1] == b[len - 1]);
}

/* The slot of a JSON name of a type, or NULL. */
static inline const struct pack_json_slot *def_json_slot(const struct def_type *type, struct str name) {
  const struct pack_json_slot *slots = rel_items(&type->json);
  if (!slots) return NULL;
  uint32_t hash = pack_hash(name), mask = type->json.count - 1;
  for (uint32_t at = hash & mask; slots[at].name.len; at = (at + 1) & mask)
    if (slots[at].hash == hash && slots[at].name.len == name.len &&
        def_same_bytes(rel_add(&slots[at].name, slots[at].name.off), name.ptr, name.len))
      return &slots[at];
  return NULL;
}

static inline const struct def_element *def_slot_element(const struct def_type *type,
                                                         const struct pack_json_slot *slot) {
  return (const struct def_element *)rel_items(&type->elements) + slot->element;
}

/* Codes of a system that is not case-sensitive are kept and found by their lower-case ASCII form. */
static inline char def_fold(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}
uint32_t def_code_hash(struct str code, bool fold);
uint32_t def_symbol_limit(const struct definitions *definitions);

/* Of a def_type or def_element, by its field `xml`. */
static inline struct str def_xml_name(const int32_t *field) {
  const struct pack_xml *xml = *field ? rel_add(field, *field) : NULL;
  return xml ? rel_text(&xml->name) : (struct str){0};
}
static inline struct str def_xml_space(const int32_t *field) {
  const struct pack_xml *xml = *field ? rel_add(field, *field) : NULL;
  return xml ? rel_text(&xml->space) : (struct str){0};
}
/* A bound tree that was read from XML gets the arrays and kinds that JSON has by itself. */
void def_settle_xml(struct tree_node *root, const struct source *source, struct arena *arena,
                    struct diag_list *diags, bool *failed);

#endif
