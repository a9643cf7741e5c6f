/*
 * internal.h - what the files of this stage share: tokens, syntax tree, program, evaluator.
 *
 *   lex.c -> parse.c -> types.c, resolve*.c (names, types, functions) -> a tree of instructions -> eval.c,
 * path.c, ops_*.c, fn_*.c
 *
 * An instruction (struct fp_ins) holds the two functions that run it, so running is a walk over pointers
 * without any lookup. `exec` appends the result to a list; `test` gives it as a three-valued condition.
 */
#ifndef KETLINK_FHIRPATH_INTERNAL_H
#define KETLINK_FHIRPATH_INTERNAL_H

#include "fhirpath/fhirpath.h"

/* For large variables that are always written before they are read: the build would fill them with zeros first. */
#if defined(__clang__) || __GNUC__ >= 12
#define FP_UNINITIALIZED __attribute__((uninitialized))
#else
#define FP_UNINITIALIZED
#endif

/* What is seldom needed stands in functions of their own, so that its variables take no room, and no time, in the others. */
#define FP_APART __attribute__((noinline))
#define FP_SELDOM __attribute__((cold)) /* what tells of failures */

/* --- text to tokens ---------------------------------------------------------------------------------- */

enum fp_token_kind {
  FP_T_END,
  FP_T_ERROR,
  FP_T_NAME,
  FP_T_QUOTED_NAME,
  FP_T_STRING,
  FP_T_NUMBER,
  FP_T_DATE,
  FP_T_DATETIME,
  FP_T_TIME,
  FP_T_DOLLAR,   /* $this, $index, $total */
  FP_T_EXTERNAL, /* %name, decoded */
  FP_T_SYMBOL
};

struct fp_token {
  enum fp_token_kind kind;
  size_t offset, end; /* bytes in the source */
  struct str text;    /* decoded: without quotes, @, %, $ */
  const char *problem;
};

struct fp_lexer {
  struct arena *arena;
  struct str text; /* of the source, up to the end of the expression */
  size_t at;
  bool double_quotes;
};
struct fp_token fp_lex(struct fp_lexer *lexer);
/* UTF-8 without U+0000: what may stand in a string of FHIR. */
bool fp_is_text(struct str text);

/* --- tokens to syntax tree --------------------------------------------------------------------------- */

enum fp_op {
#define FP_OP(name, exec, test) FP_OP_##name,
#include "fhirpath/opcodes.def"
#undef FP_OP
  FP_OPS
};

enum fp_ast_kind {
  FP_AST_LITERAL,
  FP_AST_EMPTY,
  FP_AST_NAME,    /* left.name, or a name that begins a path */
  FP_AST_CALL,    /* left.name(arguments), or a function of the focus */
  FP_AST_INDEXER, /* left[right] */
  FP_AST_UNARY,   /* op left */
  FP_AST_BINARY,  /* left op right */
  FP_AST_TYPE,    /* left is|as space.name */
  FP_AST_THIS,
  FP_AST_INDEX,
  FP_AST_TOTAL,
  FP_AST_EXTERNAL
};

struct fp_ast {
  enum fp_ast_kind kind;
  enum fp_op op;
  uint32_t offset;
  uint32_t height;
  struct str name, space;
  struct fp_item literal;
  struct fp_ast *left, *right;
  struct fp_ast *arguments, *next; /* list of arguments */
  size_t argument_count;
};

/* NULL after a diagnostic, or without one when the arena is full. */
struct fp_ast *fp_parse(const struct fp_compile *compile, struct arena *arena, struct diag_list *diags,
                        size_t *used);

/* Calendar word of a quantity ("year", "years" …); -1 for what is none. */
int fp_calendar_unit(struct str word);

/* --- types ------------------------------------------------------------------------------------------- */

/* What an item may be: a system kind, or (kind FP_NODE) a type of the definitions. */
struct fp_type_ref {
  enum fp_kind kind;
  const struct def_type *type;
};
/* What an expression may give. Not known: names are resolved while running. */
struct fp_static {
  bool known;
  bool single; /* at most one item */
  size_t count;
  const struct fp_type_ref *types;
};

/* A type specifier: System.String, FHIR.Patient, Quantity (either). */
struct fp_spec {
  bool system;
  enum fp_kind kind;           /* when system */
  const struct def_type *type; /* of the definitions, or NULL */
  struct str name;
};

bool fp_spec_matches(const struct fp_spec *spec, const struct fp_item *item);
/* For as and ofType: the item, or its system value in *slot, or NULL. */
const struct fp_item *fp_spec_take(const struct fp_spec *spec, const struct fp_item *item, struct arena *arena,
                                   struct fp_item *slot);
