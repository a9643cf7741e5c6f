/* parse.c - FHIRPath tokens to a syntax tree: a Pratt parser fed by one table of operators. */
#include "fhirpath/internal.h"

/* A tree may be this many times higher than expressions may nest: chains of operators lean to the left. */
enum { HEIGHT_PER_DEPTH = 10 };

struct parser {
  const struct fp_compile *compile;
  struct fp_lexer lexer;
  struct arena *scratch; /* of the syntax tree */
  struct fp_token token;
  struct diag_list *diags;
  size_t used; /* end of the last token taken */
  size_t depth, max_depth;
};

struct operator_row {
  const char *text;
  int precedence; /* FHIRPath 2.0.0 section 6.8; higher binds tighter */
  enum fp_op op;
};
static const struct operator_row operators[] = {
    {"implies", 1, FP_OP_IMPLIES},
    {"or", 2, FP_OP_OR},
    {"xor", 2, FP_OP_XOR},
    {"and", 3, FP_OP_AND},
    {"in", 4, FP_OP_IN},
    {"contains", 4, FP_OP_CONTAINS},
    {"=", 5, FP_OP_EQ},
    {"!=", 5, FP_OP_NE},
    {"~", 5, FP_OP_EQUIV},
    {"!~", 5, FP_OP_NEQUIV},
    {"<", 6, FP_OP_LT},
    {"<=", 6, FP_OP_LE},
    {">", 6, FP_OP_GT},
    {">=", 6, FP_OP_GE},
    {"|", 7, FP_OP_UNION},
    {"is", 8, FP_OP_IS},
    {"as", 8, FP_OP_AS},
    {"+", 9, FP_OP_ADD},
    {"-", 9, FP_OP_SUB},
    {"&", 9, FP_OP_CONCAT},
    {"*", 10, FP_OP_MUL},
    {"/", 10, FP_OP_DIV},
    {"div", 10, FP_OP_INTDIV},
    {"mod", 10, FP_OP_MOD},
};
enum { UNARY = 11 };

static struct fp_ast *expression(struct parser *p, int least);

/* --- small things */

static struct fp_ast *complain(struct parser *p, enum diag_code code, size_t offset, const char *message) {
  struct diag_at at = {.source = p->compile->source, .offset = offset};
  diag_error(p->diags, code, &at, "%s", message);
  return NULL;
}

static struct fp_ast *unexpected(struct parser *p, const char *wanted) {
  struct diag_at at = {.source = p->compile->source, .offset = p->token.offset};
  if (p->token.kind == FP_T_ERROR) {
    diag_error(p->diags, DIAG_FHIRPATH_SYNTAX, &at, "%s", p->token.problem);
  } else if (p->token.kind == FP_T_END) {
    diag_error(p->diags, DIAG_FHIRPATH_SYNTAX, &at, "the expression ends where %s is expected", wanted);
  } else {
    struct str found = diag_quote(p->diags->arena, str_slice(p->lexer.text, p->token.offset, p->token.end));
    diag_error(p->diags, DIAG_FHIRPATH_SYNTAX, &at, "%s is expected, found %.*s", wanted, STR_ARG(found));
  }
  return NULL;
}

static void advance(struct parser *p) {
  p->used = p->token.end;
  p->token = fp_lex(&p->lexer);
}

static bool at_symbol(const struct parser *p, const char *text) {
  return p->token.kind == FP_T_SYMBOL && str_is(p->token.text, text);
}

static bool take_symbol(struct parser *p, const char *text) {
  if (!at_symbol(p, text)) return false;
  advance(p);
  return true;
}

static struct fp_ast *node(struct parser *p, enum fp_ast_kind kind, size_t offset) {
  struct fp_ast *ast = ARENA_NEW(p->scratch, struct fp_ast);
  if (ast) {
    ast->kind = kind;
    ast->offset = (uint32_t)offset;
    ast->height = 1;
  }
  return ast;
}

