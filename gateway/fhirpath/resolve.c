/* resolve.c - syntax tree to instructions: paths, variables, types; every name is looked up here, once. */
#include "fhirpath/internal.h"

/* --- helpers */

bool fp_refuse(struct fp_resolver *r, enum diag_code code, size_t offset, const char *format, ...) {
  struct diag_at at = {.source = r->compile->source, .offset = offset, .expression = r->program->text};
  va_list args;
  va_start(args, format);
  struct str message = arena_vprintf(r->arena, format, args);
  va_end(args);
  diag_error(r->diags, code, &at, "%.*s", STR_ARG(message));
  return false;
}

struct fp_ins *fp_new_ins(struct fp_resolver *r, enum fp_op op, size_t offset) {
  struct fp_ins *ins = arena_line(r->arena, sizeof *ins);
  if (!ins) return NULL;
  ins->op = (uint8_t)op;
  ins->exec = fp_op_exec(op);
  ins->test = fp_op_test(op);
  ins->offset = (uint32_t)offset;
  r->program->instruction_count++;
  return ins;
}

static bool give(struct fp_code *out, struct fp_ins *ins, struct fp_static type) {
  *out = (struct fp_code){ins, type};
  return ins != NULL;
}

static bool constant_string(struct fp_resolver *r, const struct fp_ast *ast, struct str text,
                            struct fp_code *out) {
  struct fp_ins *ins = fp_new_ins(r, FP_OP_CONST, ast->offset);
  if (ins) ins->literal = (struct fp_item){.kind = FP_STRING, .string = text};
  return text.ptr && give(out, ins, fp_static_kind(r->scratch, FP_STRING));
}

bool fp_resolve_with(struct fp_resolver *r, const struct fp_ast *ast, struct fp_static self,
                     struct fp_code *out) {
  struct fp_static outer = r->self;
  r->self = self;
  bool done = fp_resolve(r, ast, out);
  r->self = outer;
  return done;
}

/* --- paths */

/* Most paths are short: what runs lies close together. */
static bool room_for_step(struct fp_resolver *r, struct fp_ins *path) {
  size_t count = path->step_count;
  if (count & (count - 1)) return true; /* room grows at 0, 1, 2, 4, 8 */
  struct fp_step *steps = ARENA_ARRAY(r->arena, struct fp_step, count ? count * 2 : 1);
  if (!steps) return false;
  if (count) memcpy(steps, path->steps, count * sizeof *steps);
  path->steps = steps;
  return true;
}

static enum fp_plain plain_from(const struct fp_ins *input, struct fp_ins *path) {
  if (input->op == FP_OP_VARIABLE) path->number = input->number;
  if (input->op == FP_OP_RESOURCE) return FP_PLAIN_RESOURCE;
  return input->op == FP_OP_VARIABLE ? FP_PLAIN_VARIABLE : input->op == FP_OP_THIS ? FP_PLAIN_THIS : FP_NOT_PLAIN;
}

/* Adds a step to the path that `code` is, or begins one. */
bool fp_append_step(struct fp_resolver *r, struct fp_code *code, struct fp_step step, size_t offset) {
  struct fp_ins *path = code->ins;
  if (path->op != FP_OP_PATH || path->step_count == FP_PATH_STEPS) {
    path = fp_new_ins(r, FP_OP_PATH, offset);
    if (!path) return false;
    path->input = code->ins;
    if (!r->compile->unfused) path->plain = (uint8_t)plain_from(code->ins, path);
  }
  if (!room_for_step(r, path)) return false;
  if (step.kind != FP_STEP_CHILD) path->plain = FP_NOT_PLAIN;
  if (path->step_count < sizeof path->symbols / sizeof path->symbols[0]) path->symbols[path->step_count] = step.symbol;
  path->steps[path->step_count++] = step;
  path->offset = (uint32_t)offset;
  code->ins = path;
  return true;
}

static bool is_type_or_base(const struct def_type *type, struct str name) {
  for (; type; type = def_type_base(type)) {
    if (str_eq(def_type_name(type), name)) return true;
  }
  return false;
}

