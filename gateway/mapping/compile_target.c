/* compile_target.c - targets: where a value goes, which transform makes it, and whether the types fit. */
#include "mapping/internal.h"

struct transform {
  const char *name;
  enum prog_op op;
  size_t min, max;    /* arguments */
  const char *result; /* FHIR type, NULL: by the arguments */
};

static const struct transform transforms[] = {
    {"create", PROG_CREATE, 0, 1, NULL},
    {"copy", PROG_COPY, 1, 1, NULL},
    {"truncate", PROG_TRUNCATE, 2, 2, "string"},
    {"escape", PROG_ESCAPE, 2, 3, "string"},
    {"cast", PROG_CAST, 1, 2, NULL},
    {"append", PROG_APPEND, 1, 64, "string"},
    {"translate", PROG_TRANSLATE, 2, 3, NULL},
    {"reference", PROG_REFERENCE, 1, 1, "string"},
    {"dateOp", PROG_DATEOP, 3, 3, NULL},
    {"uuid", PROG_UUID, 0, 0, "id"},
    {"pointer", PROG_POINTER, 1, 1, "uri"},
    {"evaluate", PROG_EVALUATE, 1, 2, NULL},
    {"cc", PROG_CC, 1, 3, "CodeableConcept"},
    {"c", PROG_C, 2, 3, "Coding"},
    {"qty", PROG_QTY, 1, 4, "Quantity"},
    {"id", PROG_ID, 2, 3, "Identifier"},
    {"cp", PROG_CP, 1, 2, "ContactPoint"},
};

/* One target at work. */
struct place {
  struct fml_compiler *c;
  const struct ast_target *ast;
  const struct prog_rule *rule;
  struct prog_target *out;
  struct fml_type type; /* what may stand there; both NULL: anything */
  bool attached;        /* it has a parent element */
};

static void fault_type(const struct place *p, struct fml_type value) {
  struct arena *arena = p->c->set->arena;
  uint32_t at = p->ast->transform.text.len ? p->ast->transform.at : p->ast->at;
  fml_fault(p->c, DIAG_MAP_TYPE, at, "%.*s does not fit %.*s", STR_ARG(fml_type_label(arena, value)),
            STR_ARG(fml_type_label(arena, p->type)));
}

/* Is a value of exactly this type allowed there? */
static bool allows(struct fml_type place, const struct def_type *type) {
  if (place.type) return def_type_is(type, place.type);
  if (!place.choice) return true;
  for (size_t i = 0; i < def_element_type_count(place.choice); i++)
    if (def_type_is(type, def_element_type(place.choice, i).type)) return true;
  return false;
}

/* A value whose type is known when loaded: sets the type that is written, or faults. */
static void settle(struct place *p, const struct def_type *type) {
  enum def_primitive primitive = fml_primitive_of(type);
  struct fml_type value = fml_type_of(type);
  if (!p->attached || (!p->type.type && !p->type.choice)) {
    p->out->type = type;
    return;
  }
  if (p->type.type && primitive && fml_is_primitive(p->type.type)) {
    if (fml_primitive_fit(primitive, fml_primitive_of(p->type.type)) == FML_NO_FIT) fault_type(p, value);
    p->out->type = p->type.type;
    return;
  }
  if (def_type_kind(type) != DEF_SYSTEM && allows(p->type, type)) {
    p->out->type = type;
    return;
  }
  if (p->type.choice && primitive) p->out->type = fml_choose(p->type.choice, primitive);
  if (!p->out->type) fault_type(p, value);
}

/* --- codes and other literals ----------------------------------------------------------------------------
 */

/* A literal word must be a code of the required value set. */
static void check_code(const struct place *p, const struct ast_arg *arg) {
  struct def_binding binding;
  if (p->out->step_count == 0) return;
  const struct def_element *element = p->out->steps[p->out->step_count - 1].element;
  if (!element || fml_primitive_of(p->out->type) != DEF_P_CODE) return;
  if (!def_element_binding(element, &binding) || binding.strength != DEF_REQUIRED || !binding.members) return;
  if (def_value_set_has(binding.members, STR(""), arg->text, NULL) != DEF_NOT_MEMBER) return;
  struct str nearest = def_value_set_nearest(binding.members, arg->text);
  fml_fault(p->c, DIAG_CODE_NOT_IN_VALUE_SET, arg->at, "'%.*s' is no code of %.*s%.*s", STR_ARG(arg->text),
            STR_ARG(binding.value_set), STR_ARG(fml_hint(p->c->set->arena, nearest)));
}

