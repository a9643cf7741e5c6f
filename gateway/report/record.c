/* record.c - finding one's way in a record: lists, references, people, times. */
#include "report/internal.h"

/* Calls itself for the lists on the way, at most as deep as the path. */
static size_t walk(const struct tree_node *node, struct str path, const struct tree_node **into) {
  size_t dot = str_find_char(path, '.', 0), count = 0;
  struct str name = str_slice(path, 0, dot == SIZE_MAX ? path.len : dot);
  for (const struct tree_node *at = tree_find_str(node, name); at; at = tree_next_same(at)) {
    if (at->flags & TREE_EMPTY_ARRAY) continue;
    if (dot != SIZE_MAX) {
      count += walk(at, str_slice(path, dot + 1, path.len), into ? into + count : NULL);
      continue;
    }
    if (into) into[count] = at;
    count++;
  }
  return count;
}

struct report_rows report_collect(struct report_page *page, const char *path) {
  struct report_rows rows = {0};
  size_t count = walk(page->record, str_of(path), NULL);
  if (!count) return rows;
  rows.nodes = ARENA_ARRAY(page->arena, const struct tree_node *, count);
  if (rows.nodes)
    rows.count = walk(page->record, str_of(path), rows.nodes);
  else
    page->status = STATUS_NOMEM;
  return rows;
}

/* Ids are unique in a record, but those of the clinic and of the session are names of another kind. */
enum status report_index(struct report_page *page) {
  enum status status = STATUS_OK;
  map_init(&page->ids, page->arena);
  for (const struct tree_node *node = page->record; node && status != STATUS_NOMEM;
       node = tree_following(page->record, node)) {
    if (!str_is(node->name, "id") || !node->text.len || !node->parent->parent) continue;
    if (str_is(node->parent->name, "clinic") || str_is(node->parent->name, "session")) continue;
    status = map_put(&page->ids, node->text, node->parent);
  }
  return status == STATUS_NOMEM ? status : STATUS_OK;
}

const struct tree_node *report_item(const struct report_page *page, const char *list, struct str id) {
  const struct tree_node *item = id.len ? map_get(&page->ids, id) : NULL;
  return item && str_is(item->name, list) ? item : NULL;
}

/* --- people --- */

static void add_words(struct buf *out, struct str first, struct str second) {
  buf_add_str(out, first);
  if (first.len && second.len) buf_add_char(out, ' ');
  buf_add_str(out, second);
}

void report_person(const struct report_page *page, struct str id, struct buf *out) {
  const struct tree_node *staff = report_item(page, "staff", id);
  const struct tree_node *contact = report_item(page, "contacts", id);
  if (staff) {
    add_words(out, tree_text(staff, "given"), tree_text(staff, "family"));
  } else if (contact && tree_text(contact, "name").len) {
    buf_add_str(out, tree_text(contact, "name"));
  } else if (contact) {
    report_word_plain(out, tree_text(contact, "relationship"));
    if (!tree_text(contact, "relationship").len) report_word_plain(out, tree_text(contact, "role"));
  } else {
    buf_add_str(out, id);
  }
}

/* --- doses and notes --- */

bool report_dose_given(const struct tree_node *dose) {
  struct str status = tree_text(dose, "status");
  return !str_is(status, "not-done") && !str_is(status, "entered-in-error");
}

bool report_is_kept_back(const struct report_page *page, const struct tree_node *note) {
  return !page->params->psychotherapy_notes && str_is(tree_text(note, "sensitivity"), "psychotherapy-note");
}

/* --- times --- */

bool report_instant(struct str text, struct datetime *out) {
  return text.len && datetime_parse(text, DATETIME_INSTANT, out);
}

void report_offset(struct buf *out, int offset) {
  unsigned minutes = (unsigned)(offset < 0 ? -offset : offset);
  buf_printf(out, "UTC%s%02u:%02u", offset < 0 ? "\xE2\x88\x92" : "+", minutes / 60, minutes % 60);
}

/* The record's own digits: "2026-03-11T10:17:00-05:00" has its clock at 11. */
void report_clock(const struct report_page *page, struct str text, struct buf *out) {
  struct datetime at;
  if (!report_instant(text, &at)) {
    buf_add_str(out, text);
    return;
  }
  struct str day = str_slice(text, 0, 10);
  if (!str_eq(day, page->day)) {
    buf_add_str(out, day);
    buf_add_char(out, ' ');
  }
  bool seconds = at.second || at.nanosecond;
  size_t end = 19;
  while (end < text.len && (text.ptr[end] == '.' || (text.ptr[end] >= '0' && text.ptr[end] <= '9')))
    end++;
  buf_add_str(out, str_slice(text, 11, seconds ? end : 16));
  if (at.offset == page->offset) return;
  buf_add_char(out, ' ');
  report_offset(out, at.offset);
}
