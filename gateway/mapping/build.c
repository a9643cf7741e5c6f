/* build.c - transforms that make a complex value: cc, c, qty, id, cp, and translate to a Coding or concept.
 */
#include "mapping/internal.h"

struct builder {
  struct fml_run *run;
  struct fml_frame *frame;
  const struct prog_target *target;
  struct tree_node *origin;
};

static bool set(struct builder *b, struct tree_node *node, const struct def_element *element,
                struct str text) {
  if (text.len == 0) return true;
  return fml_set_text(b->run, node, element, text, b->origin) != NULL;
}

static struct tree_node *root(const struct builder *b, const struct def_type *type) {
  struct tree_node *node = definitions_make_root(b->run->set->definitions, b->run->arena, type);
  const struct tree_node *from = b->origin ? b->origin : b->run->focus;
  if (node && from) node->offset = from->offset;
  return node;
}

static struct tree_node *child(struct builder *b, struct tree_node *parent,
                               const struct def_element *element) {
  struct tree_node *node = definitions_make(b->run->set->definitions, b->run->arena, parent, element,
                                            def_element_type(element, 0).type);
  const struct tree_node *from = b->origin ? b->origin : b->run->focus;
  if (node && from) node->offset = from->offset;
  return node;
}

static bool set_coding(struct builder *b, struct tree_node *coding, struct str system, struct str code,
                       struct str display) {
  const struct fml_kit *kit = &b->run->set->kit;
  return set(b, coding, kit->coding_system, system) && set(b, coding, kit->coding_code, code) &&
         set(b, coding, kit->coding_display, display);
}

/* Text of the index-th argument; false when it has no value. Empty when not given. */
static bool argument(struct builder *b, size_t index, struct str *text) {
  *text = STR("");
  if (index >= b->target->arg_count) return true;
  return fml_argument(b->run, b->frame, &b->target->args[index], text, &b->origin);
}

/* cc(text), cc(system, code[, display]), c(system, code[, display]) */
static enum status build_code(struct builder *b, struct tree_node **out) {
  const struct fml_kit *kit = &b->run->set->kit;
  struct str system, code, display;
  if (!argument(b, 0, &system) || !argument(b, 1, &code) || !argument(b, 2, &display)) return STATUS_OK;
  if (b->target->arg_count == 2 && b->target->display) display = *b->target->display;
  if (b->target->op == PROG_C) {
    *out = root(b, kit->coding);
    return *out && set_coding(b, *out, system, code, display) ? STATUS_OK : STATUS_NOMEM;
  }
  *out = root(b, kit->concept_);
  if (!*out) return STATUS_NOMEM;
  if (b->target->arg_count == 1) return set(b, *out, kit->concept_text, system) ? STATUS_OK : STATUS_NOMEM;
  struct tree_node *coding = child(b, *out, kit->concept_coding);
  return coding && set_coding(b, coding, system, code, display) ? STATUS_OK : STATUS_NOMEM;
}

/* translate(x, map, 'Coding' | 'CodeableConcept') */
static enum status build_translation(struct builder *b, struct tree_node **out) {
  const struct fml_kit *kit = &b->run->set->kit;
  struct concept_lookup lookup = {0};
  const struct concept_target *found = fml_translate(b->run, b->frame, b->target, &b->origin, &lookup);
  if (!found) return STATUS_OK;
  if (b->target->output == OUTPUT_CODING) {
    *out = root(b, kit->coding);
    return *out && set_coding(b, *out, found->system, found->code, found->display) ? STATUS_OK : STATUS_NOMEM;
  }
  *out = root(b, kit->concept_);
  if (!*out) return STATUS_NOMEM;
  for (; found; found = found->next) {
    if (!fml_concept_usable(found)) continue;
    struct tree_node *coding = child(b, *out, kit->concept_coding);
    if (!coding || !set_coding(b, coding, found->system, found->code, found->display)) return STATUS_NOMEM;
  }
  return STATUS_OK;
}

