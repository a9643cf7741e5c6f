/*
 * compile.c - syntax tree to program: variables become slots, elements become definitions, expressions
 * become FHIRPath programs.
 *
 * A group is compiled once for each combination of argument types, so untyped helper groups are checked and
 * fast like typed ones. New instances are queued, never compiled in the middle of another.
 */
#include "mapping/internal.h"

enum { INSTANCES_MAX = 4000 };

/* --- variables -------------------------------------------------------------------------------------------
 */

static bool grow_bindings(struct fml_compiler *c) {
  size_t room = c->binding_room ? c->binding_room * 2 : 64;
  struct fml_binding *bindings = ARENA_ARRAY(c->set->arena, struct fml_binding, room);
  struct fp_variable *variables = ARENA_ARRAY(c->set->arena, struct fp_variable, room);
  if (!bindings || !variables) {
    c->nomem = true;
    return false;
  }
  if (c->binding_count) memcpy(bindings, c->bindings, c->binding_count * sizeof *bindings);
  c->bindings = bindings;
  c->variables = variables;
  c->binding_room = room;
  return true;
}

int fml_bind(struct fml_compiler *c, struct str name, bool is_target, struct fml_type type) {
  if (c->binding_count == c->binding_room && !grow_bindings(c)) return -1;
  c->bindings[c->binding_count] =
      (struct fml_binding){.name = name, .is_target = is_target, .type = type, .scope = c->depth};
  return (int)c->binding_count++;
}

static int lookup_mode(const struct fml_compiler *c, struct str name, bool is_target) {
  for (size_t i = c->binding_count; i-- > 0;) {
    const struct fml_binding *b = &c->bindings[i];
    if (!b->hidden && !b->is_shared && b->is_target == is_target && str_eq(b->name, name)) return (int)i;
  }
  return -1;
}

/* is_target < 0: a source variable, else a target variable. */
int fml_lookup(const struct fml_compiler *c, struct str name, int is_target) {
  if (name.len == 0) return -1;
  if (is_target >= 0) return lookup_mode(c, name, is_target > 0);
  int slot = lookup_mode(c, name, false);
  return slot >= 0 ? slot : lookup_mode(c, name, true);
}

/* Slots of variables that end here; what is shared in an outer list stays. */
static void hide_from(struct fml_compiler *c, size_t mark, bool all) {
  for (size_t i = mark; i < c->binding_count; i++)
    if (all || !c->bindings[i].is_shared || c->bindings[i].scope > c->depth) c->bindings[i].hidden = true;
}

struct str fml_nearest_variable(struct fml_compiler *c, struct str name) {
  struct map all;
  map_init(&all, c->set->arena);
  for (size_t i = 0; i < c->binding_count; i++)
    if (!c->bindings[i].hidden && c->bindings[i].name.len &&
        map_put(&all, c->bindings[i].name, c) == STATUS_NOMEM)
      c->nomem = true;
  return map_nearest(&all, name);
}

/* --- expressions -----------------------------------------------------------------------------------------
 */

static void fill_variables(struct fml_compiler *c) {
  for (size_t i = 0; i < c->binding_count; i++) {
    const struct fml_binding *b = &c->bindings[i];
    bool seen = !b->hidden && fml_lookup(c, b->name, -1) == (int)i;
    c->variables[i] = (struct fp_variable){.name = seen ? b->name : STR(""), .type = b->type.type};
  }
}

/* Type of %resource: the structure a map reads, if it reads one only. */
static const struct def_type *root_type(const struct mapping_map *map) {
  const struct def_type *type = NULL;
  for (const struct ast_uses *uses = map->uses; uses; uses = uses->next) {
    if (uses->is_target) continue;
    if (type) return NULL;
    type = uses->type;
  }
  return type;
}

static bool is_bad(const struct fml_compiler *c, uint32_t at) {
  for (const struct fml_bad_expr *bad = c->bad; bad; bad = bad->next)
    if (bad->map == c->map && bad->at == at) return true;
  return false;
}

static void note_bad(struct fml_compiler *c, uint32_t at) {
  struct fml_bad_expr *bad = ARENA_NEW(c->set->arena, struct fml_bad_expr);
  if (bad) {
    *bad = (struct fml_bad_expr){c->bad, c->map, at};
    c->bad = bad;
  } else {
    c->nomem = true;
  }
}

