/*
 * run.c - executes a compiled map: groups, rules, sources.
 *
 * Variables are slots of a frame; a frame is made once for each depth and used again by every call at that
 * depth. A rule that cannot be executed on this data becomes a diagnostic and is left out; the run goes on,
 * so that one run tells everything, and is INVALID in the end. Only lack of memory and the caps stop it.
 */
#include "mapping/internal.h"

/* --- telling ---------------------------------------------------------------------------------------------
 */

static struct str rule_place(const struct fml_run *run) {
  const struct prog_rule *rule = run->rule;
  if (!rule) return STR("");
  struct source_position p = source_locate(&rule->map->source, rule->ast->at);
  return arena_printf(run->arena, "%.*s:%u:%u %.*s", STR_ARG(rule->map->file), p.line, p.col,
                      STR_ARG(rule->ast->name.text));
}

static const struct tree_node *root_of(const struct tree_node *node) {
  while (node->parent)
    node = node->parent;
  return node;
}

static void FML_SELDOM report(struct fml_run *run, enum diag_severity severity, enum diag_code code,
                   const struct tree_node *node, struct str text) {
  struct diag_at at = {.expression = rule_place(run)};
  if (!node || root_of(node) != run->source) node = run->focus;
  if (node && root_of(node) == run->source) {
    at.path = definitions_path(node, run->arena);
    if (node->offset) {
      at.source = run->params->source;
      at.offset = tree_offset(node);
    }
  }
  diag_add(run->diags, severity, code, &at, "%.*s", STR_ARG(text));
}

bool fml_is_source(const struct fml_run *run, const struct tree_node *node) {
  return root_of(node) == run->source;
}

void fml_failed(struct fml_run *run, enum diag_code code, const struct tree_node *node, const char *format,
                ...) {
  va_list args;
  va_start(args, format);
  struct str text = arena_vprintf(run->arena, format, args);
  va_end(args);
  run->failed = true;
  report(run, DIAG_ERROR, code, node, text);
}

void fml_warn(struct fml_run *run, enum diag_code code, const struct tree_node *node, const char *format,
              ...) {
  va_list args;
  va_start(args, format);
  struct str text = arena_vprintf(run->arena, format, args);
  va_end(args);
  report(run, DIAG_WARNING, code, node, text);
}

static void FML_SELDOM trace(const struct fml_run *run, enum mapping_event event, const struct mapping_map *map,
                  uint32_t at, struct str name, struct str detail, const struct tree_node *target) {
  if (!run->params->trace) return;
  struct mapping_trace t = {.event = event,
                            .depth = (unsigned)(run->depth + run->nesting),
                            .file = map->file,
                            .position = source_locate(&map->source, at),
                            .name = name,
                            .detail = detail,
                            .source = run->focus,
                            .target = target};
  run->params->trace(run->params->trace_context, &t);
}

void fml_trace(const struct fml_run *run, enum mapping_event event, uint32_t at, struct str detail,
               const struct tree_node *target) {
  if (run->rule) trace(run, event, run->rule->map, at, run->rule->ast->name.text, detail, target);
}

/* What was left of a source's items after each clause. */
struct selection {
  size_t found, typed, wanted, checked;
};

static struct str FML_SELDOM why_none(const struct fml_run *run, const struct prog_source *source,
                           const struct selection *s) {
  struct arena *arena = run->arena;
  const struct ast_step *step = source->ast->path;
  if (s->found == 0) {
    struct str path = step ? step->name.text : STR("value");
    for (step = step ? step->next : NULL; step; step = step->next)
      path = arena_printf(arena, "%.*s.%.*s", STR_ARG(path), STR_ARG(step->name.text));
    return arena_printf(arena, "there is no %.*s", STR_ARG(path));
  }
  if (s->typed == 0)
    return arena_printf(arena, "%s no %.*s", s->found == 1 ? "the item is" : "the items are",
                        STR_ARG(source->ast->type.text));
  if (s->wanted == 0)
    return arena_printf(arena, "its condition is false%s: %.*s", s->typed == 1 ? "" : " for every item",
                        STR_ARG(source->where->text));
  if (s->checked == 0) return arena_printf(arena, "its check fails: %.*s", STR_ARG(source->check->text));
  return STR("the list mode leaves no item");
}

/* `context`: what the rule looked into. */
static void FML_SELDOM skipped(struct fml_run *run, const struct prog_rule *rule, struct fp_item *context,
                    struct str why) {
  struct tree_node *focus = run->focus;
  if (context && context->kind == FP_NODE) run->focus = context->node;
  trace(run, MAPPING_SKIPPED, rule->map, rule->ast->at, rule->ast->name.text, why, NULL);
  run->focus = focus;
}

