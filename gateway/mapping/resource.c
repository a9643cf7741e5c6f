/*
 * resource.c - a StructureMap resource (JSON, shape of FHIR R4 or R5) to the same syntax tree that map text
 * gives.
 *
 * Places are offsets in the JSON text. FHIRPath is compiled in place too, from the string it stands in; where
 * such a string has escapes, it is decoded in a copy of the text, at its own place, and filled up with
 * spaces: so lines and, to a few characters, columns stay right.
 */
#include "mapping/internal.h"

struct reader {
  struct mapping_set *set;
  struct mapping_map *map;
  struct arena *arena;
  struct diag_list *diags;
  struct str text; /* as read */
  char *copy;      /* with decoded expressions; NULL while none had to be decoded */
  bool nomem;
};

static uint32_t at_of(const struct tree_node *node) {
  return (uint32_t)tree_offset(node);
}

static void fault(struct reader *r, const struct tree_node *node, const char *what) {
  struct diag_at at = {.source = &r->map->source, .offset = tree_offset(node)};
  diag_error(r->diags, DIAG_MAP_SYNTAX, &at, "%s", what);
}

static void *make(struct reader *r, size_t size) {
  void *made = arena_zalloc(r->arena, size);
  if (!made) r->nomem = true;
  return made;
}
#define MAKE(r, type) ((type *)make((r), sizeof(type)))

/* Strings with escapes stand in the reader's arena; the map outlives it. */
static struct str keep(struct reader *r, struct str text) {
  bool view = text.len == 0 || (text.ptr >= r->text.ptr && text.ptr < r->text.ptr + r->text.len);
  if (view) return text.len ? text : STR("");
  struct str copy = arena_str(r->arena, text);
  if (!copy.ptr) r->nomem = true;
  return copy;
}

static struct ast_name name_of(struct reader *r, const struct tree_node *node, const char *member) {
  const struct tree_node *found = tree_find(node, member);
  struct ast_name name = {.text = STR(""), .at = at_of(found ? found : node)};
  if (found && found->kind == TREE_OBJECT) fault(r, found, "a text is wanted here");
  if (found) name.text = keep(r, found->text);
  return name;
}

static struct ast_name want_name(struct reader *r, const struct tree_node *node, const char *member,
                                 const char *what) {
  struct ast_name name = name_of(r, node, member);
  if (name.text.len == 0) fault(r, node, what);
  return name;
}

static const struct tree_node *first_of(const struct tree_node *node, const char *member) {
  const struct tree_node *found = tree_find(node, member);
  return found && (found->kind == TREE_OBJECT || found->text.len) ? found : NULL;
}

/* --- expressions -----------------------------------------------------------------------------------------
 */

/* One line, of the same meaning and no longer: comments become spaces, line ends inside texts escapes. */
static size_t one_line(struct str text, char *out, size_t room) {
  size_t len = 0;
  char quote = '\0';
  for (size_t i = 0; i < text.len && len < room; i++) {
    char c = text.ptr[i];
    bool end = c == '\n' || c == '\r';
    if (!quote && c == '/' && i + 1 < text.len && text.ptr[i + 1] == '/') {
      while (i + 1 < text.len && text.ptr[i + 1] != '\n' && text.ptr[i + 1] != '\r')
        i++;
      c = ' ';
    } else if (quote && c == '\\' && i + 1 < text.len && len + 1 < room) {
      out[len++] = c;
      c = text.ptr[++i];
    } else if (quote && end && len + 1 < room) {
      out[len++] = '\\';
      c = c == '\n' ? 'n' : 'r';
    } else if (end) {
      c = ' ';
    } else if (quote ? c == quote : c == '\'' || c == '"' || c == '`') {
      quote = quote ? '\0' : c;
    }
    out[len++] = c;
  }
  return len;
}

/* Length of a JSON string that starts at `from`, without its quotes. */
static size_t raw_length(struct str text, size_t from) {
  size_t at = from + 1;
  while (at < text.len && text.ptr[at] != '"')
    at += text.ptr[at] == '\\' ? 2u : 1u;
  return (at < text.len ? at : text.len) - from - 1;
}

