/*
 * certain.c - rules that hold without being evaluated. Most speak of what a node may have and has not: what its children tell is worked out
 * from the rule when it is compiled (fhirpath_must_hold), and a rule costs a comparison or two from then on. A few others that every Bundle
 * or record meets are looked at in C.
 *
 * Nothing here says that a rule does not hold: whatever is not certain is evaluated.
 */
#include "validation/internal.h"

/* --- what is looked at in C --- */

/* The one child of that symbol, a text of that primitive type. */
static const struct tree_node *only_text(const struct tree_node *node, uint32_t symbol, enum def_primitive primitive) {
  const struct tree_node *child = validation_child(node, symbol);
  if (!child || child->kind != TREE_STRING || !node_type(child) || (child->next && child->next->symbol == symbol)) return NULL;
  return def_type_primitive(node_type(child)) == primitive ? child : NULL;
}

/* Every entry has the part if the type of the Bundle is one of the words, and none has it otherwise. */
static bool entries_have(const struct validation_walk *walk, const struct tree_node *bundle, uint32_t part, const char *const *words,
                         size_t count) {
  const struct validation_known *known = &walk->validation->known;
  const struct tree_node *type = walk->resource == bundle ? only_text(bundle, known->type, DEF_P_CODE) : NULL;
  bool wanted = false;
  for (size_t i = 0; type && i < count; i++)
    wanted |= str_is(type->text, words[i]);
  for (const struct tree_node *entry = bundle->child; entry && type; entry = entry->next) {
    if (entry->symbol != known->entry) continue;
    const struct tree_node *has = validation_child(entry, part);
    if ((has != NULL) != wanted || (has && has->kind != TREE_OBJECT)) return false;
  }
  return type != NULL;
}

static bool requests_fit(const struct validation_walk *walk, const struct tree_node *bundle) {
  static const char *const words[] = {"batch", "transaction", "history"};
  return entries_have(walk, bundle, walk->validation->known.request, words, 3);
}

static bool responses_fit(const struct validation_walk *walk, const struct tree_node *bundle) {
  static const char *const words[] = {"batch-response", "transaction-response", "history"};
  return entries_have(walk, bundle, walk->validation->known.response, words, 3);
}

static bool urls_are_distinct(const struct validation_walk *walk, const struct tree_node *bundle) {
  return bundle == walk->root && walk->is_bundle && walk->distinct;
}

static bool is_of_no_version(const struct validation_walk *walk, const struct tree_node *entry) {
  const struct tree_node *url = only_text(entry, walk->validation->known.full_url, DEF_P_URI);
  if (!url || !url->text.len) return false;
  return str_find_char(url->text, '_', 0) == SIZE_MAX || str_find(url->text, STR("/_history/"), 0) == SIZE_MAX;
}

static bool is_string(const struct tree_node *node) {
  return node->kind == TREE_STRING && node_type(node) && def_type_primitive(node_type(node)) == DEF_P_STRING;
}

/* The check digit of the US National Provider Identifier: Luhn, as if 80840 stood before it. */
static bool is_npi(const struct validation_walk *walk, const struct tree_node *node) {
  static const unsigned char doubled[] = {0, 2, 4, 6, 8, 1, 3, 5, 7, 9};
  unsigned sum = 24;
  (void)walk;
  if (!is_string(node) || node->text.len != 10) return false;
  for (unsigned i = 0; i < 10; i++) {
    unsigned digit = (unsigned char)node->text.ptr[i] - (unsigned)'0';
    if (digit > 9) return false;
    sum += i % 2 ? digit : doubled[digit];
  }
  return sum % 10 == 0;
}

static bool is_word(char c, bool first) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         (!first && ((c >= '0' && c <= '9') || c == '+' || c == '-'));
}

static bool is_time_zone(const struct validation_walk *walk, const struct tree_node *node) {
  struct str text = node->text;
  size_t parts = 0, from = 0;
  (void)walk;
  if (!is_string(node)) return false;
  for (size_t i = 0; i <= text.len; i++) {
    if (i < text.len && text.ptr[i] != '/') {
      if (!is_word(text.ptr[i], parts == 0)) return false;
      continue;
    }
    if (i == from) return false;
    from = i + 1;
    parts++;
  }
  return parts > 1;
}

static const struct known_rule {
  const char *expression;
  bool (*holds)(const struct validation_walk *walk, const struct tree_node *node);
} known_rules[] = {
    {"entry.all(request.exists() = (%resource.type = 'batch' or %resource.type = 'transaction' or %resource.type = 'history'))",
     requests_fit},
    {"entry.all(response.exists() = (%resource.type = 'batch-response' or %resource.type = 'transaction-response' or %resource.type = "
     "'history'))",
     responses_fit},
    {"(type = 'history') or entry.where(fullUrl.exists()).select(fullUrl&resource.meta.versionId).isDistinct()", urls_are_distinct},
    {"fullUrl.exists() implies fullUrl.contains('/_history/').not()", is_of_no_version},
    {"$this.matches('^[0-9]{10}$') and $this.toChars().aggregate($total + iif($index mod 2 = 0, '0246813579'.substring($this.toInteger(), "
     "1), $this).toInteger(), 24) mod 10 = 0",
     is_npi},
    {"$this.matches('^(UTC|[A-Za-z_]+(/[A-Za-z0-9_+-]+)+)$')", is_time_zone},
};

static uint32_t known_rule_of(struct str expression) {
  for (uint32_t i = 0; i < sizeof known_rules / sizeof known_rules[0]; i++)
    if (str_is(expression, known_rules[i].expression)) return i + 1;
  return 0;
}

