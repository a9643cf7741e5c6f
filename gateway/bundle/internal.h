/* internal.h - private to bundle. */
#ifndef KETLINK_BUNDLE_INTERNAL_H
#define KETLINK_BUNDLE_INTERNAL_H

#include "bundle/bundle.h"

/* Entries and who refers to whom, for ordering. Built entry by entry, in ascending order. */
struct bundle_graph {
  struct arena *arena;
  size_t count;
  size_t *first;     /* count + 1 */
  uint32_t *targets; /* of entry i: targets[first[i] … first[i + 1]) */
  size_t edges, room;
};
enum status bundle_graph_init(struct bundle_graph *graph, size_t count, struct arena *arena) MUST_USE;
/* To be called before the edges of entry i are added, and once with i = count at the end. */
static inline void bundle_graph_begin(struct bundle_graph *graph, size_t i) {
  graph->first[i] = graph->edges;
}
enum status bundle_graph_add(struct bundle_graph *graph, size_t target) MUST_USE;

/* Entries in sending order; groups of entries that refer to each other in a circle stand together. */
struct bundle_order {
  uint32_t *sequence; /* entry indices, referred to before referring */
  size_t *group_ends; /* sequence[group_ends[g - 1] … group_ends[g]) is group g */
  size_t group_count;
};
/* Strongly connected components, what is referred to first; ties and circles in the order of the entries. */
enum status bundle_order_make(const struct bundle_graph *graph, struct arena *arena,
                              struct bundle_order *out) MUST_USE;

/* The clinic's namespace and the ids of one resource. */
struct bundle_namespace {
  unsigned char id[16];
  struct str system; /* of record identifiers */
};
enum status bundle_namespace_make(struct str clinic_id, struct arena *arena,
                                  struct bundle_namespace *out) MUST_USE;
void bundle_uuid(const struct bundle_namespace *space, struct str type_and_key, char out[UUID_TEXT]);

/* Whether R4 can search the type by identifier; else it is matched by meta.tag. */
bool bundle_matches_identifier(const struct definitions *definitions, struct str type);
/* "identifier=system%7Cvalue" or "_tag=…", values escaped for FHIR search and percent-encoded. ptr NULL: no
 * memory. */
struct str bundle_match_query(bool by_identifier, struct str system, struct str key, struct arena *arena);
/* Adds the record identifier, or the tag. */
enum status bundle_add_identity(const struct bundle_params *params, struct tree_node *resource,
                                struct str system, struct str key) MUST_USE;
/* The key that bundle_add_identity wrote, and where; empty when there is none. */
struct str bundle_identity_of(const struct tree_node *resource, struct str system, bool *by_identifier);

/* Calls `visit` for each Reference.reference below root; stops at the first status that is not OK. */
typedef enum status bundle_visit(void *context, struct tree_node *reference, struct tree_node *text);
enum status bundle_each_reference(const struct definitions *definitions, struct tree_node *root,
                                  bundle_visit *visit, void *context) MUST_USE;

/* Bundle.type of a shape. */
struct str bundle_word(enum bundle_submit submit);
/* A child of a bound node, made at its place; an existing single one is given back. NULL: no memory. */
struct tree_node *bundle_child(const struct bundle_params *params, struct tree_node *parent,
                               const char *name);
/* The same with a string value. */
enum status bundle_set(const struct bundle_params *params, struct tree_node *parent, const char *name,
                       struct str value) MUST_USE;
/* Replaces a Reference's text by a logical reference: type and identifier. */
enum status bundle_make_logical(const struct bundle_params *params, struct tree_node *reference,
                                struct str type, struct str system, struct str key) MUST_USE;
/* A key fit for a message: keys of patients hold record numbers and are not shown. */
struct str bundle_shown_key(struct str key);
/* Always a new repetition of a list element. */
struct tree_node *bundle_add_child(const struct bundle_params *params, struct tree_node *parent,
                                   const char *name);

#endif
