/* texts.c - texts put together from parts: a & b & c and a.combine(b).combine(c).first() at one go, without the texts and lists that stand
 * between their parts. What is said of a part that is no text is said of the operator before it, as if each had been run alone. */
#include "fhirpath/internal.h"

/* --- a & b & c */

enum { TEXTS = 16 };
struct texts {
  struct str parts[TEXTS];
  size_t count, len;
};

/* One text from what there is so far. */
static bool put_together(struct fp_eval *e, struct texts *all) {
  char *bytes = all->len < SIZE_MAX ? arena_alloc(e->arena, all->len + 1) : NULL;
  if (!bytes) return fp_nomem(e);
  size_t at = 0;
  for (size_t i = 0; i < all->count; i++) {
    if (all->parts[i].len) memcpy(bytes + at, all->parts[i].ptr, all->parts[i].len);
    at += all->parts[i].len;
  }
  all->parts[0] = str_make(bytes, all->len);
  all->count = 1;
  return true;
}

static bool add_text(struct fp_eval *e, struct texts *all, struct str text) {
  if (text.len == 0) return true;
  if (all->count == TEXTS && !put_together(e, all)) return false;
  if (__builtin_add_overflow(all->len, text.len, &all->len)) return fp_nomem(e);
  all->parts[all->count++] = text;
  return true;
}

/* & takes the empty collection as an empty text. `from`: what the operand, an iif(), has chosen; else the operand. */
static bool concat_part(struct fp_eval *e, const struct fp_ins *ins, const struct fp_ins *operand, const struct fp_ins *from, struct str *out) {
  FP_UNINITIALIZED struct fp_item item;
  FP_UNINITIALIZED struct fp_value value;
  int has = fp_single_of(e, operand, from, &item);
  *out = (struct str){0};
  if (has <= 0) return has == 0;
  if (fp_string_of(&item, out)) return true;
  fp_load(&item, &value);
  if (value.kind == FP_NODE) return true;
  if (value.kind != FP_STRING)
    return fp_fail(e, ins, DIAG_FHIRPATH_EVALUATION, "& joins Strings, not a %s", fp_kind_name(value.kind));
  *out = value.string;
  return true;
}

bool fp_concat_part(struct fp_eval *e, const struct fp_ins *ins, const struct fp_ins *operand, struct str *out) {
  return concat_part(e, ins, operand, operand, out);
}

static bool add_parts(struct fp_eval *e, const struct fp_ins *ins, struct texts *all);

static bool add_part(struct fp_eval *e, const struct fp_ins *ins, const struct fp_ins *operand, struct texts *all) {
  const struct fp_ins *from = operand;
  FP_UNINITIALIZED struct str text;
  while (from->op == FP_OP_IIF && from->input->op == FP_OP_THIS) {
    if (!fp_choose(e, from, &from)) return false;
    if (!from) return true;
  }
  if (from->op == FP_OP_CONCAT_ALL) return add_parts(e, from, all);
  const struct fp_item *known = fp_known_item(e, from);
  if (known && fp_string_of(known, &text)) return add_text(e, all, text);
  return concat_part(e, ins, operand, from, &text) && add_text(e, all, text);
}

static bool add_parts(struct fp_eval *e, const struct fp_ins *ins, struct texts *all) {
  return add_part(e, ins, ins->input, all) && add_part(e, ins, ins->right, all);
}

bool fp_exec_concat_all(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  FP_UNINITIALIZED struct texts all;
  all.count = all.len = 0;
  return add_parts(e, ins, &all) && put_together(e, &all) && fp_push_string(e, out, all.parts[0]);
}

/* --- a.combine(b).combine(c) */

bool fp_fuse_combine(struct fp_resolver *r, struct fp_ins *ins) {
  const struct fp_ins *left = ins->input, *right = ins->arguments[0];
  size_t before = left->op == FP_OP_COMBINE ? left->argument_count : 1;
  const struct fp_ins **parts = ARENA_ARRAY(r->arena, const struct fp_ins *, before + 1);
  if (!parts) return false;
  if (left->op == FP_OP_COMBINE)
    memcpy(parts, left->arguments, before * sizeof(const struct fp_ins *));
  else
    parts[0] = left;
  parts[before] = right;
  ins->arguments = parts;
  ins->argument_count = before + 1;
  ins->input = NULL;
  ins->op = FP_OP_COMBINE;
  ins->exec = fp_op_exec(FP_OP_COMBINE);
  return true;
}

bool fp_exec_combine(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  for (size_t i = 0; i < ins->argument_count; i++)
    if (!ins->arguments[i]->exec(e, ins->arguments[i], out)) return false;
  return true;
}

/* All parts are looked at, as what they name counts as read, and may fail. */
bool fp_first_of_parts(struct fp_eval *e, const struct fp_ins *ins, struct fp_list *out) {
  FP_UNINITIALIZED struct fp_item first, slot;
  bool found = false;
  for (size_t i = 0; i < ins->argument_count; i++) {
    FP_UNINITIALIZED struct fp_list list;
    if (!fp_collect_at(e, ins->arguments[i], &slot, &list, SIZE_MAX)) return false;
    if (list.count == 0 || found) continue;
    first = list.items[0];
    found = true;
  }
  return !found || fp_push(e, out, first);
}
