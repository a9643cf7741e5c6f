/* dump.c - a compiled map as text, for those who want to know what the program does with it. */
#include "mapping/internal.h"

struct dump {
  const struct mapping_set *set;
  const struct mapping_map *map; /* whose text the rule at hand stands in */
  struct buf *out;
  struct buf text; /* a FHIRPath program, before it is indented */
};

static void indent(const struct dump *d, unsigned depth) {
  buf_printf(d->out, "%*s", (int)(depth > 40 ? 40 : depth) * 2, "");
}

static void add_type(const struct dump *d, struct fml_type type) {
  if (type.type) {
    buf_printf(d->out, " : %.*s", STR_ARG(def_type_name(type.type)));
  } else if (type.choice) {
    buf_printf(d->out, " : one of %.*s", STR_ARG(def_element_path(type.choice)));
  }
}

/* #3 name */
static void add_slot(const struct dump *d, int slot, struct str name) {
  buf_printf(d->out, "#%d", slot);
  if (name.len) buf_printf(d->out, " %.*s", STR_ARG(name));
}

static void add_out(const struct dump *d, int slot, struct str name) {
  if (slot < 0 || !name.len) return;
  buf_add_text(d->out, "  -> ");
  add_slot(d, slot, name);
}

static void add_position(const struct dump *d, uint32_t at) {
  struct source_position p = source_locate(&d->map->source, at);
  buf_printf(d->out, "  (%.*s:%u:%u)\n", STR_ARG(d->map->file), p.line, p.col);
}

static void add_steps(const struct dump *d, const struct prog_step *steps, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const struct prog_step *step = &steps[i];
    if (step->is_value) {
      buf_add_text(d->out, ".value");
      continue;
    }
    struct str name = step->element ? def_element_name(step->element)
                                    : definitions_symbol_name(d->set->definitions, step->symbol);
    buf_printf(d->out, ".%.*s", STR_ARG(name));
    if (step->only) buf_printf(d->out, "(%.*s)", STR_ARG(def_type_name(step->only)));
    if (step->is_list) buf_add_text(d->out, "[]");
    if (!step->element) buf_add_text(d->out, "(found while running)");
  }
}

static void add_expr(struct dump *d, const char *word, const struct prog_expr *expr, unsigned depth) {
  if (!expr) return;
  indent(d, depth);
  buf_printf(d->out, "%s %.*s\n", word, STR_ARG(expr->text));
  buf_reset(&d->text);
  fhirpath_dump(expr->program, &d->text);
  struct str text = buf_str(&d->text);
  for (size_t at = 0; at < text.len;) {
    size_t end = str_find_char(text, '\n', at);
    if (end == SIZE_MAX) end = text.len;
    indent(d, depth + 1);
    buf_printf(d->out, "%.*s\n", STR_ARG(str_slice(text, at, end)));
    at = end + 1;
  }
  if (d->text.error != STATUS_OK) d->out->error = d->text.error;
}

static void add_args(const struct dump *d, const struct prog_arg *args, const struct ast_arg *ast) {
  buf_add_char(d->out, '(');
  for (size_t i = 0; ast; ast = ast->next, i++) {
    if (i) buf_add_text(d->out, ", ");
    if (ast->kind == AST_EXPRESSION)
      buf_add_text(d->out, "expression");
    else if (args[i].slot >= 0)
      add_slot(d, args[i].slot, ast->text);
    else
      buf_add_json(d->out, args[i].text);
  }
  buf_add_char(d->out, ')');
}

/* --- sources and targets ---------------------------------------------------------------------------------
 */

static void add_source(struct dump *d, const struct prog_source *source, unsigned depth) {
  static const char *const modes[] = {"all", "first", "not_first", "last", "not_last", "only_one"};
  indent(d, depth);
  buf_add_text(d->out, "read ");
  add_slot(d, source->context, source->ast->context.text);
  add_steps(d, source->steps, source->step_count);
  if (source->type) buf_printf(d->out, " only %.*s", STR_ARG(def_type_name(source->type)));
  if (source->ast->mode != AST_ALL) buf_printf(d->out, " %s", modes[source->ast->mode]);
  if (source->ast->has_cardinality) {
    buf_printf(d->out, " %u..", source->ast->min);
    if (source->ast->max == DEF_UNBOUNDED)
      buf_add_char(d->out, '*');
    else
      buf_printf(d->out, "%u", source->ast->max);
  }
  add_out(d, source->out, source->ast->alias.text);
  buf_add_char(d->out, '\n');
  add_expr(d, "default", source->fallback, depth + 1);
  add_expr(d, "where", source->where, depth + 1);
  add_expr(d, "check", source->check, depth + 1);
  add_expr(d, "log", source->log, depth + 1);
}

