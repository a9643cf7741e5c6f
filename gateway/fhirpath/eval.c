/* eval.c - running a program: scratch for lists, scopes, leaves of the instruction tree, the entry points. */
#include "fhirpath/internal.h"

/* Lists begin in scratch on the stack; what does not fit goes to segments in the arena, which are used again. */
enum { FIRST_SEGMENT = 40, SEGMENT = 256, GROWTH = 4 };

struct fp_spill {
  struct fp_spill *next;
  size_t size;
  struct fp_item items[];
};

/* --- failing */

static void tell(struct fp_eval *e, const struct fp_ins *ins, enum diag_severity severity, enum diag_code code,
                 struct str message) {
  if (!e->run->diags) return;
  struct diag_at at = {.source = e->program->source.text.ptr ? &e->program->source : NULL,
                       .offset = ins->offset};
  if (e->run->place_of) e->run->place_of(e->run->place_context, &at);
  if (!at.expression.len) at.expression = e->program->text;
  diag_add(e->run->diags, severity, code, &at, "%.*s", STR_ARG(message));
}

bool fp_fail(struct fp_eval *e, const struct fp_ins *ins, enum diag_code code, const char *format, ...) {
  va_list args;
  e->status = STATUS_INVALID;
  va_start(args, format);
  tell(e, ins, DIAG_ERROR, code, arena_vprintf(e->arena, format, args));
  va_end(args);
  return false;
}

void fp_warn(struct fp_eval *e, const struct fp_ins *ins, enum diag_code code, const char *format, ...) {
  va_list args;
  va_start(args, format);
  tell(e, ins, DIAG_WARNING, code, arena_vprintf(e->arena, format, args));
  va_end(args);
}

bool fp_nomem(struct fp_eval *e) {
  if (e->status == STATUS_OK) e->status = STATUS_NOMEM;
  return false;
}

bool fp_limit(struct fp_eval *e) {
  if (e->status != STATUS_OK) return false;
  return fp_fail(e, e->program->root, DIAG_FHIRPATH_LIMIT, "the expression takes too many steps or items");
}

/* --- lists */

/* A spare segment that is large enough, else a new one. */
static bool begin_segment(struct fp_eval *e, size_t room) {
  struct fp_spill **at = e->spare, *spill = NULL;
  while (*at && (*at)->size < room)
    at = &(*at)->next;
  if (*at) {
    spill = *at;
    *at = spill->next;
  } else {
    size_t size = room < SEGMENT / 2 ? SEGMENT : room * 2;
    spill = arena_alloc(e->arena, sizeof *spill + size * sizeof *spill->items);
    if (!spill) return fp_nomem(e);
    spill->size = size;
  }
  spill->next = e->spilled;
  e->spilled = spill;
  e->top = spill->items;
  e->limit = spill->items + spill->size;
  return true;
}

void fp_give_back(struct fp_eval *e, struct fp_spill *until) {
  while (e->spilled != until) {
    struct fp_spill *spill = e->spilled;
    e->spilled = spill->next;
    spill->next = *e->spare;
    *e->spare = spill;
  }
}

bool fp_grow(struct fp_eval *e, struct fp_list *list) {
  if (list->count >= e->max_items) return fp_limit(e);
  if ((list->room == 0 || list->items + list->room == e->top) && e->top < e->limit) {
    size_t left = (size_t)(e->limit - e->top), more = left < GROWTH ? left : GROWTH;
    if (more > e->max_items - list->room) more = e->max_items - list->room;
    if (list->room == 0) list->items = e->top;
    list->room += more;
    e->top += more;
    return true;
  }
  size_t room = list->count < 4 ? 8 : list->count * 2;
  if (room > e->max_items) room = e->max_items;
  if ((size_t)(e->limit - e->top) < room && !begin_segment(e, room)) return false;
  struct fp_item *items = e->top;
  if (list->count) memcpy(items, list->items, list->count * sizeof *items);
  list->items = items;
  list->room = room;
  e->top += room;
  return true;
}

bool fp_push_all(struct fp_eval *e, struct fp_list *list, const struct fp_list *from) {
  for (size_t i = 0; i < from->count; i++) {
    if (!fp_push(e, list, from->items[i])) return false;
  }
  return true;
}

bool fp_push_decimal(struct fp_eval *e, struct fp_list *list, struct decimal value) {
  struct decimal *copy = arena_alloc(e->arena, sizeof *copy);
  if (!copy) return fp_nomem(e);
  *copy = value;
  return fp_push(e, list, (struct fp_item){.kind = FP_DECIMAL, .decimal = copy});
}

bool fp_push_quantity(struct fp_eval *e, struct fp_list *list, const struct fp_quantity *value) {
  struct fp_quantity *copy = arena_alloc(e->arena, sizeof *copy);
  if (!copy) return fp_nomem(e);
  *copy = *value;
  return fp_push(e, list, (struct fp_item){.kind = FP_QUANTITY, .quantity = copy});
}

