/*
 * json_read.c - JSON text to element tree in one pass; nesting is capped, so recursion is.
 *
 * The readers take the place reached and return the place after what they read, or NULL after a report.
 * Duplicate names: up to FEW members of an object a 64-bit set of name hashes tells that a name is new, and a
 * hit is settled by looking at the members; an object with more members is sorted once when it closes.
 * Neither is quadratic.
 */
#include "tree/internal.h"

#include <stdio.h>

enum { FEW = 32 };

struct tree_limits tree_limits_default(void) {
  return (struct tree_limits){LIMIT_TEXT_BYTES, LIMIT_DEPTH, LIMIT_CHILDREN, LIMIT_NUMBER_CHARS};
}

/* --- faults --- */

const char *tree_read_fault(struct reader *reader, const char *at, enum diag_code code, const char *message) {
  struct diag_at where = {.source = reader->source, .offset = (size_t)(at - reader->begin)};
  diag_add(reader->diags, DIAG_FATAL, code, &where, "%s", message);
  reader->status = STATUS_INVALID;
  return NULL;
}

const char *tree_read_no_memory(struct reader *reader) {
  reader->status = STATUS_NOMEM;
  return NULL;
}

/* What stands at `at`, in words. */
static void found(const struct reader *reader, const char *at, char out[32]) {
  unsigned char c = at < reader->end ? (unsigned char)*at : 0;
  if (at >= reader->end) {
    (void)snprintf(out, 32, "the end of the text");
  } else if (c == '\n' || c == '\r') {
    (void)snprintf(out, 32, "the end of the line");
  } else if (c > 0x20 && c < 0x7F) {
    (void)snprintf(out, 32, "'%c'", c);
  } else {
    size_t from = 0;
    uint32_t code = utf8_next((struct str){at, (size_t)(reader->end - at)}, &from);
    (void)snprintf(out, 32, "U+%04X", (unsigned)code);
  }
}

const char *tree_read_unexpected(struct reader *reader, const char *at, const char *expected) {
  char words[32], message[160];
  size_t left = (size_t)(reader->end - at);
  if (left && (unsigned char)*at >= 0x80 && utf8_sequence(at, left) == 0) {
    return tree_read_fault(reader, at, DIAG_JSON_ENCODING, "the text is not valid UTF-8 here");
  }
  if (left && *at == '\0')
    return tree_read_fault(reader, at, DIAG_JSON_ENCODING, "the character U+0000 is not allowed");
  found(reader, at, words);
  (void)snprintf(message, sizeof message, "expected %s, found %s", expected, words);
  return tree_read_fault(reader, at, DIAG_JSON_SYNTAX, message);
}

static const char *over_limit(struct reader *reader, const char *at, enum diag_code code, const char *what,
                              size_t limit) {
  char message[160];
  (void)snprintf(message, sizeof message, "more than %zu %s", limit, what);
  return tree_read_fault(reader, at, code, message);
}

/* --- small parts --- */

static inline bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Indented texts: a line end and many spaces. */
static const char *skip_spaces(const char *at, const char *end) {
#if defined(__SSE2__)
  const __m128i space = _mm_set1_epi8(' '), tab = _mm_set1_epi8('\t'), lf = _mm_set1_epi8('\n'),
                cr = _mm_set1_epi8('\r');
  for (; end - at >= 16; at += 16) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i blank = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, space), _mm_cmpeq_epi8(bytes, tab)),
                                 _mm_or_si128(_mm_cmpeq_epi8(bytes, lf), _mm_cmpeq_epi8(bytes, cr)));
    unsigned mask = (unsigned)_mm_movemask_epi8(blank) ^ 0xFFFFu;
    if (mask) return at + __builtin_ctz(mask);
  }
#endif
  while (at < end && is_space(*at))
    at++;
  return at;
}

static inline const char *skip_space(const char *at, const char *end) {
  if (at < end && (unsigned char)*at > ' ') return at;
  if (end - at >= 2 && *at == ' ' && (unsigned char)at[1] > ' ') return at + 1;
#if defined(__SSE2__)
  /* A line end and its indent. */
  if (end - at >= 18 && *at == '\n') {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(at + 1));
    unsigned mask = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')));
    at += 1 + __builtin_ctz(~mask);
    if ((unsigned char)*at > ' ') return at;
  }
