/* checklist.c - a record against its model, rule by rule: which hold, which do not, which have nothing to say. */
#include "pipeline/internal.h"

const char *pipeline_mark_name(enum pipeline_mark mark) {
  static const char *const names[] = {"ok", "warning", "error", "not-applicable", "off", "not-known"};
  return names[mark];
}

struct checking {
  const struct pipeline *pipeline;
  const struct intake_record *record;
  const struct pipeline_route *way;
  struct arena *arena;
  struct diag_list *diags;
  struct pipeline_checklist *out;
};

static size_t rule_of(const struct pipeline_rules *rules, struct str key) {
  size_t i = 0;
  while (i < rules->count && !str_eq(rules->items[i].constraint.key, key))
    i++;
  return i;
}

/* Findings to marks; what is an error and no rule of care is one of the model. */
static void take_findings(struct checking *checking) {
  struct pipeline_checklist *out = checking->out;
  for (const struct diag *diag = checking->diags->first; diag; diag = diag->next) {
    size_t rule = rule_of(out->rules, diag->rule);
    bool is_error = diag->severity >= DIAG_ERROR;
    if (rule < out->rules->count && diag->code == DIAG_CONSTRAINT_FAILED)
      out->marks[rule] = is_error ? PIPELINE_FAILS : PIPELINE_WARNS;
    else
      out->model_errors += is_error;
  }
  out->model_errors += checking->diags->dropped;
}

/* A rule of which nothing was found. */
static enum pipeline_mark settle(const struct checking *checking, size_t index) {
  struct diag_list diags;
  bool applies = false;
  if (checking->out->rules->items[index].level == VALIDATION_OFF) return PIPELINE_RULE_OFF;
  if (checking->out->model_errors) return PIPELINE_NOT_KNOWN;
  diag_list_init(&diags, checking->arena);
  struct fp_run run = {.host = checking->pipeline->host,
                       .arena = checking->arena,
                       .diags = &diags,
                       .resource = checking->record->root};
  if (fhirpath_truth(checking->way->applies[index], &run, checking->record->root, &applies) != STATUS_OK)
    return PIPELINE_NOT_KNOWN;
  return applies ? PIPELINE_HOLDS : PIPELINE_NOT_APPLICABLE;
}

static void mark_rules(struct checking *checking) {
  struct pipeline_checklist *out = checking->out;
  take_findings(checking);
  for (size_t i = 0; i < out->rules->count; i++) {
    if (out->marks[i] == PIPELINE_HOLDS) out->marks[i] = settle(checking, i);
    out->by_mark[out->marks[i]]++;
  }
}

enum status pipeline_check(const struct pipeline *pipeline, const struct intake_record *record,
                           struct arena *arena, struct diag_list *diags, struct pipeline_checklist *out) {
  struct checking checking = {pipeline, record, NULL, arena, diags, out};
  *out = (struct pipeline_checklist){0};
  if (!record->route) return pipeline_refuse_resource(record, diags);
  checking.way = &pipeline->ways[record->route - pipeline->routes.routes];
  out->rules = &checking.way->rules;
  out->marks = ARENA_ARRAY(arena, enum pipeline_mark, out->rules->count + 1);
  if (!out->marks || !checking.way->applies) return STATUS_NOMEM;
  struct validation_run run = {.any_extensions = true,
                               .host = pipeline->host,
                               .arena = arena,
                               .diags = diags,
                               .source = &record->source};
  enum status status = validation_check(pipeline->validation, &run, record->root);
  if (status == STATUS_OK) mark_rules(&checking);
  return status;
}
