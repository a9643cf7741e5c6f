/* search.c - the ways to find a resource on a server: the record's own identifier, then those it is known by. */
#include "bundle/internal.h"

struct searching {
  const struct bundle_params *params;
  struct str type;
  struct str own; /* system of record identifiers */
  struct bundle_search *out;
  size_t count;
};

static enum status add(struct searching *searching, bool by_tag, struct str system, struct str value, bool own) {
  struct arena *arena = searching->params->arena;
  struct str query = bundle_match_query(!by_tag, system, value, arena);
  struct str url = query.ptr ? arena_printf(arena, "%.*s?%.*s", STR_ARG(searching->type), STR_ARG(query)) : query;
  if (!url.ptr) return STATUS_NOMEM;
  searching->out[searching->count++] = (struct bundle_search){url, system, value, by_tag, own};
  return STATUS_OK;
}

/* Those of one system; of any other than the record's when `system` is empty. */
static enum status add_system(struct searching *searching, const struct tree_node *resource, struct str system) {
  enum status status = STATUS_OK;
  for (const struct tree_node *i = tree_find(resource, "identifier"); i && status == STATUS_OK; i = tree_next_same(i)) {
    struct str of = tree_text(i, "system"), value = tree_text(i, "value");
    if (of.len == 0 || value.len == 0 || str_eq(of, searching->own)) continue;
    if (system.len == 0 || str_eq(of, system)) status = add(searching, false, of, value, false);
  }
  return status;
}

static const struct bundle_lookup *lookup_of(const struct bundle_shape *shape, struct str type) {
  for (size_t i = 0; i < shape->lookup_count; i++)
    if (str_eq(shape->lookups[i].type, type)) return &shape->lookups[i];
  return NULL;
}

enum status bundle_searches(const struct bundle_params *params, const struct tree_node *resource,
                            struct str own_system, struct bundle_entry *entry) {
  struct searching searching = {.params = params, .type = entry->type, .own = own_system};
  const struct bundle_lookup *lookup = lookup_of(params->shape, entry->type);
  bool by_identifier;
  size_t room = 1;
  struct str key = bundle_identity_of(resource, own_system, &by_identifier);
  for (const struct tree_node *i = tree_find(resource, "identifier"); i; i = tree_next_same(i))
    room++;
  searching.out = ARENA_ARRAY(params->arena, struct bundle_search, room * (lookup ? lookup->system_count + 1 : 1));
  if (!searching.out) return STATUS_NOMEM;
  enum status status = add(&searching, !by_identifier, own_system, key, true);
  for (size_t i = 0; lookup && i < lookup->system_count && status == STATUS_OK; i++)
    status = add_system(&searching, resource, lookup->systems[i]);
  if (!lookup && status == STATUS_OK && bundle_matches_identifier(params->definitions, entry->type))
    status = add_system(&searching, resource, (struct str){0});
  entry->searches = searching.out;
  entry->search_count = searching.count;
  if (status == STATUS_OK) entry->request_url = searching.out[0].url;
  return status;
}
