/* internal.h - what the files of this stage share. */
#ifndef KETLINK_TREE_INTERNAL_H
#define KETLINK_TREE_INTERNAL_H

#include "tree/tree.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* No reading or writing nests deeper, whatever the limits say: both recurse. */
enum { TREE_DEPTH_MAX = 256 };

/* One reading of one text. The place reached is passed from function to function, not kept here: it stays in
 * a register. */
struct reader {
  const char *begin, *end;
  const struct source *source;
  struct arena *arena;
  struct diag_list *diags;
  struct tree_limits limits;
  enum status status;
};

/* All report and return NULL, which the readers pass up. */
const char *tree_read_fault(struct reader *reader, const char *at, enum diag_code code, const char *message);
/* "expected …, found …" */
const char *tree_read_unexpected(struct reader *reader, const char *at, const char *expected);
const char *tree_read_no_memory(struct reader *reader);

/* The rest of a string from `at`, where the first byte stands that is not plain ASCII text; `from` is after
   the opening quote. Gives the value and returns the place after the closing quote. */
const char *tree_read_string_rest(struct reader *reader, const char *from, const char *at, struct str *out);

/* First byte from `at` that ends a run of plain string bytes: quote, backslash, control or not ASCII; or
 * `end`. */
static inline const char *string_run(const char *at, const char *end) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x20);
  for (; end - at >= 16; at += 16) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    /* Signed: bytes from 0x80 are below 0x20 too. */
    __m128i hit = _mm_or_si128(_mm_cmplt_epi8(bytes, control),
                               _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash)));
    unsigned mask = (unsigned)_mm_movemask_epi8(hit);
    if (mask) return at + __builtin_ctz(mask);
  }
#endif
  while (at < end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' && *at != '\\')
    at++;
  return at;
}

/* Copies sixteen bytes and returns how many of them, from the first, are plain string bytes. */
static inline unsigned copy_run(const char *from, char *to) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x20);
  __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)from);
  _mm_storeu_si128((__m128i *)(void *)to, bytes);
  __m128i hit = _mm_or_si128(_mm_cmplt_epi8(bytes, control),
                             _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash)));
  return (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8(hit) | 0x10000u);
#else
  unsigned count = 0;
  for (; count < 16; count++) {
    char c = from[count];
    if ((unsigned char)c < 0x20 || (unsigned char)c >= 0x80 || c == '"' || c == '\\') break;
    to[count] = c;
  }
  return count;
#endif
}

/* --- XML --- */

#define XML_FHIR "http://hl7.org/fhir"
#define XML_XHTML "http://www.w3.org/1999/xhtml"
#define XML_INSTANCE "http://www.w3.org/2001/XMLSchema-instance"

/* Brings children of one name together, in the order of their first; false when the arena is full. */
bool tree_xml_group(struct tree_node *parent, struct arena *arena) MUST_USE;
/* A document of its own, without a document type declaration. */
bool tree_xml_well_formed(struct str text);
/* The name of an element is that of a resource: only those begin with a capital letter. */
static inline bool xml_names_resource(struct str name) {
  return name.len && name.ptr[0] >= 'A' && name.ptr[0] <= 'Z';
}
static inline bool xml_is_extension(struct str name) {
  return str_is(name, "extension") || str_is(name, "modifierExtension");
}

#endif
