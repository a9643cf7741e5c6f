/*
 * table.h - tests that are rows of a text file: columns between tabs, `#` lines and empty lines apart.
 * In a column %XX stands for a byte. A row that fails prints file and line before the assertion ends the
 * test.
 */
#ifndef KETLINK_TESTS_TABLE_H
#define KETLINK_TESTS_TABLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "base/base.h"

enum { TABLE_COLUMNS = 8 };

struct table_row {
  struct arena *arena; /* of this row alone */
  const char *file;
  size_t line;
  struct str column[TABLE_COLUMNS]; /* empty beyond the last */
};

#define ROW_FAIL(row, ...)                                                                                   \
  do {                                                                                                       \
    print_error("%s:%zu: ", (row)->file, (row)->line);                                                       \
    print_error(__VA_ARGS__);                                                                                \
    print_error("\n");                                                                                       \
    fail();                                                                                                  \
  } while (0)

static inline int table_hex(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                : -1;
}

static inline struct str table_decode(struct arena *arena, struct str column) {
  char *bytes = arena_alloc(arena, column.len + 1);
  size_t len = 0;
  assert_non_null(bytes);
  for (size_t i = 0; i < column.len; i++) {
    bool coded = column.ptr[i] == '%' && i + 2 < column.len && table_hex(column.ptr[i + 1]) >= 0 &&
                 table_hex(column.ptr[i + 2]) >= 0;
    if (coded) {
      bytes[len++] = (char)(table_hex(column.ptr[i + 1]) << 4 | table_hex(column.ptr[i + 2]));
      i += 2;
    } else {
      bytes[len++] = column.ptr[i];
    }
  }
  bytes[len] = '\0';
  return (struct str){bytes, len};
}

/* Calls `check` for each row of tests/golden/NAME; returns how many there were. */
static inline size_t table_run(const char *name, void (*check)(const struct table_row *row)) {
  struct arena *arena = arena_new(64 << 20);
  char path[512];
  struct str text;
  size_t count = 0, line = 0;
  assert_non_null(arena);
  snprintf(path, sizeof path, SOURCE_DIR "/tests/golden/%s", name);
  assert_int_equal(host_system()->read_file(NULL, path, 16 << 20, arena, &text), STATUS_OK);
  for (size_t at = 0; at < text.len;) {
    size_t end = str_find_char(text, '\n', at);
    if (end == SIZE_MAX) end = text.len;
    struct table_row row = {.arena = arena_new(64 << 20), .file = name, .line = ++line};
    assert_non_null(row.arena);
    struct str rest = str_slice(text, at, end);
    at = end + 1;
    bool empty = rest.len == 0 || rest.ptr[0] == '#';
    for (size_t i = 0; i < TABLE_COLUMNS && rest.ptr && !empty; i++) {
      size_t tab = str_find_char(rest, '\t', 0);
      row.column[i] = table_decode(row.arena, str_slice(rest, 0, tab));
      rest = tab == SIZE_MAX ? (struct str){0} : str_slice(rest, tab + 1, SIZE_MAX);
    }
    if (!empty) {
      check(&row);
      count++;
    }
    arena_free(row.arena);
  }
  arena_free(arena);
  return count;
}

#endif