/* `Patient` in Patient.name: the focus is of that type. */
static bool names_self(const struct fp_resolver *r, struct str name) {
  for (size_t i = 0; r->self.known && i < r->self.count; i++) {
    const struct fp_type_ref *ref = &r->self.types[i];
    if (ref->kind == FP_NODE && is_type_or_base(ref->type, name)) return true;
  }
  return false;
}

/* The focus may turn out to be of that type: it is not known, or an abstract type. */
static bool may_name_self(const struct fp_resolver *r, struct str name, const struct def_type **type) {
  *type = r->compile->definitions ? definitions_type(r->compile->definitions, name) : NULL;
  if (!r->self.known) return name.len && name.ptr[0] >= 'A' && name.ptr[0] <= 'Z';
  for (size_t i = 0; *type && i < r->self.count; i++) {
    const struct fp_type_ref *ref = &r->self.types[i];
    if (ref->kind == FP_NODE && def_type_abstract(ref->type) && def_type_is(*type, ref->type)) return true;
  }
  return false;
}

static bool refuse_name(struct fp_resolver *r, const struct fp_ast *ast, const struct fp_static *of) {
  const struct fp_type_ref *ref = &of->types[0];
  struct str name = diag_quote(r->arena, ast->name);
  if (ref->kind != FP_NODE)
    return fp_refuse(r, DIAG_FHIRPATH_UNKNOWN_NAME, ast->offset, "System.%s has no element %.*s",
                     fp_kind_name(ref->kind), STR_ARG(name));
  struct str type = def_type_name(ref->type), near = def_type_nearest_element(ref->type, ast->name);
  const struct def_type *chosen = NULL;
  const struct def_element *choice = def_type_json(ref->type, ast->name, &chosen);
  if (choice && chosen) {
    struct str choice_type = def_type_name(chosen), choice_name = def_element_name(choice);
    return fp_refuse(r, DIAG_FHIRPATH_UNKNOWN_NAME, ast->offset,
                     "%.*s has no element %.*s: in FHIRPath it is %.*s, or %.*s.ofType(%.*s)", STR_ARG(type),
                     STR_ARG(name), STR_ARG(choice_name), STR_ARG(choice_name), STR_ARG(choice_type));
  }
  if (near.len)
    return fp_refuse(r, DIAG_FHIRPATH_UNKNOWN_NAME, ast->offset,
                     "%.*s has no element %.*s; did you mean %.*s?", STR_ARG(type), STR_ARG(name),
                     STR_ARG(near));
  return fp_refuse(r, DIAG_FHIRPATH_UNKNOWN_NAME, ast->offset, "%.*s has no element %.*s", STR_ARG(type),
                   STR_ARG(name));
}

static struct fp_step child_step(const struct fp_resolver *r, struct str name) {
  const struct definitions *definitions = str_is(name, "resourceType") ? NULL : r->compile->definitions;
  return (struct fp_step){
      .kind = FP_STEP_CHILD, .name = name, .symbol = definitions ? definitions_symbol(definitions, name) : 0};
}

/* A name that begins a path and may be the focus's own type. */
static bool resolve_root(struct fp_resolver *r, const struct fp_ast *ast, const struct def_type *type,
                         struct fp_code *code) {
  struct fp_step step = child_step(r, ast->name);
  struct fp_spec *spec = ARENA_NEW(r->arena, struct fp_spec);
  if (!spec) return false;
  *spec = (struct fp_spec){.type = type, .name = ast->name};
  step.kind = FP_STEP_ROOT;
  step.spec = spec;
  bool known = r->self.known && type;
  if (!fp_append_step(r, code, step, ast->offset)) return false;
  code->type = known ? fp_static_type(r->scratch, type) : fp_static_unknown();
  return true;
}

static bool find_variable(const struct fp_resolver *r, struct str name, size_t *index) {
  for (size_t i = 0; i < r->compile->variable_count; i++) {
    if (str_eq(r->compile->variables[i].name, name)) {
      *index = i;
      return true;
    }
  }
  return false;
}

