/* write_resource.c - syntax tree to a StructureMap resource, in the shape of FHIR R4 or R5. */
#include "mapping/write.h"

/* --- members ---------------------------------------------------------------------------------------------
 */

static struct tree_node *add(struct fml_writer *w, struct tree_node *parent, enum tree_kind kind,
                             const char *name, struct str text) {
  struct tree_node *node = parent ? tree_new(w->arena, kind, str_of(name)) : NULL;
  if (!node) {
    w->nomem = true;
    return NULL;
  }
  node->text = text;
  tree_append(parent, node);
  return node;
}

/* Nothing for an empty text. */
static void text(struct fml_writer *w, struct tree_node *parent, const char *name, struct str value) {
  if (value.len) (void)add(w, parent, TREE_STRING, name, value);
}

static struct tree_node *item(struct fml_writer *w, struct tree_node *parent, const char *name) {
  struct tree_node *node = add(w, parent, TREE_OBJECT, name, STR(""));
  if (node) node->flags |= TREE_IN_ARRAY;
  return node;
}

static void text_item(struct fml_writer *w, struct tree_node *parent, const char *name, struct str value) {
  struct tree_node *node = add(w, parent, TREE_STRING, name, value);
  if (node) node->flags |= TREE_IN_ARRAY;
}

static struct str path_text(struct fml_writer *w, const struct ast_step *path) {
  struct str joined = path ? path->name.text : STR("");
  for (path = path ? path->next : NULL; path; path = path->next)
    joined = arena_printf(w->arena, "%.*s.%.*s", STR_ARG(joined), STR_ARG(path->name.text));
  if (!joined.ptr) w->nomem = true;
  return joined;
}

static void expression(struct fml_writer *w, struct tree_node *parent, const char *name,
                       struct ast_range range) {
  if (range.from != range.to) text(w, parent, name, fml_write_expression(w, range));
}

/* --- arguments -------------------------------------------------------------------------------------------
 */

static const char *date_member(struct str value) {
  if (value.len && value.ptr[0] == 'T') return "valueTime";
  return str_find_char(value, 'T', 0) == SIZE_MAX ? "valueDate" : "valueDateTime";
}

/* As JSON has it: no plus, no needless zeros, no blanks or comment behind the sign. */
static void number(struct fml_writer *w, struct tree_node *parent, const char *name, struct str value) {
  size_t from = value.len;
  while (from > 0 && memchr("0123456789.eE+-", value.ptr[from - 1], 15))
    from--;
  if (from < value.len && (value.ptr[from] == '+' || value.ptr[from] == '-')) from++;
  while (from + 1 < value.len && value.ptr[from] == '0' && value.ptr[from + 1] >= '0' &&
         value.ptr[from + 1] <= '9')
    from++;
  bool minus = str_starts(value, STR("-"));
  value = arena_concat(w->arena, minus ? STR("-") : STR(""), str_slice(value, from, value.len));
  if (!value.ptr) w->nomem = true;
  (void)add(w, parent, TREE_NUMBER, name, value);
}

static void add_value(struct fml_writer *w, struct tree_node *parameter, const struct ast_arg *arg) {
  switch (arg->kind) {
  case AST_VARIABLE:
    text(w, parameter, "valueId", arg->text);
    break;
  case AST_INTEGER:
    number(w, parameter, "valueInteger", arg->text);
    break;
  case AST_DECIMAL:
    number(w, parameter, "valueDecimal", arg->text);
    break;
  case AST_BOOLEAN:
    (void)add(w, parameter, TREE_BOOLEAN, "valueBoolean", arg->text);
    break;
  case AST_EXPRESSION:
    expression(w, parameter, "valueString", arg->range);
    break;
  case AST_DATE:
    if (w->r5) {
      bool time = arg->text.len && arg->text.ptr[0] == 'T';
      text(w, parameter, date_member(arg->text), str_slice(arg->text, time, arg->text.len));
      break;
    }
    text(w, parameter, "valueString", arg->text);
    break;
  default:
    (void)add(w, parameter, TREE_STRING, "valueString", arg->text);
  }
}

/* R4: a group's arguments are texts, literals as FHIRPath writes them. */
static struct str plain(struct fml_writer *w, const struct ast_arg *arg) {
  struct str value = arg->text;
  if (arg->kind == AST_DATE) value = arena_concat(w->arena, STR("@"), value);
  if (arg->kind == AST_STRING) {
    struct buf quoted;
    buf_init(&quoted, LIMIT_MAP_BYTES);
    buf_add_json(&quoted, value);
    value = buf_take_str(&quoted, w->arena);
    buf_release(&quoted);
  }
  if (!value.ptr) w->nomem = true;
  return value;
}

static void add_call(struct fml_writer *w, struct tree_node *rule, const struct ast_call *call) {
  struct tree_node *node = item(w, rule, "dependent");
  text(w, node, "name", call->name.text);
  for (const struct ast_arg *arg = call->args; arg; arg = arg->next) {
    if (w->r5)
      add_value(w, item(w, node, "parameter"), arg);
    else
      text_item(w, node, "variable", plain(w, arg));
  }
}