static enum def_primitive literal_primitive(const struct ast_arg *arg) {
  switch (arg->kind) {
  case AST_INTEGER:
    return DEF_P_INTEGER;
  case AST_DECIMAL:
    return DEF_P_DECIMAL;
  case AST_BOOLEAN:
    return DEF_P_BOOLEAN;
  case AST_DATE:
    if (arg->text.len && arg->text.ptr[0] == 'T') return DEF_P_TIME;
    return str_find_char(arg->text, 'T', 0) == SIZE_MAX ? DEF_P_DATE : DEF_P_DATETIME;
  default:
    return DEF_P_STRING;
  }
}

static void compile_literal(struct place *p, const struct ast_arg *arg) {
  static const char *const names[] = {
      [DEF_P_BOOLEAN] = "boolean", [DEF_P_INTEGER] = "integer", [DEF_P_DECIMAL] = "decimal",
      [DEF_P_STRING] = "string",   [DEF_P_DATE] = "date",       [DEF_P_DATETIME] = "dateTime",
      [DEF_P_TIME] = "time"};
  enum def_primitive primitive = literal_primitive(arg);
  p->out->op = PROG_LITERAL;
  if (primitive == DEF_P_TIME) p->out->args[0].text = str_slice(arg->text, 1, arg->text.len);
  if (p->type.choice) {
    p->out->type = fml_choose(p->type.choice, primitive);
    if (!p->out->type)
      fault_type(p, fml_type_of(definitions_type(p->c->set->definitions, str_of(names[primitive]))));
    return;
  }
  settle(p, definitions_type(p->c->set->definitions, str_of(names[primitive])));
  enum def_primitive wanted = fml_primitive_of(p->out->type);
  if (wanted && fml_primitive_fit(primitive, wanted) != FML_NO_FIT &&
      !fml_lexical(wanted, p->out->args[0].text))
    fml_fault(p->c, DIAG_VALUE_FORMAT, arg->at, "this is no %.*s", STR_ARG(def_type_name(p->out->type)));
  check_code(p, arg);
}

/* --- copies ----------------------------------------------------------------------------------------------
 */

static bool add_case(struct place *p, const struct def_type *source, const struct def_type *target,
                     struct prog_group *group) {
  p->out->cases[p->out->case_count++] = (struct prog_case){source, target, group};
  return true;
}

/* By a default group of the map. */
static bool case_by_group(struct place *p, const struct def_type *source) {
  struct fml_compiler *c = p->c;
  const struct def_type *target = p->type.type;
  struct ast_group *group = fml_default_group(c, c->map, source, target, p->ast->at);
  if (!group) return false;
  if (!target) {
    target = fml_resolve_type(c->set, group->map, group->params->next->type.text);
    if (!target || !allows(p->type, target)) return false;
  }
  struct fml_type types[2] = {fml_type_of(source), fml_type_of(target)};
  struct prog_group *instance = fml_instance(c, group, types);
  return instance && add_case(p, source, target, instance);
}

static bool case_by_copy(struct place *p, const struct def_type *source) {
  enum def_primitive primitive = fml_primitive_of(source);
  if (primitive && p->type.type)
    return fml_primitive_fit(primitive, fml_primitive_of(p->type.type)) != FML_NO_FIT;
  if (allows(p->type, source)) return primitive || add_case(p, source, source, NULL);
  return primitive && p->type.choice && fml_choose(p->type.choice, primitive);
}

/* A value with one of these types goes to a place: which way, for each of them. */
static void compile_cases(struct place *p, struct fml_type value, bool group_first) {
  size_t count = value.choice ? def_element_type_count(value.choice) : 1;
  p->out->cases = ARENA_ARRAY(p->c->set->arena, struct prog_case, count);
  if (!p->out->cases) {
    p->c->nomem = true;
    return;
  }
  if (!value.type && !value.choice) return; /* found while running */
  bool any = false;
  for (size_t i = 0; i < count; i++) {
    const struct def_type *source = value.choice ? def_element_type(value.choice, i).type : value.type;
    bool done = group_first && case_by_group(p, source);
    if (!done) done = case_by_copy(p, source);
    if (!done && !group_first) done = case_by_group(p, source);
    any = any || done;
  }
  if (!any) fault_type(p, value);
  if (value.type && fml_is_primitive(value.type) && p->out->case_count == 0 && any) settle(p, value.type);
}