static bool variable(struct fp_resolver *r, const struct fp_ast *ast, size_t index, struct fp_code *out) {
  struct fp_ins *ins = fp_new_ins(r, FP_OP_VARIABLE, ast->offset);
  if (ins) {
    ins->number = (uint32_t)index;
    ins->name = ast->name;
  }
  struct fp_static type = fp_static_type(r->scratch, r->compile->variables[index].type);
  type.single = false;
  return give(out, ins, type);
}

static bool resolve_this(struct fp_resolver *r, size_t offset, struct fp_code *out) {
  return give(out, fp_new_ins(r, FP_OP_THIS, offset), r->self);
}

/* In maps, as the reference engine has it: `.value` of a primitive is its value, and valueString is
 * value.ofType(string). */
static bool resolve_map_name(struct fp_resolver *r, const struct fp_ast *ast, const struct fp_static *of,
                             struct fp_code *out) {
  const struct fp_type_ref *ref = &of->types[0];
  const struct def_type *chosen = NULL;
  if (ref->kind != FP_NODE) return refuse_name(r, ast, of);
  if (str_is(ast->name, "value") && def_type_primitive(ref->type) != DEF_P_NONE) return true;
  const struct def_element *choice = def_type_json(ref->type, ast->name, &chosen);
  struct fp_spec *spec = choice && chosen ? ARENA_NEW(r->arena, struct fp_spec) : NULL;
  if (!spec) return refuse_name(r, ast, of);
  *spec = (struct fp_spec){.type = chosen, .name = def_type_name(chosen)};
  struct fp_step only = {.kind = FP_STEP_TYPE, .spec = spec};
  if (!fp_append_step(r, out, child_step(r, def_element_name(choice)), ast->offset) ||
      !fp_append_step(r, out, only, ast->offset))
    return false;
  out->type = fp_static_type(r->scratch, chosen);
  return true;
}

static bool resolve_name(struct fp_resolver *r, const struct fp_ast *ast, struct fp_code *out) {
  size_t index;
  const struct def_type *type = NULL;
  struct fp_static of;
  if (ast->left) {
    if (!fp_resolve(r, ast->left, out)) return false;
  } else {
    if (r->compile->bare_variables && find_variable(r, ast->name, &index))
      return variable(r, ast, index, out);
    if (!resolve_this(r, ast->offset, out)) return false;
    if (names_self(r, ast->name)) return true;
    if (may_name_self(r, ast->name, &type)) return resolve_root(r, ast, type, out);
  }
  of = out->type;
  if (!fp_static_child(r->scratch, &of, ast->name, &out->type))
    return r->compile->bare_variables ? resolve_map_name(r, ast, &of, out) : refuse_name(r, ast, &of);
  return fp_append_step(r, out, child_step(r, ast->name), ast->offset);
}

/* --- variables */

static bool resolve_environment(struct fp_resolver *r, const struct fp_ast *ast, struct fp_code *out) {
  static const struct {
    const char *name, *value;
  } constants[] = {{"ucum", "http://unitsofmeasure.org"},
                   {"sct", "http://snomed.info/sct"},
                   {"loinc", "http://loinc.org"}};
  struct str name = ast->name;
  for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
    if (str_is(name, constants[i].name)) return constant_string(r, ast, str_of(constants[i].value), out);
  }
  if (str_starts(name, STR("vs-")))
    return constant_string(
        r, ast, arena_concat(r->arena, STR("http://hl7.org/fhir/ValueSet/"), str_slice(name, 3, name.len)),
        out);
  if (str_starts(name, STR("ext-")))
    return constant_string(
        r, ast,
        arena_concat(r->arena, STR("http://hl7.org/fhir/StructureDefinition/"), str_slice(name, 4, name.len)),
        out);
  return fp_refuse(r, DIAG_FHIRPATH_UNKNOWN_NAME, ast->offset, "there is no variable %%%.*s",
                   STR_ARG(diag_quote(r->arena, name)));
}

