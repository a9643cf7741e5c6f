/* write_text.c - syntax tree to map text (FHIR Mapping Language of FHIR 5.0.0). */
#include "mapping/write.h"

/* --- words -----------------------------------------------------------------------------------------------
 */

static bool is_plain(struct str name) {
  for (size_t i = 0; i < name.len; i++) {
    char c = name.ptr[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!letter && !(i > 0 && c >= '0' && c <= '9')) return false;
  }
  return name.len != 0;
}

static void add_quoted(struct buf *out, char quote, struct str value) {
  static const char from[] = "\t\n\r\f", to[] = "tnrf";
  buf_add_char(out, quote);
  for (size_t i = 0; i < value.len; i++) {
    char c = value.ptr[i];
    const char *control = c ? strchr(from, c) : NULL;
    if (c == quote || c == '\\' || control) buf_add_char(out, '\\');
    buf_add_char(out, control ? to[control - from] : c);
  }
  buf_add_char(out, quote);
}

static void add_name(struct buf *out, struct str name) {
  if (is_plain(name))
    buf_add_str(out, name);
  else
    add_quoted(out, '`', name);
}

static void add_path(struct buf *out, const struct ast_step *path) {
  for (; path; path = path->next) {
    buf_add_char(out, '.');
    add_name(out, path->name.text);
  }
}

static void add_clause(const struct fml_writer *w, struct buf *out, const char *word,
                       struct ast_range range) {
  if (range.from == range.to) return;
  buf_printf(out, " %s (%.*s)", word, STR_ARG(fml_write_expression(w, range)));
}

static void add_arg(const struct fml_writer *w, struct buf *out, const struct ast_arg *arg) {
  switch (arg->kind) {
  case AST_VARIABLE:
    add_name(out, arg->text);
    break;
  case AST_STRING:
    add_quoted(out, '\'', arg->text);
    break;
  case AST_DATE:
    buf_add_char(out, '@');
    buf_add_str(out, arg->text);
    break;
  case AST_EXPRESSION:
    buf_add_str(out, fml_write_expression(w, arg->range));
    break;
  default:
    buf_add_str(out, arg->text);
  }
}

static void add_args(const struct fml_writer *w, struct buf *out, const struct ast_arg *arg) {
  buf_add_char(out, '(');
  for (; arg; arg = arg->next) {
    add_arg(w, out, arg);
    if (arg->next) buf_add_text(out, ", ");
  }
  buf_add_char(out, ')');
}

/* --- rules -----------------------------------------------------------------------------------------------
 */

static void add_source(const struct fml_writer *w, struct buf *out, const struct ast_source *source) {
  static const char *const modes[] = {"", " first", " not_first", " last", " not_last", " only_one"};
  add_name(out, source->context.text);
  add_path(out, source->path);
  if (source->type.text.len) {
    buf_add_text(out, " : ");
    if (is_plain(source->type.text))
      buf_add_str(out, source->type.text);
    else
      add_quoted(out, '"', source->type.text);
  }
  if (source->has_cardinality) {
    buf_printf(out, " %u..", source->min);
    if (source->max == DEF_UNBOUNDED)
      buf_add_char(out, '*');
    else
      buf_printf(out, "%u", source->max);
  }
  add_clause(w, out, "default", source->fallback);
  buf_add_text(out, modes[source->mode]);
  if (source->alias.text.len) {
    buf_add_text(out, " as ");
    add_name(out, source->alias.text);
  }
  add_clause(w, out, "where", source->where);
  add_clause(w, out, "check", source->check);
  add_clause(w, out, "log", source->log);
}

static void add_transform(const struct fml_writer *w, struct buf *out, const struct ast_target *target) {
  const struct ast_arg *arg = target->args;
  bool one = arg && !arg->next;
  if (one && arg->kind == AST_EXPRESSION) {
    buf_printf(out, "(%.*s)", STR_ARG(fml_write_expression(w, arg->range)));
  } else if (one && str_is(target->transform.text, "copy") && target->context.text.len) {
    add_arg(w, out, arg);
  } else {
    add_name(out, target->transform.text);
    add_args(w, out, arg);
  }
}

