/*
 * internal.h - private to validation.
 *
 * What the definitions say about a type is laid out flat once, as a *plan*, so that the walk costs a few
 * instructions a node. Plans are made when a type is first met and then shared by all threads. The plan of a
 * profile holds only what it adds to the type that it constrains; an element about which it says nothing new
 * does not stand there.
 *
 *   walk.c      the one walk: everything that types say      profile.c    what a profile adds
 *   plan.c      plans of types    plan_profile.c  of profiles    plan_slices.c   of slicing
 *   slices.c    which slice an item is of          extension.c  extensions and where they may stand
 *   value.c     fixed, pattern, ranges             binding.c    value sets    coding.c  codes and displays
 *   good.c      codes that were right before
 *   reference.c references    bundle.c   Bundles   constraint.c rules in FHIRPath    certain.c  rules that need no evaluating
 *   primitive.c, xhtml.c  texts                    report.c     findings
 */
#ifndef KETLINK_VALIDATION_INTERNAL_H
#define KETLINK_VALIDATION_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include "validation/validation.h"

struct validation_walk;
struct validation_slicing;

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

/* When a rule holds without being evaluated (certain.c): worked out when it is compiled, nothing before. Each of these is enough. Apart
   from the rules, so that a few lines of the processor's cache tell it of all rules of a type. */
struct validation_ways {
  _Atomic(uint32_t) lacks_one; /* bits of tree_lacks: the node has no child of one of these names */
  _Atomic(uint32_t) lacks_all; /* it has none of all of them; 0: does not say */
  _Atomic(uint32_t) resource_lacks; /* the resource has none of one of these */
  _Atomic(uint32_t) known;          /* what it says is looked at in C: index in a table + 1 */
  _Atomic(uint32_t) has[2];         /* symbols of children: it has one of them */
  _Atomic(uint32_t) has_not[2];     /* or has not one of them, where the bits do not tell */
  _Atomic(uint32_t) resource_has_not[2];
  _Atomic(const struct fp_child_text *) other; /* one child of that symbol is another text than this */
};

struct validation_rules {
  struct validation_rule *items;
  struct validation_ways *ways; /* of each */
  size_t count;
};

/* The checks that a node may need besides kind, form and format; the bits of a plan's mask. */
enum validation_check_bit {
  VALIDATION_LENGTH,
  VALIDATION_RANGE,
  VALIDATION_FIXED,
  VALIDATION_BINDING,
  VALIDATION_CODES, /* codes and displays of what is bound to nothing */
  VALIDATION_REFERENCE,
  VALIDATION_PROFILES, /* of the element's type */
  VALIDATION_EXTENSION,
  VALIDATION_SPECIAL,    /* of the type: what no definition says in words that can be run */
  VALIDATION_RULES,      /* of the element */
  VALIDATION_TYPE_RULES, /* of the type */
  VALIDATION_CHECKS
};

/* What a Reference or canonical may lead to. */
struct validation_target {
  const struct def_type *type;    /* NULL: the canonical is not known */
  const struct def_type *profile; /* NULL: any of the type */
  struct str url;
};

/* One of the types of an element. */
struct validation_option {
  const struct def_type *type;      /* as nodes have it */
  const struct def_type *inner;     /* its children as a profile spells them out; NULL: nothing new */
  const struct def_type **profiles; /* one of which it must conform to; none: any value of the type */
  size_t profile_count;
  bool profile_unknown; /* one of the profiles is not present: it cannot be told */
  struct validation_target *targets;
  size_t target_count;
  unsigned aggregation; /* enum def_aggregation */
};

struct validation_element {
  const struct def_element *element;
  _Atomic(const struct validation_plan *) usual; /* of the type that was met first: nearly always the only one */
  uint32_t symbol, min, max;
  uint32_t checks; /* bits */
  uint32_t required; /* its bit, where one must be there; see validation_plan */
  bool is_list, is_choice;
  bool counts; /* of a profile: min or max is narrower than the type's */
  bool types;  /* of a profile: fewer types */
  bool items;  /* of a profile: each item is to be checked */
  uint32_t max_length;
  struct str min_value, max_value;
  const struct tree_node *min_quantity, *max_quantity;
  const struct tree_node *fixed; /* read from its JSON text */
  bool is_pattern;
  bool bound, bound_max;
  struct def_binding binding, max_binding;
  struct validation_option *options;
  size_t option_count;
  const struct validation_slicing *slicing; /* NULL: none, or it cannot be told what is of which slice */
  struct validation_rules rules;
};

