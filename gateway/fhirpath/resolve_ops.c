/* resolve_ops.c - operators: instructions, static checks of operands, and the fused comparison of a path with
 * a text. */
#include "fhirpath/internal.h"

static bool is_order(enum fp_op op) {
  return op == FP_OP_LT || op == FP_OP_LE || op == FP_OP_GT || op == FP_OP_GE;
}

static bool is_arithmetic(enum fp_op op) {
  return op >= FP_OP_ADD && op <= FP_OP_MOD;
}

static bool is_number(enum fp_kind kind) {
  return kind == FP_INTEGER || kind == FP_DECIMAL;
}

static bool order_fits(enum fp_kind a, enum fp_kind b) {
  if (is_number(a) || a == FP_QUANTITY) return is_number(b) || b == FP_QUANTITY;
  if (a == FP_DATE || a == FP_DATETIME) return b == FP_DATE || b == FP_DATETIME;
  return a == b && (a == FP_STRING || a == FP_TIME);
}

static bool arithmetic_fits(enum fp_op op, enum fp_kind a, enum fp_kind b) {
  bool numbers = (is_number(a) || a == FP_QUANTITY) && (is_number(b) || b == FP_QUANTITY);
  if (numbers) return true;
  if (op == FP_OP_ADD && a == FP_STRING) return b == FP_STRING;
  if (op == FP_OP_ADD && a == FP_QUANTITY) return fp_is_date_kind(b);
  return (op == FP_OP_ADD || op == FP_OP_SUB) && fp_is_date_kind(a) && b == FP_QUANTITY;
}

/* Operands whose types are known and can never fit. */
static bool check_operands(struct fp_resolver *r, const struct fp_ast *ast, const struct fp_code *left,
                           const struct fp_code *right) {
  enum fp_kind a = fp_static_value_kind(&left->type), b = fp_static_value_kind(&right->type);
  if (a == FP_NODE || b == FP_NODE) return true;
  if (is_order(ast->op) ? order_fits(a, b) : !is_arithmetic(ast->op) || arithmetic_fits(ast->op, a, b))
    return true;
  return fp_refuse(r, DIAG_FHIRPATH_TYPE, ast->offset, "a %s and a %s do not fit this operator",
                   fp_kind_name(a), fp_kind_name(b));
}

static struct fp_static arithmetic_type(struct fp_resolver *r, enum fp_op op, enum fp_kind a,
                                        enum fp_kind b) {
  if (is_number(a) && is_number(b)) {
    bool decimal = op == FP_OP_DIV || (op != FP_OP_INTDIV && (a == FP_DECIMAL || b == FP_DECIMAL));
    return fp_static_kind(r->scratch, decimal ? FP_DECIMAL : FP_INTEGER);
  }
  if (fp_is_date_kind(a) || (a == FP_STRING && b == FP_STRING)) return fp_static_kind(r->scratch, a);
  return fp_static_unknown();
}

static struct fp_static operator_type(struct fp_resolver *r, const struct fp_ast *ast,
                                      const struct fp_code *left, const struct fp_code *right) {
  if (ast->op == FP_OP_UNION) return fp_static_both(r->scratch, &left->type, &right->type);
  if (ast->op == FP_OP_CONCAT) return fp_static_kind(r->scratch, FP_STRING);
  if (is_arithmetic(ast->op))
    return arithmetic_type(r, ast->op, fp_static_value_kind(&left->type), fp_static_value_kind(&right->type));
  return fp_static_kind(r->scratch, FP_BOOLEAN);
}

bool fp_is_child_of_this(const struct fp_ins *ins) {
  if (ins->op != FP_OP_PATH || ins->input->op != FP_OP_THIS || ins->step_count != 1) return false;
  return ins->steps[0].kind == FP_STEP_CHILD;
}

/* name = 'text', name = %variable, or what is worked out once: compared without making lists. */
static void fuse_text(struct fp_ins *ins) {
  const struct fp_ins *right = ins->right;
  if (ins->op != FP_OP_EQ || !fp_is_child_of_this(ins->input)) return;
  if (right->op == FP_OP_CONST && right->literal.kind == FP_STRING)
    ins->op = FP_OP_EQ_TEXT;
  else if (right->op == FP_OP_VARIABLE || right->op == FP_OP_ONCE)
    ins->op = FP_OP_EQ_VARIABLE;
  ins->test = fp_op_test(ins->op);
}

/* a & b & c: the texts between them are not made. */
static void fuse_concat(struct fp_ins *ins) {
  if (ins->op != FP_OP_CONCAT) return;
  ins->op = FP_OP_CONCAT_ALL;
  ins->exec = fp_op_exec(FP_OP_CONCAT_ALL);
}

/* The parts of a chain of & are not kept: they are put together with others at one go. */
static bool keep_operands(struct fp_resolver *r, enum fp_op op, struct fp_code *left, struct fp_code *right) {
  bool whole = op >= FP_OP_EQ && op <= FP_OP_NEQUIV;
  return fp_keep_once(r, left, whole || op == FP_OP_CONTAINS) && fp_keep_once(r, right, whole || op == FP_OP_IN);
}

static bool resolve_binary(struct fp_resolver *r, const struct fp_ast *ast, struct fp_code *out) {
  struct fp_code left, right;
  bool fused = !r->compile->unfused;
  if (fused && ast->op == FP_OP_UNION && fp_fold_union(r, ast, out)) return true;
  if (!fp_resolve(r, ast->left, &left) || !fp_resolve(r, ast->right, &right)) return false;
  if (!check_operands(r, ast, &left, &right)) return false;
  if (ast->op != FP_OP_CONCAT && !keep_operands(r, ast->op, &left, &right)) return false;
  struct fp_ins *ins = fp_new_ins(r, ast->op, ast->offset);
  if (!ins) return false;
  ins->input = left.ins;
  ins->right = right.ins;
  if (fused) {
    fuse_text(ins);
    fuse_concat(ins);
    fp_fold_membership(ins);
  }
  *out = (struct fp_code){ins, operator_type(r, ast, &left, &right)};
  return true;
}

static bool resolve_unary(struct fp_resolver *r, const struct fp_ast *ast, struct fp_code *out) {
  struct fp_code operand;
  if (!fp_resolve(r, ast->left, &operand)) return false;
  enum fp_kind kind = fp_static_value_kind(&operand.type);
  if (kind != FP_NODE && !is_number(kind) && kind != FP_QUANTITY)
    return fp_refuse(r, DIAG_FHIRPATH_TYPE, ast->offset, "a sign stands before a number, not a %s",
                     fp_kind_name(kind));
  struct fp_ins *ins = fp_new_ins(r, ast->op, ast->offset);
  if (!ins) return false;
  ins->input = operand.ins;
  *out = (struct fp_code){ins, fp_static_one(operand.type)};
  return true;
}

bool fp_resolve_operator(struct fp_resolver *r, const struct fp_ast *ast, struct fp_code *out) {
  return ast->kind == FP_AST_UNARY ? resolve_unary(r, ast, out) : resolve_binary(r, ast, out);
}
