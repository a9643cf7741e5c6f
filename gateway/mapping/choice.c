/*
 * choice.c - of rules that ask for the text of one variable, as kind where ($this = 'NM'), those that cannot hold are known by one look at
 * the text: they are passed by without asking each.
 *
 * Prepared when the map is loaded, for each list of rules on its own. What may hold is asked as ever.
 */
#include "mapping/internal.h"

/* --- when the map is loaded */

/* The slot whose text a rule asks for, -1: none. One item, which is asked nothing else before. */
static int asks_for(const struct prog_rule *rule, struct fp_choice *choice) {
  const struct prog_source *source = rule->sources;
  if (!source->simple || source->step_count || !source->where) return -1;
  if (!fhirpath_choice(source->where->program, choice)) return -1;
  int slot = choice->of_variable ? (int)choice->variable : source->context;
  return slot == source->out ? -1 : slot;
}

/* The variable that most rules ask for; -1: not even two ask for the same. */
static int slot_of_most(const struct prog_rules *rules, size_t count) {
  struct fp_choice choice;
  int best = -1;
  size_t most = 1;
  for (size_t i = 0; i < count; i++) {
    int slot = asks_for(&rules->rules[i], &choice);
    size_t same = 0;
    for (size_t k = i; k < count && slot >= 0; k++)
      same += asks_for(&rules->rules[k], &choice) == slot;
    if (same <= most) continue;
    best = slot;
    most = same;
  }
  return best;
}

/* What may hold for a text; a new one begins as one that nobody names. False: no memory. */
static bool add_text(struct prog_choice *out, struct str text) {
  if (map_get(&out->texts, text)) return true;
  uint64_t *may = ARENA_NEW(out->texts.arena, uint64_t);
  return may && map_put(&out->texts, text, may) == STATUS_OK;
}

static bool add_texts(struct prog_choice *out, const struct fp_choice *choice) {
  for (size_t i = 0; i < choice->count; i++)
    if (!add_text(out, choice->texts[i].string)) return false;
  return true;
}

static bool names(const struct fp_choice *choice, struct str text) {
  for (size_t i = 0; i < choice->count; i++)
    if (str_eq(choice->texts[i].string, text)) return true;
  return false;
}

static void add_rule(struct prog_choice *out, const struct fp_choice *choice, uint64_t rule) {
  out->asks |= rule;
  if (choice->but) out->other |= rule;
  for (size_t i = 0; i < out->texts.count; i++) {
    uint64_t *may = out->texts.entries[i].value;
    if (names(choice, out->texts.entries[i].key) != choice->but) *may |= rule;
  }
}

bool fml_prepare_choice(struct arena *arena, const struct prog_rules *rules, const struct prog_choice **out) {
  struct fp_choice choice;
  size_t count = rules->count < FML_CHOICE_RULES ? rules->count : FML_CHOICE_RULES;
  int slot = slot_of_most(rules, count);
  if (slot < 0) return true;
  struct prog_choice *made = ARENA_NEW(arena, struct prog_choice);
  if (!made) return false;
  made->slot = slot;
  map_init(&made->texts, arena);
  for (size_t i = 0; i < count; i++)
    if (asks_for(&rules->rules[i], &choice) == slot && !add_texts(made, &choice)) return false;
  for (size_t i = 0; i < count; i++)
    if (asks_for(&rules->rules[i], &choice) == slot) add_rule(made, &choice, (uint64_t)1 << i);
  *out = made;
  return true;
}

/* --- running */

uint64_t fml_may_hold(const struct prog_choice *choice, const struct fml_frame *frame, struct fml_chosen *last) {
  struct str text;
  if (frame->lists[choice->slot].count != 1 || !fhirpath_is_text(&frame->items[choice->slot], &text)) return UINT64_MAX;
  if (last->text.ptr && last->text.ptr == text.ptr && last->text.len == text.len) return last->may;
  const uint64_t *may = map_get(&choice->texts, text);
  *last = (struct fml_chosen){text, ~choice->asks | (may ? *may : choice->other)};
  return last->may;
}
