/* html.c - text of a record inside a page: it cannot become markup, and it cannot turn its surroundings around. */
#include "report/internal.h"

/* What has no business in a page, as something that can be seen: control characters by their pictures (U+2400 …),
 * what overrides the direction of writing and other controls by U+FFFD. */
static uint32_t visible(uint32_t c) {
  if (c == '\t' || c == '\n') return c;
  if (c < 0x20) return 0x2400 + c;
  if (c == 0x7F) return 0x2421;
  if ((c > 0x7F && c < 0xA0) || c == 0x202D || c == 0x202E || c == 0xFFFE || c == 0xFFFF) return 0xFFFD;
  return c;
}

static const char *entity(uint32_t c) {
  switch (c) {
  case '&': return "&amp;";
  case '<': return "&lt;";
  case '>': return "&gt;";
  case '"': return "&quot;";
  case '\'': return "&#39;";
  default: return NULL;
  }
}

void report_escape(struct buf *out, struct str text) {
  size_t at = 0;
  while (at < text.len) {
    uint32_t c = visible(utf8_next(text, &at));
    const char *known = entity(c);
    if (known)
      buf_add_text(out, known);
    else
      utf8_add(out, c);
  }
}

enum { UNBROKEN = 20 };

/* A word longer than any real one: it may be broken anywhere, or it would tear its table apart. */
static bool has_long_word(struct str text) {
  size_t at = 0, length = 0;
  while (at < text.len && length < UNBROKEN) {
    uint32_t c = utf8_next(text, &at);
    length = c == ' ' || c == '\n' || c == '\t' || c == '-' ? 0 : length + 1;
  }
  return length == UNBROKEN;
}

void report_isolate(struct buf *out, struct str text) {
  buf_add_text(out, has_long_word(text) ? "<bdi class=\"long\">" : "<bdi>");
  report_escape(out, text);
  buf_add_text(out, "</bdi>");
}
