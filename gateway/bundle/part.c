/* part.c - the Bundle of one part of a plan, with what is known of the server by then. */
#include "bundle/internal.h"

struct part {
  const struct bundle_params *params;
  const struct bundle_plan *plan;
  const struct bundle_known *known;
  size_t from, to;
  struct map urls; /* fullUrl -> entry of the plan */
  bool listed;
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

/* Only where something is copied it is asked who is meant. */
static enum status list_urls(struct part *part) {
  const struct bundle_plan *plan = part->plan;
  enum status status = STATUS_OK;
  for (size_t i = 0; i < plan->entry_count && !part->listed && status == STATUS_OK; i++)
    status = map_put(&part->urls, plan->entries[i].full_url, &plan->entries[i]);
  part->listed = true;
  return status;
}

static enum status copy_entry(struct part *part, struct tree_node *bundle, size_t index) {
  const struct bundle_params *params = part->params;
  enum status status = bundle_plan_trees(params, part->plan);
  if (status != STATUS_OK) return status;
  struct tree_node *entry = tree_copy(part->plan->entries[index].entry, params->arena);
  if (!entry) return STATUS_NOMEM;
  tree_append(bundle, entry);
  bundle_mark_remove(entry);
  status = list_urls(part);
  if (status == STATUS_OK) status = bundle_each_reference(bundle_reference_type(params), entry, relocate, part);
  if (status != STATUS_OK) return status;
  bundle_sweep(entry);
  return part->known[index].location.len ? update_by_id(part, entry, &part->known[index]) : STATUS_OK;
}

static struct part begin(const struct bundle_params *params, const struct bundle_plan *plan, size_t part,
                         const struct bundle_known *known) {
  struct part making = {.params = params, .plan = plan, .known = known};
  making.from = bundle_part_begin(plan, part);
  making.to = plan->part_ends[part];
  map_init(&making.urls, params->arena);
  return making;
}

enum status bundle_part_make(const struct bundle_params *params, const struct bundle_plan *plan, size_t part,
                             const struct bundle_known *known, struct tree_node **out) {
  struct part making = begin(params, plan, part, known);
  struct tree_node *bundle = definitions_make_root(params->definitions, params->arena,
                                                   definitions_type(params->definitions, STR("Bundle")));
  if (!bundle) return STATUS_NOMEM;
  enum status status = bundle_set(params, bundle, "type", bundle_word(params->shape->submit));
  for (size_t i = making.from; i < making.to && status == STATUS_OK; i++)
    if (!known[i].leave) status = copy_entry(&making, bundle, i);
  if (status == STATUS_OK && making.incomplete) status = STATUS_CONFLICT;
  if (status == STATUS_OK) *out = bundle;
  return status;
}

/* --- its text: most entries go as they were read, and are neither copied nor written for that --- */

/* Nothing is known by now that changes more than where its references lead. */
static bool is_as_read(const struct part *part, size_t index) {
  const struct bundle_entry *entry = &part->plan->entries[index];
  if (!entry->text.len || entry->mentioned || part->known[index].location.len) return false;
  for (size_t t = 0; t < entry->target_count; t++) {
    size_t target = entry->targets[t];
    const struct bundle_known *known = &part->known[target];
    bool goes_too = target >= part->from && target < part->to && !known->leave && !known->absent;
    if (!known->location.len && !goes_too) return false;
  }
  return true;
}

static enum status write_as_read(const struct part *part, size_t index, struct buf *out) {
  const struct bundle_entry *entry = &part->plan->entries[index];
  size_t from = 0;
  for (size_t t = 0; t < entry->target_count; t++) {
    struct str location = part->known[entry->targets[t]].location;
    if (!location.len) continue;
    buf_add_str(out, str_slice(entry->text, from, entry->places[t]));
    buf_add_json(out, location);
    from = entry->places[t] + part->plan->entries[entry->targets[t]].full_url.len + 2; /* with its quotes */
  }
  buf_add_str(out, str_slice(entry->text, from, entry->text.len));
  return out->error;
}

static enum status write_entry(struct part *part, size_t index, struct buf *out) {
  if (is_as_read(part, index)) return write_as_read(part, index, out);
  struct tree_node *holder = tree_new(part->params->arena, TREE_OBJECT, (struct str){0});
  enum status status = holder ? copy_entry(part, holder, index) : STATUS_NOMEM;
  if (status != STATUS_OK) return status;
  tree_write_json(holder->child, NULL, out);
  return out->error;
}

static enum status write_part(struct part *part, struct buf *out) {
  enum status status = STATUS_OK;
  const char *before = "\",\"entry\":[";
  buf_add_text(out, "{\"resourceType\":\"Bundle\",\"type\":\"");
  buf_add_str(out, bundle_word(part->params->shape->submit));
  for (size_t i = part->from; i < part->to && status == STATUS_OK; i++) {
    if (part->known[i].leave) continue;
    buf_add_text(out, before);
    status = write_entry(part, i, out);
    before = ",";
  }
  buf_add_text(out, "]}");
  if (status == STATUS_OK) status = out->error;
  return status == STATUS_OK && part->incomplete ? STATUS_CONFLICT : status;
}

enum status bundle_part_write(const struct bundle_params *params, const struct bundle_plan *plan, size_t part,
                              const struct bundle_known *known, struct str *out) {
  enum { USUAL = 8 << 10 };
  struct part making = begin(params, plan, part, known);
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  (void)buf_reserve(&text, USUAL);
  enum status status = write_part(&making, &text);
  *out = status == STATUS_OK ? buf_take_str(&text, params->arena) : (struct str){0};
  buf_release(&text);
  return status == STATUS_OK && !out->ptr ? STATUS_NOMEM : status;
}
