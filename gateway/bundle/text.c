/*
 * text.c - the entries of a finished Bundle from its text, in one pass and without a tree: most of what is delivered goes as it stands there.
 *
 * The text is as tree_write_text wrote it. What looks otherwise (blanks, escapes in what is compared, a Bundle that lacks what bundle_finish
 * puts into it) is NOT_FOUND: then it is read as a tree, which judges it. Where a tree is wanted later, bundle_plan_trees reads it.
 */
#include "bundle/internal.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { FIRST_ROOM = 16 };

struct reader {
  const char *at, *end;
  const struct bundle_params *params;
  struct str system; /* of record identifiers */
  struct bundle_texts *out;
  /* of the entry that is read */
  struct bundle_entry *entry;
  struct bundle_pair *pairs, pair; /* its identifiers, and the one that is read */
  size_t pair_count, pair_room;
  const char *value; /* how its value is called */
  struct str tag;    /* its key, where a tag has it */
  bool tells;        /* of a death, of life, or of another record of the patient */
  enum status status; /* when reading stops */
};

/* A list with room for one more. NULL: no memory. */
static void *with_room(struct reader *reader, void *items, size_t *room, size_t count, size_t size) {
  if (count < *room) return items;
  *room = *room ? *room * 2 : FIRST_ROOM;
  void *larger = arena_calloc(reader->params->arena, *room, size);
  if (larger && count) memcpy(larger, items, count * size);
  if (!larger) reader->status = STATUS_NOMEM;
  return larger;
}

/* --- small parts --- */

static bool take(struct reader *reader, char c) {
  bool is = reader->at < reader->end && *reader->at == c;
  reader->at += is;
  return is;
}

/* The first quote or backslash from `at`, or `end`. */
static inline const char *to_special(const char *at, const char *end) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
  for (; end - at >= 16; at += 16) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    unsigned mask = (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash)));
    if (mask) return at + __builtin_ctz(mask);
  }
#endif
  while (at < end && *at != '"' && *at != '\\')
    at++;
  return at;
}

/* The quote that ends the string which begins at `at`; NULL: none does. */
static inline const char *closing(const char *at, const char *end) {
  at = to_special(at, end);
  while (end - at >= 2 && *at == '\\')
    at = to_special(at + 2, end);
  return at < end && *at == '"' ? at : NULL;
}

static bool take_string(struct reader *reader, struct str *out) {
  if (!take(reader, '"')) return false;
  const char *quote = closing(reader->at, reader->end);
  if (!quote) return false;
  *out = str_make(reader->at, (size_t)(quote - reader->at));
  reader->at = quote + 1;
  return true;
}

/* One that says what it means. */
static bool take_plain(struct reader *reader, struct str *out) {
  const char *from = reader->at, *end = reader->end;
  if (from == end || *from++ != '"') return false;
  const char *quote = to_special(from, end);
  if (quote == end || *quote != '"') return false;
  *out = str_make(from, (size_t)(quote - from));
  reader->at = quote + 1;
  return true;
}

static bool note_reference(struct reader *reader) {
  struct bundle_texts *out = reader->out;
  struct bundle_text_reference reference = {.entry = out->count, .place = (size_t)(reader->at - reader->entry->text.ptr)};
  if (!take_plain(reader, &reference.url)) return false;
  out->references = with_room(reader, out->references, &out->reference_room, out->reference_count, sizeof reference);
  if (!out->references) return false;
  out->references[out->reference_count++] = reference;
  return true;
}

/* A name within an object whose value is a text. */
static inline bool is_reference(struct str name, const char *at, const char *end) {
  return str_is(name, "reference") && end - at >= 2 && at[0] == ':' && at[1] == '"';
}

/* An object or an array. A text called "reference" is of a Reference when an entry is called as it says: what else of R4 has such an element
   (Expression, Immunization.education) has addresses of documents there, and what entries are called bundle_finish made up. */
