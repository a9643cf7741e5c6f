/* source.c - byte offset -> line and column. */
#include "base/source.h"

/* Characters in [from, to): every byte but UTF-8 continuation bytes. */
static uint32_t characters(const char *text, size_t from, size_t to) {
  uint32_t count = 0;
  for (size_t i = from; i < to; i++)
    count += ((unsigned char)text[i] & 0xC0) != 0x80;
  return count;
}

/* Index after the next line end in [from, to), or SIZE_MAX. CR LF counts as one, ended by its LF. */
static size_t next_line(const char *text, size_t len, size_t from, size_t to) {
  const char *lf = memchr(text + from, '\n', to - from);
  size_t stop = lf ? (size_t)(lf - text) : to;
  const char *cr = memchr(text + from, '\r', stop - from);
  while (cr) {
    size_t at = (size_t)(cr - text);
    if (at + 1 >= len || text[at + 1] != '\n') return at + 1;
    cr = at + 1 < stop ? memchr(cr + 1, '\r', stop - at - 1) : NULL;
  }
  return lf ? stop + 1 : SIZE_MAX;
}

struct source_position source_locate_next(const struct source *source, size_t offset,
                                          struct source_cursor *cursor) {
  struct str text = source->text;
  if (source->map) return source->map->find(source->map, offset).position;
  if (offset > text.len) offset = text.len;
  if (cursor->text != text.ptr || cursor->position.line == 0 || cursor->offset > offset)
    *cursor = (struct source_cursor){text.ptr, 0, {source->first_line ? source->first_line : 1, 1}};
  size_t at = cursor->offset;
  struct source_position position = cursor->position;
  while (at < offset) {
    size_t next = next_line(text.ptr, text.len, at, offset);
    if (next == SIZE_MAX) break;
    at = next;
    position = (struct source_position){position.line + 1, 1};
  }
  position.col += characters(text.ptr, at, offset);
  *cursor = (struct source_cursor){text.ptr, offset, position};
  return position;
}

struct source_position source_locate(const struct source *source, size_t offset) {
  struct source_cursor cursor = {0};
  return source_locate_next(source, offset, &cursor);
}
