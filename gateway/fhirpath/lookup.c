/* lookup.c - where(a = %x), where((a & '|' & b) = %x) on a long list of a tree that does not change: its items are found by the text of
 * each, by tables that are kept from evaluation to evaluation. A table is made for a list of which more than a few
 * were gone through once.
 *
 * The text of an item may depend on variables as well, that of the order for one: the table is of the values that they had then.
 *
 * What counts as read is what going through the list would have read: all up to the last item that was wanted.
 */
#include "fhirpath/internal.h"

enum { LONG_LIST = 16 };

/* Where the items with one text stand, in order. */
struct fp_spot {
  struct fp_spot *next;
  uint32_t at;
};
struct spots {
  struct fp_spot *first, *last;
};

/* Nodes that the steps before the filter lead to, in the order of going through: on the way; at its end; and of these, what passes the
   filters that stand before. */
enum { ON_THE_WAY, AT_THE_END, ITEM };
struct visited {
  struct tree_node *node;
  int is;
};

/* A variable that an item's text depends on besides the item: the table is of this value. */
enum { USES = 4 };
struct use {
  uint32_t number;
  bool any;
  struct fp_item item;
};
struct uses {
  struct use all[USES];
  size_t count;
};

struct fp_lookup {
  struct fp_lookup *next;
  struct uses uses;
  const struct fp_ins *path;
  const struct tree_node *from;
  bool made, unfit; /* unfit: some item has another value than a text, or several */
  struct visited *nodes;
  size_t count, room, read; /* read: so many of the nodes are */
  struct map texts;         /* text -> struct spots */
};

/* --- compiling */

static bool add_use(struct uses *uses, uint32_t number) {
  for (size_t i = 0; i < uses->count; i++)
    if (uses->all[i].number == number) return true;
  if (uses->count == USES) return false;
  uses->all[uses->count++].number = number;
  return true;
}

/* What depends on nothing but the item, and variables. */
static bool is_of_item(const struct fp_ins *ins, struct uses *uses) {
  bool of_item = true;
  switch (ins->op) {
  case FP_OP_CONST:
  case FP_OP_CONSTANTS:
  case FP_OP_THIS:
    return true;
  case FP_OP_VARIABLE:
    return add_use(uses, ins->number);
  case FP_OP_PATH:
    return ins->plain == FP_PLAIN_THIS || (ins->plain == FP_PLAIN_VARIABLE && add_use(uses, ins->number));
  case FP_OP_ONCE:
  case FP_OP_EXISTS:
  case FP_OP_HAS_CHILD:
  case FP_OP_IS_EMPTY:
  case FP_OP_NOT:
    return is_of_item(ins->input, uses);
  case FP_OP_CONCAT_ALL:
  case FP_OP_AND:
  case FP_OP_OR:
  case FP_OP_EQ:
  case FP_OP_NE:
  case FP_OP_EQ_TEXT:
  case FP_OP_IN_TEXTS:
    return is_of_item(ins->input, uses) && is_of_item(ins->right, uses);
  case FP_OP_IIF:
    for (size_t i = 0; i < ins->argument_count && of_item; i++)
      of_item = is_of_item(ins->arguments[i], uses);
    return of_item && ins->input->op == FP_OP_THIS;
  default:
    return false;
  }
}

static bool is_text_of_item(const struct fp_ins *ins, struct uses *uses) {
  bool of_item = ins->op == FP_OP_CONCAT_ALL || ins->op == FP_OP_IIF || (ins->op == FP_OP_PATH && ins->plain == FP_PLAIN_THIS);
  return of_item && is_of_item(ins, uses);
}

/* Steps to children, then filters that depend on the item. */
static bool leads_to_list(const struct fp_step *steps, size_t count, struct uses *uses) {
  size_t i = 0;
  while (i < count && steps[i].kind == FP_STEP_CHILD)
    i++;
  bool leads = i > 0;
  for (; i < count && leads; i++)
    leads = steps[i].kind == FP_STEP_FILTER && is_of_item(steps[i].test, uses);
  return leads;
}

void fp_find_lookup(struct fp_ins *path) {
  size_t at = path->step_count - 1;
  const struct fp_ins *test = path->steps[at].test;
  struct uses uses = {0};
  if (path->lookup_at || path->input->op != FP_OP_VARIABLE || !leads_to_list(path->steps, at, &uses)) return;
  bool equality = test->op == FP_OP_EQ || test->op == FP_OP_EQ_VARIABLE;
  if (!equality || !is_text_of_item(test->input, &uses)) return;
  if (test->right->op == FP_OP_VARIABLE || test->right->op == FP_OP_ONCE) path->lookup_at = (uint32_t)at;
}

/* --- making a table */

