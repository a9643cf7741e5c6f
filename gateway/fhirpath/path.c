/* path.c - navigation: chains of steps walked item by item without lists between them; resources around a
 * node. */
#include "fhirpath/internal.h"

struct walk {
  struct fp_eval *e;
  const struct fp_ins *ins;
  const struct fp_step *end;
  struct fp_list *out;
  size_t stop;
  uint32_t counters[FP_PATH_STEPS]; /* $index of each filter */
};

enum walked { GO_ON, ENOUGH, BROKEN };

static enum walked step_item(struct walk *w, const struct fp_step *step, const struct fp_item *item);

/* The children of a node that a step names, one after the other. */
struct children {
  struct tree_node *at; /* to be looked at next */
  size_t visited;
  bool found;
};

static inline struct tree_node *next_child(const struct fp_eval *e, const struct fp_step *step, struct children *of) {
  for (struct tree_node *child = of->at; child; child = child->next) {
    of->visited++;
    if (!fp_step_matches(step->symbol, step->name, child)) {
      if (of->found) break; /* repetitions are adjacent */
      continue;
    }
    of->found = true;
    if (fp_is_nothing(child)) continue;
    if (e->mark_read) child->flags |= TREE_READ;
    of->at = child->next;
    return child;
  }
  return NULL;
}

static enum walked step_children(struct walk *w, const struct fp_step *step, const struct tree_node *node) {
  struct fp_eval *e = w->e;
  if (fp_step_lacks(step->symbol, node)) return fp_count(e, 1) ? GO_ON : BROKEN;
  struct children children = {.at = node->child};
  for (struct tree_node *child; (child = next_child(e, step, &children)) != NULL;) {
    if (step + 1 == w->end) {
      if (!fp_push_node(e, w->out, child)) return BROKEN;
      if (w->out->count >= w->stop) return ENOUGH;
      continue;
    }
    struct fp_item item = {.kind = FP_NODE, .node = child};
    enum walked walked = step_item(w, step + 1, &item);
    if (walked != GO_ON) return walked;
  }
  return fp_count(e, children.visited) ? GO_ON : BROKEN;
}

/* Elements of system values: Quantity and what type() gives. */
static bool system_child(struct walk *w, const struct fp_step *step, const struct fp_item *item,
                         struct fp_item *out) {
  if (item->kind == FP_QUANTITY && str_is(step->name, "value")) {
    *out = (struct fp_item){.kind = FP_DECIMAL, .decimal = &item->quantity->value};
    return true;
  }
  *out = (struct fp_item){.kind = FP_STRING};
  if (item->kind == FP_QUANTITY && str_is(step->name, "unit")) {
    out->string = item->quantity->unit;
  } else if (item->kind == FP_TYPE && str_is(step->name, "name")) {
    out->string = item->type_info->name;
  } else if (item->kind == FP_TYPE && str_is(step->name, "namespace")) {
    out->string = item->type_info->space;
  } else if (item->kind == FP_TYPE && str_is(step->name, "baseType")) {
    const struct def_type *base = item->type_info->type ? def_type_base(item->type_info->type) : NULL;
    struct str none = STR("System.Any");
    out->string = base ? arena_concat(w->e->arena, STR("FHIR."), def_type_name(base)) : none;
  } else {
    return false;
  }
  return true;
}

static bool is_root_of(const struct fp_spec *spec, const struct fp_item *item) {
  const struct tree_node *node = item->node;
  const struct def_type *type = node_type(node);
  if (spec->type && type && def_type_is(type, spec->type)) return true;
  if (type && str_eq(def_type_name(type), spec->name)) return true;
  const struct tree_node *name = type ? NULL : fp_child(node, "resourceType");
  if (!name) return false;
  return str_eq(name->text, spec->name) || str_is(spec->name, "Resource") ||
         str_is(spec->name, "DomainResource");
}

static enum walked step_child(struct walk *w, const struct fp_step *step, const struct fp_item *item) {
  struct fp_item child;
  if (item->kind == FP_NODE) {
    if (step->kind == FP_STEP_ROOT && is_root_of(step->spec, item)) return step_item(w, step + 1, item);
    return step_children(w, step, item->node);
  }
  return system_child(w, step, item, &child) ? step_item(w, step + 1, &child) : GO_ON;
}

