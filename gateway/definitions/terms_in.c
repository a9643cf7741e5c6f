/* terms_in.c - CodeSystem, ValueSet and SearchParameter trees -> builder. */
#include "definitions/build.h"
void def_extract_system(struct builder *b, const struct tree_node *node) {
  (void)b;
  (void)node;
}
void def_extract_set(struct builder *b, const struct tree_node *node) {
  (void)b;
  (void)node;
}
void def_extract_search(struct builder *b, const struct tree_node *node) {
  (void)b;
  (void)node;
}
void def_expand(struct builder *b) {
  (void)b;
}
void def_emit_terms(struct builder *b) {
  (void)b;
}
struct b_set *def_builder_set(struct builder *b, struct str url) {
  (void)b;
  (void)url;
  return NULL;
}
