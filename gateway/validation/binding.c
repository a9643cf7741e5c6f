/* binding.c - required bindings: code, Coding, CodeableConcept, Quantity and the strings that carry codes. */
#include "validation/internal.h"

static void note_unchecked(const struct validation_visit *visit, struct str what) {
  if (!validation_note_once(visit->walk, what)) return;
  validation_report(visit->walk, DIAG_INFORMATION, DIAG_TERMINOLOGY_UNCHECKED, visit->node,
                    "codes of %.*s are not present; they were not checked", STR_ARG(what));
}

/* Whether the code is a member; what cannot be told counts as one, with a note. */
static bool is_member(const struct validation_visit *visit, struct str system, struct str code) {
  const struct def_binding *binding = &visit->element->binding;
  if (!binding->members) {
    note_unchecked(visit, binding->value_set);
    return true;
  }
  switch (def_value_set_has(binding->members, system, code, NULL)) {
  case DEF_MEMBER:
    return true;
  case DEF_NOT_MEMBER:
    return false;
  case DEF_MEMBER_UNKNOWN:
    break;
  }
  note_unchecked(visit, system.len ? system : binding->value_set);
  return true;
}

static void report_code(const struct validation_visit *visit, const struct tree_node *node, struct str code) {
  struct arena *arena = visit->walk->run->arena;
  const struct def_binding *binding = &visit->element->binding;
  struct str shown = diag_quote(arena, code);
  struct str near = binding->members ? def_value_set_nearest(binding->members, code) : (struct str){0};
  struct str hint =
      near.len ? arena_printf(arena, "; did you mean \"%.*s\"?", STR_ARG(near)) : (struct str){0};
  validation_report(visit->walk, DIAG_ERROR, DIAG_CODE_NOT_IN_VALUE_SET, node,
                    "%.*s: the code \"%.*s\" is not in the value set %.*s%.*s",
                    STR_ARG(validation_name_of(visit)), STR_ARG(shown), STR_ARG(binding->value_set),
                    STR_ARG(hint));
}

/* Coding, and Quantity with its unit: system and code. */
static void check_coding(const struct validation_visit *visit) {
  const struct tree_node *code = tree_find(visit->node, "code");
  if (code && !is_member(visit, tree_text(visit->node, "system"), code->text))
    report_code(visit, code, code->text);
}

/* One coding in the value set is enough. */
static void check_concept(const struct validation_visit *visit) {
  const struct tree_node *first = tree_find(visit->node, "coding");
  struct str code = {0};
  for (const struct tree_node *coding = first; coding; coding = tree_next_same(coding)) {
    code = tree_text(coding, "code");
    if (code.len && is_member(visit, tree_text(coding, "system"), code)) return;
  }
  if (first) report_code(visit, first, code);
}

void validation_check_binding(const struct validation_visit *visit) {
  const struct validation *validation = visit->walk->validation;
  const struct def_type *type = def_type_constrained(visit->plan->type);
  if (visit->plan->primitive != DEF_P_NONE) {
    if (!is_member(visit, (struct str){0}, visit->node->text))
      report_code(visit, visit->node, visit->node->text);
  } else if (type == validation->concept) {
    check_concept(visit);
  } else if (type == validation->coding || def_type_is(type, validation->quantity)) {
    check_coding(visit);
  }
}