static bool pass_nested(struct reader *reader) {
  const char *at = reader->at, *end = reader->end;
  size_t depth = 0;
  do {
    char c = *at++;
    depth += (size_t)(c == '{' || c == '[');
    depth -= (size_t)(c == '}' || c == ']');
    if (c != '"') continue;
    const char *quote = closing(at, end);
    if (!quote) return false;
    struct str text = str_make(at, (size_t)(quote - at));
    at = reader->at = quote + 1;
    if (!is_reference(text, at, end)) continue;
    reader->at++;
    if (!note_reference(reader)) return false;
    at = reader->at;
  } while (depth && at < end);
  reader->at = at;
  return !depth;
}

static bool pass_word(struct reader *reader) {
  const char *from = reader->at;
  while (reader->at < reader->end && *reader->at != ',' && *reader->at != '}' && *reader->at != ']')
    reader->at++;
  return reader->at != from;
}

/* Any value. */
static bool pass(struct reader *reader) {
  struct str text = {0};
  char c = reader->at < reader->end ? *reader->at : '\0';
  if (c == '"') return take_string(reader, &text);
  return c == '{' || c == '[' ? pass_nested(reader) : pass_word(reader);
}

typedef bool read_member(struct reader *reader, struct str name);
typedef bool read_item(struct reader *reader);

static bool take_object(struct reader *reader, read_member *member) {
  struct str name = {0};
  if (!take(reader, '{')) return false;
  do
    if (!take_plain(reader, &name) || !take(reader, ':') || !member(reader, name)) return false;
  while (take(reader, ','));
  return take(reader, '}');
}

static bool take_array(struct reader *reader, read_item *item) {
  if (!take(reader, '[')) return false;
  do
    if (!item(reader)) return false;
  while (take(reader, ','));
  return take(reader, ']');
}

/* --- a resource --- */

static bool pair_member(struct reader *reader, struct str name) {
  if (str_is(name, "system")) return take_plain(reader, &reader->pair.system);
  if (str_is(name, reader->value)) return take_plain(reader, &reader->pair.value);
  return pass(reader);
}

static bool take_pair(struct reader *reader, const char *value) {
  reader->pair = (struct bundle_pair){0};
  reader->value = value;
  return take_object(reader, pair_member);
}

static bool identifier_item(struct reader *reader) {
  if (!take_pair(reader, "value")) return false;
  reader->pairs = with_room(reader, reader->pairs, &reader->pair_room, reader->pair_count, sizeof reader->pair);
  if (!reader->pairs) return false;
  reader->pairs[reader->pair_count++] = reader->pair;
  return true;
}

static bool read_identifiers(struct reader *reader) {
  bool several = reader->at < reader->end && *reader->at == '[';
  return several ? take_array(reader, identifier_item) : identifier_item(reader);
}

/* The first of the record's own says the key. */
static bool tag_item(struct reader *reader) {
  if (!take_pair(reader, "code")) return false;
  if (!reader->tag.ptr && str_eq(reader->pair.system, reader->system)) reader->tag = reader->pair.value;
  return true;
}

static bool meta_member(struct reader *reader, struct str name) {
  return str_is(name, "tag") ? take_array(reader, tag_item) : pass(reader);
}

static bool read_meta(struct reader *reader) {
  return take_object(reader, meta_member);
}

static bool read_type(struct reader *reader) {
  return take_plain(reader, &reader->entry->type);
}

static bool read_whether_dead(struct reader *reader) {
  const char *from = reader->at;
  reader->tells = true;
  if (!pass(reader)) return false;
  reader->entry->died |= str_is(str_make(from, (size_t)(reader->at - from)), "true");
  return true;
}

static bool read_when_dead(struct reader *reader) {
  reader->tells = reader->entry->died = true;
  return pass(reader);
}

static bool read_link(struct reader *reader) {
  reader->tells = true;
  return pass(reader);
}

