/*
 * build.h - private: conformance resources on their way into a pack.
 *
 *   add.c      a package and what it depends on    package.c  what a package.json says
 *   sources.c  packages -> JSON texts            extract.c   StructureDefinition -> struct b_structure
 *   tgz.c      a package file, in memory         terms_in.c  ValueSet, CodeSystem -> struct b_set, b_system
 *   names.c    who holds a URL, versions side by side
 *   resolve.c  structures -> types, slices       snapshot.c  differential + base -> the whole structure
 *   filter.c   filters on the concepts of a code system
 *   expand.c   value sets -> their codes         emit.c, emit_terms.c, emit_units.c  everything -> image
 *   units_in.c the UCUM table                unit_values.c  its definitions -> exact ratios
 *   build.c    the three ways in: definitions_build, definitions_overlay, definitions_refresh_models
 *
 * Everything lives in the builder's arena; the texts of a source file are copied out of its tree.
 */
#ifndef KETLINK_DEFINITIONS_BUILD_H
#define KETLINK_DEFINITIONS_BUILD_H

#include "definitions/image.h"
#include "definitions/internal.h"

/* Memory for one source text and its tree, and for the builder. */
#define DEF_BUILD_ARENA ((size_t)2 << 30)

/* In an npm package of the Lister Hill Center: the table of UCUM units. */
#define DEF_UNIT_TABLE "data/ucumDefs.min.json"

struct b_type;

struct b_texts {
  struct str *items;
  size_t count, room;
};

struct b_type_ref {
  struct str code;      /* as written, or what the fhir-type extension says */
  struct b_type *type;  /* resolve.c; NULL: unknown */
  struct str json_name; /* only when thawed; else made of name and code */
  struct b_texts targets, profiles;
  unsigned aggregation; /* enum def_aggregation */
};

struct b_constraint {
  struct str key, human, expression, source, group, applies, reason;
  bool is_error;
  struct image_place place;
};

struct b_discriminator {
  struct str type, path;
};

struct b_slicing {
  enum def_slicing_rules rules;
  bool ordered;
  struct b_discriminator *discriminators;
  size_t count;
};

enum b_has { B_MIN = 1, B_MAX = 2, B_SHORT = 4, B_FLAGS = 8 };

struct b_element {
  struct b_element *parent, *child, *last, *next; /* children and slices are linked by next */
  struct b_element *slices, *last_slice;
  struct b_element *base; /* the same element of the type that is constrained or inherited */
  struct str id, path, name, slice_name, text, content_reference;
  uint32_t min, max, base_max, max_length;
  uint16_t flags; /* enum pack_element_flag */
  uint16_t has;   /* enum b_has: what the source states */
  bool based;     /* has ElementDefinition.base */
  bool own_types; /* the source states types */
  bool resolved;
  bool walked; /* its children come from its type: the base does not go as deep */
  bool resource_id; /* the id of a resource: of type id, which R4's snapshots do not say */
  size_t offset;
  struct b_type_ref *types;
  size_t type_count;
  struct b_constraint **constraints;
  size_t constraint_count;
  enum def_strength strength;
  struct str value_set, max_set;
  struct str fixed, min_value, max_value;
  struct str xml_name, xml_space;
  struct b_slicing *slicing;
  struct b_type *nested; /* the type made of its children */
  const struct def_element *frozen;
};

enum b_progress { B_RAW, B_RUNNING, B_DONE };

struct b_type {
  struct b_type *next; /* in the builder's list, in order of emission */
  struct str name, url, version;
  enum def_kind kind;
  enum def_primitive primitive;
  bool abstract, profile, named, replaced;
  const struct b_package *package;
  struct b_type *base, *constrained;
  struct str base_url, fhir_type;
  struct b_texts context_types, context_paths, context_rules; /* the first two go together */
  struct str xml_name, xml_space;
  struct b_element *root;      /* of a structure */
  struct b_element **elements; /* when done */
  size_t element_count;
  struct b_constraint **constraints;
  size_t constraint_count;
  bool differential; /* states only what differs from its base */
  enum b_progress progress;
  struct str file;
  const struct source *source;   /* while its file is open */
  const struct def_type *frozen; /* stands in a pack below */
  struct image_place place;
};

struct b_name {
  void *what; /* struct b_type, b_set or b_system */
  struct str version;
  const struct b_package *package;
  unsigned rank; /* of a type: 3 its own, 2 a model's other names, 1 a profile's name, 0 last part of a
                    profile's URL */
};

struct b_code {
  struct str code, display;
};

