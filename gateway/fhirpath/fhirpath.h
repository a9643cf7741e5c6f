/*
 * fhirpath.h - FHIRPath 2.0.0 (http://hl7.org/fhirpath/N1) with the additions of FHIR R4, compiled and
 * evaluated on the element tree.
 *
 * fhirpath_compile resolves every name, type, function and variable; what cannot be is a diagnostic with a
 * position, before any data flows. A program is immutable, lives in the arena it was compiled into and may be
 * run by many threads at once. fhirpath_eval allocates only in the run's arena. Both are bounded by struct
 * fp_limits.
 *
 * Static check: with an input type, an unknown element is an error (FHIRPATH_UNKNOWN_NAME) and operands that
 * can never fit are errors. Without one (input type NULL) names are resolved while running and absent ones
 * give the empty collection.
 */
#ifndef KETLINK_FHIRPATH_FHIRPATH_H
#define KETLINK_FHIRPATH_FHIRPATH_H

#include "base/base.h"
#include "definitions/definitions.h"
#include "tree/tree.h"

struct fp_program;

enum fp_kind {
  FP_NODE,
  FP_BOOLEAN,
  FP_INTEGER,
  FP_DECIMAL,
  FP_STRING,
  FP_DATE,
  FP_DATETIME,
  FP_TIME,
  FP_QUANTITY,
  FP_TYPE
};

struct fp_quantity {
  struct decimal value;
  struct str text; /* lexical value, empty if computed */
  struct str unit; /* UCUM code, or a calendar word ("year", "years") when `calendar` */
  bool calendar;
  bool either; /* of a FHIR Quantity in a UCUM time unit: UCUM unit and calendar word alike */
};

/* What type() tells. */
struct fp_type {
  struct str space, name;      /* "FHIR" or "System", "Patient" */
  const struct def_type *type; /* NULL for system types and what has no definition */
};

/* One item of a collection: a node of a tree, or a system value. Small values inline, large ones by pointer
 * into an arena. */
struct fp_item {
  enum fp_kind kind;
  union {
    struct tree_node *node;
    bool boolean;
    int64_t integer;
    const struct decimal *decimal;
    struct str string; /* also the text of dates, dateTimes and times (no @) */
    const struct fp_quantity *quantity;
    const struct fp_type *type_info;
  };
};

/* A collection: ordered, may be empty. */
struct fp_list {
  struct fp_item *items;
  size_t count, room;
};

struct fp_limits {
  size_t text_bytes, depth; /* of compiling */
  size_t steps, items;      /* of one evaluation */
};
struct fp_limits fp_limits_default(void);

/* A variable the expression may use as %name; its value comes with each run at the same index. */
struct fp_variable {
  struct str name;
  const struct def_type *type; /* NULL: not known, names are resolved while running */
};

struct fp_compile {
  const struct definitions *definitions;
  const struct definitions *units; /* where the units of measure stand, when definitions is NULL; both NULL: a
                                      few common ones are known */
  const struct def_type *input;    /* type of the focus, or NULL */
  const struct def_type *resource; /* type of %resource, or NULL */
  const struct fp_variable *variables;
  size_t variable_count;
  const struct fp_limits *limits; /* NULL: defaults */
  struct arena *scratch; /* for what nobody needs after compiling; NULL: the program's, which then lies less close together */
  const struct source *source;    /* where the text stands, for positions; outlives the program */
  size_t from, to;                /* the expression's bytes in source->text */
  bool prefix;                    /* stop, without complaint, at the first token that cannot go on (FML);
                                     `->` ends the expression, it is no minus */
  /* As the reference mapping engine reads expressions in maps; with bare_variables also x.value of a
     primitive (its value) and x.valueString (x.value.ofType(string)): */
  bool
      bare_variables; /* a name that begins a path is the variable of that name, if there is one: src.m < 2 */
  bool double_quotes; /* "text" is a string like 'text' */
  bool unfused; /* only the instructions that the text names, none that stand for several: says the same, more slowly (tests) */
};
/* On success *used (may be NULL) is the offset after the last token. STATUS_INVALID with diagnostics, NOMEM.
 */
