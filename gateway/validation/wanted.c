/* wanted.c - profiles that the receiver wants: each resource must conform to one of those for its type. */
#include "validation/internal.h"

/* The profile, when it constrains the type of the resource; else NULL. */
static const struct def_type *wanted_of(const struct validation_walk *walk, const struct tree_node *resource,
                                        size_t index) {
  const struct def_type *profile =
      definitions_type(walk->validation->definitions, str_of(walk->run->wanted[index]));
  return profile && node_type(resource) == def_type_constrained(profile) ? profile : NULL;
}

/* Findings go to a list of their own: whether they count is not known before all profiles have been tried. */
static void try_profile(struct validation_walk *walk, struct tree_node *resource,
                        const struct def_type *profile, struct diag_list *found) {
  const struct validation_run *run = walk->run;
  struct validation_run aside = *run;
  diag_list_init(found, run->diags->arena);
  aside.diags = found;
  walk->run = &aside;
  validation_apply(walk, resource, profile);
  walk->run = run;
}

static void check_resource(struct validation_walk *walk, struct tree_node *resource) {
  struct diag_list best = {0};
  const struct def_type *nearest = NULL;
  size_t tried = 0;
  for (size_t i = 0; i < walk->run->wanted_count && !validation_done(walk); i++) {
    const struct def_type *profile = wanted_of(walk, resource, i);
    struct diag_list found;
    if (!profile) continue;
    try_profile(walk, resource, profile, &found);
    if (!nearest || diag_errors(&found) < diag_errors(&best)) {
      best = found;
      nearest = profile;
    }
    tried++;
    if (!diag_failed(&found)) break;
  }
  if (!nearest) return;
  if (diag_failed(&best) && tried > 1)
    validation_report(walk, DIAG_ERROR, DIAG_PROFILE_MISMATCH, resource,
                      "conforms to none of the %zu profiles that are wanted of a %.*s; the nearest is %.*s",
                      tried, STR_ARG(def_type_name(node_type(resource))), STR_ARG(def_type_url(nearest)));
  diag_take(walk->run->diags, &best, DIAG_FATAL);
}

void validation_check_wanted(struct validation_walk *walk) {
  if (!walk->run->wanted_count) return;
  if (!walk->is_bundle) {
    check_resource(walk, walk->root);
    return;
  }
  for (struct tree_node *entry = tree_find(walk->root, "entry"); entry; entry = tree_next_same(entry)) {
    struct tree_node *resource = tree_find(entry, "resource");
    if (resource && node_type(resource)) check_resource(walk, resource);
  }
}
