/*
 * internal.h - private parts of the mapping stage: syntax tree, compiled program, loaded set.
 *
 * The way of a map: text -> tokens (lex.c) -> syntax tree (parse*.c) -> resolved against its neighbours
 * (link.c) -> typed and compiled (compile*.c) -> run (run.c, target.c, transform.c). The short form of this
 * stage's symbols is fml_.
 */
#ifndef KETLINK_MAPPING_INTERNAL_H
#define KETLINK_MAPPING_INTERNAL_H

#include "mapping/mapping.h"

/* What tells of faults and traces, and what few rules need, stands in functions of their own: the others are smaller, and quicker. */
#define FML_APART __attribute__((noinline))
#define FML_SELDOM __attribute__((noinline, cold))
#define FML_WITHIN inline __attribute__((always_inline))
/* For variables that are always written before they are read: the build would fill them with zeros first. */
#if defined(__clang__) || __GNUC__ >= 12
#define FML_UNINITIALIZED __attribute__((uninitialized))
#else
#define FML_UNINITIALIZED
#endif

/* --- tokens ----------------------------------------------------------------------------------------------
 */

enum fml_token_kind {
  FML_END,
  FML_NAME,
  FML_DELIMITED, /* `name` */
  FML_STRING,    /* 'text' */
  FML_QUOTED,    /* "text" */
  FML_NUMBER,
  FML_DATE, /* @2026-01-31 */
  FML_META, /* a whole line that starts with /// */
  FML_SYMBOL,
  FML_BAD
};

/* Symbols of two characters. */
#define FML_PAIR(a, b) ((unsigned)(a) | (unsigned)(b) << 8)
enum {
  FML_ARROW = FML_PAIR('-', '>'),
  FML_DOTS = FML_PAIR('.', '.'),
  FML_OPEN_TYPES = FML_PAIR('<', '<'),
  FML_CLOSE_TYPES = FML_PAIR('>', '>')
};

struct fml_token {
  enum fml_token_kind kind;
  unsigned symbol; /* of FML_SYMBOL: the character, or FML_PAIR */
  uint32_t at, end;
  struct str text; /* without quotes, escapes not decoded */
};

struct fml_lexer {
  const struct source *source;
  size_t at;
  bool header;       /* `///` is metadata; later it is a comment */
  const char *fault; /* why a token is FML_BAD */
};
struct fml_token fml_next(struct fml_lexer *lexer);
/* Escapes of a string decoded; the text itself where there are none. ptr NULL when the arena is full. */
struct str fml_unescape(struct arena *arena, struct str raw);

/* --- syntax tree -----------------------------------------------------------------------------------------
 */

struct ast_name {
  struct str text;
  uint32_t at;
};

/* A FHIRPath expression in the map's text; from == to: absent. */
struct ast_range {
  uint32_t from, to;
};

enum ast_arg_kind {
  AST_VARIABLE,
  AST_STRING,
  AST_INTEGER,
  AST_DECIMAL,
  AST_BOOLEAN,
  AST_DATE,
  AST_EXPRESSION
};
struct ast_arg {
  struct ast_arg *next;
  enum ast_arg_kind kind;
  struct str text;
  uint32_t at;
  struct ast_range range;
};

struct ast_step {
  struct ast_step *next;
  struct ast_name name;
};

enum ast_source_mode { AST_ALL, AST_FIRST, AST_NOT_FIRST, AST_LAST, AST_NOT_LAST, AST_ONLY_ONE };
struct ast_source {
  struct ast_source *next;
  struct ast_name context;
  struct ast_step *path;
  struct ast_name type, alias;
  bool has_cardinality;
  uint32_t min, max; /* max DEF_UNBOUNDED for * */
  struct ast_range fallback, where, check, log;
  uint32_t mark; /* of coverage: FML_WHERE_TRUE … */
  enum ast_source_mode mode;
};

enum ast_target_mode { AST_ADD, AST_TARGET_FIRST, AST_TARGET_LAST, AST_SHARE, AST_SINGLE };
struct ast_target {
  struct ast_target *next;
  uint32_t at;
  struct ast_name context; /* empty: no place, the value is only named */
  struct ast_step *path;
  struct ast_name transform; /* name of the transform; empty with `args` NULL: none */
  bool has_value;            /* something stands after `=`, or a bare transform */
  struct ast_arg *args;
  size_t arg_count;
  struct ast_name alias, share;
  enum ast_target_mode mode;
  uint32_t mark; /* of coverage: something was written */
};

