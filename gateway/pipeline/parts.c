/* parts.c - a record whose route says that it goes in parts: one item of a list at a time, as if the others were not there. */
#include "pipeline/internal.h"

static enum status list_children(const struct tree_node *node, struct arena *arena, struct pipeline_children *out) {
  size_t count = 0;
  for (const struct tree_node *child = node->child; child; child = child->next)
    count++;
  *out = (struct pipeline_children){.items = ARENA_ARRAY(arena, struct tree_node *, count + 1)};
  if (!out->items) return STATUS_NOMEM;
  for (struct tree_node *child = node->child; child; child = child->next)
    out->items[out->count++] = child;
  return STATUS_OK;
}

static bool is_within(const struct tree_node *node, const struct tree_node *whole) {
  while (node && node != whole)
    node = node->parent;
  return node;
}

static enum status add_part(struct pipeline_parts *parts, struct tree_node *item, struct arena *arena) {
  struct pipeline_part *part = &parts->parts[parts->count];
  part->item = item;
  enum status status = list_children(item->parent, arena, &part->siblings);
  parts->count += status == STATUS_OK;
  return status;
}

static enum status refuse_many(const struct intake_record *record, struct diag_list *diags) {
  diag_error(diags, DIAG_INPUT_TOO_LARGE, &(struct diag_at){.source = &record->source},
             "the record is more than %d records in one", PIPELINE_PARTS_MAX);
  return STATUS_INVALID;
}

static enum status take_found(const struct fp_list *found, const struct intake_record *record, struct arena *arena,
                              struct diag_list *diags, struct pipeline_parts *out) {
  if (found->count > PIPELINE_PARTS_MAX) return refuse_many(record, diags);
  out->root = record->root;
  out->parts = ARENA_ARRAY(arena, struct pipeline_part, found->count + 1);
  if (!out->parts) return STATUS_NOMEM;
  enum status status = list_children(record->root, arena, &out->children);
  for (size_t i = 0; status == STATUS_OK && i < found->count; i++)
    if (found->items[i].kind == FP_NODE && found->items[i].node->parent)
      status = add_part(out, found->items[i].node, arena);
  return status;
}

enum status pipeline_parts(const struct pipeline *pipeline, const struct intake_record *record, struct arena *arena,
                           struct diag_list *diags, struct pipeline_parts *out) {
  struct fp_item slot;
  struct fp_list found = {0};
  *out = (struct pipeline_parts){0};
  const struct fp_program *program = record->route ? pipeline->ways[record->route - pipeline->routes.routes].split : NULL;
  if (!program) return STATUS_OK;
  struct fp_run run = {.host = pipeline->host, .arena = arena, .diags = diags, .resource = record->root};
  enum status status = fhirpath_eval(program, &run, fp_one_node(&slot, record->root), &found);
  return status == STATUS_OK && found.count > 1 ? take_found(&found, record, arena, diags, out) : status;
}

static bool is_other(const struct pipeline_parts *parts, const struct tree_node *node, const struct tree_node *item) {
  for (size_t i = 0; i < parts->count; i++)
    if (is_within(parts->parts[i].item, node)) return !is_within(item, node);
  return false;
}

/* Those of its children that have nothing to do with a part, or with this one. */
static void show(const struct pipeline_parts *parts, struct tree_node *node, const struct pipeline_children *children,
                 const struct tree_node *item) {
  node->child = node->last = NULL;
  for (size_t i = 0; i < children->count; i++) {
    if (is_other(parts, children->items[i], item)) continue;
    children->items[i]->next = NULL;
    tree_append(node, children->items[i]);
  }
}

void pipeline_show_part(const struct pipeline_parts *parts, size_t index) {
  const struct pipeline_part *part = &parts->parts[index];
  show(parts, part->item->parent, &part->siblings, part->item);
  show(parts, parts->root, &parts->children, part->item);
}