/* --- frames ----------------------------------------------------------------------------------------------
 */

enum { SLOTS_PIECE = 192 };

static struct fml_slots *FML_SELDOM new_piece(struct fml_run *run, size_t count) {
  struct fml_slots *piece = ARENA_NEW(run->arena, struct fml_slots);
  if (!piece) return NULL;
  piece->room = count > SLOTS_PIECE ? count : SLOTS_PIECE;
  piece->items = arena_alloc(run->arena, piece->room * sizeof *piece->items);
  piece->lists = arena_alloc(run->arena, piece->room * sizeof *piece->lists);
  return piece->items && piece->lists ? piece : NULL;
}

/* A piece with room for `count` more slots. */
static struct fml_slots *piece_for(struct fml_run *run, size_t count) {
  struct fml_slots **piece = &run->slots;
  while (*piece && (*piece)->used + count > (*piece)->room)
    piece = &(*piece)->next;
  if (!*piece) *piece = new_piece(run, count);
  return *piece;
}

/* Lists that are used for the first time point to their items. */
static void make_ready(struct fml_slots *piece) {
  struct fp_item *item = piece->items + piece->ready;
  struct fp_list *end = piece->lists + piece->used;
  for (struct fp_list *list = piece->lists + piece->ready; list < end; list++)
    *list = (struct fp_list){item++, 0, 1};
  piece->ready = piece->used;
}

static struct fml_frame open_frame(struct fml_slots *piece, size_t count) {
  struct fml_frame frame = {piece->items + piece->used, piece->lists + piece->used};
  piece->used += count;
  if (piece->ready < piece->used) make_ready(piece);
  return frame;
}

static bool FML_SELDOM grow_stack(struct fml_run *run) {
  size_t room = run->stack_room ? run->stack_room * 2 : 16;
  struct fp_item *stack = arena_alloc(run->arena, room * sizeof *stack);
  if (!stack) return false;
  if (run->stack_count) memcpy(stack, run->stack, run->stack_count * sizeof *stack);
  run->stack = stack;
  run->stack_room = room;
  return true;
}

static bool push(struct fml_run *run, const struct fp_item *item) {
  if (run->stack_count == run->stack_room && !grow_stack(run)) return false;
  run->stack[run->stack_count++] = *item;
  return true;
}

static bool push_node(struct fml_run *run, struct tree_node *node) {
  if (run->stack_count == run->stack_room && !grow_stack(run)) return false;
  struct fp_item *item = &run->stack[run->stack_count++];
  item->kind = FP_NODE;
  item->node = node;
  return true;
}

/* --- expressions -----------------------------------------------------------------------------------------
 */

static void FML_SELDOM place_of(void *context, struct diag_at *out) {
  const struct fml_run *run = context;
  const struct tree_node *node = run->expr_node;
  bool known = node && node->offset;
  *out = (struct diag_at){.expression = run->expr->text,
                          .source = known ? run->params->source : NULL,
                          .offset = known ? tree_offset(node) : 0};
}

/* Where its diagnostics point, and what its variables are. */
static inline void before_expression(struct fml_run *run, const struct fml_frame *frame, const struct prog_expr *expr,
                                     const struct fp_item *focus) {
  run->expr = expr;
  run->expr_node = focus && focus->kind == FP_NODE ? focus->node : run->focus;
  run->fp.variables = frame ? frame->lists : NULL;
}

/* What an expression is evaluated on; it is not changed. */
static inline struct fp_list input_of(const struct fp_item *focus) {
  struct fp_list list = {.count = focus ? 1 : 0, .room = focus ? 1 : 0};
  memcpy(&list.items, &focus, sizeof list.items);
  return list;
}

enum status fml_eval(struct fml_run *run, struct fml_frame *frame, const struct prog_expr *expr,
                     const struct fp_item *focus, struct fp_list *out) {
  before_expression(run, frame, expr, focus);
  enum status status = fhirpath_eval(expr->program, &run->fp, input_of(focus), out);
  if (status != STATUS_INVALID) return status;
  run->failed = true;
  *out = (struct fp_list){0};
  return STATUS_INVALID;
}

enum status fml_eval_one(struct fml_run *run, struct fml_frame *frame, const struct prog_expr *expr,
                         const struct fp_item *focus, struct fp_item *out, size_t *count) {
  before_expression(run, frame, expr, focus);
  enum status status = fhirpath_one(expr->program, &run->fp, input_of(focus), out, count);
  if (status == STATUS_INVALID) run->failed = true;
  return status;
}