/* --- evaluating operands */

bool fp_collect_some(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out, size_t stop) {
  *out = (struct fp_list){0};
  if (ins->op == FP_OP_PATH) return fp_path(e, ins, out, stop);
  return fp_collect(e, ins, out);
}

/* A list that is not written to, seen without a copy. */
static struct fp_list view(const struct fp_item *items, size_t count) {
  struct fp_list list = {.count = count, .room = count};
  memcpy(&list.items, &items, sizeof items);
  return list;
}

/* What is there already, and is not copied. False: it has to be evaluated. */
static bool is_there(const struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  switch (ins->op) {
  case FP_OP_CONST:
    *out = view(&ins->literal, 1);
    return true;
  case FP_OP_CONSTANTS:
    *out = ins->constants->list;
    return true;
  case FP_OP_THIS:
    *out = view(e->scope->items, e->scope->count);
    return true;
  case FP_OP_VARIABLE:
    *out = e->run->variables ? e->run->variables[ins->number] : (struct fp_list){0};
    return true;
  default:
    return false;
  }
}

bool fp_collect(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  *out = (struct fp_list){0};
  return is_there(e, ins, out) || ins->exec(e, ins, out);
}

bool fp_collect_other(struct fp_eval *e, const struct fp_ins *ins, struct fp_item *slot, struct fp_list *out, size_t stop) {
  *out = (struct fp_list){slot, 0, 1};
  if (is_there(e, ins, out)) return true;
  return ins->op == FP_OP_PATH ? fp_path(e, ins, out, stop) : ins->exec(e, ins, out);
}

static inline int single(struct fp_eval *e, const struct fp_ins *ins, const struct fp_ins *from, struct fp_item *out) {
  FP_UNINITIALIZED struct fp_list list;
  if (from->op == FP_OP_CONST) {
    *out = from->literal;
    return 1;
  }
  if (!fp_collect_at(e, from, out, &list, from == ins ? 2 : SIZE_MAX)) return -1;
  if (list.count == 0) return 0;
  if (list.count > 1) {
    fp_fail(e, ins, DIAG_FHIRPATH_EVALUATION, "a single item is needed here, there are %zu or more",
            list.count);
    return -1;
  }
  if (list.items != out) *out = list.items[0];
  return 1;
}

int fp_single(struct fp_eval *e, const struct fp_ins *ins, struct fp_item *out) {
  return single(e, ins, ins, out);
}

int fp_single_of(struct fp_eval *e, const struct fp_ins *ins, const struct fp_ins *from, struct fp_item *out) {
  return single(e, ins, from, out);
}

enum fp_truth fp_truth_of(struct fp_eval *e, const struct fp_ins *ins, const struct fp_list *list) {
  if (list->count == 0) return FP_UNKNOWN;
  if (list->count > 1) {
    fp_fail(e, ins, DIAG_FHIRPATH_EVALUATION, "a single item is needed as a condition, there are several");
    return FP_FAILED;
  }
  const struct fp_item *item = &list->items[0];
  if (item->kind == FP_NODE && item->node->kind == TREE_NULL)
    return FP_UNKNOWN; /* no value, only extensions */
  if (fp_kind_of(item) != FP_BOOLEAN) return FP_TRUE;
  struct fp_value value;
  fp_load(&list->items[0], &value);
  return value.boolean ? FP_TRUE : FP_FALSE;
}

enum fp_truth fp_test_list(struct fp_eval *e, const struct fp_ins *ins) {
  struct fp_mark mark = fp_mark(e);
  FP_UNINITIALIZED struct fp_list list;
  FP_UNINITIALIZED struct fp_item slot;
  if (!fp_collect_at(e, ins, &slot, &list, 2)) return FP_FAILED;
  enum fp_truth truth = fp_truth_of(e, ins, &list);
  fp_release(e, mark);
  return truth;
}

enum fp_truth fp_test_const(struct fp_eval *e, const struct fp_ins *ins) {
  (void)e;
  return ins->literal.kind != FP_BOOLEAN || ins->literal.boolean ? FP_TRUE : FP_FALSE;
}

bool fp_exec_truth(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  enum fp_truth truth = ins->test(e, ins);
  if (truth == FP_FAILED) return false;
  return truth == FP_UNKNOWN || fp_push_boolean(e, out, truth == FP_TRUE);
}

enum fp_truth fp_test_item(struct fp_eval *e, const struct fp_ins *ins, const struct fp_item *item,
                           size_t index) {
  struct fp_scope scope = {.items = item, .count = 1, .index = index, .total = e->scope->total};
  const struct fp_scope *outer = e->scope;
  e->scope = &scope;
  enum fp_truth truth = ins->test(e, ins);
  e->scope = outer;
  return truth;
}

