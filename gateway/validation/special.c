/* special.c - what R4 says in words of single types: the size of an attachment, the system of an identifier.
 */
#include "validation/internal.h"

/* Bytes that base64 stands for; white space between groups does not count. */
static size_t decoded_size(struct str text) {
  size_t digits = 0, padding = 0;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (c == ' ' || (c >= '\t' && c <= '\r')) continue;
    digits++;
    padding += c == '=';
  }
  return digits / 4 * 3 - padding;
}

/* "The number of bytes of data that make up this attachment (before base64 encoding)" */
static void check_attachment(struct validation_walk *walk, struct tree_node *node) {
  const struct tree_node *data = tree_find(node, "data"), *size = tree_find(node, "size");
  int64_t said;
  if (!data || !size || !str_to_int64(size->text, &said)) return;
  if (!validation_primitive(DEF_P_BASE64, data->text, TREE_STRING, NULL)) return;
  size_t real = decoded_size(data->text);
  if (said >= 0 && (uint64_t)said == real) return;
  validation_report(walk, DIAG_ERROR, DIAG_VALUE_OUT_OF_RANGE, node,
                    "the size of the attachment is not that of its data, %zu bytes", real);
}

/* "Identifier.system is always case sensitive … an absolute reference"; with urn:ietf:rfc:3986 the value is a
 * URI. */
static void check_identifier(struct validation_walk *walk, struct tree_node *node) {
  const struct validation_known *names = &walk->validation->known;
  struct str system = validation_text(node, names->system), value = validation_text(node, names->value);
  if (!system.len) return;
  bool known = str_starts(system, STR("http:")) || str_starts(system, STR("https:")) ||
               str_starts(system, STR("urn:")) || str_starts(system, STR("ldap:"));
  if (!known)
    validation_report(walk, DIAG_ERROR, DIAG_VALUE_FORMAT, node,
                      "the system of an identifier must be an absolute reference, not a local one");
  else if (str_is(system, "urn:ietf:rfc:3986") && value.len && !validation_is_absolute(value))
    validation_report(walk, DIAG_ERROR, DIAG_VALUE_FORMAT, node,
                      "with the system urn:ietf:rfc:3986 the value of an identifier must be a URI");
}

/* --- vital signs --- */

#define LOINC "http://loinc.org"
#define SNOMED "http://snomed.info/sct"

static const struct vital {
  const char *system, *code, *profile;
} vitals[] = {
#define VITAL(system, code, profile) {system, code, profile},
#include "validation/vitals.def"
#undef VITAL
};

static bool has_code(const struct tree_node *concept, const struct vital *vital) {
  for (const struct tree_node *coding = tree_find(concept, "coding"); coding; coding = tree_next_same(coding))
    if (str_is(tree_text(coding, "code"), vital->code) && str_is(tree_text(coding, "system"), vital->system))
      return true;
  return false;
}

static void check_observation(struct validation_walk *walk, struct tree_node *node) {
  const struct tree_node *concept = tree_find(node, "code");
  if (!concept || !walk->run->vital_signs) return;
  for (size_t i = 0; i < sizeof vitals / sizeof vitals[0]; i++) {
    if (!has_code(concept, &vitals[i])) continue;
    const struct def_type *profile =
        definitions_type(walk->validation->definitions, str_of(vitals[i].profile));
    walk->implied = true;
    if (profile) validation_apply(walk, node, profile);
    walk->implied = false;
    return;
  }
}

validation_special_fn *validation_special_of(const struct validation *validation,
                                             const struct def_type *type) {
  const struct validation_known *known = &validation->known;
  if (!type) return NULL;
  if (type == known->bundle) return validation_check_bundle;
  if (type == known->attachment) return check_attachment;
  if (type == known->identifier) return check_identifier;
  if (type == known->observation) return check_observation;
  if (type == known->narrative) return validation_check_narrative;
  return NULL;
}