/* An expression that gives one Boolean or nothing: no list is made. */
static enum status plain_truth(struct fml_run *run, const struct fml_frame *frame, const struct prog_expr *expr,
                               struct tree_node *node, bool *out) {
  run->expr = expr;
  run->expr_node = node;
  run->fp.variables = frame->lists;
  enum status status = fhirpath_truth(expr->program, &run->fp, node, out);
  if (status != STATUS_INVALID) return status;
  run->failed = true;
  return STATUS_OK;
}

/* Empty and a failed evaluation count as false. */
static enum status truth(struct fml_run *run, struct fml_frame *frame, const struct prog_expr *expr,
                         const struct fp_item *item, bool *out) {
  struct fp_list list = {0};
  *out = false;
  if (item->kind == FP_NODE && fhirpath_is_condition(expr->program))
    return plain_truth(run, frame, expr, item->node, out);
  enum status status = fml_eval(run, frame, expr, item, &list);
  if (status == STATUS_INVALID) return STATUS_OK;
  if (status != STATUS_OK || list.count == 0) return status;
  if (list.count > 1) {
    fml_failed(run, DIAG_FHIRPATH_EVALUATION, NULL, "the condition %.*s gives %zu values",
               STR_ARG(expr->text), list.count);
    return STATUS_OK;
  }
  struct fp_item value = list.items[0];
  if (value.kind == FP_NODE) value = fhirpath_value(&value, run->arena);
  *out = value.kind != FP_BOOLEAN || value.boolean;
  return STATUS_OK;
}

/* --- sources ---------------------------------------------------------------------------------------------
 */

static enum status push_children(struct fml_run *run, const struct fp_item *from,
                                 const struct prog_step *step) {
  if (from->kind != FP_NODE) {
    if (step->is_value || step->symbol == run->set->kit.symbol_value)
      return push(run, from) ? STATUS_OK : STATUS_NOMEM;
    return STATUS_OK;
  }
  struct tree_node *node = from->node;
  bool value = step->is_value;
  if (!step->element && step->symbol == run->set->kit.symbol_value && node->kind != TREE_OBJECT) value = true;
  bool found = false;
  if (!value && tree_lacks(node, step->symbol)) return STATUS_OK;
  if (value && node->text.len) return push(run, from) ? STATUS_OK : STATUS_NOMEM;
  for (struct tree_node *child = node->child; child; child = child->next) {
    if (child->symbol != step->symbol || tree_is_meta(child)) {
      if (found) break; /* repetitions are adjacent */
      continue;
    }
    found = true;
    if (child->kind == TREE_NULL && !child->child) continue; /* `[]` and null are no items */
    if (step->only && node_type(child) != step->only) continue;
    if (!push_node(run, child)) return STATUS_NOMEM;
  }
  return STATUS_OK;
}

/* One step on: the items from `base` give way to their children. */
static enum status descend(struct fml_run *run, size_t base, const struct prog_step *step) {
  size_t end = run->stack_count;
  for (size_t k = base; k < end; k++) {
    struct fp_item item = run->stack[k];
    enum status status = push_children(run, &item, step);
    if (status != STATUS_OK) return status;
  }
  size_t found = run->stack_count - end;
  if (found) memmove(run->stack + base, run->stack + end, found * sizeof *run->stack);
  run->stack_count = base + found;
  return STATUS_OK;
}

/* Items of the source's path onto the stack. */
static enum status gather(struct fml_run *run, const struct fp_item *context,
                          const struct prog_source *source) {
  size_t base = run->stack_count;
  if (source->step_count == 0) return push(run, context) ? STATUS_OK : STATUS_NOMEM;
  enum status status = push_children(run, context, &source->steps[0]);
  for (size_t i = 1; i < source->step_count && status == STATUS_OK; i++)
    status = descend(run, base, &source->steps[i]);
  return status;
}

static void keep_type(struct fml_run *run, size_t base, const struct def_type *type) {
  size_t kept = base;
  for (size_t k = base; k < run->stack_count; k++) {
    const struct fp_item *item = &run->stack[k];
    bool is = item->kind != FP_NODE || (node_type(item->node) && def_type_is(node_type(item->node), type));
    if (is) run->stack[kept++] = *item;
  }
  run->stack_count = kept;
}

static enum status keep_true(struct fml_run *run, struct fml_frame *frame, const struct prog_source *source,
                             size_t base) {
  size_t kept = base, end = run->stack_count;
  for (size_t k = base; k < end; k++) {
    struct fp_item item = run->stack[k];
    bool yes = false;
    fml_set_slot(frame, source->out, &item);
    enum status status = truth(run, frame, source->where, &item, &yes);
    if (status != STATUS_OK) return status;
    fml_hit(run, source->ast->mark + (yes ? FML_WHERE_TRUE : FML_WHERE_FALSE));
    if (yes) run->stack[kept++] = item;
  }
  run->stack_count = kept;
  return STATUS_OK;
}

