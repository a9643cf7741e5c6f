/* plan.c - a finished Bundle cut into parts that a destination takes, and the Bundle of each part. */
#include "bundle/internal.h"

struct planning {
  const struct bundle_params *params;
  struct bundle_entry *entries; /* in the order of the Bundle */
  size_t count;
  struct map urls; /* fullUrl -> entry */
  struct bundle_graph graph;
  struct bundle_order order;
  struct bundle_plan *out;
};

/* --- reading the finished Bundle --- */

static enum status add_edge(void *context, struct tree_node *reference, struct tree_node *text) {
  struct planning *planning = context;
  const struct bundle_entry *target = map_get(&planning->urls, text->text);
  (void)reference;
  return target ? bundle_graph_add(&planning->graph, (size_t)(target - planning->entries)) : STATUS_OK;
}

static enum status read_entry(struct planning *planning, const struct bundle_namespace *space,
                              struct tree_node *node) {
  struct arena *arena = planning->params->arena;
  struct tree_node *resource = tree_find(node, "resource");
  struct bundle_entry *entry = &planning->entries[planning->count];
  bool by_identifier;
  if (!resource || !node_type(resource)) return STATUS_INVALID; /* not a Bundle of bundle_finish */
  *entry = (struct bundle_entry){.entry = node, .type = def_type_name(node_type(resource))};
  entry->full_url = tree_text(node, "fullUrl");
  entry->key = bundle_identity_of(resource, space->system, &by_identifier);
  struct str query = bundle_match_query(by_identifier, space->system, entry->key, arena);
  if (!query.ptr) return STATUS_NOMEM;
  entry->request_url = arena_printf(arena, "%.*s?%.*s", STR_ARG(entry->type), STR_ARG(query));
  if (!entry->request_url.ptr) return STATUS_NOMEM;
  planning->count++;
  return map_put(&planning->urls, entry->full_url, entry);
}

static enum status read_entries(struct planning *planning, struct tree_node *bundle) {
  struct bundle_namespace space;
  size_t count = 0;
  struct tree_node *first = tree_find(bundle, "entry");
  enum status status = bundle_namespace_make(planning->params->clinic_id, planning->params->arena, &space);
  for (struct tree_node *node = first; node; node = tree_next_same(node))
    count++;
  planning->entries = ARENA_ARRAY(planning->params->arena, struct bundle_entry, count + 1);
  if (!planning->entries) return STATUS_NOMEM;
  for (struct tree_node *node = first; node && status == STATUS_OK; node = tree_next_same(node))
    status = read_entry(planning, &space, node);
  return status;
}

static enum status read_graph(struct planning *planning) {
  const struct bundle_params *params = planning->params;
  enum status status = bundle_graph_init(&planning->graph, planning->count, params->arena);
  for (size_t i = 0; i < planning->count && status == STATUS_OK; i++) {
    bundle_graph_begin(&planning->graph, i);
    status = bundle_each_reference(params->definitions, planning->entries[i].entry, add_edge, planning);
  }
  if (status != STATUS_OK) return status;
  bundle_graph_begin(&planning->graph, planning->count);
  return bundle_order_make(&planning->graph, params->arena, &planning->order);
}

/* --- cutting into parts --- */

static void begin_part(struct bundle_plan *out) {
  size_t begun = out->part_count ? out->part_ends[out->part_count - 1] : 0;
  if (out->entry_count > begun) out->part_ends[out->part_count++] = out->entry_count;
}

static size_t part_size(const struct bundle_plan *out) {
  return out->entry_count - (out->part_count ? out->part_ends[out->part_count - 1] : 0);
}

static enum status refuse_circle(const struct planning *planning, size_t from, size_t size, size_t limit) {
  const struct bundle_entry *first = &planning->entries[planning->order.sequence[from]];
  const struct bundle_entry *second = &planning->entries[planning->order.sequence[from + 1]];
  struct diag_at at = {.path = definitions_path(first->entry, planning->params->arena)};
  diag_error(planning->params->diags, DIAG_BUNDLE_CYCLE, &at,
             "%zu resources (%.*s, %.*s, …) refer to each other in a circle and must travel together; the "
             "destination takes %zu at once",
             size, STR_ARG(first->type), STR_ARG(second->type), limit);
  return STATUS_INVALID;
}

/* Circles whole, as many as fit. */
static enum status cut_by_size(struct planning *planning, size_t limit) {
  struct bundle_plan *out = planning->out;
  size_t from = 0;
  for (size_t g = 0; g < planning->order.group_count; g++) {
    size_t end = planning->order.group_ends[g], size = end - from;
    if (size > limit) return refuse_circle(planning, from, size, limit);
    if (part_size(out) + size > limit) begin_part(out);
    for (; from < end; from++)
      out->entries[out->entry_count++] = planning->entries[planning->order.sequence[from]];
  }
  begin_part(out);
  return STATUS_OK;
}

/* Length of the longest chain of references below an entry, by entry; circles are refused. */
static enum status find_levels(const struct planning *planning, size_t *levels, size_t *highest) {
  const struct bundle_graph *graph = &planning->graph;
  *highest = 0;
  for (size_t g = 0; g < planning->order.group_count; g++) {
    size_t from = g ? planning->order.group_ends[g - 1] : 0, size = planning->order.group_ends[g] - from;
    if (size > 1) return refuse_circle(planning, from, size, 1);
    uint32_t entry = planning->order.sequence[from];
    for (size_t e = graph->first[entry]; e < graph->first[entry + 1]; e++) {
      uint32_t target = graph->targets[e];
      if (target != entry && levels[target] + 1 > levels[entry]) levels[entry] = levels[target] + 1;
    }
    if (levels[entry] > *highest) *highest = levels[entry];
  }
  return STATUS_OK;
}