/* Sets the operands; refuses trees that are too high to be walked. */
static struct fp_ast *join(struct parser *p, struct fp_ast *ast, struct fp_ast *left, struct fp_ast *right) {
  if (!ast) return NULL;
  ast->left = left;
  ast->right = right;
  if (left && left->height >= ast->height) ast->height = left->height + 1;
  if (right && right->height >= ast->height) ast->height = right->height + 1;
  if (ast->height > p->max_depth * HEIGHT_PER_DEPTH)
    return complain(p, DIAG_FHIRPATH_LIMIT, ast->offset, "the expression has too many operators in a row");
  return ast;
}

/* --- literals */

int fp_calendar_unit(struct str word) {
  static const char *const words[] = {"year", "month",  "week",   "day",
                                      "hour", "minute", "second", "millisecond"};
  if (word.len > 1 && word.ptr[word.len - 1] == 's') word.len--;
  for (int i = 0; i < 8; i++) {
    if (str_is(word, words[i])) return i;
  }
  return -1;
}

static struct str without_leading_zeros(struct str digits) {
  while (digits.len > 1 && digits.ptr[0] == '0' && digits.ptr[1] != '.')
    digits = str_slice(digits, 1, digits.len);
  return digits;
}

static bool number_item(struct parser *p, struct str digits, struct fp_item *out) {
  if (str_find_char(digits, '.', 0) == SIZE_MAX && str_to_int64(digits, &out->integer)) {
    out->kind = FP_INTEGER;
    return true;
  }
  struct decimal *value = ARENA_NEW(p->lexer.arena, struct decimal);
  *out = (struct fp_item){.kind = FP_DECIMAL, .decimal = value};
  return value && decimal_parse(digits, value);
}

static bool at_unit(const struct parser *p) {
  if (p->token.kind == FP_T_STRING) return p->lexer.text.ptr[p->token.offset] == '\'';
  return p->token.kind == FP_T_NAME && fp_calendar_unit(p->token.text) >= 0;
}

static struct fp_ast *number(struct parser *p) {
  struct fp_ast *ast = node(p, FP_AST_LITERAL, p->token.offset);
  struct str digits = without_leading_zeros(p->token.text);
  if (!ast) return NULL;
  if (!number_item(p, digits, &ast->literal))
    return complain(p, DIAG_FHIRPATH_SYNTAX, p->token.offset, "the number has too many digits");
  advance(p);
  if (!at_unit(p)) return ast;
  struct fp_quantity *quantity = ARENA_NEW(p->lexer.arena, struct fp_quantity);
  if (!quantity || !decimal_parse(digits, &quantity->value)) return NULL;
  quantity->text = digits;
  quantity->unit = p->token.text;
  quantity->calendar = p->token.kind == FP_T_NAME;
  ast->literal = (struct fp_item){.kind = FP_QUANTITY, .quantity = quantity};
  advance(p);
  return ast;
}

static struct fp_ast *date(struct parser *p) {
  struct fp_ast *ast = node(p, FP_AST_LITERAL, p->token.offset);
  enum datetime_kind kind = p->token.kind == FP_T_TIME       ? DATETIME_TIME
                            : p->token.kind == FP_T_DATETIME ? DATETIME_DATETIME
                                                             : DATETIME_DATE;
  struct str text = p->token.text;
  if (str_ends(text, STR("T"))) text = str_slice(text, 0, text.len - 1);
  struct datetime value;
  if (!datetime_parse_literal(text, kind, &value))
    return complain(p, DIAG_FHIRPATH_SYNTAX, p->token.offset, "there is no such date or time");
  if (ast)
    ast->literal = (struct fp_item){.kind = kind == DATETIME_TIME       ? FP_TIME
                                            : kind == DATETIME_DATETIME ? FP_DATETIME
                                                                        : FP_DATE,
                                    .string = text};
  advance(p);
  return ast;
}

