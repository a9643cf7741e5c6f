/* fold.c - unions of literals: made once, when the expression is compiled, not at each evaluation. */
#include "fhirpath/internal.h"

enum { ON_STACK = 64 };

/* 'a' | 'b' | 'c'. A union in brackets on the right is made while running: it is told apart from duplicates on its own. */
static bool is_constant(const struct fp_ast *ast) {
  while (ast->kind == FP_AST_BINARY && ast->op == FP_OP_UNION && ast->right->kind == FP_AST_LITERAL)
    ast = ast->left;
  return ast->kind == FP_AST_LITERAL;
}

static bool add(struct fp_eval *e, const struct fp_ast *ast, struct fp_set *set) {
  bool added;
  if (ast->kind == FP_AST_LITERAL) return fp_set_add(e, set, &ast->literal, &added);
  return add(e, ast->left, set) && fp_set_add(e, set, &ast->right->literal, &added);
}

static struct fp_static type_of(struct fp_resolver *r, const struct fp_ast *ast) {
  if (ast->kind == FP_AST_LITERAL) return fp_static_kind(r->scratch, ast->literal.kind);
  struct fp_static left = type_of(r, ast->left), right = type_of(r, ast->right);
  return fp_static_both(r->scratch, &left, &right);
}

/* Hashed when all are texts; false: no memory. */
static bool index_texts(struct arena *arena, struct fp_constants *constants) {
  const struct fp_list *list = &constants->list;
  for (size_t i = 0; i < list->count; i++)
    if (list->items[i].kind != FP_STRING) return true;
  map_init(&constants->texts, arena);
  for (size_t i = 0; i < list->count; i++)
    if (map_put(&constants->texts, list->items[i].string, &list->items[i]) == STATUS_NOMEM) return false;
  constants->only_texts = true;
  return true;
}

/* The evaluator itself says what is equal, with the limits of an evaluation. */
static struct fp_constants *constants_of(struct fp_resolver *r, const struct fp_ast *ast) {
  static const struct fp_run run = {0};
  struct fp_item scratch[ON_STACK];
  struct fp_set set = {0};
  struct fp_eval e = {.program = r->program, .run = &run, .arena = r->arena, .top = scratch,
                      .limit = scratch + ON_STACK, .max_steps = LIMIT_EVAL_STEPS, .max_items = LIMIT_EVAL_ITEMS};
  e.spare = &e.own_spare;
  if (!add(&e, ast, &set)) return NULL;
  struct fp_constants *constants = ARENA_NEW(r->arena, struct fp_constants);
  struct fp_item *items = ARENA_ARRAY(r->arena, struct fp_item, set.list.count);
  if (!constants || !items) return NULL;
  memcpy(items, set.list.items, set.list.count * sizeof *items);
  constants->list = (struct fp_list){items, set.list.count, set.list.count};
  return index_texts(r->arena, constants) ? constants : NULL;
}

bool fp_fold_union(struct fp_resolver *r, const struct fp_ast *ast, struct fp_code *out) {
  if (!is_constant(ast)) return false;
  struct fp_constants *constants = constants_of(r, ast);
  struct fp_ins *ins = constants ? fp_new_ins(r, FP_OP_CONSTANTS, ast->offset) : NULL;
  if (!ins) return false;
  ins->constants = constants;
  *out = (struct fp_code){ins, type_of(r, ast)};
  return true;
}

void fp_fold_membership(struct fp_ins *ins) {
  if (ins->op != FP_OP_IN && ins->op != FP_OP_CONTAINS) return;
  const struct fp_ins *list = ins->op == FP_OP_IN ? ins->right : ins->input;
  if (list->op != FP_OP_CONSTANTS || !list->constants->only_texts) return;
  ins->input = ins->op == FP_OP_IN ? ins->input : ins->right;
  ins->right = list;
  ins->op = FP_OP_IN_TEXTS;
  ins->test = fp_op_test(FP_OP_IN_TEXTS);
}