struct ast_call {
  struct ast_call *next;
  struct ast_name name;
  struct ast_arg *args;
  size_t arg_count;
};

struct ast_rule {
  struct ast_rule *next;
  uint32_t at;
  struct ast_name name;
  struct ast_source *sources;
  struct ast_target *targets;
  size_t source_count, target_count;
  struct ast_call *calls;
  struct ast_rule *rules;
  uint32_t mark; /* of coverage: FML_REACHED, FML_FIRED */
  bool simple;   /* src.a -> tgt.b */
};

struct ast_param {
  struct ast_param *next;
  struct ast_name name, type;
  bool is_target;
};

enum ast_type_mode { AST_NO_TYPES, AST_TYPES, AST_TYPE_PLUS };
struct ast_group {
  struct ast_group *next;
  struct mapping_map *map;
  struct ast_name name, parent;
  struct ast_param *params;
  size_t param_count;
  enum ast_type_mode type_mode;
  struct ast_rule *rules;
  uint32_t mark;     /* of coverage: called */
  bool instantiated; /* some call, or the start, reaches it */
  struct prog_group *instances;
};

struct ast_uses {
  struct ast_uses *next;
  struct ast_name url, alias;
  bool is_target;
  bool is_helper; /* queried or produced, not the main source or target */
  const struct def_type *type;
};

struct ast_import {
  struct ast_import *next;
  struct ast_name url;
};

struct ast_constant {
  struct ast_constant *next;
  struct ast_name name;
  struct ast_range value;
};

/* --- concept maps ----------------------------------------------------------------------------------------
 */

struct concept_target {
  struct concept_target *next;
  struct str system, code, display, equivalence;
};
struct concept_row {
  struct concept_row *next; /* same code, another group */
  struct str source_system;
  const struct source *source; /* where it stands: its map's, or that of a supplement */
  uint32_t at, mark; /* there; of coverage: used */
  struct concept_target *targets;
};
enum concept_unmapped { CONCEPT_NONE, CONCEPT_PROVIDED, CONCEPT_FIXED, CONCEPT_OTHER };
struct concept_group {
  struct concept_group *next;
  struct str source, target;
  enum concept_unmapped unmapped;
  struct str code, display, other;
  uint32_t at, mark; /* of its rule for what is not mapped */
};
struct concept_map {
  struct str url, id;
  struct str supplements; /* URL of the ConceptMap that it adds rows to; empty: none */
  size_t unfinished;      /* rows that are still to be filled in; they stand in no table */
  struct concept_group *groups, *last_group;
  struct map rows; /* code -> struct concept_row */
  const struct source *source;
  struct concept_map *next_inline;
};
struct concept_map *fml_concept_new(struct arena *arena, struct str url);
struct concept_group *fml_concept_group(struct concept_map *map, struct arena *arena, struct str source,
                                        struct str target);
bool fml_concept_add(struct concept_map *map, struct arena *arena, const struct concept_group *group,
                     struct str code, uint32_t at, struct concept_target *target);
/* Reads ConceptMap JSON (R4; R5's `relationship` is understood too) into the set. */
enum status fml_concept_read(struct mapping_set *set, const struct source *source, struct tree_node *root,
                             struct diag_list *diags);
/* One that a StructureMap contains: known by its id, to this map only. */
enum status fml_concept_read_inline(struct mapping_set *set, struct mapping_map *map, struct tree_node *root,
                                    struct diag_list *diags);
/* What a ConceptMap says that it adds to; empty: nothing. */
struct str fml_concept_supplements(const struct tree_node *root);
/* Brings the rows of supplements to the ConceptMaps that they add to. NOMEM, or OK with diagnostics. */
enum status fml_concept_supplement(struct mapping_set *set, struct diag_list *diags) MUST_USE;
/* Other maps that unmapped rules name must be there. */
void fml_concept_check(const struct mapping_set *set, struct diag_list *diags);

struct concept_lookup {
  struct str system, code;      /* system empty: any */
  bool known;                   /* a row or an unmapped rule speaks of the code */
  uint32_t mark;                /* of the row or rule that spoke */
  struct concept_target answer; /* of an unmapped rule */
};
/* First usable target, or NULL; it may stand in the lookup. */
const struct concept_target *fml_concept_find(const struct mapping_set *set, const struct concept_map *map,
                                              struct concept_lookup *lookup);