struct prog_expr *fml_expr(struct fml_compiler *c, struct ast_range range, const struct fml_type *focus) {
  if (range.from == range.to || is_bad(c, range.from)) return NULL;
  struct prog_expr *expr = ARENA_NEW(c->set->arena, struct prog_expr);
  if (!expr) {
    c->nomem = true;
    return NULL;
  }
  expr->at = range.from;
  expr->text = str_slice(c->map->source.text, range.from, range.to);
  fill_variables(c);
  struct fp_compile compile = {.definitions = c->set->definitions,
                               .input = focus ? focus->type : c->set->kit.boolean,
                               .resource = root_type(c->map),
                               .scratch = c->scratch,
                               .variables = c->variables,
                               .variable_count = c->binding_count,
                               .source = &c->map->source,
                               .from = range.from,
                               .to = range.to,
                               .bare_variables = true,
                               .double_quotes = true,
                               .unfused = c->set->unfused};
  struct arena_mark mark = arena_mark(c->scratch);
  enum status status = fhirpath_compile(&compile, c->set->arena, c->diags, &expr->program, NULL);
  arena_rewind(c->scratch, mark);
  if (status == STATUS_OK) return expr;
  if (status == STATUS_NOMEM)
    c->nomem = true;
  else
    note_bad(c, range.from);
  return NULL;
}

void fml_compile_constants(struct fml_compiler *c, struct mapping_map *map) {
  if (map->constant_count == 0) return;
  map->constant_values = ARENA_ARRAY(c->set->arena, struct prog_expr *, map->constant_count);
  if (!map->constant_values) {
    c->nomem = true;
    return;
  }
  c->map = map;
  c->binding_count = 0;
  size_t i = 0;
  for (const struct ast_constant *constant = map->constants; constant; constant = constant->next) {
    if (fml_lookup(c, constant->name.text, -1) >= 0)
      fml_fault(c, DIAG_MAP_DUPLICATE, constant->name.at, "a constant '%.*s' exists already",
                STR_ARG(constant->name.text));
    struct prog_expr *expr = fml_expr(c, constant->value, NULL);
    map->constant_values[i++] = expr;
    const struct def_type *type = expr ? fhirpath_result_type(expr->program) : NULL;
    if (fml_bind(c, constant->name.text, false, fml_type_of(type)) < 0) return;
  }
}

/* --- elements --------------------------------------------------------------------------------------------
 */

static struct fml_type element_type(const struct def_element *element, const struct def_type *only) {
  if (only) return fml_type_of(only);
  if (def_element_type_count(element) == 1) return fml_type_of(def_element_type(element, 0).type);
  return (struct fml_type){.choice = element};
}

static void set_element(struct prog_step *step, const struct def_element *element,
                        const struct def_type *only) {
  step->element = element;
  step->only = only;
  step->symbol = def_element_symbol(element);
  step->is_list = def_element_is_list(element);
}

static bool step_in_type(const struct def_type *type, struct str name, struct prog_step *step) {
  const struct def_type *only = NULL;
  const struct def_element *element = def_type_element_named(type, name);
  if (!element) element = def_type_json(type, name, &only);
  if (!element) return false;
  set_element(step, element, only);
  return true;
}

static void fault_element(struct fml_compiler *c, struct fml_type type, const struct ast_name *name) {
  struct str nearest = type.type ? def_type_nearest_element(type.type, name->text) : STR("");
  struct str label = fml_type_label(c->set->arena, type);
  if (!type.type && !type.choice) {
    fml_fault(c, DIAG_MAP_UNKNOWN_ELEMENT, name->at, "no type has an element '%.*s'", STR_ARG(name->text));
    return;
  }
  fml_fault(c, DIAG_MAP_UNKNOWN_ELEMENT, name->at, "%.*s has no element '%.*s'%.*s", STR_ARG(label),
            STR_ARG(name->text), STR_ARG(fml_hint(c->set->arena, nearest)));
}

