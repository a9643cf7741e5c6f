/*
 * json_write.c - element tree to JSON text.
 *
 * The writers take the place reached in the buffer's memory and return the place after what they wrote, NULL
 * on failure. They ask for room before a value; what turns out to hold nothing is taken back by returning to
 * where it began, so that no walk ahead is needed. Places that are kept across a call are offsets, since the
 * memory may move.
 */
#include "tree/copy.h"

/* Room for the punctuation around a name or value, and for a last vector. */
enum { SLACK = 64, FIRST = 4096 /* room of a buffer that has none */ };

struct writer {
  struct buf *out;
  char *begin, *end; /* of the room */
  bool pretty, keep_empty;
};

/* --- room --- */

static char *grow(struct writer *writer, char *at, size_t need) {
  struct buf *out = writer->out;
  out->len = (size_t)(at - out->ptr);
  if (!buf_reserve(out, need)) return NULL;
  writer->begin = out->ptr;
  writer->end = out->ptr + out->room;
  return out->ptr + out->len;
}

/* `size` bytes and SLACK from `at`. */
static inline char *room(struct writer *writer, char *at, size_t size) {
  return (size_t)(writer->end - at) >= size + SLACK ? at : grow(writer, at, size + SLACK);
}

static inline size_t offset(const struct writer *writer, const char *at) {
  return (size_t)(at - writer->begin);
}

static inline char *back_to(const struct writer *writer, size_t mark) {
  return writer->begin + mark;
}

/* --- parts --- */

/* The rest of a string from its first byte that needs an escape. */
static char *escape_rest(struct writer *writer, char *at, struct str rest) {
  static const char hex[] = "0123456789abcdef";
  static const char letters[0x20] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
  while (rest.len) {
    unsigned char c = (unsigned char)*rest.ptr;
    at = room(writer, at, rest.len);
    if (!at) return NULL;
    *at++ = '\\';
    if (c >= 0x20 || letters[c]) {
      *at++ = c >= 0x20 ? (char)c : letters[c];
    } else {
      memcpy(at, "u00", 3);
      at[3] = hex[c >> 4];
      at[4] = hex[c & 15];
      at += 5;
    }
    rest = (struct str){rest.ptr + 1, rest.len - 1};
    size_t done = copy_plain(rest.ptr, rest.len, at);
    at += done;
    rest = (struct str){rest.ptr + done, rest.len - done};
  }
  return at;
}

/* There is room for it. */
static inline char *quoted(struct writer *writer, char *at, struct str s) {
  *at++ = '"';
  size_t done = copy_plain(s.ptr, s.len, at);
  at += done;
  if (__builtin_expect(done != s.len, 0)) {
    at = escape_rest(writer, at, (struct str){s.ptr + done, s.len - done});
    at = at ? room(writer, at, 0) : NULL;
    if (!at) return NULL;
  }
  *at++ = '"';
  return at;
}

static inline char *string(struct writer *writer, char *at, struct str s) {
  at = room(writer, at, s.len);
  return at ? quoted(writer, at, s) : NULL;
}

static char *text(struct writer *writer, char *at, struct str s) {
  at = room(writer, at, s.len);
  if (!at) return NULL;
  if (s.len) memcpy(at, s.ptr, s.len);
  return at + s.len;
}

/* A new line and its indent, when asked for. `behind`: bytes that there is to be room for behind it, as there was before. */
static char *new_line(struct writer *writer, char *at, size_t depth, size_t behind) {
  at = room(writer, at, 1 + 2 * depth + behind);
  if (!at) return NULL;
  *at++ = '\n';
  memset(at, ' ', 2 * depth);
  return at + 2 * depth;
}

static inline char *line(struct writer *writer, char *at, size_t depth, size_t behind) {
  return writer->pretty ? new_line(writer, at, depth, behind) : at;
}

/* `,"name":`; a partner's name has `_` before it. */
static inline char *member_name(struct writer *writer, char *at, struct str name, bool partner, bool first,
                                size_t depth) {
  at = room(writer, at, name.len);
  if (!at) return NULL;
  if (!first) *at++ = ',';
  at = line(writer, at, depth, name.len);
  if (!at) return NULL;
  if (partner) {
    /* The name is written one byte later, and what stood there becomes the quote and the underscore. */
    size_t mark = offset(writer, at);
    at = quoted(writer, at + 1, name);
    if (!at) return NULL;
    memcpy(back_to(writer, mark), "\"_", 2);
  } else {
    at = quoted(writer, at, name);
    if (!at) return NULL;
  }
  *at++ = ':';
  if (writer->pretty) *at++ = ' ';
  return at;
}

static char *members(struct writer *writer, char *at, const struct tree_node *object, size_t depth);

/* `{…}`; nothing at all when it has no members. There is room for the first bracket. */
static char *object(struct writer *writer, char *at, const struct tree_node *node, size_t depth) {
  size_t mark = offset(writer, at) + 1;
  *at++ = '{';
  at = members(writer, at, node, depth + 1);
  if (!at) return NULL;
  if (offset(writer, at) == mark) return at - 1;
  at = line(writer, at, depth, 0);
  at = at ? room(writer, at, 0) : NULL;
  if (!at) return NULL;
  *at++ = '}';
  return at;
}