enum status fhirpath_compile(const struct fp_compile *compile, struct arena *arena, struct diag_list *diags,
                             struct fp_program **out, size_t *used) MUST_USE;

/* Where texts without an offset were written; for fromDtm(). */
struct fp_place {
  bool has_offset; /* of the message: it goes first, unless `in_zone` */
  int16_t offset;  /* minutes east of UTC */
  const struct datetime_zone *zone; /* of the clinic; NULL: not known */
  bool in_zone; /* the clocks of the zone had the message's offset when it was sent: its other times go by their rules */
};

/* A time as HL7 version 2 wrote it, and what fromDtm() made of it. */
struct fp_known_time {
  struct str written, time; /* both empty: none yet */
};

/* Tables of long lists in a tree that does not change while they are kept. */
struct fp_lookups {
  const struct tree_node *root; /* of that tree */
  struct fp_lookup *first;      /* begins as NULL */
};

struct fp_run {
  const struct host *host;         /* now(), today(), timeOfDay(); one instant per run */
  struct arena *arena;             /* results and scratch */
  struct diag_list *diags;         /* evaluation errors */
  const struct fp_limits *limits;  /* NULL: defaults */
  size_t *steps; /* left for this evaluation and others; what it takes is taken off. NULL: as limits say */
  struct tree_node *resource;      /* %resource; NULL = the root of the focus */
  struct tree_node *root_resource; /* %rootResource; NULL = %resource's container */
  const struct fp_list *variables; /* one per compiled variable */
  struct str terminology_note;     /* reserved */
  const struct fp_place *place;    /* NULL: not known */
  struct fp_known_time *known_time; /* keeps the last one for more evaluations in the same arena and place: all results of a
                                       message have one time as a rule. NULL: not kept */
  void **matching; /* keeps what regular expressions work in for more evaluations in the same arena; begins as
                      NULL. NULL itself: it is given back after each match */
  struct fp_kept **kept; /* keeps what evaluations work in, and the memory of long lists, for more evaluations by this run, one at a time; begins as
                            NULL. NULL itself: each evaluation has its own */
  struct fp_lookups *lookups; /* kept for more evaluations in the same arena. NULL: none */
  bool mark_read;                  /* flag nodes that are read with TREE_READ */
  void (*place_of)(void *context, struct diag_at *out); /* where a diagnostic points, asked when there is one; NULL = the expression */
  void *place_context;
  void (*trace)(void *context, struct str name, const struct fp_list *items);
  void *trace_context;
  /* conformsTo() a profile: whoever can validate says so (1 yes, 0 no, -1 cannot tell). NULL: only types. */
  int (*conforms)(void *context, struct tree_node *node, const struct def_type *profile);
  void *conforms_context;
  /* resolve() before the engine's own search (contained resources and the Bundle around). NULL result: not
   * found. */
  struct tree_node *(*resolve)(void *context, struct tree_node *from, struct str reference);
  void *resolve_context;
};
/* Focus: the input collection (one node as a rule). STATUS_INVALID with a diagnostic when the expression
   fails on the data (FHIRPATH_EVALUATION) or exceeds a limit (FHIRPATH_LIMIT); NOMEM. */
enum status fhirpath_eval(const struct fp_program *program, const struct fp_run *run, struct fp_list focus,
                          struct fp_list *out) MUST_USE;
/* The same where one item is wanted: *out is the first, *count tells how many there are. */
enum status fhirpath_one(const struct fp_program *program, const struct fp_run *run, struct fp_list focus,
                         struct fp_item *out, size_t *count) MUST_USE;
static inline struct fp_list fp_one_node(struct fp_item *slot, struct tree_node *node) {
  *slot = (struct fp_item){.kind = FP_NODE, .node = node};
  return (struct fp_list){slot, node ? 1u : 0u, 1};
}

/* A raw tree (no definitions) made fit for paths: `_x` members are laid into x. Bound trees are left alone.
 */