/* Items that fail the check are reported and left out. */
static enum status check_items(struct fml_run *run, struct fml_frame *frame, const struct prog_source *source,
                               size_t base) {
  size_t kept = base, end = run->stack_count;
  for (size_t k = base; k < end; k++) {
    struct fp_item item = run->stack[k];
    bool yes = false;
    fml_set_slot(frame, source->out, &item);
    enum status status = truth(run, frame, source->check, &item, &yes);
    if (status != STATUS_OK) return status;
    if (yes)
      run->stack[kept++] = item;
    else
      fml_failed(run, DIAG_MAP_CHECK_FAILED, item.kind == FP_NODE ? item.node : NULL, "check failed: %.*s",
                 STR_ARG(source->check->text));
  }
  run->stack_count = kept;
  return STATUS_OK;
}

/* What begins with "warning: " is one; all else is information. */
static void log_text(struct fml_run *run, const struct tree_node *node, struct str text) {
  struct str mark = STR("warning: ");
  bool warns = str_starts(text, mark);
  report(run, warns ? DIAG_WARNING : DIAG_INFORMATION, DIAG_MAP_LOG, node, warns ? str_slice(text, mark.len, text.len) : text);
}

static enum status log_items(struct fml_run *run, struct fml_frame *frame, const struct prog_source *source,
                             size_t base) {
  for (size_t k = base; k < run->stack_count; k++) {
    struct fp_item item = run->stack[k];
    struct fp_list list = {0};
    struct str text = STR("");
    fml_set_slot(frame, source->out, &item);
    enum status status = fml_eval(run, frame, source->log, &item, &list);
    if (status == STATUS_NOMEM || status == STATUS_LIMIT) return status;
    if (list.count == 0 || !fhirpath_text(&list.items[0], run->arena, &text)) continue;
    log_text(run, item.kind == FP_NODE ? item.node : NULL, text);
    fml_trace(run, MAPPING_LOG, source->log->at, text, NULL);
  }
  return STATUS_OK;
}

static void list_mode(struct fml_run *run, const struct prog_source *source, size_t base) {
  size_t count = run->stack_count - base, from = 0, to = count;
  if (count == 0) return;
  switch (source->ast->mode) {
  case AST_FIRST:
    to = 1;
    break;
  case AST_NOT_FIRST:
    from = 1;
    break;
  case AST_LAST:
    from = count - 1;
    break;
  case AST_NOT_LAST:
    to = count - 1;
    break;
  case AST_ONLY_ONE:
    if (count == 1) return;
    fml_failed(run, DIAG_MAP_CARDINALITY, run->stack[base].kind == FP_NODE ? run->stack[base].node : NULL,
               "there are %zu items where only one may be", count);
    to = 0;
    break;
  default:
    return;
  }
  memmove(run->stack + base, run->stack + base + from, (to - from) * sizeof *run->stack);
  run->stack_count = base + to - from;
}

static enum status use_fallback(struct fml_run *run, struct fml_frame *frame,
                                const struct prog_source *source, const struct fp_item *context) {
  struct fp_list list = {0};
  enum status status = fml_eval(run, frame, source->fallback, context, &list);
  if (status == STATUS_INVALID) return STATUS_OK;
  for (size_t i = 0; i < list.count && status == STATUS_OK; i++)
    if (!push(run, &list.items[i])) status = STATUS_NOMEM;
  return status;
}

static void check_cardinality(struct fml_run *run, const struct prog_source *source, size_t count) {
  if (!source->ast->has_cardinality) return;
  if (count >= source->ast->min && count <= source->ast->max) return;
  fml_failed(run, DIAG_MAP_CARDINALITY, NULL, "the rule '%.*s' finds %zu items, fewer or more than it allows",
             STR_ARG(run->rule->ast->name.text), count);
}

/* The items a source stands for: on the stack from `base` on. */
static enum status select_items(struct fml_run *run, struct fml_frame *frame,
                                const struct prog_source *source, size_t base, struct selection *left) {
  struct fp_item context = frame->items[source->context];
  enum status status = gather(run, &context, source);
  if (status != STATUS_OK) return status;
  left->found = left->typed = left->wanted = left->checked = run->stack_count - base;
  if (source->plain) return STATUS_OK;
  if (source->fallback) {
    bool used = run->stack_count == base;
    fml_hit(run, source->ast->mark + (used ? FML_DEFAULT_USED : FML_DEFAULT_UNUSED));
    if (used) status = use_fallback(run, frame, source, &context);
  }
  left->found = run->stack_count - base;
  if (source->type) keep_type(run, base, source->type);
  left->typed = run->stack_count - base;
  check_cardinality(run, source, left->typed);
  if (status == STATUS_OK && source->where) status = keep_true(run, frame, source, base);
  left->wanted = run->stack_count - base;
  if (status == STATUS_OK && source->check) status = check_items(run, frame, source, base);
  left->checked = run->stack_count - base;
  if (status == STATUS_OK && source->log) status = log_items(run, frame, source, base);
  if (status == STATUS_OK) list_mode(run, source, base);
  return status;
}