/* An element of a value with several or unknown types: found by its symbol while the map runs. */
static bool step_by_symbol(struct fml_compiler *c, struct fml_type *type, const struct ast_name *name,
                           struct prog_step *step) {
  bool found = !type->choice;
  struct fml_type next = {0};
  for (size_t i = 0; type->choice && i < def_element_type_count(type->choice); i++) {
    struct prog_step probe = {0};
    if (!step_in_type(def_element_type(type->choice, i).type, name->text, &probe)) continue;
    struct fml_type t = element_type(probe.element, probe.only);
    next = found && t.type != next.type ? (struct fml_type){0} : t;
    found = true;
  }
  step->symbol = definitions_symbol(c->set->definitions, name->text);
  if (!found || step->symbol == 0) {
    fault_element(c, *type, name);
    return false;
  }
  *type = next;
  return true;
}

static bool compile_step(struct fml_compiler *c, const struct ast_name *name, struct fml_type *type,
                         struct prog_step *step) {
  if (!type->type) return step_by_symbol(c, type, name, step);
  if (fml_is_primitive(type->type) && str_is(name->text, "value")) {
    step->is_value = true;
    return true;
  }
  if (!step_in_type(type->type, name->text, step)) {
    fault_element(c, *type, name);
    return false;
  }
  *type = element_type(step->element, step->only);
  return true;
}

bool fml_compile_steps(struct fml_compiler *c, const struct ast_step *path, struct fml_type *type,
                       struct prog_step **steps, uint32_t *count) {
  *count = 0;
  for (const struct ast_step *s = path; s; s = s->next)
    ++*count;
  *steps = *count ? ARENA_ARRAY(c->set->arena, struct prog_step, *count) : NULL;
  if (*count && !*steps) {
    c->nomem = true;
    return false;
  }
  size_t i = 0;
  for (const struct ast_step *s = path; s; s = s->next, i++) {
    if (!compile_step(c, &s->name, type, &(*steps)[i])) return false;
    (*steps)[i].type = type->type;
  }
  return true;
}

/* --- sources ---------------------------------------------------------------------------------------------
 */

static void fault_variable(struct fml_compiler *c, const struct ast_name *name, bool wants_target) {
  bool other = fml_lookup(c, name->text, !wants_target) >= 0;
  if (other)
    fml_fault(c, DIAG_MAP_UNKNOWN_VARIABLE, name->at, "'%.*s' is a %s variable; a %s variable stands here",
              STR_ARG(name->text), wants_target ? "source" : "target", wants_target ? "target" : "source");
  else
    fml_fault(c, DIAG_MAP_UNKNOWN_VARIABLE, name->at, "no variable '%.*s' is bound here%.*s",
              STR_ARG(name->text), STR_ARG(fml_hint(c->set->arena, fml_nearest_variable(c, name->text))));
}

int fml_want_variable(struct fml_compiler *c, const struct ast_name *name, int is_target) {
  int slot = fml_lookup(c, name->text, is_target);
  if (slot < 0) fault_variable(c, name, is_target > 0);
  return slot;
}

/* `: Type` keeps items of that type only. */
static void narrow(struct fml_compiler *c, const struct ast_source *ast, struct prog_source *out,
                   struct fml_type *type) {
  if (!ast->type.text.len) return;
  out->type = fml_resolve_type(c->set, c->map, ast->type.text);
  if (!out->type) {
    struct str nearest = definitions_nearest_type(c->set->definitions, ast->type.text);
    fml_fault(c, DIAG_MAP_UNKNOWN_TYPE, ast->type.at, "no type '%.*s' is known%.*s", STR_ARG(ast->type.text),
              STR_ARG(fml_hint(c->set->arena, nearest)));
    return;
  }
  bool fits = !type->type && !type->choice;
  if (type->type) fits = def_type_is(out->type, type->type) || def_type_is(type->type, out->type);
  for (size_t i = 0; type->choice && i < def_element_type_count(type->choice) && !fits; i++) {
    const struct def_type *choice = def_element_type(type->choice, i).type;
    fits = def_type_is(choice, out->type) || def_type_is(out->type, choice);
  }
  if (!fits)
    fml_fault(c, DIAG_MAP_TYPE, ast->type.at, "this is never of type %.*s: it is %.*s",
              STR_ARG(ast->type.text), STR_ARG(fml_type_label(c->set->arena, *type)));
  *type = fml_type_of(out->type);
}

/* Of one item it is enough to ask its condition. */
static bool is_simple(const struct prog_source *source) {
  enum ast_source_mode mode = source->ast->mode;
  bool one = mode == AST_ALL || mode == AST_FIRST || mode == AST_LAST || mode == AST_ONLY_ONE;
  if (source->step_count > 1 || (source->step_count && !source->steps)) return false;
  if (source->step_count && (source->steps->is_value || source->steps->only || !source->steps->symbol)) return false;
  if (source->type || source->fallback || source->check || source->log || source->ast->has_cardinality) return false;
  return one && (!source->where || fhirpath_is_condition(source->where->program));
}