static bool resolve_external(struct fp_resolver *r, const struct fp_ast *ast, struct fp_code *out) {
  const struct def_type *resource = r->compile->resource;
  size_t index;
  if (find_variable(r, ast->name, &index)) return variable(r, ast, index, out);
  if (str_is(ast->name, "context"))
    return give(out, fp_new_ins(r, FP_OP_CONTEXT, ast->offset), fp_static_type(r->scratch, r->compile->input));
  if (str_is(ast->name, "resource"))
    return give(out, fp_new_ins(r, FP_OP_RESOURCE, ast->offset), fp_static_type(r->scratch, resource));
  if (str_is(ast->name, "rootResource"))
    return give(out, fp_new_ins(r, FP_OP_ROOT_RESOURCE, ast->offset), fp_static_unknown());
  return resolve_environment(r, ast, out);
}

/* --- types */

struct fp_spec *fp_resolve_spec(struct fp_resolver *r, struct str space, struct str name, size_t offset) {
  const struct definitions *definitions = r->compile->definitions;
  struct fp_spec *spec = ARENA_NEW(r->arena, struct fp_spec);
  if (!spec) return NULL;
  bool only_system = str_is(space, "System"), only_fhir = str_is(space, "FHIR");
  spec->name = name;
  spec->system = !only_fhir && fp_kind_named(name, &spec->kind);
  if (!only_system && definitions) {
    spec->type = definitions_type(definitions, name);
    if (spec->type && def_type_kind(spec->type) == DEF_SYSTEM) spec->type = NULL;
  }
  if (spec->system || spec->type || only_system || !definitions) return spec;
  struct str near = definitions_nearest_type(definitions, name), quoted = diag_quote(r->arena, name);
  fp_refuse(r, DIAG_FHIRPATH_UNKNOWN_NAME, offset, "there is no type %.*s%s%.*s%s", STR_ARG(quoted),
            near.len ? "; did you mean " : "", STR_ARG(near), near.len ? "?" : "");
  return NULL;
}

bool fp_resolve_type(struct fp_resolver *r, const struct fp_ast *ast, struct fp_code *input, enum fp_op op,
                     struct fp_spec *spec, struct fp_code *out) {
  struct fp_ins *ins = fp_new_ins(r, op, ast->offset);
  if (!ins || !spec) return false;
  ins->input = input->ins;
  ins->spec = spec;
  struct fp_static type =
      op == FP_OP_IS ? fp_static_kind(r->scratch, FP_BOOLEAN) : fp_static_spec(r->scratch, spec);
  return give(out, ins, fp_static_one(type));
}

static bool resolve_type_operator(struct fp_resolver *r, const struct fp_ast *ast, struct fp_code *out) {
  struct fp_code input;
  if (!fp_resolve(r, ast->left, &input)) return false;
  return fp_resolve_type(r, ast, &input, ast->op, fp_resolve_spec(r, ast->space, ast->name, ast->offset),
                         out);
}

/* --- dispatch */

static bool resolve_indexer(struct fp_resolver *r, const struct fp_ast *ast, struct fp_code *out) {
  struct fp_code index;
  if (!fp_resolve(r, ast->left, out) || !fp_resolve(r, ast->right, &index)) return false;
  enum fp_kind kind = fp_static_value_kind(&index.type);
  if (kind != FP_NODE && kind != FP_INTEGER)
    return fp_refuse(r, DIAG_FHIRPATH_TYPE, ast->offset, "an index is an Integer, not a %s",
                     fp_kind_name(kind));
  struct fp_ins *ins = fp_new_ins(r, FP_OP_INDEXER, ast->offset);
  if (!ins) return false;
  ins->input = out->ins;
  ins->right = index.ins;
  return give(out, ins, fp_static_one(out->type));
}

static bool resolve_literal(struct fp_resolver *r, const struct fp_ast *ast, struct fp_code *out) {
  struct fp_ins *ins = fp_new_ins(r, FP_OP_CONST, ast->offset);
  if (ins) ins->literal = ast->literal;
  return give(out, ins, fp_static_kind(r->scratch, ast->literal.kind));
}

static bool resolve_empty(struct fp_resolver *r, const struct fp_ast *ast, struct fp_code *out) {
  return give(out, fp_new_ins(r, FP_OP_EMPTY, ast->offset),
              (struct fp_static){.known = true, .single = true});
}

