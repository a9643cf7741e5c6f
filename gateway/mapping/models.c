/*
 * models.c - are the logical models right? For map check: each fault with its place in the file.
 *
 * The definitions take what they can of a model and leave the rest; a slip would show only when a record is
 * refused that ought to pass, or passes that ought to be refused.
 */
#include "mapping/internal.h"

struct model {
  const struct definitions *definitions;
  struct arena *arena;
  struct diag_list *diags;
  struct source source;
  struct str root;           /* "SessionRecord" */
  const struct def_type *is; /* as the definitions took it */
  struct map paths;          /* of the elements so far */
};

static struct diag_at place(const struct model *m, const struct tree_node *node) {
  return (struct diag_at){.source = &m->source, .offset = tree_offset(node)};
}

static void fault(const struct model *m, const struct tree_node *node, const char *what, struct str word,
                  struct str near) {
  struct diag_at at = place(m, node);
  diag_error(m->diags, DIAG_DEFINITION_INVALID, &at, "%s '%.*s'%.*s", what,
             STR_ARG(diag_quote(m->arena, word)), STR_ARG(fml_hint(m->arena, near)));
}

/* --- one element -----------------------------------------------------------------------------------------
 */

/* The part of a path before its last point; empty for the root. */
static struct str parent_of(struct str path) {
  size_t at = path.len;
  while (at > 0 && path.ptr[at - 1] != '.')
    at--;
  return str_slice(path, 0, at ? at - 1 : 0);
}

static void check_members(const struct model *m, const struct tree_node *node) {
  const struct def_type *type = definitions_type(m->definitions, STR("ElementDefinition"));
  for (const struct tree_node *member = node->child; type && member; member = member->next)
    if (!str_starts(member->name, STR("_")) && !def_type_json(type, member->name, NULL))
      fault(m, member, "an element has no member", member->name,
            def_type_nearest_element(type, member->name));
}

static void check_path(struct model *m, const struct tree_node *node) {
  const struct tree_node *named = tree_find(node, "path"), *id = tree_find(node, "id");
  struct str path = named ? named->text : STR(""), parent = parent_of(path);
  if (!path.len) {
    fault(m, node, "an element has no", STR("path"), STR(""));
    return;
  }
  bool is_root = parent.len == 0 && m->paths.count == 0;
  if (is_root) m->root = path;
  if (!is_root && !map_get(&m->paths, parent))
    fault(m, named, "no element before this one has the path", parent, map_nearest(&m->paths, parent));
  if (id && !str_eq(id->text, path)) fault(m, id, "the id is not the path", path, STR(""));
  if (map_put(&m->paths, path, (void *)(uintptr_t)node) == STATUS_CONFLICT)
    fault(m, named, "two elements have the path", path, STR(""));
}

static void check_type(const struct model *m, const struct tree_node *node) {
  const struct tree_node *code = tree_find(node, "code");
  if (!code || definitions_type(m->definitions, code->text)) return;
  fault(m, code, "no type is known by the name", code->text,
        definitions_nearest_type(m->definitions, code->text));
}

/* minValueInteger of a decimal: the definitions would pass over it. */
static void check_values(const struct model *m, const struct tree_node *node) {
  static const char *const names[] = {"minValue", "maxValue", "fixed", "pattern"};
  const struct tree_node *type = tree_find(node, "type");
  struct str code = type && !tree_next_same(type) ? tree_text(type, "code") : STR("");
  if (!definitions_type(m->definitions, code)) return;
  for (const struct tree_node *member = node->child; code.len && member; member = member->next)
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
      if (!str_starts(member->name, str_of(names[i]))) continue;
      struct str kind = str_slice(member->name, strlen(names[i]), SIZE_MAX);
      bool same = kind.len == code.len && str_eq(str_slice(kind, 1, SIZE_MAX), str_slice(code, 1, SIZE_MAX));
      if (!same) fault(m, member, "this is no member of an element of the type", code, STR(""));
    }
}

static void check_binding(const struct model *m, const struct tree_node *node) {
  const struct tree_node *set = tree_find(node, "valueSet");
  if (!set || !str_is(tree_text(node, "strength"), "required")) return;
  if (!definitions_value_set(m->definitions, set->text))
    fault(m, set, "a word must be of this value set, and there is none:", set->text, STR(""));
}

/* --- constraints -----------------------------------------------------------------------------------------
 */

/* The type of the element with that path; NULL when the definitions did not take it. */
static const struct def_type *type_of(const struct model *m, struct str path) {
  const struct def_type *type = m->is;
  size_t at = m->root.len + 1;
  while (type && at < path.len) {
    size_t end = str_find_char(path, '.', at);
    const struct def_element *element = def_type_element_named(type, str_slice(path, at, end));
    type = element && def_element_type_count(element) ? def_element_type(element, 0).type : NULL;
    at = end == SIZE_MAX ? path.len : end + 1;
  }
  return type;
}

