/*
 * map_diff.c - the difference of an expected Bundle and the one that came out, element by element.
 *
 *   ~ Bundle.entry[4].resource.dosage.dose.value: expected 37.50, got 37.5  (record.json 41:22, rule
 * dose.fml:33:5)
 *   - path: expected …, missing          + path: not expected: …
 *
 * Entries are paired by fullUrl, so one that is missing does not make all that follow differ.
 */
#include "cli/map_diff.h"

enum { SHOWN_MAX = 80 };

struct cli_map_diff_write {
  const struct tree_node *node;
  struct str file;
  struct source_position position;
};

/* --- who wrote it ----------------------------------------------------------------------------------------
 */

void cli_map_diff_init(struct cli_map_diff *diff, struct arena *arena) {
  *diff = (struct cli_map_diff){.arena = arena};
}

static size_t slot_of(const struct cli_map_diff *diff, const struct tree_node *node) {
  size_t mask = diff->write_room - 1;
  size_t at = (size_t)(((uintptr_t)node >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20) & mask;
  while (diff->writes[at].node && diff->writes[at].node != node)
    at = (at + 1) & mask;
  return at;
}

static bool grow(struct cli_map_diff *diff) {
  struct cli_map_diff old = *diff;
  diff->write_room = old.write_room ? old.write_room * 2 : 1024;
  diff->writes = ARENA_ARRAY(diff->arena, struct cli_map_diff_write, diff->write_room);
  if (!diff->writes) {
    *diff = old;
    return false;
  }
  for (size_t i = 0; i < old.write_room; i++)
    if (old.writes[i].node) diff->writes[slot_of(diff, old.writes[i].node)] = old.writes[i];
  return true;
}

void cli_map_diff_note(struct cli_map_diff *diff, const struct mapping_trace *trace) {
  if (!trace->target) return;
  if (diff->write_count * 2 >= diff->write_room && !grow(diff)) return;
  struct cli_map_diff_write *write = &diff->writes[slot_of(diff, trace->target)];
  if (!write->node) diff->write_count++;
  *write = (struct cli_map_diff_write){trace->target, trace->file, trace->position};
}

/* The rule of a node, or of what it stands in. */
static const struct cli_map_diff_write *writer(const struct cli_map_diff *diff,
                                               const struct tree_node *node) {
  for (; node && diff->write_room; node = node->parent) {
    const struct cli_map_diff_write *write = &diff->writes[slot_of(diff, node)];
    if (write->node) return write;
  }
  return NULL;
}

/* --- showing ---------------------------------------------------------------------------------------------
 */

static void show_value(struct cli_map_diff *diff, const struct tree_node *node) {
  struct tree_write compact = {.keep_empty = true};
  struct buf text;
  if (node->kind == TREE_NUMBER || node->kind == TREE_BOOLEAN) {
    buf_add_str(diff->out, node->text);
    return;
  }
  if (node->kind == TREE_STRING) {
    tree_write_string(node->text, diff->out);
    return;
  }
  buf_init(&text, LIMIT_TEXT_BYTES);
  tree_write_json(node, &compact, &text);
  struct str shown = str_slice(buf_str(&text), 0, SHOWN_MAX);
  buf_add_str(diff->out, shown);
  if (text.len > SHOWN_MAX) buf_add_text(diff->out, "…");
  buf_release(&text);
}

static void show_place(struct cli_map_diff *diff, const struct tree_node *got) {
  const struct cli_map_diff_write *write = got ? writer(diff, got) : NULL;
  const struct tree_node *from = got;
  while (from && !from->offset)
    from = from->parent;
  if (!write && !from) return;
  buf_add_text(diff->out, "  (");
  if (from && diff->record) {
    struct source_position p = source_locate(diff->record, tree_offset(from));
    buf_printf(diff->out, "%.*s %u:%u%s", STR_ARG(diff->record->name), p.line, p.col, write ? ", " : "");
  }
  if (write)
    buf_printf(diff->out, "rule %.*s:%u:%u", STR_ARG(write->file), write->position.line, write->position.col);
  buf_add_char(diff->out, ')');
}

static void tell(struct cli_map_diff *diff, char sign, struct str path, const struct tree_node *want,
                 const struct tree_node *got, const struct tree_node *near) {
  if (diff->count++ >= diff->max) return;
  buf_printf(diff->out, "  %c %.*s: ", sign, STR_ARG(path));
  if (want) {
    buf_add_text(diff->out, "expected ");
    show_value(diff, want);
  }
  if (want && got) buf_add_text(diff->out, ", got ");
  if (want && !got) buf_add_text(diff->out, ", missing");
  if (!want) buf_add_text(diff->out, "not expected: ");
  if (got) show_value(diff, got);
  show_place(diff, got ? got : near);
  buf_add_char(diff->out, '\n');
}

/* --- comparing -------------------------------------------------------------------------------------------
 */

static void compare(struct cli_map_diff *diff, struct str path, const struct tree_node *want,
                    const struct tree_node *got);

static const struct tree_node *nth(const struct tree_node *parent, struct str name, size_t index) {
  const struct tree_node *node = tree_find_str(parent, name);
  while (node && index-- > 0)
    node = tree_next_same(node);
  return node;
}

/* The item of `parent` that goes with `item`: the entry of the same fullUrl, else the one at its index. */
static const struct tree_node *partner(const struct tree_node *parent, const struct tree_node *item,
                                       size_t index) {
  struct str url = tree_text(item, "fullUrl");
  if (!str_is(item->name, "entry") || url.len == 0) return nth(parent, item->name, index);
  const struct tree_node *other = tree_find_str(parent, item->name);
  while (other && !str_eq(tree_text(other, "fullUrl"), url))
    other = tree_next_same(other);
  return other;
}

static struct str child_path(const struct cli_map_diff *diff, struct str path, const struct tree_node *item,
                             size_t index) {
  if (item->flags & TREE_IN_ARRAY)
    return arena_printf(diff->arena, "%.*s.%.*s[%zu]", STR_ARG(path), STR_ARG(item->name), index);
  return arena_printf(diff->arena, "%.*s.%.*s", STR_ARG(path), STR_ARG(item->name));
}

static size_t index_of(const struct tree_node *parent, const struct tree_node *item) {
  size_t index = 0;
  for (const struct tree_node *n = tree_find_str(parent, item->name); n && n != item; n = tree_next_same(n))
    index++;
  return index;
}

static void compare_members(struct cli_map_diff *diff, struct str path, const struct tree_node *want,
                            const struct tree_node *got) {
  for (const struct tree_node *w = want->child; w; w = w->next) {
    size_t index = index_of(want, w);
    const struct tree_node *g = partner(got, w, index);
    struct str child = child_path(diff, path, w, index);
    if (g)
      compare(diff, child, w, g);
    else
      tell(diff, '-', child, w, NULL, got);
  }
  for (const struct tree_node *g = got->child; g; g = g->next) {
    size_t index = index_of(got, g);
    if (!partner(want, g, index)) tell(diff, '+', child_path(diff, path, g, index), NULL, g, NULL);
  }
}

static void compare(struct cli_map_diff *diff, struct str path, const struct tree_node *want,
                    const struct tree_node *got) {
  bool objects = want->kind == TREE_OBJECT && got->kind == TREE_OBJECT;
  bool array = ((want->flags ^ got->flags) & TREE_IN_ARRAY) != 0;
  if (!objects && (want->kind != got->kind || !str_eq(want->text, got->text))) {
    tell(diff, '~', path, want, got, NULL);
    return;
  }
  if (array && want->parent && got->parent) tell(diff, '~', path, want, got, NULL);
  compare_members(diff, path, want, got);
}

size_t cli_map_diff(struct cli_map_diff *diff, const struct tree_node *want, const struct tree_node *got) {
  struct str root = tree_text(want, "resourceType");
  diff->count = 0;
  compare(diff, root.len ? root : STR("Bundle"), want, got);
  if (diff->count > diff->max) buf_printf(diff->out, "  … and %zu more\n", diff->count - diff->max);
  return diff->count;
}