/* --- rules -----------------------------------------------------------------------------------------------
 */

static enum status run_rules(struct fml_run *run, struct fml_frame *frame, const struct prog_rules *rules);

static enum status FML_SELDOM too_many_steps(struct fml_run *run) {
  fml_failed(run, DIAG_MAP_EXECUTION, NULL, "the map takes more than %zu steps", run->max_steps);
  return STATUS_LIMIT;
}

static enum status run_calls(struct fml_run *run, struct fml_frame *frame, const struct prog_rule *rule);

/* One combination of source items, with somebody who looks on. */
static enum status FML_APART fire_watched(struct fml_run *run, struct fml_frame *frame, const struct prog_rule *rule) {
  enum status status = STATUS_OK;
  fml_hit(run, rule->ast->mark + FML_FIRED);
  if (run->params->trace)
    trace(run, MAPPING_RULE, rule->map, rule->ast->at, rule->ast->name.text, STR(""), NULL);
  run->nesting++;
  for (size_t i = 0; i < rule->target_count && status == STATUS_OK; i++)
    status = fml_run_target_watched(run, frame, &rule->targets[i]);
  if (status == STATUS_OK) status = run_calls(run, frame, rule);
  if (status == STATUS_OK && rule->rules.count) status = run_rules(run, frame, &rule->rules);
  run->nesting--;
  return status;
}

/* One combination of source items. */
static FML_WITHIN enum status fire(struct fml_run *run, struct fml_frame *frame, const struct prog_rule *rule, bool watched) {
  enum status status = STATUS_OK;
  if (++run->steps > run->max_steps) return too_many_steps(run);
  if (watched) return fire_watched(run, frame, rule);
  if (rule->target_count) status = fml_run_targets(run, frame, rule->targets, rule->target_count);
  if (rule->call_count && status == STATUS_OK) status = run_calls(run, frame, rule);
  if (rule->rules.count && status == STATUS_OK) status = run_rules(run, frame, &rule->rules);
  return status;
}

/* An item of a source under its name. `node` NULL: it is no node, but what stands in `text`. */
static FML_WITHIN void name_item(struct fml_frame *frame, const struct prog_source *source, struct tree_node *node, const struct fp_item *text) {
  if (node)
    fml_set_node(frame, source->out, node);
  else
    fml_set_slot(frame, source->out, text);
}

/* The item that a rule runs for is read. */
static FML_WITHIN void take_item(struct fml_run *run, struct tree_node *node) {
  if (!node) return;
  run->focus = node;
  if (node->kind != TREE_OBJECT) node->flags |= TREE_READ;
}

static enum status run_sources(struct fml_run *run, struct fml_frame *frame, const struct prog_rule *rule, size_t index);

static void FML_SELDOM skipped_unset(struct fml_run *run, const struct prog_rule *rule, const struct prog_source *source) {
  skipped(run, rule, NULL,
          arena_printf(run->arena, "the variable '%.*s' has no value", STR_ARG(source->ast->context.text)));
}

/* One item of a source: the next source, or the rule itself. */
static enum status FML_APART run_item(struct fml_run *run, struct fml_frame *frame, const struct prog_rule *rule, size_t index,
                                      const struct fp_item *item) {
  struct tree_node *outer = run->focus, *node = item->kind == FP_NODE ? item->node : NULL;
  run->rule = rule;
  name_item(frame, &rule->sources[index], node, item);
  take_item(run, node);
  enum status status = index + 1 == rule->source_count ? fire(run, frame, rule, run->watched) : run_sources(run, frame, rule, index + 1);
  run->focus = outer;
  return status;
}

static enum status FML_APART run_first(struct fml_run *run, struct fml_frame *frame, const struct prog_rule *rule, size_t index,
                                       struct tree_node *node, const struct fp_item *text) {
  struct fp_item item = {.kind = FP_NODE, .node = node};
  return run_item(run, frame, rule, index, node ? &item : text);
}