/* With a fault the variable is bound all the same, its type unknown: no faults that follow from the first. `named`: something names its
   items, be it the short form of a rule. */
static void compile_source(struct fml_compiler *c, const struct ast_source *ast, bool named, struct prog_source *out) {
  struct fml_type type = {0}, outer = {0};
  out->ast = ast;
  out->context = fml_want_variable(c, &ast->context, 0);
  if (out->context >= 0) outer = type = c->bindings[out->context].type;
  if (out->context < 0 || !fml_compile_steps(c, ast->path, &type, &out->steps, &out->step_count))
    type = (struct fml_type){0};
  else
    narrow(c, ast, out, &type);
  out->fallback = fml_expr(c, ast->fallback, &outer);
  /* the variable is there for its own where, check and log */
  out->out = named ? fml_bind(c, ast->alias.text, false, type) : -1;
  out->where = fml_expr(c, ast->where, &type);
  out->check = fml_expr(c, ast->check, &type);
  out->log = fml_expr(c, ast->log, &type);
  out->plain = !out->type && !out->fallback && !out->where && !out->check && !out->log &&
               !ast->has_cardinality && ast->mode == AST_ALL;
  out->simple = !c->set->unfused && is_simple(out);
  out->symbol = out->simple && out->step_count ? out->steps->symbol : 0;
}

/* --- calls -----------------------------------------------------------------------------------------------
 */

static bool compile_arg(struct fml_compiler *c, const struct ast_arg *ast, const struct ast_param *param,
                        struct prog_arg *out, struct fml_type *type) {
  static const enum fp_kind kinds[] = {FP_NODE, FP_STRING, FP_INTEGER, FP_DECIMAL, FP_BOOLEAN, FP_DATE};
  out->slot = -1;
  if (ast->kind != AST_VARIABLE) {
    out->kind = kinds[ast->kind];
    out->text = ast->text;
    *type = fml_type_of(c->set->kit.string);
    if (!param->is_target) return true;
    fml_fault(c, DIAG_MAP_ARGUMENTS, ast->at, "the target '%.*s' cannot be a literal",
              STR_ARG(param->name.text));
    return false;
  }
  struct ast_name name = {ast->text, ast->at};
  out->slot = fml_want_variable(c, &name, param->is_target ? 1 : -1);
  if (out->slot >= 0) *type = c->bindings[out->slot].type;
  return out->slot >= 0;
}

/* Takes the more special one of what is declared and what is given. */
static void fit_param(struct fml_compiler *c, const struct ast_group *group, const struct ast_param *param,
                      uint32_t at, struct fml_type *type) {
  if (!param->type.text.len) return;
  const struct def_type *declared = fml_resolve_type(c->set, group->map, param->type.text);
  if (!declared) return; /* reported with the group */
  bool fits = !type->type;
  if (type->type) fits = def_type_is(type->type, declared) || def_type_is(declared, type->type);
  if (!fits && fml_is_primitive(type->type) && fml_is_primitive(declared)) fits = true;
  for (size_t i = 0; type->choice && i < def_element_type_count(type->choice); i++)
    fits = fits || def_type_is(def_element_type(type->choice, i).type, declared);
  if (!fits)
    fml_fault(c, DIAG_MAP_TYPE, at, "the group '%.*s' takes %.*s here, this is %.*s",
              STR_ARG(group->name.text), STR_ARG(param->type.text),
              STR_ARG(fml_type_label(c->set->arena, *type)));
  if (!type->type || !def_type_is(type->type, declared)) *type = fml_type_of(declared);
}

