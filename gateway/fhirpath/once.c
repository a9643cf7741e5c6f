/* once.c - what stands in a condition on each item of a list and does not depend on the item, as 'Observation/' & %key in
 * result.where(reference = 'Observation/' & %key): worked out for the first item, and kept until the evaluation ends. */
#include "fhirpath/internal.h"

/* --- compiling */

/* Texts and paths of variables and literals: no function that may tell something each time it is called. */
static bool is_fixed(const struct fp_ins *ins) {
  bool fixed = true;
  switch (ins->op) {
  case FP_OP_CONST:
  case FP_OP_VARIABLE:
    return true;
  case FP_OP_FIRST:
    return is_fixed(ins->input);
  case FP_OP_CONCAT_ALL:
    return is_fixed(ins->input) && is_fixed(ins->right);
  case FP_OP_COMBINE:
    for (size_t i = 0; i < ins->argument_count && fixed; i++)
      fixed = is_fixed(ins->arguments[i]);
    return fixed;
  case FP_OP_PATH:
    for (size_t i = 0; i < ins->step_count && fixed; i++)
      fixed = ins->steps[i].kind == FP_STEP_CHILD || ins->steps[i].kind == FP_STEP_TYPE;
    return fixed && is_fixed(ins->input);
  default:
    return false;
  }
}

bool fp_keep_once(struct fp_resolver *r, struct fp_code *code, bool whole) {
  enum fp_op op = code->ins->op;
  bool kept = op == FP_OP_CONCAT_ALL || op == FP_OP_FIRST || (whole && (op == FP_OP_PATH || op == FP_OP_COMBINE));
  if (!r->each || r->compile->unfused || !kept || !is_fixed(code->ins)) return true;
  struct fp_ins *ins = fp_new_ins(r, FP_OP_ONCE, code->ins->offset);
  if (!ins) return false;
  ins->input = code->ins;
  ins->number = r->program->once_count++;
  code->ins = ins;
  return true;
}

/* --- running */

static bool work_out(struct fp_eval *e, const struct fp_ins *ins, struct fp_once *once) {
  struct fp_mark mark = fp_mark(e);
  struct fp_list *list = &once->list;
  if (!fp_collect_at(e, ins, &once->item, list, SIZE_MAX)) return false;
  if (list->count && list->items != &once->item) {
    struct fp_item *items = arena_alloc(e->arena, list->count * sizeof *items);
    if (!items) return fp_nomem(e);
    memcpy(items, list->items, list->count * sizeof *items);
    list->items = items;
  }
  fp_release(e, mark);
  return once->done = true;
}

bool fp_exec_once(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  if (!e->once) e->once = ARENA_ARRAY(e->arena, struct fp_once, e->program->once_count);
  if (!e->once) return fp_nomem(e);
  struct fp_once *once = &e->once[ins->number];
  return (once->done || work_out(e, ins->input, once)) && fp_push_all(e, out, &once->list);
}
