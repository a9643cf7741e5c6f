/*
 * validation.h - is a tree what its definitions say? One walk over the tree, every check at its node.
 *
 * Works alike on resources, Bundles and clinic records (logical models): unknown elements, types,
 * cardinality, arrays, primitive formats, ranges and lengths, fixed and pattern values, bindings, codes,
 * references, extensions, narratives, Bundles, and constraints (FHIRPath invariants); then what profiles ask
 * for: those that the run names, those that a resource claims in meta.profile, and those that types, slices,
 * references and extensions name. A profile is checked as a narrowing of its type: what the type asks for as
 * well is not said twice.
 *
 * Findings are diagnostics with element path (where something is missing or too much: the element it should
 * stand in), the profile and the key of the rule, and, where the tree came from a text, line and column;
 * never values of the patient.
 *
 * A check ends: all its rules together have a number of steps (in proportion to the text), beyond which an
 * error says that not all was checked; profiles that lead on from reference to reference are checked one after
 * the other from a certain depth on.
 *
 * A validator is made once per set of definitions: constraints are compiled when it is made (or first needed)
 * and it is then immutable. validation_check allocates only in the run's arena.
 */
#ifndef KETLINK_VALIDATION_VALIDATION_H
#define KETLINK_VALIDATION_VALIDATION_H

#include "base/base.h"
#include "definitions/definitions.h"
#include "fhirpath/fhirpath.h"
#include "tree/tree.h"

struct validation;

enum validation_constraints {
  VALIDATION_CONSTRAINTS_ALL,
  VALIDATION_CONSTRAINTS_LOGICAL /* of logical models only */
};

/* How grave it is when a rule of care does not hold (a constraint with a group, definitions.h); others are as
   their models say. */
enum validation_level {
  VALIDATION_OFF, /* it is not evaluated */
  VALIDATION_WARNING,
  VALIDATION_ERROR
};
struct validation_setting {
  struct str rule; /* key */
  enum validation_level level;
};

struct validation_params {
  const struct definitions *definitions;
  enum validation_constraints constraints;
  const struct validation_setting *settings; /* where a rule is not as its model says; outlives the validator */
  size_t setting_count;
  bool internal_references; /* urn: references must be found in their Bundle whatever its type; else an error
                               only in a transaction, batch, document or message, a warning in others */
  bool plainly; /* every rule is evaluated, word for word, also those of which it is known that they hold: the same findings, more
                   slowly (tests) */
};
enum status validation_new(const struct validation_params *params, struct diag_list *diags,
                           struct validation **out) MUST_USE;
void validation_free(struct validation *validation);

/* What is done about a reference that leads out of the text. Targets inside it (contained, in the same
   Bundle) are always looked at. */
enum validation_follow {
  VALIDATION_FOLLOW_NOT,
  VALIDATION_FOLLOW_TYPE, /* resolve() must find it; its type is checked */
  VALIDATION_FOLLOW_VALID /* and the profiles that the reference asks for */
};

struct validation_run {
  const struct host *host;
  struct arena *arena;
  struct diag_list *diags;
  const struct source *source; /* text the tree came from, or NULL */
  const char *const *profiles; /* canonicals to check against besides the type; may be NULL */
  size_t profile_count;
  /* Canonicals of profiles for the root, or for the resources of its entries when it is a Bundle: each must
     conform to one of those that constrain its type, if there are any. May be NULL; one that is unknown is
     passed over. */
  const char *const *wanted;
  size_t wanted_count;
  /* What a reference leads to, bound; NULL result: not found. May be NULL. */
  struct tree_node *(*resolve)(void *context, struct tree_node *from, struct str reference);
  void *resolve_context;
  enum validation_follow follow;
  bool advice;         /* also what is only advised or could not be checked: bindings that are extensible or
                          preferred,         displays, profiles and code systems that are not present */
  bool vital_signs;    /* an Observation with the code of a vital sign must have its profile */
  bool any_extensions; /* an extension that the definitions do not have is advice, but for those of FHIR
                          itself */
  bool best_practice;  /* also what is only good practice: that a resource should have a narrative (dom-6) */
};
/* STATUS_OK when the walk was done, whatever it found: look at the list. NOT_FOUND for an unknown profile;
 * NOMEM, LIMIT. */
enum status validation_check(const struct validation *validation, const struct validation_run *run,
                             struct tree_node *root) MUST_USE;

/* The lexical rule of a primitive type (R4 regexes, to the letter). `why` says what is wrong, if not NULL. */
bool validation_primitive(enum def_primitive primitive, struct str text, enum tree_kind kind,
                          const char **why);

#endif