bool fml_concept_usable(const struct concept_target *target);

/* --- loaded maps -----------------------------------------------------------------------------------------
 */

struct mapping_map {
  struct source source;
  struct str url, name, title, status, file;
  struct ast_uses *uses;
  struct ast_import *imports;
  struct ast_constant *constants;
  size_t constant_count;
  struct concept_map *concept_maps;
  struct ast_group *groups;
  struct map group_names;           /* name -> struct ast_group */
  struct mapping_map **import_list; /* resolved */
  size_t import_count;
  bool wanted; /* a root reaches it */
  bool whole;  /* its text was read to the end, not only its head */
  struct prog_group *entry; /* first group, compiled */
  struct prog_expr **constant_values;
  size_t first_constant; /* index of the map's first constant among all of the set */
  uint32_t header_at;
};

/* Types and elements that transforms write. */
struct fml_kit {
  const struct def_type *coding, *concept_, *quantity, *identifier, *contact, *string, *resource, *boolean;
  const struct def_element *coding_system, *coding_code, *coding_display;
  const struct def_element *concept_coding, *concept_text;
  const struct def_element *quantity_value, *quantity_comparator, *quantity_unit, *quantity_system,
      *quantity_code;
  const struct def_element *identifier_system, *identifier_value, *identifier_type;
  const struct def_element *contact_system, *contact_value;
  uint32_t symbol_id, symbol_system, symbol_code, symbol_coding, symbol_value;
};

struct mapping_set {
  struct arena *arena;
  const struct definitions *definitions;
  const struct host *host;
  struct mapping_map **maps;
  size_t map_count, map_room;
  struct map by_url, by_name, by_file;
  struct map concept_maps;
  struct fml_kit kit;
  struct prog_group *instances, *last_instance;
  size_t instance_count;
  size_t constant_count;
  uint32_t mark_count;
  bool unfused; /* see struct mapping_load */
};

/* False, and a diagnostic, for a map's text that is not UTF-8 or has U+0000. */
bool fml_check_bytes(const struct source *source, struct diag_list *diags);
/* Makes the syntax tree of one map; faults are diagnostics, what could be read stays. */
enum status fml_parse(struct mapping_set *set, struct mapping_map *map, struct diag_list *diags);
/* Of what stands before its groups: enough to know its name by, and whether somebody imports it. */
enum status fml_parse_head(struct mapping_set *set, struct mapping_map *map, struct diag_list *diags);
/* Reads the maps that the roots reach to the end; the others are no maps of the set any more (reach.c). */
enum status fml_reach(struct mapping_set *set, const struct mapping_load *load, struct diag_list *diags);
/* By URL, name or file, also one of which only the head was read. */
struct mapping_map *fml_find_named(const struct mapping_set *set, struct str name);
/* "http://…/StructureMap/cda-*": everything before and after the star. */
bool fml_import_matches(struct str mask, struct str url);
/* The same of a StructureMap resource; `root` is raw, its text is the map's. */
enum status fml_read_resource(struct mapping_set *set, struct mapping_map *map, struct tree_node *root,
                              struct diag_list *diags);
/* What stands in StructureMap for things that have no element there. */
#define FML_AUTO_VARIABLE "vvv" /* variable of the short form src.a -> tgt.b, as HL7's tools write it */
#define FML_CONST_EXTENSION "http://hl7.org/fhir/5.0/StructureDefinition/extension-StructureMap.const"
#define FML_DEFAULT_EXTENSION "http://ketlink.dev/fhir/StructureDefinition/default-expression"
/* Without a name of its own a rule is called after its first source. */
struct ast_name fml_default_name(const struct ast_rule *rule);
/* Resolves imports and names of maps; then compiles every group. */
enum status fml_link(struct mapping_set *set, struct arena *scratch, struct diag_list *diags);

/* --- compiled program ------------------------------------------------------------------------------------
 */

/* What is known of a value before any data flows. */
struct fml_type {
  const struct def_type *type;      /* NULL: not known, or several */
  const struct def_element *choice; /* several: the element whose types they are */
};

struct prog_expr {
  struct fp_program *program;
  struct str text;
  uint32_t at;
};