#endif
  return skip_spaces(at, end);
}

/* `at` is after the opening quote. */
static inline const char *read_string(struct reader *reader, const char *at, struct str *out) {
  const char *stop = string_run(at, reader->end);
  if (stop < reader->end && *stop == '"') {
    *out = (struct str){at, (size_t)(stop - at)};
    return stop + 1;
  }
  return tree_read_string_rest(reader, at, stop, out);
}

static inline const char *skip_digits(const char *at, const char *end) {
  while (at < end && *at >= '0' && *at <= '9')
    at++;
  return at;
}

/* A place after at least one digit, or NULL after a report. */
static inline const char *need_digits(struct reader *reader, const char *at, const char *where) {
  const char *stop = skip_digits(at, reader->end);
  if (stop != at) return stop;
  tree_read_unexpected(reader, at, where);
  return NULL;
}

static inline bool ends_number(const char *at, const char *end) {
  return at == end || *at == ',' || *at == '}' || *at == ']' || is_space(*at);
}

static const char *read_number(struct reader *reader, const char *from, struct tree_node *node) {
  const char *end = reader->end;
  const char *at = from + (*from == '-');
  if (at < end && *at == '0') {
    at++;
    if (at < end && *at >= '0' && *at <= '9') {
      return tree_read_fault(reader, from, DIAG_JSON_NUMBER, "a number does not begin with a needless 0");
    }
  } else {
    at = need_digits(reader, at, "a digit after '-'");
  }
  if (at && at < end && *at == '.') at = need_digits(reader, at + 1, "a digit after the decimal point");
  if (at && at < end && (*at == 'e' || *at == 'E')) {
    at++;
    if (at < end && (*at == '+' || *at == '-')) at++;
    at = need_digits(reader, at, "a digit in the exponent");
  }
  if (!at) return NULL;
  if (!ends_number(at, end)) return tree_read_unexpected(reader, at, "the end of the number");
  node->kind = TREE_NUMBER;
  node->text = (struct str){from, (size_t)(at - from)};
  if (node->text.len > reader->limits.number_chars) {
    return over_limit(reader, from, DIAG_JSON_NUMBER, "characters in a number", reader->limits.number_chars);
  }
  return at;
}

static const char *read_word(struct reader *reader, const char *at, struct str word, enum tree_kind kind,
                             struct tree_node *node) {
  size_t left = (size_t)(reader->end - at);
  bool same = left >= word.len && memcmp(at, word.ptr, word.len) == 0;
  if (!same || !ends_number(at + word.len, reader->end))
    return tree_read_unexpected(reader, at, "a JSON value");
  node->kind = (uint8_t)kind;
  if (kind == TREE_BOOLEAN) node->text = (struct str){at, word.len};
  return at + word.len;
}

/* Names what people write by mistake where a value should stand. */
static const char *no_value(struct reader *reader, const char *at) {
  switch (at < reader->end ? *at : '\0') {
  case '\'':
    return tree_read_unexpected(reader, at, "a JSON value (strings stand in double quotes)");
  case '/':
    return tree_read_unexpected(reader, at, "a JSON value (JSON has no comments)");
  case 'N':
  case 'I':
    return tree_read_unexpected(reader, at, "a JSON value (JSON has no NaN and no Infinity)");
  case '+':
  case '.':
    return tree_read_unexpected(reader, at, "a JSON value (a number begins with a digit or '-')");
  case 'T':
  case 'F':
    return tree_read_unexpected(reader, at, "a JSON value (true, false and null stand in small letters)");
  default:
    return tree_read_unexpected(reader, at, "a JSON value");
  }
}

/* --- duplicate names --- */

/* Members read so far of one object. */
struct members {
  uint64_t seen;
  size_t count;
};

static inline unsigned name_bit(struct str name) {
  if (name.len == 0) return 0;
  const unsigned char *c = (const unsigned char *)name.ptr;
  return (unsigned)(c[0] * 7u + c[name.len - 1] * 3u + c[name.len / 2] + name.len * 31u) & 63u;
}

