/* choose.c - what of the map's resources goes to this destination: types, rules, the session note. */
#include "bundle/internal.h"

bool bundle_has_requests(enum bundle_submit submit) {
  return submit == BUNDLE_TRANSACTION || submit == BUNDLE_BATCH || submit == BUNDLE_SINGLE;
}

static bool is_psychotherapy_note(const struct tree_node *resource) {
  const struct tree_node *meta = tree_find(resource, "meta");
  const struct tree_node *label = meta ? tree_find(meta, "security") : NULL;
  for (; label; label = tree_next_same(label))
    if (str_is(tree_text(label, "code"), "PSYTHPN")) return true;
  return false;
}

static void leave(struct bundle_item *item, const char *why) {
  item->fate = BUNDLE_LEFT_OUT;
  item->why = why;
}

static void judge(struct bundle_finishing *finish, struct bundle_item *item) {
  const struct bundle_shape *shape = finish->params->shape;
  item->note = bundle_is_session_note(item->resource);
  item->may = bundle_shape_may(shape, item->type);
  item->mentioned = bundle_mark_take(item->resource);
  if (item->mentioned) item->may = bundle_may_mentioned(item->may);
  item->fate = BUNDLE_GOES;
  if (item->note) {
    item->fate = BUNDLE_UNASKED;
  } else if (!shape->psychotherapy_notes && is_psychotherapy_note(item->resource)) {
    item->fate = BUNDLE_WITHHELD;
  } else if (!item->may) {
    leave(item, "type");
  } else if (item->may == BUNDLE_READ) {
    item->fate = BUNDLE_LOOKED_UP;
    if (!bundle_has_requests(shape->submit)) leave(item, "read-only");
  } else {
    const char *rule = bundle_obey(finish, item);
    if (rule) leave(item, rule);
  }
}

/* --- references that must be real --- */

struct tree_node *bundle_removable(struct tree_node *reference) {
  struct tree_node *node = reference;
  for (; node->parent && node->element; node = node->parent) {
    size_t count = 0;
    for (const struct tree_node *same = tree_find_str(node->parent, node->name); same; same = tree_next_same(same))
      count++;
    if (count > def_element_min(node->element)) return node;
    if (!node->parent->element || str_is(node->parent->name, "resource")) return NULL;
  }
  return NULL;
}

static struct tree_node *after(const struct tree_node *root, const struct tree_node *node) {
  while (node != root && !node->next)
    node = node->parent;
  return node == root ? NULL : node->next;
}

void bundle_sweep(struct tree_node *root) {
  for (struct tree_node *node = root, *next; node; node = next) {
    next = node->flags & TREE_MARK && node != root ? after(root, node) : tree_following(root, node);
    if (!(node->flags & TREE_MARK) || node == root) continue;
    do {
      struct tree_node *parent = node->parent;
      tree_remove(node);
      node = parent;
    } while (node != root && !node->child);
  }
}

struct reading {
  struct bundle_finishing *finish;
  struct bundle_item *item;
};

static enum status want_real(void *context, struct tree_node *reference, struct tree_node *text) {
  struct reading *reading = context;
  const struct bundle_item *target = map_get(&reading->finish->names, text->text);
  if (target && !bundle_item_stays(target) && !target->note && !bundle_removable(reference))
    leave(reading->item, "logicalReferences");
  return STATUS_OK;
}

/* What cannot do without a reference goes with what it refers to, and so on. */
static enum status follow_left_out(struct bundle_finishing *finish) {
  enum status status = STATUS_OK;
  bool changed = finish->params->shape->resolved_references;
  while (changed && status == STATUS_OK) {
    changed = false;
    for (size_t i = 0; i < finish->count && status == STATUS_OK; i++) {
      struct reading reading = {finish, &finish->items[i]};
      if (reading.item->fate != BUNDLE_GOES) continue;
      status = bundle_each_reference(finish->reference, reading.item->resource, want_real, &reading);
      changed |= reading.item->fate != BUNDLE_GOES;
    }
  }
  return status;
}

/* --- what is only read, and the session note --- */

static enum status mark_wanted(void *context, struct tree_node *reference, struct tree_node *text) {
  struct bundle_finishing *finish = context;
  struct bundle_item *target = (struct bundle_item *)(uintptr_t)map_get(&finish->names, text->text);
  (void)reference;
  if (target) target->wanted = true;
  return STATUS_OK;
}

static bool any_looked_up(const struct bundle_finishing *finish) {
  bool any = false;
  for (size_t i = 0; i < finish->count && !any; i++)
    any = finish->items[i].fate == BUNDLE_LOOKED_UP;
  return any;
}

static enum status mark_targets(struct bundle_finishing *finish, const struct bundle_item *item) {
  return bundle_each_reference(finish->reference, item->resource, mark_wanted, finish);
}