static bool resource_member(struct reader *reader, struct str name) {
  static const struct {
    const char *name;
    read_item *read;
  } members[] = {{"resourceType", read_type},
                 {"meta", read_meta},
                 {"identifier", read_identifiers},
                 {"deceasedBoolean", read_whether_dead},
                 {"deceasedDateTime", read_when_dead},
                 {"link", read_link}};
  for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
    if (str_is(name, members[i].name)) return members[i].read(reader);
  return !str_starts(name, STR("_deceased")) && pass(reader);
}

/* --- an entry --- */

static bool mark_member(struct reader *reader, struct str name) {
  struct str url = {0};
  if (!str_is(name, "url")) return pass(reader);
  if (!take_plain(reader, &url)) return false;
  reader->entry->mentioned |= bundle_mark_is_named(url);
  return true;
}

static bool extension_item(struct reader *reader) {
  return take_object(reader, mark_member);
}

static bool request_member(struct reader *reader, struct str name) {
  return str_is(name, "extension") ? take_array(reader, extension_item) : pass(reader);
}

static bool entry_member(struct reader *reader, struct str name) {
  struct bundle_entry *entry = reader->entry;
  if (str_is(name, "fullUrl")) return take_plain(reader, &entry->full_url);
  if (str_is(name, "request")) return take_object(reader, request_member);
  if (!str_is(name, "resource")) return pass(reader);
  const char *from = reader->at;
  if (!take_object(reader, resource_member)) return false;
  entry->resource = str_make(from, (size_t)(reader->at - from));
  return true;
}

static struct str own_value(const struct reader *reader) {
  for (size_t i = 0; i < reader->pair_count; i++)
    if (str_eq(reader->pairs[i].system, reader->system)) return reader->pairs[i].value;
  return (struct str){0};
}

/* Of a type that there is, with all that a plan asks for. */
static bool end_entry(struct reader *reader) {
  struct bundle_entry *entry = reader->entry;
  bool patient = str_is(entry->type, "Patient");
  entry->text.len = (size_t)(reader->at - entry->text.ptr);
  entry->died = patient && entry->died;
  entry->silent = patient && !reader->tells;
  entry->key = own_value(reader);
  struct bundle_identity identity = {
      .system = reader->system, .by_identifier = entry->key.len != 0, .identifiers = reader->pairs, .count = reader->pair_count};
  if (!identity.by_identifier) entry->key = reader->tag;
  if (!entry->resource.len || !entry->full_url.len || !definitions_type(reader->params->definitions, entry->type)) return false;
  enum status status = bundle_entry_end(reader->params, &identity, entry);
  if (status != STATUS_OK) reader->status = status;
  return status == STATUS_OK;
}

static bool entry_item(struct reader *reader) {
  struct bundle_texts *out = reader->out;
  out->entries = with_room(reader, out->entries, &out->room, out->count, sizeof *out->entries);
  if (!out->entries) return false;
  reader->entry = &out->entries[out->count];
  *reader->entry = (struct bundle_entry){.index = out->count, .text = {.ptr = reader->at}};
  reader->pair_count = 0;
  reader->tag = (struct str){0};
  reader->tells = false;
  if (!take_object(reader, entry_member) || !end_entry(reader)) return false;
  out->count++;
  return true;
}

/* --- the whole --- */

/* What is beside the entries leads nowhere. */
static bool bundle_member(struct reader *reader, struct str name) {
  struct str text = {0};
  if (str_is(name, "entry")) return !reader->out->count && take_array(reader, entry_item);
  return take_string(reader, &text);
}

enum status bundle_text_read(const struct bundle_params *params, struct str system, struct bundle_texts *out) {
  struct reader reader = {.at = params->text.ptr, .params = params, .system = system, .out = out, .status = STATUS_NOT_FOUND};
  *out = (struct bundle_texts){0};
  if (!params->text.len) return STATUS_NOT_FOUND;
  reader.end = reader.at + params->text.len;
  bool whole = take_object(&reader, bundle_member) && reader.at == reader.end && out->count;
  return whole ? STATUS_OK : reader.status;
}
