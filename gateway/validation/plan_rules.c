/* plan_rules.c - plans: which rules in FHIRPath a type or element brings that must be evaluated. */
#include "validation/internal.h"

/* Rules that the walk checks by itself, at a fraction of the cost, or that hold where a child is absent:
   ele-1 by refusing empty values, ext-1 in extension.c, ref-1 and dom-3 in reference.c, txt-1 and txt-2 in
   xhtml.c. */
static const struct known_rule {
  struct str key;
  const char *needs; /* NULL: never evaluated */
} known_rules[] = {
    {{"ele-1", 5}, NULL},        {{"ref-1", 5}, NULL},        {{"txt-1", 5}, NULL},
    {{"txt-2", 5}, NULL},        {{"dom-3", 5}, NULL},        {{"ext-1", 5}, NULL},
    {{"dom-2", 5}, "contained"}, {{"dom-4", 5}, "contained"}, {{"dom-5", 5}, "contained"},
};

/* NULL: as the model says. */
static const struct validation_setting *setting_of(const struct validation *validation,
                                                   const struct def_constraint *constraint, bool logical) {
  if (!logical || !constraint->group.len) return NULL;
  for (size_t i = 0; i < validation->setting_count; i++)
    if (str_eq(validation->settings[i].rule, constraint->key)) return &validation->settings[i];
  return NULL;
}

static bool is_off(const struct validation *validation, const struct def_constraint *constraint, bool logical) {
  const struct validation_setting *setting = setting_of(validation, constraint, logical);
  return setting && setting->level == VALIDATION_OFF;
}

static bool is_wanted(const struct validation *validation, const struct def_constraint *constraint,
                      bool logical, uint32_t *needs) {
  *needs = 0;
  if (is_off(validation, constraint, logical)) return false;
  if (!logical && validation->constraints != VALIDATION_CONSTRAINTS_ALL) return false;
  if (constraint->expression.len == 0) return false;
  for (size_t i = 0; i < sizeof known_rules / sizeof known_rules[0]; i++) {
    if (!str_eq(constraint->key, known_rules[i].key)) continue;
    if (!known_rules[i].needs) return false;
    *needs = definitions_symbol(validation->definitions, str_of(known_rules[i].needs));
  }
  return true;
}

static bool has_rule(const struct validation_rules *rules, const struct def_constraint *constraint) {
  for (size_t i = 0; i < rules->count; i++)
    if (str_eq(rules->items[i].constraint.key, constraint->key) &&
        str_eq(rules->items[i].constraint.expression, constraint->expression))
      return true;
  return false;
}

static bool type_has(const struct def_type *type, struct str key) {
  for (size_t i = 0; type && i < def_type_constraint_count(type); i++)
    if (str_eq(def_type_constraint(type, i).key, key)) return true;
  return false;
}

static bool element_has(const struct def_element *element, struct str key) {
  for (size_t i = 0; element && i < def_element_constraint_count(element); i++)
    if (str_eq(def_element_constraint(element, i).key, key)) return true;
  return false;
}

/* The outermost type that a nested part stands in: "Patient" for "Patient.contact.name". */
static const struct def_type *outer_type(const struct validation *validation, const struct def_type *type) {
  struct str name = def_type_name(type);
  if (def_type_kind(type) != DEF_NESTED) return def_type_constrained(type);
  return definitions_type(validation->definitions, str_slice(name, 0, str_find_char(name, '.', 0)));
}

static bool is_logical(const struct def_type *type) {
  return type && def_type_kind(type) == DEF_LOGICAL;
}

/* Where static types come from, and what has the rule already. */
struct scope {
  const struct def_type *input, *resource;
  bool logical;
  const struct def_type *types[2];
  const struct def_element *element;
  const struct def_element *profiled; /* whose types' profiles have the rule already */
  const struct definitions *definitions;
};

static struct scope scope_of(const struct validation *validation, const struct def_type *type,
                             const struct def_type *input) {
  const struct def_type *outer = outer_type(validation, type);
  bool whole = outer && (def_type_kind(outer) == DEF_RESOURCE || is_logical(outer));
  return (struct scope){.definitions = validation->definitions,
                        .input = input ? def_type_constrained(input) : NULL,
                        .resource = whole ? outer : NULL,
                        .logical = is_logical(outer)};
}

/* A snapshot repeats the rules of a profile where it names it: there they are checked, as of that resource.
 */
static bool profile_has(const struct scope *scope, struct str key) {
  const struct def_element *element = scope->profiled;
  for (size_t i = 0; element && i < def_element_type_count(element); i++)
    for (size_t k = 0; k < def_element_profile_count(element, i); k++)
      if (type_has(definitions_type(scope->definitions, def_element_profile(element, i, k)), key))
        return true;
  return false;
}

