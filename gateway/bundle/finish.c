/* finish.c - what the map made becomes a Bundle that can travel: keys to ids, references, requests, order. */
#include "bundle/internal.h"

void bundle_complain(struct bundle_finishing *finish, enum diag_severity severity, enum diag_code code,
                     const struct tree_node *node, struct str message) {
  struct diag_at at = {.source = finish->params->source,
                       .path = definitions_path(node, finish->params->arena)};
  while (node->parent && node->offset == 0)
    node = node->parent; /* the nearest place in the record */
  at.offset = tree_offset(node);
  diag_add(finish->params->diags, severity, code, &at, "%.*s", STR_ARG(message));
  if (severity >= DIAG_ERROR) finish->failed = true;
}

/* --- collecting --- */

static enum status name_item(struct bundle_finishing *finish, struct bundle_item *item) {
  struct arena *arena = finish->params->arena;
  char uuid[UUID_TEXT];
  item->name = arena_join(arena, item->type, '/', item->key);
  if (!item->name.ptr) return STATUS_NOMEM;
  bundle_uuid(&finish->space, item->name, uuid);
  item->uuid = arena_str(arena, str_of(uuid));
  if (!item->uuid.ptr) return STATUS_NOMEM;
  enum status status = map_put(&finish->names, item->name, item);
  if (status != STATUS_CONFLICT) return status;
  BUNDLE_COMPLAIN(finish, DIAG_ERROR, DIAG_BUNDLE_KEY_DUPLICATE, item->resource,
           "two resources %.*s have the key %.*s; the server would hold one of them only",
           STR_ARG(item->type), STR_ARG(bundle_shown_key(arena, item->key)));
  return STATUS_OK;
}

static enum status collect_entry(struct bundle_finishing *finish, struct tree_node *entry) {
  struct tree_node *resource = tree_find(entry, "resource");
  struct bundle_item *item = &finish->items[finish->count];
  if (!resource || !node_type(resource)) {
    BUNDLE_COMPLAIN(finish, DIAG_ERROR, DIAG_BUNDLE_KEY_MISSING, entry, "an entry without a resource");
    return STATUS_OK;
  }
  *item = (struct bundle_item){.entry = entry, .resource = resource, .type = def_type_name(node_type(resource))};
  item->key = tree_text(resource, "id");
  finish->count++;
  if (item->key.len) return name_item(finish, item);
  BUNDLE_COMPLAIN(finish, DIAG_ERROR, DIAG_BUNDLE_KEY_MISSING, resource, "the map gave this %.*s no key (id)",
           STR_ARG(item->type));
  return STATUS_OK;
}

static enum status collect(struct bundle_finishing *finish, struct tree_node *bundle) {
  size_t count = 0;
  struct tree_node *first = tree_find(bundle, "entry");
  enum status status = STATUS_OK;
  for (struct tree_node *entry = first; entry; entry = tree_next_same(entry))
    count++;
  if (count > LIMIT_BUNDLE_ENTRIES) {
    BUNDLE_COMPLAIN(finish, DIAG_ERROR, DIAG_INPUT_TOO_MANY, bundle, "the Bundle has %zu entries; at most %d", count,
             LIMIT_BUNDLE_ENTRIES);
    return STATUS_INVALID;
  }
  finish->items = ARENA_ARRAY(finish->params->arena, struct bundle_item, count + 1);
  if (!finish->items) return STATUS_NOMEM;
  for (struct tree_node *entry = first; entry && status == STATUS_OK; entry = tree_next_same(entry))
    status = collect_entry(finish, entry);
  return status;
}

/* --- references --- */

/* `Type/…`: meant for a resource of this Bundle. Absolute URLs, urn: and #contained are not. */
static bool is_key_reference(const struct bundle_finishing *finish, struct str text) {
  size_t slash = str_find_char(text, '/', 0);
  if (slash == SIZE_MAX || slash == 0) return false;
  const struct def_type *type = definitions_type(finish->params->definitions, str_slice(text, 0, slash));
  return type && def_type_kind(type) == DEF_RESOURCE;
}

