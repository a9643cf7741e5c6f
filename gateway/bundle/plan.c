/* plan.c - a finished Bundle cut into parts that a destination takes. */
#include "bundle/internal.h"

struct planning {
  const struct bundle_params *params;
  struct bundle_entry *entries; /* in the order of the Bundle */
  size_t count;
  struct bundle_entry *reading; /* the entry whose references are read */
  struct map urls; /* fullUrl -> entry */
  struct str system; /* of record identifiers */
  struct bundle_texts texts; /* when it is read without a tree */
  struct bundle_graph graph;
  struct bundle_order order;
  struct bundle_plan *out;
};

/* --- reading the finished Bundle --- */

static bool is_lookup(const struct bundle_entry *entry) {
  return entry->may == BUNDLE_READ;
}

/* Where a node of compact text ends: what follows it tells, else what holds it. */
static size_t end_of(struct str text, const struct tree_node *node) {
  const struct tree_node *next = node->next;
  size_t bracket = node->flags & TREE_IN_ARRAY ? 1 : 0, quotes_colon_comma = 4;
  if (!next) return node->parent ? end_of(text, node->parent) - 1 - bracket : text.len;
  if (next == tree_next_same(node)) return tree_offset(next) - 1;
  return tree_offset(next) - (next->flags & TREE_IN_ARRAY ? 1 : 0) - next->name.len - quotes_colon_comma - bracket;
}

/* An object of a Bundle that was read, as it stands there. Empty: it has to be written. */
static struct str text_of(struct str text, const struct tree_node *object) {
  size_t from = tree_offset(object), to = text.len && object->offset ? end_of(text, object) : 0;
  bool there = from < to && to <= text.len && text.ptr[from] == '{' && text.ptr[to - 1] == '}';
  return there ? str_slice(text, from, to) : (struct str){0};
}

static enum status add_edge(void *context, struct tree_node *reference, struct tree_node *text) {
  struct planning *planning = context;
  struct bundle_entry *entry = planning->reading;
  const struct bundle_entry *target = map_get(&planning->urls, text->text);
  (void)reference;
  if (!target) return STATUS_OK;
  size_t place = tree_offset(text) - (size_t)(entry->text.len ? entry->text.ptr - planning->params->text.ptr : 0);
  if (entry->text.len && text->text.ptr != entry->text.ptr + place + 1) entry->text = (struct str){0}; /* it was decoded */
  return bundle_graph_add(&planning->graph, (size_t)(target - planning->entries), place);
}

enum status bundle_entry_end(const struct bundle_params *params, const struct bundle_identity *identity, struct bundle_entry *entry) {
  entry->may = bundle_shape_may(params->shape, entry->type);
  if (entry->mentioned) entry->may = bundle_may_mentioned(entry->may);
  /* what may not be made, or not be corrected, cannot be left to a condition on the server */
  entry->look = params->shape->look_first || !(entry->may & BUNDLE_CREATE);
  return bundle_searches(params, identity, entry);
}

static enum status list_identifiers(const struct bundle_params *params, const struct tree_node *resource, struct bundle_identity *out) {
  const struct tree_node *first = tree_find(resource, "identifier");
  size_t count = 0;
  for (const struct tree_node *node = first; node; node = tree_next_same(node))
    count++;
  struct bundle_pair *pairs = ARENA_ARRAY(params->arena, struct bundle_pair, count + 1);
  if (!pairs) return STATUS_NOMEM;
  for (const struct tree_node *node = first; node; node = tree_next_same(node))
    pairs[out->count++] = (struct bundle_pair){.system = tree_text(node, "system"), .value = tree_text(node, "value")};
  out->identifiers = pairs;
  return STATUS_OK;
}

static void read_death(const struct tree_node *patient, struct bundle_entry *entry) {
  const struct tree_node *whether = tree_find(patient, "deceasedBoolean"), *when = tree_find(patient, "deceasedDateTime");
  entry->died = when || (whether && str_is(whether->text, "true"));
  entry->silent = !when && !whether && !tree_find(patient, "link");
}

static enum status read_entry(struct planning *planning, struct tree_node *node) {
  struct tree_node *resource = tree_find(node, "resource");
  struct bundle_entry *entry = &planning->entries[planning->count];
  struct bundle_identity identity = {.system = planning->system};
  if (!resource || !node_type(resource)) return STATUS_INVALID; /* not a Bundle of bundle_finish */
  *entry = (struct bundle_entry){.entry = node, .index = planning->count++, .type = def_type_name(node_type(resource))};
  entry->full_url = tree_text(node, "fullUrl");
  entry->text = text_of(planning->params->text, node);
  entry->resource = text_of(planning->params->text, resource);
  entry->mentioned = bundle_mark_is(node);
  entry->key = bundle_identity_of(resource, identity.system, &identity.by_identifier);
  if (str_is(entry->type, "Patient")) read_death(resource, entry);
  enum status status = list_identifiers(planning->params, resource, &identity);
  return status == STATUS_OK ? bundle_entry_end(planning->params, &identity, entry) : status;
}

