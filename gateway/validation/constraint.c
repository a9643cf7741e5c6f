/* constraint.c - constraints: FHIRPath rules of elements, types and models, compiled when first needed. */
#include "validation/internal.h"

static enum status compile_typed(struct validation *validation, const struct validation_rule *rule,
                                 bool typed, struct diag_list *diags, struct fp_program **out) {
  struct source *source = ARENA_NEW(validation->arena, struct source);
  if (!source) return STATUS_NOMEM;
  *source = source_make(rule->constraint.key, rule->constraint.expression);
  struct fp_compile params = {.definitions = validation->definitions,
                              .input = typed ? rule->input : NULL,
                              .resource = typed ? rule->resource : NULL,
                              .source = source,
                              .to = source->text.len,
                              .unfused = validation->plainly};
  return fhirpath_compile(&params, validation->arena, diags, out, NULL);
}

/* Under the lock. A rule of a profile may speak of what another resource has: then names are resolved as it
 * runs. */
static void compile(struct validation *validation, struct validation_rule *rule, struct validation_ways *ways) {
  struct fp_program *program = NULL;
  struct diag_list diags, again;
  diag_list_init(&diags, validation->arena);
  diag_list_init(&again, validation->arena);
  enum status status = compile_typed(validation, rule, true, &diags, &program);
  if (status == STATUS_INVALID && !rule->logical)
    status = compile_typed(validation, rule, false, &again, &program);
  if (status == STATUS_NOMEM && !arena_is_capped(validation->arena)) return; /* it stays new: the next record tries again */
  if (program && ways && !validation->plainly) validation_find_ways(validation, rule, program, ways);
  rule->why = diags.first ? diags.first->message : STR("no memory");
  atomic_store_explicit(&rule->program, program, memory_order_relaxed);
  atomic_store_explicit(&rule->state, status == STATUS_OK ? VALIDATION_RULE_READY : VALIDATION_RULE_BROKEN,
                        memory_order_release);
}

/* NULL: it cannot be compiled, `why` says it; or there was no memory for it now, which is the walk's status. */
static const struct fp_program *program_of(struct validation_walk *walk, struct validation_rule *rule, struct validation_ways *ways) {
  if (atomic_load_explicit(&rule->state, memory_order_acquire) == VALIDATION_RULE_NEW) {
    struct validation *shared = (struct validation *)(uintptr_t)walk->validation;
    pthread_mutex_lock(&shared->lock);
    if (atomic_load_explicit(&rule->state, memory_order_relaxed) == VALIDATION_RULE_NEW)
      compile(shared, rule, ways);
    if (atomic_load_explicit(&rule->state, memory_order_relaxed) == VALIDATION_RULE_NEW) walk->status = STATUS_NOMEM;
    pthread_mutex_unlock(&shared->lock);
  }
  return atomic_load_explicit(&rule->program, memory_order_relaxed);
}

static void report_broken(const struct validation_visit *visit, const struct validation_rule *rule,
                          struct str why) {
  const struct def_constraint *constraint = &rule->constraint;
  if (visit->walk->quiet) return;
  struct str note = arena_concat(visit->walk->run->arena, STR("rule "), constraint->key);
  if (!validation_note_once(visit->walk, note)) return;
  validation_report(visit->walk, rule->logical ? DIAG_ERROR : DIAG_INFORMATION, DIAG_CONSTRAINT_BROKEN,
                    visit->node, "the rule %.*s was not checked: %.*s", STR_ARG(constraint->key),
                    STR_ARG(why));
}

/* Kept until the walk ends: a rule of a record that stumbles over a value of the wrong type elsewhere in the
   record says nothing that the finding on that value does not say. */
static void defer_broken(const struct validation_visit *visit, const struct validation_rule *rule,
                         struct str why) {
  struct validation_broken *broken = ARENA_NEW(visit->walk->run->arena, struct validation_broken);
  if (!broken) {
    visit->walk->status = STATUS_NOMEM;
    return;
  }
  *broken = (struct validation_broken){visit->walk->broken, *visit, rule, why};
  visit->walk->broken = broken;
}

