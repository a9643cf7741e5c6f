/*
 * dfa.c - regular expressions as they are most often written, `^[0-9]{4}$`, as finite automata: one look-up a character.
 *
 * Taken are literals, classes, groups with alternatives, quantifiers, ^ at the beginning, $ and `(X|$)` at the end; short texts of ASCII. All else,
 * and whatever PCRE2 might refuse for the steps it takes (ways to match are counted), stays with PCRE2. Each character or class of the
 * pattern is a position; what may follow it is known from the pattern (V. M. Glushkov, 1961), and sets of positions are the states. A list of
 * words, `(pain|crps|…)`, has as many positions as letters.
 */
#include <stdlib.h>
#include "fhirpath/internal.h"

enum {
  BYTES = 128,
  WORDS = 4,
  POSITIONS = WORDS * 64 - 1, /* bits of a set; the next one is the place before the first character */
  STATES = 255,
  SLOTS = 512, /* to find a state by its set */
  REPEATS = 32,
  GROUPS = 8,      /* one in another */
  TEXT_MAX = 128,
  WAYS_MAX = 50000 /* far below what PCRE2 is allowed */
};

struct places {
  uint64_t words[WORDS];
};

struct set {
  uint64_t bits[2]; /* of characters */
};

/* A piece of the pattern: which positions begin and end it, whether it may be empty, in how many ways it may match. */
struct piece {
  struct places first, last;
  double ways;
  bool empty;
};

struct pattern {
  struct str text;
  size_t at, depth;
  struct set sets[POSITIONS];
  struct places follow[POSITIONS + 1];
  unsigned count;
};

struct fp_dfa {
  uint8_t classes[BYTES];
  uint8_t class_count;
  bool to_end; /* $ */
  uint8_t next[]; /* by state and class; state 0 leads nowhere. Behind the classes of a state: whether it accepts */
};

/* The automaton while it is made: states are known by their sets. It is large: each part is set when it comes to be. */
struct making {
  struct pattern pattern;
  struct places states[STATES], members[BYTES]; /* positions of a state; those that take a class */
  uint8_t slots[SLOTS];                         /* numbers of states by the hash of their sets; 0: none */
  uint8_t next[STATES][BYTES];
  uint8_t classes[BYTES];
  unsigned state_count, class_count;
};

/* --- sets of positions */

static struct places place(unsigned position) {
  struct places places = {0};
  places.words[position / 64] = (uint64_t)1 << (position % 64);
  return places;
}

static void join(struct places *to, const struct places *from) {
  for (unsigned w = 0; w < WORDS; w++)
    to->words[w] |= from->words[w];
}

static bool have_one_in_common(const struct places *a, const struct places *b) {
  uint64_t common = 0;
  for (unsigned w = 0; w < WORDS; w++)
    common |= a->words[w] & b->words[w];
  return common != 0;
}

static bool are_same(const struct places *a, const struct places *b) {
  uint64_t other = 0;
  for (unsigned w = 0; w < WORDS; w++)
    other |= a->words[w] ^ b->words[w];
  return other == 0;
}

/* --- pieces */

static void put(struct set *set, unsigned char c) {
  set->bits[c / 64] |= (uint64_t)1 << (c % 64);
}

static void lead(struct pattern *p, const struct places *from, const struct places *to) {
  for (unsigned w = 0; w < WORDS; w++)
    for (uint64_t left = from->words[w]; left; left &= left - 1)
      join(&p->follow[w * 64 + (unsigned)__builtin_ctzll(left)], to);
}

static struct piece nothing(void) {
  return (struct piece){.empty = true, .ways = 1};
}

static struct piece in_row(struct pattern *p, struct piece a, struct piece b) {
  struct piece row = {.first = a.first, .last = b.last, .ways = a.ways * b.ways, .empty = a.empty && b.empty};
  lead(p, &a.last, &b.first);
  if (a.empty) join(&row.first, &b.first);
  if (b.empty) join(&row.last, &a.last);
  return row;
}

static bool position(struct pattern *p, const struct set *set, struct piece *out) {
  if (p->count == POSITIONS) return false;
  struct places here = place(p->count);
  p->follow[p->count] = (struct places){0};
  p->sets[p->count++] = *set;
  *out = (struct piece){.first = here, .last = here, .ways = 1};
  return true;
}

/* --- the pattern */

static int peek(const struct pattern *p) {
  return p->at < p->text.len ? (unsigned char)p->text.ptr[p->at] : -1;
}

static bool take(struct pattern *p, char c) {
  if (peek(p) != c) return false;
  p->at++;
  return true;
}