/* A value without the children of a primitive; nothing at all when there is nothing to write by the rules of
 * keep_empty. */
static inline char *value(struct writer *writer, char *at, const struct tree_node *node, size_t depth) {
  size_t mark;
  switch ((enum tree_kind)node->kind) {
  case TREE_STRING:
    return string(writer, at, node->text);
  case TREE_NUMBER:
  case TREE_BOOLEAN:
    return text(writer, at, node->text);
  case TREE_OBJECT:
    mark = offset(writer, at);
    at = object(writer, at, node, depth);
    if (at && writer->keep_empty && offset(writer, at) == mark) at = text(writer, at, STR("{}"));
    return at;
  case TREE_NULL:
    if (!writer->keep_empty || node->child) return at;
    return text(writer, at, node->flags & TREE_EMPTY_ARRAY ? STR("[]") : STR("null"));
  }
  return at;
}

static inline bool is_primitive(const struct tree_node *node) {
  return node->kind != TREE_OBJECT;
}

/* --- arrays --- */

/* The next item of the array that `node` is in, or NULL. */
static inline const struct tree_node *next_item(const struct tree_node *node) {
  const struct tree_node *next = node->next;
  if (!next || !(next->flags & TREE_IN_ARRAY) || next->name.len != node->name.len) return NULL;
  return next->name.ptr == node->name.ptr || str_eq(next->name, node->name) ? next : NULL;
}

static bool has_partners(const struct tree_node *first) {
  for (const struct tree_node *node = first; node; node = next_item(node)) {
    if (is_primitive(node) && node->child) return true;
  }
  return false;
}

/* An item without a value that keeps the place of the others: of a `given` whose `_given` has something
   there, and in a text as read, where the partner is a member of its own. */
static bool holds_place(const struct tree_node *first, const struct tree_node *node) {
  if (node->kind != TREE_NULL) return false;
  return (node->offset && !(node->flags & TREE_BOUND)) || has_partners(first);
}

struct array {
  const struct tree_node *first, *last;
  bool partner;  /* in: write the children of primitives instead of the values */
  bool partners; /* out: some primitive has children */
};

/* One item with its comma; nothing at all when it has no value and holds no place. */
static inline char *item(struct writer *writer, char *at, const struct tree_node *node,
                         const struct array *array, bool first, size_t depth, bool *any) {
  at = room(writer, at, 0);
  if (!at) return NULL;
  size_t mark = offset(writer, at);
  if (!first) *at++ = ',';
  at = line(writer, at, depth, 0);
  if (!at) return NULL;
  size_t start = offset(writer, at);
  if (!array->partner) {
    at = value(writer, at, node, depth);
  } else if (node->child) {
    at = object(writer, at, node, depth);
  }
  if (!at) return NULL;
  if (offset(writer, at) != start) {
    *any = true;
    return at;
  }
  if (array->partner || holds_place(array->first, node)) return text(writer, at, STR("null"));
  return back_to(writer, mark);
}

/* `[…]`; nothing at all when no item has anything. There is room for both brackets: each value leaves some. */
static char *items(struct writer *writer, char *at, struct array *array, size_t depth) {
  bool any = false;
  size_t mark = offset(writer, at);
  *at++ = '[';
  for (const struct tree_node *node = array->first; node; node = next_item(node)) {
    bool first = offset(writer, at) == mark + 1;
    array->last = node;
    if (is_primitive(node) && node->child) array->partners = true;
    at = item(writer, at, node, array, first, depth + 1, &any);
    if (!at) return NULL;
  }
  if (!any) return back_to(writer, mark);
  at = line(writer, at, depth, 0);
  if (!at) return NULL;
  *at++ = ']';
  return at;
}

/* --- members --- */

/* `"name": […]`, nothing at all when no item has anything. */
static char *array_member(struct writer *writer, char *at, struct array *array, bool first, size_t depth) {
  size_t mark = offset(writer, at);
  at = member_name(writer, at, array->first->name, array->partner, first, depth);
  if (!at) return NULL;
  size_t start = offset(writer, at);
  at = items(writer, at, array, depth);
  return at && offset(writer, at) == start ? back_to(writer, mark) : at;
}

/* `"name": value` or, for a partner, `"_name": {…}`; nothing at all when there is no value. */
static char *single_member(struct writer *writer, char *at, const struct tree_node *node, bool partner,
                                  bool first, size_t depth) {
  size_t mark = offset(writer, at);
  at = member_name(writer, at, node->name, partner, first, depth);
  if (!at) return NULL;
  size_t start = offset(writer, at);
  at = partner ? object(writer, at, node, depth) : value(writer, at, node, depth);
  return at && offset(writer, at) == start ? back_to(writer, mark) : at;
}

