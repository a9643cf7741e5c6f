/* tree.c - from the index to a bound tree: what is in a segment, by the type of each field. */
#include "hl7v2/internal.h"

enum level { COMPONENTS, SUBCOMPONENTS, NOTHING_BELOW };

/* What a field may be cut by: asked once for each field, as most have none of them, or one. */
enum cut { CUT_COMPONENTS = 1, CUT_SUBCOMPONENTS = 2, CUT_REPETITIONS = 4 };

struct making {
  const struct hl7v2_message *message;
  const struct definitions *definitions;
  struct arena *arena;
  struct diag_list *diags;
  char separators[NOTHING_BELOW + 1]; /* of the parts of a repetition, of a component, of a subcomponent */
  uint8_t separates[UINT8_MAX + 1];   /* by byte: a bit of enum cut */
  unsigned cuts;                      /* that the field at hand has */
  bool escapes;                       /* the segment has some */
  const char *text;
  struct str kind; /* of the last OBX-5, and the type that it has: results of a report are mostly of one kind */
  const struct def_type *observed;
};

/* --- nodes --- */

/* A node that is not attached yet; a name without an element is one that no model has. */
static inline struct tree_node *new_node(struct making *m, const struct def_element *element, struct str name, const char *at) {
  struct tree_node *node = ARENA_NEW(m->arena, struct tree_node);
  if (!node) return NULL;
  if (element) {
    definitions_fill(element, node);
  } else {
    node->name = name;
    node->flags = TREE_BOUND;
    node->lacks = TREE_LACKS_ALL;
    node->order = UINT16_MAX;
    node->symbol = definitions_symbol(m->definitions, name);
  }
  node->kind = TREE_NULL;
  node->offset = (uint32_t)(at - m->text) + 1;
  return node;
}

static void tell_kept(struct making *m, struct str run) {
  struct diag_at at = {.source = m->message->source, .offset = (size_t)(run.ptr - m->text)};
  diag_warning(m->diags, DIAG_HL7V2_ESCAPE, &at, "an escape sequence stands in the text as it was written");
}

static bool __attribute__((noinline)) set_escaped(struct making *m, struct tree_node *node, struct str run) {
  bool kept = false;
  node->text = hl7v2_unescape_of(m->message, run, m->arena, &kept);
  if (kept) tell_kept(m, run);
  return node->text.ptr != NULL;
}

static inline bool set_text(struct making *m, struct tree_node *node, struct str run) {
  if (!run.len) return true;
  node->kind = TREE_STRING;
  if (m->escapes) return set_escaped(m, node, run);
  node->text = run;
  return true;
}

static struct str numbered(struct making *m, struct str prefix, size_t number) {
  char digits[24], *at = digits + sizeof digits;
  do
    *--at = (char)('0' + number % 10);
  while (number /= 10);
  *--at = '_';
  return arena_concat(m->arena, prefix, str_make(at, (size_t)(digits + sizeof digits - at)));
}

/* --- types --- */

static bool is_complex(const struct def_type *type) {
  return type && def_type_kind(type) == DEF_LOGICAL;
}

/* A segment's or data type's model, and where its first field or component stands: behind the elements of Element. */
struct shape {
  const struct def_type *type; /* NULL: none */
  size_t first;
  struct str name; /* how the parts of what has no model are called, with a number */
};

static struct shape shape_of(const struct def_type *type) {
  struct shape shape = {.type = type};
  size_t count = type ? def_type_element_count(type) : 0;
  while (shape.first < count && def_element_name(def_type_element_at(type, shape.first)).ptr[0] >= 'a')
    shape.first++;
  return shape;
}

/* "PID" of V2_PID. */
static struct str prefix_of(const struct def_type *type) {
  struct str name = def_type_name(type);
  return str_slice(name, 3, name.len);
}

/* What part `number` is to be; NULL: no memory. */
static inline struct tree_node *new_part(struct making *m, const struct shape *shape, size_t number, const char *at) {
  const struct def_element *element = shape->type ? def_type_element_at(shape->type, shape->first + number - 1) : NULL;
  struct str name = {0};
  if (!element) {
    name = numbered(m, shape->type ? prefix_of(shape->type) : shape->name, number);
    if (!name.ptr) return NULL;
  }
  return new_node(m, element, name, at);
}

/* --- parts --- */

struct parts {
  const char *at, *end; /* at NULL: no more */
  char separator;
};

static struct str next_part(struct parts *parts) {
  const char *from = parts->at, *to = from;
  if (parts->separator)
    while (to < parts->end && *to != parts->separator)
      to++;
  else
    to = parts->end;
  parts->at = to < parts->end ? to + 1 : NULL;
  return str_make(from, (size_t)(to - from));
}

static struct parts parts_of(struct str run, char separator) {
  return (struct parts){run.ptr, run.ptr + run.len, separator};
}

