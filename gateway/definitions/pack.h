/*
 * pack.h - private: the layout of a definition pack, in the file and in memory.
 *
 *   header | HOT | WARM | CODES | DOCS | STATE
 *
 *   HOT    types, elements, names, symbols, indexes: what binding, mapping and expressions touch
 *   WARM   details of elements, constraints, bindings, slicing, value sets: what validation touches
 *   CODES  one block for each value set and code system, all its texts inside
 *   DOCS   short descriptions
 *   STATE  one byte for each block: has it been checked? Page aligned, mapped copy-on-write
 *
 * All references are offsets from the field that holds them, so that nothing is relocated when a pack is
 * mapped and a node of the pack is an ordinary C struct. 32-bit ones stay inside one image; rel_ptr is 64
 * bits wide and may lead from an overlay in memory into the mapped pack below it.
 *
 * What the checksums guarantee: damage (a truncated file, a flipped bit, a bad block) is found before what it
 * hit is used. Header, HOT and WARM are checked when the pack is opened; the block of a value set or code
 * system when it is first asked (a damaged one knows nothing: DEF_MEMBER_UNKNOWN); DOCS texts only meet
 * people's eyes. definitions_verify checks everything at once. The hash is not cryptographic: a pack is as
 * trusted as the program beside it.
 *
 * A file may hold several images, each at a page of its own: what `definitions add` appended. Their 64-bit
 * references lead into the images before them.
 *
 * The byte order is the machine's; a pack from a machine of the other order is refused.
 */
#ifndef KETLINK_DEFINITIONS_PACK_H
#define KETLINK_DEFINITIONS_PACK_H

#include "definitions/definitions.h"

#define PACK_MAGIC "KETLINK\x1a" /* eight bytes; the 0x1a stops a terminal from printing on */
enum { PACK_VERSION = 7, PACK_PAGE = 4096 };
#define PACK_BYTE_ORDER 0x01020304u

/* --- references ------------------------------------------------------------------------------ */

struct rel_str {
  int32_t off;
  uint32_t len;
};

struct rel_list {
  int32_t off;
  uint32_t count;
};

struct rel_ptr {
  int64_t off; /* 0: NULL */
};

static inline const void *rel_add(const void *field, int64_t off) {
  return (const void *)((uintptr_t)field + (uintptr_t)off);
}

static inline struct str rel_text(const struct rel_str *s) {
  return str_make(s->len ? (const char *)rel_add(s, s->off) : "", s->len);
}

static inline const void *rel_items(const struct rel_list *list) {
  return list->count ? rel_add(list, list->off) : NULL;
}

static inline const void *rel_get(const struct rel_ptr *ptr) {
  return ptr->off ? rel_add(ptr, ptr->off) : NULL;
}

/* --- types and elements ---------------------------------------------------------------------- */

enum pack_type_flag {
  PACK_ABSTRACT = 1,
  PACK_PROFILE = 2,
  PACK_RESOLVES = 4,     /* stands for any resource */
  PACK_TYPE_MODIFIER = 8 /* a modifier extension */
};

struct def_type {
  struct rel_str name, url, version;
  struct rel_ptr base, constrained; /* constrained NULL: itself */
  struct rel_list elements;         /* struct def_element */
  struct rel_list json;             /* struct pack_json_slot, a power of two */
  struct rel_list symbols;          /* uint16_t: index + 1, a power of two */
  struct rel_list constraints;      /* int32_t, each from its own place to a pack_constraint */
  uint8_t kind, primitive, flags;
  uint8_t package; /* index + 1 in the packages of this image; 0: none */
  int32_t xml;                   /* from this field to a pack_xml; 0: none */
  struct rel_list contexts;      /* of an extension: struct pack_context */
  struct rel_list context_rules; /* struct rel_str, FHIRPath */
};

struct pack_context {
  struct rel_str type, expression;
};

/* All that binding wants of an element, so that it need not look further. */
struct pack_json_slot {
  struct rel_str name; /* len 0: free */
  struct rel_ptr type;
  uint32_t hash;
  uint32_t symbol;
  uint16_t element; /* index */
  uint16_t order;
  uint16_t resolves; /* the type stands for any resource */
  uint16_t spare;
};