static void compile_call(struct fml_compiler *c, const struct ast_call *ast, struct prog_call *out) {
  struct ast_group *group = fml_find_group(c, c->map, ast->name);
  out->ast = ast;
  if (!group) return;
  if (group->param_count != ast->arg_count) {
    fml_fault(c, DIAG_MAP_ARGUMENTS, ast->name.at, "the group '%.*s' takes %zu arguments, %zu are given",
              STR_ARG(group->name.text), group->param_count, ast->arg_count);
    return;
  }
  out->args = ARENA_ARRAY(c->set->arena, struct prog_arg, ast->arg_count);
  int *slots = ARENA_ARRAY(c->set->arena, int, ast->arg_count);
  struct fml_type *types = ARENA_ARRAY(c->set->arena, struct fml_type, ast->arg_count);
  if (!out->args || !slots || !types) {
    c->nomem = true;
    return;
  }
  bool ok = true;
  size_t i = 0;
  const struct ast_arg *arg = ast->args;
  for (const struct ast_param *param = group->params; param; param = param->next, arg = arg->next, i++) {
    ok = compile_arg(c, arg, param, &out->args[i], &types[i]) && ok;
    slots[i] = out->args[i].slot;
    if (ok) fit_param(c, group, param, arg->at, &types[i]);
  }
  out->slots = slots;
  if (ok) out->group = fml_instance(c, group, types);
}

/* --- rules -----------------------------------------------------------------------------------------------
 */

static void compile_rules(struct fml_compiler *c, const struct ast_rule *ast, struct prog_rules *out);

/* From a line of the processor's cache on. A map's text has a cap, and so have the counts of its syntax tree. */
static void *lines_of(struct arena *arena, size_t count, size_t size) {
  return arena_line(arena, count * size);
}

static bool alloc_rule(struct fml_compiler *c, struct prog_rule *rule) {
  struct arena *arena = c->set->arena;
  for (const struct ast_call *call = rule->ast->calls; call; call = call->next)
    rule->call_count++;
  rule->source_count = (uint32_t)rule->ast->source_count;
  rule->target_count = (uint32_t)rule->ast->target_count;
  rule->sources = rule->source_count == 1 ? &rule->source : ARENA_ARRAY(arena, struct prog_source, rule->source_count);
  rule->targets = lines_of(arena, rule->target_count + 1, sizeof *rule->targets);
  rule->calls = ARENA_ARRAY(arena, struct prog_call, rule->call_count + 1);
  if (rule->sources && rule->targets && rule->calls) return true;
  c->nomem = true;
  return false;
}

static void compile_rule(struct fml_compiler *c, const struct ast_rule *ast, struct prog_rule *out) {
  size_t mark = c->binding_count, i = 0;
  *out = (struct prog_rule){.ast = ast, .map = c->map};
  if (!alloc_rule(c, out)) return;
  for (const struct ast_source *s = ast->sources; s && !c->nomem; s = s->next)
    compile_source(c, s, ast->simple || s->alias.text.len, &out->sources[i++]);
  i = 0;
  for (const struct ast_target *t = ast->targets; t && !c->nomem; t = t->next)
    fml_compile_target(c, ast, out, t, &out->targets[i++]);
  i = 0;
  for (const struct ast_call *call = ast->calls; call && !c->nomem; call = call->next)
    compile_call(c, call, &out->calls[i++]);
  if (!c->nomem) compile_rules(c, ast->rules, &out->rules);
  hide_from(c, mark, false);
}

/* Slots that `share` made in this list: empty whenever it starts. */
static void collect_shared(struct fml_compiler *c, size_t mark, struct prog_beside *out) {
  for (size_t i = mark; i < c->binding_count; i++) {
    struct fml_binding *b = &c->bindings[i];
    if (!b->is_shared || b->hidden || b->scope != c->depth) continue;
    if (!out->shared) out->shared = ARENA_ARRAY(c->set->arena, int, c->binding_count - mark);
    if (out->shared)
      out->shared[out->shared_count++] = (int)i;
    else
      c->nomem = true;
  }
}

static void add_beside(struct fml_compiler *c, size_t mark, struct prog_rules *out) {
  struct prog_beside beside = {0};
  collect_shared(c, mark, &beside);
  if (!c->nomem && !c->set->unfused && !diag_errors(c->diags)) c->nomem = !fml_prepare_choice(c->set->arena, out, &beside.choice);
  if (c->nomem || (!beside.shared_count && !beside.choice)) return;
  struct prog_beside *copy = ARENA_NEW(c->set->arena, struct prog_beside);
  c->nomem = !copy;
  if (copy) *copy = beside;
  out->beside = copy;
}