static bool is_null(struct str run) {
  return run.len == 2 && run.ptr[0] == '"' && run.ptr[1] == '"';
}

static bool add_inner(struct making *m, struct tree_node *node, struct str run, enum level level);

static inline enum level below(enum level level) {
  return level == COMPONENTS ? SUBCOMPONENTS : NOTHING_BELOW;
}

/* A text that none of the separators of its level cuts: most of them. */
static inline bool is_whole(const struct making *m, struct str run, enum level level) {
  static const unsigned cut_by[] = {[COMPONENTS] = CUT_COMPONENTS | CUT_SUBCOMPONENTS, [SUBCOMPONENTS] = CUT_SUBCOMPONENTS, [NOTHING_BELOW] = 0};
  char part = m->separators[level], inner = level == COMPONENTS ? m->separators[SUBCOMPONENTS] : 0;
  size_t at = 0;
  if (!(m->cuts & cut_by[level])) return true;
  while (at < run.len && run.ptr[at] != part && run.ptr[at] != inner)
    at++;
  return at == run.len;
}

/* Attaches the node, if there is one, and lays into it what the bytes say; false: no memory. */
static inline bool add_value(struct making *m, struct tree_node *parent, struct tree_node *node, struct str run, enum level level) {
  if (!node) return false;
  bool empty = !run.len || is_null(run);
  if (empty) {
    node->flags |= TREE_META;
    node->text = run;
  }
  tree_append(parent, node);
  if (empty) return true;
  return !is_complex(node_type(node)) && is_whole(m, run, level) ? set_text(m, node, run) : add_inner(m, node, run, level);
}

/* Parts from `number` on: what is empty is left out, but for the last. */
static bool add_parts(struct making *m, struct tree_node *node, const struct shape *shape, struct parts parts, size_t number,
                      enum level level) {
  for (; parts.at; number++) {
    struct str part = next_part(&parts);
    if (!part.len && parts.at) continue;
    if (!add_value(m, node, new_part(m, shape, number, part.ptr), part, level)) return false;
  }
  return true;
}

/* Parts 2 and on of what has no type for them: children NAME_2, … */
static bool add_further(struct making *m, struct tree_node *node, struct str name, struct parts parts, enum level level) {
  struct shape none = {.name = name};
  return add_parts(m, node, &none, parts, 2, level);
}

static bool fill_text(struct making *m, struct tree_node *node, struct str run, enum level level) {
  struct parts parts = parts_of(run, m->separators[level]);
  struct str first = next_part(&parts);
  struct parts inner = parts_of(first, level == COMPONENTS ? m->separators[SUBCOMPONENTS] : 0);
  struct str own = next_part(&inner);
  if (is_null(own))
    node->text = own;
  else if (!set_text(m, node, own))
    return false;
  if (inner.at) {
    struct str name = numbered(m, node->name, 1);
    if (!name.ptr || !add_further(m, node, name, inner, NOTHING_BELOW)) return false;
  }
  return !parts.at || add_further(m, node, node->name, parts, below(level));
}

static bool add_inner(struct making *m, struct tree_node *node, struct str run, enum level level) {
  if (!is_complex(node_type(node))) return fill_text(m, node, run, level);
  struct shape shape = shape_of(node_type(node));
  node->kind = TREE_OBJECT;
  return add_parts(m, node, &shape, parts_of(run, m->separators[level]), 1, below(level));
}

/* --- fields --- */

/* The type that OBX-2 names, of those that OBX-5 may have. */
static const struct def_type *observed(const struct def_element *element, struct str kind) {
  static const char *const today[][2] = {{"CE", "CWE"}, {"CNE", "CWE"}, {"CF", "CWE"}, {"CN", "XCN"}, {"PN", "XPN"},
                                         {"AD", "XAD"}, {"TN", "XTN"},  {"CK", "CX"}};
  for (size_t i = 0; i < sizeof today / sizeof today[0]; i++)
    if (str_is(kind, today[i][0])) kind = str_of(today[i][1]);
  size_t count = def_element_type_count(element);
  for (size_t i = 1; i < count && kind.len; i++) {
    const struct def_type *type = def_element_type(element, i).type;
    if (type && is_complex(type) && str_eq(prefix_of(type), kind)) return type;
  }
  return def_element_type(element, 0).type;
}

static const struct def_type *observed_again(struct making *m, const struct def_element *element, struct str kind) {
  if (!m->observed || !str_eq(kind, m->kind)) {
    m->kind = kind;
    m->observed = observed(element, kind);
  }
  return m->observed;
}

/* What is read by the name of a field that may not repeat is its first value: the others have a symbol that no name has, and stay for
 * all to see that nobody read them. */
static const uint32_t unnamed = UINT32_MAX;

