/* fn_collection.c - functions on collections: existence, subsetting, combining, repeat, aggregate, sort. */
#include "fhirpath/internal.h"

/* --- 5.1 existence */

/* Looks for `wanted` in a list of Booleans. */
static bool any_is(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, bool wanted,
                   bool *found) {
  struct fp_value value;
  *found = false;
  for (size_t i = 0; i < in->count; i++) {
    fp_load(&in->items[i], &value);
    if (value.kind != FP_BOOLEAN)
      return fp_fail(e, call, DIAG_FHIRPATH_EVALUATION, "%s() takes Booleans only", call->function->name);
    *found |= value.boolean == wanted;
  }
  return true;
}

bool fp_fn_all_true(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                    struct fp_list *out) {
  bool found;
  return any_is(e, call, in, false, &found) && fp_push_boolean(e, out, !found);
}

bool fp_fn_any_true(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                    struct fp_list *out) {
  bool found;
  return any_is(e, call, in, true, &found) && fp_push_boolean(e, out, found);
}

bool fp_fn_all_false(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                     struct fp_list *out) {
  bool found;
  return any_is(e, call, in, true, &found) && fp_push_boolean(e, out, !found);
}

bool fp_fn_any_false(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                     struct fp_list *out) {
  bool found;
  return any_is(e, call, in, false, &found) && fp_push_boolean(e, out, found);
}

static bool is_subset(struct fp_eval *e, const struct fp_list *a, const struct fp_list *b, bool *result) {
  struct fp_set set = {.list = *b};
  *result = true;
  for (size_t i = 0; i < a->count && *result; i++) {
    if (!fp_set_has(e, &set, &a->items[i], result)) return false;
  }
  return true;
}

bool fp_fn_subset_of(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                     struct fp_list *out) {
  struct fp_list other;
  bool result;
  if (!fp_collect(e, call->arguments[0], &other)) return false;
  return is_subset(e, in, &other, &result) && fp_push_boolean(e, out, result);
}

bool fp_fn_superset_of(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                       struct fp_list *out) {
  struct fp_list other;
  bool result;
  if (!fp_collect(e, call->arguments[0], &other)) return false;
  return is_subset(e, &other, in, &result) && fp_push_boolean(e, out, result);
}

bool fp_fn_distinct(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                    struct fp_list *out) {
  (void)call;
  return fp_distinct(e, in, out);
}

/* Of texts alone, told without making a list: 1, 0, -1 when there are others, or too many. */
static int texts_are_distinct(const struct fp_list *in) {
  enum { MOST = 128, SLOTS = 4 * MOST };
  unsigned char slots[SLOTS] = {0}; /* indexes + 1 */
  struct str text, other;
  if (in->count > MOST) return -1;
  for (size_t i = 0; i < in->count; i++) {
    if (!fp_string_of(&in->items[i], &text)) return -1;
    size_t at = str_hash(text) % SLOTS;
    for (; slots[at]; at = (at + 1) % SLOTS)
      if (fp_string_of(&in->items[slots[at] - 1], &other) && str_eq(text, other)) return 0;
    slots[at] = (unsigned char)(i + 1);
  }
  return 1;
}

bool fp_fn_is_distinct(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                       struct fp_list *out) {
  struct fp_list distinct = {0};
  int texts = texts_are_distinct(in);
  (void)call;
  if (texts >= 0) return fp_count(e, in->count) && fp_push_boolean(e, out, texts);
  return fp_distinct(e, in, &distinct) && fp_push_boolean(e, out, distinct.count == in->count);
}

/* --- 5.2 repeat */

bool fp_fn_repeat(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                  struct fp_list *out) {
  struct fp_list todo = {0};
  struct fp_set found = {0};
  if (!fp_push_all(e, &todo, in)) return false;
  for (size_t i = 0; i < todo.count; i++) {
    struct fp_item item = todo.items[i];
    struct fp_list more = {0};
    if (!fp_count(e, 1) || !fp_exec_item(e, call->arguments[0], &item, i, NULL, &more)) return false;
    for (size_t k = 0; k < more.count; k++) {
      bool added;
      if (!fp_set_add(e, &found, &more.items[k], &added)) return false;
      if (added && !fp_push(e, &todo, more.items[k])) return false;
    }
  }
  return fp_push_all(e, out, &found.list);
}

/* --- 5.3 subsetting */