/* The only child that a step leads to, as is the rule: the walk goes on from there. NULL: there is none, or *several. */
static inline struct tree_node *only_child(const struct fp_eval *e, const struct fp_step *step, const struct tree_node *node, bool *several) {
  *several = false;
  if (fp_step_lacks(step->symbol, node)) return NULL;
  struct tree_node *child = node->child;
  while (child && !fp_step_matches(step->symbol, step->name, child))
    child = child->next;
  if (!child) return NULL;
  *several = child->next && fp_step_matches(step->symbol, step->name, child->next);
  if (*several || fp_is_nothing(child)) return NULL;
  if (e->mark_read) child->flags |= TREE_READ;
  return child;
}

/* A child against a known text, as in where(id = %key), is compared without a scope for each item. */
static inline enum fp_truth passes(struct walk *w, const struct fp_step *step, const struct fp_item *item) {
  const struct fp_ins *test = step->test;
  struct fp_eval *e = w->e;
  uint32_t index = w->counters[step - w->ins->steps]++;
  FP_UNINITIALIZED struct str text;
  enum fp_truth truth = FP_FAILED;
  const struct fp_item *known = test->op == FP_OP_EQ_VARIABLE && item->kind == FP_NODE ? fp_known_item(e, test->right) : NULL;
  if (known && fp_string_of(known, &text)) truth = fp_child_is(e, test->input->steps, item->node, text);
  if (truth != FP_FAILED) return truth;
  struct fp_mark mark = fp_mark(e);
  truth = fp_test_item(e, test, item, index);
  fp_release(e, mark);
  return truth;
}

static enum walked step_item(struct walk *w, const struct fp_step *step, const struct fp_item *item) {
  FP_UNINITIALIZED struct fp_item slot, only;
  bool several;
  for (; step < w->end; step++) {
    if (step->kind == FP_STEP_FILTER) {
      enum fp_truth truth = passes(w, step, item);
      if (truth == FP_FAILED || !fp_count(w->e, 1)) return BROKEN;
      if (truth != FP_TRUE) return GO_ON;
    } else if (step->kind == FP_STEP_TYPE) {
      item = fp_spec_take(step->spec, item, w->e->arena, &slot);
      if (!item) return GO_ON;
    } else if (step->kind == FP_STEP_CHILD && item->kind == FP_NODE) {
      struct tree_node *child = only_child(w->e, step, item->node, &several);
      if (several) return step_children(w, step, item->node);
      if (!fp_count(w->e, 1)) return BROKEN;
      if (!child) return GO_ON;
      only.kind = FP_NODE;
      only.node = child;
      item = &only;
    } else {
      return step_child(w, step, item);
    }
  }
  if (!fp_push(w->e, w->out, *item)) return BROKEN;
  return w->out->count >= w->stop ? ENOUGH : GO_ON;
}

/* From the items on that a table gives: 1; 0: there is none; -1: it failed. */
static int walk_looked_up(struct walk *w) {
  struct fp_looked looked;
  struct fp_item item;
  int found = fp_look_up(w->e, w->ins, &looked);
  if (found <= 0) return found;
  while ((found = fp_next_looked(w->e, &looked, &item)) > 0) {
    enum walked walked = step_item(w, w->ins->steps + w->ins->lookup_at + 1, &item);
    if (walked != GO_ON) return walked == ENOUGH ? 1 : -1;
  }
  return found < 0 ? -1 : 1;
}

/* Items that came to the first filter. */
static size_t gone_through(const struct walk *w) {
  const struct fp_step *step = w->ins->steps;
  while (step->kind != FP_STEP_FILTER)
    step++;
  return w->counters[step - w->ins->steps];
}

