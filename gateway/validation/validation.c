/* validation.c - making a validator, and one run of it. */
#include <stdlib.h>
#include "validation/internal.h"

enum { PLAN_BYTES = 128 << 20 };

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
  validation->internal_references = params->internal_references;
  validation->reference = definitions_type(definitions, STR("Reference"));
  validation->coding = definitions_type(definitions, STR("Coding"));
  validation->concept = definitions_type(definitions, STR("CodeableConcept"));
  validation->quantity = definitions_type(definitions, STR("Quantity"));
  validation->bundle = definitions_type(definitions, STR("Bundle"));
  validation->contained = definitions_symbol(definitions, STR("contained"));
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

static enum status check_profile(struct validation_walk *walk, const char *url) {
  const struct def_type *profile = definitions_type(walk->validation->definitions, str_of(url));
  if (!profile) {
    validation_report(walk, DIAG_ERROR, DIAG_PROFILE_UNKNOWN, walk->root,
                      "the definitions have no profile %s", url);
    return STATUS_NOT_FOUND;
  }
  if (def_type_constrained(profile) == node_type(walk->root)) {
    check_against(walk, profile);
    return walk->status;
  }
  validation_report(
      walk, DIAG_ERROR, DIAG_WRONG_TYPE, walk->root, "the profile %s is one of %.*s, not of %.*s", url,
      STR_ARG(def_type_name(def_type_constrained(profile))), STR_ARG(def_type_name(node_type(walk->root))));
  return walk->status;
}

enum status validation_check(const struct validation *validation, const struct validation_run *run,
                             struct tree_node *root) {
  struct validation_walk walk = {.validation = validation, .run = run, .root = root};
  struct diag *last = run->diags->last;
  map_init(&walk.noted, run->arena);
  if (!node_type(root)) return STATUS_OK; /* binding has said why */
  walk.is_bundle = node_type(root) == validation->bundle;
  if (walk.is_bundle) validation_index_bundle(&walk);
  check_against(&walk, node_type(root));
  for (size_t i = 0; i < run->profile_count && walk.status == STATUS_OK; i++)
    walk.status = check_profile(&walk, run->profiles[i]);
  if (run->source) validation_sort(run->diags, last);
  return walk.status;
}
