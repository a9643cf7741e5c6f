/*
 * dfa.c - regular expressions as they are most often written, `^[0-9]{4}$`, as finite automata: one look-up a character.
 *
 * Taken are literals, classes, groups with alternatives, quantifiers, ^ at the beginning, $ and `(X|$)` at the end; short texts of ASCII. All else,
 * and whatever PCRE2 might refuse for the steps it takes (ways to match are counted), stays with PCRE2. Each character or class of the
 * pattern is a position; what may follow it is known from the pattern (V. M. Glushkov, 1961), and sets of positions are the states.
 */
#include "fhirpath/internal.h"

enum {
  BYTES = 128,
  POSITIONS = 62, /* bits of a set; the next one is the place before the first character */
  STATES = 64,
  REPEATS = 32,
  GROUPS = 8,      /* one in another */
  TEXT_MAX = 128,
  WAYS_MAX = 50000 /* far below what PCRE2 is allowed */
};
#define BEFORE ((uint64_t)1 << POSITIONS)

struct set {
  uint64_t bits[2]; /* of characters */
};

/* A piece of the pattern: which positions begin and end it, whether it may be empty, in how many ways it may match. */
struct piece {
  uint64_t first, last;
  double ways;
  bool empty;
};

struct pattern {
  struct str text;
  size_t at, depth;
  struct set sets[POSITIONS];
  uint64_t follow[POSITIONS + 1];
  unsigned count;
};

struct fp_dfa {
  uint8_t classes[BYTES];
  uint8_t class_count;
  bool to_end; /* $ */
  bool accepts[STATES];
  uint8_t next[]; /* by state and class; state 0 leads nowhere */
};

/* The automaton while it is made: states are known by their sets. */
struct making {
  uint64_t states[STATES], members[POSITIONS + 2]; /* positions of a state; those that take a class */
  uint8_t next[STATES][POSITIONS + 2];
  uint8_t classes[BYTES];
  unsigned state_count, class_count;
};

/* --- pieces */

static void put(struct set *set, unsigned char c) {
  set->bits[c / 64] |= (uint64_t)1 << (c % 64);
}

static bool has(const struct set *set, unsigned char c) {
  return set->bits[c / 64] >> (c % 64) & 1;
}

static void lead(struct pattern *p, uint64_t from, uint64_t to) {
  for (unsigned i = 0; i < p->count; i++)
    if (from >> i & 1) p->follow[i] |= to;
}

static struct piece nothing(void) {
  return (struct piece){.empty = true, .ways = 1};
}

static struct piece in_row(struct pattern *p, struct piece a, struct piece b) {
  lead(p, a.last, b.first);
  return (struct piece){.first = a.first | (a.empty ? b.first : 0),
                        .last = b.last | (b.empty ? a.last : 0),
                        .ways = a.ways * b.ways,
                        .empty = a.empty && b.empty};
}

static bool position(struct pattern *p, const struct set *set, struct piece *out) {
  if (p->count == POSITIONS) return false;
  uint64_t bit = (uint64_t)1 << p->count;
  p->sets[p->count++] = *set;
  *out = (struct piece){.first = bit, .last = bit, .ways = 1};
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
  if (endless) lead(p, one.last, one.first);
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
  size_t end = p->at;
  p->count = positions; /* the atom is read anew for each time */
  memset(p->follow + positions, 0, (POSITIONS - positions) * sizeof *p->follow);
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
    out->first |= other.first;
    out->last |= other.last;
    out->ways += other.ways;
    out->empty |= other.empty;
  }
  return true;
}

/* --- the automaton */

/* Characters that no position tells apart share a class. */
static bool classify(const struct pattern *p, struct making *m) {
  for (unsigned c = 0; c < BYTES; c++) {
    uint64_t takes = 0;
    for (unsigned i = 0; i < p->count; i++)
      takes |= (uint64_t)has(&p->sets[i], (unsigned char)c) << i;
    unsigned k = 0;
    while (k < m->class_count && m->members[k] != takes)
      k++;
    if (k == POSITIONS + 2) return false;
    m->members[k] = takes;
    if (k == m->class_count) m->class_count++;
    m->classes[c] = (uint8_t)k;
  }
  return true;
}

static uint64_t follow_of(const struct pattern *p, uint64_t set) {
  uint64_t all = 0;
  for (unsigned i = 0; i <= POSITIONS; i++)
    if (set >> i & 1) all |= p->follow[i];
  return all;
}

/* Sets of positions to states, as they are met. */
static bool determine(const struct pattern *p, struct making *m, bool anywhere) {
  m->states[1] = BEFORE;
  m->state_count = 2;
  for (unsigned s = 1; s < m->state_count; s++) {
    uint64_t follow = follow_of(p, m->states[s]);
    for (unsigned c = 0; c < m->class_count; c++) {
      uint64_t to = (follow & m->members[c]) | (anywhere ? BEFORE : 0);
      unsigned k = 0;
      while (k < m->state_count && m->states[k] != to)
        k++;
      if (k == STATES) return false;
      if (k == m->state_count) m->states[m->state_count++] = to;
      m->next[s][c] = (uint8_t)k;
    }
  }
  return true;
}

static struct fp_dfa *made(struct arena *arena, const struct making *m, uint64_t accepting, bool to_end) {
  struct fp_dfa *dfa = arena_alloc(arena, sizeof *dfa + (size_t)m->state_count * m->class_count);
  if (!dfa) return NULL;
  dfa->class_count = (uint8_t)m->class_count;
  dfa->to_end = to_end;
  memcpy(dfa->classes, m->classes, sizeof dfa->classes);
  for (unsigned s = 0; s < m->state_count; s++) {
    dfa->accepts[s] = m->states[s] & accepting;
    memcpy(dfa->next + s * m->class_count, m->next[s], m->class_count);
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
  lead(p, one.last, one.first);
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

bool fp_dfa_compile(struct arena *arena, struct str text, const struct fp_dfa **out) {
  size_t begins = find_tail(text);
  struct pattern p = {.text = str_slice(text, 0, begins)};
  struct making m = {0};
  struct piece all;
  *out = NULL;
  bool anywhere = !take(&p, '^');
  if (!sequence(&p, &all)) return true;
  bool to_end = begins != text.len ? peek(&p) < 0 && read_tail(&p, text, &all) : take(&p, '$');
  if (p.at + (begins != text.len ? 3 : 0) != text.len || all.ways * (anywhere ? TEXT_MAX : 1) > WAYS_MAX) return true;
  p.follow[POSITIONS] = all.first;
  if (!classify(&p, &m) || !determine(&p, &m, anywhere)) return true;
  *out = made(arena, &m, all.last | (all.empty ? BEFORE : 0), to_end);
  return *out != NULL;
}

/* $ stands before a line feed at the end of the text as well. */
int fp_dfa_match(const struct fp_dfa *dfa, struct str text) {
  unsigned state = 1;
  if (text.len > TEXT_MAX) return -1;
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (dfa->accepts[state] && (!dfa->to_end || (c == '\n' && i + 1 == text.len))) return 1;
    if (c >= BYTES) return -1;
    state = dfa->next[state * dfa->class_count + dfa->classes[c]];
    if (state == 0) return 0;
  }
  return dfa->accepts[state];
}