static void compile_rules(struct fml_compiler *c, const struct ast_rule *ast, struct prog_rules *out) {
  size_t mark = c->binding_count;
  for (const struct ast_rule *r = ast; r; r = r->next)
    out->count++;
  if (out->count == 0) return;
  out->rules = lines_of(c->set->arena, out->count, sizeof *out->rules);
  if (!out->rules) {
    c->nomem = true;
    return;
  }
  c->depth++;
  size_t i = 0;
  for (const struct ast_rule *r = ast; r && !c->nomem; r = r->next)
    compile_rule(c, r, &out->rules[i++]);
  add_beside(c, mark, out);
  c->depth--;
  hide_from(c, mark, true);
}

/* --- groups ----------------------------------------------------------------------------------------------
 */

static bool same_types(const struct prog_group *group, const struct fml_type *params) {
  for (size_t i = 0; i < group->ast->param_count; i++)
    if (group->params[i].type != params[i].type || group->params[i].choice != params[i].choice) return false;
  return true;
}

static void declared_types(struct fml_compiler *c, const struct ast_group *group, struct fml_type *types) {
  size_t i = 0;
  for (const struct ast_param *param = group->params; param; param = param->next, i++)
    if (param->type.text.len && !types[i].type)
      types[i] = fml_type_of(fml_resolve_type(c->set, group->map, param->type.text));
}

struct prog_group *fml_instance(struct fml_compiler *c, struct ast_group *group,
                                const struct fml_type *params) {
  struct mapping_set *set = c->set;
  struct fml_type *types = ARENA_ARRAY(set->arena, struct fml_type, group->param_count);
  struct prog_group *instance = ARENA_NEW(set->arena, struct prog_group);
  bool *is_target = ARENA_ARRAY(set->arena, bool, group->param_count + 1);
  if (!types || !instance || !is_target) {
    c->nomem = true;
    return NULL;
  }
  memcpy(types, params, group->param_count * sizeof *types);
  declared_types(c, group, types);
  group->instantiated = true;
  for (struct prog_group *g = group->instances; g; g = g->next_of_group)
    if (same_types(g, types)) return g;
  if (set->instance_count++ >= INSTANCES_MAX) {
    fml_fault(c, DIAG_MAP_CYCLE, group->name.at, "calls give this group ever new types of arguments");
    return NULL;
  }
  *instance = (struct prog_group){
      .ast = group, .map = group->map, .params = types, .is_target = is_target, .param_count = group->param_count};
  for (const struct ast_param *param = group->params; param; param = param->next)
    *is_target++ = param->is_target;
  instance->next_of_group = group->instances;
  group->instances = instance;
  if (set->last_instance)
    set->last_instance->next = instance;
  else
    set->instances = instance;
  set->last_instance = instance;
  return instance;
}

static void compile_parent(struct fml_compiler *c, struct prog_group *group) {
  const struct ast_group *ast = group->ast;
  if (!ast->parent.text.len) return;
  struct ast_group *parent = fml_find_group(c, ast->map, ast->parent);
  if (!parent) return;
  if (parent->param_count != ast->param_count) {
    fml_fault(c, DIAG_MAP_ARGUMENTS, ast->parent.at, "the extended group has %zu parameters, this one %zu",
              parent->param_count, ast->param_count);
    return;
  }
  group->parent = fml_instance(c, parent, group->params);
}

static void compile_group(struct fml_compiler *c, struct prog_group *group) {
  c->map = group->map;
  c->group = group;
  c->binding_count = 0;
  c->depth = 0;
  size_t i = 0;
  for (const struct ast_param *param = group->ast->params; param; param = param->next, i++)
    if (fml_bind(c, param->name.text, param->is_target, group->params[i]) < 0) return;
  group->constant_slot = c->binding_count;
  i = 0;
  for (const struct ast_constant *k = group->map->constants; k; k = k->next, i++) {
    const struct prog_expr *expr = group->map->constant_values[i];
    const struct def_type *type = expr ? fhirpath_result_type(expr->program) : NULL;
    if (fml_bind(c, k->name.text, false, fml_type_of(type)) < 0) return;
  }
  compile_parent(c, group);
  compile_rules(c, group->ast->rules, &group->rules);
  group->slot_count = c->binding_count;
  group->compiled = true;
}

void fml_compile_pending(struct fml_compiler *c) {
  for (struct prog_group *group = c->set->instances; group && !c->nomem; group = group->next)
    if (!group->compiled) compile_group(c, group);
}
