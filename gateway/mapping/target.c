/* target.c - puts values into the target tree: makes elements, copies, writes primitives, keeps lineage. */
#include "mapping/internal.h"

static uint32_t lineage(const struct fml_run *run, const struct tree_node *origin) {
  if (origin && origin->offset) return origin->offset;
  return run->focus ? run->focus->offset : 0;
}

void fml_mark_below(struct tree_node *node) {
  node->flags |= TREE_READ;
  for (struct tree_node *child = node->child; child; child = child->next)
    fml_mark_below(child);
}

static struct tree_node *existing(const struct tree_node *parent, uint32_t symbol) {
  if (tree_lacks(parent, symbol)) return NULL;
  for (struct tree_node *child = parent->child; child; child = child->next)
    if (child->symbol == symbol && !tree_is_meta(child)) return child;
  return NULL;
}

/* Looked up, as the parent's type was not known before. */
static const struct def_element *look_up_element(struct fml_run *run, const struct tree_node *parent,
                                                 const struct prog_step *step) {
  const struct def_element *element =
      node_type(parent) ? def_type_element(node_type(parent), step->symbol) : NULL;
  if (!element) {
    struct str name = definitions_symbol_name(run->set->definitions, step->symbol);
    fml_failed(run, DIAG_MAP_UNKNOWN_ELEMENT, NULL, "%.*s has no element '%.*s'",
               STR_ARG(node_type(parent) ? def_type_name(node_type(parent)) : STR("this target")),
               STR_ARG(name));
  }
  return element;
}

static inline const struct def_element *element_of(struct fml_run *run, const struct tree_node *parent,
                                                   const struct prog_step *step) {
  return step->element ? step->element : look_up_element(run, parent, step);
}

static const struct def_type *only_type(const struct def_element *element) {
  return def_element_type_count(element) == 1 ? def_element_type(element, 0).type : NULL;
}

static void FML_APART remove_existing(const struct tree_node *parent, uint32_t symbol) {
  struct tree_node *old = existing(parent, symbol);
  if (old) tree_remove(old);
}

/* A new node of `type` at the step; a single element that is there is replaced. */
static struct tree_node *make_at(struct fml_run *run, struct tree_node *parent,
                                 const struct def_element *element, const struct def_type *type) {
  if (!def_element_is_list(element)) remove_existing(parent, def_element_symbol(element));
  struct tree_node *node = definitions_make(run->set->definitions, run->arena, parent, element, type);
  if (node) node->offset = lineage(run, NULL);
  return node;
}

/* The same from what was prepared when the map was loaded. */
static FML_WITHIN struct tree_node *stamp_within(struct fml_run *run, struct tree_node *parent, const struct tree_node *stamp) {
  if (!(stamp->flags & TREE_IN_ARRAY) && !tree_lacks(parent, stamp->symbol)) remove_existing(parent, stamp->symbol);
  struct tree_node *node = arena_alloc(run->arena, sizeof *node);
  if (!node) return NULL;
  *node = *stamp;
  node->offset = lineage(run, NULL);
  tree_insert_ordered(parent, node);
  return node;
}

static struct tree_node *FML_APART stamp_at(struct fml_run *run, struct tree_node *parent, const struct tree_node *stamp) {
  return stamp_within(run, parent, stamp);
}

struct tree_node *fml_set_text(struct fml_run *run, struct tree_node *parent,
                               const struct def_element *element, struct str text,
                               const struct tree_node *origin) {
  struct tree_node *node = make_at(run, parent, element, only_type(element));
  if (!node) return NULL;
  node->text = text;
  node->offset = lineage(run, origin);
  return node;
}

/* --- attaching what was made apart -----------------------------------------------------------------------
 */

/* The choice of an element that a type takes; -1: none. */
static int choice_of(const struct def_element *element, const struct def_type *type) {
  size_t count = def_element_type_count(element);
  for (size_t i = 0; i < count; i++)
    if (def_element_type(element, i).type == type) return (int)i;
  for (size_t i = 0; i < count && type; i++)
    if (def_type_is(type, def_element_type(element, i).type)) return (int)i;
  return -1;
}

