/*
 * coding.c - codes by themselves: a code that its code system does not have, a display that is not the
 * code's, a system that cannot be one, a unit that is not UCUM (R4 datatypes.html#Coding, #Quantity). Systems
 * that are not present are noted once each.
 */
#include "validation/internal.h"

/* --- displays --- */

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static char folded(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Case and the number of spaces do not matter. */
static bool same_display(struct str a, struct str b) {
  size_t i = 0, j = 0;
  a = str_trim(a);
  b = str_trim(b);
  while (i < a.len && j < b.len) {
    if (is_space(a.ptr[i]) && is_space(b.ptr[j])) {
      while (i < a.len && is_space(a.ptr[i]))
        i++;
      while (j < b.len && is_space(b.ptr[j]))
        j++;
    } else if (folded(a.ptr[i++]) != folded(b.ptr[j++])) {
      return false;
    }
  }
  return i == a.len && j == b.len;
}

static void check_display(struct validation_walk *walk, const struct tree_node *coding, struct str said, struct str display) {
  if (!said.len || !display.len || same_display(said, display)) return;
  validation_advise(walk, DIAG_WARNING, DIAG_DISPLAY_DIFFERS, coding,
                    "the code's display in its code system is \"%.*s\"",
                    STR_ARG(diag_value(walk->run->arena, display)));
}

/* --- units --- */

/* In braces a unit has words of whoever wrote it: they are not kept. */
static void check_unit(struct validation_walk *walk, const struct tree_node *node, struct str code) {
  const struct validation *validation = walk->validation;
  struct arena *arena = walk->run->arena;
  struct str system = STR("http://unitsofmeasure.org");
  if (validation_is_good(validation, validation->definitions, system, code, (struct str){0})) return;
  if (fhirpath_ucum_valid(validation->definitions, code)) {
    if (str_find_char(code, '{', 0) == SIZE_MAX)
      validation_keep_good(validation, validation->definitions, system, code, (struct str){0});
    return;
  }
  struct str shown = diag_value(arena, code);
  validation_report(walk, DIAG_ERROR, DIAG_UNIT_UNKNOWN, node, "\"%.*s\" is not a unit of UCUM",
                    STR_ARG(shown));
}

/* --- codes --- */

/* Where other codes may be used as well the binding has said what is to be said. */
static bool is_bound_loosely(const struct tree_node *coding) {
  struct def_binding binding;
  const struct tree_node *node = coding;
  if (node->parent && node_element(node) &&
      str_is(def_element_path(node_element(node)), "CodeableConcept.coding"))
    node = node->parent;
  const struct def_element *element = node_element(node);
  return element && def_element_binding(element, &binding) &&
         (binding.strength == DEF_EXTENSIBLE || binding.strength == DEF_PREFERRED);
}

/* HL7's terminology changes apart from FHIR: later versions have renamed codes that R4 knows, and the tables
   of v2 may be added to. The code systems of v3 only grow. */
static bool is_versioned_apart(struct str system) {
  return str_starts(system, STR("http://terminology.hl7.org/")) &&
         !str_starts(system, STR("http://terminology.hl7.org/CodeSystem/v3-"));
}

static void report_unknown(struct validation_walk *walk, const struct tree_node *coding,
                           const struct def_code_system *system, struct str code) {
  struct str url = def_code_system_url(system), version = def_code_system_version(system);
  struct str shown = diag_value(walk->run->arena, code);
  if (is_bound_loosely(coding) || is_versioned_apart(url))
    validation_advise(walk, DIAG_WARNING, DIAG_CODE_UNKNOWN, coding,
                      "the code system %.*s (version %.*s) has no code \"%.*s\"", STR_ARG(url),
                      STR_ARG(version), STR_ARG(shown));
  else
    validation_report(walk, DIAG_ERROR, DIAG_CODE_UNKNOWN, coding,
                      "the code system %.*s has no code \"%.*s\"", STR_ARG(url), STR_ARG(shown));
}

static void check_system(struct validation_walk *walk, const struct tree_node *coding, struct str system) {
  if (!validation_is_absolute(system))
    validation_report(walk, DIAG_ERROR, DIAG_VALUE_FORMAT, coding,
                      "the system of a code must be an absolute URI");
  else if (definitions_value_set(walk->validation->definitions, system))
    validation_report(walk, DIAG_ERROR, DIAG_CODE_UNKNOWN, coding,
                      "the system of a code is a value set, %.*s; it must be a code system", STR_ARG(system));
  else if (!walk->quiet && walk->run->advice && validation_note_once(walk, system))
    validation_advise(walk, DIAG_INFORMATION, DIAG_TERMINOLOGY_UNCHECKED, coding,
                      "codes of %.*s are not present; they were not checked", STR_ARG(system));
}

static void check_known(struct validation_walk *walk, const struct tree_node *coding, const struct def_code_system *system,
                        struct str url, struct str code) {
  struct str said = validation_text(coding, walk->validation->known.display), display = {0};
  const void *about = walk->validation->definitions;
  if (!def_code_system_has(system, code, &display)) {
    if (def_code_system_complete(system)) report_unknown(walk, coding, system, code);
    return;
  }
  check_display(walk, coding, said, display);
  if (said.len == 0 || str_eq(said, display)) validation_keep_good(walk->validation, about, url, code, said);
}

void validation_check_coding(struct validation_walk *walk, const struct tree_node *coding) {
  const struct validation_known *names = &walk->validation->known;
  const struct definitions *definitions = walk->validation->definitions;
  struct str system = validation_text(coding, names->system), code = validation_text(coding, names->code);
  if (!system.len) return;
  if (str_is(system, "http://unitsofmeasure.org")) {
    if (code.len) check_unit(walk, coding, code);
    return;
  }
  if (code.len && validation_is_good(walk->validation, definitions, system, code, validation_text(coding, names->display))) return;
  const struct def_code_system *known = definitions_code_system(definitions, system);
  if (!known || def_code_system_size(known) == 0)
    check_system(walk, coding, system);
  else if (code.len)
    check_known(walk, coding, known, system, code);
}

void validation_check_codes(const struct validation_visit *visit) {
  validation_check_coding(visit->walk, visit->node);
}