static void add_op(const struct dump *d, const struct prog_target *target) {
  static const char *const outputs[] = {"Coding", "code", "CodeableConcept", "system", "display"};
  if (target->op == PROG_MAKE) {
    buf_add_text(d->out, " make");
  } else if (target->op == PROG_AUTO) {
    buf_printf(d->out, " copy or default group of #%d", target->args[0].slot);
  } else if (target->op == PROG_LITERAL) {
    buf_add_text(d->out, " = ");
    buf_add_json(d->out, target->args[0].text);
  } else {
    buf_printf(d->out, " = %.*s", STR_ARG(target->ast->transform.text));
    add_args(d, target->args, target->ast->args);
  }
  if (target->op == PROG_TRANSLATE) buf_printf(d->out, " gives %s", outputs[target->output]);
  if (target->type) buf_printf(d->out, " : %.*s", STR_ARG(def_type_name(target->type)));
}

static void add_target(struct dump *d, const struct prog_target *target, unsigned depth) {
  static const char *const modes[] = {"", " first", " last", " share", " single"};
  indent(d, depth);
  if (target->context >= 0) {
    buf_add_text(d->out, "write ");
    add_slot(d, target->context, target->ast->context.text);
    add_steps(d, target->steps, target->step_count);
  } else {
    buf_add_text(d->out, "name");
  }
  add_op(d, target);
  buf_add_text(d->out, modes[target->ast->mode]);
  if (target->share >= 0) buf_printf(d->out, " #%d %.*s", target->share, STR_ARG(target->ast->share.text));
  add_out(d, target->out, target->ast->alias.text);
  buf_add_char(d->out, '\n');
  for (size_t i = 0; i < target->case_count; i++) {
    const struct prog_case *c = &target->cases[i];
    indent(d, depth + 1);
    buf_printf(d->out, "%.*s to %.*s ", STR_ARG(def_type_name(c->source)), STR_ARG(def_type_name(c->target)));
    if (c->group)
      buf_printf(d->out, "by group %.*s\n", STR_ARG(c->group->ast->name.text));
    else
      buf_add_text(d->out, "as a copy\n");
  }
  add_expr(d, "expression", target->expr, depth + 1);
}

/* --- rules and groups ------------------------------------------------------------------------------------
 */

static void add_rules(struct dump *d, const struct prog_rules *rules, unsigned depth) {
  for (size_t i = 0; rules->beside && i < rules->beside->shared_count; i++) {
    indent(d, depth);
    buf_printf(d->out, "empty #%d\n", rules->beside->shared[i]);
  }
  for (size_t i = 0; i < rules->count; i++) {
    const struct prog_rule *rule = &rules->rules[i];
    indent(d, depth);
    buf_printf(d->out, "rule %.*s", STR_ARG(rule->ast->name.text));
    add_position(d, rule->ast->at);
    for (size_t k = 0; k < rule->source_count; k++)
      add_source(d, &rule->sources[k], depth + 1);
    for (size_t k = 0; k < rule->target_count; k++)
      add_target(d, &rule->targets[k], depth + 1);
    for (size_t k = 0; k < rule->call_count; k++) {
      indent(d, depth + 1);
      buf_printf(d->out, "call %.*s", STR_ARG(rule->calls[k].ast->name.text));
      add_args(d, rule->calls[k].args, rule->calls[k].ast->args);
      buf_add_char(d->out, '\n');
    }
    add_rules(d, &rule->rules, depth + 1);
  }
}

static void add_group(struct dump *d, const struct prog_group *group) {
  size_t i = 0;
  buf_printf(d->out, "\ngroup %.*s(", STR_ARG(group->ast->name.text));
  for (const struct ast_param *param = group->ast->params; param; param = param->next, i++) {
    buf_printf(d->out, "%s%s ", i ? ", " : "", param->is_target ? "target" : "source");
    add_slot(d, (int)i, param->name.text);
    add_type(d, group->params[i]);
  }
  buf_add_char(d->out, ')');
  if (group->parent) buf_printf(d->out, " extends %.*s", STR_ARG(group->parent->ast->name.text));
  buf_printf(d->out, "  %zu slots", group->slot_count);
  add_position(d, group->ast->name.at);
  add_rules(d, &group->rules, 1);
}

void mapping_dump(const struct mapping_set *set, const struct mapping_map *map, struct buf *out) {
  struct dump d = {.set = set, .map = map, .out = out};
  buf_init(&d.text, LIMIT_TEXT_BYTES);
  buf_printf(out, "map %.*s %.*s\n", STR_ARG(map->name), STR_ARG(map->url));
  size_t i = 0;
  for (const struct ast_constant *constant = map->constants; constant; constant = constant->next, i++) {
    buf_printf(out, "constant %.*s\n", STR_ARG(constant->name.text));
    add_expr(&d, "value", map->constant_values[i], 1);
  }
  for (const struct prog_group *group = set->instances; group; group = group->next)
    if (group->map == map) add_group(&d, group);
  buf_release(&d.text);
}