static bool attach(struct fml_run *run, struct tree_node *parent, const struct def_element *element,
                   struct tree_node *node) {
  int choice = choice_of(element, node_type(node));
  if (choice < 0) {
    fml_failed(run, DIAG_MAP_TYPE, NULL, "%.*s does not fit %.*s",
               STR_ARG(node_type(node) ? def_type_name(node_type(node)) : STR("a value without a type")),
               STR_ARG(def_element_path(element)));
    return false;
  }
  if (!def_element_is_list(element)) remove_existing(parent, def_element_symbol(element));
  node->name = def_element_type(element, (size_t)choice).json_name;
  node->element = element;
  node->symbol = def_element_symbol(element);
  node->order = def_element_order(element);
  node->flags = (uint8_t)((node->flags & ~(unsigned)(TREE_IN_ARRAY | TREE_READ)) |
                          (def_element_is_list(element) ? TREE_IN_ARRAY : 0u));
  tree_insert_ordered(parent, node);
  return true;
}

static bool is_inside(const struct tree_node *node, const struct tree_node *ancestor) {
  for (; node; node = node->parent)
    if (node == ancestor) return true;
  return false;
}

/* A node made apart moves in; any other is copied. */
static struct tree_node *own_copy(struct fml_run *run, struct tree_node *parent, struct tree_node *node) {
  if (!node->parent && node != run->source && node != run->target && !is_inside(parent, node)) return node;
  fml_mark_below(node);
  struct tree_node *copy = tree_copy(node, run->arena);
  if (copy) {
    copy->next = copy->parent = NULL;
    if (!copy->offset) copy->offset = lineage(run, node);
  }
  return copy;
}

/* --- writing values --------------------------------------------------------------------------------------
 */

static enum def_primitive primitive_of_item(const struct fml_value *value) {
  static const enum def_primitive kinds[] = {
      [FP_NODE] = DEF_P_NONE,         [FP_BOOLEAN] = DEF_P_BOOLEAN, [FP_INTEGER] = DEF_P_INTEGER,
      [FP_DECIMAL] = DEF_P_DECIMAL,   [FP_STRING] = DEF_P_STRING,   [FP_DATE] = DEF_P_DATE,
      [FP_DATETIME] = DEF_P_DATETIME, [FP_TIME] = DEF_P_TIME,       [FP_QUANTITY] = DEF_P_NONE,
      [FP_TYPE] = DEF_P_NONE};
  if (value->type) return fml_primitive_of(value->type);
  if (value->item.kind == FP_NODE) return fml_primitive_of(node_type(value->item.node));
  return kinds[value->item.kind];
}

/* The type a primitive is written as: known before, or by the value. */
static const struct def_type *written_type(const struct prog_target *target,
                                           const struct def_element *element, const struct fml_value *value,
                                           enum def_primitive from) {
  if (target->type) return target->type;
  const struct def_type *type = value->type;
  if (!type && value->item.kind == FP_NODE) type = node_type(value->item.node);
  int choice = type ? choice_of(element, type) : -1;
  if (choice >= 0) return type;
  const struct def_type *only = only_type(element);
  return only ? only : fml_choose(element, from);
}

static bool text_fits(struct fml_run *run, const struct prog_target *target, const struct fml_value *value,
                      enum def_primitive from, const struct def_type *type, struct str text) {
  enum def_primitive to = type == target->type ? target->primitive : fml_primitive_of(type);
  if (from == to && !target->cast) return true;
  enum fml_fit fit = fml_primitive_fit(from, to);
  if (target->op == PROG_CAST && target->cast) {
    enum def_primitive cast = fml_primitive_of(target->cast);
    if (!fml_lexical(cast, text)) to = cast, fit = FML_FIT_CHECKED;
  }
  if (fit == FML_FIT || (fit == FML_FIT_CHECKED && fml_lexical(to, text))) return true;
  fml_failed(run, fit == FML_NO_FIT ? DIAG_MAP_TYPE : DIAG_VALUE_FORMAT, value->origin,
             "the value is no %.*s", STR_ARG(to ? def_type_name(type) : STR("primitive")));
  return false;
}

static enum status copy_children(struct fml_run *run, struct tree_node *node, const struct fml_value *value) {
  if (value->item.kind != FP_NODE) return STATUS_OK;
  for (struct tree_node *child = value->item.node->child; child; child = child->next) {
    fml_mark_below(child);
    struct tree_node *copy = tree_copy(child, run->arena);
    if (!copy) return STATUS_NOMEM;
    tree_append(node, copy);
  }
  return STATUS_OK;
}