/* `first`: the node of the first repetition; the others are of its kind. */
static bool add_repetitions(struct making *m, struct tree_node *segment, struct tree_node *first, struct str run) {
  struct parts parts = parts_of(run, m->cuts & CUT_REPETITIONS ? m->message->delims.repetition : 0);
  struct tree_node *node = first;
  while (parts.at) {
    struct str part = next_part(&parts);
    if (node != first || parts.at) node->flags |= TREE_IN_ARRAY;
    if (!add_value(m, segment, node, part, COMPONENTS)) return false;
    if (!parts.at) return true;
    node = new_node(m, first->element, first->name, parts.at);
    if (!node) return false;
    node->type = first->type;
    if (first->element && def_element_max(first->element) == 1) node->symbol = unnamed;
  }
  return true;
}

static unsigned cuts_of(const struct making *m, struct str run) {
  unsigned cuts = 0;
  for (size_t i = 0; i < run.len; i++)
    cuts |= m->separates[(unsigned char)run.ptr[i]];
  return cuts;
}

static bool add_field(struct making *m, struct tree_node *node, const struct hl7v2_segment *segment, const struct shape *shape,
                      size_t number, struct str run) {
  struct tree_node *field = new_part(m, shape, number, run.ptr);
  if (!field) return false;
  if (number == 5 && field->element && str_is(node->name, "OBX"))
    field->type = observed_again(m, field->element, hl7v2_field(m->message, segment, 2));
  m->cuts = cuts_of(m, run);
  if (number > 2 || !hl7v2_is_header(node->name)) return add_repetitions(m, node, field, run);
  field->kind = TREE_STRING;
  field->text = run;
  tree_append(node, field);
  return true;
}

static bool add_fields(struct making *m, struct tree_node *node, const struct hl7v2_segment *segment) {
  const char *text = m->text + segment->at;
  char escape = m->message->delims.escape;
  m->escapes = escape && memchr(text, escape, segment->end - segment->at);
  struct shape shape = shape_of(node_type(node));
  shape.name = node->name;
  const uint32_t *starts = m->message->fields + segment->first_field;
  for (uint32_t number = 1; number <= segment->field_count; number++) {
    bool nothing = number > 1 && starts[number] == starts[number - 1] + 1; /* but its separator, as most */
    if (nothing && number < segment->field_count) continue;
    struct str run = hl7v2_field(m->message, segment, number);
    if (!run.len && number < segment->field_count) continue;
    if (!add_field(m, node, segment, &shape, number, run)) return false;
  }
  return true;
}

/* --- the whole --- */

static struct tree_node *make_root(const struct hl7v2_message *message, const struct definitions *definitions,
                                   struct arena *arena, enum status *status) {
  struct str structure = hl7v2_structure(message);
  char name[40] = "V2_";
  memcpy(name + 3, structure.ptr, structure.len);
  const struct def_type *type = definitions_type(definitions, str_make(name, structure.len + 3));
  struct tree_node *root = tree_new(arena, TREE_OBJECT, (struct str){0});
  *status = !type ? STATUS_NOT_FOUND : !root ? STATUS_NOMEM : STATUS_OK;
  if (*status != STATUS_OK) return NULL;
  root->type = type;
  root->flags = TREE_BOUND;
  root->lacks = TREE_LACKS_ALL;
  root->offset = 1;
  return root;
}

/* A separator that a message does not have is 0, which no field has. */
static void know_separators(struct making *m) {
  const struct hl7v2_delims *delims = &m->message->delims;
  m->separates[(unsigned char)delims->component] |= CUT_COMPONENTS;
  m->separates[(unsigned char)delims->subcomponent] |= CUT_SUBCOMPONENTS;
  m->separates[(unsigned char)delims->repetition] |= CUT_REPETITIONS;
}

enum status hl7v2_tree(const struct hl7v2_message *message, const struct definitions *definitions,
                       struct arena *arena, struct diag_list *diags, struct tree_node **out) {
  enum status status;
  struct tree_node *root = make_root(message, definitions, arena, &status);
  struct making making = {.message = message,
                          .definitions = definitions,
                          .arena = arena,
                          .diags = diags,
                          .separators = {message->delims.component, message->delims.subcomponent, 0},
                          .text = message->source->text.ptr};
  *out = root;
  if (!root) return status;
  know_separators(&making);
  struct hl7v2_grouping grouping = {definitions, arena, diags, message->source, 1, {{root, node_type(root), 0}}};
  for (uint32_t i = 0; i < message->segment_count; i++) {
    const struct hl7v2_segment *segment = &message->segments[i];
    struct tree_node *node = hl7v2_place_segment(&grouping, str_make(segment->name, 3), segment->at);
    if (!node || !add_fields(&making, node, segment)) return STATUS_NOMEM;
  }
  return STATUS_OK;
}