static bool copy_text(struct reader *r) {
  if (r->copy) return true;
  r->copy = arena_alloc(r->arena, r->text.len);
  if (!r->copy) {
    r->nomem = true;
    return false;
  }
  memcpy(r->copy, r->text.ptr, r->text.len);
  r->map->source.text = str_make(r->copy, r->text.len);
  return true;
}

static struct ast_range range_of(struct reader *r, const struct tree_node *node) {
  struct ast_range range = {0};
  if (!node) return range;
  if (node->kind == TREE_OBJECT || node->text.len == 0) {
    fault(r, node, "an expression is wanted here");
    return range;
  }
  uint32_t at = at_of(node);
  if (node->kind != TREE_STRING) return (struct ast_range){at, at + (uint32_t)node->text.len};
  uint32_t raw = (uint32_t)raw_length(r->text, at);
  range = (struct ast_range){at + 1, at + 1 + raw};
  if (raw == node->text.len || !copy_text(r)) return range;
  memset(r->copy + range.from, ' ', raw);
  range.to = range.from + (uint32_t)one_line(node->text, r->copy + range.from, raw);
  return range;
}

static struct ast_range range_named(struct reader *r, const struct tree_node *node, const char *member) {
  return range_of(r, tree_find(node, member));
}

/* --- arguments -------------------------------------------------------------------------------------------
 */

static struct ast_arg *read_value(struct reader *r, const struct tree_node *parameter) {
  static const struct {
    const char *member;
    enum ast_arg_kind kind;
  } kinds[] = {{"valueId", AST_VARIABLE},     {"valueString", AST_STRING},   {"valueBoolean", AST_BOOLEAN},
               {"valueInteger", AST_INTEGER}, {"valueDecimal", AST_DECIMAL}, {"valueDate", AST_DATE},
               {"valueDateTime", AST_DATE},   {"valueTime", AST_DATE}};
  struct ast_arg *arg = MAKE(r, struct ast_arg);
  const struct tree_node *value = NULL;
  if (!arg) return NULL;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && !value; i++) {
    value = tree_find(parameter, kinds[i].member);
    arg->kind = kinds[i].kind;
  }
  if (!value) {
    fault(r, parameter,
          "a parameter has a value: valueId, valueString, valueBoolean, valueInteger, "
          "valueDecimal, valueDate, valueDateTime or valueTime");
    return NULL;
  }
  arg->at = at_of(value);
  arg->text = keep(r, value->text);
  if (str_is(value->name, "valueTime")) arg->text = arena_concat(r->arena, STR("T"), arg->text);
  if (!arg->text.ptr) r->nomem = true;
  return arg;
}

/* R4: the arguments of a group are texts; a literal shows by its first character. */
static struct ast_arg *read_plain(struct reader *r, const struct tree_node *node) {
  struct ast_arg *arg = MAKE(r, struct ast_arg);
  if (!arg) return NULL;
  *arg = (struct ast_arg){.kind = AST_VARIABLE, .text = keep(r, node->text), .at = at_of(node)};
  char c = arg->text.len ? arg->text.ptr[0] : '\0';
  if ((c == '\'' || c == '"') && arg->text.len >= 2) {
    arg->kind = AST_STRING;
    arg->text = fml_unescape(r->arena, str_slice(arg->text, 1, arg->text.len - 1));
    if (!arg->text.ptr) r->nomem = true;
  } else if (c == '-' || (c >= '0' && c <= '9')) {
    arg->kind = str_find_char(arg->text, '.', 0) == SIZE_MAX ? AST_INTEGER : AST_DECIMAL;
  } else if (str_is(arg->text, "true") || str_is(arg->text, "false")) {
    arg->kind = AST_BOOLEAN;
  } else if (c == '@') {
    arg->kind = AST_DATE;
    arg->text = str_slice(arg->text, 1, arg->text.len);
  }
  return arg;
}

