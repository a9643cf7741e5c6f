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

/* `before`, and the value escaped. */
static struct str extend(struct str before, struct str value, struct str after, struct arena *arena) {
  size_t size = before.len + value_size(value) + after.len;
  char *bytes = arena_alloc(arena, size + 1);
  if (!bytes || !before.ptr) return (struct str){0};
  put(put_value(put(bytes, before), value), after);
  return (struct str){bytes, size};
}

struct str bundle_match_system(bool by_identifier, struct str system, struct arena *arena) {
  return extend(by_identifier ? STR("identifier=") : STR("_tag="), system, STR("%7C"), arena);
}

struct str bundle_match_query(struct str of_system, struct str key, struct arena *arena) {
  return extend(of_system, key, (struct str){0}, arena);
}

struct str bundle_search_url(const struct bundle_entry *entry, const struct bundle_search *search, struct arena *arena) {
  struct str of_system = bundle_match_system(!search->by_tag, search->system, arena);
  struct str query = bundle_match_query(of_system, search->value, arena);
  return query.ptr ? arena_join(arena, entry->type, '?', query) : query;
}
