/* extract.c - StructureDefinition trees -> struct b_structure: one table of ElementDefinition's members. */
#include "definitions/build.h"

#define MAX_VALUE_SET "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet"
#define FHIR_TYPE "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
enum { ELEMENTS_MAX = 8000 /* of one structure; the largest of R4 has under 1000 */ };

#define SYSTEM_TYPES "http://hl7.org/fhirpath/"

static bool is_true(const struct tree_node *node) {
  return str_is(node->text, "true");
}

static uint32_t number(struct str text, uint32_t otherwise) {
  int64_t value;
  return str_to_int64(text, &value) && value < UINT32_MAX ? (uint32_t)value : otherwise;
}

static uint32_t maximum(struct str text) {
  return str_is(text, "*") ? DEF_UNBOUNDED : number(text, DEF_UNBOUNDED);
}

/* --- members of ElementDefinition ------------------------------------------------------------ */

typedef void take_fn(struct builder *b, struct b_element *e, const struct tree_node *node);

static void take_id(struct builder *b, struct b_element *e, const struct tree_node *node) {
  e->id = def_builder_str(b, node->text);
}

static void take_path(struct builder *b, struct b_element *e, const struct tree_node *node) {
  e->path = def_builder_str(b, node->text);
  e->offset = tree_offset(node);
}

static void take_slice_name(struct builder *b, struct b_element *e, const struct tree_node *node) {
  e->slice_name = def_builder_str(b, node->text);
}

static void take_short(struct builder *b, struct b_element *e, const struct tree_node *node) {
  e->text = def_builder_str(b, node->text);
  e->has |= B_SHORT;
}

static void take_reference(struct builder *b, struct b_element *e, const struct tree_node *node) {
  e->content_reference = def_builder_str(b, node->text);
}

static void take_min(struct builder *b, struct b_element *e, const struct tree_node *node) {
  (void)b;
  e->min = number(node->text, 0);
  e->has |= B_MIN;
}

static void take_max(struct builder *b, struct b_element *e, const struct tree_node *node) {
  (void)b;
  e->max = maximum(node->text);
  e->has |= B_MAX;
}

static void take_base(struct builder *b, struct b_element *e, const struct tree_node *node) {
  (void)b;
  e->base_max = maximum(tree_text(node, "max"));
  e->based = true;
  e->resource_id = str_is(tree_text(node, "path"), "Resource.id");
}

static void take_max_length(struct builder *b, struct b_element *e, const struct tree_node *node) {
  (void)b;
  e->max_length = number(node->text, 0);
}

static void take_flag(struct b_element *e, const struct tree_node *node, uint16_t flag) {
  if (is_true(node)) e->flags |= flag;
  e->has |= B_FLAGS;
}

static void take_must_support(struct builder *b, struct b_element *e, const struct tree_node *node) {
  (void)b;
  take_flag(e, node, PACK_MUST_SUPPORT);
}

static void take_modifier(struct builder *b, struct b_element *e, const struct tree_node *node) {
  (void)b;
  take_flag(e, node, PACK_MODIFIER);
}

static void take_summary(struct builder *b, struct b_element *e, const struct tree_node *node) {
  (void)b;
  take_flag(e, node, PACK_SUMMARY);
}

/* Room for one more item; lists grow by powers of two. */
static void *grown(struct builder *b, void *items, size_t count, size_t size) {
  if (count & (count - 1)) return items;
  void *more = def_builder_alloc(b, count ? count * 2 : 1, size);
  if (more && count) memcpy(more, items, count * size);
  return more;
}

static void take_texts(struct builder *b, struct b_texts *texts, const struct tree_node *node,
                       const char *name) {
  for (const struct tree_node *at = tree_find(node, name); at; at = tree_next_same(at))
    (void)def_texts_add(b, texts, def_builder_str(b, at->text));
}

/* `http://hl7.org/fhirpath/System.String` with an extension that names the FHIR type. */
static struct str type_code(struct builder *b, const struct tree_node *node) {
  struct str code = tree_text(node, "code");
  if (str_starts(code, STR(SYSTEM_TYPES)))
    for (const struct tree_node *at = tree_find(node, "extension"); at; at = tree_next_same(at)) {
      if (!str_is(tree_text(at, "url"), FHIR_TYPE)) continue;
      struct str named = tree_text(at, "valueUrl");
      if (!named.len) named = tree_text(at, "valueUri");
      if (!named.len) named = tree_text(at, "valueString");
      if (named.len) code = named;
    }
  return def_builder_str(b, code);
}