static bool is_graphic(int c) {
  return c >= ' ' && c < 0x7F;
}

static bool is_letter_or_digit(int c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* One character as it stands or behind a backslash; \d puts its digits into the set, and *out is -1. False: not of ours. */
static bool character(struct pattern *p, struct set *set, int *out) {
  int c = peek(p);
  if (!is_graphic(c)) return false;
  p->at++;
  if (c == '\\') {
    c = peek(p);
    if (!is_graphic(c) || c == ' ' || (is_letter_or_digit(c) && c != 'd')) return false;
    p->at++;
    for (unsigned char digit = '0'; digit <= '9' && c == 'd'; digit++)
      put(set, digit);
    if (c == 'd') c = -1;
  }
  *out = c;
  return true;
}

/* What follows `[`. A minus stands for itself at the ends only. */
static bool class_of(struct pattern *p, struct set *set) {
  bool negated = take(p, '^');
  if (peek(p) == ']') return false;
  for (bool first = true; !take(p, ']'); first = false) {
    int from, to;
    bool minus = peek(p) == '-';
    if (peek(p) == '[' || !character(p, set, &from)) return false;
    if (minus && !first && peek(p) != ']') return false;
    to = from;
    if (peek(p) == '-' && p->at + 1 < p->text.len && p->text.ptr[p->at + 1] != ']') {
      p->at++;
      if (from < 0 || peek(p) == '[' || !character(p, set, &to) || to < from) return false;
    }
    for (int c = from; c >= 0 && c <= to; c++)
      put(set, (unsigned char)c);
  }
  if (negated) set->bits[0] = ~set->bits[0], set->bits[1] = ~set->bits[1];
  return true;
}

static bool alternatives(struct pattern *p, struct piece *out);

static bool group(struct pattern *p, struct piece *out) {
  if (peek(p) == '?' || peek(p) == '*' || ++p->depth > GROUPS) return false;
  bool good = alternatives(p, out) && take(p, ')');
  p->depth--;
  return good;
}

static bool atom(struct pattern *p, struct piece *out) {
  struct set set = {0};
  int c = peek(p);
  if (!is_graphic(c) || strchr("]{}*+?|^$)", c)) return false;
  if (take(p, '(')) return group(p, out);
  if (take(p, '[')) return class_of(p, &set) && position(p, &set, out);
  if (take(p, '.')) {
    set = (struct set){{UINT64_MAX, UINT64_MAX}};
  } else {
    if (!character(p, &set, &c)) return false;
    if (c >= 0) put(&set, (unsigned char)c);
  }
  return position(p, &set, out);
}

struct times {
  unsigned least, most; /* most 0: without end */
};

static bool number(struct pattern *p, unsigned *out) {
  size_t from = p->at;
  for (*out = 0; peek(p) >= '0' && peek(p) <= '9' && p->at < from + 3; p->at++)
    *out = *out * 10 + (unsigned)(peek(p) - '0');
  return p->at > from && *out <= REPEATS;
}

/* {2}, {2,}, {2,3} after the brace */
static bool braces(struct pattern *p, struct times *out) {
  if (!number(p, &out->least)) return false;
  out->most = out->least;
  if (take(p, ',')) {
    out->most = 0;
    if (peek(p) != '}' && (!number(p, &out->most) || out->most == 0)) return false;
  } else if (out->most == 0) {
    return false;
  }
  return take(p, '}') && (out->most == 0 || out->most >= out->least);
}

/* A quantifier, if there is one. False: one that is not of ours, such as `+?`. */
static bool times_of(struct pattern *p, struct times *out) {
  *out = (struct times){1, 1};
  if (take(p, '*'))
    *out = (struct times){0, 0};
  else if (take(p, '+'))
    *out = (struct times){1, 0};
  else if (take(p, '?'))
    *out = (struct times){0, 1};
  else if (!take(p, '{'))
    return true;
  else if (!braces(p, out))
    return false;
  return peek(p) != '?' && peek(p) != '+';
}

/* The atom at `from` once more, perhaps left out, perhaps again and again. */
static bool again(struct pattern *p, size_t from, bool optional, bool endless, struct piece *all) {
  struct piece one;
  p->at = from;
  if (!atom(p, &one)) return false;
  if (endless && one.ways > 1) return false; /* ways without number */
  if (endless) lead(p, &one.last, &one.first);
  if (endless) one.ways = TEXT_MAX;
  if (optional) one.ways += 1;
  one.empty |= optional;
  *all = in_row(p, *all, one);
  return all->ways <= WAYS_MAX;
}

static bool repeated(struct pattern *p, struct piece *out) {
  size_t from = p->at;
  unsigned positions = p->count;
  struct times times;
  struct piece once;
  if (!atom(p, &once) || !times_of(p, &times)) return false;
  *out = once;
  if (times.least == 1 && times.most == 1) return once.ways <= WAYS_MAX;
  size_t end = p->at;
  p->count = positions; /* the atom is read anew for each time */
  *out = nothing();
  unsigned most = times.most ? times.most : times.least ? times.least : 1;
  for (unsigned i = 0; i < most; i++)
    if (!again(p, from, i >= times.least, times.most == 0 && i + 1 == most, out)) return false;
  p->at = end;
  return true;
}

static bool sequence(struct pattern *p, struct piece *out) {
  *out = nothing();
  while (peek(p) >= 0 && peek(p) != '|' && peek(p) != ')' && peek(p) != '$') {
    struct piece one;
    if (!repeated(p, &one)) return false;
    *out = in_row(p, *out, one);
    if (out->ways > WAYS_MAX) return false;
  }
  return true;
}

static bool alternatives(struct pattern *p, struct piece *out) {
  if (!sequence(p, out)) return false;
  while (take(p, '|')) {
    struct piece other;
    if (!sequence(p, &other)) return false;
    join(&out->first, &other.first);
    join(&out->last, &other.last);
    out->ways += other.ways;
    out->empty |= other.empty;
  }
  return true;
}

/* --- the automaton */

/* Which positions take a character. */
static void list_takers(const struct pattern *p, struct places takers[BYTES]) {
  for (unsigned i = 0; i < p->count; i++)
    for (unsigned w = 0; w < BYTES / 64; w++)
      for (uint64_t left = p->sets[i].bits[w]; left; left &= left - 1)
        takers[w * 64 + (unsigned)__builtin_ctzll(left)].words[i / 64] |= (uint64_t)1 << (i % 64);
}

/* Characters that no position tells apart share a class. */
static void classify(struct making *m) {
  struct places takers[BYTES] = {0};
  list_takers(&m->pattern, takers);
  m->class_count = 0;
  for (unsigned c = 0; c < BYTES; c++) {
    unsigned k = 0;
    while (k < m->class_count && !are_same(&m->members[k], &takers[c]))
      k++;
    m->members[k] = takers[c];
    if (k == m->class_count) m->class_count++;
    m->classes[c] = (uint8_t)k;
  }
}

static struct places follow_of(const struct pattern *p, const struct places *set) {
  struct places all = {0};
  for (unsigned w = 0; w < WORDS; w++)
    for (uint64_t left = set->words[w]; left; left &= left - 1)
      join(&all, &p->follow[w * 64 + (unsigned)__builtin_ctzll(left)]);
  return all;
}

/* The number of the state, a new one if need be. 0: that of no position, or there is no room (*full). */
static uint8_t state_of(struct making *m, const struct places *set, bool *full) {
  uint64_t hash = 0;
  for (unsigned w = 0; w < WORDS; w++)
    hash = (hash ^ set->words[w]) * 0x9E3779B97F4A7C15u;
  if (are_same(set, &m->states[0])) return 0;
  unsigned slot = (unsigned)(hash >> 32) % SLOTS;
  while (m->slots[slot] && !are_same(&m->states[m->slots[slot]], set))
    slot = (slot + 1) % SLOTS;
  if (m->slots[slot]) return m->slots[slot];
  *full = m->state_count == STATES;
  if (*full) return 0;
  m->states[m->state_count] = *set;
  return m->slots[slot] = (uint8_t)m->state_count++;
}

/* Sets of positions to states, as they are met. */
static bool determine(struct making *m, bool anywhere) {
  struct places before = place(POSITIONS);
  bool full = false;
  m->states[0] = (struct places){0};
  m->state_count = 1;
  memset(m->slots, 0, sizeof m->slots);
  (void)state_of(m, &before, &full);
  for (unsigned s = 1; s < m->state_count; s++) {
    struct places follow = follow_of(&m->pattern, &m->states[s]);
    for (unsigned c = 0; c < m->class_count && !full; c++) {
      struct places to = anywhere ? before : (struct places){0};
      for (unsigned w = 0; w < WORDS; w++)
        to.words[w] |= follow.words[w] & m->members[c].words[w];
      m->next[s][c] = state_of(m, &to, &full);
    }
  }
  return !full;
}

static size_t row_of(const struct fp_dfa *dfa, unsigned state) {
  return (size_t)state * (dfa->class_count + 1u);
}

static bool accepts(const struct fp_dfa *dfa, unsigned state) {
  return dfa->next[row_of(dfa, state) + dfa->class_count];
}

static struct fp_dfa *made(struct arena *arena, const struct making *m, const struct places *accepting, bool to_end) {
  struct fp_dfa *dfa = arena_alloc(arena, sizeof *dfa + (size_t)m->state_count * (m->class_count + 1));
  if (!dfa) return NULL;
  dfa->class_count = (uint8_t)m->class_count;
  dfa->to_end = to_end;
  memcpy(dfa->classes, m->classes, sizeof dfa->classes);
  for (unsigned s = 0; s < m->state_count; s++) {
    uint8_t *row = dfa->next + row_of(dfa, s);
    if (s) memcpy(row, m->next[s], m->class_count);
    row[m->class_count] = have_one_in_common(&m->states[s], accepting);
  }
  return dfa;
}

/* Where a pattern begins its last group, if that is `(X|$)`: X, and whatever follows it, or the end. Else its length. */
static size_t find_tail(struct str text) {
  if (!str_ends(text, STR("|$)"))) return text.len;
  for (size_t at = text.len - 3; at-- > 0;) {
    if (text.ptr[at] == '(') return at && text.ptr[at - 1] == '\\' ? text.len : at;
    if (strchr(")\\[]|", text.ptr[at])) break;
  }
  return text.len;
}

static bool any(struct pattern *p, struct piece *out) {
  struct piece one;
  if (!position(p, &(struct set){{UINT64_MAX, UINT64_MAX}}, &one)) return false;
  lead(p, &one.last, &one.first);
  one.empty = true;
  *out = in_row(p, *out, one);
  return true;
}

static bool read_tail(struct pattern *p, struct str text, struct piece *all) {
  struct piece tail;
  p->at = p->text.len + 1;
  p->text = str_slice(text, 0, text.len - 3);
  if (!sequence(p, &tail) || p->at != p->text.len || !any(p, &tail)) return false;
  tail.ways += 1;
  tail.empty = true;
  *all = in_row(p, *all, tail);
  return true;
}

/* `.*` at an end says that anything may stand there, which is so without it: a list of words is looked for once, not from each place. */
static struct str without_any(struct str text) {
  size_t from = str_starts(text, STR(".*")) ? 2 : 0, to = text.len;
  if (from < to && from && strchr("?+*{", text.ptr[from])) from = 0;
  if (to >= from + 2 && str_ends(text, STR(".*")) && (to == from + 2 || text.ptr[to - 3] != '\\')) to -= 2;
  return str_slice(text, from, to);
}

/* False: no memory. *out is NULL where the pattern is not of ours. */
static bool make(struct arena *arena, struct str text, struct making *m, const struct fp_dfa **out) {
  size_t begins = find_tail(text);
  struct pattern *p = &m->pattern;
  struct piece all;
  p->text = str_slice(text, 0, begins);
  p->at = p->depth = 0;
  p->count = 0;
  bool anywhere = !take(p, '^');
  if (!sequence(p, &all)) return true;
  bool to_end = begins != text.len ? peek(p) < 0 && read_tail(p, text, &all) : take(p, '$');
  if (p->at + (begins != text.len ? 3 : 0) != text.len || all.ways * (anywhere ? TEXT_MAX : 1) > WAYS_MAX) return true;
  p->follow[POSITIONS] = all.first;
  classify(m);
  if (!determine(m, anywhere)) return true;
  struct places before = place(POSITIONS);
  if (all.empty) join(&all.last, &before);
  *out = made(arena, m, &all.last, to_end);
  return *out != NULL;
}

bool fp_dfa_compile(struct arena *arena, struct str text, const struct fp_dfa **out) {
  struct making *making = malloc(sizeof *making);
  *out = NULL;
  bool done = making && make(arena, without_any(text), making, out);
  free(making);
  return done;
}

/* $ stands before a line feed at the end of the text as well. */
int fp_dfa_match(const struct fp_dfa *dfa, struct str text) {
  unsigned state = 1;
  if (text.len > TEXT_MAX) return -1;
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (accepts(dfa, state) && (!dfa->to_end || (c == '\n' && i + 1 == text.len))) return 1;
    if (c >= BYTES) return -1;
    state = dfa->next[row_of(dfa, state) + dfa->classes[c]];
    if (state == 0) return 0;
  }
  return accepts(dfa, state);
}
