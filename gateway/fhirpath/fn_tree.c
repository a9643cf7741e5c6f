/* fn_tree.c - navigation, types, trace and clock (FHIRPath 2.0.0 sections 5.8, 5.9, 10). */
#include "fhirpath/internal.h"

bool fp_fn_children(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                    struct fp_list *out) {
  (void)call;
  for (size_t i = 0; i < in->count; i++) {
    if (in->items[i].kind == FP_NODE && !fp_children(e, in->items[i].node, out)) return false;
  }
  return true;
}

/* Level by level, as repeat(children()) gives them. */
bool fp_fn_descendants(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                       struct fp_list *out) {
  struct fp_list all = {0};
  if (!fp_fn_children(e, call, in, &all)) return false;
  for (size_t i = 0; i < all.count; i++) {
    if (!fp_children(e, all.items[i].node, &all)) return false;
  }
  return fp_push_all(e, out, &all);
}

bool fp_fn_type(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct fp_list *out) {
  (void)call;
  for (size_t i = 0; i < in->count; i++) {
    struct fp_type *type = ARENA_NEW(e->arena, struct fp_type);
    if (!type) return fp_nomem(e);
    *type = fp_type_of(&in->items[i]);
    if (!fp_push(e, out, (struct fp_item){.kind = FP_TYPE, .type_info = type})) return false;
  }
  return true;
}

bool fp_fn_trace(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                 struct fp_list *out) {
  struct str name = {0};
  struct fp_list shown = {0};
  if (fp_argument_string(e, call, 0, &name) < 0) return false;
  for (size_t i = 0; call->argument_count == 2 && i < in->count; i++) {
    if (!fp_exec_item(e, call->arguments[1], &in->items[i], i, NULL, &shown)) return false;
  }
  if (e->run->trace) e->run->trace(e->run->trace_context, name, call->argument_count == 2 ? &shown : in);
  return fp_push_all(e, out, in);
}

/* --- clock: one instant per run */

static bool push_now(struct fp_eval *e, enum fp_kind kind, size_t from, size_t to, struct fp_list *out) {
  struct datetime now = datetime_from_ms(fp_now_ms(e), 0);
  struct str text;
  if (!fp_datetime_text(e, &now, &text)) return false;
  return fp_push(e, out, (struct fp_item){.kind = kind, .string = str_slice(text, from, to)});
}

bool fp_fn_now(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in, struct fp_list *out) {
  (void)call, (void)in;
  return push_now(e, FP_DATETIME, 0, SIZE_MAX, out);
}

bool fp_fn_today(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                 struct fp_list *out) {
  (void)call, (void)in;
  return push_now(e, FP_DATE, 0, sizeof "2026-01-31" - 1, out);
}

bool fp_fn_time_of_day(struct fp_eval *e, const struct fp_ins *call, const struct fp_list *in,
                       struct fp_list *out) {
  (void)call, (void)in;
  return push_now(e, FP_TIME, sizeof "2026-01-31T" - 1, sizeof "2026-01-31T12:00:00.000" - 1, out);
}