static bool push_slice(struct fp_eval *e, const struct fp_list *in, size_t from, size_t count,
                       struct fp_list *out) {
  if (from >= in->count) return true;
  if (count > in->count - from) count = in->count - from;
  return fp_push_all(e, out, &(struct fp_list){.items = in->items + from, .count = count, .room = count});
}

bool fp_fn_single(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                  struct fp_list *out) {
  if (in->count > 1) return fp_fail(e, call, DIAG_FHIRPATH_EVALUATION, "single() found %zu items", in->count);
  return fp_push_all(e, out, in);
}

bool fp_fn_last(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct fp_list *out) {
  (void)call;
  return push_slice(e, in, in->count - 1, 1, out);
}

bool fp_fn_tail(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct fp_list *out) {
  (void)call;
  return push_slice(e, in, 1, SIZE_MAX, out);
}

bool fp_fn_skip(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct fp_list *out) {
  int64_t count;
  int has = fp_argument_integer(e, call, 0, &count);
  if (has <= 0) return has == 0;
  return push_slice(e, in, count > 0 ? (size_t)count : 0, SIZE_MAX, out);
}

bool fp_fn_take(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct fp_list *out) {
  int64_t count;
  int has = fp_argument_integer(e, call, 0, &count);
  if (has <= 0) return has == 0;
  return push_slice(e, in, 0, count > 0 ? (size_t)count : 0, out);
}

bool fp_fn_intersect(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                     struct fp_list *out) {
  struct fp_set other = {0}, both = {0};
  if (!fp_collect(e, call->arguments[0], &other.list)) return false;
  for (size_t i = 0; i < in->count; i++) {
    bool here, added;
    if (!fp_set_has(e, &other, &in->items[i], &here)) return false;
    if (here && !fp_set_add(e, &both, &in->items[i], &added)) return false;
  }
  return fp_push_all(e, out, &both.list);
}

bool fp_fn_exclude(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                   struct fp_list *out) {
  struct fp_set other = {0};
  if (!fp_collect(e, call->arguments[0], &other.list)) return false;
  for (size_t i = 0; i < in->count; i++) {
    bool here;
    if (!fp_set_has(e, &other, &in->items[i], &here)) return false;
    if (!here && !fp_push(e, out, in->items[i])) return false;
  }
  return true;
}

/* --- 5.4 combining */

static bool join_lists(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                       struct fp_list *out) {
  struct fp_list other;
  return fp_collect(e, call->arguments[0], &other) && fp_push_all(e, out, in) && fp_push_all(e, out, &other);
}

bool fp_fn_combine(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                   struct fp_list *out) {
  return join_lists(e, call, in, out);
}

bool fp_fn_union(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                 struct fp_list *out) {
  struct fp_list both = {0};
  return join_lists(e, call, in, &both) && fp_distinct(e, &both, out);
}

/* --- 7 aggregates */

bool fp_fn_aggregate(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                     struct fp_list *out) {
  struct fp_list total = {0};
  if (call->argument_count == 2 && !fp_collect(e, call->arguments[1], &total)) return false;
  for (size_t i = 0; i < in->count; i++) {
    struct fp_list next = {0};
    if (!fp_count(e, 1) || !fp_exec_item(e, call->arguments[0], &in->items[i], i, &total, &next))
      return false;
    total = next;
  }
  return fp_push_all(e, out, &total);
}

static bool add_all(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                    struct fp_value *total, bool *has) {
  fp_load(&in->items[0], total);
  *has = total->kind != FP_NODE;
  for (size_t i = 1; i < in->count && *has; i++) {
    struct fp_value next, sum;
    fp_load(&in->items[i], &next);
    if (next.kind == FP_NODE) {
      *has = false;
      return true;
    }
    if (!fp_arithmetic(e, call, FP_OP_ADD, total, &next, &sum, has)) return false;
    *total = sum;
  }
  return true;
}

bool fp_fn_sum(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct fp_list *out) {
  struct fp_value total;
  struct fp_item item;
  bool has;
  if (!add_all(e, call, in, &total, &has)) return false;
  return !has || (fp_value_item(e, &total, &item) && fp_push(e, out, item));
}

bool fp_fn_avg(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct fp_list *out) {
  struct fp_value total, average, count = {.kind = FP_INTEGER, .integer = (int64_t)in->count};
  struct fp_item item;
  bool has;
  if (!add_all(e, call, in, &total, &has)) return false;
  if (!has) return true;
  if (!fp_arithmetic(e, call, FP_OP_DIV, &total, &count, &average, &has)) return false;
  return !has || (fp_value_item(e, &average, &item) && fp_push(e, out, item));
}