/* The items that a source stands for, one after the other; its context has a value. */
static enum status FML_APART run_items(struct fml_run *run, struct fml_frame *frame, const struct prog_rule *rule, size_t index) {
  const struct prog_source *source = &rule->sources[index];
  size_t base = run->stack_count;
  struct selection left;
  enum status status = select_items(run, frame, source, base, &left);
  size_t end = run->stack_count;
  if (end == base && status == STATUS_OK && run->params->trace)
    skipped(run, rule, &frame->items[source->context], why_none(run, source, &left));
  for (size_t k = base; k < end && status == STATUS_OK; k++) {
    struct fp_item item = run->stack[k];
    status = run_item(run, frame, rule, index, &item);
  }
  run->stack_count = base;
  return status;
}

/* The one child that a source stands for but for its condition, when that can be told at a glance: 1; 0: there is none; -1: it cannot. */
static FML_WITHIN int only_child(uint32_t symbol, const struct tree_node *of, struct tree_node **out) {
  if (tree_lacks(of, symbol)) return 0;
  struct tree_node *child = of->child;
  while (child && child->symbol != symbol)
    child = child->next;
  if (!child) return 0;
  if ((child->next && child->next->symbol == symbol) || child->kind == TREE_NULL || tree_is_meta(child)) return -1;
  *out = child;
  return 1;
}

/* The items of one source; its context has a value. Whose rule it is sets the focus back. */
static FML_WITHIN enum status run_source(struct fml_run *run, struct fml_frame *frame, const struct prog_rule *rule, size_t index,
                                         bool watched) {
  const struct prog_source *source = &rule->sources[index];
  const struct fp_item *item = &frame->items[source->context];
  struct tree_node *node = item->kind == FP_NODE ? item->node : NULL;
  bool yes = true;
  if (!source->simple || (watched && run->params->trace)) return run_items(run, frame, rule, index);
  if (source->step_count) {
    int only = node && node->kind == TREE_OBJECT ? only_child(source->symbol, node, &node) : -1;
    if (only <= 0) return only == 0 ? STATUS_OK : run_items(run, frame, rule, index);
  }
  name_item(frame, source, node, item);
  if (source->where) {
    enum status status = node ? plain_truth(run, frame, source->where, node, &yes) : truth(run, frame, source->where, item, &yes);
    if (status != STATUS_OK) return status;
    if (watched) fml_hit(run, source->ast->mark + (yes ? FML_WHERE_TRUE : FML_WHERE_FALSE));
    if (!yes) return STATUS_OK;
  }
  if (rule->source_count > 1) return run_first(run, frame, rule, index, node, item);
  take_item(run, node);
  return fire(run, frame, rule, watched);
}

static enum status run_sources(struct fml_run *run, struct fml_frame *frame, const struct prog_rule *rule, size_t index) {
  const struct prog_source *source = &rule->sources[index];
  if (frame->lists[source->context].count) return run_source(run, frame, rule, index, run->watched);
  if (run->params->trace) skipped_unset(run, rule, source);
  return STATUS_OK;
}

/* The rule's condition is false: the text that it asks for is another. */
static bool cannot_hold(const struct fml_run *run, const struct fml_frame *frame, const struct prog_rules *rules, size_t index,
                        struct fml_chosen *chosen) {
  const struct prog_choice *choice = rules->beside ? rules->beside->choice : NULL;
  if (!choice || index >= FML_CHOICE_RULES || !(choice->asks >> index & 1)) return false;
  if (fml_may_hold(choice, frame, chosen) >> index & 1) return false;
  fml_hit(run, rules->rules[index].sources->ast->mark + FML_WHERE_FALSE);
  return true;
}

static void FML_SELDOM reached(struct fml_run *run, const struct prog_rule *rule, bool set) {
  if (set)
    fml_hit(run, rule->ast->mark + FML_REACHED);
  else if (run->params->trace)
    skipped_unset(run, rule, rule->sources);
}

/* A list that has something beside it, or somebody who looks on. */
static enum status FML_APART run_other_rules(struct fml_run *run, struct fml_frame *frame, const struct prog_rules *rules) {
  enum status status = STATUS_OK;
  struct tree_node *outer = run->focus;
  bool watched = run->watched, traced = run->params->trace;
  struct fml_chosen chosen = {0};
  for (size_t i = 0; rules->beside && i < rules->beside->shared_count; i++)
    fml_set_slot(frame, rules->beside->shared[i], NULL);
  for (size_t i = 0; i < rules->count && status == STATUS_OK; i++) {
    const struct prog_rule *rule = run->rule = &rules->rules[i];
    bool set = frame->lists[rule->sources->context].count != 0;
    if (watched) reached(run, rule, set);
    if (!set || (!traced && cannot_hold(run, frame, rules, i, &chosen))) continue;
    status = run_source(run, frame, rule, 0, watched);
    run->focus = outer;
  }
  return status;
}