struct prog_step {
  const struct def_element *element; /* NULL: by symbol while running */
  const struct def_type *type;       /* of what is made there; NULL: by the value */
  const struct def_type *only;       /* name like valueQuantity: items of this type */
  uint32_t symbol;
  bool is_list;
  bool is_value;                 /* the value of a primitive */
  const struct tree_node *stamp; /* of a target: what is made there, when that is known and can be copied */
};

/* What stands first is what most runs look at, in one line of the processor's cache; so with targets and rules. */
struct prog_source {
  int context, out; /* slots; out -1: not named */
  bool plain;       /* every item of the path counts: no type, condition, default, list mode … */
  bool simple;      /* nothing but a condition, on the context or a child of it: see only_item */
  uint32_t symbol;  /* of that child; 0: the context, or it is not simple */
  uint32_t step_count;
  struct prog_expr *where;
  struct prog_step *steps;
  const struct ast_source *ast;
  const struct def_type *type;
  struct prog_expr *fallback, *check, *log;
};

enum prog_op {
  PROG_MAKE,
  PROG_CREATE,
  PROG_AUTO, /* simple form */
  PROG_COPY,
  PROG_LITERAL,
  PROG_EVALUATE,
  PROG_TRUNCATE,
  PROG_ESCAPE,
  PROG_CAST,
  PROG_APPEND,
  PROG_TRANSLATE,
  PROG_REFERENCE,
  PROG_DATEOP,
  PROG_UUID,
  PROG_POINTER,
  PROG_CC,
  PROG_C,
  PROG_QTY,
  PROG_ID,
  PROG_CP
};

enum prog_output { OUTPUT_CODING, OUTPUT_CODE, OUTPUT_CONCEPT, OUTPUT_SYSTEM, OUTPUT_DISPLAY };

struct prog_arg {
  int slot; /* -1: a literal */
  enum fp_kind kind;
  struct str text;
};

/* Which way a target takes: what is prepared when the map is loaded takes a short one, WAY_READY where the stamp is all there is to it,
   WAY_AGAIN where it is used unless the element is there. */
enum prog_way { WAY_READY, WAY_AGAIN, WAY_DIRECT, WAY_MAKE, WAY_BUILD, WAY_EVALUATE, WAY_TRANSFORM };

/* How a complex value of type `source` becomes one of type `target`. */
struct prog_case {
  const struct def_type *source, *target;
  struct prog_group *group; /* NULL: copied */
};

struct prog_target {
  enum prog_way way;
  int context, out, share;       /* slots, -1: none */
  bool again;                    /* what is there already is taken */
  uint32_t step_count;
  const struct tree_node *stamp; /* of the last step; of a literal that fits, with its text: WAY_READY */
  enum def_primitive primitive;  /* of the type */
  uint32_t case_count;
  const struct def_type *type; /* of the value made, when known */
  enum prog_op op;
  int focus; /* slot of evaluate's first argument, and of what WAY_DIRECT copies; -1: none */
  struct prog_expr *expr;
  /* --- the next line */
  struct prog_arg *args;
  struct prog_step *steps;
  uint32_t arg_count;
  enum prog_output output;
  const struct ast_target *ast;
  const struct def_type *cast; /* checked against, when it is not the type written */
  struct prog_case *cases;
  union {
    const struct concept_map *concept_map;
    const struct str *display; /* cc and c with literals: found when loaded; NULL: none */
  };
  uint64_t spare;
};
_Static_assert(offsetof(struct prog_target, args) == ARENA_LINE, "of a target the first line tells what is to be done");
_Static_assert(sizeof(struct prog_target) == 2 * ARENA_LINE, "a target fills its lines");

struct prog_call {
  const struct ast_call *ast;
  struct prog_group *group;
  const int *slots; /* of the arguments; -1: a literal */
  struct prog_arg *args;
};

/* Rules of a list that ask for the text of one variable: see choice.c. */
enum { FML_CHOICE_RULES = 64 };
struct prog_choice {
  int slot;
  uint64_t asks;     /* these rules, by their place in the list */
  uint64_t other;    /* those of them that may hold for a text that none names */
  struct map texts;  /* text -> uint64_t, those that may hold for it */
};

/* What few lists have. */
struct prog_beside {
  int *shared; /* slots emptied when the list starts */
  size_t shared_count;
  const struct prog_choice *choice; /* NULL: each rule is asked */
};

