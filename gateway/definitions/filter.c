/*
 * filter.c - filters of value sets on the concepts of a code system: hierarchy, codes, displays, properties.
 *
 * A filter that cannot be answered from what is here says so: the value set is then not complete, never
 * wrong.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include "definitions/build.h"

enum { MATCH_LIMIT = 100000, HEAP_LIMIT_KB = 8192, PATTERN_MAX = 4096 };

struct filtering {
  struct builder *b;
  const struct b_system *system;
  const struct b_filter *filter;
  unsigned char *keep; /* a byte for each concept; those that do not pass are cleared */
  pcre2_code *pattern;
  pcre2_match_data *match;
  pcre2_match_context *limits;
};

static uint32_t concept_at(const struct b_system *system, struct str code) {
  return (uint32_t)(uintptr_t)map_get(&system->index, code);
}

/* --- hierarchy ------------------------------------------------------------------------------- */

struct edge {
  uint32_t from, to; /* concepts: index + 1 */
};

struct edges {
  struct builder *b;
  struct edge *items;
  size_t count, room;
};

static void add_edge(struct edges *edges, uint32_t from, uint32_t to) {
  if (!from || !to) return;
  if (edges->count == edges->room) {
    size_t room = edges->room ? edges->room * 2 : 64;
    struct edge *items = def_builder_alloc(edges->b, room, sizeof *items);
    if (!items) return;
    if (edges->count) memcpy(items, edges->items, edges->count * sizeof *items);
    edges->items = items;
    edges->room = room;
  }
  edges->items[edges->count++] = (struct edge){from, to};
}

/* From each parent to its children; the other way round when `up`. */
static struct edges hierarchy(struct builder *b, const struct b_system *system, bool up) {
  struct edges edges = {.b = b};
  for (uint32_t i = 0; i < system->count; i++) {
    const struct b_concept *concept = &system->concepts[i];
    uint32_t self = i + 1;
    add_edge(&edges, up ? self : concept->parent, up ? concept->parent : self);
    for (size_t k = 0; k < concept->parents.count; k++) {
      uint32_t parent = concept_at(system, concept->parents.items[k]);
      add_edge(&edges, up ? self : parent, up ? parent : self);
    }
    for (size_t k = 0; k < concept->children.count; k++) {
      uint32_t child = concept_at(system, concept->children.items[k]);
      add_edge(&edges, up ? child : self, up ? self : child);
    }
  }
  return edges;
}

/* The heads of the lists of edges that leave each concept, and the rest of each list. */
static uint32_t *link_edges(struct builder *b, const struct edges *edges, size_t concepts, uint32_t **next) {
  uint32_t *heads = def_builder_alloc(b, concepts + 1, sizeof *heads);
  *next = def_builder_alloc(b, edges->count + 1, sizeof **next);
  for (uint32_t i = 0; heads && *next && i < edges->count; i++) {
    (*next)[i + 1] = heads[edges->items[i].from];
    heads[edges->items[i].from] = i + 1;
  }
  return *next ? heads : NULL;
}

/* Marks what is reached from `root`, which is an index + 1, and itself. */
static unsigned char *reached(struct builder *b, const struct b_system *system, uint32_t root, bool up) {
  struct edges edges = hierarchy(b, system, up);
  uint32_t *next = NULL, *heads = link_edges(b, &edges, system->count, &next);
  unsigned char *marks = def_builder_alloc(b, system->count, 1);
  uint32_t *queue = def_builder_alloc(b, system->count + 1, sizeof *queue);
  size_t begin = 0, end = 0;
  if (b->error || !heads) return NULL;
  marks[root - 1] = 1;
  queue[end++] = root;
  while (begin < end)
    for (uint32_t at = heads[queue[begin++]]; at; at = next[at]) {
      uint32_t to = edges.items[at - 1].to;
      if (marks[to - 1]) continue;
      marks[to - 1] = 1;
      queue[end++] = to;
    }
  return marks;
}

static bool keep_marked(struct filtering *f, const unsigned char *marks, bool marked) {
  for (size_t i = 0; marks && i < f->system->count; i++)
    if ((marks[i] != 0) != marked) f->keep[i] = 0;
  return marks != NULL;
}

static bool by_hierarchy(struct filtering *f, bool *answered) {
  static const struct {
    const char *op;
    bool up, self, inside;
  } ops[] = {{"is-a", false, true, true},
             {"descendent-of", false, false, true},
             {"is-not-a", false, true, false},
             {"generalizes", true, true, true}};
  uint32_t root = concept_at(f->system, f->filter->value);
  for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
    if (!str_is(f->filter->op, ops[i].op)) continue;
    unsigned char *marks = root ? reached(f->b, f->system, root, ops[i].up) : NULL;
    if (marks && !ops[i].self) marks[root - 1] = 0;
    *answered = keep_marked(f, marks, ops[i].inside);
    return true;
  }
  return false;
}

