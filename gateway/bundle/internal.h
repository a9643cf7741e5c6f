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
  uint32_t *places;  /* of each: where the entry says so, see bundle_entry */
  size_t edges, room;
};
enum status bundle_graph_init(struct bundle_graph *graph, size_t count, struct arena *arena) MUST_USE;
/* To be called before the edges of entry i are added, and once with i = count at the end. */
static inline void bundle_graph_begin(struct bundle_graph *graph, size_t i) {
  graph->first[i] = graph->edges;
}
enum status bundle_graph_add(struct bundle_graph *graph, size_t target, size_t place) MUST_USE;

/* Entries in sending order; groups of entries that refer to each other in a circle stand together. */
struct bundle_order {
  uint32_t *sequence; /* entry indices, referred to before referring */
  size_t *group_ends; /* sequence[group_ends[g - 1] … group_ends[g]) is group g */
  size_t group_count;
};
/* Strongly connected components, what is referred to first; ties and circles in the order of the entries. */
enum status bundle_order_make(const struct bundle_graph *graph, struct arena *arena,
                              struct bundle_order *out) MUST_USE;

/* What becomes of a resource of the map. */
enum bundle_fate {
  BUNDLE_GOES,
  BUNDLE_LOOKED_UP, /* only read: found on the server, never written */
  BUNDLE_LEFT_OUT,
  BUNDLE_WITHHELD, /* a psychotherapy note that nobody asked for */
  BUNDLE_UNASKED   /* the session note where it is not wanted */
};

/* The clinic's namespace and the ids of one resource. */
struct bundle_namespace {
  unsigned char id[16];
  struct str system; /* of record identifiers */
};
enum status bundle_namespace_make(struct str clinic_id, struct arena *arena,
                                  struct bundle_namespace *out) MUST_USE;
/* The system alone; ptr NULL: no memory. */
struct str bundle_record_system(struct str clinic_id, struct arena *arena);
void bundle_uuid(const struct bundle_namespace *space, struct str type_and_key, char out[UUID_TEXT]);

/* Whether R4 can search the type by identifier; else it is matched by meta.tag. */
struct bundle_item {
  struct tree_node *entry, *resource;
  struct str type, key;
  struct str name; /* Type/key, as references write it */
  struct str uuid;
  unsigned may;
  enum bundle_fate fate;
  const char *why; /* it is left out */
  bool note;       /* the session note */
  bool mentioned;  /* marked create-only */
  bool wanted;     /* something that goes refers to it */
};

struct bundle_finishing {
  const struct bundle_params *params;
  const struct def_type *reference; /* bundle_reference_type */
  struct bundle_namespace space;
  struct bundle_item *items;
  size_t count;
  struct map names; /* Type/key -> item */
  struct str matches[2]; /* bundle_match_system of its own, by tag and by identifier; made when one is needed */
  struct bundle_graph graph;
  bool failed;
};
static inline bool bundle_item_stays(const struct bundle_item *item) {
  return item->fate == BUNDLE_GOES || item->fate == BUNDLE_LOOKED_UP;
}
bool bundle_has_requests(enum bundle_submit submit);
void bundle_complain(struct bundle_finishing *finish, enum diag_severity severity, enum diag_code code,
                     const struct tree_node *node, struct str message);
#define BUNDLE_COMPLAIN(finish, severity, code, node, ...)                                                   \
  bundle_complain((finish), (severity), (code), (node), arena_printf((finish)->params->arena, __VA_ARGS__))

/* Decides the fate of every item, says so, and fills the report. */
enum status bundle_choose(struct bundle_finishing *finish) MUST_USE;
/* Puts right what the destination's rules ask for; the word of the rule that leaves the resource out, or NULL. */
const char *bundle_obey(struct bundle_finishing *finish, const struct bundle_item *item);

/* What must go when a Reference is left out: itself, or the element that cannot be without it. NULL: the
 * resource cannot. */
struct tree_node *bundle_removable(struct tree_node *reference);
/* Takes the nodes flagged TREE_MARK out, and the objects that are empty then. */
void bundle_sweep(struct tree_node *root);

/* The tag of our own system by which a map says something of a resource, or NULL. */
struct tree_node *bundle_tag(const struct tree_node *resource, const char *code);
/* Takes the map's tag create-only out of a resource; whether it was there. */
bool bundle_mark_take(struct tree_node *resource);
/* The same as an extension of a finished entry's request, for bundle_plan_make. */
enum status bundle_mark_put(const struct bundle_params *params, struct tree_node *request) MUST_USE;
bool bundle_mark_is(const struct tree_node *entry);
bool bundle_mark_is_named(struct str url);
void bundle_mark_remove(struct tree_node *entry);
/* What may be done with a resource that is only mentioned, of what the destination lets. */
unsigned bundle_may_mentioned(unsigned may);

bool bundle_matches_identifier(const struct definitions *definitions, struct str type);
/* "identifier=system%7Cvalue" or "_tag=…", values escaped for FHIR search and percent-encoded, in two steps: what its system makes
   of it is the same for all of a Bundle. ptr NULL: no memory. */
struct str bundle_match_system(bool by_identifier, struct str system, struct arena *arena);
struct str bundle_match_query(struct str of_system, struct str key, struct arena *arena);
struct bundle_pair {
  struct str system, value;
};
/* What a resource says of who it is. */
struct bundle_identity {
  struct str system; /* of the record identifier, whose value is the entry's key */
  bool by_identifier; /* else a tag has it */
  const struct bundle_pair *identifiers; /* all, in their order */
  size_t count;
};
/* Fills the searches of an entry whose type and key are set. */
enum status bundle_searches(const struct bundle_params *params, const struct bundle_identity *identity, struct bundle_entry *entry) MUST_USE;
/* The same, and what may be done with it: `mentioned` is set too. */
enum status bundle_entry_end(const struct bundle_params *params, const struct bundle_identity *identity, struct bundle_entry *entry) MUST_USE;

/* The entries of a finished Bundle, and what they say of others. */
struct bundle_text_reference {
  size_t entry, place; /* which says so, and where in its text: with its quotes */
  struct str url;
};
struct bundle_texts {
  struct bundle_entry *entries;
  size_t count, room;
  struct bundle_text_reference *references; /* in the order of the text */
  size_t reference_count, reference_room;
};
/* From params->text. NOT_FOUND: it is to be read as a tree. */
enum status bundle_text_read(const struct bundle_params *params, struct str system, struct bundle_texts *out) MUST_USE;
/* Adds the record identifier, or the tag. */
enum status bundle_add_identity(const struct bundle_params *params, struct tree_node *resource,
                                struct str system, struct str key) MUST_USE;
/* The key that bundle_add_identity wrote, and where; empty when there is none. */
struct str bundle_identity_of(const struct tree_node *resource, struct str system, bool *by_identifier);

/* Calls `visit` for each Reference.reference below root; stops at the first status that is not OK. */
typedef enum status bundle_visit(void *context, struct tree_node *reference, struct tree_node *text);
enum status bundle_each_reference(const struct def_type *reference, struct tree_node *root, bundle_visit *visit,
                                  void *context) MUST_USE;
/* The first argument of it: to be looked up once, not for each entry. */
const struct def_type *bundle_reference_type(const struct bundle_params *params);

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
/* A key fit for a message: keys of patients hold record numbers and are not shown; others hold what a record calls its things, and
   are marked as that. */
struct str bundle_shown_key(struct arena *arena, struct str key);
/* Always a new repetition of a list element. */
struct tree_node *bundle_add_child(const struct bundle_params *params, struct tree_node *parent,
                                   const char *name);

#endif