static void add_target(const struct fml_writer *w, struct buf *out, const struct ast_target *target) {
  static const char *const modes[] = {"", " first", " last", " share ", " single"};
  if (target->context.text.len) {
    add_name(out, target->context.text);
    add_path(out, target->path);
    if (target->has_value) buf_add_text(out, " = ");
  }
  if (target->has_value) add_transform(w, out, target);
  if (target->alias.text.len) {
    buf_add_text(out, " as ");
    add_name(out, target->alias.text);
  }
  buf_add_text(out, modes[target->mode]);
  if (target->mode == AST_SHARE) add_name(out, target->share.text);
}

static void add_rules(const struct fml_writer *w, struct buf *out, const struct ast_rule *rule,
                      unsigned depth);

static void add_then(const struct fml_writer *w, struct buf *out, const struct ast_rule *rule,
                     unsigned depth) {
  if (!rule->calls && !rule->rules) return;
  buf_add_text(out, " then");
  for (const struct ast_call *call = rule->calls; call; call = call->next) {
    buf_add_char(out, ' ');
    add_name(out, call->name.text);
    add_args(w, out, call->args);
    if (call->next) buf_add_char(out, ',');
  }
  if (!rule->rules) return;
  buf_add_text(out, " {\n");
  add_rules(w, out, rule->rules, depth + 1);
  buf_printf(out, "%*s}", (int)depth * 2, "");
}

static void add_rules(const struct fml_writer *w, struct buf *out, const struct ast_rule *rule,
                      unsigned depth) {
  for (; rule && !out->error; rule = rule->next) {
    buf_printf(out, "%*s", (int)depth * 2, "");
    for (const struct ast_source *s = rule->sources; s; s = s->next) {
      add_source(w, out, s);
      if (s->next) buf_add_text(out, ", ");
    }
    if (rule->targets) buf_add_text(out, " -> ");
    for (const struct ast_target *t = rule->targets; t; t = t->next) {
      add_target(w, out, t);
      if (t->next) buf_add_text(out, ", ");
    }
    add_then(w, out, rule, depth);
    buf_add_char(out, ' ');
    add_quoted(out, '"', rule->name.text);
    buf_add_text(out, ";\n");
  }
}

static void add_group(const struct fml_writer *w, struct buf *out, const struct ast_group *group) {
  static const char *const modes[] = {"", " <<types>>", " <<type+>>"};
  buf_add_text(out, "\ngroup ");
  add_name(out, group->name.text);
  buf_add_char(out, '(');
  for (const struct ast_param *param = group->params; param; param = param->next) {
    buf_add_text(out, param->is_target ? "target " : "source ");
    add_name(out, param->name.text);
    if (param->type.text.len) {
      buf_add_text(out, " : ");
      if (is_plain(param->type.text))
        buf_add_str(out, param->type.text);
      else
        add_quoted(out, '"', param->type.text);
    }
    if (param->next) buf_add_text(out, ", ");
  }
  buf_add_char(out, ')');
  if (group->parent.text.len) {
    buf_add_text(out, " extends ");
    add_name(out, group->parent.text);
  }
  buf_add_text(out, modes[group->type_mode]);
  buf_add_text(out, " {\n");
  add_rules(w, out, group->rules, 1);
  buf_add_text(out, "}\n");
}

/* --- concept maps ----------------------------------------------------------------------------------------
 */

static const char *symbol(struct str equivalence) {
  static const char *const pairs[][2] = {{"equivalent", "=="},
                                         {"equal", "="},
                                         {"disjoint", "!="},
                                         {"unmatched", "!="},
                                         {"not-related-to", "!="},
                                         {"wider", "<="},
                                         {"subsumes", "<="},
                                         {"source-is-narrower-than-target", "<="},
                                         {"narrower", ">="},
                                         {"specializes", ">="},
                                         {"source-is-broader-than-target", ">="}};
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
    if (str_is(equivalence, pairs[i][0])) return pairs[i][1];
  return "-";
}