static void compile_copy(struct place *p, const struct ast_arg *arg) {
  if (arg->kind != AST_VARIABLE) {
    compile_literal(p, arg);
    return;
  }
  p->out->op = PROG_COPY;
  if (p->out->args[0].slot < 0) return;
  struct fml_type value = p->c->bindings[p->out->args[0].slot].type;
  if (p->attached)
    compile_cases(p, value, false);
  else
    p->type = value;
}

/* --- transforms with rules of their own ------------------------------------------------------------------
 */

static const struct def_type *want_type(struct place *p, const struct ast_arg *arg) {
  const struct def_type *type = NULL;
  if (arg->kind == AST_STRING) type = fml_resolve_type(p->c->set, p->c->map, arg->text);
  if (type) return type;
  struct str nearest = definitions_nearest_type(p->c->set->definitions, arg->text);
  fml_fault(p->c, DIAG_MAP_UNKNOWN_TYPE, arg->at, "no type '%.*s' is known%.*s", STR_ARG(arg->text),
            STR_ARG(fml_hint(p->c->set->arena, nearest)));
  return NULL;
}

static bool is_single(const struct place *p) {
  if (!p->type.type) return !p->type.choice; /* unknown: found while running */
  return !(def_type_abstract(p->type.type) && def_type_kind(p->type.type) == DEF_RESOURCE);
}

static void compile_create(struct place *p, const struct ast_arg *arg) {
  if (arg) {
    p->out->type = want_type(p, arg);
    if (p->out->type && p->attached && !allows(p->type, p->out->type))
      fault_type(p, fml_type_of(p->out->type));
    return;
  }
  if (!p->attached || !is_single(p))
    fml_fault(p->c, DIAG_MAP_ARGUMENTS, p->ast->at, "say which type to create: create('Type')");
  p->out->type = p->type.type;
}

static void compile_make(struct place *p) {
  p->out->op = PROG_MAKE;
  p->out->type = p->type.type;
  if (is_single(p)) return;
  fml_fault(p->c, DIAG_MAP_TYPE, p->ast->at, "%.*s: say which one, with create('Type')",
            STR_ARG(fml_type_label(p->c->set->arena, p->type)));
}

static void compile_cast(struct place *p, const struct ast_arg *args) {
  if (args->next) {
    p->out->type = want_type(p, args->next);
    if (!p->out->type) return;
    if (!fml_is_primitive(p->out->type))
      fml_fault(p->c, DIAG_MAP_TYPE, args->next->at, "cast is for primitive types");
    if (p->attached && p->type.type && fml_is_primitive(p->type.type) &&
        fml_primitive_fit(fml_primitive_of(p->out->type), fml_primitive_of(p->type.type)) != FML_NO_FIT) {
      p->out->cast = p->out->type; /* checked as asked for, written as the element's type */
      p->out->type = p->type.type;
      return;
    }
    if (p->attached && !allows(p->type, p->out->type)) fault_type(p, fml_type_of(p->out->type));
    return;
  }
  if (!p->type.type || !fml_is_primitive(p->type.type))
    fml_fault(p->c, DIAG_MAP_ARGUMENTS, p->ast->at, "say which type to cast to: cast(x, 'type')");
  p->out->type = p->type.type;
}

static const struct concept_map *find_concept_map(struct place *p, struct str url) {
  const struct mapping_set *set = p->c->set;
  const struct mapping_map *map = p->c->map;
  size_t hash = str_find_char(url, '#', 0);
  if (hash != SIZE_MAX && hash > 0) map = map_get(&set->by_url, str_slice(url, 0, hash));
  if (hash == SIZE_MAX) return map_get(&set->concept_maps, url);
  for (const struct concept_map *m = map ? map->concept_maps : NULL; m; m = m->next_inline)
    if (str_eq(m->id, str_slice(url, hash + 1, url.len))) return m;
  return NULL;
}

static void compile_concept_map(struct place *p, const struct ast_arg *arg) {
  if (arg->kind == AST_VARIABLE) return; /* found while running */
  p->out->concept_map = find_concept_map(p, arg->text);
  if (p->out->concept_map) return;
  struct str nearest = map_nearest(&p->c->set->concept_maps, arg->text);
  fml_fault(p->c, DIAG_MAP_UNKNOWN_CONCEPTMAP, arg->at, "no ConceptMap '%.*s' is loaded%.*s",
            STR_ARG(arg->text), STR_ARG(fml_hint(p->c->set->arena, nearest)));
}

