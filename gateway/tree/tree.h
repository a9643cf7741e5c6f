/*
 * tree.h - the element tree that every stage passes on, and JSON and XML in and out.
 *
 * A clinic record, an HL7 v2 message, a StructureDefinition and a FHIR resource are all this tree. Repeating
 * elements are siblings of the same name (as in FHIRPath), so `"given": ["A", "B"]` gives two nodes `given`
 * flagged TREE_IN_ARRAY. Sibling repetitions are always adjacent.
 *
 * Two states. *Raw*: as read; names are the JSON member names, `_birthDate` is a node of its own, `element`
 * and `type` are NULL, `symbol` is 0. *Bound*: definitions_bind() has laid the definitions over it:
 * `element`, `type` and `symbol` are set where known, `_birthDate` has been folded into `birthDate` (its
 * children are the primitive's children), "resourceType" is flagged TREE_META. This stage never looks into
 * `element` and `type`.
 *
 * Numbers keep their text: `text` of a number is the very bytes of the source, and they are written back
 * unchanged.
 *
 * Ownership: nodes and decoded strings live in an arena; text without escapes is a view of the source, which
 * must live as long as the tree. Nodes may be moved between trees of one arena. One thread at a time. Caps:
 * struct tree_limits; errors: diagnostics with line and column; NOMEM by status.
 */
#ifndef KETLINK_TREE_TREE_H
#define KETLINK_TREE_TREE_H

#include "base/base.h"

enum tree_kind {
  TREE_OBJECT,  /* has children only */
  TREE_STRING,  /* text: decoded value */
  TREE_NUMBER,  /* text: as written */
  TREE_BOOLEAN, /* text: "true" or "false" */
  TREE_NULL     /* JSON null; after binding: a primitive that has only id or extensions (text empty) */
};

enum tree_flag {
  TREE_IN_ARRAY = 1,    /* an item of a JSON array: written in brackets */
  TREE_EMPTY_ARRAY = 2, /* stands for `[]`; kind TREE_NULL */
  TREE_META = 4,        /* not an element (resourceType): skipped by walks, written first */
  TREE_READ = 8,        /* some rule read it (map coverage) */
  TREE_BOUND = 16,      /* definitions_bind has looked at it */
  TREE_MARK = 32,       /* free for one walk at a time; cleared by who set it */
  TREE_ATTRIBUTE = 64,  /* read from an XML attribute */
  TREE_XML = 128        /* at a root read from XML: arrays and kinds are settled by definitions_bind */
};

/* What a walk over siblings looks at stands first, in one line of the processor's cache. */
struct tree_node {
  struct tree_node *next;   /* next sibling */
  uint32_t symbol;          /* of the model's name ("value"); 0 = not bound */
  uint32_t offset;          /* byte offset in the source + 1; 0 = made here */
  uint16_t order;           /* position in the parent's definition, for ordered insertion */
  uint8_t kind;             /* enum tree_kind */
  uint8_t flags;            /* enum tree_flag */
  uint32_t lacks;           /* see tree_lacks; 0 = nothing is known */
  struct tree_node *child;  /* first child */
  struct tree_node *last;   /* last child */
  struct tree_node *parent; /* NULL at the root */
  const void *type;         /* const struct def_type *, see definitions.h */
  const void *element;      /* const struct def_element * */
  struct str name;          /* JSON member name ("valueQuantity"); empty at the root of a document */
  struct str text;          /* value of a primitive */
};

struct tree_limits {
  size_t bytes, depth, children, number_chars; /* a depth above 256 counts as 256, in writing too */
};
/* The defaults of base/limits.h. */
struct tree_limits tree_limits_default(void);

/* --- JSON
 * ------------------------------------------------------------------------------------------------------- */

/* Reads one JSON value, an object or array at the top. Refuses (with position): what is not RFC 8259, invalid UTF-8, NUL, lone surrogates, duplicate member names, arrays in arrays, text after the
   value, and what is over a limit. An array at the top gives an unnamed object whose children are the items,
   unnamed and TREE_IN_ARRAY. STATUS_INVALID with diagnostics, STATUS_NOMEM. limits NULL = defaults. */