static enum status write_text(struct fml_run *run, const struct prog_target *target, struct tree_node *parent,
                              const struct def_element *element, const struct fml_value *value,
                              struct tree_node **out) {
  const struct tree_node *stamp = target->stamp;
  struct str text = STR("");
  enum def_primitive from = primitive_of_item(value);
  const struct def_type *type = written_type(target, element, value, from);
  bool primitive = type == target->type ? target->primitive != DEF_P_NONE : fml_is_primitive(type);
  if (!fml_item_text(run, &value->item, &text) || !type || !primitive) {
    fml_failed(run, DIAG_MAP_TYPE, value->origin, "the value does not fit %.*s",
               STR_ARG(def_element_path(element)));
    return STATUS_OK;
  }
  bool empty = value->item.kind == FP_NODE && value->item.node->kind == TREE_NULL;
  if (!empty && text.len == 0) return STATUS_OK; /* FHIR has no empty values */
  if (!empty && !text_fits(run, target, value, from, type, text)) return STATUS_OK;
  struct tree_node *node =
      stamp && (target->type || stamp->type == type) ? stamp_at(run, parent, stamp) : make_at(run, parent, element, type);
  if (!node) return STATUS_NOMEM;
  node->text = text;
  node->offset = lineage(run, value->origin);
  if (empty) node->kind = TREE_NULL;
  *out = node;
  return value->item.kind == FP_NODE && value->item.node->child ? copy_children(run, node, value) : STATUS_OK;
}

/* `tgt.value = x` where tgt is a primitive itself. */
static enum status write_value(struct fml_run *run, const struct prog_target *target, struct tree_node *node,
                               const struct fml_value *value, struct tree_node **out) {
  struct str text = STR("");
  const struct def_type *type = node_type(node);
  if (!fml_item_text(run, &value->item, &text) || !fml_is_primitive(type)) {
    fml_failed(run, DIAG_MAP_TYPE, value->origin, "the value does not fit");
    return STATUS_OK;
  }
  if (!text_fits(run, target, value, primitive_of_item(value), type, text)) return STATUS_OK;
  node->text = text;
  node->offset = lineage(run, value->origin);
  *out = node;
  return STATUS_OK;
}

static enum status write_complex(struct fml_run *run, const struct prog_target *target,
                                 struct tree_node *parent, const struct def_element *element,
                                 const struct fml_value *value, struct tree_node **out) {
  struct tree_node *node = value->item.node;
  for (size_t i = 0; i < target->case_count; i++) {
    const struct prog_case *c = &target->cases[i];
    if (c->source != node_type(node) || !c->group) continue;
    struct fp_item arguments[2] = {{.kind = FP_NODE, .node = node}, {.kind = FP_NODE}};
    arguments[1].node = *out = make_at(run, parent, element, c->target);
    if (!*out) return STATUS_NOMEM;
    const struct prog_rule *rule = run->rule;
    enum status status = fml_run_group(run, c->group, NULL, arguments);
    run->rule = rule;
    return status;
  }
  struct tree_node *own = own_copy(run, parent, node);
  if (!own) return STATUS_NOMEM;
  if (attach(run, parent, element, own)) *out = own;
  return STATUS_OK;
}

/* A FHIRPath quantity as an element of type Quantity. */
static enum status write_quantity(struct fml_run *run, struct tree_node *parent,
                                  const struct def_element *element, const struct fml_value *value,
                                  struct tree_node **out) {
  const struct fml_kit *kit = &run->set->kit;
  const struct fp_quantity *q = value->item.quantity;
  struct str text = q->text;
  if (choice_of(element, kit->quantity) < 0) {
    fml_failed(run, DIAG_MAP_TYPE, value->origin, "a quantity does not fit %.*s",
               STR_ARG(def_element_path(element)));
    return STATUS_OK;
  }
  struct fp_item number = {.kind = FP_DECIMAL, .decimal = &q->value};
  if (text.len == 0 && !fml_item_text(run, &number, &text)) return STATUS_NOMEM;
  struct tree_node *node = make_at(run, parent, element, kit->quantity);
  if (!node || !fml_set_text(run, node, kit->quantity_value, text, value->origin)) return STATUS_NOMEM;
  if (q->unit.len && !fml_set_text(run, node, kit->quantity_unit, q->unit, NULL)) return STATUS_NOMEM;
  *out = node;
  if (q->calendar || q->unit.len == 0) return STATUS_OK;
  if (!fml_set_text(run, node, kit->quantity_system, STR("http://unitsofmeasure.org"), NULL) ||
      !fml_set_text(run, node, kit->quantity_code, q->unit, NULL))
    return STATUS_NOMEM;
  return STATUS_OK;
}

