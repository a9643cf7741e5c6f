/*
 * mapping.h - FHIR Mapping Language (FHIR 5.0.0) on R4 content: parse, link, type-check, compile, execute;
 * ConceptMaps.
 *
 * mapping_load reads all maps (*.fml, StructureMap *.json) and ConceptMaps (*.json) of a folder and resolves
 * everything: elements, types, groups, imports, ConceptMaps, variables and embedded FHIRPath. All faults of
 * all files are reported in one go, each with file:line:col. A loaded set is immutable and shared by threads;
 * nothing is parsed or looked up by name while data flows. With `roots` only the maps that these reach are read
 * beyond their heads, and only they are checked: all ConceptMaps are in any case.
 *
 * mapping_run executes a map's first group (or a named one) on a bound source tree and returns a bound target
 * tree, made in the run's arena; its literals are views of the maps' text, so the set must outlive it.
 * Deterministic: clock and randomness only through the run's host.
 */
#ifndef KETLINK_MAPPING_MAPPING_H
#define KETLINK_MAPPING_MAPPING_H

#include "base/base.h"
#include "definitions/definitions.h"
#include "fhirpath/fhirpath.h"
#include "tree/tree.h"

struct mapping_set;
struct mapping_map;
struct mapping_coverage;

struct mapping_load {
  const struct definitions *definitions;
  const struct host *host;
  const char *folder;       /* mappings folder: maps <folder>/ ** / *.fml and StructureMap .json beside them,
                               <folder>/terminology/ *.json; NULL = none */
  const char *const *files; /* or, in addition, single files: .fml, StructureMap .json, ConceptMap .json */
  size_t file_count;
  const struct str *roots; /* maps by their URL: of the folder these, and what they import, and what that imports; NULL: all.
                              One that there is not is passed over: mapping_find tells */
  size_t root_count;
  bool unfused; /* expressions as their texts have them, nothing prepared or taken a short way: says the same, more slowly (tests) */
};
/* The set owns its memory. With errors: STATUS_INVALID and *out NULL. */
enum status mapping_load(const struct mapping_load *load, struct diag_list *diags,
                         struct mapping_set **out) MUST_USE;
void mapping_free(struct mapping_set *set);

/* The logical models of <folder>/models, element by element: paths, types, value sets, members, rules. What is
   wrong is an error with its place in the file. For map check; the arena keeps what the errors speak of. */
enum status mapping_check_models(const struct definitions *definitions, const struct host *host,
                                 const char *folder, struct arena *arena, struct diag_list *diags) MUST_USE;

size_t mapping_count(const struct mapping_set *set);
size_t mapping_concept_map_count(const struct mapping_set *set);
/* How the comment of a target begins that is still to be filled in (equivalence unmatched, no code). Such a row
   is none yet: its word is as unknown as before. */
#define MAPPING_FILL_IN "FILL IN"
size_t mapping_unfinished(const struct mapping_set *set);
const struct mapping_map *mapping_at(const struct mapping_set *set, size_t index);
/* By canonical URL, by name, or by file name. */
const struct mapping_map *mapping_find(const struct mapping_set *set, struct str url_or_name);
/* The URL or name most like it, for "did you mean"; empty if none. */
struct str mapping_nearest(const struct mapping_set *set, struct str url_or_name);
struct str mapping_url(const struct mapping_map *map);
struct str mapping_name(const struct mapping_map *map);
/* As it was read, with its folder; NUL terminated. */
struct str mapping_path(const struct mapping_map *map);
/* Types of the first group's source and target. */
const struct def_type *mapping_source_type(const struct mapping_map *map);
const struct def_type *mapping_target_type(const struct mapping_map *map);

/* Names of the resource types that the maps of the set create, each once, in order of the alphabet. */
enum status mapping_created_types(const struct mapping_set *set, struct arena *arena, struct str **names,
                                  size_t *count) MUST_USE;

/* A word that no row of a ConceptMap speaks of, while a rule translates it. */
struct mapping_unknown {
  struct str concept_map; /* its URL; of one that a map contains its id, when it has no URL */
  struct str system;      /* of a Coding; empty: a word alone */
  struct str word;
  const struct tree_node *node; /* the word in the source tree; NULL: the map made it */
};

/* One step of a run, for --trace and coverage. Texts are views of the map's source. */
enum mapping_event {
  MAPPING_GROUP,
  MAPPING_RULE,    /* fires for `source` */
  MAPPING_SKIPPED, /* a rule that does not fire; `source` is what it looked into */
  MAPPING_WRITE,
  MAPPING_LOG,
  MAPPING_EMPTY /* a target that wrote nothing, or a group that was not called */
};
struct mapping_trace {
  enum mapping_event event;
  unsigned depth; /* of groups and rules in one another */
  struct str file;
  struct source_position position;
  struct str name; /* group or rule */
  struct str
      detail; /* why a rule did not fire or a target wrote nothing; which transform wrote; the log text */
  const struct tree_node *source, *target;
};

