/*
 * write.c - a tree as text. Positions are the numbers at the end of names; what the tree says as its source does
 * is written as it stands there, byte for byte.
 */
#include <stdlib.h>
#include "hl7v2/internal.h"

/* A child and where it goes: position and subcomponent of a field's part, or offset of a segment. */
struct entry {
  uint64_t place;
  size_t index; /* equals stay as they stand */
  const struct tree_node *node;
};

struct writing {
  const struct hl7v2_message *of;
  struct hl7v2_delims delims;
  struct buf *out;
  struct arena *arena; /* for comparing; rewound */
  struct entry *stack; /* children that are being written, those of the innermost node last */
  size_t count, room;
};

static void fail(struct writing *w, enum status status) {
  if (w->out->error == STATUS_OK) w->out->error = status;
}

/* --- leaves --- */

/* The run of the source that a leaf was read from; ptr NULL: it was not. */
static struct str run_of(const struct writing *w, const struct tree_node *node) {
  if (!w->of || !node->offset) return (struct str){0};
  struct str text = w->of->source->text;
  const struct hl7v2_delims *d = &w->of->delims;
  size_t from = tree_offset(node), to = from;
  if (from > text.len) return (struct str){0};
  for (; to < text.len; to++) {
    char c = text.ptr[to];
    if (c == d->field || c == d->component || c == d->repetition || c == d->subcomponent || hl7v2_is_line_end(c)) break;
  }
  return str_make(text.ptr + from, to - from);
}

static bool same_delims(const struct hl7v2_delims *a, const struct hl7v2_delims *b) {
  return memcmp(a, b, sizeof *a) == 0;
}

/* Whether a run means what the node says. */
static bool is_same(struct writing *w, struct str run, struct str text) {
  struct arena_mark mark = arena_mark(w->arena);
  bool kept;
  struct str meant = hl7v2_unescape_of(w->of, run, w->arena, &kept);
  if (!meant.ptr && run.len) fail(w, STATUS_NOMEM);
  bool same = str_eq(meant, text);
  arena_rewind(w->arena, mark);
  return same;
}

static void write_text(struct writing *w, const struct tree_node *node) {
  struct str run = run_of(w, node);
  if (run.ptr && same_delims(&w->delims, &w->of->delims) && is_same(w, run, node->text))
    buf_add_str(w->out, run);
  else if (!hl7v2_escape(node->text, &w->delims, w->out)) fail(w, STATUS_INVALID);
}

/* --- parts --- */

static bool take_digits(struct str *name, size_t *number) {
  size_t at = name->len, scale = 1;
  *number = 0;
  while (at > 0 && name->ptr[at - 1] >= '0' && name->ptr[at - 1] <= '9' && scale < 10000000) {
    *number += (size_t)(name->ptr[--at] - '0') * scale;
    scale *= 10;
  }
  if (at == name->len || at == 0 || name->ptr[at - 1] != '_') return false;
  name->len = at - 1;
  return *number > 0;
}

/* Where a child stands in its parent. `inner`: for PID_7_1_2 below PID_7 the 2, else 0. */
static size_t position_of(const struct tree_node *parent, const struct tree_node *child, size_t *inner) {
  struct str name = child->name;
  size_t last = 0, before = 0;
  *inner = 0;
  if (!take_digits(&name, &last)) return 0;
  if (name.len <= parent->name.len || !str_starts(name, parent->name)) return last;
  if (!take_digits(&name, &before) || !str_eq(name, parent->name)) return last;
  *inner = last;
  return before;
}

/* --- order --- */

/* What of the stack belongs to one node. */
struct entries {
  size_t from, count;
};

static int by_place(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  if (x->place != y->place) return x->place < y->place ? -1 : 1;
  return x->index < y->index ? -1 : x->index > y->index;
}

static void sort(struct writing *w, struct entries entries) {
  struct entry *items = w->stack + entries.from;
  for (size_t i = 1; i < entries.count; i++)
    if (items[i].place < items[i - 1].place) {
      qsort(items, entries.count, sizeof *items, by_place);
      return;
    }
}

static void push(struct writing *w, struct entries *entries, const struct tree_node *node, uint64_t place) {
  if (w->count == w->room) {
    size_t room = w->room ? w->room * 2 : 256;
    struct entry *grown = reallocarray(w->stack, room, sizeof *grown);
    if (!grown) {
      fail(w, STATUS_NOMEM);
      return;
    }
    w->stack = grown;
    w->room = room;
  }
  w->stack[w->count++] = (struct entry){place, entries->count++, node};
}

static void pop(struct writing *w, struct entries entries) {
  w->count = entries.from;
}

/* The children by their positions. A child without one is a mistake of who made the tree. */
static struct entries children_of(struct writing *w, const struct tree_node *parent) {
  struct entries entries = {.from = w->count};
  for (const struct tree_node *child = parent->child; child; child = child->next) {
    size_t inner;
    uint64_t position = position_of(parent, child, &inner);
    if (!position) fail(w, STATUS_INVALID);
    push(w, &entries, child, position << 32 | inner);
  }
  sort(w, entries);
  return entries;
}

/* --- parts --- */

static void repeat(struct writing *w, char separator, uint64_t count) {
  if (count && !separator) fail(w, STATUS_INVALID);
  for (uint64_t i = 0; i < count && w->out->error == STATUS_OK; i++)
    buf_add_char(w->out, separator);
}

static char separator_at(const struct writing *w, int level) {
  return level == 0 ? w->delims.component : level == 1 ? w->delims.subcomponent : 0;
}