/* --- sources and targets ---------------------------------------------------------------------------------
 */

static void add_default_expression(struct fml_writer *w, struct tree_node *node, struct str value) {
  struct tree_node *extension = item(w, node, "extension");
  text(w, extension, "url", STR(FML_DEFAULT_EXTENSION));
  text(w, extension, "valueString", value);
}

static void add_default(struct fml_writer *w, struct tree_node *node, struct ast_range range) {
  struct str value = fml_write_expression(w, range), literal;
  if (fml_write_is_text(w, range, &literal)) {
    (void)add(w, node, TREE_STRING, w->r5 ? "defaultValue" : "defaultValueString", literal);
  } else if (!w->r5 && fml_write_is_number(value)) {
    bool decimal = str_find_char(value, '.', 0) != SIZE_MAX;
    number(w, node, decimal ? "defaultValueDecimal" : "defaultValueInteger", value);
  } else if (!w->r5 && (str_is(value, "true") || str_is(value, "false"))) {
    (void)add(w, node, TREE_BOOLEAN, "defaultValueBoolean", value);
  } else {
    add_default_expression(w, node, value);
  }
}

static struct str count_text(struct fml_writer *w, uint32_t count) {
  struct str value = count == DEF_UNBOUNDED ? STR("*") : arena_printf(w->arena, "%u", count);
  if (!value.ptr) w->nomem = true;
  return value;
}

static void add_source(struct fml_writer *w, struct tree_node *rule, const struct ast_source *source,
                       bool simple) {
  static const char *const modes[] = {"", "first", "not_first", "last", "not_last", "only_one"};
  struct tree_node *node = item(w, rule, "source");
  text(w, node, "context", source->context.text);
  if (source->has_cardinality) {
    (void)add(w, node, TREE_NUMBER, "min", count_text(w, source->min));
    text(w, node, "max", count_text(w, source->max));
  }
  text(w, node, "type", source->type.text);
  if (source->fallback.from != source->fallback.to) add_default(w, node, source->fallback);
  text(w, node, "element", path_text(w, source->path));
  text(w, node, "listMode", str_of(modes[source->mode]));
  text(w, node, "variable", simple ? STR(FML_AUTO_VARIABLE) : source->alias.text);
  expression(w, node, "condition", source->where);
  expression(w, node, "check", source->check);
  expression(w, node, "logMessage", source->log);
}

static void add_target(struct fml_writer *w, struct tree_node *rule, const struct ast_target *target,
                       bool simple) {
  static const char *const modes[] = {"", "first", "last", "share", "single"};
  struct tree_node *node = item(w, rule, "target");
  bool copy = str_is(target->transform.text, "copy") && target->args; /* copy() is refused later */
  bool date = !w->r5 && copy && target->args->kind == AST_DATE;
  text(w, node, "context", target->context.text);
  if (target->context.text.len && !w->r5) text(w, node, "contextType", STR("variable"));
  text(w, node, "element", path_text(w, target->path));
  text(w, node, "variable", simple ? STR(FML_AUTO_VARIABLE) : target->alias.text);
  if (target->mode != AST_ADD)
    text_item(w, node, "listMode",
              str_of(target->mode == AST_SINGLE && !w->r5 ? "collate" : modes[target->mode]));
  text(w, node, "listRuleId", target->share.text);
  if (simple) text(w, node, "transform", STR("create"));
  if (!target->has_value) return;
  text(w, node, "transform", date ? STR("evaluate") : target->transform.text);
  if (date) { /* R4 has no parameter of a date: it stands as an expression */
    text(w, item(w, node, "parameter"), "valueString", arena_concat(w->arena, STR("@"), target->args->text));
    return;
  }
  for (const struct ast_arg *arg = target->args; arg; arg = arg->next)
    add_value(w, item(w, node, "parameter"), arg);
}

/* --- rules and groups ------------------------------------------------------------------------------------
 */

static void add_rules(struct fml_writer *w, struct tree_node *parent, const struct ast_rule *rule) {
  for (; rule && !w->nomem; rule = rule->next) {
    struct tree_node *node = item(w, parent, "rule");
    text(w, node, "name", rule->name.text);
    for (const struct ast_source *s = rule->sources; s; s = s->next)
      add_source(w, node, s, rule->simple);
    for (const struct ast_target *t = rule->targets; t; t = t->next)
      add_target(w, node, t, rule->simple);
    add_rules(w, node, rule->rules);
    for (const struct ast_call *call = rule->calls; call; call = call->next)
      add_call(w, node, call);
  }
}

static void add_group(struct fml_writer *w, struct tree_node *root, const struct ast_group *group) {
  static const char *const modes[] = {"none", "types", "type-and-types"};
  struct tree_node *node = item(w, root, "group");
  text(w, node, "name", group->name.text);
  text(w, node, "extends", group->parent.text);
  if (!w->r5 || group->type_mode != AST_NO_TYPES) text(w, node, "typeMode", str_of(modes[group->type_mode]));
  for (const struct ast_param *param = group->params; param; param = param->next) {
    struct tree_node *input = item(w, node, "input");
    text(w, input, "name", param->name.text);
    text(w, input, "type", param->type.text);
    text(w, input, "mode", param->is_target ? STR("target") : STR("source"));
  }
  add_rules(w, node, group->rules);
}