/* Appends what the path gives; stops when `out` holds `stop` items. */
bool fp_path(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out, size_t stop) {
  struct fp_found found = {.count = FP_FIND_NOT_PLAIN};
  if (ins->plain) found = fp_find(e, ins, 2);
  if (found.count < 2) return found.count == 0 || fp_push_node(e, out, found.first);
  if (found.count == FP_FIND_FAILED) return false;
  struct walk w = {.e = e, .ins = ins, .end = ins->steps + ins->step_count, .out = out, .stop = stop};
  struct fp_list input;
  bool looks_up = ins->lookup_at && e->run->lookups;
  int known = looks_up ? walk_looked_up(&w) : 0;
  if (known) return known > 0;
  if (!fp_collect(e, ins->input, &input)) return false;
  for (size_t i = 0; i < input.count; i++) {
    enum walked walked = step_item(&w, ins->steps, &input.items[i]);
    if (walked == BROKEN) return false;
    if (walked == ENOUGH) break;
  }
  return !looks_up || fp_remember_list(e, ins, gone_through(&w));
}

/* --- plain paths */

static bool find_below(struct fp_eval *e, const struct fp_ins *ins, size_t depth, const struct tree_node *node,
                       size_t stop, struct fp_found *out) {
  const struct fp_step *step = &ins->steps[depth];
  if (fp_step_lacks(step->symbol, node)) return fp_count(e, 1);
  struct children children = {.at = node->child};
  for (struct tree_node *child; (child = next_child(e, step, &children)) != NULL;) {
    if (depth + 1 < ins->step_count) {
      if (!find_below(e, ins, depth + 1, child, stop, out)) return false;
    } else if (out->count++ == 0) {
      out->first = child;
    }
    if (out->count >= stop) return true;
  }
  return fp_count(e, children.visited);
}

static struct tree_node *first_named(const struct fp_step *step, const struct tree_node *node) {
  if (fp_step_lacks(step->symbol, node)) return NULL;
  struct tree_node *child = node->child;
  while (child && !fp_step_matches(step->symbol, step->name, child))
    child = child->next;
  return child;
}

static struct fp_found FP_APART find_several(struct fp_eval *e, const struct fp_ins *ins, size_t depth, const struct tree_node *node, size_t stop) {
  struct fp_found found = {0};
  bool good = find_below(e, ins, depth, node, stop, &found) && (found.count <= e->max_items || fp_limit(e));
  return good ? found : (struct fp_found){.count = FP_FIND_FAILED};
}

struct fp_found fp_find_on(struct fp_eval *e, const struct fp_ins *ins, size_t gone, struct tree_node *node, size_t stop) {
  for (size_t depth = gone; depth < ins->step_count; depth++) {
    const struct fp_step *step = &ins->steps[depth];
    struct tree_node *child = first_named(step, node);
    if (!child) return fp_end_walk(e, NULL, depth + 1);
    if (child->next && fp_step_matches(step->symbol, step->name, child->next)) return find_several(e, ins, depth, node, stop);
    if (fp_is_nothing(child)) return fp_end_walk(e, NULL, depth + 1);
    if (e->mark_read) child->flags |= TREE_READ;
    node = child;
  }
  return fp_end_walk(e, node, ins->step_count);
}

struct fp_found fp_find_in_resource(struct fp_eval *e, const struct fp_ins *ins, size_t stop) {
  if (ins->plain != FP_PLAIN_RESOURCE || !e->run->resource) return (struct fp_found){.count = FP_FIND_NOT_PLAIN};
  return fp_find_on(e, ins, 0, e->run->resource, stop);
}

bool fp_exec_path(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  return fp_path(e, ins, out, SIZE_MAX);
}

bool fp_children(struct fp_eval *e, struct tree_node *node, struct fp_list *out) {
  for (struct tree_node *child = node->child; child; child = child->next) {
    if (!fp_count(e, 1)) return false;
    if (tree_is_meta(child) || fp_is_nothing(child)) continue;
    if (!node->type && str_is(child->name, "resourceType")) continue;
    if (e->mark_read) child->flags |= TREE_READ;
    if (!fp_push_node(e, out, child)) return false;
  }
  return true;
}

struct tree_node *fp_child(const struct tree_node *node, const char *name) {
  for (struct tree_node *child = node->child; child; child = child->next) {
    if (str_is(child->name, name)) return child;
  }
  return NULL;
}

/* The nearest resource around the node; else the root. */
struct tree_node *fp_resource_of(struct tree_node *node) {
  for (;; node = node->parent) {
    const struct def_type *type = node_type(node);
    if (type ? def_type_kind(type) == DEF_RESOURCE : fp_child(node, "resourceType") != NULL) return node;
    if (!node->parent) return node;
  }
}