static bool resolve_dollar(struct fp_resolver *r, const struct fp_ast *ast, struct fp_code *out) {
  if (ast->kind == FP_AST_THIS) return resolve_this(r, ast->offset, out);
  if (ast->kind == FP_AST_TOTAL) return give(out, fp_new_ins(r, FP_OP_TOTAL, ast->offset), r->total);
  return give(out, fp_new_ins(r, FP_OP_INDEX, ast->offset), fp_static_kind(r->scratch, FP_INTEGER));
}

bool fp_resolve(struct fp_resolver *r, const struct fp_ast *ast, struct fp_code *out) {
  typedef bool resolve_kind(struct fp_resolver *, const struct fp_ast *, struct fp_code *);
  static resolve_kind *const kinds[] = {
      [FP_AST_LITERAL] = resolve_literal,    [FP_AST_EMPTY] = resolve_empty,
      [FP_AST_NAME] = resolve_name,          [FP_AST_CALL] = fp_resolve_call,
      [FP_AST_INDEXER] = resolve_indexer,    [FP_AST_UNARY] = fp_resolve_operator,
      [FP_AST_BINARY] = fp_resolve_operator, [FP_AST_TYPE] = resolve_type_operator,
      [FP_AST_THIS] = resolve_dollar,        [FP_AST_INDEX] = resolve_dollar,
      [FP_AST_TOTAL] = resolve_dollar,       [FP_AST_EXTERNAL] = resolve_external};
  return kinds[ast->kind](r, ast, out);
}

/* --- the whole */

struct fp_limits fp_limits_default(void) {
  return (struct fp_limits){LIMIT_EXPRESSION_BYTES, LIMIT_EXPRESSION_DEPTH, LIMIT_EVAL_STEPS,
                            LIMIT_EVAL_ITEMS};
}

static const struct def_type *result_type(const struct fp_compile *compile, const struct fp_static *type) {
  if (!type->known || type->count != 1) return NULL;
  if (type->types[0].kind == FP_NODE) return type->types[0].type;
  if (!compile->definitions) return NULL;
  switch (type->types[0].kind) {
#define SYSTEM(kind, name)                                                                                   \
  case kind:                                                                                                 \
    return definitions_type(compile->definitions, STR("System." name))
    SYSTEM(FP_BOOLEAN, "Boolean");
    SYSTEM(FP_INTEGER, "Integer");
    SYSTEM(FP_DECIMAL, "Decimal");
    SYSTEM(FP_STRING, "String");
    SYSTEM(FP_DATE, "Date");
    SYSTEM(FP_DATETIME, "DateTime");
    SYSTEM(FP_TIME, "Time");
    SYSTEM(FP_QUANTITY, "Quantity");
#undef SYSTEM
  default:
    return NULL;
  }
}

enum status fhirpath_compile(const struct fp_compile *compile, struct arena *arena, struct diag_list *diags,
                             struct fp_program **out, size_t *used) {
  size_t end = compile->from, errors = diag_errors(diags);
  struct fp_program *program = ARENA_NEW(arena, struct fp_program);
  if (!program) return STATUS_NOMEM;
  struct arena *scratch = compile->scratch ? compile->scratch : arena;
  struct fp_ast *ast = fp_parse(compile, arena, diags, &end);
  if (!ast) return diag_errors(diags) > errors ? STATUS_INVALID : STATUS_NOMEM;
  program->definitions = compile->definitions;
  program->units = compile->definitions ? compile->definitions : compile->units;
  program->source = *compile->source;
  program->text = arena_str(arena, str_trim(str_slice(compile->source->text, compile->from, end)));
  program->variable_count = compile->variable_count;
  struct fp_resolver r = {.compile = compile,
                          .arena = arena,
                          .scratch = scratch,
                          .diags = diags,
                          .program = program,
                          .self = fp_static_type(scratch, compile->input)};
  struct fp_code code;
  if (!fp_resolve(&r, ast, &code)) return diag_errors(diags) > errors ? STATUS_INVALID : STATUS_NOMEM;
  program->root = code.ins;
  program->result = result_type(compile, &code.type);
  *out = program;
  if (used) *used = end;
  return STATUS_OK;
}

const struct def_type *fhirpath_result_type(const struct fp_program *program) {
  return program->result;
}