/* --- concept maps ----------------------------------------------------------------------------------------
 */

static struct str relationship(struct str equivalence) {
  static const char *const pairs[][2] = {{"equivalent", "equivalent"},
                                         {"equal", "equivalent"},
                                         {"wider", "source-is-narrower-than-target"},
                                         {"subsumes", "source-is-narrower-than-target"},
                                         {"narrower", "source-is-broader-than-target"},
                                         {"specializes", "source-is-broader-than-target"},
                                         {"disjoint", "not-related-to"}};
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
    if (str_is(equivalence, pairs[i][0])) return str_of(pairs[i][1]);
  return STR("related-to");
}

static void add_row(struct fml_writer *w, struct tree_node *group, struct str code,
                    const struct concept_row *row, struct str system) {
  struct tree_node *element = NULL;
  for (const struct concept_target *t = row->targets; t; t = t->next) {
    if (!str_eq(t->system, system)) continue;
    if (!element) {
      element = item(w, group, "element");
      text(w, element, "code", code);
    }
    struct tree_node *target = item(w, element, "target");
    text(w, target, "code", t->code);
    text(w, target, "display", t->display);
    text(w, target, w->r5 ? "relationship" : "equivalence",
         w->r5 ? relationship(t->equivalence) : t->equivalence);
  }
}

static void add_concept_group(struct fml_writer *w, struct tree_node *root, const struct concept_map *map,
                              const struct concept_group *group) {
  struct tree_node *node = item(w, root, "group");
  text(w, node, "source", group->source);
  text(w, node, "target", group->target);
  for (size_t i = 0; i < map->rows.count; i++)
    for (const struct concept_row *row = map->rows.entries[i].value; row; row = row->next)
      if (str_eq(row->source_system, group->source))
        add_row(w, node, map->rows.entries[i].key, row, group->target);
  if (group->unmapped == CONCEPT_NONE) return;
  struct tree_node *unmapped = add(w, node, TREE_OBJECT, "unmapped", STR(""));
  text(w, unmapped, "mode", w->r5 ? STR("use-source-code") : STR("provided"));
}

/* The last one parsed stands first in the list. */
static void add_concept_maps(struct fml_writer *w, struct tree_node *root, const struct concept_map *map) {
  if (!map) return;
  add_concept_maps(w, root, map->next_inline);
  struct tree_node *node = item(w, root, "contained");
  text(w, node, "resourceType", STR("ConceptMap"));
  text(w, node, "id", map->id);
  text(w, node, "status", w->map->status.len ? w->map->status : STR("active"));
  for (const struct concept_group *group = map->groups; group; group = group->next)
    add_concept_group(w, node, map, group);
}

/* --- header ----------------------------------------------------------------------------------------------
 */

static void add_constants(struct fml_writer *w, struct tree_node *root) {
  for (const struct ast_constant *c = w->map->constants; c; c = c->next) {
    struct str value = fml_write_expression(w, c->value);
    if (w->r5) {
      struct tree_node *node = item(w, root, "const");
      text(w, node, "name", c->name.text);
      text(w, node, "value", value);
      continue;
    }
    struct tree_node *extension = item(w, root, "extension");
    text(w, extension, "url", STR(FML_CONST_EXTENSION));
    struct tree_node *name = item(w, extension, "extension");
    text(w, name, "url", STR("name"));
    text(w, name, "valueId", c->name.text);
    struct tree_node *inner = item(w, extension, "extension");
    text(w, inner, "url", STR("value"));
    text(w, inner, "valueString", value);
  }
}

static void add_structures(struct fml_writer *w, struct tree_node *root) {
  static const char *const modes[] = {"source", "queried", "target", "produced"};
  for (const struct ast_uses *uses = w->map->uses; uses; uses = uses->next) {
    struct tree_node *node = item(w, root, "structure");
    text(w, node, "url", uses->url.text);
    text(w, node, "mode", str_of(modes[uses->is_target * 2 + uses->is_helper]));
    text(w, node, "alias", uses->alias.text);
  }
}

struct tree_node *fml_write_resource(struct fml_writer *w) {
  const struct mapping_map *map = w->map;
  struct tree_node *root = tree_new(w->arena, TREE_OBJECT, STR(""));
  text(w, root, "resourceType", STR("StructureMap"));
  add_concept_maps(w, root, map->concept_maps);
  if (!w->r5) add_constants(w, root);
  text(w, root, "url", map->url.len ? map->url : map->name);
  text(w, root, "name", map->name.len ? map->name : map->url);
  text(w, root, "title", map->title);
  text(w, root, "status", map->status.len ? map->status : STR("draft"));
  add_structures(w, root);
  for (const struct ast_import *import = map->imports; import; import = import->next)
    text_item(w, root, "import", import->url.text);
  if (w->r5) add_constants(w, root);
  for (const struct ast_group *group = map->groups; group; group = group->next)
    add_group(w, root, group);
  return w->nomem ? NULL : root;
}
