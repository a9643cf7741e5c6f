/* search.c - the ways to find a resource on a server: the record's own identifier, then those it is known by. */
#include "bundle/internal.h"

struct searching {
  const struct bundle_identity *identity;
  struct bundle_search *out;
  size_t count;
};

static void add(struct searching *searching, bool by_tag, struct str system, struct str value, bool own) {
  searching->out[searching->count++] = (struct bundle_search){system, value, by_tag, own};
}

/* Those of one system; of any other than the record's when `system` is empty. */
static void add_system(struct searching *searching, struct str system) {
  for (size_t i = 0; i < searching->identity->count; i++) {
    struct str of = searching->identity->identifiers[i].system, value = searching->identity->identifiers[i].value;
    if (of.len == 0 || value.len == 0 || str_eq(of, searching->identity->system)) continue;
    if (system.len == 0 || str_eq(of, system)) add(searching, false, of, value, false);
  }
}

static const struct bundle_lookup *lookup_of(const struct bundle_shape *shape, struct str type) {
  for (size_t i = 0; i < shape->lookup_count; i++)
    if (str_eq(shape->lookups[i].type, type)) return &shape->lookups[i];
  return NULL;
}

enum status bundle_searches(const struct bundle_params *params, const struct bundle_identity *identity, struct bundle_entry *entry) {
  struct searching searching = {.identity = identity};
  const struct bundle_lookup *lookup = lookup_of(params->shape, entry->type);
  searching.out = ARENA_ARRAY(params->arena, struct bundle_search, (identity->count + 1) * (lookup ? lookup->system_count + 1 : 1));
  if (!searching.out) return STATUS_NOMEM;
  add(&searching, !identity->by_identifier, identity->system, entry->key, true);
  for (size_t i = 0; lookup && i < lookup->system_count; i++)
    add_system(&searching, lookup->systems[i]);
  bool others = identity->count > identity->by_identifier; /* identifiers beside the record's own */
  if (!lookup && others && bundle_matches_identifier(params->definitions, entry->type)) add_system(&searching, (struct str){0});
  entry->searches = searching.out;
  entry->search_count = searching.count;
  return STATUS_OK;
}