struct b_fact {
  struct b_fact *next;
  struct str name, value;
  bool cut; /* the value is too long to be kept */
};

struct b_concept {
  struct b_code self;
  uint32_t parent;        /* of the nesting: index + 1 */
  struct b_texts parents, children; /* by property */
  struct b_fact *facts;             /* the other properties */
};

struct b_system {
  struct b_system *next;
  struct str url, version, name;
  bool complete, folds_case, replaced;
  const struct b_package *package;
  struct b_concept *concepts; /* a parent by nesting stands before its children */
  size_t count, room;
  struct map index;           /* code -> index + 1 */
  struct b_texts properties;  /* that concepts may have */
  struct str parents, childs; /* what it calls them, when not parent, subsumedBy and child */
  bool thawed;                /* what stands below has its concepts here */
  const struct def_code_system *frozen;
  struct image_place place;
};

struct b_filter {
  struct str property, op, value;
};

struct b_include {
  struct b_include *next;
  struct str system, version;
  bool lists_codes;
  struct b_code *codes;
  size_t code_count;
  struct b_filter *filters;
  size_t filter_count;
  struct b_texts sets;
};

/* What an expanded set takes from one system. */
struct b_members {
  struct b_members *next;
  struct str url;          /* empty: codes of an unknown set, of any system */
  struct b_system *system; /* NULL: not present */
  bool whole, unknown;
  struct b_code *codes; /* removed ones have no code */
  size_t count, room;
  struct map index; /* code -> index + 1 */
};

struct b_set {
  struct b_set *next;
  struct str url, version, name;
  bool replaced;
  const struct b_package *package;
  struct b_include *includes, *excludes, *expansion;
  bool expansion_is_whole;
  struct b_members *members;
  enum b_progress progress;
  const struct def_value_set *frozen;
  struct image_place place;
};

struct b_package {
  struct b_package *next;
  struct str id, version;
  size_t structures, value_sets, code_systems, units;
  struct b_texts needs, needs_versions; /* other packages; the two go together */
  uint8_t number;                       /* index + 1 */
};

/* A row of the table of units, or a prefix. */
struct b_unit {
  struct str code;
  struct str factor, definition; /* of an atom: so many of these */
  struct str function;
  bool inverse; /* one divided by factor and definition */
  bool base, known;
  enum b_progress progress;
  struct def_unit unit;
  struct image_place place;
};

struct builder {
  struct arena *arena;
  struct diag_list *diags;
  struct definitions *below; /* NULL when a pack is built from nothing */
  struct image image;
  struct b_type *types, *last_type;
  struct map names[DEF_NAMES]; /* struct b_name */
  const struct b_package *from; /* the package in hand: its versions are meant */
  struct map constraints; /* struct b_constraint */
  struct map constraint_lists, thawed;
  struct map symbols;       /* index + 1, those that are new here */
  struct b_system *first_system, *last_system;
  struct b_set *first_set, *last_set;
  struct map searches;
  struct map units, prefixes; /* struct b_unit */
  struct b_package *packages, *last_package;
  uint64_t models;
  bool regenerate; /* snapshots of profiles are made anew */
  enum status error;
};

enum status def_builder_init(struct builder *b, struct definitions *below, struct diag_list *diags) MUST_USE;
void def_builder_release(struct builder *b);
/* Takes what it knows of a resource; Bundles are walked. True when it was one of ours. */
bool def_builder_add(struct builder *b, const struct tree_node *resource, const struct source *source);
/* package.c: as npm and FHIR name packages: hl7.fhir.us.core, KBV.Basis, @scope/name. Names become parts of paths. */
bool def_is_package_name(struct str name);
/* A name as it is kept and compared: in lower case, as the caches of HL7's tools have it. */
struct str def_package_name(struct builder *b, struct str written);
/* Name and version of a package.json; false: an error says which of them is none. */
bool def_builder_identity(struct builder *b, const struct tree_node *node, const struct source *source, struct str *id,
                          struct str *version);
/* What it says it depends on. */
void def_builder_needs(struct builder *b, const struct tree_node *node, struct b_texts *ids,
                       struct b_texts *versions);
/* A package's resources. */
enum status def_builder_read_package(struct builder *b, const struct host *host, const char *path) MUST_USE;
/* Finishes; the image becomes a layer of the definitions below, or a file: what `pack` has, then the image. */
enum status def_builder_lay_over(struct definitions *definitions, struct builder *b) MUST_USE;
enum status def_builder_append(struct builder *b, struct str pack, struct buf *file) MUST_USE;
/* Resolves and emits; the image is then ready for def_image_size and def_image_finish. */
enum status def_builder_finish(struct builder *b) MUST_USE;

