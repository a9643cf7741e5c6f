/*
 * source.h - a named text and its lines: byte offset -> line and column.
 *
 * Every stage keeps only 32-bit byte offsets; line and column are computed when a person is to be told.
 * Columns count characters (code points), from 1; lines end with LF, CR LF or CR. Immutable after
 * source_init, but for a lazily built line table: one thread at a time.
 *
 * What was put together from several files (a set of CSV tables) has no text of its own: its offsets are the
 * numbers of places, and `map` leads from them to file, line and column.
 */
#ifndef KETLINK_BASE_SOURCE_H
#define KETLINK_BASE_SOURCE_H

#include "base/arena.h"
#include "base/str.h"

struct source_position {
  uint32_t line; /* 0: unknown */
  uint32_t col;
};

/* Where an offset of a source with a map leads to. */
struct source_place {
  struct str file;
  struct source_position position;
  struct str column; /* heading of a table's column; empty: none */
};

struct source_map {
  struct source_place (*find)(const struct source_map *map, size_t offset);
};

struct source {
  struct str name; /* as the user named it: a path or "-" */
  struct str text;
  uint32_t first_line; /* number of the text's first line: 1, or the line of an NDJSON record */
  const struct source_map *map; /* NULL: offsets are bytes of the text */
};

static inline struct source source_make(struct str name, struct str text) {
  return (struct source){name, text, 1, NULL};
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