struct mapping_run {
  const struct host *host;
  struct arena *arena;
  struct diag_list *diags;
  const struct source *source; /* text of the source tree, for positions */
  void (*trace)(void *context, const struct mapping_trace *trace); /* NULL: none */
  void *trace_context;
  void (*unknown)(void *context, const struct mapping_unknown *unknown); /* NULL: the diagnostic alone */
  void *unknown_context;
  const struct fp_place *place;      /* of times without an offset; NULL: not known */
  size_t max_steps, max_depth;       /* 0: defaults */
  struct mapping_coverage *coverage; /* NULL: not counted */
};
/* STATUS_INVALID when a check failed or a rule could not be executed (diagnostics say which). */
enum status mapping_run(const struct mapping_set *set, const struct mapping_map *map,
                        const struct mapping_run *run, struct tree_node *source,
                        struct tree_node **target) MUST_USE;
/* Leaves of a source tree that no rule read become DIAG_UNREAD_VALUE, one per leaf path (repeats counted). Of a message
   of HL7 version 2 they are told by place (PID-10, PID-3.2, PD1), as information, or as a warning where the message may have been sent for them. */
void mapping_report_unread(const struct tree_node *source, const struct mapping_run *run);

/* Map text to a StructureMap resource (shape of R4, or of R5), a StructureMap resource to map text. Nothing
   is resolved; comments stay behind. What the other form cannot say is a warning. INVALID with diagnostics.
 */
enum status mapping_convert(const struct source *source, bool r5, struct arena *arena,
                            struct diag_list *diags, struct buf *out) MUST_USE;

/* The compiled program of one map, to be read: groups for each combination of types they are called with,
   rules, variables as numbered slots, steps, and FHIRPath instruction by instruction. */
void mapping_dump(const struct mapping_set *set, const struct mapping_map *map, struct buf *out);

/* --- coverage ------------------------------------------------------------------------------------------- */

/* Counts over many runs of one set what was run, read and written. One thread at a time. */
struct mapping_coverage *mapping_coverage_new(const struct mapping_set *set, struct arena *arena);
/* After a run: what of its source was read, what of its target was written (NULL: nothing came out). */
enum status mapping_coverage_add(struct mapping_coverage *coverage, const struct source *text,
                                 const struct tree_node *source, const struct tree_node *target) MUST_USE;

enum mapping_cover {
  MAPPING_COVER_RULES,
  MAPPING_COVER_BRANCHES, /* conditions both ways, defaults both ways, targets that wrote, groups called */
  MAPPING_COVER_VALUES,   /* places of the sources that occurred: read by some rule */
  MAPPING_COVER_MODEL,    /* elements of the logical models: occurred in some source */
  MAPPING_COVER_TARGET,   /* must-support elements (of what has none: required ones) of what was made: written
                           */
  MAPPING_COVER_ROWS,     /* rows of ConceptMaps, and their rules for unmapped codes: used */
  MAPPING_COVER_KINDS
};
struct mapping_cover_miss {
  struct mapping_cover_miss *next;
  struct str file; /* empty where a definition says so, not a file */
  struct source_position position;
  struct str name;   /* rule, element path, code */
  struct str detail; /* what is missing, in words */
};
struct mapping_cover_part {
  size_t total, covered;
  struct mapping_cover_miss *first, **end;
};
struct mapping_cover_report {
  struct mapping_cover_part parts[MAPPING_COVER_KINDS];
  struct str *unknown_profiles; /* named by meta.profile and not among the definitions */
  size_t unknown_profile_count;
};
enum status mapping_coverage_report(const struct mapping_coverage *coverage, struct arena *arena,
                                    struct mapping_cover_report *out) MUST_USE;

/* One ConceptMap row; false when no row matches. `system` empty: any group. */
struct mapping_concept {
  struct str system, code, display, equivalence;
};
/* Extension of a ConceptMap that adds rows to another one: valueCanonical is the other's URL. It may add a word
   that the other has with the same target, and never change one: that is a fault of the folder. */
#define MAPPING_SUPPLEMENTS_URL "http://ketlink.dev/fhir/StructureDefinition/concept-map-supplements"
bool mapping_has_concept_map(const struct mapping_set *set, struct str concept_map);
/* Code systems of its groups, in their order; false when there are no more. */
bool mapping_concept_group(const struct mapping_set *set, struct str concept_map, size_t index,
                           struct str *source, struct str *target);
/* The word of its rows that is most like it; empty if none is. */
struct str mapping_nearest_word(const struct mapping_set *set, struct str concept_map, struct str word);
bool mapping_translate(const struct mapping_set *set, struct str concept_map, struct str system,
                       struct str code, struct mapping_concept *out);

#endif