struct prog_rules {
  struct prog_rule *rules;
  size_t count;
  const struct prog_beside *beside; /* NULL: nothing */
};

struct prog_rule {
  struct prog_source *sources; /* one: it stands below */
  struct prog_target *targets;
  struct prog_call *calls;
  uint32_t source_count, target_count, call_count;
  struct prog_rules rules;
  struct prog_source source;
  const struct ast_rule *ast;
  const struct mapping_map *map;
  uint64_t spare[4];
};
_Static_assert(offsetof(struct prog_rule, source) == ARENA_LINE, "of a rule the first line tells what is to be done");
_Static_assert(sizeof(struct prog_rule) % ARENA_LINE == 0, "a rule fills its lines");

/* One group, compiled for the types of its arguments: an untyped parameter takes the caller's type. */
struct prog_group {
  struct prog_group *next, *next_of_group;
  const struct ast_group *ast;
  const struct mapping_map *map;
  struct fml_type *params;
  bool *is_target; /* by parameter */
  size_t param_count;
  struct prog_group *parent;
  struct prog_rules rules;
  size_t slot_count;
  size_t constant_slot; /* first slot of the map's constants */
  bool compiled;
};

/* --- compiling -------------------------------------------------------------------------------------------
 */

struct fml_binding {
  struct str name;
  bool is_target, is_shared, hidden;
  struct fml_type type;
  uint32_t scope; /* depth; shared slots belong to a scope */
};

/* An expression that failed for one instance of its group is not tried again for another. */
struct fml_bad_expr {
  struct fml_bad_expr *next;
  const struct mapping_map *map;
  uint32_t at;
};

struct fml_compiler {
  struct mapping_set *set;
  struct arena *scratch; /* of expressions that are being compiled */
  struct diag_list *diags;
  struct map reported;           /* "file:offset:code" */
  struct fml_bad_expr *bad;      /* expressions that failed to compile */
  const struct mapping_map *map; /* of the group at hand */
  struct prog_group *group;
  struct fml_binding *bindings; /* index = slot */
  size_t binding_count, binding_room;
  struct fp_variable *variables; /* room for binding_room, filled for each expression */
  struct prog_rules *scope;      /* rule list at hand */
  uint32_t depth;
  bool nomem;
};

/* mapping_load in this arena, which then belongs to the set; tests let its allocations fail. */
enum status fml_load(struct arena *arena, const struct mapping_load *load, struct diag_list *diags,
                     struct mapping_set **out);