static struct b_type_ref *same_type(struct b_element *e, struct str code) {
  for (size_t i = 0; i < e->type_count; i++)
    if (str_eq(e->types[i].code, code)) return &e->types[i];
  return NULL;
}

static unsigned aggregation_of(const struct tree_node *node) {
  unsigned bits = 0;
  for (const struct tree_node *at = tree_find(node, "aggregation"); at; at = tree_next_same(at)) {
    bits |= str_is(at->text, "contained") ? DEF_CONTAINED : 0;
    bits |= str_is(at->text, "referenced") ? DEF_REFERENCED : 0;
    bits |= str_is(at->text, "bundled") ? DEF_BUNDLED : 0;
  }
  return bits;
}

static void take_type(struct builder *b, struct b_element *e, const struct tree_node *node) {
  struct str code = type_code(b, node);
  struct b_type_ref *ref = same_type(e, code);
  if (!ref) {
    struct b_type_ref *types = grown(b, e->types, e->type_count, sizeof *types);
    if (!types) return;
    e->types = types;
    ref = &types[e->type_count++];
    *ref = (struct b_type_ref){.code = code, .aggregation = aggregation_of(node)};
  } else { /* what one of two allows is allowed */
    unsigned also = aggregation_of(node);
    ref->aggregation = ref->aggregation && also ? ref->aggregation | also : 0;
  }
  take_texts(b, &ref->targets, node, "targetProfile");
  take_texts(b, &ref->profiles, node, "profile");
  e->own_types = true;
}

struct b_constraint *def_builder_constraint(struct builder *b, const struct b_constraint *made) {
  struct str key =
      arena_printf(b->arena, "%.*s\n%.*s\n%.*s\n%.*s\n%d\n%.*s\n%.*s", STR_ARG(made->key),
                   STR_ARG(made->human), STR_ARG(made->expression), STR_ARG(made->source), made->is_error,
                   STR_ARG(made->group), STR_ARG(made->applies));
  if (!key.ptr) b->error = STATUS_NOMEM;
  if (b->error) return NULL;
  struct b_constraint *known = map_get(&b->constraints, key);
  if (known) return known;
  struct b_constraint *kept = def_builder_alloc(b, 1, sizeof *kept);
  if (!kept) return NULL;
  if (map_put(&b->constraints, key, kept)) b->error = STATUS_NOMEM;
  *kept = (struct b_constraint){.key = def_builder_str(b, made->key),
                                .human = def_builder_str(b, made->human),
                                .expression = def_builder_str(b, made->expression),
                                .source = def_builder_str(b, made->source),
                                .is_error = made->is_error,
                                .group = def_builder_str(b, made->group),
                                .applies = def_builder_str(b, made->applies),
                                .reason = def_builder_str(b, made->reason)};
  return kept;
}

/* The extension that makes a constraint a rule of care; what it says why stands where FHIR has a place. */
static void take_session_rule(const struct tree_node *node, struct b_constraint *made) {
  const struct tree_node *rule = tree_find(node, "extension"), *part = NULL;
  while (rule && !str_is(tree_text(rule, "url"), DEF_SESSION_RULE))
    rule = tree_next_same(rule);
  if (rule) part = tree_find(rule, "extension");
  for (; part; part = tree_next_same(part)) {
    if (str_is(tree_text(part, "url"), "group")) made->group = tree_text(part, "valueCode");
    if (str_is(tree_text(part, "url"), "applies")) made->applies = tree_text(part, "valueString");
  }
  if (rule) made->reason = tree_text(node, "requirements");
}

