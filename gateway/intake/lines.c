/* lines.c - one document, or one record a line? Told from the shape of the text, before any of it is read. */
#include <strings.h>
#include "intake/internal.h"

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t skip_space(struct str text, size_t at) {
  while (at < text.len && is_space(text.ptr[at]))
    at++;
  return at;
}

/* Offset after a string literal that begins at `at`; the end of the text when it is not closed. */
static size_t skip_string(struct str text, size_t at) {
  for (at++; at < text.len; at++) {
    if (text.ptr[at] == '\\')
      at++;
    else if (text.ptr[at] == '"')
      return at + 1;
  }
  return text.len;
}

/* Offset after the bracket that closes the one at `at`; SIZE_MAX when it is not closed. */
static size_t document_end(struct str text, size_t at) {
  size_t depth = 0;
  while (at < text.len) {
    char c = text.ptr[at];
    if (c == '"') {
      at = skip_string(text, at);
      continue;
    }
    at++;
    if (c == '{' || c == '[') depth++;
    if ((c == '}' || c == ']') && --depth == 0) return at;
    if (depth == 0) break; /* not an object or array */
  }
  return SIZE_MAX;
}

/* A broken first line of an NDJSON file: inside one document no line begins with "{" unless the line before
   it asks for a value. */
static bool looks_cut(struct str text, size_t from, size_t line_end) {
  struct str line = str_trim(str_slice(text, from, line_end));
  size_t next = skip_space(text, line_end);
  char last = line.len ? line.ptr[line.len - 1] : '{';
  if (next >= text.len || text.ptr[next] != '{' || line.ptr[0] != '{') return false;
  return last != '{' && last != '[' && last != ':' && last != ',';
}

/* In capitals too. */
static bool ends_in(struct str name, struct str ending) {
  return name.len >= ending.len && strncasecmp(name.ptr + name.len - ending.len, ending.ptr, ending.len) == 0;
}

bool intake_is_lines(struct str name, struct str text) {
  size_t from = skip_space(text, 0);
  if (ends_in(name, STR(".ndjson")) || ends_in(name, STR(".jsonl"))) return true;
  if (from >= text.len) return false;
  size_t line_end = tree_line_end(text, from);
  size_t end = document_end(text, from);
  if (end == SIZE_MAX || end > line_end) return looks_cut(text, from, line_end);
  /* the first document fills a line: more text on later lines is more records */
  size_t rest = skip_space(text, end);
  return rest < text.len && rest >= line_end;
}