/* A primitive that is a text and nothing else. */
static inline bool is_plain(const struct tree_node *node) {
  return node->kind != TREE_OBJECT && node->kind != TREE_NULL && !node->child;
}

/* Whether a value is a text, plain to write where one is wanted, and which. */
static inline bool has_text(const struct fml_value *value, struct str *out) {
  bool is_node = value->item.kind == FP_NODE;
  if (is_node ? !is_plain(value->item.node) : value->item.kind != FP_STRING) return false;
  *out = is_node ? value->item.node->text : value->item.string;
  return true;
}

/* A text where one is wanted, of a type that was known when the map was loaded. */
static inline enum status write_prepared(struct fml_run *run, const struct prog_target *target, struct tree_node *parent,
                                  const struct fml_value *value, struct str text, struct tree_node **out) {
  enum def_primitive from = primitive_of_item(value);
  if (text.len == 0) return STATUS_OK; /* FHIR has no empty values */
  bool fits = from == target->primitive && !target->cast;
  if (!fits && !text_fits(run, target, value, from, target->type, text)) return STATUS_OK;
  *out = stamp_at(run, parent, target->stamp);
  if (!*out) return STATUS_NOMEM;
  (*out)->text = text;
  (*out)->offset = lineage(run, value->origin);
  return STATUS_OK;
}

static enum status FML_APART write_item(struct fml_run *run, const struct prog_target *target, struct tree_node *parent,
                              const struct prog_step *step, const struct fml_value *value,
                              struct tree_node **out) {
  if (step->is_value) return write_value(run, target, parent, value, out);
  const struct def_element *element = element_of(run, parent, step);
  if (!element) return STATUS_OK;
  if (value->item.kind == FP_QUANTITY) return write_quantity(run, parent, element, value, out);
  bool complex = value->item.kind == FP_NODE && value->item.node->kind == TREE_OBJECT;
  for (size_t i = 0; i < target->case_count && !complex && value->item.kind == FP_NODE; i++)
    complex = target->cases[i].group && target->cases[i].source == node_type(value->item.node);
  return complex ? write_complex(run, target, parent, element, value, out)
                 : write_text(run, target, parent, element, value, out);
}

/* --- one target ------------------------------------------------------------------------------------------
 */

/* Steps before the last: single elements are used again, lists grow. */
static enum status walk(struct fml_run *run, const struct prog_target *target, struct tree_node **parent) {
  for (size_t i = 0; i + 1 < target->step_count; i++) {
    const struct prog_step *step = &target->steps[i];
    const struct def_element *element = element_of(run, *parent, step);
    if (!element) return STATUS_INVALID;
    struct tree_node *node =
        def_element_is_list(element) ? NULL : existing(*parent, def_element_symbol(element));
    const struct def_type *type = step->type ? step->type : only_type(element);
    if (!type) {
      fml_failed(run, DIAG_MAP_TYPE, NULL, "%.*s has several types", STR_ARG(def_element_path(element)));
      return STATUS_INVALID;
    }
    if (!node) node = step->stamp ? stamp_at(run, *parent, step->stamp) : make_at(run, *parent, element, type);
    if (!node) return STATUS_NOMEM;
    *parent = node;
  }
  return STATUS_OK;
}

/* The node that a list mode uses again. */
static struct tree_node *reused(const struct fml_frame *frame, const struct prog_target *target,
                                const struct tree_node *parent, uint32_t symbol) {
  if (target->share >= 0 && frame->lists[target->share].count)
    return frame->items[target->share].node;
  return target->again ? existing(parent, symbol) : NULL;
}

static enum status FML_APART make_root(struct fml_run *run, const struct prog_target *target, struct tree_node **out) {
  *out = definitions_make_root(run->set->definitions, run->arena, target->type);
  if (*out) (*out)->offset = lineage(run, NULL);
  return *out ? STATUS_OK : STATUS_NOMEM;
}

/* What could not be prepared: elements that are known only now, resources, what has several types. */
static enum status FML_APART make_unprepared(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target,
                                   struct tree_node *parent, struct tree_node **out) {
  const struct prog_step *step = &target->steps[target->step_count - 1];
  const struct def_element *element = element_of(run, parent, step);
  if (!element) return STATUS_OK;
  *out = reused(frame, target, parent, def_element_symbol(element));
  if (!*out && !step->element && target->op == PROG_MAKE && !def_element_is_list(element))
    *out = existing(parent, def_element_symbol(element));
  const struct def_type *type = target->type ? target->type : only_type(element);
  if (!*out && !type) {
    fml_failed(run, DIAG_MAP_TYPE, NULL, "%.*s has several types", STR_ARG(def_element_path(element)));
    return STATUS_OK;
  }
  if (!*out) *out = make_at(run, parent, element, type);
  return *out ? STATUS_OK : STATUS_NOMEM;
}