static void take_constraint(struct builder *b, struct b_element *e, const struct tree_node *node) {
  struct b_constraint made = {
      .key = tree_text(node, "key"),
      .human = tree_text(node, "human"),
      .expression = tree_text(node, "expression"),
      .source = tree_text(node, "source"),
      .is_error = !str_is(tree_text(node, "severity"), "warning"),
  };
  take_session_rule(node, &made);
  struct b_constraint *constraint = def_builder_constraint(b, &made);
  struct b_constraint **all = grown(b, e->constraints, e->constraint_count, sizeof *all);
  if (!all || !constraint) return;
  e->constraints = all;
  all[e->constraint_count++] = constraint;
}

static const char *const strength_names[] = {"required", "extensible", "preferred", "example"};

static void take_binding(struct builder *b, struct b_element *e, const struct tree_node *node) {
  struct str strength = tree_text(node, "strength");
  e->strength = DEF_EXAMPLE;
  for (unsigned i = 0; i < 4; i++)
    if (str_is(strength, strength_names[i])) e->strength = (enum def_strength)i;
  e->value_set = def_builder_str(b, tree_text(node, "valueSet"));
  for (const struct tree_node *at = tree_find(node, "extension"); at; at = tree_next_same(at))
    if (str_is(tree_text(at, "url"), MAX_VALUE_SET))
      for (const struct tree_node *value = tree_first(at); value; value = tree_next(value))
        if (str_starts(value->name, STR("value"))) e->max_set = def_builder_str(b, value->text);
  e->flags |= PACK_BOUND;
}

static void take_discriminator(struct builder *b, struct b_slicing *slicing, const struct tree_node *node) {
  struct b_discriminator *all = grown(b, slicing->discriminators, slicing->count, sizeof *all);
  if (!all) return;
  slicing->discriminators = all;
  all[slicing->count++] = (struct b_discriminator){def_builder_str(b, tree_text(node, "type")),
                                                   def_builder_str(b, tree_text(node, "path"))};
}

static void take_slicing(struct builder *b, struct b_element *e, const struct tree_node *node) {
  struct b_slicing *slicing = def_builder_alloc(b, 1, sizeof *slicing);
  if (!slicing) return;
  struct str rules = tree_text(node, "rules");
  slicing->rules = str_is(rules, "closed")      ? DEF_SLICING_CLOSED
                   : str_is(rules, "openAtEnd") ? DEF_SLICING_OPEN_AT_END
                                                : DEF_SLICING_OPEN;
  slicing->ordered = str_is(tree_text(node, "ordered"), "true");
  for (const struct tree_node *at = tree_find(node, "discriminator"); at; at = tree_next_same(at))
    take_discriminator(b, slicing, at);
  e->slicing = slicing;
  e->flags |= PACK_SLICED;
}

static struct str json_of(struct builder *b, const struct tree_node *node) {
  struct str text = {0};
  struct buf out;
  buf_init(&out, LIMIT_TEXT_BYTES);
  tree_write_json(node, &(struct tree_write){0}, &out);
  if (out.error)
    b->error = out.error;
  else
    text = def_builder_str(b, buf_str(&out));
  buf_release(&out);
  return text;
}

static void take_fixed(struct builder *b, struct b_element *e, const struct tree_node *node) {
  e->fixed = json_of(b, node);
  e->flags &= (uint16_t)~PACK_PATTERN;
}

static void take_pattern(struct builder *b, struct b_element *e, const struct tree_node *node) {
  e->fixed = json_of(b, node);
  e->flags |= PACK_PATTERN;
}

static struct str limit_text(struct builder *b, const struct tree_node *node) {
  return node->kind == TREE_OBJECT ? json_of(b, node) : def_builder_str(b, node->text);
}

static void take_min_value(struct builder *b, struct b_element *e, const struct tree_node *node) {
  e->min_value = limit_text(b, node);
}

static void take_max_value(struct builder *b, struct b_element *e, const struct tree_node *node) {
  e->max_value = limit_text(b, node);
}

/* Names and namespaces in XML; the first two are those of newer versions. */
static bool is_xml_extension(struct str url, const char *what) {
  const struct str element = STR("http://hl7.org/fhir/StructureDefinition/elementdefinition-"),
                   tools = STR("http://hl7.org/fhir/tools/StructureDefinition/xml-");
  size_t from = str_starts(url, element) ? element.len : str_starts(url, tools) ? tools.len : 0;
  if (!from) return false;
  struct str rest = str_slice(url, from, url.len);
  if (str_starts(rest, STR("xml-"))) rest = str_slice(rest, 4, rest.len);
  return str_is(rest, what);
}