static enum status run_rules(struct fml_run *run, struct fml_frame *frame, const struct prog_rules *rules) {
  struct tree_node *outer = run->focus;
  if (rules->beside || run->watched) return run_other_rules(run, frame, rules);
  for (const struct prog_rule *rule = rules->rules, *end = rule + rules->count; rule < end; rule++) {
    run->rule = rule;
    if (frame->lists[rule->sources->context].count == 0) continue;
    enum status status = run_source(run, frame, rule, 0, false);
    if (status != STATUS_OK) return status;
    run->focus = outer;
  }
  return STATUS_OK;
}

/* --- groups ----------------------------------------------------------------------------------------------
 */

static enum status load_constants(struct fml_run *run, const struct prog_group *group,
                                  struct fml_frame *frame) {
  const struct mapping_map *map = group->map;
  for (size_t i = 0; i < map->constant_count; i++) {
    size_t k = map->first_constant + i;
    if (!run->constants_done[k]) {
      enum status status = fml_eval(run, frame, map->constant_values[i], NULL, &run->constants[k]);
      if (status != STATUS_OK && status != STATUS_INVALID) return status;
      run->constants_done[k] = true;
    }
    fml_set_slot(frame, (int)(group->constant_slot + i),
                 run->constants[k].count ? run->constants[k].items : NULL);
  }
  return STATUS_OK;
}

static void pass_direct(const struct prog_group *group, struct fml_frame *frame, const struct fp_item *direct) {
  for (size_t i = 0; i < group->param_count; i++)
    fml_put_slot(frame, (int)i, &direct[i]);
}

static void FML_APART pass_literal(struct fp_list *list, const struct prog_arg *arg) {
  list->count = 1;
  list->items[0] = (struct fp_item){.kind = FP_STRING, .string = arg->text};
}

/* Arguments into the callee's first slots; false when a target has no value: there is nothing to write to. */
static inline bool pass_arguments(const struct prog_group *group, struct fml_frame *frame,
                                  const struct fml_frame *caller, const struct prog_call *call) {
  struct fp_item *item = frame->items, *from = caller->items;
  struct fp_list *list = frame->lists, *lists = caller->lists;
  const int *slots = call ? call->slots : NULL;
  for (size_t i = 0, count = group->param_count; i < count; i++, item++, list++) {
    int slot = slots ? slots[i] : (int)i;
    if (slot < 0) {
      pass_literal(list, &call->args[i]);
      continue;
    }
    list->count = lists[slot].count;
    if (list->count)
      *item = from[slot];
    else if (group->is_target[i])
      return false;
  }
  return true;
}

static void FML_SELDOM tell_group(struct fml_run *run, const struct prog_group *group) {
  fml_hit(run, group->ast->mark);
  if (run->params->trace)
    trace(run, MAPPING_GROUP, group->map, group->ast->name.at, group->ast->name.text, STR(""), NULL);
}

static inline enum status run_in_frame(struct fml_run *run, const struct prog_group *group,
                                       struct fml_frame *frame) {
  enum status status = STATUS_OK;
  run->depth++;
  if (run->watched) tell_group(run, group);
  if (group->map->constant_count) status = load_constants(run, group, frame);
  if (status == STATUS_OK && group->parent) status = fml_run_group(run, group->parent, frame, NULL);
  if (status == STATUS_OK) status = run_rules(run, frame, &group->rules);
  run->depth--;
  return status;
}

static enum status FML_SELDOM too_deep(struct fml_run *run) {
  fml_failed(run, DIAG_MAP_EXECUTION, NULL, "groups call each other more than %zu deep", run->max_depth);
  return STATUS_LIMIT;
}

static void FML_SELDOM tell_not_called(struct fml_run *run, const struct prog_group *group) {
  if (run->params->trace && run->rule)
    fml_trace(run, MAPPING_EMPTY, run->rule->ast->at,
              arena_printf(run->arena, "the group %.*s is not called: what it should write to has no value",
                           STR_ARG(group->ast->name.text)),
              NULL);
}

static FML_WITHIN enum status run_group(struct fml_run *run, const struct prog_group *group, struct fml_frame *caller,
                                        const struct prog_call *call, const struct fp_item *direct) {
  enum status status = STATUS_OK;
  if (run->depth + 1 >= run->max_depth) return too_deep(run);
  struct fml_slots *piece = piece_for(run, group->slot_count);
  if (!piece) return STATUS_NOMEM;
  struct fml_frame frame = open_frame(piece, group->slot_count);
  if (direct) pass_direct(group, &frame, direct);
  if (direct || pass_arguments(group, &frame, caller, call))
    status = run_in_frame(run, group, &frame);
  else if (run->watched)
    tell_not_called(run, group);
  piece->used -= group->slot_count;
  return status;
}

