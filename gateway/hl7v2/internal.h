/* internal.h - private to hl7v2. */
#ifndef KETLINK_HL7V2_INTERNAL_H
#define KETLINK_HL7V2_INTERNAL_H

#include "hl7v2/hl7v2.h"

/* The delimiters of a segment MSH, FHS or BHS that starts at `at`; NULL, or why they cannot be used. */
const char *hl7v2_delims_read(struct str text, size_t at, struct hl7v2_delims *out);
/* The usual ones. */
struct hl7v2_delims hl7v2_delims_usual(void);
/* Of three characters: whether a segment may be called so. */
bool hl7v2_is_name(const char *name);
/* Whether a character may be a delimiter. */
bool hl7v2_may_separate(char c);
/* Segments whose first two fields are their delimiters. */
static inline bool hl7v2_is_header(struct str name) {
  return str_eq(name, STR("MSH")) || str_eq(name, STR("FHS")) || str_eq(name, STR("BHS"));
}
static inline bool hl7v2_is_line_end(char c) {
  return c == '\r' || c == '\n';
}
/* Parts are short: looking at each byte is faster than a call. NULL: it is not there. */
static inline const char *hl7v2_find_byte(const char *from, const char *end, char c) {
  enum { SHORT = 48 };
  if (end - from > SHORT) return memchr(from, c, (size_t)(end - from));
  while (from < end && *from != c)
    from++;
  return from < end ? from : NULL;
}
/* Nothing, or HL7's null. */
static inline bool hl7v2_is_empty(struct str run) {
  return !run.len || (run.len == 2 && run.ptr[0] == '"' && run.ptr[1] == '"');
}
/* By the byte order mark, else by the zero bytes of the first character. */
struct hl7v2_width {
  int width;   /* bytes of a character: 1, 2, 4 */
  size_t mark; /* bytes of the mark */
  bool little;
};
struct hl7v2_width hl7v2_width_of(struct str bytes);
/* Behind the first line end at or after `at`, or the end of the text. */
size_t hl7v2_line_end(struct str text, size_t at);

/* The part of a run that is its `number`-th between separators, from 1; empty, with ptr NULL, if it has fewer. A separator
   0 separates nothing. */
struct str hl7v2_part(struct str run, char separator, size_t number);

/* hl7v2_unescape of a run of a message, and whether something was kept as written that is no text. */
struct str hl7v2_unescape_of(const struct hl7v2_message *message, struct str run, struct arena *arena, bool *kept);
/* Bytes in the charset that MSH-18 names, where that is one of ISO 8859, to UTF-8: how many were written; 0: it is none, or they are no letters
   of it. */
size_t hl7v2_from_single(struct str name, struct str bytes, char *to, size_t room);

/* Where segments go: the groups that are open, the root first. */
enum { HL7V2_DEPTH_MAX = 12 };
struct hl7v2_frame {
  struct tree_node *node;
  const struct def_type *type;
  uint32_t order; /* of the element that was placed last */
};
struct hl7v2_grouping {
  const struct definitions *definitions;
  struct arena *arena;
  struct diag_list *diags;
  const struct source *source;
  size_t depth;
  struct hl7v2_frame frames[HL7V2_DEPTH_MAX];
};
/* A node for the segment at its place, bound, without children; NULL: no memory. */
struct tree_node *hl7v2_place_segment(struct hl7v2_grouping *grouping, struct str name, size_t offset);

#endif