static struct ast_arg *read_args(struct reader *r, const struct tree_node *n, size_t *count) {
  struct ast_arg *first = NULL, **end = &first;
  *count = 0;
  for (; n && !r->nomem; n = tree_next_same(n)) {
    struct ast_arg *arg = n->kind == TREE_OBJECT ? read_value(r, n) : read_plain(r, n);
    if (!arg) continue;
    *end = arg;
    end = &arg->next;
    ++*count;
  }
  return first;
}

/* The last argument of evaluate is an expression. */
static void read_evaluate(struct reader *r, const struct tree_node *node, struct ast_target *target) {
  const struct tree_node *parameter = first_of(node, "parameter");
  struct ast_arg *last = target->args;
  if (!last || !parameter) return;
  for (; last->next && tree_next_same(parameter); last = last->next)
    parameter = tree_next_same(parameter);
  const struct tree_node *value = tree_find(parameter, "valueString");
  last->kind = AST_EXPRESSION;
  last->range = range_of(r, value ? value : tree_find(parameter, "valueId"));
}

/* --- sources and targets ---------------------------------------------------------------------------------
 */

/* "a.b": two steps. */
static struct ast_step *read_path(struct reader *r, const struct tree_node *node) {
  struct ast_step *first = NULL, **end = &first;
  struct ast_name path = name_of(r, node, "element");
  for (size_t from = 0; from < path.text.len;) {
    size_t dot = str_find_char(path.text, '.', from);
    struct ast_step *step = MAKE(r, struct ast_step);
    if (!step) return NULL;
    step->name = (struct ast_name){str_slice(path.text, from, dot), path.at};
    *end = step;
    end = &step->next;
    from = dot == SIZE_MAX ? path.text.len : dot + 1;
  }
  return first;
}

static bool read_count(struct reader *r, const struct tree_node *node, uint32_t *out) {
  int64_t value = 0;
  if (str_is(node->text, "*")) {
    *out = DEF_UNBOUNDED;
    return true;
  }
  if (!str_to_int64(node->text, &value) || value > INT32_MAX) {
    fault(r, node, "this is no whole number");
    return false;
  }
  *out = (uint32_t)value;
  return true;
}

/* R4: defaultValue[x]; R5: defaultValue, a string. An expression stands in an extension. */
static void read_default(struct reader *r, const struct tree_node *node, struct ast_source *source) {
  for (const struct tree_node *e = first_of(node, "extension"); e; e = tree_next_same(e))
    if (str_is(tree_text(e, "url"), FML_DEFAULT_EXTENSION))
      source->fallback = range_named(r, e, "valueString");
  for (const struct tree_node *child = node->child; child; child = child->next) {
    if (!str_starts(child->name, STR("defaultValue"))) continue;
    if (child->kind == TREE_OBJECT) {
      fault(r, child, "a default is of a primitive type here");
      continue;
    }
    uint32_t at = at_of(child); /* with its quotes a JSON string is a literal of FHIRPath */
    uint32_t len =
        child->kind == TREE_STRING ? (uint32_t)raw_length(r->text, at) + 2 : (uint32_t)child->text.len;
    source->fallback = (struct ast_range){at, at + len};
  }
}

static struct ast_source *read_source(struct reader *r, const struct tree_node *node) {
  static const char *const modes[] = {"", "first", "not_first", "last", "not_last", "only_one"};
  struct ast_source *source = MAKE(r, struct ast_source);
  if (!source) return NULL;
  source->context = want_name(r, node, "context", "a source has a context");
  source->path = read_path(r, node);
  source->type = name_of(r, node, "type");
  if (str_starts(source->type.text, STR("FHIR.")))
    source->type.text = str_slice(source->type.text, 5, source->type.text.len);
  source->alias = name_of(r, node, "variable");
  source->max = DEF_UNBOUNDED;
  const struct tree_node *min = tree_find(node, "min"), *max = tree_find(node, "max");
  source->has_cardinality = min || max;
  if (min) read_count(r, min, &source->min);
  if (max) read_count(r, max, &source->max);
  read_default(r, node, source);
  source->where = range_named(r, node, "condition");
  source->check = range_named(r, node, "check");
  source->log = range_named(r, node, "logMessage");
  struct str mode = tree_text(node, "listMode");
  bool known = mode.len == 0;
  for (size_t i = 1; i < sizeof modes / sizeof modes[0]; i++) {
    if (!str_is(mode, modes[i])) continue;
    source->mode = (enum ast_source_mode)i;
    known = true;
  }
  if (!known)
    fault(r, tree_find(node, "listMode"), "the mode is first, not_first, last, not_last or only_one");
  return source;
}