enum status fml_run_group(struct fml_run *run, const struct prog_group *group, struct fml_frame *caller,
                          const struct fp_item *direct) {
  return run_group(run, group, caller, NULL, direct);
}

static enum status run_calls(struct fml_run *run, struct fml_frame *frame, const struct prog_rule *rule) {
  enum status status = STATUS_OK;
  for (size_t i = 0; i < rule->call_count && status == STATUS_OK; i++) {
    status = run_group(run, rule->calls[i].group, frame, &rule->calls[i], NULL);
    run->rule = rule;
  }
  return status;
}

/* --- a whole run -----------------------------------------------------------------------------------------
 */

static bool prepare(struct fml_run *run, const struct mapping_set *set, const struct mapping_run *params) {
  run->set = set;
  run->params = params;
  run->arena = params->arena;
  run->diags = params->diags;
  run->hits = params->coverage ? params->coverage->hits : NULL;
  run->watched = run->hits || params->trace;
  run->max_depth = params->max_depth ? params->max_depth : LIMIT_MAP_DEPTH;
  run->max_steps = params->max_steps ? params->max_steps : LIMIT_MAP_STEPS;
  run->constants = ARENA_ARRAY(run->arena, struct fp_list, set->constant_count + 1);
  run->constants_done = ARENA_ARRAY(run->arena, bool, set->constant_count + 1);
  run->lookups.root = run->source;
  run->fp = (struct fp_run){.host = params->host,
                            .arena = run->arena,
                            .diags = run->diags,
                            .resource = run->source,
                            .mark_read = true,
                            .place = params->place,
                            .known_time = &run->known_time,
                            .matching = &run->matching,
                            .kept = &run->kept,
                            .lookups = &run->lookups,
                            .place_of = place_of,
                            .place_context = run};
  return run->constants && run->constants_done;
}

/* An instance of a logical model says what it is, as a resource does. */
static bool name_model(struct fml_run *run, struct tree_node *root, const struct def_type *type) {
  if (def_type_kind(type) != DEF_LOGICAL) return true;
  struct tree_node *name = tree_new(run->arena, TREE_STRING, STR("resourceType"));
  if (!name) return false;
  name->text = def_type_name(type);
  name->flags |= TREE_META;
  tree_append(root, name);
  return true;
}

/* The record must be of the type that the map reads. */
static bool reads(const struct mapping_map *map, const struct tree_node *source) {
  const struct def_type *type = mapping_source_type(map);
  return !type || !node_type(source) || def_type_is(node_type(source), type) ||
         def_type_is(type, node_type(source));
}

static enum status cannot_start(const struct mapping_map *map, const struct mapping_run *params,
                                const char *why) {
  struct diag_at at = {.source = &map->source, .offset = map->groups ? map->groups->name.at : 0};
  diag_error(params->diags, DIAG_MAP_ARGUMENTS, &at, "%s", why);
  return STATUS_INVALID;
}

enum status mapping_run(const struct mapping_set *set, const struct mapping_map *map,
                        const struct mapping_run *params, struct tree_node *source,
                        struct tree_node **target) {
  struct fml_run run = {.source = source};
  struct fp_item arguments[2];
  *target = NULL;
  const struct def_type *type = mapping_target_type(map);
  if (!map->entry || map->entry->ast->param_count != 2 || map->entry->ast->params->is_target ||
      !map->entry->ast->params->next->is_target)
    return cannot_start(map, params, "the first group must take one source and one target");
  if (!type) return cannot_start(map, params, "the target of the first group has no type");
  if (!reads(map, source))
    return cannot_start(map, params, "the source is not of the type that this group takes");
  if (!prepare(&run, set, params)) return STATUS_NOMEM;
  struct tree_node *root = definitions_make_root(set->definitions, run.arena, type);
  if (!root || !name_model(&run, root, type)) return STATUS_NOMEM;
  run.target = root;
  run.focus = source;
  arguments[0] = (struct fp_item){.kind = FP_NODE, .node = source};
  arguments[1] = (struct fp_item){.kind = FP_NODE, .node = root};
  enum status status = fml_run_group(&run, map->entry, NULL, arguments);
  if (status == STATUS_OK && run.nomem) status = STATUS_NOMEM;
  if (status == STATUS_LIMIT) status = STATUS_INVALID;
  if (status == STATUS_OK && run.failed) status = STATUS_INVALID;
  if (status == STATUS_OK) *target = root;
  return status;
}
