/* references.c - finds every Reference.reference of a bound tree. */
#include "bundle/internal.h"

const struct def_type *bundle_reference_type(const struct bundle_params *params) {
  return definitions_type(params->definitions, STR("Reference"));
}

enum status bundle_each_reference(const struct def_type *reference, struct tree_node *root, bundle_visit *visit,
                                  void *context) {
  for (struct tree_node *node = root; node; node = tree_following(root, node)) {
    if (node_type(node) != reference || node->kind != TREE_OBJECT) continue;
    struct tree_node *text = tree_find(node, "reference");
    if (!text || text->kind != TREE_STRING) continue;
    enum status status = visit(context, node, text);
    if (status != STATUS_OK) return status;
  }
  return STATUS_OK;
}
