/* parse_rule.c - the rules of a group: sources, targets, transforms, calls; and the extent of FHIRPath. */
#include "mapping/parse.h"

enum { RULE_DEPTH = 64 };

static struct str describe(const struct fml_parser *p) {
  if (p->token.kind == FML_END) return STR("the end of the text");
  return arena_printf(p->arena, "'%.*s'", STR_ARG(diag_quote(p->arena, p->token.text)));
}

/* --- extent of an expression -----------------------------------------------------------------------------
 */

static bool word_in(const struct fml_parser *p, const char *const *words) {
  for (; *words; words++)
    if (fml_at_word(p, *words)) return true;
  return false;
}

static bool is_operator_word(const struct fml_parser *p) {
  static const char *const words[] = {"and", "or",       "xor", "implies", "is", "as",
                                      "in",  "contains", "div", "mod",     NULL};
  return word_in(p, words);
}

static bool is_calendar_word(const struct fml_parser *p) {
  static const char *const words[] = {"year",   "years",   "month",       "months",       "week",   "weeks",
                                      "day",    "days",    "hour",        "hours",        "minute", "minutes",
                                      "second", "seconds", "millisecond", "milliseconds", NULL};
  return word_in(p, words);
}

/* After a symbol: does the expression want an operand? -1: the symbol cannot stand in an expression. */
static int after_symbol(unsigned symbol) {
  switch (symbol) {
  case ')':
  case ']':
  case '}':
    return 0;
  case FML_ARROW:
  case ';':
    return -1;
  default:
    return 1;
  }
}

struct extent {
  int nesting;
  bool operand; /* an operand is wanted next */
  bool number;  /* the last token was a number: a unit may follow */
};

/* Takes the token at hand into the extent; false when it cannot go on with it. */
static bool extent_symbol(struct extent *e, unsigned symbol) {
  int next = after_symbol(symbol);
  if (next < 0) return false;
  bool opens = symbol == '(' || symbol == '[' || symbol == '{';
  if (symbol == '{' && !e->operand) return false;
  if (next == 0 && e->nesting == 0) return false;
  if (symbol == ',' && e->nesting == 0) return false;
  if (opens) e->nesting++;
  if (next == 0) e->nesting--;
  e->operand = next == 1;
  return true;
}

static bool extent_takes(const struct fml_parser *p, struct extent *e) {
  bool number = e->number;
  e->number = false;
  switch (p->token.kind) {
  case FML_SYMBOL:
    return extent_symbol(e, p->token.symbol);
  case FML_NAME:
    if (!e->operand && is_operator_word(p)) {
      e->operand = true;
      return true;
    }
    if (!e->operand && !(number && is_calendar_word(p))) return e->nesting > 0;
    break;
  case FML_STRING:
    if (!e->operand && !number) return e->nesting > 0;
    break;
  case FML_NUMBER:
    e->number = true;
    if (!e->operand) return e->nesting > 0;
    break;
  case FML_QUOTED:
  case FML_DELIMITED:
  case FML_DATE:
    if (!e->operand) return e->nesting > 0;
    break;
  default:
    return false;
  }
  e->operand = false;
  return true;
}

struct ast_range fml_parse_expression(struct fml_parser *p, const char *what) {
  struct ast_range range = {.from = p->token.at, .to = p->token.at};
  struct extent e = {.operand = true};
  while (!p->panic && extent_takes(p, &e)) {
    range.to = p->token.end;
    fml_advance(p);
  }
  if (range.to == range.from)
    fml_syntax(p, "expected a FHIRPath expression for %s, found %.*s", what, STR_ARG(describe(p)));
  else if (e.nesting > 0)
    fml_syntax(p, "a bracket is not closed in %s", what);
  return range;
}

/* --- pieces ----------------------------------------------------------------------------------------------
 */

static struct ast_step *parse_path(struct fml_parser *p) {
  struct ast_step *first = NULL, **end = &first;
  while (!p->panic && fml_take_symbol(p, '.')) {
    struct ast_step *step = FML_NODE(p, struct ast_step);
    if (!step) break;
    step->name = fml_want_name(p, "the name of an element");
    *end = step;
    end = &step->next;
  }
  return first;
}