bool fp_exec_item(struct fp_eval *e, const struct fp_ins *ins, const struct fp_item *item, size_t index,
                  const struct fp_list *total, struct fp_list *out) {
  struct fp_scope scope = {
      .items = item, .count = 1, .index = index, .total = total ? total : e->scope->total};
  const struct fp_scope *outer = e->scope;
  e->scope = &scope;
  bool done = ins->exec(e, ins, out);
  e->scope = outer;
  return done;
}

/* --- leaves */

bool fp_exec_const(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  return fp_push(e, out, ins->literal);
}

bool fp_exec_constants(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  return fp_push_all(e, out, &ins->constants->list);
}

bool fp_exec_empty(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  (void)e, (void)ins, (void)out;
  return true;
}

static bool push_scope(struct fp_eval *e, const struct fp_scope *scope, struct fp_list *out) {
  for (size_t i = 0; i < scope->count; i++) {
    if (!fp_push(e, out, scope->items[i])) return false;
  }
  return true;
}

bool fp_exec_this(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  (void)ins;
  return push_scope(e, e->scope, out);
}

bool fp_exec_index(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  (void)ins;
  return fp_push_integer(e, out, (int64_t)e->scope->index);
}

bool fp_exec_total(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  (void)ins;
  return !e->scope->total || fp_push_all(e, out, e->scope->total);
}

bool fp_exec_context(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  (void)ins;
  return push_scope(e, &e->outermost, out);
}

bool fp_exec_variable(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  return !e->run->variables || fp_push_all(e, out, &e->run->variables[ins->number]);
}

static struct tree_node *focus_node(const struct fp_eval *e) {
  for (size_t i = 0; i < e->outermost.count; i++) {
    if (e->outermost.items[i].kind == FP_NODE) return e->outermost.items[i].node;
  }
  return NULL;
}

bool fp_exec_resource(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  (void)ins;
  struct tree_node *focus = focus_node(e), *node = e->run->resource;
  if (!node && focus) node = fp_resource_of(focus);
  return !node || fp_push_node(e, out, node);
}

bool fp_exec_root_resource(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  (void)ins;
  struct tree_node *node = e->run->root_resource, *focus = focus_node(e);
  if (!node) node = e->run->resource ? e->run->resource : focus ? fp_resource_of(focus) : NULL;
  if (!e->run->root_resource && node && node->parent && str_is(node->name, "contained")) node = node->parent;
  return !node || fp_push_node(e, out, node);
}

/* --- entry */

int64_t fp_now_ms(struct fp_eval *e) {
  if (!e->have_now) {
    const struct host *host = e->run->host ? e->run->host : host_system();
    e->now_ms = host->now_ms(host->context);
    e->have_now = true;
  }
  return e->now_ms;
}

/* What is the same for all evaluations of a run. */
static void prepare(struct fp_eval *e, const struct fp_run *run, struct fp_item *scratch) {
  e->run = run;
  e->arena = run->arena;
  e->scratch = scratch;
  e->limit = scratch + FIRST_SEGMENT;
  e->spilled = e->own_spare = NULL;
  e->spare = &e->own_spare;
  e->outermost = (struct fp_scope){0};
  e->scope = &e->outermost;
  e->focus.kind = FP_NODE;
  e->all_steps = run->limits ? run->limits->steps : LIMIT_EVAL_STEPS;
  e->max_items = run->limits ? run->limits->items : LIMIT_EVAL_ITEMS;
  e->mark_read = run->mark_read;
  e->now_ms = 0;
}

/* What evaluations work in, kept by the run. */
struct fp_kept {
  struct fp_eval e;
  struct fp_item scratch[FIRST_SEGMENT];
};

/* Made when it is first asked for; NULL: there is no memory. */
static struct fp_eval *new_kept(const struct fp_run *run) {
  struct fp_kept *kept = arena_alloc(run->arena, sizeof *kept);
  if (!kept) return NULL;
  prepare(&kept->e, run, kept->scratch);
  *run->kept = kept;
  return &kept->e;
}

/* What the run keeps; NULL: nothing yet, or it keeps nothing. */
static inline struct fp_eval *kept_of(const struct fp_run *run) {
  return run->kept && *run->kept ? &(*run->kept)->e : NULL;
}

/* Member by member, and only what changes: there are as many evaluations as rules, and most are short. */
static inline void start(struct fp_eval *e, const struct fp_program *program, const struct fp_item *items, size_t count) {
  const size_t *left = e->run->steps;
  e->program = program;
  e->top = e->scratch;
  e->outermost.items = items;
  e->outermost.count = count;
  e->once = NULL;
  e->steps = 0;
  e->status = STATUS_OK;
  e->have_now = false;
  e->max_steps = left && *left < e->all_steps ? *left : e->all_steps;
}

