/*
 * validation.h - is a tree what its definitions say? One walk over the tree, every check at its node.
 *
 * Works alike on resources, Bundles and clinic records (logical models): unknown elements, types,
 * cardinality, arrays, primitive formats, ranges and lengths, fixed and pattern values, required bindings,
 * references inside a Bundle, and constraints (FHIRPath invariants). Findings are diagnostics with element
 * path and, where the tree came from a text, line and column; never values of the patient.
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

struct validation_params {
  const struct definitions *definitions;
  enum validation_constraints constraints;
  bool internal_references; /* urn: references must be found in their Bundle whatever its type; else an error
                               only in a transaction, batch, document or message, a warning in others */
};
enum status validation_new(const struct validation_params *params, struct diag_list *diags,
                           struct validation **out) MUST_USE;
void validation_free(struct validation *validation);

struct validation_run {
  const struct host *host;
  struct arena *arena;
  struct diag_list *diags;
  const struct source *source; /* text the tree came from, or NULL */
  const char *const *profiles; /* canonicals to check against besides the type; may be NULL */
  size_t profile_count;
  bool best_practice; /* also what is only good practice: that a resource should have a narrative (dom-6) */
};
/* STATUS_OK when the walk was done, whatever it found: look at the list. NOT_FOUND for an unknown profile;
 * NOMEM, LIMIT. */
enum status validation_check(const struct validation *validation, const struct validation_run *run,
                             struct tree_node *root) MUST_USE;

/* The lexical rule of a primitive type (R4 regexes, to the letter). `why` says what is wrong, if not NULL. */
bool validation_primitive(enum def_primitive primitive, struct str text, enum tree_kind kind,
                          const char **why);

#endif