static bool has_member(const struct tree_node *object, struct str name) {
  for (const struct tree_node *child = object->child; child; child = child->next) {
    if (str_eq(child->name, name)) return true;
  }
  return false;
}

static const char *duplicate(struct reader *reader, const char *at, struct str name) {
  struct diag_at where = {.source = reader->source, .offset = (size_t)(at - reader->begin)};
  struct str quoted = diag_value(reader->diags->arena, name);
  diag_add(reader->diags, DIAG_FATAL, DIAG_JSON_DUPLICATE_KEY, &where,
           "the member \"%.*s\" stands in this object already", STR_ARG(quoted));
  reader->status = STATUS_INVALID;
  return NULL;
}

/* Order by length, then bytes, then place: equal names become neighbours, the first of them first. */
static int by_name(const struct tree_node *a, const struct tree_node *b) {
  if (a->name.len != b->name.len) return a->name.len < b->name.len ? -1 : 1;
  int order = a->name.len ? memcmp(a->name.ptr, b->name.ptr, a->name.len) : 0;
  if (order) return order;
  return (a->offset > b->offset) - (a->offset < b->offset);
}

/* Merges the sorted runs [from, middle) and [middle, to) of `nodes` by way of `spare`. */
static void merge(const struct tree_node **nodes, const struct tree_node **spare, size_t from, size_t middle,
                  size_t to) {
  size_t left = from, right = middle;
  for (size_t i = from; i < to; i++) {
    bool take_left = right >= to || (left < middle && by_name(nodes[left], nodes[right]) <= 0);
    spare[i] = take_left ? nodes[left++] : nodes[right++];
  }
  memcpy(nodes + from, spare + from, (to - from) * sizeof *nodes);
}

/* Merge sort from the bottom up: its time does not depend on the input, which is hostile. */
static void sort_names(const struct tree_node **nodes, const struct tree_node **spare, size_t count) {
  for (size_t run = 1; run < count; run *= 2) {
    for (size_t from = 0; from + run < count; from += 2 * run) {
      size_t to = from + 2 * run < count ? from + 2 * run : count;
      merge(nodes, spare, from, from + run, to);
    }
  }
}

/* Of many members, the one that comes first in the text and has the name of an earlier one; NULL if none. */
static const struct tree_node *first_duplicate(const struct tree_node **nodes, size_t count) {
  const struct tree_node *first = NULL;
  for (size_t i = 1; i < count; i++) {
    if (str_eq(nodes[i]->name, nodes[i - 1]->name) && (!first || nodes[i]->offset < first->offset))
      first = nodes[i];
  }
  return first;
}

/* Where the member's name begins; its value when the name was decoded and so is no view of the source. */
static const char *name_place(const struct reader *reader, const struct tree_node *node) {
  uintptr_t name = (uintptr_t)node->name.ptr;
  bool view = name > (uintptr_t)reader->begin && name <= (uintptr_t)reader->end;
  return view ? node->name.ptr - 1 : reader->begin + tree_offset(node);
}

static const char *check_many(struct reader *reader, const struct tree_node *object, size_t count,
                              const char *at) {
  struct arena_mark mark = arena_mark(reader->arena);
  const struct tree_node **nodes = ARENA_ARRAY(reader->arena, const struct tree_node *, count);
  const struct tree_node **spare = ARENA_ARRAY(reader->arena, const struct tree_node *, count);
  if (!nodes || !spare) return tree_read_no_memory(reader);
  size_t filled = 0;
  const char *previous = NULL; /* the items of one array share the very same name */
  for (const struct tree_node *child = object->child; child; child = child->next) {
    if (child->name.ptr != previous) nodes[filled++] = child;
    previous = child->name.ptr;
  }
  sort_names(nodes, spare, filled);
  const struct tree_node *second = first_duplicate(nodes, filled);
  arena_rewind(reader->arena, mark);
  return second ? duplicate(reader, name_place(reader, second), second->name) : at;
}

/* --- values --- */