static void compile_translate(struct place *p, const struct ast_arg *args) {
  static const struct {
    const char *word;
    enum prog_output output;
    const char *type;
  } outputs[] = {{"Coding", OUTPUT_CODING, "Coding"},
                 {"code", OUTPUT_CODE, "code"},
                 {"CodeableConcept", OUTPUT_CONCEPT, "CodeableConcept"},
                 {"system", OUTPUT_SYSTEM, "uri"},
                 {"uri", OUTPUT_SYSTEM, "uri"},
                 {"display", OUTPUT_DISPLAY, "string"}};
  compile_concept_map(p, args->next);
  const struct ast_arg *word = args->next->next;
  for (size_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++) {
    if (word && !str_is(word->text, outputs[i].word)) continue;
    p->out->output = outputs[i].output;
    settle(p, definitions_type(p->c->set->definitions, str_of(outputs[i].type)));
    return;
  }
  fml_fault(p->c, DIAG_MAP_ARGUMENTS, word->at,
            "the result is one of code, Coding, CodeableConcept, system and display");
}

static void compile_evaluate(struct place *p, const struct ast_arg *args) {
  struct fml_compiler *c = p->c;
  const struct ast_arg *last = args->next ? args->next : args;
  struct fml_type focus = {0};
  p->out->focus = -1;
  if (args->next) {
    p->out->focus = p->out->args[0].slot;
    if (p->out->focus >= 0) focus = c->bindings[p->out->focus].type;
  }
  p->out->expr = fml_expr(c, last->range, args->next ? &focus : NULL);
  const struct def_type *type = p->out->expr ? fhirpath_result_type(p->out->expr->program) : NULL;
  if (!p->attached) {
    p->type = fml_type_of(type);
    return;
  }
  compile_cases(p, fml_type_of(type), false);
}

/* dateOp(moment, amount, 'unit'): the type of the moment stays. */
static void compile_dateop(struct place *p, const struct ast_arg *args) {
  const struct ast_arg *unit = args->next->next;
  int slot = p->out->args[0].slot;
  if (unit->kind != AST_STRING || !fml_unit(unit->text, NULL))
    fml_fault(p->c, DIAG_MAP_ARGUMENTS, unit->at,
              "the unit is one of years, months, weeks, days, hours, "
              "minutes, seconds and milliseconds");
  struct fml_type value = slot >= 0 ? p->c->bindings[slot].type : (struct fml_type){0};
  if (value.type)
    settle(p, value.type);
  else
    p->out->type = p->type.type;
}

static void compile_resource(struct place *p, const struct ast_arg *arg) {
  int slot = p->out->args[0].slot;
  const struct def_type *type = slot >= 0 ? p->c->bindings[slot].type.type : NULL;
  if (slot < 0 || !type || def_type_kind(type) == DEF_RESOURCE || def_type_kind(type) == DEF_LOGICAL) return;
  fml_fault(p->c, DIAG_MAP_TYPE, arg->at, "only a resource can be referred to; this is %.*s",
            STR_ARG(def_type_name(type)));
}

/* cc and c with literals: system, code and display are found now. The first argument may be a value set. */
static void compile_code(struct place *p, const struct ast_arg *args) {
  const struct definitions *d = p->c->set->definitions;
  if (!args->next || args->kind != AST_STRING || args->next->kind != AST_STRING) return;
  if (args->next->next) return;
  struct str code = args->next->text, *display = ARENA_NEW(p->c->set->arena, struct str);
  p->c->nomem |= !display;
  if (!display) return;
  const struct def_code_system *system = definitions_code_system(d, args->text);
  if (system && !def_code_system_has(system, code, display) && def_code_system_complete(system))
    fml_fault(p->c, DIAG_CODE_UNKNOWN, args->next->at, "'%.*s' is no code of %.*s", STR_ARG(code), STR_ARG(args->text));
  p->out->display = display->len ? display : NULL;
}

/* --- one target ------------------------------------------------------------------------------------------
 */