enum status tree_read_json(const struct source *source, const struct tree_limits *limits, struct arena *arena,
                           struct diag_list *diags, struct tree_node **out) MUST_USE;

/* --- XML
 * ------------------------------------------------------------------------------------------------------- */

/* Reads one XML document (1.0, UTF-8, with or without a byte order mark). Refuses (with position): what is
   not well formed or not UTF-8, any document type declaration (and so entities of its own), and what is over
   a limit; nothing outside the text is ever opened. The root gets TREE_XML.

   A root in FHIR's namespace gives the shape of JSON: resources get `resourceType`, here and where an element
   holds one; the attribute `value` is the text of its element (always TREE_STRING), `id` and `url` are
   children flagged TREE_ATTRIBUTE, a narrative's div is its text, extensions of a primitive are its children
   (there is no `_x`). definitions_bind then flags arrays and sets kinds. Text beside elements, foreign
   elements and misplaced attributes are diagnostics, and the reading goes on (STATUS_OK).

   Any other root gives its local name to the root node; attributes are children flagged TREE_ATTRIBUTE (one
   of XMLSchema-instance only if it is `xsi:type`, under that name), text that is not blank is the text of its
   element, which is TREE_STRING then. A name of another namespace than the root's keeps its prefix.

   Siblings of one name that stand apart are brought together; their offsets still tell. */
enum status tree_read_xml(const struct source *source, const struct tree_limits *limits, struct arena *arena,
                          struct diag_list *diags, struct tree_node **out) MUST_USE;
/* By the first character: '<', perhaps after a byte order mark and blanks, is XML. */
bool tree_is_xml(struct str text);
enum status tree_read(const struct source *source, const struct tree_limits *limits, struct arena *arena,
                      struct diag_list *diags, struct tree_node **out) MUST_USE;

enum tree_xml_as { TREE_XML_ELEMENT, TREE_XML_ATTRIBUTE, TREE_XML_TEXT };
/* How a node of a logical model is written. */
struct tree_xml_form {
  enum tree_xml_as as;
  struct str name;  /* empty: the node's own */
  struct str space; /* namespace; empty: the parent's */
  struct str type;  /* of xsi:type; empty: none */
};
struct tree_write_xml {
  bool pretty;
  struct str name, space; /* of the root; empty: resourceType, and FHIR's namespace */
  /* NULL: as FHIR says; else asked for each node below the root. */
  void (*describe)(const struct tree_node *node, struct tree_xml_form *out);
};
/* A tree to XML. A resource needs no binding, but `_x` must have been folded. Primitives have their text in
   the attribute `value` unless `describe` says otherwise. Errors stand in out->error; STATUS_INVALID: a
   character that XML does not have, or a div that is not well formed. */
void tree_write_xml(const struct tree_node *root, const struct tree_write_xml *options, struct buf *out);

/* --- lines
 * ----------------------------------------------------------------------------------------------------- */

/* NDJSON: the end of the line that starts at `from` (its line end not included). */
size_t tree_line_end(struct str text, size_t from);

struct tree_write {
  bool pretty;     /* two spaces of indent, one member a line, LF */
  bool keep_empty; /* write objects without members and null primitives (source trees); default: leave them
                      out */
};
/* Raw or bound tree to JSON. Siblings of one name flagged TREE_IN_ARRAY are written as an array, also when
   single; a bound primitive with children is written with its `_name` partner (arrays padded with null).
   Errors stand in out->error. */
void tree_write_json(const struct tree_node *root, const struct tree_write *options, struct buf *out);
/* The same on one line into the arena. LIMIT beyond LIMIT_TEXT_BYTES, NOMEM. */
enum status tree_write_text(const struct tree_node *root, struct arena *arena, struct str *out) MUST_USE;
/* One JSON string literal, quotes included. */
void tree_write_string(struct str value, struct buf *out);

