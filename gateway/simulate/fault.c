/* fault.c - which fault is whose turn. */
#include "simulate/simulate.h"

static const char *const names[SIMULATE_FAULTS] = {
    [SIMULATE_FINE] = "fine",         [SIMULATE_LATE] = "late", [SIMULATE_NONE] = "none", [SIMULATE_CUT] = "cut",
    [SIMULATE_AE] = "AE",             [SIMULATE_AR] = "AR",     [SIMULATE_WRONG_ID] = "wrong-id",
    [SIMULATE_TWO] = "two",           [SIMULATE_SLOW] = "slow", [SIMULATE_GARBAGE] = "garbage",
};

const char *simulate_fault_name(enum simulate_fault fault) {
  return names[fault];
}

static bool parse_turn(struct str text, struct simulate_rule *out) {
  int64_t number = 0;
  bool percent = str_ends(text, STR("%"));
  if (!str_to_int64(percent ? str_slice(text, 0, text.len - 1) : text, &number) || number < 1) return false;
  if (number > (percent ? 100 : SIMULATE_EVERY_MAX)) return false;
  out->every = percent ? 0 : (uint32_t)number;
  out->percent = percent ? (uint32_t)number : 0;
  return true;
}

bool simulate_rule_parse(struct str text, struct simulate_rule *out) {
  size_t colon = str_find_char(text, ':', 0);
  struct str name = colon == SIZE_MAX ? text : str_slice(text, 0, colon);
  *out = (struct simulate_rule){.every = 1};
  for (int i = SIMULATE_FINE + 1; i < SIMULATE_FAULTS; i++)
    if (str_is(name, names[i])) out->fault = (enum simulate_fault)i;
  return out->fault != SIMULATE_FINE &&
         (colon == SIZE_MAX || parse_turn(str_slice(text, colon + 1, text.len), out));
}

/* splitmix64: the same on every machine, so that a run can be had again by its seed. */
static uint64_t draw(uint64_t *state) {
  uint64_t z = *state += 0x9E3779B97F4A7C15U;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
  z = (z ^ z >> 27) * 0x94D049BB133111EBU;
  return z ^ z >> 31;
}

enum simulate_fault simulate_fault_next(struct simulate_faults *faults) {
  enum simulate_fault found = SIMULATE_FINE;
  faults->messages++;
  for (size_t i = 0; i < faults->count; i++) {
    const struct simulate_rule *rule = &faults->rules[i];
    bool turn = rule->every ? faults->messages % rule->every == 0 : draw(&faults->random) % 100 < rule->percent;
    if (turn && found == SIMULATE_FINE) found = rule->fault;
  }
  return found;
}