static void read_target_modes(struct reader *r, const struct tree_node *node, struct ast_target *target) {
  static const struct {
    const char *word;
    enum ast_target_mode mode;
  } rows[] = {{"first", AST_TARGET_FIRST},
              {"last", AST_TARGET_LAST},
              {"share", AST_SHARE},
              {"single", AST_SINGLE},
              {"collate", AST_SINGLE}};
  for (const struct tree_node *n = first_of(node, "listMode"); n; n = tree_next_same(n)) {
    bool known = false;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
      if (!str_is(n->text, rows[i].word)) continue;
      target->mode = rows[i].mode;
      known = true;
    }
    if (!known) fault(r, n, "the mode is first, last, share, single or collate");
  }
  target->share = name_of(r, node, "listRuleId");
  if (target->mode == AST_SHARE && target->share.text.len == 0)
    fault(r, node, "listMode share needs a listRuleId: the name of what is shared");
}

static struct ast_target *read_target(struct reader *r, const struct tree_node *node) {
  struct ast_target *target = MAKE(r, struct ast_target);
  if (!target) return NULL;
  target->at = at_of(node);
  target->context = name_of(r, node, "context");
  target->path = read_path(r, node);
  target->transform = name_of(r, node, "transform");
  target->has_value = target->transform.text.len != 0;
  target->alias = name_of(r, node, "variable");
  read_target_modes(r, node, target);
  if (!target->has_value) {
    if (target->context.text.len == 0 || !target->path)
      fault(r, node, "a target has a context and an element, or a transform");
    return target;
  }
  target->args = read_args(r, first_of(node, "parameter"), &target->arg_count);
  if (str_is(target->transform.text, "evaluate")) read_evaluate(r, node, target);
  return target;
}

/* --- rules -----------------------------------------------------------------------------------------------
 */

static bool read_sides(struct reader *r, const struct tree_node *node, struct ast_rule *rule) {
  struct ast_source **source_end = &rule->sources;
  struct ast_target **target_end = &rule->targets;
  for (const struct tree_node *n = first_of(node, "source"); n; n = tree_next_same(n)) {
    struct ast_source *source = read_source(r, n);
    if (!source) return false;
    *source_end = source;
    source_end = &source->next;
    rule->source_count++;
  }
  for (const struct tree_node *n = first_of(node, "target"); n; n = tree_next_same(n)) {
    struct ast_target *target = read_target(r, n);
    if (!target) return false;
    *target_end = target;
    target_end = &target->next;
    rule->target_count++;
  }
  if (rule->source_count == 0) fault(r, node, "a rule has a source");
  return true;
}

static void read_calls(struct reader *r, const struct tree_node *node, struct ast_rule *rule) {
  struct ast_call **end = &rule->calls;
  for (const struct tree_node *n = first_of(node, "dependent"); n; n = tree_next_same(n)) {
    struct ast_call *call = MAKE(r, struct ast_call);
    if (!call) return;
    call->name = want_name(r, n, "name", "a dependent group has a name");
    const struct tree_node *args = first_of(n, "parameter");
    call->args = read_args(r, args ? args : first_of(n, "variable"), &call->arg_count);
    *end = call;
    end = &call->next;
  }
}