/* The system kind of that name ("String"); false if there is none. */
bool fp_kind_named(struct str name, enum fp_kind *out);
const char *fp_kind_name(enum fp_kind kind);

/* --- program ----------------------------------------------------------------------------------------- */

struct fp_eval;
struct fp_once;
struct fp_ins;
struct fp_function;

enum fp_truth { FP_FALSE, FP_TRUE, FP_UNKNOWN /* empty */, FP_FAILED };
typedef bool fp_exec(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out);
typedef enum fp_truth fp_test(struct fp_eval *e, const struct fp_ins *ins);

enum fp_step_kind {
  FP_STEP_CHILD,  /* children of that name */
  FP_STEP_ROOT,   /* the focus itself when it is of the type `spec`, else children of that name */
  FP_STEP_FILTER, /* where(test) */
  FP_STEP_TYPE    /* ofType(spec) */
};
struct fp_step {
  enum fp_step_kind kind;
  uint32_t symbol; /* 0: compare names */
  struct str name;
  const struct fp_spec *spec;
  const struct fp_ins *test;
};
enum { FP_PATH_STEPS = 12, FP_FIRST_SYMBOLS = 4 };

/* A path of children without filters, from $this, from %resource, or from the variable whose index is the path's `number`. */
enum fp_plain { FP_NOT_PLAIN, FP_PLAIN_THIS, FP_PLAIN_VARIABLE, FP_PLAIN_RESOURCE };

/* Literals that are known when the expression is compiled. */
struct fp_constants {
  struct fp_list list; /* without duplicates */
  bool only_texts;
  struct map texts; /* of these, when there are only texts */
};

/* What most evaluations look at stands first, in one line of the processor's cache. */
struct fp_ins {
  fp_exec *exec;
  fp_test *test;
  const struct fp_ins *input, *right;
  struct fp_step *steps; /* of a path */
  uint16_t step_count;
  uint8_t plain, op;                  /* enum fp_plain, see fp_find; enum fp_op */
  uint32_t number;                    /* index of a variable, which keys sort down */
  uint32_t symbols[FP_FIRST_SYMBOLS]; /* of a path: those of its first steps */
  /* --- the next line */
  const struct fp_ins **arguments;
  size_t argument_count;
  const struct fp_function *function;
  const struct fp_constants *constants;
  struct fp_item literal;
  const struct fp_spec *spec;
  struct str name;
  uint32_t offset; /* of its token in the source */
  uint32_t lookup_at; /* of a path: the step that is a filter which lookup.c knows; 0: none */
  void *regex; /* compiled constant pattern */
  const struct fp_dfa *dfa; /* of the same, when it is simple */
};

_Static_assert(offsetof(struct fp_ins, arguments) == ARENA_LINE, "an instruction's first line is full");

struct fp_program {
  const struct fp_ins *root;
  const struct definitions *definitions, *units;
  const struct def_type *result;
  struct source source; /* must outlive the program when positions are wanted */
  struct str text;
  size_t variable_count;
  size_t instruction_count;
  uint32_t once_count; /* see once.c */
};

/* name and functions of an opcode */
const char *fp_op_name(enum fp_op op);
fp_exec *fp_op_exec(enum fp_op op);
fp_test *fp_op_test(enum fp_op op);

/* --- functions --------------------------------------------------------------------------------------- */

enum fp_take { FP_TAKE_LIST, FP_TAKE_ONE };      /* several items as input: passed on, or an error */
enum fp_empty { FP_EMPTY_EMPTY, FP_EMPTY_CALL }; /* empty input: empty result, or the function decides */

struct fp_resolver;
struct fp_code;
typedef bool fp_form(struct fp_resolver *r, const struct fp_ast *call, struct fp_code *input,
                     struct fp_code *out);
typedef bool fp_call(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                     struct fp_list *out);

struct fp_function {
  const char *name;
  int min, max;
  const char *arguments; /* per argument: v value, e expression per item, t type; the last one repeats */
  enum fp_take take;
  enum fp_empty empty;
  const char *result;  /* "Boolean" …, "input", "argument", "any" */
  const char *section; /* of FHIRPath 2.0.0, or "R4", "2.1" for what came later */
  fp_call *run;        /* NULL without a form: not available */
  fp_form *form;       /* compiles the call in its own way */
};
const struct fp_function *fp_function_named(struct str name);
struct str fp_function_nearest(struct str name);