/* The least (direction -1) or greatest item; nothing when one has no value or two do not compare. */
static bool extreme(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, int direction,
                    struct fp_list *out) {
  struct fp_value best, next;
  size_t at = 0;
  fp_load(&in->items[0], &best);
  if (best.kind == FP_NODE) return true;
  for (size_t i = 1; i < in->count; i++) {
    fp_load(&in->items[i], &next);
    if (next.kind == FP_NODE) return true;
    int order = fp_compare(e, call, &next, &best);
    if (order == FP_ORDER_FAILED) return false;
    if (order == FP_ORDER_UNKNOWN) return true;
    if (order == direction) {
      best = next;
      at = i;
    }
  }
  return fp_push(e, out, in->items[at]);
}

bool fp_fn_min(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct fp_list *out) {
  return extreme(e, call, in, -1, out);
}

bool fp_fn_max(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct fp_list *out) {
  return extreme(e, call, in, 1, out);
}

/* --- sort: stable, empty keys first */

struct sorted {
  struct fp_item item;
  struct fp_value *keys;
};

static bool read_keys(struct fp_eval *e, const struct fp_ins *call, struct sorted *row, size_t index) {
  size_t count = call->argument_count ? call->argument_count : 1;
  row->keys = ARENA_ARRAY(e->arena, struct fp_value, count);
  if (!row->keys) return fp_nomem(e);
  if (call->argument_count == 0) fp_load(&row->item, &row->keys[0]);
  for (size_t k = 0; k < call->argument_count; k++) {
    struct fp_list key = {0};
    if (!fp_exec_item(e, call->arguments[k], &row->item, index, NULL, &key)) return false;
    if (key.count > 1) return fp_fail(e, call, DIAG_FHIRPATH_EVALUATION, "a key of sort() is a single item");
    row->keys[k].kind = FP_NODE;
    if (key.count) fp_load(&key.items[0], &row->keys[k]);
  }
  return true;
}

/* -1, 0, 1, or FP_ORDER_FAILED */
static int compare_rows(struct fp_eval *e, const struct fp_ins *call, const struct sorted *a,
                        const struct sorted *b) {
  size_t count = call->argument_count ? call->argument_count : 1;
  for (size_t k = 0; k < count; k++) {
    const struct fp_value *left = &a->keys[k], *right = &b->keys[k];
    int order = (left->kind != FP_NODE) - (right->kind != FP_NODE);
    if (order == 0 && left->kind != FP_NODE) order = fp_compare(e, call, left, right);
    if (order == FP_ORDER_FAILED) return order;
    if (order == FP_ORDER_UNKNOWN || order == 0) continue;
    return (call->number >> k) & 1 ? -order : order;
  }
  return 0;
}

static bool merge(struct fp_eval *e, const struct fp_ins *call, const struct sorted *from, struct sorted *to,
                  size_t count, size_t width) {
  for (size_t start = 0; start < count; start += 2 * width) {
    size_t middle = start + width < count ? start + width : count,
           end = middle + width < count ? middle + width : count;
    size_t i = start, j = middle;
    for (size_t k = start; k < end; k++) {
      bool left = i < middle;
      if (left && j < end) {
        int order = fp_count(e, 1) ? compare_rows(e, call, &from[i], &from[j]) : FP_ORDER_FAILED;
        if (order == FP_ORDER_FAILED) return false;
        left = order <= 0;
      }
      to[k] = left ? from[i++] : from[j++];
    }
  }
  return true;
}

bool fp_fn_sort(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct fp_list *out) {
  struct sorted *rows = ARENA_ARRAY(e->arena, struct sorted, in->count),
                *spare = ARENA_ARRAY(e->arena, struct sorted, in->count);
  if (!rows || !spare) return fp_nomem(e);
  for (size_t i = 0; i < in->count; i++) {
    rows[i].item = in->items[i];
    if (!read_keys(e, call, &rows[i], i)) return false;
  }
  for (size_t width = 1; width < in->count; width *= 2) {
    struct sorted *swap = rows;
    if (!merge(e, call, rows, spare, in->count, width)) return false;
    rows = spare;
    spare = swap;
  }
  for (size_t i = 0; i < in->count; i++) {
    if (!fp_push(e, out, rows[i].item)) return false;
  }
  return true;
}