static bool compile_args(struct place *p) {
  static const enum fp_kind kinds[] = {FP_NODE, FP_STRING, FP_INTEGER, FP_DECIMAL, FP_BOOLEAN, FP_DATE};
  struct fml_compiler *c = p->c;
  p->out->arg_count = (uint32_t)p->ast->arg_count;
  p->out->args = ARENA_ARRAY(c->set->arena, struct prog_arg, p->ast->arg_count + 1);
  if (!p->out->args) {
    c->nomem = true;
    return false;
  }
  bool ok = true;
  size_t i = 0;
  for (const struct ast_arg *arg = p->ast->args; arg; arg = arg->next, i++) {
    p->out->args[i] = (struct prog_arg){.slot = -1, .text = arg->text};
    if (arg->kind == AST_EXPRESSION) continue;
    p->out->args[i].kind = kinds[arg->kind];
    struct ast_name name = {arg->text, arg->at};
    if (arg->kind == AST_VARIABLE) p->out->args[i].slot = fml_want_variable(c, &name, -1);
    if (arg->kind == AST_VARIABLE && p->out->args[i].slot < 0) ok = false;
  }
  return ok;
}

static const struct transform *find_transform(struct place *p) {
  struct str name = p->ast->transform.text;
  struct map all;
  for (size_t i = 0; i < sizeof transforms / sizeof transforms[0]; i++)
    if (str_is(name, transforms[i].name)) return &transforms[i];
  map_init(&all, p->c->set->arena);
  for (size_t i = 0; i < sizeof transforms / sizeof transforms[0]; i++)
    if (map_put(&all, str_of(transforms[i].name), p) == STATUS_NOMEM) p->c->nomem = true;
  fml_fault(p->c, DIAG_MAP_UNKNOWN_TRANSFORM, p->ast->transform.at, "no transform '%.*s'%.*s", STR_ARG(name),
            STR_ARG(fml_hint(p->c->set->arena, map_nearest(&all, name))));
  return NULL;
}

static void compile_by_op(struct place *p, const struct transform *t) {
  const struct ast_arg *args = p->ast->args;
  switch (t->op) {
  case PROG_CREATE:
    compile_create(p, args);
    break;
  case PROG_COPY:
    compile_copy(p, args);
    break;
  case PROG_CAST:
    compile_cast(p, args);
    break;
  case PROG_TRANSLATE:
    compile_translate(p, args);
    break;
  case PROG_EVALUATE:
    compile_evaluate(p, args);
    break;
  case PROG_DATEOP:
    compile_dateop(p, args);
    break;
  case PROG_REFERENCE:
  case PROG_POINTER:
    compile_resource(p, args);
    settle(p, definitions_type(p->c->set->definitions, str_of(t->result)));
    break;
  case PROG_CC:
  case PROG_C:
    compile_code(p, args);
    settle(p, definitions_type(p->c->set->definitions, str_of(t->result)));
    break;
  default:
    settle(p, definitions_type(p->c->set->definitions, str_of(t->result)));
  }
}

static void compile_transform(struct place *p) {
  const struct transform *t = find_transform(p);
  if (!t || !compile_args(p)) return;
  p->out->op = t->op;
  if (p->ast->arg_count < t->min || p->ast->arg_count > t->max) {
    fml_fault(p->c, DIAG_MAP_ARGUMENTS, p->ast->transform.at, "%s takes %zu to %zu arguments, %zu are given",
              t->name, t->min, t->max, p->ast->arg_count);
    return;
  }
  compile_by_op(p, t);
}

/* src.a -> tgt.b: by default group, else copied. */
static void compile_auto(struct place *p) {
  const struct prog_source *source = &p->rule->sources[0];
  p->out->op = PROG_AUTO;
  p->out->args = ARENA_ARRAY(p->c->set->arena, struct prog_arg, 1);
  if (!p->out->args) {
    p->c->nomem = true;
    return;
  }
  p->out->arg_count = 1;
  p->out->args[0].slot = source->out;
  compile_cases(p, p->c->bindings[source->out].type, true);
}

static bool compile_context(struct place *p) {
  struct fml_compiler *c = p->c;
  p->out->context = -1;
  if (!p->ast->context.text.len) return true;
  p->out->context = fml_want_variable(c, &p->ast->context, 1);
  if (p->out->context < 0) return false;
  p->type = c->bindings[p->out->context].type;
  p->attached = true;
  if (!p->ast->path) {
    fml_fault(c, DIAG_MAP_SYNTAX, p->ast->context.at, "name the element that takes the value: %.*s.element",
              STR_ARG(p->ast->context.text));
    return false;
  }
  return fml_compile_steps(c, p->ast->path, &p->type, &p->out->steps, &p->out->step_count);
}