static const char *read_object(struct reader *reader, const char *at, struct tree_node *object, size_t depth);

static inline struct tree_node *add_node(struct reader *reader, const char *at, struct tree_node *parent,
                                         struct str name, unsigned flags) {
  struct tree_node *node = arena_zalloc(reader->arena, sizeof *node);
  if (!node) {
    (void)tree_read_no_memory(reader);
    return NULL;
  }
  node->name = name;
  node->parent = parent;
  node->flags = (uint8_t)flags;
  node->offset = (uint32_t)(at - reader->begin) + 1;
  if (parent->last) {
    parent->last->next = node;
  } else {
    parent->child = node;
  }
  parent->last = node;
  return node;
}

/* Any value but an array; `at` is at its first byte. */
static inline const char *read_value(struct reader *reader, const char *at, struct tree_node *node,
                                     size_t depth) {
  char first = at < reader->end ? *at : '\0';
  if (first == '"') { /* most values */
    node->kind = TREE_STRING;
    return read_string(reader, at + 1, &node->text);
  }
  switch (first) {
  case '{':
    node->kind = TREE_OBJECT;
    return read_object(reader, at + 1, node, depth + 1);
  case '-':
  case '0':
  case '1':
  case '2':
  case '3':
  case '4':
  case '5':
  case '6':
  case '7':
  case '8':
  case '9':
    return read_number(reader, at, node);
  case 't':
    return read_word(reader, at, STR("true"), TREE_BOOLEAN, node);
  case 'f':
    return read_word(reader, at, STR("false"), TREE_BOOLEAN, node);
  case 'n':
    return read_word(reader, at, STR("null"), TREE_NULL, node);
  default:
    return no_value(reader, at);
  }
}

/* The items become children of `parent` named `name`; `at` is after the bracket. */
static const char *read_array(struct reader *reader, const char *at, struct tree_node *parent,
                              struct str name, size_t depth) {
  const char *end = reader->end;
  if (depth > reader->limits.depth)
    return over_limit(reader, at - 1, DIAG_INPUT_TOO_DEEP, "levels", reader->limits.depth);
  const char *open = at - 1;
  at = skip_space(at, end);
  if (at < end && *at == ']') {
    struct tree_node *node = add_node(reader, open, parent, name, TREE_EMPTY_ARRAY);
    if (!node) return NULL;
    node->kind = TREE_NULL;
    return at + 1;
  }
  for (size_t count = 1;; count++) {
    at = skip_space(at, end);
    if (count > reader->limits.children)
      return over_limit(reader, at, DIAG_INPUT_TOO_MANY, "items", reader->limits.children);
    if (at < end && *at == '[')
      return tree_read_fault(reader, at, DIAG_JSON_NESTED_ARRAY, "an array stands directly in an array");
    struct tree_node *node = add_node(reader, at, parent, name, TREE_IN_ARRAY);
    if (!node) return NULL;
    at = read_value(reader, at, node, depth);
    if (!at) return NULL;
    at = skip_space(at, end);
    if (at < end && *at == ']') return at + 1;
    if (at == end || *at != ',') return tree_read_unexpected(reader, at, "',' or ']'");
    at++;
  }
}

/* `"name":` up to the first byte of the value. */
static inline const char *read_name(struct reader *reader, const char *at, struct tree_node *object,
                                    struct members *members, struct str *name) {
  const char *end = reader->end, *from = at;
  if (at == end || *at != '"')
    return tree_read_unexpected(reader, at,
                                members->count ? "a member name in double quotes"
                                               : "a member name in double quotes, or '}'");
  at = read_string(reader, at + 1, name);
  if (!at) return NULL;
  uint64_t bit = (uint64_t)1 << name_bit(*name);
  if (members->count < FEW && (members->seen & bit) && has_member(object, *name))
    return duplicate(reader, from, *name);
  members->seen |= bit;
  if (++members->count > reader->limits.children) {
    return over_limit(reader, from, DIAG_INPUT_TOO_MANY, "members", reader->limits.children);
  }
  at = skip_space(at, end);
  if (at == end || *at != ':') return tree_read_unexpected(reader, at, "':' after the member name");
  return skip_space(at + 1, end);
}

