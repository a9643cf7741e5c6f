/* set.c - collections without duplicates: found by a hash of the value once they are more than a few. */
#include "fhirpath/internal.h"

enum { FEW = 12 };

/* --- hashes: what fp_equal calls equal has the same one */

static uint64_t hash_number(struct decimal value) {
  struct decimal plain = decimal_normalize(value);
  uint64_t low = (uint64_t)plain.coefficient, high = (uint64_t)(plain.coefficient >> 64);
  return (low ^ high * 31) * 0x9E3779B97F4A7C15u + (uint64_t)plain.scale + plain.negative;
}

/* Names of the children in any order, and the texts of those that are compared as texts. */
static uint64_t hash_tree(const struct tree_node *node) {
  uint64_t hash = 1;
  for (const struct tree_node *child = node->child; child; child = child->next) {
    struct fp_item item = {.kind = FP_NODE};
    memcpy(&item.node, &child, sizeof child);
    uint64_t one = str_hash(child->name);
    if (child->kind == TREE_NULL && !child->child) continue;
    if (fp_kind_of(&item) == FP_STRING) one = one * 31 + str_hash(child->text);
    hash += one;
  }
  return hash;
}

/* False: only comparing tells (quantities equal numbers, dates equal others in another zone). */
static bool hash_of(const struct fp_item *item, uint64_t *hash) {
  struct fp_value value;
  struct decimal number;
  fp_load(item, &value);
  switch (value.kind) {
  case FP_STRING:
    *hash = str_hash(value.string);
    return true;
  case FP_BOOLEAN:
    *hash = value.boolean ? 3 : 5;
    return true;
  case FP_INTEGER:
  case FP_DECIMAL:
    *hash = fp_value_decimal(&value, &number) ? hash_number(number) : 0;
    return true;
  case FP_NODE:
    *hash = hash_tree(item->node);
    return true;
  default:
    return false;
  }
}

/* --- the table: positions in the list + 1 */

static bool same(struct fp_eval *e, const struct fp_item *a, const struct fp_item *b, bool *result) {
  enum fp_truth value = fp_count(e, 1) ? fp_equal(e, a, b) : FP_FAILED;
  *result = value == FP_TRUE;
  return value != FP_FAILED;
}

static bool find_linear(struct fp_eval *e, const struct fp_set *set, const struct fp_item *item,
                        bool *found) {
  *found = false;
  for (size_t i = 0; i < set->list.count && !*found; i++) {
    if (!same(e, &set->list.items[i], item, found)) return false;
  }
  return true;
}

/* The slot where the item is or would be. */
static bool probe(struct fp_eval *e, const struct fp_set *set, const struct fp_item *item, uint64_t hash,
                  size_t *slot, bool *found) {
  *found = false;
  for (*slot = hash & (set->slot_count - 1); set->slots[*slot]; *slot = (*slot + 1) & (set->slot_count - 1)) {
    if (!same(e, &set->list.items[set->slots[*slot] - 1], item, found)) return false;
    if (*found) return true;
  }
  return true;
}

static bool put_slot(struct fp_set *set, size_t position, uint64_t hash) {
  size_t slot = hash & (set->slot_count - 1);
  while (set->slots[slot])
    slot = (slot + 1) & (set->slot_count - 1);
  set->slots[slot] = (uint32_t)position + 1;
  return true;
}

/* Hashes all items anew, with room for as many again; linear from then on when one has no hash. */
static bool rehash(struct fp_eval *e, struct fp_set *set) {
  size_t count = 64;
  while (count < set->list.count * 4)
    count *= 2;
  set->slots = ARENA_ARRAY(e->arena, uint32_t, count);
  set->slot_count = count;
  if (!set->slots) return fp_nomem(e);
  for (size_t i = 0; i < set->list.count; i++) {
    uint64_t hash;
    if (hash_of(&set->list.items[i], &hash)) {
      put_slot(set, i, hash);
      continue;
    }
    set->linear = true;
    set->slots = NULL;
    return true;
  }
  return true;
}

bool fp_set_has(struct fp_eval *e, struct fp_set *set, const struct fp_item *item, bool *found) {
  uint64_t hash;
  size_t slot;
  if (!set->slots && !set->linear && set->list.count > FEW && !rehash(e, set)) return false;
  if (!set->slots || !hash_of(item, &hash)) return find_linear(e, set, item, found);
  return probe(e, set, item, hash, &slot, found);
}

/* *added false: it was there. */
bool fp_set_add(struct fp_eval *e, struct fp_set *set, const struct fp_item *item, bool *added) {
  bool found;
  uint64_t hash;
  if (!fp_set_has(e, set, item, &found)) return false;
  *added = !found;
  if (found) return true;
  if (!fp_push(e, &set->list, *item)) return false;
  if (!set->slots) return true;
  if (!hash_of(item, &hash)) {
    set->linear = true;
    set->slots = NULL;
    return true;
  }
  if (set->list.count * 2 > set->slot_count) return rehash(e, set);
  return put_slot(set, set->list.count - 1, hash);
}

bool fp_distinct(struct fp_eval *e, const struct fp_list *in, struct fp_list *out) {
  struct fp_set set = {0};
  bool added;
  for (size_t i = 0; i < in->count; i++) {
    if (!fp_set_add(e, &set, &in->items[i], &added)) return false;
  }
  return fp_push_all(e, out, &set.list);
}