static void take_xml(struct builder *b, const struct tree_node *extension, struct str *name,
                     struct str *space) {
  struct str url = tree_text(extension, "url"), value = {0};
  for (const struct tree_node *at = tree_first(extension); at; at = tree_next(at))
    if (str_starts(at->name, STR("value"))) value = at->text;
  if (is_xml_extension(url, "name")) *name = def_builder_str(b, value);
  if (is_xml_extension(url, "namespace")) *space = def_builder_str(b, value);
}

static void take_extension(struct builder *b, struct b_element *e, const struct tree_node *node) {
  take_xml(b, node, &e->xml_name, &e->xml_space);
}

static void take_representation(struct builder *b, struct b_element *e, const struct tree_node *node) {
  (void)b;
  if (str_is(node->text, "xmlAttr")) e->flags |= PACK_XML_ATTRIBUTE;
  if (str_is(node->text, "xmlText")) e->flags |= PACK_XML_TEXT;
  if (str_is(node->text, "typeAttr")) e->flags |= PACK_XML_TYPE;
}

static const struct {
  const char *name;
  bool prefix; /* a choice: fixedUri, fixedCode … */
  take_fn *take;
} members[] = {
    {"id", false, take_id},
    {"path", false, take_path},
    {"sliceName", false, take_slice_name},
    {"short", false, take_short},
    {"contentReference", false, take_reference},
    {"min", false, take_min},
    {"max", false, take_max},
    {"base", false, take_base},
    {"maxLength", false, take_max_length},
    {"mustSupport", false, take_must_support},
    {"isModifier", false, take_modifier},
    {"isSummary", false, take_summary},
    {"type", false, take_type},
    {"constraint", false, take_constraint},
    {"binding", false, take_binding},
    {"slicing", false, take_slicing},
    {"extension", false, take_extension},
    {"representation", false, take_representation},
    {"fixed", true, take_fixed},
    {"pattern", true, take_pattern},
    {"minValue", true, take_min_value},
    {"maxValue", true, take_max_value},
};

static void take_member(struct builder *b, struct b_element *e, const struct tree_node *node) {
  for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
    bool same = members[i].prefix ? str_starts(node->name, str_of(members[i].name))
                                  : str_is(node->name, members[i].name);
    if (!same) continue;
    members[i].take(b, e, node);
    return;
  }
}

/* How deep a path leads, by its dots; and a name of a re-sliced slice, by its slashes. */
static size_t depth_of(struct str text, char separator) {
  size_t depth = 0;
  for (size_t at = 0; at < text.len; at++)
    depth += text.ptr[at] == separator;
  return depth;
}

/* "Observation.value[x]" -> name "value" and the flag of a choice. */
static void name_element(struct b_element *e) {
  size_t from = 0;
  for (size_t at = 0; at < e->path.len; at++)
    if (e->path.ptr[at] == '.') from = at + 1;
  e->name = str_slice(e->path, from, e->path.len);
  if (str_ends(e->name, STR("[x]"))) {
    e->name = str_slice(e->name, 0, e->name.len - 3);
    e->flags |= PACK_CHOICE;
  }
}

static struct b_element *new_element(struct builder *b, struct str path) {
  struct b_element *e = def_builder_alloc(b, 1, sizeof *e);
  if (!e) return NULL;
  e->path = path;
  e->max = e->base_max = DEF_UNBOUNDED;
  name_element(e);
  return e;
}

static struct b_element *read_element(struct builder *b, const struct tree_node *node) {
  struct b_element *e = new_element(b, (struct str){0});
  if (!e) return NULL;
  for (const struct tree_node *at = tree_first(node); at; at = tree_next(at))
    take_member(b, e, at);
  name_element(e);
  return e;
}

/* --- the flat list becomes a tree ------------------------------------------------------------ */

void def_append_child(struct b_element *parent, struct b_element *e) {
  e->parent = parent;
  if (parent->last)
    parent->last->next = e;
  else
    parent->child = e;
  parent->last = e;
}