static inline void finish(struct fp_eval *e) {
  size_t *left = e->run->steps;
  if (left) *left -= e->steps < *left ? e->steps : *left;
  if (!e->spilled) return;
  fp_give_back(e, NULL);
  e->limit = e->scratch + FIRST_SEGMENT;
}

static enum status failure(const struct fp_eval *e) {
  return e->status == STATUS_OK ? STATUS_NOMEM : e->status;
}

static bool is_scratch(const struct fp_eval *e, const struct fp_item *items) {
  return e->spilled || (items >= e->scratch && items < e->scratch + FIRST_SEGMENT);
}

/* What comes out stays; scratch does not. */
static bool keep_list(const struct fp_eval *e, struct fp_list *list) {
  if (list->count == 0 || !is_scratch(e, list->items)) return true;
  struct fp_item *items = arena_alloc(e->arena, list->count * sizeof *items);
  if (!items) return false;
  memcpy(items, list->items, list->count * sizeof *items);
  list->items = items;
  list->room = list->count;
  return true;
}

static enum status list_of(struct fp_eval *e, const struct fp_program *program, struct fp_list focus, struct fp_list *out) {
  struct fp_list list = {0};
  start(e, program, focus.items, focus.count);
  bool good = program->root->exec(e, program->root, &list);
  bool kept = good && keep_list(e, &list);
  *out = kept && list.count ? list : (struct fp_list){0};
  finish(e);
  if (!good) return failure(e);
  return kept ? STATUS_OK : STATUS_NOMEM;
}

static inline enum status one_of(struct fp_eval *e, const struct fp_program *program, const struct fp_item *items, size_t items_count,
                                 struct fp_item *out, size_t *count) {
  FP_UNINITIALIZED struct fp_list list;
  start(e, program, items, items_count);
  bool good = fp_collect_at(e, program->root, out, &list, SIZE_MAX);
  *count = good ? list.count : 0;
  if (good && list.count && list.items != out) *out = list.items[0];
  finish(e);
  return good ? STATUS_OK : failure(e);
}

static inline enum status truth_of(struct fp_eval *e, const struct fp_program *program, struct tree_node *focus, bool *out) {
  e->focus.node = focus;
  start(e, program, &e->focus, focus ? 1 : 0);
  enum fp_truth truth = program->root->test(e, program->root);
  finish(e);
  *out = truth == FP_TRUE;
  return truth == FP_FAILED ? failure(e) : STATUS_OK;
}

/* The same by a run that keeps nothing, or has yet to begin to. */
static enum status FP_APART one_apart(const struct fp_program *program, const struct fp_run *run, const struct fp_item *items,
                                      size_t items_count, struct fp_item *out, size_t *count) {
  FP_UNINITIALIZED struct fp_item scratch[FIRST_SEGMENT];
  FP_UNINITIALIZED struct fp_eval own;
  struct fp_eval *e = run->kept ? new_kept(run) : NULL;
  if (!e) prepare(e = &own, run, scratch);
  return one_of(e, program, items, items_count, out, count);
}

static enum status FP_APART truth_apart(const struct fp_program *program, const struct fp_run *run, struct tree_node *focus, bool *out) {
  FP_UNINITIALIZED struct fp_item scratch[FIRST_SEGMENT];
  FP_UNINITIALIZED struct fp_eval own;
  struct fp_eval *e = run->kept ? new_kept(run) : NULL;
  if (!e) prepare(e = &own, run, scratch);
  return truth_of(e, program, focus, out);
}

enum status fhirpath_eval(const struct fp_program *program, const struct fp_run *run, struct fp_list focus,
                          struct fp_list *out) {
  FP_UNINITIALIZED struct fp_item scratch[FIRST_SEGMENT];
  FP_UNINITIALIZED struct fp_eval own;
  struct fp_eval *e = kept_of(run);
  if (!e && run->kept) e = new_kept(run);
  if (!e) prepare(e = &own, run, scratch);
  return list_of(e, program, focus, out);
}

enum status fhirpath_one(const struct fp_program *program, const struct fp_run *run, struct fp_list focus,
                         struct fp_item *out, size_t *count) {
  struct fp_eval *e = kept_of(run);
  if (!e) return one_apart(program, run, focus.items, focus.count, out, count);
  return one_of(e, program, focus.items, focus.count, out, count);
}

enum status fhirpath_truth(const struct fp_program *program, const struct fp_run *run,
                           struct tree_node *focus, bool *out) {
  struct fp_eval *e = kept_of(run);
  if (!e) return truth_apart(program, run, focus, out);
  return truth_of(e, program, focus, out);
}

bool fhirpath_is_condition(const struct fp_program *program) {
  return program->root->exec == fp_exec_truth;
}