static struct ast_arg *parse_literal(struct fml_parser *p) {
  struct ast_arg *arg = FML_NODE(p, struct ast_arg);
  if (!arg) return NULL;
  arg->at = p->token.at;
  bool minus = fml_take_symbol(p, '-');
  struct fml_token token = p->token;
  arg->range = (struct ast_range){arg->at, token.end};
  arg->text = str_slice(p->map->source.text, arg->at, token.end);
  if (token.kind == FML_NUMBER) {
    arg->kind = str_find_char(token.text, '.', 0) == SIZE_MAX ? AST_INTEGER : AST_DECIMAL;
  } else if (!minus && (token.kind == FML_STRING || token.kind == FML_QUOTED)) {
    arg->kind = AST_STRING;
    arg->text = fml_plain(p, token.text);
  } else if (!minus && token.kind == FML_DATE) {
    arg->kind = AST_DATE;
    arg->text = str_slice(token.text, 1, token.text.len);
  } else if (!minus && (fml_at_word(p, "true") || fml_at_word(p, "false"))) {
    arg->kind = AST_BOOLEAN;
  } else if (!minus && (token.kind == FML_NAME || token.kind == FML_DELIMITED)) {
    arg->kind = AST_VARIABLE;
    arg->text = token.text;
  } else {
    fml_syntax(p, "expected a variable or a literal, found %.*s", STR_ARG(describe(p)));
    return arg;
  }
  fml_advance(p);
  return arg;
}

/* `(a, 'b', 3)`; the second argument of evaluate is an expression. */
static struct ast_arg *parse_args(struct fml_parser *p, bool evaluate, size_t *count) {
  struct ast_arg *first = NULL, **end = &first;
  *count = 0;
  fml_want_symbol(p, '(', "before the arguments");
  while (!p->panic && !fml_at_symbol(p, ')')) {
    struct ast_arg *arg = NULL;
    if (evaluate && *count == 1) {
      arg = FML_NODE(p, struct ast_arg);
      if (!arg) break;
      arg->kind = AST_EXPRESSION;
      arg->at = p->token.at;
      arg->range = fml_parse_expression(p, "evaluate");
    } else {
      arg = parse_literal(p);
    }
    if (!arg || p->panic) break;
    *end = arg;
    end = &arg->next;
    ++*count;
    if (!fml_at_symbol(p, ')')) fml_want_symbol(p, ',', "between arguments");
  }
  fml_want_symbol(p, ')', "after the arguments");
  return first;
}

/* --- sources ---------------------------------------------------------------------------------------------
 */

static void parse_cardinality(struct fml_parser *p, struct ast_source *source) {
  int64_t value = 0;
  source->has_cardinality = true;
  if (!str_to_int64(p->token.text, &value) || value > INT32_MAX) fml_syntax(p, "not a whole number");
  source->min = (uint32_t)value;
  fml_advance(p);
  fml_want_symbol(p, FML_DOTS, "in a cardinality");
  if (fml_take_symbol(p, '*')) {
    source->max = DEF_UNBOUNDED;
    return;
  }
  if (p->panic) return;
  if (p->token.kind != FML_NUMBER || !str_to_int64(p->token.text, &value) || value > INT32_MAX) {
    fml_syntax(p, "expected a whole number or *, found %.*s", STR_ARG(describe(p)));
    return;
  }
  source->max = (uint32_t)value;
  fml_advance(p);
}

static bool parse_source_mode(struct fml_parser *p, struct ast_source *source) {
  static const struct {
    const char *word;
    enum ast_source_mode mode;
  } rows[] = {{"first", AST_FIRST},
              {"not_first", AST_NOT_FIRST},
              {"last", AST_LAST},
              {"not_last", AST_NOT_LAST},
              {"only_one", AST_ONLY_ONE}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    if (!fml_take_word(p, rows[i].word)) continue;
    source->mode = rows[i].mode;
    return true;
  }
  return false;
}

/* `default (expression)` or `default "text"`; what follows in round brackets is not part of it. */
static struct ast_range parse_default(struct fml_parser *p) {
  struct ast_range range;
  if (fml_take_symbol(p, '(')) {
    range = fml_parse_expression(p, "default");
    fml_want_symbol(p, ')', "after the default");
    return range;
  }
  struct ast_arg *arg = parse_literal(p);
  range = arg ? arg->range : (struct ast_range){0};
  if (arg && arg->kind == AST_VARIABLE) fml_syntax(p, "a default is a literal, or an expression in brackets");
  return range;
}

static bool parse_source_clause(struct fml_parser *p, struct ast_source *source) {
  if (p->panic) return false;
  if (p->token.kind == FML_NUMBER && !source->has_cardinality) {
    parse_cardinality(p, source);
  } else if (fml_take_word(p, "default")) {
    source->fallback = parse_default(p);
  } else if (fml_take_word(p, "as")) {
    source->alias = fml_want_name(p, "the name of a variable");
  } else if (fml_take_word(p, "where")) {
    source->where = fml_parse_expression(p, "where");
  } else if (fml_take_word(p, "check")) {
    source->check = fml_parse_expression(p, "check");
  } else if (fml_take_word(p, "log")) {
    source->log = fml_parse_expression(p, "log");
  } else {
    return parse_source_mode(p, source);
  }
  return true;
}