void fhirpath_fold_raw(struct tree_node *root);

/* As a condition: empty = false; one Boolean = its value; one item of another kind = true; several = an error
   by FHIRPath, reported as STATUS_INVALID. */
enum status fhirpath_truth(const struct fp_program *program, const struct fp_run *run,
                           struct tree_node *focus, bool *out) MUST_USE;

/* The expression is an operator or function that gives at most one Boolean: fhirpath_truth says all that
   fhirpath_eval does, but empty from false. */
bool fhirpath_is_condition(const struct fp_program *program);

/* A child and a text. */
struct fp_child_text {
  uint32_t symbol;
  struct str text;
};
/* What is known of the focus (one node), or of %resource: symbols of children that it has, and of some that it does not have; that the
   focus has one child of a symbol, a String, and that it is another text. */
struct fp_supposed {
  bool of_resource;
  struct fp_child_text other; /* symbol 0: nothing */
  const uint32_t *present, *absent;
  size_t present_count, absent_count;
};
/* fhirpath_truth gives true then, whatever else the node is: worked out from the program alone. False: it cannot be told. Limits are left
   aside. */
bool fhirpath_must_hold(const struct fp_program *program, const struct fp_supposed *supposed);
/* Symbols of the children of the focus, or of %resource, that the expression begins paths with: `room` of them at most. */
size_t fhirpath_first_names(const struct fp_program *program, bool of_resource, uint32_t *names, size_t room);
/* Texts that it compares children of the focus with. */
size_t fhirpath_first_texts(const struct fp_program *program, struct fp_child_text *texts, size_t room);

/* The texts that a condition asks for first: when its subject is one text, the condition is false unless the text is one of these, or,
   with `but`, unless it is none of them. */
struct fp_choice {
  bool of_variable; /* the subject is that variable; else the focus */
  size_t variable;  /* its index */
  bool but;
  const struct fp_item *texts; /* Strings */
  size_t count;
};
/* False: it asks for something else. */
bool fhirpath_choice(const struct fp_program *program, struct fp_choice *out);
/* Whether an item's value is a String, and which. */
bool fhirpath_is_text(const struct fp_item *item, struct str *text);

/* Type the result will have, when known, else NULL. */
const struct def_type *fhirpath_result_type(const struct fp_program *program);
/* The system value inside a primitive node (or the item itself): string, Boolean, Integer, Decimal, date … */
struct fp_item fhirpath_value(const struct fp_item *item, struct arena *arena);
/* A date or time of HL7 v2 (DTM); false when it is none. Its parts are as written, nothing is filled in. */
bool fhirpath_dtm(struct str text, struct datetime *out);
/* Text of a primitive item: a string's characters, a number's text. False for complex nodes. */
bool fhirpath_text(const struct fp_item *item, struct arena *arena, struct str *out);
/* "FHIR.Patient", "System.String" … of an item. */
struct str fhirpath_type_name(const struct fp_item *item, struct arena *arena);
/* As the command line prints it: primitives as text, quantities `1.5 'mg'`, complex nodes as JSON. */
void fhirpath_print(const struct fp_item *item, struct buf *out);
/* The compiled program, one instruction a line (map dump, tests). */
void fhirpath_dump(const struct fp_program *program, struct buf *out);

/* Whether the code is a UCUM unit of measure, by its grammar and the pack's table of units (case-sensitive).
   True as well when there is no table to tell. */
bool fhirpath_ucum_valid(const struct definitions *definitions, struct str code);
/* Which of two quantities in units of UCUM is more; false when they cannot be compared. */
bool fhirpath_ucum_compare(const struct definitions *definitions, struct str a, struct str a_unit,
                           struct str b, struct str b_unit, int *order);

/* One row of the table of functions, for documentation and completeness tests. */
struct fp_function_info {
  const char *name, *section, *result;
  int min_arguments, max_arguments;
  bool available;
};
size_t fhirpath_function_count(void);
struct fp_function_info fhirpath_function(size_t index);

#endif