static struct fp_ast *string(struct parser *p) {
  struct fp_ast *ast = node(p, FP_AST_LITERAL, p->token.offset);
  if (ast) ast->literal = (struct fp_item){.kind = FP_STRING, .string = p->token.text};
  advance(p);
  return ast;
}

/* --- terms */

static struct fp_ast *arguments(struct parser *p, struct fp_ast *call) {
  struct fp_ast **tail = &call->arguments;
  advance(p); /* ( */
  if (take_symbol(p, ")")) return call;
  do {
    struct fp_ast *argument = expression(p, 0);
    if (!argument) return NULL;
    *tail = argument;
    tail = &argument->next;
    call->argument_count++;
    if (argument->height >= call->height) call->height = argument->height + 1;
  } while (take_symbol(p, ","));
  return take_symbol(p, ")") ? call : unexpected(p, "a comma or )");
}

/* A name or a function; `left` NULL at the begin of a path. */
static struct fp_ast *invocation(struct parser *p, struct fp_ast *left) {
  struct fp_ast *ast = node(p, FP_AST_NAME, p->token.offset);
  if (!ast) return NULL;
  if (p->token.kind == FP_T_DOLLAR) {
    ast->kind = str_is(p->token.text, "this")    ? FP_AST_THIS
                : str_is(p->token.text, "index") ? FP_AST_INDEX
                                                 : FP_AST_TOTAL;
    if (left) return complain(p, DIAG_FHIRPATH_SYNTAX, p->token.offset, "$ names begin a path");
    advance(p);
    return ast;
  }
  if (p->token.kind != FP_T_NAME && p->token.kind != FP_T_QUOTED_NAME) return unexpected(p, "a name");
  ast->name = p->token.text;
  advance(p);
  if (at_symbol(p, "(")) {
    ast->kind = FP_AST_CALL;
    if (!arguments(p, ast)) return NULL;
  }
  return join(p, ast, left, NULL);
}

static struct fp_ast *keyword(struct parser *p) {
  if (p->token.kind != FP_T_NAME) return NULL;
  bool is_true = str_is(p->token.text, "true");
  if (!is_true && !str_is(p->token.text, "false")) return NULL;
  struct fp_ast *ast = node(p, FP_AST_LITERAL, p->token.offset);
  if (ast) ast->literal = (struct fp_item){.kind = FP_BOOLEAN, .boolean = is_true};
  return ast;
}

static struct fp_ast *bracketed(struct parser *p) {
  struct fp_ast *ast = NULL;
  if (at_symbol(p, "{")) {
    ast = node(p, FP_AST_EMPTY, p->token.offset);
    advance(p);
    return take_symbol(p, "}") ? ast : unexpected(p, "}");
  }
  advance(p);
  ast = expression(p, 0);
  if (ast && !take_symbol(p, ")")) return unexpected(p, "an operator or )");
  return ast;
}

static struct fp_ast *term(struct parser *p) {
  struct fp_ast *ast = NULL;
  switch (p->token.kind) {
  case FP_T_NUMBER:
    return number(p);
  case FP_T_STRING:
    return string(p);
  case FP_T_DATE:
  case FP_T_DATETIME:
  case FP_T_TIME:
    return date(p);
  case FP_T_EXTERNAL:
    ast = node(p, FP_AST_EXTERNAL, p->token.offset);
    if (ast) ast->name = p->token.text;
    advance(p);
    return ast;
  case FP_T_NAME:
    ast = keyword(p);
    if (!ast) return invocation(p, NULL);
    advance(p);
    return ast;
  case FP_T_QUOTED_NAME:
  case FP_T_DOLLAR:
    return invocation(p, NULL);
  default:
    if (at_symbol(p, "(") || at_symbol(p, "{")) return bracketed(p);
    return unexpected(p, "a value, a name or (");
  }
}

