/*
 * internal.h - private to validation.
 *
 * What the definitions say about a type is laid out flat once, as a *plan*, so that the walk costs a few
 * instructions a node. Plans are made when a type is first met and then shared by all threads.
 */
#ifndef KETLINK_VALIDATION_INTERNAL_H
#define KETLINK_VALIDATION_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include "validation/validation.h"

/* --- plans --- */

/* A rule in FHIRPath, compiled when it is first needed. */
struct validation_rule {
  struct def_constraint constraint;
  const struct def_type *input, *resource; /* static types, NULL: several */
  uint32_t needs;                          /* symbol of a child without which the rule holds; 0: none */
  bool logical;                            /* of a logical model: must compile */
  bool best_practice;
  _Atomic(struct fp_program *) program;
  atomic_int state; /* enum validation_rule_state */
  struct str why;   /* it is broken */
};
enum validation_rule_state { VALIDATION_RULE_NEW, VALIDATION_RULE_READY, VALIDATION_RULE_BROKEN };

struct validation_rules {
  struct validation_rule *items;
  size_t count;
};

/* The checks that a node may need besides kind, form and format; the bits of a plan's mask. */
enum validation_check_bit {
  VALIDATION_LENGTH,
  VALIDATION_RANGE,
  VALIDATION_FIXED,
  VALIDATION_BINDING,
  VALIDATION_REFERENCE,
  VALIDATION_RULES,      /* of the element */
  VALIDATION_TYPE_RULES, /* of the type */
  VALIDATION_CHECKS
};

struct validation_element {
  const struct def_element *element;
  uint32_t symbol, min, max;
  uint32_t checks; /* bits */
  bool is_list, is_choice;
  uint32_t max_length;
  struct str min_value, max_value;
  const struct tree_node *fixed; /* read from its JSON text */
  bool is_pattern;
  struct def_binding binding;
  struct validation_rules rules;
};

struct validation_plan {
  const struct def_type *type;
  enum def_kind kind;
  enum def_primitive primitive; /* system types count as the primitive of their values */
  uint32_t checks;
  bool is_resource, is_profile;
  struct validation_element *elements;
  size_t count;
  uint16_t *by_order; /* order in the definition -> index + 1 */
  size_t orders;
  const struct validation_element **required;
  size_t required_count;
  struct validation_rules rules;
};

enum { VALIDATION_SLOTS = 1 << 13 }; /* more than all types of R4 and several editions of US Core */

struct validation {
  const struct definitions *definitions;
  enum validation_constraints constraints;
  bool internal_references;
  struct arena *arena; /* plans and programs, under the lock */
  pthread_mutex_t lock;
  size_t plan_count;
  const struct def_type *reference, *coding, *concept, *quantity, *bundle;
  uint32_t contained;                                              /* symbol */
  _Atomic(const struct validation_plan *) slots[VALIDATION_SLOTS]; /* by type */
};

/* The plan of a type; NULL when there is no memory. */
const struct validation_plan *validation_plan_of(const struct validation *validation,
                                                 const struct def_type *type);
/* By its place in the definition, or by symbol in a profile. NULL: the type has no such element. */
const struct validation_element *validation_element_of(const struct validation_plan *plan,
                                                       const struct tree_node *child);

/* --- the walk --- */

struct validation_walk {
  const struct validation *validation;
  const struct validation_run *run;
  struct tree_node *root;
  struct tree_node *resource;     /* the nearest resource, contained or not */
  struct tree_node *container;    /* the nearest resource that is not contained */
  struct map urls;                /* fullUrl -> resource, for a Bundle */
  struct map noted;               /* systems and rules of which a note has been given */
  const struct def_type *profile; /* whose own rules are being checked; NULL: the types' */
  bool is_bundle;
  size_t malformed; /* findings so far that leave rules nothing to work on: wrong kinds, formats, repeats */
  struct validation_broken *broken; /* rules that could not be evaluated, latest first */
  enum status status;               /* NOMEM, LIMIT */
};

/* The node's checks; false stops the checks of this node (its value cannot be looked at any further). */
struct validation_visit {
  struct validation_walk *walk;
  struct tree_node *node;
  const struct validation_element *element; /* NULL at the root */
  const struct validation_plan *plan;       /* of the node's type */
  bool malformed;                           /* something below: rules of models would only repeat it */
};

struct validation_broken {
  struct validation_broken *next;
  struct validation_visit visit;
  const struct validation_rule *rule;
  struct str why;
};
void validation_report_broken(struct validation_walk *walk);

void validation_walk_node(struct validation_walk *walk, struct tree_node *node,
                          const struct validation_element *element, const struct validation_plan *plan,
                          size_t depth);

void validation_run_checks(const struct validation_visit *visit, uint32_t bits);
/* Against a profile by URL; NOT_FOUND with a finding. The tree has been walked before. */
enum status validation_check_profile(struct validation_walk *walk, const char *url) MUST_USE;
bool validation_check_format(const struct validation_visit *visit);
void validation_check_length(const struct validation_visit *visit);
void validation_check_range(const struct validation_visit *visit);
void validation_check_fixed(const struct validation_visit *visit);
void validation_check_binding(const struct validation_visit *visit);
void validation_check_reference(const struct validation_visit *visit);
void validation_check_rules(const struct validation_visit *visit);
void validation_check_type_rules(const struct validation_visit *visit);

/* fullUrls of a Bundle. */
void validation_index_bundle(struct validation_walk *walk);
/* dom-3: what is contained is referred to, or refers to its container. */
void validation_check_contained(struct validation_walk *walk, struct tree_node *container);
/* Well-formed XHTML of a narrative: balanced, a div in its namespace, no active content. */
bool validation_xhtml(struct str text, const char **why);

/* --- reporting --- */

/* A node made by a map has no place in the text; its nearest ancestor may have one. */
struct str validation_path(const struct validation_walk *walk, const struct tree_node *node);
size_t validation_offset_of(const struct tree_node *node);
void validation_report(struct validation_walk *walk, enum diag_severity severity, enum diag_code code,
                       const struct tree_node *node, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void validation_report_missing(struct validation_walk *walk, const struct tree_node *node,
                               const struct validation_element *element, size_t count);
/* Puts what was added after `last` (NULL: all) in the order of the text. */
void validation_sort(struct diag_list *list, struct diag *last);
/* True the first time it is asked for a key in this walk. */
bool validation_note_once(struct validation_walk *walk, struct str key);
/* Path of the definition, e.g. Observation.value[x], for messages. */
static inline struct str validation_name_of(const struct validation_visit *visit) {
  return visit->element ? def_element_path(visit->element->element) : def_type_name(visit->plan->type);
}

#endif