/* --- what children tell --- */

enum { NAMES_MAX = 24 };

static uint32_t bit_of(uint32_t symbol) {
  return (uint32_t)1 << symbol % TREE_LACKS_BITS;
}

/* Bits of the names without any one of which it holds. */
static uint32_t without_one(const struct fp_program *program, bool of_resource, const uint32_t *names, size_t count,
                            _Atomic(uint32_t) symbols[2]) {
  uint32_t bits = 0;
  for (size_t i = 0, found = 0; i < count; i++) {
    struct fp_supposed supposed = {.of_resource = of_resource, .absent = &names[i], .absent_count = 1};
    if (!fhirpath_must_hold(program, &supposed)) continue;
    bits |= bit_of(names[i]);
    if (found < 2) atomic_store_explicit(&symbols[found++], names[i], memory_order_relaxed);
  }
  return bits;
}

static uint32_t without_all(const struct fp_program *program, const uint32_t *names, size_t count) {
  struct fp_supposed supposed = {.absent = names, .absent_count = count};
  uint32_t bits = 0;
  if (!count || !fhirpath_must_hold(program, &supposed)) return 0;
  for (size_t i = 0; i < count; i++)
    bits |= bit_of(names[i]);
  return bits;
}

static void find_other(const struct fp_program *program, struct arena *arena, struct validation_ways *out) {
  enum { TEXTS_MAX = 8 };
  struct fp_child_text texts[TEXTS_MAX];
  size_t count = fhirpath_first_texts(program, texts, TEXTS_MAX);
  for (size_t i = 0; i < count; i++) {
    struct fp_supposed supposed = {.other = texts[i]};
    struct fp_child_text *other = fhirpath_must_hold(program, &supposed) ? ARENA_NEW(arena, struct fp_child_text) : NULL;
    if (!other) continue;
    *other = texts[i];
    atomic_store_explicit(&out->other, other, memory_order_release);
    return;
  }
}

void validation_find_ways(struct validation *validation, const struct validation_rule *rule, const struct fp_program *program,
                          struct validation_ways *out) {
  uint32_t names[NAMES_MAX];
  size_t count = fhirpath_first_names(program, false, names, NAMES_MAX), found = 0;
  atomic_store_explicit(&out->lacks_one, without_one(program, false, names, count, out->has_not), memory_order_relaxed);
  atomic_store_explicit(&out->lacks_all, without_all(program, names, count), memory_order_relaxed);
  for (size_t i = 0; i < count && found < sizeof out->has / sizeof out->has[0]; i++) {
    struct fp_supposed supposed = {.present = &names[i], .present_count = 1};
    if (fhirpath_must_hold(program, &supposed)) atomic_store_explicit(&out->has[found++], names[i], memory_order_relaxed);
  }
  count = fhirpath_first_names(program, true, names, NAMES_MAX);
  atomic_store_explicit(&out->resource_lacks, without_one(program, true, names, count, out->resource_has_not), memory_order_relaxed);
  find_other(program, validation->arena, out);
  atomic_store_explicit(&out->known, known_rule_of(rule->constraint.expression), memory_order_relaxed);
}

/* --- the question --- */

static bool has(const struct tree_node *node, uint32_t symbol) {
  const struct tree_node *child = symbol ? validation_child(node, symbol) : NULL;
  return child && child->kind != TREE_NULL;
}

/* Children that nobody has defined may have any name. */
static bool has_not(const struct tree_node *node, uint32_t symbol) {
  return symbol && node->lacks && !validation_child(node, symbol);
}

/* Without looking at any child. */
static inline bool bits_tell(const struct validation_walk *walk, const struct tree_node *node, const struct validation_ways *ways) {
  uint32_t all = atomic_load_explicit(&ways->lacks_all, memory_order_relaxed);
  if (node->lacks & atomic_load_explicit(&ways->lacks_one, memory_order_relaxed)) return true;
  if (all && (node->lacks & all) == all) return true;
  return walk->resource && walk->resource->lacks & atomic_load_explicit(&ways->resource_lacks, memory_order_relaxed);
}

static bool children_tell(const struct validation_walk *walk, const struct tree_node *node, const struct validation_ways *ways) {
  for (size_t i = 0; i < sizeof ways->has / sizeof ways->has[0]; i++) {
    if (has(node, atomic_load_explicit(&ways->has[i], memory_order_relaxed))) return true;
    if (has_not(node, atomic_load_explicit(&ways->has_not[i], memory_order_relaxed))) return true;
    uint32_t symbol = atomic_load_explicit(&ways->resource_has_not[i], memory_order_relaxed);
    if (walk->resource && has_not(walk->resource, symbol)) return true;
  }
  return false;
}

static bool is_other(const struct tree_node *node, const struct fp_child_text *other) {
  const struct tree_node *code = only_text(node, other->symbol, DEF_P_CODE);
  return code && !str_eq(code->text, other->text);
}

bool validation_is_certain(const struct validation_walk *walk, const struct tree_node *node, const struct validation_ways *ways) {
  if (bits_tell(walk, node, ways) || children_tell(walk, node, ways)) return true;
  const struct fp_child_text *other = atomic_load_explicit(&ways->other, memory_order_acquire);
  if (other && is_other(node, other)) return true;
  uint32_t known = atomic_load_explicit(&ways->known, memory_order_relaxed);
  return known && known_rules[known - 1].holds(walk, node);
}