/* People and places are the server's own to know; all else says what happened. */
static bool is_directory(struct str type) {
  static const char *const types[] = {"Patient", "Practitioner", "PractitionerRole", "Organization", "Location"};
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
    if (str_is(type, types[i])) return true;
  return false;
}

static bool is_missing(const struct bundle_item *item) {
  return item->fate == BUNDLE_LEFT_OUT ||
         (item->fate == BUNDLE_LOOKED_UP && (!item->wanted || !is_directory(item->type)));
}

static bool note_is_due(const struct bundle_finishing *finish, const struct bundle_item *note) {
  const struct bundle_shape *shape = finish->params->shape;
  if (shape->session_note == BUNDLE_NOTE_ALWAYS) return (note->may & BUNDLE_CREATE) != 0;
  if (shape->session_note == BUNDLE_NOTE_NEVER || !(note->may & BUNDLE_CREATE)) return false;
  for (size_t i = 0; i < finish->count; i++)
    if (is_missing(&finish->items[i])) return true;
  return false;
}

static enum status decide_note(struct bundle_finishing *finish) {
  for (size_t i = 0; i < finish->count; i++) {
    struct bundle_item *note = &finish->items[i];
    if (!note->note || !note_is_due(finish, note)) continue;
    note->fate = BUNDLE_GOES;
    const char *rule = bundle_obey(finish, note);
    if (rule) leave(note, rule);
    if (finish->params->report) finish->params->report->session_note = !rule;
    return rule ? STATUS_OK : mark_targets(finish, note);
  }
  return STATUS_OK;
}

static void drop_unwanted(struct bundle_finishing *finish) {
  for (size_t i = 0; i < finish->count; i++)
    if (finish->items[i].fate == BUNDLE_LOOKED_UP && !finish->items[i].wanted) leave(&finish->items[i], "read-only");
}

/* --- saying so --- */

static void say(struct bundle_finishing *finish, const struct bundle_item *item) {
  struct str type = item->type, key = bundle_shown_key(finish->params->arena, item->key);
  if (item->fate == BUNDLE_WITHHELD)
    BUNDLE_COMPLAIN(finish, DIAG_INFORMATION, DIAG_BUNDLE_WITHHELD, item->resource,
                    "a psychotherapy note stays at the clinic; %.*s is left out", STR_ARG(key));
  else if (strcmp(item->why, "type") == 0)
    BUNDLE_COMPLAIN(finish, DIAG_WARNING, DIAG_BUNDLE_NOT_ALLOWED, item->resource,
                    "the destination does not take %.*s; %.*s is left out", STR_ARG(type), STR_ARG(key));
  else if (strcmp(item->why, "read-only") == 0)
    BUNDLE_COMPLAIN(finish, DIAG_WARNING, DIAG_BUNDLE_NOT_ALLOWED, item->resource,
                    "the destination lets %.*s only be read; %.*s is left out", STR_ARG(type), STR_ARG(key));
  else
    BUNDLE_COMPLAIN(finish, DIAG_WARNING, DIAG_BUNDLE_REQUIRED, item->resource,
                    "the destination insists on what this %.*s does not have (%s); %.*s is left out",
                    STR_ARG(type), item->why, STR_ARG(key));
}

static enum status tell(struct bundle_finishing *finish) {
  struct bundle_report *report = finish->params->report;
  if (report) report->left_out = ARENA_ARRAY(finish->params->arena, struct bundle_left_out, finish->count + 1);
  if (report && !report->left_out) return STATUS_NOMEM;
  for (size_t i = 0; i < finish->count; i++) {
    const struct bundle_item *item = &finish->items[i];
    if (item->fate != BUNDLE_LEFT_OUT && item->fate != BUNDLE_WITHHELD) continue;
    say(finish, item);
    if (!report) continue;
    const char *why = item->fate == BUNDLE_WITHHELD ? "psychotherapy-note" : item->why;
    report->left_out[report->left_out_count++] = (struct bundle_left_out){item->type, item->key, str_of(why)};
  }
  return STATUS_OK;
}

enum status bundle_choose(struct bundle_finishing *finish) {
  for (size_t i = 0; i < finish->count; i++)
    judge(finish, &finish->items[i]);
  enum status status = follow_left_out(finish);
  bool mark = any_looked_up(finish); /* of others nobody asks whether they are wanted */
  for (size_t i = 0; i < finish->count && status == STATUS_OK && mark; i++)
    if (finish->items[i].fate == BUNDLE_GOES) status = mark_targets(finish, &finish->items[i]);
  if (status == STATUS_OK) status = decide_note(finish);
  if (status != STATUS_OK) return status;
  drop_unwanted(finish);
  return tell(finish);
}
