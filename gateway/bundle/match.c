/* match.c - the search that finds a resource of ours on a server, safe for any key. */
#include "bundle/internal.h"

/* What separates values, or escapes, inside a FHIR search parameter (R4 search, 3.1.1.4.0.1). */
static bool is_search_special(char c) {
  return c == '\\' || c == '|' || c == ',' || c == '$';
}

static bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

static void add_byte(struct buf *out, char c) {
  static const char digits[] = "0123456789ABCDEF";
  unsigned char byte = (unsigned char)c;
  char escaped[] = {'%', digits[byte >> 4], digits[byte & 15]};
  if (is_unreserved(c))
    buf_add_char(out, c);
  else
    buf_add(out, escaped, sizeof escaped);
}

static void add_value(struct buf *out, struct str value) {
  for (size_t i = 0; i < value.len; i++) {
    if (is_search_special(value.ptr[i])) add_byte(out, '\\');
    add_byte(out, value.ptr[i]);
  }
}

struct str bundle_match_query(bool by_identifier, struct str system, struct str key, struct arena *arena) {
  struct buf text;
  buf_init(&text, 6 * (system.len + key.len) + 64);
  buf_add_text(&text, by_identifier ? "identifier=" : "_tag=");
  add_value(&text, system);
  buf_add_text(&text, "%7C");
  add_value(&text, key);
  struct str query = text.error == STATUS_OK ? buf_take_str(&text, arena) : (struct str){0};
  buf_release(&text);
  return query;
}
