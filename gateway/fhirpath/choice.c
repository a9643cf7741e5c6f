/* choice.c - which texts a condition asks for: x = 'a', x in ('a' | 'b'), (x in ('a' | 'b')).not(), x != 'a', and what begins with one of
 * them and goes on with `and`. x is $this or a variable. Worked out from the program alone. */
#include "fhirpath/internal.h"

static bool takes_subject(const struct fp_ins *subject, struct fp_choice *out) {
  out->of_variable = subject->op == FP_OP_VARIABLE;
  out->variable = out->of_variable ? subject->number : 0;
  return out->of_variable || subject->op == FP_OP_THIS;
}

/* A condition without `and` and not(). */
static bool takes_texts(const struct fp_ins *ins, struct fp_choice *out) {
  bool literal = ins->op == FP_OP_EQ || ins->op == FP_OP_NE;
  if (literal && ins->right->op == FP_OP_CONST && ins->right->literal.kind == FP_STRING) {
    out->texts = &ins->right->literal;
    out->count = 1;
    out->but = ins->op == FP_OP_NE;
  } else if (ins->op == FP_OP_IN_TEXTS) {
    out->texts = ins->right->constants->list.items;
    out->count = ins->right->constants->list.count;
  } else {
    return false;
  }
  return takes_subject(ins->input, out);
}

bool fhirpath_choice(const struct fp_program *program, struct fp_choice *out) {
  const struct fp_ins *ins = program->root;
  *out = (struct fp_choice){0};
  while (ins->op == FP_OP_AND)
    ins = ins->input;
  if (ins->op != FP_OP_NOT) return takes_texts(ins, out);
  bool taken = takes_texts(ins->input, out);
  out->but = !out->but;
  return taken;
}

bool fhirpath_is_text(const struct fp_item *item, struct str *text) {
  return fp_string_of(item, text);
}
