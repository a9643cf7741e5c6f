/*
 * binding.c - bindings to value sets (R4 terminologies.html#strength): code, Coding, CodeableConcept,
 * Quantity and the strings that carry codes. A required one, or a maximum value set, must be met; an
 * extensible one should be; a preferred one is worth a note. What cannot be told counts as met, with a note.
 */
#include "validation/internal.h"

static void note_unchecked(struct validation_walk *walk, const struct tree_node *node, struct str what) {
  if (walk->quiet || !walk->run->advice || !validation_note_once(walk, what)) return;
  validation_advise(walk, DIAG_INFORMATION, DIAG_TERMINOLOGY_UNCHECKED, node,
                    "codes of %.*s are not present; they were not checked", STR_ARG(what));
}

/* --- membership --- */

static enum def_membership code_in(const struct validation *validation, const struct def_binding *binding, struct str system,
                                   struct str code) {
  const struct def_value_set *members = binding->members;
  if (!members) return DEF_MEMBER_UNKNOWN;
  if (validation_is_good(validation, members, system, code, (struct str){0})) return DEF_MEMBER;
  enum def_membership answer = def_value_set_has(members, system, code, NULL);
  if (answer == DEF_MEMBER) validation_keep_good(validation, members, system, code, (struct str){0});
  return answer;
}

/* A code without a system has no meaning that could be in a value set. */
static enum def_membership coding_in(const struct validation *validation, const struct def_binding *binding,
                                     const struct tree_node *coding) {
  const struct validation_known *known = &validation->known;
  struct str code = validation_text(coding, known->code), system = validation_text(coding, known->system);
  if (!binding->members) return DEF_MEMBER_UNKNOWN;
  if (!code.len || !system.len) return DEF_NOT_MEMBER;
  return code_in(validation, binding, system, code);
}

static enum def_membership concept_in(const struct validation *validation, const struct def_binding *binding,
                                      const struct tree_node *concept) {
  enum def_membership answer = DEF_NOT_MEMBER;
  for (const struct tree_node *coding = concept->child; coding; coding = coding->next) {
    if (coding->symbol != validation->known.coding_symbol) continue;
    enum def_membership one = coding_in(validation, binding, coding);
    if (one == DEF_MEMBER) return one;
    if (one == DEF_MEMBER_UNKNOWN) answer = one;
  }
  return answer;
}

enum def_membership validation_membership(const struct validation_walk *walk, const struct tree_node *node,
                                          const struct def_binding *binding) {
  const struct def_type *type = node_type(node) ? def_type_constrained(node_type(node)) : NULL;
  const struct validation *validation = walk->validation;
  if (node->kind != TREE_OBJECT) return code_in(validation, binding, (struct str){0}, node->text);
  return type == validation->known.concept ? concept_in(validation, binding, node) : coding_in(validation, binding, node);
}

/* --- findings --- */

/* The first code of a node. */
static struct str code_of(const struct tree_node *node) {
  if (node->kind != TREE_OBJECT) return node->text;
  for (const struct tree_node *coding = tree_find(node, "coding"); coding; coding = tree_next_same(coding)) {
    struct str code = tree_text(coding, "code");
    if (code.len) return code;
  }
  return tree_text(node, "code");
}

/* All code systems that the set draws on are present. */
static bool is_decidable(const struct def_value_set *set) {
  for (size_t i = 0; i < def_value_set_system_count(set); i++) {
    const struct def_code_system *system = def_value_set_system(set, i).system;
    if (!system || def_code_system_size(system) == 0) return false;
  }
  return true;
}

/* A set that lists codes of a system that is not present (UCUM, LOINC) is what it lists; but nobody has
   claimed a profile that is implied by a code, so there such a list is taken as advice. */
static enum diag_severity severity_of(const struct validation_walk *walk, const struct def_binding *binding) {
  if (binding->strength == DEF_REQUIRED && (!walk->implied || is_decidable(binding->members)))
    return DIAG_ERROR;
  return binding->strength <= DEF_EXTENSIBLE ? DIAG_WARNING : DIAG_INFORMATION;
}

/* What may have been meant: another code, or the same of another system. */
static struct str hint_for(struct arena *arena, const struct def_binding *binding, struct str code) {
  struct str near = code.len ? def_value_set_nearest(binding->members, code) : (struct str){0};
  if (!near.len) return near;
  if (str_eq(near, code)) return STR("; it has this code of another code system");
  return arena_printf(arena, "; did you mean \"%.*s\"?", STR_ARG(diag_value(arena, near)));
}

static void report_code(const struct validation_visit *visit, const struct def_binding *binding) {
  struct arena *arena = visit->walk->run->arena;
  struct str code = code_of(visit->node), shown = diag_value(arena, code);
  struct str hint = hint_for(arena, binding, code);
  enum diag_severity severity = severity_of(visit->walk, binding);
  if (code.len)
    validation_report(visit->walk, severity, DIAG_CODE_NOT_IN_VALUE_SET, visit->node,
                      "%.*s: the code \"%.*s\" is not in the value set %.*s%.*s",
                      STR_ARG(validation_name_of(visit)), STR_ARG(shown), STR_ARG(binding->value_set),
                      STR_ARG(hint));
  else
    validation_report(visit->walk, severity, DIAG_CODE_NOT_IN_VALUE_SET, visit->node,
                      "%.*s must have a code of the value set %.*s", STR_ARG(validation_name_of(visit)),
                      STR_ARG(binding->value_set));
}

/* The system of the first code that could not be told, or the value set. */
static struct str unknown_of(const struct validation *validation, const struct def_binding *binding,
                             const struct tree_node *node) {
  const struct tree_node *coding = tree_find(node, "coding");
  if (!binding->members) return binding->value_set;
  for (; coding; coding = tree_next_same(coding))
    if (coding_in(validation, binding, coding) == DEF_MEMBER_UNKNOWN) return tree_text(coding, "system");
  struct str system = tree_text(node, "system");
  return system.len ? system : binding->value_set;
}

static bool check(const struct validation_visit *visit, const struct def_binding *binding) {
  switch (validation_membership(visit->walk, visit->node, binding)) {
  case DEF_MEMBER:
    return true;
  case DEF_NOT_MEMBER:
    if (binding->strength != DEF_REQUIRED && (visit->walk->quiet || !visit->walk->run->advice)) return false;
    report_code(visit, binding);
    return false;
  case DEF_MEMBER_UNKNOWN:
    break;
  }
  note_unchecked(visit->walk, visit->node, unknown_of(visit->walk->validation, binding, visit->node));
  return true;
}

/* Text alone is enough where the binding is not required, and a Quantity need not have a unit. */
static bool has_code(const struct validation_visit *visit, const struct def_binding *binding) {
  const struct tree_node *node = visit->node;
  const struct def_type *type = def_type_constrained(visit->plan->type);
  if (node->kind != TREE_OBJECT) return node->kind == TREE_STRING && visit->plan->primitive != DEF_P_NONE;
  if (type == visit->walk->validation->known.concept)
    return binding->strength == DEF_REQUIRED ||
           validation_child(node, visit->walk->validation->known.coding_symbol);
  return validation_child(node, visit->walk->validation->known.code) != NULL;
}

void validation_check_binding(const struct validation_visit *visit) {
  const struct validation_element *element = visit->element;
  if (element->bound_max && has_code(visit, &element->max_binding) && !check(visit, &element->max_binding))
    return;
  if (element->bound && has_code(visit, &element->binding)) check(visit, &element->binding);
}
