/* match.c - the search that finds a resource of ours on a server, safe for any key. */
#include "bundle/internal.h"

/* What separates values, or escapes, inside a FHIR search parameter (R4 search, 3.1.1.4.0.1). */
static bool is_search_special(char c) {
  return c == '\\' || c == '|' || c == ',' || c == '$';
}

static inline bool is_unreserved(unsigned char c) {
  static const uint32_t bits[8] = {
      [1] = 0x03FF6000, /* 0-9 - . */
      [2] = 0x87FFFFFE, /* A-Z _ */
      [3] = 0x47FFFFFE, /* a-z ~ */
  };
  return bits[c >> 5] >> (c & 31) & 1;
}

static size_t value_size(struct str value) {
  size_t size = 0;
  for (size_t i = 0; i < value.len; i++)
    size += is_unreserved((unsigned char)value.ptr[i]) ? 1 : is_search_special(value.ptr[i]) ? 6 : 3;
  return size;
}

static char *put(char *at, struct str text) {
  if (text.len) memcpy(at, text.ptr, text.len);
  return at + text.len;
}

static char *put_byte(char *at, unsigned char c) {
  static const char digits[] = "0123456789ABCDEF";
  *at++ = '%';
  *at++ = digits[c >> 4];
  *at++ = digits[c & 15];
  return at;
}

static char *put_value(char *at, struct str value) {
  for (size_t i = 0; i < value.len; i++) {
    unsigned char c = (unsigned char)value.ptr[i];
    if (is_unreserved(c)) {
      *at++ = (char)c;
      continue;
    }
    if (is_search_special(value.ptr[i])) at = put_byte(at, '\\');
    at = put_byte(at, c);
  }
  return at;
}

static struct str make(struct str type, bool by_tag, struct str system, struct str value, struct arena *arena) {
  struct str parameter = by_tag ? STR("_tag=") : STR("identifier="), bar = STR("%7C"), mark = STR("?");
  size_t size = (type.len ? type.len + mark.len : 0) + parameter.len + value_size(system) + bar.len + value_size(value);
  char *bytes = arena_alloc(arena, size + 1), *at = bytes;
  if (!bytes) return (struct str){0};
  if (type.len) at = put(put(at, type), mark);
  at = put_value(put(at, parameter), system);
  at = put_value(put(at, bar), value);
  return (struct str){bytes, size};
}

struct str bundle_match_query(bool by_identifier, struct str system, struct str key, struct arena *arena) {
  return make((struct str){0}, !by_identifier, system, key, arena);
}

struct str bundle_search_url(const struct bundle_entry *entry, const struct bundle_search *search, struct arena *arena) {
  return make(entry->type, search->by_tag, search->system, search->value, arena);
}