/* Most members are texts on their own, on one line: written whatever is in them, with room for all at once. */
static inline bool is_text_alone(const struct writer *writer, const struct tree_node *node) {
  return node->kind == TREE_STRING && !(node->flags & TREE_IN_ARRAY) && !node->child && !writer->pretty;
}

static inline char *text_alone(struct writer *writer, char *at, const struct tree_node *node, bool first, size_t depth) {
  at = room(writer, at, node->name.len + node->text.len);
  if (!at) return NULL;
  char *to = at;
  if (!first) *to++ = ',';
  *to++ = '"';
  if (copy_plain(node->name.ptr, node->name.len, to) != node->name.len) return single_member(writer, at, node, false, first, depth);
  to += node->name.len;
  memcpy(to, "\":\"", 3);
  to += 3;
  if (copy_plain(node->text.ptr, node->text.len, to) != node->text.len) return single_member(writer, at, node, false, first, depth);
  to += node->text.len;
  *to++ = '"';
  return to;
}

/* The members that `*node` begins, one or an array, and its partner; sets *node to the last node written. */
static inline char *member(struct writer *writer, char *at, const struct tree_node **node, size_t begin,
                           size_t depth) {
  const struct tree_node *first = *node;
  if (is_text_alone(writer, first)) return text_alone(writer, at, first, offset(writer, at) == begin, depth);
  if (first->flags & TREE_IN_ARRAY) {
    struct array array = {.first = first, .last = first}; /* there may be no room even for the name */
    at = array_member(writer, at, &array, offset(writer, at) == begin, depth);
    *node = array.last;
    if (!at || !array.partners) return at;
    array.partner = true;
    return array_member(writer, at, &array, offset(writer, at) == begin, depth);
  }
  at = single_member(writer, at, first, false, offset(writer, at) == begin, depth);
  if (!at || !is_primitive(first) || !first->child) return at;
  return single_member(writer, at, first, true, offset(writer, at) == begin, depth);
}

static char *members(struct writer *writer, char *at, const struct tree_node *object, size_t depth) {
  size_t begin = offset(writer, at);
  bool meta = false;
  if (depth > TREE_DEPTH_MAX) {
    writer->out->error = STATUS_LIMIT;
    return NULL;
  }
  for (const struct tree_node *child = object->child; child && at; child = child->next) {
    if (!tree_is_meta(child)) continue;
    meta = true;
    at = single_member(writer, at, child, false, offset(writer, at) == begin, depth);
  }
  for (const struct tree_node *child = object->child; child && at; child = child->next) {
    if (!meta || !tree_is_meta(child)) at = member(writer, at, &child, begin, depth);
  }
  return at;
}

/* --- the document --- */

/* A text that was an array at its top: its items have no name at all, where a member may have an empty one.
 */
static bool is_top_array(const struct tree_node *root) {
  const struct tree_node *child = root->child;
  return child && !child->name.ptr && (child->flags & (TREE_IN_ARRAY | TREE_EMPTY_ARRAY));
}

static char *document(struct writer *writer, char *at, const struct tree_node *root) {
  at = room(writer, at, 0);
  if (!at) return NULL;
  size_t mark = offset(writer, at);
  struct array array = {.first = root->child};
  bool list = is_top_array(root);
  if (list && !(root->child->flags & TREE_EMPTY_ARRAY)) {
    at = items(writer, at, &array, 0);
  } else if (!list) {
    at = value(writer, at, root, 0);
  }
  /* The whole is never left out. */
  if (at && offset(writer, at) == mark)
    at = text(writer, at, list ? STR("[]") : is_primitive(root) ? STR("null") : STR("{}"));
  return at ? line(writer, at, 0, 0) : NULL;
}

void tree_write_json(const struct tree_node *root, const struct tree_write *options, struct buf *out) {
  struct writer writer = {
      .out = out, .pretty = options && options->pretty, .keep_empty = options && options->keep_empty};
  size_t max = out->max, begin = out->len;
  if (out->error) return;
  /* The room asked for is more than what is written: so the cap is looked at when all is done. */
  out->max = max < SIZE_MAX - 4 * SLACK ? max + 4 * SLACK : SIZE_MAX;
  char *at = out->ptr ? out->ptr + begin : grow(&writer, NULL, out->max < FIRST ? out->max : FIRST);
  if (at && !writer.end) writer.begin = out->ptr, writer.end = out->ptr + out->room;
  at = at ? document(&writer, at, root) : NULL;
  out->len = at ? offset(&writer, at) : begin;
  out->max = max;
  if (out->len > max) {
    out->error = STATUS_LIMIT;
    out->len = begin;
  }
}

void tree_write_string(struct str value, struct buf *out) {
  buf_add_json(out, value);
}

enum status tree_write_text(const struct tree_node *root, struct arena *arena, struct str *out) {
  struct buf text;
  buf_init(&text, LIMIT_TEXT_BYTES);
  tree_write_json(root, NULL, &text);
  enum status status = text.error;
  *out = status == STATUS_OK ? buf_take_str(&text, arena) : (struct str){0};
  buf_release(&text);
  return status == STATUS_OK && !out->ptr ? STATUS_NOMEM : status;
}