/* Recursion goes as deep as types nest: four. */
static void write_value(struct writing *w, const struct tree_node *node, int level) {
  if (node->kind == TREE_NULL)
    buf_add_str(w->out, node->text); /* nothing, or the two quotation marks */
  else if (node->kind != TREE_OBJECT)
    write_text(w, node);
  if (!node->child) return;
  struct entries parts = children_of(w, node);
  uint64_t position = 1, inner = 1;
  for (size_t i = 0; i < parts.count; i++) {
    struct entry part = w->stack[parts.from + i];
    uint64_t place = part.place, sub = place & UINT32_MAX;
    if (i && place == w->stack[parts.from + i - 1].place) fail(w, STATUS_INVALID);
    if (sub) {
      if (place >> 32 != 1) fail(w, STATUS_INVALID);
      repeat(w, w->delims.subcomponent, sub - inner);
      inner = sub;
    } else {
      repeat(w, separator_at(w, level), (place >> 32) - position);
      position = place >> 32;
    }
    write_value(w, part.node, sub ? 2 : level + 1);
  }
  pop(w, parts);
}

/* --- segments --- */

static const struct tree_node *delimiters_of(const struct tree_node *segment, const char *number) {
  for (const struct tree_node *node = segment->child; node; node = node->next)
    if (str_ends(node->name, str_of(number)) && node->name.len == 5 && node->text.len) return node;
  return NULL;
}

static void write_header(struct writing *w, const struct tree_node *segment) {
  const struct tree_node *first = delimiters_of(segment, "_1"), *second = delimiters_of(segment, "_2");
  buf_add_str(w->out, first ? first->text : STR("|"));
  buf_add_str(w->out, second ? second->text : STR("^~\\&"));
}

static void write_segment(struct writing *w, const struct tree_node *segment) {
  struct entries fields = children_of(w, segment);
  uint64_t position = 0;
  bool header = hl7v2_is_header(segment->name);
  buf_add_str(w->out, segment->name);
  if (header) write_header(w, segment);
  for (size_t i = 0; i < fields.count; i++) {
    struct entry field = w->stack[fields.from + i];
    uint64_t number = field.place >> 32;
    if (header && number <= 2) continue;
    if (header && position < 2) position = 2;
    if (number == position)
      repeat(w, w->delims.repetition, 1);
    else
      repeat(w, w->delims.field, number - position);
    position = number;
    write_value(w, field.node, 0);
  }
  pop(w, fields);
}

/* --- the message --- */

static bool is_segment(const struct tree_node *node) {
  return node->name.len == 3;
}

static struct entries segments_of(struct writing *w, const struct tree_node *root) {
  struct entries entries = {.from = w->count};
  uint64_t place = 0;
  for (const struct tree_node *node = root; node; node = tree_following(root, node)) {
    if (!is_segment(node)) continue;
    if (w->of && node->offset) place = node->offset;
    push(w, &entries, node, place);
  }
  sort(w, entries);
  return entries;
}

/* Its number in the message that the tree was read from; segment_count: it is not from there. */
static uint32_t number_of(const struct hl7v2_message *of, const struct tree_node *node) {
  uint32_t low = 0, high = of->segment_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (of->segments[middle].at < tree_offset(node))
      low = middle + 1;
    else
      high = middle;
  }
  bool found = node->offset && low < of->segment_count && of->segments[low].at == tree_offset(node);
  return found ? low : of->segment_count;
}

/* As it stands behind the segment, if the next one is its successor there too. */
static void write_end(struct writing *w, const struct tree_node *node, const struct tree_node *next) {
  const struct hl7v2_message *of = w->of;
  uint32_t here = of ? number_of(of, node) : 0;
  if (!of || here == of->segment_count) {
    buf_add_char(w->out, '\r');
    return;
  }
  struct str text = of->source->text;
  size_t from = of->segments[here].end, to = here + 1 < of->segment_count ? of->segments[here + 1].at : text.len;
  if (next ? number_of(of, next) != here + 1 : here + 1 != of->segment_count) to = hl7v2_line_end(text, from);
  buf_add_str(w->out, str_slice(text, from, to));
  if (next && from == to) buf_add_char(w->out, '\r');
}

/* What stands before MSH: blank lines. */
static void write_beginning(struct writing *w, struct entries segments) {
  if (w->of && segments.count && number_of(w->of, w->stack[0].node) == 0)
    buf_add_str(w->out, str_slice(w->of->source->text, 0, w->of->segments[0].at));
}

static struct hl7v2_delims delims_of(struct writing *w, struct entries segments) {
  struct hl7v2_delims delims = hl7v2_delims_usual();
  struct buf head;
  if (!segments.count || !hl7v2_is_header(w->stack[0].node->name)) return delims;
  buf_init(&head, 64);
  buf_add_text(&head, "MSH");
  struct buf *out = w->out;
  w->out = &head;
  write_header(w, w->stack[0].node);
  w->out = out;
  if (head.error != STATUS_OK || hl7v2_delims_read(buf_str(&head), 0, &delims))
    fail(w, head.error == STATUS_NOMEM ? STATUS_NOMEM : STATUS_INVALID);
  buf_release(&head);
  return delims;
}

void hl7v2_write(const struct tree_node *root, const struct hl7v2_message *of, struct buf *out) {
  struct writing w = {.of = of, .out = out, .arena = arena_new(LIMIT_ARENA_BYTES)};
  if (!w.arena) {
    fail(&w, STATUS_NOMEM);
    return;
  }
  struct entries segments = segments_of(&w, root);
  w.delims = delims_of(&w, segments);
  write_beginning(&w, segments);
  for (size_t i = 0; i < segments.count; i++) {
    const struct tree_node *node = w.stack[i].node, *next = i + 1 < segments.count ? w.stack[i + 1].node : NULL;
    write_segment(&w, node);
    write_end(&w, node, next);
  }
  free(w.stack);
  arena_free(w.arena);
}