void def_append_slice(struct b_element *of, struct b_element *e) {
  e->parent = of->parent;
  if (of->last_slice)
    of->last_slice->next = e;
  else
    of->slices = e;
  of->last_slice = e;
}

static bool is_below(struct str path, struct str above) {
  return path.len > above.len + 1 && path.ptr[above.len] == '.' && str_starts(path, above);
}

bool def_names_choice(const struct b_element *e, struct str name) {
  return (e->flags & PACK_CHOICE) && name.len > e->name.len && str_starts(name, e->name) &&
         name.ptr[e->name.len] >= 'A' && name.ptr[e->name.len] <= 'Z';
}

/* The child that `name` is a slice of: the same name, or a choice that it picks from ("valueQuantity"). */
static struct b_element *sliced_child(struct b_element *parent, struct str name) {
  struct b_element *choice = NULL;
  for (struct b_element *at = parent->child; at; at = at->next) {
    if (str_eq(at->name, name)) return at;
    if (def_names_choice(at, name)) choice = at;
  }
  return choice;
}

/* A slice "a/b" is a slice of slice "a". */
static struct b_element *slice_owner(struct b_element *sliced, struct str slice_name, size_t from) {
  size_t slash = str_find_char(slice_name, '/', from);
  if (slash == SIZE_MAX) return sliced;
  for (struct b_element *at = sliced->slices; at; at = at->next)
    if (str_eq(at->slice_name, str_slice(slice_name, 0, slash)))
      return slice_owner(at, slice_name, slash + 1);
  return sliced;
}

/* A differential may name a.b.c without a.b. */
static struct b_element *fill_gap(struct builder *b, struct b_element *parent, struct str path) {
  for (;;) {
    size_t dot = str_find_char(path, '.', parent->path.len + 1);
    if (dot == SIZE_MAX) return parent;
    struct b_element *between = new_element(b, str_slice(path, 0, dot));
    if (!between) return parent;
    struct b_element *there = sliced_child(parent, between->name);
    if (there)
      between = there;
    else
      def_append_child(parent, between);
    parent = between;
  }
}

/* A differential may name a slice and not what is sliced. */
static struct b_element *sliced_element(struct builder *b, struct b_element *parent,
                                        const struct b_element *e) {
  struct b_element *sliced = sliced_child(parent, e->name);
  if (sliced || !e->slice_name.len) return sliced;
  sliced = new_element(b, e->path);
  if (sliced) def_append_child(parent, sliced);
  return sliced;
}

static void place_element(struct builder *b, struct b_element **at, struct b_element *e, bool differential) {
  struct b_element *parent = *at;
  while (parent && !is_below(e->path, parent->path))
    parent = parent->parent;
  if (!parent) return;
  parent = fill_gap(b, parent, e->path);
  struct b_element *sliced = differential ? sliced_element(b, parent, e) : sliced_child(parent, e->name);
  if (!sliced) {
    def_append_child(parent, e);
  } else {
    if (!e->slice_name.len) e->slice_name = e->name; /* "valueQuantity" of value[x] */
    e->name = sliced->name;
    e->flags |= sliced->flags & PACK_CHOICE;
    def_append_slice(slice_owner(sliced, e->slice_name, 0), e);
  }
  *at = e;
}

static struct b_element *read_elements(struct builder *b, const struct tree_node *list,
                                       const struct source *source) {
  bool differential = str_is(list->name, "differential");
  struct b_element *root = NULL, *at = NULL;
  size_t count = 0;
  for (const struct tree_node *node = tree_find(list, "element"); node; node = tree_next_same(node)) {
    struct b_element *e = read_element(b, node);
    if (!e || !e->path.len) continue;
    if (++count > ELEMENTS_MAX || depth_of(e->path, '.') > LIMIT_DEPTH ||
        depth_of(e->slice_name, '/') > LIMIT_DEPTH) {
      struct diag_at where = {.source = source, .offset = tree_offset(node)};
      diag_error(b->diags, DIAG_INPUT_TOO_MANY, &where,
                 "At most %d elements, nested %d deep, in one StructureDefinition", ELEMENTS_MAX,
                 LIMIT_DEPTH);
      return NULL;
    }
    if (!root && str_find_char(e->path, '.', 0) == SIZE_MAX) {
      root = at = e;
      continue;
    }
    if (!root) { /* a differential without its root */
      root = at = new_element(b, str_slice(e->path, 0, str_find_char(e->path, '.', 0)));
      if (!root) return NULL;
    }
    place_element(b, &at, e, differential);
  }
  return root;
}

