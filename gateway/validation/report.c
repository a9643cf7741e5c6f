/* report.c - findings: where a node stands in the text and in the tree. */
#include "validation/internal.h"

/* A node made by a map has no place in the text; its nearest ancestor may have one. */
static size_t offset_of(const struct tree_node *node) {
  while (node && node->offset == 0)
    node = node->parent;
  return node ? tree_offset(node) : 0;
}

void validation_report(struct validation_walk *walk, enum diag_severity severity, enum diag_code code,
                       const struct tree_node *node, const char *format, ...) {
  va_list args;
  va_start(args, format);
  struct str message = arena_vprintf(walk->run->arena, format, args);
  va_end(args);
  struct diag_at at = {.source = walk->run->source,
                       .offset = offset_of(node),
                       .path = definitions_path(node, walk->run->arena)};
  diag_add(walk->run->diags, severity, code, &at, "%.*s", STR_ARG(message));
}

bool validation_note_once(struct validation_walk *walk, struct str key) {
  return map_put(&walk->noted, key, walk) == STATUS_OK;
}