enum pack_element_flag {
  PACK_LIST = 1,
  PACK_CHOICE = 2,
  PACK_MUST_SUPPORT = 4,
  PACK_MODIFIER = 8,
  PACK_SUMMARY = 16,
  PACK_BOUND = 32,   /* has a binding */
  PACK_PATTERN = 64, /* fixed is a pattern */
  PACK_SLICED = 128,
  PACK_XML_ATTRIBUTE = 256, /* how XML has it, where that is not an element */
  PACK_XML_TEXT = 512,
  PACK_XML_TYPE = 1024 /* its type stands in xsi:type */
};

struct def_element {
  struct rel_str name;
  uint32_t symbol, min, max;
  uint16_t order, flags;
  struct rel_list types; /* struct pack_type_ref */
  int32_t detail;        /* from this field to a pack_detail */
  int32_t xml;           /* from this field to a pack_xml; 0: none */
};

/* What XML calls a type or an element; empty: as everything else does. */
struct pack_xml {
  struct rel_str name, space;
};

struct pack_canonical {
  struct rel_str url;
  struct rel_ptr type; /* what it meant when the pack was built; NULL: not present */
};

struct pack_type_ref {
  struct rel_ptr type;
  struct rel_str json_name;
  struct rel_list targets, profiles; /* struct pack_canonical */
  uint32_t aggregation, spare;
};

struct pack_detail {
  struct rel_str path, text /* short */, slice_name, fixed, min_value, max_value, value_set, max_set;
  struct rel_ptr members, max_members; /* struct def_value_set */
  struct rel_list constraints; /* as in def_type */
  struct rel_list slices;      /* struct def_element */
  struct rel_list discriminators;
  uint32_t max_length;
  uint8_t strength, rules, ordered, spare;
};

struct pack_discriminator {
  struct rel_str type, path;
};

struct pack_constraint {
  struct rel_str key, human, expression, source, group, applies, reason;
  uint32_t is_error, spare;
};

/* --- terminology ----------------------------------------------------------------------------- */

enum pack_state { PACK_UNCHECKED, PACK_GOOD, PACK_DAMAGED };

/* What value sets and code systems share. */
struct pack_terms {
  struct rel_str url, version, name;
  struct rel_list block; /* bytes in CODES */
  uint64_t hash;         /* of the block */
  uint32_t size;         /* codes listed */
  int32_t state; /* from this field to an enum pack_state byte, the only ones of a pack ever written */
  uint8_t complete;
  uint8_t folds_case; /* a code system that is not case-sensitive */
  uint8_t package;    /* as in def_type */
  uint8_t spare[5];
};

struct def_value_set {
  struct pack_terms terms;
  struct rel_list systems; /* struct pack_set_system, WARM */
};

struct def_code_system {
  struct pack_terms terms;
  uint32_t facts, fact_count; /* offset in the block of its pack_fact items */
};

/* A property of a concept, "parent" and "child" among them. Offsets count from the block. */
struct pack_fact {
  uint32_t code;        /* index */
  uint32_t name, value; /* texts */
  uint16_t name_len, value_len;
};
enum { PACK_FACT_CUT = UINT16_MAX /* a value_len: it was too long to be kept */ };

/* What a value set takes from one code system. */
struct pack_set_system {
  struct rel_str url;
  struct rel_ptr system; /* struct def_code_system or NULL */
  uint32_t first, count; /* its codes in the block, in the order of their hashes */
  uint8_t whole;         /* all codes of the system are members */
  uint8_t unknown;       /* a part could not be expanded; with an empty url: of any system */
  uint8_t folds_case;
  uint8_t spare[5];
};

/* A block is an array of these, in the order of their hashes, then the texts. Offsets count from the block.
 */
struct pack_code {
  uint32_t hash; /* of the code (folded where the system folds case) */
  uint32_t text; /* code, then display */
  uint16_t code_len, display_len;
};

/* --- units ----------------------------------------------------------------------------------- */

enum pack_unit_flag {
  PACK_UNIT_EXACT = 1,
  PACK_UNIT_ATOM = 2,
  PACK_UNIT_METRIC = 4,
  PACK_UNIT_ARBITRARY = 8
};

