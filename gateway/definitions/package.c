/* package.c - what a package.json says: who it is, after npm's and FHIR's rules, and what it needs. */
#include "definitions/build.h"

/* --- names and versions ---------------------------------------------------------------------- */

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_capital(char c) {
  return c >= 'A' && c <= 'Z';
}

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || is_capital(c);
}

static bool is_name_part(struct str text) {
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    bool mark = i && (c == '.' || c == '_' || c == '-');
    if (!mark && !is_letter(c) && !is_digit(c)) return false;
  }
  return text.len != 0;
}

bool def_is_package_name(struct str name) {
  size_t slash = str_starts(name, STR("@")) ? str_find_char(name, '/', 0) : SIZE_MAX;
  if (name.len > LIMIT_PACKAGE_NAME) return false;
  if (slash == SIZE_MAX) return is_name_part(name);
  return is_name_part(str_slice(name, 1, slash)) && is_name_part(str_slice(name, slash + 1, name.len));
}

/* KBV.Basis and kbv.basis are one package: registries have names of both kinds, and a package may write the name of
   another in its own way. */
struct str def_package_name(struct builder *b, struct str written) {
  char *name = def_builder_alloc(b, written.len + 1, 1);
  if (!name) return (struct str){0};
  for (size_t i = 0; i < written.len; i++)
    name[i] = (char)(is_capital(written.ptr[i]) ? written.ptr[i] - 'A' + 'a' : written.ptr[i]);
  return str_make(name, written.len);
}

static bool is_label(struct str text) {
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (!is_letter(c) && !is_digit(c) && c != '.' && c != '-' && c != '+') return false;
  }
  return text.len != 0;
}

/* Of semver, but that a number may begin with 0: some packages have dates. */
static bool is_version(struct str text) {
  size_t at = 0;
  if (text.len > LIMIT_PACKAGE_NAME) return false;
  for (int i = 0; i < 3; i++) {
    size_t from = at;
    while (at < text.len && is_digit(text.ptr[at]))
      at++;
    if (at == from || (i < 2 && (at == text.len || text.ptr[at++] != '.'))) return false;
  }
  if (at == text.len) return true;
  return (text.ptr[at] == '-' || text.ptr[at] == '+') && is_label(str_slice(text, at + 1, text.len));
}

/* --- package.json ---------------------------------------------------------------------------- */

static void refuse(struct builder *b, const struct tree_node *node, const struct source *source, const char *member,
                   const char *fitting) {
  const struct tree_node *at = tree_find(node, member);
  struct diag_at place = {.source = source, .offset = tree_offset(at ? at : node), .path = str_of(member)};
  if (at)
    diag_error(b->diags, DIAG_PACKAGE_INVALID, &place, "\"%.*s\" is no %s of a package: %s",
               STR_ARG(diag_quote(b->arena, tree_text(node, member))), member, fitting);
  else
    diag_error(b->diags, DIAG_PACKAGE_INVALID, &place, "No %s of the package: %s", member, fitting);
}

bool def_builder_identity(struct builder *b, const struct tree_node *node, const struct source *source, struct str *id,
                          struct str *version) {
  *id = def_package_name(b, tree_text(node, "name"));
  *version = def_builder_str(b, tree_text(node, "version"));
  bool named = def_is_package_name(*id);
  if (!named)
    refuse(b, node, source, "name", "one is made of letters, digits and . _ -, such as hl7.fhir.us.core");
  else if (!is_version(*version))
    refuse(b, node, source, "version", "one begins with three numbers, such as 6.1.0 or 7.0.0-ballot");
  return named && is_version(*version);
}

/* Packages of npm that are no FHIR packages need programs. */
static bool is_fhir_package(const struct tree_node *node) {
  return tree_find(node, "fhirVersions") || tree_find(node, "fhir-version-list") ||
         str_starts(tree_text(node, "type"), STR("fhir."));
}

void def_builder_needs(struct builder *b, const struct tree_node *node, struct b_texts *ids,
                       struct b_texts *versions) {
  const struct tree_node *needs = is_fhir_package(node) ? tree_find(node, "dependencies") : NULL;
  for (const struct tree_node *at = needs ? tree_first(needs) : NULL; at; at = tree_next(at)) {
    (void)def_texts_add(b, ids, def_package_name(b, at->name));
    (void)def_texts_add(b, versions, def_builder_str(b, at->text));
  }
}
