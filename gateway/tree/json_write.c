/*
 * json_write.c - element tree to JSON text.
 *
 * The writer goes straight into the buffer's memory and asks for room once per node. What turns out to hold
 * nothing is taken back by setting the length to where it began, so no walk ahead is needed to know.
 */
#include "tree/internal.h"

/* Room for punctuation around a value, and for a whole vector behind it. */
enum { SLACK = 64 };

struct writer {
  struct buf *out;
  bool pretty, keep_empty;
};

static void put(struct writer *writer, char c) {
  struct buf *out = writer->out;
  if (out->len < out->room && out->len < out->max) {
    out->ptr[out->len++] = c;
  } else {
    buf_add_char(out, c);
  }
}

static void line(struct writer *writer, size_t depth) {
  if (!writer->pretty) return;
  put(writer, '\n');
  for (size_t i = 0; i < depth; i++)
    buf_add(writer->out, "  ", 2);
}

/* Copies `s` in whole vectors while nothing needs an escape; returns how many bytes were done. Needs s.len +
 * SLACK room. */
static size_t copy_plain(struct str s, char *to) {
  size_t at = 0;
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x1F);
  for (; s.len - at >= 16; at += 16) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(s.ptr + at));
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes);
    __m128i hit = _mm_or_si128(low, _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash)));
    _mm_storeu_si128((__m128i *)(void *)(to + at), bytes);
    unsigned mask = (unsigned)_mm_movemask_epi8(hit);
    if (mask) return at + (size_t)__builtin_ctz(mask);
  }
#endif
  for (; at < s.len; at++) {
    char c = s.ptr[at];
    if ((unsigned char)c < 0x20 || c == '"' || c == '\\') break;
    to[at] = c;
  }
  return at;
}

/* A string literal. Without room for the fast way (the cap is near) or with escapes the rest goes the plain
 * way. */
static void string(struct writer *writer, struct str s) {
  struct buf *out = writer->out;
  bool room = s.len <= out->max && out->len + s.len + SLACK <= out->max && buf_reserve(out, s.len + SLACK);
  if (!room) {
    buf_add_json(out, s);
    return;
  }
  char *to = out->ptr + out->len;
  to[0] = '"';
  size_t done = copy_plain(s, to + 1);
  if (done == s.len) {
    to[done + 1] = '"';
    out->len += done + 2;
  } else {
    buf_add_json(out, s);
  }
}

void tree_write_string(struct str value, struct buf *out) {
  buf_add_json(out, value);
}

/* `"name":`, with a comma before it when it is not the first. */
static void member_name(struct writer *writer, struct str name, bool partner, bool *first, size_t depth) {
  if (!*first) put(writer, ',');
  *first = false;
  line(writer, depth);
  if (partner) {
    put(writer, '"');
    put(writer, '_');
    buf_add_str(writer->out, name);
    put(writer, '"');
  } else {
    string(writer, name);
  }
  put(writer, ':');
  if (writer->pretty) put(writer, ' ');
}

static bool members(struct writer *writer, const struct tree_node *object, size_t depth);

/* `{…}`; false when it has no members (it is then written all the same, the caller takes it back). */
static bool object(struct writer *writer, const struct tree_node *node, size_t depth) {
  put(writer, '{');
  bool any = members(writer, node, depth + 1);
  if (any) line(writer, depth);
  put(writer, '}');
  return any;
}

/* A value without its children; false when there is nothing to write by the rules of keep_empty. */
static bool value(struct writer *writer, const struct tree_node *node, size_t depth) {
  switch ((enum tree_kind)node->kind) {
  case TREE_OBJECT:
    return object(writer, node, depth) || writer->keep_empty;
  case TREE_STRING:
    string(writer, node->text);
    return true;
  case TREE_NUMBER:
  case TREE_BOOLEAN:
    buf_add_str(writer->out, node->text);
    return true;
  case TREE_NULL:
    if (node->flags & TREE_EMPTY_ARRAY) {
      buf_add(writer->out, "[]", 2);
    } else {
      buf_add(writer->out, "null", 4);
    }
    return writer->keep_empty && !node->child;
  }
  return false;
}

static bool is_primitive(const struct tree_node *node) {
  return node->kind != TREE_OBJECT;
}

/* --- arrays --- */

static inline bool same_array(const struct tree_node *node, const struct tree_node *next) {
  return next && (next->flags & TREE_IN_ARRAY) && next->name.len == node->name.len &&
         (next->name.ptr == node->name.ptr || str_eq(next->name, node->name));
}