/* A unit; or a prefix, which has a ratio only. Halves of coefficients: low, high. */
struct pack_unit {
  struct rel_str code, root, function, magnitude;
  uint64_t num[2], den[2];
  int32_t exponent;
  int8_t dimension[DEF_DIMENSIONS];
  uint8_t flags;
};

/* --- the whole ------------------------------------------------------------------------------- */

/* Open addressing from a text to a struct of this image; a power of two. */
struct pack_name {
  struct rel_str key; /* len 0: free */
  uint32_t hash;
  int32_t target; /* from this field */
};

struct pack_package {
  struct rel_str id, version;
  uint32_t structures, value_sets, code_systems, units;
  struct rel_list needs; /* struct pack_need */
};

struct pack_need {
  struct rel_str id, version;
};

enum pack_part { PART_HOT, PART_WARM, PART_CODES, PART_DOCS, PART_STATE, PART_COUNT };

struct pack_section {
  uint64_t offset, size, hash;
};

struct pack_header {
  char magic[8];
  uint32_t version, byte_order;
  uint64_t size; /* of the whole file */
  uint64_t hash; /* of this header, this field taken as 0 */
  struct pack_section parts[PART_COUNT];
  uint64_t models;       /* content of the models folder it was built with; 0: none */
  uint32_t first_symbol; /* number of the first of `symbols` */
  uint32_t spare;
  struct rel_list symbols;      /* struct rel_str */
  struct rel_list symbol_slots; /* uint32_t: index + 1 */
  struct rel_list types;        /* int32_t, each from its own place to a named def_type */
  struct rel_list type_names, value_sets, code_systems; /* struct pack_name */
  struct rel_list searches;                             /* uint64_t hashes of type and code; 0: free */
  struct rel_list packages;                             /* struct pack_package */
  struct rel_list units;                                /* struct pack_unit */
  struct rel_list unit_names, prefix_names;             /* struct pack_name to a pack_unit */
};

/* --- hashes ---------------------------------------------------------------------------------- */

/* Of short names; stands in the file. */
static inline uint32_t pack_hash_add(uint32_t seed, struct str s) {
  const uint64_t prime = 0x9E3779B97F4A7C15u;
  uint64_t h = (s.len + 1 + seed) * prime, word = 0;
  const char *at = s.ptr;
  size_t left = s.len;
  for (; left >= 8; left -= 8, at += 8) {
    memcpy(&word, at, 8);
    h = (h ^ word) * prime;
    h ^= h >> 32;
  }
  if (left >= 4) {
    uint32_t low, high;
    memcpy(&low, at, 4);
    memcpy(&high, at + left - 4, 4);
    word = low | (uint64_t)high << 32;
  } else {
    word = 0;
    if (left)
      word = (unsigned char)at[0] | (uint64_t)(unsigned char)at[left >> 1] << 8 |
             (uint64_t)(unsigned char)at[left - 1] << 16;
  }
  h = (h ^ word) * prime;
  return (uint32_t)(h >> 32);
}

static inline uint32_t pack_hash(struct str s) {
  return pack_hash_add(0, s);
}

static inline size_t pack_symbol_slot(uint32_t symbol, size_t size) {
  return (symbol * 0x9E3779B1u >> 15) & (size - 1);
}

/* Of a search parameter: never 0. */
static inline uint64_t pack_search_hash(struct str type, struct str code) {
  return (uint64_t)pack_hash_add(1, type) << 32 | pack_hash_add(pack_hash(type), code) | 1;
}

/* Of whole sections: independent lanes, about as fast as memory. Every single flipped bit changes it.
 */
uint64_t def_pack_checksum(const void *bytes, size_t size);

/* Fills in all checksums of a finished image; `state` is what its blocks count as. */
void def_pack_seal(struct pack_header *header, enum pack_state state);
/* Header, HOT and WARM are whole; says in *why what is not. The size is that of the file. */
bool def_pack_check(const struct pack_header *header, size_t size, const char **why);
/* The rest: all blocks, DOCS. */
bool def_pack_check_all(const struct pack_header *header);
/* The block of one entry is whole; remembered in its state. */
bool def_pack_terms_good(const struct pack_terms *terms);

#endif