static struct fp_ast *postfix(struct parser *p, struct fp_ast *left) {
  while (left && (at_symbol(p, ".") || at_symbol(p, "["))) {
    size_t offset = p->token.offset;
    bool dot = at_symbol(p, ".");
    advance(p);
    if (dot) {
      left = invocation(p, left);
      continue;
    }
    struct fp_ast *index = expression(p, 0);
    if (!index) return NULL;
    if (!take_symbol(p, "]")) return unexpected(p, "]");
    left = join(p, node(p, FP_AST_INDEXER, offset), left, index);
  }
  return left;
}

/* --- operators */

static struct fp_ast *unary(struct parser *p) {
  if (!at_symbol(p, "-") && !at_symbol(p, "+")) return postfix(p, term(p));
  struct fp_ast *ast = node(p, FP_AST_UNARY, p->token.offset);
  if (ast) ast->op = at_symbol(p, "-") ? FP_OP_NEGATE : FP_OP_PLUS;
  advance(p);
  struct fp_ast *operand = expression(p, UNARY);
  return operand ? join(p, ast, operand, NULL) : NULL;
}

static const struct operator_row *infix(const struct parser *p) {
  if (p->token.kind != FP_T_SYMBOL && p->token.kind != FP_T_NAME) return NULL;
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
    if (str_is(p->token.text, operators[i].text)) return &operators[i];
  }
  return NULL;
}

/* The type after is and as: Patient, FHIR.Patient, System.`String`. */
static struct fp_ast *type_name(struct parser *p, struct fp_ast *ast, struct fp_ast *left) {
  for (int part = 0; ast; part++) {
    if (p->token.kind != FP_T_NAME && p->token.kind != FP_T_QUOTED_NAME)
      return unexpected(p, "the name of a type");
    if (part > 0) ast->space = ast->name;
    ast->name = p->token.text;
    advance(p);
    if (part == 1 || !at_symbol(p, ".")) break;
    advance(p);
  }
  return join(p, ast, left, NULL);
}

static struct fp_ast *binary(struct parser *p, struct fp_ast *left, const struct operator_row *row) {
  bool type = row->op == FP_OP_IS || row->op == FP_OP_AS;
  struct fp_ast *ast = node(p, type ? FP_AST_TYPE : FP_AST_BINARY, p->token.offset);
  if (!ast) return NULL;
  ast->op = row->op;
  advance(p);
  if (type) return type_name(p, ast, left);
  struct fp_ast *right = expression(p, row->precedence + 1);
  return right ? join(p, ast, left, right) : NULL;
}

static struct fp_ast *expression(struct parser *p, int least) {
  if (++p->depth > p->max_depth)
    return complain(p, DIAG_FHIRPATH_LIMIT, p->token.offset, "the expression nests too deeply");
  struct fp_ast *left = unary(p);
  const struct operator_row *row;
  while (left && (row = infix(p)) && row->precedence >= least)
    left = binary(p, left, row);
  p->depth--;
  return left;
}

struct fp_ast *fp_parse(const struct fp_compile *compile, struct arena *arena, struct diag_list *diags,
                        size_t *used) {
  struct fp_limits limits = compile->limits ? *compile->limits : fp_limits_default();
  struct parser p = {.compile = compile,
                     .lexer = {.arena = arena,
                               .text = str_slice(compile->source->text, 0, compile->to),
                               .at = compile->from,
                               .double_quotes = compile->double_quotes},
                     .scratch = compile->scratch ? compile->scratch : arena,
                     .diags = diags,
                     .max_depth = limits.depth};
  if (!compile->prefix && compile->to - compile->from > limits.text_bytes)
    return complain(&p, DIAG_FHIRPATH_LIMIT, compile->from, "the expression is too long");
  p.token = fp_lex(&p.lexer);
  struct fp_ast *ast = expression(&p, 0);
  if (ast && !compile->prefix && p.token.kind != FP_T_END) return unexpected(&p, "an operator or the end");
  *used = p.used;
  return ast;
}