/* `at` is after the brace. */
static const char *read_object(struct reader *reader, const char *at, struct tree_node *object,
                               size_t depth) {
  const char *end = reader->end;
  struct members members = {0};
  struct str name;
  if (depth > reader->limits.depth)
    return over_limit(reader, at - 1, DIAG_INPUT_TOO_DEEP, "levels", reader->limits.depth);
  at = skip_space(at, end);
  if (at < end && *at == '}') return at + 1;
  for (;;) {
    at = read_name(reader, at, object, &members, &name);
    if (!at) return NULL;
    if (at < end && *at == '[') {
      at = read_array(reader, at + 1, object, name, depth + 1);
    } else {
      struct tree_node *node = add_node(reader, at, object, name, 0);
      if (!node) return NULL;
      at = read_value(reader, at, node, depth);
    }
    if (!at) return NULL;
    at = skip_space(at, end);
    if (at < end && *at == '}') break;
    if (at == end || *at != ',') return tree_read_unexpected(reader, at, "',' or '}'");
    at = skip_space(at + 1, end);
  }
  return members.count > FEW ? check_many(reader, object, members.count, at + 1) : at + 1;
}

/* --- the document --- */

static const char *check_begin(struct reader *reader, const char *at) {
  struct str text = {reader->begin, (size_t)(reader->end - reader->begin)};
  if (str_starts(text, STR("\xEF\xBB\xBF"))) { /* RFC 8259, 8.1: may be ignored */
    struct diag_at where = {.source = reader->source};
    diag_warning(reader->diags, DIAG_JSON_ENCODING, &where,
                 "the text begins with a byte order mark, which JSON does not have; it is ignored");
    at += 3;
  }
  if (str_starts(text, STR("\xFF\xFE")) || str_starts(text, STR("\xFE\xFF"))) {
    return tree_read_fault(reader, at, DIAG_JSON_ENCODING, "the text is UTF-16");
  }
  at = skip_space(at, reader->end);
  if (at < reader->end && (*at == '{' || *at == '[')) return at;
  return tree_read_unexpected(reader, at, "'{' or '['");
}

static const char *read_document(struct reader *reader, struct tree_node *root) {
  const char *at = check_begin(reader, reader->begin);
  if (!at) return NULL;
  root->offset = (uint32_t)(at - reader->begin) + 1;
  if (*at == '[') {
    at = read_array(reader, at + 1, root, (struct str){0}, 1);
  } else {
    at = read_object(reader, at + 1, root, 1);
  }
  if (!at) return NULL;
  at = skip_space(at, reader->end);
  return at == reader->end ? at : tree_read_unexpected(reader, at, "nothing after the JSON value");
}

enum status tree_read_json(const struct source *source, const struct tree_limits *limits, struct arena *arena,
                           struct diag_list *diags, struct tree_node **out) {
  const char *text = source->text.ptr ? source->text.ptr : "";
  struct reader reader = {.begin = text,
                          .end = text + source->text.len,
                          .source = source,
                          .arena = arena,
                          .diags = diags,
                          .limits = limits ? *limits : tree_limits_default()};
  *out = NULL;
  if (reader.limits.depth > TREE_DEPTH_MAX) reader.limits.depth = TREE_DEPTH_MAX;
  if (reader.limits.bytes > UINT32_MAX - 1) reader.limits.bytes = UINT32_MAX - 1;
  if (source->text.len > reader.limits.bytes) {
    (void)over_limit(&reader, text, DIAG_INPUT_TOO_LARGE, "bytes", reader.limits.bytes);
    return STATUS_INVALID;
  }
  struct tree_node *root = ARENA_NEW(arena, struct tree_node);
  if (!root) return STATUS_NOMEM;
  if (!read_document(&reader, root)) return reader.status;
  *out = root;
  return STATUS_OK;
}

size_t tree_line_end(struct str text, size_t from) {
  size_t at = str_find_char(text, '\n', from);
  if (at == SIZE_MAX) at = text.len;
  return at > from && text.ptr[at - 1] == '\r' ? at - 1 : at;
}