/* How the short form src.a -> tgt.b stands in a StructureMap of HL7's own tools. */
static bool is_simple(const struct ast_rule *rule) {
  const struct ast_source *s = rule->sources;
  const struct ast_target *t = rule->targets;
  return rule->source_count == 1 && rule->target_count == 1 && s->path && t->path &&
         str_is(s->alias.text, FML_AUTO_VARIABLE) && str_is(t->alias.text, FML_AUTO_VARIABLE) &&
         str_is(t->transform.text, "create") && t->arg_count == 0 && !rule->calls && !rule->rules;
}

static struct ast_rule *read_rules(struct reader *r, const struct tree_node *node);

static struct ast_rule *read_rule(struct reader *r, const struct tree_node *node) {
  struct ast_rule *rule = MAKE(r, struct ast_rule);
  if (!rule) return NULL;
  rule->at = at_of(node);
  if (!read_sides(r, node, rule)) return NULL;
  read_calls(r, node, rule);
  rule->rules = read_rules(r, node);
  rule->name = name_of(r, node, "name");
  if (rule->name.text.len == 0) rule->name = fml_default_name(rule);
  rule->simple = is_simple(rule);
  if (!rule->simple) return rule;
  rule->sources->alias.text = rule->targets->alias.text = rule->targets->transform.text = STR("");
  rule->targets->has_value = false;
  return rule;
}

/* As deep as JSON may nest, which is less than map text may. */
static struct ast_rule *read_rules(struct reader *r, const struct tree_node *node) {
  struct ast_rule *first = NULL, **end = &first;
  for (const struct tree_node *n = first_of(node, "rule"); n && !r->nomem; n = tree_next_same(n)) {
    struct ast_rule *rule = read_rule(r, n);
    if (!rule) break;
    *end = rule;
    end = &rule->next;
  }
  return first;
}

/* --- groups ----------------------------------------------------------------------------------------------
 */

static void read_params(struct reader *r, const struct tree_node *node, struct ast_group *group) {
  struct ast_param **end = &group->params;
  for (const struct tree_node *n = first_of(node, "input"); n; n = tree_next_same(n)) {
    struct ast_param *param = MAKE(r, struct ast_param);
    if (!param) return;
    struct str mode = tree_text(n, "mode");
    param->name = want_name(r, n, "name", "an input has a name");
    param->type = name_of(r, n, "type");
    param->is_target = str_is(mode, "target");
    if (!param->is_target && !str_is(mode, "source")) fault(r, n, "the mode of an input is source or target");
    *end = param;
    end = &param->next;
    group->param_count++;
  }
  if (!group->params) fault(r, node, "a group has an input");
}

static void read_group(struct reader *r, const struct tree_node *node, struct ast_group *group) {
  static const char *const modes[] = {"none", "types", "type-and-types"};
  struct ast_name mode = name_of(r, node, "typeMode");
  bool known = mode.text.len == 0;
  group->map = r->map;
  group->name = want_name(r, node, "name", "a group has a name");
  group->parent = name_of(r, node, "extends");
  for (size_t i = 0; i < 3; i++) {
    if (!str_is(mode.text, modes[i])) continue;
    group->type_mode = (enum ast_type_mode)i;
    known = true;
  }
  if (!known) fault(r, tree_find(node, "typeMode"), "the mode is none, types or type-and-types");
  read_params(r, node, group);
  group->rules = read_rules(r, node);
}

static void read_groups(struct reader *r, const struct tree_node *root) {
  struct ast_group **end = &r->map->groups;
  for (const struct tree_node *n = first_of(root, "group"); n && !r->nomem; n = tree_next_same(n)) {
    struct ast_group *group = MAKE(r, struct ast_group);
    if (!group) return;
    read_group(r, n, group);
    *end = group;
    end = &group->next;
  }
  if (!r->map->groups) fault(r, root, "the map has no group");
}

/* --- header ----------------------------------------------------------------------------------------------
 */

