/* forms.c - functions that are compiled in a way of their own: those with expressions or types as arguments.
 */
#include "fhirpath/internal.h"

static bool give(struct fp_code *out, struct fp_ins *ins, struct fp_static type) {
  *out = (struct fp_code){ins, type};
  return ins != NULL;
}

static bool condition(struct fp_resolver *r, struct fp_ins *ins, struct fp_code *out) {
  return give(out, ins, fp_static_kind(r->scratch, FP_BOOLEAN));
}

static struct fp_static item_of(struct fp_static type) {
  return fp_static_one(type);
}

/* --- where, exists, all … */

/* An expression that is evaluated for each item. */
static bool resolve_each(struct fp_resolver *r, const struct fp_ast *ast, struct fp_static type, struct fp_code *out) {
  bool outer = r->each;
  r->each = true;
  bool done = fp_resolve_with(r, ast, item_of(type), out);
  r->each = outer;
  return done;
}

static bool add_filter(struct fp_resolver *r, const struct fp_ast *criteria, struct fp_code *code) {
  struct fp_code test;
  if (!resolve_each(r, criteria, code->type, &test)) return false;
  struct fp_step step = {.kind = FP_STEP_FILTER, .test = test.ins};
  if (!fp_append_step(r, code, step, criteria->offset)) return false;
  if (!r->compile->unfused) fp_find_lookup(code->ins);
  return true;
}

bool fp_form_where(struct fp_resolver *r, const struct fp_ast *call, struct fp_code *input,
                   struct fp_code *out) {
  *out = *input;
  return add_filter(r, call->arguments, out);
}

bool fp_form_exists(struct fp_resolver *r, const struct fp_ast *call, struct fp_code *input,
                    struct fp_code *out) {
  if (call->arguments && !add_filter(r, call->arguments, input)) return false;
  bool child = !r->compile->unfused && fp_is_child_of_this(input->ins);
  enum fp_op op = child ? FP_OP_HAS_CHILD : FP_OP_EXISTS;
  return condition(r, fp_call_ins(r, call, op, input->ins), out);
}

bool fp_form_empty(struct fp_resolver *r, const struct fp_ast *call, struct fp_code *input,
                   struct fp_code *out) {
  return condition(r, fp_call_ins(r, call, FP_OP_IS_EMPTY, input->ins), out);
}

bool fp_form_not(struct fp_resolver *r, const struct fp_ast *call, struct fp_code *input,
                 struct fp_code *out) {
  return condition(r, fp_call_ins(r, call, FP_OP_NOT, input->ins), out);
}

bool fp_form_count(struct fp_resolver *r, const struct fp_ast *call, struct fp_code *input,
                   struct fp_code *out) {
  return give(out, fp_call_ins(r, call, FP_OP_COUNT, input->ins), fp_static_kind(r->scratch, FP_INTEGER));
}

bool fp_form_first(struct fp_resolver *r, const struct fp_ast *call, struct fp_code *input,
                   struct fp_code *out) {
  return give(out, fp_call_ins(r, call, FP_OP_FIRST, input->ins), item_of(input->type));
}

/* An instruction with the first argument evaluated per item. */
static struct fp_ins *per_item(struct fp_resolver *r, const struct fp_ast *call, enum fp_op op,
                               struct fp_code *input, struct fp_code *argument) {
  struct fp_ins *ins = fp_call_ins(r, call, op, input->ins);
  if (!ins || !resolve_each(r, call->arguments, input->type, argument)) return NULL;
  ins->arguments[0] = argument->ins;
  return ins;
}

bool fp_form_all(struct fp_resolver *r, const struct fp_ast *call, struct fp_code *input,
                 struct fp_code *out) {
  struct fp_code argument;
  return condition(r, per_item(r, call, FP_OP_ALL, input, &argument), out);
}

bool fp_form_select(struct fp_resolver *r, const struct fp_ast *call, struct fp_code *input,
                    struct fp_code *out) {
  struct fp_code argument = {0};
  struct fp_ins *ins = per_item(r, call, FP_OP_SELECT, input, &argument);
  argument.type.single &= input->type.single;
  return give(out, ins, argument.type);
}

/* What comes out goes in again, so the type of $this is only known when it repeats itself. */
bool fp_form_repeat(struct fp_resolver *r, const struct fp_ast *call, struct fp_code *input,
                    struct fp_code *out) {
  struct fp_code argument = {0}, again = {0};
  struct fp_ins *ins = per_item(r, call, FP_OP_CALL, input, &argument);
  if (!ins) return false;
  struct fp_static type = fp_static_both(r->scratch, &input->type, &argument.type);
  if (!resolve_each(r, call->arguments, type, &again)) return false;
  ins->arguments[0] = again.ins;
  type = fp_static_both(r->scratch, &type, &again.type);
  bool closed = argument.type.known && type.known && type.count == argument.type.count;
  return give(out, ins, closed ? argument.type : fp_static_unknown());
}