/* One fault, once: group instances share their text. */
void fml_fault(struct fml_compiler *c, enum diag_code code, uint32_t at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* "; did you mean 'x'?" or nothing. */
struct str fml_hint(struct arena *arena, struct str nearest);
const struct def_type *fml_resolve_type(const struct mapping_set *set, const struct mapping_map *map,
                                        struct str name);
struct ast_group *fml_find_group(struct fml_compiler *c, const struct mapping_map *map, struct ast_name name);
/* Default group for two types; NULL when there is none. `target` NULL: a <<type+>> group by source alone. */
struct ast_group *fml_default_group(struct fml_compiler *c, const struct mapping_map *map,
                                    const struct def_type *source, const struct def_type *target,
                                    uint32_t at);
/* The group compiled for these types of arguments; it is queued for fml_compile_pending when it is new. */
struct prog_group *fml_instance(struct fml_compiler *c, struct ast_group *group,
                                const struct fml_type *params);
void fml_compile_pending(struct fml_compiler *c);
void fml_compile_constants(struct fml_compiler *c, struct mapping_map *map);
/* Slot of a visible variable, or -1. is_target 0: source, 1: target, -1: a source, else a target. */
int fml_lookup(const struct fml_compiler *c, struct str name, int is_target);
struct str fml_nearest_variable(struct fml_compiler *c, struct str name);
int fml_bind(struct fml_compiler *c, struct str name, bool is_target, struct fml_type type);
struct prog_expr *fml_expr(struct fml_compiler *c, struct ast_range range, const struct fml_type *focus);
bool fml_compile_steps(struct fml_compiler *c, const struct ast_step *path, struct fml_type *type,
                       struct prog_step **steps, uint32_t *count);
void fml_compile_target(struct fml_compiler *c, const struct ast_rule *ast_rule, const struct prog_rule *rule,
                        const struct ast_target *ast, struct prog_target *out);
/* choice.c: once the rules are compiled; *out stays NULL when none are prepared. False: no memory. */
bool fml_prepare_choice(struct arena *arena, const struct prog_rules *rules, const struct prog_choice **out);
/* Slot of a variable; a fault when there is none. is_target as in fml_lookup. */
int fml_want_variable(struct fml_compiler *c, const struct ast_name *name, int is_target);
struct fml_type fml_type_of(const struct def_type *type);
/* Can a primitive text of `from` stand where `to` is asked for? */
enum fml_fit { FML_FIT, FML_FIT_CHECKED, FML_NO_FIT };
enum fml_fit fml_primitive_fit(enum def_primitive from, enum def_primitive to);
bool fml_lexical(enum def_primitive primitive, struct str text);
enum def_primitive fml_primitive_of(const struct def_type *type);
bool fml_is_primitive(const struct def_type *type);
/* The type among a choice that a system value of this kind takes; NULL: none. */
const struct def_type *fml_choose(const struct def_element *choice, enum def_primitive primitive);
bool fml_unit(struct str word, enum datetime_unit *unit);
struct str fml_type_label(struct arena *arena, struct fml_type type);

/* --- coverage --------------------------------------------------------------------------------------------
 */

/* What is counted of a rule and of a source, from its mark on. */
enum { FML_REACHED, FML_FIRED, FML_RULE_MARKS };
enum { FML_WHERE_TRUE, FML_WHERE_FALSE, FML_DEFAULT_USED, FML_DEFAULT_UNUSED, FML_SOURCE_MARKS };
/* Numbers everything that is counted; once, when all is loaded. */
void fml_number(struct mapping_set *set);

struct fml_value_seen {
  struct str file;
  struct source_position position;
  size_t count, read;
};
struct fml_type_seen {
  const struct def_type *type;
  struct str label; /* profile it was asked for by, or empty */
  bool *written;    /* by index of element */
};
struct mapping_coverage {
  const struct mapping_set *set;
  struct arena *arena;
  uint32_t *hits;
  struct map values;   /* plain path -> struct fml_value_seen */
  struct map models;   /* name -> struct def_type, of the sources */
  struct map types;    /* profile and name -> struct fml_type_seen */
  struct map profiles; /* not known */
};

/* --- running ---------------------------------------------------------------------------------------------
 */

struct fml_frame {
  struct fp_item *items; /* one per slot */
  struct fp_list *lists; /* lists[i].items == &items[i]; count 0: unset */
};

/* Slots of the frames in use, one above the other; what one piece cannot hold goes to the next. */
struct fml_slots {
  struct fml_slots *next;
  struct fp_item *items;
  struct fp_list *lists;
  size_t used, ready, room; /* ready: lists that point to their items */
};

struct fml_run {
  const struct mapping_set *set;
  const struct mapping_run *params;
  struct arena *arena;
  struct diag_list *diags;
  struct fp_run fp;
  void *matching; /* of fp */
  struct fp_kept *kept;            /* of fp */
  struct fp_known_time known_time; /* of fp */
  struct fp_lookups lookups;       /* of fp, in the source */
  const struct prog_expr *expr;    /* that was evaluated last, and its node: where its diagnostics point */
  const struct tree_node *expr_node;
  struct fml_slots *slots;
  size_t depth, max_depth;
  size_t nesting; /* of rules, for the trace */
  size_t steps, max_steps;
  struct fp_item *stack; /* items of the sources being worked on */
  size_t stack_count, stack_room;
  struct fp_list *constants; /* evaluated when first used */
  bool *constants_done;
  const struct prog_rule *rule; /* at hand, for messages */
  struct tree_node *focus;      /* source item at hand */
  struct tree_node *source, *target;
  uint32_t *hits; /* coverage, or NULL */
  bool watched;   /* by coverage or a trace */
  bool failed;    /* some rule could not be executed */
  bool nomem;
};

/* What was looked up last in a list. */
struct fml_chosen {
  struct str text;
  uint64_t may;
};
/* Rules that may hold, by their place in the list; those that ask nothing are among them. */
uint64_t fml_may_hold(const struct prog_choice *choice, const struct fml_frame *frame, struct fml_chosen *last);

/* What a transform gives. */
struct fml_value {
  bool present;
  struct fp_item item;
  const struct def_type *type; /* FHIR type of a text, when known */
  struct tree_node *origin;    /* the source node it came from */
};

/* A rule that failed on this data: diagnostic with the source's position; the run goes on. */
void fml_failed(struct fml_run *run, enum diag_code code, const struct tree_node *node, const char *format,
                ...) __attribute__((format(printf, 4, 5), cold));
/* Whether a node stands in the tree that is mapped, not in one that a map made. */
bool fml_is_source(const struct fml_run *run, const struct tree_node *node);
void fml_warn(struct fml_run *run, enum diag_code code, const struct tree_node *node, const char *format, ...)
    __attribute__((format(printf, 4, 5), cold));
void fml_trace(const struct fml_run *run, enum mapping_event event, uint32_t at, struct str detail,
               const struct tree_node *target) __attribute__((cold));
static inline void fml_hit(const struct fml_run *run, uint32_t mark) {
  if (run->hits) run->hits[mark]++;
}
static inline void fml_set_slot(struct fml_frame *frame, int slot, const struct fp_item *item) {
  if (slot < 0) return;
  frame->lists[slot].count = item ? 1 : 0;
  if (item) frame->items[slot] = *item;
}
/* Member by member: copying an item that was just made waits for its stores. */
static inline void fml_set_node(struct fml_frame *frame, int slot, struct tree_node *node) {
  if (slot < 0) return;
  frame->lists[slot].count = 1;
  frame->items[slot].kind = FP_NODE;
  frame->items[slot].node = node;
}
static inline void fml_put_slot(struct fml_frame *frame, int slot, const struct fp_item *item) {
  if (item->kind == FP_NODE)
    fml_set_node(frame, slot, item->node);
  else
    fml_set_slot(frame, slot, item);
}
/* `direct`: the arguments themselves; NULL: the first slots of the caller. */
enum status fml_run_group(struct fml_run *run, const struct prog_group *group, struct fml_frame *caller,
                          const struct fp_item *direct);
enum status fml_run_targets(struct fml_run *run, struct fml_frame *frame, const struct prog_target *targets, size_t count);
/* One, and it is told and counted what is written. */
enum status fml_run_target_watched(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target);
enum status fml_transform(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target,
                          struct fml_value *out);
/* Complex values that transforms build: a node without a parent. */
enum status fml_build(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target,
                      struct tree_node **out);
/* The concept map of a translate; NULL with a diagnostic when it is not there. */
const struct concept_map *fml_concept_map(struct fml_run *run, struct fml_frame *frame,
                                          const struct prog_target *target);
/* First usable target of the source's code, or NULL; a warning when no row speaks of the code. */
const struct concept_target *fml_translate(struct fml_run *run, struct fml_frame *frame,
                                           const struct prog_target *target, struct tree_node **origin,
                                           struct concept_lookup *lookup);
/* Text of a primitive item; false when it is none, or memory is out (run->nomem). */
bool fml_item_text(struct fml_run *run, const struct fp_item *item, struct str *text);
/* Text of an argument; false when it has no value or is no primitive. */
bool fml_argument(struct fml_run *run, const struct fml_frame *frame, const struct prog_arg *arg,
                  struct str *text, struct tree_node **origin);
struct tree_node *fml_set_text(struct fml_run *run, struct tree_node *parent,
                               const struct def_element *element, struct str text,
                               const struct tree_node *origin);
enum status fml_eval(struct fml_run *run, struct fml_frame *frame, const struct prog_expr *expr,
                     const struct fp_item *focus, struct fp_list *out);
/* The same where one item is wanted; *count tells how many there are. */
enum status fml_eval_one(struct fml_run *run, struct fml_frame *frame, const struct prog_expr *expr,
                         const struct fp_item *focus, struct fp_item *out, size_t *count);
/* *count: how many there are, 0 or 1 for who is told OK. */
enum status fml_evaluate(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target, struct fp_item *out, size_t *count);
void fml_mark_below(struct tree_node *node);

/* --- what no rule read (unread.c, unread_message.c) --- */
struct fml_unread {
  struct str path;
  const struct tree_node *first;
  size_t count;
  bool part_read;
};
bool fml_any_read(const struct tree_node *node);
size_t fml_count_leaves(const struct tree_node *node);
/* A message of HL7 version 2: its models are named V2_ADT_A01, V2_PID. */
bool fml_is_message(const struct tree_node *source);
void fml_report_message(const struct tree_node *source, const struct mapping_run *run);

#endif