static struct ast_source *parse_source(struct fml_parser *p) {
  struct ast_source *source = FML_NODE(p, struct ast_source);
  if (!source) return NULL;
  source->context = fml_want_name(p, "a source variable");
  source->path = parse_path(p);
  if (!p->panic && fml_take_symbol(p, ':')) {
    source->type = p->token.kind == FML_QUOTED ? fml_want_text(p, "a type") : fml_want_name(p, "a type");
    while (!p->panic && fml_take_symbol(p, '.')) { /* FHIR.Patient: the namespace goes without saying */
      struct ast_name part = fml_want_name(p, "a type");
      if (str_is(source->type.text, "FHIR"))
        source->type.text = part.text;
      else
        source->type.text = str_slice(p->map->source.text, source->type.at, p->last_end);
    }
  }
  while (parse_source_clause(p, source))
    continue;
  return source;
}

/* --- targets ---------------------------------------------------------------------------------------------
 */

static bool parse_target_mode(struct fml_parser *p, struct ast_target *target) {
  static const struct {
    const char *word;
    enum ast_target_mode mode;
  } rows[] = {{"first", AST_TARGET_FIRST},
              {"last", AST_TARGET_LAST},
              {"share", AST_SHARE},
              {"single", AST_SINGLE},
              {"collate", AST_SINGLE}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    if (!fml_take_word(p, rows[i].word)) continue;
    target->mode = rows[i].mode;
    if (target->mode == AST_SHARE) target->share = fml_want_name(p, "the name of what is shared");
    return true;
  }
  return false;
}

/* `( expression )` */
static void parse_inline_expression(struct fml_parser *p, struct ast_target *target) {
  struct ast_arg *arg = FML_NODE(p, struct ast_arg);
  if (!arg) return;
  arg->kind = AST_EXPRESSION;
  arg->at = p->token.at;
  fml_want_symbol(p, '(', "before an expression");
  arg->range = fml_parse_expression(p, "a target");
  fml_want_symbol(p, ')', "after an expression");
  target->args = arg;
  target->arg_count = 1;
  target->transform = (struct ast_name){STR("evaluate"), arg->at};
}

static void set_copy(struct ast_target *target, struct ast_arg *arg) {
  target->args = arg;
  target->arg_count = 1;
  target->transform = (struct ast_name){STR("copy"), arg ? arg->at : target->at};
}

/* What stands after `=`. */
static void parse_transform(struct fml_parser *p, struct ast_target *target) {
  target->has_value = true;
  if (fml_at_symbol(p, '(')) {
    parse_inline_expression(p, target);
    return;
  }
  struct ast_arg *arg = parse_literal(p);
  if (!arg || p->panic) return;
  if (arg->kind == AST_VARIABLE && fml_at_symbol(p, '(')) {
    target->transform = (struct ast_name){arg->text, arg->at};
    target->args = parse_args(p, str_is(arg->text, "evaluate"), &target->arg_count);
    return;
  }
  set_copy(target, arg);
  if (arg->kind != AST_VARIABLE || !fml_at_symbol(p, '.')) return;
  parse_path(p); /* a.b.c: read as an expression */
  arg->kind = AST_EXPRESSION;
  arg->range = (struct ast_range){arg->at, p->last_end};
  target->transform.text = STR("evaluate");
}

static void parse_place(struct fml_parser *p, struct ast_target *target) {
  struct ast_name start = fml_want_name(p, "a target variable or a transform");
  if (p->panic) return;
  if (fml_at_symbol(p, '(')) { /* create('Patient') as p */
    target->has_value = true;
    target->transform = start;
    target->args = parse_args(p, str_is(start.text, "evaluate"), &target->arg_count);
    return;
  }
  target->context = start;
  target->path = parse_path(p);
  if (!p->panic && fml_take_symbol(p, '=')) {
    parse_transform(p, target);
  } else if (!target->path) { /* tgt as x: another name */
    struct ast_arg *arg = FML_NODE(p, struct ast_arg);
    if (!arg) return;
    *arg = (struct ast_arg){.kind = AST_VARIABLE, .text = start.text, .at = start.at};
    target->context = (struct ast_name){.at = start.at};
    target->has_value = true;
    set_copy(target, arg);
  }
}