/* --- slicing --- */

enum validation_step_kind {
  VALIDATION_STEP_CHILD,
  VALIDATION_STEP_EXTENSION, /* by url */
  VALIDATION_STEP_RESOLVE,
  VALIDATION_STEP_TYPE /* ofType(), as() */
};
struct validation_step {
  enum validation_step_kind kind;
  uint32_t symbol;
  const struct def_type *type;
  struct str url;
};

/* What a slice asks for where a discriminator leads to. */
enum validation_wants {
  VALIDATION_WANTS_NOTHING, /* the profile does not say: it cannot be told */
  VALIDATION_WANTS_VALUE,   /* fixed or pattern */
  VALIDATION_WANTS_MEMBER,  /* of a value set */
  VALIDATION_WANTS_TYPE,
  VALIDATION_WANTS_PROFILE,
  VALIDATION_WANTS_SOME,
  VALIDATION_WANTS_NONE
};
struct validation_criterion {
  enum validation_wants wants;
  const struct tree_node *value;
  bool is_pattern;
  struct def_binding binding;
  const struct def_type **types; /* or profiles */
  size_t type_count;
};
struct validation_discriminator {
  struct def_discriminator said;
  struct validation_step *steps;
  size_t step_count;
  struct validation_criterion *criteria; /* one of which must hold */
  size_t count;
};
struct validation_slice {
  struct validation_element element; /* re-sliced: its own slicing */
  struct str name;
  struct validation_discriminator *discriminators;
  size_t count;
};
struct validation_slicing {
  enum def_slicing_rules rules;
  bool ordered;
  struct validation_slice *slices;
  size_t count;
  const struct validation_slice *otherwise; /* @default */
};

/* Where an extension may stand. */
struct validation_context {
  struct def_context said;
  struct validation_rule rule; /* of a context by FHIRPath */
};

struct validation_plan {
  const struct def_type *type;
  enum def_kind kind;
  enum def_primitive primitive; /* system types count as the primitive of their values */
  uint32_t checks;
  bool is_resource, is_profile;
  struct validation_element *elements;
  size_t count;
  uint16_t *by_order; /* order in the definition of the type (not the profile) -> index + 1 */
  size_t orders;
  uint32_t required_once; /* bits of all elements of which one must be there, but for those that are counted */
  bool counted;           /* some must be there more than once, or there are more than bits */
  const struct validation_element **required;
  size_t required_count;
  struct validation_rules rules;
  struct validation_context *contexts; /* of an extension */
  size_t context_count;
  struct validation_rules context_rules;
  void (*special)(struct validation_walk *walk, struct tree_node *node);
};

enum { VALIDATION_SLOTS = 1 << 13 }; /* more than all types of R4 and several editions of US Core */

/* Types and names that the checks speak of. */
struct validation_known {
  const struct def_type *reference, *coding, *concept, *quantity, *bundle, *extension, *attachment,
      *identifier, *narrative, *parameters, *observation;
  uint32_t contained, extension_symbol, modifier_symbol, value, meta, profile, resource, url, id, system,
      code, display, coding_symbol, reference_symbol, entry, full_url, search, type, request, response, version;
};

struct validation_making; /* a plan in the making */

enum { VALIDATION_GOOD = 1 << 10 }; /* more codes than a clinic's records use */
struct validation_good;