/* The entries of a batch are worked on in any order: none may refer to another of its part. */
static enum status cut_by_level(struct planning *planning, size_t limit) {
  struct bundle_plan *out = planning->out;
  size_t highest, count = planning->count;
  size_t *levels = ARENA_ARRAY(planning->params->arena, size_t, count + 1);
  struct bundle_entry **by_level = NULL;
  if (!levels) return STATUS_NOMEM;
  enum status status = find_levels(planning, levels, &highest);
  if (status != STATUS_OK) return status;
  size_t *starts = ARENA_ARRAY(planning->params->arena, size_t, highest + 2);
  by_level = ARENA_ARRAY(planning->params->arena, struct bundle_entry *, count + 1);
  if (!starts || !by_level) return STATUS_NOMEM;
  for (size_t i = 0; i < count; i++)
    starts[levels[i] + 1]++;
  for (size_t l = 0; l <= highest; l++)
    starts[l + 1] += starts[l];
  for (size_t i = 0; i < count; i++)
    by_level[starts[levels[i]]++] = &planning->entries[i];
  for (size_t i = 0; i < count; i++) {
    size_t level = levels[by_level[i] - planning->entries];
    bool first = i == 0 || level != levels[by_level[i - 1] - planning->entries];
    if (first || part_size(out) == limit) begin_part(out);
    out->entries[out->entry_count++] = *by_level[i];
  }
  begin_part(out);
  return STATUS_OK;
}

enum status bundle_plan_make(const struct bundle_params *params, struct tree_node *bundle,
                             struct bundle_plan *out) {
  struct planning planning = {.params = params, .out = out};
  size_t limit = params->shape->max_entries ? params->shape->max_entries : SIZE_MAX;
  *out = (struct bundle_plan){0};
  map_init(&planning.urls, params->arena);
  enum status status = read_entries(&planning, bundle);
  if (status == STATUS_OK) status = read_graph(&planning);
  if (status != STATUS_OK) return status;
  out->entries = ARENA_ARRAY(params->arena, struct bundle_entry, planning.count + 1);
  out->part_ends = ARENA_ARRAY(params->arena, size_t, planning.count + 1);
  if (!out->entries || !out->part_ends) return STATUS_NOMEM;
  if (params->shape->submit == BUNDLE_BATCH) return cut_by_level(&planning, limit);
  return cut_by_size(&planning, params->shape->submit == BUNDLE_SINGLE ? 1 : limit);
}

/* --- the Bundle of one part --- */

struct part {
  const struct bundle_params *params;
  const struct bundle_plan *plan;
  const struct str *locations;
  size_t from, to;
  struct map urls; /* fullUrl of entries of earlier parts -> its location */
};

static enum status relocate(void *context, struct tree_node *reference, struct tree_node *text) {
  struct part *part = context;
  const struct str *location = map_get(&part->urls, text->text);
  (void)reference;
  if (!location) return STATUS_OK;
  if (location->len == 0) {
    struct diag_at at = {.path = definitions_path(text, part->params->arena)};
    diag_error(part->params->diags, DIAG_REFERENCE_UNRESOLVED, &at,
               "the server's id of what this refers to is not known");
    return STATUS_INVALID;
  }
  text->text = *location;
  return STATUS_OK;
}

static enum status know_earlier(struct part *part) {
  enum status status = STATUS_OK;
  map_init(&part->urls, part->params->arena);
  for (size_t i = 0; i < part->from && status == STATUS_OK; i++)
    status = map_put(&part->urls, part->plan->entries[i].full_url, (void *)(uintptr_t)&part->locations[i]);
  return status;
}

static enum status copy_entries(struct part *part, struct tree_node *bundle) {
  const struct bundle_params *params = part->params;
  enum status status = STATUS_OK;
  for (size_t i = part->from; i < part->to && status == STATUS_OK; i++) {
    struct tree_node *entry = tree_copy(part->plan->entries[i].entry, params->arena);
    if (!entry) return STATUS_NOMEM;
    tree_append(bundle, entry);
    status = bundle_each_reference(params->definitions, entry, relocate, part);
  }
  return status;
}

enum status bundle_part_make(const struct bundle_params *params, const struct bundle_plan *plan, size_t part,
                             const struct str *locations, struct tree_node **out) {
  struct part making = {.params = params, .plan = plan, .locations = locations};
  making.from = part ? plan->part_ends[part - 1] : 0;
  making.to = plan->part_ends[part];
  struct tree_node *bundle = definitions_make_root(params->definitions, params->arena,
                                                   definitions_type(params->definitions, STR("Bundle")));
  if (!bundle) return STATUS_NOMEM;
  enum status status = bundle_set(params, bundle, "type", bundle_word(params->shape->submit));
  if (status == STATUS_OK && locations) status = know_earlier(&making);
  if (status == STATUS_OK) status = copy_entries(&making, bundle);
  if (status == STATUS_OK) *out = bundle;
  return status;
}