#define FP_FN(name, min, max, modes, take, empty, result, section, fn) fp_call fn;
#define FP_FN_FORM(name, min, max, modes, take, empty, result, section, fn) fp_form fn;
#define FP_FN_BOTH(name, min, max, modes, take, empty, result, section, form, fn)                            \
  fp_form form;                                                                                              \
  fp_call fn;
#define FP_FN_NONE(name, min, max, modes, section)
#include "fhirpath/functions.def"
#undef FP_FN
#undef FP_FN_FORM
#undef FP_FN_BOTH
#undef FP_FN_NONE

#define FP_OP(name, exec, test)                                                                              \
  fp_exec exec;                                                                                              \
  fp_test test;
#include "fhirpath/opcodes.def"
#undef FP_OP

/* --- resolver ---------------------------------------------------------------------------------------- */

/* An instruction and what it may give. */
struct fp_code {
  struct fp_ins *ins;
  struct fp_static type;
};
struct fp_resolver {
  const struct fp_compile *compile;
  struct arena *arena, *scratch; /* of the program; of what is known of types */
  struct diag_list *diags;
  struct fp_program *program;
  struct fp_static self;  /* $this */
  struct fp_static total; /* $total */
  bool each;              /* what is resolved is evaluated for each item of a list */
};

bool fp_resolve(struct fp_resolver *r, const struct fp_ast *ast, struct fp_code *out);
/* The expression with $this of that type. */
bool fp_resolve_with(struct fp_resolver *r, const struct fp_ast *ast, struct fp_static self,
                     struct fp_code *out);
bool fp_resolve_call(struct fp_resolver *r, const struct fp_ast *ast, struct fp_code *out);
bool fp_resolve_operator(struct fp_resolver *r, const struct fp_ast *ast, struct fp_code *out);
bool fp_resolve_type(struct fp_resolver *r, const struct fp_ast *ast, struct fp_code *input, enum fp_op op,
                     struct fp_spec *spec, struct fp_code *out);