/* --- walking
 * ------------------------------------------------------------------------------------------------------ */

static inline bool tree_is_meta(const struct tree_node *node) {
  return (node->flags & TREE_META) != 0;
}
/* No child has this symbol: known without looking at them, for most of the symbols that no child has. Who binds a tree, or makes a bound
   node, keeps `lacks`: one bit for all symbols of the same remainder, set as long as no child has one of them. Children without a symbol
   make it 0, but for TREE_META ones, which no symbol names; one that is taken away leaves it as it is. */
enum { TREE_LACKS_BITS = 32 };
#define TREE_LACKS_ALL UINT32_MAX
static inline bool tree_lacks(const struct tree_node *node, uint32_t symbol) {
  return (node->lacks >> symbol % TREE_LACKS_BITS & 1) != 0;
}
static inline uint32_t tree_lacks_but(uint32_t lacks, const struct tree_node *child) {
  if (child->symbol) return lacks & ~((uint32_t)1 << child->symbol % TREE_LACKS_BITS);
  return tree_is_meta(child) ? lacks : 0;
}
/* First child or sibling that is not TREE_META; NULL at the end. */
struct tree_node *tree_first(const struct tree_node *node);
struct tree_node *tree_next(const struct tree_node *node);
/* The next node in document order, TREE_META included, within `root`; NULL at the end. */
static inline struct tree_node *tree_following(const struct tree_node *root, const struct tree_node *node) {
  if (node->child) return node->child;
  while (node != root && !node->next)
    node = node->parent;
  return node == root ? NULL : node->next;
}
/* First child with this JSON name, or NULL. */
struct tree_node *tree_find(const struct tree_node *node, const char *name);
struct tree_node *tree_find_str(const struct tree_node *node, struct str name);
/* Next sibling of the same name, or NULL. */
struct tree_node *tree_next_same(const struct tree_node *node);
/* Text of the first child of that name; empty view if absent. */
struct str tree_text(const struct tree_node *node, const char *name);
static inline size_t tree_offset(const struct tree_node *node) {
  return node->offset ? node->offset - 1 : 0;
}
/* `Patient.name[0].given[1]`: `root` is the name of the root (the type), indices where the node is
   TREE_IN_ARRAY. Written into the arena; ptr NULL when it is full. */
struct str tree_path(const struct tree_node *node, struct str root, struct arena *arena);
/* The same without indices. */
struct str tree_path_plain(const struct tree_node *node, struct str root, struct arena *arena);

/* --- building
 * ----------------------------------------------------------------------------------------------------- */

struct tree_node *tree_new(struct arena *arena, enum tree_kind kind, struct str name) MUST_USE;
/* Part of tree_insert_ordered. */
void tree_insert_among(struct tree_node *parent, struct tree_node *child);
static inline void tree_append(struct tree_node *parent, struct tree_node *child) {
  struct tree_node *before = parent->last;
  child->parent = parent;
  child->next = NULL;
  parent->lacks = tree_lacks_but(parent->lacks, child);
  *(before ? &before->next : &parent->child) = child;
  parent->last = child;
}
/* After the last sibling whose order is not greater: keeps the order of the definitions. */
static inline void tree_insert_ordered(struct tree_node *parent, struct tree_node *child) {
  if (parent->last && parent->last->order > child->order)
    tree_insert_among(parent, child);
  else
    tree_append(parent, child);
}
void tree_remove(struct tree_node *child);
/* All children of all nodes into the order of the definitions; equals stay as they stand. */
void tree_sort(struct tree_node *root);
/* Deep copy; text views are shared. NULL when the arena is full. */
struct tree_node *tree_copy(const struct tree_node *node, struct arena *arena) MUST_USE;
/* Same names, kinds, texts and children in the same order; offsets and flags aside. */
bool tree_equal(const struct tree_node *a, const struct tree_node *b);

#endif