/* parent = X, child = X: one step. */
static bool by_neighbour(struct filtering *f, bool up) {
  uint32_t of = concept_at(f->system, f->filter->value);
  if (!of || !str_is(f->filter->op, "=")) return false;
  struct edges edges = hierarchy(f->b, f->system, up);
  unsigned char *marks = def_builder_alloc(f->b, f->system->count, 1);
  for (size_t i = 0; marks && i < edges.count; i++)
    if (edges.items[i].from == of) marks[edges.items[i].to - 1] = 1;
  return keep_marked(f, marks, true);
}

/* --- texts ----------------------------------------------------------------------------------- */

static bool compile(struct filtering *f) {
  int error;
  size_t at;
  struct str text = f->filter->value;
  pcre2_compile_context *context = pcre2_compile_context_create(NULL);
  if (!context || text.len > PATTERN_MAX) {
    pcre2_compile_context_free(context);
    return false;
  }
  pcre2_set_compile_extra_options(context, PCRE2_EXTRA_MATCH_LINE);
  f->pattern = pcre2_compile((PCRE2_SPTR)text.ptr, text.len, PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C,
                             &error, &at, context);
  pcre2_compile_context_free(context);
  f->match = f->pattern ? pcre2_match_data_create(1, NULL) : NULL;
  f->limits = f->pattern ? pcre2_match_context_create(NULL) : NULL;
  if (!f->match || !f->limits) return false;
  pcre2_set_match_limit(f->limits, MATCH_LIMIT);
  pcre2_set_heap_limit(f->limits, HEAP_LIMIT_KB);
  return true;
}

static bool in_list(struct str list, struct str text) {
  for (size_t at = 0; at <= list.len;) {
    size_t end = str_find_char(list, ',', at);
    if (end == SIZE_MAX) end = list.len;
    if (str_eq(str_trim(str_slice(list, at, end)), text)) return true;
    at = end + 1;
  }
  return false;
}

/* 1 yes, 0 no, -1 it cannot be told. */
static int passes(struct filtering *f, struct str text) {
  struct str op = f->filter->op;
  if (str_is(op, "=")) return str_eq(text, f->filter->value);
  if (str_is(op, "in") || str_is(op, "not-in")) return in_list(f->filter->value, text);
  if (!f->pattern) return -1;
  int found =
      pcre2_match(f->pattern, (PCRE2_SPTR)(text.ptr ? text.ptr : ""), text.len, 0, 0, f->match, f->limits);
  return found >= 0 ? 1 : found == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

static bool knows(struct str op) {
  static const char *const known[] = {"=", "in", "not-in", "regex", "exists"};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (str_is(op, known[i])) return true;
  return false;
}

static bool wants(const struct filtering *f, bool found) {
  if (str_is(f->filter->op, "exists")) return found == str_is(f->filter->value, "true");
  return found != str_is(f->filter->op, "not-in");
}

/* By the code or the display of each concept. */
static bool by_text(struct filtering *f, bool display) {
  for (size_t i = 0; i < f->system->count; i++) {
    const struct b_code *self = &f->system->concepts[i].self;
    struct str text = display ? self->display : self->code;
    int found = str_is(f->filter->op, "exists") ? text.len != 0 : passes(f, text);
    if (found < 0) return false;
    if (!wants(f, found > 0)) f->keep[i] = 0;
  }
  return true;
}

/* --- properties ------------------------------------------------------------------------------ */

static bool is_declared(const struct b_system *system, struct str property) {
  for (size_t i = 0; i < system->properties.count; i++)
    if (str_eq(system->properties.items[i], property)) return true;
  return false;
}

/* What has no such property passes neither `=` nor `in`; but a boolean may be false by not being said. */
static bool by_property(struct filtering *f) {
  bool truth = str_is(f->filter->value, "false") && str_is(f->filter->op, "=");
  if (!is_declared(f->system, f->filter->property)) return false;
  for (size_t i = 0; i < f->system->count; i++) {
    bool found = false, any = false;
    for (const struct b_fact *fact = f->system->concepts[i].facts; fact; fact = fact->next) {
      if (!str_eq(fact->name, f->filter->property)) continue;
      int one = str_is(f->filter->op, "exists") ? 1 : fact->cut ? -1 : passes(f, fact->value);
      if (one < 0) return false;
      any = true;
      found |= one > 0;
    }
    if (truth && !any) return false;
    if (!wants(f, found)) f->keep[i] = 0;
  }
  return true;
}

bool def_filter(struct builder *b, const struct b_system *system, const struct b_filter *filter,
                unsigned char *keep) {
  struct filtering f = {.b = b, .system = system, .filter = filter, .keep = keep};
  struct str property = filter->property;
  bool code = str_is(property, "concept") || str_is(property, "code"), answered = false;
  if (code && by_hierarchy(&f, &answered)) return answered;
  bool ready = knows(filter->op) && (!str_is(filter->op, "regex") || compile(&f));
  if (ready && (code || str_is(property, "display")))
    answered = by_text(&f, !code);
  else if (ready && str_is(property, "parent"))
    answered = by_neighbour(&f, false);
  else if (ready && str_is(property, "child"))
    answered = by_neighbour(&f, true);
  else if (ready)
    answered = by_property(&f);
  pcre2_match_data_free(f.match);
  pcre2_match_context_free(f.limits);
  pcre2_code_free(f.pattern);
  return answered && !b->error;
}