void validation_report_broken(struct validation_walk *walk) {
  if (walk->malformed) return;
  for (const struct validation_broken *broken = walk->broken; broken; broken = broken->next)
    report_broken(&broken->visit, broken->rule, broken->why);
}

static bool has_child(const struct tree_node *node, uint32_t symbol) {
  for (const struct tree_node *child = node->child; child; child = child->next)
    if (child->symbol == symbol) return true;
  return false;
}

static int conforms(void *context, struct tree_node *node, const struct def_type *profile) {
  struct validation_walk *walk = context;
  return validation_conforms(walk, node, profile);
}

static struct fp_run run_of(struct validation_walk *walk, struct diag_list *diags) {
  diag_list_init(diags, walk->run->arena);
  return (struct fp_run){.host = walk->run->host,
                         .arena = walk->run->arena,
                         .diags = diags,
                         .steps = &walk->steps,
                         .matching = &walk->matching,
                         .resource = walk->resource,
                         .root_resource = walk->container,
                         .conforms = conforms,
                         .conforms_context = walk,
                         .resolve = walk->run->resolve ? validation_fetch : NULL,
                         .resolve_context = walk};
}

bool validation_evaluate(struct validation_walk *walk, const struct validation_rule *rule,
                         struct tree_node *node, struct fp_list *out) {
  struct diag_list diags;
  struct fp_item slot;
  struct fp_run run = run_of(walk, &diags);
  const struct fp_program *program = program_of(walk, (struct validation_rule *)(uintptr_t)rule, NULL);
  return program && fhirpath_eval(program, &run, fp_one_node(&slot, node), out) == STATUS_OK;
}

bool validation_rule_holds(struct validation_walk *walk, const struct validation_rule *rule,
                           struct tree_node *node) {
  struct diag_list diags;
  struct fp_run run = run_of(walk, &diags);
  bool holds = true;
  const struct fp_program *program = program_of(walk, (struct validation_rule *)(uintptr_t)rule, NULL);
  if (program && fhirpath_truth(program, &run, node, &holds) != STATUS_OK) holds = true;
  return holds;
}

/* What was put into the arena meanwhile to stay must not be thrown away. */
static void check_rule(const struct validation_visit *visit, struct validation_rule *rule, struct validation_ways *ways) {
  struct validation_walk *walk = visit->walk;
  bool holds = false;
  if (rule->needs && !has_child(visit->node, rule->needs)) return;
  if (rule->best_practice && (!walk->run->best_practice || walk->resource != walk->container)) return;
  if (rule->logical && visit->malformed) return;
  if (walk->quiet && !rule->constraint.is_error) return;
  const struct fp_program *program = program_of(walk, rule, ways);
  if (!program) {
    if (walk->status != STATUS_NOMEM) report_broken(visit, rule, rule->why);
    return;
  }
  struct diag_list diags;
  size_t kept = walk->kept;
  const void *matching = walk->matching;
  struct arena_mark mark = arena_mark(walk->run->arena);
  struct fp_run run = run_of(walk, &diags);
  enum status status = fhirpath_truth(program, &run, visit->node, &holds);
  if (status == STATUS_NOMEM) walk->status = status;
  if (status != STATUS_OK) { /* the reason lives in the arena: no rewinding */
    struct str why = diags.first ? diags.first->message : STR("it cannot be evaluated");
    rule->logical ? defer_broken(visit, rule, why) : report_broken(visit, rule, why);
    return;
  }
  if (walk->kept == kept && walk->matching == matching) arena_rewind(walk->run->arena, mark);
  if (!holds) validation_report_rule(walk, visit->node, &rule->constraint);
}

static void check_rules(const struct validation_visit *visit, const struct validation_rules *rules) {
  for (size_t i = 0; i < rules->count; i++)
    if (!validation_is_certain(visit->walk, visit->node, &rules->ways[i])) check_rule(visit, &rules->items[i], &rules->ways[i]);
}

void validation_check_rules(const struct validation_visit *visit) {
  check_rules(visit, &visit->element->rules);
}

void validation_check_type_rules(const struct validation_visit *visit) {
  check_rules(visit, &visit->plan->rules);
}