/* "<=1.5 mg": comparator, number, unit. */
static enum status build_quantity_text(struct builder *b, struct str text, struct tree_node **out) {
  static const char *const comparators[] = {"<=", ">=", "<", ">"};
  const struct fml_kit *kit = &b->run->set->kit;
  struct str comparator = STR(""), rest = str_trim(text);
  struct decimal number;
  for (size_t i = 0; i < 4 && !comparator.len; i++)
    if (str_starts(rest, str_of(comparators[i]))) comparator = str_of(comparators[i]);
  rest = str_trim(str_slice(rest, comparator.len, rest.len));
  size_t end = 0;
  while (end < rest.len && strchr("0123456789.-+eE", rest.ptr[end]))
    end++;
  struct str value = str_slice(rest, 0, end), unit = str_trim(str_slice(rest, end, rest.len));
  if (!decimal_parse(value, &number)) {
    fml_failed(b->run, DIAG_VALUE_FORMAT, b->origin, "the value is no quantity");
    return STATUS_OK;
  }
  *out = root(b, kit->quantity);
  if (!*out) return STATUS_NOMEM;
  bool ok = set(b, *out, kit->quantity_value, value) && set(b, *out, kit->quantity_comparator, comparator) &&
            set(b, *out, kit->quantity_unit, unit);
  return ok ? STATUS_OK : STATUS_NOMEM;
}

/* qty(text), qty(value, unit[, system, code]) */
static enum status build_quantity(struct builder *b, struct tree_node **out) {
  const struct fml_kit *kit = &b->run->set->kit;
  struct str value, unit, system, code;
  if (!argument(b, 0, &value)) return STATUS_OK;
  if (b->target->arg_count == 1) return build_quantity_text(b, value, out);
  if (!argument(b, 1, &unit) || !argument(b, 2, &system) || !argument(b, 3, &code)) return STATUS_OK;
  if (!fml_lexical(DEF_P_DECIMAL, value)) {
    fml_failed(b->run, DIAG_VALUE_FORMAT, b->origin, "the value of the quantity is no number");
    return STATUS_OK;
  }
  *out = root(b, kit->quantity);
  if (!*out) return STATUS_NOMEM;
  bool ok = set(b, *out, kit->quantity_value, value) && set(b, *out, kit->quantity_unit, unit) &&
            set(b, *out, kit->quantity_system, system) && set(b, *out, kit->quantity_code, code);
  return ok ? STATUS_OK : STATUS_NOMEM;
}

/* id(system, value[, type]): the type is a code of table 0203. */
static enum status build_identifier(struct builder *b, struct tree_node **out) {
  const struct fml_kit *kit = &b->run->set->kit;
  struct str system, value, type;
  if (!argument(b, 0, &system) || !argument(b, 1, &value) || !argument(b, 2, &type)) return STATUS_OK;
  *out = root(b, kit->identifier);
  if (!*out || !set(b, *out, kit->identifier_system, system) || !set(b, *out, kit->identifier_value, value))
    return STATUS_NOMEM;
  if (type.len == 0) return STATUS_OK;
  struct tree_node *concept_node = child(b, *out, kit->identifier_type);
  struct tree_node *coding = concept_node ? child(b, concept_node, kit->concept_coding) : NULL;
  return coding && set_coding(b, coding, STR("http://terminology.hl7.org/CodeSystem/v2-0203"), type, STR(""))
             ? STATUS_OK
             : STATUS_NOMEM;
}

static struct str contact_system(struct str value) {
  if (str_find_char(value, '@', 0) != SIZE_MAX) return STR("email");
  if (str_starts(value, STR("http://")) || str_starts(value, STR("https://"))) return STR("url");
  for (size_t i = 0; i < value.len; i++)
    if (!strchr("0123456789+-(). /x", value.ptr[i])) return STR("other");
  return STR("phone");
}

/* cp(value), cp(system, value) */
static enum status build_contact(struct builder *b, struct tree_node **out) {
  const struct fml_kit *kit = &b->run->set->kit;
  struct str first, value;
  if (!argument(b, 0, &first) || !argument(b, 1, &value)) return STATUS_OK;
  if (b->target->arg_count == 1) {
    value = first;
    first = contact_system(value);
  }
  *out = root(b, kit->contact);
  bool ok = *out && set(b, *out, kit->contact_system, first) && set(b, *out, kit->contact_value, value);
  return ok ? STATUS_OK : STATUS_NOMEM;
}

enum status fml_build(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target,
                      struct tree_node **out) {
  struct builder b = {.run = run, .frame = frame, .target = target};
  *out = NULL;
  switch (target->op) {
  case PROG_TRANSLATE:
    return build_translation(&b, out);
  case PROG_QTY:
    return build_quantity(&b, out);
  case PROG_ID:
    return build_identifier(&b, out);
  case PROG_CP:
    return build_contact(&b, out);
  default:
    return build_code(&b, out);
  }
}