static enum status FML_APART run_make(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target,
                            struct tree_node *parent, struct tree_node **out) {
  if (!parent) return make_root(run, target, out);
  if (!target->stamp) {
    enum status status = make_unprepared(run, frame, target, parent, out);
    if (!*out) return status;
  } else {
    *out = reused(frame, target, parent, target->stamp->symbol);
    if (!*out) *out = stamp_at(run, parent, target->stamp);
    if (!*out) return STATUS_NOMEM;
  }
  fml_set_node(frame, target->share, *out);
  return STATUS_OK;
}

static enum status FML_APART run_build(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target,
                             struct tree_node *parent, struct tree_node **out) {
  struct tree_node *node = NULL;
  enum status status = fml_build(run, frame, target, &node);
  if (status != STATUS_OK || !node) return status;
  if (!parent) {
    *out = node;
    return STATUS_OK;
  }
  const struct def_element *element = element_of(run, parent, &target->steps[target->step_count - 1]);
  if (element && attach(run, parent, element, node)) *out = node;
  return STATUS_OK;
}

/* A value of a transform to its place, or its variable. */
static inline enum status write_result(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target, struct tree_node *parent,
                                struct fml_value *value, struct tree_node **out) {
  if (!parent) {
    fml_put_slot(frame, target->out, &value->item);
    return STATUS_OK;
  }
  if (!value->origin && value->item.kind == FP_NODE) value->origin = value->item.node;
  FML_UNINITIALIZED struct str text;
  bool prepared = target->stamp && target->type && target->primitive != DEF_P_NONE && !target->case_count;
  if (prepared && has_text(value, &text)) return write_prepared(run, target, parent, value, text, out);
  return write_item(run, target, parent, &target->steps[target->step_count - 1], value, out);
}

static inline enum status run_transform(struct fml_run *run, struct fml_frame *frame,
                                 const struct prog_target *target, struct tree_node *parent,
                                 struct tree_node **out) {
  struct fml_value value = {0};
  enum status status = fml_transform(run, frame, target, &value);
  if (status != STATUS_OK || !value.present) return status;
  return write_result(run, frame, target, parent, &value, out);
}

/* The value of an expression is worked out where the variable has its items. */
static inline enum status evaluate_variable(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target) {
  FML_UNINITIALIZED struct fp_item nowhere;
  size_t count;
  int slot = target->out;
  enum status status = fml_evaluate(run, frame, target, slot < 0 ? &nowhere : &frame->items[slot], &count);
  if (slot >= 0) frame->lists[slot].count = count;
  return status;
}

static enum status FML_APART run_evaluate(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target, struct tree_node *parent,
                                struct tree_node **out) {
  FML_UNINITIALIZED struct fml_value value;
  size_t count;
  enum status status = fml_evaluate(run, frame, target, &value.item, &count);
  if (status != STATUS_OK || count == 0) return status;
  value.type = NULL;
  value.origin = NULL;
  return write_result(run, frame, target, parent, &value, out);
}

/* What WAY_DIRECT copies; NULL: an item that has to be looked at more closely. */
static inline struct tree_node *plain_text(const struct fml_frame *frame, const struct prog_target *target) {
  int slot = target->focus;
  if (frame->lists[slot].count == 0 || frame->items[slot].kind != FP_NODE) return NULL;
  struct tree_node *node = frame->items[slot].node;
  if (!is_plain(node) || node->text.len == 0) return NULL;
  enum def_primitive from = fml_primitive_of(node_type(node));
  return from == target->primitive || fml_primitive_fit(from, target->primitive) == FML_FIT ? node : NULL;
}

static inline enum status run_direct(struct fml_run *run, const struct prog_target *target, struct tree_node *parent,
                              struct tree_node *from, struct tree_node **out) {
  from->flags |= TREE_READ;
  *out = stamp_at(run, parent, target->stamp);
  if (!*out) return STATUS_NOMEM;
  (*out)->text = from->text;
  (*out)->offset = lineage(run, from);
  return STATUS_OK;
}

static struct str transform_name(const struct fml_run *run, const struct prog_target *target) {
  if (target->op == PROG_MAKE) return STR("");
  if (target->op == PROG_LITERAL)
    return arena_printf(run->arena, "literal '%.*s'", STR_ARG(target->args[0].text));
  return target->op == PROG_AUTO ? STR("copy") : target->ast->transform.text;
}