static void read_uses(struct reader *r, const struct tree_node *root) {
  static const char *const modes[] = {"source", "queried", "target", "produced"};
  struct ast_uses **end = &r->map->uses;
  for (const struct tree_node *n = first_of(root, "structure"); n; n = tree_next_same(n)) {
    struct ast_uses *uses = MAKE(r, struct ast_uses);
    if (!uses) return;
    struct str mode = tree_text(n, "mode");
    size_t i = 0;
    uses->url = want_name(r, n, "url", "a structure has a url");
    uses->alias = name_of(r, n, "alias");
    while (i < 4 && !str_is(mode, modes[i]))
      i++;
    if (i == 4) fault(r, n, "the mode of a structure is source, queried, target or produced");
    uses->is_target = i >= 2;
    uses->is_helper = i == 1 || i == 3;
    *end = uses;
    end = &uses->next;
  }
}

static void read_imports(struct reader *r, const struct tree_node *root) {
  struct ast_import **end = &r->map->imports;
  for (const struct tree_node *n = first_of(root, "import"); n; n = tree_next_same(n)) {
    struct ast_import *import = MAKE(r, struct ast_import);
    if (!import) return;
    import->url = (struct ast_name){keep(r, n->text), at_of(n)};
    *end = import;
    end = &import->next;
  }
}

static struct ast_constant **add_constant(struct reader *r, struct ast_constant **end, struct ast_name name,
                                          const struct tree_node *value) {
  struct ast_constant *constant = MAKE(r, struct ast_constant);
  if (!constant) return end;
  *constant = (struct ast_constant){.name = name, .value = range_of(r, value)};
  *end = constant;
  r->map->constant_count++;
  return &constant->next;
}

/* R5: const; R4: the extension that HL7 names for it. */
static void read_constants(struct reader *r, const struct tree_node *root) {
  struct ast_constant **end = &r->map->constants;
  for (const struct tree_node *n = first_of(root, "const"); n; n = tree_next_same(n)) {
    const struct tree_node *value = tree_find(n, "value");
    struct ast_name name = want_name(r, n, "name", "a constant has a name");
    if (!value) fault(r, n, "a constant has a value");
    if (value) end = add_constant(r, end, name, value);
  }
  for (const struct tree_node *n = first_of(root, "extension"); n; n = tree_next_same(n)) {
    if (!str_is(tree_text(n, "url"), FML_CONST_EXTENSION)) continue;
    const struct tree_node *value = NULL;
    struct ast_name name = {.text = STR("")};
    for (const struct tree_node *part = first_of(n, "extension"); part; part = tree_next_same(part)) {
      if (str_is(tree_text(part, "url"), "name")) name = name_of(r, part, "valueId");
      if (str_is(tree_text(part, "url"), "value")) value = tree_find(part, "valueString");
    }
    if (name.text.len && value)
      end = add_constant(r, end, name, value);
    else
      fault(r, n, "a constant has a name and a value");
  }
}

static void read_contained(struct reader *r, struct tree_node *root) {
  for (struct tree_node *n = tree_find(root, "contained"); n && !r->nomem; n = tree_next_same(n)) {
    if (!str_is(tree_text(n, "resourceType"), "ConceptMap")) continue;
    if (fml_concept_read_inline(r->set, r->map, n, r->diags) != STATUS_OK) r->nomem = true;
  }
}

enum status fml_read_resource(struct mapping_set *set, struct mapping_map *map, struct tree_node *root,
                              struct diag_list *diags) {
  struct reader r = {.set = set, .map = map, .arena = set->arena, .diags = diags, .text = map->source.text};
  map->url = name_of(&r, root, "url").text;
  map->name = name_of(&r, root, "name").text;
  map->title = name_of(&r, root, "title").text;
  map->status = name_of(&r, root, "status").text;
  map->header_at = at_of(root);
  read_contained(&r, root);
  read_uses(&r, root);
  read_imports(&r, root);
  read_constants(&r, root);
  if (!r.nomem) read_groups(&r, root);
  return r.nomem ? STATUS_NOMEM : STATUS_OK;
}
