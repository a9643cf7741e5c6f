/*
 * extension.c - extensions: whether they are defined, may stand where they stand, and are what their
 * definition says (R4 extensibility.html, defining-extensions.html#context).
 */
#include "validation/internal.h"

/* --- unknown ones --- */

/* Whoever writes examples makes up extensions. */
static bool is_example(struct str url) {
  return str_find(url, STR("example.org"), 0) != SIZE_MAX || str_find(url, STR("acme.com"), 0) != SIZE_MAX ||
         str_find(url, STR("nema.org"), 0) != SIZE_MAX;
}

static bool is_core(struct str url) {
  return str_starts(url, STR("http://hl7.org/fhir/StructureDefinition/"));
}

/* HL7 goes on defining extensions of R4 in a package of its own; without it those of its base are unknown
   here and yet may be right. */
static bool has_core_extensions(const struct validation *validation) {
  for (size_t i = 0; i < definitions_package_count(validation->definitions); i++)
    if (str_starts(definitions_package(validation->definitions, i).id, STR("hl7.fhir.uv.extensions")))
      return true;
  return false;
}

static enum diag_severity severity_of_unknown(const struct validation_walk *walk, struct str url) {
  if (is_core(url)) return has_core_extensions(walk->validation) ? DIAG_ERROR : DIAG_INFORMATION;
  if (is_example(url)) return DIAG_INFORMATION;
  return walk->run->any_extensions ? DIAG_WARNING : DIAG_ERROR;
}

static void report_unknown(const struct validation_visit *visit, struct str url) {
  struct validation_walk *walk = visit->walk;
  enum diag_severity severity = severity_of_unknown(walk, url);
  struct str shown = diag_value(walk->run->arena, url);
  if (severity < DIAG_ERROR)
    validation_advise(walk, severity, DIAG_EXTENSION_UNKNOWN, visit->node,
                      "the definitions have no extension %.*s", STR_ARG(shown));
  else
    validation_report(walk, severity, DIAG_EXTENSION_UNKNOWN, visit->node,
                      "the definitions have no extension %.*s", STR_ARG(shown));
}

/* --- context --- */

static struct str without_choice(struct str name) {
  return str_ends(name, STR("[x]")) ? str_slice(name, 0, name.len - 3) : name;
}

static bool has_type_name(const struct def_type *type, struct str name) {
  for (; type; type = def_type_base(type))
    if (str_eq(def_type_name(type), name)) return true;
  return false;
}

/* "Patient.contact.name" or "HumanName": a path that ends at the node, from any type above it. */
static bool is_at(const struct tree_node *node, struct str path) {
  while (node && path.len) {
    if (has_type_name(node_type(node), path)) return true;
    size_t from = path.len;
    while (from > 0 && path.ptr[from - 1] != '.')
      from--;
    if (from == 0 || !node_element(node)) return false;
    struct str last = str_slice(path, from, path.len);
    struct str name = def_element_name(node_element(node));
    if (!str_eq(without_choice(last), name) && !str_eq(last, node->name)) return false;
    path = str_slice(path, 0, from - 1);
    node = node->parent;
  }
  return false;
}

static bool fits_element(struct validation_walk *walk, struct tree_node *node, struct str path) {
  size_t hash = str_find_char(path, '#', 0);
  if (str_is(path, "Element") || str_is(path, "Any")) return true;
  if (hash != SIZE_MAX) { /* of a profile of the resource */
    const struct def_type *profile =
        definitions_type(walk->validation->definitions, str_slice(path, 0, hash));
    path = str_slice(path, hash + 1, path.len);
    if (profile && walk->resource && !validation_conforms(walk, walk->resource, profile)) return false;
  }
  if (str_is(path, "CanonicalResource"))
    return node_type(node) && def_type_kind(node_type(node)) == DEF_RESOURCE &&
           def_type_element_named(node_type(node), STR("url"));
  return is_at(node, path);
}

/* The extension that the value or the part stands in. */
static bool fits_extension(const struct validation_walk *walk, const struct tree_node *node, struct str url) {
  const struct def_type *extension = walk->validation->known.extension;
  for (int i = 0; node && i < 2; i++, node = node->parent)
    if (node_type(node) == extension) return str_eq(tree_text(node, "url"), url);
  return false;
}

static bool fits_expression(struct validation_walk *walk, const struct tree_node *node,
                            const struct validation_rule *rule) {
  struct fp_list found;
  if (!validation_evaluate(walk, rule, walk->resource, &found)) return true;
  for (size_t i = 0; i < found.count; i++)
    if (found.items[i].kind == FP_NODE && found.items[i].node == node) return true;
  return false;
}

static bool fits_context(struct validation_walk *walk, struct tree_node *node,
                         const struct validation_context *context) {
  if (str_is(context->said.type, "element")) return fits_element(walk, node, context->said.expression);
  if (str_is(context->said.type, "extension")) return fits_extension(walk, node, context->said.expression);
  return !context->rule.constraint.expression.len || fits_expression(walk, node, &context->rule);
}

/* R4's definitions of these name a place where R4 itself does not put them (its own profiles and examples),
   and later versions have corrected them. Empty: anywhere. */