static struct str target_text(const struct bundle_finishing *finish, const struct bundle_item *target) {
  struct arena *arena = finish->params->arena;
  if (finish->params->shape->submit == BUNDLE_RESOURCES)
    return arena_join(arena, target->type, '/', target->uuid);
  return arena_concat(arena, STR("urn:uuid:"), target->uuid);
}

struct rewriting {
  struct bundle_finishing *finish;
  struct bundle_item *item;
  bool marked; /* something is to be taken out */
};

/* The note says all itself: what it cannot refer to it does without. */
static enum status replace(struct rewriting *rewriting, struct tree_node *reference,
                           const struct bundle_item *target) {
  struct bundle_finishing *finish = rewriting->finish;
  bool real = finish->params->shape->resolved_references && rewriting->item->fate == BUNDLE_GOES;
  struct tree_node *gone = real || rewriting->item->note ? bundle_removable(reference) : NULL;
  if (!gone)
    return bundle_make_logical(finish->params, reference, target->type, finish->space.system, target->key);
  gone->flags |= TREE_MARK;
  rewriting->marked = true;
  if (real)
    BUNDLE_COMPLAIN(finish, DIAG_WARNING, DIAG_BUNDLE_ADJUSTED, gone,
                    "the reference to %.*s is left out: the destination takes no logical references",
                    STR_ARG(target->type));
  return STATUS_OK;
}

static enum status rewrite(void *context, struct tree_node *reference, struct tree_node *text) {
  struct bundle_finishing *finish = ((struct rewriting *)context)->finish;
  const struct bundle_item *target = map_get(&finish->names, text->text);
  if (!target) {
    if (is_key_reference(finish, text->text))
      BUNDLE_COMPLAIN(finish, DIAG_ERROR, DIAG_REFERENCE_UNRESOLVED, text,
               "the map made no resource for this reference to %.*s",
               STR_ARG(str_slice(text->text, 0, str_find_char(text->text, '/', 0))));
    return STATUS_OK;
  }
  struct rewriting *rewriting = context;
  struct bundle_item *item = rewriting->item;
  if (!bundle_item_stays(target)) return replace(rewriting, reference, target);
  text->text = target_text(finish, target);
  if (!text->text.ptr) return STATUS_NOMEM;
  /* what is only looked up waits for nothing */
  return item->fate == BUNDLE_GOES ? bundle_graph_add(&finish->graph, (size_t)(target - finish->items), 0) : STATUS_OK;
}

static enum status rewrite_all(struct bundle_finishing *finish) {
  enum status status = bundle_graph_init(&finish->graph, finish->count, finish->params->arena);
  for (size_t i = 0; i < finish->count && status == STATUS_OK; i++) {
    struct rewriting rewriting = {.finish = finish, .item = &finish->items[i]};
    bundle_graph_begin(&finish->graph, i);
    if (!bundle_item_stays(rewriting.item)) continue;
    status = bundle_each_reference(finish->reference, rewriting.item->resource, rewrite, &rewriting);
    if (rewriting.marked) bundle_sweep(rewriting.item->resource);
  }
  if (status == STATUS_OK) bundle_graph_begin(&finish->graph, finish->count);
  return status;
}

/* --- identity and request --- */

static bool is_update(const struct bundle_shape *shape, unsigned may) {
  return shape->idempotency == BUNDLE_CONDITIONAL_UPDATE && may & BUNDLE_UPDATE;
}

static enum status set_request(const struct bundle_params *params, struct tree_node *request,
                               const struct bundle_item *item, struct str query) {
  const struct bundle_shape *shape = params->shape;
  bool lookup = item->fate == BUNDLE_LOOKED_UP, update = !lookup && is_update(shape, item->may);
  const char *method = lookup ? "GET" : update ? "PUT" : "POST";
  struct str url = lookup || update
                       ? arena_join(params->arena, item->type, '?', query)
                       : item->type;
  if (!url.ptr) return STATUS_NOMEM;
  enum status status = bundle_set(params, request, "method", str_of(method));
  if (status == STATUS_OK) status = bundle_set(params, request, "url", url);
  if (status != STATUS_OK || lookup || update || shape->idempotency == BUNDLE_SEARCH_FIRST) return status;
  return bundle_set(params, request, "ifNoneExist", query);
}