static struct ast_target *parse_target(struct fml_parser *p) {
  struct ast_target *target = FML_NODE(p, struct ast_target);
  if (!target) return NULL;
  target->at = p->token.at;
  if (fml_at_symbol(p, '(')) {
    target->has_value = true;
    parse_inline_expression(p, target);
  } else {
    parse_place(p, target);
  }
  while (!p->panic) {
    if (fml_take_word(p, "as"))
      target->alias = fml_want_name(p, "the name of a variable");
    else if (!parse_target_mode(p, target))
      break;
  }
  return target;
}

/* --- rules -----------------------------------------------------------------------------------------------
 */

static void parse_calls(struct fml_parser *p, struct ast_rule *rule) {
  struct ast_call **end = &rule->calls;
  do {
    struct ast_call *call = FML_NODE(p, struct ast_call);
    if (!call) return;
    call->name = fml_want_name(p, "the name of a group");
    call->args = parse_args(p, false, &call->arg_count);
    *end = call;
    end = &call->next;
  } while (!p->panic && fml_take_symbol(p, ','));
}

static void parse_then(struct fml_parser *p, struct ast_rule *rule) {
  if (p->panic || !fml_take_word(p, "then")) return;
  if (!fml_at_symbol(p, '{')) parse_calls(p, rule);
  if (!p->panic && fml_at_symbol(p, '{')) rule->rules = fml_parse_rules(p);
}

/* The reference engine's short form: src.a -> tgt.b, nothing named, nothing below. */
static bool is_simple(const struct ast_rule *rule) {
  const struct ast_source *s = rule->sources;
  const struct ast_target *t = rule->targets;
  return rule->source_count == 1 && rule->target_count == 1 && s->path && !s->alias.text.len && t->path &&
         !t->alias.text.len && !t->has_value && !rule->calls && !rule->rules;
}

static void parse_sides(struct fml_parser *p, struct ast_rule *rule) {
  struct ast_source **source_end = &rule->sources;
  do {
    struct ast_source *source = parse_source(p);
    if (!source) return;
    *source_end = source;
    source_end = &source->next;
    rule->source_count++;
  } while (!p->panic && fml_take_symbol(p, ','));
  if (p->panic || !fml_take_symbol(p, FML_ARROW)) return;
  struct ast_target **target_end = &rule->targets;
  do {
    struct ast_target *target = parse_target(p);
    if (!target) return;
    *target_end = target;
    target_end = &target->next;
    rule->target_count++;
  } while (!p->panic && fml_take_symbol(p, ','));
}

struct ast_name fml_default_name(const struct ast_rule *rule) {
  const struct ast_step *step = rule->sources ? rule->sources->path : NULL;
  if (!step) return rule->sources ? rule->sources->context : (struct ast_name){.at = rule->at};
  while (step->next)
    step = step->next;
  return step->name;
}

static struct ast_rule *parse_rule(struct fml_parser *p) {
  struct ast_rule *rule = FML_NODE(p, struct ast_rule);
  if (!rule) return NULL;
  rule->at = p->token.at;
  parse_sides(p, rule);
  parse_then(p, rule);
  if (p->panic) return rule;
  if (p->token.kind == FML_QUOTED || p->token.kind == FML_STRING)
    rule->name = fml_want_text(p, "the name of the rule");
  else if (p->token.kind == FML_NAME || p->token.kind == FML_DELIMITED)
    rule->name = fml_want_name(p, "the name of the rule");
  else
    rule->name = fml_default_name(rule);
  fml_want_symbol(p, ';', "after a rule");
  if (!p->panic) rule->simple = is_simple(rule);
  return rule;
}

/* To the end of the rule at hand: behind its `;`, or before the `}` of its list. */
static void recover(struct fml_parser *p) {
  unsigned braces = 0;
  while (p->token.kind != FML_END) {
    if (fml_at_symbol(p, '{')) braces++;
    if (fml_at_symbol(p, '}') && braces-- == 0) break;
    bool end = fml_at_symbol(p, ';') && braces == 0;
    fml_advance(p);
    if (end) break;
  }
  p->panic = false;
}

struct ast_rule *fml_parse_rules(struct fml_parser *p) {
  struct ast_rule *first = NULL, **end = &first;
  fml_want_symbol(p, '{', "before the rules");
  if (!p->panic && p->depth >= RULE_DEPTH) fml_syntax(p, "rules are nested more than %d deep", RULE_DEPTH);
  if (p->panic) return NULL;
  p->depth++;
  while (!p->nomem && !fml_at_symbol(p, '}') && p->token.kind != FML_END) {
    struct ast_rule *rule = parse_rule(p);
    if (p->panic && !p->nomem) {
      recover(p);
      continue;
    }
    if (!rule || p->nomem) break;
    *end = rule;
    end = &rule->next;
  }
  p->depth--;
  fml_want_symbol(p, '}', "after the rules");
  return first;
}