/* The last item of the array that `first` begins. */
static const struct tree_node *array_last(const struct tree_node *first, bool *partners) {
  const struct tree_node *node = first;
  for (;; node = node->next) {
    if (is_primitive(node) && node->child) *partners = true;
    if (!same_array(first, node->next)) return node;
  }
}

/* An item without a value that keeps the place of the others: of a `given` whose `_given` has something
   there, and in a text as read, where the partner is a member of its own. */
static bool holds_place(const struct tree_node *node, bool partners) {
  return node->kind == TREE_NULL && (partners || (node->offset && !(node->flags & TREE_BOUND)));
}

/* `[…]` of values (partner false) or of the children of primitives (true); false when no item has anything.
 */
static bool items(struct writer *writer, const struct tree_node *first, const struct tree_node *last,
                  bool partner, bool padded, size_t depth) {
  bool any = false, empty = true;
  put(writer, '[');
  for (const struct tree_node *node = first;; node = node->next) {
    size_t before = writer->out->len;
    if (!empty) put(writer, ',');
    line(writer, depth + 1);
    size_t start = writer->out->len;
    bool written = partner ? node->child && object(writer, node, depth + 1) : value(writer, node, depth + 1);
    any |= written;
    if (!written && (partner || holds_place(node, padded))) {
      writer->out->len = start < writer->out->len ? start : writer->out->len;
      buf_add(writer->out, "null", 4);
      written = true;
    }
    if (written) {
      empty = false;
    } else if (before < writer->out->len) {
      writer->out->len = before;
    }
    if (node == last) break;
  }
  line(writer, depth);
  put(writer, ']');
  return any;
}

static void array(struct writer *writer, const struct tree_node *node, const struct tree_node *last,
                  bool partners, bool *first, size_t depth) {
  bool was_first = *first;
  size_t before = writer->out->len;
  member_name(writer, node->name, false, first, depth);
  if (!items(writer, node, last, false, partners, depth)) {
    writer->out->len = before;
    *first = was_first;
  }
  if (!partners) return;
  was_first = *first;
  before = writer->out->len;
  member_name(writer, node->name, true, first, depth);
  if (!items(writer, node, last, true, true, depth)) {
    writer->out->len = before;
    *first = was_first;
  }
}

/* --- members --- */

static void single(struct writer *writer, const struct tree_node *node, bool *first, size_t depth) {
  bool was_first = *first;
  size_t before = writer->out->len;
  member_name(writer, node->name, false, first, depth);
  if (!value(writer, node, depth)) {
    writer->out->len = before;
    *first = was_first;
  }
  if (!is_primitive(node) || !node->child) return;
  was_first = *first;
  before = writer->out->len;
  member_name(writer, node->name, true, first, depth);
  if (!object(writer, node, depth)) {
    writer->out->len = before;
    *first = was_first;
  }
}

/* False when nothing was written. */
static bool members(struct writer *writer, const struct tree_node *object, size_t depth) {
  bool first = true;
  if (depth > TREE_DEPTH_MAX) {
    if (!writer->out->error) writer->out->error = STATUS_LIMIT;
    return false;
  }
  const struct tree_node *child;
  for (child = object->child; child; child = child->next) {
    if (tree_is_meta(child)) single(writer, child, &first, depth);
  }
  for (child = object->child; child && !writer->out->error; child = child->next) {
    if (tree_is_meta(child)) continue;
    if (!(child->flags & TREE_IN_ARRAY)) {
      single(writer, child, &first, depth);
      continue;
    }
    bool partners = false;
    const struct tree_node *last = array_last(child, &partners);
    array(writer, child, last, partners, &first, depth);
    child = last;
  }
  return !first;
}

/* A text that was an array at its top: its items have no name at all, where a member may have an empty one.
 */
static bool is_top_array(const struct tree_node *root) {
  const struct tree_node *child = root->child;
  return child && !child->name.ptr && (child->flags & (TREE_IN_ARRAY | TREE_EMPTY_ARRAY));
}

void tree_write_json(const struct tree_node *root, const struct tree_write *options, struct buf *out) {
  struct writer writer = {out, options && options->pretty, options && options->keep_empty};
  if (root->kind != TREE_OBJECT) {
    (void)value(&writer, root, 0);
  } else if (!is_top_array(root)) {
    (void)object(&writer, root, 0);
  } else if (root->child->flags & TREE_EMPTY_ARRAY) {
    buf_add(out, "[]", 2);
  } else {
    (void)items(&writer, root->child, root->last, false, false, 0);
  }
  if (writer.pretty) put(&writer, '\n');
}
