/* resolve_call.c - the table of functions, and calls to instructions: arity, argument modes, own forms. */
#include "fhirpath/internal.h"

#define LIST FP_TAKE_LIST
#define ONE FP_TAKE_ONE
#define EMPTY FP_EMPTY_EMPTY
#define CALL FP_EMPTY_CALL
#define FP_FN(name, min, max, modes, take, empty, result, section, fn)                                       \
  {name, min, max, modes, take, empty, result, section, fn, NULL},
#define FP_FN_FORM(name, min, max, modes, take, empty, result, section, form)                                \
  {name, min, max, modes, take, empty, result, section, NULL, form},
#define FP_FN_BOTH(name, min, max, modes, take, empty, result, section, form, fn)                            \
  {name, min, max, modes, take, empty, result, section, fn, form},
#define FP_FN_NONE(name, min, max, modes, section)                                                           \
  {name, min, max, modes, LIST, CALL, "", section, NULL, NULL},
static const struct fp_function functions[] = {
#include "fhirpath/functions.def"
};
#undef FP_FN
#undef FP_FN_FORM
#undef FP_FN_BOTH
#undef FP_FN_NONE
#undef LIST
#undef ONE
#undef EMPTY
#undef CALL

enum { FUNCTIONS = sizeof functions / sizeof *functions };

size_t fhirpath_function_count(void) {
  return FUNCTIONS;
}

struct fp_function_info fhirpath_function(size_t index) {
  const struct fp_function *row = &functions[index];
  return (struct fp_function_info){row->name, row->section, row->result,
                                   row->min,  row->max,     row->run != NULL || row->form != NULL};
}

const struct fp_function *fp_function_named(struct str name) {
  for (size_t i = 0; i < FUNCTIONS; i++) {
    if (str_is(name, functions[i].name)) return &functions[i];
  }
  return NULL;
}

struct str fp_function_nearest(struct str name) {
  struct str best = {0};
  unsigned least = 3;
  for (size_t i = 0; i < FUNCTIONS; i++) {
    unsigned distance = str_distance(name, str_of(functions[i].name), least);
    if (distance < least && distance * 2 < name.len) {
      least = distance;
      best = str_of(functions[i].name);
    }
  }
  return best;
}

/* --- checks */

static bool refuse_function(struct fp_resolver *r, const struct fp_ast *call) {
  struct str near = fp_function_nearest(call->name), name = diag_quote(r->arena, call->name);
  return fp_refuse(r, DIAG_FHIRPATH_UNKNOWN_FUNCTION, call->offset, "there is no function %.*s()%s%.*s%s",
                   STR_ARG(name), near.len ? "; did you mean " : "", STR_ARG(near), near.len ? "()?" : "");
}

static bool check_call(struct fp_resolver *r, const struct fp_ast *call, const struct fp_function *row) {
  if (!row->run && !row->form)
    return fp_refuse(r, DIAG_FHIRPATH_UNSUPPORTED, call->offset, "%s() is not available", row->name);
  if (call->argument_count >= (size_t)row->min && call->argument_count <= (size_t)row->max) return true;
  if (row->min == row->max)
    return fp_refuse(r, DIAG_FHIRPATH_ARGUMENTS, call->offset, "%s() takes %d argument%s, not %zu", row->name,
                     row->min, row->min == 1 ? "" : "s", call->argument_count);
  return fp_refuse(r, DIAG_FHIRPATH_ARGUMENTS, call->offset, "%s() takes %d to %d arguments, not %zu",
                   row->name, row->min, row->max, call->argument_count);
}

static struct fp_static result_of(struct fp_resolver *r, const struct fp_function *row,
                                  const struct fp_static *input, const struct fp_static *argument) {
  enum fp_kind kind;
  const char *result = row->result;
  if (strcmp(result, "input") == 0) return *input;
  if (strcmp(result, "input1") == 0) return fp_static_one(*input);
  if (strcmp(result, "union") == 0) return fp_static_both(r->scratch, input, argument);
  if (strcmp(result, "Extension") == 0) {
    struct fp_static type = fp_static_type(
        r->scratch,
        r->compile->definitions ? definitions_type(r->compile->definitions, STR("Extension")) : NULL);
    type.single = false;
    return type;
  }
  size_t len = strlen(result);
  bool many = len > 0 && result[len - 1] == '*';
  if (!fp_kind_named(str_make(result, many ? len - 1 : len), &kind)) return fp_static_unknown();
  struct fp_static type = fp_static_kind(r->scratch, kind);
  type.single = !many;
  return type;
}

/* --- calls */

struct fp_ins *fp_call_ins(struct fp_resolver *r, const struct fp_ast *call, enum fp_op op,
                           const struct fp_ins *input) {
  struct fp_ins *ins = fp_new_ins(r, op, call->offset);
  if (!ins) return NULL;
  ins->input = input;
  ins->name = call->name;
  ins->function = fp_function_named(call->name);
  ins->argument_count = call->argument_count;
  ins->arguments = ARENA_ARRAY(r->arena, const struct fp_ins *, call->argument_count + 1);
  return ins->arguments ? ins : NULL;
}

static bool plain_call(struct fp_resolver *r, const struct fp_ast *ast, const struct fp_function *row,
                       struct fp_code *input, struct fp_code *out) {
  struct fp_ins *ins = fp_call_ins(r, ast, FP_OP_CALL, input->ins);
  struct fp_static first = fp_static_unknown();
  bool fused = !r->compile->unfused;
  if (!ins) return false;
  const struct fp_ast *argument = ast->arguments;
  for (size_t i = 0; i < ast->argument_count; i++, argument = argument->next) {
    struct fp_code code;
    if (!fp_resolve(r, argument, &code) || !fp_keep_once(r, &code, false)) return false;
    ins->arguments[i] = code.ins;
    if (i == 0) first = code.type;
  }
  const char *problem = NULL;
  if (!fp_regex_constant(r->arena, ins, fused, &problem))
    return fp_refuse(r, DIAG_FHIRPATH_SYNTAX, ast->arguments->offset, "the regular expression is wrong: %s",
                     problem ? problem : "");
  if (fused && row->run == fp_fn_combine && !fp_fuse_combine(r, ins)) return false;
  if (fused && row->run == fp_fn_matches && ins->regex) fp_fuse_matches(ins);
  *out = (struct fp_code){ins, result_of(r, row, &input->type, &first)};
  return true;
}

bool fp_resolve_call(struct fp_resolver *r, const struct fp_ast *ast, struct fp_code *out) {
  const struct fp_function *row = fp_function_named(ast->name);
  struct fp_code input;
  if (!row) return refuse_function(r, ast);
  if (!check_call(r, ast, row)) return false;
  if (ast->left) {
    if (!fp_resolve(r, ast->left, &input)) return false;
  } else {
    input = (struct fp_code){fp_new_ins(r, FP_OP_THIS, ast->offset), r->self};
    if (!input.ins) return false;
  }
  return row->form ? row->form(r, ast, &input, out) : plain_call(r, ast, row, &input, out);
}