static bool is_known(const struct scope *scope, struct str key) {
  if (profile_has(scope, key)) return true;
  return type_has(scope->types[0], key) || type_has(scope->types[1], key) || element_has(scope->element, key);
}

/* Rules of R4 that do not say in FHIRPath what they say in words: what is absent makes them empty, which is
   not true, or they misspell a type; R4B and R5 have mended them. */
static struct str mend(struct str expression) {
  static const struct {
    const char *broken, *mended;
  } errata[] = {
      {"probability is decimal implies (probability as decimal) <= 100",
       "probability.empty() or ((probability is decimal) implies ((probability as decimal) <= 100))"},
      {"probability is decimal implies probability.as(decimal) <= 100",
       "probability.empty() or (probability is decimal implies probability.as(decimal) <= 100)"},
      {"enableWhen.count() > 2 implies enableBehavior.exists()",
       "enableWhen.count() >= 2 implies enableBehavior.exists()"},
      {"operator = 'exists' implies (answer is Boolean)", "operator = 'exists' implies (answer is boolean)"},
      {"generated='generated' implies source.empty()", "generation='generated' implies source.empty()"},
      {"fullUrl.contains('/_history/').not()",
       "fullUrl.exists() implies fullUrl.contains('/_history/').not()"},
      {"name.matches('[A-Z]([A-Za-z0-9_]){0,254}')",
       "name.exists() implies name.matches('^[A-Z]([A-Za-z0-9_]){0,254}$')"}};
  for (size_t i = 0; i < sizeof errata / sizeof errata[0]; i++)
    if (str_is(expression, errata[i].broken)) return str_of(errata[i].mended);
  return expression;
}

static void add_rule(struct validation *validation, struct validation_rules *rules,
                     const struct def_constraint *constraint, const struct scope *scope) {
  uint32_t needs;
  if (!is_wanted(validation, constraint, scope->logical, &needs) || has_rule(rules, constraint)) return;
  const struct validation_setting *setting = setting_of(validation, constraint, scope->logical);
  struct validation_rule *rule = &rules->items[rules->count++];
  rule->constraint = *constraint;
  if (setting) rule->constraint.is_error = setting->level == VALIDATION_ERROR;
  rule->constraint.expression = mend(constraint->expression);
  rule->needs = needs;
  rule->input = scope->input;
  rule->resource = scope->resource;
  rule->logical = scope->logical;
  rule->best_practice = str_is(constraint->key, "dom-6");
}

/* Takes the wanted ones of a list; room for these only: nearly every element of a snapshot repeats ele-1. */
static bool add_rules(struct validation *validation, const struct scope *scope, size_t count, const void *of,
                      struct def_constraint (*get)(const void *of, size_t index),
                      struct validation_rules *out) {
  size_t wanted = 0;
  uint32_t needs;
  for (size_t i = 0; i < count; i++) {
    struct def_constraint constraint = get(of, i);
    wanted += is_wanted(validation, &constraint, scope->logical, &needs) && !is_known(scope, constraint.key);
  }
  if (wanted == 0) return true;
  out->items = ARENA_ARRAY(validation->arena, struct validation_rule, wanted);
  out->ways = ARENA_ARRAY(validation->arena, struct validation_ways, wanted);
  for (size_t i = 0; i < count && out->items && out->ways; i++) {
    struct def_constraint constraint = get(of, i);
    if (!is_known(scope, constraint.key)) add_rule(validation, out, &constraint, scope);
  }
  return out->items && out->ways;
}

static struct def_constraint of_element(const void *element, size_t index) {
  return def_element_constraint(element, index);
}

static struct def_constraint of_type(const void *type, size_t index) {
  return def_type_constraint(type, index);
}

bool validation_plan_element_rules(struct validation *validation, const struct def_type *type,
                                   const struct def_element *base, struct validation_element *out) {
  bool one = def_element_type_count(out->element) == 1;
  const struct def_type *only = one ? def_element_type(out->element, 0).type : NULL;
  struct scope scope = scope_of(validation, type, only);
  scope.types[0] = only; /* the rules of a nested part stand at its type */
  scope.types[1] = only ? def_type_constrained(only) : NULL;
  scope.element = base;
  scope.profiled = out->element;
  return add_rules(validation, &scope, def_element_constraint_count(out->element), out->element, of_element,
                   &out->rules);
}

bool validation_plan_type_rules(struct validation *validation, const struct def_type *type,
                                const struct def_type *base, struct validation_rules *out) {
  struct scope scope = scope_of(validation, type, type);
  scope.types[0] = base;
  return add_rules(validation, &scope, def_type_constraint_count(type), type, of_type, out);
}