/* A target that wrote nothing: its variable is empty, or its transform gave no value. */
static void FML_SELDOM trace_empty(const struct fml_run *run, const struct prog_target *target, const char *variable) {
  if (!run->params->trace) return;
  const struct ast_step *step = target->ast->path;
  struct str context = target->ast->context.text;
  while (step && step->next)
    step = step->next;
  struct str name = step ? step->name.text : target->ast->alias.text;
  struct str why = variable ? arena_printf(run->arena, "%.*s is not written: the variable '%.*s' %s",
                                           STR_ARG(name), STR_ARG(context), variable)
                            : arena_printf(run->arena, "%.*s is not written: %.*s gives nothing",
                                           STR_ARG(name), STR_ARG(transform_name(run, target)));
  fml_trace(run, MAPPING_EMPTY, target->ast->at, why, NULL);
}

/* The node that a target writes to, or below; NULL: there is none. */
static inline struct tree_node *context_of(const struct fml_frame *frame, const struct prog_target *target) {
  const struct fp_item *item = &frame->items[target->context];
  return frame->lists[target->context].count && item->kind == FP_NODE ? item->node : NULL;
}

/* Where a target writes: false when there is no such place; *status tells of what failed. */
static inline bool find_place(struct fml_run *run, const struct fml_frame *frame, const struct prog_target *target,
                              struct tree_node **parent, enum status *status) {
  *parent = context_of(frame, target);
  if (!*parent) return false;
  if (target->step_count > 1) *status = walk(run, target, parent);
  return *status == STATUS_OK;
}

/* The ways that are not run_target's own. */
static enum status FML_APART write_other(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target,
                                struct tree_node *parent, struct tree_node **out) {
  struct tree_node *text;
  switch (target->way) {
  case WAY_MAKE:
    return run_make(run, frame, target, parent, out);
  case WAY_BUILD:
    return run_build(run, frame, target, parent, out);
  case WAY_DIRECT:
    text = plain_text(frame, target);
    if (text) return run_direct(run, target, parent, text, out);
    break;
  default:
    break;
  }
  return run_transform(run, frame, target, parent, out);
}

/* *node stays NULL where nothing is written. False: there is no place to write to. */
static FML_WITHIN bool run_target(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target, struct tree_node **node,
                              enum status *status) {
  struct tree_node *parent = NULL, *made = NULL;
  if (target->context >= 0 && !find_place(run, frame, target, &parent, status)) {
    fml_set_slot(frame, target->out, NULL);
    if (*status == STATUS_INVALID) *status = STATUS_OK;
    return false;
  }
  if (target->way == WAY_READY || target->way == WAY_AGAIN) {
    made = target->way == WAY_AGAIN ? existing(parent, target->stamp->symbol) : NULL;
    *node = made ? made : stamp_within(run, parent, target->stamp);
    if (!*node) *status = STATUS_NOMEM;
  } else {
    fml_set_slot(frame, target->out, NULL);
    *status = target->way != WAY_EVALUATE ? write_other(run, frame, target, parent, &made)
              : parent                    ? run_evaluate(run, frame, target, parent, &made)
                                          : evaluate_variable(run, frame, target);
    *node = made;
  }
  if (*node) fml_set_node(frame, target->out, *node);
  return true;
}

enum status fml_run_targets(struct fml_run *run, struct fml_frame *frame, const struct prog_target *targets, size_t count) {
  enum status status = STATUS_OK;
  for (const struct prog_target *target = targets; target < targets + count && status == STATUS_OK; target++) {
    struct tree_node *node = NULL;
    run_target(run, frame, target, &node, &status);
  }
  return status;
}

enum status fml_run_target_watched(struct fml_run *run, struct fml_frame *frame, const struct prog_target *target) {
  struct tree_node *node = NULL;
  enum status status = STATUS_OK;
  bool unset = target->context >= 0 && !context_of(frame, target);
  bool found = run_target(run, frame, target, &node, &status);
  bool named = target->out >= 0 && frame->lists[target->out].count;
  if (unset) trace_empty(run, target, "has no value");
  if (!found) return status;
  if (node || named) fml_hit(run, target->ast->mark);
  if (!node && !named) trace_empty(run, target, NULL);
  if (node && run->params->trace) fml_trace(run, MAPPING_WRITE, target->ast->at, transform_name(run, target), node);
  return status;
}