static bool add_node(struct fp_eval *e, struct fp_lookup *lookup, struct tree_node *node, int is) {
  if (lookup->count == lookup->room) {
    size_t room = lookup->room ? lookup->room * 2 : 64;
    struct visited *nodes = arena_alloc(e->arena, room * sizeof *nodes);
    if (!nodes) return fp_nomem(e);
    if (lookup->count) memcpy(nodes, lookup->nodes, lookup->count * sizeof *nodes);
    lookup->nodes = nodes;
    lookup->room = room;
  }
  lookup->nodes[lookup->count++] = (struct visited){node, is};
  return true;
}

static bool visit(struct fp_eval *e, struct fp_lookup *lookup, size_t depth, const struct tree_node *node) {
  const struct fp_step *step = &lookup->path->steps[depth];
  bool last = step[1].kind != FP_STEP_CHILD, found = false;
  size_t visited = 0;
  for (struct tree_node *child = node->child; child; child = child->next) {
    bool matches = fp_step_matches(step->symbol, step->name, child);
    visited++;
    if (found && !matches) break; /* repetitions are adjacent */
    found |= matches;
    if (!matches || fp_is_nothing(child)) continue;
    if (!add_node(e, lookup, child, last ? AT_THE_END : ON_THE_WAY) || (!last && !visit(e, lookup, depth + 1, child))) return false;
  }
  return fp_count(e, visited);
}

/* Whether a node passes the filters before the one that is looked up. */
static enum fp_truth passes(struct fp_eval *e, const struct fp_lookup *lookup, struct tree_node *node) {
  const struct fp_ins *path = lookup->path;
  struct fp_item item = {.kind = FP_NODE, .node = node};
  enum fp_truth truth = FP_TRUE;
  for (size_t i = 0; i < path->lookup_at && truth == FP_TRUE; i++) {
    struct fp_mark mark = fp_mark(e);
    if (path->steps[i].kind == FP_STEP_FILTER) truth = fp_test_item(e, path->steps[i].test, &item, 0);
    fp_release(e, mark);
  }
  return truth;
}

/* What the condition compares of an item, if there is *any. False: it failed, or is no text. */
static bool find_text(struct fp_eval *e, const struct fp_lookup *lookup, struct tree_node *node, struct str *text, bool *any) {
  struct fp_item item = {.kind = FP_NODE, .node = node};
  struct fp_scope scope = {.items = &item, .count = 1};
  const struct fp_scope *outer = e->scope;
  struct fp_mark mark = fp_mark(e);
  FP_UNINITIALIZED struct fp_item slot;
  struct fp_list list;
  e->scope = &scope;
  bool done = fp_collect_at(e, lookup->path->steps[lookup->path->lookup_at].test->input, &slot, &list, SIZE_MAX);
  e->scope = outer;
  *any = done && list.count > 0;
  fp_release(e, mark);
  return done && (!*any || (list.count == 1 && fp_string_of(list.items, text)));
}

static bool add_spot(struct fp_eval *e, struct fp_lookup *lookup, struct str text, size_t at) {
  struct spots *spots = map_get(&lookup->texts, text);
  struct fp_spot *spot = ARENA_NEW(e->arena, struct fp_spot);
  if (!spots) {
    spots = ARENA_NEW(e->arena, struct spots);
    if (!spots || map_put(&lookup->texts, text, spots) != STATUS_OK) return fp_nomem(e);
  }
  if (!spot) return fp_nomem(e);
  spot->at = (uint32_t)at;
  *(spots->last ? &spots->last->next : &spots->first) = spot;
  spots->last = spot;
  return true;
}

static bool add_texts(struct fp_eval *e, struct fp_lookup *lookup) {
  for (size_t i = 0; i < lookup->count && !lookup->unfit; i++) {
    struct visited *at = &lookup->nodes[i];
    struct str text = {0};
    bool any = false;
    if (at->is == ON_THE_WAY) continue;
    enum fp_truth truth = passes(e, lookup, at->node);
    if (truth == FP_TRUE) at->is = ITEM;
    lookup->unfit = truth == FP_FAILED || (at->is == ITEM && !find_text(e, lookup, at->node, &text, &any));
    if (any && !lookup->unfit && !add_spot(e, lookup, text, i)) return false;
  }
  return true;
}

/* Nothing is told, and nothing counts as read: who goes through the list may stop before an item that fails. */
static bool make(struct fp_eval *e, struct fp_lookup *lookup) {
  const struct fp_run *run = e->run;
  struct fp_run quiet = *run;
  struct fp_once *once = e->once;
  bool mark_read = e->mark_read;
  lookup->made = true;
  map_init(&lookup->texts, e->arena);
  quiet.diags = NULL;
  e->run = &quiet;
  e->once = NULL; /* what is worked out here is worked out again where it counts as read */
  e->mark_read = false;
  bool done = visit(e, lookup, 0, lookup->from) && add_texts(e, lookup);
  e->run = run;
  e->once = once;
  e->mark_read = mark_read;
  if (e->status == STATUS_INVALID && e->steps <= e->max_steps) e->status = STATUS_OK;
  return done && e->status == STATUS_OK;
}

/* --- looking up */