static struct str match_of(struct bundle_finishing *finish, const struct bundle_item *item) {
  struct arena *arena = finish->params->arena;
  bool by_identifier;
  struct str key = bundle_identity_of(item->resource, finish->space.system, &by_identifier);
  struct str *of_system = &finish->matches[by_identifier];
  if (!of_system->ptr) *of_system = bundle_match_system(by_identifier, finish->space.system, arena);
  return bundle_match_query(*of_system, key, arena);
}

static enum status add_request(struct bundle_finishing *finish, const struct bundle_item *item) {
  const struct bundle_params *params = finish->params;
  struct str query = match_of(finish, item);
  struct tree_node *request = bundle_child(params, item->entry, "request");
  enum status status = query.ptr && request ? set_request(params, request, item, query) : STATUS_NOMEM;
  return status == STATUS_OK && item->mentioned ? bundle_mark_put(params, request) : status;
}

static enum status identify(struct bundle_finishing *finish, const struct bundle_item *item) {
  const struct bundle_params *params = finish->params;
  struct tree_node *id = tree_find(item->resource, "id");
  enum status status = bundle_add_identity(params, item->resource, finish->space.system, item->key);
  struct str full_url = arena_concat(params->arena, STR("urn:uuid:"), item->uuid);
  if (status != STATUS_OK || !full_url.ptr) return status != STATUS_OK ? status : STATUS_NOMEM;
  status = bundle_set(params, item->entry, "fullUrl", full_url);
  if (status != STATUS_OK) return status;
  if (!bundle_has_requests(params->shape->submit)) {
    id->text = item->uuid;
    return STATUS_OK;
  }
  tree_remove(id);
  return add_request(finish, item);
}

/* --- order --- */

/* The entries that stay, in their order, in place of all: linear, where moving one by one is not. */
static void relink(struct bundle_finishing *finish, struct tree_node *bundle, const struct bundle_order *order) {
  struct tree_node **tail = &bundle->child, *last = NULL, *after;
  for (; !str_is((*tail)->name, "entry"); tail = &last->next)
    last = *tail;
  for (after = *tail; after && str_is(after->name, "entry");)
    after = after->next;
  for (size_t i = 0; i < finish->count; i++) {
    const struct bundle_item *item = &finish->items[order->sequence[i]];
    if (!bundle_item_stays(item)) continue;
    *tail = last = item->entry;
    tail = &last->next;
  }
  *tail = after;
  if (!after) bundle->last = last;
}

struct str bundle_word(enum bundle_submit submit) {
  switch (submit) {
  case BUNDLE_TRANSACTION:
    return STR("transaction");
  case BUNDLE_BATCH:
  case BUNDLE_SINGLE:
    return STR("batch");
  case BUNDLE_COLLECTION:
  case BUNDLE_RESOURCES:
    break;
  }
  return STR("collection");
}

static enum status put_in_order(struct bundle_finishing *finish, struct tree_node *bundle) {
  struct bundle_order order;
  enum status status = bundle_order_make(&finish->graph, finish->params->arena, &order);
  if (status != STATUS_OK) return status;
  if (finish->count) relink(finish, bundle, &order);
  return bundle_set(finish->params, bundle, "type", bundle_word(finish->params->shape->submit));
}

enum status bundle_finish(const struct bundle_params *params, struct tree_node *bundle) {
  struct bundle_finishing finish = {.params = params, .reference = bundle_reference_type(params)};
  map_init(&finish.names, params->arena);
  enum status status = bundle_namespace_make(params->clinic_id, params->arena, &finish.space);
  if (status == STATUS_OK) status = collect(&finish, bundle);
  if (status == STATUS_OK && !finish.failed) status = bundle_choose(&finish);
  if (status == STATUS_OK && !finish.failed) status = rewrite_all(&finish);
  if (status != STATUS_OK || finish.failed) return status != STATUS_OK ? status : STATUS_INVALID;
  for (size_t i = 0; i < finish.count && status == STATUS_OK; i++)
    if (bundle_item_stays(&finish.items[i])) status = identify(&finish, &finish.items[i]);
  return status == STATUS_OK ? put_in_order(&finish, bundle) : status;
}
