/*
 * source.h - a named text and its lines: byte offset -> line and column.
 *
 * Every stage keeps only 32-bit byte offsets; line and column are computed when a person is to be told.
 * Columns count characters (code points), from 1; lines end with LF, CR LF or CR. Immutable after
 * source_init, but for a lazily built line table: one thread at a time.
 */
#ifndef KETLINK_BASE_SOURCE_H
#define KETLINK_BASE_SOURCE_H

#include "base/arena.h"
#include "base/str.h"

struct source {
  struct str name; /* as the user named it: a path or "-" */
  struct str text;
  uint32_t first_line; /* number of the text's first line: 1, or the line of an NDJSON record */
};

struct source_position {
  uint32_t line; /* 0: unknown */
  uint32_t col;
};

static inline struct source source_make(struct str name, struct str text) {
  return (struct source){name, text, 1};
}

/* Offsets beyond the text give the position of its end. Linear in the offset. */
struct source_position source_locate(const struct source *source, size_t offset);

/* The last place located: going on from it makes many positions in ascending order linear in all. Zero to begin. */
struct source_cursor {
  const char *text;
  size_t offset;
  struct source_position position;
};
struct source_position source_locate_next(const struct source *source, size_t offset, struct source_cursor *cursor);

#endif
