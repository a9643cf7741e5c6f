/* dump.c - names and functions of the opcodes, and the compiled program as text. */
#include "fhirpath/internal.h"

struct opcode {
  const char *name;
  fp_exec *exec;
  fp_test *test;
};
static const struct opcode opcodes[] = {
#define FP_OP(name, exec, test) [FP_OP_##name] = {#name, exec, test},
#include "fhirpath/opcodes.def"
#undef FP_OP
};

const char *fp_op_name(enum fp_op op) {
  return opcodes[op].name;
}

fp_exec *fp_op_exec(enum fp_op op) {
  return opcodes[op].exec;
}

fp_test *fp_op_test(enum fp_op op) {
  return opcodes[op].test;
}

static void dump(const struct fp_ins *ins, unsigned indent, struct buf *out);

static void dump_literal(const struct fp_item *item, struct buf *out) {
  buf_add_char(out, ' ');
  if (item->kind == FP_STRING) {
    tree_write_string(item->string, out);
  } else {
    fhirpath_print(item, out);
  }
}

static void dump_step(const struct fp_step *step, unsigned indent, struct buf *out) {
  static const char *const names[] = {"child", "root", "filter", "type"};
  buf_printf(out, "%*s.%s", (int)indent, "", names[step->kind]);
  if (step->name.len) buf_printf(out, " %.*s #%u", STR_ARG(step->name), step->symbol);
  if (step->kind == FP_STEP_TYPE) buf_printf(out, " %.*s", STR_ARG(step->spec->name));
  buf_add_char(out, '\n');
  if (step->test) dump(step->test, indent + 2, out);
}

static void dump(const struct fp_ins *ins, unsigned indent, struct buf *out) {
  buf_printf(out, "%*s%s", (int)indent, "", fp_op_name(ins->op));
  if (ins->op == FP_OP_CONST) dump_literal(&ins->literal, out);
  for (size_t i = 0; ins->constants && i < ins->constants->list.count; i++)
    dump_literal(&ins->constants->list.items[i], out);
  if (ins->name.len) buf_printf(out, " %.*s", STR_ARG(ins->name));
  if (ins->spec) buf_printf(out, " %.*s", STR_ARG(ins->spec->name));
  buf_add_char(out, '\n');
  if (ins->input) dump(ins->input, indent + 2, out);
  for (size_t i = 0; i < ins->step_count; i++)
    dump_step(&ins->steps[i], indent + 2, out);
  if (ins->right) dump(ins->right, indent + 2, out);
  for (size_t i = 0; i < ins->argument_count; i++)
    if (ins->arguments[i]) dump(ins->arguments[i], indent + 2, out); /* criteria are part of the path */
}

void fhirpath_dump(const struct fp_program *program, struct buf *out) {
  dump(program->root, 0, out);
}