static enum status read_tree(struct planning *planning, struct tree_node *bundle) {
  size_t count = 0;
  enum status status = STATUS_OK;
  struct tree_node *first = tree_find(bundle, "entry");
  for (struct tree_node *node = first; node; node = tree_next_same(node))
    count++;
  planning->entries = ARENA_ARRAY(planning->params->arena, struct bundle_entry, count + 1);
  if (!planning->entries) return STATUS_NOMEM;
  for (struct tree_node *node = first; node && status == STATUS_OK; node = tree_next_same(node))
    status = read_entry(planning, node);
  return status;
}

static enum status read_text(struct planning *planning) {
  enum status status = bundle_text_read(planning->params, planning->system, &planning->texts);
  planning->entries = planning->texts.entries;
  planning->count = planning->texts.count;
  return status;
}

static enum status add_tree_edges(struct planning *planning) {
  const struct def_type *reference = bundle_reference_type(planning->params);
  enum status status = STATUS_OK;
  for (size_t i = 0; i < planning->count && status == STATUS_OK; i++) {
    bundle_graph_begin(&planning->graph, i);
    planning->reading = &planning->entries[i];
    if (is_lookup(planning->reading)) continue;
    status = bundle_each_reference(reference, planning->reading->entry, add_edge, planning);
  }
  return status;
}

static enum status add_text_edges(struct planning *planning) {
  const struct bundle_texts *texts = &planning->texts;
  enum status status = STATUS_OK;
  for (size_t i = 0, r = 0; i < planning->count && status == STATUS_OK; i++) {
    bundle_graph_begin(&planning->graph, i);
    for (; r < texts->reference_count && texts->references[r].entry == i && status == STATUS_OK; r++) {
      const struct bundle_entry *target = is_lookup(&planning->entries[i]) ? NULL : map_get(&planning->urls, texts->references[r].url);
      if (target) status = bundle_graph_add(&planning->graph, target->index, texts->references[r].place);
    }
  }
  return status;
}

static enum status read_graph(struct planning *planning) {
  const struct bundle_params *params = planning->params;
  enum status status = bundle_graph_init(&planning->graph, planning->count, params->arena);
  for (size_t i = 0; i < planning->count && status == STATUS_OK; i++)
    status = map_put(&planning->urls, planning->entries[i].full_url, &planning->entries[i]);
  if (status == STATUS_OK) status = planning->texts.count ? add_text_edges(planning) : add_tree_edges(planning);
  if (status != STATUS_OK) return status;
  bundle_graph_begin(&planning->graph, planning->count);
  return bundle_order_make(&planning->graph, params->arena, &planning->order);
}

/* --- cutting into parts --- */

static void begin_part(struct bundle_plan *out) {
  if (out->entry_count > bundle_part_begin(out, out->part_count)) out->part_ends[out->part_count++] = out->entry_count;
}

static size_t part_size(const struct bundle_plan *out) {
  return out->entry_count - bundle_part_begin(out, out->part_count);
}

/* What is looked up stands first and in no part. */
static void take_lookups(struct planning *planning) {
  struct bundle_plan *out = planning->out;
  for (size_t i = 0; i < planning->count; i++)
    if (is_lookup(&planning->entries[i])) out->entries[out->entry_count++] = planning->entries[i];
  out->lookup_count = out->entry_count;
}

/* Requests that the server decides about take a limit of their own. */
static bool is_conditional(const struct bundle_shape *shape) {
  return shape->idempotency != BUNDLE_SEARCH_FIRST;
}

static size_t part_limit(const struct bundle_shape *shape) {
  size_t limit = shape->max_entries ? shape->max_entries : SIZE_MAX;
  size_t conditional = shape->max_conditional && is_conditional(shape) ? shape->max_conditional : SIZE_MAX;
  if (shape->submit == BUNDLE_SINGLE) return 1;
  return limit < conditional ? limit : conditional;
}

static enum status refuse_circle(const struct planning *planning, size_t from, size_t size, size_t limit) {
  const struct bundle_entry *first = &planning->entries[planning->order.sequence[from]];
  const struct bundle_entry *second = &planning->entries[planning->order.sequence[from + 1]];
  if (!first->entry) return STATUS_NOT_FOUND; /* a tree tells where */
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
    if (is_lookup(&planning->entries[planning->order.sequence[from]])) {
      from = end;
      continue;
    }
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
      if (target == entry || is_lookup(&planning->entries[target])) continue;
      if (levels[target] + 1 > levels[entry]) levels[entry] = levels[target] + 1;
    }
    if (levels[entry] > *highest) *highest = levels[entry];
  }
  return STATUS_OK;
}