struct validation {
  const struct definitions *definitions;
  enum validation_constraints constraints;
  const struct validation_setting *settings;
  size_t setting_count;
  bool internal_references;
  bool plainly;
  struct validation_known known;
  struct arena *arena; /* plans and programs, under the lock */
  pthread_mutex_t lock;
  size_t plan_count;
  const struct validation_making *making;
  _Atomic(const struct validation_plan *) slots[VALIDATION_SLOTS]; /* by type */
  _Atomic(const struct validation_good *) good[VALIDATION_GOOD];   /* by what it is about and the code */
};

/* The code has been found right, with that system and display, in a value set or (about: the definitions) by itself. */
bool validation_is_good(const struct validation *validation, const void *about, struct str system, struct str code, struct str display);
/* Only of what the definitions have. It may be forgotten. */
void validation_keep_good(const struct validation *validation, const void *about, struct str system, struct str code, struct str display);

/* The plan of a type; NULL when there is no memory. */
const struct validation_plan *validation_plan_of(const struct validation *validation,
                                                 const struct def_type *type);
/* By its place in the definition. NULL: the type has no such element. */
const struct validation_element *validation_element_anywhere(const struct validation_plan *plan,
                                                             const struct tree_node *child);
static inline const struct validation_element *validation_element_of(const struct validation_plan *plan,
                                                                     const struct tree_node *child) {
  size_t index = child->order < plan->orders ? plan->by_order[child->order] : 0;
  if (index && plan->elements[index - 1].symbol == child->symbol) return &plan->elements[index - 1];
  return validation_element_anywhere(plan, child);
}
/* Making plans, under the lock; false or NULL when there is no memory. */
bool validation_plan_element(struct validation *validation, const struct def_type *type,
                             const struct def_element *element, const struct def_element *base,
                             struct validation_element *out);
/* What a profile or slice narrows of `base`, the same element of the type. */
bool validation_plan_narrow(struct validation *validation, const struct def_type *type,
                            const struct def_element *element, const struct def_element *base,
                            struct validation_element *out);
bool validation_plan_profile(struct validation *validation, struct validation_plan *plan);
bool validation_plan_slicing(struct validation *validation, const struct def_type *type,
                             const struct def_element *element, const struct def_element *base,
                             struct validation_element *out);
/* The plan says something that the type does not say; one in the making may. */
bool validation_plan_says(struct validation *validation, const struct def_type *type);
/* The rules that the base (may be NULL) does not have. */
bool validation_plan_element_rules(struct validation *validation, const struct def_type *type,
                                   const struct def_element *base, struct validation_element *out);
bool validation_plan_type_rules(struct validation *validation, const struct def_type *type,
                                const struct def_type *base, struct validation_rules *out);
typedef void validation_special_fn(struct validation_walk *walk, struct tree_node *node);
/* What no definition says in words that can be run, of the type; NULL: nothing. */
validation_special_fn *validation_special_of(const struct validation *validation,
                                             const struct def_type *type);
const struct tree_node *validation_read_fixed(struct validation *validation, struct str text);

/* --- the walk --- */