/* --- iif, aggregate, trace, sort */

bool fp_form_iif(struct fp_resolver *r, const struct fp_ast *call, struct fp_code *input,
                 struct fp_code *out) {
  struct fp_ins *ins = fp_call_ins(r, call, FP_OP_IIF, input->ins);
  const struct fp_ast *argument = call->arguments;
  struct fp_code code[3] = {0};
  if (!ins) return false;
  for (size_t i = 0; i < call->argument_count; i++, argument = argument->next) {
    if (!fp_resolve_with(r, argument, input->type, &code[i]) || (i && !fp_keep_once(r, &code[i], true))) return false;
    ins->arguments[i] = code[i].ins;
  }
  struct fp_static type =
      call->argument_count == 3 ? fp_static_both(r->scratch, &code[1].type, &code[2].type) : code[1].type;
  type.single = false;
  return give(out, ins, type);
}

bool fp_form_aggregate(struct fp_resolver *r, const struct fp_ast *call, struct fp_code *input,
                       struct fp_code *out) {
  struct fp_static outer = r->total;
  struct fp_code argument, start;
  r->total = fp_static_unknown();
  struct fp_ins *ins = per_item(r, call, FP_OP_CALL, input, &argument);
  r->total = outer;
  if (ins && call->argument_count == 2) {
    if (!fp_resolve(r, call->arguments->next, &start)) return false;
    ins->arguments[1] = start.ins;
  }
  return give(out, ins, fp_static_unknown());
}

bool fp_form_trace(struct fp_resolver *r, const struct fp_ast *call, struct fp_code *input,
                   struct fp_code *out) {
  struct fp_ins *ins = fp_call_ins(r, call, FP_OP_CALL, input->ins);
  struct fp_code name, projection;
  if (!ins || !fp_resolve(r, call->arguments, &name)) return false;
  ins->arguments[0] = name.ins;
  if (call->argument_count == 2) {
    if (!fp_resolve_with(r, call->arguments->next, item_of(input->type), &projection)) return false;
    ins->arguments[1] = projection.ins;
  }
  return give(out, ins, input->type);
}

/* A key with a minus sorts downwards, also one that is no number. */
bool fp_form_sort(struct fp_resolver *r, const struct fp_ast *call, struct fp_code *input,
                  struct fp_code *out) {
  struct fp_ins *ins = fp_call_ins(r, call, FP_OP_CALL, input->ins);
  const struct fp_ast *argument = call->arguments;
  if (!ins) return false;
  for (size_t i = 0; i < call->argument_count; i++, argument = argument->next) {
    bool down = argument->kind == FP_AST_UNARY && argument->op == FP_OP_NEGATE;
    struct fp_code key;
    if (!fp_resolve_with(r, down ? argument->left : argument, item_of(input->type), &key)) return false;
    ins->arguments[i] = key.ins;
    if (down) ins->number |= (uint32_t)1 << i;
  }
  return give(out, ins, input->type);
}

/* --- type specifiers as arguments */

static struct fp_spec *spec_argument(struct fp_resolver *r, const struct fp_ast *call) {
  const struct fp_ast *argument = call->arguments;
  struct str space = {0};
  bool qualified = argument->left && argument->left->kind == FP_AST_NAME && !argument->left->left;
  if (argument->kind != FP_AST_NAME || (argument->left && !qualified)) {
    fp_refuse(r, DIAG_FHIRPATH_ARGUMENTS, argument->offset, "the argument of %.*s() is the name of a type",
              STR_ARG(call->name));
    return NULL;
  }
  if (qualified) space = argument->left->name;
  return fp_resolve_spec(r, space, argument->name, argument->offset);
}

bool fp_form_is(struct fp_resolver *r, const struct fp_ast *call, struct fp_code *input,
                struct fp_code *out) {
  return fp_resolve_type(r, call, input, FP_OP_IS, spec_argument(r, call), out);
}

bool fp_form_as(struct fp_resolver *r, const struct fp_ast *call, struct fp_code *input,
                struct fp_code *out) {
  return fp_resolve_type(r, call, input, FP_OP_AS, spec_argument(r, call), out);
}

bool fp_form_of_type(struct fp_resolver *r, const struct fp_ast *call, struct fp_code *input,
                     struct fp_code *out) {
  struct fp_spec *spec = spec_argument(r, call);
  bool single = input->type.single;
  if (!spec) return false;
  *out = *input;
  if (!fp_append_step(r, out, (struct fp_step){.kind = FP_STEP_TYPE, .spec = spec}, call->offset))
    return false;
  out->type = fp_static_spec(r->scratch, spec);
  out->type.single = single;
  return true;
}
