/* mark.c - what maps say of resources by tags; those that are made where there are none and never updated: from the tag to the plan. */
#include "bundle/internal.h"

static const char local_system[] = "http://ketlink.dev/fhir/CodeSystem/local";
static const char mark_url[] = "http://ketlink.dev/fhir/StructureDefinition/create-only";

struct tree_node *bundle_tag(const struct tree_node *resource, const char *code) {
  const struct tree_node *meta = tree_find(resource, "meta");
  struct tree_node *tag = meta ? tree_find(meta, "tag") : NULL;
  while (tag && !(str_is(tree_text(tag, "code"), code) && str_is(tree_text(tag, "system"), local_system)))
    tag = tree_next_same(tag);
  return tag;
}

bool bundle_mark_take(struct tree_node *resource) {
  struct tree_node *tag = bundle_tag(resource, "create-only"), *meta = tag ? tag->parent : NULL;
  if (!tag) return false;
  tree_remove(tag);
  if (!meta->child) tree_remove(meta);
  return true;
}

/* An item of a conversation that may wait for days in a store: the mark must outlast the map's run. */
enum status bundle_mark_put(const struct bundle_params *params, struct tree_node *request) {
  const struct def_type *type = NULL;
  struct tree_node *mark = bundle_add_child(params, request, "extension");
  if (!mark) return STATUS_NOMEM;
  enum status status = bundle_set(params, mark, "url", str_of(mark_url));
  if (status != STATUS_OK) return status;
  const struct def_element *element = def_type_json(node_type(mark), STR("valueBoolean"), &type);
  struct tree_node *value = element ? definitions_make(params->definitions, params->arena, mark, element, type) : NULL;
  if (!value) return STATUS_NOMEM;
  value->kind = TREE_BOOLEAN;
  value->text = STR("true");
  return STATUS_OK;
}

static struct tree_node *find_mark(const struct tree_node *entry) {
  const struct tree_node *request = tree_find(entry, "request");
  struct tree_node *mark = request ? tree_find(request, "extension") : NULL;
  while (mark && !str_is(tree_text(mark, "url"), mark_url))
    mark = tree_next_same(mark);
  return mark;
}

bool bundle_mark_is_named(struct str url) {
  return str_is(url, mark_url);
}

bool bundle_mark_is(const struct tree_node *entry) {
  return find_mark(entry) != NULL;
}

void bundle_mark_remove(struct tree_node *entry) {
  struct tree_node *mark = find_mark(entry);
  if (mark) tree_remove(mark);
}

void bundle_take_marks(struct tree_node *bundle) {
  for (struct tree_node *entry = tree_find(bundle, "entry"); entry; entry = tree_next_same(entry))
    bundle_mark_remove(entry);
}

/* Where nothing may be made it is looked for, as what is only read. */
unsigned bundle_may_mentioned(unsigned may) {
  unsigned rest = may & ~(unsigned)BUNDLE_UPDATE;
  return may && !rest ? BUNDLE_READ : rest;
}
