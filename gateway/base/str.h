/*
 * str.h - a view of bytes: pointer and length, no terminating NUL, no ownership.
 *
 * The bytes live in the source text, in an arena or in the mapped definition pack; a view is valid as long as
 * they are. The empty view has len 0 and may have ptr NULL. Views are passed by value.
 */
#ifndef KETLINK_BASE_STR_H
#define KETLINK_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
  const char *ptr;
  size_t len;
};

#define STR(literal) ((struct str){("" literal), sizeof(literal) - 1})
/* For printf: "%.*s", STR_ARG(s) */
#define STR_ARG(s) (int)(s).len, ((s).ptr ? (s).ptr : "")

static inline struct str str_make(const char *ptr, size_t len) {
  return (struct str){ptr, len};
}

static inline struct str str_of(const char *text) {
  return (struct str){text, text ? strlen(text) : 0};
}

static inline bool str_eq(struct str a, struct str b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool str_is(struct str a, const char *literal) {
  return str_eq(a, str_of(literal));
}

/* Order by bytes; a prefix sorts first. */
int str_cmp(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
/* Index of the first occurrence at or after `from`, or SIZE_MAX. */
size_t str_find(struct str s, struct str needle, size_t from);
size_t str_find_char(struct str s, char c, size_t from);
/* Bytes [from, to), both clamped to the view. */
struct str str_slice(struct str s, size_t from, size_t to);
/* Without leading and trailing space, tab, CR and LF. Few have any: they are looked at more closely. */
struct str str_trim_ends(struct str s);
static inline struct str str_trim(struct str s) {
  bool spaces = s.len && ((unsigned char)s.ptr[0] <= ' ' || (unsigned char)s.ptr[s.len - 1] <= ' ');
  return spaces ? str_trim_ends(s) : s;
}
/* 64-bit hash, equal on every run and machine: whoever knows it makes texts that share one. Not for tables without a cap whose keys
   a sender chooses. */
uint64_t str_hash(struct str s);
/* For those: under a key that no sender knows. */
uint64_t str_hash_keyed(struct str s, uint64_t key);
/* Whole view is an unsigned decimal number below 2^63. */
bool str_to_int64(struct str s, int64_t *out);
/* Levenshtein distance, capped: returns `cap + 1` as soon as it is exceeded. For "did you mean". */
unsigned str_distance(struct str a, struct str b, unsigned cap);

/* "Did you mean": of the known words that are offered one by one, the one that is nearest to what was written, the first of
   those that are equally near. Three edits away at most, and fewer than half of what was written. Begin with {.word = …}. */
struct str_nearest {
  struct str word, best; /* best: empty as long as none is near */
  unsigned distance;     /* of best */
};
void str_nearest_offer(struct str_nearest *nearest, struct str known);

#endif