struct validation_walk {
  const struct validation *validation;
  const struct validation_run *run;
  struct tree_node *root;
  struct tree_node *resource;     /* the nearest resource, contained or not */
  struct tree_node *container;    /* the nearest resource that is not contained */
  struct map urls;                /* fullUrl -> resource, for a Bundle */
  struct map ids;                 /* Type/id -> the first such resource of a Bundle, or of Parameters; made when the first one asks */
  bool has_ids;
  struct map contained;           /* container and id -> what it contains; made when the first one asks */
  struct map anchors;             /* ids that links of narratives lead to; made when the first one asks */
  struct map noted;               /* systems and rules of which a note has been given */
  struct map judged;              /* node and profile -> int: 1 conforms, 0 does not */
  struct map applied;             /* node and profile: findings have been given */
  struct map fetched;             /* reference -> what it leads to outside, the root for nothing */
  const struct def_type *profile; /* whose own rules are being checked; NULL: the types' */
  bool is_bundle, is_parameters;
  bool distinct; /* of the entries of a Bundle: no two fullUrls are the same, and no resource has a version */
  bool is_record; /* of a logical model: findings name the element itself; of FHIR: as HL7's validator has
                     them */
  bool is_message; /* a record of HL7 v2: what its tables do not have is passed over by who reads it */
  bool implied;   /* a profile is being checked that only a code implies */
  size_t quiet, quiet_errors; /* only to tell whether something conforms */
  size_t nesting;             /* profiles that are being checked, each because of the one before */
  struct validation_pending *pending, *last_pending; /* to be checked when the others are done */
  size_t steps;               /* that all rules together may still take */
  void *matching;             /* what regular expressions work in, kept for all rules */
  size_t kept;                /* counts what was put into the arena to stay */
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

/* A node and a profile that lay too deep: references lead on and on, and a stack does not. */
struct validation_pending {
  struct validation_pending *next;
  struct tree_node *node;
  const struct def_type *profile;
};
void validation_check_pending(struct validation_walk *walk);

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
bool validation_check_format(const struct validation_visit *visit);
/* A value of the plan's primitive type, alone; false: it is none, or it must be looked at as a whole. */
bool validation_is_plain_value(enum def_primitive primitive, const struct tree_node *node);
void validation_check_length(const struct validation_visit *visit);
void validation_check_range(const struct validation_visit *visit);
void validation_check_fixed(const struct validation_visit *visit);
void validation_check_binding(const struct validation_visit *visit);
void validation_check_codes(const struct validation_visit *visit);
void validation_check_reference(const struct validation_visit *visit);
void validation_check_profiles(const struct validation_visit *visit);
void validation_check_extension(const struct validation_visit *visit);
void validation_check_special(const struct validation_visit *visit);
void validation_check_rules(const struct validation_visit *visit);
void validation_check_type_rules(const struct validation_visit *visit);

/* The resource that a node is, if it is one, becomes the nearest; a contained one keeps its container. */
void validation_enter(struct validation_walk *walk, struct tree_node *node,
                      const struct validation_plan *plan);
/* The same for a node anywhere. */
void validation_locate(struct validation_walk *walk, struct tree_node *node);
/* What a rule gives on a node; false: it cannot be evaluated. */
bool validation_evaluate(struct validation_walk *walk, const struct validation_rule *rule,
                         struct tree_node *node, struct fp_list *out);
/* certain.c: the rule has been compiled, under the lock. */
void validation_find_ways(struct validation *validation, const struct validation_rule *rule, const struct fp_program *program,
                          struct validation_ways *out);
/* It holds, and need not be evaluated; false: it must be. */
bool validation_is_certain(const struct validation_walk *walk, const struct tree_node *node, const struct validation_ways *ways);
/* True as well when it cannot be told. */
bool validation_rule_holds(struct validation_walk *walk, const struct validation_rule *rule,
                           struct tree_node *node);

/* --- profiles --- */

/* The option that a node of this type takes; NULL: the type is not allowed. */
const struct validation_option *validation_option_of(const struct validation_element *element,
                                                     const struct def_type *type);
/* Whether the node, which the walk has checked against its type or will, has what the profile asks for. */
bool validation_conforms(struct validation_walk *walk, struct tree_node *node,
                         const struct def_type *profile);
/* The same with findings, once for each node and profile. */
void validation_apply(struct validation_walk *walk, struct tree_node *node, const struct def_type *profile);
/* The children of a node against a plan of a profile. */
void validation_walk_profile(struct validation_walk *walk, struct tree_node *node,
                             const struct validation_plan *plan, size_t depth);
/* One child against an element of a profile, or a slice. */
void validation_check_item(struct validation_walk *walk, struct tree_node *child,
                           const struct validation_element *element, size_t depth);
void validation_check_slices(struct validation_walk *walk, struct tree_node *node,
                             const struct validation_element *element, size_t depth);
/* The item is of one of the slices. */
bool validation_is_of_slice(struct validation_walk *walk, struct tree_node *item,
                            const struct validation_slicing *slicing);
/* Profiles that the resource claims. */
void validation_check_claims(struct validation_walk *walk, struct tree_node *resource);
/* Against the profiles that the run wants of each type. The tree has been walked before. */
void validation_check_wanted(struct validation_walk *walk);
/* Against a profile that the run names; NOT_FOUND with a finding. The tree has been walked before. */
enum status validation_check_profile(struct validation_walk *walk, const char *url) MUST_USE;

/* --- values, codes, references --- */

static inline bool validation_is_absolute(struct str uri) {
  size_t colon = str_find_char(uri, ':', 0);
  return colon != SIZE_MAX && str_find_char(str_slice(uri, 0, colon), '/', 0) == SIZE_MAX;
}

bool validation_same_value(const struct tree_node *node, const struct tree_node *rule, bool pattern);
enum def_membership validation_membership(const struct validation_walk *walk, const struct tree_node *node,
                                          const struct def_binding *binding);
/* The codes of a Coding: present in their system, with their display. */
void validation_check_coding(struct validation_walk *walk, const struct tree_node *coding);
/* The resource that a Reference leads to, without findings; NULL: it is not known. */
struct tree_node *validation_resolve(struct validation_walk *walk, struct tree_node *from,
                                     struct str reference);
/* The resource inside the text that it leads to. */
struct tree_node *validation_find_inside(struct validation_walk *walk, struct tree_node *from,
                                         struct str reference);
/* The same as documents have it: a relative reference counts only from a resource whose fullUrl is a REST URL
   that ends in its own type and id. */
struct tree_node *validation_find_linked(struct validation_walk *walk, struct tree_node *from,
                                         struct str reference);
/* `Type/id` among the entries of the Bundle, or the parameters. */
struct tree_node *validation_find_by_id(struct validation_walk *walk, struct str text);
/* What lies outside the text; the walk is the context. */
struct tree_node *validation_fetch(void *context, struct tree_node *from, struct str text);

/* fullUrls of a Bundle. */
void validation_index_bundle(struct validation_walk *walk);
/* What R4 says of Bundles in words. */
void validation_check_bundle(struct validation_walk *walk, struct tree_node *bundle);
/* Every resource of a document is reached from the first one; in a message it should be. */
void validation_check_linked(struct validation_walk *walk, struct tree_node *bundle, bool document);
/* Where a narrative links to. */
void validation_check_narrative(struct validation_walk *walk, struct tree_node *narrative);
/* dom-3: what is contained is referred to, or refers to its container. */
void validation_check_contained(struct validation_walk *walk, struct tree_node *container);
/* Well-formed XHTML of a narrative: balanced, a div in its namespace, no active content. */
bool validation_xhtml(struct str text, const char **why);

/* The first child of that symbol, or its text: cheaper than by name, in a bound tree. */
static inline struct tree_node *validation_child(const struct tree_node *node, uint32_t symbol) {
  struct tree_node *child = tree_lacks(node, symbol) ? NULL : node->child;
  while (child && child->symbol != symbol)
    child = child->next;
  return child;
}
static inline struct str validation_text(const struct tree_node *node, uint32_t symbol) {
  const struct tree_node *child = validation_child(node, symbol);
  return child ? child->text : (struct str){0};
}

/* --- reporting --- */

/* A node made by a map has no place in the text; its nearest ancestor may have one. */
size_t validation_offset_of(const struct tree_node *node);
void validation_report(struct validation_walk *walk, enum diag_severity severity, enum diag_code code,
                       const struct tree_node *node, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Advice: left out unless the run asks for it. */
void validation_advise(struct validation_walk *walk, enum diag_severity severity, enum diag_code code,
                       const struct tree_node *node, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* The path of one node, the place in the text of another. */
void validation_report_at(struct validation_walk *walk, enum diag_severity severity, enum diag_code code,
                          const struct tree_node *node, const struct tree_node *place, const char *format,
                          ...) __attribute__((format(printf, 6, 7)));
void validation_report_rule(struct validation_walk *walk, const struct tree_node *node,
                            const struct def_constraint *constraint);
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
/* Nothing more can be learnt: the walk is over, or it was only asked whether something conforms. */
static inline bool validation_done(const struct validation_walk *walk) {
  return walk->status != STATUS_OK || (walk->quiet && walk->quiet_errors);
}

#endif