static void bind_share(struct place *p) {
  struct fml_compiler *c = p->c;
  p->out->share = -1;
  if (p->ast->mode != AST_SHARE) return;
  for (size_t i = c->binding_count; i-- > 0 && p->out->share < 0;)
    if (c->bindings[i].is_shared && !c->bindings[i].hidden && str_eq(c->bindings[i].name, p->ast->share.text))
      p->out->share = (int)i;
  if (p->out->share >= 0) return;
  p->out->share = fml_bind(c, p->ast->share.text, true, (struct fml_type){0});
  if (p->out->share >= 0) c->bindings[p->out->share].is_shared = true;
}

/* What is made at each step, where it is known: the last one has the type of the value. */
static void stamp_steps(struct fml_compiler *c, struct prog_target *out) {
  if (!out->steps || c->set->unfused) return;
  for (size_t i = 0; i < out->step_count; i++) {
    struct prog_step *step = &out->steps[i];
    const struct def_element *element = step->element;
    if (!element || step->is_value) continue;
    const struct def_type *type = i + 1 == out->step_count ? out->type : step->type;
    if (!type && def_element_type_count(element) == 1) type = def_element_type(element, 0).type;
    struct tree_node stamp;
    if (!type || !definitions_stamp(element, type, &stamp)) continue;
    struct tree_node *kept = arena_line(c->set->arena, sizeof *kept);
    if (kept) *kept = stamp;
    c->nomem |= !kept;
    step->stamp = kept;
  }
}

/* Whether a single element that is there already is taken; of an element that is not known before, that is seen when it is made. */
static void take_again(struct prog_target *out) {
  const struct prog_step *last = out->steps ? &out->steps[out->step_count - 1] : NULL;
  if (!last) return;
  out->stamp = last->stamp;
  out->again = out->ast->mode == AST_SINGLE || (out->op == PROG_MAKE && last->element && !def_element_is_list(last->element));
}

static enum prog_way way_of(const struct prog_target *target) {
  if (target->op == PROG_MAKE || target->op == PROG_CREATE) return WAY_MAKE;
  if (target->op == PROG_EVALUATE) return WAY_EVALUATE;
  bool made = target->op == PROG_TRANSLATE && (target->output == OUTPUT_CODING || target->output == OUTPUT_CONCEPT);
  return made || target->op >= PROG_CC ? WAY_BUILD : WAY_TRANSFORM;
}

/* The commonest targets take a short way: a literal that needs no look while running has its text in the stamp; a
   text copied to a primitive (WAY_DIRECT) needs a look at its type only. */
static void shorten(struct fml_compiler *c, struct prog_target *out) {
  const struct tree_node *stamp = out->stamp;
  if (!stamp || !out->args || !out->type || out->primitive == DEF_P_NONE || out->cast) return;
  if ((out->op == PROG_COPY || out->op == PROG_AUTO) && out->args[0].slot >= 0 && !out->case_count) {
    out->way = WAY_DIRECT;
    out->focus = out->args[0].slot;
  }
  if (out->op != PROG_LITERAL || out->args[0].text.len == 0) return;
  struct tree_node *ready = arena_line(c->set->arena, sizeof *ready);
  c->nomem |= !ready;
  if (!ready) return;
  *ready = *stamp;
  ready->text = out->args[0].text;
  out->stamp = ready;
  out->way = WAY_READY;
}

/* What is made is its stamp, where no other target shares it. */
static void shorten_making(struct prog_target *out) {
  if (out->way == WAY_MAKE && out->stamp && out->share < 0) out->way = out->again ? WAY_AGAIN : WAY_READY;
}

void fml_compile_target(struct fml_compiler *c, const struct ast_rule *ast_rule, const struct prog_rule *rule,
                        const struct ast_target *ast, struct prog_target *out) {
  struct place p = {.c = c, .ast = ast, .rule = rule, .out = out};
  *out = (struct prog_target){.ast = ast, .out = -1, .focus = -1};
  bool ok = compile_context(&p);
  if (ok && ast_rule->simple)
    compile_auto(&p);
  else if (ok && ast->has_value)
    compile_transform(&p);
  else if (ok)
    compile_make(&p);
  out->primitive = fml_primitive_of(out->type);
  stamp_steps(c, out);
  take_again(out);
  out->way = way_of(out);
  shorten(c, out);
  bind_share(&p);
  shorten_making(out);
  if (!ast->alias.text.len) return;
  struct fml_type type = out->type ? fml_type_of(out->type) : p.type;
  if (!ok) type = (struct fml_type){0};
  if (out->case_count == 1) type = fml_type_of(out->cases[0].target);
  out->out = fml_bind(c, ast->alias.text, true, type);
}