/* --- StructureDefinition --------------------------------------------------------------------- */

static enum def_kind kind_of(struct str kind) {
  return str_is(kind, "primitive-type") ? DEF_PRIMITIVE
         : str_is(kind, "resource")     ? DEF_RESOURCE
         : str_is(kind, "logical")      ? DEF_LOGICAL
                                        : DEF_COMPLEX;
}

static void read_contexts(struct builder *b, struct b_type *type, const struct tree_node *node) {
  for (const struct tree_node *at = tree_find(node, "context"); at; at = tree_next_same(at)) {
    (void)def_texts_add(b, &type->context_types, def_builder_str(b, tree_text(at, "type")));
    (void)def_texts_add(b, &type->context_paths, def_builder_str(b, tree_text(at, "expression")));
  }
  for (const struct tree_node *at = tree_find(node, "contextInvariant"); at; at = tree_next_same(at))
    (void)def_texts_add(b, &type->context_rules, def_builder_str(b, at->text));
}

/* Called a specialization, but of the very type that it describes: that can only be a constraint. */
static bool narrows_itself(const struct tree_node *node) {
  struct str type = tree_text(node, "type"), base = tree_text(node, "baseDefinition");
  return type.len && !str_is(tree_text(node, "kind"), "logical") && str_eq(def_last_part(base), type) &&
         str_starts(base, STR("http://hl7.org/fhir/StructureDefinition/"));
}

static void read_structure(struct builder *b, struct b_type *type, const struct tree_node *node,
                           const struct source *source) {
  struct str fhir_type = tree_text(node, "type"), name = tree_text(node, "name");
  struct str derivation = tree_text(node, "derivation");
  type->kind = kind_of(tree_text(node, "kind"));
  type->url = def_builder_str(b, tree_text(node, "url"));
  type->version = def_builder_str(b, tree_text(node, "version"));
  type->abstract = str_is(tree_text(node, "abstract"), "true");
  type->profile = str_is(derivation, "constraint") || narrows_itself(node);
  type->base_url = def_builder_str(b, tree_text(node, "baseDefinition"));
  type->fhir_type = def_builder_str(b, fhir_type);
  if (type->kind != DEF_LOGICAL && !type->profile && fhir_type.len) name = fhir_type;
  type->name = def_builder_str(b, name.len ? name : fhir_type);
  type->named = true;
  for (const struct tree_node *at = tree_find(node, "extension"); at; at = tree_next_same(at))
    take_xml(b, at, &type->xml_name, &type->xml_space);
  read_contexts(b, type, node);
  const struct tree_node *list = tree_find(node, "snapshot"), *changes = tree_find(node, "differential");
  if (!list || (b->regenerate && type->profile && changes)) {
    list = changes;
    type->differential = true;
  }
  type->root = list ? read_elements(b, list, source) : NULL;
}

void def_extract_structure(struct builder *b, const struct tree_node *node, const struct source *source) {
  struct diag_at at = {.source = source, .offset = tree_offset(node)};
  struct b_type *type = def_builder_alloc(b, 1, sizeof *type);
  if (!type) return;
  if (!tree_text(node, "url").len || !tree_text(node, "kind").len) {
    diag_error(b->diags, DIAG_DEFINITION_INVALID, &at, "A StructureDefinition needs url and kind");
    return;
  }
  type->file = source ? def_builder_str(b, source->name) : (struct str){0};
  read_structure(b, type, node, source);
  if (!type->root) {
    diag_error(b->diags, DIAG_DEFINITION_INVALID, &at, "StructureDefinition %.*s lists no elements",
               STR_ARG(type->url));
    return;
  }
  if (b->last_type)
    b->last_type->next = type;
  else
    b->types = type;
  b->last_type = type;
  type->package = b->last_package;
  if (b->last_package) b->last_package->structures++;
}