/* In the file an expression has its own place, if JSON writes it without escapes. */
static enum status check_expression(const struct model *m, const struct def_type *input,
                                    const struct tree_node *expression) {
  struct fp_program *program;
  size_t from = tree_offset(expression) + 1;
  struct fp_compile compile = {.definitions = m->definitions,
                               .input = input,
                               .resource = m->is,
                               .source = &m->source,
                               .from = from,
                               .to = from + expression->text.len};
  struct source apart = source_make(m->source.name, expression->text);
  if (!str_eq(str_slice(m->source.text, compile.from, compile.to), expression->text)) {
    compile.source = &apart;
    compile.from = 0;
    compile.to = expression->text.len;
  }
  enum status status = fhirpath_compile(&compile, m->arena, m->diags, &program, NULL);
  return status == STATUS_INVALID ? STATUS_OK : status;
}

/* A rule of care says what part of a session it is about, and of which records. */
static enum status check_session_rule(const struct model *m, const struct tree_node *rule) {
  const struct tree_node *applies = NULL, *part = tree_find(rule, "extension");
  struct str group = STR("");
  for (; part; part = tree_next_same(part)) {
    if (str_is(tree_text(part, "url"), "group")) group = tree_text(part, "valueCode");
    if (str_is(tree_text(part, "url"), "applies")) applies = tree_find(part, "valueString");
  }
  if (!group.len) fault(m, rule, "a session rule has no", STR("group"), STR(""));
  if (!applies) fault(m, rule, "a session rule has no", STR("applies"), STR(""));
  return applies && m->is ? check_expression(m, m->is, applies) : STATUS_OK;
}

static enum status check_constraint(const struct model *m, const struct def_type *input,
                                    const struct tree_node *node) {
  const struct tree_node *expression = tree_find(node, "expression"), *rule = tree_find(node, "extension");
  enum status status = expression && input ? check_expression(m, input, expression) : STATUS_OK;
  for (; rule && status == STATUS_OK; rule = tree_next_same(rule))
    if (str_is(tree_text(rule, "url"), DEF_SESSION_RULE)) status = check_session_rule(m, rule);
  return status;
}

static enum status check_element(struct model *m, const struct tree_node *node) {
  enum status status = STATUS_OK;
  check_members(m, node);
  check_path(m, node);
  const struct tree_node *type = tree_find(node, "type"), *binding = tree_find(node, "binding");
  for (; type; type = tree_next_same(type))
    check_type(m, type);
  if (binding) check_binding(m, binding);
  check_values(m, node);
  const struct def_type *input = type_of(m, tree_text(node, "path"));
  const struct tree_node *rule = tree_find(node, "constraint");
  for (; rule && status == STATUS_OK; rule = tree_next_same(rule))
    status = check_constraint(m, input, rule);
  return status;
}

/* --- files -----------------------------------------------------------------------------------------------
 */

static enum status check_model(struct model *m, const struct tree_node *root) {
  const struct tree_node *differential = tree_find(root, "differential");
  const struct tree_node *element = differential ? tree_find(differential, "element") : NULL;
  enum status status = STATUS_OK;
  map_init(&m->paths, m->arena);
  m->is = definitions_type(m->definitions, tree_text(root, "url"));
  for (; element && status == STATUS_OK; element = tree_next_same(element))
    status = check_element(m, element);
  return status;
}

static enum status check_resource(struct model *m, const struct tree_node *root) {
  bool is_model = str_is(tree_text(root, "resourceType"), "StructureDefinition") &&
                  str_is(tree_text(root, "kind"), "logical");
  return is_model ? check_model(m, root) : STATUS_OK;
}

/* What cannot be read has been told when the definitions took it. */
static enum status check_file(struct model *m, const struct host *host, const char *path) {
  struct str text;
  struct tree_node *root = NULL;
  enum status status = host->read_file(host->context, path, LIMIT_TEXT_BYTES, m->arena, &text);
  if (status != STATUS_OK) return status == STATUS_NOMEM ? status : STATUS_OK;
  m->source = source_make(str_of(path), text);
  status = tree_read_json(&m->source, NULL, m->arena, m->diags, &root);
  if (status != STATUS_OK) return status == STATUS_INVALID ? STATUS_OK : status;
  if (!str_is(tree_text(root, "resourceType"), "Bundle")) return check_resource(m, root);
  const struct tree_node *entry = tree_find(root, "entry"), *resource;
  for (; entry && status == STATUS_OK; entry = tree_next_same(entry))
    if ((resource = tree_find(entry, "resource"))) status = check_resource(m, resource);
  return status;
}

enum status mapping_check_models(const struct definitions *definitions, const struct host *host,
                                 const char *folder, struct arena *arena, struct diag_list *diags) {
  struct model model = {.definitions = definitions, .arena = arena, .diags = diags};
  struct str models = arena_printf(arena, "%s/models", folder), *names = NULL;
  size_t count = 0;
  if (!models.ptr) return STATUS_NOMEM;
  enum status status = host->list_files(host->context, models.ptr, STR(".json"), arena, &names, &count);
  if (status == STATUS_NOT_FOUND) return STATUS_OK; /* a folder without models has none */
  for (size_t i = 0; i < count && status == STATUS_OK; i++) {
    struct str path = arena_printf(arena, "%.*s/%.*s", STR_ARG(models), STR_ARG(names[i]));
    status = path.ptr ? check_file(&model, host, path.ptr) : STATUS_NOMEM;
  }
  return status;
}