/* extract.c */
void def_extract_structure(struct builder *b, const struct tree_node *node, const struct source *source);
/* Whether `name` ("valueQuantity") picks a type of the choice `e` (value[x]). */
bool def_names_choice(const struct b_element *e, struct str name);
struct b_constraint *def_builder_constraint(struct builder *b, const struct b_constraint *made);
/* terms_in.c */
void def_extract_system(struct builder *b, const struct tree_node *node);
void def_extract_set(struct builder *b, const struct tree_node *node);
void def_extract_search(struct builder *b, const struct tree_node *node);
/* units_in.c: the text of ucumDefs.min.json; the other arena is for what is dropped after it. */
void def_extract_units(struct builder *b, const struct source *source, struct arena *arena);
/* unit_values.c: definitions of units -> exact ratios */
void def_unit_values(struct builder *b);
void def_append_child(struct b_element *parent, struct b_element *e);
void def_append_slice(struct b_element *of, struct b_element *e);
/* resolve.c */
void def_resolve(struct builder *b);
void def_resolve_type(struct builder *b, struct b_type *type, unsigned depth);
/* What a content reference leads to, at or below `first`; NULL. */
struct b_element *def_referred(struct b_element *first, struct str reference);
/* A warning: "NAME: what SUBJECT". */
void def_complain(struct builder *b, const struct b_type *type, const struct b_element *e, const char *what,
                  struct str subject);
/* snapshot.c: the tree of a type that has a base and a differential */
void def_snapshot(struct builder *b, struct b_type *type, unsigned depth);
/* names.c: everything that was taken gets its names, in the order in which it was taken */
void def_claim_names(struct builder *b);
/* What follows the last slash. */
struct str def_last_part(struct str url);
/* What a URL means to the package in hand: here, or *frozen in the pack below; NULL and NULL: nothing. */
void *def_look_up(struct builder *b, enum def_names kind, struct str url, const void **frozen);
/* By name or URL, here or below; NULL. */
struct b_type *def_builder_type(struct builder *b, struct str name);
void def_builder_name(struct builder *b, struct str key, struct b_type *type, unsigned rank);
/* thaw.c */
struct b_type *def_thaw(struct builder *b, const struct def_type *type);
void def_thaw_elements(struct builder *b, struct b_type *type);
/* The concepts of a system that stands below. */
void def_thaw_concepts(struct builder *b, struct b_system *system);
/* filter.c: clears in `keep` the concepts that do not pass; false: the filter cannot be answered here */
bool def_filter(struct builder *b, const struct b_system *system, const struct b_filter *filter,
                unsigned char *keep);
/* expand.c */
struct b_set *def_builder_set(struct builder *b, struct str url);
struct b_system *def_builder_system(struct builder *b, struct str url);
void def_expand(struct builder *b);
/* emit.c, emit_terms.c */
struct image_place def_emit_texts(struct builder *b, enum pack_part part, const struct b_texts *texts);
void def_emit(struct builder *b);
void def_emit_terms(struct builder *b);
void def_emit_units(struct builder *b);
/* A table of names for the header: open addressing, keys in `part`. */
struct emit_name {
  struct str key;
  struct image_place target;
};
void def_emit_names(struct builder *b, size_t header_field, const struct emit_name *names, size_t count);

/* sources.c: calls `each` for every JSON text of a package; the arena is per text. */
struct source_visit {
  void (*each)(void *context, struct str name, struct str text, struct arena *arena);
  void *context;
  bool manifest; /* package.json only */
};
/* node_modules folders that exist by name: at most four. */
size_t def_module_folders(struct arena *arena, const char *folders[4]);
enum status def_sources_read(const struct host *host, const char *path, struct arena *arena,
                             struct diag_list *diags, const struct source_visit *visit) MUST_USE;
/* tgz.c: the same for a package file in memory. Caps: bytes unpacked, ratio, entries. */
struct tgz_limits {
  size_t bytes, ratio, entries;
};
enum status def_tgz_read(struct str packed, struct str name, const struct tgz_limits *limits,
                         struct diag_list *diags, const struct source_visit *visit) MUST_USE;

/* Growing lists in the arena; false when it is full. */
bool def_texts_add(struct builder *b, struct b_texts *texts, struct str text);
void *def_builder_alloc(struct builder *b, size_t count, size_t size);
struct str def_builder_str(struct builder *b, struct str text);

#endif