/* The type that an argument or specifier names; a diagnostic when there is none. */
struct fp_spec *fp_resolve_spec(struct fp_resolver *r, struct str space, struct str name, size_t offset);
struct fp_ins *fp_new_ins(struct fp_resolver *r, enum fp_op op, size_t offset);
/* Diagnostic; always false. */
bool fp_refuse(struct fp_resolver *r, enum diag_code code, size_t offset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* One child of $this, nothing more: compared and tested without lists. */
bool fp_is_child_of_this(const struct fp_ins *ins);
bool fp_append_step(struct fp_resolver *r, struct fp_code *code, struct fp_step step, size_t offset);
/* Instruction of a call with these resolved arguments. */
struct fp_ins *fp_call_ins(struct fp_resolver *r, const struct fp_ast *call, enum fp_op op,
                           const struct fp_ins *input);

/* fold.c: a union of literals as one constant list; false when it is none, or there is no memory. */
bool fp_fold_union(struct fp_resolver *r, const struct fp_ast *ast, struct fp_code *out);
/* x in ('a' | 'b'), ('a' | 'b') contains x: looked up by the text; input is x then. */
void fp_fold_membership(struct fp_ins *ins);

/* once.c: what does not depend on the item at hand is worked out once; false: no memory. `whole`: all of its items are looked at, and
   not two at most, as where one is wanted. */
bool fp_keep_once(struct fp_resolver *r, struct fp_code *code, bool whole);

/* texts.c: the operands of one &, and of a.combine(b).combine(c) as one instruction with all their parts. */
bool fp_concat_part(struct fp_eval *e, const struct fp_ins *ins, const struct fp_ins *operand, struct str *out);
bool fp_fuse_combine(struct fp_resolver *r, struct fp_ins *ins);
bool fp_first_of_parts(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out);

/* types.c */
struct fp_static fp_static_unknown(void);
struct fp_static fp_static_kind(struct arena *arena, enum fp_kind kind);
struct fp_static fp_static_type(struct arena *arena, const struct def_type *type);
struct fp_static fp_static_spec(struct arena *arena, const struct fp_spec *spec);
struct fp_static fp_static_both(struct arena *arena, const struct fp_static *a, const struct fp_static *b);
struct fp_static fp_static_one(struct fp_static type);
/* Children of that name; false when no type that `of` may have knows the name. */
bool fp_static_child(struct arena *arena, const struct fp_static *of, struct str name, struct fp_static *out);
/* The one system kind that all its types have as value, FP_NODE when there are several or none. */
enum fp_kind fp_static_value_kind(const struct fp_static *type);
enum fp_kind fp_kind_of_type(const struct def_type *type);

/* --- evaluator --------------------------------------------------------------------------------------- */

/* Around an expression: $this, $index, $total. */
struct fp_scope {
  const struct fp_item *items;
  size_t count;
  size_t index;
  const struct fp_list *total;
};

struct fp_eval {
  const struct fp_program *program;
  const struct fp_run *run;
  struct arena *arena;
  struct fp_item *top, *limit; /* scratch for lists, newest segment */
  const struct fp_scope *scope;
  struct fp_once *once; /* one for each FP_OP_ONCE, when the first is met */
  size_t steps, max_steps, max_items;
  enum status status;
  bool have_now;
  bool mark_read;
  struct fp_scope outermost;
  struct fp_item focus; /* of a condition */
  struct fp_spill *spilled;    /* segments in the arena, newest first */
  struct fp_spill **spare;     /* those that nobody needs any more */
  struct fp_spill *own_spare;
  struct fp_item *scratch; /* the first segment */
  size_t all_steps;        /* of one evaluation; max_steps: and of what is left to this one */
  int64_t now_ms;
};

/* Appends; extends in place while the list is the newest in the scratch. */
bool fp_grow(struct fp_eval *e, struct fp_list *list);
/* Where the next item goes; it is written member by member, since copying an item that was just made waits for its stores. NULL: no room. */
static inline struct fp_item *fp_next(struct fp_eval *e, struct fp_list *list) {
  return list->count == list->room && !fp_grow(e, list) ? NULL : &list->items[list->count++];
}
static inline bool fp_push(struct fp_eval *e, struct fp_list *list, struct fp_item item) {
  struct fp_item *next = fp_next(e, list);
  if (next) *next = item;
  return next != NULL;
}
static inline bool fp_push_node(struct fp_eval *e, struct fp_list *list, struct tree_node *node) {
  struct fp_item *next = fp_next(e, list);
  if (!next) return false;
  next->kind = FP_NODE;
  next->node = node;
  return true;
}
static inline bool fp_push_boolean(struct fp_eval *e, struct fp_list *list, bool value) {
  struct fp_item *next = fp_next(e, list);
  if (!next) return false;
  next->kind = FP_BOOLEAN;
  next->boolean = value;
  return true;
}
static inline bool fp_push_integer(struct fp_eval *e, struct fp_list *list, int64_t value) {
  struct fp_item *next = fp_next(e, list);
  if (!next) return false;
  next->kind = FP_INTEGER;
  next->integer = value;
  return true;
}
static inline bool fp_push_string(struct fp_eval *e, struct fp_list *list, struct str value) {
  struct fp_item *next = fp_next(e, list);
  if (!next) return false;
  next->kind = FP_STRING;
  next->string = value;
  return true;
}
bool fp_push_decimal(struct fp_eval *e, struct fp_list *list, struct decimal value);
bool fp_push_quantity(struct fp_eval *e, struct fp_list *list, const struct fp_quantity *value);
bool fp_push_all(struct fp_eval *e, struct fp_list *list, const struct fp_list *from);

/* Scratch used since the mark is dead; what `keep` (may be NULL) holds stays. */
struct fp_mark {
  struct fp_item *top, *limit;
  struct fp_spill *spilled;
};
static inline struct fp_mark fp_mark(const struct fp_eval *e) {
  return (struct fp_mark){e->top, e->limit, e->spilled};
}
/* Segments that were begun since go back to the spare ones. */
void fp_give_back(struct fp_eval *e, struct fp_spill *until);
static inline void fp_release(struct fp_eval *e, struct fp_mark mark) {
  if (e->spilled != mark.spilled) fp_give_back(e, mark.spilled);
  e->top = mark.top;
  e->limit = mark.limit;
}

/* Diagnostic at the instruction; always false. */
bool fp_fail(struct fp_eval *e, const struct fp_ins *ins, enum diag_code code, const char *format, ...)
    __attribute__((format(printf, 4, 5))) FP_SELDOM;
/* The value goes on without it; the record gets a warning. */
void fp_warn(struct fp_eval *e, const struct fp_ins *ins, enum diag_code code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A function that takes one item was given more. */
bool fp_refuse_several(struct fp_eval *e, const struct fp_ins *call, size_t count) FP_SELDOM;
bool fp_nomem(struct fp_eval *e) FP_SELDOM;
bool fp_limit(struct fp_eval *e) FP_SELDOM;
static inline bool fp_count(struct fp_eval *e, size_t steps) {
  e->steps += steps;
  return e->steps <= e->max_steps ? true : fp_limit(e);
}

/* The result of an instruction as a list of its own (constants and $this are not copied: do not change it).
 */
bool fp_collect(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out);
/* Stops at `stop` items where it can. */
bool fp_collect_some(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out, size_t stop);
/* Singleton evaluation: 1 item, 0 none, -1 failed (several). */
int fp_single(struct fp_eval *e, const struct fp_ins *ins, struct fp_item *out);
/* The same of an iif() that has chosen `from`. */
int fp_single_of(struct fp_eval *e, const struct fp_ins *ins, const struct fp_ins *from, struct fp_item *out);
static inline enum fp_truth fp_test_ins(struct fp_eval *e, const struct fp_ins *ins) {
  return ins->test(e, ins);
}
/* Which argument of an iif() that begins an expression is its result; NULL: none. False: its condition failed. */
static inline bool fp_choose(struct fp_eval *e, const struct fp_ins *ins, const struct fp_ins **chosen) {
  enum fp_truth condition = fp_test_ins(e, ins->arguments[0]);
  *chosen = condition == FP_TRUE ? ins->arguments[1] : ins->argument_count == 3 ? ins->arguments[2] : NULL;
  return condition != FP_FAILED;
}
/* The instruction as a condition on one item, with $index. */
enum fp_truth fp_test_item(struct fp_eval *e, const struct fp_ins *ins, const struct fp_item *item,
                           size_t index);
/* A list as a condition. */
enum fp_truth fp_truth_of(struct fp_eval *e, const struct fp_ins *ins, const struct fp_list *list);
/* Runs it with $this = item; appends. */
bool fp_exec_item(struct fp_eval *e, const struct fp_ins *ins, const struct fp_item *item, size_t index,
                  const struct fp_list *total, struct fp_list *out);
int64_t fp_now_ms(struct fp_eval *e);

/* once.c: what an FP_OP_ONCE gave. */
struct fp_once {
  bool done;
  struct fp_list list;
  struct fp_item item; /* of a list of one */
};
/* NULL: it has not been worked out yet. */
static inline const struct fp_list *fp_once(const struct fp_eval *e, const struct fp_ins *ins) {
  return e->once && e->once[ins->number].done ? &e->once[ins->number].list : NULL;
}

/* lookup.c: items of a long list that pass a filter, without going through it. */
struct fp_looked {
  struct fp_lookup *lookup;
  const struct fp_spot *next;
};
/* When a filter has been added to a path: whether it is one of these. */
void fp_find_lookup(struct fp_ins *path);
/* 1: the items that pass are those that fp_next_looked gives; 0: the list has to be gone through; -1: it failed. */
int fp_look_up(struct fp_eval *e, const struct fp_ins *path, struct fp_looked *out);
int fp_next_looked(struct fp_eval *e, struct fp_looked *looked, struct fp_item *out);
bool fp_remember_list(struct fp_eval *e, const struct fp_ins *path, size_t items);

/* path.c */
bool fp_path(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out, size_t stop);
/* What a plain path from one node leads to, without a list: how many nodes, up to `stop`, and the first. It is given back in two
   registers, so the count says as well that it failed, or that it is no such path (or begins with several items, or a system value). */
struct fp_found {
  struct tree_node *first;
  size_t count;
};
#define FP_FIND_FAILED SIZE_MAX
#define FP_FIND_NOT_PLAIN (SIZE_MAX - 1)
static inline bool fp_was_found(struct fp_found found) {
  return found.count < FP_FIND_NOT_PLAIN;
}
static inline struct fp_found fp_find(struct fp_eval *e, const struct fp_ins *ins, size_t stop);
bool fp_children(struct fp_eval *e, struct tree_node *node, struct fp_list *out);
static inline bool fp_step_matches(uint32_t symbol, struct str name, const struct tree_node *node) {
  if (symbol && node->symbol) return symbol == node->symbol;
  return str_eq(node->name, name);
}
/* No child matches the step. (What tells the type of a resource has no symbol: such a step has none either.) */
static inline bool fp_step_lacks(uint32_t symbol, const struct tree_node *node) {
  return symbol && tree_lacks(node, symbol);
}
struct tree_node *fp_child(const struct tree_node *node, const char *name);
struct tree_node *fp_resource_of(struct tree_node *node);
/* A null without id or extension is no item. */
static inline bool fp_is_nothing(const struct tree_node *node) {
  return node->kind == TREE_NULL && !node->child;
}
/* A plain path from this node and step on, where fp_find does not go: names without symbols, several children, nulls. `gone`: so many steps
   are behind. */
struct fp_found fp_find_on(struct fp_eval *e, const struct fp_ins *ins, size_t gone, struct tree_node *node, size_t stop);
/* A node that has a child without a symbol lacks nothing, so far as is known: names have to be compared. */
static inline bool fp_has_symbols_only(const struct tree_node *node) {
  return node->lacks != 0;
}

/* The same from the root of what is evaluated. */
struct fp_found fp_find_in_resource(struct fp_eval *e, const struct fp_ins *ins, size_t stop);
/* A walk that has come to a node, or (NULL) found nothing, after so many steps. */
static inline struct fp_found fp_end_walk(struct fp_eval *e, struct tree_node *node, size_t steps) {
  struct fp_found found = {node, fp_count(e, steps) ? node != NULL : FP_FIND_FAILED};
  return found;
}

/* As long as each step leads to one child at most, which is the rule, by symbols alone. */
static inline struct fp_found fp_find(struct fp_eval *e, const struct fp_ins *ins, size_t stop) {
  const struct fp_item *items = e->scope->items;
  size_t count = e->scope->count, steps = ins->step_count;
  if (ins->plain == FP_PLAIN_VARIABLE) {
    const struct fp_list *list = e->run->variables;
    if (!list) return (struct fp_found){0};
    list += ins->number;
    items = list->items;
    count = list->count;
  } else if (ins->plain != FP_PLAIN_THIS) {
    return fp_find_in_resource(e, ins, stop);
  }
  if (count == 0) return (struct fp_found){0};
  if (count > 1 || items->kind != FP_NODE) return (struct fp_found){.count = FP_FIND_NOT_PLAIN};
  struct tree_node *node = items->node;
  for (size_t depth = 0; depth < steps; depth++) {
    uint32_t symbol = depth < FP_FIRST_SYMBOLS ? ins->symbols[depth] : 0;
    if (!symbol) return fp_find_on(e, ins, depth, node, stop);
    if (tree_lacks(node, symbol)) return fp_end_walk(e, NULL, depth + 1);
    struct tree_node *child = node->child;
    while (child && child->symbol != symbol)
      child = child->next;
    if (!child && fp_has_symbols_only(node)) return fp_end_walk(e, NULL, depth + 1);
    const struct tree_node *next = child ? child->next : NULL;
    if (!child || (next && (next->symbol == symbol || !next->symbol)) || child->kind == TREE_NULL)
      return fp_find_on(e, ins, depth, node, stop);
    if (e->mark_read) child->flags |= TREE_READ;
    node = child;
  }
  return fp_end_walk(e, node, steps);
}

/* --- values ------------------------------------------------------------------------------------------ */

/* The system value of an item, unboxed. kind FP_NODE: it has none (complex, or without a value). */
struct fp_value {
  enum fp_kind kind;
  union {
    bool boolean;
    int64_t integer;
    struct decimal decimal;
    struct str string;
    struct fp_quantity quantity;
    struct fp_type type;
  };
};
enum fp_kind fp_kind_of(const struct fp_item *item);
void fp_load(const struct fp_item *item, struct fp_value *out);
/* Whether its value is a String, and which; what nearly all values are. */
static inline bool fp_is_text_node(const struct tree_node *node) {
  enum { NO_TEXTS = 1u << DEF_P_NONE | 1u << DEF_P_DATE | 1u << DEF_P_DATETIME | 1u << DEF_P_INSTANT | 1u << DEF_P_TIME };
  if (node->kind != TREE_STRING) return false;
  if (!node->type || !(NO_TEXTS >> def_type_primitive(node_type(node)) & 1)) return true;
  struct fp_item item = {.kind = FP_NODE};
  memcpy(&item.node, &node, sizeof node);
  return fp_kind_of(&item) == FP_STRING;
}
static inline bool fp_string_of(const struct fp_item *item, struct str *out) {
  if (item->kind == FP_STRING) {
    *out = item->string;
    return true;
  }
  if (item->kind != FP_NODE || !fp_is_text_node(item->node)) return false;
  *out = item->node->text;
  return true;
}
/* The one item that an operand is, where nothing has to be worked out; NULL: it has to, or it is none or several. */
static inline const struct fp_item *fp_known_item(const struct fp_eval *e, const struct fp_ins *ins) {
  const struct fp_list *list = NULL;
  if (ins->op == FP_OP_CONST) return &ins->literal;
  if (ins->op == FP_OP_THIS) return e->scope->count == 1 ? e->scope->items : NULL;
  if (ins->op == FP_OP_VARIABLE && e->run->variables) list = &e->run->variables[ins->number];
  if (ins->op == FP_OP_ONCE) list = fp_once(e, ins);
  return list && list->count == 1 ? list->items : NULL;
}
/* Whether the child that a step names is that text; FP_FAILED: they are several, or no text, and have to be compared. */
static inline enum fp_truth fp_child_is(const struct fp_eval *e, const struct fp_step *step, const struct tree_node *of, struct str text) {
  if (fp_step_lacks(step->symbol, of)) return FP_UNKNOWN;
  struct tree_node *node = of->child;
  while (node && !fp_step_matches(step->symbol, step->name, node))
    node = node->next;
  if (!node) return FP_UNKNOWN;
  bool repeated = node->next && fp_step_matches(step->symbol, step->name, node->next);
  if (repeated || !fp_is_text_node(node)) return FP_FAILED;
  if (e->mark_read) node->flags |= TREE_READ;
  return str_eq(node->text, text) ? FP_TRUE : FP_FALSE;
}
bool fp_value_decimal(const struct fp_value *value, struct decimal *out);
bool fp_value_datetime(const struct fp_value *value, struct datetime *out);
static inline bool fp_is_date_kind(enum fp_kind kind) {
  return kind == FP_DATE || kind == FP_DATETIME || kind == FP_TIME;
}
bool fp_is_quantity_node(const struct tree_node *node);
bool fp_quantity_of_node(const struct tree_node *node, struct fp_quantity *out);
bool fp_value_item(struct fp_eval *e, const struct fp_value *value, struct fp_item *out);
/* Text of a value as toString() gives it. */
bool fp_value_text(struct fp_eval *e, const struct fp_value *value, struct str *out);
void fp_value_print(const struct fp_value *value, struct buf *out);
bool fp_take_buf(struct fp_eval *e, struct buf *buf, struct str *out);
struct fp_type fp_type_of(const struct fp_item *item);
bool fp_datetime_text(struct fp_eval *e, const struct datetime *value, struct str *out);

/* Arguments: 1 a value, 0 empty, -1 failed. */
int fp_argument(struct fp_eval *e, const struct fp_ins *call, size_t index, struct fp_value *out);
int fp_argument_string(struct fp_eval *e, const struct fp_ins *call, size_t index, struct str *out);
int fp_argument_integer(struct fp_eval *e, const struct fp_ins *call, size_t index, int64_t *out);
/* The input as a string, or a failure that names the function. */
bool fp_input_other(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct str *out,
                    bool *has);
static inline bool fp_input_string(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct str *out,
                                   bool *has) {
  *has = fp_string_of(&in->items[0], out);
  return *has || fp_input_other(e, call, in, out, has);
}
/* As fp_collect, with the first item in `slot` as long as there is one only: no list is made for it. Stops at `stop` items where it
   can. */
bool fp_collect_other(struct fp_eval *e, const struct fp_ins *ins, struct fp_item *slot, struct fp_list *out, size_t stop);
static inline bool fp_collect_at(struct fp_eval *e, const struct fp_ins *ins, struct fp_item *slot, struct fp_list *out,
                                 size_t stop) {
  if (ins->op == FP_OP_VARIABLE && e->run->variables) {
    *out = e->run->variables[ins->number];
    return true;
  }
  if (ins->op == FP_OP_THIS) {
    *out = (struct fp_list){.count = e->scope->count, .room = e->scope->count};
    memcpy(&out->items, &e->scope->items, sizeof out->items);
    return true;
  }
  if (ins->op > FP_OP_PATH) { /* all that is computed */
    *out = (struct fp_list){slot, 0, 1};
    return ins->exec(e, ins, out);
  }
  struct fp_found found = {.count = FP_FIND_NOT_PLAIN};
  if (ins->plain) found = fp_find(e, ins, 2);
  if (found.count > 1) return found.count != FP_FIND_FAILED && fp_collect_other(e, ins, slot, out, stop);
  *out = (struct fp_list){slot, found.count, 1};
  slot->kind = FP_NODE;
  slot->node = found.first;
  return true;
}

/* equal.c: FP_FAILED when a limit was hit */
enum fp_truth fp_equal(struct fp_eval *e, const struct fp_item *a, const struct fp_item *b);
enum fp_truth fp_equivalent(struct fp_eval *e, const struct fp_item *a, const struct fp_item *b);
enum fp_truth fp_lists_equal(struct fp_eval *e, const struct fp_list *a, const struct fp_list *b);
enum fp_truth fp_lists_equivalent(struct fp_eval *e, const struct fp_list *a, const struct fp_list *b);
bool fp_contains_item(struct fp_eval *e, const struct fp_list *list, const struct fp_item *item, bool *found);
/* set.c: a list without duplicates; begin with {0}, or with a list that is only asked. */
struct fp_set {
  struct fp_list list;
  uint32_t *slots;
  size_t slot_count;
  bool linear;
};
bool fp_set_has(struct fp_eval *e, struct fp_set *set, const struct fp_item *item, bool *found);
bool fp_set_add(struct fp_eval *e, struct fp_set *set, const struct fp_item *item, bool *added);
bool fp_distinct(struct fp_eval *e, const struct fp_list *in, struct fp_list *out);

/* compare.c: 2 unknown (empty), 3 failed, else -1, 0, 1 */
enum { FP_ORDER_UNKNOWN = 2, FP_ORDER_FAILED = 3 };
int fp_compare(struct fp_eval *e, const struct fp_ins *ins, const struct fp_value *a,
               const struct fp_value *b);

/* arith.c: empty result: *has false */
bool fp_arithmetic(struct fp_eval *e, const struct fp_ins *ins, enum fp_op op, const struct fp_value *a,
                   const struct fp_value *b, struct fp_value *out, bool *has);

/* quantity.c */
bool fp_quantity_parse(struct str text, struct fp_quantity *out);
/* The value in another unit; false when they do not fit. */
bool fp_quantity_convert(const struct definitions *units, const struct fp_quantity *from, struct str unit,
                         bool calendar, struct decimal *out);
/* Both values in the finer of both units (*finer is 0 or 1), for comparing and adding; false when they do not
   fit. Equivalence lets 1 year and 1 'a' fit. */
bool fp_quantity_align(const struct definitions *units, const struct fp_quantity *a,
                       const struct fp_quantity *b, bool equivalence, struct decimal *left,
                       struct decimal *right, int *finer);
/* Product or quotient; false when the units do not allow it. */
bool fp_quantity_multiply(const struct fp_eval *e, const struct fp_quantity *a, const struct fp_quantity *b,
                          bool divide, struct fp_quantity *out);
void fp_quantity_print(const struct fp_quantity *quantity, struct buf *out);
/* Unit of time of a quantity; *definite: a UCUM unit, not a calendar word. */
bool fp_datetime_unit(const struct fp_quantity *quantity, enum datetime_unit *out, bool *definite);

/* ucum.c: a unit as ratio and dimensions; special units have a scale of their own. */
enum fp_special {
  FP_SPECIAL_NONE,
  FP_SPECIAL_CEL,
  FP_SPECIAL_DEGF,
  FP_SPECIAL_DEGRE,
  FP_SPECIAL_OTHER /* logarithms and the like: fit only themselves */
};
struct fp_unit {
  struct def_ratio ratio; /* of a special unit: in its own scale */
  int16_t dimension[DEF_DIMENSIONS];
  uint64_t arbitrary; /* 0, or which arbitrary or special units it is made of */
  enum fp_special special;
};
/* False when the code is not UCUM. units NULL or without a table: the few units of units.def are known. */
bool fp_unit_parse(const struct definitions *units, struct str code, struct fp_unit *out);
bool fp_units_fit(const struct fp_unit *a, const struct fp_unit *b);
bool fp_unit_is_one(const struct fp_unit *unit);
/* ucum_common.c: in the pack's table, or without one in units.def */
bool fp_unit_find(const struct definitions *units, struct str code, struct def_unit *out);
bool fp_prefix_find(const struct definitions *units, struct str code, struct def_ratio *out);
/* ucum_convert.c */
bool fp_unit_convert(struct decimal value, const struct fp_unit *from, const struct fp_unit *to,
                     struct decimal *out);

/* regex.c */
void *fp_regex_compile(struct arena *arena, struct str pattern, struct str flags, bool full,
                       const char **problem);
/* `simple`: with an automaton beside it where that can be. */
bool fp_regex_constant(struct arena *arena, struct fp_ins *call, bool simple, const char **problem);
/* dfa.c: *out is NULL for a pattern that is not simple enough; false: no memory. */
struct fp_dfa;
bool fp_dfa_compile(struct arena *arena, struct str pattern, const struct fp_dfa **out);
/* Whether it matches, as PCRE2 says it; -1: the text is not for this. */
int fp_dfa_match(const struct fp_dfa *dfa, struct str text);
/* A call of matches() whose pattern is constant as a condition. */
void fp_fuse_matches(struct fp_ins *call);
bool fp_change_case(struct fp_eval *e, const struct fp_ins *ins, struct str text, bool upper,
                    struct str *out);

#endif