static const struct {
  struct str url, path;
} corrected[] = {
#define CORE(name)                                                                                           \
  {                                                                                                          \
    "http://hl7.org/fhir/StructureDefinition/" name,                                                         \
        sizeof("http://hl7.org/fhir/StructureDefinition/" name) - 1                                          \
  }
    {CORE("structuredefinition-fhir-type"), {"ElementDefinition.type", 22}},
    {CORE("regex"), {"ElementDefinition.type", 22}},
    {CORE("structuredefinition-normative-version"), {"", 0}},
    {CORE("capabilitystatement-expectation"), {"", 0}},
    {CORE("capabilitystatement-prohibited"), {"", 0}},
#undef CORE
};

static bool is_corrected(const struct tree_node *holder, struct str url) {
  for (size_t i = 0; i < sizeof corrected / sizeof corrected[0]; i++)
    if (str_eq(url, corrected[i].url)) return !corrected[i].path.len || is_at(holder, corrected[i].path);
  return false;
}

static void check_context(const struct validation_visit *visit, const struct validation_plan *plan) {
  struct validation_walk *walk = visit->walk;
  struct tree_node *holder = visit->node->parent;
  bool fits = plan->context_count == 0;
  if (!holder) return;
  for (size_t i = 0; i < plan->context_count && !fits; i++)
    fits = fits_context(walk, holder, &plan->contexts[i]);
  struct str url = def_type_url(plan->type);
  if (!fits && !is_corrected(holder, url)) {
    validation_report(walk, DIAG_ERROR, DIAG_EXTENSION_CONTEXT, holder,
                      "the extension %.*s may not stand here, but at %.*s", STR_ARG(url),
                      STR_ARG(plan->contexts[0].said.expression));
    return;
  }
  for (size_t i = 0; i < plan->context_rules.count; i++)
    if (!validation_rule_holds(walk, &plan->context_rules.items[i], holder))
      validation_report(walk, DIAG_ERROR, DIAG_EXTENSION_CONTEXT, holder,
                        "the extension %.*s may stand here only if %.*s", STR_ARG(url),
                        STR_ARG(plan->context_rules.items[i].constraint.expression));
}

/* --- parts of complex ones --- */

static const struct validation_element *part_of(const struct validation_plan *plan, uint32_t symbol) {
  for (size_t i = 0; i < plan->count; i++)
    if (plan->elements[i].symbol == symbol) return &plan->elements[i];
  return NULL;
}

/* A part is one of the slices of the extension that it stands in. */
static void check_part(const struct validation_visit *visit, struct str url) {
  struct validation_walk *walk = visit->walk;
  const struct validation *validation = walk->validation;
  struct tree_node *whole = visit->node->parent;
  if (!whole || node_type(whole) != validation->known.extension) {
    validation_report(walk, DIAG_ERROR, DIAG_VALUE_FORMAT, visit->node,
                      "the url of an extension must be absolute, but for parts of an extension");
    return;
  }
  struct str of = validation_text(whole, validation->known.url);
  const struct def_type *profile = validation_is_absolute(of) ? definitions_type(validation->definitions, of) : NULL;
  const struct validation_plan *plan = profile ? validation_plan_of(validation, profile) : NULL;
  const struct validation_element *parts = plan ? part_of(plan, validation->known.extension_symbol) : NULL;
  if (!parts || !parts->slicing || validation_is_of_slice(walk, visit->node, parts->slicing)) return;
  struct str shown = diag_value(walk->run->arena, url);
  validation_report(walk, DIAG_ERROR, DIAG_EXTENSION_UNKNOWN, visit->node,
                    "the extension %.*s has no part \"%.*s\"", STR_ARG(of), STR_ARG(shown));
}

/* --- the whole --- */

/* ext-1 */
static void check_content(const struct validation_visit *visit) {
  const struct validation_known *known = &visit->walk->validation->known;
  bool parts = false, value = false;
  for (const struct tree_node *child = visit->node->child; child; child = child->next) {
    parts |= child->symbol == known->extension_symbol;
    value |= child->symbol == known->value;
  }
  static const struct def_constraint rule = {
      .key = {"ext-1", 5},
      .human = {"Must have either extensions or value[x], not both", 49},
      .expression = {"extension.exists() != value.exists()", 36},
      .is_error = true};
  if (parts == value) validation_report_rule(visit->walk, visit->node, &rule);
}

static void check_modifier(const struct validation_visit *visit, const struct def_type *profile) {
  bool modifies = visit->node->symbol == visit->walk->validation->known.modifier_symbol;
  if (modifies == def_type_is_modifier(profile)) return;
  validation_report(visit->walk, DIAG_ERROR, DIAG_EXTENSION_CONTEXT, visit->node,
                    modifies ? "the extension %.*s is no modifier: it must stand in extension"
                             : "the extension %.*s is a modifier: it must stand in modifierExtension",
                    STR_ARG(def_type_url(profile)));
}

void validation_check_extension(const struct validation_visit *visit) {
  struct validation_walk *walk = visit->walk;
  const struct validation *validation = walk->validation;
  struct str url = validation_text(visit->node, validation->known.url);
  check_content(visit);
  if (url.len == 0) return; /* said already */
  if (!validation_is_absolute(url)) {
    check_part(visit, url);
    return;
  }
  const struct def_type *profile = definitions_type(validation->definitions, url);
  if (!profile || def_type_constrained(profile) != validation->known.extension ||
      profile == validation->known.extension) {
    report_unknown(visit, url);
    return;
  }
  const struct validation_plan *plan = validation_plan_of(validation, profile);
  if (!plan) {
    walk->status = STATUS_NOMEM;
    return;
  }
  check_modifier(visit, profile);
  check_context(visit, plan);
  validation_apply(walk, visit->node, profile);
}