/* The entries of a batch are worked on in any order: none may refer to another of its part. */
static enum status cut_by_level(struct planning *planning, size_t limit) {
  struct bundle_plan *out = planning->out;
  size_t highest, last = 0, count = planning->count;
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
    if (is_lookup(by_level[i])) continue;
    size_t level = levels[by_level[i] - planning->entries];
    bool first = level != last;
    last = level;
    if (first || part_size(out) == limit) begin_part(out);
    out->entries[out->entry_count++] = *by_level[i];
  }
  begin_part(out);
  return STATUS_OK;
}

/* Who refers to whom, in the plan's own numbers. */
static enum status number_targets(struct planning *planning) {
  struct bundle_plan *out = planning->out;
  const struct bundle_graph *graph = &planning->graph;
  uint32_t *places = ARENA_ARRAY(planning->params->arena, uint32_t, planning->count + 1);
  uint32_t *targets = ARENA_ARRAY(planning->params->arena, uint32_t, graph->edges + 1);
  if (!places || !targets) return STATUS_NOMEM;
  for (size_t i = 0; i < out->entry_count; i++)
    places[out->entries[i].index] = (uint32_t)i;
  for (size_t i = 0; i < out->entry_count; i++) {
    size_t from = graph->first[out->entries[i].index], to = graph->first[out->entries[i].index + 1];
    for (size_t e = from; e < to; e++)
      targets[e] = places[graph->targets[e]];
    out->entries[i].targets = targets + from;
    out->entries[i].places = graph->places + from;
    out->entries[i].target_count = to - from;
  }
  return STATUS_OK;
}

/* NOT_FOUND: without a tree it cannot be done, or told. */
static enum status make(const struct bundle_params *params, struct tree_node *bundle, struct bundle_plan *out) {
  struct planning planning = {.params = params, .out = out};
  size_t limit = part_limit(params->shape);
  *out = (struct bundle_plan){0};
  map_init(&planning.urls, params->arena);
  planning.system = bundle_record_system(params->clinic_id, params->arena);
  if (!planning.system.ptr) return STATUS_NOMEM;
  enum status status = bundle ? read_tree(&planning, bundle) : read_text(&planning);
  if (status == STATUS_OK) status = read_graph(&planning);
  if (status != STATUS_OK) return status;
  out->entries = ARENA_ARRAY(params->arena, struct bundle_entry, planning.count + 1);
  out->part_ends = ARENA_ARRAY(params->arena, size_t, planning.count + 1);
  if (!out->entries || !out->part_ends) return STATUS_NOMEM;
  take_lookups(&planning);
  status = params->shape->submit == BUNDLE_BATCH ? cut_by_level(&planning, limit) : cut_by_size(&planning, limit);
  return status == STATUS_OK ? number_targets(&planning) : status;
}

/* --- the text as a tree, for what is not as it stands there --- */

enum status bundle_read(const struct bundle_params *params, struct tree_node **out) {
  struct source *source = ARENA_NEW(params->arena, struct source);
  if (!source) return STATUS_NOMEM;
  *source = source_make(STR("store"), params->text);
  enum status status = tree_read_json(source, NULL, params->arena, params->diags, out);
  return status == STATUS_OK ? definitions_bind(params->definitions, NULL, *out, source, params->arena, params->diags) : status;
}

enum status bundle_plan_trees(const struct bundle_params *params, const struct bundle_plan *plan) {
  struct tree_node *bundle = NULL;
  size_t count = 0;
  if (!plan->entry_count || plan->entries[0].entry) return STATUS_OK;
  struct tree_node **nodes = ARENA_ARRAY(params->arena, struct tree_node *, plan->entry_count + 1);
  if (!nodes) return STATUS_NOMEM;
  enum status status = bundle_read(params, &bundle);
  if (status != STATUS_OK) return status;
  for (struct tree_node *node = tree_find(bundle, "entry"); node; node = tree_next_same(node), count++)
    if (count < plan->entry_count) nodes[count] = node;
  if (count != plan->entry_count) return STATUS_INVALID;
  for (size_t i = 0; i < count; i++)
    plan->entries[i].entry = nodes[plan->entries[i].index];
  return STATUS_OK;
}

enum status bundle_plan_make(const struct bundle_params *params, struct tree_node *bundle, struct bundle_plan *out) {
  enum status status = make(params, bundle, out);
  if (bundle || status != STATUS_NOT_FOUND) return status;
  status = bundle_read(params, &bundle);
  return status == STATUS_OK ? make(params, bundle, out) : status;
}
