/* validation.c - making a validator, and one run of it. */
#include <stdlib.h>
#include "validation/internal.h"

enum { PLAN_BYTES = 128 << 20 };

static void find_known(struct validation *validation) {
  const struct definitions *definitions = validation->definitions;
  struct validation_known *known = &validation->known;
  known->reference = definitions_type(definitions, STR("Reference"));
  known->coding = definitions_type(definitions, STR("Coding"));
  known->concept = definitions_type(definitions, STR("CodeableConcept"));
  known->quantity = definitions_type(definitions, STR("Quantity"));
  known->bundle = definitions_type(definitions, STR("Bundle"));
  known->extension = definitions_type(definitions, STR("Extension"));
  known->attachment = definitions_type(definitions, STR("Attachment"));
  known->identifier = definitions_type(definitions, STR("Identifier"));
  known->narrative = definitions_type(definitions, STR("Narrative"));
  known->observation = definitions_type(definitions, STR("Observation"));
  known->parameters = definitions_type(definitions, STR("Parameters"));
  known->contained = definitions_symbol(definitions, STR("contained"));
  known->extension_symbol = definitions_symbol(definitions, STR("extension"));
  known->modifier_symbol = definitions_symbol(definitions, STR("modifierExtension"));
  known->value = definitions_symbol(definitions, STR("value"));
  known->meta = definitions_symbol(definitions, STR("meta"));
  known->profile = definitions_symbol(definitions, STR("profile"));
  known->url = definitions_symbol(definitions, STR("url"));
  known->id = definitions_symbol(definitions, STR("id"));
  known->system = definitions_symbol(definitions, STR("system"));
  known->code = definitions_symbol(definitions, STR("code"));
  known->display = definitions_symbol(definitions, STR("display"));
  known->coding_symbol = definitions_symbol(definitions, STR("coding"));
  known->entry = definitions_symbol(definitions, STR("entry"));
  known->full_url = definitions_symbol(definitions, STR("fullUrl"));
  known->search = definitions_symbol(definitions, STR("search"));
  known->type = definitions_symbol(definitions, STR("type"));
  known->request = definitions_symbol(definitions, STR("request"));
  known->response = definitions_symbol(definitions, STR("response"));
  known->version = definitions_symbol(definitions, STR("versionId"));
  known->reference_symbol = definitions_symbol(definitions, STR("reference"));
  known->resource = definitions_symbol(definitions, STR("resource"));
}

enum status validation_new(const struct validation_params *params, struct diag_list *diags,
                           struct validation **out) {
  const struct definitions *definitions = params->definitions;
  struct validation *validation = calloc(1, sizeof *validation);
  (void)diags;
  *out = NULL;
  if (!validation) return STATUS_NOMEM;
  validation->arena = arena_new(PLAN_BYTES);
  if (!validation->arena || pthread_mutex_init(&validation->lock, NULL) != 0) {
    arena_free(validation->arena);
    free(validation);
    return STATUS_NOMEM;
  }
  validation->definitions = definitions;
  validation->constraints = params->constraints;
  validation->settings = params->settings;
  validation->setting_count = params->setting_count;
  validation->internal_references = params->internal_references;
  validation->plainly = params->plainly;
  find_known(validation);
  *out = validation;
  return STATUS_OK;
}

void validation_free(struct validation *validation) {
  if (!validation) return;
  pthread_mutex_destroy(&validation->lock);
  arena_free(validation->arena);
  free(validation);
}

static void check_against(struct validation_walk *walk, const struct def_type *type) {
  const struct validation_plan *plan = validation_plan_of(walk->validation, type);
  walk->resource = walk->container = walk->root;
  if (plan)
    validation_walk_node(walk, walk->root, NULL, plan, 0);
  else
    walk->status = STATUS_NOMEM;
}

/* Of all rules together: a rule that asks for a profile brings that profile's rules along. */
static size_t steps_for(const struct validation_run *run) {
  enum { PER_BYTE = 200 };
  return run->source ? 2u * LIMIT_EVAL_STEPS + PER_BYTE * run->source->text.len : 20u * LIMIT_EVAL_STEPS;
}

static void report_steps(struct validation_walk *walk) {
  if (walk->steps) return;
  validation_report(walk, DIAG_ERROR, DIAG_FHIRPATH_LIMIT, walk->root,
                    "the rules take too many steps: not all of them were checked");
}

/* No verdict without the whole: whoever looks at the list alone must see it. */
static void report_depth(struct validation_walk *walk) {
  if (walk->status == STATUS_LIMIT)
    validation_report(walk, DIAG_ERROR, DIAG_INPUT_TOO_DEEP, walk->root,
                      "elements are nested more than %d deep: not all of them were checked", LIMIT_DEPTH);
}

enum status validation_check(const struct validation *validation, const struct validation_run *run,
                             struct tree_node *root) {
  struct validation_walk walk = {.validation = validation, .run = run, .root = root, .steps = steps_for(run)};
  struct diag *last = run->diags->last;
  map_init(&walk.noted, run->arena);
  map_init(&walk.judged, run->arena);
  map_init(&walk.applied, run->arena);
  map_init(&walk.fetched, run->arena);
  if (!node_type(root)) return STATUS_OK; /* binding has said why */
  walk.is_bundle = node_type(root) == validation->known.bundle;
  walk.is_record = def_type_kind(node_type(root)) == DEF_LOGICAL;
  walk.is_message = walk.is_record && str_starts(def_type_name(node_type(root)), STR("V2_"));
  walk.is_parameters = node_type(root) == validation->known.parameters;
  validation_index_bundle(&walk);
  check_against(&walk, node_type(root));
  bool found = true;
  for (size_t i = 0; i < run->profile_count && walk.status == STATUS_OK; i++)
    found &= validation_check_profile(&walk, run->profiles[i]) != STATUS_NOT_FOUND;
  validation_check_wanted(&walk);
  validation_check_pending(&walk);
  validation_report_broken(&walk);
  report_steps(&walk);
  report_depth(&walk);
  if (run->source) validation_sort(run->diags, last);
  return walk.status == STATUS_OK && !found ? STATUS_NOT_FOUND : walk.status;
}