/* s0, t0: systems of the group with that number. */
static void add_row(const struct fml_writer *w, struct buf *out, size_t number, struct str code,
                    const struct concept_target *target, uint32_t at) {
  buf_printf(out, "  s%zu:", number);
  add_quoted(out, '"', code);
  buf_printf(out, " %s t%zu:", symbol(target->equivalence), number);
  add_quoted(out, '"', target->code);
  buf_add_char(out, '\n');
  if (target->display.len) fml_write_warn(w, at, "map text has no place for the display of a code");
}

static void add_prefix(struct buf *out, char kind, size_t number, struct str system) {
  buf_printf(out, "  prefix %c%zu = ", kind, number);
  add_quoted(out, '"', system);
  buf_add_char(out, '\n');
}

static void add_concept_group(const struct fml_writer *w, struct buf *out, const struct concept_map *map,
                              const struct concept_group *group, size_t number) {
  if (group->unmapped == CONCEPT_PROVIDED) buf_printf(out, "  unmapped for s%zu = provided\n", number);
  if (group->unmapped > CONCEPT_PROVIDED)
    fml_write_warn(w, group->at,
                   "map text knows only 'provided' for what is not mapped; this rule is left out");
  for (size_t i = 0; i < map->rows.count; i++)
    for (const struct concept_row *row = map->rows.entries[i].value; row; row = row->next) {
      if (!str_eq(row->source_system, group->source)) continue;
      for (const struct concept_target *t = row->targets; t; t = t->next)
        if (str_eq(t->system, group->target)) add_row(w, out, number, map->rows.entries[i].key, t, row->at);
    }
}

static void add_concept_maps(const struct fml_writer *w, struct buf *out, const struct concept_map *map) {
  if (!map) return;
  add_concept_maps(w, out, map->next_inline);
  buf_add_text(out, "\nconceptmap ");
  add_quoted(out, '"', map->id);
  buf_add_text(out, " {\n");
  size_t number = 0;
  for (const struct concept_group *group = map->groups; group; group = group->next, number++) {
    add_prefix(out, 's', number, group->source);
    add_prefix(out, 't', number, group->target);
  }
  number = 0;
  for (const struct concept_group *group = map->groups; group; group = group->next)
    add_concept_group(w, out, map, group, number++);
  buf_add_text(out, "}\n");
}

/* --- header ----------------------------------------------------------------------------------------------
 */

static void add_meta(struct buf *out, const char *key, struct str value) {
  if (value.len == 0) return;
  buf_printf(out, "/// %s = ", key);
  add_quoted(out, '"', value);
  buf_add_char(out, '\n');
}

void fml_write_text(struct fml_writer *w, struct buf *out) {
  static const char *const modes[] = {"source", "queried", "target", "produced"};
  const struct mapping_map *map = w->map;
  add_meta(out, "title", map->title);
  add_meta(out, "status", map->status);
  buf_add_text(out, "map ");
  add_quoted(out, '"', map->url);
  buf_add_text(out, " = ");
  add_quoted(out, '"', map->name);
  buf_add_text(out, "\n");
  add_concept_maps(w, out, map->concept_maps);
  if (map->uses) buf_add_char(out, '\n');
  for (const struct ast_uses *uses = map->uses; uses; uses = uses->next) {
    buf_add_text(out, "uses ");
    add_quoted(out, '"', uses->url.text);
    if (uses->alias.text.len) {
      buf_add_text(out, " alias ");
      add_name(out, uses->alias.text);
    }
    buf_printf(out, " as %s\n", modes[uses->is_target * 2 + uses->is_helper]);
  }
  if (map->imports) buf_add_char(out, '\n');
  for (const struct ast_import *import = map->imports; import; import = import->next) {
    buf_add_text(out, "imports ");
    add_quoted(out, '"', import->url.text);
    buf_add_char(out, '\n');
  }
  if (map->constants) buf_add_char(out, '\n');
  for (const struct ast_constant *c = map->constants; c; c = c->next) {
    buf_add_text(out, "let ");
    add_name(out, c->name.text);
    buf_printf(out, " = %.*s;\n", STR_ARG(fml_write_expression(w, c->value)));
  }
  for (const struct ast_group *group = map->groups; group; group = group->next)
    add_group(w, out, group);
}