static bool read_to(struct fp_eval *e, struct fp_lookup *lookup, size_t end) {
  struct str text;
  bool any;
  for (; lookup->read < end && e->mark_read; lookup->read++) {
    const struct visited *visited = &lookup->nodes[lookup->read];
    visited->node->flags |= TREE_READ;
    if (visited->is != ON_THE_WAY && passes(e, lookup, visited->node) == FP_FAILED) return false;
    if (visited->is == ITEM && !find_text(e, lookup, visited->node, &text, &any)) return false;
  }
  return true;
}

/* The one node that the path begins with; NULL: there are none, or several. */
static const struct tree_node *start_of(const struct fp_eval *e, const struct fp_ins *path) {
  const struct fp_list *list = e->run->variables ? &e->run->variables[path->input->number] : NULL;
  return list && list->count == 1 && list->items->kind == FP_NODE ? list->items->node : NULL;
}

static bool same_item(const struct fp_item *a, const struct fp_item *b) {
  if (a->kind != b->kind) return false;
  if (a->kind == FP_NODE) return a->node == b->node;
  if (a->kind == FP_BOOLEAN) return a->boolean == b->boolean;
  return a->kind == FP_STRING && str_eq(a->string, b->string);
}

/* The variables are what they were when the table was begun. */
static bool has_same_uses(const struct fp_eval *e, const struct fp_lookup *lookup) {
  for (size_t i = 0; i < lookup->uses.count; i++) {
    const struct use *use = &lookup->uses.all[i];
    const struct fp_list *list = &e->run->variables[use->number];
    if (list->count != (use->any ? 1u : 0u) || (use->any && !same_item(list->items, &use->item))) return false;
  }
  return true;
}

static bool is_unchanging(const struct fp_eval *e, const struct tree_node *node) {
  while (node->parent)
    node = node->parent;
  return node == e->run->lookups->root;
}

/* False: some variable is several items, or a node that may change. */
static bool take_uses(const struct fp_eval *e, const struct fp_ins *path, struct uses *uses) {
  *uses = (struct uses){0};
  bool good = leads_to_list(path->steps, path->lookup_at, uses) && is_text_of_item(path->steps[path->lookup_at].test->input, uses);
  for (size_t i = 0; i < uses->count && good; i++) {
    const struct fp_list *list = &e->run->variables[uses->all[i].number];
    uses->all[i].any = list->count == 1;
    if (list->count) uses->all[i].item = list->items[0];
    good = list->count <= 1 && (!list->count || list->items->kind != FP_NODE || is_unchanging(e, list->items->node));
  }
  return good;
}

int fp_look_up(struct fp_eval *e, const struct fp_ins *path, struct fp_looked *out) {
  const struct tree_node *from = e->run->lookups->first ? start_of(e, path) : NULL;
  struct fp_lookup *lookup = from ? e->run->lookups->first : NULL;
  const struct fp_ins *right = path->steps[path->lookup_at].test->right;
  FP_UNINITIALIZED struct fp_item slot;
  struct fp_list list;
  struct str text;
  while (lookup && (lookup->path != path || lookup->from != from || !has_same_uses(e, lookup)))
    lookup = lookup->next;
  if (!lookup) return 0;
  if (!lookup->made && !make(e, lookup)) return -1;
  if (lookup->unfit) return 0;
  if (!fp_collect_at(e, right, &slot, &list, SIZE_MAX)) return -1;
  if (list.count != 1 || !fp_string_of(list.items, &text)) return 0;
  const struct spots *spots = map_get(&lookup->texts, text);
  *out = (struct fp_looked){lookup, spots ? spots->first : NULL};
  return 1;
}

int fp_next_looked(struct fp_eval *e, struct fp_looked *looked, struct fp_item *out) {
  struct fp_lookup *lookup = looked->lookup;
  const struct fp_spot *spot = looked->next;
  if (!fp_count(e, 1) || !read_to(e, lookup, spot ? spot->at + 1 : lookup->count)) return -1;
  if (!spot) return 0;
  looked->next = spot->next;
  *out = (struct fp_item){.kind = FP_NODE, .node = lookup->nodes[spot->at].node};
  return 1;
}

/* After a list was gone through: a long one has a table from the next time on. */
bool fp_remember_list(struct fp_eval *e, const struct fp_ins *path, size_t items) {
  const struct tree_node *from = items > LONG_LIST ? start_of(e, path) : NULL;
  struct uses uses;
  if (!from || !is_unchanging(e, from)) return true;
  for (const struct fp_lookup *l = e->run->lookups->first; l; l = l->next)
    if (l->path == path && l->from == from) return true;
  if (!take_uses(e, path, &uses)) return true;
  struct fp_lookup *lookup = ARENA_NEW(e->arena, struct fp_lookup);
  if (!lookup) return fp_nomem(e);
  *lookup = (struct fp_lookup){.next = e->run->lookups->first, .uses = uses, .path = path, .from = from};
  e->run->lookups->first = lookup;
  return true;
}
