/* part.c - the Bundle of one part of a plan, with what is known of the server by then. */
#include "bundle/internal.h"

struct part {
  const struct bundle_params *params;
  const struct bundle_plan *plan;
  const struct bundle_known *known;
  size_t from, to;
  struct map urls; /* fullUrl -> entry of the plan */
  bool incomplete; /* a reference that FHIR wants leads nowhere */
};

static enum status fail_unknown(const struct part *part, const struct tree_node *text) {
  struct diag_at at = {.path = definitions_path(text, part->params->arena)};
  diag_error(part->params->diags, DIAG_REFERENCE_UNRESOLVED, &at,
             "the server's id of what this refers to is not known");
  return STATUS_INVALID;
}

/* By the identifier that the server would know it by, if it did. */
static enum status name_it(struct part *part, struct tree_node *reference, const struct bundle_entry *target) {
  const struct bundle_search *by = &target->searches[target->search_count > 1 ? 1 : 0];
  if (!part->params->shape->resolved_references)
    return bundle_make_logical(part->params, reference, target->type, by->system, by->value);
  struct tree_node *gone = bundle_removable(reference);
  part->incomplete |= gone == NULL;
  if (gone) gone->flags |= TREE_MARK;
  return STATUS_OK;
}

static enum status relocate(void *context, struct tree_node *reference, struct tree_node *text) {
  struct part *part = context;
  const struct bundle_entry *target = map_get(&part->urls, text->text);
  if (!target) return STATUS_OK;
  size_t index = (size_t)(target - part->plan->entries);
  const struct bundle_known *known = &part->known[index];
  if (known->location.len) {
    text->text = known->location;
    return STATUS_OK;
  }
  if (known->absent) return name_it(part, reference, target);
  return index >= part->from && index < part->to && !known->leave ? STATUS_OK : fail_unknown(part, text);
}

/* An update by id: the id in the address and in the body, and only of the version that was seen. */
static enum status update_by_id(const struct part *part, struct tree_node *entry, const struct bundle_known *known) {
  const struct bundle_params *params = part->params;
  struct tree_node *request = tree_find(entry, "request"), *resource = tree_find(entry, "resource");
  struct str id = str_slice(known->location, str_find_char(known->location, '/', 0) + 1, known->location.len);
  if (!request || !resource) return STATUS_INVALID;
  struct tree_node *condition = tree_find(request, "ifNoneExist");
  if (condition) tree_remove(condition);
  enum status status = bundle_set(params, request, "method", STR("PUT"));
  if (status == STATUS_OK) status = bundle_set(params, request, "url", known->location);
  if (status == STATUS_OK) status = bundle_set(params, resource, "id", id);
  if (status != STATUS_OK || !known->version.len) return status;
  struct str match = arena_printf(params->arena, "W/\"%.*s\"", STR_ARG(known->version));
  return match.ptr ? bundle_set(params, request, "ifMatch", match) : STATUS_NOMEM;
}

static enum status copy_entry(struct part *part, struct tree_node *bundle, size_t index) {
  const struct bundle_params *params = part->params;
  struct tree_node *entry = tree_copy(part->plan->entries[index].entry, params->arena);
  if (!entry) return STATUS_NOMEM;
  tree_append(bundle, entry);
  bundle_mark_remove(entry);
  enum status status = bundle_each_reference(params->definitions, entry, relocate, part);
  if (status != STATUS_OK) return status;
  bundle_sweep(entry);
  return part->known[index].location.len ? update_by_id(part, entry, &part->known[index]) : STATUS_OK;
}

enum status bundle_part_make(const struct bundle_params *params, const struct bundle_plan *plan, size_t part,
                             const struct bundle_known *known, struct tree_node **out) {
  struct part making = {.params = params, .plan = plan, .known = known};
  making.from = bundle_part_begin(plan, part);
  making.to = plan->part_ends[part];
  struct tree_node *bundle = definitions_make_root(params->definitions, params->arena,
                                                   definitions_type(params->definitions, STR("Bundle")));
  if (!bundle) return STATUS_NOMEM;
  map_init(&making.urls, params->arena);
  enum status status = bundle_set(params, bundle, "type", bundle_word(params->shape->submit));
  for (size_t i = 0; i < plan->entry_count && status == STATUS_OK; i++)
    status = map_put(&making.urls, plan->entries[i].full_url, &plan->entries[i]);
  for (size_t i = making.from; i < making.to && status == STATUS_OK; i++)
    if (!known[i].leave) status = copy_entry(&making, bundle, i);
  if (status == STATUS_OK && making.incomplete) status = STATUS_CONFLICT;
  if (status == STATUS_OK) *out = bundle;
  return status;
}
